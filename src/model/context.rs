//! What stays the same for a whole job: agents' frames and attributes, lane points, lane pieces near each agent.

use super::prior::Prior;
use super::weights::Config;
use crate::codec::{LanePiece, NOW, T, Window, token_time_s};

/// Points of a piece that are looked at: every second one.
const THIN_POINTS: usize = 10;

/// When coasting agents are looked at to find the lanes near them, s after the present.
const ANCHORS_S: [f32; 3] = [0.0, 2.5, 5.0];

/// Tokens at which a lane's signal enters with the lane.
const SIGNAL_TOKENS: [usize; 3] = [4, 12, 20];

/// Point lists are padded to a multiple of this many.
pub(super) const LANES: usize = 16;

/// One agent, positions relative to the window's origin.
#[derive(Debug, Clone)]
pub(super) struct ContextAgent {
    /// Present position, m.
    pub(super) position: [f32; 2],
    /// Cosine and sine of the present heading.
    pub(super) facing: [f32; 2],
    /// Present velocity in the agent's frame, m/s.
    pub(super) velocity: [f32; 2],
    pub(super) speed: f32,
    pub(super) length: f32,
    pub(super) width: f32,
    /// 0 vehicle, 1 pedestrian, 2 cyclist.
    pub(super) kind: usize,
    /// Bin of the prior.
    pub(super) bin: usize,
    /// Valid tokens as bits.
    pub(super) valid: u32,
}

impl ContextAgent {
    pub(super) fn is_valid(&self, token: usize) -> bool {
        self.valid >> token & 1 == 1
    }
}

/// Lane points with directions of travel, padded with points far away.
#[derive(Debug, Clone, Default)]
pub(super) struct LanePoints {
    pub(super) x: Vec<f32>,
    pub(super) y: Vec<f32>,
    pub(super) along_x: Vec<f32>,
    pub(super) along_y: Vec<f32>,
}

/// A job's constants.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) agents: Vec<ContextAgent>,
    pub(super) points: LanePoints,
    /// Signal numbers [pieces, T].
    pub(super) signals: Vec<f32>,
    /// Features of the lane pieces near each agent, [A, near, lane features].
    pub(super) lanes: Vec<f32>,
    /// Lane pieces per agent.
    pub(super) near: usize,
}

impl Context {
    pub(super) fn new(window: &Window, config: &Config, prior: &Prior) -> Self {
        let agents: Vec<ContextAgent> = (0..window.agents())
            .map(|row| agent(window, row, prior))
            .collect();
        let usable: Vec<&LanePiece> = window
            .lanes
            .iter()
            .filter(|piece| piece.carries_vehicles)
            .collect();
        let pieces: Vec<[[f32; 2]; 20]> = usable
            .iter()
            .map(|piece| {
                piece.points.map(|point| {
                    let point = point - window.origin;
                    [point.x as f32, point.y as f32]
                })
            })
            .collect();
        let near = config.nearest_lanes.min(pieces.len());
        let mut lanes = Vec::with_capacity(agents.len() * near * config.lane_features());
        for agent in &agents {
            for index in nearest_pieces(agent, &pieces, near) {
                lane_features(agent, &pieces[index], &mut lanes);
                if config.feature_version > 1 {
                    let piece = usable[index];
                    lanes.push(piece.speed_limit.unwrap_or(0.0) as f32 / 30.0);
                    lanes.push(if piece.in_junction { 1.0 } else { 0.0 });
                    lanes.extend(SIGNAL_TOKENS.map(|token| piece.signal_number(token)));
                }
            }
        }
        let signals = usable
            .iter()
            .flat_map(|piece| (0..T).map(|token| piece.signal_number(token)))
            .collect();
        Self {
            points: lane_points(&pieces, agents.first()),
            agents,
            signals,
            lanes,
            near,
        }
    }

    /// For each agent the row of `earlier` with the same lanes around it to the bit: its own, if nothing changed there.
    pub(super) fn unchanged_rows(&self, earlier: &Self) -> Vec<Option<usize>> {
        let per_agent = self.lanes.len() / self.agents.len().max(1);
        let same_layout = self.near == earlier.near;
        let own = |lanes: &[f32], row: usize| {
            lanes
                .get(row * per_agent..(row + 1) * per_agent)
                .map(|lanes| {
                    lanes
                        .iter()
                        .map(|number| number.to_bits())
                        .collect::<Vec<_>>()
                })
        };
        (0..self.agents.len())
            .map(|row| {
                let same =
                    row < earlier.agents.len() && own(&self.lanes, row) == own(&earlier.lanes, row);
                (same_layout && same).then_some(row)
            })
            .collect()
    }

    /// The piece a lane point belongs to; none for padding.
    pub(super) fn signal_at(&self, point: usize, token: usize) -> f32 {
        self.signals
            .get(point / THIN_POINTS * T + token)
            .copied()
            .unwrap_or(0.0)
    }
}

