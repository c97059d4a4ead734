//! A plan as JSON: what `nearmiss plan --json` prints.

use serde_json::{Value, json};

use super::plan::{Plan, PlannedMode};
use super::score::{Scores, TermKind, VARIANT};
use super::track::TrackedState;
use crate::geometry::quantise;

/// The plan with its modes, reasons and the lane pieces of its route (x, y; none where it was told none); `outcome` (as
/// [`super::outcome`] gives it) beside them where it is known.
pub fn plan_json(plan: &Plan, outcome: Option<&[Scores]>) -> Value {
    let modes: Vec<Value> = plan
        .modes
        .iter()
        .enumerate()
        .map(|(index, mode)| mode_json(mode, outcome.and_then(|scores| scores.get(index))))
        .collect();
    let route: Vec<Vec<[f64; 2]>> = plan
        .route
        .iter()
        .map(|piece| piece.iter().map(|point| [point.x, point.y].map(quantise)))
        .map(Iterator::collect)
        .collect();
    json!({
        "ego": plan.ego,
        "now_s": quantise(plan.now_s),
        "decoder": plan.settings.decoder.key(),
        "seed": plan.settings.seed.0,
        "weights": plan.identity,
        "route": route,
        "variant": VARIANT,
        "modes": modes,
        "chosen": plan.chosen,
        "reason": plan.reason,
    })
}

/// One mode: what it was braked from, if it was; points every half second (x, y, heading, speed), the tracked path at 10 Hz (x, y, heading, speed),
/// scores as foreseen and, where known, by what happens.
pub fn mode_json(mode: &PlannedMode, outcome: Option<&Scores>) -> Value {
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
        "scores": scores_json(&mode.scores),
        "outcome": outcome.map(scores_json),
    })
}

fn row(state: &TrackedState) -> [f64; 4] {
    let position = state.state.position;
    [position.x, position.y, state.state.heading, state.speed].map(quantise)
}

fn scores_json(scores: &Scores) -> Value {
    let terms: serde_json::Map<String, Value> = TermKind::ALL
        .into_iter()
        .map(|kind| {
            let term = scores.term(kind);
            let value = json!({
                "score": quantise(term.score),
                "value": quantise(term.value),
                "limit": quantise(term.limit),
                "unit": term.unit,
                "time_s": term.time_s.map(quantise),
                "who": term.who,
                "reason": term.reason,
            });
            (kind.short().to_lowercase(), value)
        })
        .collect();
    json!({
        "total": quantise(scores.total),
        "arithmetic": scores.arithmetic,
        "clear_s": quantise(scores.clear_s),
        "untouched_s": quantise(scores.untouched_s),
        "terms": terms,
    })
}
