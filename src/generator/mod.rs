//! A scene and a recipe to a new scene; attacks, guidance, gates.
//!
//! [`draft`] turns a scene and [`Settings`] into a [`Recipe`](crate::scene::Recipe) that names everything a result
//! depends on; a [`Run`] carries a recipe out, step by step; [`judge`] holds the result against the gates. [`check`]
//! runs a stored recipe again and compares. Networks come in through `diffusion::Prepare`; none lives here.

mod alike;
mod attack;
mod baseline;
mod batch;
mod check;
mod cut;
mod difference;
mod draft;
mod escape;
mod evaluation;
mod gates;
mod guidance;
mod limits;
mod plan;
mod quintic;
mod reach;
mod reaction;
mod refine;
mod run;
mod settings;
mod sweep;

pub use alike::{Alike, Gist};
pub use attack::{
    AttackCandidate, AttackError, AttackQuery, Hindrance, Unreachable, aim_of, attack_candidates,
    attack_candidates_while,
};
pub use baseline::{constant_velocity, hermite_to_goal};
pub use batch::{Mix, goals_from_log};
pub use check::{CheckReport, FAILED, GateChange, Regeneration, bug_case, check};
pub use cut::cut;
pub use difference::{Change, differences};
pub use draft::draft;
pub use escape::{Escape, escape};
pub use evaluation::{LoggedWindow, Score, inpaint, logged_windows, presents};
pub use gates::{GateCurve, Verdict, gate_curves, judge};
pub use limits::{Limits, limits_of};
pub use plan::{Plan, SoftToken};
pub use reach::{Doubt, doubts};
pub use reaction::Replay;
pub use refine::{Known, Origin, RefineError};
pub use run::{Progress, Run, generate, judged_agents, made_agents, run_recipe};
pub use settings::{GenerateError, MOST_AGENTS, MOST_REDRAWS, Scope, Settings, usual_temperature};
pub use sweep::{Axis, MOST_POINTS, Parameter, Quantity, Sweep, SweepError};

#[cfg(test)]
mod tests;
