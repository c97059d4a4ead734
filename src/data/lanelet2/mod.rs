//! Lanelet2 maps in (OpenStreetMap XML), alone or under recorded traffic: lanelets with their bounds, connections,
//! neighbours and limits, painted lines, crossings, areas, stop signs, and lights (a map does not say what they show).
//!
//! Left out: heights, priorities other than stop signs (they and all other regulatory elements and signs that are not used are
//! counted), what Autoware keeps beside (detection areas, parking places).

mod frame;
mod lanelets;
mod osm;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::data::OpenError;
use crate::data::draft::Draft;
use crate::data::folder::stem;
use crate::data::report::Report;
use crate::map::MapParts;
use crate::scene::{Scene, Signal};
pub(in crate::data) use frame::Frame;
use lanelets::Roads;
use osm::Osm;

/// Reads the text of a map on its own: a scene of one frame without traffic.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<(Scene, Report), OpenError> {
    let mut report = Report::default();
    let frames = 1;
    let roads = roads(bytes, Frame::Own, path, &mut report)?;
    let draft = Draft {
        name: stem(path),
        source: format!("Lanelet2 map {}", stem(path)),
        dt_s: 0.1,
        frames,
        signals: roads.signals(frames),
        map: roads.parts,
        ..Draft::default()
    };
    let scene = draft.finish(path, &mut report)?;
    Ok((scene, report))
}

/// The map under a recording of `frames` frames, in the recording's frame.
pub(super) fn map(
    bytes: &[u8],
    frame: Frame,
    frames: usize,
    path: &Path,
    report: &mut Report,
) -> Result<(MapParts, Vec<Signal>), OpenError> {
    let roads = roads(bytes, frame, path, report)?;
    let signals = roads.signals(frames);
    Ok((roads.parts, signals))
}

fn roads(bytes: &[u8], frame: Frame, path: &Path, report: &mut Report) -> Result<Roads, OpenError> {
    let osm = Osm::read(bytes, path, report)?;
    let is_lanelet = |relation: &osm::Relation| relation.tags.is("type", &["lanelet"]);
    if !osm.relations.iter().any(is_lanelet) {
        return Err(OpenError::Unsupported {
            path: path.display().to_string(),
            what: "an OpenStreetMap map without lanelets".to_owned(),
            instead: "Convert it with SUMO's netconvert --osm-files".to_owned(),
        });
    }
    let places = frame::places(&osm, frame, path, report)?;
    let roads = lanelets::build(&osm, &places, path, report)?;
    if roads.parts.lanes.is_empty() {
        let message = "no lanelet has two bounds of two points each";
        return Err(OpenError::damaged(path, "lanelets", message));
    }
    Ok(roads)
}
