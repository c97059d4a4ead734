//! Reactive traffic in situations worked out by hand.

use std::f64::consts::{FRAC_PI_2, PI};
use std::sync::Arc;

use super::*;
use crate::geometry::dvec2;
use crate::map::{Lane, LaneKind, MapParts, StopSign};
use crate::scene::Control;
use crate::sim::turn;

const DT_S: f64 = 0.1;

fn lane(id: &str, points: &[[f64; 2]]) -> Lane {
    let line = Polyline::new(points.iter().map(|&[x, y]| dvec2(x, y))).unwrap();
    Lane::new(id, LaneKind::Street, line)
}

/// Two streets cross at the origin; from the west one may also turn left to the north.
fn crossing() -> MapParts {
    let mut west = lane("west", &[[-120.0, 0.0], [-10.0, 0.0]]);
    west.successors = vec![LaneId::new("ahead"), LaneId::new("left")];
    let mut ahead = lane("ahead", &[[-10.0, 0.0], [10.0, 0.0]]);
    ahead.successors = vec![LaneId::new("east")];
    let from = Pose::at(-10.0, 0.0, 0.0);
    let onto = Pose::at(1.75, 13.5, FRAC_PI_2);
    let mut left = Lane::new("left", LaneKind::Street, turn(from, onto).unwrap());
    left.successors = vec![LaneId::new("north")];
    MapParts {
        lanes: vec![
            west,
            ahead,
            left,
            lane("east", &[[10.0, 0.0], [150.0, 0.0]]),
            lane("north", &[[1.75, 13.5], [1.75, 150.0]]),
            lane("oncoming", &[[150.0, 3.5], [-150.0, 3.5]]),
            lane("upward", &[[1.75, -120.0], [1.75, 13.5]]),
        ],
        ..MapParts::default()
    }
}

fn agent(id: &str, kind: AgentKind, pose: Pose, speed: f64) -> Arc<Agent> {
    let mut agent = Agent::new(id, kind, Track::new(vec![Some(State::along(pose, speed))]));
    (agent.length, agent.width, agent.control) = (4.5, 1.9, Control::Free);
    Arc::new(agent)
}

fn car(id: &str, x: f64, y: f64, heading: f64, speed: f64) -> Arc<Agent> {
    agent(id, AgentKind::Vehicle, Pose::at(x, y, heading), speed)
}

#[test]
fn who_attacks_keeps_to_it_until_its_time_and_is_one_of_the_others_then() {
    // it comes the wrong way at 10 m/s, for 2 s; on its own it would stand or follow its lane
    let track = Track::new(
        (0..=40)
            .map(|frame| {
                let pose = Pose::at(60.0 - f64::from(frame), -1.0, PI);
                Some(State::along(pose, 10.0))
            })
            .collect(),
    );
    let mut scene = Scene {
        dt_s: DT_S,
        frames: 61,
        map: Arc::new(Map::build(crossing())),
        agents: vec![
            car("ego", -40.0, 0.0, 0.0, 5.0),
            car("a", 60.0, -1.0, PI, 10.0),
        ],
        attacks: vec![crate::scene::Attack {
            attacker: AgentId::new("a"),
            target: AgentId::new("ego"),
            time_s: 2.0,
            offset: [0.0, 0.0],
            extra: crate::map::Extra::new(),
        }],
        ..Scene::default()
    };
    let recorded = |id: &AgentId| (id.as_str() == "a").then_some(&track);
    let mut traffic = Reactive::new(&scene, &AgentId::new("ego"), recorded);
    for frame in 0..30 {
        let ego = *scene.agents[0].track.get(frame).unwrap();
        let next = traffic.step(&scene, frame);
        let state = next.iter().find(|(agent, _)| *agent == 1).unwrap().1;
        let keeps =
            (state.position.x - (59.0 - frame as f64)).abs() < 1e-9 && state.position.y == -1.0;
        assert_eq!(keeps, frame < 20, "frame {frame}: {state:?}");
        for (agent, state) in [(0, ego), (1, state)] {
            let track = &mut Arc::make_mut(&mut scene.agents[agent]).track;
            track.set(frame + 1, Some(state));
        }
    }
}

