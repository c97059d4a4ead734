//! Attacks on the ego: what was found, and every one of it made, one after the other.

use std::sync::Arc;

use super::Lab;
use super::run::Due;
use super::run::Reason;
use super::samples::failures;
use super::samples::land;
use crate::engine::Job;
use crate::generator::AttackCandidate;
use crate::generator::AttackQuery;
use crate::generator::Settings;
use crate::scene::Edit;
use crate::scene::Role;
use crate::scene::Scene;
use crate::scene::State;
use crate::scene::Task;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::editor::Editor;

/// The attacks that were found, and where.
#[derive(Default)]
pub(in crate::ui) struct Attacks {
    /// Reachable attacks, best first.
    pub candidates: Vec<AttackCandidate>,
    /// The scene in which they were sought.
    pub(super) sought: Option<Arc<Scene>>,
    /// What it has become by taking one of them.
    pub(super) taken: Option<Arc<Scene>>,
    /// One of them is being taken.
    pub(super) taking: bool,
    /// The candidate under the pointer.
    pub pointed: Option<usize>,
    /// The engine is looking for attacks.
    pub searching: bool,
    /// What the ego's planner may do: what attacks are sought against next.
    pub planned: Vec<(f64, Vec<State>)>,
    /// Whether the candidates were sought against a planner.
    pub against_planner: bool,
}

impl Attacks {
    /// Lets go of what was found.
    pub(super) fn forget(&mut self) {
        self.candidates.clear();
        self.sought = None;
        self.taken = None;
    }
}

/// Who attacks, and when.
pub(in crate::ui) fn attack_name(candidate: &AttackCandidate) -> String {
    let attack = &candidate.attack;
    format!("{} at {:.1} s", attack.attacker.short(), attack.time_s)
}

impl Lab {
    /// Whether the attacks that were found are of the present scene, or of the one in which one of them was taken.
    pub(in crate::ui) fn found_here(&self, editor: &Editor) -> bool {
        let scenes = self.attacks.sought.iter().chain(&self.attacks.taken);
        scenes.into_iter().any(|scene| editor.is_present(scene))
    }

    /// Looks for reachable attacks by the selected agent, else by anyone.
    pub(in crate::ui) fn find_attacks(&mut self, editor: &Editor) {
        let Some(scene) = editor.committed().cloned() else {
            return;
        };
        self.stop();
        let Some(engine) = &mut self.engine else {
            return;
        };
        let attacker = editor.primary().filter(|id| {
            let agent = scene.agent(id);
            agent.is_some_and(|agent| agent.role != Role::Ego)
        });
        let query = AttackQuery {
            attacker: attacker.cloned(),
            planned: std::mem::take(&mut self.attacks.planned),
            ..AttackQuery::default()
        };
        self.attacks.against_planner = !query.planned.is_empty();
        self.attacks.candidates.clear();
        self.aside = None;
        self.attacks.searching = true;
        self.attacks.sought = Some(scene.clone());
        self.attacks.taken = None;
        engine.submit(Job::Attacks { scene, query });
    }

    /// Whether the attacks that were found can be made.
    pub(in crate::ui) fn can_attack(&self, editor: &Editor) -> bool {
        let found = !self.attacks.searching && !self.attacks.candidates.is_empty();
        found && self.ready() && self.found_here(editor)
    }

    /// Makes every attack that was found, the most plausible first; each is a sample.
    pub(in crate::ui) fn make_attacks(&mut self, editor: &mut Editor) {
        let sought = self.attacks.sought.clone();
        let found = sought.filter(|_| self.can_attack(editor));
        let (Some(scene), Some(from)) = (found, editor.committed().cloned()) else {
            let text = "Find attacks first: they are made for the scene they were found in.";
            editor.notices.push(Notice::new(Weight::Info, text));
            return;
        };
        self.stop();
        self.cases.clear();
        self.fan = None;
        self.cut = None;
        let count = self.attacks.candidates.len();
        let due = |(at, candidate): (usize, &AttackCandidate)| {
            let mut calm = Scene::clone(&scene);
            calm.attacks.clear();
            let attack = candidate.attack.clone();
            let aimed = calm.edited(&Edit::SetAttack { attack }).ok()?;
            Some(Due {
                input: Arc::new(aimed),
                settings: Settings {
                    task: Task::Attack,
                    ..self.settings.clone()
                },
                from: from.clone(),
                name: attack_name(candidate),
                sample: (at, count),
                reason: Reason::EveryAttack,
            })
        };
        let all = self.attacks.candidates.iter().enumerate().filter_map(due);
        self.queue = all.collect();
        self.queue.reverse();
        self.next_sample();
    }

