//! SUMO networks (`.net.xml`): lanes, connections, junctions, light programs.

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::data::draft::{MAX_MAP_POINTS, point};
use crate::data::report::Report;
use crate::data::xml::{Element, XmlError, XmlReader, number};
use crate::geometry::{DVec2, Polyline};
use crate::map::{Area, AreaKind, Lane, LaneId, LaneKind, Line, LineKind, MapParts};
use crate::scene::{Signal, SignalState};

/// Width of a lane that names none, m.
const LANE_WIDTH_M: f64 = 3.2;

/// From this speed limit on a road counts as a motorway: 25 m/s = 90 km/h.
const MOTORWAY_MPS: f64 = 25.0;

/// Most cells (lights times frames) of the signals of one scene.
const MAX_SIGNAL_CELLS: usize = 4_000_000;

/// A network as read.
#[derive(Debug, Default)]
pub(super) struct Net {
    lanes: Vec<NetLane>,
    by_id: BTreeMap<String, usize>,
    connections: Vec<Connection>,
    areas: Vec<Area>,
    pub(super) programs: BTreeMap<String, Program>,
    left_hand: bool,
    points: usize,
}

#[derive(Debug)]
struct NetLane {
    id: String,
    edge: String,
    index: usize,
    kind: LaneKind,
    in_junction: bool,
    speed: Option<f64>,
    width: f64,
    line: Polyline,
    /// The length SUMO counts positions by, m.
    length: f64,
}

#[derive(Debug)]
struct Connection {
    from: String,
    to: String,
    via: Option<String>,
    light: Option<(String, usize)>,
}

/// A light program: phases in turn, from a phase begin at `offset` seconds.
#[derive(Debug, Default, Clone)]
pub(super) struct Program {
    pub(super) offset_s: f64,
    /// Duration (s) and one letter per link.
    pub(super) phases: Vec<(f64, String)>,
    /// Whether the phases last as long as they say.
    pub(super) is_fixed: bool,
}

impl Program {
    /// Reads a `tlLogic`.
    pub(super) fn read(element: &Element) -> Self {
        let phases = element.all("phase").filter_map(|phase| {
            let duration = phase.number_attribute("duration")?;
            let state = phase.attribute("state")?.to_owned();
            (duration > 0.0).then_some((duration, state))
        });
        Self {
            offset_s: element.number_attribute("offset").unwrap_or(0.0),
            phases: phases.take(10_000).collect(),
            is_fixed: element
                .attribute("type")
                .is_none_or(|kind| kind == "static"),
        }
    }

    /// What link `link` shows at simulation time `time_s`.
    pub(super) fn at(&self, time_s: f64, link: usize) -> SignalState {
        let cycle: f64 = self.phases.iter().map(|(duration, _)| duration).sum();
        if !self.is_fixed || cycle <= 0.0 || !cycle.is_finite() {
            return SignalState::Unknown;
        }
        let mut position = (time_s - self.offset_s + 1e-6).rem_euclid(cycle);
        for (duration, state) in &self.phases {
            if position < *duration {
                return state_of(state.as_bytes().get(link).copied());
            }
            position -= duration;
        }
        SignalState::Unknown
    }
}

fn state_of(letter: Option<u8>) -> SignalState {
    match letter {
        // u: red with yellow, still stop
        Some(b'r' | b'u') => SignalState::Red,
        Some(b'y' | b'Y') => SignalState::Yellow,
        Some(b'g' | b'G') => SignalState::Green,
        // s: turn right on red after stopping
        Some(b's') => SignalState::FlashingRed,
        Some(b'o') => SignalState::FlashingYellow,
        _ => SignalState::Unknown,
    }
}

