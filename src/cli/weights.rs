//! The one place where the command line takes its networks from: the program's own, or files that the user names.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Context as _;

use crate::model::{Network, Planner, WeightsError};
use crate::planner::Propose;
use crate::scene::in_words;

/// Files in place of the weights the program carries.
#[derive(clap::Args, Debug, Clone, Default)]
pub(super) struct Files {
    /// Weights of the scene generator in place of the program's own, for instance tuned on one's own scenes; results
    /// say so. Also read from NEARMISS_WEIGHTS.
    #[arg(long, global = true, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Weights of the ego planner in place of the program's own. Also read from NEARMISS_PLANNER_WEIGHTS.
    #[arg(long, global = true, value_name = "FILE")]
    planner_weights: Option<PathBuf>,
}

static CHOSEN: OnceLock<Files> = OnceLock::new();

impl Files {
    /// Takes them for all networks of this process; the first call counts.
    pub(super) fn choose(self, variable: impl Fn(&str) -> Option<PathBuf>) {
        // a variable that is set to nothing chooses nothing
        let variable = |name: &str| variable(name).filter(|path| !path.as_os_str().is_empty());
        let _first_counts = CHOSEN.set(Self {
            weights: self.weights.or_else(|| variable("NEARMISS_WEIGHTS")),
            planner_weights: self
                .planner_weights
                .or_else(|| variable("NEARMISS_PLANNER_WEIGHTS")),
        });
    }
}

fn chosen(of: impl Fn(&Files) -> Option<&PathBuf>) -> Option<&'static Path> {
    let files = CHOSEN.get_or_init(Files::default);
    of(files).map(PathBuf::as_path)
}

fn unusable(path: &Path, error: WeightsError) -> anyhow::Error {
    let said = format!("{} cannot be used as weights", path.display());
    match error {
        WeightsError::Read { source, .. } => anyhow::anyhow!("{said}: {}", in_words(&source)),
        other => anyhow::Error::new(other).context(said),
    }
}

/// The scene generator's network on `threads` threads; 0 means all cores.
///
/// # Errors
/// If the weights cannot be read.
pub(super) fn network(threads: usize) -> anyhow::Result<Network> {
    match chosen(|files| files.weights.as_ref()) {
        Some(path) => Network::load(path, threads).map_err(|error| unusable(path, error)),
        None => Network::load_default(threads).context("could not load the weights"),
    }
}

/// The first digits of a hash of weights.
pub(super) fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// The ego planner's network.
///
/// # Errors
/// If the weights cannot be read.
pub(super) fn planner() -> anyhow::Result<Box<dyn Propose>> {
    let planner = match chosen(|files| files.planner_weights.as_ref()) {
        Some(path) => Planner::load(path).map_err(|error| unusable(path, error))?,
        None => Planner::load_default().context("could not load the planner's weights")?,
    };
    Ok(Box::new(planner))
}
