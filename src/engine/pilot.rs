//! The planner's own thread, beside the generator's: plans and drives do not cut off what is being generated.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Loaded;
use super::drive_world::DriveWorld;
use super::own_file::own_planner;
use super::worker::{Desk, JobId, Worker};
use crate::planner::{
    Ask, Decoder, DriveSettings, Driven, Plan, PlanSettings, Planners, Propose, ProposeError,
    ProposeStep, SCORED_S, Scores, Start, World, drive, outcome, plan,
};
use crate::scene::Scene;

/// The command that starts a planner of the user's own, or the file it has written ([`own_planner`]).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnCommand {
    /// As it is typed; empty for none.
    pub line: String,
    /// The planner is started anew when this changes.
    pub start: u64,
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
        /// Who answers for decoder own.
        own: OwnCommand,
    },
    /// A drive from the scene's present.
    Drive {
        /// The scene.
        scene: Arc<Scene>,
        /// How.
        settings: DriveSettings,
        /// Among whom.
        world: DriveWorld,
        /// Who answers for decoder own.
        own: OwnCommand,
    },
}

/// What the planner's thread reports.
#[derive(Debug, Clone)]
pub enum PilotEvent {
    /// It is ready; the hash of the weights, if there are any.
    Ready(Option<String>),
    /// The network cannot be used, with a sentence that says why. It ends no job: planners that need none answer.
    Unloaded(String),
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
pub type LoadPlanner = Arc<dyn Fn() -> Result<Option<Box<dyn Propose>>, String> + Send + Sync>;

/// Loads the generator's network for drives in its world; called when the first such drive begins.
pub type LoadWorld = Arc<dyn Fn() -> Result<Loaded, String> + Send + Sync>;

/// The planner's thread as the window sees it.
pub struct Pilot {
    worker: Worker<Option<PilotJob>, PilotEvent>,
    running: Option<JobId>,
    /// The job that loads the network, unless a newer one takes its place before it begins.
    load: JobId,
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
        load_world: Option<LoadWorld>,
    ) -> std::io::Result<Self> {
        let mut load = Some(load);
        let mut generator: Option<Result<Loaded, String>> = None;
        let mut network: Option<Box<dyn Propose>> = None;
        let mut outside = Outside::default();
        let work = move |job: Option<PilotJob>, desk: &Desk<'_, Option<PilotJob>, PilotEvent>| {
            if let Some(load) = load.take() {
                match load() {
                    Ok(found) => network = found,
                    Err(problem) => desk.report(PilotEvent::Unloaded(problem)),
                }
                let identity = network.as_ref().map(|found| found.identity().to_owned());
                desk.report(PilotEvent::Ready(identity));
            }
            let network = network.as_deref();
            match job {
                Some(PilotJob::Plan {
                    scene,
                    settings,
                    own,
                }) => {
                    if let Some(own) = outside.planner(own, settings.decoder, desk) {
                        plan_once(scene, &settings, Planners { network, own }, desk);
                    }
                }
                Some(PilotJob::Drive {
                    scene,
                    settings,
                    world,
                    own,
                }) => {
                    let decoder = settings.plan.decoder;
                    let Some(own) = outside.planner(own, decoder, desk) else {
                        return;
                    };
                    if world == DriveWorld::Generator && generator.is_none() {
                        generator = load_world.as_ref().map(|load| load());
                    }
                    let moves = match &generator {
                        Some(Ok(loaded)) => Some(&*loaded.network),
                        _ => None,
                    };
                    let Some(mut world) = world.begin(moves, settings.plan.seed.0) else {
                        let why = match &generator {
                            Some(Err(problem)) => problem.as_str(),
                            _ => "this window runs without one",
                        };
                        desk.report(PilotEvent::Failed(format!(
                            "the generator cannot move the others: {why}"
                        )));
                        return;
                    };
                    let world = world.as_mut();
                    drive_once(&scene, &settings, world, Planners { network, own }, desk);
                }
                None => {}
            }
        };
        let mut worker = Worker::start("planner", wake, work, |message| {
            PilotEvent::Failed(format!(
                "the planner met a defect of its own ({message}); the scene is unchanged"
            ))
        })?;
        let load = worker.submit(None);
        Ok(Self {
            worker,
            running: None,
            load,
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
            match event {
                PilotEvent::Ready(_) | PilotEvent::Unloaded(_) => return Some(event),
                // nobody handed in that job
                PilotEvent::Failed(problem) if job == self.load => {
                    return Some(PilotEvent::Unloaded(problem));
                }
                _ if self.running != Some(job) => {}
                PilotEvent::Driving { .. } => return Some(event),
                PilotEvent::Planned(_) | PilotEvent::Driven(_) | PilotEvent::Failed(_) => {
                    self.running = None;
                    return Some(event);
                }
            }
        }
    }
}

/// The planner outside the program, kept from one job to the next.
#[derive(Default)]
struct Outside {
    command: OwnCommand,
    planner: Option<Box<dyn Ask>>,
}

