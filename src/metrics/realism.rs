//! A WOSAC-like realism score: how likely the log is under the distribution of several samples.
//!
//! Estimators, bins and weights of the Waymo Open Sim Agents Challenge 2024. What differs is said in the name
//! ("WOSAC-like") and here: the number of samples is the caller's, times are the caller's grid, and the distance
//! to the road edge is taken from the nearest centreline and its width, because few maps state edges.

use super::contact::struck;
use super::grid::{Grid, Row, Samples};
use super::road::{RoadRule, lane_distance, off_road};
use crate::geometry::angle_between;
use crate::map::Map;

/// One feature's likelihood.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// What is compared.
    pub name: &'static str,
    /// Share in the composite; all shares sum to 1.
    pub weight: f64,
    /// Mean likelihood of the log over agents, in [0, 1].
    pub likelihood: f64,
}

/// The composite with its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Realism {
    /// Number of samples compared.
    pub samples: usize,
    /// Number of agents.
    pub agents: usize,
    /// The parts, in the order of the challenge.
    pub features: Vec<Feature>,
}

impl Realism {
    /// Weighted sum of the likelihoods, in [0, 1].
    pub fn value(&self) -> f64 {
        let terms = self.features.iter();
        terms
            .map(|feature| feature.weight * feature.likelihood)
            .sum()
    }

    /// The score's honest name.
    pub fn label(&self) -> String {
        format!("WOSAC-like ({} samples)", self.samples)
    }
}

struct Histogram {
    name: &'static str,
    weight: f64,
    range: (f64, f64),
    bins: usize,
}

#[expect(clippy::approx_constant, reason = "the challenge's own bound is 3.14")]
const HISTOGRAMS: [Histogram; 7] = [
    histogram("linear speed", 0.05, (0.0, 25.0), 10),
    histogram("linear acceleration", 0.05, (-12.0, 12.0), 11),
    histogram("angular speed", 0.05, (-0.628, 0.628), 11),
    histogram("angular acceleration", 0.05, (-3.14, 3.14), 11),
    histogram("distance to nearest object", 0.10, (-5.0, 40.0), 10),
    histogram("time to collision", 0.10, (0.0, 5.0), 10),
    histogram("distance to road edge", 0.10, (-20.0, 40.0), 10),
];
const COLLISION_WEIGHT: f64 = 0.25;
const OFF_ROAD_WEIGHT: f64 = 0.25;
const PSEUDO_COUNT: f64 = 0.1;

const fn histogram(name: &'static str, weight: f64, range: (f64, f64), bins: usize) -> Histogram {
    Histogram {
        name,
        weight,
        range,
        bins,
    }
}

/// Realism of `samples` against `log` on one grid (use [`Grid::frames`]); `None` without samples or agents.
pub fn realism(map: &Map, samples: &[Samples], log: &Samples) -> Option<Realism> {
    let agents: Vec<usize> = log.judged_with_future().map(|(index, _)| index).collect();
    if samples.is_empty() || agents.is_empty() {
        return None;
    }
    let mut features = Vec::new();
    for (kind, shape) in HISTOGRAMS.iter().enumerate() {
        let mut sum = 0.0;
        let mut counted = 0.0;
        for &index in &agents {
            let truth = series(map, log, index, kind);
            let drawn: Vec<f64> = samples
                .iter()
                .filter_map(|sample| row_like(sample, &log.rows[index]))
                .flat_map(|(sample, row)| series(map, sample, row, kind))
                .collect();
            if let Some(likelihood) = histogram_likelihood(shape, &drawn, &truth) {
                sum += likelihood;
                counted += 1.0;
            }
        }
        features.push(Feature {
            name: shape.name,
            weight: shape.weight,
            likelihood: if counted > 0.0 { sum / counted } else { 0.0 },
        });
    }
    features.push(Feature {
        name: "collision",
        weight: COLLISION_WEIGHT,
        likelihood: bernoulli(samples, log, &agents, |side| {
            struck(side, true).into_keys().collect()
        }),
    });
    let rule = RoadRule {
        only_where_log_is_on: false,
        ..RoadRule::default()
    };
    features.push(Feature {
        name: "off-road",
        weight: OFF_ROAD_WEIGHT,
        likelihood: bernoulli(samples, log, &agents, |side| {
            off_road(map, side, side, rule)
                .0
                .into_iter()
                .map(|item| item.agent)
                .collect()
        }),
    });
    Some(Realism {
        samples: samples.len(),
        agents: agents.len(),
        features,
    })
}

