//! Samples: what runs have made, each a step of the history or kept beside it, and put into the tray.

use std::sync::Arc;

use super::Lab;
use crate::engine::StepLog;
use crate::generator::Verdict;
use crate::scene::Scene;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::editor::Editor;
use crate::ui::thumbnail::Thumbnail;
use crate::ui::tray::Refusal;

/// The run that made a sample.
#[derive(Clone)]
pub(in crate::ui) struct Past {
    pub(super) input: Arc<Scene>,
    pub(super) log: StepLog,
    pub(super) verdict: Option<Arc<Verdict>>,
}

/// A finished sample.
#[derive(Clone)]
pub(in crate::ui) struct Case {
    /// Its name.
    pub name: String,
    /// The scene with its recipe and findings.
    pub scene: Arc<Scene>,
    /// Its run, of a sample of the last request.
    pub past: Option<Past>,
    /// Its picture.
    pub picture: Thumbnail,
}

impl Lab {
    /// Puts a drive that began in `from` on the history, or keeps it among the samples if another scene is edited by then.
    /// Whether it was put there.
    pub(in crate::ui) fn driven(
        &mut self,
        editor: &mut Editor,
        (name, from): (String, &Arc<Scene>),
        scene: Arc<Scene>,
    ) -> bool {
        let case = Case {
            name,
            picture: Thumbnail::of(&scene),
            scene,
            past: None,
        };
        let shown = land(editor, from, "", &case);
        if !shown {
            self.cases.push(case);
        }
        shown
    }

    /// Takes the steps and findings of a sample's run for those of the last run.
    pub(super) fn recall(&mut self, sample: usize) {
        let case = &self.cases[sample];
        if let Some(past) = &case.past {
            self.log = Some(past.log.clone());
            self.base = Some(past.input.clone());
            self.made = Some(case.scene.clone());
            let verdict = past.verdict.clone();
            self.verdict = verdict.map(|verdict| (case.scene.clone(), verdict));
            self.stopped = None;
            self.step = None;
            self.playing = false;
            self.shown = None;
            self.skins = None;
        }
    }

    pub(super) fn keep(&mut self, editor: &mut Editor) {
        let Some(scene) = editor.committed().cloned() else {
            return;
        };
        let seed = scene.generated.as_ref().map(|made| made.recipe.seed);
        let name = match seed {
            Some(seed) => format!("{} · seed {seed}", scene.name),
            None => scene.name.clone(),
        };
        let case = Case {
            name,
            picture: Thumbnail::of(&scene),
            scene,
            past: None,
        };
        let notice = match self.tray.keep(case) {
            Ok(1) => Notice::new(Weight::Good, "Kept in the tray."),
            Ok(alike) => {
                let text = format!("Kept in the tray, with {} nearly the same.", alike - 1);
                Notice::new(Weight::Good, text)
            }
            Err(Refusal::Already) => Notice::new(Weight::Info, "This case is in the tray already."),
            Err(Refusal::Full) => {
                let text = "The tray is full: export its cases or remove some.";
                Notice::new(Weight::Warning, text)
            }
        };
        editor.notices.push(notice);
    }

    /// Samples that pass every gate.
    pub(in crate::ui) fn valid(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(|case| case.scene.is_valid())
    }

    /// Puts every sample that passes all gates into the tray.
    pub(super) fn keep_valid(&mut self, editor: &mut Editor) {
        let name = |case: &Case| format!("{} · {}", case.name, case.scene.name);
        let valid = self.cases.iter().filter(|case| case.scene.is_valid());
        let scenes = valid.map(|case| (name(case), case.scene.clone()));
        let kept = self.tray.keep_all(scenes);
        tell_kept(kept, editor);
    }
}

/// Puts what was made of `from` on the history, if that still is the scene; else says that it is kept among the samples.
/// Whether it was put there.
pub(super) fn land(editor: &mut Editor, from: &Arc<Scene>, what: &str, case: &Case) -> bool {
    let may = editor.is_present(from);
    if may {
        editor.put(format!("{what}{}", case.name), case.scene.clone());
    } else {
        let text = format!(
            "The scene was changed meanwhile. Kept among the samples: {}.",
            case.name
        );
        editor.notices.push(Notice::new(Weight::Info, text));
    }
    may
}

/// Shows a case as a step of the history, unless it is on screen.
pub(super) fn show(editor: &mut Editor, name: &str, scene: &Arc<Scene>) {
    if !editor.is_present(scene) {
        editor.put(format!("Show {name}"), scene.clone());
    }
}

/// Gates that a made scene fails.
pub(super) fn failures(scene: &Scene) -> usize {
    scene.failed_gates().len()
}

/// Says how many are new in the tray, and whether some found no room.
pub(super) fn tell_kept((kept, full): (usize, bool), editor: &mut Editor) {
    let notice = match (kept, full) {
        (_, true) => {
            let text = format!("{kept} kept; the tray is full: export its cases or remove some.");
            Notice::new(Weight::Warning, text)
        }
        (0, false) => Notice::new(Weight::Info, "They are in the tray already."),
        (1, false) => Notice::new(Weight::Good, "Kept in the tray."),
        _ => Notice::new(Weight::Good, format!("{kept} kept in the tray.")),
    };
    editor.notices.push(notice);
}
