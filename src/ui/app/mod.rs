//! The application: carries out wishes, asks the engine, the planners and the file thread. Its panels stand in `layout`,
//! files in `filing`, what tests read off it in `probe`.

mod filing;
mod layout;
mod probe;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use egui::Context;
use egui::Event;
use egui::Key;
use egui::Ui;

use crate::data;
use crate::data::holds_plan;
use crate::engine::Engine;
use crate::engine::Pilot;
use crate::planner::Decoder;
use crate::planner::PlanSettings;
use crate::render::Path as Trace;
use crate::render::PathKind;
use crate::scene::AgentId;
use crate::scene::Edit;
use crate::scene::Scene;
use crate::scene::State;
use crate::ui::Start;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::canvas;
use crate::ui::compare::Changes;
use crate::ui::editor::Editor;
use crate::ui::export;
use crate::ui::exporting::Errand;
use crate::ui::exporting::Exporting;
use crate::ui::files;
use crate::ui::files::Files;
use crate::ui::files::Purpose;
use crate::ui::files::Recovery;
use crate::ui::files::Request;
use crate::ui::first_start::FirstStart;
use crate::ui::first_start::Try;
use crate::ui::graphics::Device;
use crate::ui::graphics::Graphics;
use crate::ui::graphics::Loss;
use crate::ui::graphics::Wake;
use crate::ui::lab;
use crate::ui::lab::Lab;
use crate::ui::lab::sweep::SweepAction;
use crate::ui::measures::Measures;
use crate::ui::panels::compare;
use crate::ui::panels::dialogs::PathField;
use crate::ui::panels::history;
use crate::ui::panels::inspector;
use crate::ui::panels::library::Library;
use crate::ui::panels::notices::Notices;
use crate::ui::panels::palette::Palette;
use crate::ui::panels::results;
use crate::ui::panels::tray;
use crate::ui::panes::Made;
use crate::ui::panes::Panes;
use crate::ui::pilot::PaneAnswer;
use crate::ui::pilot::PilotAction;
use crate::ui::pilot::Planning;
use crate::ui::settings::Settings;
use crate::ui::sources;
use crate::ui::sources::Source;
use crate::ui::sources::View;
use crate::ui::theme;
use crate::ui::timeline;
use crate::ui::trial::Cases;
use crate::ui::trial::Trial;
use crate::ui::trial::TrialAction;

/// The folder, among the program's own, for scenes that a copied command line reads.
const COMMANDS: &str = "commands";

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
    /// A scene that was opened while the present one was changed takes its place.
    Show(Box<Arrival>),
    Quit,
}

/// A scene as it comes from the disk.
#[derive(Debug, Clone)]
struct Arrival {
    opened: data::Opened,
    path: PathBuf,
    pick: Option<String>,
    /// It is an autosave of an earlier session.
    restored: bool,
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
    trial: Trial,
    measures: Measures,
    /// The metric whose reasons are open in the results.
    why: results::Why,
    changes: Changes,
    comparing: bool,
    compare: compare::Opened,
    first_start: FirstStart,
    views: Vec<View>,
    left_tab: LeftTab,
    right_tab: RightTab,
    agent_filter: String,
    /// The window is narrow, and the left panel has given way for that.
    narrow: bool,
    collapsed: bool,
    naming: history::Naming,
    writing: tray::Writing,
    curves: inspector::Curves,
    events: timeline::Events,
    notices: Notices,
    palette: Option<Palette>,
    help: bool,
    path_field: Option<PathField>,
    unsaved: Option<Pending>,
    /// The scene's new name, while it is typed.
    renaming: Option<String>,
    /// What follows once the open document is saved.
    after_save: Option<Pending>,
    recoveries: Vec<Recovery>,
    /// The autosave the document was restored from; it goes once the document is saved.
    restored: Option<PathBuf>,
    exporting: Exporting,
    failure: Option<Failure>,
    ticket: u64,
    opening: Option<String>,
    /// What is being opened is an autosave of an earlier session.
    restoring: bool,
    /// The revision of the document that may go without another question once the scene that is being opened is there.
    replaceable: u64,
    saving: bool,
    autosaved: (u64, f64),
    /// The change of the tray that was last handed to the file thread, and when, s.
    tray_asked: (u64, f64),
    /// The change of the tray that is on the disk.
    tray_kept: u64,
    /// A command that runs at the end of this frame: by then what was typed before it is part of the scene.
    next: Option<Command>,
    play_first: bool,
    pub(super) quitting: bool,
    title: String,
    wake: Wake,
    graphics: Graphics,
    /// Why the graphics device was lost, once the window closes for it.
    lost: Option<Loss>,
    /// How long windows before this one were open, and all together, s.
    clock_s: [f64; 2],
}

