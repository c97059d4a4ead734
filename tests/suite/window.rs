//! The window as a user meets it: open, play, select, drag, undo, generate, and what is said when a file is broken.
//! Without a display; the pictures are drawn by whatever graphics driver there is.

use std::fs;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use egui::Event;
use egui::Key;
use egui::Modifiers;
use egui::Pos2;
use egui::vec2;
use egui_kittest::kittest::NodeT as _;
use egui_kittest::kittest::Queryable as _;

use super::stage::Bench;
use super::stage::choose;
use super::stage::drag;
use super::stage::entries;
use super::stage::generate;
use super::stage::hash;
use super::stage::may_draw;
use super::stage::opened;
use super::stage::opened_on;
use super::stage::opened_with_model;
use super::stage::place_of;
use super::stage::press;
use super::stage::undo;
use super::stage::until;
use super::stage::window;
use nearmiss::scene::AgentId;
use nearmiss::scene::SignalState;
use nearmiss::sim::BUNDLED;

#[test]
fn the_bundled_scene_opens_alive_and_space_stops_it() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = window(folder.path(), None, false);
    until(&mut bench, "scene", |app| app.editor().document().is_some());
    let before = bench.state().editor().time_s;
    bench.run_steps(5);
    assert!(bench.state().editor().time_s > before);
    bench.key_press(Key::Space);
    bench.run_steps(2);
    let stopped = bench.state().editor().time_s;
    bench.run_steps(5);
    assert_eq!(bench.state().editor().time_s, stopped);
    let picture = bench.render().unwrap();
    // something is drawn: many colours, not one
    let colors: std::collections::BTreeSet<_> = picture.pixels().map(|pixel| pixel.0).collect();
    assert!(colors.len() > 100, "{} colours", colors.len());
}

#[test]
fn an_agent_is_selected_in_the_list_and_stepped_through_in_time() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    bench.get_by_label("Agents").click();
    bench.run_steps(3);
    bench.get_by_label("agent car-1").click();
    bench.run_steps(3);
    assert_eq!(bench.state().editor().selection, [AgentId::new("car-1")]);
    let before = bench.state().editor().time_s;
    bench.key_press(Key::ArrowRight);
    bench.run_steps(2);
    let after = bench.state().editor().time_s;
    assert!((after - before - 0.1).abs() < 1e-9, "{before} {after}"); // one frame at 10 Hz
}

#[test]
fn arrows_move_the_time_slider_that_has_focus() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    bench.get_by_label("Time").focus();
    bench.run_steps(2);
    let before = bench.state().editor().time_s;
    for _ in 0..3 {
        press(&mut bench, Key::ArrowRight);
    }
    press(&mut bench, Key::ArrowLeft);
    let after = bench.state().editor().time_s;
    assert!((after - before - 0.2).abs() < 1e-9, "{before} {after}"); // two frames at 10 Hz
    assert!(bench.get_by_label("Time").is_focused());
}

#[test]
fn a_dragged_agent_moves_in_one_step_and_undo_restores_the_identical_scene() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    let before = hash(&bench);
    let from = place_of(&bench, "car-0");
    drag(&mut bench, from, from + vec2(40.0, 0.0));
    assert_ne!(hash(&bench), before);
    let moved = place_of(&bench, "car-0");
    assert!((moved.x - from.x - 40.0).abs() < 2.0, "{from:?} {moved:?}");
    assert_eq!(entries(&bench), 2);
    undo(&mut bench);
    assert_eq!(hash(&bench), before);
}

/// Presses the button at a place and moves to another, without letting go.
fn hold(bench: &mut Bench, from: Pos2, to: Pos2) {
    bench.hover_at(from);
    bench.step();
    bench.drag_at(from);
    bench.step();
    bench.hover_at(to);
    bench.run_steps(2);
}

#[test]
fn escape_drops_a_drag() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    let before = hash(&bench);
    let from = place_of(&bench, "car-0");
    hold(&mut bench, from, from + vec2(30.0, 10.0));
    assert!(bench.state().editor().previewing());
    bench.key_press(Key::Escape);
    bench.run_steps(2);
    bench.drop_at(from + vec2(30.0, 10.0));
    bench.run_steps(2);
    assert!(!bench.state().editor().previewing());
    assert_eq!(hash(&bench), before);
}

#[test]
fn a_drag_released_while_the_scene_before_flashes_counts() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    let before = hash(&bench);
    let from = place_of(&bench, "car-0");
    hold(&mut bench, from, from + vec2(40.0, 0.0));
    bench.key_down(Key::B);
    bench.run_steps(2);
    bench.drop_at(from + vec2(40.0, 0.0));
    bench.run_steps(2);
    bench.key_up(Key::B);
    bench.run_steps(2);
    assert!(!bench.state().editor().previewing());
    assert_ne!(hash(&bench), before);
    assert_eq!(entries(&bench), 2);
}

