//! How good a tracked path is: no at-fault collision, drivable area, direction, time to collision, progress, comfort.
//!
//! Definitions after NAVSIM's PDM score, v1.1 (autonomousvision/navsim, `pdm_scorer.py`): 4 s at 10 Hz, 41 states with
//! the start. [`VARIANT`] names what is the same and what is not. Each [`Term`] carries the measured number, the
//! limit, the moment and whoever decided it.

mod collision;
mod comfort;
mod progress;
mod road;
mod smooth;

use serde::Serialize;

pub use comfort::{ComfortLimit, comfort_excess};
pub use progress::metres_along_lanes;

use crate::geometry::{DVec2, OrientedBox};
use crate::map::Map;
use crate::metrics::{AreaFlags, Road};
use crate::planner::foresee::Other;
use crate::planner::track::{STEP_S, TrackedState};
use crate::scene::{Agent, AgentId};

/// Seconds that are scored: NAVSIM's, also because nobody can say where others are after that.
pub const SCORED_S: f64 = 4.0;

/// What the total is, in words.
pub const VARIANT: &str = "PDMS-style: v1.1 formula NC · DAC · (5 EP + 5 TTC + 2 C + 0 DDC) / 12 over 4 s at 10 Hz; \
    reference planner = the IDM lane follower, EP against the farthest of it and of all modes; drivable area = lanes, areas and kerbs of the map with 0.3 m tolerance; \
    progress along lanes instead of a route; DDC by the direction of lanes";

/// Which sub-score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TermKind {
    /// No at-fault collision: 0, ½ or 1.
    NoCollision,
    /// Drivable area compliance: 0 or 1.
    DrivableArea,
    /// Driving direction compliance: 0, ½ or 1; weight 0 in the total.
    Direction,
    /// Time to collision: 0 or 1.
    TimeToCollision,
    /// Ego progress against the reference: 0 to 1.
    Progress,
    /// Comfort: 0 or 1.
    Comfort,
}

impl TermKind {
    /// All, in the order of [`Scores::terms`].
    pub const ALL: [Self; 6] = [
        Self::NoCollision,
        Self::DrivableArea,
        Self::Direction,
        Self::TimeToCollision,
        Self::Progress,
        Self::Comfort,
    ];

    /// The abbreviation of NAVSIM's tables.
    pub fn short(self) -> &'static str {
        match self {
            Self::NoCollision => "NC",
            Self::DrivableArea => "DAC",
            Self::Direction => "DDC",
            Self::TimeToCollision => "TTC",
            Self::Progress => "EP",
            Self::Comfort => "C",
        }
    }

    /// What it asks, in words.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoCollision => "No at-fault collision",
            Self::DrivableArea => "On the drivable area",
            Self::Direction => "With the direction of travel",
            Self::TimeToCollision => "Time to collision",
            Self::Progress => "Progress",
            Self::Comfort => "Comfort",
        }
    }
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
}

/// All sub-scores of one path.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// In the order of [`TermKind::ALL`].
    pub terms: Vec<Term>,
    /// The total by [`VARIANT`], 0 to 1.
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
    /// One sub-score.
    pub fn term(&self, kind: TermKind) -> &Term {
        &self.terms[kind as usize]
    }
}

/// A path with its scores before progress, which needs all paths at once.
pub(super) struct Partial {
    terms: [Term; 5],
    /// Metres made along lanes.
    progress_m: f64,
    clear_s: f64,
    untouched_s: f64,
}

/// The stage on which paths are scored: map and others, the same for all paths of a plan.
pub struct Stage<'a> {
    map: &'a Map,
    ego: &'a Agent,
    others: &'a [Other],
    steps: usize,
}

/// One path on the stage, step by step.
struct Path<'a> {
    stage: &'a Stage<'a>,
    states: &'a [TrackedState],
    footprints: Vec<OrientedBox>,
    flags: Vec<AreaFlags>,
    corner_out: Option<usize>,
}

impl<'a> Stage<'a> {
    /// For paths of `ego` among `others`, scored over the first `scored_s` seconds.
    pub fn new(map: &'a Map, ego: &'a Agent, others: &'a [Other], scored_s: f64) -> Self {
        Self {
            map,
            ego,
            others,
            steps: (scored_s / STEP_S).round() as usize,
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
        Path {
            stage: self,
            states,
            footprints,
            flags,
            corner_out,
        }
    }

    pub(super) fn judge(&'a self, states: &'a [TrackedState]) -> Partial {
        let path = self.path(states);
        let (no_collision, contacts) = collision::no_collision(&path);
        let scored_s = self.steps as f64 * STEP_S;
        let out_s = path.corner_out.map_or(scored_s, seconds);
        Partial {
            clear_s: contacts.at_fault_s.unwrap_or(scored_s).min(out_s),
            untouched_s: contacts.any_s.unwrap_or(scored_s).min(out_s),
            progress_m: metres_along_lanes(self.map, path.states.iter().map(|state| &state.state)),
            terms: [
                no_collision,
                road::drivable_area(&path),
                road::direction(&path),
                collision::time_to_collision(&path),
                comfort::comfort(&path),
            ],
        }
    }

    /// Scores of several paths, of which `reference` is only run along to give progress a measure. The first entry of
    /// the answer belongs to the first of `paths`.
    pub fn scores(
        &'a self,
        paths: &[&'a [TrackedState]],
        reference: &'a [TrackedState],
    ) -> Vec<Scores> {
        let partial = paths.iter().map(|path| self.judge(path)).collect();
        Partial::complete(partial, &self.judge(reference))
    }
}

impl Partial {
    /// NC · DAC.
    fn multiplier(&self) -> f64 {
        self.terms[0].score * self.terms[1].score
    }

    /// Whether NC or TTC is not met in full.
    pub(super) fn endangers(&self) -> bool {
        let [no_collision, _, _, time_to_collision, _] = &self.terms;
        no_collision.score < 1.0 || time_to_collision.score < 1.0
    }

    /// The scores of all paths of a plan, in their order.
    pub(super) fn complete(all: Vec<Self>, reference: &Self) -> Vec<Scores> {
        let most_m = all
            .iter()
            .chain([reference])
            .map(|partial| partial.progress_m * partial.multiplier())
            .fold(0.0, f64::max);
        all.into_iter()
            .map(|partial| partial.scores(most_m))
            .collect()
    }

    fn scores(self, most_m: f64) -> Scores {
        let multiplier = self.multiplier();
        let progress = progress::progress(self.progress_m, multiplier, most_m);
        let [nc, dac, ddc, ttc, comfort] = self.terms;
        let weighted = (5.0 * progress.score + 5.0 * ttc.score + 2.0 * comfort.score) / 12.0;
        let total = multiplier * weighted;
        let arithmetic = format!(
            "{} · {} · (5 · {:.3} + 5 · {} + 2 · {}) / 12 = {total:.3}",
            nc.score, dac.score, progress.score, ttc.score, comfort.score
        );
        Scores {
            terms: vec![nc, dac, ddc, ttc, progress, comfort],
            total,
            arithmetic,
            clear_s: self.clear_s,
            untouched_s: self.untouched_s,
        }
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
