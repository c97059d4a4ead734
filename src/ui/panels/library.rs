//! The scene library: bundled scenes, what was opened last, and the scenes of an opened folder or file.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use egui::Rect;
use egui::Role;
use egui::Sense;
use egui::Stroke;
use egui::StrokeKind;
use egui::Ui;
use egui::WidgetInfo;
use egui::vec2;

use crate::data::Entry;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::bundled::Bundled;
use crate::ui::icons;
use crate::ui::icons::Icon;
use crate::ui::settings::Recent;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::thumbnail::Thumbnail;
use crate::ui::widgets;

type Key = (PathBuf, Option<String>);

/// What the library knows.
#[derive(Default)]
pub(crate) struct Library {
    /// Scenes that come with the program.
    pub bundled: Vec<Bundled>,
    /// A file or folder with several scenes, and what it holds.
    pub listing: Option<(PathBuf, Vec<Entry>)>,
    /// What is open: its place in the library.
    pub open: Option<Place>,
    filter: String,
    pictures: BTreeMap<Key, Option<Thumbnail>>,
    asked: BTreeSet<Key>,
    wanted: Vec<Key>,
}

/// Where an open scene stands in the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A bundled scene, by position.
    Bundled(usize),
    /// A file, and which of its scenes.
    File(PathBuf, Option<String>),
}

