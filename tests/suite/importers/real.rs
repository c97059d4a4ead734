//! Real files: counts as their data sets document them, and scenes that make physical sense.

use nearmiss::data::{Format, Opened, Target, export, list, open};
use nearmiss::geometry::DVec2;
use nearmiss::scene::{Agent, AgentKind, scene_from_json, scene_to_json};

use super::real;

/// What a file holds: its path, seconds, vehicles, pedestrians, cyclists, lanes.
type Row = (&'static str, Format, f64, [usize; 3], usize);

/// Durations and counts measured with each data set's own tools (lanes of a single point not counted).
#[rustfmt::skip]
const ROWS: [Row; 20] = [
    ("scenarionet/nuscenes/nuscenes_2_1.pkl", Format::ScenarioNet, 19.5, [39, 11, 1], 276),
    ("scenarionet/nuscenes/sd_nuscenes_v1.0-mini_scene-0061.pkl", Format::ScenarioNet, 19.0, [24, 60, 6], 460),
    ("scenarionet/nuscenes/sd_nuscenes_v1.0-mini_scene-0103.pkl", Format::ScenarioNet, 19.5, [61, 46, 7], 358),
    ("scenarionet/nuscenes/sd_nuscenes_v1.0-mini_scene-0553.pkl", Format::ScenarioNet, 20.0, [28, 12, 1], 421),
    ("scenarionet/nuscenes/sd_nuscenes_v1.0-mini_scene-0655.pkl", Format::ScenarioNet, 20.0, [111, 7, 0], 320),
    ("scenarionet/nuscenes/sd_nuscenes_v1.0-mini_scene-1094.pkl", Format::ScenarioNet, 19.5, [26, 55, 5], 288),
    ("scenarionet/nuscenes/sd_nuscenes_v1.0-mini_scene-1100.pkl", Format::ScenarioNet, 19.5, [19, 11, 3], 153),
    ("scenarionet/unitraj_nuscenes/sd_nuscenes_mini_val_scene-0103_045cd82a77a1472499e8c15100cb5ff3_0a0d6b8c2e884134a3b48df43d54c36a.pkl", Format::ScenarioNet, 8.0, [41, 34, 2], 101),
    ("scenarionet/unitraj_nuscenes/sd_nuscenes_mini_val_scene-0103_045cd82a77a1472499e8c15100cb5ff3_0d0700a2284e477db876c3ee1d864668.pkl", Format::ScenarioNet, 8.0, [41, 40, 2], 93),
    ("scenarionet/unitraj_nuscenes/sd_nuscenes_mini_val_scene-0103_200c440c0e9b4627ad4f3047227016a2_3950bd41f74548429c0f7700ff3d8269.pkl", Format::ScenarioNet, 6.5, [24, 39, 0], 54),
    ("scenarionet/unitraj_nuscenes/sd_nuscenes_mini_val_scene-0103_200c440c0e9b4627ad4f3047227016a2_6832e717621341568c759151b5974512.pkl", Format::ScenarioNet, 8.0, [33, 41, 1], 66),
    ("scenarionet/waymo/sd_waymo_v1.2_eb4b91b10ca94ff2.pkl", Format::ScenarioNet, 19.8, [45, 0, 0], 102),
    ("scenarionet/waymo_metadrive_v0.3/0.pkl", Format::ScenarioNet, 19.6, [69, 5, 1], 319),
    ("scenarionet/waymo_metadrive_v0.3/1.pkl", Format::ScenarioNet, 19.9, [168, 11, 3], 222),
    ("gpudrive/tfrecord-00000-of-01000_222.json", Format::GpuDrive, 9.0, [23, 2, 0], 39),
    ("gpudrive/tfrecord-00000-of-01000_325.json", Format::GpuDrive, 9.0, [54, 8, 0], 61),
    ("gpudrive/tfrecord-00000-of-01000_402.json", Format::GpuDrive, 9.0, [90, 0, 1], 73),
    ("nocturne/example_scenario.json", Format::Nocturne, 9.0, [25, 20, 0], 74),
    ("nocturne/state_test.json", Format::Nocturne, 9.0, [68, 9, 0], 212),
    ("waymo/motion_data_one_scenario.tfrecord", Format::WaymoScenario, 9.0, [70, 10, 3], 198),
];

/// Opens every file that is there.
fn for_each(check: impl Fn(&Row, &Opened)) {
    for row in &ROWS {
        if let Some(path) = real(row.0) {
            let opened = open(&path, None);
            assert!(opened.is_ok(), "{:?}", opened.err());
            opened.iter().for_each(|opened| check(row, opened));
        }
    }
}

#[test]
fn every_file_holds_what_its_data_set_says() {
    for_each(|&(name, format, seconds, counts, lanes), opened| {
        let scene = &opened.scene;
        let count = |kind| {
            scene
                .agents
                .iter()
                .filter(|agent| agent.kind == kind)
                .count()
        };
        let found = [
            AgentKind::Vehicle,
            AgentKind::Pedestrian,
            AgentKind::Cyclist,
        ]
        .map(count);
        assert_eq!(opened.format, format, "{name}");
        assert!(
            (scene.duration_s() - seconds).abs() < 0.05,
            "{name}: {} s",
            scene.duration_s()
        );
        assert_eq!(scene.dt_s, 0.1, "{name}");
        assert_eq!(found, counts, "{name}");
        assert_eq!(scene.map.lanes().len(), lanes, "{name}");
        assert!(
            opened.report.problems.is_empty(),
            "{name}: {:?}",
            opened.report.lines()
        );
    });
}

#[test]
fn a_tf_example_holds_its_valid_slots() {
    let Some(path) = real("waymo/motion_data_one_example.tfrecord") else {
        return;
    };
    let opened = open(&path, None).unwrap();
    // counted with the format's own arrays: 128 slots of type 119 x 1, 8 x 2, 1 x 3; 91 frames, present at 10
    let count = |kind| {
        let of_kind = opened
            .scene
            .agents
            .iter()
            .filter(|agent| agent.kind == kind);
        of_kind.count()
    };
    assert_eq!(opened.format, Format::WaymoExample);
    assert_eq!(
        [
            AgentKind::Vehicle,
            AgentKind::Pedestrian,
            AgentKind::Cyclist
        ]
        .map(count),
        [119, 8, 1]
    );
    assert_eq!((opened.scene.frames, opened.scene.now), (91, 10));
    assert_eq!(list(&path).unwrap()[0].name, "a3bb37c25ce56418");
}

#[test]
fn every_scene_has_an_ego_a_present_and_survives_its_own_file() {
    for_each(|&(name, ..), opened| {
        let scene = &opened.scene;
        let ego = scene.ego().unwrap_or_else(|| panic!("{name}: no ego"));
        assert_eq!(ego.kind, AgentKind::Vehicle, "{name}");
        assert!(
            (3.5..6.0).contains(&ego.length) && (1.5..2.7).contains(&ego.width),
            "{name}: {} x {}",
            ego.length,
            ego.width
        );
        assert!(ego.track.get(scene.now).is_some(), "{name}");
        assert!(
            scene.duration_s() - scene.now_s() >= 7.99 || scene.duration_s() < 8.0,
            "{name}: now {}",
            scene.now_s()
        );
        assert!(
            !scene.licence.is_empty() && !scene.licence.starts_with("unknown"),
            "{name}"
        );
        let text = scene_to_json(scene);
        let again =
            scene_from_json(text.as_bytes(), name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again.hash(), scene.hash(), "{name}");
        assert_eq!(again.agents, scene.agents, "{name}");
        assert_eq!(again.map.lanes(), scene.map.lanes(), "{name}");
    });
}

#[test]
fn velocities_headings_and_positions_agree() {
    for_each(|&(name, ..), opened| {
        let scene = &opened.scene;
        // over all vehicles moving faster than 3 m/s: the step to the next frame against the velocity, and the
        // velocity's direction against the heading; degrees taken for radians or a wrong frame would show at once
        let (mut misses, mut turns) = (Vec::new(), Vec::new());
        for agent in scene
            .agents
            .iter()
            .filter(|agent| agent.kind == AgentKind::Vehicle)
        {
            for (frame, state) in agent.track.valid().filter(|(_, state)| state.speed() > 3.0) {
                if let Some(next) = agent.track.get(frame + 1) {
                    let step = (next.position - state.position) / scene.dt_s;
                    misses.push(step.distance(state.velocity));
                    turns.push(
                        state
                            .velocity
                            .angle_to(DVec2::from_angle(state.heading))
                            .abs(),
                    );
                }
            }
        }
        assert!(misses.len() > 50, "{name}: {} moving states", misses.len());
        let (miss, turn) = (middle(misses), middle(turns));
        assert!(miss < 0.5 && turn < 0.1, "{name}: {miss} m/s, {turn} rad");
    });
}

#[test]
fn moving_vehicles_drive_on_lanes() {
    for_each(|&(name, ..), opened| {
        let scene = &opened.scene;
        let is_moving = |agent: &&std::sync::Arc<Agent>| {
            agent.kind == AgentKind::Vehicle && agent.track.travelled() > 20.0
        };
        let (mut near, mut all) = (0, 0);
        for agent in scene.agents.iter().filter(is_moving) {
            for (_, state) in agent.track.valid().step_by(5) {
                all += 1;
                let hits = scene.map.lanes_near(state.position, 3.0);
                let along = |pose: f64| (pose - state.heading).cos() > 0.8;
                near += usize::from(hits.iter().any(|hit| along(hit.pose.heading)));
            }
        }
        assert!(all > 0 && near * 10 >= all * 7, "{name}: {near} of {all}");
    });
}

#[test]
fn the_nuscenes_ego_is_shifted_from_its_rear_axle_to_its_centre() {
    let name = "scenarionet/nuscenes/sd_nuscenes_v1.0-mini_scene-0061.pkl";
    let Some(path) = real(name) else { return };
    let scene = open(&path, None).unwrap().scene;
    let ego = scene.ego().unwrap();
    // the file says 1.73 long and 4.08 wide, velocity zero in the last frame; a quarter of a second before its end it is
    // midway between (420.4634, 1104.5977) and (420.1274, 1104.6830), at its end at (420.5277, 1104.5841):
    // (0.2323, -0.0562) m, 0.956 m/s
    assert_eq!((ego.length, ego.width), (4.08, 1.73));
    let (_, last) = ego.track.valid().next_back().unwrap();
    assert!((last.speed() - 0.956).abs() < 2e-3, "{}", last.speed());
}

#[test]
fn lights_come_with_waymo_scenes() {
    for (name, lights) in [
        ("scenarionet/waymo_metadrive_v0.3/0.pkl", 19),
        ("waymo/motion_data_one_scenario.tfrecord", 0),
        ("nocturne/state_test.json", 11),
    ] {
        let Some(path) = real(name) else { continue };
        let scene = open(&path, None).unwrap().scene;
        if lights > 0 {
            assert_eq!(scene.signals.len(), lights, "{name}");
        }
        for signal in scene.signals.iter() {
            let lane = scene.map.lane(&signal.lane).unwrap();
            let stop = signal.stop_point.unwrap();
            assert!(
                lane.centreline.start().distance(stop) < 1.0,
                "{name}: lane {}",
                lane.id
            );
        }
    }
}

#[test]
fn a_folder_lists_its_scenes_and_passes_over_its_index() {
    let Some(folder) = real("scenarionet/nuscenes") else {
        return;
    };
    let entries = list(&folder).unwrap();
    assert_eq!(entries.len(), 7);
    let message = open(&folder, None).unwrap_err().to_string();
    assert!(message.contains("7 scenes"), "{message}");
    assert_eq!(
        open(&folder, Some("nuscenes_2_1")).unwrap().scene.name,
        "scene-0796"
    );
    let index = folder.join("dataset_summary.pkl");
    let message = open(&index, None).unwrap_err().to_string();
    assert!(
        message.contains("index") && message.contains("Open the folder"),
        "{message}"
    );
}

#[test]
fn a_gpudrive_file_survives_being_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.gpudrive.json");
    for (name, format, ..) in ROWS {
        let Some(file) = real(name) else { continue };
        let scene = open(&file, None).unwrap().scene;
        // writing reads the file again and compares every state
        let exported = export(&scene, &path, Target::GpuDrive)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = open(&path, None).unwrap().scene;
        if format == Format::GpuDrive {
            assert!(
                exported.report.is_clean(),
                "{name}: {:?}",
                exported.report.lines()
            );
            assert_eq!(again.agents, scene.agents, "{name}");
            assert_eq!(again.map.lanes(), scene.map.lanes(), "{name}");
            assert_eq!(again.map.areas(), scene.map.areas(), "{name}");
        }
        assert_eq!((again.frames, again.now), (91, 10), "{name}");
        assert_eq!(
            (&again.source, &again.licence),
            (&scene.source, &scene.licence),
            "{name}"
        );
        assert_eq!(
            again.ego().map(|ego| ego.length),
            scene.ego().map(|ego| ego.length),
            "{name}"
        );
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Numbers as numcodecs 0.16 unpacks them.
#[test]
fn an_l5kit_log_holds_what_another_reader_finds_in_it() {
    let Some(path) = real("l5kit/single_scene.zarr") else {
        return;
    };
    let listed = list(&path).unwrap();
    assert_eq!(listed.len(), 1);
    let opened = open(&path, listed[0].pick.as_deref()).unwrap();
    let scene = &opened.scene;
    assert_eq!(
        (opened.format, scene.frames, scene.dt_s),
        (Format::L5Kit, 248, 0.1)
    );
    let of = |kind| {
        scene
            .agents
            .iter()
            .filter(|agent| agent.kind == kind)
            .count()
    };
    // 333 vehicles and the ego
    let kinds = [
        AgentKind::Vehicle,
        AgentKind::Pedestrian,
        AgentKind::Cyclist,
    ]
    .map(of);
    assert_eq!(kinds, [334, 28, 14]);
    let said = opened.report.lines().join("\n");
    assert!(said.contains("14666 sightings"), "{said}");
    let at = |id: &str, frame: usize| {
        let agent = scene.agents.iter().find(|agent| agent.id.as_str() == id);
        *agent.unwrap().track.get(frame).unwrap()
    };
    let ego = at("ego", 100).position;
    assert!(
        ego.distance(DVec2::new(-726.6621, 1139.7332)) < 1e-3,
        "{ego}"
    );
    assert!((at("ego", 0).heading - 0.753_749_55_f64.atan2(-0.657_067_42)).abs() < 1e-3);
    let car = at("1", 100);
    assert!(car.position.distance(DVec2::new(-719.1296, 1131.7501)) < 1e-3);
    assert!((car.heading - 2.3202).abs() < 1e-3);
    assert!(car.velocity.distance(DVec2::new(-4.0819, 4.5004)) < 1e-3);
}
