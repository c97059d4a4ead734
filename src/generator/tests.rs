//! Runs with stand-ins for the network: what holds for any weights.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::*;
use crate::codec::{NOW, T};
use crate::diffusion::StandIn;
use crate::geometry::{DVec2, Polyline, Pose, dvec2};
use crate::map::{Lane, LaneKind, Map, MapParts};
use crate::scene::{
    Agent, AgentId, AgentKind, Attack, Control, Edit, Goal, Role, Scene, State, Task, Track,
    scene_from_json, scene_to_json,
};

mod reaction;
mod redraws;

/// Keeps a little of the noise.
fn shrink() -> StandIn {
    StandIn::new(0.9)
}

fn driver(id: &str, pose: Pose, speed: f64) -> Arc<Agent> {
    let states = (0..101).map(|frame| {
        let ahead = speed * 0.1 * f64::from(frame - 20);
        let point = pose.outer_from_local(dvec2(ahead, 0.0));
        Some(State::along(Pose::new(point, pose.heading), speed))
    });
    Arc::new(Agent::new(
        id,
        AgentKind::Vehicle,
        Track::new(states.collect()),
    ))
}

/// An ego going east, a car crossing from the south, one far behind, one far ahead.
fn scene() -> Scene {
    let lane = |id: &str, from: DVec2, to: DVec2| {
        Lane::new(id, LaneKind::Street, Polyline::new([from, to]).unwrap())
    };
    let mut scene = Scene {
        name: "crossing".to_owned(),
        dt_s: 0.1,
        frames: 101,
        now: 20,
        map: Arc::new(Map::build(MapParts {
            lanes: vec![
                lane("east", dvec2(-100.0, 0.0), dvec2(200.0, 0.0)),
                lane("north", dvec2(40.0, -100.0), dvec2(40.0, 100.0)),
            ],
            ..MapParts::default()
        })),
        agents: vec![
            driver("ego", Pose::at(0.0, 0.0, 0.0), 10.0),
            driver(
                "south",
                Pose::at(40.0, -30.0, std::f64::consts::FRAC_PI_2),
                9.0,
            ),
            driver("behind", Pose::at(-60.0, 0.0, 0.0), 9.0),
            driver("ahead", Pose::at(80.0, 0.0, 0.0), 10.0),
        ],
        ..Scene::default()
    };
    Arc::make_mut(&mut scene.agents[0]).role = Role::Ego;
    scene.quantised()
}

fn id(text: &str) -> AgentId {
    AgentId::new(text)
}

fn goal(agent: &str, point: [f64; 2]) -> Goal {
    Goal {
        agent: id(agent),
        point,
        time_s: 10.0,
        heading: None,
        speed: None,
        tolerance_m: 1.0,
        hard: true,
        extra: crate::map::Extra::default(),
    }
}

/// Somebody who comes in.
fn newcomer() -> Edit {
    Edit::Add {
        agent: id("new"),
        kind: AgentKind::Vehicle,
        point: [30.0, 4.0],
        heading: 0.0,
        speed: 8.0,
        size: None,
    }
}

