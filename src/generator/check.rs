//! Does a stored case hold? Its gates judged again, its recipe run again.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::gates::judge;
use super::run::{Progress, judged_agents, made_agents, quantised_gates, run_recipe};
use crate::diffusion::Prepare;
use crate::metrics::explain;
use crate::scene::{AgentId, Edit, GateResult, Generated, Recipe, Scene, file_word};

/// What re-running the recipe gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Regeneration {
    /// Every state of every made agent is the same to the bit.
    Same,
    /// Some state differs.
    Differs {
        /// Whose state differs most.
        agent: AgentId,
        /// Where, frame of the scene.
        frame: usize,
        /// By how much, m.
        distance_m: f64,
    },
    /// Made with other weights than those at hand.
    OtherWeights {
        /// The recipe's.
        stored: String,
        /// Those at hand.
        present: String,
    },
    /// The run had been stopped or an earlier version of the program overwrote tokens while it ran.
    Incomplete,
    /// The recipe cannot be run, or the network fails on it.
    Impossible(String),
    /// A bug case: here the network does not fail on it.
    NoFailure,
    /// The file holds a scene without a recipe.
    NoRecipe,
}

/// A gate of which the file no longer says what is so, sentences aside.
#[derive(Debug, Clone, PartialEq)]
pub struct GateChange {
    /// As stored, if it is.
    pub stored: Option<GateResult>,
    /// As judged now, if it is.
    pub present: Option<GateResult>,
}

/// The name under which a bug case holds what happened, in its generated part.
pub const FAILED: &str = "failed";

/// The scene on which a network failed, with the recipe that made it fail and the words it failed with: re-opens as
/// any case, and [`check`] runs it again.
pub fn bug_case(scene: &Scene, recipe: Recipe, message: &str) -> Scene {
    let mut case = scene.clone();
    let mut extra = crate::map::Extra::default();
    extra.insert(FAILED.to_owned(), message.into());
    case.generated = Some(Arc::new(Generated {
        recipe,
        from_frame: scene.now + 1,
        complete: false,
        gates: Vec::new(),
        fault: None,
        avoidability: None,
        metrics: Vec::new(),
        redrawn: Vec::new(),
        edits: Some(scene.edits.len()),
        extra,
    }));
    case
}

/// All findings on a stored case.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckReport {
    /// Gates as judged now.
    pub gates: Vec<GateResult>,
    /// Gates that differ from the stored ones.
    pub changes: Vec<GateChange>,
    /// Whether the recipe gives the stored result.
    pub regeneration: Regeneration,
    /// What else the file says of a result that was made again alike, and what is true instead: fault, escape, metrics.
    pub claims: Vec<String>,
}

impl CheckReport {
    /// The case is what it says it is: gates, fault, escape and metrics unchanged and the result regenerated to the bit.
    pub fn holds(&self) -> bool {
        self.changes.is_empty() && self.claims.is_empty() && self.regeneration == Regeneration::Same
    }
}

