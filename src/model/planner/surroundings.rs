//! What the planner reads of a window: everything in the ego's frame at the present.
//!
//! The order of the numbers is the weights' contract (`assets/recipe/PLANNER.md`).

use super::weights::Config;
use crate::codec::{LanePiece, NOW, T, Window};
use crate::geometry::{DVec2, Pose};
use crate::model::prior::Prior;

/// Frames of history with the present.
pub(super) const SEEN: usize = NOW + 1;

/// Numbers the ego enters with.
pub(super) const OWN: usize = 7 * SEEN + 4;

/// Numbers a neighbour enters with.
pub(super) const NEIGHBOUR: usize = 7 * SEEN + 14;

/// Numbers a lane piece enters with.
pub(super) const LANE: usize = 45;

/// Numbers of a pose.
pub(super) const POSE: usize = 8;

/// Numbers of what is around a pose.
pub(super) const AROUND: usize = 6 * NEAREST + 1 + 8 * NEAREST + NEAREST + 2 * 5;

/// Lane points, and neighbours, looked at around a pose.
const NEAREST: usize = 4;

/// Points of a piece that are looked at: every second one.
const THIN: usize = 10;

/// By how much nearer lanes of the route count when lanes are chosen, m.
const ROUTE_FIRST_M: f32 = 20.0;

/// When the coasting ego is looked at to find lanes, s after the present.
const COASTING_S: [f32; 4] = [0.0, 2.5, 5.0, 8.0];

/// Position, velocity and unit heading in the ego's frame: m, m/s.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moving {
    pub(super) place: [f32; 2],
    pub(super) velocity: [f32; 2],
    pub(super) facing: [f32; 2],
}

/// Where a plan has got to, in the ego's frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spot {
    pub(super) place: [f32; 2],
    /// Cosine and sine of the heading.
    pub(super) facing: [f32; 2],
    /// Along the heading, m/s.
    pub(super) speed: f32,
}

#[derive(Debug, Clone)]
struct Neighbour {
    /// History with the present; none where not known.
    seen: [Option<Moving>; SEEN],
    now: Moving,
    length: f32,
    width: f32,
    kind: usize,
}

#[derive(Debug, Clone)]
struct Piece {
    points: [[f32; 2]; THIN],
    along: [[f32; 2]; THIN],
    signal: f32,
    /// Limit / 30 m/s, 0 unknown.
    limit: f32,
    junction: f32,
    /// On the route 1, not on it −1, 0 where nobody has said.
    on: f32,
}

/// A window as the planner sees it.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// The ego at the present, scene frame.
    pub(super) frame: Pose,
    own: [Option<Moving>; SEEN],
    length: f32,
    width: f32,
    /// Present velocity in the ego's frame, m/s.
    pub(super) velocity: [f32; 2],
    /// Its length, m/s.
    pub(super) speed: f32,
    /// Bin of the prior.
    pub(super) bin: usize,
    neighbours: Vec<Neighbour>,
    pieces: Vec<Piece>,
}

impl Surroundings {
    /// Reads tokens 0 to 4 and the lanes of a window whose row 0 is the ego and whose others come nearest first, by
    /// [`crate::codec::remoteness`].
    pub(super) fn new(window: &Window, config: &Config, prior: &Prior) -> Self {
        let frame = window.frame(0);
        let moving = |row: usize, token: usize| {
            window.known[row * T + token].then(|| {
                let state = window.state(row, token);
                let turned = DVec2::from_angle(state.heading - frame.heading);
                Moving {
                    place: numbers(frame.local_from_outer(state.position)),
                    velocity: numbers(DVec2::from_angle(-frame.heading).rotate(state.velocity)),
                    facing: numbers(turned),
                }
            })
        };
        let seen = |row: usize| std::array::from_fn(|token| moving(row, token));
        let own: [Option<Moving>; SEEN] = seen(0);
        let velocity = own[NOW].map_or([0.0; 2], |now| now.velocity);
        let speed = velocity[0].hypot(velocity[1]);
        let travel = own
            .iter()
            .flatten()
            .map(|state| state.place[0].hypot(state.place[1]))
            .fold(0.0, f32::max);
        let neighbours = (1..window.agents().min(config.neighbours + 1))
            .filter_map(|row| {
                let seen: [Option<Moving>; SEEN] = seen(row);
                let attributes = &window.rows[row];
                Some(Neighbour {
                    now: seen[NOW]?,
                    seen,
                    length: attributes.length as f32,
                    width: attributes.width as f32,
                    kind: attributes.kind_number(),
                })
            })
            .collect();
        Self {
            length: window.rows[0].length as f32,
            width: window.rows[0].width as f32,
            bin: prior.bin(0, speed, travel),
            pieces: nearest_pieces(window, frame, velocity, config.lanes),
            frame,
            own,
            velocity,
            speed,
            neighbours,
        }
    }

