//! A line through points, measured by arc length: lane centrelines and paths.

use super::{DVec2, Pose};

/// At least two points, no two successive ones equal; arc length is kept beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct Polyline {
    points: Vec<DVec2>,
    arc: Vec<f64>,
}

/// The point of a polyline nearest to some point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    /// Arc length of the nearest point, m, in [0, length].
    pub s: f64,
    /// Signed distance to the line, m, positive to the left of travel; beyond the ends the distance to the end
    /// point with the sign of the side.
    pub offset: f64,
    /// The nearest point.
    pub point: DVec2,
    /// Direction of travel there, rad.
    pub heading: f64,
}

impl Polyline {
    /// From points in driving order; repeated and non-finite points are dropped. `None` if fewer than two remain.
    pub fn new(points: impl IntoIterator<Item = DVec2>) -> Option<Self> {
        let mut kept: Vec<DVec2> = Vec::new();
        let mut arc: Vec<f64> = Vec::new();
        for point in points {
            if !point.is_finite() {
                continue;
            }
            match (kept.last(), arc.last()) {
                (Some(&last), Some(&s)) => {
                    let step = last.distance(point);
                    if step > 1e-9 {
                        kept.push(point);
                        arc.push(s + step);
                    }
                }
                _ => {
                    kept.push(point);
                    arc.push(0.0);
                }
            }
        }
        (kept.len() >= 2).then_some(Self { points: kept, arc })
    }

    /// The points, at least two.
    pub fn points(&self) -> &[DVec2] {
        &self.points
    }

    /// Arc length of every point, m, from 0.
    pub fn arc(&self) -> &[f64] {
        &self.arc
    }

    /// Total length, m.
    pub fn length(&self) -> f64 {
        self.arc[self.arc.len() - 1]
    }

    /// First point.
    pub fn start(&self) -> DVec2 {
        self.points[0]
    }

    /// Last point.
    pub fn end(&self) -> DVec2 {
        self.points[self.points.len() - 1]
    }

    /// The point at arc length `s` (m) with the direction of its segment; extended straight beyond both ends.
    pub fn pose_at(&self, s: f64) -> Pose {
        let segment = self.segment_at(s);
        let (from, to) = (self.points[segment], self.points[segment + 1]);
        let direction = (to - from) / (self.arc[segment + 1] - self.arc[segment]);
        Pose::new(
            from + direction * (s - self.arc[segment]),
            direction.to_angle(),
        )
    }

    /// The point at arc length `s`; extended straight beyond both ends.
    pub fn point_at(&self, s: f64) -> DVec2 {
        self.pose_at(s).point
    }

    /// The nearest point of the line.
    pub fn project(&self, point: DVec2) -> Projection {
        let mut best = (f64::INFINITY, 0, 0.0);
        for segment in 0..self.points.len() - 1 {
            let from = self.points[segment];
            let edge = self.points[segment + 1] - from;
            let along = ((point - from).dot(edge) / edge.length_squared()).clamp(0.0, 1.0);
            let distance = (from + edge * along).distance_squared(point);
            if distance < best.0 {
                best = (distance, segment, along);
            }
        }
        let (squared, segment, along) = best;
        let from = self.points[segment];
        let edge = self.points[segment + 1] - from;
        let side = if edge.perp_dot(point - from) < 0.0 {
            -1.0
        } else {
            1.0
        };
        Projection {
            s: self.arc[segment] + along * (self.arc[segment + 1] - self.arc[segment]),
            offset: side * squared.sqrt(),
            point: from + edge * along,
            heading: edge.to_angle(),
        }
    }

    /// `count` ≥ 2 points evenly spaced by arc length, both ends included.
    pub fn resampled(&self, count: usize) -> Vec<DVec2> {
        let last = count.max(2) - 1;
        (0..=last)
            .map(|index| self.point_at(self.length() * index as f64 / last as f64))
            .collect()
    }

    /// The part between arc lengths `from` and `to` (m, clamped to the line); `None` if shorter than 1e-6 m.
    pub fn slice(&self, from: f64, to: f64) -> Option<Self> {
        let (from, to) = (from.max(0.0), to.min(self.length()));
        if to - from < 1e-6 {
            return None;
        }
        let inner = self
            .points
            .iter()
            .zip(&self.arc)
            .filter(|&(_, &s)| s > from && s < to)
            .map(|(&point, _)| point);
        Self::new(
            std::iter::once(self.point_at(from))
                .chain(inner)
                .chain(std::iter::once(self.point_at(to))),
        )
    }

