//! `nearmiss eval`: tables of methods against the log, with the floor and the trivial baselines beside them.

mod attacks;
mod plans;
mod rollouts;
mod table;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::json;

use super::batch::{Existing, Shown, agents, redraws, scenes, stem_of, stop_on_ctrl_c};
use super::keys;
use super::making::guidance_of;
use super::planning::formulas;
use super::recording::{Origin, recordings};
use super::usage::{bail_usage, ensure_usage};
use super::weights;
use crate::codec::decode;
use crate::data;
use crate::diffusion::{Prepare, Schedule};
use crate::generator::{
    LoggedWindow, Run, Settings, constant_velocity, hermite_to_goal, inpaint, logged_windows,
    usual_temperature,
};
use crate::metrics::Sheet;
use crate::model::Network;
use crate::planner::{PlanSettings, Variant};
use crate::scene::{
    AgentKind, Guidance, Scene, ScheduleKind, Task, for_terminal, in_words, write_whole,
};
use crate::sim::idm_rollout;
use rollouts::Rollouts;
use table::{Label, Row, realism_of};

/// Attacks tried per window, unless said otherwise.
const TRIES: usize = 3;

/// Arguments of `nearmiss eval`.
#[derive(clap::Args)]
#[command(after_long_help = keys::EVAL)]
pub(super) struct Arguments {
    /// Scene files or folders, in any readable format.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Conditioned on goals, free, attacks, or the ego's plan; goal and free if absent.
    #[arg(long, value_enum, value_delimiter = ',')]
    task: Vec<TaskChoice>,
    /// Which methods, comma separated; those that fit the task if absent.
    #[arg(long, value_enum, value_delimiter = ',')]
    methods: Vec<Method>,
    /// Denoising steps of the network's methods; the paper's number for each schedule if absent.
    #[arg(long)]
    steps: Option<usize>,
    /// Samples per window of the free task; modes of a plan.
    #[arg(long, default_value_t = 6)]
    samples: u64,
    /// Standard deviation of the starting noise; 0.5 with goals and 0.7 free if absent. Task plan: of the token
    /// distribution.
    #[arg(long)]
    temperature: Option<f64>,
    /// Noise level at which the network's methods are shown known histories.
    #[arg(long, default_value_t = 0.0)]
    history_level: f64,
    /// Smooth the predictions of the network's methods by the analytic prior: with goals or attacks, not free, if absent.
    #[arg(long, value_name = "on|off", value_parser = clap::builder::BoolishValueParser::new())]
    prior_smoothing: Option<bool>,
    /// At most so many of the nearest agents of a window take part.
    #[arg(long, value_name = "N", default_value_t = Settings::default().agents, value_parser = agents)]
    agents: usize,
    /// Task plan: ends nearer than this are one mode, m.
    #[arg(long, default_value_t = PlanSettings::default().spread_m)]
    spread: f64,
    /// Task plan: a planner of your own beside the others, a command, a file or a folder of files as of `nearmiss plan`.
    #[arg(long, value_name = "COMMAND")]
    own: Option<String>,
    /// Tasks goal and free: a folder of scenes, in any readable format, with the futures that a generator of your own makes
    /// of the windows: method rollouts. A scene is of the window whose scene's source and name it has (cases may have more behind
    /// " \u{b7} ") and whose present; further ones of a window are further samples, in the order of their files. All rows are then of
    /// the windows that have one.
    #[arg(long, value_name = "FOLDER")]
    rollouts: Option<PathBuf>,
    /// Task plan: never brake by rule where every mode fails NC or TTC.
    #[arg(long)]
    no_brake: bool,
    /// Task plan: do not tell the planner its route, which is the way the log's ego takes.
    #[arg(long)]
    no_route: bool,
    /// Task plan: the formula by which plans are scored and modes chosen; several, comma separated, give a table each.
    #[arg(long, value_parser = formulas(), default_value = PlanSettings::default().score.key(), value_name = "FORMULA",
          value_delimiter = ',')]
    score: Vec<Variant>,
    /// Guidance weights, 0 where not named: the network's methods run without and with them, and the difference is shown.
    #[arg(long, value_name = "collision=W,comfort=W,road=W")]
    guidance: Option<String>,
    /// Who fails a gate in the result is drawn again, at most so many times: the network's methods run without and
    /// with it, and the difference is shown. Task attack: as `nearmiss generate` does if absent.
    #[arg(long, value_name = "N", value_parser = redraws)]
    redraws: Option<usize>,
    /// Show each row's paired difference to this method's row of the same task; of plans, in the displacement of the
    /// likeliest and of the chosen mode.
    #[arg(long, value_enum)]
    against: Option<Method>,
    /// Seed of the noise and of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds between the presents of two windows of one recording.
    #[arg(long, default_value_t = 2.0)]
    stride: f64,
    /// At most so many windows per recording.
    #[arg(long)]
    windows: Option<usize>,
    /// Attacks tried per window (task attack).
    #[arg(long, default_value_t = TRIES)]
    tries: usize,
    /// Write each attacked case here.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Also write a table with a line for each window of each row (tasks goal, free and plan).
    #[arg(long, value_name = "FILE.csv")]
    each: Option<PathBuf>,
    #[command(flatten)]
    existing: Existing,
    /// Whom to judge.
    #[arg(long, value_enum, default_value = "vehicle")]
    kind: KindChoice,
    /// Also compute the WOSAC-like realism of the free task (slow: every frame of every sample).
    #[arg(long)]
    realism: bool,
    /// JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TaskChoice {
    Free,
    Goal,
    Attack,
    Plan,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KindChoice {
    Vehicle,
    Pedestrian,
    Cyclist,
}

