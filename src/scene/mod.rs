//! Agents over time on a map: the scene, edits to it, its history, and the scene file.
//!
//! A [`Scene`] is a value. Edits return a new one; tracks and the map are shared, so a snapshot costs what changed.

mod agent;
mod bundle;
mod disk;
mod drawn;
mod edit;
mod file;
#[cfg(test)]
pub(crate) mod fixtures;
mod history;
mod intent;
mod recipe;
mod signal;
mod track;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use agent::{Agent, AgentId, AgentKind, Control, MADE_FROM, Role};
pub use bundle::{CASES_FORMAT, cases_from_json, cases_to_json};
pub use disk::{NewFile, write_whole};
pub(crate) use disk::{for_terminal, in_words};
pub use edit::{Edit, EditError};
pub(crate) use file::MAX_LANE_M;
pub use file::{
    FORMAT, FileError, Problem, VERSION, file_word, json_schema, read_scene, scene_from_json,
    scene_to_json, scene_to_value, write_scene,
};
pub use history::{Entry, History};
pub use intent::{Attack, Goal, Pin};
pub use recipe::{
    AgentBefore, Avoidability, Fault, GateResult, Generated, GivenToken, Guidance, Guide, Metric,
    PartialNoise, Reaction, Recipe, ScheduleKind, SignalBefore, Spread, Task,
};
pub use signal::{Signal, SignalState};
pub use track::{FASTEST_MPS, State, Track};

use crate::geometry::DVec2;
use crate::map::{Extra, Map};

/// A driving scene: agents over `frames` frames, `dt_s` apart, on a map. Frame 0 is time 0.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// A name a person recognises.
    pub name: String,
    /// Where it comes from: data set, file, program.
    pub source: String,
    /// Licence of the data, as far as known.
    pub licence: String,
    /// Time between frames, s, > 0.
    pub dt_s: f64,
    /// Number of frames.
    pub frames: usize,
    /// The present: frames up to this one are history, later ones future.
    pub now: usize,
    /// The road network.
    pub map: Arc<Map>,
    /// Agents in file order, ids unique.
    pub agents: Vec<Arc<Agent>>,
    /// Traffic lights.
    pub signals: Arc<Vec<Signal>>,
    /// Goals, at most one per agent.
    pub goals: Vec<Goal>,
    /// Attacks, at most one per attacker.
    pub attacks: Vec<Attack>,
    /// Noise levels set by hand.
    pub pins: Vec<Pin>,
    /// What was done to the scene since it was opened first, in order.
    pub edits: Vec<Edit>,
    /// Tracks as first recorded, of agents whose track was changed since.
    pub log: BTreeMap<AgentId, Track>,
    /// How the present future was made, if a model made it.
    pub generated: Option<Arc<Generated>>,
    /// Fields of the scene file we do not know.
    pub extra: Extra,
}

/// The field of a scene's extras that says who drove on in it, where no model made its future in one run: the planner's
/// name, or [`WORLD`].
pub const DRIVEN_BY: &str = "driven_by";
/// The field of a scene's extras that says how much later than the recording a world that runs on has its time 0, s.
pub const BEGAN_S: &str = "began_s";
/// The model itself, half a second after half a second.
pub const WORLD: &str = "world";

/// The field of a scene's extras that says which numbers a sweep gave it: a list of objects with what, agent, value, unit.
pub const SWEPT: &str = "swept";

impl Scene {
    /// Who drove on in it, as [`DRIVEN_BY`] says; `None` once a model has made its future.
    pub fn driven_by(&self) -> Option<&str> {
        let driven = self
            .extra
            .get(DRIVEN_BY)
            .filter(|_| self.generated.is_none());
        driven.and_then(|by| by.as_str())
    }

    /// How much later than that of its recording its time 0 is, s, as [`BEGAN_S`] says.
    pub fn began_s(&self) -> f64 {
        let began = self.extra.get(BEGAN_S).and_then(|began_s| began_s.as_f64());
        began.filter(|began_s| began_s.is_finite()).unwrap_or(0.0)
    }

    /// Time of the last frame, s.
    pub fn duration_s(&self) -> f64 {
        self.frames.saturating_sub(1) as f64 * self.dt_s
    }

    /// Scene time of a frame, s.
    pub fn time_of(&self, frame: usize) -> f64 {
        frame as f64 * self.dt_s
    }

    /// The frame (with fraction) at a scene time; not clamped.
    pub fn frame_at(&self, time_s: f64) -> f64 {
        time_s / self.dt_s
    }

    /// Scene time of the present, s.
    pub fn now_s(&self) -> f64 {
        self.time_of(self.now)
    }

