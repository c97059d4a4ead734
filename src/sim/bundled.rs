//! The nine scenes that come with the program, made by the traffic world.
//!
//! Each is 12 s at 10 Hz with the present at 2 s and the ego marked. [`bundled`] builds them anew; the files in
//! `scenes/` hold the same and are part of the program as [`BUNDLED`].

use std::sync::Arc;

use super::build::{Builder, End, PARKING_WIDTH, Profile, Road};
use super::curve::Pen;
use super::driver::{Body, Driver};
use super::junction::{Arm, Control};
use super::network::{Network, SignalPlan, Turn};
use super::record::Recording;
use super::world::{Placement, World};
use crate::geometry::{DVec2, Polyline, Pose, dvec2};
use crate::rng::Seed;
use crate::scene::Scene;

/// File stem and text of each bundled scene; the first is the one to open at the start.
pub const BUNDLED: [(&str, &str); 9] = [
    ("left-turn", include_str!("../../scenes/left-turn.json")),
    ("merge", include_str!("../../scenes/merge.json")),
    ("cut-in", include_str!("../../scenes/cut-in.json")),
    ("roundabout", include_str!("../../scenes/roundabout.json")),
    ("crosswalk", include_str!("../../scenes/crosswalk.json")),
    ("dense-queue", include_str!("../../scenes/dense-queue.json")),
    ("parked-cars", include_str!("../../scenes/parked-cars.json")),
    ("empty-road", include_str!("../../scenes/empty-road.json")),
    ("detour", include_str!("../../scenes/detour.json")),
];

type Maker = fn() -> Option<Scene>;

/// Builds the bundled scenes: file stem and scene, in the order of [`BUNDLED`].
pub fn bundled() -> Vec<(&'static str, Scene)> {
    let makers: [(&str, Maker); 9] = [
        ("left-turn", left_turn),
        ("merge", merge),
        ("cut-in", cut_in),
        ("roundabout", roundabout),
        ("crosswalk", crosswalk),
        ("dense-queue", dense_queue),
        ("parked-cars", parked_cars),
        ("empty-road", empty_road),
        ("detour", super::detour::detour),
    ];
    makers
        .into_iter()
        .filter_map(|(stem, make)| Some((stem, make()?)))
        .collect()
}

fn record(mut world: World, name: &str, ego: Option<u32>) -> Scene {
    world.record(&Recording {
        name,
        source: "Nearmiss traffic world, bundled",
        duration_s: 12.0,
        now_s: 2.0,
        ego,
    })
}

fn line(from: DVec2, to: DVec2) -> Option<Polyline> {
    let way = to - from;
    Pen::at(Pose::new(from, way.to_angle()))
        .line(way.length())
        .finish()
}

/// Places vehicles by lane name; unknown lanes are skipped.
struct Cast {
    world: World,
}

impl Cast {
    fn on(network: Network, seed: u64) -> Self {
        Self {
            world: World::new(Arc::new(network), Seed(seed)),
        }
    }

    fn put(&mut self, body: Body, lane: &str, s: f64, speed: f64, wishes: &[Turn]) -> Option<u32> {
        let driver = None;
        self.put_driver(body, lane, (s, speed), wishes, driver)
    }

    fn put_driver(
        &mut self,
        body: Body,
        lane: &str,
        (s, speed): (f64, f64),
        wishes: &[Turn],
        driver: Option<Driver>,
    ) -> Option<u32> {
        let lane = self.world.network.lane(lane)?;
        self.world.place(Placement {
            body,
            lane,
            s,
            speed,
            wishes: wishes.to_vec(),
            driver,
            size: None,
        })
    }

    fn walk(&mut self, points: &[(f64, f64)], s: f64, pace: f64, hesitation: f64) {
        let path = Polyline::new(points.iter().map(|&(x, y)| dvec2(x, y)));
        if let Some(path) = path {
            self.world.walk(path, s, pace, hesitation);
        }
    }
}

