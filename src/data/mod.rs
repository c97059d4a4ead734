//! Foreign formats in and out: what is in a file is told by its content, each importer ends in a quantised
//! [`Scene`] and a [`Report`] of what it had to leave out. Nothing in a file is ever executed, and every count a
//! file claims is checked against a limit before memory is taken for it.

mod argoverse2;
mod commonroad;
mod commonroad_out;
mod connect;
mod detect;
mod draft;
mod export;
mod folder;
mod gpudrive;
mod gpudrive_json;
mod gpudrive_out;
mod l5kit;
mod lanelet2;
mod opendrive;
mod opendrive_out;
mod openscenario;
mod openscenario_out;
mod pickle;
mod plan_file;
mod recorded;
mod report;
mod scenarionet;
mod scenarionet_map;
mod sumo;
mod tfrecord;
mod waymo;
mod waymo_example;
mod waymo_map;
mod waymo_terms;
mod window;
mod wire;
mod xml;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::scene::FileError;
use crate::scene::{Scene, cases_from_json, in_words, scene_from_json};
use detect::Kind;
pub use export::{ExportError, Exported, Target, export};
pub use plan_file::{PlanFile, file_name, holds_plan, is_plan_file_name};
pub use report::Report;

/// Largest file read into memory, and largest that a compressed one may become, bytes.
const MAX_BYTES: u64 = 256 << 20;

/// Bytes looked at to tell what a file is.
const HEAD_BYTES: u64 = 64 << 10;

/// What a file was recognised as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Our own scene file.
    Scene,
    /// Several of our own cases in one file.
    Cases,
    /// ScenarioNet or MetaDrive pickle.
    ScenarioNet,
    /// GPUDrive JSON.
    GpuDrive,
    /// Nocturne JSON: the same layout, headings in degrees, fewer fields.
    Nocturne,
    /// Waymo Open Motion `Scenario` messages in a TFRecord file.
    WaymoScenario,
    /// Waymo Open Motion `tf.Example` messages in a TFRecord file.
    WaymoExample,
    /// CommonRoad XML, 2018b or 2020a, or its protobuf twin.
    CommonRoad,
    /// Argoverse 2 motion forecasting: a parquet file with a map beside it.
    Argoverse2Forecasting,
    /// Argoverse 2 sensor log: a folder with annotations, poses and a map.
    Argoverse2Sensor,
    /// OpenDRIVE roads.
    OpenDrive,
    /// OpenSCENARIO scenario, played on its road.
    OpenScenario,
    /// Lanelet2 map: OpenStreetMap XML.
    Lanelet2,
    /// SUMO network.
    SumoNet,
    /// SUMO floating car data, with its network beside it.
    SumoFcd,
    /// INTERACTION tracks, with the map of their place.
    Interaction,
    /// inD, rounD, exiD or uniD tracks, with the map of their place.
    LevelX,
    /// highD tracks, with the lanes they list.
    HighD,
    /// Woven Planet (Lyft Level 5) prediction logs: Zarr folders.
    L5Kit,
}

impl Format {
    /// A short name for tables and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scene => "nearmiss",
            Self::Cases => "nearmiss-cases",
            Self::ScenarioNet => "scenarionet",
            Self::GpuDrive => "gpudrive",
            Self::Nocturne => "nocturne",
            Self::WaymoScenario => "waymo-scenario",
            Self::WaymoExample => "waymo-example",
            Self::CommonRoad => "commonroad",
            Self::Argoverse2Forecasting => "argoverse2-forecasting",
            Self::Argoverse2Sensor => "argoverse2-sensor",
            Self::OpenDrive => "opendrive",
            Self::OpenScenario => "openscenario",
            Self::Lanelet2 => "lanelet2",
            Self::SumoNet => "sumo-net",
            Self::SumoFcd => "sumo-fcd",
            Self::Interaction => "interaction",
            Self::LevelX => "levelx",
            Self::HighD => "highd",
            Self::L5Kit => "l5kit",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.word())
    }
}

/// A scene as opened, with what it came from and what was left out.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The scene: ego chosen, present set, on the file grid.
    pub scene: Scene,
    /// What the file was recognised as.
    pub format: Format,
    /// What was wrong or left out.
    pub report: Report,
}

/// One scene that a path holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file (or the folder, where the folder is the scene).
    pub file: PathBuf,
    /// Which of the file's scenes, where it holds several: pass it to [`open`].
    pub pick: Option<String>,
    /// A name a person recognises.
    pub name: String,
    /// What the file was recognised as.
    pub format: Format,
}

