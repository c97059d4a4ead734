//! CommonRoad XML out, version 2020a.
//!
//! As CommonRoad has it, the ego leaves the traffic and becomes a planning problem: where it is (at the present of a
//! generated case or of one with an attack, else where it is first seen) and the place it reaches at the end, or its
//! goal. Things that are no road users and parked vehicles become static obstacles where they stay in one place
//! throughout. Everyone else becomes a dynamic obstacle; a track with gaps becomes one obstacle for each part. Ids that
//! are no numbers get one; comments name them. Not written: painted lines and areas other than the lanelets' own, goals
//! of others than the ego, noise pins, recipes. The date is fixed, so that equal scenes give equal files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use super::commonroad::middle_line;
use super::export::ExportError;
use super::report::Report;
use crate::geometry::{DVec2, Polyline, quantise};
use crate::map::{Lane, LaneId, LaneKind};
use crate::scene::{Agent, AgentKind, Role, Scene, Signal, SignalState, State};

/// Furthest that a written lanelet's middle may lie from the scene's centreline, m.
const CENTRE_TOLERANCE_M: f64 = 0.05;

/// Velocities across the heading up to this are not written, m/s.
const STRAIGHT_MPS: f64 = 1e-3;

/// What reading the file again must give: for every obstacle its kind, its size and its states by frame.
pub(super) struct Meant {
    obstacles: BTreeMap<String, Obstacle>,
    lanes: usize,
}

struct Obstacle {
    kind: AgentKind,
    size: [f64; 2],
    states: Vec<(usize, State)>,
    /// Static: in its one state at any time.
    stands: bool,
}

/// The text of the file.
pub(super) fn text(
    scene: &Scene,
    path: &Path,
    report: &mut Report,
) -> Result<(String, Meant), ExportError> {
    if scene.map.lanes().is_empty() {
        return Err(ExportError::Unfit {
            path: path.display().to_string(),
            message: "the scene has no lanes, and CommonRoad needs a lanelet network".to_owned(),
            next: "Write another format".to_owned(),
        });
    }
    let mut ids = Ids::default();
    for lane in scene.map.lanes() {
        ids.give(lane.id.as_str(), "lane");
    }
    let mut out = String::new();
    out.push_str("<?xml version='1.0' encoding='UTF-8'?>\n");
    let _ = writeln!(
        out,
        "<commonRoad timeStepSize=\"{}\" commonRoadVersion=\"2020a\" author=\"Nearmiss\" affiliation=\"\" source=\"{}\" benchmarkID=\"{}\" date=\"1970-01-01\">",
        quantise(scene.dt_s),
        escaped(&scene.source),
        benchmark(&scene.name),
    );
    out.push_str("  <location>\n    <geoNameId>-999</geoNameId>\n    <gpsLatitude>999</gpsLatitude>\n    <gpsLongitude>999</gpsLongitude>\n  </location>\n  <scenarioTags/>\n");
    road(scene, &mut ids, &mut out);
    let mut obstacles = BTreeMap::new();
    let others = scene.agents.iter().filter(|agent| agent.role != Role::Ego);
    let others = others.map(|agent| (agent, static_type(agent, scene.frames)));
    let (standing, moving): (Vec<_>, Vec<_>) = others.partition(|(_, standing)| standing.is_some());
    // the schema wants the static ones first
    for (agent, kind) in standing.into_iter().chain(moving) {
        match kind {
            Some(kind) => static_obstacle(agent, kind, &mut ids, &mut out, &mut obstacles),
            None => dynamic_obstacles(agent, &mut ids, &mut out, &mut obstacles),
        }
    }
    if let Some(ego) = scene.ego() {
        problem(scene, ego, &mut ids, &mut out, report);
    }
    out.push_str("</commonRoad>\n");
    note_length(scene, &obstacles, report);
    if !ids.renamed.is_empty() {
        let ids = match ids.renamed.len() {
            1 => "1 id that is no free number was given one; a comment in the file names it"
                .to_owned(),
            some => format!(
                "{some} ids that are no free numbers were given one; comments in the file name them"
            ),
        };
        report.note(ids);
    }
    let map = &scene.map;
    report.skip_many("areas (CommonRoad has lanelets alone)", map.areas().len());
    report.skip_many(
        "painted lines and edges of the road (CommonRoad has the lanelets' bounds)",
        map.lines().len(),
    );
    let ego = scene.ego().map(|ego| &ego.id);
    let goals = scene.goals.iter();
    report.skip_many(
        "goals of others than the ego",
        goals.filter(|goal| Some(&goal.agent) != ego).count(),
    );
    let named =
        |sign: &&crate::map::StopSign| sign.lanes.iter().any(|lane| ids.lane(lane).is_some());
    let signs = scene.map.stop_signs();
    report.skip_many(
        "stop signs that no lane names",
        signs.len() - signs.iter().filter(named).count(),
    );
    let dark = |signal: &&Signal| {
        let mut states = signal.states.iter();
        states.all(|state| *state == SignalState::Unknown)
    };
    report.skip_many(
        "traffic lights of which it is not known what they show",
        scene.signals.iter().filter(dark).count(),
    );
    let flashes = |signal: &&Signal| {
        let mut states = signal.states.iter();
        states.any(|state| {
            matches!(
                state,
                SignalState::FlashingRed | SignalState::FlashingYellow
            )
        })
    };
    report.skip_many(
        "flashing of traffic lights (CommonRoad has none: written as inactive)",
        scene.signals.iter().filter(flashes).count(),
    );
    if !scene.licence.is_empty() {
        report.note(format!(
            "the format has no place for the licence: {}",
            scene.licence
        ));
    }
    let lanes = scene.map.lanes().len();
    Ok((out, Meant { obstacles, lanes }))
}

