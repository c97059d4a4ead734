//! Lane connections where a file gives none: a lane continues in those that start where it ends.

use std::collections::BTreeMap;

use super::report::Report;
use crate::geometry::{DVec2, angle_between};
use crate::map::{Lane, LaneId};

/// How near start and end must lie, m, and how far the directions may differ, rad.
const REACH_M: f64 = 0.6;
const MAX_TURN: f64 = 0.8;

/// Most lanes that may start in one cell; real maps have a handful.
const MAX_STARTS: usize = 64;

/// Fills successors and predecessors of a map in which no lane has any.
pub(super) fn connect(lanes: &mut [Lane], report: &mut Report) {
    let is_known = |lane: &Lane| !lane.successors.is_empty() || !lane.predecessors.is_empty();
    if lanes.iter().any(is_known) {
        return;
    }
    let cell = |point: DVec2| {
        let corner = (point / REACH_M).floor();
        (corner.x as i64, corner.y as i64)
    };
    let mut starts: BTreeMap<(i64, i64), Vec<usize>> = BTreeMap::new();
    for (index, lane) in lanes.iter().enumerate() {
        let here = starts.entry(cell(lane.centreline.start())).or_default();
        if here.len() < MAX_STARTS {
            here.push(index);
        }
    }
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (index, lane) in lanes.iter().enumerate() {
        let end = lane.centreline.end();
        let direction = lane.centreline.pose_at(lane.centreline.length()).heading;
        let (x, y) = cell(end);
        let around = (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (x + dx, y + dy)));
        for &other in around.filter_map(|cell| starts.get(&cell)).flatten() {
            let next = &lanes[other].centreline;
            let turn = angle_between(direction, next.pose_at(0.0).heading).abs();
            if other != index && next.start().distance(end) <= REACH_M && turn <= MAX_TURN {
                found.push((index, other));
            }
        }
    }
    if found.is_empty() {
        return;
    }
    let connections = match found.len() {
        1 => "1 connection was".to_owned(),
        some => format!("{some} connections were"),
    };
    report.note(format!(
        "the file does not say how lanes connect; {connections} found where lanes touch"
    ));
    let ids: Vec<LaneId> = lanes.iter().map(|lane| lane.id.clone()).collect();
    for (from, to) in found {
        lanes[from].successors.push(ids[to].clone());
        lanes[to].predecessors.push(ids[from].clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Polyline, dvec2};
    use crate::map::LaneKind;

    fn lane(id: &str, from: (f64, f64), to: (f64, f64)) -> Lane {
        let ends = [dvec2(from.0, from.1), dvec2(to.0, to.1)];
        Lane::new(id, LaneKind::Street, Polyline::new(ends).unwrap())
    }

    #[test]
    fn lanes_that_touch_end_to_start_are_connected() {
        let mut lanes = [
            lane("a", (0.0, 0.0), (10.0, 0.0)),
            lane("b", (10.3, 0.0), (20.0, 2.0)),
            lane("back", (10.0, 0.0), (0.0, 0.1)), // starts there, but turns by π
            lane("far", (12.0, 0.0), (20.0, 0.0)),
        ];
        let mut report = Report::default();
        connect(&mut lanes, &mut report);
        assert_eq!(lanes[0].successors, [LaneId::new("b")]);
        assert_eq!(lanes[1].predecessors, [LaneId::new("a")]);
        assert!(lanes[2].predecessors.is_empty() && lanes[3].predecessors.is_empty());
        assert_eq!(report.notes.len(), 1);
    }

    #[test]
    fn known_connections_are_left_alone() {
        let mut lanes = [
            lane("a", (0.0, 0.0), (10.0, 0.0)),
            lane("b", (10.0, 0.0), (20.0, 0.0)),
        ];
        lanes[1].successors.push(LaneId::new("c"));
        connect(&mut lanes, &mut Report::default());
        assert!(lanes[0].successors.is_empty());
    }
}