fn run(scene: &Scene, settings: &Settings) -> Scene {
    generate(scene, settings, &shrink(), &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap()
}

#[test]
fn the_same_seed_gives_the_same_file_and_another_seed_another() {
    let settings = Settings::default();
    let other = Settings {
        seed: 2,
        ..settings.clone()
    };
    let text = scene_to_json(&run(&scene(), &settings));
    assert_eq!(text, scene_to_json(&run(&scene(), &settings)));
    assert_ne!(text, scene_to_json(&run(&scene(), &other)));
}

#[test]
fn only_so_many_of_the_nearest_are_made_and_everyone_with_a_goal() {
    let few = |agents: usize, task: Task| {
        let mut scene = scene();
        if task == Task::Goal {
            scene.goals.push(goal("ahead", [150.0, 0.0]));
        }
        let settings = Settings {
            task,
            agents,
            ..Settings::default()
        };
        let made = run(&scene, &settings);
        let logged = scene.agents.iter().zip(&made.agents);
        let as_before: Vec<String> = logged
            .filter(|(before, after)| before.track.get(80) == after.track.get(80))
            .map(|(before, _)| before.id.to_string())
            .collect();
        let recipe = &made.generated.unwrap().recipe;
        let taking: Vec<String> = recipe.agents.iter().map(ToString::to_string).collect();
        (taking, as_before)
    };
    // at the present, frame 20, south is 50 m away, behind 60, ahead 80
    let (taking, as_before) = few(2, Task::Free);
    assert_eq!(taking, ["ego", "south"]);
    assert_eq!(as_before, ["behind", "ahead"]);
    let (taking, as_before) = few(2, Task::Goal);
    assert_eq!(taking, ["ego", "ahead"]);
    assert_eq!(as_before, ["south", "behind"]);
    assert_eq!(few(0, Task::Free).0, ["ego"]);
    assert_eq!(few(usize::MAX, Task::Free).0.len(), 4);
}

#[test]
fn a_case_read_back_from_its_file_regenerates_to_the_bit() {
    let mut scene = scene();
    scene.goals.push(goal("ahead", [150.0, 0.0]));
    for task in [Task::Free, Task::Goal] {
        let settings = Settings {
            task,
            history_level: 0.2 / 3.0,
            guidance: crate::scene::Guidance {
                collision: crate::scene::Guide {
                    weight: 0.2 / 3.0,
                    levels: [0.0, 1.0],
                },
                ..crate::scene::Guidance::default()
            },
            ..Settings::default()
        };
        let case = run(&scene, &settings);
        let read = scene_from_json(scene_to_json(&case).as_bytes(), "case.json").unwrap();
        let report = check(&read, &shrink(), &mut |_| ControlFlow::Continue(()));
        assert!(report.holds(), "{report:#?}");
        assert!(!report.gates.is_empty());
    }
}

#[test]
fn a_case_changed_by_hand_or_made_by_other_weights_is_found_out() {
    let mut case = run(&scene(), &Settings::default());
    let mut other = shrink();
    other.scale.0[20][0] += 0.1;
    let agent = Arc::make_mut(&mut case.agents[3]);
    let slot = agent.track.states_mut()[60].as_mut().unwrap();
    slot.position.x += 0.5;
    let report = check(&case, &shrink(), &mut |_| ControlFlow::Continue(()));
    match report.regeneration {
        Regeneration::Differs {
            agent,
            frame,
            distance_m,
        } => {
            assert_eq!((agent, frame), (id("ahead"), 60));
            assert!((distance_m - 0.5).abs() < 1e-9);
        }
        found => panic!("{found:?}"),
    }
    let mut generated = (**case.generated.as_ref().unwrap()).clone();
    generated.recipe.weights_hash = "0123".to_owned();
    case.generated = Some(Arc::new(generated));
    let report = check(&case, &other, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(
        report.regeneration,
        Regeneration::OtherWeights { .. }
    ));
}

#[test]
fn a_case_holds_whose_displacement_counts_who_was_added_and_one_of_any_other_value_does_not() {
    let add = Edit::Add {
        agent: id("new"),
        kind: AgentKind::Vehicle,
        point: [10.0, 0.0],
        heading: 0.0,
        speed: 6.0,
        size: None,
    };
    let case = run(&scene().edited(&add).unwrap(), &Settings::default());
    let mut unmarked = case.clone();
    unmarked.edits.clear(); // as if the new one had been recorded
    let holds = |metrics: Vec<crate::scene::Metric>| {
        let mut generated = (**case.generated.as_ref().unwrap()).clone();
        generated.metrics = metrics;
        let mut case = case.clone();
        case.generated = Some(Arc::new(generated));
        check(&case, &shrink(), &mut |_| ControlFlow::Continue(()))
            .claims
            .is_empty()
    };
    let now = case.generated.as_ref().unwrap().metrics.clone();
    let rows = crate::metrics::explain(&unmarked).into_iter();
    let before: Vec<crate::scene::Metric> = rows.map(|row| row.metric).collect();
    let ade = |metrics: &[crate::scene::Metric]| {
        metrics.iter().find(|it| it.name == "ade_m").unwrap().value
    };
    assert!((ade(&now) - ade(&before)).abs() > 0.01, "{now:?}");
    assert!(holds(now.clone()) && holds(before));
    let mut wrong = now;
    wrong.iter_mut().for_each(|metric| metric.value += 1.0);
    assert!(!holds(wrong));
}

#[test]
fn predictions_are_smoothed_with_goals_and_not_free_unless_asked_and_a_recipe_without_a_word_is_not()
 {
    let smoothed = |task, asked| {
        let settings = Settings {
            task,
            prior_smoothing: asked,
            ..Settings::default()
        };
        let mut scene = scene();
        scene.goals.push(goal("ahead", [150.0, 0.0]));
        draft(&scene, &settings, "test").unwrap()
    };
    assert!(!smoothed(Task::Free, None).prior_smoothing);
    assert!(smoothed(Task::Goal, None).prior_smoothing);
    assert!(smoothed(Task::Free, Some(true)).prior_smoothing);
    let off = smoothed(Task::Goal, Some(false));
    // as a case of an earlier version has it: no such field
    let written = serde_json::to_value(&off).unwrap();
    assert!(written.get("prior_smoothing").is_none());
    let read: crate::scene::Recipe = serde_json::from_value(written).unwrap();
    assert_eq!(read, off);
}

#[test]
fn a_history_level_of_one_would_leave_nothing_of_the_history_and_is_refused() {
    let settings = Settings {
        history_level: 1.0,
        ..Settings::default()
    };
    let recipe = draft(&scene(), &settings, "test").unwrap();
    let refused = Run::new(&scene(), recipe, &shrink()).err().unwrap();
    assert!(
        refused
            .to_string()
            .contains("noise level of the history of 1")
    );
}

#[test]
fn a_hard_goal_is_met_to_the_file_grid_and_history_stays() {
    let mut scene = scene();
    scene.goals.push(goal("ahead", [150.0, 1.0]));
    let settings = Settings {
        task: Task::Goal,
        ..Settings::default()
    };
    let made = run(&scene, &settings);
    let end = made.agent(&id("ahead")).unwrap().track.get(100).unwrap();
    assert!(end.position.distance(dvec2(150.0, 1.0)) < 1e-3);
    for (old, new) in scene.agents.iter().zip(&made.agents) {
        assert_eq!(&old.track.states()[..=20], &new.track.states()[..=20]);
    }
    assert!(made.generated.as_ref().unwrap().complete);
    let miss = made.generated.as_ref().unwrap().metrics.iter();
    let miss = miss.clone().find(|metric| metric.name == "goal_miss_m");
    assert!(miss.unwrap().value < 1e-3);
}

#[test]
fn an_edit_moves_only_what_it_concerns_and_repeats_with_the_same_noise() {
    let first = run(&scene(), &Settings::default());
    let edit = Edit::SetGoal {
        goal: goal("ahead", [150.0, 0.0]),
    };
    let edited = first.edited(&edit).unwrap();
    let settings = Settings::default().answering(&edit, &edited);
    assert_eq!(settings.task, Task::Goal);
    let second = run(&edited, &settings);
    let recipe = &second.generated.as_ref().unwrap().recipe;
    assert!(recipe.kept.contains(&id("behind")) && !recipe.kept.contains(&id("ahead")));
    for change in differences(&first, &second) {
        if recipe.kept.contains(&change.agent) {
            assert_eq!(change.largest_m, 0.0, "{change:?}");
        }
    }
    assert_eq!(
        scene_to_json(&second),
        scene_to_json(&run(&edited, &settings))
    );
    let read = scene_from_json(scene_to_json(&second).as_bytes(), "case.json").unwrap();
    assert!(check(&read, &shrink(), &mut |_| ControlFlow::Continue(())).holds());
}

/// A made scene, then edited, and what answers the edit.
fn answer(first: &Scene, edit: &Edit) -> Scene {
    let edited = first.edited(edit).unwrap();
    run(&edited, &Settings::default().answering(edit, &edited))
}

#[test]
fn an_edit_of_one_agent_is_answered_though_another_has_a_goal() {
    let mut scene = scene();
    scene.goals.push(goal("behind", [20.0, 0.0]));
    let first = run(&scene, &Settings::default());
    let edit = Edit::Move {
        agent: id("ahead"),
        point: [90.0, 0.0],
        heading: 0.0,
        speed: None,
    };
    let second = answer(&first, &edit);
    assert_eq!(second.agent(&id("behind")), first.agent(&id("behind")));
    let recipe = &second.generated.as_ref().unwrap().recipe;
    assert!(made_agents(recipe).contains(&id("ahead")) && recipe.given.is_empty());
}

#[test]
fn an_edited_agent_takes_part_however_many_are_nearer() {
    let first = scene();
    let edit = Edit::Move {
        agent: id("ahead"),
        point: [90.0, 0.0],
        heading: 0.0,
        speed: None,
    };
    let edited = first.edited(&edit).unwrap();
    let settings = Settings {
        agents: 2,
        ..Settings::default().answering(&edit, &edited)
    };
    let recipe = draft(&edited, &settings, "").unwrap();
    assert!(recipe.agents.contains(&id("ahead")));
}

#[test]
fn an_attack_that_has_become_impossible_does_not_keep_others_from_being_edited() {
    let mut scene = scene();
    scene.attacks.push(Attack {
        attacker: id("behind"),
        target: id("ego"),
        time_s: 3.0,
        offset: [0.0, 0.0],
        extra: crate::map::Extra::default(),
    });
    let edit = Edit::Move {
        agent: id("ahead"),
        point: [95.0, 0.0],
        heading: 0.0,
        speed: None,
    };
    let edited = scene.edited(&edit).unwrap();
    let recipe = draft(&edited, &Settings::default().answering(&edit, &edited), "").unwrap();
    assert!(recipe.kept.contains(&id("behind")) && recipe.given.is_empty());
}

#[test]
fn a_goal_between_two_tokens_is_passed_at_its_own_time() {
    // 0.2 s before the token at 6 s, at 10 m/s: the token lies 2 m further
    let mut scene = scene();
    scene.goals.push(Goal {
        time_s: 5.8,
        heading: Some(0.0),
        speed: Some(10.0),
        ..goal("ahead", [118.0, 0.0])
    });
    let settings = Settings {
        task: Task::Goal,
        ..Settings::default()
    };
    let recipe = draft(&scene, &settings, "").unwrap();
    let given = &recipe.given[0];
    assert_eq!((given.token, given.state[0]), (NOW + 8, 120.0));
}

#[test]
fn who_would_arrive_by_driving_on_as_it_does_is_an_attacker() {
    // the front of a 12 m lorry, 6 m ahead of its middle, comes to the point after 2 s at 10 m/s if it reaches half a
    // metre past it: its middle drives 20 m, ends 5.5 m before the point
    let mut scene = scene();
    let mut lorry = Agent::clone(&driver("lorry", Pose::at(-25.5, 0.0, 0.0), 10.0));
    lorry.length = 12.0;
    let mut ego = Agent::clone(&driver("ego", Pose::at(0.0, 0.0, 0.0), 0.0));
    ego.role = Role::Ego;
    scene.agents = vec![Arc::new(ego), Arc::new(lorry)];
    let attack = Attack {
        attacker: id("lorry"),
        target: id("ego"),
        time_s: 4.0,
        offset: [0.0, 0.0],
        extra: crate::map::Extra::default(),
    };
    let aim = aim_of(&scene, &attack).unwrap();
    assert!((aim.aim.speed() - 10.0).abs() < 1e-9, "{:?}", aim.aim);
    assert!(aim.peak[0] < 1e-6);
}

#[test]
fn frozen_agents_and_targets_are_kept_to_the_bit() {
    let mut scene = scene();
    Arc::make_mut(&mut scene.agents[2]).control = Control::Frozen;
    let made = run(&scene, &Settings::default());
    assert_eq!(made.agents[2], scene.agents[2]);
    assert_ne!(made.agents[3], scene.agents[3]);

    let best = attack_candidates(&scene, &AttackQuery::default())
        .unwrap()
        .swap_remove(0);
    let attack = Edit::SetAttack {
        attack: best.attack.clone(),
    };
    let aimed = scene.edited(&attack).unwrap();
    let settings = Settings {
        task: Task::Attack,
        ..Settings::default()
    };
    let attacked = run(&aimed, &settings);
    assert_eq!(attacked.agents[0].track, scene.agents[0].track);
    let attacker = attacked.agent(&best.attack.attacker).unwrap();
    let frame = attacked.frame_at(best.attack.time_s);
    let there = attacker.track.sample(frame).unwrap();
    assert!(there.position.distance(best.aim.position) < 1e-3);
    let gates = &attacked.generated.as_ref().unwrap().gates;
    assert!(
        gates
            .iter()
            .any(|gate| gate.gate == "contact" && gate.passed)
    );
}

#[test]
fn a_stopped_run_is_kept_but_marked_and_not_scored() {
    let partial = generate(&scene(), &Settings::default(), &shrink(), &mut |progress| {
        if progress.steps().0 == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })
    .unwrap();
    let generated = partial.generated.as_ref().unwrap();
    assert!(!generated.complete && !generated.valid());
    assert!(generated.gates.is_empty() && generated.metrics.is_empty());
    let report = check(&partial, &shrink(), &mut |_| ControlFlow::Continue(()));
    assert_eq!(report.regeneration, Regeneration::Incomplete);
}

#[test]
fn what_cannot_be_made_is_said_in_a_sentence() {
    let settings = |task| Settings {
        task,
        ..Settings::default()
    };
    let error = |scene: &Scene, task| {
        generate(scene, &settings(task), &shrink(), &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap_err()
    };
    let scene = scene();
    assert_eq!(error(&scene, Task::Goal), GenerateError::NoGoal);
    assert_eq!(error(&scene, Task::Attack), GenerateError::NoAttack);
    let mut frozen = scene.clone();
    for agent in &mut frozen.agents {
        Arc::make_mut(agent).control = Control::Frozen;
    }
    assert_eq!(error(&frozen, Task::Free), GenerateError::NothingFree);
    let mut empty = scene.clone();
    empty.agents.clear();
    assert_eq!(error(&empty, Task::Free), GenerateError::NoAgents);
    let mut impossible = scene.clone();
    impossible.attacks.push(Attack {
        attacker: id("behind"),
        target: id("ego"),
        time_s: 3.0,
        offset: [0.0, 0.0],
        extra: crate::map::Extra::default(),
    });
    assert!(matches!(
        error(&impossible, Task::Attack),
        GenerateError::Attack(_)
    ));
}

#[test]
fn a_pinned_token_keeps_the_present_state() {
    let mut scene = scene();
    for token in [8, 12] {
        scene.pins.push(crate::scene::Pin {
            agent: id("ahead"),
            token,
            level: 0.0,
            extra: crate::map::Extra::default(),
        });
    }
    let made = run(&scene, &Settings::default());
    for token in [8, 12] {
        let frame = 20 + (token - NOW) * 5;
        let (was, is) = (
            scene.agents[3].track.get(frame),
            made.agents[3].track.get(frame),
        );
        assert!(was.unwrap().position.distance(is.unwrap().position) < 1e-3);
    }
    let recipe = &made.generated.as_ref().unwrap().recipe;
    assert_eq!(recipe.given.len(), 2);
    assert_eq!(
        made_agents(recipe),
        ["ego", "south", "behind", "ahead"]
            .map(id)
            .into_iter()
            .collect::<BTreeSet<_>>()
    );
}
