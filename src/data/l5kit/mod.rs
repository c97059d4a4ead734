//! Woven Planet (Lyft Level 5) prediction logs in: Zarr folders of scenes, frames and agents. Their map is a separate
//! file in a format of its own and is not read.

mod blosc;
mod zarr;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::data::draft::{Draft, MAX_CELLS, MAX_FRAMES, fill_motion, median, point};
use crate::data::folder::{no_such_pick, stem};
use crate::data::report::Report;
use crate::data::{Entry, Format, OpenError, Opened};
use crate::geometry::{DVec2, dvec2, wrap_angle};
use crate::scene::{Agent, AgentId, AgentKind, State, Track};
use zarr::Array;

/// Length and width of the recording car, m (the data set's own `EGO_EXTENT`).
const EGO: (f64, f64) = (4.87, 1.85);
/// What an agent is has to be at least so probable, as the data set's own tools ask.
const SURE: f64 = 0.5;
/// Most scenes that are listed.
const MAX_SCENES: usize = 50_000;

const LICENCE: &str = "CC BY-NC-SA 4.0 (Woven Planet Prediction)";

/// Whether a folder is such a log.
pub(super) fn is_log(folder: &Path) -> bool {
    ["scenes", "frames", "agents"]
        .iter()
        .all(|array| folder.join(array).join(".zarray").is_file())
}

/// Its scenes.
pub(super) fn list(folder: &Path) -> Result<Vec<Entry>, OpenError> {
    let rows = Array::open(&folder.join("scenes"))?.rows();
    OpenError::within(folder, "number of scenes", rows, MAX_SCENES)?;
    let entry = |index: usize| Entry {
        file: folder.to_path_buf(),
        pick: Some(name_of(index)),
        name: format!("{} {}", stem(folder), name_of(index)),
        format: Format::L5Kit,
    };
    Ok((0..rows).map(entry).collect())
}

fn name_of(index: usize) -> String {
    format!("scene-{index}")
}

/// Opens one scene of it; the first, and the report says so, if none is picked of several.
pub(super) fn open(folder: &Path, pick: Option<&str>) -> Result<Opened, OpenError> {
    let scenes = Array::open(&folder.join("scenes"))?;
    let mut report = Report::default();
    let index = match pick {
        None => 0,
        Some(pick) => {
            let number = pick
                .strip_prefix("scene-")
                .and_then(|number| number.parse().ok());
            number
                .filter(|index| *index < scenes.rows())
                .ok_or_else(|| {
                    let some: Vec<String> = (0..scenes.rows().min(4)).map(name_of).collect();
                    no_such_pick(folder, pick, &some)
                })?
        }
    };
    if pick.is_none() && scenes.rows() > 1 {
        report.note(format!(
            "the log holds {} scenes; this is {}",
            scenes.rows(),
            name_of(0)
        ));
    }
    let damaged = |element: &str, message: String| OpenError::damaged(folder, element, message);
    if scenes.rows() == 0 {
        return Err(damaged("scenes", "there is none".to_owned()));
    }
    let row = scenes.read(index..index + 1)?;
    let [first, last] = row.numbers(0, "frame_index_interval");
    let frames = Array::open(&folder.join("frames"))?;
    let frames =
        frames.read(interval(first, last, MAX_FRAMES).map_err(|m| damaged("scenes", m))?)?;
    let count = frames.len();
    let times: Vec<f64> = (0..count)
        .map(|frame| frames.numbers::<1>(frame, "timestamp")[0] * 1e-9)
        .collect();
    let dt_s = median(times.windows(2).map(|pair| pair[1] - pair[0])).unwrap_or(0.1);
    let dt_s = (dt_s * 1000.0).round() / 1000.0;
    let mut draft = Draft {
        name: format!("{} {}", stem(folder), name_of(index)),
        source: "Woven Planet Prediction (L5Kit)".to_owned(),
        licence: LICENCE.to_owned(),
        dt_s,
        frames: count,
        ego: Some(AgentId::new("ego")),
        ..Draft::default()
    };
    let ego = (0..count).map(|frame| {
        let [x, y] = frames.numbers(frame, "ego_translation");
        let turned = frames.numbers::<4>(frame, "ego_rotation");
        Some(State {
            position: point(x, y),
            heading: turned[3].atan2(turned[0]),
            velocity: DVec2::NAN,
        })
    });
    draft.agents.push(with_size(
        "ego",
        AgentKind::Vehicle,
        ego.collect(),
        dt_s,
        EGO,
    ));
    let others = others(folder, &frames, dt_s, &mut report)?;
    draft.agents.extend(others);
    report.note("the map of such logs is a file of its own that is not read: the scene has no lanes and no lights");
    let scene = draft.finish(folder, &mut report)?;
    Ok(Opened {
        scene,
        format: Format::L5Kit,
        report,
    })
}

