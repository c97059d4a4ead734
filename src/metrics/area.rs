//! Where a footprint is: in one lane or across several, on what may be driven on, against the direction of travel.
//!
//! After NAVSIM's area flags, but that a lane and one it leads into count as one, as in nuPlan: whoever crosses their
//! joint straddles nothing. Maps here seldom hold drivable polygons throughout, so what may be driven on is what a
//! drivable area, a lane's own width, or the ground between a lane and the kerb covers; see [`Road::covers`].

use std::collections::BTreeMap;
use std::f64::consts::FRAC_PI_2;

use super::road::beyond_the_map;
use crate::geometry::{DVec2, OrientedBox, angle_between, polygon_contains};
use crate::map::{AreaKind, Lane, LaneHit, LineKind, Map};

/// Half of the extent that [`Road::near`] looks at, m.
const NEAR_M: f64 = 40.0;
/// Sideways tolerance of a lane's width when it is asked which lane holds a point, m.
const LANE_TOLERANCE_M: f64 = 0.1;
/// Sideways tolerance of what may be driven on, m (nuPlan's).
const ROAD_TOLERANCE_M: f64 = 0.3;
/// Ground between a lane's centreline and the kerb counts as drivable up to this distance, m: parking lanes, shoulders.
const KERB_REACH_M: f64 = 8.0;
/// Without any lane within this distance nothing is known of the road, m.
const KNOWN_M: f64 = 10.0;

/// The parts of a map that say where a vehicle may be, cut to a rectangle.
#[derive(Debug, Clone)]
pub struct Road<'a> {
    map: &'a Map,
    drivable: Vec<&'a [DVec2]>,
    junctions: Vec<&'a [DVec2]>,
    kerbs: Vec<[DVec2; 2]>,
    half_widths: BTreeMap<usize, f64>,
}

/// Where one footprint is (NAVSIM's ego areas).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AreaFlags {
    /// The corners touch more than one lane, and no single lane, nor one with a direct successor, holds all four.
    pub multiple_lanes: bool,
    /// A corner is on nothing that may be driven on.
    pub non_drivable: bool,
    /// The centre is in a lane of the opposite direction and in none of its own.
    pub oncoming: bool,
    /// The centre is inside a junction.
    pub in_junction: bool,
}

impl AreaFlags {
    /// Whether a side contact is held against the ego: it straddles lanes or leaves the road.
    pub fn astray(self) -> bool {
        self.multiple_lanes || self.non_drivable
    }
}

