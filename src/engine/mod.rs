//! Jobs, and the one thread that runs them.
//!
//! The thread owns the network. Jobs are numbered; a newer one supersedes the running one between two steps, unless the
//! running one can take in what it asks for (an agent that came or moved, a signal or a goal that changed): then the next
//! step answers. While something is dragged, previews do not cut each other off (nothing would ever be seen): one runs
//! to its end and the newest waiting one follows. What is let go is made from the whole of the noise, so that a result
//! does not depend on the way the pointer took.

mod drive_world;
mod generator_world;
mod own;
mod own_file;
mod pilot;
mod steps;
#[cfg(test)]
mod tests;
mod worker;
mod world;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use drive_world::DriveWorld;
pub use own_file::own_planner;
pub use pilot::{LoadPlanner, LoadWorld, OwnCommand, Pilot, PilotEvent, PilotJob, Planned};
pub use steps::{StepLog, StepRecord, Steps};
pub use worker::{Desk, JobId, Worker};

use crate::diffusion::Prepare;
use crate::generator::{
    AttackCandidate, AttackQuery, GenerateError, Run, Scope, Settings, Verdict,
    attack_candidates_while, bug_case, draft, made_agents,
};
use crate::scene::{Scene, Task};

/// What a run is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be looked at step by step. It may take in what the next such run asks for.
    Shown,
    /// For the eye, while something is dragged: no steps are kept, and it is not judged.
    Preview,
    /// For its result alone, beside what is on screen: it tells of no step, and has nothing to do with other runs.
    Aside,
}

/// What the thread can be asked to do.
#[derive(Debug, Clone)]
pub enum Job {
    /// Complete a scene.
    Generate {
        /// History, map, goals, attacks and controls.
        scene: Arc<Scene>,
        /// Everything else.
        settings: Settings,
        /// What for.
        purpose: Purpose,
    },
    /// Rank reachable attacks.
    Attacks {
        /// The scene.
        scene: Arc<Scene>,
        /// What is asked for.
        query: AttackQuery,
    },
    /// Run the world forward without end, half a second at a time, from the scene's present.
    World {
        /// The scene; its present is where the world stands.
        scene: Arc<Scene>,
        /// Seed, guidance and temperature; schedule and steps are the world's own.
        settings: Settings,
    },
}

/// What the thread reports.
#[derive(Debug, Clone)]
pub enum Event {
    /// The network is loaded: what to say about it.
    Model {
        /// Its weights' hash.
        identity: String,
        /// A sentence for the banner if the weights are not those that came with the program.
        warning: Option<String>,
    },
    /// A run began, or took in a change of the world and goes on.
    Begun {
        /// Rows, validity, and the steps so far: the starting noise at least.
        log: Arc<StepLog>,
    },
    /// A step was taken.
    Step {
        /// Steps taken.
        taken: usize,
        /// Steps in all.
        total: usize,
        /// The step itself.
        record: Arc<StepRecord>,
        /// The scene as predicted, if enough time has passed since the last one sent.
        preview: Option<Arc<Scene>>,
    },
    /// A run is finished.
    Done {
        /// The result, judged unless it is a preview.
        scene: Arc<Scene>,
        /// Gates with the escape and the contact; `None` for previews.
        verdict: Option<Arc<Verdict>>,
        /// All steps, if it was to be looked at.
        log: Arc<StepLog>,
        /// What it was made for.
        purpose: Purpose,
        /// Time from the job's start to its end.
        took: Duration,
    },
    /// A run was stopped between two steps.
    Stopped {
        /// Which.
        job: JobId,
        /// What the last step predicts, marked incomplete.
        scene: Arc<Scene>,
        /// Steps taken.
        taken: usize,
        /// Steps in all.
        total: usize,
        /// The steps up to there.
        log: Arc<StepLog>,
    },
    /// Reachable attacks, best first.
    Attacks(Vec<AttackCandidate>),
    /// The world moved on by half a second; its present is the scene's.
    World(Arc<Scene>),
    /// A job failed; a sentence a person can act on. Nothing was changed.
    Failed(String),
    /// The network failed in a run: a sentence, and the scene with the recipe on which it did, to be kept.
    Broken {
        /// What happened.
        message: String,
        /// The input with its recipe, marked incomplete; see [`crate::generator::bug_case`].
        case: Arc<Scene>,
    },
}

