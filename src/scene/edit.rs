//! Edits as data: each names one change; applying it returns a new scene.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::{AgentId, AgentKind, Control, Role};
use super::intent::{Attack, Goal, Pin};
use super::signal::SignalState;
use super::track::{FASTEST_MPS, State, Track};
use super::{Agent, Scene};
use crate::geometry::{DVec2, Pose, dvec2, quantise};

/// One change to a scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum Edit {
    /// Puts an agent's present state somewhere else; its whole track moves rigidly with it. A changed speed
    /// makes its history a straight approach at that speed.
    Move {
        /// Who.
        agent: AgentId,
        /// Box centre at the present, m.
        point: [f64; 2],
        /// Heading at the present, rad.
        heading: f64,
        /// Speed at the present, m/s; unchanged if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        speed: Option<f64>,
    },
    /// Lets an agent go its way faster or slower: before and after the present, where it stays. It is seen in the same
    /// frames as before: where it was not seen then it is taken to have gone straight, and beyond the ends of its way it goes
    /// straight on.
    Pace {
        /// Who.
        agent: AgentId,
        /// Factor on its speed, 0.05 to 20.
        factor: f64,
    },
    /// Changes an agent's footprint.
    Resize {
        /// Who.
        agent: AgentId,
        /// Length, m, > 0.
        length: f64,
        /// Width, m, > 0.
        width: f64,
    },
    /// Adds an agent that approaches `point` straight at constant speed, or copies another one's history.
    Add {
        /// The new agent's id.
        agent: AgentId,
        /// What it is.
        kind: AgentKind,
        /// Box centre at the present, m.
        point: [f64; 2],
        /// Heading, rad.
        heading: f64,
        /// Speed, m/s.
        speed: f64,
        /// Length and width, m; the kind's default if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<[f64; 2]>,
    },
    /// Removes an agent with its goal, attacks and pins.
    Remove {
        /// Who.
        agent: AgentId,
    },
    /// Gives an agent a part; an earlier ego becomes an ordinary agent.
    SetRole {
        /// Who.
        agent: AgentId,
        /// The part.
        role: Role,
    },
    /// Says who decides an agent's future.
    SetControl {
        /// Who.
        agent: AgentId,
        /// Model, nobody, or the log.
        control: Control,
    },
    /// Sets or replaces an agent's goal.
    SetGoal {
        /// The goal.
        goal: Goal,
    },
    /// Removes an agent's goal.
    ClearGoal {
        /// Whose.
        agent: AgentId,
    },
    /// Sets or replaces an attacker's attack; the attacker gets that role.
    SetAttack {
        /// The attack.
        attack: Attack,
    },
    /// Removes an attacker's attack and role.
    ClearAttack {
        /// The attacker.
        agent: AgentId,
    },
    /// Changes what a signal shows from a frame on.
    SetSignal {
        /// Position in [`Scene::signals`].
        signal: usize,
        /// First frame with the new state.
        from_frame: usize,
        /// The new state, until the end.
        state: SignalState,
    },
    /// Sets a cell of the noise map.
    SetPin {
        /// The cell and its level.
        pin: Pin,
    },
    /// Gives a cell of the noise map, or all cells of an agent, back to the task.
    ClearPin {
        /// Whose.
        agent: AgentId,
        /// Which model frame; all if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<usize>,
    },
    /// Lays an agent's future along a line drawn by hand, from its present place to the last point.
    Sketch {
        /// Who.
        agent: AgentId,
        /// The line, m.
        points: Vec<[f64; 2]>,
        /// Scene time at which it is at the end, s, after the present.
        time_s: f64,
    },
    /// Moves the present.
    SetNow {
        /// The new present frame.
        frame: usize,
    },
}