impl Net {
    /// Reads the text of a network of at most `limit` bytes.
    pub(super) fn read(
        text: impl BufRead,
        limit: u64,
        report: &mut Report,
    ) -> Result<Self, XmlError> {
        let mut net = Self::default();
        let mut xml = XmlReader::new(text, limit);
        let root = xml.root()?;
        if root.name != "net" {
            let message = format!("the root element is <{}>, not <net>", root.name);
            return Err(XmlError { at: 0, message });
        }
        net.left_hand = root
            .attribute("lefthand")
            .is_some_and(|text| text == "true" || text == "1");
        let wanted = ["edge", "connection", "junction", "tlLogic"];
        while let Some(element) = xml.next_child(|child| wanted.contains(&child.name.as_str()))? {
            match element.name.as_str() {
                "edge" => net.edge(&element, report),
                "connection" => net.connections.extend(connection(&element)),
                "tlLogic" => {
                    let id = element.attribute("id").unwrap_or_default().to_owned();
                    net.programs.insert(id, Program::read(&element));
                }
                _ => net.junction(&element),
            }
            if net.points > MAX_MAP_POINTS {
                let message = format!("more than {MAX_MAP_POINTS} points in lanes");
                return Err(XmlError { at: 0, message });
            }
        }
        Ok(net)
    }

    fn edge(&mut self, element: &Element, report: &mut Report) {
        let edge = element.attribute("id").unwrap_or_default();
        let function = element.attribute("function").unwrap_or("normal");
        let kind_name = element.attribute("type").unwrap_or_default();
        for lane in element.all("lane") {
            let Some(id) = lane.attribute("id") else {
                continue;
            };
            let shape = points(lane.attribute("shape").unwrap_or_default());
            self.points += shape.len();
            let width = lane.number_attribute("width").filter(|width| *width > 0.0);
            let width = width.unwrap_or(LANE_WIDTH_M);
            if function == "walkingarea" {
                let kind = AreaKind::Sidewalk;
                let polygon = shape;
                self.areas.push(Area::new(kind, polygon));
                continue;
            }
            let Some(line) = Polyline::new(shape) else {
                // netconvert leaves such stubs where a junction has no extent
                report.skip("lanes of a single point");
                continue;
            };
            if function == "crossing" {
                let kind = AreaKind::Crossing;
                let polygon = band(&line, width / 2.0);
                self.areas.push(Area::new(kind, polygon));
                continue;
            }
            let speed = lane.number_attribute("speed");
            let fast = speed.is_some_and(|speed| speed >= MOTORWAY_MPS);
            let motorway = kind_name.contains("motorway") || fast;
            let kind = lane_kind(
                lane.attribute("allow"),
                lane.attribute("disallow"),
                motorway,
            );
            let length = lane
                .number_attribute("length")
                .filter(|length| *length > 0.0);
            self.by_id.insert(id.to_owned(), self.lanes.len());
            self.lanes.push(NetLane {
                id: id.to_owned(),
                edge: edge.to_owned(),
                index: index_of(lane, id),
                kind,
                in_junction: function == "internal",
                speed,
                width,
                length: length.unwrap_or(line.length()),
                line,
            });
        }
    }

    fn junction(&mut self, element: &Element) {
        let polygon = points(element.attribute("shape").unwrap_or_default());
        let ends = element
            .attribute("type")
            .is_some_and(|kind| kind == "dead_end");
        if polygon.len() >= 3 && !ends {
            self.points += polygon.len();
            let kind = AreaKind::Junction;
            self.areas.push(Area::new(kind, polygon));
        }
    }

    /// True if nothing was read.
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// How many lanes there are.
    pub(super) fn lane_count(&self) -> usize {
        self.lanes.len()
    }

