//! `nearmiss generate`: cases from scenes, one file each.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::batch::{
    Existing, Shard, Shown, ends_batch, make_folder, scenes, stop_on_ctrl_c, write_of_batch,
};
use super::keys;
use super::making::{Making, Wish};
use super::moments::{Moments, Take};
use super::usage::ensure_usage;
use super::weights;
use crate::data;
use crate::diffusion::Prepare;
use crate::generator::{AttackError, GenerateError, Progress, Settings, draft, run_recipe};
use crate::model::Network;
use crate::scene::{Generated, Recipe, Scene, Task};
use resume::{Left, otherwise};

mod resume;

/// Arguments of `nearmiss generate`.
#[derive(clap::Args)]
#[command(after_long_help = keys::GENERATE)]
pub(super) struct Arguments {
    /// Scene files or folders, in any readable format.
    #[arg(required = true)]
    scenes: Vec<PathBuf>,
    /// Folder for the cases; made if missing.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    moments: Moments,
    #[command(flatten)]
    making: Making,
    /// Samples per scene; sample K of an attack takes the K-th candidate. Where there are fewer candidates (at most twelve,
    /// three of each attacker), further samples repeat them with other noise.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    samples: u64,
    /// Draws each case anew, at most so many times, until it passes every gate; if none does, the one that fails fewest
    /// is written.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    tries: u64,
    /// Writes only cases that pass every gate.
    #[arg(long)]
    valid: bool,
    /// Run each case's own recipe again; everything said here about how to make it is ignored.
    #[arg(long)]
    again: bool,
    /// Keep the scene after every step, in a folder beside the case.
    #[arg(long)]
    keep_steps: bool,
    #[command(flatten)]
    existing: Existing,
    /// Leave out the cases that are there already, as after an interruption. A file that is not whole is made again; a case
    /// that was made with other settings is a refusal.
    #[arg(long, conflicts_with = "replace")]
    resume: bool,
    /// Do every N-th case from the I-th (from 0); also read from a Slurm array or an indexed Kubernetes job.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// One JSON object per case on standard output.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let shard = Shard::from(arguments.shard.as_deref(), |name| std::env::var(name).ok())?;
    ensure_usage!(
        !arguments.keep_steps || !arguments.resume,
        "--keep-steps cannot resume: a step's folder does not say whether it is whole"
    );
    let wish = arguments.making.read(arguments.again)?;
    ensure_usage!(
        !arguments.again || !arguments.moments.are_given(),
        "--again makes cases as they are, without --time and --every"
    );
    let takes = arguments.moments.takes(scenes(&arguments.scenes)?)?;
    let of_scene = arguments.samples.max(1) * wish.sweep.count() as u64;
    let all = takes.len() as u64 * of_scene;
    let mut cases: Vec<Case<'_>> = (0..all)
        .filter(|&number| shard.holds(number))
        .map(|number| arguments.case(number, &takes[(number / of_scene) as usize], &wish))
        .collect();
    if cases.is_empty() {
        eprintln!("nothing to do: shard {shard} holds none of {all} cases");
        return Ok(());
    }
    let wanted = cases.len();
    let network = weights::network(0)?;
    if arguments.resume {
        cases = arguments.not_there(cases, &wish, &network)?;
        let there = wanted - cases.len();
        eprintln!("{there} of {wanted} cases are there already");
        if cases.is_empty() {
            return Ok(());
        }
    } else {
        let files = cases.iter().map(|case| case.file.clone());
        arguments.existing.allows(files)?;
    }
    let there = wanted - cases.len();
    make_folder(&arguments.out)?;
    let stop = stop_on_ctrl_c();
    let shown = Shown::new(cases.len() as u64);
    let (mut written, mut refused, mut valid) = (0_usize, 0_usize, 0_usize);
    let (told, mut unwritable) = (Cell::new(None), None);
    for case in &cases {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let job = Job {
            arguments,
            network: &network,
            case,
            wish: &wish,
            stop: &stop,
            shown: &shown,
            told: &told,
        };
        match job.run() {
            Ok(Some(scene)) => {
                written += 1;
                valid += usize::from(scene.failed_gates().is_empty());
                let swept = wish.sweep.values(case.point);
                report(arguments.json, &case.file, (&scene, &swept), &shown);
            }
            Ok(None) => break,
            Err(error) if ends_batch(&error) => {
                unwritable = Some(error);
                break;
            }
            Err(error) => {
                refused += 1;
                if case.file.exists() {
                    let file = case.file.display();
                    shown.note(&format!("{file} is of an earlier run, and stays as it was"));
                }
                let values = wish.sweep.name(case.point);
                let name = match values.is_empty() {
                    true => case.take.name(),
                    false => format!("{}, {values}", case.take.name()),
                };
                shown.note(&format!("{name}: {error:#}"));
                if arguments.json {
                    println!("{}", job.refusal(&error));
                }
                shown.done("refused");
            }
        }
    }
    shown.finish();
    if let Some(error) = unwritable {
        let count = cases.len();
        eprintln!("{written} of {count} cases written; no further one can be");
        return Err(error);
    }
    eprintln!(
        "{written} of {} cases written to {}{}{}",
        cases.len(),
        arguments.out.display(),
        if written > 0 {
            format!(", {valid} of them pass every gate")
        } else {
            String::new()
        },
        if refused > 0 {
            format!(", {refused} refused")
        } else {
            String::new()
        }
    );
    anyhow::ensure!(
        !stop.load(Ordering::Relaxed),
        "stopped by Ctrl-C; what was finished is kept"
    );
    anyhow::ensure!(written + there > 0, "no case could be made");
    Ok(())
}

