//! Random scenes: a network, its traffic, a warm-up, and a recording with an ego.

use std::f64::consts::{FRAC_PI_2, PI, TAU};
use std::sync::Arc;

use super::build::{Builder, End, PARKING_WIDTH, Profile, Road};
use super::curve::Pen;
use super::junction::{Arm, Control};
use super::network::{Network, SignalPlan};
use super::record::Recording;
use super::world::{Demand, World};
use crate::geometry::{DVec2, Polyline, Pose, dvec2};
use crate::map::LaneKind;
use crate::rng::{Purpose, Seed, Stream};
use crate::scene::Scene;

/// Kinds of random scenes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Four or three arms with lights, priority or stop signs.
    Junction,
    /// A one-lane roundabout.
    Roundabout,
    /// A motorway with an on-ramp.
    Merge,
    /// A motorway or arterial without junctions.
    Highway,
    /// A street with parked cars and a zebra crossing.
    Street,
}

impl Scenario {
    /// Draws a kind: junctions half of the time.
    pub fn drawn(draw: &mut Stream) -> Self {
        match draw.below(10) {
            0..=4 => Self::Junction,
            5 => Self::Roundabout,
            6 => Self::Merge,
            7 | 8 => Self::Highway,
            _ => Self::Street,
        }
    }

    /// The word in scene names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Junction => "junction",
            Self::Roundabout => "roundabout",
            Self::Merge => "merge",
            Self::Highway => "highway",
            Self::Street => "street",
        }
    }

    /// A world of this kind with traffic coming in, not yet warmed up.
    pub fn world(self, seed: Seed) -> Option<World> {
        let mut draw = seed.substream(Purpose::Traffic, u64::MAX);
        match self {
            Self::Junction => junction(seed, &mut draw),
            Self::Roundabout => roundabout(seed, &mut draw),
            Self::Merge => merge(seed, &mut draw),
            Self::Highway => highway(seed, &mut draw),
            Self::Street => street(seed, &mut draw),
        }
    }
}

/// The `index`-th random scene under `seed`: `duration_s` long, the present at 2 s, the ego one of the cars that
/// stay and move most. `None` if no car is there to be the ego.
pub fn simulate(seed: Seed, index: u64, duration_s: f64) -> Option<Scene> {
    let mut draw = seed.substream(Purpose::Traffic, index);
    let own = Seed(draw.bits());
    let kind = Scenario::drawn(&mut draw);
    let mut world = kind.world(own)?;
    world.run(draw.uniform(25.0, 60.0));
    let name = format!("{} {}-{index}", kind.word(), seed.0);
    let mut scene = world.record(&Recording {
        name: &name,
        source: "Nearmiss traffic world",
        duration_s,
        now_s: 2.0,
        ego: None,
    });
    let middle = dvec2(0.0, 0.0);
    let ego = scene
        .agents
        .iter()
        .filter(|agent| agent.category.as_deref() == Some("car"))
        .filter(|agent| agent.track.get(scene.now).is_some())
        .max_by(|a, b| {
            let worth = |agent: &crate::scene::Agent| {
                let near = agent
                    .track
                    .get(scene.now)
                    .map_or(0.0, |state| state.position.distance(middle));
                agent.track.valid().count() as f64 + agent.track.travelled() - 0.3 * near
            };
            worth(a).total_cmp(&worth(b))
        })
        .map(|agent| agent.id.clone())?;
    scene.set_ego(&ego);
    Some(scene)
}

fn entries(network: &Network, bikes: bool) -> Vec<usize> {
    let map = network.map.lanes();
    let wanted = |lane: &usize| {
        let bike = map[*lane].kind == LaneKind::Bike;
        bike == bikes && network.links[*lane].junction.is_none()
    };
    network.entries().into_iter().filter(wanted).collect()
}

/// A world with moderate demand: `per_hour` vehicles an hour and lane, a tenth of that on bicycle lanes.
fn populated(network: Network, seed: Seed, per_hour: f64, trucks: f64) -> World {
    let lanes = entries(&network, false);
    let mut demand = Demand::uniform(&lanes, per_hour, trucks);
    for lane in entries(&network, true) {
        demand.entries.push((lane, 0.2 * per_hour / 3600.0));
        demand.waiting.push(0);
    }
    let mut world = World::new(Arc::new(network), seed);
    world.demand = Some(demand);
    world
}

/// A road that ends at the junction in the origin: `gap` metres from it along `angle`, `length` metres long,
/// curved by `bend` (1/m) away from it.
fn arm_line(angle: f64, gap: f64, length: f64, bend: f64) -> Option<Polyline> {
    let start = Pose::new(DVec2::from_angle(angle) * gap, angle);
    let out = Pen::at(start)
        .line(0.35 * length)
        .bend(0.25 * length, 0.0, bend)
        .bend(0.4 * length, bend, bend)
        .finish()?;
    Polyline::new(out.points().iter().rev().copied())
}

