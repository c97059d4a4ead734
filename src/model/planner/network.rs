//! The planner's network in candle operations. Module names are tensor names of the weights file.
//!
//! Axes: S scene tokens, n sequences (or modes), W width, H heads, d = W / H, m vocabulary, P = 16 points.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::{
    Embedding, LayerNorm, Linear, Module as _, VarBuilder, embedding, layer_norm, linear,
    ops::softmax,
};
use rayon::ThreadPool;

use super::surroundings::{AROUND, LANE, NEIGHBOUR, OWN, POSE, Surroundings};
use super::weights::{Config, TOKENS};
use crate::codec::CHANNELS;
use crate::model::layers::{Mlp, normalised};
use crate::planner::POINTS;

/// Numbers a frame of a noisy plan enters with.
pub(super) const NOISY: usize = 12 + POSE + 2 + AROUND;

/// Numbers a trajectory token enters with.
pub(super) const TOKEN: usize = POSE + AROUND;

/// Numbers a token that may be masked enters with.
pub(super) const MASKED: usize = TOKEN + 1;

/// Numbers of a mixture's component: mean and log deviation (x, y) per point, logit.
const COMPONENT: usize = POINTS * (CHANNELS + 2) + 1;

/// Frequencies of the noise level's phases.
const FREQUENCIES: usize = 16;

/// Keys and values of the scene for one layer: [H, S, d] each.
struct Memory {
    key: Tensor,
    value: Tensor,
}

/// Keys and values of the tokens so far for one layer, [n, H, t, d] each.
#[derive(Clone)]
struct Past {
    key: Tensor,
    value: Tensor,
}

struct Cross {
    query: Linear,
    key_value: Linear,
    out: Linear,
}

/// Attention among the tokens, attention to the scene (decoders only), MLP; each a residual after a LayerNorm.
struct Block {
    heads: usize,
    qkv: Linear,
    out: Linear,
    cross: Option<Cross>,
    mlp: Mlp,
}

impl Block {
    fn new(config: &Config, reads: bool, vb: &VarBuilder<'_>) -> Result<Self> {
        let width = config.width;
        let cross = || -> Result<Cross> {
            Ok(Cross {
                query: linear(width, width, vb.pp("cq"))?,
                key_value: linear(width, 2 * width, vb.pp("ckv"))?,
                out: linear(width, width, vb.pp("co"))?,
            })
        };
        Ok(Self {
            heads: config.heads,
            qkv: linear(width, 3 * width, vb.pp("qkv"))?,
            out: linear(width, width, vb.pp("o"))?,
            cross: reads.then(cross).transpose()?,
            mlp: Mlp::new([width, config.hidden, width], &vb.pp("ff"))?,
        })
    }

    fn stack(config: &Config, count: usize, reads: bool, vb: &VarBuilder<'_>) -> Result<Vec<Self>> {
        (0..count)
            .map(|layer| Self::new(config, reads, &vb.pp("layers").pp(layer)))
            .collect()
    }

