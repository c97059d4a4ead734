//! Conditions: what must hold for something to begin or end, and whether it does.

use std::collections::{BTreeSet, VecDeque};

use super::play::Player;
use super::route::lane_section;
use crate::data::xml::Element;
use crate::geometry::{DVec2, OrientedBox, Pose};

/// Less than this is no difference.
const SAME: f64 = 1e-9;
/// Values that change from step to step are equal within this.
const EQUAL: f64 = 0.05;
/// Most changes of a condition that its delay holds back.
const MOST_CHANGES: usize = 256;
/// A place farther from all lanes is not on the road, m, and most lanes between two places on it.
const ON_ROAD_M: f64 = 20.0;
const MOST_HOPS: usize = 100;

/// Any of these groups, all of a group's conditions at the same time.
pub(super) type Trigger = Vec<Vec<Condition>>;

/// What must hold for something to begin or end.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) what: What,
    /// It counts so much later, s.
    delay_s: f64,
    edge: Edge,
}

/// Whether a condition holds as long as it is true, or at the moment when that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    None,
    Rising,
    Falling,
    Either,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// Simulation time.
    Time(Rule, f64),
    /// What an element of the storyboard, by name, does.
    Element(String, Phase),
    /// Of any, or all, of these entities.
    Of {
        who: Vec<String>,
        all: bool,
        what: OfEntity,
    },
    /// One that is not known: its name.
    Unknown(String),
}

/// A state of an element of the storyboard, or the moment when one ends and another begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Standby,
    Running,
    Complete,
    Begins,
    Ends,
    Stops,
}

#[derive(Debug, Clone)]
pub(super) enum OfEntity {
    /// Seconds to where another is, at one's own speed.
    Headway(Distance, Rule, f64),
    /// Metres.
    Distance(Distance, Rule, f64),
    /// Seconds until the distance is nothing.
    Collision(Distance, Rule, f64),
    Speed(Rule, f64),
    /// Above another's, m/s.
    RelativeSpeed(String, Rule, f64),
    Acceleration(Rule, f64),
    /// For so long, s.
    StandStill(f64),
    /// Boxes overlap.
    Touches(String),
    Travelled(f64),
    Unknown(String),
}

/// A distance from an entity to another or to a place.
#[derive(Debug, Clone)]
pub(super) struct Distance {
    to: Target,
    axis: Axis,
    /// Along and across the lanes, not the entity.
    road: bool,
    /// Between the boxes, not the reference points.
    free: bool,
}

#[derive(Debug, Clone)]
enum Target {
    Entity(String),
    Place(Element),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Straight,
    Along,
    Across,
}

/// A distance as it is.
struct Measured {
    /// m, never negative; infinite where no road leads from one to the other.
    metres: f64,
    /// Whether the other is not behind.
    ahead: bool,
    /// How fast it shrinks, m/s.
    closing: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Rule {
    fn of(element: &Element) -> Self {
        match element.attribute("rule") {
            Some("lessThan") => Self::Less,
            Some("lessOrEqual") => Self::LessOrEqual,
            Some("equalTo") => Self::Equal,
            Some("notEqualTo") => Self::NotEqual,
            Some("greaterOrEqual") => Self::GreaterOrEqual,
            _ => Self::Greater,
        }
    }

    pub(super) fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit - SAME,
            Self::LessOrEqual => value <= limit + SAME,
            Self::Equal => (value - limit).abs() < EQUAL,
            Self::NotEqual => (value - limit).abs() >= EQUAL,
            Self::GreaterOrEqual => value >= limit - SAME,
            Self::Greater => value > limit + SAME,
        }
    }
}

/// Reads a `<StartTrigger>` or `<StopTrigger>`.
pub(super) fn trigger(element: Option<&Element>) -> Trigger {
    let groups = element
        .into_iter()
        .flat_map(|element| element.all("ConditionGroup"));
    groups
        .map(|group| group.all("Condition").map(condition).collect())
        .collect()
}

fn condition(element: &Element) -> Condition {
    let by_value = element
        .child("ByValueCondition")
        .and_then(|by| by.children.first());
    let by_entity = element.child("ByEntityCondition");
    let what = match (by_value, by_entity) {
        (Some(value), _) => by_value_condition(value),
        (None, Some(entity)) => by_entity_condition(entity),
        (None, None) => {
            let name = element.attribute("name").unwrap_or_default();
            What::Unknown(name.to_owned())
        }
    };
    Condition {
        what,
        delay_s: element.number_attribute("delay").unwrap_or(0.0).max(0.0),
        edge: match element.attribute("conditionEdge") {
            Some("rising") => Edge::Rising,
            Some("falling") => Edge::Falling,
            Some("risingOrFalling") => Edge::Either,
            _ => Edge::None,
        },
    }
}