    /// The agent with this id.
    pub fn agent(&self, id: &AgentId) -> Option<&Arc<Agent>> {
        self.agents.iter().find(|agent| agent.id == *id)
    }

    /// Position of an agent in [`Scene::agents`].
    pub fn agent_index(&self, id: &AgentId) -> Option<usize> {
        self.agents.iter().position(|agent| agent.id == *id)
    }

    /// The ego, if one is marked.
    pub fn ego(&self) -> Option<&Arc<Agent>> {
        self.agents.iter().find(|agent| agent.role == Role::Ego)
    }

    /// The goal of an agent.
    pub fn goal_of(&self, id: &AgentId) -> Option<&Goal> {
        self.goals.iter().find(|goal| goal.agent == *id)
    }

    /// The attack an agent makes.
    pub fn attack_by(&self, id: &AgentId) -> Option<&Attack> {
        self.attacks.iter().find(|attack| attack.attacker == *id)
    }

    /// The frame of the contact that an agent is on its way to; `None` if it attacks nobody after the present.
    pub fn attacks_until(&self, id: &AgentId) -> Option<usize> {
        let attack = self.attack_by(id)?;
        let frame = self.frame_at(attack.time_s).round();
        (frame > self.now as f64).then_some(frame as usize)
    }

    /// The track as recorded first: the log where it was replaced, else the present one.
    pub fn logged_track(&self, id: &AgentId) -> Option<&Track> {
        self.log
            .get(id)
            .or_else(|| self.agent(id).map(|agent| &agent.track))
    }

    /// Whether an edit added the agent: nobody recorded it.
    pub fn is_added(&self, id: &AgentId) -> bool {
        let adds = |edit: &Edit| matches!(edit, Edit::Add { agent, .. } if agent == id);
        self.edits.iter().any(adds)
    }

    /// Whether a model wrote the agent's future: it is not as recorded, and no edit put it there.
    pub fn is_by_model(&self, id: &AgentId) -> bool {
        let by_hand = |edit: &Edit| {
            let writes = matches!(
                edit,
                Edit::Move { .. } | Edit::Pace { .. } | Edit::Sketch { .. } | Edit::Add { .. }
            );
            writes && edit.agent() == Some(id)
        };
        self.log.contains_key(id) && !self.edits.iter().any(by_hand)
    }

    /// The agents' states at a time (interpolated), with their positions in [`Scene::agents`].
    pub fn states_at(&self, time_s: f64) -> impl Iterator<Item = (usize, &Arc<Agent>, State)> {
        let frame = self.frame_at(time_s);
        self.agents
            .iter()
            .enumerate()
            .filter_map(move |(index, agent)| Some((index, agent, agent.track.sample(frame)?)))
    }

    /// The last time (s) at which anybody is there whose future a model made; `None` if nobody's was.
    pub fn made_end_s(&self) -> Option<f64> {
        let made = self.generated.as_ref()?;
        let rows = made.recipe.rows();
        let last = rows
            .filter(|id| !made.recipe.kept.contains(id))
            .filter_map(|id| Some(self.agent(id)?.track.span()?.1))
            .max()?;
        (last > self.now).then(|| self.time_of(last))
    }

    /// Whether gates, fault and escape of the result are of the scene before an edit.
    pub fn is_edited_since_made(&self) -> bool {
        let known = self.generated.as_ref().and_then(|made| made.edits);
        let Some(later) = known.and_then(|known| self.edits.get(known..)) else {
            return false;
        };
        // who came and went since is as if never there
        let gone = |id: &AgentId| {
            let came = |edit: &Edit| matches!(edit, Edit::Add { agent, .. } if agent == id);
            self.agent(id).is_none() && later.iter().any(came)
        };
        let mut others = later.iter().filter(|edit| !edit.agent().is_some_and(gone));
        others.any(Edit::changes_findings)
    }

    /// The topmost agent whose footprint, grown by `margin` metres, holds `point` at a time.
    pub fn agent_at(&self, point: DVec2, time_s: f64, margin: f64) -> Option<AgentId> {
        self.states_at(time_s)
            .map(|(_, agent, state)| (agent, agent.footprint(&state)))
            .filter(|(_, footprint)| footprint.grown(margin).contains(point))
            .min_by(|(_, a), (_, b)| {
                a.distance_to_point(point)
                    .total_cmp(&b.distance_to_point(point))
                    .then((a.length * a.width).total_cmp(&(b.length * b.width)))
            })
            .map(|(agent, _)| agent.id.clone())
    }

