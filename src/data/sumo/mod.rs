//! SUMO in: networks, and floating car data with its network beside it.
//!
//! Floating car data of up to a minute is opened whole. A longer file is opened in windows: as `pick`, the start of
//! a window in simulation seconds ("300"), or its start and end ("300-320"); without one, the first 30 s. Only the
//! window is kept in memory, whatever the size of the file.

mod beside;
mod fcd;
mod net;
mod types;

use std::io::BufRead;
use std::path::Path;

use crate::data::draft::Draft;
use crate::data::folder::stem;
use crate::data::report::Report;
use crate::data::window::{self, MAX_SEARCH_BYTES, Span, WHOLE_S, WINDOW_S, name_of};
use crate::data::xml::{XmlError, XmlReader};
use crate::data::{Entry, Format, MAX_BYTES, OpenError};
use crate::geometry::DVec2;
use crate::scene::Scene;
use beside::{Beside, open_text, time_range};
use fcd::{Rows, read_rows};
use net::Net;
use types::Types;

/// Maps of more lanes than this are cut to the surroundings of the traffic.
const WHOLE_MAP_LANES: usize = 3000;

/// How far around the traffic a cut map reaches, m.
const SURROUNDINGS_M: f64 = 300.0;

/// Reads a network on its own: a scene of one frame without traffic.
pub(super) fn read_net(path: &Path) -> Result<(Scene, Report), OpenError> {
    let text = open_text(path).map_err(|error| OpenError::io(path, &error))?;
    net_scene(text, path)
}

fn net_scene(text: impl BufRead, path: &Path) -> Result<(Scene, Report), OpenError> {
    let mut report = Report::default();
    let net = Net::read(text, MAX_BYTES, &mut report).map_err(|error| broken(path, &error))?;
    if net.is_empty() {
        return Err(OpenError::damaged(path, "net", "it has no lanes"));
    }
    let (dt_s, frames) = (0.1, 1);
    let (map, signals) = net.build(None, (0.0, dt_s, frames), &mut report);
    let draft = Draft {
        name: stem(path),
        source: format!("SUMO network {}", stem(path)),
        dt_s,
        frames,
        map,
        signals,
        ..Draft::default()
    };
    let scene = draft.finish(path, &mut report)?;
    Ok((scene, report))
}

/// Reads floating car data, or the window of it that `pick` names; network and types are looked for beside it.
pub(super) fn read_fcd(path: &Path, pick: Option<&str>) -> Result<(Scene, Report), OpenError> {
    let text = open_text(path).map_err(|error| OpenError::io(path, &error))?;
    fcd_scene(text, path, pick)
}

