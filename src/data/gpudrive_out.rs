//! GPUDrive JSON out: 91 frames at 10 Hz with the present at frame 10, invalid frames filled with −10000.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map as Object, Value, json};

use super::export::ExportError;
use super::report::Report;
use crate::geometry::{DVec2, quantise};
use crate::map::{AreaKind, LaneId, LaneKind, LineKind};
use crate::scene::{Agent, AgentKind, Role, Scene, SignalState, State, Track};

/// Frames of every file, their distance in s, and the present among them.
const FRAMES: usize = 91;
const DT_S: f64 = 0.1;
const NOW: usize = 10;

/// Fill value of invalid frames.
const FILL: f64 = -10_000.0;

/// Height of every object, m: scenes are flat.
const HEIGHT_M: f64 = 1.6;

/// Sizes of GPUDrive's own arrays (src/consts.hpp); it drops what is beyond.
const MAX_OBJECTS: usize = 515;
const MAX_ROADS: usize = 956;

/// The agents that are written, at the file's frames: what reading it again must give.
pub(super) struct Meant {
    agents: Vec<Agent>,
}

/// The text of the file for `scene`, cut so that its present is frame 10 (or as near as its history allows).
pub(super) fn text(
    scene: &Scene,
    path: &Path,
    report: &mut Report,
) -> Result<(String, Meant), ExportError> {
    let start_s = (scene.now_s() - NOW as f64 * DT_S).max(0.0);
    let end_s = start_s + (FRAMES - 1) as f64 * DT_S;
    if scene.duration_s() > end_s + 1e-6 || start_s > 1e-6 {
        report.note(format!(
            "GPUDrive scenes last 9 s: {start_s:.1} to {end_s:.1} s of {:.1} s were written; cut the scene to choose others (convert --window on the command line)",
            scene.duration_s()
        ));
    }
    let agents = agents_at(scene, start_s, report);
    if agents.is_empty() {
        return Err(ExportError::Unfit {
            path: path.display().to_string(),
            message: "no vehicle, pedestrian or cyclist is there between these times".to_owned(),
            next: "Choose another window".to_owned(),
        });
    }
    let ego = agents.iter().position(|agent| agent.role == Role::Ego);
    if ego.is_none() {
        report.note("no ego is there between these times: the file marks none");
    }
    let ids = numeric_ids(
        agents.iter().map(|agent| agent.id.as_str()),
        report,
        "agents",
    );
    let objects: Vec<Value> = agents
        .iter()
        .zip(&ids)
        .map(|(agent, id)| object(agent, *id))
        .collect();
    let (roads, lane_ids) = roads(scene, report);
    for (what, count, limit) in [
        ("objects", objects.len(), MAX_OBJECTS),
        ("roads", roads.len(), MAX_ROADS),
    ] {
        if count > limit {
            report.problem(
                what,
                count,
                format!("GPUDrive keeps {limit} unless it is built for more"),
            );
        }
    }
    let targets: Vec<Value> = ego
        .iter()
        .map(|index| json!({"track_index": index, "difficulty": 0}))
        .collect();
    let of_interest: Vec<i64> = agents
        .iter()
        .zip(&ids)
        .filter(|(agent, _)| agent.role == Role::Attacker)
        .map(|(_, id)| *id)
        .collect();
    let file = json!({
        "name": format!("{}.json", scene.name),
        "scenario_id": scene.name,
        "nearmiss": {"source": scene.source, "licence": scene.licence}, // GPUDrive passes over it
        "objects": objects,
        "roads": roads,
        "tl_states": lights(scene, start_s, &lane_ids, report),
        "metadata": {
            "sdc_track_index": ego.map_or(-1, |index| index as i64),
            "objects_of_interest": of_interest,
            "tracks_to_predict": targets,
        },
    });
    Ok((file.to_string(), Meant { agents }))
}

