//! The tray on the disk: every window keeps its own beside its autosave, and takes over those that earlier windows
//! have left.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::lab::Case;
use super::settings::write_atomically;
use super::thumbnail::Thumbnail;
use crate::scene::Scene;
use crate::scene::cases_from_json;
use crate::scene::cases_to_json;

/// The ending of a tray's file; its stem is that of its window's autosave.
const ENDING: &str = "tray";

/// The file of the tray of the window whose autosave this is.
fn file_of(autosave: &Path) -> PathBuf {
    autosave.with_extension(ENDING)
}

/// Writes a tray; an empty one leaves no file.
pub(super) fn store(autosave: &Path, cases: &[(String, Arc<Scene>)]) -> std::io::Result<()> {
    let path = file_of(autosave);
    if cases.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    write_atomically(&path, cases_to_json(cases).as_bytes())
}

/// Trays whose windows are gone, oldest first; `is_held` says whether the window of an autosave still runs.
pub(super) fn left(folder: &Path, is_held: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = files
        .flatten()
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|end| end == ENDING))
        .filter(|path| !is_held(&path.with_extension("json")))
        .collect();
    found.sort();
    found
}

/// The cases of a tray's file.
pub(super) fn read(path: &Path) -> Result<Vec<Case>, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let cases = cases_from_json(&bytes, &path.display().to_string());
    let cases = cases.map_err(|error| error.to_string())?;
    let case = |(name, scene): (String, Scene)| Case {
        name,
        picture: Thumbnail::of(&scene),
        scene: Arc::new(scene),
        past: None,
    };
    Ok(cases.into_iter().map(case).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tray_is_left_for_the_next_window_with_names_and_notes() {
        let folder = tempfile::tempdir().unwrap();
        let autosave = folder.path().join("autosave-1.json");
        let mut scene = Scene {
            name: "cut-in".to_owned(),
            dt_s: 0.1,
            frames: 2,
            ..Scene::default()
        };
        scene
            .extra
            .insert("note".to_owned(), "brakes too late".into());
        let cases = [("cut-in".to_owned(), Arc::new(scene))];
        store(&autosave, &cases).unwrap();
        assert!(left(folder.path(), |_| true).is_empty());
        let found = left(folder.path(), |_| false);
        let again = read(&found[0]).unwrap();
        assert_eq!((found.len(), again.len()), (1, 1));
        assert_eq!(again[0].name, "cut-in");
        assert_eq!(again[0].scene.extra["note"], "brakes too late");
        store(&autosave, &[]).unwrap();
        store(&autosave, &[]).unwrap();
        assert!(left(folder.path(), |_| false).is_empty());
    }

    #[test]
    fn a_damaged_tray_is_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("autosave-1.tray");
        fs::write(&path, b"{\"format\": \"nearmiss/cases\"").unwrap();
        let said = read(&path).map(|_| ()).unwrap_err();
        assert!(said.contains("autosave-1.tray"), "{said}");
    }
}
