//! Nearmiss.
