//! Reactive traffic on the roads of any scene: drivers who follow, give way, change lanes, and answer the ego.
//!
//! The network the traffic world builds for itself is not there in a file, so right of way is read from the ways
//! themselves: where two of them meet, who is there first goes first, but who turns left lets oncoming traffic pass, and
//! who has a stop sign or a flashing red light lets everyone pass.

use std::f64::consts::FRAC_PI_4;
use std::sync::Arc;

use super::bicycle::Bicycle;
use super::idm::Mobil;
use super::observation::Observation;
use super::rollout::{Path, takes};
use super::sight::SPACING;
use crate::geometry::{DVec2, Polyline, Pose, angle_between};
use crate::map::{LaneId, Map};
use crate::scene::{Agent, AgentId, AgentKind, Scene, SignalState, State, Track};

/// Ways are looked at so far ahead: at least this, m, and this long at the present speed, s.
const LOOK_M: f64 = 20.0;
const LOOK_S: f64 = 5.0;

/// Room kept beside bodies where ways meet, m.
const BESIDE_M: f64 = 0.3;

/// Time kept between two who pass the same place, s.
const BETWEEN_S: f64 = 0.8;

/// Stops are made so far before the place where ways meet, m.
const BEFORE_M: f64 = 1.0;

/// Nobody brakes harder to give way, m/s².
const HARDEST: f64 = 4.5;

/// Who has waited so long no longer waits for others who stand, s.
const PATIENCE_S: f64 = 6.0;

/// Slower than this is standing, m/s.
const STANDING_MPS: f64 = 0.3;

/// Of two who come towards each other, whoever turns by so much more to the left, rad, lets the other pass.
const TURN: f64 = 0.2;

/// Who come towards each other by more than this, rad, and go straight on pass each other.
const SQUEEZE: f64 = 2.6;

/// Who walks stops so far before a body, m.
const STRIDE_M: f64 = 0.8;

/// A lane change is thought about this often, and after one not again for a while, s.
const THINK_S: f64 = 0.5;
const SETTLE_S: f64 = 5.0;

/// Everyone but the ego, from a scene's present on.
#[derive(Debug, Clone)]
pub struct Reactive {
    ego: AgentId,
    drivers: Vec<Driver>,
    /// The way the ego is expected to take, laid anew every second.
    ego_path: Option<(usize, Path)>,
    ego_way: Option<Polyline>,
}

#[derive(Debug, Clone)]
struct Driver {
    agent: usize,
    moves: Motion,
}

#[derive(Debug, Clone)]
enum Motion {
    Drives(Box<Wheel>),
    /// Walks on, or whatever else it does, with this velocity, m/s, and stops before bodies in its way.
    GoesOn(DVec2),
    /// Keeps to its attack, whatever comes of it, up to a frame; then it is one of the others.
    Attacks(Box<Track>, usize),
}

impl Motion {
    /// How somebody moves who does not attack; `way` is where the recording went.
    fn of(seen: &Observation<'_>, state: &State, way: Option<Polyline>) -> Self {
        match seen.own().kind {
            AgentKind::Vehicle | AgentKind::Cyclist => Self::Drives(Box::new(Wheel {
                path: Path::from(seen, state, way.as_ref()),
                way,
                waited_s: 0.0,
                settled_s: SETTLE_S - THINK_S,
            })),
            // what a recording lets creep stands
            _ if state.velocity.length() < STANDING_MPS => Self::GoesOn(DVec2::ZERO),
            _ => Self::GoesOn(state.velocity),
        }
    }
}

#[derive(Debug, Clone)]
struct Wheel {
    path: Path,
    /// Where the recording went, to turn where it turned.
    way: Option<Polyline>,
    waited_s: f64,
    settled_s: f64,
}

/// Someone's way over the next seconds.
struct Ahead {
    agent: usize,
    /// From the middle of the box on, [`SPACING`] apart.
    poses: Vec<Pose>,
    half: DVec2,
    speed: f64,
    /// How far the front is from a red light's line, m.
    red_m: f64,
    /// How far the front is from the line of the next stop sign, m.
    sign_m: f64,
    walks: bool,
}

/// Where two ways meet: on each, how far its front is from there, and from where its rear has left it, m.
#[derive(Debug, Clone, Copy)]
struct Meeting {
    own: [f64; 2],
    other: [f64; 2],
    /// They go on together from there.
    merges: bool,
}

