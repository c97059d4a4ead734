//! What a view shows, beyond the scene itself.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::geometry::DVec2;
use crate::scene::{AgentId, Scene};

/// Switches of a view. Cheap to clone and compare.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewOptions {
    /// Selected agents.
    pub selected: BTreeSet<AgentId>,
    /// The agent under the pointer.
    pub hovered: Option<AgentId>,
    /// Agents that are not drawn.
    pub hidden: BTreeSet<AgentId>,
    /// Whose paths are drawn.
    pub trails: Trails,
    /// Whose names are drawn.
    pub names: Names,
    /// Draw goals and attacks.
    pub intents: bool,
    /// A dial that says when is put at each goal, and a handle at the contacts of those selected, by whoever shows the picture.
    pub dials: bool,
    /// Draw the recorded future of changed agents as ghosts.
    pub log_ghosts: bool,
    /// Mark overlaps of footprints.
    pub contacts: bool,
    /// Metre grid; without a map it is drawn always.
    pub grid: bool,
    /// What was made is a draft, a quick answer while something is dragged: its futures are dashed.
    pub draft: bool,
    /// Noise levels to show, if a generation is looked at.
    pub noise: Option<Arc<NoiseView>>,
    /// Another scene drawn as ghosts: the generation before this one.
    pub before: Option<Ghosts>,
    /// Join the ghosts of `before` with where the same agents are, coloured by metres.
    pub apart: bool,
    /// More paths: planner modes, sketches, previews.
    pub paths: Arc<Vec<Path>>,
}

impl Default for ViewOptions {
    fn default() -> Self {
        Self {
            selected: BTreeSet::new(),
            hovered: None,
            hidden: BTreeSet::new(),
            trails: Trails::All,
            names: Names::Parts,
            intents: true,
            dials: false,
            log_ghosts: false,
            contacts: true,
            grid: false,
            draft: false,
            noise: None,
            before: None,
            apart: false,
            paths: Arc::default(),
        }
    }
}

/// Whose paths are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trails {
    /// Nobody's.
    None,
    /// Those of the ego, attackers and the selection.
    Parts,
    /// Those of all that move.
    All,
}

/// Whose names are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Nobody's.
    None,
    /// Those of the ego, attackers, the selection and the agent under the pointer.
    Parts,
    /// All.
    All,
}

/// Noise levels of agents over time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NoiseView {
    /// Scene time of the first level, s.
    pub start_s: f64,
    /// Time between levels, s, > 0.
    pub step_s: f64,
    /// Levels in [0, 1], one per time; agents not named have none.
    pub levels: BTreeMap<AgentId, Vec<f32>>,
}

impl NoiseView {
    /// The level of an agent at a scene time: linear between the given ones, held beyond them.
    pub fn level(&self, agent: &AgentId, time_s: f64) -> f32 {
        let Some(levels) = self.levels.get(agent).filter(|levels| !levels.is_empty()) else {
            return 0.0;
        };
        let last = levels.len() - 1;
        let at = ((time_s - self.start_s) / self.step_s).clamp(0.0, last as f64);
        let below = (at.floor() as usize).min(last);
        let above = (below + 1).min(last);
        levels[below] + (levels[above] - levels[below]) * (at - below as f64) as f32
    }
}

/// A scene to be drawn as ghosts. Two are equal if they are the same scene object.
#[derive(Debug, Clone)]
pub struct Ghosts(pub Arc<Scene>);

impl PartialEq for Ghosts {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A path beyond those of the agents.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Points with their scene times, m and s; at least two to be seen.
    pub points: Vec<(DVec2, f64)>,
    /// Whose colour it has; the selection's if nobody's.
    pub agent: Option<AgentId>,
    /// How it is drawn.
    pub kind: PathKind,
    /// Opacity in (0, 1]; for planner modes their share of the probability.
    pub weight: f64,
}

/// How a path is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// A ribbon with ticks at whole seconds, wider with more weight.
    Mode,
    /// Dashes: a preview or a sketch.
    Sketch,
    /// Long dashes in a colour of their own: the way out of a contact.
    Escape,
    /// A dotted hairline: an anchor.
    Anchor,
    /// A broad band on the road: a lane of a route.
    Route,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_linear_between_tokens_and_held_beyond() {
        let id = AgentId::new("a");
        let view = NoiseView {
            start_s: 2.0,
            step_s: 0.5,
            levels: BTreeMap::from([(id.clone(), vec![0.0, 1.0, 0.5])]),
        };
        assert_eq!(view.level(&id, 0.0), 0.0);
        assert_eq!(view.level(&id, 2.25), 0.5); // half way from 0 to 1
        assert_eq!(view.level(&id, 9.0), 0.5);
        assert_eq!(view.level(&AgentId::new("b"), 2.0), 0.0);
    }
}
