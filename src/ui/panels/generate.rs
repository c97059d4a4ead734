//! What to generate: task, schedule, seed, guidance; attacks to choose from; samples of the last request.

use std::sync::Arc;

use egui::Ui;
use egui::vec2;

use crate::codec::Options;
use crate::codec::agents_near;
use crate::diffusion::Schedule;
use crate::generator::AttackCandidate;
use crate::generator::MOST_AGENTS;
use crate::generator::MOST_REDRAWS;
use crate::generator::Settings;
use crate::scene::Avoidability;
use crate::scene::Fault;
use crate::scene::Guide;
use crate::scene::Scene;
use crate::scene::ScheduleKind;
use crate::scene::Task;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::editor::Editor;
use crate::ui::icons::Icon;
use crate::ui::lab::Case;
use crate::ui::lab::Lab;
use crate::ui::lab::LabAction;
use crate::ui::lab::Model;
use crate::ui::lab::attack_name;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// Greatest height of the list of samples, points.
const SAMPLES: f32 = 232.0;

/// Shows the panel.
pub(crate) fn generate_ui(ui: &mut Ui, editor: &Editor, lab: &Lab, actions: &mut Vec<Action>) {
    let Some(scene) = editor.committed().cloned() else {
        let text = "Open a scene, then let the model make its future.";
        widgets::empty_state(ui, Icon::Generate, "Nothing to generate", text, None);
        return;
    };
    if scene.agents.is_empty() {
        let text = "There is nobody in this scene whose future could be made.";
        let button = Some(Command::AddTool.row().text);
        if widgets::empty_state(ui, Icon::Add, "No agents", text, button) {
            actions.push(Action::Run(Command::AddTool));
        }
        return;
    }
    widgets::scrolled(ui, "generate", |ui| {
        ui.add_space(8.0);
        model_ui(ui, lab);
        go_ui(ui, lab, actions);
        found_ui(ui, &scene, lab, actions);
        cases_ui(ui, editor, lab, actions);
        task_ui(ui, lab, &scene, actions);
        attacks_ui(ui, editor, lab, actions);
        sampling_ui(ui, lab, &scene, actions);
        guidance_ui(ui, lab, actions);
        keep_ui(ui, actions);
        ui.add_space(12.0);
    });
}

fn push(actions: &mut Vec<Action>, wish: LabAction) {
    actions.push(Action::Lab(wish));
}

fn set(actions: &mut Vec<Action>, lab: &Lab, change: impl FnOnce(&mut Settings)) {
    let mut settings = lab.settings.clone();
    change(&mut settings);
    if settings != lab.settings {
        push(actions, LabAction::Set(Box::new(settings)));
    }
}

fn model_ui(ui: &mut Ui, lab: &Lab) {
    let tokens = tokens(ui);
    let (color, text) = match &lab.model {
        Model::Ready { warning: None, .. } => return,
        Model::Ready {
            warning: Some(warning),
            ..
        } => (tokens.warn, warning.clone()),
        Model::Loading => (tokens.dim, "The model is being loaded…".to_owned()),
        Model::Absent | Model::Failed(_) => (tokens.bad, lab.unready()),
    };
    egui::Frame::new()
        .fill(color.gamma_multiply(0.12))
        .stroke(egui::Stroke::new(1.0, color.gamma_multiply(0.6)))
        .corner_radius(6.0)
        .inner_margin(egui::Margin::symmetric(9, 6))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.add(egui::Label::new(theme::small(text).color(color)).wrap());
        });
    ui.add_space(2.0);
}

