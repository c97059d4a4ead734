//! How edits are answered: in few steps while something is dragged, in full once it is let go.

use std::sync::Arc;

use super::Lab;
use super::run::Reason;
use crate::engine::Job;
use crate::engine::Purpose;
use crate::generator::Settings;
use crate::scene::Edit;
use crate::scene::Scene;
use crate::ui::editor::Editor;

/// Denoising steps of a preview while something is dragged.
const PREVIEW_STEPS: usize = 4;

/// The network's time in a preview: on slow machines it has fewer steps, s.
const PREVIEW_S: f64 = 0.1;

impl Lab {
    /// Answers a committed edit in full, if it is of a kind that changes the future.
    pub(in crate::ui) fn answer(&mut self, editor: &Editor, edits: &[Edit]) {
        self.previewed.clear();
        let Some(scene) = editor.committed().cloned() else {
            return;
        };
        if std::mem::take(&mut self.attacks.taking) {
            self.attacks.taken = Some(scene.clone());
        }
        if self.world.is_some() {
            self.run_world(scene);
            return;
        }
        let Some(edit) = edits.iter().rev().find(|edit| changes_future(edit)) else {
            self.live_scene = None;
            return;
        };
        if !self.live || !self.ready() {
            self.live_scene = None;
            return;
        }
        self.queue.clear();
        let settings = self.settings.answering(edit, &scene);
        self.start_alone(scene.clone(), scene, settings, Reason::Edit);
    }

    /// Answers a drag in progress with few steps of the same noise.
    pub(in crate::ui) fn preview(&mut self, editor: &Editor, edits: &[Edit]) {
        let answers = self.live && self.ready() && self.world.is_none();
        let (Some(scene), true) = (editor.scene().cloned(), answers) else {
            return;
        };
        // holding still asks for nothing new
        if self.previewed == edits {
            return;
        }
        edits.clone_into(&mut self.previewed);
        let Some(edit) = edits.iter().rev().find(|edit| changes_future(edit)) else {
            return;
        };
        let settings = Settings {
            steps: preview_steps(self.step_s()),
            redraws: 0,
            ..self.settings.answering(edit, &scene)
        };
        self.step = None;
        self.queue.clear();
        self.break_off();
        self.aside = None;
        self.attacks.searching = false;
        if let Some(engine) = &mut self.engine {
            engine.submit_preview(Job::Generate {
                scene,
                settings,
                purpose: Purpose::Preview,
            });
        }
    }

    /// How long a step of the last run took, s.
    fn step_s(&self) -> Option<f64> {
        let (steps, took) = self.took?;
        Some(took.as_secs_f64() / steps.max(1) as f64)
    }

    /// The answer to the drag in progress, as far as there is one.
    pub(in crate::ui) fn answer_shown(&self) -> Option<Arc<Scene>> {
        self.live_scene.clone()
    }

    /// Drops what a drag showed.
    pub(in crate::ui) fn drop_preview(&mut self) {
        self.previewed.clear();
        self.live_scene = None;
        if self.running.is_none()
            && self.world.is_none()
            && self.aside.is_none()
            && !self.attacks.searching
            && let Some(engine) = &mut self.engine
        {
            engine.cancel();
        }
    }
}

/// As many denoising steps as a preview has time for, by what a step took last.
fn preview_steps(step_s: Option<f64>) -> usize {
    step_s.map_or(PREVIEW_STEPS, |step_s| {
        ((PREVIEW_S / step_s.max(1e-6)) as usize).clamp(1, PREVIEW_STEPS)
    })
}

/// Whether an edit asks for another future.
fn changes_future(edit: &Edit) -> bool {
    matches!(
        edit,
        Edit::Move { .. }
            | Edit::Add { .. }
            | Edit::Resize { .. }
            | Edit::SetGoal { .. }
            | Edit::SetAttack { .. }
            | Edit::SetPin { .. }
            | Edit::Sketch { .. }
            | Edit::Pace { .. }
            | Edit::SetSignal { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_has_the_steps_it_has_time_for() {
        // 0.1 s: 10 of 10 ms are cut to 4, 2 of 40 ms, and one of 300 ms all the same
        let steps = [None, Some(0.010), Some(0.040), Some(0.3), Some(0.0)].map(preview_steps);
        assert_eq!(steps, [4, 4, 2, 1, 4]);
    }
}