    /// Whether a lane is in the network.
    pub(super) fn has_lane(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// The point at SUMO's position `pos` (m) on a lane.
    pub(super) fn point_on(&self, lane: &str, pos: f64) -> Option<DVec2> {
        let lane = &self.lanes[*self.by_id.get(lane)?];
        Some(lane.line.point_at(pos * lane.line.length() / lane.length))
    }

    /// The map (only what touches the rectangle, if one is given), and the signals at `frames` times `dt_s` apart
    /// from `start_s`.
    pub(super) fn build(
        &self,
        within: Option<(DVec2, DVec2)>,
        (start_s, dt_s, frames): (f64, f64, usize),
        report: &mut Report,
    ) -> (MapParts, Vec<Signal>) {
        let touches = |points: &[DVec2]| {
            within.is_none_or(|(low, high)| {
                let (from, to) = bounds(points);
                from.x <= high.x && from.y <= high.y && to.x >= low.x && to.y >= low.y
            })
        };
        let mut parts = MapParts::default();
        let kept: Vec<bool> = self
            .lanes
            .iter()
            .map(|lane| touches(lane.line.points()))
            .collect();
        let is_kept = |id: &str| self.by_id.get(id).is_some_and(|&index| kept[index]);
        let mut position: BTreeMap<&str, usize> = BTreeMap::new();
        let by_place: BTreeMap<(&str, usize), &str> = self
            .lanes
            .iter()
            .map(|lane| ((lane.edge.as_str(), lane.index), lane.id.as_str()))
            .collect();
        for lane in self.lanes.iter().filter(|lane| is_kept(&lane.id)) {
            position.insert(&lane.id, parts.lanes.len());
            let beside = |index: Option<usize>| {
                let place = (lane.edge.as_str(), index?);
                by_place
                    .get(&place)
                    .copied()
                    .filter(|id| is_kept(id))
                    .map(LaneId::new)
            };
            let inner = beside(lane.index.checked_add(1));
            let outer = beside(lane.index.checked_sub(1));
            let has_inner = inner.is_some();
            let mut made = lane.made();
            (made.left_neighbour, made.right_neighbour) = if self.left_hand {
                (outer, inner)
            } else {
                (inner, outer)
            };
            if !lane.in_junction && lane.kind != LaneKind::Walk {
                let sides = [&made.left_border, &made.right_border];
                let [inner_side, outer_side] = if self.left_hand {
                    [sides[1], sides[0]]
                } else {
                    sides
                };
                let inner_kind = if has_inner {
                    LineKind::BrokenWhite
                } else {
                    LineKind::SolidWhite
                };
                let mut draw = |kind, points: &Vec<DVec2>| {
                    let points = points.clone();
                    parts.lines.push(Line::new(kind, points));
                };
                draw(inner_kind, inner_side);
                if lane.index == 0 {
                    draw(LineKind::Edge, outer_side);
                }
            }
            parts.lanes.push(made);
        }
        self.join(&mut parts.lanes, &position);
        parts.areas = self
            .areas
            .iter()
            .filter(|area| touches(&area.polygon))
            .cloned()
            .collect();
        let signals = self.signals(&position, (start_s, dt_s, frames), report);
        (parts, signals)
    }

    /// Successors and predecessors: from a lane over its internal lanes to the next.
    fn join(&self, lanes: &mut [Lane], position: &BTreeMap<&str, usize>) {
        let continued: Vec<&str> = self
            .connections
            .iter()
            .map(|connection| connection.from.as_str())
            .collect();
        let mut continued = continued;
        continued.sort_unstable();
        let mut link = |from: &str, to: &str| {
            let (Some(&before), Some(&after)) = (position.get(from), position.get(to)) else {
                return;
            };
            let next = LaneId::new(to);
            if !lanes[before].successors.contains(&next) {
                lanes[before].successors.push(next);
                lanes[after].predecessors.push(LaneId::new(from));
            }
        };
        for connection in &self.connections {
            match connection
                .via
                .as_deref()
                .filter(|via| position.contains_key(via))
            {
                Some(via) => {
                    link(&connection.from, via);
                    if continued.binary_search(&via).is_err() {
                        link(via, &connection.to);
                    }
                }
                None => link(&connection.from, &connection.to),
            }
        }
    }

    /// One signal per controlled connection, on its first internal lane (on the lane before the junction where the
    /// network has no internal lanes); vehicles stop at the end of the lane before.
    fn signals(
        &self,
        position: &BTreeMap<&str, usize>,
        (start_s, dt_s, frames): (f64, f64, usize),
        report: &mut Report,
    ) -> Vec<Signal> {
        let mut signals: BTreeMap<&str, Signal> = BTreeMap::new();
        let mut unfixed = 0;
        for connection in &self.connections {
            let Some((light, link)) = &connection.light else {
                continue;
            };
            let Some(program) = self.programs.get(light) else {
                continue;
            };
            let via = connection
                .via
                .as_deref()
                .filter(|via| position.contains_key(via));
            let lane = via.unwrap_or(&connection.from);
            if !position.contains_key(lane) || signals.contains_key(lane) {
                continue;
            }
            unfixed += usize::from(!program.is_fixed);
            if (signals.len() + 1) * frames > MAX_SIGNAL_CELLS {
                report.skip("signals beyond the limit");
                continue;
            }
            let before = self.by_id.get(&connection.from);
            signals.insert(
                lane,
                Signal::new(
                    LaneId::new(lane),
                    before.map(|&index| self.lanes[index].line.end()),
                    (0..frames)
                        .map(|frame| program.at(start_s + frame as f64 * dt_s, *link))
                        .collect(),
                ),
            );
        }
        report.skip_many(
            "states of signals that react to traffic (their programs say no times)",
            unfixed,
        );
        signals.into_values().collect()
    }
}

impl NetLane {
    fn made(&self) -> Lane {
        let mut lane = Lane::new(&self.id, self.kind, self.line.clone());
        lane.in_junction = self.in_junction;
        lane.width = Some(self.width);
        lane.speed_limit = self.speed.filter(|speed| *speed > 0.0);
        let side = |left: f64| {
            let line = self.line.shifted(left);
            line.map(|line| line.points().to_vec()).unwrap_or_default()
        };
        lane.left_border = side(self.width / 2.0);
        lane.right_border = side(-self.width / 2.0);
        lane
    }
}

fn connection(element: &Element) -> Option<Connection> {
    let from = element.attribute("from")?;
    let to = element.attribute("to")?;
    let lane = |edge: &str, index: &str| Some(format!("{edge}_{}", element.attribute(index)?));
    let link = element
        .attribute("linkIndex")
        .and_then(|link| link.parse().ok());
    Some(Connection {
        from: lane(from, "fromLane")?,
        to: lane(to, "toLane")?,
        via: element.attribute("via").map(str::to_owned),
        light: element.attribute("tl").map(str::to_owned).zip(link),
    })
}

/// A lane's index: as stated, else the last part of its id. 0 is the outermost.
fn index_of(lane: &Element, id: &str) -> usize {
    let stated = lane.attribute("index").and_then(|index| index.parse().ok());
    let named = || {
        id.rsplit_once('_')
            .and_then(|(_, index)| index.parse().ok())
    };
    stated.or_else(named).unwrap_or(0)
}

/// Points "x,y x,y,z ..."; a broken one counts as not given.
fn points(text: &str) -> Vec<DVec2> {
    text.split_ascii_whitespace()
        .filter_map(|entry| {
            let mut numbers = entry.split(',').map(number);
            let at = point(numbers.next()??, numbers.next()??);
            at.is_finite().then_some(at)
        })
        .collect()
}

/// The outline of a band around a line.
fn band(line: &Polyline, half_width: f64) -> Vec<DVec2> {
    let side = |left: f64| {
        let line = line.shifted(left);
        line.map(|line| line.points().to_vec()).unwrap_or_default()
    };
    let mut outline = side(half_width);
    outline.extend(side(-half_width).into_iter().rev());
    outline
}

fn bounds(points: &[DVec2]) -> (DVec2, DVec2) {
    points.iter().fold(
        (DVec2::INFINITY, DVec2::NEG_INFINITY),
        |(low, high), point| (low.min(*point), high.max(*point)),
    )
}

/// Who a lane is for, from the vehicle classes it allows or forbids.
fn lane_kind(allow: Option<&str>, disallow: Option<&str>, motorway: bool) -> LaneKind {
    let allows = |class: &str| match (allow, disallow) {
        (Some(allow), _) => allow
            .split_ascii_whitespace()
            .any(|one| one == class || one == "all"),
        (None, Some(disallow)) => !disallow
            .split_ascii_whitespace()
            .any(|one| one == class || one == "all"),
        (None, None) => true,
    };
    if allows("passenger") || allows("private") || allows("ignoring") {
        if motorway {
            LaneKind::Freeway
        } else {
            LaneKind::Street
        }
    } else if allows("bus") || allows("taxi") || allows("coach") {
        LaneKind::Bus
    } else if allows("delivery") || allows("truck") {
        LaneKind::Street
    } else if allows("bicycle") {
        LaneKind::Bike
    } else if allows("pedestrian") {
        LaneKind::Walk
    } else {
        LaneKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    /// Two lanes eastwards into a signalled junction, one way out over an internal lane.
    const NET: &str = r#"<net version="1.20">
        <edge id=":j_0" function="internal"><lane id=":j_0_0" index="0" speed="10" length="10" shape="100,0 110,0"/></edge>
        <edge id="in"><lane id="in_0" index="0" speed="13.89" length="200" shape="0,0 100,0"/>
          <lane id="in_1" index="1" allow="bus" speed="13.89" length="200" shape="0,3.2 100,3.2"/></edge>
        <edge id="out"><lane id="out_0" index="0" speed="30" length="50" shape="110,0,5 160,0,5"/></edge>
        <tlLogic id="j" type="static" programID="0" offset="5"><phase duration="10" state="G"/><phase duration="3" state="y"/><phase duration="7" state="r"/></tlLogic>
        <junction id="j" type="traffic_light" x="105" y="0" shape="100,-2 110,-2 110,5 100,5"/>
        <connection from="in" to="out" fromLane="0" toLane="0" via=":j_0_0" tl="j" linkIndex="0" dir="s" state="O"/>
        <connection from=":j_0" to="out" fromLane="0" toLane="0" dir="s" state="M"/>
    </net>"#;

    fn net() -> Net {
        Net::read(NET.as_bytes(), 1 << 20, &mut Report::default()).unwrap()
    }

    #[test]
    fn lanes_are_joined_over_their_internal_lane() {
        let (parts, _) = net().build(None, (0.0, 1.0, 1), &mut Report::default());
        let lane = |id: &str| {
            parts
                .lanes
                .iter()
                .find(|lane| lane.id.as_str() == id)
                .unwrap()
        };
        assert_eq!(lane("in_0").successors, [LaneId::new(":j_0_0")]);
        assert_eq!(lane(":j_0_0").successors, [LaneId::new("out_0")]);
        assert_eq!(lane("in_0").left_neighbour, Some(LaneId::new("in_1")));
        assert_eq!(lane("in_1").right_neighbour, Some(LaneId::new("in_0")));
        assert_eq!(
            (lane("in_1").kind, lane("out_0").kind),
            (LaneKind::Bus, LaneKind::Freeway)
        );
        assert!(lane(":j_0_0").in_junction);
        // 3.2 m wide: the left border lies 1.6 m left of the eastward centre
        assert_eq!(lane("in_0").left_border[0], dvec2(0.0, 1.6));
    }

    #[test]
    fn a_program_runs_from_its_offset() {
        use SignalState::{Green, Red, Yellow};
        let (_, signals) = net().build(None, (0.0, 5.0, 6), &mut Report::default());
        assert_eq!(signals[0].lane.as_str(), ":j_0_0");
        assert_eq!(signals[0].stop_point, Some(dvec2(100.0, 0.0)));
        // cycle 20 s, green from 5 to 15, yellow to 18, red to 25; at 0 s it is 15 s into the cycle: red
        assert_eq!(signals[0].states, [Red, Green, Green, Yellow, Red, Green]);
    }

    #[test]
    fn positions_are_scaled_to_the_shape() {
        // the lane counts 200 m over 100 m of shape
        assert_eq!(net().point_on("in_0", 50.0), Some(dvec2(25.0, 0.0)));
    }

    #[test]
    fn a_cut_keeps_what_touches_it() {
        let within = Some((dvec2(120.0, -10.0), dvec2(130.0, 10.0)));
        let (parts, signals) = net().build(within, (0.0, 1.0, 1), &mut Report::default());
        assert_eq!(parts.lanes.len(), 1);
        assert!(signals.is_empty());
    }
}
