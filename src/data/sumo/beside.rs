//! The files that belong to a SUMO file: named in the configuration that SUMO writes into its outputs, else found
//! in the same folder.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::fcd::{seconds, time_of};
use crate::data::xml::{XmlReader, parse_lenient};

/// Most files of a kind that are tried, and the longest read of each, bytes (inflated).
const MAX_FILES: usize = 16;
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// Paths of a network and of the files that describe vehicle types.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) nets: Vec<PathBuf>,
    pub(super) types: Vec<PathBuf>,
    /// Whether they are named, so that light programs in them were in force.
    pub(super) named: bool,
}

/// Opens a text file, inflated if it is gzip.
pub(super) fn open_text(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    if file.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        let inflated = MultiGzDecoder::new(file);
        return Ok(Box::new(BufReader::with_capacity(64 << 10, inflated)));
    }
    Ok(Box::new(file))
}

impl Beside {
    /// Looks for the files that belong to `path`, whose leading comments are `comments`.
    pub(super) fn find(path: &Path, comments: &str) -> Self {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        let mut found = Self::named_in(comments, folder);
        let Ok(entries) = fs::read_dir(folder) else {
            return found;
        };
        let mut names: Vec<PathBuf> = entries
            .take(10_000)
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        names.sort();
        let ends = |path: &Path, endings: &[&str]| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .to_lowercase();
            let name = name.strip_suffix(".gz").unwrap_or(&name).to_owned();
            endings.iter().any(|ending| name.ends_with(ending))
        };
        let nets = names
            .iter()
            .filter(|path| ends(path, &[".net.xml"]))
            .take(MAX_FILES);
        for net in nets {
            if !found.nets.contains(net) {
                found.nets.push(net.clone());
            }
        }
        if found.types.is_empty() {
            let likely = [
                ".rou.xml",
                ".add.xml",
                "types.xml",
                "type.xml",
                "vtypes.add.xml",
            ];
            let types = names
                .iter()
                .filter(|path| ends(path, &likely))
                .take(MAX_FILES);
            found.types.extend(types.cloned());
        }
        found
    }

    /// The files that a configuration in a comment names and that are there: as it says, else beside.
    fn named_in(comments: &str, folder: &Path) -> Self {
        let mut found = Self::default();
        let (Some(from), Some(to)) = (comments.find('<'), comments.rfind('>')) else {
            return found;
        };
        let Some(configuration) = parse_lenient(&comments[from..=to]) else {
            return found;
        };
        let mut options = Vec::new();
        for section in &configuration.children {
            options.push(section);
            options.extend(&section.children);
        }
        for option in options {
            let list = match option.name.as_str() {
                "net-file" => &mut found.nets,
                "route-files" | "additional-files" => &mut found.types,
                _ => continue,
            };
            let names = option.attribute("value").unwrap_or_default();
            for name in names
                .split([',', ' '])
                .filter(|name| !name.is_empty())
                .take(MAX_FILES)
            {
                let bare = Path::new(name).file_name().unwrap_or_default();
                let tried = [folder.join(name), folder.join(bare)];
                list.extend(tried.into_iter().find(|path| path.is_file()));
            }
        }
        found.named = !found.nets.is_empty();
        found
    }
}

/// The times of the first and last step of a file that is not compressed; `None` if they cannot be told quickly.
pub(super) fn time_range(path: &Path) -> Option<(f64, f64)> {
    use std::io::Seek as _;
    let mut file = File::open(path).ok()?;
    let mut magic = [0; 2];
    file.read_exact(&mut magic).ok()?;
    if magic == [0x1f, 0x8b] {
        return None;
    }
    let mut xml = XmlReader::new(BufReader::new(File::open(path).ok()?), 64 << 20);
    xml.root().ok()?;
    let first = time_of(&xml.next_child(|child| child.name == "timestep").ok()??)?;
    let length = file.metadata().ok()?.len();
    let mut tail = Vec::new();
    // the last step with all its vehicles may be long
    file.seek(std::io::SeekFrom::Start(length.saturating_sub(8 << 20)))
        .ok()?;
    file.take(8 << 20).read_to_end(&mut tail).ok()?;
    let tail = String::from_utf8_lossy(&tail);
    let at = tail.rfind("<timestep")?;
    let rest = &tail[at..];
    let from = rest.find("time=\"")? + "time=\"".len();
    let last = seconds(rest[from..].split('"').next()?)?;
    Some((first, last))
}