/// A signalised crossroads, turn lanes on the west and east arms, crossings on all but the west arm.
fn crossroads(builder: &mut Builder, plan: SignalPlan) -> Option<()> {
    let pocket = Profile {
        shift: 1.75,
        ..Profile::street(2, 1)
    };
    let street = Profile::street(1, 1);
    let mut approaches: Vec<Road> = Vec::new();
    for (name, sign) in [("west", -1.0), ("east", 1.0)] {
        let outer = line(dvec2(sign * 150.0, 0.0), dvec2(sign * 85.0, 0.0))?;
        let inner = line(dvec2(sign * 60.0, 0.0), dvec2(sign * 12.5, 0.0))?;
        let outer = builder.road(&format!("{name}-outer"), &outer, street);
        let inner = builder.road(name, &inner, pocket);
        builder.taper(&format!("{name}-taper"), &outer, &inner, &[(0, 0), (0, 1)]);
        approaches.push(inner);
    }
    for (name, sign) in [("south", -1.0), ("north", 1.0)] {
        let road = line(dvec2(0.0, sign * 130.0), dvec2(0.0, sign * 14.0))?;
        approaches.push(builder.road(name, &road, street));
    }
    let arms: Vec<Arm<'_>> = approaches
        .iter()
        .enumerate()
        .map(|(index, road)| Arm {
            pocket: index < 2,
            crossing: index > 0,
            ..Arm::new(road, End::Finish)
        })
        .collect();
    let control = Control::Signals {
        groups: vec![0, 0, 1, 1],
        plan,
    };
    builder.junction("x", &arms, &control);
    Some(())
}

fn left_turn() -> Option<Scene> {
    use Turn::{Left, Right, Straight};
    let mut builder = Builder::default();
    crossroads(
        &mut builder,
        SignalPlan {
            greens_s: vec![26.0, 18.0],
            yellow_s: 3.0,
            all_red_s: 2.0,
            offset_s: 6.0,
        },
    )?;
    let mut cast = Cast::on(builder.finish(&[]), 11);
    let ego = cast.put_driver(
        Body::Car,
        "west+0",
        (4.0, 9.0),
        &[Left],
        Some(Driver::average(Body::Car)),
    );
    cast.put(Body::Car, "west+1", 20.0, 11.0, &[Straight]);
    cast.put(Body::Van, "west-outer+0", 40.0, 11.5, &[Straight, Straight]);
    cast.put(Body::Car, "west-outer+0", 14.0, 12.0, &[Left, Left]);
    cast.put(Body::Car, "east+1", 38.0, 11.5, &[Straight]);
    cast.put(Body::Truck, "east+1", 8.0, 11.5, &[Straight]);
    cast.put(Body::Car, "east+0", 30.0, 6.0, &[Left]);
    cast.put(Body::Car, "east-outer+0", 52.0, 12.0, &[Straight, Straight]);
    cast.put(Body::Car, "south+0", 107.5, 0.0, &[Straight]);
    cast.put(Body::Van, "south+0", 100.0, 0.0, &[Right]);
    cast.put(Body::Car, "south+0", 70.0, 8.0, &[Straight]);
    cast.put(Body::Car, "north+0", 107.5, 0.0, &[Left]);
    cast.put(Body::Car, "north+0", 84.0, 6.0, &[Straight]);
    cast.put(Body::Car, "north-0", 40.0, 11.0, &[]);
    cast.put(Body::Car, "south-0", 60.0, 12.0, &[]);
    // two people cross the north arm while east and west have green, one walks along the street
    cast.walk(
        &[
            (7.5, 22.0),
            (5.4, 16.8),
            (-5.4, 16.8),
            (-14.0, 17.6),
            (-60.0, 7.2),
        ],
        3.5,
        1.4,
        0.0,
    );
    cast.walk(
        &[(-5.4, 27.0), (-5.4, 16.6), (5.4, 16.6), (5.6, 30.0)],
        5.0,
        1.15,
        5.5,
    );
    cast.walk(&[(60.0, -7.0), (20.0, -7.0), (8.0, -20.0)], 5.0, 1.4, 0.0);
    cast.world.run(1.0);
    Some(record(cast.world, "Unprotected left turn", ego))
}

