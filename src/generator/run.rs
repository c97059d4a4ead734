//! Carrying out a recipe, step by step.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::draft::draft;
use super::gates::{Verdict, culprits, judge};
use super::guidance::{GOES_M, Guided};
use super::plan::Plan;
use super::reaction::Replay;
use super::settings::{GenerateError, MOST_REDRAWS, Settings};
use crate::codec::{NOW, Scale, T, decode};
use crate::diffusion::{
    Denoise, Guide, NoisyHistory, Prepare, Sampler, Schedule, Start, StepEvent,
};
use crate::geometry::quantise;
use crate::metrics::explain;
use crate::rng::Seed;
use crate::scene::{AgentId, Generated, Recipe, Scene, State};

/// A recipe under way. Between two steps everything can be looked at, and the world may change: [`Run::react`].
pub struct Run {
    pub(super) scene: Scene,
    pub(super) recipe: Recipe,
    pub(super) plan: Plan,
    pub(super) scale: Scale,
    pub(super) sampler: Sampler,
    pub(super) network: Box<dyn Denoise + Send>,
    pub(super) guidance: Option<Guided>,
    /// Who was drawn again, each time.
    redrawn: Vec<Vec<AgentId>>,
}

/// What a caller sees after a step.
pub struct Progress<'a> {
    run: &'a Run,
}

impl Run {
    /// Lays `recipe` over `scene` and draws the noise. Changes of the world that the recipe notes are not made here:
    /// [`run_recipe`] replays them.
    ///
    /// # Errors
    /// If the recipe does not fit the scene or the network refuses the window.
    pub fn new(
        scene: &Scene,
        recipe: Recipe,
        prepare: &dyn Prepare,
    ) -> Result<Self, GenerateError> {
        let plan = Plan::new(scene, &recipe)?;
        Self::of_plan(scene, recipe, plan, prepare)
    }

    /// As [`Run::new`] with a plan made otherwise: tables that judge against the log make their own.
    ///
    /// # Errors
    /// If the plan is out of shape or the network refuses the window.
    pub fn of_plan(
        scene: &Scene,
        recipe: Recipe,
        plan: Plan,
        prepare: &dyn Prepare,
    ) -> Result<Self, GenerateError> {
        if !(recipe.temperature.is_finite() && recipe.temperature >= 0.0) {
            return Err(GenerateError::BadRecipe {
                what: "temperature",
                value: recipe.temperature,
                range: "0 or more is",
            });
        }
        if recipe.steps == 0 || recipe.steps > 4096 {
            return Err(GenerateError::BadRecipe {
                what: "number of steps",
                value: recipe.steps as f64,
                range: "1 to 4096 are",
            });
        }
        if !(0.0..1.0).contains(&recipe.history_level) {
            return Err(GenerateError::BadRecipe {
                what: "noise level of the history",
                value: recipe.history_level,
                range: "0 up to, but not, 1 is",
            });
        }
        if recipe.redraws > MOST_REDRAWS {
            return Err(GenerateError::BadRecipe {
                what: "number of redraws",
                value: recipe.redraws as f64,
                range: "0 to 16 are",
            });
        }
        let scale = prepare.scale().clone();
        let schedule = Schedule::new(recipe.schedule, recipe.steps, &plan.matrix);
        let sampler = Sampler::new(Start {
            window: &plan.window,
            given: &plan.given(&scale),
            matrix: &plan.matrix,
            schedule: &schedule,
            seed: Seed(recipe.seed),
            sample: recipe.sample,
            samples: 1,
            temperature: recipe.temperature,
        })?;
        let mut network = prepare.prepare(&plan.window)?;
        if recipe.history_level > 0.0 {
            network = Box::new(NoisyHistory::new(network, recipe.history_level));
        }
        network.observe(&plan.observations(&scale));
        network.smooth(recipe.prior_smoothing);
        Ok(Self {
            network,
            guidance: Guided::new(&plan.window, &scale, scene, &recipe.guidance),
            scene: scene.clone(),
            recipe,
            plan,
            scale,
            sampler,
            redrawn: Vec::new(),
        })
    }

