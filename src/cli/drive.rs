//! `nearmiss drive`: closed loop, a planner at the wheel of the ego, over one scene or many.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};

use super::batch::{Existing, Shard, Shown, make_folder, scenes, stop_on_ctrl_c};
use super::plan::prepare;
use super::planning::PlannerArguments;
use super::weights;
use crate::data;
use crate::diffusion::Prepare;
use crate::engine::DriveWorld;
use crate::metrics::{Ratio, bootstrap};
use crate::model::Network;
use crate::planner::{
    DriveSettings, Driven, Planners, Report, STEP_S, Variant, drive, scores_json,
};
use crate::rng::Seed;
use crate::scene::{Metric, write_scene};

/// Arguments of `nearmiss drive`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Scene files or folders, in any readable format.
    #[arg(required = true)]
    scenes: Vec<PathBuf>,
    #[command(flatten)]
    planner: PlannerArguments,
    /// Who moves everyone else: the record, whatever the ego does; IDM along lanes; traffic that also gives way, changes
    /// lanes, and turns where the record does; the scene's diffusion model, anew every half second.
    #[arg(long, value_parser = worlds(), default_value = DriveWorld::default().key(), value_name = "WORLD")]
    world: DriveWorld,
    /// At most so many seconds from each scene's present; the record ends with its scene.
    #[arg(long, default_value_t = DriveSettings::default().seconds)]
    seconds: f64,
    /// Plans per second.
    #[arg(long, default_value_t = DriveSettings::default().replan_hz)]
    replan_hz: f64,
    /// Folder for the driven scenes, one file each; made if missing.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    existing: Existing,
    /// Do every N-th scene from the I-th (from 0); also read from a Slurm array or an indexed Kubernetes job.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// One JSON object per scene on standard output, then one with the table.
    #[arg(long)]
    json: bool,
}

/// Reads a world by its key; the help lists them.
fn worlds() -> impl TypedValueParser<Value = DriveWorld> {
    PossibleValuesParser::new(DriveWorld::ALL.map(DriveWorld::key))
        .try_map(|key| DriveWorld::from_key(&key).ok_or_else(|| format!("there is no world {key}")))
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let shard = Shard::from(arguments.shard.as_deref(), |name| std::env::var(name).ok())?;
    let settings = DriveSettings {
        plan: arguments.planner.settings(),
        seconds: arguments.seconds,
        replan_hz: arguments.replan_hz,
    };
    let crew = arguments.planner.crew()?;
    let generator = match arguments.world == DriveWorld::Generator {
        true => Some(weights::network(0)?),
        false => None,
    };
    let entries = scenes(&arguments.scenes)?;
    let mine: Vec<(usize, &data::Entry)> = entries
        .iter()
        .enumerate()
        .filter(|(number, _)| shard.holds(*number as u64))
        .collect();
    if mine.is_empty() {
        eprintln!(
            "nothing to do: shard {shard} holds none of {} scenes",
            entries.len()
        );
        return Ok(());
    }
    if let Some(folder) = &arguments.out {
        let file = |(number, entry): &(usize, &data::Entry)| {
            file_of(arguments, &settings, folder, entry, *number)
        };
        arguments.existing.allows(mine.iter().map(file))?;
        make_folder(folder)?;
    }
    let stop = stop_on_ctrl_c();
    let shown = Shown::new(mine.len() as u64);
    let mut table = Table::default();
    let mut first_error = None;
    for (number, entry) in mine {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        shown.doing(&entry.name);
        let job = Job {
            arguments,
            settings: &settings,
            planners: crew.planners(),
            generator: generator.as_ref(),
            stop: &stop,
        };
        match job.drive(entry, number) {
            Ok(Some(line)) => {
                if arguments.json {
                    println!("{}", line.json);
                }
                table.lines.push(line);
            }
            Ok(None) => {}
            Err(error) => {
                shown.note(&format!("left out: {}: {error:#}", entry.name));
                first_error.get_or_insert(error);
            }
        }
        shown.done(&entry.name);
    }
    shown.finish();
    let stopped = stop.load(Ordering::Relaxed);
    if stopped {
        eprintln!("stopped by Ctrl-C; finished scenes follow");
    }
    if table.lines.is_empty() {
        return match first_error {
            Some(error) => Err(error.context("no scene could be driven")),
            None => anyhow::bail!("no scene was driven to its end"),
        };
    }
    if arguments.json {
        println!("{}", table.json(arguments, &settings));
    } else {
        print!("{}", table.text(arguments, &settings));
    }
    anyhow::ensure!(
        !stopped,
        "stopped by Ctrl-C; the table is of {} finished scenes",
        table.lines.len()
    );
    Ok(())
}

