//! One row per task, method and guidance: pooled numbers with intervals by recording, and paired differences.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Entered;
use crate::generator::{LoggedWindow, Score};
use crate::metrics::{
    Grid, Instability, Part, Ratio, Samples, Sheet, bootstrap_of, joint_min_ade, marginal_min_ade,
    realism,
};
use crate::rng::Seed;
use crate::scene::{AgentKind, Scene, ScheduleKind, Task, file_word};

/// What a row is about.
#[derive(Clone, PartialEq)]
pub(super) struct Label {
    pub(super) task: Task,
    pub(super) method: &'static str,
    /// As asked for, if any.
    pub(super) guidance: Option<String>,
    /// At most so many.
    pub(super) redraws: usize,
    pub(super) steps: Option<(ScheduleKind, usize)>,
    pub(super) temperature: Option<f64>,
    pub(super) kind: &'static str,
}

/// The sums of one method.
pub(super) struct Row {
    pub(super) label: Label,
    windows: Vec<OfWindow>,
    samples: usize,
    seconds: f64,
    runs: usize,
    steps_taken: usize,
}

/// What one window adds, and where it is.
struct OfWindow {
    recording: String,
    scene: String,
    present_s: f64,
    agents: usize,
    sums: Sums,
}

/// What one recording or window adds.
#[derive(Default, Clone)]
struct Sums {
    ade: Ratio,
    ade_moving: Ratio,
    min_ade: Ratio,
    joint_min_ade: Ratio,
    goal_miss: Ratio,
    collision: Ratio,
    off_road: Ratio,
    standing: Ratio,
    realism: Ratio,
    instability: Instability,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.ade += other.ade;
        self.ade_moving += other.ade_moving;
        self.min_ade += other.min_ade;
        self.joint_min_ade += other.joint_min_ade;
        self.goal_miss += other.goal_miss;
        self.collision += other.collision;
        self.off_road += other.off_road;
        self.standing += other.standing;
        self.realism += other.realism;
        self.instability.add(&other.instability);
    }
}

/// A number of a row: its key in JSON, its scale there, and how recordings pool to it.
struct Number {
    key: &'static str,
    scale: f64,
    of: fn(&[&Sums]) -> Option<f64>,
}

fn pooled(recordings: &[&Sums], of: impl Fn(&Sums) -> Ratio) -> Option<f64> {
    let parts: Vec<Ratio> = recordings.iter().map(|sums| of(sums)).collect();
    Ratio::pooled(&parts).value()
}

const fn number(key: &'static str, scale: f64, of: fn(&[&Sums]) -> Option<f64>) -> Number {
    Number { key, scale, of }
}

/// All numbers with intervals, in the order of the table.
const NUMBERS: [Number; 10] = [
    number("ade_m", 1.0, |all| pooled(all, |sums| sums.ade)),
    number("ade_moving_m", 1.0, |all| {
        pooled(all, |sums| sums.ade_moving)
    }),
    number("min_ade_m", 1.0, |all| pooled(all, |sums| sums.min_ade)),
    number("joint_min_ade_m", 1.0, |all| {
        pooled(all, |sums| sums.joint_min_ade)
    }),
    number("goal_miss_m", 1.0, |all| pooled(all, |sums| sums.goal_miss)),
    number("collision_pct", 100.0, |all| {
        pooled(all, |sums| sums.collision)
    }),
    number("off_road_pct", 100.0, |all| {
        pooled(all, |sums| sums.off_road)
    }),
    number("standing_moving_pct", 100.0, |all| {
        pooled(all, |sums| sums.standing)
    }),
    number("instability", 1.0, |all| {
        let mut total = Instability::default();
        for sums in all {
            total.add(&sums.instability);
        }
        total.value()
    }),
    number("realism", 1.0, |all| pooled(all, |sums| sums.realism)),
];

impl Row {
    pub(super) fn new(label: Label) -> Self {
        Self {
            label,
            windows: Vec::new(),
            samples: 1,
            seconds: 0.0,
            runs: 0,
            steps_taken: 0,
        }
    }

    /// A run took so long for so many steps.
    pub(super) fn time(&mut self, seconds: f64, steps: usize) {
        self.seconds += seconds;
        self.runs += 1;
        self.steps_taken += steps;
    }

