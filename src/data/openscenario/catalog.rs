//! Catalogs: what a scenario names and other files beside it hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::values::{Values, put_in_place};
use crate::data::xml::{Element, XmlReader};

/// Longest catalog that is read, bytes, and most files in all.
const MAX_BYTES: u64 = 16 << 20;
const MAX_FILES: usize = 200;
/// Most elements of an entry, the longest text that its parameters may make, bytes, and most memory that all entries take
/// in the place of references, bytes.
const MAX_ELEMENTS: usize = 5_000;
const MAX_ENTRY_TEXT: usize = 1 << 20;
const MAX_PUT_BYTES: usize = 256 << 20;
/// Deepest nesting of entries that name other entries.
const MAX_NESTED: usize = 3;

/// Entries of catalogs by catalog and name.
#[derive(Debug, Default)]
pub(super) struct Catalogs(BTreeMap<(String, String), Element>);

impl Catalogs {
    /// Those in the folders that `<CatalogLocations>` names, beside `path`.
    pub(super) fn of(locations: Option<&Element>, path: &Path) -> Self {
        let base = path.parent().unwrap_or_else(|| Path::new("."));
        let mut found: Vec<PathBuf> = Vec::new();
        for location in locations.into_iter().flat_map(|element| &element.children) {
            let wanted = matches!(
                location.name.as_str(),
                "VehicleCatalog"
                    | "PedestrianCatalog"
                    | "MiscObjectCatalog"
                    | "RouteCatalog"
                    | "TrajectoryCatalog"
                    | "ManeuverCatalog"
            );
            let folder = location
                .child("Directory")
                .and_then(|found| found.attribute("path"));
            if let (true, Some(folder)) = (wanted && found.len() < MAX_FILES, folder) {
                for file in files(&base.join(folder)) {
                    if !found.contains(&file) {
                        found.push(file);
                    }
                }
            }
        }
        let mut entries = BTreeMap::new();
        for file in found.iter().take(MAX_FILES) {
            read(file, &mut entries);
        }
        Self(entries)
    }

    /// What a `<CatalogReference>` names, with its parameters in place.
    pub(super) fn entry(&self, reference: &Element) -> Option<Element> {
        let text = |key: &str| reference.attribute(key).unwrap_or_default().to_owned();
        let mut entry = self
            .0
            .get(&(text("catalogName"), text("entryName")))?
            .clone();
        if entry.size() > MAX_ELEMENTS {
            return None;
        }
        let mut given = Values::new();
        let assignments = reference.child("ParameterAssignments").into_iter();
        for assignment in assignments.flat_map(|list| list.all("ParameterAssignment")) {
            if let (Some(name), Some(value)) = (
                assignment.attribute("parameterRef"),
                assignment.attribute("value"),
            ) {
                given.insert(name.to_owned(), value.to_owned());
            }
        }
        // what is given takes the place of what is declared
        for declarations in &mut entry.children {
            if declarations.name == "ParameterDeclarations" {
                let is_given = |element: &Element| {
                    let name = element.attribute("name");
                    name.is_some_and(|name| given.contains_key(name))
                };
                declarations
                    .children
                    .retain(|declaration| !is_given(declaration));
            }
        }
        put_in_place(&mut entry, &given, &mut { MAX_ENTRY_TEXT })?;
        Some(entry)
    }

    /// Puts manoeuvres, routes and trajectories in the place of the references to them, everywhere below `element`.
    pub(super) fn put_in_place(&self, element: &mut Element) {
        self.put(element, MAX_NESTED, &mut { MAX_PUT_BYTES });
    }

    fn put(&self, element: &mut Element, nested: usize, left: &mut usize) {
        let refers = matches!(
            element.name.as_str(),
            "ManeuverGroup"
                | "RouteRef"
                | "AssignRouteAction"
                | "TrajectoryRef"
                | "FollowTrajectoryAction"
        );
        for child in &mut element.children {
            if refers && child.name == "CatalogReference" && nested > 0 {
                let entry = self.entry(child);
                let fits = entry.and_then(|entry| Some((left.checked_sub(bytes(&entry))?, entry)));
                if let Some((less, entry)) = fits {
                    *left = less;
                    *child = entry;
                    self.put(child, nested - 1, left);
                }
            } else {
                self.put(child, nested, left);
            }
        }
    }
}

/// What an element and all below it take in memory, bytes, about.
fn bytes(element: &Element) -> usize {
    let texts = element.attributes.iter();
    let texts = texts.map(|(name, value)| size_of::<(String, String)>() + name.len() + value.len());
    let own = size_of::<Element>() + element.name.len() + element.text.len();
    own + texts.sum::<usize>() + element.children.iter().map(bytes).sum::<usize>()
}

/// The XML files of a folder (or the file itself).
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let Ok(listed) = fs::read_dir(path) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = listed
        .take(MAX_FILES)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "xosc"))
        .collect();
    files.sort();
    files
}

/// Adds the entries of a catalog file; one that cannot be read has none.
fn read(path: &Path, entries: &mut BTreeMap<(String, String), Element>) {
    let small = fs::metadata(path).is_ok_and(|facts| facts.len() <= MAX_BYTES);
    let Some(bytes) = small.then(|| fs::read(path).ok()).flatten() else {
        return;
    };
    let mut xml = XmlReader::new(bytes.as_slice(), MAX_BYTES);
    if xml.root().is_err() {
        return;
    }
    while let Ok(Some(catalog)) = xml.next_child(|element| element.name == "Catalog") {
        let name = catalog.attribute("name").unwrap_or_default().to_owned();
        for entry in &catalog.children {
            if let Some(entry_name) = entry.attribute("name") {
                entries.insert((name.clone(), entry_name.to_owned()), entry.clone());
            }
        }
    }
}
