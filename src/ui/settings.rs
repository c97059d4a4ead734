//! What the window remembers between starts: theme, layout, recent files. One JSON file, written atomically.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use super::compare::Mode;
use super::panes::Panes;
use super::sources::Source;
use super::variants::Variant;
use crate::planner::Decoder;
use crate::scene::write_whole;

/// Most recent files remembered.
const RECENTS: usize = 12;

/// What is remembered. Unknown or missing fields take their defaults, so that older and newer files both open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    /// Dark theme.
    pub dark: bool,
    /// Scale of the interface.
    pub zoom: f32,
    /// Number of panes: 1, 2 or 4.
    pub panes: usize,
    /// What each pane shows.
    pub sources: [Source; 4],
    /// Seed and schedule of each pane that shows a run of its own.
    pub variants: [Variant; 4],
    /// The planner of each pane that has one of its own.
    pub planners: [Option<Decoder>; 4],
    /// The command that starts the user's own planner.
    pub own_planner: String,
    /// How the first two sources are shown.
    pub compare: Mode,
    /// Panes share one camera.
    pub linked: bool,
    /// The left panel is shown.
    pub left: bool,
    /// The right panel is shown.
    pub right: bool,
    /// The planner plans along with what is shown.
    pub planning: bool,
    /// Playback starts again at the end.
    pub looping: bool,
    /// Files opened last, newest first.
    pub recents: Vec<Recent>,
    /// The first-start hints were read.
    pub welcomed: bool,
}

/// A file opened before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recent {
    /// Where it lies.
    pub path: PathBuf,
    /// Which of its scenes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<String>,
    /// The scene's name.
    #[serde(default)]
    pub name: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dark: true,
            zoom: 1.0,
            panes: 1,
            sources: Panes::SOURCES,
            variants: std::array::from_fn(Variant::of_pane),
            planners: [None; 4],
            own_planner: String::new(),
            compare: Mode::Side,
            linked: true,
            left: true,
            right: true,
            planning: true,
            looping: true,
            recents: Vec::new(),
            welcomed: false,
        }
    }
}

impl Settings {
    /// Whether nothing is remembered in `folder`: this is the first start.
    pub(super) fn absent(folder: &Path) -> bool {
        !file(folder).exists()
    }

    /// Reads the settings in `folder`; anything unreadable gives the defaults.
    pub(super) fn load(folder: &Path) -> Self {
        let read = fs::read(file(folder)).ok();
        let mut settings: Self = read
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        settings.zoom = if settings.zoom.is_finite() {
            settings.zoom.clamp(0.6, 2.5)
        } else {
            1.0
        };
        if ![1, 2, 4].contains(&settings.panes) {
            settings.panes = 1;
        }
        settings.recents.truncate(RECENTS);
        settings
    }

    /// Writes the settings into `folder`.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub(super) fn store(&self, folder: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        write_atomically(&file(folder), &text)
    }

    /// Puts a file at the head of the recent ones.
    pub(super) fn remember(&mut self, recent: Recent) {
        self.recents
            .retain(|old| old.path != recent.path || old.pick != recent.pick);
        self.recents.insert(0, recent);
        self.recents.truncate(RECENTS);
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("window.json")
}

/// Writes a file by way of a temporary one beside it and a rename; makes the folder if needed.
///
/// # Errors
/// If the operating system refuses.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    write_whole(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings {
            dark: false,
            panes: 4,
            ..Settings::default()
        };
        settings.remember(Recent {
            path: "a.json".into(),
            pick: None,
            name: "A".to_owned(),
        });
        settings.store(folder.path()).unwrap();
        assert_eq!(Settings::load(folder.path()), settings);
    }

    #[test]
    fn a_damaged_settings_file_gives_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("window.json"), b"{ \"dark\": ").unwrap();
        assert_eq!(Settings::load(folder.path()), Settings::default());
        fs::write(folder.path().join("window.json"), b"{\"panes\": 3}").unwrap();
        assert_eq!(Settings::load(folder.path()).panes, 1);
    }

    #[test]
    fn a_file_opened_again_moves_to_the_head() {
        let mut settings = Settings::default();
        for name in ["a", "b", "a"] {
            settings.remember(Recent {
                path: name.into(),
                pick: None,
                name: name.to_owned(),
            });
        }
        let names: Vec<_> = settings.recents.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
