//! Dialogs: a path field where the system has no file dialog, unsaved changes, and recovery after a crash.

use std::path::Path;
use std::path::PathBuf;

use egui::Ui;

use crate::ui::action::Action;
use crate::ui::files::Purpose;
use crate::ui::files::Recovery;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// A path to be typed.
pub(crate) struct PathField {
    /// What it is for.
    pub purpose: Purpose,
    /// What was typed.
    pub typed: String,
    /// Paths that begin so.
    pub completions: Vec<String>,
    /// A scene saved there would replace a file; absent while that is looked up.
    pub exists: Option<bool>,
    /// The button was pressed before it was known whether a file would be replaced.
    pressed: bool,
    fresh: bool,
}

/// What became of a dialog in this frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome<T> {
    /// Still open.
    Open,
    /// Closed without a choice.
    Closed,
    /// A choice was made.
    Chosen(T),
}

impl PathField {
    /// A field that begins with `typed`.
    pub(crate) fn new(purpose: Purpose, typed: String) -> Self {
        Self {
            purpose,
            typed,
            completions: Vec::new(),
            exists: None,
            pressed: false,
            fresh: true,
        }
    }

    /// Shows the field. `ask` is called when what was typed has changed.
    pub(crate) fn show(
        &mut self,
        context: &egui::Context,
        ask: &mut dyn FnMut(String),
    ) -> Outcome<PathBuf> {
        let mut outcome = Outcome::Open;
        let modal = widgets::modal(context, "path field").show(context, |ui| {
            ui.set_width(520.0);
            let (title, button) = match self.purpose {
                Purpose::Open => ("Open a scene", "Open"),
                Purpose::OpenFolder => ("Open a folder of scenes", "Open"),
                Purpose::Save(_) => ("Save the scene", "Save"),
                Purpose::Bug => ("Save the bug case", "Save"),
                Purpose::Export | Purpose::ExportFolder => ("Export", "Choose"),
            };
            ui.label(theme::strong(title, 16.0));
            let text = match self.purpose {
                Purpose::Open | Purpose::OpenFolder => {
                    "This system has no file dialog (no desktop portal). Type the path, or drop the file on the window."
                }
                _ => "This system has no file dialog (no desktop portal). Type the path.",
            };
            ui.label(egui::RichText::new(text).color(tokens(ui).dim));
            ui.add_space(6.0);
            let field = ui.add(
                egui::TextEdit::singleline(&mut self.typed)
                    .hint_text("/path/to/scene.json")
                    .desired_width(f32::INFINITY),
            );
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            let changed = field.changed() || self.fresh;
            if self.fresh {
                field.request_focus();
            }
            field.accessible_name("Path");
            if changed {
                self.fresh = false;
                (self.exists, self.pressed) = (None, false);
                ask(self.typed.clone());
            }
            self.completions_ui(ui);
            ui.add_space(8.0);
            let writes = matches!(self.purpose, Purpose::Save(_) | Purpose::Bug);
            let replaces = writes && self.exists == Some(true);
            if replaces {
                let text = theme::small("A file is there already and will be replaced.");
                ui.label(text.color(tokens(ui).warn));
            }
            let button = if replaces { "Replace" } else { button };
            ui.horizontal(|ui| {
                let ready = !self.typed.trim().is_empty();
                let go = ui.add_enabled_ui(ready, |ui| widgets::primary(ui, button)).inner;
                let pressed = ready && (go.clicked() || entered);
                let waited = std::mem::take(&mut self.pressed);
                match self.exists {
                    // nothing is replaced before the button says so
                    None if writes => self.pressed = pressed || waited,
                    Some(true) if writes && !pressed => {}
                    _ if pressed || waited => {
                        outcome = Outcome::Chosen(PathBuf::from(self.typed.trim()));
                    }
                    _ => {}
                }
                if ui.button("Cancel").clicked() {
                    outcome = Outcome::Closed;
                }
            });
        });
        if modal.should_close() && outcome == Outcome::Open {
            outcome = Outcome::Closed;
        }
        outcome
    }

    fn completions_ui(&mut self, ui: &mut Ui) {
        let mut taken = None;
        egui::ScrollArea::vertical()
            .max_height(220.0)
            .min_scrolled_height(120.0)
            .show(ui, |ui| {
                ui.set_min_width(ui.available_width());
                ui.spacing_mut().item_spacing.y = 1.0;
                for path in &self.completions {
                    let button = egui::Button::new(path).frame(false).truncate();
                    if ui.add(button).clicked() {
                        taken = Some(path.clone());
                    }
                }
            });
        if let Some(path) = taken {
            self.typed = path;
            self.fresh = true;
        }
    }
}

/// What to do with changes that are not saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsaved {
    /// Save first.
    Save,
    /// Let them go.
    Discard,
}

/// Asks what to do with changes before `what`.
pub(crate) fn unsaved_ui(context: &egui::Context, name: &str, what: &str) -> Outcome<Unsaved> {
    let mut outcome = Outcome::Open;
    let modal = widgets::modal(context, "unsaved").show(context, |ui| {
        ui.set_width(400.0);
        ui.label(theme::strong(format!("Save the changes to {name}?"), 16.0));
        let text = format!("They are not saved. {what}");
        ui.label(egui::RichText::new(text).color(tokens(ui).dim));
        ui.add_space(10.0);
        ui.horizontal(|ui| {
            if widgets::primary(ui, "Save").clicked() {
                outcome = Outcome::Chosen(Unsaved::Save);
            }
            if ui.button("Do not save").clicked() {
                outcome = Outcome::Chosen(Unsaved::Discard);
            }
            if ui.button("Cancel").clicked() {
                outcome = Outcome::Closed;
            }
        });
    });
    if modal.should_close() && outcome == Outcome::Open {
        outcome = Outcome::Closed;
    }
    outcome
}

