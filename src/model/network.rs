//! The network as the rest of the program knows it: loaded once, conditioned on windows, behind `Denoise`.

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use rayon::ThreadPool;
use rayon::prelude::*;

use super::context::Context;
use super::fast::{BLOCK_AGENTS, Fast, MapMemory, StepInputs};
use super::features::{Place, RELATION, TokenInputs, relation, token_features};
use super::prior::{Gain, Prior, Seen, key};
use super::profile::{Part, Profile, timed};
use super::reference::{Inputs, Reference, level_index};
use super::weights::{Config, EMBEDDED, Status, Weights, WeightsError};
use crate::codec::{CHANNELS, Scale, T, Window};
use crate::diffusion::{Denoise, DenoiseError, Observation, Prepare, signal_share};

/// How the network's part of a prediction is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// Vectorised and threaded.
    Fast,
    /// Plain candle operations, for comparison.
    Reference,
    /// Not at all: the prior's mean is the prediction.
    PriorOnly,
}

/// A loaded denoiser. Cheap to clone: everything is shared.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
    method: Method,
    identity: Arc<str>,
    profile: Option<Arc<Profile>>,
}

struct Shared {
    config: Config,
    hash: String,
    status: Status,
    prior: Prior,
    fast: Fast,
    reference: Reference,
    pool: ThreadPool,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Network")
            .field("config", &self.shared.config)
            .field("hash", &self.shared.hash)
            .field("method", &self.method)
            .finish()
    }
}

impl Network {
    /// The weights the program carries, on `threads` threads of the network's own pool; 0 means all cores.
    ///
    /// # Errors
    ///
    /// Never with the weights of a released program; kept as an error so that a broken build says so.
    pub fn load_default(threads: usize) -> Result<Self, WeightsError> {
        Self::from_bytes(EMBEDDED, threads)
    }

    /// Weights from a file, for instance tuned on one's own scenes; `threads` as in [`Network::load_default`].
    ///
    /// # Errors
    ///
    /// If the file cannot be read or does not hold a network of a layout this program knows.
    pub fn load(path: &Path, threads: usize) -> Result<Self, WeightsError> {
        Self::from_weights(&Weights::from_file(path)?, threads)
    }

    /// Weights from a safetensors file's bytes.
    ///
    /// # Errors
    ///
    /// As [`Network::load`].
    pub fn from_bytes(bytes: &[u8], threads: usize) -> Result<Self, WeightsError> {
        Self::from_weights(&Weights::from_bytes(bytes)?, threads)
    }

