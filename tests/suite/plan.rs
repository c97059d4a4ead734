//! `nearmiss plan`, `drive` and the planner's table, run as a user runs them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::commands::nearmiss;

fn bundled(stem: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenes/{stem}.json"));
    path.display().to_string()
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("nearmiss-{name}-{}", std::process::id()));
    fs::remove_dir_all(&path).ok();
    path
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_plan_shows_its_modes_and_says_why() {
    let output = nearmiss(&["plan", &bundled("left-turn"), "--decoder", "idm"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for word in ["NC", "DAC", "TTC", "EP", "only mode", "IDM lane follower"] {
        assert!(shown.contains(word), "{word} is missing in\n{shown}");
    }
}

#[test]
fn a_plan_as_json_is_the_same_for_the_same_seed() {
    let scene = bundled("cut-in");
    let run = || nearmiss(&["plan", &scene, "--decoder", "constant-velocity", "--json"]);
    let (first, second) = (run(), run());
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert_eq!(first.stdout, second.stdout);
    let plan: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(plan["decoder"], "constant-velocity");
    assert_eq!(plan["modes"].as_array().unwrap().len(), 1);
    assert_eq!(plan["modes"][0]["points"].as_array().unwrap().len(), 16);
    let total = plan["modes"][0]["scores"]["total"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&total));
    assert!(plan["modes"][0]["outcome"]["terms"]["nc"]["reason"].is_string());
}

/// In *Two ways round* a lorry stands 66 m ahead in the ego's lane (around y = 0, half a lane is 1.75 m). By the ends of
/// 8 s plans: what a mean of both sides does, and what draws do, although nobody tells them a route.
#[test]
fn before_a_standing_lorry_regression_keeps_the_lane_and_most_modes_leave_it() {
    let sides = |decoder: &str| -> Vec<f64> {
        let scene = bundled("detour");
        let asked = ["plan", &scene, "--decoder", decoder, "--no-route", "--json"];
        let output = nearmiss(&[&asked[..], &["--no-brake"]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        let modes = plan["modes"].as_array().unwrap().iter();
        modes
            .map(|mode| mode["points"][15][1].as_f64().unwrap())
            .collect()
    };
    let regression = sides("regression");
    assert!(regression[0].abs() < 1.75, "{regression:?}");
    let modes = sides("ar");
    let aside = modes.iter().filter(|y| y.abs() > 1.75).count();
    assert!(2 * aside > modes.len(), "{modes:?}");
}

#[test]
fn the_network_gives_six_modes_likeliest_first_and_one_is_taken() {
    let output = nearmiss(&["plan", &bundled("detour"), "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["decoder"], "ar-diffusion");
    let shares: Vec<f64> = plan["modes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mode| mode["probability"].as_f64().unwrap())
        .collect();
    assert_eq!(shares.len(), 6);
    assert!(
        (shares.iter().sum::<f64>() - 1.0).abs() < 1e-3,
        "{shares:?}"
    );
    assert!(
        shares.windows(2).all(|pair| pair[0] >= pair[1]),
        "{shares:?}"
    );
    assert!(plan["chosen"].as_u64().unwrap() < 6);
    assert_eq!(plan["weights"].as_str().unwrap().len(), 64);
}

#[test]
fn the_route_turns_where_the_ego_does_and_can_be_withheld() {
    let scene = bundled("left-turn");
    let run = |more: &[&str]| -> Value {
        let output = nearmiss(&[&["plan", &scene, "--json"], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let (told, untold) = (run(&[]), run(&["--no-route"]));
    let lanes = |plan: &Value| plan["route"].as_array().unwrap().len();
    assert!(lanes(&told) > 1);
    assert_eq!(lanes(&untold), 0);
    assert_ne!(told["modes"], untold["modes"]);
    // the plain planners are told nothing
    assert_eq!(lanes(&run(&["--decoder", "idm"])), 0);
}

#[test]
fn wrong_planner_arguments_are_named() {
    let scene = bundled("left-turn");
    let unknown = nearmiss(&["plan", &scene, "--decoder", "crystal-ball"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("ar-diffusion"));
    let nobody = nearmiss(&["plan", &scene, "--decoder", "idm", "--ego", "nobody"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("\"nobody\""));
    let late = nearmiss(&["plan", &scene, "--decoder", "idm", "--time", "99"]);
    assert!(
        text(&late.stderr).contains("12.0 s"),
        "{}",
        text(&late.stderr)
    );
    let walker = nearmiss(&[
        "plan",
        &bundled("crosswalk"),
        "--decoder",
        "idm",
        "--ego",
        "pedestrian-15",
    ]);
    let message = text(&walker.stderr);
    assert_eq!(walker.status.code(), Some(1));
    assert!(message.contains("pedestrian"), "{message}");
}

#[test]
fn a_drive_leaves_a_table_and_scenes_that_open() {
    let out = folder("drive");
    let scene = bundled("dense-queue");
    let output = nearmiss(&[
        "drive",
        &scene,
        "--planner",
        "idm",
        "--world",
        "traffic",
        "--seconds",
        "4",
        "--json",
        "--out",
        &out.display().to_string(),
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["seconds"], 4.0);
    assert_eq!(lines[0]["plans"], 8);
    assert_eq!(lines[1]["rows"][0]["scenes"], 1);
    let written = lines[0]["written"].as_str().unwrap();
    let info = nearmiss(&["info", written, "--json"]);
    assert!(info.status.success(), "{}", text(&info.stderr));
    fs::remove_dir_all(&out).ok();
}

#[test]
fn a_drive_over_several_scenes_has_a_line_for_each() {
    let (first, second) = (bundled("merge"), bundled("empty-road"));
    let output = nearmiss(&[
        "drive",
        &first,
        &second,
        "--planner",
        "constant-velocity",
        "--seconds",
        "2",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("over 2 scenes"), "{shown}");
    assert!(
        shown.contains("merge") && shown.contains("empty-road"),
        "{shown}"
    );
}

#[test]
fn a_drive_with_settings_out_of_range_fails_with_a_sentence() {
    let output = nearmiss(&[
        "drive",
        &bundled("merge"),
        "--planner",
        "idm",
        "--replan-hz",
        "0",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("replan rate is 0"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_planners_table_has_the_log_as_its_floor() {
    let scene = bundled("left-turn");
    let output = nearmiss(&[
        "eval",
        &scene,
        "--task",
        "plan",
        "--methods",
        "log,constant-velocity,hermite,idm",
        "--json",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0]["method"], "log");
    assert!(rows[0]["ade_m"].as_f64().unwrap() < 1e-6);
    assert_eq!(rows[0]["collision_pct"], 0.0);
    assert_eq!(rows[2]["privileged"], true);
    let ade = |row: usize| rows[row]["ade_m"].as_f64().unwrap();
    assert!(
        ade(2) < ade(1),
        "the cubic to the log's end beats constant velocity"
    );
    let wrong = nearmiss(&["eval", &scene, "--task", "plan", "--methods", "trapezoidal"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("does not plan"));
}
