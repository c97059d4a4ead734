//! The live world: closed loop without end, the model as the world.
//!
//! Every half second the future is denoised again by the pyramidal schedule. The last plan is not thrown away: moved
//! up by one frame it is re-noised along the pyramid's ramp, near frames little, far frames much, the newest fully
//! (Nexus, Sec. 3.2: one frame leaves the chunk finished, one enters as noise). The first half second of the result
//! then happens. An edit is a new job that starts from the edited present, so it is seen at the very next step.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Event, EventDesk};
use crate::codec::{DT_S, NOW, T};
use crate::diffusion::Prepare;
use crate::generator::{GenerateError, Run, Scope, Settings, draft};
use crate::scene::{
    AgentId, BEGAN_S, Control, DRIVEN_BY, GivenToken, Goal, Scene, ScheduleKind, State, Task, WORLD,
};

/// Denoising steps per half second of world.
const STEPS: usize = 6;
/// Seconds kept before the present.
const HISTORY_S: f64 = 2.0;
/// Agents farther than this from the ego leave the world, m.
const WORLD_RADIUS_M: f64 = 150.0;
/// Levels the last plan is re-noised to: the next frame, the last frame but one.
const RAMP: [f64; 2] = [0.25, 0.95];

/// The model as a world, half a second at a time.
#[derive(Default)]
pub(super) struct Stream {
    plan: Vec<(AgentId, Vec<State>)>,
    tick: u64,
}