    /// [n, t, W] → [n, H, t, d]
    fn split(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, count, width) = x.dims3()?;
        x.reshape((rows, count, self.heads, width / self.heads))?
            .transpose(1, 2)?
            .contiguous()
    }

    /// Queries, keys and values among the tokens, [n, H, t, d] each.
    fn among(&self, x: &Tensor) -> Result<[Tensor; 3]> {
        let all = self.qkv.forward(x)?;
        let width = all.dim(D::Minus1)? / 3;
        let part = |at: usize| self.split(&all.narrow(D::Minus1, at * width, width)?);
        Ok([part(0)?, part(1)?, part(2)?])
    }

    fn remember(&self, scene: &Tensor) -> Result<Option<Memory>> {
        let Some(cross) = &self.cross else {
            return Ok(None);
        };
        let all = cross.key_value.forward(&scene.unsqueeze(0)?)?;
        let width = all.dim(D::Minus1)? / 2;
        let part = |at: usize| {
            self.split(&all.narrow(D::Minus1, at * width, width)?)?
                .squeeze(0)
        };
        Ok(Some(Memory {
            key: part(0)?,
            value: part(1)?,
        }))
    }

    /// Adds what the tokens [n, t, W] read in the scene: all tokens of all rows at once.
    fn read_scene(&self, h: Tensor, memory: Option<&Memory>) -> Result<Tensor> {
        let (Some(cross), Some(memory)) = (&self.cross, memory) else {
            return Ok(h);
        };
        let (rows, count, width) = h.dims3()?;
        let query = cross.query.forward(&normalised(&h)?)?;
        let query = query.reshape((1, rows * count, width))?;
        let read = attend(
            &self.split(&query)?,
            &memory.key.unsqueeze(0)?,
            &memory.value.unsqueeze(0)?,
        )?;
        h + cross
            .out
            .forward(&joined(&read)?.reshape((rows, count, width))?)?
    }

    /// h [n, t, W]; every token looks at all of its row. `change`: scale and shift [W] after each LayerNorm.
    fn forward(
        &self,
        h: &Tensor,
        memory: Option<&Memory>,
        change: Option<(&Tensor, &Tensor)>,
    ) -> Result<Tensor> {
        let changed = |x: Tensor| match change {
            Some((scale, shift)) => x.broadcast_mul(&(scale + 1.0)?)?.broadcast_add(shift),
            None => Ok(x),
        };
        let [query, key, value] = self.among(&changed(normalised(h)?)?)?;
        let read = joined(&attend(&query, &key, &value)?)?;
        let h = self.read_scene((h + self.out.forward(&read)?)?, memory)?;
        let more = self.mlp.forward(&changed(normalised(&h)?)?)?;
        h + more
    }

    /// h [n, 1, W]: one more token, which looks at itself and those before, kept in `past`.
    fn extend(
        &self,
        h: &Tensor,
        memory: Option<&Memory>,
        past: &mut Option<Past>,
    ) -> Result<Tensor> {
        let [query, key, value] = self.among(&normalised(h)?)?;
        let now = match past.take() {
            Some(before) => Past {
                key: Tensor::cat(&[before.key, key], 2)?,
                value: Tensor::cat(&[before.value, value], 2)?,
            },
            None => Past { key, value },
        };
        let read = joined(&attend(&query, &now.key, &now.value)?)?;
        *past = Some(now);
        let h = self.read_scene((h + self.out.forward(&read)?)?, memory)?;
        let more = self.mlp.forward(&normalised(&h)?)?;
        h + more
    }
}

/// The scene as the decoders read it.
pub(super) struct Encoded {
    /// The ego's token [1, W].
    ego: Tensor,
    tokens: Vec<Option<Memory>>,
    refiner: Vec<Option<Memory>>,
    flow: Vec<Option<Memory>>,
    mixture: Vec<Option<Memory>>,
    masked: Vec<Option<Memory>>,
}

/// Trajectory tokens decoded so far.
#[derive(Clone)]
pub(super) struct Decoding {
    layers: Vec<Option<Past>>,
    count: usize,
}

impl Decoding {
    /// The sequences numbered `rows`, in that order: for beams.
    pub(super) fn select(&mut self, rows: &[u32]) -> Result<()> {
        let rows = Tensor::from_slice(rows, rows.len(), &Device::Cpu)?;
        for past in self.layers.iter_mut().flatten() {
            past.key = past.key.index_select(&rows, 0)?;
            past.value = past.value.index_select(&rows, 0)?;
        }
        Ok(())
    }
}

/// Futures at once, each with its weight.
struct Mixture {
    query: Tensor,
    layers: Vec<Block>,
    norm: LayerNorm,
    out: Linear,
}

impl Mixture {
    /// `None` in weights without one.
    fn new(config: &Config, vb: &VarBuilder<'_>) -> Result<Option<Self>> {
        if config.components == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            query: vb.get((config.components, config.width), "query")?,
            layers: Block::stack(config, config.mixture_layers, true, vb)?,
            norm: layer_norm(config.width, 1e-5, vb.pp("no"))?,
            out: linear(config.width, COMPONENT, vb.pp("out"))?,
        }))
    }
}

