//! NC and TTC: contacts that are the ego's fault, and contacts it would cause by going on.

use std::collections::BTreeSet;

use super::{Path, Series, Term, TermKind, Variant, seconds};
use crate::geometry::{DVec2, OrientedBox, Pose, angle_between};
use crate::metrics::{AreaFlags, ContactKind, contact_kind};
use crate::planner::foresee::{Other, coast};
use crate::scene::{AgentId, AgentKind};
use crate::sim::Bicycle;

/// Steps at which the ego's box is moved ahead at its speed: 0, 0.3, 0.6 and 0.9 s.
const AHEAD_STEPS: [usize; 4] = [0, 3, 6, 9];
/// NAVSIM v2 looks ahead up to this step only, so that it stays inside the 4 s.
const LAST_STEP_V2: usize = 31;
/// Everyone's tenths of a second ahead in nuPlan's, from 0.1 s on: a contact within 0.95 s counts.
const TENTHS_AHEAD: usize = 9;
/// Farther gaps than this are not measured, m.
const GAP_M: f64 = 15.0;

impl<'a> Path<'a> {
    /// The other's box at a step, if it is there and near enough to `footprint` to touch it.
    fn met(&self, other: &Other, step: usize, footprint: &OrientedBox) -> Option<OrientedBox> {
        let state = other.states.get(step)?.as_ref()?;
        let reach = footprint.radius() + other.agent.length + other.agent.width;
        if state.position.distance_squared(footprint.pose.point) > reach * reach {
            return None;
        }
        let met = other.agent.footprint(state);
        footprint.overlaps(&met).then_some(met)
    }

    /// Where the other's centre is at a step, if it would touch `footprint` after another `ahead_s` seconds at its
    /// velocity then.
    fn met_coasting(
        &self,
        other: &Other,
        step: usize,
        ahead_s: f64,
        footprint: &OrientedBox,
    ) -> Option<DVec2> {
        let state = other.states.get(step)?.as_ref()?;
        let met = other.agent.footprint(&coast(state, ahead_s));
        footprint.overlaps(&met).then_some(state.position)
    }

    /// Everyone but who overlaps the ego at the start, which is left out of account.
    pub(super) fn watched(&self) -> Vec<&'a Other> {
        let start = self.footprints.first();
        let overlaps =
            |other: &&Other| start.is_some_and(|start| self.met(other, 0, start).is_some());
        let others = self.stage.others.iter();
        others.filter(|other| !overlaps(other)).collect()
    }

    /// The first contact with each of those watched.
    pub(super) fn contacts(&self) -> Vec<(&'a Other, Touched)> {
        let watched = self.watched.iter();
        watched
            .filter_map(|other| Some((*other, self.first_contact(other)?)))
            .collect()
    }

    fn first_contact(&self, other: &Other) -> Option<Touched> {
        let meets = |(step, footprint)| Some((step, self.met(other, step, footprint)?));
        let (step, met) = self.footprints.iter().enumerate().find_map(meets)?;
        let speed = other.states[step].map_or(0.0, |state| state.speed());
        let kind = contact_kind(&self.footprints[step], &met, [self.speed(step), speed]);
        let (at_fault, how) = match kind {
            ContactKind::StoppedEgo => (false, "while it stands"),
            ContactKind::StoppedTrack => (true, "which stands"),
            ContactKind::Rear => (false, "from behind"),
            ContactKind::Front => (true, "with its front"),
            ContactKind::Side if self.flags[step].astray() => (
                true,
                "at its side while it straddles lanes or leaves the road",
            ),
            ContactKind::Side => (false, "at its side, in its lane"),
        };
        Some(Touched {
            step,
            from_behind: kind == ContactKind::Rear,
            at_fault,
            how,
        })
    }

    /// Metres to the nearest of those watched at each step; infinite from [`GAP_M`] on.
    fn gaps(&self) -> Vec<f64> {
        let radius = |other: &Other| other.agent.length.hypot(other.agent.width) / 2.0;
        let radii: Vec<f64> = self.watched.iter().map(|other| radius(other)).collect();
        let each = self.footprints.iter().enumerate();
        each.map(|(step, footprint)| {
            let mut least = GAP_M;
            for (other, radius) in self.watched.iter().zip(&radii) {
                let Some(state) = other.states.get(step).and_then(Option::as_ref) else {
                    continue;
                };
                let reach = footprint.radius() + radius + least;
                let apart = state.position.distance_squared(footprint.pose.point);
                if apart < reach * reach {
                    least = least.min(footprint.distance(&other.agent.footprint(state)));
                }
            }
            if least < GAP_M { least } else { f64::INFINITY }
        })
        .collect()
    }
}

