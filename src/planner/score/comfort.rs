//! C: whether somebody in the car would mind.

use super::smooth::savitzky_golay;
use super::{Path, Series, Term, TermKind, Variant, seconds};
use crate::geometry::{angle_between, wrap_angle};
use crate::planner::track::{STEP_S, TrackedState};
use crate::scene::{Agent, Scene, State};

/// Seconds driven before the present that count as history; the filters' windows reach less far.
const HISTORY_S: f64 = 2.0;

/// One of the six limits.
#[derive(Debug, Clone, PartialEq)]
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
    /// The same at every step.
    pub values: Vec<f64>,
}

impl ComfortLimit {
    /// The value as a share of the limit on its side; 1 or more is uncomfortable.
    pub fn share(&self) -> f64 {
        self.share_of(self.value)
    }

    fn share_of(&self, value: f64) -> f64 {
        let [low, high] = self.range;
        if value < 0.0 {
            value / low
        } else {
            value / high
        }
    }
}

/// The six limits of nuPlan and NAVSIM, each with the value nearest to or farthest beyond it. Savitzky-Golay filters
/// as in nuPlan and NAVSIM v2: accelerations window 8 order 2, jerk as first derivative window 15 order 2, yaw rate
/// window 5 order 2, yaw acceleration as second derivative window 5 order 3. Acceleration along the rear axle's heading;
/// sideways it is speed times yaw rate.
pub fn comfort_excess(states: &[TrackedState]) -> [ComfortLimit; 6] {
    limits_of(Felt::of(states, Spans::SHORT))
}

fn limits_of(felt: Felt) -> [ComfortLimit; 6] {
    let both = |limit: f64| [-limit, limit];
    [
        worst(
            "longitudinal acceleration",
            [-4.05, 2.40],
            "m/s²",
            felt.along,
        ),
        worst("lateral acceleration", both(4.89), "m/s²", felt.across),
        worst("jerk", both(8.37), "m/s³", felt.jerk),
        worst("longitudinal jerk", both(4.13), "m/s³", felt.jerk_along),
        worst("yaw rate", both(0.95), "rad/s", felt.yaw_rate),
        worst(
            "yaw acceleration",
            both(1.93),
            "rad/s²",
            felt.yaw_acceleration,
        ),
    ]
}

/// The most by which two successive plans may differ, root mean square: size of the acceleration (m/s²), jerk (m/s³), yaw
/// rate (rad/s), yaw acceleration (rad/s²).
const EXTENDED_LIMITS: [f64; 4] = [0.7, 0.5, 0.1, 0.1];

/// EC of NAVSIM v2, extended comfort: whether two ways driven through the same times (from [`STEP_S`] apart) feel alike.
/// Differences over all steps, filtered as in [`comfort_excess`]; `false` for ways of different length.
pub(in crate::planner) fn extended_comfort(one: &[TrackedState], other: &[TrackedState]) -> bool {
    let [one, other] = [one, other].map(|states| Felt::of(states, Spans::SHORT));
    let rms = |one: &[f64], other: &[f64]| -> f64 {
        let squares = one.iter().zip(other).map(|(a, b)| (a - b).powi(2));
        (squares.sum::<f64>() / one.len().max(1) as f64).sqrt()
    };
    one.size.len() == other.size.len()
        && [
            rms(&one.size, &other.size),
            rms(&one.jerk, &other.jerk),
            rms(&one.yaw_rate, &other.yaw_rate),
            rms(&one.yaw_acceleration, &other.yaw_acceleration),
        ]
        .iter()
        .zip(EXTENDED_LIMITS)
        .all(|(found, limit)| *found <= limit)
}

/// Samples that a filter spans; all there are, if they are fewer.
#[derive(Clone, Copy)]
struct Spans {
    /// Of accelerations along and across.
    acceleration: usize,
    /// Of the derivative of accelerations.
    jerk: usize,
}

impl Spans {
    const SHORT: Self = Self {
        acceleration: 8,
        jerk: 15,
    };
    /// NAVSIM v1.1: one quadratic through all accelerations, one through all that were smoothed by 8 for the jerks.
    const WHOLE: Self = Self {
        acceleration: usize::MAX,
        jerk: usize::MAX,
    };
}

