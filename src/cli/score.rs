//! `nearmiss score`: metrics of scenes and cases as comma-separated values.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{bail, ensure};

use super::batch::{Shown, scenes, stop_on_ctrl_c};
use super::keys;
use super::render::steps_of;
use crate::data;
use crate::metrics::{sheet_of_cases, sheet_of_steps};
use crate::scene::{Scene, in_words, write_whole};

/// Arguments of `nearmiss score`.
#[derive(clap::Args)]
#[command(after_long_help = keys::SCORE)]
pub(super) struct Arguments {
    /// Scene and case files or folders, in any readable format.
    #[arg(required = true)]
    cases: Vec<PathBuf>,
    /// One row per denoising step of a generated case, run again from its recipe, instead of one per case.
    #[arg(long)]
    steps: bool,
    /// The table to write; standard output if not given.
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let entries = scenes(&arguments.cases)?;
    let open = |entry: &data::Entry| data::open(&entry.file, entry.pick.as_deref());
    if arguments.steps {
        let [entry] = entries.as_slice() else {
            bail!(
                "--steps makes a table of one case, not of {}",
                entries.len()
            );
        };
        return put(arguments, &steps_table(&Arc::new(open(entry)?.scene))?);
    }
    let stop = stop_on_ctrl_c();
    let shown = Shown::new(entries.len() as u64);
    let mut unreadable = 0_usize;
    let going = entries.iter().take_while(|_| !stop.load(Ordering::Relaxed));
    let text = sheet_of_cases(going.filter_map(|entry| {
        shown.done(&entry.name);
        match open(entry) {
            Ok(opened) => Some((&entry.name, opened.scene)),
            Err(error) => {
                unreadable += 1;
                shown.note(&format!("left out: {:#}", anyhow::Error::new(error)));
                None
            }
        }
    }));
    shown.finish();
    ensure!(unreadable < entries.len(), "no case can be opened");
    put(arguments, &text)?;
    let count = entries.len();
    ensure!(
        !stop.load(Ordering::Relaxed),
        "stopped by Ctrl-C; the table is of what was measured before"
    );
    ensure!(unreadable == 0, "{unreadable} of {count} cannot be opened");
    Ok(())
}

fn put(arguments: &Arguments, text: &str) -> anyhow::Result<()> {
    match &arguments.out {
        Some(path) => {
            write_whole(path, text.as_bytes())
                .map_err(|error| anyhow::anyhow!("{}: {}", path.display(), in_words(&error)))?;
            println!("{}: {} rows", path.display(), text.lines().count() - 1);
        }
        None => print!("{text}"),
    }
    Ok(())
}

fn steps_table(case: &Arc<Scene>) -> anyhow::Result<String> {
    let steps = steps_of(case)?;
    let rows = (0..steps.count()).map(|step| (step, steps.log.mean_level(step), steps.scene(step)));
    Ok(sheet_of_steps(rows))
}
