//! Pooled ratios and their bootstrap intervals by scene.

use crate::rng::{Purpose, Seed};

/// A sum over a count: what a scene adds to a pooled mean or rate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ratio {
    /// Numerator.
    pub sum: f64,
    /// Denominator: number of items.
    pub count: f64,
}

impl Ratio {
    /// `sum` over `count`.
    pub fn new(sum: f64, count: f64) -> Self {
        Self { sum, count }
    }

    /// The mean; `None` without items.
    pub fn value(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }

    /// All numerators over all denominators.
    pub fn pooled<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        parts.into_iter().fold(Self::default(), |all, part| {
            Self::new(all.sum + part.sum, all.count + part.count)
        })
    }
}

impl std::ops::AddAssign for Ratio {
    fn add_assign(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
    }
}

/// A central 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// 2.5 % quantile.
    pub low: f64,
    /// 97.5 % quantile.
    pub high: f64,
}

/// Percentile interval of the pooled ratio when whole scenes are drawn again; see [`bootstrap_of`].
pub fn bootstrap(scenes: &[Ratio], seed: Seed) -> Option<Interval> {
    bootstrap_of(scenes, seed, |drawn| {
        Ratio::pooled(drawn.iter().copied()).value()
    })
}

/// Percentile interval of `statistic` when whole scenes are drawn again with replacement, 2,000 times. For a paired
/// difference an entry holds what a scene adds on both sides.
///
/// One entry per *scene*, not per window: windows of one scene share agents and are not independent. `None` with
/// fewer than two scenes or without a value.
pub fn bootstrap_of<S>(
    scenes: &[S],
    seed: Seed,
    statistic: impl Fn(&[&S]) -> Option<f64>,
) -> Option<Interval> {
    const DRAWS: usize = 2000;
    if scenes.len() < 2 {
        return None;
    }
    let mut stream = seed.stream(Purpose::Bootstrap);
    let mut values: Vec<f64> = (0..DRAWS)
        .filter_map(|_| {
            let drawn: Vec<&S> = (0..scenes.len())
                .map(|_| &scenes[stream.below(scenes.len())])
                .collect();
            statistic(&drawn)
        })
        .collect();
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let quantile = |q: f64| values[((values.len() - 1) as f64 * q).round() as usize];
    Some(Interval {
        low: quantile(0.025),
        high: quantile(0.975),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_weighs_by_count() {
        let parts = [Ratio::new(2.0, 1.0), Ratio::new(2.0, 3.0)];
        assert_eq!(Ratio::pooled(&parts).value(), Some(1.0)); // (2 + 2) / (1 + 3)
        assert_eq!(Ratio::default().value(), None);
    }

    #[test]
    fn equal_scenes_have_an_interval_of_no_width() {
        let scenes = [Ratio::new(3.0, 2.0); 5];
        let interval = bootstrap(&scenes, Seed(1)).unwrap();
        assert_eq!((interval.low, interval.high), (1.5, 1.5));
        assert!(bootstrap(&scenes[..1], Seed(1)).is_none());
    }

    #[test]
    fn a_paired_difference_that_is_the_same_in_every_scene_has_no_width() {
        // the scenes differ by tens, the two sides always by 0.5
        let scenes: Vec<(f64, f64)> = (0..20)
            .map(|at| (10.0 * f64::from(at) + 0.5, 10.0 * f64::from(at)))
            .collect();
        let mean = |drawn: &[&(f64, f64)]| {
            let sum: f64 = drawn.iter().map(|(one, two)| one - two).sum();
            Some(sum / drawn.len() as f64)
        };
        let interval = bootstrap_of(&scenes, Seed(1), mean).unwrap();
        assert_eq!((interval.low, interval.high), (0.5, 0.5));
    }

    #[test]
    fn the_interval_of_a_coin_covers_two_standard_errors() {
        // 100 scenes of one item, half of them 1: standard error sqrt(0.25 / 100) = 0.05, so about 0.40 to 0.60
        let scenes: Vec<Ratio> = (0..100)
            .map(|index| Ratio::new(f64::from(index % 2), 1.0))
            .collect();
        let interval = bootstrap(&scenes, Seed(2)).unwrap();
        assert!((interval.low - 0.40).abs() < 0.03, "{interval:?}");
        assert!((interval.high - 0.60).abs() < 0.03, "{interval:?}");
    }
}
