//! What an earlier run of a batch has left: cases that are whole and were made alike are not made again.

use std::path::Path;

use anyhow::Context as _;

use crate::cli::making::essence;
use crate::cli::weights::short;
use crate::generator::{Settings, draft};
use crate::geometry::quantise;
use crate::scene::{Guidance, Recipe, SWEPT, Scene, Task, file_word, read_scene};

/// What lies where a case goes.
#[derive(Debug)]
pub(super) enum Left {
    /// No file.
    Nothing,
    /// One that is not whole, with a sentence.
    Damaged(String),
    /// A case.
    Case(Box<Scene>),
}

impl Left {
    /// Reads what is there.
    ///
    /// # Errors
    /// If it is a scene that nobody generated.
    pub(super) fn at(file: &Path) -> anyhow::Result<Self> {
        if !file.exists() {
            return Ok(Self::Nothing);
        }
        let scene = match read_scene(file) {
            Ok(scene) => scene,
            Err(error) => return Ok(Self::Damaged(error.to_string())),
        };
        let name = file.display();
        let made = scene.generated.as_ref();
        let made = made.with_context(|| {
            format!("{name} is no generated case: name another folder, or say --replace")
        })?;
        Ok(match made.complete {
            true => Self::Case(Box::new(scene)),
            false => Self::Damaged(format!("{name}: the run that made it was stopped")),
        })
    }
}

/// How a case was made otherwise than of `scene` under `asked` with the weights `identity`, in words; nothing where it was
/// made alike. Of `draws` (samples of a scene, and tries of each) any can be the one that was kept.
///
/// # Errors
/// If the scene can no longer be asked for this.
pub(super) fn otherwise(
    case: &Scene,
    (scene, asked): (&Scene, &Settings),
    draws: (u64, u64),
    identity: &str,
) -> anyhow::Result<Vec<String>> {
    let mut found = other_settings(case, asked, draws);
    let Some(made) = case.generated.as_ref().filter(|_| found.is_empty()) else {
        return Ok(found);
    };
    let drawn = Settings {
        sample: made.recipe.sample,
        ..asked.clone()
    };
    let mut recipe = draft(scene, &drawn, identity)?;
    recipe.app_version.clone_from(&made.recipe.app_version);
    if recipe.weights_hash != made.recipe.weights_hash {
        let [stored, asked] = [&made.recipe, &recipe].map(|recipe| short(&recipe.weights_hash));
        found.push(format!("weights {stored}, asked {asked}"));
        recipe.weights_hash.clone_from(&made.recipe.weights_hash);
    }
    let [stored, asked] = [(case, &made.recipe), (scene, &recipe)].map(|of| essence(of.0, of.1));
    let parts = [
        (SWEPT, "other swept values"),
        ("goals", "other goals"),
        ("attacks", "another attack"),
        ("edits", "other edits"),
        ("recipe", "other tokens of its agents are given or kept"),
    ];
    let parts = parts
        .into_iter()
        .filter(|(key, _)| stored[*key] != asked[*key]);
    found.extend(parts.map(|(_, words)| words.to_owned()).take(1));
    Ok(found)
}

/// The settings under which a case was made that are not those `asked`, in words.
fn other_settings(case: &Scene, asked: &Settings, draws: (u64, u64)) -> Vec<String> {
    let Some(made) = &case.generated else {
        return Vec::new();
    };
    let (recipe, mut found) = (&made.recipe, Vec::new());
    let mut compare = |what: &str, stored: String, asked: String| {
        if stored != asked {
            found.push(format!("{what} {stored}, asked {asked}"));
        }
    };
    let sample = match draws {
        (_, 1) => recipe.sample,
        (samples, _) => recipe.sample % samples.max(1),
    };
    let number = |value: f64| quantise(value).to_string();
    compare("seed", recipe.seed.to_string(), asked.seed.to_string());
    compare("sample", sample.to_string(), asked.sample.to_string());
    compare("task", file_word(&recipe.task), file_word(&asked.task));
    compare(
        "schedule",
        file_word(&recipe.schedule),
        file_word(&asked.schedule),
    );
    compare("steps", recipe.steps.to_string(), asked.steps.to_string());
    compare(
        "redraws",
        recipe.redraws.to_string(),
        asked.redraws.to_string(),
    );
    compare(
        "temperature",
        number(recipe.temperature),
        number(asked.temperature_used()),
    );
    compare(
        "history level",
        number(recipe.history_level),
        number(asked.history_level),
    );
    compare(
        "prior smoothing",
        on_off(recipe.prior_smoothing),
        on_off(asked.prior_smoothing_used()),
    );
    compare(
        "guidance",
        weights(&recipe.guidance),
        weights(&asked.guidance),
    );
    if let Some(agents) = agents(case, asked) {
        compare(
            "agents",
            recipe.agents.len().to_string(),
            agents.to_string(),
        );
    }
    found
}

