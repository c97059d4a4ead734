//! `Seed` and its named random streams: the only source of randomness in the crate.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// What a stream of random numbers is used for; each purpose has a stream of its own.
///
/// The numbers are part of the file format (a recipe names only its seed): never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Starting noise of a generated scene.
    Noise = 1,
    /// Choice among tasks, attackers and waypoints in batch generation.
    Task = 2,
    /// The traffic world: demand, drivers, networks.
    Traffic = 3,
    /// Sampling from the planner's token distribution.
    Planner = 4,
    /// Noise of the planner's refinement.
    Refinement = 5,
    /// Window choice and augmentation when a corpus is cut.
    Corpus = 6,
    /// Bootstrap resampling of metrics.
    Bootstrap = 7,
}

/// A user-visible seed: same seed, same bytes on one machine type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// A stream of its own for each purpose: a new draw in one place moves no draw elsewhere.
    pub fn stream(self, purpose: Purpose) -> Stream {
        self.substream(purpose, 0)
    }

    /// The `index`-th independent stream of a purpose (sample number, agent number, shard).
    pub fn substream(self, purpose: Purpose, index: u64) -> Stream {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&self.0.to_le_bytes());
        key[8..16].copy_from_slice(&index.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(purpose as u64);
        Stream { rng, spare: None }
    }
}

/// A deterministic stream of draws (ChaCha8).
#[derive(Debug, Clone)]
pub struct Stream {
    rng: ChaCha8Rng,
    spare: Option<f64>,
}

impl Stream {
    /// 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Uniform in [0, 1), 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in [low, high).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform integer in [0, count); 0 when `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Standard normal draw (Box-Muller, both values used).
    pub fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.unit();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_and_purpose_give_the_same_draws() {
        let draws = |seed| {
            let mut stream = Seed(seed).stream(Purpose::Noise);
            [stream.normal(), stream.normal(), stream.unit()]
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
    }

    #[test]
    fn purposes_do_not_share_draws() {
        assert_ne!(
            Seed(1).stream(Purpose::Noise).bits(),
            Seed(1).stream(Purpose::Task).bits()
        );
        assert_ne!(
            Seed(1).substream(Purpose::Noise, 0).bits(),
            Seed(1).substream(Purpose::Noise, 1).bits()
        );
    }

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let mut stream = Seed(3).stream(Purpose::Noise);
        let draws: Vec<f64> = (0..40_000).map(|_| stream.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 40_000.0;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 40_000.0;
        // standard errors: 1/200 for the mean, sqrt(2/40000) = 0.007 for the variance; 4 of each
        assert!(mean.abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
    }
}
