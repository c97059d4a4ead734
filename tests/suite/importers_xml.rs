//! Real files in CommonRoad, Argoverse 2, SUMO, OpenDRIVE and OpenSCENARIO formats, read from a folder that is not part of the source tree
//! (its path is in `NEARMISS_DATA`, else `../shared/data`). Without the folder the tests say so and pass.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests: they stop at what is wrong and say what they saw"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use nearmiss::data;
use nearmiss::geometry::{Pose, dvec2};
use nearmiss::map::{LaneId, LaneKind};
use nearmiss::scene::{Agent, AgentId, AgentKind, Role, Scene, SignalState, State, Track};

/// A file of the folder, if it is there; says so if not.
pub(crate) fn real(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("NEARMISS_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")),
        PathBuf::from,
    );
    let file = root.join(path);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: {} is not there", file.display());
    None
}

/// Vehicles, pedestrians and cyclists that were recorded.
fn recorded(scene: &Scene) -> [usize; 3] {
    [
        AgentKind::Vehicle,
        AgentKind::Pedestrian,
        AgentKind::Cyclist,
    ]
    .map(|kind| {
        let counts = |agent: &&std::sync::Arc<Agent>| agent.kind == kind && agent.is_recorded();
        scene.agents.iter().filter(counts).count()
    })
}

/// Opens a real file and holds it against what is true of every opened scene.
fn open(path: &str) -> Option<Scene> {
    let opened = data::open(&real(path)?, None).unwrap();
    println!("{path}: {:?}", opened.report.lines());
    let scene = opened.scene;
    let text = nearmiss::scene::scene_to_json(&scene);
    let again = nearmiss::scene::scene_from_json(text.as_bytes(), path).unwrap();
    assert_eq!(again.hash(), scene.hash(), "{path}");
    let egos = scene.agents.iter().filter(|agent| agent.role == Role::Ego);
    let has_vehicle = scene
        .agents
        .iter()
        .any(|agent| agent.kind == AgentKind::Vehicle);
    assert_eq!(egos.count(), usize::from(has_vehicle), "{path}");
    Some(scene)
}

