//! OpenSCENARIO 1.1 (`.xosc`) out, with an OpenDRIVE road beside it ([`super::opendrive_out`]): enough for esmini to play a
//! scene.
//!
//! Vehicles follow world positions in time. Every state is a vertex with its heading; speeds are those that the positions
//! make. The reference point of a vehicle is the middle of its box (`Center x` 0), so positions are the scene's own. An agent
//! that comes late or leaves early stands far below the road while it is not there. Each traffic light has a controller that
//! plays its states once. Agents keep their names; a property of the ego says that it is the ego.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use super::export::ExportError;
use super::opendrive_out::{Written, lamps, written};
use super::report::Report;
use super::xml::{XmlReader, clean, escaped};
use crate::geometry::quantise;
use crate::map::LaneId;
use crate::scene::{Agent, AgentId, AgentKind, Role, Scene, Signal, State};

/// The property of an entity that says which part it plays; its value for the ego.
pub(super) const ROLE: &str = "nearmiss.role";
pub(super) const EGO: &str = "ego";

/// How long what a traffic light shows last holds after the scene, s.
const HOLD_S: f64 = 3600.0;

/// Speeds that come back nearer than this are said to be the same, m/s: files give them with one decimal.
const SAME_MPS: f64 = 0.05;

/// Where agents wait while they are not in the scene, m: far below the road.
const AWAY_Z_M: f64 = -1000.0;

/// The texts of both files, and what is in them.
pub(super) struct Texts<'a> {
    pub(super) scenario: String,
    pub(super) road: Written<'a>,
    vertices: usize,
    names: BTreeMap<&'a AgentId, String>,
}

/// Writes both; `road_name` is what the scenario calls the road's file.
pub(super) fn texts<'a>(
    scene: &'a Scene,
    path: &Path,
    road_name: &str,
    report: &mut Report,
) -> Result<Texts<'a>, ExportError> {
    if scene.agents.is_empty() {
        return Err(ExportError::Unfit {
            path: path.display().to_string(),
            message: "the scene has no agents to play".to_owned(),
            next: "Write another format".to_owned(),
        });
    }
    let road = written(scene, report);
    let names = names(scene);
    let (scenario, vertices) = scenario(scene, road_name, (&road.lights, &names), report);
    let map = &scene.map;
    let left_out = [
        ("painted lines (each lane is a road)", map.lines().len()),
        (
            "areas: crossings, junctions and the like",
            map.areas().len(),
        ),
        ("stop signs", map.stop_signs().len()),
        (
            "goals (the scenario plays what they led to)",
            scene.goals.len(),
        ),
    ];
    for (what, count) in left_out {
        report.skip_many(what, count);
    }
    Ok(Texts {
        scenario,
        road,
        vertices,
        names,
    })
}

/// Reads both texts again: well-formed, with every vertex, road and traffic light.
pub(super) fn check(texts: &Texts<'_>) -> Result<(), String> {
    let count = |text: &str, name: &str| -> Result<usize, String> {
        let mut xml = XmlReader::new(text.as_bytes(), 1 << 30);
        xml.root().map_err(|error| error.to_string())?;
        let mut found = 0;
        while let Some(element) = xml
            .next_child(|_| true)
            .map_err(|error| error.to_string())?
        {
            let mut open = vec![&element];
            while let Some(element) = open.pop() {
                found += usize::from(element.name == name);
                open.extend(&element.children);
            }
        }
        Ok(found)
    };
    let found = [
        count(&texts.scenario, "Vertex")?,
        count(&texts.road.text, "road")?,
        count(&texts.road.text, "signal")?,
    ];
    let meant = [
        texts.vertices,
        texts.road.roads.len(),
        texts.road.lights.len(),
    ];
    if found != meant {
        return Err(format!(
            "vertices, roads and traffic lights are {found:?} instead of {meant:?}"
        ));
    }
    Ok(())
}

