//! Which moments of a scene, around which egos, are worth a training window.

use std::collections::BTreeMap;

use crate::codec::{DT_S, NOW};
use crate::geometry::{DVec2, angle_between};
use crate::scene::{Agent, AgentKind, Role, Scene, State};

/// Who may be the ego of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Egos {
    /// Every vehicle, cyclist and pedestrian.
    Any,
    /// Only the agent the scene marks.
    Marked,
}

/// What makes a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Time between moments looked at, s.
    pub stride_s: f64,
    /// How long before the present the ego must be known without gap, s; up to 2 counts.
    pub history_s: f64,
    /// How long after the present, s; up to 8 counts.
    pub future_s: f64,
    /// Who may be the ego.
    pub egos: Egos,
}

/// A possible window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The present: a frame of the scene.
    pub frame: usize,
    /// The ego: a position in `Scene::agents`.
    pub agent: usize,
    /// How much it is wanted, in (0, 1].
    pub weight: f64,
}

/// Grid cell for crowding, m, and the number of agents in one that makes it full.
const CELL_M: f64 = 60.0;
const FULL: f64 = 8.0;

/// All candidates of a scene, by frame, then by agent.
///
/// Standing agents, steady straight driving and empty roads are plentiful, so they weigh less: 0.05 for less than 3 m of
/// travel in the future asked for, 0.35 for steady driving, 0.8 if the speed changes by more than 2.5 m/s, 1 if the
/// heading turns by more than 0.35 rad; times 0.08 unless it is a vehicle (people on foot and on bicycles seldom lead a
/// window but are wanted in it); times the share of 8 agents that are in the ego's 60 m grid cell.
pub fn candidates(scene: &Scene, choice: &Choice) -> Vec<Candidate> {
    let tokens = |seconds: f64, most: usize| ((seconds / DT_S).round() as usize).min(most);
    let (past, future) = (
        tokens(choice.history_s, NOW),
        tokens(choice.future_s, 16).max(1),
    );
    let mut found = Vec::new();
    let mut last = None;
    for step in 0.. {
        let frame = scene.frame_at(f64::from(step) * choice.stride_s).round() as usize;
        if frame >= scene.frames {
            break;
        }
        if last == Some(frame) {
            continue;
        }
        last = Some(frame);
        let crowd = Crowd::at(scene, frame);
        for (index, agent) in scene.agents.iter().enumerate() {
            let allowed = agent.kind != AgentKind::Other
                && (choice.egos == Egos::Any || agent.role == Role::Ego);
            if !allowed {
                continue;
            }
            if let Some([now, end]) = ends(scene, agent, frame, past, future) {
                found.push(Candidate {
                    frame,
                    agent: index,
                    weight: manoeuvre_weight(agent.kind, &now, &end) * crowd.share(now.position),
                });
            }
        }
    }
    found
}

/// The states at the present and at the end, if the agent is known at every token from `past` before to `future` after.
fn ends(
    scene: &Scene,
    agent: &Agent,
    frame: usize,
    past: usize,
    future: usize,
) -> Option<[State; 2]> {
    let now = *agent.track.get(frame)?;
    let at = |token: f64| agent.track.sample(frame as f64 + token * DT_S / scene.dt_s);
    let mut end = now;
    for token in 1..=future {
        end = at(token as f64)?;
    }
    for token in 1..=past {
        at(-(token as f64))?;
    }
    Some([now, end])
}

fn manoeuvre_weight(kind: AgentKind, now: &State, end: &State) -> f64 {
    let travelled = now.position.distance(end.position);
    let gained = (end.speed() - now.speed()).abs();
    let turned = angle_between(now.heading, end.heading).abs();
    let manoeuvre = if travelled < 3.0 {
        0.05
    } else if turned > 0.35 {
        1.0
    } else if gained > 2.5 {
        0.8
    } else {
        0.35
    };
    manoeuvre
        * match kind {
            AgentKind::Vehicle => 1.0,
            _ => 0.08,
        }
}

/// How many agents are in each grid cell.
struct Crowd(BTreeMap<(i64, i64), usize>);

impl Crowd {
    fn at(scene: &Scene, frame: usize) -> Self {
        let mut cells = BTreeMap::new();
        for agent in &scene.agents {
            if let Some(state) = agent.track.get(frame) {
                *cells.entry(cell(state.position)).or_default() += 1;
            }
        }
        Self(cells)
    }

    /// Share of a full cell at `point`, at most 1.
    fn share(&self, point: DVec2) -> f64 {
        let count = self.0.get(&cell(point)).copied().unwrap_or(1);
        (count as f64 / FULL).min(1.0)
    }
}

fn cell(point: DVec2) -> (i64, i64) {
    let cell = (point / CELL_M).floor();
    (cell.x as i64, cell.y as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Pose, dvec2};
    use crate::scene::Track;
    use std::sync::Arc;

    fn scene(agents: Vec<Agent>) -> Scene {
        Scene {
            dt_s: 0.1,
            frames: 121,
            now: 20,
            agents: agents.into_iter().map(Arc::new).collect(),
            ..Scene::default()
        }
    }

    fn straight(id: &str, speed: f64, frames: std::ops::Range<usize>) -> Agent {
        let states = (0..121).map(|frame| {
            let pose = Pose::at(speed * 0.1 * frame as f64, 0.0, 0.0);
            frames.contains(&frame).then(|| State::along(pose, speed))
        });
        Agent::new(id, AgentKind::Vehicle, Track::new(states.collect()))
    }

    const WHOLE: Choice = Choice {
        stride_s: 0.5,
        history_s: 2.0,
        future_s: 8.0,
        egos: Egos::Any,
    };

    #[test]
    fn only_moments_with_the_whole_window_known_are_candidates() {
        let found = candidates(&scene(vec![straight("a", 5.0, 0..121)]), &WHOLE);
        // known 0 to 12 s: presents from 2 s to 4 s, every half second
        let frames: Vec<usize> = found.iter().map(|candidate| candidate.frame).collect();
        assert_eq!(frames, [20, 25, 30, 35, 40]);
        let late = candidates(&scene(vec![straight("a", 5.0, 5..121)]), &WHOLE);
        assert_eq!(late.first().map(|candidate| candidate.frame), Some(25));
    }

    #[test]
    fn standing_and_lonely_agents_weigh_less() {
        // alone in its cell: a share of 1/8; steady driving 0.35, standing 0.05
        let driving = candidates(&scene(vec![straight("a", 5.0, 0..121)]), &WHOLE);
        assert!((driving[0].weight - 0.35 / 8.0).abs() < 1e-12);
        let standing = candidates(&scene(vec![straight("a", 0.0, 0..121)]), &WHOLE);
        assert!((standing[0].weight - 0.05 / 8.0).abs() < 1e-12);
    }

    #[test]
    fn turning_and_braking_weigh_most() {
        let at = |heading: f64, speed: f64| State::along(Pose::at(0.0, 0.0, heading), speed);
        let far = |state: State| State {
            position: dvec2(30.0, 10.0),
            ..state
        };
        let weight = |end| manoeuvre_weight(AgentKind::Vehicle, &at(0.0, 8.0), &far(end));
        assert_eq!(
            [
                weight(at(0.4, 8.0)),
                weight(at(0.0, 5.0)),
                weight(at(0.0, 7.0))
            ],
            [1.0, 0.8, 0.35]
        );
        let walking = manoeuvre_weight(AgentKind::Pedestrian, &at(0.0, 8.0), &far(at(0.4, 8.0)));
        assert_eq!(walking, 0.08);
    }
}