#[test]
fn a_drag_whose_pane_goes_is_dropped() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    let before = hash(&bench);
    press(&mut bench, Key::Num2);
    choose(&mut bench, 1, "Log");
    choose(&mut bench, 2, "Scene");
    let from = {
        let (app, canvas) = (bench.state(), bench.get_by_label("canvas 2").rect());
        let scene = app.editor().scene().unwrap();
        let car = scene.agent(&AgentId::new("car-0")).unwrap();
        app.place(car.track.get(scene.now).unwrap().position, canvas)
    };
    hold(&mut bench, from, from + vec2(40.0, 0.0));
    assert!(bench.state().editor().previewing());
    press(&mut bench, Key::Num1);
    assert!(!bench.state().editor().previewing());
    bench.drop_at(from + vec2(40.0, 0.0));
    bench.run_steps(2);
    assert_eq!(hash(&bench), before);
}

#[test]
fn a_goal_set_with_the_flag_is_reached_by_a_run_and_both_are_one_undo() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    let before = hash(&bench);
    press(&mut bench, Key::G);
    let spot = place_of(&bench, "car-0") + vec2(60.0, 0.0);
    bench.hover_at(spot);
    bench.step();
    bench.drag_at(spot);
    bench.step();
    bench.drop_at(spot);
    bench.run_steps(2);
    assert_eq!(bench.state().editor().committed().unwrap().goals.len(), 1);
    until(&mut bench, "result", |app| {
        app.editor()
            .committed()
            .is_some_and(|scene| scene.generated.is_some())
    });
    undo(&mut bench);
    assert_eq!(hash(&bench), before);
}

#[test]
fn generating_twice_with_one_seed_gives_the_same_scene() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    let mut made = Vec::new();
    for step in 1..=2 {
        generate(&mut bench);
        made.push(hash(&bench));
        if step == 1 {
            undo(&mut bench);
        }
    }
    assert_eq!(made[0], made[1]);
    bench.get_by_label("Noise map");
    bench.key_press(Key::Comma);
    bench.run_steps(3);
    // full schedule, and eight steps for each redraw; one back from the result's last
    let made = bench
        .state()
        .editor()
        .committed()
        .unwrap()
        .generated
        .clone();
    let last = 32 + 8 * made.unwrap().redrawn.len();
    bench.get_by_label_contains(&format!("Step {} of {last}", last - 1));
}

#[test]
fn samples_are_drawn_until_one_is_valid_and_that_one_is_the_step_in_the_history() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let queue = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/dense-queue.json");
    let queue = nearmiss::scene::read_scene(&queue).unwrap();
    let mut bench = opened_on(folder.path(), &queue, true);
    let result = |bench: &Bench| {
        let scene = bench.state().editor().committed().unwrap();
        let made = scene.generated.clone().unwrap();
        (made.recipe.sample, made.failed().count())
    };
    generate(&mut bench);
    let (sample, first) = result(&bench);
    assert_eq!(sample, 0);
    undo(&mut bench);
    bench.get_by_label("until one is valid").click();
    bench.run_steps(2);
    generate(&mut bench);
    let (sample, best) = result(&bench);
    assert!(first > 0 && best < first, "{first} gates fail, then {best}");
    assert!(sample > 0);
}

#[test]
fn a_stopped_run_says_where_it_stopped_and_keeps_its_steps_to_look_at() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    let before = hash(&bench);
    bench.key_press(Key::R);
    let begun = Instant::now();
    while bench
        .query_all_by_label_contains("Generating, step")
        .next()
        .is_none()
    {
        assert!(begun.elapsed() < Duration::from_secs(60));
        bench.step();
    }
    bench.key_press(Key::Escape);
    bench.run_steps(3);
    bench.get_by_label_contains("Stopped at step");
    assert_eq!(hash(&bench), before);
    press(&mut bench, Key::Comma);
    // the last step that was taken, out of all that were to come
    bench
        .query_all_by_label_contains("of 32")
        .find(|node| {
            let words = node.accesskit_node().value();
            words.is_some_and(|words| words.starts_with("Step "))
        })
        .unwrap();
    // and what was made so far (all, if it was that quick) is among the samples, not on screen, once the engine has ended
    // its step
    let stopped = Instant::now();
    let kept = |bench: &Bench| {
        let mut words = ["partial, ", "stopped at its end"].into_iter();
        words.any(|words| bench.query_all_by_label_contains(words).next().is_some())
    };
    while !kept(&bench) {
        assert!(stopped.elapsed() < Duration::from_secs(60));
        bench.step();
    }
    assert!(bench.query_by_label_contains("Stopped at step").is_none());
    press(&mut bench, Key::Period);
    bench.get_by_label_contains("Stopped at step");
    assert_eq!(hash(&bench), before);
}

