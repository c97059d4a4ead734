//! Planning problems of CommonRoad: the vehicle under test, which the traffic leaves out.
//!
//! What it shall drive is for a planner to say. So that the scene is whole, it gets a drive that keeps to the rules:
//! from its start along the lanes (over lane changes where needed) to the middle of its goal region, its speed
//! changing evenly, arriving when it would arrive by itself or at the nearest permitted time, and then on along its
//! lane. Without a way over the lanes it goes to the goal in one smooth curve; without a goal it keeps its lane and speed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::data::report::Report;
use crate::data::xml::Element;
use crate::geometry::{DVec2, OrientedBox, Polyline, Pose, wrap_angle};
use crate::map::{Extra, Lane, LaneHit, Map};
use crate::scene::{Agent, AgentId, AgentKind, Goal, MADE_FROM, State, Track};

use super::obstacle::{RawState, read_state, step_of};
use super::value::{Place, interval, place, value_of};

/// The car of CommonRoad's vehicle model 2 (BMW 320i), length and width, m.
const CAR: (f64, f64) = (4.508, 1.610);

/// Room a lane change takes, m, where there is as much.
const LANE_CHANGE_M: f64 = 30.0;

/// A planning problem as read.
#[derive(Debug)]
pub(super) struct Problem {
    id: String,
    pub(super) start: RawState,
    goals: Vec<GoalState>,
}

#[derive(Debug, Clone)]
struct GoalState {
    steps: Option<(i64, i64)>,
    place: Option<Place>,
    heading: Option<f64>,
    speed: Option<f64>,
}

/// A planning problem with its places known.
#[derive(Debug)]
pub(super) struct Resolved {
    id: String,
    start: Pose,
    speed: f64,
    step: i64,
    goal: Option<(DVec2, f64)>,
    goal_state: Option<GoalState>,
}

impl Problem {
    /// Reads a `planningProblem`; `None` (and reported) without an initial state.
    pub(super) fn read(element: &Element, report: &mut Report) -> Option<Self> {
        let id = element.attribute("id").unwrap_or("?").to_owned();
        let Some(start) = element.child("initialState").and_then(read_state) else {
            report.problem(
                format!("planningProblem {id}"),
                "no initial state",
                "left out",
            );
            return None;
        };
        let goals = element.all("goalState").map(|goal| GoalState {
            steps: goal
                .child("time")
                .and_then(interval)
                .and_then(|(low, high)| Some((step_of(low)?, step_of(high)?))),
            place: goal.child("position").and_then(place),
            heading: value_of(goal, "orientation").map(|heading| heading.value),
            speed: value_of(goal, "velocity").map(|speed| speed.value),
        });
        let goals = goals.take(1000).collect();
        Some(Self { id, start, goals })
    }

    /// Turns its headings, rad: they are of the recording, as those of the file's vehicles are.
    pub(super) fn turn(&mut self, angle: f64) {
        let goals = self.goals.iter_mut().map(|goal| &mut goal.heading);
        for heading in goals.chain([&mut self.start.heading]).flatten() {
            *heading = wrap_angle(*heading + angle);
        }
    }

    /// The last step at which a goal may be reached.
    pub(super) fn end(&self) -> Option<i64> {
        let ends = self.goals.iter().filter_map(|goal| goal.steps);
        ends.map(|(_, high)| high).max()
    }

    /// Chooses the first goal that has a place and finds where it is.
    pub(super) fn resolve(
        self,
        lanelet_middle: &dyn Fn(&[String]) -> Option<DVec2>,
        report: &mut Report,
    ) -> Option<Resolved> {
        let at = |place: &Place| match place {
            Place::Point { point, reach, .. } => Some((*point, *reach)),
            Place::Lanelets(ids) => lanelet_middle(ids).map(|point| (point, 5.0)),
        };
        let Some((point, _)) = at(&self.start.place) else {
            report.problem(
                format!("planningProblem {}", self.id),
                "initial place",
                "is unknown; left out",
            );
            return None;
        };
        let placed = self
            .goals
            .iter()
            .find_map(|goal| Some((goal, at(goal.place.as_ref()?)?)));
        let others = self.goals.len().saturating_sub(1);
        report.skip_many("alternative goals of a planning problem", others);
        let goal_state = placed.map(|(goal, _)| goal).or(self.goals.first()).cloned();
        Some(Resolved {
            start: Pose::new(point, self.start.heading.unwrap_or(0.0)),
            speed: self.start.speed.unwrap_or(0.0).max(0.0),
            step: self.start.step,
            goal: placed.map(|(_, found)| found),
            goal_state,
            id: self.id,
        })
    }
}

