//! The export dialog: a case, a picture, a clip or a table; where to, how large, and the command that does the same.

use egui::Ui;
use egui::vec2;

use crate::data::Target;
use crate::render::FRAME_RATES;
use crate::scene::VERSION;
use crate::ui::export::Along;
use crate::ui::export::Choices;
use crate::ui::export::Kind;
use crate::ui::export::Plan;
use crate::ui::export::Shown;
use crate::ui::export::Which;
use crate::ui::exporter::kilobytes;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::widgets;
use crate::ui::widgets::label;

/// What the user wants of the dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Write it.
    Run,
    /// Stop writing.
    Cancel,
    /// Copy the command line.
    Copy,
    /// Choose the place in the system's dialog.
    Browse,
    /// Close the dialog; what runs goes on.
    Close,
}

/// What the dialog shows beside the choices.
pub(crate) struct Facts<'a> {
    /// What would be done, or why nothing can be.
    pub plan: &'a Result<Plan, String>,
    /// Length of the scene, s.
    pub duration_s: f64,
    /// Sources on screen.
    pub panes: usize,
    /// The scene is what the planner drove, with its plans.
    pub driven: bool,
    /// Samples, kept cases, and what a sweep made that is valid.
    pub counts: [usize; 3],
    /// Bytes and frames of the clip, or bytes and number of the cases, once they are known.
    pub estimate: Option<(u64, usize)>,
    /// Pictures made and to be made.
    pub running: Option<(usize, usize)>,
    /// What became of the last export.
    pub said: Option<(bool, &'a str)>,
    /// What would be written is there already.
    pub exists: bool,
    /// The system has a file dialog.
    pub can_browse: bool,
}

/// Shows the dialog.
pub(crate) fn export_ui(
    context: &egui::Context,
    choices: &mut Choices,
    facts: &Facts<'_>,
) -> Option<Wish> {
    let mut wish = None;
    let modal = widgets::modal(context, "export").show(context, |ui| {
        ui.set_width(560.0);
        ui.label(theme::strong("Export", 17.0));
        let kinds = [
            (Kind::Case, "Case (JSON)"),
            (Kind::Foreign, "Other formats"),
            (Kind::Picture, "Picture"),
            (Kind::Clip, "Clip"),
            (Kind::Table, "Table"),
            (Kind::Report, "Report"),
        ];
        widgets::tabs(ui, &kinds, &mut choices.kind);
        ui.add_space(6.0);
        let room = vec2(ui.available_width(), 270.0);
        ui.allocate_ui(room, |ui| {
            ui.set_min_size(room);
            ui.add_enabled_ui(facts.running.is_none(), |ui| match choices.kind {
                Kind::Case => case_ui(ui, choices, facts),
                Kind::Foreign => foreign_ui(ui, choices, facts),
                Kind::Picture => picture_ui(ui, choices, facts),
                Kind::Clip => clip_ui(ui, choices, facts),
                Kind::Table => table_ui(ui, choices, facts),
                Kind::Report => report_ui(ui, choices, facts),
            });
        });
        place_ui(ui, choices, facts, &mut wish);
        ui.add_space(4.0);
        state_ui(ui, choices, facts);
        ui.add_space(6.0);
        buttons_ui(ui, facts, &mut wish);
    });
    if modal.should_close() && wish.is_none() {
        wish = Some(Wish::Close);
    }
    wish
}

fn which_ui(ui: &mut Ui, choices: &mut Choices, facts: &Facts<'_>) {
    let [samples, kept, swept] = facts.counts;
    let samples = format!("Samples ({samples})");
    let kept = format!("Tray ({kept})");
    let sweep = format!("Sweep ({swept})");
    let mut which = vec![
        (
            Which::Present,
            "Scene on screen",
            "As it is now, without a drag in progress",
        ),
        (
            Which::Samples,
            samples.as_str(),
            "All samples of the last request, one file each",
        ),
        (
            Which::Tray,
            kept.as_str(),
            "All kept cases, one file each, with names and notes",
        ),
    ];
    if swept > 0 || choices.which == Which::Sweep {
        let tip = "All that the last sweep made and that passes every gate, one file each";
        which.push((Which::Sweep, sweep.as_str(), tip));
    }
    widgets::section(ui, "What");
    widgets::segments(ui, &which, &mut choices.which);
}