    fn from_weights(weights: &Weights, threads: usize) -> Result<Self, WeightsError> {
        let config = |error: &dyn std::fmt::Display| WeightsError::Config(error.to_string());
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("network {index}"))
            .build()
            .map_err(|error| config(&error))?;
        let shared = Shared {
            config: weights.config,
            hash: weights.contents.hash.clone(),
            status: weights.status,
            prior: Prior::new(weights.contents.prior.clone()),
            fast: Fast::new(weights)?,
            reference: Reference::new(weights, &Device::Cpu).map_err(|error| config(&error))?,
            pool,
        };
        Ok(Self {
            identity: Arc::from(weights.contents.hash.as_str()),
            shared: Arc::new(shared),
            method: Method::Fast,
            profile: None,
        })
    }

    /// The analytic prior without the network: the baseline it must beat.
    pub fn prior_only(&self) -> Self {
        Self {
            method: Method::PriorOnly,
            identity: Arc::from("<prior>"),
            ..self.clone()
        }
    }

    /// The same network in plain candle operations: slow, for comparison.
    pub fn reference(&self) -> Self {
        Self {
            method: Method::Reference,
            ..self.clone()
        }
    }

    /// The same network with the time of each part counted in `profile`.
    pub fn profiled(&self, profile: Arc<Profile>) -> Self {
        Self {
            profile: Some(profile),
            ..self.clone()
        }
    }

    /// Sizes.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// SHA-256 of the weights file, hex.
    pub fn hash(&self) -> &str {
        &self.shared.hash
    }

    /// Whether these are the program's own weights, foreign or untrained ones.
    pub fn status(&self) -> Status {
        self.shared.status
    }

    /// Threads of the network's pool.
    pub fn threads(&self) -> usize {
        self.shared.pool.current_num_threads()
    }

    /// Runs `work` on the network's pool.
    pub(super) fn scope<'scope>(&self, work: impl FnOnce(&rayon::Scope<'scope>) + Send) {
        self.shared.pool.scope(work);
    }

    /// Floating point operations of one step for `agents` agents: in products with weights, and in attention.
    pub fn step_flops(&self, agents: usize) -> [f64; 2] {
        let config = &self.shared.config;
        let (width, heads) = (config.width as f64, config.heads as f64);
        let (tokens, lanes) = ((agents * T) as f64, (config.nearest_lanes + 1) as f64);
        let pairs = (agents * agents * T) as f64;
        let layers = config.layers as f64;
        // per token: map query and output, time 3 + 1, agents 3 + 1, relation values, MLP
        let relation_values = heads * 8.0 * (32.0 + width);
        let per_token = 10.0 * width * width + relation_values + 2.0 * width * config.hidden as f64;
        let ends = (config.token_features() + CHANNELS) as f64 * width;
        let relations = (RELATION * 32 + 32 * 32) as f64 + layers * 32.0 * heads;
        let products = tokens * (layers * per_token + ends) + pairs * relations;
        let keys = tokens * (lanes + T as f64) + pairs;
        let attention = layers * (2.0 * width * keys + pairs * 32.0 * heads);
        [2.0 * products, 2.0 * attention]
    }
}

impl Prepare for Network {
    fn scale(&self) -> &Scale {
        self.shared.prior.scale()
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    fn prepare(&self, window: &Window) -> Result<Box<dyn Denoise + Send>, DenoiseError> {
        let shared = &self.shared;
        let context = Context::new(window, &shared.config, &shared.prior);
        let memory = shared.pool.install(|| shared.fast.remember_map(&context));
        Ok(Box::new(Job {
            network: self.clone(),
            seen: vec![None; context.agents.len()],
            smooth: false,
            context,
            memory,
        }))
    }
}

/// A network conditioned on one window.
struct Job {
    network: Network,
    context: Context,
    memory: MapMemory,
    /// What is known of each agent's clean tokens beside the noisy ones.
    seen: Vec<Option<Box<Seen>>>,
    /// Whether the prior has the last word.
    smooth: bool,
}

/// What the prior says and the network reads, for all rows of a step.
struct Prepared {
    gains: Vec<Arc<Gain>>,
    /// [N, T, 6]
    mean: Vec<f32>,
    /// [N, T, F]
    features: Vec<f32>,
    /// [N, T]
    places: Vec<Place>,
}

impl Denoise for Job {
    fn denoise(
        &mut self,
        noisy: &[f32],
        levels: &[f32],
        clean: &mut [f32],
    ) -> Result<(), DenoiseError> {
        let agents = self.context.agents.len();
        let sample = agents * T * CHANNELS;
        let check = |what, found, expected| {
            (found == expected)
                .then_some(())
                .ok_or(DenoiseError::Shape {
                    what,
                    found,
                    expected,
                })
        };
        check("the levels", levels.len(), agents * T)?;
        check("the clean tokens", clean.len(), noisy.len())?;
        if agents == 0 {
            return check("the noisy tokens", noisy.len(), 0);
        }
        let samples = noisy.len() / sample;
        check("the noisy tokens", noisy.len(), samples * sample)?;
        let network = self.network.clone();
        network.shared.pool.install(|| {
            let prepared = self.prepare_step(noisy, levels);
            let change = match network.method {
                Method::PriorOnly => None,
                Method::Fast => Some(self.run_fast(&prepared, levels, samples)),
                Method::Reference => Some(
                    self.run_reference(&prepared, levels, samples)
                        .map_err(|error| DenoiseError::Network(error.to_string()))?,
                ),
            };
            let per_agent = T * CHANNELS;
            for (row, clean) in clean.chunks_exact_mut(per_agent).enumerate() {
                let spread = &prepared.gains[row % agents].spread;
                clean.copy_from_slice(&prepared.mean[row * per_agent..(row + 1) * per_agent]);
                if let Some(change) = &change {
                    let change = &change[row * per_agent..(row + 1) * per_agent];
                    for ((clean, spread), change) in clean.iter_mut().zip(spread).zip(change) {
                        *clean += spread * change;
                    }
                }
            }
            if self.smooth && change.is_some() {
                self.smooth_out(noisy, levels, clean);
            }
            Ok(())
        })
    }

