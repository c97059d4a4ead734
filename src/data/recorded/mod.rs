//! Recorded traffic in: the comma-separated tracks of INTERACTION (Zhan et al. 2019, arXiv 1910.03088), of levelX
//! (inD, rounD, exiD, uniD; Bock et al. 2020, arXiv 1911.07602) and of highD (Krajewski et al. 2018, arXiv 1810.05642),
//! with the map of the place.
//!
//! Recordings of up to a minute are opened whole, longer ones in windows of time; INTERACTION's later files are made of
//! cases, each of them a scene. The header line tells the dialect. Maps are looked for around the file; highD's is
//! built from the markings it lists. Left out: accelerations, distances to others, and what the files say of lanes.

mod beside;
mod columns;
mod highway;
mod meta;
mod rows;
pub(super) mod table;
#[cfg(test)]
mod tests;
mod tracks;

use std::fs::File;
use std::io::Take;
use std::path::Path;

use crate::data::draft::Draft;
use crate::data::folder::stem;
use crate::data::lanelet2::Frame;
use crate::data::report::Report;
use crate::data::window::{self, Span};
use crate::data::xml::number;
use crate::data::{Entry, Format, OpenError};
use crate::map::MapParts;
use crate::scene::{Scene, Signal};
pub(in crate::data) use beside::joins_vehicles;
use columns::{Columns, TOO_FEW};
pub(in crate::data) use columns::{Header, recognise};
use meta::Meta;
use rows::{Ends, Rows, Wanted, ends};
use table::{Table, whole};
use tracks::Traffic;

/// Most cases listed of one file.
const MAX_CASES: i64 = 2000;

/// From the first frame of a case to its present, s: the tenth of its frames at 10 Hz.
const CASE_HISTORY_S: f64 = 0.9;

/// Whose columns a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// INTERACTION: junctions and roundabouts, 10 Hz.
    Interaction,
    /// inD, rounD, exiD and uniD.
    LevelX,
    /// highD: motorways.
    HighD,
}

impl Dialect {
    /// The format as it is shown.
    pub(super) fn format(self) -> Format {
        match self {
            Self::Interaction => Format::Interaction,
            Self::LevelX => Format::LevelX,
            Self::HighD => Format::HighD,
        }
    }

    fn licence(self) -> &'static str {
        match self {
            Self::Interaction => "INTERACTION dataset terms: non-commercial",
            Self::LevelX | Self::HighD => "levelXdata terms: non-commercial",
        }
    }
}

/// A file with its columns.
struct Source {
    table: Table<Take<File>>,
    columns: Columns,
}

impl Source {
    fn open(path: &Path, dialect: Dialect, per_s: f64) -> Result<Self, OpenError> {
        let table = Table::open(path).map_err(|error| OpenError::io(path, &error))?;
        let columns = Columns::new(&table.header, dialect, per_s, path)?;
        Ok(Self { table, columns })
    }
}

/// Reads a recording, or the window or case of it that `pick` names.
pub(super) fn read(
    path: &Path,
    dialect: Dialect,
    pick: Option<&str>,
) -> Result<(Scene, Report), OpenError> {
    let mut report = Report::default();
    let mut meta = Meta::of_recording(path, dialect, &mut report);
    let mut sources = sources(path, dialect, meta.per_s(dialect), &mut report)?;
    let has_cases = sources.iter().any(|source| source.columns.has_cases());
    let wanted = if has_cases {
        Wanted::Case(pick.map(|pick| case_of(path, pick)).transpose()?)
    } else {
        Wanted::Window(pick.map(|pick| Span::parse(path, pick)).transpose()?)
    };
    let mut rows = Rows::new(wanted);
    for Source { table, columns } in &mut sources {
        for name in columns.missing() {
            report.problem(
                format!("column {name}"),
                "missing",
                "what it says follows from the positions",
            );
        }
        rows.read(table, columns, &mut report);
    }
    rows.finish(&mut report);
    let around = if has_cases {
        ends(path, dialect, meta.per_s(dialect)).unwrap_or_default()
    } else {
        Ends::default()
    };
    if rows.rows.is_empty() {
        return Err(nothing(path, pick, &rows, &around));
    }
    if let (None, Some(case), Some((first, last))) = (pick, rows.case(), around.cases)
        && first < last
    {
        let count = last - first + 1;
        report.note(format!(
            "this is case {case} of what seem to be {count} in the file; pick another to see it"
        ));
    }
    meta.read_tracks(path, dialect, &mut report);
    let traffic = tracks::traffic(&rows, &meta, dialect, path, &mut report)?;
    let (map, signals) = place(path, dialect, &meta, &rows, &traffic, &mut report);
    let title = title(path, dialect);
    let draft = Draft {
        source: source(&title, dialect, &meta, rows.case(), traffic.start_s),
        name: match (rows.case(), pick) {
            (Some(case), _) => case_name(&title, case),
            (None, Some(pick)) if pick.contains(" at ") => pick.to_owned(),
            (None, pick) => window::name_of(&title, pick),
        },
        licence: dialect.licence().to_owned(),
        // a case is one second known and three to be told
        now: has_cases.then(|| (CASE_HISTORY_S / traffic.dt_s).round() as usize),
        dt_s: traffic.dt_s,
        frames: traffic.frames,
        map,
        agents: traffic.agents,
        signals,
        ..Draft::default()
    };
    let scene = draft.finish(path, &mut report)?;
    Ok((scene, report))
}

