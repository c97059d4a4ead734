//! Roads: lanes, painted lines, areas, and a spatial index over the lanes. Immutable once built and shared as
//! `Arc<Map>`; knows no agents and no time (signal states over time are the scene's).

mod index;
mod lane;

use std::collections::BTreeMap;

use rstar::AABB;
use rstar::RTree;

use crate::geometry::DVec2;
pub use index::LaneHit;
use index::LaneSegment;
pub use lane::{Area, AreaKind, Extra, Lane, LaneId, LaneKind, Line, LineKind, StopSign};

/// No lane is taken to be wider than this, m.
const WIDEST_M: f64 = 12.0;

/// A road network in the scene's frame (m). Ids are unique per kind; references may dangle outwards
/// (files are often cut out of larger maps) and are then ignored by the queries.
#[derive(Debug, Clone, Default)]
pub struct Map {
    lanes: Vec<Lane>,
    lines: Vec<Line>,
    areas: Vec<Area>,
    stop_signs: Vec<StopSign>,
    extra: Extra,
    by_id: BTreeMap<LaneId, usize>,
    tree: RTree<LaneSegment>,
}

/// The parts a [`Map`] is built from.
#[derive(Debug, Clone, Default)]
pub struct MapParts {
    /// Lanes in file order.
    pub lanes: Vec<Lane>,
    /// Painted lines, road edges.
    pub lines: Vec<Line>,
    /// Crossings, drivable areas and the like.
    pub areas: Vec<Area>,
    /// Stop signs.
    pub stop_signs: Vec<StopSign>,
    /// Fields of the scene file we do not know.
    pub extra: Extra,
}

impl Map {
    /// Indexes the parts. A later lane with an id already taken is dropped.
    pub fn build(parts: MapParts) -> Self {
        let mut lanes: Vec<Lane> = Vec::with_capacity(parts.lanes.len());
        let mut by_id = BTreeMap::new();
        for lane in parts.lanes {
            if !by_id.contains_key(&lane.id) {
                by_id.insert(lane.id.clone(), lanes.len());
                lanes.push(lane);
            }
        }
        let segments = lanes
            .iter()
            .enumerate()
            .flat_map(|(index, lane)| LaneSegment::of_lane(index, lane))
            .collect();
        Self {
            tree: RTree::bulk_load(segments),
            lanes,
            lines: parts.lines,
            areas: parts.areas,
            stop_signs: parts.stop_signs,
            extra: parts.extra,
            by_id,
        }
    }

    /// Lanes in file order.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Painted lines and road edges.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Crossings, drivable areas and the like.
    pub fn areas(&self) -> &[Area] {
        &self.areas
    }

    /// Stop signs.
    pub fn stop_signs(&self) -> &[StopSign] {
        &self.stop_signs
    }

    /// Fields of the scene file we do not know.
    pub fn extra(&self) -> &Extra {
        &self.extra
    }

