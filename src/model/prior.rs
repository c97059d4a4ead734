//! The analytic prior: one Gaussian per kind of agent and speed, and the exact denoiser that follows from it.
//!
//! A noisy token is an observation of its clean value, so the posterior mean and standard deviation of all tokens of
//! an agent are one linear solve (a Wiener filter). History, goals, edits and holes are tokens with other variances.
//! What the solve needs beside the numbers themselves depends only on bin, validity and levels: a [`Gain`], cached.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use pulp::{Simd, WithSimd};

use super::kernels::dispatch;
use super::weights::{BLOCK, PriorTensors};
use crate::codec::{CHANNELS, Scale, T};
use crate::diffusion::{Observation, noise_share, signal_share};

/// Even a known token is not exact: m, m, m/s, m/s, 1, rad.
const OBSERVATION_NOISE: [f32; CHANNELS] = [0.05, 0.05, 0.15, 0.15, 0.003, 0.02];

/// A vehicle slower than this that was never farther than [`STILL_TRAVEL_M`] stands, m/s.
const STILL_SPEED_MPS: f32 = 0.3;

/// See [`STILL_SPEED_MPS`], m.
const STILL_TRAVEL_M: f32 = 0.3;

/// Noise level at which smoothing sees clean predictions, by bin: seven of vehicles (standing, creeping, then up to 3, 8,
/// 14, 22 m/s and above), two of pedestrians (standing, walking), three of cyclists (standing, up to 3 m/s and above).
/// Chosen on recorded motion of I-80 and simulated of three other networks, goals given, 8 steps; what stands would creep.
const SMOOTHING: [f32; 12] = [0.0, 0.0, 0.1, 0.25, 0.3, 0.3, 0.3, 0.0, 0.2, 0.0, 0.1, 0.0];

/// Least posterior standard deviation, in scaled units.
const LEAST_SPREAD: f32 = 3e-3;

/// Rows of the 63 by 63 matrices are stored this far apart.
const STRIDE: usize = 64;

/// Normal numbers that a draw of the posterior takes.
pub(super) const DRAW: usize = 2 * BLOCK;

/// Gains kept, 128 KB each.
const CACHED: usize = 256;

/// What a gain depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    bin: usize,
    /// Valid tokens as bits.
    valid: u32,
    /// Levels as bits.
    levels: [u32; T],
    /// Places [T, 6] of what is seen beside the noisy tokens, with the variances as bits.
    seen: Vec<(usize, u32)>,
}

/// What is known of an agent's clean tokens beside the noisy ones, scaled units.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    value: [f32; T * CHANNELS],
    /// Infinite where nothing is known.
    variance: [f32; T * CHANNELS],
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            value: [0.0; T * CHANNELS],
            variance: [f32::INFINITY; T * CHANNELS],
        }
    }
}

impl Seen {
    /// Takes in an observation; it replaces what was known of the token.
    pub(super) fn add(&mut self, observation: &Observation) {
        let from = observation.token * CHANNELS;
        self.value[from..from + CHANNELS].copy_from_slice(&observation.value);
        self.variance[from..from + CHANNELS].copy_from_slice(&observation.variance);
    }
}

/// The prior of a weights file.
#[derive(Debug)]
pub(super) struct Prior {
    tensors: PriorTensors,
    cache: Mutex<BTreeMap<Key, Arc<Gain>>>,
}

/// The posterior of an agent up to its observations.
#[derive(Debug)]
pub(super) struct Gain {
    bin: usize,
    /// 1 / alpha of each token.
    lift: [f64; T],
    /// Per block the Cholesky factor L of covariance plus noise, [63, 64], zero above the diagonal.
    roots: [Vec<f64>; 2],
    /// Per block L⁻¹ covariance, [63, 64].
    solved: [Vec<f64>; 2],
    /// Posterior standard deviation [T, 6], at least 3e-3.
    pub(super) spread: [f32; T * CHANNELS],
    /// Its natural logarithm.
    pub(super) log_spread: [f32; T * CHANNELS],
    /// Weight of what is seen against the noisy token at each place of [`Key::seen`], in [0, 1].
    trust: Vec<(usize, f64)>,
}

