//! The tray: cases worth keeping, to be looked at again and written out together.

use egui::Ui;
use egui::vec2;

use crate::scene::SWEPT;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::icons::Icon;
use crate::ui::lab::Case;
use crate::ui::lab::Lab;
use crate::ui::lab::LabAction;
use crate::ui::sources::given_words;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::tray::Kept;
use crate::ui::tray::Tray;
use crate::ui::widgets;

/// What is typed in the tray: the case whose name and note are open, by position, and the name as it stands there.
#[derive(Debug, Default)]
pub(crate) struct Writing(Option<(usize, String)>);

/// Shows the tray.
pub(crate) fn tray_ui(ui: &mut Ui, lab: &Lab, writing: &mut Writing, actions: &mut Vec<Action>) {
    let cases = lab.tray.cases();
    if cases.is_empty() {
        let text = "Keep a scene with K; all kept cases can be written out together.";
        widgets::empty_state(ui, Icon::Tray, "The tray is empty", text, None);
        return;
    }
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        let groups = lab.tray.groups().len();
        let text = match (cases.len(), groups) {
            (1, _) => "1 case".to_owned(),
            (count, groups) if count == groups => format!("{count} cases"),
            (count, groups) => format!("{count} cases, {groups} different"),
        };
        ui.label(theme::small(text).color(tokens(ui).dim))
            .on_hover_text(Tray::measure().sentence());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let export = Command::ExportCases;
            let drive = Command::TryPlanners;
            if ui
                .button(drive.row().text)
                .on_hover_text(drive.hint())
                .clicked()
            {
                actions.push(Action::Run(drive));
            }
            if ui
                .button("Export all…")
                .on_hover_text(export.hint())
                .clicked()
            {
                actions.push(Action::Run(export));
            }
        });
    });
    widgets::scrolled(ui, "tray", |ui| {
        for group in lab.tray.groups() {
            group_ui(ui, lab, group, writing, actions);
        }
        let text = theme::small(Tray::measure().sentence()).color(tokens(ui).faint);
        ui.add(egui::Label::new(text).wrap());
    });
}

/// A case, and those nearly the same under it if they are unfolded.
fn group_ui(
    ui: &mut Ui,
    lab: &Lab,
    group: &[usize],
    writing: &mut Writing,
    actions: &mut Vec<Action>,
) {
    let Some((&first, others)) = group.split_first() else {
        return;
    };
    kept_ui(ui, lab, first, writing, actions);
    if others.is_empty() {
        return;
    }
    let open = lab.tray.is_unfolded(group);
    let text = match (open, others.len()) {
        (true, _) => "Fold up those nearly the same".to_owned(),
        (false, count) => format!("Show {count} nearly the same"),
    };
    let button = egui::Button::new(theme::small(text).color(tokens(ui).accent)).frame(false);
    let tip = Tray::measure().sentence();
    if ui.add(button).on_hover_text(tip).clicked() {
        push(actions, LabAction::FoldKept(first));
    }
    if open {
        ui.indent(("alike", first), |ui| {
            for &index in others {
                kept_ui(ui, lab, index, writing, actions);
            }
        });
    }
}

/// One case: a click shows it; its name and note open under it.
fn kept_ui(ui: &mut Ui, lab: &Lab, index: usize, writing: &mut Writing, actions: &mut Vec<Action>) {
    let Some(kept) = lab.tray.cases().get(index) else {
        return;
    };
    let case = &kept.case;
    let response = case_ui(ui, case, false, 46.0);
    let corner = egui::Rect::from_min_size(
        response.rect.right_top() + vec2(-46.0, 4.0),
        vec2(42.0, 20.0),
    );
    let builder = egui::UiBuilder::new()
        .id_salt(("kept", index))
        .max_rect(corner);
    // over the row, without moving what comes below it
    let mut over = ui.new_child(builder);
    let (edit, close) = over
        .horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            let edit = format!("Name and note of {}", case.name);
            let open = writing.0.as_ref().is_some_and(|(of, _)| *of == index);
            let edit = widgets::row_icon(ui, Icon::Down, &edit, "Name and note", open);
            let close = format!("Remove {}", case.name);
            let tip = "Remove from the tray";
            let close = widgets::row_icon(ui, Icon::Close, &close, tip, false);
            (edit.clicked(), close.clicked())
        })
        .inner;
    if close {
        writing.0 = None;
        push(actions, LabAction::DropKept(index));
    } else if edit {
        let closed = writing.0.take();
        if closed.as_ref().is_none_or(|(of, _)| *of != index) {
            writing.0 = Some((index, case.name.clone()));
        }
        // one click may take focus from the field and close it
        if let Some((of, name)) = closed {
            push(actions, LabAction::RenameKept(of, name));
        }
    } else if response.clicked() {
        push(actions, LabAction::OpenKept(index));
    }
    if let Some((_, name)) = writing.0.as_mut().filter(|(of, _)| *of == index) {
        words_ui(ui, kept, (index, name), actions);
    } else if !kept.note.is_empty() {
        let text = theme::small(kept.note.clone()).color(tokens(ui).dim);
        ui.add(egui::Label::new(text).wrap());
    }
}