impl Arguments {
    /// The cases that an earlier run has not left, whole, in the folder.
    ///
    /// # Errors
    /// If what is there was made otherwise, or is no case; names the first such file and what differs.
    fn not_there<'a>(
        &self,
        cases: Vec<Case<'a>>,
        wish: &Wish<'_>,
        network: &dyn Prepare,
    ) -> anyhow::Result<Vec<Case<'a>>> {
        let mut missing = Vec::new();
        for case in cases {
            let found = match Left::at(&case.file)? {
                Left::Nothing => {
                    missing.push(case);
                    continue;
                }
                Left::Damaged(why) => {
                    eprintln!("made again, as it is not whole: {why}");
                    missing.push(case);
                    continue;
                }
                Left::Case(found) => found,
            };
            if self.again {
                continue; // its own recipe made it
            }
            let (base, _) = wish.based(case.take.open()?, case.task, case.sample)?;
            let scene = wish.sweep.scene(&base, case.point)?;
            let asked = wish.settings(&base, (case.task, case.point), case.sample);
            let draws = (self.samples, self.tries);
            let differs = otherwise(&found, (&scene, &asked), draws, network.identity())?;
            anyhow::ensure!(
                differs.is_empty(),
                "{} was made otherwise ({}): name another folder, or say --replace",
                case.file.display(),
                differs.join("; ")
            );
        }
        Ok(missing)
    }

    /// What case `number` is, and where it goes.
    fn case<'a>(&self, number: u64, take: &'a Take, wish: &Wish<'_>) -> Case<'a> {
        let (task, sweep) = (wish.task(number), &wish.sweep);
        let (samples, points) = (self.samples.max(1), sweep.count() as u64);
        let (number, sample) = (number / samples, number % samples);
        let (scene_number, point) = (number / points, (number % points) as usize);
        let swept = match sweep.axes.is_empty() {
            true => String::new(),
            false => {
                let words = data::file_name(&sweep.file_words(point));
                let words: String = words.chars().take(LONGEST_WORDS).collect();
                format!("-{point:03}-{words}")
            }
        };
        let name = if self.again {
            let file = &take.entry.file;
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            format!("{scene_number:04}-{stem}-again.json")
        } else {
            let word = match task {
                Task::Free => "free",
                Task::Goal => "goal",
                Task::Attack => "attack",
            };
            let stem = take.stem();
            format!(
                "{scene_number:04}-{stem}-{word}-s{}-{sample}{swept}.json",
                self.making.seed
            )
        };
        Case {
            take,
            scene: scene_number,
            task,
            sample,
            point,
            file: self.out.join(name),
        }
    }
}

/// At most so many letters of a file's name say what is swept.
const LONGEST_WORDS: usize = 90;

/// One case to be made.
struct Case<'a> {
    take: &'a Take,
    /// Number of the scene.
    scene: u64,
    task: Task,
    sample: u64,
    /// Which values of the sweep.
    point: usize,
    file: PathBuf,
}