/// The scenes of a file, as far as they can be told from its beginning and its end.
pub(super) fn list(path: &Path, dialect: Dialect) -> Vec<Entry> {
    let format = dialect.format();
    let meta = Meta::of_recording(path, dialect, &mut Report::default());
    let around = ends(path, dialect, meta.per_s(dialect)).unwrap_or_default();
    let title = title(path, dialect);
    if let Some((first, last)) = around.cases {
        let last = last.min(first.saturating_add(MAX_CASES - 1));
        let entry = |case: i64| Entry {
            file: path.to_path_buf(),
            pick: Some(case.to_string()),
            name: case_name(&title, case),
            format,
        };
        return (first..=last).map(entry).collect();
    }
    let range = around.times.map(|(first, last)| {
        let stated = meta.duration_s.unwrap_or(last);
        (first, last.max(stated))
    });
    window::entries(path, &title, range, format)
}

/// The files that make up a recording: only the one asked for must be readable.
fn sources(
    path: &Path,
    dialect: Dialect,
    per_s: f64,
    report: &mut Report,
) -> Result<Vec<Source>, OpenError> {
    if dialect != Dialect::Interaction {
        return Ok(vec![Source::open(path, dialect, per_s)?]);
    }
    let mut sources = Vec::new();
    for file in beside::joined(path) {
        match Source::open(&file, dialect, per_s) {
            Ok(source) => sources.push(source),
            Err(error) if file.as_path() != path => {
                let element = file.display().to_string();
                report.problem(element, error, "is left out");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sources)
}

/// The number of a case: "17", or its name: "DR_USA_Intersection_EP0_train case 17".
fn case_of(path: &Path, pick: &str) -> Result<i64, OpenError> {
    let text = pick.rsplit("case ").next().unwrap_or(pick);
    let case = number(text).and_then(whole);
    case.ok_or_else(|| OpenError::NoSuchPick {
        path: path.display().to_string(),
        pick: pick.to_owned(),
        examples: "cases by their numbers, \"1\"".to_owned(),
    })
}

/// Why there is no scene.
fn nothing(path: &Path, pick: Option<&str>, rows: &Rows, around: &Ends) -> OpenError {
    match (pick, around.cases, rows.worst_column()) {
        (Some(pick), Some((first, last)), _) => OpenError::NoSuchPick {
            path: path.display().to_string(),
            pick: pick.to_owned(),
            examples: format!("cases {first} to {last}"),
        },
        (Some(pick), None, _) => {
            OpenError::damaged(path, format!("window {pick}"), "there is nobody in it")
        }
        (None, _, Some(TOO_FEW)) => {
            OpenError::damaged(path, "rows", "all have fewer fields than the header line")
        }
        (None, _, Some(column)) => {
            let element = format!("column {column}");
            OpenError::damaged(path, element, "no row has a readable value in it")
        }
        (None, _, None) => OpenError::damaged(path, "rows", "there are none"),
    }
}

/// The road under the traffic.
fn place(
    path: &Path,
    dialect: Dialect,
    meta: &Meta,
    rows: &Rows,
    traffic: &Traffic,
    report: &mut Report,
) -> (MapParts, Vec<Signal>) {
    let (parts, signals) = match dialect {
        Dialect::HighD => (highway::road(meta, rows.stretch, report), Vec::new()),
        Dialect::Interaction => match beside::map_by_name(path) {
            Some(file) => beside::load(&file, Frame::Own, traffic.frames, report),
            None => {
                report.problem(
                    "map",
                    "no .osm named like the folder or the file",
                    "the scene has no map; it was looked for in the folder of the file, the two above it and their folders maps",
                );
                (MapParts::default(), Vec::new())
            }
        },
        Dialect::LevelX => levelx_map(path, meta, traffic.frames, report),
    };
    beside::check_place(&parts, &traffic.agents, report);
    (parts, signals)
}

fn levelx_map(
    path: &Path,
    meta: &Meta,
    frames: usize,
    report: &mut Report,
) -> (MapParts, Vec<Signal>) {
    let none = (MapParts::default(), Vec::new());
    let (Some(location), Some(origin)) = (meta.location, meta.utm_origin) else {
        report.problem(
            "recordingMeta",
            "no locationId, xUtmOrigin or yUtmOrigin",
            "the scene has no map: its place is not known",
        );
        return none;
    };
    let Some(file) = beside::map_of_location(path, location) else {
        report.problem(
            "map",
            format!("no .osm of location {location}"),
            "the scene has no map; it was looked for in the folders maps of the file's folder and of the two above it",
        );
        return none;
    };
    let (mut parts, signals) = beside::load(&file, Frame::Utm(origin), frames, report);
    for lane in &mut parts.lanes {
        if lane.carries_vehicles() && lane.speed_limit.is_none() {
            lane.speed_limit = meta.speed_limit;
        }
    }
    (parts, signals)
}

/// What the recording is called, whichever of its files is named.
fn title(path: &Path, dialect: Dialect) -> String {
    if dialect != Dialect::Interaction {
        return stem(path);
    }
    let first = beside::joined(path).into_iter().next();
    beside::title(first.as_deref().unwrap_or(path))
}

fn case_name(title: &str, case: i64) -> String {
    format!("{title} case {case}")
}

fn source(title: &str, dialect: Dialect, meta: &Meta, case: Option<i64>, start_s: f64) -> String {
    let part = match case {
        Some(case) => format!("case {case}"),
        None => format!("from {start_s} s"),
    };
    match (dialect, meta.location) {
        (Dialect::Interaction, _) => format!("INTERACTION {title}, {part}"),
        (Dialect::HighD, _) => format!("highD {title}, {part}"),
        (Dialect::LevelX, Some(location)) => {
            format!("levelX (inD, rounD, exiD or uniD) {title} at location {location}, {part}")
        }
        (Dialect::LevelX, None) => format!("levelX (inD, rounD, exiD or uniD) {title}, {part}"),
    }
}