impl App {
    /// Builds the application inside a window (or a test harness).
    pub fn new(creation: &eframe::CreationContext<'_>, start: Start) -> Self {
        let context = &creation.egui_ctx;
        let (wake, mut graphics) = (Wake::new(context), Graphics::default());
        prepare(creation, &mut graphics, &wake);
        let folder = start.folder.clone().unwrap_or_else(|| {
            eframe::storage_dir("nearmiss").unwrap_or_else(|| PathBuf::from(".nearmiss"))
        });
        let first = Settings::absent(&folder) && start.scene.is_none();
        let settings = Settings::load(&folder);
        let recoveries = files::recoveries(&folder);
        let engine = start
            .load
            .and_then(|load| Engine::start(wake.boxed(), load).ok());
        let loads = start.load_planner.map(|load| (load, start.load_world));
        let pilot = loads
            .clone()
            .and_then(|(load, world)| Pilot::start(wake.boxed(), load, world).ok());
        let measures = Measures::start(wake.boxed());
        let files = Files::start(folder.clone(), wake.boxed().into());
        if !start.bundled.is_empty() {
            files.ask(Request::Bundled(start.bundled));
        }
        files.ask(Request::Tray);
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
            trial: Trial::new(loads, wake.clone()),
            measures,
            why: None,
            changes: Changes::default(),
            comparing: false,
            compare: compare::Opened::default(),
            first_start: FirstStart::new(welcomed),
            views: Vec::new(),
            left_tab: LeftTab::Scenes,
            right_tab: RightTab::Generate,
            agent_filter: String::new(),
            narrow: false,
            collapsed: false,
            naming: history::Naming::default(),
            writing: tray::Writing::default(),
            curves: inspector::Curves::default(),
            events: timeline::Events::default(),
            notices: Notices::default(),
            palette: None,
            help: false,
            path_field: None,
            unsaved: None,
            renaming: None,
            after_save: None,
            recoveries,
            restored: None,
            exporting: Exporting::new(wake.boxed()),
            failure: None,
            ticket: 0,
            opening: None,
            restoring: false,
            replaceable: 0,
            saving: false,
            autosaved: (0, 0.0),
            tray_asked: (0, 0.0),
            tray_kept: 0,
            next: None,
            play_first: start.scene.is_none(),
            quitting: false,
            title: String::new(),
            wake,
            graphics,
            lost: None,
            clock_s: [0.0; 2],
        };
        app.editor.looping = app.settings.looping;
        app.panes.count = app.settings.panes;
        app.panes.linked = app.settings.linked;
        app.panes.sources = app.settings.sources;
        app.panes.variants = app.settings.variants.clone();
        app.panes.planners = app.settings.planners;
        app.panes.compare = app.settings.compare;
        app.planning.on = app.settings.planning;
        app.planning.own.line.clone_from(&app.settings.own_planner);
        if first {
            app.greet();
        }
        app.dress(context);
        match start.scene {
            Some(path) => app.open(path, start.pick),
            None if start.bundled.is_empty() => {}
            None => app.opening = Some("the bundled scenes".to_owned()),
        }
        app
    }

    /// Goes on in another window, as its graphics device is gone.
    pub(super) fn moved_to(
        &mut self,
        creation: &eframe::CreationContext<'_>,
        (loss, device): (&Loss, Device),
    ) {
        self.wake.follow(&creation.egui_ctx);
        prepare(creation, &mut self.graphics, &self.wake);
        self.dress(&creation.egui_ctx);
        (self.title, self.clock_s[0]) = (String::new(), self.clock_s[1]);
        let (weight, text, why) = match (loss, device) {
            (Loss::Asked, _) => (Weight::Good, "The graphics are set up anew.", ""),
            (Loss::Lost(why), Device::Usual) => (
                Weight::Warning,
                "The graphics device was lost and is set up anew. Nothing else was lost.",
                why.as_str(),
            ),
            (Loss::Lost(why), Device::Processor) => (
                Weight::Warning,
                "The graphics device was lost again: the processor draws the window now, where there is a driver for that, and is slower. The next start tries the graphics card again.",
                why.as_str(),
            ),
        };
        let mut notice = Notice::new(weight, text);
        notice.detail = (!why.is_empty()).then(|| why.into());
        self.editor.notices.push(notice);
    }

    /// Why the window closed, if it was for its graphics device; told once.
    pub(super) fn take_loss(&mut self) -> Option<Loss> {
        self.lost.take()
    }

    /// Whether the graphics device is gone by now.
    pub(super) fn cannot_draw(&self) -> bool {
        self.graphics.loss().is_some()
    }

    /// Theme and size of the interface.
    fn dress(&self, context: &Context) {
        context.set_theme(theme_of(self.settings.dark));
        context.set_zoom_factor(self.settings.zoom);
    }

    /// The document and its state, for tests and for callers that start with one.
    pub fn editor(&self) -> &Editor {
        &self.editor
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
            || self.trial.open
            || self.lab.sweep.open
            || self.path_field.is_some()
            || self.unsaved.is_some()
            || self.renaming.is_some()
            || !self.recoveries.is_empty()
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
            Action::Trial(wish) => self.try_planners(wish),
            Action::Sweep(SweepAction::Copy) => self.copy_sweep(context),
            Action::Sweep(SweepAction::Refine) => {
                self.lab.refine_sweep(&self.trial, &mut self.editor);
            }
            Action::Sweep(SweepAction::Make(number)) => self.lab.make_left(number, &self.trial),
            Action::Sweep(wish) => self.lab.sweep(wish, &mut self.editor),
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
        if command == Command::FindAttacks {
            self.lab.attacks.planned = self.planning.foreseen(self.editor.committed());
        }
        if self.panes.run(command) || self.lab.run(command, &mut self.editor) {
            self.turn_to(command);
            return;
        }
        match command {
            Command::Duplicate => {
                let edits = |app: &Self| app.editor.committed().map_or(0, |it| it.edits.len());
                let before = edits(self);
                self.editor.apply(&Action::Run(command));
                let scene = self.editor.committed().cloned();
                let new = scene.and_then(|scene| scene.edits.get(before..).map(<[Edit]>::to_vec));
                if let Some(new) = new.filter(|new| !new.is_empty()) {
                    self.lab.answer(&self.editor, &new);
                }
            }
            Command::Open => self.ask_path(Purpose::Open),
            Command::OpenFolder => self.ask_path(Purpose::OpenFolder),
            Command::Save => {
                let known = self.editor.document().and_then(|open| open.path.clone());
                match known {
                    Some(path) => self.save(path),
                    None => self.ask_path(Purpose::Save(self.editor.number())),
                }
            }
            Command::SaveAs => self.ask_path(Purpose::Save(self.editor.number())),
            Command::Rename => {
                let scene = self.editor.committed();
                self.renaming = scene.map(|scene| scene.name.clone());
            }
            Command::Export | Command::ExportCases => self.export(command),
            Command::TryPlanners => self.try_planners(TrialAction::Open(None)),
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
            Command::FirstSteps => self.guarded(Action::Run(command)),
            Command::Theme => {
                self.settings.dark = !self.settings.dark;
                context.set_theme(theme_of(self.settings.dark));
            }
            Command::PlannerPanel => {
                self.settings.right = true;
                self.right_tab = RightTab::Planner;
            }
            Command::Lights | Command::ImportNotes => {
                self.settings.right = true;
                self.right_tab = RightTab::Selection;
                self.editor.apply(&Action::Select(Vec::new()));
            }
            Command::ResultsPanel => {
                self.settings.right = true;
                self.right_tab = RightTab::Results;
                self.comparing = false;
            }
            Command::LeftPanel => {
                self.settings.left = !self.settings.left || self.collapsed;
                self.collapsed = false;
            }
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
            Command::RestartGraphics => {
                self.graphics.give_up();
                context.request_repaint();
            }
            Command::Quit => context.send_viewport_cmd(egui::ViewportCommand::Close),
            Command::CopyCommand => self.copy_command(context),
            Command::Cancel if self.panes.cancel() => {
                self.editor.apply(&Action::DropPreview);
                self.lab.drop_preview();
            }
            Command::Cancel if self.give_up_opening() => {
                self.say(Weight::Info, "The opening was given up.");
            }
            Command::Cancel if self.planning.stop() => {
                self.say(
                    Weight::Info,
                    "The drive was stopped. The scene is as it was.",
                );
            }
            Command::Cancel if self.exporting.cancel() => {}
            Command::Cancel if self.trial.stop() => {
                self.say(
                    Weight::Info,
                    "The trial was stopped; the drives that are finished stay.",
                );
            }
            Command::Cancel if self.lab.world_runs() => {
                self.lab.toggle_world(&mut self.editor);
            }
            Command::Cancel if self.lab.stop() => {
                self.say(Weight::Info, "Stopped. The scene is as it was.");
            }
            Command::Cancel if self.lab.stop_sweep() => {
                self.say(Weight::Info, "The sweep was stopped; what is made stays.");
            }
            Command::Cancel if self.planning.give_up() => {
                self.say(Weight::Info, "Your planner is no longer waited for.");
            }
            other => self.editor.apply(&Action::Run(other)),
        }
    }

    fn try_planners(&mut self, wish: TrialAction) {
        match wish {
            TrialAction::Open(cases) => {
                self.trial.open = true;
                self.lab.sweep.open = false;
                self.trial.cases = cases.unwrap_or(self.trial.cases);
            }
            TrialAction::Planner(decoder, true) => self.trial.planners.push(decoder),
            TrialAction::Planner(decoder, false) => {
                self.trial.planners.retain(|other| *other != decoder);
            }
            TrialAction::World(world) => self.trial.world = world,
            TrialAction::Seconds(seconds) => self.trial.seconds = seconds,
            TrialAction::Cases(cases) => self.trial.cases = cases,
            TrialAction::Start => {
                let planning = &self.planning;
                self.trial
                    .planners
                    .retain(|decoder| planning.lacks(*decoder).is_none());
                let tray = self.lab.tray.scenes();
                let swept = self.lab.sweep.valid();
                let cases = match self.trial.cases_of(tray.len(), swept.len()) {
                    Cases::Tray => tray,
                    Cases::Sweep => swept,
                    Cases::Scene => {
                        let scene = self.editor.committed().into_iter();
                        scene
                            .map(|scene| (scene.name.clone(), scene.clone()))
                            .collect()
                    }
                };
                self.trial
                    .start(cases, &self.planning.settings, &self.planning.own);
            }
            TrialAction::GoOn => self.trial.next(),
            TrialAction::Stop => {
                self.trial.stop();
            }
            TrialAction::Show(case, planner) => {
                let Some((name, driven, scene)) = self.trial.drive(case, planner) else {
                    return;
                };
                self.panes.look_at_ego(scene);
                self.planning.show(name, driven, scene, &mut self.editor);
                self.trial.open = false;
                self.lab.sweep.open = false;
                self.settings.right = true;
                self.right_tab = RightTab::Planner;
            }
            TrialAction::Close => self.trial.open = false,
        }
    }

    /// Brings the panel to the front where the command's answer appears.
    fn turn_to(&mut self, command: Command) {
        match command {
            // whoever sets an agent's numbers sees the run over the pane, and keeps them in sight
            Command::Generate | Command::NewSeed if self.right_tab == RightTab::Selection => {}
            Command::Generate | Command::NewSeed | Command::FindAttacks | Command::MakeAttacks => {
                self.settings.right = true;
                self.right_tab = RightTab::Generate;
            }
            Command::Keep => self.right_tab = RightTab::Tray,
            Command::Sweep => self.trial.open = false,
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
        // what a result was made of is what the command reads, written for it
        let present = open.history.scene().clone();
        let path = export::command_file(&self.folder.join(COMMANDS), &present);
        if let Some(line) = lab::again_line(&path, &present) {
            self.copy_line(context, (line, None), (present, path));
            return;
        }
        let scene = match self.lab.variants.input_of(&present) {
            Some((input, _)) => input.clone(),
            None => present,
        };
        let path = export::command_file(&self.folder.join(COMMANDS), &scene);
        let line = lab::command_line(&path, &scene, &self.lab);
        let unsaid = lab::unsaid(&self.lab.settings);
        self.copy_line(context, (line, unsaid), (scene, path));
    }

    fn copy_sweep(&mut self, context: &Context) {
        if let Some(sheet) = &self.lab.sweep.sheet {
            let path = sheet.command_file(&self.folder.join(COMMANDS));
            let (scene, line) = sheet.command_line(&path);
            let unsaid = lab::unsaid(sheet.settings());
            self.copy_line(context, (line, unsaid), (scene, path));
        }
    }

    /// Copies a line that generates, once the scene it reads is written, and tells what it leaves unsaid.
    fn copy_line(
        &mut self,
        context: &Context,
        (line, unsaid): (String, Option<String>),
        reads: (Arc<Scene>, PathBuf),
    ) {
        if self.exporting.runs() {
            let text =
                "An export runs. Copy the command line once it has ended, or cancel it: Esc.";
            self.say(Weight::Info, text);
            return;
        }
        if let Some(unsaid) = unsaid {
            self.say(Weight::Warning, unsaid);
        }
        self.exporting.copy(context, line, vec![reads]);
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
        self.exporting
            .begin(&self.editor, &folder, self.settings.dark, tray);
    }

    fn export_dialog(&mut self, context: &Context) {
        let source = export::Source {
            editor: &self.editor,
            lab: &self.lab,
            planning: &self.planning,
            panes: &self.panes,
            views: &self.views,
            trial: &self.trial,
            commands: self.folder.join(COMMANDS),
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
        paths.extend(self.lab.sample_fan(&self.editor).iter().cloned());
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
            let attacks = &self.lab.attacks;
            let pointed = attacks.pointed.and_then(|at| attacks.candidates.get(at));
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
                let kind = PathKind::Escape;
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

    /// Key presses that are commands. One that ends typing is returned instead.
    fn keys(&self, context: &Context, actions: &mut Vec<Action>) -> Option<Command> {
        if self.modal_open() {
            return None;
        }
        let typing = context.text_edit_focused();
        let focused = context.memory(|memory| memory.focused().is_some());
        // of the frame before: what is open in this one is not drawn yet
        let popup = egui::Popup::is_any_open(context);
        let mut ends = None;
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
                if typing && command.ends_typing() {
                    ends = Some(command);
                }
                let walks = matches!(
                    key,
                    Key::Space | Key::ArrowLeft | Key::ArrowRight | Key::ArrowUp | Key::ArrowDown
                );
                let taken = popup || (focused && walks);
                if !typing && !taken && *key != Key::Tab {
                    actions.push(Action::Run(command));
                }
            }
        });
        ends
    }

    /// A scene is opened; futures of the ego that somebody wrote down become its planner.
    fn dropped(&mut self, context: &Context, actions: &mut Vec<Action>) {
        let dropped = context.input(|input| input.raw.dropped_files.clone());
        let Some(path) = dropped.first().map(|file| file.path().to_owned()) else {
            return;
        };
        if self.editor.document().is_none() || !holds_plan(&path) {
            actions.push(Action::Open { path, pick: None });
            return;
        }
        let settings = PlanSettings {
            decoder: Decoder::Own,
            ..self.planning.settings.clone()
        };
        self.right_tab = RightTab::Planner;
        for wish in [
            PilotAction::Own(path.display().to_string()),
            PilotAction::Set(Box::new(settings)),
            PilotAction::On(true),
        ] {
            actions.push(Action::Pilot(wish));
        }
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
        self.settings
            .own_planner
            .clone_from(&self.planning.own.line);
        if self.settings != self.stored {
            self.stored = self.settings.clone();
            let settings = Box::new(self.settings.clone());
            self.files.ask(Request::Store(settings));
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
}

/// Makes a window ready for the application.
fn prepare(creation: &eframe::CreationContext<'_>, graphics: &mut Graphics, wake: &Wake) {
    let context = &creation.egui_ctx;
    theme::install(context);
    context.options_mut(|options| options.zoom_with_keyboard = false);
    if let Some(state) = &creation.wgpu_render_state {
        canvas::install(context, state);
        graphics.watch(&state.device, wake);
    }
}

impl eframe::App for App {
    /// The ground of the panels, which need not be painted then.
    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        theme::ground(visuals).to_normalized_gamma_f32()
    }

    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        self.clock_s[1] = context.input(|input| input.time);
        self.lost = self.graphics.loss();
        if self.lost.is_some() {
            context.send_viewport_cmd(egui::ViewportCommand::Close);
        }
        if let Some(refusal) = self.graphics.refusal() {
            let text =
                "The graphics device refused to draw something; what is shown may not be whole.";
            let notice = Notice::new(Weight::Error, text).with_detail(refusal);
            self.editor
                .notices
                .push(notice.offering(Command::RestartGraphics));
        }
        self.hear();
        self.lab.hear(&mut self.editor);
        self.planning.hear(&mut self.editor, &mut self.lab);
        let tried = self.lab.sweep.tried(&self.trial).is_some();
        if let Some(swept) = self.lab.sweep.take_to_drive().filter(|_| tried) {
            self.trial.add(swept);
        }
        let in_sweep = self.lab.sweep.open && self.lab.sweep.tried(&self.trial).is_some();
        let watched = self.trial.open || in_sweep;
        self.trial.hear(&mut self.editor, watched);
        let told = self.exporting.hear(context);
        self.editor.notices.extend(told);
        self.measures.hear();
        self.autosave(context);
        self.keep_tray(context, false);
        self.store_settings();
    }

    fn ui(&mut self, ui: &mut Ui, frame: &mut eframe::Frame) {
        let context = ui.ctx().clone();
        if self.lost.is_some() {
            return; // nothing can be drawn, and the window closes
        }
        let mut actions = Vec::new();
        let ends_typing = self.keys(&context, &mut actions);
        self.dropped(&context, &mut actions);
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
        layout::drop_hint(&context);
        for action in actions {
            self.act(action, &context);
        }
        if let Some(command) = self.next.take() {
            self.act(Action::Run(command), &context);
        }
        if ends_typing.is_some() {
            // the field commits in the next frame, when it sees that it has lost focus
            release_focus(&context);
            context.request_repaint();
            self.next = ends_typing;
        }
        self.lab.tick(&mut self.editor);
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
        self.files.flush(Duration::from_secs(2));
        // the file thread may be gone by now; a failure here costs only the layout
        let _best_effort = self.settings.store(&self.folder);
    }

    fn raw_input_hook(&mut self, context: &Context, input: &mut egui::RawInput) {
        // time goes on in a window that was built anew
        input.time = input.time.map(|time_s| time_s + self.clock_s[0]);
        let focused = context.memory(|memory| memory.focused().is_some());
        let free = !focused && !egui::Popup::is_any_open(context);
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
            self.next = found;
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
