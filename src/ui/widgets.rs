//! Small controls shared by the panels: icon buttons, tabs, rows, chips, empty states.

use egui::Align2;
use egui::Color32;
use egui::EventFilter;
use egui::FontId;
use egui::Id;
use egui::Key;
use egui::Rect;
use egui::Response;
use egui::Role;
use egui::Sense;
use egui::Stroke;
use egui::StrokeKind;
use egui::Ui;
use egui::Vec2;
use egui::WidgetInfo;
use egui::pos2;
use egui::vec2;

use super::icons;
use super::icons::Icon;
use super::theme;
use super::theme::tokens;

/// A square button that shows an icon; `label` is its accessible name, `tooltip` says more.
pub(super) fn icon_button(ui: &mut Ui, icon: Icon, label: &str, tooltip: &str) -> Response {
    icon_toggle(ui, icon, label, tooltip, false, true)
}

/// An icon button that may be chosen or disabled.
pub(super) fn icon_toggle(
    ui: &mut Ui,
    icon: Icon,
    label: &str,
    tooltip: &str,
    chosen: bool,
    enabled: bool,
) -> Response {
    sized_icon(
        ui,
        icon,
        label,
        tooltip,
        (chosen, enabled),
        vec2(28.0, 26.0),
    )
}

/// A small icon button for rows.
pub(super) fn row_icon(
    ui: &mut Ui,
    icon: Icon,
    label: &str,
    tooltip: &str,
    chosen: bool,
) -> Response {
    sized_icon(ui, icon, label, tooltip, (chosen, true), vec2(20.0, 20.0))
}

fn sized_icon(
    ui: &mut Ui,
    icon: Icon,
    label: &str,
    tooltip: &str,
    (chosen, enabled): (bool, bool),
    size: Vec2,
) -> Response {
    let tokens = tokens(ui);
    let sense = if enabled {
        Sense::click()
    } else {
        Sense::hover()
    };
    let (rect, response) = ui.allocate_exact_size(size, sense);
    let on = enabled && ui.is_enabled();
    response.widget_info(|| WidgetInfo::selected(Role::Button, on, chosen, label));
    if ui.is_rect_visible(rect) {
        let fill = if chosen {
            Some(tokens.accent_soft)
        } else if on && response.is_pointer_button_down_on() {
            Some(tokens.pressed)
        } else if on && response.hovered() {
            Some(tokens.hover)
        } else {
            None
        };
        if let Some(fill) = fill {
            ui.painter().rect_filled(rect, 5.0, fill);
        }
        if response.has_focus() {
            ring(ui, rect);
        }
        let color = match (on, chosen, response.hovered()) {
            (false, ..) => tokens.line_strong,
            (_, true, _) => tokens.accent,
            (_, _, true) => tokens.text,
            _ => tokens.dim,
        };
        let width = if size.x < 24.0 { 13.0 } else { 16.0 };
        icons::paint_sized(ui.painter(), rect.center(), width, icon, color);
    }
    response.on_hover_text(tooltip)
}

/// The outline of the control that has keyboard focus.
pub(super) fn ring(ui: &Ui, rect: Rect) {
    let stroke = Stroke::new(1.5, tokens(ui).accent);
    ui.painter()
        .rect_stroke(rect, 5.0, stroke, StrokeKind::Inside);
}

