//! `nearmiss generate`: cases from scenes, one file each.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::{Value, json};

use super::batch::{Existing, Shard, Shown, agents, make_folder, redraws, scenes, stop_on_ctrl_c};
use super::usage::{Usage, bail_usage, ensure_usage};
use super::weights;
use crate::data;
use crate::diffusion::{Prepare, Schedule};
use crate::generator::{
    AttackQuery, Axis, GenerateError, MOST_POINTS, Mix, Progress, Quantity, Scope, Settings, Sweep,
    attack_candidates, draft, goals_from_log, run_recipe,
};
use crate::model::Network;
use crate::scene::{
    AgentId, Edit, Generated, Goal, Guidance, Guide, Recipe, Scene, ScheduleKind, Task, write_scene,
};

/// Arguments of `nearmiss generate`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Scene files or folders, in any readable format.
    #[arg(required = true)]
    scenes: Vec<PathBuf>,
    /// Folder for the cases; made if missing.
    #[arg(long)]
    out: PathBuf,
    /// What is given to the model; a mix draws free, goal and attack 4 : 4 : 2. If absent: attack with --attacker,
    /// --target, --at or a sweep of contacts, goal with --goal or a sweep of goals, else free.
    #[arg(long, value_enum)]
    task: Option<TaskChoice>,
    /// The scheduling matrix.
    #[arg(long, value_enum, default_value = "full")]
    schedule: ScheduleChoice,
    /// Denoising steps; the paper's number for the schedule if absent.
    #[arg(long, value_parser = at_least_one)]
    steps: Option<usize>,
    /// Samples per scene; sample K of an attack without --attacker takes the K-th candidate.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    samples: u64,
    /// Draws each case anew, at most so many times, until it passes every gate; if none does, the one that fails fewest
    /// is written.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    tries: u64,
    /// Writes only cases that pass every gate.
    #[arg(long)]
    valid: bool,
    /// Seed of the noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Standard deviation of the starting noise; 0.5 with goals or attacks and 0.7 free if absent.
    #[arg(long)]
    temperature: Option<f64>,
    /// Noise level at which the network is shown known histories: 0 takes them as exact, 0.2 to 0.3 suits recordings
    /// whose speeds jitter.
    #[arg(long, default_value_t = 0.0)]
    history_level: f64,
    /// Smooth predictions by the analytic prior: with goals or attacks, not free, if absent.
    #[arg(long, value_name = "on|off", value_parser = clap::builder::BoolishValueParser::new())]
    prior_smoothing: Option<bool>,
    /// Only so many agents, the nearest to the ego and everyone named here, are made anew; the others go on as recorded.
    #[arg(long, value_name = "N", default_value_t = Settings::default().agents, value_parser = agents)]
    agents: usize,
    /// A goal: agent, point in metres, and seconds (the scene's time; 8 s after the present if absent). Without any,
    /// the task `goal` takes the ends of the log.
    #[arg(long = "goal", value_name = "ID=X,Y[,T]")]
    goals: Vec<String>,
    /// Who attacks; `auto` searches.
    #[arg(long, default_value = "auto")]
    attacker: String,
    /// Whom; the ego if absent.
    #[arg(long)]
    target: Option<String>,
    /// Scene time of the contact, s; searched if absent.
    #[arg(long, value_name = "SECONDS")]
    at: Option<f64>,
    /// A number of each scene set to each of some values, a case for each: `speed:ego=5:15:6` is six values from 5 to 15,
    /// `contact=3,4.5` those two. There are contact (s; at half seconds from the present), arrival, goal-ahead, goal-left, speed (m/s), ahead and left (m), seed;
    /// of the agent named, else of the first attack or goal, else of the ego. Several make every combination. Only those
    /// who are swept, and attackers, are made anew, and whom they meet; an attack's target goes its recorded way.
    #[arg(long, value_name = "WHAT[:AGENT]=FROM:TO:COUNT")]
    sweep: Vec<String>,
    /// Edits made first to each scene: a JSON file with a list of them, or with `edits` as a scene file has.
    #[arg(long, value_name = "FILE")]
    edits: Option<PathBuf>,
    /// Guidance weights, each a share of the full correction per step; collision=1 if absent, collision=0 for none.
    #[arg(long, value_name = "collision=W,comfort=W,road=W")]
    guidance: Option<String>,
    /// Who fails a gate in the result (touches somebody, leaves the road, moves impossibly) is drawn again, knowing
    /// everyone else's future, at most so many times.
    #[arg(long, value_name = "N", default_value_t = Settings::default().redraws, value_parser = redraws)]
    redraws: usize,
    /// In an attack or a sweep, make everyone's future anew instead of those whom it concerns and whom they meet.
    #[arg(long)]
    everyone: bool,
    /// Run each case's own recipe again; everything said here about how to make it is ignored.
    #[arg(long)]
    again: bool,
    /// Keep the scene after every step, in a folder beside the case.
    #[arg(long)]
    keep_steps: bool,
    #[command(flatten)]
    existing: Existing,
    /// Leave out the cases whose files are there already, as after an interruption.
    #[arg(long, conflicts_with = "replace")]
    resume: bool,
    /// Do every N-th case from the I-th (from 0); also read from a Slurm array or an indexed Kubernetes job.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// One JSON object per case on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TaskChoice {
    Free,
    Goal,
    Attack,
    Mix,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScheduleChoice {
    Full,
    Pyramidal,
    Trapezoidal,
    Autoregressive,
}

