//! Lanelets, signs, lights and intersections of CommonRoad.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::report::Report;
use crate::data::xml::{Element, speed};
use crate::geometry::{DVec2, Polyline};
use crate::map::{Area, AreaKind, Lane, LaneId, LaneKind, Line, LineKind, MapParts, StopSign};
use crate::scene::{Signal, SignalState};

use super::value::{points_of, read_point};

/// Everything about the road, as read; [`Road::build`] joins it.
#[derive(Debug, Default)]
pub(super) struct Road {
    lanelets: Vec<Lanelet>,
    signs: BTreeMap<String, Sign>,
    lights: BTreeMap<String, Light>,
    /// Light cycles that 2023 files keep apart from the lights.
    cycles: BTreeMap<String, Cycle>,
    /// Lanelets reached by turning from the key: (right, straight, left).
    turns: BTreeMap<String, [Vec<String>; 3]>,
    crossings: BTreeSet<String>,
    /// Roads into intersections that say which other has to give way to them.
    priorities: usize,
    /// Lines and areas that obstacles stand for.
    pub(super) lines: Vec<Line>,
    pub(super) areas: Vec<Area>,
    /// 2018b names the kind of road for the whole file.
    pub(super) is_motorway: bool,
}

#[derive(Debug)]
struct Lanelet {
    lane: Lane,
    types: Vec<String>,
    markings: [String; 2],
    /// Neighbours: id and whether it runs the same way.
    adjacent: [Option<(String, bool)>; 2],
    signs: Vec<String>,
    lights: Vec<String>,
    stop_line: Option<Vec<DVec2>>,
}

#[derive(Debug, Default)]
struct Sign {
    speed_limit: Option<f64>,
    is_stop: bool,
    point: Option<DVec2>,
    /// What it says that nothing is made of.
    unused: Vec<String>,
}

#[derive(Debug, Default)]
struct Light {
    cycle: Cycle,
    cycle_ref: Option<String>,
    active: bool,
    direction: String,
}

/// Colours with their durations in steps, and the step at which the first begins.
#[derive(Debug, Default, Clone)]
struct Cycle {
    elements: Vec<(i64, SignalState)>,
    offset: i64,
}

impl Cycle {
    fn at(&self, step: i64) -> SignalState {
        let total: i64 = self.elements.iter().map(|(duration, _)| duration).sum();
        if total <= 0 {
            return SignalState::Unknown;
        }
        let mut position = step.saturating_sub(self.offset).rem_euclid(total);
        for &(duration, state) in &self.elements {
            if position < duration {
                return state;
            }
            position -= duration;
        }
        SignalState::Unknown
    }
}

impl Road {
    /// Takes in an element that belongs to the road; false if it does not.
    pub(super) fn read(&mut self, element: &Element, report: &mut Report) -> bool {
        let id = element.attribute("id").unwrap_or("?").to_owned();
        match element.name.as_str() {
            "lanelet" => match lanelet(element, &id) {
                Some(lanelet) => self.lanelets.push(lanelet),
                None => report.problem(
                    format!("lanelet {id}"),
                    "bounds",
                    "both need two different points; left out",
                ),
            },
            "trafficSign" => {
                self.signs.insert(id, sign(element));
            }
            "trafficLight" => {
                self.lights.insert(id, light(element));
            }
            "trafficLightCycle" => {
                self.cycles.insert(id, cycle(element));
            }
            "intersection" => self.intersection(element),
            _ => return false,
        }
        true
    }

    fn intersection(&mut self, element: &Element) {
        let refs = |parent: &Element, names: [&str; 2]| -> Vec<String> {
            parent
                .children
                .iter()
                .filter(|child| names.contains(&child.name.as_str()))
                .filter_map(|child| child.attribute("ref"))
                .map(str::to_owned)
                .collect()
        };
        for incoming in element.all("incoming") {
            self.priorities += usize::from(incoming.child("isLeftOf").is_some());
            let turns = [
                refs(incoming, ["successorsRight", "outgoingRight"]),
                refs(incoming, ["successorsStraight", "outgoingStraight"]),
                refs(incoming, ["successorsLeft", "outgoingLeft"]),
            ];
            for lanelet in refs(incoming, ["incomingLanelet", "incomingLanelets"]) {
                self.turns.insert(lanelet, turns.clone());
            }
        }
        for crossing in element.all("crossing") {
            self.crossings
                .extend(refs(crossing, ["crossingLanelet", "crossingLanelets"]));
        }
    }