fn junction(seed: Seed, draw: &mut Stream) -> Option<World> {
    let mut builder = Builder::default();
    let count = if draw.chance(0.7) { 4 } else { 3 };
    let major_lanes = 1 + draw.below(3);
    let minor_lanes = if major_lanes > 1 {
        1 + draw.below(2)
    } else {
        1
    };
    let bikes = draw.chance(0.3);
    let tilt = draw.uniform(0.0, TAU);
    let skew = draw.uniform(-0.18, 0.18);
    let pockets = major_lanes > 1 && draw.chance(0.6);
    let crossings = draw.chance(0.7);
    let mut roads: Vec<Road> = Vec::new();
    for index in 0..count {
        let major = index % 2 == 0;
        let lanes = if major { major_lanes } else { minor_lanes };
        let other = if major { minor_lanes } else { major_lanes };
        let pocket = major && pockets;
        let profile = Profile {
            bike: bikes,
            shift: if pocket { 1.75 } else { 0.0 },
            speed_limit: if major { 13.9 } else { 11.1 },
            ..Profile::street(lanes + usize::from(pocket), lanes)
        };
        let widest =
            other as f64 * 3.5 + if pockets { 1.75 } else { 0.0 } + if bikes { 2.0 } else { 0.3 };
        let angle = tilt + FRAC_PI_2 * index as f64 + if major { 0.0 } else { skew };
        let bend = draw.uniform(-0.006, 0.006);
        let reference = arm_line(
            angle,
            widest + draw.uniform(6.5, 9.0),
            draw.uniform(110.0, 150.0),
            bend,
        )?;
        roads.push(builder.road(&format!("arm{index}"), &reference, profile));
    }
    let arms: Vec<Arm<'_>> = roads
        .iter()
        .enumerate()
        .map(|(index, road)| Arm {
            pocket: pockets && index % 2 == 0,
            crossing: crossings,
            ..Arm::new(road, End::Finish)
        })
        .collect();
    let lights = major_lanes > 1 || minor_lanes > 1 || draw.chance(0.4);
    let control = if lights {
        Control::Signals {
            groups: (0..count).map(|index| index % 2).collect(),
            plan: SignalPlan {
                greens_s: vec![draw.uniform(18.0, 32.0), draw.uniform(14.0, 22.0)],
                yellow_s: 3.0,
                all_red_s: 2.5,
                offset_s: draw.uniform(0.0, 60.0),
            },
        }
    } else if draw.chance(0.25) {
        Control::AllStop
    } else {
        Control::Priority {
            major: (0..count).map(|index| index % 2 == 0).collect(),
            stop: draw.chance(0.5),
        }
    };
    builder.junction("x", &arms, &control);
    let per_hour = draw.uniform(150.0, if lights { 480.0 } else { 320.0 });
    let mut world = populated(builder.finish(&[]), seed, per_hour, 0.08);
    world.walkers_per_s = if crossings {
        draw.uniform(0.0, 0.03)
    } else {
        0.0
    };
    Some(world)
}

fn roundabout(seed: Seed, draw: &mut Stream) -> Option<World> {
    let mut builder = Builder::default();
    let radius = draw.uniform(15.0, 22.0);
    let count = 3 + draw.below(2);
    let tilt = draw.uniform(0.0, TAU);
    let mut roads = Vec::new();
    for index in 0..count {
        let angle = tilt + TAU * index as f64 / count as f64 + draw.uniform(-0.12, 0.12);
        let bend = draw.uniform(-0.006, 0.006);
        let reference = arm_line(angle, radius + draw.uniform(9.0, 12.0), 120.0, bend)?;
        let profile = Profile {
            speed_limit: 12.5,
            ..Profile::street(1, 1)
        };
        roads.push(builder.road(&format!("arm{index}"), &reference, profile));
    }
    if draw.chance(0.6) {
        for road in &roads {
            builder.crossing(road, road.reference.length() - 9.0, 3.5, None);
        }
    }
    let arms: Vec<Arm<'_>> = roads
        .iter()
        .map(|road| Arm::new(road, End::Finish))
        .collect();
    builder.roundabout("ring", DVec2::ZERO, radius, &arms);
    let per_hour = draw.uniform(120.0, 380.0);
    let mut world = populated(builder.finish(&[]), seed, per_hour, 0.05);
    world.walkers_per_s = draw.uniform(0.0, 0.02);
    Some(world)
}

