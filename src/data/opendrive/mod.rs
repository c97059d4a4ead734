//! OpenDRIVE 1.4 to 1.8 in: roads along their reference lines (line, arc, spiral, poly3, paramPoly3), lanes with widths
//! or borders, links through roads and junctions (direct ones, too), painted lines, pedestrian crossings, stop signs and speed
//! limits.
//!
//! The map is flat: elevation and superelevation are left out. A lane of a section becomes a lane in its driving
//! direction, named road.section.lane; a section in which a speed limit changes counts as several. Traffic lights are off: the
//! format knows their places, not their states. Those for others than vehicles are left out, as are signs that say something
//! else.
//! Source: ASAM OpenDRIVE 1.7, chapters 7 to 12 and 14.

mod lanes;
mod line;
mod road;
mod sign;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::data::draft::Draft;
use crate::data::folder::stem;
use crate::data::report::Report;
use crate::data::xml::{Element, XmlReader};
use crate::data::{MAX_BYTES, OpenError};
use crate::geometry::{DVec2, Pose};
use crate::map::{LaneId, MapParts};
use crate::scene::{Scene, Signal, SignalState};
use road::{Connection, Road, Section, connections};
use sign::SignKind;

/// All roads of a network together, m.
const MAX_LENGTH_M: f64 = 1e7;

/// Reads a road network on its own: a scene of one frame without traffic.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<(Scene, Report), OpenError> {
    let mut report = Report::default();
    let network = Network::read(bytes, path, &mut report)?;
    let frames = 1;
    let lights = network.unlit(&BTreeSet::new(), &mut report).into_iter();
    let mut held: BTreeSet<LaneId> = BTreeSet::new();
    let signals = lights.filter(|(lane, _)| held.insert(lane.clone()));
    let signals = signals
        .map(|(lane, stop)| Signal::new(lane, Some(stop), vec![SignalState::Unknown; frames]));
    let draft = Draft {
        name: stem(path),
        source: format!("OpenDRIVE {}", stem(path)),
        dt_s: 0.1,
        frames,
        signals: signals.collect(),
        map: network.map(path, &mut report)?,
        ..Draft::default()
    };
    let scene = draft.finish(path, &mut report)?;
    Ok((scene, report))
}

/// The roads of a file.
#[derive(Debug, Default)]
pub(super) struct Network {
    roads: BTreeMap<String, Road>,
    /// Ids in the order of the file.
    order: Vec<String>,
    connections: Vec<Connection>,
}

impl Network {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// If it is no XML, or holds no road with lanes.
    pub(super) fn read(bytes: &[u8], path: &Path, report: &mut Report) -> Result<Self, OpenError> {
        let broken =
            |error: &dyn ToString| OpenError::damaged(path, "OpenDRIVE XML", error.to_string());
        let mut xml = XmlReader::new(bytes, MAX_BYTES);
        xml.root().map_err(|error| broken(&error))?;
        let mut network = Self::default();
        let mut length_m = 0.0;
        let wanted = |element: &Element| matches!(element.name.as_str(), "road" | "junction");
        while let Some(element) = xml.next_child(wanted).map_err(|error| broken(&error))? {
            if element.name == "junction" {
                network.connections.extend(connections(&element));
                continue;
            }
            length_m += stated_length(&element);
            let (length, most) = (length_m as usize, MAX_LENGTH_M as usize);
            OpenError::within(path, "length of all roads in metres", length, most)?;
            let Some(road) = Road::of(&element, report) else {
                continue;
            };
            if network.roads.contains_key(&road.id) {
                report.problem("road id", &road.id, "is used twice; the later is left out");
                continue;
            }
            network.order.push(road.id.clone());
            network.roads.insert(road.id.clone(), road);
        }
        if network.roads.is_empty() {
            return Err(OpenError::damaged(
                path,
                "OpenDRIVE",
                "it has no road with lanes",
            ));
        }
        let signs = network.roads.values().flat_map(|road| &road.signs);
        let known: BTreeMap<String, SignKind> = signs
            .filter(|sign| sign.kind != SignKind::Reference)
            .map(|sign| (sign.id.clone(), sign.kind))
            .collect();
        for road in network.roads.values_mut() {
            for sign in &mut road.signs {
                if sign.kind == SignKind::Reference
                    && let Some(SignKind::Light | SignKind::Stop | SignKind::Limit(_)) =
                        known.get(&sign.id)
                {
                    sign.kind = known[&sign.id];
                }
            }
            road.cut(report);
        }
        Ok(network)
    }

    /// Lanes, painted lines and crossings.
    ///
    /// # Errors
    /// If there would be more than the limits allow.
    pub(super) fn map(&self, path: &Path, report: &mut Report) -> Result<MapParts, OpenError> {
        let signs = self.in_order().flat_map(|road| &road.signs);
        let others = signs.filter(|sign| sign.kind == SignKind::Other);
        report.skip_many(
            "static signals other than stop signs and speed limits",
            others.count(),
        );
        lanes::build(self, path, report)
    }

    /// The lanes that each traffic light holds for, by its id, with the places on them beside the light.
    pub(super) fn light_lanes(&self) -> BTreeMap<&str, Vec<(LaneId, DVec2)>> {
        let mut lanes: BTreeMap<&str, Vec<(LaneId, DVec2)>> = BTreeMap::new();
        for road in self.in_order() {
            let lights = road.signs.iter();
            for light in lights.filter(|sign| sign.kind == SignKind::Light) {
                let held = lanes.entry(&light.id).or_default();
                held.extend(lanes::stops(road, light));
            }
        }
        lanes
    }