    /// True if there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.lines.is_empty() && self.areas.is_empty()
    }

    /// The lane with this id.
    pub fn lane(&self, id: &LaneId) -> Option<&Lane> {
        self.lane_index(id).map(|index| &self.lanes[index])
    }

    /// Position of a lane in [`Map::lanes`].
    pub fn lane_index(&self, id: &LaneId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The nearest point of any lane within `reach` metres of `point`, each lane at most once, nearest first.
    pub fn lanes_near(&self, point: DVec2, reach: f64) -> Vec<LaneHit> {
        let window = AABB::from_corners(
            [point.x - reach, point.y - reach],
            [point.x + reach, point.y + reach],
        );
        let mut nearest: BTreeMap<usize, LaneHit> = BTreeMap::new();
        for segment in self.tree.locate_in_envelope_intersecting(window) {
            let hit = segment.hit(point);
            if hit.offset.abs() <= reach
                && nearest
                    .get(&segment.lane)
                    .is_none_or(|old| hit.offset.abs() < old.offset.abs())
            {
                nearest.insert(segment.lane, hit);
            }
        }
        let mut hits: Vec<LaneHit> = nearest.into_values().collect();
        hits.sort_by(|a, b| a.offset.abs().total_cmp(&b.offset.abs()));
        hits
    }

    /// The lane that best carries something at `point` heading along `heading`: least distance plus 1.5 m per
    /// unit of 1 − cos(heading difference). Lanes an agent of that kind does not drive on are up to `accept`.
    pub fn lane_for(
        &self,
        point: DVec2,
        heading: f64,
        reach: f64,
        accept: impl Fn(&Lane) -> bool,
    ) -> Option<LaneHit> {
        self.lanes_near(point, reach)
            .into_iter()
            .filter(|hit| accept(&self.lanes[hit.lane]))
            .min_by(|a, b| a.cost(heading).total_cmp(&b.cost(heading)))
    }

    /// The lane that `point` lies in, of those up to `accept`: lanes with through traffic go before shoulders and the like,
    /// then counts what [`Map::lane_for`] does. `None` if it lies in none.
    pub fn lane_around(
        &self,
        point: DVec2,
        heading: f64,
        accept: impl Fn(&Lane) -> bool,
    ) -> Option<LaneHit> {
        let aside = |hit: &LaneHit| self.lanes[hit.lane].kind == LaneKind::Other;
        self.lanes_near(point, WIDEST_M / 2.0)
            .into_iter()
            .filter(|hit| {
                let lane = &self.lanes[hit.lane];
                accept(lane) && hit.offset.abs() <= lane.width_or_default() / 2.0
            })
            .min_by(|a, b| {
                let costs = || a.cost(heading).total_cmp(&b.cost(heading));
                aside(a).cmp(&aside(b)).then_with(costs)
            })
    }

    /// Smallest axis-aligned rectangle around everything, (low, high); `None` for an empty map.
    pub fn bounds(&self) -> Option<(DVec2, DVec2)> {
        let lanes = self.lanes.iter().flat_map(|lane| lane.centreline.points());
        let lines = self.lines.iter().flat_map(|line| line.points.iter());
        let areas = self.areas.iter().flat_map(|area| area.polygon.iter());
        lanes.chain(lines).chain(areas).fold(None, |all, &point| {
            let (low, high) = all.unwrap_or((point, point));
            Some((low.min(point), high.max(point)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Polyline, dvec2};

    fn two_way_road() -> Map {
        let lane = |id: &str, from: DVec2, to: DVec2| {
            Lane::new(id, LaneKind::Street, Polyline::new([from, to]).unwrap())
        };
        Map::build(MapParts {
            lanes: vec![
                lane("east", dvec2(0.0, 0.0), dvec2(100.0, 0.0)),
                lane("west", dvec2(100.0, 3.5), dvec2(0.0, 3.5)),
                lane("east", dvec2(0.0, 9.0), dvec2(1.0, 9.0)),
            ],
            ..MapParts::default()
        })
    }

    #[test]
    fn a_repeated_lane_id_is_dropped() {
        assert_eq!(two_way_road().lanes().len(), 2);
    }

    #[test]
    fn nearby_lanes_come_nearest_first() {
        let map = two_way_road();
        let hits = map.lanes_near(dvec2(40.0, 1.0), 5.0);
        let found: Vec<_> = hits.iter().map(|hit| (hit.lane, hit.offset)).collect();
        // 1 m left of the eastbound lane; 2.5 m from the westbound lane, on the left of its travel
        assert_eq!(found, [(0, 1.0), (1, 2.5)]);
        assert!((hits[0].s - 40.0).abs() < 1e-9 && (hits[1].s - 60.0).abs() < 1e-9);
    }

    #[test]
    fn heading_decides_between_opposite_lanes() {
        let map = two_way_road();
        let point = dvec2(50.0, 1.6); // 1.6 m against 1.9 m: the other direction costs 3 m
        let facing_west = map.lane_for(point, std::f64::consts::PI, 5.0, |_| true);
        assert_eq!(facing_west.map(|hit| hit.lane), Some(1));
    }
}
