//! Tells what a file is by its first bytes, never by its name.

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use quick_xml::events::Event;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

use super::commonroad;
use super::recorded::{self, Dialect, Header};
use super::tfrecord::masked_crc32c;
use super::{Format, HEAD_BYTES, OpenError};
use crate::scene::{CASES_FORMAT, FORMAT};

/// What the reader for a file is chosen by: finer than [`Format`] where one format has two doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Scene,
    Cases,
    Pickle,
    GpuDrive,
    TfRecord,
    CommonRoad,
    CommonRoadProtobuf,
    Argoverse2Parquet,
    Argoverse2Feather,
    OpenDrive,
    OpenScenario,
    Lanelet2,
    SumoNet,
    SumoFcd,
    Recorded(Dialect),
}

impl Kind {
    /// The format as far as the first bytes tell.
    pub(super) fn format(self) -> Format {
        match self {
            Self::Scene => Format::Scene,
            Self::Cases => Format::Cases,
            Self::Pickle => Format::ScenarioNet,
            Self::GpuDrive => Format::GpuDrive,
            Self::TfRecord => Format::WaymoScenario,
            Self::CommonRoad | Self::CommonRoadProtobuf => Format::CommonRoad,
            Self::Argoverse2Parquet => Format::Argoverse2Forecasting,
            Self::Argoverse2Feather => Format::Argoverse2Sensor,
            Self::OpenDrive => Format::OpenDrive,
            Self::OpenScenario => Format::OpenScenario,
            Self::Lanelet2 => Format::Lanelet2,
            Self::SumoNet => Format::SumoNet,
            Self::SumoFcd => Format::SumoFcd,
            Self::Recorded(dialect) => dialect.format(),
        }
    }
}

/// The beginning of a file, inflated where it is gzip.
pub(super) struct Head {
    /// Up to 64 KiB.
    bytes: Vec<u8>,
    /// Whether the file is gzip.
    pub(super) gzip: bool,
    /// Whether `bytes` is everything there is.
    whole: bool,
}

/// Recognises a file.
pub(super) fn file(path: &Path) -> Result<(Kind, Head), OpenError> {
    let head = read_head(path)?;
    let kind = kind_of(path, &head)?;
    Ok((kind, head))
}

/// The error for content of no known kind.
pub(super) fn unknown(path: &Path, head: &Head) -> OpenError {
    let seen = if head.bytes.is_empty() {
        "it is empty".to_owned()
    } else {
        let start = &head.bytes[..head.bytes.len().min(16)];
        format!("it begins with \"{}\"", start.escape_ascii())
    };
    OpenError::Unknown {
        path: path.display().to_string(),
        seen,
    }
}

fn read_head(path: &Path) -> Result<Head, OpenError> {
    let io = |error| OpenError::io(path, &error);
    let read = || -> Result<Vec<u8>, OpenError> {
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(io)?;
        file.take(HEAD_BYTES).read_to_end(&mut bytes).map_err(io)?;
        Ok(bytes)
    };
    let bytes = read()?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        let whole = (bytes.len() as u64) < HEAD_BYTES;
        return Ok(Head {
            bytes,
            gzip: false,
            whole,
        });
    }
    let file = fs::File::open(path).map_err(io)?;
    let mut inflated = Vec::new();
    let read = MultiGzDecoder::new(std::io::BufReader::new(file))
        .take(HEAD_BYTES)
        .read_to_end(&mut inflated);
    if let (Err(error), true) = (read, inflated.is_empty()) {
        return Err(OpenError::damaged(path, "gzip data", error.to_string()));
    }
    let whole = (inflated.len() as u64) < HEAD_BYTES;
    Ok(Head {
        bytes: inflated,
        gzip: true,
        whole,
    })
}