fn go_ui(ui: &mut Ui, lab: &Lab, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let text = theme::strong("Generate", 13.5).color(tokens(ui).on_accent);
        let button = egui::Button::new(text)
            .fill(tokens(ui).accent)
            .stroke(egui::Stroke::NONE)
            .min_size(vec2(ui.available_width() - 84.0, 34.0));
        let shown = ui.add_enabled(lab.ready(), button);
        if shown.on_hover_text(Command::Generate.hint()).clicked() {
            actions.push(Action::Run(Command::Generate));
        }
        let again = egui::Button::new("New seed").min_size(vec2(74.0, 34.0));
        let shown = ui.add_enabled(lab.ready(), again);
        if shown.on_hover_text(Command::NewSeed.hint()).clicked() {
            actions.push(Action::Run(Command::NewSeed));
        }
    });
    let run = Command::RunWorld;
    let text = if lab.world_runs() {
        "Stop the world"
    } else {
        "Run the world on"
    };
    ui.horizontal(|ui| {
        let size = vec2(ui.available_width() - 84.0, 28.0);
        let shown = ui.add_enabled(lab.ready(), egui::Button::new(text).min_size(size));
        if shown.on_hover_text(run.hint()).clicked() {
            actions.push(Action::Run(run));
        }
        let sweep = Command::Sweep;
        let button = egui::Button::new(sweep.row().text).min_size(vec2(78.0, 28.0));
        let shown = ui.add_enabled(lab.ready(), button);
        if shown.on_hover_text(sweep.hint()).clicked() {
            actions.push(Action::Run(sweep));
        }
    });
    if let Some(running) = &lab.running {
        ui.horizontal(|ui| {
            let share = running.taken as f32 / running.total.max(1) as f32;
            let bar = egui::ProgressBar::new(share)
                .desired_width(ui.available_width() - 66.0)
                .desired_height(6.0);
            ui.add(bar);
            if widgets::small_button(ui, "Cancel").clicked() {
                actions.push(Action::Run(Command::Cancel));
            }
        });
        ui.label(theme::small(running.text()).color(tokens(ui).dim));
    } else if let (Some((steps, took)), true) = (lab.took, lab.log.is_some()) {
        let text = format!("Last run: {steps} steps in {:.2} s", took.as_secs_f64());
        ui.label(theme::small(text).color(tokens(ui).faint));
    }
}

/// The last result in one line.
fn found_ui(ui: &mut Ui, scene: &Scene, lab: &Lab, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    let (Some(made), None) = (&scene.generated, &lab.running) else {
        return;
    };
    ui.horizontal_wrapped(|ui| {
        let failed = made.failed().count();
        let is_stale = scene.is_edited_since_made();
        let shown = match (made.complete, failed) {
            _ if is_stale => widgets::chip(ui, "edited since it was made", tokens.warn),
            (false, _) => widgets::chip(ui, "partial", tokens.warn),
            (true, 0) => widgets::chip(ui, "valid", tokens.good),
            (true, 1) => widgets::chip(ui, "1 gate failed", tokens.bad),
            (true, count) => widgets::chip(ui, &format!("{count} gates failed"), tokens.bad),
        };
        let reasons: Vec<&str> = made.failed().map(|gate| gate.reason.as_str()).collect();
        let tip = match is_stale {
            true => "Gates, fault and escape are of the scene before".to_owned(),
            false => reasons.join("\n"),
        };
        let tip = format!("{tip}\nClick for all gates");
        let shown = shown
            .interact(egui::Sense::click())
            .on_hover_text(tip.trim_start());
        if shown.clicked() {
            actions.push(Action::Run(Command::ResultsPanel));
        }
        if is_stale {
            return;
        }
        match made.fault {
            Some(Fault::Ego) => widgets::chip(ui, "ego at fault", tokens.warn),
            Some(Fault::Other) => widgets::chip(ui, "other at fault", tokens.attacker),
            Some(Fault::None) | None => return,
        };
        match made.avoidability {
            Some(Avoidability::Avoidable) => widgets::chip(ui, "avoidable", tokens.ego),
            Some(Avoidability::Unavoidable) => widgets::chip(ui, "unavoidable", tokens.bad),
            Some(Avoidability::NotNeeded) | None => return,
        };
    });
}

