//! The very first start, and that later starts are not like it.

use egui::Key;
use egui_kittest::kittest::Queryable as _;

use super::stage::first_window;
use super::stage::may_draw;
use super::stage::opened;
use super::stage::press;
use super::stage::until;

#[test]
fn the_first_start_shows_the_log_and_a_result_beside_it_in_motion() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = first_window(folder.path(), None, true);
    until(&mut bench, "result", |app| {
        let shown = app.shown();
        shown.len() == 2
            && shown[1]
                .as_ref()
                .is_some_and(|scene| scene.generated.is_some())
    });
    bench.run_steps(3);
    let app = bench.state();
    assert!(app.editor().playing && app.editor().looping);
    let log = app.shown()[0].clone().unwrap();
    assert!(log.generated.is_none() && log.goals.is_empty());
    let document = app.editor().document().unwrap();
    assert!(!document.modified() && !document.history.can_undo());
    assert_eq!(app.editor().committed().unwrap().goals.len(), 1);
    for callout in [
        "Drag this goal.",
        "See it being made",
        "Make it a corner case",
    ] {
        assert!(bench.query_all_by_label(callout).count() > 0, "{callout}");
    }
}

#[test]
fn callouts_cover_neither_each_other_nor_the_flag_in_a_small_window() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = first_window(folder.path(), None, true);
    until(&mut bench, "result", |app| {
        let scene = app.editor().committed();
        scene.is_some_and(|scene| scene.generated.is_some())
    });
    for size in [[1280.0, 720.0], [1280.0, 800.0], [1170.0, 700.0]] {
        bench.set_size(size.into());
        bench.run_steps(6);
        let cards = [
            ("Drag this goal.", "The model answers"),
            ("See it being made", "Each press shows"),
            ("Make it a corner case", "Click an attack"),
        ];
        let cards = cards.map(|(title, text)| {
            let head = bench.get_by_label(&format!("Dismiss: {title}")).rect();
            head.union(bench.get_by_label_contains(text).rect())
        });
        for (at, card) in cards.iter().enumerate() {
            let others = &cards[..at];
            let covers = others.iter().any(|other| other.intersects(*card));
            assert!(!covers, "{size:?}: {cards:?}");
        }
    }
}

#[test]
fn callouts_go_when_dismissed_or_tried_and_help_brings_them_back() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = first_window(folder.path(), None, true);
    until(&mut bench, "result", |app| {
        app.editor()
            .committed()
            .is_some_and(|scene| scene.generated.is_some())
    });
    bench.run_steps(3);
    bench.get_by_label("Dismiss: Drag this goal.").click();
    bench.run_steps(3);
    assert!(bench.query_by_label("Drag this goal.").is_none());
    press(&mut bench, Key::Period); // a denoising step
    assert!(bench.query_by_label("See it being made").is_none());
    press(&mut bench, Key::Questionmark);
    bench.get_by_label("Show the first steps").click();
    bench.run_steps(4);
    assert!(bench.query_all_by_label("Drag this goal.").count() > 0);
}

#[test]
fn a_later_start_has_no_callouts() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bench = opened(folder.path(), false);
    assert!(bench.query_by_label("Drag this goal.").is_none());
    assert_eq!(bench.state().shown().len(), 1);
}