/// Holds what was read again against what was written: every agent where it was, at the frames that both have. Says which
/// lanes, links and lights are not there, and how far speeds are off.
pub(super) fn compare(
    scene: &Scene,
    texts: &Texts<'_>,
    again: &Scene,
    report: &mut Report,
) -> Result<(), String> {
    let place = |frame: usize| {
        let place = again.frame_at(scene.time_of(frame));
        let is_there = place <= again.duration_s() / again.dt_s;
        let exact = (place - place.round()).abs() < 1e-6 && is_there;
        exact.then_some(place.round() as usize)
    };
    let shown = |agent: &&std::sync::Arc<Agent>| agent.track.span().is_some();
    let mut off_mps = 0.0_f64;
    for agent in scene.agents.iter().filter(shown) {
        let name = texts.names.get(&agent.id);
        let Some(found) = name.and_then(|name| again.agent(&AgentId::new(name))) else {
            return Err(format!("agent {} is missing", agent.id));
        };
        if agent.role == Role::Ego && found.role != Role::Ego {
            return Err(format!("agent {} is no longer the ego", agent.id));
        }
        for (frame, state) in agent.track.valid() {
            let Some(place) = place(frame) else {
                continue;
            };
            let there = found.track.get(place);
            let Some(there) = there.filter(|there| there.position.distance(state.position) < 1e-3)
            else {
                let time_s = scene.time_of(frame);
                return Err(format!("agent {} is elsewhere at {time_s} s", agent.id));
            };
            off_mps = off_mps.max((there.speed() - state.speed()).abs());
        }
    }
    if off_mps > SAME_MPS {
        report.note(format!(
            "the format has places in time and no speeds: those that follow from them are up to {off_mps:.2} m/s off"
        ));
    }
    let [lanes, ways, lights] = texts.road.missing(again);
    let mut told = 0;
    for (_, light) in &texts.road.lights {
        let found = texts.road.roads.get(&light.lane).and_then(|(road, _)| {
            let lane = LaneId::new(format!("{road}.0.-1"));
            again.signals.iter().find(|found| found.lane == lane)
        });
        let Some(found) = found else { continue };
        let differs =
            |frame: &usize| place(*frame).is_some_and(|place| found.at(place) != light.at(*frame));
        told += (0..scene.frames).filter(differs).count();
    }
    let lost = [
        ("lanes that do not come back", lanes),
        ("links of lanes that do not come back", ways),
        ("traffic lights that do not come back", lights),
        ("states of traffic lights that come back differently", told),
    ];
    for (what, count) in lost {
        report.skip_many(what, count);
    }
    Ok(())
}

/// What entities are called: as the agents are, where that is a name; else what is left of it, made different from all others.
fn names(scene: &Scene) -> BTreeMap<&AgentId, String> {
    let legal = |id: &AgentId| {
        // a $ begins a parameter
        let name = clean(id.as_str()).replace('$', "_");
        match name.trim().is_empty() {
            true => "agent".to_owned(),
            false => name,
        }
    };
    let ids = scene.agents.iter().map(|agent| &agent.id);
    let (kept, changed): (Vec<_>, Vec<_>) = ids.partition(|id| legal(id) == id.as_str());
    let mut taken: BTreeSet<String> = kept.iter().map(ToString::to_string).collect();
    let mut names: BTreeMap<&AgentId, String> =
        kept.into_iter().map(|id| (id, id.to_string())).collect();
    for id in changed {
        let plain = legal(id);
        let others = (2_usize..).map(|number| format!("{plain}_{number}"));
        let mut free = std::iter::once(plain.clone()).chain(others);
        if let Some(name) = free.find(|name| !taken.contains(name)) {
            taken.insert(name.clone());
            names.insert(id, name);
        }
    }
    names
}

/// The controllers of all traffic lights: each plays what its light shows once, and holds the last of it.
fn controllers(scene: &Scene, lights: &[(usize, &Signal)], out: &mut String) {
    if lights.is_empty() {
        return;
    }
    out.push_str("<TrafficSignals>\n");
    for (id, light) in lights {
        let mut runs = light.runs();
        runs.retain(|(frame, _)| *frame < scene.frames);
        if runs.is_empty() {
            runs.push((0, light.at(0)));
        }
        let _ = write!(
            out,
            "    <TrafficSignalController name=\"Controller_{id}\">"
        );
        for (number, (frame, state)) in runs.iter().enumerate() {
            let begin_s = quantise(scene.time_of(*frame));
            let next = runs.get(number + 1).map(|(next, _)| scene.time_of(*next));
            let end_s = next.unwrap_or(scene.duration_s() + HOLD_S);
            let _ = write!(
                out,
                "<Phase name=\"Phase_{number}\" duration=\"{}\"><TrafficSignalState trafficSignalId=\"{id}\" state=\"{}\"/></Phase>",
                quantise(quantise(end_s) - begin_s),
                lamps(*state)
            );
        }
        out.push_str("</TrafficSignalController>\n");
    }
    out.push_str("  </TrafficSignals>");
}

