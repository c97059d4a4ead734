//! The engine with a slow stand-in for the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::*;
use crate::codec::{Scale, T, Window};
use crate::diffusion::{Denoise, DenoiseError, StandIn};
use crate::scene::{AgentId, AgentKind, Edit, scene_from_json};
use crate::sim::BUNDLED;

fn engine(milliseconds: u64) -> Engine {
    let pause = Duration::from_millis(milliseconds);
    Engine::start(Box::new(|| {}), move || {
        Ok(Loaded {
            network: Box::new(StandIn {
                in_step: Arc::new(move || thread::sleep(pause)),
                ..StandIn::new(1.0)
            }),
            warning: None,
        })
    })
    .unwrap()
}

fn scene() -> Arc<Scene> {
    let (_, json) = BUNDLED[0];
    Arc::new(scene_from_json(json.as_bytes(), "bundled").unwrap())
}

fn settings() -> Settings {
    Settings {
        task: Task::Free,
        steps: 8,
        redraws: 1,
        ..Settings::default()
    }
}

fn job(purpose: Purpose) -> Job {
    Job::Generate {
        scene: scene(),
        settings: settings(),
        purpose,
    }
}

/// The next event, waiting for it a little at a time.
fn next(engine: &mut Engine) -> Event {
    for _ in 0..4000 {
        if let Some(event) = engine.poll() {
            return event;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("no event in 20 s");
}

#[test]
fn a_run_that_had_ended_when_it_was_to_stop_is_not_lost() {
    let events = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&events);
    let wake = Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let load = || {
        Ok(Loaded {
            network: Box::new(StandIn::new(1.0)),
            warning: None,
        })
    };
    let mut engine = Engine::start(wake, load).unwrap();
    while !matches!(next(&mut engine), Event::Model { .. }) {}
    let before = events.load(Ordering::SeqCst);
    engine.submit(job(Purpose::Shown));
    // it ends without being heard of: its beginning, sixteen steps, its end
    while events.load(Ordering::SeqCst) < before + 18 {
        thread::sleep(Duration::from_millis(5));
    }
    engine.cancel();
    let event = next(&mut engine);
    let Event::Stopped {
        scene,
        taken,
        total,
        log,
        ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!((taken, total, log.records.len()), (16, 16, 17));
    assert!(scene.generated.as_ref().is_some_and(|made| made.complete));
}

#[test]
fn a_run_reports_its_start_every_step_and_a_judged_result() {
    // the stand-in knows nobody: some touch, and are drawn again in eight more steps
    let mut engine = engine(0);
    engine.submit(job(Purpose::Shown));
    let mut steps = 0;
    loop {
        match next(&mut engine) {
            Event::Model { identity, .. } => assert_eq!(identity, "<stand-in>"),
            Event::Begun { log } => assert_eq!(log.records.len(), 1),
            Event::Step { taken, total, .. } => {
                steps += 1;
                let known = if steps < 8 { 8 } else { 16 };
                assert_eq!((taken, total), (steps, known));
            }
            Event::Done {
                scene,
                log,
                verdict,
                ..
            } => {
                assert_eq!(log.records.len(), 17); // the start and sixteen steps
                assert!(log.drawn_again(7).is_empty() && log.drawn_again(16).is_empty());
                let made = scene.generated.as_ref().unwrap();
                let again: Vec<&AgentId> = made.redrawn[0].iter().collect();
                assert_eq!(
                    (log.drawn_again(8), log.drawn_again(15)),
                    (again.clone(), again)
                );
                assert!(log.records[16].levels.iter().all(|&level| level <= 0.0));
                assert!(verdict.is_some_and(|verdict| !verdict.gates.is_empty()));
                assert!(scene.generated.as_ref().is_some_and(|made| made.complete));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(steps, 16);
    assert!(!engine.busy());
}

#[test]
fn cancelling_stops_within_a_step_and_labels_what_there_is() {
    let mut engine = engine(20);
    engine.submit(job(Purpose::Shown));
    loop {
        if matches!(next(&mut engine), Event::Step { taken: 2, .. }) {
            break;
        }
    }
    engine.cancel();
    let (scene, taken) = loop {
        if let Event::Stopped { scene, taken, .. } = next(&mut engine) {
            break (scene, taken);
        }
    };
    assert!(taken <= 4, "{taken}");
    assert!(scene.generated.as_ref().is_some_and(|made| !made.complete));
    assert!(!engine.busy());
}

#[test]
fn a_run_takes_in_new_and_moved_agents_and_goes_on_but_starts_again_without_one() {
    let mut engine = engine(50);
    let (scene, settings) = (scene(), settings());
    let after = |edit: &Edit, scene: &Scene| Job::Generate {
        scene: Arc::new(scene.edited(edit).unwrap()),
        settings: settings.answering(edit, &scene.edited(edit).unwrap()),
        purpose: Purpose::Shown,
    };
    let add = Edit::Add {
        agent: AgentId::new("newcomer"),
        kind: AgentKind::Vehicle,
        point: [60.0, 60.0],
        heading: 0.0,
        speed: 5.0,
        size: None,
    };
    let first = || Job::Generate {
        scene: scene.clone(),
        settings: settings.clone(),
        purpose: Purpose::Shown,
    };
    engine.submit(first());
    let mut rows = 0;
    loop {
        match next(&mut engine) {
            Event::Begun { log } => rows = log.agents.len(),
            Event::Step { taken: 2, .. } => break,
            _ => {}
        }
    }
    engine.submit(after(&add, &scene));
    let mut taken_before = 2;
    let case = loop {
        match next(&mut engine) {
            Event::Begun { log } => {
                assert_eq!(log.agents.len(), rows + 1);
                let last = log.records.last().unwrap();
                assert_eq!(last.levels.len(), (rows + 1) * T);
                // steps taken after the newer job was handed in come with the log
                assert!(last.taken >= taken_before);
                taken_before = last.taken;
                assert!(
                    log.records
                        .iter()
                        .all(|record| record.clean.len() == (rows + 1) * T)
                );
            }
            Event::Step { taken, .. } => {
                assert_eq!(taken, taken_before + 1); // no step twice
                taken_before = taken;
            }
            Event::Done { scene, .. } => break scene,
            _ => panic!("stopped, failed or something else"),
        }
    };
    let recipe = &case.generated.as_ref().unwrap().recipe;
    assert_eq!(recipe.reactions[0].entered, [AgentId::new("newcomer")]);
    assert!(case.agent(&AgentId::new("newcomer")).is_some());

    let ego = scene.ego().unwrap();
    let place = ego.track.get(scene.now).unwrap();
    let aside = Edit::Move {
        agent: ego.id.clone(),
        point: [place.position.x + 1.0, place.position.y],
        heading: place.heading,
        speed: None,
    };
    engine.submit(first());
    while !matches!(next(&mut engine), Event::Step { taken: 2, .. }) {}
    engine.submit(after(&aside, &scene));
    let case = loop {
        match next(&mut engine) {
            Event::Done { scene, .. } => break scene,
            Event::Begun { .. } | Event::Step { .. } => {}
            _ => panic!("stopped, failed or something else"),
        }
    };
    let recipe = &case.generated.as_ref().unwrap().recipe;
    assert_eq!(recipe.reactions[0].moved[0].agent, ego.id);

    let other = scene.agents.iter().find(|agent| agent.id != ego.id);
    let without = Edit::Remove {
        agent: other.unwrap().id.clone(),
    };
    engine.submit(first());
    while !matches!(next(&mut engine), Event::Step { taken: 2, .. }) {}
    engine.submit(after(&without, &scene));
    while !matches!(next(&mut engine), Event::Stopped { .. }) {}
    while !matches!(next(&mut engine), Event::Done { .. }) {}
}

#[test]
fn a_run_beside_the_screen_tells_its_result_alone_and_is_no_part_of_the_next() {
    let mut engine = engine(20);
    engine.submit(job(Purpose::Aside));
    let Event::Done { log, verdict, .. } = result(&mut engine) else {
        panic!("not done");
    };
    assert!(log.records.is_empty() && verdict.is_some());
    let (scene, settings) = (scene(), settings());
    engine.submit(job(Purpose::Aside));
    thread::sleep(Duration::from_millis(50));
    let ego = scene.ego().unwrap();
    let place = ego.track.get(scene.now).unwrap();
    let moved = Edit::Move {
        agent: ego.id.clone(),
        point: [place.position.x + 1.0, place.position.y],
        heading: place.heading,
        speed: None,
    };
    let edited = scene.edited(&moved).unwrap();
    engine.submit(Job::Generate {
        settings: settings.answering(&moved, &edited),
        scene: Arc::new(edited),
        purpose: Purpose::Shown,
    });
    // a run made to be looked at would have taken in the move
    let Event::Begun { log } = next(&mut engine) else {
        panic!("something of the run before");
    };
    assert_eq!(log.records.len(), 1);
    let Event::Done { scene, .. } = result(&mut engine) else {
        panic!("not done");
    };
    assert!(
        scene
            .generated
            .as_ref()
            .unwrap()
            .recipe
            .reactions
            .is_empty()
    );
}

/// The event that ends a run, steps passed over.
fn result(engine: &mut Engine) -> Event {
    loop {
        match next(engine) {
            Event::Begun { .. } | Event::Step { .. } | Event::Model { .. } => {}
            event => return event,
        }
    }
}

#[test]
fn previews_finish_while_newer_ones_wait_and_only_the_newest_follows() {
    let mut engine = engine(5);
    for _ in 0..20 {
        engine.submit_preview(job(Purpose::Preview));
    }
    let mut done = 0;
    while engine.busy() {
        if let Event::Done { purpose, .. } = next(&mut engine) {
            assert_eq!(purpose, Purpose::Preview);
            done += 1;
        }
    }
    assert_eq!(done, 2); // the first, then the newest of the other nineteen
}

#[test]
fn the_world_moves_on_by_half_a_second_and_keeps_two_seconds_of_history() {
    let mut engine = engine(0);
    let (scene, settings) = (scene(), settings());
    let first = scene
        .ego()
        .and_then(|ego| ego.track.get(scene.now))
        .unwrap()
        .position;
    engine.submit(Job::World { scene, settings });
    let mut worlds = Vec::new();
    while worlds.len() < 3 {
        if let Event::World(world) = next(&mut engine) {
            worlds.push(world);
        }
    }
    engine.cancel();
    for world in &worlds {
        assert!((world.now_s() - 2.0).abs() < 1e-9);
        assert!(world.duration_s() >= world.now_s() + 7.4); // 8 s of plan less the half second that happened
    }
    let last = worlds[2]
        .ego()
        .and_then(|ego| ego.track.get(worlds[2].now))
        .unwrap();
    assert!(last.position.distance(first) > 0.0);
}

#[test]
fn the_world_goes_on_when_the_time_of_its_only_goal_is_over() {
    let mut engine = engine(0);
    let mut scene = Scene::clone(&scene());
    let ego = scene.ego().unwrap();
    let state = ego.track.get(scene.now).unwrap();
    scene.goals.push(crate::scene::Goal {
        agent: ego.id.clone(),
        point: (state.position + state.velocity).into(),
        time_s: scene.now_s() + 1.0, // over after two half seconds
        heading: None,
        speed: None,
        tolerance_m: 1.0,
        hard: true,
        extra: crate::map::Extra::new(),
    });
    let settings = Settings {
        task: Task::Goal,
        ..Settings::default()
    };
    let scene = Arc::new(scene);
    engine.submit(Job::World { scene, settings });
    let mut worlds = 0;
    while worlds < 4 {
        match next(&mut engine) {
            Event::World(_) => worlds += 1,
            Event::Failed(message) => panic!("{message}"),
            _ => {}
        }
    }
}

#[test]
fn the_world_goes_on_when_an_attack_is_over_or_can_no_longer_be_driven() {
    let mut engine = engine(0);
    let mut scene = Scene::clone(&scene());
    let found = crate::generator::attack_candidates(&scene, &AttackQuery::default()).unwrap();
    let times_s = found.iter().map(|candidate| candidate.attack.time_s);
    let first_s = times_s.fold(f64::INFINITY, f64::min);
    let first = found
        .iter()
        .find(|candidate| candidate.attack.time_s == first_s)
        .unwrap();
    scene.attacks = vec![first.attack.clone()];
    let half_seconds = ((first_s - scene.now_s()) / 0.5).round() as usize;
    let settings = Settings {
        task: Task::Attack,
        ..Settings::default()
    };
    let scene = Arc::new(scene);
    engine.submit(Job::World { scene, settings });
    let mut worlds = 0;
    while worlds < half_seconds + 2 {
        match next(&mut engine) {
            Event::World(_) => worlds += 1,
            Event::Failed(message) => panic!("{message}"),
            _ => {}
        }
    }
}

#[test]
fn a_network_that_cannot_be_loaded_fails_every_job_with_its_reason() {
    let mut engine = Engine::start(Box::new(|| {}), || Err("no weights".to_owned())).unwrap();
    let Event::Failed(message) = next(&mut engine) else {
        panic!("not a failure");
    };
    assert!(message.contains("no weights"));
    engine.submit(job(Purpose::Preview));
    assert!(matches!(next(&mut engine), Event::Failed(_)));
}

/// Returns a number that is not finite.
struct Broken(Scale);

impl Prepare for Broken {
    fn scale(&self) -> &Scale {
        &self.0
    }

    fn identity(&self) -> &str {
        "<broken>"
    }

    fn prepare(&self, _window: &Window) -> Result<Box<dyn Denoise + Send>, DenoiseError> {
        Ok(Box::new(Nan))
    }
}

struct Nan;

impl Denoise for Nan {
    fn denoise(&mut self, _: &[f32], _: &[f32], clean: &mut [f32]) -> Result<(), DenoiseError> {
        clean.fill(f32::NAN);
        Ok(())
    }
}

#[test]
fn a_network_that_returns_nan_hands_out_a_case_on_which_it_fails_again() {
    use crate::generator::{Regeneration, check};
    let network = || Broken(Scale([[0.5, 0.3, 0.2, 0.1, 0.01, 0.02]; T]));
    let loaded = Loaded {
        network: Box::new(network()),
        warning: None,
    };
    let mut engine = Engine::start(Box::new(|| {}), move || Ok(loaded)).unwrap();
    engine.submit(job(Purpose::Shown));
    let (message, case) = loop {
        if let Event::Broken { message, case } = next(&mut engine) {
            break (message, case);
        }
    };
    assert!(message.contains("not finite"), "{message}");
    let text = crate::scene::scene_to_json(&case);
    let again = scene_from_json(text.as_bytes(), "bug case").unwrap();
    assert_eq!(again.hash(), case.hash());
    let report = check(&again, &network(), &mut |_| ControlFlow::Continue(()));
    assert_eq!(report.regeneration, Regeneration::Impossible(message));
}
