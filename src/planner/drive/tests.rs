//! Drives whose outcome is known beforehand.

use std::sync::Arc;

use super::*;
use crate::geometry::{Polyline, Pose, dvec2};
use crate::map::{Lane, LaneKind, Map, MapParts};
use crate::planner::Decoder;
use crate::planner::world::{LogWorld, ReactiveWorld, TrafficWorld, World};
use crate::scene::{Agent, AgentId, AgentKind, State};

/// Along y = 0, at `x` at time 0, 12 s long at 10 Hz.
fn car(id: &str, x: f64, speed: f64) -> Arc<Agent> {
    let states = (0..121).map(|frame| {
        let t = 0.1 * f64::from(frame);
        Some(State::along(Pose::at(x + speed * t, 0.0, 0.0), speed))
    });
    Arc::new(Agent::new(
        id,
        AgentKind::Vehicle,
        Track::new(states.collect()),
    ))
}

/// The present at 2 s.
fn scene(agents: Vec<Arc<Agent>>) -> Scene {
    let line = Polyline::new([dvec2(-300.0, 0.0), dvec2(600.0, 0.0)]).unwrap();
    let mut scene = Scene {
        dt_s: 0.1,
        frames: 121,
        now: 20,
        map: Arc::new(Map::build(MapParts {
            lanes: vec![Lane::new("east", LaneKind::Street, line)],
            ..MapParts::default()
        })),
        agents,
        ..Scene::default()
    };
    scene.set_ego(&AgentId::new("ego"));
    scene
}

