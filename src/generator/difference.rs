//! What an edit changed: how far each agent moved between two scenes.

use crate::scene::{AgentId, Scene};

/// How far one agent's future differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Who.
    pub agent: AgentId,
    /// Largest distance at a shared time after the present, m; infinite if it is seen in one scene only.
    pub largest_m: f64,
    /// Frame of `after` with it.
    pub frame: usize,
    /// Mean distance, m.
    pub mean_m: f64,
}

/// Every agent of either scene with how far it moved after the present, most moved first.
pub fn differences(before: &Scene, after: &Scene) -> Vec<Change> {
    let mut found: Vec<Change> = Vec::new();
    for agent in &after.agents {
        let Some(old) = before.agent(&agent.id) else {
            found.push(absent(&agent.id, after.now));
            continue;
        };
        let mut change = Change {
            agent: agent.id.clone(),
            largest_m: 0.0,
            frame: after.now,
            mean_m: 0.0,
        };
        let mut count = 0.0;
        for (frame, state) in agent.track.valid().filter(|(frame, _)| *frame > after.now) {
            let there = before.frame_at(after.time_of(frame));
            if let Some(was) = old.track.sample(there) {
                let distance = was.position.distance(state.position);
                change.mean_m += distance;
                count += 1.0;
                if distance > change.largest_m {
                    (change.largest_m, change.frame) = (distance, frame);
                }
            }
        }
        change.mean_m /= f64::max(count, 1.0);
        found.push(change);
    }
    let gone = before.agents.iter();
    found.extend(
        gone.filter(|agent| after.agent(&agent.id).is_none())
            .map(|agent| absent(&agent.id, after.now)),
    );
    found.sort_by(|a, b| {
        b.largest_m
            .total_cmp(&a.largest_m)
            .then_with(|| a.agent.cmp(&b.agent))
    });
    found
}

fn absent(agent: &AgentId, frame: usize) -> Change {
    Change {
        agent: agent.clone(),
        largest_m: f64::INFINITY,
        frame,
        mean_m: f64::INFINITY,
    }
}
