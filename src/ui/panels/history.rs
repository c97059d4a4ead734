//! The history as a tree of branches: every state, newest at the bottom; a click goes there, and any can be named.

use egui::Pos2;
use egui::Rect;
use egui::Response;
use egui::Role;
use egui::Sense;
use egui::Shape;
use egui::Stroke;
use egui::Ui;
use egui::WidgetInfo;
use egui::pos2;
use egui::vec2;

use crate::scene::Entry;
use crate::scene::History;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::editor::Editor;
use crate::ui::icons::Icon;
use crate::ui::theme;
use crate::ui::theme::Tokens;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// Height of a row, points.
const ROW: f32 = 26.0;
/// Distance between branches, points.
const COLUMN: f32 = 13.0;
/// Branches drawn side by side; further ones share the last place.
const MOST_COLUMNS: usize = 6;

/// A name being typed: of which state, and what stands there.
#[derive(Debug, Default)]
pub(crate) struct Naming(Option<(u64, String)>);

/// Shows the tree.
pub(crate) fn history_ui(
    ui: &mut Ui,
    editor: &Editor,
    naming: &mut Naming,
    actions: &mut Vec<Action>,
) {
    let Some(open) = editor.document() else {
        let text = "What you do to a scene is listed here, step by step.";
        widgets::empty_state(ui, Icon::Undo, "No scene", text, None);
        return;
    };
    let (entries, present) = open.history.entries();
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
        let tip = "Name the present state, to find it and its branch again";
        if ui.button("Name…").on_hover_text(tip).clicked() {
            naming.begin(&entries[present]);
        }
    });
    ui.add_space(4.0);
    let tree = Tree::of(&open.history);
    egui::ScrollArea::vertical()
        .auto_shrink([false, false])
        .stick_to_bottom(true)
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let top = ui.cursor().min;
            let strokes = ui.painter().add(Shape::Noop);
            for (index, entry) in entries.iter().enumerate() {
                if naming.is_of(entry) {
                    naming_ui(ui, &tree, index, naming, actions);
                    continue;
                }
                let response = row_ui(ui, &tree, (index, entry), present);
                if response.clicked() {
                    actions.push(Action::GoTo(index));
                }
                response.context_menu(|ui| {
                    if ui.button("Go here").clicked() {
                        actions.push(Action::GoTo(index));
                    }
                    if ui.button("Name…").clicked() {
                        naming.begin(entry);
                    }
                });
            }
            let shapes = tree.strokes(&open.history, top, tokens(ui));
            ui.painter().set(strokes, Shape::Vec(shapes));
        });
}

impl Naming {
    fn begin(&mut self, entry: &Entry) {
        self.0 = Some((entry.serial, entry.name.clone().unwrap_or_default()));
    }

    fn is_of(&self, entry: &Entry) -> bool {
        self.0.as_ref().is_some_and(|(of, _)| *of == entry.serial)
    }
}

fn naming_ui(
    ui: &mut Ui,
    tree: &Tree,
    index: usize,
    naming: &mut Naming,
    actions: &mut Vec<Action>,
) {
    let Some((_, typed)) = &mut naming.0 else {
        return;
    };
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    let left = rect.left() + tree.text_left(index);
    let field = Rect::from_min_max(pos2(left, rect.top() + 2.0), rect.max - vec2(4.0, 2.0));
    let id = widgets::id("name of a state");
    let edit = egui::TextEdit::singleline(typed).id(id).hint_text("Name");
    let response = ui.put(field, edit);
    let left_it = response.lost_focus();
    let enter = ui.input(|input| input.key_pressed(egui::Key::Enter));
    let escape = ui.input(|input| input.key_pressed(egui::Key::Escape));
    if !left_it {
        response.request_focus();
    }
    response.accessible_name("Name of this state");
    if left_it {
        if enter || !escape {
            actions.push(Action::NameEntry(index, typed.clone()));
        }
        naming.0 = None;
    }
}

fn row_ui(ui: &mut Ui, tree: &Tree, (index, entry): (usize, &Entry), present: usize) -> Response {
    let tokens = tokens(ui);
    let size = vec2(ui.available_width(), ROW);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let chosen = index == present;
    let title = entry.name.as_ref().unwrap_or(&entry.label);
    response.widget_info(|| {
        let name = format!("step {index}: {title}");
        WidgetInfo::selected(Role::ListBoxOption, true, chosen, name)
    });
    if !ui.is_rect_visible(rect) {
        return response;
    }
    if chosen {
        ui.painter().rect_filled(rect, 5.0, tokens.accent_soft);
    } else if response.hovered() {
        ui.painter().rect_filled(rect, 5.0, tokens.hover);
    }
    if response.has_focus() {
        widgets::ring(ui, rect);
    }
    let dot = tree.dot(index, rect.min);
    let color = if chosen { tokens.accent } else { tokens.faint };
    let done = tree.done[index];
    if done {
        ui.painter().circle_filled(dot, 3.4, color);
    } else {
        ui.painter().circle_filled(dot, 4.6, tokens.panel);
        let stroke = Stroke::new(1.4, color);
        ui.painter().circle_stroke(dot, 3.0, stroke);
    }
    let family = if entry.name.is_some() {
        theme::semibold()
    } else {
        egui::FontFamily::Proportional
    };
    let text = match (done || chosen, &entry.name) {
        (true, _) => tokens.text,
        (false, Some(_)) => tokens.dim,
        (false, None) => tokens.faint,
    };
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let left = rect.left() + tree.text_left(index);
    let font = egui::FontId::new(12.0, family);
    let line = widgets::one_line(&painter, rect.right() - 4.0 - left, title, font, text);
    let cut = line.elided;
    let at = pos2(left, rect.center().y - line.size().y / 2.0);
    painter.galley(at, line, text);
    let (named, from) = match (&entry.name, tree.is_fork[index]) {
        (Some(_), _) => (entry.label.as_str(), ""),
        (None, _) if cut => (title.as_str(), ""),
        (None, true) => ("", "Begins another branch"),
        (None, false) => return response,
    };
    response.on_hover_text(format!("{named}{from}"))
}