/// Why an edit cannot be applied.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EditError {
    /// The scene has no such agent.
    #[error("agent \"{0}\" is not in the scene")]
    UnknownAgent(AgentId),
    /// The id is taken.
    #[error("the scene already has an agent \"{0}\"")]
    DuplicateAgent(AgentId),
    /// The agent cannot be moved where it is not seen.
    #[error("agent \"{agent}\" is not valid at frame {frame}, the present")]
    NotPresent {
        /// Who.
        agent: AgentId,
        /// The present frame.
        frame: usize,
    },
    /// A number is not usable.
    #[error("{name} of {value} is not possible: {why}")]
    BadValue {
        /// What was given.
        name: &'static str,
        /// The value.
        value: f64,
        /// The rule it breaks.
        why: &'static str,
    },
    /// The scene has no such signal.
    #[error("signal {0} is not in the scene")]
    UnknownSignal(usize),
}

impl Edit {
    /// A short line for the history list.
    pub fn label(&self) -> String {
        let of = self.agent().map_or(String::new(), AgentId::short);
        match self {
            Self::Move { .. } => format!("Move {of}"),
            Self::Pace { factor, .. } => format!("{of} goes {factor:.2} times as fast"),
            Self::Resize { .. } => format!("Resize {of}"),
            Self::Add { kind, .. } => format!("Add {} {of}", kind.word()),
            Self::Remove { .. } => format!("Delete {of}"),
            Self::SetRole { role, .. } => match role {
                Role::Ego => format!("Make {of} the ego"),
                Role::Attacker => format!("Make {of} an attacker"),
                Role::Other => format!("Make {of} an ordinary agent"),
            },
            Self::SetControl { control, .. } => match control {
                Control::Free => format!("Free {of}"),
                Control::Frozen => format!("Freeze {of}"),
                Control::Log => format!("Return {of} to the log"),
            },
            Self::SetGoal { .. } => format!("Set goal of {of}"),
            Self::ClearGoal { .. } => format!("Clear goal of {of}"),
            Self::SetAttack { attack } => format!("Aim {of} at {}", attack.target.short()),
            Self::ClearAttack { .. } => format!("Stop attack of {of}"),
            Self::SetSignal { signal, .. } => format!("Change signal {signal}"),
            Self::SetPin { .. } => format!("Set noise of {of}"),
            Self::ClearPin { .. } => format!("Clear noise of {of}"),
            Self::Sketch { .. } => format!("Draw the way of {of}"),
            Self::SetNow { frame } => format!("Move the present to frame {frame}"),
        }
    }

    /// The agent it is about, if any.
    pub fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Move { agent, .. }
            | Self::Pace { agent, .. }
            | Self::Resize { agent, .. }
            | Self::Add { agent, .. }
            | Self::Remove { agent }
            | Self::SetRole { agent, .. }
            | Self::SetControl { agent, .. }
            | Self::ClearGoal { agent }
            | Self::ClearAttack { agent }
            | Self::Sketch { agent, .. }
            | Self::ClearPin { agent, .. } => Some(agent),
            Self::SetGoal { goal } => Some(&goal.agent),
            Self::SetAttack { attack } => Some(&attack.attacker),
            Self::SetPin { pin } => Some(&pin.agent),
            Self::SetSignal { .. } | Self::SetNow { .. } => None,
        }
    }

    /// Whether somebody is elsewhere or signals show something else after it: what whoever drove there meets, not what is
    /// wanted of anybody.
    pub fn changes_world(&self) -> bool {
        matches!(
            self,
            Self::Move { .. }
                | Self::Pace { .. }
                | Self::Resize { .. }
                | Self::Add { .. }
                | Self::Remove { .. }
                | Self::SetSignal { .. }
                | Self::Sketch { .. }
        )
    }

    /// Whether gates, fault and escape of a result may be others after it. They read who is where, who meets whom and the
    /// present; goals, signals and what the next run is told say nothing about them.
    pub fn changes_findings(&self) -> bool {
        match self {
            Self::SetControl { control, .. } => *control == Control::Log,
            Self::SetGoal { .. }
            | Self::ClearGoal { .. }
            | Self::SetSignal { .. }
            | Self::SetPin { .. }
            | Self::ClearPin { .. } => false,
            Self::Move { .. }
            | Self::Pace { .. }
            | Self::Resize { .. }
            | Self::Add { .. }
            | Self::Remove { .. }
            | Self::SetRole { .. }
            | Self::SetAttack { .. }
            | Self::ClearAttack { .. }
            | Self::Sketch { .. }
            | Self::SetNow { .. } => true,
        }
    }
}

