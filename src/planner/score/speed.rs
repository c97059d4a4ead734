//! SL: how far and how long above the speed limit.

use super::{Path, Series, Term, TermKind, seconds};

/// Metres per second above the limit at which, all along, nothing is left of the score (nuPlan's 5 mph).
const OVERSPEED_MPS: f64 = 2.23;

/// 1 less the mean speed above the limit of the lane over 2.23 m/s; never below 0. Where no limit is known nothing is
/// too fast.
pub(super) fn speed_limit(path: &Path<'_>) -> Term {
    let map = path.stage.map;
    let over: Vec<(f64, Option<f64>)> = path
        .states
        .iter()
        .map(|state| {
            let at = &state.state;
            let lane = map.lane_for(at.position, at.heading, 4.0, |lane| lane.carries_vehicles());
            let limit = lane.and_then(|hit| map.lanes()[hit.lane].speed_limit);
            let over = limit.map_or(0.0, |limit| (state.speed - limit).max(0.0));
            (over, limit)
        })
        .collect();
    let mean = over.iter().map(|(over, _)| over).sum::<f64>() / over.len().max(1) as f64;
    let worst = over
        .iter()
        .enumerate()
        .filter(|(_, (over, _))| *over > 0.0)
        .max_by(|a, b| a.1.0.total_cmp(&b.1.0));
    let score = (1.0 - mean / OVERSPEED_MPS).max(0.0);
    let reason = match worst {
        Some((step, (most, limit))) => format!(
            "{mean:.2} m/s above the limit in the mean, at worst {most:.1} m/s above {:.1} m/s after {:.1} s; {OVERSPEED_MPS} all along is 0",
            limit.unwrap_or(0.0),
            seconds(step)
        ),
        None if over.iter().all(|(_, limit)| limit.is_none()) => {
            "the map states no limit here".to_owned()
        }
        None => "never above the limit".to_owned(),
    };
    Term {
        kind: TermKind::SpeedLimit,
        score,
        value: mean,
        limit: 0.0,
        unit: "m/s",
        time_s: worst.map(|(step, _)| seconds(step)),
        who: None,
        reason,
        series: Series {
            what: "above the speed limit",
            unit: "m/s",
            limit: Some(0.0),
            values: over.into_iter().map(|(over, _)| over).collect(),
        },
    }
}