/// A range of rows as a file states it.
fn interval(first: f64, last: f64, most: usize) -> Result<std::ops::Range<usize>, String> {
    let sane = first >= 0.0 && last >= first && last - first <= most as f64 && last < 1e15;
    if !sane {
        return Err(format!(
            "rows {first} to {last} are no interval of at most {most}"
        ));
    }
    Ok(first as usize..last as usize)
}

fn with_size(
    id: &str,
    kind: AgentKind,
    states: Vec<Option<State>>,
    dt_s: f64,
    (length, width): (f64, f64),
) -> Agent {
    let mut track = Track::new(states);
    fill_motion(&mut track, dt_s);
    Agent {
        length,
        width,
        ..Agent::new(id, kind, track)
    }
}

/// What is known of an agent row by row.
#[derive(Default)]
struct Seen {
    states: Vec<Option<State>>,
    kinds: BTreeMap<AgentKind, usize>,
    sizes: Vec<(f64, f64)>,
}

fn others(
    folder: &Path,
    frames: &zarr::Rows<'_>,
    dt_s: f64,
    report: &mut Report,
) -> Result<Vec<Agent>, OpenError> {
    let labels = labels(folder)?;
    let agents = Array::open(&folder.join("agents"))?;
    let damaged = |element: String, message: String| OpenError::damaged(folder, element, message);
    let count = frames.len();
    let ends = |frame: usize| frames.numbers::<2>(frame, "agent_index_interval");
    let (first, last) = match count {
        0 => (0.0, 0.0),
        _ => (ends(0)[0], ends(count - 1)[1]),
    };
    let all = interval(first, last, MAX_CELLS).map_err(|m| damaged("frames".to_owned(), m))?;
    let rows = agents.read(all.clone())?;
    let mut seen: BTreeMap<u64, Seen> = BTreeMap::new();
    let mut unsure = 0;
    for frame in 0..count {
        let [from, to] = ends(frame);
        let here =
            interval(from, to, MAX_CELLS).map_err(|m| damaged(format!("frames[{frame}]"), m))?;
        if here.start < all.start || here.end > all.end {
            let message = format!("rows {from} to {to} lie outside those of the scene");
            return Err(damaged(format!("frames[{frame}]"), message));
        }
        for row in here.start - all.start..here.end - all.start {
            let likeliest = (0..labels.len())
                .map(|label| (label, rows.number(row, "label_probabilities", label)))
                .filter_map(|(label, share)| Some((label, share?)))
                .max_by(|a, b| a.1.total_cmp(&b.1));
            let kind = likeliest
                .filter(|(_, share)| *share >= SURE)
                .and_then(|(label, _)| labels[label]);
            let Some(kind) = kind else {
                unsure += 1;
                continue;
            };
            let [x, y] = rows.numbers(row, "centroid");
            let [length, width] = rows.numbers(row, "extent");
            let [vx, vy] = rows.numbers(row, "velocity");
            let [yaw] = rows.numbers(row, "yaw");
            let id = rows.number(row, "track_id", 0).unwrap_or(0.0) as u64;
            let known = seen.len();
            let found = seen.entry(id).or_default();
            if found.states.is_empty() {
                Draft::check_size(folder, known + 1, count)?;
                found.states.resize(count, None);
            }
            *found.kinds.entry(kind).or_default() += 1;
            found.sizes.push((length, width));
            // who is seen for the first time has no velocity yet, and the file says 0
            let first = found.sizes.len() == 1;
            found.states[frame] = Some(State {
                position: point(x, y),
                heading: wrap_angle(yaw),
                velocity: if first { DVec2::NAN } else { dvec2(vx, vy) },
            });
        }
    }
    report.skip_many(
        "sightings of agents whose kind is not known for sure",
        unsure,
    );
    Ok(seen
        .into_iter()
        .map(|(id, seen)| {
            let most = seen.kinds.iter().max_by_key(|(_, count)| **count);
            let kind = most.map_or(AgentKind::Other, |(kind, _)| *kind);
            let size = |of: fn(&(f64, f64)) -> f64| median(seen.sizes.iter().map(of));
            let (length, width) = (size(|size| size.0), size(|size| size.1));
            let size = (length.unwrap_or(0.0), width.unwrap_or(0.0));
            with_size(&id.to_string(), kind, seen.states, dt_s, size)
        })
        .collect())
}

