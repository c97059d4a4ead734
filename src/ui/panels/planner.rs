//! The ego's planner: how it decodes, its modes with their scores, why one is taken, and drives in closed loop.

use std::ops::RangeInclusive;
use std::time::Duration;

use egui::Ui;
use egui::pos2;
use egui::vec2;

use super::encounters::encounters_ui;
use crate::engine::DriveWorld;
use crate::engine::Planned;
use crate::planner::Decoder;
use crate::planner::OWN_EXAMPLE;
use crate::planner::PlanSettings;
use crate::planner::PlannedMode;
use crate::planner::Report;
use crate::planner::STEP_S;
use crate::planner::Scores;
use crate::planner::Series;
use crate::planner::Stage;
use crate::planner::Term;
use crate::planner::TermKind;
use crate::planner::Variant;
use crate::rng::Seed;
use crate::ui::action::Action;
use crate::ui::editor::Editor;
use crate::ui::icons::Icon;
use crate::ui::lab::sentence;
use crate::ui::pilot::PilotAction;
use crate::ui::pilot::Planning;
use crate::ui::pilot::Score;
use crate::ui::pilot::wish;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::widgets;
use crate::ui::widgets::label;

/// Shows the panel.
pub(crate) fn planner_ui(
    ui: &mut Ui,
    editor: &Editor,
    planning: &Planning,
    actions: &mut Vec<Action>,
) {
    if editor.document().is_none() {
        let text = "Open a scene, then let the planner answer it.";
        widgets::empty_state(ui, Icon::Generate, "Nothing to plan", text, None);
        return;
    }
    widgets::scrolled(ui, "planner", |ui| {
        ui.add_space(8.0);
        switch_ui(ui, planning, actions);
        decoder_ui(ui, planning, actions);
        match &planning.problem {
            Some(_) if planning.lacks_own() => {
                let text =
                    "Type the command that starts your planner; it is asked as soon as you have.";
                ui.add(egui::Label::new(theme::small(text).color(tokens(ui).dim)).wrap());
            }
            Some(problem) => banner(ui, tokens(ui).bad, problem),
            None => {}
        }
        if let Some(waiting) = planning.waiting() {
            let text = format!(
                "Your planner has been thinking for {:.1} s",
                waiting.as_secs_f64()
            );
            ui.horizontal(|ui| {
                ui.label(theme::small(text).color(tokens(ui).dim));
                if widgets::small_button(ui, "Cancel").clicked() {
                    wish(actions, PilotAction::Stop);
                }
            });
            ui.ctx().request_repaint_after(Duration::from_millis(100));
        }
        // above what grows and shrinks while a scene plays, so that it stays under the mouse
        drive_ui(ui, planning, actions);
        if let Some(planned) = &planning.planned {
            steps_ui(ui, planned, planning, actions);
            modes_ui(ui, planned, planning, actions);
            why_ui(ui, planned, planning, actions);
        }
        driven_ui(ui, editor, planning, actions);
        ui.add_space(12.0);
    });
}

fn switch_ui(ui: &mut Ui, planning: &Planning, actions: &mut Vec<Action>) {
    let mut on = planning.on;
    let shown = ui.checkbox(&mut on, "Plan along with what is shown");
    let tip = "At the time cursor, every half second from the present on, and after each answer to a drag";
    if shown.on_hover_text(tip).changed() {
        wish(actions, PilotAction::On(on));
    }
    if let Some(planned) = &planning.planned {
        let stays = match planning.is_held() {
            true => "; it stays while the cursor does",
            false => "",
        };
        let text = format!(
            "Plan at {:.1} s, made in {:.0} ms{stays}",
            planned.plan.now_s,
            1e3 * planned.took.as_secs_f64()
        );
        ui.label(theme::small(text).color(tokens(ui).faint));
    }
}

