//! The panes in numbers: what they differ in, who moved, and each metric per pane with its reasons.

use std::sync::Arc;

use egui::Color32;
use egui::Ui;
use egui::vec2;

use crate::generator::Change;
use crate::metrics;
use crate::metrics::Explained;
use crate::render::FULL_M;
use crate::render::shade;
use crate::scene::Scene;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::canvas::egui_color;
use crate::ui::compare;
use crate::ui::compare::Changes;
use crate::ui::icons::Icon;
use crate::ui::measures::Measured;
use crate::ui::measures::Measures;
use crate::ui::panes::canvas_style;
use crate::ui::pilot::PLANNER_SCORE;
use crate::ui::sources::View;
use crate::ui::theme;
use crate::ui::theme::Tokens;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// Most rows of the table of changes.
const MOST: usize = 12;

/// What the panel remembers: the number whose reasons are open, by metric and column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Opened(Option<(String, usize)>);

/// Shows the panel for the panes on screen.
pub(crate) fn compare_ui(
    ui: &mut Ui,
    (views, planned): (&[View], &[Option<Explained>]),
    (measures, changes): (&mut Measures, &mut Changes),
    opened: &mut Opened,
    actions: &mut Vec<Action>,
) {
    let held: Vec<Held<'_>> = views
        .iter()
        .zip(planned)
        .filter_map(|(view, planned)| Some((view, view.scene.as_ref()?, planned.as_ref())))
        .collect();
    if held.len() < 2 {
        let text = "Show two panes, and each number stands beside the other's.";
        if widgets::empty_state(ui, Icon::Two, "Nothing to compare", text, Some("Two panes")) {
            actions.push(Action::Run(Command::TwoPanes));
        }
        return;
    }
    widgets::scrolled(ui, "compare", |ui| {
        ui.add_space(6.0);
        panes_ui(ui, &held);
        let moved = changes.of(held[0].1, held[1].1);
        moved_ui(ui, held[1].1, &moved, actions);
        metrics_ui(ui, &held, measures, opened, actions);
        ui.add_space(12.0);
    });
}

/// What a pane shows: its view, the scene, and what the ego's planner scores there.
type Held<'a> = (&'a View, &'a Arc<Scene>, Option<&'a Explained>);

/// A letter per pane, as in the header of the table and over the panes.
pub(crate) fn letter(column: usize) -> char {
    char::from(b'A' + column.min(3) as u8)
}

fn panes_ui(ui: &mut Ui, held: &[Held<'_>]) {
    let tokens = tokens(ui);
    for (column, (view, ..)) in held.iter().enumerate() {
        let name = format!("{}  {}", letter(column), view.source.word());
        widgets::row(ui, &name, view.title.clone());
    }
    for (column, (view, ..)) in held.iter().enumerate().skip(1) {
        let found = compare::distinction(held[0].0, view);
        ui.horizontal_wrapped(|ui| {
            if found.same_noise {
                let text = format!("A and {}: same noise", letter(column));
                widgets::chip(ui, &text, tokens.good)
                    .on_hover_text("Both start from the same draw, so differences are not luck");
            }
            let color = if found.several() {
                tokens.warn
            } else {
                tokens.dim
            };
            let text = theme::small(format!("A and {}: {}", letter(column), found.sentence()));
            ui.add(egui::Label::new(text.color(color)).wrap());
        });
    }
}

fn moved_ui(ui: &mut Ui, scene: &Scene, changes: &[Change], actions: &mut Vec<Action>) {
    widgets::section(ui, "Who moved from A to B");
    let moved: Vec<&Change> = changes
        .iter()
        .filter(|change| change.largest_m >= 0.1)
        .collect();
    if moved.is_empty() {
        let text = theme::small("Nobody moved by 0.1 m or more.").color(tokens(ui).dim);
        ui.label(text);
        return;
    }
    for change in moved.iter().take(MOST) {
        let text = if change.largest_m.is_finite() {
            let at_s = scene.time_of(change.frame);
            format!(
                "{:.1} m at {at_s:.1} s, mean {:.1} m",
                change.largest_m, change.mean_m
            )
        } else {
            "in one of them only".to_owned()
        };
        let share = (change.largest_m / FULL_M).clamp(0.02, 1.0) as f32;
        let color = egui_color(shade(change.largest_m, &canvas_style(ui)));
        let shown = bar_row(ui, change.agent.as_str(), &text, (share, color), "moved");
        if shown
            .on_hover_text("Go to this agent at that time")
            .clicked()
        {
            actions.push(Action::Select(vec![change.agent.clone()]));
            actions.push(Action::Seek(scene.time_of(change.frame)));
            actions.push(Action::Run(Command::FrameSelection));
        }
    }
    if moved.len() > MOST {
        let text = format!("and {} more", moved.len() - MOST);
        ui.label(theme::small(text).color(tokens(ui).faint));
    }
}

/// A row that can be clicked, with a bar behind its words.
fn bar_row(
    ui: &mut Ui,
    name: &str,
    value: &str,
    (share, color): (f32, Color32),
    what: &str,
) -> egui::Response {
    let tokens = tokens(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), 23.0), egui::Sense::click());
    let label = format!("{what} {name}: {value}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
    let painter = ui.painter_at(rect);
    let inner = rect.shrink2(vec2(0.0, 1.0));
    let fill = if response.hovered() {
        tokens.hover
    } else {
        tokens.raised
    };
    painter.rect_filled(inner, 4.0, fill);
    let bar = egui::Rect::from_min_size(
        inner.left_bottom() - vec2(0.0, 3.0),
        vec2(inner.width() * share, 3.0),
    );
    painter.rect_filled(bar, 1.5, color);
    if response.has_focus() {
        widgets::ring(ui, inner);
    }
    let font = egui::FontId::proportional(12.0);
    let left = rect.left_center() + vec2(8.0, -1.0);
    let right = rect.right_center() - vec2(8.0, 1.0);
    let shown = painter.text(
        right,
        egui::Align2::RIGHT_CENTER,
        value,
        font.clone(),
        tokens.dim,
    );
    // a long id ends before the numbers
    let width = (shown.left() - 10.0 - left.x).max(20.0);
    let name = widgets::one_line(&painter, width, name, font, tokens.text);
    let at = left - vec2(0.0, name.size().y / 2.0);
    painter.galley(at, name, tokens.text);
    response
}

