//! Which recording a scene is of: cases made of one log share its agents and roads, and are no independent samples.

use std::collections::BTreeMap;

use crate::scene::{SWEPT, Scene};

/// Between the name of a scene and what a case of it has otherwise.
pub(super) const APART: &str = " \u{b7} ";

/// Where a scene comes from, as far as it says so itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Origin {
    source: String,
    /// Of the scene it was made from, if it was made.
    name: String,
    /// Whether it was made from another: generated, swept, driven or edited.
    is_made: bool,
}

impl Origin {
    pub(super) fn of(scene: &Scene) -> Self {
        let driven_by = scene.driven_by();
        let driven = driven_by.map_or(String::new(), |by| format!(", driven by {by}"));
        let name = scene.name.strip_suffix(&driven).unwrap_or(&scene.name);
        let (name, is_case) = match name.split_once(APART) {
            Some((name, _)) => (name, true),
            None => (name, false),
        };
        Self {
            source: scene.source.clone(),
            name: name.to_owned(),
            is_made: is_case
                || driven_by.is_some()
                || scene.generated.is_some()
                || scene.extra.contains_key(SWEPT)
                || !scene.edits.is_empty(),
        }
    }

    /// Source and name.
    pub(super) fn into_key(self) -> (String, String) {
        (self.source, self.name)
    }

    fn key(&self) -> (&str, &str) {
        (&self.source, &self.name)
    }
}

/// For each of some scenes the position of the first that is of the same recording: cases are of that of source and name, two
/// scenes that nobody made are never one, nor is what says neither source nor name.
pub(super) fn recordings(origins: &[Origin]) -> Vec<usize> {
    let mut first: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for made in [false, true] {
        let all = origins.iter().enumerate();
        for (at, origin) in all.filter(|(_, origin)| origin.is_made == made) {
            first.entry(origin.key()).or_insert(at);
        }
    }
    let of = |(at, origin): (usize, &Origin)| match origin.is_made && origin.key() != ("", "") {
        true => first.get(&origin.key()).copied().unwrap_or(at),
        false => at,
    };
    origins.iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(name: &str) -> Scene {
        Scene {
            name: name.to_owned(),
            source: "a log".to_owned(),
            ..Scene::default()
        }
    }

    fn swept(name: &str) -> Scene {
        let mut scene = scene(name);
        scene.extra.insert(SWEPT.to_owned(), [1].as_slice().into());
        scene
    }

    #[test]
    fn cases_of_one_log_are_one_recording_with_it_and_others_are_not() {
        let mut driven = scene("left turn \u{b7} attack, driven by idm");
        let by = crate::scene::DRIVEN_BY.to_owned();
        driven.extra.insert(by, "idm".into());
        let mut elsewhere = swept("left turn");
        elsewhere.source = "another log".to_owned();
        let scenes = [
            swept("left turn \u{b7} speed of ego 5 m/s"),
            scene("merge"),
            driven,
            scene("left turn"),
            swept("left turn"),
            elsewhere,
            scene("merge"), // another recording of that name: nobody made it
            swept("merge"),
        ];
        let origins = scenes.map(|scene| Origin::of(&scene));
        assert_eq!(recordings(&origins), [3, 1, 3, 3, 3, 5, 6, 1]);
    }

    #[test]
    fn what_names_neither_source_nor_scene_is_a_recording_of_its_own() {
        let mut nameless = swept("");
        nameless.source.clear();
        let origins = [Origin::of(&nameless), Origin::of(&nameless)];
        assert_eq!(recordings(&origins), [0, 1]);
    }
}
