//! OpenDRIVE 1.6 (`.xodr`) out: the lanes of a scene's map with their links, junctions, limits and traffic lights.
//!
//! Each lane becomes a road of its own: one straight piece for each piece of its centreline, one lane of constant width around
//! it. Roads overlap; where lanes fork or join, some of them are the connecting roads of a junction ([`links`]), which
//! `userData` says where the scene has them outside of any. What the format's structure says of order and attributes is kept to,
//! so that other programs can read it. One rule is not: where lanes fork or join again inside a junction, a connecting road leads
//! into another.

mod links;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::data::report::Report;
use crate::data::xml::escaped;
use crate::geometry::{DVec2, quantise};
use crate::map::{Lane, LaneId, LaneKind};
use crate::scene::{Scene, Signal, SignalState};
use links::{Links, Meets};

/// Shortest straight piece of a road, m.
const MIN_PIECE_M: f64 = 0.01;
/// Narrower lanes are written so wide, m: readers take what is narrower for a mark on the ground.
const LEAST_WIDTH_M: f64 = 0.5;
/// Height of the middle of a traffic light, m.
const LIGHT_HEIGHT_M: f64 = 4.0;

/// What a road's `userData` is called that says whether it lies in a junction, where its `junction` says otherwise.
pub(super) const IN_JUNCTION: &str = "nearmiss.in_junction";

/// A road network as text.
pub(super) struct Written<'a> {
    pub(super) text: String,
    /// The lanes that are written, each with the number of its road.
    pub(super) roads: BTreeMap<&'a LaneId, (usize, &'a Lane)>,
    /// Which road goes on in which.
    pub(super) ways: BTreeSet<(usize, usize)>,
    /// The traffic lights that are written, each with its number.
    pub(super) lights: Vec<(usize, &'a Signal)>,
}

impl Written<'_> {
    /// How many lanes, ways from one to the next, and lights are not in a scene read from the text; its lanes are named by
    /// their roads.
    pub(super) fn missing(&self, again: &Scene) -> [usize; 3] {
        let name = |road: usize| LaneId::new(format!("{road}.0.-1"));
        let lanes = self.roads.values().filter(|(road, lane)| {
            let found = again.map.lane(&name(*road));
            found.is_none_or(|found| found.kind != lane.kind)
        });
        let ways = self.ways.iter().filter(|(from, to)| {
            let found = again.map.lane(&name(*from));
            found.is_none_or(|found| !found.successors.contains(&name(*to)))
        });
        let lights = self.lights.iter().filter(|(_, light)| {
            let road = self.roads.get(&light.lane).map(|(road, _)| name(*road));
            let mut found = again.signals.iter();
            !found.any(|found| Some(&found.lane) == road.as_ref())
        });
        [lanes.count(), ways.count(), lights.count()]
    }
}

/// Writes the map and the places of the traffic lights.
pub(super) fn written<'a>(scene: &'a Scene, report: &mut Report) -> Written<'a> {
    let lanes = scene.map.lanes();
    let lines: Vec<Vec<DVec2>> = lanes.iter().map(points).collect();
    let is_written: Vec<bool> = lines.iter().map(|line| line.len() > 1).collect();
    let short = is_written.iter().filter(|is_written| !**is_written).count();
    report.skip_many("lanes shorter than a centimetre", short);
    let links = Links::of(lanes, &is_written);
    let roads: BTreeMap<&LaneId, (usize, &Lane)> = lanes
        .iter()
        .enumerate()
        .filter(|(at, _)| is_written[*at])
        .map(|(at, lane)| (&lane.id, (at + 1, lane)))
        .collect();
    let mut lights: Vec<(usize, &Signal)> = Vec::new();
    let mut by_road: BTreeMap<usize, (usize, &Signal)> = BTreeMap::new();
    for (at, light) in scene.signals.iter().enumerate() {
        let road = roads.get(&light.lane).map(|(road, _)| *road);
        match road.filter(|road| !by_road.contains_key(road)) {
            Some(road) => {
                lights.push((at + 1, light));
                by_road.insert(road, (at + 1, light));
            }
            None => report.skip("traffic lights of lanes that are not written or have another"),
        }
    }
    let mut narrow = 0;
    let mut out = header(scene);
    for (at, lane) in lanes.iter().enumerate().filter(|(at, _)| is_written[*at]) {
        let light = by_road.get(&(at + 1)).copied();
        narrow += usize::from(lane.width_or_default() < LEAST_WIDTH_M);
        road((at, lane), &lines[at], light, &links, &mut out);
    }
    for (junction, connections) in &links.connections {
        junction_of(lanes.len() + 1 + junction, connections, &mut out);
    }
    out.push_str("</OpenDRIVE>\n");
    if narrow > 0 {
        let lanes = if narrow == 1 { "lane is" } else { "lanes are" };
        report.note(format!(
            "{narrow} {lanes} narrower than {LEAST_WIDTH_M} m and written so wide"
        ));
    }
    let ways = links.ways.iter().map(|(from, to)| (from + 1, to + 1));
    Written {
        text: out,
        roads,
        ways: ways.collect(),
        lights,
    }
}

