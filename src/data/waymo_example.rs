//! Waymo Open Motion as `tf.Example`: named arrays for 128 agents, 20,000 map points and 16 lights.

use std::collections::BTreeMap;
use std::path::Path;

use super::draft::{Draft, MAX_MAP_POINTS, fill_motion, median, point};
use super::waymo::{SignalTable, agent_kind};
use super::waymo_terms::{WAYMO_LICENCE, lane_kind, road_line_kind};
use super::wire::{Field, Fields, NoMessage, packed_integers};
use super::{OpenError, Report};
use crate::geometry::{DVec2, Polyline, dvec2, wrap_angle};
use crate::map::{Area, AreaKind, Lane, Line, LineKind, MapParts, StopSign};
use crate::scene::Scene;
use crate::scene::{Agent, State, Track};

/// The stretches of time that arrays are cut into: name, in this order.
const STRETCHES: [&str; 3] = ["past", "current", "future"];

/// Time between frames, s.
const DT_S: f64 = 0.1;

/// Most features of an Example; the files have about 60.
const MAX_FEATURES: usize = 10_000;

/// Largest feature read, bytes; the largest in the files have 240,000.
const MAX_FEATURE_BYTES: usize = 4 << 20;

/// Largest gap between successive points of one map feature, m.
const MAX_GAP_M: f64 = 10.0;

/// An Example's features by name, still encoded.
struct Features<'a>(BTreeMap<&'a str, Field<'a>>);

impl<'a> Features<'a> {
    fn of(record: &'a [u8]) -> Result<Self, NoMessage> {
        let mut features = BTreeMap::new();
        for field in Fields::of(record) {
            let (1, Field::Bytes(map)) = field? else {
                continue;
            };
            for entry in Fields::of(map) {
                let (1, Field::Bytes(entry)) = entry? else {
                    continue;
                };
                let (mut key, mut value) = (None, None);
                for part in Fields::of(entry) {
                    match part? {
                        (1, Field::Bytes(name)) => key = std::str::from_utf8(name).ok(),
                        (2, Field::Bytes(feature)) => value = Some(feature),
                        _ => {}
                    }
                }
                if let (Some(key), Some(value)) = (key, value)
                    && features.len() < MAX_FEATURES
                {
                    features.insert(key, Field::Bytes(value));
                }
            }
        }
        Ok(Self(features))
    }

    /// The numbers of a feature, floats or whole; empty if it is not there or too large.
    fn numbers(&self, name: &str) -> Vec<f64> {
        let feature = self.0.get(name).and_then(|feature| feature.bytes());
        let mut numbers = Vec::new();
        if feature.is_some_and(|feature| feature.len() > MAX_FEATURE_BYTES) {
            return numbers;
        }
        for (kind, list) in Fields::of(feature.unwrap_or(&[])).filter_map(Result::ok) {
            let Some(list) = list.bytes() else { continue };
            for (_, value) in Fields::of(list).filter_map(Result::ok) {
                match (kind, value) {
                    (2, Field::Bytes(packed)) => {
                        let floats = packed.as_chunks::<4>().0;
                        numbers.extend(
                            floats
                                .iter()
                                .map(|float| f64::from(f32::from_le_bytes(*float))),
                        );
                    }
                    (2, Field::Fixed32(float)) => {
                        numbers.push(f64::from(f32::from_le_bytes(float)));
                    }
                    (3, Field::Bytes(packed)) => {
                        numbers.extend(packed_integers(packed).map(|number| number as f64));
                    }
                    (3, Field::Varint(number)) => numbers.push(number as i64 as f64),
                    _ => {}
                }
            }
        }
        numbers
    }

    fn text(&self, name: &str) -> Option<String> {
        let (_, list) = Fields::of(self.0.get(name)?.bytes()?).next()?.ok()?;
        let (_, text) = Fields::of(list.bytes()?).next()?.ok()?;
        let text = String::from_utf8_lossy(text.bytes()?);
        Some(text.chars().take(100).collect())
    }
}

/// The id of the scenario in an Example.
pub(super) fn scenario_id(record: &[u8]) -> Option<String> {
    Features::of(record).ok()?.text("scenario/id")
}

