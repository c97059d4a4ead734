//! The bar at the top: file, history, tools, layout, theme.

use egui::Ui;
use egui::vec2;

use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::action::Group;
use crate::ui::action::ROWS;
use crate::ui::editor::Editor;
use crate::ui::icons;
use crate::ui::icons::Icon;
use crate::ui::panes::Panes;
use crate::ui::panes::menu_item;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::tools::Body;
use crate::ui::tools::Tool;
use crate::ui::widgets;

const TOOLS: [(Tool, Icon, Command); 6] = [
    (Tool::Select, Icon::Select, Command::SelectTool),
    (Tool::Goal, Icon::Goal, Command::GoalTool),
    (Tool::Attack, Icon::Attack, Command::AttackTool),
    (Tool::Sketch, Icon::Sketch, Command::SketchTool),
    (Tool::Add, Icon::Add, Command::AddTool),
    (Tool::Measure, Icon::Measure, Command::MeasureTool),
];

/// Notes of the importer shown under the pointer.
const HINTED: usize = 8;

/// Shows the bar.
pub(crate) fn top_ui(
    ui: &mut Ui,
    editor: &Editor,
    panes: &Panes,
    dark: bool,
    actions: &mut Vec<Action>,
) {
    let tokens = tokens(ui);
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        menu(ui, actions);
        divider(ui);
        let open = editor.document();
        command(ui, Icon::Open, Command::Open, false, true, actions);
        command(
            ui,
            Icon::Save,
            Command::Save,
            false,
            open.is_some(),
            actions,
        );
        divider(ui);
        let can = |possible: fn(&crate::scene::History) -> bool| {
            open.is_some_and(|open| possible(&open.history))
        };
        let undo = can(crate::scene::History::can_undo);
        let redo = can(crate::scene::History::can_redo);
        command(ui, Icon::Undo, Command::Undo, false, undo, actions);
        command(ui, Icon::Redo, Command::Redo, false, redo, actions);
        divider(ui);
        for (tool, icon, run) in TOOLS {
            let chosen = editor.tool == tool && open.is_some();
            command(ui, icon, run, chosen, open.is_some(), actions);
        }
        if editor.tool == Tool::Add && open.is_some() {
            bodies_ui(ui, editor.body, actions);
        }
        divider(ui);
        if let Some(open) = open {
            let scene = open.history.scene();
            let room = (ui.available_width() - 210.0).max(40.0);
            ui.allocate_ui(vec2(room, 26.0), |ui| {
                ui.horizontal_centered(|ui| {
                    let name = if scene.name.is_empty() {
                        &open.origin
                    } else {
                        &scene.name
                    };
                    // a long name leaves room for what follows it
                    let name_room = (room - 110.0).max(40.0);
                    ui.allocate_ui(vec2(name_room, 26.0), |ui| {
                        let text = theme::strong(name.clone(), 13.0);
                        ui.add(egui::Label::new(text).truncate())
                            .on_hover_text(&open.origin);
                    });
                    if open.modified() {
                        let (dot, response) =
                            ui.allocate_exact_size(vec2(12.0, 12.0), egui::Sense::hover());
                        ui.painter().circle_filled(dot.center(), 3.5, tokens.warn);
                        response.on_hover_text("There are changes that are not saved");
                    }
                    if !open.report.is_empty() {
                        ui.add_space(6.0);
                        notes(ui, &open.report, actions);
                    }
                });
            });
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            command(ui, Icon::Help, Command::Help, false, true, actions);
            let theme = if dark { Icon::Sun } else { Icon::Moon };
            command(ui, theme, Command::Theme, false, true, actions);
            command(ui, Icon::Search, Command::Palette, false, true, actions);
            divider(ui);
            let layouts = [
                (4, Icon::Four, Command::FourPanes),
                (2, Icon::Two, Command::TwoPanes),
                (1, Icon::One, Command::OnePane),
            ];
            for (count, icon, run) in layouts {
                let chosen = panes.count == count && open.is_some();
                command(ui, icon, run, chosen, open.is_some(), actions);
            }
            divider(ui);
        });
    });
}