    /// The middle of the lanelets named, for states that say no more than these.
    pub(super) fn middle_of(&self, ids: &[String]) -> Option<DVec2> {
        let middles: Vec<DVec2> = self
            .lanelets
            .iter()
            .filter(|lanelet| ids.iter().any(|id| id == lanelet.lane.id.as_str()))
            .map(|lanelet| &lanelet.lane.centreline)
            .map(|line| line.point_at(line.length() / 2.0))
            .collect();
        let count = middles.len() as f64;
        (!middles.is_empty()).then(|| middles.into_iter().sum::<DVec2>() / count)
    }

    /// The map, and the signals over `frames` frames from step `first`.
    pub(super) fn build(
        mut self,
        first: i64,
        frames: usize,
        report: &mut Report,
    ) -> (MapParts, Vec<Signal>) {
        for kind in self.signs.values().flat_map(|sign| &sign.unused) {
            report.skip(&format!("traffic signs of the kind {kind}"));
        }
        report.skip_many(
            "priorities of arms of intersections (only their turns are used)",
            self.priorities,
        );
        self.mark_junctions();
        let mut parts = MapParts {
            lines: std::mem::take(&mut self.lines),
            areas: std::mem::take(&mut self.areas),
            ..MapParts::default()
        };
        self.draw_lines(&mut parts.lines);
        let signals = self.signals(first, frames);
        for sign in self.signs.iter().filter(|(_, sign)| sign.is_stop) {
            parts.stop_signs.extend(self.stop_sign(sign.0, sign.1));
        }
        for lanelet in self.lanelets {
            let mut lane = lanelet.lane;
            if lane.kind == LaneKind::Walk && lanelet.types.iter().any(|kind| kind == "crosswalk") {
                let right = lane.right_border.iter().rev();
                parts.areas.push(Area::new(
                    AreaKind::Crossing,
                    lane.left_border.iter().chain(right).copied().collect(),
                ));
            }
            let limits = lanelet.signs.iter().filter_map(|id| self.signs.get(id));
            let limit = limits.filter_map(|sign| sign.speed_limit).reduce(f64::min);
            lane.speed_limit = limit.or(lane.speed_limit);
            parts.lanes.push(lane);
        }
        (parts, signals)
    }

    fn mark_junctions(&mut self) {
        let inside: BTreeSet<&String> = self.turns.values().flatten().flatten().collect();
        for lanelet in &mut self.lanelets {
            let id = lanelet.lane.id.as_str();
            let is = |wanted: &str| lanelet.types.iter().any(|kind| kind == wanted);
            let turning = inside.iter().any(|other| other.as_str() == id);
            lanelet.lane.in_junction = is("intersection") || turning;
            if self.crossings.contains(id) && !is("crosswalk") {
                lanelet.types.push("crosswalk".to_owned());
                lanelet.lane.kind = LaneKind::Walk;
            }
            if self.is_motorway && lanelet.types.is_empty() && lanelet.lane.kind == LaneKind::Street
            {
                lanelet.lane.kind = LaneKind::Freeway;
            }
        }
    }

