//! Speeds that answer to somebody else: a distance kept from an entity, and two that arrive at their places together.

use super::motion::{Body, Course};
use super::play::{Player, TICK_S};
use crate::data::xml::Element;
use crate::geometry::DVec2;

/// Where a file gives no limit, of acceleration and deceleration, m/s².
const LIMIT_MPS2: f64 = 10.0;
/// A difference from the wanted distance is closed in about so long, s.
const CLOSING_S: f64 = 0.5;
/// A distance is reached within this, m, at nearly the other's speed, m/s.
const REACHED_M: f64 = 0.1;
const REACHED_MPS: f64 = 0.2;
/// Who stands is expected at this speed, m/s.
const CREEP_MPS: f64 = 0.5;
/// A place beside a way by more than this is not on it, m, and most lanes that lead to it.
const BESIDE_M: f64 = 4.0;
const MOST_HOPS: usize = 100;

/// A distance to be kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Distance {
    pub(super) to: String,
    /// Metres, or seconds at one's own speed.
    pub(super) gap: Gap,
    /// Between the boxes, not the reference points.
    pub(super) free: bool,
    /// From now on, not once.
    pub(super) always: bool,
    /// Behind the other, before it, or on the side where one is.
    pub(super) side: Option<Side>,
    /// Acceleration and deceleration, m/s², and speed, m/s.
    pub(super) limits: [f64; 3],
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Gap {
    Metres(f64),
    Seconds(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Behind,
    Before,
}

/// Two entities that arrive together, each at its place.
#[derive(Debug, Clone)]
pub(super) struct Meeting {
    pub(super) master: String,
    pub(super) master_place: Element,
    pub(super) place: Element,
    /// How near the master must be, m.
    pub(super) tolerance_m: f64,
    /// Speed at the place, if it is said, m/s: so much, or so much more than the master's.
    pub(super) speed: Option<(f64, bool)>,
}

/// What an entity does about its speed because of another.
#[derive(Debug, Clone)]
pub(super) struct Keeping {
    pub(super) event: Option<usize>,
    other: usize,
    what: Kept,
}

#[derive(Debug, Clone)]
enum Kept {
    Distance {
        of: Distance,
        side: f64,
    },
    Meeting {
        /// Metres each has travelled when it is there: the master, oneself.
        there_m: [f64; 2],
        tolerance_m: f64,
        speed: Option<(f64, bool)>,
    },
}

impl Distance {
    /// Reads a `<LongitudinalDistanceAction>`.
    pub(super) fn of(element: &Element) -> Option<Self> {
        let number = |name: &str| element.number_attribute(name);
        let limits = element.child("DynamicConstraints");
        let limit = |name: &str, usual: f64| {
            let given = limits.and_then(|limits| limits.number_attribute(name));
            given.filter(|given| *given > 0.0).unwrap_or(usual)
        };
        let gap = match (number("distance"), number("timeGap")) {
            (Some(metres), _) => Gap::Metres(metres.abs()),
            (None, seconds) => Gap::Seconds(seconds?.abs()),
        };
        Some(Self {
            to: element.attribute("entityRef")?.to_owned(),
            gap,
            free: element.attribute("freespace") == Some("true"),
            always: element.attribute("continuous") == Some("true"),
            side: match element.attribute("displacement") {
                Some("trailingReferencedEntity") => Some(Side::Behind),
                Some("leadingReferencedEntity") => Some(Side::Before),
                _ => None,
            },
            limits: [
                limit("maxAcceleration", LIMIT_MPS2),
                limit("maxDeceleration", LIMIT_MPS2),
                limit("maxSpeed", f64::INFINITY),
            ],
        })
    }
}

impl Meeting {
    /// Reads a `<SynchronizeAction>`.
    pub(super) fn of(element: &Element) -> Option<Self> {
        let speed = element.child("FinalSpeed").and_then(|speed| {
            let value = |name: &str| speed.child(name)?.number_attribute("value");
            let absolute = value("AbsoluteSpeed").map(|value| (value, false));
            absolute.or(value("RelativeSpeedToMaster").map(|value| (value, true)))
        });
        Some(Self {
            master: element.attribute("masterEntityRef")?.to_owned(),
            master_place: element.child("TargetPositionMaster")?.clone(),
            place: element.child("TargetPosition")?.clone(),
            tolerance_m: element
                .number_attribute("targetToleranceMaster")
                .unwrap_or(0.0)
                .max(0.0),
            speed,
        })
    }
}

impl Player<'_> {
    /// Begins to keep a distance.
    pub(super) fn keep_distance(&mut self, index: usize, event: Option<usize>, of: &Distance) {
        let other = self.index(&of.to).filter(|other| *other != index);
        let Some((other, along)) = other.and_then(|other| Some((other, self.along(index, other)?)))
        else {
            let name = &self.cast[index].name;
            self.report.problem(
                format!("entity {name}: LongitudinalDistanceAction"),
                &*of.to,
                "nobody there to keep a distance from; left out",
            );
            return;
        };
        let side = match of.side {
            Some(Side::Behind) => 1.0,
            Some(Side::Before) => -1.0,
            None => along.signum(),
        };
        let body = &mut self.bodies[index];
        body.speeding = None;
        body.keeping = Some(Keeping {
            event,
            other,
            what: Kept::Distance {
                of: of.clone(),
                side,
            },
        });
    }

    /// Begins to arrive together with another.
    pub(super) fn meet(&mut self, index: usize, event: Option<usize>, meeting: &Meeting) {
        let master = self.index(&meeting.master).filter(|other| *other != index);
        let there = |player: &Self, index: usize, place: &Element| {
            let way = player.way_to(index, player.place(place)?.pose.point)?;
            Some(player.bodies[index].travelled_m + way)
        };
        let found = master.and_then(|master| {
            let masters = there(self, master, &meeting.master_place)?;
            Some((master, [masters, there(self, index, &meeting.place)?]))
        });
        let Some((other, there_m)) = found else {
            let name = &self.cast[index].name;
            self.report.problem(
                format!("entity {name}: SynchronizeAction"),
                &*meeting.master,
                "a place that its way does not lead to; left out",
            );
            return;
        };
        let body = &mut self.bodies[index];
        body.speeding = None;
        body.keeping = Some(Keeping {
            event,
            other,
            what: Kept::Meeting {
                there_m,
                tolerance_m: meeting.tolerance_m,
                speed: meeting.speed,
            },
        });
    }

    /// The speed of an entity that keeps something, a step on.
    pub(super) fn keep(&mut self, index: usize, keeping: &Keeping) {
        let (speed, done) = match &keeping.what {
            Kept::Distance { of, side } => self.distance_kept(index, keeping.other, of, *side),
            Kept::Meeting {
                there_m,
                tolerance_m,
                speed,
            } => self.met_in_time(index, keeping.other, *there_m, *tolerance_m, *speed),
        };
        let body = &mut self.bodies[index];
        body.speed = speed;
        if done {
            body.keeping = None;
        }
    }

    fn distance_kept(&self, index: usize, other: usize, of: &Distance, side: f64) -> (f64, bool) {
        let body = &self.bodies[index];
        let (Some(along), Some(pose), Some(there)) =
            (self.along(index, other), body.pose, self.bodies[other].pose)
        else {
            return (body.speed, true);
        };
        let metres = match of.gap {
            Gap::Metres(metres) => metres,
            Gap::Seconds(seconds) => seconds * body.speed.abs(),
        };
        let halves = if of.free {
            self.halves(index, other)
        } else {
            0.0
        };
        let wanted = side * (metres + halves);
        let theirs = self.bodies[other].speed * (there.heading - pose.heading).cos();
        let ahead = along - wanted;
        let [up, down, most] = of.limits;
        // no faster than it can be given up again within the way
        let brake = if ahead > 0.0 { down } else { up };
        let closing = (ahead.abs() / CLOSING_S).min((2.0 * brake * ahead.abs()).sqrt());
        let target = (theirs + closing * ahead.signum()).clamp(0.0, most);
        let change = (target - body.speed).clamp(-down * TICK_S, up * TICK_S);
        let speed = body.speed + change;
        let reached = ahead.abs() < REACHED_M && (speed - theirs).abs() < REACHED_MPS;
        (speed, reached && !of.always)
    }

    fn met_in_time(
        &self,
        index: usize,
        master: usize,
        there_m: [f64; 2],
        tolerance_m: f64,
        end: Option<(f64, bool)>,
    ) -> (f64, bool) {
        let (body, lead) = (&self.bodies[index], &self.bodies[master]);
        let end = end.map(|(value, more)| if more { lead.speed + value } else { value });
        let left_m = there_m[0] - lead.travelled_m;
        let left_s = left_m / lead.speed.max(CREEP_MPS);
        if left_m <= tolerance_m || left_s <= TICK_S {
            return (end.unwrap_or(body.speed), true);
        }
        let own_m = there_m[1] - body.travelled_m;
        // the least effort that is there in time: acceleration that changes evenly, and is over at the end where no
        // speed is asked for there
        let change = match end {
            Some(end) => 6.0 * own_m / (left_s * left_s) - (4.0 * body.speed + 2.0 * end) / left_s,
            None => 3.0 * (own_m - body.speed * left_s) / (left_s * left_s),
        };
        let change = change.clamp(-LIMIT_MPS2, LIMIT_MPS2);
        ((body.speed + change * TICK_S).max(0.0), false)
    }

    /// How far another is ahead, m; negative behind.
    pub(super) fn along(&self, index: usize, other: usize) -> Option<f64> {
        let there = self.bodies[other].pose?;
        Some(self.bodies[index].pose?.local_from_outer(there.point).x)
    }

    /// Half of both lengths together, m.
    pub(super) fn halves(&self, index: usize, other: usize) -> f64 {
        0.5 * (self.cast[index].length + self.cast[other].length)
    }

    /// Metres that an entity has to go to where its way passes a point.
    fn way_to(&self, index: usize, point: DVec2) -> Option<f64> {
        let body: &Body = &self.bodies[index];
        let here = body.pose?.point;
        match &body.course {
            Course::Straight => Some(here.distance(point)),
            Course::Trajectory(way) => {
                let nearest = |point: DVec2| {
                    let gaps = way
                        .vertices
                        .iter()
                        .map(|(_, place, ..)| place.distance(point));
                    gaps.enumerate().min_by(|a, b| a.1.total_cmp(&b.1))
                };
                let (from, to) = (nearest(here)?.0, nearest(point)?.0);
                let legs = way.vertices.get(from..=to)?.windows(2);
                Some(legs.map(|pair| pair[0].1.distance(pair[1].1)).sum())
            }
            Course::Lane { lane, s, .. } => {
                let lanes = self.map.lanes();
                let (mut lane, mut from, mut way) = (*lane, *s, 0.0);
                for _ in 0..MOST_HOPS {
                    let line = &lanes[lane].centreline;
                    let found = line.project(point);
                    let beside = line.point_at(found.s).distance(point);
                    if beside <= BESIDE_M && found.s >= from {
                        return Some(way + found.s - from);
                    }
                    way += line.length() - from;
                    lane = self.lane_after(lane, &body.route)?;
                    from = 0.0;
                }
                None
            }
        }
    }
}
