//! DAC and DDC: on what may be driven on, and with the direction of travel.

use super::{Path, Term, TermKind, seconds};
use crate::planner::track::STEP_S;

/// Metres against the direction of travel within a second that cost nothing, and that cost half.
const ONCOMING_M: [f64; 2] = [2.0, 6.0];

/// 0 if a corner leaves what may be driven on at any step; see [`crate::metrics::Road::covers`].
pub(super) fn drivable_area(path: &Path<'_>) -> Term {
    let out = path.flags.iter().filter(|flags| flags.non_drivable).count();
    let reason = match path.corner_out {
        None => "all corners stay on the drivable area".to_owned(),
        Some(0) => "a corner is off the drivable area from the start".to_owned(),
        Some(step) => format!(
            "a corner leaves the drivable area at {:.1} s, {} of {} steps are off it",
            seconds(step),
            out,
            path.flags.len()
        ),
    };
    Term {
        kind: TermKind::DrivableArea,
        score: f64::from(out == 0),
        value: out as f64,
        limit: 0.0,
        unit: "steps off the drivable area",
        time_s: path.corner_out.map(seconds),
        who: None,
        reason,
    }
}

/// Distance driven in lanes of the opposite direction within a trailing second: less than 2 m at worst 1, less than
/// 6 m ½, else 0.
pub(super) fn direction(path: &Path<'_>) -> Term {
    let window = (1.0 / STEP_S).round() as usize;
    let driven: Vec<f64> = path
        .states
        .windows(2)
        .zip(&path.flags[1..])
        .map(|(pair, flags)| {
            if flags.oncoming {
                pair[0].state.position.distance(pair[1].state.position)
            } else {
                0.0
            }
        })
        .collect();
    let (mut worst, mut at) = (0.0, None);
    for end in 0..driven.len() {
        let start = (end + 1).saturating_sub(window);
        let metres: f64 = driven[start..=end].iter().sum();
        if metres > worst {
            (worst, at) = (metres, Some(end + 1));
        }
    }
    let score = match worst {
        little if little < ONCOMING_M[0] => 1.0,
        some if some < ONCOMING_M[1] => 0.5,
        _ => 0.0,
    };
    Term {
        kind: TermKind::Direction,
        score,
        value: worst,
        limit: ONCOMING_M[0],
        unit: "m",
        time_s: at.filter(|_| score < 1.0).map(seconds),
        who: None,
        reason: format!(
            "at most {worst:.1} m within a second against the direction of travel; under 2 m count 1, under 6 m ½"
        ),
    }
}
