//! ScenarioNet and MetaDrive scenes in: one pickled dictionary per file.
//!
//! Known oddities of the data sets are mended here: the nuScenes ego is given at its rear axle with length and
//! width swapped, and nuScenes velocities are zero in a track's last frame.

use std::path::Path;

use super::draft::{Draft, MAX_FRAMES, MAX_MAP_POINTS, median, point, usual_step};
use super::folder::stem;
use super::pickle::{Pickle, PickleError, Rows, View};
use super::scenarionet_map;
use super::waymo_terms::{licence_of, signal_state};
use super::{OpenError, Report};
use crate::geometry::{DVec2, Pose, dvec2, wrap_angle};
use crate::map::LaneId;
use crate::scene::Scene;
use crate::scene::{Agent, AgentId, AgentKind, Signal, SignalState, State, Track};

/// ScenarioNet's nuScenes tracks run evenly from keyframe to keyframe, 0.5 s apart, with the way to the next frame as
/// velocity: half a keyframe ahead of where they are. Velocities are made anew from the places this long before and
/// after, s.
const AROUND_S: f64 = 0.25;

/// What is said about it.
const CENTRED: &str = "velocities in the file are the way to the next frame, between keyframes 0.5 s apart; made anew from the places a quarter of a second before and after";

/// From the rear axle of the nuScenes car (Renault Zoe, 4.084 m long, wheelbase 2.588 m, rear overhang 0.65 m) to
/// the centre of its box, m: 4.084 / 2 − 0.65.
const NUSCENES_EGO_SHIFT_M: f64 = 1.39;

/// Reads the bytes of a pickle; `path` is for names and messages.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<(Scene, Report), OpenError> {
    let pickle = Pickle::read(bytes).map_err(|error| pickle_error(path, &error))?;
    let root = pickle.root();
    let mut report = Report::default();
    let (Some(tracks), Some(features)) = (root.get("tracks"), root.get("map_features")) else {
        return Err(not_a_scene(path, root));
    };
    let metadata = root.get("metadata");
    let facts = Facts::of(root, metadata, tracks, path, &mut report)?;
    Draft::check_size(path, tracks.len(), facts.frames)?;

    let text = |key: &str| {
        let found = root.get(key).or_else(|| metadata?.get(key));
        found.and_then(View::text).map(|text| text.into_owned())
    };
    let mut draft = Draft {
        name: text("id")
            .or_else(|| text("scenario_id"))
            .unwrap_or_else(|| stem(path)),
        source: source(&facts.dataset, text("version"), text("map")),
        licence: licence_of(&facts.dataset).to_owned(),
        dt_s: facts.dt_s,
        frames: facts.frames,
        now: facts.now,
        ego: facts.ego.as_deref().map(AgentId::new),
        ..Draft::default()
    };
    for (id, track) in tracks.entries().into_iter().flatten() {
        let Some(id) = id.text() else {
            report.skip("agents without an id");
            continue;
        };
        if let Some(agent) = agent(&id, track, &facts, &mut report) {
            draft.agents.push(agent);
        }
    }
    draft.map = scenarionet_map::read(features, &facts.dataset, path, &mut report)?;
    let lights = root.get("dynamic_map_states");
    draft.signals = signals(lights, facts.frames, path, &mut report)?;
    if let (Some(ego), true) = (
        &facts.ego,
        draft
            .agents
            .iter()
            .all(|agent| Some(agent.id.as_str()) != facts.ego.as_deref()),
    ) {
        report.problem(
            "metadata.sdc_id",
            ego,
            "names no track; another ego is chosen",
        );
    }
    let scene = draft.finish(path, &mut report)?;
    Ok((scene, report))
}

fn pickle_error(path: &Path, error: &PickleError) -> OpenError {
    let next = if error.refused {
        "Nothing in the file was run. A scene needs only plain data and numpy arrays: save it again without the object"
    } else {
        "Fetch or export the file again"
    };
    OpenError::Damaged {
        path: path.display().to_string(),
        element: format!("pickle byte {}", error.at),
        message: error.message.clone(),
        next: next.to_owned(),
    }
}

fn not_a_scene(path: &Path, root: View<'_>) -> OpenError {
    let keys = root.entries().into_iter().flatten().take(5);
    let keys: Vec<String> = keys
        .filter_map(|(key, _)| key.text().map(|text| text.chars().take(60).collect()))
        .collect();
    if keys.iter().any(|key| key.ends_with(".pkl")) {
        return OpenError::Unsupported {
            path: path.display().to_string(),
            what: "the index of a ScenarioNet folder".to_owned(),
            instead: "Open the folder, or one of its sd_*.pkl files".to_owned(),
        };
    }
    let message = if keys.is_empty() {
        "is no dictionary with `tracks` and `map_features`".to_owned()
    } else {
        format!(
            "lacks `tracks` or `map_features`; it begins with the keys {}",
            keys.join(", ")
        )
    };
    OpenError::Damaged {
        path: path.display().to_string(),
        element: "pickle".to_owned(),
        message,
        next: "Open a ScenarioNet scene (sd_*.pkl)".to_owned(),
    }
}

