//! EP: metres made along the lanes, against the best that is possible without harm, or against the expert's; MP: any at all.

use super::{Series, Term, TermKind, Variant};
use crate::map::Map;
use crate::metrics::beyond_the_map;
use crate::scene::State;

/// Below this many metres nobody made progress, and nobody is blamed, m.
const LITTLE_M: f64 = 5.0;
/// nuPlan's: progress of less than this counts as this, m.
const FLOOR_M: f64 = 0.1;
/// nuPlan's: of the expert's progress, less is none at all.
const LEAST_SHARE: f64 = 0.2;

/// Metres that the centres move along the direction of the lane they are in (the nearest within 4 m, by place and
/// heading; against it counts negative), along their own heading where there is none; never less than 0 in sum.
pub fn metres_along_lanes<'a>(map: &Map, states: impl Iterator<Item = &'a State>) -> f64 {
    along_lanes(map, states)
        .last()
        .copied()
        .unwrap_or(0.0)
        .max(0.0)
}

/// The same from the first state up to each.
pub(super) fn along_lanes<'a>(map: &Map, states: impl Iterator<Item = &'a State>) -> Vec<f64> {
    let mut last: Option<&State> = None;
    let mut sum = 0.0;
    states
        .map(|state| {
            if let Some(before) = last {
                let step = state.position - before.position;
                let lane = map
                    .lane_for(before.position, before.heading, 4.0, |lane| {
                        lane.carries_vehicles()
                    })
                    .filter(|_| !beyond_the_map(map, before.position));
                let direction =
                    lane.map_or_else(|| before.pose().forward(), |hit| hit.pose.forward());
                sum += step.dot(direction);
            }
            last = Some(state);
            sum
        })
        .collect()
}

/// v1.1: metres times multipliers over `against`, the largest of these among the paths and the reference, where that is
/// more than 5 m; else 1, or 0 with a multiplier of 0. v2: metres over the larger of the two products, the path's own and
/// the reference's, where that is more than 5 m; else 1. nuPlan: metres over the expert's, both at least 0.1 m.
pub(super) fn progress(
    variant: Variant,
    metres: f64,
    multiplier: f64,
    against: f64,
    walked: Vec<f64>,
) -> Term {
    let far = against > LITTLE_M;
    let (score, reason) = match variant {
        Variant::Pdms if far => (
            (metres * multiplier / against).clamp(0.0, 1.0),
            format!("{metres:.1} m · {multiplier} of {against:.1} m possible without harm"),
        ),
        Variant::Epdms if far => (
            (metres / against).clamp(0.0, 1.0),
            format!("{metres:.1} of {against:.1} m possible without harm"),
        ),
        Variant::Pdms | Variant::Epdms => (
            f64::from(variant == Variant::Epdms || multiplier > 0.0),
            format!(
                "{metres:.1} m; nobody comes farther than {against:.1} m, so progress does not count"
            ),
        ),
        Variant::NuPlan => (
            expert_share(metres, against),
            format!("{metres:.1} m where the expert makes {against:.1} m"),
        ),
    };
    term(TermKind::Progress, score, metres, against, reason, walked)
}

/// nuPlan: 1 if the ego makes at least a fifth of the expert's progress, else 0.
pub(super) fn making(metres: f64, against: f64, walked: Vec<f64>) -> Term {
    let share = expert_share(metres, against);
    let reason = format!(
        "{:.0} % of the expert's {against:.1} m; from {:.0} % on it counts as progress",
        100.0 * share,
        100.0 * LEAST_SHARE
    );
    let score = f64::from(share >= LEAST_SHARE);
    let least = LEAST_SHARE * against;
    term(
        TermKind::MakingProgress,
        score,
        metres,
        least,
        reason,
        walked,
    )
}

fn expert_share(metres: f64, expert: f64) -> f64 {
    (metres.max(FLOOR_M) / expert.max(FLOOR_M)).min(1.0)
}

fn term(
    kind: TermKind,
    score: f64,
    metres: f64,
    limit: f64,
    reason: String,
    walked: Vec<f64>,
) -> Term {
    Term {
        kind,
        score,
        value: metres,
        limit,
        unit: "m",
        time_s: None,
        who: None,
        reason,
        series: Series {
            what: "made along the lanes",
            unit: "m",
            limit: Some(limit),
            values: walked,
        },
    }
}
