//! What leaves the window: cases, pictures, clips and tables, the lines that make the same from a shell, the tray and the
//! branches of the history.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use egui::Key;
use egui::Modifiers;
use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use tempfile::TempDir;

use nearmiss::generator::check;
use nearmiss::scene::{Scene, read_scene};
use nearmiss::ui::App;

use crate::commands::nearmiss;
use crate::stage::{Bench, clipboard, drag, hash, load, may_draw, opened, place_of, until};

/// Opens the export dialog and sets folder and name.
fn export(bench: &mut Bench, folder: &Path) {
    bench.key_press_modifiers(Modifiers::COMMAND, Key::E);
    bench.run_steps(3);
    bench
        .get_by_role_and_label(Role::TextInput, "Folder")
        .focus();
    bench.run_steps(2);
    bench.key_press_modifiers(Modifiers::COMMAND, Key::A);
    bench.run_steps(1);
    let text = folder.display().to_string();
    bench.event(egui::Event::Text(text));
    bench.run_steps(2);
}

fn press(bench: &mut Bench, label: &str) {
    bench.get_by_label(label).click();
    bench.run_steps(3);
}

/// Presses Export and waits until the dialog says so.
fn write(bench: &mut Bench) {
    bench.get_by_role_and_label(Role::Button, "Export").click();
    bench.run_steps(2);
    until(bench, "word of what was written", |app| {
        app.export_text().is_some()
    });
    let text = bench.state().export_text().unwrap().to_owned();
    assert!(
        text.starts_with("Written") || text.contains("written and checked"),
        "{text}"
    );
}

/// The line that the dialog puts on the clipboard.
fn copied(bench: &mut Bench) -> String {
    bench.get_by_label("Copy command line").click();
    clipboard(bench)
}

/// Runs a line as a shell would; quoting is tested beside the code, here no word needs it.
fn run_line(line: &str) {
    assert!(!line.contains('\''), "{line}");
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let output = nearmiss(&words);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}\n{errors}");
}

fn generated(folder: &Path) -> Bench {
    let mut bench = opened(folder, true);
    until(&mut bench, "model", App::model_ready);
    bench.key_press(Key::R);
    bench.run_steps(2);
    until(&mut bench, "result", |app| {
        app.editor().committed().unwrap().generated.is_some()
    });
    bench.run_steps(3);
    bench
}

/// Steps of the run that made the scene: the full schedule, and eight for each redraw.
fn steps_of(made: &Scene) -> usize {
    32 + 8 * made.generated.as_ref().unwrap().redrawn.len()
}

/// A generated scene with the dialog open on a folder of its own; `None` where nothing can be drawn.
fn exporting() -> Option<(TempDir, Bench)> {
    if !may_draw() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = generated(&folder.path().join("settings"));
    export(&mut bench, folder.path());
    Some((folder, bench))
}

#[test]
fn an_exported_case_reopens_identically_with_its_steps_beside_it() {
    let Some((folder, mut bench)) = exporting() else {
        return;
    };
    press(&mut bench, "Denoising steps, one scene each");
    write(&mut bench);
    let case = read_scene(&folder.path().join("unprotected-left-turn.json"));
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .map(|f| f.file_name())
        .collect();
    let case = case.unwrap_or_else(|error| panic!("{error} among {names:?}"));
    assert_eq!(case.hash(), hash(&bench));
    // the starting noise, then every step
    let steps = folder.path().join("unprotected-left-turn.steps");
    let count = steps_of(&case);
    assert_eq!(fs::read_dir(&steps).unwrap().count(), 1 + count);
    let last = read_scene(&steps.join(format!("{count:04}.json"))).unwrap();
    assert_eq!(last.hash(), case.hash());
}

#[test]
fn a_picture_and_the_copied_line_are_the_same_to_the_pixel() {
    let Some((folder, mut bench)) = exporting() else {
        return;
    };
    // a scene of the same name beside is not touched by lines that are copied
    let beside = folder.path().join("unprotected-left-turn.json");
    fs::write(&beside, "mine").unwrap();
    // each kind has a name of its own, so that none replaces another
    let choices = [
        ("Picture", "unprotected-left-turn.png"),
        ("Film strip", "unprotected-left-turn-film.png"),
    ];
    for (choice, name) in choices {
        press(&mut bench, choice);
        write(&mut bench);
        let png = folder.path().join(name);
        let drawn = fs::read(&png).unwrap();
        fs::remove_file(&png).unwrap();
        let line = copied(&mut bench);
        run_line(&line);
        assert!(fs::read(&png).unwrap() == drawn, "{choice}: {line}");
        assert_eq!(fs::read(&beside).unwrap(), b"mine");
    }
}

