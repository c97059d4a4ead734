//! The sampler: one step at a time, everything visible between two steps.

use std::ops::ControlFlow;

use super::{
    Denoise, DenoiseError, Guide, NoiseMatrix, Schedule, agent_stream, noise_share, signal_share,
};
use crate::codec::{CHANNELS, T, Window};
use crate::rng::Seed;

/// Predictions are kept within so many standard deviations.
const CLIP: f32 = 8.0;

/// An agent that comes into a run is made in at least so many steps, or in as many as the whole run has; who is drawn
/// again, in so many.
const LEAST_ENTRY_STEPS: usize = 8;

/// What a run starts from.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The window: agents' ids and validity.
    pub window: &'a Window,
    /// Normalised tokens [A, T, 6]: givens where the starting level is 0, what the token was where it is between
    /// 0 and 1, unused where it is 1.
    pub given: &'a [f32],
    /// Starting levels.
    pub matrix: &'a NoiseMatrix,
    /// How levels fall; built for the same matrix.
    pub schedule: &'a Schedule,
    /// Seed of the noise.
    pub seed: Seed,
    /// Number of the first sample under this seed.
    pub sample: u64,
    /// How many samples to draw at once, S; each has noise of its own.
    pub samples: usize,
    /// Standard deviation of the starting noise; 1 is the model's own.
    pub temperature: f64,
}

/// A run under way: S samples of [A, T, 6] tokens, all at the same levels.
///
/// DDIM per token: eps = (x − alpha · clean) / sigma, x' = alpha' · clean + sigma' · eps, with the token's own levels.
/// A token at level 0 is final: it changes only through [`Sampler::overwrite`].
#[derive(Debug, Clone)]
pub struct Sampler {
    schedule: Schedule,
    valid: Vec<bool>,
    /// No token's level is above its ceiling: its starting level, 0 once overwritten.
    ceiling: Vec<f32>,
    levels: Vec<f32>,
    noise: Vec<f32>,
    tokens: Vec<f32>,
    clean: Vec<f32>,
    step: usize,
    taken: usize,
}

/// The state of a run after a step.
#[derive(Debug, Clone, Copy)]
pub struct StepEvent<'a> {
    /// Steps taken so far, from 1.
    pub taken: usize,
    /// Steps this run takes in all, if nothing is overwritten.
    pub total: usize,
    /// Levels [A, T] after the step.
    pub levels: &'a [f32],
    /// Tokens [S, A, T, 6] after the step, still noisy where their level is above 0.
    pub tokens: &'a [f32],
    /// Clean tokens [S, A, T, 6] as predicted in the step; known tokens as they are.
    pub clean: &'a [f32],
}

impl Sampler {
    /// Draws the starting noise and mixes it in: x = alpha · given + sigma · temperature · noise.
    ///
    /// # Errors
    ///
    /// If `given` or the matrix does not fit the window.
    pub fn new(start: Start<'_>) -> Result<Self, DenoiseError> {
        let agents = start.window.agents();
        let size = agents * T * CHANNELS;
        expect_length("given tokens", start.given.len(), size)?;
        expect_length("the noise matrix", start.matrix.levels().len(), agents * T)?;
        expect_length("the schedule", start.schedule.agents() * T, agents * T)?;
        let mut noise = Vec::with_capacity(start.samples * size);
        for sample in 0..start.samples as u64 {
            for row in &start.window.rows {
                let mut stream = agent_stream(start.seed, row.id.as_str(), start.sample + sample);
                noise.extend((0..T * CHANNELS).map(|_| stream.normal() as f32));
            }
        }
        let valid = start.window.valid.clone();
        let ceiling: Vec<f32> = start
            .matrix
            .levels()
            .iter()
            .zip(&valid)
            .map(|(&level, &valid)| if valid { level } else { 0.0 })
            .collect();
        let mut sampler = Self {
            schedule: start.schedule.clone(),
            levels: ceiling.clone(),
            ceiling,
            valid,
            tokens: vec![0.0; noise.len()],
            clean: vec![0.0; noise.len()],
            noise,
            step: 0,
            taken: 0,
        };
        for (at, x) in sampler.tokens.iter_mut().enumerate() {
            let within = at % size;
            let token = within / CHANNELS;
            if !sampler.valid[token] {
                continue;
            }
            let level = f64::from(sampler.levels[token]);
            *x = if level > 0.0 {
                let kept = if level < 1.0 {
                    signal_share(level) * f64::from(start.given[within])
                } else {
                    0.0
                };
                let added = noise_share(level) * start.temperature * f64::from(sampler.noise[at]);
                (kept + added) as f32
            } else {
                start.given[within]
            };
        }
        sampler.clean.copy_from_slice(&sampler.tokens);
        sampler.skip_idle_steps();
        Ok(sampler)
    }

    /// Whether every token is at level 0.
    pub fn finished(&self) -> bool {
        self.step >= self.schedule.steps()
    }

