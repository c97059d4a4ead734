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
use super::panels::compare::letter;
use super::pilot::PaneAnswer;
use super::pilot::PilotAction;
use super::pilot::Score;
use super::sources::Source;
use super::sources::View;
use super::theme;
use super::theme::tokens;
use super::variants::Variant;
use super::widgets;
use crate::diffusion::Schedule;
use crate::planner::Decoder;
use crate::scene::Scene;
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

/// What a pane shows, to be chosen.
pub(super) struct Shown<'a> {
    /// The scene.
    pub source: &'a mut Source,
    /// Seed and schedule of a run of its own.
    pub variant: &'a mut Variant,
    /// A planner of its own.
    pub planner: &'a mut Option<Decoder>,
    /// It is one of several, which are called by letters.
    pub lettered: bool,
}

/// The source of a pane as a menu, with what it holds; for runs of the pane's own their seed and schedule.
pub(super) fn source_ui(
    ui: &mut Ui,
    place: Rect,
    (pane, view): (usize, &View),
    of: Shown<'_>,
    distinction: Option<Distinction>,
    actions: &mut Vec<Action>,
) -> Rect {
    let number = pane + 1;
    let Shown {
        source,
        variant,
        planner,
        lettered,
    } = of;
    plate(ui, ("pane header", pane), place, |ui| {
        if lettered {
            let letter = theme::strong(letter(pane).to_string(), 12.0);
            let shown = ui.label(letter.color(tokens(ui).faint));
            shown.on_hover_text("What this pane is called where panes are compared");
        }
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
            ui.separator();
            planner_ui(ui, number, (*source, planner), actions);
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
        if *source != Source::Generated && !view.title.is_empty() && place.width() > 200.0 {
            let text = theme::small(view.title.clone()).color(tokens(ui).dim);
            ui.add(egui::Label::new(text).truncate());
        }
    })
}

/// The planner of a pane's own as entries of its menu. To choose one lets the planners plan along.
fn planner_ui(
    ui: &mut Ui,
    number: usize,
    (source, planner): (Source, &mut Option<Decoder>),
    actions: &mut Vec<Action>,
) {
    let none = match source {
        Source::Scene => "Planner as in the panel",
        _ => "No planner",
    };
    let choices = Decoder::ALL.map(|decoder| (Some(decoder), decoder.label()));
    for (choice, word) in std::iter::once((None, none)).chain(choices) {
        let button = egui::Button::selectable(*planner == choice, word);
        let name = format!("{word} in pane {number}");
        let tip = match choice {
            Some(_) => {
                "This pane's ego is planned by this planner, beside those of the other panes"
            }
            None => "No planner of this pane's own",
        };
        if ui
            .add(button)
            .accessible_name(name)
            .on_hover_text(tip)
            .clicked()
        {
            *planner = choice;
            if choice.is_some() {
                actions.push(Action::Pilot(PilotAction::On(true)));
            }
            ui.close();
        }
    }
}

/// What a planner scores in a pane.
pub(super) struct Chip {
    /// The pane.
    pane: usize,
    /// The planner's name, and a short one where there is little room.
    name: &'static str,
    short: Option<&'static str>,
    /// What follows the name.
    said: String,
    color: egui::Color32,
    tip: String,
    /// Scene time that decides the score, s.
    time_s: Option<f64>,
    /// It is the planner of the panel, which tells all terms.
    of_panel: bool,
}

/// The first contact that a scene aims at, s, if the score ends before and finds nothing wrong up to there.
fn later(score: &Score, scene: Option<&Scene>) -> Option<f64> {
    let times = scene?.attacks.iter().map(|attack| attack.time_s);
    let first = times.min_by(f64::total_cmp)?;
    (first > score.until_s && score.total >= Score::GOOD).then_some(first)
}

impl Chip {
    /// Of the planner of the pane's own, `decoder`, or of the panel's; `None` while that has no score. Its name is short
    /// where it would be wider than `width` points. If a contact of `scene` lies later than what is scored, that is said.
    pub(super) fn of(
        ui: &Ui,
        pane: usize,
        (decoder, answer): (Option<Decoder>, &PaneAnswer),
        scene: Option<&Scene>,
        width: f32,
    ) -> Option<Self> {
        let tokens = tokens(ui);
        let (said, color, tip) = match (&answer.problem, &answer.score) {
            (Some(problem), _) => (": no plan".to_owned(), tokens.bad, problem.clone()),
            (None, Some(score)) => (
                match later(score, scene) {
                    Some(_) => format!(" {:.2} up to {:.1} s", score.total, score.until_s),
                    None => format!(" {:.2}", score.total),
                },
                Score::color(score.total, tokens),
                match later(score, scene) {
                    Some(contact_s) => format!(
                        "{}\nThe contact aimed at lies later, at {contact_s:.1} s: move the cursor nearer to it",
                        score.reason
                    ),
                    None => score.reason.clone(),
                },
            ),
            (None, None) if decoder.is_none() => return None,
            (None, None) => (" …".to_owned(), tokens.dim, "Planning".to_owned()),
        };
        let mut chip = Self {
            pane,
            name: decoder.map_or("Planner", Decoder::label),
            short: None,
            said,
            color,
            tip,
            time_s: answer.score.as_ref().and_then(|score| score.time_s),
            of_panel: decoder.is_none(),
        };
        if chip.width(ui) > width {
            chip.short = decoder.map(Decoder::key);
        }
        Some(chip)
    }

    fn text(&self) -> String {
        format!("{}{}", self.short.unwrap_or(self.name), self.said)
    }

    /// The width it takes, points.
    pub(super) fn width(&self, ui: &Ui) -> f32 {
        let font = egui::TextStyle::Small.resolve(ui.style());
        let text = ui.painter().layout_no_wrap(self.text(), font, self.color);
        text.size().x + 14.0
    }

    /// Shows it; a click leads to the moment that decides the score, and for the panel's planner to all terms.
    pub(super) fn show(self, ui: &mut Ui, place: Rect, actions: &mut Vec<Action>) -> Rect {
        plate(ui, ("planner score", self.pane), place, |ui| {
            let text = theme::small(self.text()).color(self.color);
            let button = egui::Button::new(text).frame(false);
            let Self {
                name, said, tip, ..
            } = &self;
            let tip = match self.short {
                Some(_) => format!("{name}{said}\n{tip}"),
                None => tip.clone(),
            };
            let (name, tip) = match self.of_panel {
                true => (
                    format!("Planner score{said}"),
                    format!("{tip}\nClick for all terms"),
                ),
                false => (format!("{name}{said} in pane {}", self.pane + 1), tip),
            };
            let shown = ui.add(button).accessible_name(name).on_hover_text(tip);
            if shown.clicked() {
                if self.of_panel {
                    actions.push(Action::Run(Command::PlannerPanel));
                }
                let there = |time_s: f64| Action::Pilot(PilotAction::GoTo(time_s));
                actions.extend(self.time_s.map(there));
            }
        })
    }
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
    let text = theme::small(format!("{} {}", variant.schedule.word(), variant.steps));
    let shown = ui.menu_button(text, |ui| {
        for kind in [
            ScheduleKind::Full,
            ScheduleKind::Pyramidal,
            ScheduleKind::Trapezoidal,
            ScheduleKind::Autoregressive,
        ] {
            let chosen = variant.schedule == kind;
            let steps = Schedule::paper_steps(kind);
            let text = format!("{}, {steps} steps", kind.word());
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
