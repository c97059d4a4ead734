//! DAC, DDC and LK: on what may be driven on, with the direction of travel, and in the middle of a lane.

use super::{Path, Series, Term, TermKind, Variant, seconds};
use crate::metrics::beyond_the_map;
use crate::planner::track::STEP_S;

/// Metres against the direction of travel within a second that cost nothing, and that cost half.
const ONCOMING_M: [f64; 2] = [2.0, 6.0];
/// Distance of the centre from the centreline that is lane keeping, m, and the seconds beyond that are too many.
const OFFSET_M: f64 = 0.5;
const OFFSET_S: f64 = 2.0;
/// Lanes farther than this are none, m.
const LANE_REACH_M: f64 = 10.0;

/// 0 if a corner leaves what may be driven on at any step; see [`crate::metrics::Road::covers`].
pub(super) fn drivable_area(path: &Path<'_>) -> Term {
    let out = path.flags.iter().filter(|flags| flags.non_drivable).count();
    let reason = match path.corner_out {
        None => "all corners stay on the drivable area".to_owned(),
        Some(0) => "a corner is off the drivable area from the start".to_owned(),
        Some(step) => format!(
            "a corner leaves the drivable area after {:.1} s, {} of {} steps are off it",
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
        series: Series {
            what: "a corner off the drivable area",
            unit: "",
            limit: Some(0.0),
            values: path
                .flags
                .iter()
                .map(|flags| f64::from(flags.non_drivable))
                .collect(),
        },
    }
}

/// Distance driven in lanes of the opposite direction within a trailing second: less than 2 m at worst 1, less than
/// 6 m ½, else 0. NAVSIM v2 leaves out what is driven inside junctions.
pub(super) fn direction(path: &Path<'_>) -> Term {
    let window = (1.0 / STEP_S).round() as usize;
    let junctions_count = path.stage.variant != Variant::Epdms;
    let driven: Vec<f64> = path
        .states
        .windows(2)
        .zip(&path.flags[1..])
        .map(|(pair, flags)| {
            if flags.oncoming && (junctions_count || !flags.in_junction) {
                pair[0].state.position.distance(pair[1].state.position)
            } else {
                0.0
            }
        })
        .collect();
    let (mut worst, mut at) = (0.0, None);
    let mut values = vec![0.0];
    for end in 0..driven.len() {
        let start = (end + 1).saturating_sub(window);
        let metres: f64 = driven[start..=end].iter().sum();
        values.push(metres);
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
        series: Series {
            what: "against the direction of travel within a second",
            unit: "m",
            limit: Some(ONCOMING_M[0]),
            values,
        },
    }
}

/// 0 if the centre stays more than 0.5 m from the centreline of the nearest lane of its direction for 2 s on end; steps
/// inside junctions are passed over and do not end the count (NAVSIM v2). Without a lane within 10 m nothing is held
/// against it.
pub(super) fn lane_keeping(path: &Path<'_>) -> Term {
    let map = path.stage.map;
    let most = (OFFSET_S / STEP_S).round() as usize;
    let (mut run, mut longest, mut since, mut failed) = (0, 0, 0, None);
    let mut values = Vec::with_capacity(path.states.len());
    for (step, (state, flags)) in path.states.iter().zip(&path.flags).enumerate() {
        let at = &state.state;
        let lane = map
            .lane_for(at.position, at.heading, LANE_REACH_M, |lane| {
                lane.carries_vehicles()
            })
            .filter(|_| !flags.in_junction && !beyond_the_map(map, at.position));
        let offset = lane.map(|hit| hit.offset.abs());
        values.push(offset.unwrap_or(f64::INFINITY));
        if flags.in_junction {
            continue;
        }
        if offset.is_some_and(|offset| offset > OFFSET_M) {
            if run == 0 {
                since = step;
            }
            run += 1;
            longest = longest.max(run);
            if run >= most && failed.is_none() {
                failed = Some(since);
            }
        } else {
            run = 0;
        }
    }
    let longest_s = (longest as f64 * STEP_S).min(seconds(path.states.len().saturating_sub(1)));
    let reason = match failed {
        Some(step) => format!(
            "after {:.1} s more than {OFFSET_M} m beside the centreline for {longest_s:.1} s; less than {OFFSET_S} s are allowed",
            seconds(step)
        ),
        None => {
            format!("at most {longest_s:.1} s on end more than {OFFSET_M} m beside the centreline")
        }
    };
    Term {
        kind: TermKind::LaneKeeping,
        score: f64::from(failed.is_none()),
        value: longest_s,
        limit: OFFSET_S,
        unit: "s",
        time_s: failed.map(seconds),
        who: None,
        reason,
        series: Series {
            what: "beside the centreline",
            unit: "m",
            limit: Some(OFFSET_M),
            values,
        },
    }
}