/// Whether vehicles of problems that start at the same time stand in one another: then they are no situation that could
/// be, but one vehicle each of several.
pub(super) fn stacked(problems: &[Resolved]) -> bool {
    let body = |problem: &Resolved| OrientedBox::new(problem.start, CAR.0, CAR.1);
    problems.iter().enumerate().any(|(index, problem)| {
        problems[..index]
            .iter()
            .any(|other| other.step == problem.step && body(other).overlaps(&body(problem)))
    })
}

impl Resolved {
    /// The vehicle with its drive, and its goal (whose agent is still to be named).
    pub(super) fn drive(
        self,
        map: &Map,
        first: i64,
        frames: usize,
        dt_s: f64,
    ) -> (Agent, Option<Goal>) {
        let (path, goal_s) = self.path(map);
        let steps = self.goal_state.as_ref().and_then(|goal| goal.steps);
        let after = |step: i64| (step - self.step).max(0) as f64 * dt_s;
        let window = steps.map(|(low, high)| (after(low), after(high)));
        let wanted = self.goal_state.as_ref().and_then(|goal| goal.speed);
        let profile = Profile::new(self.speed, wanted, goal_s, window);
        let begin = usize::try_from(self.step.saturating_sub(first)).unwrap_or(0);
        let track = (0..frames).map(|frame| {
            let time = frame.checked_sub(begin)? as f64 * dt_s;
            let (s, speed) = profile.at(time);
            if time == 0.0 {
                return Some(State::along(self.start, self.speed));
            }
            (s <= path.length() + 1e-6).then(|| State::along(smooth_pose(&path, s), speed))
        });
        let mut agent = Agent::new(&self.id, AgentKind::Vehicle, Track::new(track.collect()));
        (agent.length, agent.width) = CAR;
        agent.category = Some("car".to_owned());
        agent.extra = Extra::new();
        let origin = format!("planning problem {}", self.id);
        agent.extra.insert(MADE_FROM.to_owned(), origin.into());
        let goal = self.goal.map(|(point, reach)| Goal {
            agent: AgentId::new(&self.id),
            point: [point.x, point.y],
            time_s: (begin as f64 * dt_s + profile.arrival).min(frames as f64 * dt_s),
            heading: self.goal_state.as_ref().and_then(|goal| goal.heading),
            speed: wanted,
            tolerance_m: reach.clamp(1.0, 20.0),
            hard: false,
            extra: Extra::new(),
        });
        (agent, goal)
    }

    /// The way, and how far along it the goal lies.
    fn path(&self, map: &Map) -> (Polyline, Option<f64>) {
        let start = self.start.point;
        let straight = || {
            let ahead = start + self.start.forward() * 1000.0;
            Polyline::new([start, ahead]).expect("a kilometre apart")
        };
        // a lane that runs the other way is not the one it is on
        let from = map
            .lane_for(start, self.start.heading, 6.0, Lane::carries_vehicles)
            .filter(|hit| (hit.pose.heading - self.start.heading).cos() > 0.3);
        let Some((goal, _)) = self.goal.filter(|(goal, _)| goal.distance(start) > 0.5) else {
            let path = from.and_then(|from| {
                let mut points = vec![start];
                follow(map, from.lane, from.s + 5.0, &mut points);
                Polyline::new(points)
            });
            return (path.map_or_else(straight, |path| rounded(&path)), None);
        };
        let heading = self.goal_state.as_ref().and_then(|goal| goal.heading);
        let route = from.and_then(|from| {
            let ends = map.lanes_near(goal, 4.0);
            let ends: Vec<LaneHit> = ends
                .into_iter()
                .filter(|end| map.lanes()[end.lane].carries_vehicles())
                .filter(|end| heading.is_none_or(|h| (end.pose.heading - h).cos() > 0.5))
                .collect();
            route(map, &from, &ends).and_then(|(route, end)| {
                let mut points = along(map, &route, &from, &end);
                points.insert(0, start);
                points.push(goal);
                let to_goal = rounded(&Polyline::new(points)?);
                let mut onward = Vec::new();
                follow(map, end.lane, end.s + 5.0, &mut onward);
                let goal_s = to_goal.length();
                let all = to_goal.points().iter().copied().chain(onward);
                Some((Polyline::new(all)?, goal_s))
            })
        });
        if let Some((path, goal_s)) = route {
            return (path, Some(goal_s));
        }
        let arrival = heading.unwrap_or_else(|| (goal - start).to_angle());
        let reach = goal.distance(start);
        let (out, into) = (
            self.start.forward() * reach,
            DVec2::from_angle(arrival) * reach,
        );
        // cubic Hermite from start to goal
        let points = (0..=40).map(|part| {
            let t = f64::from(part) / 40.0;
            let (t2, t3) = (t * t, t * t * t);
            start * (2.0 * t3 - 3.0 * t2 + 1.0)
                + out * (t3 - 2.0 * t2 + t)
                + goal * (3.0 * t2 - 2.0 * t3)
                + into * (t3 - t2)
        });
        match Polyline::new(points) {
            Some(path) => {
                let length = path.length();
                (path, Some(length))
            }
            None => (straight(), None),
        }
    }
}