/// All tokens at once, from those that are known.
struct Masked {
    input: Linear,
    step: Tensor,
    known: Embedding,
    layers: Vec<Block>,
    norm: LayerNorm,
    out: Linear,
    /// As [`Network::jump`].
    jump: f32,
}

impl Masked {
    /// `None` in weights without it.
    fn new(config: &Config, vb: &VarBuilder<'_>) -> Result<Option<Self>> {
        if config.masked_layers == 0 {
            return Ok(None);
        }
        let (width, vocabulary) = (config.width, config.vocabulary);
        Ok(Some(Self {
            input: linear(MASKED, width, vb.pp("inp"))?,
            step: vb.get((TOKENS, width), "step")?,
            known: embedding(vocabulary + 1, width, vb.pp("known"))?,
            layers: Block::stack(config, config.masked_layers, true, vb)?,
            norm: layer_norm(width, 1e-5, vb.pp("no"))?,
            out: linear(width, vocabulary, vb.pp("out"))?,
            jump: softplus(vb.get((), "jump")?.to_scalar()?),
        }))
    }
}

/// Six numbers for each of the sixteen future frames of plans that are being made: the refiner's and the flow's shape.
struct Frames {
    input: Linear,
    time: Tensor,
    /// From phases of the level to a scale and a shift around every part of a layer.
    level: Mlp,
    layers: Vec<Block>,
    norm: LayerNorm,
    out: Linear,
}

impl Frames {
    fn new(config: &Config, layers: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let width = config.width;
        Ok(Self {
            input: linear(NOISY, width, vb.pp("inp"))?,
            time: vb.get((POINTS, width), "te")?,
            level: Mlp::new([2 * FREQUENCIES, 64, layers * 2 * width], &vb.pp("level"))?,
            layers: Block::stack(config, layers, true, vb)?,
            norm: layer_norm(width, 1e-5, vb.pp("no"))?,
            out: linear(width, CHANNELS, vb.pp("out"))?,
        })
    }

    /// [n, 16, 6] from inputs [n, 16, 93], all at one level.
    fn forward(
        &self,
        memories: &[Option<Memory>],
        inputs: Vec<f32>,
        level: f64,
    ) -> Result<Vec<f32>> {
        let (device, width) = (self.time.device(), self.time.dim(D::Minus1)?);
        let rows = inputs.len() / (POINTS * NOISY);
        let inputs = Tensor::from_vec(inputs, (rows, POINTS, NOISY), device)?;
        let phases = Tensor::from_vec(level_phases(level), (1, 2 * FREQUENCIES), device)?;
        let change = self.level.forward(&phases)?.squeeze(0)?;
        let part = |at: usize| change.narrow(0, at * width, width);
        let mut h = self.input.forward(&inputs)?.broadcast_add(&self.time)?;
        for (at, (layer, memory)) in self.layers.iter().zip(memories).enumerate() {
            let (scale, shift) = (part(2 * at)?, part(2 * at + 1)?);
            h = layer.forward(&h, memory.as_ref(), Some((&scale, &shift)))?;
        }
        self.out
            .forward(&self.norm.forward(&h)?)?
            .flatten_all()?
            .to_vec1()
    }
}

pub(super) struct Network {
    own: Mlp,
    near: Mlp,
    lane: Mlp,
    nothing: Tensor,
    encoder: Vec<Block>,
    encoder_norm: LayerNorm,
    token_input: Linear,
    token_step: Tensor,
    before: Embedding,
    token_layers: Vec<Block>,
    token_norm: LayerNorm,
    token_out: Linear,
    /// Weight of a token's start speed differing from the ego's.
    jump: f32,
    refiner: Frames,
    /// `None` in weights without one.
    flow: Option<Frames>,
    mixture: Option<Mixture>,
    masked: Option<Masked>,
    regress: Mlp,
    anchor: Mlp,
    width: usize,
    /// One thread: products of some fifty rows are too small to share, and take longer on two.
    pool: ThreadPool,
}

