//! What enters the network at each step: token features, the nearest lane points, and agents' relative poses.
//!
//! The order of the numbers is the weights' contract (`assets/recipe/NETWORK.md`).

use pulp::{Simd, WithSimd};

use super::context::{Context, ContextAgent, LANES, LanePoints, seconds};
use super::kernels::{asinh, dispatch, exp};
use super::prior::Gain;
use crate::codec::{CHANNELS, Scale, T};
use crate::diffusion::{noise_share, signal_share};

/// Lane points a token looks at.
const NEAREST: usize = 4;

/// Numbers of a relation between two agents.
pub(super) const RELATION: usize = 11;

/// Where an agent is believed to be at a token, relative to the window's origin.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) cos: f32,
    pub(super) sin: f32,
    pub(super) vx: f32,
    pub(super) vy: f32,
}

/// Signal and noise shares of the tokens of an agent.
fn shares(level: f32) -> (f32, f32) {
    let level = f64::from(level);
    (signal_share(level) as f32, noise_share(level) as f32)
}

/// Agent-frame state [x, y, vx, vy, cos, sin] that scaled numbers stand for, clamped to 8 standard deviations.
fn state(agent: &ContextAgent, token: usize, mean: &[f32], scale: &Scale) -> [f32; CHANNELS] {
    let time = seconds(token);
    let base = [
        agent.velocity[0] * time,
        agent.velocity[1] * time,
        agent.velocity[0],
        agent.velocity[1],
        1.0,
        0.0,
    ];
    std::array::from_fn(|channel| {
        base[channel] + mean[channel].clamp(-8.0, 8.0) * scale.0[token][channel]
    })
}

/// A state of the agent's frame in the window's.
fn place(agent: &ContextAgent, state: &[f32; CHANNELS]) -> Place {
    let [cos, sin] = agent.facing;
    let turn = |x: f32, y: f32| (x * cos - y * sin, x * sin + y * cos);
    let (x, y) = turn(state[0], state[1]);
    let (vx, vy) = turn(state[2], state[3]);
    let (ahead, across) = turn(state[4], state[5]);
    let (ahead, across) = (ahead + 1e-8, across + 1e-8);
    let length = ahead.hypot(across).max(1e-12);
    Place {
        x: x + agent.position[0],
        y: y + agent.position[1],
        cos: ahead / length,
        sin: across / length,
        vx,
        vy,
    }
}

/// What token features are made from, for one agent of one sample.
pub(super) struct TokenInputs<'a> {
    pub(super) context: &'a Context,
    pub(super) row: usize,
    pub(super) scale: &'a Scale,
    pub(super) gain: &'a Gain,
    /// [T, 6]
    pub(super) noisy: &'a [f32],
    /// [T]
    pub(super) levels: &'a [f32],
    /// Posterior mean [T, 6].
    pub(super) mean: &'a [f32],
}

/// Fills `out` [T, features] (zero where invalid) and `places` [T].
pub(super) fn token_features(
    inputs: &TokenInputs<'_>,
    out: &mut [f32],
    places: &mut [Place],
    costs: &mut Vec<f32>,
) {
    let agent = &inputs.context.agents[inputs.row];
    let width = out.len() / T;
    for (token, out) in out.chunks_exact_mut(width).enumerate() {
        let from = token * CHANNELS;
        let mean = &inputs.mean[from..from + CHANNELS];
        let state = state(agent, token, mean, inputs.scale);
        places[token] = place(agent, &state);
        if !agent.is_valid(token) {
            out.fill(0.0);
            continue;
        }
        let (alpha, sigma) = shares(inputs.levels[token]);
        for channel in 0..CHANNELS {
            let at = from + channel;
            let spread = inputs.gain.spread[at];
            let expected = (sigma * sigma + (alpha * spread).powi(2) + 1e-6).sqrt();
            let surprise = (inputs.noisy[at] - alpha * mean[channel]) / expected;
            out[channel] = surprise.clamp(-5.0, 5.0);
            out[6 + channel] = 0.4 * inputs.gain.log_spread[at];
        }
        out[12..20].copy_from_slice(&[
            state[0] / 30.0,
            state[1] / 30.0,
            state[0].asinh(),
            state[1].asinh(),
            state[4],
            state[5],
            state[2] / 10.0,
            state[3] / 10.0,
        ]);
        out[20..29].copy_from_slice(&[
            agent.length / 5.0,
            agent.width / 2.0,
            agent.speed / 10.0,
            agent.speed.tanh(),
            0.0,
            0.0,
            0.0,
            1.0,
            0.0,
        ]);
        let nearest = nearest_points(&inputs.context.points, &places[token], costs);
        for (number, &point) in nearest.iter().enumerate() {
            let features = point_features(&inputs.context.points, point, &places[token]);
            out[29 + 5 * number..34 + 5 * number].copy_from_slice(&features);
        }
        if width > 49 {
            for kind in 0..3 {
                out[49 + kind] = if agent.kind == kind { 1.0 } else { 0.0 };
            }
            for (number, &point) in nearest.iter().enumerate() {
                out[52 + number] = inputs.context.signal_at(point, token);
            }
        }
    }
}