fn decoder_ui(ui: &mut Ui, planning: &Planning, actions: &mut Vec<Action>) {
    widgets::section(ui, "Decoder");
    let before = &planning.settings;
    let mut next = before.clone();
    let shown = egui::ComboBox::from_id_salt("decoder")
        .width(ui.available_width() - 10.0)
        .height(400.0)
        .selected_text(before.decoder.label())
        .show_ui(ui, |ui| {
            for decoder in Decoder::ALL {
                let able = planning.able(decoder);
                let label = egui::Button::selectable(before.decoder == decoder, decoder.label());
                let row = ui.add_enabled(able, label);
                let tip = match (able, &planning.unloaded) {
                    (true, _) => decoder.key(),
                    (false, Some(_)) => "needs the planner's network, which cannot be used",
                    (false, None) => {
                        "needs the planner's network, and this program holds no weights for it"
                    }
                };
                if row.on_hover_text(tip).on_disabled_hover_text(tip).clicked() {
                    next.decoder = decoder;
                }
            }
        });
    shown.response.accessible_name("Decoder");
    if let Some(problem) = &planning.unloaded {
        let text = sentence(&format!(
            "the planner's network cannot be used, and only the plain planners answer: {problem}"
        ));
        banner(ui, tokens(ui).bad, &text);
    } else if planning.weights == Some(None) {
        let text = "No planner weights come with this program: only the plain planners answer.";
        banner(ui, tokens(ui).warn, text);
    }
    if before.decoder == Decoder::Own {
        own_ui(ui, planning, actions);
    }
    if !before.decoder.is_plain() {
        settings_ui(ui, &mut next);
    }
    if next != *before {
        wish(actions, PilotAction::Set(Box::new(next)));
    }
}

/// The command that starts a planner of one's own. What is typed counts when it is entered or left.
fn own_ui(ui: &mut Ui, planning: &Planning, actions: &mut Vec<Action>) {
    ui.add_space(4.0);
    let id = ui.scope_id().with("own command");
    let kept: Option<String> = ui.data(|data| data.get_temp(id));
    let mut typed = kept.unwrap_or_else(|| planning.own.line.clone());
    let field = egui::TextEdit::singleline(&mut typed)
        .hint_text("python3 own_planner.py, or futures.csv")
        .desired_width(f32::INFINITY);
    let shown = ui.add(field).accessible_name("Command");
    let tip = "A program that is started once and answers each request for a plan, one line of JSON, on its standard output; quoted as in a shell. \
        Or a file of futures, which can also be dropped on the window: CSV with x, y and perhaps t, heading, speed, mode, probability, or JSON";
    let shown = shown.on_hover_text(tip);
    if shown.lost_focus() {
        ui.data_mut(|data| data.remove_temp::<String>(id));
        if typed.trim() != planning.own.line {
            wish(actions, PilotAction::Own(typed.trim().to_owned()));
        }
    } else if shown.changed() {
        ui.data_mut(|data| data.insert_temp(id, typed));
    }
    ui.horizontal(|ui| {
        let started = ui.add_enabled(!planning.own.line.is_empty(), egui::Button::new("Start again").small());
        if started.on_hover_text("Ends it and starts it anew, after you have changed it").clicked() {
            wish(actions, PilotAction::OwnAgain);
        }
        let copied = widgets::small_button(ui, "Copy an example");
        if copied
            .on_hover_text("A planner in Python to start from; paste it into a file. What is asked and answered: nearmiss serve --help")
            .clicked()
        {
            ui.ctx().copy_text(OWN_EXAMPLE.to_owned());
        }
    });
    ui.add_space(2.0);
}

