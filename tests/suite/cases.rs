//! Cases made, checked and judged with the weights that come with the program.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::commands::nearmiss;

fn scene(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes");
    path.join(format!("{name}.json")).display().to_string()
}

/// Runs `generate` on the bundled left turn into `folder`; the objects it printed.
fn generate(folder: &Path, more: &[&str]) -> Vec<Value> {
    let (scene, out) = (scene("left-turn"), folder.display().to_string());
    let mut arguments = vec!["generate", &scene, "--out", &out, "--steps", "4", "--json"];
    arguments.extend(more);
    let output = nearmiss(&arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect()
}

fn file_of(case: &Value) -> PathBuf {
    PathBuf::from(case["file"].as_str().expect("a file"))
}

#[test]
fn an_attack_on_the_bundled_scene_touches_and_its_file_regenerates_to_the_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = generate(folder.path(), &["--task", "attack"]);
    let gates = cases[0]["gates"].as_array().expect("gates");
    let contact = gates.iter().find(|gate| gate["gate"] == "contact");
    assert_eq!(contact.expect("the gate")["passed"], true);
    assert!(!cases[0]["metrics"].as_array().expect("metrics").is_empty());

    let file = file_of(&cases[0]);
    let path = file.display().to_string();
    let output = nearmiss(&["check", &path, "--json"]);
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&report["holds"], &report["seed"]),
        (&true.into(), &1.into())
    );

    let text = fs::read_to_string(&file).expect("the case");
    let changed = text.replacen("\"temperature\": 0.5", "\"temperature\": 0.6", 1);
    assert_ne!(text, changed);
    fs::write(&file, changed).expect("writable");
    assert_eq!(nearmiss(&["check", &path]).status.code(), Some(1));
}

#[test]
fn a_case_holds_whatever_it_was_made_of_and_after_it_is_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name).display().to_string();
    let holds = |file: &str| {
        let output = nearmiss(&["check", file]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
    };
    // sizes between the steps of the file's grid
    let edits = place("edits.json");
    let sizes = r#"[{"edit": "resize", "agent": "car-1", "length": 4.83217, "width": 1.93333}]"#;
    fs::write(&edits, sizes).expect("writable");
    let made = generate(folder.path(), &["--edits", &edits]);
    holds(&file_of(&made[0]).display().to_string());
    // thirtieths of a second between frames
    let text = fs::read_to_string(scene("left-turn")).expect("the scene");
    let odd = text.replacen("\"dt_s\": 0.1", "\"dt_s\": 0.03333333333333333", 1);
    assert_ne!(text, odd);
    fs::write(place("odd.json"), odd).expect("writable");
    let (odd, out) = (place("odd.json"), place("out"));
    let output = nearmiss(&["generate", &odd, "--out", &out, "--steps", "4"]);
    assert!(output.status.success());
    holds(&out);
    // a part from 2 s before its present on, and one in which that is another
    let made = generate(folder.path(), &["--time", "3.5", "--task", "attack"]);
    let whole = file_of(&made[0]).display().to_string();
    let cut = |name: &str, start_s: &str| {
        let part = place(name);
        let asked = ["--window", start_s, "--length", "10"];
        let output = nearmiss(&[&["convert", &whole, &part][..], &asked].concat());
        assert!(output.status.success());
        part
    };
    holds(&whole);
    holds(&cut("part.json", "1.5"));
    let other = nearmiss(&["check", &cut("other.json", "1")]);
    let said = String::from_utf8_lossy(&other.stdout).into_owned()
        + &String::from_utf8_lossy(&other.stderr);
    assert!(said.contains("a scene, not a generated case"), "{said}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_shards_split_a_batch() {
    let (one, two) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let all = generate(one.path(), &["--samples", "2", "--seed", "7"]);
    let first = generate(
        two.path(),
        &["--samples", "2", "--seed", "7", "--shard", "1/2"],
    );
    assert_eq!((all.len(), first.len()), (2, 1));
    let name = file_of(&first[0]);
    let twin = one.path().join(name.file_name().expect("a name"));
    assert_eq!(
        fs::read(&name).expect("case"),
        fs::read(twin).expect("case")
    );
}

#[test]
fn of_several_tries_the_first_that_fails_fewest_gates_is_written_with_its_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let hot = [
        "--task",
        "free",
        "--temperature",
        "1.3",
        "--guidance",
        "collision=0",
        "--redraws",
        "0",
    ];
    let failed = |case: &Value| {
        let gates = case["gates"].as_array().expect("gates");
        gates.iter().filter(|gate| gate["passed"] == false).count()
    };
    let drawn = |count: &str, how: &str, more: &[&str]| {
        let mut arguments = hot.to_vec();
        arguments.extend([how, count]);
        arguments.extend(more);
        generate(&folder.path().join(how), &arguments)
    };
    let every: Vec<usize> = drawn("5", "--samples", &[]).iter().map(failed).collect();
    assert!(every[0] > 0, "the first draw fails somewhere: {every:?}");
    let until = every.iter().position(|&fails| fails == 0);
    let seen = &every[..until.map_or(every.len(), |at| at + 1)];
    let fewest = seen.iter().min().expect("draws");
    let best = seen.iter().position(|fails| fails == fewest).expect("one");

    let kept = drawn("5", "--tries", &["--keep-steps"]);
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (&kept[0]["sample"], failed(&kept[0])),
        (&best.into(), *fewest)
    );
    let (file, step) = (file_of(&kept[0]), "0004.json");
    let last = file.with_extension("steps").join(step);
    let tracks = |path: &Path| {
        let text = fs::read_to_string(path).expect("a scene");
        let scene: Value = serde_json::from_str(&text).expect("JSON");
        scene["agents"].clone()
    };
    assert_eq!(tracks(&last), tracks(&file));
}