/// How many agents take part in a run on a case under `asked`; `None` if that cannot be said.
fn agents(case: &Scene, asked: &Settings) -> Option<usize> {
    // who takes part does not depend on the task, and without one no attack is searched
    let free = Settings {
        task: Task::Free,
        ..asked.clone()
    };
    let recipe: Recipe = draft(case, &free, "").ok()?;
    Some(recipe.agents.len())
}

fn on_off(is_on: bool) -> String {
    if is_on { "on" } else { "off" }.to_owned()
}

fn weights(guidance: &Guidance) -> String {
    let [collision, comfort, road] = [guidance.collision, guidance.comfort, guidance.road]
        .map(|guide| quantise(guide.weight).to_string());
    format!("collision={collision},comfort={comfort},road={road}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scene::{Generated, scene_from_json};
    use crate::sim::BUNDLED;

    /// The first bundled scene, as if it had been made under `settings`.
    fn made(settings: &Settings) -> Scene {
        let (name, text) = BUNDLED[0];
        let mut scene = scene_from_json(text.as_bytes(), name).unwrap();
        let recipe = draft(&scene, settings, "weights").unwrap();
        scene.generated = Some(Arc::new(Generated {
            recipe,
            from_frame: scene.now + 1,
            complete: true,
            gates: Vec::new(),
            fault: None,
            avoidability: None,
            metrics: Vec::new(),
            redrawn: Vec::new(),
            edits: None,
            extra: crate::map::Extra::new(),
        }));
        scene
    }

    #[test]
    fn a_case_of_the_same_settings_is_the_same_and_each_other_setting_is_named() {
        let usual = Settings::default();
        let case = made(&usual);
        assert!(other_settings(&case, &usual, (1, 1)).is_empty());
        let mut guidance = usual.guidance;
        guidance.road.weight = 0.5;
        let others = [
            (
                Settings {
                    seed: 2,
                    ..usual.clone()
                },
                "seed 1, asked 2",
            ),
            (
                Settings {
                    sample: 3,
                    ..usual.clone()
                },
                "sample 0, asked 3",
            ),
            (
                Settings {
                    steps: 4,
                    ..usual.clone()
                },
                "steps 32, asked 4",
            ),
            (
                Settings {
                    redraws: 0,
                    ..usual.clone()
                },
                "redraws 3, asked 0",
            ),
            (
                Settings {
                    temperature: Some(1.0),
                    ..usual.clone()
                },
                "temperature 0.7, asked 1",
            ),
            (
                Settings {
                    history_level: 0.2,
                    ..usual.clone()
                },
                "history level 0, asked 0.2",
            ),
            (
                Settings {
                    guidance,
                    ..usual.clone()
                },
                "guidance collision=1,comfort=0,road=0, asked collision=1,comfort=0,road=0.5",
            ),
        ];
        for (asked, expected) in others {
            assert_eq!(other_settings(&case, &asked, (1, 1)), [expected]);
        }
        let few = Settings { agents: 2, ..usual };
        let found = other_settings(&case, &few, (1, 1));
        assert!(
            found.len() == 1 && found[0].ends_with(", asked 2"),
            "{found:?}"
        );
        assert!(found[0].starts_with("agents "), "{found:?}");
    }

    #[test]
    fn of_several_tries_any_may_have_been_kept() {
        // the third draw of sample 1 of 4: 1 + 2 · 4
        let drawn = Settings {
            sample: 9,
            ..Settings::default()
        };
        let asked = Settings {
            sample: 1,
            ..Settings::default()
        };
        let case = made(&drawn);
        assert!(other_settings(&case, &asked, (4, 8)).is_empty());
        assert_eq!(other_settings(&case, &asked, (4, 1)), ["sample 9, asked 1"]);
    }

    #[test]
    fn what_is_not_whole_is_told_from_what_is_no_case() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("case.json");
        assert!(matches!(Left::at(&file).unwrap(), Left::Nothing));
        std::fs::write(&file, "{\"format\": \"near").unwrap();
        let said = match Left::at(&file).unwrap() {
            Left::Damaged(said) => said,
            other => panic!("{other:?}"),
        };
        assert!(said.contains("case.json"), "{said}");
        std::fs::write(&file, BUNDLED[0].1).unwrap();
        let said = Left::at(&file).unwrap_err().to_string();
        assert!(said.contains("is no generated case"), "{said}");
    }
}
