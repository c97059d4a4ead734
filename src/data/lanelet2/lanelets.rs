//! Lanelets, areas, lines and regulatory elements of a Lanelet2 map (Poggenhans et al. 2018, "Lanelet2: A
//! high-definition map framework for the future of automated driving").
//!
//! A lanelet's direction is that for which its left bound lies on the left. It goes on in those that begin with the
//! end points of its bounds, and is the neighbour of those that share a bound with it in the same direction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::osm::{Member, Osm, Relation, Tags, Way};
use crate::data::OpenError;
use crate::data::commonroad::middle_line;
use crate::data::draft::MAX_MAP_POINTS;
use crate::data::report::Report;
use crate::data::xml::{number, speed};
use crate::geometry::{DVec2, Polyline};
use crate::map::{Area, AreaKind, Lane, LaneId, LaneKind, Line, LineKind, Map, MapParts, StopSign};
use crate::scene::{Signal, SignalState};

/// Most lanelets that one goes on in; real maps have a handful.
const MAX_SUCCESSORS: usize = 16;

/// Most ways of one bound.
const MAX_WAYS: usize = 64;

/// Most regulatory elements of one lanelet.
const MAX_REGULATIONS: usize = 64;

/// km/h in m/s: speeds without a unit are in km/h.
const KMH: f64 = 1.0 / 3.6;

/// Signs that tell to stop: Germany and most others, USA, Japan.
const STOPS: [&str; 5] = ["de206", "usr1-1", "us_r1-1", "jp330", "stop_sign"];

/// Signs that tell to give way: the same.
const YIELDS: [&str; 5] = ["de205", "usr1-2", "us_r1-2", "jp329", "yield_sign"];

/// A bound of no stated kind is an edge of the road unless more than this share of it lies in other lanelets, looked at every
/// so many metres.
const MOST_INSIDE: f64 = 0.2;
const INSIDE_STEP_M: f64 = 1.0;
/// Most places looked at of one bound.
const MOST_PLACES: usize = 1_000;
/// How far from its border a place lies inside a lanelet, and how wide half a lanelet may be, m.
const INSIDE_M: f64 = 0.3;
const HALF_WIDTH_M: f64 = 4.0;

/// Lanelets cross where their middles come nearer than this, m, at an angle of more than this sine (20°).
const CROSSING_M: f64 = 0.7;
const CROSSING_SINE: f64 = 0.34;

/// A map without the frames of a scene.
#[derive(Debug, Default)]
pub(super) struct Roads {
    pub(super) parts: MapParts,
    /// Lights with the points where vehicles stop; the map does not know what they show.
    pub(super) lights: Vec<(LaneId, DVec2)>,
}

impl Roads {
    /// The lights as signals of unknown state.
    pub(super) fn signals(&self, frames: usize) -> Vec<Signal> {
        let signal = |(lane, point): &(LaneId, DVec2)| {
            Signal::new(
                lane.clone(),
                Some(*point),
                vec![SignalState::Unknown; frames],
            )
        };
        self.lights.iter().map(signal).collect()
    }
}

/// The regulatory elements and signs that a map makes something of.
#[derive(Debug, Default)]
struct Used {
    elements: BTreeSet<i64>,
    signs: BTreeSet<i64>,
}

fn is_stop_sign(name: &str) -> bool {
    STOPS.contains(&name.to_lowercase().as_str())
}

fn is_yield_sign(name: &str) -> bool {
    YIELDS.contains(&name.to_lowercase().as_str())
}

/// A line of one or more ways, in one direction.
#[derive(Debug, Clone, Default)]
struct Bound {
    nodes: Vec<i64>,
    points: Vec<DVec2>,
    /// The ways it is made of, and whether each runs the other way.
    ways: Vec<(i64, bool)>,
}

impl Bound {
    fn reverse(&mut self) {
        self.nodes.reverse();
        self.points.reverse();
        self.ways.reverse();
        for (_, backwards) in &mut self.ways {
            *backwards = !*backwards;
        }
    }

    /// Distance of a point to the left of it.
    fn left_of(&self, point: DVec2) -> Option<f64> {
        let line = Polyline::new(self.points.iter().copied())?;
        Some(line.project(point).offset)
    }
}