fn by_value_condition(element: &Element) -> What {
    match element.name.as_str() {
        "SimulationTimeCondition" => match element.number_attribute("value") {
            Some(value) => What::Time(Rule::of(element), value),
            None => What::Unknown(element.name.clone()),
        },
        "StoryboardElementStateCondition" => {
            let name = element
                .attribute("storyboardElementRef")
                .unwrap_or_default();
            // a name may be given with those of what it is part of before it
            let name = name.rsplit("::").next().unwrap_or(name);
            let phase = match element.attribute("state").unwrap_or_default() {
                "standbyState" => Phase::Standby,
                "runningState" => Phase::Running,
                "completeState" => Phase::Complete,
                "startTransition" => Phase::Begins,
                "endTransition" => Phase::Ends,
                "stopTransition" => Phase::Stops,
                other => return What::Unknown(format!("{} of a {other}", element.name)),
            };
            What::Element(name.to_owned(), phase)
        }
        other => What::Unknown(other.to_owned()),
    }
}

fn by_entity_condition(element: &Element) -> What {
    let triggering = element.child("TriggeringEntities");
    let who = triggering.into_iter().flat_map(|who| who.all("EntityRef"));
    let rule = triggering.and_then(|who| who.attribute("triggeringEntitiesRule"));
    let inner = element
        .child("EntityCondition")
        .and_then(|entity| entity.children.first());
    What::Of {
        who: who
            .filter_map(|who| who.attribute("entityRef").map(str::to_owned))
            .collect(),
        all: rule == Some("all"),
        what: inner.map_or_else(|| OfEntity::Unknown(String::new()), of_entity),
    }
}

/// A position that is not dear to find in every step: one on a route or on the road beside somebody on the move is.
fn fixed(element: &Element) -> Option<&Element> {
    let place = element.child("Position")?;
    let kind = place.children.first()?.name.as_str();
    (!matches!(
        kind,
        "RelativeLanePosition" | "RelativeRoadPosition" | "RoutePosition"
    ))
    .then_some(place)
}

fn of_entity(element: &Element) -> OfEntity {
    let unknown = |why: &str| OfEntity::Unknown(format!("{}{why}", element.name));
    let value = element.number_attribute("value");
    let other = element.attribute("entityRef").map(str::to_owned);
    let rule = Rule::of(element);
    let target = match element.name.as_str() {
        "TimeToCollisionCondition" => {
            let target = element.child("TimeToCollisionConditionTarget");
            let name = |target: &Element| {
                let named = target.child("EntityRef")?.attribute("entityRef")?;
                Some(Target::Entity(named.to_owned()))
            };
            let place = |target| fixed(target).cloned().map(Target::Place);
            target.and_then(|target| name(target).or_else(|| place(target)))
        }
        "DistanceCondition" | "ReachPositionCondition" => {
            fixed(element).cloned().map(Target::Place)
        }
        _ => other.clone().map(Target::Entity),
    };
    let distance = |to: Target| -> Result<Distance, String> {
        let text = |name: &str| element.attribute(name);
        let (kind, system) = (text("relativeDistanceType"), text("coordinateSystem"));
        let said = kind.is_some() || system.is_some();
        let by_route = !said && text("alongRoute") == Some("true");
        Ok(Distance {
            to,
            axis: match kind {
                None if by_route => Axis::Along,
                None | Some("euclidianDistance" | "cartesianDistance") => Axis::Straight,
                Some("longitudinal") => Axis::Along,
                Some("lateral") => Axis::Across,
                Some(other) => return Err(format!(" of relativeDistanceType {other}")),
            },
            road: match system {
                None | Some("entity") => by_route,
                Some("road" | "lane") => true,
                Some(other) => return Err(format!(" of coordinateSystem {other}")),
            },
            free: text("freespace") == Some("true"),
        })
    };
    // of directions only the one ahead is known
    let direction = element.attribute("direction").unwrap_or("longitudinal");
    let turned = direction != "longitudinal";
    match (element.name.as_str(), value) {
        ("TimeHeadwayCondition", Some(value)) => match target.map(distance) {
            Some(Ok(distance)) => OfEntity::Headway(distance, rule, value),
            Some(Err(why)) => unknown(&why),
            None => unknown(""),
        },
        ("RelativeDistanceCondition" | "DistanceCondition", Some(value)) => {
            match target.map(distance) {
                Some(Ok(distance)) => OfEntity::Distance(distance, rule, value),
                Some(Err(why)) => unknown(&why),
                None => unknown(""),
            }
        }
        ("TimeToCollisionCondition", Some(value)) => match target.map(distance) {
            Some(Ok(distance)) => OfEntity::Collision(distance, rule, value),
            Some(Err(why)) => unknown(&why),
            None => unknown(""),
        },
        ("ReachPositionCondition", _) => {
            let tolerance = element.number_attribute("tolerance").unwrap_or(1.0);
            target.map_or_else(
                || unknown(""),
                |to| {
                    let distance = Distance {
                        to,
                        axis: Axis::Straight,
                        road: false,
                        free: false,
                    };
                    OfEntity::Distance(distance, Rule::LessOrEqual, tolerance)
                },
            )
        }
        ("SpeedCondition" | "RelativeSpeedCondition" | "AccelerationCondition", _) if turned => {
            unknown(&format!(" of direction {direction}"))
        }
        ("SpeedCondition", Some(value)) => OfEntity::Speed(rule, value),
        ("RelativeSpeedCondition", Some(value)) => other.map_or_else(
            || unknown(""),
            |other| OfEntity::RelativeSpeed(other, rule, value),
        ),
        ("AccelerationCondition", Some(value)) => OfEntity::Acceleration(rule, value),
        ("StandStillCondition", _) => {
            OfEntity::StandStill(element.number_attribute("duration").unwrap_or(0.0))
        }
        ("CollisionCondition", _) => {
            let with = element.child("EntityRef");
            let with = with.and_then(|with| with.attribute("entityRef"));
            with.map_or_else(|| unknown(""), |with| OfEntity::Touches(with.to_owned()))
        }
        ("TraveledDistanceCondition", Some(value)) => OfEntity::Travelled(value),
        _ => unknown(""),
    }
}

