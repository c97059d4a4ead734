//! The command line: one file per subcommand, the same functions as the window.
//!
//! Exit code 0, 1 with one error chain on standard error, or 2 for wrong usage. Results go to standard output,
//! progress and notes to standard error.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the room that speaks"
)]

mod batch;
mod bench;
mod check;
mod convert;
mod demonstration;
mod drive;
mod drivers;
mod eval;
mod generate;
mod info;
mod keys;
mod making;
mod moments;
mod plan;
mod planning;
mod recording;
mod render;
mod report;
mod schema;
mod score;
mod serve;
mod simulate;
mod sweep;
mod tensors;
mod usage;
mod weights;
mod window;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::scene::for_terminal;
use usage::is_usage;

/// A studio for driving corner cases: open a scene, drag a goal, and a diffusion model answers.
#[derive(Parser)]
#[command(name = "nearmiss", version, after_help = EXITS)]
struct Arguments {
    /// The scene to open in the window (a bundled one if none is given).
    scene: Option<PathBuf>,
    #[command(flatten)]
    weights: weights::Files,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXITS: &str = "\
Exit code: 0; 1 with a sentence on standard error if it could not be done, if a case does not hold (check), or if something is \
missing in what was made of several files (score, report); 2 for wrong usage. Generate, drive, eval and sweep say what they leave \
out and why, and end with 0 if anything was done; Ctrl-C ends them with 1, and what was finished stays.";

#[derive(Subcommand)]
enum Command {
    /// Measure the network on this machine, beside what the machine could do.
    Bench(bench::Arguments),
    /// Judge a stored case again and compare it with what its recipe gives.
    Check(check::Arguments),
    /// Write a scene in another format, and read it again.
    Convert(convert::Arguments),
    /// Put a planner at the wheel of the ego, in closed loop.
    Drive(drive::Arguments),
    /// Hold methods against the log, in tables.
    Eval(eval::Arguments),
    /// Make cases from scenes.
    Generate(generate::Arguments),
    /// Show what a file or folder holds: agents, duration, lanes, problems.
    Info(info::Arguments),
    /// Show the ego's futures, their scores, and which one it takes.
    Plan(plan::Arguments),
    /// Draw a scene into a picture or a clip, without a window.
    Render(render::Arguments),
    /// Tell of cases in a page for a browser, with their clips and what planners make of them.
    Report(report::Arguments),
    /// Print the JSON Schema of the scene file.
    Schema(schema::Arguments),
    /// Measure scenes and cases into a table of comma-separated values.
    Score(score::Arguments),
    /// Answer requests for plans, one line of JSON each: the ego planner for a program of your own.
    Serve(serve::Arguments),
    /// Write scenes from the traffic world.
    Simulate(simulate::Arguments),
    /// Sweep numbers of a scene, look more closely where results turn, and map what planners make of it.
    Sweep(sweep::Arguments),
    /// Cut scenes into shards of windows: the input of the training recipe.
    Tensors(tensors::Arguments),
}

/// Parses the command line, runs it, and prints an error chain if it fails.
pub fn main() -> ExitCode {
    leave_quietly_when_nobody_reads();
    let arguments = Arguments::parse();
    if let (Some(scene), Some(_)) = (&arguments.scene, &arguments.command) {
        eprintln!(
            "nearmiss: {}: a scene before a command means nothing; scenes come after it",
            scene.display()
        );
        return ExitCode::from(2);
    }
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    arguments.weights.choose(variable);
    let result = match arguments.command {
        Some(Command::Bench(arguments)) => bench::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Convert(arguments)) => convert::run(&arguments),
        Some(Command::Drive(arguments)) => drive::run(&arguments),
        Some(Command::Eval(arguments)) => eval::run(&arguments),
        Some(Command::Generate(arguments)) => generate::run(&arguments),
        Some(Command::Info(arguments)) => info::run(&arguments),
        Some(Command::Plan(arguments)) => plan::run(&arguments),
        Some(Command::Render(arguments)) => render::run(&arguments),
        Some(Command::Report(arguments)) => report::run(&arguments),
        Some(Command::Schema(arguments)) => schema::run(&arguments),
        Some(Command::Score(arguments)) => score::run(&arguments),
        Some(Command::Serve(arguments)) => serve::run(&arguments),
        Some(Command::Simulate(arguments)) => simulate::run(&arguments),
        Some(Command::Sweep(arguments)) => sweep::run(&arguments),
        Some(Command::Tensors(arguments)) => tensors::run(&arguments),
        None => window::run(arguments.scene),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nearmiss: {}", for_terminal(&format!("{error:#}")));
            match is_usage(&error) {
                true => ExitCode::from(2),
                false => ExitCode::FAILURE,
            }
        }
    }
}

/// `nearmiss info FILE | head`: when the reader closes the pipe, stop without a complaint, as other programs do. What
/// cannot be printed for another reason (a full disk) is said in a sentence.
fn leave_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>();
        match message.filter(|text| text.starts_with("failed printing to")) {
            Some(text) if text.contains("Broken pipe") => std::process::exit(0),
            Some(text) => {
                use std::io::Write as _;
                // standard error may be as full
                let _full = writeln!(std::io::stderr(), "nearmiss: {text}");
                std::process::exit(1);
            }
            None => usual(panic),
        }
    }));
}
