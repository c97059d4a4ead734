//! Every step of a run, kept for the denoise timeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codec::{DT_S, NOW, T};
use crate::diffusion::Prepare;
use crate::generator::{GenerateError, Replay, Run};
use crate::scene::{AgentId, Recipe, Scene, State};

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

/// A run's steps with the scene it led to.
#[derive(Debug, Clone)]
pub struct Steps {
    /// The steps, the starting noise first.
    pub log: StepLog,
    /// The result.
    pub result: Arc<Scene>,
}

impl Steps {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.log.records.len()
    }

    /// The scene as a step saw it, on the file grid; the last one is the result itself.
    pub fn scene(&self, step: usize) -> Arc<Scene> {
        if step + 1 >= self.count() {
            return Arc::clone(&self.result);
        }
        Arc::new(self.log.scene(&self.result, step, false).quantised())
    }
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
    pub fn begin(run: &Run, scene: &Scene) -> Self {
        let window = &run.plan().window;
        Self {
            agents: window.rows.iter().map(|row| row.id.clone()).collect(),
            valid: window.valid.clone(),
            made: window.rows.iter().map(|row| row.generated).collect(),
            now_s: scene.now_s(),
            records: vec![Arc::new(record(run))],
        }
    }

    /// The steps of a stored run, carried out again with its changes of the world; `scene` is the world in the end.
    ///
    /// # Errors
    /// As of [`Replay::begin`] and its steps.
    pub fn of_recipe(
        scene: &Scene,
        recipe: &Recipe,
        prepare: &dyn Prepare,
    ) -> Result<Self, GenerateError> {
        let mut replay = Replay::begin(scene, recipe.clone(), prepare)?;
        let mut log = Self::begin(replay.run(), scene);
        while !replay.run().finished() {
            if replay.catch_up()? {
                log.go_on(replay.run());
            }
            replay.step()?;
            log.push(replay.run());
        }
        Ok(log)
    }

    /// Adds the state of `run` after its last step.
    pub fn push(&mut self, run: &Run) -> Arc<StepRecord> {
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

    /// Noise levels after a step, one per token, of every agent that is made; empty if there is no such step.
    pub fn levels(&self, step: usize) -> BTreeMap<AgentId, Vec<f32>> {
        let Some(record) = self.records.get(step) else {
            return BTreeMap::new();
        };
        let made = |row: &usize| self.made.get(*row).copied().unwrap_or(false);
        let rows = self.agents.iter().enumerate();
        rows.filter(|(row, _)| made(row))
            .map(|(row, id)| (id.clone(), record.levels[row * T..(row + 1) * T].to_vec()))
            .collect()
    }

    /// Who is under way once more at a step, because they failed a gate: those with noise left since levels last
    /// rose. Nobody in the first draw, or if there is no such step.
    pub fn drawn_again(&self, step: usize) -> Vec<&AgentId> {
        let Some(until) = self.records.get(..=step) else {
            return Vec::new();
        };
        let rises = |pair: &[Arc<StepRecord>]| {
            let mut levels = pair[0].levels.iter().zip(&pair[1].levels);
            levels.any(|(before, after)| after > before)
        };
        if !until.windows(2).any(rises) {
            return Vec::new();
        }
        let rows = self.agents.iter().zip(until[step].levels.chunks_exact(T));
        rows.filter(|(_, levels)| levels.iter().any(|level| *level > 0.0))
            .map(|(id, _)| id)
            .collect()
    }

    /// Mean noise level after a step over the tokens whose future is made; 0 if there is none.
    pub fn mean_level(&self, step: usize) -> f64 {
        let levels = self.levels(step);
        let future = levels.values().flat_map(|row| row.iter().skip(NOW + 1));
        let (sum, count) = future.fold((0.0, 0_u32), |(sum, count), level| {
            (sum + f64::from(*level), count + 1)
        });
        sum / f64::from(count.max(1))
    }

    /// Scene time of the first level, s.
    pub fn start_s(&self) -> f64 {
        self.now_s - NOW as f64 * DT_S
    }

    /// The scene as a step saw it: the made agents' futures along that step's tokens, straight between them; the
    /// clean ones as predicted, or the `noisy` ones. `base` is the scene the run was given, its result, or a window of
    /// either. `base`
    /// itself if there is no such step.
    pub fn scene(&self, base: &Scene, step: usize, noisy: bool) -> Scene {
        let mut scene = base.clone();
        let Some(record) = self.records.get(step) else {
            return scene;
        };
        let tokens = if noisy { &record.noisy } else { &record.clean };
        for (row, id) in self.agents.iter().enumerate() {
            let made = self.made.get(row).copied().unwrap_or(false);
            let (true, Some(index)) = (made, scene.agent_index(id)) else {
                continue;
            };
            let own = &tokens[row * T..(row + 1) * T];
            let valid = &self.valid[row * T..(row + 1) * T];
            let present = scene.agents[index].track.get(base.now).copied();
            let (now, frames) = (base.now, base.frames);
            let times: Vec<f64> = (0..frames).map(|frame| base.time_of(frame)).collect();
            let track = &mut Arc::make_mut(&mut scene.agents[index]).track;
            for (frame, time_s) in times.iter().enumerate().skip(now + 1) {
                let token = NOW as f64 + (time_s - base.now_s()) / DT_S;
                track.set(frame, between(own, valid, present, token));
            }
        }
        scene
    }
}