impl Network {
    pub(super) fn new(config: &Config, vb: &VarBuilder<'_>) -> Result<Self> {
        let width = config.width;
        let norm = |vb: VarBuilder<'_>| layer_norm(width, 1e-5, vb);
        let (encoder, tokens) = (vb.pp("encoder"), vb.pp("tokens"));
        let frames = |name, layers| Frames::new(config, layers, &vb.pp(name));
        Ok(Self {
            own: Mlp::new([OWN, width, width], &encoder.pp("own"))?,
            near: Mlp::new([NEIGHBOUR, width, width], &encoder.pp("near"))?,
            lane: Mlp::new([LANE, width, width], &encoder.pp("lane"))?,
            nothing: encoder.get((1, 1, width), "null")?.reshape((1, width))?,
            encoder: Block::stack(config, config.encoder_layers, false, &encoder)?,
            encoder_norm: norm(encoder.pp("no"))?,
            token_input: linear(TOKEN, width, tokens.pp("inp"))?,
            token_step: tokens.get((TOKENS, width), "step")?,
            before: embedding(config.vocabulary + 1, width, tokens.pp("before"))?,
            token_layers: Block::stack(config, config.token_layers, true, &tokens)?,
            token_norm: norm(tokens.pp("no"))?,
            token_out: linear(width, config.vocabulary, tokens.pp("out"))?,
            jump: softplus(tokens.get((), "jump")?.to_scalar()?),
            refiner: frames("refiner", config.refiner_layers)?,
            flow: match config.flow_layers {
                0 => None,
                layers => Some(frames("flow", layers)?),
            },
            mixture: Mixture::new(config, &vb.pp("mixture"))?,
            masked: Masked::new(config, &vb.pp("masked"))?,
            regress: Mlp::new([width, width, POINTS * CHANNELS], &vb.pp("regress"))?,
            anchor: Mlp::new([width, width, config.anchors], &vb.pp("anchor"))?,
            width,
            pool: rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .thread_name(|_| "planner network".to_owned())
                .build()
                .map_err(candle_core::Error::wrap)?,
        })
    }

    /// Reads the scene once for a whole proposal.
    pub(super) fn encode(&self, scene: &Surroundings) -> Result<Encoded> {
        self.pool.install(|| {
            let device = self.nothing.device();
            let rows = |mlp: &Mlp, numbers: Vec<f32>, width: usize| -> Result<Option<Tensor>> {
                let count = numbers.len() / width;
                if count == 0 {
                    return Ok(None);
                }
                Ok(Some(mlp.forward(&Tensor::from_vec(
                    numbers,
                    (count, width),
                    device,
                )?)?))
            };
            let parts = [
                rows(&self.own, scene.own_inputs(), OWN)?,
                rows(&self.near, scene.neighbour_inputs(), NEIGHBOUR)?,
                rows(&self.lane, scene.lane_inputs(), LANE)?,
                Some(self.nothing.clone()),
            ];
            let parts: Vec<Tensor> = parts.into_iter().flatten().collect();
            let mut h = Tensor::cat(&parts, 0)?.unsqueeze(0)?; // [1, S, W]
            for layer in &self.encoder {
                h = layer.forward(&h, None, None)?;
            }
            let h = self.encoder_norm.forward(&h)?.squeeze(0)?;
            let memories = |layers: &[Block]| -> Result<Vec<Option<Memory>>> {
                layers.iter().map(|layer| layer.remember(&h)).collect()
            };
            Ok(Encoded {
                ego: h.narrow(0, 0, 1)?,
                tokens: memories(&self.token_layers)?,
                refiner: memories(&self.refiner.layers)?,
                flow: match &self.flow {
                    Some(flow) => memories(&flow.layers)?,
                    None => Vec::new(),
                },
                mixture: match &self.mixture {
                    Some(mixture) => memories(&mixture.layers)?,
                    None => Vec::new(),
                },
                masked: match &self.masked {
                    Some(masked) => memories(&masked.layers)?,
                    None => Vec::new(),
                },
            })
        })
    }

