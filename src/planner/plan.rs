//! From a scene to the ego's plan: modes, the paths a vehicle makes of them, scores, the choice and its reason.

use std::ops::ControlFlow;

use super::Propose as _;
use super::brake::{Braked, DECELERATIONS, braked};
use super::foresee::{foreseen, others};
use super::plain::{ConstantVelocity, ego_of, lane_follower};
use super::score::{Partial, SCORED_S, Scores, Stage, Variant};
use super::track::{STEP_S, TrackedState, Tracker, body_at_present, path_of, track};
use super::{
    Ask, Decoder, Mode, PlanSettings, Planners, ProposeError, ProposeStep, Route,
    Stage as ProposeStage, own,
};

use crate::codec::{Options, Window};
use crate::geometry::DVec2;
use crate::scene::{Agent, AgentId, Edit, Scene, State};
use crate::sim::Bicycle;

/// A mode's worth is its score times its probability to this power: of two modes of equal score the likelier wins, and
/// a mode 16 times as likely makes up for half the score.
pub const PROBABILITY_POWER: f64 = 0.25;
/// What a second without harm adds to the score of a mode in which harm comes: of bad modes the latest is the best.
const CLEAR_WEIGHT: f64 = 1e-3;

/// A mode with what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedMode {
    /// As proposed.
    pub mode: Mode,
    /// Where it was not proposed but made of another mode: how.
    pub braked: Option<Braked>,
    /// The proposal at 10 Hz from the present on, 81 states.
    pub path: Vec<State>,
    /// As the ego would drive it, 81 states.
    pub tracked: Vec<TrackedState>,
    /// Mean distance between the two, m: the kinematic consistency of the proposal.
    pub gap_m: f64,
    /// By what can be foreseen: others at constant velocity.
    pub scores: Scores,
    /// What the choice goes by where none is braked: (score + 0.001 · seconds without harm) · probability^¼.
    pub worth: f64,
}

/// The ego's plan at a scene's present.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Whose plan.
    pub ego: AgentId,
    /// Scene time of the present, s.
    pub now_s: f64,
    /// How the modes were made.
    pub settings: PlanSettings,
    /// SHA-256 of the weights, or a name in angle brackets.
    pub identity: String,
    /// As proposed, likeliest first, at least one; where all of them fail NC or TTC, perhaps a braked one.
    pub modes: Vec<PlannedMode>,
    /// Position of the chosen mode.
    pub chosen: usize,
    /// Why it was chosen, in sentences with the numbers.
    pub reason: String,
    /// The IDM lane follower's path, which progress is measured against.
    pub reference: Vec<TrackedState>,
    /// The lane pieces that the planner was told are its route; empty where it was told nothing.
    pub route: Vec<Vec<DVec2>>,
}

impl Plan {
    /// The chosen mode.
    pub fn chosen(&self) -> &PlannedMode {
        &self.modes[self.chosen]
    }

    /// The modes that were proposed, likeliest first.
    pub fn proposed(&self) -> &[PlannedMode] {
        let braked = self.modes.iter().position(|mode| mode.braked.is_some());
        &self.modes[..braked.unwrap_or(self.modes.len())]
    }
}

/// What a plan starts from where more is known than the scene says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start<'a> {
    /// The ego's vehicle.
    pub body: Option<Bicycle>,
    /// Where its driver means to go.
    pub route: Option<&'a Route>,
}

/// Plans for the ego of `scene` at its present. Reads nothing later: proposer, scores and choice see what can be
/// [`foreseen`], and of what lies ahead only the lanes of the route (with [`PlanSettings::route`]; the way the ego takes
/// in the scene if `start` gives none). `planners` answer for the decoders that are not plain. `on_step` sees the modes while
/// they are made and may stop.
///
/// # Errors
/// If there is no ego or it is no vehicle, a setting is out of range, weights are missing, the network or the planner outside
/// fails, or `on_step` stops.
pub fn plan(
    scene: &Scene,
    start: &Start<'_>,
    planners: Planners<'_>,
    settings: &PlanSettings,
    on_step: &mut dyn FnMut(&ProposeStep) -> ControlFlow<()>,
) -> Result<Plan, ProposeError> {
    settings.check()?;
    let mut asked = Asked::new(scene, start.body)?;
    if settings.route && !settings.decoder.is_plain() {
        let own = Route::of(scene);
        if let Some(route) = start.route.or(own.as_ref()) {
            route.mark(&mut asked.window);
        }
    }
    let (identity, modes) = match settings.decoder {
        Decoder::ConstantVelocity => {
            let modes = ConstantVelocity.propose(&asked.window, settings, on_step)?;
            (ConstantVelocity.identity().to_owned(), modes)
        }
        Decoder::Idm => ("<idm>".to_owned(), vec![asked.reference.clone()]),
        Decoder::Own => {
            let own = planners.own.ok_or(ProposeError::NoOwn)?;
            (
                own.identity().to_owned(),
                asked.own(own, settings, on_step)?,
            )
        }
        decoder => {
            let network = planners
                .network
                .ok_or(ProposeError::NoWeights(decoder.key()))?;
            let modes = network.propose(&asked.window, settings, on_step)?;
            (network.identity().to_owned(), modes)
        }
    };
    let may_brake = settings.brake && settings.decoder.is_network();
    asked.answered(identity, modes, settings, may_brake)
}

