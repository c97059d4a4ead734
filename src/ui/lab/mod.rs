//! The window's side of generation: what is asked of the engine, what it answered, and which of it is shown.

mod answers;
mod attacks;
mod command;
mod steps;
pub(super) mod sweep;
mod world;

pub(super) use attacks::Attacks;
pub(super) use attacks::attack_name;
pub(super) use command::command_line;
pub(super) use command::unsaid;
pub(super) use steps::noise_view;

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::engine::Engine;
use crate::engine::Event;
use crate::engine::Job;
use crate::engine::JobId;
use crate::engine::Purpose;
use crate::engine::StepLog;
use crate::engine::StepRecord;
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
use crate::ui::thumbnail::Thumbnail;
use crate::ui::tray::Refusal;
use crate::ui::tray::Tray;
use crate::ui::variants::Variant;
use crate::ui::variants::Variants;
use crate::ui::variants::Wanted;

/// Samples drawn at most until one is valid, unless more or fewer were asked for.
const DRAWS: usize = 8;

/// Changes of the settings nearer to each other than this are one turn of a knob.
const TURN: Duration = Duration::from_millis(900);

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

/// Why a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The user asked for a result: a step of its own in the history.
    Asked,
    /// All attacks that were found are made: the best one is a step of the history.
    EveryAttack,
    /// An edit is answered: part of the edit's step.
    Edit,
    /// Other settings for the present result: one step of the history per turn of a knob.
    Settings,
    /// The scene of the first start, which is opened with its result.
    Opening,
}

/// A run in progress.
#[derive(Debug, Clone)]
pub(super) struct Running {
    /// Steps taken.
    pub taken: usize,
    /// Steps in all; 0 until it has begun.
    pub total: usize,
    /// Position of the sample and how many were asked for.
    pub sample: (usize, usize),
    /// When it was handed in.
    since: Instant,
    /// Its number; none in tests.
    job: Option<JobId>,
    reason: Reason,
    input: Arc<Scene>,
    settings: Settings,
    /// The scene in the editor when it was asked for.
    from: Arc<Scene>,
    /// What the result is called among the samples.
    name: String,
}

/// A sample yet to be drawn.
struct Due {
    input: Arc<Scene>,
    settings: Settings,
    // as in [`Running`]
    from: Arc<Scene>,
    name: String,
    sample: (usize, usize),
    reason: Reason,
}

/// The turn of a knob: results of one turn replace each other.
#[derive(Default)]
struct Turn {
    /// The settings changed since the last run for them began.
    changed: bool,
    /// When they changed last.
    at: Option<Instant>,
    /// The last result of this turn.
    result: Option<Arc<Scene>>,
}

impl Running {
    /// Progress in words.
    pub(super) fn text(&self) -> String {
        let steps = match self.total {
            0 => "preparing".to_owned(),
            total => format!("step {} of {total}", self.taken),
        };
        // short runs are over before a number could be read
        let took = match self.since.elapsed().as_secs() {
            0 => String::new(),
            took => format!(", {took} s"),
        };
        match self.sample {
            (_, 1) => format!("Generating, {steps}{took}"),
            (sample, samples) => {
                let what = match self.reason {
                    Reason::EveryAttack => "attack",
                    _ => "sample",
                };
                format!(
                    "Generating {what} {} of {samples}, {steps}{took}",
                    sample + 1
                )
            }
        }
    }
}

/// A world that runs on.
struct World {
    /// The scene in which it stands; any other scene in the editor ends it.
    scene: Arc<Scene>,
    /// Seconds since it last moved on.
    since_s: f64,
}

/// The run that made a sample.
#[derive(Clone)]
pub(super) struct Past {
    input: Arc<Scene>,
    log: StepLog,
    verdict: Option<Arc<Verdict>>,
}

/// A run that concerns nothing on screen, made while the engine is free.
enum Aside {
    /// Of a pane with settings of its own.
    Pane(Arc<Scene>, Settings),
    /// Of the sweep, by its number.
    Cell(usize),
}

