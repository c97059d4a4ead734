//! What a user sets before a run, and why a run cannot begin.

use std::collections::BTreeSet;

use super::attack::AttackError;
use crate::codec::Options;
use crate::diffusion::{DenoiseError, Schedule};
use crate::scene::{AgentId, Edit, Guidance, Guide, Scene, ScheduleKind, Task};

/// Guidance against collisions unless the user says otherwise: with it fewer of the free agents collide and the
/// displacement stays as it is (the model card has both). Chosen on scenes of our own traffic world.
const APART: f64 = 1.0;

/// At most so many agents can be made in one run: time and memory grow with the square.
pub const MOST_AGENTS: usize = 128;

/// Who fails a gate is drawn again at most so many times unless the user says otherwise. Chosen on scenes of our own
/// traffic world (the model card has the table).
const REDRAWS: usize = 3;

/// At most so many redraws can be asked for.
pub const MOST_REDRAWS: usize = 16;

/// Standard deviation of the starting noise of a task unless the user says otherwise.
pub fn usual_temperature(task: Task) -> f64 {
    match task {
        Task::Free => 0.7,
        Task::Goal | Task::Attack => 0.5,
    }
}

/// Whether the predictions of a task are smoothed unless the user says otherwise. With goals they come nearer to the
/// log by it; free, they only get smoother than the log (the model card has both).
pub(super) fn usual_smoothing(task: Task) -> bool {
    task != Task::Free
}

/// Whose future is made.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Scope {
    /// Everyone the scene leaves free; for an attack only the attackers, as if each had been touched.
    #[default]
    Auto,
    /// Everyone the scene leaves free.
    Everyone,
    /// These agents fully; free agents they meet from noise level 0.5; everyone else stays as they are.
    Touched(BTreeSet<AgentId>),
}

/// Everything about a run that is not in the scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What is given to the model.
    pub task: Task,
    /// The scheduling matrix.
    pub schedule: ScheduleKind,
    /// Number of denoising steps.
    pub steps: usize,
    /// Seed of the noise.
    pub seed: u64,
    /// Number of the sample under the seed.
    pub sample: u64,
    /// Standard deviation of the starting noise; by task if unset: 0.5 with goals or attacks, 0.7 free.
    pub temperature: Option<f64>,
    /// Noise level at which the network is shown known histories: 0 takes them as exact, 0.2 to 0.3 suits recordings
    /// whose speeds jitter.
    pub history_level: f64,
    /// Whether predictions are smoothed by the analytic prior; by task if unset: with goals or attacks, not free.
    pub prior_smoothing: Option<bool>,
    /// Guidance terms; against collisions alone unless set.
    pub guidance: Guidance,
    /// Who fails a gate in the result is drawn again, knowing everyone else's future, at most so many times; at most
    /// [`MOST_REDRAWS`].
    pub redraws: usize,
    /// Whose future is made.
    pub scope: Scope,
    /// Only so many agents, the nearest to the ego within 104 m and everyone a wish names, take part; the others go on
    /// as recorded. 1 to [`MOST_AGENTS`].
    pub agents: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            task: Task::Free,
            schedule: ScheduleKind::Full,
            steps: Schedule::paper_steps(ScheduleKind::Full),
            seed: 1,
            sample: 0,
            temperature: None,
            history_level: 0.0,
            prior_smoothing: None,
            guidance: Guidance {
                collision: Guide {
                    weight: APART,
                    ..Guide::default()
                },
                ..Guidance::default()
            },
            redraws: REDRAWS,
            scope: Scope::Auto,
            agents: Options::default().max_agents,
        }
    }
}

impl Settings {
    /// The temperature a run uses.
    pub fn temperature_used(&self) -> f64 {
        self.temperature.unwrap_or(usual_temperature(self.task))
    }

    /// Whether a run's predictions are smoothed.
    pub fn prior_smoothing_used(&self) -> bool {
        self.prior_smoothing.unwrap_or(usual_smoothing(self.task))
    }

    /// Settings that answer an edit and touch only what it concerns: its agent fully, whom that agent meets from
    /// level 0.5, nobody else. The same seed gives the same noise, so the difference comes from the edit alone. Edits
    /// without an agent (signals, the present) concern everyone. The task follows from what `edited` holds.
    pub fn answering(&self, edit: &Edit, edited: &Scene) -> Self {
        let task = match (edited.attacks.is_empty(), edited.goals.is_empty()) {
            (false, _) => Task::Attack,
            (true, false) => Task::Goal,
            (true, true) => Task::Free,
        };
        let scope = match edit.agent() {
            Some(agent) if edited.agent(agent).is_some() => {
                Scope::Touched(BTreeSet::from([agent.clone()]))
            }
            _ => Scope::Everyone,
        };
        Self {
            task,
            scope,
            ..self.clone()
        }
    }
}

/// Why a result could not be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GenerateError {
    /// No agent at all.
    #[error("there is no agent in this scene to make a future for: add one")]
    NoAgents,
    /// No vehicle, pedestrian or cyclist at the present.
    #[error(
        "no vehicle, pedestrian or cyclist is there at the present ({now_s:.1} s): move the present"
    )]
    Nobody {
        /// The present, s.
        now_s: f64,
    },
    /// Everyone is frozen, logged or out of scope.
    #[error(
        "nothing to make: every agent is frozen, follows the log, or is outside the edit's reach"
    )]
    NothingFree,
    /// The task needs goals.
    #[error("the task is to reach goals, but no goal belongs to a free agent there at the present")]
    NoGoal,
    /// The task needs attacks.
    #[error("the task is an attack, but none is set: choose one of the candidates")]
    NoAttack,
    /// An attack that cannot be driven.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// The recipe's agents are not those of the scene.
    #[error("the recipe names agents {expected}, the scene's window holds {found}")]
    OtherAgents {
        /// As in the recipe.
        expected: String,
        /// As in the scene.
        found: String,
    },
    /// A number of the recipe is out of range.
    #[error("the recipe's {what} of {value} is not possible: {range}")]
    BadRecipe {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What is.
        range: &'static str,
    },
    /// The network failed.
    #[error(transparent)]
    Denoise(#[from] DenoiseError),
}
