//! Where a vehicle goes: lanes joined to one line, with the speeds it allows and the places where it must look out.

use super::curve::curvatures;
use super::network::{Network, Turn};
use crate::geometry::{DVec2, Polyline, Pose};
use crate::rng::Stream;

/// How far ahead routes are laid, m.
const HORIZON_M: f64 = 420.0;

/// A stretch of the route shared with another lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zone {
    /// Position in `Network::conflicts`.
    pub conflict: usize,
    /// Which of the conflict's two lanes is on this route.
    pub side: usize,
    /// Where it begins and ends on the route, m.
    pub span: [f64; 2],
    /// Where to wait for it, m.
    pub wait_at: f64,
    /// Whether the vehicle has decided to go and can no longer be expected to stop.
    pub committed: bool,
}

/// A place where the route enters a junction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// The junction lane.
    pub lane: usize,
    /// The stop line on the route, m.
    pub stop_at: f64,
    /// Where the junction lane ends, m.
    pub leave_at: f64,
    /// Whether a stop that everyone must make has been made.
    pub stopped: bool,
}

/// A pedestrian crossing on the route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WalkZone {
    /// Position in `Network::crossings`.
    pub crossing: usize,
    /// Its middle on the route, m.
    pub at: f64,
    /// Where the route's centre lies on the crossing's line, m from its start.
    pub across: f64,
}

/// A route: lanes in order, the line through them, and what lies on it.
#[derive(Debug, Clone)]
pub struct Route {
    /// Lanes in order.
    pub lanes: Vec<usize>,
    /// Arc length where each lane begins, m.
    pub starts: Vec<f64>,
    /// The line.
    pub line: Polyline,
    /// Speed allowed at every point of the line by limits and curves, m/s, with braking in time.
    pub speeds: Vec<f64>,
    /// Conflicts in order.
    pub zones: Vec<Zone>,
    /// Junction entries in order.
    pub entries: Vec<Entry>,
    /// Crossings in order.
    pub walks: Vec<WalkZone>,
    /// Whether the line ends where traffic leaves the world.
    pub exits: bool,
    /// Whether the last lane ends with nothing after it.
    pub dead_end: bool,
}

/// What of the driver shapes the route.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Desired speed as a share of the limit.
    pub speed_factor: f64,
    /// Sideways acceleration accepted, m/s².
    pub curve_acceleration: f64,
    /// Length of the vehicle, m.
    pub length: f64,
    /// Never faster than this, m/s.
    pub top_speed: f64,
    /// Tightest radius it takes, m.
    pub least_radius: f64,
}

impl Route {
    /// A route from the start of `lane`: at each choice the next of `wishes` decides while there are any, then
    /// chance (straight on twice as likely as a turn).
    pub fn lay(
        network: &Network,
        lane: usize,
        wishes: &mut Vec<Turn>,
        manner: Manner,
        draw: &mut Stream,
    ) -> Option<Self> {
        let mut lanes = vec![lane];
        extend(network, &mut lanes, wishes, manner, draw);
        Self::along(network, lanes, manner)
    }

    /// The same route from its `index`-th lane on, laid further.
    pub fn continued(
        &self,
        network: &Network,
        index: usize,
        wishes: &mut Vec<Turn>,
        manner: Manner,
        draw: &mut Stream,
    ) -> Option<Self> {
        let mut lanes = self.lanes[index..].to_vec();
        extend(network, &mut lanes, wishes, manner, draw);
        let mut next = Self::along(network, lanes, manner)?;
        let shift = self.starts[index];
        for zone in &mut next.zones {
            zone.committed = self.zones.iter().any(|old| {
                old.committed
                    && old.conflict == zone.conflict
                    && (old.span[0] - shift - zone.span[0]).abs() < 1.0
            });
        }
        for entry in &mut next.entries {
            entry.stopped = self.entries.iter().any(|old| {
                old.stopped
                    && old.lane == entry.lane
                    && (old.stop_at - shift - entry.stop_at).abs() < 1.0
            });
        }
        Some(next)
    }

    /// Which lane of the route lies at arc length `s`.
    pub fn index_at(&self, s: f64) -> usize {
        self.starts.partition_point(|&start| start <= s).max(1) - 1
    }

    /// Speed allowed at arc length `s`, m/s.
    pub fn speed_at(&self, s: f64) -> f64 {
        let arc = self.line.arc();
        let after = arc.partition_point(|&at| at <= s).clamp(1, arc.len() - 1);
        let fraction = ((s - arc[after - 1]) / (arc[after] - arc[after - 1])).clamp(0.0, 1.0);
        self.speeds[after - 1] + fraction * (self.speeds[after] - self.speeds[after - 1])
    }

