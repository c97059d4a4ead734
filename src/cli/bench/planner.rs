//! What a plan of the ego costs.

use std::ops::ControlFlow;

use super::{Row, spend};
use crate::cli::weights;
use crate::geometry::dvec2;
use crate::planner::{Decoder, Mode, PlanSettings, Planners, Start, foreseen, plan, plan_of};
use crate::scene::scene_from_json;
use crate::sim::BUNDLED;

/// Six modes: made, tracked and scored.
pub(super) fn rows(seconds: f64) -> anyhow::Result<Vec<Row>> {
    let (name, text) = BUNDLED[0];
    let scene = scene_from_json(text.as_bytes(), name)?;
    let settings = PlanSettings {
        decoder: Decoder::Idm,
        ..PlanSettings::default()
    };
    let going_on = &mut |_: &_| ControlFlow::Continue(());
    let one = plan(
        &scene,
        &Start::default(),
        Planners::default(),
        &settings,
        going_on,
    )?;
    let six: Vec<Mode> = (0..6)
        .map(|number| {
            let mut mode = one.modes[0].mode.clone();
            mode.probability = 1.0 / 6.0;
            for (index, point) in mode.points.iter_mut().enumerate() {
                // side by side at the end, so that each has a path of its own
                point.position += dvec2(0.0, 0.05 * f64::from(number) * index as f64);
            }
            mode
        })
        .collect();
    let row = |what: &str, seconds: f64| Row {
        what: what.to_owned(),
        value: 1e3 * seconds,
        unit: "ms",
    };
    let judged = spend(seconds, || {
        let _plan = plan_of(&scene, six.clone(), "<bench>", &settings);
    });
    let sight = spend(seconds, || {
        let _seen = foreseen(&scene);
    });
    let mut rows = vec![
        row(
            "plan: six modes tracked, scored and chosen",
            judged.median_s(),
        ),
        row("  of this what can be foreseen", sight.median_s()),
    ];
    let planner = weights::planner()?;
    let settings = PlanSettings::default();
    let made = spend(seconds, || {
        let going_on = &mut |_: &_| ControlFlow::Continue(());
        let _plan = plan(
            &scene,
            &Start::default(),
            Planners::of_network(&*planner),
            &settings,
            going_on,
        );
    });
    rows.push(row(
        "plan: K = 6 with refinement, scored and chosen",
        made.median_s(),
    ));
    Ok(rows)
}
