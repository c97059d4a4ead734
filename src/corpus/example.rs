//! One training window as tensors: a codec window in the ego's frame, without agents that overlap.

use half::f16;

use crate::codec::{DT_S, LanePiece, NOW, PIECE_POINTS, T, Window};
use crate::geometry::{OrientedBox, Pose, angle_between, dvec2};
use crate::map::LaneKind;
use crate::scene::SignalState;

/// Slots of a window; unused ones are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Agents, A.
    pub agents: usize,
    /// Lane pieces, L.
    pub lanes: usize,
}

/// A window as the training recipe reads it, padded to a [`Size`].
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// [A, T, 8]: x, y, cos h, sin h, vx, vy, length, width in the ego's frame at the present; zero where invalid.
    pub agents: Vec<f32>,
    /// [A, T], 1 where known.
    pub valid: Vec<u8>,
    /// [A]: 0 none, 1 vehicle, 2 pedestrian, 3 cyclist.
    pub kind: Vec<u8>,
    /// [L, 20, 2], m, the ego's frame.
    pub lanes: Vec<f16>,
    /// [L], 1 where there is a lane.
    pub lane_valid: Vec<u8>,
    /// [L]: 0 none, 1 street, 2 freeway, 3 bicycles only, 4 inside a junction.
    pub lane_kind: Vec<u8>,
    /// [L, T]: 0 none or unknown, 1 red, 2 yellow, 3 green.
    pub lane_signal: Vec<u8>,
    /// [L], limit, m/s; 0 unknown.
    pub lane_speed: Vec<f16>,
}

/// Why a window makes no example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum LeftOut {
    /// Nobody of a kind the model knows is there.
    #[error("without agents")]
    Empty,
    /// No lane within reach.
    #[error("without a lane near")]
    NoLane,
    /// The ego's box overlaps another's at some token.
    #[error("in which the ego overlaps somebody")]
    Overlap,
}

/// Boxes are shrunk to this share before they are held against each other: recordings overlap a little.
const SHRINK: f64 = 0.9;

/// Known states farther than this from where their velocities lead are a jump of the record, m in half a second.
const JUMP_M: f64 = 4.0;

/// Limit above which a street counts as a freeway, m/s.
const FREEWAY_MPS: f64 = 19.0;

impl Example {
    /// From a window whose first row is the ego (and whose validity is what is known). States beyond a jump are dropped;
    /// of two agents that overlap, the one farther from the ego is. Lanes for bicycles alone come after all others.
    ///
    /// # Errors
    ///
    /// As [`LeftOut`] says.
    pub fn of(window: &Window, size: Size) -> Result<Self, LeftOut> {
        Self::with_contact(window, size, None)
    }

    /// As [`Example::of`], but the agent in row `attacker` may overlap the ego.
    ///
    /// # Errors
    ///
    /// As [`LeftOut`] says.
    pub fn with_contact(
        window: &Window,
        size: Size,
        attacker: Option<usize>,
    ) -> Result<Self, LeftOut> {
        if window.rows.is_empty() {
            return Err(LeftOut::Empty);
        }
        if window.lanes.is_empty() {
            return Err(LeftOut::NoLane);
        }
        let valid = without_jumps(window);
        let kept = without_overlaps(window, &valid, attacker).ok_or(LeftOut::Overlap)?;
        let mut example = Self::blank(size);
        let ego = window.state(0, NOW).pose();
        for (slot, &row) in kept.iter().take(size.agents).enumerate() {
            example.put_agent(window, &valid, (slot, row), ego);
        }
        let (cars, bikes): (Vec<&LanePiece>, Vec<&LanePiece>) = window
            .lanes
            .iter()
            .partition(|piece| piece.carries_vehicles);
        for (slot, piece) in cars.into_iter().chain(bikes).take(size.lanes).enumerate() {
            example.put_lane(slot, piece, ego);
        }
        Ok(example)
    }

    fn blank(size: Size) -> Self {
        let Size { agents, lanes } = size;
        Self {
            agents: vec![0.0; agents * T * 8],
            valid: vec![0; agents * T],
            kind: vec![0; agents],
            lanes: vec![f16::ZERO; lanes * PIECE_POINTS * 2],
            lane_valid: vec![0; lanes],
            lane_kind: vec![0; lanes],
            lane_signal: vec![0; lanes * T],
            lane_speed: vec![f16::ZERO; lanes],
        }
    }

