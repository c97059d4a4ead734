//! Roads to lanes in their driving direction, with borders, neighbours, links and painted lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::Network;
use super::road::{LaneText, Road, Section, Target};
use super::sign::{Sign, SignKind};
use crate::data::OpenError;
use crate::data::draft::MAX_MAP_POINTS;
use crate::data::report::Report;
use crate::geometry::{DVec2, Polyline, simplified};
use crate::map::{Area, AreaKind, Lane, LaneId, LaneKind, Line, LineKind, MapParts, StopSign};

/// Between two places at which a curved or widening lane is measured, m.
const STEP_M: f64 = 1.5;
/// A point is left out if the way without it stays nearer than this, m.
const FLAT_M: f64 = 0.01;
/// Lanes that are nowhere wider are left out, m.
const LEAST_WIDTH_M: f64 = 0.5;

/// A lane of a section, by road, section and id.
type Key<'a> = (&'a str, usize, i32);

/// Everything of a network.
pub(super) fn build(
    network: &Network,
    path: &Path,
    report: &mut Report,
) -> Result<MapParts, OpenError> {
    let mut parts = MapParts::default();
    let mut places: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    let mut points = 0_usize;
    for road in network.in_order() {
        for (number, section) in road.sections.iter().enumerate() {
            let stations = stations(road, section);
            points = points.saturating_add(stations.len() * 3 * section.lanes.len());
            OpenError::within(path, "number of map points", points, MAX_MAP_POINTS)?;
            for (&id, text) in section.lanes.iter() {
                parts
                    .lines
                    .extend(painted(road, section, id, text, &stations));
                let Some(kind) = kind(road, section, text) else {
                    continue;
                };
                match lane(road, (number, section), id, kind, &stations) {
                    Some(lane) => {
                        places.insert((&road.id, number, id), parts.lanes.len());
                        parts.lanes.push(lane);
                    }
                    None => report.skip("lanes without width or length"),
                }
            }
        }
        let crossings = road.crossings.iter();
        parts
            .areas
            .extend(crossings.map(|polygon| Area::new(AreaKind::Crossing, polygon.clone())));
    }
    for (from, to) in links(network) {
        if let (Some(&from), Some(&to)) = (places.get(&from), places.get(&to)) {
            let (before, after) = (parts.lanes[from].id.clone(), parts.lanes[to].id.clone());
            parts.lanes[from].successors.push(after);
            parts.lanes[to].predecessors.push(before);
        }
    }
    neighbours(network, &places, &mut parts.lanes);
    for road in network.in_order() {
        for sign in road.signs.iter().filter(|sign| sign.kind == SignKind::Stop) {
            let held = held(road, sign)
                .into_iter()
                .filter_map(|key| Some(&parts.lanes[*places.get(&key)?]));
            // on a way through a junction it holds for those who come to it
            let lanes: BTreeSet<LaneId> = held
                .flat_map(
                    |lane| match lane.in_junction && !lane.predecessors.is_empty() {
                        true => lane.predecessors.clone(),
                        false => vec![lane.id.clone()],
                    },
                )
                .collect();
            let point = road.pose(sign.s, sign.t).point;
            let lanes = lanes.into_iter().collect();
            parts.stop_signs.push(StopSign::new(point, lanes));
        }
    }
    Ok(parts)
}

