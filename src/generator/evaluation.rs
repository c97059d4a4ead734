//! Tables against the log: windows, the protocol's plan, and the sums each method adds up.
//!
//! Protocol: the present every 2 s from 2 s on while 8 s of future remain (a scene of 9 s gives one window at its end
//! less 8 s). Tokens the log does not hold take no part. Conditioned: every agent's last logged token at least 2 s
//! ahead is given. Vehicles of the window are judged among themselves on the half-second grid.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::plan::Plan;
use super::settings::{usual_smoothing, usual_temperature};
use crate::codec::{CHANNELS, NOW, Options, T, Window, decode};
use crate::diffusion::{DenoiseError, NoiseMatrix, Prepare, noise_share, signal_share};
use crate::metrics::{
    AgentDisplacement, Grid, Instability, Ratio, RoadRule, Samples, displacements, instability,
    off_road, standing_cars, struck,
};
use crate::rng::{Purpose, Seed};
use crate::scene::{Agent, AgentId, AgentKind, Recipe, Scene, ScheduleKind, Task};

/// A logged scene at one present, ready to be completed and judged.
#[derive(Debug, Clone)]
pub struct LoggedWindow {
    /// The scene with its present there, everyone free.
    pub scene: Scene,
    /// The unit of the bootstrap: the recording it comes from.
    pub recording: String,
    /// Agents with tokens valid only where the log knows them.
    pub window: Window,
    /// Each row's goal token, if its log reaches at least 2 s ahead.
    pub goals: Vec<Option<usize>>,
}

/// The windows of a recording under the protocol, with recorded agents only; `stride_s` between presents. Where no ego is
/// recorded, each window's is the vehicle known longest in it. Windows without a second agent, or whose ego is not
/// there, are left out. At most `agents` of the nearest take part.
pub fn logged_windows(
    scene: &Scene,
    recording: &str,
    stride_s: f64,
    agents: usize,
) -> Vec<LoggedWindow> {
    let scene = &scene.recorded();
    presents(scene.duration_s(), stride_s)
        .into_iter()
        .filter_map(|now_s| logged_window(scene, recording, now_s, agents))
        .collect()
}

/// The presents, s, of a recording of `duration_s` seconds: 2 s and every `stride_s` seconds later, while 8 s follow; its
/// end less 8 s where it has no 10 s, none where it has no 8.5 s.
pub fn presents(duration_s: f64, stride_s: f64) -> Vec<f64> {
    if duration_s >= 9.99 {
        let count = ((duration_s - 10.0 + 0.02) / stride_s).floor() as usize;
        (0..=count)
            .map(|index| 2.0 + index as f64 * stride_s)
            .collect()
    } else if duration_s >= 8.5 {
        vec![duration_s - 8.0]
    } else {
        Vec::new()
    }
}

fn logged_window(
    scene: &Scene,
    recording: &str,
    now_s: f64,
    agents: usize,
) -> Option<LoggedWindow> {
    let mut scene = scene.clone();
    scene.now = (scene.frame_at(now_s).round() as usize).min(scene.frames.saturating_sub(1));
    scene.generated = None;
    if scene.ego().is_none() {
        let id = known_longest(&scene)?;
        scene.set_ego(&id);
    }
    scene.ego()?.track.get(scene.now)?;
    let options = Options {
        max_agents: agents,
        whole_future: false,
        ..Options::default()
    };
    let mut window = Window::new(&scene, &options);
    let goals = (0..window.agents())
        .map(|row| {
            let last = (NOW..T).rev().find(|token| window.known[row * T + token])?;
            (last >= NOW + 4).then_some(last)
        })
        .collect();
    for row in &mut window.rows {
        row.generated = true;
    }
    (window.agents() >= 2).then(|| LoggedWindow {
        recording: recording.to_owned(),
        scene,
        window,
        goals,
    })
}

