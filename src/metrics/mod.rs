//! Numbers about scenes, with units and with the arithmetic behind them.
//!
//! A [`Grid`] says when a scene is looked at, [`Samples`] holds the agents' states there, and each measure is a
//! plain function of samples. [`explain`] gathers them as [`Explained`] rows: value, formula in words, and who
//! caused it when. Definitions follow "Decoupled Diffusion Sparks Adaptive Scene Generation" (arXiv 2504.10485,
//! App. D.1) unless a measure names another source.

mod area;
mod comfort;
mod contact;
mod displacement;
mod encounter;
mod explain;
mod fault;
mod goal;
mod grid;
mod interval;
mod motion;
mod realism;
mod road;
mod sheet;
mod standing;

pub use area::{AreaFlags, Road};
pub use comfort::{Instability, instability};
pub use contact::{Contact, contacts, first_contact, struck};
pub use displacement::{AgentDisplacement, displacements, joint_min_ade, marginal_min_ade};
pub use encounter::{Encounter, Moment, ego_encounters, encounters};
pub use explain::{Evidence, Explained, explain, logged, title_of};
pub use fault::{ContactKind, FaultFinding, contact_kind, fault_of};
pub use goal::{GoalMiss, goal_misses};
pub use grid::{Grid, Part, Row, Samples};
pub use interval::{Interval, Ratio, bootstrap, bootstrap_of};
pub use motion::{Motion, motion_of};
pub use realism::{Feature, Realism, realism};
pub use road::{OffRoad, RoadRule, beyond_the_map, lane_distance, off_road, on_drivable_area};
pub use sheet::{Sheet, sheet_of_cases, sheet_of_steps};
pub use standing::{StandingCar, standing_cars};
