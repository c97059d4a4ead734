//! Noise levels, schedules, the sampler, and the `Denoise` trait.
