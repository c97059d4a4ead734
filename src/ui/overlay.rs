//! What is drawn over the canvas with the window's own painter: handles, the running gesture, messages.

use egui::Align2;
use egui::Color32;
use egui::FontId;
use egui::Painter;
use egui::Pos2;
use egui::Rect;
use egui::Shape;
use egui::Stroke;
use egui::StrokeKind;
use egui::Ui;
use egui::Vec2;
use egui::vec2;

use super::action::Command;
use super::dial;
use super::editor::Editor;
use super::panes::Screen;
use super::theme;
use super::theme::Tokens;
use super::theme::tokens;
use super::tools;
use super::tools::Gesture;
use super::tools::Handle;
use super::widgets;
use super::words;
use crate::geometry::DVec2;
use crate::geometry::dvec2;
use crate::scene::AgentId;
use crate::scene::Scene;

/// Says that the scene has no map.
pub(super) fn no_map_ui(ui: &Ui, rect: Rect) {
    let tokens = tokens(ui);
    label(
        &ui.painter_at(rect),
        rect.center_bottom() - vec2(0.0, 16.0),
        Align2::CENTER_BOTTOM,
        "This scene has no map: road measures are off",
        tokens.warn,
        tokens,
    );
}

/// Where the tokens of a mode end, with their numbers in the vocabulary.
pub(super) fn tokens_ui(ui: &Ui, screen: &Screen, marks: &[(DVec2, String)]) {
    let tokens = tokens(ui);
    let painter = ui.painter_at(screen.rect);
    for (point, number) in marks {
        let at = screen.place(*point);
        painter.circle(at, 3.5, tokens.ground, Stroke::new(1.6, tokens.plan));
        let above = at + vec2(0.0, -7.0);
        label(
            &painter,
            above,
            Align2::CENTER_BOTTOM,
            number,
            tokens.plan,
            tokens,
        );
    }
}

/// What the handles are drawn with.
#[derive(Clone, Copy)]
struct Brush<'a> {
    painter: &'a Painter,
    screen: &'a Screen,
    scene: &'a Scene,
    tokens: &'a Tokens,
}

/// The handles of the selection.
pub(super) fn handles_ui(
    ui: &Ui,
    screen: &Screen,
    scene: &Scene,
    editor: &Editor,
    hot: Option<Handle>,
) {
    let tokens = tokens(ui);
    let painter = &ui.painter_at(screen.rect);
    let brush = Brush {
        painter,
        screen,
        scene,
        tokens,
    };
    let metre = screen.metre();
    let handles = tools::handles(scene, &editor.selection, editor.time_s, metre);
    for (handle, at) in &handles {
        let place = screen.place(*at);
        let chosen = hot.as_ref() == Some(handle);
        match handle {
            Handle::Turn(id) => {
                stem(&brush, id, place);
                knob(&brush, place, tokens.text, chosen);
            }
            Handle::Speed(id) => speed_arrow(&brush, id, place, chosen),
            Handle::GoalCentre(id) => goal(&brush, id, place, chosen),
            Handle::GoalTip(_) | Handle::GoalRing(_) => {
                knob(&brush, place, tokens.goal, chosen);
            }
            Handle::GoalClock(id) => {
                if let Some(goal) = scene.goal_of(id) {
                    let lock_hot = hot.as_ref() == Some(&Handle::GoalLock(id.clone()));
                    let of = (screen, scene, goal);
                    dial::dial_ui(painter, of, (chosen, lock_hot), tokens);
                }
            }
            // drawn with its dial
            Handle::GoalLock(_) => {}
            Handle::Contact(id) => contact(&brush, id, place, chosen),
        }
    }
    if let Some(hot) = &hot
        && ui.input(|input| !input.pointer.any_down())
        && let Some((_, at)) = handles.iter().find(|(handle, _)| handle == hot)
    {
        let text = match hot {
            Handle::Turn(_) => "turn",
            Handle::Speed(_) => "speed and heading; Alt keeps the heading",
            Handle::GoalCentre(_) => "move the goal",
            Handle::GoalTip(_) => "heading at the goal",
            Handle::GoalRing(_) => "tolerance",
            Handle::GoalClock(_) => "when: drag round the dial",
            Handle::GoalLock(id) => match scene.goal_of(id) {
                Some(goal) if goal.hard => "hard: it must be there; click for soft",
                _ => "soft: it should be there; click for hard",
            },
            Handle::Contact(_) => "slide the contact along the path",
        };
        note(ui, screen.place(*at) + vec2(12.0, -14.0), text);
        ui.ctx().set_cursor_icon(egui::CursorIcon::Grab);
    }
}

