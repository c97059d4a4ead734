//! The networks behind `Denoise` and `Propose`, and their weights.
//!
//! A prediction has two parts. The analytic prior ([`Prior`]: a Gaussian per kind and speed) gives the mean and the
//! standard deviation of every clean token given the noisy ones; the network says by how many standard deviations the
//! scene around (lanes, signals, other agents) moves it: clean = mean + deviation · F. Both take a fixed window as
//! given, once per job; a step takes tokens and levels.
//!
//! The network exists twice: in plain candle operations (the definition) and vectorised for the CPU (used).

mod attention;
mod context;
mod fast;
mod features;
mod kernels;
mod layers;
mod linalg;
mod network;
mod planner;
mod prior;
mod probe;
mod profile;
mod reference;
mod weights;

pub use network::Network;
pub use planner::{Outputs, PLANNER_CARD, Planner, PlannerConfig, Segment};
pub use probe::GemmProbe;
pub use profile::{Part, Profile};
pub use weights::{CARD, Config, Status, WeightsError};

#[cfg(doc)]
use prior::Prior;