#[test]
fn a_broken_file_says_what_is_wrong_and_what_to_do() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.json");
    fs::write(
        &file,
        "{\"format\": \"nearmiss/scene\", \"version\": 1, \"agents\": 7}",
    )
    .unwrap();
    let mut bench = window(&folder.path().join("settings"), Some(&file), false);
    until(&mut bench, "message", |app| app.failure_text().is_some());
    bench.run_steps(2);
    let text = bench.state().failure_text().unwrap().to_owned();
    assert!(
        text.contains("broken.json") && text.contains("agents"),
        "{text}"
    );
    bench.get_by_label("Open another file");
    bench.get_by_label("Copy details");
}

#[test]
fn the_palette_runs_what_is_typed() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    bench.key_press_modifiers(Modifiers::COMMAND, Key::K);
    bench.run_steps(3);
    for letter in "set the present".chars() {
        bench.event(Event::Text(letter.to_string()));
        bench.step();
    }
    assert!(bench.query_all_by_label("Set the present here").count() > 0);
    bench.key_press(Key::Enter);
    bench.run_steps(3);
    assert_eq!(entries(&bench), 2);
    // keys are commands again at once
    bench.key_press(Key::Questionmark);
    bench.run_steps(3);
    assert!(bench.query_all_by_label("Keys and gestures").count() > 0);
}

#[test]
fn a_saved_scene_reopens_identically_and_settings_are_kept() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scene.json");
    fs::write(&file, BUNDLED[1].1).unwrap();
    let settings = folder.path().join("settings");
    let mut bench = window(&settings, Some(&file), false);
    until(&mut bench, "scene", |app| app.editor().document().is_some());
    bench.run_steps(2);
    bench.key_press(Key::Num2);
    bench.run_steps(2);
    let ego = bench.state().editor().selection[0].to_string();
    let from = place_of(&bench, &ego);
    drag(&mut bench, from, from + vec2(12.0, 0.0));
    let edited = hash(&bench);
    bench.key_press_modifiers(Modifiers::COMMAND, Key::S);
    until(&mut bench, "notice", |app| {
        app.notice_texts()
            .iter()
            .any(|text| text.starts_with("Written and checked"))
    });
    drop(bench);
    let again = nearmiss::scene::read_scene(&file).unwrap();
    assert_eq!(again.hash(), edited);
    let remembered = fs::read_to_string(settings.join("window.json")).unwrap();
    assert!(remembered.contains("\"panes\": 2"), "{remembered}");
    assert!(remembered.contains("scene.json"), "{remembered}");
}

#[test]
fn command_keys_leave_a_text_field_alone_and_save_takes_over_what_is_typed() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scene.json");
    fs::write(&file, BUNDLED[0].1).unwrap();
    let mut bench = window(&folder.path().join("settings"), Some(&file), false);
    until(&mut bench, "scene", |app| app.editor().document().is_some());
    bench.run_steps(3);
    press(&mut bench, Key::J);
    let before = bench.state().editor().committed().unwrap().clone();
    bench.get_by_label("Selection").click();
    bench.run_steps(3);
    bench.get_by_label("Length").focus();
    bench.run_steps(2);
    bench.key_press_modifiers(Modifiers::COMMAND, Key::D);
    bench.key_press_modifiers(Modifiers::COMMAND, Key::L);
    bench.run_steps(3);
    assert_eq!(hash(&bench), before.hash());
    bench.key_press_modifiers(Modifiers::COMMAND, Key::A);
    bench.run_steps(2);
    bench.event(Event::Text("6.5".to_owned()));
    bench.key_press_modifiers(Modifiers::COMMAND, Key::S);
    until(&mut bench, "notice", |app| {
        let texts = app.notice_texts();
        texts.iter().any(|text| text.starts_with("Written"))
    });
    let saved = nearmiss::scene::read_scene(&file).unwrap();
    let ego = before.ego().unwrap();
    assert_eq!(saved.agent(&ego.id).unwrap().length, 6.5);
}

#[test]
fn the_world_runs_on_until_it_is_stopped_and_undo_returns_to_before() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    let before = hash(&bench);
    press(&mut bench, Key::W);
    let start = before.clone();
    let moved = move |app: &nearmiss::ui::App| app.editor().committed().unwrap().hash() != start;
    until(&mut bench, "movement", moved);
    bench.key_press(Key::Escape);
    bench.run_steps(3);
    let stopped = hash(&bench);
    std::thread::sleep(Duration::from_millis(700)); // more than one half second of world
    bench.run_steps(3);
    assert_eq!(hash(&bench), stopped);
    undo(&mut bench);
    assert_eq!(hash(&bench), before);
}

