//! The IDM baseline on any scene: every vehicle follows its lane from the present on.

use std::f64::consts::{FRAC_PI_3, PI};
use std::sync::Arc;

use super::bicycle::Bicycle;
use super::curve::curvatures;
use super::idm::Idm;
use super::observation::Observation;
use super::sight::{Corridor, SPACING};
use crate::geometry::{Polyline, Pose, angle_between};
use crate::map::{Lane, LaneHit, LaneId, LaneKind, Map};
use crate::scene::{AgentId, AgentKind, Scene, SignalState, State};

/// How far a path is laid ahead, m: half a minute of fast driving.
const REACH_M: f64 = 800.0;

/// Where lanes end, the path goes straight on for this long, m.
const BEYOND_M: f64 = 200.0;

/// Who is slower than this, m/s, and nearer to the line than that, m, stands before a light.
const STANDS_MPS: f64 = 0.3;
const STANDS_M: f64 = 2.0;

/// A way taken lies nearer than this to the lane it is on, m.
const LANE_M: f64 = 3.0;

/// Follows the lane with IDM: the lane nearest at the start (by place and heading), then the straightest
/// successors; where a map names none, the nearest lane that goes on; else straight on. Stops at red, at flashing red
/// once. Desired speed is the lane's limit (13.9 m/s if unknown), or the present speed if that is higher.
#[derive(Debug, Clone, Default)]
pub struct LaneFollower {
    path: Option<Path>,
}

/// The way a driver takes, and where on it.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) line: Polyline,
    /// Lanes with the arc length where they begin, m.
    pub(super) lanes: Vec<(LaneId, f64)>,
    /// Speed allowed at each point, m/s.
    speeds: Vec<f64>,
    /// Offset from the line at the start, m; it fades.
    offset: f64,
    start_s: f64,
    /// Over how much of the way a change of lanes goes, m; otherwise the offset fades over 25 m, fastest at first.
    change_m: Option<f64>,
    pub(super) bicycle: Bicycle,
    pub(super) idm: Idm,
    /// Parked: it does not move at all.
    pub(super) stays: bool,
    /// Lanes before whose flashing red it has stood.
    stood: Vec<LaneId>,
}

impl LaneFollower {
    /// Its state at the next frame; `None` if it is not there.
    pub fn next(&mut self, seen: &Observation<'_>) -> Option<State> {
        let state = seen.own_state()?;
        let path = self
            .path
            .get_or_insert_with(|| Path::from(seen, state, None));
        if path.stays {
            let velocity = crate::geometry::DVec2::ZERO;
            return Some(State { velocity, ..*state });
        }
        let wanted = path.acceleration(seen);
        path.advance(wanted, seen.dt_s());
        Some(path.bicycle.state())
    }
}

impl Path {
    /// The way from a state on. Where lanes part, the one that `way` takes, if it says; else the straightest.
    pub(super) fn from(seen: &Observation<'_>, state: &State, way: Option<&Polyline>) -> Self {
        let accept = takes(seen.own().kind);
        let hit = seen
            .map()
            .lane_for(state.position, state.heading, 4.0, accept)
            .filter(|hit| angle_between(hit.pose.heading, state.heading).abs() < FRAC_PI_3);
        let bicycle = Bicycle::from_state(state, seen.own().length);
        Self::laid(seen, bicycle, hit, way)
    }

    /// The way on along lane number `lane`, reached over `change_m` of it; `None` where it does not lie beside.
    pub(super) fn beside(
        &self,
        seen: &Observation<'_>,
        lane: usize,
        change_m: f64,
        way: Option<&Polyline>,
    ) -> Option<Self> {
        let pose = self.bicycle.centre();
        let alone = |other: &Lane| other.id == seen.map().lanes()[lane].id;
        let hit = seen.map().lane_for(pose.point, pose.heading, 6.0, alone)?;
        let along = angle_between(hit.pose.heading, pose.heading).abs() < 0.3;
        let mut path = along.then(|| Self::laid(seen, self.bicycle, Some(hit), way))?;
        path.offset = path.line.project(pose.point).offset;
        path.change_m = Some(change_m);
        Some(path)
    }

