//! The sheet of the trial: cases by planners, and what came of each drive.

use egui::Color32;
use egui::Ui;
use egui::vec2;

use super::encounters::in_words;
use super::planner::WORLDS;
use crate::planner::Decoder;
use crate::planner::DriveOutcome;
use crate::planner::Report;
use crate::planner::Variant;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::editor::Editor;
use crate::ui::lab::Lab;
use crate::ui::lab::sweep::SweepAction;
use crate::ui::pilot::Planning;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::trial::Cases;
use crate::ui::trial::Cell;
use crate::ui::trial::Sheet;
use crate::ui::trial::Trial;
use crate::ui::trial::TrialAction;
use crate::ui::widgets;

/// Least and greatest width of the column of names, points.
const NAMES: [f32; 2] = [230.0, 420.0];
/// Least and greatest width of a planner's column, points.
const COLUMNS: [f32; 2] = [112.0, 176.0];
/// In less room a drive's score is left out, points.
const WITH_SCORE: f32 = 108.0;

/// Shows the sheet.
pub(crate) fn trial_ui(
    context: &egui::Context,
    (editor, lab): (&Editor, &Lab),
    (planning, trial): (&Planning, &Trial),
    actions: &mut Vec<Action>,
) {
    let tall = context.content_rect().height() - 330.0;
    let closed = widgets::sheet(context, "trial", "Try planners", |ui| {
        let text = "Each planner drives the ego of each case from the present on. A click on what came of it shows the drive.";
        ui.label(theme::small(text).color(tokens(ui).dim));
        ui.add_space(6.0);
        settings_ui(ui, (editor, lab), (planning, trial), actions);
        ui.add_space(8.0);
        if let Some(sheet) = &trial.sheet {
            sheet_ui(ui, sheet, tall, actions);
            ui.add_space(6.0);
            let swept = lab.sweep.sheet.as_ref();
            let swept = swept.is_some_and(|swept| swept.is_tried(sheet));
            footer_ui(ui, sheet, swept, actions);
        }
    });
    if closed {
        push(actions, TrialAction::Close);
    }
}

fn settings_ui(
    ui: &mut Ui,
    (editor, lab): (&Editor, &Lab),
    (planning, trial): (&Planning, &Trial),
    actions: &mut Vec<Action>,
) {
    let (kept, swept) = (lab.tray.cases().len(), lab.sweep.count_valid());
    let cases = trial.cases_of(kept, swept);
    ui.horizontal(|ui| {
        word(ui, 64.0, "Cases", false);
        let (tray, sweep) = (format!("Tray ({kept})"), format!("Sweep ({swept})"));
        let mut choices = vec![
            (Cases::Tray, &*tray, "Every case of the tray"),
            (Cases::Scene, "This scene", "The scene on screen"),
        ];
        if swept > 0 {
            let tip = "What the last sweep made that passes every gate";
            choices.push((Cases::Sweep, &*sweep, tip));
        }
        let mut wanted = cases;
        if widgets::segments(ui, &choices, &mut wanted) {
            push(actions, TrialAction::Cases(wanted));
        }
        if kept == 0 && cases == Cases::Scene {
            let text = theme::small("K keeps cases in the tray").color(tokens(ui).faint);
            ui.label(text);
        }
    });
    ui.horizontal_top(|ui| {
        word(ui, 64.0, "Planners", false);
        ui.horizontal_wrapped(|ui| {
            for decoder in Decoder::ALL {
                let lacks = planning.lacks(decoder);
                let takes_part = lacks.is_none() && trial.planners.contains(&decoder);
                let button = egui::Button::selectable(takes_part, decoder.label());
                let response = ui.add_enabled(lacks.is_none(), button);
                let response = response.on_disabled_hover_text(lacks.unwrap_or_default());
                if response.clicked() {
                    push(actions, TrialAction::Planner(decoder, !takes_part));
                }
            }
        });
    });
    ui.horizontal(|ui| {
        word(ui, 64.0, "Others", false);
        let mut world = trial.world;
        if widgets::segments(ui, &WORLDS, &mut world) {
            push(actions, TrialAction::World(world));
        }
        let mut seconds = trial.seconds;
        let field = egui::DragValue::new(&mut seconds)
            .range(1.0..=60.0)
            .speed(0.1)
            .suffix(" s");
        if ui
            .add(field)
            .accessible_name("Seconds of each drive")
            .changed()
        {
            push(actions, TrialAction::Seconds(seconds));
        }
        ui.add_space(8.0);
        let able = trial
            .planners
            .iter()
            .filter(|decoder| planning.lacks(**decoder).is_none());
        let count = match cases {
            Cases::Tray => kept,
            Cases::Sweep => swept,
            Cases::Scene => 1,
        } * able.count();
        if trial.runs() {
            if ui.button("Stop").clicked() {
                push(actions, TrialAction::Stop);
            }
        } else {
            let ready = count > 0 && editor.document().is_some();
            let text = match count {
                1 => "Drive once".to_owned(),
                _ => format!("Drive {count} times"),
            };
            if ui
                .add_enabled_ui(ready, |ui| widgets::primary(ui, &text))
                .inner
                .clicked()
            {
                push(actions, TrialAction::Start);
            }
            let tip = "Make the drives that the stop left, as they were asked for";
            if trial.is_left() && ui.button("Go on").on_hover_text(tip).clicked() {
                push(actions, TrialAction::GoOn);
            }
            if editor.document().is_none() {
                let text = theme::small("Open a scene first").color(tokens(ui).faint);
                ui.label(text);
            }
        }
        if let Some((done, all)) = trial.sheet.as_ref().map(Sheet::progress)
            && trial.runs()
        {
            widgets::progress(ui, done, all);
        }
    });
}

