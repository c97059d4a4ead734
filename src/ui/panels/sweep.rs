//! The sheet of the sweep: what is swept along rows and columns, and what came of each combination of values.

use std::sync::Arc;

use egui::Ui;
use egui::vec2;

use super::trial::Kept;
use super::trial::copied;
use super::trial::drive_look;
use super::trial::drive_ui;
use super::trial::result_ui;
use super::trial::word;
use crate::generator::Known;
use crate::generator::MOST_POINTS;
use crate::generator::Parameter;
use crate::page::gate_word;
use crate::planner::DriveOutcome;
use crate::planner::Report;
use crate::scene::Scene;
use crate::ui::action::Action;
use crate::ui::editor::Editor;
use crate::ui::lab::Lab;
use crate::ui::lab::sweep::Cell;
use crate::ui::lab::sweep::Sheet;
use crate::ui::lab::sweep::Side;
use crate::ui::lab::sweep::SweepAction;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::trial;
use crate::ui::trial::Cases;
use crate::ui::trial::Trial;
use crate::ui::trial::TrialAction;
use crate::ui::widgets;

/// Width of the column of values, points.
const VALUES: f32 = 76.0;
/// Least and greatest width of the other columns, points.
const COLUMNS: [f32; 2] = [66.0, 176.0];
/// Height of a cell, points.
const CELL: f32 = 22.0;
/// Width of the words before the fields, points.
const WORDS: f32 = 64.0;

/// Shows the sheet.
pub(crate) fn sweep_ui(
    context: &egui::Context,
    (editor, lab): (&Editor, &Lab),
    trial: &Trial,
    actions: &mut Vec<Action>,
) {
    let tall = context.content_rect().height() - 330.0;
    let closed = widgets::sheet(context, "sweep", "Sweep", |ui| {
        let base = lab.swept_scene(editor);
        let name = base.as_ref().map_or("The scene", |scene| &*scene.name);
        let text = format!(
            "{name} is made once for each value. Unless seeds are swept it is made from the same noise, and who is not swept, attacks \
             nobody and meets nobody who does stays as it is. A click on a result shows it."
        );
        ui.add(egui::Label::new(theme::small(text).color(tokens(ui).dim)).wrap());
        ui.add_space(6.0);
        let Some(scene) = base.as_deref() else {
            ui.label(theme::small("Open a scene first").color(tokens(ui).faint));
            return;
        };
        let choices = Parameter::all(scene, &editor.selection);
        for side in 0..2 {
            let other = lab.sweep.sides[1 - side].as_ref();
            let is_free = |it: &&Parameter| other.is_none_or(|other| other.parameter != **it);
            let choices: Vec<Parameter> = choices.iter().filter(is_free).cloned().collect();
            let chosen = lab.sweep.sides[side].as_ref();
            side_ui(ui, (side, chosen), (scene, &choices), actions);
        }
        go_ui(ui, lab, trial, actions);
        ui.add_space(8.0);
        if let Some(sheet) = &lab.sweep.sheet {
            by_ui(ui, lab, trial, actions);
            sheet_ui(ui, (lab, sheet), trial, tall.max(120.0), actions);
            ui.add_space(6.0);
            let by = lab.sweep.by_of(trial);
            footer_ui(ui, sheet, (by, lab.sweep.tried(trial)), actions);
        }
    });
    if closed {
        push(actions, SweepAction::Close);
    }
}

fn side_ui(
    ui: &mut Ui,
    (side, chosen): (usize, Option<&Side>),
    (scene, choices): (&Scene, &[Parameter]),
    actions: &mut Vec<Action>,
) {
    let name = if side == 0 { "Rows" } else { "Columns" };
    ui.horizontal(|ui| {
        word(ui, WORDS, name, false);
        let text = chosen.map_or("nothing".to_owned(), |side| side.parameter.to_string());
        let combo = egui::ComboBox::from_id_salt(("sweep", side)).width(210.0);
        let shown = combo.selected_text(text).show_ui(ui, |ui| {
            if ui.selectable_label(chosen.is_none(), "nothing").clicked() {
                push(actions, SweepAction::Choose(side, None));
            }
            for parameter in choices {
                let is_it = chosen.is_some_and(|side| side.parameter == *parameter);
                if ui.selectable_label(is_it, parameter.to_string()).clicked() {
                    push(actions, SweepAction::Choose(side, Some(parameter.clone())));
                }
            }
        });
        let _unused = shown
            .response
            .accessible_name(format!("{name} of the sweep"));
        let Some(Side {
            parameter,
            ends,
            count,
        }) = chosen
        else {
            return;
        };
        let [least, most] = parameter.limits(scene).unwrap_or(*ends);
        let (mut ends, mut count, unit) = (*ends, *count, parameter.quantity.unit());
        let mut changed = false;
        for (end, word) in ends.iter_mut().zip(["from", "to"]) {
            ui.label(theme::small(word).color(tokens(ui).dim));
            let field = egui::DragValue::new(end)
                .range(least..=most)
                .speed(0.05)
                .max_decimals(if unit.is_empty() { 0 } else { 3 })
                .suffix(format!(" {unit}"));
            let field = ui.add(field);
            changed |= field.accessible_name(format!("{name} {word}")).changed();
        }
        ui.label(theme::small("in").color(tokens(ui).dim));
        let field = egui::DragValue::new(&mut count).range(1..=60).speed(0.05);
        let field = ui.add(field);
        changed |= field.accessible_name(format!("Values of {name}")).changed();
        ui.label(theme::small("values").color(tokens(ui).dim));
        if changed {
            push(actions, SweepAction::Range(side, ends, count));
        }
    });
}

