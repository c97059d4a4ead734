//! Routes: the roads through waypoints, and places along them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::motion::ON_LANE_M;
use super::play::Player;
use super::story::waypoints;
use crate::data::opendrive::parts;
use crate::data::xml::Element;
use crate::geometry::{Pose, angle_between, dvec2};
use crate::map::{Lane, LaneId};

/// Most lanes that are looked at between two waypoints, and most that a way along a route has.
const MOST_LANES: usize = 20_000;
const MOST_HOPS: usize = 1_000;

/// Road and section of a lane.
pub(super) fn lane_section(lane: &LaneId) -> Option<(&str, usize)> {
    parts(lane).map(|(road, section, _)| (road, section))
}

impl Player<'_> {
    /// The lane that follows on one: of several on a road of the route, else the straightest.
    pub(super) fn lane_after(&self, lane: usize, route: &BTreeSet<String>) -> Option<usize> {
        let lanes = self.map.lanes();
        let line = &lanes[lane].centreline;
        let heading = line.pose_at(line.length()).heading;
        let cost = |next: &usize| {
            let on = parts(&lanes[*next].id).is_some_and(|(road, ..)| route.contains(road));
            let turn = angle_between(heading, lanes[*next].centreline.pose_at(0.0).heading).abs();
            if on { turn } else { turn + 10.0 }
        };
        let next = lanes[lane]
            .successors
            .iter()
            .filter_map(|id| self.map.lane_index(id));
        next.min_by(|a, b| cost(a).total_cmp(&cost(b)))
    }

    /// The roads on the shortest way (in lanes) through positions.
    pub(super) fn route(&self, positions: &[Element]) -> BTreeSet<String> {
        let lanes: Vec<usize> = positions
            .iter()
            .filter_map(|place| self.lane_at(place))
            .collect();
        let mut roads = BTreeSet::new();
        for pair in lanes.windows(2) {
            for lane in self.between(pair[0], pair[1]) {
                roads.extend(parts(&self.map.lanes()[lane].id).map(|(road, ..)| road.to_owned()));
            }
        }
        roads
    }

    /// The lane that a position lies on.
    fn lane_at(&self, position: &Element) -> Option<usize> {
        let pose = self.place(position)?.pose;
        let hit = self
            .map
            .lane_for(pose.point, pose.heading, ON_LANE_M, Lane::carries_vehicles)?;
        Some(hit.lane)
    }

    /// Lanes from one to another, with their ends, over successors; both alone where there is no way. Lanes beside each other
    /// count as one: a waypoint names a road rather than a lane.
    fn between(&self, from: usize, to: usize) -> Vec<usize> {
        let lanes = self.map.lanes();
        let same_road = |lane: usize| {
            lane == to || lane_section(&lanes[lane].id) == lane_section(&lanes[to].id)
        };
        let mut before: BTreeMap<usize, usize> = BTreeMap::new();
        let mut open = VecDeque::from([from]);
        while let Some(lane) = open.pop_front() {
            if same_road(lane) {
                let mut way = vec![lane];
                let mut at = lane;
                while let Some(&earlier) = before.get(&at).filter(|_| at != from) {
                    way.push(earlier);
                    at = earlier;
                }
                return way;
            }
            let beside = [&lanes[lane].left_neighbour, &lanes[lane].right_neighbour];
            let next = lanes[lane]
                .successors
                .iter()
                .chain(beside.into_iter().flatten());
            for next in next.filter_map(|id| self.map.lane_index(id)) {
                if next != from && !before.contains_key(&next) && before.len() < MOST_LANES {
                    before.insert(next, lane);
                    open.push_back(next);
                }
            }
        }
        vec![from, to]
    }

    /// A `<RoutePosition>` in lane coordinates: so far along the route from its first waypoint, on a lane by its number. `None`
    /// for other coordinates.
    pub(super) fn on_route(&self, position: &Element) -> Option<Pose> {
        let positions = waypoints(position.child("RouteRef")?.child("Route")?);
        let within = position.child("InRoutePosition")?;
        let roads = self.route(&positions);
        let start = self.place(positions.first()?)?.pose;
        let from = within.child("FromLaneCoordinates")?;
        let along = from.number_attribute("pathS")?;
        let lanes = self.map.lanes();
        let (road, section, own) = parts(&lanes[self.lane_at(positions.first()?)?].id)?;
        let number = from
            .attribute("laneId")
            .map_or(Some(own), |text| text.trim().parse().ok())?;
        let mut lane = self
            .map
            .lane_index(&LaneId::new(format!("{road}.{section}.{number}")))?;
        let mut s = lanes[lane].centreline.project(start.point).s + along;
        for _ in 0..MOST_HOPS {
            let length = lanes[lane].centreline.length();
            if s <= length {
                break;
            }
            s -= length;
            lane = self.lane_after(lane, &roads)?;
        }
        let left = from.number_attribute("laneOffset").unwrap_or(0.0);
        let pose = lanes[lane].centreline.pose_at(s);
        Some(Pose::new(
            pose.outer_from_local(dvec2(0.0, left)),
            pose.heading,
        ))
    }
}
