//! Undo and redo: snapshots and a cursor. The only undo system.

use std::sync::Arc;

use super::Scene;

/// A state of the document with what led to it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What was done, for the history list.
    pub label: String,
    /// The scene after it.
    pub scene: Arc<Scene>,
}

/// A list of snapshots; a scene shares all it can with its neighbours, so a hundred cost little.
#[derive(Debug, Clone)]
pub struct History {
    entries: Vec<Entry>,
    cursor: usize,
}

impl History {
    /// Entries kept; older ones are forgotten.
    pub const LIMIT: usize = 500;

    /// A history that begins with `scene`.
    pub fn new(label: impl Into<String>, scene: Arc<Scene>) -> Self {
        Self {
            entries: vec![Entry {
                label: label.into(),
                scene,
            }],
            cursor: 0,
        }
    }

    /// The present scene.
    pub fn scene(&self) -> &Arc<Scene> {
        &self.entries[self.cursor].scene
    }

    /// All entries, oldest first, with the position of the present one.
    pub fn entries(&self) -> (&[Entry], usize) {
        (&self.entries, self.cursor)
    }

    /// A new state; what was undone before is dropped.
    pub fn commit(&mut self, label: impl Into<String>, scene: Arc<Scene>) {
        self.entries.truncate(self.cursor + 1);
        self.entries.push(Entry {
            label: label.into(),
            scene,
        });
        if self.entries.len() > Self::LIMIT {
            self.entries.remove(0);
        }
        self.cursor = self.entries.len() - 1;
    }

    /// Replaces the present state without a new entry: the answer of a model to the last gesture.
    pub fn amend(&mut self, scene: Arc<Scene>) {
        self.entries[self.cursor].scene = scene;
    }

    /// Goes one step back; false at the oldest.
    pub fn undo(&mut self) -> bool {
        let possible = self.can_undo();
        self.cursor -= usize::from(possible);
        possible
    }

    /// Goes one step forward; false at the newest.
    pub fn redo(&mut self) -> bool {
        let possible = self.can_redo();
        self.cursor += usize::from(possible);
        possible
    }

    /// Goes to an entry of [`History::entries`]; out of range is clamped.
    pub fn go_to(&mut self, position: usize) {
        self.cursor = position.min(self.entries.len() - 1);
    }

    /// Whether there is something to undo.
    pub fn can_undo(&self) -> bool {
        self.cursor > 0
    }

    /// Whether there is something to redo.
    pub fn can_redo(&self) -> bool {
        self.cursor + 1 < self.entries.len()
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
    fn a_commit_after_undo_drops_the_redo_branch() {
        let mut history = History::new("open", named("a"));
        history.commit("b", named("b"));
        assert!(history.undo() && !history.undo());
        history.commit("c", named("c"));
        assert!(!history.redo());
        assert_eq!(history.scene().name, "c");
        assert_eq!(history.entries().0.len(), 2);
    }

    #[test]
    fn amending_is_undone_with_the_gesture_it_answers() {
        let mut history = History::new("open", named("a"));
        history.commit("drag", named("b"));
        history.amend(named("b, generated"));
        assert!(history.undo());
        assert_eq!(history.scene().name, "a");
    }
}
