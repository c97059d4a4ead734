//! The selection: what it is, its numbers at the cursor, its goal or attack, and plots tied to the cursor.

use std::sync::Arc;

use egui::Ui;
use egui_plot::Line;
use egui_plot::Plot;
use egui_plot::PlotPoints;
use egui_plot::VLine;

use super::agents;
use crate::geometry::angle_between;
use crate::scene::Agent;
use crate::scene::AgentId;
use crate::scene::Attack;
use crate::scene::Control;
use crate::scene::Edit;
use crate::scene::Goal;
use crate::scene::Role;
use crate::scene::Scene;
use crate::scene::State;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::editor::Editor;
use crate::ui::icons::Icon;
use crate::ui::lights;
use crate::ui::reasons;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::tools;
use crate::ui::widgets;

/// Longest time to a contact that is shown, s.
const LONGEST_TTC_S: f64 = 10.0;

/// Curves of one agent over time, computed once per track.
#[derive(Default)]
pub(crate) struct Curves {
    of: Option<Arc<Agent>>,
    /// The scene of the last gaps: they concern others, too.
    among: Option<Arc<Scene>>,
    /// Distance between its box and the ego's, or between the ego's and the nearest other, m.
    gap: Vec<[f64; 2]>,
    /// That gap over the speed at which it closes, at most [`LONGEST_TTC_S`], s.
    ttc: Vec<[f64; 2]>,
    speed: Vec<[f64; 2]>,
    acceleration: Vec<[f64; 2]>,
    heading: Vec<[f64; 2]>,
}

impl Curves {
    fn update(&mut self, scene: &Arc<Scene>, agent: &Arc<Agent>) {
        let same_agent = self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, agent));
        let same_scene = self.among.as_ref().is_some_and(|of| Arc::ptr_eq(of, scene));
        if !(same_agent && same_scene) {
            self.among = Some(scene.clone());
            self.gap = gaps(scene, agent);
            self.ttc = closing(&self.gap, scene.dt_s);
        }
        if self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, agent)) {
            return;
        }
        self.of = Some(agent.clone());
        let track = &agent.track;
        let at = |frame: usize| scene.time_of(frame);
        self.speed = track
            .valid()
            .map(|(frame, state)| [at(frame), state.speed()])
            .collect();
        // central difference over about half a second, so that sensor jitter does not hide the manoeuvre
        let reach = ((0.25 / scene.dt_s).round() as usize).max(1);
        self.acceleration = track
            .valid()
            .filter_map(|(frame, state)| {
                let before = track.get(frame.checked_sub(reach)?)?;
                let after = track.get(frame + reach)?;
                let change = after.velocity - before.velocity;
                let along = change.dot(state.pose().forward());
                Some([at(frame), along / (2.0 * reach as f64 * scene.dt_s)])
            })
            .collect();
        let mut turned: Option<(f64, f64)> = None;
        self.heading = track
            .valid()
            .map(|(frame, state)| {
                // unwrapped, so that the curve has no jumps
                let sum = match turned {
                    Some((last, sum)) => sum + angle_between(last, state.heading),
                    None => state.heading,
                };
                turned = Some((state.heading, sum));
                [at(frame), sum.to_degrees()]
            })
            .collect();
    }
}

/// The gap at every frame at which both are there.
fn gaps(scene: &Scene, agent: &Agent) -> Vec<[f64; 2]> {
    let others: Vec<&Arc<Agent>> = match agent.role {
        Role::Ego => scene
            .agents
            .iter()
            .filter(|other| other.id != agent.id)
            .collect(),
        _ => scene.ego().into_iter().collect(),
    };
    let gap = |frame: usize| {
        let own = agent.footprint_at(frame)?;
        let boxes = others.iter().filter_map(|other| other.footprint_at(frame));
        // boxes whose middles lie farther away than one already found are not measured
        boxes.fold(None, |nearest: Option<f64>, other| {
            let apart = own.pose.point.distance(other.pose.point) - own.radius() - other.radius();
            match nearest {
                Some(nearest) if apart >= nearest => Some(nearest),
                _ => Some(nearest.unwrap_or(f64::INFINITY).min(own.distance(&other))),
            }
        })
    };
    let frames = 0..scene.frames;
    frames
        .filter_map(|frame| Some([scene.time_of(frame), gap(frame)?]))
        .collect()
}