fn source(dataset: &str, version: Option<String>, place: Option<String>) -> String {
    let mut source = match dataset {
        "" => "ScenarioNet pickle".to_owned(),
        dataset => format!("{dataset}, ScenarioNet pickle"),
    };
    for detail in [version, place].into_iter().flatten() {
        source.push_str(", ");
        source.extend(detail.chars().take(80));
    }
    source
}

/// What holds for the whole file.
struct Facts {
    dataset: String,
    frames: usize,
    dt_s: f64,
    now: Option<usize>,
    ego: Option<String>,
}

impl Facts {
    fn of(
        root: View<'_>,
        metadata: Option<View<'_>>,
        tracks: View<'_>,
        path: &Path,
        report: &mut Report,
    ) -> Result<Self, OpenError> {
        let meta = |key: &str| metadata.and_then(|metadata| metadata.get(key));
        let text = |key: &str| meta(key).and_then(View::text).map(|text| text.into_owned());
        let times = meta("ts")
            .or_else(|| meta("timestep"))
            .and_then(|times| times.rows(MAX_FRAMES));
        let first_track = || {
            let (_, track) = tracks.entries()?.next()?;
            Some(track.get("state")?.get("position")?.len())
        };
        let frames = root
            .get("length")
            .and_then(View::number)
            .map(|length| length.clamp(0.0, 1e12) as usize)
            .or_else(|| times.as_ref().map(Rows::len))
            .or_else(first_track)
            .unwrap_or(0);
        if frames > MAX_FRAMES {
            let limit = MAX_FRAMES as u64;
            return Err(OpenError::too_large(path, "length", frames as u64, limit));
        }
        let sample = meta("sample_rate").and_then(View::number);
        let dt_s = match times.as_ref().and_then(|times| median_step(&times.values)) {
            Some(step) => {
                check_steps(times.as_ref(), step, report);
                step
            }
            // a period in the files met, whatever its name says; a rate in Hz would be above 1
            None => sample.map_or(
                0.1,
                |sample| if sample > 1.0 { 1.0 / sample } else { sample },
            ),
        };
        let now = meta("current_time_index").and_then(View::number);
        Ok(Self {
            dataset: text("dataset").unwrap_or_default().to_lowercase(),
            frames,
            dt_s,
            // 0 stands for "not set": it would leave no history
            now: now.filter(|now| *now >= 1.0).map(|now| now as usize),
            ego: text("sdc_id"),
        })
    }
}

/// The usual time step, s. Times in microseconds or nanoseconds are
/// recognised by their size.
fn median_step(times: &[f64]) -> Option<f64> {
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
    let step = median(steps.filter(|step| *step > 0.0))?;
    let step = match step {
        step if step > 1e7 => step * 1e-9,
        step if step > 1e4 => step * 1e-6,
        step if step >= 10.0 => step * 1e-3,
        step => step,
    };
    Some(usual_step(step))
}

fn check_steps(times: Option<&Rows>, step: f64, report: &mut Report) {
    let Some(times) = times else { return };
    let uneven = times
        .values
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .filter(|found| *found < 10.0 && (found - step).abs() > 0.25 * step)
        .count();
    if uneven > 0 {
        let message =
            format!("steps differ from the usual {step} s by more than a quarter; read as even");
        report.problem("metadata.ts", uneven, message);
    }
}

fn agent_kind(word: &str) -> Option<AgentKind> {
    Some(match word {
        "VEHICLE" | "CAR" | "BUS" | "TRUCK" | "EGO" => AgentKind::Vehicle,
        "PEDESTRIAN" => AgentKind::Pedestrian,
        "CYCLIST" | "BICYCLE" | "MOTORCYCLE" | "MOTORCYCLIST" => AgentKind::Cyclist,
        "TRAFFIC_CONE" | "TRAFFIC_BARRIER" | "TRAFFIC_OBJECT" | "OTHER" | "UNSET" | "UNKNOWN"
        | "TRAFFIC_SIGN" | "CZONE_SIGN" | "GENERIC_OBJECT" => AgentKind::Other,
        _ => return None,
    })
}