    fn put_agent(
        &mut self,
        window: &Window,
        valid: &[bool],
        (slot, row): (usize, usize),
        ego: Pose,
    ) {
        let agent = &window.rows[row];
        self.kind[slot] = 1 + agent.kind_number() as u8;
        let axes = dvec2(ego.forward().x, -ego.forward().y);
        for token in (0..T).filter(|token| valid[row * T + token]) {
            let state = window.state(row, token);
            let place = ego.local_from_outer(state.position);
            let (sin, cos) = angle_between(ego.heading, state.heading).sin_cos();
            let velocity = axes.rotate(state.velocity);
            let numbers = [
                place.x,
                place.y,
                cos,
                sin,
                velocity.x,
                velocity.y,
                agent.length,
                agent.width,
            ];
            let at = slot * T + token;
            self.valid[at] = 1;
            for (to, number) in self.agents[at * 8..at * 8 + 8].iter_mut().zip(numbers) {
                *to = number as f32;
            }
        }
    }

    fn put_lane(&mut self, slot: usize, piece: &LanePiece, ego: Pose) {
        for (index, &point) in piece.points.iter().enumerate() {
            let place = ego.local_from_outer(point);
            let at = (slot * PIECE_POINTS + index) * 2;
            self.lanes[at] = f16::from_f64(place.x);
            self.lanes[at + 1] = f16::from_f64(place.y);
        }
        let limit = piece.speed_limit.unwrap_or(0.0);
        self.lane_valid[slot] = 1;
        self.lane_kind[slot] = if !piece.carries_vehicles {
            3
        } else if piece.in_junction {
            4
        } else if piece.kind == LaneKind::Freeway || limit > FREEWAY_MPS {
            2
        } else {
            1
        };
        self.lane_speed[slot] = f16::from_f64(limit);
        for (token, signal) in piece.signals.iter().enumerate() {
            self.lane_signal[slot * T + token] = match signal {
                SignalState::Red => 1,
                SignalState::Yellow => 2,
                SignalState::Green => 3,
                SignalState::Unknown | SignalState::FlashingRed | SignalState::FlashingYellow => 0,
            };
        }
    }

    /// How many agents it holds of the kind with this number (1 vehicle, 2 pedestrian, 3 cyclist).
    pub fn count(&self, kind: u8) -> usize {
        self.kind.iter().filter(|&&own| own == kind).count()
    }
}

/// Validity [A, T] up to the first jump on either side of the present.
fn without_jumps(window: &Window) -> Vec<bool> {
    let mut valid = window.valid.clone();
    for row in 0..window.agents() {
        let jumps = |a: usize, b: usize| {
            let (from, to) = (window.state(row, a), window.state(row, b));
            let coasted = (from.velocity + to.velocity) * (0.5 * DT_S);
            (to.position - from.position).distance(coasted) > JUMP_M
        };
        let own = &mut valid[row * T..(row + 1) * T];
        for token in (0..NOW).rev() {
            own[token] &= own[token + 1] && !jumps(token, token + 1);
        }
        for token in NOW + 1..T {
            own[token] &= own[token - 1] && !jumps(token - 1, token);
        }
    }
    valid
}