    /// The line shifted `left` metres to its left (mitred at the joints, mitres limited to twice the shift).
    pub fn shifted(&self, left: f64) -> Option<Self> {
        let last = self.points.len() - 1;
        let direction =
            |segment: usize| (self.points[segment + 1] - self.points[segment]).normalize_or_zero();
        Self::new((0..=last).map(|index| {
            let before = direction(index.saturating_sub(1));
            let after = direction(index.min(last - 1));
            let middle = (before + after).normalize_or(after);
            let stretch = 1.0 / middle.dot(after).max(0.5);
            self.points[index] + middle.perp() * left * stretch
        }))
    }

    fn segment_at(&self, s: f64) -> usize {
        self.arc
            .partition_point(|&at| at <= s)
            .clamp(1, self.arc.len() - 1)
            - 1
    }
}

/// The corners of `points` that are needed to stay within `tolerance` metres of all (Douglas and Peucker 1973).
pub fn simplified(points: &[DVec2], tolerance: f64) -> Vec<DVec2> {
    let Some(last) = points.len().checked_sub(1) else {
        return Vec::new();
    };
    let mut keep = vec![false; points.len()];
    keep[0] = true;
    keep[last] = true;
    let mut pending = vec![(0, last)];
    while let Some((first, last)) = pending.pop() {
        let edge = points[last] - points[first];
        let squared = edge.length_squared();
        let from_edge = |point: DVec2| {
            let along = if squared > 0.0 {
                ((point - points[first]).dot(edge) / squared).clamp(0.0, 1.0)
            } else {
                0.0
            };
            point.distance(points[first] + edge * along)
        };
        let farthest = (first + 1..last)
            .map(|index| (index, from_edge(points[index])))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((index, distance)) = farthest
            && distance > tolerance
        {
            keep[index] = true;
            pending.push((first, index));
            pending.push((index, last));
        }
    }
    let kept = points.iter().zip(keep).filter(|(_, keep)| *keep);
    kept.map(|(&point, _)| point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    fn corner() -> Polyline {
        Polyline::new([dvec2(0.0, 0.0), dvec2(10.0, 0.0), dvec2(10.0, 5.0)]).unwrap()
    }

    #[test]
    fn arc_length_runs_along_both_legs() {
        let line = corner();
        assert_eq!(line.length(), 15.0);
        assert!((line.point_at(12.0) - dvec2(10.0, 2.0)).length() < 1e-12); // 12 − 10 up the second leg
        assert!((line.point_at(-1.0) - dvec2(-1.0, 0.0)).length() < 1e-12); // extended
    }

    #[test]
    fn a_point_left_of_travel_has_a_positive_offset() {
        let at = corner().project(dvec2(4.0, 1.5));
        assert_eq!((at.s, at.offset), (4.0, 1.5));
        assert_eq!(corner().project(dvec2(4.0, -1.5)).offset, -1.5);
    }

    #[test]
    fn fewer_than_two_distinct_points_make_no_line() {
        assert!(Polyline::new([dvec2(1.0, 1.0), dvec2(1.0, 1.0)]).is_none());
        assert!(Polyline::new([dvec2(f64::NAN, 1.0), dvec2(1.0, 1.0)]).is_none());
    }

    #[test]
    fn a_slice_keeps_inner_points() {
        let part = corner().slice(8.0, 13.0).unwrap();
        assert_eq!(part.points().len(), 3);
        assert!((part.length() - 5.0).abs() < 1e-12);
    }

    #[test]
    fn shifting_a_straight_line_left_moves_it_up() {
        let line = Polyline::new([dvec2(0.0, 0.0), dvec2(10.0, 0.0)]).unwrap();
        assert_eq!(line.shifted(2.0).unwrap().start(), dvec2(0.0, 2.0));
    }

    #[test]
    fn points_on_a_straight_line_are_dropped_and_corners_kept() {
        let points: Vec<DVec2> = (0..=10)
            .map(|x| dvec2(f64::from(x), if x == 7 { 0.5 } else { 0.0 }))
            .collect();
        let kept = simplified(&points, 0.05);
        assert!(kept.len() <= 5 && kept.contains(&dvec2(7.0, 0.5)));
        assert!(simplified(&[], 0.1).is_empty());
    }
}