/// How a future is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Method {
    /// The log itself: the floor.
    Log,
    /// Present velocity and heading kept.
    ConstantVelocity,
    /// Cubic to the goal.
    Hermite,
    /// Intelligent Driver Model along the lanes (free task; knows no goals).
    Idm,
    /// The analytic prior without the network: its posterior mean, in one step.
    Prior,
    /// The network, one level for all tokens.
    Full,
    /// The network, one frame after the other enters.
    Pyramidal,
    /// The network, from both ends.
    Trapezoidal,
    /// The network, frame by frame.
    Autoregressive,
    /// The network, full sequence with hard inpainting: not told which tokens are given.
    Inpainting,
    /// A generator of your own (--rollouts).
    Rollouts,
    /// Planner: one future, the mean (task plan).
    Regression,
    /// Planner: a mixture of Gaussians (task plan).
    Gmm,
    /// Planner: a mixture of Gaussians, then refined by diffusion (task plan).
    GmmDiffusion,
    /// Planner: trajectory tokens one after the other (task plan).
    Ar,
    /// Planner: all trajectory tokens at once, out of masks (task plan).
    MaskedDiffusion,
    /// Planner: denoised from noise (task plan).
    Diffusion,
    /// Planner: a flow from the prior's futures to plans (task plan).
    Flow,
    /// Planner: denoised from anchors (task plan).
    Anchors,
    /// Planner: tokens, then refined by diffusion (task plan).
    ArDiffusion,
    /// Planner: your own (task plan, --own).
    Own,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::ConstantVelocity => "constant-velocity",
            Self::Hermite => "hermite",
            Self::Idm => "idm",
            Self::Prior => "prior",
            Self::Full => "full",
            Self::Pyramidal => "pyramidal",
            Self::Trapezoidal => "trapezoidal",
            Self::Autoregressive => "autoregressive",
            Self::Inpainting => "inpainting",
            Self::Rollouts => "rollouts",
            Self::Regression => "regression",
            Self::Gmm => "gmm",
            Self::GmmDiffusion => "gmm-diffusion",
            Self::Ar => "ar",
            Self::MaskedDiffusion => "masked-diffusion",
            Self::Diffusion => "diffusion",
            Self::Flow => "flow",
            Self::Anchors => "anchors",
            Self::ArDiffusion => "ar-diffusion",
            Self::Own => "own",
        }
    }

    /// Whether the method can have a row in the table of a task. Free scenes have no goals for Hermite to go to,
    /// and IDM knows of none.
    fn fits(self, task: TaskChoice) -> bool {
        match task {
            TaskChoice::Attack => false,
            TaskChoice::Plan => plans::METHODS.contains(&self),
            TaskChoice::Goal => self.makes_scenes() && self != Self::Idm,
            TaskChoice::Free => self.makes_scenes() && self != Self::Hermite,
        }
    }

    fn makes_scenes(self) -> bool {
        let others = [
            Self::Log,
            Self::ConstantVelocity,
            Self::Hermite,
            Self::Idm,
            Self::Rollouts,
        ];
        others.contains(&self) || self.schedule().is_some()
    }

    /// The rows of a table if no methods are asked for.
    fn usual(task: Task) -> Vec<Self> {
        let all = [
            Self::Log,
            Self::ConstantVelocity,
            Self::Hermite,
            Self::Idm,
            Self::Prior,
            Self::Full,
            Self::Pyramidal,
            Self::Trapezoidal,
            Self::Autoregressive,
            Self::Inpainting,
        ];
        let free = |method: &Self| !matches!(method, Self::Hermite | Self::Trapezoidal);
        match task {
            Task::Goal | Task::Attack => all
                .into_iter()
                .filter(|method| *method != Self::Idm)
                .collect(),
            Task::Free => all.into_iter().filter(free).collect(),
        }
    }

    /// The schedule of a method that denoises, with its usual number of steps (frame by frame with four a frame:
    /// the paper's 32 a frame change little and take eight times as long).
    fn schedule(self) -> Option<(ScheduleKind, usize)> {
        let paper = |kind| Some((kind, Schedule::paper_steps(kind)));
        match self {
            Self::Log | Self::ConstantVelocity | Self::Hermite | Self::Idm | Self::Rollouts => None,
            Self::Regression
            | Self::Gmm
            | Self::GmmDiffusion
            | Self::Ar
            | Self::MaskedDiffusion
            | Self::Diffusion
            | Self::Flow
            | Self::Anchors
            | Self::ArDiffusion
            | Self::Own => None,
            Self::Prior => Some((ScheduleKind::Full, 1)),
            Self::Full | Self::Inpainting => paper(ScheduleKind::Full),
            Self::Pyramidal => paper(ScheduleKind::Pyramidal),
            Self::Trapezoidal => paper(ScheduleKind::Trapezoidal),
            Self::Autoregressive => Some((ScheduleKind::Autoregressive, 64)),
        }
    }
}

