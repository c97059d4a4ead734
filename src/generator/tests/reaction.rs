//! What a run under way makes of a world that changes.

use super::*;
use crate::scene::{ScheduleKind, Signal, SignalState};

fn begun(scene: &Scene, settings: &Settings, steps: usize) -> Run {
    let recipe = draft(scene, settings, "<stand-in>").unwrap();
    let mut run = Run::new(scene, recipe, &shrink()).unwrap();
    for _ in 0..steps {
        run.step().unwrap();
    }
    run
}

fn finished(mut run: Run) -> Scene {
    while !run.step().unwrap() {}
    run.finish()
}

/// The case as it reads back from its file, checked.
fn holds(case: &Scene) -> CheckReport {
    let read = scene_from_json(scene_to_json(case).as_bytes(), "case.json").unwrap();
    check(&read, &shrink(), &mut |_| ControlFlow::Continue(()))
}

/// The scene with a goal for the agent ahead.
fn towards_150() -> Scene {
    let goal = goal("ahead", [150.0, 0.0]);
    scene().edited(&Edit::SetGoal { goal }).unwrap()
}

fn with_signal(mut scene: Scene) -> Scene {
    scene.signals = Arc::new(vec![Signal::new(
        scene.map.lanes()[1].id.clone(),
        None,
        vec![SignalState::Green; 101],
    )]);
    scene
}

#[test]
fn an_agent_that_comes_into_a_run_gets_a_future_and_the_case_regenerates() {
    let scene = scene();
    let mut run = begun(&scene, &Settings::default(), 12);
    let before = run.event().tokens.to_vec();
    assert!(run.react(&scene.edited(&newcomer()).unwrap()).unwrap());
    assert_eq!(run.event().tokens[..before.len()], before);
    assert_eq!(run.plan().window.rows.last().unwrap().id, id("new"));
    let made = finished(run);
    let track = &made.agent(&id("new")).unwrap().track;
    assert!(track.get(100).is_some());
    let recipe = &made.generated.as_ref().unwrap().recipe;
    assert_eq!((recipe.reactions.len(), recipe.reactions[0].step), (1, 12));
    assert!(made_agents(recipe).contains(&id("new")));
    let report = holds(&made);
    assert!(report.holds(), "{report:#?}");
}

#[test]
fn several_changes_of_one_run_regenerate_in_their_order() {
    let scene = with_signal(scene());
    let settings = Settings {
        task: Task::Goal,
        ..Settings::default()
    };
    let mut scene = scene
        .edited(&Edit::SetGoal {
            goal: goal("ahead", [150.0, 0.0]),
        })
        .unwrap();
    let mut run = begun(&scene, &settings, 3);
    let soft = Goal {
        hard: false,
        ..goal("new", [110.0, 3.0])
    };
    let edits = [
        (2, newcomer()),
        (
            4,
            Edit::SetGoal {
                goal: goal("ahead", [155.0, 0.0]),
            },
        ),
        (
            0,
            Edit::SetSignal {
                signal: 0,
                from_frame: 30,
                state: SignalState::Red,
            },
        ),
        (5, Edit::SetGoal { goal: soft }),
    ];
    for (steps, edit) in edits {
        for _ in 0..steps {
            run.step().unwrap();
        }
        scene = scene.edited(&edit).unwrap();
        assert!(run.react(&scene).unwrap(), "{edit:?}");
    }
    let made = finished(run);
    let reactions = &made.generated.as_ref().unwrap().recipe.reactions;
    let steps: Vec<usize> = reactions.iter().map(|change| change.step).collect();
    assert_eq!(steps, [5, 9, 9, 14]);
    assert_eq!(
        reactions[2].signals_before[0].states,
        [(0, SignalState::Green)]
    );
    let end = made.agent(&id("ahead")).unwrap().track.get(100).unwrap();
    assert!(end.position.distance(dvec2(155.0, 0.0)) < 1e-3);
    let report = holds(&made);
    assert!(report.holds(), "{report:#?}");
    // without the note of the goal that moved it is another result
    let mut other = made.clone();
    let mut generated = (**other.generated.as_ref().unwrap()).clone();
    generated.recipe.reactions.remove(1);
    other.generated = Some(Arc::new(generated));
    assert!(matches!(
        holds(&other).regeneration,
        Regeneration::Differs { .. }
    ));
}

