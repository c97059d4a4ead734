//! The planner's panel as a user meets it: planning along, the reasons, a drive.

use std::sync::Arc;

use egui_kittest::kittest::NodeT as _;
use egui_kittest::kittest::Queryable as _;
use nearmiss::sim::BUNDLED;
use nearmiss::ui::App;
use nearmiss::ui::Start;

use crate::stage::{
    Bench, choose, entries, may_draw, opened, opened_with_planner, pixels_changed, press, until,
};

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
fn the_panel_says_why_the_weights_cannot_be_used_and_the_plain_planners_answer() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let settings = r#"{"welcomed": true, "planning": false}"#;
    std::fs::write(folder.path().join("window.json"), settings).unwrap();
    let start = Start {
        bundled: &BUNDLED,
        folder: Some(folder.path().to_owned()),
        load_planner: Some(Arc::new(|| Err("they are cut off".to_owned()))),
        ..Start::default()
    };
    let mut bench = Bench::builder()
        .with_size(egui::vec2(1280.0, 800.0))
        .wgpu()
        .build_eframe(|creation| App::new(creation, start));
    until(&mut bench, "scene", |app| app.editor().document().is_some());
    bench.run_steps(3);
    press(&mut bench, egui::Key::J);
    until(&mut bench, "notice", |app| {
        let texts = app.notice_texts();
        texts.iter().any(|text| text.contains("cannot be used"))
    });
    planning(&mut bench);
    bench.get_by_label_contains("answer: they are cut off.");
}

#[test]
fn the_route_is_drawn_and_can_be_withheld() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_planner(folder.path());
    planning(&mut bench);
    until(&mut bench, "route", |app| app.plan_route() > 0);
    bench.get_by_label("along the ego's way").click();
    until(&mut bench, "plan without a route", |app| {
        app.plan_modes() > 0 && app.plan_route() == 0
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
    let entries = |app: &App| {
        let document = app.editor().document().unwrap();
        document.history.entries().0.len()
    };
    let before = entries(bench.state());
    bench.get_by_label("Drive from the present").click();
    until(&mut bench, "drive", |app| entries(app) == before + 1);
}

#[test]
fn several_planners_drive_the_scene_and_a_click_on_what_came_of_it_shows_the_drive() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    let before = entries(&bench);
    let both = egui::Modifiers::COMMAND | egui::Modifiers::SHIFT;
    bench.key_press_modifiers(both, egui::Key::D);
    bench.run_steps(3);
    bench.get_by_label("Constant velocity").click();
    bench.run_steps(3);
    // without weights only the plain planners are there
    bench.get_by_label("Drive 2 times").click();
    for planner in ["IDM", "Constant velocity"] {
        let words = ["clear", "hit", "fault", "off road"];
        let texts = words.map(|word| format!("{planner}: {word}"));
        appears(&mut bench, &texts.each_ref().map(String::as_str));
    }
    assert_eq!(entries(&bench), before);
    bench
        .get_by_label_contains("Constant velocity: ")
        .click_accesskit();
    bench.run_steps(3);
    assert_eq!(entries(&bench), before + 1);
    bench.get_by_label("The drive");
    press(&mut bench, egui::Key::K);
    bench.get_by_label("Tray").click();
    bench.run_steps(3);
    bench.get_by_label_contains("Try planners").click();
    bench.run_steps(3);
    bench.get_by_label("Tray (1)");
}

