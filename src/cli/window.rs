//! Plain `nearmiss`: opens the window; without a display, the demonstration off-screen.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use super::demonstration;
use super::weights;
use crate::engine::Loaded;
use crate::model::Status;
use crate::sim;
use crate::ui;

/// Opens the window on `scene`, else on the first bundled scene.
///
/// # Errors
/// If there is no such scene, no display to show it on, or no window can be opened.
pub(super) fn run(scene: Option<PathBuf>) -> anyhow::Result<()> {
    if let Some(path) = &scene {
        anyhow::ensure!(
            path.exists(),
            "{}: no such file or folder, and no command either (nearmiss --help lists them)",
            path.display()
        );
    }
    if !ui::display_available() {
        let Some(path) = scene else {
            return demonstration::run(Path::new(demonstration::FOLDER));
        };
        let path = path.display();
        anyhow::bail!(
            "there is no display to open a window on; without one, `nearmiss info {path}`, `nearmiss generate {path}` and `nearmiss render {path}` work"
        );
    }
    let start = ui::Start {
        scene,
        bundled: &sim::BUNDLED,
        load: Some(Box::new(load)),
        load_world: Some(Arc::new(load)),
        load_planner: Some(Arc::new(|| {
            let planner = weights::planner().map_err(|error| format!("{error:#}"))?;
            Ok(Some(planner))
        })),
        ..ui::Start::default()
    };
    Ok(ui::run(start)?)
}

/// The program's own network, on all cores but one where there are more than two: the window needs it.
pub(super) fn load() -> Result<Loaded, String> {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let threads = cores.saturating_sub(1).max(cores.min(2));
    let network = weights::network(threads).map_err(|error| format!("{error:#}"))?;
    let status = network.status();
    let warning = (status != Status::Embedded).then(|| status.sentence().to_owned());
    Ok(Loaded {
        network: Box::new(network),
        warning,
    })
}