/// What a lower and a higher value of a metric are called.
fn words_of(name: &str) -> (&'static str, &'static str) {
    match name {
        "ade_m" | "ade_moving_m" => ("nearer", "farther"),
        PLANNER_SCORE => ("worse", "better"),
        _ => ("better", "worse"),
    }
}

/// A metric's name in words; the name itself where there are none.
pub(super) fn title_of(name: &str) -> &str {
    match name {
        PLANNER_SCORE => "Score of the ego's planner",
        _ => metrics::title_of(name).unwrap_or(name),
    }
}

fn metrics_ui(
    ui: &mut Ui,
    held: &[Held<'_>],
    measures: &mut Measures,
    opened: &mut Opened,
    actions: &mut Vec<Action>,
) {
    widgets::section(ui, "Metrics by pane; click a number for its reasons");
    let columns: Vec<Option<Arc<Measured>>> = held
        .iter()
        .map(|(_, scene, _)| measures.of(scene))
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for row in columns.iter().flatten().flat_map(|found| &found.rows) {
        if !names.contains(&row.metric.name.as_str()) {
            names.push(&row.metric.name);
        }
    }
    if names.is_empty() {
        ui.add(egui::Spinner::new().size(12.0));
    }
    if held.iter().any(|(.., planned)| planned.is_some()) {
        names.push(PLANNER_SCORE);
    }
    for name in names {
        let title = title_of(name);
        ui.add_space(4.0);
        ui.label(theme::small(title).color(tokens(ui).dim));
        let cells: Vec<Option<&Explained>> = columns
            .iter()
            .zip(held)
            .map(|(found, (.., planned))| match name {
                PLANNER_SCORE => *planned,
                _ => found
                    .as_ref()?
                    .rows
                    .iter()
                    .find(|row| row.metric.name == name),
            })
            .collect();
        cells_ui(ui, (name, title), &cells, opened);
        let open = opened
            .0
            .as_ref()
            .filter(|(of, _)| of == name)
            .map(|(_, at)| *at);
        if let Some(column) = open
            && let Some(Some(row)) = cells.get(column)
        {
            reasons_ui(ui, held[column].1, row, actions);
        }
    }
}

fn cells_ui(
    ui: &mut Ui,
    (name, title): (&str, &str),
    cells: &[Option<&Explained>],
    opened: &mut Opened,
) {
    let tokens = tokens(ui);
    let first = cells.first().copied().flatten().map(|row| &row.metric);
    let gap = 4.0;
    let per_line = cells.len().min(2) as f32;
    let width = (ui.available_width() - gap * (per_line - 1.0)) / per_line;
    for (line, chunk) in cells.chunks(2).enumerate() {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = gap;
            for (index, cell) in chunk.iter().enumerate() {
                let column = line * 2 + index;
                let value = cell.map_or_else(
                    || "–".to_owned(),
                    |row| match row.metric.unit.as_str() {
                        // the parts and their units are in the arithmetic
                        "mixed" => figure(row.metric.value),
                        unit => format!("{} {unit}", figure(row.metric.value)),
                    },
                );
                let change = match (column, first, cell) {
                    // over other agents (a log judges all vehicles, a result whom the model made) nothing is better
                    (1.., Some(from), Some(row))
                        if from.count.abs_diff(row.metric.count) * 10 > from.count =>
                    {
                        ("over others".to_owned(), tokens.faint)
                    }
                    (1.., Some(from), Some(row)) => {
                        difference(name, row.metric.value - from.value, tokens)
                    }
                    _ => (String::new(), tokens.faint),
                };
                let open = opened
                    .0
                    .as_ref()
                    .is_some_and(|(of, at)| of == name && *at == column);
                let label = format!("{title} in {}: {value} {}", letter(column), change.0);
                let size = vec2(width, 26.0);
                let words = (letter(column), value.as_str(), &change);
                if cell_ui(ui, size, words, &label, open).clicked() && cell.is_some() {
                    opened.0 = (!open).then(|| (name.to_owned(), column));
                }
            }
        });
    }
}

