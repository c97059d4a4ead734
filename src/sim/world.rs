//! The traffic world: everyone on a network, stepped at 10 Hz.

use std::sync::Arc;

use super::bicycle::Bicycle;
use super::driver::{Body, Driver};
use super::lane_change::{Change, SLOW_MPS};
use super::network::{Network, Turn};
use super::route::{Manner, Route};
use super::sight::Seen;
use super::walker::Walker;
use crate::geometry::{OrientedBox, Pose};
use crate::rng::{Purpose, Seed, Stream};
use crate::scene::State;

/// Time between steps, s.
pub const STEP_S: f64 = 0.1;

/// Someone driving or cycling.
#[derive(Debug, Clone)]
pub struct Vehicle {
    /// Unique in the world.
    pub id: u32,
    /// What it is.
    pub body: Body,
    /// Length, m.
    pub length: f64,
    /// Width, m.
    pub width: f64,
    /// Its driver.
    pub driver: Driver,
    /// Where it is.
    pub bicycle: Bicycle,
    /// Where it goes.
    pub route: Route,
    /// Arc length of its centre on the route, m.
    pub s: f64,
    /// Offset of its centre from the route's line, m, positive to the left.
    pub offset: f64,
    /// Acceleration of the last step, m/s².
    pub acceleration: f64,
    /// Lane change under way.
    pub change: Option<Change>,
    pub(super) last_change_s: f64,
    pub(super) wander: f64,
    pub(super) wishes: Vec<Turn>,
    pub(super) draw: Stream,
    pub(super) arrived_s: f64,
    /// Where it is held by a light or a stop sign, m on the route.
    pub(super) held_at: Option<f64>,
    pub(super) nudges: Vec<Nudge>,
}

/// A detour around something that stands beside the lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nudge {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) left: f64,
}

/// How to place a vehicle.
#[derive(Debug, Clone)]
pub struct Placement {
    /// What it is.
    pub body: Body,
    /// Lane, as a position in the network.
    pub lane: usize,
    /// Arc length of its centre on the lane, m.
    pub s: f64,
    /// Speed, m/s.
    pub speed: f64,
    /// Turns to take at the next choices.
    pub wishes: Vec<Turn>,
    /// A driver; drawn at random if absent.
    pub driver: Option<Driver>,
    /// Length and width, m; drawn at random if absent.
    pub size: Option<(f64, f64)>,
}

impl Vehicle {
    /// Arc length of the front bumper, m.
    pub fn front(&self) -> f64 {
        self.s + self.length / 2.0
    }

    /// Arc length of the rear bumper, m.
    pub fn rear(&self) -> f64 {
        self.s - self.length / 2.0
    }

    /// Speed, m/s.
    pub fn speed(&self) -> f64 {
        self.bicycle.speed
    }

    /// The lane of the route its centre is on.
    pub fn lane(&self) -> usize {
        self.route.lanes[self.route.index_at(self.s)]
    }

    /// Its state for a scene.
    pub fn state(&self) -> State {
        self.bicycle.state()
    }

    /// Where it wants to be beside the line at arc length `s`, m to the left.
    pub(super) fn planned_offset(&self, s: f64) -> f64 {
        let ahead_s = (s - self.s).max(0.0) / self.speed().max(SLOW_MPS);
        let change = self.change.map_or(0.0, |change| change.offset(ahead_s));
        let nudge = self.nudges.iter().map(|nudge| nudge.at(s)).sum::<f64>();
        self.driver.bias_m + self.wander + change + nudge
    }

    /// Whether a turn on the way is tighter than it should take: it would swing out of its lane.
    fn too_long_for_its_route(&self) -> bool {
        let sharpest = super::curve::curvatures(&self.route.line)
            .into_iter()
            .fold(0.0, f64::max);
        sharpest * self.manner().least_radius > 1.0
    }

    pub(super) fn manner(&self) -> Manner {
        manner(self.body, &self.driver, self.length)
    }
}

impl Nudge {
    /// Offset at `s`: full between the ends, smooth ramps of 14 m outside.
    fn at(&self, s: f64) -> f64 {
        let outside = (self.from - s).max(s - self.to).max(0.0) / 14.0;
        if outside >= 1.0 {
            return 0.0;
        }
        self.left * 0.5 * (1.0 + (std::f64::consts::PI * outside).cos())
    }
}

fn manner(body: Body, driver: &Driver, length: f64) -> Manner {
    Manner {
        speed_factor: driver.speed_factor,
        curve_acceleration: driver.curve_acceleration,
        length,
        top_speed: match body {
            Body::Bicycle => driver.idm.desired_speed,
            Body::Truck | Body::Bus => 22.5,
            Body::Car | Body::Van => f64::INFINITY,
        },
        least_radius: match body {
            Body::Truck => 15.0, // on less its front swings into the next lane
            Body::Bus => 16.0,
            _ => 3.5,
        },
    }
}