impl Arguments {
    fn guidance(&self) -> anyhow::Result<Guidance> {
        guidance_of(self.guidance.as_deref().unwrap_or(""), Guidance::default())
    }

    /// Whether each option that is given means something to one of the tasks.
    ///
    /// # Errors
    /// Names the first that does not, and the tasks it is for.
    fn fit(&self, tasks: &[TaskChoice]) -> anyhow::Result<()> {
        use TaskChoice::{Attack, Free, Goal, Plan};
        self.guidance()?;
        let usual = PlanSettings::default();
        let options: [(&str, bool, &[TaskChoice]); 17] = [
            ("--steps", self.steps.is_some(), &[Free, Goal, Attack]),
            (
                "--history-level",
                self.history_level != 0.0,
                &[Free, Goal, Attack],
            ),
            (
                "--prior-smoothing",
                self.prior_smoothing.is_some(),
                &[Free, Goal, Attack],
            ),
            ("--guidance", self.guidance.is_some(), &[Free, Goal]),
            ("--redraws", self.redraws.is_some(), &[Free, Goal, Attack]),
            ("--against", self.against.is_some(), &[Free, Goal, Plan]),
            ("--kind", self.kind != KindChoice::Vehicle, &[Free, Goal]),
            ("--realism", self.realism, &[Free]),
            ("--tries", self.tries != TRIES, &[Attack]),
            ("--out", self.out.is_some(), &[Attack]),
            ("--each", self.each.is_some(), &[Free, Goal, Plan]),
            ("--own", self.own.is_some(), &[Plan]),
            ("--rollouts", self.rollouts.is_some(), &[Free, Goal]),
            ("--spread", self.spread != usual.spread_m, &[Plan]),
            ("--no-brake", self.no_brake, &[Plan]),
            ("--no-route", self.no_route, &[Plan]),
            ("--score", self.score != [usual.score], &[Plan]),
        ];
        for (option, is_given, of) in options {
            ensure_usage!(
                !is_given || tasks.iter().any(|task| of.contains(task)),
                "{option} means nothing to the tasks asked for; it is for --task {}",
                of.iter()
                    .map(|task| task.name())
                    .collect::<Vec<_>>()
                    .join(" or ")
            );
        }
        let homeless = |method: &&Method| !tasks.iter().any(|task| method.fits(*task));
        if let Some(method) = self.methods.iter().find(homeless) {
            bail_usage!(
                "--methods {}: it has no row in the tables asked for ({})",
                method.name(),
                tasks
                    .iter()
                    .map(|task| task.name())
                    .collect::<Vec<_>>()
                    .join(", ")
            );
        }
        if let Some(against) = self.against {
            ensure_usage!(
                self.methods.is_empty() || self.methods.contains(&against),
                "--against {}: it has no row; name it with --methods, too",
                against.name()
            );
        }
        let asks_for_own = self.methods.contains(&Method::Own);
        ensure_usage!(
            !asks_for_own || self.own.is_some(),
            "--methods own: say with --own which planner that is"
        );
        ensure_usage!(
            !self.methods.contains(&Method::Rollouts) || self.rollouts.is_some(),
            "--methods rollouts: say with --rollouts where they are"
        );
        Ok(())
    }
}

