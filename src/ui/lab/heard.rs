//! What the engine reports, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use super::Lab;
use super::Model;
use super::run::Aside;
use super::run::Reason;
use super::samples::Case;
use super::samples::Past;
use super::samples::failures;
use super::samples::land;
use super::sentence;
use crate::engine::Engine;
use crate::engine::Event;
use crate::engine::Purpose;
use crate::engine::StepLog;
use crate::engine::StepRecord;
use crate::generator::Verdict;
use crate::scene::Scene;
use crate::ui::action::Command;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::editor::Editor;
use crate::ui::thumbnail::Thumbnail;

impl Lab {
    /// Takes in what the engine reports.
    pub(in crate::ui) fn hear(&mut self, editor: &mut Editor) {
        while let Some(event) = self.engine.as_mut().and_then(Engine::poll) {
            match event {
                Event::Model { identity, warning } => {
                    self.model = Model::Ready { identity, warning };
                }
                Event::Done { scene, .. } if self.aside.is_some() => {
                    self.done_aside(Ok(scene), editor);
                }
                Event::Failed(message) | Event::Broken { message, .. } if self.aside.is_some() => {
                    self.done_aside(Err(sentence(&message)), editor);
                }
                Event::Begun { log } => {
                    self.base = self.running.as_ref().map(|running| running.input.clone());
                    self.log = Some(StepLog::clone(&log));
                    self.stopped = None;
                    self.shown = None;
                    self.skins = None;
                }
                Event::Step {
                    taken,
                    total,
                    record,
                    preview,
                } => self.stepped(taken, total, record, preview),
                Event::Done {
                    scene,
                    purpose: Purpose::Preview,
                    ..
                } => {
                    if editor.previewing() {
                        self.live_scene = Some(scene);
                    }
                }
                Event::Done {
                    scene,
                    verdict,
                    log,
                    took,
                    ..
                } => self.done(editor, scene, verdict, &log, took),
                Event::Stopped {
                    job,
                    scene,
                    taken,
                    total,
                    log,
                } => {
                    let cut = self.cut.take_if(|cut| cut.job == Some(job));
                    if let Some(cut) = cut.filter(|_| taken > 0) {
                        self.cut_short(editor, cut, scene, (taken, total), log);
                    }
                }
                Event::Attacks(candidates) => {
                    self.attacks.searching = false;
                    self.attacks.candidates = candidates;
                }
                Event::World(scene) => self.world_moved(editor, scene),
                Event::Failed(message) => self.failed(editor, message),
                Event::Broken { message, case } => self.broken(editor, &message, case),
            }
        }
    }

    /// Takes in what came of a run that concerns nothing on screen.
    fn done_aside(&mut self, result: Result<Arc<Scene>, String>, editor: &mut Editor) {
        match self.aside.take() {
            Some(Aside::Pane(input, settings)) => self.variants.keep(input, settings, result),
            Some(Aside::Cell(number)) => self.swept(number, result, editor),
            None => {}
        }
    }

    fn stepped(
        &mut self,
        taken: usize,
        total: usize,
        record: Arc<StepRecord>,
        preview: Option<Arc<Scene>>,
    ) {
        if let Some(running) = &mut self.running {
            (running.taken, running.total) = (taken, total);
        }
        if let Some(log) = &mut self.log {
            log.records.push(record);
        }
        if preview.is_some() {
            self.live_scene = preview;
        }
    }

    pub(super) fn done(
        &mut self,
        editor: &mut Editor,
        scene: Arc<Scene>,
        verdict: Option<Arc<Verdict>>,
        log: &StepLog,
        took: Duration,
    ) {
        let Some(running) = self.running.take() else {
            return;
        };
        self.live_scene = None;
        self.took = Some((log.records.len().saturating_sub(1), took));
        self.log = Some(log.clone());
        self.skins = None;
        self.base = Some(running.input.clone());
        self.shown = None;
        self.made = Some(scene.clone());
        self.verdict = verdict.clone().map(|verdict| (scene.clone(), verdict));
        self.variants
            .remember(&scene, running.input.clone(), running.settings.clone());
        match running.reason {
            Reason::Edit => {
                editor.amend(&running.input, scene.clone());
                if let Some(taken) = &mut self.attacks.taken
                    && Arc::ptr_eq(taken, &running.input)
                {
                    *taken = scene;
                }
                return;
            }
            Reason::Opening => {
                editor.adopt(&running.input, scene);
                return;
            }
            Reason::Settings => {
                self.turned(editor, &running, scene);
                return;
            }
            Reason::Asked | Reason::EveryAttack => {}
        }
        let is_first = running.sample.0 == 0;
        let case = Case {
            name: running.name,
            picture: Thumbnail::of(&scene),
            scene: scene.clone(),
            past: Some(Past {
                input: running.input,
                log: log.clone(),
                verdict,
            }),
        };
        if running.reason == Reason::EveryAttack {
            self.cases.push(case);
            if self.queue.is_empty() {
                self.attacks_made(editor, (&running.from, running.sample.1));
            }
        } else if self.until_valid {
            self.cases.push(case);
            if failures(&scene) == 0 {
                self.queue.clear();
            }
            let drawn = self.cases.iter().filter(|case| case.past.is_some());
            let count = drawn.clone().count();
            let best = drawn.min_by_key(|case| failures(&case.scene));
            if let (true, Some(best)) = (self.queue.is_empty(), best) {
                let shown = land(editor, &running.from, "Generate: ", best);
                if shown && failures(&best.scene) > 0 {
                    let drawn = match count {
                        1 => "The sample does not pass every gate.".to_owned(),
                        count => format!(
                            "None of {count} samples passes every gate; the one that fails fewest is shown."
                        ),
                    };
                    editor.notices.push(Notice::new(Weight::Warning, drawn));
                }
            }
        } else {
            if is_first {
                land(editor, &running.from, "Generate: ", &case);
            }
            self.cases.push(case);
        }
        let shown = |case: &Case| editor.is_present(&case.scene);
        if self.queue.is_empty()
            && let Some(index) = self.cases.iter().position(shown)
        {
            self.recall(index);
        }
        self.next_sample();
    }

