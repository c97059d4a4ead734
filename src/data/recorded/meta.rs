//! The two lists that lie beside the tracks of levelX and highD: one about the recording, one about everybody in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Dialect;
use super::columns::MAX_NAME;
use super::table::{Table, number_in, plain_id, text_in, whole};
use crate::data::draft::point;
use crate::data::report::Report;
use crate::geometry::DVec2;

/// Frames a second where the recording does not say; all published recordings have 25.
const USUAL_RATE: f64 = 25.0;

/// Most tracks that are looked up.
const MAX_TRACKS: usize = 200_000;

/// Most markings of one carriageway.
const MAX_MARKINGS: usize = 50;

/// Markings nearer to each other than this are one, m.
const SAME_MARKING_M: f64 = 0.5;

/// What is told beside the tracks; what is missing there is left empty.
#[derive(Debug, Default)]
pub(super) struct Meta {
    /// Frames a second.
    rate: Option<f64>,
    /// Length of the recording, s.
    pub(super) duration_s: Option<f64>,
    /// Number of the place.
    pub(super) location: Option<i64>,
    /// Where the recording's origin lies in UTM coordinates, m.
    pub(super) utm_origin: Option<DVec2>,
    /// Speed limit, m/s.
    pub(super) speed_limit: Option<f64>,
    /// Where the markings of the upper and the lower carriageway lie in the picture, m, rising.
    pub(super) markings: [Vec<f64>; 2],
    /// Everybody by id.
    pub(super) tracks: BTreeMap<String, TrackMeta>,
}

/// What is told of a track.
#[derive(Debug)]
pub(super) struct TrackMeta {
    /// What it is.
    pub(super) class: String,
    /// Which way its carriageway runs, rad, in highD.
    pub(super) heading: Option<f64>,
}

impl Meta {
    /// Reads what is told of the recording.
    pub(super) fn of_recording(path: &Path, dialect: Dialect, report: &mut Report) -> Self {
        let mut meta = Self::default();
        if dialect == Dialect::Interaction {
            return meta;
        }
        if let Some(mut table) = open(path, "recordingMeta.csv", report) {
            meta.read_recording(&mut table);
        }
        if meta.rate.is_none() {
            report.note(format!(
                "the frame rate is not stated; taken as {USUAL_RATE} frames a second"
            ));
        }
        meta
    }

    fn read_recording<R: std::io::Read>(&mut self, table: &mut Table<R>) {
        let header = table.header.clone();
        let Some(record) = table.next_record() else {
            return;
        };
        let column = |name: &str| header.iter().position(|known| known == name);
        let number = |name: &str| number_in(record, column(name)?);
        let rate = number("frameRate");
        self.rate = rate.filter(|rate| (0.1..=1000.0).contains(rate));
        self.duration_s = number("duration").filter(|duration| *duration > 0.0);
        self.location = number("locationId").and_then(whole);
        let origin = number("xUtmOrigin").zip(number("yUtmOrigin"));
        let origin = origin.map(|(x, y)| point(x, y));
        self.utm_origin = origin.filter(|origin| origin.is_finite());
        self.speed_limit = number("speedLimit").filter(|limit| *limit > 0.0);
        let list = |name: &str| column(name).and_then(|column| text_in(record, column));
        self.markings = ["upperLaneMarkings", "lowerLaneMarkings"].map(|name| markings(list(name)));
    }

    /// Reads what is told of everybody.
    pub(super) fn read_tracks(&mut self, path: &Path, dialect: Dialect, report: &mut Report) {
        let id = match dialect {
            Dialect::Interaction => return,
            Dialect::LevelX => "trackId",
            Dialect::HighD => "id",
        };
        let Some(mut table) = open(path, "tracksMeta.csv", report) else {
            return;
        };
        let columns = (table.column(id), table.column("class"));
        let (Some(id), Some(class)) = columns else {
            let message = "has no columns of ids and classes; kinds are told by size and speed";
            report.problem("tracksMeta", table.header.len(), message);
            return;
        };
        let direction = table.column("drivingDirection");
        while let Some(record) = table.next_record() {
            let text = |column: usize| {
                let text = text_in(record, column);
                text.filter(|text| (1..=MAX_NAME).contains(&text.len()))
            };
            let (Some(id), Some(class)) = (text(id).map(plain_id), text(class)) else {
                report.skip("rows of the list of tracks without id or class");
                continue;
            };
            if self.tracks.len() >= MAX_TRACKS {
                report.skip("rows of the list of tracks beyond the limit");
                continue;
            }
            let direction = direction.and_then(|column| number_in(record, column));
            let heading = match direction.and_then(whole) {
                Some(1) => Some(std::f64::consts::PI),
                Some(2) => Some(0.0),
                _ => None,
            };
            let class = class.to_owned();
            let track = TrackMeta { class, heading };
            self.tracks.entry(id.to_owned()).or_insert(track);
        }
    }

    /// How many of the file's units of time make a second: milliseconds or frames.
    pub(super) fn per_s(&self, dialect: Dialect) -> f64 {
        match dialect {
            Dialect::Interaction => 1000.0,
            Dialect::LevelX | Dialect::HighD => self.rate.unwrap_or(USUAL_RATE),
        }
    }

    /// The time between frames, s, where it need not be told by the stamps.
    pub(super) fn dt_s(&self, dialect: Dialect) -> Option<f64> {
        match dialect {
            Dialect::Interaction => None,
            Dialect::LevelX | Dialect::HighD => Some(1.0 / self.per_s(dialect)),
        }
    }
}

/// The list beside `XX_tracks.csv` whose name ends so; reported if there is none.
fn open(
    path: &Path,
    ending: &str,
    report: &mut Report,
) -> Option<Table<std::io::Take<std::fs::File>>> {
    let list = ending.trim_end_matches(".csv");
    let Some(file) = beside(path, ending) else {
        let message = "the name of the file does not end in tracks.csv, so its lists are not found";
        report.problem(list, path.display(), message);
        return None;
    };
    match Table::open(&file) {
        Ok(table) => Some(table),
        Err(error) => {
            let element = file.display().to_string();
            report.problem(element, error, "is not read; what it says is missing");
            None
        }
    }
}

fn beside(path: &Path, ending: &str) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let begin = name.strip_suffix("tracks.csv")?;
    Some(path.with_file_name(format!("{begin}{ending}")))
}

/// A list as "8.51;12.59;16.43".
fn markings(text: Option<&str>) -> Vec<f64> {
    let parts = text.unwrap_or_default().split(';').take(MAX_MARKINGS);
    let mut list: Vec<f64> = parts.filter_map(crate::data::xml::number).collect();
    list.sort_by(f64::total_cmp);
    list.dedup_by(|next, before| *next - *before < SAME_MARKING_M);
    list
}
