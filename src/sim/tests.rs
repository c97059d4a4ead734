//! The traffic world against known results: discharge of queues, red lights, collisions, seeds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build::{Builder, End, Profile};
use super::curve::Pen;
use super::driver::{Body, Driver};
use super::junction::{Arm, Control};
use super::network::{Network, SignalPlan, Turn};
use super::rollout::idm_rollout;
use super::scenario::{Scenario, simulate};
use super::world::{Placement, World};
use crate::geometry::{Polyline, Pose, dvec2};
use crate::map::{Lane, LaneId, LaneKind, Map, MapParts};
use crate::rng::Seed;
use crate::scene::{Agent, AgentKind, Scene, Signal, SignalState, State, Track, scene_to_json};

/// Two streets of one lane each way that cross under a fixed-time program.
fn crossing_under_lights(plan: SignalPlan) -> Network {
    let mut builder = Builder::default();
    let roads: Vec<_> = (0..4)
        .map(|index| {
            let angle = f64::from(index) * std::f64::consts::FRAC_PI_2;
            let way = crate::geometry::DVec2::from_angle(angle);
            let start = Pose::new(way * 312.0, angle + std::f64::consts::PI);
            let line = Pen::at(start).line(300.0).finish().unwrap();
            builder.road(&format!("arm{index}"), &line, Profile::street(1, 1))
        })
        .collect();
    let arms: Vec<_> = roads
        .iter()
        .map(|road| Arm::new(road, End::Finish))
        .collect();
    let control = Control::Signals {
        groups: vec![0, 1, 0, 1],
        plan,
    };
    builder.junction("x", &arms, &control);
    builder.finish(&[])
}

fn plan(first_green_s: f64, offset_s: f64) -> SignalPlan {
    SignalPlan {
        greens_s: vec![first_green_s, 15.0],
        yellow_s: 3.0,
        all_red_s: 2.0,
        offset_s,
    }
}

fn car(lane: usize, s: f64, speed: f64) -> Placement {
    Placement {
        body: Body::Car,
        lane,
        s,
        speed,
        wishes: Vec::new(),
        driver: None,
        size: None,
    }
}

#[test]
fn a_queue_discharges_at_1800_to_2000_vehicles_an_hour() {
    // Highway Capacity Manual: saturation flow about 1,900 passenger cars an hour and lane, measured from the
    // fourth vehicle on; the light turns green 3 s after the start
    let network = Arc::new(crossing_under_lights(plan(120.0, 0.0)));
    let cycle_s = network.plans[0].cycle_s();
    let mut world = World::new(Arc::clone(&network), Seed(5));
    let approach = network.lane("arm0+0").unwrap();
    let stop =
        network.map.lanes()[approach].centreline.length() - network.links[approach].stop_back_m;
    for place in 0..36 {
        let mut placement = car(approach, stop - 3.5 - 7.0 * f64::from(place), 0.0);
        placement.driver = Some(Driver::average(Body::Car));
        placement.size = Some((4.6, 1.85));
        placement.wishes = vec![Turn::Straight];
        world.place(placement);
    }
    world.time_s = cycle_s - 3.0;
    let mut passed: BTreeMap<u32, f64> = BTreeMap::new();
    for _ in 0..1150 {
        world.step();
        for vehicle in &world.vehicles {
            let line_at = vehicle.route.starts.get(1).copied().unwrap_or(0.0);
            if vehicle.rear() > line_at {
                passed.entry(vehicle.id).or_insert(world.time_s);
            }
        }
    }
    let mut times: Vec<f64> = passed.into_values().collect();
    times.sort_by(f64::total_cmp);
    assert!(times.len() >= 30, "{} vehicles passed", times.len());
    let flow = 3600.0 * 26.0 / (times[29] - times[3]);
    println!("saturation flow {flow:.0} vehicles an hour and lane");
    assert!((1750.0..2050.0).contains(&flow), "{flow} vehicles an hour");
}

