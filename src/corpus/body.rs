//! The bodies of simulated vehicles, rebuilt from the way of their front bumpers.

use std::sync::Arc;

use crate::geometry::DVec2;
use crate::scene::{Agent, Scene, State};

/// How far a body's turning point lies behind its front bumper, in lengths.
const TURNING_POINT: f64 = 0.78;

/// Standard deviation over time of the smoothing of the way of the front bumper, s.
const SMOOTHING_S: f64 = 0.25;

/// A way that jumps farther than this between two frames begins anew, m.
const JUMP_M: f64 = 15.0;

/// Rebuilds every agent of a scene from SUMO: there a heading is that of the lane and jumps with it, and the centre of
/// the box, half a length behind the bumper, jumps too.
///
/// A point 0.78 lengths behind is dragged along by the smoothed front bumper (a tractrix); heading, centre and velocity
/// (by central differences, one-sided at the ends and beside gaps) follow from the two, as in the recipe's
/// `corpus.py`.
pub fn rebuild_bodies(scene: &mut Scene) {
    // a pass of (1/4, 1/2, 1/4) has the variance of half a frame squared
    let passes = (2.0 * (SMOOTHING_S / scene.dt_s).powi(2))
        .round()
        .min(200.0) as usize;
    let dt_s = scene.dt_s;
    for agent in &mut scene.agents {
        rebuild(Arc::make_mut(agent), dt_s, passes);
    }
}

fn rebuild(agent: &mut Agent, dt_s: f64, passes: usize) {
    let length = agent.length;
    let states = agent.track.states_mut();
    let ahead = |state: &State| DVec2::from_angle(state.heading);
    let mut fronts: Vec<Option<DVec2>> = states
        .iter()
        .map(|state| state.map(|state| state.position + ahead(&state) * (length / 2.0)))
        .collect();
    for _ in 0..passes {
        let before = fronts.clone();
        for frame in 1..fronts.len().saturating_sub(1) {
            if let (Some(a), Some(b), Some(c)) =
                (before[frame - 1], before[frame], before[frame + 1])
            {
                fronts[frame] = Some(a * 0.25 + b * 0.5 + c * 0.25);
            }
        }
    }
    let reach = (TURNING_POINT * length).max(0.5);
    let mut rear: Option<DVec2> = None;
    for (state, front) in states.iter_mut().zip(&fronts) {
        let (Some(state), Some(front)) = (state, front) else {
            rear = None;
            continue;
        };
        let behind = rear
            .filter(|rear| rear.distance(*front) < reach + JUMP_M)
            .unwrap_or(*front - ahead(state) * reach);
        let along = (*front - behind).try_normalize();
        let along = along.unwrap_or_else(|| ahead(state));
        rear = Some(*front - along * reach);
        state.heading = along.to_angle();
        state.position = *front - along * (length / 2.0);
    }
    for frame in 0..fronts.len() {
        let drift = agent.track.drift(frame, dt_s);
        if let (Some(velocity), Some(state)) = (drift, &mut agent.track.states_mut()[frame]) {
            state.velocity = velocity;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Pose, dvec2};
    use crate::scene::{AgentKind, Track};

    fn agent(states: Vec<Option<State>>) -> Agent {
        let mut agent = Agent::new("v", AgentKind::Vehicle, Track::new(states));
        agent.length = 4.0;
        agent
    }

    /// A car that drives east at 8 m/s and changes to a lane 3.2 m to the left within one frame, as its centre is given
    /// by SUMO: headings always east.
    fn lane_change() -> Agent {
        let state = |frame: usize| {
            let y = if frame < 20 { 0.0 } else { 3.2 };
            let point = dvec2(0.8 * frame as f64, y);
            Some(State::along(
                Pose {
                    point,
                    heading: 0.0,
                },
                8.0,
            ))
        };
        agent((0..40).map(state).collect())
    }

    #[test]
    fn a_jump_to_the_next_lane_becomes_a_turn_there_and_back() {
        let mut agent = lane_change();
        rebuild(&mut agent, 0.1, 12);
        let headings: Vec<f64> = agent.track.valid().map(|(_, s)| s.heading).collect();
        let most = headings.iter().copied().fold(0.0, f64::max);
        // 3.2 m aside, smoothed with 0.25 s: the front goes aside at 3.2 / (0.25 √(2π)) = 5.1 m/s at most, beside 8 m/s
        // ahead; the body follows slower
        assert!((0.3..5.1_f64.atan2(8.0)).contains(&most), "{most}");
        assert!(headings[0].abs() < 1e-9 && headings[39].abs() < 0.05);
        // no frame moves aside by more than the 0.51 m that follow from that speed
        let aside: Vec<f64> = agent.track.valid().map(|(_, s)| s.position.y).collect();
        assert!(
            aside
                .windows(2)
                .all(|pair| (pair[1] - pair[0]).abs() < 0.51)
        );
        assert!((aside[39] - 3.2).abs() < 0.1);
    }

    #[test]
    fn who_drives_straight_or_stands_stays_where_he_is() {
        for speed in [0.0, 7.0] {
            let state = |frame: usize| {
                let point = dvec2(3.0, 2.0) + DVec2::from_angle(0.7) * (speed * 0.1 * frame as f64);
                Some(State::along(
                    Pose {
                        point,
                        heading: 0.7,
                    },
                    speed,
                ))
            };
            let mut rebuilt = agent((0..30).map(state).collect());
            let given = rebuilt.clone();
            rebuild(&mut rebuilt, 0.1, 12);
            for ((_, a), (_, b)) in given.track.valid().zip(rebuilt.track.valid()) {
                assert!(a.position.distance(b.position) < 1e-9);
                assert!((a.heading - b.heading).abs() < 1e-9);
                assert!(a.velocity.distance(b.velocity) < 1e-9);
            }
        }
    }

    #[test]
    fn after_a_gap_the_body_begins_anew_as_the_file_has_it() {
        let mut rebuilt = lane_change();
        rebuilt.track.set(19, None);
        rebuild(&mut rebuilt, 0.1, 12);
        assert_eq!(rebuilt.track.get(19), None);
        // the first frame after the gap is at the end of its part, which smoothing leaves as it is
        let first = rebuilt.track.get(20).unwrap();
        assert!(first.position.distance(dvec2(16.0, 3.2)) < 1e-9 && first.heading.abs() < 1e-9);
    }
}
