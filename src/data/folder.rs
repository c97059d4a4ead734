//! Folders: searched for scenes, or a scene themselves.

use std::fs;
use std::path::{Path, PathBuf};

use super::argoverse2;
use super::detect;
use super::l5kit;
use super::recorded;
use super::sumo;
use super::waymo;
use super::{Entry, Format, OpenError, Opened, cases, open as open_path};

/// How deep folders are searched, and how many files are looked at.
const MAX_DEPTH: usize = 6;
const MAX_FILES: usize = 50_000;

/// Index files of ScenarioNet folders: pickles, but no scenes.
const INDEX_FILES: [&str; 2] = ["dataset_summary.pkl", "dataset_mapping.pkl"];

/// Opens a folder that is a scene or holds exactly one, or the one that `pick` names (as [`list`] gives it).
pub(super) fn open(folder: &Path, pick: Option<&str>) -> Result<Opened, OpenError> {
    if let Some((name, format)) = as_scene(folder)? {
        if let Some(pick) = pick
            && pick != name
        {
            return Err(no_such_pick(folder, pick, &[name]));
        }
        let (scene, report) = match format {
            Format::Argoverse2Sensor => argoverse2::read_sensor(folder)?,
            _ => argoverse2::read_forecasting(&forecasting_file(folder)?.unwrap_or_default())?,
        };
        return Ok(Opened {
            scene,
            format,
            report,
        });
    }
    if l5kit::is_log(folder) {
        return l5kit::open(folder, pick);
    }
    let mut entries = list(folder)?;
    if let Some(pick) = pick {
        let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
        entries.retain(|entry| entry.name == pick || entry.pick.as_deref() == Some(pick));
        if entries.is_empty() {
            return Err(no_such_pick(folder, pick, &names));
        }
    }
    match entries.as_slice() {
        [entry] => open_path(&entry.file, entry.pick.as_deref()),
        several => Err(OpenError::Several {
            path: folder.display().to_string(),
            count: several.len(),
            examples: examples(several.iter().map(|entry| entry.name.as_str())),
        }),
    }
}

/// All scenes below a folder, sorted by path.
pub(super) fn list(folder: &Path) -> Result<Vec<Entry>, OpenError> {
    let mut entries = Vec::new();
    let mut pending = vec![(folder.to_path_buf(), 0)];
    let mut seen = 0;
    while let Some((path, depth)) = pending.pop() {
        if let Some((name, format)) = as_scene(&path)? {
            entries.push(Entry {
                file: path,
                pick: None,
                name,
                format,
            });
            continue;
        }
        if l5kit::is_log(&path) {
            entries.extend(l5kit::list(&path)?);
            continue;
        }
        for child in children(&path)? {
            seen += 1;
            if seen > MAX_FILES {
                let limit = MAX_FILES as u64;
                return Err(OpenError::TooLarge {
                    path: folder.display().to_string(),
                    element: "number of files".to_owned(),
                    value: seen as u64,
                    limit,
                    next: "Open a folder inside it".to_owned(),
                });
            }
            if child.is_dir() {
                // the denoising steps of the case beside are no scenes of their own
                let is_steps = child.extension().is_some_and(|end| end == "steps");
                if depth < MAX_DEPTH && !(is_steps && child.with_extension("json").is_file()) {
                    pending.push((child, depth + 1));
                }
            } else if let Ok(found) = list_file(&child) {
                // vehicles and people of one recording are one scene
                let is_tracks = |entry: &Entry| entry.format == Format::Interaction;
                if !(found.iter().any(is_tracks) && recorded::joins_vehicles(&child)) {
                    entries.extend(found);
                }
            }
        }
    }
    if entries.is_empty() {
        return Err(OpenError::Empty {
            path: folder.display().to_string(),
        });
    }
    entries.sort_by(|a, b| a.file.cmp(&b.file)); // stable: a file's scenes stay in its order
    Ok(entries)
}

/// The scenes of one file.
pub(super) fn list_file(file: &Path) -> Result<Vec<Entry>, OpenError> {
    if file
        .file_name()
        .is_some_and(|name| INDEX_FILES.iter().any(|index| name == *index))
    {
        return Err(OpenError::Unsupported {
            path: file.display().to_string(),
            what: "the index of a ScenarioNet folder".to_owned(),
            instead: "Open the folder, or one of its sd_*.pkl files".to_owned(),
        });
    }
    let (kind, head) = detect::file(file)?;
    if kind == detect::Kind::TfRecord {
        return waymo::list(file, head.gzip);
    }
    if kind == detect::Kind::SumoFcd {
        return Ok(sumo::list_fcd(file));
    }
    if let detect::Kind::Recorded(dialect) = kind {
        return Ok(recorded::list(file, dialect));
    }
    if kind == detect::Kind::Cases {
        let cases = cases(file, &head)?.into_iter();
        return Ok(cases
            .map(|(name, _)| Entry {
                file: file.to_path_buf(),
                pick: Some(name.clone()),
                name,
                format: Format::Cases,
            })
            .collect());
    }
    Ok(vec![Entry {
        file: file.to_path_buf(),
        pick: None,
        name: stem(file),
        format: kind.format(),
    }])
}

/// The file's name without its endings.
pub(super) fn stem(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let known = [
        ".gz", ".pkl", ".json", ".xml", ".net", ".fcd", ".cr", ".parquet", ".pickle", ".xodr",
        ".xosc", ".osm", ".csv", ".zarr", ".pb",
    ];
    let mut name = name.as_ref();
    while let Some(shorter) = known.iter().find_map(|ending| name.strip_suffix(ending)) {
        name = shorter;
    }
    name.to_owned()
}

/// The first few of many names.
pub(super) fn examples<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let first: Vec<String> = names.take(4).map(|name| format!("\"{name}\"")).collect();
    first.join(", ")
}

pub(super) fn no_such_pick(path: &Path, pick: &str, names: &[String]) -> OpenError {
    OpenError::NoSuchPick {
        path: path.display().to_string(),
        pick: pick.to_owned(),
        examples: examples(names.iter().map(String::as_str)),
    }
}

/// The name and format of a folder that is itself one scene.
fn as_scene(folder: &Path) -> Result<Option<(String, Format)>, OpenError> {
    let name = stem(folder);
    if folder.join("city_SE3_egovehicle.feather").is_file() {
        return Ok(Some((name, Format::Argoverse2Sensor)));
    }
    let forecasting = forecasting_file(folder)?;
    Ok(forecasting.map(|_| (name, Format::Argoverse2Forecasting)))
}

/// The one parquet file `scenario_*.parquet` of an Argoverse 2 forecasting folder.
fn forecasting_file(folder: &Path) -> Result<Option<PathBuf>, OpenError> {
    let mut found = children(folder)?.into_iter().filter(|child| {
        let name = child.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("scenario_") && name.ends_with(".parquet")
    });
    Ok(match (found.next(), found.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    })
}

/// What lies directly in a folder, sorted, without hidden things and links that lead nowhere.
pub(super) fn children(folder: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let io = |error| OpenError::io(folder, &error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)?.take(MAX_FILES + 1) {
        let entry = entry.map_err(io)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