/// Each gap over the speed at which it closes, by differences over half a second.
fn closing(gap: &[[f64; 2]], dt_s: f64) -> Vec<[f64; 2]> {
    let reach = ((0.25 / dt_s).round() as usize).max(1);
    (0..gap.len())
        .map(|at| {
            let before = gap[at.saturating_sub(reach)];
            let after = gap[(at + reach).min(gap.len() - 1)];
            let closes = (before[1] - after[1]) / (after[0] - before[0]).max(1e-9);
            let ttc = match closes > 0.0 {
                true => gap[at][1] / closes,
                false => LONGEST_TTC_S,
            };
            [gap[at][0], ttc.min(LONGEST_TTC_S)]
        })
        .collect()
}

/// Shows the inspector.
pub(crate) fn inspector_ui(
    ui: &mut Ui,
    editor: &Editor,
    curves: &mut Curves,
    actions: &mut Vec<Action>,
) {
    let Some(scene) = editor.scene().cloned() else {
        let text = "Open a scene, then select an agent to see its numbers.";
        widgets::empty_state(ui, Icon::Select, "Nothing selected", text, None);
        return;
    };
    let Some(agent) = editor.primary().and_then(|id| scene.agent(id)).cloned() else {
        scene_ui(ui, editor, &scene, actions);
        return;
    };
    widgets::scrolled(ui, "selection", |ui| {
        title(ui, editor, &agent, actions);
        part(ui, &agent, actions);
        at_cursor(ui, editor, &scene, &agent, actions);
        intent(ui, (editor, &scene), &agent, actions);
        widgets::section(ui, "Over time");
        curves.update(&scene, &agent);
        let color = tokens(ui).agent(&agent);
        let gap = match agent.role {
            Role::Ego => "Gap to the nearest",
            _ => "Gap to the ego",
        };
        let plots = [
            ("Speed", "m/s", &curves.speed),
            ("Acceleration", "m/s²", &curves.acceleration),
            ("Heading", "°", &curves.heading),
            (gap, "m", &curves.gap),
            ("Time to contact", "s", &curves.ttc),
        ];
        for (name, unit, points) in plots {
            if points.is_empty() {
                continue;
            }
            plot(ui, (editor, &scene), (name, unit), points, color, actions);
        }
        ui.add_space(12.0);
    });
}

fn scene_ui(ui: &mut Ui, editor: &Editor, scene: &Scene, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    widgets::scrolled(ui, "several", |ui| {
        ui.add_space(10.0);
        ui.add(egui::Label::new(theme::strong(scene.name.clone(), 14.0)).wrap());
        ui.label(theme::small("Nothing selected: the scene as a whole").color(tokens.dim));
        ui.add_space(4.0);
        widgets::row(ui, "Duration", format!("{:.1} s", scene.duration_s()));
        let rate = 1.0 / scene.dt_s;
        widgets::row(ui, "Frames", format!("{} at {rate:.0} Hz", scene.frames));
        widgets::row(ui, "Present", format!("{:.1} s", scene.now_s()));
        widgets::row(ui, "Agents", scene.agents.len().to_string());
        widgets::row(ui, "Lanes", scene.map.lanes().len().to_string());
        widgets::row(ui, "Signals", scene.signals.len().to_string());
        widgets::row(ui, "Edits", scene.edits.len().to_string());
        let words = [("Source", &scene.source), ("Licence", &scene.licence)];
        for (name, text) in words.into_iter().filter(|(_, text)| !text.is_empty()) {
            widgets::section(ui, name);
            ui.add(egui::Label::new(theme::small(text.clone())).wrap());
        }
        lights::list_ui(ui, editor, scene, actions);
        let report = editor.document().map_or(&[][..], |open| &open.report);
        if !report.is_empty() {
            widgets::section(ui, "Notes of the importer");
            for line in report.iter().take(40) {
                ui.add(egui::Label::new(theme::small(line.clone()).color(tokens.dim)).wrap());
            }
        }
        ui.add_space(12.0);
    });
}

fn title(ui: &mut Ui, editor: &Editor, agent: &Agent, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        let (dot, _) = ui.allocate_exact_size(egui::vec2(18.0, 18.0), egui::Sense::hover());
        agents::glyph(ui, dot.center(), agent.kind, tokens.agent(agent));
        // the button first, so that a long name ends before it
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let frame = Command::FrameSelection;
            let shown = widgets::icon_button(ui, Icon::Frame, frame.row().text, &frame.hint());
            if shown.clicked() {
                actions.push(Action::Run(frame));
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                let name = theme::strong(agent.id.to_string(), 14.0);
                ui.add(egui::Label::new(name).truncate());
            });
        });
    });
    let more = editor.selection.len().saturating_sub(1);
    let category = agent.category.as_deref().unwrap_or(agent.kind.word());
    let mut line = format!("{category}, {:.1} × {:.1} m", agent.length, agent.width);
    if more > 0 {
        line.push_str(&format!("   and {more} more selected"));
    }
    ui.label(theme::small(line).color(tokens.dim));
}

