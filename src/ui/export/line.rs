//! The command line that does what an export does, and the files it reads.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::Plan;
use super::Source;
use super::file_stem;
use super::numbered;
use crate::geometry::dvec2;
use crate::render::Camera;
use crate::render::Look;
use crate::render::Names;
use crate::render::Trails;
use crate::scene::Scene;
use crate::ui::exporter::Order;
use crate::ui::panes::Panes;

/// A command line under construction.
pub(super) struct Line {
    pub(super) verb: &'static str,
    out: String,
    rest: String,
    pub(super) inputs: Vec<PathBuf>,
    pub(super) needs: Vec<(Arc<Scene>, PathBuf)>,
    /// Where scenes are written that the command reads.
    commands: PathBuf,
    /// Where the document lies, if that file holds exactly this scene.
    on_disk: Option<(Arc<Scene>, PathBuf)>,
    target: PathBuf,
    /// The command line has no words for a part of it.
    pub(super) inexact: bool,
}

impl Line {
    pub(super) fn new(source: &Source<'_>, scene: &Arc<Scene>, target: &Path) -> Self {
        let open = source.editor.document();
        let on_disk = open
            .filter(|open| !open.modified())
            .and_then(|open| Some((open.history.scene().clone(), open.path.clone()?)));
        let mut line = Self {
            verb: "render",
            out: quoted_path(target),
            rest: String::new(),
            inputs: Vec::new(),
            needs: Vec::new(),
            commands: source.commands.clone(),
            on_disk,
            target: target.to_owned(),
            inexact: false,
        };
        line.scenes(vec![scene.clone()]);
        line
    }

    /// The scenes the command reads, in this order: as they lie on the disk, else written for it.
    pub(super) fn scenes(&mut self, scenes: Vec<Arc<Scene>>) {
        self.inputs.clear();
        self.needs.clear();
        for scene in scenes {
            let known = self.on_disk.as_ref();
            if let Some((_, path)) = known.filter(|(saved, _)| Arc::ptr_eq(saved, &scene)) {
                self.inputs.push(path.clone());
                continue;
            }
            let path = command_file(&self.commands, &scene);
            self.inputs.push(path.clone());
            self.needs.push((scene, path));
        }
    }

    pub(super) fn word(&mut self, word: &str) {
        self.rest.push(' ');
        self.rest.push_str(word);
    }

    pub(super) fn number(&mut self, option: &str, value: f64) {
        self.word(&format!("{option} {}", short(value)));
    }

    pub(super) fn out_folder(&mut self) {
        self.out = quoted(&format!("{}/", self.target.display()));
    }

    pub(super) fn look(&mut self, look: &Look, panes: &Panes) {
        let [width, height] = look.size;
        self.word(&format!("--size {width}x{height}"));
        if look.scale != 1.0 {
            self.number("--scale", look.scale);
        }
        self.word(&format!("--style {}", look.style.name));
        let Camera {
            centre,
            points_per_m,
            up,
        } = look.camera;
        let points = dvec2(f64::from(width), f64::from(height)) / look.scale;
        self.word(&format!("--centre={},{}", short(centre.x), short(centre.y)));
        self.number("--span", points.x / points_per_m);
        if (up - std::f64::consts::FRAC_PI_2).abs() > 1e-9 {
            self.number("--up", up.to_degrees());
        }
        self.word(match panes.trails {
            Trails::None => "--trails none",
            Trails::Parts => "--trails parts",
            Trails::All => "--trails all",
        });
        self.word(match panes.names {
            Names::None => "--names none",
            Names::Parts => "--names parts",
            Names::All => "--names all",
        });
        for (chosen, word) in [
            (look.legend, "--legend"),
            (!look.caption, "--no-caption"),
            (look.options.log_ghosts, "--ghosts"),
            (look.options.grid, "--grid"),
        ] {
            if chosen {
                self.word(word);
            }
        }
        if !look.options.hidden.is_empty() {
            self.word("--hide");
            for agent in &look.options.hidden {
                self.word(&quoted(agent.as_str()));
            }
        }
    }

    pub(super) fn plan(self, order: Order) -> Plan {
        let files: Vec<String> = self.inputs.iter().map(|path| quoted_path(path)).collect();
        let line = format!(
            "nearmiss {} {} --out {}{}",
            self.verb,
            files.join(" "),
            self.out,
            self.rest
        );
        Plan {
            order,
            command: (!self.inexact).then_some(line),
            needs: self.needs,
        }
    }
}

/// Where a scene is written that a command line reads: named by what it holds, so that nothing else is replaced.
pub(in crate::ui) fn command_file(folder: &Path, scene: &Scene) -> PathBuf {
    let (stem, hash) = (file_stem(&scene.name), scene.hash());
    folder.join(format!("{stem}-{hash:.12}.json"))
}

/// What a command line reads for `cases`, and where each is written: one in a file, several numbered in a folder of
/// their own.
pub(super) fn command_input(
    folder: &Path,
    cases: &[(String, Arc<Scene>)],
) -> (PathBuf, Vec<(Arc<Scene>, PathBuf)>) {
    if let [(_, scene)] = cases {
        let path = command_file(folder, scene);
        return (path.clone(), vec![(scene.clone(), path)]);
    }
    let mut all = DefaultHasher::new();
    for (name, scene) in cases {
        (name, scene.hash()).hash(&mut all);
    }
    let folder = folder.join(format!("cases-{:016x}", all.finish()));
    let needs = numbered(cases, &folder, ".json");
    (folder, needs)
}

/// A number with at most four decimals, none more than needed.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A path for a shell.
pub(in crate::ui) fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// A word for a shell.
pub(in crate::ui) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_./=,:+".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_line_reads_is_named_by_what_it_holds() {
        let folder = Path::new("/tmp/commands");
        let named = |name: &str| {
            Arc::new(Scene {
                name: name.to_owned(),
                ..Scene::default()
            })
        };
        let (saved, mut edited) = (named("Left turn"), Scene::clone(&named("Left turn")));
        edited.now = 1;
        let (first, second) = (command_file(folder, &saved), command_file(folder, &edited));
        assert!(
            first
                .to_string_lossy()
                .starts_with("/tmp/commands/left-turn-")
        );
        assert_ne!(first, second);
        assert_eq!(first, command_file(folder, &Scene::clone(&saved)));
        let cases = |scenes: &[&str]| -> Vec<(String, Arc<Scene>)> {
            scenes
                .iter()
                .map(|name| ((*name).to_owned(), named(name)))
                .collect()
        };
        let (one, needs) = command_input(folder, &cases(&["Left turn"]));
        assert_eq!((one, needs.len()), (first, 1));
        let (several, needs) = command_input(folder, &cases(&["a", "b"]));
        assert!(
            needs
                .iter()
                .all(|(_, path)| path.parent() == Some(&several))
        );
        assert_ne!(several, command_input(folder, &cases(&["b", "a"])).0);
    }

    #[test]
    fn numbers_are_short_and_words_are_quoted_for_a_shell() {
        assert_eq!((short(2.0).as_str(), short(-0.25).as_str()), ("2", "-0.25"));
        assert_eq!(short(100.0), "100");
        assert_eq!(quoted("a b's"), r"'a b'\''s'");
        assert_eq!(quoted("cases/left-turn.json"), "cases/left-turn.json");
    }
}
