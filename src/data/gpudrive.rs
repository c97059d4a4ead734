//! GPUDrive and Nocturne JSON in. One layout, two dialects: GPUDrive has ids, an ego mark and headings in radians;
//! Nocturne has none of the former and headings in degrees.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use super::draft::{Draft, MAX_MAP_POINTS, fill_motion, median, point};
use super::folder::stem;
use super::gpudrive_json::{File, Lights, Object, Places, Road, Word};
use super::waymo_terms::{WAYMO_LICENCE, lane_kind, road_line_kind};
use super::{Format, OpenError, Report};
use crate::geometry::{DVec2, Polyline, dvec2, wrap_angle};
use crate::map::{Area, AreaKind, Lane, Line, LineKind, MapParts, StopSign};
use crate::scene::Scene;
use crate::scene::{Agent, AgentKind, Signal, SignalState, State, Track};

/// Largest text read, bytes; a scene of 91 frames takes 1 to 10 MB.
const MAX_TEXT_BYTES: usize = 96 << 20;

/// Time between frames, s: both dialects are cut from Waymo Open Motion.
const DT_S: f64 = 0.1;

/// The frame that is the present in Waymo Open Motion.
const NOW: usize = 10;

/// Fill value of invalid frames in every field.
const FILL: f64 = -10_000.0;

/// How far a light's stop point may lie from the start of its lane, m, where lanes have no ids.
const STOP_REACH_M: f64 = 1.0;

/// Most pairs of light and lane that are compared for it.
const MAX_MATCHES: usize = 20_000_000;

/// Reads the text of a file; `path` is for names and messages.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<(Scene, Report, Format), OpenError> {
    if bytes.len() > MAX_TEXT_BYTES {
        let (size, limit) = (bytes.len() as u64, MAX_TEXT_BYTES as u64);
        return Err(OpenError::too_large(
            path,
            "file size in bytes",
            size,
            limit,
        ));
    }
    let mut report = Report::default();
    let file = parse(bytes, path, &mut report)?;
    let objects = &file.objects.0;
    let frames = objects.iter().map(|object| object.position.0.len()).max();
    let frames = frames.unwrap_or(1).max(1);
    Draft::check_size(path, objects.len(), frames)?;

    let has_ids = objects.iter().any(|object| object.id.is_some());
    let format = if has_ids || file.metadata.is_some() {
        Format::GpuDrive
    } else {
        Format::Nocturne
    };
    let angle_unit = if headings_are_degrees(objects) {
        1.0_f64.to_radians()
    } else {
        1.0
    };
    let (source, licence) = origin(&file, format);
    let mut draft = Draft {
        name: file.name.as_ref().map_or_else(
            || stem(path),
            |name| name.0.trim_end_matches(".json").to_owned(),
        ),
        source,
        licence,
        dt_s: DT_S,
        frames,
        now: (frames > NOW).then_some(NOW),
        ..Draft::default()
    };
    let ego = ego_index(&file, &mut report);
    for (index, object) in objects.iter().enumerate() {
        let agent = agent(index, object, frames, angle_unit, &mut report);
        if ego == Some(index) {
            draft.ego = Some(agent.id.clone());
        }
        draft.agents.push(agent);
    }
    draft.map = map(&file.roads.0, path, &mut report)?;
    let has_lane_ids = file.roads.0.iter().any(|road| road.id.is_some());
    let roads = (draft.map.lanes.as_slice(), has_lane_ids);
    draft.signals = signals(&file.tl_states, frames, roads, path, &mut report)?;
    let scene = draft.finish(path, &mut report)?;
    Ok((scene, report, format))
}

