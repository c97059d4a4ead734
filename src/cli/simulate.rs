//! `nearmiss simulate`: scenes from the traffic world, as many as wanted.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use rayon::prelude::*;

use super::batch::{Existing, Shown, make_folder, stop_on_ctrl_c};
use super::usage::ensure_usage;
use crate::corpus::resample_attacker;
use crate::rng::{Purpose, Seed, Stream};
use crate::scene::{AgentId, AgentKind, Scene, write_scene};
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
    /// Share of the scenes in which a neighbour is resampled so that it meets the ego (likelihood x collision x
    /// earliness, filtered by the gates); both end at the contact.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    attack_share: f64,
    #[command(flatten)]
    existing: Existing,
}

/// Egos tried before a scene stays without attack.
const EGOS: usize = 8;

/// What became of a scene.
enum Made {
    Nothing,
    Ordinary,
    Attacked,
    AttackFailed,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = &arguments.out;
    ensure_usage!(
        (3.0..=600.0).contains(&arguments.seconds),
        "--seconds must lie in 3 to 600"
    );
    ensure_usage!(
        (0.0..=1.0).contains(&arguments.attack_share),
        "--attack-share {}: a share lies between 0 and 1",
        arguments.attack_share
    );
    let path = |index: u64| folder.join(format!("sim-{}-{index:06}.json", arguments.seed));
    let index = |number: u64| arguments.from.saturating_add(number);
    if folder.exists() {
        let files = (0..arguments.scenes).map(|number| path(index(number)));
        arguments.existing.allows(files)?;
    }
    make_folder(folder)?;
    let stop = stop_on_ctrl_c();
    let shown = Shown::new(arguments.scenes);
    let made: anyhow::Result<Vec<Made>> = (0..arguments.scenes)
        .into_par_iter()
        .map(|number| {
            let index = index(number);
            if stop.load(Ordering::Relaxed) {
                return Ok(Made::Nothing);
            }
            let scene = sim::simulate(Seed(arguments.seed), index, arguments.seconds);
            shown.done(&format!("scene {index}"));
            let Some(mut scene) = scene else {
                return Ok(Made::Nothing);
            };
            let mut draw = Seed(arguments.seed).substream(Purpose::Corpus, index);
            let made = if !draw.chance(arguments.attack_share) {
                Made::Ordinary
            } else if let Some(attacked) = attacked(&scene, &mut draw) {
                scene = attacked;
                Made::Attacked
            } else {
                Made::AttackFailed
            };
            write_scene(&scene, &path(index))?;
            Ok(made)
        })
        .collect();
    shown.finish();
    let made = made?;
    let count = |wanted: fn(&Made) -> bool| made.iter().filter(|&one| wanted(one)).count();
    let attacked = count(|made| matches!(made, Made::Attacked));
    let failed = count(|made| matches!(made, Made::AttackFailed));
    let written = count(|made| !matches!(made, Made::Nothing));
    println!("{written} scenes in {}", folder.display());
    if attacked + failed > 0 {
        println!("{attacked} of them attacked; in {failed} no attack passed the gates");
    }
    anyhow::ensure!(
        !stop.load(Ordering::Relaxed),
        "stopped by Ctrl-C; what was finished is kept"
    );
    Ok(())
}

/// The scene with an attack on its ego or, where none passes the gates, on another of its vehicles, which then is the
/// ego.
fn attacked(scene: &Scene, draw: &mut Stream) -> Option<Scene> {
    let mut others: Vec<(u64, &AgentId)> = scene
        .agents
        .iter()
        .filter(|agent| agent.kind == AgentKind::Vehicle)
        .filter(|agent| agent.track.get(scene.now).is_some() && agent.track.travelled() > 5.0)
        .map(|agent| (draw.bits(), &agent.id))
        .collect();
    others.sort();
    let first = scene.ego().map(|ego| &ego.id);
    let egos = first.into_iter().chain(others.iter().map(|&(_, id)| id));
    for ego in egos.take(EGOS) {
        let mut tried = scene.clone();
        tried.set_ego(ego);
        if let Some(attacked) = resample_attacker(&tried, draw) {
            let mut scene = attacked.scene;
            scene.name.push_str(", attacked");
            return Some(scene);
        }
    }
    None
}
