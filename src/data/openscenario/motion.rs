//! Entities on the move: what actions change of their speed, place and course, and a step of time.

use std::collections::BTreeSet;

use super::keeping::Keeping;
use super::place::Place;
use super::play::{Player, TICK_S};
use super::story::{Action, By, Curve, Dynamics, Shape, Trajectory, sideways};
use crate::data::opendrive::parts;
use crate::data::xml::Element;
use crate::geometry::{DVec2, Pose, angle_between, dvec2, lerp_angle};
use crate::map::{Lane, LaneId};
use crate::scene::AgentKind;

/// A lane farther away is not followed, m.
pub(super) const ON_LANE_M: f64 = 3.0;
/// What lies so far below the road is not there, m.
const AWAY_M: f64 = -1.0;
/// Slower is standing, m/s.
const STILL_MPS: f64 = 0.01;
/// Between two points of a clothoid, m, and most of them.
const CLOTHOID_STEP_M: f64 = 0.5;
const MOST_POINTS: f64 = 20_000.0;

/// What an entity is doing about its speed.
#[derive(Debug, Clone)]
pub(super) struct Speeding {
    pub(super) event: Option<usize>,
    pub(super) from: f64,
    pub(super) to: f64,
    /// Whose speed is followed from now on, times and plus.
    pub(super) follows: Option<(usize, f64, f64)>,
    pub(super) start_s: f64,
    pub(super) span_s: f64,
    pub(super) curve: Curve,
}

/// What an entity is doing about its place on its lane.
#[derive(Debug, Clone)]
pub(super) struct Drift {
    pub(super) event: Option<usize>,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) start_s: f64,
    pub(super) span_s: f64,
    pub(super) curve: Curve,
}

#[derive(Debug, Clone)]
pub(super) enum Course {
    /// Along a lane, by its position in the map: metres from its start, metres to its left.
    Lane {
        lane: usize,
        s: f64,
        left: f64,
    },
    /// Where it heads.
    Straight,
    Trajectory(Way),
}

/// Time or distance, place, heading where one is given, height.
pub(super) type Vertex = (f64, DVec2, Option<f64>, f64);

/// A trajectory being followed.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) event: Option<usize>,
    pub(super) vertices: Vec<Vertex>,
    /// Whether the first numbers are times of the scenario.
    pub(super) timed: bool,
    /// Metres so far, where they are distances.
    pub(super) done_m: f64,
}

/// An entity on the move. Its pose is that of its reference point.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) pose: Option<Pose>,
    pub(super) away: bool,
    pub(super) speed: f64,
    pub(super) course: Course,
    pub(super) speeding: Option<Speeding>,
    pub(super) drift: Option<Drift>,
    /// Instead of `speeding`.
    pub(super) keeping: Option<Keeping>,
    pub(super) travelled_m: f64,
    /// In the last step, m/s².
    pub(super) acceleration: f64,
    /// For how long by now, s.
    pub(super) still_s: f64,
    /// Roads of its route.
    pub(super) route: BTreeSet<String>,
}

