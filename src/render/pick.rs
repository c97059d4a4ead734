//! What lies under a point of the ground.

use super::intents::{attack_point, goal_handles};
use crate::geometry::DVec2;
use crate::scene::{AgentId, Scene};

/// The thing under a point, most specific first.
#[derive(Debug, Clone, PartialEq)]
pub enum Hit {
    /// The tip of a goal's heading handle.
    GoalHeading(AgentId),
    /// A goal's flag.
    Goal(AgentId),
    /// The rim of a goal's tolerance ring.
    GoalRing(AgentId),
    /// The intended contact point of an attacker.
    AttackPoint(AgentId),
    /// An agent's footprint.
    Agent(AgentId),
}

impl Hit {
    /// The agent it is about.
    pub fn agent(&self) -> &AgentId {
        match self {
            Self::GoalHeading(id)
            | Self::Goal(id)
            | Self::GoalRing(id)
            | Self::AttackPoint(id)
            | Self::Agent(id) => id,
        }
    }
}

/// What is drawn at `point` at a time, handles reaching `reach_m` metres (a few points on screen). Agents for which
/// `is_hidden` holds are passed over.
pub fn pick(
    scene: &Scene,
    time_s: f64,
    point: DVec2,
    reach_m: f64,
    is_hidden: impl Fn(&AgentId) -> bool,
) -> Option<Hit> {
    let goals = || scene.goals.iter().filter(|goal| !is_hidden(&goal.agent));
    let is_near = |at: DVec2, reach: f64| at.distance(point) <= reach;
    for goal in goals() {
        let (centre, tip) = goal_handles(goal);
        if tip.is_some_and(|tip| is_near(tip, reach_m)) {
            return Some(Hit::GoalHeading(goal.agent.clone()));
        }
        if is_near(centre, 1.5 * reach_m) {
            return Some(Hit::Goal(goal.agent.clone()));
        }
    }
    for attack in &scene.attacks {
        if attack_point(scene, attack).is_some_and(|at| is_near(at, 1.5 * reach_m)) {
            return Some(Hit::AttackPoint(attack.attacker.clone()));
        }
    }
    let agent = scene
        .states_at(time_s)
        .filter(|(_, agent, _)| !is_hidden(&agent.id))
        .map(|(_, agent, state)| (agent, agent.footprint(&state)))
        .map(|(agent, footprint)| (agent, footprint.distance_to_point(point), footprint))
        .filter(|(_, distance, _)| *distance <= 0.6 * reach_m)
        .min_by(|a, b| {
            let extent =
                |footprint: &crate::geometry::OrientedBox| footprint.length * footprint.width;
            a.1.total_cmp(&b.1)
                .then(extent(&a.2).total_cmp(&extent(&b.2)))
        });
    if let Some((agent, ..)) = agent {
        return Some(Hit::Agent(agent.id.clone()));
    }
    goals()
        .find(|goal| {
            let (centre, _) = goal_handles(goal);
            (centre.distance(point) - goal.tolerance_m).abs() <= 0.7 * reach_m
        })
        .map(|goal| Hit::GoalRing(goal.agent.clone()))
}