fn settings_ui(ui: &mut Ui, settings: &mut PlanSettings) {
    let grid = egui::Grid::new("planner settings")
        .num_columns(2)
        .spacing([10.0, 6.0]);
    grid.show(ui, |ui| {
        label(ui, "Score");
        egui::ComboBox::from_id_salt("formula")
            .selected_text(settings.score.label())
            .show_ui(ui, |ui| {
                for variant in Variant::OF_PLANS {
                    ui.selectable_value(&mut settings.score, variant, variant.label())
                        .on_hover_text(variant.words());
                }
            })
            .response
            .on_hover_text("The formula by which modes are scored and one is chosen");
        ui.end_row();
        label(ui, "Modes");
        ui.add(
            egui::DragValue::new(&mut settings.modes)
                .range(1..=32)
                .speed(0.1),
        )
        .accessible_name("Modes");
        ui.end_row();
        if settings.decoder.is_network() {
            label(ui, "Brake");
            ui.checkbox(&mut settings.brake, "if every mode fails")
                .on_hover_text("Where every mode touches somebody by the ego's fault or comes too near (NC, TTC), the safest of their ways braked joins them");
            ui.end_row();
        }
        label(ui, "Route");
        ui.checkbox(&mut settings.route, "along the ego's way")
            .on_hover_text("The planner is told which lanes the ego takes in the scene (not when), and the straightest ones after them. Without it, it chooses where to turn");
        ui.end_row();
        // the others draw nothing
        if !matches!(settings.decoder, Decoder::Gmm | Decoder::Regression) {
            label(ui, "Seed");
            let mut seed = settings.seed.0;
            ui.add(egui::DragValue::new(&mut seed).speed(1.0))
                .accessible_name("Planner seed");
            settings.seed = Seed(seed);
            ui.end_row();
        }
        if settings.decoder.draws_tokens() || settings.decoder == Decoder::Flow {
            label(ui, "Temperature");
            let slider = egui::Slider::new(&mut settings.temperature, 0.05..=2.0).fixed_decimals(2);
            ui.add(slider).accessible_name("Planner temperature");
            ui.end_row();
        }
        if settings.decoder.draws_tokens() {
            label(ui, "Top p");
            let slider = egui::Slider::new(&mut settings.top_p, 0.05..=1.0).fixed_decimals(2);
            ui.add(slider).accessible_name("Top p");
            ui.end_row();
        }
        if settings.decoder.refines() {
            label(ui, "Refine from");
            let level = match settings.decoder {
                Decoder::Anchors => &mut settings.anchor_level,
                _ => &mut settings.refine_level,
            };
            let slider = egui::Slider::new(level, 0.05..=1.0).fixed_decimals(2);
            ui.add(slider)
                .accessible_name("Refinement level")
                .on_hover_text("Noise level to which each mode is put before it is denoised");
            ui.end_row();
            count_row(ui, ("Steps", "Refinement steps"), (&mut settings.refine_steps, 1..=16), "");
        }
        if settings.decoder == Decoder::MaskedDiffusion {
            count_row(ui, ("Passes", "Passes that fill"), (&mut settings.masked_passes, 1..=16), "In each so many of the eight tokens become known, the surest first");
            count_row(ui, ("Edits", "Passes that edit"), (&mut settings.edit_passes, 0..=16), "Passes after those; in all of them a known token gives way to one four times as likely. 0: known tokens stay");
        }
        if settings.decoder == Decoder::Flow {
            count_row(ui, ("Steps", "Flow steps"), (&mut settings.flow_steps, 1..=64), "In so many steps futures that the ego's own history alone makes likely are carried to plans");
        }
        if settings.decoder == Decoder::Diffusion {
            count_row(ui, ("Steps", "Diffusion steps"), (&mut settings.diffusion_steps, 1..=64), "");
        }
    });
}

/// A row of the settings' grid with a whole number: what it is called, to the eye and to a reader of the screen.
fn count_row(
    ui: &mut Ui,
    (text, name): (&str, &'static str),
    (value, range): (&mut usize, RangeInclusive<usize>),
    tip: &str,
) {
    label(ui, text);
    let shown = ui.add(egui::DragValue::new(value).range(range).speed(0.1));
    let shown = shown.accessible_name(name);
    if !tip.is_empty() {
        shown.on_hover_text(tip);
    }
    ui.end_row();
}

fn banner(ui: &mut Ui, color: egui::Color32, text: &str) {
    ui.add_space(3.0);
    egui::Frame::new()
        .fill(color.gamma_multiply(0.12))
        .stroke(egui::Stroke::new(1.0, color.gamma_multiply(0.6)))
        .corner_radius(6.0)
        .inner_margin(egui::Margin::symmetric(9, 6))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.add(egui::Label::new(theme::small(text).color(color)).wrap());
        });
}