fn task_ui(ui: &mut Ui, lab: &Lab, scene: &Scene, actions: &mut Vec<Action>) {
    widgets::section(ui, "Task");
    let mut task = lab.task;
    let auto = match lab.task_of(scene) {
        Task::Free => "By what the scene holds: nothing is set, so free exploration",
        Task::Goal => "By what the scene holds: goals are set, so they are reached",
        Task::Attack => "By what the scene holds: an attack is set, so it is made",
    };
    let choices = [
        (None, "Auto", auto),
        (Some(Task::Free), "Free", "From the history alone"),
        (
            Some(Task::Goal),
            "Goals",
            "The flags on the map are reached",
        ),
        (
            Some(Task::Attack),
            "Attack",
            "The attacker meets its target",
        ),
    ];
    if widgets::segments(ui, &choices, &mut task) {
        push(actions, LabAction::Task(task));
    }
    let mut live = lab.live;
    let answered = ui.checkbox(&mut live, "Answer at once");
    let tip = "While you drag, the model answers with four steps of the same noise; on release it runs in full. \
               Changes of seed, schedule, steps, agents, temperature, smoothing and guidance make the present result again";
    if answered.on_hover_text(tip).changed() {
        push(actions, LabAction::Live(live));
    }
}

fn sampling_ui(ui: &mut Ui, lab: &Lab, scene: &Scene, actions: &mut Vec<Action>) {
    widgets::section(ui, "Sampling");
    let dim = tokens(ui).dim;
    let label = |ui: &mut Ui, text: &str| ui.label(egui::RichText::new(text).color(dim));
    let grid = egui::Grid::new("sampling")
        .num_columns(2)
        .spacing([10.0, 6.0]);
    grid.show(ui, |ui| {
        label(ui, "Seed");
        seed_ui(ui, lab, actions);
        ui.end_row();
        label(ui, "Schedule");
        schedule_ui(ui, lab, actions);
        ui.end_row();
        label(ui, "Steps");
        ui.horizontal(|ui| {
            let mut steps = lab.settings.steps;
            let field = egui::DragValue::new(&mut steps).range(1..=512).speed(0.2);
            ui.add(field).accessible_name("Steps");
            for quick in [4, 8, 18, 32] {
                let chosen = lab.settings.steps == quick;
                if ui.selectable_label(chosen, quick.to_string()).clicked() {
                    steps = quick;
                }
            }
            set(actions, lab, |settings| settings.steps = steps);
        });
        ui.end_row();
        label(ui, "Samples");
        ui.horizontal(|ui| {
            let mut samples = lab.samples;
            let field = egui::DragValue::new(&mut samples).range(1..=32).speed(0.1);
            if ui.add(field).accessible_name("Samples").changed() {
                push(actions, LabAction::Samples(samples));
            }
            let mut until = lab.until_valid;
            let tip = "Draws one sample after the other, at most so many, until one passes every gate; if none does, \
                       the one that fails fewest is shown";
            if ui.checkbox(&mut until, "until one is valid").on_hover_text(tip).changed() {
                push(actions, LabAction::UntilValid(until));
            }
        });
        ui.end_row();
        label(ui, "Agents made");
        agents_ui(ui, lab, scene, actions);
        ui.end_row();
        label(ui, "Temperature");
        temperature_ui(ui, lab, scene, actions);
        ui.end_row();
        label(ui, "History level");
        history_ui(ui, lab, actions);
        ui.end_row();
        label(ui, "Smoothing");
        smoothing_ui(ui, lab, scene, actions);
        ui.end_row();
        label(ui, "Redraws");
        redraws_ui(ui, lab, actions);
        ui.end_row();
    });
}