fn scenario(
    scene: &Scene,
    road_name: &str,
    (lights, names): (&[(usize, &Signal)], &BTreeMap<&AgentId, String>),
    report: &mut Report,
) -> (String, usize) {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<OpenSCENARIO>\n");
    let _ = writeln!(
        out,
        "  <FileHeader revMajor=\"1\" revMinor=\"1\" date=\"1970-01-01T00:00:00\" description=\"{}\" author=\"Nearmiss\"{}\n  <ParameterDeclarations/>\n  <CatalogLocations/>\n  <RoadNetwork><LogicFile filepath=\"{}\"/>",
        escaped(&scene.name),
        match scene.licence.trim() {
            "" => "/>".to_owned(),
            licence => format!("><License name=\"{}\"/></FileHeader>", escaped(licence)),
        },
        escaped(road_name)
    );
    controllers(scene, lights, &mut out);
    out.push_str("</RoadNetwork>\n  <Entities>\n");
    // esmini follows the first object: the ego
    let mut agents: Vec<&Agent> = scene
        .agents
        .iter()
        .map(|agent| &**agent)
        .filter(|agent| agent.track.span().is_some())
        .collect();
    agents.sort_by_key(|agent| agent.role != Role::Ego);
    let name = |agent: &Agent| {
        let name = names
            .get(&agent.id)
            .map_or(agent.id.as_str(), String::as_str);
        escaped(name)
    };
    for agent in &agents {
        entity(agent, &name(agent), &mut out);
    }
    out.push_str("  </Entities>\n  <Storyboard>\n    <Init>\n      <Actions>\n");
    for agent in &agents {
        let vertices = vertices(scene, agent);
        if let Some((_, state, z)) = vertices.first() {
            let _ = writeln!(
                out,
                "        <Private entityRef=\"{0}\"><PrivateAction><TeleportAction>{1}</TeleportAction></PrivateAction><PrivateAction><LongitudinalAction><SpeedAction><SpeedActionDynamics dynamicsShape=\"step\" dynamicsDimension=\"time\" value=\"0\"/><SpeedActionTarget><AbsoluteTargetSpeed value=\"{2}\"/></SpeedActionTarget></SpeedAction></LongitudinalAction></PrivateAction></Private>",
                name(agent),
                position(state, *z),
                if *z < 0.0 {
                    0.0
                } else {
                    quantise(state.speed())
                }
            );
        }
    }
    out.push_str("      </Actions>\n    </Init>\n    <Story name=\"Scene\">\n      <ParameterDeclarations/>\n      <Act name=\"Act\">\n");
    let mut count = 0;
    for agent in &agents {
        count += manoeuvre(scene, agent, &name(agent), &mut out);
    }
    let condition = |name: &str, time_s: f64| {
        format!(
            "<ConditionGroup><Condition name=\"{name}\" delay=\"0\" conditionEdge=\"none\"><ByValueCondition><SimulationTimeCondition value=\"{time_s}\" rule=\"greaterThan\"/></ByValueCondition></Condition></ConditionGroup>"
        )
    };
    let _ = writeln!(
        out,
        "        <StartTrigger>{}</StartTrigger>\n      </Act>\n    </Story>\n    <StopTrigger>{}</StopTrigger>\n  </Storyboard>\n</OpenSCENARIO>",
        condition("ActStart", -1.0),
        // half a frame late, so that rounding does not cut the last one off
        condition("End", quantise(scene.duration_s() + scene.dt_s / 2.0))
    );
    let broken = agents.iter().filter(|agent| {
        let (first, last) = agent.track.span().unwrap_or_default();
        agent.track.valid().count() != last - first + 1
    });
    report.skip_many(
        "gaps inside tracks (bridged in a straight line)",
        broken.count(),
    );
    (out, count)
}