/// The plan that given modes make: tracked, scored, one chosen, none braked. For baselines that know the log.
///
/// # Errors
/// If there is no ego or it is no vehicle, or a number of the modes is not finite.
pub fn plan_of(
    scene: &Scene,
    modes: Vec<Mode>,
    identity: &str,
    settings: &PlanSettings,
) -> Result<Plan, ProposeError> {
    Asked::new(scene, None)?.answered(identity.to_owned(), modes, settings, false)
}

/// What a plan starts from.
struct Asked<'a> {
    scene: &'a Scene,
    ego: &'a Agent,
    body: Bicycle,
    seen: Scene,
    window: Window,
    present: State,
    reference: Mode,
}

impl<'a> Asked<'a> {
    fn new(scene: &'a Scene, body: Option<Bicycle>) -> Result<Self, ProposeError> {
        let ego: &Agent = scene.ego().ok_or(ProposeError::NoEgo)?;
        let body = body
            .or_else(|| body_at_present(scene, ego))
            .ok_or(ProposeError::NoEgo)?;
        let seen = foreseen(scene);
        let options = Options {
            foresight: true,
            ..Options::default()
        };
        let window = Window::new(&seen, &options);
        let present = ego_of(&window)?;
        let reference = lane_follower(&seen, &ego.id)?;
        Ok(Self {
            scene,
            ego,
            body,
            seen,
            window,
            present,
            reference,
        })
    }

    /// What a planner outside the program proposes.
    fn own(
        &self,
        own: &dyn Ask,
        settings: &PlanSettings,
        on_step: &mut dyn FnMut(&ProposeStep) -> ControlFlow<()>,
    ) -> Result<Vec<Mode>, ProposeError> {
        let request = own::request(&self.seen, &self.ego.id, &self.window.lanes, settings);
        let answer = own.ask(&request, &mut || {
            on_step(&ProposeStep {
                stage: ProposeStage::Waiting,
                modes: Vec::new(),
            })
        })?;
        own::modes_of(&answer, &self.present)
    }

    fn route(&self) -> Vec<Vec<DVec2>> {
        let on = self.window.lanes.iter();
        on.filter(|piece| piece.on_route == Some(true))
            .map(|piece| piece.points.to_vec())
            .collect()
    }

    fn answered(
        &self,
        identity: String,
        modes: Vec<Mode>,
        settings: &PlanSettings,
        may_brake: bool,
    ) -> Result<Plan, ProposeError> {
        check(&modes)?;
        let others = others(&self.seen, &self.ego.id);
        let stage = Stage::new(&self.seen, self.ego, &others, SCORED_S, settings.score);
        let reference = track(&path_of(&self.present, &self.reference), self.body);
        let proposed = modes.len();
        let mut driven: Vec<Driven> = modes
            .into_iter()
            .map(|mode| self.driven(mode, None, &stage))
            .collect();
        if may_brake && driven.iter().all(|driven| driven.judged.endangers()) {
            for of in 0..proposed {
                for mps2 in DECELERATIONS {
                    let mode = braked(&driven[of].mode, &driven[of].path, mps2);
                    driven.push(self.driven(mode, Some(Braked { of, mps2 }), &stage));
                }
            }
        }
        let modes = with_safest_brake(
            scored(driven, &stage.judge(&reference), settings.score),
            proposed,
        );
        let chosen = best(&modes);
        Ok(Plan {
            ego: self.ego.id.clone(),
            now_s: self.scene.now_s(),
            settings: settings.clone(),
            identity,
            reason: reason(&modes, chosen),
            chosen,
            modes,
            reference,
            route: self.route(),
        })
    }