    /// Adds the samples of one window, with their WOSAC-like score where it is asked for.
    pub(super) fn add(&mut self, entered: &Entered, scores: &[Score], realism: Option<Ratio>) {
        let mut sums = Sums {
            realism: realism.unwrap_or_default(),
            ..Sums::default()
        };
        for score in scores {
            sums.ade += score.ade;
            sums.ade_moving += score.ade_moving;
            sums.collision += score.collision;
            sums.off_road += score.off_road;
            sums.standing += score.standing;
            sums.instability.add(&score.instability);
            if self.label.task == Task::Goal {
                sums.goal_miss += score.goal_miss;
            }
        }
        let all: Vec<_> = scores
            .iter()
            .map(|score| score.displacements.clone())
            .collect();
        sums.min_ade += marginal_min_ade(&all);
        sums.joint_min_ade += joint_min_ade(&all);
        self.samples = scores.len();
        let window = &entered.window;
        self.windows.push(OfWindow {
            recording: window.recording.clone(),
            scene: entered.scene.clone(),
            present_s: window.scene.now_s(),
            agents: scores.first().map_or(0, |score| score.agents),
            sums,
        });
    }

    /// Puts a line for each window into a table.
    pub(super) fn put_windows(&self, sheet: &mut Sheet) {
        let label = &self.label;
        for window in &self.windows {
            sheet.begin();
            sheet.put("task", file_word(&label.task));
            sheet.put("method", label.method);
            sheet.put("guidance", label.guidance.as_deref().unwrap_or(""));
            sheet.put("redraws", label.redraws.to_string());
            sheet.put("recording", &*window.recording);
            sheet.put("scene", &*window.scene);
            sheet.put("present_s", rounded(window.present_s).to_string());
            sheet.put("agents", window.agents.to_string());
            for number in &NUMBERS {
                let value = (number.of)(&[&window.sums]);
                let value = value.map(|value| rounded(number.scale * value).to_string());
                sheet.put(number.key, value.unwrap_or_default());
            }
        }
    }

    /// What each recording adds.
    fn recordings(&self) -> BTreeMap<&str, Sums> {
        let mut all: BTreeMap<&str, Sums> = BTreeMap::new();
        for window in &self.windows {
            all.entry(&window.recording).or_default().add(&window.sums);
        }
        all
    }

    fn value(&self, number: &Number) -> Option<f64> {
        let all: Vec<&Sums> = self.windows.iter().map(|window| &window.sums).collect();
        (number.of)(&all).map(|value| number.scale * value)
    }

    fn interval(&self, number: &Number, seed: u64) -> Value {
        let recordings: Vec<Sums> = self.recordings().into_values().collect();
        between(bootstrap_of(&recordings, Seed(seed), |drawn| {
            (number.of)(drawn).map(|value| number.scale * value)
        }))
    }

    /// This row less `other`, with the interval when the same recordings are drawn for both.
    fn difference(&self, other: &Self, seed: u64) -> Value {
        let mut others = other.recordings();
        let own = self.recordings().into_iter();
        let pairs: Vec<(Sums, Sums)> = own
            .filter_map(|(recording, own)| Some((own, others.remove(recording)?)))
            .collect();
        let less = |drawn: &[&(Sums, Sums)], number: &Number| {
            let (own, other): (Vec<&Sums>, Vec<&Sums>) =
                drawn.iter().map(|pair| (&pair.0, &pair.1)).unzip();
            Some(number.scale * ((number.of)(&own)? - (number.of)(&other)?))
        };
        let all: Vec<&(Sums, Sums)> = pairs.iter().collect();
        let mut found = Map::new();
        found.insert("to".to_owned(), json!(other.name()));
        found.insert("level".to_owned(), json!(0.95));
        found.insert("by".to_owned(), json!("recording"));
        for number in &NUMBERS {
            let drawn = bootstrap_of(&pairs, Seed(seed), |drawn| less(drawn, number));
            let entry = less(&all, number)
                .map(|value| json!({ "value": rounded(value), "interval": between(drawn) }));
            found.insert(number.key.to_owned(), json!(entry));
        }
        Value::Object(found)
    }

    /// Method, the guidance if there is one, and the redraws if there are any.
    pub(super) fn name(&self) -> String {
        let mut name = self.label.method.to_owned();
        if let Some(guidance) = &self.label.guidance {
            name.push_str(&format!(" {guidance}"));
        }
        match self.label.redraws {
            0 => name,
            redraws => format!("{name} redraws={redraws}"),
        }
    }

