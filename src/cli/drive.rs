//! `nearmiss drive`: closed loop, a planner at the wheel of the ego, over one scene or many.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};

use super::batch::{
    Existing, Shard, Shown, ends_batch, make_folder, scenes, stem_of, stop_on_ctrl_c,
    write_of_batch,
};
use super::keys;
use super::moments::{Moments, Take};
use super::plan::prepare;
use super::planning::{PlannerArguments, decoders};
use super::recording::Origin;
use super::render::write_drives;
use super::usage::ensure_usage;
use super::weights;
use crate::diffusion::Prepare;
use crate::engine::DriveWorld;
use crate::metrics::{Encounter, Moment};
use crate::model::Network;
use crate::planner::{
    Decoder, DriveSettings, DriveStep, Driven, PlanSettings, Planners, Report, STEP_S, drive,
    scores_json,
};
use crate::render::Studio;
use crate::scene::{Metric, Scene};
use table::{Line, Table};

mod table;

/// Arguments of `nearmiss drive`.
#[derive(clap::Args)]
#[command(after_long_help = keys::DRIVE)]
pub(super) struct Arguments {
    /// Scene files or folders, in any readable format.
    #[arg(required = true)]
    scenes: Vec<PathBuf>,
    #[command(flatten)]
    planner: PlannerArguments,
    /// Other planners that drive the same scenes, comma separated: the table has a column for each, and the differences,
    /// scene by scene.
    #[arg(long, value_parser = decoders(), value_delimiter = ',', value_name = "DECODER")]
    against: Vec<Decoder>,
    /// Who moves everyone else: the record, whatever the ego does; IDM along lanes; traffic that also gives way, changes
    /// lanes, and turns where the record does; the scene's diffusion model, anew every half second.
    #[arg(long, value_parser = worlds(), default_value = DriveWorld::default().key(), value_name = "WORLD")]
    world: DriveWorld,
    #[command(flatten)]
    moments: Moments,
    /// At most so many seconds from each scene's present; the record ends with its scene.
    #[arg(long, default_value_t = DriveSettings::default().seconds)]
    seconds: f64,
    /// Plans per second. A plan holds for a whole number of tenths of a second, so that the nearest such rate is driven:
    /// 10, 5, 3.33, 2.5, 2 and so on.
    #[arg(long, default_value_t = DriveSettings::default().replan_hz)]
    replan_hz: f64,
    /// Folder for the driven scenes, one file each; made if missing.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Folder for clips, one of each scene: its planners beside each other, with the plans they follow; made if missing.
    #[arg(long, value_name = "FOLDER")]
    clips: Option<PathBuf>,
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
pub(super) fn worlds() -> impl TypedValueParser<Value = DriveWorld> {
    PossibleValuesParser::new(DriveWorld::ALL.map(DriveWorld::key))
        .try_map(|key| DriveWorld::from_key(&key).ok_or_else(|| format!("there is no world {key}")))
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let shard = Shard::from(arguments.shard.as_deref(), |name| std::env::var(name).ok())?;
    let all = arguments.settings()?;
    let crew = arguments.planner.crew(&arguments.against)?;
    let generator = match arguments.world == DriveWorld::Generator {
        true => Some(weights::network(0)?),
        false => None,
    };
    let takes = arguments.moments.takes(scenes(&arguments.scenes)?)?;
    let mine: Vec<(usize, &Take)> = takes
        .iter()
        .enumerate()
        .filter(|(number, _)| shard.holds(*number as u64))
        .collect();
    if mine.is_empty() {
        eprintln!(
            "nothing to do: shard {shard} holds none of {} scenes",
            takes.len()
        );
        return Ok(());
    }
    if let Some(folder) = &arguments.out {
        let files = mine.iter().flat_map(|(number, take)| {
            let file = |settings| file_of(arguments, settings, folder, take, *number);
            all.iter().map(file)
        });
        arguments.existing.allows(files)?;
        make_folder(folder)?;
    }
    let mut camera = match &arguments.clips {
        Some(folder) => {
            let files = mine.iter().map(|(number, take)| {
                let stem = take.stem();
                folder.join(format!("{number:03}-{stem}-{}.gif", arguments.world.key()))
            });
            let files: Vec<PathBuf> = files.collect();
            arguments.existing.allows(files.clone())?;
            let studio = Studio::new()?;
            make_folder(folder)?;
            Some((studio, files.into_iter()))
        }
        None => None,
    };
    let stop = stop_on_ctrl_c();
    let shown = Shown::new((mine.len() * all.len()) as u64);
    let name = |settings: &DriveSettings| {
        let decoder = settings.plan.decoder;
        (decoder, arguments.planner.name_of(decoder))
    };
    let mut table = Table {
        names: all.iter().map(name).collect(),
        world: arguments.world,
        seed: arguments.planner.settings().seed,
        replan_hz: all.first().map_or(0.0, DriveSettings::driven_hz),
        lines: Vec::new(),
        origins: BTreeMap::new(),
    };
    let mut first_error = None;
    let mut unwritable = None;
    let mut filmed: Vec<(String, Driven)> = Vec::new();
    let drives = mine.iter().flat_map(|&(number, take)| {
        let planners = all.iter().enumerate();
        planners.map(move |(planner, settings)| (number, take, planner, settings))
    });
    for (number, take, planner, settings) in drives {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = take.name();
        let doing = match all.len() {
            1 => name.clone(),
            _ => format!("{name}, {}", settings.plan.decoder.key()),
        };
        shown.doing(&doing);
        let job = Job {
            arguments,
            settings,
            planners: crew.planners(),
            generator: generator.as_ref(),
            stop: &stop,
        };
        match job.drive(take, number) {
            Ok(Some((driven, origin, line))) => {
                if arguments.json {
                    println!("{line}");
                }
                table.origins.insert(number, origin);
                table.lines.push(Line {
                    scene: number,
                    name,
                    planner,
                    report: driven.report.clone(),
                });
                if camera.is_some() {
                    let decoder = settings.plan.decoder;
                    let name = match decoder {
                        Decoder::Own => arguments.planner.name_of(decoder),
                        _ => decoder.label().to_owned(),
                    };
                    filmed.push((name, driven));
                }
            }
            Ok(None) => {}
            Err(error) if ends_batch(&error) => {
                unwritable = Some(error);
                break;
            }
            Err(error) => {
                shown.note(&format!("left out: {doing}: {error:#}"));
                if arguments.json {
                    let planner = settings.plan.decoder.key();
                    let error = format!("{error:#}");
                    println!(
                        "{}",
                        json!({"scene": name, "planner": planner, "error": error})
                    );
                }
                first_error.get_or_insert(error);
            }
        }
        if let Some((studio, files)) = camera.as_mut().filter(|_| planner + 1 == all.len())
            && let Some(file) = files.next()
        {
            shown.doing(&format!("{}, clip", take.name()));
            if let Err(error) =
                write_drives(studio, (std::mem::take(&mut filmed), "dark"), &file, &stop)
            {
                let error = error.context(file.display().to_string());
                if error.chain().any(|cause| cause.is::<std::io::Error>()) {
                    unwritable = Some(error);
                    break;
                }
                shown.note(&format!("{error:#}"));
                first_error.get_or_insert(error);
            }
        }
        shown.done(&doing);
    }
    shown.finish();
    let stopped = stop.load(Ordering::Relaxed);
    if stopped {
        eprintln!("stopped by Ctrl-C; finished scenes follow");
    }
    if table.lines.is_empty() {
        return match unwritable.or(first_error) {
            Some(error) => Err(error.context("no scene could be driven")),
            None => anyhow::bail!("no scene was driven to its end"),
        };
    }
    if arguments.json {
        println!("{}", table.json());
    } else {
        print!("{}", table.text());
    }
    if let Some(error) = unwritable {
        return Err(error);
    }
    anyhow::ensure!(
        !stopped,
        "stopped by Ctrl-C; the table is of {} finished drives",
        table.lines.len()
    );
    Ok(())
}

impl Arguments {
    /// How each planner drives, the one asked for first.
    ///
    /// # Errors
    /// If one is named twice.
    fn settings(&self) -> anyhow::Result<Vec<DriveSettings>> {
        let first = self.planner.settings();
        let mut all = vec![first.decoder];
        for &decoder in &self.against {
            ensure_usage!(
                !all.contains(&decoder),
                "--against {}: it drives already",
                decoder.key()
            );
            all.push(decoder);
        }
        let drive = |decoder| DriveSettings {
            plan: PlanSettings {
                decoder,
                ..first.clone()
            },
            seconds: self.seconds,
            replan_hz: self.replan_hz,
        };
        let all: Vec<DriveSettings> = all.into_iter().map(drive).collect();
        let driven_hz = all.first().map_or(self.replan_hz, DriveSettings::driven_hz);
        // what is out of range is refused when the first drive begins
        if (0.2..=10.0).contains(&self.replan_hz) && (driven_hz - self.replan_hz).abs() > 0.01 {
            eprintln!(
                "--replan-hz {}: a plan holds for whole tenths of a second, so {} are made a second",
                self.replan_hz,
                in_hz(driven_hz)
            );
        }
        Ok(all)
    }
}

/// Where a driven scene goes.
fn file_of(
    arguments: &Arguments,
    settings: &DriveSettings,
    folder: &Path,
    take: &Take,
    number: usize,
) -> PathBuf {
    let stem = take.stem();
    let (decoder, world) = (settings.plan.decoder.key(), arguments.world.key());
    folder.join(format!("{number:03}-{stem}-{decoder}-{world}.json"))
}

/// Drives the ego of a scene to the end; `None` if it was stopped before.
pub(super) fn drive_scene(
    mut scene: Scene,
    planners: Planners<'_>,
    settings: &DriveSettings,
    (world, generator): (DriveWorld, Option<&Network>),
    stop: &AtomicBool,
) -> anyhow::Result<Option<Driven>> {
    prepare(&mut scene, None, None)?;
    let generator = generator.map(|network| network as &dyn Prepare);
    let begun = world.begin(generator, settings.plan.seed.0);
    let mut world = begun.context("the generator's network is missing")?;
    let mut goes_on = |_: &DriveStep<'_>| match stop.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let driven = drive(&scene, planners, settings, world.as_mut(), &mut goes_on)?;
    Ok((!driven.stopped).then_some(driven))
}

struct Job<'a> {
    arguments: &'a Arguments,
    settings: &'a DriveSettings,
    planners: Planners<'a>,
    generator: Option<&'a Network>,
    stop: &'a AtomicBool,
}

