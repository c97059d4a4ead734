//! Training shards from the command line, held against the codec's own windows of the same scenes.

use std::fs;
use std::path::Path;

use nearmiss::codec::{NOW, Options, PIECE_POINTS, T, Window};
use nearmiss::rng::Seed;
use nearmiss::scene::{Scene, SignalState, write_scene};
use safetensors::{Dtype, SafeTensors};

use crate::commands::nearmiss;

/// Simulated scenes of 12 s with the present at 2 s, in `folder`.
fn simulated(folder: &Path, count: u64) -> Vec<Scene> {
    let scenes: Vec<Scene> = (0..count)
        .filter_map(|index| nearmiss::sim::simulate(Seed(4), index, 12.0))
        .collect();
    for (index, scene) in scenes.iter().enumerate() {
        write_scene(scene, &folder.join(format!("{index:02}.json"))).unwrap();
    }
    scenes
}

fn tensors(scenes: &Path, out: &Path, more: &[&str]) -> std::process::Output {
    let (scenes, out) = (scenes.display().to_string(), out.display().to_string());
    let mut arguments = vec!["tensors", &scenes, "--out", &out];
    arguments.extend(more);
    nearmiss(&arguments)
}

/// A tensor as f64.
fn numbers(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let view = file.tensor(name).unwrap();
    let data = view.data();
    match view.dtype() {
        Dtype::F32 => data
            .chunks_exact(4)
            .map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap())))
            .collect(),
        Dtype::F16 => data
            .chunks_exact(2)
            .map(|bytes| half::f16::from_le_bytes(bytes.try_into().unwrap()).to_f64())
            .collect(),
        Dtype::U8 => data.iter().map(|&byte| f64::from(byte)).collect(),
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn a_shard_holds_the_codecs_windows_in_the_egos_frame() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("scenes");
    fs::create_dir_all(&input).unwrap();
    let scenes = simulated(&input, 4);
    let out = folder.path().join("shards");
    // more windows than there are: every present of every ego, every second from 2 s to 4 s
    let all = [
        "--ego",
        "marked",
        "--stride",
        "1",
        "--history",
        "2",
        "--windows",
        "1000",
    ];
    let output = tensors(&input, &out, &all);
    assert!(output.status.success(), "{output:?}");
    let bytes = fs::read(out.join("scenes-0000.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let shape = file.tensor("agents").unwrap().shape().to_vec();
    let (slots, pieces) = (shape[1], file.tensor("lanes").unwrap().shape()[1]);
    assert_eq!(shape[2..], [T, 8]);
    let [agents, valid, kind] = ["agents", "valid", "type"].map(|name| numbers(&file, name));
    let lanes = numbers(&file, "lanes");
    let [lane_valid, lane_signal] = ["lane_valid", "lane_signal"].map(|name| numbers(&file, name));
    let mut index = 0;
    for scene in &scenes {
        let ego = scene.ego().unwrap();
        for present in [20, 30, 40] {
            // an ego that leaves early has fewer presents
            if ego.track.get(present + 80).is_none() {
                continue;
            }
            let mut scene = scene.clone();
            scene.now = present;
            let options = Options {
                max_agents: slots,
                whole_future: false,
                ..Options::default()
            };
            let window = Window::new(&scene, &options);
            assert_eq!(window.rows[0].id, ego.id);
            let origin = window.state(0, NOW);
            let (sin, cos) = origin.heading.sin_cos();
            let own = |x: f64, y: f64| [cos * x + sin * y, cos * y - sin * x];
            for row in 0..window.agents() {
                let slot = index * slots + row;
                assert_eq!(kind[slot], 1.0 + window.rows[row].kind_number() as f64);
                for token in 0..T {
                    let at = slot * T + token;
                    assert_eq!(valid[at] == 1.0, window.valid[row * T + token]);
                    if valid[at] == 0.0 {
                        assert!(
                            agents[at * 8..at * 8 + 8]
                                .iter()
                                .all(|&number| number == 0.0)
                        );
                        continue;
                    }
                    let state = window.state(row, token);
                    let offset = state.position - origin.position;
                    let place = own(offset.x, offset.y);
                    let ahead = own(state.heading.cos(), state.heading.sin());
                    let velocity = own(state.velocity.x, state.velocity.y);
                    let size = [window.rows[row].length, window.rows[row].width];
                    let expected = [place, ahead, velocity, size].concat();
                    for (found, expected) in agents[at * 8..at * 8 + 8].iter().zip(expected) {
                        // f32 within 200 m: 200 / 2^24 = 1.2e-5
                        assert!((found - expected).abs() < 2e-5, "{found} {expected}");
                    }
                }
            }
            let cars: Vec<_> = window
                .lanes
                .iter()
                .filter(|lane| lane.carries_vehicles)
                .collect();
            for (place, lane) in cars.iter().take(pieces).enumerate() {
                let slot = index * pieces + place;
                assert_eq!(lane_valid[slot], 1.0);
                for (point, position) in lane.points.iter().enumerate() {
                    let at = (slot * PIECE_POINTS + point) * 2;
                    let expected = own(
                        position.x - origin.position.x,
                        position.y - origin.position.y,
                    );
                    for (found, expected) in lanes[at..at + 2].iter().zip(expected) {
                        // f16 has 11 bits: within 512 m half a step is 0.125 m
                        assert!((found - expected).abs() < 0.126, "{found} {expected}");
                    }
                }
                for token in 0..T {
                    let shown = match lane.signals[token] {
                        SignalState::Red => 1.0,
                        SignalState::Yellow => 2.0,
                        SignalState::Green => 3.0,
                        _ => 0.0,
                    };
                    assert_eq!(lane_signal[slot * T + token], shown);
                }
            }
            index += 1;
        }
    }
    assert!(
        index >= 6 && index == shape[0],
        "{index} windows, {shape:?}"
    );
}

#[test]
fn the_same_scenes_and_seed_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("scenes");
    fs::create_dir_all(&input).unwrap();
    simulated(&input, 3);
    let cut = |out: &str, seed: &str| {
        let out = folder.path().join(out);
        let output = tensors(
            &input,
            &out,
            &["--windows", "12", "--attack-share", "0.5", "--seed", seed],
        );
        assert!(output.status.success(), "{output:?}");
        fs::read(out.join("scenes-0000.safetensors")).unwrap()
    };
    let first = cut("a", "1");
    assert!(first == cut("b", "1"));
    assert!(first != cut("c", "2"));
}

#[test]
fn shards_that_are_there_are_not_replaced_and_scenes_too_short_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("scenes");
    fs::create_dir_all(&input).unwrap();
    let scene = nearmiss::sim::simulate(Seed(4), 0, 6.0).unwrap();
    write_scene(&scene, &input.join("short.json")).unwrap();
    let out = folder.path().join("out");
    let output = tensors(&input, &out, &[]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("lower --history or --future"), "{message}");
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("scenes-0000.safetensors"), "kept").unwrap();
    let output = tensors(&input, &out, &["--future", "3", "--windows", "5"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("is there already"), "{message}");
    assert_eq!(
        fs::read(out.join("scenes-0000.safetensors")).unwrap(),
        b"kept"
    );
}