    fn laid(
        seen: &Observation<'_>,
        bicycle: Bicycle,
        hit: Option<LaneHit>,
        way: Option<&Polyline>,
    ) -> Self {
        let state = &bicycle.state();
        let agent = seen.own();
        let cyclist = agent.kind == AgentKind::Cyclist;
        let accept = takes(agent.kind);
        let speed = bicycle.speed;
        // parked: at rest and beside any lane, or off the map
        let stays = speed < 0.3 && hit.is_none_or(|hit| hit.offset.abs() > 1.6);
        let (points, lanes, limits) = match hit {
            Some(hit) => lay(seen.map(), hit.lane, hit.s, accept, way),
            None => (Vec::new(), Vec::new(), Vec::new()),
        };
        let straight = || {
            let pose = state.pose();
            Polyline::new([
                pose.point - pose.forward() * 5.0,
                pose.point + pose.forward() * REACH_M,
            ])
        };
        let line = Polyline::new(points.iter().copied())
            .filter(|line| line.points().len() == limits.len())
            .or_else(straight)
            .unwrap_or_else(|| fallback(state));
        let usual = 13.9;
        let mut speeds: Vec<f64> = if limits.len() == line.points().len() {
            limits
                .iter()
                .map(|limit| limit.unwrap_or(usual).max(speed))
                .collect()
        } else {
            vec![speed.max(usual.min(speed + 3.0)); line.points().len()]
        };
        slow_for_curves(&line, &mut speeds);
        let at = line.project(state.position);
        let base = Idm::city();
        let idm = match agent.kind {
            AgentKind::Cyclist => Idm {
                desired_speed: 5.5_f64.max(speed),
                acceleration: 0.8,
                ..base
            },
            _ => base,
        };
        if cyclist {
            speeds
                .iter_mut()
                .for_each(|allowed| *allowed = allowed.min(idm.desired_speed));
        }
        Self {
            offset: at.offset.clamp(-3.0, 3.0),
            start_s: at.s,
            change_m: None,
            lanes,
            speeds,
            bicycle,
            idm,
            stays,
            stood: Vec::new(),
            line,
        }
    }

    /// Arc length of the middle of the box, m.
    pub(super) fn s(&self) -> f64 {
        self.line.project(self.bicycle.centre().point).s
    }

    /// Where the way leads at an arc length.
    pub(super) fn pose(&self, s: f64) -> Pose {
        let (before, after) = (self.line.point_at(s - 1.0), self.line.point_at(s + 1.0));
        let pose = Pose::new(self.line.point_at(s), (after - before).to_angle());
        let gone = (s - self.start_s).max(0.0);
        let left = match self.change_m {
            Some(whole) => self.offset * (0.5 + 0.5 * (PI * (gone / whole).min(1.0)).cos()),
            None => self.offset * (-gone / 12.0).exp(),
        };
        Pose::new(pose.point + pose.left() * left, pose.heading)
    }

    fn steer(&self) -> f64 {
        let look = (0.8 * self.bicycle.speed).max(3.0 + 0.5 * self.bicycle.wheelbase);
        let rear = self.line.project(self.bicycle.rear.point).s;
        self.bicycle.steer_towards(self.pose(rear + look).point)
    }

    /// Drives on for `dt_s` seconds with an acceleration, m/s².
    pub(super) fn advance(&mut self, acceleration: f64, dt_s: f64) {
        let pieces = (dt_s / 0.1).ceil().max(1.0);
        for _ in 0..pieces as usize {
            let steer = self.steer();
            self.bicycle.step(acceleration, steer, dt_s / pieces);
        }
    }

    /// What IDM wants behind whoever is ahead on the way and before red lights, m/s².
    pub(super) fn acceleration(&mut self, seen: &Observation<'_>) -> f64 {
        let speed = self.bicycle.speed;
        let agent = seen.own();
        let s = self.s();
        let arc = self.line.arc();
        let near = arc
            .partition_point(|&at| at < s + 0.4 * speed)
            .min(arc.len() - 1);
        self.idm.desired_speed = self.speeds[near].max(0.5);
        let mut wanted = self.idm.free(speed);
        let reach = (25.0 + 5.0 * speed).min(110.0);
        let corridor = Corridor {
            poses: (0..=(reach / SPACING) as usize)
                .map(|index| self.pose(s + index as f64 * SPACING))
                .collect(),
            from: s,
            half_width: agent.width / 2.0,
        };
        let front = s + agent.length / 2.0;
        for (other, state) in seen.others() {
            let footprint = other.footprint(state);
            let Some(extent) = corridor.extent(&footprint) else {
                continue;
            };
            let room = corridor.half_width + 0.2;
            let middle = (extent.along[0] + extent.along[1]) / 2.0;
            if middle < s + 0.5 || extent.across[0] > room || extent.across[1] < -room {
                continue;
            }
            let along = state.velocity.dot(extent.pose.forward()).max(0.0);
            wanted = wanted.min(self.idm.follow(speed, extent.along[0] - front, along));
        }
        if speed < STANDS_MPS {
            let flashing = self.lights(seen).filter(|(_, shown, stop)| {
                *shown == SignalState::FlashingRed && (stop - front).abs() < STANDS_M
            });
            let stood: Vec<LaneId> = flashing.map(|(lane, ..)| lane.clone()).collect();
            self.stood.extend(stood);
        }
        if let Some(stop) = self.red_ahead(seen, front, speed) {
            let mut stopper = self.idm;
            stopper.standstill_gap = 0.5;
            wanted = wanted.min(stopper.follow(speed, stop - front, 0.0));
        }
        wanted.clamp(-8.0, 3.0)
    }

