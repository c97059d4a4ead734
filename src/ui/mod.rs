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
mod graphics;
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
mod trial;
mod variants;
mod widgets;
mod wipe;
mod words;

pub use action::Action;
pub use action::Command;
pub use app::App;
pub use compare::{beside, joined_title};
pub use display::display_available;
pub use editor::Document;
pub use editor::Editor;
pub use exporter::{frame_file, remove_later_frames, step_moments};
pub use measure::{Figure, measure};
pub use pilot::{plan_paths, with_plans};

use std::cell::RefCell;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use graphics::{Device, Loss, Losses};

use crate::engine::LoadPlanner;
use crate::engine::LoadWorld;
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
    pub load_world: Option<LoadWorld>,
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
/// Where the graphics device is lost, the window is built anew around the same application: once as it was, then, if that
/// is lost within two minutes, drawn by the processor.
///
/// # Errors
/// If there is no display or no graphics adapter, or the graphics device is lost once more after that or amid a frame.
pub fn run(start: Start) -> Result<(), WindowError> {
    let app: Rc<RefCell<Option<App>>> = Rc::default();
    let mut begin = Begin::New(start);
    let (mut losses, mut device) = (Losses::default(), Device::Usual);
    loop {
        let shown = panic::catch_unwind(AssertUnwindSafe(|| show(&app, begin, device)));
        let failed = |message| Err(WindowError { message });
        match shown {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return failed(error.to_string()),
            // the window's painter breaks if the device is lost amid a frame, and the window system with it
            Err(_) if app.borrow().as_ref().is_some_and(App::cannot_draw) => {
                return failed("the graphics device was lost amid a frame; what was edited is kept, and offered at the next start".to_owned());
            }
            Err(panic) => panic::resume_unwind(panic),
        }
        let Some(loss) = app.borrow_mut().as_mut().and_then(App::take_loss) else {
            return Ok(());
        };
        if let Loss::Lost(why) = &loss {
            match losses.next(Instant::now()) {
                Some(next) => device = next,
                None => {
                    return failed(format!(
                        "the graphics device is lost again and again ({why}); what was edited is kept, and offered at the next start"
                    ));
                }
            }
        }
        begin = Begin::Again(loss);
    }
}

/// What a window begins with.
enum Begin {
    New(Start),
    /// The application of the window before.
    Again(Loss),
}

/// Opens the window once.
fn show(app: &Rc<RefCell<Option<App>>>, begin: Begin, device: Device) -> Result<(), eframe::Error> {
    let viewport = egui::ViewportBuilder::default()
        .with_title("Nearmiss")
        .with_app_id("nearmiss")
        .with_inner_size([1440.0, 900.0])
        .with_min_inner_size([960.0, 600.0])
        .with_icon(icons::app_icon());
    let options = eframe::NativeOptions {
        viewport,
        centered: true,
        wgpu_options: graphics::configuration(device),
        ..eframe::NativeOptions::default()
    };
    let app = Rc::clone(app);
    eframe::run_native(
        "nearmiss",
        options,
        Box::new(move |creation| {
            match (begin, &mut *app.borrow_mut()) {
                (Begin::New(start), app) => *app = Some(App::new(creation, start)),
                (Begin::Again(loss), Some(app)) => app.moved_to(creation, (&loss, device)),
                (Begin::Again(_), None) => {}
            }
            Ok(Box::new(Shown(app)))
        }),
    )
}

/// An application that outlives the window it is shown in.
struct Shown(Rc<RefCell<Option<App>>>);

impl eframe::App for Shown {
    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        let app = self.0.borrow();
        let none = [0.0; 4];
        app.as_ref().map_or(none, |app| app.clear_color(visuals))
    }

    fn logic(&mut self, context: &egui::Context, frame: &mut eframe::Frame) {
        if let Some(app) = &mut *self.0.borrow_mut() {
            app.logic(context, frame);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        if let Some(app) = &mut *self.0.borrow_mut() {
            app.ui(ui, frame);
        }
    }

    fn on_exit(&mut self) {
        if let Some(app) = &mut *self.0.borrow_mut() {
            app.on_exit();
        }
    }

    fn raw_input_hook(&mut self, context: &egui::Context, input: &mut egui::RawInput) {
        if let Some(app) = &mut *self.0.borrow_mut() {
            app.raw_input_hook(context, input);
        }
    }
}
