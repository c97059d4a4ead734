//! The command line, run as a user runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Runs the program without a display and with a home of its own.
pub(crate) fn nearmiss(arguments: &[&str]) -> Output {
    let home = std::env::temp_dir().join("nearmiss-test-home");
    Command::new(env!("CARGO_BIN_EXE_nearmiss"))
        .args(arguments)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("HOME", home)
        .output()
        .expect("the program starts")
}

#[test]
fn wrong_usage_exits_with_two() {
    let output = nearmiss(&["no-such-command", "--really"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_word_that_is_neither_file_nor_command_and_a_missing_display_are_said_so() {
    let said = |argument: &str| {
        let output = nearmiss(&[argument]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let mistyped = said("atack");
    assert!(
        mistyped.contains("no such file") && mistyped.contains("--help"),
        "{mistyped}"
    );
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/empty-road.json");
    let blind = said(&scene.display().to_string());
    assert!(
        blind.contains("no display") && blind.contains("render"),
        "{blind}"
    );
}

#[test]
fn weights_can_be_named_and_a_file_that_holds_none_is_refused_with_its_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = |name: &str| root.join(name).display().to_string();
    let scene = path("scenes/empty-road.json");
    let own = path("assets/weights/planner.safetensors");
    let plan = |weights: &str| nearmiss(&["plan", &scene, "--json", "--planner-weights", weights]);
    let (named, carried) = (plan(&own), nearmiss(&["plan", &scene, "--json"]));
    assert!(named.status.success());
    assert_eq!(named.stdout, carried.stdout);
    let refused = |output: &Output| {
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // the planner's weights are no generator's
    let wrong = refused(&nearmiss(&["check", &scene, "--weights", &own]));
    assert!(wrong.contains("`--planner-weights`"), "{wrong}");
    let absent = refused(&plan("no-such-file"));
    assert!(
        absent.contains("no-such-file cannot be used as weights: nothing is there"),
        "{absent}"
    );
    let file = &own; // a file where a folder is wanted
    let folder = refused(&nearmiss(&["simulate", "--scenes", "1", "--out", file]));
    assert!(
        folder.contains(&format!("could not make the folder {own}: ")),
        "{folder}"
    );
}

#[test]
fn the_shipped_schema_is_the_one_the_types_give() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scene.schema.json");
    let output = nearmiss(&["schema"]);
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &printed).expect("writable assets");
    }
    let shipped = fs::read_to_string(&path).expect("assets/scene.schema.json");
    assert!(
        shipped == printed,
        "assets/scene.schema.json is out of date: run the test with UPDATE_SCHEMA=1 and look at the change"
    );
}

#[test]
fn eval_gives_every_number_an_interval_and_a_guided_row_its_paired_difference() {
    let scenes = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes");
    let folder = tempfile::tempdir().expect("a folder");
    let each = folder.path().join("each.csv").display().to_string();
    let output = nearmiss(&[
        "eval",
        scenes.to_str().expect("a path in UTF-8"),
        "--task",
        "goal",
        "--methods",
        "log,constant-velocity,full",
        "--windows",
        "1",
        "--steps",
        "2",
        "--guidance",
        "collision=0.2",
        "--json",
        "--each",
        &each,
    ]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let table: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = table["rows"].as_array().expect("rows");
    let names: Vec<_> = rows
        .iter()
        .map(|row| (&row["method"], &row["guidance"]))
        .collect();
    assert_eq!(rows.len(), 4, "{names:?}"); // the network without and with guidance
    for key in [
        "ade_m",
        "ade_moving_m",
        "min_ade_m",
        "joint_min_ade_m",
        "goal_miss_m",
        "collision_pct",
        "off_road_pct",
        "standing_moving_pct",
        "instability",
    ] {
        for row in rows {
            let (value, interval) = (&row[key], &row["interval"][key]);
            assert!(
                value.is_number() && interval[0].is_number(),
                "{key} of {row}"
            );
        }
        let difference = &rows[3]["difference"][key];
        let gap =
            rows[3][key].as_f64().unwrap_or(f64::NAN) - rows[2][key].as_f64().unwrap_or(f64::NAN);
        assert!(
            (difference["value"].as_f64().unwrap_or(f64::NAN) - gap).abs() < 2e-5,
            "{key}"
        );
    }
    // the log misses nothing; a known token is met; going straight on misses
    assert_eq!(
        (&rows[0]["ade_m"], &rows[0]["goal_miss_m"]),
        (&0.0.into(), &0.0.into())
    );
    assert!(
        rows[1]["goal_miss_m"]
            .as_f64()
            .is_some_and(|miss| miss > 1.0)
    );
    assert!(
        rows[2]["goal_miss_m"]
            .as_f64()
            .is_some_and(|miss| miss < 1e-3)
    );
    assert!(rows[2]["difference"].is_null() && rows[2]["seconds_per_scene"].is_number());
    // a line for each window of each row, whose agents are those of the rows
    let table = fs::read_to_string(&each).expect("the table of windows");
    let lines = table_of(&table);
    let windows = rows[0]["windows"].as_u64().expect("a number") as usize;
    assert_eq!(lines.len(), 4 * windows);
    for (row, lines) in rows.iter().zip(lines.chunks(windows)) {
        let agents = lines.iter().map(|line| line["agents"].parse::<u64>());
        assert_eq!(agents.sum::<Result<u64, _>>().ok(), row["agents"].as_u64());
        for line in lines {
            assert_eq!(line["method"], row["method"].as_str().unwrap_or_default());
            assert_eq!(
                line["guidance"],
                row["guidance"].as_str().unwrap_or_default()
            );
            assert_eq!(line["present_s"], "2");
        }
    }
    assert!(lines[..windows].iter().all(|line| line["ade_m"] == "0"));
    // what is there is not replaced unasked
    let again = nearmiss(&["eval", &scene("merge"), "--each", &each]);
    assert!(text(&again.stderr).contains("would be replaced"));
}

#[test]
fn the_futures_of_another_generator_have_a_row_of_the_same_windows() {
    let folder = tempfile::tempdir().expect("a folder");
    let rollouts = folder.path().join("rollouts");
    let cases = folder.path().join("cases");
    // the log itself at the present, and two samples from a second later
    fs::create_dir(&rollouts).expect("a folder");
    let merge = scene("merge");
    fs::copy(&merge, rollouts.join("a.json")).expect("a copy");
    let made = generate("merge", &cases, &["--time", "3", "--samples", "2"]);
    for (number, case) in objects(&made).iter().enumerate() {
        let file = case["file"].as_str().expect("a file");
        fs::copy(file, rollouts.join(format!("b{number}.json"))).expect("a copy");
    }
    let (rollouts, each) = (
        rollouts.display().to_string(),
        folder.path().join("each.csv"),
    );
    let asked = [
        "eval",
        &*merge,
        "--task",
        "free",
        "--stride",
        "1",
        "--rollouts",
        &*rollouts,
    ];
    let rows = ["--methods", "log,constant-velocity,rollouts", "--json"];
    let to = ["--each", each.to_str().expect("a path in UTF-8")];
    let output = nearmiss(&[&asked[..], &rows, &to].concat());
    let table = &objects(&output)[0];
    // of 12 s there are windows at 2, 3 and 4 s
    assert!(text(&output.stderr).contains("left out of all rows: 1 of 3"));
    for row in table["rows"].as_array().expect("rows") {
        assert_eq!((&row["windows"], &row["samples"]), (&2.into(), &1.into()));
    }
    let lines = fs::read_to_string(&each).expect("the table of windows");
    let lines = table_of(&lines);
    let of_rollouts = lines.iter().filter(|line| line["method"] == "rollouts");
    let ades: Vec<f64> = of_rollouts
        .map(|line| line["ade_m"].parse().expect("m"))
        .collect();
    assert!(ades[0] < 1e-3 && ades[1] > 0.1, "{ades:?}");
    // of another scene there is none
    let other = nearmiss(&[
        "eval",
        &scene("cut-in"),
        "--task",
        "free",
        "--rollouts",
        &rollouts,
    ]);
    let said = text(&other.stderr);
    assert!(said.contains("no rollout is of a window"), "{said}");
}

#[test]
fn check_says_of_a_foreign_file_what_info_says_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notes.txt");
    fs::write(&file, "not a scene at all").expect("writable");
    let path = file.display().to_string();
    let said = |verb: &str| {
        let output = nearmiss(&[verb, &path]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert!(said("check").contains("not a scene file that Nearmiss knows"));
    assert_eq!(said("check"), said("info"));
}

fn scene(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes");
    path.join(format!("{name}.json")).display().to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lines of a table of comma-separated values without quotes, by its columns.
fn table_of(text: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = text.lines().map(|line| line.split(','));
    let names: Vec<&str> = lines.next().expect("names").collect();
    let lines = lines.map(|cells| names.iter().copied().zip(cells).collect());
    lines.collect()
}

/// The objects on standard output, a line each.
fn objects(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let objects = lines.lines().map(serde_json::from_str);
    objects.collect::<Result<_, _>>().expect("JSON")
}

/// `generate` on a bundled scene, in a few quick steps.
fn generate(name: &str, out: &Path, more: &[&str]) -> Output {
    let (scene, out) = (scene(name), out.display().to_string());
    let quick = ["--out", &out, "--steps", "2", "--redraws", "0", "--json"];
    nearmiss(&[&["generate", &*scene], &quick[..], more].concat())
}

/// Each object within that gives a moment in scene time.
fn moments(value: &Value) -> Vec<&Value> {
    let within: Vec<&Value> = match value {
        Value::Array(all) => all.iter().flat_map(moments).collect(),
        Value::Object(all) => all.values().flat_map(moments).collect(),
        _ => Vec::new(),
    };
    let own = Some(value).filter(|value| value["time_s"].is_number());
    own.into_iter().chain(within).collect()
}

#[test]
fn a_drive_lists_everybody_it_met_with_every_moment_in_scene_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().display().to_string();
    let roundabout = scene("roundabout");
    let asked = ["drive", &roundabout, "--planner", "idm", "--seconds", "8"];
    let output = nearmiss(&[&asked[..], &["--json", "--out", &out]].concat());
    let drive = &objects(&output)[0];
    let met = drive["encounters"].as_array().expect("encounters");
    assert!(met.len() > 8, "{}", met.len());
    // the present is at 2 s
    let parts = ["contacts", "nearest", "encounters", "comfort", "score"];
    for part in parts {
        let found = moments(&drive[part]);
        assert!(!found.is_empty(), "{part}");
        for moment in found {
            let [time_s, after_s] = ["time_s", "after_s"].map(|key| moment[key].as_f64());
            let gap = time_s
                .zip(after_s)
                .map(|(time_s, after_s)| time_s - after_s);
            assert!(gap.is_some_and(|gap| (gap - 2.0).abs() < 1e-3), "{moment}");
        }
    }
    // what is told of the contact is in the same time
    let (contact, gates) = (&drive["contacts"][0], drive["gates"].as_array());
    let said = format!("at {:.1} s", contact["time_s"].as_f64().expect("a time"));
    let reason = contact["reason"].as_str().expect("a reason");
    assert!(reason.contains(&said), "{reason}: {said}");
    assert_eq!(gates.map(Vec::len), Some(8));
    // the least of each measure is that of the driven scene
    let written = drive["written"].as_str().expect("a file");
    let table = text(&nearmiss(&["score", written]).stdout);
    let cells = &table_of(&table)[0];
    for key in ["gap_m", "ttc_s", "pet_s"] {
        let least = met.iter().filter_map(|met| met[key]["value"].as_f64());
        let least = least.min_by(f64::total_cmp).expect("one");
        let scored: f64 = cells[&*format!("ego_{key}")].parse().expect("a number");
        assert!((least - scored).abs() < 1e-3, "{key}: {least} {scored}");
    }
}

#[test]
fn a_scene_is_begun_at_each_moment_asked_for_and_stays_one_recording() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = |name: &str| folder.path().join(name).display().to_string();
    let (merge, drives) = (scene("merge"), out("drives"));
    let asked = ["drive", &merge, "--planner", "idm", "--seconds", "1"];
    // of 12 s, 8 follow up to 4 s
    let every = ["--every", "1", "--json", "--out", &drives];
    let found = objects(&nearmiss(&[&asked[..], &every].concat()));
    let presents: Vec<_> = found.iter().map(|drive| &drive["present_s"]).collect();
    assert_eq!(presents[..3], [2.0, 3.0, 4.0]);
    let row = &found[3]["rows"][0];
    assert_eq!((&row["scenes"], &row["recordings"]), (&3.into(), &1.into()));
    // the drive from 4 s is that of the moment named alone
    let alone = ["--time", "4", "--json"];
    let alone = &objects(&nearmiss(&[&asked[..], &alone].concat()))[0];
    assert_eq!(alone["scene"], "merge \u{b7} at 4 s");
    assert_eq!(
        (&alone["progress_m"], &alone["nearest"]),
        (&found[2]["progress_m"], &found[2]["nearest"])
    );
    let written = Path::new(&drives).join("002-merge-at-4s-idm-log.json");
    let info = text(&nearmiss(&["info", &written.display().to_string()]).stdout);
    assert!(info.contains("present at 4 s"), "{info}");
    // cases, too; a moment after the end refuses itself alone
    let cases = folder.path().join("cases");
    let output = generate("merge", &cases, &["--time", "3.5,40"]);
    let made = objects(&output);
    let file = made[0]["file"].as_str().expect("a file");
    assert!(
        file.ends_with("0000-merge-at-3.5s-free-s1-0.json"),
        "{file}"
    );
    let why = made[1]["error"].as_str().expect("a sentence");
    assert!(why.contains("--time 40 lies outside the scene"), "{why}");
    let refused = generate("merge", &cases, &["--again", "--time", "3"]);
    assert_eq!(refused.status.code(), Some(2));
}

/// Every key of the objects within.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| keys(value, found)),
        Value::Object(all) => all.iter().for_each(|(key, value)| {
            found.insert(key.clone());
            // whose keys are names of terms, agents or gates
            match key.as_str() {
                "failed_gates" => {}
                "terms" => value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .for_each(|(_, term)| keys(term, found)),
                _ => keys(value, found),
            }
        }),
        _ => {}
    }
}

#[test]
fn what_is_printed_is_explained_in_the_help() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cut_in, cases) = (scene("cut-in"), folder.path().join("cases"));
    let made = generate("cut-in", &cases, &["--task", "attack"]);
    let case = objects(&made)[0]["file"]
        .as_str()
        .expect("a file")
        .to_owned();
    let refused = generate("left-turn", &cases, &["--attacker", "truck-5", "--at", "3"]);
    let quick = [
        "--planners",
        "idm",
        "--steps",
        "2",
        "--redraws",
        "0",
        "--json",
    ];
    let out = folder.path().join("sweep").display().to_string();
    let swept = [
        "sweep",
        &*cut_in,
        "--sweep",
        "speed:ego=5,90",
        "--out",
        &*out,
    ];
    let drive = [
        "drive",
        &*cut_in,
        "--planner",
        "idm",
        "--against",
        "constant-velocity",
        "--json",
    ];
    let eval = |task: &str| {
        let always = [
            "eval",
            &*cut_in,
            "--windows",
            "1",
            "--steps",
            "2",
            "--json",
            "--task",
        ];
        let more = match task {
            "plan" => ["--methods", "idm,constant-velocity", "--against", "idm"],
            "attack" => ["--tries", "1", "--seed", "1"],
            _ => ["--methods", "log,full", "--against", "log"],
        };
        nearmiss(&[&always[..], &[task], &more[..]].concat())
    };
    let printed = [
        ("generate", vec![made, refused]),
        (
            "plan",
            vec![nearmiss(&["plan", &*cut_in, "--decoder", "idm", "--json"])],
        ),
        ("drive", vec![nearmiss(&drive)]),
        (
            "eval",
            vec![eval("plan"), eval("attack"), eval("free"), eval("goal")],
        ),
        ("sweep", vec![nearmiss(&[&swept[..], &quick[..]].concat())]),
    ];
    let columns = |table: &str| -> BTreeSet<String> {
        table
            .lines()
            .next()
            .unwrap_or_default()
            .split(',')
            .map(str::to_owned)
            .collect()
    };
    let mut all: Vec<(&str, BTreeSet<String>)> = Vec::new();
    for (command, outputs) in printed {
        let mut found = BTreeSet::new();
        for output in outputs {
            for line in text(&output.stdout).lines() {
                keys(&serde_json::from_str(line).expect("JSON"), &mut found);
            }
        }
        assert!(found.len() > 10, "{command}: {found:?}");
        all.push((command, found));
    }
    all.push(("score", columns(&text(&nearmiss(&["score", &case]).stdout))));
    let table = fs::read_to_string(Path::new(&out).join("sweep.csv")).expect("the table");
    all.push(("sweep", columns(&table)));
    for (command, found) in all {
        let help = text(&nearmiss(&[command, "--help"]).stdout);
        let words: BTreeSet<&str> = help
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        let said = |key: &&String| {
            let key = key.trim_end_matches("_items").trim_start_matches("idm_");
            ["gate_", "swept_"]
                .iter()
                .any(|start| key.starts_with(start))
                || words.contains(key)
        };
        let silent: Vec<&String> = found.iter().filter(|key| !said(key)).collect();
        assert!(
            silent.is_empty(),
            "{command} --help does not explain {silent:?}"
        );
    }
}

