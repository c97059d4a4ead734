//! From the traffic world to a scene: who was where at each step.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::world::{STEP_S, World};
use crate::scene::{Agent, AgentKind, Role, Scene, State, Track};

/// What a recorded scene is called and where its present lies.
#[derive(Debug, Clone)]
pub struct Recording<'a> {
    /// A name a person recognises.
    pub name: &'a str,
    /// Where it comes from.
    pub source: &'a str,
    /// Length, s.
    pub duration_s: f64,
    /// Time of the present, s.
    pub now_s: f64,
    /// Id of the ego in the world.
    pub ego: Option<u32>,
}

/// Licence of everything this module makes.
pub const LICENCE: &str = "CC0-1.0";

struct Seen {
    kind: AgentKind,
    category: Option<&'static str>,
    size: (f64, f64),
    states: Vec<Option<State>>,
}

impl World {
    /// Runs on and records a scene at 10 Hz, quantised.
    pub fn record(&mut self, recording: &Recording<'_>) -> Scene {
        let frames = (recording.duration_s / STEP_S).round() as usize + 1;
        let start_s = self.time_s;
        let mut seen: BTreeMap<u32, Seen> = BTreeMap::new();
        for frame in 0..frames {
            if frame > 0 {
                self.step();
            }
            for vehicle in &self.vehicles {
                let entry = seen.entry(vehicle.id).or_insert_with(|| Seen {
                    kind: vehicle.body.kind(),
                    category: Some(vehicle.body.word()),
                    size: (vehicle.length, vehicle.width),
                    states: vec![None; frames],
                });
                entry.states[frame] = Some(vehicle.state());
            }
            for walker in &self.walkers {
                let entry = seen.entry(walker.id).or_insert_with(|| Seen {
                    kind: AgentKind::Pedestrian,
                    category: None,
                    size: (0.6, 0.6),
                    states: vec![None; frames],
                });
                entry.states[frame] = Some(walker.state());
            }
            for (id, footprint) in &self.parked {
                let entry = seen.entry(*id).or_insert_with(|| Seen {
                    kind: AgentKind::Vehicle,
                    category: Some("parked"),
                    size: (footprint.length, footprint.width),
                    states: vec![None; frames],
                });
                entry.states[frame] = Some(State::along(footprint.pose, 0.0));
            }
        }
        let agents = seen.into_iter().map(|(id, seen)| {
            let mut agent = Agent::new(agent_name(id, &seen), seen.kind, Track::new(seen.states));
            agent.category = seen.category.map(str::to_owned);
            (agent.length, agent.width) = seen.size;
            if recording.ego == Some(id) {
                agent.role = Role::Ego;
            }
            Arc::new(agent)
        });
        Scene {
            name: recording.name.to_owned(),
            source: recording.source.to_owned(),
            licence: LICENCE.to_owned(),
            dt_s: STEP_S,
            frames,
            now: ((recording.now_s / STEP_S).round() as usize).min(frames - 1),
            map: Arc::clone(&self.network.map),
            agents: agents.collect(),
            signals: Arc::new(self.network.signals(start_s, STEP_S, frames)),
            ..Scene::default()
        }
        .quantised()
    }
}

fn agent_name(id: u32, seen: &Seen) -> String {
    let word = seen.category.unwrap_or("pedestrian");
    format!("{word}-{id}")
}
