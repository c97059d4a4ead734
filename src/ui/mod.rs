//! The window: panels, tools, canvas.
//!
//! [`Editor`] is the state of the document and knows no window; panels read it and push [`Action`]s, which
//! [`App`] carries out after each frame. Files are read and written on a thread of their own.

mod action;
mod app;
mod bundled;
pub mod canvas;
mod compare;
mod dial;
mod display;
mod editor;
mod export;
mod exporter;
mod exporting;
mod files;
mod first_start;
mod icons;
mod lab;
mod lights;
mod measure;
mod measures;
mod overlay;
mod pane_header;
mod panels;
mod panes;
mod pilot;
mod reasons;
mod settings;
mod shelf;
mod sketch;
mod sources;
mod theme;
mod thumbnail;
mod timeline;
mod tools;
mod tray;
mod variants;
mod widgets;
mod wipe;

pub use action::Action;
pub use action::Command;
pub use app::App;
pub use display::display_available;
pub use editor::Document;
pub use editor::Editor;
pub use measure::{Figure, measure};
pub use pilot::plan_paths;

use std::path::PathBuf;

use crate::engine::LoadPlanner;
use crate::engine::Loaded;

/// Loads a network.
pub type Load = Box<dyn FnOnce() -> Result<Loaded, String> + Send>;

/// What the window begins with.
#[derive(Default)]
pub struct Start {
    /// A scene file or folder to open; else the first bundled scene.
    pub scene: Option<PathBuf>,
    /// Which of several scenes in it.
    pub pick: Option<String>,
    /// Names and texts of the scenes that come with the program.
    pub bundled: &'static [(&'static str, &'static str)],
    /// Loads the network, on the engine's thread; without it nothing can be generated.
    pub load: Option<Load>,
    /// Loads the planner's network, on the planner's thread; without it nothing is planned.
    pub load_planner: Option<LoadPlanner>,
    /// Loads the network once more, for drives in the generator's world.
    pub load_world: Option<Load>,
    /// Folder for settings and autosaves; the system's place for them if absent.
    pub folder: Option<PathBuf>,
}

/// Why the window did not open.
#[derive(Debug, thiserror::Error)]
#[error("the window did not open: {message}")]
pub struct WindowError {
    message: String,
}

/// Opens the window and returns when it is closed. Call on the main thread.
///
/// # Errors
/// If there is no display or no graphics adapter.
pub fn run(start: Start) -> Result<(), WindowError> {
    let viewport = egui::ViewportBuilder::default()
        .with_title("Nearmiss")
        .with_app_id("nearmiss")
        .with_inner_size([1440.0, 900.0])
        .with_min_inner_size([960.0, 600.0])
        .with_icon(icons::app_icon());
    let options = eframe::NativeOptions {
        viewport,
        centered: true,
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        "nearmiss",
        options,
        Box::new(|context| Ok(Box::new(App::new(context, start)))),
    )
    .map_err(|error| WindowError {
        message: error.to_string(),
    })
}
