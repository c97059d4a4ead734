//! Opening, saving and leaving: what goes through the file thread, and what must not be lost on the way.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use egui::Context;

use super::App;
use super::Arrival;
use super::Failure;
use super::LeftTab;
use super::Pending;
use crate::data;
use crate::scene::Scene;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::bundled::Bundled;
use crate::ui::editor::Document;
use crate::ui::export::file_stem;
use crate::ui::files;
use crate::ui::files::Answer;
use crate::ui::files::Purpose;
use crate::ui::files::Reading;
use crate::ui::files::Request;
use crate::ui::first_start;
use crate::ui::lab::Case;
use crate::ui::panels::dialogs;
use crate::ui::panels::dialogs::Outcome;
use crate::ui::panels::dialogs::PathField;
use crate::ui::panels::dialogs::Unsaved;
use crate::ui::panels::library::Place;
use crate::ui::settings::Recent;

/// At most one autosave in this time, s.
const AUTOSAVE_S: f64 = 2.0;

/// Longest time that closing waits for the tray to be written, s.
const LEAVE_S: f64 = 10.0;

impl App {
    /// Begins to open a file, or one scene of it. A file with several scenes is listed first.
    pub(super) fn open(&mut self, path: PathBuf, pick: Option<String>) {
        self.ticket += 1;
        let ticket = self.ticket;
        self.restoring = false;
        self.replaceable = self.editor.revision();
        let shown = path.file_name().unwrap_or(path.as_os_str());
        self.opening = Some(shown.to_string_lossy().into_owned());
        let listed =
            self.scenes.listing.as_ref().is_some_and(|(_, entries)| {
                entries.iter().any(|e| e.file == path && e.pick == pick)
            });
        self.files.read(if pick.is_some() || listed {
            Reading::Open { ticket, path, pick }
        } else {
            Reading::List { ticket, path }
        });
    }

    /// Opens no longer what is being opened; false if nothing is.
    pub(super) fn give_up_opening(&mut self) -> bool {
        let opens = self.opening.take().is_some();
        if opens {
            // its answer is then that to an older request
            self.ticket += 1;
        }
        opens
    }