    /// Painted lines as marked; bounds without a neighbour are edges of the road. A bound that two lanelets share
    /// is drawn once.
    fn draw_lines(&self, lines: &mut Vec<Line>) {
        let mut drawn: BTreeSet<[[i64; 2]; 2]> = BTreeSet::new();
        let grid = |point: DVec2| {
            [
                (point.x * 20.0).round() as i64,
                (point.y * 20.0).round() as i64,
            ]
        };
        for lanelet in &self.lanelets {
            let bounds = [&lanelet.lane.left_border, &lanelet.lane.right_border];
            for (side, bound) in bounds.into_iter().enumerate() {
                let kind = match lanelet.markings[side].as_str() {
                    "dashed" | "broad_dashed" => LineKind::BrokenWhite,
                    "solid" | "broad_solid" | "solid_solid" | "solid_dashed" | "dashed_solid" => {
                        LineKind::SolidWhite
                    }
                    "dashed_dashed" => LineKind::BrokenWhite,
                    "curb" | "lowered_curb" => LineKind::Edge,
                    _ if lanelet.adjacent[side].is_none() && !lanelet.lane.in_junction => {
                        LineKind::Edge
                    }
                    _ => continue,
                };
                let (Some(&start), Some(&end)) = (bound.first(), bound.last()) else {
                    continue;
                };
                let mut ends = [grid(start), grid(end)];
                ends.sort_unstable();
                if drawn.insert(ends) {
                    let points = bound.clone();
                    lines.push(Line::new(kind, points));
                }
            }
            if let Some(points) = lanelet.stop_line.clone() {
                let kind = LineKind::SolidWhite;
                lines.push(Line::new(kind, points));
            }
        }
    }

    /// One signal per governed lane. Lights for one direction hold for the lanelets reached by that turn, where the
    /// file says which these are; all others for the lanelet that names them.
    fn signals(&self, first: i64, frames: usize) -> Vec<Signal> {
        let mut signals: Vec<Signal> = Vec::new();
        for lanelet in &self.lanelets {
            let stop_point = Some(lanelet.stop_point());
            for id in &lanelet.lights {
                let Some(light) = self.lights.get(id) else {
                    continue;
                };
                let cycle = light.cycle_ref.as_ref().and_then(|id| self.cycles.get(id));
                let cycle = cycle.unwrap_or(&light.cycle);
                let states: Vec<SignalState> = (0..frames as i64)
                    .map(|frame| match light.active {
                        true => cycle.at(first + frame),
                        false => SignalState::Unknown,
                    })
                    .collect();
                let own = std::slice::from_ref(&lanelet.lane.id);
                let turned = self.turned(lanelet.lane.id.as_str(), &light.direction);
                let governed = if turned.is_empty() { own } else { &turned };
                for lane in governed {
                    if signals.iter().any(|signal| signal.lane == *lane) {
                        continue;
                    }
                    signals.push(Signal::new(lane.clone(), stop_point, states.clone()));
                }
            }
        }
        signals
    }

    fn turned(&self, lanelet: &str, direction: &str) -> Vec<LaneId> {
        let Some([right, straight, left]) = self.turns.get(lanelet) else {
            return Vec::new();
        };
        let chosen: &[&Vec<String>] = match direction {
            "right" => &[right],
            "straight" => &[straight],
            "left" => &[left],
            "leftStraight" => &[left, straight],
            "straightRight" => &[straight, right],
            "leftRight" => &[left, right],
            _ => &[],
        };
        chosen.iter().copied().flatten().map(LaneId::new).collect()
    }

    fn stop_sign(&self, id: &String, sign: &Sign) -> Option<StopSign> {
        let held: Vec<&Lanelet> = self
            .lanelets
            .iter()
            .filter(|lanelet| lanelet.signs.contains(id))
            .collect();
        let point = sign
            .point
            .or_else(|| held.first().map(|lanelet| lanelet.stop_point()))?;
        Some(StopSign::new(
            point,
            held.iter().map(|lanelet| lanelet.lane.id.clone()).collect(),
        ))
    }
}

impl Lanelet {
    /// Where its vehicles stop: the middle of the stop line, else the end.
    fn stop_point(&self) -> DVec2 {
        match self.stop_line.as_deref() {
            Some([from, .., to]) => self.lane.centreline.project((*from + *to) / 2.0).point,
            _ => self.lane.centreline.end(),
        }
    }
}

