//! Who moves everyone but the ego while a planner is at the wheel.

use std::sync::Arc;

use super::foresee::coast;
use crate::scene::{Agent, AgentId, AgentKind, Scene, State, Track};
use crate::sim::{LaneFollower, Observation, Reactive};

/// Moves everyone but the ego, a tenth of a second at a time.
pub trait World {
    /// Readies `scene` (10 Hz, its present the start) for at most `last` frames and returns the last frame that can be
    /// driven to.
    fn begin(&mut self, scene: &mut Scene, ego: &AgentId, last: usize) -> usize;

    /// Writes where everyone else is at `frame + 1`. `scene` holds everybody, the ego too, up to `frame`; of later
    /// frames only what this world wrote.
    ///
    /// # Errors
    /// A sentence about what failed.
    fn step(&mut self, scene: &mut Scene, frame: usize) -> Result<(), String>;
}

/// Everyone moves as recorded (or generated), whatever the ego does; ends with the scene.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogWorld;

impl World for LogWorld {
    fn begin(&mut self, scene: &mut Scene, _ego: &AgentId, last: usize) -> usize {
        last.min(scene.frames.saturating_sub(1))
    }

    fn step(&mut self, _scene: &mut Scene, _frame: usize) -> Result<(), String> {
        Ok(())
    }
}

/// Vehicles and cyclists follow their lanes behind whoever is ahead, the ego included, with the Intelligent Driver
/// Model; everyone else keeps their velocity. Who attacks keeps to it until the attack's time. Who is not there at the
/// start does not come. Signals go on as recorded,
/// then hold.
#[derive(Default)]
pub struct TrafficWorld {
    drivers: Vec<Driver>,
}

struct Driver {
    agent: usize,
    /// `None` keeps the velocity.
    follower: Option<LaneFollower>,
    /// Its attack, and the frame until which it keeps to that.
    attack: Option<(Track, usize)>,
}

impl World for TrafficWorld {
    fn begin(&mut self, scene: &mut Scene, ego: &AgentId, last: usize) -> usize {
        let recorded = scene.clone();
        cut_after_present(scene, ego);
        scene.frames = last + 1;
        let attack = |id: &AgentId| {
            let track = &recorded.agent(id)?.track;
            Some((track.clone(), recorded.attacks_until(id)?))
        };
        let others = scene.agents.iter().enumerate();
        self.drivers = others
            .filter(|(_, agent)| agent.id != *ego)
            .filter_map(|(index, agent)| {
                agent.track.get(scene.now)?;
                let drives = matches!(agent.kind, AgentKind::Vehicle | AgentKind::Cyclist);
                Some(Driver {
                    agent: index,
                    follower: drives.then(LaneFollower::default),
                    attack: attack(&agent.id),
                })
            })
            .collect();
        last
    }

    fn step(&mut self, scene: &mut Scene, frame: usize) -> Result<(), String> {
        let mut next = Vec::with_capacity(self.drivers.len());
        for driver in &mut self.drivers {
            let seen = Observation::at(scene, frame, driver.agent);
            let attacks = driver.attack.as_ref().filter(|(_, until)| frame < *until);
            let attacking = attacks.and_then(|(track, _)| track.get(frame + 1).copied());
            let state = match &mut driver.follower {
                _ if attacking.is_some() => attacking,
                None => seen.own_state().map(|state| coast(state, scene.dt_s)),
                Some(follower) => follower.next(&seen),
            };
            next.extend(state.map(|state| (driver.agent, state)));
        }
        write_states(scene, frame + 1, next);
        Ok(())
    }
}

/// As [`TrafficWorld`], and more: drivers turn where they turned in the recording, give way where ways meet, to walkers
/// too, and change lanes.
#[derive(Default)]
pub struct ReactiveWorld {
    traffic: Option<Reactive>,
}

impl World for ReactiveWorld {
    fn begin(&mut self, scene: &mut Scene, ego: &AgentId, last: usize) -> usize {
        let recorded = scene.clone();
        cut_after_present(scene, ego);
        scene.frames = last + 1;
        let track = |id: &AgentId| recorded.agent(id).map(|agent| &agent.track);
        self.traffic = Some(Reactive::new(scene, ego, track));
        last
    }

    fn step(&mut self, scene: &mut Scene, frame: usize) -> Result<(), String> {
        let Some(traffic) = &mut self.traffic else {
            return Err("the traffic has not begun".to_owned());
        };
        let next = traffic.step(scene, frame);
        write_states(scene, frame + 1, next);
        Ok(())
    }
}

/// Puts agents, by their position, where they are at a frame.
fn write_states(scene: &mut Scene, frame: usize, states: Vec<(usize, State)>) {
    for (agent, state) in states {
        let track = &mut Arc::make_mut(&mut scene.agents[agent]).track;
        track.set(frame, Some(state));
    }
}

/// Takes away what everyone but the ego does after the present, and who is not there at the present; tracks as they
/// were go to the scene's log.
pub fn cut_after_present(scene: &mut Scene, ego: &AgentId) {
    let now = scene.now;
    scene
        .agents
        .retain(|agent| agent.id == *ego || agent.track.get(now).is_some());
    for index in 0..scene.agents.len() {
        let agent = &scene.agents[index];
        if agent.id == *ego {
            continue;
        }
        let (id, before) = (agent.id.clone(), agent.track.clone());
        let mut states = before.states().to_vec();
        states.truncate(now + 1);
        scene.log.entry(id).or_insert(before);
        scene.agents[index] = Arc::new(Agent {
            track: Track::new(states),
            ..Agent::clone(&scene.agents[index])
        });
    }
    scene.forget_absent();
}
