//! How a generated scene came about and what it was found to be: everything that fixes a result, and the
//! verdicts on it. Data only; `generator` reads recipes and writes outcomes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Scene;
use super::agent::AgentId;
use super::intent::Pin;
use super::signal::SignalState;
use crate::map::Extra;

/// What is given to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// History only.
    #[default]
    Free,
    /// History and goals.
    Goal,
    /// An attacker's goal is a waypoint of the target's future.
    Attack,
}

/// The scheduling matrix (Nexus, Sec. 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// One level for all tokens.
    #[default]
    Full,
    /// One new frame enters per step, finished frames are popped.
    Pyramidal,
    /// Enters from both ends.
    Trapezoidal,
    /// Frame by frame.
    Autoregressive,
}

impl ScheduleKind {
    /// In a word, as files and the command line have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Pyramidal => "pyramidal",
            Self::Trapezoidal => "trapezoidal",
            Self::Autoregressive => "autoregressive",
        }
    }
}

/// One guidance term (Nexus, App. C.3).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Guide {
    /// Step size as a fraction of the full correction; 0 is off.
    pub weight: f64,
    /// Acts only while a token's level lies in this range.
    pub levels: [f64; 2],
}

impl Default for Guide {
    fn default() -> Self {
        Self {
            weight: 0.0,
            levels: [0.0, 1.0],
        }
    }
}

/// The three guidance terms.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Guidance {
    /// Pushes overlapping boxes apart.
    pub collision: Guide,
    /// Averages neighbouring points against acceleration.
    pub comfort: Guide,
    /// Pulls strays to the nearest centreline.
    pub road: Guide,
}

/// A future that is re-noised to a level below 1 instead of made anew: what it was before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartialNoise {
    /// Who.
    pub agent: AgentId,
    /// Starting level in (0, 1).
    pub level: f64,
    /// The 16 future tokens before: x, y, heading, vx, vy in the scene frame; null where invalid.
    pub tokens: Vec<Option<[f64; 5]>>,
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A future token the model was given, or hinted at: a goal, an attacker's aim, a cell set by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GivenToken {
    /// Whose.
    pub agent: AgentId,
    /// Model frame, 5 to 20.
    pub token: usize,
    /// x, y, heading, vx, vy in the scene frame.
    pub state: [f64; 5],
    /// Starting noise level: 0 is known, above 0 a hint. Not read where there is a spread.
    pub level: f64,
    /// Seen with this inaccuracy, beside the token's own noise, instead of known: a soft goal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Standard deviations of a state that is seen, not known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Of the position along each axis, m.
    pub position_m: f64,
    /// Of the heading, rad; absent: the heading is not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heading_rad: Option<f64>,
    /// Of the velocity along each axis, m/s; absent: the velocity is not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub velocity_mps: Option<f64>,
}

/// A change of the world between two steps of a run. What it came to be is in the scene; this says what was before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Reaction {
    /// Steps taken before it.
    pub step: usize,
    /// Agents that came in, as further rows of the noise tensor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entered: Vec<AgentId>,
    /// Future tokens given, or seen, from then on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<GivenToken>,
    /// What the signals that changed had shown until then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals_before: Vec<SignalBefore>,
    /// The agents that were moved, as they had been until then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<AgentBefore>,
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// An agent before a reaction that moved it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentBefore {
    /// Who.
    pub agent: AgentId,
    /// Length, m.
    pub length: f64,
    /// Width, m.
    pub width: f64,
    /// x, y, heading, vx, vy in the scene frame, from the scene's first frame on: up to the present where the future is
    /// made, to the end where it is kept; null where invalid.
    pub states: Vec<Option<[f64; 5]>>,
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a signal showed before a reaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SignalBefore {
    /// Position in the scene's signals.
    pub signal: usize,
    /// First frame and state of each run of equal states.
    pub states: Vec<(usize, SignalState)>,
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// All that fixes a result, together with the scene's history and the tracks of the agents kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recipe {
    /// Version of the program that made it.
    pub app_version: String,
    /// SHA-256 of the weights file, hex.
    pub weights_hash: String,
    /// Seed of the noise draw.
    pub seed: u64,
    /// Number of the sample under this seed.
    #[serde(default)]
    pub sample: u64,
    /// What was given.
    pub task: Task,
    /// The scheduling matrix.
    pub schedule: ScheduleKind,
    /// Number of denoising steps.
    pub steps: usize,
    /// Standard deviation of the starting noise; 1 is the model's own, below 1 keeps nearer to the mode.
    pub temperature: f64,
    /// Noise level at which the network is shown known histories: 0 takes them as exact.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub history_level: f64,
    /// Whether predictions are smoothed by the analytic prior.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prior_smoothing: bool,
    /// Guidance terms.
    #[serde(default)]
    pub guidance: Guidance,
    /// Who fails a gate in the result (touches somebody, leaves the road, moves impossibly) is drawn again, knowing everyone
    /// else's future, at most so many times.
    #[serde(default, skip_serializing_if = "is_none_of")]
    pub redraws: usize,
    /// Agents, in the order of the noise tensor's rows.
    pub agents: Vec<AgentId>,
    /// Agents whose present future was kept as known tokens.
    #[serde(default)]
    pub kept: Vec<AgentId>,
    /// Agents whose future was re-noised in part.
    #[serde(default)]
    pub partial: Vec<PartialNoise>,
    /// Cells of the noise map set by hand.
    #[serde(default)]
    pub pins: Vec<Pin>,
    /// Future tokens given or hinted at.
    #[serde(default)]
    pub given: Vec<GivenToken>,
    /// Changes of the world while it ran, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn is_none_of(count: &usize) -> bool {
    *count == 0
}