/// The lanes that a sign holds for, of the sections from which their traffic comes to it: those for vehicles, or others where it
/// names only such.
fn held<'a>(road: &'a Road, sign: &'a Sign) -> Vec<Key<'a>> {
    let mut found: [Vec<Key<'_>>; 2] = Default::default();
    for forward in [true, false] {
        let before = if forward {
            sign.s - 0.01
        } else {
            sign.s + 0.01
        };
        let number = road.section_number(before);
        let section = &road.sections[number];
        for (&id, text) in section.lanes.iter() {
            let Some(kind) = kind(road, section, text) else {
                continue;
            };
            if road.forward(id) == forward && sign.holds_for(id, forward) {
                let vehicles = matches!(kind, LaneKind::Street | LaneKind::Freeway | LaneKind::Bus);
                found[usize::from(!vehicles)].push((road.id.as_str(), number, id));
            }
        }
    }
    let [vehicles, others] = found;
    match vehicles.is_empty() && sign.names_lanes() {
        true => others,
        false => vehicles,
    }
}

/// Each lane that a sign holds for, by its name in the map, and the place on it beside the sign.
pub(super) fn stops(road: &Road, sign: &Sign) -> Vec<(LaneId, DVec2)> {
    let place = |key: Key<'_>| {
        let (inner, outer) = road.borders(&road.sections[key.1], key.2, sign.s);
        road.pose(sign.s, 0.5 * (inner + outer)).point
    };
    let held = held(road, sign).into_iter();
    held.filter(|key| has_width(road, *key))
        .map(|key| (LaneId::new(name(key)), place(key)))
        .collect()
}

/// Whether a lane is anywhere wide enough to be in the map, as far as its ends and its middle tell.
fn has_width(road: &Road, (_, number, id): Key<'_>) -> bool {
    let section = &road.sections[number];
    [section.s, 0.5 * (section.s + section.end), section.end]
        .into_iter()
        .any(|s| {
            let (inner, outer) = road.borders(section, id, s);
            (outer - inner).abs() >= LEAST_WIDTH_M
        })
}

/// What a lane is called in the scene.
fn name((road, section, lane): Key<'_>) -> String {
    format!("{road}.{section}.{lane}")
}

/// Where a section is measured: where anything begins, and in between as often as its shape asks for.
fn stations(road: &Road, section: &Section) -> Vec<f64> {
    let (from, to) = (section.s, section.end);
    let mut marks: Vec<f64> = vec![from, to];
    marks.extend(road.line.starts());
    marks.extend(road.offset.starts());
    for text in section.lanes.values() {
        let widths = text.width.starts().chain(text.border.starts());
        marks.extend(
            widths
                .chain(text.marks.iter().map(|mark| mark.0))
                .map(|start| section.origin + start),
        );
    }
    marks.retain(|s| (from..=to).contains(s));
    marks.sort_by(f64::total_cmp);
    marks.dedup_by(|a, b| *a - *b < 1e-6);
    let even = road.offset.is_constant()
        && section
            .lanes
            .values()
            .all(|text| text.width.is_constant() && text.border.is_constant());
    let mut stations = Vec::new();
    for pair in marks.windows(2) {
        let span = pair[1] - pair[0];
        let parts = match even && road.line.is_straight(pair[0], pair[1]) {
            true => 1,
            false => ((span / STEP_M).ceil() as usize).clamp(1, MAX_MAP_POINTS),
        };
        stations.extend((0..parts).map(|part| pair[0] + span * part as f64 / parts as f64));
        if stations.len() > MAX_MAP_POINTS {
            return stations; // the caller refuses so many
        }
    }
    stations.extend(marks.last());
    stations
}

/// What a lane is for; `None` for what is none to be on.
fn kind(road: &Road, section: &Section, text: &LaneText) -> Option<LaneKind> {
    match text.kind.as_str() {
        "driving" | "entry" | "exit" | "onRamp" | "offRamp" | "connectingRamp" | "slipLane"
        | "bidirectional" | "taxi" | "HOV" | "mwyEntry" | "mwyExit" | "shared" => {
            Some(if road.is_motorway(section) {
                LaneKind::Freeway
            } else {
                LaneKind::Street
            })
        }
        "bus" => Some(LaneKind::Bus),
        "biking" => Some(LaneKind::Bike),
        "sidewalk" | "walking" => Some(LaneKind::Walk),
        "shoulder" | "stop" | "parking" => Some(LaneKind::Other),
        _ => None,
    }
}