fn case_ui(ui: &mut Ui, choices: &mut Choices, facts: &Facts<'_>) {
    which_ui(ui, choices, facts);
    widgets::section(ui, "With it");
    let whole = ui.checkbox(&mut choices.window, "Only the model's window");
    whole.on_hover_text("From two seconds before the present to the end, time counted from 0, instead of the whole scene");
    let possible = choices.which == Which::Present;
    ui.add_enabled_ui(possible, |ui| {
        let steps = ui.checkbox(&mut choices.steps, "Denoising steps, one scene each");
        steps.on_hover_text("In a folder beside the case; of the last run");
        let modes = ui.checkbox(&mut choices.modes, "The planner's modes with their scores");
        modes.on_hover_text("In NAME.plan.json beside the case; of the plan on screen");
    });
    ui.add_enabled_ui(!possible, |ui| {
        let bundle = ui.checkbox(&mut choices.bundle, "All cases in one file");
        bundle.on_hover_text("Instead of one file each in a folder; opens as a list of cases");
    });
    let always = "Always in it: map, agents, log, goals, attacks, edits, and of a generated case its recipe (program and \
                  weights, seed, schedule, guidance, noise set by hand), gates, fault, escape and metrics.";
    ui.add_space(4.0);
    ui.add(egui::Label::new(theme::small(always).color(tokens(ui).dim)).wrap());
    let text =
        format!("Format nearmiss/scene, version {VERSION}. Read again and compared after writing.");
    ui.add(egui::Label::new(theme::small(text).color(tokens(ui).faint)).wrap());
}

fn foreign_ui(ui: &mut Ui, choices: &mut Choices, facts: &Facts<'_>) {
    widgets::section(ui, "Format");
    let formats = [
        (
            Target::OpenScenario,
            "OpenSCENARIO",
            "Version 1.1 with an OpenDRIVE road beside it, as esmini plays it",
        ),
        (
            Target::CommonRoad,
            "CommonRoad",
            "XML, version 2020a, with a planning problem for the ego",
        ),
        (
            Target::GpuDrive,
            "GPUDrive",
            "JSON, 91 frames at 10 Hz with the present at frame 10",
        ),
    ];
    widgets::segments(ui, &formats, &mut choices.format);
    which_ui(ui, choices, facts);
    widgets::section(ui, "With it");
    let whole = ui.checkbox(&mut choices.window, "Only the model's window");
    whole.on_hover_text("From two seconds before the present to the end, time counted from 0, instead of the whole scene");
    let text = "Map, agents with their states, signals and the ego's goal, as far as the format holds them; no recipe, gates or \
                metrics. Read again and compared after writing; what was left out is said.";
    ui.add_space(4.0);
    ui.add(egui::Label::new(theme::small(text).color(tokens(ui).dim)).wrap());
}

fn picture_ui(ui: &mut Ui, choices: &mut Choices, facts: &Facts<'_>) {
    widgets::section(ui, "What");
    let shown = [
        (
            Shown::Pane,
            "This pane",
            "The pane with the scene that is worked on, at the time cursor",
        ),
        (Shown::Panes, "All panes", ALL_PANES),
        (
            Shown::Film,
            "Film strip",
            "Moments of the scene, side by side",
        ),
        (
            Shown::Denoise,
            "Denoise strip",
            "Denoising steps of the last run, side by side",
        ),
    ];
    widgets::segments(ui, &shown, &mut choices.shown);
    if choices.shown == Shown::Panes {
        one_pane_ui(ui, facts);
    }
    ui.add_space(4.0);
    grid(ui, "picture", |ui| {
        if matches!(choices.shown, Shown::Film | Shown::Denoise) {
            label(ui, "Pictures");
            let field = egui::DragValue::new(&mut choices.count)
                .range(2..=16)
                .speed(0.05);
            ui.add(field).accessible_name("Pictures in the strip");
            ui.end_row();
        }
        if choices.shown == Shown::Film {
            moments_ui(ui, choices, facts);
        }
        label(ui, "Scale");
        let scales = [
            (1.0, "1×", "As on screen"),
            (2.0, "2×", "For slides"),
            (3.0, "3×", "For print"),
            (4.0, "4×", "For large print"),
        ];
        widgets::segments(ui, &scales, &mut choices.scale);
        ui.end_row();
        look_ui(ui, choices, facts);
    });
}

