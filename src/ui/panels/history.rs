//! The history list: every step, newest at the bottom; a click goes there.

use egui::Role;
use egui::Sense;
use egui::Stroke;
use egui::Ui;
use egui::WidgetInfo;
use egui::vec2;

use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::editor::Editor;
use crate::ui::icons::Icon;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// Shows the list.
pub(crate) fn history_ui(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let Some(open) = editor.document() else {
        let text = "What you do to a scene is listed here, step by step.";
        widgets::empty_state(ui, Icon::Undo, "No scene", text, None);
        return;
    };
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        for command in [Command::Undo, Command::Redo] {
            let row = command.row();
            let possible = match command {
                Command::Undo => open.history.can_undo(),
                _ => open.history.can_redo(),
            };
            let button = ui.add_enabled(possible, egui::Button::new(row.text));
            if button.on_hover_text(command.hint()).clicked() {
                actions.push(Action::Run(command));
            }
        }
    });
    ui.add_space(4.0);
    let (entries, present) = open.history.entries();
    egui::ScrollArea::vertical()
        .auto_shrink([false, false])
        .stick_to_bottom(true)
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for (index, entry) in entries.iter().enumerate() {
                if row(ui, index, &entry.label, present, entries.len()) {
                    actions.push(Action::GoTo(index));
                }
            }
        });
}

fn row(ui: &mut Ui, index: usize, label: &str, present: usize, count: usize) -> bool {
    let tokens = tokens(ui);
    let size = vec2(ui.available_width(), 26.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let chosen = index == present;
    response.widget_info(|| {
        let name = format!("step {index}: {label}");
        WidgetInfo::selected(Role::ListBoxOption, true, chosen, name)
    });
    if chosen {
        ui.painter().rect_filled(rect, 5.0, tokens.accent_soft);
    } else if response.hovered() {
        ui.painter().rect_filled(rect, 5.0, tokens.hover);
    }
    if response.has_focus() {
        widgets::ring(ui, rect);
    }
    let dot = rect.left_center() + vec2(12.0, 0.0);
    let line = Stroke::new(1.4, tokens.line_strong);
    if index > 0 {
        ui.painter().vline(dot.x, rect.top()..=dot.y - 5.0, line);
    }
    if index + 1 < count {
        ui.painter().vline(dot.x, dot.y + 5.0..=rect.bottom(), line);
    }
    let undone = index > present;
    let color = if chosen { tokens.accent } else { tokens.faint };
    if undone {
        ui.painter()
            .circle_stroke(dot, 3.0, Stroke::new(1.4, color));
    } else {
        ui.painter().circle_filled(dot, 3.4, color);
    }
    let text = if undone { tokens.faint } else { tokens.text };
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    painter.text(
        rect.left_center() + vec2(26.0, 0.0),
        egui::Align2::LEFT_CENTER,
        label,
        egui::FontId::proportional(12.0),
        text,
    );
    response.clicked()
}