fn part(ui: &mut Ui, agent: &Agent, actions: &mut Vec<Action>) {
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        let mut role = agent.role;
        let roles = [
            (Role::Ego, "Ego", "The vehicle whose planner is examined"),
            (Role::Attacker, "Attacker", "Made to meet the ego"),
            (Role::Other, "Other", "Everyone else"),
        ];
        if widgets::segments(ui, &roles, &mut role) {
            commit(
                actions,
                Edit::SetRole {
                    agent: agent.id.clone(),
                    role,
                },
            );
        }
    });
    ui.horizontal(|ui| {
        let mut control = agent.control;
        let controls = [
            (Control::Free, "Free", "The model makes its future"),
            (
                Control::Frozen,
                "Frozen",
                "Its present track stays as it is",
            ),
            (
                Control::Log,
                "Log",
                "The recorded track is restored and kept",
            ),
        ];
        if widgets::segments(ui, &controls, &mut control) {
            let agent = agent.id.clone();
            commit(actions, Edit::SetControl { agent, control });
        }
    });
}

fn commit(actions: &mut Vec<Action>, edit: Edit) {
    actions.push(Action::Commit {
        label: None,
        edits: vec![edit],
    });
}

/// How a number field looks and what it allows.
#[derive(Clone, Copy)]
struct Look {
    /// Change per point of dragging.
    speed: f64,
    decimals: usize,
    range: [f64; 2],
    prefix: &'static str,
    suffix: &'static str,
}

/// A coordinate, m.
const PLACE: Look = Look {
    speed: 0.05,
    decimals: 2,
    range: [-1e7, 1e7],
    prefix: "",
    suffix: " m",
};

/// A heading, degrees.
const HEADING: Look = Look {
    speed: 0.3,
    decimals: 1,
    range: [-360.0, 360.0],
    prefix: "",
    suffix: "°",
};

/// A speed, m/s.
const SPEED: Look = Look {
    speed: 0.05,
    decimals: 1,
    range: [0.0, 45.0],
    prefix: "",
    suffix: " m/s",
};

/// A length or width, m.
const SIZE: Look = Look {
    speed: 0.02,
    decimals: 1,
    range: [0.1, 40.0],
    prefix: "",
    suffix: " m",
};

/// A goal's tolerance, m.
const WITHIN: Look = Look {
    speed: 0.02,
    decimals: 1,
    range: [0.2, 30.0],
    prefix: "within ",
    suffix: " m",
};

/// A scene time within the model's horizon, s.
fn clock(scene: &Scene) -> Look {
    Look {
        speed: 0.05,
        decimals: 1,
        range: [scene.now_s() + 0.5, tools::latest_s(scene)],
        prefix: "at ",
        suffix: " s",
    }
}

/// A number field that shows its edit while it is dragged and commits it at the end, unless Escape ended it or the number is
/// what it was.
fn number(
    ui: &mut Ui,
    name: &str,
    value: f64,
    look: Look,
    actions: &mut Vec<Action>,
    edit: impl FnOnce(f64) -> Edit,
) {
    let before = value;
    let mut value = value;
    let field = egui::DragValue::new(&mut value)
        .update_while_editing(false)
        .speed(look.speed)
        .fixed_decimals(look.decimals)
        .range(look.range[0]..=look.range[1])
        .clamp_existing_to_range(false) // what nobody touched stays as it is
        .prefix(look.prefix)
        .suffix(look.suffix);
    let response = ui.add(field).accessible_name(name.to_owned());
    // while it is dragged the value is that of the preview
    let id = response.id.with("before the drag");
    if response.drag_started() {
        ui.data_mut(|data| data.insert_temp(id, before));
    }
    if response.drag_stopped() {
        let before = ui.data_mut(|data| data.remove_temp::<f64>(id));
        let escaped = ui.input(|input| input.key_pressed(egui::Key::Escape));
        if escaped || before == Some(value) {
            actions.push(Action::DropPreview);
        } else {
            commit(actions, edit(value));
        }
    } else if response.changed() && !response.dragged() {
        commit(actions, edit(value));
    } else if response.changed() {
        actions.push(Action::Preview(vec![edit(value)]));
    }
}

