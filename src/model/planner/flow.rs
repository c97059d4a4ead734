//! Flow matching (arXiv 2210.02747): futures of the analytic prior, carried to plans along straight ways.
//!
//! The source is not white noise but what the prior holds possible after the ego's own history, so a plan is a plausible
//! motion from the first step on. The network says how fast each of its numbers moves; a few Euler steps follow it.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::network::NOISY;
use super::refine::{PLAN, Reading};
use super::surroundings::SEEN;
use crate::codec::{CHANNELS, T};
use crate::diffusion::signal_share;
use crate::model::prior::{DRAW, Gain, Prior};
use crate::planner::{Decoder, PlanSettings, ProposeError};
use crate::rng::Purpose;

/// Noise level at which the prior is shown plans that have arrived. Its covariances have a ridge, 1e-4 in scaled units, so
/// what it draws has white noise on it, decimetres at 8 s, which the flow leaves there; seen so, it is gone.
const SMOOTHED: f64 = 0.05;

/// Where plans come from: the prior after the ego's history.
pub(super) struct Source {
    gain: Arc<Gain>,
    mean: [f32; T * CHANNELS],
    roots: [Vec<f64>; 2],
}

impl Source {
    pub(super) fn of(reading: &Reading<'_>) -> Self {
        let gain = reading.gain(1.0);
        let mean = reading
            .prior
            .posterior_mean(&gain, &reading.with_history(), None);
        Self {
            roots: reading.prior.roots(&gain),
            mean,
            gain,
        }
    }

    /// A future [16, 6] from normal numbers.
    pub(super) fn draw(&self, normal: &[f64; DRAW]) -> Vec<f32> {
        Prior::draw(&self.mean, &self.roots, normal)[SEEN * CHANNELS..].to_vec()
    }

    /// Velocity [n, 16, 6] of plans that have gone `time` (0 to 1) of their way, scaled residuals.
    pub(super) fn velocity(
        &self,
        reading: &Reading<'_>,
        plans: &[f32],
        time: f64,
    ) -> Result<Vec<f32>, ProposeError> {
        let mut inputs = Vec::with_capacity(plans.len() / CHANNELS * NOISY);
        let mut whole = self.mean;
        for plan in plans.chunks_exact(PLAN) {
            whole[SEEN * CHANNELS..].copy_from_slice(plan);
            let surprise = |at: usize| (whole[at] - self.mean[at]) / self.gain.spread[at];
            reading.push_frames(&whole, &self.gain, surprise, &mut inputs);
        }
        let answer = reading
            .network
            .flow(reading.encoded, inputs, 1.0 - time)
            .map_err(|error| ProposeError::Network(error.to_string()))?;
        let lacks = ProposeError::NoDecoder(Decoder::Flow.key());
        let mut velocity = answer.ok_or(lacks)?;
        let spread = self.gain.spread[SEEN * CHANNELS..].iter();
        for (number, spread) in velocity.iter_mut().zip(spread.cycle()) {
            *number *= spread;
        }
        Ok(velocity)
    }
}

impl Reading<'_> {
    /// Carries futures of the prior, a mode each, to plans [n, 16, 6] in Euler steps; a temperature under 1 draws them
    /// nearer to their mean. `on_step` sees the number of steps done, from 0 on, and the plans there, in the end smoothed.
    pub(super) fn carry(
        &self,
        settings: &PlanSettings,
        on_step: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, ProposeError> {
        let (source, steps) = (Source::of(self), settings.flow_steps);
        let mut plans = Vec::with_capacity(settings.modes * PLAN);
        for mode in 0..settings.modes {
            let mut dice = settings.seed.substream(Purpose::Refinement, mode as u64);
            let normal = std::array::from_fn(|_| settings.temperature * dice.normal());
            plans.extend(source.draw(&normal));
        }
        for done in 0..steps {
            if on_step(done, &plans).is_break() {
                return Err(ProposeError::Stopped);
            }
            let velocity = source.velocity(self, &plans, done as f64 / steps as f64)?;
            if let Some(at) = velocity.iter().position(|number| !number.is_finite()) {
                return Err(ProposeError::Network(format!(
                    "mode {}, frame {} is not finite at flow step {done}",
                    at / PLAN,
                    at % PLAN / CHANNELS
                )));
            }
            for (number, velocity) in plans.iter_mut().zip(&velocity) {
                *number += velocity / steps as f32;
            }
        }
        let plans = self.smoothed(&plans);
        match on_step(steps, &plans) {
            ControlFlow::Continue(()) => Ok(plans),
            ControlFlow::Break(()) => Err(ProposeError::Stopped),
        }
    }

    /// What the prior takes plans [n, 16, 6] for, seen at the level [`SMOOTHED`]: its posterior mean.
    fn smoothed(&self, plans: &[f32]) -> Vec<f32> {
        let (gain, signal) = (self.gain(SMOOTHED), signal_share(SMOOTHED) as f32);
        let mut seen = self.with_history();
        let mut out = Vec::with_capacity(plans.len());
        for plan in plans.chunks_exact(PLAN) {
            for (seen, number) in seen[SEEN * CHANNELS..].iter_mut().zip(plan) {
                *seen = signal * number;
            }
            let mean = self.prior.posterior_mean(&gain, &seen, None);
            out.extend_from_slice(&mean[SEEN * CHANNELS..]);
        }
        out
    }
}