/// Source and licence: as a file of ours states them; files named after a Waymo shard are Waymo's; others do not say.
fn origin(file: &File, format: Format) -> (String, String) {
    let stated = |word: Option<&Word>| {
        word.map(|word| word.0.clone())
            .filter(|word| !word.is_empty())
    };
    let scenario = file
        .scenario_id
        .as_ref()
        .map_or(String::new(), |id| format!(", scenario {}", id.0));
    let is_waymo = file
        .name
        .as_ref()
        .is_some_and(|name| name.0.starts_with("tfrecord"));
    let (source, licence) = if is_waymo {
        (
            format!("Waymo Open Motion, {format} JSON{scenario}"),
            WAYMO_LICENCE.to_owned(),
        )
    } else {
        let usual =
            format!("not stated; such files usually hold Waymo Open Motion data: {WAYMO_LICENCE}");
        (format!("{format} JSON{scenario}"), usual)
    };
    let own = file.origin.as_ref();
    (
        stated(own.and_then(|own| own.source.as_ref())).unwrap_or(source),
        stated(own.and_then(|own| own.licence.as_ref())).unwrap_or(licence),
    )
}

fn parse(bytes: &[u8], path: &Path, report: &mut Report) -> Result<File, OpenError> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let attempt = |text: &[u8]| {
        let mut reader = serde_json::Deserializer::from_slice(text);
        serde_path_to_error::deserialize::<_, File>(&mut reader)
    };
    let mut outcome = attempt(text);
    if outcome.is_err()
        && let Some((plain, count)) = nan_as_null(text)
    {
        let message = "are no JSON numbers; taken as missing";
        report.problem("NaN and Infinity", count, message);
        outcome = attempt(&plain);
    }
    outcome.map_err(|error| {
        let element = match error.path().to_string().as_str() {
            "." => "JSON".to_owned(),
            element => element.to_owned(),
        };
        OpenError::damaged(path, element, error.into_inner().to_string())
    })
}