#[test]
fn what_is_compared_on_screen_leaves_as_picture_and_clip_and_the_copied_line_makes_the_same() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = generated(&folder.path().join("settings"));
    let mut drawn: Vec<Vec<u8>> = Vec::new();
    // each of two panes, ghosts, a line between two, lines that join
    for key in [Key::Num2, Key::C, Key::C, Key::C] {
        bench.key_press(key);
        bench.run_steps(3);
        export(&mut bench, folder.path());
        press(&mut bench, "Picture");
        press(&mut bench, "All panes");
        write(&mut bench);
        let picture = folder.path().join("unprotected-left-turn-panes.png");
        drawn.push(fs::read(&picture).unwrap());
        let line = copied(&mut bench);
        run_line(&line);
        assert!(
            fs::read(&picture).unwrap() == drawn[drawn.len() - 1],
            "{line}"
        );
        fs::remove_file(&picture).unwrap();
        // the line has the steps of the program's own network, this run is the prior's
        press(&mut bench, "Clip");
        press(&mut bench, "All panes");
        press(&mut bench, "Denoise time");
        write(&mut bench);
        let clip = folder.path().join("unprotected-left-turn-panes.gif");
        drawn.push(fs::read(&clip).unwrap());
        assert_eq!(
            frames_of(&clip),
            1 + steps_of(bench.state().editor().committed().unwrap())
        );
        fs::remove_file(&clip).unwrap();
        press(&mut bench, "Close");
    }
    let different: BTreeSet<&Vec<u8>> = drawn.iter().collect();
    assert_eq!(different.len(), 8);
}

fn frames_of(clip: &Path) -> usize {
    let file = fs::File::open(clip).unwrap();
    let mut reader = gif::DecodeOptions::new().read_info(file).unwrap();
    let mut frames = 0;
    while reader.read_next_frame().unwrap().is_some() {
        frames += 1;
    }
    frames
}

#[test]
fn a_clip_of_denoising_and_scene_is_written_and_cancelled_without_a_trace() {
    let Some((folder, mut bench)) = exporting() else {
        return;
    };
    press(&mut bench, "Clip");
    press(&mut bench, "Denoise time");
    write(&mut bench);
    assert_eq!(
        frames_of(&folder.path().join("unprotected-left-turn.gif")),
        1 + steps_of(bench.state().editor().committed().unwrap())
    );
    fs::remove_file(folder.path().join("unprotected-left-turn.gif")).unwrap();
    press(&mut bench, "Both");
    bench.get_by_role_and_label(Role::Button, "Export").click();
    bench.run_steps(2);
    press(&mut bench, "Cancel");
    until(&mut bench, "word of the end", |app| {
        app.export_text().is_some()
    });
    assert!(
        bench
            .state()
            .export_text()
            .unwrap()
            .starts_with("Cancelled")
    );
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .map(|f| f.file_name())
        .collect();
    assert_eq!(left, ["settings"]);
}

#[test]
fn an_export_goes_on_without_its_dialog_and_escape_cancels_it_there() {
    let Some((folder, mut bench)) = exporting() else {
        return;
    };
    press(&mut bench, "Clip");
    press(&mut bench, "Denoise time");
    bench.get_by_role_and_label(Role::Button, "Export").click();
    bench.run_steps(2);
    bench.key_press(Key::Escape);
    bench.run_steps(3);
    assert!(bench.query_by_label("Width of the clip").is_none());
    bench.get_by_label_contains("Exporting");
    bench.key_press(Key::Escape);
    bench.run_steps(2);
    let told = |bench: &mut Bench, word: &'static str| {
        until(bench, word, |app| {
            let texts = app.notice_texts();
            texts.iter().any(|text| text.starts_with(word))
        });
    };
    told(&mut bench, "Cancelled");
    let clip = folder.path().join("unprotected-left-turn.gif");
    assert!(!clip.exists());
    bench.key_press_modifiers(Modifiers::COMMAND, Key::E);
    bench.run_steps(3);
    bench.get_by_role_and_label(Role::Button, "Export").click();
    bench.run_steps(2);
    press(&mut bench, "Close");
    told(&mut bench, "Written");
    assert!(clip.exists());
}