impl<'a> Road<'a> {
    /// The map within the rectangle from `low` to `high`, with some metres around it.
    pub fn around(map: &'a Map, low: DVec2, high: DVec2) -> Self {
        let (low, high) = (low - KERB_REACH_M - 4.0, high + KERB_REACH_M + 4.0);
        let meets = |points: &[DVec2]| {
            let (least, most) = points.iter().fold(
                (DVec2::INFINITY, DVec2::NEG_INFINITY),
                |(least, most), &point| (least.min(point), most.max(point)),
            );
            least.cmple(high).all() && most.cmpge(low).all()
        };
        let areas = |wanted: &dyn Fn(AreaKind) -> bool| -> Vec<&'a [DVec2]> {
            map.areas()
                .iter()
                .filter(|area| wanted(area.kind) && meets(&area.polygon))
                .map(|area| area.polygon.as_slice())
                .collect()
        };
        let kerbs = map
            .lines()
            .iter()
            .filter(|line| line.kind == LineKind::Edge && meets(&line.points))
            .flat_map(|line| line.points.windows(2))
            .filter(|ends| meets(ends))
            .map(|ends| [ends[0], ends[1]]);
        let lanes = map.lanes().iter().enumerate();
        let half_widths = lanes
            .filter(|(_, lane)| lane.carries_vehicles() && meets(lane.centreline.points()))
            .map(|(index, lane)| (index, lane.width_or_default() / 2.0));
        Self {
            map,
            half_widths: half_widths.collect(),
            drivable: areas(&|kind| {
                matches!(
                    kind,
                    AreaKind::Drivable | AreaKind::Junction | AreaKind::Driveway
                )
            }),
            junctions: areas(&|kind| kind == AreaKind::Junction),
            kerbs: kerbs.collect(),
        }
    }

    /// The map within 40 m of a point.
    pub fn near(map: &'a Map, point: DVec2) -> Self {
        Self::around(map, point - NEAR_M, point + NEAR_M)
    }

    /// Whether a vehicle may be at `point`: in a drivable area, junction or driveway; within a lane's width (3.5 m
    /// where not stated) and 0.3 m; or within 8 m of a lane's centreline with no kerb in between, on maps that have
    /// kerbs. True where nothing is known: past the end of the mapped road, or with no lane within 10 m and no
    /// drivable area near.
    pub fn covers(&self, point: DVec2) -> bool {
        let hits = self.lanes(point, KNOWN_M);
        if hits.is_empty() && self.drivable.is_empty() {
            return true;
        }
        let held = |hit: &LaneHit| {
            hit.offset.abs() <= self.half_width(hit) + ROAD_TOLERANCE_M
                || (!self.kerbs.is_empty()
                    && hit.offset.abs() <= KERB_REACH_M
                    && !self.kerb_between(hit.pose.point, point))
        };
        hits.iter().any(held)
            || self
                .drivable
                .iter()
                .any(|polygon| polygon_contains(polygon, point))
            || beyond_the_map(self.map, point)
    }

    /// Where a footprint is. Lanes are taken as wide as stated, else 3.5 m; with no lane within 10 m of the centre
    /// nothing is held against it.
    pub fn flags(&self, footprint: &OrientedBox) -> AreaFlags {
        let centre = footprint.pose.point;
        let near = self.lanes(centre, KNOWN_M);
        if near.is_empty() {
            return AreaFlags::default();
        }
        let holders = |point: DVec2| -> Vec<LaneHit> {
            let mut hits = self.lanes(point, 4.0);
            hits.retain(|hit| hit.offset.abs() <= self.half_width(hit) + LANE_TOLERANCE_M);
            hits
        };
        let corners = footprint.corners();
        let held = corners.map(holders);
        let hold_all = |lane: usize, joined: usize| {
            let holds = |hit: &LaneHit| hit.lane == lane || hit.lane == joined;
            held.iter().all(|hits| hits.iter().any(holds))
        };
        let lanes = self.map.lanes();
        let single = held.iter().flatten().any(|hit| {
            let Lane {
                successors,
                predecessors,
                ..
            } = &lanes[hit.lane];
            let mut joined = successors.iter().chain(predecessors);
            hold_all(hit.lane, hit.lane)
                || joined.any(|id| {
                    let joined = self.map.lane_index(id);
                    joined.is_some_and(|joined| hold_all(hit.lane, joined))
                })
        });
        let first = held.iter().flatten().next().map(|hit| hit.lane);
        let several = held.iter().flatten().any(|hit| Some(hit.lane) != first);
        let aligned = |hit: &LaneHit| {
            angle_between(hit.pose.heading, footprint.pose.heading).abs() <= FRAC_PI_2
        };
        let under = holders(centre);
        AreaFlags {
            multiple_lanes: !single && several,
            non_drivable: !single && corners.iter().any(|&corner| !self.covers(corner)),
            oncoming: !under.is_empty() && !under.iter().any(aligned),
            in_junction: under
                .iter()
                .any(|hit| self.map.lanes()[hit.lane].in_junction)
                || self
                    .junctions
                    .iter()
                    .any(|polygon| polygon_contains(polygon, centre)),
        }
    }

    fn lanes(&self, point: DVec2, reach: f64) -> Vec<LaneHit> {
        let mut hits = self.map.lanes_near(point, reach);
        hits.retain(|hit| self.map.lanes()[hit.lane].carries_vehicles());
        hits
    }

    fn half_width(&self, hit: &LaneHit) -> f64 {
        match self.half_widths.get(&hit.lane) {
            Some(&half) => half,
            None => self.map.lanes()[hit.lane].width_or_default() / 2.0,
        }
    }

    fn kerb_between(&self, from: DVec2, to: DVec2) -> bool {
        self.kerbs.iter().any(|&[a, b]| crosses([from, to], [a, b]))
    }
}

