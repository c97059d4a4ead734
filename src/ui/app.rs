//! The application: lays out the panels, carries out wishes, talks to the file thread.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use egui::Context;
use egui::Event;
use egui::Key;
use egui::Ui;
use egui::vec2;

use super::Start;
use super::action::Action;
use super::action::Command;
use super::action::Notice;
use super::action::Weight;
use super::bundled::Bundled;
use super::canvas;
use super::compare::Changes;
use super::editor::Document;
use super::editor::Editor;
use super::export;
use super::export::file_stem;
use super::exporting::Errand;
use super::exporting::Exporting;
use super::files;
use super::files::Answer;
use super::files::Files;
use super::files::Purpose;
use super::files::Recovery;
use super::files::Request;
use super::first_start;
use super::first_start::FirstStart;
use super::first_start::Try;
use super::icons::Icon;
use super::lab;
use super::lab::Lab;
use super::measures::Measures;
use super::panels::agents;
use super::panels::compare;
use super::panels::denoise;
use super::panels::dialogs;
use super::panels::dialogs::Outcome;
use super::panels::dialogs::PathField;
use super::panels::dialogs::Unsaved;
use super::panels::generate;
use super::panels::help;
use super::panels::history;
use super::panels::inspector;
use super::panels::library::Library;
use super::panels::library::Place;
use super::panels::notices::Notices;
use super::panels::palette::Palette;
use super::panels::planner;
use super::panels::results;
use super::panels::status;
use super::panels::top;
use super::panels::tray;
use super::panes::Made;
use super::panes::Panes;
use super::panes::Screen;
use super::pilot::PaneAnswer;
use super::pilot::Planning;
use super::settings::Recent;
use super::settings::Settings;
use super::sources;
use super::sources::Source;
use super::sources::View;
use super::theme;
use super::theme::tokens;
use super::timeline;
use super::widgets;
use crate::data;
use crate::engine::Engine;
use crate::engine::Pilot;
use crate::geometry::DVec2;
use crate::render::Path as Trace;
use crate::render::PathKind;
use crate::scene::AgentId;
use crate::scene::Edit;
use crate::scene::Scene;
use crate::scene::State;