/// How somebody lets another pass.
#[derive(Debug, Clone, Copy)]
enum Wait {
    /// By stopping, its front so far on, m.
    Before(f64),
    /// By coming in behind: a gap, m, and a speed, m/s.
    Behind(f64, f64),
}

impl Reactive {
    /// Everyone who is there at the scene's present but `ego`. `recorded` knows the track an agent had; where it turned,
    /// its driver turns, and who attacks in the scene keeps to it until the attack's time.
    pub fn new<'a>(
        scene: &Scene,
        ego: &AgentId,
        recorded: impl Fn(&AgentId) -> Option<&'a Track>,
    ) -> Self {
        let way = |id: &AgentId| recorded(id).and_then(|track| way_of(track, scene.now));
        let driver = |(index, agent): (usize, &Arc<Agent>)| {
            let state = agent.track.get(scene.now)?;
            let seen = Observation::at(scene, scene.now, index);
            let attacks = scene
                .attacks_until(&agent.id)
                .zip(recorded(&agent.id))
                .map(|(until, track)| Motion::Attacks(Box::new(track.clone()), until));
            Some(Driver {
                agent: index,
                moves: attacks.unwrap_or_else(|| Motion::of(&seen, state, way(&agent.id))),
            })
        };
        let agents = scene.agents.iter().enumerate();
        Self {
            drivers: agents
                .filter(|(_, agent)| agent.id != *ego)
                .filter_map(driver)
                .collect(),
            ego_path: None,
            ego_way: way(ego),
            ego: ego.clone(),
        }
    }

    /// Where everyone is at the frame after `frame`: positions in the scene's agents with states. `scene` holds
    /// everybody up to `frame`.
    pub fn step(&mut self, scene: &Scene, frame: usize) -> Vec<(usize, State)> {
        let ahead = self.everyone_ahead(scene, frame);
        let mut next = Vec::with_capacity(self.drivers.len());
        for driver in &mut self.drivers {
            let seen = Observation::at(scene, frame, driver.agent);
            let Some(&present) = seen.own_state() else {
                continue;
            };
            if let Motion::Attacks(track, until) = &driver.moves
                && (frame >= *until || track.get(frame + 1).is_none())
            {
                driver.moves = Motion::of(&seen, &present, way_of(track, frame));
            }
            let state = match &mut driver.moves {
                Motion::Attacks(track, _) => track.get(frame + 1).copied().unwrap_or(present),
                Motion::Drives(wheel) if !wheel.path.stays => {
                    wheel.drive(&seen, &ahead, driver.agent)
                }
                Motion::GoesOn(velocity) if !is_blocked(&seen, &present, *velocity) => State {
                    position: present.position + *velocity * scene.dt_s,
                    velocity: *velocity,
                    ..present
                },
                _ => State {
                    velocity: DVec2::ZERO,
                    ..present
                },
            };
            next.push((driver.agent, state));
        }
        next
    }

    fn everyone_ahead(&mut self, scene: &Scene, frame: usize) -> Vec<Ahead> {
        let mut all: Vec<Ahead> = self
            .drivers
            .iter()
            .filter_map(|driver| {
                let seen = Observation::at(scene, frame, driver.agent);
                let state = seen.own_state()?;
                Some(match &driver.moves {
                    Motion::Drives(wheel) => Ahead::of(&wheel.path, &seen, driver.agent),
                    Motion::GoesOn(_) => Ahead::straight(seen.own(), state, driver.agent),
                    Motion::Attacks(track, _) => {
                        let straight = Ahead::straight(seen.own(), state, driver.agent);
                        straight.along(way_of(track, frame))
                    }
                })
            })
            .collect();
        let Some(ego) = scene.agent_index(&self.ego) else {
            return all;
        };
        let seen = Observation::at(scene, frame, ego);
        let Some(state) = seen.own_state() else {
            return all;
        };
        let a_second = (1.0 / scene.dt_s).round().max(1.0) as usize;
        let since = self.ego_path.as_ref().map(|(since, _)| frame - since);
        if since.is_none_or(|since| since >= a_second) {
            let path = Path::from(&seen, state, self.ego_way.as_ref());
            self.ego_path = Some((frame, path));
        }
        if let Some((_, path)) = &mut self.ego_path {
            path.bicycle = Bicycle::from_state(state, seen.own().length);
            all.push(Ahead::of(path, &seen, ego));
        }
        all
    }
}

