//! Parameter sweeps: one scene again and again, with one or several of its numbers set to each of some values.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use super::attack::{AttackQuery, aim_of, attack_candidates};
use super::limits::limits_of;
use super::settings::Scope;
use crate::codec::{DT_S, NOW, T};
use crate::geometry::{DVec2, dvec2};
use crate::scene::{AgentId, Attack, Edit, EditError, Goal, SWEPT, Scene, State, Task, Track};

/// At most so many scenes come of one sweep.
pub const MOST_POINTS: usize = 400;

/// An agent slower than this has no speed to be swept, m/s.
const SLOWEST: f64 = 0.5;

/// What the model makes lasts so long, s.
const HORIZON_S: f64 = (T - NOW - 1) as f64 * DT_S;

/// The greatest seed of a sweep.
const MOST_SEED: f64 = 1e9;

/// What the ego is called, whatever its id.
const EGO: &str = "ego";

/// A kind of number that can be swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Scene time of an attacker's contact, s.
    Contact,
    /// Scene time at which an agent is to be at its goal, s.
    Arrival,
    /// How far an agent's goal is moved on along its heading, m.
    GoalAhead,
    /// How far an agent's goal is moved to the left of its heading, m.
    GoalLeft,
    /// An agent's speed at the present, m/s; it goes its way faster or slower, before and after.
    Speed,
    /// How far an agent with its whole way is moved on along its present heading, m.
    Ahead,
    /// How far an agent with its whole way is moved to the left, m.
    Left,
    /// Seed of the noise.
    Seed,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Contact,
        Self::Arrival,
        Self::GoalAhead,
        Self::GoalLeft,
        Self::Speed,
        Self::Ahead,
        Self::Left,
        Self::Seed,
    ];

    /// Those of a goal.
    pub const GOALS: [Self; 3] = [Self::Arrival, Self::GoalAhead, Self::GoalLeft];

    /// Its word on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Arrival => "arrival",
            Self::GoalAhead => "goal-ahead",
            Self::GoalLeft => "goal-left",
            Self::Speed => "speed",
            Self::Ahead => "ahead",
            Self::Left => "left",
            Self::Seed => "seed",
        }
    }

    /// Its unit; none of a seed.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Contact | Self::Arrival => "s",
            Self::Speed => "m/s",
            Self::GoalAhead | Self::GoalLeft | Self::Ahead | Self::Left => "m",
            Self::Seed => "",
        }
    }
}

/// A number of a scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// What kind of number.
    pub quantity: Quantity,
    /// Whose; if absent that of the first attack or goal, else the ego's, which can also be called `ego`.
    pub agent: Option<AgentId>,
}

impl fmt::Display for Parameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agent = self.agent.as_ref().map(AgentId::short);
        let whose = match &agent {
            Some(agent) => format!(" of {agent}"),
            None => String::new(),
        };
        let who = agent.as_deref().unwrap_or(EGO);
        match self.quantity {
            Quantity::Contact => write!(formatter, "contact{whose}"),
            Quantity::Arrival => write!(formatter, "arrival{whose}"),
            Quantity::GoalAhead => write!(formatter, "goal{whose} ahead"),
            Quantity::GoalLeft => write!(formatter, "goal{whose} left"),
            Quantity::Speed => write!(formatter, "speed of {who}"),
            Quantity::Ahead => write!(formatter, "{who} ahead"),
            Quantity::Left => write!(formatter, "{who} left"),
            Quantity::Seed => write!(formatter, "seed"),
        }
    }
}

