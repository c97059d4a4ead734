//! The life of a run: asked for, begun, begun again with other settings, stopped.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use super::Lab;
use super::samples::Case;
use super::samples::Past;
use crate::engine::Job;
use crate::engine::JobId;
use crate::engine::Purpose;
use crate::engine::StepLog;
use crate::generator::Settings;
use crate::scene::Scene;
use crate::scene::Task;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::editor::Editor;
use crate::ui::thumbnail::Thumbnail;
use crate::ui::variants::Variant;
use crate::ui::variants::Wanted;

/// Changes of the settings nearer to each other than this are one turn of a knob.
const TURN: Duration = Duration::from_millis(900);

/// Why a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
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
pub(in crate::ui) struct Running {
    /// Steps taken.
    pub taken: usize,
    /// Steps in all; 0 until it has begun.
    pub total: usize,
    /// Position of the sample and how many were asked for.
    pub sample: (usize, usize),
    /// When it was handed in.
    pub(super) since: Instant,
    /// Its number; none in tests.
    pub(super) job: Option<JobId>,
    pub(super) reason: Reason,
    pub(super) input: Arc<Scene>,
    pub(super) settings: Settings,
    /// The scene in the editor when it was asked for.
    pub(super) from: Arc<Scene>,
    /// What the result is called among the samples.
    pub(super) name: String,
}

impl Running {
    /// Progress in words.
    pub(in crate::ui) fn text(&self) -> String {
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

/// A sample yet to be drawn.
pub(super) struct Due {
    pub(super) input: Arc<Scene>,
    pub(super) settings: Settings,
    // as in [`Running`]
    pub(super) from: Arc<Scene>,
    pub(super) name: String,
    pub(super) sample: (usize, usize),
    pub(super) reason: Reason,
}

/// The turn of a knob: results of one turn replace each other.
#[derive(Default)]
pub(super) struct Turn {
    /// The settings changed since the last run for them began.
    pub(super) changed: bool,
    /// When they changed last.
    pub(super) at: Option<Instant>,
    /// The last result of this turn.
    pub(super) result: Option<Arc<Scene>>,
}

/// A run that concerns nothing on screen, made while the engine is free.
pub(super) enum Aside {
    /// Of a pane with settings of its own.
    Pane(Arc<Scene>, Settings),
    /// Of the sweep, by its number.
    Cell(usize),
}

impl Lab {
    /// The task a run would have on `scene`.
    pub(in crate::ui) fn task_of(&self, scene: &Scene) -> Task {
        self.task.unwrap_or({
            match (scene.attacks.is_empty(), scene.goals.is_empty()) {
                (false, _) => Task::Attack,
                (true, false) => Task::Goal,
                (true, true) => Task::Free,
            }
        })
    }

    /// The settings of a run on `scene`.
    pub(in crate::ui) fn settings_on(&self, scene: &Scene) -> Settings {
        Settings {
            task: self.task_of(scene),
            ..self.settings.clone()
        }
    }

    /// Asks for results on the editor's scene.
    pub(in crate::ui) fn generate(&mut self, editor: &Editor, new_seed: bool) {
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

    pub(super) fn next_sample(&mut self) {
        if let Some(due) = self.queue.pop() {
            self.start(due);
        }
    }

    /// Starts a run that is no sample: of an edit, of other settings, of the first start.
    pub(super) fn start_alone(
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
    pub(in crate::ui) fn open_generated(&mut self, editor: &Editor) -> bool {
        let (true, Some(scene)) = (self.ready(), editor.committed().cloned()) else {
            return false;
        };
        let settings = self.settings_on(&scene);
        self.start_alone(scene.clone(), scene, settings, Reason::Opening);
        true
    }

    /// What the model makes of the scene with a seed and a schedule of a pane's own. Runs one after another, whenever
    /// nothing else does.
    pub(in crate::ui) fn variant(&mut self, committed: &Arc<Scene>, variant: &Variant) -> Wanted {
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
    pub(in crate::ui) fn tick(&mut self, editor: &mut Editor) {
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

    pub(super) fn set(&mut self, settings: Settings) {
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
    pub(in crate::ui) fn stop(&mut self) -> bool {
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
    pub(super) fn cut_short(
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
    pub(super) fn break_off(&mut self) {
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
}

/// Another seed, from the last one: a run of draws can be repeated by beginning with the same seed.
fn next_seed(seed: u64) -> u64 {
    // splitmix64 (Steele, Lea, Flood 2014), shortened to six digits that are easy to read out
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % 1_000_000
}