#[test]
fn a_light_is_changed_from_the_cursor_on_and_back_again() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    let before = hash(&bench);
    press(&mut bench, Key::Escape);
    bench.get_by_label("Selection").click();
    bench.run_steps(3);
    let shown = |bench: &Bench| -> Vec<SignalState> {
        let scene = bench.state().editor().committed().unwrap();
        let now = scene.now;
        scene.signals.iter().map(|signal| signal.at(now)).collect()
    };
    let first = shown(&bench);
    let yellow = |states: &[SignalState]| {
        let yellow = |state: &&SignalState| **state == SignalState::Yellow;
        states.iter().filter(yellow).count()
    };
    // each light has a button for each colour; the first is the nearest to the ego
    bench.query_all_by_label("Yellow").next().unwrap().click();
    bench.run_steps(3);
    assert!(yellow(&shown(&bench)) > yellow(&first));
    let scene = bench.state().editor().committed().unwrap();
    let earlier = scene.now - 1;
    assert!(
        scene
            .signals
            .iter()
            .all(|signal| signal.at(earlier) != SignalState::Yellow)
    );
    undo(&mut bench);
    assert_eq!(hash(&bench), before);
}

#[test]
fn a_name_of_several_words_is_typed_in_the_tray_and_a_blank_one_changes_nothing() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    press(&mut bench, Key::K);
    bench.get_by_label_contains("Name and note of").click();
    bench.run_steps(3);
    let mut typed = |text: &str| {
        bench.get_by_label("Name of the case").focus();
        bench.run_steps(2);
        bench.key_press_modifiers(Modifiers::COMMAND, Key::A);
        bench.key_press(Key::Backspace);
        bench.run_steps(2);
        for letter in text.chars() {
            bench.event(Event::Text(letter.to_string()));
            bench.step();
        }
        bench.key_press(Key::Enter);
        bench.run_steps(3);
        let row = bench.get_by_label_contains("Name and note of");
        row.accesskit_node().label().unwrap()
    };
    assert_eq!(typed("cut in "), "Name and note of cut in");
    assert_eq!(typed(""), "Name and note of cut in");
}

#[test]
fn the_tray_is_there_again_at_the_next_start() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    press(&mut bench, Key::K);
    let kept = |folder: &Path| {
        let files = fs::read_dir(folder).unwrap().flatten();
        let ends = |path: &Path| path.extension().is_some_and(|end| end == "tray");
        files.filter(|file| ends(&file.path())).count()
    };
    let began = Instant::now();
    while kept(folder.path()) == 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "no tray");
        std::thread::sleep(Duration::from_millis(20));
        bench.step();
    }
    drop(bench);
    // the file thread of the first window ends with it, and its lock with that
    std::thread::sleep(Duration::from_millis(300));
    let mut bench = opened(folder.path(), false);
    bench.get_by_label("Tray").click();
    let began = Instant::now();
    while bench
        .query_all_by_label_contains("Name and note of")
        .next()
        .is_none()
    {
        assert!(began.elapsed() < Duration::from_secs(30), "no case");
        std::thread::sleep(Duration::from_millis(20));
        bench.step();
    }
}

#[test]
fn keys_go_to_an_open_list_alone_and_escape_closes_just_that() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    bench.get_by_label("Agents").click();
    bench.run_steps(3);
    bench.get_by_label("agent car-1").click();
    bench.run_steps(3);
    let speed = |bench: &Bench| bench.state().editor().speed;
    let before = (speed(&bench), hash(&bench));
    let list = egui::accesskit::Role::ComboBox;
    bench.get_by_role_and_label(list, "Schedule").click();
    bench.run_steps(3);
    assert!(bench.query_by_label("Pyramidal").is_some());
    press(&mut bench, Key::ArrowDown);
    press(&mut bench, Key::Delete);
    undo(&mut bench);
    assert_eq!((speed(&bench), hash(&bench)), before);
    press(&mut bench, Key::Escape);
    assert!(bench.query_by_label("Pyramidal").is_none());
    assert_eq!(bench.state().editor().selection, [AgentId::new("car-1")]);
    press(&mut bench, Key::Escape);
    assert!(bench.state().editor().selection.is_empty());
}

#[test]
fn noise_map_and_time_stay_beside_the_right_panel_in_a_small_window() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    generate(&mut bench);
    undo(&mut bench); // what is on screen is not the run's
    press(&mut bench, Key::ArrowRight); // it offers to go back to the present
    for width in [1280.0, 1170.0] {
        bench.set_size(vec2(width, 720.0));
        bench.run_steps(4);
        let map = bench.get_by_label("Noise map").rect();
        let canvas = super::stage::canvas(&bench);
        assert!(map.right() <= canvas.right(), "{map:?} {canvas:?}");
        assert!(map.width() > 180.0, "{map:?}");
        let time = bench.get_by_label("Time").rect();
        assert!(time.right() <= canvas.right(), "{time:?} {canvas:?}");
    }
}