/// The four lane points of least cost, cheapest first: distance plus 1.5 m · (1 − cos of the angle between heading and
/// lane).
fn nearest_points(points: &LanePoints, place: &Place, costs: &mut Vec<f32>) -> [usize; NEAREST] {
    struct Op<'a>(&'a LanePoints, &'a Place, &'a mut [f32]);
    impl WithSimd for Op<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Op(points, place, costs) = self;
            let [x, y, cos, sin] =
                [place.x, place.y, place.cos, place.sin].map(|number| simd.splat_f32s(number));
            let weight = simd.splat_f32s(1.5);
            let (costs, _) = S::as_mut_simd_f32s(costs);
            let (xs, _) = S::as_simd_f32s(&points.x);
            let (ys, _) = S::as_simd_f32s(&points.y);
            let (along_x, _) = S::as_simd_f32s(&points.along_x);
            let (along_y, _) = S::as_simd_f32s(&points.along_y);
            for (at, cost) in costs.iter_mut().enumerate() {
                let (gap_x, gap_y) = (simd.sub_f32s(xs[at], x), simd.sub_f32s(ys[at], y));
                let squared = simd.mul_add_e_f32s(gap_x, gap_x, simd.mul_f32s(gap_y, gap_y));
                let turned = simd.mul_add_e_f32s(along_x[at], cos, simd.mul_f32s(along_y[at], sin));
                let base = simd.add_f32s(simd.sqrt_f32s(squared), weight);
                *cost = simd.sub_f32s(base, simd.mul_f32s(weight, turned));
            }
        }
    }
    costs.resize(points.x.len(), 0.0);
    dispatch(Op(points, place, costs));
    let mut best = [(f32::INFINITY, 0); NEAREST];
    for (block, costs) in costs.chunks_exact(LANES).enumerate() {
        let worst = best[NEAREST - 1].0;
        if !costs.iter().any(|&cost| cost < worst) {
            continue;
        }
        for (offset, &cost) in costs.iter().enumerate() {
            if cost < best[NEAREST - 1].0 {
                let mut at = NEAREST - 1;
                while at > 0 && cost < best[at - 1].0 {
                    best[at] = best[at - 1];
                    at -= 1;
                }
                best[at] = (cost, block * LANES + offset);
            }
        }
    }
    best.map(|(_, point)| point)
}

/// Five numbers of a lane point seen from a pose: offset (asinh), direction fading with distance, nearness.
fn point_features(points: &LanePoints, point: usize, place: &Place) -> [f32; 5] {
    let (x, y) = (points.x[point] - place.x, points.y[point] - place.y);
    let (along_x, along_y) = (points.along_x[point], points.along_y[point]);
    let local = |x: f32, y: f32| (x * place.cos + y * place.sin, y * place.cos - x * place.sin);
    let (ahead, left) = local(x, y);
    let (facing_ahead, facing_left) = local(along_x, along_y);
    let gap = ahead.hypot(left);
    let fade = (-gap / 6.0).exp();
    [
        ahead.asinh(),
        left.asinh(),
        facing_ahead * fade,
        facing_left * fade,
        (-gap / 3.0).exp(),
    ]
}

/// How agent j stands to agent i, 11 numbers in i's pose frame. The plain version of [`relations`].
pub(super) fn relation(
    own: &Place,
    other: &Place,
    own_length: f32,
    other_size: [f32; 2],
) -> [f32; RELATION] {
    let local = |x: f32, y: f32| (x * own.cos + y * own.sin, y * own.cos - x * own.sin);
    let (ahead, left) = local(other.x - own.x, other.y - own.y);
    let (cos, sin) = local(other.cos, other.sin);
    let (vx, vy) = local(other.vx - own.vx, other.vy - own.vy);
    let gap = ahead.hypot(left);
    [
        (ahead / 2.0).asinh(),
        (left / 2.0).asinh(),
        cos,
        sin,
        (vx / 2.0).asinh(),
        (vy / 2.0).asinh(),
        (-gap / 5.0).exp(),
        (-gap / 20.0).exp(),
        other_size[0] / 5.0,
        other_size[1] / 5.0,
        own_length / 5.0,
    ]
}

/// All agents at one token, number by number, padded to a multiple of 16.
#[derive(Debug, Clone, Default)]
pub(super) struct Column {
    numbers: [Vec<f32>; 8],
}

impl Column {
    /// Takes the agents' places at one token.
    pub(super) fn fill(&mut self, agents: &[ContextAgent], place: impl Fn(usize) -> Place) {
        let padded = agents.len().next_multiple_of(LANES);
        for numbers in &mut self.numbers {
            numbers.clear();
            numbers.resize(padded, 0.0);
        }
        for (at, agent) in agents.iter().enumerate() {
            let place = place(at);
            let all = [
                place.x,
                place.y,
                place.cos,
                place.sin,
                place.vx,
                place.vy,
                agent.length,
                agent.width,
            ];
            for (numbers, number) in self.numbers.iter_mut().zip(all) {
                numbers[at] = number;
            }
        }
    }
}

