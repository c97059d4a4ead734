//! OpenSCENARIO 1.x in: the entities, and the storyboard played on the OpenDRIVE road beside it into tracks.
//!
//! Played are start positions, speed and lane changes, lane offsets, kept distances, arrivals together, trajectories
//! (polylines, clothoids), routes and teleports, started by time, by other elements, headway, distance, time to collision,
//! contact, speed (relative, too), acceleration, standing, way and place. Traffic lights show what their controllers and actions
//! say. Vehicles keep to their lane; where it forks they take the road of their route, else go straight on. Everything else is
//! named in the report.
//! Source: ASAM OpenSCENARIO XML 1.2.

mod cast;
mod catalog;
mod condition;
mod keeping;
mod motion;
mod place;
mod play;
mod route;
mod signals;
mod story;
mod values;

use std::fs;
use std::path::Path;

use crate::data::draft::{Draft, MAX_AGENTS};
use crate::data::folder::stem;
use crate::data::opendrive::Network;
use crate::data::report::Report;
use crate::data::xml::{Element, XmlReader};
use crate::data::{MAX_BYTES, OpenError};
use crate::map::{Map, MapParts};
use crate::scene::{Agent, AgentId, AgentKind, Scene, Track};
use cast::{Entity, entities};
use catalog::Catalogs;
use play::{FRAME_S, play};
use signals::signals;
use story::Story;
use values::{MAX_VALUES_BYTES, Values, put_in_place};

/// Most entities, events and conditions that are played.
const MOST_ENTITIES: usize = MAX_AGENTS;
const MOST_EVENTS: usize = 2 * MAX_AGENTS;
const MOST_CONDITIONS: usize = 4 * MAX_AGENTS;
/// Most elements of a file.
const MOST_ELEMENTS: usize = 2_000_000;

/// Reads a scenario and its road.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<(Scene, Report), OpenError> {
    let mut report = Report::default();
    let broken =
        |error: &dyn ToString| OpenError::damaged(path, "OpenSCENARIO XML", error.to_string());
    let mut xml = XmlReader::new(bytes, MAX_BYTES);
    let mut root = xml.root().map_err(|error| broken(&error))?;
    let mut elements = 0;
    while let Some(child) = xml.next_child(|_| true).map_err(|error| broken(&error))? {
        elements += child.size();
        OpenError::within(path, "number of elements", elements, MOST_ELEMENTS)?;
        root.children.push(child);
    }
    let mut left = MAX_VALUES_BYTES;
    if put_in_place(&mut root, &Values::new(), &mut left).is_none() {
        let what = "values of more than 64 kB in one place or 64 MB in all";
        return Err(OpenError::damaged(path, "ParameterDeclarations", what));
    }
    let catalogs = Catalogs::of(root.child("CatalogLocations"), path);
    catalogs.put_in_place(&mut root);
    let Some(listed) = root.child("Entities") else {
        let what = if root.child("Catalog").is_some() {
            "it is a catalog: open a scenario that uses it"
        } else {
            "it has no entities"
        };
        return Err(OpenError::damaged(path, "Entities", what));
    };
    let cast = entities(listed, &catalogs, &mut report);
    let story = root.child("Storyboard").map(Story::of).unwrap_or_default();
    let counts = [
        ("number of entities", cast.len(), MOST_ENTITIES),
        ("number of events", story.events.len(), MOST_EVENTS),
        ("number of conditions", story.conditions(), MOST_CONDITIONS),
    ];
    for (element, count, most) in counts {
        OpenError::within(path, element, count, most)?;
    }
    let (network, parts) = road(&root, path, &mut report)?;
    let map = Map::build(parts.clone());
    let played = play(&network, &map, &cast, &story, &mut report);
    let frames = played.tracks.first().map_or(1, Vec::len);
    let lights = root
        .child("RoadNetwork")
        .and_then(|network| network.child("TrafficSignals"));
    let signals = signals(lights, &played.lights, &network, frames, path, &mut report)?;
    let described = root
        .child("FileHeader")
        .and_then(|header| header.attribute("description"));
    let licence = root
        .child("FileHeader")
        .and_then(|header| header.child("License"))
        .map(|licence| {
            licence
                .attribute("name")
                .unwrap_or(&licence.text)
                .to_owned()
        });
    let name = described.filter(|text| !text.trim().is_empty());
    let ego = ego(&cast).map(|entity| AgentId::new(&entity.name));
    let agents = cast
        .into_iter()
        .zip(played.tracks)
        .map(|(entity, states)| Agent {
            category: entity.category,
            length: entity.length,
            width: entity.width,
            ..Agent::new(&entity.name, entity.kind, Track::new(states))
        });
    let draft = Draft {
        name: name.map_or_else(|| stem(path), str::to_owned),
        source: format!("OpenSCENARIO {}, played", stem(path)),
        licence: licence.unwrap_or_default(),
        dt_s: FRAME_S,
        frames,
        map: parts,
        agents: agents.collect(),
        signals,
        ego,
        ..Draft::default()
    };
    let scene = draft.finish(path, &mut report)?;
    if scene.agents.is_empty() {
        let why: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        return Err(OpenError::Damaged {
            path: path.display().to_string(),
            element: "Entities".to_owned(),
            message: format!("nobody could be placed ({})", why.join("; ")),
            next: "Put the catalogs and roads that it names where it says, beside it".to_owned(),
        });
    }
    Ok((scene, report))
}