/// The state at a token position with a fraction; the present state stands in for token 4.
fn between(own: &[State], valid: &[bool], present: Option<State>, token: f64) -> Option<State> {
    let below = (token + 1e-6).floor() as usize;
    let fraction = (token - below as f64).max(0.0);
    let at = |token: usize| {
        if token == NOW {
            return present;
        }
        let there = valid.get(token).copied().unwrap_or(false);
        there.then(|| own.get(token).copied()).flatten()
    };
    let before = at(below)?;
    if fraction < 1e-6 {
        return Some(before);
    }
    Some(before.lerp(&at(below + 1)?, fraction))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::scene::{Agent, AgentKind, Track};

    fn at(x: f64) -> State {
        State::along(Pose::at(x, 0.0, 0.0), 2.0)
    }

    #[test]
    fn a_step_is_drawn_straight_between_its_tokens() {
        // present at 1 s, x = 2; tokens 5 and 6 (1.5 s, 2 s) predict x = 12 and x = 32
        let states = (0..31).map(|frame| Some(at(0.2 * f64::from(frame))));
        let agent = Agent::new("a", AgentKind::Vehicle, Track::new(states.collect()));
        let base = Scene {
            dt_s: 0.1,
            frames: 31,
            now: 10,
            agents: vec![Arc::new(agent)],
            ..Scene::default()
        };
        let mut clean = vec![at(0.0); T];
        (clean[5], clean[6]) = (at(12.0), at(32.0));
        let mut valid = vec![false; T];
        (valid[4], valid[5], valid[6]) = (true, true, true);
        let log = StepLog {
            agents: vec![AgentId::new("a")],
            valid,
            made: vec![true],
            now_s: 1.0,
            records: vec![Arc::new(StepRecord {
                taken: 1,
                levels: vec![0.0; T],
                noisy: clean.clone(),
                clean,
            })],
        };
        let scene = log.scene(&base, 0, false);
        let x = |frame: usize| scene.agents[0].track.get(frame).map(|s| s.position.x);
        assert_eq!(x(10), Some(2.0)); // history and present stay
        assert!((x(12).unwrap() - 6.0).abs() < 1e-9); // 2 + 10 · 0.2 s / 0.5 s
        assert!((x(15).unwrap() - 12.0).abs() < 1e-9);
        assert!((x(20).unwrap() - 32.0).abs() < 1e-9);
        assert_eq!(x(21), None); // token 7 is not valid
    }
}
