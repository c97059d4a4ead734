//! Denoising a plan's sixteen frames on top of the analytic prior: from an intermediate level, or from pure noise.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::network::{Encoded, NOISY, Network};
use super::surroundings::{SEEN, Spot, Surroundings, push_pose};
use crate::codec::{CHANNELS, T, token_time_s};
use crate::diffusion::{noise_share, signal_share};
use crate::model::prior::{Gain, Prior, key};
use crate::planner::{POINTS, ProposeError};
use crate::rng::{Purpose, Seed};

/// Numbers of a plan: [16, 6], scaled residuals to constant velocity in the ego's frame.
pub(super) const PLAN: usize = POINTS * CHANNELS;

/// A scene read by a network.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) network: &'a Network,
    pub(super) encoded: &'a Encoded,
    pub(super) scene: &'a Surroundings,
    pub(super) prior: &'a Prior,
}

/// From which level a plan is denoised and in how many steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descent {
    pub(super) level: f64,
    pub(super) steps: usize,
}

impl Reading<'_> {
    /// Noises plans [n, 16, 6] to the level and denoises them (DDIM, as the scene's sampler does, with one level for
    /// all sixteen frames). `on_step` sees the number of steps done and the clean plans predicted in the last one.
    pub(super) fn refine(
        &self,
        starts: &[f32],
        descent: Descent,
        seed: Seed,
        on_step: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, ProposeError> {
        let Descent { level, steps } = descent;
        let levels: Vec<f64> = (0..=steps)
            .map(|step| level * (steps - step) as f64 / steps as f64)
            .collect();
        let (keep, add) = (signal_share(level) as f32, noise_share(level) as f32);
        let mut plans = Vec::with_capacity(starts.len());
        for (mode, start) in starts.chunks_exact(PLAN).enumerate() {
            let mut dice = seed.substream(Purpose::Refinement, mode as u64);
            plans.extend(
                start
                    .iter()
                    .map(|number| keep * number + add * dice.normal() as f32),
            );
        }
        for (done, step) in levels.windows(2).enumerate() {
            let clean = self.predict(&plans, step[0])?;
            if let Some(at) = clean.iter().position(|number| !number.is_finite()) {
                return Err(ProposeError::Network(format!(
                    "mode {}, frame {} is not finite at refinement step {done}",
                    at / PLAN,
                    at % PLAN / CHANNELS
                )));
            }
            let (a, s) = (signal_share(step[0]), noise_share(step[0]).max(1e-4));
            let (a_next, s_next) = (signal_share(step[1]), noise_share(step[1]));
            for (plan, clean) in plans.iter_mut().zip(&clean) {
                let clean = f64::from(*clean);
                let noise = (f64::from(*plan) - a * clean) / s;
                *plan = (a_next * clean + s_next * noise) as f32;
            }
            if on_step(done + 1, &clean).is_break() {
                return Err(ProposeError::Stopped);
            }
        }
        Ok(plans)
    }

    /// The clean plans [n, 16, 6] that noisy ones at `level` stand for, clamped to 8 standard deviations.
    pub(super) fn predict(&self, plans: &[f32], level: f64) -> Result<Vec<f32>, ProposeError> {
        let (alpha, sigma) = (signal_share(level) as f32, noise_share(level) as f32);
        let gain = &*self.gain(level);
        let mut noisy = self.with_history();
        let mut inputs = Vec::with_capacity(plans.len() / CHANNELS * NOISY);
        let mut means = Vec::with_capacity(plans.len());
        for plan in plans.chunks_exact(PLAN) {
            noisy[SEEN * CHANNELS..].copy_from_slice(plan);
            let mean = self.prior.posterior_mean(gain, &noisy, None);
            let expected = |at: usize| {
                let spread = gain.spread[at];
                (sigma * sigma + (alpha * spread).powi(2) + 1e-6).sqrt()
            };
            let surprise = |at: usize| (noisy[at] - alpha * mean[at]) / expected(at);
            self.push_frames(&mean, gain, surprise, &mut inputs);
            means.extend_from_slice(&mean[SEEN * CHANNELS..]);
        }
        let change = self
            .network
            .refine(self.encoded, inputs, level)
            .map_err(|error| ProposeError::Network(error.to_string()))?;
        let spread = &gain.spread[SEEN * CHANNELS..];
        Ok(means
            .iter()
            .zip(&change)
            .zip(spread.iter().cycle())
            .map(|((mean, change), spread)| (mean + spread * change).clamp(-8.0, 8.0))
            .collect())
    }

    /// Inputs [16, 93] of a plan: of each number of the future frames in `plan` [21, 6] how surprising it is and how well
    /// it was known, and what is around where the frames lie.
    pub(super) fn push_frames(
        &self,
        plan: &[f32; T * CHANNELS],
        gain: &Gain,
        surprise: impl Fn(usize) -> f32,
        inputs: &mut Vec<f32>,
    ) {
        for token in SEEN..T {
            let from = token * CHANNELS;
            let numbers = from..from + CHANNELS;
            inputs.extend(numbers.clone().map(|at| surprise(at).clamp(-5.0, 5.0)));
            inputs.extend(numbers.map(|at| 0.4 * gain.log_spread[at]));
            let believed: [f32; CHANNELS] =
                std::array::from_fn(|channel| plan[from + channel].clamp(-8.0, 8.0));
            let spot = self.spot(token, &believed);
            push_pose(&spot, inputs);
            let speed = self.scene.speed;
            inputs.extend([speed / 10.0, speed.tanh()]);
            let time_s = token_time_s(token) as f32;
            self.scene.push_around(&spot, time_s, inputs);
        }
    }

    /// What the prior says once the ego's history is known and its future is at `level`.
    pub(super) fn gain(&self, level: f64) -> Arc<Gain> {
        let future = ((1_u32 << T) - 1) & !((1 << SEEN) - 1);
        let levels: [f32; T] =
            std::array::from_fn(|token| if token < SEEN { 0.0 } else { level as f32 });
        let valid = self.scene.valid_history() | future;
        let key = key(self.scene.bin, valid, &levels, None);
        Arc::clone(&self.prior.gains(&[key])[0])
    }

    /// Scaled history [5, 6], zero where not known, and nothing after it: [21, 6].
    pub(super) fn with_history(&self) -> [f32; T * CHANNELS] {
        let mut out = [0.0; T * CHANNELS];
        out[..SEEN * CHANNELS].copy_from_slice(&self.history());
        out
    }

    /// Scaled history [5, 6], zero where not known.
    fn history(&self) -> [f32; SEEN * CHANNELS] {
        let mut out = [0.0; SEEN * CHANNELS];
        for token in 0..SEEN {
            if let Some(state) = self.scene.history(token) {
                out[token * CHANNELS..(token + 1) * CHANNELS]
                    .copy_from_slice(&self.scaled(token, &state));
            }
        }
        out
    }

    /// A state [x, y, vx, vy, cos, sin] of the ego's frame as a scaled residual.
    pub(super) fn scaled(&self, token: usize, state: &[f32; CHANNELS]) -> [f32; CHANNELS] {
        let (base, scale) = (self.coasting(token), &self.prior.scale().0[token]);
        std::array::from_fn(|channel| (state[channel] - base[channel]) / scale[channel])
    }

    /// The state that scaled numbers stand for.
    fn state(&self, token: usize, scaled: &[f32; CHANNELS]) -> [f32; CHANNELS] {
        let (base, scale) = (self.coasting(token), &self.prior.scale().0[token]);
        std::array::from_fn(|channel| base[channel] + scaled[channel] * scale[channel])
    }

    /// Place, heading and speed that scaled numbers stand for.
    pub(super) fn spot(&self, token: usize, scaled: &[f32; CHANNELS]) -> Spot {
        let [x, y, vx, vy, cos, sin] = self.state(token, scaled);
        let (cos, sin) = (cos + 1e-8, sin + 1e-8);
        let length = cos.hypot(sin).max(1e-12);
        let (cos, sin) = (cos / length, sin / length);
        Spot {
            place: [x, y],
            facing: [cos, sin],
            speed: vx * cos + vy * sin,
        }
    }

    /// Constant velocity from the present.
    fn coasting(&self, token: usize) -> [f32; CHANNELS] {
        let time_s = token_time_s(token) as f32;
        let [vx, vy] = self.scene.velocity;
        [vx * time_s, vy * time_s, vx, vy, 1.0, 0.0]
    }

    /// The scaled plan [16, 6] through spots.
    pub(super) fn plan_of(&self, spots: &[Spot]) -> Vec<f32> {
        let mut out = Vec::with_capacity(PLAN);
        for (at, spot) in spots.iter().enumerate() {
            let ([x, y], [cos, sin]) = (spot.place, spot.facing);
            let state = [x, y, spot.speed * cos, spot.speed * sin, cos, sin];
            out.extend(self.scaled(SEEN + at, &state));
        }
        out
    }

    /// The spots of a scaled plan [16, 6].
    pub(super) fn spots_of(&self, plan: &[f32]) -> Vec<Spot> {
        plan.chunks_exact(CHANNELS)
            .enumerate()
            .map(|(at, numbers)| {
                let numbers = std::array::from_fn(|channel| numbers[channel]);
                self.spot(SEEN + at, &numbers)
            })
            .collect()
    }
}
