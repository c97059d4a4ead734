//! The planner's table: plans made at logged presents, held against the log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Arguments, Method, TaskChoice};
use crate::cli::batch::Shown;
use crate::cli::planning::Crew;
use crate::codec::{NOW, T, resampled};
use crate::generator::LoggedWindow;
use crate::metrics::{Instability, Ratio, bootstrap};
use crate::planner::{
    Decoder, OpenLoop, POINTS, Plan, PlanSettings, Planners, ProposeError, STEP_S, Start, TermKind,
    Variant, hermite_to, log_mode, open_loop, plan, plan_of, plan_shift, plans_feel_alike,
};
use crate::rng::Seed;
use crate::scene::Scene;

/// Seconds between a plan and the next, for the consistency of plans.
const NEXT_S: f64 = 0.5;

/// The methods of the planner's table, in its order.
pub(super) const METHODS: [Method; 14] = [
    Method::Log,
    Method::ConstantVelocity,
    Method::Hermite,
    Method::Idm,
    Method::Regression,
    Method::Gmm,
    Method::GmmDiffusion,
    Method::Ar,
    Method::MaskedDiffusion,
    Method::Diffusion,
    Method::Flow,
    Method::Anchors,
    Method::ArDiffusion,
    Method::Own,
];

impl Method {
    /// The decoder of a method that plans.
    fn decoder(self) -> Option<Decoder> {
        match self {
            Self::ConstantVelocity => Some(Decoder::ConstantVelocity),
            Self::Idm => Some(Decoder::Idm),
            Self::Regression => Some(Decoder::Regression),
            Self::Gmm => Some(Decoder::Gmm),
            Self::GmmDiffusion => Some(Decoder::GmmDiffusion),
            Self::Ar => Some(Decoder::Ar),
            Self::MaskedDiffusion => Some(Decoder::MaskedDiffusion),
            Self::Diffusion => Some(Decoder::Diffusion),
            Self::Flow => Some(Decoder::Flow),
            Self::Anchors => Some(Decoder::Anchors),
            Self::ArDiffusion => Some(Decoder::ArDiffusion),
            Self::Own => Some(Decoder::Own),
            _ => None,
        }
    }
}