fn seed_ui(ui: &mut Ui, lab: &Lab, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        let mut seed = lab.settings.seed;
        let field = egui::DragValue::new(&mut seed).speed(1.0);
        ui.add_sized(vec2(86.0, 24.0), field)
            .accessible_name("Seed");
        set(actions, lab, |settings| settings.seed = seed);
        let tip = "Draw another seed and generate  [Shift R]";
        if widgets::icon_button(ui, Icon::Dice, "New seed and generate", tip).clicked() {
            actions.push(Action::Run(Command::NewSeed));
        }
        let (icon, tip) = if lab.seed_locked {
            (
                Icon::Lock,
                "The seed stays. Click to draw another for each run",
            )
        } else {
            (
                Icon::Free,
                "Each run draws another seed. Click to keep this one",
            )
        };
        let locked = lab.seed_locked;
        if widgets::icon_toggle(ui, icon, "Lock seed", tip, locked, true).clicked() {
            push(actions, LabAction::LockSeed(!locked));
        }
    });
}

/// A schedule's name and what it does.
fn schedule_words(kind: ScheduleKind) -> (&'static str, &'static str) {
    match kind {
        ScheduleKind::Full => ("Full sequence", "One noise level for all frames"),
        ScheduleKind::Pyramidal => (
            "Pyramidal",
            "Near frames first: one new frame enters per step, finished ones stay",
        ),
        ScheduleKind::Trapezoidal => (
            "Trapezoidal",
            "From both ends: from the present and from the goal",
        ),
        ScheduleKind::Autoregressive => ("Autoregressive", "Frame by frame"),
    }
}

/// Steps of a schedule unless asked otherwise: the paper's; frame by frame an eighth of them, as all would take long.
fn usual_steps(kind: ScheduleKind) -> usize {
    match kind {
        ScheduleKind::Autoregressive => Schedule::paper_steps(kind) / 8,
        _ => Schedule::paper_steps(kind),
    }
}

fn schedule_ui(ui: &mut Ui, lab: &Lab, actions: &mut Vec<Action>) {
    let mut kind = lab.settings.schedule;
    let shown = egui::ComboBox::from_id_salt("schedule")
        .width(150.0)
        .selected_text(schedule_words(kind).0)
        .show_ui(ui, |ui| {
            for choice in [
                ScheduleKind::Full,
                ScheduleKind::Pyramidal,
                ScheduleKind::Trapezoidal,
                ScheduleKind::Autoregressive,
            ] {
                let (name, tip) = schedule_words(choice);
                ui.selectable_value(&mut kind, choice, name)
                    .on_hover_text(tip);
            }
        });
    let tip = schedule_words(kind).1;
    shown
        .response
        .accessible_name("Schedule")
        .on_hover_text(tip);
    set(actions, lab, |settings| {
        // the usual number of the one before becomes that of the other
        if settings.steps == usual_steps(settings.schedule) {
            settings.steps = usual_steps(kind);
        }
        settings.schedule = kind;
    });
}

fn agents_ui(ui: &mut Ui, lab: &Lab, scene: &Scene, actions: &mut Vec<Action>) {
    let tip = "The nearest to the ego, so many and everyone with a goal or in an attack, are made anew; \
               the others go on as recorded and answer to nobody. A run takes longer with more";
    ui.horizontal(|ui| {
        let mut agents = lab.settings.agents;
        let field = egui::DragValue::new(&mut agents)
            .range(1..=MOST_AGENTS)
            .speed(0.2);
        ui.add(field)
            .accessible_name("Number of agents made")
            .on_hover_text(tip);
        set(actions, lab, |settings| settings.agents = agents);
        let near = agents_near(scene);
        let of = if agents < near { "of" } else { "all" };
        let radius_m = Options::default().radius_m;
        let near = theme::small(format!("{of} {near} within {radius_m:.0} m"));
        ui.label(near.color(tokens(ui).dim));
    });
}