/// Why a scene has no such variation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SweepError {
    /// There is no attack to vary.
    #[error("the scene has no attack{} to sweep the contact of: set one first", of(.0))]
    NoAttack(Option<AgentId>),
    /// There is no goal to vary.
    #[error("the scene has no goal{} to sweep: set one first", of(.0))]
    NoGoal(Option<AgentId>),
    /// Nobody is named, and there is no ego.
    #[error(
        "nobody is named to be swept, and the scene has no ego: name an agent, as in speed:ID, or give it an ego in the window"
    )]
    Nobody,
    /// It is not there at the present.
    #[error("agent \"{0}\" is not in the scene at its present")]
    NotPresent(AgentId),
    /// It stands.
    #[error(
        "agent \"{agent}\" goes {speed:.1} m/s at the present: one that stands has no speed to be swept"
    )]
    Stands {
        /// Who.
        agent: AgentId,
        /// Its speed, m/s.
        speed: f64,
    },
    /// A value that cannot be.
    #[error("{parameter} of {} is not possible; {least} to {most} is", with_unit(*.value, .unit))]
    Range {
        /// Which number.
        parameter: String,
        /// The value.
        value: f64,
        /// Its unit.
        unit: &'static str,
        /// The least that can be.
        least: f64,
        /// The most that can be.
        most: f64,
    },
    /// Two axes are of one and the same number.
    #[error("{0} is swept twice")]
    Twice(String),
    /// Its recorded way cannot be gone that fast.
    #[error("{parameter} of {} is not possible: on its recorded way that takes {what} of {found:.1} {unit} at {time_s:.1} s; its kind can do {most:.1}", with_unit(*.value, "m/s"))]
    TooFast {
        /// Which number.
        parameter: String,
        /// The value, m/s.
        value: f64,
        /// What it would take.
        what: &'static str,
        /// How much of it.
        found: f64,
        /// Its unit.
        unit: &'static str,
        /// Scene time, s.
        time_s: f64,
        /// What its kind can do.
        most: f64,
    },
    /// A contact between two of the model's frames.
    #[error("{parameter} of {} is not possible: contacts lie at half seconds from the present, such as {near}", with_unit(*.value, "s"))]
    OffGrid {
        /// Which number.
        parameter: String,
        /// The value, s.
        value: f64,
        /// The nearest that can be, s.
        near: f64,
    },
    /// As of the edit that sets it.
    #[error(transparent)]
    Edit(#[from] EditError),
}

fn of(agent: &Option<AgentId>) -> String {
    agent
        .as_ref()
        .map_or(String::new(), |agent| format!(" of \"{agent}\""))
}

impl Parameter {
    /// The numbers of a scene that can be swept: of its attacks and goals, of the ego, and of `agents`; last the seed.
    pub fn all(scene: &Scene, agents: &[AgentId]) -> Vec<Self> {
        let ego = scene.ego().map(|ego| &ego.id);
        let called_so = AgentId::new(EGO);
        let is_taken = scene.agent(&called_so).is_some();
        let with = |quantity: Quantity, agent: &AgentId| {
            let agent = match ego == Some(agent) && !is_taken {
                true => &called_so,
                false => agent,
            };
            Self {
                quantity,
                agent: Some(agent.clone()),
            }
        };
        let attackers = scene.attacks.iter().map(|attack| &attack.attacker);
        let mut all = Vec::new();
        for attacker in attackers.clone() {
            all.push(with(Quantity::Contact, attacker));
        }
        for goal in &scene.goals {
            for quantity in Quantity::GOALS {
                all.push(with(quantity, &goal.agent));
            }
        }
        let mut moved: Vec<&AgentId> = Vec::new();
        for agent in ego.into_iter().chain(attackers).chain(agents) {
            if !moved.contains(&agent) {
                moved.push(agent);
            }
        }
        for agent in moved {
            for quantity in [Quantity::Speed, Quantity::Ahead, Quantity::Left] {
                all.push(with(quantity, agent));
            }
        }
        all.push(Self {
            quantity: Quantity::Seed,
            agent: None,
        });
        all.retain(|parameter| parameter.value(scene).is_ok());
        all
    }

    /// Its value in a scene: moves are counted from where things are.
    ///
    /// # Errors
    /// If the scene has no such number.
    pub fn value(&self, scene: &Scene) -> Result<f64, SweepError> {
        match self.quantity {
            Quantity::Contact => Ok(self.attack(scene)?.time_s),
            Quantity::Arrival => Ok(self.goal(scene)?.time_s),
            Quantity::GoalAhead | Quantity::GoalLeft => self.goal(scene).map(|_| 0.0),
            Quantity::Ahead | Quantity::Left => self.mover(scene).map(|_| 0.0),
            Quantity::Seed => Ok(1.0),
            Quantity::Speed => {
                let (agent, state) = self.mover(scene)?;
                let speed = state.speed();
                match speed < SLOWEST {
                    true => Err(SweepError::Stands { agent, speed }),
                    false => Ok(speed),
                }
            }
        }
    }

    /// The least and the largest value it can have in a scene.
    ///
    /// # Errors
    /// As [`Parameter::value`].
    pub fn limits(&self, scene: &Scene) -> Result<[f64; 2], SweepError> {
        let value = self.value(scene)?;
        Ok(match self.quantity {
            Quantity::Contact | Quantity::Arrival => {
                [scene.now_s() + DT_S, scene.now_s() + HORIZON_S]
            }
            Quantity::Speed => [(0.05 * value).max(SLOWEST), 60.0_f64.min(20.0 * value)],
            Quantity::GoalAhead | Quantity::GoalLeft | Quantity::Ahead | Quantity::Left => {
                [-100.0, 100.0]
            }
            Quantity::Seed => [0.0, MOST_SEED],
        })
    }