/// Judges the gates of a stored case again and runs its recipe again with the weights at hand.
pub fn check(
    case: &Scene,
    prepare: &dyn Prepare,
    on_step: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> CheckReport {
    let Some(generated) = case.generated.clone() else {
        return CheckReport {
            gates: Vec::new(),
            changes: Vec::new(),
            regeneration: Regeneration::NoRecipe,
            claims: Vec::new(),
        };
    };
    let made = made_agents(&generated.recipe);
    let gates = if generated.complete {
        quantised_gates(&judge(case, &judged_agents(case, &generated.recipe)))
    } else {
        Vec::new()
    };
    let changes = changes(&generated.gates, &gates);
    let recipe = generated.recipe.clone();
    let failed = generated.extra.contains_key(FAILED);
    let overwritten = recipe.extra.contains_key("overwritten_at_step");
    let mut claims = Vec::new();
    let regeneration = if failed {
        match run_recipe(case, recipe, prepare, on_step) {
            Ok(_) => Regeneration::NoFailure,
            Err(error) => Regeneration::Impossible(error.to_string()),
        }
    } else if !generated.complete || overwritten {
        Regeneration::Incomplete
    } else if recipe.weights_hash != prepare.identity() {
        Regeneration::OtherWeights {
            stored: recipe.weights_hash,
            present: prepare.identity().to_owned(),
        }
    } else {
        match run_recipe(case, recipe, prepare, on_step) {
            Ok(again) => {
                let found = compare(case, &again, &made);
                if let (Regeneration::Same, Some(now)) = (&found, &again.generated) {
                    claims = false_claims(&generated, now);
                    if !claims.is_empty()
                        && false_claims(&generated, &as_before(&again, now)).is_empty()
                    {
                        claims.clear();
                    }
                }
                found
            }
            Err(error) => Regeneration::Impossible(error.to_string()),
        }
    };
    CheckReport {
        gates,
        changes,
        regeneration,
        claims,
    }
}

/// What is said of a scene made again, with its metrics as they once were: agents that an edit added counted as if they had
/// been recorded. Cases of that time hold, too.
fn as_before(again: &Scene, now: &Generated) -> Generated {
    let mut scene = again.clone();
    scene.edits.retain(|edit| !matches!(edit, Edit::Add { .. }));
    let metrics = explain(&scene).into_iter().map(|row| row.metric);
    Generated {
        metrics: metrics.collect(),
        ..now.clone()
    }
}

/// Largest difference of a metric that is rounding.
const ROUNDING: f64 = 2e-4;

/// What a file says of its result besides the gates, held against the same result made again.
fn false_claims(stored: &Generated, again: &Generated) -> Vec<String> {
    let mut found = Vec::new();
    if stored.from_frame != again.from_frame {
        found.push(format!(
            "the future begins at frame {}, not {}",
            again.from_frame, stored.from_frame
        ));
    }
    if stored.fault != again.fault {
        found.push(format!(
            "fault is {}, not {}",
            word(&again.fault),
            word(&stored.fault)
        ));
    }
    if stored.avoidability != again.avoidability {
        let (now, said) = (word(&again.avoidability), word(&stored.avoidability));
        found.push(format!("the escape is {now}, not {said}"));
    }
    for metric in &again.metrics {
        let said = stored.metrics.iter().find(|said| said.name == metric.name);
        match said {
            Some(said) if (said.value - metric.value).abs() <= ROUNDING => {}
            Some(said) => found.push(format!(
                "{} is {:.4} {}, not {:.4}",
                metric.name, metric.value, metric.unit, said.value
            )),
            None => found.push(format!(
                "{} is {:.4} {}; the file does not say so",
                metric.name, metric.value, metric.unit
            )),
        }
    }
    let unknown =
        |said: &&crate::scene::Metric| !again.metrics.iter().any(|metric| metric.name == said.name);
    // one of nothing says nothing
    let unknown = stored
        .metrics
        .iter()
        .filter(|said| said.count > 0)
        .filter(unknown);
    found.extend(unknown.map(|said| format!("there is no metric {}", said.name)));
    found
}

/// A finding as the file has it.
fn word(value: &impl serde::Serialize) -> String {
    let word = file_word(value);
    if word.is_empty() {
        "not known".to_owned()
    } else {
        word
    }
}

/// Gates that differ in anything but their sentences, which may be put better than they were.
fn changes(stored: &[GateResult], present: &[GateResult]) -> Vec<GateChange> {
    let facts = |gate: &Option<GateResult>| {
        gate.clone().map(|gate| GateResult {
            reason: String::new(),
            ..gate
        })
    };
    let longest = stored.len().max(present.len());
    (0..longest)
        .map(|index| GateChange {
            stored: stored.get(index).cloned(),
            present: present.get(index).cloned(),
        })
        .filter(|change| facts(&change.stored) != facts(&change.present))
        .collect()
}

fn compare(
    case: &Scene,
    again: &Scene,
    made: &std::collections::BTreeSet<AgentId>,
) -> Regeneration {
    let mut worst: Option<(f64, AgentId, usize)> = None;
    for id in made {
        let (Some(one), Some(two)) = (case.agent(id), again.agent(id)) else {
            continue;
        };
        let frames = one.track.states().len().max(two.track.states().len());
        for frame in 0..frames {
            let (a, b) = (one.track.get(frame), two.track.get(frame));
            if a == b {
                continue;
            }
            let distance = match (a, b) {
                (Some(a), Some(b)) => a.position.distance(b.position),
                _ => f64::INFINITY,
            };
            if worst.as_ref().is_none_or(|(held, ..)| distance > *held) {
                worst = Some((distance, id.clone(), frame));
            }
        }
    }
    match worst {
        None => Regeneration::Same,
        Some((distance_m, agent, frame)) => Regeneration::Differs {
            agent,
            frame,
            distance_m,
        },
    }
}