    fn broken(&mut self, editor: &mut Editor, message: &str, case: Arc<Scene>) {
        self.break_off();
        self.queue.clear();
        self.live_scene = None;
        self.bug = Some(case);
        let text = format!(
            "The model failed and the run was stopped. {}",
            sentence(message)
        );
        let notice = Notice::new(Weight::Error, text).offering(Command::SaveBugCase);
        editor.notices.push(notice);
    }

    pub(super) fn failed(&mut self, editor: &mut Editor, message: String) {
        let running = self.running.as_ref();
        let asked = running.is_some_and(|running| running.reason == Reason::Asked);
        if let Some(running) = running.filter(|running| running.reason == Reason::EveryAttack) {
            // one that cannot be driven keeps nobody from the others
            let of = (running.from.clone(), running.sample.1);
            self.break_off();
            match self.queue.is_empty() {
                true => self.attacks_made(editor, (&of.0, of.1)),
                false => self.next_sample(),
            }
            return;
        }
        self.break_off();
        self.queue.clear();
        self.world = None;
        self.live_scene = None;
        let searched = std::mem::take(&mut self.attacks.searching);
        if self.model == Model::Loading {
            self.model = Model::Failed(message.clone());
        }
        // moving a frozen agent asks for nothing
        if !asked && !searched && message.starts_with("nothing to make") {
            return;
        }
        let mut notice = Notice::new(Weight::Warning, sentence(&message));
        let scene = editor.committed();
        notice.offer = match scene {
            Some(scene) if scene.agents.is_empty() => Some(Command::AddTool),
            Some(scene) if searched && scene.ego().is_none() => Some(Command::ChooseEgo),
            _ => None,
        };
        editor.notices.push(notice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Edit;
    use crate::ui::action::Action;
    use crate::ui::lab::LabAction;
    use crate::ui::lab::tests::editor;
    use crate::ui::lab::tests::running;

    #[test]
    fn a_result_of_a_scene_that_was_left_is_kept_beside_what_was_edited() {
        let (mut editor, mut lab) = (editor(), Lab::new(None));
        let result = |lab: &mut Lab, editor: &mut Editor| {
            let made = Arc::new(Scene {
                name: "made".to_owned(),
                ..Scene::clone(editor.committed().unwrap())
            });
            let log = StepLog::default();
            lab.done(editor, made.clone(), None, &log, Duration::ZERO);
            made
        };
        let edit = Action::Commit {
            label: None,
            edits: vec![Edit::SetNow { frame: 1 }],
        };
        for until_valid in [false, true] {
            lab.until_valid = until_valid;
            lab.cases.clear();
            for leave in [&edit, &Action::Run(Command::Undo)] {
                lab.running = Some(running(&editor, 1));
                editor.apply(leave);
                let present = editor.committed().unwrap().clone();
                let made = result(&mut lab, &mut editor);
                assert!(editor.is_present(&present));
                assert!(Arc::ptr_eq(&lab.cases.last().unwrap().scene, &made));
                assert!(editor.notices.pop().unwrap().text.contains("meanwhile"));
            }
        }
        lab.until_valid = false;
        lab.running = Some(running(&editor, 1));
        let made = result(&mut lab, &mut editor);
        assert!(editor.is_present(&made));
        // to show what is shown is no step of the history
        let revision = editor.revision();
        lab.apply(LabAction::Sample(lab.cases.len() - 1), &mut editor);
        assert_eq!(editor.revision(), revision);
    }
}