/// The fields of a case. What is typed stays as it is while its field has focus; a blank name or Escape brings the old
/// one back.
fn words_ui(
    ui: &mut Ui,
    kept: &Kept,
    (index, name): (usize, &mut String),
    actions: &mut Vec<Action>,
) {
    let field = egui::TextEdit::singleline(name).desired_width(f32::INFINITY);
    let response = ui.add(field).accessible_name("Name of the case");
    if response.lost_focus() {
        let escape = ui.input(|input| input.key_pressed(egui::Key::Escape));
        if escape || name.trim().is_empty() {
            name.clone_from(&kept.case.name);
        }
        *name = name.trim().to_owned();
        if *name != kept.case.name {
            push(actions, LabAction::RenameKept(index, name.clone()));
        }
    }
    let mut note = kept.note.clone();
    let field = egui::TextEdit::multiline(&mut note)
        .hint_text("A note: why it is worth keeping")
        .desired_rows(2)
        .desired_width(f32::INFINITY);
    let response = ui.add(field).accessible_name("Note on the case");
    if response.changed() {
        push(actions, LabAction::NoteKept(index, note));
    }
}

fn push(actions: &mut Vec<Action>, wish: LabAction) {
    actions.push(Action::Lab(wish));
}

/// The name of a case in its row: of a sweep's case what tells it from the others first.
fn row_name(case: &Case) -> String {
    let swept = case.scene.extra.contains_key(SWEPT);
    match case.name.split_once(" \u{b7} ").filter(|_| swept) {
        Some((scene, values)) => format!("{values} \u{b7} {scene}"),
        None => case.name.clone(),
    }
}

/// A case as a row with its picture and verdict; the last `taken` points beside its name are left free.
pub(crate) fn case_ui(ui: &mut Ui, case: &Case, shown: bool, taken: f32) -> egui::Response {
    let tokens = tokens(ui);
    let size = vec2(ui.available_width(), 54.0);
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
    response.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::ListBoxOption, true, shown, &case.name)
    });
    let fill = match (shown, response.hovered()) {
        (true, _) => tokens.accent_soft,
        (_, true) => tokens.hover,
        _ => tokens.raised,
    };
    let edge = if shown { tokens.accent } else { tokens.line };
    let stroke = egui::Stroke::new(1.0, edge);
    ui.painter()
        .rect(rect, 7.0, fill, stroke, egui::StrokeKind::Inside);
    let frame = egui::Rect::from_min_size(rect.min + vec2(4.0, 4.0), vec2(72.0, 46.0));
    case.picture.paint(ui.painter(), frame, tokens);
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let at = rect.min + vec2(84.0, 10.0);
    let font = egui::FontId::new(12.0, theme::semibold());
    let width = rect.right() - 6.0 - taken - at.x;
    let name = widgets::one_line(&painter, width, &row_name(case), font, tokens.text);
    let cut = name.elided;
    painter.galley(at, name, tokens.text);
    let (text, color) = match &case.scene.generated {
        None if case.scene.driven_by().is_some() => (given_words(&case.scene), tokens.dim),
        None => ("edited by hand".to_owned(), tokens.dim),
        Some(_) if case.scene.is_edited_since_made() => {
            ("edited since it was made".to_owned(), tokens.warn)
        }
        Some(made) if made.valid() => (made.verdict(), tokens.good),
        Some(made) => match made.failed().next() {
            Some(gate) => (
                format!("fails: {}", gate.gate.replace('_', " ")),
                tokens.bad,
            ),
            None => ("partial: never scored".to_owned(), tokens.warn),
        },
    };
    painter.text(
        at + vec2(0.0, 17.0),
        egui::Align2::LEFT_TOP,
        text,
        egui::FontId::proportional(11.0),
        color,
    );
    if cut {
        return response.on_hover_text(&case.name);
    }
    response
}