fn merge() -> Option<Scene> {
    let mut builder = Builder::default();
    let limit = 25.0;
    let pen = Pen::at(Pose::at(-320.0, 0.0, 0.0)).line(200.0);
    let first = pen.clone().finish()?;
    let pen = Pen::at(pen.pose()).line(190.0);
    let second = pen.clone().finish()?;
    let pen = Pen::at(pen.pose()).line(60.0).bend(260.0, 0.0, 0.0012);
    let third = pen.finish()?;
    let before = builder.road("main", &first, Profile::freeway(2, limit));
    let beside = builder.road("beside", &second, Profile::freeway(3, limit));
    let after = builder.road("after", &third, Profile::freeway(2, limit));
    builder.weld(&before, &beside);
    builder.weld(&beside, &after);
    // the ramp is drawn backwards from the start of the acceleration lane, then turned round
    let start = Pose::at(-120.0, -9.0, std::f64::consts::PI);
    let ramp = Pen::at(start)
        .line(20.0)
        .bend(40.0, 0.0, 0.006)
        .bend(110.0, 0.006, 0.006)
        .bend(40.0, 0.006, 0.0)
        .line(40.0)
        .finish()?;
    let ramp = Polyline::new(ramp.points().iter().rev().copied())?.shifted(1.8)?;
    let ramp = builder.road(
        "ramp",
        &ramp,
        Profile {
            speed_limit: 19.4,
            ..Profile::freeway(1, 19.4)
        },
    );
    builder.join(ramp.forward[0], beside.forward[2]);
    let dead_end = beside.forward[2];
    let mut cast = Cast::on(builder.finish(&[dead_end]), 23);
    let ego = cast.put_driver(
        Body::Car,
        "ramp+0",
        (205.0, 17.0),
        &[],
        Some(Driver {
            speed_factor: 1.05,
            ..Driver::average(Body::Car)
        }),
    );
    cast.put(Body::Van, "ramp+0", 172.0, 17.0, &[]);
    cast.put(Body::Car, "beside+2", 12.0, 18.5, &[]);
    for (index, s) in [8.0, 38.0, 68.0, 100.0, 186.0].into_iter().enumerate() {
        let body = if index == 2 { Body::Truck } else { Body::Car };
        cast.put(body, "main+1", s, 21.0, &[]);
    }
    for s in [30.0, 84.0, 140.0] {
        cast.put(Body::Car, "main+0", s, 25.0, &[]);
    }
    cast.put(Body::Truck, "beside+1", 30.0, 20.5, &[]);
    cast.put(Body::Car, "beside+1", 75.0, 22.0, &[]);
    cast.put(Body::Car, "beside+0", 20.0, 25.0, &[]);
    cast.put(Body::Car, "beside+0", 96.0, 25.0, &[]);
    cast.put(Body::Car, "beside+1", 140.0, 22.5, &[]);
    cast.put(Body::Car, "after+0", 8.0, 25.0, &[]);
    cast.world.run(1.0);
    Some(record(cast.world, "Motorway merge", ego))
}

