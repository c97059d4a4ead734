//! What an OpenDRIVE file says of its roads, lanes and junctions, before any of it is placed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::line::{Cubics, ReferenceLine};
use super::sign::{Sign, SignKind, signs};
use crate::data::opendrive_out::IN_JUNCTION;
use crate::data::report::Report;
use crate::data::xml::Element;
use crate::geometry::{DVec2, Pose, dvec2};

/// Most places of a road where a speed limit or a motorway may begin or end.
const MOST_CUTS: usize = 1_000;
/// What begins or ends nearer to a section's end does so there, m.
const NEAR_M: f64 = 1.0;

/// A road or junction at a road's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A road, and whether its start is met.
    Road(String, bool),
    Junction(String),
}

/// A road.
#[derive(Debug, Clone)]
pub(super) struct Road {
    pub(super) id: String,
    /// It leads through a junction.
    pub(super) in_junction: bool,
    /// Traffic keeps to the left.
    pub(super) left_hand: bool,
    pub(super) line: ReferenceLine,
    pub(super) length: f64,
    /// From the reference line to the middle of the road.
    pub(super) offset: Cubics,
    /// By their start, never empty.
    pub(super) sections: Vec<Section>,
    /// From s on: kind of road, and speed limit, m/s.
    pub(super) types: Vec<(f64, String, Option<f64>)>,
    pub(super) predecessor: Option<Target>,
    pub(super) successor: Option<Target>,
    /// Outlines of pedestrian crossings, scene frame.
    pub(super) crossings: Vec<Vec<DVec2>>,
    pub(super) signs: Vec<Sign>,
}

/// A part of a road with the same lanes and speed limits: a lane section of the file, or a part of one.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) s: f64,
    pub(super) end: f64,
    /// Where the file's section begins, from which the lanes' offsets count.
    pub(super) origin: f64,
    /// By id: 1, 2, .. to the left of the middle, −1, −2, .. to its right; 0 is the middle.
    pub(super) lanes: Arc<BTreeMap<i32, LaneText>>,
}

/// A lane of a section.
#[derive(Debug, Clone)]
pub(super) struct LaneText {
    pub(super) kind: String,
    pub(super) width: Cubics,
    /// Distance of the outer border from the middle, where the file gives that instead of widths.
    pub(super) border: Cubics,
    pub(super) predecessors: Vec<i32>,
    pub(super) successors: Vec<i32>,
    /// From an offset on, m/s; `None` where there is no limit.
    pub(super) speeds: Vec<(f64, Option<f64>)>,
    /// Painted on the outer border: from an offset on, type and colour.
    pub(super) marks: Vec<(f64, String, String)>,
}

/// A way through a junction.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) junction: String,
    pub(super) incoming: String,
    /// The road through the junction; of a direct junction, the one that the incoming road goes on in.
    pub(super) connecting: String,
    /// The incoming road meets the connecting one's start.
    pub(super) at_start: bool,
    /// Lanes of the incoming and of the connecting road.
    pub(super) lanes: Vec<(i32, i32)>,
}