impl ScheduleChoice {
    pub(super) fn kind(self) -> ScheduleKind {
        match self {
            Self::Full => ScheduleKind::Full,
            Self::Pyramidal => ScheduleKind::Pyramidal,
            Self::Trapezoidal => ScheduleKind::Trapezoidal,
            Self::Autoregressive => ScheduleKind::Autoregressive,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let shard = Shard::from(arguments.shard.as_deref(), |name| std::env::var(name).ok())?;
    let guidance = match arguments.guidance.as_deref() {
        Some(text) => guidance_of(text)?,
        None => Settings::default().guidance,
    };
    ensure_usage!(
        arguments
            .temperature
            .is_none_or(|t| (0.0..=10.0).contains(&t)),
        "--temperature {}: it lies in 0 to 10",
        arguments.temperature.unwrap_or_default()
    );
    let sweep = arguments.sweep()?;
    let edits = match &arguments.edits {
        Some(path) => edits_of(path)?,
        None => Vec::new(),
    };
    let plan = (&*edits, &sweep);
    arguments.fit(plan)?;
    let entries = scenes(&arguments.scenes)?;
    let of_scene = arguments.samples.max(1) * sweep.count() as u64;
    let all = entries.len() as u64 * of_scene;
    let mut cases: Vec<Case<'_>> = (0..all)
        .filter(|&number| shard.holds(number))
        .map(|number| arguments.case(number, &entries[(number / of_scene) as usize], plan))
        .collect();
    if cases.is_empty() {
        eprintln!("nothing to do: shard {shard} holds none of {all} cases");
        return Ok(());
    }
    if arguments.resume {
        let wanted = cases.len();
        cases.retain(|case| !case.file.exists());
        let there = wanted - cases.len();
        eprintln!("{there} of {wanted} cases are there already");
        if cases.is_empty() {
            return Ok(());
        }
    }
    let files = cases.iter().map(|case| case.file.clone());
    arguments.existing.allows(files)?;
    let network = weights::network(0)?;
    make_folder(&arguments.out)?;
    let stop = stop_on_ctrl_c();
    let shown = Shown::new(cases.len() as u64);
    let (mut written, mut refused, mut valid) = (0_usize, 0_usize, 0_usize);
    for case in &cases {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let job = Job {
            arguments,
            guidance,
            network: &network,
            case,
            plan,
            stop: &stop,
            shown: &shown,
        };
        match job.run() {
            Ok(Some(scene)) => {
                written += 1;
                valid += usize::from(scene.failed_gates().is_empty());
                let swept = sweep.values(case.point);
                report(arguments.json, &case.file, (&scene, &swept), &shown);
            }
            Ok(None) => break,
            Err(error) => {
                refused += 1;
                if case.file.exists() {
                    let file = case.file.display();
                    shown.note(&format!("{file} is of an earlier run, and stays as it was"));
                }
                let values = sweep.name(case.point);
                let name = match values.is_empty() {
                    true => case.entry.name.clone(),
                    false => format!("{}, {values}", case.entry.name),
                };
                shown.note(&format!("{name}: {error:#}"));
                if arguments.json {
                    let mut line = json!({"scene": case.entry.name, "error": format!("{error:#}")});
                    if !values.is_empty() {
                        line["swept"] = Value::from(sweep.values(case.point));
                    }
                    println!("{line}");
                }
                shown.done("refused");
            }
        }
    }
    shown.finish();
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
    anyhow::ensure!(written > 0, "no case could be made");
    Ok(())
}

impl Arguments {
    /// Whether what is asked for goes together.
    ///
    /// # Errors
    /// Names the options that do not.
    fn fit(&self, plan: (&[Edit], &Sweep)) -> anyhow::Result<()> {
        let (choice, sweep) = (self.task(plan), plan.1);
        let attacks = matches!(choice, TaskChoice::Attack | TaskChoice::Mix);
        let count = sweep.count();
        ensure_usage!(
            count <= MOST_POINTS,
            "--sweep: {count} values together, at most {MOST_POINTS} cases are made of a scene"
        );
        if let Some(parameter) = sweep.doubled() {
            bail_usage!("--sweep: {parameter} is swept twice");
        }
        ensure_usage!(
            choice != TaskChoice::Mix || sweep.axes.is_empty(),
            "--sweep goes with one task: a mix would give each combination another"
        );
        ensure_usage!(
            !self.again || (sweep.axes.is_empty() && self.edits.is_none()),
            "--again makes cases as they are, without --sweep and --edits"
        );
        ensure_usage!(
            attacks || !sweep.sweeps(&[Quantity::Contact]),
            "--sweep contact belongs to --task attack"
        );
        ensure_usage!(
            choice != TaskChoice::Free || !sweep.sweeps(&Quantity::GOALS),
            "--sweep {} belong to --task goal (or attack)",
            Quantity::GOALS.map(Quantity::key).join(", ")
        );
        ensure_usage!(
            attacks || self.again || !asks_for_attack(self),
            "--attacker, --target and --at belong to --task attack (or mix)"
        );
        ensure_usage!(
            attacks || self.again || !self.everyone || !self.sweep.is_empty(),
            "--everyone belongs to --task attack (or mix) and to --sweep: else everyone is made anew"
        );
        ensure_usage!(
            choice != TaskChoice::Free || self.again || self.goals.is_empty(),
            "--goal belongs to --task goal (or attack, or mix): task free is given no goals"
        );
        ensure_usage!(
            !self.keep_steps || !self.resume,
            "--keep-steps cannot resume: a step's folder does not say whether it is whole"
        );
        Ok(())
    }

    fn task(&self, (edits, sweep): (&[Edit], &Sweep)) -> TaskChoice {
        let edited = |is: fn(&Edit) -> bool| edits.iter().any(is);
        let attacked = asks_for_attack(self)
            || sweep.sweeps(&[Quantity::Contact])
            || edited(|edit| matches!(edit, Edit::SetAttack { .. }));
        let aimed = !self.goals.is_empty()
            || sweep.sweeps(&Quantity::GOALS)
            || edited(|edit| matches!(edit, Edit::SetGoal { .. }));
        let implied = match (attacked, aimed) {
            (true, _) => TaskChoice::Attack,
            (false, true) => TaskChoice::Goal,
            (false, false) => TaskChoice::Free,
        };
        self.task.unwrap_or(implied)
    }

    /// What is swept.
    ///
    /// # Errors
    /// Says what is written otherwise than it should be.
    fn sweep(&self) -> anyhow::Result<Sweep> {
        let axes = self.sweep.iter().map(|text| {
            let axis = Axis::from_text(text);
            axis.map_err(|why| Usage(format!("--sweep {text}: {why}")).into())
        });
        Ok(Sweep {
            axes: axes.collect::<anyhow::Result<_>>()?,
        })
    }

    /// What case `number` is, and where it goes.
    fn case<'a>(&self, number: u64, entry: &'a data::Entry, plan: (&[Edit], &Sweep)) -> Case<'a> {
        let sweep = plan.1;
        let task = match self.task(plan) {
            TaskChoice::Free => Task::Free,
            TaskChoice::Goal => Task::Goal,
            TaskChoice::Attack => Task::Attack,
            TaskChoice::Mix => Mix::default().task(self.seed, number),
        };
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
            let stem = entry.file.file_stem().unwrap_or_default().to_string_lossy();
            format!("{scene_number:04}-{stem}-again.json")
        } else {
            let word = match task {
                Task::Free => "free",
                Task::Goal => "goal",
                Task::Attack => "attack",
            };
            let stem = data::file_name(&entry.name);
            let stem = stem.trim_matches('.').trim_end_matches(".json");
            format!(
                "{scene_number:04}-{stem}-{word}-s{}-{sample}{swept}.json",
                self.seed
            )
        };
        Case {
            entry,
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
    entry: &'a data::Entry,
    task: Task,
    sample: u64,
    /// Which values of the sweep.
    point: usize,
    file: PathBuf,
}

struct Job<'a> {
    arguments: &'a Arguments,
    guidance: Guidance,
    network: &'a Network,
    case: &'a Case<'a>,
    /// What is done to each scene.
    plan: (&'a [Edit], &'a Sweep),
    stop: &'a AtomicBool,
    shown: &'a Shown,
}