    /// Shows the first attack that passes every gate, else the one that fails fewest, and says how many do.
    pub(super) fn attacks_made(
        &mut self,
        editor: &mut Editor,
        (from, count): (&Arc<Scene>, usize),
    ) {
        self.cases
            .sort_by_key(|case| (!case.scene.is_valid(), failures(&case.scene)));
        let valid = self.valid().count();
        let text = match (valid, count) {
            (0, _) => format!("None of {count} attacks passes every gate."),
            (_, 1) => "The attack passes every gate.".to_owned(),
            _ => format!("{valid} of {count} attacks pass every gate."),
        };
        let weight = if valid == 0 {
            Weight::Warning
        } else {
            Weight::Good
        };
        editor.notices.push(Notice::new(weight, text));
        if let Some(best) = self.cases.first()
            && land(editor, from, "Attack: ", best)
        {
            self.attacks.taken = Some(best.scene.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::Engine;
    use crate::engine::StepLog;
    use crate::ui::action::Action;
    use crate::ui::editor::Document;
    use crate::ui::lab::LabAction;
    use crate::ui::lab::Model;
    use crate::ui::lab::tests::editor;

    /// An engine that cannot do anything.
    fn idle() -> Engine {
        Engine::start(Box::new(|| {}), || Err("no network".to_owned())).unwrap()
    }

    #[test]
    fn every_attack_is_made_though_one_cannot_be_driven_and_the_valid_ones_are_kept() {
        let json = include_bytes!("../../../scenes/left-turn.json");
        let scene = crate::scene::scene_from_json(json, "bundled").unwrap();
        let found = crate::generator::attack_candidates(&scene, &AttackQuery::default()).unwrap();
        let count = found.len();
        assert!(count > 2);
        let (mut editor, mut lab) = (Editor::default(), Lab::new(Some(idle())));
        editor.open(Document::new(scene, "test".to_owned(), Vec::new()));
        lab.model = Model::Ready {
            identity: String::new(),
            warning: None,
        };
        lab.make_attacks(&mut editor);
        assert!(lab.running.is_none()); // they have not been found yet
        lab.attacks.candidates = found;
        lab.attacks.sought = editor.committed().cloned();
        // with one of them taken the list is still of the scene
        let taken = lab.apply(LabAction::Take(0), &mut editor).unwrap();
        editor.apply(&taken);
        assert!(!lab.found_here(&editor));
        let Action::Commit { edits, .. } = taken else {
            panic!("no edit");
        };
        lab.answer(&editor, &edits);
        assert!(lab.found_here(&editor));
        lab.make_attacks(&mut editor);
        lab.failed(&mut editor, "it cannot be driven".to_owned());
        for made in 1..count {
            let input = &lab.running.as_ref().unwrap().input;
            assert_eq!(input.attacks.len(), 1);
            let settings = Settings {
                task: Task::Attack,
                ..Settings::default()
            };
            let recipe = crate::generator::draft(input, &settings, "").unwrap();
            let mut case = crate::generator::bug_case(input, recipe, "");
            let generated = Arc::make_mut(case.generated.as_mut().unwrap());
            generated.extra.clear();
            generated.complete = made > 1; // what is not complete is not valid
            generated.edits = None;
            let log = StepLog::default();
            lab.done(&mut editor, Arc::new(case), None, &log, Duration::ZERO);
        }
        assert!(lab.running.is_none() && lab.cases.len() == count - 1);
        assert!(lab.can_attack(&editor));
        let said = editor.notices.pop().unwrap().text;
        assert_eq!(
            said,
            format!("{} of {count} attacks pass every gate.", count - 2)
        );
        lab.apply(LabAction::KeepValid, &mut editor);
        assert_eq!(lab.tray.cases().len(), count - 2);
    }

    #[test]
    fn a_search_for_attacks_ends_what_runs_and_a_drag_ends_the_search() {
        let (mut editor, mut lab) = (editor(), Lab::new(Some(idle())));
        lab.model = Model::Ready {
            identity: String::new(),
            warning: None,
        };
        lab.samples = 2;
        lab.generate(&editor, false);
        assert!(lab.running.is_some() && !lab.queue.is_empty());
        lab.find_attacks(&editor);
        assert!(lab.running.is_none() && lab.queue.is_empty() && lab.attacks.searching);
        assert!(
            lab.attacks
                .sought
                .as_ref()
                .is_some_and(|of| editor.is_present(of))
        );
        lab.toggle_world(&mut editor);
        lab.find_attacks(&editor);
        assert!(!lab.world_runs() && lab.attacks.searching);
        // a drag that asks for no answer leaves it alone
        let busy = |lab: &Lab| lab.engine.as_ref().is_some_and(Engine::busy);
        lab.drop_preview();
        assert!(lab.attacks.searching && busy(&lab));
        let signal = Edit::SetSignal {
            signal: 0,
            from_frame: 0,
            state: crate::scene::SignalState::Red,
        };
        lab.preview(&editor, &[signal]);
        assert!(!lab.attacks.searching && busy(&lab));
        lab.drop_preview();
        assert!(!busy(&lab));
    }
}