    /// A mode as the ego would drive it.
    fn driven(&self, mode: Mode, braked: Option<Braked>, stage: &Stage<'_>) -> Driven {
        let path = path_of(&self.present, &mode);
        let tracker = Tracker::new(&path, &self.body);
        let tracker = tracker.braking(braked.map(|braked| braked.mps2));
        let tracked = tracker.drive(path.len(), self.body);
        Driven {
            judged: stage.judge(&tracked),
            mode,
            braked,
            path,
            tracked,
        }
    }
}

/// A mode that has been driven, judged but for its progress.
struct Driven {
    mode: Mode,
    braked: Option<Braked>,
    path: Vec<State>,
    tracked: Vec<TrackedState>,
    judged: Partial,
}

fn scored(all: Vec<Driven>, reference: &Partial, variant: Variant) -> Vec<PlannedMode> {
    let (judged, rest): (Vec<_>, Vec<_>) = all
        .into_iter()
        .map(|driven| {
            let rest = (driven.mode, driven.braked, driven.path, driven.tracked);
            (driven.judged, rest)
        })
        .unzip();
    let scores = Partial::complete(judged, reference, variant, None);
    let modes = rest.into_iter().zip(scores);
    modes
        .map(|((mode, braked, path, tracked), scores)| PlannedMode {
            gap_m: gap(&path, &tracked),
            worth: worth(&scores, mode.probability),
            mode,
            braked,
            path,
            tracked,
            scores,
        })
        .collect()
}

/// The first `proposed` modes, and after them the safest of the braked ones behind, if it is safer than all of them.
fn with_safest_brake(mut modes: Vec<PlannedMode>, proposed: usize) -> Vec<PlannedMode> {
    let safest = (0..modes.len()).reduce(|best, index| {
        if safer(&modes[index], &modes[best]) {
            index
        } else {
            best
        }
    });
    let safest = safest.filter(|safest| *safest >= proposed);
    let safest = safest.map(|safest| modes.swap_remove(safest));
    modes.truncate(proposed);
    modes.extend(safest);
    modes
}

/// The scores of a plan's modes by what happens in `scene`: others as their tracks say, at constant velocity past the
/// scene's end. Privileged: for judging, never for choosing. `scored_s` seconds of each path count. In NAVSIM v2's score
/// of a recorded scene, what the recorded ego failed is not held against the plan. `None` without the ego.
pub fn outcome(scene: &Scene, plan: &Plan, scored_s: f64) -> Option<Vec<Scores>> {
    let ego: &Agent = scene.agent(&plan.ego)?;
    let others = others(scene, &plan.ego);
    let variant = plan.settings.score;
    let stage = Stage::new(scene, ego, &others, scored_s, variant);
    let reference = stage.judge(&plan.reference);
    let judge = |tracked: &[TrackedState]| vec![stage.judge(tracked)];
    let human = (variant == Variant::Epdms)
        .then(|| human(scene, ego, scored_s))
        .flatten()
        .and_then(|tracked| Partial::complete(judge(&tracked), &reference, variant, None).pop());
    let judged = plan.modes.iter().map(|mode| stage.judge(&mode.tracked));
    let judged = judged.collect();
    Some(Partial::complete(
        judged,
        &reference,
        variant,
        human.as_ref(),
    ))
}

/// Whether the chosen mode, as driven, touches anybody or anything within `seconds`, whoever's fault, by what happens in
/// `scene` (as in [`outcome`]). `None` without the ego.
pub(super) fn touches(scene: &Scene, plan: &Plan, seconds: f64) -> Option<bool> {
    let ego: &Agent = scene.agent(&plan.ego)?;
    let others = others(scene, &plan.ego);
    let stage = Stage::new(scene, ego, &others, seconds, plan.settings.score);
    Some(stage.touches(&plan.chosen().tracked))
}

/// What the ego drove when the scene was recorded, tracked like a plan; `None` where anything in the scene was made or
/// edited, so that whoever drove met something else, or where it is not known for as long.
fn human(scene: &Scene, ego: &Agent, scored_s: f64) -> Option<Vec<TrackedState>> {
    let edited = scene.edits.iter().any(Edit::changes_world);
    let made = scene.generated.is_some() || scene.driven_by().is_some();
    if made || !scene.log.is_empty() || edited {
        return None;
    }
    let steps = (scored_s / STEP_S).round() as usize;
    let at = |step: usize| {
        let time_s = scene.now_s() + step as f64 * STEP_S;
        ego.track.sample(scene.frame_at(time_s))
    };
    let path: Vec<State> = (0..=steps).map_while(at).collect();
    let body = body_at_present(scene, ego)?;
    (path.len() == steps + 1).then(|| track(&path, body))
}