impl Job<'_> {
    /// The scene that was written; `None` if stopped.
    fn run(&self) -> anyhow::Result<Option<Scene>> {
        let Case {
            entry,
            task,
            sample,
            point,
            ref file,
        } = *self.case;
        let (edits, sweep) = self.plan;
        let opened = data::open(&entry.file, entry.pick.as_deref())?;
        let arguments = self.arguments;
        let mut scene = opened.scene;
        if arguments.again {
            return self.again(&scene);
        }
        for edit in edits {
            let edited = scene.edited(edit);
            scene = edited.with_context(|| format!("--edits, \"{}\"", edit.label()))?;
        }
        let goals = arguments.goals.iter().filter(|_| task != Task::Free);
        for text in goals {
            let goal = goal_of(text, &scene)?;
            scene = scene.edited(&Edit::SetGoal { goal })?;
        }
        self.say_what_is_not_used(task, &scene);
        if task == Task::Goal && scene.goals.is_empty() {
            scene.goals = goals_from_log(&scene, &[]);
        }
        if task == Task::Attack && (scene.attacks.is_empty() || asks_for_attack(self.arguments)) {
            scene = self.aimed(&scene)?;
        }
        let scope = match arguments.everyone {
            true => Scope::Everyone,
            false if sweep.axes.is_empty() => Scope::Auto,
            false => sweep.scope(&scene),
        };
        scene = sweep.scene(&scene, point)?;
        let schedule = arguments.schedule.kind();
        let settings = Settings {
            task,
            schedule,
            steps: arguments
                .steps
                .unwrap_or_else(|| Schedule::paper_steps(schedule)),
            seed: sweep.seed(point).unwrap_or(arguments.seed),
            sample,
            temperature: arguments.temperature,
            history_level: arguments.history_level,
            prior_smoothing: arguments.prior_smoothing,
            guidance: self.guidance,
            redraws: arguments.redraws,
            scope,
            agents: arguments.agents,
        };
        let Some(made) = self.best(&scene, &settings, file, &entry.name)? else {
            return Ok(None);
        };
        let failed = made.failed_gates();
        if arguments.valid && !failed.is_empty() {
            let tries = arguments.tries;
            let failed = failed.join(", ");
            anyhow::bail!("left out: the best of {tries} draws fails {failed}");
        }
        write_scene(&made, file)?;
        Ok(Some(made))
    }

    /// Tells of goals and attacks that the scene holds and the task does not read, once a scene.
    fn say_what_is_not_used(&self, task: Task, scene: &Scene) {
        let first = self.case.sample == 0 && self.case.point == 0;
        let unused = match (task, scene.attacks.is_empty(), scene.goals.is_empty()) {
            (Task::Free | Task::Goal, false, _) => "attack",
            (Task::Free, true, false) => "goal",
            _ => return,
        };
        if first && self.arguments.task.is_none() {
            let name = &self.case.entry.name;
            self.shown.note(&format!(
                "{name}: the {unused} it holds is not used: say --task {unused} if it shall be"
            ));
        }
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
        let Case { entry, file, .. } = self.case;
        let stored = scene.generated.as_ref();
        let mut recipe = stored
            .context("the scene was not generated, so it has no recipe")?
            .recipe
            .clone();
        let identity = (self.network as &dyn Prepare).identity();
        if recipe.weights_hash != identity {
            self.shown.note(&format!(
                "{}: made with weights {}, made again with {}",
                entry.name,
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
        let Some(made) = self.make(scene, recipe, steps.as_deref(), &entry.name)? else {
            return Ok(None);
        };
        write_scene(&made, file)?;
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
                if let Err(error) = write_scene(&progress.preview(), &path) {
                    trouble = Some(error.into());
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

    /// The scene with an attack: the best candidate, or the K-th for sample K.
    fn aimed(&self, scene: &Scene) -> anyhow::Result<Scene> {
        let arguments = self.arguments;
        if let Some(time_s) = arguments.at {
            within_horizon("--at", time_s, scene)?;
        }
        let query = AttackQuery {
            target: arguments.target.as_ref().map(AgentId::new),
            attacker: (arguments.attacker != "auto").then(|| AgentId::new(&arguments.attacker)),
            time_s: arguments.at,
            ..AttackQuery::default()
        };
        let candidates = attack_candidates(scene, &query)
            .map_err(|error| GenerateError::from(error.with_nearest(scene)))?;
        let chosen = &candidates[(self.case.sample % candidates.len() as u64) as usize];
        let mut cleared = scene.clone();
        cleared.attacks.clear();
        Ok(cleared.edited(&Edit::SetAttack {
            attack: chosen.attack.clone(),
        })?)
    }
}

fn asks_for_attack(arguments: &Arguments) -> bool {
    arguments.attacker != "auto" || arguments.target.is_some() || arguments.at.is_some()
}

/// The edits of a file.
///
/// # Errors
/// If it cannot be read, or holds something else; names the place.
fn edits_of(path: &Path) -> anyhow::Result<Vec<Edit>> {
    let text = std::fs::read(path).with_context(|| format!("could not read {path:?}"))?;
    let held: Value =
        serde_json::from_slice(&text).with_context(|| format!("{path:?} is no JSON"))?;
    let edits = match held {
        Value::Array(edits) => edits,
        Value::Object(mut scene) => match scene.remove("edits") {
            Some(Value::Array(edits)) => edits,
            _ => anyhow::bail!("{path:?} has no list `edits`"),
        },
        _ => anyhow::bail!(
            "{path:?} holds no list of edits: write [{{\"edit\": \"move\", ...}}, ...]"
        ),
    };
    let edits = edits.into_iter().enumerate().map(|(at, edit)| {
        let read = serde_json::from_value(edit);
        read.with_context(|| format!("{path:?}, edit {at}"))
    });
    edits.collect()
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "a number from 1 on is wanted".to_owned())
}

/// A time within what the model makes: after the present, up to 8 s later.
///
/// # Errors
/// If it lies elsewhere.
fn within_horizon(option: &str, time_s: f64, scene: &Scene) -> anyhow::Result<()> {
    let now_s = scene.now_s();
    anyhow::ensure!(
        time_s > now_s && time_s <= now_s + 8.0 + 1e-6,
        "{option}: {time_s} s does not lie in the 8 s after the present, which is {now_s:.1} s; the last that can be is {:.1} s",
        now_s + 8.0
    );
    Ok(())
}

/// `ID=X,Y[,T]` as a hard goal.
fn goal_of(text: &str, scene: &Scene) -> anyhow::Result<Goal> {
    let wrong = || Usage(format!("--goal {text}: write it as ID=X,Y or ID=X,Y,T"));
    let (agent, rest) = text.rsplit_once('=').ok_or_else(wrong)?;
    let numbers: Vec<f64> = rest
        .split(',')
        .map(|number| number.trim().parse().map_err(|_| wrong()))
        .collect::<Result<_, Usage>>()?;
    let (x, y, time_s) = match numbers.as_slice() {
        [x, y] => (*x, *y, scene.now_s() + 8.0),
        [x, y, time_s] => (*x, *y, *time_s),
        _ => return Err(wrong().into()),
    };
    within_horizon(&format!("--goal {text}"), time_s, scene)?;
    Ok(Goal {
        agent: AgentId::new(agent),
        point: [x, y],
        time_s,
        heading: None,
        speed: None,
        tolerance_m: 1.0,
        hard: true,
        extra: crate::map::Extra::default(),
    })
}

/// `collision=W,comfort=W,road=W`, each optional: 0 if left out.
pub(super) fn guidance_of(text: &str) -> anyhow::Result<Guidance> {
    let mut guidance = Guidance::default();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, weight) = part
            .split_once('=')
            .ok_or_else(|| Usage(format!("--guidance {part}: write it as collision=0.1")))?;
        let weight: f64 = weight
            .trim()
            .parse()
            .map_err(|error| Usage(format!("--guidance {part}: {error}")))?;
        ensure_usage!(
            (0.0..=1.0).contains(&weight),
            "--guidance {part}: a weight lies in 0 to 1"
        );
        let term: &mut Guide = match name.trim() {
            "collision" => &mut guidance.collision,
            "comfort" => &mut guidance.comfort,
            "road" => &mut guidance.road,
            other => bail_usage!("--guidance {other}: there are collision, comfort and road"),
        };
        term.weight = weight;
    }
    Ok(guidance)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read_with_and_without_a_time() {
        let scene = Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            ..Scene::default()
        };
        let goal = goal_of("a=b=3.5,-2", &scene).unwrap();
        assert_eq!(goal.agent.as_str(), "a=b"); // the last sign separates
        assert_eq!((goal.point, goal.time_s), ([3.5, -2.0], 10.0));
        assert_eq!(goal_of("7=1,2,6.5", &scene).unwrap().time_s, 6.5);
        assert!(goal_of("7", &scene).is_err() && goal_of("7=1", &scene).is_err());
    }

    #[test]
    fn guidance_names_its_terms() {
        let guidance = guidance_of("collision=0.1,road=0.05").unwrap();
        assert_eq!(guidance.collision.weight, 0.1);
        assert_eq!(guidance.comfort.weight, 0.0);
        assert!(guidance_of("speed=1").is_err());
        assert!(guidance_of("road=2").is_err());
    }
}