#[test]
fn an_agent_that_is_moved_takes_along_what_is_made_and_leaves_its_goal_where_it_is() {
    let scene = towards_150();
    let settings = Settings {
        task: Task::Goal,
        schedule: ScheduleKind::Pyramidal,
        steps: 24,
        ..Settings::default()
    };
    // the first future frame is final after two thirds of the steps
    let mut run = begun(&scene, &settings, 17);
    let row = run.plan().window.row_of(&id("ahead")).unwrap();
    let first = row * T + NOW + 1;
    assert_eq!(run.event().levels[first], 0.0); // final by now, the last ones still noisy
    let before = run.states(run.event().tokens);
    let present = scene.agent(&id("ahead")).unwrap().track.get(scene.now);
    let place = present.unwrap().position + dvec2(3.0, 1.0);
    let moved = scene
        .edited(&Edit::Move {
            agent: id("ahead"),
            point: place.into(),
            heading: present.unwrap().heading,
            speed: None,
        })
        .unwrap();
    assert!(run.react(&moved).unwrap());
    let after = run.states(run.event().tokens);
    for (at, (one, two)) in before.iter().zip(&after).enumerate() {
        let there = run.plan().window.valid[at];
        let shift = match (at / T == row, at % T) {
            (true, token) if token == T - 1 => dvec2(0.0, 0.0), // the goal
            (true, _) => dvec2(3.0, 1.0),
            (false, _) => dvec2(0.0, 0.0),
        };
        let off = two.position - one.position - shift;
        assert!(!there || off.length() < 1e-3, "{} {} {off}", at / T, at % T);
    }
    let made = finished(run);
    let track = &made.agent(&id("ahead")).unwrap().track;
    assert_eq!(track.get(made.now).unwrap().position, place);
    let end = track.get(100).unwrap().position;
    assert!(end.distance(dvec2(150.0, 0.0)) < 1e-3);
    let reactions = &made.generated.as_ref().unwrap().recipe.reactions;
    assert_eq!(reactions[0].moved[0].agent, id("ahead"));
    assert_eq!(reactions[0].moved[0].states.len(), made.now + 1);
    let report = holds(&made);
    assert!(report.holds(), "{report:#?}");
}

#[test]
fn one_who_keeps_to_the_log_is_moved_with_its_whole_way() {
    let scene = scene()
        .edited(&Edit::SetControl {
            agent: id("south"),
            control: Control::Log,
        })
        .unwrap();
    let mut run = begun(&scene, &Settings::default(), 5);
    let track = |scene: &Scene| scene.agent(&id("south")).unwrap().track.clone();
    let present = *track(&scene).get(scene.now).unwrap();
    let moved = scene
        .edited(&Edit::Move {
            agent: id("south"),
            point: (present.position + dvec2(0.0, -6.0)).into(),
            heading: present.heading,
            speed: None,
        })
        .unwrap();
    assert!(run.react(&moved).unwrap());
    let made = finished(run);
    assert_eq!(track(&made), track(&moved));
    let reactions = &made.generated.as_ref().unwrap().recipe.reactions;
    assert_eq!(reactions[0].moved[0].states.len(), made.frames);
    let report = holds(&made);
    assert!(report.holds(), "{report:#?}");
}

#[test]
fn an_overwritten_token_is_final_and_the_case_regenerates() {
    let mut run = begun(&scene(), &Settings::default(), 1);
    let state = State::along(Pose::at(120.0, 3.0, 0.0), 8.0);
    assert!(run.overwrite(&id("ahead"), 7.0, &state).unwrap());
    assert!(!run.overwrite(&id("nobody"), 7.0, &state).unwrap());
    let made = finished(run);
    let there = made.agent(&id("ahead")).unwrap().track.sample(70.0);
    assert!(there.unwrap().position.distance(state.position) < 1e-3);
    let report = holds(&made);
    assert!(report.holds(), "{report:#?}");
}

