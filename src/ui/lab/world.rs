//! The world that runs on: the generator rolled forward while agents in it are dragged.

use std::sync::Arc;

use super::Lab;
use super::Running;
use super::World;
use crate::codec::DT_S;
use crate::engine::Job;
use crate::generator::Settings;
use crate::scene::Scene;
use crate::scene::Task;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::editor::Editor;
use crate::ui::sources::schedule_word;

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
            let now_s = world.scene.now_s();
            let text =
                format!("The world stands at {now_s:.1} s. Undo goes back to where it began.");
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
        let schedule = schedule_word(settings.schedule);
        let (seed, steps) = (settings.seed, settings.steps);
        editor.put(format!("Generate: seed {seed}, {schedule} {steps}"), scene);
    }
}
