//! Reaction: the world changes while a run is under way, and the very next step answers (Nexus, Sec. 3.2).
//!
//! Agents may come in or be moved, signals may change, goals may be set or moved. What was final stays so; what is still
//! noisy sees the change at once. The recipe notes each change with the step it came at and what held before, so that
//! the result regenerates.

use std::sync::Arc;

use super::draft::goal_given;
use super::guidance::Guided;
use super::plan::{Plan, state_of, stored};
use super::run::Run;
use super::settings::GenerateError;
use crate::codec::T;
use crate::diffusion::{Prepare, Schedule, Start};
use crate::rng::Seed;
use crate::scene::{
    Agent, AgentBefore, AgentId, AgentKind, Control, GivenToken, Reaction, Recipe, Role, Scene,
    SignalBefore, SignalState, State, Track,
};

impl Run {
    /// Takes over from `scene` what may change between two steps, if nothing else differs from the run's own: agents
    /// that came in, agents moved or resized (what has been made of their future so far moves along with them), what
    /// signals show, goals of agents the run makes (set, moved at their time, softened or not at another). The next step
    /// answers. False if the run is finished, nothing of this kind differs, or something else does (an agent removed, a
    /// goal taken back, another attack or map; anybody moved in a run with attacks): the run is then as it was, and a new
    /// one is needed.
    ///
    /// # Errors
    /// If the network refuses the changed window; the run goes on as before.
    pub fn react(&mut self, scene: &Scene) -> Result<bool, GenerateError> {
        match self.change_to(scene)? {
            Some(change) if !self.finished() => {
                self.take(scene, change)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Reaction to something that happened: the token of `agent` at `time_s` becomes `state`, final; all others see it
    /// at the very next step. False if the agent is not in the run or the run is finished.
    ///
    /// # Errors
    /// As [`Run::react`].
    pub fn overwrite(
        &mut self,
        agent: &AgentId,
        time_s: f64,
        state: &State,
    ) -> Result<bool, GenerateError> {
        if self.finished() || self.plan.window.row_of(agent).is_none() {
            return Ok(false);
        }
        let change = Reaction {
            step: self.sampler.event().taken,
            given: vec![GivenToken {
                agent: agent.clone(),
                token: self.plan.window.future_token_at(time_s),
                state: stored(state),
                level: 0.0,
                spread: None,
                extra: crate::map::Extra::new(),
            }],
            ..Reaction::default()
        };
        let scene = self.scene.clone();
        self.take(&scene, change)?;
        Ok(true)
    }

    /// What differs between the run's scene and `scene`; `None` if nothing, or something that needs a new run.
    fn change_to(&self, scene: &Scene) -> Result<Option<Reaction>, GenerateError> {
        let own = &self.scene;
        let same_frame = own.dt_s == scene.dt_s && own.now == scene.now;
        let same_wishes = own.attacks == scene.attacks && own.pins == scene.pins;
        if !(same_frame && same_wishes && Arc::ptr_eq(&own.map, &scene.map)) {
            return Ok(None);
        }
        let Some(moved) = self.moved(scene) else {
            return Ok(None);
        };
        let movers: Vec<AgentId> = moved.iter().map(|before| before.agent.clone()).collect();
        let arrived: Vec<&Arc<Agent>> = scene
            .agents
            .iter()
            .filter(|agent| own.agent(&agent.id).is_none())
            .collect();
        let may_enter = |agent: &&Arc<Agent>| {
            agent.control == Control::Free
                && agent.role != Role::Ego
                && agent.kind != AgentKind::Other
                && agent.track.get(scene.now).is_some()
        };
        if !arrived.iter().all(may_enter) {
            return Ok(None);
        }
        let Some(signals_before) = signals_before(own, scene) else {
            return Ok(None);
        };
        let entered: Vec<AgentId> = arrived.iter().map(|agent| agent.id.clone()).collect();
        let plan = self.plan.joined(scene, &entered, &movers)?;
        let before = &self.plan.window.valid;
        if plan.window.valid[..before.len()] != before[..] {
            return Ok(None);
        }
        let Some(given) = self.goals_given(scene, &plan, &movers) else {
            return Ok(None);
        };
        let unmoved = moved.is_empty() && entered.is_empty();
        let nothing = unmoved && given.is_empty() && signals_before.is_empty();
        Ok((!nothing).then(|| Reaction {
            step: self.sampler.event().taken,
            entered,
            given,
            signals_before,
            moved,
            extra: crate::map::Extra::new(),
        }))
    }

    /// The agents that are elsewhere in `scene`, as they are in the run; `None` if one of the run's is gone or is
    /// otherwise not what it was, or cannot be moved: it has no row, or there are attacks, whose aims lie on others' ways.
    fn moved(&self, scene: &Scene) -> Option<Vec<AgentBefore>> {
        let mut moved = Vec::new();
        for agent in &self.scene.agents {
            let now = scene.agent(&agent.id)?;
            if Arc::ptr_eq(agent, now) || agent == now {
                continue;
            }
            let mut as_before = Agent::clone(now);
            (as_before.length, as_before.width) = (agent.length, agent.width);
            as_before.track = agent.track.clone();
            let row = self.plan.window.row_of(&agent.id)?;
            let there = now.track.get(scene.now).is_some();
            if as_before != **agent || !there || !scene.attacks.is_empty() {
                return None;
            }
            // futures that are made are not read
            let read = match self.plan.window.rows[row].generated {
                true => scene.now + 1,
                false => scene.frames,
            };
            let states = agent.track.states();
            let same_size = (agent.length, agent.width) == (now.length, now.width);
            if same_size
                && states
                    .iter()
                    .take(read)
                    .eq(now.track.states().iter().take(read))
            {
                continue;
            }
            moved.push(AgentBefore {
                agent: agent.id.clone(),
                length: agent.length,
                width: agent.width,
                states: states
                    .iter()
                    .take(read)
                    .map(|state| state.as_ref().map(stored))
                    .collect(),
                extra: crate::map::Extra::new(),
            });
        }
        Some(moved)
    }

    /// Tokens of the goals that `scene` has and the run has not, and of those of agents that moved; `None` if one cannot
    /// be taken in. `plan` is the run's in that scene.
    fn goals_given(
        &self,
        scene: &Scene,
        plan: &Plan,
        moved: &[AgentId],
    ) -> Option<Vec<GivenToken>> {
        let own = &self.scene;
        let window = &plan.window;
        let made = |id: &AgentId| window.row_of(id).filter(|&row| window.rows[row].generated);
        let taken_back = |id: &AgentId| scene.goal_of(id).is_none() && made(id).is_some();
        if own.goals.iter().any(|goal| taken_back(&goal.agent)) {
            return None;
        }
        let mut given = Vec::new();
        for goal in &scene.goals {
            let before = own.goal_of(&goal.agent);
            if before == Some(goal) && !moved.contains(&goal.agent) {
                continue;
            }
            let row = made(&goal.agent)?;
            let (token, wish) = goal_given(scene, window, row, goal);
            let wish = wish.token_of(&goal.agent, token);
            // a known token cannot become unknown again
            let held = before.map(|goal| window.future_token_at(goal.time_s));
            let is_known = |token: usize| plan.matrix.get(row, token) <= 0.0;
            // ... nor an observation be taken back, but for another one
            let is_seen = |token: usize| {
                let mut soft = plan.soft_tokens.iter();
                soft.any(|soft| (soft.row, soft.token) == (row, token))
            };
            let lets_go = held.is_some_and(|held| {
                held != token && (is_known(held) || (is_seen(held) && wish.spread.is_none()))
            });
            if lets_go || (wish.spread.is_some() && is_known(token)) {
                return None;
            }
            given.push(wish);
        }
        Some(given)
    }

    /// Makes a change; `scene` is the world after it.
    fn take(&mut self, scene: &Scene, change: Reaction) -> Result<(), GenerateError> {
        let movers: Vec<AgentId> = change.moved.iter().map(|m| m.agent.clone()).collect();
        let mut plan = self.plan.joined(scene, &change.entered, &movers)?;
        let mut known = Vec::new();
        for given in &change.given {
            let row = plan.give(given)?;
            if given.spread.is_some() {
                // an agent has one goal
                plan.soft_tokens
                    .retain(|soft| soft.row != row || soft.token == given.token);
            }
            if given.spread.is_none() && row < self.plan.window.agents() {
                known.push((row, given.token));
            }
        }
        for row in movers.iter().filter_map(|id| plan.window.row_of(id)) {
            let given = (0..T).filter(|&token| plan.matrix.get(row, token) <= 0.0);
            known.extend(given.map(|token| (row, token)));
        }
        let mut sampler = self.sampler.clone();
        if !change.entered.is_empty() {
            let schedule = Schedule::new(self.recipe.schedule, 1, &plan.matrix);
            sampler.enter(Start {
                window: &plan.window,
                given: &plan.given(&self.scale),
                matrix: &plan.matrix,
                schedule: &schedule,
                seed: Seed(self.recipe.seed),
                sample: self.recipe.sample,
                samples: 1,
                temperature: self.recipe.temperature,
            })?;
        }
        for (row, token) in known {
            let state = &plan.states[row * T + token];
            sampler.overwrite(
                row,
                token,
                plan.window.normalise(row, token, state, &self.scale),
            );
        }
        // a goal that is seen after its token became final says nothing
        let levels = sampler.levels();
        plan.soft_tokens
            .retain(|soft| levels[soft.row * T + soft.token] > 0.0);
        if !(movers.is_empty() && change.entered.is_empty() && change.signals_before.is_empty()) {
            self.network.revise(&plan.window)?;
            let (window, guidance) = (&plan.window, &self.recipe.guidance);
            self.guidance = Guided::new(window, &self.scale, scene, guidance);
        }
        self.network.observe(&plan.observations(&self.scale));
        (self.plan, self.sampler) = (plan, sampler);
        self.scene = scene.clone();
        self.recipe.reactions.push(change);
        Ok(())
    }
}

/// What the signals that changed had shown; `None` if there are others than before.
fn signals_before(own: &Scene, scene: &Scene) -> Option<Vec<SignalBefore>> {
    if Arc::ptr_eq(&own.signals, &scene.signals) {
        return Some(Vec::new());
    }
    let pairs = || own.signals.iter().zip(scene.signals.iter());
    let alike = own.signals.len() == scene.signals.len()
        && pairs().all(|(one, two)| (&one.lane, one.stop_point) == (&two.lane, two.stop_point));
    alike.then(|| {
        pairs()
            .enumerate()
            .filter(|(_, (one, two))| one.states != two.states)
            .map(|(signal, (before, _))| SignalBefore {
                signal,
                states: before.runs(),
                extra: crate::map::Extra::new(),
            })
            .collect()
    })
}

/// A stored run with its changes of the world, which come at their steps.
pub struct Replay {
    run: Run,
    /// Changes still to come, the next one last, each with the world after it.
    ahead: Vec<(Scene, Reaction)>,
}

impl Replay {
    /// The run of `recipe` in the world as it was at first; `scene` is the world in the end.
    ///
    /// # Errors
    /// If the recipe does not fit the scene, or the network cannot take it.
    pub fn begin(
        scene: &Scene,
        mut recipe: Recipe,
        prepare: &dyn Prepare,
    ) -> Result<Self, GenerateError> {
        let mut world = scene.clone();
        let mut ahead = Vec::new();
        for change in std::mem::take(&mut recipe.reactions).into_iter().rev() {
            let after = world.clone();
            undo(&mut world, &change)?;
            ahead.push((after, change));
        }
        Ok(Self {
            run: Run::new(&world, recipe, prepare)?,
            ahead,
        })
    }

    /// The run as it stands.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The run as it stands, ended there if it is not finished.
    pub fn finish(&self) -> Scene {
        self.run.finish()
    }

    /// Takes the next step.
    ///
    /// # Errors
    /// If the network fails.
    pub fn step(&mut self) -> Result<(), GenerateError> {
        self.run.step().map(|_| ())
    }

    /// Makes the changes that are due before the next step; whether there were any.
    ///
    /// # Errors
    /// If one does not fit the scene.
    pub fn catch_up(&mut self) -> Result<bool, GenerateError> {
        let (taken, before) = (self.run.event().taken, self.ahead.len());
        while let Some((scene, change)) = self.ahead.pop_if(|(_, change)| change.step <= taken) {
            self.run.take(&scene, change)?;
        }
        Ok(self.ahead.len() < before)
    }
}

/// The world before a change.
fn undo(world: &mut Scene, change: &Reaction) -> Result<(), GenerateError> {
    world
        .agents
        .retain(|agent| !change.entered.contains(&agent.id));
    for before in &change.moved {
        let Some(index) = world.agent_index(&before.agent) else {
            return Err(GenerateError::OtherAgents {
                expected: before.agent.to_string(),
                found: "no such agent".to_owned(),
            });
        };
        let sizes = [before.length, before.width];
        if let Some(value) = sizes.into_iter().find(|size| size.is_nan() || *size <= 0.0) {
            let what = "size of an agent before it moved";
            let range = "it must be more than 0 m";
            return Err(GenerateError::BadRecipe { what, value, range });
        }
        let agent = Arc::make_mut(&mut world.agents[index]);
        (agent.length, agent.width) = (before.length, before.width);
        let states = before.states.iter().map(|state| state.map(state_of));
        let later = agent.track.states().iter().skip(before.states.len());
        agent.track = Track::new(states.chain(later.copied()).take(world.frames).collect());
    }
    for before in &change.signals_before {
        let frames = world.frames;
        let signals = Arc::make_mut(&mut world.signals);
        let Some(signal) = signals.get_mut(before.signal) else {
            return Err(GenerateError::BadRecipe {
                what: "signal",
                value: before.signal as f64,
                range: "the scene has no such signal",
            });
        };
        let mut states = vec![SignalState::default(); frames];
        for (from, state) in &before.states {
            if let Some(rest) = states.get_mut(*from..) {
                rest.fill(*state);
            }
        }
        signal.states = states;
    }
    Ok(())
}
