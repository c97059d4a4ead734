//! Parameter sweeps from the command line and in the window.

use std::fs;
use std::path::Path;

use egui::Key;
use egui::Modifiers;
use egui_kittest::kittest::NodeT as _;
use egui_kittest::kittest::Queryable as _;

use nearmiss::scene::{Edit, Task, read_scene};
use nearmiss::ui::App;

use crate::commands::nearmiss;
use crate::stage::{Bench, entries, may_draw, opened, until};

fn scene(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes");
    root.join(name).display().to_string()
}

#[test]
fn a_sweep_writes_a_case_for_each_combination_and_says_what_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("cases").display().to_string();
    let left_turn = scene("left-turn.json");
    let quick = ["--steps", "4", "--redraws", "0", "--json", "--out", &out];
    let swept = [
        "--attacker",
        "truck-5",
        "--sweep",
        "contact=4.5,5.5,1",
        "--sweep",
        "speed:ego=6:9:2",
    ];
    let output = nearmiss(&[&["generate", &*left_turn], &swept[..], &quick[..]].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let objects: Vec<serde_json::Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(objects.len(), 6);
    let made: Vec<&serde_json::Value> =
        objects.iter().filter(|it| it["file"].is_string()).collect();
    assert_eq!(made.len(), 4, "{said}");
    assert_eq!(made[1]["swept"][1]["value"], 9.0); // the last one changes first
    assert_eq!(made[2]["swept"][0]["what"], "contact");
    let refused = objects.iter().find(|it| it["error"].is_string()).unwrap();
    assert_eq!(
        (&refused["swept"][0]["value"], &refused["scene"]),
        (&1.0.into(), &"left-turn".into())
    );
    // 1 s lies before the present
    assert!(
        errors.contains("contact of 1 s is not possible"),
        "{errors}"
    );
    let case = read_scene(Path::new(made[3]["file"].as_str().unwrap())).unwrap();
    assert!(
        case.name.ends_with("contact 5.5 s, speed of ego 9 m/s"),
        "{}",
        case.name
    );
    assert_eq!(case.attacks[0].time_s, 5.5);
    let present = case.ego().unwrap().track.get(case.now).unwrap().speed();
    assert!((present - 9.0).abs() < 0.01, "{present}");
    // made again it is the same
    let file = made[3]["file"].as_str().unwrap();
    assert!(nearmiss(&["check", file]).status.success());
}