/// Steps along a control that moves from left to right, by the arrow keys while it has focus: right less left. The
/// arrows then stay with it.
pub(super) fn arrow_steps(ui: &Ui, response: &Response) -> i32 {
    if !response.has_focus() {
        return 0;
    }
    let filter = EventFilter {
        horizontal_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    ui.input(|input| {
        let pressed = |key| input.num_presses(key) as i32;
        pressed(Key::ArrowRight) - pressed(Key::ArrowLeft)
    })
}

/// The one button of an area that goes on.
pub(super) fn primary(ui: &mut Ui, text: &str) -> Response {
    let tokens = tokens(ui);
    let text = theme::strong(text, 12.5).color(tokens.on_accent);
    ui.add(
        egui::Button::new(text)
            .fill(tokens.accent)
            .stroke(Stroke::NONE)
            .min_size(vec2(64.0, 28.0)),
    )
}

/// A row of tabs with an underline under the chosen one. True if the choice changed.
pub(super) fn tabs<T: PartialEq + Copy>(
    ui: &mut Ui,
    choices: &[(T, &str)],
    current: &mut T,
) -> bool {
    let tokens = tokens(ui);
    let before = *current;
    let row = ui
        .horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            for (value, label) in choices {
                let chosen = *current == *value;
                let font = FontId::new(12.0, theme::semibold());
                let galley =
                    ui.painter()
                        .layout_no_wrap((*label).to_owned(), font, Color32::PLACEHOLDER);
                let size = vec2(galley.size().x + 16.0, 30.0);
                let (rect, response) = ui.allocate_exact_size(size, Sense::click());
                response.widget_info(|| WidgetInfo::selected(Role::Tab, true, chosen, label));
                let color = if chosen || response.hovered() {
                    tokens.text
                } else {
                    tokens.dim
                };
                let at = rect.center() - galley.size() / 2.0;
                ui.painter().galley(at, galley, color);
                if response.has_focus() {
                    ring(ui, rect);
                }
                if chosen {
                    let bar = Rect::from_min_max(
                        rect.left_bottom() + vec2(6.0, -2.0),
                        rect.right_bottom() + vec2(-6.0, 0.0),
                    );
                    ui.painter().rect_filled(bar, 1.0, tokens.accent);
                }
                if response.clicked() {
                    *current = *value;
                }
            }
        })
        .response;
    let line = Stroke::new(1.0, tokens.line);
    ui.painter()
        .hline(ui.max_rect().x_range(), row.rect.bottom(), line);
    before != *current
}

/// A row of small exclusive choices. True if the choice changed.
pub(super) fn segments<T: PartialEq + Copy>(
    ui: &mut Ui,
    choices: &[(T, &str, &str)],
    current: &mut T,
) -> bool {
    let before = *current;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 1.0;
        for (value, label, tooltip) in choices {
            let button = egui::Button::selectable(*current == *value, *label);
            if ui.add(button).on_hover_text(*tooltip).clicked() {
                *current = *value;
            }
        }
    });
    before != *current
}

/// The heading of a group inside a panel.
pub(super) fn section(ui: &mut Ui, title: &str) {
    ui.add_space(8.0);
    ui.label(theme::strong(title, 11.5).color(tokens(ui).dim));
    ui.add_space(1.0);
}

