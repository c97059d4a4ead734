//! What lies around a recording: the other file of the same traffic, and the Lanelet2 map of the place.

use std::path::{Path, PathBuf};

use super::Dialect;
use crate::data::detect::{self, Kind};
use crate::data::draft::MAX_CELLS;
use crate::data::folder::{children, stem};
use crate::data::lanelet2::{self, Frame};
use crate::data::report::Report;
use crate::data::{OpenError, read_whole};
use crate::map::{Map, MapParts};
use crate::scene::{Agent, AgentKind, Signal, SignalState};

/// How the names of INTERACTION's files begin; what follows is the same in both files of a recording.
const VEHICLES: &str = "vehicle_tracks";
const PEDESTRIANS: &str = "pedestrian_tracks";

/// How deep folders of maps are searched, and how many files and folders are looked at in each.
const MAX_DEPTH: usize = 3;
const MAX_LOOKED_AT: usize = 500;

/// How near a lane traffic should be, m, and at how many of its states that is looked at.
const NEAR_LANE_M: f64 = 5.0;
const MAX_STATES: usize = 2000;

/// The files of a recording of INTERACTION that are there, that of the vehicles first.
pub(super) fn joined(path: &Path) -> Vec<PathBuf> {
    let own = path.to_path_buf();
    if let Some(vehicles) = sibling(path, PEDESTRIANS, VEHICLES) {
        return vec![vehicles, own];
    }
    let pedestrians = sibling(path, VEHICLES, PEDESTRIANS);
    std::iter::once(own).chain(pedestrians).collect()
}

/// Whether a file of pedestrians belongs to one of vehicles, which stands for both in a list.
pub(in crate::data) fn joins_vehicles(path: &Path) -> bool {
    let vehicles = sibling(path, PEDESTRIANS, VEHICLES);
    vehicles.is_some_and(|vehicles| {
        let found = detect::file(&vehicles);
        matches!(found, Ok((Kind::Recorded(Dialect::Interaction), _)))
    })
}

fn sibling(path: &Path, own: &str, other: &str) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let rest = name.strip_prefix(own)?;
    let file = path.with_file_name(format!("{other}{rest}"));
    file.is_file().then_some(file)
}

/// A name a person recognises: every place of INTERACTION has a "vehicle_tracks_000", so that its folder is named too.
pub(super) fn title(path: &Path) -> String {
    let own = stem(path);
    let is_common = [VEHICLES, PEDESTRIANS]
        .iter()
        .any(|begin| own.starts_with(begin));
    match folder_name(path) {
        Some(folder) if is_common => format!("{folder} {own}"),
        _ => own,
    }
}

fn folder_name(path: &Path) -> Option<String> {
    let folder = folders(path).into_iter().next()?;
    let name = folder.file_name()?;
    Some(name.to_string_lossy().into_owned())
}

/// The folder of a file and the two above it.
fn folders(path: &Path) -> Vec<PathBuf> {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let above = whole.ancestors().skip(1).take(3);
    above.map(Path::to_path_buf).collect()
}

fn is_osm(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "osm") && path.is_file()
}