#[test]
fn what_a_run_cannot_take_in_leaves_it_as_it_was() {
    let scene = towards_150();
    let settings = Settings {
        task: Task::Goal,
        ..Settings::default()
    };
    let earlier = Goal {
        time_s: 8.0,
        ..goal("ahead", [130.0, 0.0])
    };
    let refused = [
        Edit::Remove {
            agent: id("behind"),
        },
        Edit::ClearGoal { agent: id("ahead") },
        Edit::SetGoal { goal: earlier },
        Edit::SetNow { frame: 25 },
        Edit::SetControl {
            agent: id("south"),
            control: Control::Frozen,
        },
    ];
    let mut run = begun(&scene, &settings, 6);
    let before = run.event().tokens.to_vec();
    for edit in refused {
        assert!(
            !run.react(&scene.edited(&edit).unwrap()).unwrap(),
            "{edit:?}"
        );
    }
    assert!(!run.react(&scene).unwrap());
    assert_eq!(run.event().tokens, before);
    while !run.step().unwrap() {}
    assert!(!run.react(&scene.edited(&newcomer()).unwrap()).unwrap());
    assert!(holds(&run.finish()).holds());
}

#[test]
fn a_recipe_whose_reaction_names_no_signal_or_agent_is_refused_in_words() {
    let scene = with_signal(scene());
    let mut run = begun(&scene, &Settings::default(), 4);
    let red = Edit::SetSignal {
        signal: 0,
        from_frame: 0,
        state: SignalState::Red,
    };
    assert!(run.react(&scene.edited(&red).unwrap()).unwrap());
    let made = finished(run);
    for breaks in [
        |recipe: &mut crate::scene::Recipe| recipe.reactions[0].signals_before[0].signal = 7,
        |recipe: &mut crate::scene::Recipe| recipe.reactions[0].entered.push(id("nobody")),
    ] {
        let mut case = made.clone();
        let mut generated = (**case.generated.as_ref().unwrap()).clone();
        breaks(&mut generated.recipe);
        case.generated = Some(Arc::new(generated));
        let found = holds(&case).regeneration;
        assert!(matches!(found, Regeneration::Impossible(_)), "{found:?}");
    }
}

#[test]
fn a_soft_goal_is_an_observation_and_one_without_tolerance_is_hard() {
    let recipe = |hard, tolerance_m| {
        let mut scene = scene();
        scene.goals.push(Goal {
            hard,
            tolerance_m,
            ..goal("ahead", [150.0, 0.0])
        });
        let settings = Settings {
            task: Task::Goal,
            ..Settings::default()
        };
        draft(&scene, &settings, "<stand-in>").unwrap()
    };
    let soft = &recipe(false, 2.0).given[0];
    let spread = soft.spread.unwrap();
    // neither heading nor speed is named, so neither is seen
    assert_eq!(
        (spread.position_m, spread.heading_rad, spread.velocity_mps),
        (2.0, None, None)
    );
    assert_eq!(soft.level, 1.0);
    assert_eq!(recipe(false, 0.0).given, recipe(true, 2.0).given);
    let mut scene = scene();
    scene.goals.push(Goal {
        hard: false,
        tolerance_m: 2.0,
        ..goal("ahead", [150.0, 0.0])
    });
    let settings = Settings {
        task: Task::Goal,
        ..Settings::default()
    };
    let report = holds(&run(&scene, &settings));
    assert!(report.holds(), "{report:#?}");
}

#[test]
fn a_recipe_of_before_soft_goals_were_observations_still_starts_its_hint_at_a_level() {
    let mut scene = scene();
    scene.goals.push(goal("ahead", [150.0, 0.0]));
    let settings = Settings {
        task: Task::Goal,
        ..Settings::default()
    };
    let mut recipe = draft(&scene, &settings, "<stand-in>").unwrap();
    recipe.given[0].level = 0.3;
    let text = serde_json::to_string(&recipe).unwrap();
    assert!(!text.contains("spread") && !text.contains("reactions"));
    let plan = Plan::new(&scene, &serde_json::from_str(&text).unwrap()).unwrap();
    let row = plan.window.row_of(&id("ahead")).unwrap();
    assert_eq!(
        (plan.matrix.get(row, T - 1), plan.soft_tokens.len()),
        (0.3, 0)
    );
}