/// What is known of a condition so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Whether it was true when last looked at.
    before: Option<bool>,
    /// How often its element had begun, ended or stopped by then.
    count: usize,
    /// Whether it held by its edge.
    held: bool,
    /// When that changed, s, as far as the delay holds it back.
    changes: VecDeque<f64>,
    /// Whether it holds, after its delay.
    holds: bool,
}

/// How far an element of the storyboard has got.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// How often it began, ended, and was stopped.
    pub(super) begun: usize,
    pub(super) ended: usize,
    pub(super) stopped: usize,
    /// How many ends of events it still waits for.
    pub(super) left: usize,
}

impl Progress {
    fn count(self, phase: Phase) -> usize {
        match phase {
            Phase::Begins => self.begun,
            Phase::Ends => self.ended,
            Phase::Stops => self.stopped,
            Phase::Standby | Phase::Running | Phase::Complete => 0,
        }
    }

    /// Whether it is in a state, or got there since `count` was taken.
    fn is(self, phase: Phase, count: usize) -> bool {
        let over = self.ended + self.stopped;
        match phase {
            Phase::Standby => self.left > 0 && self.begun <= over,
            Phase::Running => self.begun > over,
            Phase::Complete => self.left == 0,
            Phase::Begins | Phase::Ends | Phase::Stops => self.count(phase) > count,
        }
    }
}