impl Scene {
    /// The scene after `edit`, quantised, with the edit appended to [`Scene::edits`].
    ///
    /// # Errors
    /// If the edit names an agent or signal that is not there, or holds an impossible number.
    pub fn edited(&self, edit: &Edit) -> Result<Self, EditError> {
        let mut scene = self.clone();
        scene.apply(edit)?;
        scene.edits.push(edit.clone());
        Ok(scene)
    }

    fn apply(&mut self, edit: &Edit) -> Result<(), EditError> {
        match edit {
            Edit::Move {
                agent,
                point,
                heading,
                speed,
            } => self.move_agent(agent, pose_of(*point, *heading)?, *speed)?,
            Edit::Pace { agent, factor } => self.pace(agent, *factor)?,
            Edit::Resize {
                agent,
                length,
                width,
            } => {
                let (length, width) = (positive("length", *length)?, positive("width", *width)?);
                self.change(agent, |agent| {
                    (agent.length, agent.width) = (length, width);
                })?;
            }
            Edit::Add {
                agent,
                kind,
                point,
                heading,
                speed,
                size,
            } => {
                let track = self.approach(pose_of(*point, *heading)?, speed_of(*speed)?);
                self.add(agent, *kind, track, *size)?;
            }
            Edit::Remove { agent } => {
                let index = self.known(agent)?;
                self.agents.remove(index);
                self.goals.retain(|goal| goal.agent != *agent);
                self.attacks
                    .retain(|attack| attack.attacker != *agent && attack.target != *agent);
                self.pins.retain(|pin| pin.agent != *agent);
                self.log.remove(agent);
            }
            Edit::SetRole { agent, role } => {
                self.known(agent)?;
                if *role == Role::Ego {
                    self.set_ego(agent);
                } else {
                    self.change(agent, |agent| agent.role = *role)?;
                }
            }
            Edit::SetControl { agent, control } => {
                let logged = self.logged_track(agent).cloned();
                self.change(agent, |agent| {
                    agent.control = *control;
                    if let (Control::Log, Some(track)) = (control, logged) {
                        agent.track = track;
                    }
                })?;
                if *control == Control::Log {
                    self.log.remove(agent);
                }
            }
            Edit::SetGoal { goal } => {
                self.known(&goal.agent)?;
                finite("goal x", goal.point[0])?;
                finite("goal y", goal.point[1])?;
                finite("goal time", goal.time_s)?;
                self.goals.retain(|old| old.agent != goal.agent);
                self.goals.push(goal.quantised());
            }
            Edit::ClearGoal { agent } => {
                self.known(agent)?;
                self.goals.retain(|goal| goal.agent != *agent);
            }
            Edit::SetAttack { attack } => {
                self.known(&attack.target)?;
                finite("contact time", attack.time_s)?;
                self.change(&attack.attacker, |agent| {
                    if agent.role == Role::Other {
                        agent.role = Role::Attacker;
                    }
                })?;
                self.attacks.retain(|old| old.attacker != attack.attacker);
                self.attacks.push(attack.quantised());
            }
            Edit::ClearAttack { agent } => {
                self.attacks.retain(|attack| attack.attacker != *agent);
                self.change(agent, |agent| {
                    if agent.role == Role::Attacker {
                        agent.role = Role::Other;
                    }
                })?;
            }
            Edit::SetSignal {
                signal,
                from_frame,
                state,
            } => {
                let frames = self.frames;
                let signals = Arc::make_mut(&mut self.signals);
                let changed = signals
                    .get_mut(*signal)
                    .ok_or(EditError::UnknownSignal(*signal))?;
                changed.states = (0..frames)
                    .map(|frame| {
                        if frame >= *from_frame {
                            *state
                        } else {
                            changed.at(frame)
                        }
                    })
                    .collect();
            }
            Edit::SetPin { pin } => {
                self.known(&pin.agent)?;
                if !(0.0..=1.0).contains(&pin.level) {
                    return Err(EditError::BadValue {
                        name: "noise level",
                        value: pin.level,
                        why: "it must lie in 0 to 1",
                    });
                }
                self.pins
                    .retain(|old| (&old.agent, old.token) != (&pin.agent, pin.token));
                self.pins.push(Pin {
                    level: quantise(pin.level),
                    ..pin.clone()
                });
            }
            Edit::ClearPin { agent, token } => {
                self.known(agent)?;
                self.pins.retain(|pin| {
                    pin.agent != *agent || token.is_some_and(|token| pin.token != token)
                });
            }
            Edit::Sketch {
                agent,
                points,
                time_s,
            } => self.follow_drawing(agent, points, *time_s)?,
            Edit::SetNow { frame } => self.now = (*frame).min(self.frames.saturating_sub(1)),
        }
        Ok(())
    }