impl Recipe {
    /// Agents of the finished noise tensor, row by row: those it began with and those that came in.
    pub fn rows(&self) -> impl Iterator<Item = &AgentId> {
        let entered = self.reactions.iter().flat_map(|reaction| &reaction.entered);
        self.agents.iter().chain(entered)
    }
}

/// One validity gate's finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateResult {
    /// Stable name: start, acceleration, curvature, yaw_rate, slip, road, contact, third_party, ...
    pub gate: String,
    /// Whether the case passes it.
    pub passed: bool,
    /// The worst value met.
    pub value: f64,
    /// What it is held against.
    pub limit: f64,
    /// Unit of value and limit.
    pub unit: String,
    /// Who is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Where it happens, frame of the scene.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<usize>,
    /// A sentence a person can act on.
    pub reason: String,
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Who caused the contact, by the rules named in the metrics (NAVSIM's NC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No contact.
    None,
    /// The ego is at fault.
    Ego,
    /// The other agent is at fault.
    Other,
}

/// Whether the ego could have escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Avoidability {
    /// No contact to avoid.
    NotNeeded,
    /// A manoeuvre within the limits escapes.
    Avoidable,
    /// None was found.
    Unavoidable,
}

/// One number about a scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// Stable name, e.g. `ade_m`.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// How many items it averages over.
    pub count: usize,
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A recipe with what it led to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generated {
    /// How it was made.
    pub recipe: Recipe,
    /// First frame of the scene whose states the model wrote; earlier ones are the input.
    pub from_frame: usize,
    /// False for a cancelled run: some tokens are still noisy.
    pub complete: bool,
    /// Validity gates.
    #[serde(default)]
    pub gates: Vec<GateResult>,
    /// Who is at fault, if there is a contact with the ego.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// Whether the ego could escape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avoidability: Option<Avoidability>,
    /// Metrics.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// Who was drawn again, each time ([`Recipe::redraws`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redrawn: Vec<Vec<AgentId>>,
    /// How many of the scene's edits were made before it; the findings know of no later one. Absent: of all there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edits: Option<usize>,
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Generated {
    /// Whether every gate passed.
    pub fn valid(&self) -> bool {
        self.complete && self.failed().next().is_none()
    }

    /// What a valid case is worth, in a few words: who is at fault, and whether the ego could have got away.
    pub fn verdict(&self) -> String {
        let fault = match self.fault {
            Some(Fault::Ego) => Some("ego at fault"),
            Some(Fault::Other) => Some("other at fault"),
            Some(Fault::None) | None => None,
        };
        let escape = match self.avoidability {
            Some(Avoidability::Avoidable) => Some("avoidable"),
            Some(Avoidability::Unavoidable) => Some("unavoidable"),
            Some(Avoidability::NotNeeded) | None => None,
        };
        let words: Vec<&str> = ["valid"].into_iter().chain(fault).chain(escape).collect();
        words.join(" · ")
    }

    /// The gates that failed.
    pub fn failed(&self) -> impl Iterator<Item = &GateResult> {
        self.gates.iter().filter(|gate| !gate.passed)
    }
}

impl Scene {
    /// Whether it was made, is as it was made, and passes every gate.
    pub fn is_valid(&self) -> bool {
        let made = self.generated.as_ref();
        made.is_some_and(|made| made.valid()) && !self.is_edited_since_made()
    }

    /// Names of the gates that it fails as a result; none if it was not generated.
    pub fn failed_gates(&self) -> Vec<&str> {
        let gates = self.generated.iter().flat_map(|made| made.failed());
        gates.map(|gate| gate.gate.as_str()).collect()
    }
}
