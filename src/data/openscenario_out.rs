//! OpenSCENARIO 1.1 (`.xosc`) out, with an OpenDRIVE 1.4 (`.xodr`) road beside it: enough for esmini to play a scene.
//!
//! Each lane becomes a road of its own: one straight piece for each piece of its centreline, one driving lane around
//! it. Roads overlap and are not linked; vehicles follow world positions in time and need no links. Every state is a
//! vertex with its heading. The reference point of a vehicle is the middle of its box (`Center x` 0), so positions
//! are the scene's own. An agent that comes late or leaves early stands far below the road while it is not there.

use std::fmt::Write as _;
use std::path::Path;

use super::export::ExportError;
use super::report::Report;
use super::xml::XmlReader;
use crate::geometry::quantise;
use crate::map::Lane;
use crate::scene::{Agent, AgentId, AgentKind, Role, Scene, State};

/// Shortest straight piece of a road, m.
const MIN_PIECE_M: f64 = 0.01;

/// Where agents wait while they are not in the scene, m: far below the road.
const AWAY_Z_M: f64 = -1000.0;

/// The texts of both files, and how many vertices the scenario has.
pub(super) struct Texts {
    pub(super) scenario: String,
    pub(super) road: String,
    vertices: usize,
    roads: usize,
}

/// Writes both; `road_name` is what the scenario calls the road's file.
pub(super) fn texts(
    scene: &Scene,
    path: &Path,
    road_name: &str,
    report: &mut Report,
) -> Result<Texts, ExportError> {
    if scene.agents.is_empty() {
        return Err(ExportError::Unfit {
            path: path.display().to_string(),
            message: "the scene has no agents to play".to_owned(),
            next: "Write another format".to_owned(),
        });
    }
    let (road, roads) = road(scene, report);
    let (scenario, vertices) = scenario(scene, road_name, report);
    let map = &scene.map;
    let left_out = [
        (
            "traffic lights (the roads are not linked)",
            scene.signals.len(),
        ),
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
        roads,
    })
}

/// Reads both texts again: well-formed, with every vertex and road.
pub(super) fn check(texts: &Texts) -> Result<(), String> {
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
        count(&texts.road, "road")?,
    ];
    let meant = [texts.vertices, texts.roads];
    if found != meant {
        return Err(format!(
            "vertices and roads are {found:?} instead of {meant:?}"
        ));
    }
    Ok(())
}

/// Holds what was read again against what was written: every agent where it was, at the frames that both have.
pub(super) fn compare(scene: &Scene, again: &Scene) -> Result<(), String> {
    let shown = |agent: &&std::sync::Arc<Agent>| agent.track.span().is_some();
    let ego = |scene: &Scene| scene.ego().map(|agent| agent.id.clone());
    for agent in scene.agents.iter().filter(shown) {
        let found = match ego(scene).as_ref() == Some(&agent.id) {
            true => again.ego(),
            false => again.agent(&AgentId::new(format!("Agent_{}", clean(agent.id.as_str())))),
        };
        let Some(found) = found else {
            return Err(format!("agent {} is missing", agent.id));
        };
        for (frame, state) in agent.track.valid() {
            let place = again.frame_at(scene.time_of(frame));
            let exact =
                (place - place.round()).abs() < 1e-6 && place <= again.duration_s() / again.dt_s;
            let there = found.track.get(place.round() as usize);
            let near = there.is_some_and(|there| there.position.distance(state.position) < 1e-3);
            if exact && !near {
                let time_s = scene.time_of(frame);
                return Err(format!("agent {} is elsewhere at {time_s} s", agent.id));
            }
        }
    }
    Ok(())
}

/// Without what XML cannot hold.
fn clean(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(clean(text).as_str()).into_owned()
}

fn road(scene: &Scene, report: &mut Report) -> (String, usize) {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<OpenDRIVE>\n");
    let _ = writeln!(
        out,
        "  <header revMajor=\"1\" revMinor=\"4\" name=\"{}\" version=\"1.00\" north=\"0\" south=\"0\" east=\"0\" west=\"0\" vendor=\"Nearmiss\"/>",
        escaped(&scene.name)
    );
    let mut count = 0;
    for (index, lane) in scene.map.lanes().iter().enumerate() {
        if one_road(lane, index + 1, &mut out) {
            count += 1;
        } else {
            report.skip("lanes shorter than a centimetre");
        }
    }
    out.push_str("</OpenDRIVE>\n");
    (out, count)
}