    fn known(&self, id: &AgentId) -> Result<usize, EditError> {
        self.agent_index(id)
            .ok_or_else(|| EditError::UnknownAgent(id.clone()))
    }

    fn change(&mut self, id: &AgentId, change: impl FnOnce(&mut Agent)) -> Result<(), EditError> {
        let index = self.known(id)?;
        change(Arc::make_mut(&mut self.agents[index]));
        Ok(())
    }

    /// Keeps the track as first recorded before it is changed.
    pub(super) fn remember(&mut self, index: usize) {
        let agent = &self.agents[index];
        self.log
            .entry(agent.id.clone())
            .or_insert_with(|| agent.track.clone());
    }

    fn move_agent(
        &mut self,
        id: &AgentId,
        pose: Pose,
        speed: Option<f64>,
    ) -> Result<(), EditError> {
        let index = self.known(id)?;
        let now = self.now;
        let Some(&present) = self.agents[index].track.get(now) else {
            return Err(EditError::NotPresent {
                agent: id.clone(),
                frame: now,
            });
        };
        self.remember(index);
        let approach = match speed {
            Some(speed) => Some(self.approach(pose, speed_of(speed)?)),
            None => None,
        };
        let from = present.pose();
        let turn = DVec2::from_angle(pose.heading - from.heading);
        let agent = Arc::make_mut(&mut self.agents[index]);
        for (frame, slot) in agent.track.states_mut().iter_mut().enumerate() {
            let Some(state) = slot else { continue };
            *state = match &approach {
                Some(track) if frame <= now => track.get(frame).copied().unwrap_or(*state),
                _ => {
                    let local = Pose::new(
                        from.local_from_outer(state.position),
                        state.heading - from.heading,
                    );
                    let moved = pose.compose(local);
                    State {
                        position: moved.point,
                        heading: moved.heading,
                        velocity: turn.rotate(state.velocity),
                    }
                }
            }
            .quantised();
        }
        Ok(())
    }

    fn pace(&mut self, id: &AgentId, factor: f64) -> Result<(), EditError> {
        let index = self.known(id)?;
        let now = self.now;
        let old = self.agents[index].track.clone();
        let Some((first, last)) = old.span().filter(|_| old.get(now).is_some()) else {
            return Err(EditError::NotPresent {
                agent: id.clone(),
                frame: now,
            });
        };
        if !(0.05..=20.0).contains(&factor) {
            return Err(EditError::BadValue {
                name: "factor on the speed",
                value: factor,
                why: "it must lie in 0.05 to 20",
            });
        }
        self.remember(index);
        let dt_s = self.dt_s;
        let at = |frame: usize| {
            let wanted = now as f64 + (frame as f64 - now as f64) * factor;
            let end = wanted.clamp(first as f64, last as f64);
            let mut state = old.sample(end).or_else(|| bridged(&old, end))?;
            state.position += state.velocity * ((wanted - end) * dt_s);
            state.velocity *= factor;
            Some(state.quantised())
        };
        let agent = Arc::make_mut(&mut self.agents[index]);
        for (frame, slot) in agent.track.states_mut().iter_mut().enumerate() {
            *slot = slot.and_then(|_| at(frame));
        }
        Ok(())
    }