/// Asks for the scene's name.
pub(crate) fn rename_ui(context: &egui::Context, name: &mut String) -> Outcome<()> {
    let mut outcome = Outcome::Open;
    let modal = widgets::modal(context, "rename").show(context, |ui| {
        ui.set_width(400.0);
        ui.label(theme::strong("Rename the scene", 16.0));
        ui.add_space(6.0);
        let field = egui::TextEdit::singleline(name).desired_width(f32::INFINITY);
        let response = ui.add(field).accessible_name("Name of the scene");
        if ui.memory(|memory| memory.focused().is_none()) {
            response.request_focus();
        }
        let entered = ui.input(|input| input.key_pressed(egui::Key::Enter));
        ui.add_space(10.0);
        ui.horizontal(|ui| {
            if widgets::primary(ui, "Rename").clicked() || entered {
                outcome = Outcome::Chosen(());
            }
            if ui.button("Cancel").clicked() {
                outcome = Outcome::Closed;
            }
        });
    });
    if modal.should_close() && outcome == Outcome::Open {
        outcome = Outcome::Closed;
    }
    outcome
}

/// Offers autosaves of earlier sessions. False when it is to be closed.
pub(crate) fn recovery_ui(
    context: &egui::Context,
    offers: &[Recovery],
    actions: &mut Vec<Action>,
) -> bool {
    let mut open = true;
    let modal = widgets::modal(context, "recovery").show(context, |ui| {
        ui.set_width(460.0);
        ui.label(theme::strong("Unsaved work was found", 16.0));
        let text =
            "Nearmiss was closed with changes that were not saved. Restore them, or delete them.";
        ui.label(egui::RichText::new(text).color(tokens(ui).dim));
        ui.add_space(8.0);
        for (index, offer) in offers.iter().take(6).enumerate() {
            ui.horizontal(|ui| {
                ui.vertical(|ui| {
                    ui.set_width(320.0);
                    let name = theme::strong(short(&offer.origin), 12.5);
                    let label = egui::Label::new(name).truncate();
                    ui.add(label.show_tooltip_when_elided(false))
                        .on_hover_text(&offer.origin);
                    let edits = match offer.edits {
                        0 => "a generated result".to_owned(),
                        1 => "1 edit".to_owned(),
                        count => format!("{count} edits"),
                    };
                    let text = format!("{edits}, {}", ago(offer.age_s));
                    ui.label(theme::small(text).color(tokens(ui).dim));
                });
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    if widgets::primary(ui, "Restore").clicked() {
                        actions.push(Action::Recover(index));
                        open = false;
                    }
                });
            });
            ui.add_space(4.0);
        }
        ui.add_space(6.0);
        ui.horizontal(|ui| {
            if ui.button("Later").clicked() {
                open = false;
            }
            if ui.button("Delete all").clicked() {
                actions.push(Action::ForgetRecovery);
                open = false;
            }
        });
    });
    open && !modal.should_close()
}

/// Where a document lay, without the folders before the file: `/logs/day 1/a.pkl [7/2]` is `a.pkl [7/2]`.
fn short(origin: &str) -> String {
    let (path, pick) = origin.split_at(origin.find(" [").unwrap_or(origin.len()));
    match Path::new(path).file_name() {
        Some(name) => format!("{}{pick}", name.to_string_lossy()),
        None => origin.to_owned(),
    }
}

/// A duration in words.
fn ago(seconds: u64) -> String {
    match seconds {
        0..90 => "just now".to_owned(),
        90..5_400 => format!("{} minutes ago", (seconds + 30) / 60),
        5_400..172_800 => format!("{} hours ago", (seconds + 1_800) / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_only_once_the_button_says_so() {
        let context = egui::Context::default();
        theme::install(&context);
        let frame = |field: &mut PathField, events: Vec<egui::Event>| {
            let mut outcome = Outcome::Open;
            let input = egui::RawInput {
                events,
                ..egui::RawInput::default()
            };
            let output = context.run_ui(input, |ui| {
                outcome = field.show(ui.ctx(), &mut |_| {});
            });
            output.drop_without_applying_deltas();
            outcome
        };
        let enter = || {
            vec![egui::Event::Key {
                key: egui::Key::Enter,
                physical_key: None,
                pressed: true,
                repeat: false,
                modifiers: egui::Modifiers::NONE,
            }]
        };
        let field = |exists: Option<bool>| {
            let mut field = PathField::new(Purpose::Save(1), "left-turn.json".to_owned());
            for _ in 0..3 {
                frame(&mut field, Vec::new());
            }
            field.exists = exists;
            field
        };
        let chosen = Outcome::Chosen(PathBuf::from("left-turn.json"));
        // pressed before the disk was looked at: saved if nothing is there, else asked
        for (there, then) in [(false, chosen.clone()), (true, Outcome::Open)] {
            let mut hasty = field(None);
            assert_eq!(frame(&mut hasty, enter()), Outcome::Open);
            hasty.exists = Some(there);
            assert_eq!(frame(&mut hasty, Vec::new()), then);
        }
        assert_eq!(frame(&mut field(Some(true)), enter()), chosen);
    }

    #[test]
    fn an_offer_is_named_by_its_file_and_not_by_its_folders() {
        assert_eq!(short("/logs/day 1/a.pkl"), "a.pkl");
        assert_eq!(short("/logs/day 1/a.pkl [7/2]"), "a.pkl [7/2]");
        assert_eq!(short("left turn"), "left turn");
        assert_eq!(short("/"), "/");
    }
}