/// Relations of all pairs at one token: `out` [11, A, padded A], i the row, j the column.
pub(super) fn relations(column: &Column, agents: usize, out: &mut [f32]) {
    struct Op<'a>(&'a Column, usize, &'a mut [f32]);
    impl WithSimd for Op<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Op(column, agents, out) = self;
            let [x, y, cos, sin, vx, vy, length, width] = &column.numbers;
            let padded = x.len();
            let plane = agents * padded;
            let constant = |value: f32| simd.splat_f32s(value);
            for own in 0..agents {
                let turn_cos = constant(cos[own]);
                let turn_sin = constant(sin[own]);
                let local = |a: S::f32s, b: S::f32s| {
                    (
                        simd.mul_add_e_f32s(a, turn_cos, simd.mul_f32s(b, turn_sin)),
                        simd.sub_f32s(simd.mul_f32s(b, turn_cos), simd.mul_f32s(a, turn_sin)),
                    )
                };
                for from in (0..padded).step_by(S::F32_LANES) {
                    let load = |numbers: &[f32]| {
                        simd.partial_load_f32s(&numbers[from..from + S::F32_LANES])
                    };
                    let less =
                        |numbers: &[f32]| simd.sub_f32s(load(numbers), constant(numbers[own]));
                    let (ahead, left) = local(less(x), less(y));
                    let (other_cos, other_sin) = local(load(cos), load(sin));
                    let (other_vx, other_vy) = local(less(vx), less(vy));
                    let squared = simd.mul_add_e_f32s(ahead, ahead, simd.mul_f32s(left, left));
                    let gap = simd.sqrt_f32s(squared);
                    let half = constant(0.5);
                    let fade = |reach: f32| exp(simd, simd.mul_f32s(gap, constant(-1.0 / reach)));
                    let fifth = constant(0.2);
                    let all = [
                        asinh(simd, simd.mul_f32s(ahead, half)),
                        asinh(simd, simd.mul_f32s(left, half)),
                        other_cos,
                        other_sin,
                        asinh(simd, simd.mul_f32s(other_vx, half)),
                        asinh(simd, simd.mul_f32s(other_vy, half)),
                        fade(5.0),
                        fade(20.0),
                        simd.mul_f32s(load(length), fifth),
                        simd.mul_f32s(load(width), fifth),
                        constant(length[own] / 5.0),
                    ];
                    for (number, value) in all.into_iter().enumerate() {
                        let to = number * plane + own * padded + from;
                        simd.partial_store_f32s(&mut out[to..to + S::F32_LANES], value);
                    }
                }
            }
        }
    }
    dispatch(Op(column, agents, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agents(count: usize) -> (Vec<ContextAgent>, Vec<Place>) {
        let mut seed = 1_u32;
        let mut draw = |size: f32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            size * 3.0 * ((seed >> 8) as f32 / 8_388_608.0 - 1.0)
        };
        (0..count)
            .map(|_| {
                let agent = ContextAgent {
                    position: [0.0; 2],
                    facing: [1.0, 0.0],
                    velocity: [0.0; 2],
                    speed: 0.0,
                    length: 4.0 + draw(0.5),
                    width: 2.0 + draw(0.1),
                    kind: 0,
                    bin: 0,
                    valid: 0,
                };
                let turn = draw(2.0);
                let place = Place {
                    x: draw(40.0),
                    y: draw(40.0),
                    cos: turn.cos(),
                    sin: turn.sin(),
                    vx: draw(8.0),
                    vy: draw(8.0),
                };
                (agent, place)
            })
            .unzip()
    }

    #[test]
    fn the_vectorised_relations_agree_with_the_plain_ones() {
        for count in [1, 5, 16, 19] {
            let (agents, places) = agents(count);
            let mut column = Column::default();
            column.fill(&agents, |at| places[at]);
            let padded = count.next_multiple_of(LANES);
            let mut out = vec![0.0; RELATION * count * padded];
            relations(&column, count, &mut out);
            for i in 0..count {
                for j in 0..count {
                    let size = [agents[j].length, agents[j].width];
                    let expected = relation(&places[i], &places[j], agents[i].length, size);
                    for (number, expected) in expected.iter().enumerate() {
                        let found = out[number * count * padded + i * padded + j];
                        assert!(
                            (found - expected).abs() < 2e-5,
                            "{i} {j} {number}: {found} {expected}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_nearest_points_come_cheapest_first_and_heading_counts() {
        let mut points = LanePoints::default();
        for at in 0..32 {
            points.x.push(if at < 20 { at as f32 } else { 1e7 });
            points.y.push(0.0);
            // every other point runs the other way: 3 m dearer
            points.along_x.push(if at % 2 == 0 { 1.0 } else { -1.0 });
            points.along_y.push(0.0);
        }
        let place = Place {
            x: 8.2,
            cos: 1.0,
            ..Place::default()
        };
        // costs: 8 → 0.2, 10 → 1.8, 6 → 2.2, 9 → 0.8 + 3, 12 → 3.8 (a tie broken by order is not asked for), 7 → 4.2
        let nearest = nearest_points(&points, &place, &mut Vec::new());
        assert_eq!(nearest[..3], [8, 10, 6]);
    }
}
