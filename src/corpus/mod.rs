//! Scenes to training windows: which moments and egos, resampled attackers, simulated bodies, and the shard files of the training recipe
//! (`assets/recipe/README.md` has the layout). Reads and writes no file.

mod attack;
mod body;
mod choice;
mod example;
mod shard;

pub use attack::{Attacked, resample_attacker};
pub use body::rebuild_bodies;
pub use choice::{Candidate, Choice, Egos, candidates};
pub use example::{Example, LeftOut, Size};
pub use shard::{Place, Shard};
