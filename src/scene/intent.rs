//! What the user wants to happen: goals, attacks, pinned tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::AgentId;
use crate::geometry::{quantise, quantise_angle};
use crate::map::Extra;

/// Where an agent shall be, and when. At most one per agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Goal {
    /// Who.
    pub agent: AgentId,
    /// Box centre, scene frame, m.
    pub point: [f64; 2],
    /// Scene time in seconds; rounded to the model's half-second grid when used.
    pub time_s: f64,
    /// Heading at the goal, rad; the model chooses if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heading: Option<f64>,
    /// Speed at the goal, m/s; the model chooses if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// How near counts as reached, m. A soft goal is seen by the model with this standard deviation.
    pub tolerance_m: f64,
    /// Hard: the token is known. Soft: it is a hint.
    pub hard: bool,
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Goal {
    /// On the file grid.
    pub fn quantised(&self) -> Self {
        Self {
            point: self.point.map(quantise),
            time_s: quantise(self.time_s),
            heading: self.heading.map(quantise_angle),
            speed: self.speed.map(quantise),
            tolerance_m: quantise(self.tolerance_m),
            ..self.clone()
        }
    }
}

/// An attacker's aim: the place where the target is at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attack {
    /// Who is steered into the target's way.
    pub attacker: AgentId,
    /// Whose future is met, usually the ego's.
    pub target: AgentId,
    /// Scene time of the intended contact, s.
    pub time_s: f64,
    /// Intended contact point on the target's footprint in the target's own frame (ahead, left), m.
    #[serde(default)]
    pub offset: [f64; 2],
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Attack {
    /// On the file grid.
    pub fn quantised(&self) -> Self {
        Self {
            time_s: quantise(self.time_s),
            offset: self.offset.map(quantise),
            ..self.clone()
        }
    }
}

/// A cell of the noise map the user set by hand: agent and model frame (0 to 20) with its starting level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pin {
    /// Who.
    pub agent: AgentId,
    /// Model frame: 0 to 3 history, 4 current, 5 to 20 future, half a second apart.
    pub token: usize,
    /// Noise level the token starts from: 0 keeps the present state, 1 makes it anew.
    pub level: f64,
    /// Fields of the scene file we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}