fn clip_ui(ui: &mut Ui, choices: &mut Choices, facts: &Facts<'_>) {
    widgets::section(ui, "What");
    let along = [
        (Along::Scene, "Scene time", "The scene plays"),
        (
            Along::Denoise,
            "Denoise time",
            "Every denoising step of the last run, seen from the present",
        ),
        (
            Along::Both,
            "Both",
            "First the denoising, then the scene plays",
        ),
    ];
    widgets::segments(ui, &along, &mut choices.along);
    let panes = [
        (false, "This pane", "The scene that is worked on"),
        (true, "All panes", ALL_PANES),
    ];
    ui.add_space(2.0);
    widgets::segments(ui, &panes, &mut choices.all_panes);
    if choices.all_panes {
        one_pane_ui(ui, facts);
    }
    ui.add_space(4.0);
    grid(ui, "clip", |ui| {
        label(ui, "As");
        let media = [
            (false, "GIF", "One file, 256 colours, plays anywhere"),
            (
                true,
                "Numbered PNGs",
                "frame-0001.png and so on in a folder, for a video program",
            ),
        ];
        widgets::segments(ui, &media, &mut choices.frames);
        ui.end_row();
        if choices.along != Along::Denoise {
            moments_ui(ui, choices, facts);
        }
        label(ui, "Frames per second");
        let field = egui::DragValue::new(&mut choices.fps)
            .range(FRAME_RATES)
            .speed(0.2);
        ui.add(field).accessible_name("Frames per second");
        ui.end_row();
        label(ui, "Width");
        let field = egui::DragValue::new(&mut choices.width)
            .range(160..=3840)
            .suffix(" px");
        ui.add(field).accessible_name("Width of the clip");
        ui.end_row();
        look_ui(ui, choices, facts);
    });
}

/// What *All panes* means.
const ALL_PANES: &str =
    "Everything on screen in one picture: all panes, or two sources in one, as they are compared";

fn one_pane_ui(ui: &mut Ui, facts: &Facts<'_>) {
    if facts.panes == 1 {
        let text = theme::small("One pane is on screen; keys 2 and 4 show more.");
        ui.label(text.color(tokens(ui).dim));
    }
}

fn table_ui(ui: &mut Ui, choices: &mut Choices, facts: &Facts<'_>) {
    widgets::section(ui, "Rows");
    let rows = [
        (
            false,
            "One per case",
            "Recipe, gates and metrics of each case",
        ),
        (
            true,
            "One per denoising step",
            "Noise left and metrics of each step of the last run",
        ),
    ];
    widgets::segments(ui, &rows, &mut choices.per_step);
    if !choices.per_step {
        which_ui(ui, choices, facts);
    }
    ui.add_space(4.0);
    let text = "Comma-separated values, one heading line; beside each metric stands over how many items it was taken.";
    ui.add(egui::Label::new(theme::small(text).color(tokens(ui).dim)).wrap());
}

fn report_ui(ui: &mut Ui, choices: &mut Choices, facts: &Facts<'_>) {
    which_ui(ui, choices, facts);
    ui.add_space(4.0);
    let text = "A folder with a page for a browser: a table of all cases, and of each its clip, what was asked for, gates, fault, \
                escape and metrics, and what planners came to that have driven it (Try planners, Ctrl+Shift+D). The cases lie \
                beside it. Whoever is to see it needs no Nearmiss.";
    ui.add(egui::Label::new(theme::small(text).color(tokens(ui).dim)).wrap());
    ui.add_space(4.0);
    grid(ui, "report", |ui| {
        label(ui, "Clips");
        let styles = [
            ("dark", "Dark", "As on screen"),
            ("light", "Light", "For a bright room"),
            ("print", "Print", "For paper: white ground"),
        ];
        widgets::segments(ui, &styles, &mut choices.style);
        ui.end_row();
    });
}

fn moments_ui(ui: &mut Ui, choices: &mut Choices, facts: &Facts<'_>) {
    label(ui, "From, to");
    ui.horizontal(|ui| {
        let [from_s, to_s] = &mut choices.span_s;
        ui.add(moment(from_s, facts.duration_s))
            .accessible_name("First moment");
        ui.add(moment(to_s, facts.duration_s))
            .accessible_name("Last moment");
        *to_s = to_s.max(*from_s);
        if widgets::small_button(ui, "Whole scene").clicked() {
            choices.span_s = [0.0, facts.duration_s];
        }
    });
    ui.end_row();
}

fn moment(value: &mut f64, duration_s: f64) -> egui::DragValue<'_> {
    egui::DragValue::new(value)
        .range(0.0..=duration_s)
        .speed(0.1)
        .fixed_decimals(1)
        .suffix(" s")
}

fn look_ui(ui: &mut Ui, choices: &mut Choices, facts: &Facts<'_>) {
    label(ui, "Colours");
    let styles = [
        ("dark", "Dark", "For screens"),
        ("light", "Light", "For slides"),
        (
            "print",
            "Print",
            "White ground, no shadows; colours told apart in print",
        ),
    ];
    widgets::segments(ui, &styles, &mut choices.style);
    ui.end_row();
    label(ui, "With it");
    ui.horizontal(|ui| {
        ui.checkbox(&mut choices.legend, "Legend");
        ui.checkbox(&mut choices.caption, "Time or step");
        let tip = match choices.kind {
            Kind::Picture if matches!(choices.shown, Shown::Pane | Shown::Panes) => {
                Some("As on screen, while the planner plans along")
            }
            Kind::Clip if facts.driven && choices.along != Along::Denoise => {
                Some("Those of the plan that is followed at each moment of the drive")
            }
            _ => None,
        };
        if let Some(tip) = tip {
            ui.checkbox(&mut choices.plan, "Planner's modes")
                .on_hover_text(tip);
        }
    });
    ui.end_row();
}

