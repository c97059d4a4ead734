//! The columns of the dialects: told by the header line, and what a row says in our units and axes.

use std::path::Path;

use csv::ByteRecord;

use super::Dialect;
use super::table::{bare, number_in, plain_id, text_in, whole};
use crate::data::OpenError;
use crate::data::draft::point;
use crate::geometry::{DVec2, dvec2, wrap_angle};

/// Longest id or class, bytes.
pub(super) const MAX_NAME: usize = 64;

/// Furthest a time may lie from zero, s: the clocks of recordings start at zero or count from 1970.
const MAX_TIME_S: f64 = 1e10;

/// Furthest a stretch of motorway may reach, m.
const MAX_STRETCH_M: f64 = 1e5;

/// What is said of a row that is shorter than the header line.
pub(super) const TOO_FEW: &str = "fields";

/// What a text is the beginning of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum Header {
    /// Tracks, which can be opened.
    Tracks(Dialect),
    /// A list that belongs to tracks of levelX or highD.
    Meta,
}

/// What the first line of a text is the header of; `None` if of nothing that is known here.
///
/// Three of five names will do, so that the reader can say which columns are missing.
pub(in crate::data) fn recognise(text: &[u8]) -> Option<Header> {
    let text = text.trim_ascii_start();
    let line_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let end = text.iter().position(line_end).unwrap_or(text.len());
    let line = std::str::from_utf8(text.get(..end)?).ok()?;
    let names: Vec<&str> = line.split(',').map(bare).collect();
    let met = |wanted: &[&str]| wanted.iter().filter(|name| names.contains(name)).count();
    let lists: [&[&str]; 2] = [
        &["initialFrame", "finalFrame", "numFrames"],
        &["frameRate", "locationId", "numVehicles"],
    ];
    if lists.iter().any(|list| met(list) >= 2) {
        return Some(Header::Meta);
    }
    let dialects: [(Dialect, &[&str]); 3] = [
        (
            Dialect::Interaction,
            &[
                "track_id",
                "frame_id",
                "timestamp_ms",
                "agent_type",
                "psi_rad",
            ],
        ),
        (
            Dialect::LevelX,
            &[
                "recordingId",
                "trackId",
                "trackLifetime",
                "xCenter",
                "yCenter",
            ],
        ),
        (
            Dialect::HighD,
            &["frame", "id", "height", "xVelocity", "laneId"],
        ),
    ];
    let found = dialects.iter().find(|(_, names)| met(names) >= 3);
    found.map(|(dialect, _)| Header::Tracks(*dialect))
}

/// What a dialect calls its columns.
#[derive(Debug)]
struct Names {
    id: &'static str,
    time: &'static str,
    x: &'static str,
    y: &'static str,
    class: Option<&'static str>,
    heading: Option<&'static str>,
    velocity: [&'static str; 2],
    length: &'static str,
    width: &'static str,
}

static INTERACTION: Names = Names {
    id: "track_id",
    time: "timestamp_ms",
    x: "x",
    y: "y",
    class: Some("agent_type"),
    heading: Some("psi_rad"),
    velocity: ["vx", "vy"],
    length: "length",
    width: "width",
};

static LEVELX: Names = Names {
    id: "trackId",
    time: "frame",
    x: "xCenter",
    y: "yCenter",
    class: None,
    heading: Some("heading"),
    velocity: ["xVelocity", "yVelocity"],
    length: "length",
    width: "width",
};

/// The boxes of highD lie along the axes of its pictures: "width" is along the road.
static HIGHD: Names = Names {
    id: "id",
    time: "frame",
    x: "x",
    y: "y",
    class: None,
    heading: None,
    velocity: ["xVelocity", "yVelocity"],
    length: "width",
    width: "height",
};

/// Where the values of a row stand.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    dialect: Dialect,
    names: &'static Names,
    /// How many of the file's units of time make a second.
    per_s: f64,
    /// Fields of a row that is whole.
    fields: usize,
    case: Option<usize>,
    id: usize,
    time: usize,
    place: [usize; 2],
    class: Option<usize>,
    heading: Option<usize>,
    velocity: [Option<usize>; 2],
    size: [Option<usize>; 2],
}

/// What a row says; NaN where it does not say it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    /// Centre of the box, m.
    pub(super) position: DVec2,
    /// Heading, rad, in (−π, π].
    pub(super) heading: f64,
    /// Velocity, m/s.
    pub(super) velocity: DVec2,
    /// Extent along the heading, m.
    pub(super) length: f64,
    /// Extent across the heading, m.
    pub(super) width: f64,
}