/// The vehicle that is there at the present and known at most frames from 2 s before it to 8 s after; of equals the first.
fn known_longest(scene: &Scene) -> Option<AgentId> {
    let frames = |seconds: f64| (seconds / scene.dt_s).round() as usize;
    let (first, last) = (
        scene.now.saturating_sub(frames(2.0)),
        scene.now + frames(8.0),
    );
    let known = |agent: &Agent| {
        let valid = agent.track.valid();
        valid
            .filter(|(frame, _)| (first..=last).contains(frame))
            .count()
    };
    scene
        .agents
        .iter()
        .filter(|agent| agent.kind == AgentKind::Vehicle && agent.track.get(scene.now).is_some())
        .rev()
        .max_by_key(|agent| known(agent))
        .map(|agent| agent.id.clone())
}

impl LoggedWindow {
    /// The plan of the protocol: history known, and the goals too for [`Task::Goal`].
    pub fn plan(&self, task: Task) -> Plan {
        let mut matrix = NoiseMatrix::futures(self.window.agents());
        if task == Task::Goal {
            for (row, goal) in self.goals.iter().enumerate() {
                if let Some(token) = goal {
                    matrix.set(row, *token, 0.0);
                }
            }
        }
        Plan {
            states: self.window.tokens.clone(),
            window: self.window.clone(),
            matrix,
            soft_tokens: Vec::new(),
        }
    }

    /// The log as a method would write it.
    pub fn log(&self) -> Scene {
        decode(&self.scene, &self.window, &self.window.tokens)
    }

    /// A recipe to run [`LoggedWindow::plan`] with.
    pub fn recipe(&self, task: Task, schedule: ScheduleKind, steps: usize, seed: u64) -> Recipe {
        Recipe {
            app_version: env!("CARGO_PKG_VERSION").to_owned(),
            weights_hash: String::new(),
            seed,
            sample: 0,
            task,
            schedule,
            steps,
            temperature: usual_temperature(task),
            history_level: 0.0,
            prior_smoothing: usual_smoothing(task),
            guidance: crate::scene::Guidance::default(),
            redraws: 0,
            agents: self.window.rows.iter().map(|row| row.id.clone()).collect(),
            kept: Vec::new(),
            partial: Vec::new(),
            pins: Vec::new(),
            given: Vec::new(),
            reactions: Vec::new(),
            extra: crate::map::Extra::default(),
        }
    }

    /// Holds one result against the log; agents of `kind` are judged, among themselves.
    pub fn score(&self, result: &Scene, task: Task, kind: AgentKind) -> Score {
        let judged: BTreeSet<AgentId> = self
            .window
            .rows
            .iter()
            .filter(|row| row.kind == kind)
            .map(|row| row.id.clone())
            .collect();
        let grid = Grid::half_seconds(&self.scene);
        let result = Samples::of_agents(result, &grid, &judged);
        let log = Samples::of_agents(&self.log(), &grid, &judged);
        let due: BTreeMap<&AgentId, Option<usize>> = self
            .window
            .rows
            .iter()
            .zip(&self.goals)
            .map(|(row, goal)| (&row.id, *goal))
            .collect();
        // a present less than 2 s into the scene has fewer history tokens: align the grid with the model's tokens
        let shift = NOW - grid.present.min(NOW);
        let skip = |id: &AgentId, at: usize| {
            task == Task::Goal
                && due
                    .get(id)
                    .is_none_or(|goal| goal.is_none_or(|token| token == at + shift))
        };
        let displacements = displacements(&result, &log, skip);
        let goal_miss = self.goal_miss(&result, &log, shift);
        let hits = struck(&result, true);
        let (strays, starters) = off_road(&self.scene.map, &result, &log, RoadRule::default());
        let standing = standing_cars(&result, &log);
        let moving = standing.iter().filter(|car| car.moves()).count();
        let pooled = |only_moving: bool| {
            let counted = displacements
                .iter()
                .filter(|item| item.moving || !only_moving);
            counted.fold(Ratio::default(), |mut all, item| {
                all += item.ratio();
                all
            })
        };
        Score {
            agents: result.judged_with_future().count(),
            ade: pooled(false),
            ade_moving: pooled(true),
            collision: Ratio::new(
                hits.len() as f64,
                result.judged_with_future().count() as f64,
            ),
            off_road: Ratio::new(strays.len() as f64, starters as f64),
            instability: instability(&result),
            standing: Ratio::new(moving as f64, standing.len() as f64),
            goal_miss,
            displacements,
        }
    }