/// The rows that overlap no nearer row, in order; `None` if one but the attacker overlaps the ego.
fn without_overlaps(
    window: &Window,
    valid: &[bool],
    attacker: Option<usize>,
) -> Option<Vec<usize>> {
    let footprint = |row: usize, token: usize| {
        let agent = &window.rows[row];
        let pose = window.state(row, token).pose();
        OrientedBox::new(pose, SHRINK * agent.length, SHRINK * agent.width)
    };
    let overlap = |a: usize, b: usize| {
        (0..T)
            .filter(|token| valid[a * T + token] && valid[b * T + token])
            .any(|token| footprint(a, token).overlaps(&footprint(b, token)))
    };
    let mut kept = Vec::new();
    for row in 0..window.agents() {
        let first = usize::from(attacker == Some(row));
        match (first..row).find(|&nearer| overlap(nearer, row)) {
            Some(0) => return None,
            Some(_) => {}
            None => kept.push(row),
        }
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Options;
    use crate::geometry::Polyline;
    use crate::map::{Lane, Map, MapParts};
    use crate::scene::{Agent, AgentKind, Role, Scene, State, Track};
    use std::f64::consts::FRAC_PI_2;
    use std::sync::Arc;

    const SIZE: Size = Size {
        agents: 3,
        lanes: 4,
    };

    /// Drives north at 4 m/s from (100, 0) at the present, `ahead` metres along.
    fn driver(id: &str, ahead: f64) -> Agent {
        let states = (0..121).map(|frame| {
            let y = ahead + 0.4 * (f64::from(frame) - 20.0);
            Some(State::along(Pose::at(100.0, y, FRAC_PI_2), 4.0))
        });
        Agent::new(id, AgentKind::Vehicle, Track::new(states.collect()))
    }

    fn window(mut agents: Vec<Agent>) -> Window {
        agents[0].role = Role::Ego;
        let lane = |id: &str, x: f64, kind: LaneKind| {
            let line = Polyline::new([dvec2(x, -10.0), dvec2(x, 30.0)]).unwrap();
            let mut lane = Lane::new(id, kind, line);
            lane.speed_limit = Some(13.5);
            lane
        };
        let scene = Scene {
            dt_s: 0.1,
            frames: 121,
            now: 20,
            map: Arc::new(Map::build(MapParts {
                lanes: vec![
                    lane("bike", 100.0, LaneKind::Bike),
                    lane("street", 103.0, LaneKind::Street),
                ],
                ..MapParts::default()
            })),
            agents: agents.into_iter().map(Arc::new).collect(),
            ..Scene::default()
        };
        Window::new(
            &scene,
            &Options {
                whole_future: false,
                ..Options::default()
            },
        )
    }

    #[test]
    fn numbers_are_in_the_egos_frame_at_the_present() {
        let example =
            Example::of(&window(vec![driver("ego", 0.0), driver("b", 20.0)]), SIZE).unwrap();
        let at = |slot: usize, token: usize| &example.agents[(slot * T + token) * 8..][..8];
        // one token is 2 m; north is forward
        let near = |a: &[f32], b: [f32; 8]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near(at(0, NOW), [0.0, 0.0, 1.0, 0.0, 4.0, 0.0, 4.7, 2.0]));
        assert!(near(
            at(1, NOW + 2),
            [24.0, 0.0, 1.0, 0.0, 4.0, 0.0, 4.7, 2.0]
        ));
        assert_eq!(example.kind, [1, 1, 0]);
        assert!(example.valid[..2 * T].iter().all(|&valid| valid == 1));
        assert!(example.valid[2 * T..].iter().all(|&valid| valid == 0));
        // the street, 3 m east, is 3 m to the right and comes before the nearer bicycle lane
        assert_eq!(example.lane_kind, [1, 3, 0, 0]);
        assert_eq!(
            [example.lanes[0].to_f32(), example.lanes[1].to_f32()],
            [-10.0, -3.0]
        );
        assert_eq!(example.lane_speed[0].to_f32(), 13.5);
    }

    #[test]
    fn of_two_that_overlap_the_farther_goes_and_an_ego_that_overlaps_spoils_the_window() {
        // 4.7 m long, shrunk 4.23 m: 4 m apart they overlap, 4.5 m apart they do not
        let apart = window(vec![
            driver("ego", 0.0),
            driver("b", 20.0),
            driver("c", 24.5),
        ]);
        assert_eq!(Example::of(&apart, SIZE).unwrap().count(1), 3);
        let close = window(vec![
            driver("ego", 0.0),
            driver("b", 20.0),
            driver("c", 24.0),
        ]);
        assert_eq!(Example::of(&close, SIZE).unwrap().count(1), 2);
        let hit = window(vec![driver("ego", 0.0), driver("b", 4.0)]);
        assert_eq!(Example::of(&hit, SIZE), Err(LeftOut::Overlap));
        assert_eq!(
            Example::with_contact(&hit, SIZE, Some(1)).unwrap().count(1),
            2
        );
    }

    #[test]
    fn what_lies_beyond_a_jump_is_dropped() {
        let mut jumping = driver("b", 20.0);
        for frame in 60..121 {
            let state = *jumping.track.get(frame).unwrap();
            let position = state.position + dvec2(5.0, 0.0);
            jumping.track.set(frame, Some(State { position, ..state }));
        }
        let example = Example::of(&window(vec![driver("ego", 0.0), jumping]), SIZE).unwrap();
        // the jump lies between frames 59 and 60; token NOW + 8 is frame 60
        let valid = &example.valid[T..2 * T];
        assert!(valid[..NOW + 8].iter().all(|&valid| valid == 1));
        assert!(valid[NOW + 8..].iter().all(|&valid| valid == 0));
    }
}
