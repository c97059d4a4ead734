//! The scene's timeline: transport, history and future, events, the cursor.

use std::sync::Arc;

use egui::Align2;
use egui::Color32;
use egui::CursorIcon;
use egui::FontId;
use egui::Pos2;
use egui::Rect;
use egui::Sense;
use egui::Shape;
use egui::Stroke;
use egui::StrokeKind;
use egui::Ui;
use egui::WidgetInfo;
use egui::vec2;

use super::action::Action;
use super::action::Command;
use super::editor::Editor;
use super::editor::SPEEDS;
use super::icons::Icon;
use super::theme;
use super::theme::Tokens;
use super::theme::tokens;
use super::widgets;
use crate::scene::AgentKind;
use crate::scene::Scene;

/// Something that happens at a time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// When, s.
    pub time_s: f64,
    /// What kind.
    pub kind: EventKind,
    /// In words.
    pub text: String,
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventKind {
    /// Footprints begin to overlap.
    Contact,
    /// A goal is due.
    Goal,
    /// A contact is intended.
    Attack,
    /// A made scene fails a gate.
    Gate,
}

/// Events of the scene last asked for, so that they are computed once per change.
#[derive(Default)]
pub(super) struct Events {
    of: Option<Arc<Scene>>,
    list: Vec<Event>,
}

impl Events {
    /// The events of `scene`.
    pub(super) fn of(&mut self, scene: &Arc<Scene>) -> &[Event] {
        let known = self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, scene));
        if !known {
            self.list = events(scene);
            self.of = Some(scene.clone());
        }
        &self.list
    }
}

/// Contacts with the ego, due goals, intended contacts, and where a made scene fails a gate (others that touch, ways off
/// the road, impossible motion) if that was found on the scene as it is, in order of time.
fn events(scene: &Scene) -> Vec<Event> {
    let mut found = Vec::new();
    if let Some(ego) = scene.ego() {
        for other in &scene.agents {
            if other.id == ego.id || other.kind == AgentKind::Other {
                continue;
            }
            let first = (0..scene.frames).find(|frame| {
                let boxes = ego.footprint_at(*frame).zip(other.footprint_at(*frame));
                boxes.is_some_and(|(a, b)| a.overlaps(&b))
            });
            if let Some(frame) = first {
                found.push(Event {
                    time_s: scene.time_of(frame),
                    kind: EventKind::Contact,
                    text: format!("{} touches the ego", other.id),
                });
            }
        }
    }
    found.extend(scene.goals.iter().map(|goal| Event {
        time_s: goal.time_s,
        kind: EventKind::Goal,
        text: format!("goal of {} due", goal.agent),
    }));
    found.extend(scene.attacks.iter().map(|attack| Event {
        time_s: attack.time_s,
        kind: EventKind::Attack,
        text: format!("{} shall meet {}", attack.attacker, attack.target),
    }));
    let made = scene.generated.iter();
    let of_this = made.filter(|_| !scene.is_edited_since_made());
    let failed = of_this.flat_map(|made| made.failed());
    found.extend(failed.filter_map(|gate| {
        Some(Event {
            time_s: scene.time_of(gate.frame.filter(|frame| *frame < scene.frames)?),
            kind: EventKind::Gate,
            text: gate.reason.clone(),
        })
    }));
    found.sort_by(|a, b| a.time_s.total_cmp(&b.time_s).then(a.text.cmp(&b.text)));
    found
}

/// Transport buttons and the track.
pub(super) fn timeline_ui(
    ui: &mut Ui,
    editor: &Editor,
    events: &mut Events,
    actions: &mut Vec<Action>,
) {
    let Some(scene) = editor.scene().cloned() else {
        ui.centered_and_justified(|ui| {
            ui.label(
                theme::small("Time appears here when a scene is open").color(tokens(ui).faint),
            );
        });
        return;
    };
    ui.add_space(4.0);
    // as wide as the panel, even where the buttons need more
    let width = ui.available_width();
    ui.horizontal(|ui| transport(ui, editor, &scene, actions));
    ui.add_space(2.0);
    track(ui, (editor, &scene), width, events, actions);
}