/// She walks north across the street from the west at 1.4 m/s.
fn walker(y: f64) -> Arc<Agent> {
    let at = Pose::at(0.0, y, FRAC_PI_2);
    let mut walker = agent("walker", AgentKind::Pedestrian, at, 1.4);
    let body = Arc::make_mut(&mut walker);
    (body.length, body.width) = (0.6, 0.6);
    walker
}

/// Everyone driven for some seconds; `ways` are recorded tracks.
fn driven(parts: MapParts, agents: Vec<Arc<Agent>>, ways: &[(&str, Track)], seconds: f64) -> Scene {
    let mut scene = Scene {
        dt_s: DT_S,
        frames: (seconds / DT_S) as usize + 1,
        now: 0,
        map: Arc::new(Map::build(parts)),
        agents,
        ..Scene::default()
    };
    let way = |id: &AgentId| {
        let mut ways = ways.iter();
        ways.find(|(name, _)| id.as_str() == *name)
            .map(|(_, track)| track)
    };
    let mut traffic = Reactive::new(&scene, &AgentId::new("nobody"), way);
    for frame in 0..scene.frames - 1 {
        for (index, state) in traffic.step(&scene, frame) {
            let track = &mut Arc::make_mut(&mut scene.agents[index]).track;
            track.set(frame + 1, Some(state));
        }
    }
    scene
}

fn states(scene: &Scene, id: &str) -> Vec<State> {
    let agent = scene.agent(&AgentId::new(id)).unwrap();
    agent.track.states().iter().flatten().copied().collect()
}

fn slowest(scene: &Scene, id: &str) -> f64 {
    let speeds = states(scene, id);
    let speeds = speeds.iter().map(|state| state.velocity.length());
    speeds.fold(f64::INFINITY, f64::min)
}

/// The first frame at which two of the agents overlap.
fn contact(scene: &Scene) -> Option<(usize, String)> {
    (0..scene.frames).find_map(|frame| {
        let boxes: Vec<_> = scene
            .agents
            .iter()
            .filter_map(|agent| Some((&agent.id, agent.footprint(agent.track.get(frame)?))))
            .collect();
        boxes.iter().enumerate().find_map(|(at, (one, first))| {
            let mut others = boxes[at + 1..].iter();
            let hit = others.find(|(_, second)| first.overlaps(second));
            hit.map(|(other, _)| (frame, format!("{one} and {other}")))
        })
    })
}

#[test]
fn of_two_who_would_meet_at_a_crossing_the_later_one_waits_and_both_get_across() {
    // the one from the west is 2 m nearer
    let cars = vec![
        car("first", -45.0, 0.0, 0.0, 10.0),
        car("second", 1.75, -47.0, FRAC_PI_2, 10.0),
    ];
    let scene = driven(crossing(), cars, &[], 14.0);
    assert_eq!(contact(&scene), None);
    assert!(
        slowest(&scene, "first") > 9.0,
        "{}",
        slowest(&scene, "first")
    );
    assert!(slowest(&scene, "second") < 7.0);
    assert!(states(&scene, "first").last().unwrap().position.x > 40.0);
    assert!(states(&scene, "second").last().unwrap().position.y > 20.0);
}

#[test]
fn who_has_a_stop_sign_waits_though_there_first() {
    let mut parts = crossing();
    let line = dvec2(-10.0, 0.0);
    parts.stop_signs = vec![StopSign::new(line, vec![LaneId::new("west")])];
    let cars = vec![
        car("first", -45.0, 0.0, 0.0, 10.0),
        car("second", 1.75, -47.0, FRAC_PI_2, 10.0),
    ];
    let scene = driven(parts, cars, &[], 14.0);
    assert_eq!(contact(&scene), None);
    assert!(slowest(&scene, "second") > 9.0);
    assert!(slowest(&scene, "first") < 7.0);
}