fn cut_in() -> Option<Scene> {
    let mut builder = Builder::default();
    let road = Pen::at(Pose::at(-180.0, 0.0, 0.0))
        .line(120.0)
        .bend(60.0, 0.0, 0.0016)
        .bend(180.0, 0.0016, 0.0016)
        .bend(60.0, 0.0016, 0.0)
        .line(120.0)
        .finish()?;
    let profile = Profile {
        speed_limit: 22.2,
        ..Profile::freeway(3, 22.2)
    };
    builder.road("road", &road, profile);
    let network = builder.finish(&[]);
    let middle = network.lane("road+1")?;
    let mut cast = Cast::on(network, 31);
    let calm = Driver {
        mobil: super::idm::Mobil {
            threshold: 9.0,
            ..super::idm::Mobil::usual()
        },
        speed_factor: 0.97,
        ..Driver::average(Body::Car)
    };
    let ego = cast.put_driver(Body::Car, "road+1", (60.0, 20.5), &[], Some(calm));
    let quick = Driver {
        speed_factor: 1.12,
        ..calm
    };
    let cutter = cast.put_driver(Body::Car, "road+2", (68.0, 22.5), &[], Some(quick))?;
    for (body, lane, s, speed, factor) in [
        (Body::Truck, "road+2", 128.0, 17.5, 0.78),
        (Body::Car, "road+2", 165.0, 18.0, 0.82),
        (Body::Car, "road+1", 118.0, 20.5, 0.94),
        (Body::Van, "road+1", 165.0, 20.5, 0.93),
        (Body::Car, "road+1", 22.0, 20.5, 0.98),
        (Body::Car, "road+0", 30.0, 23.5, 1.08),
        (Body::Car, "road+0", 82.0, 23.5, 1.07),
        (Body::Car, "road+0", 150.0, 23.5, 1.06),
        (Body::Truck, "road+2", 15.0, 18.5, 0.84),
    ] {
        let driver = Driver {
            speed_factor: factor,
            wander_m: 0.08,
            ..Driver {
                idm: Driver::average(body).idm,
                ..calm
            }
        };
        cast.put_driver(body, lane, (s, speed), &[], Some(driver));
    }
    let mut world = cast.world;
    world.run(1.0);
    // 0.7 s after the present, into the gap ahead of the ego
    world.orders.push((world.time_s + 2.7, cutter, middle));
    Some(record(world, "Cut-in", ego))
}

fn roundabout() -> Option<Scene> {
    use Turn::{Right, Straight};
    let mut builder = Builder::default();
    let radius = 17.0;
    let mut roads = Vec::new();
    for (name, angle) in [
        ("east", 0.06_f64),
        ("north", 1.62),
        ("west", 3.2),
        ("south", 4.65),
    ] {
        let way = DVec2::from_angle(angle);
        let road = line(way * 120.0, way * (radius + 10.0))?;
        roads.push(builder.road(
            name,
            &road,
            Profile {
                speed_limit: 11.1,
                ..Profile::street(1, 1)
            },
        ));
    }
    for road in [&roads[0], &roads[3]] {
        builder.crossing(road, road.reference.length() - 8.0, 3.5, None);
    }
    let arms: Vec<Arm<'_>> = roads
        .iter()
        .map(|road| Arm::new(road, End::Finish))
        .collect();
    builder.roundabout("ring", dvec2(0.0, 0.0), radius, &arms);
    let mut cast = Cast::on(builder.finish(&[]), 41);
    let ego = cast.put_driver(
        Body::Car,
        "south+0",
        (52.0, 9.0),
        &[Straight, Straight, Straight, Right],
        Some(Driver::average(Body::Car)),
    );
    let on = [Straight, Straight, Straight, Straight, Right];
    cast.put(Body::Car, "ring:ring5", 6.0, 6.5, &[Right]);
    cast.put(
        Body::Car,
        "ring:ring4",
        4.0,
        6.5,
        &[Straight, Straight, Straight, Right],
    );
    cast.put(
        Body::Van,
        "ring:ring2",
        9.0,
        6.5,
        &[Straight, Straight, Straight, Right],
    );
    cast.put(
        Body::Car,
        "ring:ring1",
        1.0,
        6.5,
        &[Straight, Straight, Right],
    );
    cast.put(Body::Bicycle, "ring:ring7", 6.0, 4.5, &[Right]);
    cast.put(Body::Car, "west+0", 78.0, 6.0, &on);
    cast.put(Body::Car, "west+0", 60.0, 8.0, &[Right]);
    cast.put(Body::Car, "north+0", 70.0, 8.0, &on);
    cast.put(
        Body::Truck,
        "north+0",
        40.0,
        9.5,
        &[Straight, Straight, Right],
    );
    cast.put(Body::Car, "east+0", 62.0, 8.5, &on);
    cast.put(Body::Car, "east+0", 40.0, 10.0, &[Right]);
    cast.put(Body::Car, "south+0", 30.0, 10.0, &[Straight, Right]);
    cast.put(Body::Car, "south-0", 40.0, 10.0, &[]);
    cast.put(Body::Car, "north-0", 30.0, 10.0, &[]);
    let kerb = roads[3].kerbs(End::Finish);
    let back = DVec2::from_angle(4.65) * 8.0;
    let (a, b) = (kerb[0] + back, kerb[1] + back);
    let away = (a - b).normalize_or_zero() * 1.2;
    let far = DVec2::from_angle(4.65) * 25.0;
    let stroll = [a + away + far, a + away, b - away, b - away + far];
    if let Some(path) = Polyline::new(stroll) {
        cast.world.walk(path, 14.0, 1.35, 0.3);
    }
    cast.world.run(1.0);
    Some(record(cast.world, "Roundabout", ego))
}

