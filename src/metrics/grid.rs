//! When a scene is looked at, and the states of its agents then.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::geometry::OrientedBox;
use crate::scene::{Agent, AgentId, AgentKind, Scene, State};

/// Points in time, history first: `present` is the position of the scene's present among them.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Scene times, s, rising.
    pub times_s: Vec<f64>,
    /// Position of the present in `times_s`.
    pub present: usize,
}

impl Grid {
    /// The model's tokens: half a second apart, from 2 s before the present to 8 s after, cut at the scene's ends.
    pub fn half_seconds(scene: &Scene) -> Self {
        Self::around(scene, 0.5, 2.0, 8.0)
    }

    /// Every frame from 2 s before the present to 8 s after, cut at the scene's ends.
    pub fn frames(scene: &Scene) -> Self {
        Self::around(scene, scene.dt_s, 2.0, 8.0)
    }

    /// Times `step_s` apart through the present, from `back_s` before to `ahead_s` after, cut at the scene's ends.
    pub fn around(scene: &Scene, step_s: f64, back_s: f64, ahead_s: f64) -> Self {
        let now = scene.now_s();
        let count = |reach: f64| ((reach + 1e-6) / step_s).floor().max(0.0) as usize;
        let before = count(back_s.min(now));
        let after = count(ahead_s.min(scene.duration_s() - now));
        Self {
            times_s: (0..=before + after)
                .map(|index| now + (index as f64 - before as f64) * step_s)
                .collect(),
            present: before,
        }
    }

    /// The same grid without the times after `time_s`; the present stays.
    pub fn until(&self, time_s: f64) -> Self {
        let kept = self.times_s.iter().filter(|&&at| at <= time_s + 1e-6);
        Self {
            times_s: self.times_s[..kept.count().max(self.present + 1)].to_vec(),
            present: self.present,
        }
    }

    /// Positions after the present.
    pub fn future(&self) -> std::ops::Range<usize> {
        self.present + 1..self.times_s.len()
    }

    /// Seconds from the present to the last time.
    pub fn ahead_s(&self) -> f64 {
        let last = self.times_s.last();
        last.map_or(0.0, |last| last - self.times_s[self.present])
    }

    /// Number of times.
    pub fn len(&self) -> usize {
        self.times_s.len()
    }

    /// Whether there are no times.
    pub fn is_empty(&self) -> bool {
        self.times_s.is_empty()
    }
}

/// What an agent is to a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Counted.
    Judged,
    /// Met by others, not counted itself.
    Met,
    /// As if it were not there.
    Absent,
}

/// One agent on a grid.
#[derive(Debug, Clone)]
pub struct Row {
    /// Who.
    pub agent: Arc<Agent>,
    /// Whether it is counted (else only met).
    pub judged: bool,
    /// State at each time of the grid; `None` where it is not seen.
    pub states: Vec<Option<State>>,
}

impl Row {
    /// The footprint at a position of the grid.
    pub fn footprint(&self, at: usize) -> Option<OrientedBox> {
        let state = self.states.get(at)?.as_ref()?;
        Some(self.agent.footprint(state))
    }

    /// Whether it is seen at the present and at some time after.
    pub fn has_future(&self, grid: &Grid) -> bool {
        self.states[grid.present].is_some()
            && grid.future().any(|index| self.states[index].is_some())
    }

    /// Displacement from the present to the last valid time, m; 0 where there is none.
    pub fn displacement_m(&self, grid: &Grid) -> f64 {
        let last = self.states.iter().rev().flatten().next();
        match (self.states[grid.present], last) {
            (Some(present), Some(last)) => present.position.distance(last.position),
            _ => 0.0,
        }
    }
}

/// The agents of a scene on a grid, in the scene's order.
#[derive(Debug, Clone)]
pub struct Samples {
    /// The times.
    pub grid: Grid,
    /// Seconds between two frames of the scene the samples were taken from.
    pub dt_s: f64,
    /// Agents that are judged or met.
    pub rows: Vec<Row>,
}

