//! Who drives an agent in closed loop: a policy sees the scene up to now and answers with a command.

use std::sync::Arc;

use super::bicycle::Bicycle;
use crate::scene::{Agent, AgentId, Scene, Signal, SignalState, State};

/// What a policy may look at: the scene up to the present frame of the loop, nothing later.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    scene: &'a Scene,
    frame: usize,
    agent: usize,
}

impl<'a> Observation<'a> {
    /// What agent number `agent` of `scene` sees at `frame`.
    pub fn at(scene: &'a Scene, frame: usize, agent: usize) -> Self {
        Self {
            scene,
            frame,
            agent,
        }
    }

    /// The road network.
    pub fn map(&self) -> &'a crate::map::Map {
        &self.scene.map
    }

    /// The present frame.
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// Time to the next frame, s.
    pub fn dt_s(&self) -> f64 {
        self.scene.dt_s
    }

    /// The agent that is driven.
    pub fn own(&self) -> &'a Agent {
        &self.scene.agents[self.agent]
    }

    /// Its present state; `None` where it is not valid.
    pub fn own_state(&self) -> Option<&'a State> {
        self.own().track.get(self.frame)
    }

    /// Everyone else who is present, with their states.
    pub fn others(&self) -> impl Iterator<Item = (&'a Agent, &'a State)> {
        let (scene, frame, own) = (self.scene, self.frame, self.agent);
        let agents = scene.agents.iter().enumerate();
        agents
            .filter(move |(index, _)| *index != own)
            .filter_map(move |(_, agent)| Some((&**agent, agent.track.get(frame)?)))
    }

    /// The state of agent number `agent` at an earlier or the present frame.
    pub fn state(&self, agent: usize, frame: usize) -> Option<&'a State> {
        (frame <= self.frame)
            .then(|| self.scene.agents.get(agent)?.track.get(frame))
            .flatten()
    }

    /// Signals with what they show now.
    pub fn signals(&self) -> impl Iterator<Item = (&'a Signal, SignalState)> {
        let frame = self.frame;
        let signals: &'a [Signal] = &self.scene.signals;
        signals.iter().map(move |signal| (signal, signal.at(frame)))
    }
}

/// What an agent does until the next frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Command {
    /// Drive as a kinematic bicycle.
    Drive {
        /// Along the heading, m/s².
        acceleration: f64,
        /// Angle of the front wheel, rad, positive to the left; reached at a limited rate.
        steering: f64,
    },
    /// Be there at the next frame.
    Place(State),
}

/// Drives one agent in closed loop.
pub trait Policy {
    /// The command until the next frame.
    fn act(&mut self, seen: &Observation<'_>) -> Command;
}

/// Drives the named agents from the scene's present to its end, everyone else as in their tracks; former tracks
/// are kept in the scene's log. Agents that are unknown, or not valid at the present, are left alone.
pub fn drive(scene: &Scene, policies: &mut [(AgentId, &mut dyn Policy)]) -> Scene {
    let mut driven = scene.clone();
    let mut bodies: Vec<Option<(usize, Bicycle)>> = policies
        .iter()
        .map(|(id, _)| {
            let index = scene.agent_index(id)?;
            let agent = &scene.agents[index];
            let state = agent.track.get(scene.now)?;
            Some((index, Bicycle::from_state(state, agent.length)))
        })
        .collect();
    for &(index, _) in bodies.iter().flatten() {
        keep_log(&mut driven, index);
        let track = &mut Arc::make_mut(&mut driven.agents[index]).track;
        track.states_mut().truncate(scene.now + 1);
    }
    for frame in scene.now..scene.frames.saturating_sub(1) {
        let mut next: Vec<(usize, State)> = Vec::new();
        for ((_, policy), body) in policies.iter_mut().zip(&mut bodies) {
            let Some((index, bicycle)) = body else {
                continue;
            };
            let state = match policy.act(&Observation::at(&driven, frame, *index)) {
                Command::Place(state) => {
                    *bicycle = Bicycle::from_state(&state, scene.agents[*index].length);
                    state
                }
                Command::Drive {
                    acceleration,
                    steering,
                } => {
                    let pieces = (scene.dt_s / 0.05).ceil().max(1.0);
                    for _ in 0..pieces as usize {
                        bicycle.step(acceleration, steering, scene.dt_s / pieces);
                    }
                    bicycle.state()
                }
            };
            next.push((*index, state));
        }
        for (index, state) in next {
            let track = &mut Arc::make_mut(&mut driven.agents[index]).track;
            track.set(frame + 1, Some(state));
        }
    }
    driven.generated = None;
    driven.quantised()
}

/// Remembers an agent's track as recorded, unless an earlier one is remembered already.
pub(super) fn keep_log(scene: &mut Scene, index: usize) {
    let agent = &scene.agents[index];
    let track = agent.track.clone();
    scene.log.entry(agent.id.clone()).or_insert(track);
}
