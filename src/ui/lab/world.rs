//! The world that runs on: the generator rolled forward while agents in it are dragged.

use std::sync::Arc;

use super::Lab;
use super::run::Running;
use crate::codec::DT_S;
use crate::engine::Job;
use crate::generator::Settings;
use crate::scene::Scene;
use crate::scene::Task;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::editor::Editor;

/// A world that runs on.
pub(super) struct World {
    /// The scene in which it stands; any other scene in the editor ends it.
    pub(super) scene: Arc<Scene>,
    /// Seconds since it last moved on.
    pub(super) since_s: f64,
}

/// The recording as it stands beside a world that has run on, with what it was worked out for.
#[derive(Debug)]
pub(super) struct LaterLog {
    log: Arc<Scene>,
    later_s: f64,
    now: usize,
    scene: Arc<Scene>,
}

impl Lab {
    /// Whether a world runs on.
    pub(in crate::ui) fn world_runs(&self) -> bool {
        self.world.is_some()
    }

    /// The scene time to show while a world runs on: half a second behind its present, so that it moves evenly.
    pub(in crate::ui) fn world_time_s(&self, editor: &Editor) -> Option<f64> {
        let world = self.world.as_ref()?;
        let now_s = world.scene.now_s();
        if editor.previewing() {
            return Some(now_s);
        }
        Some((now_s - DT_S + world.since_s.min(DT_S)).max(0.0))
    }

    /// Lets the world run on, or stops it where it is.
    pub(in crate::ui) fn toggle_world(&mut self, editor: &mut Editor) {
        if let Some(world) = &self.world {
            let after_s = world.scene.began_s() + world.scene.now_s();
            let text = format!(
                "The world stands {after_s:.1} s after the recording began. Undo goes back to where you let it run."
            );
            self.stop();
            editor.notices.push(Notice::new(Weight::Info, text));
            return;
        }
        let Some(scene) = editor.committed().cloned() else {
            return;
        };
        self.stop();
        self.forget_run();
        editor.put("Run the world".to_owned(), scene.clone());
        editor.playing = false;
        self.run_world(scene);
    }

    /// The recording as it stands beside a scene: where a world has run on, from that scene's time 0 on, with its present.
    pub(in crate::ui) fn log_beside(&mut self, log: &Arc<Scene>, scene: &Scene) -> Arc<Scene> {
        let later_s = scene.began_s() - log.began_s();
        if later_s <= 0.0 {
            return log.clone();
        }
        let known = self.later_log.as_ref().filter(|known| {
            Arc::ptr_eq(&known.log, log) && (known.later_s, known.now) == (later_s, scene.now)
        });
        if let Some(known) = known {
            return known.scene.clone();
        }
        let mut later = log.window(later_s, f64::INFINITY);
        later.now = scene.now.min(later.frames.saturating_sub(1));
        let later = Arc::new(later);
        self.later_log = Some(LaterLog {
            log: log.clone(),
            later_s,
            now: scene.now,
            scene: later.clone(),
        });
        later
    }

    pub(super) fn run_world(&mut self, scene: Arc<Scene>) {
        let Some(engine) = &mut self.engine else {
            return;
        };
        let settings = Settings {
            task: self.task.unwrap_or(match scene.goals.is_empty() {
                true => Task::Free,
                false => Task::Goal,
            }),
            ..self.settings.clone()
        };
        self.aside = None;
        engine.submit(Job::World {
            scene: scene.clone(),
            settings,
        });
        self.world = Some(World {
            scene,
            since_s: 0.0,
        });
    }

    pub(super) fn world_moved(&mut self, editor: &mut Editor, scene: Arc<Scene>) {
        let Some(world) = &self.world else { return };
        if !editor.is_present(&world.scene) {
            self.stop();
        } else if !editor.previewing() {
            editor.replace(scene.clone());
            self.world = Some(World {
                scene,
                since_s: 0.0,
            });
        }
    }

    /// Shows the present result as other settings make it. Results of one turn of a knob are one step.
    pub(super) fn turned(&mut self, editor: &mut Editor, running: &Running, scene: Arc<Scene>) {
        let from = &running.from;
        if !editor.is_present(from) {
            return;
        }
        let same_turn = self
            .turn
            .result
            .as_ref()
            .is_some_and(|last| Arc::ptr_eq(last, from));
        self.turn.result = Some(scene.clone());
        if same_turn {
            editor.amend(from, scene);
            return;
        }
        let settings = &running.settings;
        let schedule = settings.schedule.word();
        let (seed, steps) = (settings.seed, settings.steps);
        editor.put(format!("Generate: seed {seed}, {schedule} {steps}"), scene);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::BEGAN_S;
    use crate::scene::scene_from_json;

    #[test]
    fn beside_a_world_that_ran_on_the_recording_stands_at_the_same_time() {
        let text = include_bytes!("../../../scenes/cut-in.json");
        let log = Arc::new(scene_from_json(text, "cut-in").unwrap());
        let mut lab = Lab::new(None);
        assert!(Arc::ptr_eq(&lab.log_beside(&log, &log), &log));
        let mut later = Scene::clone(&log);
        later.extra.insert(BEGAN_S.to_owned(), 3.0.into());
        let beside = lab.log_beside(&log, &later);
        let ego = |scene: &Scene, frame: usize| {
            let ego = scene.ego().unwrap();
            ego.track.get(frame).unwrap().position
        };
        let first = (3.0 / log.dt_s).round() as usize;
        assert_eq!(ego(&beside, 0), ego(&log, first));
        assert_eq!((beside.frames, beside.now), (log.frames - first, later.now));
        assert!(Arc::ptr_eq(&lab.log_beside(&log, &later), &beside));
    }
}
