//! The footprint of an agent: a rectangle with a pose.

use super::{DVec2, Pose, dvec2};

/// A rectangle centred on `pose`, `length` along its heading, `width` across (m).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrientedBox {
    /// Centre and heading.
    pub pose: Pose,
    /// Extent along the heading, m.
    pub length: f64,
    /// Extent across the heading, m.
    pub width: f64,
}

impl OrientedBox {
    /// A box of `length` by `width` metres centred on `pose`.
    pub fn new(pose: Pose, length: f64, width: f64) -> Self {
        Self {
            pose,
            length,
            width,
        }
    }

    /// Corners counter-clockwise from front left: front left, rear left, rear right, front right.
    pub fn corners(&self) -> [DVec2; 4] {
        let ahead = self.pose.forward() * (self.length / 2.0);
        let left = self.pose.left() * (self.width / 2.0);
        let centre = self.pose.point;
        [
            centre + ahead + left,
            centre - ahead + left,
            centre - ahead - left,
            centre + ahead - left,
        ]
    }

    /// The same box grown by `margin` metres on every side (negative shrinks, never below zero).
    pub fn grown(&self, margin: f64) -> Self {
        Self {
            length: (self.length + 2.0 * margin).max(0.0),
            width: (self.width + 2.0 * margin).max(0.0),
            ..*self
        }
    }

    /// Half of the diagonal, m: no point of the box is farther from its centre.
    pub fn radius(&self) -> f64 {
        dvec2(self.length, self.width).length() / 2.0
    }

    /// Whether `point` lies inside or on the edge.
    pub fn contains(&self, point: DVec2) -> bool {
        let local = self.pose.local_from_outer(point);
        local.x.abs() <= self.length / 2.0 && local.y.abs() <= self.width / 2.0
    }

    /// Whether the interiors share a point (separating axes; full containment counts, touching edges do not).
    pub fn overlaps(&self, other: &Self) -> bool {
        let reach = self.radius() + other.radius();
        if self.pose.point.distance_squared(other.pose.point) >= reach * reach {
            return false;
        }
        self.penetration(other) > 0.0
    }

    /// Least overlap over the four separating axes, m: positive when the interiors overlap, else minus a
    /// lower bound of the gap.
    pub fn penetration(&self, other: &Self) -> f64 {
        let between = other.pose.point - self.pose.point;
        let mut least = f64::INFINITY;
        for axis in self.axes_with(other) {
            let reach = self.reach_along(axis) + other.reach_along(axis);
            least = least.min(reach - between.dot(axis).abs());
        }
        least
    }

    /// Distance between the boxes, m; 0 when they touch or overlap.
    pub fn distance(&self, other: &Self) -> f64 {
        if self.penetration(other) >= 0.0 {
            return 0.0;
        }
        let nearest = |from: &Self, to: &Self| {
            from.corners()
                .iter()
                .map(|&corner| to.distance_to_point(corner))
                .fold(f64::INFINITY, f64::min)
        };
        nearest(self, other).min(nearest(other, self))
    }

    /// Seconds until the interiors share a point if `other` moves at `velocity` (m/s) as seen from this box, and neither
    /// turns; 0 if they do now, `None` if they never will.
    pub fn time_to_touch(&self, other: &Self, velocity: DVec2) -> Option<f64> {
        let between = other.pose.point - self.pose.point;
        let (mut from, mut to) = (0.0_f64, f64::INFINITY);
        for axis in self.axes_with(other) {
            let reach = self.reach_along(axis) + other.reach_along(axis);
            let (gap, speed) = (between.dot(axis), velocity.dot(axis));
            if speed.abs() < 1e-9 {
                if gap.abs() >= reach {
                    return None;
                }
                continue;
            }
            let (one, two) = ((-reach - gap) / speed, (reach - gap) / speed);
            from = from.max(one.min(two));
            to = to.min(one.max(two));
        }
        (from < to).then_some(from)
    }

    /// Distance from the box to `point`, m; 0 inside.
    pub fn distance_to_point(&self, point: DVec2) -> f64 {
        let local = self.pose.local_from_outer(point);
        dvec2(
            (local.x.abs() - self.length / 2.0).max(0.0),
            (local.y.abs() - self.width / 2.0).max(0.0),
        )
        .length()
    }

    /// The directions along which two boxes can be apart.
    fn axes_with(&self, other: &Self) -> [DVec2; 4] {
        let (own, other) = (&self.pose, &other.pose);
        [own.forward(), own.left(), other.forward(), other.left()]
    }

    fn reach_along(&self, axis: DVec2) -> f64 {
        self.length / 2.0 * self.pose.forward().dot(axis).abs()
            + self.width / 2.0 * self.pose.left().dot(axis).abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: f64, y: f64, heading: f64) -> OrientedBox {
        OrientedBox::new(Pose::at(x, y, heading), 2.0, 2.0)
    }

    #[test]
    fn boxes_that_share_an_edge_do_not_overlap() {
        let left = OrientedBox::new(Pose::at(0.0, 0.0, 0.0), 4.0, 2.0);
        let right = OrientedBox::new(Pose::at(4.0, 0.0, 0.0), 4.0, 2.0); // 0 + 4/2 = 4 − 4/2
        assert!(!left.overlaps(&right));
        assert!(left.overlaps(&OrientedBox::new(Pose::at(3.99, 0.0, 0.0), 4.0, 2.0)));
    }

    #[test]
    fn boxes_touch_when_the_way_between_them_is_gone_and_pass_beside_each_other() {
        let own = square(0.0, 0.0, 0.0);
        // 10 − 1 − 1 = 8 m at 4 m/s
        let ahead = square(10.0, 0.0, 0.0);
        assert_eq!(own.time_to_touch(&ahead, dvec2(-4.0, 0.0)), Some(2.0));
        assert_eq!(own.time_to_touch(&ahead, dvec2(4.0, 0.0)), None);
        assert_eq!(own.time_to_touch(&ahead, DVec2::ZERO), None);
        // 3 m to the side: never, unless it drifts by 1 m on the way: 3 − 2 = 1 m at 0.5 m/s, 2 s, where it is abreast
        let aside = square(10.0, 3.0, 0.0);
        assert_eq!(own.time_to_touch(&aside, dvec2(-4.0, 0.0)), None);
        assert_eq!(own.time_to_touch(&aside, dvec2(-4.0, -0.5)), Some(2.0));
        assert_eq!(
            own.time_to_touch(&square(1.0, 1.0, 0.4), DVec2::X),
            Some(0.0)
        );
    }

    #[test]
    fn a_box_inside_another_overlaps_it() {
        let outer = OrientedBox::new(Pose::at(0.0, 0.0, 0.3), 10.0, 6.0);
        assert!(outer.overlaps(&square(0.5, 0.2, 1.0)));
    }

    #[test]
    fn a_diamond_reaches_root_two_along_the_axis() {
        let turn = std::f64::consts::FRAC_PI_4;
        // half diagonal of a 2 x 2 square is 1.414; the other box begins at x = d − 1
        assert!(square(0.0, 0.0, turn).overlaps(&square(2.40, 0.0, 0.0)));
        assert!(!square(0.0, 0.0, turn).overlaps(&square(2.42, 0.0, 0.0)));
    }

    #[test]
    fn the_distance_of_two_squares_three_apart_is_one() {
        assert!((square(0.0, 0.0, 0.0).distance(&square(3.0, 0.0, 0.0)) - 1.0).abs() < 1e-12);
        assert_eq!(square(0.0, 0.0, 0.0).distance(&square(1.0, 0.0, 0.0)), 0.0);
    }
}
