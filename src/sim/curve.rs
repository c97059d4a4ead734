//! Smooth curves for roads: straights, arcs and clothoids in sequence, and turns between two poses.

use crate::geometry::{DVec2, Polyline, Pose, angle_between};

/// Draws a reference line piece by piece; every piece starts where the last one ended, with its heading.
#[derive(Debug, Clone)]
pub struct Pen {
    pose: Pose,
    points: Vec<DVec2>,
}

impl Pen {
    /// Starts at `pose`.
    pub fn at(pose: Pose) -> Self {
        Self {
            pose,
            points: vec![pose.point],
        }
    }

    /// Goes straight for `length` metres; a point every 12 m at most.
    pub fn line(mut self, length: f64) -> Self {
        let pieces = (length / 12.0).ceil().max(1.0) as usize;
        let start = self.pose;
        for piece in 1..=pieces {
            let along = length * piece as f64 / pieces as f64;
            self.points.push(start.point + start.forward() * along);
        }
        self.pose.point = start.point + start.forward() * length;
        self
    }

    /// Curves for `length` metres while the curvature (1/m, positive to the left) goes linearly from `from` to
    /// `to`: an arc if they are equal, else a piece of a clothoid (integrated by the midpoint rule, 0.25 m steps).
    pub fn bend(mut self, length: f64, from: f64, to: f64) -> Self {
        let steps = (length / 0.25).ceil().max(1.0) as usize;
        let step = length / steps as f64;
        let mut since = 0.0;
        let mut turned = 0.0;
        for index in 0..steps {
            let fraction = (index as f64 + 0.5) / steps as f64;
            let turn = (from + (to - from) * fraction) * step;
            let middle = Pose::new(self.pose.point, self.pose.heading + turn / 2.0);
            self.pose = Pose::new(
                self.pose.point + middle.forward() * step,
                self.pose.heading + turn,
            );
            since += step;
            turned += turn.abs();
            if since >= 8.0 || turned >= 0.06 || index + 1 == steps {
                self.points.push(self.pose.point);
                since = 0.0;
                turned = 0.0;
            }
        }
        self
    }

    /// Where the pen stands.
    pub fn pose(&self) -> Pose {
        self.pose
    }

    /// The line drawn. `None` if nothing was drawn.
    pub fn finish(self) -> Option<Polyline> {
        Polyline::new(self.points)
    }
}

/// A smooth path from one pose to another: straight on the longer leg, then a turn whose curvature starts and
/// ends at zero (a quintic Bézier curve, close to clothoid, arc, clothoid). Where the tangents do not meet ahead
/// (lane shifts, U-turns) one quintic from end to end. A point every 0.8 m at most. `None` if the poses coincide.
pub fn turn(from: Pose, to: Pose) -> Option<Polyline> {
    let between = to.point - from.point;
    let (ahead, onward) = (from.forward(), to.forward());
    let cross = ahead.perp_dot(onward);
    let change = angle_between(from.heading, to.heading).abs();
    if change > 0.12 && cross.abs() > 1e-3 {
        let first = between.perp_dot(onward) / cross;
        let second = ahead.perp_dot(between) / cross;
        if first > 1.0 && second > 1.0 {
            let leg = first.min(second);
            let start = from.point + ahead * (first - leg);
            let end = to.point - onward * (second - leg);
            let corner = from.point + ahead * first;
            let control = [
                start,
                start + ahead * (0.25 * leg),
                start + ahead * (0.63 * leg),
                corner + onward * (0.37 * leg),
                corner + onward * (0.75 * leg),
                end,
            ];
            let mut points = vec![from.point];
            points.extend(straight(from.point, start));
            points.extend(bezier(&control));
            points.extend(straight(end, to.point));
            return Polyline::new(points);
        }
    }
    let reach = between.length() * if change > 2.0 { 0.55 } else { 0.2 };
    let control = [
        from.point,
        from.point + ahead * reach,
        from.point + ahead * (2.0 * reach),
        to.point - onward * (2.0 * reach),
        to.point - onward * reach,
        to.point,
    ];
    Polyline::new(std::iter::once(from.point).chain(bezier(&control)))
}