/// Reads one Example.
pub(super) fn read(record: &[u8], path: &Path) -> Result<(Scene, Report), OpenError> {
    let damaged = |message: &str| OpenError::damaged(path, "tf.Example", message);
    let features = Features::of(record).map_err(|_| damaged("is no protobuf message"))?;
    let mut report = Report::default();
    let kinds = features.numbers("state/type");
    let slots = kinds.len();
    let Some(lengths) = stretch_lengths(&features, "state", "x", slots) else {
        return Err(damaged("has no `state/current/x` for its `state/type`"));
    };
    let frames = lengths.iter().sum::<usize>();
    Draft::check_size(path, slots, frames)?;
    let id = features.text("scenario/id").unwrap_or_default();
    let mut draft = Draft {
        name: id.clone(),
        source: format!("Waymo Open Motion tf.Example, scenario {id}"),
        licence: WAYMO_LICENCE.to_owned(),
        dt_s: DT_S,
        frames,
        now: (lengths[0] > 0).then_some(lengths[0]),
        ..Draft::default()
    };
    let columns = Columns::of(&features, slots, &lengths);
    let ids = features.numbers("state/id");
    let ego = features.numbers("state/is_sdc");
    for (slot, kind) in kinds.iter().enumerate() {
        let agent = agent(slot, &columns, frames, *kind, ids.get(slot).copied());
        if agent.track.span().is_none() {
            continue; // 128 slots, most of them empty
        }
        if ego.get(slot).is_some_and(|mark| *mark > 0.5) {
            draft.ego = Some(agent.id.clone());
        }
        draft.agents.push(agent);
    }
    draft.map = map(&features, path, &mut report)?;
    let mut lights = SignalTable::default();
    read_lights(&features, frames, &mut lights, path)?;
    draft.signals = lights.into_signals();
    let scene = draft.finish(path, &mut report)?;
    Ok((scene, report))
}

/// Frames of past, present and future, from the lengths of an array of `slots` per frame.
fn stretch_lengths(
    features: &Features<'_>,
    group: &str,
    name: &str,
    slots: usize,
) -> Option<[usize; 3]> {
    let count = |stretch| features.numbers(&format!("{group}/{stretch}/{name}")).len();
    let lengths = STRETCHES.map(|stretch| count(stretch).checked_div(slots).unwrap_or(0));
    (lengths[1] == 1).then_some(lengths)
}

/// One quantity of all agents over all frames, agent by agent.
struct Column(Vec<Vec<f64>>);

impl Column {
    fn of(features: &Features<'_>, name: &str, slots: usize, lengths: &[usize; 3]) -> Self {
        let parts = STRETCHES.map(|stretch| features.numbers(&format!("state/{stretch}/{name}")));
        let row = |slot: usize| {
            let stretch = |(part, &length): (&Vec<f64>, &usize)| {
                let start = slot * length;
                let mut values: Vec<f64> = part.iter().skip(start).take(length).copied().collect();
                values.resize(length, f64::NAN);
                values
            };
            parts.iter().zip(lengths).flat_map(stretch).collect()
        };
        Self((0..slots).map(row).collect())
    }

    fn at(&self, slot: usize, frame: usize) -> f64 {
        self.0[slot][frame]
    }
}

struct Columns {
    x: Column,
    y: Column,
    heading: Column,
    velocity_x: Column,
    velocity_y: Column,
    length: Column,
    width: Column,
    valid: Column,
}

impl Columns {
    fn of(features: &Features<'_>, slots: usize, lengths: &[usize; 3]) -> Self {
        let column = |name: &str| Column::of(features, name, slots, lengths);
        Self {
            x: column("x"),
            y: column("y"),
            heading: column("bbox_yaw"),
            velocity_x: column("velocity_x"),
            velocity_y: column("velocity_y"),
            length: column("length"),
            width: column("width"),
            valid: column("valid"),
        }
    }
}

fn agent(slot: usize, columns: &Columns, frames: usize, kind: f64, id: Option<f64>) -> Agent {
    let is_valid = |frame: &usize| columns.valid.at(slot, *frame) > 0.5;
    let states = (0..frames).map(|frame| {
        is_valid(&frame).then(|| State {
            position: point(columns.x.at(slot, frame), columns.y.at(slot, frame)),
            heading: wrap_angle(columns.heading.at(slot, frame)),
            velocity: dvec2(
                columns.velocity_x.at(slot, frame),
                columns.velocity_y.at(slot, frame),
            ),
        })
    });
    let mut track = Track::new(states.collect());
    fill_motion(&mut track, DT_S);
    let id = id
        .filter(|id| *id >= 0.0)
        .map_or_else(|| format!("slot{slot}"), |id| format!("{id}"));
    let mut agent = Agent::new(id, agent_kind(kind as i64), track);
    let size = |column: &Column| {
        let seen = (0..frames)
            .filter(is_valid)
            .map(|frame| column.at(slot, frame));
        median(seen.filter(|size| *size > 0.0))
    };
    agent.length = size(&columns.length).unwrap_or(agent.length);
    agent.width = size(&columns.width).unwrap_or(agent.width);
    agent
}

