//! Looking at the steps of the last run: the denoise timeline, onion skins, the noise map.

use std::sync::Arc;

use super::Lab;
use super::run::Running;
use super::samples::Case;
use crate::codec::DT_S;
use crate::engine::StepLog;
use crate::render::NoiseView;
use crate::render::Path;
use crate::render::PathKind;
use crate::scene::Agent;
use crate::scene::Scene;
use crate::ui::editor::Editor;

/// Steps before and after the one looked at that are drawn as onion skins.
const SKINS: usize = 3;

/// Steps per second when the denoise timeline plays.
const STEPS_PER_S: f64 = 8.0;

/// An agent's way from the present on, as a dotted line through points about a fifth of a second apart.
fn future(scene: &Scene, agent: &Agent, weight: f64) -> Path {
    let every = ((0.2 / scene.dt_s).round() as usize).max(1);
    let is_point = |frame: usize| frame >= scene.now && (frame - scene.now).is_multiple_of(every);
    let states = agent.track.valid();
    Path {
        points: states
            .filter(|(frame, _)| is_point(*frame))
            .map(|(frame, state)| (state.position, scene.time_of(frame)))
            .collect(),
        agent: Some(agent.id.clone()),
        kind: PathKind::Anchor,
        weight,
    }
}

impl Lab {
    /// Whether a scene is what the last run gave, or comes of it by edits.
    pub(in crate::ui) fn is_made(&self, scene: Option<&Arc<Scene>>) -> bool {
        let made = self.made.as_ref().and_then(|made| made.generated.as_ref());
        let shown = scene.and_then(|scene| scene.generated.as_ref());
        made.zip(shown)
            .is_some_and(|(made, shown)| Arc::ptr_eq(made, shown))
    }

    /// How many steps of the last run can be looked at besides its result.
    pub(in crate::ui) fn steps_to_see(&self) -> usize {
        let records = self.log.as_ref().map_or(0, |log| log.records.len());
        match self.stopped {
            Some(_) => records,
            None => records.saturating_sub(1),
        }
    }

    pub(super) fn look(&mut self, step: Option<usize>) {
        let last = self.steps_to_see().checked_sub(1);
        self.step = step.zip(last).map(|(step, last)| step.min(last));
    }

    pub(super) fn walk(&mut self, by: isize) {
        self.playing = false;
        let count = self.steps_to_see();
        if self.step.is_none() && by > 0 {
            // after the result the denoising begins again
            self.step = (count > 0).then_some(0);
            return;
        }
        let next = self.step.unwrap_or(count).saturating_add_signed(by);
        // after the last step: the result itself
        self.step = (next < count).then_some(next);
    }

    /// Moves the denoise timeline on by `elapsed_s` of the clock; true if it plays.
    pub(in crate::ui) fn advance(&mut self, elapsed_s: f64) -> bool {
        if let Some(world) = &mut self.world {
            world.since_s += elapsed_s;
            return true;
        }
        if !self.playing || self.log.is_none() {
            return false;
        }
        self.clock_s += elapsed_s;
        let steps = (self.clock_s * STEPS_PER_S).floor();
        self.clock_s -= steps / STEPS_PER_S;
        let next = self.step.unwrap_or(0) + steps as usize;
        if next >= self.steps_to_see() {
            self.step = None;
            self.playing = false;
        } else {
            self.step = Some(next);
        }
        self.playing
    }

    /// What the edited pane shows in place of the editor's scene: a step of the run, the run in progress, or the
    /// answer to the drag.
    pub(in crate::ui) fn scene(&mut self, editor: &Editor) -> Option<Arc<Scene>> {
        if let (Some(step), Some(log), Some(base)) = (self.step, &self.log, &self.base) {
            let known = self
                .shown
                .as_ref()
                .filter(|(at, noisy, _)| (*at, *noisy) == (step, self.noisy));
            if let Some((.., scene)) = known {
                return Some(scene.clone());
            }
            let scene = Arc::new(log.scene(base, step, self.noisy));
            self.shown = Some((step, self.noisy, scene.clone()));
            return Some(scene);
        }
        // what is made of a scene that was left is not shown over the present one
        let is_of_this = |running: &Running| {
            let samples = self.cases.iter().map(|case| &case.scene);
            let mut shown = samples.chain([&running.from]);
            shown.any(|scene| editor.is_present(scene))
        };
        let answers = editor.previewing() || self.running.as_ref().is_some_and(is_of_this);
        answers.then(|| self.live_scene.clone()).flatten()
    }