impl Samples {
    /// The states of the agents that `part` lets in.
    pub fn new(scene: &Scene, grid: &Grid, part: impl Fn(&Agent) -> Part) -> Self {
        let rows = scene.agents.iter().filter_map(|agent| {
            let part = part(agent);
            (part != Part::Absent).then(|| Row {
                agent: agent.clone(),
                judged: part == Part::Judged,
                states: grid
                    .times_s
                    .iter()
                    .map(|&time_s| agent.track.sample(scene.frame_at(time_s)))
                    .collect(),
            })
        });
        Self {
            grid: grid.clone(),
            dt_s: scene.dt_s,
            rows: rows.collect(),
        }
    }

    /// Vehicles are judged; pedestrians and cyclists are met; cones and the like are absent.
    pub fn of_traffic(scene: &Scene, grid: &Grid) -> Self {
        Self::new(scene, grid, |agent| match agent.kind {
            AgentKind::Vehicle => Part::Judged,
            AgentKind::Pedestrian | AgentKind::Cyclist => Part::Met,
            AgentKind::Other => Part::Absent,
        })
    }

    /// The listed agents are judged, all others absent: the protocol of tables over model windows.
    pub fn of_agents(scene: &Scene, grid: &Grid, judged: &BTreeSet<AgentId>) -> Self {
        Self::new(scene, grid, |agent| {
            if judged.contains(&agent.id) {
                Part::Judged
            } else {
                Part::Absent
            }
        })
    }

    /// The row of an agent.
    pub fn row(&self, id: &AgentId) -> Option<&Row> {
        self.rows.iter().find(|row| row.agent.id == *id)
    }

    /// Frame of the scene nearest to a position of the grid.
    pub fn frame(&self, at: usize) -> usize {
        (self.grid.times_s[at] / self.dt_s).round().max(0.0) as usize
    }

    /// Judged agents seen at the present and after: the denominators of rates.
    pub fn judged_with_future(&self) -> impl Iterator<Item = (usize, &Row)> {
        self.rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.judged && row.has_future(&self.grid))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::geometry::{Pose, dvec2};
    use crate::scene::{Role, Track};

    /// A vehicle driving straight: `(x, y)` at frame 0, `heading`, constant `speed`, 0.1 s frames.
    pub(crate) fn driver(id: &str, at: (f64, f64, f64), speed: f64, frames: usize) -> Agent {
        let start = Pose::at(at.0, at.1, at.2);
        let states = (0..frames).map(|frame| {
            let point = start.outer_from_local(dvec2(speed * 0.1 * frame as f64, 0.0));
            Some(State::along(Pose::new(point, at.2), speed))
        });
        Agent::new(id, AgentKind::Vehicle, Track::new(states.collect()))
    }

    /// A scene of 101 frames, 0.1 s apart, present at frame 20; the first agent is the ego.
    pub(crate) fn scene_of(agents: Vec<Agent>) -> Scene {
        let mut scene = Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            agents: agents.into_iter().map(Arc::new).collect(),
            ..Scene::default()
        };
        if let Some(first) = scene.agents.first_mut() {
            Arc::make_mut(first).role = Role::Ego;
        }
        scene.quantised()
    }

    #[test]
    fn a_ten_second_scene_has_all_twenty_one_tokens() {
        let grid = Grid::half_seconds(&scene_of(vec![]));
        assert_eq!((grid.len(), grid.present), (21, 4)); // 2 s / 0.5 s = 4 before, 8 s / 0.5 s = 16 after
        assert!((grid.times_s[20] - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_short_scene_cuts_the_grid_at_its_ends() {
        let scene = Scene {
            dt_s: 0.2,
            frames: 11,
            now: 4,
            ..Scene::default()
        };
        // 0.8 s of history hold one half second, 1.2 s of future two
        let grid = Grid::half_seconds(&scene);
        assert_eq!((grid.len(), grid.present), (4, 1));
    }
}
