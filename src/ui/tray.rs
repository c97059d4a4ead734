//! The corner-case tray: cases worth keeping, with names, notes, and groups of near duplicates.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::lab::Case;
use super::thumbnail::Thumbnail;
use crate::generator::Alike;
use crate::generator::Gist;
use crate::scene::Scene;

/// Most cases in the tray.
pub(super) const MOST: usize = 64;

/// A case in the tray.
#[derive(Clone)]
pub(super) struct Kept {
    /// Its name, scene and picture.
    pub case: Case,
    /// What the user wrote about it.
    pub note: String,
    gist: Gist,
    serial: u64,
    /// The scene with name and note in it, once it was asked for.
    written: OnceCell<Arc<Scene>>,
}

/// Cases with the groups of those that are nearly the same.
#[derive(Default)]
pub(super) struct Tray {
    kept: Vec<Kept>,
    groups: Vec<Vec<usize>>,
    /// First cases of the groups that are unfolded, by serial number.
    unfolded: BTreeSet<u64>,
    made: u64,
    changes: u64,
}

/// Why a case was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is there.
    Already,
    /// There is no room.
    Full,
}

impl Tray {
    /// All cases, oldest first.
    pub(super) fn cases(&self) -> &[Kept] {
        &self.kept
    }

    /// How often it has changed: what is kept on the disk is compared by it.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes in cases that earlier windows have kept, with the notes in their scenes; all of them, whatever the room.
    pub(super) fn restore(&mut self, cases: Vec<Case>) {
        for case in cases {
            let note = case.scene.extra.get("note").and_then(|note| note.as_str());
            let note = note.unwrap_or_default().to_owned();
            self.push(case, note);
        }
        self.group();
    }

    fn push(&mut self, case: Case, note: String) {
        self.made += 1;
        self.changes += 1;
        self.kept.push(Kept {
            gist: Gist::of(&case.scene),
            case,
            note,
            serial: self.made,
            written: OnceCell::new(),
        });
    }

    /// Positions of near duplicates, each group's first case first.
    pub(super) fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    /// The measure by which cases are grouped.
    pub(super) fn measure() -> Alike {
        Alike::default()
    }

    /// Takes a case in; returns how many like it there are now, itself included.
    pub(super) fn keep(&mut self, case: Case) -> Result<usize, Refusal> {
        let same = |kept: &Kept| Arc::ptr_eq(&kept.case.scene, &case.scene);
        if self.kept.iter().any(same) {
            return Err(Refusal::Already);
        }
        if self.kept.len() >= MOST {
            return Err(Refusal::Full);
        }
        self.push(case, String::new());
        self.group();
        let last = self.kept.len() - 1;
        let own = self.groups.iter().find(|group| group.contains(&last));
        Ok(own.map_or(1, Vec::len))
    }

    /// Takes in scenes with their names, as many as there is room for and that are not there; returns how many, and whether
    /// some found no room.
    pub(super) fn keep_all(
        &mut self,
        scenes: impl Iterator<Item = (String, Arc<Scene>)>,
    ) -> (usize, bool) {
        let mut count = 0;
        for (name, scene) in scenes {
            let same = |kept: &Kept| Arc::ptr_eq(&kept.case.scene, &scene);
            if self.kept.iter().any(same) {
                continue;
            }
            if self.kept.len() >= MOST {
                self.group();
                return (count, true);
            }
            let case = Case {
                name,
                picture: Thumbnail::of(&scene),
                scene,
                past: None,
            };
            self.push(case, String::new());
            count += 1;
        }
        self.group();
        (count, false)
    }

    /// Takes a case out.
    pub(super) fn remove(&mut self, position: usize) {
        if position < self.kept.len() {
            self.kept.remove(position);
            self.changes += 1;
            self.group();
        }
    }

    /// Names a case; a blank name changes nothing.
    pub(super) fn rename(&mut self, position: usize, name: &str) {
        if let (Some(kept), false) = (self.kept.get_mut(position), name.trim().is_empty()) {
            name.trim().clone_into(&mut kept.case.name);
            kept.written.take();
            self.changes += 1;
        }
    }

    /// Writes a note to a case.
    pub(super) fn annotate(&mut self, position: usize, note: String) {
        if let Some(kept) = self.kept.get_mut(position) {
            kept.note = note;
            kept.written.take();
            self.changes += 1;
        }
    }

