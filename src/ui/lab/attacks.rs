//! Attacks on the ego: what was found, and every one of it made, one after the other.

use std::sync::Arc;

use super::Case;
use super::Due;
use super::Lab;
use super::Reason;
use super::failures;
use super::land;
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