    /// Takes one step; true once finished. When after the last one somebody fails a gate and the recipe has redraws left,
    /// they begin anew and the run grows: see [`Recipe::redraws`].
    ///
    /// # Errors
    /// If the network fails; the run stays as it was before the step.
    pub fn step(&mut self) -> Result<bool, GenerateError> {
        if self.sampler.finished() {
            return Ok(true);
        }
        match &mut self.guidance {
            Some(guided) => {
                let mut guides: [&mut dyn Guide; 1] = [guided];
                self.sampler.step(&mut *self.network, &mut guides)?;
            }
            None => self.sampler.step(&mut *self.network, &mut [])?,
        }
        if self.sampler.finished() && self.redrawn.len() < self.recipe.redraws {
            self.redraw()?;
        }
        Ok(self.sampler.finished())
    }

    /// Begins anew for those who fail a gate, if anyone does.
    ///
    /// They are drawn given everyone else, once more if that is rejected, too: what comes out is drawn from the model's own
    /// conditional distributions, and nothing is pushed (Gibbs sampling, Geman and Geman 1984, with rejection).
    fn redraw(&mut self) -> Result<(), GenerateError> {
        let made = made_agents(&self.recipe);
        let rows: Vec<usize> = rejected(self, &made).into_iter().collect();
        if rows.is_empty() {
            return Ok(());
        }
        let again = self.redrawn.len() as u64 + 1;
        self.sampler.redraw(
            Start {
                window: &self.plan.window,
                given: &self.plan.given(&self.scale),
                matrix: &self.plan.matrix,
                schedule: &self.sampler.schedule().clone(),
                seed: Seed(self.recipe.seed),
                sample: self.recipe.sample.wrapping_add(again << 32),
                samples: 1,
                temperature: self.recipe.temperature,
            },
            &rows,
        )?;
        let names = rows
            .iter()
            .map(|&row| self.plan.window.rows[row].id.clone());
        self.redrawn.push(names.collect());
        Ok(())
    }

    /// Whether every token is final.
    pub fn finished(&self) -> bool {
        self.sampler.finished()
    }

    /// Levels, tokens and predictions after the last step.
    pub fn event(&self) -> StepEvent<'_> {
        self.sampler.event()
    }

    /// Window, starting levels and given states.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The world the run is made in, with the changes it has taken in.
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// The recipe as it stands.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The scene as the last step predicts it, without gates or recipe.
    pub fn preview(&self) -> Scene {
        let mut scene = decode(
            &self.scene,
            &self.plan.window,
            &self.states(self.sampler.clean()),
        );
        scene.generated = None;
        scene
    }

    /// States [A, T] of normalised tokens, scene frame.
    pub fn states(&self, normalised: &[f32]) -> Vec<State> {
        self.plan.window.states(normalised, &self.scale)
    }

    /// The result as it stands: decoded, and if every token is final judged and measured. An unfinished run is
    /// marked incomplete and never scored.
    pub fn finish(&self) -> Scene {
        self.finish_judged().0
    }

    /// As [`Run::finish`], with the whole verdict (the escape's path, the contact) where there is one.
    pub fn finish_judged(&self) -> (Scene, Option<Verdict>) {
        let complete = self.sampler.finished();
        let tokens = if complete {
            self.sampler.tokens()
        } else {
            self.sampler.clean()
        };
        let mut scene = decode(&self.scene, &self.plan.window, &self.states(tokens));
        let generated = Generated {
            recipe: self.recipe.clone(),
            from_frame: scene.now + 1,
            complete,
            gates: Vec::new(),
            fault: None,
            avoidability: None,
            metrics: Vec::new(),
            redrawn: self.redrawn.clone(),
            edits: Some(scene.edits.len()),
            extra: crate::map::Extra::default(),
        };
        if !complete {
            scene.generated = Some(Arc::new(generated));
            return (scene, None);
        }
        let verdict = found_of(&mut scene, generated);
        (scene, Some(verdict))
    }
}

/// Judges and measures a complete result, and gives it to its scene with what was found.
pub(super) fn found_of(scene: &mut Scene, mut generated: Generated) -> Verdict {
    let verdict = judge(scene, &judged_agents(scene, &generated.recipe));
    generated.gates = quantised_gates(&verdict);
    generated.fault = Some(verdict.stored_fault());
    generated.avoidability = Some(verdict.avoidability);
    scene.generated = Some(Arc::new(generated.clone()));
    generated.metrics = explain(scene)
        .into_iter()
        .map(|row| {
            let mut metric = row.metric;
            metric.value = quantise(metric.value);
            metric
        })
        .collect();
    scene.generated = Some(Arc::new(generated));
    verdict
}

