//! C: whether somebody in the car would mind.

use super::smooth::savitzky_golay;
use super::{Path, Term, TermKind, seconds};
use crate::geometry::angle_between;
use crate::planner::track::{STEP_S, TrackedState};

/// One of the six limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ComfortLimit {
    /// What is limited.
    pub what: &'static str,
    /// Allowed strictly between these.
    pub range: [f64; 2],
    /// Their unit.
    pub unit: &'static str,
    /// The value met farthest beyond (or nearest to) its limit.
    pub value: f64,
    /// Step at which it is met.
    pub step: usize,
}

impl ComfortLimit {
    /// The value as a share of the limit on its side; 1 or more is uncomfortable.
    pub fn share(&self) -> f64 {
        let [low, high] = self.range;
        if self.value < 0.0 {
            self.value / low
        } else {
            self.value / high
        }
    }
}

/// The six limits of nuPlan and NAVSIM, each with the value nearest to or farthest beyond it. Savitzky-Golay filters
/// as there: accelerations window 8 order 2, jerk as first derivative window 15 order 2, yaw rate window 5 order 2,
/// yaw acceleration as second derivative window 5 order 3. Acceleration along the rear axle's heading; sideways it is
/// speed times yaw rate.
pub fn comfort_excess(states: &[TrackedState]) -> [ComfortLimit; 6] {
    let along: Vec<f64> = states.iter().map(|state| state.acceleration).collect();
    let across: Vec<f64> = states
        .iter()
        .map(|state| state.speed * state.yaw_rate)
        .collect();
    let size: Vec<f64> = along
        .iter()
        .zip(&across)
        .map(|(along, across)| along.hypot(*across))
        .collect();
    let mut headings: Vec<f64> = Vec::with_capacity(states.len());
    for state in states {
        let heading = state.state.heading;
        let unwrapped = headings
            .last()
            .map_or(heading, |&last| last + angle_between(last, heading));
        headings.push(unwrapped);
    }
    let smoothed = |values: &[f64]| savitzky_golay(values, 8, 2, 0, STEP_S);
    let jerk = |values: &[f64]| savitzky_golay(&smoothed(values), 15, 2, 1, STEP_S);
    let both = |limit: f64| [-limit, limit];
    [
        worst(
            "longitudinal acceleration",
            [-4.05, 2.40],
            "m/s²",
            &smoothed(&along),
        ),
        worst(
            "lateral acceleration",
            both(4.89),
            "m/s²",
            &smoothed(&across),
        ),
        worst("jerk", both(8.37), "m/s³", &jerk(&size)),
        worst("longitudinal jerk", both(4.13), "m/s³", &jerk(&along)),
        worst(
            "yaw rate",
            both(0.95),
            "rad/s",
            &savitzky_golay(&headings, 5, 2, 1, STEP_S),
        ),
        worst(
            "yaw acceleration",
            both(1.93),
            "rad/s²",
            &savitzky_golay(&headings, 5, 3, 2, STEP_S),
        ),
    ]
}

fn worst(what: &'static str, range: [f64; 2], unit: &'static str, values: &[f64]) -> ComfortLimit {
    let mut found = ComfortLimit {
        what,
        range,
        unit,
        value: 0.0,
        step: 0,
    };
    for (step, &value) in values.iter().enumerate() {
        let candidate = ComfortLimit {
            value,
            step,
            ..found
        };
        if candidate.share() > found.share() {
            found = candidate;
        }
    }
    found
}

/// 1 if all six stay strictly inside.
pub(super) fn comfort(path: &Path<'_>) -> Term {
    let limits = comfort_excess(path.states);
    let worst = limits
        .iter()
        .max_by(|a, b| a.share().total_cmp(&b.share()))
        .unwrap_or(&limits[0]);
    let comfortable = worst.share() < 1.0;
    let limit = worst.range[usize::from(worst.value >= 0.0)];
    let verdict = if comfortable {
        "the nearest to its limit"
    } else {
        "beyond its limit"
    };
    Term {
        kind: TermKind::Comfort,
        score: f64::from(comfortable),
        value: worst.value,
        limit,
        unit: worst.unit,
        time_s: Some(seconds(worst.step)),
        who: None,
        reason: format!(
            "{} of {:.2} {} at {:.1} s is {verdict} of {limit:.2}",
            worst.what,
            worst.value,
            worst.unit,
            seconds(worst.step),
        ),
    }
}