fn transport(ui: &mut Ui, editor: &Editor, scene: &Scene, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.x = 2.0;
    let mut button = |ui: &mut Ui, icon: Icon, command: Command, chosen: bool| {
        let row = command.row();
        let shown = widgets::icon_toggle(ui, icon, row.text, &command.hint(), chosen, true);
        if shown.clicked() {
            actions.push(Action::Run(command));
        }
    };
    button(ui, Icon::Start, Command::ToStart, false);
    button(ui, Icon::Back, Command::StepBack, false);
    let play = if editor.playing {
        Icon::Pause
    } else {
        Icon::Play
    };
    button(ui, play, Command::Play, editor.playing);
    button(ui, Icon::Forward, Command::StepForward, false);
    button(ui, Icon::End, Command::ToEnd, false);
    button(ui, Icon::Loop, Command::Loop, editor.looping);
    ui.add_space(8.0);
    let mut speed = editor.speed;
    let choice = egui::ComboBox::from_id_salt("speed")
        .width(58.0)
        .selected_text(format!("{speed}×"))
        .show_ui(ui, |ui| {
            for choice in SPEEDS {
                ui.selectable_value(&mut speed, choice, format!("{choice}×"));
            }
        });
    choice
        .response
        .accessible_name("Playback speed")
        .on_hover_text("Playback speed  [↑ ↓]");
    if speed != editor.speed {
        actions.push(Action::Speed(speed));
    }
    ui.add_space(10.0);
    let frame = editor.frame().unwrap_or(0);
    ui.label(theme::strong(format!("{:.2} s", editor.time_s), 13.0));
    ui.label(
        theme::small(format!("/ {:.1} s    frame {frame}", scene.duration_s()))
            .color(tokens(ui).dim),
    );
    // the present is not −0.0 s
    let relative = (10.0 * (editor.time_s - scene.now_s())).round() / 10.0 + 0.0;
    let word = match frame.cmp(&scene.now) {
        std::cmp::Ordering::Less => "history",
        std::cmp::Ordering::Equal => "present",
        std::cmp::Ordering::Greater => "future",
    };
    ui.add_space(4.0);
    let color = if frame == scene.now {
        tokens(ui).accent
    } else {
        tokens(ui).dim
    };
    widgets::chip(ui, &format!("{word} {relative:+.1} s"), color);
    if frame != scene.now {
        ui.add_space(2.0);
        let text = theme::small("to the present");
        let go = ui.add(egui::Button::new(text).frame(false).truncate());
        if go.on_hover_text(Command::ToPresent.hint()).clicked() {
            actions.push(Action::Run(Command::ToPresent));
        }
    }
}