fn agent(id: &str, track: View<'_>, facts: &Facts, report: &mut Report) -> Option<Agent> {
    let element = |key: &str| format!("tracks[\"{id}\"].{key}");
    let metadata = track.get("metadata");
    let word = track
        .get("type")
        .or_else(|| metadata?.get("type"))
        .and_then(View::text)
        .unwrap_or_default();
    let kind = agent_kind(&word.to_uppercase()).unwrap_or_else(|| {
        report.problem(element("type"), &word, "is no known type; taken as other");
        AgentKind::Other
    });
    let is_ego = facts.ego.as_deref() == Some(id);
    let Some(state) = track.get("state") else {
        report.problem(element("state"), "missing", "the agent is left out");
        return None;
    };
    let rows = |key: &str| state.get(key)?.rows(8 * MAX_FRAMES);
    let Some(position) = rows("position").filter(|rows| rows.width >= 2) else {
        report.problem(
            element("state.position"),
            "missing",
            "the agent is left out",
        );
        return None;
    };
    if position.len() != facts.frames {
        let message = format!("rows for {} frames; missing ones are invalid", facts.frames);
        report.problem(element("state.position"), position.len(), message);
    }
    let heading = rows("heading");
    let velocity = rows("velocity").filter(|rows| rows.width >= 2);
    let valid = rows("valid");
    let is_valid = |frame: usize| match &valid {
        Some(valid) => valid.at(frame, 0) > 0.5,
        None => position.at(frame, 0).is_finite(),
    };
    let states = (0..facts.frames).map(|frame| {
        let place = point(position.at(frame, 0), position.at(frame, 1));
        if !is_valid(frame) || !place.is_finite() {
            return None;
        }
        Some(State {
            position: place,
            heading: heading
                .as_ref()
                .map_or(f64::NAN, |rows| wrap_angle(rows.at(frame, 0))),
            velocity: velocity.as_ref().map_or(DVec2::NAN, |rows| {
                dvec2(rows.at(frame, 0), rows.at(frame, 1))
            }),
        })
    });
    let mut track = Track::new(states.collect());
    super::draft::fill_motion(&mut track, facts.dt_s);

    let size = |key: &str, column: usize| {
        let rows = rows(key).or_else(|| rows("size"))?;
        let column = if rows.width == 1 { 0 } else { column };
        let seen = (0..rows.len()).filter(|&frame| rows.len() == 1 || is_valid(frame));
        median(
            seen.map(|frame| rows.at(frame, column))
                .filter(|size| *size > 0.0),
        )
    };
    let (usual_length, usual_width) = kind.default_size();
    let mut agent = Agent::new(id, kind, Track::default());
    agent.length = size("length", 0).unwrap_or(usual_length);
    agent.width = size("width", 1).unwrap_or(usual_width);
    let category = metadata
        .and_then(|metadata| metadata.get("type"))
        .and_then(View::text);
    agent.category = category
        .filter(|category| *category != word)
        .map(|category| category.chars().take(80).collect());
    if facts.dataset.starts_with("nuscenes") {
        if looks_ahead(&track, facts.dt_s) {
            centre_velocities(&mut track, facts.dt_s);
            if !report.notes.iter().any(|note| note == CENTRED) {
                report.note(CENTRED);
            }
        }
        mend_nuscenes(&mut agent, &mut track, is_ego);
    }
    agent.track = track;
    Some(agent)
}

/// Whether the velocities are differences to the next frame's place (nine of ten where it moves).
fn looks_ahead(track: &Track, dt_s: f64) -> bool {
    let frames = 1..track.states().len();
    let pairs = frames.filter_map(|frame| Some((track.get(frame - 1)?, track.get(frame)?)));
    let (mut moving, mut ahead) = (0, 0);
    for (state, next) in pairs {
        let way = (next.position - state.position) / dt_s;
        if way.length() > 0.5 {
            moving += 1;
            ahead += usize::from(way.distance(state.velocity) < 0.05 * way.length().max(1.0));
        }
    }
    moving > 0 && 10 * ahead >= 9 * moving
}

/// Velocities from the places [`AROUND_S`] before and after each state, or as far as the track goes without a gap.
fn centre_velocities(track: &mut Track, dt_s: f64) {
    let reach = AROUND_S / dt_s;
    let velocities: Vec<Option<DVec2>> = (0..track.states().len())
        .map(|frame| {
            let here = track.get(frame)?.position;
            // the place up to `reach` frames away, and how many it is
            let walk = |way: f64| {
                let mut last = (here, 0.0);
                for whole in 1..=reach.ceil() as usize {
                    let frames = (whole as f64).min(reach);
                    let Some(at) = track.sample(frame as f64 + way * frames) else {
                        break;
                    };
                    last = (at.position, frames);
                }
                last
            };
            let ((before, back), (after, forth)) = (walk(-1.0), walk(1.0));
            (back + forth > 0.0).then(|| (after - before) / ((back + forth) * dt_s))
        })
        .collect();
    for (state, velocity) in track.states_mut().iter_mut().zip(velocities) {
        if let (Some(state), Some(velocity)) = (state, velocity) {
            state.velocity = velocity;
        }
    }
}