impl TaskChoice {
    fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Goal => "goal",
            Self::Attack => "attack",
            Self::Plan => "plan",
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure_usage!(
        arguments.stride.is_finite() && arguments.stride > 0.0,
        "--stride {}: a number of seconds above 0 is wanted",
        arguments.stride
    );
    let tasks = if arguments.task.is_empty() {
        vec![TaskChoice::Goal, TaskChoice::Free]
    } else {
        arguments.task.clone()
    };
    arguments.fit(&tasks)?;
    for (option, number) in [
        ("--samples", arguments.samples),
        ("--tries", arguments.tries as u64),
        ("--windows", arguments.windows.unwrap_or(1) as u64),
    ] {
        ensure_usage!(number > 0, "{option} 0: a number from 1 on is wanted");
    }
    arguments.existing.allows(arguments.each.clone())?;
    let network = weights::network(0)?;
    let (mut windows, left_out) = load(arguments)?;
    anyhow::ensure!(
        !windows.is_empty(),
        "no recording is long enough: a window needs 0.5 s of history, 8 s of future, an ego and another agent"
    );
    let rollouts = match &arguments.rollouts {
        Some(folder) => Some(of_rollouts(Rollouts::load(folder)?, &mut windows)?),
        None => None,
    };
    let recordings: BTreeSet<&str> = windows
        .iter()
        .map(|entered| entered.window.recording.as_str())
        .collect();
    let lacking = match left_out {
        0 => String::new(),
        count => format!("; scenes left out: {count}"),
    };
    eprintln!(
        "{} windows of {} recordings{lacking}",
        windows.len(),
        recordings.len()
    );
    let stop = stop_on_ctrl_c();
    let mut identities = Vec::new();
    if tasks.iter().any(|task| *task != TaskChoice::Plan) {
        identities.push((&network as &dyn Prepare).identity().to_owned());
    }
    if tasks.contains(&TaskChoice::Plan) {
        identities.push(weights::planner()?.identity().to_owned());
    }
    let mut tables = Tables {
        left_out,
        weights: identities,
        ..Tables::default()
    };
    let makers = Makers {
        network: &network,
        rollouts: rollouts.as_ref(),
    };
    let filled = tables.fill(arguments, &tasks, &windows, &makers, &stop);
    tables.print(arguments);
    if let Some(file) = &arguments.each {
        write_whole(file, tables.windows().as_bytes())
            .map_err(|error| anyhow::anyhow!("{}: {}", file.display(), in_words(&error)))?;
    }
    filled?;
    anyhow::ensure!(
        !stop.load(Ordering::Relaxed),
        "stopped by Ctrl-C; the rows are of what was finished"
    );
    Ok(())
}

/// The finished rows of every task.
#[derive(Default)]
struct Tables {
    rows: Vec<Row>,
    attacks: Vec<attacks::Table>,
    plans: plans::Plans,
    /// Scenes of which there is no window.
    left_out: usize,
    /// What the weights of the generator and of the planner are called, as far as they have rows.
    weights: Vec<String>,
}

