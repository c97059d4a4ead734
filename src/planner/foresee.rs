//! Where everyone else will be: as a driver at the present may expect, or as the scene says.

use std::sync::Arc;

use super::track::STEP_S;
use crate::scene::{Agent, AgentId, AgentKind, Scene, Signal, State, Track};

/// Seconds that a foreseen scene reaches past the present: the plan and the look-ahead of the time to collision.
const REACH_S: f64 = 9.0;

/// The scene as it can be foreseen at its present: tracks end there and go on at constant velocity (the ego's too),
/// signals stay as they are, whoever is not there at the present is gone. Nothing of the future is left in it.
pub fn foreseen(scene: &Scene) -> Scene {
    let last = scene.now + (REACH_S / scene.dt_s).ceil() as usize;
    let mut next = scene.clone();
    next.frames = last + 1;
    next.generated = None;
    next.log.clear();
    next.agents
        .retain(|agent| agent.track.get(scene.now).is_some());
    for agent in &mut next.agents {
        let mut states = agent.track.states().to_vec();
        states.truncate(scene.now + 1);
        let present = agent.track.get(scene.now).copied();
        states.extend(
            (scene.now + 1..=last).map(|frame| {
                present.map(|state| coast(&state, scene.time_of(frame) - scene.now_s()))
            }),
        );
        *agent = Arc::new(Agent {
            track: Track::new(states),
            ..Agent::clone(agent)
        });
    }
    next.goals.clear();
    next.attacks.clear();
    next.signals = Arc::new(
        scene
            .signals
            .iter()
            .map(|signal| Signal {
                states: (0..=scene.now).map(|frame| signal.at(frame)).collect(),
                ..signal.clone()
            })
            .collect(),
    );
    next
}

/// `state` after `time_s` at its present velocity and heading.
pub(super) fn coast(state: &State, time_s: f64) -> State {
    State {
        position: state.position + state.velocity * time_s,
        ..*state
    }
}

/// Somebody the ego may meet.
#[derive(Debug, Clone)]
pub struct Other {
    /// Who.
    pub id: AgentId,
    /// What it is.
    pub kind: AgentKind,
    /// Who, with size; its track is not to be read.
    pub agent: Arc<Agent>,
    /// States [`STEP_S`] apart from the present on; `None` where it is not there.
    pub states: Vec<Option<State>>,
}

/// Everyone but the ego over the plan's time, as `scene`'s tracks say; past the scene's end, where nothing is
/// recorded, at constant velocity.
pub fn others(scene: &Scene, ego: &AgentId) -> Vec<Other> {
    others_for(scene, ego, REACH_S)
}

/// The same over the `seconds` after the scene's present.
pub(super) fn others_for(scene: &Scene, ego: &AgentId, seconds: f64) -> Vec<Other> {
    let count = (seconds / STEP_S).round() as usize + 1;
    let end_s = scene.duration_s();
    let others = scene.agents.iter().filter(|agent| agent.id != *ego);
    others
        .map(|agent| {
            let at = |time_s: f64| agent.track.sample(scene.frame_at(time_s));
            let last = at(end_s);
            let states = (0..count).map(|step| {
                let time_s = scene.now_s() + step as f64 * STEP_S;
                if time_s <= end_s + 1e-9 {
                    at(time_s)
                } else {
                    last.map(|state| coast(&state, time_s - end_s))
                }
            });
            Other {
                id: agent.id.clone(),
                kind: agent.kind,
                agent: Arc::clone(agent),
                states: states.collect(),
            }
        })
        .filter(|other| other.states.iter().any(Option::is_some))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Pose, dvec2};

    /// Drives along x at 10 m/s, and at 2 s (frame 20) turns up along y.
    fn turning() -> Scene {
        let states = (0..61).map(|frame| {
            let t = 0.1 * f64::from(frame);
            let (pose, up) = if frame <= 20 {
                (Pose::at(10.0 * t, 0.0, 0.0), 0.0)
            } else {
                (Pose::at(20.0, 10.0 * (t - 2.0), 1.57), 1.0)
            };
            let velocity = dvec2(10.0 * (1.0 - up), 10.0 * up);
            Some(State {
                velocity,
                ..State::along(pose, 10.0)
            })
        });
        let car = Agent::new("car", AgentKind::Vehicle, Track::new(states.collect()));
        Scene {
            dt_s: 0.1,
            frames: 61,
            now: 20,
            agents: vec![Arc::new(car)],
            ..Scene::default()
        }
    }

    #[test]
    fn what_is_foreseen_knows_no_turn_and_what_happens_does() {
        let scene = turning();
        let nobody = AgentId::new("nobody");
        let position = |scene: &Scene, step: usize| {
            others(scene, &nobody)[0].states[step].map(|state| state.position)
        };
        assert_eq!(position(&foreseen(&scene), 10), Some(dvec2(30.0, 0.0)));
        assert_eq!(position(&scene, 10), Some(dvec2(20.0, 10.0)));
        // the recording ends 4 s after the present at (20, 40); 1 s later, coasting, 10 m farther up
        let later = position(&scene, 50).unwrap();
        assert!(later.distance(dvec2(20.0, 50.0)) < 1e-6, "{later}");
    }

    #[test]
    fn who_is_recorded_as_gone_is_gone() {
        let mut scene = turning();
        Arc::make_mut(&mut scene.agents[0]).track.set(30, None);
        let states = &others(&scene, &AgentId::new("nobody"))[0].states;
        assert!(states[9].is_some() && states[10].is_none() && states[11].is_some());
    }
}