fn lanelet(element: &Element, id: &str) -> Option<Lanelet> {
    let bound = |name| element.child(name).map(points_of).unwrap_or_default();
    let (left, right) = (bound("leftBound"), bound("rightBound"));
    let centreline = middle_line(&left, &right)?;
    let texts =
        |name| -> Vec<String> { element.all(name).map(|child| child.text.clone()).collect() };
    let refs = |parent: &Element, name| -> Vec<String> {
        let named = parent.all(name).filter_map(|child| child.attribute("ref"));
        named.map(str::to_owned).collect()
    };
    let types = texts("laneletType");
    let mut users = texts("userOneWay");
    users.extend(texts("userBidirectional"));
    let mut lane = Lane::new(id, lane_kind(&types, &users), centreline);
    lane.predecessors = refs(element, "predecessor")
        .iter()
        .map(LaneId::new)
        .collect();
    lane.successors = refs(element, "successor").iter().map(LaneId::new).collect();
    lane.speed_limit = element.number_of("speedLimit").filter(|limit| *limit > 0.0);
    let adjacent = ["adjacentLeft", "adjacentRight"].map(|name| {
        let neighbour = element.child(name)?;
        let same = neighbour.attribute("drivingDir") != Some("opposite");
        Some((neighbour.attribute("ref")?.to_owned(), same))
    });
    let same_way = |side: &Option<(String, bool)>| {
        let neighbour = side.as_ref().filter(|(_, same)| *same);
        neighbour.map(|(id, _)| LaneId::new(id))
    };
    lane.left_neighbour = same_way(&adjacent[0]);
    lane.right_neighbour = same_way(&adjacent[1]);
    let marking = |name| {
        let bound = element.child(name);
        let text = bound.and_then(|bound: &Element| bound.text_of("lineMarking"));
        text.unwrap_or_default().to_owned()
    };
    let mut signs = refs(element, "trafficSignRef");
    let mut lights = refs(element, "trafficLightRef");
    let stop_line = element.child("stopLine").map(|line| {
        signs.extend(refs(line, "trafficSignRef"));
        lights.extend(refs(line, "trafficLightRef"));
        let points = points_of(line);
        match (points.len(), left.last(), right.last()) {
            (0 | 1, Some(&from), Some(&to)) => vec![from, to],
            _ => points,
        }
    });
    signs.dedup();
    lights.dedup();
    lane.left_border = left;
    lane.right_border = right;
    Some(Lanelet {
        lane,
        types,
        markings: [marking("leftBound"), marking("rightBound")],
        adjacent,
        signs,
        lights,
        stop_line,
    })
}

/// The mean of two bounds, point by point; bounds of different counts are first resampled evenly to the larger.
pub(in crate::data) fn middle_line(left: &[DVec2], right: &[DVec2]) -> Option<Polyline> {
    let mean = |left: &[DVec2], right: &[DVec2]| {
        let pairs = left.iter().zip(right);
        Polyline::new(pairs.map(|(left, right)| (*left + *right) / 2.0))
    };
    if left.len() == right.len() {
        return mean(left, right);
    }
    let count = left.len().max(right.len());
    let even = |bound: &[DVec2]| match Polyline::new(bound.iter().copied()) {
        Some(line) => Some(line.resampled(count)),
        None => bound.first().map(|point| vec![*point; count]),
    };
    mean(&even(left)?, &even(right)?)
}

fn lane_kind(types: &[String], users: &[String]) -> LaneKind {
    let is = |wanted: &[&str]| types.iter().any(|kind| wanted.contains(&kind.as_str()));
    let only = |wanted: &[&str]| {
        !users.is_empty() && users.iter().all(|user| wanted.contains(&user.as_str()))
    };
    if is(&["sidewalk", "crosswalk"]) || only(&["pedestrian"]) {
        LaneKind::Walk
    } else if is(&["bicycleLane"]) || only(&["bicycle", "pedestrian"]) {
        LaneKind::Bike
    } else if is(&["busLane"]) || only(&["bus", "taxi"]) {
        LaneKind::Bus
    } else if is(&["shoulder", "parking", "restricted", "border", "tram"]) || only(&["train"]) {
        LaneKind::Other
    } else if is(&[
        "highway",
        "interstate",
        "mainCarriageWay",
        "accessRamp",
        "exitRamp",
    ]) {
        LaneKind::Freeway
    } else {
        LaneKind::Street
    }
}

/// Signs that limit the speed: Germany and most others, USA, Spain, Belgium, France, Greece, Croatia, Russia, Italy.
const SPEED_LIMITS: [&str; 12] = [
    "274", "274.1", "r2-1", "r301", "c43", "b14", "r-32", "b31", "3.24", "r15", "c14", "50",
];

