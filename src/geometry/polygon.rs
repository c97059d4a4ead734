//! Simple polygons as corner lists, open (the last corner joins the first).

use super::DVec2;

/// Whether `point` lies inside (even-odd rule); points on an edge may count either way.
pub fn polygon_contains(polygon: &[DVec2], point: DVec2) -> bool {
    let mut inside = false;
    let mut previous = match polygon.last() {
        Some(&last) => last,
        None => return false,
    };
    for &corner in polygon {
        if (corner.y > point.y) != (previous.y > point.y) {
            let along = (point.y - corner.y) / (previous.y - corner.y);
            if point.x < corner.x + along * (previous.x - corner.x) {
                inside = !inside;
            }
        }
        previous = corner;
    }
    inside
}

/// Signed area, m² (shoelace): positive when the corners run counter-clockwise.
pub fn polygon_area(polygon: &[DVec2]) -> f64 {
    let next = polygon.iter().cycle().skip(1);
    polygon
        .iter()
        .zip(next)
        .map(|(a, b)| a.perp_dot(*b))
        .sum::<f64>()
        / 2.0
}

/// The part of `subject` inside the convex, counter-clockwise polygon `clip` (Sutherland-Hodgman).
pub fn clip_convex(subject: &[DVec2], clip: &[DVec2]) -> Vec<DVec2> {
    let mut kept = subject.to_vec();
    for (index, &from) in clip.iter().enumerate() {
        let edge = clip[(index + 1) % clip.len()] - from;
        let side = |point: DVec2| edge.perp_dot(point - from);
        let input = std::mem::take(&mut kept);
        for (index, &end) in input.iter().enumerate() {
            let start = input[(index + input.len() - 1) % input.len()];
            let (a, b) = (side(start), side(end));
            if (a >= 0.0) != (b >= 0.0) {
                kept.push(start + (end - start) * (a / (a - b)));
            }
            if b >= 0.0 {
                kept.push(end);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    fn unit_square(offset: f64) -> Vec<DVec2> {
        [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
            .map(|(x, y)| dvec2(x + offset, y + offset))
            .to_vec()
    }

    #[test]
    fn half_shifted_squares_share_a_quarter() {
        let shared = clip_convex(&unit_square(0.0), &unit_square(0.5));
        assert!((polygon_area(&shared) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn inside_and_outside_are_told_apart() {
        assert!(polygon_contains(&unit_square(0.0), dvec2(0.5, 0.5)));
        assert!(!polygon_contains(&unit_square(0.0), dvec2(1.5, 0.5)));
        assert!(!polygon_contains(&[], dvec2(0.0, 0.0)));
    }
}
