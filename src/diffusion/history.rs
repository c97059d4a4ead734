//! Histories that are not taken at their word.

use super::{Denoise, DenoiseError, Observation, signal_share};
use crate::codec::{CHANNELS, NOW, T, Window};

/// A network that is told that known histories are at a noise level of their own: what a recording says counts as one
/// noisy observation. The sampler's tokens stay as they are.
///
/// A token's own level already says how far it is known (Nexus, arXiv 2504.10485, Sec. 3.1); recorded tracks are never
/// known exactly, and their speeds and headings jitter most.
pub struct NoisyHistory {
    network: Box<dyn Denoise + Send>,
    level: f32,
    noisy: Vec<f32>,
    levels: Vec<f32>,
}

impl NoisyHistory {
    /// `network` with histories at `level`, in (0, 1).
    pub fn new(network: Box<dyn Denoise + Send>, level: f64) -> Self {
        Self {
            network,
            level: level as f32,
            noisy: Vec::new(),
            levels: Vec::new(),
        }
    }
}

impl Denoise for NoisyHistory {
    fn denoise(
        &mut self,
        noisy: &[f32],
        levels: &[f32],
        clean: &mut [f32],
    ) -> Result<(), DenoiseError> {
        self.noisy.clear();
        self.noisy.extend_from_slice(noisy);
        self.levels.clear();
        self.levels.extend_from_slice(levels);
        // of noise at this level the recording is a draw: alpha · clean + (what it errs by)
        let share = signal_share(f64::from(self.level)) as f32;
        let known = |token: usize| token % T <= NOW && levels[token] <= 0.0;
        for (at, value) in self.noisy.iter_mut().enumerate() {
            if known(at / CHANNELS % levels.len()) {
                *value *= share;
            }
        }
        for (token, level) in self.levels.iter_mut().enumerate() {
            if known(token) {
                *level = self.level;
            }
        }
        self.network.denoise(&self.noisy, &self.levels, clean)
    }

    fn observe(&mut self, observations: &[Observation]) {
        self.network.observe(observations);
    }

    fn smooth(&mut self, on: bool) {
        self.network.smooth(on);
    }

    fn revise(&mut self, window: &Window) -> Result<(), DenoiseError> {
        self.network.revise(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives back what it is shown, with the levels in the second channel.
    struct Echo;

    impl Denoise for Echo {
        fn denoise(
            &mut self,
            noisy: &[f32],
            levels: &[f32],
            clean: &mut [f32],
        ) -> Result<(), DenoiseError> {
            clean.copy_from_slice(noisy);
            for (token, level) in levels.iter().enumerate() {
                clean[token * CHANNELS + 1] = *level;
            }
            Ok(())
        }
    }

    #[test]
    fn known_histories_are_shown_at_their_level_and_nothing_else_is_touched() {
        let noisy = vec![1.0; T * CHANNELS];
        let mut levels = vec![0.5; T];
        levels[..=NOW].fill(0.0);
        levels[2] = 0.75; // made anew
        levels[T - 1] = 0.0; // a goal
        let mut clean = vec![0.0; noisy.len()];
        let mut network = NoisyHistory::new(Box::new(Echo), 0.5);
        network.denoise(&noisy, &levels, &mut clean).unwrap();
        let shown = |token: usize| (clean[token * CHANNELS], clean[token * CHANNELS + 1]);
        // alpha(1/2) = cos(pi / 4)
        let share = std::f32::consts::FRAC_1_SQRT_2;
        assert!((shown(0).0 - share).abs() < 1e-6 && shown(0).1 == 0.5);
        assert!((shown(NOW).0 - share).abs() < 1e-6);
        assert_eq!(shown(2), (1.0, 0.75));
        assert_eq!(shown(NOW + 1), (1.0, 0.5));
        assert_eq!(shown(T - 1), (1.0, 0.0));
    }
}