/// A finished sample.
#[derive(Clone)]
pub(super) struct Case {
    /// Its name.
    pub name: String,
    /// The scene with its recipe and findings.
    pub scene: Arc<Scene>,
    /// Its run, of a sample of the last request.
    pub past: Option<Past>,
    /// Its picture.
    pub picture: Thumbnail,
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
    aside: Option<Aside>,
    turn: Turn,
    world: Option<World>,
    verdict: Option<(Arc<Scene>, Arc<Verdict>)>,
    live_scene: Option<Arc<Scene>>,
    /// What the drag in progress was last answered for.
    previewed: Vec<Edit>,
    base: Option<Arc<Scene>>,
    /// What the last run gave.
    made: Option<Arc<Scene>>,
    /// Samples yet to be drawn, the next one last.
    queue: Vec<Due>,
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
            turn: Turn::default(),
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

    /// Forgets everything about the last scene.
    pub(super) fn reset(&mut self) {
        self.stop();
        if let (true, Some(engine)) = (self.aside.take().is_some(), &mut self.engine) {
            engine.cancel();
        }
        self.forget_run();
        self.variants.clear();
        self.later_log = None;
        self.sweep.reset();
        self.turn = Turn::default();
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

    /// The task a run would have on `scene`.
    pub(super) fn task_of(&self, scene: &Scene) -> Task {
        self.task.unwrap_or({
            match (scene.attacks.is_empty(), scene.goals.is_empty()) {
                (false, _) => Task::Attack,
                (true, false) => Task::Goal,
                (true, true) => Task::Free,
            }
        })
    }

    /// The settings of a run on `scene`.
    pub(super) fn settings_on(&self, scene: &Scene) -> Settings {
        Settings {
            task: self.task_of(scene),
            ..self.settings.clone()
        }
    }

    /// Asks for results on the editor's scene.
    pub(super) fn generate(&mut self, editor: &Editor, new_seed: bool) {
        let Some(present) = editor.committed().cloned() else {
            return;
        };
        // a result is made again from what it was made of, so that the same seed gives the same scene
        let input = match self.variants.input_of(&present) {
            Some((input, _)) => input.clone(),
            None => present.clone(),
        };
        if new_seed || (!self.seed_locked && !self.cases.is_empty()) {
            self.settings.seed = next_seed(self.settings.seed);
        }
        let settings = self.settings_on(&input);
        self.cases.clear();
        self.fan = None;
        self.cut = None;
        self.queue = (0..self.samples)
            .rev()
            .map(|sample| Due {
                input: input.clone(),
                settings: Settings {
                    sample: sample as u64,
                    ..settings.clone()
                },
                from: present.clone(),
                name: match self.samples {
                    1 => format!("Seed {}", settings.seed),
                    _ => format!("Seed {}, sample {}", settings.seed, sample + 1),
                },
                sample: (sample, self.samples),
                reason: Reason::Asked,
            })
            .collect();
        self.next_sample();
    }

    fn next_sample(&mut self) {
        if let Some(due) = self.queue.pop() {
            self.start(due);
        }
    }

    /// Starts a run that is no sample: of an edit, of other settings, of the first start.
    fn start_alone(
        &mut self,
        input: Arc<Scene>,
        from: Arc<Scene>,
        settings: Settings,
        reason: Reason,
    ) {
        self.start(Due {
            input,
            settings,
            from,
            name: String::new(),
            sample: (0, 1),
            reason,
        });
    }

    fn start(&mut self, due: Due) {
        let Due {
            input,
            settings,
            from,
            name,
            sample,
            reason,
        } = due;
        let Some(engine) = &mut self.engine else {
            return;
        };
        self.aside = None;
        self.attacks.searching = false;
        self.world = None;
        self.step = None;
        self.playing = false;
        let job = engine.submit(Job::Generate {
            scene: input.clone(),
            settings: settings.clone(),
            purpose: Purpose::Shown,
        });
        self.running = Some(Running {
            job: Some(job),
            taken: 0,
            total: 0,
            sample,
            since: Instant::now(),
            reason,
            input,
            settings,
            from,
            name,
        });
    }

    /// Makes the result with which the scene of the first start is opened; false until the network is there.
    pub(super) fn open_generated(&mut self, editor: &Editor) -> bool {
        let (true, Some(scene)) = (self.ready(), editor.committed().cloned()) else {
            return false;
        };
        let settings = self.settings_on(&scene);
        self.start_alone(scene.clone(), scene, settings, Reason::Opening);
        true
    }

    /// What the model makes of the scene with a seed and a schedule of a pane's own. Runs one after another, whenever
    /// nothing else does.
    pub(super) fn variant(&mut self, committed: &Arc<Scene>, variant: &Variant) -> Wanted {
        if !self.ready() || self.world.is_some() {
            let problem = match self.ready() {
                true => "The world runs on; stop it to compare seeds.".to_owned(),
                false => self.unready(),
            };
            return Wanted {
                problem: Some(problem),
                ..Wanted::default()
            };
        }
        let (input, settings) = match self.variants.input_of(committed) {
            Some((input, settings)) => (input.clone(), settings.clone()),
            None => {
                let settings = self.settings_on(committed);
                (committed.clone(), settings)
            }
        };
        let settings = Settings {
            seed: variant.seed,
            schedule: variant.schedule,
            steps: variant.steps,
            sample: 0,
            ..settings
        };
        self.variants.want(&input, &settings)
    }

    /// Starts what waits for the engine to be free: the present result with changed settings, then runs of panes, then those
    /// of a sweep.
    pub(super) fn tick(&mut self, editor: &mut Editor) {
        let free = self.running.is_none()
            && self.queue.is_empty()
            && self.world.is_none()
            && !self.attacks.searching
            && !editor.previewing()
            && self.ready();
        if !free {
            self.variants.forget_wishes();
            return;
        }
        if std::mem::take(&mut self.turn.changed) && self.run_again(editor) {
            self.variants.forget_wishes();
            return;
        }
        if self.aside.is_some() {
            self.variants.forget_wishes();
            return;
        }
        if let (Some((scene, settings)), Some(engine)) = (self.variants.next(), &mut self.engine) {
            engine.submit(Job::Generate {
                scene: scene.clone(),
                settings: settings.clone(),
                purpose: Purpose::Aside,
            });
            self.aside = Some(Aside::Pane(scene, settings));
        } else {
            self.next_of_sweep(editor);
        }
    }

    /// Makes the present result again with the settings as they are now, from the same input and the same noise; false
    /// if the scene is no result or the settings make no difference.
    fn run_again(&mut self, editor: &Editor) -> bool {
        let Some(present) = editor.committed().cloned() else {
            return false;
        };
        let Some((input, old)) = self.variants.input_of(&present) else {
            return false;
        };
        let (input, old) = (input.clone(), old.clone());
        let settings = Settings {
            task: old.task,
            scope: old.scope.clone(),
            sample: old.sample,
            ..self.settings.clone()
        };
        if settings == old {
            return false;
        }
        self.start_alone(input, present, settings, Reason::Settings);
        true
    }

    fn set(&mut self, settings: Settings) {
        if settings == self.settings {
            return;
        }
        self.settings = settings;
        if !self.live {
            return;
        }
        let pause = self.turn.at.is_none_or(|at| at.elapsed() > TURN);
        if pause {
            self.turn.result = None;
        }
        self.turn.at = Some(Instant::now());
        self.turn.changed = true;
    }

    /// Stops the run in progress; false if there was none.
    pub(super) fn stop(&mut self) -> bool {
        self.queue.clear();
        let world = self.world.take().is_some();
        let busy = self.running.is_some() || self.attacks.searching || world;
        if let (Some(engine), true) = (&mut self.engine, busy) {
            engine.cancel();
        }
        self.attacks.searching = false;
        let running = self.running.as_ref();
        self.cut = running
            .filter(|running| running.reason == Reason::Asked)
            .cloned();
        self.break_off();
        busy
    }

    /// Keeps what a run that the user stopped has made so far among the samples.
    fn cut_short(
        &mut self,
        editor: &mut Editor,
        running: Running,
        scene: Arc<Scene>,
        (taken, total): (usize, usize),
        log: Arc<StepLog>,
    ) {
        self.live_scene = None;
        let seed = running.settings.seed;
        let (name, text) = if taken < total {
            let name = format!("Seed {seed}, partial, {taken} of {total}");
            let text = format!("Kept among the samples: {name} steps.");
            (name, text)
        } else {
            let text = "It was finished by then, and is kept among the samples.";
            (format!("Seed {seed}, stopped at its end"), text.to_owned())
        };
        editor.notices.push(Notice::new(Weight::Info, text));
        self.cases.push(Case {
            name,
            picture: Thumbnail::of(&scene),
            scene,
            past: Some(Past {
                input: running.input,
                log: StepLog::clone(&log),
                verdict: None,
            }),
        });
    }

    /// Lets go of the run in progress, whose steps so far can still be looked at.
    fn break_off(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        self.live_scene = None;
        if running.total > 0 {
            self.stopped = Some(running.total);
        } else if self.log.as_ref().is_some_and(|log| log.records.len() < 2) {
            // nothing but the starting noise
            self.log = None;
            self.step = None;
        }
    }

    /// Whether a scene is what the last run gave, or comes of it by edits.
    pub(super) fn is_made(&self, scene: Option<&Arc<Scene>>) -> bool {
        let made = self.made.as_ref().and_then(|made| made.generated.as_ref());
        let shown = scene.and_then(|scene| scene.generated.as_ref());
        made.zip(shown)
            .is_some_and(|(made, shown)| Arc::ptr_eq(made, shown))
    }

    /// How many steps of the last run can be looked at besides its result.
    pub(super) fn steps_to_see(&self) -> usize {
        let records = self.log.as_ref().map_or(0, |log| log.records.len());
        match self.stopped {
            Some(_) => records,
            None => records.saturating_sub(1),
        }
    }

    /// Takes in what the engine reports.
    pub(super) fn hear(&mut self, editor: &mut Editor) {
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

    fn done(
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

    /// Puts a drive that began in `from` on the history, or keeps it among the samples if another scene is edited by then.
    /// Whether it was put there.
    pub(super) fn driven(
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
    fn recall(&mut self, sample: usize) {
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

    fn failed(&mut self, editor: &mut Editor, message: String) {
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
                show(editor, &case.name, &case.scene);
                if self.running.is_none() {
                    self.recall(index);
                }
            }
            LabAction::KeepValid => self.keep_valid(editor),
            LabAction::OpenKept(index) => {
                let case = &self.tray.cases().get(index)?.case;
                show(editor, &case.name, &case.scene);
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

    fn keep(&mut self, editor: &mut Editor) {
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

    /// The findings on `scene` with the escape, if it is the last result.
    pub(super) fn verdict(&self, scene: &Arc<Scene>) -> Option<&Verdict> {
        let (of, verdict) = self.verdict.as_ref()?;
        Arc::ptr_eq(of, scene).then_some(&**verdict)
    }
}

/// Puts what was made of `from` on the history, if that still is the scene; else says that it is kept among the samples.
/// Whether it was put there.
fn land(editor: &mut Editor, from: &Arc<Scene>, what: &str, case: &Case) -> bool {
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
fn show(editor: &mut Editor, name: &str, scene: &Arc<Scene>) {
    if !editor.is_present(scene) {
        editor.put(format!("Show {name}"), scene.clone());
    }
}

/// Another seed, from the last one: a run of draws can be repeated by beginning with the same seed.
fn next_seed(seed: u64) -> u64 {
    // splitmix64 (Steele, Lea, Flood 2014), shortened to six digits that are easy to read out
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % 1_000_000
}

/// Gates that a made scene fails.
fn failures(scene: &Scene) -> usize {
    scene.failed_gates().len()
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
    use super::*;
    use crate::generator::AttackQuery;
    use crate::ui::editor::Document;

    /// A window on a scene of two frames.
    fn editor() -> Editor {
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
    fn running(editor: &Editor, samples: usize) -> Running {
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

    /// An engine that cannot do anything.
    fn idle() -> Engine {
        Engine::start(Box::new(|| {}), || Err("no network".to_owned())).unwrap()
    }

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

    #[test]
    fn messages_become_sentences() {
        assert_eq!(sentence("nothing to make"), "Nothing to make.");
        assert_eq!(sentence("Stop."), "Stop.");
    }
}
