//! A recipe laid over a scene: the window, the starting levels, the given states.

use std::collections::BTreeSet;

use super::settings::GenerateError;
use crate::codec::{CHANNELS, NOW, Options, Scale, T, Window};
use crate::diffusion::NoiseMatrix;
use crate::geometry::{dvec2, quantise, wrap_angle};
use crate::scene::{Recipe, Scene, State};

/// What a run starts from, in the scene's units.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Agents and lanes; rows that are kept are not `generated`.
    pub window: Window,
    /// Starting level of each token [A, T].
    pub matrix: NoiseMatrix,
    /// Known and hinted states [A, T]; meaningless where the level is 1.
    pub states: Vec<State>,
}

impl Plan {
    /// The plan of `recipe` for `scene`. Reads of the scene: histories, the tracks of kept agents, the map, signals.
    /// Futures of agents that are made are not read, so a stored result gives the same plan as what it came from.
    ///
    /// # Errors
    /// If the scene's agents are not those of the recipe, or a token or level is out of range.
    pub fn new(scene: &Scene, recipe: &Recipe) -> Result<Self, GenerateError> {
        let options = Options {
            max_agents: recipe.agents.len(),
            radius_m: 0.0,
            include: recipe.agents.iter().cloned().collect(),
            whole_future: true,
        };
        let mut window = Window::new(scene, &options);
        if !window.rows.iter().map(|row| &row.id).eq(&recipe.agents) {
            return Err(GenerateError::OtherAgents {
                expected: listed(recipe.agents.iter()),
                found: listed(window.rows.iter().map(|row| &row.id)),
            });
        }
        let kept: BTreeSet<_> = recipe.kept.iter().collect();
        let mut matrix = NoiseMatrix::futures(window.agents());
        for row in 0..window.agents() {
            let is_kept = kept.contains(&window.rows[row].id);
            window.rows[row].generated = !is_kept;
            for token in NOW + 1..T {
                let at = row * T + token;
                window.valid[at] = !is_kept || window.known[at];
            }
            if is_kept {
                matrix.set_future(row, 0.0);
            }
        }
        let mut plan = Self {
            states: window.tokens.clone(),
            window,
            matrix,
        };
        for partial in &recipe.partial {
            for (index, state) in partial.tokens.iter().enumerate().take(T - NOW - 1) {
                if let Some(state) = state {
                    plan.give(&partial.agent, NOW + 1 + index, state, partial.level)?;
                }
            }
        }
        for given in &recipe.given {
            plan.give(&given.agent, given.token, &given.state, given.level)?;
        }
        Ok(plan)
    }

    fn give(
        &mut self,
        agent: &crate::scene::AgentId,
        token: usize,
        state: &[f64; 5],
        level: f64,
    ) -> Result<(), GenerateError> {
        if !(NOW + 1..T).contains(&token) {
            return Err(GenerateError::BadRecipe {
                what: "token",
                value: token as f64,
            });
        }
        if !(0.0..=1.0).contains(&level) {
            return Err(GenerateError::BadRecipe {
                what: "noise level",
                value: level,
            });
        }
        let Some(row) = self.window.row_of(agent) else {
            return Err(GenerateError::OtherAgents {
                expected: agent.to_string(),
                found: listed(self.window.rows.iter().map(|row| &row.id)),
            });
        };
        let [x, y, heading, vx, vy] = state.map(quantise);
        self.states[row * T + token] = State {
            position: dvec2(x, y),
            heading: wrap_angle(heading),
            velocity: dvec2(vx, vy),
        };
        self.matrix.set(row, token, level as f32);
        Ok(())
    }

    /// The given tokens, normalised [A, T, 6]; zero where the level is 1 or the token is invalid.
    pub fn given(&self, scale: &Scale) -> Vec<f32> {
        let mut out = vec![0.0; self.states.len() * CHANNELS];
        for (at, numbers) in out.chunks_exact_mut(CHANNELS).enumerate() {
            if self.window.valid[at] && self.matrix.levels()[at] < 1.0 {
                let (row, token) = (at / T, at % T);
                numbers.copy_from_slice(&self.window.normalise(
                    row,
                    token,
                    &self.states[at],
                    scale,
                ));
            }
        }
        out
    }
}

/// A state as it is stored in recipes.
pub(super) fn stored(state: &State) -> [f64; 5] {
    let state = state.quantised();
    [
        state.position.x,
        state.position.y,
        state.heading,
        state.velocity.x,
        state.velocity.y,
    ]
}

fn listed<'a>(ids: impl Iterator<Item = &'a crate::scene::AgentId>) -> String {
    let ids: Vec<&str> = ids.map(crate::scene::AgentId::as_str).collect();
    format!("[{}]", ids.join(", "))
}
