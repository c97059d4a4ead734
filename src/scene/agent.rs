//! Agents: who is in the scene.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::track::{State, Track};
use crate::geometry::OrientedBox;
use crate::map::Extra;

/// An agent's id as its file names it.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct AgentId(#[schemars(with = "String")] Arc<str>);

/// The field of an agent's extras that says what an importer made it of: nobody recorded it.
pub const MADE_FROM: &str = "made_from";

/// Characters kept of a long id, at its beginning and its end.
const SHORT_ID: [usize; 2] = [6, 3];

impl AgentId {
    /// An id from text.
    pub fn new(id: impl AsRef<str>) -> Self {
        Self(Arc::from(id.as_ref()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id where room is scarce: long ones (recordings name agents by 32 digits, simulators by long words) by both ends.
    pub fn short(&self) -> String {
        let [begin, end] = SHORT_ID;
        let count = self.0.chars().count();
        if count <= begin + end + 11 {
            return self.0.to_string();
        }
        let first: String = self.0.chars().take(begin).collect();
        let last: String = self.0.chars().skip(count - end).collect();
        format!("{first}…{last}")
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What an agent is, as far as the model tells apart.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, Default,
)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// Cars, trucks, buses.
    #[default]
    Vehicle,
    /// People on foot.
    Pedestrian,
    /// Bicycles and motorcycles.
    Cyclist,
    /// Cones, barriers, animals, unknown things: drawn and avoided, never generated.
    Other,
}

impl AgentKind {
    /// Length and width (m) where a file gives none.
    pub fn default_size(self) -> (f64, f64) {
        match self {
            Self::Vehicle => (4.7, 2.0),
            Self::Pedestrian => (0.7, 0.7),
            Self::Cyclist => (1.8, 0.7),
            Self::Other => (0.6, 0.6),
        }
    }

    /// The lower-case word used in files and on screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Vehicle => "vehicle",
            Self::Pedestrian => "pedestrian",
            Self::Cyclist => "cyclist",
            Self::Other => "other",
        }
    }
}

/// The part an agent plays. A scene has at most one ego.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The vehicle whose planner is examined.
    Ego,
    /// Made to meet the ego.
    Attacker,
    /// Everyone else.
    #[default]
    Other,
}

/// Who decides an agent's future when the scene is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// The model.
    #[default]
    Free,
    /// Nobody: the present track stays as it is (locked).
    Frozen,
    /// The log: the recorded track is restored and kept.
    Log,
}

/// One agent with its footprint and track.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Unique in the scene.
    pub id: AgentId,
    /// What it is.
    pub kind: AgentKind,
    /// The file's own word for it (bus, truck, ...), if finer than `kind`.
    pub category: Option<String>,
    /// Its part.
    pub role: Role,
    /// Who decides its future.
    pub control: Control,
    /// Extent along the heading, m, > 0.
    pub length: f64,
    /// Extent across the heading, m, > 0.
    pub width: f64,
    /// States over time.
    pub track: Track,
    /// Fields of the scene file we do not know.
    pub extra: Extra,
}

impl Agent {
    /// An agent of default size with role `Other` and control `Free`.
    pub fn new(id: impl AsRef<str>, kind: AgentKind, track: Track) -> Self {
        let (length, width) = kind.default_size();
        Self {
            id: AgentId::new(id),
            kind,
            category: None,
            role: Role::default(),
            control: Control::default(),
            length,
            width,
            track,
            extra: Extra::new(),
        }
    }

    /// Whether somebody recorded or simulated it. An importer makes up the vehicle of a planning problem, for instance, and
    /// says so in the field [`MADE_FROM`].
    pub fn is_recorded(&self) -> bool {
        !self.extra.contains_key(MADE_FROM)
    }

    /// The footprint in `state`.
    pub fn footprint(&self, state: &State) -> OrientedBox {
        OrientedBox::new(state.pose(), self.length, self.width)
    }

    /// The footprint at a frame where the agent is valid.
    pub fn footprint_at(&self, frame: usize) -> Option<OrientedBox> {
        self.track.get(frame).map(|state| self.footprint(state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_ids_are_shortened() {
        assert_eq!(AgentId::new("pedestrian-12").short(), "pedestrian-12");
        let digits = AgentId::new("f3995943006145ca8a7bc375527f0aba");
        assert_eq!(digits.short(), "f39959…aba");
    }
}
