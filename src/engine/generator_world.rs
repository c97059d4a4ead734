//! The generator as the world a planner drives in: everyone else's future is made anew every half second.

use std::sync::Arc;

use super::world::Stream;
use crate::codec::DT_S;
use crate::diffusion::Prepare;
use crate::generator::{GenerateError, Settings};
use crate::planner::{STEP_S, World, cut_after_present};
use crate::scene::{AgentId, Control, Scene, State, Track};

/// Frames between two makings.
const EVERY: usize = (DT_S / STEP_S) as usize;

/// The model moves everyone but the ego, those too that the scene freezes or lets follow the log. Every half second it
/// sees the scene as it stands, the ego's driven track included, and makes all futures anew; the ego's own is thrown
/// away. Who attacks keeps to it until the attack's time. Agents the model does not reach keep their velocity; who is not
/// there at the start does not come. Signals go
/// on as recorded, then hold.
pub(super) struct GeneratorWorld<'a> {
    network: &'a dyn Prepare,
    settings: Settings,
    stream: Stream,
    ego: Option<AgentId>,
    /// Who attacks, with the way that takes, and the frame until which it keeps to that.
    attackers: Vec<(AgentId, Track, usize)>,
    start: usize,
}

impl<'a> GeneratorWorld<'a> {
    /// A world of `network`; of `settings` seed, temperature and guidance count, schedule and steps are the world's own.
    pub(super) fn new(network: &'a dyn Prepare, settings: Settings) -> Self {
        Self {
            network,
            settings,
            stream: Stream::default(),
            ego: None,
            attackers: Vec::new(),
            start: 0,
        }
    }

    /// The way of an attack that an agent is on at a frame.
    fn attack_of(&self, id: &AgentId, frame: usize) -> Option<&Track> {
        let mut attackers = self.attackers.iter();
        let attack = attackers.find(|(of, _, until)| of == id && frame < *until);
        attack.map(|(_, track, _)| track)
    }

    fn make(
        &mut self,
        scene: &mut Scene,
        frame: usize,
        ego: &AgentId,
    ) -> Result<(), GenerateError> {
        let mut seen = scene.clone();
        seen.now = frame;
        seen.log.clear();
        for agent in &mut seen.agents {
            if let Some(track) = self.attack_of(&agent.id, frame) {
                let agent = Arc::make_mut(agent);
                agent.control = Control::Frozen;
                let ahead = track.states().iter().enumerate().skip(frame + 1);
                for (at, state) in ahead {
                    agent.track.set(at, *state);
                }
            } else if agent.control != Control::Free {
                Arc::make_mut(agent).control = Control::Free;
            }
        }
        let made = match self
            .stream
            .next(&seen, &self.settings, self.network, &|| true)
        {
            Ok(made) => made,
            // nobody but the ego is left to move
            Err(GenerateError::NothingFree | GenerateError::Nobody { .. }) => None,
            Err(error) => return Err(error),
        };
        self.stream.forget(ego);
        for agent in &mut scene.agents {
            if agent.id == *ego {
                continue;
            }
            let Some(present) = agent.track.get(frame).copied() else {
                continue;
            };
            let made = made.as_ref().and_then(|made| made.agent(&agent.id));
            let made = made.map(|agent| &agent.track);
            let future = self.attack_of(&agent.id, frame).or(made);
            let states: Vec<State> = (1..=EVERY)
                .map(|ahead| {
                    let coasting = State {
                        position: present.position + present.velocity * (ahead as f64 * STEP_S),
                        ..present
                    };
                    future
                        .and_then(|track| track.get(frame + ahead).copied())
                        .unwrap_or(coasting)
                })
                .collect();
            let track = &mut Arc::make_mut(agent).track;
            for (ahead, state) in states.into_iter().enumerate() {
                track.set(frame + 1 + ahead, Some(state));
            }
        }
        Ok(())
    }
}

impl World for GeneratorWorld<'_> {
    fn begin(&mut self, scene: &mut Scene, ego: &AgentId, last: usize) -> usize {
        let others = scene.agents.iter().filter(|agent| agent.id != *ego);
        let attackers = others.filter_map(|agent| {
            let until = scene.attacks_until(&agent.id)?;
            Some((agent.id.clone(), agent.track.clone(), until))
        });
        self.attackers = attackers.collect();
        cut_after_present(scene, ego);
        scene.frames = last + 1;
        scene.goals.clear();
        scene.attacks.clear();
        scene.pins.clear();
        self.ego = Some(ego.clone());
        self.start = scene.now;
        last
    }

    fn step(&mut self, scene: &mut Scene, frame: usize) -> Result<(), String> {
        let Some(ego) = self.ego.clone() else {
            return Ok(());
        };
        if (frame - self.start).is_multiple_of(EVERY) {
            self.make(scene, frame, &ego)
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