/// What somebody in the car feels, at every step.
struct Felt {
    along: Vec<f64>,
    across: Vec<f64>,
    /// Of the acceleration, m/s².
    size: Vec<f64>,
    jerk: Vec<f64>,
    jerk_along: Vec<f64>,
    yaw_rate: Vec<f64>,
    yaw_acceleration: Vec<f64>,
}

impl Felt {
    fn of(states: &[TrackedState], spans: Spans) -> Self {
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
        let over = |values: &[f64], window: usize| savitzky_golay(values, window, 2, 0, STEP_S);
        let smoothed = |values: &[f64]| over(values, Spans::SHORT.acceleration);
        let jerk = |values: &[f64]| savitzky_golay(&smoothed(values), spans.jerk, 2, 1, STEP_S);
        Self {
            jerk: jerk(&size),
            jerk_along: jerk(&along),
            along: over(&along, spans.acceleration),
            across: over(&across, spans.acceleration),
            size: smoothed(&size),
            yaw_rate: savitzky_golay(&headings, 5, 2, 1, STEP_S),
            yaw_acceleration: savitzky_golay(&headings, 5, 3, 2, STEP_S),
        }
    }
}

fn worst(
    what: &'static str,
    range: [f64; 2],
    unit: &'static str,
    values: Vec<f64>,
) -> ComfortLimit {
    let mut found = ComfortLimit {
        what,
        range,
        unit,
        value: 0.0,
        step: 0,
        values,
    };
    for step in 0..found.values.len() {
        let value = found.values[step];
        if found.share_of(value) > found.share() {
            (found.value, found.step) = (value, step);
        }
    }
    found
}

/// What the ego drove before the scene's present, [`STEP_S`] apart, the last state one step before it: by differences of
/// its track, as far back as it is known without gaps, at most [`HISTORY_S`].
pub(super) fn driven_before(scene: &Scene, ego: &Agent) -> Vec<TrackedState> {
    let steps = (HISTORY_S / STEP_S).round() as usize;
    let at = |back: usize| -> Option<State> {
        let time_s = scene.now_s() - back as f64 * STEP_S;
        (time_s > -1e-9).then(|| ego.track.sample(scene.frame_at(time_s.max(0.0))))?
    };
    let known: Vec<State> = (0..=steps).map_while(at).collect();
    let forward = |state: &State| state.velocity.dot(state.pose().forward());
    let mut found: Vec<TrackedState> = known
        .windows(2)
        .map(|pair| {
            let (later, earlier) = (&pair[0], &pair[1]);
            TrackedState {
                state: *earlier,
                speed: forward(earlier),
                acceleration: (forward(later) - forward(earlier)) / STEP_S,
                yaw_rate: wrap_angle(later.heading - earlier.heading) / STEP_S,
            }
        })
        .collect();
    found.reverse();
    found
}

/// 1 if all six stay strictly inside.
pub(super) fn comfort(path: &Path<'_>) -> Term {
    let spans = match path.stage.variant {
        Variant::Pdms => Spans::WHOLE,
        Variant::Epdms | Variant::NuPlan => Spans::SHORT,
    };
    within(TermKind::Comfort, &[], path.states, spans)
}

/// The same with what was driven before in front, so that it does not begin with a jerk (NAVSIM v2).
pub(super) fn history_comfort(path: &Path<'_>) -> Term {
    let history = &path.stage.history;
    within(TermKind::HistoryComfort, history, path.states, Spans::SHORT)
}

fn within(kind: TermKind, before: &[TrackedState], states: &[TrackedState], spans: Spans) -> Term {
    let all = [before, states].concat();
    let limits = limits_of(Felt::of(&all, spans));
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
    let time_s = seconds(worst.step) - seconds(before.len());
    let share = |step: usize| {
        let shares = limits
            .iter()
            .map(|limit| limit.share_of(limit.values[step]));
        shares.fold(0.0, f64::max)
    };
    Term {
        kind,
        score: f64::from(comfortable),
        value: worst.value,
        limit,
        unit: worst.unit,
        time_s: Some(time_s),
        who: None,
        reason: format!(
            "{} of {:.2} {} after {time_s:.1} s is {verdict} of {limit:.2}",
            worst.what, worst.value, worst.unit,
        ),
        series: Series {
            what: "of the nearest of six limits",
            unit: "",
            limit: Some(1.0),
            values: (before.len()..all.len()).map(share).collect(),
        },
    }
}
