//! The tables in `src/lib.rs`, held against the source: who may use whom, and where each heavy
//! dependency lives. To change the architecture, change the tables.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_module_uses_only_what_its_row_names() {
    let modules = table("# Modules");
    let mut faults = Vec::new();
    for (path, number, line) in code_lines() {
        let module = module_of(&path);
        let Some((_, allowed)) = modules.iter().find(|(name, _)| *name == module) else {
            continue;
        };
        let at_door = !path.contains('/') || path.ends_with("/mod.rs");
        for rest in mentions(&line, "super") {
            if rest.starts_with("::super") || (at_door && !rest.starts_with("::*")) {
                faults.push(format!(
                    "{path}:{number}: write `crate::…` to leave `{module}`"
                ));
            }
        }
        for rest in mentions(&line, "crate") {
            let name = word(rest.trim_start_matches("::"));
            if name.is_empty() {
                faults.push(format!(
                    "{path}:{number}: one `use crate::module::…` per module"
                ));
            } else if name != module && !allowed.iter().any(|other| other == name) {
                faults.push(format!("{path}:{number}: `{module}` may not use `{name}`"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_heavy_dependency_stays_at_home() {
    let homes = table("# Homes");
    let mut faults = Vec::new();
    for (path, number, line) in code_lines() {
        if line.contains("use std::{") {
            faults.push(format!(
                "{path}:{number}: one `use std::module::…` per module"
            ));
        }
        for (name, allowed) in &homes {
            let away = !allowed.iter().any(|home| path.starts_with(home));
            if away && !mentions(&line, name).is_empty() {
                faults.push(format!("{path}:{number}: `{name}` lives in {allowed:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn the_table_lists_every_module_and_only_reaches_down() {
    let mut listed: Vec<String> = Vec::new();
    for (module, allowed) in table("# Modules") {
        for name in &allowed {
            assert!(
                listed.contains(name),
                "`{module}` names `{name}`, which is not above its row"
            );
        }
        listed.push(module);
    }
    let mut found: Vec<String> = sources().iter().map(|(path, _)| module_of(path)).collect();
    found.retain(|module| module != "lib" && module != "main");
    found.sort();
    found.dedup();
    listed.sort();
    assert_eq!(found, listed);
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    for (path, text) in sources() {
        assert!(
            text.starts_with("//!"),
            "src/{path} lacks its `//!` sentence"
        );
    }
}

/// The first two columns of the table under `heading` in the crate documentation.
fn table(heading: &str) -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(root().join("lib.rs")).expect("src/lib.rs");
    let rows: Vec<_> = text
        .lines()
        .skip_while(|line| !line.ends_with(heading))
        .skip(1)
        .take_while(|line| !line.starts_with("//! #"))
        .filter_map(|line| line.strip_prefix("//! |"))
        .skip(2)
        .map(|row| {
            let mut cells = row.split('|').map(str::trim);
            let name = cells.next().unwrap_or("").to_owned();
            let list = cells.next().unwrap_or("");
            (name, list.split_whitespace().map(str::to_owned).collect())
        })
        .collect();
    assert!(!rows.is_empty(), "no table under {heading:?} in src/lib.rs");
    rows
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file: its path below `src/`, and its text.
fn sources() -> Vec<(String, String)> {
    let mut pending = vec![root()];
    let mut files = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("readable folder");
            pending.extend(entries.map(|entry| entry.expect("readable entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(root()).expect("below src");
            let name = below.to_string_lossy().replace('\\', "/");
            files.push((name, fs::read_to_string(&path).expect("readable file")));
        }
    }
    files.sort();
    files
}

/// Every line of every file, numbered, without its `//` comment.
fn code_lines() -> Vec<(String, usize, String)> {
    let mut lines = Vec::new();
    for (path, text) in sources() {
        for (index, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            lines.push((path.clone(), index + 1, code.to_owned()));
        }
    }
    lines
}

/// `scene/edit.rs` → `scene`, `rng.rs` → `rng`.
fn module_of(path: &str) -> String {
    word(path).to_owned()
}

/// What follows each path segment `name`: a whole word before `::`, or one that ends an import.
fn mentions<'a>(line: &'a str, name: &str) -> Vec<&'a str> {
    let import = line
        .trim_start()
        .trim_start_matches("pub ")
        .starts_with("use ");
    line.match_indices(name)
        .filter(|(at, _)| !line[..*at].ends_with(is_word))
        .map(|(at, _)| &line[at + name.len()..])
        .filter(|rest| rest.starts_with("::") || (import && !rest.starts_with(is_word)))
        .collect()
}

/// The identifier at the start of `text`.
fn word(text: &str) -> &str {
    text.split(|letter| !is_word(letter)).next().unwrap_or("")
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