impl Library {
    /// Pictures that are to be drawn, each asked for once.
    pub(crate) fn take_wanted(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.wanted)
    }

    /// Keeps a picture.
    pub(crate) fn keep(&mut self, path: PathBuf, pick: Option<String>, picture: Option<Thumbnail>) {
        self.pictures.insert((path, pick), picture);
    }

    /// The scene `by` places after the open one: in the listing if it is open from there, else among the bundled.
    pub(crate) fn neighbour(&self, by: isize) -> Option<Action> {
        let step = |at: Option<usize>, count: usize| {
            let last = count.checked_sub(1)?;
            Some(match at {
                Some(at) => at.saturating_add_signed(by).min(last),
                None => 0,
            })
        };
        if let (Some(Place::File(path, pick)), Some((_, entries))) = (&self.open, &self.listing) {
            let at = entries
                .iter()
                .position(|entry| entry.file == *path && entry.pick == *pick);
            let entry = &entries[step(at, entries.len())?];
            return Some(Action::Open {
                path: entry.file.clone(),
                pick: entry.pick.clone(),
            });
        }
        let at = match &self.open {
            Some(Place::Bundled(at)) => Some(*at),
            _ => None,
        };
        step(at, self.bundled.len()).map(Action::OpenBundled)
    }

    /// Shows the library.
    pub(crate) fn show(&mut self, ui: &mut Ui, recents: &[Recent], actions: &mut Vec<Action>) {
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            let open = ui.add(egui::Button::new("Open file…").min_size(vec2(0.0, 26.0)));
            if open.on_hover_text(Command::Open.hint()).clicked() {
                actions.push(Action::Run(Command::Open));
            }
            let folder = ui.add(egui::Button::new("Open folder…").min_size(vec2(0.0, 26.0)));
            if folder.on_hover_text(Command::OpenFolder.hint()).clicked() {
                actions.push(Action::Run(Command::OpenFolder));
            }
        });
        ui.label(theme::small("or drop a file anywhere").color(tokens(ui).faint));
        egui::ScrollArea::vertical()
            .auto_shrink([false, false])
            .show(ui, |ui| {
                self.listing_ui(ui, actions);
                if !self.bundled.is_empty() {
                    widgets::section(ui, "Bundled");
                    self.bundled_ui(ui, actions);
                }
                widgets::section(ui, "Recent");
                if recents.is_empty() {
                    let text = "Files you open are listed here.";
                    ui.label(theme::small(text).color(tokens(ui).faint));
                }
                for recent in recents {
                    self.recent_ui(ui, (recent, &title(recent, recents)), actions);
                }
                ui.add_space(12.0);
            });
    }

    fn listing_ui(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let Some((path, entries)) = self.listing.take() else {
            return;
        };
        let mut close = false;
        ui.horizontal(|ui| {
            let name = path.file_name().map_or_else(
                || path.display().to_string(),
                |n| n.to_string_lossy().into_owned(),
            );
            let title = format!("{name}   {}", entries.len());
            widgets::section(ui, &title);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Max), |ui| {
                close = widgets::row_icon(ui, Icon::Close, "Close list", "Close this list", false)
                    .clicked();
            });
        });
        if entries.len() > 8 {
            ui.add(
                egui::TextEdit::singleline(&mut self.filter)
                    .hint_text("Filter by name")
                    .desired_width(f32::INFINITY),
            )
            .accessible_name("Filter scenes");
        }
        let wanted = self.filter.to_lowercase();
        let mut shown = 0;
        for entry in &entries {
            if !wanted.is_empty() && !entry.name.to_lowercase().contains(&wanted) {
                continue;
            }
            shown += 1;
            if shown > 300 {
                let more = format!("{} more: filter by name", entries.len() - 300);
                ui.label(theme::small(more).color(tokens(ui).dim));
                break;
            }
            let key = (entry.file.clone(), entry.pick.clone());
            let chosen = self.open == Some(Place::File(key.0.clone(), key.1.clone()));
            let detail = entry.format.word();
            if self.card(ui, (&entry.name, detail), &key, chosen) {
                actions.push(Action::Open {
                    path: key.0,
                    pick: key.1,
                });
            }
        }
        if shown == 0 {
            ui.label(theme::small("No scene has this in its name.").color(tokens(ui).faint));
        }
        if !close {
            self.listing = Some((path, entries));
        }
    }

    fn recent_ui(
        &mut self,
        ui: &mut Ui,
        (recent, title): (&Recent, &str),
        actions: &mut Vec<Action>,
    ) {
        let key = (recent.path.clone(), recent.pick.clone());
        let chosen = self.open == Some(Place::File(key.0.clone(), key.1.clone()));
        if self.card(ui, (title, &short(&recent.path)), &key, chosen) {
            actions.push(Action::Open {
                path: key.0,
                pick: key.1,
            });
        }
    }

    /// A row with a picture on the left. True if it was clicked.
    fn card(&mut self, ui: &mut Ui, (name, detail): (&str, &str), key: &Key, chosen: bool) -> bool {
        let size = vec2(ui.available_width(), 50.0);
        let (rect, response) = ui.allocate_exact_size(size, Sense::click());
        if !ui.is_rect_visible(rect) {
            return response.clicked();
        }
        if self.asked.insert(key.clone()) {
            self.wanted.push(key.clone());
        }
        card_ground(ui, rect, &response, chosen);
        let frame = Rect::from_min_size(rect.min + vec2(4.0, 4.0), vec2(66.0, 42.0));
        match self.pictures.get(key) {
            Some(Some(picture)) => picture.paint(ui.painter(), frame, tokens(ui)),
            missing => {
                ui.painter().rect_filled(frame, 5.0, tokens(ui).ground);
                if missing.is_some() {
                    let color = tokens(ui).warn;
                    icons::paint(ui.painter(), frame, Icon::Warning, color);
                }
            }
        }
        card_text(ui, rect, 78.0, name, detail);
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, name));
        let path = key.0.display();
        response.on_hover_text(format!("{name}\n{path}")).clicked()
    }

    fn bundled_ui(&self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let gap = 8.0;
        let width = ((ui.available_width() - gap) / 2.0).floor();
        let size = vec2(width, width * 0.62 + 22.0);
        for (row, pair) in self.bundled.chunks(2).enumerate() {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = gap;
                for (column, scene) in pair.iter().enumerate() {
                    let index = row * 2 + column;
                    let chosen = self.open == Some(Place::Bundled(index));
                    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
                    response.widget_info(|| {
                        WidgetInfo::selected(Role::Button, true, chosen, &scene.name)
                    });
                    card_ground(ui, rect, &response, chosen);
                    let frame = Rect::from_min_size(
                        rect.min + vec2(3.0, 3.0),
                        vec2(size.x - 6.0, size.y - 25.0),
                    );
                    scene.picture.paint(ui.painter(), frame, tokens(ui));
                    let text = ui.painter().layout(
                        scene.name.clone(),
                        egui::FontId::proportional(11.0),
                        tokens(ui).text,
                        size.x,
                    );
                    let at = egui::pos2(rect.left() + 6.0, rect.bottom() - 18.0);
                    ui.painter()
                        .with_clip_rect(rect)
                        .galley(at, text, tokens(ui).text);
                    if response.on_hover_text(&scene.about).clicked() {
                        actions.push(Action::OpenBundled(index));
                    }
                }
            });
        }
    }
}

