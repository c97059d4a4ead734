//! How far results end from what was asked.

use crate::scene::{Goal, Scene};

/// A goal and how it was missed.
#[derive(Debug, Clone, PartialEq)]
pub struct GoalMiss {
    /// The goal.
    pub goal: Goal,
    /// Distance from the goal point at the goal's time, m; `None` if the agent is not seen then.
    pub distance_m: Option<f64>,
    /// Least distance at any time after the present, m.
    pub nearest_m: f64,
    /// Scene time of the least distance, s.
    pub nearest_s: f64,
    /// Change of heading still missing at the goal's time, rad, if the goal names a heading.
    pub heading_rad: Option<f64>,
}

impl GoalMiss {
    /// Whether the goal is met at its time within its tolerance (at least 0.5 m).
    pub fn reached(&self) -> bool {
        self.distance_m
            .is_some_and(|distance| distance <= self.goal.tolerance_m.max(0.5))
    }
}

/// The misses of all goals whose agents are in the scene, in the order of the goals.
pub fn goal_misses(scene: &Scene) -> Vec<GoalMiss> {
    let miss = |goal: &Goal| {
        let agent = scene.agent(&goal.agent)?;
        let point = goal.point.into();
        let due = agent.track.sample(scene.frame_at(goal.time_s));
        let later = agent.track.valid().filter(|(frame, _)| *frame > scene.now);
        let (nearest_m, frame) = later
            .map(|(frame, state)| (state.position.distance(point), frame))
            .min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(GoalMiss {
            goal: goal.clone(),
            distance_m: due.map(|state| state.position.distance(point)),
            nearest_m,
            nearest_s: scene.time_of(frame),
            heading_rad: goal
                .heading
                .zip(due)
                .map(|(heading, state)| crate::geometry::angle_between(state.heading, heading)),
        })
    };
    scene.goals.iter().filter_map(miss).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::grid::tests::{driver, scene_of};
    use crate::scene::AgentId;

    #[test]
    fn a_goal_beside_the_path_is_missed_by_its_offset() {
        let mut scene = scene_of(vec![driver("a", (0.0, 0.0, 0.0), 5.0, 101)]);
        scene.goals.push(Goal {
            agent: AgentId::new("a"),
            point: [30.0, 2.0],
            time_s: 8.0, // the agent is at x = 40 then
            heading: None,
            speed: None,
            tolerance_m: 1.0,
            hard: true,
            extra: crate::map::Extra::default(),
        });
        let miss = &goal_misses(&scene)[0];
        // at its time sqrt(10² + 2²); nearest 2 m, at 6 s
        assert!((miss.distance_m.unwrap() - 104_f64.sqrt()).abs() < 1e-9);
        assert!((miss.nearest_m - 2.0).abs() < 1e-9 && (miss.nearest_s - 6.0).abs() < 1e-9);
        assert!(!miss.reached());
    }
}