#[test]
fn a_rate_between_two_that_can_be_driven_is_named() {
    let scene = scene("empty-road");
    let drive = |rate: &str| {
        let asked = ["drive", &scene, "--planner", "idm", "--seconds", "3"];
        nearmiss(&[&asked[..], &["--json", "--replan-hz", rate]].concat())
    };
    let output = drive("7");
    let said = text(&output.stderr);
    assert!(said.contains("so 10 are made a second"), "{said}");
    let found = objects(&output);
    assert_eq!(found[0]["plans"], 30); // 3 s at 10 Hz
    assert_eq!(found[1]["rows"][0]["replan_hz"], 10.0);
    let exact = drive("5");
    assert!(!text(&exact.stderr).contains("--replan-hz"));
    assert_eq!(objects(&exact)[0]["plans"], 15);
}

#[test]
fn cases_of_one_log_are_one_recording_and_what_is_too_short_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = folder.path().join("cases");
    assert!(
        generate("left-turn", &cases, &["--samples", "2"])
            .status
            .success()
    );
    let (cases, log) = (cases.display().to_string(), scene("left-turn"));
    // 2 s of history and 3 s driven
    let short = folder.path().join("short").display().to_string();
    let asked = ["drive", &log, "--planner", "idm", "--seconds", "3"];
    let output = nearmiss(&[&asked[..], &["--json", "--out", &short]].concat());
    assert_eq!(objects(&output)[1]["rows"][0]["recordings"], 1);
    let other = scene("merge");
    let always = ["eval", &cases, &log, &other, &short, "--windows", "1"];
    let row = ["--task", "goal", "--methods", "log", "--json"];
    let output = nearmiss(&[&always[..], &row].concat());
    let table = &objects(&output)[0];
    assert_eq!(
        (
            &table["rows"][0]["windows"],
            &table["rows"][0]["recordings"]
        ),
        (&4.into(), &2.into())
    );
    assert_eq!(table["scenes_left_out"], 1);
    let said = text(&output.stderr);
    assert!(
        said.contains("left out: 000-left-turn-idm-log: it lasts 5.0 s"),
        "{said}"
    );
    assert!(
        said.contains("4 windows of 2 recordings; scenes left out: 1"),
        "{said}"
    );
    // drives of the cases are by recording, too
    let asked = [
        "drive",
        &cases,
        &other,
        "--planner",
        "idm",
        "--seconds",
        "1",
    ];
    let output = nearmiss(&[&asked[..], &["--json"]].concat());
    let row = &objects(&output)[3]["rows"][0];
    assert_eq!(
        (&row["scenes"], &row["recordings"], &row["interval"]["by"]),
        (&3.into(), &2.into(), &"recording".into())
    );
}

