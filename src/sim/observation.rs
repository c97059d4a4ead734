//! What a driver in closed loop may look at.

use crate::scene::{Agent, Scene, Signal, SignalState, State};

/// What a driver may look at: the scene up to the present frame of the loop, nothing later.
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

    /// Signals with what they show now.
    pub fn signals(&self) -> impl Iterator<Item = (&'a Signal, SignalState)> {
        let frame = self.frame;
        let signals: &'a [Signal] = &self.scene.signals;
        signals.iter().map(move |signal| (signal, signal.at(frame)))
    }
}