fn middle_of(points: &[DVec2]) -> Option<DVec2> {
    let line = Polyline::new(points.iter().copied())?;
    Some(line.point_at(line.length() / 2.0))
}

#[derive(Debug)]
struct Lanelet<'a> {
    lane: Lane,
    left: Bound,
    right: Bound,
    tags: &'a Tags,
    /// Ids of the regulatory elements that hold for it.
    elements: Vec<i64>,
}

/// Everything that is needed to resolve references.
struct Reader<'a> {
    osm: &'a Osm,
    places: &'a BTreeMap<i64, DVec2>,
    regulations: BTreeMap<i64, &'a Relation>,
    /// The middles of the lines where regulatory elements hold.
    middles: BTreeMap<i64, DVec2>,
}

/// Builds the map of a file whose nodes lie at `places`.
pub(super) fn build(
    osm: &Osm,
    places: &BTreeMap<i64, DVec2>,
    path: &Path,
    report: &mut Report,
) -> Result<Roads, OpenError> {
    let of_type = |kind: &'static str| {
        let relations = osm.relations.iter();
        relations.filter(move |relation| relation.tags.is("type", &[kind]))
    };
    let mut reader = Reader {
        osm,
        places,
        regulations: of_type("regulatory_element")
            .map(|relation| (relation.id, relation))
            .collect(),
        middles: BTreeMap::new(),
    };
    let marked = reader
        .regulations
        .values()
        .flat_map(|element| element.role("ref_line"));
    let marked: BTreeSet<i64> = marked.map(|member| member.id).collect();
    reader.middles = marked
        .into_iter()
        .filter_map(|id| Some((id, middle_of(&reader.points(osm.ways.get(&id)?))?)))
        .collect();
    let mut lanelets = Vec::new();
    let mut points = 0;
    for relation in of_type("lanelet") {
        match reader.lanelet(relation) {
            Some(lanelet) => {
                points += lanelet.left.points.len() + lanelet.right.points.len();
                OpenError::within(path, "number of map points", points, MAX_MAP_POINTS)?;
                lanelets.push(lanelet);
            }
            None => report.problem(
                format!("lanelet {}", relation.id),
                "bounds",
                "both need two different points; left out",
            ),
        }
    }
    follow(&mut lanelets);
    stand_beside(&mut lanelets);
    reader.give_way(&mut lanelets);
    let mut roads = Roads::default();
    let driven = driven(&lanelets);
    reader.draw_lines(&lanelets, &driven, &mut roads.parts.lines);
    reader.find_junctions(&mut lanelets, &driven);
    for area in of_type("multipolygon").filter_map(|relation| reader.area(relation)) {
        points += area.polygon.len();
        OpenError::within(path, "number of map points", points, MAX_MAP_POINTS)?;
        roads.parts.areas.push(area);
    }
    let junctions = osm.ways.values();
    for way in junctions.filter(|way| way.tags.is("type", &["intersection_area"])) {
        let polygon = reader.points(way);
        let kind = AreaKind::Junction;
        roads.parts.areas.push(Area::new(kind, polygon));
    }
    let mut signs: BTreeMap<i64, StopSign> = BTreeMap::new();
    let mut used = Used::default();
    for lanelet in &lanelets {
        for id in &lanelet.elements {
            let Some(element) = reader.regulations.get(id) else {
                continue;
            };
            let point = reader.stop_point(lanelet, element);
            let lane = lanelet.lane.id.clone();
            if element.tags.is("subtype", &["traffic_light"]) {
                if lanelet.lane.carries_vehicles() {
                    roads.lights.push((lane, point));
                    used.elements.insert(*id);
                }
            } else if element.tags.is("subtype", &["speed_limit"]) {
                if reader.limit_of(element).is_some() {
                    used.elements.insert(*id);
                    used.signs
                        .extend(reader.signs(element).map(|(sign, _)| sign));
                }
            } else if reader.is_stop(lanelet, element) {
                let lanes = Vec::new();
                let sign = signs.entry(*id).or_insert(StopSign::new(point, lanes));
                sign.lanes.push(lane);
                let shown = reader.signs(element);
                let stops = shown.filter(|(_, name)| is_stop_sign(name));
                used.signs.extend(stops.map(|(sign, _)| sign));
                // who goes first is still not used
                if !element.tags.is("subtype", &["right_of_way"]) {
                    used.elements.insert(*id);
                }
            }
        }
    }
    reader.say_unused(&used, report);
    roads.lights.sort_by(|a, b| a.0.cmp(&b.0));
    roads.lights.dedup_by(|a, b| a.0 == b.0);
    roads.parts.stop_signs = signs.into_values().collect();
    for lanelet in lanelets {
        let mut lane = lanelet.lane;
        if is_crossing(lanelet.tags) {
            let right = lane.right_border.iter().rev();
            roads.parts.areas.push(Area::new(
                AreaKind::Crossing,
                lane.left_border.iter().chain(right).copied().collect(),
            ));
        }
        if lanelet.tags.is("one_way", &["no", "false"]) && lane.carries_vehicles() {
            roads.parts.lanes.extend(backwards(&lane));
        }
        lane.successors.truncate(MAX_SUCCESSORS);
        lane.predecessors.truncate(MAX_SUCCESSORS);
        roads.parts.lanes.push(lane);
    }
    Ok(roads)
}