fn agent(window: &Window, row: usize, prior: &Prior) -> ContextAgent {
    let frame = window.frame(row);
    let position = frame.point - window.origin;
    let facing = frame.forward();
    let moving = window.state(row, NOW).velocity;
    let velocity = [
        (moving.x * facing.x + moving.y * facing.y) as f32,
        (moving.y * facing.x - moving.x * facing.y) as f32,
    ];
    let speed = velocity[0].hypot(velocity[1]);
    let travel = (0..=NOW)
        .filter(|&token| window.known[row * T + token])
        .map(|token| window.state(row, token).position.distance(frame.point) as f32)
        .fold(0.0, f32::max);
    let attributes = &window.rows[row];
    let kind = attributes.kind_number();
    ContextAgent {
        position: [position.x as f32, position.y as f32],
        facing: [facing.x as f32, facing.y as f32],
        velocity,
        speed,
        length: attributes.length as f32,
        width: attributes.width as f32,
        kind,
        bin: prior.bin(kind, speed, travel),
        valid: (0..T).fold(0, |bits, token| {
            bits | u32::from(window.valid[row * T + token]) << token
        }),
    }
}

/// Every second point of every piece with the direction to the next (the last repeats the one before). Without any
/// piece a single point without direction at the first agent, as in training.
fn lane_points(pieces: &[[[f32; 2]; 20]], first: Option<&ContextAgent>) -> LanePoints {
    let mut points = LanePoints::default();
    for piece in pieces {
        let directions = directions(&thin(piece));
        for (point, direction) in thin(piece).iter().zip(directions) {
            points.x.push(point[0]);
            points.y.push(point[1]);
            points.along_x.push(direction[0]);
            points.along_y.push(direction[1]);
        }
    }
    if pieces.is_empty() {
        let origin = first.map_or([0.0; 2], |agent| agent.position);
        for _ in 0..4 {
            points.x.push(origin[0]);
            points.y.push(origin[1]);
            points.along_x.push(0.0);
            points.along_y.push(0.0);
        }
    }
    let padded = points.x.len().next_multiple_of(LANES);
    points.x.resize(padded, 1e7);
    points.y.resize(padded, 1e7);
    points.along_x.resize(padded, 0.0);
    points.along_y.resize(padded, 0.0);
    points
}

fn thin(piece: &[[f32; 2]; 20]) -> [[f32; 2]; THIN_POINTS] {
    std::array::from_fn(|point| piece[2 * point])
}

/// Unit vectors from each point to the next; the last repeats the one before.
fn directions(points: &[[f32; 2]; THIN_POINTS]) -> [[f32; 2]; THIN_POINTS] {
    std::array::from_fn(|at| {
        let from = at.min(THIN_POINTS - 2);
        let step = [
            points[from + 1][0] - points[from][0],
            points[from + 1][1] - points[from][1],
        ];
        let length = step[0].hypot(step[1]).max(1e-12);
        [step[0] / length, step[1] / length]
    })
}

/// The `count` pieces nearest to where the agent is and, coasting, will be.
fn nearest_pieces(agent: &ContextAgent, pieces: &[[[f32; 2]; 20]], count: usize) -> Vec<usize> {
    let [cos, sin] = agent.facing;
    let moving = [
        agent.velocity[0] * cos - agent.velocity[1] * sin,
        agent.velocity[0] * sin + agent.velocity[1] * cos,
    ];
    let anchors = ANCHORS_S.map(|after_s| {
        [
            agent.position[0] + moving[0] * after_s,
            agent.position[1] + moving[1] * after_s,
        ]
    });
    let gap = |piece: &[[f32; 2]; 20]| {
        let distances = piece.iter().step_by(3).flat_map(|point| {
            anchors.map(|anchor| (point[0] - anchor[0]).hypot(point[1] - anchor[1]))
        });
        distances.fold(f32::INFINITY, f32::min)
    };
    let mut ranked: Vec<(f32, usize)> = pieces.iter().map(gap).zip(0..).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    ranked.truncate(count);
    ranked.into_iter().map(|(_, index)| index).collect()
}

/// 41 numbers: ten points over 20 m, ten directions, exp(−gap / 5 m); in the agent's frame.
fn lane_features(agent: &ContextAgent, piece: &[[f32; 2]; 20], out: &mut Vec<f32>) {
    let [cos, sin] = agent.facing;
    let local = thin(piece).map(|point| {
        let (x, y) = (point[0] - agent.position[0], point[1] - agent.position[1]);
        [x * cos + y * sin, y * cos - x * sin]
    });
    out.extend(local.iter().flatten().map(|number| number / 20.0));
    out.extend(directions(&local).iter().flatten());
    let gap = local
        .iter()
        .map(|point| point[0].hypot(point[1]))
        .fold(f32::INFINITY, f32::min);
    out.push((-gap / 5.0).exp());
}

/// Time of each token, s, as networks use it.
pub(super) fn seconds(token: usize) -> f32 {
    token_time_s(token) as f32
}