    fn observe(&mut self, observations: &[Observation]) {
        self.seen.fill(None);
        for one in observations.iter().filter(|one| one.token < T) {
            if let Some(seen) = self.seen.get_mut(one.agent) {
                seen.get_or_insert_default().add(one);
            }
        }
    }

    fn smooth(&mut self, on: bool) {
        self.smooth = on;
    }

    fn revise(&mut self, window: &Window) -> Result<(), DenoiseError> {
        let shared = &self.network.shared;
        let context = Context::new(window, &shared.config, &shared.prior);
        let unchanged = context.unchanged_rows(&self.context);
        self.memory = shared.pool.install(|| {
            shared
                .fast
                .remember_changes(&context, &self.memory, &unchanged)
        });
        self.seen.resize(context.agents.len(), None);
        self.context = context;
        Ok(())
    }
}

impl Job {
    fn prepare_step(&self, noisy: &[f32], levels: &[f32]) -> Prepared {
        let shared = &self.network.shared;
        let profile = self.network.profile.as_deref();
        let agents = self.context.agents.len();
        let per_agent = T * CHANNELS;
        let rows = noisy.len() / per_agent;
        let width = shared.config.token_features();
        let keys: Vec<_> = self
            .context
            .agents
            .iter()
            .zip(levels.chunks_exact(T))
            .zip(&self.seen)
            .map(|((agent, levels), seen)| key(agent.bin, agent.valid, levels, seen.as_deref()))
            .collect();
        let gains = timed(profile, Part::Prior, || shared.prior.gains(&keys));
        let mut mean = vec![0.0; noisy.len()];
        let mut features = vec![0.0; rows * T * width];
        let mut places = vec![Place::default(); rows * T];
        mean.par_chunks_mut(BLOCK_AGENTS * per_agent)
            .zip(features.par_chunks_mut(BLOCK_AGENTS * T * width))
            .zip(places.par_chunks_mut(BLOCK_AGENTS * T))
            .enumerate()
            .for_each_init(Vec::new, |costs, (block, ((mean, features), places))| {
                let blocks = mean
                    .chunks_exact_mut(per_agent)
                    .zip(features.chunks_exact_mut(T * width))
                    .zip(places.chunks_exact_mut(T));
                for (offset, ((mean, features), places)) in blocks.enumerate() {
                    let row = block * BLOCK_AGENTS + offset;
                    let agent = row % agents;
                    let gain = &gains[agent];
                    let noisy = &noisy[row * per_agent..(row + 1) * per_agent];
                    timed(profile, Part::Prior, || {
                        let seen = self.seen[agent].as_deref();
                        mean.copy_from_slice(&shared.prior.posterior_mean(gain, noisy, seen));
                    });
                    if self.network.method == Method::PriorOnly {
                        continue;
                    }
                    timed(profile, Part::Features, || {
                        let inputs = TokenInputs {
                            context: &self.context,
                            row: agent,
                            scale: shared.prior.scale(),
                            gain,
                            noisy,
                            levels: &levels[agent * T..(agent + 1) * T],
                            mean,
                        };
                        token_features(&inputs, features, places, costs);
                    });
                }
            });
        Prepared {
            gains,
            mean,
            features,
            places,
        }
    }

