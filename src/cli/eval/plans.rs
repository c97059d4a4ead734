//! The planner's table: plans made at logged presents, held against the log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Arguments, Entered, Method, TaskChoice};
use crate::cli::batch::Shown;
use crate::cli::planning::Crew;
use crate::codec::{NOW, T, resampled};
use crate::metrics::{Instability, Interval, Ratio, Sheet, bootstrap, bootstrap_of};
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

/// What is compared between two rows.
const DIFFERENCES: [Column; 2] = [
    ("ade_m", 1.0, |sums| sums.plans.ade),
    ("chosen_ade_m", 1.0, |sums| sums.plans.chosen_ade),
];

/// All that is pooled over windows but scores of formulas and their terms.
const COLUMNS: [Column; 18] = [
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

/// What one recording adds.
#[derive(Default, Clone)]
struct Sums {
    plans: OpenLoop,
    shift: Ratio,
    /// EC, and the total with it.
    alike: Ratio,
    extended: Ratio,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.plans.add(&other.plans);
        self.shift += other.shift;
        self.alike += other.alike;
        self.extended += other.extended;
    }
}

/// What a method's plan of one window adds.
struct Answer {
    sums: Sums,
    modes: usize,
    seconds: f64,
}

/// The answers of one method, chosen and scored by one formula.
struct PlanRow {
    method: Method,
    score: Variant,
    /// Window by window; `None` where it has none, or was not asked any more.
    answers: Vec<Option<Answer>>,
}

/// The planner's table: all rows are of the windows for which every one of them has an answer.
#[derive(Default)]
pub(super) struct Plans {
    rows: Vec<PlanRow>,
    /// The recording of each window.
    recordings: Vec<String>,
    /// The scene of each, and its present, s.
    places: Vec<(String, f64)>,
}

/// Adds one row per method; finished rows remain when it is stopped or fails. A window for which a method has no answer
/// is left out of all rows and named.
///
/// # Errors
/// If there is no planner, or a method has no answer for any window.
pub(super) fn run(
    arguments: &Arguments,
    windows: &[Entered],
    stop: &AtomicBool,
    plans: &mut Plans,
) -> anyhow::Result<()> {
    let crew = Crew::new(arguments.own.as_deref())?;
    let methods: Vec<Method> = if arguments.methods.is_empty() {
        let fit = |method: &Method| *method != Method::Own || arguments.own.is_some();
        METHODS.into_iter().filter(fit).collect()
    } else {
        let fit = |method: &Method| method.fits(TaskChoice::Plan);
        arguments.methods.iter().copied().filter(fit).collect()
    };
    let recordings = windows.iter().map(|entered| &entered.window.recording);
    plans.recordings = recordings.cloned().collect();
    let place = |entered: &Entered| (entered.scene.clone(), entered.window.scene.now_s());
    plans.places = windows.iter().map(place).collect();
    let scores = arguments.score.iter();
    let wanted = scores.flat_map(|score| methods.iter().map(move |method| (*score, *method)));
    for (score, method) in wanted {
        let ask = Ask {
            arguments,
            method,
            score,
            planners: crew.planners(),
            stop,
        };
        let mut row = PlanRow {
            method,
            score,
            answers: Vec::with_capacity(windows.len()),
        };
        let shown = Shown::new(windows.len() as u64);
        let mut refused = None;
        for (at, entered) in windows.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            shown.doing(method.name());
            let answer = match plans.counts(at) {
                true => ask.answer(entered),
                false => Ok(None), // another has no answer: it is left out of this row, too
            };
            row.answers.push(answer.unwrap_or_else(|error| {
                if error != ProposeError::Stopped {
                    let (name, now_s) = (&entered.scene, entered.window.scene.now_s());
                    shown.note(&format!(
                        "left out: {name} at {now_s:.1} s: {}: {error}",
                        method.name()
                    ));
                    refused.get_or_insert(error);
                }
                None
            }));
            shown.done(method.name());
        }
        shown.finish();
        if stop.load(Ordering::Relaxed) {
            eprintln!(
                "stopped by Ctrl-C during {}; finished rows follow",
                method.name()
            );
            break;
        }
        if let Some(error) = refused.filter(|_| row.answers.iter().all(Option::is_none)) {
            let error = anyhow::Error::new(error);
            return Err(error.context(format!("{} has no answer for any window", method.name())));
        }
        plans.rows.push(row);
    }
    Ok(())
}

