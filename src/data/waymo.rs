//! Waymo Open Motion in: `Scenario` messages, and `tf.Example` messages, in TFRecord files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use prost::Message;

use super::detect;
use super::draft::{Draft, MAX_CELLS, MAX_MAP_POINTS, fill_motion, median, point, usual_step};
use super::folder::examples;
use super::tfrecord::Records;
use super::waymo_terms::{WAYMO_LICENCE, signal_state};
use super::wire::{Field, Fields};
use super::{Entry, Format, OpenError, Opened, Report};
use super::{waymo_example, waymo_map};
use crate::geometry::{dvec2, wrap_angle};
use crate::map::LaneId;
use crate::scene::Scene;
use crate::scene::{Agent, AgentKind, Signal, SignalState, State, Track};

/// Largest track or map feature decoded, bytes: empty states cost two bytes and become 56.
const MAX_PART_BYTES: usize = 8 << 20;

/// Time between frames, s, where time stamps do not say.
const DT_S: f64 = 0.1;

/// One position of a track.
#[derive(Clone, PartialEq, Message)]
struct ObjectState {
    #[prost(double, tag = "2")]
    center_x: f64,
    #[prost(double, tag = "3")]
    center_y: f64,
    #[prost(float, tag = "5")]
    length: f32,
    #[prost(float, tag = "6")]
    width: f32,
    #[prost(float, tag = "8")]
    heading: f32,
    #[prost(float, tag = "9")]
    velocity_x: f32,
    #[prost(float, tag = "10")]
    velocity_y: f32,
    #[prost(bool, tag = "11")]
    valid: bool,
}

#[derive(Clone, PartialEq, Message)]
struct TrackMessage {
    #[prost(int32, tag = "1")]
    id: i32,
    #[prost(int32, tag = "2")]
    object_type: i32,
    #[prost(message, repeated, tag = "3")]
    states: Vec<ObjectState>,
}

#[derive(Clone, PartialEq, Message)]
struct StopPoint {
    #[prost(double, tag = "1")]
    x: f64,
    #[prost(double, tag = "2")]
    y: f64,
}

#[derive(Clone, PartialEq, Message)]
struct LaneState {
    #[prost(int64, tag = "1")]
    lane: i64,
    #[prost(int32, tag = "2")]
    state: i32,
    #[prost(message, optional, tag = "3")]
    stop_point: Option<StopPoint>,
}

#[derive(Clone, PartialEq, Message)]
struct DynamicMapState {
    #[prost(message, repeated, tag = "1")]
    lane_states: Vec<LaneState>,
}

/// Opens one scenario of a file: the one whose id (or `#` and number) is `pick`, else the first.
pub(super) fn open(path: &Path, gzip: bool, pick: Option<&str>) -> Result<Opened, OpenError> {
    let mut records = Records::new(reader(path, gzip)?, path);
    let mut bytes = Vec::new();
    let mut index = 0;
    let mut ids = Vec::new();
    while records.read(&mut bytes)? {
        let id = scenario_id(&bytes);
        let is_wanted = match pick {
            Some(pick) => id.as_deref() == Some(pick) || format!("#{index}") == pick,
            None => true,
        };
        if is_wanted {
            let (scene, mut report, format) = read(&bytes, path)?;
            if pick.is_none() && records.read(&mut bytes).unwrap_or(true) {
                report.note("the file holds further scenarios; this is the first");
            }
            return Ok(Opened {
                scene,
                format,
                report,
            });
        }
        if ids.len() < 8 {
            ids.push(id.unwrap_or_else(|| format!("#{index}")));
        }
        index += 1;
    }
    Err(match pick {
        Some(pick) => OpenError::NoSuchPick {
            path: path.display().to_string(),
            pick: pick.to_owned(),
            examples: examples(ids.iter().map(String::as_str)),
        },
        None => OpenError::damaged(path, "TFRecord", "holds no record"),
    })
}

/// The scenarios of a file.
pub(super) fn list(path: &Path, gzip: bool) -> Result<Vec<Entry>, OpenError> {
    let mut records = Records::new(reader(path, gzip)?, path);
    let mut bytes = Vec::new();
    let mut entries: Vec<Entry> = Vec::new();
    while records.read(&mut bytes)? {
        let number = format!("#{}", entries.len());
        let id = scenario_id(&bytes).unwrap_or(number);
        entries.push(Entry {
            file: path.to_path_buf(),
            pick: Some(id.clone()),
            name: id,
            format: format_of(&bytes),
        });
    }
    Ok(entries)
}

