//! The line at the bottom: what happens, what the next key does, what is under the pointer.

use egui::Ui;

use super::super::editor::Editor;
use super::super::panes::Panes;
use super::super::theme;
use super::super::theme::tokens;
use super::super::tools::Tool;

/// What the window is busy with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Busy {
    /// In words; empty if idle.
    pub text: String,
}

/// Shows the line.
pub fn status_ui(ui: &mut Ui, editor: &Editor, panes: &Panes, busy: &Busy, frame_ms: f32) {
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

/// What to do next.
fn hint(editor: &Editor) -> &'static str {
    if editor.document().is_none() {
        return "Ctrl O opens a scene; ? shows all keys";
    }
    match (editor.tool, editor.selection.is_empty()) {
        (Tool::Select, true) => "Click an agent to select it; drag to move it; ? shows all keys",
        (Tool::Select, false) => {
            "Drag to move, Alt without snapping, Ctrl to copy; P goes to the present for the speed arrow"
        }
        (Tool::Goal, true) => "Goal: select an agent first",
        (Tool::Goal, false) => "Goal: press where the agent shall be, drag to aim; Esc ends",
        (Tool::Attack, _) => {
            "Attack: click the attacker to meet the ego, or draw from it to another agent; Esc ends"
        }
        (Tool::Add, _) => "Add: press on a lane; drag for another heading and speed; Esc ends",
        (Tool::Measure, _) => "Measure: drag between two points; Esc ends",
    }
}