/// The points t(s) to the left of the reference line, without those that say nothing.
fn along(road: &Road, stations: &[f64], t: impl Fn(f64) -> f64) -> Vec<DVec2> {
    let points: Vec<DVec2> = stations.iter().map(|&s| road.pose(s, t(s)).point).collect();
    simplified(&points, FLAT_M)
}

fn lane(
    road: &Road,
    (number, section): (usize, &Section),
    id: i32,
    kind: LaneKind,
    stations: &[f64],
) -> Option<Lane> {
    let borders = |s: f64| road.borders(section, id, s);
    let widths: Vec<f64> = stations
        .iter()
        .map(|&s| {
            let (inner, outer) = borders(s);
            (outer - inner).abs()
        })
        .collect();
    if widths.iter().copied().fold(0.0, f64::max) < LEAST_WIDTH_M {
        return None;
    }
    let mut centre = along(road, stations, |s| {
        let (inner, outer) = borders(s);
        0.5 * (inner + outer)
    });
    let mut left = along(road, stations, |s| borders(s).0.max(borders(s).1));
    let mut right = along(road, stations, |s| borders(s).0.min(borders(s).1));
    if !road.forward(id) {
        centre.reverse();
        left.reverse();
        right.reverse();
        std::mem::swap(&mut left, &mut right);
    }
    let mut sorted = widths;
    sorted.sort_by(f64::total_cmp);
    Some(Lane {
        in_junction: road.in_junction,
        left_border: left,
        right_border: right,
        width: Some(sorted[sorted.len() / 2]),
        speed_limit: road.limit(section, id),
        ..Lane::new(name((&road.id, number, id)), kind, Polyline::new(centre)?)
    })
}

/// The lines painted on the outer border of a lane (of lane 0: on the middle of the road).
fn painted(
    road: &Road,
    section: &Section,
    id: i32,
    text: &LaneText,
    stations: &[f64],
) -> Vec<Line> {
    let mut lines = Vec::new();
    for (index, (from, kind, colour)) in text.marks.iter().enumerate() {
        let Some(kind) = line_kind(kind, colour) else {
            continue;
        };
        let next = text
            .marks
            .get(index + 1)
            .map(|mark| section.origin + mark.0);
        let (from, to) = (section.origin + from, next.unwrap_or(section.end));
        let within = |s: &f64| (from - 1e-6..=to + 1e-6).contains(s);
        let part: Vec<f64> = stations.iter().copied().filter(within).collect();
        let points = along(road, &part, |s| road.borders(section, id, s).1);
        if points.len() > 1 {
            lines.push(Line::new(kind, points));
        }
    }
    lines
}

fn line_kind(kind: &str, colour: &str) -> Option<LineKind> {
    let yellow = matches!(colour, "yellow" | "orange");
    match (kind, yellow) {
        ("none" | "", _) => None,
        ("curb" | "edge" | "grass", _) => Some(LineKind::Edge),
        (dashed, true) if dashed.starts_with("broken") => Some(LineKind::BrokenYellow),
        (dashed, false) if dashed.starts_with("broken") => Some(LineKind::BrokenWhite),
        (solid, true) if solid.starts_with("solid") => Some(LineKind::SolidYellow),
        (solid, false) if solid.starts_with("solid") => Some(LineKind::SolidWhite),
        _ => Some(LineKind::Other),
    }
}