/// Tokens and denoising steps, to be walked through.
fn steps_ui(ui: &mut Ui, planned: &Planned, planning: &Planning, actions: &mut Vec<Action>) {
    if planned.steps.is_empty() {
        return;
    }
    widgets::section(ui, "Steps");
    let last = planned.steps.len();
    let mut at = planning.step.unwrap_or(last);
    let text = match planned.steps.get(at).map(|step| step.stage) {
        Some(Stage::Tokens(count)) => format!("after token {count}"),
        Some(Stage::Filling(done, total)) => format!("pass {done} of {total}"),
        Some(Stage::Denoising(taken, total)) => format!("denoising step {taken} of {total}"),
        Some(Stage::Flowing(0, _)) => "drawn from the prior".to_owned(),
        Some(Stage::Flowing(done, total)) => format!("flow step {done} of {total}"),
        Some(Stage::Waiting) | None => "the result".to_owned(),
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = ui.available_width() - 120.0;
        let slider = egui::Slider::new(&mut at, 0..=last).show_value(false);
        let moved = ui.add(slider).accessible_name("Planner step").changed();
        ui.label(theme::small(text).color(tokens(ui).dim));
        if moved {
            wish(actions, PilotAction::Look((at < last).then_some(at)));
        }
    });
    let mut anchors = planning.anchors;
    let before = match planned.plan.settings.decoder {
        Decoder::Flow => "Draw the prior's futures they began as",
        _ => "Draw them before refinement",
    };
    if ui.checkbox(&mut anchors, before).changed() {
        wish(actions, PilotAction::Anchors(anchors));
    }
    let made_of_tokens = planned
        .plan
        .modes
        .iter()
        .any(|mode| !mode.mode.tokens.is_empty());
    let mut tokens = planning.tokens;
    if made_of_tokens
        && ui
            .checkbox(&mut tokens, "Mark the tokens of the mode")
            .on_hover_text("Where each second's token ends, with its number in the vocabulary")
            .changed()
    {
        wish(actions, PilotAction::Tokens(tokens));
    }
}

fn modes_ui(ui: &mut Ui, planned: &Planned, planning: &Planning, actions: &mut Vec<Action>) {
    widgets::section(ui, "Modes");
    let taken = planning.taken();
    let turned_out = taken.and_then(|taken| Some((taken, planned.outcome.as_ref()?.get(taken)?)));
    if let Some((taken, scores)) = turned_out {
        let text = format!(
            "Scored as foreseen; by what happens, mode {} has {:.2}",
            taken + 1,
            scores.total
        );
        ui.label(theme::small(text).color(tokens(ui).dim));
    }
    let mut pointed = None;
    for (index, mode) in planned.plan.modes.iter().enumerate() {
        let chosen = planned.plan.chosen == index;
        let response = mode_ui(ui, index, mode, taken == Some(index), chosen);
        if response.hovered() {
            pointed = Some(index);
        }
        if response.clicked() {
            let by_hand = (!chosen).then_some(index);
            wish(actions, PilotAction::Choose(by_hand));
        }
    }
    if pointed != planning.pointed {
        wish(actions, PilotAction::Point(pointed));
    }
    if planning.by_hand.is_some() {
        ui.horizontal(|ui| {
            ui.label(theme::small("Taken by hand.").color(tokens(ui).warn));
            if widgets::small_button(ui, "Planner's choice").clicked() {
                wish(actions, PilotAction::Choose(None));
            }
        });
    }
}

