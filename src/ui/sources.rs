//! What a pane shows: which scene a source stands for, what it is called, and what to do when there is none.

use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use super::action::Command;
use super::editor::Editor;
use super::lab::Lab;
use super::variants::Variant;
use crate::planner::Decoder;
use crate::scene::Generated;
use crate::scene::Scene;
use crate::scene::Task;
use crate::scene::WORLD;

/// What a pane shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// The scene that is worked on.
    Scene,
    /// The scene as recorded.
    Log,
    /// The scene as the model was given it.
    Edited,
    /// What the model makes of it with a seed and a schedule of this pane's own.
    Generated,
    /// The newest attack.
    Attacked,
    /// The scene before the last step.
    Before,
}

impl Source {
    /// All, in the order of the menu.
    pub(super) const ALL: [Self; 6] = [
        Self::Scene,
        Self::Log,
        Self::Edited,
        Self::Generated,
        Self::Attacked,
        Self::Before,
    ];

    /// Its name.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Scene => "Scene",
            Self::Log => "Log",
            Self::Edited => "Edited",
            Self::Generated => "Generated",
            Self::Attacked => "Attacked",
            Self::Before => "Before",
        }
    }

    /// What it stands for.
    pub(super) fn explain(self) -> &'static str {
        match self {
            Self::Scene => {
                "The scene you work on, with its newest result; drag agents and goals here"
            }
            Self::Log => "The scene as recorded",
            Self::Edited => "The scene with your edits, as the model was given it",
            Self::Generated => {
                "The same scene made again with a seed and a schedule of this pane's own"
            }
            Self::Attacked => "The newest attack",
            Self::Before => "The scene before the last step",
        }
    }
}

/// A source with what it stands for at the moment.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// What the pane shows.
    pub source: Source,
    /// What it holds, in a few words.
    pub title: String,
    /// The scene; absent if there is none.
    pub scene: Option<Arc<Scene>>,
    /// Why there is none, with a command that helps.
    pub missing: Option<(String, Option<Command>)>,
    /// A run for this pane is under way: the scene is of the run before.
    pub busy: bool,
}

/// How a result was made, in a few words.
fn made_words(made: &Generated) -> String {
    let recipe = &made.recipe;
    let word = match recipe.task {
        Task::Attack => "attacked",
        Task::Free | Task::Goal => "generated",
    };
    let partial = if made.complete { "" } else { ", partial" };
    format!(
        "{word}, seed {}, {} {}{partial}",
        recipe.seed,
        recipe.schedule.word(),
        recipe.steps
    )
}

/// What a scene is whose future no run has made, in a few words.
pub(super) fn given_words(scene: &Scene) -> String {
    match scene.driven_by() {
        Some(WORLD) => "run on by the model".to_owned(),
        Some(by) => {
            let decoder = Decoder::from_key(by);
            format!(
                "driven by {}",
                decoder.map_or(by, |decoder| decoder.label())
            )
        }
        None if scene.edits.is_empty() => "as opened".to_owned(),
        None => "edited".to_owned(),
    }
}

/// What `source` stands for. A run that a pane wants and does not have yet is asked of the lab.
pub(super) fn view(editor: &Editor, lab: &mut Lab, source: Source, variant: &Variant) -> View {
    let mut view = View {
        source,
        title: String::new(),
        scene: None,
        missing: None,
        busy: false,
    };
    let (Some(open), Some(committed)) = (editor.document(), editor.committed().cloned()) else {
        return view;
    };
    match source {
        Source::Scene => {
            view.title = match &committed.generated {
                Some(made) if committed.is_edited_since_made() => {
                    format!("{}, edited since", made_words(made))
                }
                Some(made) => made_words(made),
                None => given_words(&committed),
            };
            view.scene = editor.scene().cloned();
        }
        Source::Log => {
            let later_s = committed.began_s() - open.log.began_s();
            view.title = match later_s > open.log.duration_s() {
                true => "as recorded; it has ended".to_owned(),
                false => "as recorded".to_owned(),
            };
            view.scene = Some(lab.log_beside(&open.log, &committed));
        }
        Source::Edited => {
            view.title = "before the model".to_owned();
            view.scene = match lab.variants.input_of(&committed) {
                Some((input, _)) => Some(input.clone()),
                None if committed.generated.is_none() => Some(committed),
                None => None,
            };
            if view.scene.is_none() {
                let text = "The file holds the result; what the model was given beyond the history is not in it.";
                view.missing = Some((text.to_owned(), None));
            }
        }
        Source::Generated => {
            view.title = variant.words();
            let wanted = lab.variant(&committed, variant);
            view.busy = wanted.busy;
            view.scene = wanted.scene;
            if view.scene.is_none() && !view.busy {
                let text = wanted.problem.unwrap_or_else(|| lab.unready());
                view.missing = Some((text, None));
            }
        }
        Source::Attacked => {
            let (entries, at) = open.history.entries();
            let attacked = entries[..=at].iter().rev().find(|entry| {
                let made = entry.scene.generated.as_ref();
                made.is_some_and(|made| made.recipe.task == Task::Attack)
            });
            view.scene = attacked.map(|entry| entry.scene.clone());
            let made = view
                .scene
                .as_ref()
                .and_then(|scene| scene.generated.clone());
            view.title = made.map_or_else(String::new, |made| made_words(&made));
            if view.scene.is_none() {
                let text = "No attack yet: find one, then click it in the list.";
                view.missing = Some((text.to_owned(), Some(Command::FindAttacks)));
            }
        }
        Source::Before => {
            view.scene = open.history.before().cloned();
            view.title = "one step back".to_owned();
            if view.scene.is_none() {
                let text = "Nothing here yet: this pane shows the scene before the last step.";
                view.missing = Some((text.to_owned(), None));
            }
        }
    }
    view
}
