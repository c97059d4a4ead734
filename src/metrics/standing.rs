//! Cars that stand in the log and must go on standing.

use super::grid::Samples;
use crate::scene::AgentId;

/// A standing car and how far it went.
#[derive(Debug, Clone, PartialEq)]
pub struct StandingCar {
    /// Who.
    pub agent: AgentId,
    /// Largest distance from its present place, m.
    pub moved_m: f64,
    /// Position in the grid of that distance.
    pub at: usize,
}

impl StandingCar {
    /// Whether it counts as moving: more than 1 m.
    pub fn moves(&self) -> bool {
        self.moved_m > 1.0
    }
}

/// Judged agents slower than 0.3 m/s at the present that end within 0.5 m in the log, with how far the result
/// moves them.
pub fn standing_cars(result: &Samples, log: &Samples) -> Vec<StandingCar> {
    let mut found = Vec::new();
    for (_, row) in result.judged_with_future() {
        let (Some(truth), Some(present)) = (
            log.row(&row.agent.id),
            row.states[result.grid.present].as_ref(),
        ) else {
            continue;
        };
        if present.speed() >= 0.3 || truth.displacement_m(&log.grid) >= 0.5 {
            continue;
        }
        let mut item = StandingCar {
            agent: row.agent.id.clone(),
            moved_m: 0.0,
            at: result.grid.present,
        };
        for at in result.grid.future() {
            if let Some(state) = &row.states[at] {
                let moved = state.position.distance(present.position);
                if moved > item.moved_m {
                    (item.moved_m, item.at) = (moved, at);
                }
            }
        }
        found.push(item);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::grid::Grid;
    use crate::metrics::grid::tests::{driver, scene_of};

    #[test]
    fn creeping_away_is_noticed_and_driving_is_not_standing() {
        let log = scene_of(vec![
            driver("parked", (0.0, 0.0, 0.0), 0.0, 101),
            driver("drives", (0.0, 5.0, 0.0), 4.0, 101),
        ]);
        // 0.2 m/s for 8 s: 1.6 m
        let creep = scene_of(vec![
            driver("parked", (-0.4, 0.0, 0.0), 0.2, 101),
            driver("drives", (0.0, 5.0, 0.0), 4.0, 101),
        ]);
        let grid = Grid::half_seconds(&log);
        let found = standing_cars(
            &Samples::of_traffic(&creep, &grid),
            &Samples::of_traffic(&log, &grid),
        );
        assert_eq!(found.len(), 1);
        assert!((found[0].moved_m - 1.6).abs() < 1e-9 && found[0].moves());
    }
}
