//! The scene file: one JSON format for scenes, edits and exported cases.
//!
//! Metres, seconds, radians; x forward or east, y left or north, counter-clockwise. Numbers are rounded to 1e-4.
//! Unknown fields are kept on rewrite, but for those inside an edit, a guidance term or a spread, and for columns of states
//! that were changed since; a newer version is refused; every problem names its element and value.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Scene;
use super::agent::{Agent, AgentId, AgentKind, Control, Role};
use super::disk::{folder_of, in_words, write_whole};
use super::edit::Edit;
use super::intent::{Attack, Goal, Pin};
use super::recipe::Generated;
use super::signal::{Signal, SignalState};
use super::track::{FASTEST_MPS, State, Track};
use crate::geometry::{DVec2, Polyline, dvec2, quantise, quantise_angle, quantise_step};
use crate::map::{
    Area, AreaKind, Extra, Lane, LaneId, LaneKind, Line, LineKind, Map, MapParts, StopSign,
};

/// The value of `format` in every scene file.
pub const FORMAT: &str = "nearmiss/scene";

/// The version this program writes and the newest it reads.
pub const VERSION: u32 = 1;

/// Largest file read, bytes.
const MAX_BYTES: u64 = 512 << 20;

/// Most frames and agents a file may hold.
const MAX_FRAMES: usize = 100_000;
const MAX_AGENTS: usize = 20_000;

/// Most states of signals (signals times frames): a file gives them as runs, of which one may cover all frames.
const MAX_SIGNAL_STATES: usize = 100_000_000;

/// Longest lane, m.
pub(crate) const MAX_LANE_M: f64 = 1e6;

/// Why a scene file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system says no.
    #[error("{path}: {}", in_words(cause))]
    Io {
        /// Which file.
        path: String,
        /// What it said, which the sentence says in words.
        cause: std::io::Error,
    },
    /// The text is not JSON, or an element has the wrong type.
    #[error("{path}: {element}: {message}")]
    Json {
        /// Which file.
        path: String,
        /// Which element, e.g. `agents[3].states.x[5]`.
        element: String,
        /// What is wrong with it.
        message: String,
    },
    /// Not one of our files.
    #[error("{path}: format is \"{found}\", expected \"{FORMAT}\"")]
    Format {
        /// Which file.
        path: String,
        /// What it says it is.
        found: String,
    },
    /// Made by a newer program.
    #[error(
        "{path}: version {found} was written by a newer Nearmiss; this one reads up to {VERSION}. Update Nearmiss to open it"
    )]
    Newer {
        /// Which file.
        path: String,
        /// Its version.
        found: u32,
    },
    /// Elements contradict each other or hold impossible values.
    #[error("{path}: {} problem(s), first: {}", problems.len(), problems[0])]
    Invalid {
        /// Which file.
        path: String,
        /// All that was found, at least one.
        problems: Vec<Problem>,
    },
}

/// Something wrong with an element of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which element, e.g. `agents[3].states.x`.
    pub element: String,
    /// The offending value.
    pub value: String,
    /// What is wrong with it.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} = {}: {}",
            self.element, self.value, self.message
        )
    }
}

/// The JSON Schema of the scene file, generated from the types it is read with.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(SceneFile).to_value();
    if let Some(object) = schema.as_object_mut() {
        let id = format!("{FORMAT}/{VERSION}");
        object.insert("title".to_owned(), id.into());
    }
    schema
}

/// Reads a scene file.
///
/// # Errors
/// If the file cannot be read, is not JSON, is not ours, is newer than this program, or contradicts itself.
pub fn read_scene(path: &Path) -> Result<Scene, FileError> {
    let shown = path.display().to_string();
    let io = |cause| FileError::Io {
        path: shown.clone(),
        cause,
    };
    let size = fs::metadata(path).map_err(io)?.len();
    if size > MAX_BYTES {
        return Err(io(std::io::Error::other(format!(
            "{size} bytes, more than the {MAX_BYTES} a scene file may have"
        ))));
    }
    let bytes = fs::read(path).map_err(io)?;
    scene_from_json(&bytes, &shown)
}

/// The word for a value in scene files ("not_needed"); empty for what is no word there.
pub fn file_word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    value
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Writes a scene file atomically: a temporary file beside it, then a rename.
///
/// # Errors
/// If the operating system refuses.
pub fn write_scene(scene: &Scene, path: &Path) -> Result<(), FileError> {
    let io = |cause| FileError::Io {
        path: path.display().to_string(),
        cause,
    };
    let folder = folder_of(path);
    if !folder.is_dir() {
        let cause = fs::metadata(folder).err();
        return Err(FileError::Io {
            path: folder.display().to_string(),
            cause: cause.unwrap_or_else(|| std::io::ErrorKind::NotADirectory.into()),
        });
    }
    write_whole(path, scene_to_json(scene).as_bytes()).map_err(io)
}