/// Says where a scene read again will end before this one: CommonRoad has no length but that of who moves.
fn note_length(scene: &Scene, obstacles: &BTreeMap<String, Obstacle>, report: &mut Report) {
    let moving = obstacles.values().filter(|obstacle| !obstacle.stands);
    let last = moving.filter_map(|obstacle| Some(obstacle.states.last()?.0));
    let ego = scene.ego().and_then(|ego| Some(ego.track.span()?.1));
    let last = last.max().or(ego).unwrap_or(0);
    if last + 1 < scene.frames && obstacles.values().any(|obstacle| obstacle.stands) {
        report.note(format!(
            "a CommonRoad scene ends with who moves last: here at {:.1} s of {:.1} s",
            scene.time_of(last),
            scene.duration_s()
        ));
    }
}

/// Holds what was read again against what was meant.
pub(super) fn compare(meant: &Meant, again: &Scene) -> Result<(), String> {
    if again.map.lanes().len() != meant.lanes {
        return Err(format!(
            "{} lanes instead of {}",
            again.map.lanes().len(),
            meant.lanes
        ));
    }
    let shift = meant
        .obstacles
        .iter()
        .filter(|(_, obstacle)| !obstacle.stands)
        .filter_map(|(id, obstacle)| {
            let agent = again.agents.iter().find(|agent| agent.id.as_str() == id)?;
            Some(obstacle.states.first()?.0 as i64 - agent.track.span()?.0 as i64)
        })
        .next()
        .unwrap_or(0);
    for (id, obstacle) in &meant.obstacles {
        let found = again.agents.iter().find(|agent| agent.id.as_str() == id);
        let agent = found.ok_or_else(|| format!("obstacle {id} is missing"))?;
        if agent.kind != obstacle.kind {
            let (meant, found) = (obstacle.kind.word(), agent.kind.word());
            return Err(format!(
                "obstacle {id}: its kind is {found} instead of {meant}"
            ));
        }
        let off = (agent.length - obstacle.size[0])
            .abs()
            .max((agent.width - obstacle.size[1]).abs());
        if off > 1e-3 {
            return Err(format!("obstacle {id}: its size is {off} m off"));
        }
        for (frame, state) in &obstacle.states {
            let shifted = match obstacle.stands {
                true => Some(0),
                false => usize::try_from(*frame as i64 - shift).ok(),
            };
            let there = shifted.and_then(|frame| agent.track.get(frame));
            let there =
                there.ok_or_else(|| format!("obstacle {id} is missing in frame {frame}"))?;
            let off = there.position.distance(state.position);
            if off > 1e-3 || (there.heading - state.heading).sin().abs() > 1e-3 {
                return Err(format!("obstacle {id} is {off} m off in frame {frame}"));
            }
            let off = there.velocity.distance(state.velocity);
            if off > 2.0 * STRAIGHT_MPS {
                return Err(format!("obstacle {id} is {off} m/s off in frame {frame}"));
            }
        }
    }
    Ok(())
}

