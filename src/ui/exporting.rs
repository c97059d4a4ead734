//! The export dialog with its thread: opens, estimates, runs, and says what became of it.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::action::Notice;
use super::action::Weight;
use super::compare::Mode;
use super::editor::Editor;
use super::export::Choices;
use super::export::Kind;
use super::export::Plan;
use super::export::Source;
use super::export::Which;
use super::export::file_stem;
use super::exporter::Exporter;
use super::exporter::Order;
use super::exporter::Told;
use super::files;
use super::panels::export::Facts;
use super::panels::export::Wish;
use super::panels::export::export_ui;
use crate::scene::Scene;

/// How long choices must stand still before a size is estimated, s.
const SETTLED_S: f64 = 0.4;

/// The dialog and what runs.
pub(super) struct Exporting {
    choices: Choices,
    exporter: Exporter,
    open: bool,
    /// The plan on screen, with what it was made of.
    planned: Option<(Inputs, Result<Plan, String>)>,
    /// What was chosen last, and since when.
    standing: Option<(Choices, f64)>,
    /// For which choices a size was asked for.
    asked: Option<Choices>,
    estimate: Option<(u64, usize)>,
    /// What would be written is there already, as far as was looked at last.
    exists: bool,
    /// What became of the last export: whether it worked, and a sentence.
    said: Option<(bool, String)>,
    /// A line that is copied once the scenes it reads are written.
    line: Option<String>,
    scene: Option<Arc<Scene>>,
}

/// What the window does for the dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Errand {
    /// Ask the system for a file or folder; the name proposed.
    Browse(String, bool),
}

/// What decides whether an export is possible, and its command line.
#[derive(PartialEq)]
struct Inputs {
    choices: Choices,
    /// Revision of the scene.
    scene: u64,
    /// Number of samples, of the tray's changes, of what a sweep made, and of drives that have ended.
    cases: (usize, u64, usize, usize),
    /// Panes, and how the first two are compared.
    panes: (usize, Mode),
    steps: bool,
    modes: bool,
}

impl Inputs {
    fn of(choices: &Choices, source: &Source<'_>) -> Self {
        Self {
            choices: choices.clone(),
            scene: source.editor.revision(),
            cases: (
                source.lab.cases.len(),
                source.lab.tray.changes(),
                source.lab.sweep.count_valid(),
                source
                    .trial
                    .sheet
                    .as_ref()
                    .map_or(0, |sheet| sheet.progress().0),
            ),
            panes: (source.panes.count, source.panes.compare),
            steps: source.lab.log.is_some(),
            modes: source.planning.planned.is_some(),
        }
    }

    /// Whether `other` is the same but for folder and name, which change with every letter.
    fn differs_in_place(&self, other: &Self) -> bool {
        let choices = Choices {
            folder: self.choices.folder.clone(),
            stem: self.choices.stem.clone(),
            ..other.choices.clone()
        };
        let as_here = Self { choices, ..*other };
        *self == as_here
    }
}

impl Exporting {
    /// A closed dialog with a thread; `wake` asks the window for a frame.
    pub(super) fn new(wake: Box<dyn Fn() + Send>) -> Self {
        Self {
            choices: Choices::default(),
            exporter: Exporter::start(wake),
            open: false,
            planned: None,
            standing: None,
            asked: None,
            estimate: None,
            exists: false,
            said: None,
            line: None,
            scene: None,
        }
    }

    /// Whether the dialog is on screen.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// What became of the last export.
    pub(super) fn said(&self) -> Option<&str> {
        self.said.as_ref().map(|(_, text)| text.as_str())
    }

    /// Progress in words, while an export runs without its dialog.
    pub(super) fn text(&self) -> Option<String> {
        let (done, total) = self.exporter.running.filter(|_| !self.open)?;
        Some(match total {
            0 => "Exporting… Esc cancels".to_owned(),
            total => format!("Exporting, {done} of {total}. Esc cancels"),
        })
    }

    /// Whether an export runs.
    pub(super) fn runs(&self) -> bool {
        self.exporter.running.is_some()
    }

    /// Stops what runs; false if nothing does.
    pub(super) fn cancel(&mut self) -> bool {
        let runs = self.runs();
        if runs {
            self.exporter.cancel();
        }
        runs
    }

    /// Opens the dialog for a scene; for the tray if `tray`.
    pub(super) fn begin(&mut self, editor: &Editor, folder: &Path, dark: bool, tray: bool) {
        let Some(scene) = editor.committed() else {
            return;
        };
        let choices = &mut self.choices;
        if choices.folder.is_empty() {
            choices.folder = folder.display().to_string();
            choices.style = if dark { "dark" } else { "light" };
        }
        let known = self
            .scene
            .as_ref()
            .is_some_and(|old| old.name == scene.name);
        if !known || choices.stem.is_empty() {
            choices.stem = file_stem(&scene.name);
            choices.whole(scene);
        }
        choices.span_s = choices.span_s.map(|time_s| time_s.min(scene.duration_s()));
        if tray {
            (choices.kind, choices.which) = (Kind::Case, Which::Tray);
        } else if matches!(choices.which, Which::Tray | Which::Sweep) {
            choices.which = Which::Present;
        }
        self.scene = Some(scene.clone());
        self.open = true;
        self.planned = None;
        self.said = None;
        self.asked = None;
        self.estimate = None;
    }

