//! What is wrong with the command line itself, beyond what its parser sees: values out of range, options that do not go
//! together. The program ends with 2 then, as for what the parser refuses.

use crate::planner::{DriveError, ProposeError};

/// A command line that asks for what cannot be, whatever the files hold.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// Refuses the command line with a sentence.
macro_rules! bail_usage {
    ($($sentence:tt)+) => {
        return Err($crate::cli::usage::Usage(format!($($sentence)+)).into())
    };
}

/// Refuses the command line with a sentence unless something holds.
macro_rules! ensure_usage {
    ($holds:expr, $($sentence:tt)+) => {
        if !$holds {
            $crate::cli::usage::bail_usage!($($sentence)+);
        }
    };
}

pub(super) use {bail_usage, ensure_usage};

/// Whether the command line is to blame.
pub(super) fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let planned = cause.downcast_ref::<ProposeError>();
        let driven = cause.downcast_ref::<DriveError>();
        cause.is::<Usage>()
            || planned.is_some_and(|error| matches!(error, ProposeError::Setting { .. }))
            || driven.is_some_and(|error| matches!(error, DriveError::Setting { .. }))
    })
}