fn at_cursor(
    ui: &mut Ui,
    editor: &Editor,
    scene: &Scene,
    agent: &Agent,
    actions: &mut Vec<Action>,
) {
    let present = editor.frame() == Some(scene.now) && !editor.playing;
    let when = if present {
        "At the present"
    } else {
        "At the cursor"
    };
    widgets::section(ui, when);
    let Some(state) = agent.track.sample(scene.frame_at(editor.time_s)) else {
        let text = match agent.track.span() {
            Some((first, last)) => format!(
                "Not in the scene here; it is from {:.1} s to {:.1} s.",
                scene.time_of(first),
                scene.time_of(last)
            ),
            None => "Never in the scene.".to_owned(),
        };
        ui.label(theme::small(text).color(tokens(ui).dim));
        return;
    };
    if !present {
        let place = format!("{:.2}, {:.2} m", state.position.x, state.position.y);
        widgets::row(ui, "Place", place);
        widgets::row(ui, "Heading", format!("{:.1}°", state.heading.to_degrees()));
        let speed = state.speed();
        let text = format!("{speed:.2} m/s   {:.0} km/h", speed * 3.6);
        widgets::row(ui, "Speed", text);
        return;
    }
    pose_fields(ui, agent, &state, actions);
}

/// Place, heading, speed and size as fields.
fn pose_fields(ui: &mut Ui, agent: &Agent, state: &State, actions: &mut Vec<Action>) {
    let at = state.position;
    let move_to = |x: f64, y: f64, heading: f64, speed: Option<f64>| Edit::Move {
        agent: agent.id.clone(),
        point: [x, y],
        heading,
        speed,
    };
    let resize = |length: f64, width: f64| Edit::Resize {
        agent: agent.id.clone(),
        length,
        width,
    };
    let dim = tokens(ui).dim;
    let grid = egui::Grid::new("pose").num_columns(2).spacing([8.0, 5.0]);
    grid.show(ui, |ui| {
        ui.label(egui::RichText::new("Place").color(dim));
        ui.horizontal(|ui| {
            number(ui, "X", at.x, PLACE, actions, |x| {
                move_to(x, at.y, state.heading, None)
            });
            number(ui, "Y", at.y, PLACE, actions, |y| {
                move_to(at.x, y, state.heading, None)
            });
        });
        ui.end_row();
        ui.label(egui::RichText::new("Heading").color(dim));
        let heading = state.heading.to_degrees();
        number(ui, "Heading", heading, HEADING, actions, |heading| {
            move_to(at.x, at.y, heading.to_radians(), None)
        });
        ui.end_row();
        ui.label(egui::RichText::new("Speed").color(dim));
        number(ui, "Speed", state.speed(), SPEED, actions, |speed| {
            move_to(at.x, at.y, state.heading, Some(speed))
        });
        ui.end_row();
        ui.label(egui::RichText::new("Size").color(dim));
        ui.horizontal(|ui| {
            number(ui, "Length", agent.length, SIZE, actions, |length| {
                resize(length, agent.width)
            });
            number(ui, "Width", agent.width, SIZE, actions, |width| {
                resize(agent.length, width)
            });
        });
        ui.end_row();
    });
}

fn intent(
    ui: &mut Ui,
    (editor, scene): (&Editor, &Arc<Scene>),
    agent: &Agent,
    actions: &mut Vec<Action>,
) {
    match scene.goal_of(&agent.id) {
        Some(goal) => goal_ui(ui, scene, goal, actions),
        None => {
            widgets::section(ui, "Goal");
            ui.horizontal(|ui| {
                let text = theme::small("None.").color(tokens(ui).dim);
                ui.label(text);
                if widgets::small_button(ui, "Set on the map").clicked() {
                    actions.push(Action::Run(Command::GoalTool));
                }
            });
        }
    }
    if let Some(attack) = scene.attack_by(&agent.id) {
        attack_ui(ui, scene, attack, actions);
        if !editor.previewing() {
            reasons::impossible_ui(ui, scene, &agent.id);
        }
    } else if agent.role != Role::Ego
        && let Some(ego) = scene.ego()
    {
        widgets::section(ui, "Attack");
        ui.horizontal(|ui| {
            ui.label(theme::small("None.").color(tokens(ui).dim));
            if widgets::small_button(ui, "Meet the ego").clicked() {
                let time_s = scene.now_s() + 3.0;
                commit(actions, tools::attack(scene, &agent.id, &ego.id, time_s));
                actions.push(Action::Run(Command::AttackTool));
            }
        });
    }
}