    /// The nearest value that it can have in a scene: contacts lie at half seconds from the present, seeds are whole.
    pub fn nearest(&self, scene: &Scene, value: f64) -> f64 {
        let [least, most] = self.limits(scene).unwrap_or([value; 2]);
        let (from, grid) = match self.quantity {
            Quantity::Contact => (scene.now_s(), DT_S),
            Quantity::Seed => (0.0, 1.0),
            _ => (0.0, 1e-3),
        };
        let on_grid = from + ((value.clamp(least, most) - from) / grid).round() * grid;
        (on_grid * 1e4).round() / 1e4
    }

    /// Values to begin with: from, to, and how many.
    ///
    /// # Errors
    /// As [`Parameter::value`].
    pub fn usual(&self, scene: &Scene) -> Result<([f64; 2], usize), SweepError> {
        let (value, [least, most]) = (self.value(scene)?, self.limits(scene)?);
        let reach = match self.quantity {
            Quantity::Contact | Quantity::Arrival => 1.5,
            Quantity::Speed => 4.0,
            Quantity::GoalAhead | Quantity::Ahead => 10.0,
            Quantity::GoalLeft | Quantity::Left => 2.0,
            Quantity::Seed => return Ok(([1.0, 5.0], 5)),
        };
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        let ends = [value - reach, value + reach].map(|end| tenths(end.clamp(least, most)));
        Ok(match self.quantity {
            Quantity::Contact => {
                let ends = ends.map(|end| self.nearest(scene, end));
                let steps = ((ends[1] - ends[0]) / DT_S).round() as usize;
                (ends, 1 + steps)
            }
            _ => (ends, 5),
        })
    }

    /// The edit of a scene that gives it a value; none for a seed, which is no part of a scene.
    fn edit(&self, scene: &Scene, value: f64) -> Result<Option<Edit>, SweepError> {
        let [least, most] = self.limits(scene)?;
        if !(least - 1e-6..=most + 1e-6).contains(&value) {
            return Err(SweepError::Range {
                parameter: self.to_string(),
                value,
                unit: self.quantity.unit(),
                least,
                most,
            });
        }
        let near = self.nearest(scene, value);
        if self.quantity == Quantity::Contact && (near - value).abs() > 1e-3 {
            return Err(SweepError::OffGrid {
                parameter: self.to_string(),
                value,
                near,
            });
        }
        let aside = |heading: f64| match self.quantity {
            Quantity::GoalLeft | Quantity::Left => DVec2::from_angle(heading).perp() * value,
            _ => DVec2::from_angle(heading) * value,
        };
        Ok(Some(match self.quantity {
            Quantity::Seed => return Ok(None),
            Quantity::Contact => Edit::SetAttack {
                attack: Attack {
                    time_s: value,
                    ..self.attack(scene)?.clone()
                },
            },
            Quantity::Arrival => Edit::SetGoal {
                goal: Goal {
                    time_s: value,
                    ..self.goal(scene)?.clone()
                },
            },
            Quantity::GoalAhead | Quantity::GoalLeft => {
                let goal = self.goal(scene)?;
                let point = dvec2(goal.point[0], goal.point[1]);
                let heading = goal.heading.unwrap_or_else(|| way_to(scene, goal));
                Edit::SetGoal {
                    goal: Goal {
                        point: (point + aside(heading)).to_array(),
                        ..goal.clone()
                    },
                }
            }
            Quantity::Speed => Edit::Pace {
                agent: self.mover(scene)?.0,
                factor: value / self.value(scene)?,
            },
            Quantity::Ahead | Quantity::Left => {
                let (agent, state) = self.mover(scene)?;
                Edit::Move {
                    agent,
                    point: (state.position + aside(state.heading)).to_array(),
                    heading: state.heading,
                    speed: None,
                }
            }
        }))
    }