/// What is asked of a method.
struct Ask<'a> {
    arguments: &'a Arguments,
    method: Method,
    score: Variant,
    planners: Planners<'a>,
    stop: &'a AtomicBool,
}

impl Ask<'_> {
    /// What it adds for a window.
    fn answer(&self, entered: &Entered) -> Result<Option<Answer>, ProposeError> {
        let window = &entered.window;
        let begun = Instant::now();
        let made = self.plan(entered, &window.scene)?;
        let seconds = begun.elapsed().as_secs_f64();
        let modes = made.proposed().len();
        let found = open_loop(&window.scene, &window.window, &made);
        let mut sums = Sums::default();
        self.consistency(entered, (made, &found), &mut sums)?;
        sums.plans = found;
        Ok(Some(Answer {
            sums,
            modes,
            seconds,
        }))
    }

    /// Adds how far the plan [`NEXT_S`] later agrees with `made`, where there is one.
    fn consistency(
        &self,
        entered: &Entered,
        (made, found): (Plan, &OpenLoop),
        sums: &mut Sums,
    ) -> Result<(), ProposeError> {
        let window = &entered.window;
        let tenths = at_tenths(&window.scene);
        let mut next = tenths.clone().unwrap_or_else(|| window.scene.clone());
        next.now += (NEXT_S / next.dt_s).round() as usize;
        let there = next
            .ego()
            .is_some_and(|ego| ego.track.get(next.now).is_some());
        if !there || self.method.decoder().is_none() {
            return Ok(());
        }
        let made = match &tenths {
            Some(scene) => self.plan(entered, scene)?,
            None => made,
        };
        let later = match self.plan(entered, &next) {
            Ok(later) => later,
            Err(ProposeError::Stopped) => return Err(ProposeError::Stopped),
            // futures written down for this moment may not reach as far as the next plan would
            Err(_) => return Ok(()),
        };
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

    fn plan(&self, entered: &Entered, scene: &Scene) -> Result<Plan, ProposeError> {
        let Self {
            arguments,
            planners,
            ..
        } = *self;
        let window = &entered.window;
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
            file: entered.file.clone(),
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
            _ => plan(
                scene,
                &Start::default(),
                planners,
                &settings,
                &mut |_| match self.stop.load(Ordering::Relaxed) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                },
            ),
        }
    }
}

impl Plans {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether all rows have an answer for a window.
    fn counts(&self, at: usize) -> bool {
        let mut rows = self.rows.iter();
        rows.all(|row| row.answers.get(at).is_some_and(Option::is_some))
    }