/// One line: number, a bar of its probability, its score, and what it fails.
fn mode_ui(
    ui: &mut Ui,
    index: usize,
    mode: &PlannedMode,
    taken: bool,
    chosen: bool,
) -> egui::Response {
    let tokens = tokens(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), 26.0), egui::Sense::click());
    let share = match mode.braked {
        Some(braked) => format!("mode {} braked", braked.of + 1),
        None => format!("probability {:.2}", mode.mode.probability),
    };
    let label = format!(
        "Mode {}, {share}, score {:.2}",
        index + 1,
        mode.scores.total
    );
    response
        .widget_info(|| egui::WidgetInfo::selected(egui::Role::ListBoxOption, true, taken, &label));
    let painter = ui.painter_at(rect);
    let ground = match (taken, response.hovered()) {
        (true, _) => Some(tokens.accent_soft),
        (false, true) => Some(tokens.hover),
        _ => None,
    };
    if let Some(ground) = ground {
        painter.rect_filled(rect, 5.0, ground);
    }
    if response.has_focus() {
        widgets::ring(ui, rect);
    }
    let font = egui::FontId::proportional(12.0);
    let left = |x: f32, text: &str, color: egui::Color32| {
        let at = rect.left_center() + vec2(x, 0.0);
        painter.text(at, egui::Align2::LEFT_CENTER, text, font.clone(), color);
    };
    if chosen {
        let at = rect.left_center() + vec2(8.0, 0.0);
        painter.circle_filled(at, 3.0, tokens.accent);
    }
    left(16.0, &format!("{}", index + 1), tokens.text);
    if let Some(braked) = mode.braked {
        let text = format!("{} braked, {} m/s²", braked.of + 1, braked.mps2);
        left(34.0, &text, tokens.warn);
    } else {
        let bar = egui::Rect::from_min_size(
            rect.left_center() + vec2(34.0, -3.0),
            vec2(64.0 * mode.mode.probability.clamp(0.0, 1.0) as f32, 6.0),
        );
        let track = egui::Rect::from_min_size(bar.min, vec2(64.0, 6.0));
        painter.rect_filled(track, 3.0, tokens.line);
        painter.rect_filled(bar, 3.0, tokens.plan);
        left(
            104.0,
            &format!("{:.0} %", 100.0 * mode.mode.probability),
            tokens.dim,
        );
    }
    let score = &mode.scores;
    let color = Score::color(score.total, tokens);
    left(146.0, &format!("{:.2}", score.total), color);
    let failed: Vec<&str> = TermKind::ALL
        .into_iter()
        .filter(|kind| *kind != TermKind::Progress && score.score(*kind) < 1.0)
        .map(TermKind::short)
        .collect();
    left(182.0, &failed.join(" "), tokens.bad);
    let tokens_text = match mode.mode.tokens.as_slice() {
        [] => String::new(),
        some => format!("\ntokens {some:?}"),
    };
    response.on_hover_text(format!(
        "{}\nworth {:.3}, proposal and tracked path differ by {:.2} m{tokens_text}",
        score.arithmetic, mode.worth, mode.gap_m
    ))
}

fn why_ui(ui: &mut Ui, planned: &Planned, planning: &Planning, actions: &mut Vec<Action>) {
    let Some(taken) = planning.taken() else {
        return;
    };
    let Some(mode) = planned.plan.modes.get(taken) else {
        return;
    };
    widgets::section(ui, &format!("Why mode {}", taken + 1));
    let text = if planning.by_hand.is_some() {
        format!(
            "Taken by hand. The planner took mode {}.",
            planned.plan.chosen + 1
        )
    } else {
        planned.plan.reason.clone()
    };
    ui.add(egui::Label::new(theme::small(text).color(tokens(ui).dim)).wrap());
    ui.add_space(2.0);
    terms_ui(ui, planned, &mode.scores, actions);
    if let Some(scores) = planned.outcome.as_ref().and_then(|all| all.get(taken)) {
        widgets::section(ui, "By what happens in this scene");
        widgets::row(ui, "Score", format!("{:.3}", scores.total)).on_hover_text(&scores.arithmetic);
        terms_ui(ui, planned, scores, actions);
    }
    ui.add_space(2.0);
    let words = mode.scores.variant.words();
    ui.add(egui::Label::new(theme::small(words).color(tokens(ui).faint)).wrap());
}

fn terms_ui(ui: &mut Ui, planned: &Planned, scores: &Scores, actions: &mut Vec<Action>) {
    for term in &scores.terms {
        if let Some(time_s) = term_ui(ui, term, actions) {
            wish(actions, PilotAction::GoTo(planned.plan.now_s + time_s));
        }
    }
}

