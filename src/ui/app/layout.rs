//! Where the panels, the panes and the dialogs stand.

use egui::Context;
use egui::Ui;
use egui::vec2;

use super::App;
use super::Failure;
use super::LeftTab;
use super::RightTab;
use super::release_focus;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::files::Request;
use crate::ui::first_start;
use crate::ui::icons::Icon;
use crate::ui::panels::agents;
use crate::ui::panels::compare;
use crate::ui::panels::denoise;
use crate::ui::panels::dialogs;
use crate::ui::panels::dialogs::Outcome;
use crate::ui::panels::generate;
use crate::ui::panels::help;
use crate::ui::panels::history;
use crate::ui::panels::inspector;
use crate::ui::panels::planner;
use crate::ui::panels::results;
use crate::ui::panels::status;
use crate::ui::panels::sweep;
use crate::ui::panels::top;
use crate::ui::panels::tray;
use crate::ui::panels::trial;
use crate::ui::sources::Source;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::timeline;
use crate::ui::widgets;

/// In a window less wide than this the left panel gives way to the map, points.
const ROOMY: f32 = 1160.0;

impl App {
    pub(super) fn layout(&mut self, ui: &mut Ui, frame_ms: f32, actions: &mut Vec<Action>) {
        // panels have no ground of their own: the window is cleared to theirs
        let bar = |side: i8| egui::Frame::new().inner_margin(egui::Margin::symmetric(side, 0));
        egui::Panel::top("top")
            .exact_size(42.0)
            .resizable(false)
            .frame(bar(10))
            .show(ui, |ui| {
                top::top_ui(ui, &self.editor, &self.panes, self.settings.dark, actions);
            });
        let busy = self.busy();
        egui::Panel::bottom("status")
            .exact_size(25.0)
            .resizable(false)
            .frame(bar(12))
            .show(ui, |ui| {
                let of = (&self.editor, &self.panes, &self.lab.model);
                status::status_ui(ui, of, &busy, frame_ms);
            });
        // a narrow window is for the map first; whoever asks for the panel has it
        let narrow = ui.ctx().content_rect().width() < ROOMY;
        if narrow != self.narrow {
            self.narrow = narrow;
            self.collapsed = narrow;
        }
        if self.settings.left && !self.collapsed {
            egui::Panel::left("left")
                .default_size(268.0)
                .size_range(210.0..=460.0)
                .frame(bar(10))
                .show(ui, |ui| self.left(ui, actions));
        }
        if self.settings.right {
            egui::Panel::right("right")
                .default_size(328.0)
                .size_range(260.0..=520.0)
                .frame(bar(12))
                .show(ui, |ui| self.right(ui, actions));
        }
        egui::Panel::bottom("time")
            .exact_size(92.0)
            .resizable(false)
            .frame(bar(10))
            .show(ui, |ui| {
                timeline::timeline_ui(ui, &self.editor, &mut self.events, actions);
            });
        if self.lab.log.is_some() && self.editor.document().is_some() {
            let height = (ui.ctx().content_rect().height() * 0.165).clamp(132.0, 240.0);
            egui::Panel::bottom("denoise")
                .exact_size(height)
                .resizable(false)
                .frame(bar(10))
                .show(ui, |ui| {
                    denoise::denoise_ui(ui, &self.editor, &self.lab, actions);
                });
        }
        egui::CentralPanel::no_frame().show(ui, |ui| self.centre(ui, actions));
    }

    fn left(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let choices = [
            (LeftTab::Scenes, "Scenes"),
            (LeftTab::Agents, "Agents"),
            (LeftTab::History, "History"),
        ];
        widgets::tabs(ui, &choices, &mut self.left_tab);
        match self.left_tab {
            LeftTab::Scenes => self.scenes.show(ui, &self.settings.recents, actions),
            LeftTab::Agents => {
                agents::agents_ui(ui, &self.editor, &mut self.agent_filter, actions);
            }
            LeftTab::History => {
                history::history_ui(ui, &self.editor, &mut self.naming, actions);
            }
        }
        for (path, pick) in self.scenes.take_wanted() {
            self.files.ask_picture(path, pick);
        }
    }

