//! The planner's panel as a user meets it: planning along, the reasons, a drive.

use egui_kittest::kittest::Queryable as _;

use crate::stage::{Bench, may_draw, opened, until};

fn planning(bench: &mut Bench) {
    bench.get_by_label("Planner").click();
    bench.run_steps(3);
    bench.get_by_label("Plan along with what is shown").click();
    until(bench, "plan", |app| app.plan_modes() > 0);
    bench.run_steps(2);
}

#[test]
fn planning_along_shows_modes_with_their_scores_and_follows_the_cursor() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    planning(&mut bench);
    assert!(
        bench
            .query_by_label_contains("Mode 1, probability")
            .is_some()
    );
    // in the table and in the reasons
    assert!(
        bench
            .query_all_by_label_contains("No at-fault collision:")
            .count()
            > 0
    );
    let before = bench.state().plan_time_s().unwrap();
    bench.key_press(egui::Key::End);
    until(&mut bench, "later plan", |app| {
        app.plan_time_s()
            .is_some_and(|time_s| time_s > before + 1.0)
    });
}

#[test]
fn a_drive_is_a_step_of_the_history() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    bench.get_by_label("Planner").click();
    bench.run_steps(3);
    let entries = |app: &nearmiss::ui::App| {
        let document = app.editor().document().unwrap();
        document.history.entries().0.len()
    };
    let before = entries(bench.state());
    bench.get_by_label("Drive from the present").click();
    until(&mut bench, "drive", |app| entries(app) == before + 1);
}