fn sheet_ui(ui: &mut Ui, sheet: &Sheet, tall: f32, actions: &mut Vec<Action>) {
    let gap = 4.0;
    let planners = sheet.planners.len().max(1) as f32;
    let names = ui.available_width() - planners * (COLUMNS[1] + gap);
    let names = names.clamp(NAMES[0], NAMES[1]);
    let each = (ui.available_width() - names) / planners - gap;
    let width = each.clamp(COLUMNS[0], COLUMNS[1]);
    let scroll = egui::ScrollArea::both().max_height(tall.max(120.0));
    scroll.auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(gap, 3.0);
        let heads = sheet
            .planners
            .iter()
            .map(|decoder| decoder.label().to_owned());
        let mut kept = Kept::new(ui, (names, width, gap), heads.collect());
        ui.horizontal(|ui| {
            word(ui, names, "", false);
            for decoder in &sheet.planners {
                word(ui, width, decoder.label(), true);
            }
        });
        for (case, (name, _)) in sheet.cases.iter().enumerate() {
            kept.row(ui, name);
            ui.horizontal(|ui| {
                word(ui, names, name, false);
                for planner in 0..sheet.planners.len() {
                    cell_ui(ui, sheet, (case, planner, width), actions);
                }
            });
        }
        ui.add_space(4.0);
        for (what, of) in SUMS {
            let sums = (0..sheet.planners.len()).map(|planner| of(sheet, planner));
            let sums: Vec<Option<String>> = sums.collect();
            if sums.iter().all(Option::is_none) {
                continue;
            }
            kept.row(ui, what);
            ui.horizontal(|ui| {
                word(ui, names, what, false);
                for sum in sums {
                    word(ui, width, sum.as_deref().unwrap_or("·"), true);
                }
            });
        }
        kept.show(ui);
    });
}

/// The names of a sheet's columns and rows, which stay in view when it is scrolled.
pub(super) struct Kept {
    /// Where the row of the columns' names lies.
    corner: egui::Pos2,
    /// Width of the rows' names and of a column, and what lies between, points.
    widths: (f32, f32, f32),
    heads: Vec<String>,
    rows: Vec<(f32, String)>,
}

impl Kept {
    /// Of a sheet whose columns' names come next.
    pub(super) fn new(ui: &Ui, widths: (f32, f32, f32), heads: Vec<String>) -> Self {
        Self {
            corner: ui.cursor().min,
            widths,
            heads,
            rows: Vec::new(),
        }
    }

    /// The row that comes next.
    pub(super) fn row(&mut self, ui: &Ui, name: &str) {
        let y = ui.cursor().top();
        if ui.clip_rect().y_range().contains(y) {
            self.rows.push((y, name.to_owned()));
        }
    }

