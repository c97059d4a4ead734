//! Argoverse 2 in: motion forecasting scenarios (Parquet) and sensor logs (Arrow).
//!
//! Forecasting tracks have no sizes: each gets the usual size of its type. Sensor boxes are given in the moving frame
//! of the ego car, whose origin is the middle of its rear axle: they are carried into the city frame with the pose
//! of their own time stamp. They have no velocity: it is the slope of their positions over 0.4 s.

mod feather;
mod map;
mod parquet_file;
mod table;
mod thrift;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::data::OpenError;
use crate::data::draft::{Draft, MAX_FRAMES, point};
use crate::data::folder::{children, stem};
use crate::data::report::Report;
use crate::geometry::{DVec2, Pose, dvec2, wrap_angle};
use crate::map::MapParts;
use crate::scene::{Agent, AgentId, AgentKind, Scene, State, Track};

/// Largest table and map read, bytes.
const MAX_TABLE_BYTES: u64 = 256 << 20;
const MAX_MAP_BYTES: u64 = 64 << 20;

/// The ego car (Ford Fusion), length and width, m: the box of the data set's own EGO_VEHICLE rows.
const EGO: (f64, f64) = (4.877, 2.0);

/// From the rear axle forward to the middle of the ego's box, m. The data set does not state it: the car's wheelbase
/// is 2.85 m and its rear overhang about 1.1 m, so 4.877 / 2 - 1.1.
const EGO_CENTRE_M: f64 = 1.34;

const LICENCE: &str = "CC BY-NC-SA 4.0 (Argoverse 2)";

/// Reads a forecasting scenario: the parquet file, and the map `log_map_archive_*.json` beside it.
pub(super) fn read_forecasting(parquet: &Path) -> Result<(Scene, Report), OpenError> {
    let bytes = read_file(parquet, MAX_TABLE_BYTES)?;
    let folder = parquet.parent().unwrap_or_else(|| Path::new("."));
    let (map, mut report) = find_map(folder)?;
    let scene = forecasting(bytes, map, parquet, &mut report)?;
    Ok((scene, report))
}

/// Reads a sensor log: a folder with annotations, ego poses and a map.
pub(super) fn read_sensor(folder: &Path) -> Result<(Scene, Report), OpenError> {
    let is_annotations = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("annotations") && name.ends_with(".feather")
    };
    let found = children(folder)?.into_iter().find(is_annotations);
    let Some(annotations) = found else {
        let message = "annotations.feather is missing (logs of the test split have none)";
        return Err(OpenError::damaged(folder, "sensor log", message));
    };
    let boxes = read_file(&annotations, MAX_TABLE_BYTES)?;
    let poses = read_file(&folder.join("city_SE3_egovehicle.feather"), MAX_TABLE_BYTES)?;
    let inner = folder.join("map");
    let (map, mut report) = find_map(if inner.is_dir() { &inner } else { folder })?;
    let scene = sensor_log(&boxes, &poses, map, folder, &mut report)?;
    Ok((scene, report))
}

fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, OpenError> {
    let io = |error| OpenError::io(path, &error);
    let size = fs::metadata(path).map_err(io)?.len();
    if size > limit {
        return Err(OpenError::too_large(
            path,
            "file size in bytes",
            size,
            limit,
        ));
    }
    fs::read(path).map_err(io)
}

/// The map in a folder; without a readable one the scene has none, and the report says so.
fn find_map(folder: &Path) -> Result<(MapParts, Report), OpenError> {
    let mut report = Report::default();
    let is_map = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("log_map_archive") && name.ends_with(".json")
    };
    let Some(path) = children(folder)?.into_iter().find(is_map) else {
        report.problem(
            "map",
            "log_map_archive_*.json is missing",
            "the scene has no map",
        );
        return Ok((MapParts::default(), report));
    };
    let bytes = read_file(&path, MAX_MAP_BYTES)?;
    let map = map::read(&bytes, &mut report).unwrap_or_else(|message| {
        report.problem(path.display().to_string(), message, "the scene has no map");
        MapParts::default()
    });
    Ok((map, report))
}

