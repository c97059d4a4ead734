//! The tray: cases worth keeping, to be looked at again and written out together.

use egui::Ui;
use egui::vec2;

use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::icons::Icon;
use crate::ui::lab::Case;
use crate::ui::lab::Lab;
use crate::ui::lab::LabAction;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// Shows the tray.
pub(crate) fn tray_ui(ui: &mut Ui, lab: &Lab, actions: &mut Vec<Action>) {
    if lab.tray.is_empty() {
        let text = "Keep a scene with K; all kept cases can be written out together.";
        widgets::empty_state(ui, Icon::Tray, "The tray is empty", text, None);
        return;
    }
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        let count = lab.tray.len();
        let text = if count == 1 {
            "1 case".to_owned()
        } else {
            format!("{count} cases")
        };
        ui.label(theme::small(text).color(tokens(ui).dim));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let export = Command::ExportCases;
            if ui
                .button("Export all…")
                .on_hover_text(export.hint())
                .clicked()
            {
                actions.push(Action::Run(export));
            }
        });
    });
    egui::ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            for (index, case) in lab.tray.iter().enumerate() {
                let response = case_ui(ui, case, false);
                let corner = egui::Rect::from_min_size(
                    response.rect.right_top() + vec2(-24.0, 4.0),
                    vec2(20.0, 20.0),
                );
                let builder = egui::UiBuilder::new()
                    .id_salt(("kept", index))
                    .max_rect(corner);
                let close = ui.scope_builder(builder, |ui| {
                    let name = format!("Remove {}", case.name);
                    widgets::row_icon(ui, Icon::Close, &name, "Remove from the tray", false)
                });
                if close.inner.clicked() {
                    actions.push(Action::Lab(LabAction::DropKept(index)));
                } else if response.clicked() {
                    actions.push(Action::Lab(LabAction::OpenKept(index)));
                }
            }
        });
}

/// A case as a row with its picture and verdict.
pub(crate) fn case_ui(ui: &mut Ui, case: &Case, shown: bool) -> egui::Response {
    let tokens = tokens(ui);
    let size = vec2(ui.available_width(), 54.0);
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
    response.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::ListBoxOption, true, shown, &case.name)
    });
    let fill = match (shown, response.hovered()) {
        (true, _) => tokens.accent_soft,
        (_, true) => tokens.hover,
        _ => tokens.raised,
    };
    let edge = if shown { tokens.accent } else { tokens.line };
    let stroke = egui::Stroke::new(1.0, edge);
    ui.painter()
        .rect(rect, 7.0, fill, stroke, egui::StrokeKind::Inside);
    let frame = egui::Rect::from_min_size(rect.min + vec2(4.0, 4.0), vec2(72.0, 46.0));
    case.picture.paint(ui.painter(), frame, tokens);
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let at = rect.min + vec2(84.0, 10.0);
    painter.text(
        at,
        egui::Align2::LEFT_TOP,
        &case.name,
        egui::FontId::new(12.0, theme::semibold()),
        tokens.text,
    );
    let (text, color) = match &case.scene.generated {
        None => ("edited by hand".to_owned(), tokens.dim),
        Some(made) if made.valid() => ("valid".to_owned(), tokens.good),
        Some(made) => {
            let failed = made.gates.iter().find(|gate| !gate.passed);
            let gate = failed.map_or("partial", |gate| gate.gate.as_str());
            (format!("fails: {}", gate.replace('_', " ")), tokens.bad)
        }
    };
    painter.text(
        at + vec2(0.0, 17.0),
        egui::Align2::LEFT_TOP,
        text,
        egui::FontId::proportional(11.0),
        color,
    );
    response
}
