//! A planner outside the program: what it is asked and what it may answer, one line of JSON each.
//!
//! The request holds the scene up to its present as a scene file has it, the lanes of the route, and how many modes are
//! wanted; the answer holds modes as points at equal times. `nearmiss serve` is the other side of the same exchange.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::foresee::coast;
use super::plain::planned;
use super::{Mode, POINTS, PlanSettings, Planned, ProposeError};
use crate::codec::{DT_S, LanePiece, PIECE_POINTS, between};
use crate::geometry::{DVec2, Pose, dvec2, quantise};
use crate::map::Map;
use crate::scene::{AgentId, Role, Scene, State, scene_from_json, scene_to_value};

/// A planner in Python to start one's own from.
pub const OWN_EXAMPLE: &str = include_str!("../../assets/own_planner.py");
/// Version of the exchange.
pub const OWN_VERSION: u32 = 1;
/// Points of a mode at most.
const MOST_POINTS: usize = 1000;
/// Seconds between two points, at least and at most.
const STEPS_S: [f64; 2] = [0.01, 2.0];
/// No answer begins farther from the ego than this: such a one is in another frame, m.
const FARTHEST_START_M: f64 = 200.0;
/// Whoever moves less between two points keeps the heading, m.
const LEAST_WAY_M: f64 = 0.1;

/// A planner outside the program.
pub trait Ask: Send + Sync {
    /// What it is called in plans and tables, in angle brackets.
    fn identity(&self) -> &str;

    /// Sends `request`, one line without its end, and waits for the line that answers. `waiting` is called several times a
    /// second meanwhile and may stop.
    ///
    /// # Errors
    /// [`ProposeError::Own`] if it cannot be started, ends, or takes too long; [`ProposeError::Stopped`] if `waiting` stops.
    fn ask(
        &self,
        request: &str,
        waiting: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<String, ProposeError>;
}

/// A lane piece of the route, as a request names it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct OnRoute {
    points: Vec<[f64; 2]>,
}

/// The request for a plan at the present of `seen`, of which nothing later is sent: tracks, signals and frames end there, and
/// goals, attacks, edits and tracks as recorded are left out. `pieces` are the lane pieces near the ego, of which those on
/// its route are named. The file's name is in it where the settings know it.
pub(super) fn request(
    seen: &Scene,
    ego: &AgentId,
    pieces: &[LanePiece],
    settings: &PlanSettings,
) -> String {
    let route: Vec<Value> = pieces
        .iter()
        .filter(|piece| piece.on_route == Some(true))
        .map(|piece| on_route(&seen.map, piece))
        .collect();
    let mut request = json!({
        "request": "plan",
        "version": OWN_VERSION,
        "ego": ego,
        "now_s": quantise(seen.now_s()),
        "horizon_s": POINTS as f64 * DT_S,
        "modes": settings.modes,
        "seed": settings.seed.0,
        "route": route,
        "scene": scene_to_value(&past(seen, ego)),
    });
    if let Some(file) = &settings.file {
        request["file"] = file.as_str().into();
    }
    request.to_string()
}

fn on_route(map: &Map, piece: &LanePiece) -> Value {
    let points = piece.points.map(|point| [point.x, point.y].map(quantise));
    let lane = map.lanes().get(piece.lane).map(|lane| lane.id.clone());
    json!({ "lane": lane, "points": points.as_slice() })
}

/// The scene up to its present, as a driver knows it: who attacks, what was edited and what was recorded is left out.
fn past(seen: &Scene, ego: &AgentId) -> Scene {
    let mut scene = seen.window(0.0, seen.now_s());
    scene.edits.clear();
    scene.pins.clear();
    scene.extra.clear();
    for agent in &mut scene.agents {
        if agent.id != *ego {
            Arc::make_mut(agent).role = Role::Other;
        }
    }
    scene
}

/// What a request asks for, to whoever answers it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The scene; its present is its last frame, and the ego is marked.
    pub scene: Scene,
    /// Points of the lane pieces on the route; empty where none is told.
    pub route: Vec<Vec<DVec2>>,
    /// How many modes are wanted.
    pub modes: usize,
    /// Where random streams start.
    pub seed: u64,
}