#[test]
fn a_sweep_is_refined_where_a_planner_turns_told_in_a_table_and_a_page_and_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("map").display().to_string();
    let left_turn = scene("left-turn.json");
    // at 5 m/s IDM stays clear of everybody in this scene, at 11 it does not
    let swept = ["--sweep", "speed:ego=5,11", "--sweep", "ahead:ego=-9,5"];
    let quick = [
        "--steps",
        "4",
        "--redraws",
        "0",
        "--planners",
        "idm",
        "--out",
        &out,
    ];
    let run =
        |more: &[&str]| nearmiss(&[&["sweep", &*left_turn], &swept[..], &quick[..], more].concat());
    let output = run(&["--refine", "1", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let said = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<serde_json::Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(objects.len() > 4 && objects.len() <= 9, "{said}");
    let outcome = |object: &serde_json::Value| object["drives"]["idm"]["outcome"].clone();
    let first: Vec<_> = objects[..4].iter().map(outcome).collect();
    assert!(first.iter().any(|it| *it != first[0]), "{first:?}");
    // what came in lies halfway
    let new = &objects[4]["swept"];
    assert!(new[0]["value"] == 8.0 || new[1]["value"] == -2.0, "{new}");

    // table, page and cases say the same
    let table = fs::read_to_string(format!("{out}/sweep.csv")).unwrap();
    assert!(
        table.starts_with("swept_speed_ego,swept_ahead_ego,case,valid,"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 1 + objects.len());
    let page = fs::read_to_string(format!("{out}/index.html")).unwrap();
    assert_eq!(page.matches("<table class=\"map\">").count(), 2); // gates and IDM
    for object in &objects {
        let file = object["file"].as_str().unwrap();
        let name = Path::new(file).file_name().unwrap().to_str().unwrap();
        assert_eq!(table.matches(name).count(), 1, "{name}");
        assert!(page.contains(&format!("href=\"{name}\"")), "{name}");
        let case = read_scene(Path::new(file)).unwrap();
        assert_eq!(case.is_valid(), object["valid"], "{name}");
        for axis in 0..2 {
            let value = |swept: &serde_json::Value| swept[axis]["value"].as_f64();
            assert_eq!(
                value(&case.extra["swept"]),
                value(&object["swept"]),
                "{name}"
            );
        }
    }

    // nothing is replaced unasked; the same sweep finds its cases, another refuses them
    assert_eq!(run(&[]).status.code(), Some(1));
    let written = |name: &str| fs::metadata(name).unwrap().modified().unwrap();
    let case = objects[0]["file"].as_str().unwrap();
    let before = written(case);
    let again = run(&["--refine", "1", "--resume"]);
    let (said, errors) = (
        again.stdout,
        String::from_utf8_lossy(&again.stderr).into_owned(),
    );
    assert!(again.status.success(), "{errors}");
    assert_eq!(written(case), before);
    assert_eq!(
        fs::read_to_string(format!("{out}/sweep.csv")).unwrap(),
        table
    );
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.contains("IDM, speed of ego (m/s) by ego ahead (m)"),
        "{said}"
    );
    let other = run(&["--seed", "2", "--resume"]);
    let errors = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(
        !other.status.success() && errors.contains("of another sweep"),
        "{errors}"
    );
}

#[test]
fn a_sweep_on_its_own_says_what_it_lacks() {
    let left_turn = scene("left-turn.json");
    let refused = |more: &[&str]| {
        let start = ["sweep", &*left_turn, "--out", "never"];
        let output = nearmiss(&[&start[..], more].concat());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&[]).contains("nothing is swept"));
    let speed = ["--sweep", "speed:ego=5,6"];
    assert!(refused(&[&speed[..], &["--by", "idm"]].concat()).contains("does not drive"));
    assert!(refused(&[&speed[..], &["--planners", "own"]].concat()).contains("--own COMMAND"));
    assert!(refused(&[&speed[..], &["--refine", "99"]].concat()).contains("99"));
    assert!(!Path::new("never").exists());
}

#[test]
fn a_sweep_that_cannot_be_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let cut_in = scene("cut-in.json");
    let refused = |more: &[&str]| {
        let output = nearmiss(&[&["generate", &*cut_in, "--out", &*out], more].concat());
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&["--sweep", "pace=1:2:3"]).contains("there are contact, arrival"));
    assert!(refused(&["--sweep", "speed=1:2"]).contains("FROM:TO:COUNT"));
    assert!(refused(&["--task", "free", "--sweep", "contact=4"]).contains("--task attack"));
    assert!(refused(&["--again", "--sweep", "speed=4"]).contains("--again"));
    let many = ["--sweep", "speed=4:9:30", "--sweep", "left=-1:1:30"];
    assert!(refused(&many).contains("900"));
    assert!(refused(&["--task", "mix", "--sweep", "speed=4"]).contains("mix"));
    assert!(refused(&["--sweep", "left=1", "--sweep", "left=2"]).contains("twice"));
}