fn temperature_ui(ui: &mut Ui, lab: &Lab, scene: &Scene, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let mut own = lab.settings.temperature.is_some();
        let mut value = lab.settings_on(scene).temperature_used();
        let tip = "Spread of the starting noise, by task unless set here: below 1 stays nearer to the most likely future";
        ui.checkbox(&mut own, "")
            .accessible_name("Own temperature")
            .on_hover_text(tip);
        let slider = egui::Slider::new(&mut value, 0.0..=1.2).fixed_decimals(2);
        ui.spacing_mut().slider_width = 80.0;
        ui.add_enabled(own, slider).accessible_name("Temperature");
        set(actions, lab, |settings| {
            settings.temperature = own.then_some((value * 100.0).round() / 100.0);
        });
    });
}

fn history_ui(ui: &mut Ui, lab: &Lab, actions: &mut Vec<Action>) {
    let mut level = lab.settings.history_level;
    ui.spacing_mut().slider_width = 80.0;
    let slider = egui::Slider::new(&mut level, 0.0..=0.5).fixed_decimals(2);
    ui.add(slider)
        .accessible_name("Noise level of the history")
        .on_hover_text(
            "Noise level at which the network is shown recorded histories: 0 takes them as exact, 0.2 to 0.3 suits recordings whose speeds jitter",
        );
    set(actions, lab, |settings| {
        settings.history_level = (level * 100.0).round() / 100.0;
    });
}

fn smoothing_ui(ui: &mut Ui, lab: &Lab, scene: &Scene, actions: &mut Vec<Action>) {
    let own = lab.settings_on(scene);
    let mut on = own.prior_smoothing_used();
    let tip = "The prior takes the network's jitter out of each prediction: with goals nearer to recordings, free smoother than they are. By task unless set here";
    ui.checkbox(&mut on, "by the prior")
        .accessible_name("Smoothing by the prior")
        .on_hover_text(tip);
    if on != own.prior_smoothing_used() {
        let usual = Settings {
            prior_smoothing: None,
            ..own
        };
        let is_usual = on == usual.prior_smoothing_used();
        set(actions, lab, |settings| {
            settings.prior_smoothing = (!is_usual).then_some(on);
        });
    }
}

fn redraws_ui(ui: &mut Ui, lab: &Lab, actions: &mut Vec<Action>) {
    let tip = "Who fails a gate in the result (touches somebody, leaves the road, moves impossibly) begins again from noise, \
               knowing everyone else's future, at most so many times. 0: never. An attacker may touch its target";
    let mut redraws = lab.settings.redraws;
    let field = egui::DragValue::new(&mut redraws)
        .range(0..=MOST_REDRAWS)
        .prefix("at most ")
        .speed(0.05);
    ui.add(field)
        .accessible_name("Redraws of who fails a gate")
        .on_hover_text(tip);
    set(actions, lab, |settings| settings.redraws = redraws);
}

fn guidance_ui(ui: &mut Ui, lab: &Lab, actions: &mut Vec<Action>) {
    widgets::section(ui, "Guidance");
    let guidance = &lab.settings.guidance;
    let rows = [
        (
            "Apart",
            "Pushes overlapping boxes apart, but not an attacker and its target",
            Settings::default().guidance.collision.weight,
            guidance.collision,
        ),
        (
            "Smooth",
            "Averages neighbouring points against acceleration",
            0.2,
            guidance.comfort,
        ),
        (
            "On road",
            "Pulls strays to the nearest centreline",
            0.2,
            guidance.road,
        ),
    ];
    let mut changed = rows.map(|(.., guide)| guide);
    for ((name, tip, usual, _), guide) in rows.iter().zip(&mut changed) {
        guide_ui(ui, (name, tip, *usual), guide);
    }
    let [collision, comfort, road] = changed;
    set(actions, lab, |settings| {
        settings.guidance.collision = collision;
        settings.guidance.comfort = comfort;
        settings.guidance.road = road;
    });
}