    /// Whether a group shows all its cases.
    pub(super) fn is_unfolded(&self, group: &[usize]) -> bool {
        let first = group.first().and_then(|at| self.kept.get(*at));
        first.is_some_and(|kept| self.unfolded.contains(&kept.serial))
    }

    /// Shows all cases of the group that begins with `first`, or that one alone.
    pub(super) fn fold(&mut self, first: usize) {
        if let Some(kept) = self.kept.get(first)
            && !self.unfolded.remove(&kept.serial)
        {
            self.unfolded.insert(kept.serial);
        }
    }

    /// The cases as they are written: name and note in the scene; the same scene each time until one of both changes.
    pub(super) fn scenes(&self) -> Vec<(String, Arc<Scene>)> {
        let written = |kept: &Kept| {
            let mut scene = Scene::clone(&kept.case.scene);
            scene.name.clone_from(&kept.case.name);
            if !kept.note.trim().is_empty() {
                let note = kept.note.trim().into();
                scene.extra.insert("note".to_owned(), note);
            }
            Arc::new(scene)
        };
        let kept = self.kept.iter();
        kept.map(|kept| {
            let scene = kept.written.get_or_init(|| written(kept));
            (kept.case.name.clone(), scene.clone())
        })
        .collect()
    }

    fn group(&mut self) {
        let pairs: Vec<(&Scene, &Gist)> = self
            .kept
            .iter()
            .map(|kept| (&*kept.case.scene, &kept.gist))
            .collect();
        self.groups = Self::measure().groups(&pairs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::thumbnail::Thumbnail;

    fn case(name: &str) -> Case {
        Case {
            name: name.to_owned(),
            scene: Arc::new(Scene {
                dt_s: 0.1,
                frames: 2,
                ..Scene::default()
            }),
            picture: Thumbnail::default(),
            past: None,
        }
    }

    #[test]
    fn the_same_scene_is_kept_once_and_equal_ones_form_a_group() {
        let mut tray = Tray::default();
        let first = case("a");
        assert_eq!(tray.keep(first.clone()), Ok(1));
        assert_eq!(tray.keep(first), Err(Refusal::Already));
        assert_eq!(tray.keep(case("b")), Ok(2));
        assert_eq!(tray.groups(), [vec![0, 1]]);
        tray.fold(0);
        assert!(tray.is_unfolded(&tray.groups()[0]));
        tray.remove(0);
        assert_eq!(tray.groups(), [vec![0]]);
        assert!(!tray.is_unfolded(&tray.groups()[0]));
    }

    #[test]
    fn names_and_notes_are_written_into_the_scene() {
        let mut tray = Tray::default();
        assert!(tray.keep(case("a")).is_ok());
        tray.rename(0, " cut-in ");
        tray.rename(0, "  ");
        tray.annotate(0, "brakes too late\n".to_owned());
        let (name, scene) = tray.scenes().remove(0);
        assert_eq!((name.as_str(), scene.name.as_str()), ("cut-in", "cut-in"));
        assert_eq!(scene.extra["note"], "brakes too late");
        assert!(Arc::ptr_eq(&tray.scenes()[0].1, &scene)); // what planners drove is found again
        tray.annotate(0, "brakes in time".to_owned());
        assert_eq!(tray.scenes()[0].1.extra["note"], "brakes in time");
    }

    #[test]
    fn a_restored_tray_has_its_notes_again() {
        let mut tray = Tray::default();
        assert!(tray.keep(case("a")).is_ok());
        tray.annotate(0, "brakes too late".to_owned());
        let cases = tray.scenes().into_iter().map(|(name, scene)| Case {
            scene,
            ..case(&name)
        });
        let mut again = Tray::default();
        again.restore(cases.collect());
        assert_eq!(again.cases()[0].note, "brakes too late");
        assert_eq!(again.changes(), 1);
    }

    #[test]
    fn a_full_tray_says_so() {
        let mut tray = Tray::default();
        for number in 0..MOST {
            assert!(tray.keep(case(&number.to_string())).is_ok());
        }
        assert_eq!(tray.keep(case("one more")), Err(Refusal::Full));
    }
}