/// A term. A click selects whoever decided it and asks to go to that moment, one on its curve to the moment there, in
/// seconds after the start.
fn term_ui(ui: &mut Ui, term: &Term, actions: &mut Vec<Action>) -> Option<f64> {
    let tokens = tokens(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), 20.0), egui::Sense::click());
    let name = term.kind.label();
    response.widget_info(|| {
        let text = format!("{name}: {:.2}. {}", term.score, term.reason);
        egui::WidgetInfo::labeled(egui::Role::Button, true, text)
    });
    if response.hovered() {
        ui.painter().rect_filled(rect, 4.0, tokens.hover);
    }
    let font = egui::FontId::proportional(12.0);
    let color = if term.score >= 1.0 {
        tokens.good
    } else if term.score > 0.0 {
        tokens.warn
    } else {
        tokens.bad
    };
    let painter = ui.painter();
    painter.text(
        rect.left_center() + vec2(2.0, 0.0),
        egui::Align2::LEFT_CENTER,
        name,
        font.clone(),
        tokens.dim,
    );
    painter.text(
        rect.right_center() - vec2(2.0, 0.0),
        egui::Align2::RIGHT_CENTER,
        format!("{:.2}", term.score),
        font,
        color,
    );
    let curve = egui::Rect::from_min_max(
        pos2(rect.right() - 104.0, rect.top() + 3.0),
        pos2(rect.right() - 34.0, rect.bottom() - 3.0),
    );
    let decided = term.time_s.filter(|_| term.score < 1.0);
    let decided = decided.map(|time_s| (time_s / STEP_S).round().max(0.0) as usize);
    let series = &term.series;
    widgets::curve(ui, curve, &series.values, series.limit, decided, color);
    let touched = response.interact_pointer_pos().or(response.hover_pos());
    let on_curve = touched
        .filter(|at| curve.expand(3.0).contains(*at))
        .map(|at| widgets::step_at(curve, term.series.values.len(), at.x));
    let clicked = response.clicked();
    if clicked && let Some(who) = &term.who {
        actions.push(Action::Select(vec![who.clone()]));
    }
    let time_s = on_curve.map(|step| step as f64 * STEP_S).or(term.time_s);
    let text = match on_curve {
        Some(step) => format!("{}\n{}", reading(&term.series, step), term.reason),
        None => term.reason.clone(),
    };
    response.on_hover_text(text);
    time_s.filter(|_| clicked)
}

/// What a series says at a step, in words.
fn reading(series: &Series, step: usize) -> String {
    let time_s = step as f64 * STEP_S;
    match series.values.get(step).filter(|value| value.is_finite()) {
        Some(value) => {
            let value = format!("{value:.2} {}", series.unit);
            format!("{time_s:.1} s: {} {}", value.trim_end(), series.what)
        }
        None => format!("{time_s:.1} s: nothing to measure"),
    }
}

/// Who moves everyone else in a drive: what it is called, and what that means.
pub(crate) const WORLDS: [(DriveWorld, &str, &str); 4] = [
    (
        DriveWorld::Log,
        "Recorded",
        "Everyone else moves as their tracks say, whatever the ego does",
    ),
    (
        DriveWorld::Traffic,
        "IDM",
        "Everyone else follows their lanes and brakes for whoever is ahead, the ego too",
    ),
    (
        DriveWorld::Reactive,
        "Reactive",
        "Everyone else also gives way where ways meet, changes lanes, and turns where the record turned",
    ),
    (
        DriveWorld::Generator,
        "Generator",
        "The model makes everyone else's future anew every half second, in sight of where the ego is then",
    ),
];

fn drive_ui(ui: &mut Ui, planning: &Planning, actions: &mut Vec<Action>) {
    widgets::section(ui, "Closed loop");
    let mut world = planning.world;
    if widgets::segments(ui, &WORLDS, &mut world) {
        wish(actions, PilotAction::World(world));
    }
    ui.horizontal(|ui| {
        let mut seconds = planning.seconds;
        let field = egui::DragValue::new(&mut seconds)
            .range(1.0..=60.0)
            .speed(0.1)
            .suffix(" s");
        if ui.add(field).accessible_name("Drive seconds").changed() {
            wish(actions, PilotAction::Seconds(seconds));
        }
        if planning.driving.is_some() {
            if ui.button("Stop").clicked() {
                wish(actions, PilotAction::Stop);
            }
            return;
        }
        let able = planning.able(planning.settings.decoder);
        let button = egui::Button::new("Drive from the present");
        let tip = "Put the planner at the wheel of the ego; the result is a step of the history";
        if ui.add_enabled(able, button).on_hover_text(tip).clicked() {
            wish(actions, PilotAction::Drive);
        }
    });
    if let Some((done_s, total_s)) = planning.driving {
        let bar = egui::ProgressBar::new((done_s / total_s.max(0.1)) as f32).desired_height(6.0);
        ui.add(bar);
        let text = format!("Driving, {done_s:.1} of {total_s:.1} s");
        ui.label(theme::small(text).color(tokens(ui).dim));
    }
}