fn knob(brush: &Brush<'_>, at: Pos2, color: Color32, hot: bool) {
    let Brush {
        painter, tokens, ..
    } = *brush;
    let radius = if hot { 6.5 } else { 5.0 };
    painter.circle_filled(at, radius + 1.5, tokens.ground);
    painter.circle_filled(at, radius, color);
    painter.circle_filled(at, radius - 2.2, tokens.ground);
}

fn stem(brush: &Brush<'_>, id: &AgentId, to: Pos2) {
    let Brush {
        painter,
        screen,
        scene,
        tokens,
    } = *brush;
    let color = tokens.text;
    let Some(agent) = scene.agent(id) else { return };
    let Some(state) = agent.track.get(scene.now) else {
        return;
    };
    let rear = state
        .pose()
        .outer_from_local(dvec2(-agent.length / 2.0, 0.0));
    let stroke = Stroke::new(1.2, color.gamma_multiply(0.7));
    painter.line_segment([screen.place(rear), to], stroke);
}

fn speed_arrow(brush: &Brush<'_>, id: &AgentId, tip: Pos2, hot: bool) {
    let Brush {
        painter,
        screen,
        scene,
        tokens,
    } = *brush;
    let Some(agent) = scene.agent(id) else { return };
    let Some(state) = agent.track.get(scene.now) else {
        return;
    };
    let front = state
        .pose()
        .outer_from_local(dvec2(agent.length / 2.0 + tools::ARROW_GAP_M * 0.4, 0.0));
    let from = screen.place(front);
    let color = if hot { tokens.accent } else { tokens.text };
    let along = (tip - from).normalized();
    let side = vec2(-along.y, along.x);
    painter.line_segment([from, tip], Stroke::new(4.5, tokens.ground));
    painter.line_segment([from, tip], Stroke::new(2.0, color));
    let size = if hot { 11.0 } else { 9.0 };
    let head = |grow: f32| {
        vec![
            tip + along * (4.0 + grow),
            tip - along * size + side * (size * 0.6 + grow),
            tip - along * size - side * (size * 0.6 + grow),
        ]
    };
    painter.add(Shape::convex_polygon(
        head(2.0),
        tokens.ground,
        Stroke::NONE,
    ));
    painter.add(Shape::convex_polygon(head(0.0), color, Stroke::NONE));
    let text = format!("{:.1} m/s", state.speed());
    free_label(
        painter,
        tip + along * 10.0,
        anchor_for(along),
        &text,
        color,
        tokens,
    );
}

fn anchor_for(along: Vec2) -> Align2 {
    if along.x > 0.4 {
        Align2::LEFT_CENTER
    } else if along.x < -0.4 {
        Align2::RIGHT_CENTER
    } else if along.y > 0.0 {
        Align2::CENTER_TOP
    } else {
        Align2::CENTER_BOTTOM
    }
}

fn goal(brush: &Brush<'_>, id: &AgentId, at: Pos2, hot: bool) {
    let Brush {
        painter,
        screen,
        scene,
        tokens,
    } = *brush;
    let Some(goal) = scene.goal_of(id) else {
        return;
    };
    let metre = screen.metre();
    let radius = (goal.tolerance_m.max(14.0 * metre) / metre) as f32;
    let color = tokens.goal;
    painter.circle(
        at,
        radius,
        color.gamma_multiply(0.10),
        Stroke::new(if hot { 2.0 } else { 1.3 }, color),
    );
    if let Some(heading) = goal.heading {
        let tip = dvec2(goal.point[0], goal.point[1])
            + DVec2::from_angle(heading) * tools::goal_tip_m(goal, metre);
        painter.line_segment([at, screen.place(tip)], Stroke::new(1.6, color));
    }
    painter.circle_filled(at, 3.0, color);
}

