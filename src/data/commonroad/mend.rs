//! Two faults of converted recordings that a network would take for driving.
//!
//! *Headings that stand beside the motion by the same angle throughout a file.* Converters that turn positions into the
//! map's frame and leave headings in the recording's produce such files: every car crabs. As a state's velocity is given
//! along its heading, it points beside the path as well. Bodies of cars move where they point (but for a slip that
//! changes sign with the curve), so the shared angle is the file's, not theirs.
//!
//! *First and last states that are not where their step says.* Converters that cut tracks at the border of a map put the
//! state there, but at the nearest step: the way to its neighbour takes less time than the file says.

use std::f64::consts::PI;

use crate::data::draft::median;
use crate::geometry::{DVec2, wrap_angle};
use crate::scene::{Agent, AgentKind};

/// States slower than this do not tell a direction, m/s.
const MOVING_MPS: f64 = 2.0;
/// Angles up to this are left alone, rad.
const SMALL: f64 = 0.01;
/// Angles beyond this are no misalignment of frames, rad.
const LARGE: f64 = 0.35;
/// How far an agent's angle may lie from the file's, rad.
const AGREED: f64 = 0.005;
/// Fewest agents that must agree, and share of those that move.
const FEWEST: usize = 5;
const SHARE: f64 = 0.9;

/// How far the way between two states may differ from what their speeds give: share of it, and m/s.
const ASTRAY: (f64, f64) = (0.15, 1.0);

/// Takes away a first or last state of a vehicle whose way to its neighbour contradicts both speeds, while the next way
/// inwards does not; returns how many.
pub(super) fn drop_astray_ends(agents: &mut [Agent], dt_s: f64) -> usize {
    let mut dropped = 0;
    for agent in agents
        .iter_mut()
        .filter(|agent| agent.kind == AgentKind::Vehicle)
    {
        let frames: Vec<usize> = agent.track.valid().map(|(frame, _)| frame).collect();
        if frames.len() < 4 {
            continue;
        }
        let astray = |from: usize, to: usize| {
            let (Some(a), Some(b)) = (agent.track.get(from), agent.track.get(to)) else {
                return false;
            };
            let driven = a.position.distance(b.position) / (from.abs_diff(to) as f64 * dt_s);
            let told = 0.5 * (a.velocity.length() + b.velocity.length());
            (driven - told).abs() > (ASTRAY.0 * told).max(ASTRAY.1)
        };
        let last = frames.len() - 1;
        let ends = [
            (frames[0], frames[1], frames[2]),
            (frames[last], frames[last - 1], frames[last - 2]),
        ];
        let gone: Vec<usize> = ends
            .into_iter()
            .filter(|&(end, next, inner)| astray(end, next) && !astray(next, inner))
            .map(|(end, ..)| end)
            .collect();
        for frame in gone {
            agent.track.set(frame, None);
            dropped += 1;
        }
    }
    dropped
}

/// Turns all headings and velocities by the angle between headings and motion that a file's vehicles share; returns it,
/// rad. `None`, and nothing changed, if there is none.
pub(super) fn align(agents: &mut [Agent], dt_s: f64) -> Option<f64> {
    let angles: Vec<f64> = agents
        .iter()
        .filter(|agent| agent.kind == AgentKind::Vehicle)
        .filter_map(|agent| beside(agent, dt_s))
        .collect();
    let angle = median(angles.iter().copied())?;
    let agree = angles.iter().filter(|own| (**own - angle).abs() < AGREED);
    let agree = agree.count();
    if !(SMALL..LARGE).contains(&angle.abs())
        || agree < FEWEST
        || (agree as f64) < SHARE * angles.len() as f64
    {
        return None;
    }
    let turn = DVec2::from_angle(angle);
    for agent in agents {
        for state in agent.track.states_mut().iter_mut().flatten() {
            state.heading = wrap_angle(state.heading + angle);
            state.velocity = turn.rotate(state.velocity);
        }
    }
    Some(angle)
}

/// Middle angle from an agent's heading to its motion, rad; `None` if it hardly moves or drives backwards.
fn beside(agent: &Agent, dt_s: f64) -> Option<f64> {
    let states: Vec<_> = agent.track.valid().collect();
    let angles: Vec<f64> = states
        .windows(3)
        .filter_map(|three| {
            let ((first, from), (_, state), (last, to)) = (three[0], three[1], three[2]);
            let moved = to.position - from.position;
            let fast = moved.length() > MOVING_MPS * (last - first) as f64 * dt_s;
            fast.then(|| wrap_angle(moved.to_angle() - state.heading))
        })
        .collect();
    (angles.len() >= 5)
        .then(|| median(angles))
        .flatten()
        .filter(|angle| angle.abs() < PI / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::scene::{State, Track};

    fn driver(id: usize, facing: f64) -> Agent {
        let states = (0..20).map(|frame| {
            let place = Pose::at(2.0 * f64::from(frame), 4.0 * id as f64, facing);
            Some(State::along(place, 10.0))
        });
        let track = Track::new(states.collect());
        Agent::new(format!("{id}"), AgentKind::Vehicle, track)
    }

    #[test]
    fn a_shared_angle_is_taken_out_and_the_velocity_follows_the_path() {
        let mut agents: Vec<Agent> = (0..6).map(|id| driver(id, 0.03)).collect();
        let angle = align(&mut agents, 0.2).unwrap();
        assert!((angle + 0.03).abs() < 1e-9, "{angle}");
        let state = agents[3].track.get(7).unwrap();
        assert!(state.heading.abs() < 1e-9 && state.velocity.y.abs() < 1e-9);
        assert!((state.velocity.x - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_first_state_at_the_wrong_step_goes_and_a_hard_start_stays() {
        // 10 m/s in steps of 0.2 s: 2 m each; the first is only 0.5 m before the second
        let mut cut = driver(0, 0.0);
        cut.track.states_mut()[0].as_mut().unwrap().position.x = 1.5;
        // from 0 with 8 m/s²: the ways fit the speeds
        let mut start = driver(1, 0.0);
        for (frame, state) in start.track.states_mut().iter_mut().enumerate() {
            let time_s = 0.2 * frame as f64;
            *state = Some(State::along(
                Pose::at(4.0 * time_s * time_s, 4.0, 0.0),
                8.0 * time_s,
            ));
        }
        let mut agents = [cut, start];
        assert_eq!(drop_astray_ends(&mut agents, 0.2), 1);
        assert_eq!(agents[0].track.span(), Some((1, 19)));
        assert_eq!(agents[1].track.span(), Some((0, 19)));
    }

    #[test]
    fn angles_that_differ_or_are_small_are_the_drivers_own() {
        let mut apart: Vec<Agent> = (0..6).map(|id| driver(id, 0.02 * id as f64)).collect();
        let mut small: Vec<Agent> = (0..6).map(|id| driver(id, 0.004)).collect();
        let mut alone = vec![driver(0, 0.03)];
        assert_eq!(align(&mut apart, 0.2), None);
        assert_eq!(align(&mut small, 0.2), None);
        assert_eq!(align(&mut alone, 0.2), None);
    }
}