impl Tables {
    /// Adds row after row, until all are there or `stop` is set; finished ones stay when one fails.
    fn fill(
        &mut self,
        arguments: &Arguments,
        tasks: &[TaskChoice],
        windows: &[Entered],
        makers: &Makers<'_>,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        let network = makers.network;
        let guidance = arguments.guidance()?;
        for choice in tasks {
            let task = match choice {
                TaskChoice::Free => Task::Free,
                TaskChoice::Goal => Task::Goal,
                TaskChoice::Attack => {
                    self.attacks
                        .push(attacks::run(arguments, windows, network, stop)?);
                    continue;
                }
                TaskChoice::Plan => {
                    plans::run(arguments, windows, stop, &mut self.plans)?;
                    continue;
                }
            };
            let methods: Vec<Method> = if arguments.methods.is_empty() {
                let own = makers.rollouts.map(|_| Method::Rollouts);
                Method::usual(task).into_iter().chain(own).collect()
            } else {
                let fit = |method: &Method| method.fits(*choice);
                arguments.methods.iter().copied().filter(fit).collect()
            };
            let guidances = [None]
                .into_iter()
                .chain(arguments.guidance.clone().map(Some));
            let redraws = [0]
                .into_iter()
                .chain(arguments.redraws.filter(|count| *count > 0));
            let variants: Vec<(Option<String>, usize)> = redraws
                .flat_map(|count| guidances.clone().map(move |text| (text, count)))
                .collect();
            let rows_wanted = methods.iter().flat_map(|method| {
                let guides = method.schedule().is_some()
                    && !matches!(method, Method::Prior | Method::Inpainting);
                let count = if guides { variants.len() } else { 1 };
                variants[..count].iter().map(|variant| (*method, variant))
            });
            for (method, (guidance_text, redraws)) in rows_wanted {
                let bench = Bench {
                    arguments,
                    makers,
                    guidance: guidance_text
                        .as_ref()
                        .map_or(Guidance::default(), |_| guidance),
                    guidance_text: guidance_text.clone(),
                    redraws: *redraws,
                    task,
                    method,
                    stop,
                };
                let shown = Shown::new(windows.len() as u64);
                let mut row = bench.row();
                for entered in windows {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    shown.doing(method.name());
                    bench.add(entered, &mut row)?;
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
                self.rows.push(row);
            }
        }
        Ok(())
    }

    /// A line for each window of each row.
    fn windows(&self) -> String {
        let mut sheet = Sheet::default();
        for row in &self.rows {
            row.put_windows(&mut sheet);
        }
        self.plans.put_windows(&mut sheet);
        sheet.text()
    }

    fn print(&self, arguments: &Arguments) {
        let reference = |row| reference(&self.rows, row, arguments.against);
        let rows = self.rows.iter();
        let rows: Vec<serde_json::Value> = rows
            .map(|row| row.json(arguments.seed, reference(row)))
            .collect();
        if arguments.json {
            let mut all = rows;
            all.extend(self.attacks.iter().map(|table| table.json(arguments.seed)));
            all.extend(self.plans.json(arguments.seed, arguments.against));
            println!(
                "{}",
                json!({
                    "rows": all,
                    "scenes_left_out": self.left_out,
                    "weights": self.weights,
                    "program": concat!("nearmiss ", env!("CARGO_PKG_VERSION")),
                    "seed": arguments.seed,
                    "stride_s": arguments.stride,
                    "windows_of_a_scene": arguments.windows,
                    "paths": arguments.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
                })
            );
            return;
        }
        if !rows.is_empty() {
            print!("{}", table::text(&rows));
        }
        for table in &self.attacks {
            print!("{}", table.text(arguments.seed));
        }
        if !self.plans.is_empty() {
            let text = plans::text(&self.plans, arguments.seed, arguments.against);
            print!("{text}");
        }
        let weights: Vec<&str> = self.weights.iter().map(|it| weights::short(it)).collect();
        println!("weights {}, seed {}", weights.join(" and "), arguments.seed);
    }
}

/// The row a row is compared with: that of `against`, else a guided or redrawn row's own without either.
fn reference<'a>(rows: &'a [Row], row: &Row, against: Option<Method>) -> Option<&'a Row> {
    let is_plain = |label: &Label| label.guidance.is_none() && label.redraws == 0;
    let own = (!is_plain(&row.label)).then_some(row.label.method);
    let method = against.map(Method::name).or(own)?;
    rows.iter().find(|other| {
        other.label.task == row.label.task
            && other.label.method == method
            && is_plain(&other.label)
            && other.label != row.label
    })
}

/// A window with the scene it is cut from.
pub(super) struct Entered {
    window: LoggedWindow,
    /// What the scene is called.
    scene: String,
    /// Where that comes from.
    origin: Origin,
    /// The name of its file, as [`stem_of`] has it.
    file: Option<String>,
}