impl Wheel {
    fn drive(&mut self, seen: &Observation<'_>, ahead: &[Ahead], agent: usize) -> State {
        self.settled_s += seen.dt_s();
        let mut wanted = self.path.acceleration(seen);
        if self.settled_s >= SETTLE_S {
            self.settled_s = SETTLE_S - THINK_S;
            if let Some(changed) = self.changed_lane(seen, wanted) {
                self.path = changed;
                self.settled_s = 0.0;
                wanted = self.path.acceleration(seen);
            }
        }
        let speed = self.path.bicycle.speed;
        let own = ahead.iter().find(|one| one.agent == agent);
        let gives_way = own.and_then(|own| {
            let others = ahead.iter().filter(|other| other.agent != agent);
            others
                .filter(|other| self.waited_s < PATIENCE_S || other.speed > STANDING_MPS)
                .filter_map(|other| self.giving_way(own.waits_for(other)?))
                .min_by(f64::total_cmp)
        });
        wanted = wanted.min(gives_way.unwrap_or(f64::INFINITY));
        let waits = gives_way.is_some() && speed < STANDING_MPS;
        self.waited_s = if waits {
            self.waited_s + seen.dt_s()
        } else if speed > 2.0 {
            0.0
        } else {
            self.waited_s
        };
        self.path.advance(wanted.clamp(-8.0, 3.0), seen.dt_s());
        self.path.bicycle.state()
    }

    /// The acceleration that waits for somebody; `None` if it is too late to.
    fn giving_way(&self, wait: Wait) -> Option<f64> {
        let speed = self.path.bicycle.speed;
        match wait {
            Wait::Before(room) => {
                let room = room.max(0.1);
                let mut stopper = self.path.idm;
                stopper.standstill_gap = 0.5;
                let can = speed * speed / (2.0 * room) < HARDEST;
                can.then(|| stopper.follow(speed, room, 0.0))
            }
            Wait::Behind(gap, pace) => {
                let follows = self.path.idm.follow_calmly(speed, gap.max(0.5), pace);
                Some(follows.max(-HARDEST))
            }
        }
    }

    /// The way along the lane beside, if a change there pays (MOBIL) and nobody is in it.
    fn changed_lane(&self, seen: &Observation<'_>, wanted: f64) -> Option<Path> {
        let speed = self.path.bicycle.speed;
        // held up by someone slower, and under way
        if speed < 3.0 || wanted > self.path.idm.free(speed) - 0.5 {
            return None;
        }
        let s = self.path.s();
        let map = seen.map();
        let at = self.path.lanes.partition_point(|(_, from)| *from <= s);
        let (id, from) = self.path.lanes.get(at.checked_sub(1)?)?;
        let lane = map.lane(id)?;
        let change_m = (4.0 * speed).max(20.0);
        let goes_straight = |distance: f64| {
            let turn = self.path.pose(s + distance).heading - self.path.pose(s).heading;
            angle_between(0.0, turn).abs() < 0.35
        };
        if lane.in_junction
            || from + lane.centreline.length() < s + change_m
            || !goes_straight(change_m)
            || !goes_straight(60.0)
        {
            return None;
        }
        let beside = [&lane.left_neighbour, &lane.right_neighbour];
        beside.into_iter().flatten().find_map(|id| {
            let index = map.lane_index(id)?;
            takes(seen.own().kind)(&map.lanes()[index]).then_some(())?;
            let mut path = self.path.beside(seen, index, change_m, self.way.as_ref())?;
            let own = (wanted, path.acceleration(seen));
            let follower = path.behind(seen)?;
            Mobil::usual()
                .pays(own, follower, (0.0, 0.0))
                .then_some(path)
        })
    }
}

impl Path {
    /// Accelerations of who follows on this way, now and with the driver before it; `None` if somebody is beside.
    fn behind(&self, seen: &Observation<'_>) -> Option<(f64, f64)> {
        let own = seen.own();
        let (s, speed) = (self.s(), self.bicycle.speed);
        let mut nearest: Option<(f64, f64)> = None;
        for (other, state) in seen.others() {
            let found = self.line.project(state.position);
            if found.offset.abs() > 2.0 || found.s <= 0.1 {
                continue;
            }
            let gap = s - found.s - (own.length + other.length) / 2.0;
            if gap > -(own.length + other.length) - 2.0 && gap < 2.0 {
                return None;
            }
            if gap >= 2.0 && nearest.is_none_or(|(held, _)| gap < held) {
                let along = state.velocity.dot(self.line.pose_at(found.s).forward());
                nearest = Some((gap, along.max(0.0)));
            }
        }
        Some(match nearest {
            Some((gap, pace)) => (0.0, self.idm.follow(pace, gap, speed).min(0.0)),
            None => (0.0, 0.0),
        })
    }
}