    /// A straight approach at constant speed that passes `pose` at the present and goes on until the end.
    fn approach(&self, pose: Pose, speed: f64) -> Track {
        let states = (0..self.frames).map(|frame| {
            let ahead = (frame as f64 - self.now as f64) * self.dt_s * speed;
            let there = Pose::new(pose.outer_from_local(dvec2(ahead, 0.0)), pose.heading);
            Some(State::along(there, speed).quantised())
        });
        Track::new(states.collect())
    }

    fn add(
        &mut self,
        id: &AgentId,
        kind: AgentKind,
        track: Track,
        size: Option<[f64; 2]>,
    ) -> Result<(), EditError> {
        if self.agent(id).is_some() {
            return Err(EditError::DuplicateAgent(id.clone()));
        }
        let mut agent = Agent::new(id.as_str(), kind, track);
        if let Some([length, width]) = size {
            agent.length = positive("length", length)?;
            agent.width = positive("width", width)?;
        }
        self.agents.push(Arc::new(agent));
        Ok(())
    }
}

/// The state of a track at a frame in a gap: between the last one seen before it and the next one after it.
fn bridged(track: &Track, frame: f64) -> Option<State> {
    let before = track.valid().rfind(|(at, _)| *at as f64 <= frame)?;
    let after = track.valid().find(|(at, _)| *at as f64 >= frame)?;
    let width = (after.0 - before.0).max(1) as f64;
    let share = (frame - before.0 as f64) / width;
    Some(before.1.lerp(after.1, share))
}

fn pose_of(point: [f64; 2], heading: f64) -> Result<Pose, EditError> {
    let point = dvec2(finite("x", point[0])?, finite("y", point[1])?);
    Ok(Pose::new(point, finite("heading", heading)?).quantised())
}

fn finite(name: &'static str, value: f64) -> Result<f64, EditError> {
    if value.is_finite() && value.abs() < 1e8 {
        Ok(value)
    } else {
        let why = "it must be a finite number below 1e8";
        Err(EditError::BadValue { name, value, why })
    }
}

/// A speed that scene files can hold, m/s.
fn speed_of(value: f64) -> Result<f64, EditError> {
    if value.abs() <= FASTEST_MPS {
        Ok(value)
    } else {
        let why = "it must be at most 10,000 m/s";
        Err(EditError::BadValue {
            name: "speed",
            value,
            why,
        })
    }
}

