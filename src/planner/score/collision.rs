//! NC and TTC: contacts that are the ego's fault, and contacts it would cause by going on.

use super::{Path, Term, TermKind, seconds};
use crate::geometry::{OrientedBox, Pose, angle_between};
use crate::metrics::{ContactKind, contact_kind};
use crate::planner::foresee::Other;
use crate::scene::AgentKind;

/// Steps at which the ego's box is moved ahead at its speed: 0, 0.3, 0.6 and 0.9 s.
const AHEAD_STEPS: [usize; 4] = [0, 3, 6, 9];

impl Path<'_> {
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

    /// Whether an object that overlaps the ego at the start is left out of account.
    fn overlaps_at_start(&self, other: &Other) -> bool {
        self.met(other, 0, &self.footprints[0]).is_some()
    }
}

/// When the ego is first touched, s.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct FirstContacts {
    /// By its fault.
    pub(super) at_fault_s: Option<f64>,
    /// By anybody's, but from behind.
    pub(super) any_s: Option<f64>,
}

/// The first contact with each object decides: at fault with a road user 0, with another object ½; the least over all
/// counts. Objects that overlap the ego at the start do not. Also when the first contacts come.
pub(super) fn no_collision(path: &Path<'_>) -> (Term, FirstContacts) {
    let mut worst = Term {
        kind: TermKind::NoCollision,
        score: 1.0,
        value: 0.0,
        limit: 0.0,
        unit: "at-fault contacts",
        time_s: None,
        who: None,
        reason: "nothing is touched".to_owned(),
    };
    let mut first = FirstContacts::default();
    for other in path.stage.others {
        if path.overlaps_at_start(other) {
            continue;
        }
        let contact = path
            .footprints
            .iter()
            .enumerate()
            .find_map(|(step, footprint)| Some((step, path.met(other, step, footprint)?)));
        let Some((step, met)) = contact else {
            continue;
        };
        let speed = other.states[step].map_or(0.0, |state| state.speed());
        let kind = contact_kind(&path.footprints[step], &met, [path.speed(step), speed]);
        let (at_fault, how) = match kind {
            ContactKind::StoppedEgo => (false, "while it stands"),
            ContactKind::StoppedTrack => (true, "which stands"),
            ContactKind::Rear => (false, "from behind"),
            ContactKind::Front => (true, "with its front"),
            ContactKind::Side if path.flags[step].astray() => (
                true,
                "at its side while it straddles lanes or leaves the road",
            ),
            ContactKind::Side => (false, "at its side, in its lane"),
        };
        let time_s = seconds(step);
        if kind != ContactKind::Rear && first.any_s.is_none_or(|any| time_s < any) {
            first.any_s = Some(time_s);
        }
        if !at_fault {
            if worst.time_s.is_none() {
                worst.reason = format!(
                    "touched by {} at {time_s:.1} s {how}: not the ego's fault",
                    other.id
                );
            }
            continue;
        }
        worst.value += 1.0;
        let road_user = other.kind != AgentKind::Other;
        let score = if road_user { 0.0 } else { 0.5 };
        let earlier = first.at_fault_s.is_none_or(|first| time_s < first);
        if score < worst.score || (score <= worst.score && earlier) {
            worst.score = score;
            worst.time_s = Some(time_s);
            worst.who = Some(other.id.clone());
            let weight = if road_user {
                "a road user: 0"
            } else {
                "no road user: ½"
            };
            worst.reason = format!(
                "the ego touches {} at {time_s:.1} s {how}; {weight}",
                other.id
            );
        }
        if earlier {
            first.at_fault_s = Some(time_s);
        }
    }
    (worst, first)
}

/// 0 if at some step the ego, going straight on at its speed for up to 0.9 s, would meet somebody who then is ahead
/// of it (within 30°), or anywhere but behind (150°) while it straddles lanes, is off the road or inside a junction.
pub(super) fn time_to_collision(path: &Path<'_>) -> Term {
    let mut term = Term {
        kind: TermKind::TimeToCollision,
        score: 1.0,
        value: 1.0,
        limit: 0.9,
        unit: "s",
        time_s: None,
        who: None,
        reason: "nobody is within 0.9 s ahead of the ego".to_owned(),
    };
    let watched: Vec<&Other> = path
        .stage
        .others
        .iter()
        .filter(|other| !path.overlaps_at_start(other))
        .collect();
    for (step, footprint) in path.footprints.iter().enumerate() {
        let speed = path.speed(step);
        if speed < 0.005 {
            continue;
        }
        let flags = path.flags[step];
        for ahead in AHEAD_STEPS {
            let pose = footprint.pose;
            let moved = OrientedBox {
                pose: Pose::new(
                    pose.point + pose.forward() * (speed * seconds(ahead)),
                    pose.heading,
                ),
                ..*footprint
            };
            for other in &watched {
                let Some(met) = path.met(other, step + ahead, &moved) else {
                    continue;
                };
                let towards = (met.pose.point - pose.point).to_angle();
                let bearing = angle_between(pose.heading, towards).abs().to_degrees();
                let exposed = flags.astray() || flags.in_junction;
                if bearing < 30.0 || (exposed && bearing <= 150.0) {
                    let whence = if bearing < 30.0 {
                        "ahead of it"
                    } else {
                        "beside it while it straddles lanes or crosses a junction"
                    };
                    term.score = 0.0;
                    term.value = seconds(ahead);
                    term.time_s = Some(seconds(step));
                    term.who = Some(other.id.clone());
                    term.reason = format!(
                        "at {:.1} s and {speed:.1} m/s the ego is {:.1} s from {}, {bearing:.0}° {whence}; \
                         0.9 s are allowed",
                        seconds(step),
                        seconds(ahead),
                        other.id,
                    );
                    return term;
                }
            }
        }
    }
    term
}
