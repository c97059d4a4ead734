//! The window for flow tests: opened without a display on bundled scenes, with a stand-in for the network, driven by
//! pointer and keys.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use egui::Key;
use egui::Modifiers;
use egui::Pos2;
use egui::Rect;
use egui::vec2;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use nearmiss::engine::Loaded;
use nearmiss::model::Network;
use nearmiss::model::Planner;
use nearmiss::scene::AgentId;
use nearmiss::scene::Scene;
use nearmiss::sim::BUNDLED;
use nearmiss::ui::App;
use nearmiss::ui::Start;

/// The analytic prior alone: quick, and good enough for the window.
pub(crate) fn load() -> Result<Loaded, String> {
    let network = Network::load_default(1).map_err(|error| error.to_string())?;
    Ok(Loaded {
        network: Box::new(network.prior_only()),
        warning: None,
    })
}

/// Whether flow tests may draw.
pub(crate) fn may_draw() -> bool {
    let may = std::env::var_os("NEARMISS_NO_PICTURES").is_none();
    if !may {
        eprintln!("skipped: NEARMISS_NO_PICTURES is set");
    }
    may
}

/// A window in a test.
pub(crate) type Bench = Harness<'static, App>;

/// A window as it is at the very first start: nothing is remembered in `folder`. Only the plain planners are there.
pub(crate) fn first_window(folder: &Path, scene: Option<&Path>, with_model: bool) -> Bench {
    built(Start {
        scene: scene.map(Path::to_owned),
        bundled: &BUNDLED,
        folder: Some(folder.to_owned()),
        load: with_model.then(|| Box::new(load) as nearmiss::ui::Load),
        load_planner: Some(Arc::new(|| Ok(None))),
        ..Start::default()
    })
}

/// A window that was started before, with the planner's network, and the prior as the world of drives.
pub(crate) fn opened_with_planner(folder: &Path) -> Bench {
    remember(folder);
    let mut bench = built(Start {
        bundled: &BUNDLED,
        folder: Some(folder.to_owned()),
        load_planner: Some(Arc::new(|| match Planner::load_default() {
            Ok(network) => Ok(Some(Box::new(network) as _)),
            Err(error) => Err(error.to_string()),
        })),
        load_world: Some(Arc::new(load)),
        ..Start::default()
    });
    until(&mut bench, "scene", |app| app.editor().document().is_some());
    bench.run_steps(3);
    press(&mut bench, Key::J);
    bench
}

fn built(start: Start) -> Bench {
    Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_step_dt(0.05)
        .wgpu()
        .build_eframe(|creation| App::new(creation, start))
}

/// A window that was started before: one pane, no callouts.
pub(crate) fn window(folder: &Path, scene: Option<&Path>, with_model: bool) -> Bench {
    remember(folder);
    first_window(folder, scene, with_model)
}

/// Settings of an earlier start, unless there are some.
fn remember(folder: &Path) {
    let remembered = folder.join("window.json");
    if !remembered.exists() {
        fs::create_dir_all(folder).unwrap();
        fs::write(remembered, "{\"welcomed\": true, \"planning\": false}").unwrap();
    }
}

/// Steps until `met`, at most half a minute.
pub(crate) fn until(bench: &mut Bench, what: &str, met: impl Fn(&App) -> bool) {
    let began = Instant::now();
    while !met(bench.state()) {
        assert!(began.elapsed() < Duration::from_secs(30), "no {what}");
        std::thread::sleep(Duration::from_millis(10));
        bench.step();
    }
}

/// A window on the first bundled scene, paused at the present.
pub(crate) fn opened(folder: &Path, with_model: bool) -> Bench {
    let mut bench = window(folder, None, with_model);
    until(&mut bench, "scene", |app| app.editor().document().is_some());
    bench.run_steps(3);
    press(&mut bench, Key::J);
    bench
}

/// The same with its network loaded.
pub(crate) fn opened_with_model(folder: &Path) -> Bench {
    let mut bench = opened(folder, true);
    until(&mut bench, "model", App::model_ready);
    bench
}

/// A window on a scene of the test's own, paused at the present.
pub(crate) fn opened_on(folder: &Path, scene: &Scene, with_model: bool) -> Bench {
    let file = folder.join("scene.json");
    nearmiss::scene::write_scene(scene, &file).unwrap();
    let mut bench = window(&folder.join("settings"), Some(&file), with_model);
    until(&mut bench, "scene", |app| app.editor().document().is_some());
    if with_model {
        until(&mut bench, "model", App::model_ready);
    }
    bench.run_steps(3);
    press(&mut bench, Key::J);
    bench
}