fn crosswalk() -> Option<Scene> {
    let mut builder = Builder::default();
    let reference = Pen::at(Pose::at(-120.0, 0.0, 0.0))
        .line(150.0)
        .bend(40.0, 0.0, 0.012)
        .bend(40.0, 0.012, 0.0)
        .line(20.0)
        .finish()?;
    let profile = Profile {
        parking: true,
        speed_limit: 11.1,
        ..Profile::street(1, 1)
    };
    let road = builder.road("road", &reference, profile);
    builder.crossing(&road, 120.0, 4.0, None);
    let mut cast = Cast::on(builder.finish(&[]), 53);
    let kerb = profile.left_edge();
    let middle = kerb - PARKING_WIDTH / 2.0 - 0.15;
    for (x, y, turned, van) in [
        (-60.0, -middle, false, false),
        (-38.0, -middle, false, false),
        (-20.0, -middle, false, false),
        (-9.0, -middle, false, true),
        (12.0, -middle, false, false),
        (24.0, -middle, false, false),
        (-46.0, middle, true, false),
        (-25.0, middle, true, true),
        (10.0, middle, true, false),
        (17.0, middle, true, false),
    ] {
        let heading = if turned { std::f64::consts::PI } else { 0.0 };
        let (length, width) = if van { (5.8, 2.05) } else { (4.5, 1.82) };
        cast.world.park(Pose::at(x, y, heading), length, width);
    }
    let ego = cast.put_driver(
        Body::Car,
        "road+0",
        (62.0, 10.5),
        &[],
        Some(Driver::average(Body::Car)),
    );
    cast.put(Body::Car, "road+0", 36.0, 10.5, &[]);
    cast.put(Body::Car, "road-0", 64.0, 10.0, &[]);
    cast.put(Body::Van, "road-0", 38.0, 10.5, &[]);
    cast.put(Body::Bicycle, "road+0", 150.0, 4.5, &[]);
    let (side, end) = (kerb + 0.8, kerb + 1.6);
    // from behind the parked van, from the other side, and a pair that follows
    cast.walk(
        &[
            (-16.0, -end),
            (-1.0, -side),
            (-1.2, -kerb),
            (-1.2, kerb),
            (0.0, side),
            (30.0, end),
        ],
        12.8,
        1.45,
        0.2,
    );
    cast.walk(
        &[
            (14.0, end),
            (1.2, side),
            (0.9, kerb),
            (0.9, -kerb),
            (-1.0, -side),
            (-30.0, -end),
        ],
        4.0,
        1.25,
        0.5,
    );
    cast.walk(
        &[
            (20.0, end),
            (2.2, side),
            (1.9, kerb),
            (1.9, -kerb),
            (1.0, -side),
            (40.0, -end),
        ],
        5.0,
        1.1,
        0.8,
    );
    cast.walk(&[(-70.0, -end), (60.0, -end)], 10.0, 1.35, 0.0);
    cast.walk(&[(40.0, end + 0.4), (-60.0, end + 0.4)], 10.0, 1.5, 0.0);
    cast.world.run(0.5);
    Some(record(cast.world, "Zebra crossing", ego))
}