    fn right(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let choices = [
            (RightTab::Generate, "Generate"),
            (RightTab::Planner, "Planner"),
            (RightTab::Results, "Results"),
            (RightTab::Selection, "Selection"),
            (RightTab::Tray, "Tray"),
        ];
        widgets::tabs(ui, &choices, &mut self.right_tab);
        match self.right_tab {
            RightTab::Selection => {
                inspector::inspector_ui(ui, &self.editor, &mut self.curves, actions);
            }
            RightTab::Generate => generate::generate_ui(ui, &self.editor, &self.lab, actions),
            RightTab::Planner => planner::planner_ui(ui, &self.editor, &self.planning, actions),
            RightTab::Results => self.results(ui, actions),
            RightTab::Tray => tray::tray_ui(ui, &self.lab, &mut self.writing, actions),
        }
    }

    fn results(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        ui.add_space(8.0);
        let choices = [
            (false, "This scene", "Gates, fault, escape, metrics, recipe"),
            (true, "Compare panes", "Who moved, and each metric per pane"),
        ];
        widgets::segments(ui, &choices, &mut self.comparing);
        if !self.comparing {
            let worked_out = (&mut self.measures, &mut self.why);
            results::results_ui(ui, (&self.editor, &self.lab), worked_out, actions);
            return;
        }
        // what is dragged is compared when it is let go
        let mut views = self.views.clone();
        if self.editor.previewing() {
            for view in views.iter_mut().filter(|view| view.source == Source::Scene) {
                view.scene = self.editor.committed().cloned();
            }
        }
        let worked_out = (&mut self.measures, &mut self.changes);
        let planned: Vec<_> = views
            .iter()
            .enumerate()
            .map(|(pane, view)| match self.panes.planners[pane] {
                Some(_) => self.planning.explained(Some(pane)),
                None if view.source == Source::Scene => self.planning.explained(None),
                None => None,
            })
            .collect();
        let views = (&*views, &*planned);
        compare::compare_ui(ui, views, worked_out, &mut self.compare, actions);
    }

    fn centre(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        if self.editor.document().is_some() {
            let area = ui.max_rect();
            let made = self.made();
            let shown = made.scene.as_ref().or(self.editor.scene());
            let own = std::array::from_fn(|pane| {
                let view = made.views.get(pane)?;
                let scene = match view.source {
                    Source::Scene => shown,
                    _ => view.scene.as_ref(),
                };
                self.panes.planners[pane].zip(scene.cloned())
            });
            self.planning.follow(shown, own, self.editor.time_s);
            self.panes.show(ui, &self.editor, &made, actions);
            self.views = made.views;
            if let Some(running) = &self.lab.running {
                denoise::progress_ui(ui, running, actions);
            }
            self.callouts(ui, area);
            return;
        }
        ui.painter()
            .rect_filled(ui.max_rect(), 0.0, tokens(ui).base);
        let middle = ui.max_rect().shrink2(vec2(40.0, 0.0));
        let builder = egui::UiBuilder::new().max_rect(middle);
        ui.scope_builder(builder, |ui| {
            ui.add_space((middle.height() * 0.32).max(20.0));
            if let Some(failure) = &self.failure {
                failure_ui(ui, failure, actions);
            } else if let Some(opening) = &self.opening {
                ui.vertical_centered(|ui| {
                    ui.add(egui::Spinner::new().size(26.0));
                    ui.label(format!("Opening {opening}…"));
                });
            } else {
                welcome_ui(ui, actions);
            }
        });
    }

    /// The callouts of the first start, and the result with which its scene is opened.
    fn callouts(&mut self, ui: &Ui, area: egui::Rect) {
        if self.first_start.result_due && self.lab.open_generated(&self.editor) {
            self.first_start.result_due = false;
        }
        self.first_start.watch(&self.lab);
        if let (false, Some(scene)) = (self.first_start.over(), self.editor.committed()) {
            let screen = self.panes.working_screen();
            let shown = (screen, self.panes.legend);
            first_start::callouts_ui(ui, area, &mut self.first_start, shown, scene);
        }
        self.settings.welcomed = self.first_start.over();
    }

