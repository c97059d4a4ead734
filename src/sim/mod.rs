//! The traffic world: roads, drivers, and reactive traffic stepped at 10 Hz.
//!
//! Networks are built from curves (`build`, `junction`). Vehicles follow with the Intelligent Driver Model, change lanes by
//! MOBIL with continuous motion sideways, accept gaps in conflict zones and are steered as kinematic bicycles; on the roads
//! of any scene `rollout` and `reactive` do so. The same seed gives the same traffic. No networks that learn, no clock.

mod bicycle;
mod build;
mod bundled;
mod curve;
mod detour;
mod driver;
mod idm;
mod junction;
mod lane_change;
mod network;
mod observation;
mod reactive;
mod record;
mod right_of_way;
mod rollout;
mod route;
mod scenario;
mod sight;
#[cfg(test)]
mod tests;
mod walker;
mod world;

pub use bicycle::Bicycle;
pub use build::{Builder, End, Profile, Road};
pub use bundled::{BUNDLED, bundled};
pub use curve::{Pen, curvatures, turn};
pub use driver::{Body, Driver};
pub use idm::{Idm, Mobil};
pub use junction::{Arm, Control};
pub use network::{Conflict, Crossing, Link, Network, SignalPlan, Turn};
pub use observation::Observation;
pub use reactive::Reactive;
pub use record::{LICENCE, Recording};
pub use rollout::{LaneFollower, idm_rollout, lane_rollout};
pub use scenario::{Scenario, simulate};
pub use walker::Walker;
pub use world::{Demand, Placement, STEP_S, Vehicle, World};
