//! Plain `nearmiss`: opens the window.

use std::path::PathBuf;

use crate::sim;
use crate::ui;

pub(super) fn run(scene: Option<PathBuf>) -> anyhow::Result<()> {
    let start = ui::Start {
        bundled: &sim::BUNDLED,
        scene,
        ..ui::Start::default()
    };
    Ok(ui::run(start)?)
}