fn goal_ui(ui: &mut Ui, scene: &Scene, goal: &Goal, actions: &mut Vec<Action>) {
    widgets::section(ui, "Goal");
    let set = |goal: Goal| Edit::SetGoal { goal };
    ui.horizontal(|ui| {
        number(
            ui,
            "Goal time",
            goal.time_s,
            clock(scene),
            actions,
            |time_s| {
                set(Goal {
                    time_s: tools::on_grid(scene, time_s),
                    ..goal.clone()
                })
            },
        );
        let tolerance_m = goal.tolerance_m;
        number(
            ui,
            "Goal tolerance",
            tolerance_m,
            WITHIN,
            actions,
            |tolerance_m| {
                set(Goal {
                    tolerance_m,
                    ..goal.clone()
                })
            },
        );
    });
    ui.horizontal(|ui| {
        let mut hard = goal.hard;
        let choices = [
            (true, "Hard", "The model must be there: the token is known"),
            (
                false,
                "Soft",
                "The model should be there: the token is a hint",
            ),
        ];
        if widgets::segments(ui, &choices, &mut hard) {
            commit(
                actions,
                set(Goal {
                    hard,
                    ..goal.clone()
                }),
            );
        }
        let mut aimed = goal.heading.is_some();
        if ui.checkbox(&mut aimed, "Heading").changed() {
            let heading = aimed.then(|| lane_heading(scene, goal));
            commit(
                actions,
                set(Goal {
                    heading,
                    ..goal.clone()
                }),
            );
        }
        if widgets::small_button(ui, "Clear").clicked() {
            let agent = goal.agent.clone();
            commit(actions, Edit::ClearGoal { agent });
        }
    });
    reasons::finding_ui(ui, scene, goal);
}

fn lane_heading(scene: &Scene, goal: &Goal) -> f64 {
    let at = crate::geometry::dvec2(goal.point[0], goal.point[1]);
    let near = scene.map.lanes_near(at, 5.0);
    near.first().map_or(0.0, |hit| hit.pose.heading)
}

fn attack_ui(ui: &mut Ui, scene: &Scene, attack: &Attack, actions: &mut Vec<Action>) {
    widgets::section(ui, "Attack");
    ui.horizontal(|ui| {
        let mut target: AgentId = attack.target.clone();
        let shown = egui::ComboBox::from_id_salt("target")
            .width(110.0)
            .selected_text(target.to_string())
            .show_ui(ui, |ui| {
                for agent in scene.agents.iter().filter(|a| a.id != attack.attacker) {
                    ui.selectable_value(&mut target, agent.id.clone(), agent.id.to_string());
                }
            });
        shown.response.accessible_name("Target of the attack");
        if target != attack.target {
            let edit = tools::attack(scene, &attack.attacker, &target, attack.time_s);
            commit(actions, edit);
        }
        number(
            ui,
            "Contact time",
            attack.time_s,
            clock(scene),
            actions,
            |time_s| tools::attack(scene, &attack.attacker, &attack.target, time_s),
        );
        if widgets::small_button(ui, "Stop").clicked() {
            let agent = attack.attacker.clone();
            commit(actions, Edit::ClearAttack { agent });
        }
    });
}