    fn attack<'a>(&self, scene: &'a Scene) -> Result<&'a Attack, SweepError> {
        let found = match self.named(scene) {
            Some(agent) => scene.attack_by(agent),
            None => scene.attacks.first(),
        };
        found.ok_or_else(|| SweepError::NoAttack(self.agent.clone()))
    }

    fn goal<'a>(&self, scene: &'a Scene) -> Result<&'a Goal, SweepError> {
        let found = match self.named(scene) {
            Some(agent) => scene.goal_of(agent),
            None => scene.goals.first(),
        };
        found.ok_or_else(|| SweepError::NoGoal(self.agent.clone()))
    }

    /// Who is moved, with its present state.
    fn mover(&self, scene: &Scene) -> Result<(AgentId, State), SweepError> {
        let ego = || scene.ego().map(|ego| &ego.id);
        let id = self.named(scene).or_else(ego).ok_or(SweepError::Nobody)?;
        let agent = scene.agent(id);
        let agent = agent.ok_or_else(|| EditError::UnknownAgent(id.clone()))?;
        let state = agent.track.get(scene.now);
        let state = state.ok_or_else(|| SweepError::NotPresent(id.clone()))?;
        Ok((id.clone(), *state))
    }

    /// Who is named: the ego as such, too, unless somebody has that for an id.
    fn named<'a>(&'a self, scene: &'a Scene) -> Option<&'a AgentId> {
        let id = self.agent.as_ref()?;
        let is_ego = id.as_str() == EGO && scene.agent(id).is_none();
        match scene.ego().filter(|_| is_ego) {
            Some(ego) => Some(&ego.id),
            None => Some(id),
        }
    }

    /// Who must be made anew when it changes.
    fn maker(&self, scene: &Scene) -> Option<AgentId> {
        match self.quantity {
            Quantity::Contact => Some(self.attack(scene).ok()?.attacker.clone()),
            Quantity::Arrival | Quantity::GoalAhead | Quantity::GoalLeft => {
                Some(self.goal(scene).ok()?.agent.clone())
            }
            Quantity::Speed | Quantity::Ahead | Quantity::Left => Some(self.mover(scene).ok()?.0),
            Quantity::Seed => None,
        }
    }
}

/// Whether an agent whose pace was changed can go so: up to the present, and as the target of an attack, which is not made
/// anew, to the end of what the model makes. Accelerations are taken over half a second, as recordings jitter.
fn possible(
    scene: &Scene,
    agent: &AgentId,
    (parameter, value): (&Parameter, f64),
) -> Result<(), SweepError> {
    let Some(agent) = scene.agent(agent) else {
        return Ok(());
    };
    let limits = limits_of(agent);
    let kept = scene.attacks.iter().any(|attack| attack.target == agent.id);
    let ahead_s = if kept { HORIZON_S } else { 0.0 };
    let end = 1 + scene.now + (ahead_s / scene.dt_s).round() as usize;
    let end = end.min(scene.frames);
    let refused = |what, found, unit, frame, most| SweepError::TooFast {
        parameter: parameter.to_string(),
        value,
        what,
        found,
        unit,
        time_s: scene.time_of(frame),
        most,
    };
    if value > limits.speed {
        return Err(refused("a speed", value, "m/s", scene.now, limits.speed));
    }
    let window = (DT_S / scene.dt_s).round().max(1.0) as usize;
    // of a track: by how much the limit is passed where it is passed farthest, the acceleration there, and the frame
    let worst = |track: &Track| {
        let along = |frame: usize| {
            let state = track.get(frame)?;
            Some(state.velocity.dot(DVec2::from_angle(state.heading)))
        };
        let mut worst = (0.0, 0.0, 0.0, scene.now);
        for frame in window..end {
            let (Some(before), Some(after)) = (along(frame - window), along(frame)) else {
                continue;
            };
            let change = (after - before) / (window as f64 * scene.dt_s);
            let most = if change > 0.0 {
                limits.accelerate
            } else {
                limits.brake
            };
            if change.abs() / most > worst.0 {
                worst = (change.abs() / most, change, most, frame);
            }
        }
        worst
    };
    let (share, change, most, frame) = worst(&agent.track);
    // a recording that jumps says nothing about what is possible
    let recorded = scene
        .logged_track(&agent.id)
        .map_or(0.0, |track| worst(track).0);
    match share > 1.0 && recorded <= 1.0 {
        true => Err(refused("an acceleration", change, "m/s²", frame, most)),
        false => Ok(()),
    }
}

/// The direction from where a goal's agent is at the present.
fn way_to(scene: &Scene, goal: &Goal) -> f64 {
    let point = dvec2(goal.point[0], goal.point[1]);
    let from = scene
        .agent(&goal.agent)
        .and_then(|agent| agent.track.get(scene.now));
    from.map_or(0.0, |state| (point - state.position).to_angle())
}

/// A number with the values it is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Which number.
    pub parameter: Parameter,
    /// Its values.
    pub values: Vec<f64>,
}

impl Axis {
    /// `count` values from one to another, both included, on a grid of a thousandth, of 1 for seeds; one alone is the first.
    /// None comes twice.
    pub fn spread(parameter: Parameter, [from, to]: [f64; 2], count: usize) -> Self {
        let gaps = count.saturating_sub(1).max(1) as f64;
        let grid = match parameter.quantity {
            Quantity::Seed => 1.0,
            _ => 1e3,
        };
        let value = |at: usize| from + (to - from) * at as f64 / gaps;
        let values = (0..count).map(|at| (value(at) * grid).round() / grid);
        Self {
            parameter,
            values: once_each(values),
        }
    }

