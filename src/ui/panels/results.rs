//! What a generated scene was found to be: gates with reasons, fault, escape, metrics, recipe.

use std::collections::BTreeSet;
use std::sync::Arc;

use egui::Ui;
use egui::pos2;
use egui::vec2;

use super::compare;
use super::encounters::encounters_ui;
use crate::codec::DT_S;
use crate::generator::GateCurve;
use crate::scene::AgentId;
use crate::scene::Avoidability;
use crate::scene::Fault;
use crate::scene::GateResult;
use crate::scene::Generated;
use crate::scene::Scene;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::editor::Editor;
use crate::ui::icons;
use crate::ui::icons::Icon;
use crate::ui::lab::Lab;
use crate::ui::measures::Measures;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// The metric whose reasons are open.
pub(crate) type Why = Option<String>;

/// Shows the panel.
pub(crate) fn results_ui(
    ui: &mut Ui,
    (editor, lab): (&Editor, &Lab),
    (measures, why): (&mut Measures, &mut Why),
    actions: &mut Vec<Action>,
) {
    let Some(scene) = editor.committed().cloned() else {
        let text = "Gates, fault, escape and metrics of a scene appear here.";
        widgets::empty_state(ui, Icon::Check, "No result yet", text, None);
        return;
    };
    widgets::scrolled(ui, "results", |ui| {
        ui.add_space(8.0);
        if let Some(made) = &scene.generated {
            let is_stale = scene.is_edited_since_made();
            if is_stale {
                stale_ui(ui, actions);
            }
            if lab.step.is_some() {
                let text = "Of the finished result, not of the step on screen.";
                ui.label(theme::small(text).color(tokens(ui).warn));
                ui.add_space(4.0);
            }
            summary_ui(ui, made);
            if !is_stale {
                reach_ui(ui, &scene, made);
            }
            verdict_ui(ui, &scene, lab, made);
            widgets::section(ui, "Gates");
            // of the scene as it is, so not beside gates of the one before
            let found = measures.of(&scene).filter(|_| !is_stale);
            for gate in &made.gates {
                let mut curves = found.iter().flat_map(|found| &found.curves);
                let curve = curves.find(|curve| curve.gate == gate.gate);
                gate_ui(ui, &scene, gate, curve, actions);
            }
        } else {
            let text = "Gates, fault and escape of a generated scene appear here.";
            if widgets::empty_state(ui, Icon::Check, "No result yet", text, Some("Generate")) {
                actions.push(Action::Run(Command::Generate));
            }
        }
        metrics_ui(ui, &scene, (measures, why), actions);
        if let Some(found) = measures.of(&scene) {
            encounters_ui(ui, &found.encounters, scene.now_s(), actions);
        }
        if let Some(made) = &scene.generated {
            recipe_ui(ui, made);
        }
        ui.add_space(12.0);
    });
}

/// Each metric with its value; a click opens its arithmetic and who contributed.
fn metrics_ui(
    ui: &mut Ui,
    scene: &Arc<Scene>,
    (measures, why): (&mut Measures, &mut Why),
    actions: &mut Vec<Action>,
) {
    widgets::section(ui, "Metrics; click one for its reasons");
    let Some(found) = measures.of(scene) else {
        ui.add(egui::Spinner::new().size(12.0));
        return;
    };
    for row in &found.rows {
        let metric = &row.metric;
        let title = compare::title_of(&metric.name);
        let value = match metric.unit.as_str() {
            // the parts and their units are in the arithmetic
            "mixed" => compare::figure(metric.value),
            unit => format!("{} {unit}", compare::figure(metric.value)),
        };
        let open = why.as_ref() == Some(&metric.name);
        if widgets::fold(ui, title, &value, open).clicked() {
            *why = (!open).then(|| metric.name.clone());
        }
        if open {
            compare::reasons_ui(ui, scene, row, actions);
        }
    }
}

/// A stable name as words.
fn words(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(char::to_uppercase);
    let text: String = first.into_iter().flatten().chain(letters).collect();
    text.replace('_', " ")
}

/// Says that what follows was found before the last edit.
fn stale_ui(ui: &mut Ui, actions: &mut Vec<Action>) {
    let color = tokens(ui).warn;
    ui.horizontal_wrapped(|ui| {
        let text = "Edited since it was made: gates, fault and escape are of the scene before.";
        ui.label(theme::small(text).color(color));
        if widgets::small_button(ui, "Make again").clicked() {
            actions.push(Action::Run(Command::Generate));
        }
    });
    ui.add_space(4.0);
}

