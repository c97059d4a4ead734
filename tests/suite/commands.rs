//! The command line, run as a user runs it.

use std::path::Path;
use std::process::{Command, Output};

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
fn the_shipped_schema_is_the_one_the_types_give() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scene.schema.json");
    let output = nearmiss(&["schema"]);
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &printed).expect("writable assets");
    }
    let shipped = std::fs::read_to_string(&path).expect("assets/scene.schema.json");
    assert!(
        shipped == printed,
        "assets/scene.schema.json is out of date: run the test with UPDATE_SCHEMA=1 and look at the change"
    );
}

#[test]
fn check_says_of_a_foreign_file_what_info_says_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "not a scene at all").expect("writable");
    let path = file.display().to_string();
    let said = |verb: &str| {
        let output = nearmiss(&[verb, &path]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert!(said("check").contains("not a scene file that Nearmiss knows"));
    assert_eq!(said("check"), said("info"));
}