    /// Distance from where the log is at each judged agent's goal token; `shift` as in [`LoggedWindow::score`].
    fn goal_miss(&self, result: &Samples, log: &Samples, shift: usize) -> Ratio {
        let mut miss = Ratio::default();
        for (row, goal) in self.window.rows.iter().zip(&self.goals) {
            let at = goal.and_then(|token| token.checked_sub(shift));
            let ends = |samples: &Samples| {
                let state = samples.row(&row.id)?.states.get(at?)?.as_ref()?;
                Some(state.position)
            };
            if let (Some(end), Some(goal)) = (ends(result), ends(log)) {
                miss += Ratio::new(end.distance(goal), 1.0);
            }
        }
        miss
    }
}

/// What one result adds to a table.
#[derive(Debug, Clone)]
pub struct Score {
    /// Judged agents with a future.
    pub agents: usize,
    /// Displacement over all counted points, m.
    pub ade: Ratio,
    /// Displacement of agents that travel more than 2 m, m.
    pub ade_moving: Ratio,
    /// Agents that overlap another.
    pub collision: Ratio,
    /// Agents that leave the road.
    pub off_road: Ratio,
    /// M_k's sums.
    pub instability: Instability,
    /// Standing agents that move.
    pub standing: Ratio,
    /// Distance from the goal at its time, m.
    pub goal_miss: Ratio,
    /// By agent, for minADE.
    pub displacements: Vec<AgentDisplacement>,
}

