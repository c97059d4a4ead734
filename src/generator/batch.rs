//! Batches: which task each case gets, and goals taken from the log.

use crate::rng::{Purpose, Seed};
use crate::scene::{AgentId, Goal, Scene, Task};

/// Shares of the tasks in a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Free exploration.
    pub free: f64,
    /// Conditioned generation.
    pub goal: f64,
    /// Attacks.
    pub attack: f64,
}

impl Default for Mix {
    /// 4 : 4 : 2 (Nexus, App. D.3).
    fn default() -> Self {
        Self {
            free: 4.0,
            goal: 4.0,
            attack: 2.0,
        }
    }
}

impl Mix {
    /// The task of case `index` under `seed`: independent of how the batch is split.
    pub fn task(&self, seed: u64, index: u64) -> Task {
        let mut stream = Seed(seed).substream(Purpose::Task, index);
        let at = stream.uniform(0.0, self.free + self.goal + self.attack);
        if at < self.free {
            Task::Free
        } else if at < self.free + self.goal {
            Task::Goal
        } else {
            Task::Attack
        }
    }
}

/// Hard goals at the last logged half second (at least 2 s ahead) of every agent that travels more than 2 m, with
/// heading and speed: the conditioned generation of the paper. Agents in `except` get none.
pub fn goals_from_log(scene: &Scene, except: &[AgentId]) -> Vec<Goal> {
    let now_s = scene.now_s();
    let goal = |agent: &std::sync::Arc<crate::scene::Agent>| {
        let present = agent.track.get(scene.now)?;
        let due = (4..=16)
            .rev()
            .map(|half| now_s + 0.5 * f64::from(half))
            .find_map(|time_s| Some((time_s, agent.track.sample(scene.frame_at(time_s))?)));
        let (time_s, state) = due?;
        let travels = present.position.distance(state.position) > 2.0;
        (travels && !except.contains(&agent.id)).then(|| Goal {
            agent: agent.id.clone(),
            point: state.position.into(),
            time_s,
            heading: Some(state.heading),
            speed: Some(state.velocity.dot(state.pose().forward())),
            tolerance_m: 0.5,
            hard: true,
            extra: crate::map::Extra::default(),
        })
    };
    scene
        .agents
        .iter()
        .filter(|agent| agent.kind != crate::scene::AgentKind::Other)
        .filter_map(goal)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_cases_split_four_four_two() {
        let count = |task| {
            (0..1000)
                .filter(|&i| Mix::default().task(5, i) == task)
                .count()
        };
        // standard deviations: sqrt(1000 · 0.4 · 0.6) = 15.5 and sqrt(1000 · 0.2 · 0.8) = 12.6; four of each
        assert!(count(Task::Free).abs_diff(400) < 62);
        assert!(count(Task::Goal).abs_diff(400) < 62);
        assert!(count(Task::Attack).abs_diff(200) < 51);
    }
}