    /// The ego's own history, valid frames as bits.
    pub(super) fn valid_history(&self) -> u32 {
        (0..SEEN).fold(0, |bits, token| {
            bits | u32::from(self.own[token].is_some()) << token
        })
    }

    /// The ego's state [x, y, vx, vy, cos, sin] at a token of the history.
    pub(super) fn history(&self, token: usize) -> Option<[f32; 6]> {
        self.own[token].map(|state| {
            let [x, y] = state.place;
            let [vx, vy] = state.velocity;
            let [cos, sin] = state.facing;
            [x, y, vx, vy, cos, sin]
        })
    }

    /// Where the ego is now.
    pub(super) fn start(&self) -> Spot {
        let now = self.own[NOW].unwrap_or(Moving {
            facing: [1.0, 0.0],
            ..Moving::default()
        });
        Spot {
            place: [0.0; 2],
            facing: [1.0, 0.0],
            speed: now.velocity[0] * now.facing[0] + now.velocity[1] * now.facing[1],
        }
    }

    /// [39]
    pub(super) fn own_inputs(&self) -> Vec<f32> {
        let mut out = Vec::with_capacity(OWN);
        push_frames(&self.own, &mut out);
        out.extend([
            self.length / 5.0,
            self.width / 2.0,
            self.speed / 10.0,
            self.speed.tanh(),
        ]);
        out
    }

