//! What is left where every mode fails NC or TTC: the same ways, braked.
//!
//! Learned modes repeat what drivers mostly do, and drivers seldom meet what asks for hard braking. Rule-based planners
//! keep an emergency brake beside their proposals (PDM-Closed, Dauner et al., arXiv 2306.07962); this is ours.

use serde::Serialize;

use super::Mode;
use crate::codec::DT_S;
use crate::planner::track::STEP_S;
use crate::scene::State;

/// Decelerations that are tried, m/s²: easy, at the limit of comfort, and hard on dry road.
pub(super) const DECELERATIONS: [f64; 3] = [2.0, 4.0, 8.0];

/// How a mode came out of another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Braked {
    /// Position of the mode whose way it takes.
    pub of: usize,
    /// Deceleration, m/s².
    pub mps2: f64,
}

/// The way of `mode`, whose states at 10 Hz from the present on are `path`, braked with `mps2` to a standstill; where
/// the mode itself is further back, as it is.
pub(super) fn braked(mode: &Mode, path: &[State], mps2: f64) -> Mode {
    let mut run = Vec::with_capacity(path.len());
    let mut total = 0.0;
    for (index, state) in path.iter().enumerate() {
        if index > 0 {
            total += state.position.distance(path[index - 1].position);
        }
        run.push(total);
    }
    let start = path.first().map_or(0.0, State::speed);
    let mut points = mode.points;
    for (index, point) in points.iter_mut().enumerate() {
        let time_s = (index + 1) as f64 * DT_S;
        let braking_s = time_s.min(start / mps2);
        let reach = start * braking_s - 0.5 * mps2 * braking_s * braking_s;
        let there = run.get((time_s / STEP_S).round() as usize).copied();
        if there.is_none_or(|there| there <= reach) {
            continue;
        }
        // the first state beyond, and the part of the way to it
        let beyond = run.partition_point(|there| *there <= reach).max(1);
        let (before, after) = (&path[beyond - 1], &path[beyond]);
        let part = (reach - run[beyond - 1]) / (run[beyond] - run[beyond - 1]);
        let at = before.lerp(after, part);
        let ways = at.velocity.dot(at.pose().forward()).signum();
        point.position = at.position;
        point.heading = at.heading;
        point.speed = ways * (start - mps2 * braking_s);
    }
    Mode {
        points,
        probability: mode.probability,
        tokens: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::planner::{POINTS, path_of, planned};

    fn straight(speed: impl Fn(f64) -> f64, place: impl Fn(f64) -> f64) -> Mode {
        Mode {
            points: std::array::from_fn(|index| {
                let t = DT_S * (index + 1) as f64;
                planned(&State::along(Pose::at(place(t), 0.0, 0.0), speed(t)))
            }),
            probability: 0.4,
            tokens: vec![3],
        }
    }

    #[test]
    fn ten_metres_a_second_braked_with_four_come_to_rest_after_twelve_and_a_half_metres() {
        let start = State::along(Pose::at(0.0, 0.0, 0.0), 10.0);
        let mode = straight(|_| 10.0, |t| 10.0 * t);
        let found = braked(&mode, &path_of(&start, &mode), 4.0);
        // after 1 s: 10 − 2 = 8 m at 6 m/s; v² / 2a = 100 / 8 = 12.5 m at rest after 2.5 s
        assert!((found.points[1].position.x - 8.0).abs() < 1e-6);
        assert!((found.points[1].speed - 6.0).abs() < 1e-9);
        for point in &found.points[4..POINTS] {
            assert!((point.position.x - 12.5).abs() < 1e-6 && point.speed.abs() < 1e-9);
        }
        assert_eq!(found.probability, 0.4);
    }

    #[test]
    fn a_mode_that_brakes_harder_by_itself_stays_as_it_is() {
        // from 10 m/s with 5 m/s² to rest at 10 m after 2 s
        let place = |t: f64| {
            if t < 2.0 {
                10.0 * t - 2.5 * t * t
            } else {
                10.0
            }
        };
        let mode = straight(|t| (10.0 - 5.0 * t).max(0.0), place);
        let start = State::along(Pose::at(0.0, 0.0, 0.0), 10.0);
        let found = braked(&mode, &path_of(&start, &mode), 2.0);
        assert_eq!(found.points, mode.points);
    }

    #[test]
    fn who_stands_goes_on_standing() {
        let start = State::along(Pose::at(0.0, 0.0, 0.0), 0.0);
        let mode = straight(|t| t, |t| 0.5 * t * t);
        let found = braked(&mode, &path_of(&start, &mode), 2.0);
        assert!(
            found
                .points
                .iter()
                .all(|point| point.position.x.abs() < 1e-9 && point.speed == 0.0)
        );
    }
}
