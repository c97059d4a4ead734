//! nuPlan's open-loop score: how near the planned way is to the driven one.
//!
//! After Karnchanachari et al. 2024, arXiv 2403.04133, and the devkit's `planner_expert_*_within_bound` metrics. There a
//! scenario is planned once a second; here the windows of a recording are the scenario.

use crate::geometry::angle_between;
use crate::planner::{Mode, POINTS};
use crate::scene::State;

/// Horizons, s; a plan is compared at every second up to each.
const HORIZONS_S: [usize; 3] = [3, 5, 8];
/// The largest displacement up to each horizon beyond which a plan misses, m.
const MISSES_M: [f64; 3] = [6.0, 8.0, 16.0];
/// At most this share of the plans may miss at any horizon.
const MISS_RATE: f64 = 0.3;
/// Where average and final displacement (m), average and final heading error (rad) score 0.
const BOUNDS: [f64; 4] = [8.0, 8.0, 0.8, 0.8];
/// What the four weigh.
const WEIGHTS: [f64; 4] = [1.0, 1.0, 2.0, 2.0];

/// What the plans of one recording sum up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct NuPlanOpenLoop {
    plans: f64,
    /// Average and final displacement (m), average and final heading error (rad), means over the horizons.
    errors: [f64; 4],
    misses: [f64; 3],
}

impl NuPlanOpenLoop {
    /// Of one plan: `truth` is the log at the points' times. Nothing where it is not known at each whole second.
    pub(super) fn of(mode: &Mode, truth: &[Option<State>]) -> Self {
        let seconds = (1..POINTS).step_by(2).map(|index| {
            let (point, truth) = (&mode.points[index], truth.get(index)?.as_ref()?);
            let turned = angle_between(truth.heading, point.heading).abs();
            Some([point.position.distance(truth.position), turned])
        });
        let Some(gaps) = seconds.collect::<Option<Vec<[f64; 2]>>>() else {
            return Self::default();
        };
        let mut found = Self {
            plans: 1.0,
            ..Self::default()
        };
        for (index, horizon) in HORIZONS_S.into_iter().enumerate() {
            let gaps = &gaps[..horizon];
            let mean = |of: usize| gaps.iter().map(|gap| gap[of]).sum::<f64>() / horizon as f64;
            let last = gaps[horizon - 1];
            let errors = [mean(0), last[0], mean(1), last[1]];
            for (sum, error) in found.errors.iter_mut().zip(errors) {
                *sum += error / HORIZONS_S.len() as f64;
            }
            let most_m = gaps.iter().map(|gap| gap[0]).fold(0.0, f64::max);
            found.misses[index] = f64::from(most_m > MISSES_M[index]);
        }
        found
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.plans += other.plans;
        for (mine, theirs) in self.errors.iter_mut().zip(other.errors) {
            *mine += theirs;
        }
        for (mine, theirs) in self.misses.iter_mut().zip(other.misses) {
            *mine += theirs;
        }
    }

    /// 0 to 1: 0 if more than 30 % of the plans miss at any horizon, else the weighted mean of 1 − error / bound, each at
    /// least 0. `None` without a plan.
    pub fn score(&self) -> Option<f64> {
        if self.plans < 1.0 {
            return None;
        }
        if self
            .misses
            .iter()
            .any(|misses| misses / self.plans > MISS_RATE)
        {
            return Some(0.0);
        }
        let errors = self.errors.iter().zip(BOUNDS).zip(WEIGHTS);
        let sum: f64 = errors
            .map(|((error, bound), weight)| weight * (1.0 - error / self.plans / bound).max(0.0))
            .sum();
        Some(sum / WEIGHTS.iter().sum::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::planner::planned;

    /// At `speed` along x, `turned` off the log's heading, held against a log at 10 m/s.
    fn plan(speed: f64, turned: f64, known: usize) -> NuPlanOpenLoop {
        let time_s = |index: usize| 0.5 * (index + 1) as f64;
        let mode = Mode {
            points: std::array::from_fn(|index| {
                let pose = Pose::at(speed * time_s(index), 0.0, turned);
                planned(&State::along(pose, speed))
            }),
            probability: 1.0,
            tokens: Vec::new(),
        };
        let truth: Vec<Option<State>> = (0..POINTS)
            .map(|index| {
                let pose = Pose::at(10.0 * time_s(index), 0.0, 0.0);
                (index < known).then(|| State::along(pose, 10.0))
            })
            .collect();
        NuPlanOpenLoop::of(&mode, &truth)
    }

    #[test]
    fn errors_count_against_their_bounds() {
        assert_eq!(plan(10.0, 0.0, POINTS).score(), Some(1.0));
        // 1 m/s slower: t metres after t seconds; on average 2, 3 and 4.5, so 9.5 / 3, at the end 16 / 3; heading 0.2
        let expected = ((1.0 - 9.5 / 24.0) + (1.0 - 16.0 / 24.0) + 4.0 * 0.75) / 6.0;
        let found = plan(9.0, 0.2, POINTS).score().unwrap();
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        assert_eq!(plan(9.0, 0.0, POINTS - 1).score(), None); // the log ends before 8 s
    }

    #[test]
    fn more_than_three_plans_in_ten_that_miss_are_too_many() {
        // 2.1 m/s slower: 6.3 m after 3 s, of 6 m
        let (near, far) = (plan(10.0, 0.0, POINTS), plan(7.9, 0.0, POINTS));
        let score = |misses: usize| {
            let mut sum = NuPlanOpenLoop::default();
            for index in 0..10 {
                sum.add(if index < misses { &far } else { &near });
            }
            sum.score().unwrap()
        };
        assert!(score(3) > 0.5);
        assert_eq!(score(4), 0.0);
    }
}
