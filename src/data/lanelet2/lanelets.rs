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
use crate::map::{Area, AreaKind, Lane, LaneId, LaneKind, Line, LineKind, MapParts, StopSign};
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
    let mut roads = Roads::default();
    reader.draw_lines(&lanelets, &mut roads.parts.lines);
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
                }
            } else if reader.is_stop(lanelet, element) {
                let lanes = Vec::new();
                let sign = signs.entry(*id).or_insert(StopSign::new(point, lanes));
                sign.lanes.push(lane);
            }
        }
    }
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
    fn limit_of(&self, element: &Relation) -> Option<f64> {
        let outright = ["limit", "speed_limit"]
            .into_iter()
            .find_map(|key| element.tags.of(key).and_then(|text| speed(text, KMH)));
        let sign = |text: &str| number(text.strip_prefix("de274-")?).map(|value| value * KMH);
        outright
            .or_else(|| element.tags.of("sign_type").and_then(sign))
            .or_else(|| {
                let shown = element
                    .role("refers")
                    .take(MAX_REGULATIONS)
                    .filter_map(|member| {
                        let way = self.osm.ways.get(&member.id)?;
                        way.tags.of("subtype").and_then(sign)
                    });
                shown.reduce(f64::min)
            })
    }

    /// Whether an element tells the vehicles of a lanelet to stop: a stop sign, or priority to the right of all.
    fn is_stop(&self, lanelet: &Lanelet<'_>, element: &Relation) -> bool {
        let shows = || {
            let names = element.tags.of("sign_type").into_iter();
            let refers = element
                .role("refers")
                .take(MAX_REGULATIONS)
                .filter_map(|member| {
                    let way = self.osm.ways.get(&member.id)?;
                    way.tags.of("subtype")
                });
            names
                .chain(refers)
                .any(|name| STOPS.contains(&name.to_lowercase().as_str()))
        };
        match element.tags.of("subtype") {
            Some("all_way_stop") => true,
            Some("traffic_sign" | "stop_sign") => shows(),
            // the one element of a junction names all who meet in it
            Some("right_of_way") => {
                let id = lanelet.lane.id.as_str();
                let yields = |member: &Member| member.id.to_string() == id;
                shows() && element.role("yield").take(MAX_REGULATIONS).any(yields)
            }
            _ => false,
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

    /// Painted lines and edges of the road; a bound of no stated kind is an edge where only one lanelet has it.
    fn draw_lines(&self, lanelets: &[Lanelet<'_>], lines: &mut Vec<Line>) {
        let mut users: BTreeMap<i64, usize> = BTreeMap::new();
        for lanelet in lanelets.iter().filter(|lanelet| !lanelet.lane.in_junction) {
            for (id, _) in lanelet.left.ways.iter().chain(&lanelet.right.ways) {
                *users.entry(*id).or_default() += 1;
            }
        }
        for (id, way) in &self.osm.ways {
            let is_lone = users.get(id) == Some(&1);
            if let Some(kind) = line_kind(&way.tags, is_lone) {
                let points = self.points(way);
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

fn line_kind(tags: &Tags, is_lone_bound: bool) -> Option<LineKind> {
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
        None if is_lone_bound => Some(LineKind::Edge),
        _ => None,
    }
}