impl Job<'_> {
    /// What came of it, where the scene comes from, and that as JSON; `None` if it was stopped before its end.
    fn drive(&self, take: &Take, number: usize) -> anyhow::Result<Option<(Driven, Origin, Value)>> {
        let scene = take.open()?;
        let origin = Origin::of(&scene);
        let begun = Instant::now();
        let world = (self.arguments.world, self.generator);
        let mut settings = self.settings.clone();
        settings.plan.file = stem_of(&take.entry.file, take.entry.pick.as_deref());
        let driven = drive_scene(scene, self.planners, &settings, world, self.stop)?;
        let Some(driven) = driven else {
            return Ok(None);
        };
        let took_s = begun.elapsed().as_secs_f64();
        let written = match &self.arguments.out {
            Some(folder) => Some(self.write(&driven, take, folder, number)?),
            None => None,
        };
        let json = self.json(take, &driven, took_s, written.as_deref());
        Ok(Some((driven, origin, json)))
    }

    fn write(
        &self,
        driven: &Driven,
        take: &Take,
        folder: &Path,
        number: usize,
    ) -> anyhow::Result<PathBuf> {
        let mut scene = driven.scene.clone();
        let decoder = self.settings.plan.decoder;
        scene.name = format!("{}, driven by {}", scene.name, decoder.key());
        let path = file_of(self.arguments, self.settings, folder, take, number);
        write_of_batch(&scene, &path)?;
        Ok(path)
    }

    fn json(&self, take: &Take, driven: &Driven, took_s: f64, written: Option<&Path>) -> Value {
        let (report, start_s) = (&driven.report, driven.scene.now_s());
        let contacts: Vec<Value> = report
            .contacts
            .iter()
            .map(|touch| {
                json!({
                    "with": touch.with,
                    "time_s": rounded(start_s + touch.time_s),
                    "after_s": rounded(touch.time_s),
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
                let after_s = limit.step as f64 * STEP_S;
                json!({
                    "what": limit.what,
                    "value": rounded(limit.value),
                    "range": limit.range,
                    "unit": limit.unit,
                    "time_s": rounded(start_s + after_s),
                    "after_s": rounded(after_s),
                })
            })
            .collect();
        json!({
            "file": take.entry.file.display().to_string(),
            "scene": take.name(),
            "present_s": rounded(start_s),
            "planner": self.settings.plan.decoder.key(),
            "weights": driven.plans.first().map(|(_, plan)| &plan.identity),
            "world": self.arguments.world.key(),
            "seed": self.settings.plan.seed.0,
            "seconds": rounded(report.seconds),
            "plans": driven.plans.len(),
            "gates": gates(driven),
            "metrics": metrics(report),
            "score": report.score.as_ref().map(|score| scores_json(score, start_s)),
            "contacts": contacts,
            "nearest": report.encounters.first().map(|near| json!({
                "with": near.with,
                "gap_m": rounded(near.gap.value),
                "time_s": rounded(start_s + near.gap.time_s),
                "after_s": rounded(near.gap.time_s),
            })),
            "encounters": encounters_json(&report.encounters, start_s),
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

/// The encounters, the nearest first, each with its least gap, time to collision and post-encroachment time, and when. The
/// drive begins at scene time `start_s`.
fn encounters_json(all: &[Encounter], start_s: f64) -> Vec<Value> {
    let moment = |moment: &Moment| {
        json!({
            "value": rounded(moment.value),
            "time_s": rounded(start_s + moment.time_s),
            "after_s": rounded(moment.time_s),
        })
    };
    let entry = |found: &Encounter| {
        json!({
            "with": found.with,
            "gap_m": moment(&found.gap),
            "ttc_s": found.ttc.as_ref().map(moment),
            "pet_s": found.pet.as_ref().map(moment),
        })
    };
    all.iter().map(entry).collect()
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

/// A rate with no more decimals than it needs.
fn in_hz(rate: f64) -> String {
    let text = format!("{rate:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
