//! The ego's answer to a scene: several futures with probabilities, scored, one chosen.
//!
//! A [`Propose`] looks at a [`Window`](crate::codec::Window) up to the present and proposes [`Mode`]s; what it knows
//! of the future it may not use. The networks behind `Propose` live in `model`; here are the plain proposers
//! they are held against, the scores, and the choice.

mod propose;

pub use propose::{
    Decoder, Mode, PlanSettings, Planned, Propose, ProposeError, ProposeStep, Stage,
};

/// Points of a plan: every half second up to 8 s.
pub const POINTS: usize = 16;