/// Hex SHA-256 of the scene's file text.
pub(super) fn content_hash(scene: &Scene) -> String {
    let digest = Sha256::digest(scene_to_json(scene).as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The scene as the JSON value of a scene file.
pub fn scene_to_value(scene: &Scene) -> serde_json::Value {
    let mut value = serde_json::to_value(SceneFile::from(scene))
        .expect("scene files hold no map with odd keys");
    round_numbers(&mut value);
    value["dt_s"] = quantise_step(scene.dt_s).into();
    value
}

/// The scene as the text of a scene file.
pub fn scene_to_json(scene: &Scene) -> String {
    let mut text = String::new();
    write_value(&scene_to_value(scene), 0, &mut text);
    text.push('\n');
    text
}

/// Reads the text of a scene file; `path` is for messages only.
///
/// # Errors
/// As [`read_scene`].
pub fn scene_from_json(bytes: &[u8], path: &str) -> Result<Scene, FileError> {
    #[derive(Deserialize)]
    struct Head {
        format: String,
        version: u32,
    }
    let json = |element: String, message: String| FileError::Json {
        path: path.to_owned(),
        element,
        message,
    };
    let bytes = without_mark(bytes);
    let head: Head = serde_json::from_slice(bytes)
        .map_err(|error| json("the file's head".to_owned(), told(&error)))?;
    if head.format != FORMAT {
        let found = head.format;
        let path = path.to_owned();
        return Err(FileError::Format { path, found });
    }
    if head.version > VERSION {
        let path = path.to_owned();
        let found = head.version;
        return Err(FileError::Newer { path, found });
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let file: SceneFile = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| json(error.path().to_string(), told(&error.into_inner())))?;
    let mut problems = Vec::new();
    let scene = file.into_scene(&mut problems);
    if problems.is_empty() {
        Ok(scene)
    } else {
        let path = path.to_owned();
        Err(FileError::Invalid { path, problems })
    }
}

/// The text without the byte order mark that some editors put before it.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// What is wrong with a text, and what to do where that is plain.
pub(super) fn told(error: &serde_json::Error) -> String {
    if error.is_eof() {
        format!("{error}: the file is cut off; copy or export it again")
    } else {
        error.to_string()
    }
}

/// Rounds every float to the file grid and writes whole numbers without a fraction.
fn round_numbers(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Number(number) if number.is_f64() => {
            let rounded = number.as_f64().map_or(0.0, quantise);
            let whole = rounded.trunc();
            *value = if whole == rounded && rounded.abs() < 1e15 {
                serde_json::Value::from(whole as i64)
            } else {
                serde_json::Value::from(rounded)
            };
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(round_numbers),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(round_numbers),
        _ => {}
    }
}

/// Objects one field a line, arrays of plain values (and of points) on one line: readable, and files diff well.
fn write_value(value: &serde_json::Value, depth: usize, text: &mut String) {
    fn flat(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::Array(items) => items.iter().all(|item| {
                !item.is_object()
                    && item
                        .as_array()
                        .is_none_or(|inner| inner.len() <= 5 && flat(item))
            }),
            serde_json::Value::Object(fields) => fields.is_empty(),
            _ => true,
        }
    }
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', depth));
    };
    match value {
        serde_json::Value::Array(items) if !flat(value) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                line(text, depth + 1);
                write_value(item, depth + 1, text);
            }
            line(text, depth);
            text.push(']');
        }
        serde_json::Value::Object(fields) if !fields.is_empty() => {
            text.push('{');
            for (index, (name, item)) in fields.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                line(text, depth + 1);
                text.push_str(&serde_json::Value::from(name.as_str()).to_string());
                text.push_str(": ");
                write_value(item, depth + 1, text);
            }
            line(text, depth);
            text.push('}');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

// ------------------------------------------------------------------------------------------------ file types

#[derive(Serialize, Deserialize, JsonSchema)]
struct SceneFile {
    /// Always "nearmiss/scene".
    format: String,
    /// Format version, 1 or more.
    version: u32,
    #[serde(default)]
    name: String,
    /// Where the scene comes from.
    #[serde(default)]
    source: String,
    /// Licence of the data.
    #[serde(default)]
    licence: String,
    /// Time between frames, s.
    dt_s: f64,
    /// Number of frames.
    frames: usize,
    /// The present frame: later ones are future.
    #[serde(default)]
    now: usize,
    #[serde(default)]
    map: MapFile,
    agents: Vec<AgentFile>,
    #[serde(default)]
    signals: Vec<SignalFile>,
    #[serde(default)]
    goals: Vec<Goal>,
    #[serde(default)]
    attacks: Vec<Attack>,
    #[serde(default)]
    pins: Vec<Pin>,
    #[serde(default)]
    edits: Vec<Edit>,
    /// Tracks as first recorded, of agents whose track was changed.
    #[serde(default)]
    log: BTreeMap<String, StatesFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generated: Option<Generated>,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Serialize, Deserialize, JsonSchema, Default)]
