//! Scenes out: into our own format or a foreign one, and read again to see that what was written is what was meant.

use std::fs;
use std::path::{Path, PathBuf};

use super::report::Report;
use super::{OpenError, commonroad_out, gpudrive_out, open, openscenario_out};
use crate::scene::FileError;
use crate::scene::Scene;
use crate::scene::in_words;
use crate::scene::write_scene;
use crate::scene::write_whole;

/// A format that scenes are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Our own scene file.
    Scene,
    /// GPUDrive JSON: 91 frames at 10 Hz.
    GpuDrive,
    /// CommonRoad XML, version 2020a.
    CommonRoad,
    /// OpenSCENARIO 1.1 with an OpenDRIVE road beside it, for esmini.
    OpenScenario,
}

impl Target {
    /// What [`Target::named`] understands.
    pub const NAMES: [&str; 4] = ["nearmiss", "gpudrive", "commonroad", "openscenario"];

    /// The endings that [`Target::of_file`] understands, for messages.
    pub const ENDINGS: &str =
        ".json (nearmiss), .gpudrive.json, .xml (commonroad), .xosc (openscenario)";

    /// The ending of its files, with the dot.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Scene => ".json",
            Self::GpuDrive => ".gpudrive.json",
            Self::CommonRoad => ".xml",
            Self::OpenScenario => ".xosc",
        }
    }

    /// The target by its name, one of [`Target::NAMES`].
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "nearmiss" => Some(Self::Scene),
            "gpudrive" => Some(Self::GpuDrive),
            "commonroad" => Some(Self::CommonRoad),
            "openscenario" => Some(Self::OpenScenario),
            _ => None,
        }
    }

    /// The target that a file name's ending asks for.
    pub fn of_file(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        if name.ends_with(".gpudrive.json") {
            Some(Self::GpuDrive)
        } else if name.ends_with(".json") {
            Some(Self::Scene)
        } else if name.ends_with(".xml") {
            Some(Self::CommonRoad)
        } else if name.ends_with(".xosc") {
            Some(Self::OpenScenario)
        } else {
            None
        }
    }

    /// How long a window this format wants, s.
    pub fn window_s(self) -> f64 {
        match self {
            Self::GpuDrive => 9.0,
            Self::Scene | Self::CommonRoad | Self::OpenScenario => 10.0,
        }
    }

    /// Where the present lies in a window of this length, s: after the history that the format wants, earlier where
    /// that would leave less than 8 s of future.
    pub fn present_s(self, length_s: f64) -> f64 {
        match self {
            Self::GpuDrive => 1.0_f64.min(length_s),
            Self::Scene | Self::CommonRoad | Self::OpenScenario => (length_s - 8.0).clamp(0.0, 2.0),
        }
    }
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The files.
    pub files: Vec<PathBuf>,
    /// What had to be left out or changed.
    pub report: Report,
}

/// Why a scene cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The operating system says no.
    #[error("{path}: {message}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        message: String,
    },
    /// Our own file cannot be written.
    #[error(transparent)]
    Scene(#[from] FileError),
    /// The format cannot hold the scene.
    #[error("{path}: {message}. {next}")]
    Unfit {
        /// Which file was asked for.
        path: String,
        /// Why not.
        message: String,
        /// What to do: a sentence.
        next: String,
    },
    /// What was written does not read back.
    #[error("{path}: what was written does not read back: {source}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        source: Box<OpenError>,
    },
    /// What was written reads back as something else.
    #[error("{path}: what was written reads back differently: {message}")]
    Differs {
        /// Which file.
        path: String,
        /// The first difference.
        message: String,
    },
}

/// Writes a scene and reads it again.
///
/// # Errors
/// If the format cannot hold the scene, the file cannot be written, or it does not read back as it was meant.
pub fn export(scene: &Scene, path: &Path, target: Target) -> Result<Exported, ExportError> {
    let mut files = vec![path.to_path_buf()];
    if target == Target::OpenScenario {
        files.push(path.with_extension("xodr"));
    }
    let before: Vec<Option<Vec<u8>>> = files.iter().map(|file| fs::read(file).ok()).collect();
    let written = write(scene, path, target);
    let is_wrong = |error: &ExportError| {
        matches!(
            error,
            ExportError::Unreadable { .. } | ExportError::Differs { .. }
        )
    };
    if written.as_ref().is_err_and(is_wrong) {
        // what does not hold the scene must not be taken for it; what was there before is there again
        for (file, before) in files.iter().zip(before) {
            let _absent = match before {
                Some(bytes) => write_whole(file, &bytes),
                None => fs::remove_file(file),
            };
        }
    }
    written
}

fn write(scene: &Scene, path: &Path, target: Target) -> Result<Exported, ExportError> {
    let mut report = Report::default();
    match target {
        Target::Scene => write_scene(scene, path)?,
        Target::GpuDrive => {
            let (text, meant) = gpudrive_out::text(scene, path, &mut report)?;
            write_atomically(path, &text)?;
            let again = reread(path)?;
            gpudrive_out::compare(&meant, &again).map_err(|message| differs(path, message))?;
        }
        Target::CommonRoad => {
            let (text, meant) = commonroad_out::text(scene, path, &mut report)?;
            write_atomically(path, &text)?;
            let again = reread(path)?;
            commonroad_out::compare(&meant, &again).map_err(|message| differs(path, message))?;
        }
        Target::OpenScenario => {
            let road_path = path.with_extension("xodr");
            let road_name = road_path.file_name().unwrap_or_default().to_string_lossy();
            let texts = openscenario_out::texts(scene, path, &road_name, &mut report)?;
            openscenario_out::check(&texts).map_err(|message| differs(path, message))?;
            if !is_ours(&road_path) {
                return Err(ExportError::Unfit {
                    path: path.display().to_string(),
                    message: format!(
                        "its road would replace {}, which this program has not written",
                        road_path.display()
                    ),
                    next: "Choose another name".to_owned(),
                });
            }
            write_atomically(&road_path, &texts.road.text)?;
            write_atomically(path, &texts.scenario)?;
            let again = reread(path)?;
            openscenario_out::compare(scene, &texts, &again, &mut report)
                .map_err(|message| differs(path, message))?;
            return Ok(Exported {
                files: vec![path.to_path_buf(), road_path],
                report,
            });
        }
    }
    if target == Target::Scene && reread(path)?.hash() != scene.hash() {
        return Err(differs(path, "its digest is another".to_owned()));
    }
    Ok(Exported {
        files: vec![path.to_path_buf()],
        report,
    })
}

/// Whether a road file may be replaced: it is absent, or one of this program's.
fn is_ours(road: &Path) -> bool {
    let Ok(bytes) = fs::read(road) else {
        return !road.exists();
    };
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).into_owned();
    head.contains("vendor=\"Nearmiss\"")
}

fn differs(path: &Path, message: String) -> ExportError {
    ExportError::Differs {
        path: path.display().to_string(),
        message,
    }
}

fn reread(path: &Path) -> Result<Scene, ExportError> {
    let opened = open(path, None).map_err(|source| ExportError::Unreadable {
        path: path.display().to_string(),
        source: Box::new(source),
    })?;
    Ok(opened.scene)
}

/// A temporary file beside it, then a rename.
pub(super) fn write_atomically(path: &Path, text: &str) -> Result<(), ExportError> {
    let io = |error: std::io::Error| ExportError::Io {
        path: path.display().to_string(),
        message: in_words(&error),
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io)?;
    }
    write_whole(path, text.as_bytes()).map_err(io)
}
