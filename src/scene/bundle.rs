//! Several cases in one file, each a whole scene under a name of its own.

use std::sync::Arc;

use serde::Deserialize;

use super::Scene;
use super::file::{FileError, scene_from_json, scene_to_json, told, without_mark};

/// What a file of cases says it is.
pub const CASES_FORMAT: &str = "nearmiss/cases";

/// Newest version of that file this program reads and writes.
const CASES_VERSION: u32 = 1;

#[derive(Deserialize)]
struct Text {
    format: String,
    version: u32,
    cases: Vec<CaseText>,
}

#[derive(Deserialize)]
struct CaseText {
    name: String,
    scene: serde_json::Value,
}

/// The text of a file that holds all of `cases`. A name that occurs again gets its number, or the next that is free.
pub fn cases_to_json(cases: &[(String, Arc<Scene>)]) -> String {
    let mut text = format!(
        "{{\n \"format\": \"{CASES_FORMAT}\",\n \"version\": {CASES_VERSION},\n \"cases\": ["
    );
    let mut names: Vec<String> = Vec::new();
    for (at, (name, scene)) in cases.iter().enumerate() {
        let mut free = name.clone();
        let mut number = at + 1;
        while names.contains(&free) || free.is_empty() {
            free = format!("{name} ({number})");
            number += 1;
        }
        let name = free;
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        let quoted = serde_json::Value::from(name.as_str());
        let scene = scene_to_json(scene);
        text.push_str(&format!(
            "{{\"name\": {quoted}, \"scene\": {}}}",
            scene.trim_end()
        ));
        names.push(name);
    }
    text.push_str("\n ]\n}\n");
    text
}

/// The cases of such a file with their names; `path` is for messages only.
///
/// # Errors
///
/// If it is not JSON, not a file of cases, newer than this program, or a case in it is no scene: then the message names
/// the case.
pub fn cases_from_json(bytes: &[u8], path: &str) -> Result<Vec<(String, Scene)>, FileError> {
    let mut reader = serde_json::Deserializer::from_slice(without_mark(bytes));
    let text: Text =
        serde_path_to_error::deserialize(&mut reader).map_err(|error| FileError::Json {
            path: path.to_owned(),
            element: error.path().to_string(),
            message: told(&error.into_inner()),
        })?;
    if text.format != CASES_FORMAT {
        return Err(FileError::Format {
            path: path.to_owned(),
            found: text.format,
        });
    }
    if text.version > CASES_VERSION {
        return Err(FileError::Newer {
            path: path.to_owned(),
            found: text.version,
        });
    }
    let cases = text.cases.into_iter().enumerate();
    cases
        .map(|(at, case)| {
            let shown = format!("{path}: cases[{at}]");
            let scene = scene_from_json(case.scene.to_string().as_bytes(), &shown)?;
            Ok((case.name, scene))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(name: &str) -> Arc<Scene> {
        Arc::new(Scene {
            name: name.to_owned(),
            dt_s: 0.1,
            frames: 3,
            ..Scene::default()
        })
    }

    #[test]
    fn cases_come_back_with_their_names_and_contents() {
        let cases = ["one", "one", "a \"quoted\" name"].map(|name| (name.to_owned(), scene(name)));
        let marked = format!("\u{feff}{}", cases_to_json(&cases)); // as some editors save it
        let read = cases_from_json(marked.as_bytes(), "x.json").unwrap();
        let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["one", "one (2)", "a \"quoted\" name"]);
        for ((_, scene), (_, before)) in read.iter().zip(&cases) {
            assert_eq!(scene.hash(), before.hash());
        }
    }

    #[test]
    fn a_damaged_case_is_named_by_its_place() {
        let text = cases_to_json(&[
            ("one".to_owned(), scene("a")),
            ("two".to_owned(), scene("b")),
        ]);
        let text = text.replacen("\"frames\": 3", "\"frames\": -3", 2);
        let text = text.replacen("\"frames\": -3", "\"frames\": 3", 1);
        let error = cases_from_json(text.as_bytes(), "x.json")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("x.json: cases[1]: frames"), "{error}");
    }

    #[test]
    fn a_file_cut_off_says_so_and_what_to_do() {
        let text = cases_to_json(&[("one".to_owned(), scene("a"))]);
        let error = cases_from_json(&text.as_bytes()[..text.len() / 2], "x.json")
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("copy or export it again"), "{error}");
    }

    #[test]
    fn another_format_and_a_newer_version_are_refused() {
        let of = |format: &str, version: u32| {
            let text = format!(r#"{{"format": "{format}", "version": {version}, "cases": []}}"#);
            cases_from_json(text.as_bytes(), "x.json")
        };
        assert!(matches!(
            of("nearmiss/scene", 1),
            Err(FileError::Format { .. })
        ));
        assert!(matches!(
            of(CASES_FORMAT, 2),
            Err(FileError::Newer { found: 2, .. })
        ));
        assert!(of(CASES_FORMAT, 1).unwrap().is_empty());
        assert!(matches!(
            cases_from_json(b"[1", "x.json"),
            Err(FileError::Json { .. })
        ));
    }
}