/// The road that the scenario names, beside it; without one, a scene without a map, reported.
fn road(
    root: &Element,
    path: &Path,
    report: &mut Report,
) -> Result<(Network, MapParts), OpenError> {
    let logic = root
        .child("RoadNetwork")
        .and_then(|network| network.child("LogicFile"));
    let Some(named) = logic.and_then(|file| file.attribute("filepath")) else {
        report.problem("RoadNetwork", "no LogicFile", "the scene has no map");
        return Ok((Network::default(), MapParts::default()));
    };
    let base = path.parent().unwrap_or_else(|| Path::new("."));
    let named_there = base.join(named);
    // files are often moved together into one folder
    let moved = Path::new(named).file_name().map(|name| base.join(name));
    let found = [Some(named_there), moved]
        .into_iter()
        .flatten()
        .find(|file| file.is_file());
    let Some(file) = found else {
        report.problem("LogicFile", named, "is not there: the scene has no map");
        return Ok((Network::default(), MapParts::default()));
    };
    let size = fs::metadata(&file).map_or(0, |facts| facts.len());
    if size > MAX_BYTES {
        return Err(OpenError::too_large(
            &file,
            "file size in bytes",
            size,
            MAX_BYTES,
        ));
    }
    let bytes = fs::read(&file).map_err(|error| OpenError::io(&file, &error))?;
    let network = Network::read(&bytes, &file, report)?;
    let parts = network.map(&file, report)?;
    Ok((network, parts))
}

/// Whoever this program has written as the ego; else whoever is named Ego, of any kind; else the first vehicle whose name begins with ego or host, or ends with ego; else the
/// first vehicle.
fn ego(cast: &[Entity]) -> Option<&Entity> {
    let named = |entity: &&Entity| entity.name.eq_ignore_ascii_case("ego");
    let mut vehicles = cast
        .iter()
        .filter(|entity| entity.kind == AgentKind::Vehicle);
    let called = |entity: &&Entity| {
        let name = entity.name.to_lowercase();
        name.starts_with("ego") || name.starts_with("host") || name.ends_with("ego")
    };
    let first = vehicles.clone().next();
    cast.iter()
        .find(|entity| entity.is_ego)
        .or_else(|| cast.iter().find(named))
        .or_else(|| vehicles.find(called))
        .or(first)
}

#[cfg(test)]
mod tests;