/// Steps until something with a label that contains one of `texts` is there; that label.
fn appears(bench: &mut Bench, texts: &[&str]) -> String {
    for _ in 0..400 {
        bench.run_steps(2);
        for text in texts {
            if let Some(found) = bench.query_all_by_label_contains(text).next() {
                return found.accesskit_node().label().unwrap_or_default();
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("none of {texts:?}");
}

#[test]
fn a_pane_has_a_planner_of_its_own_and_its_score_stands_beside_the_panels() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    planning(&mut bench);
    press(&mut bench, egui::Key::Num2);
    choose(&mut bench, 2, "Constant velocity");
    let scored = ["Constant velocity 0.", "Constant velocity 1."];
    let chip = appears(&mut bench, &scored);
    assert!(chip.ends_with("in pane 2"), "{chip}");
    choose(&mut bench, 1, "Planner as in the panel");
    bench.get_by_label("Results").click();
    bench.run_steps(3);
    bench.get_by_label("Compare panes").click();
    appears(&mut bench, &["Score of the ego's planner in B: "]);
    assert!(
        bench
            .query_all_by_label_contains("Score of the ego's planner in A")
            .count()
            > 0
    );
    choose(&mut bench, 2, "No planner");
    assert_eq!(bench.query_all_by_label_contains(&chip).count(), 0);
    // without weights a network's planner says so
    choose(&mut bench, 2, "Regression");
    appears(&mut bench, &["Regression: no plan"]);
}

#[test]
fn a_click_on_the_score_leads_to_the_terms_and_to_the_moment_that_decides() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    planning(&mut bench);
    bench.get_by_label("Results").click();
    bench.run_steps(3);
    assert_eq!(bench.query_all_by_label("Decoder").count(), 0);
    let chip = appears(&mut bench, &["Planner score "]);
    bench.get_by_label(&chip).click();
    bench.run_steps(3);
    assert!(bench.query_all_by_label("Decoder").count() > 0);
}

#[test]
fn the_tokens_of_a_mode_can_be_marked_and_the_generator_can_be_the_world_of_a_drive() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_planner(folder.path());
    planning(&mut bench);
    appears(&mut bench, &["Mark the tokens of the mode"]);
    let differ = pixels_changed(&mut bench, |bench| {
        bench
            .get_by_label("Mark the tokens of the mode")
            .click_accesskit();
    });
    assert!(differ > 50, "{differ}");
    let before = entries(&bench);
    bench.get_by_label_contains("Generator").click_accesskit();
    bench.run_steps(3);
    bench
        .get_by_label("Drive from the present")
        .click_accesskit();
    until(&mut bench, "drive", |app| {
        let document = app.editor().document().unwrap();
        document.history.entries().0.len() > before
    });
}

#[test]
fn a_planner_of_ones_own_answers_in_the_window_and_is_kept_for_the_next_start() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    planning(&mut bench);
    let list = egui::accesskit::Role::ComboBox;
    bench.get_by_role_and_label(list, "Decoder").click();
    bench.run_steps(3);
    bench.get_by_label("Own planner").click();
    appears(&mut bench, &["Type the command that starts your planner"]);
    let enter = |bench: &mut Bench, command: &str| {
        let field = bench.get_by_label("Command");
        field.focus();
        bench.run_steps(2);
        bench.get_by_label("Command").type_text(command);
        bench.run_steps(2);
        bench.key_press(egui::Key::Enter);
        bench.run_steps(2);
    };
    enter(&mut bench, "nobody-has-this");
    appears(&mut bench, &["nobody-has-this: there is no such command"]);
    bench.get_by_label("Command").focus();
    bench.run_steps(2);
    bench.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    bench.run_steps(2);
    let served = format!("'{}' serve --decoder idm", env!("CARGO_BIN_EXE_nearmiss"));
    enter(&mut bench, &served);
    until(&mut bench, "plan", |app| app.plan_modes() == 1);
    until(&mut bench, "settings to be stored", |_| {
        let kept = std::fs::read_to_string(folder.path().join("window.json"));
        kept.is_ok_and(|text| text.contains("serve --decoder idm"))
    });
}

/// A file that is let go over the window.
#[derive(Debug)]
struct Dropped(std::path::PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &std::path::Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

#[test]
fn futures_that_are_dropped_on_the_window_are_its_plan() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    let path = folder.path().join("futures.csv");
    let start = {
        let scene = bench.state().editor().committed().unwrap();
        let ego = scene.ego().unwrap();
        ego.track.get(scene.now).unwrap().position
    };
    let mut rows = "mode,t,x,y\n".to_owned();
    for (mode, speed) in [("slow", 3.0), ("fast", 6.0)] {
        for step in 1..=8 {
            let t = 0.5 * f64::from(step);
            rows += &format!("{mode},{t},{},{}\n", start.x + speed * t, start.y);
        }
    }
    std::fs::write(&path, rows).unwrap();
    let file: egui::DroppedFileHandle = Arc::new(Dropped(path));
    bench.input_mut().dropped_files.push(file);
    until(&mut bench, "plan", |app| app.plan_modes() >= 2);
    bench.run_steps(2);
    assert!(
        bench
            .query_by_label_contains("Mode 2, probability 0.50")
            .is_some()
    );
}

#[test]
fn the_score_of_a_pane_lies_within_it_however_long_its_planners_name() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    planning(&mut bench);
    press(&mut bench, egui::Key::Num2);
    for (pane, canvas) in [(1, "canvas"), (2, "canvas 2")] {
        choose(&mut bench, pane, "Generated");
        choose(&mut bench, pane, "Autoregressive + diffusion");
        let chip = appears(&mut bench, &["Autoregressive + diffusion"]);
        assert!(chip.ends_with(&format!("in pane {pane}")), "{chip}");
        let place = bench.get_by_label(&chip).rect();
        assert!(bench.get_by_label(canvas).rect().contains_rect(place));
        choose(&mut bench, pane, "No planner");
    }
}