    /// The same with each value at the nearest that can be in a scene, none twice.
    #[must_use]
    pub fn in_scene(self, scene: &Scene) -> Self {
        let Self { parameter, values } = self;
        let near = values.iter().map(|value| parameter.nearest(scene, *value));
        let values = once_each(near);
        Self { parameter, values }
    }

    /// A value with its unit.
    pub fn value_text(&self, at: usize) -> String {
        let value = self.values.get(at).copied().unwrap_or_default();
        with_unit(value, self.parameter.quantity.unit())
    }

    /// What it is of, with the unit of its values.
    pub fn title(&self) -> String {
        match self.parameter.quantity.unit() {
            "" => self.parameter.to_string(),
            unit => format!("{} ({unit})", self.parameter),
        }
    }

    /// The values without their unit.
    pub fn numbers(&self) -> Vec<String> {
        self.values.iter().map(|value| short(*value)).collect()
    }

    /// As [`Axis::from_text`] reads it, value by value.
    pub fn to_text(&self) -> String {
        let agent = self.parameter.agent.as_ref();
        let agent = agent.map_or(String::new(), |agent| format!(":{agent}"));
        let values = self.numbers();
        let key = self.parameter.quantity.key();
        format!("{key}{agent}={}", values.join(","))
    }

    /// From `WHAT[:AGENT]=FROM:TO:COUNT` or `WHAT[:AGENT]=VALUE,VALUE,…`.
    ///
    /// # Errors
    /// A sentence that says how it is written.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let keys = Quantity::ALL.map(Quantity::key).join(", ");
        let (what, values) = text.rsplit_once('=').ok_or_else(|| {
            format!("{text:?}: write WHAT:AGENT=FROM:TO:COUNT, such as speed:ego=5:15:6; there are {keys}")
        })?;
        let (key, agent) = match what.split_once(':') {
            Some((key, agent)) => (key, Some(AgentId::new(agent))),
            None => (what, None),
        };
        let quantity = Quantity::ALL
            .into_iter()
            .find(|quantity| quantity.key() == key);
        let quantity =
            quantity.ok_or_else(|| format!("{key:?} cannot be swept; there are {keys}"))?;
        let parameter = Parameter { quantity, agent };
        let number = |text: &str| {
            let number = text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
            number.ok_or_else(|| format!("{text:?} is not a number"))
        };
        let parts: Vec<&str> = values.split(':').collect();
        match parts.as_slice() {
            [from, to, count] => {
                let ends = [number(from)?, number(to)?];
                let count = count
                    .trim()
                    .parse()
                    .ok()
                    .filter(|n| (1..=MOST_POINTS).contains(n));
                let count = count.ok_or_else(|| {
                    format!("{values:?}: the third is how many values, 1 to {MOST_POINTS}")
                })?;
                Ok(Self::spread(parameter, ends, count))
            }
            [list] => {
                let values = list
                    .split(',')
                    .map(number)
                    .collect::<Result<Vec<f64>, String>>()?;
                if quantity == Quantity::Seed && values.iter().any(|value| value.fract() != 0.0) {
                    return Err(format!("{list:?}: seeds are whole numbers"));
                }
                let values = once_each(values);
                Ok(Self { parameter, values })
            }
            _ => Err(format!(
                "{values:?}: write FROM:TO:COUNT, or values with commas between them"
            )),
        }
    }
}

/// Values in their order, each at its first place.
fn once_each(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut seen: Vec<f64> = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

/// A value with its unit, if it has one.
fn with_unit(value: f64, unit: &str) -> String {
    let text = format!("{} {unit}", short(value));
    text.trim_end().to_owned()
}

/// A value with no more decimals than it needs.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// Every combination of the values of some numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sweep {
    /// The numbers; the last one changes first.
    pub axes: Vec<Axis>,
}

impl Sweep {
    /// How many scenes come of it; 1 without axes.
    pub fn count(&self) -> usize {
        let counts = self.axes.iter().map(|axis| axis.values.len());
        counts.fold(1, usize::saturating_mul)
    }

    /// The positions on the axes of scene `number`.
    pub fn position(&self, number: usize) -> Vec<usize> {
        let mut rest = number;
        let mut position: Vec<usize> = self
            .axes
            .iter()
            .rev()
            .map(|axis| {
                let count = axis.values.len().max(1);
                let at = rest % count;
                rest /= count;
                at
            })
            .collect();
        position.reverse();
        position
    }

