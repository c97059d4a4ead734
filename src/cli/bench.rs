//! `nearmiss bench`: how long the network takes on this machine, beside what the machine could do.

mod planner;

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Instant;

use serde::Serialize;

use super::usage::ensure_usage;
use super::weights;
use crate::codec::{Options, T, Window, decode};
use crate::diffusion::{Denoise, NoiseMatrix, Prepare, Sampler, Schedule, Start};
use crate::generator::{Run, Settings, draft};
use crate::geometry::dvec2;
use crate::model::{GemmProbe, Network, Part, Profile};
use crate::render::bench_frames;
use crate::rng::Seed;
use crate::scene::{
    Agent, AgentId, AgentKind, Edit, Scene, ScheduleKind, SignalState, Track, scene_from_json,
};
use crate::sim::BUNDLED;
use crate::ui;

/// Arguments of `nearmiss bench`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Threads of the network (0: all cores).
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Measure the window instead: it opens, drags, generates, and closes again. Needs a display.
    #[arg(long)]
    window: bool,
    /// Generations before memory is looked at again, with --window.
    #[arg(long, value_name = "N", default_value_t = 200)]
    generations: usize,
    /// Seconds spent on each figure.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

#[derive(Serialize)]
struct Machine {
    cpu: String,
    cores: usize,
    threads: usize,
    gemm_peak_gflops: f64,
    weights: String,
}

#[derive(Serialize)]
struct Row {
    what: String,
    value: f64,
    unit: &'static str,
}

#[derive(Serialize)]
struct Report {
    machine: Machine,
    rows: Vec<Row>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.window {
        return window(arguments);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    ensure_usage!(
        arguments.threads <= cores,
        "--threads {}: this machine has {cores} cores to measure on",
        arguments.threads
    );
    let network = weights::network(arguments.threads)?;
    let mut report = measure(&network, arguments.seconds.max(0.05))?;
    report
        .rows
        .extend(planner::rows(arguments.seconds.max(0.05))?);
    report.rows.extend(frames());
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let machine = &report.machine;
    println!(
        "{}, {} cores, {} network threads, f32 GEMM peak {:.0} GFLOP/s, weights {}",
        machine.cpu,
        machine.cores,
        machine.threads,
        machine.gemm_peak_gflops,
        &machine.weights[..12.min(machine.weights.len())],
    );
    for row in &report.rows {
        println!("{:<52} {:>10.3} {}", row.what, row.value, row.unit);
    }
    Ok(())
}

/// What the window takes, measured by itself.
fn window(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let start = ui::Start {
        bundled: &BUNDLED,
        load: Some(Box::new(super::window::load)),
        folder: Some(folder.path().to_owned()),
        ..ui::Start::default()
    };
    let rows: Vec<Row> = ui::measure(start, arguments.generations)?
        .into_iter()
        .map(|(what, value, unit)| Row { what, value, unit })
        .collect();
    if arguments.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&serde_json::json!({ "rows": rows }))?
        );
        return Ok(());
    }
    for row in &rows {
        println!("{:<72} {:>10.3} {}", row.what, row.value, row.unit);
    }
    Ok(())
}

/// What a frame of the canvas costs the processor, for a city of 5,000 lane pieces.
fn frames() -> Vec<Row> {
    let began = Instant::now();
    [200, 2000]
        .into_iter()
        .flat_map(|agents| bench_frames(agents, 5000, || began.elapsed().as_secs_f64()))
        .map(|cost| Row {
            what: format!("frame: {}, {} agents", cost.what, cost.agents),
            value: cost.median_ms,
            unit: "ms",
        })
        .collect()
}

