//! Notices at the lower right: what was done, what failed and what to do about it.

use egui::Color32;
use egui::Stroke;
use egui::vec2;

use crate::ui::action::Command;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::icons;
use crate::ui::icons::Icon;
use crate::ui::theme;
use crate::ui::theme::Tokens;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// Notices on screen with the time they appeared.
#[derive(Default)]
pub(crate) struct Notices {
    shown: Vec<(Notice, f64)>,
}

/// At most this many at once; older ones make room.
const MOST: usize = 4;

/// Lines of details that are shown; the rest is copied with them.
const LINES: usize = 7;

impl Notices {
    /// Adds a notice; the same text twice restarts its time.
    pub(crate) fn push(&mut self, notice: Notice, now_s: f64) {
        self.shown.retain(|(old, _)| old.text != notice.text);
        self.shown.push((notice, now_s));
        if self.shown.len() > MOST {
            self.shown.remove(0);
        }
    }

    /// Takes away what failed before another scene was opened.
    pub(crate) fn forget_failures(&mut self) {
        self.shown
            .retain(|(notice, _)| notice.weight != Weight::Error);
    }

    /// The notices on screen, oldest first.
    pub(crate) fn list(&self) -> impl Iterator<Item = &Notice> {
        self.shown.iter().map(|(notice, _)| notice)
    }

    /// Shows the notices above the bottom panel, whose top is at `bottom` points from below.
    ///
    /// Returns the command of a button that was pressed.
    pub(crate) fn show(&mut self, context: &egui::Context, bottom: f32) -> Option<Command> {
        let now_s = context.input(|input| input.time);
        self.shown.retain(|(notice, since)| match notice.weight {
            Weight::Good | Weight::Info if notice.offer.is_none() => now_s - since < 5.0,
            Weight::Good | Weight::Info => now_s - since < 12.0,
            Weight::Warning => now_s - since < 12.0,
            Weight::Error => true,
        });
        if self.shown.is_empty() {
            return None;
        }
        context.request_repaint_after_secs(0.5);
        let mut closed = None;
        let mut run = None;
        egui::Area::new(widgets::id("notices"))
            .order(egui::Order::Foreground)
            .anchor(egui::Align2::RIGHT_BOTTOM, vec2(-14.0, -bottom - 12.0))
            .show(context, |ui| {
                for (index, (notice, _)) in self.shown.iter().enumerate() {
                    if card(ui, notice, &mut run) {
                        closed = Some(index);
                    }
                    ui.add_space(6.0);
                }
            });
        if let Some(index) = closed {
            self.shown.remove(index);
        }
        run
    }
}

fn tint(weight: Weight, tokens: &Tokens) -> (Color32, Icon) {
    match weight {
        Weight::Good => (tokens.good, Icon::Check),
        Weight::Info => (tokens.ego, Icon::Help),
        Weight::Warning => (tokens.warn, Icon::Warning),
        Weight::Error => (tokens.bad, Icon::Warning),
    }
}

/// The first lines of a detail, and how many follow.
fn beginning(detail: &str) -> String {
    let lines = detail.lines().count();
    if lines <= LINES + 1 {
        return detail.to_owned();
    }
    let first: Vec<&str> = detail.lines().take(LINES).collect();
    format!("{}\n… and {} more lines", first.join("\n"), lines - LINES)
}

/// True if it is to be closed.
fn card(ui: &mut egui::Ui, notice: &Notice, run: &mut Option<Command>) -> bool {
    let tokens = tokens(ui);
    let (color, icon) = tint(notice.weight, tokens);
    let (mut close, mut taken) = (false, false);
    egui::Frame::new()
        .fill(tokens.raised)
        .stroke(Stroke::new(1.0, tokens.line_strong))
        .corner_radius(8.0)
        .shadow(ui.visuals().popup_shadow)
        .inner_margin(egui::Margin::symmetric(12, 9))
        .show(ui, |ui| {
            ui.set_width(340.0);
            ui.horizontal_top(|ui| {
                let (mark, _) = ui.allocate_exact_size(vec2(18.0, 18.0), egui::Sense::hover());
                icons::paint_sized(ui.painter(), mark.center(), 15.0, icon, color);
                ui.vertical(|ui| {
                    ui.set_width(278.0);
                    ui.add(egui::Label::new(notice.text.clone()).wrap());
                    if let Some(detail) = &notice.detail {
                        let text = theme::small(beginning(detail)).color(tokens.dim);
                        ui.add(egui::Label::new(text).wrap());
                        if widgets::small_button(ui, "Copy details").clicked() {
                            ui.ctx().copy_text(format!("{}\n{detail}", notice.text));
                        }
                    }
                    if let Some(command) = notice.offer {
                        let row = command.row();
                        let button = widgets::small_button(ui, row.text).on_hover_text(row.tooltip);
                        if button.clicked() {
                            *run = Some(command);
                            taken = true;
                        }
                    }
                });
                close = widgets::row_icon(ui, Icon::Close, "Dismiss", "Dismiss", false).clicked();
            });
        });
    close || taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_details_begin_and_say_how_many_lines_follow() {
        let lines = |count: usize| vec!["line"; count].join("\n");
        assert_eq!(beginning(&lines(8)), lines(8)); // one more costs no less room than saying so
        assert_eq!(
            beginning(&lines(9)),
            format!("{}\n… and 2 more lines", lines(7))
        );
    }
}
