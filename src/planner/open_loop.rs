//! A plan held against the log: what was driven from the same present on.

mod nuplan;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use nuplan::NuPlanOpenLoop;

use super::plain::{coasted, planned};
use super::plan::{Plan, outcome, touches};
use super::score::{SCORED_S, Scores, TermKind};
use super::track::STEP_S;
use super::{Mode, POINTS};
use crate::codec::{NOW, T, Window};
use crate::metrics::{Grid, Instability, Ratio, RoadRule, Samples, instability, off_road};
use crate::scene::{Scene, State};

/// Best-mode end displacement beyond which the log counts as missed, m (Argoverse 2's, there at 6 s).
const MISS_M: f64 = 2.0;
/// Seconds of a plan.
const PLANNED_S: f64 = POINTS as f64 / 2.0;

/// What one plan adds to a table.
#[derive(Debug, Clone, Default)]
pub struct OpenLoop {
    /// Displacement of the likeliest mode over the points the log knows, m.
    pub ade: Ratio,
    /// The same where the log's ego travels more than 2 m.
    pub ade_moving: Ratio,
    /// Displacement of the chosen mode, m.
    pub chosen_ade: Ratio,
    /// Displacement of the mode that is nearest on average, m.
    pub min_ade: Ratio,
    /// Displacement of the likeliest mode at 8 s, m; without items where the log ends before.
    pub fde: Ratio,
    /// Least displacement of any mode at 8 s, m.
    pub min_fde: Ratio,
    /// Whether even that is more than 2 m.
    pub miss: Ratio,
    /// Displacement on average of the mode that ends nearest, m (Argoverse 2's minADE).
    pub end_min_ade: Ratio,
    /// Its displacement at 8 s plus (1 − its probability)², m (Argoverse 2's Brier-minFDE, there at 6 s).
    pub brier_min_fde: Ratio,
    /// nuPlan's open-loop score of the chosen mode.
    pub nuplan: NuPlanOpenLoop,
    /// Distance between proposal and tracked path, m; every mode an item.
    pub gap: Ratio,
    /// Distance between the ends of two modes, m; every pair an item.
    pub spread: Ratio,
    /// Whether the chosen mode, as driven, touches any road user or object within 8 s: those NC looks at, as recorded, past
    /// the log's end at constant velocity.
    pub collision: Ratio,
    /// Whether that is its fault (NC below 1).
    pub at_fault: Ratio,
    /// Whether its centre comes more than 3 m from every centreline where the log's does not; the ego starts on the
    /// road.
    pub off_road: Ratio,
    /// M_k of the chosen proposal.
    pub instability: Instability,
    /// The chosen mode's total by what happens, 0 to 1.
    pub score: Ratio,
    /// Its sub-scores, in the order of [`TermKind::ALL`]; without items those that the formula does not have.
    pub terms: [Ratio; TermKind::ALL.len()],
}

impl OpenLoop {
    /// Adds another plan's sums.
    pub fn add(&mut self, other: &Self) {
        self.ade += other.ade;
        self.ade_moving += other.ade_moving;
        self.chosen_ade += other.chosen_ade;
        self.min_ade += other.min_ade;
        self.fde += other.fde;
        self.min_fde += other.min_fde;
        self.miss += other.miss;
        self.end_min_ade += other.end_min_ade;
        self.brier_min_fde += other.brier_min_fde;
        self.nuplan.add(&other.nuplan);
        self.gap += other.gap;
        self.spread += other.spread;
        self.collision += other.collision;
        self.at_fault += other.at_fault;
        self.off_road += other.off_road;
        self.instability.add(&other.instability);
        self.score += other.score;
        for (mine, theirs) in self.terms.iter_mut().zip(other.terms) {
            *mine += theirs;
        }
    }
}