    /// Takes the next step that lowers any token's level: predicts, lets `guides` change the prediction in turn,
    /// and moves every token to its next level. Does nothing when finished.
    ///
    /// # Errors
    ///
    /// If the network fails or returns a number that is not finite; the tokens are then as before the step.
    pub fn step(
        &mut self,
        network: &mut dyn Denoise,
        guides: &mut [&mut dyn Guide],
    ) -> Result<(), DenoiseError> {
        if self.finished() {
            return Ok(());
        }
        let mut clean = vec![0.0; self.tokens.len()];
        network.denoise(&self.tokens, &self.levels, &mut clean)?;
        self.check_finite(&clean)?;
        let size = self.levels.len() * CHANNELS;
        for (at, value) in clean.iter_mut().enumerate() {
            let token = at % size / CHANNELS;
            *value = if self.levels[token] > 0.0 {
                value.clamp(-CLIP, CLIP)
            } else {
                self.tokens[at]
            };
        }
        for sample in clean.chunks_exact_mut(size.max(1)) {
            for guide in guides.iter_mut() {
                guide.guide(sample, &self.levels);
            }
        }
        self.check_finite(&clean)?;
        let next = self.levels_at(self.step + 1);
        let strides: Vec<Option<[f32; 4]>> = self
            .levels
            .iter()
            .zip(&next)
            .map(|(&from, &to)| (to < from).then(|| shares(from, to)))
            .collect();
        for (at, x) in self.tokens.iter_mut().enumerate() {
            let token = at % size / CHANNELS;
            if self.levels[token] <= 0.0 {
                clean[at] = *x;
            } else if let Some([alpha, sigma, next_alpha, next_sigma]) = strides[token] {
                let noise = (*x - alpha * clean[at]) / sigma.max(1e-4);
                *x = next_alpha * clean[at] + next_sigma * noise;
            }
        }
        self.levels = next;
        self.clean = clean;
        self.step += 1;
        self.taken += 1;
        self.skip_idle_steps();
        Ok(())
    }

    /// Takes all remaining steps on the calling thread; `on_step` sees every one and may stop the run. True if the
    /// run is finished.
    ///
    /// # Errors
    ///
    /// As [`Sampler::step`].
    pub fn run(
        &mut self,
        network: &mut dyn Denoise,
        guides: &mut [&mut dyn Guide],
        on_step: &mut dyn FnMut(StepEvent<'_>) -> ControlFlow<()>,
    ) -> Result<bool, DenoiseError> {
        while !self.finished() {
            self.step(network, guides)?;
            if on_step(self.event()).is_break() {
                break;
            }
        }
        Ok(self.finished())
    }

    /// The run as it stands.
    pub fn event(&self) -> StepEvent<'_> {
        StepEvent {
            taken: self.taken,
            total: self.taken + self.remaining(),
            levels: &self.levels,
            tokens: &self.tokens,
            clean: &self.clean,
        }
    }

    /// Reaction: sets a token to `value` in all samples and its level to 0. It is final from now on, and the other
    /// tokens see it at the very next step. A token invalid in the window stays so.
    pub fn overwrite(&mut self, agent: usize, token: usize, value: [f32; CHANNELS]) {
        let at = agent * T + token;
        if !self.valid[at] {
            return;
        }
        self.ceiling[at] = 0.0;
        self.levels[at] = 0.0;
        let size = self.levels.len() * CHANNELS;
        for sample in 0..self.tokens.len() / size {
            let from = sample * size + at * CHANNELS;
            self.tokens[from..from + CHANNELS].copy_from_slice(&value);
            self.clean[from..from + CHANNELS].copy_from_slice(&value);
        }
        self.skip_idle_steps();
    }

    /// Reaction: agents that were not there come in as last rows. `start` describes the run with them: window, given
    /// tokens and starting levels of all rows, the same seed, samples and temperature; its schedule is not read. They
    /// start from their own levels and noise (that of their id) and are finished with the run, which grows if fewer
    /// than eight steps are left (or as many as it has in all). Everybody else's tokens stay and see them at the very
    /// next step.
    ///
    /// # Errors
    ///
    /// If the rows or numbers do not fit; the run is then as before.
    pub fn enter(&mut self, start: Start<'_>) -> Result<(), DenoiseError> {
        let (old, all) = (self.levels.len() / T, start.window.agents());
        if all <= old || old == 0 {
            return Err(DenoiseError::Shape {
                what: "the window with newcomers",
                found: all,
                expected: old + 1,
            });
        }
        expect_length("the noise matrix", start.matrix.agents(), all)?;
        let mut own = NoiseMatrix::known(all - old);
        for (row, token) in (old..all).flat_map(|row| (0..T).map(move |token| (row, token))) {
            own.set(row - old, token, start.matrix.get(row, token));
        }
        let whole = self.schedule.steps();
        let left = whole.saturating_sub(self.step);
        let steps = left.max(LEAST_ENTRY_STEPS.min(whole));
        let newcomers = Schedule::new(self.schedule.kind(), steps, &own);
        let schedule = self.schedule.joined(&newcomers, self.step);
        let fresh = Self::new(Start {
            schedule: &schedule,
            ..start
        })?;
        let (short, long) = (old * T * CHANNELS, all * T * CHANNELS);
        expect_length(
            "the samples",
            fresh.tokens.len() / long * short,
            self.tokens.len(),
        )?;
        let spliced = |kept: &[f32], fresh: &[f32]| -> Vec<f32> {
            let samples = kept.chunks_exact(short).zip(fresh.chunks_exact(long));
            samples
                .flat_map(|(kept, fresh)| kept.iter().chain(&fresh[short..]).copied())
                .collect()
        };
        self.tokens = spliced(&self.tokens, &fresh.tokens);
        self.clean = spliced(&self.clean, &fresh.clean);
        self.noise = spliced(&self.noise, &fresh.noise);
        self.levels.extend_from_slice(&fresh.levels[old * T..]);
        self.ceiling.extend_from_slice(&fresh.ceiling[old * T..]);
        self.valid.extend_from_slice(&fresh.valid[old * T..]);
        self.schedule = schedule;
        self.skip_idle_steps();
        Ok(())
    }