fn dense_queue() -> Option<Scene> {
    use Turn::{Left, Right, Straight};
    let mut builder = Builder::default();
    let arterial = Profile {
        shift: 1.75,
        ..Profile::street(3, 2)
    };
    let mut roads = Vec::new();
    for (name, from, to, profile) in [
        ("west", dvec2(-150.0, 0.0), dvec2(-13.0, 0.0), arterial),
        ("east", dvec2(150.0, 0.0), dvec2(13.0, 0.0), arterial),
        (
            "south",
            dvec2(0.0, -100.0),
            dvec2(0.0, -16.5),
            Profile::street(1, 1),
        ),
        (
            "north",
            dvec2(0.0, 100.0),
            dvec2(0.0, 16.5),
            Profile::street(1, 1),
        ),
    ] {
        roads.push(builder.road(name, &line(from, to)?, profile));
    }
    let arms: Vec<Arm<'_>> = roads
        .iter()
        .enumerate()
        .map(|(index, road)| Arm {
            pocket: index < 2,
            crossing: index != 1,
            ..Arm::new(road, End::Finish)
        })
        .collect();
    let plan = SignalPlan {
        greens_s: vec![24.0, 14.0],
        yellow_s: 3.0,
        all_red_s: 2.0,
        offset_s: 48.0 - 4.0,
    };
    let control = Control::Signals {
        groups: vec![0, 0, 1, 1],
        plan,
    };
    builder.junction("x", &arms, &control);
    let mut cast = Cast::on(builder.finish(&[]), 67);
    let mut ego = None;
    for (lane, wish, start) in [
        ("west+0", Left, 128.0),
        ("west+1", Straight, 128.3),
        ("west+2", Straight, 127.6),
    ] {
        let count = if lane == "west+0" { 3 } else { 6 };
        for place in 0..count {
            let body = match (lane, place) {
                ("west+1", 3) => Body::Van,
                ("west+2", 1) => Body::Bus,
                _ => Body::Car,
            };
            let behind = if lane == "west+2" && place > 1 {
                4.0
            } else {
                0.0
            };
            let after = if lane == "west+2" && place > 0 {
                4.0
            } else {
                0.0
            };
            let s = start - 7.4 * f64::from(place) - behind - after;
            let last = lane == "west+2" && place == count - 1;
            let id = cast.put(body, lane, s, 0.0, &[if last { Right } else { wish }]);
            if lane == "west+1" && place == 2 {
                ego = id;
            }
        }
    }
    cast.put(Body::Car, "west+1", 66.0, 6.0, &[Straight]);
    cast.put(Body::Car, "east+0", 133.0, 0.0, &[Left]);
    cast.put(Body::Car, "east+1", 133.2, 0.0, &[Straight]);
    cast.put(Body::Car, "east+1", 125.3, 0.0, &[Straight]);
    cast.put(Body::Car, "south+0", 60.0, 9.0, &[Straight]);
    cast.put(Body::Car, "north+0", 77.0, 5.0, &[Straight]);
    cast.put(Body::Car, "south-0", 30.0, 10.0, &[]);
    cast.walk(
        &[(-60.0, -10.4), (-15.8, -10.4), (-15.8, 10.4), (-60.0, 10.4)],
        26.0,
        1.4,
        0.0,
    );
    cast.world.run(1.0);
    Some(record(cast.world, "Dense queue", ego))
}