fn check(modes: &[Mode]) -> Result<(), ProposeError> {
    if modes.is_empty() {
        return Err(ProposeError::Network("it proposed no mode".to_owned()));
    }
    for (number, mode) in modes.iter().enumerate() {
        let finite = mode.probability.is_finite()
            && mode.points.iter().all(|point| {
                point.position.is_finite() && point.heading.is_finite() && point.speed.is_finite()
            });
        if !finite {
            return Err(ProposeError::Network(format!(
                "mode {} holds a number that is not finite",
                number + 1
            )));
        }
    }
    Ok(())
}

/// Mean distance between a path and what was driven, m.
pub(super) fn gap(path: &[State], tracked: &[TrackedState]) -> f64 {
    let pairs = path.iter().zip(tracked).skip(1);
    let sum: f64 = pairs
        .clone()
        .map(|(wanted, driven)| wanted.position.distance(driven.state.position))
        .sum();
    sum / pairs.count().max(1) as f64
}

fn worth(scores: &Scores, probability: f64) -> f64 {
    (scores.total + CLEAR_WEIGHT * scores.clear_s) * probability.max(0.0).powf(PROBABILITY_POWER)
}

/// Whether `mode` goes longer without harm, whoever's fault it be, than `other`; as long, and is worthier.
fn safer(mode: &PlannedMode, other: &PlannedMode) -> bool {
    let (mine, theirs) = (mode.scores.untouched_s, other.scores.untouched_s);
    mine > theirs || (mine >= theirs && mode.worth > other.worth)
}

/// A braked one, else the most worthy; of equals the likelier.
fn best(modes: &[PlannedMode]) -> usize {
    if let Some(braked) = modes.iter().position(|mode| mode.braked.is_some()) {
        return braked;
    }
    let mut best = 0;
    for (index, mode) in modes.iter().enumerate() {
        if mode.worth > modes[best].worth {
            best = index;
        }
    }
    best
}

fn reason(modes: &[PlannedMode], chosen: usize) -> String {
    let mode = &modes[chosen];
    if modes.len() == 1 {
        return format!("The only mode. Score {}.", mode.scores.arithmetic);
    }
    let worth = |mode: &PlannedMode| {
        format!(
            "({:.3} + 0.001 · {:.1} s) · {:.3}^¼ = {:.3}",
            mode.scores.total, mode.scores.clear_s, mode.mode.probability, mode.worth
        )
    };
    if let Some(Braked { of, mps2 }) = mode.braked {
        let longest = modes.iter().filter(|mode| mode.braked.is_none());
        let longest = longest
            .map(|mode| mode.scores.untouched_s)
            .fold(0.0, f64::max);
        return format!(
            "Every mode proposed touches somebody or comes too near. Mode {} takes the way of mode {} and brakes with {mps2} m/s²: \
             {:.1} s without harm, whoever's fault it be, where the best proposal has {longest:.1} s. Score {}.",
            chosen + 1,
            of + 1,
            mode.scores.untouched_s,
            mode.scores.arithmetic
        );
    }
    let mut text = format!(
        "Mode {} of {} has the largest worth, (score + 0.001 · seconds without harm) · probability^¼: {}.",
        chosen + 1,
        modes.len(),
        worth(mode)
    );
    if chosen > 0 {
        let likeliest = &modes[0];
        text += &format!(" The likeliest, mode 1, comes to {}", worth(likeliest));
        let pairs = mode.scores.terms.iter().zip(&likeliest.scores.terms);
        let lost = pairs
            .rev() // of equal losses the first term counts
            .filter(|(mine, _)| mode.scores.variant.counts(mine.kind))
            .map(|(mine, theirs)| (mine.score - theirs.score, theirs))
            .filter(|(lost, _)| *lost > 0.0)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match lost {
            Some((_, term)) => {
                text += &format!(
                    ": {} {:.2}, {}.",
                    term.kind.short(),
                    term.score,
                    term.reason
                );
            }
            None => text.push('.'),
        }
    }
    text
}

#[cfg(test)]
mod tests;