impl Prior {
    pub(super) fn new(tensors: PriorTensors) -> Self {
        Self {
            tensors,
            cache: Mutex::new(BTreeMap::new()),
        }
    }

    pub(super) fn scale(&self) -> &Scale {
        &self.tensors.scale
    }

    /// The bin of an agent from its kind (0 vehicle, 1 pedestrian, 2 cyclist), present speed (m/s) and farthest past
    /// displacement (m).
    pub(super) fn bin(&self, kind: usize, speed: f32, travel: f32) -> usize {
        let row = if self.tensors.edges.len() == 1 {
            0
        } else {
            kind
        };
        let above = self.tensors.edges[row]
            .iter()
            .filter(|&&edge| speed > edge as f32)
            .count();
        let first = self.tensors.first_bin[row];
        if self.tensors.edges.len() == 1 {
            first + above
        } else if speed < STILL_SPEED_MPS && travel < STILL_TRAVEL_M {
            first
        } else {
            first + 1 + above
        }
    }

    /// The gains for every key, computed where not kept, in parallel on the current pool.
    pub(super) fn gains(&self, keys: &[Key]) -> Vec<Arc<Gain>> {
        use rayon::prelude::*;

        let mut distinct: Vec<Key> = keys.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let kept: Vec<Option<Arc<Gain>>> = {
            let cache = self.lock();
            distinct.iter().map(|key| cache.get(key).cloned()).collect()
        };
        let all: Vec<Arc<Gain>> = distinct
            .par_iter()
            .zip(kept)
            .map(|(key, kept)| kept.unwrap_or_else(|| Arc::new(self.gain(key))))
            .collect();
        let mut cache = self.lock();
        if cache.len() + distinct.len() > CACHED {
            cache.clear();
        }
        for (key, gain) in distinct.iter().zip(&all) {
            cache.entry(key.clone()).or_insert_with(|| Arc::clone(gain));
        }
        drop(cache);
        keys.iter()
            .map(|key| {
                let at = distinct.partition_point(|other| other < key);
                Arc::clone(&all[at])
            })
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Arc<Gain>>> {
        // a panic elsewhere leaves whole entries only: the map stays good
        self.cache
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn gain(&self, key: &Key) -> Gain {
        let (bin, valid) = (key.bin, key.valid);
        let mut trust = Vec::new();
        let levels = key.levels.map(|bits| f64::from(f32::from_bits(bits)));
        let alphas = levels.map(|level| signal_share(level).max(1e-3));
        let mut roots = [Vec::new(), Vec::new()];
        let mut solved = [Vec::new(), Vec::new()];
        let mut spread = [0.0; T * CHANNELS];
        for block in 0..2 {
            let covariance = self.covariance(bin, block);
            let mut padded = vec![0.0; BLOCK * STRIDE];
            for (row, numbers) in padded
                .chunks_exact_mut(STRIDE)
                .zip(covariance.chunks_exact(BLOCK))
            {
                row[..BLOCK].copy_from_slice(numbers);
            }
            let mut sum = padded.clone();
            for at in 0..BLOCK {
                let (channel, token) = (block + 2 * (at / T), at % T);
                let observed = if valid >> token & 1 == 1 {
                    (noise_share(levels[token]) / alphas[token])
                        .powi(2)
                        .clamp(1e-4, 1e6)
                } else {
                    1e6
                };
                let floor = OBSERVATION_NOISE[channel] / self.tensors.scale.0[token][channel];
                let floor = f64::from((floor * floor).clamp(1e-4, 0.5));
                let mut noise = observed + floor;
                let place = token * CHANNELS + channel;
                let seen = key.seen.iter().find(|(at, _)| *at == place);
                if let (Some((_, bits)), true) = (seen, valid >> token & 1 == 1) {
                    // two independent observations of one value: precisions add
                    let other = f64::from(f32::from_bits(*bits)) + floor;
                    trust.push((place, noise / (noise + other)));
                    noise = noise * other / (noise + other);
                }
                sum[at * STRIDE + at] += noise;
            }
            let (root, whitened) = dispatch(Factor {
                sum,
                covariance: padded,
            });
            for at in 0..BLOCK {
                let explained: f64 = (0..BLOCK)
                    .map(|row| whitened[row * STRIDE + at].powi(2))
                    .sum();
                let variance = (covariance[at * BLOCK + at] - explained).max(1e-6);
                let to = (at % T) * CHANNELS + block + 2 * (at / T);
                spread[to] = (variance.sqrt() as f32).max(LEAST_SPREAD);
            }
            roots[block] = root;
            solved[block] = whitened;
        }
        Gain {
            bin,
            lift: alphas.map(f64::recip),
            roots,
            solved,
            log_spread: spread.map(f32::ln),
            spread,
            trust,
        }
    }

    fn covariance(&self, bin: usize, block: usize) -> &[f64] {
        let from = (2 * bin + block) * BLOCK * BLOCK;
        &self.tensors.covariance[from..from + BLOCK * BLOCK]
    }

    /// What draws from the posterior are made of: per block the Cholesky factor [63, 64] of its covariance + 1e-6.
    pub(super) fn roots(&self, gain: &Gain) -> [Vec<f64>; 2] {
        std::array::from_fn(|block| {
            let (covariance, solved) = (self.covariance(gain.bin, block), &gain.solved[block]);
            let mut left = vec![0.0; BLOCK * STRIDE];
            for (row, numbers) in left.chunks_exact_mut(STRIDE).enumerate() {
                numbers[..BLOCK].copy_from_slice(&covariance[row * BLOCK..(row + 1) * BLOCK]);
                for known in solved.chunks_exact(STRIDE) {
                    for (number, other) in numbers[..BLOCK].iter_mut().zip(known) {
                        *number -= known[row] * other;
                    }
                }
                numbers[row] += 1e-6;
            }
            let nothing = vec![0.0; BLOCK * STRIDE];
            let factor = Factor {
                sum: left,
                covariance: nothing,
            };
            dispatch(factor).0
        })
    }

    /// A draw [T, 6] of a posterior with this mean, from normal numbers [2, 63]; `roots` as of [`Prior::roots`].
    pub(super) fn draw(
        mean: &[f32; T * CHANNELS],
        roots: &[Vec<f64>; 2],
        normal: &[f64; DRAW],
    ) -> [f32; T * CHANNELS] {
        let mut out = *mean;
        for (block, (root, normal)) in roots.iter().zip(normal.chunks_exact(BLOCK)).enumerate() {
            for (at, row) in root.chunks_exact(STRIDE).enumerate() {
                let moved: f64 = row.iter().zip(normal).map(|(a, b)| a * b).sum();
                out[(at % T) * CHANNELS + block + 2 * (at / T)] += moved as f32;
            }
        }
        out
    }

    /// Noise level at which smoothing sees the predictions of a bin; 0 where they stay as they are.
    pub(super) fn smoothing_level(&self, bin: usize) -> f32 {
        // without kinds the bins are others
        let has_kinds = self.tensors.edges.len() > 1;
        SMOOTHING
            .get(bin)
            .copied()
            .filter(|_| has_kinds)
            .unwrap_or(0.0)
    }

    /// Posterior mean [T, 6] of an agent's clean tokens given noisy ones [T, 6] and what else is seen; all in scaled
    /// units.
    pub(super) fn posterior_mean(
        &self,
        gain: &Gain,
        noisy: &[f32],
        seen: Option<&Seen>,
    ) -> [f32; T * CHANNELS] {
        let mut out = [0.0; T * CHANNELS];
        let mut lifted: [f64; T * CHANNELS] =
            std::array::from_fn(|place| f64::from(noisy[place]) * gain.lift[place / CHANNELS]);
        if let Some(seen) = seen {
            for &(place, trust) in &gain.trust {
                lifted[place] += trust * (f64::from(seen.value[place]) - lifted[place]);
            }
        }
        for block in 0..2 {
            let from = (2 * gain.bin + block) * BLOCK;
            let mean = &self.tensors.mean[from..from + BLOCK];
            let place = |at: usize| (at % T) * CHANNELS + block + 2 * (at / T);
            let mut gap = [0.0; STRIDE];
            for (at, gap) in gap.iter_mut().enumerate().take(BLOCK) {
                *gap = lifted[place(at)] - mean[at];
            }
            let moved = dispatch(Move {
                root: &gain.roots[block],
                solved: &gain.solved[block],
                gap,
            });
            for at in 0..BLOCK {
                out[place(at)] = (mean[at] + moved[at]) as f32;
            }
        }
        out
    }
}

/// The key of an agent's gain.
pub(super) fn key(bin: usize, valid: u32, levels: &[f32], seen: Option<&Seen>) -> Key {
    let variances = seen
        .iter()
        .flat_map(|seen| seen.variance.iter().enumerate());
    Key {
        bin,
        valid,
        levels: std::array::from_fn(|token| levels[token].to_bits()),
        seen: variances
            .filter(|(_, variance)| variance.is_finite())
            .map(|(place, variance)| (place, variance.to_bits()))
            .collect(),
    }
}

/// Cholesky of `sum` (L) and L⁻¹ `covariance`, both [63, 64].
struct Factor {
    sum: Vec<f64>,
    covariance: Vec<f64>,
}

impl WithSimd for Factor {
    type Output = (Vec<f64>, Vec<f64>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let mut root = vec![0.0; BLOCK * STRIDE];
        for row in 0..BLOCK {
            let (above, rest) = root.split_at_mut(row * STRIDE);
            let current = &mut rest[..STRIDE];
            for column in 0..=row {
                // the row is zero from `column` on, so whole vectors may be taken
                let before = if column == row {
                    dot(simd, current, current, column)
                } else {
                    dot(
                        simd,
                        current,
                        &above[column * STRIDE..(column + 1) * STRIDE],
                        column,
                    )
                };
                let left = self.sum[row * STRIDE + column] - before;
                current[column] = if column == row {
                    left.sqrt()
                } else {
                    left / above[column * STRIDE + column]
                };
            }
        }
        let mut solved = self.covariance;
        for row in 0..BLOCK {
            let (done, rest) = solved.split_at_mut(row * STRIDE);
            let current = &mut rest[..STRIDE];
            let factors = &root[row * STRIDE..row * STRIDE + row + 1];
            subtract_rows(simd, current, done, &factors[..row]);
            let inverse = simd.splat_f64s(factors[row].recip());
            let (head, _) = S::as_mut_simd_f64s(current);
            for value in head {
                *value = simd.mul_f64s(*value, inverse);
            }
        }
        (root, solved)
    }
}

/// solvedᵀ L⁻¹ gap: how far the posterior mean lies from the prior mean.
struct Move<'a> {
    root: &'a [f64],
    solved: &'a [f64],
    gap: [f64; STRIDE],
}

impl WithSimd for Move<'_> {
    type Output = [f64; STRIDE];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let mut whitened = [0.0; STRIDE];
        for row in 0..BLOCK {
            let factors = &self.root[row * STRIDE..(row + 1) * STRIDE];
            let before = dot(simd, factors, &whitened, row);
            whitened[row] = (before - self.gap[row]) / factors[row];
            // kept with the sign turned, so that subtracting rows adds them
            whitened[row] = -whitened[row];
        }
        let negative = whitened.map(|value| -value);
        let mut moved = [0.0; STRIDE];
        subtract_rows(simd, &mut moved, self.solved, &negative[..BLOCK]);
        moved
    }
}

