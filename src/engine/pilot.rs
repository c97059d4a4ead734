//! The planner's own thread, beside the generator's: plans and drives do not cut off what is being generated.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Loaded;
use super::generator_world::GeneratorWorld;
use super::worker::{Desk, JobId, Worker};
use crate::generator::Settings;
use crate::planner::{
    DriveSettings, Driven, LogWorld, Plan, PlanSettings, Propose, ProposeError, ProposeStep,
    SCORED_S, Scores, Start, TrafficWorld, World, drive, outcome, plan,
};
use crate::scene::Scene;

/// What moves everyone else during a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DriveWorld {
    /// The scene's tracks.
    #[default]
    Log,
    /// Traffic that reacts.
    Traffic,
    /// The generator.
    Generator,
}

/// What the planner's thread can be asked to do.
#[derive(Debug, Clone)]
pub enum PilotJob {
    /// A plan at the scene's present.
    Plan {
        /// The scene.
        scene: Arc<Scene>,
        /// How.
        settings: PlanSettings,
    },
    /// A drive from the scene's present.
    Drive {
        /// The scene.
        scene: Arc<Scene>,
        /// How.
        settings: DriveSettings,
        /// Among whom.
        world: DriveWorld,
    },
}

/// What the planner's thread reports.
#[derive(Debug, Clone)]
pub enum PilotEvent {
    /// It is ready; the hash of the weights, if there are any.
    Ready(Option<String>),
    /// A plan is made.
    Planned(Box<Planned>),
    /// A drive came so far.
    Driving {
        /// Seconds driven.
        done_s: f64,
        /// Seconds in all.
        total_s: f64,
    },
    /// A drive is over, or was stopped.
    Driven(Box<Driven>),
    /// A job failed; a sentence a person can act on.
    Failed(String),
}

/// A plan with how it came about.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The scene it was made on.
    pub scene: Arc<Scene>,
    /// The plan.
    pub plan: Plan,
    /// By what the scene says happens; `None` where it says nothing.
    pub outcome: Option<Vec<Scores>>,
    /// The modes after every token and denoising step.
    pub steps: Vec<ProposeStep>,
    /// Time from the job's start to its end.
    pub took: Duration,
}

/// Loads the planner's network; `None` if the program holds no weights for it.
pub type LoadPlanner = Box<dyn FnOnce() -> Result<Option<Box<dyn Propose>>, String> + Send>;

/// Loads the generator's network for drives in its world; called when the first such drive begins.
pub type LoadWorld = Box<dyn FnOnce() -> Result<Loaded, String> + Send>;

/// The planner's thread as the window sees it.
pub struct Pilot {
    worker: Worker<Option<PilotJob>, PilotEvent>,
    running: Option<JobId>,
}

impl Pilot {
    /// Starts the thread, which loads the network first. `wake` is called after every event. Without `load_world` no
    /// drive can be made in the generator's world.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub fn start(
        wake: Box<dyn Fn() + Send>,
        load: LoadPlanner,
        mut load_world: Option<LoadWorld>,
    ) -> std::io::Result<Self> {
        let mut load = Some(load);
        let mut generator: Option<Result<Loaded, String>> = None;
        let mut network: Option<Box<dyn Propose>> = None;
        let work = move |job: Option<PilotJob>, desk: &Desk<'_, Option<PilotJob>, PilotEvent>| {
            if let Some(load) = load.take() {
                match load() {
                    Ok(found) => network = found,
                    Err(problem) => desk.report(PilotEvent::Failed(format!(
                        "the planner's network cannot be used: {problem}"
                    ))),
                }
                let identity = network.as_ref().map(|found| found.identity().to_owned());
                desk.report(PilotEvent::Ready(identity));
            }
            let network = network.as_deref();
            match job {
                Some(PilotJob::Plan { scene, settings }) => {
                    plan_once(scene, &settings, network, desk);
                }
                Some(PilotJob::Drive {
                    scene,
                    settings,
                    world,
                }) => {
                    if world == DriveWorld::Generator && generator.is_none() {
                        generator = load_world.take().map(|load| load());
                    }
                    let mut log = LogWorld;
                    let mut traffic = TrafficWorld::default();
                    let mut generated;
                    let world: &mut dyn World = match (world, &generator) {
                        (DriveWorld::Log, _) => &mut log,
                        (DriveWorld::Traffic, _) => &mut traffic,
                        (DriveWorld::Generator, Some(Ok(loaded))) => {
                            let seed = settings.plan.seed.0;
                            let made = Settings {
                                seed,
                                ..Settings::default()
                            };
                            generated = GeneratorWorld::new(&*loaded.network, made);
                            &mut generated
                        }
                        (DriveWorld::Generator, other) => {
                            let why = match other {
                                Some(Err(problem)) => problem.as_str(),
                                _ => "this window runs without one",
                            };
                            desk.report(PilotEvent::Failed(format!(
                                "the generator cannot move the others: {why}"
                            )));
                            return;
                        }
                    };
                    drive_once(&scene, &settings, world, network, desk);
                }
                None => {}
            }
        };
        let mut worker = Worker::start("planner", wake, work, |message| {
            PilotEvent::Failed(format!(
                "the planner met a defect of its own ({message}); the scene is unchanged"
            ))
        })?;
        worker.submit(None);
        Ok(Self {
            worker,
            running: None,
        })
    }

    /// Hands in a job that supersedes the running one.
    pub fn submit(&mut self, job: PilotJob) {
        self.running = Some(self.worker.submit(Some(job)));
    }

    /// Stops the running job at its next step.
    pub fn cancel(&mut self) {
        self.running = None;
        self.worker.cancel();
    }

    /// Whether a job is running.
    pub fn busy(&self) -> bool {
        self.running.is_some()
    }

    /// The next event that is still of interest; never waits.
    pub fn poll(&mut self) -> Option<PilotEvent> {
        loop {
            let (job, event) = self.worker.poll()?;
            let current = self.running == Some(job);
            let ends = !matches!(event, PilotEvent::Driving { .. } | PilotEvent::Ready(_));
            if current && ends {
                self.running = None;
            }
            if current || matches!(event, PilotEvent::Ready(_)) {
                return Some(event);
            }
        }
    }
}