/// Kind, length and width by the forecasting data's type.
fn kind_of_type(name: &str) -> (AgentKind, f64, f64) {
    match name {
        "vehicle" => (AgentKind::Vehicle, 4.7, 2.0),
        "bus" => (AgentKind::Vehicle, 11.0, 2.9),
        "pedestrian" => (AgentKind::Pedestrian, 0.7, 0.7),
        "motorcyclist" => (AgentKind::Cyclist, 2.2, 0.9),
        "cyclist" => (AgentKind::Cyclist, 1.8, 0.7),
        "riderless_bicycle" => (AgentKind::Other, 1.8, 0.6),
        _ => (AgentKind::Other, 0.6, 0.6),
    }
}

const FORECASTING_COLUMNS: [&str; 11] = [
    "track_id",
    "object_type",
    "object_category",
    "timestep",
    "position_x",
    "position_y",
    "heading",
    "velocity_x",
    "velocity_y",
    "observed",
    "city",
];

fn forecasting(
    bytes: Vec<u8>,
    map: MapParts,
    path: &Path,
    report: &mut Report,
) -> Result<Scene, OpenError> {
    let damaged = |message: String| OpenError::damaged(path, "Parquet table", message);
    let table = parquet_file::read(bytes, &FORECASTING_COLUMNS).map_err(damaged)?;
    let (track_of, ids) = table.texts("track_id").map_err(damaged)?;
    let (type_of, types) = table.texts("object_type").map_err(damaged)?;
    let steps = table.integers("timestep").map_err(damaged)?;
    let floats = |name| table.floats(name).map_err(damaged);
    let (x, y) = (floats("position_x")?, floats("position_y")?);
    let (heading, vx, vy) = (
        floats("heading")?,
        floats("velocity_x")?,
        floats("velocity_y")?,
    );
    let in_range = |step: &i64| (0..MAX_FRAMES as i64).contains(step);
    let last = steps.iter().copied().filter(in_range).max();
    let frames = last.map_or(0, |last| last as usize + 1);
    Draft::check_size(path, ids.len(), frames)?;
    let observed = table.flags("observed");
    let mut now = None;
    let mut tracks: Vec<Option<(usize, Vec<Option<State>>)>> = vec![None; ids.len()];
    for row in 0..table.rows() {
        let Some(step) = Some(steps[row]).filter(in_range) else {
            report.skip("rows with an absurd timestep");
            continue;
        };
        let step = step as usize;
        if observed.is_some_and(|observed| observed[row]) {
            now = now.max(Some(step));
        }
        let Some(slot) = tracks.get_mut(track_of[row] as usize) else {
            continue;
        };
        let (_, states) = slot.get_or_insert_with(|| (type_of[row] as usize, vec![None; frames]));
        states[step] = Some(State {
            position: point(x[row], y[row]),
            heading: wrap_angle(heading[row]),
            velocity: dvec2(vx[row], vy[row]),
        });
    }
    let categories = table.integers("object_category").ok();
    let mut agents = Vec::new();
    for (index, (id, found)) in ids.iter().zip(tracks).enumerate() {
        let Some((kind, states)) = found else {
            continue;
        };
        let name = types.get(kind).map_or("", String::as_str);
        let (kind, length, width) = kind_of_type(name);
        let mut agent = Agent::new(id, kind, Track::new(states));
        (agent.length, agent.width) = if id == "AV" { EGO } else { (length, width) };
        agent.category = Some(name.to_owned());
        let row = track_of.iter().position(|track| *track as usize == index);
        let category = row.zip(categories.as_ref()).map(|(row, all)| all[row]);
        let word = match category {
            Some(3) => Some("focal"),
            Some(2) => Some("scored"),
            _ => None,
        };
        if let Some(word) = word {
            agent.extra.insert("track_category".to_owned(), word.into());
        }
        agents.push(agent);
    }
    report.note("the data give no sizes: every agent has the usual size of its type");
    let city = table
        .texts("city")
        .ok()
        .and_then(|(_, cities)| cities.into_iter().next());
    let name = stem(path);
    let name = name.strip_prefix("scenario_").unwrap_or(&name).to_owned();
    let draft = Draft {
        source: format!(
            "Argoverse 2 motion forecasting, {}",
            city.unwrap_or_default()
        ),
        name,
        licence: LICENCE.to_owned(),
        dt_s: 0.1,
        frames,
        now: now.filter(|now| *now + 1 < frames),
        map,
        agents,
        ego: Some(AgentId::new("AV")),
        ..Draft::default()
    };
    draft.finish(path, report)
}