#[test]
fn a_goal_is_reached_and_every_step_is_kept_on_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = generate(folder.path(), &["--task", "goal", "--keep-steps"]);
    let metrics = cases[0]["metrics"].as_array().expect("metrics");
    let miss = metrics
        .iter()
        .find(|metric| metric["name"] == "goal_miss_m");
    // goals are known tokens: met to the file's grid
    assert!(miss.expect("goals")["value"].as_f64().expect("number") < 1e-3);
    let steps = file_of(&cases[0]).with_extension("steps");
    assert_eq!(fs::read_dir(steps).expect("a folder").count(), 4);
}

#[test]
fn impossible_wishes_end_with_one_sentence_and_code_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (scene, out) = (scene("empty-road"), folder.path().display().to_string());
    let output = nearmiss(&["generate", &scene, "--out", &out, "--task", "attack"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        errors.contains("can attack") || errors.contains("ego"),
        "{errors}"
    );
}

#[test]
fn tables_have_the_floor_and_the_baselines_with_stable_keys() {
    let scene = scene("left-turn");
    let output = nearmiss(&[
        "eval",
        &scene,
        "--task",
        "goal",
        "--methods",
        "log,hermite,prior,full",
        "--steps",
        "2",
        "--windows",
        "1",
        "--json",
    ]);
    assert!(output.status.success());
    let table: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = table["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 4);
    for key in [
        "task",
        "method",
        "schedule",
        "steps",
        "temperature",
        "windows",
        "agents",
        "ade_m",
        "ade_moving_m",
        "min_ade_m",
        "samples",
        "collision_pct",
        "off_road_pct",
        "instability",
        "seconds_per_scene",
        "interval",
    ] {
        assert!(rows[0].get(key).is_some(), "{key}");
    }
    assert_eq!(rows[0]["ade_m"], 0.0); // the log against itself
    assert!(rows[1]["ade_m"].as_f64().expect("number") > 0.0);
}

#[test]
fn without_a_display_the_demonstration_leaves_a_case_that_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nearmiss"))
        .current_dir(folder.path())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("the program starts");
    if cfg!(target_os = "linux") {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        assert!(
            text.contains("Gates:") && text.contains("DISPLAY"),
            "{text}"
        );
        let case = folder.path().join("nearmiss-demonstration/attack.json");
        let path = case.display().to_string();
        assert!(nearmiss(&["check", &path]).status.success());
    }
}

#[test]
fn a_case_that_claims_another_metric_or_fault_does_not_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = generate(folder.path(), &["--task", "attack"]);
    let file = file_of(&cases[0]);
    let text = fs::read_to_string(&file).expect("the case");
    let mut case: Value = serde_json::from_str(&text).expect("JSON");
    let metrics = case["generated"]["metrics"]
        .as_array_mut()
        .expect("metrics");
    let ade = metrics.iter_mut().find(|metric| metric["name"] == "ade_m");
    ade.expect("the metric")["value"] = 99.0.into();
    case["generated"]["fault"] = "none".into();
    fs::write(&file, case.to_string()).expect("writable");
    let output = nearmiss(&["check", &file.display().to_string(), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let wrong = report["claims_wrong"].to_string();
    assert!(
        wrong.contains("not 99") && wrong.contains("fault"),
        "{wrong}"
    );
}

#[test]
fn finished_cases_are_not_replaced_unasked_and_a_stopped_batch_is_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = file_of(&generate(folder.path(), &[])[0]);
    let before = fs::read(&first).expect("the case");
    let (scene, out) = (scene("left-turn"), folder.path().display().to_string());
    let again = ["generate", &scene, "--out", &out, "--temperature", "1"];
    let refused = nearmiss(&again);
    assert_eq!(refused.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(errors.contains("would be replaced"), "{errors}");
    assert_eq!(fs::read(&first).expect("the case"), before);
    // of two samples the first is there
    let more = generate(folder.path(), &["--samples", "2", "--resume"]);
    assert_eq!((more.len(), &more[0]["sample"]), (1, &1.into()));
    assert_eq!(fs::read(&first).expect("the case"), before);
    generate(folder.path(), &["--temperature", "1", "--replace"]);
    assert_ne!(fs::read(&first).expect("the case"), before);
    // of a shorter run the steps of the longer one are gone
    for steps in ["4", "2"] {
        let run = [
            "generate",
            &scene,
            "--out",
            &out,
            "--replace",
            "--keep-steps",
            "--redraws",
            "0",
            "--steps",
            steps,
        ];
        assert!(nearmiss(&run).status.success());
    }
    let kept = fs::read_dir(first.with_extension("steps")).expect("steps");
    assert_eq!(kept.count(), 2);
}

#[test]
fn a_damaged_case_leaves_the_others_in_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = file_of(&generate(folder.path(), &[])[0]);
    let bad = folder.path().join("bad.json");
    fs::write(&bad, "{\"x\":").expect("writable");
    let paths = [bad, good].map(|path| path.display().to_string());
    let output = nearmiss(&["score", &paths[0], &paths[1]]);
    assert_eq!(output.status.code(), Some(1));
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(table.lines().count(), 2, "{table}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("left out") && errors.contains("1 of 2 cannot be opened"),
        "{errors}"
    );
}

