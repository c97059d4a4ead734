//! The window's side of generation: what is asked of the engine, what it answered, and which of it is shown.

mod answers;
mod attacks;
mod command;
mod heard;
mod run;
mod samples;
mod steps;
pub(super) mod sweep;
mod world;

pub(super) use attacks::Attacks;
pub(super) use attacks::attack_name;
pub(super) use command::again_line;
pub(super) use command::command_line;
pub(super) use command::unsaid;
pub(super) use run::Running;
pub(super) use samples::Case;
pub(super) use steps::noise_view;

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::engine::StepLog;
use crate::generator::Settings;
use crate::generator::Verdict;
use crate::render::Path;
use crate::scene::Edit;
use crate::scene::Scene;
use crate::scene::Task;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::editor::Editor;
use crate::ui::panels::library::Place;
use crate::ui::tray::Tray;
use crate::ui::variants::Variants;

/// Samples drawn at most until one is valid, unless more or fewer were asked for.
const DRAWS: usize = 8;

/// A wish that concerns generation.
#[derive(Debug, Clone)]
pub enum LabAction {
    /// New settings.
    Set(Box<Settings>),
    /// What is given to the model; by what the scene holds if absent.
    Task(Option<Task>),
    /// Number of samples to draw.
    Samples(usize),
    /// Samples are drawn until one passes every gate.
    UntilValid(bool),
    /// A new seed is drawn for each run unless locked.
    LockSeed(bool),
    /// Drags are answered while they last, and in full on release.
    Live(bool),
    /// Looks at a step of the last run; the result if absent.
    Look(Option<usize>),
    /// Shows the noisy tokens instead of the predicted clean ones.
    Noisy(bool),
    /// Draws the paths of the steps before and after the one looked at, too.
    Onion(bool),
    /// Draws the futures of all samples under the one that is shown.
    Spread(bool),
    /// Plays the denoise timeline.
    PlaySteps(bool),
    /// The candidate under the pointer.
    Point(Option<usize>),
    /// Takes a candidate as the attack.
    Take(usize),
    /// Shows a sample of the last runs.
    Sample(usize),
    /// Puts the samples that pass every gate into the tray.
    KeepValid,
    /// Opens a case of the tray.
    OpenKept(usize),
    /// Removes a case from the tray.
    DropKept(usize),
    /// Names a case of the tray.
    RenameKept(usize, String),
    /// Writes a note to a case of the tray.
    NoteKept(usize, String),
    /// Shows all cases of a group in the tray, or its first alone; by position of the first.
    FoldKept(usize),
}

/// What is known of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Model {
    /// There is no engine in this window.
    Absent,
    /// It is being loaded.
    Loading,
    /// It is ready.
    Ready {
        /// Hash of its weights.
        identity: String,
        /// What the user must know about them.
        warning: Option<String>,
    },
    /// It cannot be used.
    Failed(String),
}

/// Generation as the window sees it.
pub(super) struct Lab {
    engine: Option<Engine>,
    /// The network.
    pub model: Model,
    /// Seed, schedule, steps, temperature, trust in histories, guidance.
    pub settings: Settings,
    /// What is given; by what the scene holds if absent.
    pub task: Option<Task>,
    /// Samples per request.
    pub samples: usize,
    /// Samples are drawn until one passes every gate, and that one is shown; of as many as fail, the one that fails fewest.
    pub until_valid: bool,
    /// The seed stays for the next run.
    pub seed_locked: bool,
    /// Drags are answered.
    pub live: bool,
    /// The run in progress.
    pub running: Option<Running>,
    /// Steps of the last run.
    pub log: Option<StepLog>,
    /// How many steps the last run was to take, if it was stopped before it had.
    pub stopped: Option<usize>,
    /// The step looked at; the result if absent.
    pub step: Option<usize>,
    /// Noisy tokens are shown instead of the predicted clean ones.
    pub noisy: bool,
    /// The steps before and after the one looked at are drawn as onion skins.
    pub onion: bool,
    /// The futures of all samples are drawn under the one that is shown.
    pub spread: bool,
    /// The denoise timeline plays.
    pub playing: bool,
    /// Steps of the last run that came to its end, and how long they took.
    pub took: Option<(usize, Duration)>,
    /// The attacks that were found.
    pub attacks: Attacks,
    /// Samples of the last request.
    pub cases: Vec<Case>,
    /// Cases kept.
    pub tray: Tray,
    /// The scene with the recipe on which the model failed last.
    pub bug: Option<Arc<Scene>>,
    /// Inputs of results, and the results of panes with settings of their own.
    pub variants: Variants,
    /// The recording as it stands beside a world that has run on, with what it was worked out for.
    later_log: Option<world::LaterLog>,
    /// The last sweep and the next.
    pub sweep: sweep::Sweeping,
    aside: Option<run::Aside>,
    turn: run::Turn,
    world: Option<world::World>,
    verdict: Option<(Arc<Scene>, Arc<Verdict>)>,
    live_scene: Option<Arc<Scene>>,
    /// What the drag in progress was last answered for.
    previewed: Vec<Edit>,
    base: Option<Arc<Scene>>,
    /// What the last run gave.
    made: Option<Arc<Scene>>,
    /// Samples yet to be drawn, the next one last.
    queue: Vec<run::Due>,
    /// A run that the user stopped, until the engine says how far it came.
    cut: Option<Running>,
    clock_s: f64,
    shown: Option<(usize, bool, Arc<Scene>)>,
    skins: Option<(usize, bool, Arc<Vec<Path>>)>,
    /// Paths of so many samples.
    fan: Option<(usize, Arc<Vec<Path>>)>,
}

