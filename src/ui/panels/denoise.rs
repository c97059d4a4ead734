//! The denoise timeline and the noise map: every step of the last run, every token's level.

use egui::Color32;
use egui::Rect;
use egui::Role;
use egui::Sense;
use egui::Stroke;
use egui::StrokeKind;
use egui::Ui;
use egui::WidgetInfo;
use egui::vec2;

use crate::codec::DT_S;
use crate::codec::NOW;
use crate::codec::T;
use crate::engine::StepLog;
use crate::scene::AgentId;
use crate::scene::Edit;
use crate::scene::Pin;
use crate::scene::Role as Part;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::editor::Editor;
use crate::ui::icons::Icon;
use crate::ui::lab::Lab;
use crate::ui::lab::LabAction;
use crate::ui::lab::Running;
use crate::ui::theme;
use crate::ui::theme::Tokens;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// Shows the timeline of steps on the left and the noise map on the right.
pub(crate) fn denoise_ui(ui: &mut Ui, editor: &Editor, lab: &Lab, actions: &mut Vec<Action>) {
    let Some(log) = &lab.log else { return };
    ui.add_space(3.0);
    let width = ui.available_width();
    let height = ui.available_height() - 8.0;
    // the steps' buttons need their room
    let map_width = (width * 0.46).min(width - 396.0).clamp(200.0, 560.0);
    let whole = Rect::from_min_size(ui.cursor().min, vec2(width, height));
    // neither is moved by what the other has to say
    let (left, right) = whole.split_left_right_at_x(whole.right() - map_width);
    let left = left.with_max_x(left.right() - 12.0);
    ui.scope_builder(egui::UiBuilder::new().max_rect(left), |ui| {
        ui.shrink_clip_rect(left);
        steps_ui(ui, (editor, lab), log, actions);
    });
    ui.scope_builder(egui::UiBuilder::new().max_rect(right), |ui| {
        map_ui(ui, editor, lab, log, actions);
    });
}