    /// Paints over what was scrolled to their places.
    pub(super) fn show(&self, ui: &Ui) {
        let (names, width, gap) = self.widths;
        let (seen, painter, tokens) = (ui.clip_rect(), ui.painter(), tokens(ui));
        let fill = ui.visuals().window_fill;
        let text = |text: &str, place: egui::Rect, middle: bool| {
            let font = egui::FontId::proportional(11.5);
            let text = widgets::one_line(painter, place.width(), text, font, tokens.dim);
            let at = match middle {
                true => place.center() - text.size() / 2.0,
                false => egui::pos2(place.left(), place.center().y - text.size().y / 2.0),
            };
            painter.galley(at, text, tokens.dim);
        };
        let (down, across) = (seen.top() > self.corner.y, seen.left() > self.corner.x);
        if across {
            let size = vec2(names + gap, seen.height());
            painter.rect_filled(egui::Rect::from_min_size(seen.min, size), 0.0, fill);
            for (y, name) in &self.rows {
                let at = egui::pos2(seen.left(), *y);
                let place = egui::Rect::from_min_size(at, vec2(names, HEAD));
                text(name, place, false);
            }
        }
        if down {
            let size = vec2(seen.width(), HEAD);
            painter.rect_filled(egui::Rect::from_min_size(seen.min, size), 0.0, fill);
            for (at, head) in self.heads.iter().enumerate() {
                let x = self.corner.x + names + gap + (width + gap) * at as f32;
                let place = egui::Rect::from_min_size(egui::pos2(x, seen.top()), vec2(width, HEAD));
                if !across || x >= seen.left() + names {
                    text(head, place, true);
                }
            }
        }
    }
}

/// Height of a row of names, points.
const HEAD: f32 = 22.0;

/// What stands under a planner's column; `None` where there is nothing to say.
type Sum = fn(&Sheet, usize) -> Option<String>;

const SUMS: [(&str, Sum); 4] = [
    ("At fault", |sheet, planner| {
        counted(sheet, planner, Report::at_fault)
    }),
    ("Touched by anybody", |sheet, planner| {
        counted(sheet, planner, Report::collided)
    }),
    ("Off the road", |sheet, planner| {
        counted(sheet, planner, |report| report.off_road_s.is_some())
    }),
    ("Mean score", |sheet, planner| {
        let scores = sheet
            .reports(planner)
            .filter_map(|report| report.score.as_ref());
        let (sum, count) = scores.fold((0.0, 0_u32), |(sum, count), score| {
            (sum + score.total, count + 1)
        });
        (count > 0).then(|| format!("{:.2}", sum / f64::from(count)))
    }),
];

fn counted(sheet: &Sheet, planner: usize, hit: fn(&Report) -> bool) -> Option<String> {
    let all = sheet.reports(planner).count();
    let some = sheet.reports(planner).filter(|report| hit(report)).count();
    (all > 0).then(|| format!("{some} of {all}"))
}

/// A word in a column: in its middle, or at its left.
pub(super) fn word(ui: &mut Ui, width: f32, text: &str, middle: bool) {
    let text = theme::small(text).color(tokens(ui).dim);
    let layout = match middle {
        true => egui::Layout::centered_and_justified(egui::Direction::LeftToRight),
        false => egui::Layout::left_to_right(egui::Align::Center),
    };
    ui.allocate_ui_with_layout(vec2(width, 22.0), layout, |ui| {
        ui.set_width(width);
        ui.add(egui::Label::new(text).truncate());
    });
}

fn cell_ui(
    ui: &mut Ui,
    sheet: &Sheet,
    (case, planner, width): (usize, usize, f32),
    actions: &mut Vec<Action>,
) {
    let name = format!(
        "{}, {}",
        sheet.cases[case].0,
        sheet.planners[planner].label()
    );
    if drive_ui(ui, sheet.cell(case, planner), &name, width).clicked()
        && matches!(sheet.cell(case, planner), Cell::Driven(..))
    {
        push(actions, TrialAction::Show(case, planner));
    }
}

/// A drive as a button in the colour of what came of it.
pub(super) fn drive_ui(ui: &mut Ui, cell: &Cell, name: &str, width: f32) -> egui::Response {
    let tip = match cell {
        Cell::Waiting => "Not driven".to_owned(),
        Cell::Driving(..) => "Driving".to_owned(),
        Cell::Failed(why) => why.clone(),
        Cell::Driven(driven, _) => told(&driven.report),
    };
    let (text, color) = drive_look(ui, cell, width);
    let shown = result_ui(ui, &text, color, width);
    shown
        .on_hover_text(tip)
        .accessible_name(format!("{name}: {text}"))
}

