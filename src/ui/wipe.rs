//! The handle between two scenes in one pane.

use egui::Align2;
use egui::CursorIcon;
use egui::Id;
use egui::Rect;
use egui::Sense;
use egui::Stroke;
use egui::Ui;
use egui::WidgetInfo;
use egui::pos2;
use egui::vec2;

use super::overlay;
use super::theme::tokens;
use super::widgets;

/// Width of what can be grabbed, points.
const GRIP: f32 = 18.0;

/// The parts of `rect` left and right of a handle at `share` of its width.
pub(super) fn parts(rect: Rect, share: f32) -> (Rect, Rect) {
    let x = rect.left() + rect.width() * share.clamp(0.0, 1.0);
    (
        Rect::from_min_max(rect.min, pos2(x, rect.bottom())),
        Rect::from_min_max(pos2(x, rect.top()), rect.max),
    )
}

/// Draws the handle with the names of both sides and moves it; the new share of the width.
pub(super) fn handle_ui(ui: &Ui, rect: Rect, share: f32, names: (&str, &str)) -> f32 {
    let tokens = tokens(ui);
    let (left, _) = parts(rect, share);
    let x = left.right();
    let grip = Rect::from_center_size(pos2(x, rect.center().y), vec2(GRIP, rect.height()));
    let response = ui.interact(grip, Id::unique("wipe handle"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::slider(true, f64::from(share), "Wipe handle"));
    let hot = response.hovered() || response.dragged() || response.has_focus();
    if hot {
        ui.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
    }
    let painter = ui.painter_at(rect);
    let color = if hot { tokens.accent } else { tokens.text };
    painter.vline(
        x,
        rect.y_range(),
        Stroke::new(4.0, tokens.ground.gamma_multiply(0.7)),
    );
    painter.vline(x, rect.y_range(), Stroke::new(1.6, color));
    let knob = pos2(x, rect.center().y);
    painter.circle(knob, 11.0, tokens.ground, Stroke::new(1.6, color));
    for side in [-1.0, 1.0] {
        let tip = knob + vec2(7.0 * side, 0.0);
        let back = |y: f32| tip + vec2(-3.5 * side, y);
        painter.line_segment([tip, back(-3.5)], Stroke::new(1.6, color));
        painter.line_segment([tip, back(3.5)], Stroke::new(1.6, color));
    }
    let top = rect.top() + 58.0;
    let sides = [
        (x - 14.0, Align2::RIGHT_CENTER, names.0),
        (x + 14.0, Align2::LEFT_CENTER, names.1),
    ];
    for (x, anchor, name) in sides {
        overlay::label(&painter, pos2(x, top), anchor, name, tokens.text, tokens);
    }
    let by_key = 0.02 * widgets::arrow_steps(ui, &response) as f32;
    let dragged = response.drag_delta().x / rect.width().max(1.0);
    (share + dragged + by_key).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_sides_share_the_handle_and_fill_the_pane() {
        let rect = Rect::from_min_size(pos2(10.0, 0.0), vec2(200.0, 100.0));
        let (left, right) = parts(rect, 0.25);
        assert_eq!((left.right(), right.left()), (60.0, 60.0)); // 10 + 200 / 4
        assert_eq!(left.union(right), rect);
        assert_eq!(parts(rect, 7.0).1.width(), 0.0);
    }
}