/// A network and what is to be said about it.
pub struct Loaded {
    /// The network.
    pub network: Box<dyn Prepare>,
    /// A sentence for the banner if the weights are not those that came with the program.
    pub warning: Option<String>,
}

/// The desk of an engine's job.
type EventDesk<'a> = Desk<'a, Option<Job>, Event>;

/// Previews are sent at most this often while a run is under way.
const PREVIEW_EVERY: Duration = Duration::from_millis(40);

/// The engine as the window sees it.
pub struct Engine {
    worker: Worker<Option<Job>, Event>,
    running: Option<(JobId, bool)>,
    waiting: Option<Job>,
    /// The job that loads the network.
    load: JobId,
}

impl Engine {
    /// Starts the thread, which loads the network first. `wake` is called after every event.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub fn start(
        wake: Box<dyn Fn() + Send>,
        load: impl FnOnce() -> Result<Loaded, String> + Send + 'static,
    ) -> std::io::Result<Self> {
        let mut load = Some(load);
        let mut network: Result<Box<dyn Prepare>, String> = Err("not loaded".to_owned());
        let work = move |job: Option<Job>, desk: &EventDesk<'_>| {
            if let Some(load) = load.take() {
                network = load().map(|loaded| {
                    desk.report(Event::Model {
                        identity: loaded.network.identity().to_owned(),
                        warning: loaded.warning,
                    });
                    loaded.network
                });
            }
            match (&network, job) {
                (Ok(network), Some(job)) => carry_out(job, &**network, desk),
                (Err(problem), _) => {
                    desk.report(Event::Failed(format!(
                        "the network cannot be used: {problem}"
                    )));
                }
                (Ok(_), None) => {}
            }
        };
        let mut worker = Worker::start("engine", wake, work, |message| {
            Event::Failed(format!(
                "the engine met a defect of its own ({message}); the scene is unchanged"
            ))
        })?;
        let load = worker.submit(None);
        Ok(Self {
            worker,
            running: None,
            waiting: None,
            load,
        })
    }

    /// Hands in a job that supersedes everything else.
    pub fn submit(&mut self, job: Job) -> JobId {
        self.waiting = None;
        let preview = matches!(
            job,
            Job::Generate {
                purpose: Purpose::Preview,
                ..
            }
        );
        let id = self.worker.submit(Some(job));
        self.running = Some((id, preview));
        id
    }

    /// Hands in a preview: if one is running, this one follows it, and only the newest waits.
    pub fn submit_preview(&mut self, job: Job) {
        if matches!(self.running, Some((_, true))) {
            self.waiting = Some(job);
        } else {
            self.submit(job);
        }
    }

    /// Stops the running job at its next step and drops what waits.
    pub fn cancel(&mut self) {
        self.waiting = None;
        self.running = None;
        self.worker.cancel();
    }

    /// Whether a job is running or waiting.
    pub fn busy(&self) -> bool {
        self.running.is_some()
    }

    /// The next event that is still of interest; never waits. Stopped runs are reported even though superseded, and so is
    /// one that had come to its end by then, as stopped after its last step.
    pub fn poll(&mut self) -> Option<Event> {
        loop {
            let (job, event) = self.worker.poll()?;
            let ends = matches!(
                event,
                Event::Done { .. }
                    | Event::Failed(_)
                    | Event::Broken { .. }
                    | Event::Attacks(_)
                    | Event::Stopped { .. }
            );
            let current = self.running.is_some_and(|(running, _)| running == job);
            if current && ends {
                self.running = None;
                if let Some(waiting) = self.waiting.take() {
                    self.submit(waiting);
                }
            }
            match event {
                event if current => return Some(event),
                Event::Model { .. } | Event::Stopped { .. } => return Some(event),
                // what failed of a job that nobody waits for any more is of no interest
                Event::Failed(_) if job == self.load => return Some(event),
                // it had come to its end before it saw that it was to stop
                Event::Done {
                    scene,
                    log,
                    purpose: Purpose::Shown,
                    ..
                } => {
                    let steps = log.records.len().saturating_sub(1);
                    return Some(Event::Stopped {
                        job,
                        scene,
                        taken: steps,
                        total: steps,
                        log,
                    });
                }
                _ => {}
            }
        }
    }
}