/// Numbers for everything: CommonRoad's ids are natural numbers, unique over the whole file.
#[derive(Default)]
struct Ids {
    taken: BTreeSet<u64>,
    lanes: BTreeMap<String, u64>,
    renamed: Vec<(u64, String)>,
    next: u64,
}

impl Ids {
    /// The name itself if it is a free number, else the next free number.
    fn give(&mut self, name: &str, what: &str) -> u64 {
        let own = name.parse::<u64>().ok();
        let own = own.filter(|id| (1..1_000_000_000).contains(id) && id.to_string() == name);
        let id = match own.filter(|id| !self.taken.contains(id)) {
            Some(id) => id,
            None => {
                let id = self.fresh();
                self.renamed.push((id, name.to_owned()));
                id
            }
        };
        self.taken.insert(id);
        if what == "lane" {
            self.lanes.insert(name.to_owned(), id);
        }
        id
    }

    fn fresh(&mut self) -> u64 {
        self.next = self.next.max(1000);
        while self.taken.contains(&self.next) {
            self.next += 1;
        }
        self.taken.insert(self.next);
        self.next
    }

    fn lane(&self, id: &LaneId) -> Option<u64> {
        self.lanes.get(id.as_str()).copied()
    }
}

fn escaped(text: &str) -> String {
    let clean: String = text.chars().filter(|letter| !letter.is_control()).collect();
    quick_xml::escape::escape(clean.as_str()).into_owned()
}

/// A comment's text: no double hyphens, no control characters.
fn comment(text: &str) -> String {
    let clean = text.chars().filter(|letter| !letter.is_control());
    clean
        .map(|letter| if letter == '-' { '_' } else { letter })
        .collect()
}

/// ZAM (CommonRoad's invented country, whose signs are known) and the letters and digits of the name.
fn benchmark(name: &str) -> String {
    let mut word: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect();
    if !word.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        word.insert_str(0, "Scene");
    }
    format!("ZAM_{word}-1_1_T-1")
}

fn write_point(out: &mut String, indent: &str, point: DVec2) {
    let _ = writeln!(
        out,
        "{indent}<point><x>{}</x><y>{}</y></point>",
        quantise(point.x),
        quantise(point.y)
    );
}

/// Both bounds with as many points each. The lane's own where their middle is its centreline, else half a width to
/// either side of the centreline, point by point, so that their mean is the centreline exactly.
fn bounds(lane: &Lane) -> [Vec<DVec2>; 2] {
    let even = |bound: &[DVec2], count: usize| match Polyline::new(bound.iter().copied()) {
        Some(line) if bound.len() != count => line.resampled(count),
        _ => bound.to_vec(),
    };
    let count = lane.left_border.len().max(lane.right_border.len());
    let own = [
        even(&lane.left_border, count),
        even(&lane.right_border, count),
    ];
    if count >= 2
        && own.iter().all(|bound| bound.len() == count)
        && let Some(middle) = middle_line(&own[0], &own[1])
    {
        let off = |from: &Polyline, to: &Polyline| {
            let points = from.points().iter();
            points
                .map(|point| to.project(*point).offset.abs())
                .fold(0.0, f64::max)
        };
        let ends = middle
            .start()
            .distance(lane.centreline.start())
            .max(middle.end().distance(lane.centreline.end()));
        let worst = off(&middle, &lane.centreline)
            .max(off(&lane.centreline, &middle))
            .max(ends);
        if worst <= CENTRE_TOLERANCE_M {
            return own;
        }
    }
    let points = lane.centreline.points();
    let half = lane.width_or_default() / 2.0;
    let side = |sign: f64| -> Vec<DVec2> {
        (0..points.len())
            .map(|index| {
                let before = points[index.saturating_sub(1)];
                let after = points[(index + 1).min(points.len() - 1)];
                points[index] + (after - before).normalize_or_zero().perp() * half * sign
            })
            .collect()
    };
    [side(1.0), side(-1.0)]
}