#[test]
fn the_table_of_the_scene_is_the_one_the_command_line_makes() {
    let Some((folder, mut bench)) = exporting() else {
        return;
    };
    press(&mut bench, "Table");
    write(&mut bench);
    let csv = folder.path().join("unprotected-left-turn.csv");
    let text = fs::read_to_string(&csv).unwrap();
    assert_eq!(text.lines().count(), 2);
    let line = copied(&mut bench);
    run_line(&line);
    let again = fs::read_to_string(&csv).unwrap();
    // the first column is the name of the scene or of its file
    let values = |text: &str| {
        text.lines()
            .nth(1)
            .unwrap()
            .split_once(',')
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(values(&text), values(&again));
    press(&mut bench, "One per denoising step");
    write(&mut bench);
    let csv = folder.path().join("unprotected-left-turn-steps.csv");
    let count = steps_of(bench.state().editor().committed().unwrap());
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 2 + count); // a heading, the noise and the steps
}

#[test]
fn a_report_is_a_page_with_its_clips_and_cases_from_the_window_and_the_command_line() {
    let Some((folder, mut bench)) = exporting() else {
        return;
    };
    press(&mut bench, "Report");
    write(&mut bench);
    let reports = |end: &str| {
        let files = fs::read_dir(folder.path()).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        let report = files.find(|path| path.to_string_lossy().ends_with("-report"));
        let report = report.expect("a folder that ends in -report");
        let files = fs::read_dir(report).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let wanted = files.filter(|path| path.to_string_lossy().ends_with(end));
        wanted.collect::<Vec<_>>()
    };
    assert_eq!(
        [".gif", ".json", "index.html"].map(|end| reports(end).len()),
        [1; 3]
    );
    let page = fs::read_to_string(&reports("index.html")[0]).unwrap();
    let clip = reports(".gif")[0].file_name().unwrap().to_owned();
    assert!(
        page.contains(&format!("src=\"{}\"", clip.to_string_lossy())),
        "{page}"
    );
    let case = read_scene(&reports(".json")[0]).unwrap();
    assert_eq!(case.hash(), hash(&bench));
    // the line makes the same, and with planners tells of them
    let line = copied(&mut bench);
    assert!(line.starts_with("nearmiss report "), "{line}");
    let case = reports(".json")[0].display().to_string();
    let out = folder.path().join("by line").display().to_string();
    let run = |more: &[&str]| nearmiss(&[&["report", &*case, "--out", &*out], more].concat());
    let output = run(&["--planners", "idm", "--film", "--seconds", "2"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let names = fs::read_dir(&out).unwrap();
    let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = names.collect();
    assert_eq!(names.len(), 4, "{names:?}"); // page, case, its clip, that of the drives
    let page = fs::read_to_string(Path::new(&out).join("index.html")).unwrap();
    assert!(
        page.contains("<td>IDM</td>") && page.contains("-drives.gif"),
        "{page}"
    );
    // nothing is replaced unasked, and what does not go together is wrong usage
    let again = run(&[]);
    assert!(!again.status.success());
    assert!(run(&["--replace"]).status.success());
    for wrong in [&["--planners", "idm,idm"][..], &["--planners", "own"]] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn the_tray_groups_near_duplicates_and_exports_names_and_notes() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(&folder.path().join("settings"), false);
    bench.key_press(Key::K);
    bench.run_steps(3);
    // less than 2 m aside: nearly the same; much more: another case
    for metres in [1.8, 20.0] {
        let from = place_of(&bench, "car-0");
        let point = {
            let scene = bench.state().editor().scene().unwrap();
            let agent = scene
                .agents
                .iter()
                .find(|agent| agent.id.as_str() == "car-0")
                .unwrap();
            agent.track.get(scene.now).unwrap().position
        };
        let canvas = bench.get_by_label("canvas").rect();
        let to = bench
            .state()
            .place(point + nearmiss::geometry::dvec2(metres, 0.0), canvas);
        drag(&mut bench, from, to);
        bench.key_press(Key::K);
        bench.run_steps(3);
    }
    bench.get_by_label_contains("3 cases");
    press(&mut bench, "Show 1 nearly the same");
    press(&mut bench, "Fold up those nearly the same");
    press(&mut bench, "Show 1 nearly the same");
    let count = bench
        .query_all_by_label_contains("Name and note of")
        .count();
    assert_eq!(count, 3);
    // name the first and export all
    bench
        .query_all_by_label_contains("Name and note of")
        .next()
        .unwrap()
        .click();
    bench.run_steps(3);
    bench.get_by_label("Note on the case").focus();
    bench.run_steps(2);
    bench.event(egui::Event::Text("brakes late".to_owned()));
    bench.run_steps(2);
    press(&mut bench, "Export all…");
    bench
        .get_by_role_and_label(Role::TextInput, "Folder")
        .focus();
    bench.run_steps(2);
    bench.key_press_modifiers(Modifiers::COMMAND, Key::A);
    bench.run_steps(1);
    bench.event(egui::Event::Text(folder.path().display().to_string()));
    bench.run_steps(2);
    write(&mut bench);
    let written = folder.path().join("unprotected-left-turn");
    let mut files: Vec<_> = fs::read_dir(&written)
        .unwrap()
        .flatten()
        .map(|f| f.path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 3);
    let first = read_scene(&files[0]).unwrap();
    assert_eq!(first.extra["note"], "brakes late");
}

#[test]
fn the_tray_in_one_file_opens_as_a_list_whose_cases_hold() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = generated(&folder.path().join("settings"));
    bench.key_press(Key::K);
    bench.run_steps(3);
    let result = |bench: &Bench| {
        bench
            .state()
            .editor()
            .committed()
            .unwrap()
            .generated
            .clone()
    };
    let (first, before) = (result(&bench), hash(&bench));
    bench.key_press_modifiers(Modifiers::SHIFT, Key::R);
    bench.run_steps(2);
    until(&mut bench, "another result", |app| {
        app.editor().committed().unwrap().hash() != before
    });
    bench.key_press(Key::K);
    bench.run_steps(3);
    let second = result(&bench);
    export(&mut bench, folder.path());
    press(&mut bench, "Tray (2)");
    press(&mut bench, "All cases in one file");
    write(&mut bench);
    let path = folder.path().join("unprotected-left-turn.json");
    let entries = nearmiss::data::list(&path).unwrap();
    let open = |entry: &nearmiss::data::Entry| {
        let opened = nearmiss::data::open(&path, entry.pick.as_deref());
        opened.unwrap().scene
    };
    let cases: Vec<_> = entries.iter().map(open).collect();
    let results: Vec<_> = cases.iter().map(|case| case.generated.clone()).collect();
    assert_eq!(results, [first, second]);
    let network = load().unwrap().network;
    for case in &cases {
        let report = check(case, &*network, &mut |_| ControlFlow::Continue(()));
        assert!(report.holds(), "{report:?}");
    }
}

#[test]
fn a_step_undone_stays_in_the_history_and_a_click_goes_back_to_it() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), false);
    let mut made = Vec::new();
    for pixels in [40.0, -30.0] {
        let from = place_of(&bench, "car-0");
        drag(&mut bench, from, from + egui::vec2(pixels, 0.0));
        made.push(hash(&bench));
        if made.len() == 1 {
            bench.key_press_modifiers(Modifiers::COMMAND, Key::Z);
            bench.run_steps(2);
        }
    }
    press(&mut bench, "History");
    bench.get_by_label_contains("step 1:").click();
    bench.run_steps(3);
    assert_eq!(hash(&bench), made[0]);
    press(&mut bench, "Name…");
    bench.event(egui::Event::Text("wide turn".to_owned()));
    bench.run_steps(2);
    bench.key_press(Key::Enter);
    bench.run_steps(3);
    bench.get_by_label("step 1: wide turn");
    bench.get_by_label_contains("step 2:").click();
    bench.run_steps(3);
    assert_eq!(hash(&bench), made[1]);
}
