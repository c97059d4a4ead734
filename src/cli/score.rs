//! `nearmiss score`: metrics of scenes and cases as comma-separated values.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, ensure};

use super::batch::scenes;
use super::render::steps_of;
use crate::data;
use crate::metrics::{sheet_of_cases, sheet_of_steps};
use crate::scene::Scene;

/// Arguments of `nearmiss score`.
#[derive(clap::Args)]
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
    let mut opened: Vec<(String, Scene)> = Vec::new();
    for entry in scenes(&arguments.cases)? {
        let scene = data::open(&entry.file, entry.pick.as_deref())?.scene;
        opened.push((entry.name, scene));
    }
    let text = if arguments.steps {
        ensure!(
            opened.len() == 1,
            "--steps makes a table of one case, not of {}",
            opened.len()
        );
        let (_, case) = opened.pop().context("no case")?;
        steps_table(&Arc::new(case))?
    } else {
        sheet_of_cases(opened.iter().map(|(name, scene)| (name.as_str(), scene)))
    };
    match &arguments.out {
        Some(path) => {
            std::fs::write(path, &text).with_context(|| format!("could not write {path:?}"))?;
            println!("{}: {} rows", path.display(), text.lines().count() - 1);
        }
        None => print!("{text}"),
    }
    Ok(())
}

fn steps_table(case: &Arc<Scene>) -> anyhow::Result<String> {
    let log = steps_of(case)?;
    let last = log.records.len().saturating_sub(1);
    let steps: Vec<(usize, f64, Scene)> = (0..=last)
        .map(|step| {
            let scene = match step == last {
                true => Scene::clone(case),
                false => log.scene(case, step, false),
            };
            (step, log.mean_level(step), scene)
        })
        .collect();
    let rows = steps
        .iter()
        .map(|(step, level, scene)| (*step, *level, scene));
    Ok(sheet_of_steps(rows))
}
