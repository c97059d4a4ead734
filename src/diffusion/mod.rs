//! Noise levels, schedules, the sampler, and the `Denoise` trait. Plain numbers: no network lives here.
//!
//! Every token has its own level k in [0, 1]: at level k it is alpha(k) · clean + sigma(k) · noise. A
//! [`NoiseMatrix`] says where each token starts (0 known, 1 made anew, between: made again from what it was), a
//! [`Schedule`] lowers the levels step by step, a [`Sampler`] takes the steps. Source: Nexus, arXiv 2504.10485.

mod denoise;
mod history;
mod noise;
mod sampler;
mod schedule;
#[cfg(test)]
mod stand_in;

pub use denoise::{Denoise, DenoiseError, Guide, Observation, Prepare};
pub use history::NoisyHistory;
pub use noise::{NoiseMatrix, agent_stream, noise_share, signal_share};
pub use sampler::{Sampler, Start, StepEvent};
pub use schedule::Schedule;
#[cfg(test)]
pub(crate) use stand_in::StandIn;