#[test]
fn rows_of_plans_are_of_the_windows_that_every_planner_answers_and_can_be_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = nearmiss(&["plan", &scene("left-turn"), "--decoder", "idm", "--json"]);
    fs::write(folder.path().join("left-turn.json"), plan.stdout).expect("writable");
    let own = folder.path().display().to_string();
    let (first, second) = (scene("left-turn"), scene("merge"));
    let always = ["eval", &first, &second, "--task", "plan", "--windows", "1"];
    let methods = ["--methods", "idm,constant-velocity,own", "--own", &own];
    let run = |more: &[&str]| nearmiss(&[&always[..], &methods, more].concat());
    let output = run(&["--json", "--against", "constant-velocity"]);
    let table = &objects(&output)[0];
    let rows = table["rows"].as_array().expect("rows");
    for row in rows {
        assert_eq!(
            (
                &row["windows"],
                &row["windows_left_out"],
                &row["recordings"]
            ),
            (&1.into(), &1.into(), &1.into())
        );
    }
    let said = text(&output.stderr);
    let left_out = said.lines().filter(|line| line.starts_with("left out: "));
    let left_out: Vec<&str> = left_out.collect();
    assert_eq!(left_out.len(), 1, "{said}");
    assert!(
        left_out[0].starts_with("left out: merge at 2.0 s: own: ")
            && left_out[0].contains("has no futures"),
        "{said}"
    );
    // the file holds what IDM planned there
    assert_eq!(rows[0]["ade_m"], rows[2]["ade_m"]);
    for key in ["ade_m", "chosen_ade_m"] {
        let value = |row: usize| rows[row][key].as_f64().expect("a number");
        let difference = rows[2]["difference"][key]["value"].as_f64();
        let difference = difference.expect("a difference");
        assert!((difference - (value(2) - value(1))).abs() < 2e-5, "{key}");
    }
    assert!(rows[1]["difference"].is_null());
    let shown = text(&run(&["--against", "constant-velocity"]).stdout);
    assert!(
        shown.contains("less constant-velocity: ade_m ")
            && shown.contains("as not every method has an answer: 1. * knows"),
        "{shown}"
    );
    let nobody = run(&["--against", "gmm"]);
    assert_eq!(nobody.status.code(), Some(2));
}