/// Three or four figures: a value and its difference must fit into a cell.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        large if large >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A signed difference with an arrow and a word, and its colour.
fn difference(name: &str, by: f64, tokens: &Tokens) -> (String, Color32) {
    let (lower, higher) = words_of(name);
    let color = |word: &str| match word {
        "better" => tokens.good,
        "worse" => tokens.bad,
        _ => tokens.dim,
    };
    match by {
        by if by.abs() < 0.005 => ("same".to_owned(), tokens.faint),
        by if by < 0.0 => (format!("↓ −{} {lower}", figure(-by)), color(lower)),
        by => (format!("↑ +{} {higher}", figure(by)), color(higher)),
    }
}

fn cell_ui(
    ui: &mut Ui,
    size: egui::Vec2,
    (letter, value, (change, color)): (char, &str, &(String, Color32)),
    label: &str,
    open: bool,
) -> egui::Response {
    let tokens = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, open, label));
    let fill = match (open, response.hovered()) {
        (true, _) => tokens.accent_soft,
        (_, true) => tokens.hover,
        _ => tokens.raised,
    };
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 4.0, fill);
    if response.has_focus() {
        widgets::ring(ui, rect);
    }
    let font = |size: f32| egui::FontId::proportional(size);
    let left = rect.left_center() + vec2(7.0, 0.0);
    let name = letter.to_string();
    painter.text(
        left,
        egui::Align2::LEFT_CENTER,
        name,
        font(10.5),
        tokens.faint,
    );
    let at = left + vec2(13.0, 0.0);
    painter.text(
        at,
        egui::Align2::LEFT_CENTER,
        value,
        font(12.0),
        tokens.text,
    );
    let right = rect.right_center() - vec2(6.0, 0.0);
    painter.text(
        right,
        egui::Align2::RIGHT_CENTER,
        change,
        font(10.5),
        *color,
    );
    response
}

/// The arithmetic of a number, and who contributed to it; a click goes there.
pub(super) fn reasons_ui(ui: &mut Ui, scene: &Scene, row: &Explained, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    egui::Frame::new()
        .fill(tokens.raised)
        .corner_radius(5.0)
        .inner_margin(egui::Margin::symmetric(8, 6))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            let text = theme::small(row.arithmetic.clone()).color(tokens.text);
            ui.add(egui::Label::new(text).wrap());
            for evidence in row.evidence.iter().take(8) {
                let text = theme::small(evidence.sentence.clone()).color(tokens.dim);
                let button = egui::Button::new(text).wrap().frame(false);
                let shown = ui.add(button);
                if shown.on_hover_text("Go there").clicked() {
                    actions.push(Action::Select(vec![evidence.agent.clone()]));
                    if let Some(frame) = evidence.frame {
                        actions.push(Action::Seek(scene.time_of(frame)));
                    }
                    actions.push(Action::Run(Command::FrameSelection));
                }
            }
            if row.evidence.len() > 8 {
                let text = format!("and {} more", row.evidence.len() - 8);
                ui.label(theme::small(text).color(tokens.faint));
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_is_better_where_a_metric_judges_and_only_nearer_where_it_does_not() {
        let tokens = &theme::DARK;
        let fewer = difference("collision_pct", -12.5, tokens);
        assert_eq!(fewer, ("↓ −12.5 better".to_owned(), tokens.good));
        let nearer = difference("ade_m", -0.5, tokens);
        assert_eq!(nearer, ("↓ −0.50 nearer".to_owned(), tokens.dim));
        assert_eq!(difference("instability", 0.004, tokens).0, "same");
        let safer = difference(PLANNER_SCORE, 0.25, tokens);
        assert_eq!(safer, ("↑ +0.25 better".to_owned(), tokens.good));
    }
}