fn contact(brush: &Brush<'_>, id: &AgentId, at: Pos2, hot: bool) {
    let Brush {
        painter,
        screen,
        scene,
        tokens,
    } = *brush;
    let Some(attack) = scene.attack_by(id) else {
        return;
    };
    if let Some(target) = scene.agent(&attack.target) {
        // the part of the path along which the contact slides
        let steps = (tools::HORIZON_S * 2.0) as usize;
        for step in 1..=steps {
            let time_s = scene.now_s() + step as f64 * 0.5;
            if let Some(state) = target.track.sample(scene.frame_at(time_s)) {
                let spot = screen.place(state.position);
                painter.circle_filled(spot, 2.0, tokens.attacker.gamma_multiply(0.6));
            }
        }
    }
    let radius = if hot { 11.0 } else { 9.0 };
    let stroke = Stroke::new(2.0, tokens.attacker);
    painter.circle_filled(at, radius, tokens.ground.gamma_multiply(0.6));
    painter.circle_stroke(at, radius, stroke);
    for (dx, dy) in [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)] {
        let outward = vec2(dx, dy);
        painter.line_segment(
            [at + outward * (radius - 4.0), at + outward * (radius + 4.0)],
            stroke,
        );
    }
    painter.circle_filled(at, 2.0, tokens.attacker);
    free_label(
        painter,
        at + vec2(0.0, radius + 8.0),
        Align2::CENTER_TOP,
        &format!("{} at {:.1} s", attack.attacker.short(), attack.time_s),
        tokens.attacker,
        tokens,
    );
}

/// The running gesture: rectangle, ruler, aim line, and its note beside the pointer.
pub(super) fn gesture_ui(ui: &Ui, screen: &Screen, gesture: &Gesture, text: &str) {
    let tokens = tokens(ui);
    let painter = ui.painter_at(screen.rect);
    let Some(at) = ui.input(|input| input.pointer.latest_pos()) else {
        return;
    };
    match gesture {
        Gesture::Box { from } => {
            let rect = Rect::from_two_pos(screen.place(*from), at);
            painter.rect(
                rect,
                2.0,
                tokens.accent.gamma_multiply(0.12),
                Stroke::new(1.0, tokens.accent),
                StrokeKind::Inside,
            );
        }
        Gesture::Measure { from } => ruler(&painter, [screen.place(*from), at], tokens),
        Gesture::NewGoal { at: start, .. } | Gesture::Add { at: start, .. } => {
            let stroke = Stroke::new(1.2, tokens.goal);
            painter.line_segment([screen.place(*start), at], stroke);
        }
        Gesture::Sketch(sketch) => sketch.draw(ui, screen),
        Gesture::Move { .. } | Gesture::Handle(_) | Gesture::Aim { .. } => {}
    }
    if !text.is_empty() {
        note(ui, at + vec2(16.0, 18.0), text);
    }
}

/// A line with a dot at each end.
fn ruler(painter: &Painter, ends: [Pos2; 2], tokens: &Tokens) {
    painter.line_segment(ends, Stroke::new(1.6, tokens.accent));
    for end in ends {
        painter.circle_filled(end, 3.0, tokens.accent);
    }
}

/// The last measure, with its words at its end.
pub(super) fn measured_ui(ui: &Ui, screen: &Screen, (from, to, text): &(DVec2, DVec2, String)) {
    let tokens = tokens(ui);
    let painter = ui.painter_at(screen.rect);
    let ends = [*from, *to].map(|point| screen.place(point));
    ruler(&painter, ends, tokens);
    let beside = ends[1] + vec2(8.0, 6.0);
    label(
        &painter,
        beside,
        Align2::LEFT_TOP,
        text,
        tokens.text,
        tokens,
    );
}

