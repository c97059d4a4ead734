//! SUMO in: networks, and floating car data with its network beside it.

use std::path::Path;

use super::{OpenError, Report};
use crate::scene::Scene;

/// Reads the text of a network (inflated); `path` is for names and messages.
pub(super) fn read_net(_bytes: &[u8], path: &Path) -> Result<(Scene, Report), OpenError> {
    Err(OpenError::damaged(path, "SUMO", "has no reader yet"))
}

/// Reads the text of an `fcd-export`; the network and vehicle types are looked for beside `path`.
pub(super) fn read_fcd(_bytes: &[u8], path: &Path) -> Result<(Scene, Report), OpenError> {
    Err(OpenError::damaged(path, "SUMO", "has no reader yet"))
}