fn guide_ui(ui: &mut Ui, (name, tip, usual): (&str, &str, f64), guide: &mut Guide) {
    ui.horizontal(|ui| {
        let mut on = guide.weight > 0.0;
        ui.allocate_ui(vec2(76.0, 22.0), |ui| {
            ui.set_min_width(76.0);
            if ui.checkbox(&mut on, name).on_hover_text(tip).changed() {
                guide.weight = if on { usual } else { 0.0 };
            }
        });
        if !on {
            ui.label(theme::small("off").color(tokens(ui).faint));
            return;
        }
        ui.spacing_mut().slider_width = 70.0;
        let weight = egui::Slider::new(&mut guide.weight, 0.01..=1.0).fixed_decimals(2);
        let weight = ui.add(weight).accessible_name(format!("{name} weight"));
        weight.on_hover_text("Share of the full correction at each step");
        let [low, high] = guide.levels;
        let text = theme::small(format!("{low:.1}–{high:.1}"));
        ui.menu_button(text, |ui| {
            ui.label("Acts while the noise level is between");
            let [low, high] = &mut guide.levels;
            ui.add(egui::Slider::new(low, 0.0..=1.0).text("from"));
            ui.add(egui::Slider::new(high, 0.0..=1.0).text("to"));
            *high = high.max(*low);
        })
        .response
        .on_hover_text("Noise levels in which it acts");
    });
}

fn attacks_ui(ui: &mut Ui, editor: &Editor, lab: &Lab, actions: &mut Vec<Action>) {
    let attacks = &lab.attacks;
    widgets::section(ui, "Attacks");
    ui.horizontal(|ui| {
        let shown = ui.add_enabled(
            lab.ready() && !attacks.searching,
            egui::Button::new("Find attacks"),
        );
        if shown.on_hover_text(Command::FindAttacks.hint()).clicked() {
            actions.push(Action::Run(Command::FindAttacks));
        }
        if attacks.searching {
            ui.add(egui::Spinner::new().size(12.0));
        } else if lab.can_attack(editor) {
            let command = Command::MakeAttacks;
            if widgets::small_button(ui, "Make all")
                .on_hover_text(command.hint())
                .clicked()
            {
                actions.push(Action::Run(command));
            }
        }
    });
    if !attacks.searching {
        let text = match (attacks.candidates.is_empty(), attacks.against_planner) {
            (true, _) => "who can meet the ego, and when",
            _ if !lab.found_here(editor) => "of the scene before",
            (false, false) => "click one; 1 is likely, full on and soon",
            (false, true) => "click one; the planner's modes count, too",
        };
        let tip = "Hits: the share of the ego's futures that are met. As it drives in the scene ½; the planner's modes by \
                   their probabilities ½, or, without a plan at the present, steady speed ¼ and braking ¼";
        ui.label(theme::small(text).color(tokens(ui).faint))
            .on_hover_text(tip);
    }
    let mut pointed = None;
    for (index, candidate) in attacks.candidates.iter().enumerate() {
        let response = candidate_ui(ui, editor, candidate);
        if response.hovered() {
            pointed = Some(index);
        }
        if response.on_hover_text(candidate.label()).clicked() {
            push(actions, LabAction::Take(index));
        }
    }
    if pointed != attacks.pointed {
        push(actions, LabAction::Point(pointed));
    }
}