fn entity(agent: &Agent, name: &str, out: &mut String) {
    let height = match agent.kind {
        AgentKind::Other => 1.0,
        _ => 1.7,
    };
    let sizes = format!(
        "<BoundingBox><Center x=\"0\" y=\"0\" z=\"{}\"/><Dimensions width=\"{}\" length=\"{}\" height=\"{height}\"/></BoundingBox>",
        height / 2.0,
        quantise(agent.width),
        quantise(agent.length)
    );
    let role = match agent.role {
        Role::Ego => {
            format!("<Properties><Property name=\"{ROLE}\" value=\"{EGO}\"/></Properties>")
        }
        _ => "<Properties/>".to_owned(),
    };
    let word = agent.category.as_deref().unwrap_or_default().to_lowercase();
    let _ = match agent.kind {
        AgentKind::Pedestrian => writeln!(
            out,
            "    <ScenarioObject name=\"{name}\"><Pedestrian name=\"{name}\" mass=\"80\" model=\"pedestrian\" pedestrianCategory=\"pedestrian\"><ParameterDeclarations/>{sizes}{role}</Pedestrian></ScenarioObject>"
        ),
        AgentKind::Other => writeln!(
            out,
            "    <ScenarioObject name=\"{name}\"><MiscObject name=\"{name}\" mass=\"50\" miscObjectCategory=\"obstacle\"><ParameterDeclarations/>{sizes}{role}</MiscObject></ScenarioObject>"
        ),
        AgentKind::Vehicle | AgentKind::Cyclist => {
            let category = match agent.kind {
                AgentKind::Cyclist if word.contains("motor") => "motorbike",
                AgentKind::Cyclist => "bicycle",
                _ if word.contains("bus") => "bus",
                _ if word.contains("truck") => "truck",
                _ => "car",
            };
            let axle = |name: &str, x: f64| {
                format!(
                    "<{name} maxSteering=\"0.5\" wheelDiameter=\"0.6\" trackWidth=\"{}\" positionX=\"{}\" positionZ=\"0.3\"/>",
                    quantise(agent.width * 0.85),
                    quantise(x)
                )
            };
            writeln!(
                out,
                "    <ScenarioObject name=\"{name}\"><Vehicle name=\"{name}\" vehicleCategory=\"{category}\"><ParameterDeclarations/>{sizes}<Performance maxSpeed=\"70\" maxAcceleration=\"10\" maxDeceleration=\"10\"/><Axles>{}{}</Axles>{role}</Vehicle></ScenarioObject>",
                axle("FrontAxle", agent.length * 0.3),
                axle("RearAxle", -agent.length * 0.3)
            )
        }
    };
}

/// Times (s), states and heights (m) of an agent: its states, and the times before and after them far below.
fn vertices(scene: &Scene, agent: &Agent) -> Vec<(f64, State, f64)> {
    let mut vertices = Vec::new();
    let Some((first, last)) = agent.track.span() else {
        return vertices;
    };
    // a millisecond is enough to come up or go down
    let moment = 0.001;
    let time = |frame: usize| quantise(scene.time_of(frame));
    for (frame, state) in agent.track.valid() {
        if frame == first && first > 0 {
            vertices.push((0.0, *state, AWAY_Z_M));
            vertices.push((time(first) - moment, *state, AWAY_Z_M));
        }
        vertices.push((time(frame), *state, 0.0));
        if frame == last && last + 1 < scene.frames {
            vertices.push((time(last) + moment, *state, AWAY_Z_M));
        }
    }
    // a single state stands
    if let [only] = vertices.as_slice() {
        let (time, state, z) = *only;
        vertices.push((time + 1.0, state, z));
    }
    vertices
}

fn position(state: &State, z: f64) -> String {
    format!(
        "<Position><WorldPosition x=\"{}\" y=\"{}\" z=\"{z}\" h=\"{}\" p=\"0\" r=\"0\"/></Position>",
        quantise(state.position.x),
        quantise(state.position.y),
        quantise(state.heading)
    )
}