fn steps_ui(ui: &mut Ui, (editor, lab): (&Editor, &Lab), log: &StepLog, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    let last = log.records.len().saturating_sub(1);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        let mut button = |ui: &mut Ui, icon: Icon, command: Command| {
            let row = command.row();
            if widgets::icon_button(ui, icon, row.text, &command.hint()).clicked() {
                actions.push(Action::Run(command));
            }
        };
        button(ui, Icon::Start, Command::FirstStep);
        button(ui, Icon::Back, Command::PreviousStep);
        button(ui, Icon::Forward, Command::NextStep);
        button(ui, Icon::End, Command::LastStep);
        let icon = if lab.playing { Icon::Pause } else { Icon::Play };
        let tip = "Play the denoising";
        if widgets::icon_toggle(ui, icon, "Play denoising", tip, lab.playing, true).clicked() {
            actions.push(Action::Lab(LabAction::PlaySteps(!lab.playing)));
        }
        ui.add_space(6.0);
        let text = match (lab.step, &lab.running, lab.stopped) {
            (Some(step), _, stopped) => format!("Step {step} of {}", stopped.unwrap_or(last)),
            (None, Some(_), _) => format!("Step {last}"),
            (None, None, Some(total)) => format!("Stopped at step {last} of {total}"),
            (None, None, None) if lab.is_made(editor.committed()) => "Result".to_owned(),
            (None, None, None) => "The last run, not the scene shown".to_owned(),
        };
        ui.add(egui::Label::new(theme::strong(text, 12.5)).truncate());
        if lab.step.is_some() {
            ui.add_space(6.0);
            let mut noisy = lab.noisy;
            let choices = [
                (
                    false,
                    "Predicted",
                    "Where this step believes everyone will be",
                ),
                (true, "Noisy", "The tokens as they are at this step"),
            ];
            if widgets::segments(ui, &choices, &mut noisy) {
                actions.push(Action::Lab(LabAction::Noisy(noisy)));
            }
        }
    });
    ui.add_space(6.0);
    let tall = (ui.available_height() - 30.0).clamp(36.0, 120.0);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), tall), Sense::click_and_drag());
    let at = lab.step.unwrap_or(last);
    response.widget_info(|| WidgetInfo::slider(true, at as f64, "Denoising step"));
    // while a run is in progress the steps to come keep their room
    let total = lab.running.as_ref().map(|running| running.total);
    let coming = total.or(lab.stopped).map_or(0, |total| total + 1);
    let count = log.records.len().max(coming).max(1);
    let cell = rect.width() / count as f32;
    for (index, record) in log.records.iter().enumerate() {
        let level = mean_level(log, &record.levels);
        let x = rect.left() + cell * index as f32;
        let height = 5.0 + (tall - 6.0) * level;
        let bar = Rect::from_min_max(
            egui::pos2(x + 0.5, rect.bottom() - height),
            egui::pos2(x + (cell - 1.0).max(1.0), rect.bottom()),
        );
        let chosen = lab.step == Some(index);
        let color = if chosen {
            tokens.text
        } else {
            heat(level, tokens)
        };
        ui.painter().rect_filled(bar, 1.5, color);
    }
    if response.has_focus() {
        widgets::ring(ui, rect);
    }
    let command = match widgets::arrow_steps(ui, &response).signum() {
        -1 => Some(Command::PreviousStep),
        1 => Some(Command::NextStep),
        _ => None,
    };
    actions.extend(command.map(Action::Run));
    if let Some(at) = response.interact_pointer_pos()
        && (response.dragged() || response.clicked())
    {
        let index = ((at.x - rect.left()) / cell).floor().max(0.0) as usize;
        let step = (index < lab.steps_to_see()).then_some(index);
        actions.push(Action::Lab(LabAction::Look(step)));
    }
    response.on_hover_text("Noise left after each step; drag to look at a step");
    if lab.step.is_none() {
        let text = match lab.stopped {
            Some(_) => "the scene is as it was; the steps that were taken can be looked at",
            None => "noise on the left, the result on the right",
        };
        ui.label(theme::small(text).color(tokens.faint));
        return;
    }
    ui.horizontal(|ui| {
        let mut onion = lab.onion;
        let text = theme::small("Onion skins").color(tokens.dim);
        let tip = "Draw the paths of the three steps before and after, too";
        let shown = ui.checkbox(&mut onion, text).on_hover_text(tip);
        if shown.changed() {
            actions.push(Action::Lab(LabAction::Onion(onion)));
        }
        let again = lab.step.map_or(Vec::new(), |step| log.drawn_again(step));
        if !again.is_empty() {
            let who: Vec<&str> = again.into_iter().map(AgentId::as_str).collect();
            let text = theme::small(format!("Drawn again: {}", who.join(", "))).color(tokens.dim);
            ui.add(egui::Label::new(text).truncate()).on_hover_text(
                "They failed a gate (a contact, the road, impossible motion): they began again from noise, knowing everyone else's future",
            );
        }
    });
}

/// Mean level of the tokens that are made.
fn mean_level(log: &StepLog, levels: &[f32]) -> f32 {
    let mut sum = 0.0;
    let mut count = 0.0_f32;
    for row in made_rows(log) {
        for token in NOW + 1..T {
            if log.valid[row * T + token] {
                sum += levels[row * T + token];
                count += 1.0;
            }
        }
    }
    sum / count.max(1.0)
}

/// Rows whose future is made.
fn made_rows(log: &StepLog) -> impl Iterator<Item = usize> {
    (0..log.agents.len()).filter(|row| log.made.get(*row).copied().unwrap_or(false))
}

/// Colour of a noise level: 0 is the calm accent, 1 bright.
fn heat(level: f32, tokens: &Tokens) -> Color32 {
    let quiet = tokens.accent.gamma_multiply(0.55);
    quiet.lerp_to_gamma(tokens.goal, level.clamp(0.0, 1.0))
}