    /// [N, 49]
    pub(super) fn neighbour_inputs(&self) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.neighbours.len() * NEIGHBOUR);
        for other in &self.neighbours {
            push_frames(&other.seen, &mut out);
            out.extend([other.length / 5.0, other.width / 2.0]);
            out.extend((0..3).map(|kind| f32::from(u8::from(other.kind == kind))));
            let [x, y] = other.now.place;
            let gap = x.hypot(y);
            out.extend([
                (-gap / 5.0).exp(),
                (-gap / 20.0).exp(),
                x.asinh(),
                y.asinh(),
            ]);
            out.extend(on_its_lane(&other.now, &self.pieces));
        }
        out
    }

    /// [L, 45]
    pub(super) fn lane_inputs(&self) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.pieces.len() * LANE);
        for piece in &self.pieces {
            out.extend(piece.points.iter().flatten().map(|number| number / 20.0));
            out.extend(piece.along.iter().flatten());
            let gap = piece
                .points
                .iter()
                .map(|point| point[0].hypot(point[1]))
                .fold(f32::INFINITY, f32::min);
            out.extend([
                (-gap / 5.0).exp(),
                piece.limit,
                piece.junction,
                piece.signal,
                piece.on,
            ]);
        }
        out
    }

    /// Appends the 71 numbers of what is around a spot at a time (s from now): the 4 nearest lane points with their
    /// signals and the first one's limit, the 4 nearest neighbours coasting since now, whether those lane points are on
    /// the route, and the nearest points of the route to the spot and ahead of it; zero where there are fewer.
    pub(super) fn push_around(&self, spot: &Spot, time_s: f32, out: &mut Vec<f32>) {
        let local = |x: f32, y: f32| {
            let [cos, sin] = spot.facing;
            [x * cos + y * sin, y * cos - x * sin]
        };
        let mut nearest: [(f32, usize); NEAREST] = [(f32::INFINITY, usize::MAX); NEAREST];
        let ahead_m = 3.0 + spot.speed.max(0.0);
        let looked_at = [0.0, ahead_m].map(|ahead_m| {
            let [x, y] = spot.place;
            [x + spot.facing[0] * ahead_m, y + spot.facing[1] * ahead_m]
        });
        let mut of_route = [(f32::INFINITY, [0.0; 2], [0.0; 2]); 2];
        for (index, piece) in self.pieces.iter().enumerate() {
            for (at, (point, along)) in piece.points.iter().zip(&piece.along).enumerate() {
                let gap = (point[0] - spot.place[0]).hypot(point[1] - spot.place[1]);
                let same = spot.facing[0] * along[0] + spot.facing[1] * along[1];
                let turned = 1.5 * (1.0 - same);
                insert(&mut nearest, (gap + turned, index * THIN + at));
                if piece.on <= 0.0 {
                    continue;
                }
                for (best, from) in of_route.iter_mut().zip(&looked_at) {
                    let cost = (point[0] - from[0]).hypot(point[1] - from[1]) + turned;
                    if cost < best.0 {
                        *best = (cost, *point, *along);
                    }
                }
            }
        }
        let found = nearest.map(|(_, index)| {
            let piece = self.pieces.get(index / THIN)?;
            Some((piece, piece.points[index % THIN], piece.along[index % THIN]))
        });
        for found in &found {
            let Some((_, point, along)) = found else {
                out.extend([0.0; 5]);
                continue;
            };
            let [x, y] = local(point[0] - spot.place[0], point[1] - spot.place[1]);
            let [ahead, across] = local(along[0], along[1]);
            let gap = x.hypot(y);
            let fade = (-gap / 6.0).exp();
            let near = (-gap / 3.0).exp();
            out.extend([x.asinh(), y.asinh(), ahead * fade, across * fade, near]);
        }
        out.extend(found.map(|found| found.map_or(0.0, |(piece, ..)| piece.signal)));
        out.push(found[0].map_or(0.0, |(piece, ..)| piece.limit));

        let there = |other: &Neighbour| {
            let [x, y] = other.now.place;
            let [vx, vy] = other.now.velocity;
            [
                x + vx * time_s - spot.place[0],
                y + vy * time_s - spot.place[1],
            ]
        };
        let mut nearest: [(f32, usize); NEAREST] = [(f32::INFINITY, usize::MAX); NEAREST];
        for (index, other) in self.neighbours.iter().enumerate() {
            let [x, y] = there(other);
            insert(&mut nearest, (x.hypot(y), index));
        }
        for (_, index) in nearest {
            let Some(other) = self.neighbours.get(index) else {
                out.extend([0.0; 8]);
                continue;
            };
            let [x, y] = there(other);
            let [x, y] = local(x, y);
            let [cos, sin] = local(other.now.facing[0], other.now.facing[1]);
            let [vx, vy] = local(other.now.velocity[0], other.now.velocity[1]);
            let gap = x.hypot(y);
            out.extend([(x / 2.0).asinh(), (y / 2.0).asinh(), cos, sin]);
            out.extend([((vx - spot.speed) / 2.0).asinh(), (vy / 2.0).asinh()]);
            out.extend([(-gap / 5.0).exp(), other.length / 5.0]);
        }

        out.extend(found.map(|found| found.map_or(0.0, |(piece, ..)| piece.on)));
        for ((cost, point, along), from) in of_route.into_iter().zip(looked_at) {
            if cost.is_infinite() {
                out.extend([0.0; 5]);
                continue;
            }
            let [x, y] = local(point[0] - spot.place[0], point[1] - spot.place[1]);
            let [ahead, across] = local(along[0], along[1]);
            let gap = (point[0] - from[0]).hypot(point[1] - from[1]);
            out.extend([x.asinh(), y.asinh(), ahead, across, (-gap / 3.0).exp()]);
        }
    }
}

/// How somebody stands to its lane, the one with the point of least distance + 1.5 m (1 - cos): asinh of the offset
/// across it, exp(-|offset|), cosine to it, its route value, exp(-distance / 6). Zeros where there is no lane.
fn on_its_lane(now: &Moving, pieces: &[Piece]) -> [f32; 5] {
    let mut least = f32::INFINITY;
    let mut stands = [0.0; 5];
    for piece in pieces {
        for (point, along) in piece.points.iter().zip(&piece.along) {
            let offset = [now.place[0] - point[0], now.place[1] - point[1]];
            let gap = offset[0].hypot(offset[1]);
            let same = now.facing[0] * along[0] + now.facing[1] * along[1];
            let cost = gap + 1.5 * (1.0 - same);
            if cost >= least {
                continue;
            }
            least = cost;
            let across = along[0] * offset[1] - along[1] * offset[0];
            stands = [
                across.asinh(),
                (-across.abs()).exp(),
                same,
                piece.on,
                (-gap / 6.0).exp(),
            ];
        }
    }
    stands
}

