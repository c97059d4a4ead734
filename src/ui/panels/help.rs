//! The help sheet: all keys and gestures on one page.

use egui::Ui;
use egui::vec2;

use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::action::Group;
use crate::ui::action::ROWS;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::widgets;

const GESTURES: [(&str, &str); 13] = [
    ("Click", "Select; Shift adds"),
    (
        "Drag an agent",
        "Move it; it snaps to the lane, Alt lets it go",
    ),
    ("Ctrl + drag", "Copy it"),
    ("Arrow at its front", "Speed and heading, at the present"),
    ("Knob at its rear", "Turn"),
    ("Goal flag", "Place; tip turns, ring sets the tolerance"),
    (
        "Dial around a goal",
        "Sets its time; the lock makes it hard or soft",
    ),
    (
        "Sketch tool",
        "Draw a way: it becomes a goal with waypoints",
    ),
    ("Contact mark", "Slides along the target's path"),
    ("Wheel", "Zoom at the pointer"),
    ("Middle or right drag", "Pan"),
    ("Double click", "Bring into view"),
    ("Hold B", "See the scene before the last step"),
];

/// Shows the sheet; false when it is to be closed.
pub(crate) fn help_ui(context: &egui::Context, actions: &mut Vec<Action>) -> bool {
    let mut open = true;
    let room = context.content_rect().size();
    let modal = widgets::modal(context, "help").show(context, |ui| {
        ui.set_width((room.x - 120.0).min(940.0));
        ui.horizontal(|ui| {
            ui.label(theme::strong("Keys and gestures", 17.0));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                open = !ui.button("Close").clicked();
                let again = Command::FirstSteps;
                let shown = ui.button(again.row().text);
                if shown.on_hover_text(again.hint()).clicked() {
                    actions.push(Action::Run(again));
                    open = false;
                }
            });
        });
        ui.add_space(8.0);
        egui::ScrollArea::vertical()
            .max_height(room.y - 160.0)
            .min_scrolled_height(room.y - 160.0)
            .show(ui, |ui| {
                ui.columns(3, |columns| {
                    groups(
                        &mut columns[0],
                        &[Group::File, Group::Edit, Group::Generate],
                    );
                    groups(&mut columns[1], &[Group::Tool, Group::Time, Group::Window]);
                    groups(&mut columns[2], &[Group::View]);
                    widgets::section(&mut columns[2], "On the canvas");
                    for (gesture, text) in GESTURES {
                        line(&mut columns[2], gesture, text);
                    }
                });
            });
    });
    open && !modal.should_close()
}

fn groups(ui: &mut Ui, groups: &[Group]) {
    for group in groups {
        let rows: Vec<_> = ROWS
            .iter()
            .filter(|row| row.group == *group && !row.keys.is_empty())
            .collect();
        if rows.is_empty() {
            continue;
        }
        widgets::section(ui, group.title());
        for row in rows {
            ui.horizontal(|ui| {
                ui.allocate_ui(vec2(96.0, 20.0), |ui| {
                    ui.set_min_width(96.0);
                    ui.horizontal(|ui| {
                        ui.spacing_mut().item_spacing.x = 3.0;
                        widgets::keycap(ui, &row.keys[0].text());
                    });
                });
                ui.label(row.text).on_hover_text(row.tooltip);
            });
        }
    }
}

fn line(ui: &mut Ui, gesture: &str, text: &str) {
    ui.label(theme::strong(gesture, 12.0));
    ui.add(egui::Label::new(theme::small(text).color(tokens(ui).dim)).wrap());
    ui.add_space(2.0);
}