/// Distance and speed over time: even change of speed to the arrival, then constant.
#[derive(Debug)]
struct Profile {
    start_speed: f64,
    acceleration: f64,
    /// When the goal is reached, s after the start; where there is no goal, when speed stops changing.
    arrival: f64,
}

impl Profile {
    fn new(
        start_speed: f64,
        wanted: Option<f64>,
        goal_s: Option<f64>,
        window: Option<(f64, f64)>,
    ) -> Self {
        let Some(distance) = goal_s.filter(|s| *s > 0.1) else {
            return Self {
                start_speed,
                acceleration: 0.0,
                arrival: window.map_or(0.0, |(_, high)| high),
            };
        };
        let mean = ((start_speed + wanted.unwrap_or(start_speed)) / 2.0).max(1.0);
        let arrival = distance / mean;
        let arrival = window.map_or(arrival, |(low, high)| arrival.min(high).max(low));
        // from s = v t + a t² / 2; where that would end in reverse, an even stop at the goal
        let arrival = arrival.max(0.1);
        let even = 2.0 * (distance - start_speed * arrival) / (arrival * arrival);
        let acceleration = if start_speed + even * arrival < 0.0 {
            -start_speed * start_speed / (2.0 * distance)
        } else {
            even.min(8.0)
        };
        Self {
            start_speed,
            acceleration,
            arrival,
        }
    }

    /// Distance, m, and speed, m/s, `time` seconds after the start.
    fn at(&self, time: f64) -> (f64, f64) {
        let mut changing = time.min(self.arrival);
        if self.acceleration < 0.0 {
            changing = changing.min(self.start_speed / -self.acceleration);
        }
        let speed = (self.start_speed + self.acceleration * changing).max(0.0);
        let before = self.start_speed * changing + self.acceleration * changing * changing / 2.0;
        (before + speed * (time - changing), speed)
    }
}

/// A lane and how it was entered.
type Step = (usize, bool);

/// The cheapest way over successors and neighbours in the same direction from a lane to any of `ends`: lane indices,
/// each with whether it was entered by a lane change.
fn route(map: &Map, from: &LaneHit, ends: &[LaneHit]) -> Option<(Vec<Step>, LaneHit)> {
    let end_of = |lane: usize| ends.iter().find(|end| end.lane == lane);
    let mut best: BTreeMap<usize, (u64, Option<usize>, bool)> = BTreeMap::new();
    let mut queue = BinaryHeap::new();
    best.insert(from.lane, (0, None, false));
    queue.push(Reverse((0_u64, from.lane)));
    while let Some(Reverse((cost, lane))) = queue.pop() {
        if best.get(&lane).is_some_and(|known| known.0 < cost) {
            continue;
        }
        let is_behind = |end: &&LaneHit| lane != from.lane || end.s > from.s;
        if let Some(end) = end_of(lane).filter(is_behind) {
            let mut steps = Vec::new();
            let mut at = Some(lane);
            while let Some(lane) = at {
                let &(_, before, changed) = best.get(&lane)?;
                steps.push((lane, changed));
                at = before;
            }
            steps.reverse();
            return Some((steps, *end));
        }
        if best.len() > 20_000 {
            return None;
        }
        let here = &map.lanes()[lane];
        let onward = here.successors.iter().map(|id| (id, false));
        let beside = [&here.left_neighbour, &here.right_neighbour];
        let beside = beside.into_iter().flatten().map(|id| (id, true));
        for (id, changes) in onward.chain(beside) {
            let Some(next) = map.lane_index(id) else {
                continue;
            };
            if !map.lanes()[next].carries_vehicles() {
                continue;
            }
            // centimetres; a lane change counts as 50 m
            let step = if changes {
                50.0
            } else {
                here.centreline.length()
            };
            let total = cost + (step * 100.0) as u64 + 1;
            if best.get(&next).is_none_or(|known| total < known.0) {
                best.insert(next, (total, Some(lane), changes));
                queue.push(Reverse((total, next)));
            }
        }
    }
    None
}