/// New traffic at the edges of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// Lane and vehicles per second.
    pub entries: Vec<(usize, f64)>,
    /// Share of trucks and buses among motor vehicles.
    pub truck_share: f64,
    pub(super) waiting: Vec<u32>,
}

impl Demand {
    /// The same rate on all the given lanes.
    pub fn uniform(lanes: &[usize], per_hour: f64, truck_share: f64) -> Self {
        Self {
            entries: lanes
                .iter()
                .map(|&lane| (lane, per_hour / 3600.0))
                .collect(),
            truck_share,
            waiting: vec![0; lanes.len()],
        }
    }
}

/// Everyone on a network.
#[derive(Debug, Clone)]
pub struct World {
    /// The roads.
    pub network: Arc<Network>,
    /// Time since the start, s.
    pub time_s: f64,
    /// Traffic on lanes.
    pub vehicles: Vec<Vehicle>,
    /// People on foot.
    pub walkers: Vec<Walker>,
    /// Footprints of parked cars, with their ids.
    pub parked: Vec<(u32, OrientedBox)>,
    /// New traffic.
    pub demand: Option<Demand>,
    /// People who come to each crossing, per second.
    pub walkers_per_s: f64,
    /// Lane changes to be made whatever the drivers think: time (s), vehicle id, lane.
    pub orders: Vec<(f64, u32, usize)>,
    pub(super) steps: u64,
    pub(super) draw: Stream,
    next_id: u32,
    seed: Seed,
}

impl World {
    /// An empty world.
    pub fn new(network: Arc<Network>, seed: Seed) -> Self {
        Self {
            network,
            time_s: 0.0,
            vehicles: Vec::new(),
            walkers: Vec::new(),
            parked: Vec::new(),
            demand: None,
            walkers_per_s: 0.0,
            orders: Vec::new(),
            steps: 0,
            draw: seed.stream(Purpose::Traffic),
            next_id: 0,
            seed,
        }
    }

    pub(super) fn take_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// A stream of its own for a new road user.
    pub(super) fn stream_of(&self, id: u32) -> Stream {
        self.seed.substream(Purpose::Traffic, 1 + u64::from(id))
    }

    /// Places a vehicle and returns its id. `None` if its lane carries no route.
    pub fn place(&mut self, placement: Placement) -> Option<u32> {
        let id = self.take_id();
        let mut draw = self.stream_of(id);
        let drawn_size = placement.body.size(&mut draw);
        let drawn_driver = Driver::drawn(placement.body, &mut draw);
        let (length, width) = placement.size.unwrap_or(drawn_size);
        let driver = placement.driver.unwrap_or(drawn_driver);
        let mut wishes = placement.wishes;
        let manner = manner(placement.body, &driver, length);
        let route = Route::lay(
            &self.network,
            placement.lane,
            &mut wishes,
            manner,
            &mut draw,
        )?;
        let pose = route.pose_at(placement.s);
        let mut vehicle = Vehicle {
            id,
            body: placement.body,
            length,
            width,
            driver,
            bicycle: Bicycle::new(pose, placement.speed, length),
            s: placement.s,
            route,
            offset: driver.bias_m,
            acceleration: 0.0,
            change: None,
            last_change_s: -10.0,
            wander: 0.0,
            wishes,
            draw,
            arrived_s: f64::INFINITY,
            held_at: None,
            nudges: Vec::new(),
        };
        self.plan_nudges(&mut vehicle);
        vehicle.offset = vehicle.planned_offset(placement.s);
        let pose = vehicle.route.pose_at(placement.s);
        let start = pose.point + pose.left() * vehicle.offset;
        let onward = vehicle.route.pose_at(placement.s + 1.0);
        let next = onward.point + onward.left() * vehicle.planned_offset(placement.s + 1.0);
        vehicle.bicycle = Bicycle::new(
            Pose::new(start, (next - start).to_angle()),
            placement.speed,
            length,
        );
        self.vehicles.push(vehicle);
        Some(id)
    }

    /// Parks a car with its middle at `pose`. Call before placing traffic.
    pub fn park(&mut self, pose: Pose, length: f64, width: f64) -> u32 {
        let id = self.take_id();
        self.parked
            .push((id, OrientedBox::new(pose, length, width)));
        id
    }

