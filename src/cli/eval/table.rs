//! One row per task and method: pooled numbers with intervals by recording.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::generator::{LoggedWindow, Score};
use crate::metrics::{
    Grid, Instability, Part, Ratio, Samples, bootstrap, joint_min_ade, marginal_min_ade, realism,
};
use crate::rng::Seed;
use crate::scene::{AgentKind, Scene, ScheduleKind, Task};

/// The sums of one method.
pub(super) struct Row {
    task: Task,
    method: &'static str,
    steps: Option<(ScheduleKind, usize)>,
    temperature: Option<f64>,
    kind: &'static str,
    windows: usize,
    agents: usize,
    samples: usize,
    recordings: BTreeMap<String, Sums>,
    seconds: f64,
    runs: usize,
    steps_taken: usize,
    realism: Ratio,
}

/// What one recording adds.
#[derive(Default, Clone)]
struct Sums {
    ade: Ratio,
    ade_moving: Ratio,
    min_ade: Ratio,
    joint_min_ade: Ratio,
    collision: Ratio,
    off_road: Ratio,
    standing: Ratio,
    instability: Instability,
}

impl Row {
    pub(super) fn new(
        task: Task,
        method: &'static str,
        steps: Option<(ScheduleKind, usize)>,
        temperature: Option<f64>,
        kind: &'static str,
    ) -> Self {
        Self {
            task,
            method,
            steps,
            temperature,
            kind,
            windows: 0,
            agents: 0,
            samples: 1,
            recordings: BTreeMap::new(),
            seconds: 0.0,
            runs: 0,
            steps_taken: 0,
            realism: Ratio::default(),
        }
    }

    /// A run took so long for so many steps.
    pub(super) fn time(&mut self, seconds: f64, steps: usize) {
        self.seconds += seconds;
        self.runs += 1;
        self.steps_taken += steps;
    }

    /// Adds the samples of one window.
    pub(super) fn add(&mut self, recording: &str, scores: &[Score]) {
        let sums = self.recordings.entry(recording.to_owned()).or_default();
        for score in scores {
            sums.ade += score.ade;
            sums.ade_moving += score.ade_moving;
            sums.collision += score.collision;
            sums.off_road += score.off_road;
            sums.standing += score.standing;
            sums.instability.add(&score.instability);
        }
        let all: Vec<_> = scores
            .iter()
            .map(|score| score.displacements.clone())
            .collect();
        sums.min_ade += marginal_min_ade(&all);
        sums.joint_min_ade += joint_min_ade(&all);
        self.windows += 1;
        self.samples = scores.len();
        self.agents += scores.first().map_or(0, |score| score.agents);
    }

    /// Adds the WOSAC-like score of one window's samples.
    pub(super) fn add_realism(
        &mut self,
        window: &LoggedWindow,
        results: &[Scene],
        kind: AgentKind,
    ) {
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
        if let Some(found) = realism(&window.scene.map, &samples, &log) {
            let agents = found.agents as f64;
            self.realism += Ratio::new(found.value() * agents, agents);
        }
    }

    fn pooled(&self, of: impl Fn(&Sums) -> Ratio) -> Option<f64> {
        let parts: Vec<Ratio> = self.recordings.values().map(of).collect();
        Ratio::pooled(&parts).value()
    }

    fn interval(&self, seed: u64, scale: f64, of: impl Fn(&Sums) -> Ratio) -> Value {
        let parts: Vec<Ratio> = self.recordings.values().map(of).collect();
        match bootstrap(&parts, Seed(seed)) {
            Some(found) => json!([rounded(scale * found.low), rounded(scale * found.high)]),
            None => Value::Null,
        }
    }

    fn instability(&self) -> Option<f64> {
        let mut total = Instability::default();
        for sums in self.recordings.values() {
            total.add(&sums.instability);
        }
        total.value()
    }

