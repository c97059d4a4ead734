//! How good a tracked path is, by three published formulas ([`Variant`]).
//!
//! Definitions after NAVSIM's PDM score, v1.1 (autonomousvision/navsim, `pdm_scorer.py`) and v2 (Cao et al. 2025,
//! "Pseudo-Simulation for Autonomous Driving", arXiv 2506.04218), and nuPlan's closed-loop score (Karnchanachari et al.
//! 2024, arXiv 2403.04133). [`Variant::words`] names what is the same and what is not. Each [`Term`] carries the measured
//! number, the limit, the moment and whoever decided it, and the same measured at every step ([`Series`]).

mod collision;
mod comfort;
mod lights;
mod progress;
mod road;
mod smooth;
mod speed;
mod variant;

use serde::Serialize;

pub(super) use comfort::extended_comfort;
pub use comfort::{ComfortLimit, comfort_excess};
pub use progress::metres_along_lanes;
pub use variant::Variant;

use crate::geometry::{DVec2, OrientedBox};
use crate::map::Map;
use crate::metrics::{AreaFlags, Road};
use crate::planner::foresee::Other;
use crate::planner::track::{STEP_S, TrackedState};
use crate::scene::{Agent, AgentId, Scene};

/// Seconds that are scored: NAVSIM's, also because nobody can say where others are after that.
pub const SCORED_S: f64 = 4.0;

/// Which sub-score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TermKind {
    /// No at-fault collision: 0, ½ or 1.
    NoCollision,
    /// Drivable area compliance: 0 or 1.
    DrivableArea,
    /// Driving direction compliance: 0, ½ or 1.
    Direction,
    /// Traffic light compliance: 0 or 1.
    TrafficLights,
    /// Ego is making progress: 0 or 1.
    MakingProgress,
    /// Time to collision: 0 or 1.
    TimeToCollision,
    /// Ego progress: 0 to 1.
    Progress,
    /// Speed limit compliance: 0 to 1.
    SpeedLimit,
    /// Lane keeping: 0 or 1.
    LaneKeeping,
    /// Comfort: 0 or 1.
    Comfort,
    /// Comfort with what was driven before: 0 or 1.
    HistoryComfort,
}

impl TermKind {
    /// All, in the order in which they are listed.
    pub const ALL: [Self; 11] = [
        Self::NoCollision,
        Self::DrivableArea,
        Self::Direction,
        Self::TrafficLights,
        Self::MakingProgress,
        Self::TimeToCollision,
        Self::Progress,
        Self::SpeedLimit,
        Self::LaneKeeping,
        Self::Comfort,
        Self::HistoryComfort,
    ];

    /// The abbreviation of NAVSIM's tables, or one like it.
    pub fn short(self) -> &'static str {
        match self {
            Self::NoCollision => "NC",
            Self::DrivableArea => "DAC",
            Self::Direction => "DDC",
            Self::TrafficLights => "TLC",
            Self::MakingProgress => "MP",
            Self::TimeToCollision => "TTC",
            Self::Progress => "EP",
            Self::SpeedLimit => "SL",
            Self::LaneKeeping => "LK",
            Self::Comfort => "C",
            Self::HistoryComfort => "HC",
        }
    }

    /// What it asks, in words.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoCollision => "No at-fault collision",
            Self::DrivableArea => "On the drivable area",
            Self::Direction => "With the direction of travel",
            Self::TrafficLights => "Stops at red",
            Self::MakingProgress => "Makes progress at all",
            Self::TimeToCollision => "Time to collision",
            Self::Progress => "Progress",
            Self::SpeedLimit => "Within the speed limit",
            Self::LaneKeeping => "Keeps to its lane",
            Self::Comfort => "Comfort",
            Self::HistoryComfort => "Comfort, with the history",
        }
    }
}

/// What a sub-score looks at, at every step from the present on, [`STEP_S`] apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Series {
    /// What is measured, in words.
    pub what: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// The bound that matters, where there is one.
    pub limit: Option<f64>,
    /// Infinite where there is nothing to measure.
    pub values: Vec<f64>,
}

/// One sub-score with what decided it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Term {
    /// Which.
    pub kind: TermKind,
    /// 0 to 1.
    pub score: f64,
    /// The number behind it.
    pub value: f64,
    /// What the number is held against.
    pub limit: f64,
    /// Unit of both.
    pub unit: &'static str,
    /// Seconds after the present at which it was decided, where one moment was.
    pub time_s: Option<f64>,
    /// Who decided it, where somebody did.
    pub who: Option<AgentId>,
    /// Why, in a sentence with the numbers.
    pub reason: String,
    /// The same over time.
    pub series: Series,
}