    /// The futures of everyone made in the steps around the one looked at, weaker the farther away the step.
    pub(in crate::ui) fn onion_skins(&mut self) -> Arc<Vec<Path>> {
        let (Some(step), Some(log), Some(base), true) =
            (self.step, &self.log, &self.base, self.onion)
        else {
            return Arc::default();
        };
        let known = self
            .skins
            .as_ref()
            .filter(|(at, noisy, _)| (*at, *noisy) == (step, self.noisy));
        if let Some((.., skins)) = known {
            return skins.clone();
        }
        let last = log.records.len().saturating_sub(1);
        let around = step.saturating_sub(SKINS)..=(step + SKINS).min(last);
        let mut skins = Vec::new();
        for other in around.filter(|other| *other != step) {
            let scene = log.scene(base, other, self.noisy);
            let weight = 1.0 / other.abs_diff(step) as f64;
            let made = log.agents.iter().zip(&log.made).filter(|(_, made)| **made);
            for agent in made.filter_map(|(id, _)| scene.agent(id)) {
                skins.push(future(&scene, agent, weight));
            }
        }
        let skins = Arc::new(skins);
        self.skins = Some((step, self.noisy, skins.clone()));
        skins
    }

    /// The futures of all samples of the last request, while one of them is on screen.
    pub(in crate::ui) fn sample_fan(&mut self, editor: &Editor) -> Arc<Vec<Path>> {
        let is_shown = |case: &Case| editor.is_present(&case.scene);
        let several = self.cases.len() > 1 && self.cases.iter().any(is_shown);
        if !self.spread || !several || self.step.is_some() {
            return Arc::default();
        }
        let count = self.cases.len();
        if let Some((_, fan)) = self.fan.as_ref().filter(|(of, _)| *of == count) {
            return fan.clone();
        }
        let mut fan = Vec::new();
        for case in &self.cases {
            let Some(made) = &case.scene.generated else {
                continue;
            };
            let rows = made
                .recipe
                .rows()
                .filter(|id| !made.recipe.kept.contains(id));
            for agent in rows.filter_map(|id| case.scene.agent(id)) {
                fan.push(future(&case.scene, agent, 0.8));
            }
        }
        let fan = Arc::new(fan);
        self.fan = Some((count, fan.clone()));
        fan
    }

    /// Noise levels to draw: of the step looked at, or of the run in progress.
    pub(in crate::ui) fn noise(&self) -> Option<Arc<NoiseView>> {
        let log = self.log.as_ref()?;
        let step = match (self.step, &self.running) {
            (Some(step), _) => step,
            (None, Some(running)) if running.total > 0 => log.records.len().checked_sub(1)?,
            _ => return None,
        };
        Some(Arc::new(noise_view(log, step)))
    }

    /// The steps of the last run, if `scene` is what it gave.
    pub(in crate::ui) fn steps_of(&self, scene: &Arc<Scene>) -> Option<&StepLog> {
        let of = self.made.as_ref()?;
        let same = Arc::ptr_eq(of, scene) || of.generated == scene.generated;
        self.log.as_ref().filter(|_| same && self.running.is_none())
    }
}

/// The noise levels of a step, to be drawn.
pub(in crate::ui) fn noise_view(log: &StepLog, step: usize) -> NoiseView {
    NoiseView {
        start_s: log.start_s(),
        step_s: DT_S,
        levels: log.levels(step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Edit;
    use crate::ui::action::Action;
    use crate::ui::lab::tests::editor;
    use crate::ui::lab::tests::running;

    #[test]
    fn a_run_of_a_scene_that_was_left_is_not_drawn_over_the_present_one() {
        let (mut editor, mut lab) = (editor(), Lab::new(None));
        lab.running = Some(running(&editor, 1));
        lab.live_scene = editor.committed().cloned();
        assert!(lab.scene(&editor).is_some());
        let edits = vec![Edit::SetNow { frame: 1 }];
        editor.apply(&Action::Commit { label: None, edits });
        assert!(lab.scene(&editor).is_none());
    }
}