/// A rotation (quaternion) and a translation.
#[derive(Debug, Clone, Copy)]
struct Rigid {
    w: f64,
    v: [f64; 3],
    t: [f64; 3],
}

impl Rigid {
    /// `point` in the outer frame.
    fn apply(&self, point: [f64; 3]) -> [f64; 3] {
        let rotated = self.rotate(point);
        [0, 1, 2].map(|axis| rotated[axis] + self.t[axis])
    }

    /// p + 2 v × (v × p + w p), for a unit quaternion.
    fn rotate(&self, p: [f64; 3]) -> [f64; 3] {
        let cross = |a: [f64; 3], b: [f64; 3]| {
            [
                a[1] * b[2] - a[2] * b[1],
                a[2] * b[0] - a[0] * b[2],
                a[0] * b[1] - a[1] * b[0],
            ]
        };
        let inner = cross(self.v, p);
        let inner = [0, 1, 2].map(|axis| inner[axis] + self.w * p[axis]);
        let outer = cross(self.v, inner);
        [0, 1, 2].map(|axis| p[axis] + 2.0 * outer[axis])
    }
}

fn kind_of_category(name: &str) -> AgentKind {
    match name {
        "REGULAR_VEHICLE" | "LARGE_VEHICLE" | "BUS" | "BOX_TRUCK" | "TRUCK" | "TRUCK_CAB"
        | "VEHICULAR_TRAILER" | "SCHOOL_BUS" | "ARTICULATED_BUS" | "RAILED_VEHICLE"
        | "EGO_VEHICLE" => AgentKind::Vehicle,
        "PEDESTRIAN" | "OFFICIAL_SIGNALER" | "WHEELCHAIR" => AgentKind::Pedestrian,
        "BICYCLIST" | "MOTORCYCLIST" | "WHEELED_RIDER" => AgentKind::Cyclist,
        _ => AgentKind::Other,
    }
}

const ANNOTATION_COLUMNS: [&str; 12] = [
    "timestamp_ns",
    "track_uuid",
    "category",
    "length_m",
    "width_m",
    "qw",
    "qx",
    "qy",
    "qz",
    "tx_m",
    "ty_m",
    "tz_m",
];

/// The poses of a table, with their time stamps (ns), sorted by these where `sorted`.
fn rigids(table: &table::Table) -> Result<Vec<(i64, Rigid)>, String> {
    let stamps = table.integers("timestamp_ns")?;
    let columns = ["qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m"];
    let columns: Vec<Vec<f64>> = columns
        .iter()
        .map(|name| table.floats(name))
        .collect::<Result<_, _>>()?;
    let at = |row: usize| {
        let value = |column: usize| columns[column][row];
        let norm = (0..4)
            .map(|column| value(column).powi(2))
            .sum::<f64>()
            .sqrt();
        Rigid {
            w: value(0) / norm,
            v: [1, 2, 3].map(|column| value(column) / norm),
            t: [4, 5, 6].map(value),
        }
    };
    Ok(stamps
        .into_iter()
        .enumerate()
        .map(|(row, stamp)| (stamp, at(row)))
        .collect())
}

/// Frames of the sweeps: the first stamp (ns), seconds between frames, number of frames.
fn sweeps(stamps: &[i64]) -> Option<(i64, f64, usize)> {
    let mut sorted: Vec<i64> = stamps.iter().copied().filter(|stamp| *stamp > 0).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let mut gaps: Vec<i64> = sorted.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable();
    let usual = gaps
        .get(gaps.len() / 2)
        .map_or(0.1, |gap| *gap as f64 * 1e-9);
    let span_s = (last - first) as f64 * 1e-9;
    let count = (span_s / usual).round();
    if count.is_nan() || count > MAX_FRAMES as f64 {
        return None;
    }
    let even = if count > 0.0 { span_s / count } else { 0.1 };
    let dt_s = (even * 1e4).round() / 1e4;
    Some((first, dt_s, count as usize + 1))
}