/// Holds `plan`, made at the present of `scene`, against what `scene` records; `window` is the scene's own, the ego in
/// row 0, with the log's tokens.
pub fn open_loop(scene: &Scene, window: &Window, plan: &Plan) -> OpenLoop {
    let truth: Vec<Option<State>> = (NOW + 1..T)
        .map(|token| window.known[token].then(|| *window.state(0, token)))
        .collect();
    let gaps: Vec<Vec<Option<f64>>> = plan
        .modes
        .iter()
        .map(|mode| {
            let pairs = mode.mode.points.iter().zip(&truth);
            pairs
                .map(|(point, truth)| truth.map(|truth| point.position.distance(truth.position)))
                .collect()
        })
        .collect();
    let mean = |mode: usize| -> Ratio {
        let known = gaps[mode].iter().flatten();
        Ratio::new(known.clone().sum(), known.count() as f64)
    };
    let proposed = plan.proposed().len();
    let (likeliest, chosen) = (mean(0), mean(plan.chosen));
    let last_known = truth.iter().flatten().last();
    let moves = last_known
        .is_some_and(|state| state.position.distance(window.state(0, NOW).position) > 2.0);
    let proposals = gaps[..proposed].iter();
    let ends: Vec<f64> = proposals.filter_map(|gaps| gaps[POINTS - 1]).collect();
    let end = |value: Option<f64>| value.map_or(Ratio::default(), |value| Ratio::new(value, 1.0));
    let nearest = (0..proposed)
        .filter_map(|mode| Some((mode, gaps[mode][POINTS - 1]?)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let least_end = nearest.map(|(_, end)| end);
    let brier = nearest.map(|(mode, end)| {
        let probability = plan.modes[mode].mode.probability;
        end + (1.0 - probability).powi(2)
    });
    let mut found = OpenLoop {
        ade: likeliest,
        ade_moving: if moves { likeliest } else { Ratio::default() },
        chosen_ade: chosen,
        min_ade: (0..proposed)
            .map(mean)
            .min_by(|a, b| (a.sum / a.count.max(1.0)).total_cmp(&(b.sum / b.count.max(1.0))))
            .unwrap_or_default(),
        fde: end(ends.first().copied()),
        min_fde: end(least_end),
        miss: end(least_end.map(|least| f64::from(least > MISS_M))),
        end_min_ade: nearest.map_or(Ratio::default(), |(mode, _)| mean(mode)),
        brier_min_fde: end(brier),
        nuplan: NuPlanOpenLoop::of(&plan.chosen().mode, &truth),
        spread: spread(plan),
        ..OpenLoop::default()
    };
    for mode in plan.proposed() {
        found.gap += Ratio::new(mode.gap_m, 1.0);
    }
    judge_chosen(scene, plan, &mut found);
    found
}

/// What the chosen mode does to others and to the road.
fn judge_chosen(scene: &Scene, plan: &Plan, found: &mut OpenLoop) {
    let chosen = plan.chosen();
    let driven: Vec<State> = chosen.tracked.iter().map(|state| state.state).collect();
    let driven = with_ego(scene, plan, &driven);
    let proposed = with_ego(scene, plan, &chosen.path);
    if let Some(touches) = touches(scene, plan, PLANNED_S) {
        found.collision = Ratio::new(f64::from(touches), 1.0);
    }
    let coarse = Grid::half_seconds(scene);
    let only_ego = BTreeSet::from([plan.ego.clone()]);
    let (strays, starters) = off_road(
        &scene.map,
        &Samples::of_agents(&driven, &coarse, &only_ego),
        &Samples::of_agents(scene, &coarse, &only_ego),
        RoadRule::default(),
    );
    found.off_road = Ratio::new(strays.len() as f64, starters as f64);
    found.instability = instability(&Samples::of_agents(&proposed, &coarse, &only_ego));
    let of_chosen = |scored_s: f64| -> Option<Scores> {
        let mut scores = outcome(scene, plan, scored_s)?;
        Some(scores.swap_remove(plan.chosen))
    };
    if let Some(whole) = of_chosen(PLANNED_S) {
        let no_collision = whole.score(TermKind::NoCollision);
        found.at_fault = Ratio::new(f64::from(no_collision < 1.0), 1.0);
    }
    if let Some(scores) = of_chosen(SCORED_S) {
        found.score = Ratio::new(scores.total, 1.0);
        for term in &scores.terms {
            found.terms[term.kind as usize] = Ratio::new(term.score, 1.0);
        }
    }
}

/// The scene with the ego at `states` ([`STEP_S`] apart from the present on) instead of where it was.
fn with_ego(scene: &Scene, plan: &Plan, states: &[State]) -> Scene {
    let mut next = scene.clone();
    let Some(index) = next.agent_index(&plan.ego) else {
        return next;
    };
    let track = &mut Arc::make_mut(&mut next.agents[index]).track;
    for frame in scene.now + 1..scene.frames {
        let at = (scene.time_of(frame) - scene.now_s()) / STEP_S + 1e-6;
        let below = at.floor() as usize;
        let state = match (states.get(below), states.get(below + 1)) {
            (Some(from), Some(to)) => Some(from.lerp(to, at - at.floor())),
            (Some(last), None) if at - at.floor() < 1e-3 => Some(*last),
            _ => None,
        };
        track.set(frame, state);
    }
    next
}

/// Distances between the ends of all pairs of modes, m.
fn spread(plan: &Plan) -> Ratio {
    let ends: Vec<_> = plan
        .proposed()
        .iter()
        .map(|mode| mode.mode.points[POINTS - 1].position)
        .collect();
    let mut sum = Ratio::default();
    for (index, a) in ends.iter().enumerate() {
        for b in &ends[index + 1..] {
            sum += Ratio::new(a.distance(*b), 1.0);
        }
    }
    sum
}

/// The log itself as a mode, coasting where it ends before the plan does; the floor of every table.
pub fn log_mode(window: &Window) -> Mode {
    let states = &window.tokens[NOW + 1..T];
    let last = (NOW..T)
        .rev()
        .find(|&token| window.known[token])
        .unwrap_or(NOW);
    Mode {
        points: std::array::from_fn(|index| {
            let token = NOW + 1 + index;
            if token <= last {
                planned(&states[index])
            } else {
                planned(&coasted(window.state(0, last), token - last))
            }
        }),
        probability: 1.0,
        tokens: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