/// All sub-scores of one path.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// By which formula.
    pub variant: Variant,
    /// Those that [`Variant::terms`] names, in its order.
    pub terms: Vec<Term>,
    /// The total, 0 to 1.
    pub total: f64,
    /// The total's arithmetic, in numbers.
    pub arithmetic: String,
    /// Time at which the first at-fault contact or the first corner off the drivable area comes, s; the scored time if
    /// neither does.
    pub clear_s: f64,
    /// The same for the first contact of any kind but from behind, whoever's fault.
    pub untouched_s: f64,
}

impl Scores {
    /// The sub-scores that make the total 0: factors of it that are 0.
    pub fn zeros(&self) -> impl Iterator<Item = &Term> {
        let factors = self.variant.factors();
        let terms = self.terms.iter();
        terms.filter(|term| factors.contains(&term.kind) && term.score <= 0.0)
    }

    /// One sub-score, if the variant has it.
    pub fn term(&self, kind: TermKind) -> Option<&Term> {
        self.terms.iter().find(|term| term.kind == kind)
    }

    /// What a sub-score comes to; 1 if the variant does not have it.
    pub fn score(&self, kind: TermKind) -> f64 {
        self.term(kind).map_or(1.0, |term| term.score)
    }

    /// The sub-score that costs the total most: the least factor, where one is below 1, else the weighted one with the
    /// largest weight · (1 − score); of equals, or if none costs anything, the first.
    pub fn costliest(&self) -> Option<&Term> {
        let terms = self.terms.iter();
        let counted = terms.filter(|term| self.variant.counts(term.kind));
        counted.rev().max_by(|a, b| {
            let ([a_factor, a_weighted], [b_factor, b_weighted]) =
                (self.variant.costs(a), self.variant.costs(b));
            let weighted = a_weighted.total_cmp(&b_weighted);
            a_factor.total_cmp(&b_factor).then(weighted)
        })
    }
}

/// A path with its scores before progress, which needs other paths, too.
pub(super) struct Partial {
    terms: Vec<Term>,
    /// Metres made along lanes, summed up step by step.
    progress_m: Vec<f64>,
    clear_s: f64,
    untouched_s: f64,
}

/// The stage on which paths are scored: map, lights and others, the same for all paths of a plan.
pub(super) struct Stage<'a> {
    map: &'a Map,
    lights: lights::Lights<'a>,
    ego: &'a Agent,
    history: Vec<TrackedState>,
    others: &'a [Other],
    steps: usize,
    variant: Variant,
}

/// One path on the stage, step by step.
struct Path<'a> {
    stage: &'a Stage<'a>,
    states: &'a [TrackedState],
    footprints: Vec<OrientedBox>,
    flags: Vec<AreaFlags>,
    corner_out: Option<usize>,
    watched: Vec<&'a Other>,
    contacts: Vec<(&'a Other, collision::Touched)>,
}

impl<'a> Stage<'a> {
    /// For paths of `ego` from the present of `scene` on among `others`, scored over the first `scored_s` seconds.
    pub(super) fn new(
        scene: &'a Scene,
        ego: &'a Agent,
        others: &'a [Other],
        scored_s: f64,
        variant: Variant,
    ) -> Self {
        Self {
            map: &scene.map,
            lights: lights::Lights::of(scene, variant.terms().contains(&TermKind::TrafficLights)),
            ego,
            history: if variant.terms().contains(&TermKind::HistoryComfort) {
                comfort::driven_before(scene, ego)
            } else {
                Vec::new()
            },
            others,
            steps: (scored_s / STEP_S).round() as usize,
            variant,
        }
    }

    fn path(&'a self, states: &'a [TrackedState]) -> Path<'a> {
        let states = &states[..states.len().min(self.steps + 1)];
        let footprints: Vec<OrientedBox> = states
            .iter()
            .map(|state| self.ego.footprint(&state.state))
            .collect();
        let (low, high) = states.iter().fold(
            (DVec2::INFINITY, DVec2::NEG_INFINITY),
            |(low, high), state| {
                let point = state.state.position;
                (low.min(point), high.max(point))
            },
        );
        let reach = self.ego.length;
        let road = Road::around(self.map, low - reach, high + reach);
        let flags: Vec<AreaFlags> = footprints
            .iter()
            .map(|footprint| road.flags(footprint))
            .collect();
        let corner_out = flags.iter().position(|flags| flags.non_drivable);
        let mut path = Path {
            stage: self,
            states,
            footprints,
            flags,
            corner_out,
            watched: Vec::new(),
            contacts: Vec::new(),
        };
        path.watched = path.watched();
        path.contacts = path.contacts();
        path
    }

    /// Whether a path touches anybody who does not overlap the ego at its start.
    pub(super) fn touches(&self, states: &[TrackedState]) -> bool {
        !self.path(states).contacts.is_empty()
    }

    /// Scores of a path but for its progress.
    pub(super) fn judge(&'a self, states: &'a [TrackedState]) -> Partial {
        let path = self.path(states);
        let scored_s = self.steps as f64 * STEP_S;
        let out_s = path.corner_out.map_or(scored_s, seconds);
        let contacts = collision::first_contacts(&path);
        let terms = self.variant.terms().iter();
        Partial {
            clear_s: contacts.at_fault_s.unwrap_or(scored_s).min(out_s),
            untouched_s: contacts.any_s.unwrap_or(scored_s).min(out_s),
            progress_m: progress::along_lanes(
                self.map,
                path.states.iter().map(|state| &state.state),
            ),
            terms: terms.filter_map(|kind| path.term(*kind)).collect(),
        }
    }
}