fn straight(from: DVec2, to: DVec2) -> Vec<DVec2> {
    let length = from.distance(to);
    if length < 1e-6 {
        return Vec::new();
    }
    let pieces = (length / 6.0).ceil() as usize;
    (1..=pieces)
        .map(|piece| from.lerp(to, piece as f64 / pieces as f64))
        .collect()
}

/// Points of the Bézier curve after its start.
fn bezier(control: &[DVec2; 6]) -> Vec<DVec2> {
    let bound: f64 = control
        .windows(2)
        .map(|ends| ends[0].distance(ends[1]))
        .sum();
    let pieces = (bound / 0.8).ceil().max(4.0) as usize;
    (1..=pieces)
        .map(|piece| {
            let mut level = *control;
            let fraction = piece as f64 / pieces as f64;
            for count in (1..6).rev() {
                for index in 0..count {
                    level[index] = level[index].lerp(level[index + 1], fraction);
                }
            }
            level[0]
        })
        .collect()
}

/// Absolute curvature (1/m) of `line` at every point, from the turn between neighbouring segments; 0 at the ends.
pub fn curvatures(line: &Polyline) -> Vec<f64> {
    let points = line.points();
    let mut found = vec![0.0; points.len()];
    for index in 1..points.len() - 1 {
        let before = points[index] - points[index - 1];
        let after = points[index + 1] - points[index];
        let turn = angle_between(before.to_angle(), after.to_angle()).abs();
        found[index] = turn / ((before.length() + after.length()) / 2.0).max(0.2);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{FRAC_PI_2, PI};

    #[test]
    fn a_quarter_arc_of_radius_twenty_ends_at_twenty_twenty() {
        let pen = Pen::at(Pose::at(0.0, 0.0, 0.0)).bend(10.0 * PI, 0.05, 0.05);
        // length 20 · π/2, curvature 1/20: centre (0, 20), a quarter turn ends at (20, 20) heading north
        assert!(pen.pose().point.distance(DVec2::splat(20.0)) < 1e-3);
        assert!((pen.pose().heading - FRAC_PI_2).abs() < 1e-9);
    }

    #[test]
    fn a_clothoid_turns_by_half_its_length_times_its_end_curvature() {
        let pen = Pen::at(Pose::default()).bend(30.0, 0.0, 0.04);
        assert!((pen.pose().heading - 0.5 * 30.0 * 0.04).abs() < 1e-9);
    }

    #[test]
    fn a_right_angle_turn_is_no_tighter_than_0_7_of_its_leg_and_starts_straight() {
        // an arc with legs of 10 m has radius 10; zero curvature at the ends costs up to 30 %
        let line = turn(Pose::at(0.0, 0.0, 0.0), Pose::at(10.0, 10.0, FRAC_PI_2)).unwrap();
        let bends = curvatures(&line);
        let sharpest = bends.iter().copied().fold(0.0, f64::max);
        assert!(sharpest < 1.0 / 7.0 && sharpest > 0.1, "{sharpest}");
        assert!(bends[1] < 0.06, "{}", bends[1]);
        assert!(
            (line.length() - 10.0 * FRAC_PI_2).abs() < 0.7,
            "{}",
            line.length()
        );
    }

    #[test]
    fn unequal_legs_begin_with_a_straight() {
        let line = turn(Pose::at(0.0, 0.0, 0.0), Pose::at(30.0, 10.0, FRAC_PI_2)).unwrap();
        assert!(line.point_at(19.0).y.abs() < 1e-9); // 30 − 10 = 20 m straight
        assert!(line.end().distance(crate::geometry::dvec2(30.0, 10.0)) < 1e-9);
    }
}
