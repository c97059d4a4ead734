//! EP: metres made along the lanes, against the best that is possible without harm.

use super::{Term, TermKind};
use crate::map::Map;
use crate::metrics::beyond_the_map;
use crate::scene::State;

/// Below this many metres nobody made progress, and nobody is blamed, m.
const LITTLE_M: f64 = 5.0;

/// Metres that the centres move along the direction of the lane they are in (the nearest within 4 m, by place and
/// heading; against it counts negative), along their own heading where there is none; never less than 0 in sum.
pub fn metres_along_lanes<'a>(map: &Map, states: impl Iterator<Item = &'a State>) -> f64 {
    let mut last: Option<&State> = None;
    let mut sum = 0.0;
    for state in states {
        if let Some(before) = last {
            let step = state.position - before.position;
            let lane = map
                .lane_for(before.position, before.heading, 4.0, |lane| {
                    lane.carries_vehicles()
                })
                .filter(|_| !beyond_the_map(map, before.position));
            let direction = lane.map_or_else(|| before.pose().forward(), |hit| hit.pose.forward());
            sum += step.dot(direction);
        }
        last = Some(state);
    }
    sum.max(0.0)
}

/// v1.1: metres times multipliers over the largest of these among the paths and the reference, where that is more
/// than 5 m; else 1, or 0 with a multiplier of 0.
pub(super) fn progress(metres: f64, multiplier: f64, most_m: f64) -> Term {
    let score = if most_m > LITTLE_M {
        (metres * multiplier / most_m).clamp(0.0, 1.0)
    } else {
        f64::from(multiplier > 0.0)
    };
    let reason = if most_m > LITTLE_M {
        format!("{metres:.1} m · {multiplier} of {most_m:.1} m possible without harm")
    } else {
        format!(
            "{metres:.1} m; nobody comes farther than {most_m:.1} m, so progress does not count"
        )
    };
    Term {
        kind: TermKind::Progress,
        score,
        value: metres,
        limit: most_m,
        unit: "m",
        time_s: None,
        who: None,
        reason,
    }
}
