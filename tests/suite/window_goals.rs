//! Goals on the canvas: the dial, the lock, the sketch tool, and what is said when a goal cannot be met.

use egui::Key;
use egui::Modifiers;
use egui::Pos2;
use egui::vec2;
use egui_kittest::kittest::Queryable as _;

use super::stage::Bench;
use super::stage::canvas;
use super::stage::click;
use super::stage::clipboard;
use super::stage::drag;
use super::stage::drag_along;
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
use nearmiss::geometry::dvec2;
use nearmiss::scene::Goal;
use nearmiss::scene::Role;
use nearmiss::scene::Scene;
use nearmiss::scene::read_scene;
use nearmiss::scene::scene_from_json;
use nearmiss::sim::BUNDLED;

/// The first bundled scene.
fn left_turn() -> Scene {
    scene_from_json(BUNDLED[0].1.as_bytes(), "bundled").unwrap()
}

/// Sets a goal of the ego, `ahead` metres along its heading and `left` beside it.
fn with_goal(mut scene: Scene, ahead: f64, left: f64) -> Scene {
    let ego = scene.ego().unwrap();
    let state = ego.track.get(scene.now).unwrap();
    let point = state.pose().outer_from_local(dvec2(ahead, left));
    let goal = Goal {
        agent: ego.id.clone(),
        point: [point.x, point.y],
        time_s: scene.now_s() + 8.0,
        heading: None,
        speed: None,
        tolerance_m: 1.0,
        hard: true,
        extra: nearmiss::map::Extra::new(),
    };
    scene.goals.push(goal);
    scene.quantised()
}

fn goal(bench: &Bench) -> Goal {
    bench.state().editor().committed().unwrap().goals[0].clone()
}

fn flag(bench: &Bench) -> Pos2 {
    let [x, y] = goal(bench).point;
    bench.state().place(dvec2(x, y), canvas(bench))
}

#[test]
fn the_dial_sets_the_time_and_the_lock_turns_a_goal_soft() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let scene = with_goal(left_turn(), 15.0, 0.0);
    let mut bench = opened_on(folder.path(), &scene, false);
    let centre = flag(&bench);
    // ring of 14 points, the dial 30 beyond: the lock at the top, half of 8 s at the bottom
    click(&mut bench, centre - vec2(0.0, 44.0));
    assert!(!goal(&bench).hard);
    let before = entries(&bench);
    let eight = centre + 44.0 * egui::Vec2::angled(-std::f32::consts::FRAC_PI_2 - 0.5);
    drag(&mut bench, eight, centre + vec2(0.0, 60.0));
    assert_eq!(goal(&bench).time_s, scene.now_s() + 4.0);
    assert_eq!(entries(&bench), before + 1);
    undo(&mut bench);
    assert_eq!(goal(&bench).time_s, scene.now_s() + 8.0);
}

#[test]
fn the_copied_line_reads_what_a_saved_result_was_made_of() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut scene = with_goal(left_turn(), 15.0, 0.0);
    (scene.goals[0].hard, scene.goals[0].heading) = (false, Some(1.5));
    let scene = scene.quantised();
    let mut bench = opened_on(folder.path(), &scene, true);
    generate(&mut bench);
    bench.key_press_modifiers(Modifiers::COMMAND, Key::S);
    until(&mut bench, "notice", |app| {
        let texts = app.notice_texts();
        texts.iter().any(|text| text.starts_with("Written"))
    });
    bench.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::C);
    let line = clipboard(&mut bench);
    assert!(line.contains(" --task goal "), "{line}");
    assert!(!line.contains("--goal"), "{line}");
    let read = line.split_whitespace().nth(2).unwrap();
    let read = read_scene(std::path::Path::new(read)).unwrap();
    assert_eq!(read.goals, scene.goals);
    assert!(read.generated.is_none());
}

#[test]
fn a_drawn_way_becomes_a_goal_with_waypoints_and_is_one_undo() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened_with_model(folder.path());
    let before = hash(&bench);
    press(&mut bench, Key::P);
    let from = place_of(&bench, "car-0");
    drag_along(
        &mut bench,
        &[from, from + vec2(60.0, 4.0), from + vec2(120.0, 20.0)],
    );
    until(&mut bench, "result", |app| {
        app.editor()
            .committed()
            .is_some_and(|scene| scene.generated.is_some())
    });
    let scene = bench.state().editor().committed().unwrap().clone();
    assert_eq!(entries(&bench), 2);
    assert_eq!(scene.goals.len(), 1);
    assert!(!scene.pins.is_empty());
    // the canvas has made room for the denoise timeline since: measured from the agent
    let end = bench
        .state()
        .place(scene.goals[0].point.into(), canvas(&bench));
    let drawn = end - place_of(&bench, "car-0");
    assert!((drawn - vec2(120.0, 20.0)).length() < 4.0, "{drawn:?}");
    undo(&mut bench);
    assert_eq!(hash(&bench), before);
}

#[test]
fn a_goal_out_of_reach_says_why_in_the_inspector() {
    if !may_draw() {
        return;
    }
    for (ahead, left, reason) in [
        (15.0, 60.0, "Off the drivable area"),
        (-12.0, 0.0, "Behind the agent"),
        (2000.0, 0.0, "Too far"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let scene = with_goal(left_turn(), ahead, left);
        let mut bench = opened_on(folder.path(), &scene, false);
        bench.get_by_label("Selection").click();
        bench.run_steps(3);
        assert!(
            bench.query_all_by_label_contains(reason).count() > 0,
            "{reason}"
        );
    }
}

#[test]
fn without_an_ego_the_goal_tool_offers_to_choose_one() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut scene = left_turn();
    for agent in &mut scene.agents {
        std::sync::Arc::make_mut(agent).role = Role::Other;
    }
    let mut bench = opened_on(folder.path(), &scene, false);
    press(&mut bench, Key::G);
    let empty = canvas(&bench).center_bottom() - vec2(0.0, 30.0);
    click(&mut bench, empty);
    bench.get_by_label("Choose an ego").click();
    bench.run_steps(3);
    let scene = bench.state().editor().committed().unwrap();
    assert!(scene.ego().is_some());
}

#[test]
fn an_empty_scene_is_told_to_add_an_agent() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut scene = left_turn();
    scene.agents.clear();
    let mut bench = opened_on(folder.path(), &scene, true);
    press(&mut bench, Key::R);
    until(&mut bench, "notice", |app| !app.notice_texts().is_empty());
    bench.run_steps(2);
    let said = bench.state().notice_texts().join(" ");
    assert!(said.contains("no agent in this scene"), "{said}");
    assert!(!said.contains("present"), "{said}");
    assert!(bench.query_all_by_label("Add agent").count() > 0);
}

#[test]
fn the_present_has_a_key_of_its_own_beside_the_sketch() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    press(&mut bench, Key::ArrowRight);
    press(&mut bench, Key::J);
    let editor = bench.state().editor();
    assert_eq!(editor.time_s, editor.committed().unwrap().now_s());
}