/// Which lane goes on in which: pairs in driving direction.
fn links(network: &Network) -> BTreeSet<(Key<'_>, Key<'_>)> {
    // a lane's end: which lane, and whether it is the end with the larger s
    let mut meet: BTreeSet<((Key<'_>, bool), (Key<'_>, bool))> = BTreeSet::new();
    for road in network.in_order() {
        let last = road.sections.len() - 1;
        for number in 0..last {
            let (section, next) = (&road.sections[number], &road.sections[number + 1]);
            // two parts of one section of the file
            if Arc::ptr_eq(&section.lanes, &next.lanes) {
                for &id in section.lanes.keys() {
                    meet.insert((
                        ((&road.id, number, id), true),
                        ((&road.id, number + 1, id), false),
                    ));
                }
                continue;
            }
            for (&id, text) in section.lanes.iter() {
                for &next in &text.successors {
                    meet.insert((
                        ((&road.id, number, id), true),
                        ((&road.id, number + 1, next), false),
                    ));
                }
            }
            for (&id, text) in next.lanes.iter() {
                for &before in &text.predecessors {
                    meet.insert((
                        ((&road.id, number, before), true),
                        ((&road.id, number + 1, id), false),
                    ));
                }
            }
        }
        for (at_end, target) in [(false, &road.predecessor), (true, &road.successor)] {
            let Some(Target::Road(other, starts)) = target else {
                continue;
            };
            let Some(other) = network.roads.get(other) else {
                continue;
            };
            let number = if at_end { last } else { 0 };
            let there = if *starts { 0 } else { other.sections.len() - 1 };
            for (&id, text) in road.sections[number].lanes.iter() {
                let linked = if at_end {
                    &text.successors
                } else {
                    &text.predecessors
                };
                for &lane in linked {
                    meet.insert((
                        ((&road.id, number, id), at_end),
                        ((&other.id, there, lane), !*starts),
                    ));
                }
            }
        }
    }
    for connection in &network.connections {
        let roads = &network.roads;
        let (Some(incoming), Some(through)) = (
            roads.get(&connection.incoming),
            roads.get(&connection.connecting),
        ) else {
            continue;
        };
        let contact = if connection.at_start {
            0.0
        } else {
            through.length
        };
        let place = through.line.pose_at(contact).point;
        let here = |target: &Option<Target>| {
            *target == Some(Target::Junction(connection.junction.clone()))
        };
        let at_end = match (here(&incoming.predecessor), here(&incoming.successor)) {
            (false, true) => true,
            (true, false) => false,
            // both ends, or neither, meet the junction: the nearer one
            _ => {
                let gap = |s: f64| incoming.line.pose_at(s).point.distance(place);
                gap(incoming.length) < gap(0.0)
            }
        };
        let number = if at_end {
            incoming.sections.len() - 1
        } else {
            0
        };
        let there = if connection.at_start {
            0
        } else {
            through.sections.len() - 1
        };
        for &(from, to) in &connection.lanes {
            meet.insert((
                ((&incoming.id, number, from), at_end),
                ((&through.id, there, to), !connection.at_start),
            ));
        }
    }
    let leaves = |(key, at_end): (Key<'_>, bool)| {
        network
            .roads
            .get(key.0)
            .is_some_and(|road| road.forward(key.2) == at_end)
    };
    let directed = meet
        .into_iter()
        .filter_map(|(a, b)| match (leaves(a), leaves(b)) {
            (true, false) => Some((a.0, b.0)),
            (false, true) => Some((b.0, a.0)),
            _ => None,
        });
    directed.collect()
}

/// Lanes side by side in the same direction.
fn neighbours(network: &Network, places: &BTreeMap<Key<'_>, usize>, lanes: &mut [Lane]) {
    for (&(road, section, id), &place) in places {
        let Some(found) = network.roads.get(road) else {
            continue;
        };
        let forward = found.forward(id);
        let up = if id == -1 { 1 } else { id + 1 };
        let down = if id == 1 { -1 } else { id - 1 };
        for (other, is_left) in [(up, forward), (down, !forward)] {
            if found.forward(other) != forward {
                continue;
            }
            if let Some(&other) = places.get(&(road, section, other)) {
                let neighbour = Some(lanes[other].id.clone());
                if is_left {
                    lanes[place].left_neighbour = neighbour;
                } else {
                    lanes[place].right_neighbour = neighbour;
                }
            }
        }
    }
}
