//! Plain `nearmiss`: opens the window; without a display, the demonstration off-screen.

use std::path::Path;
use std::path::PathBuf;

use super::demonstration;
use crate::sim;
use crate::ui;

pub(super) fn run(scene: Option<PathBuf>) -> anyhow::Result<()> {
    if scene.is_none() && !has_display() {
        return demonstration::run(Path::new(demonstration::FOLDER));
    }
    let start = ui::Start {
        bundled: &sim::BUNDLED,
        scene,
        ..ui::Start::default()
    };
    Ok(ui::run(start)?)
}

/// On Unix a window needs an X or Wayland display, elsewhere it is taken for granted.
fn has_display() -> bool {
    let named = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(all(unix, not(target_os = "macos"))) || named("DISPLAY") || named("WAYLAND_DISPLAY")
}
