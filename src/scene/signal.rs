//! Traffic lights: what a lane's signal shows over time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::geometry::DVec2;
use crate::map::{Extra, LaneId};

/// What a signal shows. Arrows count as their colour: a signal belongs to one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum SignalState {
    /// Not known, or off.
    #[default]
    Unknown,
    /// Stop.
    Red,
    /// About to change.
    Yellow,
    /// Go.
    Green,
    /// Flashing red: stop, then go.
    FlashingRed,
    /// Flashing yellow: take care.
    FlashingYellow,
}

/// A signal that governs one lane.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The lane it holds for.
    pub lane: LaneId,
    /// Where vehicles stop, if known.
    pub stop_point: Option<DVec2>,
    /// One entry per frame of the scene; beyond the end the last holds.
    pub states: Vec<SignalState>,
    /// Fields of the scene file we do not know.
    pub extra: Extra,
}

impl Signal {
    /// The signal of a lane.
    pub fn new(lane: LaneId, stop_point: Option<DVec2>, states: Vec<SignalState>) -> Self {
        Self {
            lane,
            stop_point,
            states,
            extra: Extra::new(),
        }
    }

    /// What it shows at a frame.
    pub fn at(&self, frame: usize) -> SignalState {
        self.states
            .get(frame)
            .or(self.states.last())
            .copied()
            .unwrap_or_default()
    }

    /// First frame and state of each run of equal states.
    pub fn runs(&self) -> Vec<(usize, SignalState)> {
        let mut runs: Vec<(usize, SignalState)> = Vec::new();
        for (frame, &state) in self.states.iter().enumerate() {
            if runs.last().is_none_or(|(_, last)| *last != state) {
                runs.push((frame, state));
            }
        }
        runs
    }
}