/// Why a path cannot be opened. Each sentence names the file, what is wrong, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system says no.
    #[error("{path}: {message}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        message: String,
    },
    /// The content is of no kind we know.
    #[error(
        "{path}: not a scene file that Nearmiss knows ({seen}). It opens its own JSON, ScenarioNet pickles, GPUDrive and Nocturne JSON, Waymo Motion TFRecords, CommonRoad XML and protobuf, OpenSCENARIO and OpenDRIVE, Argoverse 2 and L5Kit folders, SUMO networks and FCD, Lanelet2 maps, and the tracks of INTERACTION, inD, rounD, exiD, uniD and highD"
    )]
    Unknown {
        /// Which file.
        path: String,
        /// What it looks like.
        seen: String,
    },
    /// A known kind that is not read.
    #[error("{path}: {what} is not read. {instead}")]
    Unsupported {
        /// Which file.
        path: String,
        /// What it is.
        what: String,
        /// What to do instead: a sentence.
        instead: String,
    },
    /// More than the limits allow.
    #[error("{path}: {element} is {value}, more than the limit of {limit}. {next}")]
    TooLarge {
        /// Which file.
        path: String,
        /// What is too large.
        element: String,
        /// How large it is.
        value: u64,
        /// How large it may be.
        limit: u64,
        /// What to do: a sentence.
        next: String,
    },
    /// The content contradicts its format.
    #[error("{path}: {element}: {message}. {next}")]
    Damaged {
        /// Which file.
        path: String,
        /// Which element, e.g. `tracks["17"].state.position`.
        element: String,
        /// What is wrong with it, with its value.
        message: String,
        /// What to do: a sentence.
        next: String,
    },
    /// One of our own files, with its own account of what is wrong.
    #[error(transparent)]
    Scene(#[from] FileError),
    /// A folder without a scene.
    #[error("{path}: no scene file found in this folder")]
    Empty {
        /// Which folder.
        path: String,
    },
    /// Several scenes, and none chosen.
    #[error(
        "{path}: holds {count} scenes, e.g. {examples}. Name one of them, or open the file itself"
    )]
    Several {
        /// Which folder.
        path: String,
        /// How many.
        count: usize,
        /// The first few.
        examples: String,
    },
    /// The chosen scene is not there.
    #[error("{path}: no scene \"{pick}\" in it; it holds {examples}")]
    NoSuchPick {
        /// Which file or folder.
        path: String,
        /// What was asked for.
        pick: String,
        /// The first few that are there.
        examples: String,
    },
}

impl OpenError {
    /// [`OpenError::Damaged`] with the usual advice.
    pub(crate) fn damaged(
        path: &Path,
        element: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::Damaged {
            path: path.display().to_string(),
            element: element.into(),
            message: message.into(),
            next: "Fetch or export the file again".to_owned(),
        }
    }

    /// [`OpenError::TooLarge`] with advice to split.
    pub(crate) fn too_large(
        path: &Path,
        element: impl Into<String>,
        value: u64,
        limit: u64,
    ) -> Self {
        Self::TooLarge {
            path: path.display().to_string(),
            element: element.into(),
            value,
            limit,
            next: "Cut the scene smaller and open the parts".to_owned(),
        }
    }

    /// [`OpenError::TooLarge`] if `value` is more than `limit`.
    pub(crate) fn within(
        path: &Path,
        element: &str,
        value: usize,
        limit: usize,
    ) -> Result<(), Self> {
        if value > limit {
            return Err(Self::too_large(path, element, value as u64, limit as u64));
        }
        Ok(())
    }

    fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io {
            path: path.display().to_string(),
            message: in_words(error),
        }
    }
}

/// Opens a scene of any readable format, recognised by content. `pick` names one scene where a file or folder
/// holds several, as [`list`] gives it; without it a file's first scene is opened (and the report says so), and a
/// folder must hold exactly one.
///
/// # Errors
/// If nothing readable is there, the content is damaged or beyond the limits, or `pick` names nothing.
pub fn open(path: &Path, pick: Option<&str>) -> Result<Opened, OpenError> {
    if is_folder(path)? {
        return folder::open(path, pick);
    }
    let (kind, head) = detect::file(path)?;
    if kind == Kind::TfRecord {
        return waymo::open(path, head.gzip, pick);
    }
    if kind == Kind::Cases {
        return open_case(path, &head, pick);
    }
    let mut format = kind.format();
    let (scene, report) = match kind {
        Kind::Argoverse2Parquet => argoverse2::read_forecasting(path)?,
        Kind::Argoverse2Feather => {
            let folder = path.parent().unwrap_or_else(|| Path::new("."));
            argoverse2::read_sensor(folder)?
        }
        Kind::SumoNet => sumo::read_net(path)?,
        Kind::SumoFcd => {
            let (scene, report) = sumo::read_fcd(path, pick)?;
            return Ok(Opened {
                scene,
                format: Format::SumoFcd,
                report,
            });
        }
        Kind::Recorded(dialect) => {
            let (scene, report) = recorded::read(path, dialect, pick)?;
            return Ok(Opened {
                scene,
                format,
                report,
            });
        }
        kind => {
            let bytes = read_whole(path, &head)?;
            match kind {
                Kind::Scene => {
                    let shown = path.display().to_string();
                    (scene_from_json(&bytes, &shown)?, Report::default())
                }
                Kind::Pickle => scenarionet::read(&bytes, path)?,
                Kind::GpuDrive => {
                    let (scene, report, dialect) = gpudrive::read(&bytes, path)?;
                    format = dialect;
                    (scene, report)
                }
                Kind::CommonRoad => commonroad::read(&bytes, path)?,
                Kind::CommonRoadProtobuf => commonroad::read_protobuf(&bytes, path)?,
                Kind::Lanelet2 => lanelet2::read(&bytes, path)?,
                Kind::OpenDrive => opendrive::read(&bytes, path)?,
                Kind::OpenScenario => openscenario::read(&bytes, path)?,
                _ => return Err(detect::unknown(path, &head)),
            }
        }
    };
    if let Some(pick) = pick {
        let name = scene.name.clone();
        if pick != name && pick != folder::stem(path) {
            return Err(OpenError::NoSuchPick {
                path: path.display().to_string(),
                pick: pick.to_owned(),
                examples: format!("only \"{name}\""),
            });
        }
    }
    Ok(Opened {
        scene,
        format,
        report,
    })
}

