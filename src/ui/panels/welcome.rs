//! The first minute: three things to try, shown until they are dismissed.

use egui::Ui;
use egui::vec2;

use crate::ui::icons::Icon;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::widgets;

const TRIES: [(&str, &str); 3] = [
    (
        "G",
        "Click on the road ahead of the ego: the model drives it there, and the others answer.",
    ),
    (
        ",",
        "Look at the denoising, step by step; the noise map below shows every token.",
    ),
    (
        "Shift T",
        "Find attacks, then click one: another agent comes into the ego's way.",
    ),
];

/// Shows the card in the lower left of the canvas; true once it was dismissed.
pub(crate) fn welcome_ui(ui: &Ui) -> bool {
    let area = ui.max_rect();
    let mut done = false;
    egui::Area::new(widgets::id("welcome"))
        .fixed_pos(area.left_bottom() + vec2(14.0, -14.0))
        .pivot(egui::Align2::LEFT_BOTTOM)
        .order(egui::Order::Middle)
        .show(ui.ctx(), |ui| {
            let tokens = tokens(ui);
            egui::Frame::new()
                .fill(tokens.panel)
                .stroke(egui::Stroke::new(1.0, tokens.line_strong))
                .corner_radius(9.0)
                .inner_margin(egui::Margin::symmetric(14, 11))
                .show(ui, |ui| {
                    ui.set_width(330.0);
                    ui.horizontal(|ui| {
                        ui.label(theme::strong("Three things to try", 13.0));
                        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                            let tip = "Close; the help sheet has all keys";
                            done = widgets::row_icon(ui, Icon::Close, "Close hints", tip, false)
                                .clicked();
                        });
                    });
                    for (key, text) in TRIES {
                        ui.horizontal_top(|ui| {
                            ui.allocate_ui(vec2(52.0, 20.0), |ui| {
                                ui.set_min_width(52.0);
                                widgets::keycap(ui, key);
                            });
                            let text = theme::small(text).color(tokens.dim);
                            ui.add(egui::Label::new(text).wrap());
                        });
                    }
                });
        });
    done
}