impl Player<'_> {
    pub(super) fn apply(&mut self, index: usize, action: &Action, event: Option<usize>) {
        match action {
            Action::Teleport(place) => {
                if let Some(place) = self.place(place) {
                    self.put(index, &place);
                }
            }
            Action::Speed(to, dynamics) => self.speed_up(index, event, *to, None, *dynamics),
            Action::RelativeSpeed {
                to,
                factor,
                delta,
                always,
                dynamics,
            } => {
                if let Some(other) = self.index(to) {
                    let target = self.bodies[other].speed * factor + delta;
                    let follows = always.then_some((other, *factor, *delta));
                    self.speed_up(index, event, target, follows, *dynamics);
                }
            }
            Action::LaneChange { of, lane, dynamics } => {
                self.change_lane(index, event, of.as_deref(), *lane, *dynamics);
            }
            Action::LaneOffset {
                of,
                to,
                curve,
                most,
            } => {
                let base = match of.as_deref().map(|of| self.index(of)) {
                    None => Some(0.0),
                    Some(other) => other.and_then(|other| match self.bodies[other].course {
                        Course::Lane { left, .. } => Some(left),
                        _ => None,
                    }),
                };
                if let (Course::Lane { left, .. }, Some(base)) = (&self.bodies[index].course, base)
                {
                    let (left, to) = (*left, base + to);
                    self.bodies[index].drift = Some(drift(
                        event,
                        left,
                        to,
                        self.now_s,
                        self.bodies[index].speed,
                        sideways(*curve, *most, to - left),
                    ));
                }
            }
            Action::KeepDistance(of) => self.keep_distance(index, event, of),
            Action::Meet(meeting) => self.meet(index, event, meeting),
            Action::Trajectory(trajectory) => self.follow(index, event, trajectory),
            Action::Route(waypoints) => self.bodies[index].route = self.route(waypoints),
            // for these nobody acts
            Action::Light(..) | Action::Unknown(_) => {}
        }
    }

    pub(super) fn put(&mut self, index: usize, place: &Place) {
        self.bodies[index].pose = Some(place.pose);
        self.bodies[index].away = place.z < AWAY_M;
        self.bodies[index].course = self.course_at(index, place.pose);
        self.bodies[index].drift = None;
    }

    /// Vehicles and cyclists follow the lane they are on.
    pub(super) fn course_at(&self, index: usize, pose: Pose) -> Course {
        let drives = matches!(
            self.cast[index].kind,
            AgentKind::Vehicle | AgentKind::Cyclist
        );
        let hit = drives.then(|| {
            let fits = |lane: &Lane| {
                lane.carries_vehicles() || self.cast[index].kind == AgentKind::Cyclist
            };
            self.map.lane_for(pose.point, pose.heading, ON_LANE_M, fits)
        });
        match hit.flatten() {
            Some(hit) if angle_between(hit.pose.heading, pose.heading).abs() < 0.8 => {
                Course::Lane {
                    lane: hit.lane,
                    s: hit.s,
                    left: hit.offset,
                }
            }
            _ => Course::Straight,
        }
    }

    fn speed_up(
        &mut self,
        index: usize,
        event: Option<usize>,
        to: f64,
        follows: Option<(usize, f64, f64)>,
        dynamics: Dynamics,
    ) {
        let body = &mut self.bodies[index];
        let change = (to - body.speed).abs();
        let span_s = match (dynamics.shape, dynamics.by) {
            (Curve::Step, _) => 0.0,
            (_, By::Time(seconds)) => seconds,
            (_, By::Rate(rate)) => change / rate.max(1e-3),
            (_, By::Distance(metres)) => 2.0 * metres / (body.speed + to).abs().max(0.1),
        };
        body.keeping = None;
        body.speeding = Some(Speeding {
            event,
            from: body.speed,
            to,
            follows,
            start_s: self.now_s,
            span_s,
            curve: dynamics.shape,
        });
        if span_s <= 0.0 {
            body.speed = to;
            if follows.is_none() {
                body.speeding = None;
            }
        }
    }

    fn change_lane(
        &mut self,
        index: usize,
        event: Option<usize>,
        of: Option<&str>,
        lane: i32,
        dynamics: Dynamics,
    ) {
        let target = self.target_lane(index, of, lane);
        let (Some(target), Some(pose)) = (target, self.bodies[index].pose) else {
            let name = &self.cast[index].name;
            self.report.problem(
                format!("entity {name}: LaneChangeAction"),
                lane,
                "there is no such lane beside it",
            );
            return;
        };
        let line = &self.map.lanes()[target].centreline;
        let found = line.project(pose.point);
        let body = &mut self.bodies[index];
        body.course = Course::Lane {
            lane: target,
            s: found.s,
            left: found.offset,
        };
        body.drift = Some(drift(
            event,
            found.offset,
            0.0,
            self.now_s,
            body.speed,
            dynamics,
        ));
    }

    /// The lane beside an entity that a lane change leads to.
    fn target_lane(&self, index: usize, of: Option<&str>, number: i32) -> Option<usize> {
        let lane_of = |index: usize| match self.bodies[index].course {
            Course::Lane { lane, .. } => Some(lane),
            _ => None,
        };
        let own = lane_of(index)?;
        let lanes = self.map.lanes();
        let (road, section, own_number) = parts(&lanes[own].id)?;
        let named = |number: i32| {
            let id = LaneId::new(format!("{road}.{section}.{number}"));
            self.map.lane_index(&id)
        };
        let Some(of) = of else {
            return named(number);
        };
        let other = self.index(of).filter(|other| *other != index);
        let start = match other {
            Some(other) => {
                let (_, _, theirs) = parts(&lanes[lane_of(other)?].id)?;
                named(theirs)?
            }
            None => named(own_number)?,
        };
        let mut lane = start;
        for _ in 0..number.unsigned_abs() {
            let beside = if number > 0 {
                &lanes[lane].left_neighbour
            } else {
                &lanes[lane].right_neighbour
            };
            lane = self.map.lane_index(beside.as_ref()?)?;
        }
        Some(lane)
    }

    fn follow(&mut self, index: usize, event: Option<usize>, trajectory: &Trajectory) {
        let timing = trajectory.timing;
        let (mut vertices, timed) = match &trajectory.shape {
            Shape::Polyline(listed) => {
                let timed = timing.is_some() && listed.iter().all(|(time, _)| time.is_some());
                (self.vertices(index, listed), timed)
            }
            Shape::Clothoid(start, bends, times) => {
                let Some(start) = self.place(start) else {
                    return;
                };
                let times = times.filter(|_| timing.is_some());
                (clothoid(start.pose, *bends, times), times.is_some())
            }
        };
        let (scale, from_s) = timing.map_or((1.0, 0.0), |timing| {
            let start_s = if timing.absolute { 0.0 } else { self.now_s };
            (timing.scale, start_s + timing.offset_s)
        });
        let mut metres = 0.0;
        for at in 0..vertices.len() {
            if at > 0 {
                metres += vertices[at - 1].1.distance(vertices[at].1);
            }
            vertices[at].0 = if timed {
                vertices[at].0 * scale + from_s
            } else {
                metres
            };
        }
        vertices.sort_by(|a, b| a.0.total_cmp(&b.0));
        if vertices.len() < 2 {
            return;
        }
        self.bodies[index].drift = None;
        self.bodies[index].course = Course::Trajectory(Way {
            event,
            vertices,
            timed,
            done_m: 0.0,
        });
        self.on_trajectory(index, self.now_s, 0.0);
    }

    /// The vertices of a polyline: time (0 without one), place, heading where one is given, height.
    fn vertices(&mut self, index: usize, listed: &[(Option<f64>, Element)]) -> Vec<Vertex> {
        let mut vertices = Vec::new();
        for (time, position) in listed {
            let Some(place) = self.place(position) else {
                let name = &self.cast[index].name;
                let kind = position
                    .children
                    .first()
                    .map_or("", |child| child.name.as_str());
                let element = format!("entity {name}: Vertex");
                self.report
                    .problem(element, kind, "a place that cannot be found; left out");
                continue;
            };
            let heading = place.turned.then_some(place.pose.heading);
            vertices.push((time.unwrap_or(0.0), place.pose.point, heading, place.z));
        }
        vertices
    }

    // ------------------------------------------------------------ motion

    pub(super) fn advance(&mut self) {
        let then_s = self.now_s + TICK_S;
        // speeds first: who answers to another sees where all are now
        for index in 0..self.bodies.len() {
            let before = self.bodies[index].speed;
            self.change_speed(index, then_s);
            let body = &mut self.bodies[index];
            body.acceleration = (body.speed - before) / TICK_S;
            body.still_s = match body.speed.abs() < STILL_MPS {
                true => body.still_s + TICK_S,
                false => 0.0,
            };
        }
        for index in 0..self.bodies.len() {
            let Some(pose) = self.bodies[index].pose else {
                self.on_trajectory(index, then_s, 0.0);
                continue;
            };
            let step_m = self.bodies[index].speed * TICK_S;
            match self.bodies[index].course {
                Course::Straight => {
                    let point = pose.point + pose.forward() * step_m;
                    self.bodies[index].pose = Some(Pose::new(point, pose.heading));
                }
                Course::Lane { lane, s, left } => {
                    self.along_lane(index, (lane, s + step_m, left), then_s);
                }
                Course::Trajectory(_) => self.on_trajectory(index, then_s, step_m),
            }
            let moved = self.bodies[index]
                .pose
                .map_or(0.0, |now| now.point.distance(pose.point));
            self.bodies[index].travelled_m += moved;
        }
    }

    fn change_speed(&mut self, index: usize, then_s: f64) {
        if let Some(keeping) = self.bodies[index].keeping.clone() {
            self.keep(index, &keeping);
            return;
        }
        let Some(speeding) = self.bodies[index].speeding.clone() else {
            return;
        };
        let to = match speeding.follows {
            Some((other, factor, delta)) => self.bodies[other].speed * factor + delta,
            None => speeding.to,
        };
        let share = share(speeding.curve, then_s - speeding.start_s, speeding.span_s);
        let body = &mut self.bodies[index];
        body.speed = speeding.from + (to - speeding.from) * share;
        if share >= 1.0 && speeding.follows.is_none() {
            body.speeding = None;
        }
    }

    fn along_lane(
        &mut self,
        index: usize,
        (mut lane, mut s, mut left): (usize, f64, f64),
        then_s: f64,
    ) {
        let lanes = self.map.lanes();
        let mut hops = 0;
        while s > lanes[lane].centreline.length() {
            let line = &lanes[lane].centreline;
            let next = self.lane_after(lane, &self.bodies[index].route);
            let Some(next) = next.filter(|_| hops < 100) else {
                let end = line.pose_at(line.length());
                let beyond = end.outer_from_local(dvec2(s - line.length(), left));
                self.bodies[index].pose = Some(Pose::new(beyond, end.heading));
                self.bodies[index].course = Course::Straight;
                self.bodies[index].drift = None;
                return;
            };
            s -= line.length();
            lane = next;
            hops += 1;
        }
        let mut slope = 0.0;
        if let Some(drift) = self.bodies[index].drift.clone() {
            let at = |time_s: f64| {
                let share = share(drift.curve, time_s - drift.start_s, drift.span_s);
                (drift.from + (drift.to - drift.from) * share, share)
            };
            let (place, done) = at(then_s);
            let ahead_m = self.bodies[index].speed.abs().max(0.5) * TICK_S;
            slope = ((place - left) / ahead_m).atan();
            left = place;
            if done >= 1.0 {
                self.bodies[index].drift = None;
            }
        }
        let on = lanes[lane].centreline.pose_at(s.max(0.0));
        let back = s.min(0.0);
        let point = on.outer_from_local(dvec2(back, left));
        let body = &mut self.bodies[index];
        body.pose = Some(Pose::new(point, on.heading + slope));
        body.course = Course::Lane { lane, s, left };
    }

    /// Moves an entity along its trajectory, if it follows one; at its end it goes on along its lane, or straight on.
    fn on_trajectory(&mut self, index: usize, then_s: f64, step_m: f64) {
        let Course::Trajectory(way) = &mut self.bodies[index].course else {
            return;
        };
        way.done_m += step_m;
        let at = if way.timed { then_s } else { way.done_m };
        let (first, last) = (way.vertices[0], way.vertices[way.vertices.len() - 1]);
        let next = way
            .vertices
            .partition_point(|(place, ..)| *place <= at + 1e-9);
        let (from, to) = match next {
            0 => (first, way.vertices[1]),
            next if next == way.vertices.len() => (way.vertices[next - 2], last),
            next => (way.vertices[next - 1], way.vertices[next]),
        };
        let span = (to.0 - from.0).max(1e-9);
        let share = ((at - from.0) / span).clamp(0.0, 1.0);
        let point = from.1.lerp(to.1, share);
        let along = to.1 - from.1;
        let heading = match (from.2, to.2) {
            (Some(from), Some(to)) => Some(lerp_angle(from, to, share)),
            _ if along.length() > 0.01 => Some(along.to_angle()),
            _ => None,
        };
        let z = from.3 + (to.3 - from.3) * share;
        let over = at >= last.0 - 1e-9;
        let timed = way.timed;
        let body = &mut self.bodies[index];
        let heading = heading
            .or(body.pose.map(|pose| pose.heading))
            .unwrap_or(0.0);
        let pose = Pose::new(point, heading);
        body.pose = Some(pose);
        body.away = z < AWAY_M;
        if timed {
            // before its first moment it waits
            let waits = at < first.0 - 1e-9;
            body.speed = if waits { 0.0 } else { along.length() / span };
        }
        if over {
            self.bodies[index].course = self.course_at(index, pose);
        }
    }
}