impl Columns {
    /// Finds the columns; those of id, time and place must be there.
    pub(super) fn new(
        header: &[String],
        dialect: Dialect,
        per_s: f64,
        path: &Path,
    ) -> Result<Self, OpenError> {
        let names = match dialect {
            Dialect::Interaction => &INTERACTION,
            Dialect::LevelX => &LEVELX,
            Dialect::HighD => &HIGHD,
        };
        let find = |name: &str| header.iter().position(|known| known == name);
        let need = |name: &str| {
            let missing = || OpenError::damaged(path, format!("column {name}"), "is missing");
            find(name).ok_or_else(missing)
        };
        let named = header.iter().rposition(|name| !name.is_empty());
        let columns = Self {
            dialect,
            names,
            per_s,
            fields: named.map_or(0, |last| last + 1),
            case: find("case_id").filter(|_| dialect == Dialect::Interaction),
            id: need(names.id)?,
            time: need(names.time)?,
            place: [need(names.x)?, need(names.y)?],
            class: names.class.map(need).transpose()?,
            heading: names.heading.and_then(find),
            velocity: names.velocity.map(find),
            size: [find(names.length), find(names.width)],
        };
        if dialect == Dialect::HighD {
            // without the size of the box its centre is not known
            need(names.length)?;
            need(names.width)?;
        }
        Ok(columns)
    }

    /// Whether every row is of a case.
    pub(super) fn has_cases(&self) -> bool {
        self.case.is_some()
    }

    /// Columns of the motion that are missing and should be there; files of pedestrians alone never have them all.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        if self.dialect == Dialect::Interaction {
            return Vec::new();
        }
        let heading = self.names.heading.filter(|_| self.heading.is_none());
        let pairs = self.names.velocity.into_iter().zip(self.velocity);
        let velocity = pairs.filter(|(_, column)| column.is_none());
        heading
            .into_iter()
            .chain(velocity.map(|(name, _)| name))
            .collect()
    }

    /// Whether a row has as many fields as the header line.
    pub(super) fn is_whole(&self, record: &ByteRecord) -> bool {
        record.len() >= self.fields
    }

    /// The case of a row, where the file has cases.
    pub(super) fn case(&self, record: &ByteRecord) -> Result<Option<i64>, &'static str> {
        let Some(column) = self.case else {
            return Ok(None);
        };
        let case = number_in(record, column).and_then(whole);
        case.map(Some).ok_or("case_id")
    }

    /// The time of a row, s.
    pub(super) fn time_s(&self, record: &ByteRecord) -> Result<f64, &'static str> {
        let time_s = number_in(record, self.time).map(|time| time / self.per_s);
        time_s
            .filter(|time_s| time_s.abs() <= MAX_TIME_S)
            .ok_or(self.names.time)
    }

    /// Whose row it is.
    pub(super) fn id<'a>(&self, record: &'a ByteRecord) -> Result<&'a str, &'static str> {
        let id = text_in(record, self.id).map(plain_id);
        id.filter(|id| (1..=MAX_NAME).contains(&id.len()))
            .ok_or(self.names.id)
    }

    /// What moves; empty where the file says it elsewhere or not at all.
    pub(super) fn class<'a>(&self, record: &'a ByteRecord) -> Result<&'a str, &'static str> {
        let (Some(column), Some(name)) = (self.class, self.names.class) else {
            return Ok("");
        };
        let class = text_in(record, column).filter(|class| class.len() <= MAX_NAME);
        class.ok_or(name)
    }

    /// Least and greatest x of a row's box, m, where the road is built from them.
    pub(super) fn stretch(&self, record: &ByteRecord) -> Option<(f64, f64)> {
        if self.dialect != Dialect::HighD {
            return None;
        }
        let low = number_in(record, self.place[0])?;
        let high = low + number_in(record, self.size[0]?)?;
        (low >= -MAX_STRETCH_M && high <= MAX_STRETCH_M && low <= high).then_some((low, high))
    }

    /// Place and motion of a row.
    pub(super) fn values(&self, record: &ByteRecord) -> Result<Values, &'static str> {
        let names = self.names;
        let needed = |column: usize, name: &'static str| number_in(record, column).ok_or(name);
        let x = needed(self.place[0], names.x)?;
        let y = needed(self.place[1], names.y)?;
        let known = |column: Option<usize>| {
            let value = column.and_then(|column| number_in(record, column));
            value.unwrap_or(f64::NAN)
        };
        let [length, width] = self.size.map(known);
        let [along_x, along_y] = self.velocity.map(known);
        let heading = known(self.heading);
        let (position, heading, velocity) = match self.dialect {
            Dialect::Interaction => (point(x, y), heading, dvec2(along_x, along_y)),
            Dialect::LevelX => {
                let heading = heading.to_radians();
                (point(x, y), heading, dvec2(along_x, along_y))
            }
            Dialect::HighD => {
                // the upper left corner of a box in a picture whose y points down
                let centre = point(x + length / 2.0, -(y + width / 2.0));
                (centre, f64::NAN, dvec2(along_x, -along_y))
            }
        };
        if !position.is_finite() {
            let lacks_size = length.is_nan() || width.is_nan();
            let is_boxed = self.dialect == Dialect::HighD && lacks_size;
            return Err(if is_boxed { names.length } else { names.x });
        }
        Ok(Values {
            position,
            heading: wrap_angle(heading),
            velocity,
            length,
            width,
        })
    }
}