fn road(scene: &Scene, ids: &mut Ids, out: &mut String) {
    let lanes = scene.map.lanes();
    let mut limits: BTreeMap<u64, u64> = BTreeMap::new();
    let key = |limit: f64| (limit * 1e4).round() as u64;
    for limit in lanes.iter().filter_map(|lane| lane.speed_limit) {
        limits.entry(key(limit)).or_insert_with(|| ids.fresh());
    }
    let signs: Vec<u64> = scene.map.stop_signs().iter().map(|_| ids.fresh()).collect();
    let mut lights: BTreeMap<&LaneId, (u64, &Signal)> = BTreeMap::new();
    for signal in scene.signals.iter() {
        let known = signal
            .states
            .iter()
            .any(|state| *state != SignalState::Unknown);
        if known && ids.lane(&signal.lane).is_some() {
            let id = ids.fresh();
            lights.insert(&signal.lane, (id, signal));
        }
    }
    for lane in lanes {
        let Some(id) = ids.lane(&lane.id) else {
            continue;
        };
        if id.to_string() != lane.id.as_str() {
            let _ = writeln!(out, "  <!-- {id}: {} -->", comment(lane.id.as_str()));
        }
        let _ = writeln!(out, "  <lanelet id=\"{id}\">");
        for (bound, name) in bounds(lane).iter().zip(["leftBound", "rightBound"]) {
            let _ = writeln!(out, "    <{name}>");
            for point in bound {
                write_point(out, "      ", *point);
            }
            let _ = writeln!(out, "    </{name}>");
        }
        for (list, name) in [
            (&lane.predecessors, "predecessor"),
            (&lane.successors, "successor"),
        ] {
            for other in list.iter().filter_map(|other| ids.lane(other)) {
                let _ = writeln!(out, "    <{name} ref=\"{other}\"/>");
            }
        }
        for (beside, name) in [
            (&lane.left_neighbour, "adjacentLeft"),
            (&lane.right_neighbour, "adjacentRight"),
        ] {
            if let Some(other) = beside.as_ref().and_then(|other| ids.lane(other)) {
                let _ = writeln!(out, "    <{name} ref=\"{other}\" drivingDir=\"same\"/>");
            }
        }
        let kind = match lane.kind {
            LaneKind::Street => "urban",
            LaneKind::Freeway => "highway",
            LaneKind::Bus => "busLane",
            LaneKind::Bike => "bicycleLane",
            LaneKind::Walk => "sidewalk",
            LaneKind::Other => "shoulder",
        };
        let _ = writeln!(out, "    <laneletType>{kind}</laneletType>");
        if lane.in_junction {
            out.push_str("    <laneletType>intersection</laneletType>\n");
        }
        if let Some(sign) = lane.speed_limit.and_then(|limit| limits.get(&key(limit))) {
            let _ = writeln!(out, "    <trafficSignRef ref=\"{sign}\"/>");
        }
        for (stop, sign) in scene.map.stop_signs().iter().zip(&signs) {
            if stop.lanes.contains(&lane.id) {
                let _ = writeln!(out, "    <trafficSignRef ref=\"{sign}\"/>");
            }
        }
        if let Some((light, _)) = lights.get(&lane.id) {
            let _ = writeln!(out, "    <trafficLightRef ref=\"{light}\"/>");
        }
        out.push_str("  </lanelet>\n");
    }
    for (limit, id) in &limits {
        let value = *limit as f64 / 1e4;
        let _ = writeln!(
            out,
            "  <trafficSign id=\"{id}\">\n    <trafficSignElement><trafficSignID>274</trafficSignID><additionalValue>{value}</additionalValue></trafficSignElement>\n    <virtual>true</virtual>\n  </trafficSign>"
        );
    }
    for (stop, id) in scene.map.stop_signs().iter().zip(&signs) {
        // a sign that no lanelet names is not allowed
        if stop.lanes.iter().any(|lane| ids.lane(lane).is_some()) {
            let _ = writeln!(
                out,
                "  <trafficSign id=\"{id}\">\n    <trafficSignElement><trafficSignID>206</trafficSignID></trafficSignElement>\n    <position>"
            );
            write_point(out, "      ", stop.point);
            out.push_str("    </position>\n    <virtual>false</virtual>\n  </trafficSign>\n");
        }
    }
    for (lane, (id, signal)) in &lights {
        light(*id, signal, scene.map.lane(lane), out);
    }
}

