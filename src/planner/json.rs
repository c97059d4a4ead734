//! A plan as JSON: what `nearmiss plan --json` prints.

use serde_json::{Value, json};

use super::plan::{Plan, PlannedMode};
use super::score::{Scores, TermKind};
use super::track::TrackedState;
use crate::geometry::quantise;
use crate::scene::Metric;

/// The plan with its modes, reasons and the lane pieces of its route (x, y; none where it was told none); `outcome` (as
/// [`super::outcome`] gives it) beside them where it is known. The sub-scores of the chosen mode, by what happens where that
/// is known, are also its gates, with scene times.
pub fn plan_json(plan: &Plan, outcome: Option<&[Scores]>) -> Value {
    let modes: Vec<Value> = plan
        .modes
        .iter()
        .enumerate()
        .map(|(index, mode)| {
            let happens = outcome.and_then(|scores| scores.get(index));
            mode_json(mode, happens, plan.now_s)
        })
        .collect();
    let route: Vec<Vec<[f64; 2]>> = plan
        .route
        .iter()
        .map(|piece| piece.iter().map(|point| [point.x, point.y].map(quantise)))
        .map(Iterator::collect)
        .collect();
    let happens = outcome.and_then(|scores| scores.get(plan.chosen));
    let told = happens.unwrap_or(&plan.chosen().scores);
    let yes_or_no = told.terms.iter().filter(|term| {
        let graded = matches!(term.kind, TermKind::Progress | TermKind::SpeedLimit);
        !graded && told.variant.counts(term.kind)
    });
    let gates: Vec<Value> = yes_or_no
        .map(|term| {
            json!({
                "gate": term.kind.short().to_lowercase(),
                "passed": term.score >= 1.0,
                "value": quantise(term.value),
                "limit": quantise(term.limit),
                "unit": term.unit,
                "agent": term.who,
                "time_s": term.time_s.map(|time_s| quantise(plan.now_s + time_s)),
                "reason": term.reason,
            })
        })
        .collect();
    json!({
        "ego": plan.ego,
        "now_s": quantise(plan.now_s),
        "decoder": plan.settings.decoder.key(),
        "seed": plan.settings.seed.0,
        "weights": plan.identity,
        "route": route,
        "formula": plan.settings.score.key(),
        "variant": plan.settings.score.words(),
        "modes": modes,
        "chosen": plan.chosen,
        "gates": gates,
        "metrics": [
            metric("score", told.total, ""),
            metric("clear_s", told.clear_s, "s"),
            metric("gap_m", plan.chosen().gap_m, "m"),
        ],
        "reason": plan.reason,
    })
}

/// One mode: what it was braked from, if it was; points every half second (x, y, heading, speed), the tracked path at 10 Hz (x, y, heading, speed),
/// scores as foreseen and, where known, by what happens. `now_s` is the scene time of the plan's present.
pub fn mode_json(mode: &PlannedMode, outcome: Option<&Scores>, now_s: f64) -> Value {
    let points: Vec<[f64; 4]> = mode
        .mode
        .points
        .iter()
        .map(|point| {
            [
                point.position.x,
                point.position.y,
                point.heading,
                point.speed,
            ]
            .map(quantise)
        })
        .collect();
    json!({
        "probability": quantise(mode.mode.probability),
        "braked": mode.braked,
        "tokens": mode.mode.tokens,
        "points": points,
        "tracked": mode.tracked.iter().map(row).collect::<Vec<_>>(),
        "gap_m": quantise(mode.gap_m),
        "worth": quantise(mode.worth),
        "scores": scores_json(&mode.scores, now_s),
        "outcome": outcome.map(|scores| scores_json(scores, now_s)),
    })
}

/// A metric as generated cases have them.
fn metric(name: &str, value: f64, unit: &str) -> Metric {
    Metric {
        name: name.to_owned(),
        value: quantise(value),
        unit: unit.to_owned(),
        count: 1,
        extra: crate::map::Extra::new(),
    }
}

fn row(state: &TrackedState) -> [f64; 4] {
    let position = state.state.position;
    [position.x, position.y, state.state.heading, state.speed].map(quantise)
}

/// All sub-scores with their numbers at every step (null where there is nothing to measure), and their total. `now_s` is the
/// scene time from which the path they are of begins: each moment is given in scene time (`time_s`) and from there
/// (`after_s`), from which the sentences count, too.
pub fn scores_json(scores: &Scores, now_s: f64) -> Value {
    let terms: serde_json::Map<String, Value> = scores
        .terms
        .iter()
        .map(|term| {
            let value = json!({
                "score": quantise(term.score),
                "value": quantise(term.value),
                "limit": quantise(term.limit),
                "unit": term.unit,
                "time_s": term.time_s.map(|after_s| quantise(now_s + after_s)),
                "after_s": term.time_s.map(quantise),
                "who": term.who,
                "reason": term.reason,
                "series": {
                    "what": term.series.what,
                    "unit": term.series.unit,
                    "limit": term.series.limit.map(quantise),
                    "values": term.series.values.iter().map(|value| quantise(*value)).collect::<Vec<f64>>(),
                },
            });
            (term.kind.short().to_lowercase(), value)
        })
        .collect();
    json!({
        "formula": scores.variant.key(),
        "total": quantise(scores.total),
        "arithmetic": scores.arithmetic,
        "clear_s": quantise(scores.clear_s),
        "untouched_s": quantise(scores.untouched_s),
        "terms": terms,
    })
}