fn one_road(lane: &Lane, id: usize, out: &mut String) -> bool {
    let mut points = Vec::new();
    for &point in lane.centreline.points() {
        if points
            .last()
            .is_none_or(|last: &crate::geometry::DVec2| last.distance(point) >= MIN_PIECE_M)
        {
            points.push(point);
        }
    }
    let pieces: Vec<_> = points
        .windows(2)
        .map(|ends| (ends[0], ends[1] - ends[0]))
        .collect();
    let length: f64 = pieces.iter().map(|(_, edge)| edge.length()).sum();
    if pieces.is_empty() {
        return false;
    }
    let width = quantise(lane.width_or_default());
    let _ = writeln!(
        out,
        "  <road name=\"{}\" length=\"{length}\" id=\"{id}\" junction=\"-1\">\n    <planView>",
        escaped(lane.id.as_str())
    );
    let mut s = 0.0;
    for (from, edge) in &pieces {
        let _ = writeln!(
            out,
            "      <geometry s=\"{s}\" x=\"{}\" y=\"{}\" hdg=\"{}\" length=\"{}\"><line/></geometry>",
            from.x,
            from.y,
            edge.to_angle(),
            edge.length()
        );
        s += edge.length();
    }
    let kind = match lane.kind {
        crate::map::LaneKind::Bike => "biking",
        crate::map::LaneKind::Walk => "sidewalk",
        crate::map::LaneKind::Other => "none",
        _ => "driving",
    };
    let speed = lane.speed_limit.map_or_else(String::new, |limit| {
        format!("<speed sOffset=\"0\" max=\"{limit}\" unit=\"m/s\"/>")
    });
    let _ = writeln!(
        out,
        "    </planView>\n    <lanes>\n      <laneOffset s=\"0\" a=\"{}\" b=\"0\" c=\"0\" d=\"0\"/>\n      <laneSection s=\"0\">\n        <center><lane id=\"0\" type=\"none\" level=\"false\"/></center>\n        <right><lane id=\"-1\" type=\"{kind}\" level=\"false\"><width sOffset=\"0\" a=\"{width}\" b=\"0\" c=\"0\" d=\"0\"/>{speed}</lane></right>\n      </laneSection>\n    </lanes>\n  </road>",
        width / 2.0
    );
    true
}

fn scenario(scene: &Scene, road_name: &str, report: &mut Report) -> (String, usize) {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<OpenSCENARIO>\n");
    let _ = writeln!(
        out,
        "  <FileHeader revMajor=\"1\" revMinor=\"1\" date=\"1970-01-01T00:00:00\" description=\"{}\" author=\"Nearmiss\"{}\n  <ParameterDeclarations/>\n  <CatalogLocations/>\n  <RoadNetwork><LogicFile filepath=\"{}\"/></RoadNetwork>\n  <Entities>",
        escaped(&scene.name),
        match scene.licence.trim() {
            "" => "/>".to_owned(),
            licence => format!("><License name=\"{}\"/></FileHeader>", escaped(licence)),
        },
        escaped(road_name)
    );
    // esmini follows the first object: the ego
    let mut agents: Vec<&Agent> = scene
        .agents
        .iter()
        .map(|agent| &**agent)
        .filter(|agent| agent.track.span().is_some())
        .collect();
    agents.sort_by_key(|agent| agent.role != Role::Ego);
    let name = |agent: &Agent| match agent.role {
        Role::Ego => "Ego".to_owned(),
        _ => format!("Agent_{}", escaped(agent.id.as_str())),
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
    let word = agent.category.as_deref().unwrap_or_default().to_lowercase();
    let _ = match agent.kind {
        AgentKind::Pedestrian => writeln!(
            out,
            "    <ScenarioObject name=\"{name}\"><Pedestrian name=\"{name}\" mass=\"80\" model=\"pedestrian\" pedestrianCategory=\"pedestrian\"><ParameterDeclarations/>{sizes}<Properties/></Pedestrian></ScenarioObject>"
        ),
        AgentKind::Other => writeln!(
            out,
            "    <ScenarioObject name=\"{name}\"><MiscObject name=\"{name}\" mass=\"50\" miscObjectCategory=\"obstacle\"><ParameterDeclarations/>{sizes}<Properties/></MiscObject></ScenarioObject>"
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
                "    <ScenarioObject name=\"{name}\"><Vehicle name=\"{name}\" vehicleCategory=\"{category}\"><ParameterDeclarations/>{sizes}<Performance maxSpeed=\"70\" maxAcceleration=\"10\" maxDeceleration=\"10\"/><Axles>{}{}</Axles><Properties/></Vehicle></ScenarioObject>",
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
    use crate::map::{LaneKind, Map, MapParts};
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
            texts.road.contains("length=\"11\" id=\"1\""),
            "{}",
            texts.road
        );
        assert!(texts.scenario.contains("Agent_7 &amp; 8"));
    }
}