fn header(scene: &Scene) -> String {
    let (low, high) = scene.map.bounds().unwrap_or_default();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<OpenDRIVE>\n  <header revMajor=\"1\" revMinor=\"6\" name=\"{}\" version=\"1.00\" date=\"1970-01-01T00:00:00\" north=\"{}\" south=\"{}\" east=\"{}\" west=\"{}\" vendor=\"Nearmiss\"/>\n",
        escaped(&scene.name),
        high.y,
        low.y,
        high.x,
        low.x
    )
}

/// The points of a centreline, none nearer than a centimetre to the one before.
fn points(lane: &Lane) -> Vec<DVec2> {
    let mut points: Vec<DVec2> = Vec::new();
    for &point in lane.centreline.points() {
        if points
            .last()
            .is_none_or(|last| last.distance(point) >= MIN_PIECE_M)
        {
            points.push(point);
        }
    }
    points
}

fn width(lane: &Lane) -> f64 {
    quantise(lane.width_or_default()).max(LEAST_WIDTH_M)
}

/// The type of a lane, as it is read back.
fn kind(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Street | LaneKind::Freeway => "driving",
        LaneKind::Bus => "bus",
        LaneKind::Bike => "biking",
        LaneKind::Walk => "sidewalk",
        LaneKind::Other => "shoulder",
    }
}

