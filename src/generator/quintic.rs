//! Fifth-degree motion between two states with accelerations.

use crate::geometry::DVec2;

/// A planar quintic in time: position, velocity and acceleration fixed at both ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quintic {
    c: [DVec2; 6],
}

impl Quintic {
    /// From (position, velocity, acceleration) at time 0 to the same at `duration_s` > 0.
    pub(super) fn new(
        (p0, v0, a0): (DVec2, DVec2, DVec2),
        (p1, v1, a1): (DVec2, DVec2, DVec2),
        duration_s: f64,
    ) -> Self {
        let t = duration_s;
        let position = p1 - (p0 + v0 * t + a0 * (t * t / 2.0));
        let velocity = v1 - (v0 + a0 * t);
        let acceleration = a1 - a0;
        Self {
            c: [
                p0,
                v0,
                a0 / 2.0,
                (position * 10.0 - velocity * (4.0 * t) + acceleration * (t * t / 2.0)) / t.powi(3),
                (position * -15.0 + velocity * (7.0 * t) - acceleration * (t * t)) / t.powi(4),
                (position * 6.0 - velocity * (3.0 * t) + acceleration * (t * t / 2.0)) / t.powi(5),
            ],
        }
    }

    /// Position, velocity and acceleration at a time.
    pub(super) fn at(&self, t: f64) -> (DVec2, DVec2, DVec2) {
        let c = &self.c;
        let position = ((((c[5] * t + c[4]) * t + c[3]) * t + c[2]) * t + c[1]) * t + c[0];
        let velocity =
            (((c[5] * (5.0 * t) + c[4] * 4.0) * t + c[3] * 3.0) * t + c[2] * 2.0) * t + c[1];
        let acceleration = ((c[5] * (20.0 * t) + c[4] * 12.0) * t + c[3] * 6.0) * t + c[2] * 2.0;
        (position, velocity, acceleration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    #[test]
    fn both_ends_are_met_in_position_velocity_and_acceleration() {
        let from = (dvec2(1.0, 2.0), dvec2(3.0, -1.0), dvec2(0.5, 0.2));
        let to = (dvec2(20.0, 7.0), dvec2(2.0, 4.0), dvec2(-1.0, 0.0));
        let quintic = Quintic::new(from, to, 2.5);
        for (time, (p, v, a)) in [(0.0, from), (2.5, to)] {
            let (position, velocity, acceleration) = quintic.at(time);
            assert!((position - p).length() < 1e-9);
            assert!((velocity - v).length() < 1e-9);
            assert!((acceleration - a).length() < 1e-9);
        }
    }
}