    /// Marks `id` as the ego and takes the mark from any other agent. Unknown ids change nothing.
    pub fn set_ego(&mut self, id: &AgentId) {
        if self.agent(id).is_none() {
            return;
        }
        for agent in &mut self.agents {
            if agent.id == *id && agent.role != Role::Ego {
                Arc::make_mut(agent).role = Role::Ego;
            } else if agent.id != *id && agent.role == Role::Ego {
                Arc::make_mut(agent).role = Role::Other;
            }
        }
    }

    /// A sensible ego for a file that names none: the vehicle that is valid longest among those that move more
    /// than 2 m; else the vehicle valid longest; ties go to the longer path, then to file order.
    pub fn likely_ego(&self) -> Option<AgentId> {
        self.agents
            .iter()
            .filter(|agent| agent.kind == AgentKind::Vehicle && agent.track.span().is_some())
            .map(|agent| {
                let travelled = agent.track.travelled();
                (
                    travelled > 2.0,
                    agent.track.valid().count(),
                    travelled,
                    agent,
                )
            })
            .max_by(|a, b| {
                (a.0, a.1)
                    .cmp(&(b.0, b.1))
                    .then(a.2.total_cmp(&b.2))
                    .then(std::cmp::Ordering::Greater)
            })
            .map(|(.., agent)| agent.id.clone())
    }

    /// The same with those only who were recorded ([`Agent::is_recorded`]): for measuring against the log and learning from
    /// it. Goals, attacks and pins of the others go with them; the scene may be left without an ego.
    pub fn recorded(&self) -> Self {
        let mut scene = self.clone();
        scene.agents.retain(|agent| agent.is_recorded());
        scene.forget_absent();
        scene
    }

    /// Drops what is said of agents that are not there: goals, attacks, pins, what the log has.
    pub fn forget_absent(&mut self) {
        let agents = &self.agents;
        let there = |id: &AgentId| agents.iter().any(|agent| agent.id == *id);
        self.goals.retain(|goal| there(&goal.agent));
        self.attacks
            .retain(|attack| there(&attack.attacker) && there(&attack.target));
        self.pins.retain(|pin| there(&pin.agent));
        self.log.retain(|id, _| there(id));
    }

    /// The part from `start_s` for `length_s` seconds (as far as there is), time starting again at 0. Agents
    /// never valid in it are dropped, with their goals, attacks and pins; the present and the frames that a recipe and
    /// findings name move along and are clamped. Sentences of findings keep their times: `generator::cut` finds anew.
    pub fn window(&self, start_s: f64, length_s: f64) -> Self {
        let last = self.frames.saturating_sub(1);
        let first = (self.frame_at(start_s).max(0.0).round() as usize).min(last);
        let count = ((length_s.max(0.0) / self.dt_s).round() as usize)
            .saturating_add(1)
            .min(self.frames - first);
        let cut = |track: &Track| {
            Track::new(
                (first..first + count)
                    .map(|frame| track.get(frame).copied())
                    .collect(),
            )
        };
        let shift_s = self.time_of(first);
        let agents: Vec<Arc<Agent>> = self
            .agents
            .iter()
            .map(|agent| {
                let track = cut(&agent.track);
                Arc::new(Agent {
                    track,
                    ..Agent::clone(agent)
                })
            })
            .filter(|agent| agent.track.span().is_some())
            .collect();
        let signals = self.signals.iter().map(|signal| Signal {
            states: (first..first + count)
                .map(|frame| signal.at(frame))
                .collect(),
            ..signal.clone()
        });
        let mut goals = self.goals.clone();
        goals.iter_mut().for_each(|goal| goal.time_s -= shift_s);
        let mut attacks = self.attacks.clone();
        attacks
            .iter_mut()
            .for_each(|attack| attack.time_s -= shift_s);
        let mut scene = Self {
            frames: count,
            now: self.now.saturating_sub(first).min(count - 1),
            log: self
                .log
                .iter()
                .map(|(id, track)| (id.clone(), cut(track)))
                .collect(),
            signals: Arc::new(signals.collect()),
            generated: self.generated.as_ref().map(|made| {
                let mut made = Generated::clone(made);
                made.from_frame = made.from_frame.saturating_sub(first);
                for gate in &mut made.gates {
                    gate.frame = gate.frame.map(|frame| frame.saturating_sub(first));
                }
                for reaction in &mut made.recipe.reactions {
                    for before in &mut reaction.moved {
                        let states = before.states.iter().skip(first).take(count);
                        before.states = states.copied().collect();
                    }
                    for before in &mut reaction.signals_before {
                        let states = before.states.iter().skip(first).take(count);
                        before.states = states.copied().collect();
                    }
                }
                Arc::new(made)
            }),
            agents,
            goals,
            attacks,
            ..self.clone()
        };
        scene.forget_absent();
        scene
    }

