//! Argoverse 2 in: motion forecasting scenarios and sensor logs.

use std::path::Path;

use super::{OpenError, Report};
use crate::scene::Scene;

/// Reads a forecasting scenario: the parquet file, and the map `log_map_archive_*.json` beside it.
pub(super) fn read_forecasting(parquet: &Path) -> Result<(Scene, Report), OpenError> {
    Err(OpenError::damaged(
        parquet,
        "Argoverse 2",
        "has no reader yet",
    ))
}

/// Reads a sensor log: a folder with annotations, ego poses and a map.
pub(super) fn read_sensor(folder: &Path) -> Result<(Scene, Report), OpenError> {
    Err(OpenError::damaged(
        folder,
        "Argoverse 2",
        "has no reader yet",
    ))
}