    /// Begins anew for `rows` once everything is final: their tokens go back to their starting levels, everyone else's
    /// are known from now on. `start` describes the run as it began, but for the number of the sample, which gives them
    /// other noise; its schedule is not read. The run grows by eight steps (or by as many as it had, if fewer).
    ///
    /// # Errors
    ///
    /// If the numbers do not fit; the run is then as before.
    pub fn redraw(&mut self, start: Start<'_>, rows: &[usize]) -> Result<(), DenoiseError> {
        let mut own = NoiseMatrix::known(start.matrix.agents());
        for (&row, token) in rows
            .iter()
            .flat_map(|row| (0..T).map(move |token| (row, token)))
        {
            own.set(row, token, start.matrix.get(row, token));
        }
        let steps = LEAST_ENTRY_STEPS.min(self.schedule.steps());
        let schedule = Schedule::new(self.schedule.kind(), steps, &own);
        let mut fresh = Self::new(Start {
            matrix: &own,
            schedule: &schedule,
            ..start
        })?;
        expect_length("the samples", fresh.tokens.len(), self.tokens.len())?;
        let size = self.levels.len() * CHANNELS;
        for at in 0..self.tokens.len() {
            if fresh.ceiling[at % size / CHANNELS] <= 0.0 {
                fresh.tokens[at] = self.tokens[at];
            }
            fresh.clean[at] = self.clean[at];
        }
        for (at, noise) in fresh.noise.iter_mut().enumerate() {
            if !rows.contains(&(at % size / (T * CHANNELS))) {
                *noise = self.noise[at];
            }
        }
        fresh.taken = self.taken;
        *self = fresh;
        Ok(())
    }

    /// Steps still to be taken.
    pub fn remaining(&self) -> usize {
        (self.step..self.schedule.steps())
            .filter(|&step| !self.idle(step))
            .count()
    }

    /// Present levels [A, T]; 0 where invalid.
    pub fn levels(&self) -> &[f32] {
        &self.levels
    }

    /// Present tokens [S, A, T, 6]; the result once finished.
    pub fn tokens(&self) -> &[f32] {
        &self.tokens
    }

    /// The last predicted clean tokens [S, A, T, 6]; known tokens as they are. Before the first step the tokens.
    pub fn clean(&self) -> &[f32] {
        &self.clean
    }

    /// The starting draw [S, A, T, 6], standard normal, before temperature.
    pub fn noise(&self) -> &[f32] {
        &self.noise
    }

    /// The schedule.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn levels_at(&self, step: usize) -> Vec<f32> {
        self.schedule
            .row(step)
            .iter()
            .zip(&self.ceiling)
            .map(|(&level, &ceiling)| level.min(ceiling))
            .collect()
    }

    fn idle(&self, step: usize) -> bool {
        let (before, after) = (self.schedule.row(step), self.schedule.row(step + 1));
        self.ceiling
            .iter()
            .zip(before.iter().zip(after))
            .all(|(&ceiling, (&before, &after))| after.min(ceiling) >= before.min(ceiling))
    }

    fn skip_idle_steps(&mut self) {
        while !self.finished() && self.idle(self.step) {
            self.step += 1;
        }
    }

    fn check_finite(&self, clean: &[f32]) -> Result<(), DenoiseError> {
        let tokens = self.levels.len();
        let bad = clean
            .chunks_exact(CHANNELS)
            .enumerate()
            .find(|(at, numbers)| {
                self.levels[at % tokens] > 0.0 && numbers.iter().any(|number| !number.is_finite())
            });
        match bad {
            None => Ok(()),
            Some((at, _)) => Err(DenoiseError::NotFinite {
                step: self.taken,
                agent: at % tokens / T,
                token: at % T,
            }),
        }
    }
}

fn shares(from: f32, to: f32) -> [f32; 4] {
    let (from, to) = (f64::from(from), f64::from(to));
    [
        signal_share(from) as f32,
        noise_share(from) as f32,
        signal_share(to) as f32,
        noise_share(to) as f32,
    ]
}

fn expect_length(what: &'static str, found: usize, expected: usize) -> Result<(), DenoiseError> {
    if found == expected {
        Ok(())
    } else {
        Err(DenoiseError::Shape {
            what,
            found,
            expected,
        })
    }
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