/// Σ a b over at least the first `count` entries; what follows in the last vector must be zero in one of them.
#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f64], b: &[f64], count: usize) -> f64 {
    let vectors = count.div_ceil(S::F64_LANES);
    let ((a, _), (b, _)) = (S::as_simd_f64s(a), S::as_simd_f64s(b));
    let mut sums = [simd.splat_f64s(0.0); 2];
    for (at, (a, b)) in a.iter().zip(b).take(vectors).enumerate() {
        sums[at % 2] = simd.mul_add_e_f64s(*a, *b, sums[at % 2]);
    }
    simd.reduce_sum_f64s(simd.add_f64s(sums[0], sums[1]))
}

/// `row` −= Σ factor · row of `rows` (64 apart).
#[inline(always)]
fn subtract_rows<S: Simd>(simd: S, row: &mut [f64], rows: &[f64], factors: &[f64]) {
    let (head, _) = S::as_mut_simd_f64s(row);
    let per_row = head.len();
    let (all, _) = S::as_simd_f64s(rows);
    for (tile, head) in head.chunks_mut(4).enumerate() {
        let zero = simd.splat_f64s(0.0);
        let mut sums = [zero; 4];
        for (at, factor) in factors.iter().enumerate() {
            let factor = simd.splat_f64s(*factor);
            let from = at * per_row + 4 * tile;
            for (sum, value) in sums.iter_mut().zip(&all[from..from + head.len()]) {
                *sum = simd.mul_add_e_f64s(factor, *value, *sum);
            }
        }
        for (value, sum) in head.iter_mut().zip(&sums) {
            *value = simd.sub_f64s(*value, *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prior whose tokens are independent with variance 4 and mean 1.
    fn independent() -> Prior {
        let mut covariance = vec![0.0; 2 * BLOCK * BLOCK];
        for block in 0..2 {
            for at in 0..BLOCK {
                covariance[(block * BLOCK + at) * BLOCK + at] = 4.0;
            }
        }
        Prior::new(PriorTensors {
            scale: Scale::default(),
            mean: vec![1.0; 2 * BLOCK],
            covariance,
            edges: vec![vec![0.3, 3.0, 8.0]],
            first_bin: vec![0],
        })
    }

    #[test]
    fn an_independent_token_is_pulled_to_the_mean_by_the_ratio_of_variances() {
        let prior = independent();
        let gain = prior.gain(&key(0, (1 << T) - 1, &[0.5; T], None));
        let noisy = [3.0_f32; T * CHANNELS];
        let mean = prior.posterior_mean(&gain, &noisy, None);
        // level ½: alpha = sigma = 1/√2; variance 1 plus 0.05² = 0.0025; observation 3√2 = 4.2426
        let noise = 1.0 + 0.0025;
        let expected = 1.0 + 4.0 / (4.0 + noise) * (3.0 * 2.0_f64.sqrt() - 1.0);
        assert!((f64::from(mean[0]) - expected).abs() < 1e-6, "{}", mean[0]);
        let spread = (4.0 - 16.0 / (4.0 + noise)).sqrt();
        assert!((f64::from(gain.spread[0]) - spread).abs() < 1e-6);
    }

    #[test]
    fn an_observation_beside_the_noisy_token_adds_its_precision() {
        let prior = independent();
        let mut seen = Seen::default();
        let mut observation = Observation {
            agent: 0,
            token: 0,
            value: [7.0; CHANNELS],
            variance: [f32::INFINITY; CHANNELS],
        };
        observation.variance[0] = 0.25;
        seen.add(&observation);
        let gain = prior.gain(&key(0, (1 << T) - 1, &[0.5; T], Some(&seen)));
        let mean = prior.posterior_mean(&gain, &[3.0; T * CHANNELS], Some(&seen));
        // mean 1 with variance 4; 3√2 with 1 + 0.05²; 7 with 0.25 + 0.05²: weighted by precisions
        let parts = [(1.0, 4.0), (3.0 * 2.0_f64.sqrt(), 1.0025), (7.0, 0.2525)];
        let precision: f64 = parts.iter().map(|(_, variance)| 1.0 / variance).sum();
        let expected = parts.iter().map(|(at, v)| at / v).sum::<f64>() / precision;
        assert!((f64::from(mean[0]) - expected).abs() < 1e-6, "{}", mean[0]);
        assert!((f64::from(gain.spread[0]) - precision.recip().sqrt()).abs() < 1e-6);
        // the channel beside it, not seen, is as without
        let without = prior.gain(&key(0, (1 << T) - 1, &[0.5; T], None));
        let alone = prior.posterior_mean(&without, &[3.0; T * CHANNELS], None);
        assert_eq!((mean[2], gain.spread[2]), (alone[2], without.spread[2]));
    }

    #[test]
    fn an_invalid_token_says_nothing() {
        let prior = independent();
        let gain = prior.gain(&key(0, 0, &[0.0; T], None));
        let mean = prior.posterior_mean(&gain, &[3.0; T * CHANNELS], None);
        // variance 1e6: 1 + 4/(4 + 1e6) · 2
        assert!((mean[0] - 1.000_008).abs() < 1e-6 && (gain.spread[0] - 2.0).abs() < 1e-5);
    }

    #[test]
    fn a_draw_moves_by_the_posterior_deviation_where_tokens_are_independent() {
        let prior = independent();
        let mut levels = [1.0; T];
        levels[0] = 0.0;
        let gain = prior.gain(&key(0, (1 << T) - 1, &levels, None));
        let mean = prior.posterior_mean(&gain, &[1.0; T * CHANNELS], None);
        let drawn = Prior::draw(&mean, &prior.roots(&gain), &[1.0; DRAW]);
        // x of the first token, observed at level 0: 4 · v / (4 + v) with v = 1e-4 + 0.05²; later ones keep √4
        let observed = 1e-4 + 0.0025;
        let known = (4.0 * observed / (4.0 + observed) + 1e-6_f64).sqrt();
        assert!((f64::from(drawn[0] - mean[0]) - known).abs() < 1e-5);
        assert!((drawn[T * CHANNELS - 1] - mean[T * CHANNELS - 1] - 2.0).abs() < 1e-4);
        assert_eq!(Prior::draw(&mean, &prior.roots(&gain), &[0.0; DRAW]), mean);
    }

    #[test]
    fn gains_are_shared_by_agents_that_look_alike() {
        let prior = independent();
        let (a, b) = (key(0, 1, &[0.5; T], None), key(0, 1, &[0.25; T], None));
        let gains = prior.gains(&[a.clone(), b.clone(), a]);
        assert!(Arc::ptr_eq(&gains[0], &gains[2]) && !Arc::ptr_eq(&gains[0], &gains[1]));
        assert!(Arc::ptr_eq(&prior.gains(&[b])[0], &gains[1]));
    }

    #[test]
    fn bins_follow_kind_speed_and_standing() {
        let mut prior = independent();
        assert_eq!(prior.bin(0, 0.2, 0.0), 0);
        assert_eq!(prior.bin(2, 5.0, 9.0), 2);
        prior.tensors.edges = vec![
            vec![0.3, 3.0, 8.0, 14.0, 22.0],
            vec![f64::INFINITY; 5],
            vec![3.0, f64::INFINITY],
        ];
        prior.tensors.first_bin = vec![0, 7, 9];
        // vehicle standing, creeping after having moved, at 15 m/s; pedestrian; cyclist at 5 m/s
        let cases = [
            (0, 0.1, 0.1, 0),
            (0, 0.1, 2.0, 1),
            (0, 15.0, 9.0, 5),
            (1, 1.0, 1.0, 8),
            (2, 5.0, 9.0, 11),
        ];
        for (kind, speed, travel, expected) in cases {
            assert_eq!(prior.bin(kind, speed, travel), expected);
        }
    }
}