    /// What scene `number` has otherwise, in words: "speed of 7 5 m/s, contact of 3 4.5 s".
    pub fn name(&self, number: usize) -> String {
        let words = self.axes.iter().zip(self.position(number));
        let words = words.map(|(axis, at)| format!("{} {}", axis.parameter, axis.value_text(at)));
        words.collect::<Vec<String>>().join(", ")
    }

    /// The same for the name of a file: "speed-7-5_contact-3-4.5".
    pub fn file_words(&self, number: usize) -> String {
        let words = self
            .axes
            .iter()
            .zip(self.position(number))
            .map(|(axis, at)| {
                let agent = axis.parameter.agent.as_ref();
                let agent = agent.map_or(String::new(), |agent| {
                    format!("-{}", agent.short().replace('…', "-"))
                });
                format!(
                    "{}{agent}-{}",
                    axis.parameter.quantity.key(),
                    short(axis.values[at])
                )
            });
        words.collect::<Vec<String>>().join("_")
    }

    /// The values of scene `number`, each an object with what it is of, whose, and its unit.
    pub fn values(&self, number: usize) -> Vec<Value> {
        let values = self.axes.iter().zip(self.position(number));
        let object = |(axis, at): (&Axis, usize)| {
            let Parameter { quantity, agent } = &axis.parameter;
            json!({
                "what": quantity.key(),
                "agent": agent,
                "value": axis.values[at],
                "unit": quantity.unit(),
            })
        };
        values.map(object).collect()
    }

    /// A number that is swept along two axes, if there is one: only the later of them would count.
    pub fn doubled(&self) -> Option<&Parameter> {
        let parameters = self.axes.iter().map(|axis| &axis.parameter);
        let mut later = parameters.clone().enumerate();
        let twice = later
            .find(|(at, parameter)| parameters.clone().skip(at + 1).any(|it| it == *parameter));
        twice.map(|(_, parameter)| parameter)
    }

    /// Whether a number of one of these kinds is swept.
    pub fn sweeps(&self, quantities: &[Quantity]) -> bool {
        let mut axes = self.axes.iter();
        axes.any(|axis| quantities.contains(&axis.parameter.quantity))
    }

    /// What the model must be given for the sweep to show: an attack whose contact, or a goal whose place or time is swept;
    /// else `otherwise`.
    pub fn task(&self, otherwise: Task) -> Task {
        match otherwise {
            _ if self.sweeps(&[Quantity::Contact]) => Task::Attack,
            Task::Free if self.sweeps(&Quantity::GOALS) => Task::Goal,
            _ => otherwise,
        }
    }

    /// The seed of scene `number`, if seeds are swept.
    pub fn seed(&self, number: usize) -> Option<u64> {
        let mut swept = self.axes.iter().zip(self.position(number));
        let (axis, at) = swept.find(|(axis, _)| axis.parameter.quantity == Quantity::Seed)?;
        Some(axis.values[at] as u64)
    }

    /// `base` with the values of scene `number`, which its extras name ([`SWEPT`]). An attack that is out of reach of its point of the target then meets it
    /// where it can; one that cannot meet it at all is left for the run to refuse.
    ///
    /// # Errors
    /// If the scene has no such number, or it cannot have that value.
    pub fn scene(&self, base: &Scene, number: usize) -> Result<Scene, SweepError> {
        let mut scene = base.clone();
        let mut swept: Vec<(Quantity, Option<AgentId>)> = Vec::new();
        for (axis, at) in self.axes.iter().zip(self.position(number)) {
            let (parameter, value) = (&axis.parameter, axis.values[at]);
            let number = (parameter.quantity, parameter.maker(base));
            if swept.contains(&number) {
                return Err(SweepError::Twice(parameter.to_string()));
            }
            swept.push(number);
            if let Some(edit) = parameter.edit(&scene, value)? {
                scene = scene.edited(&edit)?;
            }
            if let (Quantity::Speed, Ok((agent, _))) = (parameter.quantity, parameter.mover(&scene))
            {
                possible(&scene, &agent, (parameter, value))?;
            }
        }
        for attack in scene.attacks.clone() {
            if aim_of(&scene, &attack).is_ok() {
                continue;
            }
            let anywhere = AttackQuery {
                target: Some(attack.target.clone()),
                attacker: Some(attack.attacker.clone()),
                time_s: Some(attack.time_s),
                ..AttackQuery::default()
            };
            if let Ok(found) = attack_candidates(&scene, &anywhere)
                && let Some(best) = found.into_iter().next()
            {
                let attack = best.attack;
                scene = scene.edited(&Edit::SetAttack { attack })?;
            }
        }
        if !self.axes.is_empty() {
            let name = self.name(number);
            scene.name = match base.name.is_empty() {
                true => name,
                false => format!("{} · {name}", base.name),
            };
            let values = self.values(number);
            scene.extra.insert(SWEPT.to_owned(), values.into());
        }
        Ok(scene)
    }

