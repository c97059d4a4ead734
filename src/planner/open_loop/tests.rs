//! The table's numbers on plans whose errors are known.

use super::*;
use crate::codec::Options;
use crate::geometry::{Polyline, Pose, dvec2};
use crate::map::{Lane, LaneKind, Map, MapParts};
use crate::planner::{PlanSettings, plan_of};
use crate::scene::{Agent, AgentId, AgentKind, Track};

/// Along y = 0 at `x` at the present (2 s), 10 s long.
fn car(id: &str, x: f64, speed: f64) -> Arc<Agent> {
    let states = (0..101).map(|frame| {
        let t = 0.1 * f64::from(frame) - 2.0;
        Some(State::along(Pose::at(x + speed * t, 0.0, 0.0), speed))
    });
    let track = Track::new(states.collect());
    Arc::new(Agent::new(id, AgentKind::Vehicle, track))
}

fn scene(agents: Vec<Arc<Agent>>) -> Scene {
    let line = Polyline::new([dvec2(-100.0, 0.0), dvec2(400.0, 0.0)]).unwrap();
    let mut scene = Scene {
        dt_s: 0.1,
        frames: 101,
        now: 20,
        map: Arc::new(Map::build(MapParts {
            lanes: vec![Lane {
                speed_limit: Some(10.0), // the reference drives no faster than the log
                ..Lane::new("east", LaneKind::Street, line)
            }],
            ..MapParts::default()
        })),
        agents,
        ..Scene::default()
    };
    scene.set_ego(&AgentId::new("ego"));
    scene
}

/// Straight on at `speed`, shifted `aside` metres to the left from the first point on.
fn mode(speed: f64, aside: f64, probability: f64) -> Mode {
    Mode {
        points: std::array::from_fn(|index| {
            let x = speed * 0.5 * (index + 1) as f64;
            planned(&State::along(Pose::at(x, aside, 0.0), speed))
        }),
        probability,
        tokens: Vec::new(),
    }
}

fn judged(scene: &Scene, modes: Vec<Mode>) -> OpenLoop {
    let window = Window::new(
        scene,
        &Options {
            whole_future: false,
            ..Options::default()
        },
    );
    let plan = plan_of(scene, modes, "<test>", &PlanSettings::default()).unwrap();
    open_loop(scene, &window, &plan)
}

#[test]
fn the_log_is_its_own_floor() {
    let scene = scene(vec![car("ego", 0.0, 10.0)]);
    let window = Window::new(&scene, &Options::default());
    let found = judged(&scene, vec![log_mode(&window)]);
    assert!(found.ade.sum < 1e-9 && found.ade.count == 16.0);
    assert_eq!(found.miss.value(), Some(0.0));
    assert!(found.gap.value().unwrap() < 1e-6);
    assert_eq!(found.collision.value(), Some(0.0));
    assert_eq!(found.off_road.value(), Some(0.0));
    assert!((found.score.value().unwrap() - 1.0).abs() < 1e-6);
    assert_eq!(found.spread.value(), None);
}

#[test]
fn top_one_and_best_of_two_are_told_apart() {
    // the likelier is 1 m aside throughout, the other 1 m/s slower: |error| = 0.5 (i + 1), mean 4.25, at the end 8
    let scene = scene(vec![car("ego", 0.0, 10.0)]);
    let found = judged(&scene, vec![mode(9.0, 0.0, 0.6), mode(10.0, 1.0, 0.4)]);
    assert!((found.ade.value().unwrap() - 4.25).abs() < 1e-9);
    assert!((found.min_ade.value().unwrap() - 1.0).abs() < 1e-9);
    assert!((found.fde.value().unwrap() - 8.0).abs() < 1e-9);
    assert_eq!(found.miss.value(), Some(0.0)); // the best ends 1 m away
    // the second ends nearest: 1 m off, (1 − 0.4)² for being the less likely
    assert!((found.end_min_ade.value().unwrap() - 1.0).abs() < 1e-9);
    assert!((found.brier_min_fde.value().unwrap() - 1.36).abs() < 1e-9);
    // ends (72, 0) and (80, 1): √(64 + 1)
    assert!((found.spread.value().unwrap() - 65.0_f64.sqrt()).abs() < 1e-9);
}

#[test]
fn a_log_that_ends_early_has_no_end_to_miss() {
    let mut scene = scene(vec![car("ego", 0.0, 10.0)]);
    Arc::make_mut(&mut scene.agents[0])
        .track
        .states_mut()
        .truncate(61); // 4 s after the present
    let found = judged(&scene, vec![mode(9.0, 0.0, 1.0)]);
    assert_eq!(found.ade.count, 8.0);
    assert_eq!((found.fde.value(), found.miss.value()), (None, None));
    assert_eq!(
        (found.brier_min_fde.value(), found.nuplan.score()),
        (None, None)
    );
}

#[test]
fn what_stands_in_the_way_is_hit_by_the_plan_that_ignores_it() {
    let scene = scene(vec![car("ego", 0.0, 10.0), car("stands", 60.0, 0.0)]);
    let found = judged(&scene, vec![mode(10.0, 0.0, 1.0)]);
    assert_eq!(found.collision.value(), Some(1.0));
    assert_eq!(found.at_fault.value(), Some(1.0));
    // 55.3 m to go at 10 m/s: after 5.5 s, beyond the 4 s that are scored, but time to collision reaches to 4.9 s only
    assert_eq!(found.terms[0].value(), Some(1.0));
}

#[test]
fn an_object_in_the_way_is_hit_as_much_as_it_is_the_plans_fault() {
    let mut barrier = Agent::clone(&car("barrier", 60.0, 0.0));
    barrier.kind = AgentKind::Other;
    let scene = scene(vec![car("ego", 0.0, 10.0), Arc::new(barrier)]);
    let found = judged(&scene, vec![mode(10.0, 0.0, 1.0)]);
    assert_eq!(
        (found.collision.value(), found.at_fault.value()),
        (Some(1.0), Some(1.0))
    );
}