    /// The lights on the way: lane, what is shown, and the stop line, m.
    fn lights<'a>(
        &'a self,
        seen: &'a Observation<'_>,
    ) -> impl Iterator<Item = (&'a LaneId, SignalState, f64)> {
        seen.signals().filter_map(|(signal, shown)| {
            let (lane, start) = self.lanes.iter().find(|(lane, _)| *lane == signal.lane)?;
            let stop = match signal.stop_point {
                Some(point) => self.line.project(point).s,
                None => *start,
            };
            Some((lane, shown, stop))
        })
    }

    /// The stop line of the next red signal that can still be kept, m. Who has stood before a flashing one may go.
    pub(super) fn red_ahead(&self, seen: &Observation<'_>, front: f64, speed: f64) -> Option<f64> {
        self.lights(seen)
            .filter(|(lane, shown, _)| match shown {
                SignalState::Red | SignalState::Yellow => true,
                SignalState::FlashingRed => !self.stood.contains(lane),
                _ => false,
            })
            .filter_map(|(.., stop)| {
                let room = stop - front;
                (room > -1.5 && speed * speed / (2.0 * room.max(0.1)) < 5.0).then_some(stop)
            })
            .min_by(f64::total_cmp)
    }
}

/// Two points along the heading: the path of an agent that nothing else is known of.
fn fallback(state: &State) -> Polyline {
    let forward = state.pose().forward();
    Polyline::new([state.position, state.position + forward]).unwrap_or_else(|| {
        Polyline::new([crate::geometry::DVec2::ZERO, crate::geometry::DVec2::X])
            .expect("two different points make a line")
    })
}

type Laid = (
    Vec<crate::geometry::DVec2>,
    Vec<(LaneId, f64)>,
    Vec<Option<f64>>,
);

/// The lanes that an agent of a kind drives on.
pub(super) fn takes(kind: AgentKind) -> impl Fn(&Lane) -> bool + Copy {
    move |lane| {
        let is_bike = kind == AgentKind::Cyclist && lane.kind == LaneKind::Bike;
        lane.carries_vehicles() || is_bike
    }
}

/// How far a lane leads away from `way`, m; `None` where the way has ended.
fn strays(lane: &Lane, way: &Polyline) -> Option<f64> {
    let along = &lane.centreline;
    let found = way.project(along.point_at(along.length().min(15.0)));
    (found.s < way.length() - 0.5).then_some(found.offset.abs())
}

/// Points from lane `first` on, with the lanes and the limits met.
fn lay(
    map: &Map,
    first: usize,
    from_s: f64,
    accept: impl Fn(&Lane) -> bool,
    way: Option<&Polyline>,
) -> Laid {
    let mut points: Vec<crate::geometry::DVec2> = Vec::new();
    let mut lanes: Vec<(LaneId, f64)> = Vec::new();
    let mut limits = Vec::new();
    let mut length = 0.0;
    let mut lane = &map.lanes()[first];
    while length < REACH_M + from_s && lanes.len() < 60 {
        lanes.push((lane.id.clone(), length));
        for &point in lane.centreline.points() {
            if let Some(&last) = points.last() {
                let last: crate::geometry::DVec2 = last;
                let step = last.distance(point);
                if step < 0.02 {
                    continue;
                }
                length += step;
            }
            points.push(point);
            limits.push(lane.speed_limit.filter(|&limit| limit > 1.0));
        }
        let line = &lane.centreline;
        let end = line.pose_at(line.length());
        let used = |candidate: &Lane| lanes.iter().any(|(id, _)| *id == candidate.id);
        let turn = |candidate: &Lane| {
            let next = &candidate.centreline;
            let onward = next.point_at(next.length().min(25.0)) - next.start();
            angle_between(end.heading, onward.to_angle()).abs()
        };
        let named = lane.successors.iter().filter_map(|id| map.lane(id));
        let ahead: Vec<&Lane> = named.filter(|candidate| !used(candidate)).collect();
        let told = |candidate: &Lane| way.and_then(|way| strays(candidate, way));
        let next = ahead
            .iter()
            .filter_map(|&candidate| Some((told(candidate)?, candidate)))
            .filter(|(strays, _)| *strays < LANE_M)
            .min_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, candidate)| candidate)
            .or_else(|| {
                let straightest = |a: &&Lane, b: &&Lane| turn(a).total_cmp(&turn(b));
                ahead.into_iter().min_by(straightest)
            })
            .or_else(|| {
                let ahead = end.point + end.forward() * 1.5;
                let hit = map.lane_for(ahead, end.heading, 2.0, |candidate| {
                    accept(candidate) && !used(candidate)
                })?;
                let found = &map.lanes()[hit.lane];
                let goes_on = found.centreline.length() - hit.s > 5.0
                    && hit.s < 10.0
                    && angle_between(end.heading, hit.pose.heading).abs() < 0.5;
                goes_on.then_some(found)
            });
        match next {
            Some(found) => lane = found,
            None => break,
        }
    }
    let line = &lane.centreline;
    points.push(line.end() + line.pose_at(line.length()).forward() * BEYOND_M);
    limits.push(limits.last().copied().flatten());
    (points, lanes, limits)
}

