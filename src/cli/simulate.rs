//! `nearmiss simulate`: scenes from the traffic world, as many as wanted.

use std::path::PathBuf;

use anyhow::Context as _;
use rayon::prelude::*;

use crate::rng::Seed;
use crate::scene::write_scene;
use crate::sim;

/// Arguments of `nearmiss simulate`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Folder to write the scenes to; made if missing.
    #[arg(long)]
    out: PathBuf,
    /// How many scenes.
    #[arg(long)]
    scenes: u64,
    /// Seed: the same seed gives the same scenes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Length of a scene in seconds; the present is at 2 s.
    #[arg(long, default_value_t = 12.0)]
    seconds: f64,
    /// Number of the first scene, to continue a series.
    #[arg(long, default_value_t = 0)]
    from: u64,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = &arguments.out;
    anyhow::ensure!(
        (3.0..=600.0).contains(&arguments.seconds),
        "--seconds must lie in 3 to 600"
    );
    std::fs::create_dir_all(folder)
        .with_context(|| format!("could not make folder {}", folder.display()))?;
    let numbers: Vec<u64> = (arguments.from..arguments.from + arguments.scenes).collect();
    let bar = indicatif::ProgressBar::new(arguments.scenes);
    let written: anyhow::Result<Vec<bool>> = numbers
        .par_iter()
        .map(|&index| {
            let scene = sim::simulate(Seed(arguments.seed), index, arguments.seconds);
            bar.inc(1);
            let Some(scene) = scene else {
                return Ok(false);
            };
            let path = folder.join(format!("sim-{}-{index:06}.json", arguments.seed));
            write_scene(&scene, &path)?;
            Ok(true)
        })
        .collect();
    bar.finish_and_clear();
    let count = written?.into_iter().filter(|&done| done).count();
    println!("{count} scenes in {}", folder.display());
    Ok(())
}
