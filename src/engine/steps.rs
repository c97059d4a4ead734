//! Every step of a run, kept for the denoise timeline.

use std::sync::Arc;

use crate::codec::{NOW, T};
use crate::generator::Run;
use crate::scene::{AgentId, Scene, State};

/// A run as it looked after one step (or before the first).
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// Steps taken when this was so; 0 is the start.
    pub taken: usize,
    /// Noise levels [A, T]; 0 where invalid.
    pub levels: Vec<f32>,
    /// The tokens as they were, noisy where their level is above 0 [A, T], scene frame.
    pub noisy: Vec<State>,
    /// The tokens as the step predicted them clean [A, T], scene frame.
    pub clean: Vec<State>,
}

/// All steps of one run.
#[derive(Debug, Clone, Default)]
pub struct StepLog {
    /// Rows of the tensors.
    pub agents: Vec<AgentId>,
    /// Which tokens take part [A, T].
    pub valid: Vec<bool>,
    /// Whose future the run makes [A].
    pub made: Vec<bool>,
    /// Scene time of token 4, the present, s.
    pub now_s: f64,
    /// Steps, from the starting noise to the last taken; at least one once the run has begun.
    pub records: Vec<Arc<StepRecord>>,
}

impl StepLog {
    /// A log that begins with the starting noise of `run`.
    pub(super) fn begin(run: &Run, scene: &Scene) -> Self {
        let window = &run.plan().window;
        Self {
            agents: window.rows.iter().map(|row| row.id.clone()).collect(),
            valid: window.valid.clone(),
            made: window.rows.iter().map(|row| row.generated).collect(),
            now_s: scene.now_s(),
            records: vec![Arc::new(record(run))],
        }
    }

    pub(super) fn push(&mut self, run: &Run) -> Arc<StepRecord> {
        let record = Arc::new(record(run));
        self.records.push(Arc::clone(&record));
        record
    }

    /// Takes in that the run's world changed: agents that came in get rows, in the steps before they came as pure noise
    /// where they would coast to.
    pub(super) fn go_on(&mut self, run: &Run) {
        let window = &run.plan().window;
        let before = self.agents.len();
        let newcomers = &window.rows[before.min(window.rows.len())..];
        if newcomers.is_empty() {
            return;
        }
        self.agents
            .extend(newcomers.iter().map(|row| row.id.clone()));
        self.made.extend(newcomers.iter().map(|row| row.generated));
        self.valid.clone_from(&window.valid);
        let coasting = &window.tokens[before * T..];
        let levels = (before * T..window.valid.len()).map(|at| {
            if at % T > NOW && window.valid[at] {
                1.0
            } else {
                0.0
            }
        });
        let levels: Vec<f32> = levels.collect();
        for record in &mut self.records {
            let record = Arc::make_mut(record);
            record.levels.extend_from_slice(&levels);
            record.noisy.extend_from_slice(coasting);
            record.clean.extend_from_slice(coasting);
        }
    }

    /// The row of an agent.
    pub fn row_of(&self, agent: &AgentId) -> Option<usize> {
        self.agents.iter().position(|id| id == agent)
    }

    /// Noise level of an agent's token after a step; `None` if there is no such row, token or step.
    pub fn level(&self, step: usize, row: usize, token: usize) -> Option<f32> {
        let record = self.records.get(step)?;
        (token < T).then(|| record.levels.get(row * T + token).copied())?
    }
}

fn record(run: &Run) -> StepRecord {
    let event = run.event();
    let one_sample = run.plan().states.len() * crate::codec::CHANNELS;
    StepRecord {
        taken: event.taken,
        levels: event.levels.to_vec(),
        noisy: run.states(&event.tokens[..one_sample]),
        clean: run.states(&event.clean[..one_sample]),
    }
}
