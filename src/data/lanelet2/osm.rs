//! The primitives of an OpenStreetMap file, which Lanelet2 builds on: nodes, ways, relations, each with tags.

use std::collections::BTreeMap;
use std::path::Path;

use crate::data::draft::{MAX_MAP_POINTS, point};
use crate::data::report::Report;
use crate::data::xml::{Element, XmlReader};
use crate::data::{MAX_BYTES, OpenError};
use crate::geometry::DVec2;

/// Most ways and relations of a file; beyond it the file is refused.
const MAX_ELEMENTS: usize = 500_000;

/// Most nodes of a way; the OpenStreetMap server takes 2,000.
const MAX_WAY_NODES: usize = 20_000;

/// A map file as read, ids as in the file.
#[derive(Debug, Default)]
pub(super) struct Osm {
    pub(super) nodes: BTreeMap<i64, Node>,
    pub(super) ways: BTreeMap<i64, Way>,
    /// In file order.
    pub(super) relations: Vec<Relation>,
}

/// A point, in one or both of the ways it can be given.
#[derive(Debug)]
pub(super) struct Node {
    /// Latitude and longitude, degrees.
    pub(super) geographic: Option<[f64; 2]>,
    /// Metres in the map's own frame (the tags `local_x` and `local_y`, as Autoware's maps have them).
    pub(super) local: Option<DVec2>,
}

/// A line through nodes.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) nodes: Vec<i64>,
    pub(super) tags: Tags,
}

/// Ways and relations in their parts.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) id: i64,
    pub(super) members: Vec<Member>,
    pub(super) tags: Tags,
}

/// One part of a relation.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) is_way: bool,
    pub(super) id: i64,
    pub(super) role: String,
}

/// Keys with their values.
#[derive(Debug, Default)]
pub(super) struct Tags(Vec<(String, String)>);

impl Tags {
    pub(super) fn of(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether `key` has one of these values.
    pub(super) fn is(&self, key: &str, values: &[&str]) -> bool {
        self.of(key).is_some_and(|value| values.contains(&value))
    }
}

impl Relation {
    /// Members of a role.
    pub(super) fn role<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a Member> {
        self.members
            .iter()
            .filter(move |member| member.role == role)
    }
}

impl Osm {
    pub(super) fn read(bytes: &[u8], path: &Path, report: &mut Report) -> Result<Self, OpenError> {
        let broken = |error: crate::data::xml::XmlError| {
            OpenError::damaged(path, "OpenStreetMap XML", error.to_string())
        };
        let mut xml = XmlReader::new(bytes, MAX_BYTES);
        xml.root().map_err(broken)?;
        let mut osm = Self::default();
        let mut elements = 0;
        while let Some(element) = xml.next_child(is_primitive).map_err(broken)? {
            // what an editor has marked as deleted is still in its file
            if element.attribute("action") == Some("delete") {
                report.skip("elements marked as deleted");
                continue;
            }
            let Some(id) = integer(&element, "id") else {
                report.skip("nodes, ways and relations without an id");
                continue;
            };
            if element.name == "node" {
                osm.nodes.insert(id, node(&element));
                OpenError::within(path, "number of nodes", osm.nodes.len(), MAX_MAP_POINTS)?;
                continue;
            }
            elements += 1;
            OpenError::within(path, "number of ways and relations", elements, MAX_ELEMENTS)?;
            let tags = tags(&element);
            if element.name == "way" {
                let nodes = element.all("nd").filter_map(|node| integer(node, "ref"));
                let nodes: Vec<i64> = nodes.collect();
                OpenError::within(
                    path,
                    &format!("number of nodes of way {id}"),
                    nodes.len(),
                    MAX_WAY_NODES,
                )?;
                osm.ways.insert(id, Way { nodes, tags });
            } else {
                let members = element.all("member").filter_map(|member| {
                    Some(Member {
                        is_way: member.attribute("type") == Some("way"),
                        id: integer(member, "ref")?,
                        role: member.attribute("role").unwrap_or_default().to_owned(),
                    })
                });
                let members = members.collect();
                osm.relations.push(Relation { id, members, tags });
            }
        }
        Ok(osm)
    }
}

fn is_primitive(element: &Element) -> bool {
    matches!(element.name.as_str(), "node" | "way" | "relation")
}

fn integer(element: &Element, name: &str) -> Option<i64> {
    element.attribute(name)?.trim().parse().ok()
}

fn tags(element: &Element) -> Tags {
    let pair = |tag: &Element| {
        Some((
            tag.attribute("k")?.to_owned(),
            tag.attribute("v")?.trim().to_owned(),
        ))
    };
    Tags(element.all("tag").filter_map(pair).collect())
}

fn node(element: &Element) -> Node {
    let degrees = |name, most: f64| {
        let value = element.number_attribute(name)?;
        (value.abs() <= most).then_some(value)
    };
    let local = |name: &str| {
        let tag = element
            .all("tag")
            .find(|tag| tag.attribute("k") == Some(name))?;
        tag.number_attribute("v")
    };
    let at = local("local_x").zip(local("local_y"));
    Node {
        geographic: degrees("lat", 84.0)
            .zip(degrees("lon", 180.0))
            .map(|(lat, lon)| [lat, lon]),
        local: at.map(|(x, y)| point(x, y)).filter(|at| at.is_finite()),
    }
}