/// How much the importer has to say, and where it says it.
fn notes(ui: &mut Ui, report: &[String], actions: &mut Vec<Action>) {
    let text = match report.len() {
        1 => "1 note".to_owned(),
        count => format!("{count} notes"),
    };
    let run = Command::ImportNotes;
    let mut hint: Vec<String> = report.iter().take(HINTED).cloned().collect();
    if report.len() > HINTED {
        hint.push(format!("and {} more", report.len() - HINTED));
    }
    let shown = widgets::small_button(ui, &text).accessible_name(run.row().text);
    if shown.on_hover_text(hint.join("\n")).clicked() {
        actions.push(Action::Run(run));
    }
}

fn menu(ui: &mut Ui, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    let mark = ui
        .allocate_exact_size(vec2(24.0, 24.0), egui::Sense::hover())
        .0;
    logo(ui, mark);
    let button = egui::Button::new(theme::strong("Nearmiss", 13.0)).frame(false);
    let shown = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        for group in Group::ALL {
            ui.menu_button(group.title(), |ui| {
                ui.set_min_width(210.0);
                for row in ROWS.iter().filter(|row| row.group == group) {
                    menu_item(ui, row.command, actions);
                }
            });
        }
    });
    shown.0.accessible_name("Main menu");
    let arrow = ui
        .allocate_exact_size(vec2(12.0, 24.0), egui::Sense::hover())
        .0;
    icons::paint_sized(ui.painter(), arrow.center(), 9.0, Icon::Down, tokens.faint);
}

/// Two paths that almost meet.
fn logo(ui: &Ui, rect: egui::Rect) {
    let tokens = tokens(ui);
    let at = |x: f32, y: f32| rect.min + vec2(x, y) * rect.width() / 24.0;
    let painter = ui.painter();
    let curve = |from: (f32, f32), over: (f32, f32), to: (f32, f32), color| {
        let points = [at(from.0, from.1), at(over.0, over.1), at(to.0, to.1)];
        let stroke = egui::Stroke::new(2.6, color);
        painter.add(egui::epaint::QuadraticBezierShape::from_points_stroke(
            points,
            false,
            egui::Color32::TRANSPARENT,
            stroke,
        ));
    };
    curve((4.0, 20.0), (10.0, 12.5), (4.5, 4.0), tokens.ego);
    curve((20.0, 20.0), (12.5, 12.0), (19.5, 4.0), tokens.attacker);
    painter.circle_filled(at(12.0, 12.0), 1.7, tokens.accent);
}

fn command(
    ui: &mut Ui,
    icon: Icon,
    command: Command,
    chosen: bool,
    enabled: bool,
    actions: &mut Vec<Action>,
) {
    let row = command.row();
    let shown = widgets::icon_toggle(ui, icon, row.text, &command.hint(), chosen, enabled);
    if shown.clicked() {
        actions.push(Action::Run(command));
    }
}

/// What the tool for it adds.
fn bodies_ui(ui: &mut Ui, body: Body, actions: &mut Vec<Action>) {
    ui.add_space(4.0);
    let combo = egui::ComboBox::from_id_salt("what is added").width(96.0);
    let shown = combo.selected_text(body.label()).show_ui(ui, |ui| {
        for other in Body::ALL {
            let shown = ui.selectable_label(other == body, other.label());
            if shown.clicked() {
                actions.push(Action::Run(other.command()));
            }
        }
    });
    let _unused = shown.response.accessible_name("What is added");
}

fn divider(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(vec2(11.0, 20.0), egui::Sense::hover());
    let line = egui::Stroke::new(1.0, tokens(ui).line_strong);
    ui.painter().vline(rect.center().x, rect.y_range(), line);
}
