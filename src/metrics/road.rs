//! R_road: who leaves the road.

use super::grid::{Row, Samples};
use crate::geometry::{DVec2, polygon_contains};
use crate::map::{AreaKind, LaneHit, Map};
use crate::scene::{AgentId, State};

/// When an agent counts as off the road.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoadRule {
    /// Distance of the box centre from the nearest centreline of a vehicle lane that is still on the road, m.
    pub threshold_m: f64,
    /// Count only times at which the log is on the road itself: maps are often incomplete beside parked cars.
    pub only_where_log_is_on: bool,
}

impl Default for RoadRule {
    fn default() -> Self {
        Self {
            threshold_m: 3.0,
            only_where_log_is_on: true,
        }
    }
}

/// An agent that leaves the road.
#[derive(Debug, Clone, PartialEq)]
pub struct OffRoad {
    /// Who.
    pub agent: AgentId,
    /// First counted position in the grid.
    pub at: usize,
    /// Scene frame of it.
    pub frame: usize,
    /// Distance from the nearest centreline then, m; infinite beyond 30 m.
    pub distance_m: f64,
}

/// Reach of the search for a centreline, m.
const REACH_M: f64 = 30.0;

/// Distance from `point` to the nearest centreline of a lane for vehicles, m, with that lane; `None` beyond 30 m.
pub fn lane_distance(map: &Map, point: DVec2) -> Option<LaneHit> {
    for reach in [4.0, REACH_M] {
        let hit = map
            .lanes_near(point, reach)
            .into_iter()
            .find(|hit| map.lanes()[hit.lane].carries_vehicles());
        if hit.is_some() {
            return hit;
        }
    }
    None
}

/// Whether `point` lies ahead of the tip of a lane that nothing continues: past the edge of what the file maps, where
/// nobody can say what is road. Widens by one metre sideways for two ahead.
pub fn beyond_the_map(map: &Map, point: DVec2) -> bool {
    let Some(hit) = lane_distance(map, point) else {
        return false;
    };
    let lane = &map.lanes()[hit.lane];
    if hit.s < lane.centreline.length() - 1e-6 {
        return false;
    }
    let continued = lane.successors.iter().any(|id| map.lane(id).is_some())
        || map
            .lanes_near(lane.centreline.end(), 1.0)
            .iter()
            .any(|near| {
                near.lane != hit.lane && near.s < map.lanes()[near.lane].centreline.length() - 1.0
            });
    let tip = lane.centreline.pose_at(lane.centreline.length());
    let local = tip.local_from_outer(point);
    !continued && local.x > 0.0 && local.y.abs() <= 3.0 + local.x / 2.0
}

/// Whether a drivable area, junction or driveway of the map holds the point; false where the map has none.
pub fn on_drivable_area(map: &Map, point: DVec2) -> bool {
    map.areas().iter().any(|area| {
        matches!(
            area.kind,
            AreaKind::Drivable | AreaKind::Junction | AreaKind::Driveway
        ) && polygon_contains(&area.polygon, point)
    })
}

/// Judged agents that start on the road and leave it after the present, and how many start on it: numerator and
/// denominator of R_road. Pedestrians are not judged here whatever the samples say.
pub fn off_road(
    map: &Map,
    result: &Samples,
    log: &Samples,
    rule: RoadRule,
) -> (Vec<OffRoad>, usize) {
    let distance = |state: &State| {
        lane_distance(map, state.position).map_or(f64::INFINITY, |hit| hit.offset.abs())
    };
    let on = |state: Option<&State>| state.is_some_and(|state| distance(state) <= rule.threshold_m);
    let mut found = Vec::new();
    let mut starters = 0;
    for (_, row) in result.judged_with_future() {
        if row.agent.kind == crate::scene::AgentKind::Pedestrian
            || !on(row.states[result.grid.present].as_ref())
        {
            continue;
        }
        starters += 1;
        let truth: Option<&Row> = log.row(&row.agent.id);
        let within = |at: &usize| {
            let state = row.states[*at].as_ref();
            !state.is_some_and(|state| beyond_the_map(map, state.position))
        };
        let leaves = result.grid.future().take_while(within).find_map(|at| {
            let state = row.states[at].as_ref()?;
            let away = distance(state);
            let counted = !rule.only_where_log_is_on
                || truth.is_some_and(|truth| on(truth.states[at].as_ref()));
            (away > rule.threshold_m && counted).then_some((at, away))
        });
        if let Some((at, distance_m)) = leaves {
            found.push(OffRoad {
                agent: row.agent.id.clone(),
                at,
                frame: result.frame(at),
                distance_m,
            });
        }
    }
    (found, starters)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::geometry::{Polyline, dvec2};
    use crate::map::{Lane, LaneKind, MapParts};
    use crate::metrics::grid::Grid;
    use crate::metrics::grid::tests::{driver, scene_of};
    use std::sync::Arc;

    /// One lane along the x axis from −100 to 300 m.
    pub(crate) fn straight_road() -> Arc<Map> {
        let line = Polyline::new([dvec2(-100.0, 0.0), dvec2(300.0, 0.0)]).unwrap();
        Arc::new(Map::build(MapParts {
            lanes: vec![Lane::new("east", LaneKind::Street, line)],
            ..MapParts::default()
        }))
    }

    #[test]
    fn past_the_tip_of_a_dead_end_nothing_is_known() {
        let map = straight_road(); // ends at (300, 0), heading east
        assert!(beyond_the_map(&map, dvec2(310.0, 1.0)));
        assert!(!beyond_the_map(&map, dvec2(290.0, 8.0))); // beside the road
        assert!(!beyond_the_map(&map, dvec2(302.0, 9.0))); // 9 m aside, 3 + 2 / 2 = 4 m are allowed
        assert!(!beyond_the_map(&map, dvec2(-110.0, 0.0))); // before the start: driving backwards
    }

    #[test]
    fn drifting_off_is_counted_where_the_log_stays_on() {
        let map = straight_road();
        let log = scene_of(vec![
            driver("a", (0.0, 0.0, 0.0), 10.0, 101),
            driver("parked", (0.0, 6.0, 0.0), 0.0, 101),
        ]);
        // y = 10 t sin(0.05): passes 3 m when t = 3 / 0.49979 = 6.003 s, first half second after that is 6.5 s
        let drift = scene_of(vec![
            driver("a", (0.0, 0.0, 0.05), 10.0, 101),
            driver("parked", (0.0, 6.0, 0.0), 0.0, 101),
        ]);
        let grid = Grid::half_seconds(&log);
        let (found, starters) = off_road(
            &map,
            &Samples::of_traffic(&drift, &grid),
            &Samples::of_traffic(&log, &grid),
            RoadRule::default(),
        );
        assert_eq!((found.len(), starters), (1, 1)); // the parked car does not start on the road
        assert_eq!(found[0].frame, 65);
    }

    #[test]
    fn a_drift_shared_with_the_log_is_not_the_results_fault() {
        let map = straight_road();
        let drift = scene_of(vec![driver("a", (0.0, 0.0, 0.05), 10.0, 101)]);
        let grid = Grid::half_seconds(&drift);
        let samples = Samples::of_traffic(&drift, &grid);
        let rule = |only_where_log_is_on| RoadRule {
            only_where_log_is_on,
            ..RoadRule::default()
        };
        assert_eq!(off_road(&map, &samples, &samples, rule(true)).0.len(), 0);
        assert_eq!(off_road(&map, &samples, &samples, rule(false)).0.len(), 1);
    }
}