#[test]
fn a_goal_alone_asks_for_the_task_goal() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = generate(folder.path(), &["--goal", "car-0=30,0"]);
    assert_eq!(cases[0]["task"], "goal");
}

#[test]
fn a_case_made_again_names_the_weights_that_made_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file_of(&generate(folder.path(), &[])[0]);
    let text = fs::read_to_string(&file).expect("the case");
    let mut case: Value = serde_json::from_str(&text).expect("JSON");
    let hash = case["generated"]["recipe"]["weights_hash"].clone();
    case["generated"]["recipe"]["weights_hash"] = "0123".into();
    fs::write(&file, case.to_string()).expect("writable");
    let (path, out) = (file.display().to_string(), folder.path().join("again"));
    let out = out.display().to_string();
    let output = nearmiss(&["generate", &path, "--again", "--out", &out, "--json"]);
    assert!(output.status.success());
    let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let again = fs::read_to_string(file_of(&made)).expect("the case");
    let again: Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!(again["generated"]["recipe"]["weights_hash"], hash);
}

#[test]
fn what_makes_no_sense_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let (left_turn, out) = (scene("left-turn"), folder.path().display().to_string());
    let said = |arguments: &[&str], code: i32| {
        let output = nearmiss(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let attack = [
        "generate",
        &left_turn,
        "--out",
        &out,
        "--task",
        "attack",
        "--attacker",
        "car-0",
    ];
    assert!(said(&attack, 1).contains("cannot attack itself"));
    let late = [
        "generate",
        &left_turn,
        "--out",
        &out,
        "--task",
        "goal",
        "--goal",
        "car-0=30,0,99",
    ];
    assert!(said(&late, 1).contains("8 s after the present"));
    let many = [
        "generate",
        &left_turn,
        "--out",
        &out,
        "--samples",
        "99999999999",
    ];
    assert!(said(&many, 2).contains("100000"));
    let picture = folder.path().join("x.png").display().to_string();
    let beyond = ["render", &left_turn, "--out", &picture, "--time", "99"];
    assert!(said(&beyond, 1).contains("lasts from 0 to 12.0 s"));
    // a shard beyond the last scene has nothing to do, which is no failure
    let free = [
        "generate",
        &left_turn,
        "--out",
        &out,
        "--task",
        "free",
        "--goal",
        "car-0=30,0",
    ];
    assert!(said(&free, 2).contains("task free is given no goals"));
    let scene_first = [&*left_turn, "info", &left_turn];
    assert!(said(&scene_first, 2).contains("scenes come after it"));
    let without_row = ["eval", &left_turn, "--task", "attack", "--methods", "full"];
    assert!(said(&without_row, 2).contains("has no row in the tables asked for (attack)"));
    let shard = ["generate", &left_turn, "--out", &out, "--shard", "7/9"];
    assert!(said(&shard, 0).contains("nothing to do"));
}

#[test]
#[cfg(unix)]
fn links_are_followed_and_what_is_no_ordinary_file_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let left_turn = scene("left-turn");
    let convert = |out: &Path| {
        let out = out.display().to_string();
        nearmiss(&["convert", &left_turn, &out, "--to", "nearmiss"])
    };
    let (target, link) = (
        folder.path().join("target.json"),
        folder.path().join("link.json"),
    );
    fs::write(&target, "{}").expect("writable");
    std::os::unix::fs::symlink("target.json", &link).expect("a link");
    assert!(convert(&link).status.success());
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert!(fs::metadata(&target).expect("there").len() > 1000);
    let refused = convert(Path::new("/dev/null"));
    assert_eq!(refused.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(errors.contains("no ordinary file"), "{errors}");
    // a file is not its own output
    let copy = folder.path().join("copy.json").display().to_string();
    fs::copy(&target, &copy).expect("copied");
    let same = nearmiss(&["convert", &copy, &copy]);
    assert_eq!(same.status.code(), Some(1));
}