fn driven(scene: &Scene, decoder: Decoder, world: &mut dyn World) -> Driven {
    let settings = DriveSettings {
        plan: PlanSettings {
            decoder,
            ..PlanSettings::default()
        },
        ..DriveSettings::default()
    };
    drive(scene, Planners::default(), &settings, world, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap()
}

#[test]
fn constant_velocity_alone_drives_like_its_log_and_its_plans_agree() {
    let scene = scene(vec![car("ego", 0.0, 10.0)]);
    let found = driven(&scene, Decoder::ConstantVelocity, &mut LogWorld);
    let report = &found.report;
    assert!(!report.collided() && report.off_road_s.is_none() && report.comfortable());
    assert!((report.seconds - 10.0).abs() < 1e-9);
    assert!(
        (report.progress_m - 100.0).abs() < 0.1 && (report.logged_m.unwrap() - 100.0).abs() < 0.1
    );
    assert_eq!(found.plans.len(), 20); // 10 s at 2 Hz
    assert!(report.shift.value().unwrap() < 1e-6);
    assert_eq!(found.scene.log.len(), 1);
    assert!(report.encounters.is_empty());
    // past what stands 4 m to the right: 4 m less two half widths
    let mut aside = Agent::clone(&car("aside", 40.0, 0.0));
    let states = aside.track.states().iter().flatten();
    let moved = states.map(|state| {
        let position = state.position - dvec2(0.0, 4.0);
        Some(State { position, ..*state })
    });
    aside.track = Track::new(moved.collect());
    let width = aside.width;
    let past = vec![car("ego", 0.0, 10.0), Arc::new(aside)];
    let near = driven(&self::scene(past), Decoder::ConstantVelocity, &mut LogWorld);
    let near = &near.report.encounters[0];
    assert!((near.gap.value - (4.0 - width)).abs() < 1e-6, "{near:?}");
}

#[test]
fn constant_velocity_runs_into_what_stands_and_idm_does_not() {
    // bumper to bumper 60 − 20 − 4.7 = 35.3 m at the present: reached after 3.53 s at 10 m/s
    let scene = scene(vec![car("ego", 0.0, 10.0), car("stands", 60.0, 0.0)]);
    let crash = driven(&scene, Decoder::ConstantVelocity, &mut LogWorld).report;
    assert!(crash.at_fault());
    assert!(
        (crash.contacts[0].time_s - 3.6).abs() < 1e-6,
        "{:?}",
        crash.contacts
    );
    assert!((crash.contacts[0].closing_mps - 10.0).abs() < 1e-6);
    let near = &crash.encounters[0];
    assert_eq!((near.with.as_str(), near.gap.value), ("stands", 0.0));
    assert!((near.gap.time_s - 3.6).abs() < 1e-6);
    let idm = driven(&scene, Decoder::Idm, &mut LogWorld).report;
    assert!(!idm.collided(), "{:?}", idm.contacts);
    assert!(idm.progress_m < 36.0);
}

#[test]
fn a_recorded_follower_runs_into_a_braking_ego_and_a_reacting_one_does_not() {
    // the ego brakes for what stands; the follower's log goes on at 10 m/s, 15 m behind
    let scene = scene(vec![
        car("ego", 0.0, 10.0),
        car("stands", 70.0, 0.0),
        car("follows", -20.0, 10.0),
    ]);
    let log = driven(&scene, Decoder::Idm, &mut LogWorld).report;
    assert!(
        log.contacts
            .iter()
            .any(|touch| touch.with.as_str() == "follows" && !touch.at_fault)
    );
    let mut traffic = TrafficWorld::default();
    let mut reactive = ReactiveWorld::default();
    let worlds: [&mut dyn World; 2] = [&mut traffic, &mut reactive];
    for world in worlds {
        let found = driven(&scene, Decoder::Idm, world).report;
        assert!(!found.collided(), "{:?}", found.contacts);
    }
}

#[test]
fn a_drive_can_be_stopped_and_keeps_what_was_driven() {
    let scene = scene(vec![car("ego", 0.0, 10.0)]);
    let settings = DriveSettings {
        plan: PlanSettings {
            decoder: Decoder::ConstantVelocity,
            ..PlanSettings::default()
        },
        ..DriveSettings::default()
    };
    let found = drive(
        &scene,
        Planners::default(),
        &settings,
        &mut LogWorld,
        &mut |step| {
            if step.frame >= 30 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    )
    .unwrap();
    assert!(found.stopped);
    assert!((found.report.seconds - 1.0).abs() < 1e-9); // frames 20 to 30
}

#[test]
fn other_rates_are_driven_at_ten_hertz() {
    let slow = resampled(&scene(vec![car("ego", 0.0, 10.0)]), 0.25);
    let found = driven(&slow, Decoder::ConstantVelocity, &mut LogWorld);
    assert!(
        (found.report.progress_m - 100.0).abs() < 0.2,
        "{:?}",
        found.report
    );
    assert_eq!(found.scene.dt_s, STEP_S);
}

#[test]
fn settings_out_of_range_and_scenes_without_a_future_are_refused() {
    let scene = scene(vec![car("ego", 0.0, 10.0)]);
    let run = |scene: &Scene, replan_hz: f64| {
        let settings = DriveSettings {
            plan: PlanSettings {
                decoder: Decoder::Idm,
                ..PlanSettings::default()
            },
            replan_hz,
            ..DriveSettings::default()
        };
        drive(
            scene,
            Planners::default(),
            &settings,
            &mut LogWorld,
            &mut |_| ControlFlow::Continue(()),
        )
        .err()
        .map(|error| error.to_string())
    };
    assert!(run(&scene, 0.0).unwrap().contains("replan rate is 0"));
    assert!(run(&scene, f64::NAN).unwrap().contains("replan rate"));
    let mut over = scene.clone();
    over.now = 120;
    assert!(run(&over, 2.0).unwrap().contains("nothing to drive"));
    let mut nobody = scene;
    Arc::make_mut(&mut nobody.agents[0]).role = crate::scene::Role::Other;
    assert!(run(&nobody, 2.0).unwrap().contains("no ego"));
}

#[test]
fn plans_hold_for_whole_tenths_of_a_second_and_the_rate_says_so() {
    let hz = |replan_hz: f64| {
        let settings = DriveSettings {
            replan_hz,
            ..DriveSettings::default()
        };
        settings.driven_hz()
    };
    assert_eq!(hz(2.0), 2.0); // every 5 tenths
    assert!((hz(7.0) - 10.0).abs() < 1e-9); // 1.43 tenths: every one
    for asked in [3.0, 4.0] {
        assert!((hz(asked) - 1.0 / 0.3).abs() < 1e-9); // 3.33 and 2.5 tenths: every third
    }
    let scene = scene(vec![car("ego", 0.0, 10.0)]);
    let settings = DriveSettings {
        plan: PlanSettings {
            decoder: Decoder::ConstantVelocity,
            ..PlanSettings::default()
        },
        seconds: 3.0,
        replan_hz: 7.0,
    };
    let found = drive(
        &scene,
        Planners::default(),
        &settings,
        &mut LogWorld,
        &mut |_| ControlFlow::Continue(()),
    );
    assert_eq!(found.unwrap().plans.len(), 30); // 3 s at 10 Hz
}