#[test]
fn futures_in_a_folder_are_told_apart_by_the_files_of_cases_that_share_a_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = folder.path().join("cases");
    let made = objects(&generate("left-turn", &cases, &["--samples", "2"]));
    let futures = folder.path().join("futures");
    fs::create_dir(&futures).expect("writable");
    let file = |case: &Value| Path::new(case["file"].as_str().expect("a file")).to_owned();
    for (case, y) in made.iter().zip([1, 2]) {
        let stem = file(case).file_stem().expect("a stem").to_owned();
        let own = futures.join(stem).with_extension("csv");
        fs::write(own, format!("x,y\n0,{y}\n")).expect("writable");
    }
    let own = futures.display().to_string();
    for (case, y) in made.iter().zip([1.0, 2.0]) {
        let case = file(case).display().to_string();
        let plan = &objects(&nearmiss(&["plan", &case, "--own", &own, "--json"]))[0];
        assert_eq!(plan["modes"][0]["points"][0][1], y);
    }
}

#[test]
fn a_contact_between_two_half_seconds_and_too_few_candidates_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let attack = |more: &[&str]| {
        let attack = ["--attacker", "truck-5", "--samples", "2", "--replace"];
        generate("left-turn", folder.path(), &[&attack[..], more].concat())
    };
    let between = attack(&["--at", "4.7"]);
    assert_eq!(between.status.code(), Some(1));
    let said = text(&between.stderr);
    assert!(said.contains("such as 4.5 s and 5 s"), "{said}");
    // at one time an attacker has one way that is the best
    let output = attack(&["--at", "4.5"]);
    assert_eq!(objects(&output).len(), 2);
    let said = text(&output.stderr);
    let told = "left-turn: there is 1 candidate for an attack; further samples repeat it";
    assert_eq!(said.matches(told).count(), 1, "{said}");
}