/// Where a driven scene goes.
fn file_of(
    arguments: &Arguments,
    settings: &DriveSettings,
    folder: &Path,
    entry: &data::Entry,
    number: usize,
) -> PathBuf {
    let stem = data::file_name(&entry.name);
    let (decoder, world) = (settings.plan.decoder.key(), arguments.world.key());
    folder.join(format!("{number:03}-{stem}-{decoder}-{world}.json"))
}

struct Job<'a> {
    arguments: &'a Arguments,
    settings: &'a DriveSettings,
    planners: Planners<'a>,
    generator: Option<&'a Network>,
    stop: &'a AtomicBool,
}

impl Job<'_> {
    /// `None` if it was stopped before its end.
    fn drive(&self, entry: &data::Entry, number: usize) -> anyhow::Result<Option<Line>> {
        let mut scene = data::open(&entry.file, entry.pick.as_deref())?.scene;
        prepare(&mut scene, None, None)?;
        let generator = self.generator.map(|network| network as &dyn Prepare);
        let begun = self
            .arguments
            .world
            .begin(generator, self.settings.plan.seed.0);
        let mut world = begun.context("the generator's network is missing")?;
        let begun = Instant::now();
        let driven = drive(
            &scene,
            self.planners,
            self.settings,
            world.as_mut(),
            &mut |_| {
                if self.stop.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        )?;
        if driven.stopped {
            return Ok(None);
        }
        let took_s = begun.elapsed().as_secs_f64();
        let written = match &self.arguments.out {
            Some(folder) => Some(self.write(&driven, entry, folder, number)?),
            None => None,
        };
        let json = self.json(entry, &driven, took_s, written.as_deref());
        Ok(Some(Line {
            name: entry.name.clone(),
            report: driven.report,
            json,
        }))
    }

    fn write(
        &self,
        driven: &Driven,
        entry: &data::Entry,
        folder: &Path,
        number: usize,
    ) -> anyhow::Result<PathBuf> {
        let mut scene = driven.scene.clone();
        let decoder = self.settings.plan.decoder;
        scene.name = format!("{}, driven by {}", scene.name, decoder.key());
        let path = file_of(self.arguments, self.settings, folder, entry, number);
        write_scene(&scene, &path)?;
        Ok(path)
    }

    fn json(
        &self,
        entry: &data::Entry,
        driven: &Driven,
        took_s: f64,
        written: Option<&Path>,
    ) -> Value {
        let report = &driven.report;
        let contacts: Vec<Value> = report
            .contacts
            .iter()
            .map(|touch| {
                json!({
                    "with": touch.with,
                    "time_s": rounded(touch.time_s),
                    "at_fault": touch.at_fault,
                    "closing_mps": rounded(touch.closing_mps),
                    "reason": touch.reason,
                })
            })
            .collect();
        let comfort: Vec<Value> = report
            .comfort
            .iter()
            .map(|limit| {
                json!({
                    "what": limit.what,
                    "value": rounded(limit.value),
                    "range": limit.range,
                    "unit": limit.unit,
                    "time_s": rounded(limit.step as f64 * STEP_S),
                })
            })
            .collect();
        json!({
            "file": entry.file.display().to_string(),
            "scene": entry.name,
            "planner": self.settings.plan.decoder.key(),
            "weights": driven.plans.first().map(|(_, plan)| &plan.identity),
            "world": self.arguments.world.key(),
            "seed": self.settings.plan.seed.0,
            "seconds": rounded(report.seconds),
            "plans": driven.plans.len(),
            "gates": gates(driven),
            "metrics": metrics(report),
            "score": report.score.as_ref().map(scores_json),
            "contacts": contacts,
            "nearest": report.nearest.as_ref().map(|near| json!({
                "with": near.with,
                "gap_m": rounded(near.gap_m),
                "time_s": rounded(near.time_s),
            })),
            "off_road_s": report.off_road_s.map(rounded),
            "progress_m": rounded(report.progress_m),
            "logged_m": report.logged_m.map(rounded),
            "comfortable": report.comfortable(),
            "comfort": comfort,
            "plan_shift_m": report.shift.value().map(rounded),
            "plans_alike": report.alike.value().map(rounded),
            "wall_s": rounded(took_s),
            "written": written.map(|path| path.display().to_string()),
        })
    }
}