    /// Puts in the place of predicted tokens [S, A, T, 6] what the prior takes them for when it is shown them as if at a
    /// low noise level, known ones as they are: its posterior mean, a Wiener smoother. A soft goal is in the prediction
    /// already.
    fn smooth_out(&self, noisy: &[f32], levels: &[f32], clean: &mut [f32]) {
        let prior = &self.network.shared.prior;
        let agents = self.context.agents.len();
        let of_agent = |row: usize| prior.smoothing_level(self.context.agents[row].bin);
        let rows: Vec<usize> = (0..agents).filter(|&row| of_agent(row) > 0.0).collect();
        let keys: Vec<_> = rows
            .iter()
            .map(|&row| {
                let own = levels[row * T..(row + 1) * T].iter();
                let shown: Vec<f32> = own
                    .map(|&level| if level > 0.0 { of_agent(row) } else { 0.0 })
                    .collect();
                let agent = &self.context.agents[row];
                key(agent.bin, agent.valid, &shown, None)
            })
            .collect();
        let mut gains = vec![None; agents];
        for (row, gain) in rows.into_iter().zip(prior.gains(&keys)) {
            gains[row] = Some(gain);
        }
        clean
            .par_chunks_exact_mut(T * CHANNELS)
            .zip(noisy.par_chunks_exact(T * CHANNELS))
            .enumerate()
            .for_each(|(at, (clean, noisy))| {
                let row = at % agents;
                let Some(gain) = &gains[row] else { return };
                let share = signal_share(f64::from(of_agent(row))) as f32;
                for (place, clean) in clean.iter_mut().enumerate() {
                    *clean = match levels[row * T + place / CHANNELS] > 0.0 {
                        true => share * *clean,
                        false => noisy[place],
                    };
                }
                clean.copy_from_slice(&prior.posterior_mean(gain, clean, None));
            });
    }

    fn run_fast(&self, prepared: &Prepared, levels: &[f32], samples: usize) -> Vec<f32> {
        let levels: Vec<u8> = levels.iter().map(|&level| level_index(level)).collect();
        self.network.shared.fast.forward(&StepInputs {
            context: &self.context,
            memory: &self.memory,
            samples,
            features: &prepared.features,
            places: &prepared.places,
            levels: &levels,
            profile: self.network.profile.as_deref(),
        })
    }

    fn run_reference(
        &self,
        prepared: &Prepared,
        levels: &[f32],
        samples: usize,
    ) -> candle_core::Result<Vec<f32>> {
        let device = Device::Cpu;
        let context = &self.context;
        let agents = context.agents.len();
        let rows = samples * agents;
        let config = &self.network.shared.config;
        let mut relations = Vec::with_capacity(samples * T * agents * agents * RELATION);
        for (sample, token) in (0..samples * T).map(|at| (at / T, at % T)) {
            let place = |agent: usize| &prepared.places[(sample * agents + agent) * T + token];
            for i in 0..agents {
                for j in 0..agents {
                    let other = &context.agents[j];
                    let size = [other.length, other.width];
                    let own_length = context.agents[i].length;
                    relations.extend(relation(place(i), place(j), own_length, size));
                }
            }
        }
        let valid: Vec<f32> = (0..rows * T)
            .map(|at| f32::from(u8::from(context.agents[at / T % agents].is_valid(at % T))))
            .collect();
        let indices: Vec<u32> = (0..rows * T)
            .map(|at| u32::from(level_index(levels[at % (agents * T)])))
            .collect();
        let lanes = context.lanes.repeat(samples);
        let lane_shape = (rows, context.near, config.lane_features());
        let features = prepared.features.clone();
        let inputs = Inputs {
            features: Tensor::from_vec(features, (rows, T, config.token_features()), &device)?,
            levels: Tensor::from_vec(indices, (rows, T), &device)?,
            lanes: Tensor::from_vec(lanes, lane_shape, &device)?,
            relations: Tensor::from_vec(
                relations,
                (samples * T, agents, agents, RELATION),
                &device,
            )?,
            valid: Tensor::from_vec(valid, (rows, T), &device)?,
            shape: (samples, agents),
        };
        self.network
            .shared
            .reference
            .forward(&inputs)?
            .flatten_all()?
            .to_vec1()
    }
}