fn map_ui(ui: &mut Ui, editor: &Editor, lab: &Lab, log: &StepLog, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    let title = |ui: &mut Ui| {
        let (made, all) = (made_rows(log).count(), log.agents.len());
        let text = match made == all {
            true => "Noise map: agents by time".to_owned(),
            false => format!("Noise map: {made} of {all} agents, by time"),
        };
        let shown = ui.label(theme::small(text).color(tokens.dim));
        shown.on_hover_text("Those whose futures this run makes: everyone else goes as before");
    };
    let sides = egui::Sides::new().shrink_left().truncate();
    sides.show(ui, title, |ui| {
        let pinned = editor.committed().map_or(0, |scene| scene.pins.len());
        if pinned > 0 {
            let text = theme::small(format!("clear {pinned} pinned"));
            if ui.add(egui::Button::new(text).frame(false)).clicked() {
                actions.push(clear_pins(editor));
            }
        }
    });
    let rows: Vec<usize> = made_rows(log).collect();
    let size = vec2(
        ui.available_width(),
        (ui.available_height() - 8.0).max(60.0),
    );
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Grid, true, "Noise map"));
    if rows.is_empty() {
        return;
    }
    let height = (rect.height() / rows.len() as f32).min(16.0);
    let names = 72.0;
    let width = (rect.width() - names) / T as f32;
    let cell = |line: usize, token: usize| {
        Rect::from_min_size(
            egui::pos2(
                rect.left() + names + width * token as f32,
                rect.top() + height * line as f32,
            ),
            vec2((width - 1.0).max(1.0), (height - 1.0).max(1.0)),
        )
    };
    let last = log.records.len().saturating_sub(1);
    let Some(record) = log.records.get(lab.step.unwrap_or(last)) else {
        return;
    };
    let scene = editor.committed();
    let pin_of = |id: &AgentId, token: usize| {
        let pins = scene.map_or(&[][..], |scene| &scene.pins);
        pins.iter()
            .find(|pin| pin.agent == *id && pin.token == token)
    };
    // names of low rows are higher than these
    let painter = ui.painter_at(rect.expand2(vec2(0.0, 5.0)));
    let mut named_to = f32::NEG_INFINITY;
    for (line, row) in rows.iter().enumerate() {
        let id = &log.agents[*row];
        let chosen = editor.selection.contains(id);
        // where rows are low those who have a part keep their names, as far as these have room
        let middle = cell(line, 0).center().y;
        let has_part = chosen
            || scene
                .and_then(|scene| scene.agent(id))
                .is_some_and(|agent| agent.role != Part::Other);
        if height >= 7.0 || (has_part && middle - named_to >= 10.0) {
            let color = if chosen { tokens.text } else { tokens.faint };
            let font = egui::FontId::proportional(height.clamp(10.0, 11.0) - 1.0);
            let name = widgets::one_line(&painter, names - 6.0, &id.short(), font, color);
            let left = rect.left() + names - 6.0 - name.size().x;
            let at = egui::pos2(left, middle - name.size().y / 2.0);
            painter.galley(at, name, color);
            named_to = middle;
        }
        for token in 0..T {
            let area = cell(line, token);
            if !log.valid[row * T + token] {
                continue;
            }
            let level = record.levels[row * T + token];
            let color = if token <= NOW {
                tokens.line_strong
            } else {
                heat(level, tokens)
            };
            painter.rect_filled(area, 0.0, color); // round corners cost seven times the triangles
            if let Some(pin) = pin_of(id, token) {
                let color = if pin.level == 0.0 {
                    tokens.ego
                } else {
                    tokens.bad
                };
                let stroke = Stroke::new(1.6, color);
                painter.rect_stroke(area, 1.0, stroke, StrokeKind::Inside);
            }
        }
    }
    // the time cursor of the scene
    let token = (editor.time_s - log.now_s) / DT_S + NOW as f64;
    if (0.0..T as f64).contains(&token) {
        let x = rect.left() + names + width * (token as f32 + 0.5);
        painter.vline(
            x,
            rect.top()..=(rect.top() + height * rows.len() as f32).min(rect.bottom()),
            Stroke::new(1.0, tokens.text.gamma_multiply(0.6)),
        );
    }
    let Some(at) = response.hover_pos() else {
        return;
    };
    let line = ((at.y - rect.top()) / height).floor() as usize;
    let token = ((at.x - rect.left() - names) / width).floor();
    let (Some(row), true) = (rows.get(line), (0.0..T as f32).contains(&token)) else {
        return;
    };
    let (id, token) = (&log.agents[*row], token as usize);
    if response.clicked() && token > NOW {
        let now = pin_of(id, token).map(|pin| pin.level);
        actions.push(next_pin(id, token, now));
        actions.push(Action::Select(vec![id.clone()]));
    }
    let seconds = (token as f64 - NOW as f64) * DT_S;
    let level = record.levels[row * T + token];
    let pinned = match pin_of(id, token).map(|pin| pin.level) {
        None => "click keeps this token",
        Some(0.0) => "kept; click makes it anew",
        Some(_) => "made anew; click gives it back to the task",
    };
    let text = format!("{id}, {seconds:+.1} s: level {level:.2}\n{pinned}");
    response.on_hover_text_at_pointer(text);
}