#[test]
fn a_refusal_says_which_case_it_is_of_with_whole_ids() {
    let folder = tempfile::tempdir().expect("a folder");
    let attack = ["--attacker", "truck-5", "--at", "3", "--seed", "7"];
    let output = generate("left-turn", folder.path(), &attack);
    assert_eq!(output.status.code(), Some(1));
    let refusal: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(refusal["error"].is_string());
    for (key, value) in [
        ("scene", "left-turn".into()),
        ("task", "attack".into()),
        ("seed", 7.into()),
        ("sample", 0.into()),
        ("attacker", "truck-5".into()),
        ("target", "car-0".into()),
    ] {
        let expected: Value = value;
        assert_eq!(refusal[key], expected, "{key}");
    }
}

#[test]
fn what_is_resumed_is_whole_and_made_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = objects(&generate("left-turn", folder.path(), &["--samples", "2"]));
    let first = made[0]["file"].as_str().expect("a file");
    let whole = fs::read_to_string(first).expect("the case");
    fs::write(first, &whole[..whole.len() / 2]).expect("writable");
    let resume = |more: &[&str]| {
        let always = ["--samples", "2", "--resume"];
        generate("left-turn", folder.path(), &[&always[..], more].concat())
    };
    let again = resume(&[]);
    assert_eq!(objects(&again).len(), 1);
    let said = text(&again.stderr);
    assert!(said.contains("made again, as it is not whole"), "{said}");
    assert_eq!(fs::read_to_string(first).expect("the case"), whole);
    assert!(objects(&resume(&[])).is_empty());
    let otherwise = resume(&["--temperature", "1"]);
    assert_eq!(otherwise.status.code(), Some(1));
    let said = text(&otherwise.stderr);
    assert!(
        said.contains(first) && said.contains("(temperature 0.7, asked 1)"),
        "{said}"
    );
    // other goals are another case, too, and so are other edits
    let goals = folder.path().join("goals");
    let aimed = |goal: &str, more: &[&str]| {
        let goal = format!("car-0={goal}");
        generate("left-turn", &goals, &[&["--goal", &*goal], more].concat())
    };
    assert!(aimed("10,0", &[]).status.success());
    let same = aimed("10,0", &["--resume"]);
    assert!(same.status.success() && objects(&same).is_empty());
    let said = text(&aimed("12,0", &["--resume"]).stderr);
    assert!(said.contains("(other goals)"), "{said}");
    let edits = folder.path().join("edits.json");
    let edit = r#"[{"edit": "resize", "agent": "car-0", "length": 4.0, "width": 1.8}]"#;
    fs::write(&edits, edit).expect("writable");
    let edits = edits.display().to_string();
    let said = text(&aimed("10,0", &["--resume", "--edits", &edits]).stderr);
    assert!(said.contains("(other edits)"), "{said}");
    // what is refused again does not make a folder incomplete that has cases
    let hopeless = ["--samples", "3", "--resume", "--valid"];
    let output = generate("left-turn", folder.path(), &hopeless);
    let said = text(&output.stderr);
    assert!(
        said.contains("0 of 1 cases written") && said.contains("1 refused"),
        "{said}"
    );
    assert!(output.status.success(), "{said}");
}

