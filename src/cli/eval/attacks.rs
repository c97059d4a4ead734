//! The attack table: how many tries can be driven, pass every gate, and could have been avoided.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Arguments, Entered};
use crate::cli::batch::{Shown, make_folder};
use crate::codec::DT_S;
use crate::diffusion::{Prepare, Schedule};
use crate::generator::{
    AttackCandidate, AttackQuery, LoggedWindow, Settings, attack_candidates, generate,
};
use crate::metrics::{Interval, Ratio, bootstrap};
use crate::model::Network;
use crate::rng::Seed;
use crate::scene::{Avoidability, Edit, Fault, ScheduleKind, Task, write_scene};

/// Counts over all tries.
#[derive(Default)]
pub(super) struct Table {
    windows: usize,
    /// Windows in which somebody can reach the ego.
    reachable_windows: usize,
    tries: usize,
    contact: usize,
    valid: usize,
    /// Among the valid.
    avoidable: usize,
    unavoidable: usize,
    ego_at_fault: usize,
    /// Contacts within half a second of the intended time.
    in_time: usize,
    failed: BTreeMap<String, usize>,
    /// Tries of each recording: contact, in time, valid; avoidable among the valid.
    recordings: BTreeMap<String, [Ratio; 4]>,
    /// Largest acceleration or braking of each try, m/s².
    peaks_mps2: Vec<f64>,
    search_seconds: f64,
    run_seconds: f64,
    steps: usize,
}

pub(super) fn run(
    arguments: &Arguments,
    windows: &[Entered],
    network: &Network,
    stop: &AtomicBool,
) -> anyhow::Result<Table> {
    let file = |folder: &Path, number: usize, rank: usize| {
        folder.join(format!("attack-{number:03}-{rank}.json"))
    };
    if let Some(folder) = &arguments.out {
        let numbers = 0..windows.len();
        let files = numbers
            .flat_map(|number| (0..arguments.tries).map(move |rank| file(folder, number, rank)));
        arguments.existing.allows(files)?;
        make_folder(folder)?;
    }
    let steps = arguments
        .steps
        .unwrap_or_else(|| Schedule::paper_steps(ScheduleKind::Full));
    let mut table = Table {
        steps,
        ..Table::default()
    };
    let shown = Shown::new(windows.len() as u64);
    for (number, Entered { window, scene, .. }) in windows.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        table.windows += 1;
        let begun = Instant::now();
        let candidates = attack_candidates(&window.scene, &AttackQuery::default());
        table.search_seconds += begun.elapsed().as_secs_f64();
        let Ok(candidates) = candidates else {
            shown.done("nobody can reach the ego");
            continue;
        };
        table.reachable_windows += 1;
        for (rank, candidate) in distinct(&candidates).take(arguments.tries).enumerate() {
            let settings = Settings {
                task: Task::Attack,
                steps,
                seed: arguments.seed,
                temperature: arguments.temperature,
                history_level: arguments.history_level,
                prior_smoothing: arguments.prior_smoothing,
                agents: arguments.agents,
                redraws: arguments.redraws.unwrap_or(Settings::default().redraws),
                ..Settings::default()
            };
            if stop.load(Ordering::Relaxed) {
                break;
            }
            table.try_one((window, candidate), &settings, network, stop, |made| {
                let Some(folder) = &arguments.out else {
                    return Ok(());
                };
                write_scene(made, &file(folder, number, rank))
            })?;
        }
        shown.done(scene);
    }
    shown.finish();
    Ok(table)
}

/// The best candidate of each attacker, best first.
fn distinct(candidates: &[AttackCandidate]) -> impl Iterator<Item = &AttackCandidate> {
    candidates
        .iter()
        .enumerate()
        .filter_map(|(index, candidate)| {
            let earlier = &candidates[..index];
            let seen = earlier
                .iter()
                .any(|other| other.attack.attacker == candidate.attack.attacker);
            (!seen).then_some(candidate)
        })
}