/// Where each entry is drawn.
struct Tree {
    /// Column of each entry; 0 is the line through the present.
    columns: Vec<usize>,
    /// Whether the entry leads to the present or is it.
    done: Vec<bool>,
    /// Whether the entry begins a branch beside another.
    is_fork: Vec<bool>,
    /// Columns drawn.
    width: usize,
}

impl Tree {
    fn of(history: &History) -> Self {
        let (entries, present) = history.entries();
        let line = history.line();
        let mut done = vec![false; entries.len()];
        for at in line.iter().take_while(|at| **at != present) {
            done[*at] = true;
        }
        done[present] = true;
        let mut columns: Vec<Option<usize>> = vec![None; entries.len()];
        for at in line {
            columns[at] = Some(0);
        }
        // last row of each branch beside the line: it occupies its column from its fork to there
        let mut ends: Vec<usize> = (0..entries.len()).collect();
        for at in (0..entries.len()).rev() {
            if let Some(parent) = entries[at].parent
                && follows(entries, parent) == Some(at)
            {
                ends[parent] = ends[at];
            }
        }
        let mut is_fork = vec![false; entries.len()];
        let mut busy_until: Vec<usize> = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let Some(parent) = entry.parent else { continue };
            is_fork[at] = entries[..at].iter().any(|e| e.parent == Some(parent));
            if columns[at].is_some() {
                continue;
            }
            let goes_on = columns[parent] != Some(0) && follows(entries, parent) == Some(at);
            columns[at] = if goes_on {
                columns[parent]
            } else {
                let free = busy_until.iter().position(|until| *until < parent);
                let place = free.unwrap_or(busy_until.len());
                if place == busy_until.len() {
                    busy_until.push(0);
                }
                busy_until[place] = ends[at];
                Some(place + 1)
            };
        }
        let columns: Vec<usize> = columns
            .into_iter()
            .map(|column| column.unwrap_or(0).min(MOST_COLUMNS - 1))
            .collect();
        let width = columns.iter().max().map_or(1, |most| most + 1);
        Self {
            columns,
            done,
            is_fork,
            width,
        }
    }

    /// Where the dot of an entry stands in the row that begins at `row`.
    fn dot(&self, index: usize, row: Pos2) -> Pos2 {
        row + vec2(12.0 + COLUMN * self.columns[index] as f32, ROW / 2.0)
    }

    /// Where text begins, from the left edge of the row.
    fn text_left(&self, index: usize) -> f32 {
        // few branches: text follows its own dot; many: all text in one column
        let columns = if self.width > 3 {
            self.width - 1
        } else {
            self.columns[index]
        };
        26.0 + COLUMN * columns as f32
    }

    /// The lines between entries; rows begin at `top`.
    fn strokes(&self, history: &History, top: Pos2, tokens: &Tokens) -> Vec<Shape> {
        let (entries, _) = history.entries();
        let place = |index: usize| self.dot(index, top + vec2(0.0, ROW * index as f32));
        let mut shapes = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let Some(parent) = entry.parent else { continue };
            let (from, to) = (place(parent), place(index));
            let color = if self.done[index] {
                tokens.dim
            } else {
                tokens.line_strong
            };
            let stroke = Stroke::new(1.4, color);
            if from.x == to.x {
                shapes.push(Shape::line(
                    vec![from + vec2(0.0, 5.0), to - vec2(0.0, 5.0)],
                    stroke,
                ));
            } else {
                // out of the fork sideways within half a row, then straight down
                let bend = pos2(to.x, from.y + ROW * 0.5);
                let start = from + vec2(if to.x > from.x { 4.0 } else { -4.0 }, 1.0);
                shapes.push(Shape::line(vec![start, bend, to - vec2(0.0, 5.0)], stroke));
            }
        }
        shapes
    }
}

/// The entry that goes on where `at` ends: where redo leads, else the newest that followed.
fn follows(entries: &[Entry], at: usize) -> Option<usize> {
    entries[at]
        .next
        .or_else(|| entries.iter().rposition(|entry| entry.parent == Some(at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;
    use std::sync::Arc;

    #[test]
    fn the_present_line_stands_left_and_branches_take_the_nearest_free_place() {
        // 0 - 1 - 2 (present line ends at 7): 1 also leads to 3 - 4, and 0 to 5
        let mut history = History::new("0", Arc::new(Scene::default()));
        let scene = || Arc::new(Scene::default());
        history.commit("1", scene());
        history.commit("2", scene());
        history.go_to(1);
        history.commit("3", scene());
        history.commit("4", scene());
        history.go_to(0);
        history.commit("5", scene());
        history.go_to(2);
        history.commit("6", scene());
        let tree = Tree::of(&history);
        // 3 and 4 form one branch; 5 starts at row 0, where that branch is still drawn
        assert_eq!(tree.columns, [0, 0, 0, 1, 1, 2, 0]);
        assert_eq!(tree.done, [true, true, true, false, false, false, true]);
        assert!(tree.is_fork[3] && tree.is_fork[5] && !tree.is_fork[4]);
    }
}