impl Lab {
    /// What is known of how a scene was made holds for the same under another name.
    pub(super) fn renamed(&mut self, scene: &Arc<Scene>, renamed: &Arc<Scene>) {
        if let Some((input, settings)) = self.variants.input_of(scene) {
            let (input, settings) = (input.clone(), settings.clone());
            self.variants.remember(renamed, input, settings);
        }
    }

    /// A lab with an engine that loads its network, or without one.
    pub(super) fn new(engine: Option<Engine>) -> Self {
        Self {
            model: if engine.is_some() {
                Model::Loading
            } else {
                Model::Absent
            },
            engine,
            settings: Settings::default(),
            task: None,
            samples: 1,
            until_valid: false,
            seed_locked: true,
            live: true,
            running: None,
            log: None,
            stopped: None,
            step: None,
            noisy: false,
            onion: false,
            spread: true,
            playing: false,
            took: None,
            attacks: Attacks::default(),
            cases: Vec::new(),
            tray: Tray::default(),
            bug: None,
            variants: Variants::default(),
            later_log: None,
            sweep: sweep::Sweeping::default(),
            aside: None,
            turn: run::Turn::default(),
            world: None,
            verdict: None,
            live_scene: None,
            previewed: Vec::new(),
            base: None,
            made: None,
            queue: Vec::new(),
            cut: None,
            clock_s: 0.0,
            shown: None,
            skins: None,
            fan: None,
        }
    }

    /// Whether a run can be asked for.
    pub(super) fn ready(&self) -> bool {
        matches!(self.model, Model::Ready { .. })
    }

    /// Forgets everything about the last scene, but its sweep, which is there again when its place is.
    pub(super) fn reset(&mut self, left: Option<Place>, came: &Place) {
        self.stop();
        if let (true, Some(engine)) = (self.aside.take().is_some(), &mut self.engine) {
            engine.cancel();
        }
        self.forget_run();
        self.variants.clear();
        self.later_log = None;
        self.sweep.reset(left, came);
        self.turn = run::Turn::default();
        self.attacks.forget();
        self.cases.clear();
        self.fan = None;
        self.cut = None;
        self.verdict = None;
    }

    fn forget_run(&mut self) {
        self.log = None;
        self.stopped = None;
        self.step = None;
        self.shown = None;
        self.skins = None;
        self.playing = false;
        self.live_scene = None;
        self.base = None;
        self.made = None;
    }