fn grid(ui: &mut Ui, name: &str, content: impl FnOnce(&mut Ui)) {
    let grid = egui::Grid::new(("export", name))
        .num_columns(2)
        .spacing([14.0, 6.0]);
    grid.show(ui, content);
}

fn place_ui(ui: &mut Ui, choices: &mut Choices, facts: &Facts<'_>, wish: &mut Option<Wish>) {
    ui.horizontal(|ui| {
        label(ui, "Folder");
        let browse = if facts.can_browse { 78.0 } else { 0.0 };
        let width = (ui.available_width() - 236.0 - browse).max(120.0);
        let field = egui::TextEdit::singleline(&mut choices.folder).desired_width(width);
        ui.add(field).accessible_name("Folder");
        label(ui, "Name");
        let field = egui::TextEdit::singleline(&mut choices.stem).desired_width(166.0);
        ui.add(field).accessible_name("Name without ending");
        if facts.can_browse && ui.button("Browse…").clicked() {
            *wish = Some(Wish::Browse);
        }
    });
}

/// What will happen, happens, or happened.
fn state_ui(ui: &mut Ui, choices: &Choices, facts: &Facts<'_>) {
    let tokens = tokens(ui);
    let (text, color) = match (facts.running, facts.said, facts.plan) {
        (Some((done, total)), ..) => {
            let share = done as f32 / total.max(1) as f32;
            let text = match total {
                0 => "preparing".to_owned(),
                _ if choices.kind == Kind::Report => format!("{:.0} %", 100.0 * share),
                total => format!("{done} of {total}"),
            };
            let bar = egui::ProgressBar::new(share)
                .text(text)
                .desired_height(18.0);
            ui.add(bar);
            return;
        }
        (None, _, Err(why)) => (why.clone(), tokens.warn),
        (None, Some((true, said)), _) => (said.to_owned(), tokens.good),
        (None, Some((false, said)), _) => (said.to_owned(), tokens.bad),
        (None, None, Ok(_)) => {
            let target = choices.target().display().to_string();
            let size = match (choices.kind, facts.estimate) {
                (Kind::Clip, Some((bytes, frames))) => {
                    format!("  ({frames} frames, about {})", kilobytes(bytes))
                }
                (Kind::Clip, None) => "  (measuring its size…)".to_owned(),
                (Kind::Case, Some((bytes, 1))) => format!("  ({})", kilobytes(bytes)),
                (Kind::Case, Some((bytes, count))) if choices.bundle => {
                    format!("  ({count} cases, {})", kilobytes(bytes))
                }
                (Kind::Case, Some((bytes, count))) => {
                    format!("  ({count} files, {})", kilobytes(bytes))
                }
                _ => String::new(),
            };
            match facts.exists {
                true => (
                    format!("{target}{size} is there already and will be replaced"),
                    tokens.warn,
                ),
                false => (format!("{target}{size}"), tokens.dim),
            }
        }
    };
    ui.add(egui::Label::new(theme::small(text).color(color)).wrap());
}

fn buttons_ui(ui: &mut Ui, facts: &Facts<'_>, wish: &mut Option<Wish>) {
    ui.horizontal(|ui| {
        if facts.running.is_some() {
            if ui.button("Cancel").clicked() {
                *wish = Some(Wish::Cancel);
            }
            let close = ui.button("Close").on_hover_text("The export goes on");
            if close.clicked() {
                *wish = Some(Wish::Close);
            }
            return;
        }
        let ready = facts.plan.is_ok();
        let go = ui
            .add_enabled_ui(ready, |ui| {
                widgets::primary(ui, if facts.exists { "Replace" } else { "Export" })
            })
            .inner;
        if ready && go.clicked() {
            *wish = Some(Wish::Run);
        }
        let line = facts
            .plan
            .as_ref()
            .ok()
            .and_then(|plan| plan.command.as_deref());
        let copy = ui.add_enabled(line.is_some(), egui::Button::new("Copy command line"));
        if copy.clicked() {
            *wish = Some(Wish::Copy);
        }
        match line {
            Some(line) => copy.on_hover_text(line),
            None => copy
                .on_disabled_hover_text("No command makes this again: only what a model made has one, and planner's modes of one pane with nothing set by hand"),
        };
        if ui.button("Close").clicked() {
            *wish = Some(Wish::Close);
        }
    });
}
