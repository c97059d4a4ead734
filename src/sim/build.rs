//! Builds networks: roads with a cross-section, tapers between them, crossings; junctions are in `junction`.

use std::sync::Arc;

use super::curve::turn;
use super::network::{
    Conflict, Crossing, Link, Network, SignalPlan, Turn, conflict_spans, stop_signs,
};
use crate::geometry::{DVec2, Polyline, Pose, quantise, quantise_point};
use crate::map::{Area, AreaKind, Lane, LaneId, LaneKind, Line, LineKind, Map, MapParts};

/// Width of a bicycle lane, m.
const BIKE_WIDTH: f64 = 1.7;
/// Width of a parking strip, m.
pub(super) const PARKING_WIDTH: f64 = 2.2;
/// Width of a sidewalk, m.
pub(super) const SIDEWALK_WIDTH: f64 = 2.6;
/// Distance of the kerb from the outermost lane, m.
const GUTTER: f64 = 0.3;

/// The cross-section of a road, symmetric but for the number of lanes. Right-hand traffic.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Lanes along the reference line, right of it.
    pub forward: usize,
    /// Lanes against it, left of it.
    pub backward: usize,
    /// Width of a lane, m.
    pub lane_width: f64,
    /// Bicycle lanes at the right of both directions.
    pub bike: bool,
    /// Parking strips beyond.
    pub parking: bool,
    /// Sidewalks at both sides.
    pub sidewalk: bool,
    /// The divider lies this far left of the reference line, m.
    pub shift: f64,
    /// Speed limit, m/s.
    pub speed_limit: f64,
    /// Street or freeway.
    pub kind: LaneKind,
}

impl Profile {
    /// A city street with `forward` and `backward` lanes of 3.5 m, sidewalks, 50 km/h.
    pub fn street(forward: usize, backward: usize) -> Self {
        Self {
            forward,
            backward,
            lane_width: 3.5,
            bike: false,
            parking: false,
            sidewalk: true,
            shift: 0.0,
            speed_limit: 13.9,
            kind: LaneKind::Street,
        }
    }

    /// A one-way motorway with `lanes` lanes of 3.6 m, `speed_limit` in m/s.
    pub fn freeway(lanes: usize, speed_limit: f64) -> Self {
        Self {
            lane_width: 3.6,
            sidewalk: false,
            speed_limit,
            kind: LaneKind::Freeway,
            ..Self::street(lanes, 0)
        }
    }

    fn side(&self, lanes: usize) -> f64 {
        let extras = if lanes == 0 {
            0.0
        } else {
            f64::from(u8::from(self.bike)) * BIKE_WIDTH
                + f64::from(u8::from(self.parking)) * PARKING_WIDTH
        };
        lanes as f64 * self.lane_width + extras + GUTTER
    }

    /// Offset of the right kerb from the reference line, m, negative.
    pub fn right_edge(&self) -> f64 {
        self.shift - self.side(self.forward)
    }

    /// Offset of the left kerb from the reference line, m.
    pub fn left_edge(&self) -> f64 {
        self.shift + self.side(self.backward)
    }
}

/// A road: its lanes as positions in the network, leftmost first in each direction.
#[derive(Debug, Clone)]
pub struct Road {
    /// The line it was built along.
    pub reference: Polyline,
    /// Its cross-section.
    pub profile: Profile,
    /// Lanes along the reference line.
    pub forward: Vec<usize>,
    /// Lanes against it.
    pub backward: Vec<usize>,
    /// Bicycle lanes along and against it.
    pub bikes: [Option<usize>; 2],
}

/// One end of a road.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Where the reference line starts.
    Start,
    /// Where it ends.
    Finish,
}

impl Road {
    /// Lanes that arrive at `end`, leftmost first.
    pub fn arriving(&self, end: End) -> &[usize] {
        match end {
            End::Start => &self.backward,
            End::Finish => &self.forward,
        }
    }

    /// Lanes that leave from `end`, leftmost first.
    pub fn leaving(&self, end: End) -> &[usize] {
        match end {
            End::Start => &self.forward,
            End::Finish => &self.backward,
        }
    }

    /// Arriving and leaving bicycle lane at `end`.
    pub fn bikes_at(&self, end: End) -> [Option<usize>; 2] {
        match end {
            End::Start => [self.bikes[1], self.bikes[0]],
            End::Finish => self.bikes,
        }
    }

    /// The reference pose at `end`, facing out of the road.
    pub fn outward(&self, end: End) -> Pose {
        match end {
            End::Start => {
                let pose = self.reference.pose_at(0.0);
                Pose::new(pose.point, pose.heading + std::f64::consts::PI)
            }
            End::Finish => self.reference.pose_at(self.reference.length()),
        }
    }