/// Whether two segments cross; touching ends may count either way.
fn crosses([a, b]: [DVec2; 2], [c, d]: [DVec2; 2]) -> bool {
    let side = |from: DVec2, to: DVec2, point: DVec2| (to - from).perp_dot(point - from);
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Polyline, Pose, dvec2};
    use crate::map::{LaneKind, Line, MapParts};

    /// An eastbound lane on the x axis and a westbound one 3.5 m to its left; a kerb 6 m to the right if asked for.
    fn road(kerb: bool) -> Map {
        let lane = |id: &str, from: f64, to: f64, y: f64| {
            let line = Polyline::new([dvec2(from, y), dvec2(to, y)]).unwrap();
            Lane::new(id, LaneKind::Street, line)
        };
        let edge = Line::new(
            LineKind::Edge,
            vec![dvec2(-100.0, -6.0), dvec2(100.0, -6.0)],
        );
        Map::build(MapParts {
            lanes: vec![
                lane("east", -100.0, 100.0, 0.0),
                lane("west", 100.0, -100.0, 3.5),
            ],
            lines: if kerb { vec![edge] } else { Vec::new() },
            ..MapParts::default()
        })
    }

    fn flags(map: &Map, y: f64, heading: f64) -> AreaFlags {
        let footprint = OrientedBox::new(Pose::at(0.0, y, heading), 4.0, 2.0);
        Road::near(map, footprint.pose.point).flags(&footprint)
    }

    #[test]
    fn a_car_in_its_lane_has_no_flag() {
        assert_eq!(flags(&road(false), 0.2, 0.0), AreaFlags::default());
    }

    #[test]
    fn corners_in_two_lanes_straddle() {
        // left corners at 1.2 + 1.0 = 2.2 m: in the westbound lane (1.75 to 5.25) only
        let found = flags(&road(false), 1.2, 0.0);
        assert!(found.multiple_lanes && !found.non_drivable && !found.oncoming);
    }

    #[test]
    fn the_joint_of_a_lane_and_its_successor_is_not_straddled_but_that_of_two_successors_is() {
        let lane = |id: &str, from: (f64, f64), to: (f64, f64)| {
            let line = Polyline::new([dvec2(from.0, from.1), dvec2(to.0, to.1)]).unwrap();
            Lane::new(id, LaneKind::Street, line)
        };
        // a fork at x = 0: straight on, and to the left on a slope of 1 : 2
        let mut lanes = vec![
            lane("in", (-100.0, 0.0), (0.0, 0.0)),
            lane("on", (0.0, 0.0), (100.0, 0.0)),
            lane("left", (0.0, 0.0), (100.0, 50.0)),
        ];
        for (from, to) in [(0, 1), (0, 2)] {
            let [before, after] = [from, to].map(|index: usize| lanes[index].id.clone());
            lanes[from].successors.push(after);
            lanes[to].predecessors.push(before);
        }
        let map = Map::build(MapParts {
            lanes,
            ..MapParts::default()
        });
        let flags = |x: f64, y: f64| {
            let footprint = OrientedBox::new(Pose::at(x, y, 0.0), 4.0, 2.0);
            Road::near(&map, footprint.pose.point).flags(&footprint)
        };
        assert!((-4..=4).all(|tenths| !flags(0.5 * f64::from(tenths), 0.0).multiple_lanes));
        // corners at y = 0.4 and 2.4 m from x = 3 m to 7 m: the right ones on the straight lane alone, the left ones
        // beyond its edge of 1.75 m
        assert!(flags(5.0, 1.4).multiple_lanes);
    }

    #[test]
    fn a_lane_of_the_other_direction_is_oncoming_only_against_its_direction() {
        assert!(flags(&road(false), 3.5, 0.0).oncoming);
        assert!(!flags(&road(false), 3.5, std::f64::consts::PI).oncoming);
    }

    #[test]
    fn without_a_kerb_the_lane_ends_the_road_and_with_one_the_kerb_does() {
        // right corners at −1.5 − 1.0 = −2.5 m: lane edge at −1.75 with 0.3 m to spare, kerb at −6
        assert!(flags(&road(false), -1.5, 0.0).non_drivable);
        assert!(!flags(&road(true), -1.5, 0.0).non_drivable);
        assert!(flags(&road(true), -5.5, 0.0).non_drivable); // corners at −6.5, behind the kerb
    }

    #[test]
    fn far_from_every_lane_nothing_is_held_against_anyone() {
        assert_eq!(flags(&road(true), -60.0, 0.0), AreaFlags::default());
    }
}