fn candidate_ui(ui: &mut Ui, editor: &Editor, candidate: &AttackCandidate) -> egui::Response {
    let tokens = tokens(ui);
    let attack = &candidate.attack;
    let taken = editor
        .committed()
        .and_then(|scene| scene.attack_by(&attack.attacker))
        .is_some_and(|set| set.time_s == attack.time_s && set.offset == attack.offset);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), 38.0), egui::Sense::click());
    let name = attack_name(candidate);
    let committed = editor.committed();
    let agent = committed.and_then(|scene| scene.agent(&attack.attacker));
    let kind = agent.map_or("", |agent| agent.kind.word());
    response.widget_info(|| {
        egui::WidgetInfo::selected(
            egui::Role::ListBoxOption,
            true,
            taken,
            format!("attack {name}"),
        )
    });
    let fill = match (taken, response.hovered()) {
        (true, _) => tokens.accent_soft,
        (_, true) => tokens.hover,
        _ => tokens.raised,
    };
    let painter = ui.painter();
    painter.rect_filled(rect, 5.0, fill);
    let font = egui::FontId::proportional(12.0);
    let left = rect.left_center() + vec2(9.0, 0.0);
    let above = left - vec2(0.0, 8.0);
    let name = format!("{kind} {name}");
    painter.text(
        above,
        egui::Align2::LEFT_CENTER,
        name.trim(),
        font,
        tokens.text,
    );
    // what the score is made of
    let factors = format!(
        "likely {:.2} · hits {:.2} · soon {:.2}",
        candidate.likelihood, candidate.overlap, candidate.earliness
    );
    let font = egui::FontId::proportional(10.5);
    let below = left + vec2(0.0, 9.0);
    painter.text(below, egui::Align2::LEFT_CENTER, factors, font, tokens.dim);
    // the score as a bar with its number
    let share = candidate.score.clamp(0.0, 1.0) as f32;
    let rail = egui::Rect::from_min_size(rect.right_center() + vec2(-96.0, -2.0), vec2(52.0, 4.0));
    painter.rect_filled(rail, 2.0, tokens.line_strong);
    let done = egui::Rect::from_min_size(rail.min, vec2(52.0 * share, 4.0));
    painter.rect_filled(done, 2.0, tokens.attacker);
    painter.text(
        rect.right_center() - vec2(8.0, 0.0),
        egui::Align2::RIGHT_CENTER,
        format!("{:.2}", candidate.score),
        egui::FontId::proportional(11.0),
        tokens.dim,
    );
    response
}

fn cases_ui(ui: &mut Ui, editor: &Editor, lab: &Lab, actions: &mut Vec<Action>) {
    // a single one that the history holds needs no list
    let is_step = |case: &Case| {
        let open = editor.document();
        open.is_some_and(|open| {
            let (entries, _) = open.history.entries();
            let mut scenes = entries.iter().map(|entry| &entry.scene);
            scenes.any(|scene| Arc::ptr_eq(scene, &case.scene))
        })
    };
    if lab.cases.len() > 1 || !lab.cases.iter().all(is_step) {
        widgets::section(ui, "Samples");
        if lab.cases.len() > 1 {
            let mut spread = lab.spread;
            let shown = ui.checkbox(&mut spread, "Draw everyone's futures of all");
            let tip = "Dotted, under those of the sample on screen";
            if shown.on_hover_text(tip).changed() {
                push(actions, LabAction::Spread(spread));
            }
            let valid = lab.valid().count();
            if valid > 0
                && widgets::small_button(ui, &format!("Keep the {valid} valid"))
                    .on_hover_text("Put all samples that pass every gate into the tray")
                    .clicked()
            {
                push(actions, LabAction::KeepValid);
            }
        }
        // some of them in sight, so that what they were made with stays in reach
        let scroll = egui::ScrollArea::vertical().id_salt("samples");
        scroll.max_height(SAMPLES).show(ui, |ui| {
            ui.set_max_width(ui.available_width() - 8.0);
            for (index, case) in lab.cases.iter().enumerate() {
                let shown = editor.is_present(&case.scene);
                let response = super::tray::case_ui(ui, case, shown, 0.0);
                if response.clicked() {
                    push(actions, LabAction::Sample(index));
                }
            }
        });
    }
}

/// What is done with a result.
fn keep_ui(ui: &mut Ui, actions: &mut Vec<Action>) {
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        for command in [Command::Keep, Command::CopyCommand] {
            let row = command.row();
            if widgets::small_button(ui, row.text)
                .on_hover_text(command.hint())
                .clicked()
            {
                actions.push(Action::Run(command));
            }
        }
    });
}