fn drift(
    event: Option<usize>,
    from: f64,
    to: f64,
    start_s: f64,
    speed: f64,
    dynamics: Dynamics,
) -> Drift {
    let span_s = match (dynamics.shape, dynamics.by) {
        (Curve::Step, _) => 0.0,
        (_, By::Time(seconds)) => seconds,
        (_, By::Distance(metres)) => metres / speed.abs().max(0.1),
        (_, By::Rate(rate)) => (to - from).abs() / rate.max(1e-3),
    };
    Drift {
        event,
        from,
        to,
        start_s,
        span_s,
        curve: dynamics.shape,
    }
}

/// How much of a change is done after `time_s` of `span_s`.
fn share(curve: Curve, time_s: f64, span_s: f64) -> f64 {
    if span_s <= 0.0 || time_s >= span_s - 1e-9 {
        return 1.0;
    }
    let done = (time_s / span_s).clamp(0.0, 1.0);
    match curve {
        Curve::Step => 1.0,
        Curve::Linear => done,
        Curve::Smooth => 0.5 - 0.5 * (std::f64::consts::PI * done).cos(),
    }
}

/// Points of a clothoid from a pose on, by curvature, its change and its length; times evenly between those of the ends.
fn clothoid(
    start: Pose,
    [curvature, change, length]: [f64; 3],
    times: Option<[f64; 2]>,
) -> Vec<Vertex> {
    let parts = (length / CLOTHOID_STEP_M).ceil().clamp(1.0, MOST_POINTS);
    let step = length.max(0.0) / parts;
    let [first, last] = times.unwrap_or_default();
    let heading = |s: f64| start.heading + s * (curvature + 0.5 * change * s);
    let mut point = start.point;
    (0..=parts as usize)
        .map(|part| {
            let s = part as f64 * step;
            let here = point;
            // by the midpoint rule: half a metre bends little
            point += Pose::new(DVec2::ZERO, heading(s + 0.5 * step)).forward() * step;
            let time = first + (last - first) * part as f64 / parts;
            (time, here, Some(heading(s)), 0.0)
        })
        .collect()
}