impl Partial {
    fn score(&self, kind: TermKind) -> f64 {
        let term = self.terms.iter().find(|term| term.kind == kind);
        term.map_or(1.0, |term| term.score)
    }

    /// The product of the sub-scores that all the others are multiplied with.
    fn multiplier(&self, variant: Variant) -> f64 {
        let factors = variant.factors().iter();
        factors.map(|kind| self.score(*kind)).product()
    }

    /// Metres made along the lanes.
    fn metres(&self) -> f64 {
        self.progress_m.last().copied().unwrap_or(0.0).max(0.0)
    }

    /// Whether NC or TTC is not met in full.
    pub(super) fn endangers(&self) -> bool {
        self.score(TermKind::NoCollision) < 1.0 || self.score(TermKind::TimeToCollision) < 1.0
    }

    /// The scores of all paths of a plan, in their order. Progress is held against `reference`, which in nuPlan's score is
    /// the expert's. What `human` did, where the variant asks and it is known, excuses the same.
    pub(super) fn complete(
        all: Vec<Self>,
        reference: &Self,
        variant: Variant,
        human: Option<&Scores>,
    ) -> Vec<Scores> {
        let harmless = |partial: &Self| partial.metres() * partial.multiplier(variant);
        let most_m = all.iter().map(harmless).fold(harmless(reference), f64::max);
        let against = |partial: &Self| match variant {
            Variant::Pdms => most_m,
            Variant::Epdms => harmless(partial).max(harmless(reference)),
            Variant::NuPlan => reference.metres(),
        };
        all.into_iter()
            .map(|partial| {
                let against = against(&partial);
                partial.scores(against, variant, human)
            })
            .collect()
    }

    fn scores(mut self, against: f64, variant: Variant, human: Option<&Scores>) -> Scores {
        let multiplier = self.multiplier(variant);
        let metres = self.metres();
        let walked = std::mem::take(&mut self.progress_m);
        let mut terms = Vec::with_capacity(variant.terms().len());
        let mut judged = self.terms.into_iter().peekable();
        for kind in variant.terms() {
            let mut term = match kind {
                TermKind::Progress => {
                    progress::progress(variant, metres, multiplier, against, walked.clone())
                }
                TermKind::MakingProgress => progress::making(metres, against, walked.clone()),
                kind => match judged.next_if(|term| term.kind == *kind) {
                    Some(term) => term,
                    None => continue,
                },
            };
            if human.is_some_and(|human| human.score(*kind) <= 0.0) && term.score < 1.0 {
                term.reason +=
                    "; but whoever drove when it was recorded scores 0 here, too, so this counts 1";
                term.score = 1.0;
            }
            terms.push(term);
        }
        let (total, arithmetic) = variant.total(&terms);
        Scores {
            variant,
            terms,
            total,
            arithmetic,
            clear_s: self.clear_s,
            untouched_s: self.untouched_s,
        }
    }
}

impl Path<'_> {
    /// A sub-score that this path has by itself.
    fn term(&self, kind: TermKind) -> Option<Term> {
        Some(match kind {
            TermKind::NoCollision => collision::no_collision(self),
            TermKind::DrivableArea => road::drivable_area(self),
            TermKind::Direction => road::direction(self),
            TermKind::TrafficLights => lights::traffic_lights(self),
            TermKind::TimeToCollision => collision::time_to_collision(self),
            TermKind::SpeedLimit => speed::speed_limit(self),
            TermKind::LaneKeeping => road::lane_keeping(self),
            TermKind::Comfort => comfort::comfort(self),
            TermKind::HistoryComfort => comfort::history_comfort(self),
            TermKind::Progress | TermKind::MakingProgress => return None,
        })
    }
}

impl Path<'_> {
    fn speed(&self, step: usize) -> f64 {
        self.states[step].state.speed()
    }
}

fn seconds(step: usize) -> f64 {
    step as f64 * STEP_S
}

#[cfg(test)]
mod tests;