/// Path, duration (s), rate (Hz), vehicles, pedestrians, cyclists, lanes.
type Row = (&'static str, f64, f64, [usize; 3], usize);

/// From the counts published with the files (taken by an independent reader in Python).
const COUNTS: [Row; 20] = [
    (
        "lanelet2/urban-1_lanelets_utm.osm",
        0.0,
        10.0,
        [0, 0, 0],
        21,
    ),
    (
        "lanelet2/traffic_priority_lanelets_utm.osm",
        0.0,
        10.0,
        [0, 0, 0],
        26,
    ),
    (
        "commonroad/maps_only/CHN_Roundabout-1.xml",
        0.0,
        10.0,
        [0, 0, 0],
        94,
    ),
    (
        "commonroad/maps_only/DEU_AachenBendplatz-1.xml",
        0.0,
        25.0,
        [0, 0, 0],
        26,
    ),
    (
        "commonroad/maps_only/DEU_Merging-1.xml",
        0.0,
        10.0,
        [0, 0, 0],
        13,
    ),
    (
        "commonroad/mona/C-DEU_MONAMerge-2_1_T-299.xml",
        59.8,
        5.0,
        [51, 0, 0],
        7,
    ),
    (
        "commonroad/ngsim/USA_Lanker-1_1_T-1.xml",
        4.0,
        10.0,
        [24, 0, 0],
        91,
    ),
    (
        "commonroad/ngsim/USA_Peach-4_8_T-1.xml",
        6.0,
        10.0,
        [9, 0, 0],
        79,
    ),
    (
        "commonroad/ngsim/USA_US101-10_1_T-1.xml",
        8.0,
        10.0,
        [44, 0, 0],
        12,
    ),
    (
        "commonroad/ngsim/USA_US101-3_3_T-1.xml",
        3.1,
        10.0,
        [12, 0, 0],
        12,
    ),
    (
        "commonroad/ngsim/USA_US101-4_1_T-1.xml",
        10.0,
        10.0,
        [22, 0, 0],
        12,
    ),
    (
        "commonroad/other_real/DEU_A9-3_1_T-1.xml",
        6.0,
        5.0,
        [9, 0, 0],
        32,
    ),
    (
        "commonroad/simulated/BWA_Tlokweng-6.cr.xml",
        15.1,
        10.0,
        [20, 0, 0],
        12,
    ),
    (
        "commonroad/simulated/DEU_Moelln-4_4_T-1.xml",
        3.6,
        10.0,
        [5, 0, 3],
        75,
    ),
    (
        "commonroad/simulated/DEU_TrafficLightTest-1.xml",
        20.0,
        10.0,
        [11, 0, 0],
        20,
    ),
    (
        "commonroad/simulated/ESP_Toledo-7_5_T-1.xml",
        3.6,
        10.0,
        [9, 0, 1],
        42,
    ),
    (
        "argoverse2/motion_forecasting/0a1e6f0a-1817-4a98-b02e-db8c9327d151",
        10.9,
        10.0,
        [32, 12, 0],
        71,
    ),
    (
        "argoverse2/sensor_logs/3b3570b4-7b0b-3268-a571-b0889dbf40b6",
        15.6,
        10.0,
        [89, 12, 0],
        150,
    ),
    (
        "argoverse2/sensor_logs/7fab2350-7eaf-3b7e-a39d-6937a4c1bede",
        15.5,
        10.0,
        [75, 17, 0],
        183,
    ),
    (
        "argoverse2/sensor_logs/adcf7d18-0510-35b0-a2fa-b4cea13a6d76",
        15.5,
        10.0,
        [55, 38, 0],
        199,
    ),
];

#[test]
fn real_files_open_with_their_counts() {
    for (file, duration, rate, agents, lanes) in COUNTS {
        let Some(scene) = open(file) else { return };
        assert_eq!(recorded(&scene), agents, "{file}");
        assert_eq!(scene.map.lanes().len(), lanes, "{file}");
        // a sensor log's sweeps come at 9.99 to 10.01 Hz
        assert!(
            (1.0 / scene.dt_s - rate).abs() < 0.02,
            "{file}: {} s",
            scene.dt_s
        );
        let off = scene.duration_s() - duration;
        assert!(off.abs() < 0.11, "{file}: {} s", scene.duration_s());
    }
}

#[test]
fn every_kind_of_commonroad_element_is_read() {
    let Some(scene) = open("commonroad/simulated/test_reading_all.xml") else {
        return;
    };
    // two dynamic obstacles of unknown type, 4.3 m long, and a static one
    assert_eq!(recorded(&scene), [2, 0, 0]);
    assert_eq!(scene.map.lanes().len(), 6);
    let limit = scene.map.lane(&LaneId::new("100")).unwrap().speed_limit;
    assert_eq!(limit, Some(10.0)); // sign 274 with the value 10
    let ego = scene.ego().unwrap();
    assert_eq!(ego.extra["made_from"], "planning problem 1000");
    // a circle of 2 m around (0.1, 0.5) at step 1
    let first = scene.agent(&AgentId::new("1")).unwrap();
    assert_eq!(first.track.get(1).unwrap().position, dvec2(0.1, 0.5));
}

#[test]
fn the_vehicle_of_a_planning_problem_arrives_at_its_goal() {
    let Some(scene) = open("commonroad/mona/C-DEU_MONAMerge-2_1_T-299.xml") else {
        return;
    };
    // four cooperative problems at step 0, the second 1.3 m beside the first: one vehicle each of four situations;
    // the first starts at (57.7995, -65.3578) with 19.4156 m/s
    assert_eq!(scene.goals.len(), 1);
    assert_eq!(recorded(&scene), [51, 0, 0]);
    let ego = scene.ego().unwrap();
    let start = ego.track.get(0).unwrap();
    assert_eq!(start.position, dvec2(57.7995, -65.3578));
    assert!((start.speed() - 19.4156).abs() < 1e-3);
    // -2.0563 in the file, where all headings stand beside the motion by about 0.033
    assert!((start.heading + 2.0563 + 0.033).abs() < 0.002, "{start:?}");
    for goal in &scene.goals {
        let agent = scene.agent(&goal.agent).unwrap();
        let there = agent.track.sample(scene.frame_at(goal.time_s)).unwrap();
        let off = there.position.distance(goal.point.into());
        assert!(off < 1.0, "{}: {off} m at {} s", goal.agent, goal.time_s);
    }
}

#[test]
fn uncertain_states_stand_at_their_middles() {
    let Some(scene) = open("commonroad/other_real/DEU_A9-3_1_T-1.xml") else {
        return;
    };
    // first state of obstacle 3536: a rectangle centred at (351.6644, -5866.3310), heading 0.0011 to 0.0347,
    // velocity 27.0104 to 27.4908
    let state = *scene
        .agent(&AgentId::new("3536"))
        .unwrap()
        .track
        .get(0)
        .unwrap();
    assert!(state.position.distance(dvec2(351.6644, -5866.3310)) < 1e-3);
    // all headings of the file stand beside the motion, by 0.0105 to 0.0168 rad, and are turned into it
    let turned = 0.0179 - state.heading;
    assert!((0.0105..0.0168).contains(&turned), "{turned}");
    assert!((state.speed() - 27.2506).abs() < 1e-3);
}

#[test]
fn commonroad_lights_follow_their_cycle() {
    let Some(scene) = open("commonroad/simulated/DEU_TrafficLightTest-1.xml") else {
        return;
    };
    // light 801: red 800 steps, ...; the scene has 201
    assert_eq!(scene.signals.len(), 4);
    let red = scene
        .signals
        .iter()
        .filter(|signal| signal.states.iter().all(|state| *state == SignalState::Red));
    assert!(red.count() >= 1);
    // light 800: redYellow 100 steps, then green
    assert!(scene.signals.iter().any(|signal| {
        signal.at(99) == SignalState::Red && signal.at(100) == SignalState::Green
    }));
}

#[test]
fn a_commonroad_message_opens_like_the_xml_of_the_same_place() {
    let Some(scene) = open("commonroad/ngsim/USA_Lanker-1_11_T-1.pb") else {
        return;
    };
    let Some(xml) = open("commonroad/ngsim/USA_Lanker-1_1_T-1.xml") else {
        return;
    };
    // counts as commonroad-io reads them
    assert_eq!(scene.map.lanes().len(), 95);
    assert_eq!(recorded(&scene), [19, 0, 0]);
    assert_eq!(
        (scene.name.as_str(), scene.dt_s),
        ("USA_Lanker-1_11_T-1", 0.1)
    );
    let ego = scene.ego().unwrap();
    assert_eq!(ego.extra["made_from"], "planning problem 1995");
    // step 5 of obstacle 1931, decoded by hand
    let car = scene.agent(&AgentId::new("1931")).unwrap();
    assert_eq!((car.length, car.width), (4.8768, 2.1336));
    let state = car.track.get(5).unwrap();
    assert_eq!(state.position, dvec2(-16.6649, 2.1838));
    assert!((state.heading - 2.6675).abs() < 1e-3 && (state.speed() - 8.2235).abs() < 1e-3);
    // the older file has 91 of its lanes, four of them with other successors
    let same = xml.map.lanes().iter().filter(|lane| {
        let twin = scene.map.lane(&lane.id);
        twin.is_some_and(|twin| {
            (&twin.successors, twin.speed_limit) == (&lane.successors, lane.speed_limit)
        })
    });
    assert_eq!(same.count(), 87);
}

#[test]
fn argoverse_forecasting_states_are_the_files() {
    let file = "argoverse2/motion_forecasting/0a1e6f0a-1817-4a98-b02e-db8c9327d151";
    let Some(scene) = open(file) else { return };
    assert_eq!(scene.ego().unwrap().id.as_str(), "AV");
    assert_eq!(scene.now, 49); // the last observed step
    // first row of the table, read with pyarrow
    let state = *scene
        .agent(&AgentId::new("138902"))
        .unwrap()
        .track
        .get(0)
        .unwrap();
    assert!(state.position.distance(dvec2(-436.089883, 1311.189865)) < 1e-4);
    assert!((state.heading - 1.923804).abs() < 1e-4);
    assert!(state.velocity.distance(dvec2(-0.723599, 2.357506)) < 1e-4);
}

#[test]
fn sumo_networks_open_alone() {
    // lanes without crossings and walking areas; counts by grep over the files
    let nets = [
        ("sumo/smarts_maps/cloverleaf.net.xml", 56),
        ("sumo/bologna_acosta/acosta_buslanes.net.xml", 650),
        ("ngsim_smarts/i80.net.xml", 25),
        ("ngsim_smarts/peachtree.net.xml", 178),
        ("ngsim_smarts/us101.net.xml", 30),
        // nine lanes of the first and eight of the second have one point only
        ("sumo/tavf_hamburg/network.net.xml.gz", 2913 - 9),
        ("sumo/networks/Wildau.net.xml.gz", 5946 - 410 - 870 - 8),
    ];
    for (file, lanes) in nets {
        let Some(scene) = open(file) else { return };
        assert_eq!(scene.map.lanes().len(), lanes, "{file}");
        let joined = scene
            .map
            .lanes()
            .iter()
            .filter(|lane| !lane.successors.is_empty());
        assert!(joined.count() * 2 > lanes, "{file}");
    }
}

#[test]
fn sumo_traffic_opens_with_its_network_lights_and_sizes() {
    let Some(scene) = open("sumo/bologna_acosta/acosta_300-320s.fcd.xml") else {
        return;
    };
    assert_eq!((scene.frames, scene.dt_s), (40, 0.5));
    assert_eq!(scene.map.lanes().len(), 650);
    assert!(scene.agents.len() > 450 && scene.agents.len() < 550);
    // first row: bumper at (1057.99, 228.16), angle 201.55 from north, type ignoring2b of 4.5 m, 13.86 m/s
    let car = scene.agent(&AgentId::new("Audinot_12_11")).unwrap();
    assert_eq!((car.length, car.width), (4.5, 1.8));
    let state = car.track.get(0).unwrap();
    let back = 2.25 * dvec2(201.55_f64.to_radians().sin(), 201.55_f64.to_radians().cos());
    assert!(state.position.distance(dvec2(1057.99, 228.16) - back) < 1e-3);
    assert!((state.speed() - 13.86).abs() < 1e-3);
    assert!(!scene.signals.is_empty());
    // cars that stand before a red light do so behind its stop point: the programs are in step with the traffic
    let ran = scene.signals.iter().flat_map(|signal| {
        let lane = scene.map.lane(&signal.lane).unwrap();
        let entered = |frame: usize| {
            let red =
                signal.at(frame) == SignalState::Red && signal.at(frame - 1) == SignalState::Red;
            red && scene.agents.iter().any(|agent| {
                let front = |frame: usize| {
                    let state = agent.track.get(frame)?;
                    Some(
                        state
                            .pose()
                            .outer_from_local(dvec2(agent.length / 2.0, 0.0)),
                    )
                };
                let (Some(before), Some(after)) = (front(frame - 1), front(frame)) else {
                    return false;
                };
                let s = |at| lane.centreline.project(at);
                s(after).offset.abs() < 0.05
                    && s(after).s > 1.0
                    && s(before).s < 1e-6
                    && s(before).point.distance(before) < 8.0
            })
        };
        (1..scene.frames)
            .filter(move |&frame| entered(frame))
            .collect::<Vec<_>>()
    });
    assert_eq!(ran.count(), 0, "vehicles entered on red");
}

#[test]
fn a_window_of_sumo_traffic_starts_where_it_is_asked_for() {
    let Some(path) = real("sumo/bologna_acosta/acosta_300-320s.fcd.xml") else {
        return;
    };
    let scene = data::open(&path, Some("310-315")).unwrap().scene;
    assert_eq!(scene.frames, 11); // 310, 310.5, ... 315
    assert!(data::open(&path, Some("soon")).is_err());
    assert!(data::open(&path, Some("900")).is_err());
}

/// Places and directions on driving lanes of road networks as SUMO's netconvert 1.28 gives them (`--opendrive-files`
/// `--opendrive.curve-resolution 1 --opendrive.import-all-lanes --offset.disable-normalization`), to the centimetre: lines,
/// arcs, spirals and polynomials are in them.
const ON_LANES: [(&str, f64, f64, f64); 6] = [
    ("esmini/xodr/fabriksgatan.xodr", 40.03, -74.21, -1.371),
    ("esmini/xodr/fabriksgatan.xodr", -5.45, 153.96, -1.378),
    ("esmini/xodr/curves.xodr", 305.70, 349.85, -0.086),
    ("esmini/xodr/curves.xodr", 305.96, 352.91, 3.058),
    ("commonroad_designer/MONAEast.xodr", 51.37, -180.40, 1.918),
    ("commonroad_designer/MONAEast.xodr", 152.17, -293.64, -0.643),
];

#[test]
fn opendrive_lanes_lie_where_another_program_puts_them() {
    for (file, x, y, heading) in ON_LANES {
        let Some(scene) = open(&format!("opendrive_openscenario/{file}")) else {
            return;
        };
        let carries = |lane: &nearmiss::map::Lane| lane.carries_vehicles();
        let hit = scene
            .map
            .lane_for(dvec2(x, y), heading, 1.0, carries)
            .unwrap();
        assert!(hit.offset.abs() < 0.04, "{file} {x} {y}: {} m", hit.offset);
        let turned = nearmiss::geometry::angle_between(hit.pose.heading, heading);
        assert!(turned.abs() < 0.02, "{file} {x} {y}: {turned} rad");
    }
}

#[test]
fn every_arm_of_an_opendrive_junction_leads_to_the_three_others() {
    let Some(scene) = open("opendrive_openscenario/esmini/xodr/fabriksgatan.xodr") else {
        return;
    };
    let lane = |id: &LaneId| scene.map.lane(id).unwrap();
    let arms = ["0.0.1", "1.0.1", "2.0.-1", "3.0.-1"];
    for arm in arms {
        let through = &lane(&LaneId::new(arm)).successors;
        let onto = through.iter().flat_map(|id| &lane(id).successors);
        let mut roads: Vec<&str> = onto
            .map(|id| id.as_str().split('.').next().unwrap())
            .collect();
        roads.sort_unstable();
        let own = arm.split('.').next().unwrap();
        let others: Vec<&str> = ["0", "1", "2", "3"]
            .into_iter()
            .filter(|road| *road != own)
            .collect();
        assert_eq!(roads, others, "{arm}");
        assert!(through.iter().all(|id| lane(id).in_junction));
    }
}

/// In esmini's cut-in the faster car changes in front of the ego once it is 0.4 s ahead of it, and brakes to a stop at
/// 4 m/s² once it is 0.7 s ahead.
#[test]
fn an_openscenario_cut_in_is_played() {
    let Some(scene) = open("opendrive_openscenario/esmini/xosc/cut-in.xosc") else {
        return;
    };
    let ego = scene.ego().unwrap();
    let other = scene.agent(&AgentId::new("OverTaker")).unwrap();
    assert_eq!(ego.id.as_str(), "Ego");
    let state = |agent: &Agent, frame: usize| *agent.track.get(frame).unwrap();
    // 108 km/h; the other 1.2 times as fast, 25 m behind on the next lane
    assert!((state(ego, 20).speed() - 30.0).abs() < 0.01);
    assert!((state(other, 20).speed() - 36.0).abs() < 0.01);
    let across = |frame: usize| {
        let own = state(ego, frame);
        own.pose().local_from_outer(state(other, frame).position)
    };
    // 6 m/s nearer: level after 25 / 6 = 4.2 s, 0.4 s (12 m) ahead 2 s later, 0.7 s (21 m) ahead 1.5 s after that
    let frames = 0..scene.frames;
    let changing = frames
        .clone()
        .find(|frame| across(*frame).y.abs() < 3.3)
        .unwrap();
    let passed = frames
        .clone()
        .find(|frame| across(*frame).x > 12.0)
        .unwrap();
    assert!(
        (0..=6).contains(&(changing as i64 - passed as i64)),
        "{changing} {passed}"
    );
    assert!((58..=66).contains(&passed), "{passed}");
    let braking = frames
        .clone()
        .find(|frame| *frame > 5 && state(other, *frame).speed() < 35.0)
        .unwrap();
    assert!((70..=85).contains(&braking), "{braking}");
    assert!(
        across(changing + 30).y.abs() < 0.3,
        "three seconds later it is in the ego's lane"
    );
    assert!(state(other, scene.frames - 1).speed() < 1e-6);
}

#[test]
fn other_openscenario_files_open_or_say_what_is_missing() {
    let file = |name: &str| real(&format!("opendrive_openscenario/esmini/xosc/{name}.xosc"));
    let (Some(parking), Some(walk), Some(test)) = (
        file("parking_demo"),
        file("pedestrian"),
        file("trajectory-test"),
    ) else {
        return;
    };
    let opened = data::open(&parking, None).unwrap();
    assert_eq!(recorded(&opened.scene), [13, 1, 0]);
    let walker = data::open(&walk, None).unwrap();
    // the car starts on a route of a catalog that is not beside the file
    assert!(
        walker
            .report
            .lines()
            .iter()
            .any(|line| line.contains("RoutePosition"))
    );
    let said = data::open(&test, None).unwrap_err().to_string();
    assert!(said.contains("curves_elevation.xodr"), "{said}");
}

#[test]
fn a_scene_written_as_openscenario_comes_back_with_every_state() {
    let (name, text) = nearmiss::sim::BUNDLED[0];
    let scene = nearmiss::scene::scene_from_json(text.as_bytes(), name).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.xosc");
    data::export(&scene, &path, data::Target::OpenScenario).unwrap();
    let again = data::open(&path, None).unwrap().scene;
    assert_eq!(
        (again.frames, again.agents.len()),
        (scene.frames, scene.agents.len())
    );
    assert_eq!(again.ego().unwrap().id, scene.ego().unwrap().id);
    for agent in &scene.agents {
        let id = &agent.id;
        let found = again.agent(id).unwrap();
        assert_eq!(
            (found.kind, found.length, found.width),
            (agent.kind, agent.length, agent.width)
        );
        for frame in 0..scene.frames {
            match (agent.track.get(frame), found.track.get(frame)) {
                (Some(before), Some(after)) => {
                    assert!(
                        before.position.distance(after.position) < 2e-4,
                        "{id} {frame}"
                    );
                    assert!(
                        (before.velocity - after.velocity).length() < 0.6,
                        "{id} {frame}"
                    );
                }
                (None, None) => {}
                other => panic!("{id} {frame}: {other:?}"),
            }
        }
    }
}

/// For each lane its kind and the places of those that it goes on in, by what either of both says.
fn network(scene: &Scene) -> Vec<(LaneKind, BTreeSet<usize>)> {
    let map = &scene.map;
    let mut network: Vec<(LaneKind, BTreeSet<usize>)> = map
        .lanes()
        .iter()
        .map(|lane| (lane.kind, BTreeSet::new()))
        .collect();
    for (at, lane) in map.lanes().iter().enumerate() {
        let places = |ids: &[LaneId]| -> Vec<usize> {
            ids.iter().filter_map(|id| map.lane_index(id)).collect()
        };
        network[at].1.extend(places(&lane.successors));
        for before in places(&lane.predecessors) {
            network[before].1.insert(at);
        }
    }
    network
}

#[test]
fn road_networks_written_as_openscenario_come_back_lane_by_lane() {
    let files = [
        ("opendrive_openscenario/esmini/xosc/cut-in.xosc", 8),
        ("opendrive_openscenario/esmini/xosc/parking_demo.xosc", 23),
        (
            "opendrive_openscenario/commonroad_designer/four_way_crossing.xodr",
            56,
        ),
        (
            "opendrive_openscenario/esmini/xodr/multi_intersections.xodr",
            0,
        ),
        ("commonroad/simulated/DEU_TrafficLightTest-1.xml", 20),
        ("lanelet2/traffic_priority_lanelets_utm.osm", 26),
        ("sumo/bologna_acosta/acosta_buslanes.net.xml", 650),
    ];
    for (file, lanes) in files {
        let Some(mut scene) = open(file) else { return };
        if scene.agents.is_empty() {
            // a road alone has nobody to play
            let stands = Track::new(vec![Some(State::along(Pose::at(0.0, 0.0, 0.0), 0.0))]);
            let agent = Agent::new("visitor", AgentKind::Vehicle, stands);
            scene.agents.push(std::sync::Arc::new(agent));
            scene.set_ego(&AgentId::new("visitor"));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("again.xosc");
        let written = data::export(&scene, &path, data::Target::OpenScenario).unwrap();
        println!("{file}: {:?}", written.report.lines());
        let again = data::open(&path, None).unwrap().scene;
        if lanes > 0 {
            assert_eq!(scene.map.lanes().len(), lanes, "{file}");
        }
        let (before, after) = (network(&scene), network(&again));
        assert_eq!(before.len(), after.len(), "{file}");
        for (at, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(before, after, "{file}: {}", scene.map.lanes()[at].id);
        }
        let inside = |scene: &Scene| -> Vec<bool> {
            let lanes = scene.map.lanes().iter();
            lanes.map(|lane| lane.in_junction).collect()
        };
        assert_eq!(inside(&scene), inside(&again), "{file}");
        let names = |scene: &Scene| -> BTreeSet<AgentId> {
            scene.agents.iter().map(|agent| agent.id.clone()).collect()
        };
        assert_eq!(names(&scene), names(&again), "{file}");
        assert_eq!(scene.ego().unwrap().id, again.ego().unwrap().id, "{file}");
    }
}

#[test]
fn traffic_lights_written_as_openscenario_show_the_same() {
    let Some(scene) = open("commonroad/simulated/DEU_TrafficLightTest-1.xml") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.xosc");
    data::export(&scene, &path, data::Target::OpenScenario).unwrap();
    let again = data::open(&path, None).unwrap().scene;
    assert_eq!((again.signals.len(), again.frames), (4, scene.frames));
    for light in scene.signals.iter() {
        // both have frames of 0.1 s; the lane's road has its number
        let road = scene.map.lane_index(&light.lane).unwrap() + 1;
        let lane = LaneId::new(format!("{road}.0.-1"));
        let found = again
            .signals
            .iter()
            .find(|found| found.lane == lane)
            .unwrap();
        assert_eq!(found.runs(), light.runs(), "{lane}");
        let [before, after] = [light, found].map(|light| light.stop_point.unwrap());
        assert!(before.distance(after) < 0.01, "{lane}: {before} {after}");
    }
}

#[test]
fn lights_of_a_road_network_stay_off_until_somebody_sets_them() {
    let files = [
        (
            "commonroad_designer/four_way_crossing.xodr",
            "12 traffic lights are off",
        ),
        (
            "esmini/xodr/fabriksgatan_traffic_lights.xodr",
            // the two others are for pedestrians
            "1 traffic light is off",
        ),
        (
            "esmini/xodr/multi_intersections.xodr",
            "34 traffic lights are off",
        ),
    ];
    for (file, said) in files {
        let Some(path) = real(&format!("opendrive_openscenario/{file}")) else {
            return;
        };
        let opened = data::open(&path, None).unwrap();
        let lines = opened.report.lines();
        assert!(lines.iter().any(|line| line.starts_with(said)), "{lines:?}");
        let signals = &opened.scene.signals;
        assert!(!signals.is_empty());
        for signal in signals.iter() {
            let lane = opened.scene.map.lane(&signal.lane).unwrap();
            assert_eq!(signal.at(0), SignalState::Unknown);
            let off = lane.centreline.project(signal.stop_point.unwrap()).offset;
            assert!(off.abs() < 0.02, "{file} {}: {off}", lane.id);
        }
    }
}

#[test]
fn recordings_that_end_abruptly_are_written_as_commonroad_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    // tracks whose last state contradicts its speed: what this program wrote is not mended again
    let files = [
        "scenarionet/waymo/sd_waymo_v1.2_eb4b91b10ca94ff2.pkl",
        "gpudrive/tfrecord-00000-of-01000_402.json",
        "argoverse2/motion_forecasting/0a1e6f0a-1817-4a98-b02e-db8c9327d151",
        "sumo/bologna_acosta/acosta_300-320s.fcd.xml",
    ];
    for file in files {
        let Some(path) = real(file) else {
            continue;
        };
        let scene = data::open(&path, None).unwrap().scene;
        let out = folder.path().join("out.xml");
        let written = data::export(&scene, &out, data::Target::CommonRoad);
        assert!(written.is_ok(), "{file}: {}", written.unwrap_err());
    }
}

#[test]
fn a_real_lanelet_map_is_connected_and_bordered() {
    let Some(path) = real("lanelet2/urban-1_lanelets_utm.osm") else {
        return;
    };
    let opened = data::open(&path, None).unwrap();
    assert!(opened.report.is_clean(), "{:?}", opened.report.lines());
    let map = &opened.scene.map;
    // counted by a program of its own (bounds whose ends lie nearest, shared end nodes): 7 lanes end, 14 go on from
    // another
    let ends = map.lanes().iter().filter(|lane| lane.successors.is_empty());
    let joined = map
        .lanes()
        .iter()
        .filter(|lane| !lane.predecessors.is_empty());
    assert_eq!((ends.count(), joined.count()), (7, 14));
    // the file calls itself UTM: Munich lies in zone 32, some 690 km east of its false easting, 5,338 km north
    let (low, high) = map.bounds().unwrap();
    let middle = (low + high) / 2.0;
    assert!(
        middle.distance(dvec2(691_900.0, 5_338_000.0)) < 3_000.0,
        "{middle}"
    );
    let sides = |lane: &nearmiss::map::Lane| lane.left_border.len().min(lane.right_border.len());
    assert!(map.lanes().iter().all(|lane| sides(lane) >= 2));
}

#[test]
fn signs_and_rules_that_nothing_is_made_of_are_counted_by_kind() {
    let files = [
        (
            "lanelet2/traffic_priority_lanelets_utm.osm",
            &[
                "left out: 1 regulatory element of the kind right_of_way",
                "left out: 1 traffic sign of the kind de205",
                "left out: 2 traffic signs of the kind de301",
            ][..],
            // of the two that give way it stands beside this one
            "-1775240",
        ),
        (
            "commonroad/maps_only/DEU_AachenBendplatz-1.xml",
            &[
                "left out: 2 traffic signs of the kind 301",
                "left out: 4 priorities of arms of intersections",
            ],
            // the last of those that name sign 28
            "22",
        ),
    ];
    for (file, said, waits) in files {
        let Some(path) = real(file) else { return };
        let opened = data::open(&path, None).unwrap();
        let lines = opened.report.lines();
        for said in said {
            assert!(
                lines.iter().any(|line| line.starts_with(said)),
                "{said}: {lines:?}"
            );
        }
        // sign 206
        let [sign] = opened.scene.map.stop_signs() else {
            panic!("{file}: {:?}", opened.scene.map.stop_signs());
        };
        assert!(
            sign.lanes.contains(&LaneId::new(waits)),
            "{file}: {:?}",
            sign.lanes
        );
    }
}

#[test]
fn bounds_of_no_kind_that_cross_a_junction_are_no_edges_of_the_road() {
    for file in ["traffic_priority_lanelets_utm", "urban-1_lanelets_utm"] {
        let Some(scene) = open(&format!("lanelet2/{file}.osm")) else {
            return;
        };
        let map = &scene.map;
        assert!(map.lines().len() > 10, "{file}");
        for line in map.lines() {
            let line = nearmiss::geometry::Polyline::new(line.points.iter().copied()).unwrap();
            let middle = line.point_at(line.length() / 2.0);
            // nobody drives where the middle of an edge is
            let hits = map.lanes_near(middle, 3.0);
            let on = hits.iter().filter(|hit| {
                let lane = &map.lanes()[hit.lane];
                let within = hit.offset.abs() < (lane.width_or_default() / 2.0 - 0.5).min(1.2);
                let beside = hit.s > 0.0 && hit.s < lane.centreline.length();
                lane.carries_vehicles() && within && beside
            });
            assert_eq!(on.count(), 0, "{file}: {middle}");
        }
        // three ways from each of four arms
        let inside = map.lanes().iter().filter(|lane| lane.in_junction);
        assert_eq!(inside.count(), 12, "{file}");
    }
}
