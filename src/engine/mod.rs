//! Jobs, and the one thread that runs them.

mod worker;

pub use worker::{Desk, JobId, Worker};
