//! `nearmiss plan`, `drive` and the planner's table, run as a user runs them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::commands::nearmiss;
use crate::stage::may_draw;

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
        "reactive",
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
    assert_eq!(lines[1]["rows"][0]["world"], "reactive");
    let (gates, score) = (&lines[0]["gates"], &lines[0]["score"]);
    assert_eq!(gates.as_array().unwrap().len(), 8); // contact, road, six limits of comfort
    assert!(gates[0]["passed"] == true && gates[0]["limit"] == 0);
    assert_eq!(score["formula"], "nuplan");
    assert_eq!(lines[0]["metrics"][0]["name"], "nuplan_score");
    assert_eq!(
        score["terms"]["sl"]["series"]["values"]
            .as_array()
            .unwrap()
            .len(),
        41
    );
    let pooled = lines[1]["rows"][0]["nuplan_score"].as_f64().unwrap();
    assert!((pooled - score["total"].as_f64().unwrap()).abs() < 1e-3);
    let written = lines[0]["written"].as_str().unwrap();
    let info = nearmiss(&["info", written, "--json"]);
    assert!(info.status.success(), "{}", text(&info.stderr));
    fs::remove_dir_all(&out).ok();
}

#[test]
fn what_planners_drive_is_filmed_beside_each_other() {
    if !may_draw() {
        return;
    }
    let out = folder("clips");
    let film = || {
        let shown = out.display().to_string();
        let planners = ["--planner", "idm", "--against", "constant-velocity"];
        let scene = bundled("cut-in");
        let clips = ["--seconds", "1", "--clips", &*shown];
        nearmiss(&[&["drive", &*scene], &planners[..], &clips[..]].concat())
    };
    let output = film();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let clip = fs::read(out.join("000-cut-in-log.gif")).unwrap();
    // 560 + 4 + 560 by 420, little end first
    assert_eq!(clip[6..10], [100, 4, 164, 1]);
    let mut reader = gif::DecodeOptions::new().read_info(&*clip).unwrap();
    let mut frames = 0;
    while reader.read_next_frame().unwrap().is_some() {
        frames += 1;
    }
    assert_eq!(frames, 11); // a second at ten frames, both ends
    // nothing is replaced unasked
    let again = film();
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("--replace"));
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
fn several_planners_drive_the_same_scenes_and_are_held_against_the_first() {
    let (first, second) = (bundled("cut-in"), bundled("empty-road"));
    let run = |more: &[&str]| {
        let always = [
            "drive",
            &first,
            &second,
            "--planner",
            "idm",
            "--seconds",
            "5",
            "--world",
            "reactive",
            "--against",
            "constant-velocity",
        ];
        nearmiss(&[&always, more].concat())
    };
    let output = run(&["--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let who: Vec<&str> = lines[..4]
        .iter()
        .map(|line| line["planner"].as_str().unwrap())
        .collect();
    let pair = ["idm", "constant-velocity"];
    assert_eq!(who, [pair, pair].concat());
    let rows = lines[4]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["scenes"] == 2));
    let difference = &rows[0]["difference"][0];
    assert_eq!(difference["to"], "constant-velocity");
    // both have driven the same scenes: the difference is that of the means
    for key in ["collision_pct", "progress_pct", "nuplan_score"] {
        let mean = |row: usize| rows[row][key].as_f64().unwrap();
        let value = difference[key]["value"].as_f64().unwrap();
        assert!((value - (mean(0) - mean(1))).abs() < 1e-3, "{key} {value}");
    }
    assert!(rows[1]["difference"].is_null());
    let shown = text(&run(&[]).stdout);
    assert!(shown.contains("idm less constant-velocity"), "{shown}");
    let cut_in = shown
        .lines()
        .find(|line| line.starts_with("cut-in"))
        .unwrap();
    assert!(
        cut_in.contains("clear") && cut_in.contains("FAULT"),
        "{cut_in}"
    );
    let twice = run(&["--against", "idm"]);
    assert_eq!(twice.status.code(), Some(2));
    let said = text(&twice.stderr);
    assert!(said.contains("--against idm: it drives already"), "{said}");
    let nobody = run(&["--against", "own"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(text(&nobody.stderr).contains("--own COMMAND"));
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
    assert_eq!(output.status.code(), Some(2));
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
    assert_eq!(rows[0]["nuplan_open_loop"], 1.0);
    assert!(rows[1]["nuplan_open_loop"].as_f64().unwrap() < 1.0);
    assert_eq!(rows[2]["privileged"], true);
    let ade = |row: usize| rows[row]["ade_m"].as_f64().unwrap();
    assert!(
        ade(2) < ade(1),
        "the cubic to the log's end beats constant velocity"
    );
    // a row for each formula asked for
    let both = [
        "eval",
        &scene,
        "--task",
        "plan",
        "--methods",
        "log",
        "--score",
        "pdms,epdms",
        "--json",
    ];
    let both: Value = serde_json::from_slice(&nearmiss(&both).stdout).unwrap();
    assert_eq!(
        (&both["rows"][0]["formula"], &both["rows"][1]["formula"]),
        (&"pdms".into(), &"epdms".into())
    );
    assert_eq!(both["rows"][0]["score"], table["rows"][0]["score"]);
    let wrong = nearmiss(&["eval", &scene, "--task", "plan", "--methods", "trapezoidal"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        text(&wrong.stderr).contains("trapezoidal: it has no row in the tables asked for (plan)")
    );
    // an option that means nothing to the task is not passed over
    let strayed = nearmiss(&["eval", &scene, "--task", "plan", "--realism"]);
    assert_eq!(strayed.status.code(), Some(2));
    assert!(
        text(&strayed.stderr)
            .contains("--realism means nothing to the tasks asked for; it is for --task free")
    );
}

/// The command that makes this program answer as a planner outside itself.
fn served(options: &str) -> String {
    format!("'{}' serve {options}", env!("CARGO_BIN_EXE_nearmiss"))
}

#[test]
fn a_planner_outside_the_program_answers_as_it_does_inside() {
    let scene = bundled("left-turn");
    let plan = |options: &[&str]| -> Value {
        let asked = ["plan", &scene, "--json", "--modes", "3", "--seed", "7"];
        let output = nearmiss(&[&asked[..], options].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let inside = plan(&["--decoder", "ar-diffusion", "--no-brake"]);
    let outside = plan(&["--own", &served("--no-brake")]);
    assert_eq!(outside["decoder"], "own");
    assert!(outside["weights"].as_str().unwrap().starts_with("<own: "));
    assert_eq!(outside["route"], inside["route"]);
    assert_eq!(outside["chosen"], inside["chosen"]);
    let points = |plan: &Value| -> Vec<Value> {
        let modes = plan["modes"].as_array().unwrap();
        modes.iter().map(|mode| mode["points"].clone()).collect()
    };
    assert_eq!(points(&outside), points(&inside));
}

#[test]
fn a_planner_outside_the_program_drives_and_stands_in_tables() {
    let scene = bundled("cut-in");
    let own = served("--decoder idm");
    let drive = |options: &[&str]| -> Value {
        let output = nearmiss(&[&["drive", &scene, "--json", "--seconds", "4"], options].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let first = text(&output.stdout);
        serde_json::from_str(first.lines().next().unwrap()).unwrap()
    };
    let (inside, outside) = (drive(&["--planner", "idm"]), drive(&["--own", &own]));
    assert_eq!(outside["planner"], "own");
    let far = |drive: &Value| drive["progress_m"].as_f64().unwrap();
    // what is sent is on the grid of files, 0.1 mm
    assert!((far(&inside) - far(&outside)).abs() < 0.05);
    let asked = [
        "eval",
        &scene,
        "--task",
        "plan",
        "--methods",
        "idm,own",
        "--own",
        &own,
        "--json",
    ];
    let output = nearmiss(&asked);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ade = |row: usize| table["rows"][row]["ade_m"].as_f64().unwrap();
    assert!((ade(0) - ade(1)).abs() < 0.01, "{table}");
}

#[test]
fn a_planner_outside_the_program_that_fails_is_quoted() {
    let scene = bundled("empty-road");
    let said = |own: &str| {
        let output = nearmiss(&["plan", &scene, "--own", own]);
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let wrong = served("--decoder no-such");
    assert!(said(&wrong).contains("Its last words") && said(&wrong).contains("no-such"));
    assert!(said("nobody-has-this-program").contains("no such command"));
    let twice = nearmiss(&["plan", &scene, "--own", &wrong, "--decoder", "ar"]);
    assert!(text(&twice.stderr).contains("leave one of them out"));
    let none = nearmiss(&["plan", &scene, "--decoder", "own"]);
    assert!(text(&none.stderr).contains("--own COMMAND"));
}

#[test]
fn the_example_of_a_planner_of_ones_own_follows_its_lane() {
    let example = nearmiss(&["serve", "--example"]);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/own_planner.py");
    assert_eq!(text(&example.stdout), fs::read_to_string(&kept).unwrap());
    if std::process::Command::new("python3")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("skipped: there is no python3 to run the example");
        return;
    }
    let own = format!("python3 '{}'", kept.display());
    for stem in ["detour", "roundabout", "dense-queue", "empty-road"] {
        let scene = bundled(stem);
        let output = nearmiss(&["plan", &scene, "--own", &own, "--json"]);
        assert!(output.status.success(), "{stem}: {}", text(&output.stderr));
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        let terms = &plan["modes"][0]["scores"]["terms"];
        // whoever crosses is not its business; whoever stands ahead of it is
        let ahead = matches!(stem, "detour" | "dense-queue").then_some("nc");
        for term in ["dac", "ddc"].into_iter().chain(ahead) {
            assert_eq!(
                terms[term]["score"], 1.0,
                "{stem}: {}",
                terms[term]["reason"]
            );
        }
    }
}

#[test]
fn served_requests_that_are_none_get_an_error_each_and_the_next_an_answer() {
    use std::io::Write as _;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_nearmiss"))
        .args(["serve", "--decoder", "idm"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let scene: Value =
        serde_json::from_str(&fs::read_to_string(bundled("cut-in")).unwrap()).unwrap();
    let ego = scene["agents"]
        .as_array()
        .unwrap()
        .iter()
        .find(|agent| agent["role"] == "ego");
    let ego = &ego.unwrap()["id"];
    let request = serde_json::json!({ "request": "plan", "version": 1, "ego": ego, "modes": 1, "seed": 1, "scene": scene });
    let lines = format!("not json\n\n{{\"request\": \"dance\"}}\n{request}\n");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let answers = text(&child.wait_with_output().unwrap().stdout);
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 3);
    assert!(answers[0]["error"].is_string() && answers[1]["error"].is_string());
    assert_eq!(answers[2]["modes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_plan_is_scored_by_the_formula_that_is_asked_for() {
    let scene = bundled("left-turn");
    let plan = |formula: &str| -> Value {
        let asked = [
            "plan",
            &scene,
            "--decoder",
            "idm",
            "--json",
            "--score",
            formula,
        ];
        let output = nearmiss(&asked);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let (first, second) = (plan("pdms"), plan("epdms"));
    assert_eq!(
        (&first["formula"], &second["formula"]),
        (&"pdms".into(), &"epdms".into())
    );
    let terms = |plan: &Value| -> Vec<String> {
        let all = plan["modes"][0]["scores"]["terms"].as_object().unwrap();
        all.keys().cloned().collect()
    };
    assert_eq!(terms(&first).len(), 6);
    assert_eq!(terms(&second).len(), 8);
    assert!(terms(&second).contains(&"tlc".to_owned()));
    // yes-or-no terms that count: NC, DAC, TTC, C; NC, DAC, DDC, TLC, TTC, LK, HC
    assert_eq!(first["gates"].as_array().unwrap().len(), 4);
    assert_eq!(second["gates"].as_array().unwrap().len(), 7);
    let output = nearmiss(&["plan", &scene, "--score", "nuplan"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn futures_in_a_file_are_planned_scored_and_driven_like_a_planners() {
    let out = folder("futures");
    fs::create_dir_all(&out).unwrap();
    let scene = bundled("cut-in");
    let run = |options: &[&str]| -> Value {
        let output = nearmiss(options);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let first = text(&output.stdout);
        serde_json::from_str(first.lines().next().unwrap()).unwrap()
    };
    let made = run(&[
        "plan",
        &scene,
        "--decoder",
        "ar-diffusion",
        "--no-brake",
        "--json",
    ]);
    let kept = out.join("plan.json").display().to_string();
    fs::write(&kept, made.to_string()).unwrap();
    let again = run(&["plan", &scene, "--own", &kept, "--json"]);
    assert_eq!(again["chosen"], made["chosen"]);
    assert_eq!(again["modes"][0]["points"], made["modes"][0]["points"]);
    let (told, found) = (&made["modes"][0]["scores"], &again["modes"][0]["scores"]);
    assert_eq!(told["total"], found["total"]);
    // the way the file records, as CSV in scene time: the drive follows it
    let opened: Value = serde_json::from_str(&fs::read_to_string(&scene).unwrap()).unwrap();
    let (dt_s, agents) = (
        opened["dt_s"].as_f64().unwrap(),
        opened["agents"].as_array().unwrap(),
    );
    let ego = agents.iter().find(|agent| agent["role"] == "ego").unwrap();
    let places = |axis: &str| ego["states"][axis].as_array().unwrap().clone();
    let mut rows = "time_s,x,y\n".to_owned();
    for (frame, (x, y)) in places("x").iter().zip(places("y")).enumerate() {
        let time_s = frame as f64 * dt_s;
        rows += &format!("{time_s},{x},{y}\n");
    }
    let recorded = out.join("recorded.csv").display().to_string();
    fs::write(&recorded, rows).unwrap();
    let drive = run(&[
        "drive",
        &scene,
        "--own",
        &recorded,
        "--json",
        "--seconds",
        "5",
    ]);
    let share = drive["progress_m"].as_f64().unwrap() / drive["logged_m"].as_f64().unwrap();
    assert!((share - 1.0).abs() < 0.02, "{share}");
    fs::write(&recorded, "time_s,x,y\n1,here,2\n").unwrap();
    let output = nearmiss(&["plan", &scene, "--own", &recorded]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("recorded.csv: line 2: x is \"here\""),
        "{said}"
    );
    fs::remove_dir_all(&out).ok();
}