/// A curve of numbers (NaN breaks it) with its limit, and in `color` the step that decided.
pub(super) fn curve(
    ui: &Ui,
    rect: Rect,
    values: &[f64],
    limit: Option<f64>,
    decided: Option<usize>,
    color: Color32,
) {
    let tokens = tokens(ui);
    let painter = ui.painter().with_clip_rect(rect.expand(2.0));
    let finite = values.iter().copied().filter(|value| value.is_finite());
    let limit = limit.filter(|limit| limit.is_finite());
    let (low, high) = finite
        .chain(limit)
        .fold((0.0_f64, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    let span = (high - low).max(1e-9);
    let last = values.len().saturating_sub(1).max(1);
    let at = |step: usize, value: f64| {
        let x = rect.left() + rect.width() * step as f32 / last as f32;
        pos2(
            x,
            rect.bottom() - rect.height() * ((value - low) / span) as f32,
        )
    };
    if let Some(limit) = limit {
        let y = at(0, limit).y;
        painter.hline(rect.x_range(), y, Stroke::new(1.0, tokens.line));
    }
    let known = |step: &usize| values[*step].is_finite();
    let steps: Vec<usize> = (0..values.len()).collect();
    for run in steps.chunk_by(|a, b| known(a) && known(b)) {
        let points: Vec<egui::Pos2> = run
            .iter()
            .filter(|step| known(step))
            .map(|step| at(*step, values[*step]))
            .collect();
        match points.as_slice() {
            [] => {}
            [one] => {
                painter.circle_filled(*one, 1.0, tokens.dim);
            }
            _ => {
                painter.add(egui::Shape::line(points, Stroke::new(1.2, tokens.dim)));
            }
        }
    }
    if let Some(step) = decided.filter(|step| *step < values.len()) {
        let value = values[step];
        let value = if value.is_finite() { value } else { low };
        painter.circle_filled(at(step, value), 2.5, color);
    }
}

/// The step of a curve of so many numbers that is under `x`.
pub(super) fn step_at(curve: Rect, count: usize, x: f32) -> usize {
    let last = count.saturating_sub(1);
    let share = ((x - curve.left()) / curve.width()).clamp(0.0, 1.0);
    (share * last as f32).round() as usize
}

/// A row with a name, a value, and something below it that a click opens or closes.
pub(super) fn fold(ui: &mut Ui, name: &str, value: &str, open: bool) -> Response {
    let tokens = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 22.0), Sense::click());
    response
        .widget_info(|| WidgetInfo::selected(Role::Button, true, open, format!("{name}: {value}")));
    let fill = match (open, response.hovered()) {
        (true, _) => tokens.accent_soft,
        (_, true) => tokens.hover,
        _ => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, 4.0, fill);
    if response.has_focus() {
        ring(ui, rect);
    }
    let font = FontId::proportional(12.0);
    let (left, right) = (
        rect.left_center() + vec2(4.0, 0.0),
        rect.right_center() - vec2(4.0, 0.0),
    );
    ui.painter()
        .text(left, Align2::LEFT_CENTER, name, font.clone(), tokens.dim);
    ui.painter()
        .text(right, Align2::RIGHT_CENTER, value, font, tokens.text);
    response
}

/// A name on the left and a value on the right.
pub(super) fn row(ui: &mut Ui, name: &str, value: impl Into<String>) -> Response {
    let tokens = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 19.0), Sense::hover());
    let font = FontId::proportional(12.0);
    let value: String = value.into();
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name}: {value}")));
    ui.painter().text(
        rect.left_center(),
        Align2::LEFT_CENTER,
        name,
        font.clone(),
        tokens.dim,
    );
    ui.painter().text(
        rect.right_center(),
        Align2::RIGHT_CENTER,
        value,
        font,
        tokens.text,
    );
    response
}

/// One line of text, laid out; what does not fit into `width` gives way to "…".
pub(super) fn one_line(
    painter: &egui::Painter,
    width: f32,
    text: &str,
    font: FontId,
    color: Color32,
) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = egui::text::TextWrapping::truncate_at_width(width);
    painter.layout_job(job)
}

/// One line of text, laid out; what does not fit into `width` gives way in the middle, as names of one kind differ at their
/// ends.
pub(super) fn both_ends(
    painter: &egui::Painter,
    width: f32,
    text: &str,
    font: FontId,
    color: Color32,
) -> std::sync::Arc<egui::Galley> {
    let letters: Vec<char> = text.chars().collect();
    let laid_out = |left_out: usize| {
        let kept = letters.len() - left_out;
        let (begin, end) = (kept / 3, kept - kept / 3);
        let line: String = match left_out {
            0 => text.to_owned(),
            _ => {
                let (begin, end) = (&letters[..begin], &letters[letters.len() - end..]);
                begin.iter().chain(&['…']).chain(end).collect()
            }
        };
        painter.layout_no_wrap(line, font.clone(), color)
    };
    // the fewest that must be left out
    let (mut low, mut high) = (0, letters.len());
    while low < high {
        let middle = (low + high) / 2;
        match laid_out(middle).size().x <= width {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    laid_out(low)
}

/// The content of the panel `name`, which scrolls, and stays where it was scrolled to when another has been shown in its
/// place; it ends beside the scroll bar, not under it.
pub(super) fn scrolled<R>(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    egui::ScrollArea::vertical()
        .id_salt(name)
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width() - 8.0);
            add(ui)
        })
        .inner
}

/// A button in small text, less high than others.
pub(super) fn small_button(ui: &mut Ui, text: &str) -> Response {
    ui.scope(|ui| {
        ui.spacing_mut().button_padding = vec2(7.0, 3.0);
        ui.spacing_mut().interact_size.y = 22.0;
        ui.button(theme::small(text))
    })
    .inner
}