fn summary_ui(ui: &mut Ui, made: &Generated) {
    let tokens = tokens(ui);
    let failed = made.failed().count();
    let (color, title) = match (made.complete, failed) {
        (false, _) => (tokens.warn, "Partial: stopped before the end".to_owned()),
        (true, 0) => (tokens.good, "Valid: every gate passed".to_owned()),
        (true, 1) => (tokens.bad, "1 gate failed".to_owned()),
        (true, count) => (tokens.bad, format!("{count} gates failed")),
    };
    egui::Frame::new()
        .fill(color.gamma_multiply(0.12))
        .corner_radius(7.0)
        .inner_margin(egui::Margin::symmetric(10, 8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                let (mark, _) = ui.allocate_exact_size(vec2(18.0, 18.0), egui::Sense::hover());
                let icon = if failed == 0 && made.complete {
                    Icon::Check
                } else {
                    Icon::Warning
                };
                icons::paint(ui.painter(), mark, icon, color);
                ui.label(theme::strong(title, 13.0).color(color));
            });
        });
}

/// Up to when an attack is judged, and when its contact was asked for where it comes at another time.
fn reach_ui(ui: &mut Ui, scene: &Scene, made: &Generated) {
    let contact = made.gates.iter().find(|gate| gate.gate == "contact");
    let frame = contact
        .filter(|gate| gate.passed)
        .and_then(|gate| gate.frame);
    let Some(frame) = frame else {
        return;
    };
    let at_s = scene.time_of(frame);
    let tokens = tokens(ui);
    let text =
        format!("Judged up to the contact at {at_s:.1} s: what comes after it did not happen.");
    ui.add(egui::Label::new(theme::small(text).color(tokens.dim)).wrap());
    // of several attacks the first contact is what counts
    if let [attack] = scene.attacks.as_slice()
        && (at_s - attack.time_s).abs() > DT_S + 1e-6
    {
        let text = format!(
            "Asked for at {:.1} s, it comes at {at_s:.1} s.",
            attack.time_s
        );
        ui.add(egui::Label::new(theme::small(text).color(tokens.warn)).wrap());
    }
}

fn verdict_ui(ui: &mut Ui, scene: &Arc<Scene>, lab: &Lab, made: &Generated) {
    let fault = match made.fault {
        None => None,
        Some(Fault::None) => Some("No contact"),
        Some(Fault::Ego) => Some("The ego"),
        Some(Fault::Other) => Some("The other agent"),
    };
    let escape = match made.avoidability {
        None => None,
        Some(Avoidability::NotNeeded) => Some("Not needed"),
        Some(Avoidability::Avoidable) => Some("Avoidable"),
        Some(Avoidability::Unavoidable) => Some("Unavoidable"),
    };
    if fault.is_none() && escape.is_none() {
        return;
    }
    ui.add_space(4.0);
    let verdict = lab.verdict(scene);
    if let Some(fault) = fault {
        widgets::row(ui, "At fault", fault);
    }
    if let Some(finding) = verdict.and_then(|verdict| verdict.fault.as_ref()) {
        let text = theme::small(&*finding.reason).color(tokens(ui).dim);
        ui.add(egui::Label::new(text).wrap());
    }
    if let Some(escape) = escape {
        widgets::row(ui, "Escape", escape);
    }
    let found = verdict.and_then(|verdict| verdict.escape.as_ref());
    if let Some(found) = found {
        let drawn = if found.path.is_empty() {
            ""
        } else {
            " Dashed on the map."
        };
        let text = theme::small(format!("{}{drawn}", found.reason)).color(tokens(ui).dim);
        ui.add(egui::Label::new(text).wrap());
    }
}