#[derive(Default)]
struct Seen {
    category: u32,
    lengths: Vec<f64>,
    widths: Vec<f64>,
    /// (frame, position, heading), in file order.
    poses: Vec<(usize, DVec2, f64)>,
}

fn sensor_log(
    boxes: &[u8],
    poses: &[u8],
    map: MapParts,
    folder: &Path,
    report: &mut Report,
) -> Result<Scene, OpenError> {
    let damaged = |element: &str, message: String| OpenError::damaged(folder, element, message);
    let of_poses = |message| damaged("city_SE3_egovehicle.feather", message);
    let of_boxes = |message| damaged("annotations", message);
    let pose_table = feather::read(poses, &ANNOTATION_COLUMNS).map_err(of_poses)?;
    let mut ego_poses = rigids(&pose_table).map_err(of_poses)?;
    ego_poses.sort_by_key(|(stamp, _)| *stamp);
    let table = feather::read(boxes, &ANNOTATION_COLUMNS).map_err(of_boxes)?;
    let in_ego = rigids(&table).map_err(of_boxes)?;
    let (track_of, ids) = table.texts("track_uuid").map_err(of_boxes)?;
    let (category_of, categories) = table.texts("category").map_err(of_boxes)?;
    let lengths = table.floats("length_m").map_err(of_boxes)?;
    let widths = table.floats("width_m").map_err(of_boxes)?;
    let stamps: Vec<i64> = in_ego.iter().map(|(stamp, _)| *stamp).collect();
    let (first, dt_s, frames) =
        sweeps(&stamps).ok_or_else(|| of_boxes("its time stamps make no sequence".to_owned()))?;
    Draft::check_size(folder, ids.len() + 1, frames)?;
    let frame_of = |stamp: i64| {
        let frame = (stamp.saturating_sub(first) as f64 * 1e-9 / dt_s).round();
        (0.0..frames as f64)
            .contains(&frame)
            .then_some(frame as usize)
    };
    let mut seen: Vec<Seen> = Vec::new();
    seen.resize_with(ids.len(), Seen::default);
    let mut ego = Seen::default();
    let mut ego_frames: BTreeMap<usize, Pose> = BTreeMap::new();
    for (row, (stamp, rigid)) in in_ego.iter().enumerate() {
        let (Some(frame), Some(city_from_ego)) = (frame_of(*stamp), pose_at(&ego_poses, *stamp))
        else {
            report.skip("boxes without an ego pose within 50 ms");
            continue;
        };
        let ahead = city_from_ego.rotate([1.0, 0.0, 0.0]);
        let heading = ahead[1].atan2(ahead[0]);
        ego_frames
            .entry(frame)
            .or_insert_with(|| Pose::new(point(city_from_ego.t[0], city_from_ego.t[1]), heading));
        let category = category_of[row];
        if categories
            .get(category as usize)
            .is_some_and(|name| name == "EGO_VEHICLE")
        {
            ego.lengths.push(lengths[row]);
            ego.widths.push(widths[row]);
            continue;
        }
        let Some(track) = seen.get_mut(track_of[row] as usize) else {
            continue;
        };
        let at = city_from_ego.apply(rigid.t);
        let ahead = city_from_ego.rotate(rigid.rotate([1.0, 0.0, 0.0]));
        track.category = category;
        track.lengths.push(lengths[row]);
        track.widths.push(widths[row]);
        track
            .poses
            .push((frame, point(at[0], at[1]), ahead[1].atan2(ahead[0])));
    }
    for (frame, pose) in ego_frames {
        let centre = pose.outer_from_local(dvec2(EGO_CENTRE_M, 0.0));
        ego.poses.push((frame, centre, pose.heading));
    }
    ego.lengths.push(EGO.0);
    ego.widths.push(EGO.1);
    let mut agents = vec![agent("AV", "EGO_VEHICLE", ego, frames, dt_s)];
    for (id, track) in ids.iter().zip(seen) {
        if track.poses.is_empty() {
            continue;
        }
        let name = categories
            .get(track.category as usize)
            .map_or("", String::as_str);
        agents.push(agent(id, name, track, frames, dt_s));
    }
    let draft = Draft {
        name: stem(folder),
        source: "Argoverse 2 sensor log".to_owned(),
        licence: LICENCE.to_owned(),
        dt_s,
        frames,
        map,
        agents,
        ego: Some(AgentId::new("AV")),
        ..Draft::default()
    };
    draft.finish(folder, report)
}