/// Lowers speeds so that sideways acceleration stays under 2.5 m/s² and 1.5 m/s² of braking suffices. Curvature is
/// smoothed over neighbouring points: recorded centrelines are rough.
fn slow_for_curves(line: &Polyline, speeds: &mut [f64]) {
    let bends = curvatures(line);
    for index in 0..speeds.len() {
        let window = &bends[index.saturating_sub(2)..(index + 3).min(bends.len())];
        let mean = window.iter().sum::<f64>() / window.len() as f64;
        speeds[index] = speeds[index].min((2.5 / mean.max(1e-4)).sqrt().max(2.5));
    }
    for index in (0..speeds.len() - 1).rev() {
        let step = line.arc()[index + 1] - line.arc()[index];
        let reach = (speeds[index + 1].powi(2) + 2.0 * 1.5 * step).sqrt();
        speeds[index] = speeds[index].min(reach);
    }
}

/// The scene with everyone's future replaced from the present on: vehicles (the ego too) and cyclists follow their
/// lanes with IDM ([`LaneFollower`]) and react to each other, everyone else keeps their velocity. Uses nothing
/// later than the present but the signals, frame by frame. Agents not valid at the present keep their tracks.
pub fn idm_rollout(scene: &Scene) -> Scene {
    let present = scene.agents.iter().enumerate();
    let present = present.filter(|(_, agent)| agent.track.get(scene.now).is_some());
    let drivers = present.map(|(index, agent)| {
        let drives = matches!(agent.kind, AgentKind::Vehicle | AgentKind::Cyclist);
        (index, drives.then(LaneFollower::default))
    });
    roll_out(scene, drivers.collect())
}

/// The same for one agent alone; everyone else is as in their tracks.
pub fn lane_rollout(scene: &Scene, agent: &AgentId) -> Scene {
    let index = scene.agent_index(agent);
    let drivers = index.map(|index| (index, Some(LaneFollower::default())));
    roll_out(scene, drivers.into_iter().collect())
}

/// Drives agents, by their position, from the scene's present to its end; without a follower they keep their velocity.
/// Former tracks are kept in the scene's log.
fn roll_out(scene: &Scene, mut drivers: Vec<(usize, Option<LaneFollower>)>) -> Scene {
    let mut driven = scene.clone();
    for &(index, _) in &drivers {
        keep_log(&mut driven, index);
        let track = &mut Arc::make_mut(&mut driven.agents[index]).track;
        track.states_mut().truncate(scene.now + 1);
    }
    for frame in scene.now..scene.frames.saturating_sub(1) {
        let next: Vec<(usize, Option<State>)> = drivers
            .iter_mut()
            .map(|(index, follower)| {
                let seen = Observation::at(&driven, frame, *index);
                let state = match follower {
                    Some(follower) => follower.next(&seen),
                    None => seen.own_state().map(|state| State {
                        position: state.position + state.velocity * scene.dt_s,
                        ..*state
                    }),
                };
                (*index, state)
            })
            .collect();
        for (index, state) in next {
            let track = &mut Arc::make_mut(&mut driven.agents[index]).track;
            track.set(frame + 1, state);
        }
    }
    driven.generated = None;
    driven.quantised()
}

/// Remembers an agent's track as recorded, unless an earlier one is remembered already.
fn keep_log(scene: &mut Scene, index: usize) {
    let agent = &scene.agents[index];
    let track = agent.track.clone();
    scene.log.entry(agent.id.clone()).or_insert(track);
}