fn light(id: u64, signal: &Signal, lane: Option<&Lane>, out: &mut String) {
    let color = |state: SignalState| match state {
        SignalState::Red => "red",
        SignalState::Yellow => "yellow",
        SignalState::Green => "green",
        SignalState::Unknown | SignalState::FlashingRed | SignalState::FlashingYellow => "inactive",
    };
    let _ = writeln!(out, "  <trafficLight id=\"{id}\">\n    <cycle>");
    for run in signal.states.chunk_by(|a, b| color(*a) == color(*b)) {
        let _ = writeln!(
            out,
            "      <cycleElement><duration>{}</duration><color>{}</color></cycleElement>",
            run.len(),
            color(run[0])
        );
    }
    out.push_str("    </cycle>\n");
    if let Some(point) = signal
        .stop_point
        .or_else(|| lane.map(|lane| lane.centreline.end()))
    {
        out.push_str("    <position>\n");
        write_point(out, "      ", point);
        out.push_str("    </position>\n");
    }
    out.push_str("    <direction>all</direction>\n    <active>true</active>\n  </trafficLight>\n");
}

/// The file's word for an agent that stays in one place in all of `frames` frames, if it is of a kind that CommonRoad
/// lets stand for good: whoever else stands may drive on.
fn static_type(agent: &Agent, frames: usize) -> Option<&'static str> {
    let word = match (agent.kind, agent.category.as_deref()) {
        (AgentKind::Vehicle, Some("parkedVehicle")) => "parkedVehicle",
        (AgentKind::Other, Some("constructionZone")) => "constructionZone",
        (AgentKind::Other, _) => "unknown",
        _ => return None,
    };
    let first = agent.track.get(0)?;
    let stays = |state: &State| {
        state.position.distance(first.position) < 1e-3
            && (state.heading - first.heading).sin().abs() < 1e-3
            && state.speed() < STRAIGHT_MPS
    };
    (0..frames)
        .all(|frame| agent.track.get(frame).is_some_and(stays))
        .then_some(word)
}

/// The file's word for an agent that moves.
fn type_of(agent: &Agent) -> &'static str {
    let word = agent.category.as_deref().unwrap_or_default().to_lowercase();
    match agent.kind {
        AgentKind::Vehicle if word.contains("truck") || word.contains("trailer") => "truck",
        AgentKind::Vehicle if word.contains("bus") || word.contains("coach") => "bus",
        AgentKind::Vehicle if word == "priorityvehicle" => "priorityVehicle",
        AgentKind::Vehicle if word == "taxi" => "taxi",
        AgentKind::Vehicle if word.contains("tram") || word.contains("rail") || word == "train" => {
            "train"
        }
        AgentKind::Vehicle => "car",
        AgentKind::Cyclist if word.contains("motor") || word == "moped" => "motorcycle",
        AgentKind::Cyclist => "bicycle",
        AgentKind::Pedestrian => "pedestrian",
        AgentKind::Other => "unknown",
    }
}

/// The velocity of a state along its heading as written, and across it to the left, m/s.
fn along_and_across(state: &State) -> DVec2 {
    DVec2::from_angle(-quantise(state.heading)).rotate(state.velocity)
}

fn write_state(out: &mut String, name: &str, indent: &str, state: &State, step: usize, more: &str) {
    let _ = writeln!(
        out,
        "{indent}<{name}><position><point><x>{}</x><y>{}</y></point></position><orientation><exact>{}</exact></orientation><time><exact>{step}</exact></time><velocity><exact>{}</exact></velocity>{more}</{name}>",
        quantise(state.position.x),
        quantise(state.position.y),
        quantise(state.heading),
        quantise(along_and_across(state).x),
    );
}

/// A state of an obstacle; of one that `crabs`, with its velocity across the heading.
fn write_free_state(
    out: &mut String,
    name: &str,
    indent: &str,
    state: &State,
    step: usize,
    crabs: bool,
) {
    let more = match crabs {
        true => format!(
            "<velocityY><exact>{}</exact></velocityY>",
            quantise(along_and_across(state).y)
        ),
        false => String::new(),
    };
    write_state(out, name, indent, state, step, &more);
}