/// Full-sequence diffusion with hard inpainting, the baseline of the paper: one level for the whole sequence, given
/// tokens are overwritten at each step by themselves at that level, and the network is not told which they are.
/// Returns the tokens [A, T, 6].
///
/// # Errors
/// If the network fails.
pub fn inpaint(
    plan: &Plan,
    prepare: &dyn Prepare,
    steps: usize,
    seed: u64,
    temperature: f64,
) -> Result<Vec<f32>, DenoiseError> {
    let given = plan.given(prepare.scale());
    let mut network = prepare.prepare(&plan.window)?;
    let mut stream = Seed(seed).substream(Purpose::Noise, u64::MAX);
    let mut draw =
        |count: usize| -> Vec<f32> { (0..count).map(|_| stream.normal() as f32).collect() };
    let known: Vec<bool> = (0..given.len())
        .map(|at| plan.matrix.levels()[at / CHANNELS] <= 0.0)
        .collect();
    let temperature = temperature as f32;
    let mut tokens: Vec<f32> = draw(given.len())
        .into_iter()
        .map(|noise| noise * temperature)
        .collect();
    let mut clean = vec![0.0; given.len()];
    for step in 0..steps {
        let level = 1.0 - step as f64 / steps as f64;
        let next = 1.0 - (step + 1) as f64 / steps as f64;
        let (alpha, sigma) = (signal_share(level) as f32, noise_share(level) as f32);
        let (next_alpha, next_sigma) = (signal_share(next) as f32, noise_share(next) as f32);
        let noise = draw(given.len());
        for at in (0..given.len()).filter(|&at| known[at]) {
            tokens[at] = alpha * given[at] + sigma * noise[at];
        }
        let levels = vec![level as f32; given.len() / CHANNELS];
        network.denoise(&tokens, &levels, &mut clean)?;
        for (x, clean) in tokens.iter_mut().zip(&clean) {
            let clean = clean.clamp(-8.0, 8.0);
            let noise = (*x - alpha * clean) / sigma.max(1e-4);
            *x = next_alpha * clean + next_sigma * noise;
        }
    }
    for at in (0..given.len()).filter(|&at| known[at]) {
        tokens[at] = given[at];
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::scene::{Agent, State, Track};
    use std::sync::Arc;

    fn recording(seconds: f64) -> Scene {
        let frames = (seconds / 0.1).round() as usize + 1;
        let driver = |id: &str, y: f64| {
            let states = (0..frames)
                .map(|frame| Some(State::along(Pose::at(0.8 * frame as f64, y, 0.0), 8.0)));
            Arc::new(Agent::new(
                id,
                AgentKind::Vehicle,
                Track::new(states.collect()),
            ))
        };
        let mut scene = Scene {
            dt_s: 0.1,
            frames,
            now: 0,
            agents: vec![driver("ego", 0.0), driver("b", 4.0)],
            ..Scene::default()
        };
        scene.set_ego(&AgentId::new("ego"));
        scene
    }

    #[test]
    fn twenty_seconds_give_six_windows_nine_give_one_and_eight_none() {
        // presents 2, 4, .. 12 with 8 s left; 1 s with 8 s left; 0 s has no history
        let count = |seconds| logged_windows(&recording(seconds), "r", 2.0, 32).len();
        assert_eq!((count(20.0), count(9.0), count(8.0)), (6, 1, 0));
    }

    #[test]
    fn who_was_made_up_is_not_the_log_and_another_is_the_ego() {
        let mut scene = recording(20.0);
        let mut third = Agent::clone(&scene.agents[1]);
        third.id = AgentId::new("c");
        third.track.states_mut()[..50].fill(None); // known from 5 s on
        scene.agents.insert(0, Arc::new(third));
        let ego = Arc::make_mut(&mut scene.agents[1]);
        ego.extra.insert(
            crate::scene::MADE_FROM.to_owned(),
            "a planning problem".into(),
        );
        let windows = logged_windows(&scene, "r", 2.0, 32);
        // of the presents 2, 4, .. 12 s those from 6 s on: before 5 s "b" is alone
        assert_eq!(windows.len(), 4);
        let ego = AgentId::new("ego");
        assert!(
            windows
                .iter()
                .all(|window| window.scene.agent(&ego).is_none())
        );
        // from 4 s to 14 s "b" is known longer than "c", which the file names first
        assert_eq!(windows[0].scene.ego().unwrap().id, AgentId::new("b"));
    }

    #[test]
    fn the_log_scores_zero_and_goal_points_do_not_count() {
        for (seconds, tokens) in [(20.0, 16.0), (9.0, 16.0)] {
            let windows = logged_windows(&recording(seconds), "r", 2.0, 32);
            let window = &windows[0];
            assert_eq!(window.goals, [Some(20), Some(20)]);
            let free = window.score(&window.log(), Task::Free, AgentKind::Vehicle);
            assert_eq!((free.ade.sum, free.ade.count), (0.0, 2.0 * tokens));
            let goal = window.score(&window.log(), Task::Goal, AgentKind::Vehicle);
            assert_eq!(goal.ade.count, 2.0 * (tokens - 1.0));
            assert_eq!((goal.agents, goal.collision.sum), (2, 0.0));
            assert_eq!((goal.goal_miss.sum, goal.goal_miss.count), (0.0, 2.0));
            // shifted by 3 m and 4 m everywhere: 5 m from both goals
            let mut aside = window.log();
            for agent in &mut aside.agents {
                for state in Arc::make_mut(agent).track.states_mut().iter_mut().flatten() {
                    state.position += crate::geometry::dvec2(3.0, 4.0);
                }
            }
            let missed = window
                .score(&aside, Task::Goal, AgentKind::Vehicle)
                .goal_miss;
            assert!((missed.sum - 10.0).abs() < 1e-9 && missed.count == 2.0);
        }
    }
}
