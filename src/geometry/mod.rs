//! Poses, oriented boxes, polylines and polygons. Metres and radians, x forward or east, y left or north,
//! counter-clockwise. `f64` throughout: files hold coordinates far from zero. No maps, agents or time here.

mod angle;
mod oriented_box;
mod polygon;
mod polyline;
mod pose;

pub use angle::{angle_between, lerp_angle, wrap_angle};
pub use glam::{DVec2, dvec2};
pub use oriented_box::OrientedBox;
pub use polygon::{clip_convex, polygon_area, polygon_contains};
pub use polyline::{Polyline, Projection, simplified};
pub use pose::Pose;

/// The file grid, 1e-4 (m, rad, m/s): scenes live on it from the moment they are opened, so that writing and
/// re-reading a file changes no bit and a stored recipe starts from the very same numbers.
pub fn quantise(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// [`wrap_angle`] and [`quantise`] at once: the grid value next to ±π that still lies in (−π, π], so that reading a
/// written heading wraps it no further (±3.1416 lies outside).
pub fn quantise_angle(angle: f64) -> f64 {
    let value = quantise(wrap_angle(angle));
    if value.abs() > std::f64::consts::PI {
        (std::f64::consts::PI * 1e4).floor().copysign(value) / 1e4
    } else {
        value
    }
}

/// A step in time on its own grid, 1e-9 s: 1/30 s a hundred thousand times is as long as that many thirtieths.
pub fn quantise_step(step_s: f64) -> f64 {
    (step_s * 1e9).round() / 1e9
}

/// [`quantise`] for both coordinates.
pub fn quantise_point(point: DVec2) -> DVec2 {
    dvec2(quantise(point.x), quantise(point.y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantised_heading_near_pi_stays_where_it_is_when_wrapped() {
        use std::f64::consts::PI;
        for heading in [PI, -PI, 3.141_58, -3.141_58, 3.0 * PI, 1.0] {
            let once = quantise_angle(heading);
            assert_eq!(once.to_bits(), wrap_angle(once).to_bits());
            assert!(angle_between(heading, once).abs() <= 1e-4);
        }
    }

    #[test]
    fn quantising_twice_changes_nothing_and_survives_text() {
        for value in [0.123_456_789, -4_567_890.123_44, 1e-5, 3.0] {
            let once = quantise(value);
            assert_eq!(once.to_bits(), quantise(once).to_bits());
            let text = format!("{once}");
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), once.to_bits());
        }
    }
}