    /// The answers of a row that count, with their recordings.
    fn answers<'a>(&'a self, row: &'a PlanRow) -> impl Iterator<Item = (&'a str, &'a Answer)> {
        let all = self.recordings.iter().zip(&row.answers).enumerate();
        let counted = all.filter(|(at, _)| self.counts(*at));
        counted.filter_map(|(_, (recording, answer))| Some((recording.as_str(), answer.as_ref()?)))
    }

    /// What each recording adds to a row.
    fn sums<'a>(&'a self, row: &'a PlanRow) -> BTreeMap<&'a str, Sums> {
        let mut all: BTreeMap<&str, Sums> = BTreeMap::new();
        for (recording, answer) in self.answers(row) {
            all.entry(recording).or_default().add(&answer.sums);
        }
        all
    }

    /// Puts a line for each window of each row that counts into a table.
    pub(super) fn put_windows(&self, sheet: &mut Sheet) {
        for row in &self.rows {
            let places = self.places.iter().zip(&self.recordings).zip(&row.answers);
            for (at, (((scene, present_s), recording), answer)) in places.enumerate() {
                let Some(answer) = answer.as_ref().filter(|_| self.counts(at)) else {
                    continue;
                };
                let sums = &answer.sums;
                sheet.begin();
                sheet.put("task", "plan");
                sheet.put("method", row.method.name());
                sheet.put("formula", row.score.key());
                sheet.put("recording", &**recording);
                sheet.put("scene", &**scene);
                sheet.put("present_s", rounded(*present_s).to_string());
                sheet.put("modes", answer.modes.to_string());
                let mut put = |key: &str, value: Option<f64>| {
                    let value = value.map(|value| rounded(value).to_string());
                    sheet.put(key, value.unwrap_or_default());
                };
                for (key, factor, of) in COLUMNS {
                    put(key, of(sums).value().map(|value| factor * value));
                }
                put("instability", sums.plans.instability.value());
                put("score", sums.plans.score.value());
                for kind in row.score.terms() {
                    let term = sums.plans.terms[*kind as usize].value();
                    put(&kind.short().to_lowercase(), term);
                }
            }
        }
    }

    /// The row that a row is compared with.
    fn reference(&self, row: &PlanRow, against: Option<Method>) -> Option<&PlanRow> {
        let other = |other: &&PlanRow| Some(other.method) == against && other.score == row.score;
        let found = self.rows.iter().find(other);
        found.filter(|found| found.method != row.method)
    }

    /// A row less `other` in the same windows, with the interval when the same recordings are drawn for both.
    fn difference(&self, row: &PlanRow, other: &PlanRow, seed: u64) -> Value {
        let (own, theirs) = (self.sums(row), self.sums(other));
        let pairs: Vec<(Sums, Sums)> = own.into_values().zip(theirs.into_values()).collect();
        let mut found = json!({ "to": other.method.name(), "level": 0.95, "by": "recording" });
        for (key, factor, of) in DIFFERENCES {
            let less = |drawn: &[&(Sums, Sums)]| {
                let (own, theirs): (Vec<Ratio>, Vec<Ratio>) =
                    drawn.iter().map(|pair| (of(&pair.0), of(&pair.1))).unzip();
                let (own, theirs) = (
                    Ratio::pooled(&own).value()?,
                    Ratio::pooled(&theirs).value()?,
                );
                Some(factor * (own - theirs))
            };
            let all: Vec<&(Sums, Sums)> = pairs.iter().collect();
            let interval = between(bootstrap_of(&pairs, Seed(seed), less));
            found[key] = less(&all)
                .map(|value| json!({ "value": rounded(value), "interval": interval }))
                .into();
        }
        found
    }

    /// All rows under their stable keys, with the differences to the rows of `against`.
    pub(super) fn json(&self, seed: u64, against: Option<Method>) -> Vec<Value> {
        let rows = self.rows.iter();
        rows.map(|row| self.row_json(row, seed, against)).collect()
    }

    fn row_json(&self, row: &PlanRow, seed: u64, against: Option<Method>) -> Value {
        let sums = self.sums(row);
        let parts = |of: &dyn Fn(&Sums) -> Ratio| -> Vec<Ratio> { sums.values().map(of).collect() };
        let pooled = |factor: f64, of: &dyn Fn(&Sums) -> Ratio| -> Value {
            let value = Ratio::pooled(&parts(of)).value();
            value.map(|value| rounded(factor * value)).into()
        };
        let interval = |factor: f64, of: &dyn Fn(&Sums) -> Ratio| -> Value {
            between(bootstrap(&parts(of), Seed(seed)).map(|found| Interval {
                low: factor * found.low,
                high: factor * found.high,
            }))
        };
        let mut instability = Instability::default();
        for sums in sums.values() {
            instability.add(&sums.plans.instability);
        }
        let windows = self.answers(row).count();
        let seconds: f64 = self.answers(row).map(|(_, answer)| answer.seconds).sum();
        let modes = self.answers(row).map(|(_, answer)| answer.modes).max();
        let score = row.score;
        let other = self.reference(row, against);
        let difference = other.map(|other| self.difference(row, other, seed));
        let mut row = json!({
            "task": "plan",
            "method": row.method.name(),
            "privileged": matches!(row.method, Method::Log | Method::Hermite),
            "modes": modes.unwrap_or(0),
            "windows": windows,
            "windows_left_out": self.recordings.len() - windows,
            "recordings": sums.len(),
            "instability": instability.value().map(rounded),
            "seconds_per_plan": rounded(seconds / windows.max(1) as f64),
            "formula": score.key(),
            "variant": score.words(),
            "difference": difference,
        });
        let mut intervals = json!({ "level": 0.95, "by": "recording" });
        for (key, factor, of) in COLUMNS {
            row[key] = pooled(factor, &of);
            intervals[key] = interval(factor, &of);
        }
        row["ec_windows"] = json!(Ratio::pooled(&parts(&|sums| sums.alike)).count);
        row["score"] = pooled(1.0, &|sums| sums.plans.score);
        intervals["score"] = interval(1.0, &|sums| sums.plans.score);
        for kind in score.terms() {
            let key = kind.short().to_lowercase();
            row[key] = pooled(1.0, &|sums| sums.plans.terms[*kind as usize]);
        }
        row["interval"] = intervals;
        row
    }
}