    pub(super) fn begin(&self) -> Decoding {
        Decoding {
            layers: self.token_layers.iter().map(|_| None).collect(),
            count: 0,
        }
    }

    /// Logits [n, m] of the next token after the tokens `before` [n] (m: none yet), from inputs [n, 79].
    /// A token that starts at another speed than the ego has counts less: `mismatch` [n, m], (m/s)².
    pub(super) fn next_token(
        &self,
        encoded: &Encoded,
        decoding: &mut Decoding,
        before: &[u32],
        inputs: Vec<f32>,
        mismatch: impl Fn(usize, usize) -> f32,
    ) -> Result<Vec<Vec<f32>>> {
        let mut logits = self.pool.install(|| -> Result<_> {
            let device = self.nothing.device();
            let rows = before.len();
            let inputs = Tensor::from_vec(inputs, (rows, TOKEN), device)?;
            let before = Tensor::from_slice(before, rows, device)?;
            let step = self.token_step.narrow(0, decoding.count, 1)?;
            let h = (self.token_input.forward(&inputs)? + self.before.forward(&before)?)?;
            let mut h = h.broadcast_add(&step)?.reshape((rows, 1, self.width))?;
            for ((layer, memory), past) in self
                .token_layers
                .iter()
                .zip(&encoded.tokens)
                .zip(&mut decoding.layers)
            {
                h = layer.extend(&h, memory.as_ref(), past)?;
            }
            decoding.count += 1;
            let h = self.token_norm.forward(&h.squeeze(1)?)?;
            self.token_out.forward(&h)?.to_vec2::<f32>()
        })?;
        hold_back(&mut logits, self.jump, mismatch);
        Ok(logits)
    }

    /// Logits [n · 8, m] of n plans whose tokens are `known` [n · 8] (m: masked), from inputs [n, 8, 80]; `mismatch` as in
    /// [`Network::next_token`]. `None` in weights without this decoder.
    pub(super) fn masked(
        &self,
        encoded: &Encoded,
        known: &[u32],
        inputs: Vec<f32>,
        mismatch: impl Fn(usize, usize) -> f32,
    ) -> Result<Option<Vec<Vec<f32>>>> {
        let Some(masked) = &self.masked else {
            return Ok(None);
        };
        let mut logits = self.pool.install(|| -> Result<_> {
            let device = self.nothing.device();
            let rows = known.len() / TOKENS;
            let inputs = Tensor::from_vec(inputs, (rows, TOKENS, MASKED), device)?;
            let known = Tensor::from_slice(known, (rows, TOKENS), device)?;
            let h = (masked.input.forward(&inputs)? + masked.known.forward(&known)?)?;
            let mut h = h.broadcast_add(&masked.step)?;
            for (layer, memory) in masked.layers.iter().zip(&encoded.masked) {
                h = layer.forward(&h, memory.as_ref(), None)?;
            }
            let h = masked.norm.forward(&h)?.flatten(0, 1)?;
            masked.out.forward(&h)?.to_vec2::<f32>()
        })?;
        hold_back(&mut logits, masked.jump, mismatch);
        Ok(Some(logits))
    }

    /// F [n, 16, 6] of noisy plans from inputs [n, 16, 93], all at one noise level.
    pub(super) fn refine(
        &self,
        encoded: &Encoded,
        inputs: Vec<f32>,
        level: f64,
    ) -> Result<Vec<f32>> {
        self.pool
            .install(|| self.refiner.forward(&encoded.refiner, inputs, level))
    }

    /// Velocity [n, 16, 6] in units of the prior's deviation, of plans that have `left` (1 to 0) of their way before them,
    /// from inputs [n, 16, 93]; `None` in weights without a flow.
    pub(super) fn flow(
        &self,
        encoded: &Encoded,
        inputs: Vec<f32>,
        left: f64,
    ) -> Result<Option<Vec<f32>>> {
        let answer = |flow: &Frames| {
            self.pool
                .install(|| flow.forward(&encoded.flow, inputs, left))
        };
        self.flow.as_ref().map(answer).transpose()
    }

