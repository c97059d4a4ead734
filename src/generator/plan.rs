//! A recipe laid over a scene: the window, the starting levels, the given states.

use std::collections::BTreeSet;

use super::settings::GenerateError;
use crate::codec::{CHANNELS, NOW, Options, Scale, T, Window};
use crate::diffusion::{NoiseMatrix, Observation};
use crate::geometry::{dvec2, quantise, wrap_angle};
use crate::scene::{AgentId, GivenToken, Recipe, Scene, Spread, State};

/// What a run starts from, in the scene's units.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Agents and lanes; rows that are kept are not `generated`.
    pub window: Window,
    /// Starting level of each token [A, T].
    pub matrix: NoiseMatrix,
    /// Known and hinted states [A, T]; meaningless where the level is 1.
    pub states: Vec<State>,
    /// What is seen of future tokens without being known, at most once a token.
    pub soft_tokens: Vec<SoftToken>,
}

/// A future state that is seen inaccurately: a soft goal.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftToken {
    /// Row of the window.
    pub row: usize,
    /// Token, 5 to 20.
    pub token: usize,
    /// What is seen, scene frame.
    pub state: State,
    /// How accurately.
    pub spread: Spread,
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
            ..Options::default()
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
            soft_tokens: Vec::new(),
            window,
            matrix,
        };
        for partial in &recipe.partial {
            for (index, state) in partial.tokens.iter().enumerate().take(T - NOW - 1) {
                if let Some(state) = state {
                    plan.give(&GivenToken {
                        agent: partial.agent.clone(),
                        token: NOW + 1 + index,
                        state: *state,
                        level: partial.level,
                        spread: None,
                        extra: crate::map::Extra::new(),
                    })?;
                }
            }
        }
        for given in &recipe.given {
            plan.give(given)?;
        }
        Ok(plan)
    }

    /// Takes in a token that is given or seen; returns its row.
    pub(super) fn give(&mut self, given: &GivenToken) -> Result<usize, GenerateError> {
        let (agent, token, level) = (&given.agent, given.token, given.level);
        if !(NOW + 1..T).contains(&token) {
            return Err(GenerateError::BadRecipe {
                what: "token",
                value: token as f64,
                range: "5 to 20 are",
            });
        }
        if !(0.0..=1.0).contains(&level) {
            return Err(GenerateError::BadRecipe {
                what: "noise level",
                value: level,
                range: "0 to 1 is",
            });
        }
        let Some(row) = self.window.row_of(agent) else {
            return Err(GenerateError::OtherAgents {
                expected: agent.to_string(),
                found: listed(self.window.rows.iter().map(|row| &row.id)),
            });
        };
        let state = state_of(given.state);
        self.soft_tokens
            .retain(|soft| (soft.row, soft.token) != (row, token));
        if let Some(spread) = given.spread {
            let parts = [
                Some(spread.position_m),
                spread.heading_rad,
                spread.velocity_mps,
            ];
            if let Some(value) = parts
                .into_iter()
                .flatten()
                .find(|value| value.is_nan() || *value <= 0.0)
            {
                let what = "standard deviation of a given token";
                let range = "it must be more than 0";
                return Err(GenerateError::BadRecipe { what, value, range });
            }
            self.soft_tokens.push(SoftToken {
                row,
                token,
                state,
                spread,
            });
        } else {
            self.states[row * T + token] = state;
            self.matrix.set(row, token, level as f32);
        }
        Ok(row)
    }

    /// The plan in a world where `newcomers` came in and others `moved`; see [`Window::joined`]. The newcomers' futures
    /// are to be made. What was given to those who moved stays where it is in the scene.
    ///
    /// # Errors
    /// If one of the newcomers is not there at the present.
    pub(super) fn joined(
        &self,
        scene: &Scene,
        newcomers: &[AgentId],
        moved: &[AgentId],
    ) -> Result<Self, GenerateError> {
        let mut window = self.window.joined(scene, newcomers, moved);
        let before = self.window.agents();
        if window.agents() != before + newcomers.len() {
            return Err(GenerateError::OtherAgents {
                expected: listed(newcomers.iter()),
                found: listed(window.rows[before..].iter().map(|row| &row.id)),
            });
        }
        for row in &mut window.rows[before..] {
            row.generated = true;
        }
        for at in before * T..window.valid.len() {
            window.valid[at] |= at % T > NOW;
        }
        let mut states = self.states.clone();
        for row in moved.iter().filter_map(|id| self.window.row_of(id)) {
            let made = window.rows[row].generated;
            for token in 0..T {
                let at = row * T + token;
                if token > NOW {
                    window.valid[at] = made || window.known[at];
                }
                if token <= NOW || !made {
                    states[at] = window.tokens[at];
                }
            }
        }
        states.extend_from_slice(&window.tokens[before * T..]);
        Ok(Self {
            matrix: self.matrix.joined(&NoiseMatrix::futures(newcomers.len())),
            states,
            soft_tokens: self.soft_tokens.clone(),
            window,
        })
    }

    /// What is seen of future tokens, normalised. The heading's standard deviation holds for both its numbers.
    pub fn observations(&self, scale: &Scale) -> Vec<Observation> {
        let seen = |soft: &SoftToken| {
            let Spread {
                position_m,
                heading_rad,
                velocity_mps,
            } = soft.spread;
            let unseen = f64::INFINITY;
            let (heading, velocity) = (
                heading_rad.unwrap_or(unseen),
                velocity_mps.unwrap_or(unseen),
            );
            let deviations = [position_m, position_m, velocity, velocity, heading, heading];
            Observation {
                agent: soft.row,
                token: soft.token,
                value: self
                    .window
                    .normalise(soft.row, soft.token, &soft.state, scale),
                variance: std::array::from_fn(|channel| {
                    let unit = f64::from(scale.0[soft.token][channel]);
                    (deviations[channel] / unit).powi(2) as f32
                }),
            }
        };
        self.soft_tokens.iter().map(seen).collect()
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

/// A state that is stored in a recipe.
pub(super) fn state_of(stored: [f64; 5]) -> State {
    let [x, y, heading, vx, vy] = stored.map(quantise);
    State {
        position: dvec2(x, y),
        heading: wrap_angle(heading),
        velocity: dvec2(vx, vy),
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

fn listed<'a>(ids: impl Iterator<Item = &'a AgentId>) -> String {
    let ids: Vec<&str> = ids.map(AgentId::as_str).collect();
    format!("[{}]", ids.join(", "))
}
