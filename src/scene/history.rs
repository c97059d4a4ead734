//! Undo and redo: snapshots that form a tree, and a cursor in it. The only undo system.
//!
//! Doing something else after an undo begins another branch; the first one stays and can be gone back to.

use std::sync::Arc;

use super::Scene;

/// A state of the document with what led to it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What was done, for the history list.
    pub label: String,
    /// The scene after it.
    pub scene: Arc<Scene>,
    /// A name the user gave to this state.
    pub name: Option<String>,
    /// Number of the entry in the life of the document; never given twice.
    pub serial: u64,
    /// Position of the entry it followed; `None` for the oldest.
    pub parent: Option<usize>,
    /// Position of the following entry that redo goes to: the one last gone to.
    pub next: Option<usize>,
}

/// A tree of snapshots; a scene shares all it can with its neighbours, so a hundred cost little.
///
/// Entries stand in the order in which they were made, so each stands after the one it followed.
#[derive(Debug, Clone)]
pub struct History {
    entries: Vec<Entry>,
    cursor: usize,
    made: u64,
}

impl History {
    /// Entries kept. Beyond it the oldest is forgotten as long as only one entry follows it, else the oldest end of
    /// a branch: one without a name first, never the present.
    pub const LIMIT: usize = 500;

    /// A history that begins with `scene`.
    pub fn new(label: impl Into<String>, scene: Arc<Scene>) -> Self {
        Self {
            entries: vec![Entry {
                label: label.into(),
                scene,
                name: None,
                serial: 0,
                parent: None,
                next: None,
            }],
            cursor: 0,
            made: 1,
        }
    }

    /// The present scene.
    pub fn scene(&self) -> &Arc<Scene> {
        &self.entries[self.cursor].scene
    }

    /// The scene before the last step; `None` at the oldest.
    pub fn before(&self) -> Option<&Arc<Scene>> {
        let parent = self.entries[self.cursor].parent?;
        Some(&self.entries[parent].scene)
    }

    /// All entries in the order they were made, with the position of the present one.
    pub fn entries(&self) -> (&[Entry], usize) {
        (&self.entries, self.cursor)
    }

    /// A new state after the present one. What was undone before stays, on a branch of its own.
    pub fn commit(&mut self, label: impl Into<String>, scene: Arc<Scene>) {
        self.entries.push(Entry {
            label: label.into(),
            scene,
            name: None,
            serial: self.made,
            parent: Some(self.cursor),
            next: None,
        });
        self.made += 1;
        let made = self.entries.len() - 1;
        self.entries[self.cursor].next = Some(made);
        self.cursor = made;
        if self.entries.len() > Self::LIMIT {
            self.forget_one();
        }
    }

    /// Replaces the present state without a new entry: the answer of a model to the last gesture.
    pub fn amend(&mut self, scene: Arc<Scene>) {
        self.entries[self.cursor].scene = scene;
    }

    /// Names an entry of [`History::entries`]; blank takes the name away. Out of range nothing happens.
    pub fn name(&mut self, position: usize, name: &str) {
        if let Some(entry) = self.entries.get_mut(position) {
            let name = name.trim();
            entry.name = (!name.is_empty()).then(|| name.to_owned());
        }
    }

    /// Goes one step back; false at the oldest.
    pub fn undo(&mut self) -> bool {
        let Some(parent) = self.entries[self.cursor].parent else {
            return false;
        };
        self.cursor = parent;
        true
    }

    /// Goes one step forward, along the branch last gone along; false at its end.
    pub fn redo(&mut self) -> bool {
        let Some(next) = self.entries[self.cursor].next else {
            return false;
        };
        self.cursor = next;
        true
    }

    /// Goes to an entry of [`History::entries`]; out of range is clamped. Redo then leads along its branch.
    pub fn go_to(&mut self, position: usize) {
        self.cursor = position.min(self.entries.len() - 1);
        let mut at = self.cursor;
        while let Some(parent) = self.entries[at].parent {
            self.entries[parent].next = Some(at);
            at = parent;
        }
    }

    /// Whether there is something to undo.
    pub fn can_undo(&self) -> bool {
        self.entries[self.cursor].parent.is_some()
    }

    /// Whether there is something to redo.
    pub fn can_redo(&self) -> bool {
        self.entries[self.cursor].next.is_some()
    }