/// What a row of settings is about.
pub(super) fn label(ui: &mut Ui, text: &str) {
    ui.label(egui::RichText::new(text).color(tokens(ui).dim));
}

/// A word on a tinted ground.
pub(super) fn chip(ui: &mut Ui, text: &str, color: Color32) -> Response {
    let font = FontId::new(10.5, theme::semibold());
    let galley = ui
        .painter()
        .layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER);
    let size = galley.size() + vec2(12.0, 5.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    ui.painter()
        .rect_filled(rect, size.y / 2.0, color.gamma_multiply(0.18));
    let at = rect.center() - galley.size() / 2.0;
    ui.painter().galley(at, galley, color);
    response
}

/// What stands in an empty place: what would be here, and one button. True if it was pressed.
pub(super) fn empty_state(
    ui: &mut Ui,
    icon: Icon,
    title: &str,
    text: &str,
    button: Option<&str>,
) -> bool {
    let tokens = tokens(ui);
    let mut pressed = false;
    ui.vertical_centered(|ui| {
        ui.add_space(10.0);
        let (rect, _) = ui.allocate_exact_size(vec2(44.0, 44.0), Sense::hover());
        ui.painter()
            .circle_filled(rect.center(), 22.0, tokens.raised);
        icons::paint_sized(ui.painter(), rect.center(), 20.0, icon, tokens.dim);
        ui.add_space(4.0);
        ui.label(theme::strong(title, 13.5));
        ui.label(egui::RichText::new(text).color(tokens.dim));
        if let Some(button) = button {
            ui.add_space(4.0);
            pressed = primary(ui, button).clicked();
        }
        ui.add_space(10.0);
    });
    pressed
}

/// A key as printed on a keyboard.
pub(super) fn keycap(ui: &mut Ui, text: &str) {
    let tokens = tokens(ui);
    let galley = ui.painter().layout_no_wrap(
        text.to_owned(),
        FontId::proportional(11.0),
        Color32::PLACEHOLDER,
    );
    let size = vec2((galley.size().x + 10.0).max(20.0), 19.0);
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    ui.painter().rect(
        rect,
        4.0,
        tokens.raised,
        Stroke::new(1.0, tokens.line_strong),
        StrokeKind::Inside,
    );
    let at = rect.center() - galley.size() / 2.0;
    ui.painter().galley(at, galley, tokens.text);
}

/// A dialog in the middle of the window.
pub(super) fn modal(context: &egui::Context, name: &str) -> egui::Modal {
    let frame = egui::Frame::popup(&context.global_style())
        .inner_margin(egui::Margin::same(18))
        .corner_radius(10.0);
    egui::Modal::new(id(name)).frame(frame)
}

/// A large dialog with its title and *Close* above `content`; true if it is to be closed.
pub(super) fn sheet(
    context: &egui::Context,
    name: &str,
    title: &str,
    content: impl FnOnce(&mut Ui),
) -> bool {
    let width = (context.content_rect().width() - 120.0).min(980.0);
    let shown = modal(context, name).show(context, |ui| {
        ui.set_width(width);
        let head = ui.horizontal(|ui| {
            ui.label(theme::strong(title, 17.0));
            let layout = egui::Layout::right_to_left(egui::Align::Center);
            ui.with_layout(layout, |ui| ui.button("Close").clicked())
                .inner
        });
        content(ui);
        head.inner
    });
    shown.should_close() || shown.inner
}

/// A short bar with numbers: so many of so many.
pub(super) fn progress(ui: &mut Ui, done: usize, all: usize) {
    let bar = egui::ProgressBar::new(done as f32 / all.max(1) as f32)
        .desired_width(140.0)
        .desired_height(6.0);
    ui.add(bar);
    let text = theme::small(format!("{done} of {all}")).color(tokens(ui).dim);
    ui.label(text);
}

/// A stable id for a control that is looked up from elsewhere.
pub(super) fn id(name: &str) -> Id {
    Id::unique(("nearmiss", name))
}