    /// Takes a place chosen in the system's dialog.
    pub(super) fn place(&mut self, path: &Path, is_folder: bool) {
        if is_folder {
            self.choices.folder = path.display().to_string();
            return;
        }
        if let Some(folder) = path.parent() {
            self.choices.folder = folder.display().to_string();
        }
        if let Some(stem) = path.file_stem() {
            let stem = stem.to_string_lossy();
            self.choices.stem = stem.trim_end_matches(".gpudrive").to_owned();
        }
    }

    /// Takes in what the thread says; the notices are for the window while the dialog is closed.
    pub(super) fn hear(&mut self, context: &egui::Context) -> Vec<Notice> {
        let mut notices = Vec::new();
        while let Some(told) = self.exporter.poll() {
            let (worked, sentence) = match told {
                Told::Progress(..) => continue,
                Told::There(exists) => {
                    self.exists = exists;
                    continue;
                }
                Told::Estimate(bytes, frames) => {
                    self.estimate = Some((bytes, frames));
                    continue;
                }
                Told::Done(sentence) => (true, sentence),
                Told::Cancelled(sentence) => (false, format!("Cancelled. {sentence}")),
                Told::Failed(sentence) => (false, sentence),
            };
            let sentence = match self.line.take() {
                Some(line) if worked => {
                    context.copy_text(line);
                    format!("The command was copied. It reads what was just written. {sentence}")
                }
                Some(_) => sentence,
                None => {
                    self.exists |= worked;
                    sentence
                }
            };
            if !self.open {
                let weight = if worked {
                    Weight::Good
                } else {
                    Weight::Warning
                };
                notices.push(Notice::new(weight, sentence.clone()));
            }
            self.said = Some((worked, sentence));
        }
        notices
    }

    /// Shows the dialog, if it is open.
    pub(super) fn show(&mut self, context: &egui::Context, source: &Source<'_>) -> Option<Errand> {
        if !self.open {
            self.planned = None;
            return None;
        }
        let settles = self.settles(context);
        let inputs = Inputs::of(&self.choices, source);
        let plan = match self.planned.take() {
            Some((of, plan)) if of == inputs || (of.differs_in_place(&inputs) && !settles) => {
                (of, plan)
            }
            _ => (inputs, self.choices.plan(source)),
        };
        let plan = &self.planned.insert(plan).1;
        if let (true, Ok(plan)) = (settles, plan) {
            self.exporter.submit(self.choices.estimate(plan));
        }
        let before = self.choices.clone();
        let facts = Facts {
            duration_s: source
                .editor
                .committed()
                .map_or(0.0, |scene| scene.duration_s()),
            panes: source.panes.sources_shown(),
            driven: source.driven(),
            counts: [
                source.lab.cases.len(),
                source.lab.tray.cases().len(),
                source.lab.sweep.count_valid(),
            ],
            estimate: self.estimate,
            running: self.exporter.running,
            said: self
                .said
                .as_ref()
                .map(|(worked, text)| (*worked, text.as_str())),
            exists: self.exists,
            can_browse: files::dialogs_available(),
            plan,
        };
        let wish = export_ui(context, &mut self.choices, &facts);
        if self.choices != before {
            self.said = None;
            self.estimate = None;
            self.exists = false;
        }
        match wish? {
            // of the choices and the scene as they are at this moment
            wish @ (Wish::Run | Wish::Copy) => match (wish, self.choices.plan(source)) {
                (Wish::Run, Ok(plan)) => {
                    self.said = None;
                    self.exporter.submit(plan.order);
                }
                (_, Ok(plan)) => {
                    if let Some(line) = plan.command {
                        self.copy(context, line, plan.needs);
                    }
                }
                (_, Err(why)) => self.said = Some((false, why)),
            },
            Wish::Cancel => self.exporter.cancel(),
            Wish::Close => self.open = false,
            Wish::Browse => {
                let target = self.choices.target();
                let is_folder = target.extension().is_none();
                let name = target.file_name().unwrap_or_default().to_string_lossy();
                return Some(Errand::Browse(name.into_owned(), is_folder));
            }
        }
        None
    }

    /// Copies a line; first writes the scenes it reads.
    pub(super) fn copy(
        &mut self,
        context: &egui::Context,
        line: String,
        needs: Vec<(Arc<Scene>, PathBuf)>,
    ) {
        if needs.is_empty() {
            context.copy_text(line);
            self.said = Some((true, "The command was copied.".to_owned()));
            return;
        }
        self.line = Some(line);
        self.exporter.submit(Order::Cases {
            cases: needs,
            steps: None,
            modes: None,
        });
    }

    /// Whether the choices have stood still, told once: then the size is asked for.
    fn settles(&mut self, context: &egui::Context) -> bool {
        let now_s = context.input(|input| input.time);
        let same = self
            .standing
            .as_ref()
            .is_some_and(|(c, _)| *c == self.choices);
        if !same {
            self.standing = Some((self.choices.clone(), now_s));
        }
        let since = self.standing.as_ref().map_or(now_s, |(_, since)| *since);
        if self.asked.as_ref() == Some(&self.choices) || self.runs() {
            return false;
        }
        if now_s - since < SETTLED_S {
            context.request_repaint_after_secs(SETTLED_S as f32);
            return false;
        }
        self.asked = Some(self.choices.clone());
        true
    }
}