    /// The positions from the oldest entry to the present one and on to where redo leads.
    pub fn line(&self) -> Vec<usize> {
        let mut line = vec![self.cursor];
        while let Some(parent) = line.last().and_then(|at| self.entries[*at].parent) {
            line.push(parent);
        }
        line.reverse();
        while let Some(next) = line.last().and_then(|at| self.entries[*at].next) {
            line.push(next);
        }
        line
    }

    fn forget_one(&mut self) {
        let mut following = vec![0_usize; self.entries.len()];
        for entry in &self.entries {
            if let Some(parent) = entry.parent {
                following[parent] += 1;
            }
        }
        let is_end = |at: &usize| *at != self.cursor && following[*at] == 0;
        let mut ends = (0..self.entries.len()).filter(is_end);
        let goes = if following[0] == 1 && self.cursor != 0 {
            0
        } else {
            // a fork at the oldest entry has an end besides the present
            let first = ends.clone().next();
            let unnamed = ends.find(|at| self.entries[*at].name.is_none());
            unnamed.or(first).unwrap_or(0)
        };
        self.remove(goes);
    }

    fn remove(&mut self, goes: usize) {
        self.entries.remove(goes);
        let moved = |at: usize| at - usize::from(at > goes);
        self.cursor -= usize::from(self.cursor > goes);
        for entry in &mut self.entries {
            entry.parent = entry.parent.filter(|at| *at != goes).map(moved);
            entry.next = entry.next.filter(|at| *at != goes).map(moved);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Arc<Scene> {
        Arc::new(Scene {
            name: name.to_owned(),
            ..Scene::default()
        })
    }

    #[test]
    fn what_was_undone_stays_reachable_on_its_own_branch() {
        let mut history = History::new("open", named("a"));
        history.commit("b", named("b"));
        assert!(history.undo() && !history.undo());
        history.commit("c", named("c"));
        assert!(!history.redo());
        let (entries, present) = history.entries();
        assert_eq!((entries.len(), present), (3, 2));
        assert_eq!((entries[1].parent, entries[2].parent), (Some(0), Some(0)));
        history.go_to(1);
        assert_eq!(history.scene().name, "b");
        // redo now leads along the branch that was chosen
        assert!(history.undo() && history.redo());
        assert_eq!(history.scene().name, "b");
    }

    #[test]
    fn amending_is_undone_with_the_gesture_it_answers() {
        let mut history = History::new("open", named("a"));
        history.commit("drag", named("b"));
        history.amend(named("b, generated"));
        assert!(history.undo());
        assert_eq!(history.scene().name, "a");
    }

    #[test]
    fn the_line_runs_from_the_oldest_entry_to_where_redo_ends() {
        // 0 - 1 - 2
        //      \- 3 - 4
        let mut history = History::new("open", named("0"));
        history.commit("1", named("1"));
        history.commit("2", named("2"));
        history.undo();
        history.commit("3", named("3"));
        history.commit("4", named("4"));
        history.undo();
        assert_eq!(history.line(), [0, 1, 3, 4]);
        history.go_to(2);
        assert_eq!(history.line(), [0, 1, 2]);
        assert_eq!(history.before().map(|scene| &*scene.name), Some("1"));
    }

    #[test]
    fn a_full_history_forgets_side_branches_without_a_name_before_named_ones() {
        let mut history = History::new("open", named("root"));
        for branch in ["named", "other"] {
            history.go_to(0);
            history.commit(branch, named(branch));
        }
        history.name(1, " keep ");
        history.go_to(0);
        // root, two side branches, then enough to go one beyond the limit
        for step in 0..History::LIMIT - 2 {
            history.commit(format!("{step}"), named("x"));
        }
        let (entries, present) = history.entries();
        assert_eq!(
            (entries.len(), present),
            (History::LIMIT, History::LIMIT - 1)
        );
        assert_eq!(entries[1].name.as_deref(), Some("keep"));
        assert!(entries.iter().all(|entry| entry.label != "other"));
        assert_eq!(entries[2].parent, Some(0));
    }

    #[test]
    fn a_full_history_without_branches_forgets_its_oldest_entry() {
        let mut history = History::new("open", named("root"));
        for step in 0..History::LIMIT {
            history.commit(format!("{step}"), named("x"));
        }
        let (entries, _) = history.entries();
        assert_eq!(
            (entries.len(), entries[0].label.as_str()),
            (History::LIMIT, "0")
        );
        assert_eq!(entries[0].parent, None);
        let steps = std::iter::from_fn(|| history.undo().then_some(())).count();
        assert_eq!(steps, History::LIMIT - 1);
    }
}
