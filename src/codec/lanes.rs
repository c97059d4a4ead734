//! The map context of a window: lane pieces of at most 50 m, 20 points each, with limits and signals.

use std::collections::BTreeMap;

use super::{T, token_time_s};
use crate::geometry::DVec2;
use crate::map::LaneKind;
use crate::scene::{Scene, Signal, SignalState, State};

/// Points of a lane piece.
pub const PIECE_POINTS: usize = 20;

/// Longest piece, m.
const PIECE_M: f64 = 50.0;

/// Pieces farther than this from every agent's way are left out, m.
const REACH_M: f64 = 60.0;

/// Most pieces of a window.
const MOST: usize = 160;

/// When agents coasting at their present velocity are looked at, s after the present.
const LOOK_AHEAD_S: [f64; 4] = [0.0, 2.5, 5.0, 8.0];

/// A stretch of a lane, in driving direction.
#[derive(Debug, Clone)]
pub struct LanePiece {
    /// Evenly spaced points, scene frame, m.
    pub points: [DVec2; PIECE_POINTS],
    /// Position in `Map::lanes`.
    pub lane: usize,
    /// Who the lane is for: motor vehicles or bicycles.
    pub kind: LaneKind,
    /// Whether motor vehicles drive on it.
    pub carries_vehicles: bool,
    /// Whether it runs through a junction.
    pub in_junction: bool,
    /// Speed limit, m/s, where known.
    pub speed_limit: Option<f64>,
    /// What holds for traffic onto it at each token; `Unknown` without a signal. Signals are on the lane behind the
    /// stop line (the connection through the junction), also where the file puts them on the lane before it: so they
    /// are in the training data.
    pub signals: [SignalState; T],
    /// Whether it belongs to the ego's route; `None` where nobody has said.
    pub on_route: Option<bool>,
}

impl LanePiece {
    /// The signal at a token as networks read it: red 1, yellow ½, green −1, none, unknown or flashing 0.
    pub fn signal_number(&self, token: usize) -> f32 {
        match self.signals[token] {
            SignalState::Red => 1.0,
            SignalState::Yellow => 0.5,
            SignalState::Green => -1.0,
            SignalState::Unknown | SignalState::FlashingRed | SignalState::FlashingYellow => 0.0,
        }
    }
}

