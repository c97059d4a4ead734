//! Scenes that tests in several rooms begin with.

use std::sync::Arc;

use super::{Agent, AgentKind, Scene, State, Track};
use crate::geometry::Pose;

/// One agent, `a`, at 2 m/s east, `aside` metres to the left after the present; half seconds from 0 to 10 s, the present
/// at 2 s.
pub(crate) fn stepping_aside(aside: f64) -> Scene {
    let states = (0..21).map(|frame| {
        let y = if frame > 4 { aside } else { 0.0 };
        Some(State::along(Pose::at(f64::from(frame), y, 0.0), 2.0))
    });
    let agent = Agent::new("a", AgentKind::Vehicle, Track::new(states.collect()));
    Scene {
        dt_s: 0.5,
        frames: 21,
        now: 4,
        agents: vec![Arc::new(agent)],
        ..Scene::default()
    }
}