/// The windows of all scenes, and how many scenes are left out as there is none; each of these is named with the reason.
fn load(arguments: &Arguments) -> anyhow::Result<(Vec<Entered>, usize)> {
    ensure_usage!(
        arguments.agents > 1,
        "--agents 1: a window that is judged needs the ego and another agent"
    );
    let entries = scenes(&arguments.paths)?;
    let mut found: Vec<(&data::Entry, Origin, Vec<LoggedWindow>)> = Vec::new();
    let mut left_out = 0;
    for entry in &entries {
        let opened = data::open(&entry.file, entry.pick.as_deref());
        let windows = opened
            .map_err(|error| error.to_string())
            .and_then(|opened| {
                let stride_s = arguments.stride.max(0.5);
                let windows =
                    logged_windows(&opened.scene, &entry.name, stride_s, arguments.agents);
                match windows.is_empty() {
                    true => Err(lack_of(&opened.scene)),
                    false => Ok((Origin::of(&opened.scene), windows)),
                }
            });
        match windows {
            Ok((origin, mut windows)) => {
                windows.truncate(arguments.windows.unwrap_or(usize::MAX));
                found.push((entry, origin, windows));
            }
            Err(why) => {
                eprintln!(
                    "{}",
                    for_terminal(&format!("left out: {}: {why}", entry.name))
                );
                left_out += 1;
            }
        }
    }
    let origins: Vec<Origin> = found.iter().map(|(_, origin, _)| origin.clone()).collect();
    let names: Vec<&str> = found.iter().map(|(entry, ..)| &*entry.name).collect();
    let names = names_of_recordings(&recordings(&origins), &names);
    let entered = found.into_iter().zip(names);
    let entered = entered.flat_map(|((entry, origin, windows), recording)| {
        let file = stem_of(&entry.file, entry.pick.as_deref());
        windows.into_iter().map(move |window| Entered {
            window: LoggedWindow {
                recording: recording.clone(),
                ..window
            },
            scene: entry.name.clone(),
            origin: origin.clone(),
            file: file.clone(),
        })
    });
    Ok((entered.collect(), left_out))
}

/// The rollouts with how many every window has at least; windows without any are left out.
///
/// # Errors
/// If no window has one.
fn of_rollouts(rollouts: Rollouts, windows: &mut Vec<Entered>) -> anyhow::Result<(Rollouts, u64)> {
    let why = rollouts.lack(&windows[0]);
    let all = windows.len();
    windows.retain(|entered| rollouts.count(entered) > 0);
    anyhow::ensure!(!windows.is_empty(), "{why}");
    if windows.len() < all {
        let count = all - windows.len();
        eprintln!("windows without a rollout, left out of all rows: {count} of {all}");
    }
    let counts = windows.iter().map(|entered| rollouts.count(entered));
    let each = counts.min().unwrap_or(1) as u64;
    Ok((rollouts, each))
}

/// Why no window of a scene can be judged.
fn lack_of(scene: &Scene) -> String {
    match scene.duration_s() < 8.5 {
        true => format!(
            "it lasts {:.1} s, and a window needs 0.5 s of history and 8 s of future",
            scene.duration_s()
        ),
        false => "no window of it has an ego and another agent at its present".to_owned(),
    }
}

/// A name for the recording of each of some scenes, that of its first scene; `firsts` are the positions of those. Two
/// recordings never have one name.
fn names_of_recordings(firsts: &[usize], scenes: &[&str]) -> Vec<String> {
    let name = |&first: &usize| {
        let name = scenes[first];
        let earlier = firsts.iter().filter(|other| **other < first);
        match earlier.clone().any(|other| scenes[*other] == name) {
            true => format!("{name} ({first})"),
            false => name.to_owned(),
        }
    };
    firsts.iter().map(name).collect()
}

/// Who makes futures besides the baselines.
struct Makers<'a> {
    network: &'a Network,
    rollouts: Option<&'a (Rollouts, u64)>,
}

struct Bench<'a> {
    arguments: &'a Arguments,
    makers: &'a Makers<'a>,
    guidance: Guidance,
    guidance_text: Option<String>,
    redraws: usize,
    task: Task,
    method: Method,
    stop: &'a AtomicBool,
}