fn measure(network: &Network, seconds: f64) -> anyhow::Result<Report> {
    let mut rows = Vec::new();
    let mut row = |what: &str, value: f64, unit: &'static str| {
        rows.push(Row {
            what: what.to_owned(),
            value,
            unit,
        });
    };
    let mut probe = GemmProbe::new(network);
    let mut operations = 0.0;
    let peak = {
        let spent = spend(seconds, || operations = probe.run(network));
        let threads = network.threads() as f64;
        let wall = operations / spent.wall_s[0];
        spent
            .processor_s
            .map_or(wall, |each| wall.max(operations / each * threads))
    };
    for agents in [8, 16, 32] {
        let bench = Bench::new(agents)?;
        let mut step = bench.step(network, 1)?;
        let spent = spend(seconds, &mut step);
        let busy = spent.busy_s(network);
        let flops: f64 = network.step_flops(agents).iter().sum();
        row(
            &format!("denoising step, A={agents}, T={T}"),
            1e3 * spent.median_s(),
            "ms",
        );
        row(
            &format!("  processor time per thread, A={agents}"),
            1e3 * busy,
            "ms",
        );
        row(
            &format!("  of the GEMM peak over the whole step, A={agents}"),
            100.0 * flops / busy / peak,
            "%",
        );
    }
    let bench = Bench::new(32)?;
    let profile = Arc::new(Profile::new(nanoseconds));
    let mut step = bench.step(&network.profiled(Arc::clone(&profile)), 1)?;
    let spent = spend(seconds, &mut step);
    let parts = Part::ALL.map(|part| profile.nanoseconds(part) as f64);
    let sum: f64 = parts.iter().sum();
    for (part, nanoseconds) in Part::ALL.into_iter().zip(parts) {
        let each = nanoseconds / sum * spent.busy_s(network);
        row(
            &format!("  {} in a step, A=32", part.word()),
            1e3 * each,
            "ms",
        );
        if part == Part::Matmul {
            let [products, _] = network.step_flops(32);
            let share = 100.0 * products / each / peak;
            row(
                "  of the GEMM peak over products with weights, A=32",
                share,
                "%",
            );
        }
    }
    let mut six = Bench::new(8)?.step(network, 6)?;
    let each = 1e3 * spend(seconds, &mut six).median_s() / 6.0;
    row(
        "denoising step per sample, six samples at once, A=8",
        each,
        "ms",
    );
    let mut plain = bench.step(&network.reference(), 1)?;
    row(
        "denoising step in plain candle operations, A=32",
        1e3 * spend(seconds, &mut plain).median_s(),
        "ms",
    );
    let mut prior = bench.step(&network.prior_only(), 1)?;
    row(
        "the prior alone, A=32",
        1e3 * spend(seconds, &mut prior).median_s(),
        "ms",
    );
    let prepare = spend(seconds, || {
        let _job = network.prepare(&bench.window());
    });
    row(
        "window and map encoding, A=32",
        1e3 * prepare.median_s(),
        "ms",
    );
    let scene = spend(seconds, || bench.whole_scene(network));
    row(
        "8 s scene, full schedule in 32 steps, A=32",
        1e3 * scene.median_s(),
        "ms",
    );
    row(
        "  processor time per thread",
        1e3 * scene.busy_s(network),
        "ms",
    );
    row(
        "reaction: edit, one step, new scene, A=32",
        1e3 * bench.reaction(network, seconds)?,
        "ms",
    );
    let comes = Edit::Add {
        agent: AgentId::new("newcomer"),
        kind: AgentKind::Vehicle,
        point: bench.scene.agents[0]
            .track
            .get(bench.scene.now)
            .map_or([0.0; 2], |state| (state.position + dvec2(0.0, 20.0)).into()),
        heading: 0.0,
        speed: 5.0,
        size: None,
    };
    let changes = Edit::SetSignal {
        signal: 0,
        from_frame: bench.scene.now,
        state: SignalState::Yellow,
    };
    for (what, edit) in [
        (
            "reaction: an agent comes in, one step, new scene, A=32",
            comes,
        ),
        (
            "reaction: a signal changes, one step, new scene, A=32",
            changes,
        ),
    ] {
        row(
            what,
            1e3 * bench.reaction_to(&edit, network, seconds)?,
            "ms",
        );
    }
    Ok(Report {
        machine: Machine {
            cpu: cpu_name(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads: network.threads(),
            gemm_peak_gflops: peak / 1e9,
            weights: network.hash().to_owned(),
        },
        rows,
    })
}

/// A scene with a given number of agents: the first bundled one with agents taken away or set beside themselves.
struct Bench {
    scene: Scene,
}

impl Bench {
    fn new(agents: usize) -> anyhow::Result<Self> {
        let (name, text) = BUNDLED[0];
        let mut scene = scene_from_json(text.as_bytes(), name)?;
        let here = |agent: &Arc<Agent>| agent.track.get(scene.now).is_some();
        let present: Vec<Arc<Agent>> = scene
            .agents
            .iter()
            .filter(|agent| here(agent))
            .cloned()
            .collect();
        anyhow::ensure!(
            !present.is_empty(),
            "bundled scene {name} has nobody at the present"
        );
        scene.agents = (0..agents)
            .map(|index| {
                let original = &present[index % present.len()];
                let aside = dvec2(0.0, 3.0) * (index / present.len()) as f64;
                let states = original.track.states().iter().map(|state| {
                    state.map(|mut state| {
                        state.position += aside;
                        state
                    })
                });
                Arc::new(Agent {
                    id: AgentId::new(index.to_string()),
                    track: Track::new(states.collect()),
                    ..Agent::clone(original)
                })
            })
            .collect();
        scene.goals.clear();
        scene.attacks.clear();
        Ok(Self { scene })
    }

    fn window(&self) -> Window {
        let options = Options {
            radius_m: 1e4,
            ..Options::default()
        };
        Window::new(&self.scene, &options)
    }

    /// A run from pure noise with a goal for every other agent.
    fn sampler(
        &self,
        window: &Window,
        network: &Network,
        samples: usize,
    ) -> anyhow::Result<Sampler> {
        let mut matrix = NoiseMatrix::futures(window.agents());
        for agent in (0..window.agents()).step_by(2) {
            matrix.set(agent, T - 1, 0.0);
        }
        let kind = ScheduleKind::Full;
        let schedule = Schedule::new(kind, Schedule::paper_steps(kind), &matrix);
        Ok(Sampler::new(Start {
            window,
            given: &window.normalised(network.scale()),
            matrix: &matrix,
            schedule: &schedule,
            seed: Seed(1),
            sample: 0,
            samples,
            temperature: 0.5,
        })?)
    }