    /// The kerbs at `end`, left and right of [`Road::outward`].
    pub fn kerbs(&self, end: End) -> [DVec2; 2] {
        let out = self.outward(end);
        let (left, right) = match end {
            End::Finish => (self.profile.left_edge(), self.profile.right_edge()),
            End::Start => (-self.profile.right_edge(), -self.profile.left_edge()),
        };
        [
            out.point + out.left() * left,
            out.point + out.left() * right,
        ]
    }
}

/// A crossing's line, width (m) and signal, before its lanes are known.
type PlannedCrossing = (Polyline, f64, Option<(usize, usize)>);

/// Collects lanes, lines and areas, and turns them into a [`Network`].
#[derive(Debug, Default)]
pub struct Builder {
    pub(super) lanes: Vec<Lane>,
    pub(super) links: Vec<Link>,
    pub(super) lines: Vec<Line>,
    pub(super) areas: Vec<Area>,
    crossings: Vec<PlannedCrossing>,
    pub(super) plans: Vec<SignalPlan>,
    pub(super) junctions: usize,
    conflicts: Vec<Conflict>,
}

impl Builder {
    /// Adds a lane and returns its position.
    pub(super) fn add_lane(&mut self, lane: Lane, link: Link) -> usize {
        self.lanes.push(lane);
        self.links.push(link);
        self.lanes.len() - 1
    }

    /// Says that `to` continues `from`.
    pub fn join(&mut self, from: usize, to: usize) {
        if !self.links[from].successors.contains(&to) {
            self.links[from].successors.push(to);
            self.links[to].predecessors.push(from);
        }
    }

    /// Lays a road along `reference` with lanes named `name` + direction + number.
    pub fn road(&mut self, name: &str, reference: &Polyline, profile: Profile) -> Road {
        let width = profile.lane_width;
        let mut road = Road {
            reference: reference.clone(),
            profile,
            forward: Vec::new(),
            backward: Vec::new(),
            bikes: [None, None],
        };
        for (sign, count) in [(-1.0, profile.forward), (1.0, profile.backward)] {
            let mark = if sign < 0.0 { "+" } else { "-" };
            let mut made = Vec::new();
            for index in 0..count {
                let centre = profile.shift + sign * (index as f64 + 0.5) * width;
                let id = format!("{name}{mark}{index}");
                made.extend(self.strip(&id, reference, (centre, width), sign, profile));
                if index + 1 < count {
                    let line = profile.shift + sign * (index as f64 + 1.0) * width;
                    self.paint(LineKind::BrokenWhite, reference, line);
                }
            }
            for pair in made.windows(2) {
                self.links[pair[0]].right = Some(pair[1]);
                self.links[pair[1]].left = Some(pair[0]);
            }
            let mut outer = profile.shift + sign * count as f64 * width;
            if profile.bike && count > 0 {
                let bike = Profile {
                    kind: LaneKind::Bike,
                    ..profile
                };
                let centre = outer + sign * BIKE_WIDTH / 2.0;
                let id = format!("{name}{mark}bike");
                let lane = self.strip(&id, reference, (centre, BIKE_WIDTH), sign, bike);
                road.bikes[usize::from(sign > 0.0)] = lane;
                self.paint(LineKind::SolidWhite, reference, outer);
                outer += sign * BIKE_WIDTH;
            }
            if profile.parking && count > 0 {
                self.paint(LineKind::BrokenWhite, reference, outer);
            }
            if sign < 0.0 {
                road.forward = made;
            } else {
                road.backward = made;
            }
        }
        if profile.forward > 0 && profile.backward > 0 {
            let kind = if profile.forward + profile.backward > 2 {
                LineKind::SolidYellow
            } else {
                LineKind::BrokenYellow
            };
            self.paint(kind, reference, profile.shift);
        }
        let right = shifted(reference, profile.right_edge());
        let left = shifted(reference, profile.left_edge());
        self.surface(&left, &right, profile.sidewalk);
        road
    }

    /// A piece between two roads of the same direction, forward lanes as `forward` pairs them, backward lanes in
    /// order; its edges run from the end of `from` to the start of `to`. For lane shifts and turn lanes: of two
    /// branches the left one counts as a left turn.
    pub fn taper(&mut self, name: &str, from: &Road, to: &Road, forward: &[(usize, usize)]) {
        let ends = (from.outward(End::Finish), to.outward(End::Start));
        for &(a, b) in forward {
            let lane = self.connect(&format!("{name}+{a}{b}"), from.forward[a], to.forward[b]);
            let branches = forward.iter().any(|&(other, lane)| other == a && lane > b);
            if let Some(lane) = lane.filter(|_| branches) {
                self.links[lane].turn = Turn::Left;
            }
        }
        for (index, (&a, &b)) in to.backward.iter().zip(&from.backward).enumerate() {
            self.connect(&format!("{name}-{index}"), a, b);
        }
        let kerb = |from_offset: f64, to_offset: f64| {
            let onward = Pose::new(ends.1.point, ends.1.heading + std::f64::consts::PI);
            let start = Pose::new(ends.0.point + ends.0.left() * from_offset, ends.0.heading);
            let end = Pose::new(onward.point + onward.left() * to_offset, onward.heading);
            turn(start, end)
        };
        let left = kerb(from.profile.left_edge(), to.profile.left_edge());
        let right = kerb(from.profile.right_edge(), to.profile.right_edge());
        if let (Some(left), Some(right)) = (left, right) {
            self.surface(&left, &right, to.profile.sidewalk);
        }
        if from.profile.backward > 0
            && let Some(middle) = kerb(from.profile.shift, to.profile.shift)
        {
            self.lines
                .push(Line::new(LineKind::SolidYellow, middle.points().to_vec()));
        }
    }