    fn opened(&mut self, opened: data::Opened, place: Place, origin: String) {
        let report = opened.report.lines();
        let problems = opened.report.problems.len() + opened.report.further_problems;
        if problems > 0 {
            let text = match problems {
                1 => "One thing in this file was not usable and left out.".to_owned(),
                some => format!("{some} things in this file were not usable and left out."),
            };
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
        self.after_save = None;
        self.editor.time_s = now_s;
        self.editor.playing = false;
        if std::mem::take(&mut self.play_first) {
            self.editor.time_s = 0.0;
            self.editor.playing = true;
        }
        self.autosaved.0 = self.editor.revision();
        self.panes.reset();
        self.first_start.result_due = false;
        self.agent_filter.clear();
        self.lab.reset(self.scenes.open.take(), &place);
        self.planning.reset();
        self.failure = None;
        self.notices.forget_failures();
        self.scenes.open = Some(place);
    }

    /// Carries out what would lose unsaved changes, or asks first.
    pub(super) fn guarded(&mut self, action: Action) {
        let modified = self.editor.document().is_some_and(Document::modified);
        if modified {
            self.ask_first(Pending::Do(action));
        } else {
            self.replace(action);
        }
    }

    /// Asks what shall become of unsaved changes. A later wish takes the place of a scene that is being opened.
    fn ask_first(&mut self, pending: Pending) {
        self.give_up_opening();
        self.unsaved = Some(pending);
    }

    fn replace(&mut self, action: Action) {
        self.give_up_opening();
        match action {
            Action::Run(Command::FirstSteps) => {
                self.greet();
                self.replace(Action::OpenBundled(0));
            }
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
                    self.play_first = false;
                    self.open(path, None);
                    self.restoring = true;
                }
            }
            _ => {}
        }
    }

    pub(super) fn ask_path(&mut self, purpose: Purpose) {
        let open = self.editor.document();
        if matches!(purpose, Purpose::Save(_)) && open.is_none() {
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
            Purpose::Save(_) | Purpose::Bug => folder.join(name).display().to_string(),
            Purpose::Open | Purpose::OpenFolder | Purpose::Export | Purpose::ExportFolder => {
                format!("{}/", folder.display())
            }
        };
        self.path_field = Some(PathField::new(purpose, typed));
    }

    pub(super) fn picked(&mut self, purpose: Purpose, path: PathBuf) {
        match purpose {
            Purpose::Open | Purpose::OpenFolder => self.guarded(Action::Open { path, pick: None }),
            Purpose::Export => self.exporting.place(&path, false),
            Purpose::ExportFolder => self.exporting.place(&path, true),
            Purpose::Bug => {
                if let Some(scene) = self.lab.bug.clone() {
                    self.files.ask(Request::Save {
                        document: None,
                        scene,
                        path: files::scene_file(&path),
                    });
                }
            }
            Purpose::Save(document) if document == self.editor.number() => {
                self.save(files::scene_file(&path));
            }
            Purpose::Save(_) => {
                let text =
                    "The scene that was to be saved there is no longer open: nothing was written.";
                self.say(Weight::Warning, text);
            }
        }
    }

    /// A dialog was closed without a path: what was to follow a save does not.
    pub(super) fn passed_over(&mut self, purpose: Purpose) {
        if purpose == Purpose::Save(self.editor.number()) {
            self.after_save = None;
        }
    }

    pub(super) fn save(&mut self, path: PathBuf) {
        if let Some(scene) = self.editor.committed().cloned() {
            self.saving = true;
            self.files.ask(Request::Save {
                document: Some(self.editor.number()),
                scene,
                path,
            });
        }
    }

    pub(super) fn hear(&mut self) {
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
                    document,
                    scene,
                    path,
                    result,
                } => self.saved(document, scene, path, result),
                Answer::Tray(cases, faults) => self.tray_found(cases, &faults),
                Answer::TrayKept(change, result) => {
                    // one that cannot be written is said once, and does not keep the window from closing
                    self.tray_kept = change;
                    if let Err(message) = result {
                        let text =
                            "The tray could not be kept for the next start. Export its cases.";
                        let notice = Notice::new(Weight::Warning, text).with_detail(message);
                        self.editor.notices.push(notice);
                    }
                }
                Answer::AutosaveFailed(message) => {
                    let text = "The autosave could not be written. Save your work to a file.";
                    let notice = Notice::new(Weight::Warning, text).with_detail(message);
                    self.editor.notices.push(notice);
                }
                Answer::Completions {
                    typed,
                    paths,
                    exists,
                } => {
                    if let Some(field) = &mut self.path_field
                        && field.typed == typed
                    {
                        field.completions = paths;
                        field.exists = Some(exists);
                    }
                }
                Answer::Picked { purpose, path } => match path {
                    Some(path) => self.picked(purpose, path),
                    None => self.passed_over(purpose),
                },
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
        let arrival = Arrival {
            opened,
            path,
            pick,
            restored: self.restoring,
        };
        let modified = self.editor.document().is_some_and(Document::modified);
        if modified && self.editor.revision() != self.replaceable {
            self.ask_first(Pending::Show(Box::new(arrival)));
        } else {
            self.take_in(arrival);
        }
    }

    fn take_in(&mut self, arrival: Arrival) {
        let Arrival {
            opened,
            path,
            pick,
            restored,
        } = arrival;
        let origin = match &pick {
            Some(pick) => format!("{} [{pick}]", path.display()),
            None => path.display().to_string(),
        };
        if restored {
            let scene = opened.scene;
            let name = scene.name.clone();
            self.restored = Some(path.clone());
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
                    self.collapsed = false;
                    self.scenes.listing = Some((path, entries));
                }
                self.files.read(Reading::Open {
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

    /// Takes in what came of a save. It is credited to the document that was saved, or to none if that is gone.
    fn saved(
        &mut self,
        document: Option<u64>,
        scene: Arc<Scene>,
        path: PathBuf,
        result: Result<u64, String>,
    ) {
        self.saving = false;
        let is_open = document == Some(self.editor.number());
        match result {
            Ok(bytes) => {
                let kilobytes = bytes.div_ceil(1024);
                let text = format!("Written and checked: {} ({kilobytes} kB)", path.display());
                self.say(Weight::Good, text);
                if document.is_some() {
                    self.settings.remember(Recent {
                        path: path.clone(),
                        pick: None,
                        name: scene.name.clone(),
                    });
                }
                if is_open {
                    self.settle(scene, path);
                }
            }
            Err(message) => {
                if is_open {
                    self.after_save = None;
                }
                let notice =
                    Notice::new(Weight::Error, "The scene was not saved.").with_detail(message);
                self.editor.notices.push(notice);
            }
        }
    }

    /// The open document lies at `path` now, as `scene`: recovery files go, and what waited for it follows.
    fn settle(&mut self, scene: Arc<Scene>, path: PathBuf) {
        if let Some(restored) = self.restored.take() {
            self.files.ask(Request::Forget(vec![restored]));
        }
        if let Some(open) = self.editor.document_mut() {
            open.mark_saved(scene, path);
            if !open.modified() {
                self.files.ask(Request::DropAutosave);
            }
        }
        let modified = self.editor.document().is_some_and(Document::modified);
        match self.after_save.take() {
            // changed while it was written
            Some(pending) if modified => self.ask_first(pending),
            Some(pending) => self.go_on(pending),
            None => {}
        }
    }

    fn go_on(&mut self, pending: Pending) {
        match pending {
            Pending::Do(action) => self.replace(action),
            Pending::Show(arrival) => self.take_in(*arrival),
            Pending::Quit => self.quitting = true,
        }
    }

    pub(super) fn autosave(&mut self, context: &Context) {
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

    fn tray_found(&mut self, cases: Vec<Case>, faults: &[String]) {
        let text = match cases.len() {
            1 => "The tray holds a case of an earlier session.".to_owned(),
            some => format!("The tray holds {some} cases of an earlier session."),
        };
        if !cases.is_empty() {
            self.say(Weight::Info, text);
        }
        self.lab.tray.restore(cases);
        if !faults.is_empty() {
            let text = "A tray of an earlier session cannot be read.";
            let notice = Notice::new(Weight::Warning, text).with_detail(faults.join("\n"));
            self.editor.notices.push(notice);
        }
    }

    /// Keeps the tray for the next start, once it has changed; at once if `hurry`.
    pub(super) fn keep_tray(&mut self, context: &Context, hurry: bool) {
        let change = self.lab.tray.changes();
        let now_s = context.input(|input| input.time);
        let (asked, at_s) = self.tray_asked;
        if change == asked {
            return;
        }
        if !hurry && now_s - at_s < AUTOSAVE_S {
            context.request_repaint_after_secs(AUTOSAVE_S as f32);
            return;
        }
        let cases = self.lab.tray.scenes();
        self.files.ask(Request::KeepTray { change, cases });
        self.tray_asked = (change, now_s);
    }

    pub(super) fn closing(&mut self, context: &Context) {
        let asked = context.input(|input| input.viewport().close_requested());
        let modified = self.editor.document().is_some_and(Document::modified);
        if asked && modified && !self.quitting {
            context.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            self.ask_first(Pending::Quit);
            return;
        }
        if !asked && !self.quitting {
            return;
        }
        let change = self.lab.tray.changes();
        let (asked_of, at_s) = self.tray_asked;
        let waited_s = context.input(|input| input.time) - at_s;
        let hangs = asked_of == change && waited_s > LEAVE_S;
        if change != self.tray_kept && !hangs {
            // the window stays until the file thread has written the tray
            context.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            self.quitting = true;
            self.keep_tray(context, true);
            context.request_repaint();
        } else if self.quitting {
            context.send_viewport_cmd(egui::ViewportCommand::Close);
        }
    }

    pub(super) fn rename_dialog(&mut self, context: &Context) {
        let Some(name) = &mut self.renaming else {
            return;
        };
        let outcome = dialogs::rename_ui(context, name);
        if outcome == Outcome::Open {
            return;
        }
        let name = self.renaming.take().unwrap_or_default();
        let name = name.trim();
        let Some(scene) = self.editor.committed().cloned() else {
            return;
        };
        if outcome == Outcome::Closed || name.is_empty() || name == scene.name {
            return;
        }
        let mut renamed = Scene::clone(&scene);
        name.clone_into(&mut renamed.name);
        let renamed = Arc::new(renamed);
        self.lab.renamed(&scene, &renamed);
        self.editor.put(format!("Rename to {name}"), renamed);
    }

    pub(super) fn unsaved_dialog(&mut self, context: &Context) {
        let Some(pending) = &self.unsaved else { return };
        let name = self.editor.document().map_or_else(String::new, |open| {
            let name = &open.history.scene().name;
            if name.is_empty() { &open.origin } else { name }.clone()
        });
        let what = match pending {
            Pending::Do(_) | Pending::Show(_) => "Another scene is about to be opened.",
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
                    if matches!(pending, Pending::Quit) {
                        self.files.ask(Request::DropAutosave);
                    }
                    self.go_on(pending);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::time::Instant;

    use egui_kittest::Harness;

    use super::*;
    use crate::scene::Edit;
    use crate::ui::Start;

    type Bench = Harness<'static, App>;

    const BUNDLED: [(&str, &str); 1] =
        [("left-turn", include_str!("../../../scenes/left-turn.json"))];
    const OTHER: &str = include_str!("../../../scenes/dense-queue.json");

    /// A window on a bundled scene, never drawn, and a file with another one.
    fn bench() -> (tempfile::TempDir, Bench, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("other.json");
        std::fs::write(&file, OTHER).unwrap();
        let settings = folder.path().join("settings");
        std::fs::create_dir_all(&settings).unwrap();
        let remembered = "{\"welcomed\": true, \"planning\": false}";
        std::fs::write(settings.join("window.json"), remembered).unwrap();
        let start = Start {
            bundled: &BUNDLED,
            folder: Some(settings),
            ..Start::default()
        };
        let mut bench = Harness::builder().build_eframe(|creation| App::new(creation, start));
        hear(bench.state_mut(), |app| app.editor.document().is_some());
        (folder, bench, file)
    }

    /// Takes in answers until `met`.
    fn hear(app: &mut App, met: impl Fn(&App) -> bool) {
        let began = Instant::now();
        while !met(app) {
            assert!(began.elapsed() < Duration::from_secs(60));
            app.hear();
        }
    }

    fn edit(app: &mut App) {
        let now = app.editor.committed().unwrap().now;
        let edits = vec![Edit::SetNow { frame: now - 1 }];
        app.editor.apply(&Action::Commit { label: None, edits });
    }

    fn name(app: &App) -> &str {
        &app.editor.committed().unwrap().name
    }

    #[test]
    fn a_scene_that_is_there_after_an_edit_waits_for_an_answer() {
        let (_folder, mut bench, file) = bench();
        let app = bench.state_mut();
        let first = name(app).to_owned();
        app.guarded(Action::Open {
            path: file.clone(),
            pick: None,
        });
        edit(app);
        hear(app, |app| app.opening.is_none());
        assert!(matches!(app.unsaved, Some(Pending::Show(_))) && name(app) == first);
        let pending = app.unsaved.take().unwrap();
        app.go_on(pending);
        assert_ne!(name(app), first);
        // who let the changes go is not asked again
        edit(app);
        app.guarded(Action::Open {
            path: file,
            pick: None,
        });
        let pending = app.unsaved.take().unwrap();
        app.go_on(pending);
        hear(app, |app| app.opening.is_none());
        let modified = app.editor.document().unwrap().modified();
        assert!(app.unsaved.is_none() && !modified);
    }

    #[test]
    fn escape_gives_up_what_is_being_opened() {
        let (folder, mut bench, file) = bench();
        let context = bench.ctx.clone();
        let app = bench.state_mut();
        let first = name(app).to_owned();
        app.open(file, None);
        app.run(Command::Cancel, &context);
        assert!(app.opening.is_none());
        // its answer comes before that to what is opened next
        let again = folder.path().join("again.json");
        app.save(again.clone());
        hear(app, |app| !app.saving);
        app.open(again, None);
        hear(app, |app| app.opening.is_none());
        assert_eq!(name(app), first);
    }

    #[test]
    fn what_is_edited_while_it_is_written_is_asked_about_before_the_window_closes() {
        let (folder, mut bench, _) = bench();
        let app = bench.state_mut();
        app.after_save = Some(Pending::Quit);
        app.save(folder.path().join("saved.json"));
        edit(app);
        hear(app, |app| !app.saving);
        assert!(!app.quitting && matches!(app.unsaved, Some(Pending::Quit)));
    }

    #[test]
    fn a_save_that_ends_once_another_scene_is_open_is_not_credited_to_that() {
        let (folder, mut bench, _) = bench();
        let app = bench.state_mut();
        let (place, other) = (folder.path().join("a.json"), folder.path().join("b.json"));
        app.save(place.clone());
        app.replace(Action::OpenBundled(0)); // the same again is another document
        hear(app, |app| !app.saving);
        let open = app.editor.document().unwrap();
        assert!(place.exists() && open.path.is_none() && !open.modified());
        assert_eq!(app.settings.recents[0].path, place);
        // nor does a path that was chosen for the one before save this one
        let chosen_for = Purpose::Save(app.editor.number());
        app.after_save = Some(Pending::Quit);
        app.replace(Action::OpenBundled(0));
        app.picked(chosen_for, other.clone());
        assert!(!app.saving && app.after_save.is_none());
        let said = &app.editor.notices.last().unwrap().text;
        assert!(said.contains("no longer open"), "{said}");
        app.picked(Purpose::Save(app.editor.number()), other.clone());
        hear(app, |app| !app.saving);
        assert_eq!(app.editor.document().unwrap().path, Some(other));
    }

    #[test]
    fn nothing_follows_a_save_for_which_no_path_was_chosen() {
        let (_folder, mut bench, _) = bench();
        let app = bench.state_mut();
        app.after_save = Some(Pending::Quit);
        let purpose = Purpose::Save(app.editor.number());
        app.path_field = Some(PathField::new(purpose, String::new()));
        bench.run_steps(2);
        bench.key_press(egui::Key::Escape);
        bench.run_steps(2);
        let app = bench.state();
        assert!(app.path_field.is_none() && app.after_save.is_none());
    }

    #[test]
    fn the_first_start_is_laid_out_again_once_the_changes_may_go() {
        let (_folder, mut bench, _) = bench();
        let context = bench.ctx.clone();
        let app = bench.state_mut();
        edit(app);
        app.run(Command::FirstSteps, &context);
        assert!(app.first_start.over() && app.panes.count == 1);
        let pending = app.unsaved.take().unwrap();
        app.go_on(pending);
        assert!(!app.first_start.over() && app.panes.count == 2);
    }
}