/// What the ego must not do, each with its value and limit: as generated cases have them, with scene times.
fn gates(driven: &Driven) -> Vec<Value> {
    let (report, start_s) = (&driven.report, driven.scene.now_s());
    let at_fault = report.contacts.iter().filter(|touch| touch.at_fault);
    let first = at_fault.clone().next();
    let mut gates = vec![
        json!({
            "gate": "contact",
            "passed": first.is_none(),
            "value": at_fault.count(),
            "limit": 0,
            "unit": "at-fault contacts",
            "agent": first.map(|touch| &touch.with),
            "time_s": first.map(|touch| rounded(start_s + touch.time_s)),
            "reason": first.map_or("nothing is touched by the ego's fault", |touch| &*touch.reason),
        }),
        json!({
            "gate": "road",
            "passed": report.off_road_s.is_none(),
            "value": u8::from(report.off_road_s.is_some()),
            "limit": 0,
            "unit": "times off the road",
            "agent": null,
            "time_s": report.off_road_s.map(|time_s| rounded(start_s + time_s)),
            "reason": match report.off_road_s {
                Some(_) => "the centre comes more than 3 m from every centreline",
                None => "the centre stays within 3 m of a centreline, or was off the road from the start",
            },
        }),
    ];
    gates.extend(report.comfort.iter().map(|limit| {
        let bound = limit.range[usize::from(limit.value >= 0.0)];
        json!({
            "gate": limit.what.replace(' ', "_"),
            "passed": limit.share() < 1.0,
            "value": rounded(limit.value),
            "limit": bound,
            "unit": limit.unit,
            "agent": null,
            "time_s": rounded(start_s + limit.step as f64 * STEP_S),
            "reason": format!(
                "{} comes to {:.2} {}; {bound} is the limit",
                limit.what, limit.value, limit.unit
            ),
        })
    }));
    gates
}

