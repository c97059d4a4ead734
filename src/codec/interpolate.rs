//! Motion between two states: cubic Hermite on position, the shorter arc on heading.

use crate::geometry::{angle_between, lerp_angle, wrap_angle};
use crate::scene::{State, Track};

/// The state `fraction` of `duration_s` seconds after `from` on the way to `to`: the position runs on the cubic that
/// meets both positions and both velocities, the velocity is its derivative, the heading turns evenly along the
/// shorter arc. Fractions 0 and 1 give `from` and `to` to the bit.
pub fn between(from: &State, to: &State, fraction: f64, duration_s: f64) -> State {
    if fraction <= 0.0 {
        return *from;
    }
    if fraction >= 1.0 {
        return *to;
    }
    let u = fraction;
    let (u2, u3) = (u * u, u * u * u);
    let position = from.position * (2.0 * u3 - 3.0 * u2 + 1.0)
        + from.velocity * (duration_s * (u3 - 2.0 * u2 + u))
        + to.position * (3.0 * u2 - 2.0 * u3)
        + to.velocity * (duration_s * (u3 - u2));
    let velocity = (to.position - from.position) * ((6.0 * u - 6.0 * u2) / duration_s)
        + from.velocity * (3.0 * u2 - 4.0 * u + 1.0)
        + to.velocity * (3.0 * u2 - 2.0 * u);
    State {
        position,
        heading: lerp_angle(from.heading, to.heading, u),
        velocity,
    }
}

/// Yaw rates (rad/s) at states `step_s` apart that make the heading turn smoothly from one to the next and never
/// beyond either: the mean of the turns before and after, 0 where they differ in sign, at most three times the
/// smaller (Fritsch and Carlson's monotone cubic). Entries without a neighbour use the one turn there is.
pub(super) fn yaw_rates(headings: &[f64], step_s: f64) -> Vec<f64> {
    let turns: Vec<f64> = headings
        .windows(2)
        .map(|pair| angle_between(pair[0], pair[1]) / step_s)
        .collect();
    (0..headings.len())
        .map(|at| {
            let before = at.checked_sub(1).and_then(|at| turns.get(at));
            match (before, turns.get(at)) {
                (Some(&before), Some(&after)) if before * after > 0.0 => {
                    let limit = 3.0 * before.abs().min(after.abs());
                    (0.5 * (before + after)).clamp(-limit, limit)
                }
                (None, Some(&only)) | (Some(&only), None) => only,
                _ => 0.0,
            }
        })
        .collect()
}

/// The heading `fraction` of `duration_s` after `from`, given the yaw rates (rad/s) at both ends.
pub(super) fn heading_between(
    [from, to]: [f64; 2],
    [from_rate, to_rate]: [f64; 2],
    fraction: f64,
    duration_s: f64,
) -> f64 {
    let u = fraction;
    let (u2, u3) = (u * u, u * u * u);
    let turned = angle_between(from, to) * (3.0 * u2 - 2.0 * u3)
        + from_rate * duration_s * (u3 - 2.0 * u2 + u)
        + to_rate * duration_s * (u3 - u2);
    wrap_angle(from + turned)
}

/// A track's state at a scene time: exact on a frame, else between its valid neighbours, which must not jump (more than
/// a quarter turn, or 60 m/s on average): the place as by [`between`], the velocity evenly from one to the other, since
/// in recordings places and velocities seldom agree and the cubic's slope doubles what they differ by. `None` where a
/// neighbour is missing.
pub fn at_time(track: &Track, time_s: f64, dt_s: f64) -> Option<State> {
    let frame = time_s / dt_s;
    if frame.is_nan() || frame < -1e-4 {
        return None;
    }
    let below = (frame + 1e-4).floor();
    let fraction = frame - below;
    let from = track.get(below as usize)?;
    if fraction.abs() <= 1e-4 {
        return Some(*from);
    }
    let to = track.get(below as usize + 1)?;
    let jumps = angle_between(from.heading, to.heading).abs() > std::f64::consts::FRAC_PI_2
        || from.position.distance(to.position) > 60.0 * dt_s;
    if jumps {
        return Some(*if fraction < 0.5 { from } else { to });
    }
    Some(State {
        velocity: from.velocity.lerp(to.velocity, fraction),
        ..between(from, to, fraction, dt_s)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Pose, dvec2};

    #[test]
    fn a_speed_read_between_frames_lies_between_theirs_where_places_disagree() {
        // 1.5 m in 0.2 s at 20 m/s on both sides: the cubic would pass the middle with 1.5 * 7.5 - 0.5 * 20 = 1.25 m/s
        let at = |x: f64| Some(State::along(Pose::at(x, 0.0, 0.0), 20.0));
        let track = Track::new(vec![at(0.0), at(1.5)]);
        let middle = at_time(&track, 0.1, 0.2).unwrap();
        assert_eq!((middle.position.x, middle.velocity.x), (0.75, 20.0));
    }

    #[test]
    fn constant_acceleration_is_reproduced_exactly() {
        // x = 10 t + t² (acceleration 2): at 0.5 s v = 11, at 0.25 s x = 2.5625, v = 10.5
        let from = State::along(Pose::at(0.0, 0.0, 0.0), 10.0);
        let to = State::along(Pose::at(5.25, 0.0, 0.0), 11.0);
        let middle = between(&from, &to, 0.5, 0.5);
        assert!((middle.position - dvec2(2.5625, 0.0)).length() < 1e-12);
        assert!((middle.velocity - dvec2(10.5, 0.0)).length() < 1e-12);
    }

    #[test]
    fn a_heading_flip_is_not_interpolated() {
        let track = Track::new(vec![
            Some(State::along(Pose::at(0.0, 0.0, 0.0), 0.0)),
            Some(State::along(Pose::at(0.0, 0.0, 3.0), 0.0)),
        ]);
        assert_eq!(at_time(&track, 0.04, 0.1).unwrap().heading, 0.0);
        assert_eq!(at_time(&track, 0.06, 0.1).unwrap().heading, 3.0);
    }
}