fn plot(
    ui: &mut Ui,
    (editor, scene): (&Editor, &Scene),
    (name, unit): (&str, &str),
    points: &[[f64; 2]],
    color: egui::Color32,
    actions: &mut Vec<Action>,
) {
    let tokens = tokens(ui);
    let here = points
        .iter()
        .min_by(|a, b| {
            let away = |point: &[f64; 2]| (point[0] - editor.time_s).abs();
            away(a).total_cmp(&away(b))
        })
        .filter(|point| (point[0] - editor.time_s).abs() <= scene.dt_s);
    let value = here.map_or_else(|| "–".to_owned(), |point| format!("{:.2} {unit}", point[1]));
    widgets::row(ui, name, value);
    let (now, cursor) = (scene.now_s(), editor.time_s);
    let shown = Plot::new(("plot", name))
        .height(74.0)
        .show_axes([false, true])
        .y_axis_min_width(28.0)
        .show_background(false)
        .grid_color(tokens.faint.gamma_multiply(0.45))
        .grid_fade(0.5)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .show_x(false)
        .show_y(false)
        .include_x(0.0)
        .include_x(scene.duration_s())
        .include_y(0.0)
        .set_margin_fraction(egui::vec2(0.01, 0.12))
        .show(ui, |plot| {
            plot.vline(
                VLine::new("present", now)
                    .color(tokens.line_strong)
                    .width(1.0),
            );
            let curve = PlotPoints::from(points.to_vec());
            plot.line(Line::new(name, curve).color(color).width(1.6));
            plot.vline(VLine::new("cursor", cursor).color(tokens.accent).width(1.4));
            let pressed = plot.response().is_pointer_button_down_on();
            pressed.then(|| plot.pointer_coordinate()).flatten()
        });
    let label = format!("{name} over time");
    shown
        .response
        .widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &label));
    if let Some(at) = shown.inner {
        actions.push(Action::Seek((at.x / scene.dt_s).round() * scene.dt_s));
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    use super::*;
    use crate::geometry::Pose;
    use crate::scene::AgentKind;
    use crate::scene::Track;

    #[test]
    fn a_number_let_go_where_it_was_or_by_escape_is_no_step_of_the_history() {
        // the number on screen and the wishes; what is shown while it is dragged is what it holds next
        let field = |ui: &mut Ui, (length, said): &mut (f64, Vec<Action>)| {
            let resize = |length| Edit::Resize {
                agent: AgentId::new("car"),
                length,
                width: 2.0,
            };
            number(ui, "Length", *length, SIZE, said, resize);
            if let Some(Action::Preview(edits)) = said.last()
                && let [Edit::Resize { length: shown, .. }] = edits.as_slice()
            {
                *length = *shown;
            }
        };
        let ends = |by: f32, key: Option<egui::Key>| {
            let mut bench = Harness::new_ui_state(field, (4.0, Vec::new()));
            let from = bench.get_by_label("Length").rect().center();
            bench.hover_at(from);
            bench.step();
            bench.drag_at(from);
            bench.step();
            bench.hover_at(from + egui::vec2(by, 0.0));
            // longer than a click
            bench.run_steps(60);
            key.into_iter().for_each(|key| bench.key_press(key));
            bench.run_steps(2);
            bench.drop_at(from + egui::vec2(by, 0.0));
            bench.run_steps(2);
            let said = &bench.state().1;
            let is_step = |action: &&Action| matches!(action, Action::Commit { .. });
            let last = matches!(said.last(), Some(Action::DropPreview));
            (said.iter().filter(is_step).count(), last)
        };
        assert_eq!(ends(50.0, None), (1, false));
        assert_eq!(ends(50.0, Some(egui::Key::Escape)), (0, true));
        assert_eq!(ends(0.0, None), (0, true));
    }

    #[test]
    fn the_gap_is_that_of_the_boxes_and_its_time_that_at_which_it_closes() {
        // the ego stands at x = 0; the car comes from 30 m at 10 m/s; both are 4.7 m long: 30 - 4.7 = 25.3 m
        let track = |start: f64, step: f64| {
            let states = (0..11).map(|frame| {
                let pose = Pose::at(start + step * f64::from(frame), 0.0, 0.0);
                Some(State::along(pose, 0.0))
            });
            Track::new(states.collect())
        };
        let mut ego = Agent::new("ego", AgentKind::Vehicle, track(0.0, 0.0));
        ego.role = Role::Ego;
        let car = Agent::new("car", AgentKind::Vehicle, track(30.0, -1.0));
        let scene = Arc::new(Scene {
            dt_s: 0.1,
            frames: 11,
            agents: vec![Arc::new(ego), Arc::new(car)],
            ..Scene::default()
        });
        let mut curves = Curves::default();
        for agent in &scene.agents {
            // the nearest to the ego is the car, so both have the same gap
            curves.update(&scene, agent);
            assert!((curves.gap[0][1] - 25.3).abs() < 1e-9);
            assert!((curves.gap[10][1] - 15.3).abs() < 1e-9);
            assert!((curves.ttc[5][1] - 2.03).abs() < 1e-9); // 20.3 m at 10 m/s
        }
        // a gap that does not close has no time: the most that is shown
        assert_eq!(
            closing(&[[0.0, 5.0], [1.0, 5.0]], 1.0)[1],
            [1.0, LONGEST_TTC_S]
        );
    }
}