    /// Arc length of the point of the line nearest to `point` between `low` and `high`, and its signed offset.
    pub fn locate(&self, point: DVec2, low: f64, high: f64) -> (f64, f64) {
        let arc = self.line.arc();
        let first = arc.partition_point(|&at| at <= low).max(1) - 1;
        let last = arc
            .partition_point(|&at| at < high)
            .min(arc.len() - 1)
            .max(first + 1);
        let points = self.line.points();
        let mut best = (f64::INFINITY, low, 0.0);
        for piece in first..last {
            let from = points[piece];
            let edge = points[piece + 1] - from;
            let open_end = piece + 2 == points.len();
            let along = (point - from).dot(edge) / edge.length_squared();
            let along = along.clamp(0.0, if open_end { 3.0 } else { 1.0 });
            let nearest = from + edge * along;
            let distance = nearest.distance_squared(point);
            if distance < best.0 {
                let side = edge.perp_dot(point - from);
                let s = arc[piece] + along * edge.length();
                best = (distance, s, distance.sqrt().copysign(side));
            }
        }
        (best.1, best.2)
    }

    /// Pose on the line, its heading blended over 1 m to either side.
    pub fn pose_at(&self, s: f64) -> Pose {
        let (before, after) = (self.line.point_at(s - 1.0), self.line.point_at(s + 1.0));
        Pose::new(self.line.point_at(s), (after - before).to_angle())
    }

    fn along(network: &Network, lanes: Vec<usize>, manner: Manner) -> Option<Self> {
        let mut points: Vec<DVec2> = Vec::new();
        let mut limits: Vec<f64> = Vec::new();
        let mut starts = Vec::new();
        let mut length = 0.0;
        for &lane in &lanes {
            let part = &network.map.lanes()[lane];
            let limit = part.speed_limit.unwrap_or(13.9) * manner.speed_factor;
            let mut own: Vec<DVec2> = part.centreline.points().to_vec();
            if let Some(&last) = points.last() {
                // quantised ends of joined lanes may differ by a tenth of a millimetre
                if last.distance(own[0]) < 0.01 {
                    own.remove(0);
                }
            }
            starts.push(length);
            for point in own {
                if let Some(last) = points.last() {
                    length += last.distance(point);
                }
                points.push(point);
                limits.push(limit.min(manner.top_speed));
            }
        }
        let line = Polyline::new(points)?;
        if line.points().len() != limits.len() {
            return None;
        }
        let last = *lanes.last()?;
        let speeds = allowed_speeds(&line, limits, manner);
        let mut route = Self {
            exits: network.links[last].is_exit,
            dead_end: network.links[last].successors.is_empty() && !network.links[last].is_exit,
            lanes,
            starts,
            line,
            speeds,
            zones: Vec::new(),
            entries: Vec::new(),
            walks: Vec::new(),
        };
        route.mark(network, manner.length);
        Some(route)
    }

    /// Finds junction entries, conflict zones and crossings on the route.
    fn mark(&mut self, network: &Network, length: f64) {
        for (index, &lane) in self.lanes.iter().enumerate() {
            let start = self.starts[index];
            let end = self.starts.get(index + 1).copied();
            let end = end.unwrap_or(self.line.length());
            let link = &network.links[lane];
            let from_outside = index > 0 && network.links[self.lanes[index - 1]].junction.is_none();
            let mut stop_at = start - 0.5;
            if link.junction.is_some() && (from_outside || index == 0) {
                if index > 0 {
                    stop_at = start - network.links[self.lanes[index - 1]].stop_back_m;
                }
                self.entries.push(Entry {
                    lane,
                    stop_at,
                    leave_at: end,
                    stopped: false,
                });
            } else if link.junction.is_some() {
                // inside a ring: wait where the junction was entered
                stop_at = self.entries.last().map_or(stop_at, |entry| entry.stop_at);
            }
            let mut zones: Vec<Zone> = Vec::new();
            for (conflict, pair) in network.conflicts.iter().enumerate() {
                for side in 0..2 {
                    if pair.lanes[side] == lane {
                        let span = pair.spans[side].map(|s| start + s);
                        let wait_at = if link.junction.is_some() {
                            stop_at
                        } else {
                            span[0] - 1.5
                        };
                        zones.push(Zone {
                            conflict,
                            side,
                            span,
                            wait_at,
                            committed: false,
                        });
                    }
                }
            }
            if link.signal.is_some() && link.turn == Turn::Left {
                wait_inside(network, lane, &mut zones, start, length);
            }
            zones.sort_by(|a, b| a.span[0].total_cmp(&b.span[0]));
            self.zones.extend(zones);
            for (crossing, place) in network.crossings.iter().enumerate() {
                for &(crossed, at, across) in &place.lanes {
                    if crossed == lane {
                        self.walks.push(WalkZone {
                            crossing,
                            at: start + at,
                            across,
                        });
                    }
                }
            }
        }
        self.walks.sort_by(|a, b| a.at.total_cmp(&b.at));
    }
}

