//! Scenarios made field by field, read back.

use super::*;
use crate::data::tfrecord::framed;
use crate::scene::AgentId;

/// A Scenario of three frames: one car along x at 1 m per frame, one lane, one light, and a lane that is a point.
fn scenario(id: &str) -> Vec<u8> {
    let state = |frame: usize| ObjectState {
        center_x: frame as f64,
        length: if frame == 0 { 9.0 } else { 4.5 },
        width: 1.8,
        velocity_x: 10.0,
        valid: true,
        ..ObjectState::default()
    };
    let track = TrackMessage {
        id: 7,
        object_type: 1,
        states: (0..3).map(state).collect(),
    };
    let light = DynamicMapState {
        lane_states: vec![LaneState {
            lane: 3,
            state: 4,
            stop_point: Some(StopPoint { x: 1.0, y: 2.0 }),
        }],
    };
    let mut bytes = Vec::new();
    let mut field = |tag: u8, body: &[u8]| {
        bytes.push(tag << 3 | 2);
        bytes.push(u8::try_from(body.len()).unwrap());
        bytes.extend(body);
    };
    for _ in 0..3 {
        field(7, &light.encode_to_vec());
    }
    field(2, &track.encode_to_vec());
    field(5, id.as_bytes());
    // map feature 3: lane {8: polyline (1, 0) (9, 0); 2: freeway; 10: exit lane 4}
    let point = |x: f64| [&[0x42, 9, 0x09][..], &x.to_le_bytes()].concat();
    let lane = [point(1.0), point(9.0), vec![0x10, 1, 0x50, 4]].concat();
    let feature = [&[0x08, 3, 0x1a, lane.len() as u8][..], &lane].concat();
    field(8, &feature);
    let stub = point(5.0);
    field(8, &[&[0x08, 4, 0x1a, stub.len() as u8][..], &stub].concat());
    let mut head: Vec<u8> = Vec::new();
    for frame in 0..3 {
        head.push(0x09);
        head.extend((f64::from(frame) * 0.1).to_le_bytes());
    }
    [head, bytes, vec![0x30, 0, 0x50, 1]].concat()
}

#[test]
fn a_scenario_is_read_field_by_field() {
    let (scene, report, format) = read(&scenario("abc"), Path::new("x")).unwrap();
    assert_eq!(
        (format, scene.name.as_str()),
        (Format::WaymoScenario, "abc")
    );
    assert_eq!((scene.frames, scene.dt_s, scene.now), (3, 0.1, 1));
    let car = scene.ego().unwrap();
    assert_eq!(car.id, AgentId::new("7"));
    assert_eq!(car.length, 4.5); // the median of 9, 4.5, 4.5
    assert_eq!(car.track.get(2).unwrap().position, dvec2(2.0, 0.0));
    let lane = &scene.map.lanes()[0];
    assert_eq!(lane.successors, [LaneId::new("4")]);
    assert_eq!(lane.centreline.length(), 8.0);
    assert_eq!(scene.signals[0].states, [SignalState::Red; 3]);
    assert_eq!(scene.signals[0].stop_point, Some(dvec2(1.0, 2.0)));
    assert_eq!(report.skipped.len(), 1, "{:?}", report.lines()); // the lane of one point
}

#[test]
fn each_scenario_of_a_file_can_be_picked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many");
    let file = [framed(&scenario("one")), framed(&scenario("two"))].concat();
    fs::write(&path, file).unwrap();
    let names: Vec<String> = list(&path, false)
        .unwrap()
        .into_iter()
        .filter_map(|entry| entry.pick)
        .collect();
    assert_eq!(names, ["one", "two"]);
    let named = |pick| open(&path, false, pick).unwrap().scene.name;
    assert_eq!(named(None), "one");
    assert_eq!(named(Some("two")), "two");
    assert_eq!(named(Some("#1")), "two");
    assert_eq!(open(&path, false, None).unwrap().report.notes.len(), 1);
    let message = open(&path, false, Some("three")).unwrap_err().to_string();
    assert!(
        message.contains("\"three\"") && message.contains("\"one\""),
        "{message}"
    );
}