#[test]
fn edits_of_a_file_are_made_first_and_a_wrong_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("edits.json");
    let generate = |text: &str, out: &str| {
        fs::write(&file, text).unwrap();
        let (out, edits) = (folder.path().join(out), file.display().to_string());
        let out = out.display().to_string();
        let quick = [
            "--steps",
            "4",
            "--redraws",
            "0",
            "--out",
            &out,
            "--edits",
            &edits,
        ];
        nearmiss(&[&["generate", &*scene("cut-in.json")], &quick[..]].concat())
    };
    let base = read_scene(Path::new(&scene("cut-in.json"))).unwrap();
    let gone = &base.agents.last().unwrap().id;
    let list = format!(r#"[{{"edit": "remove", "agent": "{gone}"}}]"#);
    assert!(generate(&list, "list").status.success());
    let written = fs::read_dir(folder.path().join("list")).unwrap().next();
    let case = read_scene(&written.unwrap().unwrap().path()).unwrap();
    assert!(case.agent(gone).is_none());
    assert!(
        case.edits
            .iter()
            .any(|edit| matches!(edit, Edit::Remove { .. }))
    );
    let held = generate(&format!(r#"{{"edits": {list}}}"#), "held");
    assert!(held.status.success());
    // what an edit sets is what the task is about
    let goal = r#"[{"edit": "set_goal", "goal": {"agent": "car-1", "point": [60, 5], "time_s": 9, "tolerance_m": 1, "hard": true}}]"#;
    let aimed = generate(goal, "goal");
    assert!(
        aimed.status.success(),
        "{}",
        String::from_utf8_lossy(&aimed.stderr)
    );
    let written = fs::read_dir(folder.path().join("goal")).unwrap().next();
    let case = read_scene(&written.unwrap().unwrap().path()).unwrap();
    assert_eq!(case.generated.unwrap().recipe.task, Task::Goal);
    let told = |text: &str| {
        let output = generate(text, "none");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(told(r#"[{"edit": "fly"}]"#).contains("edit 0"));
    assert!(told("7").contains("no list of edits"));
    assert!(told(r#"[{"edit": "remove", "agent": "nobody"}]"#).contains("nobody"));
}

fn button(bench: &mut Bench, label: &str) {
    bench.get_by_label(label).click();
    bench.run_steps(3);
}

/// The labels that contain `text`.
fn labels(bench: &Bench, text: &str) -> Vec<String> {
    let found = bench.query_all_by_label_contains(text);
    found
        .map(|node| node.accesskit_node().label().unwrap_or_default())
        .collect()
}

#[test]
fn a_sweep_is_made_beside_the_work_shown_cell_by_cell_and_driven_by_planners() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), true);
    until(&mut bench, "model", App::model_ready);
    let before = entries(&bench);
    let both = Modifiers::COMMAND | Modifiers::SHIFT;
    bench.key_press_modifiers(both, Key::V);
    bench.run_steps(3);
    // what the ego offers is proposed
    button(&mut bench, "Make it 5 times");
    let made = |bench: &Bench| {
        let cells = labels(bench, "speed of ego ");
        let made = cells.iter().filter(|cell| cell.contains("m/s: "));
        made.count()
    };
    for _ in 0..2000 {
        bench.run_steps(1);
        if made(&bench) == 5 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(made(&bench), 5);
    assert_eq!(entries(&bench), before);
    let first = labels(&bench, "m/s: ").remove(0);
    bench.get_by_label(&first).click_accesskit();
    bench.run_steps(3);
    assert_eq!(entries(&bench), before + 1);
    let name = bench.state().editor().committed().unwrap().name.clone();
    assert!(
        first.starts_with(name.rsplit(" · ").next().unwrap()),
        "{first} of {name}"
    );
    // the sheet is there again, and says what planners made of it
    bench.key_press_modifiers(both, Key::V);
    bench.run_steps(3);
    bench.get_by_label_contains("Keep the ");
    bench.get_by_label("Copy as table").click();
    let valid = labels(&bench, ": valid").len();
    assert!(valid > 0);
    button(&mut bench, "Try planners…");
    bench.get_by_label(&format!("Sweep ({valid})"));
    let drive = match valid {
        1 => "Drive once".to_owned(),
        _ => format!("Drive {valid} times"),
    };
    button(&mut bench, &drive);
    for _ in 0..2000 {
        bench.run_steps(1);
        let cells = labels(&bench, ", IDM: ");
        let came = |cell: &&String| {
            let (_, came) = cell.rsplit_once(": ").unwrap();
            !came.contains(" of ") && came != "·"
        };
        if cells.iter().filter(came).count() == valid {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    button(&mut bench, "In the sweep…");
    assert_eq!(labels(&bench, ": valid").len(), 0);
    assert_eq!(made(&bench), 5);
    // slow it is clear, fast it is hit: between them more is made, and driven, and what was there stays
    let driven = |bench: &Bench| {
        let cells = labels(bench, "m/s: ");
        let came = cells
            .iter()
            .filter(|cell| cell.contains("clear") || cell.contains("fault"));
        came.count()
    };
    assert_eq!(driven(&bench), 5);
    button(&mut bench, "Refine");
    for _ in 0..2000 {
        bench.run_steps(1);
        if driven(&bench) == 6 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(driven(&bench), 6, "{:?}", labels(&bench, "speed of ego "));
    button(&mut bench, "Gates");
    assert_eq!(labels(&bench, ": valid").len(), 6);
    button(&mut bench, "Refine");
    assert_eq!(made(&bench), 6); // all are valid: there is no edge
    bench.get_by_label_contains("there is no edge to look at");
}