struct MapFile {
    #[serde(default)]
    lanes: Vec<LaneFile>,
    #[serde(default)]
    lines: Vec<LineFile>,
    #[serde(default)]
    areas: Vec<AreaFile>,
    #[serde(default)]
    stop_signs: Vec<StopSignFile>,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct LaneFile {
    id: LaneId,
    #[serde(default)]
    kind: LaneKind,
    #[serde(default, skip_serializing_if = "is_false")]
    in_junction: bool,
    /// Points x, y in driving direction, m.
    centreline: Vec<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_border: Vec<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    right_border: Vec<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    width_m: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    speed_limit_mps: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    successors: Vec<LaneId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    predecessors: Vec<LaneId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_neighbour: Option<LaneId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    right_neighbour: Option<LaneId>,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct LineFile {
    kind: LineKind,
    points: Vec<[f64; 2]>,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct AreaFile {
    kind: AreaKind,
    polygon: Vec<[f64; 2]>,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct StopSignFile {
    point: [f64; 2],
    #[serde(default)]
    lanes: Vec<LaneId>,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct SignalFile {
    lane: LaneId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop_point: Option<[f64; 2]>,
    /// Run lengths: from this frame on, this state.
    states: Vec<(usize, SignalState)>,
    #[serde(flatten)]
    extra: Extra,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct AgentFile {
    id: AgentId,
    kind: AgentKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(default)]
    role: Role,
    #[serde(default)]
    control: Control,
    length_m: f64,
    width_m: f64,
    states: StatesFile,
    #[serde(flatten)]
    extra: Extra,
}

/// Columns of equal length, one entry per frame; null in all five where the agent was not seen.
#[derive(Serialize, Deserialize, JsonSchema)]
struct StatesFile {
    x: Vec<Option<f64>>,
    y: Vec<Option<f64>>,
    heading: Vec<Option<f64>>,
    vx: Vec<Option<f64>>,
    vy: Vec<Option<f64>>,
    #[serde(flatten)]
    extra: Extra,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_false(value: &bool) -> bool {
    !value
}

fn pairs(points: &[DVec2]) -> Vec<[f64; 2]> {
    points.iter().map(|point| point.to_array()).collect()
}

fn points(pairs: &[[f64; 2]]) -> Vec<DVec2> {
    pairs.iter().map(|&[x, y]| dvec2(x, y)).collect()
}

// ------------------------------------------------------------------------------------------------ writing

impl From<&Scene> for SceneFile {
    fn from(scene: &Scene) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            name: scene.name.clone(),
            source: scene.source.clone(),
            licence: scene.licence.clone(),
            dt_s: scene.dt_s,
            frames: scene.frames,
            now: scene.now,
            map: MapFile::from(&*scene.map),
            agents: scene
                .agents
                .iter()
                .map(|agent| AgentFile::of(agent, scene.frames))
                .collect(),
            signals: scene.signals.iter().map(SignalFile::from).collect(),
            goals: scene.goals.clone(),
            attacks: scene.attacks.clone(),
            pins: scene.pins.clone(),
            edits: scene.edits.clone(),
            log: scene
                .log
                .iter()
                .map(|(id, track)| (id.to_string(), StatesFile::of(track, scene.frames)))
                .collect(),
            generated: scene.generated.as_deref().cloned(),
            extra: scene.extra.clone(),
        }
    }
}

impl From<&Map> for MapFile {
    fn from(map: &Map) -> Self {
        Self {
            lanes: map.lanes().iter().map(LaneFile::from).collect(),
            lines: map
                .lines()
                .iter()
                .map(|line| LineFile {
                    kind: line.kind,
                    points: pairs(&line.points),
                    extra: line.extra.clone(),
                })
                .collect(),
            areas: map
                .areas()
                .iter()
                .map(|area| AreaFile {
                    kind: area.kind,
                    polygon: pairs(&area.polygon),
                    extra: area.extra.clone(),
                })
                .collect(),
            stop_signs: map
                .stop_signs()
                .iter()
                .map(|sign| StopSignFile {
                    point: sign.point.to_array(),
                    lanes: sign.lanes.clone(),
                    extra: sign.extra.clone(),
                })
                .collect(),
            extra: map.extra().clone(),
        }
    }
}

impl From<&Lane> for LaneFile {
    fn from(lane: &Lane) -> Self {
        Self {
            id: lane.id.clone(),
            kind: lane.kind,
            in_junction: lane.in_junction,
            centreline: pairs(lane.centreline.points()),
            left_border: pairs(&lane.left_border),
            right_border: pairs(&lane.right_border),
            width_m: lane.width,
            speed_limit_mps: lane.speed_limit,
            successors: lane.successors.clone(),
            predecessors: lane.predecessors.clone(),
            left_neighbour: lane.left_neighbour.clone(),
            right_neighbour: lane.right_neighbour.clone(),
            extra: lane.extra.clone(),
        }
    }
}

impl From<&Signal> for SignalFile {
    fn from(signal: &Signal) -> Self {
        Self {
            lane: signal.lane.clone(),
            stop_point: signal.stop_point.map(|point| point.to_array()),
            states: signal.runs(),
            extra: signal.extra.clone(),
        }
    }
}

impl AgentFile {
    fn of(agent: &Agent, frames: usize) -> Self {
        Self {
            id: agent.id.clone(),
            kind: agent.kind,
            category: agent.category.clone(),
            role: agent.role,
            control: agent.control,
            length_m: agent.length,
            width_m: agent.width,
            states: StatesFile::of(&agent.track, frames),
            extra: agent.extra.clone(),
        }
    }
}

impl StatesFile {
    /// Columns of as many entries as the scene has frames, though a track may end before (or go on after) it.
    fn of(track: &Track, frames: usize) -> Self {
        let column = |of: fn(&State) -> f64| -> Vec<Option<f64>> {
            (0..frames).map(|frame| track.get(frame).map(of)).collect()
        };
        Self {
            x: column(|state| state.position.x),
            y: column(|state| state.position.y),
            heading: column(|state| state.heading),
            vx: column(|state| state.velocity.x),
            vy: column(|state| state.velocity.y),
            extra: match track.states().len() == frames {
                true => track.extra().clone(),
                false => Extra::new(), // they are columns of as many frames as the track had
            },
        }
    }
}

// ------------------------------------------------------------------------------------------------ reading

struct Problems<'a>(&'a mut Vec<Problem>);

impl Problems<'_> {
    fn add(&mut self, element: String, value: impl ToString, message: &str) {
        if self.0.len() < 1000 {
            self.0.push(Problem {
                element,
                value: value.to_string(),
                message: message.to_owned(),
            });
        }
    }

    /// Coordinates may not lie farther out than those of a track.
    fn near(&mut self, element: &str, points: &[[f64; 2]]) {
        for (index, point) in points.iter().enumerate() {
            let far = point.iter().find(|value| !(-1e8..=1e8).contains(*value));
            if let Some(value) = far {
                let message = "must be a finite number, at most 1e8";
                self.add(format!("{element}[{index}]"), format!("{value:e}"), message);
            }
        }
    }

    fn range(&mut self, element: String, value: f64, low: f64, high: f64, unit: &str) {
        if !(low..=high).contains(&value) {
            let message = format!("must lie in {low} to {high} {unit}");
            self.add(element, value, &message);
        }
    }
}

impl SceneFile {
    fn into_scene(self, problems: &mut Vec<Problem>) -> Scene {
        let mut problems = Problems(problems);
        problems.range("dt_s".to_owned(), self.dt_s, 1e-3, 10.0, "s");
        if self.frames == 0 || self.frames > MAX_FRAMES {
            problems.add("frames".to_owned(), self.frames, "must lie in 1 to 100000");
        }
        if self.now >= self.frames.max(1) {
            problems.add("now".to_owned(), self.now, "must be less than frames");
        }
        if self.agents.len() > MAX_AGENTS {
            let count = self.agents.len();
            problems.add("agents".to_owned(), count, "more agents than 20000");
        }
        let frames = self.frames;
        let mut ids: BTreeSet<AgentId> = BTreeSet::new();
        let mut egos = 0;
        let mut agents = Vec::with_capacity(self.agents.len());
        for (index, agent) in self.agents.into_iter().enumerate() {
            let at = format!("agents[{index}]");
            if !ids.insert(agent.id.clone()) {
                problems.add(
                    format!("{at}.id"),
                    &agent.id,
                    "is the id of an earlier agent",
                );
            }
            egos += usize::from(agent.role == Role::Ego);
            if egos > 1 && agent.role == Role::Ego {
                problems.add(format!("{at}.role"), "ego", "an earlier agent is the ego");
            }
            problems.range(format!("{at}.length_m"), agent.length_m, 0.01, 200.0, "m");
            problems.range(format!("{at}.width_m"), agent.width_m, 0.01, 200.0, "m");
            let track = agent.states.into_track(frames, &at, &mut problems);
            agents.push(Arc::new(Agent {
                id: agent.id,
                kind: agent.kind,
                category: agent.category,
                role: agent.role,
                control: agent.control,
                length: agent.length_m,
                width: agent.width_m,
                track,
                extra: agent.extra,
            }));
        }
        let known = |problems: &mut Problems<'_>, element: String, id: &AgentId| {
            if !ids.contains(id) {
                problems.add(element, id, "names no agent of the scene");
            }
        };
        for (index, goal) in self.goals.iter().enumerate() {
            let at = format!("goals[{index}]");
            known(&mut problems, format!("{at}.agent"), &goal.agent);
            problems.near(&format!("{at}.point"), &[goal.point]);
            problems.range(format!("{at}.time_s"), goal.time_s, -1e6, 1e6, "s");
            problems.range(format!("{at}.tolerance_m"), goal.tolerance_m, 0.0, 1e8, "m");
            let [heading, speed] = [goal.heading, goal.speed].map(Option::unwrap_or_default);
            problems.range(format!("{at}.heading"), heading, -100.0, 100.0, "rad");
            problems.range(
                format!("{at}.speed"),
                speed,
                -FASTEST_MPS,
                FASTEST_MPS,
                "m/s",
            );
        }
        for (index, attack) in self.attacks.iter().enumerate() {
            let at = format!("attacks[{index}]");
            known(&mut problems, format!("{at}.attacker"), &attack.attacker);
            known(&mut problems, format!("{at}.target"), &attack.target);
            problems.near(&format!("{at}.offset"), &[attack.offset]);
            problems.range(format!("{at}.time_s"), attack.time_s, -1e6, 1e6, "s");
        }
        for (index, pin) in self.pins.iter().enumerate() {
            known(&mut problems, format!("pins[{index}].agent"), &pin.agent);
            problems.range(format!("pins[{index}].level"), pin.level, 0.0, 1.0, "");
        }
        let mut log = BTreeMap::new();
        for (id, states) in self.log {
            let at = format!("log[\"{id}\"]");
            let id = AgentId::new(&id);
            known(&mut problems, at.clone(), &id);
            log.insert(id, states.into_track(frames, &at, &mut problems));
        }
        let map = Arc::new(self.map.into_map(&mut problems));
        let mut signals = self.signals;
        if signals.len().saturating_mul(frames) > MAX_SIGNAL_STATES {
            let message = format!("times {frames} frames is more than {MAX_SIGNAL_STATES}");
            problems.add("signals".to_owned(), signals.len(), &message);
            signals.clear();
        }
        let signals = signals
            .into_iter()
            .enumerate()
            .map(|(index, signal)| signal.into_signal(frames, index, &map, &mut problems))
            .collect();
        Scene {
            name: self.name,
            source: self.source,
            licence: self.licence,
            dt_s: quantise_step(self.dt_s),
            frames: self.frames,
            now: self.now,
            map,
            agents,
            signals: Arc::new(signals),
            goals: self.goals,
            attacks: self.attacks,
            pins: self.pins,
            generated: self.generated.map(|mut made| {
                made.edits.get_or_insert(self.edits.len());
                Arc::new(made)
            }),
            edits: self.edits,
            log,
            extra: self.extra,
        }
    }
}

impl StatesFile {
    fn into_track(self, frames: usize, at: &str, problems: &mut Problems<'_>) -> Track {
        let columns = [&self.x, &self.y, &self.heading, &self.vx, &self.vy];
        for (name, column) in ["x", "y", "heading", "vx", "vy"].iter().zip(columns) {
            if column.len() != frames {
                let message = format!("has {} entries, frames is {frames}", column.len());
                problems.add(format!("{at}.states.{name}"), column.len(), &message);
                return Track::default();
            }
        }
        let states = (0..frames).map(|frame| {
            let values = columns.map(|column| column[frame]);
            match values {
                [Some(x), Some(y), Some(heading), Some(vx), Some(vy)] => {
                    let (far, fast) = (1e8, FASTEST_MPS);
                    let bounded = [
                        ("x", x, far),
                        ("y", y, far),
                        ("vx", vx, fast),
                        ("vy", vy, fast),
                    ];
                    for (name, value, most) in bounded {
                        let element = format!("{at}.states.{name}[{frame}]");
                        problems.range(element, value, -most, most, "");
                    }
                    problems.range(
                        format!("{at}.states.heading[{frame}]"),
                        heading,
                        -100.0,
                        100.0,
                        "rad",
                    );
                    Some(State {
                        position: dvec2(x, y),
                        heading: quantise_angle(heading),
                        velocity: dvec2(vx, vy),
                    })
                }
                [None, None, None, None, None] => None,
                _ => {
                    let message = "is null in some columns but not in all";
                    problems.add(format!("{at}.states[{frame}]"), "null", message);
                    None
                }
            }
        });
        Track::new(states.collect()).with_extra(self.extra)
    }
}

impl MapFile {
    fn into_map(self, problems: &mut Problems<'_>) -> Map {
        let mut ids: BTreeSet<LaneId> = BTreeSet::new();
        let mut lanes = Vec::with_capacity(self.lanes.len());
        for (index, lane) in self.lanes.into_iter().enumerate() {
            let at = format!("map.lanes[{index}]");
            if !ids.insert(lane.id.clone()) {
                problems.add(format!("{at}.id"), &lane.id, "is the id of an earlier lane");
            }
            if let Some(width) = lane.width_m {
                problems.range(format!("{at}.width_m"), width, 0.1, 100.0, "m");
            }
            let limit = lane.speed_limit_mps.unwrap_or_default();
            problems.range(
                format!("{at}.speed_limit_mps"),
                limit,
                0.0,
                FASTEST_MPS,
                "m/s",
            );
            problems.near(&format!("{at}.centreline"), &lane.centreline);
            problems.near(&format!("{at}.left_border"), &lane.left_border);
            problems.near(&format!("{at}.right_border"), &lane.right_border);
            let Some(centreline) = Polyline::new(points(&lane.centreline)) else {
                let count = lane.centreline.len();
                let message = "points, at least two different ones are needed";
                problems.add(format!("{at}.centreline"), count, message);
                continue;
            };
            let length = centreline.length();
            problems.range(
                format!("{at}.centreline: length"),
                length,
                0.0,
                MAX_LANE_M,
                "m",
            );
            lanes.push(Lane {
                id: lane.id,
                kind: lane.kind,
                in_junction: lane.in_junction,
                centreline,
                left_border: points(&lane.left_border),
                right_border: points(&lane.right_border),
                width: lane.width_m,
                speed_limit: lane.speed_limit_mps,
                successors: lane.successors,
                predecessors: lane.predecessors,
                left_neighbour: lane.left_neighbour,
                right_neighbour: lane.right_neighbour,
                extra: lane.extra,
            });
        }
        for (index, line) in self.lines.iter().enumerate() {
            problems.near(&format!("map.lines[{index}].points"), &line.points);
        }
        for (index, area) in self.areas.iter().enumerate() {
            problems.near(&format!("map.areas[{index}].polygon"), &area.polygon);
        }
        for (index, sign) in self.stop_signs.iter().enumerate() {
            problems.near(&format!("map.stop_signs[{index}].point"), &[sign.point]);
        }
        Map::build(MapParts {
            lanes,
            lines: self
                .lines
                .into_iter()
                .map(|line| Line {
                    kind: line.kind,
                    points: points(&line.points),
                    extra: line.extra,
                })
                .collect(),
            areas: self
                .areas
                .into_iter()
                .map(|area| Area {
                    kind: area.kind,
                    polygon: points(&area.polygon),
                    extra: area.extra,
                })
                .collect(),
            stop_signs: self
                .stop_signs
                .into_iter()
                .map(|sign| StopSign {
                    point: sign.point.into(),
                    lanes: sign.lanes,
                    extra: sign.extra,
                })
                .collect(),
            extra: self.extra,
        })
    }
}

impl SignalFile {
    fn into_signal(
        self,
        frames: usize,
        index: usize,
        map: &Map,
        problems: &mut Problems<'_>,
    ) -> Signal {
        let at = format!("signals[{index}]");
        if map.lane(&self.lane).is_none() {
            problems.add(format!("{at}.lane"), &self.lane, "names no lane of the map");
        }
        problems.near(&format!("{at}.stop_point"), self.stop_point.as_slice());
        let mut states = vec![SignalState::Unknown; frames.min(MAX_FRAMES)];
        let mut last = None;
        for &(from, state) in &self.states {
            if from >= states.len() || last.is_some_and(|last| from <= last) {
                let message = "frames must rise and be less than the scene's";
                problems.add(format!("{at}.states"), from, message);
                break;
            }
            states[from..].fill(state);
            last = Some(from);
        }
        Signal {
            lane: self.lane,
            stop_point: self.stop_point.map(DVec2::from),
            states,
            extra: self.extra,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;

    fn small() -> Scene {
        let states = vec![
            Some(State::along(Pose::at(1.234_567, 2.0, 0.1), 3.0)),
            None,
            Some(State::along(Pose::at(2.0, 2.0, 0.2), 3.0)),
        ];
        let lane = Lane::new(
            "a",
            LaneKind::Street,
            Polyline::new([dvec2(0.0, 0.0), dvec2(9.0, 0.0)]).unwrap(),
        );
        Scene {
            name: "small".to_owned(),
            dt_s: 0.1,
            frames: 3,
            now: 1,
            map: Arc::new(Map::build(MapParts {
                lanes: vec![lane],
                ..MapParts::default()
            })),
            agents: vec![Arc::new(Agent::new(
                "car",
                AgentKind::Vehicle,
                Track::new(states),
            ))],
            signals: Arc::new(vec![Signal::new(
                LaneId::new("a"),
                None,
                vec![SignalState::Red, SignalState::Red, SignalState::Green],
            )]),
            ..Scene::default()
        }
        .quantised()
    }

    #[test]
    fn a_track_that_ends_before_the_scene_is_written_whole() {
        let mut scene = small();
        scene.frames = 5; // as where a generated future reaches past the recording
        let id = scene.agents[0].id.clone();
        scene.log.insert(id, scene.agents[0].track.clone());
        let again = reread(&scene_to_json(&scene)).unwrap();
        assert_eq!(again.hash(), scene.hash());
        assert_eq!(again.agents[0].track.states().len(), 5);
        assert_eq!(again.agents[0].track.get(2), scene.agents[0].track.get(2));
        assert_eq!(again.agents[0].track.get(4), None);
    }

    #[test]
    fn a_path_without_a_file_or_folder_is_said_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent");
        let read = read_scene(&absent).unwrap_err().to_string();
        let said = format!("{}: nothing is there. Check the path", absent.display());
        assert_eq!(read, said);
        let written = write_scene(&small(), &absent.join("a.json")).unwrap_err();
        assert_eq!(written.to_string(), said, "the folder is what is missing");
    }

    fn reread(text: &str) -> Result<Scene, FileError> {
        scene_from_json(text.as_bytes(), "test.json")
    }

    #[test]
    fn a_result_edited_since_it_was_made_is_known_as_such_when_read_again() {
        let recipe = serde_json::json!({
            "app_version": "0", "weights_hash": "", "seed": 1, "task": "free", "schedule": "full",
            "steps": 1, "temperature": 1.0, "agents": ["car"],
        });
        // as in a file that does not say how many edits it knows
        let made = serde_json::json!({ "recipe": recipe, "from_frame": 2, "complete": true });
        let made: Generated = serde_json::from_value(made).unwrap();
        let agent = AgentId::new("car");
        let resized = |length| Edit::Resize {
            agent: agent.clone(),
            length,
            width: 2.0,
        };
        let mut scene = small().edited(&resized(5.0)).unwrap();
        scene.generated = Some(Arc::new(made));
        let scene = reread(&scene_to_json(&scene)).unwrap();
        assert!(!scene.is_edited_since_made());
        // what the next run is told leaves the findings as they are
        let clear = Edit::ClearPin {
            agent: agent.clone(),
            token: None,
        };
        let told = scene.edited(&clear).unwrap();
        assert!(!told.is_edited_since_made());
        let edited = told.edited(&resized(4.0)).unwrap();
        assert!(edited.is_edited_since_made());
        let again = reread(&scene_to_json(&edited)).unwrap();
        assert!(again.is_edited_since_made());
        assert_eq!(again.hash(), edited.hash());
    }

    #[test]
    fn a_scene_written_and_read_is_the_same_to_the_bit() {
        let scene = small();
        let again = reread(&scene_to_json(&scene)).unwrap();
        assert_eq!(again.agents, scene.agents);
        assert_eq!(again.signals, scene.signals);
        assert_eq!(again.hash(), scene.hash());
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let scene = small();
        let again = reread(&format!("\u{feff}{}", scene_to_json(&scene))).unwrap();
        assert_eq!(again.hash(), scene.hash());
    }

    #[test]
    fn a_far_point_and_an_endless_lane_are_named() {
        let said = |x: f64| {
            let line = Polyline::new([dvec2(0.0, 0.0), dvec2(x, 0.0)]).unwrap();
            let map = Map::build(MapParts {
                lanes: vec![Lane::new("a", LaneKind::Street, line)],
                ..MapParts::default()
            });
            let scene = Scene {
                map: Arc::new(map),
                ..small()
            };
            let read = scene_from_json(scene_to_json(&scene).as_bytes(), "x");
            read.map(|_| ()).map_err(|error| error.to_string())
        };
        let far = said(1e12).unwrap_err();
        assert!(
            far.contains("centreline[1]") && far.contains("at most 1e8"),
            "{far}"
        );
        let long = said(2e6).unwrap_err();
        assert!(
            long.contains("length") && long.contains("1000000"),
            "{long}"
        );
        assert_eq!(said(1e6), Ok(()));
    }

    #[cfg(unix)]
    #[test]
    fn unknown_fields_survive_a_rewrite() {
        let text = scene_to_json(&small())
            .replacen("\"name\"", "\"weather\": {\"rain\": 0.5},\n \"name\"", 1)
            .replacen("\"length_m\"", "\"colour\": \"red\",\n \"length_m\"", 1);
        let again = scene_to_json(&reread(&text).unwrap());
        assert!(again.contains("\"rain\": 0.5") && again.contains("\"colour\": \"red\""));
    }

    #[test]
    fn unknown_fields_survive_in_every_part_of_the_map_in_signals_pins_and_recipes() {
        let mut scene = small();
        scene.pins = vec![Pin {
            agent: AgentId::new("car"),
            token: 5,
            level: 0.5,
            extra: Extra::new(),
        }];
        let corners = [[0.0, 0.0], [9.0, 0.0], [9.0, 4.0]].map(DVec2::from);
        scene.map = Arc::new(Map::build(MapParts {
            lanes: scene.map.lanes().to_vec(),
            lines: vec![Line::new(LineKind::Edge, corners[..2].to_vec())],
            areas: vec![Area::new(AreaKind::Crossing, corners.to_vec())],
            stop_signs: vec![StopSign::new(corners[1], vec![LaneId::new("a")])],
            ..MapParts::default()
        }));
        let mut file = serde_json::to_value(SceneFile::from(&scene)).unwrap();
        file["generated"] = serde_json::json!({
            "recipe": {
                "app_version": "0", "weights_hash": "", "seed": 1, "task": "free", "schedule": "full",
                "steps": 1, "temperature": 1.0, "agents": ["car"],
                "partial": [{"agent": "car", "level": 0.5, "tokens": []}],
                "given": [{"agent": "car", "token": 5, "state": [0, 0, 0, 0, 0], "level": 0}],
                "reactions": [{
                    "step": 1,
                    "signals_before": [{"signal": 0, "states": []}],
                    "moved": [{"agent": "car", "length": 4, "width": 2, "states": []}],
                }],
            },
            "from_frame": 2,
            "complete": true,
            "gates": [{"gate": "start", "passed": true, "value": 0, "limit": 1, "unit": "m", "reason": ""}],
            "metrics": [{"name": "ade_m", "value": 1, "unit": "m", "count": 1}],
        });
        let places = [
            "/map",
            "/map/lanes/0",
            "/map/lines/0",
            "/map/areas/0",
            "/map/stop_signs/0",
            "/signals/0",
            "/pins/0",
            "/generated/recipe/partial/0",
            "/generated/recipe/given/0",
            "/generated/recipe/reactions/0",
            "/generated/recipe/reactions/0/signals_before/0",
            "/generated/recipe/reactions/0/moved/0",
            "/generated/gates/0",
            "/generated/metrics/0",
        ];
        for place in places {
            file.pointer_mut(place).unwrap()["survey"] = place.into();
        }
        let again = scene_to_json(&reread(&file.to_string()).unwrap());
        let again: serde_json::Value = serde_json::from_str(&again).unwrap();
        for place in places {
            assert_eq!(again.pointer(place).unwrap()["survey"], place);
        }
    }

    #[test]
    fn unknown_columns_of_states_stay_until_a_state_changes() {
        let mut file = serde_json::to_value(SceneFile::from(&small())).unwrap();
        let columns = file.pointer_mut("/agents/0/states").unwrap();
        columns["yaw_rate"] = serde_json::json!([0.1, null, 0.3]);
        let scene = reread(&file.to_string()).unwrap().quantised();
        let rewritten = scene_to_value(&scene);
        let kept = &rewritten["agents"][0]["states"]["yaw_rate"];
        assert_eq!(*kept, serde_json::json!([0.1, null, 0.3]));
        let moved = Edit::Move {
            agent: AgentId::new("car"),
            point: [0.0, 0.0],
            heading: 0.0,
            speed: None,
        };
        let scene = scene.edited(&Edit::SetNow { frame: 0 }).unwrap();
        let rewritten = scene_to_value(&scene.edited(&moved).unwrap());
        assert!(rewritten["agents"][0]["states"]["yaw_rate"].is_null());
        assert_eq!(rewritten["log"]["car"]["yaw_rate"][0], 0.1);
    }

    #[test]
    fn a_newer_version_is_refused_with_a_sentence() {
        let text = scene_to_json(&small()).replacen("\"version\": 1", "\"version\": 99", 1);
        let message = reread(&text).unwrap_err().to_string();
        assert!(
            message.contains("version 99") && message.contains("Update"),
            "{message}"
        );
    }

    #[test]
    fn a_wrong_type_names_its_element() {
        let text = scene_to_json(&small()).replacen("1.2346", "\"far\"", 1);
        let message = reread(&text).unwrap_err().to_string();
        assert!(message.contains("agents[0]"), "{message}");
    }

    #[test]
    fn contradictions_are_named_with_element_and_value() {
        let scene = small();
        let mut twice = scene.clone();
        twice.agents.push(scene.agents[0].clone());
        let message = reread(&scene_to_json(&twice)).unwrap_err().to_string();
        assert!(message.contains("agents[1].id = car"), "{message}");

        let short = scene_to_json(&scene).replacen("\"frames\": 3", "\"frames\": 4", 1);
        let message = reread(&short).unwrap_err().to_string();
        assert!(message.contains("agents[0].states.x"), "{message}");

        let dangling = scene_to_json(&scene).replacen("\"lane\": \"a\"", "\"lane\": \"z\"", 1);
        let message = reread(&dangling).unwrap_err().to_string();
        assert!(message.contains("signals[0].lane = z"), "{message}");
    }

    #[test]
    fn huge_counts_are_refused_without_allocating() {
        let text = r#"{"format":"nearmiss/scene","version":1,"dt_s":0.1,"frames":1000000000000,"agents":[],
            "signals":[{"lane":"a","states":[[0,"red"]]}]}"#;
        assert!(matches!(reread(text), Err(FileError::Invalid { .. })));
    }

    #[test]
    fn signals_are_bound_by_the_most_frames_and_by_their_states_together() {
        let of = |frames: usize, signals: &str| {
            let text = format!(
                r#"{{"format":"nearmiss/scene","version":1,"dt_s":0.1,"frames":{frames},"agents":[],"signals":[{signals}]}}"#
            );
            reread(&text).unwrap_err().to_string()
        };
        let late = of(300_000, r#"{"lane":"a","states":[[200000,"red"]]}"#);
        assert!(late.contains("frames = 300000"), "{late}");
        // 1001 signals at 100 000 frames: more than 100 million states of some 25 bytes of text each
        let many = [r#"{"lane":"a","states":[]}"#; 1001].join(",");
        let many = of(100_000, &many);
        assert!(
            many.contains("signals = 1001: times 100000 frames"),
            "{many}"
        );
    }

    #[test]
    fn truncated_text_is_an_error_not_a_panic() {
        let text = scene_to_json(&small());
        for end in (0..text.len()).step_by(7) {
            assert!(reread(&text[..end]).is_err());
        }
    }
}