fn carry_out(job: Job, network: &dyn Prepare, desk: &EventDesk<'_>) {
    match job {
        Job::Generate {
            scene,
            settings,
            purpose,
        } => {
            if let Err(error) = generate(&scene, &settings, purpose, network, desk) {
                let message = error.to_string();
                let case = matches!(error, GenerateError::Denoise(_))
                    .then(|| draft(&scene, &settings, network.identity()).ok())
                    .flatten()
                    .map(|recipe| Arc::new(bug_case(&scene, recipe, &message)));
                desk.report(match case {
                    Some(case) => Event::Broken { message, case },
                    None => Event::Failed(message),
                });
            }
        }
        Job::Attacks { scene, query } => {
            match attack_candidates_while(&scene, &query, &|| desk.wanted()) {
                Ok(Some(candidates)) => desk.report(Event::Attacks(candidates)),
                Ok(None) => {}
                Err(error) => desk.report(Event::Failed(error.to_string())),
            }
        }
        Job::World { scene, settings } => {
            if let Err(error) = world::run(&scene, &settings, network, desk) {
                desk.report(Event::Failed(error.to_string()));
            }
        }
    }
}

fn generate(
    scene: &Arc<Scene>,
    settings: &Settings,
    purpose: Purpose,
    network: &dyn Prepare,
    desk: &EventDesk<'_>,
) -> Result<(), GenerateError> {
    let began = Instant::now();
    let mut sent = began;
    let recipe = draft(scene, settings, network.identity())?;
    let mut run = Run::new(scene, recipe, network)?;
    let mut log = StepLog::begin(&run, scene);
    let shown = purpose == Purpose::Shown;
    if shown {
        let log = Arc::new(log.clone());
        desk.report(Event::Begun { log });
    }
    while !run.finished() {
        if stop(desk).is_break() {
            if shown && desk.take_in(|job| takes_in(&mut run, settings, job)) {
                log.go_on(&run);
                let log = Arc::new(log.clone());
                desk.report(Event::Begun { log });
                continue;
            }
            let event = run.event();
            let (taken, total) = (event.taken, event.total);
            if shown {
                let scene = Arc::new(run.finish());
                let log = Arc::new(log);
                desk.report(Event::Stopped {
                    job: desk.job(),
                    scene,
                    taken,
                    total,
                    log,
                });
            }
            return Ok(());
        }
        if let Err(error) = run.step() {
            let message = error.to_string();
            let case = Arc::new(bug_case(run.scene(), run.recipe().clone(), &message));
            desk.report(Event::Broken { message, case });
            return Ok(());
        }
        if !shown {
            continue;
        }
        let record = log.push(&run);
        let due = sent.elapsed() >= PREVIEW_EVERY;
        if due {
            sent = Instant::now();
        }
        let event = run.event();
        desk.report(Event::Step {
            taken: event.taken,
            total: event.total,
            record,
            preview: due.then(|| Arc::new(run.preview())),
        });
    }
    let (result, verdict) = match purpose {
        Purpose::Preview => (run.preview(), None),
        Purpose::Shown | Purpose::Aside => run.finish_judged(),
    };
    desk.report(Event::Done {
        scene: Arc::new(result),
        verdict: verdict.map(Arc::new),
        log: Arc::new(if shown { log } else { StepLog::default() }),
        purpose,
        took: began.elapsed(),
    });
    Ok(())
}

/// Lets `run`, made under `settings`, react to the scene of `job`; gives the job back if it asks for more than that.
fn takes_in(run: &mut Run, settings: &Settings, job: Option<Job>) -> Option<Option<Job>> {
    let Some(Job::Generate {
        scene,
        settings: wished,
        purpose: Purpose::Shown,
    }) = &job
    else {
        return Some(job);
    };
    // what the run would not make anew must not be asked for
    let reach = match &wished.scope {
        Scope::Touched(agents) => agents.iter().all(|id| {
            let made = made_agents(run.recipe());
            made.contains(id) || !run.recipe().rows().any(|row| row == id)
        }),
        Scope::Auto | Scope::Everyone => {
            !matches!(settings.scope, Scope::Touched(_)) && settings.task != Task::Attack
        }
    };
    let alike = Settings {
        task: settings.task,
        scope: settings.scope.clone(),
        ..wished.clone()
    } == *settings;
    if reach && alike && matches!(run.react(scene), Ok(true)) {
        None
    } else {
        Some(job)
    }
}

fn stop(desk: &EventDesk<'_>) -> ControlFlow<()> {
    if desk.wanted() {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}