fn go_ui(ui: &mut Ui, lab: &Lab, trial: &Trial, actions: &mut Vec<Action>) {
    let sweep = &lab.sweep;
    ui.horizontal(|ui| {
        word(ui, WORDS, "", false);
        if sweep.runs() {
            if ui.button("Stop").clicked() {
                push(actions, SweepAction::Stop);
            }
            if let Some((done, all)) = sweep.sheet.as_ref().map(Sheet::progress) {
                widgets::progress(ui, done, all);
            }
            return;
        }
        let count = sweep.count();
        let ready = lab.ready() && (1..=MOST_POINTS).contains(&count);
        let text = match count {
            1 => "Make it once".to_owned(),
            _ => format!("Make it {count} times"),
        };
        let go = ui.add_enabled_ui(ready, |ui| widgets::primary(ui, &text));
        if go.inner.clicked() {
            push(actions, SweepAction::Start);
        }
        let tip = "Make what the stop left, as it was asked for";
        if sweep.is_left() && ui.button("Go on").on_hover_text(tip).clicked() {
            push(actions, SweepAction::GoOn);
        }
        if sweep.sheet.is_some() && !sweep.is_left() {
            refine_ui(ui, lab, trial, actions);
        }
        let why = match (lab.ready(), count) {
            (false, _) => lab.unready(),
            (true, 0) => "Choose what is swept".to_owned(),
            (true, count) if count > MOST_POINTS => format!("At most {MOST_POINTS}"),
            _ => String::new(),
        };
        ui.label(theme::small(why).color(tokens(ui).faint));
    });
}

/// Offers to look more closely where results turn.
fn refine_ui(ui: &mut Ui, lab: &Lab, trial: &Trial, actions: &mut Vec<Action>) {
    let by = lab.sweep.by_of(trial);
    let free = lab.ready() && !(by.is_some() && trial.runs());
    let tip = match by {
        Some((tried, planner)) => format!(
            "Values halfway between neighbours of which {} came to something else, or could not be given one to drive: what \
             lies there is made, and the planners drive it. Again, and the edge is known twice as well",
            tried.planners[planner].label()
        ),
        None => "Values halfway between neighbours of which one is valid and one is not, or cannot be: what lies there is \
                 made. Again, and the edge is known twice as well"
            .to_owned(),
    };
    let button = ui.add_enabled(free, egui::Button::new("Refine"));
    let button = button.on_hover_text(&tip);
    let busy = match lab.ready() {
        true => "The planners are still driving".to_owned(),
        false => lab.unready(),
    };
    if button.on_disabled_hover_text(busy).clicked() {
        push(actions, SweepAction::Refine);
    }
}

/// By what the sheet is coloured: the gates, or a planner that has driven some of it.
fn by_ui(ui: &mut Ui, lab: &Lab, trial: &Trial, actions: &mut Vec<Action>) {
    let Some(tried) = lab.sweep.tried(trial) else {
        return;
    };
    let mut choices = vec![(None, "Gates", "What fails")];
    for decoder in &tried.planners {
        choices.push((Some(*decoder), decoder.label(), "What its drives came to"));
    }
    let mut by = lab.sweep.by.filter(|by| tried.planners.contains(by));
    if widgets::segments(ui, &choices, &mut by) {
        push(actions, SweepAction::By(by));
    }
    ui.add_space(4.0);
}