/// The pose of a time stamp: the exact one, else the nearest within 50 ms.
fn pose_at(poses: &[(i64, Rigid)], stamp: i64) -> Option<&Rigid> {
    let after = poses.partition_point(|(at, _)| *at < stamp);
    let around = [after.checked_sub(1), Some(after)];
    around
        .into_iter()
        .flatten()
        .filter_map(|index| poses.get(index))
        .min_by_key(|(at, _)| at.abs_diff(stamp))
        .filter(|(at, _)| at.abs_diff(stamp) <= 50_000_000)
        .map(|(_, rigid)| rigid)
}

fn agent(id: &str, category: &str, seen: Seen, frames: usize, dt_s: f64) -> Agent {
    let mut states: Vec<Option<State>> = vec![None; frames];
    for &(frame, position, heading) in &seen.poses {
        let velocity = DVec2::ZERO;
        states[frame] = Some(State {
            position,
            heading,
            velocity,
        });
    }
    let placed = states.clone();
    for (frame, slot) in states.iter_mut().enumerate() {
        // over two frames either way where there are so many, without crossing a gap
        let reach = |step: isize| {
            let mut at = frame;
            for _ in 0..2 {
                match at.checked_add_signed(step) {
                    Some(next) if placed.get(next).is_some_and(Option::is_some) => at = next,
                    _ => break,
                }
            }
            at
        };
        let (from, to) = (reach(-1), reach(1));
        if let (Some(state), Some(before), Some(after)) = (slot, placed[from], placed[to])
            && to > from
        {
            state.velocity = (after.position - before.position) / ((to - from) as f64 * dt_s);
        }
    }
    let mut agent = Agent::new(id, kind_of_category(category), Track::new(states));
    agent.category = Some(category.to_lowercase());
    agent.length = median(seen.lengths).unwrap_or(agent.length);
    agent.width = median(seen.widths).unwrap_or(agent.width);
    agent
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::FRAC_1_SQRT_2;

    #[test]
    fn a_quarter_turn_about_z_carries_ahead_to_left() {
        let rigid = Rigid {
            w: FRAC_1_SQRT_2,
            v: [0.0, 0.0, FRAC_1_SQRT_2],
            t: [10.0, 20.0, 0.0],
        };
        // 3 m ahead of a car at (10, 20) facing +y: (10, 23)
        let at = rigid.apply([3.0, 0.0, 0.0]);
        assert!((at[0] - 10.0).abs() < 1e-12 && (at[1] - 23.0).abs() < 1e-12);
    }

    #[test]
    fn sweeps_with_a_gap_keep_their_times() {
        // 0, 0.1, 0.2, (0.3 missing), 0.4 s with a millisecond of jitter
        let stamps = [1, 101_000_001, 200_000_001, 400_000_001];
        let (first, dt_s, frames) = sweeps(&stamps).unwrap();
        assert_eq!((first, frames), (1, 5));
        assert!((dt_s - 0.1).abs() < 1e-9);
    }

    #[test]
    fn velocity_is_the_slope_over_two_frames_either_way() {
        let poses = (0..5).map(|frame| (frame, dvec2((frame * frame) as f64, 0.0), 0.0));
        let seen = Seen {
            poses: poses.collect(),
            ..Seen::default()
        };
        let agent = agent("a", "BUS", seen, 6, 0.5);
        // x = n²: from 0 to 16 over 4 frames of 0.5 s at the middle: 8 m/s; at the start from 0 to 4 over 2: 4 m/s
        assert_eq!(agent.track.get(2).unwrap().velocity.x, 8.0);
        assert_eq!(agent.track.get(0).unwrap().velocity.x, 4.0);
        assert!(agent.track.get(5).is_none());
    }
}
