//! Two scenes beside each other, overlaid, wiped, and as differences; panes with a seed of their own; knobs that act.

use egui::Key;
use egui::vec2;
use egui_kittest::kittest::Queryable as _;

use super::stage::canvas;
use super::stage::choose;
use super::stage::drag;
use super::stage::entries;
use super::stage::generate;
use super::stage::hash;
use super::stage::may_draw;
use super::stage::opened_with_model;
use super::stage::pixels_changed;
use super::stage::press;
use super::stage::undo;
use super::stage::until;
use nearmiss::ui::App;

/// Seed of what a pane shows.
fn seed(app: &App, pane: usize) -> Option<u64> {
    let shown = app.shown();
    let made = shown.get(pane)?.as_ref()?.generated.clone()?;
    Some(made.recipe.seed)
}

#[test]
fn the_table_of_changes_leads_to_the_agent_that_moved_most() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    generate(&mut bench);
    press(&mut bench, Key::D);
    assert!(bench.state().compared().0);
    let app = bench.state();
    let changes = nearmiss::generator::differences(
        app.shown()[0].as_ref().unwrap(),
        app.shown()[1].as_ref().unwrap(),
    );
    let first = changes[0].agent.clone();
    assert!(changes[0].largest_m > 0.1);
    let row = format!("moved {first}");
    bench.get_by_label_contains(&row).click();
    bench.run_steps(3);
    let editor = bench.state().editor();
    assert_eq!(editor.selection, [first]);
    let at_s = editor.committed().unwrap().time_of(changes[0].frame);
    assert!((editor.time_s - at_s).abs() < 1e-9);
    press(&mut bench, Key::D);
    assert!(!bench.state().compared().0);
}

#[test]
fn the_wipe_handle_follows_the_pointer_and_both_sides_are_drawn() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    generate(&mut bench);
    press(&mut bench, Key::C);
    press(&mut bench, Key::C); // side by side, overlay, wipe
    let handle = bench.get_by_label("Wipe handle").rect().center();
    assert_eq!(bench.state().compared(), (true, 0.5));
    let whole = bench.render().unwrap();
    drag(&mut bench, handle, handle - vec2(120.0, 0.0));
    let share = bench.state().compared().1;
    let expected = 0.5 - 120.0 / canvas(&bench).width();
    // the toolkit takes a few points of a drag before it counts
    assert!((share - expected).abs() < 0.02, "{share} {expected}");
    assert_ne!(bench.render().unwrap(), whole);
}

#[test]
fn a_pane_makes_the_scene_again_with_a_seed_of_its_own() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    generate(&mut bench);
    let worked_on = hash(&bench);
    press(&mut bench, Key::Num2);
    choose(&mut bench, 2, "Generated");
    until(&mut bench, "run of the pane", |app| seed(app, 1) == Some(2));
    assert_eq!(hash(&bench), worked_on); // beside it, not in its place
    assert_eq!(entries(&bench), 2);
    assert!(bench.query_all_by_label("1 difference").count() > 0); // the seed
    choose(&mut bench, 2, "Edited");
    let shown = bench.state().shown();
    assert!(shown[1].as_ref().unwrap().generated.is_none());
    choose(&mut bench, 2, "Attacked");
    assert!(bench.state().shown()[1].is_none());
    assert!(bench.query_all_by_label("Find attacks").count() > 1); // offered in the pane too
}

#[test]
fn the_steps_beside_the_one_looked_at_are_drawn_as_onion_skins() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    generate(&mut bench);
    for _ in 0..4 {
        press(&mut bench, Key::Comma);
    }
    let differ = pixels_changed(&mut bench, |bench| {
        bench.get_by_label("Onion skins").click_accesskit();
    });
    assert!(differ > 200, "{differ}");
}

#[test]
fn each_metric_stands_beside_the_others_and_tells_its_arithmetic() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    generate(&mut bench);
    press(&mut bench, Key::Num2);
    bench.get_by_label("Results").click();
    bench.run_steps(3);
    bench.get_by_label("Compare panes").click();
    for _ in 0..200 {
        bench.run_steps(2);
        if bench
            .query_by_label_contains("Agents that overlap in A")
            .is_some()
        {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // it may lie below the edge of the panel
    bench
        .get_by_label_contains("Agents that overlap in A")
        .click_accesskit();
    bench.run_steps(3);
    assert!(
        bench
            .query_all_by_label_contains("overlap another after the present")
            .count()
            > 0
    );
}

#[test]
fn a_knob_acts_at_once_with_the_same_noise_and_is_one_undo() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    generate(&mut bench);
    let before = hash(&bench);
    let of = |app: &App| {
        let scene = app.editor().committed().unwrap();
        scene.generated.as_ref().unwrap().recipe.clone()
    };
    let first = of(bench.state());
    bench.get_by_label("Smooth").click();
    bench.run_steps(2);
    until(&mut bench, "smoother result", |app| {
        of(app).guidance.comfort.weight > 0.0
    });
    let second = of(bench.state());
    assert_eq!((first.seed, first.agents), (second.seed, second.agents));
    assert_eq!(entries(&bench), 3);
    undo(&mut bench);
    assert_eq!(hash(&bench), before);
}

#[test]
fn panes_and_their_sources_are_as_they_were_at_the_next_start() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    press(&mut bench, Key::Num2);
    choose(&mut bench, 1, "Log");
    press(&mut bench, Key::C);
    drop(bench);
    let bench = opened_with_model(folder.path());
    assert!(bench.state().compared().0);
    let log = bench.state().shown()[0].clone().unwrap();
    assert!(log.goals.is_empty() && log.generated.is_none());
}