    /// Joins two roads whose ends meet, lane by lane from the left (forward) and back.
    pub fn weld(&mut self, from: &Road, to: &Road) {
        for (&a, &b) in from.forward.iter().zip(&to.forward) {
            self.join(a, b);
        }
        for (&a, &b) in to.backward.iter().zip(&from.backward) {
            self.join(a, b);
        }
    }

    /// A smooth lane from the end of lane `from` to the start of lane `to`. Returns its position.
    pub(super) fn connect(&mut self, id: &str, from: usize, to: usize) -> Option<usize> {
        let (first, last) = (&self.lanes[from], &self.lanes[to]);
        let line = turn(
            first.centreline.pose_at(first.centreline.length()),
            last.centreline.pose_at(0.0),
        )?;
        let mut lane = Lane::new(id, first.kind, line);
        lane.width = first.width;
        lane.speed_limit = match (first.speed_limit, last.speed_limit) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let index = self.add_lane(lane, Link::default());
        self.join(from, index);
        self.join(index, to);
        Some(index)
    }

    /// A crossing over `road` with its middle `s` metres along the reference line, `width` metres wide.
    pub fn crossing(&mut self, road: &Road, s: f64, width: f64, signal: Option<(usize, usize)>) {
        let pose = road.reference.pose_at(s);
        let (left, right) = (road.profile.left_edge(), road.profile.right_edge());
        let half = pose.forward() * (width / 2.0);
        let [a, b] = [
            pose.point + pose.left() * left,
            pose.point + pose.left() * right,
        ];
        self.areas.push(Area::new(
            AreaKind::Crossing,
            vec![a - half, b - half, b + half, a + half],
        ));
        self.crossings
            .extend(Polyline::new([a, b]).map(|line| (line, width, signal)));
    }

    /// Lets vehicles of two lanes exclude each other on the given stretches (m), as in a narrow passage.
    pub fn exclude(&mut self, lanes: [usize; 2], spans: [[f64; 2]; 2]) {
        self.conflicts.push(Conflict {
            lanes,
            spans,
            merges: false,
        });
    }

    /// Checks nothing and indexes everything: map, conflicts, crossings. Lanes without successors become exits
    /// unless `dead_ends` names them.
    pub fn finish(mut self, dead_ends: &[usize]) -> Network {
        for (index, link) in self.links.iter_mut().enumerate() {
            link.is_exit = link.successors.is_empty() && !dead_ends.contains(&index);
        }
        let ids: Vec<LaneId> = self.lanes.iter().map(|lane| lane.id.clone()).collect();
        let named = |lanes: &[usize]| lanes.iter().map(|&lane| ids[lane].clone()).collect();
        for (lane, link) in self.lanes.iter_mut().zip(&self.links) {
            lane.successors = named(&link.successors);
            lane.predecessors = named(&link.predecessors);
            lane.left_neighbour = link.left.map(|left| ids[left].clone());
            lane.right_neighbour = link.right.map(|right| ids[right].clone());
            lane.in_junction = link.junction.is_some();
            lane.width = lane.width.map(quantise);
            let points = lane.centreline.points().iter().copied().map(quantise_point);
            if let Some(line) = Polyline::new(points) {
                lane.centreline = line;
            }
            for border in [&mut lane.left_border, &mut lane.right_border] {
                border
                    .iter_mut()
                    .for_each(|point| *point = quantise_point(*point));
            }
        }
        for line in &mut self.lines {
            line.points
                .iter_mut()
                .for_each(|point| *point = quantise_point(*point));
        }
        for area in &mut self.areas {
            area.polygon
                .iter_mut()
                .for_each(|point| *point = quantise_point(*point));
        }
        let mut conflicts = self.conflicts;
        conflicts.extend(junction_conflicts(&self.lanes, &self.links));
        let crossings = self
            .crossings
            .into_iter()
            .map(|(line, width, signal)| crossing_lanes(line, width, signal, &self.lanes))
            .collect();
        let stop_signs = stop_signs(&self.lanes, &self.links);
        Network {
            map: Arc::new(Map::build(MapParts {
                lanes: self.lanes,
                lines: self.lines,
                areas: self.areas,
                stop_signs,
                ..MapParts::default()
            })),
            links: self.links,
            conflicts,
            crossings,
            plans: self.plans,
        }
    }