/// Chooses something of a pane's menu: its source, or its planner.
pub(crate) fn choose(bench: &mut Bench, pane: usize, entry: &str) {
    bench
        .get_by_label(&format!("Source of pane {pane}"))
        .click();
    bench.run_steps(3);
    bench
        .get_by_label(&format!("{entry} in pane {pane}"))
        .click();
    bench.run_steps(3);
}

/// Presses a key and lets it take effect.
pub(crate) fn press(bench: &mut Bench, key: Key) {
    bench.key_press(key);
    bench.run_steps(3);
}

/// Steps until a text is put on the clipboard; that text.
pub(crate) fn clipboard(bench: &mut Bench) -> String {
    for _ in 0..400 {
        bench.step();
        let commands = &bench.output().platform_output.commands;
        let text = commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        });
        if let Some(text) = text {
            return text;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nothing on the clipboard");
}

/// Takes the last step back.
pub(crate) fn undo(bench: &mut Bench) {
    bench.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    bench.run_steps(3);
}

/// Generates and waits for the result.
pub(crate) fn generate(bench: &mut Bench) {
    let before = entries(bench);
    press(bench, Key::R);
    until(bench, "result", move |app| depth(app) == before + 1);
    bench.run_steps(2);
}

/// Entries of the history up to the present one.
pub(crate) fn entries(bench: &Bench) -> usize {
    depth(bench.state())
}

fn depth(app: &App) -> usize {
    let history = &app.editor().document().unwrap().history;
    let (_, present) = history.entries();
    let line = history.line();
    line.iter().position(|at| *at == present).unwrap() + 1
}

/// Digest of the scene as edited.
pub(crate) fn hash(bench: &Bench) -> String {
    bench.state().editor().committed().unwrap().hash()
}

/// Where the first pane lies.
pub(crate) fn canvas(bench: &Bench) -> Rect {
    bench.get_by_label("canvas").rect()
}

/// Where an agent is drawn at the present in the first pane.
pub(crate) fn place_of(bench: &Bench, agent: &str) -> Pos2 {
    let app = bench.state();
    let scene = app.editor().scene().unwrap();
    let agent = scene.agent(&AgentId::new(agent)).unwrap();
    let state = agent.track.get(scene.now).unwrap();
    app.place(state.position, canvas(bench))
}

/// Clicks a place.
pub(crate) fn click(bench: &mut Bench, at: Pos2) {
    bench.hover_at(at);
    bench.step();
    bench.drag_at(at);
    bench.step();
    bench.event(egui::Event::PointerButton {
        pos: at,
        button: egui::PointerButton::Primary,
        pressed: false,
        modifiers: Modifiers::NONE,
    });
    bench.run_steps(3);
}

/// Drags along places, in small moves.
pub(crate) fn drag_along(bench: &mut Bench, places: &[Pos2]) {
    let Some(first) = places.first() else { return };
    bench.hover_at(*first);
    bench.step();
    bench.drag_at(*first);
    bench.step();
    for pair in places.windows(2) {
        for part in 1..=6 {
            bench.hover_at(pair[0].lerp(pair[1], part as f32 / 6.0));
            bench.step();
        }
    }
    bench.drop_at(*places.last().unwrap_or(first));
    bench.run_steps(3);
}

/// Drags from one place to another.
pub(crate) fn drag(bench: &mut Bench, from: Pos2, to: Pos2) {
    drag_along(bench, &[from, to]);
}

/// Draws before and after `change` and counts the pixels of the first pane that differ; the pointer is out of the way.
pub(crate) fn pixels_changed(bench: &mut Bench, change: impl FnOnce(&mut Bench)) -> usize {
    bench.remove_cursor();
    bench.run_steps(3);
    let before = bench.render().unwrap();
    change(bench);
    bench.run_steps(3);
    let after = bench.render().unwrap();
    let place = canvas(bench);
    (place.left() as u32..place.right() as u32)
        .flat_map(|x| (place.top() as u32..place.bottom() as u32).map(move |y| (x, y)))
        .filter(|&(x, y)| before.get_pixel(x, y) != after.get_pixel(x, y))
        .count()
}
