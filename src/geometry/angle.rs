//! Angles in radians, wrapped to (−π, π].

use std::f64::consts::{PI, TAU};

/// `angle` brought into (−π, π]; NaN stays NaN.
pub fn wrap_angle(angle: f64) -> f64 {
    if angle > -PI && angle <= PI {
        return angle;
    }
    let wrapped = angle.rem_euclid(TAU);
    if wrapped > PI { wrapped - TAU } else { wrapped }
}

/// The signed turn from `from` to `to`, in (−π, π].
pub fn angle_between(from: f64, to: f64) -> f64 {
    wrap_angle(to - from)
}

/// Interpolates along the shorter arc; `fraction` 0 gives `from`, 1 gives `to`.
pub fn lerp_angle(from: f64, to: f64, fraction: f64) -> f64 {
    wrap_angle(from + fraction * angle_between(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_keeps_pi_and_turns_minus_pi_into_pi() {
        assert_eq!(wrap_angle(PI), PI);
        assert_eq!(wrap_angle(-PI), PI);
        assert!((wrap_angle(7.0) - (7.0 - TAU)).abs() < 1e-12);
    }

    #[test]
    fn interpolation_takes_the_short_way_across_pi() {
        // from 3.0 to -3.0 the short way is +0.283 through pi; its middle is pi
        let middle = lerp_angle(3.0, -3.0, 0.5);
        assert!((middle.abs() - PI).abs() < 1e-12);
    }
}