    /// Carries out a wish.
    pub(super) fn apply(&mut self, wish: LabAction, editor: &mut Editor) -> Option<Action> {
        match wish {
            LabAction::Set(settings) => self.set(*settings),
            LabAction::Task(task) => self.task = task,
            LabAction::Samples(samples) => self.samples = samples.clamp(1, 32),
            LabAction::UntilValid(wanted) => {
                self.until_valid = wanted;
                if wanted && self.samples == 1 {
                    self.samples = DRAWS;
                }
            }
            LabAction::LockSeed(locked) => self.seed_locked = locked,
            LabAction::Live(live) => self.live = live,
            LabAction::Look(step) => {
                self.playing = false;
                self.look(step);
            }
            LabAction::Noisy(noisy) => self.noisy = noisy,
            LabAction::Onion(onion) => self.onion = onion,
            LabAction::Spread(spread) => self.spread = spread,
            LabAction::PlaySteps(playing) => {
                self.playing = playing && self.log.is_some();
                if self.playing && self.step.is_none() {
                    self.step = Some(0);
                }
                self.clock_s = 0.0;
            }
            LabAction::Point(candidate) => self.attacks.pointed = candidate,
            LabAction::Take(index) => {
                let attack = self.attacks.candidates.get(index)?.attack.clone();
                self.attacks.taking = self.found_here(editor);
                let edits = vec![Edit::SetAttack { attack }];
                return Some(Action::Commit { label: None, edits });
            }
            LabAction::Sample(index) => {
                let case = self.cases.get(index)?;
                samples::show(editor, &case.name, &case.scene);
                if self.running.is_none() {
                    self.recall(index);
                }
            }
            LabAction::KeepValid => self.keep_valid(editor),
            LabAction::OpenKept(index) => {
                let case = &self.tray.cases().get(index)?.case;
                samples::show(editor, &case.name, &case.scene);
            }
            LabAction::DropKept(index) => self.tray.remove(index),
            LabAction::RenameKept(index, name) => self.tray.rename(index, &name),
            LabAction::NoteKept(index, note) => self.tray.annotate(index, note),
            LabAction::FoldKept(first) => self.tray.fold(first),
        }
        None
    }

    /// Carries out a command that concerns generation; false if it does not.
    pub(super) fn run(&mut self, command: Command, editor: &mut Editor) -> bool {
        match command {
            Command::Generate | Command::NewSeed => {
                if self.ready() {
                    self.generate(editor, command == Command::NewSeed);
                } else {
                    let text = self.unready();
                    editor.notices.push(Notice::new(Weight::Warning, text));
                }
            }
            Command::FindAttacks => self.find_attacks(editor),
            Command::MakeAttacks => self.make_attacks(editor),
            Command::Sweep => self.open_sweep(editor),
            Command::RunWorld if self.ready() => self.toggle_world(editor),
            Command::PreviousStep => self.walk(-1),
            Command::NextStep => self.walk(1),
            Command::FirstStep => self.look(Some(0)),
            Command::LastStep => self.look(None),
            Command::Keep => self.keep(editor),
            _ => return false,
        }
        true
    }

    /// Why nothing can be generated.
    pub(super) fn unready(&self) -> String {
        match &self.model {
            Model::Absent => "This window runs without a model.".to_owned(),
            Model::Loading => "The model is being loaded; try again in a moment.".to_owned(),
            Model::Ready { .. } => String::new(),
            Model::Failed(message) => sentence(message),
        }
    }

    /// The findings on `scene` with the escape, if it is the last result.
    pub(super) fn verdict(&self, scene: &Arc<Scene>) -> Option<&Verdict> {
        let (of, verdict) = self.verdict.as_ref()?;
        Arc::ptr_eq(of, scene).then_some(&**verdict)
    }
}

/// First letter large, full stop at the end.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    let mut text: String = first.into_iter().flatten().chain(letters).collect();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::ui::editor::Document;
    use crate::ui::lab::run::Reason;

    /// A window on a scene of two frames.
    pub(super) fn editor() -> Editor {
        let scene = Scene {
            dt_s: 0.1,
            frames: 2,
            ..Scene::default()
        };
        let mut editor = Editor::default();
        editor.open(Document::new(scene, "test".to_owned(), Vec::new()));
        editor
    }

    /// A run on the present scene, of the first of `samples`.
    pub(super) fn running(editor: &Editor, samples: usize) -> Running {
        let present = editor.committed().unwrap();
        Running {
            job: None,
            taken: 0,
            total: 0,
            sample: (0, samples),
            since: Instant::now(),
            reason: Reason::Asked,
            input: present.clone(),
            settings: Settings::default(),
            from: present.clone(),
            name: "Seed 1".to_owned(),
        }
    }

    #[test]
    fn messages_become_sentences() {
        assert_eq!(sentence("nothing to make"), "Nothing to make.");
        assert_eq!(sentence("Stop."), "Stop.");
    }
}