/// How the ego and another touch for the first time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touched {
    step: usize,
    from_behind: bool,
    at_fault: bool,
    how: &'static str,
}

/// When the ego is first touched, s.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct FirstContacts {
    /// By its fault.
    pub(super) at_fault_s: Option<f64>,
    /// By anybody's, but from behind.
    pub(super) any_s: Option<f64>,
}

/// When the first contacts come.
pub(super) fn first_contacts(path: &Path<'_>) -> FirstContacts {
    let mut first = FirstContacts::default();
    let earlier = |of: &mut Option<f64>, time_s: f64| {
        if of.is_none_or(|before| time_s < before) {
            *of = Some(time_s);
        }
    };
    for (_, touched) in &path.contacts {
        if !touched.from_behind {
            earlier(&mut first.any_s, seconds(touched.step));
        }
        if touched.at_fault {
            earlier(&mut first.at_fault_s, seconds(touched.step));
        }
    }
    first
}

/// The first contact with each object decides: at fault with a road user 0, with another object ½; the least over all
/// counts, and in nuPlan's score a second object makes 0. Objects that overlap the ego at the start do not.
pub(super) fn no_collision(path: &Path<'_>) -> Term {
    let mut worst = Term {
        kind: TermKind::NoCollision,
        score: 1.0,
        value: 0.0,
        limit: 0.0,
        unit: "at-fault contacts",
        time_s: None,
        who: None,
        reason: "nothing is touched".to_owned(),
        series: Series {
            what: "to whoever is nearest",
            unit: "m",
            limit: Some(0.0),
            values: path.gaps(),
        },
    };
    let mut objects = 0;
    for (other, touched) in &path.contacts {
        let &Touched {
            step,
            how,
            at_fault,
            ..
        } = touched;
        let time_s = seconds(step);
        if !at_fault {
            if worst.time_s.is_none() {
                worst.reason = format!(
                    "touched by {} after {time_s:.1} s {how}: not the ego's fault",
                    other.id
                );
            }
            continue;
        }
        worst.value += 1.0;
        let road_user = other.kind != AgentKind::Other;
        objects += usize::from(!road_user);
        let second = path.stage.variant == Variant::NuPlan && objects > 1;
        let (score, weight) = match (road_user, second) {
            (true, _) => (0.0, "a road user: 0"),
            (false, true) => (0.0, "the second object: 0"),
            (false, false) => (0.5, "no road user: ½"),
        };
        let earlier = worst.time_s.is_none_or(|first| time_s < first);
        if score < worst.score || (score <= worst.score && earlier) {
            worst.score = score;
            worst.time_s = Some(time_s);
            worst.who = Some(other.id.clone());
            worst.reason = format!(
                "the ego touches {} after {time_s:.1} s {how}; {weight}",
                other.id
            );
        }
    }
    worst
}

/// Whether somebody at `place` the ego would meet counts: who is ahead of its rear axle (within 30°), or anywhere but
/// behind (150°) while it straddles lanes, is off the road or inside a junction. The bearing in degrees and where that
/// is, in words.
fn exposed(rear: Pose, place: DVec2, flags: AreaFlags) -> Option<(f64, &'static str)> {
    let bearing = bearing(rear, place);
    if bearing < 30.0 {
        Some((bearing, "ahead of it"))
    } else if (flags.astray() || flags.in_junction) && bearing <= 150.0 {
        Some((
            bearing,
            "beside it while it straddles lanes or crosses a junction",
        ))
    } else {
        None
    }
}

/// Degrees between a heading and the way to a place, 0 to 180.
fn bearing(from: Pose, place: DVec2) -> f64 {
    let towards = (place - from.point).to_angle();
    angle_between(from.heading, towards).abs().to_degrees()
}

/// Whom the ego is about to meet.
struct Meeting<'a> {
    ahead_s: f64,
    other: &'a Other,
    bearing: f64,
    whence: &'static str,
}

