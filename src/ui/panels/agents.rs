//! The list of agents: type, part, who decides their future, visibility.

use egui::FontId;
use egui::Role as Semantic;
use egui::Sense;
use egui::Ui;
use egui::WidgetInfo;
use egui::vec2;

use crate::scene::Agent;
use crate::scene::AgentKind;
use crate::scene::Control;
use crate::scene::Edit;
use crate::scene::Role;
use crate::scene::Scene;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::editor::Editor;
use crate::ui::icons;
use crate::ui::icons::Icon;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// Shows the list. `filter` is what the user typed above it.
pub(crate) fn agents_ui(
    ui: &mut Ui,
    editor: &Editor,
    filter: &mut String,
    actions: &mut Vec<Action>,
) {
    let Some(scene) = editor.scene() else {
        widgets::empty_state(
            ui,
            Icon::Add,
            "No scene",
            "The agents of the open scene are listed here.",
            None,
        );
        return;
    };
    if scene.agents.is_empty() {
        let text = "No agents in this file. Add one with the Add tool, key A.";
        let pressed = widgets::empty_state(ui, Icon::Add, "No agents", text, Some("Add an agent"));
        if pressed {
            actions.push(Action::Run(Command::AddTool));
        }
        return;
    }
    ui.add_space(8.0);
    ui.label(theme::small(summary(scene)).color(tokens(ui).dim));
    if scene.agents.len() > 12 {
        ui.add(
            egui::TextEdit::singleline(filter)
                .hint_text("Filter by id or type")
                .desired_width(f32::INFINITY),
        )
        .accessible_name("Filter agents");
    } else {
        filter.clear();
    }
    let wanted = filter.to_lowercase();
    let frame = scene.frame_at(editor.time_s);
    let mut rows: Vec<&Agent> = scene
        .agents
        .iter()
        .map(AsRef::as_ref)
        .filter(|agent| wanted.is_empty() || words(agent).contains(&wanted))
        .collect();
    rows.sort_by_key(|agent| match agent.role {
        Role::Ego => 0,
        Role::Attacker => 1,
        Role::Other => 2,
    });
    if rows.is_empty() {
        ui.label(theme::small("No agent matches.").color(tokens(ui).faint));
    }
    egui::ScrollArea::vertical()
        .auto_shrink([false, false])
        .show_rows(ui, 26.0, rows.len(), |ui, range| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for agent in &rows[range] {
                let here = agent.track.sample(frame).is_some();
                row(ui, editor, agent, here, actions);
            }
        });
}

fn words(agent: &Agent) -> String {
    let category = agent.category.as_deref().unwrap_or_default();
    format!("{} {} {category}", agent.id, agent.kind.word()).to_lowercase()
}

fn summary(scene: &Scene) -> String {
    let count = |kind: AgentKind| {
        let agents = scene.agents.iter();
        agents.filter(|agent| agent.kind == kind).count()
    };
    let kinds = [
        (AgentKind::Vehicle, ["vehicle", "vehicles"]),
        (AgentKind::Pedestrian, ["pedestrian", "pedestrians"]),
        (AgentKind::Cyclist, ["cyclist", "cyclists"]),
        (AgentKind::Other, ["other", "other"]),
    ];
    let parts: Vec<String> = kinds
        .iter()
        .map(|(kind, word)| (count(*kind), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, [one, several])| {
            format!("{count} {}", if count == 1 { one } else { several })
        })
        .collect();
    parts.join("  ·  ")
}

/// What its source calls it, without the kind that some put before ("vehicle.car"); else its kind.
fn category(agent: &Agent) -> &str {
    match agent.category.as_deref() {
        Some(category) => category.split_once('.').map_or(category, |(_, rest)| rest),
        None => agent.kind.word(),
    }
}

