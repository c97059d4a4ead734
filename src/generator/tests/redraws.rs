//! Who fails a gate is drawn again.

use super::*;

/// Who was drawn again, each time, and how many steps the run took.
fn redrawn(scene: &Scene, settings: &Settings) -> (Vec<Vec<AgentId>>, usize) {
    let mut steps = 0;
    let mut count = |progress: &Progress<'_>| {
        steps = progress.steps().0;
        ControlFlow::Continue(())
    };
    let made = generate(scene, settings, &shrink(), &mut count).unwrap();
    (made.generated.as_ref().unwrap().redrawn.clone(), steps)
}

/// With so little noise that nobody moves impossibly.
fn at_most(redraws: usize) -> Settings {
    Settings {
        redraws,
        temperature: Some(0.1),
        ..Settings::default()
    }
}

#[test]
fn who_touches_somebody_is_drawn_again_so_often_and_nobody_else() {
    // the ego and the car from the south meet at 3.5 s whatever the noise: every redraw is used, eight steps each
    let both = vec![id("ego"), id("south")];
    assert_eq!(redrawn(&scene(), &at_most(0)), (vec![], 32));
    assert_eq!(redrawn(&scene(), &at_most(2)), (vec![both; 2], 48));
    let [first, last] = [0, 2].map(|redraws| run(&scene(), &at_most(redraws)));
    let track = |made: &Scene, who: &str| made.agent(&id(who)).unwrap().track.clone();
    assert_ne!(track(&first, "ego"), track(&last, "ego"));
    for who in ["behind", "ahead"] {
        assert_eq!(track(&first, who), track(&last, who));
    }
}

#[test]
fn without_a_contact_nobody_is_drawn_again() {
    let apart = scene()
        .edited(&Edit::Remove { agent: id("south") })
        .unwrap();
    assert_eq!(redrawn(&apart, &at_most(3)), (vec![], 32));
}

#[test]
fn who_fails_a_gate_alone_is_drawn_again() {
    let apart = scene()
        .edited(&Edit::Remove { agent: id("south") })
        .unwrap();
    let hot = |redraws| Settings {
        temperature: Some(20.0),
        ..at_most(redraws)
    };
    let once = run(&apart, &hot(0));
    let failed = once.generated.as_ref().unwrap().failed();
    let failed: BTreeSet<AgentId> = failed.filter_map(|gate| gate.agent.clone()).collect();
    assert!(!failed.is_empty());
    let (again, _) = redrawn(&apart, &hot(1));
    let again: BTreeSet<AgentId> = again[0].iter().cloned().collect();
    assert!(again.is_superset(&failed), "{failed:?} {again:?}");
}

#[test]
fn who_follows_the_log_is_not_drawn_again() {
    let follows = scene().edited(&Edit::SetControl {
        agent: id("ego"),
        control: Control::Log,
    });
    let (who, _) = redrawn(&follows.unwrap(), &at_most(1));
    assert_eq!(who, [[id("south")]]);
}

#[test]
fn what_stands_is_not_drawn_again_for_who_drives_into_it() {
    let mut stands = scene();
    stands.agents[3] = driver("ahead", Pose::at(25.0, 0.0, 0.0), 0.0);
    stands.agents.remove(1);
    assert_eq!(redrawn(&stands, &at_most(1)).0, [[id("ego")]]);
}

#[test]
fn a_world_that_changes_in_a_redraw_regenerates() {
    let scene = scene();
    let recipe = draft(&scene, &at_most(2), "<stand-in>").unwrap();
    let mut run = Run::new(&scene, recipe, &shrink()).unwrap();
    for _ in 0..36 {
        assert!(!run.step().unwrap());
    }
    assert!(run.react(&scene.edited(&newcomer()).unwrap()).unwrap());
    while !run.step().unwrap() {}
    let made = run.finish();
    assert!(made.generated.as_ref().unwrap().redrawn.len() == 2);
    let read = scene_from_json(scene_to_json(&made).as_bytes(), "case.json").unwrap();
    let report = check(&read, &shrink(), &mut |_| ControlFlow::Continue(()));
    assert!(report.holds(), "{report:#?}");
}

#[test]
fn more_redraws_than_there_can_be_are_refused() {
    let mut recipe = draft(&scene(), &at_most(1000), "<stand-in>").unwrap();
    assert_eq!(recipe.redraws, MOST_REDRAWS);
    recipe.redraws = MOST_REDRAWS + 1;
    let refused = Run::new(&scene(), recipe, &shrink()).err().unwrap();
    assert_eq!(
        refused.to_string(),
        "the recipe's number of redraws of 17 is not possible: 0 to 16 are"
    );
}