/// Left turns under a signal wait inside the junction, before the oncoming lane, where they block nobody who has
/// green at the same time.
fn wait_inside(network: &Network, lane: usize, zones: &mut [Zone], start: f64, length: f64) {
    let group = network.links[lane].signal;
    let same: Vec<bool> = zones
        .iter()
        .map(|zone| {
            let other = network.conflicts[zone.conflict].lanes[1 - zone.side];
            network.links[other].signal == group
        })
        .collect();
    let blocks = |front: f64| {
        zones.iter().zip(&same).any(|(zone, &same)| {
            same && zone.span[0] < front + 0.3 && zone.span[1] > front - length - 0.3
        })
    };
    let mut places: Vec<f64> = zones
        .iter()
        .zip(&same)
        .filter(|(_, same)| **same)
        .map(|(zone, _)| zone.span[0] - 0.8)
        .filter(|&front| front > start + 2.0 && !blocks(front))
        .collect();
    places.sort_by(f64::total_cmp);
    for (zone, same) in zones.iter_mut().zip(same) {
        if same {
            let latest = places.iter().rev().find(|&&place| place < zone.span[0]);
            zone.wait_at = latest.copied().unwrap_or(zone.wait_at);
        }
    }
}

fn extend(
    network: &Network,
    lanes: &mut Vec<usize>,
    wishes: &mut Vec<Turn>,
    manner: Manner,
    draw: &mut Stream,
) {
    let map = network.map.lanes();
    let length_of = |lane: usize| map[lane].centreline.length();
    let mut length: f64 = lanes.iter().map(|&lane| length_of(lane)).sum();
    while length < HORIZON_M {
        let last = lanes[lanes.len() - 1];
        let next = &network.links[last].successors;
        if next.is_empty() {
            return;
        }
        let roomy = |lane: usize| {
            let sharpest = curvatures(&map[lane].centreline)
                .into_iter()
                .fold(0.0, f64::max);
            sharpest * manner.least_radius <= 1.0
        };
        let chosen = if next.len() == 1 {
            next[0]
        } else {
            let wished = wishes.first().copied();
            if wished.is_some() {
                wishes.remove(0);
            }
            let of_wish = next
                .iter()
                .copied()
                .find(|&lane| wished.is_some_and(|turn| network.links[lane].turn == turn));
            of_wish.unwrap_or_else(|| {
                let weight = |lane: usize| {
                    let straight = network.links[lane].turn == Turn::Straight;
                    if roomy(lane) {
                        if straight { 2.0 } else { 1.0 }
                    } else {
                        0.01
                    }
                };
                let total: f64 = next.iter().map(|&lane| weight(lane)).sum();
                let mut rest = draw.unit() * total;
                let mut chosen = next[0];
                for &lane in next {
                    chosen = lane;
                    rest -= weight(lane);
                    if rest < 0.0 {
                        break;
                    }
                }
                chosen
            })
        };
        lanes.push(chosen);
        length += length_of(chosen);
    }
}

/// Limits and curve speeds, lowered so that 1.3 m/s² of braking suffices before each slower place.
fn allowed_speeds(line: &Polyline, limits: Vec<f64>, manner: Manner) -> Vec<f64> {
    let bends = curvatures(line);
    let arc = line.arc();
    let mut speeds = limits;
    for index in 0..speeds.len() {
        let bend = bends[index].max(1e-4);
        speeds[index] = speeds[index].min((manner.curve_acceleration / bend).sqrt().max(1.5));
    }
    for index in (0..speeds.len() - 1).rev() {
        let step = arc[index + 1] - arc[index];
        let reach = (speeds[index + 1].powi(2) + 2.0 * 1.3 * step).sqrt();
        speeds[index] = speeds[index].min(reach);
    }
    speeds
}
