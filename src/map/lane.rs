//! What a map is made of.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::geometry::{DVec2, Polyline};

/// Fields of a file that we do not know; kept and written back.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// A lane's id as its file names it.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct LaneId(#[schemars(with = "String")] Arc<str>);

impl LaneId {
    /// An id from text.
    pub fn new(id: impl AsRef<str>) -> Self {
        Self(Arc::from(id.as_ref()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Who a lane is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum LaneKind {
    /// An ordinary street lane.
    #[default]
    Street,
    /// A motorway lane.
    Freeway,
    /// A bus lane.
    Bus,
    /// A bicycle lane.
    Bike,
    /// For pedestrians: a sidewalk or a crossing given as a lane.
    Walk,
    /// Parking places, shoulders and other lanes without through traffic.
    Other,
}

/// One lane, in its driving direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Unique in the map.
    pub id: LaneId,
    /// Who it is for.
    pub kind: LaneKind,
    /// Whether it runs through a junction.
    pub in_junction: bool,
    /// Centre, in driving direction.
    pub centreline: Polyline,
    /// Left border in driving direction; empty if unknown.
    pub left_border: Vec<DVec2>,
    /// Right border in driving direction; empty if unknown.
    pub right_border: Vec<DVec2>,
    /// Width, m, where the file states one.
    pub width: Option<f64>,
    /// Speed limit, m/s, where the file states one.
    pub speed_limit: Option<f64>,
    /// Lanes that continue this one.
    pub successors: Vec<LaneId>,
    /// Lanes this one continues.
    pub predecessors: Vec<LaneId>,
    /// Neighbour to the left in the same direction.
    pub left_neighbour: Option<LaneId>,
    /// Neighbour to the right in the same direction.
    pub right_neighbour: Option<LaneId>,
    /// Fields of the scene file we do not know.
    pub extra: Extra,
}

impl Lane {
    /// A lane with nothing known but its centreline.
    pub fn new(id: impl AsRef<str>, kind: LaneKind, centreline: Polyline) -> Self {
        Self {
            id: LaneId::new(id),
            kind,
            in_junction: false,
            centreline,
            left_border: Vec::new(),
            right_border: Vec::new(),
            width: None,
            speed_limit: None,
            successors: Vec::new(),
            predecessors: Vec::new(),
            left_neighbour: None,
            right_neighbour: None,
            extra: Extra::new(),
        }
    }

    /// Whether motor vehicles drive on it.
    pub fn carries_vehicles(&self) -> bool {
        matches!(
            self.kind,
            LaneKind::Street | LaneKind::Freeway | LaneKind::Bus
        )
    }

    /// The stated width, else the median distance of the borders, else 3.5 m.
    pub fn width_or_default(&self) -> f64 {
        if let Some(width) = self.width {
            return width;
        }
        match (
            Polyline::new(self.left_border.iter().copied()),
            Polyline::new(self.right_border.iter().copied()),
        ) {
            (Some(left), Some(right)) => {
                let mut widths: Vec<f64> = left
                    .resampled(7)
                    .iter()
                    .map(|&point| right.project(point).offset.abs())
                    .collect();
                widths.sort_by(f64::total_cmp);
                widths[3]
            }
            _ => 3.5,
        }
    }
}

/// A painted line or a road edge.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// Its points, at least two.
    pub points: Vec<DVec2>,
    /// Fields of the scene file we do not know.
    pub extra: Extra,
}

impl Line {
    /// A line of a kind through points.
    pub fn new(kind: LineKind, points: Vec<DVec2>) -> Self {
        Self {
            kind,
            points,
            extra: Extra::new(),
        }
    }
}

/// Kinds of lines, as far as a bird's-eye view and a rule checker tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// Dashed white.
    BrokenWhite,
    /// Solid white, single or double.
    SolidWhite,
    /// Dashed yellow.
    BrokenYellow,
    /// Solid yellow, single or double.
    SolidYellow,
    /// Edge of the roadway, kerb.
    Edge,
    /// A line of another or unknown kind.
    Other,
}

/// A polygon on the ground.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// What it is.
    pub kind: AreaKind,
    /// Corners, open, at least three.
    pub polygon: Vec<DVec2>,
    /// Fields of the scene file we do not know.
    pub extra: Extra,
}

impl Area {
    /// An area of a kind with these corners.
    pub fn new(kind: AreaKind, polygon: Vec<DVec2>) -> Self {
        Self {
            kind,
            polygon,
            extra: Extra::new(),
        }
    }
}

/// Kinds of areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AreaKind {
    /// Where vehicles may drive.
    Drivable,
    /// A pedestrian crossing.
    Crossing,
    /// A junction.
    Junction,
    /// A speed bump.
    SpeedBump,
    /// A driveway.
    Driveway,
    /// A sidewalk.
    Sidewalk,
    /// Anything else.
    Other,
}

/// A stop sign.
#[derive(Debug, Clone, PartialEq)]
pub struct StopSign {
    /// Where it stands.
    pub point: DVec2,
    /// The lanes it holds for.
    pub lanes: Vec<LaneId>,
    /// Fields of the scene file we do not know.
    pub extra: Extra,
}

impl StopSign {
    /// A stop sign at a point, for these lanes.
    pub fn new(point: DVec2, lanes: Vec<LaneId>) -> Self {
        Self {
            point,
            lanes,
            extra: Extra::new(),
        }
    }
}