impl Player<'_> {
    /// What is known of a trigger when waiting for it begins.
    pub(super) fn unseen(&self, trigger: &Trigger) -> Vec<Vec<Seen>> {
        let seen = |condition: &Condition| Seen {
            count: match &condition.what {
                What::Element(name, phase) => self
                    .progress
                    .get(name.as_str())
                    .map_or(0, |progress| progress.count(*phase)),
                _ => 0,
            },
            ..Seen::default()
        };
        let groups = trigger.iter();
        groups
            .map(|group| group.iter().map(seen).collect())
            .collect()
    }

    /// Whether a trigger holds in this step; to be asked in every step.
    pub(super) fn holds(&self, trigger: &Trigger, seen: &mut [Vec<Seen>]) -> bool {
        let mut any = false;
        for (group, seen) in trigger.iter().zip(seen) {
            let mut all = !group.is_empty();
            for (condition, seen) in group.iter().zip(seen) {
                all &= self.met(condition, seen);
            }
            any |= all;
        }
        any
    }

    fn met(&self, condition: &Condition, seen: &mut Seen) -> bool {
        let (now, first) = match &condition.what {
            What::Element(name, phase) => {
                let progress = self.progress.get(name.as_str()).copied();
                let is = progress.is_some_and(|progress| progress.is(*phase, seen.count));
                seen.count = progress.map_or(0, |progress| progress.count(*phase));
                // that an element has begun or ended is always something new
                (is, Some(false))
            }
            what => (self.is_true(what), None),
        };
        let before = seen.before.replace(now).or(first);
        let held = match condition.edge {
            Edge::None => now,
            Edge::Rising => now && before == Some(false),
            Edge::Falling => !now && before == Some(true),
            Edge::Either => before.is_some_and(|before| before != now),
        };
        if held != seen.held && seen.changes.len() < MOST_CHANGES {
            seen.held = held;
            seen.changes.push_back(self.now_s);
        }
        let due = |at: &f64| self.now_s - at >= condition.delay_s - SAME;
        while seen.changes.front().is_some_and(due) {
            seen.changes.pop_front();
            seen.holds = !seen.holds;
        }
        seen.holds
    }

    fn is_true(&self, what: &What) -> bool {
        match what {
            What::Time(rule, value) => rule.holds(self.now_s, *value),
            What::Of { who, all, what } => {
                let mut each = who.iter().map(|name| {
                    let index = self.index(name);
                    index.is_some_and(|index| self.is_true_of(index, what))
                });
                if *all {
                    !who.is_empty() && each.all(|holds| holds)
                } else {
                    each.any(|holds| holds)
                }
            }
            What::Element(..) | What::Unknown(_) => false,
        }
    }

    fn is_true_of(&self, index: usize, what: &OfEntity) -> bool {
        let body = &self.bodies[index];
        if body.pose.is_none() {
            return false;
        }
        match what {
            OfEntity::Headway(to, rule, value) => self.measured(index, to).is_some_and(|found| {
                found.ahead && body.speed > 0.01 && rule.holds(found.metres / body.speed, *value)
            }),
            OfEntity::Distance(to, rule, value) => self
                .measured(index, to)
                .is_some_and(|found| rule.holds(found.metres, *value)),
            OfEntity::Collision(to, rule, value) => self.measured(index, to).is_some_and(|found| {
                found.closing > 0.01 && rule.holds(found.metres / found.closing, *value)
            }),
            OfEntity::Speed(rule, value) => rule.holds(body.speed, *value),
            OfEntity::RelativeSpeed(name, rule, value) => self
                .index(name)
                .is_some_and(|other| rule.holds(body.speed - self.bodies[other].speed, *value)),
            OfEntity::Acceleration(rule, value) => rule.holds(body.acceleration, *value),
            OfEntity::StandStill(value) => body.still_s > 0.0 && body.still_s >= *value - SAME,
            OfEntity::Touches(name) => {
                let other = self.index(name).filter(|other| *other != index);
                let theirs = other.and_then(|other| self.footprint(other));
                let own = self.footprint(index);
                own.zip(theirs)
                    .is_some_and(|(own, theirs)| own.overlaps(&theirs))
            }
            OfEntity::Travelled(value) => body.travelled_m >= *value,
            OfEntity::Unknown(_) => false,
        }
    }

    /// The entities for which a condition of a trigger is true; all that its conditions name where that is over.
    pub(super) fn triggering(&self, trigger: &Trigger) -> Vec<usize> {
        let mut found = Vec::new();
        let mut named = Vec::new();
        for condition in trigger.iter().flatten() {
            if let What::Of { who, what, .. } = &condition.what {
                let who = who.iter().filter_map(|name| self.index(name));
                for index in who {
                    named.push(index);
                    if self.is_true_of(index, what) {
                        found.push(index);
                    }
                }
            }
        }
        if found.is_empty() { named } else { found }
    }

    /// The box of an entity that is there.
    fn footprint(&self, index: usize) -> Option<OrientedBox> {
        let (body, entity) = (&self.bodies[index], &self.cast[index]);
        let pose = body.pose.filter(|_| !body.away)?;
        let middle = Pose::new(pose.outer_from_local(entity.centre), pose.heading);
        Some(OrientedBox::new(middle, entity.length, entity.width))
    }

    /// The distance of an entity from another or a place; `None` if that is not there.
    fn measured(&self, index: usize, distance: &Distance) -> Option<Measured> {
        let pose = self.bodies[index].pose?;
        let (other, there) = match &distance.to {
            Target::Entity(name) => {
                let other = self.index(name)?;
                (Some(other), self.bodies[other].pose?)
            }
            Target::Place(place) => (None, self.place(place)?.pose),
        };
        let theirs = other.map_or(0.0, |other| self.bodies[other].speed);
        let nearing = pose.forward() * self.bodies[index].speed - there.forward() * theirs;
        let own_box = self.footprint(index);
        let their_box = other.and_then(|other| self.footprint(other));
        // where both are, in the frame of the entity or of its lane
        let (frame, by) = match distance.axis != Axis::Straight && distance.road {
            true => match self.on_road((index, pose), (other, there.point)) {
                Some((frame, by)) => (frame, by),
                None => {
                    return Some(Measured {
                        metres: f64::INFINITY,
                        ahead: true,
                        closing: 0.0,
                    });
                }
            },
            false => (pose, pose.local_from_outer(there.point)),
        };
        let direction = match distance.axis {
            Axis::Straight => (there.point - pose.point).normalize_or_zero(),
            Axis::Along => frame.forward() * by.x.signum(),
            Axis::Across => frame.left() * by.y.signum(),
        };
        let part = |of: DVec2| match distance.axis {
            Axis::Across => of.y,
            _ => of.x,
        };
        // how far a box reaches from its reference point, along the axis
        let reach = |body: Option<&OrientedBox>, at: Pose, heading: f64| {
            let axes = Pose::new(DVec2::ZERO, heading);
            let corners = body.map(|body| body.corners()).unwrap_or([at.point; 4]);
            corners
                .map(|corner| part(axes.local_from_outer(corner - at.point)))
                .into_iter()
                .fold([0.0_f64; 2], |[low, high], at| [low.min(at), high.max(at)])
        };
        let metres = match (distance.axis, distance.free) {
            (Axis::Straight, false) => there.point.distance(pose.point),
            (Axis::Straight, true) => match (own_box, their_box) {
                (Some(own), Some(theirs)) => own.distance(&theirs),
                (Some(own), None) => own.distance_to_point(there.point),
                _ => there.point.distance(pose.point),
            },
            (_, false) => part(by).abs(),
            (_, true) => {
                let own = reach(own_box.as_ref(), pose, frame.heading);
                let theirs = reach(their_box.as_ref(), there, frame.heading);
                let before = part(by) + theirs[0] - own[1];
                let behind = own[0] - part(by) - theirs[1];
                before.max(behind).max(0.0)
            }
        };
        Some(Measured {
            metres,
            ahead: by.x >= 0.0,
            closing: nearing.dot(direction),
        })
    }

    /// An entity's place on its lane, heading along it, and from there how far ahead along the lanes and how far to the left a
    /// point is. `None` if no way leads from one to the other.
    fn on_road(
        &self,
        (index, pose): (usize, Pose),
        (other, point): (Option<usize>, DVec2),
    ) -> Option<(Pose, DVec2)> {
        let lanes = self.map.lanes();
        let nearest = |point: DVec2| self.map.lanes_near(point, ON_ROAD_M).into_iter().next();
        let own = self
            .map
            .lane_for(pose.point, pose.heading, ON_ROAD_M, |_| true)?;
        let theirs = nearest(point)?;
        let same = |lane: usize, other: usize| {
            lane == other
                || lane_section(&lanes[lane].id)
                    .is_some_and(|section| Some(section) == lane_section(&lanes[other].id))
        };
        let none = BTreeSet::new();
        let route_of = |index: usize| &self.bodies[index].route;
        // from one lane on over those that follow, to one beside the other: how far to there, and where on which it lies
        let way = |from: usize, to: usize, point: DVec2, route| -> Option<(f64, usize)> {
            let (mut lane, mut way) = (from, 0.0);
            for _ in 0..MOST_HOPS {
                if same(lane, to) {
                    return Some((way + lanes[lane].centreline.project(point).s, lane));
                }
                way += lanes[lane].centreline.length();
                lane = self.lane_after(lane, route)?;
            }
            None
        };
        let frame = lanes[own.lane].centreline.pose_at(own.s);
        if let Some((along, lane)) = way(own.lane, theirs.lane, point, route_of(index)) {
            let left = lanes[lane].centreline.project(point).offset;
            return Some((frame, DVec2::new(along - own.s, left - own.offset)));
        }
        // behind: its way leads here
        let (along, lane) = way(
            theirs.lane,
            own.lane,
            pose.point,
            other.map_or(&none, route_of),
        )?;
        let left = lanes[lane].centreline.project(pose.point).offset;
        Some((frame, DVec2::new(theirs.s - along, theirs.offset - left)))
    }
}
