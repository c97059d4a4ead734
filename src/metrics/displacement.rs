//! Displacement from the log: ADE, and minADE over samples.

use std::collections::BTreeMap;

use super::grid::Samples;
use super::interval::Ratio;
use crate::scene::AgentId;

/// How far one agent ends up from its log.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentDisplacement {
    /// Who.
    pub agent: AgentId,
    /// Sum of the displacements over the counted times, m.
    pub sum_m: f64,
    /// Number of counted times.
    pub count: usize,
    /// Largest displacement, m.
    pub worst_m: f64,
    /// Position of the largest one in the grid.
    pub worst_at: usize,
    /// Displacement at the last counted time, m.
    pub final_m: f64,
    /// Whether the log travels more than 2 m from the present to its last valid time.
    pub moving: bool,
}

impl AgentDisplacement {
    /// Mean displacement, m.
    pub fn mean_m(&self) -> f64 {
        self.sum_m / self.count.max(1) as f64
    }

    /// As part of a pooled mean over points.
    pub fn ratio(&self) -> Ratio {
        Ratio::new(self.sum_m, self.count as f64)
    }
}

/// Displacements of the judged agents of `result` from `log` after the present, by agent.
///
/// `skip(agent, position)` leaves out tokens that were given (goals, kept tokens). Times at which either is
/// invalid do not count; agents without a counted time are left out. Both samples share one grid.
pub fn displacements(
    result: &Samples,
    log: &Samples,
    skip: impl Fn(&AgentId, usize) -> bool,
) -> Vec<AgentDisplacement> {
    let mut found = Vec::new();
    for (_, row) in result.judged_with_future() {
        let Some(truth) = log.row(&row.agent.id) else {
            continue;
        };
        let mut item = AgentDisplacement {
            agent: row.agent.id.clone(),
            sum_m: 0.0,
            count: 0,
            worst_m: 0.0,
            worst_at: result.grid.present,
            final_m: 0.0,
            moving: truth.displacement_m(&log.grid) > 2.0,
        };
        for at in result.grid.future() {
            let (Some(state), Some(true_state)) = (&row.states[at], &truth.states[at]) else {
                continue;
            };
            if skip(&row.agent.id, at) {
                continue;
            }
            let distance = state.position.distance(true_state.position);
            item.sum_m += distance;
            item.count += 1;
            item.final_m = distance;
            if distance > item.worst_m {
                (item.worst_m, item.worst_at) = (distance, at);
            }
        }
        if item.count > 0 {
            found.push(item);
        }
    }
    found
}

/// Marginal minADE: each agent takes its own best sample; pooled over points.
pub fn marginal_min_ade(samples: &[Vec<AgentDisplacement>]) -> Ratio {
    let mut best: BTreeMap<&AgentId, &AgentDisplacement> = BTreeMap::new();
    for item in samples.iter().flatten() {
        let held = best.entry(&item.agent).or_insert(item);
        if item.mean_m() < held.mean_m() {
            *held = item;
        }
    }
    best.values().fold(Ratio::default(), |mut all, item| {
        all += item.ratio();
        all
    })
}

/// Joint minADE: one sample is best for the whole scene; pooled over points.
pub fn joint_min_ade(samples: &[Vec<AgentDisplacement>]) -> Ratio {
    let pooled = samples.iter().map(|sample| {
        sample.iter().fold(Ratio::default(), |mut all, item| {
            all += item.ratio();
            all
        })
    });
    pooled
        .filter(|ratio| ratio.count > 0.0)
        .min_by(|a, b| (a.sum / a.count).total_cmp(&(b.sum / b.count)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::grid::Grid;
    use crate::metrics::grid::tests::{driver, scene_of};

    fn found(result: &crate::scene::Scene, log: &crate::scene::Scene) -> Vec<AgentDisplacement> {
        let grid = Grid::half_seconds(log);
        displacements(
            &Samples::of_traffic(result, &grid),
            &Samples::of_traffic(log, &grid),
            |_, at| at == 20,
        )
    }

    #[test]
    fn two_metres_aside_are_an_ade_of_two() {
        let log = scene_of(vec![driver("a", (0.0, 0.0, 0.0), 5.0, 101)]);
        let result = scene_of(vec![driver("a", (0.0, 2.0, 0.0), 5.0, 101)]);
        let found = found(&result, &log);
        assert_eq!(found[0].count, 15); // 16 future tokens, one skipped
        assert!((found[0].mean_m() - 2.0).abs() < 1e-9 && found[0].moving);
    }

    #[test]
    fn marginal_takes_the_best_per_agent_and_joint_the_best_scene() {
        let item = |agent: &str, mean: f64| AgentDisplacement {
            agent: AgentId::new(agent),
            sum_m: mean * 4.0,
            count: 4,
            worst_m: mean,
            worst_at: 0,
            final_m: mean,
            moving: true,
        };
        let samples = [
            vec![item("a", 1.0), item("b", 5.0)],
            vec![item("a", 3.0), item("b", 2.0)],
        ];
        // marginal: (1 + 2) / 2; joint: min((1 + 5) / 2, (3 + 2) / 2)
        assert_eq!(marginal_min_ade(&samples).value(), Some(1.5));
        assert_eq!(joint_min_ade(&samples).value(), Some(2.5));
    }
}