impl Road {
    /// Reads a `<road>`; `None`, and reported, if it has no reference line or lanes.
    pub(super) fn of(element: &Element, report: &mut Report) -> Option<Self> {
        let id = element.attribute("id").unwrap_or_default().to_owned();
        let lost = |report: &mut Report, what: &str| {
            report.problem(format!("road {id}"), what, "the road is left out");
            None
        };
        let plan = element.child("planView").and_then(ReferenceLine::of);
        let Some(line) = plan else {
            return lost(report, "planView without a geometry that can be read");
        };
        let shapes = element
            .child("planView")
            .map_or(0, |plan| plan.all("geometry").count());
        if shapes > line.starts().count() {
            let element = format!("road {id}: planView");
            report.problem(element, shapes, "geometries, of which some cannot be read");
        }
        let stated = element
            .number_attribute("length")
            .filter(|length| *length > 0.0);
        let length = stated.unwrap_or(line.length()).min(line.length());
        let Some(lanes) = element.child("lanes") else {
            return lost(report, "no lanes");
        };
        let sections = sections(lanes, length);
        if sections.is_empty() {
            return lost(report, "lanes without a section");
        }
        let link = element.child("link");
        let target = |name: &str| link.and_then(|link| link.child(name)).and_then(target);
        let junction = element
            .attribute("junction")
            .filter(|id| !matches!(*id, "-1" | ""));
        // this program has lanes that fork outside of any junction, the format has not
        let told = element
            .all("userData")
            .find(|data| data.attribute("code") == Some(IN_JUNCTION));
        let in_junction = match told.and_then(|data| data.attribute("value")) {
            Some("true") => true,
            Some("false") => false,
            _ => junction.is_some(),
        };
        let mut road = Self {
            in_junction,
            left_hand: element.attribute("rule") == Some("LHT"),
            length,
            offset: Cubics::of(lanes.all("laneOffset"), "s"),
            sections,
            types: element.all("type").map(road_type).collect(),
            predecessor: target("predecessor"),
            successor: target("successor"),
            crossings: Vec::new(),
            signs: signs(element),
            id,
            line,
        };
        road.types.sort_by(|a, b| a.0.total_cmp(&b.0));
        let objects = element.child("objects").into_iter();
        let objects = objects.flat_map(|objects| objects.all("object"));
        let crossings = objects.filter(|object| object.attribute("type") == Some("crosswalk"));
        road.crossings = crossings
            .filter_map(|object| road.outline(object))
            .collect();
        Some(road)
    }

    /// Distances from the reference line, to the left, of a lane's inner and outer border at s.
    pub(super) fn borders(&self, section: &Section, lane: i32, s: f64) -> (f64, f64) {
        let side = f64::from(lane.signum());
        let middle = self.offset.at(s);
        let mut inner = middle;
        let mut outer = middle;
        for number in 1..=lane.abs() {
            inner = outer;
            let Some(text) = section.lanes.get(&(number * lane.signum())) else {
                continue;
            };
            let from = s - section.origin;
            outer = if text.width.is_empty() && !text.border.is_empty() {
                middle + text.border.at(from)
            } else {
                outer + side * text.width.at(from).max(0.0)
            };
        }
        (inner, outer)
    }

    /// The place t to the left of the reference line at s, with the line's direction.
    pub(super) fn pose(&self, s: f64, t: f64) -> Pose {
        let line = self.line.pose_at(s);
        Pose::new(line.outer_from_local(dvec2(0.0, t)), line.heading)
    }

    /// Whether traffic on a lane goes the way of s.
    pub(super) fn forward(&self, lane: i32) -> bool {
        (lane < 0) != self.left_hand
    }

    /// The section at s.
    pub(super) fn section_at(&self, s: f64) -> &Section {
        &self.sections[self.section_number(s)]
    }

    /// Its place among the sections.
    pub(super) fn section_number(&self, s: f64) -> usize {
        let later = self
            .sections
            .partition_point(|section| section.s <= s + 1e-9);
        later.saturating_sub(1)
    }

    /// The place nearest to a point in a section: s, and t to the left of the reference line.
    pub(super) fn along(&self, section: &Section, point: DVec2) -> (f64, f64) {
        let length = section.end - section.s;
        let steps = (length / 2.0).ceil().clamp(1.0, 10_000.0);
        let places = (0..=steps as usize).map(|step| section.s + length * step as f64 / steps);
        let gap = |s: &f64| self.line.pose_at(*s).point.distance(point);
        let near = places.min_by(|a, b| gap(a).total_cmp(&gap(b)));
        let near = near.unwrap_or(section.s);
        let ahead = self.line.pose_at(near).local_from_outer(point).x;
        let s = (near + ahead).clamp(0.0, self.length);
        (s, self.line.pose_at(s).local_from_outer(point).y)
    }

    /// Kind of road and speed limit at s.
    fn type_at(&self, s: f64) -> Option<&(f64, String, Option<f64>)> {
        let later = self.types.partition_point(|(from, ..)| *from <= s);
        self.types.get(later.checked_sub(1)?)
    }

    /// Whether a section belongs to a motorway.
    pub(super) fn is_motorway(&self, section: &Section) -> bool {
        let kind = self.type_at(section.inside());
        kind.is_some_and(|(_, kind, _)| kind == "motorway")
    }