/// What each label stands for; `None` for what is no agent.
fn labels(folder: &Path) -> Result<Vec<Option<AgentKind>>, OpenError> {
    #[derive(Deserialize)]
    struct Attributes {
        labels: Vec<String>,
    }
    let path = folder.join(".zattrs");
    let text = fs::read(&path).map_err(|error| OpenError::io(&path, &error))?;
    let read: Attributes = serde_json::from_slice(&text)
        .map_err(|error| OpenError::damaged(&path, "labels", error.to_string()))?;
    let kind = |label: &String| {
        Some(match label.strip_prefix("PERCEPTION_LABEL_")? {
            "CAR" | "VAN" | "TRAM" | "BUS" | "TRUCK" | "EMERGENCY_VEHICLE" | "OTHER_VEHICLE" => {
                AgentKind::Vehicle
            }
            "BICYCLE" | "MOTORCYCLE" | "CYCLIST" | "MOTORCYCLIST" => AgentKind::Cyclist,
            "PEDESTRIAN" => AgentKind::Pedestrian,
            "ANIMAL" => AgentKind::Other,
            _ => return None,
        })
    };
    Ok(read.labels.iter().map(kind).collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A log of one scene, not compressed: the ego drives east at 10 m/s for three frames, car 7 beside it at 5 m/s, and
    /// something of which nobody knows what it is.
    fn log(folder: &Path) -> PathBuf {
        let path = folder.join("log.zarr");
        let array = |name: &str, rows: usize, dtype: &str, bytes: Vec<u8>| {
            fs::create_dir_all(path.join(name)).unwrap();
            let meta = format!(
                r#"{{"shape": [{rows}], "chunks": [100], "dtype": {dtype}, "compressor": null}}"#
            );
            fs::write(path.join(name).join(".zarray"), meta).unwrap();
            fs::write(path.join(name).join("0"), bytes).unwrap();
        };
        let floats = |values: &[f64]| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        };
        let whole = |values: &[i64]| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        };
        array(
            "scenes",
            1,
            r#"[["frame_index_interval", "<i8", [2]]]"#,
            whole(&[0, 3]),
        );
        let mut frames = Vec::new();
        let mut agents = Vec::new();
        for frame in 0..3_i64 {
            frames.extend(whole(&[frame * 100_000_000, 2 * frame, 2 * frame + 2]));
            let t = 0.1 * frame as f64;
            frames.extend(floats(&[10.0 * t, 0.0, 0.0]));
            frames.extend(floats(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]));
            for (id, label) in [(7, [0.1, 0.9]), (8, [0.6, 0.4])] {
                let speed = if frame == 0 { 0.0 } else { 5.0 };
                agents.extend(floats(&[5.0 * t, 3.0, 4.2, 1.8, 1.5, 0.0, speed, 0.0]));
                agents.extend(whole(&[id]));
                agents.extend(floats(&label));
            }
        }
        array(
            "frames",
            3,
            r#"[["timestamp", "<i8"], ["agent_index_interval", "<i8", [2]],
                ["ego_translation", "<f8", [3]], ["ego_rotation", "<f8", [3, 3]]]"#,
            frames,
        );
        array(
            "agents",
            6,
            r#"[["centroid", "<f8", [2]], ["extent", "<f8", [3]], ["yaw", "<f8"],
                ["velocity", "<f8", [2]], ["track_id", "<u8"], ["label_probabilities", "<f8", [2]]]"#,
            agents,
        );
        let labels = r#"{"labels": ["PERCEPTION_LABEL_UNKNOWN", "PERCEPTION_LABEL_CAR"]}"#;
        fs::write(path.join(".zattrs"), labels).unwrap();
        path
    }

    #[test]
    fn a_log_opens_with_ego_and_agents_and_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let opened = crate::data::open(&log(folder.path()), None).unwrap();
        let scene = &opened.scene;
        assert_eq!(
            (opened.format, scene.frames, scene.dt_s),
            (Format::L5Kit, 3, 0.1)
        );
        assert_eq!(scene.agents.len(), 2);
        let ego = scene.ego().unwrap();
        assert_eq!((ego.id.as_str(), ego.length), ("ego", 4.87));
        assert!((ego.track.get(1).unwrap().velocity.x - 10.0).abs() < 1e-6);
        let car = scene.agent(&AgentId::new("7")).unwrap();
        assert_eq!((car.length, car.width), (4.2, 1.8));
        // at first the file says 0 m/s
        assert!((car.track.get(0).unwrap().velocity.x - 5.0).abs() < 1e-6);
        let said = opened.report.lines().join("\n");
        assert!(
            said.contains("3 sightings") && said.contains("no lanes"),
            "{said}"
        );
        assert!(crate::data::open(&log(folder.path()), Some("scene-1")).is_err());
    }

    #[test]
    fn damaged_logs_are_refused_with_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let said = |file: &str, bytes: &[u8]| {
            let path = log(folder.path());
            fs::write(path.join(file), bytes).unwrap();
            crate::data::open(&path, None).unwrap_err().to_string()
        };
        assert!(said("agents/0", b"short").contains("less than its rows need"));
        assert!(said("scenes/0", &[0xff; 16]).contains("are no interval"));
        assert!(said("scenes/.zarray", b"{}").contains("missing field"));
        let text = r#"{"shape": [1], "chunks": [0], "dtype": [], "compressor": null}"#;
        assert!(said("scenes/.zarray", text.as_bytes()).contains("no rows"));
        let text = r#"{"shape": [1], "chunks": [1], "dtype": [["a", ">f8"]], "compressor": null}"#;
        assert!(said("scenes/.zarray", text.as_bytes()).contains("is unknown"));
        assert!(said(".zattrs", b"[").contains("labels"));
        let path = log(folder.path());
        fs::remove_file(path.join("frames/0")).unwrap();
        assert!(crate::data::open(&path, None).is_err());
    }
}
