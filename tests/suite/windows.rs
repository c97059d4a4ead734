//! Scenes to tokens and back, over the bundled scenes.

use std::fs;
use std::path::Path;

use nearmiss::codec::{Options, Scale, T, Window, decode};
use nearmiss::geometry::angle_between;
use nearmiss::scene::{Scene, State, scene_from_json};

fn bundled() -> Vec<(String, Scene)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes");
    let mut scenes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let (bytes, name) = (fs::read(&path).unwrap(), path.display().to_string());
            scenes.push((name.clone(), scene_from_json(&bytes, &name).unwrap()));
        }
    }
    assert!(!scenes.is_empty());
    scenes
}

fn assert_near(a: &State, b: &State, what: &str) {
    let gap = a.position.distance(b.position);
    let turn = angle_between(a.heading, b.heading).abs();
    assert!(gap < 1e-3 && turn < 1e-4, "{what}: {gap} m, {turn} rad");
}

#[test]
fn every_known_token_of_the_bundled_scenes_survives_the_way_there_and_back() {
    for (name, scene) in bundled() {
        let options = Options {
            whole_future: false,
            ..Options::default()
        };
        let window = Window::new(&scene, &options);
        assert!(window.agents() > 0, "{name}");
        let scale = Scale([[0.7; 6]; T]);
        let states = window.states(&window.normalised(&scale), &scale);
        let written = decode(&scene, &window, &states);
        let again = Window::new(&written, &options);
        assert_eq!(window.known, again.known, "{name}");
        for (at, token) in window.tokens.iter().enumerate() {
            if window.known[at] {
                assert_near(token, &states[at], &name);
                assert_near(token, &again.tokens[at], &name);
            }
        }
    }
}