struct Job<'a> {
    arguments: &'a Arguments,
    network: &'a Network,
    case: &'a Case<'a>,
    wish: &'a Wish<'a>,
    stop: &'a AtomicBool,
    shown: &'a Shown,
    /// The scene whose candidates were last told to be too few.
    told: &'a Cell<Option<u64>>,
}

impl Job<'_> {
    /// Why there is no case, as an object: ids are as the scene has them, which sentences shorten.
    fn refusal(&self, error: &anyhow::Error) -> Value {
        let (case, wish) = (self.case, self.wish);
        let mut line = json!({"scene": case.take.name(), "error": format!("{error:#}")});
        if !self.arguments.again {
            let seed = wish.sweep.seed(case.point);
            line["task"] = json!(case.task);
            line["seed"] = seed.unwrap_or(self.arguments.making.seed).into();
            line["sample"] = case.sample.into();
        }
        let mut causes = error.chain();
        let unreachable = causes.find_map(|cause| match cause.downcast_ref::<GenerateError>() {
            Some(GenerateError::Attack(AttackError::Unreachable(found))) => Some(found),
            _ => None,
        });
        if let Some(found) = unreachable {
            line["attacker"] = json!(found.attacker);
            line["target"] = json!(found.target);
        }
        if !wish.sweep.axes.is_empty() {
            line["swept"] = Value::from(wish.sweep.values(case.point));
        }
        line
    }

    /// Says once of a scene that there are fewer candidates than samples.
    fn tell_candidates(&self, candidates: usize) {
        let Case { take, scene, .. } = self.case;
        let (samples, name) = (self.arguments.samples, take.name());
        if samples > candidates as u64 && self.told.replace(Some(*scene)) != Some(*scene) {
            let (are, them) = match candidates {
                1 => ("is 1 candidate".to_owned(), "it"),
                count => (format!("are {count} candidates"), "them"),
            };
            self.shown.note(&format!(
                "{name}: there {are} for an attack; further samples repeat {them} with other noise"
            ));
        }
    }

    /// The scene that was written; `None` if stopped.
    fn run(&self) -> anyhow::Result<Option<Scene>> {
        let Case {
            take,
            task,
            sample,
            point,
            ref file,
            ..
        } = *self.case;
        let scene = take.open()?;
        let (arguments, wish) = (self.arguments, self.wish);
        if arguments.again {
            return self.again(&scene);
        }
        let (base, candidates) = wish.based(scene, task, sample)?;
        if let Some(candidates) = candidates {
            self.tell_candidates(candidates);
        }
        if let Some(unused) = wish
            .unused(task, &base)
            .filter(|_| sample == 0 && point == 0)
        {
            let name = take.name();
            self.shown.note(&format!(
                "{name}: the {unused} it holds is not used: say --task {unused} if it shall be"
            ));
        }
        let scene = wish.sweep.scene(&base, point)?;
        let settings = wish.settings(&base, (task, point), sample);
        let Some(made) = self.best(&scene, &settings, file, &take.name())? else {
            return Ok(None);
        };
        let failed = made.failed_gates();
        if arguments.valid && !failed.is_empty() {
            let tries = arguments.tries;
            let failed = failed.join(", ");
            anyhow::bail!("left out: the best of {tries} draws fails {failed}");
        }
        write_of_batch(&made, file)?;
        Ok(Some(made))
    }

    /// The first draw that passes every gate, or the one that fails fewest; `None` if stopped.
    fn best(
        &self,
        scene: &Scene,
        settings: &Settings,
        file: &Path,
        name: &str,
    ) -> anyhow::Result<Option<Scene>> {
        let Arguments {
            tries,
            keep_steps,
            samples,
            ..
        } = *self.arguments;
        let steps = keep_steps.then(|| file.with_extension("steps"));
        let mut best: Option<Scene> = None;
        for draw in 0..tries {
            let settings = Settings {
                sample: self.case.sample + draw * samples.max(1),
                ..settings.clone()
            };
            let identity = (self.network as &dyn Prepare).identity();
            let recipe = draft(scene, &settings, identity)?;
            let steps = steps.as_deref().filter(|_| tries == 1);
            let name = match tries {
                1 => name.to_owned(),
                _ => format!("{name}, draw {} of at most {tries}", draw + 1),
            };
            let Some(made) = self.make(scene, recipe, steps, &name)? else {
                return Ok(None);
            };
            let fails = |scene: &Scene| scene.failed_gates().len();
            if best.as_ref().is_none_or(|best| fails(&made) < fails(best)) {
                best = Some(made);
            }
            if best.as_ref().is_some_and(|best| fails(best) == 0) {
                break;
            }
        }
        let recipe = best.as_ref().and_then(|made| made.generated.as_ref());
        match (recipe, &steps) {
            // the steps of the draw that is kept, and of no other
            (Some(generated), Some(steps)) if tries > 1 => {
                self.make(scene, generated.recipe.clone(), Some(steps), name)
            }
            _ => Ok(best),
        }
    }

    /// The case made again from its own recipe, which names the weights and the program that make it now.
    fn again(&self, scene: &Scene) -> anyhow::Result<Option<Scene>> {
        let Case { take, file, .. } = self.case;
        let stored = scene.generated.as_ref();
        let mut recipe = stored
            .context("the scene was not generated, so it has no recipe")?
            .recipe
            .clone();
        let identity = (self.network as &dyn Prepare).identity();
        if recipe.weights_hash != identity {
            self.shown.note(&format!(
                "{}: made with weights {}, made again with {}",
                take.name(),
                weights::short(&recipe.weights_hash),
                weights::short(identity)
            ));
        }
        identity.clone_into(&mut recipe.weights_hash);
        env!("CARGO_PKG_VERSION").clone_into(&mut recipe.app_version);
        let steps = self
            .arguments
            .keep_steps
            .then(|| file.with_extension("steps"));
        let Some(made) = self.make(scene, recipe, steps.as_deref(), &take.name())? else {
            return Ok(None);
        };
        write_of_batch(&made, file)?;
        Ok(Some(made))
    }

    /// Runs a recipe, and writes the scene after every step to the folder `steps`; `None` if stopped.
    fn make(
        &self,
        scene: &Scene,
        recipe: Recipe,
        steps: Option<&Path>,
        name: &str,
    ) -> anyhow::Result<Option<Scene>> {
        if let Some(steps) = steps {
            make_folder(steps)?;
        }
        let mut trouble: Option<anyhow::Error> = None;
        let mut last = 0;
        let mut on_step = |progress: &Progress<'_>| {
            let (taken, total) = progress.steps();
            last = taken;
            self.shown.doing(&format!("{name}: step {taken}/{total}"));
            if let Some(steps) = steps {
                let path = steps.join(format!("{taken:04}.json"));
                if let Err(error) = write_of_batch(&progress.preview(), &path) {
                    trouble = Some(error);
                    return ControlFlow::Break(());
                }
            }
            if self.stop.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let made = run_recipe(scene, recipe, self.network as &dyn Prepare, &mut on_step)?;
        let generated = made.generated.as_ref();
        let complete = generated.is_some_and(|generated| generated.complete);
        if let Some(folder) = steps {
            // of a longer run before, which this one replaces
            let mut later = (last + 1..).map(|step| folder.join(format!("{step:04}.json")));
            while later
                .next()
                .is_some_and(|file| std::fs::remove_file(file).is_ok())
            {}
        }
        trouble.map_or(Ok(complete.then_some(made)), Err)
    }
}

/// The object of one case: file, seed, gates, metrics and what was found.
pub(super) fn case_json(file: &Path, generated: &Generated) -> Value {
    json!({
        "file": file.display().to_string(),
        "seed": generated.recipe.seed,
        "sample": generated.recipe.sample,
        "task": generated.recipe.task,
        "schedule": generated.recipe.schedule,
        "steps": generated.recipe.steps,
        "redrawn": generated.redrawn,
        "valid": generated.valid(),
        "fault": generated.fault,
        "avoidability": generated.avoidability,
        "gates": generated.gates,
        "metrics": generated.metrics,
    })
}

fn report(as_json: bool, file: &Path, (scene, swept): (&Scene, &[Value]), shown: &Shown) {
    let Some(generated) = &scene.generated else {
        return;
    };
    if as_json {
        let mut case = case_json(file, generated);
        case["scene"] = Value::from(scene.name.as_str());
        if !swept.is_empty() {
            case["swept"] = Value::from(swept);
        }
        println!("{case}");
    }
    let failed = scene.failed_gates();
    let verdict = if failed.is_empty() {
        "all gates passed".to_owned()
    } else {
        format!("failed: {}", failed.join(", "))
    };
    shown.done(&format!("{}: {verdict}", file.display()));
}