/// Keeps the smallest, in order; the earlier of two that are equal.
fn insert(nearest: &mut [(f32, usize); NEAREST], new: (f32, usize)) {
    if new.0 >= nearest[NEAREST - 1].0 {
        return;
    }
    nearest[NEAREST - 1] = new;
    for at in (1..NEAREST).rev() {
        if nearest[at].0 < nearest[at - 1].0 {
            nearest.swap(at, at - 1);
        }
    }
}

/// Appends the 8 numbers of a spot.
pub(super) fn push_pose(spot: &Spot, out: &mut Vec<f32>) {
    let [x, y] = spot.place;
    let [cos, sin] = spot.facing;
    let speed = [spot.speed / 10.0, spot.speed.tanh()];
    out.extend([x / 30.0, y / 30.0, x.asinh(), y.asinh(), cos, sin]);
    out.extend(speed);
}

fn push_frames(frames: &[Option<Moving>; SEEN], out: &mut Vec<f32>) {
    for frame in frames {
        let Some(state) = frame else {
            out.extend([0.0; 7]);
            continue;
        };
        out.extend(state.place.map(|number| number / 20.0));
        out.extend(state.facing);
        out.extend(state.velocity.map(|number| number / 10.0));
        out.push(1.0);
    }
}

fn numbers(point: DVec2) -> [f32; 2] {
    [point.x as f32, point.y as f32]
}

/// The `count` pieces for motor vehicles nearest to where the ego is or, coasting, will be, those of its route 20 m
/// sooner; in its frame.
fn nearest_pieces(window: &Window, frame: Pose, velocity: [f32; 2], count: usize) -> Vec<Piece> {
    let anchors = COASTING_S.map(|after_s| velocity.map(|number| number * after_s));
    let mut ranked: Vec<(f32, Vec<[f32; 2]>, &LanePiece)> = window
        .lanes
        .iter()
        .filter(|piece| piece.carries_vehicles)
        .map(|piece| {
            let points: Vec<[f32; 2]> = piece
                .points
                .iter()
                .map(|&point| numbers(frame.local_from_outer(point)))
                .collect();
            let gap = points
                .iter()
                .step_by(3)
                .flat_map(|point| {
                    anchors.map(|anchor| (point[0] - anchor[0]).hypot(point[1] - anchor[1]))
                })
                .fold(f32::INFINITY, f32::min);
            let first = match piece.on_route {
                Some(true) => ROUTE_FIRST_M,
                _ => 0.0,
            };
            (gap - first, points, piece)
        })
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    ranked.truncate(count);
    ranked
        .into_iter()
        .map(|(_, all, piece)| {
            let points: [[f32; 2]; THIN] = std::array::from_fn(|at| all[2 * at]);
            let along = std::array::from_fn(|at| {
                let from = at.min(THIN - 2);
                let x = points[from + 1][0] - points[from][0];
                let y = points[from + 1][1] - points[from][1];
                let length = x.hypot(y).max(1e-12);
                [x / length, y / length]
            });
            Piece {
                points,
                along,
                signal: piece.signal_number(NOW),
                limit: piece.speed_limit.unwrap_or(0.0) as f32 / 30.0,
                junction: f32::from(u8::from(piece.in_junction)),
                on: match piece.on_route {
                    Some(true) => 1.0,
                    Some(false) => -1.0,
                    None => 0.0,
                },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Moving, Piece, on_its_lane};

    #[test]
    fn who_is_parked_beside_a_lane_stands_aside_of_it_and_who_is_in_it_does_not() {
        let straight = Piece {
            points: std::array::from_fn(|point| [5.0 * point as f32, 0.0]),
            along: [[1.0, 0.0]; 10],
            signal: 0.0,
            limit: 0.5,
            junction: 0.0,
            on: 1.0,
        };
        let at = |place| Moving {
            place,
            velocity: [0.0, 0.0],
            facing: [1.0, 0.0],
        };
        // from the point (20, 0): 3 m to the left of it and level with it, 3 m away
        let beside = on_its_lane(&at([20.0, 3.0]), std::slice::from_ref(&straight));
        let expected = [3f32.asinh(), (-3f32).exp(), 1.0, 1.0, (-0.5f32).exp()];
        assert_eq!(beside, expected);
        let inside = on_its_lane(&at([20.0, 0.0]), std::slice::from_ref(&straight));
        assert_eq!(inside, [0.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(on_its_lane(&at([0.0, 0.0]), &[]), [0.0; 5], "no lane");
    }
}
