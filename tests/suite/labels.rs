//! Every control has a name for those who do not see it, in every part of the window.

use egui::Key;
use egui::Modifiers;
use egui::accesskit::Role;
use egui_kittest::kittest::NodeT as _;
use egui_kittest::kittest::Queryable as _;

use nearmiss::ui::App;

use crate::stage::{Bench, may_draw, opened, until};

/// Controls on screen without a name, by role and place.
fn nameless(bench: &Bench) -> Vec<String> {
    let root = bench.root();
    root.children_recursive()
        .filter_map(|node| {
            let own = node.accesskit_node();
            let is_control = matches!(
                own.role(),
                Role::Button
                    | Role::CheckBox
                    | Role::ComboBox
                    | Role::Link
                    | Role::ListBoxOption
                    | Role::MultilineTextInput
                    | Role::RadioButton
                    | Role::Slider
                    | Role::SpinButton
                    | Role::Tab
                    | Role::TextInput
            );
            let label = own.label().unwrap_or_default();
            (is_control && label.trim().is_empty())
                .then(|| format!("{:?} {:?}", own.role(), node.rect()))
        })
        .collect()
}

fn assert_named(bench: &Bench, place: &str) {
    let found = nameless(bench);
    assert!(found.is_empty(), "{place}: {found:#?}");
}

fn command(bench: &mut Bench, key: Key) {
    bench.key_press_modifiers(Modifiers::COMMAND, key);
    bench.run_steps(3);
}

#[test]
fn every_control_has_a_name() {
    if !may_draw() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = opened(folder.path(), true);
    until(&mut bench, "model", App::model_ready);
    assert_named(&bench, "first start");
    bench.key_press(Key::R);
    until(&mut bench, "result", |app| {
        app.editor().committed().unwrap().generated.is_some()
    });
    bench.key_press(Key::K);
    bench.run_steps(3);
    for tab in [
        "Scenes",
        "Agents",
        "History",
        "Generate",
        "Results",
        "Selection",
        "Tray",
    ] {
        bench.get_by_role_and_label(Role::Tab, tab).click();
        bench.run_steps(3);
        assert_named(&bench, tab);
    }
    for panes in [Key::Num2, Key::Num4] {
        bench.key_press(panes);
        bench.run_steps(3);
        assert_named(&bench, "several panes");
    }
    command(&mut bench, Key::K);
    assert_named(&bench, "palette");
    bench.key_press(Key::Escape);
    bench.run_steps(3);
    bench.key_press(Key::F1);
    bench.run_steps(3);
    assert_named(&bench, "help");
    bench.key_press(Key::Escape);
    bench.run_steps(3);
    command(&mut bench, Key::E);
    for kind in ["Case (JSON)", "Picture", "Clip", "Table"] {
        bench.get_by_role_and_label(Role::Tab, kind).click();
        bench.run_steps(3);
        assert_named(&bench, kind);
    }
}
