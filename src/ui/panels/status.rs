//! The line at the bottom: what happens, what the next key does, what is under the pointer.

use egui::Ui;

use crate::ui::editor::Editor;
use crate::ui::lab::Model;
use crate::ui::panes::Panes;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::tools::Tool;

/// What the window is busy with.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Busy {
    /// In words; empty if idle.
    pub text: String,
}

/// Shows the line.
pub(crate) fn status_ui(
    ui: &mut Ui,
    (editor, panes, model): (&Editor, &Panes, &Model),
    busy: &Busy,
    frame_ms: f32,
) {
    let tokens = tokens(ui);
    ui.horizontal_centered(|ui| {
        if busy.text.is_empty() {
            ui.label(theme::small(hint(editor)).color(tokens.dim));
        } else {
            ui.add(egui::Spinner::new().size(11.0).color(tokens.accent));
            ui.label(theme::small(busy.text.clone()).color(tokens.text));
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let frame = theme::small(format!("{frame_ms:.1} ms")).color(tokens.faint);
            ui.label(frame).on_hover_text("Time to lay out a frame");
            model_ui(ui, model);
            if let Some((point, lane)) = &panes.under {
                let lane = lane
                    .as_ref()
                    .map_or_else(String::new, |l| format!("   lane {l}"));
                let text = format!("{:.1}, {:.1} m{lane}", point.x, point.y);
                ui.label(theme::small(text).color(tokens.dim));
            }
        });
    });
}

/// The model in a few letters.
fn model_ui(ui: &mut Ui, model: &Model) {
    let tokens = tokens(ui);
    let (text, color, tip) = match model {
        Model::Absent => ("no model".to_owned(), tokens.faint, String::new()),
        Model::Loading => ("loading the model…".to_owned(), tokens.dim, String::new()),
        Model::Ready { identity, warning } => {
            let short: String = identity.chars().take(8).collect();
            let color = if warning.is_some() {
                tokens.warn
            } else {
                tokens.dim
            };
            let tip = match warning {
                Some(warning) => format!("{warning}\nWeights {identity}, on the CPU"),
                None => format!("Weights {identity}, on the CPU"),
            };
            (format!("model {short}"), color, tip)
        }
        Model::Failed(message) => ("model failed".to_owned(), tokens.bad, message.clone()),
    };
    let shown = ui.label(theme::small(text).color(color));
    if !tip.is_empty() {
        shown.on_hover_text(tip);
    }
    ui.add_space(8.0);
}

/// What to do next.
fn hint(editor: &Editor) -> &'static str {
    if editor.document().is_none() {
        return "Ctrl O opens a scene; ? shows all keys";
    }
    match (editor.tool, editor.selection.is_empty()) {
        (Tool::Select, true) => "Click an agent to select it; drag to move it; ? shows all keys",
        (Tool::Select, false) => {
            "Drag to move, Alt without snapping, Ctrl to copy; J goes to the present for the speed arrow"
        }
        (Tool::Goal, true) => "Click where the ego shall be, or select another agent first",
        (Tool::Goal, false) => "Goal: press where the agent shall be, drag to aim; Esc ends",
        (Tool::Attack, _) => {
            "Attack: click the attacker to meet the ego, or draw from it to another agent; Esc ends"
        }
        (Tool::Sketch, true) => {
            "Sketch: draw the ego's way, or press on another agent and draw its; Esc ends"
        }
        (Tool::Sketch, false) => "Sketch: draw the way the agent shall take; Esc ends",
        (Tool::Add, _) => "Add: press on a lane; drag for another heading and speed; Esc ends",
        (Tool::Measure, _) => "Measure: drag between two points; Esc ends",
    }
}