#[test]
fn cases_of_one_log_are_on_one_side_of_the_split() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = folder.path().join("cases");
    assert!(generate("merge", &cases, &[]).status.success());
    let cases = cases.display().to_string();
    let logs = ["merge", "cut-in", "detour"].map(scene);
    let mut sides = BTreeSet::new();
    for seed in ["0", "1", "2", "3", "4", "5"] {
        let out = folder.path().join(seed).display().to_string();
        let [merge, cut_in, detour] = &logs;
        let asked = ["tensors", merge, cut_in, detour, &cases, "--out", &out];
        let split = ["--valid-share", "0.3", "--seed", seed, "--stride", "4"];
        let output = nearmiss(&[&asked[..], &split].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let valid = fs::read_to_string(Path::new(&out).join("valid.txt")).expect("the list");
        let holds = |file: &str| valid.lines().any(|line| line == file);
        let case = valid.lines().any(|line| line.starts_with(&cases));
        assert_eq!(holds(merge), case, "{valid}");
        sides.insert(case);
    }
    assert_eq!(sides.len(), 2); // with some seeds it is for validation, with others not
}

#[test]
fn a_batch_ends_at_once_where_it_cannot_write() {
    let folder = tempfile::tempdir().expect("a folder");
    // a folder where the first file goes
    let blocked = folder.path().join("0000-left-turn-free-s1-0.json");
    fs::create_dir(&blocked).expect("writable");
    let output = generate("left-turn", folder.path(), &["--samples", "3", "--replace"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("no ordinary file") && said.contains("0 of 3 cases written"),
        "{said}"
    );
    assert!(
        !said.contains("refused") && output.stdout.is_empty(),
        "{said}"
    );
    let blocked = folder.path().join("000-cut-in-idm-log.json");
    fs::create_dir(&blocked).expect("writable");
    let out = folder.path().display().to_string();
    let (first, second) = (scene("cut-in"), scene("merge"));
    let asked = [
        "drive",
        &first,
        &second,
        "--planner",
        "idm",
        "--seconds",
        "1",
    ];
    let output = nearmiss(&[&asked[..], &["--replace", "--out", &out]].concat());
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("no ordinary file"), "{said}");
    assert!(!folder.path().join("001-merge-idm-log.json").exists());
}

#[test]
#[cfg(unix)]
fn a_table_is_stopped_while_a_planner_gives_no_answer() {
    use std::io::{BufRead as _, BufReader};
    let mut child = Command::new(env!("CARGO_BIN_EXE_nearmiss"))
        .args(["eval", &scene("left-turn"), "--task", "plan"])
        .args(["--methods", "idm,own", "--own", "sleep 100", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    // the first row is done, and the second planner has been asked
    let done = lines.find(|line| matches!(line, Ok(line) if line == "2/2 idm"));
    assert!(done.is_some());
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let output = child.wait_with_output().expect("it ends");
    assert!(began.elapsed() < Duration::from_secs(20)); // two minutes is how long an answer may take
    assert_eq!(output.status.code(), Some(1));
    assert!(
        rest.iter().any(|line| line.contains("stopped by Ctrl-C")),
        "{rest:?}"
    );
    let table: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(table["rows"].as_array().map(Vec::len), Some(1));
}