/// Whether a file read again holds the agents that were meant; the first difference otherwise.
pub(super) fn compare(meant: &Meant, again: &Scene) -> Result<(), String> {
    if meant.agents.len() != again.agents.len() {
        let (meant, found) = (meant.agents.len(), again.agents.len());
        return Err(format!("{found} agents instead of {meant}"));
    }
    // of a file that marks no ego, the reader chooses one
    let marks_ego = meant.agents.iter().any(|agent| agent.role == Role::Ego);
    for (meant, found) in meant.agents.iter().zip(&again.agents) {
        let id = &meant.id;
        let is_other_ego = (meant.role == Role::Ego) != (found.role == Role::Ego);
        if meant.kind != found.kind || marks_ego && is_other_ego {
            let (kind, role) = (found.kind, found.role);
            return Err(format!("agent {id} is {kind:?} with the role {role:?}"));
        }
        for frame in 0..FRAMES {
            let near = match (meant.track.get(frame), found.track.get(frame)) {
                (None, None) => true,
                (Some(a), Some(b)) => {
                    a.position.distance(b.position) < 1e-3
                        && (a.heading - b.heading).sin().abs() < 1e-3
                        && a.velocity.distance(b.velocity) < 1e-3
                }
                _ => false,
            };
            if !near {
                return Err(format!("agent {id} at frame {frame}"));
            }
        }
    }
    Ok(())
}

/// Agents resampled to the file's frames; others than road users, and those never there, are left out.
fn agents_at(scene: &Scene, start_s: f64, report: &mut Report) -> Vec<Agent> {
    let mut agents = Vec::new();
    for agent in &scene.agents {
        if agent.kind == AgentKind::Other {
            report.skip("objects that are no road users: GPUDrive has no type for them");
            continue;
        }
        let state = |frame: usize| {
            let time_s = start_s + frame as f64 * DT_S;
            agent
                .track
                .sample(scene.frame_at(time_s))
                .map(|state| state.quantised())
        };
        let track = Track::new((0..FRAMES).map(state).collect());
        if track.span().is_none() {
            report.skip("agents that are not there between these times");
            continue;
        }
        agents.push(Agent {
            track,
            ..Agent::clone(agent)
        });
    }
    // the recording car comes last, as in all files of this format
    agents.sort_by_key(|agent| agent.role == Role::Ego);
    agents
}

/// The ids themselves where all are whole numbers and different, else the positions in the list.
fn numeric_ids<'a>(
    ids: impl Iterator<Item = &'a str> + Clone,
    report: &mut Report,
    what: &str,
) -> Vec<i64> {
    let parsed: Option<Vec<i64>> = ids.clone().map(|id| id.parse().ok()).collect();
    if let Some(numbers) = parsed {
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() == numbers.len() && sorted.first().is_none_or(|least| *least >= 0) {
            return numbers;
        }
    }
    let count = ids.count();
    report.note(format!(
        "GPUDrive ids are numbers: the {what} were numbered from 0 in their order"
    ));
    (0..count as i64).collect()
}

fn place(point: DVec2) -> Value {
    json!({"x": quantise(point.x), "y": quantise(point.y), "z": 0.0})
}

fn object(agent: &Agent, id: i64) -> Value {
    let states = agent.track.states();
    let column = |of: &dyn Fn(&State) -> Value, fill: Value| -> Vec<Value> {
        states
            .iter()
            .map(|state| state.as_ref().map_or(fill.clone(), of))
            .collect()
    };
    let fill = json!({"x": FILL, "y": FILL, "z": FILL});
    let goal = agent
        .track
        .valid()
        .next_back()
        .map(|(_, state)| place(state.position));
    json!({
        "position": column(&|state| place(state.position), fill),
        "width": agent.width,
        "length": agent.length,
        "height": HEIGHT_M,
        "heading": column(&|state| json!(state.heading), json!(FILL)),
        "velocity": column(
            &|state| json!({"x": state.velocity.x, "y": state.velocity.y}),
            json!({"x": FILL, "y": FILL}),
        ),
        "valid": states.iter().map(Option::is_some).collect::<Vec<bool>>(),
        "goalPosition": goal,
        "type": agent.kind.word(),
        "id": id,
        "mark_as_expert": false,
    })
}