fn mend_nuscenes(agent: &mut Agent, track: &mut Track, is_ego: bool) {
    if is_ego {
        if agent.width > agent.length {
            std::mem::swap(&mut agent.width, &mut agent.length);
        }
        for state in track.states_mut().iter_mut().flatten() {
            let pose = Pose::new(state.position, state.heading);
            state.position = pose.outer_from_local(dvec2(NUSCENES_EGO_SHIFT_M, 0.0));
        }
    }
    if let Some((_, last)) = track.span()
        && last > 0
        && let Some(before) = track.get(last - 1).copied()
        && let Some(mut state) = track.get(last).copied()
        && state.velocity == DVec2::ZERO
    {
        state.velocity = before.velocity;
        track.set(last, Some(state));
    }
}

fn signals(
    lights: Option<View<'_>>,
    frames: usize,
    path: &Path,
    report: &mut Report,
) -> Result<Vec<Signal>, OpenError> {
    let mut signals = Vec::new();
    let Some(lights) = lights else {
        return Ok(signals);
    };
    let cells = lights.len().saturating_mul(frames);
    if cells > 8 * MAX_MAP_POINTS {
        let limit = 8 * MAX_MAP_POINTS as u64;
        return Err(OpenError::too_large(
            path,
            "signals times frames",
            cells as u64,
            limit,
        ));
    }
    for (id, light) in lights.entries().into_iter().flatten() {
        let Some(id) = id.label() else {
            report.skip("signals without a lane");
            continue;
        };
        let state = light.get("state");
        let inside = |key: &str| light.get(key).or_else(|| state?.get(key));
        let words = inside("object_state").and_then(|words| words.texts(MAX_FRAMES));
        let Some(words) = words else {
            let element = format!("dynamic_map_states[\"{id}\"]");
            report.problem(
                element,
                "object_state",
                "is missing; the signal is left out",
            );
            continue;
        };
        let mut states: Vec<SignalState> = words.iter().map(|word| signal_state(word)).collect();
        states.resize(frames, SignalState::Unknown);
        // [3], or [T, 3] with zeros before the signal is first seen
        let stop = inside("stop_point").and_then(|stop| stop.rows(4 * MAX_FRAMES));
        let stop_point = stop.and_then(|stop| {
            let points: Vec<(f64, f64)> = match stop.width {
                1 => vec![(stop.at(0, 0), stop.at(1, 0))],
                _ => (0..stop.len())
                    .map(|row| (stop.at(row, 0), stop.at(row, 1)))
                    .collect(),
            };
            let seen = points.into_iter().find(|(x, y)| *x != 0.0 || *y != 0.0);
            seen.map(|(x, y)| point(x, y))
                .filter(|stop| stop.is_finite())
        });
        let lane = light.get("lane").and_then(View::label).unwrap_or(id);
        signals.push(Signal::new(LaneId::new(lane), stop_point, states));
    }
    Ok(signals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn velocities_between_keyframes_are_centred_and_those_of_others_stay() {
        // 4 m/s up to 0.5 s, then 8 m/s, each state with the way to the next frame
        let x = |frame: usize| match frame {
            0..=5 => 0.4 * frame as f64,
            _ => 2.0 + 0.8 * (frame - 5) as f64,
        };
        let states = (0..11).map(|frame| {
            let ahead = (x(frame + 1) - x(frame)) / 0.1;
            Some(State::along(Pose::at(x(frame), 0.0, 0.0), ahead))
        });
        let mut track = Track::new(states.collect());
        assert!(looks_ahead(&track, 0.1));
        centre_velocities(&mut track, 0.1);
        let speed = |frame: usize| track.get(frame).unwrap().velocity.x;
        // half of the half second around the keyframe at either speed; at frame 4 (0.15 s of 8, 0.35 s of 4) 5.2 m/s
        for (frame, wanted) in [(0, 4.0), (2, 4.0), (4, 5.2), (5, 6.0), (8, 8.0), (10, 8.0)] {
            assert!(
                (speed(frame) - wanted).abs() < 1e-9,
                "{frame}: {}",
                speed(frame)
            );
        }
        // now they are no longer ways to the next frame
        assert!(!looks_ahead(&track, 0.1));
    }
}