    /// One step of the network, the posterior's gains known only for the levels of that step.
    fn step(&self, network: &Network, samples: usize) -> anyhow::Result<impl FnMut() + use<>> {
        let window = self.window();
        let sampler = self.sampler(&window, network, samples)?;
        let mut job = network.prepare(&window)?;
        let noisy = sampler.tokens().to_vec();
        let mut levels = sampler.levels().to_vec();
        let mut clean = vec![0.0; noisy.len()];
        let mut count = 0_u32;
        Ok(move || {
            // new levels every time, as in a run: nothing is remembered from the step before
            count += 1;
            for level in levels.iter_mut().filter(|level| **level > 0.0) {
                *level = 1.0 - 0.9 * f64::from(count).mul_add(0.618_034, 0.0).fract() as f32;
            }
            let _result = job.denoise(&noisy, &levels, &mut clean);
        })
    }

    fn whole_scene(&self, network: &Network) {
        let window = self.window();
        let made = (|| -> anyhow::Result<Scene> {
            let mut sampler = self.sampler(&window, network, 1)?;
            let mut job = network.prepare(&window)?;
            while !sampler.finished() {
                sampler.step(&mut *job, &mut [])?;
            }
            let states = window.states(sampler.tokens(), network.scale());
            Ok(decode(&self.scene, &window, &states))
        })();
        debug_assert!(made.is_ok());
    }

    /// Median time from an edit during a run to the scene after the next step, s.
    fn reaction(&self, network: &Network, seconds: f64) -> anyhow::Result<f64> {
        let window = self.window();
        let mut job: Box<dyn Denoise + Send> = network.prepare(&window)?;
        let mut spent = Vec::new();
        let begin = Instant::now();
        while begin.elapsed().as_secs_f64() < seconds || spent.is_empty() {
            let mut sampler = self.sampler(&window, network, 1)?;
            for token in [T - 1, T - 2, T - 3, T - 4, T - 5, T - 6] {
                sampler.step(&mut *job, &mut [])?;
                let start = Instant::now();
                let value = window.normalise(0, token, window.state(0, token), network.scale());
                sampler.overwrite(0, token, value);
                sampler.step(&mut *job, &mut [])?;
                let states = window.states(sampler.clean(), network.scale());
                let _scene = decode(&self.scene, &window, &states);
                spent.push(start.elapsed().as_secs_f64());
            }
        }
        spent.sort_by(f64::total_cmp);
        Ok(median(&spent))
    }
}

impl Bench {
    /// Median time from a change of the world during a run to the scene after the next step, s.
    fn reaction_to(&self, edit: &Edit, network: &Network, seconds: f64) -> anyhow::Result<f64> {
        let changed = self.scene.edited(edit)?;
        let mut spent = Vec::new();
        let begin = Instant::now();
        while begin.elapsed().as_secs_f64() < seconds || spent.is_empty() {
            let recipe = draft(&self.scene, &Settings::default(), network.identity())?;
            let mut run = Run::new(&self.scene, recipe, network)?;
            run.step()?;
            let start = Instant::now();
            anyhow::ensure!(run.react(&changed)?, "the run took in no change");
            run.step()?;
            let _scene = run.preview();
            spent.push(start.elapsed().as_secs_f64());
        }
        spent.sort_by(f64::total_cmp);
        Ok(median(&spent))
    }
}

/// What a piece of work took.
struct Spent {
    /// Wall times, s, sorted.
    wall_s: Vec<f64>,
    /// Mean processor time of all threads together, s, where the system tells.
    processor_s: Option<f64>,
}

impl Spent {
    fn median_s(&self) -> f64 {
        median(&self.wall_s)
    }

    /// Time a thread of the network was busy, s: processor time where known, so that other programs on the machine
    /// count little; else wall time.
    fn busy_s(&self, network: &Network) -> f64 {
        self.processor_s
            .map_or(self.median_s(), |all| all / network.threads() as f64)
    }
}

/// Runs `work` as often as fits into `seconds` (at least three times, after once to warm up).
fn spend(seconds: f64, mut work: impl FnMut()) -> Spent {
    work();
    let begin = Instant::now();
    let processor = processor_s();
    let mut wall_s = Vec::new();
    while wall_s.len() < 3 || begin.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        work();
        wall_s.push(start.elapsed().as_secs_f64());
    }
    let spent = processor
        .zip(processor_s())
        .map(|(before, after)| after - before);
    let processor_s = spent.map(|spent| spent / wall_s.len() as f64);
    wall_s.sort_by(f64::total_cmp);
    Spent {
        wall_s,
        processor_s,
    }
}

/// Processor time of all threads so far, s, where the system tells it to the nanosecond (Linux).
fn processor_s() -> Option<f64> {
    let mut nanoseconds = 0.0;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split(' ').next()?.parse::<f64>().ok()?;
    }
    Some(nanoseconds * 1e-9)
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

fn nanoseconds() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// The processor's name where the system tells it.
fn cpu_name() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split(':').nth(1)?.trim().to_owned())
        });
    told.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}