/// Pieces of the lanes for vehicles and bicycles within 60 m of where the agents are or, coasting, will be within 8 s;
/// nearest first, at most 160.
pub(super) fn pieces_near(scene: &Scene, present: &[State], now_s: f64) -> Vec<LanePiece> {
    let anchors: Vec<DVec2> = present
        .iter()
        .flat_map(|state| LOOK_AHEAD_S.map(|after_s| state.position + state.velocity * after_s))
        .collect();
    let Some((low, high)) = anchors.iter().fold(None, |box_, &point| {
        let (low, high) = box_.unwrap_or((point, point));
        Some((point.min(low), point.max(high)))
    }) else {
        return Vec::new();
    };
    let (low, high) = (low - REACH_M, high + REACH_M);
    let governed = signals_by_lane(scene);
    let mut found: Vec<(f64, LanePiece)> = Vec::new();
    for (index, lane) in scene.map.lanes().iter().enumerate() {
        let bike = lane.kind == LaneKind::Bike;
        if !(lane.carries_vehicles() || bike) {
            continue;
        }
        let outside = |points: &mut dyn Iterator<Item = DVec2>| {
            let (least, most) = points.fold(
                (DVec2::INFINITY, DVec2::NEG_INFINITY),
                |(least, most), p| (least.min(p), most.max(p)),
            );
            least.x > high.x || least.y > high.y || most.x < low.x || most.y < low.y
        };
        if outside(&mut lane.centreline.points().iter().copied()) {
            continue;
        }
        let length = lane.centreline.length();
        let count = (length / PIECE_M).ceil().max(1.0) as usize;
        let signals = governed
            .get(&index)
            .map(|signal| signal_tokens(scene, signal, now_s))
            .unwrap_or([SignalState::Unknown; T]);
        for part in 0..count {
            let at = |point: usize| {
                let along = part as f64 + point as f64 / (PIECE_POINTS - 1) as f64;
                length * along / count as f64
            };
            let points: [DVec2; PIECE_POINTS] =
                std::array::from_fn(|point| lane.centreline.point_at(at(point)));
            if outside(&mut points.iter().copied()) {
                continue;
            }
            let gap = points
                .iter()
                .step_by(3)
                .flat_map(|point| anchors.iter().map(|anchor| anchor.distance(*point)))
                .fold(f64::INFINITY, f64::min);
            if gap < REACH_M {
                let piece = LanePiece {
                    points,
                    lane: index,
                    kind: lane.kind,
                    carries_vehicles: lane.carries_vehicles(),
                    in_junction: lane.in_junction,
                    speed_limit: lane.speed_limit,
                    signals,
                    on_route: None,
                };
                found.push((gap, piece));
            }
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.truncate(MOST);
    found.into_iter().map(|(_, piece)| piece).collect()
}

/// Which lanes (by position in the map) each signal holds traffic back from. A signal on a junction lane, or with a
/// stop point near its lane's start, governs that lane; any other governs the lanes its own leads into, if there are any.
pub fn signals_by_lane(scene: &Scene) -> BTreeMap<usize, &Signal> {
    let map = &scene.map;
    let mut governed: BTreeMap<usize, &Signal> = BTreeMap::new();
    let mut passed_on: Vec<(usize, &Signal)> = Vec::new();
    for signal in scene.signals.iter() {
        let Some(index) = map.lane_index(&signal.lane) else {
            continue;
        };
        let lane = &map.lanes()[index];
        let behind = signal.stop_point.map_or(lane.in_junction, |point| {
            lane.in_junction || lane.centreline.project(point).s < 0.5 * lane.centreline.length()
        });
        let mut next = lane
            .successors
            .iter()
            .filter_map(|id| map.lane_index(id))
            .peekable();
        if behind || next.peek().is_none() {
            governed.entry(index).or_insert(signal);
        } else {
            passed_on.extend(next.map(|lane| (lane, signal)));
        }
    }
    for (lane, signal) in passed_on {
        governed.entry(lane).or_insert(signal);
    }
    governed
}

fn signal_tokens(scene: &Scene, signal: &Signal, now_s: f64) -> [SignalState; T] {
    std::array::from_fn(|token| {
        let frame = scene.frame_at(now_s + token_time_s(token)) + 1e-6;
        signal.at(frame.max(0.0) as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{NOW, Options, Window};
    use crate::geometry::Pose;
    use crate::geometry::{Polyline, dvec2};
    use crate::map::{Lane, Map, MapParts};
    use crate::scene::{Agent, AgentKind, Track};
    use std::sync::Arc;

    fn lane(id: &str, from: DVec2, to: DVec2) -> Lane {
        Lane::new(id, LaneKind::Street, Polyline::new([from, to]).unwrap())
    }

    fn scene(lanes: Vec<Lane>, signals: Vec<Signal>) -> Scene {
        let states = (0..101)
            .map(|frame| {
                Some(State::along(
                    Pose::at(0.1 * f64::from(frame), 0.0, 0.0),
                    1.0,
                ))
            })
            .collect();
        Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            map: Arc::new(Map::build(MapParts {
                lanes,
                ..MapParts::default()
            })),
            signals: Arc::new(signals),
            agents: vec![Arc::new(Agent::new(
                "car",
                AgentKind::Vehicle,
                Track::new(states),
            ))],
            ..Scene::default()
        }
    }

    #[test]
    fn long_lanes_are_cut_and_far_pieces_left_out() {
        let road = lane("road", dvec2(0.0, 0.0), dvec2(200.0, 0.0));
        let window = Window::new(&scene(vec![road], vec![]), &Options::default());
        // 200 m: four pieces of 50 m; the agent is at 2 m, coasting to 10 m: pieces at 0, 50 (40 m off), not 100 (90 m)
        let starts: Vec<f64> = window.lanes.iter().map(|piece| piece.points[0].x).collect();
        assert_eq!(starts, [0.0, 50.0]);
        assert!((window.lanes[1].points[19].x - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_signal_on_the_lane_before_the_stop_line_holds_for_the_connection_behind_it() {
        let mut approach = lane("approach", dvec2(0.0, 0.0), dvec2(30.0, 0.0));
        let mut turn = lane("turn", dvec2(30.0, 0.0), dvec2(50.0, 0.0));
        approach.successors.push(turn.id.clone());
        turn.in_junction = true;
        let mut states = vec![SignalState::Red; 40];
        states.push(SignalState::Green); // from 4.0 s: token NOW + (4.0 − 2.0) / 0.5 = NOW + 4
        for (on, stop_point) in [
            (&approach, None),
            (&approach, Some(dvec2(29.0, 0.0))),
            (&turn, None),
            (&turn, Some(dvec2(29.0, 0.0))), // before its start
        ] {
            let signal = Signal::new(on.id.clone(), stop_point, states.clone());
            let lanes = vec![approach.clone(), turn.clone()];
            let window = Window::new(&scene(lanes, vec![signal]), &Options::default());
            let piece = |lane: usize| {
                let found = window.lanes.iter().find(|piece| piece.lane == lane);
                found.unwrap()
            };
            assert_eq!(piece(1).signals[NOW + 3], SignalState::Red);
            assert_eq!(piece(1).signals[NOW + 4], SignalState::Green);
            assert_eq!(piece(0).signals[NOW], SignalState::Unknown);
        }
    }
}