    /// The mean future, scaled residuals [16, 6].
    pub(super) fn regression(&self, encoded: &Encoded) -> Result<Vec<f32>> {
        self.pool
            .install(|| self.regress.forward(&encoded.ego)?.flatten_all()?.to_vec1())
    }

    /// Means of the mixture's components, scaled residuals [K, 16, 6], and their weights [K]; `None` in weights
    /// without one.
    pub(super) fn mixture(&self, encoded: &Encoded) -> Result<Option<(Vec<f32>, Vec<f32>)>> {
        let Some(mixture) = &self.mixture else {
            return Ok(None);
        };
        self.pool.install(|| {
            let mut h = mixture.query.broadcast_add(&encoded.ego)?.unsqueeze(0)?; // [1, K, W]
            for (layer, memory) in mixture.layers.iter().zip(&encoded.mixture) {
                h = layer.forward(&h, memory.as_ref(), None)?;
            }
            let out = mixture
                .out
                .forward(&mixture.norm.forward(&h)?)?
                .squeeze(0)?;
            let count = out.dim(0)?;
            let per_point = CHANNELS + 2; // the last two are log deviations of x and y, which no plan needs
            let points = out.narrow(1, 0, POINTS * per_point)?;
            let means = points
                .reshape((count, POINTS, per_point))?
                .narrow(2, 0, CHANNELS)?
                .flatten_all()?
                .to_vec1()?;
            let logits = out.narrow(1, POINTS * per_point, 1)?.flatten_all()?;
            Ok(Some((means, softmax(&logits, D::Minus1)?.to_vec1()?)))
        })
    }

    /// Probabilities of the anchors.
    pub(super) fn anchors(&self, encoded: &Encoded) -> Result<Vec<f32>> {
        self.pool.install(|| {
            softmax(&self.anchor.forward(&encoded.ego)?, D::Minus1)?
                .flatten_all()?
                .to_vec1()
        })
    }
}

fn softplus(x: f32) -> f32 {
    x.exp().ln_1p()
}

/// Takes from the logits [n, m] what tokens lose that start at another speed: `mismatch`, (m/s)².
fn hold_back(logits: &mut [Vec<f32>], jump: f32, mismatch: impl Fn(usize, usize) -> f32) {
    for (row, logits) in logits.iter_mut().enumerate() {
        for (token, logit) in logits.iter_mut().enumerate() {
            *logit -= jump * mismatch(row, token).min(25.0);
        }
    }
}

/// Softmax attention over [.., H, t, d].
fn attend(query: &Tensor, key: &Tensor, value: &Tensor) -> Result<Tensor> {
    let scale = 1.0 / (query.dim(D::Minus1)? as f64).sqrt();
    let logits = (query.matmul(&key.transpose(D::Minus1, D::Minus2)?.contiguous()?)? * scale)?;
    softmax(&logits, D::Minus1)?.matmul(&value.contiguous()?)
}

/// [n, H, t, d] → [n, t, W]
fn joined(x: &Tensor) -> Result<Tensor> {
    let (rows, heads, count, each) = x.dims4()?;
    x.transpose(1, 2)?.reshape((rows, count, heads * each))
}

/// Sine and cosine of 16 frequencies (1 to 64, even in the logarithm) at a noise level, [32].
fn level_phases(level: f64) -> Vec<f32> {
    let phase = |index: usize| {
        let frequency = (64.0_f64.ln() * index as f64 / (FREQUENCIES - 1) as f64).exp();
        level * frequency * std::f64::consts::FRAC_PI_2
    };
    let sines = (0..FREQUENCIES).map(|index| phase(index).sin() as f32);
    let cosines = (0..FREQUENCIES).map(|index| phase(index).cos() as f32);
    sines.chain(cosines).collect()
}