    /// The lanes of the traffic lights of which nothing is known, all but those of these ids, with the places on them beside
    /// the lights; says so.
    pub(super) fn unlit(
        &self,
        shown: &BTreeSet<&str>,
        report: &mut Report,
    ) -> Vec<(LaneId, DVec2)> {
        let signs = self.in_order().flat_map(|road| &road.signs);
        let others = signs.filter(|sign| sign.kind == SignKind::OtherLight);
        let others: BTreeSet<&str> = others.map(|sign| sign.id.as_str()).collect();
        report.skip_many(
            "traffic lights for pedestrians, cyclists or trams",
            others.difference(shown).count(),
        );
        let mut unlit = Vec::new();
        let mut lights = 0;
        for (id, lanes) in self.light_lanes() {
            if shown.contains(id) {
                continue;
            }
            match lanes.is_empty() {
                true => report.skip("traffic lights that hold for no lane"),
                false => lights += 1,
            }
            unlit.extend(lanes);
        }
        if lights > 0 {
            let (lights, them) = match lights {
                1 => ("1 traffic light is".to_owned(), "it"),
                some => (format!("{some} traffic lights are"), "them"),
            };
            report.note(format!(
                "{lights} off: the file does not say what to show; set {them} in the scene"
            ));
        }
        unlit
    }

    fn in_order(&self) -> impl Iterator<Item = &Road> {
        self.order.iter().filter_map(|id| self.roads.get(id))
    }

    /// Where a lane's middle is at s of its road, `offset` metres to the left of the road's direction; heading along the
    /// lane's traffic. `None` if there is no such road or lane.
    pub(super) fn lane_pose(&self, road: &str, lane: i32, s: f64, offset: f64) -> Option<Pose> {
        let road = self.roads.get(road)?;
        let section = road.section_at(s);
        if lane != 0 && !section.lanes.contains_key(&lane) {
            return None;
        }
        let (inner, outer) = road.borders(section, lane, s);
        let pose = road.pose(s, 0.5 * (inner + outer) + offset);
        let turned = if lane == 0 || road.forward(lane) {
            0.0
        } else {
            std::f64::consts::PI
        };
        Some(Pose::new(pose.point, pose.heading + turned))
    }

    /// The place t to the left of a road's reference line at s, heading along s.
    pub(super) fn road_pose(&self, road: &str, s: f64, t: f64) -> Option<Pose> {
        Some(self.roads.get(road)?.pose(s, t))
    }

    /// The place `along` metres ahead of a point on a lane (its name in the map) in that lane's direction: so many lanes to
    /// the left of the road's direction, `offset` metres beside that lane's middle. `None` beyond the road's ends.
    pub(super) fn lane_from(
        &self,
        (lane, point): (&LaneId, DVec2),
        along: f64,
        lanes: i32,
        offset: f64,
    ) -> Option<Pose> {
        let (road, section, lane) = self.named(lane)?;
        let (s, _) = road.along(section, point);
        let s = s + if road.forward(lane) { along } else { -along };
        let moved = lane + lanes;
        // there is no lane 0 to be on
        let target = if lane.signum() == moved.signum() {
            moved
        } else {
            moved - lane.signum()
        };
        let within = (-1e-6..=road.length + 1e-6).contains(&s);
        within
            .then(|| self.lane_pose(&road.id, target, s, offset))
            .flatten()
    }

    /// The place `along` metres ahead of a point on a lane in that lane's direction, `left` metres to the left of the
    /// road's. `None` beyond the road's ends.
    pub(super) fn road_from(
        &self,
        (lane, point): (&LaneId, DVec2),
        along: f64,
        left: f64,
    ) -> Option<Pose> {
        let (road, section, lane) = self.named(lane)?;
        let (s, t) = road.along(section, point);
        let forward = road.forward(lane);
        let s = s + if forward { along } else { -along };
        let pose = road.pose(s, t + left);
        let turned = if forward { 0.0 } else { std::f64::consts::PI };
        let within = (-1e-6..=road.length + 1e-6).contains(&s);
        within.then(|| Pose::new(pose.point, pose.heading + turned))
    }

    /// Road, section and number of a lane by its name in the map.
    fn named(&self, lane: &LaneId) -> Option<(&Road, &Section, i32)> {
        let (road, section, number) = parts(lane)?;
        let road = self.roads.get(road)?;
        Some((road, road.sections.get(section)?, number))
    }
}

/// Road, section and number in the name of a lane in the map.
pub(super) fn parts(lane: &LaneId) -> Option<(&str, usize, i32)> {
    let mut parts = lane.as_str().rsplitn(3, '.');
    let (number, section, road) = (parts.next()?, parts.next()?, parts.next()?);
    Some((road, section.parse().ok()?, number.parse().ok()?))
}

/// The length of all pieces of a road's reference line together, m.
fn stated_length(road: &Element) -> f64 {
    let pieces = road.child("planView").into_iter();
    let pieces = pieces.flat_map(|plan| plan.all("geometry"));
    pieces
        .filter_map(|piece| piece.number_attribute("length"))
        .map(|length| length.max(0.0))
        .sum()
}

#[cfg(test)]
mod tests;