    /// Whose future is made: of those it changes, and of attackers; whoever they meet gives way, everyone else stays as in
    /// the scene, so that the scenes differ in what is swept alone. As usual if it is nobody.
    pub fn scope(&self, base: &Scene) -> Scope {
        let swept = self
            .axes
            .iter()
            .filter_map(|axis| axis.parameter.maker(base));
        let attackers = base.attacks.iter().map(|attack| attack.attacker.clone());
        let made: BTreeSet<AgentId> = swept.chain(attackers).collect();
        match made.is_empty() {
            true => Scope::Auto,
            false => Scope::Touched(made),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::scene::{Agent, AgentKind, Role, State, Track};
    use std::sync::Arc;

    /// An ego that goes east at 10 m/s through x = 20 at the present (2 s), and a car beside it.
    fn scene() -> Scene {
        let drives = |id: &str, y: f64, speed: f64| {
            let states = (0..101).map(|frame| {
                let pose = Pose::at(speed * 0.1 * f64::from(frame), y, 0.0);
                Some(State::along(pose, speed))
            });
            Agent::new(id, AgentKind::Vehicle, Track::new(states.collect()))
        };
        let mut ego = drives("ego", 0.0, 10.0);
        ego.role = Role::Ego;
        let agents = [ego, drives("car", 3.5, 12.0), drives("parked", 9.0, 0.0)];
        Scene {
            name: "Two lanes".to_owned(),
            dt_s: 0.1,
            frames: 101,
            now: 20,
            agents: agents.into_iter().map(Arc::new).collect(),
            ..Scene::default()
        }
    }

    fn attacked() -> Scene {
        let attack = Attack {
            attacker: AgentId::new("car"),
            target: AgentId::new("ego"),
            time_s: 6.0,
            offset: [0.0, 0.0],
            extra: crate::map::Extra::new(),
        };
        scene().edited(&Edit::SetAttack { attack }).unwrap()
    }

    fn axis(text: &str) -> Axis {
        Axis::from_text(text).unwrap()
    }

    #[test]
    fn every_combination_comes_once_and_says_what_it_is() {
        let sweep = Sweep {
            axes: vec![axis("speed:ego=8:12:3"), axis("left:car=-1,0.5")],
        };
        assert_eq!(sweep.count(), 6);
        let positions: Vec<Vec<usize>> = (0..6).map(|number| sweep.position(number)).collect();
        assert_eq!(positions[1], [0, 1]); // the last one changes first
        assert_eq!(positions.iter().collect::<BTreeSet<_>>().len(), 6);
        assert_eq!(sweep.name(3), "speed of ego 10 m/s, car left 0.5 m");
        assert_eq!(sweep.file_words(3), "speed-ego-10_left-car-0.5");
        let third = sweep.scene(&scene(), 5).unwrap();
        assert_eq!(
            third.name,
            "Two lanes · speed of ego 12 m/s, car left 0.5 m"
        );
        let at = |id: &str, frame: usize| {
            let track = &third.agent(&AgentId::new(id)).unwrap().track;
            track.get(frame).unwrap().position
        };
        assert_eq!(at("ego", 20), dvec2(20.0, 0.0));
        assert_eq!(at("ego", 30), dvec2(32.0, 0.0)); // a second at 12 m/s
        assert_eq!(at("car", 20), dvec2(24.0, 4.0));
        assert_eq!(third.edits.len(), 2);
        let swept = &third.extra[SWEPT];
        assert_eq!(
            (&swept[0]["what"], &swept[1]["value"]),
            (&"speed".into(), &0.5.into())
        );
    }

    #[test]
    fn goals_move_along_and_across_their_heading() {
        let goal = Goal {
            agent: AgentId::new("car"),
            point: [100.0, 3.5],
            time_s: 10.0,
            heading: Some(std::f64::consts::FRAC_PI_2),
            speed: None,
            tolerance_m: 1.0,
            hard: true,
            extra: crate::map::Extra::new(),
        };
        let base = scene().edited(&Edit::SetGoal { goal }).unwrap();
        let swept = |text: &str| {
            let sweep = Sweep {
                axes: vec![axis(text)],
            };
            let scene = sweep.scene(&base, 0).unwrap();
            (scene.goals[0].point.map(f64::round), scene.goals[0].time_s)
        };
        assert_eq!(swept("goal-ahead=7"), ([100.0, 11.0], 10.0)); // its heading is north: 3.5 + 7, rounded
        assert_eq!(swept("goal-left:car=5"), ([95.0, 4.0], 10.0));
        assert_eq!(swept("arrival=8.5"), ([100.0, 4.0], 8.5));
    }

    #[test]
    fn a_contact_moves_in_time_and_its_attacker_is_made() {
        let base = attacked();
        let sweep = Sweep {
            axes: vec![axis("contact=5:7:3"), axis("speed:ego=9:11:2")],
        };
        let scene = sweep.scene(&base, 4).unwrap();
        assert_eq!(scene.attacks.len(), 1);
        assert_eq!(scene.attacks[0].time_s, 7.0);
        let wanted = ["car", "ego"].map(AgentId::new).into_iter().collect();
        assert_eq!(sweep.scope(&base), Scope::Touched(wanted));
        let parameters = Parameter::all(&base, &[AgentId::new("parked")]);
        let names: Vec<String> = parameters.iter().map(Parameter::to_string).collect();
        assert_eq!(names[0], "contact of car");
        assert!(names.contains(&"parked left".to_owned()));
        assert!(!names.contains(&"speed of parked".to_owned())); // it stands
        assert_eq!(parameters[0].usual(&base).unwrap(), ([4.5, 7.5], 7));
        let contact = axis("contact=4.4,5.3,5.4").in_scene(&base);
        assert_eq!(contact.values, [4.5, 5.5]); // half seconds from the present, 2 s, none twice
    }

    #[test]
    fn what_is_not_there_or_cannot_be_is_said() {
        let failing = |base: &Scene, text: &str| {
            let sweep = Sweep {
                axes: vec![axis(text)],
            };
            sweep.scene(base, 0).unwrap_err().to_string()
        };
        assert!(failing(&scene(), "contact=5").contains("no attack"));
        assert!(failing(&scene(), "arrival:car=5").contains("no goal of \"car\""));
        assert!(failing(&scene(), "speed:parked=5").contains("stands"));
        assert!(failing(&scene(), "ahead:nobody=5").contains("nobody"));
        let mut renamed = scene();
        Arc::make_mut(&mut renamed.agents[0]).id = AgentId::new("17");
        let seeds = Sweep {
            axes: vec![axis("seed=3:8:3"), axis("left=1")],
        };
        assert_eq!(seeds.name(1), "seed 6, ego left 1 m"); // 5.5, rounded
        assert_eq!(
            Sweep {
                axes: seeds.axes[..1].to_vec()
            }
            .scope(&scene()),
            Scope::Auto
        );
        assert_eq!((seeds.seed(2), Sweep::default().seed(0)), (Some(8), None));
        assert!(failing(&scene(), "seed=-1").contains("0 to"));
        let sweep = Sweep {
            axes: vec![axis("ahead:ego=5")],
        };
        let moved = sweep.scene(&renamed, 0).unwrap();
        assert_eq!(moved.ego().unwrap().track.get(20).unwrap().position.x, 25.0);
        assert!(failing(&attacked(), "contact=1").contains("2.5 to 10"));
        assert!(failing(&attacked(), "contact=5.2").contains("such as 5"));
        let twice = Sweep {
            axes: vec![axis("left=1"), axis("left:ego=2")],
        };
        let refused = twice.scene(&scene(), 0).unwrap_err();
        assert_eq!(refused, SweepError::Twice("ego left".to_owned()));
        let mut walking = scene();
        Arc::make_mut(&mut walking.agents[1]).kind = AgentKind::Pedestrian;
        assert!(failing(&walking, "speed:car=11").contains("its kind can do 8.0"));
        // from 10 to 12 m/s within half a second: 4 m/s²; at twice the pace from 20 to 24, 8 m/s². It is the target
        let mut jerky = attacked();
        let ego = Arc::make_mut(&mut jerky.agents[0]);
        for state in ego.track.states_mut().iter_mut().skip(40).flatten() {
            state.velocity.x = 12.0;
        }
        let why = failing(&jerky, "speed:ego=20");
        assert!(
            why.contains("an acceleration of 8.0 m/s² at 3.0 s"),
            "{why}"
        );
        let doubled = |texts: &[&str]| {
            let axes = texts.iter().map(|text| axis(text)).collect();
            Sweep { axes }.doubled().is_some()
        };
        assert!(doubled(&["speed:ego=5", "left=1", "speed:ego=6"]));
        assert!(!doubled(&["speed:ego=5", "speed:car=5"]));
        for text in [
            "speed",
            "speed:ego=a",
            "pace=1:2:3",
            "speed=1:2",
            "speed=1:2:0",
            "speed=1:2:1000",
            "seed=1.5",
        ] {
            assert!(Axis::from_text(text).is_err(), "{text}");
        }
    }
}