    fn busy(&self) -> status::Busy {
        let text = match (&self.opening, self.saving) {
            (Some(opening), _) => format!("Opening {opening}…"),
            (None, true) => "Writing and checking…".to_owned(),
            (None, false) if self.lab.world_runs() => {
                "The world runs on; drag anyone in it. W or Esc stops it".to_owned()
            }
            (None, false) if self.lab.attacks.searching => "Looking for attacks…".to_owned(),
            (None, false) => match (
                &self.lab.running,
                self.exporting
                    .text()
                    .or(self.trial.text())
                    .or(self.lab.sweep.text()),
            ) {
                (Some(running), None) => running.text(),
                (Some(running), Some(text)) => format!("{}   {text}", running.text()),
                (None, Some(text)) => text,
                (None, None) => String::new(),
            },
        };
        status::Busy { text }
    }

    pub(super) fn dialogs(&mut self, context: &Context, actions: &mut Vec<Action>) {
        if let Some(palette) = &mut self.palette
            && !palette.show(context, actions)
        {
            self.palette = None;
            release_focus(context);
        }
        if self.help {
            self.help = help::help_ui(context, actions);
        }
        if let Some(field) = &mut self.path_field {
            let files = &self.files;
            let mut ask = |typed: String| files.ask(Request::Complete { typed });
            let purpose = field.purpose;
            match field.show(context, &mut ask) {
                Outcome::Open => {}
                Outcome::Closed => {
                    self.path_field = None;
                    release_focus(context);
                    self.passed_over(purpose);
                }
                Outcome::Chosen(path) => {
                    self.path_field = None;
                    release_focus(context);
                    self.picked(purpose, path);
                }
            }
        }
        self.export_dialog(context);
        if self.trial.open {
            let of = (&self.editor, &self.lab);
            trial::trial_ui(context, of, (&self.planning, &self.trial), actions);
        }
        if self.lab.sweep.open {
            sweep::sweep_ui(context, (&self.editor, &self.lab), &self.trial, actions);
        }
        self.unsaved_dialog(context);
        self.rename_dialog(context);
        if !self.recoveries.is_empty()
            && self.unsaved.is_none()
            && !dialogs::recovery_ui(context, &self.recoveries, actions)
            && !actions
                .iter()
                .any(|action| matches!(action, Action::Recover(_) | Action::ForgetRecovery))
        {
            self.recoveries.clear();
        }
    }
}

fn failure_ui(ui: &mut Ui, failure: &Failure, actions: &mut Vec<Action>) {
    let tokens = tokens(ui);
    let name = failure.path.file_name().unwrap_or(failure.path.as_os_str());
    let title = format!("{} was not opened", name.to_string_lossy());
    let pressed = widgets::empty_state(
        ui,
        Icon::Warning,
        &title,
        &failure.message,
        Some("Open another file"),
    );
    if pressed {
        actions.push(Action::Run(Command::Open));
    }
    ui.vertical_centered(|ui| {
        let text = theme::small("Copy details").color(tokens.dim);
        if ui.add(egui::Button::new(text).frame(false)).clicked() {
            let text = format!("{}\n{}", failure.path.display(), failure.message);
            ui.ctx().copy_text(text);
        }
    });
}

fn welcome_ui(ui: &mut Ui, actions: &mut Vec<Action>) {
    let text = "Drop a file here, or open one: Nearmiss JSON, ScenarioNet, Waymo Motion, GPUDrive, Nocturne, CommonRoad, OpenSCENARIO, OpenDRIVE, Argoverse 2, Lanelet2, INTERACTION, levelX, highD, SUMO.";
    if widgets::empty_state(ui, Icon::Open, "Open a driving scene", text, Some("Open…")) {
        actions.push(Action::Run(Command::Open));
    }
}

/// A frame around the window while a file hovers over it.
pub(super) fn drop_hint(context: &Context) {
    let hovering = context.input(|input| !input.raw.hovered_files.is_empty());
    if !hovering {
        return;
    }
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop hint"));
    let painter = context.layer_painter(layer);
    let rect = context.content_rect();
    let tokens = if context.theme() == egui::Theme::Dark {
        &theme::DARK
    } else {
        &theme::LIGHT
    };
    painter.rect_filled(rect, 0.0, tokens.base.gamma_multiply(0.8));
    let stroke = egui::Stroke::new(3.0, tokens.accent);
    painter.rect_stroke(rect.shrink(8.0), 10.0, stroke, egui::StrokeKind::Inside);
    painter.text(
        rect.center(),
        egui::Align2::CENTER_CENTER,
        "Drop to open",
        egui::FontId::new(22.0, theme::semibold()),
        tokens.text,
    );
}