impl Outside {
    /// The planner that `command` starts, if `decoder` needs it: outer `None` if it cannot be, which is then reported.
    fn planner(
        &mut self,
        command: OwnCommand,
        decoder: Decoder,
        desk: &Desk<'_, Option<PilotJob>, PilotEvent>,
    ) -> Option<Option<&dyn Ask>> {
        if decoder != Decoder::Own {
            return Some(None);
        }
        if self.planner.is_none() || self.command != command {
            self.planner = None; // the old one ends before the new one starts
            match own_planner(&command.line) {
                Ok(planner) => self.planner = Some(planner),
                Err(problem) => {
                    desk.report(PilotEvent::Failed(problem));
                    return None;
                }
            }
            self.command = command;
        }
        Some(self.planner.as_deref())
    }
}

fn plan_once(
    scene: Arc<Scene>,
    settings: &PlanSettings,
    planners: Planners<'_>,
    desk: &Desk<'_, Option<PilotJob>, PilotEvent>,
) {
    let began = Instant::now();
    let mut steps: Vec<ProposeStep> = Vec::new();
    let made = plan(&scene, &Start::default(), planners, settings, &mut |step| {
        if !step.modes.is_empty() {
            steps.push(step.clone());
        }
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
    planners: Planners<'_>,
    desk: &Desk<'_, Option<PilotJob>, PilotEvent>,
) {
    let start = scene.now_s();
    let driven = drive(scene, planners, settings, world, &mut |step| {
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
        Pilot::start(Box::new(|| {}), Arc::new(|| Ok(None)), None).unwrap()
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
                Some(
                    PilotEvent::Ready(_) | PilotEvent::Unloaded(_) | PilotEvent::Driving { .. },
                ) => {}
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
            own: OwnCommand::default(),
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
            own: OwnCommand::default(),
        });
        let PilotEvent::Failed(message) = last(&mut pilot) else {
            panic!("no failure");
        };
        assert!(message.contains("\"ar\""), "{message}");
    }

    #[test]
    fn broken_weights_are_told_and_end_no_job_whenever_that_is_handed_in() {
        let broken: LoadPlanner = Arc::new(|| Err("they are cut off".to_owned()));
        let drive = || PilotJob::Drive {
            scene: scene(),
            settings: DriveSettings {
                plan: settings(Decoder::Idm),
                seconds: 1.0,
                ..DriveSettings::default()
            },
            world: DriveWorld::Traffic,
            own: OwnCommand::default(),
        };
        for at_once in [true, false] {
            let mut pilot = Pilot::start(Box::new(|| {}), broken.clone(), None).unwrap();
            let (mut told, mut end) = (Vec::new(), None);
            let began = Instant::now();
            let mut handed_in = false;
            while end.is_none() {
                assert!(began.elapsed() < Duration::from_secs(60), "{told:?}");
                if !handed_in && (at_once || !told.is_empty()) {
                    pilot.submit(drive());
                    handed_in = true;
                }
                match pilot.poll() {
                    Some(PilotEvent::Unloaded(problem)) => told.push(problem),
                    Some(PilotEvent::Ready(weights)) => assert_eq!(weights, None),
                    Some(PilotEvent::Driving { .. }) => assert!(pilot.busy()),
                    None => std::thread::sleep(Duration::from_millis(2)),
                    event => end = event,
                }
            }
            assert!(matches!(end, Some(PilotEvent::Driven(_))), "{end:?}");
            assert_eq!(told, ["they are cut off"]);
        }
    }

    #[test]
    fn a_planner_of_ones_own_fails_with_a_sentence_and_ends_when_a_newer_plan_is_wanted() {
        let mut pilot = pilot();
        let ask = |line: &str| PilotJob::Plan {
            scene: scene(),
            settings: settings(Decoder::Own),
            own: OwnCommand {
                line: line.to_owned(),
                start: 0,
            },
        };
        for (line, said) in [("", "no command"), ("nobody-has-this", "no such command")] {
            pilot.submit(ask(line));
            let PilotEvent::Failed(message) = last(&mut pilot) else {
                panic!("no failure");
            };
            assert!(message.contains(said), "{message}");
        }
        pilot.submit(ask("sleep 60"));
        std::thread::sleep(Duration::from_millis(50));
        pilot.submit(ask(""));
        let began = Instant::now();
        assert!(matches!(last(&mut pilot), PilotEvent::Failed(_)));
        assert!(began.elapsed() < Duration::from_secs(30));
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
            own: OwnCommand::default(),
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
            own: OwnCommand::default(),
        });
        pilot.submit(PilotJob::Plan {
            scene: scene(),
            settings: settings(Decoder::ConstantVelocity),
            own: OwnCommand::default(),
        });
        let event = last(&mut pilot);
        assert!(matches!(event, PilotEvent::Planned(_)), "{event:?}");
    }
}