/// Reads a request.
///
/// # Errors
/// A sentence that names the element at fault.
pub fn read_request(line: &str) -> Result<Request, String> {
    #[derive(Deserialize)]
    struct Asked {
        request: String,
        version: u32,
        ego: AgentId,
        modes: usize,
        seed: u64,
        #[serde(default)]
        route: Vec<OnRoute>,
        scene: Value,
    }
    let asked: Asked = parsed(line)?;
    if asked.request != "plan" {
        return Err(format!(
            "request is \"{}\"; only \"plan\" is known",
            asked.request
        ));
    }
    if asked.version > OWN_VERSION {
        return Err(format!(
            "version is {}; this program knows up to {OWN_VERSION}",
            asked.version
        ));
    }
    let text = asked.scene.to_string();
    let mut scene = scene_from_json(text.as_bytes(), "scene").map_err(|error| error.to_string())?;
    if scene.agent(&asked.ego).is_none() {
        return Err(format!("ego is \"{}\", which the scene has not", asked.ego));
    }
    scene.set_ego(&asked.ego);
    let points = |piece: OnRoute| piece.points.into_iter().map(|[x, y]| dvec2(x, y)).collect();
    Ok(Request {
        scene,
        route: asked.route.into_iter().map(points).collect(),
        modes: asked.modes,
        seed: asked.seed,
    })
}

/// Whether a lane piece is one of those that a request names as its route.
pub(super) fn is_told(piece: &LanePiece, route: &[Vec<DVec2>]) -> bool {
    route.iter().any(|points| {
        points.len() == PIECE_POINTS
            && points
                .iter()
                .zip(&piece.points)
                .all(|(told, own)| told.distance(*own) < 1e-3)
    })
}

/// In whose frame points are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Frame {
    /// The scene's.
    #[default]
    Scene,
    /// The ego's at the present: the box centre is the origin, its heading the x axis.
    Ego,
}

#[derive(Deserialize)]
struct Answer {
    error: Option<String>,
    #[serde(default)]
    frame: Frame,
    dt_s: Option<f64>,
    #[serde(default)]
    modes: Vec<AnsweredMode>,
}

#[derive(Deserialize)]
struct AnsweredMode {
    probability: Option<f64>,
    points: Vec<Vec<f64>>,
}

/// The modes of an answer, likeliest first, their probabilities made to sum to 1. `present` is the ego's state.
///
/// Points are `[x, y]`, `[x, y, heading]` or `[x, y, heading, speed]`, `dt_s` (0.5) apart from `dt_s` on; headings and speeds
/// that are not given follow from the way (a heading stays while the ego moves less than 0.1 m). Between points the way is
/// a cubic; after the last one it goes on at that one's velocity, so that a plan of 4 s is a plan, too.
///
/// # Errors
/// [`ProposeError::Own`] with the planner's own error, or with the element that is at fault.
pub(super) fn modes_of(line: &str, present: &State) -> Result<Vec<Mode>, ProposeError> {
    let refuse = |what: String| ProposeError::Own(format!("your planner's answer: {what}"));
    let answer: Answer = parsed(line).map_err(refuse)?;
    if let Some(error) = answer.error {
        return Err(ProposeError::Own(format!("your planner says: {error}")));
    }
    if !(1..=64).contains(&answer.modes.len()) {
        let count = answer.modes.len();
        return Err(refuse(format!(
            "modes has {count} elements; 1 to 64 are possible"
        )));
    }
    let dt_s = answer.dt_s.unwrap_or(DT_S);
    if !(STEPS_S[0]..=STEPS_S[1]).contains(&dt_s) {
        let [least, most] = STEPS_S;
        return Err(refuse(format!(
            "dt_s is {dt_s}; {least} to {most} are possible"
        )));
    }
    let frame = match answer.frame {
        Frame::Scene => Pose::at(0.0, 0.0, 0.0),
        Frame::Ego => present.pose(),
    };
    let mut modes = Vec::with_capacity(answer.modes.len());
    for (number, mode) in answer.modes.iter().enumerate() {
        let at = |what: String| refuse(format!("modes[{number}]{what}"));
        let probability = mode.probability.unwrap_or(1.0);
        if !(probability >= 0.0 && probability.is_finite()) {
            return Err(at(format!(
                ".probability is {probability}; it must be 0 or more"
            )));
        }
        let states = states(&mode.points, dt_s, frame, present).map_err(at)?;
        modes.push(Mode {
            points: points_at(&states, dt_s),
            probability,
            tokens: Vec::new(),
        });
    }
    let total: f64 = modes.iter().map(|mode| mode.probability).sum();
    let even = 1.0 / modes.len() as f64;
    for mode in &mut modes {
        let share = mode.probability / total;
        mode.probability = if total > 0.0 { share } else { even };
    }
    modes.sort_by(|a, b| b.probability.total_cmp(&a.probability)); // stable: equals stay as they were answered
    Ok(modes)
}