impl<'a> Path<'a> {
    fn rear_axle(&self, step: usize) -> Pose {
        Bicycle::from_state(&self.states[step].state, self.stage.ego.length).rear
    }

    /// Whom the ego would meet first by going straight on from a step at its speed, of those who count ([`exposed`]) and
    /// are not `ignored`. NAVSIM looks for others where they are recorded to be then, and whoever is met there without
    /// counting is ignored from then on. nuPlan looks where they would be at constant velocity, asks where they are at
    /// the step, and ignores whoever has been touched, but for a contact by the ego's fault at this very step.
    fn meeting(&self, step: usize, ignored: &mut BTreeSet<&'a AgentId>) -> Option<Meeting<'a>> {
        let nuplan = self.stage.variant == Variant::NuPlan;
        let tenths: Vec<usize> = match nuplan {
            true => (1..=TENTHS_AHEAD).collect(),
            false => AHEAD_STEPS.to_vec(),
        };
        let rear = self.rear_axle(step);
        if nuplan {
            let touched = self.contacts.iter().filter(|(_, of)| of.step <= step);
            ignored.extend(touched.map(|(other, _)| &other.id));
            let by_fault = |(_, of): &&(_, Touched)| of.step == step && of.at_fault;
            if let Some(&(other, _)) = self.contacts.iter().find(by_fault) {
                let place = other.states[step].map_or(rear.point, |state| state.position);
                return Some(Meeting {
                    ahead_s: 0.0,
                    other,
                    bearing: bearing(rear, place),
                    whence: "off its heading, and touches it by its own fault",
                });
            }
        }
        let footprint = self.footprints[step];
        let pose = footprint.pose;
        tenths.iter().find_map(|&ahead| {
            let ahead_s = seconds(ahead);
            let way = pose.forward() * (self.speed(step) * ahead_s);
            let moved = OrientedBox {
                pose: Pose::new(pose.point + way, pose.heading),
                ..footprint
            };
            self.watched.iter().find_map(|&other| {
                let place = match nuplan {
                    true => self.met_coasting(other, step, ahead_s, &moved),
                    false => self
                        .met(other, step + ahead, &moved)
                        .map(|met| met.pose.point),
                }?;
                if ignored.contains(&other.id) {
                    return None;
                }
                let found = exposed(rear, place, self.flags[step]);
                if found.is_none() && !nuplan {
                    ignored.insert(&other.id);
                }
                let (bearing, whence) = found?;
                Some(Meeting {
                    ahead_s,
                    other,
                    bearing,
                    whence,
                })
            })
        })
    }
}

/// 0 if at some step the ego, going straight on at its speed for up to 0.9 s, would meet somebody who counts
/// ([`Path::meeting`]).
pub(super) fn time_to_collision(path: &Path<'_>) -> Term {
    let last = match path.stage.variant {
        Variant::Epdms => LAST_STEP_V2,
        _ => usize::MAX,
    };
    let mut term = Term {
        kind: TermKind::TimeToCollision,
        score: 1.0,
        value: 1.0,
        limit: 0.9,
        unit: "s",
        time_s: None,
        who: None,
        reason: "nobody is within 0.9 s ahead of the ego".to_owned(),
        series: Series {
            what: "to contact if it goes straight on",
            unit: "s",
            limit: Some(0.9),
            values: Vec::with_capacity(path.states.len()),
        },
    };
    let mut ignored = BTreeSet::new();
    for step in 0..path.footprints.len() {
        let speed = path.speed(step);
        let meeting = match speed < 0.005 || step > last {
            true => None,
            false => path.meeting(step, &mut ignored),
        };
        let Some(meeting) = meeting else {
            term.series.values.push(f64::INFINITY);
            continue;
        };
        let Meeting {
            ahead_s,
            other,
            bearing,
            whence,
        } = meeting;
        term.series.values.push(ahead_s);
        if term.score > 0.0 {
            term.score = 0.0;
            term.value = ahead_s;
            term.time_s = Some(seconds(step));
            term.who = Some(other.id.clone());
            term.reason = format!(
                "after {:.1} s, at {speed:.1} m/s, the ego is {ahead_s:.1} s from {}, {bearing:.0}° {whence}; 0.9 s are allowed",
                seconds(step),
                other.id,
            );
        }
    }
    term
}