/// All rows for people, a table for each formula.
pub(super) fn text(plans: &Plans, seed: u64, against: Option<Method>) -> String {
    let rows: Vec<(Variant, Value)> = plans
        .rows
        .iter()
        .map(|row| (row.score, plans.row_json(row, seed, against)))
        .collect();
    let of_formulas = rows.chunk_by(|a, b| a.0 == b.0);
    let tables: Vec<String> = of_formulas.map(table).collect();
    tables.join("\n")
}

fn table(rows: &[(Variant, Value)]) -> String {
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
    let score = rows.first().map(|(score, _)| *score).unwrap_or_default();
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
    for (_, json) in rows {
        let mark = if json["privileged"] == true { " *" } else { "" };
        let name = format!("{}{mark}", json["method"].as_str().unwrap_or(""));
        let modes = json["modes"].as_u64().unwrap_or(0);
        let _infallible = write!(out, "{name:<18} {modes:>2}");
        for &(_, ref key, digits) in &headings {
            let text = match json[key.as_str()].as_f64() {
                Some(value) => format!("{value:.digits$}"),
                None => "-".to_owned(),
            };
            let _infallible = write!(out, " {text:>7}");
        }
        let range = range(&json["interval"]["ade_m"]);
        let ms = 1e3 * json["seconds_per_plan"].as_f64().unwrap_or(0.0);
        let _infallible = writeln!(out, " {ms:>5.1}  {range}");
        if json["difference"].is_object() {
            let _infallible = writeln!(out, "{}", less(&json["difference"]));
        }
    }
    if let Some((score, json)) = rows.first() {
        let left_out = match json["windows_left_out"].as_u64() {
            Some(0) | None => String::new(),
            Some(count) => {
                format!("; windows left out, as not every method has an answer: {count}")
            }
        };
        let _infallible = writeln!(
            out,
            "{} windows of {} recordings{left_out}. * knows the log's end. col, fault and off over 8 s of the chosen mode as \
             driven; shift and EC between plans {NEXT_S} s apart; OLS = nuPlan's open-loop score of the chosen mode, a \
             recording's windows as its scenario. {}.",
            json["windows"],
            json["recordings"],
            score.words(),
        );
    }
    out
}

/// A difference in a line for people.
fn less(difference: &Value) -> String {
    let parts = DIFFERENCES.iter().filter_map(|(key, ..)| {
        let found = &difference[*key];
        let value = found["value"].as_f64()?;
        Some(format!("{key} {value:+.3} [{}]", range(&found["interval"])))
    });
    let parts: Vec<String> = parts.collect();
    let to = difference["to"].as_str().unwrap_or("");
    format!("      less {to}: {}", parts.join(", "))
}

fn range(interval: &Value) -> String {
    match (interval[0].as_f64(), interval[1].as_f64()) {
        (Some(low), Some(high)) => format!("{low:.3}..{high:.3}"),
        _ => "-".to_owned(),
    }
}

fn between(interval: Option<Interval>) -> Value {
    interval.map_or(Value::Null, |found| {
        json!([rounded(found.low), rounded(found.high)])
    })
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