/// None, keep, anew, and round again.
fn next_pin(id: &AgentId, token: usize, now: Option<f64>) -> Action {
    let agent = id.clone();
    let set = |agent: AgentId, level: f64| Edit::SetPin {
        pin: Pin {
            agent,
            token,
            level,
            extra: crate::map::Extra::new(),
        },
    };
    let edit = match now {
        None => set(agent, 0.0),
        Some(0.0) => set(agent, 1.0),
        Some(_) => Edit::ClearPin {
            agent,
            token: Some(token),
        },
    };
    Action::Commit {
        label: None,
        edits: vec![edit],
    }
}

fn clear_pins(editor: &Editor) -> Action {
    let mut agents: Vec<AgentId> = editor
        .committed()
        .map_or(&[][..], |scene| &scene.pins)
        .iter()
        .map(|pin| pin.agent.clone())
        .collect();
    agents.sort();
    agents.dedup();
    let edits = agents
        .into_iter()
        .map(|agent| Edit::ClearPin { agent, token: None })
        .collect();
    Action::Commit {
        label: Some("Clear the noise map".to_owned()),
        edits,
    }
}

/// A bar over the panes while a run is in progress.
pub(crate) fn progress_ui(ui: &Ui, running: &Running, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    let area = ui.max_rect();
    let share = running.taken as f32 / running.total.max(1) as f32;
    let bar = Rect::from_min_size(area.min, vec2(area.width() * share, 3.0));
    ui.painter().rect_filled(bar, 0.0, tokens.accent);
    // below the lines that say what the panes show
    let place = area.center_top() + vec2(-110.0, 78.0);
    egui::Area::new(widgets::id("progress"))
        .fixed_pos(place)
        .order(egui::Order::Middle)
        .show(ui.ctx(), |ui| {
            egui::Frame::new()
                .fill(tokens.panel)
                .stroke(Stroke::new(1.0, tokens.line_strong))
                .corner_radius(14.0)
                .inner_margin(egui::Margin::symmetric(12, 4))
                .show(ui, |ui| {
                    ui.horizontal(|ui| {
                        ui.add(egui::Spinner::new().size(11.0).color(tokens.accent));
                        ui.label(theme::small(running.text()));
                        if widgets::small_button(ui, "Cancel").clicked() {
                            actions.push(Action::Run(Command::Cancel));
                        }
                    });
                });
        });
}