    /// The row as DESIGN's keys, with more beside them.
    pub(super) fn json(&self, seed: u64) -> Value {
        let number = |value: Option<f64>, scale: f64| value.map(|value| rounded(scale * value));
        json!({
            "task": self.task,
            "method": self.method,
            "schedule": self.steps.map(|(kind, _)| kind),
            "steps": self.steps.map(|(_, steps)| steps),
            "temperature": self.temperature,
            "kind": self.kind,
            "windows": self.windows,
            "recordings": self.recordings.len(),
            "agents": self.agents,
            "samples": self.samples,
            "ade_m": number(self.pooled(|sums| sums.ade), 1.0),
            "ade_moving_m": number(self.pooled(|sums| sums.ade_moving), 1.0),
            "min_ade_m": number(self.pooled(|sums| sums.min_ade), 1.0),
            "joint_min_ade_m": number(self.pooled(|sums| sums.joint_min_ade), 1.0),
            "collision_pct": number(self.pooled(|sums| sums.collision), 100.0),
            "off_road_pct": number(self.pooled(|sums| sums.off_road), 100.0),
            "standing_moving_pct": number(self.pooled(|sums| sums.standing), 100.0),
            "instability": number(self.instability(), 1.0),
            "realism": self.realism.value().map(rounded),
            "realism_label": self.realism.value().map(|_| format!("WOSAC-like ({} samples)", self.samples)),
            "seconds_per_scene": rounded(self.seconds / self.runs.max(1) as f64),
            "reaction_ms": (self.steps_taken > 0)
                .then(|| rounded(1e3 * self.seconds / self.steps_taken as f64)),
            "interval": {
                "level": 0.95,
                "by": "recording",
                "ade_m": self.interval(seed, 1.0, |sums| sums.ade),
                "ade_moving_m": self.interval(seed, 1.0, |sums| sums.ade_moving),
                "min_ade_m": self.interval(seed, 1.0, |sums| sums.min_ade),
                "collision_pct": self.interval(seed, 100.0, |sums| sums.collision),
                "off_road_pct": self.interval(seed, 100.0, |sums| sums.off_road),
            },
        })
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

/// All rows as a table for people.
pub(super) fn text(rows: &[Row], seed: u64) -> String {
    let mut out = format!(
        "{:<5} {:<18} {:>5} {:>4}  {:>7} {:>15} {:>7} {:>7} {:>7} {:>6} {:>6} {:>6} {:>6} {:>7} {:>7}\n",
        "task",
        "method",
        "steps",
        "temp",
        "ADE m",
        "95 % by rec.",
        "moving",
        "minADE",
        "joint",
        "col %",
        "off %",
        "stand%",
        "M_k",
        "s/scene",
        "ms/step"
    );
    for row in rows {
        let json = row.json(seed);
        let number = |key: &str, digits: usize| match json[key].as_f64() {
            Some(value) => format!("{value:.digits$}"),
            None => "-".to_owned(),
        };
        let interval = match json["interval"]["ade_m"].as_array().map(Vec::as_slice) {
            Some([low, high]) => format!(
                "{:.3}..{:.3}",
                low.as_f64().unwrap_or(0.0),
                high.as_f64().unwrap_or(0.0)
            ),
            _ => "-".to_owned(),
        };
        let task = json["task"].as_str().unwrap_or("");
        let _infallible = writeln!(
            out,
            "{task:<5} {:<18} {:>5} {:>4}  {:>7} {interval:>15} {:>7} {:>7} {:>7} {:>6} {:>6} {:>6} {:>6} {:>7} {:>7}",
            row.method,
            number("steps", 0),
            number("temperature", 1),
            number("ade_m", 3),
            number("ade_moving_m", 3),
            number("min_ade_m", 3),
            number("joint_min_ade_m", 3),
            number("collision_pct", 2),
            number("off_road_pct", 2),
            number("standing_moving_pct", 1),
            number("instability", 3),
            number("seconds_per_scene", 3),
            number("reaction_ms", 1),
        );
        if let Some(realism) = json["realism"].as_f64() {
            let label = json["realism_label"].as_str().unwrap_or("");
            let _infallible = writeln!(out, "      {label}: {realism:.3}");
        }
    }
    out
}