/// The cases of a file of ours, with their names.
fn cases(path: &Path, head: &detect::Head) -> Result<Vec<(String, Scene)>, OpenError> {
    let bytes = read_whole(path, head)?;
    let cases = cases_from_json(&bytes, &path.display().to_string())?;
    if cases.is_empty() {
        return Err(OpenError::damaged(path, "cases", "there are none"));
    }
    Ok(cases)
}

fn open_case(path: &Path, head: &detect::Head, pick: Option<&str>) -> Result<Opened, OpenError> {
    let cases = cases(path, head)?;
    let names: Vec<String> = cases.iter().map(|(name, _)| name.clone()).collect();
    let mut report = Report::default();
    if pick.is_none() && names.len() > 1 {
        report.note(format!("the first of {} cases in this file", names.len()));
    }
    let found = cases
        .into_iter()
        .find(|(name, _)| pick.is_none_or(|pick| pick == name));
    let Some((_, scene)) = found else {
        return Err(match pick {
            Some(pick) => folder::no_such_pick(path, pick, &names),
            None => OpenError::damaged(path, "cases", "there are none"),
        });
    };
    Ok(Opened {
        scene,
        format: Format::Cases,
        report,
    })
}

/// The scenes a file or folder holds; folders are searched six levels deep, other files in them are passed over.
///
/// # Errors
/// If the path cannot be read, is a file of no known kind, or is a folder without scenes.
pub fn list(path: &Path) -> Result<Vec<Entry>, OpenError> {
    if is_folder(path)? {
        return folder::list(path);
    }
    folder::list_file(path)
}

/// Opens every scene of a path in the order of [`list`], and calls `visit` with each; a scene that cannot be opened
/// does not stop the others. `visit` returns false to stop.
///
/// # Errors
/// As [`list`].
pub fn open_each(
    path: &Path,
    visit: &mut dyn FnMut(&Entry, Result<Opened, OpenError>) -> bool,
) -> Result<(), OpenError> {
    let entries = list(path)?;
    let mut rest = entries.as_slice();
    while let Some(first) = rest.first() {
        // only the records of a TFRecord file are read in one go
        let same = |entry: &&Entry| {
            let is_record = matches!(entry.format, Format::WaymoScenario | Format::WaymoExample);
            is_record && entry.file == first.file
        };
        let count = rest.iter().take_while(same).count();
        let (of_file, others) = rest.split_at(count.max(1));
        rest = others;
        let goes_on = if of_file.len() > 1 {
            waymo::open_each(&first.file, of_file, visit)?
        } else {
            visit(first, open(&first.file, first.pick.as_deref()))
        };
        if !goes_on {
            break;
        }
    }
    Ok(())
}

fn is_folder(path: &Path) -> Result<bool, OpenError> {
    let facts = fs::metadata(path).map_err(|error| OpenError::io(path, &error))?;
    Ok(facts.is_dir())
}

/// All bytes of a file, inflated if it is gzip.
fn read_whole(path: &Path, head: &detect::Head) -> Result<Vec<u8>, OpenError> {
    let io = |error| OpenError::io(path, &error);
    let size = fs::metadata(path).map_err(io)?.len();
    if size > MAX_BYTES {
        return Err(OpenError::too_large(
            path,
            "file size in bytes",
            size,
            MAX_BYTES,
        ));
    }
    let file = fs::File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    if head.gzip {
        let inflate = MultiGzDecoder::new(std::io::BufReader::new(file));
        inflate
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| OpenError::damaged(path, "gzip data", error.to_string()))?;
    } else {
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(io)?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        let size = bytes.len() as u64;
        return Err(OpenError::too_large(
            path,
            "inflated size in bytes",
            size,
            MAX_BYTES,
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