fn positive(name: &'static str, value: f64) -> Result<f64, EditError> {
    if (0.05..=100.0).contains(&value) {
        Ok(quantise(value))
    } else {
        let why = "it must lie in 0.05 to 100 m";
        Err(EditError::BadValue { name, value, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::FRAC_PI_2;

    /// One vehicle driving east at 10 m/s, 1 s apart, present at frame 1 (x = 10).
    fn scene() -> Scene {
        let states = (0..4).map(|frame| {
            Some(State::along(
                Pose::at(10.0 * f64::from(frame), 0.0, 0.0),
                10.0,
            ))
        });
        let agent = Agent::new("car", AgentKind::Vehicle, Track::new(states.collect()));
        Scene {
            dt_s: 1.0,
            frames: 4,
            now: 1,
            agents: vec![Arc::new(agent)],
            ..Scene::default()
        }
    }

    #[test]
    fn who_goes_faster_keeps_its_place_at_the_present_and_its_way() {
        let pace = |factor| {
            let edit = Edit::Pace {
                agent: AgentId::new("car"),
                factor,
            };
            scene().edited(&edit)
        };
        let faster = pace(1.5).unwrap();
        let xs = |scene: &Scene| -> Vec<f64> {
            let states = scene.agents[0].track.valid();
            states.map(|(_, state)| state.position.x).collect()
        };
        // 15 m/s through x = 10 at frame 1; the last one lies beyond the end of the way
        assert_eq!(xs(&faster), [-5.0, 10.0, 25.0, 40.0]);
        assert_eq!(faster.agents[0].track.get(3).unwrap().speed(), 15.0);
        assert_eq!(xs(&pace(0.5).unwrap()), [5.0, 10.0, 15.0, 20.0]);
        assert_eq!(faster.log[&AgentId::new("car")], scene().agents[0].track);
        assert!(pace(0.0).is_err() && pace(f64::NAN).is_err());
        // a frame that was not seen stays so, the others lose nothing by it
        let mut gapped = scene();
        Arc::make_mut(&mut gapped.agents[0]).track.set(2, None);
        let edit = Edit::Pace {
            agent: AgentId::new("car"),
            factor: 0.5,
        };
        let slower = gapped.edited(&edit).unwrap();
        assert_eq!(xs(&slower), [5.0, 10.0, 20.0]);
    }

    #[test]
    fn moving_carries_the_whole_track_rigidly() {
        let edit = Edit::Move {
            agent: AgentId::new("car"),
            point: [0.0, 0.0],
            heading: FRAC_PI_2,
            speed: None,
        };
        let moved = scene().edited(&edit).unwrap();
        let track = &moved.agents[0].track;
        // the next frame was 10 m ahead: facing north it is at (0, 10), velocity turned too
        let next = track.get(2).unwrap();
        assert!((next.position - dvec2(0.0, 10.0)).length() < 1e-3);
        assert!((next.velocity - dvec2(0.0, 10.0)).length() < 1e-3);
        assert_eq!(moved.log.len(), 1);
    }

    #[test]
    fn a_new_speed_makes_the_history_a_straight_approach() {
        let edit = Edit::Move {
            agent: AgentId::new("car"),
            point: [10.0, 0.0],
            heading: 0.0,
            speed: Some(4.0),
        };
        let slower = scene().edited(&edit).unwrap();
        let before = slower.agents[0].track.get(0).unwrap();
        assert_eq!((before.position, before.speed()), (dvec2(6.0, 0.0), 4.0)); // 10 − 4 · 1 s
    }

    #[test]
    fn returning_to_the_log_restores_the_recorded_track() {
        let id = AgentId::new("car");
        let moved = scene()
            .edited(&Edit::Move {
                agent: id.clone(),
                point: [0.0, 50.0],
                heading: 1.0,
                speed: None,
            })
            .unwrap();
        let back = moved
            .edited(&Edit::SetControl {
                agent: id,
                control: Control::Log,
            })
            .unwrap();
        assert_eq!(back.agents[0].track, scene().agents[0].track);
        assert!(back.log.is_empty());
    }

    #[test]
    fn impossible_edits_name_what_is_wrong() {
        let unknown = scene().edited(&Edit::Remove {
            agent: AgentId::new("ghost"),
        });
        assert_eq!(
            unknown.unwrap_err().to_string(),
            "agent \"ghost\" is not in the scene"
        );
        let nan = scene().edited(&Edit::Move {
            agent: AgentId::new("car"),
            point: [f64::NAN, 0.0],
            heading: 0.0,
            speed: None,
        });
        assert!(matches!(nan, Err(EditError::BadValue { name: "x", .. })));
    }

    #[test]
    fn removing_an_agent_takes_its_goal_and_attacks_along() {
        let id = AgentId::new("car");
        let with_goal = scene()
            .edited(&Edit::SetGoal {
                goal: Goal {
                    agent: id.clone(),
                    point: [30.0, 0.0],
                    time_s: 3.0,
                    heading: None,
                    speed: None,
                    tolerance_m: 1.0,
                    hard: true,
                    extra: crate::map::Extra::new(),
                },
            })
            .unwrap();
        let without = with_goal.edited(&Edit::Remove { agent: id }).unwrap();
        assert!(without.goals.is_empty() && without.agents.is_empty());
    }
}