fn row_like<'a>(sample: &'a Samples, row: &Row) -> Option<(&'a Samples, usize)> {
    let index = sample
        .rows
        .iter()
        .position(|other| other.agent.id == row.agent.id)?;
    Some((sample, index))
}

/// exp of the mean log-probability of `truth` under the smoothed histogram of `drawn`; steps are independent.
fn histogram_likelihood(shape: &Histogram, drawn: &[f64], truth: &[f64]) -> Option<f64> {
    if drawn.is_empty() || truth.is_empty() {
        return None;
    }
    let (low, high) = shape.range;
    let bin = |value: f64| {
        let share = (value.clamp(low, high) - low) / (high - low);
        ((share * shape.bins as f64) as usize).min(shape.bins - 1)
    };
    let mut counts = vec![PSEUDO_COUNT; shape.bins];
    for &value in drawn {
        counts[bin(value)] += 1.0;
    }
    let total: f64 = counts.iter().sum();
    let logs: f64 = truth
        .iter()
        .map(|&value| (counts[bin(value)] / total).ln())
        .sum();
    Some((logs / truth.len() as f64).exp())
}

fn bernoulli(
    samples: &[Samples],
    log: &Samples,
    agents: &[usize],
    hit: impl Fn(&Samples) -> Vec<crate::scene::AgentId>,
) -> f64 {
    let truth = hit(log);
    let drawn: Vec<Vec<_>> = samples.iter().map(&hit).collect();
    let sum: f64 = agents
        .iter()
        .map(|&index| {
            let id = &log.rows[index].agent.id;
            let happens = truth.contains(id);
            let agreeing = drawn.iter().filter(|hits| hits.contains(id) == happens);
            let count = agreeing.count() as f64;
            (count + PSEUDO_COUNT) / (drawn.len() as f64 + 2.0 * PSEUDO_COUNT)
        })
        .sum();
    sum / agents.len() as f64
}

/// Values of feature `kind` of one agent after the present.
fn series(map: &Map, samples: &Samples, index: usize, kind: usize) -> Vec<f64> {
    let row = &samples.rows[index];
    let grid = &samples.grid;
    let values = grid.future().filter_map(|at| match kind {
        0 => speed(row, grid, at),
        1 => central(grid, at, |at| speed(row, grid, at)),
        2 => yaw_rate(row, grid, at),
        3 => central(grid, at, |at| yaw_rate(row, grid, at)),
        4 => nearest_object(samples, index, at),
        5 => time_to_collision(samples, index, at),
        _ => {
            let state = row.states[at].as_ref()?;
            let hit = lane_distance(map, state.position)?;
            Some(hit.offset.abs() - map.lanes()[hit.lane].width_or_default() / 2.0)
        }
    });
    values.collect()
}

fn central(grid: &Grid, at: usize, of: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    let (before, after) = (at.checked_sub(1)?, at + 1);
    let span = grid.times_s.get(after)? - grid.times_s[before];
    Some((of(after)? - of(before)?) / span)
}

fn speed(row: &Row, grid: &Grid, at: usize) -> Option<f64> {
    let (before, after) = (at.checked_sub(1)?, at + 1);
    let (from, to) = (
        row.states[before]?,
        row.states.get(after).copied().flatten()?,
    );
    Some(from.position.distance(to.position) / (grid.times_s[after] - grid.times_s[before]))
}