/// What was measured, as generated cases have it.
fn metrics(report: &Report) -> Vec<Metric> {
    let one = |name: &str, value: Option<f64>, unit: &str| {
        value.map(|value| Metric {
            name: name.to_owned(),
            value: rounded(value),
            unit: unit.to_owned(),
            count: 1,
            extra: crate::map::Extra::new(),
        })
    };
    let score = report.score.as_ref().map(|score| score.total);
    [
        one("nuplan_score", score, ""),
        one("progress_m", Some(report.progress_m), "m"),
        one("logged_m", report.logged_m, "m"),
        one("plan_shift_m", report.shift.value(), "m"),
        one("plans_alike", report.alike.value(), ""),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// One driven scene.
struct Line {
    name: String,
    report: Report,
    json: Value,
}

#[derive(Default)]
struct Table {
    lines: Vec<Line>,
}

/// What is pooled over scenes: key, heading, factor, and what a scene adds.
type Column = (&'static str, &'static str, f64, fn(&Report) -> Ratio);

fn share(hit: bool) -> Ratio {
    Ratio::new(f64::from(hit), 1.0)
}

const COLUMNS: [Column; 8] = [
    ("collision_pct", "collisions", 100.0, |report| {
        share(report.collided())
    }),
    ("at_fault_pct", "at fault", 100.0, |report| {
        share(report.at_fault())
    }),
    ("off_road_pct", "off the road", 100.0, |report| {
        share(report.off_road_s.is_some())
    }),
    (
        "progress_pct",
        "progress / log",
        100.0,
        |report| match report.logged_m {
            Some(logged) => Ratio::new(report.progress_m, logged),
            None => Ratio::default(),
        },
    ),
    ("comfortable_pct", "comfortable", 100.0, |report| {
        share(report.comfortable())
    }),
    ("plan_shift_m", "plan to plan", 1.0, |report| report.shift),
    ("plans_alike_pct", "plans alike (EC)", 100.0, |report| {
        report.alike
    }),
    (
        "nuplan_score",
        "nuPlan-style score",
        1.0,
        |report| match &report.score {
            Some(score) => Ratio::new(score.total, 1.0),
            None => Ratio::default(),
        },
    ),
];

impl Table {
    fn pooled(&self, column: &Column, seed: u64) -> (Option<f64>, Option<[f64; 2]>) {
        let (_, _, factor, of) = column;
        let parts: Vec<Ratio> = self.lines.iter().map(|line| of(&line.report)).collect();
        let interval = bootstrap(&parts, Seed(seed));
        (
            Ratio::pooled(&parts).value().map(|value| factor * value),
            interval.map(|found| [factor * found.low, factor * found.high]),
        )
    }

    fn json(&self, arguments: &Arguments, settings: &DriveSettings) -> Value {
        let seed = settings.plan.seed.0;
        let mut row = json!({
            "planner": settings.plan.decoder.key(),
            "world": arguments.world.key(),
            "seed": seed,
            "scenes": self.lines.len(),
            "replan_hz": settings.replan_hz,
        });
        let mut intervals = json!({ "level": 0.95, "by": "scene" });
        for column in &COLUMNS {
            let (value, interval) = self.pooled(column, seed);
            row[column.0] = value.map(rounded).into();
            intervals[column.0] = match interval {
                Some([low, high]) => json!([rounded(low), rounded(high)]),
                None => Value::Null,
            };
        }
        row["interval"] = intervals;
        json!({ "rows": [row] })
    }

    fn text(&self, arguments: &Arguments, settings: &DriveSettings) -> String {
        let mut out = format!(
            "planner {}, world {}, {} plans a second, seed {}\n\n{:<40} {:>6} {:>9} {:>8} {:>9} {:>9} {:>7} {:>7} {:>6}\n",
            arguments.planner.name(),
            arguments.world.key(),
            settings.replan_hz,
            settings.plan.seed.0,
            "scene",
            "s",
            "contact",
            "fault",
            "off road",
            "progress",
            "comfort",
            "shift m",
            "score",
        );
        for line in &self.lines {
            let report = &line.report;
            let contact = report
                .contacts
                .first()
                .map_or_else(|| "-".to_owned(), |touch| format!("{:.1} s", touch.time_s));
            let fault = match (report.collided(), report.at_fault()) {
                (false, _) => "-",
                (true, true) => "ego",
                (true, false) => "other",
            };
            let off = report
                .off_road_s
                .map_or_else(|| "-".to_owned(), |time_s| format!("{time_s:.1} s"));
            let progress = match report.logged_m {
                Some(logged) if logged > 1.0 => {
                    format!("{:.0} %", 100.0 * report.progress_m / logged)
                }
                _ => format!("{:.0} m", report.progress_m),
            };
            let shift = report
                .shift
                .value()
                .map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
            let score = report
                .score
                .as_ref()
                .map_or_else(|| "-".to_owned(), |score| format!("{:.3}", score.total));
            let name: String = line.name.chars().take(40).collect();
            let _infallible = writeln!(
                out,
                "{name:<40} {:>6.1} {contact:>9} {fault:>8} {off:>9} {progress:>9} {:>7} {shift:>7} {score:>6}",
                report.seconds,
                if report.comfortable() { "yes" } else { "no" },
            );
        }
        let _infallible = writeln!(
            out,
            "\nover {} scenes, 95 % interval by scene",
            self.lines.len()
        );
        for column in &COLUMNS {
            let (value, interval) = self.pooled(column, settings.plan.seed.0);
            let unit = match column.0.rsplit('_').next() {
                Some("m") => " m",
                Some("pct") => " %",
                _ => "",
            };
            let number = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}{unit}"));
            let range = interval.map_or_else(String::new, |[low, high]| {
                format!("  {low:.2} to {high:.2}")
            });
            let _infallible = writeln!(out, "  {:<18} {number:>10}{range}", column.1);
        }
        let _infallible = writeln!(out, "\n{}.", Variant::NuPlan.words());
        out
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
