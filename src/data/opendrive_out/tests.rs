//! A small network written, and read again.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::data::opendrive;
use crate::geometry::{Polyline, dvec2};
use crate::map::{Map, MapParts};

fn lane(id: &str, kind: LaneKind, from: (f64, f64), to: (f64, f64)) -> Lane {
    let line = Polyline::new([dvec2(from.0, from.1), dvec2(to.0, to.1)]);
    Lane::new(id, kind, line.unwrap())
}

/// A motorway lane that goes on in a bus lane, which forks through a junction; a shoulder, a path and a walk beside.
fn scene() -> Scene {
    let mut lanes = vec![
        lane("in", LaneKind::Freeway, (0.0, 0.0), (50.0, 0.0)),
        lane("bus", LaneKind::Bus, (50.0, 0.0), (80.0, 0.0)),
        lane("on", LaneKind::Street, (80.0, 0.0), (100.0, 0.0)),
        lane("off", LaneKind::Street, (80.0, 0.0), (100.0, 5.0)),
        lane("edge", LaneKind::Other, (0.0, -3.0), (50.0, -3.0)),
        lane("cycle", LaneKind::Bike, (0.0, -5.0), (50.0, -5.0)),
        lane("walk", LaneKind::Walk, (0.0, -7.0), (50.0, -7.0)),
    ];
    let ids: Vec<LaneId> = lanes.iter().map(|lane| lane.id.clone()).collect();
    for (from, to) in [(0, 1), (1, 2), (1, 3)] {
        lanes[from].successors.push(ids[to].clone());
        lanes[to].predecessors.push(ids[from].clone());
    }
    lanes[3].in_junction = true;
    lanes[0].speed_limit = Some(25.0);
    lanes[5].width = Some(0.4);
    let light = |lane: usize, stop| Signal::new(ids[lane].clone(), stop, vec![SignalState::Red]);
    Scene {
        name: "fork".to_owned(),
        dt_s: 0.1,
        frames: 1,
        map: Arc::new(Map::build(MapParts {
            lanes,
            ..MapParts::default()
        })),
        signals: Arc::new(vec![
            light(1, None),
            light(3, Some(dvec2(79.0, 1.0))),
            light(6, Some(dvec2(20.0, -7.0))),
        ]),
        ..Scene::default()
    }
}

#[test]
fn lanes_come_back_with_kinds_limits_links_and_lights() {
    let scene = scene();
    let mut report = Report::default();
    let written = written(&scene, &mut report);
    assert_eq!(
        report.lines(),
        ["1 lane is narrower than 0.5 m and written so wide"]
    );
    let (again, _) = opendrive::read(written.text.as_bytes(), Path::new("fork.xodr")).unwrap();
    assert_eq!(written.missing(&again), [0; 3]);
    let lanes = again.map.lanes();
    assert_eq!(lanes.len(), 7);
    for (before, after) in scene.map.lanes().iter().zip(lanes) {
        assert_eq!(
            (before.kind, before.in_junction),
            (after.kind, after.in_junction),
            "{}",
            before.id
        );
        assert_eq!(before.speed_limit, after.speed_limit);
        assert_eq!(before.centreline.points(), after.centreline.points());
    }
    let names = |ids: &[LaneId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&lanes[0].successors), ["2.0.-1"]);
    assert_eq!(names(&lanes[1].successors), ["3.0.-1", "4.0.-1"]);
    assert_eq!(names(&lanes[3].predecessors), ["2.0.-1"]);
    // at the end of its lane, at its beginning, and beside the walk where it stands
    let stops: Vec<_> = again.signals.iter().map(|light| light.stop_point).collect();
    assert_eq!(
        stops,
        [dvec2(80.0, 0.0), dvec2(80.0, 0.0), dvec2(20.0, -7.0)].map(Some)
    );
}

#[test]
fn a_fork_is_a_junction_of_the_structure_that_the_format_asks_for() {
    let scene = scene();
    let text = written(&scene, &mut Report::default()).text;
    let has = |wanted: &str| assert!(text.contains(wanted), "{wanted}\n{text}");
    has("<successor elementType=\"road\" elementId=\"2\" contactPoint=\"start\"/>");
    // seven lanes, then the junction of the third and fourth (places 2 and 3): 8 + 2
    has("<successor elementType=\"junction\" elementId=\"10\"/>");
    has("id=\"3\" junction=\"10\"");
    has(
        "<connection id=\"1\" incomingRoad=\"2\" connectingRoad=\"4\" contactPoint=\"start\"><laneLink from=\"-1\" to=\"-1\"/></connection>",
    );
    has("<link><predecessor id=\"-1\"/></link><width");
}