impl Table {
    fn try_one(
        &mut self,
        (window, candidate): (&LoggedWindow, &AttackCandidate),
        settings: &Settings,
        network: &dyn Prepare,
        stop: &AtomicBool,
        keep: impl Fn(&crate::scene::Scene) -> Result<(), crate::scene::FileError>,
    ) -> anyhow::Result<()> {
        let attack = candidate.attack.clone();
        let aimed = window.scene.edited(&Edit::SetAttack { attack })?;
        let begun = Instant::now();
        let made = generate(
            &aimed,
            settings,
            network,
            &mut |_| match stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            },
        )?;
        if stop.load(Ordering::Relaxed) {
            return Ok(()); // of a try that is stopped nothing counts
        }
        self.run_seconds += begun.elapsed().as_secs_f64();
        self.tries += 1;
        let Some(generated) = &made.generated else {
            return Ok(());
        };
        for gate in generated.failed() {
            *self.failed.entry(gate.gate.clone()).or_default() += 1;
        }
        let gate = |name: &str| generated.gates.iter().find(|gate| gate.gate == name);
        let touched_s = gate("contact")
            .filter(|gate| gate.passed)
            .and_then(|gate| gate.frame)
            .map(|frame| made.time_of(frame));
        let in_time = touched_s
            .is_some_and(|touched_s| (touched_s - candidate.attack.time_s).abs() <= DT_S + 1e-9);
        self.contact += usize::from(touched_s.is_some());
        self.in_time += usize::from(in_time);
        let peak = gate("acceleration").map(|gate| gate.value.abs());
        self.peaks_mps2.extend(peak);
        let avoidable = generated.avoidability == Some(Avoidability::Avoidable);
        let share = |yes: bool| Ratio::new(f64::from(u8::from(yes)), 1.0);
        let sums = self.recordings.entry(window.recording.clone()).or_default();
        sums[0] += share(touched_s.is_some());
        sums[1] += share(in_time);
        sums[2] += share(generated.valid());
        if generated.valid() {
            sums[3] += share(avoidable);
            self.valid += 1;
            self.ego_at_fault += usize::from(generated.fault == Some(Fault::Ego));
            match generated.avoidability {
                Some(Avoidability::Avoidable) => self.avoidable += 1,
                Some(Avoidability::Unavoidable) => self.unavoidable += 1,
                _ => {}
            }
        }
        keep(&made)?;
        Ok(())
    }

    /// Quantile of the tries' largest accelerations, m/s².
    fn peak_mps2(&self, share: f64) -> Option<f64> {
        let mut sorted = self.peaks_mps2.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        Some(sorted[(last as f64 * share).round() as usize])
    }

    /// Percentages of tries, and of the valid that are avoidable, with 95 % intervals by recording.
    fn shares(&self, seed: u64) -> [(&'static str, Option<f64>, Option<Interval>); 4] {
        let names = ["contact_pct", "in_time_pct", "valid_pct", "avoidable_pct"];
        std::array::from_fn(|at| {
            let parts: Vec<Ratio> = self.recordings.values().map(|sums| sums[at]).collect();
            let percent = Ratio::pooled(&parts).value().map(|value| 100.0 * value);
            let interval = bootstrap(&parts, Seed(seed)).map(|found| Interval {
                low: 100.0 * found.low,
                high: 100.0 * found.high,
            });
            (names[at], percent, interval)
        })
    }

    pub(super) fn json(&self, seed: u64) -> Value {
        let mut row = json!({
            "task": "attack",
            "method": "full",
            "schedule": ScheduleKind::Full,
            "steps": self.steps,
            "windows": self.windows,
            "windows_with_an_attack": self.reachable_windows,
            "tries": self.tries,
            "contact": self.contact,
            "in_time": self.in_time,
            "recordings": self.recordings.len(),
            "peak_acceleration_mps2": { "median": self.peak_mps2(0.5), "p90": self.peak_mps2(0.9) },
            "interval": { "level": 0.95, "by": "recording" },
            "valid": self.valid,
            "avoidable": self.avoidable,
            "unavoidable": self.unavoidable,
            "ego_at_fault": self.ego_at_fault,
            "failed_gates": self.failed,
            "search_seconds": self.search_seconds / self.windows.max(1) as f64,
            "seconds_per_scene": self.run_seconds / self.tries.max(1) as f64,
        });
        for (name, percent, interval) in self.shares(seed) {
            row[name] = json!(percent);
            row["interval"][name] = json!(interval.map(|found| [found.low, found.high]));
        }
        row
    }

    pub(super) fn text(&self, seed: u64) -> String {
        let mut out = String::new();
        let share = |count: usize, of: usize| 100.0 * count as f64 / of.max(1) as f64;
        let mut line = |what: &str, count: usize, of: usize| {
            let _infallible = writeln!(
                out,
                "{what:<44} {count:>4} of {of:>4}  {:>5.1} %",
                share(count, of)
            );
        };
        line(
            "windows in which somebody can reach the ego",
            self.reachable_windows,
            self.windows,
        );
        line("tries with the intended contact", self.contact, self.tries);
        line(
            "  within half a second of the intended time",
            self.in_time,
            self.tries,
        );
        line("tries that pass every gate", self.valid, self.tries);
        line("  of these avoidable", self.avoidable, self.valid);
        line("  of these unavoidable", self.unavoidable, self.valid);
        line(
            "  of these the ego's fault (NC)",
            self.ego_at_fault,
            self.valid,
        );
        for (gate, count) in &self.failed {
            line(&format!("failed gate {gate}"), *count, self.tries);
        }
        for (name, _, interval) in self.shares(seed) {
            if let Some(Interval { low, high }) = interval {
                let _infallible = writeln!(out, "{name} 95 % by recording {low:.1}..{high:.1}");
            }
        }
        if let (Some(median), Some(most)) = (self.peak_mps2(0.5), self.peak_mps2(0.9)) {
            let _infallible = writeln!(
                out,
                "largest acceleration of a try: median {median:.1}, 90 % below {most:.1} m/s²"
            );
        }
        let _infallible = writeln!(
            out,
            "search {:.3} s a window, generation with gates {:.3} s a try ({} steps)",
            self.search_seconds / self.windows.max(1) as f64,
            self.run_seconds / self.tries.max(1) as f64,
            self.steps
        );
        out
    }
}
