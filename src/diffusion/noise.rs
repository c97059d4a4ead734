//! Noise: how much of it a level means, where tokens start, and where the draws come from.

use crate::codec::{NOW, T};
use crate::rng::{Purpose, Seed, Stream};

/// alpha(k) = cos(π k / 2): the share of the clean token at noise level `level`.
pub fn signal_share(level: f64) -> f64 {
    (level * std::f64::consts::FRAC_PI_2).cos()
}

/// sigma(k) = sin(π k / 2): the share of noise; alpha² + sigma² = 1.
pub fn noise_share(level: f64) -> f64 {
    (level * std::f64::consts::FRAC_PI_2).sin()
}

/// Starting noise levels [A, T] in [0, 1]. One matrix, four tools: futures at 1 generate; goals and history are 0;
/// 1 on one agent rewrites it; 0.4 perturbs.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseMatrix {
    levels: Vec<f32>,
}

impl NoiseMatrix {
    /// History and present known, all futures made anew.
    pub fn futures(agents: usize) -> Self {
        let row = (0..T).map(|token| if token > NOW { 1.0 } else { 0.0 });
        Self {
            levels: std::iter::repeat_n(row, agents).flatten().collect(),
        }
    }

    /// Everything known.
    pub fn known(agents: usize) -> Self {
        Self {
            levels: vec![0.0; agents * T],
        }
    }

    /// This matrix with the rows of `newcomers` after its own.
    pub fn joined(&self, newcomers: &Self) -> Self {
        Self {
            levels: [&self.levels[..], &newcomers.levels].concat(),
        }
    }

    /// Number of agents, A.
    pub fn agents(&self) -> usize {
        self.levels.len() / T
    }

    /// All levels, [A, T].
    pub fn levels(&self) -> &[f32] {
        &self.levels
    }

    /// The level of one token.
    pub fn get(&self, agent: usize, token: usize) -> f32 {
        self.levels[agent * T + token]
    }

    /// Sets one token's level (clamped to [0, 1]; NaN becomes 1).
    pub fn set(&mut self, agent: usize, token: usize, level: f32) {
        let level = if level.is_nan() { 1.0 } else { level };
        self.levels[agent * T + token] = level.clamp(0.0, 1.0);
    }

    /// Sets the level of an agent's whole future.
    pub fn set_future(&mut self, agent: usize, level: f32) {
        for token in NOW + 1..T {
            self.set(agent, token, level);
        }
    }

    /// Whether a future token of the agent is known while some token before it is to be made: a goal.
    pub fn has_goal(&self, agent: usize) -> bool {
        let future = &self.levels[agent * T + NOW + 1..(agent + 1) * T];
        let first_made = future.iter().position(|&level| level > 0.0);
        let last_known = future.iter().rposition(|&level| level <= 0.0);
        matches!((first_made, last_known), (Some(made), Some(known)) if made < known)
    }
}

/// The noise stream of one agent in one sample: it depends on the agent's id alone, so that adding or removing
/// another agent leaves its noise as it was.
pub fn agent_stream(seed: Seed, agent: &str, sample: u64) -> Stream {
    // FNV-1a over the id, a separator and the sample's number
    let bytes = agent.bytes().chain([0xff]).chain(sample.to_le_bytes());
    let key = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    seed.substream(Purpose::Noise, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_at_a_third_of_the_way_are_root_three_halves_and_one_half() {
        // level 1/3: angle π/6; cos = √3/2, sin = 1/2
        assert!((signal_share(1.0 / 3.0) - 0.75_f64.sqrt()).abs() < 1e-15);
        assert!((noise_share(1.0 / 3.0) - 0.5).abs() < 1e-15);
        assert_eq!((signal_share(0.0), noise_share(0.0)), (1.0, 0.0));
        assert!(signal_share(1.0) < 1e-15 && noise_share(1.0) == 1.0);
    }

    #[test]
    fn only_a_known_token_behind_a_made_one_is_a_goal() {
        let mut matrix = NoiseMatrix::futures(3);
        matrix.set(0, T - 1, 0.0);
        matrix.set(1, NOW + 1, 0.0);
        assert!(matrix.has_goal(0));
        assert!(!matrix.has_goal(1)); // known at the front: more history
        assert!(!matrix.has_goal(2));
    }

    #[test]
    fn an_agents_noise_depends_on_seed_id_and_sample_alone() {
        let draw = |seed, agent, sample| agent_stream(Seed(seed), agent, sample).normal();
        assert_eq!(draw(1, "a", 0), draw(1, "a", 0));
        assert_ne!(draw(1, "a", 0), draw(1, "b", 0));
        assert_ne!(draw(1, "a", 0), draw(1, "a", 1));
        assert_ne!(draw(1, "a", 0), draw(2, "a", 0));
    }
}