#[test]
fn nobody_passes_a_red_light_and_the_first_stops_at_the_line() {
    let network = Arc::new(crossing_under_lights(plan(20.0, 26.0)));
    let mut world = World::new(Arc::clone(&network), Seed(9));
    // offset 26 s: group 0 has been red for 1 s and stays so for 19 s (15 + 3 + 2 − 1)
    assert_eq!(network.plans[0].state(0, 18.9).0, SignalState::Red);
    assert_eq!(network.plans[0].state(0, 19.1).0, SignalState::Green);
    let approach = network.lane("arm0+0").unwrap();
    for s in [180.0, 150.0, 120.0] {
        world.place(car(approach, s, 12.0));
    }
    world.run(18.0);
    let line =
        network.map.lanes()[approach].centreline.length() - network.links[approach].stop_back_m;
    let fronts: Vec<f64> = world
        .vehicles
        .iter()
        .map(|vehicle| vehicle.front())
        .collect();
    assert!(
        fronts.iter().all(|&front| front <= line + 0.01),
        "{fronts:?} {line}"
    );
    assert!(line - fronts[0] < 2.5, "{fronts:?} {line}");
    assert!(world.vehicles[0].speed() < 0.2);
}

#[test]
fn the_same_seed_gives_the_same_traffic() {
    let text = |seed| {
        let scene = simulate(Seed(seed), 3, 6.0).unwrap();
        scene_to_json(&scene)
    };
    assert!(text(1) == text(1));
    assert!(text(1) != text(2));
}