fn track(
    ui: &mut Ui,
    (editor, scene): (&Editor, &Arc<Scene>),
    width: f32,
    events: &mut Events,
    actions: &mut Vec<Action>,
) {
    let tokens = tokens(ui);
    let size = vec2(width, 46.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::slider(true, editor.time_s, "Time"));
    let duration = scene.duration_s().max(1e-9);
    let span = rect.shrink2(vec2(8.0, 0.0));
    let x_of = |time_s: f64| span.left() + span.width() * (time_s / duration) as f32;
    let rail = Rect::from_min_max(
        egui::pos2(span.left(), rect.top() + 10.0),
        egui::pos2(span.right(), rect.top() + 24.0),
    );
    let now = x_of(scene.now_s());
    let painter = ui.painter_at(rect);
    painter.rect_filled(rail, 4.0, tokens.raised);
    let history = Rect::from_min_max(rail.min, egui::pos2(now, rail.bottom()));
    painter.rect_filled(history, 4.0, tokens.hover);
    let done = Rect::from_min_max(rail.min, egui::pos2(x_of(editor.time_s), rail.bottom()));
    painter.rect_filled(done, 4.0, tokens.accent.gamma_multiply(0.22));
    if let Some(made) = &scene.generated {
        let from = x_of(scene.time_of(made.from_frame));
        let until = scene.made_end_s().map_or(rail.right(), x_of);
        let line = Rect::from_min_max(
            egui::pos2(from, rail.bottom() - 2.5),
            egui::pos2(until.max(from), rail.bottom()),
        );
        painter.rect_filled(line, 1.0, tokens.accent);
        if until < rail.right() - 1.0 {
            // beyond it only who was not made goes on
            let beyond = Rect::from_min_max(egui::pos2(until, rail.top()), rail.max);
            painter.rect_filled(beyond, 4.0, tokens.panel.gamma_multiply(0.7));
            painter.vline(until, rail.y_range(), Stroke::new(1.0, tokens.accent));
        }
    }
    painter.rect_stroke(rail, 4.0, Stroke::new(1.0, tokens.line), StrokeKind::Inside);
    ruler(&painter, rail, duration, tokens);
    painter.vline(
        now,
        rail.y_range().expand(3.0),
        Stroke::new(1.6, tokens.text),
    );
    if (x_of(editor.time_s) - now).abs() > 18.0 {
        painter.text(
            egui::pos2(now, rail.top() - 2.0),
            Align2::CENTER_BOTTOM,
            "now",
            FontId::new(9.5, theme::semibold()),
            tokens.dim,
        );
    }
    let pointer = response.hover_pos();
    let mut told = None;
    for event in events.of(scene) {
        let at = egui::pos2(x_of(event.time_s), rail.center().y);
        mark(&painter, at, event.kind, tokens);
        if pointer.is_some_and(|pointer| (pointer.x - at.x).abs() < 5.0) {
            told = Some(format!("{:.1} s  {}", event.time_s, event.text));
        }
    }
    cursor(&painter, x_of(editor.time_s), rail, tokens);
    if response.has_focus() {
        widgets::ring(ui, rect);
    }
    let far = ui.input(|input| input.modifiers.shift);
    let command = match (widgets::arrow_steps(ui, &response).signum(), far) {
        (-1, false) => Some(Command::StepBack),
        (-1, true) => Some(Command::JumpBack),
        (1, false) => Some(Command::StepForward),
        (1, true) => Some(Command::JumpForward),
        _ => None,
    };
    actions.extend(command.map(Action::Run));
    if let Some(at) = response.interact_pointer_pos()
        && (response.dragged() || response.clicked() || response.is_pointer_button_down_on())
    {
        let time_s = f64::from((at.x - span.left()) / span.width()) * duration;
        let frame = (time_s / scene.dt_s).round();
        actions.push(Action::Seek(frame * scene.dt_s));
    }
    let response = response.on_hover_cursor(CursorIcon::PointingHand);
    if let Some(told) = told {
        response.on_hover_text_at_pointer(told);
    }
}

fn ruler(painter: &egui::Painter, rail: Rect, duration: f64, tokens: &Tokens) {
    let steps = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
    let least = 56.0 * duration / f64::from(rail.width().max(1.0));
    let step = steps.into_iter().find(|s| *s >= least).unwrap_or(500.0);
    let count = (duration / step).floor() as usize;
    for index in 0..=count {
        let time_s = index as f64 * step;
        let x = rail.left() + rail.width() * (time_s / duration) as f32;
        let line = Stroke::new(1.0, tokens.line_strong);
        painter.vline(x, rail.bottom()..=rail.bottom() + 4.0, line);
        painter.text(
            egui::pos2(x, rail.bottom() + 5.0),
            Align2::CENTER_TOP,
            format!("{time_s}"),
            FontId::proportional(9.5),
            tokens.faint,
        );
    }
}

fn mark(painter: &egui::Painter, at: Pos2, kind: EventKind, tokens: &Tokens) {
    let diamond = |color: Color32| {
        let corners = [(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)];
        let points = corners.map(|(x, y)| at + vec2(x, y)).to_vec();
        Shape::convex_polygon(points, color, Stroke::new(1.5, tokens.panel))
    };
    match kind {
        EventKind::Contact => {
            painter.add(diamond(tokens.bad));
        }
        EventKind::Goal => {
            painter.circle(at, 4.0, tokens.goal, Stroke::new(1.5, tokens.panel));
        }
        EventKind::Attack => {
            painter.circle_stroke(at, 4.5, Stroke::new(1.8, tokens.attacker));
        }
        EventKind::Gate => {
            let corners = [(0.0, -4.5), (5.0, 4.0), (-5.0, 4.0)];
            let points = corners.map(|(x, y)| at + vec2(x, y)).to_vec();
            let rim = Stroke::new(1.5, tokens.panel);
            painter.add(Shape::convex_polygon(points, tokens.warn, rim));
        }
    }
}

