//! The networks behind `Denoise`, and their weights.