/// What came of a drive in a few words, the score with them where there is room, and their colour.
pub(super) fn drive_look(ui: &Ui, cell: &Cell, width: f32) -> (String, Color32) {
    let tokens = tokens(ui);
    match cell {
        Cell::Waiting => ("·".to_owned(), tokens.faint),
        Cell::Driving(done_s, total_s) => (format!("{done_s:.1} of {total_s:.0} s"), tokens.dim),
        Cell::Failed(_) => ("failed".to_owned(), tokens.bad),
        Cell::Driven(driven, _) => {
            let report = &driven.report;
            let outcome = report.outcome();
            let (word, at_s) = outcome.words();
            let when = at_s.map_or(String::new(), |at_s| format!(" {at_s:.1} s"));
            let score = report.score.as_ref().filter(|_| width > WITH_SCORE);
            let score = score.map_or(String::new(), |score| format!("   {:.2}", score.total));
            let color = match outcome {
                DriveOutcome::Clear if report.is_worthless() => tokens.warn,
                DriveOutcome::Clear => tokens.good,
                DriveOutcome::Touched(_) => tokens.warn,
                DriveOutcome::AtFault(_) | DriveOutcome::OffRoad(_) => tokens.bad,
            };
            (format!("{word}{when}{score}"), color)
        }
    }
}

/// A result as a button in its colour.
pub(super) fn result_ui(ui: &mut Ui, text: &str, color: Color32, width: f32) -> egui::Response {
    let label = egui::RichText::new(text).size(11.5).color(color);
    let button = egui::Button::new(label)
        .fill(color.gamma_multiply(0.14))
        .stroke(egui::Stroke::NONE)
        .truncate();
    ui.add_sized(vec2(width, 22.0), button)
}

/// What came of a drive, in some lines.
fn told(report: &Report) -> String {
    let mut lines: Vec<String> = report
        .contacts
        .iter()
        .map(|touch| {
            format!(
                "{:.1} s: {} {:.1} m/s to each other.",
                touch.time_s, touch.reason, touch.closing_mps
            )
        })
        .collect();
    if let Some(near) = report.encounters.first().filter(|_| !report.collided()) {
        lines.push(format!("Nearest {}", in_words(near, 0.0)));
    }
    if let Some(time_s) = report.off_road_s {
        lines.push(format!("Leaves the road at {time_s:.1} s"));
    }
    lines.push(match report.logged_m {
        Some(logged) => format!("{:.0} m; the log {logged:.0} m", report.progress_m),
        None => format!("{:.0} m", report.progress_m),
    });
    if !report.comfortable() {
        lines.push("Uncomfortable".to_owned());
    }
    if let Some(score) = &report.score {
        lines.push(format!(
            "{} {:.3}: {}",
            score.variant.label(),
            score.total,
            score.arithmetic
        ));
        lines.extend(
            score
                .zeros()
                .map(|term| format!("0 for {}: {}", term.kind.label(), term.reason)),
        );
    }
    lines.join("\n")
}

fn footer_ui(ui: &mut Ui, sheet: &Sheet, swept: bool, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let some = sheet.progress().0 > 0;
        let button = egui::Button::new("Copy as table");
        let tip = "A line a drive, for a spreadsheet";
        if ui.add_enabled(some, button).on_hover_text(tip).clicked() {
            ui.ctx().copy_text(sheet.table());
            actions.push(Action::Notify(copied()));
        }
        let tip = "What each planner's drives came to, by the values of the sweep";
        if swept
            && ui
                .button("In the sweep\u{2026}")
                .on_hover_text(tip)
                .clicked()
        {
            actions.push(Action::Run(Command::Sweep));
            let first = sheet.planners.first().copied();
            actions.push(Action::Sweep(SweepAction::By(first)));
        }
        let world = WORLDS.iter().find(|(world, ..)| *world == sheet.world);
        let others = world.map_or("", |(_, name, _)| name);
        let mut text =
            format!("Others: {others}. Seconds after the start. Hit: touched without fault.");
        let mut reports = (0..sheet.planners.len()).flat_map(|planner| sheet.reports(planner));
        if reports.any(|report| report.score.is_some()) {
            text.push_str(&format!(" Beside: {} score.", Variant::NuPlan.label()));
        }
        ui.label(theme::small(text).color(tokens(ui).faint));
    });
}

/// Says that a table was copied.
pub(super) fn copied() -> Notice {
    Notice::new(Weight::Info, "The table is on the clipboard")
}

fn push(actions: &mut Vec<Action>, wish: TrialAction) {
    actions.push(Action::Trial(wish));
}