fn parsed<'a, D: Deserialize<'a>>(line: &'a str) -> Result<D, String> {
    let mut reader = serde_json::Deserializer::from_str(line);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        // what Python's json.dumps writes for a float that is none
        let odd = ["NaN", "Infinity"]
            .into_iter()
            .find(|word| inner.is_syntax() && line.contains(word));
        match odd {
            Some(word) => format!("it holds {word}, which is not JSON"),
            None if path == "." => inner.to_string(),
            None => format!("{path}: {inner}"),
        }
    })
}

/// The present and the points as states, scene frame.
fn states(
    points: &[Vec<f64>],
    dt_s: f64,
    frame: Pose,
    present: &State,
) -> Result<Vec<State>, String> {
    if !(1..=MOST_POINTS).contains(&points.len()) {
        let count = points.len();
        return Err(format!(
            ".points has {count} elements; 1 to {MOST_POINTS} are possible"
        ));
    }
    for (number, point) in points.iter().enumerate() {
        if !(2..=4).contains(&point.len()) {
            return Err(format!(
                ".points[{number}] has {} numbers; it must be [x, y], [x, y, heading] or [x, y, heading, speed]",
                point.len()
            ));
        }
        if let Some(odd) = point.iter().find(|value| value.abs() > 1e7) {
            return Err(format!(
                ".points[{number}] holds {odd}, which is no place on a map"
            ));
        }
    }
    let placed = |point: &Vec<f64>| frame.outer_from_local(dvec2(point[0], point[1]));
    let mut places = vec![present.position];
    places.extend(points.iter().map(placed));
    let first = places[1].distance(present.position);
    if first > FARTHEST_START_M {
        return Err(format!(
            ".points[0] lies {first:.0} m from the ego: points are in the scene's frame, or with \"frame\": \"ego\" in the ego's"
        ));
    }
    let mut states = vec![*present];
    for (index, point) in points.iter().enumerate() {
        let (before, after) = (places[index], places[(index + 2).min(places.len() - 1)]);
        let spans = (index + 2).min(places.len() - 1) - index;
        let way = after - before;
        let heading = match point.get(2) {
            Some(heading) => frame.heading + heading,
            None if way.length() < LEAST_WAY_M => states[index].heading,
            None => way.to_angle(),
        };
        let pose = Pose::new(places[index + 1], heading);
        let speed = match point.get(3) {
            Some(speed) => *speed,
            None => way.dot(pose.forward()) / (spans as f64 * dt_s),
        };
        states.push(State::along(pose, speed));
    }
    Ok(states)
}

/// What a plan's points are on the way through `states`, which are `dt_s` apart from the present on.
fn points_at(states: &[State], dt_s: f64) -> [Planned; POINTS] {
    std::array::from_fn(|index| {
        let time_s = (index + 1) as f64 * DT_S;
        let place = time_s / dt_s;
        let last = states.len() - 1;
        if place >= last as f64 - 1e-9 {
            let over_s = time_s - last as f64 * dt_s;
            return planned(&coast(&states[last], over_s.max(0.0)));
        }
        let nearest = place.round();
        if (place - nearest).abs() < 1e-6 {
            return planned(&states[nearest as usize]);
        }
        let from = place.floor() as usize;
        let fraction = place - from as f64;
        planned(&between(&states[from], &states[from + 1], fraction, dt_s))
    })
}

#[cfg(test)]
mod tests;