    /// The row under its stable keys; `reference` is the row it is compared with.
    pub(super) fn json(&self, seed: u64, reference: Option<&Self>) -> Value {
        let Label {
            task,
            method,
            guidance,
            redraws,
            steps,
            temperature,
            kind,
        } = &self.label;
        let realism = NUMBERS.last().and_then(|number| self.value(number));
        let mut row = json!({
            "task": task,
            "method": method,
            "guidance": guidance,
            "redraws": redraws,
            "name": self.name(),
            "schedule": steps.map(|(kind, _)| kind),
            "steps": steps.map(|(_, steps)| steps),
            "temperature": temperature,
            "kind": kind,
            "windows": self.windows.len(),
            "recordings": self.recordings().len(),
            "agents": self.windows.iter().map(|window| window.agents).sum::<usize>(),
            "samples": self.samples,
            "realism_label": realism.map(|_| format!("WOSAC-like ({} samples)", self.samples)),
            "seconds_per_scene": rounded(self.seconds / self.runs.max(1) as f64),
            "reaction_ms": (self.steps_taken > 0)
                .then(|| rounded(1e3 * self.seconds / self.steps_taken as f64)),
            "interval": { "level": 0.95, "by": "recording" },
            "difference": reference.map(|other| self.difference(other, seed)),
        });
        for number in &NUMBERS {
            row[number.key] = json!(self.value(number).map(rounded));
            row["interval"][number.key] = self.interval(number, seed);
        }
        row
    }
}

/// The WOSAC-like score of one window's samples, agents of `kind` judged, weighted by these.
pub(super) fn realism_of(
    window: &LoggedWindow,
    results: &[Scene],
    kind: AgentKind,
) -> Option<Ratio> {
    let grid = Grid::frames(&window.scene);
    let part = |agent: &crate::scene::Agent| match window.window.row_of(&agent.id) {
        Some(_) if agent.kind == kind => Part::Judged,
        Some(_) => Part::Met,
        None => Part::Absent,
    };
    let log = Samples::new(&window.log(), &grid, part);
    let samples: Vec<Samples> = results
        .iter()
        .map(|result| Samples::new(result, &grid, part))
        .collect();
    let found = realism(&window.scene.map, &samples, &log)?;
    let agents = found.agents as f64;
    Some(Ratio::new(found.value() * agents, agents))
}

fn between(interval: Option<crate::metrics::Interval>) -> Value {
    interval.map_or(Value::Null, |found| {
        json!([rounded(found.low), rounded(found.high)])
    })
}

fn rounded(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

/// Rows as a table for people, from what [`Row::json`] gave.
pub(super) fn text(rows: &[Value]) -> String {
    let mut out = format!(
        "{:<5} {:<24} {:>5} {:>4}  {:>7} {:>15} {:>7} {:>7} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>7} {:>7}\n",
        "task",
        "method",
        "steps",
        "temp",
        "ADE m",
        "95 % by rec.",
        "moving",
        "minADE",
        "joint",
        "miss m",
        "col %",
        "off %",
        "stand%",
        "M_k",
        "s/scene",
        "ms/step"
    );
    for row in rows {
        let shown = |value: &Value, digits: usize| match value.as_f64() {
            Some(value) => format!("{value:.digits$}"),
            None => "-".to_owned(),
        };
        let number = |key: &str, digits: usize| shown(&row[key], digits);
        let interval = |value: &Value| format!("{}..{}", shown(&value[0], 3), shown(&value[1], 3));
        let name = row["name"].as_str().unwrap_or("");
        let _infallible = writeln!(
            out,
            "{:<5} {name:<24} {:>5} {:>4}  {:>7} {:>15} {:>7} {:>7} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>7} {:>7}",
            row["task"].as_str().unwrap_or(""),
            number("steps", 0),
            number("temperature", 1),
            number("ade_m", 3),
            interval(&row["interval"]["ade_m"]),
            number("ade_moving_m", 3),
            number("min_ade_m", 3),
            number("joint_min_ade_m", 3),
            number("goal_miss_m", 2),
            number("collision_pct", 2),
            number("off_road_pct", 2),
            number("standing_moving_pct", 1),
            number("instability", 3),
            number("seconds_per_scene", 3),
            number("reaction_ms", 1),
        );
        if let Some(label) = row["realism_label"].as_str() {
            let within = interval(&row["interval"]["realism"]);
            let _infallible = writeln!(out, "      {label}: {} [{within}]", number("realism", 3));
        }
        if row["difference"].is_object() {
            let difference = &row["difference"];
            let parts = NUMBERS.iter().filter_map(|each| {
                let found = &difference[each.key];
                let value = found["value"].as_f64()?;
                let within = interval(&found["interval"]);
                Some(format!("{} {value:+.3} [{within}]", each.key))
            });
            let parts: Vec<String> = parts.collect();
            let to = difference["to"].as_str().unwrap_or("");
            let _infallible = writeln!(out, "      less {to}: {}", parts.join(", "));
        }
    }
    out
}