fn card_ground(ui: &Ui, rect: Rect, response: &egui::Response, chosen: bool) {
    let tokens = tokens(ui);
    let fill = if chosen {
        tokens.accent_soft
    } else if response.hovered() {
        tokens.hover
    } else {
        tokens.raised
    };
    let edge = if chosen || response.has_focus() {
        tokens.accent
    } else {
        tokens.line
    };
    ui.painter()
        .rect(rect, 7.0, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
}

fn card_text(ui: &Ui, rect: Rect, left: f32, name: &str, detail: &str) {
    let tokens = tokens(ui);
    let painter = ui
        .painter()
        .with_clip_rect(rect.shrink(4.0).intersect(ui.clip_rect()));
    let at = rect.min + vec2(left, 9.0);
    let font = egui::FontId::new(12.0, theme::semibold());
    let width = rect.right() - 6.0 - at.x;
    let name = widgets::both_ends(&painter, width, name, font, tokens.text);
    painter.galley(at, name, tokens.text);
    let font = egui::FontId::proportional(10.5);
    let detail = widgets::one_line(&painter, width, detail, font, tokens.dim);
    painter.galley(at + vec2(0.0, 17.0), detail, tokens.dim);
}

/// The last two parts of a path.
fn short(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path
        .parent()
        .and_then(Path::file_name)
        .map(|folder| folder.to_string_lossy());
    match folder {
        Some(folder) => format!("{folder}/{name}"),
        None => name.into_owned(),
    }
}

/// What a recent file is called: as its scene, or as the file where another one has that name.
fn title(recent: &Recent, recents: &[Recent]) -> String {
    let mut others = recents.iter().filter(|other| other.path != recent.path);
    if !recent.name.is_empty() && !others.any(|other| other.name == recent.name) {
        return recent.name.clone();
    }
    let file = recent.path.file_name().unwrap_or_default();
    let file = file.to_string_lossy().into_owned();
    match &recent.pick {
        Some(pick) => format!("{file} [{pick}]"),
        None => file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_files_of_one_name_are_called_as_their_files() {
        let recent = |path: &str, pick: Option<&str>, name: &str| Recent {
            path: path.into(),
            pick: pick.map(str::to_owned),
            name: name.to_owned(),
        };
        let recents = [
            recent("a/one.json", None, "left-turn"),
            recent("a/two.json", None, "left-turn"),
            recent("a/all.json", Some("x"), "left-turn"),
            recent("a/three.json", None, "merge"),
            recent("a/four.json", None, ""),
            recent("a/shard", Some("1"), "night"),
            recent("a/shard", Some("2"), "day"),
        ];
        let titles = recents.each_ref().map(|it| title(it, &recents));
        let wanted = [
            "one.json",
            "two.json",
            "all.json [x]",
            "merge",
            "four.json",
            "night",
            "day",
        ];
        assert_eq!(titles, wanted);
    }
}