/// Points of the route after the start and before the goal.
fn along(map: &Map, steps: &[Step], from: &LaneHit, end: &LaneHit) -> Vec<DVec2> {
    let mut points = Vec::new();
    // where on the lane its part begins, as a fraction of its length
    let mut begin = from.s / map.lanes()[from.lane].centreline.length();
    for (index, (lane, _)) in steps.iter().enumerate() {
        let line = &map.lanes()[*lane].centreline;
        let length = line.length();
        let from_s = begin * length + if index == 0 { 5.0 } else { 0.0 };
        let is_last = index + 1 == steps.len();
        let leaves_sideways = !is_last && steps[index + 1].1;
        let to_s = if is_last {
            end.s - 5.0
        } else if leaves_sideways {
            from_s + (length - from_s) * 0.2
        } else {
            length
        };
        points.extend(
            line.slice(from_s, to_s)
                .iter()
                .flat_map(|part| part.points())
                .copied(),
        );
        begin = if leaves_sideways {
            ((to_s + LANE_CHANGE_M.min((length - to_s).max(0.0) * 0.8)) / length).min(1.0)
        } else {
            0.0
        };
    }
    points
}

/// Appends what lies ahead on a lane and on its straightest successors, up to a kilometre.
fn follow(map: &Map, lane: usize, from_s: f64, points: &mut Vec<DVec2>) {
    let (mut lane, mut from_s, mut left) = (lane, from_s, 1000.0);
    for _ in 0..200 {
        let line = &map.lanes()[lane].centreline;
        points.extend(
            line.slice(from_s, line.length())
                .iter()
                .flat_map(|part| part.points())
                .copied(),
        );
        left -= (line.length() - from_s).max(0.0);
        let heading = line.pose_at(line.length()).heading;
        let turn = |next: &usize| {
            let line = &map.lanes()[*next].centreline;
            let turned = line.pose_at(line.length()).heading - heading;
            1.0 - turned.cos()
        };
        let next = map.lanes()[lane]
            .successors
            .iter()
            .filter_map(|id| map.lane_index(id))
            .filter(|next| map.lanes()[*next].carries_vehicles())
            .min_by(|a, b| turn(a).total_cmp(&turn(b)));
        match next {
            Some(next) if left > 0.0 => (lane, from_s) = (next, 0.0),
            _ => return,
        }
    }
}

/// The path at 1 m steps with its corners rounded over 8 m; both ends stay.
fn rounded(path: &Polyline) -> Polyline {
    let count = (path.length().ceil() as usize + 1).clamp(2, 5000);
    let even = path.resampled(count);
    let averaged = (0..count).map(|index| {
        let reach = 4.min(index).min(count - 1 - index);
        let around = &even[index - reach..=index + reach];
        around.iter().sum::<DVec2>() / around.len() as f64
    });
    Polyline::new(averaged).unwrap_or_else(|| path.clone())
}

/// The pose at `s` with its heading taken over a metre either way, so that it turns without jumps.
fn smooth_pose(path: &Polyline, s: f64) -> Pose {
    let chord = path.point_at(s + 1.0) - path.point_at(s - 1.0);
    let pose = path.pose_at(s);
    match chord.try_normalize() {
        Some(direction) => Pose::new(pose.point, direction.to_angle()),
        None => pose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrival_is_the_natural_one_where_the_window_allows() {
        // 100 m from 20 to 10 m/s: mean 15 m/s, 6.67 s
        let profile = Profile::new(20.0, Some(10.0), Some(100.0), Some((0.0, 20.0)));
        assert!((profile.arrival - 100.0 / 15.0).abs() < 1e-9);
        let (s, speed) = profile.at(profile.arrival);
        assert!((s - 100.0).abs() < 1e-9 && (speed - 10.0).abs() < 1e-9);
        assert!((profile.at(profile.arrival + 1.0).0 - 110.0).abs() < 1e-9);
    }

    #[test]
    fn a_late_window_ends_in_a_stop_at_the_goal() {
        // 10 m/s and 20 m to go in no less than 60 s: braking evenly stops after 4 s (10² / (2 · 20) = 2.5 m/s²)
        let profile = Profile::new(10.0, None, Some(20.0), Some((60.0, 90.0)));
        let (s, speed) = profile.at(10.0);
        assert!((s - 20.0).abs() < 1e-9 && speed < 1e-9);
        assert_eq!(profile.at(60.0).1, profile.at(10.0).1);
    }
}
