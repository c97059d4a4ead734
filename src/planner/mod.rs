//! The ego's answer to a scene: several futures with probabilities, scored, one chosen.
//!
//! A [`Propose`] looks at a [`Window`](crate::codec::Window) up to the present and proposes [`Mode`]s; what it knows
//! of the future it may not use. [`plan`] hands it only what can be [`foreseen`] and the lanes of its [`Route`], tracks
//! each mode on a bicycle, scores it and chooses; where all fail, the safest of their ways braked joins ([`Braked`]).
//! [`outcome`] scores the same paths by what then happens. [`drive`] puts a planner at the wheel in a [`World`]. The
//! networks behind `Propose` live in `model`; here are the plain planners they are held against, and what is said to a planner
//! outside the program ([`Ask`]).

mod brake;
mod drive;
mod foresee;
mod json;
mod open_loop;
mod own;
mod plain;
mod plan;
mod profile;
mod propose;
mod report;
mod route;
mod score;
mod track;
mod world;

pub use brake::Braked;
pub use drive::{DriveError, DriveSettings, DriveStep, Driven, drive};
pub use foresee::{Other, foreseen, others};
pub use json::{mode_json, plan_json, scores_json};
pub use open_loop::{NuPlanOpenLoop, OpenLoop, log_mode, open_loop};
pub use own::{Ask, OWN_EXAMPLE, OWN_VERSION, Request, read_request};
pub use plain::{ConstantVelocity, hermite_to, planned};
pub use plan::{PROBABILITY_POWER, Plan, PlannedMode, Start, outcome, plan, plan_of};
pub use propose::{
    Decoder, Mode, PlanSettings, Planned, Planners, Propose, ProposeError, ProposeStep, Stage,
};
pub use report::{DriveOutcome, Report, Touch, plan_shift, plans_feel_alike};
pub use route::Route;
pub use score::{
    ComfortLimit, SCORED_S, Scores, Series, Term, TermKind, Variant, comfort_excess,
    metres_along_lanes,
};
pub use track::{STEP_S, TrackedState, Tracker, body_at_present, path_of, states_of, track};
pub use world::{LogWorld, ReactiveWorld, TrafficWorld, World, cut_after_present};

/// Points of a plan: every half second up to 8 s.
pub const POINTS: usize = 16;