fn cursor(painter: &egui::Painter, x: f32, rail: Rect, tokens: &Tokens) {
    let top = rail.top() - 4.0;
    painter.vline(
        x,
        top..=rail.bottom() + 4.0,
        Stroke::new(2.0, tokens.accent),
    );
    let points = [(-5.5, -4.0), (5.5, -4.0), (0.0, 3.0)];
    let head = points.map(|(dx, dy)| egui::pos2(x + dx, top + dy)).to_vec();
    painter.add(Shape::convex_polygon(head, tokens.accent, Stroke::NONE));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::scene::Agent;
    use crate::scene::Edit;
    use crate::scene::GateResult;
    use crate::scene::Generated;
    use crate::scene::Recipe;
    use crate::scene::Role as Part;
    use crate::scene::State;
    use crate::scene::Track;

    #[test]
    fn the_first_frame_of_a_contact_is_marked() {
        // the ego stands; the other comes from 10 m at 1 m a frame, both 4.7 m long: they overlap once the
        // centres are nearer than 4.7 m, that is at frame 6 (4 m)
        let track = |start: f64, step: f64| {
            let states = (0..12).map(|frame| {
                let x = start + step * f64::from(frame);
                Some(State::along(Pose::at(x, 0.0, 0.0), 0.0))
            });
            Track::new(states.collect())
        };
        let mut ego = Agent::new("ego", AgentKind::Vehicle, track(0.0, 0.0));
        ego.role = Part::Ego;
        let car = Agent::new("car", AgentKind::Vehicle, track(-10.0, 1.0));
        let scene = Scene {
            dt_s: 0.1,
            frames: 12,
            agents: vec![Arc::new(ego), Arc::new(car)],
            ..Scene::default()
        };
        let found = events(&scene);
        assert_eq!(found.len(), 1);
        assert!((found[0].time_s - 0.6).abs() < 1e-9);
        assert_eq!(found[0].text, "car touches the ego");
    }

    #[test]
    fn a_failed_gate_is_marked_where_it_fails() {
        let gate = |name: &str, passed: bool, frame: Option<usize>| GateResult {
            gate: name.to_owned(),
            passed,
            value: 3.4,
            limit: 3.0,
            unit: "m".to_owned(),
            agent: None,
            frame,
            reason: format!("{name} fails"),
            extra: crate::map::Extra::new(),
        };
        let recipe: Recipe = serde_json::from_value(serde_json::json!({
            "app_version": "0", "weights_hash": "", "seed": 1, "task": "free",
            "schedule": "full", "steps": 1, "temperature": 1.0, "agents": [],
        }))
        .unwrap();
        let made = Generated {
            recipe,
            from_frame: 1,
            complete: true,
            gates: vec![
                gate("road", false, Some(7)),
                gate("slip", true, Some(3)),
                gate("start", false, None),
                gate("yaw_rate", false, Some(99)), // beyond the scene
            ],
            fault: None,
            avoidability: None,
            metrics: Vec::new(),
            redrawn: Vec::new(),
            edits: Some(0),
            extra: crate::map::Extra::new(),
        };
        let scene = Scene {
            dt_s: 0.1,
            frames: 12,
            generated: Some(Arc::new(made)),
            ..Scene::default()
        };
        let found = events(&scene);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].kind, found[0].text.as_str()),
            (EventKind::Gate, "road fails")
        );
        assert!((found[0].time_s - 0.7).abs() < 1e-9);
        // what an edit may have changed is not marked
        let edited = scene.edited(&Edit::SetNow { frame: 5 }).unwrap();
        assert!(events(&edited).is_empty());
    }
}