/// The beginning of an obstacle: its id (with its name where that is another), type and shape.
fn write_head(out: &mut String, element: &str, id: u64, agent: &Agent, kind: &str) {
    let name = agent.id.as_str();
    if id.to_string() != name {
        let _ = writeln!(out, "  <!-- {id}: {} -->", comment(name));
    }
    let _ = writeln!(
        out,
        "  <{element} id=\"{id}\">\n    <type>{kind}</type>\n    <shape><rectangle><length>{}</length><width>{}</width></rectangle></shape>",
        quantise(agent.length),
        quantise(agent.width)
    );
}

/// An agent that stays in one place.
fn static_obstacle(
    agent: &Agent,
    kind: &str,
    ids: &mut Ids,
    out: &mut String,
    meant: &mut BTreeMap<String, Obstacle>,
) {
    let Some(&first) = agent.track.get(0) else {
        return;
    };
    let state = State {
        velocity: DVec2::ZERO,
        ..first
    };
    let id = ids.give(agent.id.as_str(), "agent");
    write_head(out, "staticObstacle", id, agent, kind);
    write_state(out, "initialState", "    ", &state, 0, "");
    out.push_str("  </staticObstacle>\n");
    meant.insert(
        id.to_string(),
        Obstacle {
            kind: agent.kind,
            size: [agent.length, agent.width],
            states: vec![(0, state)],
            stands: true,
        },
    );
}

/// Every unbroken part of an agent's track as an obstacle.
fn dynamic_obstacles(
    agent: &Agent,
    ids: &mut Ids,
    out: &mut String,
    meant: &mut BTreeMap<String, Obstacle>,
) {
    let valid: Vec<(usize, State)> = agent
        .track
        .valid()
        .map(|(frame, state)| (frame, *state))
        .collect();
    let parts = valid.chunk_by(|(before, _), (after, _)| before + 1 == *after);
    for (index, part) in parts.enumerate() {
        let [(first, start), rest @ ..] = part else {
            continue;
        };
        let id = if index == 0 {
            ids.give(agent.id.as_str(), "agent")
        } else {
            ids.fresh()
        };
        write_head(out, "dynamicObstacle", id, agent, type_of(agent));
        // commonroad-io asks for the same fields in all states of a trajectory
        let crabs = part
            .iter()
            .any(|(_, state)| along_and_across(state).y.abs() > STRAIGHT_MPS);
        write_free_state(out, "initialState", "    ", start, *first, crabs);
        out.push_str("    <trajectory>\n");
        // the schema asks for a trajectory: of one state, it is that state
        for (frame, state) in if rest.is_empty() { part } else { rest } {
            write_free_state(out, "state", "      ", state, *frame, crabs);
        }
        out.push_str("    </trajectory>\n");
        out.push_str("  </dynamicObstacle>\n");
        meant.insert(
            id.to_string(),
            Obstacle {
                kind: agent.kind,
                size: [agent.length, agent.width],
                states: part.to_vec(),
                stands: false,
            },
        );
    }
}