/// Python writes NaN and Infinity into JSON, which has no such numbers: the text with null in their place, and how
/// many there were; `None` if there are none.
fn nan_as_null(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut plain = Vec::new();
    let (mut count, mut copied, mut at) = (0, 0, 0);
    let mut in_string = false;
    while at < text.len() {
        let rest = &text[at..];
        match rest[0] {
            b'"' => in_string = !in_string,
            b'\\' if in_string => at += 1,
            b'N' | b'I' | b'-' if !in_string => {
                let words: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
                if let Some(word) = words.iter().find(|word| rest.starts_with(word)) {
                    plain.extend(&text[copied..at]);
                    plain.extend(b"null");
                    at += word.len();
                    copied = at;
                    count += 1;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    plain.extend(&text[copied..]);
    (count > 0).then_some((plain, count))
}

/// Degrees if any valid heading is beyond ±7; else whichever unit fits the velocities of moving agents better.
fn headings_are_degrees(objects: &[Object]) -> bool {
    let mut alignment = [0.0, 0.0];
    for object in objects {
        for frame in 0..object.position.0.len() {
            let heading = object.heading.at(frame);
            if !is_valid(object, frame) || heading.is_nan() || is_fill(heading) {
                continue;
            }
            if heading.abs() > 7.0 {
                return true;
            }
            let (x, y) = object.velocity.at(frame);
            if let Some(direction) = dvec2(x, y).try_normalize().filter(|_| x.hypot(y) > 2.0) {
                alignment[0] += direction.dot(DVec2::from_angle(heading));
                alignment[1] += direction.dot(DVec2::from_angle(heading.to_radians()));
            }
        }
    }
    alignment[1] > alignment[0]
}

fn is_valid(object: &Object, frame: usize) -> bool {
    let (x, y) = object.position.at(frame);
    let marked = match &object.valid {
        Some(valid) => valid.at(frame) > 0.5,
        None => true,
    };
    marked && x.is_finite() && y.is_finite() && !(is_fill(x) && is_fill(y))
}

fn is_fill(value: f64) -> bool {
    (value - FILL).abs() < 1e-6
}

/// The index the file states; else the last object, which is the recording car in every file met, if it is a vehicle
/// that is valid more than half the time.
fn ego_index(file: &File, report: &mut Report) -> Option<usize> {
    let objects = &file.objects.0;
    let stated = file
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.sdc_track_index);
    if let Some(index) = stated.map(|index| index.0) {
        if index >= 0.0 && index < objects.len() as f64 {
            return Some(index as usize);
        }
        report.problem(
            "metadata.sdc_track_index",
            index,
            "names no object; another ego is chosen",
        );
    }
    let last = objects.last()?;
    let frames = last.position.0.len();
    let valid = (0..frames).filter(|&frame| is_valid(last, frame)).count();
    let is_likely = agent_kind(last) == Some(AgentKind::Vehicle) && 2 * valid > frames;
    if is_likely && stated.is_none() {
        report.note("the file marks no ego; the last object is taken, as in all Waymo-based files");
    }
    is_likely.then(|| objects.len() - 1)
}

fn agent_kind(object: &Object) -> Option<AgentKind> {
    let word = object.kind.as_ref()?.0.to_ascii_lowercase();
    Some(match word.as_str() {
        "vehicle" | "1" => AgentKind::Vehicle,
        "pedestrian" | "2" => AgentKind::Pedestrian,
        "cyclist" | "bicycle" | "3" => AgentKind::Cyclist,
        "other" | "unset" | "0" | "4" => AgentKind::Other,
        _ => return None,
    })
}

fn agent(
    index: usize,
    object: &Object,
    frames: usize,
    angle_unit: f64,
    report: &mut Report,
) -> Agent {
    let kind = agent_kind(object).unwrap_or_else(|| {
        let word = object
            .kind
            .as_ref()
            .map_or("missing", |word| word.0.as_str());
        report.problem(
            format!("objects[{index}].type"),
            word,
            "is no known type; taken as other",
        );
        AgentKind::Other
    });
    if object.position.0.len() != frames {
        let message = format!("frames where others have {frames}; missing ones are invalid");
        report.problem(
            format!("objects[{index}].position"),
            object.position.0.len(),
            message,
        );
    }
    let number = |value: f64| if is_fill(value) { f64::NAN } else { value };
    let states = (0..frames).map(|frame| {
        let (x, y) = object.position.at(frame);
        let (vx, vy) = object.velocity.at(frame);
        is_valid(object, frame).then(|| State {
            position: point(x, y),
            heading: wrap_angle(number(object.heading.at(frame)) * angle_unit),
            velocity: dvec2(number(vx), number(vy)),
        })
    });
    let mut track = Track::new(states.collect());
    fill_motion(&mut track, DT_S);
    let id = object
        .id
        .as_ref()
        .map_or_else(|| index.to_string(), |id| id.0.clone());
    let mut agent = Agent::new(id, kind, track);
    let size = |numbers: &[f64]| median(numbers.iter().copied().filter(|size| *size > 0.0));
    agent.length = size(&object.length.0).unwrap_or(agent.length);
    agent.width = size(&object.width.0).unwrap_or(agent.width);
    agent
}

fn points(places: &Places) -> Vec<DVec2> {
    let points = places.0.iter().map(|&(x, y)| point(x, y));
    points.filter(|point| point.is_finite()).collect()
}

fn map(roads: &[Road], path: &Path, report: &mut Report) -> Result<MapParts, OpenError> {
    let total: usize = roads.iter().map(|road| road.geometry.0.len()).sum();
    if total > MAX_MAP_POINTS {
        let limit = MAX_MAP_POINTS as u64;
        return Err(OpenError::too_large(
            path,
            "number of map points",
            total as u64,
            limit,
        ));
    }
    let mut parts = MapParts::default();
    for (index, road) in roads.iter().enumerate() {
        let points = points(&road.geometry);
        let element = road.map_element_id.map_or(0, |id| id.0 as i64);
        let word = road.kind.as_ref().map_or("", |word| word.0.as_str());
        match (word, points.len()) {
            ("lane", _) => match Polyline::new(points) {
                Some(centreline) => {
                    let id = road
                        .id
                        .as_ref()
                        .map_or_else(|| index.to_string(), |id| id.0.clone());
                    parts
                        .lanes
                        .push(Lane::new(id, lane_kind(element), centreline));
                }
                None => report.skip("lanes with fewer than two different points"),
            },
            ("road_line" | "road_edge", 2..) => {
                let kind = match word {
                    "road_edge" => LineKind::Edge,
                    _ => road_line_kind(element - 5), // 6 here is 1 in Waymo's list
                };
                parts.lines.push(Line::new(kind, points));
            }
            ("stop_sign", 1..) => parts.stop_signs.push(StopSign::new(points[0], Vec::new())),
            ("crosswalk" | "speed_bump" | "driveway", 3..) => {
                let kind = match word {
                    "crosswalk" => AreaKind::Crossing,
                    "speed_bump" => AreaKind::SpeedBump,
                    _ => AreaKind::Driveway,
                };
                parts.areas.push(Area::new(kind, points));
            }
            (
                "road_line" | "road_edge" | "stop_sign" | "crosswalk" | "speed_bump" | "driveway",
                _,
            ) => {
                report.skip("road elements with too few points");
            }
            (other, _) => report.skip(&format!("road elements of the unknown type {other}")),
        }
    }
    Ok(parts)
}

/// Lights name their lane; where lanes have no ids, the lane that starts at the light's stop point is taken.
fn signals(
    lights: &Lights,
    frames: usize,
    roads: (&[Lane], bool),
    path: &Path,
    report: &mut Report,
) -> Result<Vec<Signal>, OpenError> {
    let (lanes, has_lane_ids) = roads;
    let cells = lights.0.len().saturating_mul(frames);
    if cells > 8 * MAX_MAP_POINTS {
        let limit = 8 * MAX_MAP_POINTS as u64;
        return Err(OpenError::too_large(
            path,
            "signals times frames",
            cells as u64,
            limit,
        ));
    }
    let named = lanes.iter().map(|lane| (lane.id.as_str(), &lane.id));
    let ids: BTreeMap<_, _> = if has_lane_ids {
        named.collect()
    } else {
        BTreeMap::new()
    };
    let may_match = lights.0.len().saturating_mul(lanes.len()) <= MAX_MATCHES;
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut signals = Vec::new();
    let mut matched = 0;
    for (id, light) in &lights.0 {
        let mut states = vec![SignalState::Unknown; frames];
        for (index, shown) in light.state.0.iter().enumerate() {
            let frame = match light.time_index.0.get(index) {
                Some(&frame) if frame >= 0.0 => frame as usize,
                Some(_) => continue,
                None => index,
            };
            if let Some(state) = states.get_mut(frame) {
                *state = shown.0;
            }
        }
        let stops = light.x.0.iter().zip(&light.y.0);
        let mut stops = stops.filter(|(x, y)| !is_fill(**x) || !is_fill(**y));
        let stop = stops
            .next()
            .map(|(x, y)| point(*x, *y))
            .filter(|stop| stop.is_finite());
        let named = ids.get(id.as_str()).copied();
        let lane = named.or_else(|| {
            let stop = stop.filter(|_| may_match && !has_lane_ids)?;
            let free = lanes
                .iter()
                .filter(|lane| !taken.contains(lane.id.as_str()));
            free.map(|lane| (lane.centreline.start().distance(stop), &lane.id))
                .filter(|(distance, _)| *distance <= STOP_REACH_M)
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map(|(_, id)| id)
        });
        let Some(lane) = lane else {
            report.skip("lights whose lane is not in the map");
            continue;
        };
        matched += usize::from(named.is_none());
        taken.insert(lane.as_str());
        signals.push(Signal::new(lane.clone(), stop, states));
    }
    if matched > 0 {
        let lights = match matched {
            1 => "1 light was given to the lane that starts at its stop point".to_owned(),
            some => {
                format!("{some} lights were given to the lanes that start at their stop points")
            }
        };
        report.note(format!("{lights}: lanes have no ids here"));
    }
    Ok(signals)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three frames of a car eastwards and its Nocturne twin, by what differs.
    fn file(position: &str, velocity: &str, heading: &str, rest: &str) -> String {
        format!(
            r#"{{"name": "t.json", "objects": [{{"type": "vehicle", "width": 2, "length": 5,
            "position": {position}, "velocity": {velocity}, "heading": {heading},
            "valid": [true, true, false]}}], "roads": []{rest}}}"#
        )
    }

    fn open(text: &str) -> (Scene, Report, Format) {
        read(text.as_bytes(), Path::new("t.json")).unwrap()
    }

    const FILLED: &str =
        r#"[{"x": 1, "y": 2}, {"x": 2, "y": 2.0, "z": 9}, {"x": -10000, "y": -10000}]"#;
    const MOVING: &str = r#"[{"x": 0, "y": 10}, {"x": 0, "y": 10}, {"x": -10000, "y": -10000}]"#;

    #[test]
    fn degrees_are_told_from_radians_even_when_small() {
        // velocity (0, 10) points to 90 degrees
        let quarter = std::f64::consts::FRAC_PI_2;
        for heading in ["[450.0, 450.0, -10000]", "[1.5708, 1.5708, -10000]"] {
            let (scene, ..) = open(&file(FILLED, MOVING, heading, ""));
            let found = scene.agents[0].track.get(0).unwrap().heading;
            assert!((found - quarter).abs() < 1e-3, "{heading}: {found}");
        }
        // along x, 5 means degrees: 5 rad would point backwards and down
        let east = r#"[{"x": 9, "y": 0}, {"x": 9, "y": 0}, {"x": -10000, "y": -10000}]"#;
        let (scene, ..) = open(&file(FILLED, east, "[5, 5, -10000]", ""));
        let found = scene.agents[0].track.get(0).unwrap().heading;
        assert!((found - 5.0_f64.to_radians()).abs() < 1e-3, "{found}");
    }

    #[test]
    fn both_layouts_of_points_and_fill_values_are_read() {
        let columns = r#"{"x": [1, 2, -10000], "y": [2, 2, -10000]}"#;
        let (listed, _, format) = open(&file(FILLED, MOVING, "[1.6, 1.6, -10000]", ""));
        let (in_columns, ..) = open(&file(columns, MOVING, "[1.6, 1.6, -10000]", ""));
        assert_eq!(listed.agents, in_columns.agents);
        assert_eq!(listed.agents[0].track.span(), Some((0, 1)));
        assert_eq!(format, Format::Nocturne);
        assert_eq!((listed.agents[0].length, listed.name.as_str()), (5.0, "t"));
    }

    #[test]
    fn missing_motion_and_nan_do_not_lose_an_agent() {
        let text = r#"{"objects": [{"type": "vehicle", "position": [{"x": 0, "y": 0}, {"x": 1, "y": 0}],
            "heading": [NaN, NaN], "velocity": [{"x": NaN, "y": 1}, {"x": -Infinity, "y": 1}], "id": 7}],
            "metadata": {"sdc_track_index": 0, "name": "NaN \" NaN"}}"#;
        let (scene, report, format) = open(text);
        // 1 m in 0.1 s
        assert_eq!(scene.ego().unwrap().track.get(1).unwrap().speed(), 10.0);
        assert_eq!(scene.agents[0].track.get(0).unwrap().heading, 0.0);
        assert_eq!(
            (report.problems[0].value.as_str(), format),
            ("4", Format::GpuDrive)
        );
    }

    #[test]
    fn an_ego_that_is_not_there_is_a_problem_and_another_is_chosen() {
        let rest = r#", "metadata": {"sdc_track_index": 40}"#;
        let (scene, report, _) = open(&file(FILLED, MOVING, "[0, 0, 0]", rest));
        assert!(scene.ego().is_some());
        assert_eq!(report.problems[0].element, "metadata.sdc_track_index");
    }

    #[test]
    fn a_wrong_type_names_its_element() {
        let text = file(r#"[{"x": "far", "y": 0}]"#, "[]", "[]", "");
        let message = read(text.as_bytes(), Path::new("t.json"))
            .err()
            .unwrap()
            .to_string();
        assert!(message.contains("t.json: objects[0].position"), "{message}");
    }
}