    fn strip(
        &mut self,
        id: &str,
        reference: &Polyline,
        (centre, width): (f64, f64),
        sign: f64,
        profile: Profile,
    ) -> Option<usize> {
        let along = |offset: f64| {
            let mut points = shifted(reference, offset).points().to_vec();
            if sign > 0.0 {
                points.reverse();
            }
            points
        };
        let mut lane = Lane::new(id, profile.kind, Polyline::new(along(centre))?);
        lane.left_border = along(centre - sign * width / 2.0);
        lane.right_border = along(centre + sign * width / 2.0);
        lane.width = Some(width);
        lane.speed_limit = Some(quantise(profile.speed_limit));
        Some(self.add_lane(
            lane,
            Link {
                stop_back_m: 0.5,
                ..Link::default()
            },
        ))
    }

    fn paint(&mut self, kind: LineKind, reference: &Polyline, offset: f64) {
        self.lines.push(Line::new(
            kind,
            shifted(reference, offset).points().to_vec(),
        ));
    }

    /// Drivable surface between two kerbs, the kerbs, and sidewalks outside them.
    fn surface(&mut self, left: &Polyline, right: &Polyline, sidewalk: bool) {
        self.areas
            .push(Area::new(AreaKind::Drivable, between(left, right)));
        for (kerb, outwards) in [(left, SIDEWALK_WIDTH), (right, -SIDEWALK_WIDTH)] {
            self.kerb(kerb, if sidewalk { outwards } else { 0.0 });
        }
    }

    /// A kerb, with a sidewalk `outwards` metres to its left (negative: to its right; 0: none).
    pub(super) fn kerb(&mut self, kerb: &Polyline, outwards: f64) {
        self.lines
            .push(Line::new(LineKind::Edge, kerb.points().to_vec()));
        if outwards != 0.0 {
            self.areas.push(Area::new(
                AreaKind::Sidewalk,
                between(kerb, &shifted(kerb, outwards)),
            ));
        }
    }
}

fn shifted(line: &Polyline, left: f64) -> Polyline {
    line.shifted(left).unwrap_or_else(|| line.clone())
}

/// The polygon between two lines of the same direction.
fn between(left: &Polyline, right: &Polyline) -> Vec<DVec2> {
    let back = left.points().iter().rev();
    right.points().iter().chain(back).copied().collect()
}

fn junction_conflicts(lanes: &[Lane], links: &[Link]) -> Vec<Conflict> {
    let mut found = Vec::new();
    for first in 0..links.len() {
        for second in first + 1..links.len() {
            let (a, b) = (&links[first], &links[second]);
            let diverge = a
                .predecessors
                .iter()
                .any(|lane| b.predecessors.contains(lane));
            let follow = a.successors.contains(&second) || b.successors.contains(&first);
            if a.junction.is_none() || a.junction != b.junction || diverge || follow {
                continue;
            }
            let merges = a.successors.iter().any(|lane| b.successors.contains(lane));
            let bikes = [first, second].map(|lane| lanes[lane].kind == LaneKind::Bike);
            let reach = match bikes {
                [false, false] => 2.7,
                [true, true] => 1.2,
                _ => 2.0,
            };
            let lines = [first, second].map(|lane| &lanes[lane].centreline);
            if let Some(spans) = conflict_spans(lines[0], lines[1], reach, merges) {
                found.push(Conflict {
                    lanes: [first, second],
                    spans,
                    merges,
                });
            }
        }
    }
    found
}

fn crossing_lanes(
    line: Polyline,
    width: f64,
    signal: Option<(usize, usize)>,
    lanes: &[Lane],
) -> Crossing {
    let (from, to) = (line.start(), line.end());
    let across = to - from;
    let mut met = Vec::new();
    for (index, lane) in lanes.iter().enumerate() {
        let points = lane.centreline.points();
        for (piece, ends) in points.windows(2).enumerate() {
            let edge = ends[1] - ends[0];
            let cross = edge.perp_dot(across);
            if cross.abs() < 1e-9 {
                continue;
            }
            let on_lane = (from - ends[0]).perp_dot(across) / cross;
            let on_line = (from - ends[0]).perp_dot(edge) / cross;
            if (0.0..1.0).contains(&on_lane) && (0.0..=1.0).contains(&on_line) {
                let s = lane.centreline.arc()[piece] + on_lane * edge.length();
                met.push((index, s, on_line * across.length()));
                break;
            }
        }
    }
    Crossing {
        line,
        width,
        lanes: met,
        signal,
    }
}