impl Ahead {
    fn of(path: &Path, seen: &Observation<'_>, agent: usize) -> Self {
        let own = seen.own();
        let (s, speed) = (path.s(), path.bicycle.speed);
        let reach = if path.stays {
            0.0
        } else {
            LOOK_M + LOOK_S * speed
        };
        let front = s + own.length / 2.0;
        let flashes = |lane: &LaneId| {
            seen.signals()
                .any(|(signal, shown)| signal.lane == *lane && shown == SignalState::FlashingRed)
        };
        let signed = |lane: &LaneId| has_stop_sign(seen.map(), lane) || flashes(lane);
        let stop = path.lanes.iter().enumerate().find_map(|(at, (lane, _))| {
            let end = path.lanes.get(at + 1)?.1;
            (end > front - 1.0 && end < s + reach && signed(lane)).then_some(end - front)
        });
        let red = path.red_ahead(seen, front, speed);
        Self {
            agent,
            poses: (0..=(reach / SPACING) as usize)
                .map(|at| path.pose(s + at as f64 * SPACING))
                .collect(),
            half: DVec2::new(own.length, own.width) / 2.0,
            speed,
            red_m: red.map_or(f64::INFINITY, |stop| stop - front),
            sign_m: stop.unwrap_or(f64::INFINITY),
            walks: false,
        }
    }

    fn straight(agent: &Agent, state: &State, index: usize) -> Self {
        let speed = state.velocity.length();
        let heading = if speed > 0.1 {
            state.velocity.to_angle()
        } else {
            state.heading
        };
        let pose = Pose::new(state.position, heading);
        Self {
            agent: index,
            poses: (0..=(LOOK_S * speed / SPACING) as usize)
                .map(|at| Pose::new(pose.point + pose.forward() * (at as f64 * SPACING), heading))
                .collect(),
            half: DVec2::new(agent.length, agent.width) / 2.0,
            speed,
            red_m: f64::INFINITY,
            sign_m: f64::INFINITY,
            walks: true,
        }
    }

    /// The same along a way, as far as that goes.
    fn along(self, way: Option<Polyline>) -> Self {
        let Some(way) = way else {
            return self;
        };
        let count = self.poses.len();
        let places = (0..count).map(|at| at as f64 * SPACING);
        let places = places.take_while(|s| *s <= way.length());
        Self {
            poses: places.map(|s| way.pose_at(s)).collect(),
            ..self
        }
    }

    /// How it lets `other` pass; `None` if it need not.
    fn waits_for(&self, other: &Self) -> Option<Wait> {
        let meeting = self.meeting(other)?;
        // it waits for a red light and does not come
        if other.red_m < meeting.other[0] {
            return None;
        }
        let own = meeting.own.map(|distance| self.time_to(distance));
        let theirs = meeting.other.map(|distance| other.time_to(distance));
        let apart = theirs[0] > own[1] + BETWEEN_S || own[0] > theirs[1] + BETWEEN_S;
        if apart {
            return None;
        }
        let waits = match self.has_to_wait(other, &meeting) {
            Some(waits) => waits,
            // the nearer one, whoever is faster: so they do not change their minds
            None if meeting.merges => {
                (meeting.other[0], other.agent) < (meeting.own[0], self.agent)
            }
            None => (theirs[0], other.agent) < (own[0], self.agent),
        };
        let rear = meeting.other[0] + 2.0 * other.half.x;
        waits.then_some(match meeting.merges {
            true => Wait::Behind(meeting.own[0] - rear, other.speed),
            false => Wait::Before(meeting.own[0] - BEFORE_M),
        })
    }

    /// Whether a rule makes it wait for `other`, or `other` for it.
    fn has_to_wait(&self, other: &Self, meeting: &Meeting) -> Option<bool> {
        if other.walks {
            return Some(true);
        }
        let signs = (
            self.sign_m < meeting.own[0] + 1.0,
            other.sign_m < meeting.other[0] + 1.0,
        );
        if signs.0 != signs.1 {
            return Some(signs.0);
        }
        let oncoming = angle_between(self.poses[0].heading, other.poses[0].heading).abs() > 2.1;
        let more = self.turn_by(meeting.own[1]) - other.turn_by(meeting.other[1]);
        (oncoming && more.abs() > TURN).then_some(more > 0.0)
    }