fn row(ui: &mut Ui, editor: &Editor, agent: &Agent, here: bool, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    let chosen = editor.selection.contains(&agent.id);
    let hidden = editor.hidden.contains(&agent.id);
    let size = vec2(ui.available_width(), 26.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| {
        let name = format!("agent {}", agent.id);
        WidgetInfo::selected(Semantic::ListBoxOption, true, chosen, name)
    });
    if chosen {
        ui.painter().rect_filled(rect, 5.0, tokens.accent_soft);
    } else if response.hovered() {
        ui.painter().rect_filled(rect, 5.0, tokens.hover);
    }
    if response.has_focus() {
        widgets::ring(ui, rect);
    }
    let color = tokens.agent(agent);
    let faded = if here && !hidden { 1.0 } else { 0.4 };
    glyph(
        ui,
        rect.left_center() + vec2(14.0, 0.0),
        agent.kind,
        color.gamma_multiply(faded),
    );
    let text = if here && !hidden {
        tokens.text
    } else {
        tokens.faint
    };
    let font = FontId::new(12.0, egui::FontFamily::Proportional);
    let (part, part_color) = match agent.role {
        Role::Ego => ("ego", color),
        Role::Attacker => ("attacker", color),
        Role::Other => (category(agent), tokens.faint),
    };
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let middle =
        |x: f32, galley: &egui::Galley| egui::pos2(x, rect.center().y - galley.size().y / 2.0);
    let small = FontId::proportional(10.5);
    let part = widgets::one_line(&painter, 92.0, part, small, part_color);
    let right = rect.right() - 48.0 - part.size().x;
    painter.galley(middle(right, &part), part, part_color);
    let left = rect.left() + 28.0;
    let name = widgets::one_line(&painter, right - 8.0 - left, agent.id.as_str(), font, text);
    let cut = name.elided;
    painter.galley(middle(left, &name), name, text);
    let inner = egui::Rect::from_min_max(
        egui::pos2(rect.right() - 44.0, rect.top() + 3.0),
        egui::pos2(rect.right() - 2.0, rect.bottom() - 3.0),
    );
    let builder = egui::UiBuilder::new()
        .id_salt(("agent", agent.id.as_str()))
        .max_rect(inner);
    ui.scope_builder(builder, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 1.0;
            control(ui, agent, actions);
            let (icon, tip) = if hidden {
                (Icon::Hidden, "Show this agent")
            } else {
                (Icon::Eye, "Hide this agent")
            };
            let name = format!("visibility of {}", agent.id);
            if widgets::row_icon(ui, icon, &name, tip, false).clicked() {
                actions.push(Action::ToggleHidden(agent.id.clone()));
            }
        });
    });
    if response.double_clicked() {
        actions.push(Action::Select(vec![agent.id.clone()]));
        actions.push(Action::Run(Command::FrameSelection));
    } else if response.clicked() {
        if ui.input(|input| input.modifiers.shift || input.modifiers.command) {
            actions.push(Action::Toggle(agent.id.clone()));
        } else {
            actions.push(Action::Select(vec![agent.id.clone()]));
        }
    }
    if cut {
        response.on_hover_text(agent.id.as_str());
    }
}

fn control(ui: &mut Ui, agent: &Agent, actions: &mut Vec<Action>) {
    let (icon, next, tip) = match agent.control {
        Control::Free => (
            Icon::Free,
            Control::Frozen,
            "The model makes its future. Click to freeze it.",
        ),
        Control::Frozen => (
            Icon::Lock,
            Control::Log,
            "Frozen: its track stays. Click to return to the log.",
        ),
        Control::Log => (
            Icon::Log,
            Control::Free,
            "Follows the log. Click to free it.",
        ),
    };
    let name = format!("control of {}", agent.id);
    let fixed = agent.control != Control::Free;
    if widgets::row_icon(ui, icon, &name, tip, fixed).clicked() {
        let edit = Edit::SetControl {
            agent: agent.id.clone(),
            control: next,
        };
        actions.push(Action::Commit {
            label: None,
            edits: vec![edit],
        });
    }
}

/// A small sign for a kind of agent.
pub(crate) fn glyph(ui: &Ui, at: egui::Pos2, kind: AgentKind, color: egui::Color32) {
    let painter = ui.painter();
    match kind {
        AgentKind::Vehicle => {
            let body = egui::Rect::from_center_size(at, vec2(13.0, 7.0));
            painter.rect_filled(body, 2.0, color);
        }
        AgentKind::Pedestrian => {
            painter.circle_filled(at, 3.8, color);
        }
        AgentKind::Cyclist => {
            let body = egui::Rect::from_center_size(at, vec2(11.0, 3.4));
            painter.rect_filled(body, 1.7, color);
            painter.circle_filled(at, 2.9, color);
        }
        AgentKind::Other => icons::paint_sized(painter, at, 10.0, Icon::Warning, color),
    }
}