fn road(
    (at, lane): (usize, &Lane),
    points: &[DVec2],
    light: Option<(usize, &Signal)>,
    links: &Links,
    out: &mut String,
) {
    let first_junction = links.before.len() + 1;
    let pieces: Vec<(DVec2, DVec2)> = points
        .windows(2)
        .map(|ends| (ends[0], ends[1] - ends[0]))
        .collect();
    let length: f64 = pieces.iter().map(|(_, edge)| edge.length()).sum();
    let junction = links.through[at].map(|junction| first_junction + junction);
    let _ = writeln!(
        out,
        "  <road name=\"{}\" length=\"{length}\" id=\"{}\" junction=\"{}\">",
        escaped(lane.id.as_str()),
        at + 1,
        junction.map_or_else(|| "-1".to_owned(), |junction| junction.to_string())
    );
    let ends = [
        ("predecessor", links.before[at], "end"),
        ("successor", links.after[at], "start"),
    ];
    let mut of_lane = String::new();
    out.push_str("    <link>");
    for (end, meets, contact) in ends {
        let _ = match meets {
            Meets::Nothing => Ok(()),
            Meets::Road(other) => {
                let _ = write!(of_lane, "<{end} id=\"-1\"/>");
                write!(
                    out,
                    "<{end} elementType=\"road\" elementId=\"{}\" contactPoint=\"{contact}\"/>",
                    other + 1
                )
            }
            Meets::Junction(junction) => write!(
                out,
                "<{end} elementType=\"junction\" elementId=\"{}\"/>",
                first_junction + junction
            ),
        };
    }
    out.push_str("</link>\n");
    if lane.kind == LaneKind::Freeway {
        out.push_str("    <type s=\"0\" type=\"motorway\"/>\n");
    }
    out.push_str("    <planView>\n");
    let mut s = 0.0;
    for (from, edge) in &pieces {
        let _ = writeln!(
            out,
            "      <geometry s=\"{s}\" x=\"{}\" y=\"{}\" hdg=\"{}\" length=\"{}\"><line/></geometry>",
            from.x,
            from.y,
            edge.to_angle(),
            edge.length()
        );
        s += edge.length();
    }
    let width = width(lane);
    let speed = lane.speed_limit.map_or_else(String::new, |limit| {
        format!("<speed sOffset=\"0\" max=\"{limit}\" unit=\"m/s\"/>")
    });
    let _ = writeln!(
        out,
        "    </planView>\n    <lanes>\n      <laneOffset s=\"0\" a=\"{}\" b=\"0\" c=\"0\" d=\"0\"/>\n      <laneSection s=\"0\">\n        <center><lane id=\"0\" type=\"none\" level=\"false\"/></center>\n        <right><lane id=\"-1\" type=\"{}\" level=\"false\"><link>{of_lane}</link><width sOffset=\"0\" a=\"{width}\" b=\"0\" c=\"0\" d=\"0\"/>{speed}</lane></right>\n      </laneSection>\n    </lanes>",
        width / 2.0,
        kind(lane.kind)
    );
    if let Some((id, light)) = light {
        // it holds where vehicles stop, at the road's end where that is not known
        let stop = light.stop_point.map(|point| along(&pieces, point));
        let _ = writeln!(
            out,
            "    <signals><signal s=\"{}\" t=\"{}\" id=\"{id}\" name=\"Signal_{id}\" dynamic=\"yes\" orientation=\"+\" zOffset=\"{LIGHT_HEIGHT_M}\" height=\"0.9\" width=\"0.3\" country=\"OpenDRIVE\" type=\"1000001\" subtype=\"-1\" value=\"-1\"><validity fromLane=\"-1\" toLane=\"-1\"/></signal></signals>",
            stop.unwrap_or(length),
            -width / 2.0
        );
    }
    if junction.is_some() != lane.in_junction {
        let _ = writeln!(
            out,
            "    <userData code=\"{IN_JUNCTION}\" value=\"{}\"/>",
            lane.in_junction
        );
    }
    out.push_str("  </road>\n");
}

/// How far along a road its place nearest to a point is, m.
fn along(pieces: &[(DVec2, DVec2)], point: DVec2) -> f64 {
    let mut nearest = (f64::INFINITY, 0.0);
    let mut s = 0.0;
    for &(from, edge) in pieces {
        let length = edge.length();
        let ahead = ((point - from).dot(edge) / length).clamp(0.0, length);
        let gap = (from + edge * (ahead / length)).distance(point);
        if gap < nearest.0 {
            nearest = (gap, s + ahead);
        }
        s += length;
    }
    nearest.1
}

fn junction_of(id: usize, connections: &[(usize, usize)], out: &mut String) {
    let _ = writeln!(out, "  <junction name=\"Junction_{id}\" id=\"{id}\">");
    for (number, (from, to)) in connections.iter().enumerate() {
        let _ = writeln!(
            out,
            "    <connection id=\"{number}\" incomingRoad=\"{}\" connectingRoad=\"{}\" contactPoint=\"start\"><laneLink from=\"-1\" to=\"-1\"/></connection>",
            from + 1,
            to + 1
        );
    }
    out.push_str("  </junction>\n");
}

/// What a light's three lamps do, from the top.
pub(super) fn lamps(state: SignalState) -> &'static str {
    match state {
        SignalState::Unknown => "off;off;off",
        SignalState::Red => "on;off;off",
        SignalState::Yellow => "off;on;off",
        SignalState::Green => "off;off;on",
        SignalState::FlashingRed => "flashing;off;off",
        SignalState::FlashingYellow => "off;flashing;off",
    }
}

#[cfg(test)]
mod tests;