impl Stream {
    /// The scene with everyone's future made anew from its present; `None` if it is no longer wanted, which is asked
    /// before every denoising step. The first half second of it is what happens next.
    pub(super) fn next(
        &mut self,
        world: &Scene,
        settings: &Settings,
        network: &dyn Prepare,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Option<Scene>, GenerateError> {
        let settings = Settings {
            schedule: ScheduleKind::Pyramidal,
            steps: STEPS,
            seed: settings.seed.wrapping_add(self.tick),
            redraws: 0,
            scope: Scope::Everyone,
            task: task_in(world, settings.task),
            ..settings.clone()
        };
        let mut recipe = match draft(world, &settings, network.identity()) {
            // too late for the contact, or it came before its time: the world goes on without
            Err(GenerateError::Attack(_)) => {
                let mut calm = world.clone();
                calm.attacks.clear();
                let task = task_in(&calm, Task::Attack);
                draft(&calm, &Settings { task, ..settings }, network.identity())
            }
            drafted => drafted,
        }?;
        let taken: BTreeSet<(AgentId, usize)> = recipe
            .given
            .iter()
            .map(|given| (given.agent.clone(), given.token))
            .collect();
        let kept: BTreeSet<AgentId> = recipe.kept.iter().cloned().collect();
        let rows: BTreeSet<AgentId> = recipe.agents.iter().cloned().collect();
        for (agent, states) in self.plan.iter().filter(|(agent, _)| rows.contains(agent)) {
            if !kept.contains(agent) {
                recipe.given.extend(carried(agent, states, &taken));
            }
        }
        let mut run = Run::new(world, recipe, network)?;
        while !run.finished() {
            if !wanted() {
                return Ok(None);
            }
            run.step()?;
        }
        let states = run.states(run.event().tokens);
        self.plan = run
            .plan()
            .window
            .rows
            .iter()
            .zip(states.chunks_exact(T))
            .map(|(row, states)| (row.id.clone(), states.to_vec()))
            .collect();
        self.tick += 1;
        Ok(Some(run.preview()))
    }

    /// What an agent will do is not as planned: its next future starts from noise.
    pub(super) fn forget(&mut self, agent: &AgentId) {
        self.plan.retain(|(id, _)| id != agent);
    }
}

/// Runs until it is no longer wanted or nobody is left to move.
pub(super) fn run(
    scene: &Scene,
    settings: &Settings,
    network: &dyn Prepare,
    desk: &EventDesk<'_>,
) -> Result<(), GenerateError> {
    let mut world = scene.clone();
    let mut stream = Stream::default();
    while desk.wanted() {
        let began = Instant::now();
        let next = match stream.next(&world, settings, network, &|| desk.wanted()) {
            Err(GenerateError::Nobody { .. } | GenerateError::NoAgents) if stream.tick > 0 => {
                let text = "the world has stopped: nobody is left in it";
                desk.report(Event::Failed(text.to_owned()));
                return Ok(());
            }
            next => next?,
        };
        let Some(next) = next else {
            return Ok(());
        };
        world = advanced(&next);
        desk.report(Event::World(Arc::new(world.clone())));
        let rest = Duration::from_secs_f64(DT_S).saturating_sub(began.elapsed());
        let pause = Duration::from_millis(10);
        let pauses = rest.as_millis() / pause.as_millis();
        for _ in 0..pauses {
            if !desk.wanted() {
                return Ok(());
            }
            thread::sleep(pause);
        }
    }
    Ok(())
}

/// What can still be asked for: goals and attacks whose time is over are no longer in the world.
fn task_in(world: &Scene, task: Task) -> Task {
    let free = |goal: &Goal| {
        let agent = world.agent(&goal.agent);
        agent.is_some_and(|agent| agent.control == Control::Free)
    };
    match task {
        Task::Attack if !world.attacks.is_empty() => Task::Attack,
        Task::Attack | Task::Goal if world.goals.iter().any(free) => Task::Goal,
        Task::Attack | Task::Goal | Task::Free => Task::Free,
    }
}

/// The last plan of an agent, one frame later, as hints along the ramp; tokens already given are left alone.
fn carried(
    agent: &AgentId,
    states: &[State],
    taken: &BTreeSet<(AgentId, usize)>,
) -> Vec<GivenToken> {
    (NOW + 1..T - 1)
        .filter(|&token| !taken.contains(&(agent.clone(), token)))
        .map(|token| {
            let state = states[token + 1].quantised();
            GivenToken {
                agent: agent.clone(),
                token,
                state: [
                    state.position.x,
                    state.position.y,
                    state.heading,
                    state.velocity.x,
                    state.velocity.y,
                ],
                level: level_of(token),
                spread: None,
                extra: crate::map::Extra::new(),
            }
        })
        .collect()
}

/// Linear between the two ends of [`RAMP`] over tokens 5 to 19.
fn level_of(token: usize) -> f64 {
    let along = (token - NOW - 1) as f64 / (T - NOW - 3) as f64;
    RAMP[0] + (RAMP[1] - RAMP[0]) * along
}

/// The scene half a second later: the present moves on, what lies before the history is forgotten, and who is far
/// from the ego leaves.
fn advanced(scene: &Scene) -> Scene {
    let present_s = scene.now_s() + DT_S;
    let mut later = scene.clone();
    later.now = (later.frame_at(present_s).round() as usize).min(later.frames.saturating_sub(1));
    let start_s = (present_s - HISTORY_S).max(0.0);
    let began_s = scene.began_s() + scene.time_of(scene.frame_at(start_s).round() as usize);
    let mut later = later.window(start_s, f64::INFINITY);
    later.generated = None;
    later.extra.insert(BEGAN_S.to_owned(), began_s.into());
    later.extra.insert(DRIVEN_BY.to_owned(), WORLD.into());
    later.edits.clear();
    later.log.clear();
    later.goals.retain(|goal| goal.time_s > HISTORY_S);
    later.attacks.retain(|attack| attack.time_s > HISTORY_S);
    let now = later.now;
    if let Some(centre) = later
        .ego()
        .and_then(|ego| ego.track.get(now))
        .map(|state| state.position)
    {
        later.agents.retain(|agent| {
            agent
                .track
                .get(now)
                .is_some_and(|state| state.position.distance(centre) < WORLD_RADIUS_M)
        });
    }
    later.forget_absent();
    later
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_runs_from_the_next_frame_to_the_last_but_one() {
        assert_eq!(level_of(NOW + 1), RAMP[0]);
        assert!((level_of(T - 2) - RAMP[1]).abs() < 1e-12);
    }
}