fn parked_cars() -> Option<Scene> {
    let mut builder = Builder::default();
    let reference = Pen::at(Pose::at(-110.0, 0.0, 0.0))
        .line(150.0)
        .bend(20.0, 0.0, -0.01)
        .bend(20.0, -0.01, 0.0)
        .line(30.0)
        .finish()?;
    let profile = Profile {
        lane_width: 3.0,
        speed_limit: 8.3,
        ..Profile::street(1, 1)
    };
    builder.road("road", &reference, profile);
    // between x = -42 and 38 the parked cars leave room for one direction at a time; the line is 220 m long
    builder.exclude([0, 1], [[68.0, 148.0], [220.0 - 148.0, 220.0 - 68.0]]);
    let mut cast = Cast::on(builder.finish(&[]), 71);
    let kerb = profile.left_edge();
    for (x, left, length, width) in [
        (-27.0, false, 4.6, 1.85),
        (-20.5, false, 4.2, 1.78),
        (-14.0, false, 5.6, 2.05),
        (1.5, true, 4.4, 1.8),
        (8.0, true, 4.7, 1.86),
        (14.5, true, 4.3, 1.8),
        (21.0, false, 4.5, 1.82),
        (-88.0, true, 4.5, 1.82),
        (-81.0, true, 4.4, 1.8),
    ] {
        let y = kerb - width / 2.0 - 0.1;
        let (y, heading) = if left {
            (y, std::f64::consts::PI)
        } else {
            (-y, 0.0)
        };
        cast.world.park(Pose::at(x, y, heading), length, width);
    }
    let ego = cast.put_driver(
        Body::Car,
        "road+0",
        (26.0, 7.5),
        &[],
        Some(Driver::average(Body::Car)),
    );
    cast.put(Body::Car, "road+0", 8.0, 7.5, &[]);
    cast.put(Body::Van, "road-0", 112.0, 7.0, &[]);
    cast.put(Body::Car, "road-0", 10.0, 8.0, &[]);
    cast.put(Body::Bicycle, "road+0", 168.0, 4.5, &[]);
    let end = kerb + 1.4;
    cast.walk(&[(-60.0, -end), (60.0, -end)], 20.0, 1.4, 0.0);
    cast.walk(&[(60.0, end), (-60.0, end)], 30.0, 1.2, 0.0);
    cast.world.run(0.5);
    Some(record(cast.world, "Between parked cars", ego))
}

fn empty_road() -> Option<Scene> {
    let mut builder = Builder::default();
    let reference = Pen::at(Pose::at(-140.0, -20.0, 0.25))
        .line(60.0)
        .bend(40.0, 0.0, -0.006)
        .bend(60.0, -0.006, -0.006)
        .bend(40.0, -0.006, 0.0)
        .bend(40.0, 0.0, 0.008)
        .bend(60.0, 0.008, 0.008)
        .bend(40.0, 0.008, 0.0)
        .line(60.0)
        .finish()?;
    let profile = Profile {
        sidewalk: false,
        speed_limit: 19.4,
        ..Profile::street(1, 1)
    };
    builder.road("road", &reference, profile);
    let mut cast = Cast::on(builder.finish(&[]), 83);
    let ego = cast.put_driver(
        Body::Car,
        "road+0",
        (50.0, 16.0),
        &[],
        Some(Driver::average(Body::Car)),
    );
    Some(record(cast.world, "Empty road", ego))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{scene_from_json, scene_to_json};

    /// `NEARMISS_WRITE_SCENES=1 cargo test bundled` writes the files anew after a deliberate change.
    #[test]
    fn the_files_in_scenes_are_what_the_traffic_world_makes() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes");
        let write = std::env::var_os("NEARMISS_WRITE_SCENES").is_some();
        let made = bundled();
        assert_eq!(made.len(), BUNDLED.len());
        for ((stem, scene), (name, text)) in made.iter().zip(BUNDLED) {
            assert_eq!(*stem, name);
            if write {
                crate::scene::write_scene(scene, &folder.join(format!("{stem}.json"))).unwrap();
                continue;
            }
            let stored = scene_from_json(text.as_bytes(), name).unwrap();
            assert!(text.len() < 300_000, "{name}: {} bytes", text.len());
            assert_eq!(stored.agents.len(), scene.agents.len(), "{name}");
            // same machine type: the same bytes; elsewhere the mathematics library may differ in the last bit
            if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
                assert!(scene_to_json(scene) == text, "{name} is out of date");
            }
            for (made, stored) in scene.agents.iter().zip(&stored.agents) {
                for ((_, a), (_, b)) in made.track.valid().zip(stored.track.valid()) {
                    assert!(a.position.distance(b.position) < 0.05, "{name} {}", made.id);
                }
            }
        }
    }
}