/// Roads with their numbers of Waymo's list, and the number of each lane.
fn roads(scene: &Scene, report: &mut Report) -> (Vec<Value>, BTreeMap<LaneId, i64>) {
    let map = &scene.map;
    let mut roads = Vec::new();
    let mut lane_ids = BTreeMap::new();
    let lanes = || {
        map.lanes()
            .iter()
            .filter(|lane| lane.kind != LaneKind::Walk)
    };
    report.skip_many(
        "walkways: GPUDrive has no type for them",
        map.lanes().len() - lanes().count(),
    );
    report.skip_many(
        "speed limits: GPUDrive has none",
        lanes().filter(|lane| lane.speed_limit.is_some()).count(),
    );
    report.skip_many(
        "goals: GPUDrive takes the last recorded places",
        scene.goals.len(),
    );
    let ids = numeric_ids(lanes().map(|lane| lane.id.as_str()), report, "lanes");
    let mut next = ids.iter().max().map_or(0, |most| most.saturating_add(1));
    let mut road = |kind: &str, element: i64, points: &[DVec2], id: Option<i64>| {
        let id = id.unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        let geometry: Vec<Value> = points.iter().map(|point| place(*point)).collect();
        roads
            .push(json!({"geometry": geometry, "type": kind, "map_element_id": element, "id": id}));
    };
    for (lane, id) in lanes().zip(ids) {
        let element = match lane.kind {
            LaneKind::Freeway => 1,
            LaneKind::Bike => 3,
            _ => 2,
        };
        lane_ids.insert(lane.id.clone(), id);
        road("lane", element, lane.centreline.points(), Some(id));
    }
    for line in map.lines() {
        let (kind, element) = match line.kind {
            LineKind::Edge => ("road_edge", 15),
            LineKind::BrokenWhite => ("road_line", 6),
            LineKind::SolidWhite => ("road_line", 7),
            LineKind::BrokenYellow => ("road_line", 9),
            LineKind::SolidYellow => ("road_line", 11),
            LineKind::Other => ("road_line", -1),
        };
        road(kind, element, &line.points, None);
    }
    for sign in map.stop_signs() {
        road("stop_sign", 17, &[sign.point], None);
    }
    let mut others = 0;
    for area in map.areas() {
        match area.kind {
            AreaKind::Crossing => road("crosswalk", 18, &area.polygon, None),
            AreaKind::SpeedBump => road("speed_bump", 19, &area.polygon, None),
            AreaKind::Driveway => road("driveway", 20, &area.polygon, None),
            _ => others += 1,
        }
    }
    report.skip_many(
        "areas: GPUDrive has crosswalks, speed bumps and driveways only",
        others,
    );
    (roads, lane_ids)
}

fn lights(
    scene: &Scene,
    start_s: f64,
    lane_ids: &BTreeMap<LaneId, i64>,
    report: &mut Report,
) -> Value {
    let mut lights = Object::new();
    for signal in scene.signals.iter() {
        let Some(id) = lane_ids.get(&signal.lane) else {
            report.skip("signals of lanes that are not written");
            continue;
        };
        let start = scene
            .map
            .lane(&signal.lane)
            .map(|lane| lane.centreline.start());
        let stop = signal.stop_point.or(start).unwrap_or_default();
        let frame = |index: usize| scene.frame_at(start_s + index as f64 * DT_S).round() as usize;
        let words: Vec<&str> = (0..FRAMES)
            .map(|index| word(signal.at(frame(index))))
            .collect();
        lights.insert(
            id.to_string(),
            json!({
                "state": words,
                "x": vec![quantise(stop.x); FRAMES],
                "y": vec![quantise(stop.y); FRAMES],
                "time_index": (0..FRAMES).collect::<Vec<usize>>(),
            }),
        );
    }
    Value::Object(lights)
}