/// A line of text on a small plate.
pub(super) fn note(ui: &Ui, at: Pos2, text: &str) {
    let tokens = tokens(ui);
    let painter = ui.ctx().layer_painter(egui::LayerId::new(
        egui::Order::Tooltip,
        egui::Id::unique("canvas note"),
    ));
    let galley = painter.layout_no_wrap(text.to_owned(), FontId::proportional(11.5), tokens.text);
    let mut plate = Rect::from_min_size(at, galley.size()).expand2(vec2(7.0, 4.0));
    let window = ui.ctx().content_rect();
    if plate.right() > window.right() {
        plate = plate.translate(vec2(window.right() - plate.right(), 0.0));
    }
    painter.rect(
        plate,
        5.0,
        tokens.raised,
        Stroke::new(1.0, tokens.line_strong),
        StrokeKind::Inside,
    );
    painter.galley(plate.min + vec2(7.0, 4.0), galley, tokens.text);
}

/// Says that the pane's own run is under way.
pub(super) fn busy_ui(ui: &Ui, rect: Rect, stale: bool) {
    let tokens = tokens(ui);
    let painter = ui.painter_at(rect);
    if stale {
        painter.rect_filled(rect, 0.0, tokens.base.gamma_multiply(0.35));
    }
    let text = if stale {
        "Out of date: being made again…"
    } else {
        "Being made…"
    };
    let at = rect.center_bottom() - vec2(0.0, 16.0);
    label(
        &painter,
        at,
        Align2::CENTER_BOTTOM,
        text,
        tokens.warn,
        tokens,
    );
}

/// The button under a message in the middle of a pane; true if it was pressed.
pub(super) fn offer_ui(ui: &mut Ui, rect: Rect, command: Command) -> bool {
    let place = Rect::from_center_size(rect.center() + vec2(0.0, 34.0), vec2(180.0, 30.0));
    let builder = egui::UiBuilder::new()
        .id_salt(("offer", command))
        .max_rect(place);
    ui.scope_builder(builder, |ui| {
        ui.vertical_centered(|ui| widgets::primary(ui, command.row().text).clicked())
            .inner
    })
    .inner
}

/// A message in the middle of a pane.
pub(super) fn message_ui(ui: &Ui, rect: Rect, text: &str) {
    let tokens = tokens(ui);
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 0.0, tokens.base.gamma_multiply(0.72));
    let font = FontId::new(13.0, theme::semibold());
    let width = (rect.width() - 40.0).max(80.0);
    let galley = painter.layout(text.to_owned(), font, tokens.dim, width);
    let at = rect.center() - galley.size() / 2.0 - vec2(0.0, 4.0);
    painter.galley(at, galley, tokens.dim);
}

/// The same where nothing else is written: as near to `at` as there is room.
pub(super) fn free_label(
    painter: &Painter,
    at: Pos2,
    anchor: Align2,
    text: &str,
    color: Color32,
    tokens: &Tokens,
) {
    let font = FontId::new(11.0, theme::semibold());
    let extent = painter.layout_no_wrap(text.to_owned(), font, color).size();
    let wanted = anchor.anchor_size(at, extent);
    let shift = words::free_place(painter, wanted).min - wanted.min;
    label(painter, at + shift, anchor, text, color, tokens);
}

/// Text with a halo, so that it reads on any ground.
pub(super) fn label(
    painter: &Painter,
    at: Pos2,
    anchor: Align2,
    text: &str,
    color: Color32,
    tokens: &Tokens,
) {
    let font = FontId::new(11.0, theme::semibold());
    let halo = tokens.ground.gamma_multiply(0.85);
    for (dx, dy) in [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)] {
        painter.text(at + vec2(dx, dy), anchor, text, font.clone(), halo);
    }
    painter.text(at, anchor, text, font, color);
}
