//! `nearmiss info` and `nearmiss convert`, run as a user runs them.

use serde_json::Value;

use super::made::pickle;
use crate::commands::nearmiss;

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn info_prints_the_promised_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.pkl");
    std::fs::write(&path, pickle()).unwrap();
    let output = nearmiss(&["info", text(&path), "--json"]);
    assert!(output.status.success());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["format"], "scenarionet");
    let scene = &found["scenes"][0];
    assert_eq!(scene["id"], "made");
    assert_eq!(scene["duration_s"], 9.9); // 100 frames, 0.1 s apart
    assert_eq!(
        (&scene["rate_hz"], &scene["lanes"]),
        (&10.0.into(), &1.into())
    );
    let agents = serde_json::json!({"vehicle": 2, "pedestrian": 0, "cyclist": 0, "other": 0});
    assert_eq!(scene["agents"], agents);
    assert!(scene["problems"].is_array());

    std::fs::write(folder.path().join("notes.txt"), "not a scene").unwrap();
    std::fs::write(folder.path().join("cut.pkl"), &pickle()[..900]).unwrap();
    let output = nearmiss(&["info", text(folder.path())]);
    let table = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && table.contains("made"), "{table}");
    assert!(
        complaint.contains("cut.pkl") && !complaint.contains("notes.txt"),
        "{complaint}"
    );
}

#[test]
fn info_on_a_broken_file_fails_with_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pkl");
    std::fs::write(&path, &pickle()[..900]).unwrap();
    let output = nearmiss(&["info", text(&path)]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(complaint.contains("cut.pkl: pickle byte"), "{complaint}");
}

#[test]
fn convert_writes_a_window_that_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (
        folder.path().join("made.pkl"),
        folder.path().join("out.json"),
    );
    std::fs::write(&from, pickle()).unwrap();
    let output = nearmiss(&[
        "convert",
        text(&from),
        text(&to),
        "--window",
        "1.0",
        "--length",
        "5",
    ]);
    assert!(output.status.success(), "{:?}", output.stderr);
    let scene = nearmiss::scene::read_scene(&to).unwrap();
    // 1.0 s at 0.5 m per 0.1 s: the first car has come 5 m
    assert_eq!((scene.frames, scene.now), (51, 0));
    assert_eq!(scene.agents[0].track.get(0).unwrap().position.x, 5.0);

    let odd = folder.path().join("out.docx");
    let output = nearmiss(&["convert", text(&from), text(&odd)]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complaint.contains("out.docx") && complaint.contains("--to"),
        "{complaint}"
    );
    assert!(!odd.exists());
}