    /// The speed limit of a lane of a section, m/s: its own, else that of the last sign before it, else the road's.
    pub(super) fn limit(&self, section: &Section, id: i32) -> Option<f64> {
        let s = section.inside();
        let speeds = &section.lanes.get(&id)?.speeds;
        let later = speeds.partition_point(|(from, _)| section.origin + from <= s);
        if let Some((_, limit)) = later.checked_sub(1).and_then(|at| speeds.get(at)) {
            return *limit;
        }
        let forward = self.forward(id);
        let mut nearest: Option<(f64, f64)> = None;
        for sign in self.signs.iter().filter(|sign| sign.holds_for(id, forward)) {
            let passed = if forward { s - sign.s } else { sign.s - s };
            if let SignKind::Limit(limit) = sign.kind
                && passed >= 0.0
                && nearest.is_none_or(|(held, _)| passed < held)
            {
                nearest = Some((passed, limit));
            }
        }
        let sign = nearest.map(|(_, limit)| limit);
        sign.or_else(|| self.type_at(s).and_then(|(.., limit)| *limit))
    }

    /// Cuts sections where a speed limit changes inside them, or a motorway begins or ends.
    pub(super) fn cut(&mut self, report: &mut Report) {
        let signs = self.signs.iter();
        let signs = signs.filter(|sign| matches!(sign.kind, SignKind::Limit(_)));
        let mut places: Vec<f64> = signs.map(|sign| sign.s).collect();
        places.extend(self.types.iter().map(|(from, ..)| *from));
        for section in &self.sections {
            let speeds = section.lanes.values().flat_map(|text| &text.speeds);
            places.extend(speeds.map(|(from, _)| section.origin + from));
        }
        places.sort_by(f64::total_cmp);
        places.dedup_by(|a, b| *a - *b < NEAR_M);
        if places.len() > MOST_CUTS {
            let element = format!("road {}: speed", self.id);
            let what = format!("places where it may change; those after {MOST_CUTS} are left out");
            report.problem(element, places.len(), what);
            places.truncate(MOST_CUTS);
        }
        let mut cut = Vec::new();
        for section in &self.sections {
            let mut rest = section.clone();
            let (from, to) = (section.s + NEAR_M, section.end - NEAR_M);
            for &place in places.iter().filter(|place| (from..=to).contains(*place)) {
                let (mut before, mut after) = (rest.clone(), rest.clone());
                (before.end, after.s) = (place, place);
                let differs = |id: &i32| self.limit(&before, *id) != self.limit(&after, *id);
                let changes = self.is_motorway(&before) != self.is_motorway(&after)
                    || section.lanes.keys().any(differs);
                if changes {
                    cut.push(before);
                    rest = after;
                }
            }
            cut.push(rest);
        }
        self.sections = cut;
    }

    /// The outline of an object, scene frame.
    fn outline(&self, object: &Element) -> Option<Vec<DVec2>> {
        let number = |element: &Element, name: &str| element.number_attribute(name);
        let outlines = object.child("outlines").unwrap_or(object);
        if let Some(outline) = outlines.child("outline") {
            let place = self.pose(number(object, "s")?, number(object, "t")?);
            let turned = number(object, "hdg").unwrap_or(0.0);
            let own = Pose::new(place.point, place.heading + turned);
            let corners = outline
                .children
                .iter()
                .filter_map(|corner| match corner.name.as_str() {
                    "cornerLocal" => {
                        let local = dvec2(number(corner, "u")?, number(corner, "v")?);
                        Some(own.outer_from_local(local))
                    }
                    "cornerRoad" => {
                        Some(self.pose(number(corner, "s")?, number(corner, "t")?).point)
                    }
                    _ => None,
                });
            let corners: Vec<DVec2> = corners.collect();
            return (corners.len() >= 3).then_some(corners);
        }
        let place = self.pose(number(object, "s")?, number(object, "t")?);
        let own = Pose::new(
            place.point,
            place.heading + number(object, "hdg").unwrap_or(0.0),
        );
        let (length, width) = (number(object, "length")?, number(object, "width")?);
        let corner =
            |u: f64, v: f64| own.outer_from_local(dvec2(u * length / 2.0, v * width / 2.0));
        Some(vec![
            corner(1.0, 1.0),
            corner(-1.0, 1.0),
            corner(-1.0, -1.0),
            corner(1.0, -1.0),
        ])
    }
}

