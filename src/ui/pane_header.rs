//! The line over a pane: what it shows, how that was made, and how two sources are compared.

use egui::Rect;
use egui::Ui;
use egui::vec2;

use super::action::Action;
use super::action::Command;
use super::compare::Distinction;
use super::compare::Mode;
use super::icons;
use super::icons::Icon;
use super::pilot::Score;
use super::sources::Source;
use super::sources::View;
use super::sources::schedule_word;
use super::theme;
use super::theme::tokens;
use super::variants::Variant;
use super::widgets;
use crate::diffusion::Schedule;
use crate::scene::ScheduleKind;

/// A plate of controls in `place`; the part of it that is used.
fn plate(
    ui: &mut Ui,
    (name, pane): (&str, usize),
    place: Rect,
    content: impl FnOnce(&mut Ui),
) -> Rect {
    let tokens = tokens(ui);
    let builder = egui::UiBuilder::new().id_salt((name, pane)).max_rect(place);
    let shown = ui.scope_builder(builder, |ui| {
        egui::Frame::new()
            .fill(tokens.panel.gamma_multiply(0.92))
            .stroke(egui::Stroke::new(1.0, tokens.line))
            .corner_radius(7.0)
            .inner_margin(egui::Margin::symmetric(4, 2))
            .show(ui, |ui| {
                ui.horizontal(|ui| {
                    ui.spacing_mut().item_spacing.x = 3.0;
                    content(ui);
                });
            })
            .response
            .rect
    });
    shown.inner
}

/// The source of a pane as a menu, with what it holds; for runs of the pane's own their seed and schedule.
pub(super) fn source_ui(
    ui: &mut Ui,
    place: Rect,
    (pane, view): (usize, &View),
    (source, variant): (&mut Source, &mut Variant),
    distinction: Option<Distinction>,
) -> Rect {
    let number = pane + 1;
    plate(ui, ("pane header", pane), place, |ui| {
        let text = theme::strong(source.word(), 12.0);
        let button = egui::Button::new(text).frame(false);
        let (shown, _) = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
            for choice in Source::ALL {
                let button = egui::Button::selectable(*source == choice, choice.word());
                let name = format!("{} in pane {number}", choice.word());
                let item = ui.add(button).accessible_name(name);
                if item.on_hover_text(choice.explain()).clicked() {
                    *source = choice;
                    ui.close();
                }
            }
        });
        shown
            .accessible_name(format!("Source of pane {number}"))
            .on_hover_text(source.explain());
        let arrow = ui
            .allocate_exact_size(vec2(10.0, 18.0), egui::Sense::hover())
            .0;
        icons::paint_sized(
            ui.painter(),
            arrow.center(),
            9.0,
            Icon::Down,
            tokens(ui).faint,
        );
        if *source == Source::Generated {
            variant_ui(ui, number, variant);
        }
        if let Some(found) = distinction {
            distinction_ui(ui, &found);
        }
        if *source != Source::Generated && !view.title.is_empty() && place.width() > 250.0 {
            let text = theme::small(view.title.clone()).color(tokens(ui).dim);
            ui.add(egui::Label::new(text).truncate());
        }
    })
}

/// The planner's score on the scene; a click leads to the moment that decides it, and to why.
pub(super) fn score_ui(ui: &mut Ui, place: Rect, score: &Score, actions: &mut Vec<Action>) -> Rect {
    plate(ui, ("planner score", 0), place, |ui| {
        let color = Score::color(score.total, tokens(ui));
        let text = theme::small(format!("Planner {:.2}", score.total)).color(color);
        let button = egui::Button::new(text).frame(false);
        let name = format!("Planner score {:.2}", score.total);
        let tip = format!("{}\nClick for all terms", score.reason);
        if ui
            .add(button)
            .accessible_name(name)
            .on_hover_text(tip)
            .clicked()
        {
            actions.push(Action::Run(Command::PlannerPanel));
            actions.extend(score.time_s.map(Action::Seek));
        }
    })
}

fn distinction_ui(ui: &mut Ui, found: &Distinction) {
    let tokens = tokens(ui);
    if found.same_noise {
        widgets::chip(ui, "same noise", tokens.good)
            .on_hover_text("Made from the same noise draw as the first: differences are not luck");
    }
    let (text, color) = match (found.items.len(), found.several()) {
        _ if found.to_log => return,
        (0, _) => return,
        (1, _) => ("1 difference".to_owned(), tokens.dim),
        (count, true) => (format!("{count} differences"), tokens.warn),
        (..) => return,
    };
    widgets::chip(ui, &text, color).on_hover_text(found.sentence());
}

fn variant_ui(ui: &mut Ui, number: usize, variant: &mut Variant) {
    let seed = egui::DragValue::new(&mut variant.seed)
        .speed(0.2)
        .prefix("seed ");
    ui.add_sized(vec2(62.0, 20.0), seed)
        .accessible_name(format!("Seed of pane {number}"));
    let text = theme::small(format!(
        "{} {}",
        schedule_word(variant.schedule),
        variant.steps
    ));
    let shown = ui.menu_button(text, |ui| {
        for kind in [
            ScheduleKind::Full,
            ScheduleKind::Pyramidal,
            ScheduleKind::Trapezoidal,
            ScheduleKind::Autoregressive,
        ] {
            let chosen = variant.schedule == kind;
            let steps = Schedule::paper_steps(kind);
            let text = format!("{}, {steps} steps", schedule_word(kind));
            if ui.selectable_label(chosen, text).clicked() {
                (variant.schedule, variant.steps) = (kind, steps);
                ui.close();
            }
        }
        let steps = egui::DragValue::new(&mut variant.steps)
            .range(1..=512)
            .suffix(" steps");
        ui.add(steps)
            .accessible_name(format!("Steps of pane {number}"));
    });
    shown
        .response
        .accessible_name(format!("Schedule of pane {number}"));
}

/// How the first two sources are shown, and whether the panes share a camera.
pub(super) fn compare_ui(
    ui: &mut Ui,
    place: Rect,
    mode: &mut Mode,
    linked: bool,
    actions: &mut Vec<Action>,
) {
    plate(ui, ("compare", 0), place, |ui| {
        let narrow = place.width() < 330.0;
        for (choice, name, tip) in Mode::ALL {
            let word = if narrow && *mode != choice {
                name.split(' ').next().unwrap_or(name)
            } else {
                name
            };
            let button = egui::Button::selectable(*mode == choice, theme::small(word));
            let shown = ui.add(button).accessible_name(name);
            if shown.on_hover_text(tip).clicked() {
                *mode = choice;
            }
        }
        if *mode == Mode::Side {
            let tip = Command::LinkPanes.hint();
            if widgets::row_icon(ui, Icon::Link, "Link panes", &tip, linked).clicked() {
                actions.push(Action::Run(Command::LinkPanes));
            }
        }
    });
}
