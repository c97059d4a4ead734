//! A road network the traffic can drive on: the map, and beside each lane what drivers must know about it.

use std::sync::Arc;

use crate::geometry::{DVec2, Polyline};
use crate::map::{Map, StopSign};
use crate::scene::{Signal, SignalState};

/// A built network. `links` runs parallel to `map.lanes()`.
#[derive(Debug, Clone)]
pub struct Network {
    /// The geometry.
    pub map: Arc<Map>,
    /// What drivers must know of each lane.
    pub links: Vec<Link>,
    /// Pairs of lanes whose vehicles would meet.
    pub conflicts: Vec<Conflict>,
    /// Pedestrian crossings.
    pub crossings: Vec<Crossing>,
    /// Traffic light programs.
    pub plans: Vec<SignalPlan>,
}

/// Where a junction lane leads, seen by its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// On along the road; also every lane outside junctions.
    #[default]
    Straight,
    /// To the left.
    Left,
    /// To the right.
    Right,
}

/// What drivers must know of a lane beside its geometry.
#[derive(Debug, Clone, Default)]
pub struct Link {
    /// Lanes that continue this one, as positions in `Map::lanes`.
    pub successors: Vec<usize>,
    /// Lanes this one continues.
    pub predecessors: Vec<usize>,
    /// The lane to the left in the same direction that may be changed to.
    pub left: Option<usize>,
    /// The lane to the right in the same direction that may be changed to.
    pub right: Option<usize>,
    /// Where a junction lane leads.
    pub turn: Turn,
    /// Right of way inside a junction: the higher goes first; equal ranks go in order of arrival.
    pub rank: u8,
    /// Which junction it runs through.
    pub junction: Option<usize>,
    /// Program and group that govern entry to this lane.
    pub signal: Option<(usize, usize)>,
    /// Whether everyone must stop before entering it.
    pub must_stop: bool,
    /// How far before the end of an approach lane vehicles stop, m.
    pub stop_back_m: f64,
    /// Whether traffic leaves the world at its end; a lane without successors that is no exit just ends.
    pub is_exit: bool,
}

/// Two lanes that cross or merge, with the stretches (arc length, m) where their vehicles would touch.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The lanes.
    pub lanes: [usize; 2],
    /// From and to on each.
    pub spans: [[f64; 2]; 2],
    /// Whether they lead into the same lane.
    pub merges: bool,
}

/// A pedestrian crossing from kerb to kerb.
#[derive(Debug, Clone)]
pub struct Crossing {
    /// From one kerb to the other.
    pub line: Polyline,
    /// Extent along the road, m.
    pub width: f64,
    /// Lanes it crosses: lane, arc length on the lane, arc length on the line (m).
    pub lanes: Vec<(usize, f64, f64)>,
    /// Program and group whose green lets people walk; none at a zebra crossing.
    pub signal: Option<(usize, usize)>,
}

/// A fixed-time program: groups are green one after the other, with yellow and all-red between.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalPlan {
    /// Green time of each group, s.
    pub greens_s: Vec<f64>,
    /// Yellow, s.
    pub yellow_s: f64,
    /// All red after yellow, s.
    pub all_red_s: f64,
    /// Time into the cycle at time 0, s.
    pub offset_s: f64,
}

impl SignalPlan {
    /// Length of the cycle, s.
    pub fn cycle_s(&self) -> f64 {
        let clearance = self.yellow_s + self.all_red_s;
        self.greens_s.iter().map(|green| green + clearance).sum()
    }

    /// What `group` shows at `time_s`, and for how many seconds more (for red: 0).
    pub fn state(&self, group: usize, time_s: f64) -> (SignalState, f64) {
        let mut rest = (time_s + self.offset_s).rem_euclid(self.cycle_s());
        for (index, &green) in self.greens_s.iter().enumerate() {
            let clearance = self.yellow_s + self.all_red_s;
            if rest >= green + clearance {
                rest -= green + clearance;
                continue;
            }
            if index != group {
                break;
            }
            if rest < green {
                return (SignalState::Green, green - rest);
            }
            if rest < green + self.yellow_s {
                return (SignalState::Yellow, green + self.yellow_s - rest);
            }
            break;
        }
        (SignalState::Red, 0.0)
    }
}

impl Network {
    /// The lane with this id, as a position in `Map::lanes`.
    pub fn lane(&self, id: &str) -> Option<usize> {
        self.map.lane_index(&crate::map::LaneId::new(id))
    }

    /// Lanes where traffic enters: those for vehicles (or cyclists) without predecessors.
    pub fn entries(&self) -> Vec<usize> {
        (0..self.links.len())
            .filter(|&lane| self.links[lane].predecessors.is_empty())
            .collect()
    }

