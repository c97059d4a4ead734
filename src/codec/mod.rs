//! `Scene` to model tokens and context, and back.