fn yaw_rate(row: &Row, grid: &Grid, at: usize) -> Option<f64> {
    let (before, after) = (at.checked_sub(1)?, at + 1);
    let (from, to) = (
        row.states[before]?,
        row.states.get(after).copied().flatten()?,
    );
    Some(angle_between(from.heading, to.heading) / (grid.times_s[after] - grid.times_s[before]))
}

/// Signed distance to the nearest other box, m: negative by the depth of an overlap; `None` without others.
fn nearest_object(samples: &Samples, index: usize, at: usize) -> Option<f64> {
    let footprint = samples.rows[index].footprint(at)?;
    let others = samples.rows.iter().enumerate();
    others
        .filter(|&(other, _)| other != index)
        .filter_map(|(_, row)| row.footprint(at))
        .map(|other| {
            let between = footprint.pose.point.distance(other.pose.point);
            let rough = between - footprint.radius() - other.radius();
            if rough > 40.0 {
                return rough;
            }
            let depth = footprint.penetration(&other);
            if depth > 0.0 {
                -depth
            } else {
                footprint.distance(&other)
            }
        })
        .min_by(f64::total_cmp)
}

/// Seconds until the agent reaches the rear of the one it follows at present speeds, at most 5: followed is who is
/// ahead, within the width, and heads within 75°.
fn time_to_collision(samples: &Samples, index: usize, at: usize) -> Option<f64> {
    const LONGEST: f64 = 5.0;
    let row = &samples.rows[index];
    let state = row.states[at].as_ref()?;
    let own_speed = state.speed();
    let mut least = LONGEST;
    for (other, followed) in samples.rows.iter().enumerate() {
        let Some(there) = followed.states[at].as_ref() else {
            continue;
        };
        let local = state.pose().local_from_outer(there.position);
        let gap = local.x - (row.agent.length + followed.agent.length) / 2.0;
        let aside = local.y.abs() - (row.agent.width + followed.agent.width) / 2.0;
        let turn = angle_between(state.heading, there.heading)
            .abs()
            .to_degrees();
        if other == index || gap < 0.0 || aside > 0.0 || turn > 75.0 {
            continue;
        }
        let closing = own_speed - there.speed();
        if closing > 1e-3 {
            least = least.min(gap / closing);
        }
    }
    Some(least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::grid::tests::{driver, scene_of};
    use crate::metrics::road::tests::straight_road;

    fn samples(speed: f64) -> Samples {
        let scene = scene_of(vec![
            driver("a", (0.0, 0.0, 0.0), speed, 101),
            driver("b", (40.0, 0.0, 0.0), speed, 101),
        ]);
        Samples::of_traffic(&scene, &Grid::frames(&scene))
    }

    #[test]
    fn the_weights_sum_to_one_and_the_log_itself_scores_nearly_one() {
        let log = samples(8.0);
        let found = realism(&straight_road(), &vec![log.clone(); 8], &log).unwrap();
        let weights: f64 = found.features.iter().map(|feature| feature.weight).sum();
        assert!((weights - 1.0).abs() < 1e-12);
        assert_eq!(found.label(), "WOSAC-like (8 samples)");
        // histograms: 632 of 632 + 10 x 0.1 steps in the bin; Bernoulli: 8.1 / 8.2
        assert!(found.value() > 0.98, "{found:?}");
    }

    #[test]
    fn a_wrong_speed_costs_only_the_speed_and_what_follows_from_it() {
        let found = realism(&straight_road(), &[samples(14.0)], &samples(8.0)).unwrap();
        let of = |name| {
            let mut all = found.features.iter();
            all.find(|feature| feature.name == name)
                .map(|feature| feature.likelihood)
        };
        // the log's bin is empty: 0.1 / (78 or 79 steps + 1)
        assert!(of("linear speed").unwrap() < 0.002);
        assert!(of("distance to nearest object").unwrap() > 0.9);
    }
}