    /// Every state, size and goal on the file grid. Importers and edits leave scenes quantised, so a file read
    /// back holds the same bits.
    pub fn quantised(mut self) -> Self {
        use crate::geometry::quantise;
        for agent in &mut self.agents {
            let agent = Arc::make_mut(agent);
            agent.length = quantise(agent.length);
            agent.width = quantise(agent.width);
            agent.track.quantise();
        }
        self.log.values_mut().for_each(Track::quantise);
        self.goals
            .iter_mut()
            .for_each(|goal| *goal = goal.quantised());
        self
    }

    /// A digest of everything that is saved: equal scenes, equal hashes. Hex SHA-256 of the file's text.
    pub fn hash(&self) -> String {
        file::content_hash(self)
    }

    /// Smallest rectangle around all valid positions, (low, high).
    pub fn agent_bounds(&self) -> Option<(DVec2, DVec2)> {
        self.agents
            .iter()
            .flat_map(|agent| agent.track.valid())
            .fold(None, |all, (_, state)| {
                let (low, high) = all.unwrap_or((state.position, state.position));
                Some((low.min(state.position), high.max(state.position)))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Pose, dvec2};

    /// A vehicle on the x axis at `speed` m/s, valid in `frames` of 11 frames, 1 s apart.
    fn vehicle(id: &str, speed: f64, frames: std::ops::Range<usize>) -> Arc<Agent> {
        let states = (0..11).map(|frame| {
            let pose = Pose::at(speed * frame as f64, 0.0, 0.0);
            frames.contains(&frame).then(|| State::along(pose, speed))
        });
        Arc::new(Agent::new(
            id,
            AgentKind::Vehicle,
            Track::new(states.collect()),
        ))
    }

    fn scene(agents: Vec<Arc<Agent>>) -> Scene {
        Scene {
            dt_s: 1.0,
            frames: 11,
            now: 5,
            agents,
            ..Scene::default()
        }
    }

    #[test]
    fn the_likely_ego_moves_and_is_seen_longest() {
        let parked = vehicle("parked", 0.0, 0..11);
        let short = vehicle("short", 9.0, 3..9);
        let long = vehicle("long", 5.0, 1..11);
        let scene = scene(vec![parked, short, long]);
        assert_eq!(scene.likely_ego(), Some(AgentId::new("long")));
    }

    #[test]
    fn marking_an_ego_unmarks_the_earlier_one() {
        let mut scene = scene(vec![vehicle("a", 1.0, 0..11), vehicle("b", 1.0, 0..11)]);
        scene.set_ego(&AgentId::new("a"));
        scene.set_ego(&AgentId::new("b"));
        scene.set_ego(&AgentId::new("nobody"));
        assert_eq!(scene.ego().map(|agent| agent.id.as_str()), Some("b"));
        assert_eq!(scene.agents[0].role, Role::Other);
    }

    #[test]
    fn a_window_starts_at_zero_and_drops_those_never_seen_in_it() {
        let mut whole = scene(vec![
            vehicle("stays", 2.0, 0..11),
            vehicle("left", 2.0, 0..3),
        ]);
        whole.goals.push(Goal {
            agent: AgentId::new("stays"),
            point: [20.0, 0.0],
            time_s: 10.0,
            heading: None,
            speed: None,
            tolerance_m: 1.0,
            hard: true,
            extra: Extra::new(),
        });
        let pin = |agent: &str| Pin {
            agent: AgentId::new(agent),
            token: 8,
            level: 0.5,
            extra: Extra::new(),
        };
        whole.pins = vec![pin("left"), pin("stays")];
        let part = whole.window(4.0, f64::INFINITY);
        assert_eq!(part.pins, [pin("stays")]);
        assert_eq!((part.frames, part.now, part.agents.len()), (7, 1, 1)); // frames 4 to 10; 5 − 4
        // at 4 s it was at 8 m
        assert_eq!(part.agents[0].track.get(0).map(|s| s.position.x), Some(8.0));
        assert_eq!(part.goals[0].time_s, 6.0);
    }

    #[test]
    fn picking_prefers_the_box_under_the_pointer() {
        let scene = scene(vec![vehicle("a", 2.0, 0..11), vehicle("b", 4.0, 0..11)]);
        // at 2 s: a at 4 m (box 1.65 to 6.35), b at 8 m (5.65 to 10.35)
        let pick = |x: f64| {
            scene
                .agent_at(dvec2(x, 0.0), 2.0, 0.5)
                .map(|id| id.to_string())
        };
        assert_eq!(pick(2.0).as_deref(), Some("a"));
        assert_eq!(pick(9.0).as_deref(), Some("b"));
        assert_eq!(pick(30.0), None);
    }
}
