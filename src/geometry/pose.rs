//! A position with a heading, and the change of frame it stands for.

use super::{DVec2, dvec2, quantise_angle, quantise_point, wrap_angle};

/// Position (m) and heading (rad, counter-clockwise from +x, in (−π, π]) in some frame.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pose {
    /// Position, m.
    pub point: DVec2,
    /// Heading, rad.
    pub heading: f64,
}

impl Pose {
    /// A pose; the heading is wrapped.
    pub fn new(point: DVec2, heading: f64) -> Self {
        Self {
            point,
            heading: wrap_angle(heading),
        }
    }

    /// A pose at `x`, `y` (m) with `heading` (rad).
    pub fn at(x: f64, y: f64, heading: f64) -> Self {
        Self::new(dvec2(x, y), heading)
    }

    /// Unit vector along the heading.
    pub fn forward(self) -> DVec2 {
        DVec2::from_angle(self.heading)
    }

    /// Unit vector to the left of the heading.
    pub fn left(self) -> DVec2 {
        self.forward().perp()
    }

    /// `point`, given in this pose's own frame, in the outer frame.
    pub fn outer_from_local(self, point: DVec2) -> DVec2 {
        self.point + self.forward().rotate(point)
    }

    /// `point`, given in the outer frame, in this pose's own frame (x ahead, y left).
    pub fn local_from_outer(self, point: DVec2) -> DVec2 {
        let forward = self.forward();
        dvec2(forward.x, -forward.y).rotate(point - self.point)
    }

    /// `inner`, a pose given in this pose's frame, in the outer frame.
    pub fn compose(self, inner: Self) -> Self {
        Self::new(
            self.outer_from_local(inner.point),
            self.heading + inner.heading,
        )
    }

    /// On the file grid (see [`crate::geometry::quantise`]).
    pub fn quantised(self) -> Self {
        Self {
            point: quantise_point(self.point),
            heading: quantise_angle(self.heading),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::FRAC_PI_2;

    #[test]
    fn a_point_ahead_of_a_pose_facing_north_lies_north() {
        let pose = Pose::at(10.0, 5.0, FRAC_PI_2);
        // 3 m ahead, 1 m left of (10, 5) facing +y: x = 10 - 1, y = 5 + 3
        let outer = pose.outer_from_local(dvec2(3.0, 1.0));
        assert!((outer - dvec2(9.0, 8.0)).length() < 1e-12);
        assert!((pose.local_from_outer(outer) - dvec2(3.0, 1.0)).length() < 1e-12);
    }
}