fn sheet_ui(
    ui: &mut Ui,
    (lab, sheet): (&Lab, &Sheet),
    trial: &Trial,
    tall: f32,
    actions: &mut Vec<Action>,
) {
    let axes = &sheet.sweep.axes;
    let (Some(rows), columns) = (axes.first(), axes.get(1)) else {
        return;
    };
    let by = lab.sweep.by_of(trial);
    let near = nearest(ui.ctx(), sheet, by);
    let across = columns.map_or(1, |columns| columns.values.len());
    let gap = 4.0;
    let width = (ui.available_width() - VALUES) / across.max(1) as f32 - gap;
    let width = width.floor().clamp(COLUMNS[0], COLUMNS[1]);
    let scroll = egui::ScrollArea::both().max_height(tall);
    scroll.auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(gap, 3.0);
        let corner = match columns {
            Some(columns) => format!(
                "{} \u{2193}  {} \u{2192}",
                rows.parameter, columns.parameter
            ),
            None => rows.parameter.to_string(),
        };
        ui.label(theme::small(corner).color(tokens(ui).dim));
        let heads = columns.map(|columns| (0..across).map(|at| columns.value_text(at)).collect());
        let mut kept = Kept::new(ui, (VALUES, width, gap), heads.unwrap_or_default());
        if let Some(columns) = columns {
            ui.horizontal(|ui| {
                word(ui, VALUES, "", false);
                for at in 0..across {
                    word(ui, width, &columns.value_text(at), true);
                }
            });
        }
        let whole = vec2(VALUES + (gap + width) * across as f32, CELL);
        for row in 0..rows.values.len() {
            let place = egui::Rect::from_min_size(ui.cursor().min, whole);
            if !ui.is_rect_visible(place) {
                ui.allocate_space(whole);
                continue;
            }
            kept.row(ui, &rows.value_text(row));
            ui.horizontal(|ui| {
                word(ui, VALUES, &rows.value_text(row), false);
                for column in 0..across {
                    let number = row * across + column;
                    cell_ui(ui, sheet, (number, near[number]), (by, width), actions);
                }
            });
        }
        if columns.is_some() {
            kept.show(ui);
        }
    });
}

/// By whose drives the sheet is coloured, and how wide a cell is.
type Look<'a> = (Option<(&'a trial::Sheet, usize)>, f32);

fn cell_ui(
    ui: &mut Ui,
    sheet: &Sheet,
    (number, near): (usize, Option<usize>),
    (by, width): Look<'_>,
    actions: &mut Vec<Action>,
) {
    let name = sheet.sweep.name(number);
    let scene = match &sheet.cells[number] {
        Cell::Made(scene) => scene,
        Cell::Waiting => {
            let shown = result_ui(ui, "\u{b7}", tokens(ui).faint, width);
            shown.on_hover_text("Not made");
            return;
        }
        Cell::Left => {
            let (word, why) = match near {
                Some(_) => ("left out", "what is known around it came to the same"),
                None => (
                    "not made",
                    "what is known around it did not come to the same",
                ),
            };
            let near = near.and_then(|near| cell_look(ui, &sheet.cells[near], (by, width)));
            let color = near.map_or(tokens(ui).faint, |(_, color)| color);
            let shown = result_ui(ui, "", color.gamma_multiply(0.7), width);
            let tip = format!("Not made by the refinement: {why}. A click makes it");
            let shown = shown.on_hover_text(format!("{name}\n{tip}"));
            if shown.accessible_name(format!("{name}: {word}")).clicked() {
                push(actions, SweepAction::Make(number));
            }
            return;
        }
        Cell::Failed(why) => {
            let shown = result_ui(ui, "no way", tokens(ui).faint, width);
            let shown = shown.on_hover_text(format!("{name}\n{why}"));
            shown.accessible_name(format!("{name}: no way"));
            return;
        }
    };
    if let Some((tried, planner)) = by
        && let Some(case) = tried.case_of(scene)
    {
        let cell = tried.cell(case, planner);
        let shown = drive_ui(ui, cell, &name, width);
        if shown.clicked() && matches!(cell, trial::Cell::Driven(..)) {
            actions.push(Action::Trial(TrialAction::Show(case, planner)));
        }
        return;
    }
    let Some((text, color)) = cell_look(ui, &sheet.cells[number], (by, width)) else {
        return;
    };
    let reasons = scene.generated.iter().flat_map(|made| made.failed());
    let reasons: String = reasons.map(|gate| format!("\n{}", gate.reason)).collect();
    let shown = result_ui(ui, &text, color, width).on_hover_text(format!("{name}{reasons}"));
    if shown.accessible_name(format!("{name}: {text}")).clicked() {
        push(actions, SweepAction::Show(number));
    }
}