    /// The signals of the scene file: one for each governed junction lane, `frames` states `dt_s` apart from
    /// `start_s` on.
    pub fn signals(&self, start_s: f64, dt_s: f64, frames: usize) -> Vec<Signal> {
        let governed = self.links.iter().enumerate();
        governed
            .filter_map(|(lane, link)| {
                let (plan, group) = link.signal?;
                let at = |frame: usize| start_s + frame as f64 * dt_s;
                Some(Signal::new(
                    self.map.lanes()[lane].id.clone(),
                    self.stop_point(lane),
                    (0..frames)
                        .map(|frame| self.plans[plan].state(group, at(frame)).0)
                        .collect(),
                ))
            })
            .collect()
    }

    /// Where vehicles stop before entering a junction lane: on its first predecessor.
    pub fn stop_point(&self, lane: usize) -> Option<DVec2> {
        let before = *self.links[lane].predecessors.first()?;
        let line = &self.map.lanes()[before].centreline;
        let point = line.point_at(line.length() - self.links[before].stop_back_m);
        Some(crate::geometry::quantise_point(point))
    }
}

/// Stop signs of the lanes that must stop, one for each approach lane.
pub(super) fn stop_signs(map_lanes: &[crate::map::Lane], links: &[Link]) -> Vec<StopSign> {
    let mut signs: Vec<StopSign> = Vec::new();
    for (lane, link) in links.iter().enumerate() {
        let Some(&before) = link.predecessors.first().filter(|_| link.must_stop) else {
            continue;
        };
        let line = &map_lanes[before].centreline;
        let pose = line.pose_at(line.length() - links[before].stop_back_m);
        let point = crate::geometry::quantise_point(pose.point - pose.left() * 3.0);
        let id = map_lanes[lane].id.clone();
        match signs.iter_mut().find(|sign| sign.point == point) {
            Some(sign) => sign.lanes.push(id),
            None => signs.push(StopSign::new(point, vec![id])),
        }
    }
    signs
}

/// The stretches of two lanes where centrelines come nearer than `reach` metres; `None` if they never do. A
/// merge lasts to the end of both lanes.
pub(super) fn conflict_spans(
    first: &Polyline,
    second: &Polyline,
    reach: f64,
    merges: bool,
) -> Option<[[f64; 2]; 2]> {
    let near = |line: &Polyline, other: &Polyline| -> Option<[f64; 2]> {
        let pieces = (line.length() / 0.4).ceil().max(1.0) as usize;
        let mut span: Option<[f64; 2]> = None;
        for piece in 0..=pieces {
            let s = line.length() * piece as f64 / pieces as f64;
            if other.project(line.point_at(s)).offset.abs() < reach {
                span = Some([span.map_or(s, |span| span[0]), s]);
            }
        }
        span
    };
    let mut spans = [near(first, second)?, near(second, first)?];
    if merges {
        spans[0][1] = first.length();
        spans[1][1] = second.length();
    }
    Some(spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    #[test]
    fn a_two_group_program_alternates_with_yellow_and_all_red() {
        let plan = SignalPlan {
            greens_s: vec![20.0, 10.0],
            yellow_s: 3.0,
            all_red_s: 2.0,
            offset_s: 0.0,
        };
        assert_eq!(plan.cycle_s(), 40.0); // 20 + 5 + 10 + 5
        assert_eq!(plan.state(0, 5.0), (SignalState::Green, 15.0));
        assert_eq!(plan.state(0, 21.0), (SignalState::Yellow, 2.0));
        assert_eq!(plan.state(0, 24.0).0, SignalState::Red);
        assert_eq!(plan.state(1, 24.0).0, SignalState::Red); // all red: 23 to 25 s
        assert_eq!(plan.state(1, 25.0), (SignalState::Green, 10.0));
        assert_eq!(plan.state(0, 45.0), (SignalState::Green, 15.0)); // next cycle
    }

    #[test]
    fn crossing_lanes_conflict_within_reach_of_the_crossing_point() {
        let east = Polyline::new([dvec2(-20.0, 0.0), dvec2(20.0, 0.0)]).unwrap();
        let north = Polyline::new([dvec2(0.0, -20.0), dvec2(0.0, 20.0)]).unwrap();
        let spans = conflict_spans(&east, &north, 2.6, false).unwrap();
        // the lines cross at s = 20 on both; 2.6 m to either side, sampled every 0.4 m
        assert!((spans[0][0] - 17.6).abs() < 0.41 && (spans[0][1] - 22.4).abs() < 0.41);
        assert_eq!(spans[0], spans[1]);
    }
}