/// Signs that tell to stop: Germany and most others, USA, Spain, France and Belgium.
const STOPS: [&str; 6] = ["206", "r1-1", "r2", "ab4", "b5", "r-2"];

fn sign(element: &Element) -> Sign {
    let mut sign = Sign {
        point: element
            .child("position")
            .and_then(|position| position.child("point"))
            .and_then(read_point),
        ..Sign::default()
    };
    for part in element.all("trafficSignElement") {
        let name = part
            .text_of("trafficSignID")
            .unwrap_or_default()
            .to_lowercase();
        let is_stop = STOPS.contains(&name.as_str());
        sign.is_stop |= is_stop;
        let mut limit = None;
        if SPEED_LIMITS.contains(&name.as_str()) {
            let value = part.text_of("additionalValue");
            limit = value.and_then(|text| speed(text, 1.0));
            sign.speed_limit = limit.or(sign.speed_limit);
        }
        if !is_stop && limit.is_none() {
            sign.unused.push(name.chars().take(40).collect());
        }
    }
    sign
}

fn light(element: &Element) -> Light {
    let cycle_element = element.child("cycle");
    let reference = cycle_element
        .and_then(|cycle| cycle.attribute("ref"))
        .or_else(|| {
            element
                .child("cycleRef")
                .and_then(|cycle| cycle.attribute("ref"))
        });
    Light {
        cycle: cycle_element.map(cycle).unwrap_or_default(),
        cycle_ref: reference.map(str::to_owned),
        active: element
            .text_of("active")
            .is_none_or(|text| text != "false" && text != "0"),
        direction: element.text_of("direction").unwrap_or("all").to_owned(),
    }
}

fn cycle(element: &Element) -> Cycle {
    let steps = |parent: &Element, name| {
        let value = parent.number_of(name).filter(|value| value.abs() < 1e9);
        value.map(|value| value.round() as i64)
    };
    let elements = element.all("cycleElement").filter_map(|part| {
        let state = match part.text_of("color")? {
            // red with yellow still means: stop
            "red" | "redYellow" => SignalState::Red,
            "yellow" => SignalState::Yellow,
            "green" => SignalState::Green,
            _ => SignalState::Unknown,
        };
        Some((steps(part, "duration")?.max(0), state))
    });
    Cycle {
        elements: elements.take(10_000).collect(),
        offset: steps(element, "timeOffset").unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::xml::parse;
    use crate::geometry::dvec2;

    #[test]
    fn bounds_of_different_counts_have_a_middle() {
        let left = [dvec2(0.0, 2.0), dvec2(10.0, 2.0)];
        let right = [dvec2(0.0, 0.0), dvec2(3.0, 0.0), dvec2(10.0, 0.0)];
        let middle = middle_line(&left, &right).unwrap();
        // three points at 0, 5 and 10 m on both sides
        assert_eq!(
            middle.points(),
            [dvec2(0.0, 1.0), dvec2(5.0, 1.0), dvec2(10.0, 1.0)]
        );
    }

    #[test]
    fn a_light_turns_in_its_cycle() {
        let text = "<trafficLight id='1'><cycle><cycleElement><duration>2</duration><color>red</color></cycleElement>\
            <cycleElement><duration>1</duration><color>green</color></cycleElement><timeOffset>1</timeOffset></cycle></trafficLight>";
        let light = light(&parse(text).unwrap());
        use SignalState::{Green, Red};
        // offset 1: step 1 is the first red one, step 0 the green one before
        let shown: Vec<SignalState> = (0..5).map(|step| light.cycle.at(step)).collect();
        assert_eq!(shown, [Green, Red, Red, Green, Red]);
        assert!(light.active);
    }

    #[test]
    fn speed_limits_come_in_metres_per_second_unless_they_say_otherwise() {
        assert_eq!(speed("15.6464", 1.0), Some(15.6464)); // 35 mph
        assert!((speed("30kmh", 1.0).unwrap() - 8.333).abs() < 1e-3);
        assert_eq!(speed("fast", 1.0), None);
    }
}