/// What the last drive came to, while its scene is shown.
fn driven_ui(ui: &mut Ui, editor: &Editor, planning: &Planning, actions: &mut Vec<Action>) {
    let driven = editor.committed().and_then(|scene| planning.driven(scene));
    let (None, Some(driven)) = (planning.driving, driven) else {
        return;
    };
    let shown = ui.scope(|ui| {
        widgets::section(ui, "The drive");
        let (start_s, report) = (driven.scene.now_s(), &driven.report);
        report_ui(ui, start_s, report, actions);
        encounters_ui(ui, &report.encounters, start_s, actions);
    });
    // it is brought into view, once
    let fresh = ui.data_mut(|data| {
        let seen = data.get_temp_mut_or_default::<u64>(widgets::id("drives seen"));
        std::mem::replace(seen, planning.drives) != planning.drives
    });
    if fresh {
        shown.response.scroll_to_me(Some(egui::Align::Center));
    }
}

fn report_ui(ui: &mut Ui, start_s: f64, report: &Report, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    ui.horizontal_wrapped(|ui| {
        match (report.collided(), report.at_fault()) {
            (false, _) => widgets::chip(ui, "no contact", tokens.good),
            (true, true) => widgets::chip(ui, "contact, ego at fault", tokens.bad),
            (true, false) => widgets::chip(ui, "contact, other at fault", tokens.warn),
        };
        if report.off_road_s.is_some() {
            widgets::chip(ui, "off the road", tokens.bad);
        }
        if !report.comfortable() {
            widgets::chip(ui, "uncomfortable", tokens.warn);
        }
    });
    for touch in &report.contacts {
        let text = format!(
            "{} {:.1} m/s to each other.",
            touch.reason, touch.closing_mps
        );
        let text = theme::small(text).color(tokens.dim);
        let button = egui::Button::new(text).frame(false).wrap();
        if ui.add(button).clicked() {
            actions.push(Action::Seek(start_s + touch.time_s));
            actions.push(Action::Select(vec![touch.with.clone()]));
        }
    }
    let progress = match report.logged_m {
        Some(logged) => format!("{:.0} m; the log {logged:.0} m", report.progress_m),
        None => format!("{:.0} m", report.progress_m),
    };
    widgets::row(ui, "Progress", progress);
    if let Some(shift) = report.shift.value() {
        widgets::row(ui, "Plan to plan", format!("{shift:.2} m"))
            .on_hover_text("Mean distance between successive plans at the same times");
    }
    if report.alike.count > 0.0 {
        let text = format!("{:.0} of {:.0}", report.alike.sum, report.alike.count);
        widgets::row(ui, "Plans alike", text).on_hover_text(
            "Pairs of successive plans that feel alike in acceleration, jerk, yaw rate and yaw acceleration: EC, extended comfort, of NAVSIM v2",
        );
    }
    for limit in report.comfort.iter().filter(|limit| limit.share() >= 1.0) {
        widgets::row(ui, limit.what, format!("{:.2} {}", limit.value, limit.unit));
    }
    let Some(score) = &report.score else {
        return;
    };
    ui.add_space(2.0);
    widgets::row(ui, score.variant.label(), format!("{:.3}", score.total)).on_hover_text(format!(
        "{}\n{}",
        score.arithmetic,
        score.variant.words()
    ));
    for term in &score.terms {
        if let Some(time_s) = term_ui(ui, term, actions) {
            actions.push(Action::Seek(start_s + time_s));
        }
    }
}