    /// One step of 0.1 s.
    pub fn step(&mut self) {
        let seen = self.everyone();
        let mut commands = Vec::with_capacity(self.vehicles.len());
        for index in 0..self.vehicles.len() {
            let acceleration = self.decide(index, &seen);
            commands.push(acceleration);
        }
        self.move_walkers();
        for (vehicle, acceleration) in self.vehicles.iter_mut().zip(commands) {
            vehicle.advance(acceleration);
        }
        self.time_s += STEP_S;
        self.steps += 1;
        self.renew_routes();
        self.change_lanes();
        self.obey_orders();
        self.vehicles.retain(|vehicle| {
            !(vehicle.route.exits && vehicle.s > vehicle.route.line.length() - 0.5)
        });
        self.walkers.retain(|walker| !walker.gone());
        self.admit();
        self.admit_walkers();
    }

    fn obey_orders(&mut self) {
        let network = Arc::clone(&self.network);
        let now_s = self.time_s - 1e-6;
        let orders = std::mem::take(&mut self.orders);
        let (due, later): (Vec<_>, Vec<_>) = orders.into_iter().partition(|order| order.0 <= now_s);
        self.orders = later;
        for (_, id, lane) in due {
            if let Some(index) = self.vehicles.iter().position(|vehicle| vehicle.id == id) {
                self.start_change(index, lane, &network);
            }
        }
    }

    /// Steps for `seconds`.
    pub fn run(&mut self, seconds: f64) {
        for _ in 0..(seconds / STEP_S).round() as usize {
            self.step();
        }
    }

    /// Pairs of ids whose footprints overlap now.
    pub fn overlaps(&self) -> Vec<(u32, u32)> {
        let mut boxes: Vec<(u32, OrientedBox)> = self.parked.clone();
        boxes.extend(self.vehicles.iter().map(|vehicle| {
            let pose = vehicle.bicycle.centre();
            (
                vehicle.id,
                OrientedBox::new(pose, vehicle.length, vehicle.width),
            )
        }));
        boxes.extend(
            self.walkers
                .iter()
                .map(|walker| (walker.id, walker.footprint())),
        );
        let first_moving = self.parked.len();
        let mut found = Vec::new();
        for second in first_moving..boxes.len() {
            for first in 0..second {
                let walkers = boxes.len() - self.walkers.len();
                if first >= walkers {
                    break;
                }
                if boxes[first].1.overlaps(&boxes[second].1) {
                    found.push((boxes[first].0, boxes[second].0));
                }
            }
        }
        found
    }

    /// Everyone's footprint and velocity, vehicles first in their order, then walkers, then parked cars.
    pub(super) fn everyone(&self) -> Vec<Seen> {
        let vehicles = self.vehicles.iter().map(|vehicle| {
            let state = vehicle.state();
            Seen {
                footprint: OrientedBox::new(state.pose(), vehicle.length, vehicle.width),
                velocity: state.velocity,
            }
        });
        let walkers = self.walkers.iter().map(|walker| Seen {
            footprint: walker.footprint(),
            velocity: walker.velocity(),
        });
        let parked = self.parked.iter().map(|(_, footprint)| Seen {
            footprint: *footprint,
            velocity: crate::geometry::DVec2::ZERO,
        });
        vehicles.chain(walkers).chain(parked).collect()
    }

    fn renew_routes(&mut self) {
        let network = Arc::clone(&self.network);
        for index in 0..self.vehicles.len() {
            let vehicle = &mut self.vehicles[index];
            let route = &vehicle.route;
            if route.exits || route.dead_end || route.line.length() - vehicle.s > 160.0 {
                continue;
            }
            let first = route.index_at(vehicle.s - 25.0);
            let shift = route.starts[first];
            let manner = vehicle.manner();
            let next = route.continued(
                &network,
                first,
                &mut vehicle.wishes,
                manner,
                &mut vehicle.draw,
            );
            if let Some(next) = next {
                vehicle.route = next;
                vehicle.s -= shift;
                vehicle.held_at = None;
                let mut moved = self.vehicles[index].clone();
                self.plan_nudges(&mut moved);
                self.vehicles[index] = moved;
            }
        }
    }

    /// Detours around parked cars that reach into the lane.
    pub(super) fn plan_nudges(&self, vehicle: &mut Vehicle) {
        vehicle.nudges.clear();
        let half = vehicle.width / 2.0;
        for (_, parked) in &self.parked {
            let length = vehicle.route.line.length();
            let (s, offset) = vehicle.route.locate(parked.pose.point, 0.0, length);
            if offset.abs() > 4.5 || s <= 0.0 || s >= length {
                continue;
            }
            let line = vehicle.route.pose_at(s);
            let reach = |axis: crate::geometry::DVec2| {
                parked.length / 2.0 * parked.pose.forward().dot(axis).abs()
                    + parked.width / 2.0 * parked.pose.left().dot(axis).abs()
            };
            let clear = half + 0.55 - (offset.abs() - reach(line.left()));
            if clear > 0.0 {
                let along = reach(line.forward()) + vehicle.length / 2.0;
                vehicle.nudges.push(Nudge {
                    from: s - along,
                    to: s + along,
                    left: -clear.min(2.2).copysign(offset),
                });
            }
        }
        merge_nudges(&mut vehicle.nudges);
    }