fn plan_once(
    scene: Arc<Scene>,
    settings: &PlanSettings,
    network: Option<&dyn Propose>,
    desk: &Desk<'_, Option<PilotJob>, PilotEvent>,
) {
    let began = Instant::now();
    let mut steps: Vec<ProposeStep> = Vec::new();
    let made = plan(&scene, &Start::default(), network, settings, &mut |step| {
        steps.push(step.clone());
        going_on(desk)
    });
    match made {
        Ok(plan) => {
            let known = scene.now + 1 < scene.frames;
            let outcome = known.then(|| outcome(&scene, &plan, SCORED_S)).flatten();
            desk.report(PilotEvent::Planned(Box::new(Planned {
                scene,
                plan,
                outcome,
                steps,
                took: began.elapsed(),
            })));
        }
        Err(ProposeError::Stopped) => {}
        Err(error) => desk.report(PilotEvent::Failed(error.to_string())),
    }
}

fn drive_once(
    scene: &Scene,
    settings: &DriveSettings,
    world: &mut dyn World,
    network: Option<&dyn Propose>,
    desk: &Desk<'_, Option<PilotJob>, PilotEvent>,
) {
    let start = scene.now_s();
    let driven = drive(scene, network, settings, world, &mut |step| {
        desk.report(PilotEvent::Driving {
            done_s: step.scene.time_of(step.frame) - start,
            total_s: step.scene.time_of(step.last) - start,
        });
        going_on(desk)
    });
    desk.report(match driven {
        Ok(driven) => PilotEvent::Driven(Box::new(driven)),
        Err(error) => PilotEvent::Failed(error.to_string()),
    });
}

fn going_on(desk: &Desk<'_, Option<PilotJob>, PilotEvent>) -> ControlFlow<()> {
    if desk.wanted() {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::Decoder;
    use crate::scene::scene_from_json;
    use crate::sim::BUNDLED;

    fn pilot() -> Pilot {
        Pilot::start(Box::new(|| {}), Box::new(|| Ok(None)), None).unwrap()
    }

    fn scene() -> Arc<Scene> {
        let (name, text) = BUNDLED[0];
        Arc::new(scene_from_json(text.as_bytes(), name).unwrap())
    }

    fn settings(decoder: Decoder) -> PlanSettings {
        PlanSettings {
            decoder,
            ..PlanSettings::default()
        }
    }

    /// The event that ends the running job.
    fn last(pilot: &mut Pilot) -> PilotEvent {
        loop {
            match pilot.poll() {
                Some(PilotEvent::Ready(_) | PilotEvent::Driving { .. }) => {}
                Some(event) => return event,
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    #[test]
    fn a_plan_comes_back_with_the_scene_it_was_made_on() {
        let (mut pilot, scene) = (pilot(), scene());
        pilot.submit(PilotJob::Plan {
            scene: Arc::clone(&scene),
            settings: settings(Decoder::Idm),
        });
        let PilotEvent::Planned(planned) = last(&mut pilot) else {
            panic!("no plan");
        };
        assert!(Arc::ptr_eq(&planned.scene, &scene));
        assert!(planned.outcome.is_some() && !pilot.busy());
    }

    #[test]
    fn a_decoder_without_weights_fails_with_a_sentence() {
        let mut pilot = pilot();
        pilot.submit(PilotJob::Plan {
            scene: scene(),
            settings: settings(Decoder::Ar),
        });
        let PilotEvent::Failed(message) = last(&mut pilot) else {
            panic!("no failure");
        };
        assert!(message.contains("\"ar\""), "{message}");
    }

    #[test]
    fn a_drive_in_the_generators_world_without_one_fails_with_a_sentence() {
        let mut pilot = pilot();
        pilot.submit(PilotJob::Drive {
            scene: scene(),
            settings: DriveSettings {
                plan: settings(Decoder::Idm),
                ..DriveSettings::default()
            },
            world: DriveWorld::Generator,
        });
        let PilotEvent::Failed(message) = last(&mut pilot) else {
            panic!("no failure");
        };
        assert!(message.contains("without one"), "{message}");
    }

    #[test]
    fn a_newer_job_takes_the_place_of_a_drive() {
        let mut pilot = pilot();
        let drive = DriveSettings {
            plan: settings(Decoder::Idm),
            ..DriveSettings::default()
        };
        pilot.submit(PilotJob::Drive {
            scene: scene(),
            settings: drive,
            world: DriveWorld::Traffic,
        });
        pilot.submit(PilotJob::Plan {
            scene: scene(),
            settings: settings(Decoder::ConstantVelocity),
        });
        let event = last(&mut pilot);
        assert!(matches!(event, PilotEvent::Planned(_)), "{event:?}");
    }
}