/// The ego as a planning problem.
fn problem(scene: &Scene, ego: &Agent, ids: &mut Ids, out: &mut String, report: &mut Report) {
    let is_case = scene.generated.is_some() || !scene.attacks.is_empty();
    let from = if is_case { scene.now } else { 0 };
    let mut valid = ego.track.valid().filter(|(frame, _)| *frame >= from);
    let Some((first, start)) = valid.next() else {
        report.skip("planning problem: the ego is not there from the present on");
        return;
    };
    let (last, end) = valid.next_back().unwrap_or((first + 1, start));
    let id = ids.give(ego.id.as_str(), "ego");
    if id.to_string() != ego.id.as_str() {
        let _ = writeln!(out, "  <!-- {id}: {} -->", comment(ego.id.as_str()));
    }
    let goal = scene.goal_of(&ego.id);
    let (centre, heading, room, at) = match goal {
        Some(goal) => (
            DVec2::from(goal.point),
            goal.heading.unwrap_or(end.heading),
            2.0 * goal.tolerance_m,
            (goal.time_s / scene.dt_s).round() as usize,
        ),
        None => (end.position, end.heading, 2.0, last),
    };
    let second = (1.0 / scene.dt_s).round() as usize;
    let (low, high) = (
        (at.saturating_sub(second)).max(first + 1),
        at.max(first + 1),
    );
    let _ = writeln!(out, "  <planningProblem id=\"{id}\">");
    let more = "<yawRate><exact>0</exact></yawRate><slipAngle><exact>0</exact></slipAngle>";
    write_state(out, "initialState", "    ", start, first, more);
    let _ = writeln!(
        out,
        "    <goalState>\n      <time><intervalStart>{low}</intervalStart><intervalEnd>{high}</intervalEnd></time>\n      <position><rectangle><length>{}</length><width>{}</width><orientation>{}</orientation><center><x>{}</x><y>{}</y></center></rectangle></position>\n    </goalState>\n  </planningProblem>",
        quantise(ego.length + room),
        quantise(ego.width + room),
        quantise(heading),
        quantise(centre.x),
        quantise(centre.y)
    );
    report.note(format!(
        "the ego {} is the planning problem {id}: its recorded path and its size are not in the file",
        ego.id
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Pose, dvec2};
    use crate::map::{Extra, Line, LineKind, Map, MapParts};
    use crate::scene::{AgentId, Goal, Track};
    use std::sync::Arc;

    fn lane() -> Lane {
        let line = Polyline::new([dvec2(0.0, 0.0), dvec2(50.0, 0.0), dvec2(99.0, 10.0)]).unwrap();
        let mut lane = Lane::new("a -- b", LaneKind::Street, line);
        lane.speed_limit = Some(13.8889);
        lane
    }

    fn scene() -> Scene {
        let at = |frame: usize| State::along(Pose::at(frame as f64, 1.0, 0.1), 10.0);
        let whole = Track::new((0..6).map(|frame| Some(at(frame))).collect());
        let broken = Track::new(
            (0..6)
                .map(|frame| (frame != 2).then(|| at(frame)))
                .collect(),
        );
        let mut ego = Agent::new("ego", AgentKind::Vehicle, whole);
        ego.role = Role::Ego;
        Scene {
            name: "01 left <turn>".to_owned(),
            source: "a & b".to_owned(),
            dt_s: 0.1,
            frames: 6,
            map: Arc::new(Map::build(MapParts {
                lanes: vec![lane()],
                ..MapParts::default()
            })),
            agents: vec![
                Arc::new(ego),
                Arc::new(Agent::new("7", AgentKind::Cyclist, broken)),
            ],
            signals: Arc::new(vec![Signal::new(
                LaneId::new("a -- b"),
                None,
                vec![SignalState::Red, SignalState::Red, SignalState::Green],
            )]),
            ..Scene::default()
        }
        .quantised()
    }

    #[test]
    fn what_is_written_reads_back() {
        let path = Path::new("x.xml");
        let mut report = Report::default();
        let (text, meant) = text(&scene(), path, &mut report).unwrap();
        let (again, _) = crate::data::commonroad::read(text.as_bytes(), path).unwrap();
        compare(&meant, &again).unwrap();
        // the gap in frame 2 makes two obstacles; the ego is a planning problem
        assert_eq!(again.agents.len(), 3);
        assert_eq!(again.name, "ZAM_Scene01leftturn-1_1_T-1");
        assert_eq!(
            again.source,
            "CommonRoad 2020a, ZAM_Scene01leftturn-1_1_T-1; a & b"
        );
        assert_eq!(again.map.lanes()[0].speed_limit, Some(13.8889));
        assert_eq!(again.signals[0].states[..3], scene().signals[0].states[..]);
        let (before, after) = (lane().centreline, &again.map.lanes()[0].centreline);
        assert!(before.end().distance(after.end()) < 1e-3);
    }

    #[test]
    fn what_stands_for_good_is_static_and_keeps_its_kind() {
        let standing = State::along(Pose::at(20.0, 5.0, 0.3), 0.0);
        let agent = |id: &str, kind: AgentKind, category: &str, track: Track| {
            let mut agent = Agent::new(id, kind, track);
            agent.category = Some(category.to_owned());
            (agent.length, agent.width) = (4.0, 4.0);
            Arc::new(agent)
        };
        let stays = || Track::new(vec![Some(standing); 6]);
        let comes = || {
            let states = (0..6).map(|frame| (frame > 1).then_some(standing));
            Track::new(states.collect())
        };
        let mut scene = scene();
        scene.agents.extend([
            agent("21", AgentKind::Other, "constructionZone", stays()),
            agent("22", AgentKind::Other, "cone", stays()),
            agent("23", AgentKind::Other, "barrier", comes()),
            agent("24", AgentKind::Vehicle, "parkedVehicle", stays()),
            agent("25", AgentKind::Vehicle, "parkedVehicle", comes()),
            agent("26", AgentKind::Vehicle, "car", stays()),
        ]);
        let path = Path::new("x.xml");
        let (text, meant) = text(&scene, path, &mut Report::default()).unwrap();
        for (id, element, kind) in [
            ("21", "static", "constructionZone"),
            ("22", "static", "unknown"),
            ("23", "dynamic", "unknown"),
            ("24", "static", "parkedVehicle"),
            ("25", "dynamic", "car"),
            ("26", "dynamic", "car"),
        ] {
            let head = format!("<{element}Obstacle id=\"{id}\">\n    <type>{kind}</type>");
            assert!(text.contains(&head), "{head}\n{text}");
        }
        let (again, _) = crate::data::commonroad::read(text.as_bytes(), path).unwrap();
        compare(&meant, &again).unwrap();
        for agent in &scene.agents[2..] {
            let found = again.agent(&agent.id).unwrap();
            assert_eq!((found.kind, &found.track), (agent.kind, &agent.track));
        }
        let mut other = again.clone();
        let last = other.agents.iter_mut().find(|one| one.id.as_str() == "22");
        Arc::make_mut(last.unwrap()).kind = AgentKind::Vehicle;
        let said = compare(&meant, &other).unwrap_err();
        assert_eq!(said, "obstacle 22: its kind is vehicle instead of other");
    }

    #[test]
    fn velocity_across_the_heading_comes_back() {
        let mut scene = scene();
        let walker = Arc::make_mut(&mut scene.agents[1]);
        walker.kind = AgentKind::Pedestrian;
        let state = walker.track.states_mut()[0].as_mut().unwrap();
        state.velocity = dvec2(0.5, 1.2); // it faces 0.1 rad: nearly all of 1.2 m/s is across
        let path = Path::new("x.xml");
        let (text, meant) = text(&scene, path, &mut Report::default()).unwrap();
        let (mut again, _) = crate::data::commonroad::read(text.as_bytes(), path).unwrap();
        compare(&meant, &again).unwrap();
        // both states of its first part, none of its second
        assert_eq!(text.matches("<velocityY>").count(), 2);
        let walker = again.agents.iter_mut().find(|one| one.id.as_str() == "7");
        let walker = Arc::make_mut(walker.unwrap());
        let state = walker.track.states_mut()[0].as_mut().unwrap();
        assert!(state.velocity.distance(dvec2(0.5, 1.2)) < 1e-3);
        state.velocity = state.pose().forward() * 0.6;
        let said = compare(&meant, &again).unwrap_err();
        assert!(said.ends_with("m/s off in frame 0"), "{said}");
    }

    #[test]
    fn what_commonroad_has_no_place_for_is_reported() {
        let mut scene = scene();
        let line = Line::new(LineKind::SolidWhite, vec![DVec2::ZERO, dvec2(9.0, 0.0)]);
        scene.map = Arc::new(Map::build(MapParts {
            lanes: vec![lane()],
            lines: vec![line],
            ..MapParts::default()
        }));
        Arc::make_mut(&mut scene.signals)[0].states[2] = SignalState::FlashingYellow;
        scene.goals = ["ego", "7"]
            .map(|agent| Goal {
                agent: AgentId::new(agent),
                point: [9.0, 0.0],
                time_s: 0.5,
                heading: None,
                speed: None,
                tolerance_m: 1.0,
                hard: false,
                extra: Extra::new(),
            })
            .to_vec();
        let mut report = Report::default();
        text(&scene, Path::new("x.xml"), &mut report).unwrap();
        let lines = report.lines().join("\n");
        for said in ["1 painted line", "1 flashing", "1 goal of others"] {
            assert!(lines.contains(said), "{said}: {lines}");
        }
    }

    #[test]
    fn bounds_of_a_bare_centreline_have_it_as_their_mean() {
        let [left, right] = bounds(&lane());
        // usual width 3.5 m
        assert_eq!((left[0], right[0]), (dvec2(0.0, 1.75), dvec2(0.0, -1.75)));
        assert!(((left[1] + right[1]) / 2.0).distance(dvec2(50.0, 0.0)) < 1e-9);
    }
}