fn word(state: SignalState) -> &'static str {
    match state {
        SignalState::Unknown => "unknown",
        SignalState::Red => "stop",
        SignalState::Yellow => "caution",
        SignalState::Green => "go",
        SignalState::FlashingRed => "flashing_stop",
        SignalState::FlashingYellow => "flashing_caution",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::data::{Target, export, open};
    use crate::geometry::{Polyline, Pose, dvec2};
    use crate::map::{Lane, Map, MapParts};
    use crate::scene::{AgentId, Signal};

    /// Two agents over 12 s at 5 Hz, the second from 3 s on, on one lane with a light.
    fn scene() -> Scene {
        let track = |from: usize, y: f64| {
            let state = |frame: usize| {
                (frame >= from).then(|| State::along(Pose::at(frame as f64, y, 0.0), 5.0))
            };
            Track::new((0..61).map(state).collect())
        };
        let line = Polyline::new([dvec2(0.0, 0.0), dvec2(60.0, 0.0)]).unwrap();
        let mut scene = Scene {
            name: "test".to_owned(),
            dt_s: 0.2,
            frames: 61,
            now: 10,
            map: Arc::new(Map::build(MapParts {
                lanes: vec![Lane::new("l1", LaneKind::Street, line)],
                ..MapParts::default()
            })),
            agents: vec![
                Arc::new(Agent::new("ego", AgentKind::Vehicle, track(0, 0.0))),
                Arc::new(Agent::new("walker", AgentKind::Pedestrian, track(15, 4.0))),
            ],
            signals: Arc::new(vec![Signal::new(
                LaneId::new("l1"),
                Some(dvec2(0.0, 0.0)),
                vec![SignalState::Red; 61],
            )]),
            ..Scene::default()
        };
        scene.set_ego(&AgentId::new("ego"));
        scene.quantised()
    }

    #[test]
    fn what_is_written_opens_again_with_the_present_at_one_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.gpudrive.json");
        let exported = export(&scene(), &path, Target::GpuDrive).unwrap();
        let again = open(&path, None).unwrap();
        let scene = again.scene;
        assert_eq!((scene.frames, scene.dt_s, scene.now), (91, 0.1, 10));
        // present at 2.0 s of 12 s, so the file starts at 1.0 s: frame 5 at x = 5 m, 5 m/s
        let ego = scene.ego().unwrap();
        assert_eq!(ego.track.get(0).unwrap().position, dvec2(5.0, 0.0));
        assert_eq!(ego.track.get(90).unwrap().position, dvec2(50.0, 0.0));
        // the walker appears at 3.0 s: 2.0 s after the start, frame 20; agents come with the ego last
        assert_eq!(scene.agents[0].track.span(), Some((20, 90)));
        assert_eq!(scene.signals[0].states, [SignalState::Red; 91]);
        assert!(!exported.report.notes.is_empty());
    }

    #[test]
    fn a_scene_whose_ego_is_not_there_is_written_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.gpudrive.json");
        let mut scene = scene();
        scene.agents[1] = Arc::new(Agent {
            kind: AgentKind::Vehicle,
            ..Agent::clone(&scene.agents[1])
        });
        let ego = Arc::make_mut(&mut scene.agents[0]);
        ego.track.states_mut()[3..].fill(None); // it leaves at 0.6 s, the file starts at 1.0 s
        let exported = export(&scene, &path, Target::GpuDrive).unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.contains("\"sdc_track_index\":-1"), "{written}");
        let notes = exported.report.notes.join("; ");
        assert!(notes.contains("no ego is there"), "{notes}");
        assert_eq!(open(&path, None).unwrap().scene.agents.len(), 1);
    }

    #[test]
    fn an_empty_scene_is_refused_with_a_sentence() {
        let mut report = Report::default();
        let message = text(
            &Scene {
                dt_s: 0.1,
                frames: 1,
                ..Scene::default()
            },
            Path::new("x"),
            &mut report,
        );
        assert!(
            message
                .err()
                .unwrap()
                .to_string()
                .contains("Choose another window")
        );
    }
}
