//! Vehicle types of SUMO: floating car data names them, their sizes stand in route and additional files.

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::data::xml::{Element, XmlError, XmlReader};
use crate::scene::AgentKind;

use super::net::Program;

/// Most types kept.
const MAX_TYPES: usize = 100_000;

/// Size and kind of a vehicle type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct VehicleType {
    pub(super) kind: AgentKind,
    pub(super) class: String,
    pub(super) length: f64,
    pub(super) width: f64,
}

/// SUMO's defaults for a vehicle class: length and width, m (sumo.dlr.de, "Vehicle Type Parameter Defaults").
const CLASSES: [(&str, AgentKind, f64, f64); 29] = [
    ("passenger", AgentKind::Vehicle, 5.0, 1.8),
    ("private", AgentKind::Vehicle, 5.0, 1.8),
    ("taxi", AgentKind::Vehicle, 5.0, 1.8),
    ("evehicle", AgentKind::Vehicle, 5.0, 1.8),
    ("hov", AgentKind::Vehicle, 5.0, 1.8),
    ("vip", AgentKind::Vehicle, 5.0, 1.8),
    ("authority", AgentKind::Vehicle, 5.0, 1.8),
    ("army", AgentKind::Vehicle, 5.0, 1.8),
    ("ignoring", AgentKind::Vehicle, 5.0, 1.8),
    ("custom1", AgentKind::Vehicle, 5.0, 1.8),
    ("custom2", AgentKind::Vehicle, 5.0, 1.8),
    ("emergency", AgentKind::Vehicle, 6.5, 2.16),
    ("delivery", AgentKind::Vehicle, 6.5, 2.16),
    ("truck", AgentKind::Vehicle, 7.1, 2.4),
    ("trailer", AgentKind::Vehicle, 16.5, 2.55),
    ("bus", AgentKind::Vehicle, 12.0, 2.5),
    ("coach", AgentKind::Vehicle, 14.0, 2.6),
    ("tram", AgentKind::Vehicle, 22.0, 2.4),
    ("rail_urban", AgentKind::Vehicle, 36.5, 3.0),
    ("rail", AgentKind::Vehicle, 67.5, 2.84),
    ("rail_electric", AgentKind::Vehicle, 100.0, 2.95),
    ("rail_fast", AgentKind::Vehicle, 100.0, 2.95),
    ("motorcycle", AgentKind::Cyclist, 2.2, 0.9),
    ("moped", AgentKind::Cyclist, 2.1, 0.8),
    ("bicycle", AgentKind::Cyclist, 1.6, 0.65),
    ("scooter", AgentKind::Cyclist, 1.2, 0.5),
    ("pedestrian", AgentKind::Pedestrian, 0.7, 0.7),
    ("wheelchair", AgentKind::Pedestrian, 0.9, 0.7),
    ("ship", AgentKind::Other, 17.0, 4.0),
];

/// Words in the name of a type nobody describes, and the class they stand for.
const WORDS: [(&str, &str); 14] = [
    ("bike", "bicycle"),
    ("bicycle", "bicycle"),
    ("cyclist", "bicycle"),
    ("motorcycle", "motorcycle"),
    ("moped", "moped"),
    ("ped", "pedestrian"),
    ("truck", "truck"),
    ("lkw", "truck"),
    ("trailer", "trailer"),
    ("coach", "coach"),
    ("bus", "bus"),
    ("tram", "tram"),
    ("rail", "rail"),
    ("delivery", "delivery"),
];

/// Vehicle types by name, and light programs that replace those of the network.
#[derive(Debug, Default)]
pub(super) struct Types {
    known: BTreeMap<String, VehicleType>,
    pub(super) programs: BTreeMap<String, Program>,
}

impl Types {
    /// Takes in the types of a route or additional file. What was read before an error stays.
    pub(super) fn read(&mut self, text: impl BufRead, limit: u64) -> Result<(), XmlError> {
        let mut xml = XmlReader::new(text, limit);
        xml.root()?;
        let wanted = ["vType", "vTypeDistribution", "tlLogic"];
        while let Some(element) = xml.next_child(|child| wanted.contains(&child.name.as_str()))? {
            match element.name.as_str() {
                "vType" => self.add(&element),
                "tlLogic" => {
                    let id = element.attribute("id").unwrap_or_default().to_owned();
                    let program = Program::read(&element);
                    if !program.phases.is_empty() {
                        self.programs.insert(id, program);
                    }
                }
                _ => element.all("vType").for_each(|inner| self.add(inner)),
            }
        }
        Ok(())
    }

    fn add(&mut self, element: &Element) {
        let Some(id) = element.attribute("id") else {
            return;
        };
        if self.known.len() >= MAX_TYPES {
            return;
        }
        let mut found = of_class(element.attribute("vClass").unwrap_or("passenger"));
        let size = |name| element.number_attribute(name).filter(|size| *size > 0.0);
        found.length = size("length").unwrap_or(found.length);
        found.width = size("width").unwrap_or(found.width);
        self.known.insert(id.to_owned(), found);
    }

    /// The type of this name, and whether it was described anywhere.
    pub(super) fn of(&self, name: &str) -> (VehicleType, bool) {
        if let Some(found) = self.known.get(name) {
            return (found.clone(), true);
        }
        if name == "DEFAULT_VEHTYPE" {
            return (of_class("passenger"), true);
        }
        // vehicles of a distribution or calibrator are named like type@edge
        let bare = name.split('@').next().unwrap_or(name);
        if let Some(found) = self.known.get(bare) {
            return (found.clone(), true);
        }
        let lower = name.to_lowercase();
        let word = WORDS.iter().find(|(word, _)| lower.contains(word));
        (
            of_class(word.map_or("passenger", |(_, class)| class)),
            false,
        )
    }
}

fn of_class(class: &str) -> VehicleType {
    let row = CLASSES
        .iter()
        .find(|(name, ..)| *name == class)
        .unwrap_or(&CLASSES[0]);
    VehicleType {
        kind: row.1,
        class: class.to_owned(),
        length: row.2,
        width: row.3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_from_the_type_then_from_its_class() {
        let mut types = Types::default();
        let text = r#"<routes><vTypeDistribution id="d"><vType id="a" length="4.5"/></vTypeDistribution>
            <vType id="b" vClass="bus"/><vehicle id="v" type="a"/></routes>"#;
        types.read(text.as_bytes(), 1 << 20).unwrap();
        let (a, _) = types.of("a");
        assert_eq!((a.length, a.width), (4.5, 1.8));
        assert_eq!(types.of("b").0.length, 12.0);
        let (unknown, described) = types.of("LKW_special");
        assert!(!described && unknown.class == "truck");
    }
}