/// The manoeuvre group of an agent; returns how many vertices it has.
fn manoeuvre(scene: &Scene, agent: &Agent, name: &str, out: &mut String) -> usize {
    let vertices = vertices(scene, agent);
    let _ = writeln!(
        out,
        "        <ManeuverGroup maximumExecutionCount=\"1\" name=\"Group_{name}\"><Actors selectTriggeringEntities=\"false\"><EntityRef entityRef=\"{name}\"/></Actors><Maneuver name=\"Drive_{name}\"><Event name=\"Event_{name}\" priority=\"overwrite\" maximumExecutionCount=\"1\"><Action name=\"Action_{name}\"><PrivateAction><RoutingAction><FollowTrajectoryAction><TrajectoryRef><Trajectory name=\"Trajectory_{name}\" closed=\"false\"><ParameterDeclarations/><Shape><Polyline>"
    );
    for (time, state, z) in &vertices {
        let _ = writeln!(
            out,
            "          <Vertex time=\"{}\">{}</Vertex>",
            quantise(*time),
            position(state, *z)
        );
    }
    out.push_str("        </Polyline></Shape></Trajectory></TrajectoryRef><TimeReference><Timing domainAbsoluteRelative=\"absolute\" scale=\"1\" offset=\"0\"/></TimeReference><TrajectoryFollowingMode followingMode=\"position\"/></FollowTrajectoryAction></RoutingAction></PrivateAction></Action>");
    let _ = writeln!(
        out,
        "<StartTrigger><ConditionGroup><Condition name=\"Start_{name}\" delay=\"0\" conditionEdge=\"none\"><ByValueCondition><SimulationTimeCondition value=\"-1\" rule=\"greaterThan\"/></ByValueCondition></Condition></ConditionGroup></StartTrigger></Event></Maneuver></ManeuverGroup>"
    );
    vertices.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Polyline, Pose, dvec2};
    use crate::map::{Lane, LaneKind, Map, MapParts};
    use crate::scene::Track;
    use std::sync::Arc;

    #[test]
    fn every_state_becomes_a_vertex_and_absence_is_far_below() {
        let at = |frame: usize| State::along(Pose::at(frame as f64, 1.0, 0.1), 10.0);
        let late = Track::new(
            (0..6)
                .map(|frame| (2..5).contains(&frame).then(|| at(frame)))
                .collect(),
        );
        let line = Polyline::new([
            dvec2(0.0, 0.0),
            dvec2(3.0, 4.0),
            dvec2(3.0, 4.001),
            dvec2(3.0, 10.0),
        ]);
        let scene = Scene {
            name: "a < b".to_owned(),
            dt_s: 0.1,
            frames: 6,
            map: Arc::new(Map::build(MapParts {
                lanes: vec![Lane::new("\"1\"", LaneKind::Street, line.unwrap())],
                ..MapParts::default()
            })),
            agents: vec![Arc::new(Agent::new("7 & 8", AgentKind::Vehicle, late))],
            ..Scene::default()
        };
        let mut report = Report::default();
        let texts = texts(&scene, Path::new("x.xosc"), "x.xodr", &mut report).unwrap();
        check(&texts).unwrap();
        // three states, two vertices of waiting before and one after
        assert_eq!(texts.vertices, 6);
        // 5 m, then (the millimetre dropped) 6 m up: 11 m
        assert!(
            texts.road.text.contains("length=\"11\" id=\"1\""),
            "{}",
            texts.road.text
        );
        assert!(texts.scenario.contains("ScenarioObject name=\"7 &amp; 8\""));
    }

    #[test]
    fn names_stay_where_they_can_and_are_never_the_same() {
        let agent = |id: &str| {
            let track = Track::new(vec![Some(State::along(Pose::at(0.0, 0.0, 0.0), 1.0))]);
            Arc::new(Agent::new(id, AgentKind::Vehicle, track))
        };
        let ids = ["vehicle-2", "$a", "_a", "\u{7}", "a b"];
        let scene = Scene {
            agents: ids.map(agent).to_vec(),
            ..Scene::default()
        };
        let names = names(&scene);
        let made = ids.map(|id| names[&AgentId::new(id)].as_str());
        assert_eq!(made, ["vehicle-2", "_a_2", "_a", "agent", "a b"]);
    }
}
