//! The command palette: type a few letters, press Enter.

use egui::Key;
use egui::Ui;
use egui::vec2;

use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::action::ROWS;
use crate::ui::action::Row;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// An open palette.
#[derive(Default)]
pub(crate) struct Palette {
    typed: String,
    chosen: usize,
}

impl Palette {
    /// Shows the palette; false when it is to be closed.
    pub(crate) fn show(&mut self, context: &egui::Context, actions: &mut Vec<Action>) -> bool {
        let mut open = true;
        let found = matches(&self.typed);
        let area = egui::Modal::default_area(widgets::id("palette"))
            .anchor(egui::Align2::CENTER_TOP, vec2(0.0, 90.0));
        let modal = egui::Modal::new(widgets::id("palette"))
            .area(area)
            .show(context, |ui| {
                ui.set_width(460.0);
                if let Some(command) = self.content(ui, &found) {
                    actions.push(Action::Run(command));
                    open = false;
                }
            });
        open && !modal.should_close()
    }

    fn content(&mut self, ui: &mut Ui, found: &[&'static Row]) -> Option<Command> {
        let mut run = None;
        let (down, up, enter) = ui.input_mut(|input| {
            (
                input.consume_key(egui::Modifiers::NONE, Key::ArrowDown),
                input.consume_key(egui::Modifiers::NONE, Key::ArrowUp),
                input.consume_key(egui::Modifiers::NONE, Key::Enter),
            )
        });
        let field = ui.add(
            egui::TextEdit::singleline(&mut self.typed)
                .hint_text("What do you want to do?")
                .font(egui::FontId::proportional(15.0))
                .margin(egui::Margin::symmetric(8, 7))
                .desired_width(f32::INFINITY),
        );
        field.request_focus();
        let field = field.accessible_name("Search commands");
        if field.changed() {
            self.chosen = 0;
        }
        let last = found.len().saturating_sub(1);
        self.chosen = match (down, up) {
            (true, _) => (self.chosen + 1).min(last),
            (_, true) => self.chosen.saturating_sub(1),
            _ => self.chosen.min(last),
        };
        ui.add_space(6.0);
        egui::ScrollArea::vertical()
            .max_height(360.0)
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 1.0;
                if found.is_empty() {
                    ui.label(
                        egui::RichText::new("No command has these letters.").color(tokens(ui).dim),
                    );
                }
                for (index, row) in found.iter().enumerate() {
                    let response = row_ui(ui, row, index == self.chosen);
                    if index == self.chosen && (down || up) {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() {
                        run = Some(row.command);
                    }
                }
            });
        if enter {
            // letters may have come in the same frame as Enter
            let found = matches(&self.typed);
            run = found.get(self.chosen).map(|row| row.command);
        }
        run
    }
}

fn row_ui(ui: &mut Ui, row: &Row, chosen: bool) -> egui::Response {
    let tokens = tokens(ui);
    let size = vec2(ui.available_width(), 30.0);
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
    response.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::ListBoxOption, true, chosen, row.text)
    });
    if chosen {
        ui.painter().rect_filled(rect, 6.0, tokens.accent_soft);
    } else if response.hovered() {
        ui.painter().rect_filled(rect, 6.0, tokens.hover);
    }
    let builder = egui::UiBuilder::new().max_rect(rect.shrink2(vec2(10.0, 0.0)));
    ui.scope_builder(builder, |ui| {
        ui.horizontal_centered(|ui| {
            ui.label(row.text);
            ui.label(theme::small(row.group.title()).color(tokens.faint));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if let Some(keys) = row.keys.first() {
                    widgets::keycap(ui, &keys.text());
                }
            });
        });
    });
    response
}

/// Commands that contain what was typed, or if none does its letters in order; word beginnings and earlier letters count
/// more.
fn matches(typed: &str) -> Vec<&'static Row> {
    let wanted: Vec<char> = typed
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let words = |row: &Row| format!("{} {}", row.text, row.tooltip).to_lowercase();
    let mut found: Vec<(usize, &Row)> = ROWS
        .iter()
        .filter(|row| row.command != Command::Palette)
        .filter_map(|row| cost(&wanted, &words(row)).map(|cost| (cost, row)))
        .collect();
    // letters scattered over a sentence are looked for only where nobody says the word itself
    let whole = typed.trim().to_lowercase();
    if found.iter().any(|(_, row)| words(row).contains(&whole)) {
        found.retain(|(_, row)| words(row).contains(&whole));
    }
    found.sort_by_key(|(cost, _)| *cost);
    found.into_iter().map(|(_, row)| row).collect()
}

/// Letters skipped before and between the wanted ones; a jump to a word's beginning is cheap.
fn cost(wanted: &[char], text: &str) -> Option<usize> {
    let letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    let mut sum = 0;
    for letter in wanted {
        let found = letters[at..].iter().position(|other| other == letter)? + at;
        let begins_word = found == 0 || letters[found - 1] == ' ';
        sum += match (found - at, begins_word) {
            (0, _) => 0,
            (skipped, true) => 1 + skipped / 4,
            (skipped, false) => 3 + skipped,
        };
        at = found + 1;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_command_comes_first() {
        let first = |typed: &str| matches(typed)[0].command;
        assert_eq!(first("undo"), Command::Undo);
        assert_eq!(first("fit"), Command::FitAll);
        assert_eq!(first("head up"), Command::HeadingUp);
        assert!(matches("zzqx").is_empty());
        let about = matches("attack");
        let says = |row: &&Row| {
            format!("{} {}", row.text, row.tooltip)
                .to_lowercase()
                .contains("attack")
        };
        assert!(about.len() >= 3 && about.iter().all(says));
    }

    #[test]
    fn nothing_typed_lists_everything_in_order() {
        let all = matches("");
        assert_eq!(all.len(), ROWS.len() - 1);
        assert_eq!(all[0].command, Command::Open);
    }
}
