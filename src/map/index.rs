//! Lane segments in an R-tree.

use rstar::{AABB, RTreeObject};

use super::Lane;
use crate::geometry::{DVec2, Pose};

/// A lane met near some point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaneHit {
    /// Position in [`crate::map::Map::lanes`].
    pub lane: usize,
    /// Arc length along the centreline, m.
    pub s: f64,
    /// Signed distance, m, positive if the point lies left of the direction of travel.
    pub offset: f64,
    /// Nearest point of the centreline with its direction of travel.
    pub pose: Pose,
}

impl LaneHit {
    /// How badly the lane carries something that heads along `heading`, rad: distance, m, plus 1.5 m per unit of
    /// 1 − cos(heading difference).
    pub(super) fn cost(&self, heading: f64) -> f64 {
        self.offset.abs() + 1.5 * (1.0 - (self.pose.heading - heading).cos())
    }
}

/// One straight piece of a centreline.
#[derive(Debug, Clone)]
pub(super) struct LaneSegment {
    pub(super) lane: usize,
    s: f64,
    from: DVec2,
    to: DVec2,
}

impl LaneSegment {
    pub(super) fn of_lane(index: usize, lane: &Lane) -> impl Iterator<Item = Self> + '_ {
        let line = &lane.centreline;
        line.points()
            .windows(2)
            .zip(line.arc())
            .map(move |(ends, &s)| Self {
                lane: index,
                s,
                from: ends[0],
                to: ends[1],
            })
    }

    pub(super) fn hit(&self, point: DVec2) -> LaneHit {
        let edge = self.to - self.from;
        let along = ((point - self.from).dot(edge) / edge.length_squared()).clamp(0.0, 1.0);
        let nearest = self.from + edge * along;
        let side = if edge.perp_dot(point - self.from) < 0.0 {
            -1.0
        } else {
            1.0
        };
        LaneHit {
            lane: self.lane,
            s: self.s + along * edge.length(),
            offset: side * nearest.distance(point),
            pose: Pose::new(nearest, edge.to_angle()),
        }
    }
}

impl RTreeObject for LaneSegment {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_corners([self.from.x, self.from.y], [self.to.x, self.to.y])
    }
}