    /// By how much it has turned to the left when its front is `distance` m on, rad.
    fn turn_by(&self, distance: f64) -> f64 {
        let at = ((distance + self.half.x) / SPACING).max(0.0) as usize;
        let there = self.poses[at.min(self.poses.len() - 1)];
        angle_between(self.poses[0].heading, there.heading)
    }

    /// Seconds until the front is `distance` m on: at its speed, or setting off.
    fn time_to(&self, distance: f64) -> f64 {
        const SET_OFF: f64 = 1.5;
        let distance = distance.max(0.0);
        if self.walks || self.speed > 3.0 {
            return distance / self.speed.max(0.1);
        }
        ((self.speed.powi(2) + 2.0 * SET_OFF * distance).sqrt() - self.speed) / SET_OFF
    }

    /// Where its way first meets that of `other`, if neither is there already.
    fn meeting(&self, other: &Self) -> Option<Meeting> {
        let near = self.half.y + other.half.y + BESIDE_M;
        let length = |one: &Self| (one.poses.len() - 1) as f64 * SPACING;
        let reach = length(self) + length(other) + near;
        let (from, to) = (self.poses[0].point, other.poses[0].point);
        if from.distance_squared(to) > reach * reach {
            return None;
        }
        let touching = |own: &Pose| {
            let mut touched = other.poses.iter().enumerate().filter_map(|(at, pose)| {
                (pose.point.distance_squared(own.point) < near * near).then_some(at)
            });
            let first = touched.next()?;
            Some([first, touched.next_back().unwrap_or(first)])
        };
        let (first, mut theirs) = self
            .poses
            .iter()
            .enumerate()
            .find_map(|(at, pose)| Some((at, touching(pose)?)))?;
        let angle = angle_between(self.poses[first].heading, other.poses[theirs[0]].heading).abs();
        // there already, or the other is: then it is ahead, and following sees to it
        if first == 0 || theirs[0] == 0 {
            return None;
        }
        let mut last = first;
        while let Some(more) = self.poses.get(last + 1).and_then(touching) {
            last += 1;
            theirs = [theirs[0].min(more[0]), theirs[1].max(more[1])];
        }
        let merges = angle < FRAC_PI_4;
        let span = |one: &Self, from: usize, to: usize| {
            let enter = from as f64 * SPACING - one.half.x;
            let leave = if merges {
                // the second may follow
                enter + 2.0 * one.half.x + 4.0
            } else {
                to as f64 * SPACING + one.half.x
            };
            [enter - SPACING / 2.0, leave]
        };
        let meeting = Meeting {
            own: span(self, first, last),
            other: span(other, theirs[0], theirs[1]),
            merges,
        };
        // on a narrow street they squeeze past each other
        let turns = self.turn_by(meeting.own[1]) - other.turn_by(meeting.other[1]);
        (angle < SQUEEZE || turns.abs() > TURN).then_some(meeting)
    }
}

/// Whether somebody is in the way of whoever goes on with `velocity`, and not beside already.
fn is_blocked(seen: &Observation<'_>, state: &State, velocity: DVec2) -> bool {
    let body = seen.own().footprint(state);
    let mut next = body;
    next.pose.point += velocity.normalize_or_zero() * STRIDE_M;
    seen.others().any(|(other, there)| {
        let reach = next.radius() + (other.length + other.width) / 2.0;
        next.pose.point.distance_squared(there.position) < reach * reach && {
            let other = other.footprint(there);
            next.overlaps(&other) && !body.overlaps(&other)
        }
    })
}

fn has_stop_sign(map: &Map, lane: &LaneId) -> bool {
    map.stop_signs()
        .iter()
        .any(|sign| sign.lanes.contains(lane))
}

/// Where a track goes after `now`; `None` where it hardly moves.
fn way_of(track: &Track, now: usize) -> Option<Polyline> {
    let mut points: Vec<DVec2> = Vec::new();
    for state in track.states().iter().skip(now).flatten() {
        if points
            .last()
            .is_none_or(|last| last.distance(state.position) > 0.5)
        {
            points.push(state.position);
        }
    }
    Polyline::new(points).filter(|way| way.length() > 5.0)
}

#[cfg(test)]
#[path = "reactive_tests.rs"]
mod tests;