/// A gate with its value and limit, and how near to it everybody came from the present on; a click goes to the worst
/// moment, or to the one under the pointer.
fn gate_ui(
    ui: &mut Ui,
    scene: &Scene,
    gate: &GateResult,
    curve: Option<&GateCurve>,
    actions: &mut Vec<Action>,
) {
    let first = scene.now + 1;
    let shares = curve.and_then(|curve| curve.shares.get(first..));
    let mut place = None;
    let tokens = tokens(ui);
    let (color, icon) = if gate.passed {
        (tokens.good, Icon::Check)
    } else {
        (tokens.bad, Icon::Close)
    };
    let shown = egui::Frame::new()
        .inner_margin(egui::Margin::symmetric(2, 3))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 5.0;
                let (mark, _) = ui.allocate_exact_size(vec2(15.0, 16.0), egui::Sense::hover());
                icons::paint_sized(ui.painter(), mark.center(), 12.0, icon, color);
                ui.label(theme::strong(words(&gate.gate), 12.0));
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    let value = format!("{:.2} / {:.2} {}", gate.value, gate.limit, gate.unit);
                    ui.label(theme::small(value).color(tokens.dim));
                    let Some(shares) = shares else {
                        return;
                    };
                    // all below each other, between names and values
                    let row = ui.max_rect();
                    let right = pos2(row.right() - 108.0, row.center().y);
                    let rect =
                        egui::Rect::from_center_size(right - vec2(24.0, 0.0), vec2(48.0, 14.0));
                    let worst = gate.frame.and_then(|frame| frame.checked_sub(first));
                    let worst = worst.filter(|_| !gate.passed);
                    widgets::curve(ui, rect, shares, Some(1.0), worst, color);
                    place = Some((rect, shares));
                });
            });
            if !gate.passed {
                let text = theme::small(gate.reason.clone()).color(tokens.dim);
                ui.add(egui::Label::new(text).wrap());
            }
        });
    let id = ui.scope_id().with(("gate", &gate.gate, &gate.agent));
    let response = ui.interact(shown.response.rect, id, egui::Sense::click());
    let passed = if gate.passed { "passed" } else { "failed" };
    let name = format!("gate {}: {passed}", words(&gate.gate));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
    let touched = response.interact_pointer_pos().or(response.hover_pos());
    let pointed = place.zip(touched).and_then(|((rect, shares), at)| {
        let step = widgets::step_at(rect, shares.len(), at.x);
        let share = shares.get(step).filter(|share| share.is_finite())?;
        rect.expand(3.0)
            .contains(at)
            .then_some((first + step, share))
    });
    if response.clicked() {
        let worst = gate.frame.filter(|_| pointed.is_none());
        if let Some(frame) = worst.or(pointed.map(|(frame, _)| frame)) {
            actions.push(Action::Seek(scene.time_of(frame)));
        }
        if let Some(agent) = &gate.agent {
            actions.push(Action::Select(vec![agent.clone()]));
        }
    }
    let place = match (pointed, &gate.agent, gate.frame) {
        (Some((frame, share)), ..) => format!(
            "\n{:.1} s: {share:.2} of the limit of whoever is nearest to it",
            scene.time_of(frame)
        ),
        (None, Some(agent), Some(frame)) => {
            format!(
                "\n{agent} at {:.1} s; click to go there",
                scene.time_of(frame)
            )
        }
        _ => String::new(),
    };
    response.on_hover_text(format!("{}{place}", gate.reason));
}

fn recipe_ui(ui: &mut Ui, made: &Generated) {
    let recipe = &made.recipe;
    widgets::section(ui, "Recipe");
    let word = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    widgets::row(ui, "Task", word(&recipe.task));
    widgets::row(
        ui,
        "Schedule",
        format!("{}, {} steps", word(&recipe.schedule), recipe.steps),
    );
    widgets::row(
        ui,
        "Seed",
        format!("{}, sample {}", recipe.seed, recipe.sample + 1),
    );
    widgets::row(ui, "Temperature", format!("{:.2}", recipe.temperature));
    if recipe.history_level > 0.0 {
        widgets::row(
            ui,
            "History at",
            format!("level {:.2}", recipe.history_level),
        );
    }
    if recipe.prior_smoothing {
        widgets::row(ui, "Smoothed", "by the prior");
    }
    if !made.redrawn.is_empty() {
        let who: BTreeSet<&str> = made.redrawn.iter().flatten().map(AgentId::as_str).collect();
        let who: Vec<&str> = who.into_iter().collect();
        let tip = "Failed a gate at first, and began again from noise";
        widgets::row(ui, "Drawn again", who.join(", ")).on_hover_text(tip);
    }
    let made_count = recipe.agents.len() - recipe.kept.len().min(recipe.agents.len());
    let late: usize = recipe.reactions.iter().map(|of| of.entered.len()).sum();
    let mut agents = format!("{} made, {} kept", made_count + late, recipe.kept.len());
    if late > 0 {
        agents.push_str(&format!(", {late} came in later"));
    }
    widgets::row(ui, "Agents", agents);
    let weights: String = recipe.weights_hash.chars().take(16).collect();
    widgets::row(ui, "Weights", weights).on_hover_text(&recipe.weights_hash);
}