/// Rows of those who are to be drawn again: who fails a gate, and who touches somebody, but not what stands if the other
/// goes.
fn rejected(run: &Run, made: &BTreeSet<AgentId>) -> BTreeSet<usize> {
    let window = &run.plan.window;
    let states = run.states(run.sampler.tokens());
    let can = |id: &AgentId| {
        let row = window.row_of(id).filter(|_| made.contains(id))?;
        let some = (NOW + 1..T).any(|token| run.plan.matrix.get(row, token) > 0.0);
        some.then_some(row)
    };
    let goes = |row: &usize| {
        let [start, end] = [NOW, T - 1].map(|token| states[row * T + token].position);
        start.distance(end) >= GOES_M
    };
    let (alone, pairs) = culprits(&decode(&run.scene, window, &states), made);
    let mut rows: BTreeSet<usize> = alone.iter().filter_map(can).collect();
    for contact in pairs {
        let can: Vec<usize> = [&contact.first, &contact.second]
            .into_iter()
            .filter_map(can)
            .collect();
        let some_go = can.iter().any(goes);
        rows.extend(can.into_iter().filter(|row| !some_go || goes(row)));
    }
    rows
}

pub(super) fn quantised_gates(verdict: &Verdict) -> Vec<crate::scene::GateResult> {
    let gates = verdict.gates.iter().cloned();
    gates
        .map(|mut gate| {
            gate.value = quantise(gate.value);
            gate.limit = quantise(gate.limit);
            gate
        })
        .collect()
}

/// Agents whose future is judged in what a recipe gave: those it makes, and those kept as a model had made them before.
pub fn judged_agents(scene: &Scene, recipe: &Recipe) -> BTreeSet<AgentId> {
    let before = recipe.kept.iter().filter(|id| scene.is_by_model(id));
    let mut judged = made_agents(recipe);
    judged.extend(before.cloned());
    judged
}

/// Agents whose future a recipe makes, in whole or in part.
pub fn made_agents(recipe: &Recipe) -> BTreeSet<AgentId> {
    let kept: BTreeSet<_> = recipe.kept.iter().collect();
    let agents = recipe.rows();
    agents.filter(|id| !kept.contains(id)).cloned().collect()
}

impl Progress<'_> {
    /// Steps taken and to be taken in all.
    pub fn steps(&self) -> (usize, usize) {
        let event = self.run.event();
        (event.taken, event.total)
    }

    /// Levels, tokens and predictions.
    pub fn event(&self) -> StepEvent<'_> {
        self.run.event()
    }

    /// The run itself.
    pub fn run(&self) -> &Run {
        self.run
    }

    /// The scene as predicted.
    pub fn preview(&self) -> Scene {
        self.run.preview()
    }
}

/// Drafts the recipe of `settings`, runs it, and returns the judged result. `on_step` sees every step and may stop
/// the run; the result is then what the last step predicts, marked incomplete.
///
/// # Errors
/// If nothing can be made, or the network fails.
pub fn generate(
    scene: &Scene,
    settings: &Settings,
    prepare: &dyn Prepare,
    on_step: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Result<Scene, GenerateError> {
    let recipe = draft(scene, settings, prepare.identity())?;
    run_recipe(scene, recipe, prepare, on_step)
}

/// Carries out `recipe`, with the changes of the world it notes; see [`generate`].
///
/// # Errors
/// If the recipe does not fit the scene, or the network fails.
pub fn run_recipe(
    scene: &Scene,
    recipe: Recipe,
    prepare: &dyn Prepare,
    on_step: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Result<Scene, GenerateError> {
    let mut replay = Replay::begin(scene, recipe, prepare)?;
    while !replay.run().finished() {
        replay.catch_up()?;
        replay.step()?;
        if on_step(&Progress { run: replay.run() }).is_break() {
            break;
        }
    }
    Ok(replay.finish())
}