impl Bench<'_> {
    fn steps(&self) -> Option<(ScheduleKind, usize)> {
        let (kind, usual) = self.method.schedule()?;
        let asked = self
            .arguments
            .steps
            .filter(|_| self.method != Method::Prior);
        Some((kind, asked.unwrap_or(usual)))
    }

    fn temperature(&self) -> f64 {
        let asked = self.arguments.temperature;
        asked.unwrap_or(usual_temperature(self.task))
    }

    fn kind(&self) -> AgentKind {
        match self.arguments.kind {
            KindChoice::Vehicle => AgentKind::Vehicle,
            KindChoice::Pedestrian => AgentKind::Pedestrian,
            KindChoice::Cyclist => AgentKind::Cyclist,
        }
    }

    fn row(&self) -> Row {
        Row::new(Label {
            task: self.task,
            method: self.method.name(),
            guidance: self.guidance_text.clone(),
            redraws: self.redraws,
            steps: self.steps(),
            temperature: self.steps().map(|_| self.temperature()),
            kind: self.kind().word(),
        })
    }

    /// Runs the method on one window and adds what it scored.
    fn add(&self, entered: &Entered, row: &mut Row) -> anyhow::Result<()> {
        let window = &entered.window;
        let asked = self.arguments.samples.max(1);
        let draws = match (self.task, self.method, self.makers.rollouts) {
            (Task::Free, Method::Rollouts, Some((_, each))) => asked.min(*each),
            (Task::Free, ..) if self.steps().is_some() => asked,
            _ => 1,
        };
        let mut results = Vec::new();
        for sample in 0..draws {
            let begun = Instant::now();
            let (result, steps_taken) = self.result(entered, sample)?;
            row.time(begun.elapsed().as_secs_f64(), steps_taken);
            results.push(result);
        }
        let scores: Vec<_> = results
            .iter()
            .map(|result| window.score(result, self.task, self.kind()))
            .collect();
        let is_real = self.arguments.realism && self.task == Task::Free;
        let realism = is_real.then(|| realism_of(window, &results, self.kind()));
        row.add(entered, &scores, realism.flatten());
        Ok(())
    }

    fn result(&self, entered: &Entered, sample: u64) -> anyhow::Result<(Scene, usize)> {
        let window = &entered.window;
        let scene = &window.scene;
        match self.method {
            Method::Log => return Ok((window.log(), 0)),
            Method::ConstantVelocity => return Ok((constant_velocity(scene, &window.window), 0)),
            Method::Idm => return Ok((idm_rollout(scene), 0)),
            Method::Rollouts => {
                let (rollouts, _) = self.makers.rollouts.context("there are no rollouts")?;
                let sample = sample as usize;
                return Ok((rollouts.scene(entered, sample, self.kind())?, 0));
            }
            Method::Hermite => {
                let goals: Vec<_> = window
                    .goals
                    .iter()
                    .enumerate()
                    .map(|(row, goal)| goal.map(|token| (token, *window.window.state(row, token))))
                    .collect();
                return Ok((hermite_to_goal(scene, &window.window, &goals), 0));
            }
            _ => {}
        }
        let Some((kind, steps)) = self.steps() else {
            anyhow::bail!("{} has no schedule", self.method.name());
        };
        let plan = window.plan(self.task);
        if self.method == Method::Inpainting {
            let seed = self.arguments.seed.wrapping_add(sample);
            let tokens = inpaint(&plan, self.makers.network, steps, seed, self.temperature())?;
            let states = plan.window.states(&tokens, self.makers.network.scale());
            return Ok((decode(scene, &plan.window, &states), steps));
        }
        let mut recipe = window.recipe(self.task, kind, steps, self.arguments.seed);
        recipe.sample = sample;
        recipe.temperature = self.temperature();
        recipe.history_level = self.arguments.history_level;
        if let Some(on) = self.arguments.prior_smoothing {
            recipe.prior_smoothing = on;
        }
        recipe.guidance = self.guidance;
        recipe.redraws = self.redraws;
        let prior;
        let prepare: &dyn Prepare = if self.method == Method::Prior {
            prior = self.makers.network.prior_only();
            &prior
        } else {
            self.makers.network
        };
        let mut run = Run::of_plan(scene, recipe, plan, prepare)?;
        // of a row that is stopped nothing counts
        while !run.finished() && !self.stop.load(Ordering::Relaxed) {
            run.step()?;
        }
        Ok((run.preview(), run.event().taken))
    }
}