/// The map of a recording of INTERACTION: named like the folder, or like the beginning of the file's name (the longest
/// such name), in the folder, the two above it and their folders `maps`; else the only one beside the file.
pub(super) fn map_by_name(path: &Path) -> Option<PathBuf> {
    let own = stem(path);
    let folder = folder_name(path);
    let folders = folders(path);
    let mut best: Option<(usize, PathBuf)> = None;
    for place in folders
        .iter()
        .flat_map(|folder| [folder.clone(), folder.join("maps")])
    {
        for file in children(&place).unwrap_or_default() {
            let name = stem(&file);
            let fits = Some(&name) == folder.as_ref() || begins_with(&own, &name);
            let is_longer = best.as_ref().is_none_or(|(length, _)| name.len() > *length);
            if fits && is_longer && is_osm(&file) {
                best = Some((name.len(), file));
            }
        }
    }
    if let Some((_, file)) = best {
        return Some(file);
    }
    let mut beside = children(folders.first()?).unwrap_or_default();
    beside.retain(|file| is_osm(file));
    match beside.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// Whether a name begins with another one that does not end inside a word: "EP10_train" does not with "EP1".
fn begins_with(name: &str, begin: &str) -> bool {
    let rest = name.strip_prefix(begin).filter(|_| !begin.is_empty());
    rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

/// The map of a place of levelX, in the folders `maps` of the file's folder and the two above it.
pub(super) fn map_of_location(path: &Path, location: i64) -> Option<PathBuf> {
    let mut best: Option<(usize, PathBuf)> = None;
    for folder in folders(path) {
        let mut pending = vec![(folder.join("maps"), 0)];
        let mut looked_at = 0;
        while let Some((place, depth)) = pending.pop() {
            for child in children(&place).unwrap_or_default() {
                looked_at += 1;
                if looked_at > MAX_LOOKED_AT {
                    pending.clear();
                    break;
                }
                if child.is_dir() {
                    if depth < MAX_DEPTH {
                        pending.push((child, depth + 1));
                    }
                    continue;
                }
                let Some(rank) = location_rank(&child, location) else {
                    continue;
                };
                if best.as_ref().is_none_or(|(known, _)| rank < *known) {
                    best = Some((rank, child));
                }
            }
        }
    }
    best.map(|(_, file)| file)
}

/// How surely a file is the map of a place, the least being the surest; `None` if it is not.
fn location_rank(file: &Path, location: i64) -> Option<usize> {
    if !is_osm(file) {
        return None;
    }
    let name = stem(file);
    let folder = file.parent()?.file_name()?.to_string_lossy();
    let begins = [format!("{location}_"), format!("{location:02}_")];
    let fits = [
        name == format!("location{location}"),
        name.starts_with(&begins[0]),
        begins.iter().any(|begin| folder.starts_with(begin)),
    ];
    fits.iter().position(|fits| *fits)
}

/// Reads a map for a scene of `frames` frames; one that cannot be read is reported.
pub(super) fn load(
    file: &Path,
    frame: Frame,
    frames: usize,
    report: &mut Report,
) -> (MapParts, Vec<Signal>) {
    match read(file, frame, report) {
        Ok((parts, mut signals)) => {
            if signals.len().saturating_mul(frames) > MAX_CELLS {
                report.skip_many("traffic lights, more than the limit", signals.len());
                signals.clear();
            }
            for signal in &mut signals {
                signal.states.resize(frames, SignalState::Unknown);
            }
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            report.note(format!("the map is {name}"));
            (parts, signals)
        }
        Err(error) => {
            let element = file.display().to_string();
            report.problem(element, error, "the scene has no map");
            (MapParts::default(), Vec::new())
        }
    }
}

fn read(
    file: &Path,
    frame: Frame,
    report: &mut Report,
) -> Result<(MapParts, Vec<Signal>), OpenError> {
    let (kind, head) = detect::file(file)?;
    if kind != Kind::Lanelet2 {
        return Err(detect::unknown(file, &head));
    }
    let bytes = read_whole(file, &head)?;
    // one frame, to be drawn out later: a hostile map has more lights than there is room for
    lanelet2::map(&bytes, frame, 1, file, report)
}

/// Reports a map that most of the vehicles do not drive on.
pub(super) fn check_place(parts: &MapParts, agents: &[Agent], report: &mut Report) {
    let vehicles = || {
        let vehicles = agents.iter();
        let vehicles = vehicles.filter(|agent| agent.kind == AgentKind::Vehicle);
        vehicles.flat_map(|agent| agent.track.valid())
    };
    let lanes = parts.lanes.iter().filter(|lane| lane.carries_vehicles());
    let map = Map::build(MapParts {
        lanes: lanes.cloned().collect(),
        ..MapParts::default()
    });
    if map.lanes().is_empty() {
        return;
    }
    let every = vehicles().count() / MAX_STATES + 1;
    let (mut seen, mut near) = (0, 0);
    for (_, state) in vehicles().step_by(every) {
        seen += 1;
        near += usize::from(!map.lanes_near(state.position, NEAR_LANE_M).is_empty());
    }
    if near * 2 < seen {
        report.problem(
            "map",
            format!("{near} of {seen} states within {NEAR_LANE_M} m of a lane"),
            "most of the traffic lies off its lanes: the map may be of another place",
        );
    }
}