fn merge(seed: Seed, draw: &mut Stream) -> Option<World> {
    let mut builder = Builder::default();
    let lanes = 2 + draw.below(2);
    let limit = draw.uniform(22.0, 31.0);
    let side = lanes as f64 * 3.6;
    let pen = Pen::at(Pose::at(-330.0, 0.0, 0.0)).line(230.0);
    let first = pen.clone().finish()?;
    let pen = Pen::at(pen.pose()).line(draw.uniform(180.0, 260.0));
    let second = pen.clone().finish()?;
    let bend = draw.uniform(-0.0015, 0.0015);
    let third = Pen::at(pen.pose())
        .line(60.0)
        .bend(80.0, 0.0, bend)
        .bend(160.0, bend, bend)
        .finish()?;
    let before = builder.road("main", &first, Profile::freeway(lanes, limit));
    let beside = builder.road("beside", &second, Profile::freeway(lanes + 1, limit));
    let after = builder.road("after", &third, Profile::freeway(lanes, limit));
    builder.weld(&before, &beside);
    builder.weld(&beside, &after);
    let start = Pose::new(dvec2(-100.0, -side - 1.8), PI);
    let tight = draw.uniform(0.004, 0.009);
    let ramp = Pen::at(start)
        .line(20.0)
        .bend(40.0, 0.0, tight)
        .bend(90.0, tight, tight)
        .bend(40.0, tight, 0.0)
        .line(60.0)
        .finish()?;
    let ramp = Polyline::new(ramp.points().iter().rev().copied())?.shifted(1.8)?;
    let ramp = builder.road("ramp", &ramp, Profile::freeway(1, 0.8 * limit));
    builder.join(ramp.forward[0], beside.forward[lanes]);
    let dead_end = beside.forward[lanes];
    let network = builder.finish(&[dead_end]);
    let per_hour = draw.uniform(500.0, 1200.0);
    let mut world = populated(network, seed, per_hour, 0.12);
    if let Some(demand) = &mut world.demand {
        for (lane, rate) in &mut demand.entries {
            if *lane == ramp.forward[0] {
                *rate = draw.uniform(200.0, 450.0) / 3600.0;
            }
        }
    }
    Some(world)
}

fn highway(seed: Seed, draw: &mut Stream) -> Option<World> {
    let mut builder = Builder::default();
    let lanes = 2 + draw.below(3);
    let limit = draw.uniform(16.0, 33.0);
    let bend = draw.uniform(-1.5, 1.5) / (limit * limit);
    let reference = Pen::at(Pose::at(-300.0, 0.0, 0.0))
        .line(150.0)
        .bend(90.0, 0.0, bend)
        .bend(160.0, bend, bend)
        .bend(90.0, bend, 0.0)
        .line(150.0)
        .finish()?;
    builder.road("road", &reference, Profile::freeway(lanes, limit));
    let per_hour = draw.uniform(500.0, 1500.0);
    Some(populated(builder.finish(&[]), seed, per_hour, 0.12))
}

fn street(seed: Seed, draw: &mut Stream) -> Option<World> {
    let mut builder = Builder::default();
    let bend = draw.uniform(-0.01, 0.01);
    let reference = Pen::at(Pose::at(-130.0, 0.0, 0.0))
        .line(140.0)
        .bend(30.0, 0.0, bend)
        .bend(60.0, bend, bend)
        .bend(30.0, bend, 0.0)
        .line(30.0)
        .finish()?;
    let profile = Profile {
        parking: true,
        bike: draw.chance(0.4),
        speed_limit: draw.uniform(8.3, 13.9),
        ..Profile::street(1, 1)
    };
    let road = builder.road("road", &reference, profile);
    let crossing_s = draw.uniform(90.0, 180.0);
    builder.crossing(&road, crossing_s, 4.0, None);
    let network = builder.finish(&[]);
    let per_hour = draw.uniform(150.0, 500.0);
    let mut world = populated(network, seed, per_hour, 0.05);
    world.walkers_per_s = draw.uniform(0.01, 0.06);
    let inset = PARKING_WIDTH / 2.0 + 0.15;
    for (edge, turned) in [
        (profile.right_edge() + inset, false),
        (profile.left_edge() - inset, true),
    ] {
        let mut s = draw.uniform(8.0, 20.0);
        while s < reference.length() - 10.0 {
            let length = draw.uniform(4.1, 5.4);
            if (s - crossing_s).abs() > 9.0 && draw.chance(0.6) {
                let pose = reference.pose_at(s);
                let heading = pose.heading + if turned { PI } else { 0.0 } + 0.02 * draw.normal();
                let point = pose.point + pose.left() * (edge + 0.06 * draw.normal());
                world.park(Pose::new(point, heading), length, draw.uniform(1.75, 1.95));
            }
            s += length + draw.uniform(0.9, 3.5);
        }
    }
    Some(world)
}