/// What was made, in a word and a colour: what its drive came to, or what fails. Beside drives what fails is no result of
/// the planner, and has no colour of its own.
fn cell_look(ui: &Ui, cell: &Cell, (by, width): Look<'_>) -> Option<(String, egui::Color32)> {
    let Cell::Made(scene) = cell else {
        return None;
    };
    let driven = by.and_then(|(tried, planner)| Some(tried.cell(tried.case_of(scene)?, planner)));
    if let Some(driven) = driven {
        return Some(drive_look(ui, driven, width));
    }
    let color = match (scene.is_valid(), scene.failed_gates().is_empty()) {
        (true, _) => tokens(ui).good,
        (false, false) => tokens(ui).bad,
        (false, true) => tokens(ui).warn,
    };
    let color = if by.is_some() {
        tokens(ui).faint
    } else {
        color
    };
    Some((gate_word(scene), color))
}

/// What the nearest were worked out of, results and number of columns, and they.
type Nearest = (Vec<Known>, usize, Arc<Vec<Option<usize>>>);

/// For each combination the nearest whose result is known, if some were left out; worked out when results change.
fn nearest(
    context: &egui::Context,
    sheet: &Sheet,
    by: Option<(&trial::Sheet, usize)>,
) -> Arc<Vec<Option<usize>>> {
    if !sheet.cells.iter().any(|cell| matches!(cell, Cell::Left)) {
        return Arc::new(vec![None; sheet.cells.len()]);
    }
    let known = sheet.known(by);
    let id = widgets::id("nearest in the sweep");
    let before = context.data(|data| data.get_temp::<Nearest>(id));
    let across = sheet.sweep.axes.last().map_or(0, |axis| axis.values.len());
    if let Some((.., nearest)) =
        before.filter(|(of, columns, _)| *columns == across && *of == known)
    {
        return nearest;
    }
    let results: Vec<_> = known.iter().map(|known| known.result()).collect();
    let nearest = Arc::new(sheet.sweep.enclosed(&results));
    context.data_mut(|data| data.insert_temp::<Nearest>(id, (known, across, nearest.clone())));
    nearest
}

fn footer_ui(
    ui: &mut Ui,
    sheet: &Sheet,
    (by, tried): (Option<(&trial::Sheet, usize)>, Option<&trial::Sheet>),
    actions: &mut Vec<Action>,
) {
    let made = sheet.scenes().count();
    let valid = sheet.scenes().filter(|scene| scene.is_valid()).count();
    ui.horizontal(|ui| {
        ui.add_enabled_ui(valid > 0, |ui| {
            let text = format!("Keep the {valid} valid");
            let tip = "Put all that pass every gate into the tray";
            if ui.button(text).on_hover_text(tip).clicked() {
                push(actions, SweepAction::Keep);
            }
            let tip = "Let planners drive all that pass every gate; the sheet is then coloured by what came of it, if you like";
            if ui.button("Try planners\u{2026}").on_hover_text(tip).clicked() {
                actions.push(Action::Trial(TrialAction::Open(Some(Cases::Sweep))));
            }
        });
        let button = egui::Button::new("Copy as table");
        let tip = "A line a combination, with what planners made of it where they drove, for a spreadsheet";
        if ui.add_enabled(made > 0, button).on_hover_text(tip).clicked() {
            ui.ctx().copy_text(sheet.table(tried));
            actions.push(Action::Notify(copied()));
        }
        let tip = "The command line that makes the same, one file a case";
        if ui.button("Copy command line").on_hover_text(tip).clicked() {
            push(actions, SweepAction::Copy);
        }
        let (_, all) = sheet.progress();
        let text = match by {
            Some((tried, planner)) => {
                let summed = summed(tried, planner);
                format!("{summed}; times are seconds after the start")
            }
            None => format!("{made} of {all} made, {valid} pass every gate"),
        };
        ui.label(theme::small(text).color(tokens(ui).faint));
    });
}

/// What a planner's drives came to, in all.
fn summed(tried: &trial::Sheet, planner: usize) -> String {
    let reports: Vec<&Report> = tried.reports(planner).collect();
    let count = |is: fn(&Report) -> bool| reports.iter().filter(|report| is(report)).count();
    let clear: fn(&Report) -> bool = |report| matches!(report.outcome(), DriveOutcome::Clear);
    let worthless = |report: &&&Report| clear(report) && report.is_worthless();
    let worthless = reports.iter().filter(worthless).count();
    let of_them = match worthless {
        0 => String::new(),
        some => format!(" ({some} of score 0)"),
    };
    format!(
        "{} driven: {} clear{of_them}, {} touched, {} of them at fault, {} off the road",
        reports.len(),
        count(clear),
        count(Report::collided),
        count(Report::at_fault),
        count(|report| report.off_road_s.is_some())
    )
}

fn push(actions: &mut Vec<Action>, wish: SweepAction) {
    actions.push(Action::Sweep(wish));
}
