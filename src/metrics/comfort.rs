//! M_k: how unsteady the generated motion is.

use super::grid::Samples;
use super::interval::Ratio;
use crate::scene::AgentId;

/// Means of absolute acceleration and its change along and across the heading, by finite differences on the grid.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Instability {
    /// |tangential acceleration|, m/s².
    pub tangential: Ratio,
    /// |normal acceleration|, m/s².
    pub normal: Ratio,
    /// |change of tangential acceleration|, m/s³.
    pub tangential_jerk: Ratio,
    /// |change of normal acceleration|, m/s³.
    pub normal_jerk: Ratio,
    /// The largest acceleration met: who, position in the grid, m/s².
    pub worst: Option<(AgentId, usize, f64)>,
}

impl Instability {
    /// M_k: the mean of the four means; `None` without a single pair of accelerations.
    pub fn value(&self) -> Option<f64> {
        let parts = [
            self.tangential.value()?,
            self.normal.value()?,
            self.tangential_jerk.value()?,
            self.normal_jerk.value()?,
        ];
        Some(parts.iter().sum::<f64>() / 4.0)
    }

    /// Adds another scene's sums.
    pub fn add(&mut self, other: &Self) {
        self.tangential += other.tangential;
        self.normal += other.normal;
        self.tangential_jerk += other.tangential_jerk;
        self.normal_jerk += other.normal_jerk;
        let larger = match (&self.worst, &other.worst) {
            (Some(mine), Some(theirs)) => theirs.2 > mine.2,
            (None, Some(_)) => true,
            _ => false,
        };
        if larger {
            self.worst = other.worst.clone();
        }
    }
}

/// M_k of the judged agents, from positions on the grid: an acceleration needs three successive valid times of
/// which the last lies after the present, its change needs two such accelerations.
pub fn instability(samples: &Samples) -> Instability {
    let mut total = Instability::default();
    let times = &samples.grid.times_s;
    for (_, row) in samples.judged_with_future() {
        let mut previous: Option<(f64, f64)> = None;
        for at in samples.grid.future() {
            let triple = at.checked_sub(2).and_then(|first| {
                Some((
                    row.states[first]?,
                    row.states[first + 1]?,
                    row.states[at]?,
                    times[at] - times[at - 1],
                ))
            });
            let Some((a, b, c, step_s)) = triple else {
                previous = None;
                continue;
            };
            let acceleration = (c.position - 2.0 * b.position + a.position) / (step_s * step_s);
            let along = acceleration.dot(b.pose().forward());
            let across = acceleration.dot(b.pose().left());
            total.tangential += Ratio::new(along.abs(), 1.0);
            total.normal += Ratio::new(across.abs(), 1.0);
            if let Some((before_along, before_across)) = previous {
                let jerk = |now: f64, before: f64| Ratio::new(((now - before) / step_s).abs(), 1.0);
                total.tangential_jerk += jerk(along, before_along);
                total.normal_jerk += jerk(across, before_across);
            }
            previous = Some((along, across));
            let size = acceleration.length();
            if total.worst.as_ref().is_none_or(|worst| size > worst.2) {
                total.worst = Some((row.agent.id.clone(), at, size));
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::metrics::grid::Grid;
    use crate::metrics::grid::tests::scene_of;
    use crate::scene::{Agent, AgentKind, State, Track};

    #[test]
    fn constant_braking_counts_only_along_the_heading() {
        // x = 20 t − t²: −2 m/s² throughout, no change, nothing across
        let states = (0..101).map(|frame| {
            let t = 0.1 * f64::from(frame);
            Some(State::along(
                Pose::at(20.0 * t - t * t, 0.0, 0.0),
                20.0 - 2.0 * t,
            ))
        });
        let agent = Agent::new("a", AgentKind::Vehicle, Track::new(states.collect()));
        let scene = scene_of(vec![agent]);
        let samples = Samples::of_traffic(&scene, &Grid::half_seconds(&scene));
        let found = instability(&samples);
        // positions are rounded to 1e-4 m: 4e-4 / 0.25 s² at most
        assert!((found.tangential.value().unwrap() - 2.0).abs() < 2e-3);
        assert!(found.normal.value().unwrap() < 1e-9);
        assert!((found.value().unwrap() - 0.5).abs() < 4e-3); // (2 + 0 + 0 + 0) / 4
    }
}