/// Opens the scenarios of a file in one pass; false if `visit` said to stop. `entries` are those of [`list`].
pub(super) fn open_each(
    path: &Path,
    entries: &[Entry],
    visit: &mut dyn FnMut(&Entry, Result<Opened, OpenError>) -> bool,
) -> Result<bool, OpenError> {
    let (_, head) = detect::file(path)?;
    let mut records = Records::new(reader(path, head.gzip)?, path);
    let mut bytes = Vec::new();
    for entry in entries {
        if !records.read(&mut bytes)? {
            break;
        }
        let opened = read(&bytes, path).map(|(scene, report, format)| Opened {
            scene,
            format,
            report,
        });
        if !visit(entry, opened) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn reader(path: &Path, gzip: bool) -> Result<Box<dyn Read>, OpenError> {
    let file = fs::File::open(path).map_err(|error| OpenError::io(path, &error))?;
    let buffered = BufReader::with_capacity(1 << 20, file);
    Ok(if gzip {
        Box::new(MultiGzDecoder::new(buffered))
    } else {
        Box::new(buffered)
    })
}

/// An Example has one field only, number 1, and it is a message; in a Scenario that number is a time (or a packed
/// list of them) and others follow.
fn format_of(record: &[u8]) -> Format {
    let is_message = |field| matches!(field, Ok((1, Field::Bytes(_))));
    if !record.is_empty() && Fields::of(record).all(is_message) {
        Format::WaymoExample
    } else {
        Format::WaymoScenario
    }
}

fn scenario_id(record: &[u8]) -> Option<String> {
    if format_of(record) == Format::WaymoExample {
        return waymo_example::scenario_id(record);
    }
    let mut fields = Fields::of(record).filter_map(Result::ok);
    let id = fields.find_map(|(tag, field)| if tag == 5 { field.bytes() } else { None })?;
    let id: String = String::from_utf8_lossy(id).chars().take(100).collect();
    (!id.is_empty()).then_some(id)
}

/// Reads one record.
pub(super) fn read(record: &[u8], path: &Path) -> Result<(Scene, Report, Format), OpenError> {
    let format = format_of(record);
    let (scene, report) = match format {
        Format::WaymoExample => waymo_example::read(record, path)?,
        _ => read_scenario(record, path)?,
    };
    Ok((scene, report, format))
}

fn read_scenario(record: &[u8], path: &Path) -> Result<(Scene, Report), OpenError> {
    let mut report = Report::default();
    let mut parts = Parts::default();
    for field in Fields::of(record) {
        let (tag, field) =
            field.map_err(|_| OpenError::damaged(path, "Scenario", "is no protobuf message"))?;
        parts.take(tag, field, path)?;
    }
    if parts.tracks.is_empty() && parts.features.is_empty() {
        return Err(OpenError::damaged(
            path,
            "Scenario",
            "has neither tracks nor a map",
        ));
    }
    let mut draft = Draft {
        name: parts.id.clone(),
        source: format!("Waymo Open Motion, scenario {}", parts.id),
        licence: WAYMO_LICENCE.to_owned(),
        dt_s: parts.step(),
        now: parts.now,
        ..Draft::default()
    };
    let tracks = parts.decode_tracks(path)?;
    let longest = tracks.iter().map(|track| track.states.len()).max();
    draft.frames = longest.unwrap_or(0).max(parts.times.len()).max(1);
    Draft::check_size(path, tracks.len(), draft.frames)?;
    for (index, track) in tracks.iter().enumerate() {
        let agent = agent(track, draft.frames, draft.dt_s, &mut report);
        if parts.ego == Some(index as i64) {
            draft.ego = Some(agent.id.clone());
        }
        draft.agents.push(agent);
    }
    if let (Some(ego), None) = (parts.ego, &draft.ego) {
        report.problem(
            "sdc_track_index",
            ego,
            "names no track; another ego is chosen",
        );
    }
    draft.map = waymo_map::read(&parts.features, path, &mut report)?;
    draft.signals = signals(&parts.lights, draft.frames, path)?;
    let scene = draft.finish(path, &mut report)?;
    Ok((scene, report))
}

/// A Scenario's fields, its large parts still encoded.
#[derive(Default)]
struct Parts<'a> {
    id: String,
    times: Vec<f64>,
    tracks: Vec<&'a [u8]>,
    lights: Vec<&'a [u8]>,
    features: Vec<&'a [u8]>,
    ego: Option<i64>,
    now: Option<usize>,
}

impl<'a> Parts<'a> {
    fn take(&mut self, tag: u64, field: Field<'a>, path: &Path) -> Result<(), OpenError> {
        match (tag, field) {
            (1, Field::Fixed64(time)) => self.times.push(f64::from_le_bytes(time)),
            (1, Field::Bytes(packed)) => {
                let times = packed.as_chunks::<8>().0;
                self.times
                    .extend(times.iter().map(|time| f64::from_le_bytes(*time)));
            }
            (2, Field::Bytes(track)) => self.tracks.push(track),
            (5, Field::Bytes(id)) => {
                self.id = String::from_utf8_lossy(id).chars().take(100).collect();
            }
            (6, Field::Varint(index)) => self.ego = Some(index as i64),
            (7, Field::Bytes(lights)) => self.lights.push(lights),
            (8, Field::Bytes(feature)) => self.features.push(feature),
            (10, Field::Varint(index)) => self.now = usize::try_from(index).ok(),
            _ => {}
        }
        Draft::check_size(
            path,
            self.tracks.len(),
            self.times.len().max(self.lights.len()),
        )?;
        let part = field.bytes().filter(|_| matches!(tag, 2 | 7 | 8));
        if let Some(size) = part.map(<[u8]>::len).filter(|size| *size > MAX_PART_BYTES) {
            let limit = MAX_PART_BYTES as u64;
            let element = format!("Scenario field {tag}: size in bytes");
            return Err(OpenError::too_large(path, element, size as u64, limit));
        }
        Ok(())
    }

    fn step(&self) -> f64 {
        let step = median(self.times.windows(2).map(|pair| pair[1] - pair[0]));
        let step = step.filter(|step| (1e-3..10.0).contains(step));
        step.map_or(DT_S, usual_step)
    }

    fn decode_tracks(&self, path: &Path) -> Result<Vec<TrackMessage>, OpenError> {
        let mut tracks = Vec::with_capacity(self.tracks.len());
        let mut states = 0;
        for (index, bytes) in self.tracks.iter().enumerate() {
            let track = TrackMessage::decode(*bytes).map_err(|error| {
                OpenError::damaged(path, format!("tracks[{index}]"), error.to_string())
            })?;
            states += track.states.len();
            Draft::check_size(path, 1, track.states.len())?;
            if states > MAX_CELLS {
                let limit = MAX_CELLS as u64;
                return Err(OpenError::too_large(
                    path,
                    "number of states",
                    states as u64,
                    limit,
                ));
            }
            tracks.push(track);
        }
        Ok(tracks)
    }
}

/// From Waymo's number: 1 vehicle, 2 pedestrian, 3 cyclist, 4 other.
pub(super) fn agent_kind(number: i64) -> AgentKind {
    match number {
        1 => AgentKind::Vehicle,
        2 => AgentKind::Pedestrian,
        3 => AgentKind::Cyclist,
        _ => AgentKind::Other,
    }
}

fn agent(track: &TrackMessage, frames: usize, dt_s: f64, report: &mut Report) -> Agent {
    if !track.states.is_empty() && track.states.len() != frames {
        let element = format!("track {}: states", track.id);
        let message = format!("frames where others have {frames}; missing ones are invalid");
        report.problem(element, track.states.len(), message);
    }
    let states = track.states.iter().map(|state| {
        state.valid.then(|| State {
            position: point(state.center_x, state.center_y),
            heading: wrap_angle(f64::from(state.heading)),
            velocity: dvec2(f64::from(state.velocity_x), f64::from(state.velocity_y)),
        })
    });
    let mut path = Track::new(states.collect());
    fill_motion(&mut path, dt_s);
    let kind = agent_kind(i64::from(track.object_type));
    let mut agent = Agent::new(track.id.to_string(), kind, path);
    let size = |of: fn(&ObjectState) -> f32| {
        let valid = track.states.iter().filter(|state| state.valid);
        median(
            valid
                .map(|state| f64::from(of(state)))
                .filter(|size| *size > 0.0),
        )
    };
    agent.length = size(|state| state.length).unwrap_or(agent.length);
    agent.width = size(|state| state.width).unwrap_or(agent.width);
    agent
}

/// What lights of lanes show, frame by frame, into signals.
#[derive(Default)]
pub(super) struct SignalTable {
    lanes: BTreeMap<i64, Signal>,
}

impl SignalTable {
    /// Notes what a lane's light shows at a frame.
    pub(super) fn set(
        &mut self,
        lane: i64,
        state: i64,
        stop: Option<(f64, f64)>,
        place: (usize, usize),
        path: &Path,
    ) -> Result<(), OpenError> {
        let (frame, frames) = place;
        let cells = (self.lanes.len() + 1).saturating_mul(frames);
        if cells > 8 * MAX_MAP_POINTS && !self.lanes.contains_key(&lane) {
            let limit = 8 * MAX_MAP_POINTS as u64;
            return Err(OpenError::too_large(
                path,
                "signals times frames",
                cells as u64,
                limit,
            ));
        }
        let signal = self.lanes.entry(lane).or_insert_with(|| {
            Signal::new(
                LaneId::new(lane.to_string()),
                None,
                vec![SignalState::Unknown; frames],
            )
        });
        if let Some(slot) = signal.states.get_mut(frame) {
            *slot = signal_state(&state.to_string());
        }
        if signal.stop_point.is_none() {
            signal.stop_point = stop
                .map(|(x, y)| point(x, y))
                .filter(|stop| stop.is_finite());
        }
        Ok(())
    }

    /// The signals by lane.
    pub(super) fn into_signals(self) -> Vec<Signal> {
        self.lanes.into_values().collect()
    }
}

fn signals(lights: &[&[u8]], frames: usize, path: &Path) -> Result<Vec<Signal>, OpenError> {
    let mut table = SignalTable::default();
    for (frame, bytes) in lights.iter().enumerate().take(frames) {
        let lights = DynamicMapState::decode(*bytes).map_err(|error| {
            let element = format!("dynamic_map_states[{frame}]");
            OpenError::damaged(path, element, error.to_string())
        })?;
        for light in lights.lane_states {
            let stop = light.stop_point.map(|stop| (stop.x, stop.y));
            table.set(
                light.lane,
                i64::from(light.state),
                stop,
                (frame, frames),
                path,
            )?;
        }
    }
    Ok(table.into_signals())
}

#[cfg(test)]
mod tests;
