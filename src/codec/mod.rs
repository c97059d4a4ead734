//! `Scene` to model tokens and context, and back: the only door between metres and normalised numbers.
//!
//! A [`Window`] is what a network sees of a scene: the nearest agents (32 unless asked for more) with 21 tokens each,
//! half a second apart, the fifth the present, and the lane pieces around them. [`Window::normalised`] writes tokens as
//! numbers of order one in each agent's own frame, [`Window::states`] reads them back, [`decode`] writes a future into
//! the scene.

mod decode;
mod interpolate;
mod lanes;
mod normal;
mod window;

pub use decode::{between_tokens, decode, resampled};
pub use interpolate::{at_time, between};
pub use lanes::{LanePiece, PIECE_POINTS, signals_by_lane};
pub use normal::{CHANNELS, Scale};
pub use window::{Options, Row, Window, agents_near, remoteness};

/// Tokens of an agent: 4 of history, the present, 16 of future.
pub const T: usize = 21;

/// The token of the present.
pub const NOW: usize = 4;

/// Time between tokens, s.
pub const DT_S: f64 = 0.5;

/// Time of a token relative to the present, s: −2 to 8.
pub fn token_time_s(token: usize) -> f64 {
    (token as f64 - NOW as f64) * DT_S
}