impl Section {
    /// A place inside, where what begins near its start has begun.
    fn inside(&self) -> f64 {
        (self.s + NEAR_M).min(0.5 * (self.s + self.end))
    }
}

fn target(element: &Element) -> Option<Target> {
    let id = element.attribute("elementId")?.to_owned();
    match element.attribute("elementType") {
        Some("junction") => Some(Target::Junction(id)),
        _ => Some(Target::Road(
            id,
            element.attribute("contactPoint") != Some("end"),
        )),
    }
}

fn road_type(element: &Element) -> (f64, String, Option<f64>) {
    let from = element.number_attribute("s").unwrap_or(0.0);
    let kind = element.attribute("type").unwrap_or_default().to_owned();
    let limit = element.child("speed");
    (from, kind, limit.and_then(|limit| speed(limit, "max")))
}

/// A limit in m/s, by its attribute; `None` for "no limit".
pub(super) fn speed(element: &Element, name: &str) -> Option<f64> {
    let limit = element.number_attribute(name).filter(|max| *max > 0.0)?;
    Some(match element.attribute("unit") {
        Some("km/h") => limit / 3.6,
        Some("mph") => limit * 0.447_04,
        _ => limit,
    })
}

fn sections(lanes: &Element, length: f64) -> Vec<Section> {
    let mut sections: Vec<Section> = lanes
        .all("laneSection")
        .map(|element| {
            let s = element.number_attribute("s").unwrap_or(0.0);
            let s = s.clamp(0.0, length);
            let lanes = ["left", "center", "right"]
                .into_iter()
                .filter_map(|side| element.child(side))
                .flat_map(|side| side.all("lane"))
                .filter_map(lane);
            Section {
                s,
                end: length,
                origin: s,
                lanes: Arc::new(lanes.collect()),
            }
        })
        .collect();
    sections.sort_by(|a, b| a.s.total_cmp(&b.s));
    for index in 1..sections.len() {
        sections[index - 1].end = sections[index].s;
    }
    sections
}

fn lane(element: &Element) -> Option<(i32, LaneText)> {
    let id: i32 = element.attribute("id")?.trim().parse().ok()?;
    if id.unsigned_abs() > 64 {
        return None;
    }
    let link = element.child("link");
    let linked = |name: &str| -> Vec<i32> {
        let elements = link.into_iter().flat_map(|link| link.all(name));
        let ids = elements.filter_map(|element| element.attribute("id")?.trim().parse().ok());
        ids.collect()
    };
    let from = |element: &Element| element.number_attribute("sOffset").unwrap_or(0.0);
    let text =
        |element: &Element, name: &str| element.attribute(name).unwrap_or_default().to_lowercase();
    let mut marks: Vec<(f64, String, String)> = element
        .all("roadMark")
        .map(|mark| (from(mark), text(mark, "type"), text(mark, "color")))
        .collect();
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let speeds = element.all("speed");
    let mut speeds: Vec<(f64, Option<f64>)> = speeds
        .map(|limit| (from(limit), speed(limit, "max")))
        .collect();
    speeds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let lane = LaneText {
        kind: element.attribute("type").unwrap_or_default().to_owned(),
        width: Cubics::of(element.all("width"), "sOffset"),
        border: Cubics::of(element.all("border"), "sOffset"),
        predecessors: linked("predecessor"),
        successors: linked("successor"),
        speeds,
        marks,
    };
    Some((id, lane))
}

/// The ways through a `<junction>`.
pub(super) fn connections(junction: &Element) -> Vec<Connection> {
    let id = junction.attribute("id").unwrap_or_default();
    let connections = junction.all("connection").filter_map(|element| {
        let lanes = element.all("laneLink").filter_map(|link| {
            let lane = |name: &str| link.attribute(name)?.trim().parse::<i32>().ok();
            Some((lane("from")?, lane("to")?))
        });
        Some(Connection {
            junction: id.to_owned(),
            incoming: element.attribute("incomingRoad")?.to_owned(),
            connecting: element
                .attribute("connectingRoad")
                .or(element.attribute("linkedRoad"))?
                .to_owned(),
            at_start: element.attribute("contactPoint") != Some("end"),
            lanes: lanes.collect(),
        })
    });
    connections.collect()
}
