//! Who takes part: entities with their kind, size and reference point, in the file or in catalogs beside it.

use std::collections::BTreeSet;

use super::catalog::Catalogs;
use crate::data::openscenario_out::{EGO, ROLE};
use crate::data::report::Report;
use crate::data::xml::Element;
use crate::geometry::{DVec2, dvec2};
use crate::scene::AgentKind;

/// Where a car's reference point, below the middle of its rear axle, usually lies: behind its middle by this much of its
/// length.
const REAR_AXLE: f64 = 0.29;

/// An entity.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entity {
    pub(super) name: String,
    pub(super) kind: AgentKind,
    pub(super) category: Option<String>,
    pub(super) length: f64,
    pub(super) width: f64,
    /// The middle of its box from its reference point, forward and left.
    pub(super) centre: DVec2,
    /// Its properties say that it is the ego.
    pub(super) is_ego: bool,
}

/// Reads `<Entities>`.
pub(super) fn entities(element: &Element, catalogs: &Catalogs, report: &mut Report) -> Vec<Entity> {
    let mut found: Vec<Entity> = Vec::new();
    let (mut lacking, mut names) = (BTreeSet::new(), BTreeSet::new());
    for object in element.all("ScenarioObject") {
        let name = object.attribute("name").unwrap_or_default().to_owned();
        let entity = match object
            .children
            .iter()
            .find_map(|child| entity(&name, child))
        {
            Some(entity) => entity,
            None => match object.child("CatalogReference") {
                Some(reference) => of_catalog(&name, reference, catalogs, &mut lacking),
                None => {
                    report.problem(format!("entity {name}"), "of no known kind", "is left out");
                    continue;
                }
            },
        };
        if !names.insert(name.clone()) {
            report.problem("entity", &name, "is named twice; the later is left out");
            continue;
        }
        found.push(entity);
    }
    if !lacking.is_empty() {
        let names: Vec<String> = lacking.into_iter().collect();
        let what = "no catalog beside the file has them; who is one has the usual size of its kind";
        report.problem("CatalogReference", names.join(", "), what);
    }
    found
}

/// A `<Vehicle>`, `<Pedestrian>` or `<MiscObject>`.
fn entity(name: &str, element: &Element) -> Option<Entity> {
    let word = |name: &str| element.attribute(name).map(str::to_lowercase);
    let (kind, category) = match element.name.as_str() {
        "Vehicle" => {
            let category = word("vehicleCategory");
            let two_wheels = matches!(category.as_deref(), Some("bicycle" | "motorbike"));
            (
                if two_wheels {
                    AgentKind::Cyclist
                } else {
                    AgentKind::Vehicle
                },
                category,
            )
        }
        "Pedestrian" => (AgentKind::Pedestrian, None),
        "MiscObject" => (AgentKind::Other, word("miscObjectCategory")),
        _ => return None,
    };
    let mut made = usual(name, kind, category);
    if let Some(size) = element.child("BoundingBox") {
        let number = |child: &str, key: &str| size.child(child)?.number_attribute(key);
        made.length = number("Dimensions", "length").unwrap_or(made.length);
        made.width = number("Dimensions", "width").unwrap_or(made.width);
        let [x, y] = ["x", "y"].map(|key| number("Center", key).unwrap_or(0.0));
        made.centre = dvec2(x, y);
    }
    let properties = element.child("Properties").into_iter();
    let mut roles = properties
        .flat_map(|properties| properties.all("Property"))
        .filter(|property| property.attribute("name") == Some(ROLE));
    made.is_ego = roles.any(|role| role.attribute("value") == Some(EGO));
    Some(made)
}

/// An entity of the usual size of its kind.
fn usual(name: &str, kind: AgentKind, category: Option<String>) -> Entity {
    let (length, width) = match category.as_deref() {
        Some("bus") => (12.0, 2.5),
        Some("truck" | "semitrailer" | "trailer") => (8.5, 2.5),
        Some("van") => (5.5, 2.1),
        _ => kind.default_size(),
    };
    let behind = match kind {
        AgentKind::Vehicle => REAR_AXLE * length,
        _ => 0.0,
    };
    Entity {
        name: name.to_owned(),
        kind,
        category,
        length,
        width,
        centre: dvec2(behind, 0.0),
        is_ego: false,
    }
}

/// The entity that a reference to a catalog names; of the usual size if no catalog has it, which `lacking` then names.
fn of_catalog(
    name: &str,
    reference: &Element,
    catalogs: &Catalogs,
    lacking: &mut BTreeSet<String>,
) -> Entity {
    if let Some(entity) = catalogs
        .entry(reference)
        .and_then(|found| entity(name, &found))
    {
        return entity;
    }
    let text = |key: &str| reference.attribute(key).unwrap_or_default();
    let words = format!("{} {}", text("catalogName"), text("entryName"));
    let lower = words.to_lowercase();
    let says = |word: &str| lower.contains(word);
    let kind = match () {
        () if says("pedestrian") => AgentKind::Pedestrian,
        () if says("misc") => AgentKind::Other,
        () if says("bicycle") || says("motorbike") => AgentKind::Cyclist,
        () => AgentKind::Vehicle,
    };
    let category = ["bus", "truck", "van"].into_iter().find(|word| says(word));
    lacking.insert(words);
    usual(name, kind, category.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::data::xml::parse;

    #[test]
    fn kind_size_and_reference_point_come_from_the_file_or_from_a_catalog_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("cars")).unwrap();
        let vehicle = "<Vehicle name='lorry' vehicleCategory='truck'><BoundingBox><Center x='2' y='0'/><Dimensions length='9' width='2.4'/></BoundingBox></Vehicle>";
        let catalog = format!("<OpenSCENARIO><Catalog name='V'>{vehicle}</Catalog></OpenSCENARIO>");
        fs::write(folder.path().join("cars/v.xosc"), catalog).unwrap();
        let locations = parse("<CatalogLocations><VehicleCatalog><Directory path='cars'/></VehicleCatalog></CatalogLocations>").unwrap();
        let listed = parse(
            "<Entities><ScenarioObject name='a'><CatalogReference catalogName='V' entryName='lorry'/></ScenarioObject>\
             <ScenarioObject name='b'><CatalogReference catalogName='V' entryName='city_bus'/></ScenarioObject>\
             <ScenarioObject name='c'><Pedestrian><BoundingBox><Center x='0' y='0'/><Dimensions length='0.5' width='0.6'/></BoundingBox></Pedestrian></ScenarioObject>\
             <ScenarioObject name='c'><Pedestrian/></ScenarioObject><ScenarioObject name='d'/></Entities>",
        )
        .unwrap();
        let mut report = Report::default();
        let path = folder.path().join("x.xosc");
        let catalogs = Catalogs::of(Some(&locations), &path);
        let found = entities(&listed, &catalogs, &mut report);
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].length, found[0].centre.x), (9.0, 2.0));
        assert_eq!((found[1].length, found[1].kind), (12.0, AgentKind::Vehicle));
        assert_eq!(
            (found[2].kind, found[2].width),
            (AgentKind::Pedestrian, 0.6)
        );
        assert_eq!(report.problems.len(), 3, "{:?}", report.lines());
    }
}