fn kind_of(path: &Path, head: &Head) -> Result<Kind, OpenError> {
    let bytes = head.bytes.as_slice();
    let unsupported = |what: &str, instead: &str| OpenError::Unsupported {
        path: path.display().to_string(),
        what: what.to_owned(),
        instead: instead.to_owned(),
    };
    match bytes {
        [b'P', b'A', b'R', b'1', ..] => return Ok(Kind::Argoverse2Parquet),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => return Ok(Kind::Argoverse2Feather),
        [0x80, 2..=5, ..] => return Ok(Kind::Pickle),
        [b'S', b'Q', b'L', b'i', b't', b'e', b' ', ..] => {
            return Err(unsupported(
                "an SQLite database (nuPlan log, SMARTS history)",
                "Convert it with ScenarioNet and open the pickle",
            ));
        }
        [b'P', b'K', 3, 4, ..] => {
            return Err(unsupported(
                "a zip archive",
                "Unpack it and open the folder",
            ));
        }
        [0x89, b'H', b'D', b'F', ..] => {
            return Err(unsupported(
                "HDF5",
                "Convert it to one of the formats that are read",
            ));
        }
        bytes if commonroad::is_protobuf(bytes) => return Ok(Kind::CommonRoadProtobuf),
        _ => {}
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match text.trim_ascii_start().first() {
        Some(b'{') => json_kind(path, head, text),
        Some(b'<') => xml_kind(path, head, text),
        _ => match recorded::recognise(text) {
            Some(Header::Tracks(_)) if head.gzip => Err(unsupported(
                "a compressed table of tracks",
                "Unpack it and open the .csv",
            )),
            Some(Header::Tracks(dialect)) => Ok(Kind::Recorded(dialect)),
            Some(Header::Meta) => Err(unsupported(
                "a list that belongs to recorded tracks",
                "Open the file beside it whose name ends in _tracks.csv",
            )),
            None if is_tfrecord(bytes) => Ok(Kind::TfRecord),
            None => Err(unknown(path, head)),
        },
    }
}

/// A TFRecord file begins with the length of its first record and its checksum. Where that is wrong, a plausible
/// length before a field of a Waymo message will do, so that the reader can say what is damaged.
fn is_tfrecord(bytes: &[u8]) -> bool {
    let (Some(length), Some(&first)) = (bytes.first_chunk::<8>(), bytes.get(12)) else {
        return false;
    };
    let length = u64::from_le_bytes(*length);
    let has_checksum = bytes.first_chunk::<12>().is_some_and(|head| {
        let (length, sum) = head.split_at(8);
        masked_crc32c(length).to_le_bytes() == sum
    });
    let is_plausible = (16..=1 << 28).contains(&length);
    has_checksum || is_plausible && matches!(first, 0x09 | 0x0a | 0x12 | 0x2a | 0x3a | 0x42)
}

/// Decides by the top-level keys, as far as the head goes; the first that tells wins.
fn json_kind(path: &Path, head: &Head, text: &[u8]) -> Result<Kind, OpenError> {
    let mut keys = TopKeys::default();
    let outcome = serde_json::Deserializer::from_slice(text).deserialize_map(&mut keys);
    match keys.format.as_deref() {
        Some(CASES_FORMAT) => return Ok(Kind::Cases),
        Some(format) if format.starts_with("nearmiss/") => return Ok(Kind::Scene),
        _ => {}
    }
    // where keys are sorted, the format comes after what fills the head
    let may_follow = keys.format.is_none() && !head.whole;
    for key in &keys.names {
        match key.as_str() {
            "agents" if may_follow => return Ok(Kind::Scene),
            "cases" if may_follow => return Ok(Kind::Cases),
            "objects" | "roads" | "tl_states" => return Ok(Kind::GpuDrive),
            "lane_segments" | "drivable_areas" | "pedestrian_crossings" => {
                return Err(OpenError::Unsupported {
                    path: path.display().to_string(),
                    what: "an Argoverse 2 map alone".to_owned(),
                    instead: "Open its folder, or the parquet file beside it".to_owned(),
                });
            }
            "frames" | "agents" | "dt_s" if keys.names.iter().any(|name| name == "agents") => {
                return Err(OpenError::damaged(
                    path,
                    "format",
                    format!(
                        "{}; a Nearmiss scene says \"format\": \"{FORMAT}\"",
                        keys.format
                            .as_ref()
                            .map_or_else(|| "missing".to_owned(), |is| format!("is {is:?}"))
                    ),
                ));
            }
            _ => {}
        }
    }
    match outcome {
        Err(error) if head.whole => Err(OpenError::damaged(path, "JSON", error.to_string())),
        _ => {
            let seen = keys.names.iter().take(6).map(String::as_str);
            let list = seen.collect::<Vec<_>>().join(", ");
            Err(OpenError::Unknown {
                path: path.display().to_string(),
                seen: format!("JSON with the keys {list}"),
            })
        }
    }
}

/// Collects the keys of a JSON object, and the value of `format`, until the text ends.
#[derive(Default)]
struct TopKeys {
    names: Vec<String>,
    format: Option<String>,
}

impl<'de> Visitor<'de> for &mut TopKeys {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.names.push(key);
            if self.names.last().is_some_and(|key| key == "format") {
                let value: serde_json::Value = map.next_value()?;
                self.format = value.as_str().map(str::to_owned);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

fn xml_kind(path: &Path, head: &Head, text: &[u8]) -> Result<Kind, OpenError> {
    let unsupported = |what: &str, instead: &str| OpenError::Unsupported {
        path: path.display().to_string(),
        what: what.to_owned(),
        instead: instead.to_owned(),
    };
    let mut reader = quick_xml::Reader::from_reader(text);
    loop {
        let root = match reader.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => {
                String::from_utf8_lossy(element.local_name().as_ref()).into_owned()
            }
            Ok(Event::Eof) | Err(_) => return Err(unknown(path, head)),
            Ok(_) => continue,
        };
        return match root.as_str() {
            "commonRoad" => Ok(Kind::CommonRoad),
            "net" => Ok(Kind::SumoNet),
            "fcd-export" => Ok(Kind::SumoFcd),
            "OpenDRIVE" => Ok(Kind::OpenDrive),
            "OpenSCENARIO" => Ok(Kind::OpenScenario),
            "osm" => Ok(Kind::Lanelet2),
            "routes" | "additional" | "configuration" | "sumoConfiguration" => Err(unsupported(
                "this SUMO input",
                "Run SUMO with --fcd-output and open the FCD file, or open the .net.xml",
            )),
            _ => Err(OpenError::Unknown {
                path: path.display().to_string(),
                seen: format!("XML with the root element <{root}>"),
            }),
        };
    }
}