/// The lane of the other direction of a lanelet that may be driven both ways.
fn backwards(lane: &Lane) -> Option<Lane> {
    let reversed = |points: &[DVec2]| -> Vec<DVec2> { points.iter().rev().copied().collect() };
    let centreline = Polyline::new(reversed(lane.centreline.points()))?;
    let mut other = Lane::new(format!("{} backwards", lane.id), lane.kind, centreline);
    other.left_border = reversed(&lane.right_border);
    other.right_border = reversed(&lane.left_border);
    other.speed_limit = lane.speed_limit;
    other.in_junction = lane.in_junction;
    Some(other)
}

/// Lanelets go on where both bounds do.
fn follow(lanelets: &mut [Lanelet<'_>]) {
    let ends = |bounds: [&Bound; 2], last: bool| {
        let [left, right] = bounds.map(|bound| match last {
            true => bound.nodes.last(),
            false => bound.nodes.first(),
        });
        left.copied().zip(right.copied())
    };
    let mut starts: BTreeMap<(i64, i64), Vec<usize>> = BTreeMap::new();
    for (index, lanelet) in lanelets.iter().enumerate() {
        if let Some(key) = ends([&lanelet.left, &lanelet.right], false) {
            let here = starts.entry(key).or_default();
            if here.len() < MAX_SUCCESSORS {
                here.push(index);
            }
        }
    }
    let ids: Vec<LaneId> = lanelets
        .iter()
        .map(|lanelet| lanelet.lane.id.clone())
        .collect();
    for index in 0..lanelets.len() {
        let lanelet = &lanelets[index];
        let key = ends([&lanelet.left, &lanelet.right], true);
        for &next in key.and_then(|key| starts.get(&key)).into_iter().flatten() {
            if next != index {
                lanelets[index].lane.successors.push(ids[next].clone());
                lanelets[next].lane.predecessors.push(ids[index].clone());
            }
        }
    }
}

/// Lanelets of the same direction that share a bound are neighbours.
fn stand_beside(lanelets: &mut [Lanelet<'_>]) {
    let mut left_bounds: BTreeMap<Vec<(i64, bool)>, usize> = BTreeMap::new();
    for (index, lanelet) in lanelets.iter().enumerate() {
        left_bounds
            .entry(lanelet.left.ways.clone())
            .or_insert(index);
    }
    for index in 0..lanelets.len() {
        let Some(&right) = left_bounds.get(&lanelets[index].right.ways) else {
            continue;
        };
        let both = [index, right].map(|at| lanelets[at].lane.carries_vehicles());
        if right != index && both[0] == both[1] {
            lanelets[index].lane.right_neighbour = Some(lanelets[right].lane.id.clone());
            lanelets[right].lane.left_neighbour = Some(lanelets[index].lane.id.clone());
        }
    }
}

impl<'a> Reader<'a> {
    fn points(&self, way: &Way) -> Vec<DVec2> {
        let known = way.nodes.iter().filter_map(|id| self.places.get(id));
        known.copied().collect()
    }

    /// The ways of some members, one after the other, each turned so that it goes on from the one before.
    fn bound<'m>(&self, members: impl Iterator<Item = &'m Member>) -> Bound {
        let mut parts: Vec<Bound> = members
            .filter(|member| member.is_way)
            .take(MAX_WAYS)
            .filter_map(|member| Some((member.id, self.osm.ways.get(&member.id)?)))
            .map(|(id, way)| {
                let placed = way.nodes.iter().filter(|id| self.places.contains_key(id));
                Bound {
                    nodes: placed.copied().collect(),
                    points: self.points(way),
                    ways: vec![(id, false)],
                }
            })
            .filter(|bound| !bound.nodes.is_empty())
            .collect();
        if let [first, second, ..] = parts.as_mut_slice() {
            let meets = |node: Option<&i64>| {
                node.is_some() && (node == second.nodes.first() || node == second.nodes.last())
            };
            if meets(first.nodes.first()) && !meets(first.nodes.last()) {
                first.reverse();
            }
        }
        let mut whole = Bound::default();
        for mut part in parts {
            if whole
                .nodes
                .last()
                .is_some_and(|last| part.nodes.last() == Some(last))
            {
                part.reverse();
            }
            whole.nodes.append(&mut part.nodes);
            whole.points.append(&mut part.points);
            whole.ways.append(&mut part.ways);
        }
        whole
    }

    fn lanelet(&self, relation: &'a Relation) -> Option<Lanelet<'a>> {
        let mut left = self.bound(relation.role("left"));
        let mut right = self.bound(relation.role("right"));
        if left.left_of(middle_of(&right.points)?)? > 0.0 {
            left.reverse();
        }
        if right.left_of(middle_of(&left.points)?)? < 0.0 {
            right.reverse();
        }
        let drawn = self.bound(relation.role("centerline"));
        let middle = middle_line(&left.points, &right.points)?;
        let centreline = match Polyline::new(drawn.points) {
            // a centreline of its own, in the direction of the bounds
            Some(line) if line.project(middle.start()).s <= line.project(middle.end()).s => line,
            Some(line) => Polyline::new(line.points().iter().rev().copied())?,
            None => middle,
        };
        let tags = &relation.tags;
        let mut lane = Lane::new(relation.id.to_string(), lane_kind(tags), centreline);
        let is_virtual = |bound: &Bound| {
            !bound.ways.is_empty()
                && bound.ways.iter().all(|(id, _)| {
                    let way = self.osm.ways.get(id);
                    way.is_some_and(|way| way.tags.is("type", &["virtual"]))
                })
        };
        lane.in_junction = tags.of("turn_direction").is_some()
            || is_virtual(&left) && is_virtual(&right) && lane.carries_vehicles();
        let elements: Vec<i64> = relation
            .role("regulatory_element")
            .map(|member| member.id)
            .take(MAX_REGULATIONS)
            .collect();
        let stated = tags.of("speed_limit").and_then(|text| speed(text, KMH));
        let regulated = || {
            let known = elements.iter().filter_map(|id| self.regulations.get(id));
            known
                .filter(|element| element.tags.is("subtype", &["speed_limit"]))
                .filter_map(|element| self.limit_of(element))
                .reduce(f64::min)
        };
        lane.speed_limit = stated.or_else(regulated);
        lane.left_border = left.points.clone();
        lane.right_border = right.points.clone();
        Some(Lanelet {
            lane,
            left,
            right,
            tags,
            elements,
        })
    }

    /// The speed of a limit: said outright, or by the number in its German sign, `de274-60`.
    fn limit_of(&self, element: &'a Relation) -> Option<f64> {
        let outright = ["limit", "speed_limit"]
            .into_iter()
            .find_map(|key| element.tags.of(key).and_then(|text| speed(text, KMH)));
        let sign = |text: &str| number(text.strip_prefix("de274-")?).map(|value| value * KMH);
        outright
            .or_else(|| element.tags.of("sign_type").and_then(sign))
            .or_else(|| {
                let shown = self.signs(element).filter_map(|(_, name)| sign(name));
                shown.reduce(f64::min)
            })
    }

    /// The signs that an element refers to, with what they show.
    fn signs(&self, element: &'a Relation) -> impl Iterator<Item = (i64, &'a str)> {
        let refers = element.role("refers").take(MAX_REGULATIONS);
        refers.filter_map(|member| {
            let way = self.osm.ways.get(&member.id)?;
            Some((member.id, way.tags.of("subtype")?))
        })
    }

    /// Whether an element tells the vehicles of a lanelet to stop: a stop sign, or priority to the right of all.
    fn is_stop(&self, lanelet: &Lanelet<'_>, element: &'a Relation) -> bool {
        let shows = || {
            let names = element.tags.of("sign_type").into_iter();
            let mut names = names.chain(self.signs(element).map(|(_, name)| name));
            names.any(is_stop_sign)
        };
        match element.tags.of("subtype") {
            Some("all_way_stop") => true,
            Some("traffic_sign" | "stop_sign") => shows(),
            // the one element of a junction names all who meet in it, and the signs of all
            Some("right_of_way") => {
                let id = lanelet.lane.id.as_str();
                let yields = |member: &Member| member.id.to_string() == id;
                let waits = element.role("yield").take(MAX_REGULATIONS).any(yields);
                let usual = match lanelet.lane.in_junction {
                    true => lanelet.lane.centreline.start(),
                    false => lanelet.lane.centreline.end(),
                };
                let placed = self.signs(element).filter_map(|(id, name)| {
                    let way = self.osm.ways.get(&id)?;
                    let point = *self.points(way).first()?;
                    let waits = is_stop_sign(name) || is_yield_sign(name);
                    waits.then_some((point.distance(usual), name))
                });
                let nearest = placed.min_by(|a, b| a.0.total_cmp(&b.0));
                waits && nearest.map_or_else(shows, |(_, name)| is_stop_sign(name))
            }
            _ => false,
        }
    }

    /// A regulatory element that says who gives way holds for these, whether or not they name it.
    fn give_way(&self, lanelets: &mut [Lanelet<'_>]) {
        let places: BTreeMap<String, usize> = lanelets
            .iter()
            .enumerate()
            .map(|(at, lanelet)| (lanelet.lane.id.as_str().to_owned(), at))
            .collect();
        let all = self.regulations.iter();
        for (id, element) in
            all.filter(|(_, element)| element.tags.is("subtype", &["right_of_way"]))
        {
            for member in element.role("yield").take(MAX_REGULATIONS) {
                let Some(&at) = places.get(&member.id.to_string()) else {
                    continue;
                };
                let elements = &mut lanelets[at].elements;
                if !elements.contains(id) && elements.len() < 2 * MAX_REGULATIONS {
                    elements.push(*id);
                }
            }
        }
    }

    /// Counts the regulatory elements and signs, by kind, that nothing is made of.
    fn say_unused(&self, used: &Used, report: &mut Report) {
        let elements = self.regulations.iter();
        for (_, element) in elements.filter(|(id, _)| !used.elements.contains(id)) {
            let kind = element.tags.of("subtype").unwrap_or("unknown");
            report.skip(&format!("regulatory elements of the kind {}", short(kind)));
        }
        let ways = self.osm.ways.iter();
        for (_, sign) in ways
            .filter(|(id, way)| way.tags.is("type", &["traffic_sign"]) && !used.signs.contains(id))
        {
            let kind = sign.tags.of("subtype").unwrap_or("unknown");
            report.skip(&format!("traffic signs of the kind {}", short(kind)));
        }
    }

    /// Where vehicles stop: at the element's line, else where the junction begins.
    fn stop_point(&self, lanelet: &Lanelet<'_>, element: &Relation) -> DVec2 {
        let line = &lanelet.lane.centreline;
        let usual = match lanelet.lane.in_junction {
            true => line.start(),
            false => line.end(),
        };
        let marked = element
            .role("ref_line")
            .take(MAX_REGULATIONS)
            .filter_map(|member| self.middles.get(&member.id).copied())
            .min_by(|a, b| a.distance(usual).total_cmp(&b.distance(usual)));
        marked.map_or(usual, |point| line.project(point).point)
    }

    /// Maps whose lines have no kinds do not say what lies in a junction: lanelets that begin or end with others, where these or
    /// they cross further ones, and lanelets no longer than those that cross such.
    fn find_junctions(&self, lanelets: &mut [Lanelet<'_>], driven: &Map) {
        let plain = |bound: &Bound| {
            bound.ways.iter().all(|(id, _)| {
                let way = self.osm.ways.get(id);
                way.is_some_and(|way| way.tags.of("type").is_none())
            })
        };
        let untold = lanelets.iter().enumerate().filter(|(_, lanelet)| {
            lanelet.lane.carries_vehicles() && plain(&lanelet.left) && plain(&lanelet.right)
        });
        let untold: Vec<usize> = untold.map(|(at, _)| at).collect();
        let mut beside: BTreeMap<(bool, Vec<&LaneId>), Vec<usize>> = BTreeMap::new();
        for &at in &untold {
            let lane = &lanelets[at].lane;
            for (last, others) in [(false, &lane.predecessors), (true, &lane.successors)] {
                if !others.is_empty() {
                    let others = others.iter().collect();
                    beside.entry((last, others)).or_default().push(at);
                }
            }
        }
        let mut inside: BTreeSet<usize> = BTreeSet::new();
        for together in beside.values().filter(|together| together.len() > 1) {
            let mut lanes = together.iter().map(|at| &lanelets[*at].lane);
            if lanes.any(|lane| crosses(lane, driven, |_| true)) {
                inside.extend(together);
            }
        }
        let known: BTreeSet<&LaneId> = inside.iter().map(|at| &lanelets[*at].lane.id).collect();
        let length = |at: &usize| lanelets[*at].lane.centreline.length();
        let longest = inside.iter().map(length).fold(0.0, f64::max);
        let meets = |at: &usize| {
            length(at) <= longest && crosses(&lanelets[*at].lane, driven, |id| known.contains(id))
        };
        let further: Vec<usize> = untold.into_iter().filter(meets).collect();
        inside.extend(further);
        for at in inside {
            lanelets[at].lane.in_junction = true;
        }
    }

    /// Painted lines and edges of the road; a bound of no stated kind is an edge where only one lanelet has it, and where it
    /// does not run across others, as in junctions.
    fn draw_lines(&self, lanelets: &[Lanelet<'_>], driven: &Map, lines: &mut Vec<Line>) {
        let mut users: BTreeMap<i64, (usize, &Lane)> = BTreeMap::new();
        for lanelet in lanelets.iter().filter(|lanelet| !lanelet.lane.in_junction) {
            for (id, _) in lanelet.left.ways.iter().chain(&lanelet.right.ways) {
                users.entry(*id).or_insert((0, &lanelet.lane)).0 += 1;
            }
        }
        for (id, way) in &self.osm.ways {
            let points = self.points(way);
            let lone = users.get(id).filter(|(count, _)| *count == 1);
            let is_edge = way.tags.of("type").is_none()
                && lone.is_some_and(|(_, lane)| !runs_across(&points, lane, driven));
            if let Some(kind) = line_kind(&way.tags, is_edge) {
                lines.push(Line::new(kind, points));
            }
        }
    }

    fn area(&self, relation: &Relation) -> Option<Area> {
        let kind = match relation.tags.of("subtype").unwrap_or_default() {
            "walkway" | "shared_walkway" => AreaKind::Sidewalk,
            "crosswalk" => AreaKind::Crossing,
            "road" | "freespace" => AreaKind::Drivable,
            "exit" => AreaKind::Driveway,
            _ => AreaKind::Other,
        };
        let mut polygon = self.bound(relation.role("outer")).points;
        polygon.dedup();
        (polygon.len() >= 3).then_some(Area::new(kind, polygon))
    }
}

fn is_crossing(tags: &Tags) -> bool {
    tags.is("subtype", &["crosswalk"])
}

/// Who a lanelet is for: its participants where they are named, else as its kind has it.
fn lane_kind(tags: &Tags) -> LaneKind {
    let may = |who: &str| tags.of(&format!("participant:{who}"));
    let named = [
        "vehicle",
        "vehicle:car",
        "vehicle:bus",
        "bicycle",
        "pedestrian",
    ];
    let usual = match tags.of("subtype").unwrap_or("road") {
        "highway" => LaneKind::Freeway,
        "bus_lane" => LaneKind::Bus,
        "bicycle_lane" => LaneKind::Bike,
        "walkway" | "shared_walkway" | "crosswalk" | "stairs" | "pedestrian_lane" => LaneKind::Walk,
        "emergency_lane" | "road_shoulder" | "rail" => LaneKind::Other,
        _ => LaneKind::Street,
    };
    if named.iter().all(|who| may(who) != Some("yes")) {
        return usual;
    }
    let yes = |who: &str| may(who) == Some("yes");
    match usual {
        LaneKind::Street | LaneKind::Freeway if !yes("vehicle") && !yes("vehicle:car") => {
            if yes("vehicle:bus") {
                LaneKind::Bus
            } else if yes("bicycle") {
                LaneKind::Bike
            } else {
                LaneKind::Walk
            }
        }
        _ => usual,
    }
}

/// The lanes for vehicles, to look places up.
fn driven(lanelets: &[Lanelet<'_>]) -> Map {
    let lanes = lanelets.iter().map(|lanelet| lanelet.lane.clone());
    Map::build(MapParts {
        lanes: lanes.filter(Lane::carries_vehicles).collect(),
        ..MapParts::default()
    })
}

/// Whether a lane crosses others of these, other than where they begin or end.
fn crosses(own: &Lane, lanes: &Map, which: impl Fn(&LaneId) -> bool) -> bool {
    let length = own.centreline.length();
    let places = ((length / INSIDE_STEP_M).ceil() as usize).clamp(2, MOST_PLACES);
    (1..places).any(|place| {
        let pose = own
            .centreline
            .pose_at(length * place as f64 / places as f64);
        let hits = lanes.lanes_near(pose.point, CROSSING_M).into_iter();
        hits.map(|hit| (&lanes.lanes()[hit.lane], hit))
            .filter(|(other, _)| other.id != own.id && which(&other.id))
            .any(|(other, hit)| {
                let end = other.centreline.length() - INSIDE_STEP_M;
                let inside = hit.s > INSIDE_STEP_M && hit.s < end;
                // not against it either: that is the other direction of the same road
                inside && (hit.pose.heading - pose.heading).sin().abs() > CROSSING_SINE
            })
    })
}

/// Whether a bound of a lane runs across others.
fn runs_across(bound: &[DVec2], own: &Lane, lanes: &Map) -> bool {
    let Some(line) = Polyline::new(bound.iter().copied()) else {
        return false;
    };
    let places = (line.length() / INSIDE_STEP_M).ceil() as usize;
    let places = places.clamp(2, MOST_PLACES);
    let inside = (0..places).filter(|place| {
        let s = line.length() * (*place as f64 + 0.5) / places as f64;
        let hits = lanes.lanes_near(line.point_at(s), HALF_WIDTH_M).into_iter();
        let mut others = hits.filter(|hit| lanes.lanes()[hit.lane].id != own.id);
        others.any(|hit| {
            let lane = &lanes.lanes()[hit.lane];
            let beyond = hit.s <= 0.0 || hit.s >= lane.centreline.length();
            !beyond && hit.offset.abs() < lane.width_or_default() / 2.0 - INSIDE_M
        })
    });
    inside.count() as f64 > MOST_INSIDE * places as f64
}

/// A kind as a file names it, cut where it is no name.
fn short(kind: &str) -> String {
    kind.chars().take(40).collect()
}

fn line_kind(tags: &Tags, is_edge: bool) -> Option<LineKind> {
    let is_yellow = tags.is("color", &["yellow"]);
    let is_broken = tags.is("subtype", &["dashed", "dashed_dashed"]);
    let painted = match (is_yellow, is_broken) {
        (false, false) => LineKind::SolidWhite,
        (false, true) => LineKind::BrokenWhite,
        (true, false) => LineKind::SolidYellow,
        (true, true) => LineKind::BrokenYellow,
    };
    match tags.of("type") {
        Some("line_thin" | "line_thick" | "stop_line") => Some(painted),
        Some("pedestrian_marking" | "bike_marking" | "zebra_marking") => {
            Some(LineKind::BrokenWhite)
        }
        Some("curbstone" | "road_border" | "guard_rail" | "wall" | "fence" | "jersey_barrier") => {
            Some(LineKind::Edge)
        }
        Some("virtual") => None,
        None if is_edge => Some(LineKind::Edge),
        _ => None,
    }
}
