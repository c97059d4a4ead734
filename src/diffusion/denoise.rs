//! What the sampler asks of a network, and of guidance.

use crate::codec::{CHANNELS, Scale, Window};

/// A network conditioned on one window.
pub trait Denoise {
    /// Predicts the clean tokens.
    ///
    /// `noisy` [S, A, T, 6] normalised tokens of S samples, `levels` [A, T] their noise levels (the same in all
    /// samples), `clean` [S, A, T, 6] to be filled. S follows from the lengths. Tokens invalid in the window are
    /// ignored and come back as any finite number.
    fn denoise(
        &mut self,
        noisy: &[f32],
        levels: &[f32],
        clean: &mut [f32],
    ) -> Result<(), DenoiseError>;

    /// What is known of clean tokens beside their noisy values; takes the place of what was said before. A stand-in
    /// may leave it out of account.
    fn observe(&mut self, _observations: &[Observation]) {}

    /// Whether clean tokens are, from the next step on, predicted as the model's own prior takes them, and the network's
    /// jitter is gone from them. A stand-in without a prior has nothing to do.
    fn smooth(&mut self, _on: bool) {}

    /// The window as it is from the next step on: rows that came in (last), signals that changed. Rows that were there
    /// keep place and frame. A stand-in that reads nothing of the window has nothing to do.
    fn revise(&mut self, _window: &Window) -> Result<(), DenoiseError> {
        Ok(())
    }
}

/// An observation of a clean token, independent of its noisy value: a soft goal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Row of the window.
    pub agent: usize,
    /// Token, 0 to 20.
    pub token: usize,
    /// What was seen, normalised.
    pub value: [f32; CHANNELS],
    /// Its variance in squared normalised units; infinite where nothing was seen.
    pub variance: [f32; CHANNELS],
}

/// A network (or a stand-in) that can be conditioned on windows.
pub trait Prepare: Send + Sync {
    /// What normalised tokens are measured in.
    fn scale(&self) -> &Scale;

    /// SHA-256 of the weights, hex; a name in angle brackets for what has no weights.
    fn identity(&self) -> &str;

    /// Does once what holds for a whole job: the map, the agents' attributes.
    fn prepare(&self, window: &Window) -> Result<Box<dyn Denoise + Send>, DenoiseError>;
}

/// A wish imposed on the predicted clean tokens before they are used in a step.
pub trait Guide {
    /// Changes `clean` [A, T, 6] (one sample) in place; `levels` [A, T] are the tokens' levels before the step.
    /// Changes to tokens at level 0 are without effect.
    fn guide(&mut self, clean: &mut [f32], levels: &[f32]);
}

/// Why a step failed. The tokens are as they were before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DenoiseError {
    /// The network returned a number that is not finite.
    #[error(
        "the network returned a number that is not finite at step {step}, agent row {agent}, token {token}; \
         the scene is kept as it was"
    )]
    NotFinite {
        /// Step, from 0.
        step: usize,
        /// Row of the window.
        agent: usize,
        /// Token, 0 to 20.
        token: usize,
    },
    /// A buffer of the wrong length.
    #[error("{what} has {found} numbers where {expected} were expected")]
    Shape {
        /// Which one.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length it should have.
        expected: usize,
    },
    /// The network failed in its own way.
    #[error("the network failed: {0}")]
    Network(String),
}