/// Key, factor, and what a recording adds.
type Column = (&'static str, f64, fn(&Sums) -> Ratio);

/// What one recording adds.
#[derive(Default, Clone)]
struct Sums {
    plans: OpenLoop,
    shift: Ratio,
    /// EC, and the total with it.
    alike: Ratio,
    extended: Ratio,
}

/// The sums of one method.
pub(super) struct PlanRow {
    method: Method,
    score: Variant,
    windows: usize,
    modes: usize,
    seconds: f64,
    recordings: BTreeMap<String, Sums>,
}

/// Adds one row per method; finished rows remain when it is stopped or fails. A window for which a method has no answer
/// is left out of its row and named.
///
/// # Errors
/// If there is no planner, or a method has no answer for any window.
pub(super) fn run(
    arguments: &Arguments,
    windows: &[LoggedWindow],
    stop: &AtomicBool,
    rows: &mut Vec<PlanRow>,
) -> anyhow::Result<()> {
    let crew = Crew::new(arguments.own.as_deref())?;
    let planners = crew.planners();
    let methods: Vec<Method> = if arguments.methods.is_empty() {
        let fit = |method: &Method| *method != Method::Own || arguments.own.is_some();
        METHODS.into_iter().filter(fit).collect()
    } else {
        let fit = |method: &Method| method.fits(TaskChoice::Plan);
        arguments.methods.iter().copied().filter(fit).collect()
    };
    let scores = arguments.score.iter();
    let wanted = scores.flat_map(|score| methods.iter().map(move |method| (*score, *method)));
    for (score, method) in wanted {
        let mut row = PlanRow {
            method,
            score,
            windows: 0,
            modes: 0,
            seconds: 0.0,
            recordings: BTreeMap::new(),
        };
        let shown = Shown::new(windows.len() as u64);
        let mut refused = None;
        for window in windows {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            shown.doing(method.name());
            if let Err(error) = row.add(window, planners, arguments) {
                let (recording, now_s) = (&window.recording, window.scene.now_s());
                shown.note(&format!(
                    "left out of {}: {recording} at {now_s:.1} s: {error:#}",
                    method.name()
                ));
                refused.get_or_insert(error);
            }
            shown.done(method.name());
        }
        shown.finish();
        if let Some(error) = refused.filter(|_| row.windows == 0) {
            return Err(error.context(format!("{} has no answer for any window", method.name())));
        }
        if stop.load(Ordering::Relaxed) {
            eprintln!(
                "stopped by Ctrl-C during {}; finished rows follow",
                method.name()
            );
            break;
        }
        rows.push(row);
    }
    Ok(())
}

impl PlanRow {
    fn add(
        &mut self,
        window: &LoggedWindow,
        planners: Planners<'_>,
        arguments: &Arguments,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        let made = match self.plan(window, &window.scene, planners, arguments) {
            Ok(made) => made,
            // a recording's ego may be somebody on foot
            Err(ProposeError::NotAVehicle(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.seconds += begun.elapsed().as_secs_f64();
        self.windows += 1;
        self.modes = self.modes.max(made.proposed().len());
        let found = open_loop(&window.scene, &window.window, &made);
        let tenths = at_tenths(&window.scene);
        let mut next = tenths.clone().unwrap_or_else(|| window.scene.clone());
        next.now += (NEXT_S / next.dt_s).round() as usize;
        let there = next
            .ego()
            .is_some_and(|ego| ego.track.get(next.now).is_some());
        let recording = window.recording.clone();
        let sums = self.recordings.entry(recording).or_default();
        sums.plans.add(&found);
        if !there || self.method.decoder().is_none() {
            return Ok(());
        }
        let made = match &tenths {
            Some(scene) => self.plan(window, scene, planners, arguments)?,
            None => made,
        };
        // futures written down for this moment may not reach as far as the next plan would
        let Ok(later) = self.plan(window, &next, planners, arguments) else {
            return Ok(());
        };
        let sums = self.recordings.entry(window.recording.clone()).or_default();
        sums.shift += plan_shift(&made, &later).unwrap_or_default();
        if let Some(alike) = plans_feel_alike(&made, &later) {
            sums.alike += Ratio::new(f64::from(alike), 1.0);
            let of = |kind: TermKind| found.terms[kind as usize].value().unwrap_or(1.0);
            let total = found.score.value().unwrap_or(0.0);
            if let Some(total) = self.score.with_extended_comfort(total, of, alike) {
                sums.extended += Ratio::new(total, 1.0);
            }
        }
        Ok(())
    }

    fn plan(
        &self,
        window: &LoggedWindow,
        scene: &Scene,
        planners: Planners<'_>,
        arguments: &Arguments,
    ) -> Result<Plan, ProposeError> {
        let settings = PlanSettings {
            decoder: self.method.decoder().unwrap_or(Decoder::ConstantVelocity),
            modes: arguments.samples.max(1) as usize,
            seed: Seed(arguments.seed),
            spread_m: arguments.spread,
            brake: !arguments.no_brake,
            route: !arguments.no_route,
            score: self.score,
            temperature: arguments
                .temperature
                .unwrap_or(PlanSettings::default().temperature),
            ..PlanSettings::default()
        };
        match self.method {
            Method::Log => plan_of(scene, vec![log_mode(&window.window)], "<log>", &settings),
            Method::Hermite => {
                let log = log_mode(&window.window);
                let end = log.points[POINTS - 1];
                let mut end_state = crate::scene::State::along(end.pose(), end.speed);
                let last = T - 1;
                if window.window.known[last] {
                    end_state.velocity = window.window.state(0, last).velocity;
                }
                let mode = hermite_to(window.window.state(0, NOW), &end_state);
                plan_of(scene, vec![mode], "<hermite>", &settings)
            }
            _ => plan(scene, &Start::default(), planners, &settings, &mut |_| {
                ControlFlow::Continue(())
            }),
        }
    }

    fn parts(&self, of: impl Fn(&Sums) -> Ratio) -> Vec<Ratio> {
        self.recordings.values().map(of).collect()
    }

    pub(super) fn json(&self, seed: u64) -> Value {
        let pooled = |factor: f64, of: &dyn Fn(&Sums) -> Ratio| -> Value {
            let value = Ratio::pooled(&self.parts(of)).value();
            value.map(|value| rounded(factor * value)).into()
        };
        let interval = |factor: f64, of: &dyn Fn(&Sums) -> Ratio| -> Value {
            match bootstrap(&self.parts(of), Seed(seed)) {
                Some(found) => json!([rounded(factor * found.low), rounded(factor * found.high)]),
                None => Value::Null,
            }
        };
        let mut instability = Instability::default();
        for sums in self.recordings.values() {
            instability.add(&sums.plans.instability);
        }
        let mut row = json!({
            "task": "plan",
            "method": self.method.name(),
            "privileged": matches!(self.method, Method::Log | Method::Hermite),
            "modes": self.modes,
            "windows": self.windows,
            "recordings": self.recordings.len(),
            "instability": instability.value().map(rounded),
            "seconds_per_plan": rounded(self.seconds / self.windows.max(1) as f64),
            "formula": self.score.key(),
            "variant": self.score.words(),
        });
        let mut intervals = json!({ "level": 0.95, "by": "recording" });
        let columns: [Column; 18] = [
            ("ade_m", 1.0, |sums| sums.plans.ade),
            ("ade_moving_m", 1.0, |sums| sums.plans.ade_moving),
            ("chosen_ade_m", 1.0, |sums| sums.plans.chosen_ade),
            ("min_ade_m", 1.0, |sums| sums.plans.min_ade),
            ("fde_m", 1.0, |sums| sums.plans.fde),
            ("min_fde_m", 1.0, |sums| sums.plans.min_fde),
            ("end_min_ade_m", 1.0, |sums| sums.plans.end_min_ade),
            ("brier_min_fde_m", 1.0, |sums| sums.plans.brier_min_fde),
            ("miss_pct", 100.0, |sums| sums.plans.miss),
            ("gap_m", 1.0, |sums| sums.plans.gap),
            ("spread_m", 1.0, |sums| sums.plans.spread),
            ("collision_pct", 100.0, |sums| sums.plans.collision),
            ("at_fault_pct", 100.0, |sums| sums.plans.at_fault),
            ("off_road_pct", 100.0, |sums| sums.plans.off_road),
            ("plan_shift_m", 1.0, |sums| sums.shift),
            ("ec", 1.0, |sums| sums.alike),
            ("score_with_ec", 1.0, |sums| sums.extended),
            ("nuplan_open_loop", 1.0, |sums| {
                let score = sums.plans.nuplan.score();
                score.map_or(Ratio::default(), |score| Ratio::new(score, 1.0))
            }),
        ];
        for (key, factor, of) in columns {
            row[key] = pooled(factor, &of);
            intervals[key] = interval(factor, &of);
        }
        row["ec_windows"] = json!(Ratio::pooled(&self.parts(|sums| sums.alike)).count);
        row["score"] = pooled(1.0, &|sums| sums.plans.score);
        intervals["score"] = interval(1.0, &|sums| sums.plans.score);
        for kind in self.score.terms() {
            let key = kind.short().to_lowercase();
            row[key] = pooled(1.0, &|sums| sums.plans.terms[*kind as usize]);
        }
        row["interval"] = intervals;
        row
    }
}

/// All rows for people, a table for each formula.
pub(super) fn text(rows: &[PlanRow], seed: u64) -> String {
    let of_formulas = rows.chunk_by(|a, b| a.score == b.score);
    let tables: Vec<String> = of_formulas.map(|rows| table(rows, seed)).collect();
    tables.join("\n")
}

fn table(rows: &[PlanRow], seed: u64) -> String {
    let mut headings = [
        ("ADE m", "ade_m", 3),
        ("moving", "ade_moving_m", 3),
        ("minADE", "min_ade_m", 3),
        ("FDE", "fde_m", 2),
        ("minFDE", "min_fde_m", 2),
        ("miss %", "miss_pct", 1),
        ("gap m", "gap_m", 3),
        ("col %", "collision_pct", 1),
        ("fault%", "at_fault_pct", 1),
        ("off %", "off_road_pct", 1),
        ("spread", "spread_m", 2),
        ("M_k", "instability", 3),
        ("shift", "plan_shift_m", 3),
        ("OLS", "nuplan_open_loop", 3),
        ("score", "score", 3),
    ]
    .map(|(heading, key, digits)| (heading, key.to_owned(), digits))
    .to_vec();
    let score = rows.first().map(|row| row.score).unwrap_or_default();
    let terms = score.terms().iter().filter(|kind| score.counts(**kind));
    headings.extend(terms.map(|kind| (kind.short(), kind.short().to_lowercase(), 3)));
    headings.push(("EC", "ec".to_owned(), 3));
    if score == Variant::Epdms {
        headings.push(("with EC", "score_with_ec".to_owned(), 3));
    }
    let mut out = format!("{:<18} {:>2}", "plan", "K");
    for (heading, ..) in &headings {
        let _infallible = write!(out, " {heading:>7}");
    }
    out += "    ms  ADE 95 % by rec.\n";
    for row in rows {
        let json = row.json(seed);
        let name = if json["privileged"] == true {
            format!("{} *", row.method.name())
        } else {
            row.method.name().to_owned()
        };
        let _infallible = write!(out, "{name:<18} {:>2}", row.modes);
        for &(_, ref key, digits) in &headings {
            let text = match json[key.as_str()].as_f64() {
                Some(value) => format!("{value:.digits$}"),
                None => "-".to_owned(),
            };
            let _infallible = write!(out, " {text:>7}");
        }
        let range = match json["interval"]["ade_m"].as_array().map(Vec::as_slice) {
            Some([low, high]) => format!(
                "{:.3}..{:.3}",
                low.as_f64().unwrap_or(0.0),
                high.as_f64().unwrap_or(0.0)
            ),
            _ => "-".to_owned(),
        };
        let ms = 1e3 * json["seconds_per_plan"].as_f64().unwrap_or(0.0);
        let _infallible = writeln!(out, " {ms:>5.1}  {range}");
    }
    if let Some(row) = rows.first() {
        let _infallible = writeln!(
            out,
            "{} windows of {} recordings. * knows the log's end. col, fault and off over 8 s of the chosen mode as \
             driven; shift and EC between plans {NEXT_S} s apart; OLS = nuPlan's open-loop score of the chosen mode, a \
             recording's windows as its scenario. {}.",
            row.windows,
            row.recordings.len(),
            row.score.words(),
        );
    }
    out
}

/// The scene at 10 Hz, where no frame lies [`NEXT_S`] after its present (25 Hz, 5 Hz); `None` where one does.
fn at_tenths(scene: &Scene) -> Option<Scene> {
    let frames = NEXT_S / scene.dt_s;
    let whole = (frames - frames.round()).abs() < 1e-3;
    (!whole).then(|| resampled(scene, STEP_S))
}

fn rounded(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::geometry::Pose;
    use crate::scene::{Agent, AgentId, AgentKind, State, Track};

    #[test]
    fn plans_half_a_second_apart_agree_at_any_rate_where_nothing_changes() {
        for dt_s in [0.04, 0.1, 0.2] {
            let frames = (10.0_f64 / dt_s).round() as usize + 1;
            let states = (0..frames).map(|frame| {
                let x = 30.0 * dt_s * frame as f64;
                Some(State::along(Pose::at(x, 0.0, 0.0), 30.0))
            });
            let ego = Agent::new("ego", AgentKind::Vehicle, Track::new(states.collect()));
            let mut scene = Scene {
                dt_s,
                frames,
                now: (2.0 / dt_s).round() as usize,
                agents: vec![Arc::new(ego)],
                ..Scene::default()
            };
            scene.set_ego(&AgentId::new("ego"));
            let scene = at_tenths(&scene).unwrap_or(scene);
            let mut next = scene.clone();
            next.now += (NEXT_S / next.dt_s).round() as usize;
            let settings = PlanSettings {
                decoder: Decoder::ConstantVelocity,
                ..PlanSettings::default()
            };
            let [made, later] = [scene, next].map(|scene| {
                let mut on = |_: &_| ControlFlow::Continue(());
                let planners = Planners::default();
                plan(&scene, &Start::default(), planners, &settings, &mut on).unwrap()
            });
            let shift = plan_shift(&made, &later).and_then(|shift| shift.value());
            assert!(shift.is_some_and(|shift| shift < 1e-3), "{dt_s}: {shift:?}");
            assert_eq!(plans_feel_alike(&made, &later), Some(true), "{dt_s}");
        }
    }
}
