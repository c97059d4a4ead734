//! The command line that makes the same as the window.

use crate::generator::Settings;
use crate::scene::Guidance;
use crate::scene::Guide;
use crate::scene::Scene;
use crate::scene::Task;
use crate::ui::export::quoted_path;

use super::Lab;

/// The command line that makes the same results of the scene at `path`, which holds goals and attacks.
pub(in crate::ui) fn command_line(path: &std::path::Path, scene: &Scene, lab: &Lab) -> String {
    let count = if lab.until_valid {
        "--tries"
    } else {
        "--samples"
    };
    let count = format!("{count} {}", lab.samples);
    line_of(path, &lab.settings_on(scene), &count)
}

/// The command line that makes a result again that settings alone do not give: some of it was made anew, some kept as an
/// earlier run had made it, or the world changed meanwhile. `None` for others.
pub(in crate::ui) fn again_line(path: &std::path::Path, scene: &Scene) -> Option<String> {
    let made = scene.generated.as_ref().filter(|made| made.complete)?;
    let recipe = &made.recipe;
    let is_plain = recipe.partial.is_empty()
        && recipe.pins.is_empty()
        && recipe.reactions.is_empty()
        && !recipe.kept.iter().any(|id| scene.is_by_model(id));
    let path = quoted_path(path);
    (!is_plain && !scene.is_edited_since_made())
        .then(|| format!("nearmiss generate {path} --out cases --again"))
}

/// The same for certain settings; `count` says how many results.
pub(super) fn line_of(path: &std::path::Path, settings: &Settings, count: &str) -> String {
    let task = match settings.task {
        Task::Free => "free",
        Task::Goal => "goal",
        Task::Attack => "attack",
    };
    let schedule = settings.schedule.word();
    let mut line = format!(
        "nearmiss generate {} --out cases --task {task} --schedule {schedule} --steps {} --seed {} {count}",
        quoted_path(path),
        settings.steps,
        settings.seed,
    );
    if settings.agents != Settings::default().agents {
        line.push_str(&format!(" --agents {}", settings.agents));
    }
    if let Some(temperature) = settings.temperature {
        line.push_str(&format!(" --temperature {temperature}"));
    }
    if settings.history_level > 0.0 {
        line.push_str(&format!(" --history-level {}", settings.history_level));
    }
    if let Some(on) = settings.prior_smoothing {
        let word = if on { "on" } else { "off" };
        line.push_str(&format!(" --prior-smoothing {word}"));
    }
    if settings.redraws != Settings::default().redraws {
        line.push_str(&format!(" --redraws {}", settings.redraws));
    }
    let usual = Settings::default().guidance;
    let changed: Vec<String> = terms(&settings.guidance)
        .zip(terms(&usual))
        .filter(|((_, guide), (_, usual))| guide.weight != usual.weight)
        .map(|((name, guide), _)| format!("{name}={}", guide.weight))
        .collect();
    if !changed.is_empty() {
        line.push_str(&format!(" --guidance {}", changed.join(",")));
    }
    line
}

/// The terms of a guidance with their names on the command line.
fn terms(guidance: &Guidance) -> impl Iterator<Item = (&'static str, Guide)> {
    let Guidance {
        collision,
        comfort,
        road,
    } = *guidance;
    [
        ("collision", collision),
        ("comfort", comfort),
        ("road", road),
    ]
    .into_iter()
}

/// What a command line has no words for, in a sentence; `None` if it says everything.
pub(in crate::ui) fn unsaid(settings: &Settings) -> Option<String> {
    let whole = Guide::default().levels;
    let limited: Vec<String> = terms(&settings.guidance)
        .filter(|(_, guide)| guide.weight > 0.0 && guide.levels != whole)
        .map(|(name, guide)| {
            let [low, high] = guide.levels;
            format!("{name} {low} to {high}")
        })
        .collect();
    (!limited.is_empty()).then(|| {
        let limited = limited.join(", ");
        format!("The command line has no words for noise ranges of guidance ({limited}): there it acts at every level.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::AgentId;
    use crate::scene::Goal;

    #[test]
    fn the_command_line_quotes_what_a_shell_would_split() {
        let lab = Lab::new(None);
        let line = command_line(
            std::path::Path::new("my scene.json"),
            &Scene::default(),
            &lab,
        );
        assert!(line.starts_with("nearmiss generate 'my scene.json' --out cases --task free"));
    }

    #[test]
    fn the_command_line_says_what_is_not_as_usual() {
        let mut lab = Lab::new(None);
        let line = |lab: &Lab| command_line(std::path::Path::new("a.json"), &Scene::default(), lab);
        let usual = line(&lab);
        assert!(
            usual.ends_with("--steps 32 --seed 1 --samples 1"),
            "{usual}"
        );
        lab.settings.agents = 64;
        lab.settings.temperature = Some(0.9);
        lab.settings.history_level = 0.2;
        lab.settings.prior_smoothing = Some(false);
        lab.settings.guidance.road.weight = 0.1;
        let changed = "--agents 64 --temperature 0.9 --history-level 0.2 --prior-smoothing off \
                       --guidance road=0.1";
        assert_eq!(line(&lab), format!("{usual} {changed}"));
    }

    #[test]
    fn the_command_line_leaves_goals_and_attacks_to_the_file_and_says_the_task() {
        let goal = Goal {
            agent: AgentId::new("car"),
            point: [1.0, 2.0],
            time_s: 5.0,
            heading: Some(0.5),
            speed: None,
            tolerance_m: 3.0,
            hard: false,
            extra: crate::map::Extra::default(),
        };
        let scene = Scene {
            goals: vec![goal],
            ..Scene::default()
        };
        let line = command_line(std::path::Path::new("a.json"), &scene, &Lab::new(None));
        assert!(
            line.contains(" --task goal ") && !line.contains("--goal"),
            "{line}"
        );
    }

    #[test]
    fn what_was_made_anew_in_part_is_made_again_by_its_own_recipe() {
        let made = |pins: serde_json::Value| {
            let recipe = serde_json::json!({
                "app_version": "0", "weights_hash": "", "seed": 1, "task": "free", "schedule": "full",
                "steps": 1, "temperature": 1.0, "agents": ["car"], "pins": pins,
            });
            let made = serde_json::json!({"recipe": recipe, "from_frame": 0, "complete": true});
            let generated = serde_json::from_value(made).unwrap();
            Scene {
                generated: Some(std::sync::Arc::new(generated)),
                ..Scene::default()
            }
        };
        let path = std::path::Path::new("a.json");
        let none = serde_json::json!([]);
        assert_eq!(again_line(path, &made(none)), None);
        let anew = serde_json::json!([{"agent": "car", "token": 9, "level": 1.0}]);
        let line = again_line(path, &made(anew)).unwrap();
        assert_eq!(line, "nearmiss generate a.json --out cases --again");
    }

    #[test]
    fn noise_ranges_of_guidance_are_said_to_be_missing_from_the_command_line() {
        let mut lab = Lab::new(None);
        assert_eq!(unsaid(&lab.settings), None);
        lab.settings.guidance.road = Guide {
            weight: 0.0,
            levels: [0.2, 0.8],
        };
        assert_eq!(unsaid(&lab.settings), None);
        lab.settings.guidance.road.weight = 0.1;
        assert!(unsaid(&lab.settings).is_some_and(|said| said.contains("(road 0.2 to 0.8)")));
    }
}