    fn admit(&mut self) {
        let Some(mut demand) = self.demand.take() else {
            return;
        };
        for (index, &(lane, rate)) in demand.entries.iter().enumerate() {
            if self.draw.chance(rate * STEP_S) {
                demand.waiting[index] += 1;
            }
            if demand.waiting[index] == 0 {
                continue;
            }
            let bike = self.network.map.lanes()[lane].kind == crate::map::LaneKind::Bike;
            let body = if bike {
                Body::Bicycle
            } else if self.draw.chance(demand.truck_share) {
                if self.draw.chance(0.3) {
                    Body::Bus
                } else {
                    Body::Truck
                }
            } else if self.draw.chance(0.12) {
                Body::Van
            } else {
                Body::Car
            };
            let line = &self.network.map.lanes()[lane].centreline;
            let start = line.pose_at(0.0);
            let last = self
                .vehicles
                .iter()
                .filter_map(|other| {
                    let local = start.local_from_outer(other.bicycle.centre().point);
                    let beside = other.lane() == lane || local.y.abs() < 0.5 * other.width + 1.9;
                    (beside && local.x > -15.0)
                        .then_some((local.x - other.length / 2.0, other.speed()))
                })
                .min_by(|a, b| a.0.total_cmp(&b.0));
            let limit = self.network.map.lanes()[lane].speed_limit.unwrap_or(13.9);
            let usual = if bike { 5.0 } else { 0.9 * limit };
            let speed = last.map_or(usual, |(_, speed)| usual.min(speed + 1.0));
            let room = last.map_or(f64::INFINITY, |(rear, _)| rear) - 13.0;
            if room > 3.0 + 1.3 * speed && line.length() > 20.0 {
                let mut placement = Placement {
                    body,
                    lane,
                    s: 6.5,
                    speed,
                    wishes: Vec::new(),
                    driver: None,
                    size: None,
                };
                self.place(placement.clone());
                if self
                    .vehicles
                    .last()
                    .is_some_and(Vehicle::too_long_for_its_route)
                {
                    self.vehicles.pop();
                    placement.body = Body::Car;
                    self.place(placement);
                }
                demand.waiting[index] -= 1;
            }
        }
        self.demand = Some(demand);
    }
}

/// Detours on one side that follow each other within 25 m become one.
fn merge_nudges(nudges: &mut Vec<Nudge>) {
    nudges.sort_by(|a, b| a.from.total_cmp(&b.from));
    let mut merged: Vec<Nudge> = Vec::new();
    for nudge in nudges.drain(..) {
        match merged.last_mut() {
            Some(last) if last.left * nudge.left > 0.0 && nudge.from - last.to < 28.0 => {
                last.to = last.to.max(nudge.to);
                if nudge.left.abs() > last.left.abs() {
                    last.left = nudge.left;
                }
            }
            _ => merged.push(nudge),
        }
    }
    *nudges = merged;
}

impl Vehicle {
    /// Moves by one step: speed as told, steering by pure pursuit of the planned offset.
    fn advance(&mut self, acceleration: f64) {
        let before = self.speed();
        let slow = STEP_S / 4.0 * (before / 6.0).min(1.0);
        self.wander +=
            -self.wander * slow + self.driver.wander_m * (2.0 * slow).sqrt() * self.draw.normal();
        let pace = (self.speed() / SLOW_MPS).min(1.0);
        if let Some(change) = &mut self.change {
            change.progress_s += STEP_S * pace;
            if change.progress_s >= change.duration_s {
                self.change = None;
            }
        }
        let look = (0.75 * self.speed()).max(2.6 + 0.25 * self.length);
        let rear_s = self.s - self.bicycle.rear_to_centre;
        for _ in 0..2 {
            let s = rear_s + look;
            let pose = self.route.pose_at(s);
            let target = pose.point + pose.left() * self.planned_offset(s);
            let steer = self.bicycle.steer_towards(target);
            self.bicycle.step(acceleration, steer, STEP_S / 2.0);
        }
        self.acceleration = (self.speed() - before) / STEP_S;
        let centre = self.bicycle.centre().point;
        let moved = self.speed() * STEP_S;
        let (s, offset) = self
            .route
            .locate(centre, self.s - 3.0, self.s + moved + 4.0);
        self.s = s.max(self.s);
        self.offset = offset;
    }
}