fn fcd_scene(
    text: impl BufRead,
    path: &Path,
    pick: Option<&str>,
) -> Result<(Scene, Report), OpenError> {
    let mut report = Report::default();
    let span = pick.map(|pick| Span::parse(path, pick)).transpose()?;
    let limit = if span.is_some() {
        MAX_SEARCH_BYTES
    } else {
        MAX_BYTES
    };
    let mut xml = XmlReader::new(text, limit);
    xml.root().map_err(|error| broken(path, &error))?;
    let mut rows = read_rows(&mut xml, span, &mut report).map_err(|error| broken(path, &error))?;
    if let Some(why) = rows.broken_off() {
        let why = why.to_owned();
        report.problem(
            "fcd-export",
            why,
            "the file breaks off; what comes before is kept",
        );
    }
    if rows.is_empty() {
        if let Some(time) = rows.odd_time {
            let message = format!("time=\"{time}\" is neither seconds nor hours:minutes:seconds");
            return Err(OpenError::damaged(path, "timestep", message));
        }
        let element = pick.map_or("fcd-export".to_owned(), |pick| format!("window {pick}"));
        return Err(OpenError::damaged(
            path,
            element,
            "there is no vehicle in it",
        ));
    }
    if rows.goes_on && span.is_none() {
        rows.shorten(WINDOW_S);
        let first = rows.times.first().copied().unwrap_or(0.0);
        report.note(format!(
            "the file is longer than {WHOLE_S} s: this is {WINDOW_S} s from {first} s on; pick another start to see more"
        ));
    }
    let beside = Beside::find(path, &xml.comments);
    let (mut net, mut types) = (find_net(&beside, &rows, &mut report), Types::default());
    for file in &beside.types {
        let read = open_text(file)
            .map_err(|error| error.to_string())
            .and_then(|text| {
                types
                    .read(text, beside::MAX_BYTES)
                    .map_err(|error| error.to_string())
            });
        if let Err(message) = read {
            report.problem(
                file.display().to_string(),
                message,
                "read as far as it goes",
            );
        }
    }
    if beside.named {
        // what is loaded last is in force
        net.programs.append(&mut types.programs);
    }
    if rows.is_geographic(&net) {
        rows.place_on_lanes(&net, &mut report);
    } else if let Some(driver) = rows.drives_in_degrees() {
        return Err(OpenError::Damaged {
            path: path.display().to_string(),
            element: driver,
            message: "this is longitude and latitude, and no network beside the file has its lane"
                .to_owned(),
            next:
                "Put the .net.xml into the same folder, or write the file without --fcd-output.geo"
                    .to_owned(),
        });
    }
    let start_s = rows.times.first().copied().unwrap_or(0.0);
    let (agents, dt_s, frames) = rows.agents(&types, &mut report);
    if agents.is_empty() {
        let limit = crate::data::draft::MAX_CELLS as u64;
        return Err(OpenError::too_large(
            path,
            "vehicles times frames",
            limit + 1,
            limit,
        ));
    }
    let around = (net.lane_count() > WHOLE_MAP_LANES).then(|| surroundings(&agents));
    let (map, signals) = net.build(around, (start_s, dt_s, frames), &mut report);
    if around.is_some() {
        report.note(format!(
            "the network has {} lanes; the map is cut {SURROUNDINGS_M} m around the traffic",
            net.lane_count()
        ));
    }
    let draft = Draft {
        name: name_of(&stem(path), pick),
        source: format!("SUMO floating car data {}, from {start_s} s", stem(path)),
        dt_s,
        frames,
        map,
        agents,
        signals,
        ..Draft::default()
    };
    let scene = draft.finish(path, &mut report)?;
    Ok((scene, report))
}

/// The windows of floating car data, as far as they can be told without reading all of it.
pub(super) fn list_fcd(path: &Path) -> Vec<Entry> {
    window::entries(path, &stem(path), time_range(path), Format::SumoFcd)
}

/// The first network that has the lanes the vehicles are on; without any, an empty one, reported.
fn find_net(beside: &Beside, rows: &Rows, report: &mut Report) -> Net {
    let wanted = rows.some_lanes();
    let mut near_miss = None;
    for file in &beside.nets {
        let mut found = Report::default();
        let read = open_text(file)
            .map_err(|error| error.to_string())
            .and_then(|text| {
                Net::read(text, MAX_BYTES, &mut found).map_err(|error| error.to_string())
            });
        match read {
            Ok(net) => {
                let met = wanted.iter().filter(|lane| net.has_lane(lane)).count();
                if met * 2 >= wanted.len() && !net.is_empty() {
                    report.problems.append(&mut found.problems);
                    return net;
                }
                near_miss = Some(file);
            }
            Err(message) => {
                report.problem(
                    file.display().to_string(),
                    message,
                    "is no readable network",
                );
            }
        }
    }
    match near_miss {
        Some(file) => report.problem(
            file.display().to_string(),
            format!("lanes {}", wanted.join(", ")),
            "are not in this network, and no other lies beside: the scene has no map",
        ),
        None => report.problem(
            "network",
            "none beside the file",
            "the scene has no map; put the .net.xml into the same folder",
        ),
    }
    Net::default()
}

/// The rectangle around all agents, grown.
fn surroundings(agents: &[crate::scene::Agent]) -> (DVec2, DVec2) {
    let states = agents.iter().flat_map(|agent| agent.track.valid());
    let (low, high) = states.fold(
        (DVec2::INFINITY, DVec2::NEG_INFINITY),
        |(low, high), (_, state)| (low.min(state.position), high.max(state.position)),
    );
    (low - SURROUNDINGS_M, high + SURROUNDINGS_M)
}

fn broken(path: &Path, error: &XmlError) -> OpenError {
    OpenError::damaged(path, "SUMO XML", error.to_string())
}