/// Simulated minutes of each kind of world; `NEARMISS_TRAFFIC_MINUTES=1000` for the long run.
#[test]
fn ordinary_traffic_does_not_collide() {
    let minutes: f64 = std::env::var("NEARMISS_TRAFFIC_MINUTES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(16.0);
    let kinds = [
        Scenario::Junction,
        Scenario::Roundabout,
        Scenario::Junction,
        Scenario::Merge,
        Scenario::Junction,
        Scenario::Highway,
        Scenario::Junction,
        Scenario::Street,
    ];
    let mut collisions = Vec::new();
    let (mut distance_m, mut stuck, mut admitted) = (0.0, 0, 0);
    let worlds = (minutes / 2.0).round() as u64;
    for index in 0..worlds {
        let kind = kinds[index as usize % kinds.len()];
        let mut world = kind.world(Seed(900 + index)).unwrap();
        let mut met: Vec<(u32, u32)> = Vec::new();
        let mut still: BTreeMap<u32, u32> = BTreeMap::new();
        for step in 0..1200 {
            world.step();
            for pair in world.overlaps() {
                if !met.contains(&pair) {
                    met.push(pair);
                    let who = |id: u32| {
                        let them = world.vehicles.iter().find(|vehicle| vehicle.id == id)?;
                        let (state, lane) = (them.state(), them.lane());
                        let lane = world.network.map.lanes()[lane].id.to_string();
                        let changes = them.change.is_some();
                        Some(format!(
                            "{id}: {:?} {:.1} m long at {:.1}, {:.1} heading {:.2}, {:.1} m/s, lane {lane}, {:.2} m beside, changing {changes}",
                            them.body,
                            them.length,
                            state.position.x,
                            state.position.y,
                            state.heading,
                            them.speed(),
                            them.offset
                        ))
                    };
                    let both = [pair.0, pair.1].map(|id| who(id).unwrap_or_default());
                    collisions.push((kind, 900 + index, step, both));
                }
            }
            let at_rest = world
                .vehicles
                .iter()
                .filter(|vehicle| vehicle.speed() < 0.1);
            let now: Vec<u32> = at_rest.map(|vehicle| vehicle.id).collect();
            still.retain(|id, _| now.contains(id));
            for id in now {
                *still.entry(id).or_default() += 1;
            }
            distance_m += world
                .vehicles
                .iter()
                .map(|vehicle| vehicle.speed() * 0.1)
                .sum::<f64>();
        }
        // longer than any red
        stuck += still.values().filter(|&&steps| steps > 700).count();
        admitted += world.vehicles.len();
    }
    println!(
        "{minutes} min, {:.1} vehicle-km, {} collisions, {stuck} stuck, {admitted} on the road at the end",
        distance_m / 1000.0,
        collisions.len()
    );
    for collision in &collisions {
        println!("{collision:?}");
    }
    assert!(collisions.is_empty(), "{collisions:?}");
    // one in a hundred may have found no gap for over 70 s at the end
    assert!(stuck * 100 <= admitted, "{stuck} of {admitted} stand");
}

#[test]
fn a_lone_vehicle_on_a_map_without_successors_drives_on() {
    let piece = |id: &str, from: f64, to: f64| {
        let line = Polyline::new([dvec2(from, 0.0), dvec2(to, 0.0)]).unwrap();
        Lane::new(id, LaneKind::Street, line)
    };
    let map = Map::build(MapParts {
        lanes: vec![piece("a", 0.0, 30.0), piece("b", 30.5, 60.0)],
        ..MapParts::default()
    });
    let mut states = vec![None; 101];
    states[0] = Some(State::along(Pose::at(5.0, 0.4, 0.0), 10.0));
    let scene = Scene {
        dt_s: 0.1,
        frames: 101,
        map: Arc::new(map),
        agents: vec![Arc::new(Agent::new(
            "car",
            AgentKind::Vehicle,
            Track::new(states),
        ))],
        ..Scene::default()
    };
    let rolled = idm_rollout(&scene);
    let end = rolled.agents[0].track.get(100).unwrap();
    // 10 s from 10 m/s towards 13.9 m/s on 13.9: between 100 m and 139 m, on the line extended straight
    assert!(end.position.x > 105.0 && end.position.x < 144.0, "{end:?}");
    assert!(end.position.y.abs() < 0.1 && rolled.log.len() == 1);
}

#[test]
fn the_rollout_keeps_the_past_and_stops_behind_a_standing_car() {
    let bundled = super::bundled::bundled();
    for (stem, scene) in &bundled {
        let rolled = idm_rollout(scene);
        for (before, after) in scene.agents.iter().zip(&rolled.agents) {
            for frame in 0..=scene.now {
                assert_eq!(before.track.get(frame), after.track.get(frame), "{stem}");
            }
        }
    }
    let network = crossing_under_lights(plan(20.0, 26.0));
    let mut world = World::new(Arc::new(network), Seed(1));
    let approach = world.network.lane("arm0+0").unwrap();
    world.place(Placement {
        speed: 12.0,
        ..car(approach, 220.0, 0.0)
    });
    world.place(Placement {
        body: Body::Truck,
        ..car(approach, 280.0, 0.0)
    });
    let scene = world.record(&super::record::Recording {
        name: "standing",
        source: "test",
        duration_s: 10.0,
        now_s: 0.0,
        ego: None,
    });
    let rolled = idm_rollout(&scene);
    let (car, truck) = (&rolled.agents[0], &rolled.agents[1]);
    for frame in 0..scene.frames {
        let (a, b) = (car.footprint_at(frame), truck.footprint_at(frame));
        assert!(!a.unwrap().overlaps(&b.unwrap()), "frame {frame}");
    }
}

#[test]
fn at_a_flashing_red_light_everyone_stops_once_and_goes_on() {
    let straight = Polyline::new([dvec2(0.0, 0.0), dvec2(60.0, 0.0)]).unwrap();
    let onward = Polyline::new([dvec2(60.0, 0.0), dvec2(300.0, 0.0)]).unwrap();
    let mut first = Lane::new("a", LaneKind::Street, straight);
    first.successors = vec![LaneId::new("b")];
    let second = Lane::new("b", LaneKind::Street, onward);
    let mut states = vec![None; 301];
    states[0] = Some(State::along(Pose::at(10.0, 0.0, 0.0), 10.0));
    let mut scene = Scene {
        dt_s: 0.1,
        frames: 301,
        map: Arc::new(Map::build(MapParts {
            lanes: vec![first, second],
            ..MapParts::default()
        })),
        agents: vec![Arc::new(Agent::new(
            "car",
            AgentKind::Vehicle,
            Track::new(states),
        ))],
        ..Scene::default()
    };
    let mut end_under = |shown: SignalState| {
        let signal = Signal::new(LaneId::new("b"), None, vec![shown; 301]);
        scene.signals = Arc::new(vec![signal]);
        let rolled = idm_rollout(&scene);
        let track = rolled.agents[0].track.clone();
        let slowest = track.valid().map(|(_, state)| state.speed());
        (
            slowest.fold(f64::INFINITY, f64::min),
            track.get(300).unwrap().position.x,
        )
    };
    let (slowest, end) = end_under(SignalState::FlashingRed);
    assert!(slowest < 0.3 && end > 150.0, "{slowest} {end}");
    let (_, end) = end_under(SignalState::Red);
    assert!(end < 60.0, "{end}");
}