#[test]
fn who_turned_left_in_the_recording_turns_left_and_lets_oncoming_traffic_pass() {
    let points = [
        [-40.0, 0.0],
        [-10.0, 0.0],
        [1.0, 4.0],
        [1.75, 13.5],
        [1.75, 60.0],
    ];
    let track = points.map(|[x, y]| Some(State::along(Pose::at(x, y, 0.0), 8.0)));
    let way = [("turns", Track::new(track.to_vec()))];
    // oncoming gets to where they meet 1 s after the one who turns
    let cars = vec![
        car("turns", -40.0, 0.0, 0.0, 9.0),
        car("oncoming", 52.0, 3.5, PI, 10.0),
    ];
    let scene = driven(crossing(), cars.clone(), &way, 16.0);
    assert_eq!(contact(&scene), None);
    assert!(slowest(&scene, "oncoming") > 9.5);
    let last = *states(&scene, "turns").last().unwrap();
    assert!(
        last.position.y > 20.0 && (last.position.x - 1.75).abs() < 1.0,
        "{last:?}"
    );
    // without a recording it goes straight on, and waits for nobody
    let scene = driven(crossing(), cars, &[], 10.0);
    let last = *states(&scene, "turns").last().unwrap();
    assert!(last.position.y.abs() < 1.0 && slowest(&scene, "turns") > 8.5);
}

#[test]
fn who_is_held_up_changes_to_a_free_lane_and_not_into_somebody() {
    let road = |from: f64| {
        let mut right = lane("right", &[[from, 0.0], [400.0, 0.0]]);
        right.left_neighbour = Some(LaneId::new("left"));
        let mut left = lane("left", &[[from, 3.5], [400.0, 3.5]]);
        left.right_neighbour = Some(LaneId::new("right"));
        MapParts {
            lanes: vec![right, left],
            ..MapParts::default()
        }
    };
    let slow = agent("slow", AgentKind::Other, Pose::at(40.0, 0.0, 0.0), 5.0);
    let quick = car("quick", 0.0, 0.0, 0.0, 12.0);
    let scene = driven(road(-50.0), vec![slow.clone(), quick.clone()], &[], 12.0);
    assert_eq!(contact(&scene), None);
    let last = *states(&scene, "quick").last().unwrap();
    assert!(
        last.position.x > 110.0 && (last.position.y - 3.5).abs() < 0.3,
        "{last:?}"
    );
    // its sideways motion is a car's: at most 2 m/s
    assert!(
        states(&scene, "quick")
            .iter()
            .all(|state| state.velocity.y.abs() < 2.0)
    );
    // a lorry beside it, as slow as the one ahead, keeps it where it is
    let mut beside = Agent::clone(&agent(
        "beside",
        AgentKind::Other,
        Pose::at(8.0, 3.5, 0.0),
        5.0,
    ));
    beside.length = 60.0;
    let scene = driven(road(-50.0), vec![slow, quick, Arc::new(beside)], &[], 6.0);
    assert_eq!(contact(&scene), None);
    assert!(
        states(&scene, "quick")
            .iter()
            .all(|state| state.position.y.abs() < 0.5)
    );
}

#[test]
fn a_walker_stops_before_a_car_that_stands_in_the_way_and_goes_on_when_it_has_left() {
    let walker = walker(-20.0);
    let parked = agent("thing", AgentKind::Other, Pose::at(0.0, -12.0, 0.0), 0.0);
    let scene = driven(crossing(), vec![walker.clone(), parked], &[], 10.0);
    assert_eq!(contact(&scene), None);
    let last = *states(&scene, "walker").last().unwrap();
    assert!((-15.0..-13.0).contains(&last.position.y) && last.velocity.length() < 1e-9);
    // at 1 m/s it has left before she gets there
    let leaves = agent("thing", AgentKind::Other, Pose::at(0.0, -12.0, 0.0), 1.0);
    let scene = driven(crossing(), vec![walker, leaves], &[], 10.0);
    assert!(states(&scene, "walker").last().unwrap().position.y > -8.0);
}

#[test]
fn a_driver_lets_a_walker_pass_who_is_still_beside_the_road() {
    // she is at the car's line after 4.3 s, the car at her after 4.5 s
    let walker = walker(-6.0);
    let scene = driven(
        crossing(),
        vec![walker, car("car", -45.0, 0.0, 0.0, 10.0)],
        &[],
        12.0,
    );
    assert_eq!(contact(&scene), None);
    assert!(slowest(&scene, "car") < 7.0);
    assert!(states(&scene, "car").last().unwrap().position.x > 10.0);
}