/// At most one autosave in this time, s.
const AUTOSAVE_S: f64 = 2.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeftTab {
    Scenes,
    Agents,
    History,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RightTab {
    Selection,
    Generate,
    Planner,
    Results,
    Tray,
}

/// What waits for an answer about unsaved changes.
#[derive(Debug, Clone)]
enum Pending {
    Do(Action),
    Quit,
}

/// A scene that could not be opened, shown in place of one.
#[derive(Debug, Clone, PartialEq)]
struct Failure {
    path: PathBuf,
    message: String,
}

/// The window's application.
pub struct App {
    pub(super) editor: Editor,
    pub(super) panes: Panes,
    scenes: Library,
    pub(super) settings: Settings,
    stored: Settings,
    folder: PathBuf,
    files: Files,
    pub(super) lab: Lab,
    planning: Planning,
    measures: Measures,
    changes: Changes,
    comparing: bool,
    compare: compare::Opened,
    first_start: FirstStart,
    views: Vec<View>,
    left_tab: LeftTab,
    right_tab: RightTab,
    agent_filter: String,
    naming: history::Naming,
    writing: tray::Writing,
    curves: inspector::Curves,
    events: timeline::Events,
    notices: Notices,
    palette: Option<Palette>,
    help: bool,
    path_field: Option<PathField>,
    unsaved: Option<Pending>,
    after_save: Option<Pending>,
    recoveries: Vec<Recovery>,
    /// The autosave the document was restored from; it goes once the document is saved.
    restored: Option<PathBuf>,
    exporting: Exporting,
    failure: Option<Failure>,
    ticket: u64,
    opening: Option<String>,
    saving: bool,
    autosaved: (u64, f64),
    next_agent: Option<Command>,
    play_first: bool,
    pub(super) quitting: bool,
    title: String,
}

impl App {
    /// Builds the application inside a window (or a test harness).
    pub fn new(creation: &eframe::CreationContext<'_>, start: Start) -> Self {
        let context = &creation.egui_ctx;
        theme::install(context);
        context.options_mut(|options| options.zoom_with_keyboard = false);
        if let Some(state) = &creation.wgpu_render_state {
            canvas::install(state);
        }
        let folder = start.folder.clone().unwrap_or_else(|| {
            eframe::storage_dir("nearmiss").unwrap_or_else(|| PathBuf::from(".nearmiss"))
        });
        let first = Settings::absent(&folder) && start.scene.is_none();
        let settings = Settings::load(&folder);
        let recoveries = files::recoveries(&folder);
        let wake = {
            let context = context.clone();
            Arc::new(move || context.request_repaint())
        };
        let engine = start.load.and_then(|load| {
            let context = context.clone();
            let wake = Box::new(move || context.request_repaint());
            Engine::start(wake, load).ok()
        });
        let load_world = start.load_world;
        let pilot = start.load_planner.and_then(|load| {
            let context = context.clone();
            let wake = Box::new(move || context.request_repaint());
            Pilot::start(wake, load, load_world).ok()
        });
        let export_wake = {
            let context = context.clone();
            Box::new(move || context.request_repaint())
        };
        let measures = {
            let context = context.clone();
            Measures::start(Box::new(move || context.request_repaint()))
        };
        let files = Files::start(folder.clone(), wake);
        if !start.bundled.is_empty() {
            files.ask(Request::Bundled(start.bundled));
        }
        let welcomed = settings.welcomed;
        let mut app = Self {
            editor: Editor::default(),
            panes: Panes::default(),
            scenes: Library::default(),
            stored: settings.clone(),
            settings,
            folder,
            files,
            lab: Lab::new(engine),
            planning: Planning::new(pilot),
            measures,
            changes: Changes::default(),
            comparing: false,
            compare: compare::Opened::default(),
            first_start: FirstStart::new(welcomed),
            views: Vec::new(),
            left_tab: LeftTab::Scenes,
            right_tab: RightTab::Generate,
            agent_filter: String::new(),
            naming: history::Naming::default(),
            writing: tray::Writing::default(),
            curves: inspector::Curves::default(),
            events: timeline::Events::default(),
            notices: Notices::default(),
            palette: None,
            help: false,
            path_field: None,
            unsaved: None,
            after_save: None,
            recoveries,
            restored: None,
            exporting: Exporting::new(export_wake),
            failure: None,
            ticket: 0,
            opening: None,
            saving: false,
            autosaved: (0, 0.0),
            next_agent: None,
            play_first: start.scene.is_none(),
            quitting: false,
            title: String::new(),
        };
        app.editor.looping = app.settings.looping;
        app.panes.count = app.settings.panes;
        app.panes.linked = app.settings.linked;
        app.panes.sources = app.settings.sources;
        app.panes.variants = app.settings.variants.clone();
        app.panes.planners = app.settings.planners;
        app.panes.compare = app.settings.compare;
        app.planning.on = app.settings.planning;
        if first {
            app.greet();
        }
        context.set_theme(theme_of(app.settings.dark));
        context.set_zoom_factor(app.settings.zoom);
        match start.scene {
            Some(path) => app.open(path, start.pick),
            None if start.bundled.is_empty() => {}
            None => app.opening = Some("the bundled scenes".to_owned()),
        }
        app
    }

    /// The document and its state, for tests and for callers that start with one.
    pub fn editor(&self) -> &Editor {
        &self.editor
    }

    /// Where a point of the ground (m) appears in a window whose first pane fills `canvas`.
    pub fn place(&self, point: DVec2, canvas: egui::Rect) -> egui::Pos2 {
        let camera = self.panes.camera(0);
        Screen {
            camera,
            rect: canvas,
        }
        .place(point)
    }

    /// Whether the network is loaded.
    pub fn model_ready(&self) -> bool {
        self.lab.ready()
    }

    /// Number of modes of the plan on screen.
    pub fn plan_modes(&self) -> usize {
        let planned = self.planning.planned.as_ref();
        planned.map_or(0, |planned| planned.plan.modes.len())
    }

    /// Number of lane pieces of the route the plan on screen was told.
    pub fn plan_route(&self) -> usize {
        let planned = self.planning.planned.as_ref();
        planned.map_or(0, |planned| planned.plan.route.len())
    }

    /// Scene time at which the plan on screen was made, s.
    pub fn plan_time_s(&self) -> Option<f64> {
        let planned = self.planning.planned.as_ref();
        planned.map(|planned| planned.plan.now_s)
    }

    /// The notices on screen.
    pub fn notice_texts(&self) -> Vec<String> {
        self.notices
            .list()
            .map(|notice| notice.text.clone())
            .collect()
    }

    /// What became of the last export, once it has ended.
    pub fn export_text(&self) -> Option<&str> {
        self.exporting.said()
    }

    /// Whether two scenes are compared in one pane, and the share of the width at which a wipe handle stands.
    pub fn compared(&self) -> (bool, f32) {
        (self.panes.joined_in_one(), self.panes.wipe)
    }

    /// What the sources on screen hold, first to last; absent where there is nothing to show.
    pub fn shown(&self) -> Vec<Option<Arc<Scene>>> {
        self.views.iter().map(|view| view.scene.clone()).collect()
    }

    /// Why no scene is shown, if opening one failed.
    pub fn failure_text(&self) -> Option<&str> {
        self.failure
            .as_ref()
            .map(|failure| failure.message.as_str())
    }

    /// Lays the window out as at the first start; the next scene is opened with its result.
    fn greet(&mut self) {
        self.first_start.again();
        self.panes.lay_out(2);
        self.panes.linked = true;
        self.panes.sources = [
            Source::Log,
            Source::Scene,
            Source::Edited,
            Source::Generated,
        ];
        self.panes.planners = [None; 4];
        self.editor.looping = true;
        self.planning.on = true;
        self.play_first = true;
        self.settings.welcomed = false;
    }

    /// Lays the window out as at a later start.
    pub(super) fn skip_first_start(&mut self) {
        self.first_start = FirstStart::new(true);
        self.panes.lay_out(1);
        self.panes.sources = Panes::SOURCES;
    }

    fn say(&mut self, weight: Weight, text: impl Into<String>) {
        self.editor.notices.push(Notice::new(weight, text));
    }

    fn modal_open(&self) -> bool {
        self.palette.is_some()
            || self.help
            || self.exporting.is_open()
            || self.path_field.is_some()
            || self.unsaved.is_some()
            || !self.recoveries.is_empty()
    }

    /// Begins to open a file, or one scene of it. A file with several scenes is listed first.
    fn open(&mut self, path: PathBuf, pick: Option<String>) {
        self.ticket += 1;
        let ticket = self.ticket;
        let shown = path.file_name().unwrap_or(path.as_os_str());
        self.opening = Some(shown.to_string_lossy().into_owned());
        let listed =
            self.scenes.listing.as_ref().is_some_and(|(_, entries)| {
                entries.iter().any(|e| e.file == path && e.pick == pick)
            });
        if pick.is_some() || listed {
            self.files.ask(Request::Open { ticket, path, pick });
        } else {
            self.files.ask(Request::List { ticket, path });
        }
    }

    fn opened(&mut self, opened: data::Opened, place: Place, origin: String) {
        let report = opened.report.lines();
        let problems = opened.report.problems.len() + opened.report.further_problems;
        if problems > 0 {
            let text = format!("{problems} things in this file were not usable and left out.");
            let detail = report.join("\n");
            let notice = Notice::new(Weight::Warning, text).with_detail(detail);
            self.editor.notices.push(notice);
        }
        self.show(opened.scene, origin, report, place);
    }

    fn show(&mut self, scene: Scene, origin: String, report: Vec<String>, place: Place) {
        let mut document = Document::new(scene, origin, report);
        if let Place::File(path, None) = &place
            && path.extension().is_some_and(|end| end == "json")
            && document.report.is_empty()
        {
            document.path = Some(path.clone());
        }
        self.restored = None;
        self.put(document, place);
    }

    fn put(&mut self, document: Document, place: Place) {
        let now_s = document.history.scene().now_s();
        self.editor.open(document);
        self.editor.time_s = now_s;
        self.editor.playing = false;
        if std::mem::take(&mut self.play_first) {
            self.editor.time_s = 0.0;
            self.editor.playing = true;
        }
        self.autosaved.0 = self.editor.revision();
        self.panes.reset();
        self.first_start.result_due = false;
        self.lab.reset();
        self.planning.reset();
        self.failure = None;
        self.scenes.open = Some(place);
    }

    /// Carries out what would lose unsaved changes, or asks first.
    fn guarded(&mut self, action: Action) {
        let modified = self.editor.document().is_some_and(Document::modified);
        if modified {
            self.unsaved = Some(Pending::Do(action));
        } else {
            self.replace(action);
        }
    }

    fn replace(&mut self, action: Action) {
        match action {
            Action::Open { path, pick } => self.open(path, pick),
            Action::OpenBundled(index) => {
                if let Some(bundled) = self.scenes.bundled.get(index) {
                    let (mut scene, name) = (Scene::clone(&bundled.scene), bundled.name.clone());
                    let greeting = std::mem::take(&mut self.first_start.greeting);
                    if greeting {
                        scene = first_start::with_goal(&scene);
                    }
                    self.show(scene, name, Vec::new(), Place::Bundled(index));
                    self.first_start.result_due = greeting;
                }
            }
            Action::Recover(index) => {
                if let Some(offer) = self.recoveries.get(index) {
                    let path = offer.path.clone();
                    self.recoveries.clear();
                    self.restored = Some(path.clone());
                    self.play_first = false;
                    self.open(path, None);
                }
            }
            _ => {}
        }
    }

    /// Carries out a wish.
    pub(super) fn act(&mut self, action: Action, context: &Context) {
        match action {
            Action::Open { .. } | Action::OpenBundled(_) | Action::Recover(_) => {
                self.guarded(action);
            }
            Action::ForgetRecovery => {
                let paths = self.recoveries.drain(..).map(|offer| offer.path).collect();
                self.files.ask(Request::Forget(paths));
            }
            Action::SaveTo(path) => self.save(path),
            Action::Layout(count) => self.panes.lay_out(count),
            Action::Run(command) => self.run(command, context),
            Action::Lab(wish) => {
                if let Some(next) = self.lab.apply(wish, &mut self.editor) {
                    self.act(next, context);
                }
            }
            Action::Pilot(wish) => self.planning.apply(wish, &mut self.editor),
            Action::Preview(edits) => {
                self.editor.apply(&Action::Preview(edits.clone()));
                self.lab.preview(&self.editor, &edits);
            }
            Action::DropPreview => {
                self.editor.apply(&Action::DropPreview);
                self.lab.drop_preview();
            }
            Action::Commit { ref edits, .. } => {
                let before = self.editor.revision();
                self.editor.apply(&action);
                if self.editor.revision() == before {
                    self.lab.drop_preview();
                } else {
                    if edits
                        .iter()
                        .any(|edit| matches!(edit, Edit::SetGoal { .. }))
                    {
                        self.first_start.tried(Try::Goal);
                    }
                    self.lab.answer(&self.editor, edits);
                }
            }
            other => self.editor.apply(&other),
        }
    }

    fn run(&mut self, command: Command, context: &Context) {
        if self.panes.run(command) || self.lab.run(command, &mut self.editor) {
            self.turn_to(command);
            return;
        }
        match command {
            Command::Open => self.ask_path(Purpose::Open),
            Command::OpenFolder => self.ask_path(Purpose::OpenFolder),
            Command::Save => {
                let known = self.editor.document().and_then(|open| open.path.clone());
                match known {
                    Some(path) => self.save(path),
                    None => self.ask_path(Purpose::Save),
                }
            }
            Command::SaveAs => self.ask_path(Purpose::Save),
            Command::Export | Command::ExportCases => self.export(command),
            Command::SaveBugCase => match self.lab.bug {
                Some(_) => self.ask_path(Purpose::Bug),
                None => self.say(Weight::Info, "The model has not failed on this scene."),
            },
            Command::PreviousScene | Command::NextScene => {
                let by = if command == Command::NextScene { 1 } else { -1 };
                if let Some(action) = self.scenes.neighbour(by) {
                    self.guarded(action);
                }
            }
            Command::Palette => self.palette = Some(Palette::default()),
            Command::Help => self.help = true,
            Command::FirstSteps => {
                self.greet();
                self.guarded(Action::OpenBundled(0));
            }
            Command::Theme => {
                self.settings.dark = !self.settings.dark;
                context.set_theme(theme_of(self.settings.dark));
            }
            Command::PlannerPanel => {
                self.settings.right = true;
                self.right_tab = RightTab::Planner;
            }
            Command::LeftPanel => self.settings.left = !self.settings.left,
            Command::RightPanel => self.settings.right = !self.settings.right,
            Command::ZoomIn | Command::ZoomOut => {
                let by = if command == Command::ZoomIn {
                    0.1
                } else {
                    -0.1
                };
                self.settings.zoom = (self.settings.zoom + by).clamp(0.6, 2.5);
                context.set_zoom_factor(self.settings.zoom);
            }
            Command::Quit => context.send_viewport_cmd(egui::ViewportCommand::Close),
            Command::CopyCommand => self.copy_command(context),
            Command::Cancel if self.panes.cancel() => {
                self.editor.apply(&Action::DropPreview);
                self.lab.drop_preview();
            }
            Command::Cancel if self.planning.stop() => {
                self.say(
                    Weight::Info,
                    "The drive was stopped. The scene is as it was.",
                );
            }
            Command::Cancel if self.exporting.cancel() => {}
            Command::Cancel if self.lab.stop() => {
                self.say(Weight::Info, "Stopped. The scene is as it was.");
            }
            other => self.editor.apply(&Action::Run(other)),
        }
    }

    /// Brings the panel to the front where the command's answer appears.
    fn turn_to(&mut self, command: Command) {
        match command {
            // whoever sets an agent's numbers sees the run over the pane, and keeps them in sight
            Command::Generate | Command::NewSeed if self.right_tab == RightTab::Selection => {}
            Command::Generate | Command::NewSeed | Command::FindAttacks => {
                self.settings.right = true;
                self.right_tab = RightTab::Generate;
            }
            Command::Keep => self.right_tab = RightTab::Tray,
            Command::NextCompare | Command::Overlay | Command::Wipe | Command::Difference => {
                self.right_tab = RightTab::Results;
                self.comparing = true;
            }
            _ => {}
        }
    }

    fn copy_command(&mut self, context: &Context) {
        let Some(open) = self.editor.document() else {
            return;
        };
        // what a result was made of is what the command reads, as it lies on the disk or written for it
        let present = open.history.scene();
        let scene = match self.lab.variants.input_of(present) {
            Some((input, _)) => input.clone(),
            None => present.clone(),
        };
        let saved = open.path.as_ref().filter(|_| !open.modified());
        if let Some(path) = saved {
            let line = lab::command_line(path, &scene, &self.lab);
            context.copy_text(line.clone());
            let text = "The command line was copied.";
            let notice = Notice::new(Weight::Good, text).with_detail(line);
            self.editor.notices.push(notice);
            return;
        }
        let name = format!("{}.json", file_stem(&scene.name));
        let path = self.folder.join("commands").join(name);
        let line = lab::command_line(&path, &scene, &self.lab);
        self.exporting.copy(context, line, vec![(scene, path)]);
    }

    fn ask_path(&mut self, purpose: Purpose) {
        let open = self.editor.document();
        if purpose == Purpose::Save && open.is_none() {
            self.say(Weight::Info, "Open a scene first, then save it.");
            return;
        }
        let name = open.map_or_else(String::new, |open| {
            let scene = open.history.scene();
            let word = if scene.name.is_empty() {
                "scene"
            } else {
                &scene.name
            };
            let bug = if purpose == Purpose::Bug { "-bug" } else { "" };
            format!("{}{bug}.json", file_stem(word))
        });
        let start = self
            .settings
            .recents
            .first()
            .and_then(|recent| recent.path.parent())
            .map(Path::to_owned);
        if files::dialogs_available() {
            self.files.ask_user(purpose, start.as_deref(), &name);
            return;
        }
        let folder = start
            .or_else(|| std::env::current_dir().ok())
            .unwrap_or_default();
        let typed = match purpose {
            Purpose::Save | Purpose::Bug => folder.join(name).display().to_string(),
            Purpose::Open | Purpose::OpenFolder | Purpose::Export | Purpose::ExportFolder => {
                format!("{}/", folder.display())
            }
        };
        self.path_field = Some(PathField::new(purpose, typed));
    }

    fn picked(&mut self, purpose: Purpose, path: PathBuf) {
        match purpose {
            Purpose::Open | Purpose::OpenFolder => self.guarded(Action::Open { path, pick: None }),
            Purpose::Export => self.exporting.place(&path, false),
            Purpose::ExportFolder => self.exporting.place(&path, true),
            Purpose::Bug => {
                if let Some(scene) = self.lab.bug.clone() {
                    self.files.ask(Request::Save { scene, path });
                }
            }
            Purpose::Save => {
                let path = if path.extension().is_none() {
                    path.with_extension("json")
                } else {
                    path
                };
                self.save(path);
            }
        }
    }

    fn save(&mut self, path: PathBuf) {
        if let Some(scene) = self.editor.committed().cloned() {
            self.saving = true;
            self.files.ask(Request::Save { scene, path });
        }
    }

    fn hear(&mut self) {
        while let Some(answer) = self.files.answer() {
            match answer {
                Answer::Bundled(bundled) => self.bundled(bundled),
                Answer::Opened {
                    ticket,
                    path,
                    pick,
                    result,
                } if ticket == self.ticket => {
                    self.opening = None;
                    match result {
                        Ok(opened) => self.arrived(*opened, path, pick),
                        Err(message) => self.failed(path, message),
                    }
                }
                Answer::Listed {
                    ticket,
                    path,
                    result,
                } if ticket == self.ticket => self.listed(path, result),
                Answer::Opened { .. } | Answer::Listed { .. } => {}
                Answer::Saved {
                    scene,
                    path,
                    result,
                } => self.saved(scene, path, result),
                Answer::AutosaveFailed(message) => {
                    let text = "The autosave could not be written. Save your work to a file.";
                    let notice = Notice::new(Weight::Warning, text).with_detail(message);
                    self.editor.notices.push(notice);
                }
                Answer::Completions { typed, paths } => {
                    if let Some(field) = &mut self.path_field
                        && field.typed == typed
                    {
                        field.completions = paths;
                    }
                }
                Answer::Picked { purpose, path } => {
                    if let Some(path) = path {
                        self.picked(purpose, path);
                    }
                }
                Answer::Thumbnail {
                    path,
                    pick,
                    picture,
                } => self.scenes.keep(path, pick, picture),
            }
        }
    }

    fn bundled(&mut self, bundled: Vec<Bundled>) {
        self.scenes.bundled = bundled;
        let waiting = self.editor.document().is_none() && self.ticket == 0;
        if waiting {
            self.opening = None;
            self.replace(Action::OpenBundled(0));
        }
    }

    fn arrived(&mut self, opened: data::Opened, path: PathBuf, pick: Option<String>) {
        let restored = self.restored.as_ref() == Some(&path);
        let origin = match &pick {
            Some(pick) => format!("{} [{pick}]", path.display()),
            None => path.display().to_string(),
        };
        if restored {
            let scene = opened.scene;
            let name = scene.name.clone();
            self.put(
                Document::restored(scene, name, Vec::new()),
                Place::File(path, pick),
            );
            self.say(Weight::Good, "Restored. Save it to keep it.");
            return;
        }
        self.settings.remember(Recent {
            path: path.clone(),
            pick: pick.clone(),
            name: opened.scene.name.clone(),
        });
        self.opened(opened, Place::File(path, pick), origin);
    }

    fn listed(&mut self, path: PathBuf, result: Result<Vec<data::Entry>, String>) {
        match result {
            Ok(entries) => {
                let several = entries.len() > 1;
                let Some(first) = entries.first().cloned() else {
                    self.opening = None;
                    self.failed(path, "There is no scene in it.".to_owned());
                    return;
                };
                if several {
                    self.left_tab = LeftTab::Scenes;
                    self.settings.left = true;
                    self.scenes.listing = Some((path, entries));
                }
                self.files.ask(Request::Open {
                    ticket: self.ticket,
                    path: first.file,
                    pick: first.pick,
                });
            }
            Err(message) => {
                self.opening = None;
                self.failed(path, message);
            }
        }
    }

    fn failed(&mut self, path: PathBuf, message: String) {
        if self.editor.document().is_some() {
            let name = path.file_name().unwrap_or(path.as_os_str());
            let text = format!("{} was not opened.", name.to_string_lossy());
            let notice = Notice::new(Weight::Error, text).with_detail(message.clone());
            self.editor.notices.push(notice);
        }
        self.failure = Some(Failure { path, message });
    }

    fn saved(&mut self, scene: Arc<Scene>, path: PathBuf, result: Result<u64, String>) {
        self.saving = false;
        match result {
            Ok(bytes) => {
                let kilobytes = bytes.div_ceil(1024);
                let text = format!("Written and checked: {} ({kilobytes} kB)", path.display());
                self.say(Weight::Good, text);
                if self
                    .lab
                    .bug
                    .as_ref()
                    .is_some_and(|bug| Arc::ptr_eq(bug, &scene))
                {
                    return;
                }
                if let Some(restored) = self.restored.take() {
                    self.files.ask(Request::Forget(vec![restored]));
                }
                self.settings.remember(Recent {
                    path: path.clone(),
                    pick: None,
                    name: scene.name.clone(),
                });
                if let Some(open) = self.editor.document_mut() {
                    open.mark_saved(scene, path);
                    if !open.modified() {
                        self.files.ask(Request::DropAutosave);
                    }
                }
                if let Some(pending) = self.after_save.take() {
                    self.go_on(pending);
                }
            }
            Err(message) => {
                self.after_save = None;
                let notice =
                    Notice::new(Weight::Error, "The scene was not saved.").with_detail(message);
                self.editor.notices.push(notice);
            }
        }
    }

    fn export(&mut self, command: Command) {
        if self.editor.document().is_none() {
            self.say(Weight::Info, "Open a scene first, then export it.");
            return;
        }
        let tray = command == Command::ExportCases;
        if tray && self.lab.tray.cases().is_empty() {
            self.say(Weight::Info, "The tray is empty: keep a case first, key K.");
            return;
        }
        let folder = self
            .settings
            .recents
            .first()
            .and_then(|recent| recent.path.parent().map(Path::to_owned))
            .or_else(|| std::env::current_dir().ok())
            .unwrap_or_default();
        let source = export::Source {
            editor: &self.editor,
            lab: &self.lab,
            planning: &self.planning,
            panes: &self.panes,
            views: &self.views,
        };
        self.exporting
            .begin(&source, &folder, self.settings.dark, tray);
    }

    fn export_dialog(&mut self, context: &Context) {
        let source = export::Source {
            editor: &self.editor,
            lab: &self.lab,
            planning: &self.planning,
            panes: &self.panes,
            views: &self.views,
        };
        if let Some(Errand::Browse(name, is_folder)) = self.exporting.show(context, &source) {
            let purpose = if is_folder {
                Purpose::ExportFolder
            } else {
                Purpose::Export
            };
            self.files.ask_user(purpose, None, &name);
        }
    }

    /// What generation adds to the edited panes.
    fn made(&mut self) -> Made {
        let views = (0..self.panes.sources_shown())
            .map(|at| {
                let (source, variant) = (self.panes.sources[at], &self.panes.variants[at]);
                sources::view(&self.editor, &mut self.lab, source, variant)
            })
            .collect();
        let scene = self.lab.scene(&self.editor);
        let noise = self.lab.noise();
        let mut paths = self.lab.onion_skins().to_vec();
        if let Some(present) = self.editor.scene() {
            let trace = |states: &[State], from_s: f64, dt_s: f64, agent: &AgentId, kind| Trace {
                points: states
                    .iter()
                    .enumerate()
                    .map(|(index, state)| (state.position, from_s + index as f64 * dt_s))
                    .collect(),
                agent: Some(agent.clone()),
                kind,
                weight: 1.0,
            };
            let pointed = self.lab.pointed.and_then(|at| self.lab.candidates.get(at));
            if let Some(candidate) = pointed {
                let agent = &candidate.attack.attacker;
                let kind = PathKind::Sketch;
                paths.push(trace(&candidate.path, present.now_s(), 0.1, agent, kind));
            }
            if let Some(verdict) = self.lab.verdict(present)
                && let Some(escape) = &verdict.escape
                && let Some(ego) = present.ego()
            {
                let from_s = present.now_s() + present.dt_s;
                let kind = PathKind::Sketch;
                paths.push(trace(&escape.path, from_s, present.dt_s, &ego.id, kind));
            }
        }
        Made {
            views,
            scene,
            noise,
            paths: Arc::new(paths),
            tokens: self.planning.token_marks(),
            answer: PaneAnswer {
                paths: self.planning.paths(),
                score: self.planning.score(),
                problem: None,
            },
            answers: std::array::from_fn(|pane| {
                let own = self.planning.on && self.panes.planners[pane].is_some();
                own.then(|| self.planning.answer_in(pane))
            }),
        }
    }

    fn go_on(&mut self, pending: Pending) {
        match pending {
            Pending::Do(action) => self.replace(action),
            Pending::Quit => self.quitting = true,
        }
    }

    /// Key presses that are commands.
    fn keys(&mut self, context: &Context, actions: &mut Vec<Action>) {
        if let Some(command) = self.next_agent.take() {
            actions.push(Action::Run(command));
        }
        if self.modal_open() {
            return;
        }
        let typing = context.text_edit_focused();
        let focused = context.memory(|memory| memory.focused().is_some());
        let popup = context.any_popup_open();
        context.input(|input| {
            for event in &input.events {
                let Event::Key {
                    key,
                    pressed: true,
                    repeat,
                    modifiers,
                    ..
                } = event
                else {
                    continue;
                };
                let Some(command) = Command::of_key(*key, *modifiers, *repeat) else {
                    continue;
                };
                let for_text = matches!(command, Command::Undo | Command::Redo);
                let taken_by_text = typing && (!modifiers.command || for_text);
                let walks = matches!(
                    key,
                    Key::Space | Key::ArrowLeft | Key::ArrowRight | Key::ArrowUp | Key::ArrowDown
                );
                let taken_by_focus = (focused || popup) && walks;
                let escape = command == Command::Cancel && (popup || typing);
                if !taken_by_text && !taken_by_focus && !escape && *key != Key::Tab {
                    actions.push(Action::Run(command));
                }
            }
        });
    }

    fn dropped(context: &Context, actions: &mut Vec<Action>) {
        let dropped = context.input(|input| input.raw.dropped_files.clone());
        if let Some(path) = dropped.first().map(|file| file.path().to_owned()) {
            actions.push(Action::Open { path, pick: None });
        }
    }

    fn autosave(&mut self, context: &Context) {
        let now_s = context.input(|input| input.time);
        let (revision, at_s) = self.autosaved;
        if revision == self.editor.revision() {
            return;
        }
        if now_s - at_s < AUTOSAVE_S {
            context.request_repaint_after_secs(AUTOSAVE_S as f32);
            return;
        }
        let Some(open) = self.editor.document() else {
            return;
        };
        let request = if open.modified() {
            Request::Autosave {
                scene: open.history.scene().clone(),
                origin: open.origin.clone(),
            }
        } else {
            Request::DropAutosave
        };
        self.files.ask(request);
        self.autosaved = (self.editor.revision(), now_s);
    }

    fn store_settings(&mut self) {
        self.settings.panes = self.panes.count;
        self.settings.linked = self.panes.linked;
        self.settings.sources = self.panes.sources;
        self.settings.variants.clone_from(&self.panes.variants);
        self.settings.planners = self.panes.planners;
        self.settings.compare = self.panes.compare;
        self.settings.looping = self.editor.looping;
        self.settings.planning = self.planning.on;
        if self.settings != self.stored {
            self.stored = self.settings.clone();
            let settings = Box::new(self.settings.clone());
            self.files.ask(Request::Store(settings));
        }
    }

    fn closing(&mut self, context: &Context) {
        if self.quitting {
            context.send_viewport_cmd(egui::ViewportCommand::Close);
            return;
        }
        let asked = context.input(|input| input.viewport().close_requested());
        let modified = self.editor.document().is_some_and(Document::modified);
        if asked && modified {
            context.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            self.unsaved = Some(Pending::Quit);
        }
    }

    fn set_title(&mut self, context: &Context) {
        let title = match self.editor.document() {
            Some(open) => {
                let mark = if open.modified() { "• " } else { "" };
                format!("{mark}{} – Nearmiss", open.history.scene().name)
            }
            None => "Nearmiss".to_owned(),
        };
        if title != self.title {
            context.send_viewport_cmd(egui::ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    fn dialogs(&mut self, context: &Context, actions: &mut Vec<Action>) {
        if let Some(palette) = &mut self.palette
            && !palette.show(context, actions)
        {
            self.palette = None;
            release_focus(context);
        }
        if self.help {
            self.help = help::help_ui(context, actions);
        }
        if let Some(field) = &mut self.path_field {
            let files = &self.files;
            let mut ask = |typed: String| files.ask(Request::Complete { typed });
            let purpose = field.purpose;
            match field.show(context, &mut ask) {
                Outcome::Open => {}
                Outcome::Closed => {
                    self.path_field = None;
                    release_focus(context);
                }
                Outcome::Chosen(path) => {
                    self.path_field = None;
                    release_focus(context);
                    self.picked(purpose, path);
                }
            }
        }
        self.export_dialog(context);
        self.unsaved_dialog(context);
        if !self.recoveries.is_empty()
            && self.unsaved.is_none()
            && !dialogs::recovery_ui(context, &self.recoveries, actions)
            && !actions
                .iter()
                .any(|action| matches!(action, Action::Recover(_) | Action::ForgetRecovery))
        {
            self.recoveries.clear();
        }
    }

    fn unsaved_dialog(&mut self, context: &Context) {
        let Some(pending) = &self.unsaved else { return };
        let name = self.editor.document().map_or_else(String::new, |open| {
            let name = &open.history.scene().name;
            if name.is_empty() { &open.origin } else { name }.clone()
        });
        let what = match pending {
            Pending::Do(_) => "Another scene is about to be opened.",
            Pending::Quit => "The window is about to close.",
        };
        match dialogs::unsaved_ui(context, &name, what) {
            Outcome::Open => {}
            Outcome::Closed => self.unsaved = None,
            Outcome::Chosen(Unsaved::Save) => {
                self.after_save = self.unsaved.take();
                self.run(Command::Save, context);
            }
            Outcome::Chosen(Unsaved::Discard) => {
                if let Some(pending) = self.unsaved.take() {
                    self.go_on(pending);
                }
            }
        }
    }

    fn left(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let choices = [
            (LeftTab::Scenes, "Scenes"),
            (LeftTab::Agents, "Agents"),
            (LeftTab::History, "History"),
        ];
        widgets::tabs(ui, &choices, &mut self.left_tab);
        match self.left_tab {
            LeftTab::Scenes => self.scenes.show(ui, &self.settings.recents, actions),
            LeftTab::Agents => {
                agents::agents_ui(ui, &self.editor, &mut self.agent_filter, actions);
            }
            LeftTab::History => {
                history::history_ui(ui, &self.editor, &mut self.naming, actions);
            }
        }
        for (path, pick) in self.scenes.take_wanted() {
            self.files.ask_picture(path, pick);
        }
    }

    fn right(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let choices = [
            (RightTab::Generate, "Generate"),
            (RightTab::Planner, "Planner"),
            (RightTab::Results, "Results"),
            (RightTab::Selection, "Selection"),
            (RightTab::Tray, "Tray"),
        ];
        widgets::tabs(ui, &choices, &mut self.right_tab);
        match self.right_tab {
            RightTab::Selection => {
                inspector::inspector_ui(ui, &self.editor, &mut self.curves, actions);
            }
            RightTab::Generate => generate::generate_ui(ui, &self.editor, &self.lab, actions),
            RightTab::Planner => planner::planner_ui(ui, &self.editor, &self.planning, actions),
            RightTab::Results => self.results(ui, actions),
            RightTab::Tray => tray::tray_ui(ui, &self.lab, &mut self.writing, actions),
        }
    }

    fn results(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        ui.add_space(8.0);
        let choices = [
            (false, "This scene", "Gates, fault, escape, metrics, recipe"),
            (true, "Compare panes", "Who moved, and each metric per pane"),
        ];
        widgets::segments(ui, &choices, &mut self.comparing);
        if !self.comparing {
            results::results_ui(ui, &self.editor, &self.lab, actions);
            return;
        }
        // what is dragged is compared when it is let go
        let mut views = self.views.clone();
        if self.editor.previewing() {
            for view in views.iter_mut().filter(|view| view.source == Source::Scene) {
                view.scene = self.editor.committed().cloned();
            }
        }
        let worked_out = (&mut self.measures, &mut self.changes);
        let planned: Vec<_> = views
            .iter()
            .enumerate()
            .map(|(pane, view)| match self.panes.planners[pane] {
                Some(_) => self.planning.explained(Some(pane)),
                None if view.source == Source::Scene => self.planning.explained(None),
                None => None,
            })
            .collect();
        let views = (&*views, &*planned);
        compare::compare_ui(ui, views, worked_out, &mut self.compare, actions);
    }

    fn centre(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        if self.editor.document().is_some() {
            let area = ui.max_rect();
            let made = self.made();
            let shown = made.scene.as_ref().or(self.editor.scene());
            let own = std::array::from_fn(|pane| {
                let view = made.views.get(pane)?;
                let scene = match view.source {
                    Source::Scene => shown,
                    _ => view.scene.as_ref(),
                };
                self.panes.planners[pane].zip(scene.cloned())
            });
            self.planning.follow(shown, own, self.editor.time_s);
            self.panes.show(ui, &self.editor, &made, actions);
            self.views = made.views;
            if let Some(running) = &self.lab.running {
                denoise::progress_ui(ui, running, actions);
            }
            self.callouts(ui, area);
            return;
        }
        ui.painter()
            .rect_filled(ui.max_rect(), 0.0, tokens(ui).base);
        let middle = ui.max_rect().shrink2(vec2(40.0, 0.0));
        let builder = egui::UiBuilder::new().max_rect(middle);
        ui.scope_builder(builder, |ui| {
            ui.add_space((middle.height() * 0.32).max(20.0));
            if let Some(failure) = &self.failure {
                failure_ui(ui, failure, actions);
            } else if let Some(opening) = &self.opening {
                ui.vertical_centered(|ui| {
                    ui.add(egui::Spinner::new().size(26.0));
                    ui.label(format!("Opening {opening}…"));
                });
            } else {
                welcome_ui(ui, actions);
            }
        });
    }

    /// The callouts of the first start, and the result with which its scene is opened.
    fn callouts(&mut self, ui: &Ui, area: egui::Rect) {
        if self.first_start.result_due && self.lab.open_generated(&self.editor) {
            self.first_start.result_due = false;
        }
        self.first_start.watch(&self.lab);
        if let (false, Some(scene)) = (self.first_start.over(), self.editor.committed()) {
            let screen = self.panes.working_screen();
            first_start::callouts_ui(ui, area, &mut self.first_start, screen, scene);
        }
        self.settings.welcomed = self.first_start.over();
    }

    fn layout(&mut self, ui: &mut Ui, frame_ms: f32, actions: &mut Vec<Action>) {
        let tokens = tokens(ui);
        let bar = |side: i8| {
            egui::Frame::new()
                .fill(tokens.panel)
                .inner_margin(egui::Margin::symmetric(side, 0))
        };
        egui::Panel::top("top")
            .exact_size(42.0)
            .resizable(false)
            .frame(bar(10))
            .show(ui, |ui| {
                top::top_ui(ui, &self.editor, &self.panes, self.settings.dark, actions);
            });
        let busy = self.busy();
        egui::Panel::bottom("status")
            .exact_size(25.0)
            .resizable(false)
            .frame(bar(12))
            .show(ui, |ui| {
                let of = (&self.editor, &self.panes, &self.lab.model);
                status::status_ui(ui, of, &busy, frame_ms);
            });
        if self.settings.left {
            egui::Panel::left("left")
                .default_size(268.0)
                .size_range(210.0..=460.0)
                .frame(bar(10))
                .show(ui, |ui| self.left(ui, actions));
        }
        if self.settings.right {
            egui::Panel::right("right")
                .default_size(328.0)
                .size_range(260.0..=520.0)
                .frame(bar(12))
                .show(ui, |ui| self.right(ui, actions));
        }
        egui::Panel::bottom("time")
            .exact_size(92.0)
            .resizable(false)
            .frame(bar(10))
            .show(ui, |ui| {
                timeline::timeline_ui(ui, &self.editor, &mut self.events, actions);
            });
        if self.lab.log.is_some() && self.editor.document().is_some() {
            let height = (ui.ctx().content_rect().height() * 0.165).clamp(132.0, 240.0);
            egui::Panel::bottom("denoise")
                .exact_size(height)
                .resizable(false)
                .frame(bar(10))
                .show(ui, |ui| {
                    denoise::denoise_ui(ui, &self.editor, &self.lab, actions);
                });
        }
        egui::CentralPanel::no_frame().show(ui, |ui| self.centre(ui, actions));
    }

    fn busy(&self) -> status::Busy {
        let text = match (&self.opening, self.saving) {
            (Some(opening), _) => format!("Opening {opening}…"),
            (None, true) => "Writing and checking…".to_owned(),
            (None, false) if self.lab.world_runs() => {
                "The world runs on; drag anyone in it. W or Esc stops it".to_owned()
            }
            (None, false) if self.lab.searching => "Looking for attacks…".to_owned(),
            (None, false) => match (&self.lab.running, self.exporting.text()) {
                (Some(running), _) => running.text(),
                (None, Some(text)) => text,
                (None, None) => String::new(),
            },
        };
        status::Busy { text }
    }
}

impl eframe::App for App {
    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        self.hear();
        self.lab.hear(&mut self.editor);
        self.planning.hear(&mut self.editor);
        let told = self.exporting.hear(context);
        self.editor.notices.extend(told);
        self.measures.hear();
        self.autosave(context);
        self.store_settings();
    }

    fn ui(&mut self, ui: &mut Ui, frame: &mut eframe::Frame) {
        let context = ui.ctx().clone();
        let mut actions = Vec::new();
        self.keys(&context, &mut actions);
        Self::dropped(&context, &mut actions);
        // after idling the first frame is long; time goes on as if it were not
        let elapsed_s = context.input(|input| f64::from(input.unstable_dt).min(0.25));
        self.editor.advance(elapsed_s);
        if self.lab.advance(elapsed_s) || self.editor.playing {
            context.request_repaint();
        }
        if let Some(time_s) = self.lab.world_time_s(&self.editor) {
            self.editor.time_s = time_s;
        }
        let frame_ms = frame.info().cpu_usage.unwrap_or(0.0) * 1000.0;
        self.layout(ui, frame_ms, &mut actions);
        self.dialogs(&context, &mut actions);
        drop_hint(&context);
        for action in actions {
            self.act(action, &context);
        }
        self.lab.tick(&self.editor);
        let now_s = context.input(|input| input.time);
        for notice in std::mem::take(&mut self.editor.notices) {
            self.notices.push(notice, now_s);
        }
        if let Some(command) = self.notices.show(&context, 117.0) {
            self.act(Action::Run(command), &context);
        }
        self.closing(&context);
        self.set_title(&context);
    }

    fn on_exit(&mut self) {
        self.store_settings();
        // the file thread may be gone by now; a failure here costs only the layout
        let _best_effort = self.settings.store(&self.folder);
    }

    fn raw_input_hook(&mut self, context: &Context, input: &mut egui::RawInput) {
        let free = context.memory(|memory| memory.focused().is_none());
        if !self.panes.hovered || !free || self.modal_open() {
            return;
        }
        // over the canvas Tab goes through the agents, elsewhere through the controls
        let mut found = None;
        input.events.retain(|event| match event {
            Event::Key {
                key: Key::Tab,
                pressed: true,
                modifiers,
                ..
            } if !modifiers.command && !modifiers.alt => {
                found = Some(if modifiers.shift {
                    Command::PreviousAgent
                } else {
                    Command::NextAgent
                });
                false
            }
            _ => true,
        });
        if found.is_some() {
            self.next_agent = found;
        }
    }
}

/// Lets go of a field that is no longer shown, so that keys are commands again at once.
fn release_focus(context: &Context) {
    context.memory_mut(|memory| {
        if let Some(id) = memory.focused() {
            memory.surrender_focus(id);
        }
    });
}

fn theme_of(dark: bool) -> egui::ThemePreference {
    if dark {
        egui::ThemePreference::Dark
    } else {
        egui::ThemePreference::Light
    }
}

fn failure_ui(ui: &mut Ui, failure: &Failure, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    let name = failure.path.file_name().unwrap_or(failure.path.as_os_str());
    let title = format!("{} was not opened", name.to_string_lossy());
    let pressed = widgets::empty_state(
        ui,
        Icon::Warning,
        &title,
        &failure.message,
        Some("Open another file"),
    );
    if pressed {
        actions.push(Action::Run(Command::Open));
    }
    ui.vertical_centered(|ui| {
        let text = theme::small("Copy details").color(tokens.dim);
        if ui.add(egui::Button::new(text).frame(false)).clicked() {
            let text = format!("{}\n{}", failure.path.display(), failure.message);
            ui.ctx().copy_text(text);
        }
    });
}

fn welcome_ui(ui: &mut Ui, actions: &mut Vec<Action>) {
    let text = "Drop a file here, or open one: Nearmiss JSON, ScenarioNet, Waymo Motion, GPUDrive, Nocturne, CommonRoad, Argoverse 2, SUMO.";
    if widgets::empty_state(ui, Icon::Open, "Open a driving scene", text, Some("Open…")) {
        actions.push(Action::Run(Command::Open));
    }
}

/// A frame around the window while a file hovers over it.
fn drop_hint(context: &Context) {
    let hovering = context.input(|input| !input.raw.hovered_files.is_empty());
    if !hovering {
        return;
    }
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop hint"));
    let painter = context.layer_painter(layer);
    let rect = context.content_rect();
    let tokens = if context.theme() == egui::Theme::Dark {
        &theme::DARK
    } else {
        &theme::LIGHT
    };
    painter.rect_filled(rect, 0.0, tokens.base.gamma_multiply(0.8));
    let stroke = egui::Stroke::new(3.0, tokens.accent);
    painter.rect_stroke(rect.shrink(8.0), 10.0, stroke, egui::StrokeKind::Inside);
    painter.text(
        rect.center(),
        egui::Align2::CENTER_CENTER,
        "Drop to open",
        egui::FontId::new(22.0, theme::semibold()),
        tokens.text,
    );
}