/// Map points carry the id and type of their feature; successive points of one id make a line, broken where they
/// lie far apart.
fn map(features: &Features<'_>, path: &Path, report: &mut Report) -> Result<MapParts, OpenError> {
    let numbers = |name: &str| features.numbers(&format!("roadgraph_samples/{name}"));
    let (places, ids, kinds, valid) = (
        numbers("xyz"),
        numbers("id"),
        numbers("type"),
        numbers("valid"),
    );
    if ids.len() > MAX_MAP_POINTS {
        let limit = MAX_MAP_POINTS as u64;
        return Err(OpenError::too_large(
            path,
            "number of map points",
            ids.len() as u64,
            limit,
        ));
    }
    let mut runs: Vec<(i64, i64, Vec<DVec2>)> = Vec::new();
    for (index, place) in places.as_chunks::<3>().0.iter().enumerate() {
        let (Some(&id), Some(&kind)) = (ids.get(index), kinds.get(index)) else {
            break;
        };
        let place = point(place[0], place[1]);
        if valid.get(index).is_some_and(|valid| *valid < 0.5) || !place.is_finite() {
            continue;
        }
        match runs.last_mut() {
            Some((last, _, points))
                if *last == id as i64
                    && points
                        .last()
                        .is_some_and(|end| end.distance(place) < MAX_GAP_M) =>
            {
                points.push(place);
            }
            _ => runs.push((id as i64, kind as i64, vec![place])),
        }
    }
    let mut parts = MapParts::default();
    let mut pieces: BTreeMap<i64, usize> = BTreeMap::new();
    for (id, kind, points) in runs {
        let piece = pieces.entry(id).or_default();
        let name = if *piece == 0 {
            id.to_string()
        } else {
            format!("{id}-{piece}")
        };
        *piece += 1;
        match (kind, points.len()) {
            (1..=3, _) => match Polyline::new(points) {
                Some(centreline) => parts
                    .lanes
                    .push(Lane::new(name, lane_kind(kind), centreline)),
                None => report.skip("lanes with fewer than two different points"),
            },
            (6..=13, 2..) => parts
                .lines
                .push(Line::new(road_line_kind(kind - 5), points)),
            (15 | 16, 2..) => parts.lines.push(Line::new(LineKind::Edge, points)),
            (17, _) => parts.stop_signs.push(StopSign::new(points[0], Vec::new())),
            (18..=20, 3..) => parts.areas.push(Area::new(
                match kind {
                    18 => AreaKind::Crossing,
                    19 => AreaKind::SpeedBump,
                    _ => AreaKind::Driveway,
                },
                points,
            )),
            (6..=20, _) => report.skip("road elements with too few points"),
            _ => report.skip("road elements of an unknown type"),
        }
    }
    Ok(parts)
}

fn read_lights(
    features: &Features<'_>,
    frames: usize,
    table: &mut SignalTable,
    path: &Path,
) -> Result<(), OpenError> {
    let numbers = |stretch: &str, name: &str| {
        features.numbers(&format!("traffic_light_state/{stretch}/{name}"))
    };
    let slots = numbers("current", "id").len();
    let Some(lengths) = stretch_lengths(features, "traffic_light_state", "id", slots) else {
        return Ok(());
    };
    let mut first = 0;
    for (stretch, length) in STRETCHES.iter().zip(lengths) {
        let columns = ["id", "state", "valid", "x", "y"].map(|name| numbers(stretch, name));
        let at =
            |column: usize, index: usize| columns[column].get(index).copied().unwrap_or(f64::NAN);
        for index in 0..length.saturating_mul(slots) {
            if at(0, index) >= 0.0 && at(2, index) > 0.5 {
                let stop = Some((at(3, index), at(4, index)));
                let place = (first + index / slots, frames);
                table.set(at(0, index) as i64, at(1, index) as i64, stop, place, path)?;
            }
        }
        first += length;
    }
    Ok(())
}
