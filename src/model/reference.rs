//! The network in plain candle operations: the definition that the fast path is tested against.
//!
//! Module names are tensor names of the weights file. Axes: S samples, A agents, N = S · A rows, T tokens, W width,
//! H heads, K lane pieces, R = 32 relation numbers.

use candle_core::{D, DType, Device, IndexOp as _, Result, Tensor};
use candle_nn::{LayerNorm, Linear, Module as _, VarBuilder, layer_norm, linear, ops::softmax};

use super::layers::{Mlp, builder, normalised};
use super::weights::{Config, Weights};
use crate::codec::T;

/// Added to the logits of what may not be attended to.
const FAR: f32 = -1e4;

/// Noise levels are looked up on a grid of 1/64.
pub(super) const LEVELS: usize = 64;

/// Numbers of an encoded relation.
pub(super) const RELATION_WIDTH: usize = 32;

/// Relation values per head.
pub(super) const RELATION_VALUES: usize = 8;

/// What enters: as tensors on one device.
pub(super) struct Inputs {
    /// [N, T, F], zero where invalid.
    pub(super) features: Tensor,
    /// Level indices [N, T], u32, 0 to 64.
    pub(super) levels: Tensor,
    /// [N, K, lane features]
    pub(super) lanes: Tensor,
    /// [S · T, A, A, 11]
    pub(super) relations: Tensor,
    /// [N, T], 1 where valid, else 0.
    pub(super) valid: Tensor,
    /// S and A.
    pub(super) shape: (usize, usize),
}

struct Layer {
    width: usize,
    heads: usize,
    modulation: Linear,
    map_query: Linear,
    map_key_value: Linear,
    map_out: Linear,
    time: Linear,
    time_out: Linear,
    time_bias: Tensor,
    agents: Linear,
    agents_out: Linear,
    relation_bias: Linear,
    relation_value: Tensor,
    mlp: Mlp,
}

impl Layer {
    fn new(config: &Config, vb: &VarBuilder<'_>) -> Result<Self> {
        let (width, heads) = (config.width, config.heads);
        Ok(Self {
            width,
            heads,
            modulation: linear(64, 4 * width, vb.pp("mod"))?,
            map_query: linear(width, width, vb.pp("mq"))?,
            map_key_value: linear(width, 2 * width, vb.pp("mkv"))?,
            map_out: linear(width, width, vb.pp("mo"))?,
            time: linear(width, 3 * width, vb.pp("tq"))?,
            time_out: linear(width, width, vb.pp("t_o"))?,
            time_bias: vb.get((heads, T, T), "tb")?,
            agents: linear(width, 3 * width, vb.pp("sq"))?,
            agents_out: linear(width + heads * RELATION_VALUES, width, vb.pp("so"))?,
            relation_bias: linear(RELATION_WIDTH, heads, vb.pp("rb"))?,
            relation_value: vb.get((heads * RELATION_VALUES, RELATION_WIDTH), "rv.weight")?,
            mlp: Mlp::new([width, config.hidden, width], &vb.pp("ff"))?,
        })
    }

    /// [N, n, part · W] → `part` tensors [N, H, n, W / H].
    fn split(&self, x: &Tensor, parts: usize) -> Result<Vec<Tensor>> {
        let (rows, count, _) = x.dims3()?;
        let each = self.width / self.heads;
        let x = x.reshape((rows, count, parts, self.heads, each))?;
        (0..parts)
            .map(|part| x.i((.., .., part))?.transpose(1, 2)?.contiguous())
            .collect()
    }

    /// [.., n, d] attention, returning values and weights.
    fn attend(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        bias: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let scale = 1.0 / ((self.width / self.heads) as f64).sqrt();
        let logits = (query.matmul(&key.transpose(D::Minus1, D::Minus2)?.contiguous()?)? * scale)?;
        let weights = softmax(&logits.broadcast_add(bias)?, D::Minus1)?;
        Ok((weights.matmul(value)?, weights))
    }

    fn forward(&self, h: &Tensor, inputs: &Inputs, shared: &Shared) -> Result<Tensor> {
        let (rows, width, heads) = (h.dim(0)?, self.width, self.heads);
        let (samples, agents) = inputs.shape;
        let table = self.modulation.forward(&shared.levels)?; // [65, 4W]
        let modulation = table
            .index_select(&inputs.levels.flatten_all()?, 0)?
            .reshape((rows, T, 4 * width))?;
        let part = |index: usize| modulation.narrow(D::Minus1, index * width, width);

        let query = self.split(&self.map_query.forward(&normalised(h)?)?, 1)?;
        let key_value = self.split(&self.map_key_value.forward(&shared.lanes)?, 2)?;
        let none = Tensor::zeros((1, 1, 1, 1), DType::F32, h.device())?;
        let (read, _) = self.attend(&query[0], &key_value[0], &key_value[1], &none)?;
        let read = read.transpose(1, 2)?.reshape((rows, T, width))?;
        let h = (h + self.map_out.forward(&read)?)?;

        let x = modulated(&normalised(&h)?, &part(0)?, &part(1)?)?;
        let qkv = self.split(&self.time.forward(&x)?, 3)?;
        let bias = shared
            .time_mask
            .broadcast_add(&self.time_bias.unsqueeze(0)?)?;
        let (read, _) = self.attend(&qkv[0], &qkv[1], &qkv[2], &bias)?;
        let read = read.transpose(1, 2)?.reshape((rows, T, width))?;
        let h = (h + self.time_out.forward(&read)?)?;

        // [N, T, 3W] → [S · T, A, 3W]
        let x = self.agents.forward(&normalised(&h)?)?;
        let x = x
            .reshape((samples, agents, T, 3 * width))?
            .transpose(1, 2)?
            .reshape((samples * T, agents, 3 * width))?;
        let qkv = self.split(&x, 3)?;
        let bias = self.relation_bias.forward(&shared.relations)?; // [S · T, A, A, H]
        let bias = bias
            .permute((0, 3, 1, 2))?
            .broadcast_add(&shared.agent_mask)?;
        let (read, weights) = self.attend(&qkv[0], &qkv[1], &qkv[2], &bias.contiguous()?)?;
        let read = read.transpose(1, 2)?.reshape((samples, T, agents, width))?;
        // Σ_j weight_ij relation_ij, then per head through its own 8 rows of rv
        let weights = weights.transpose(1, 2)?.contiguous()?; // [S · T, A, H, A]
        let seen = weights.matmul(&shared.relations)?; // [S · T, A, H, R]
        let values = (0..heads)
            .map(|head| {
                let rows =
                    self.relation_value
                        .narrow(0, head * RELATION_VALUES, RELATION_VALUES)?;
                let seen = seen.i((.., .., head))?.contiguous()?;
                seen.broadcast_matmul(&rows.t()?.contiguous()?.unsqueeze(0)?)
            })
            .collect::<Result<Vec<Tensor>>>()?;
        let values = Tensor::cat(&values, D::Minus1)?;
        let values = values.reshape((samples, T, agents, heads * RELATION_VALUES))?;
        let read = Tensor::cat(&[read, values], D::Minus1)?
            .transpose(1, 2)?
            .reshape((rows, T, width + heads * RELATION_VALUES))?;
        let h = (h + self.agents_out.forward(&read)?)?;

        let x = modulated(&normalised(&h)?, &part(2)?, &part(3)?)?;
        h + self.mlp.forward(&x)?
    }
}

/// What all layers read.
struct Shared {
    /// [65, 64]
    levels: Tensor,
    /// [N, K + 1, W]
    lanes: Tensor,
    /// [S · T, A, A, R]
    relations: Tensor,
    /// [N, 1, 1, T]
    time_mask: Tensor,
    /// [S · T, 1, 1, A]
    agent_mask: Tensor,
}

/// The network.
pub(super) struct Reference {
    input: Linear,
    token_time: Tensor,
    level_table: Mlp,
    lane: Mlp,
    no_lane: Tensor,
    relation: Mlp,
    layers: Vec<Layer>,
    out_norm: LayerNorm,
    out: Linear,
}

impl Reference {
    pub(super) fn new(weights: &Weights, device: &Device) -> Result<Self> {
        let vb = builder(&weights.contents, device)?;
        let config = &weights.config;
        let width = config.width;
        Ok(Self {
            input: linear(config.token_features(), width, vb.pp("inp"))?,
            token_time: vb.get((T, width), "te")?,
            level_table: Mlp::new([32, 64, 64], &vb.pp("ctab"))?,
            lane: Mlp::new([config.lane_features(), width, width], &vb.pp("lane"))?,
            no_lane: vb.get((1, 1, width), "null")?,
            relation: Mlp::new(
                [super::features::RELATION, RELATION_WIDTH, RELATION_WIDTH],
                &vb.pp("rel"),
            )?,
            layers: (0..config.layers)
                .map(|layer| Layer::new(config, &vb.pp("layers").pp(layer)))
                .collect::<Result<_>>()?,
            out_norm: layer_norm(width, 1e-5, vb.pp("no"))?,
            out: linear(width, 6, vb.pp("out"))?,
        })
    }

    /// F [N, T, 6].
    pub(super) fn forward(&self, inputs: &Inputs) -> Result<Tensor> {
        let device = inputs.features.device();
        let (samples, agents) = inputs.shape;
        let rows = samples * agents;
        let phases = Tensor::from_vec(level_phases(), (LEVELS + 1, 32), device)?;
        let none = self.no_lane.broadcast_as((rows, 1, self.no_lane.dim(2)?))?;
        let lanes = if inputs.lanes.dim(1)? == 0 {
            none.contiguous()?
        } else {
            Tensor::cat(&[self.lane.forward(&inputs.lanes)?, none.contiguous()?], 1)?
        };
        let relations = self.relation.forward(&inputs.relations)?;
        let mask = ((1.0 - &inputs.valid)? * f64::from(FAR))?; // [N, T]
        let agent_mask = mask
            .reshape((samples, agents, T))?
            .transpose(1, 2)?
            .reshape((samples * T, 1, 1, agents))?;
        let shared = Shared {
            levels: self.level_table.forward(&phases)?,
            lanes,
            relations,
            time_mask: mask.reshape((rows, 1, 1, T))?,
            agent_mask,
        };
        let mut h = self
            .input
            .forward(&inputs.features)?
            .broadcast_add(&self.token_time)?;
        for layer in &self.layers {
            h = layer.forward(&h, inputs, &shared)?;
        }
        self.out.forward(&self.out_norm.forward(&h)?)
    }
}

fn modulated(x: &Tensor, gain: &Tensor, offset: &Tensor) -> Result<Tensor> {
    (x * (gain + 1.0)?)? + offset
}

/// Sine and cosine of 16 frequencies (1 to 64, even in the logarithm) at every level of the grid, [65, 32].
pub(super) fn level_phases() -> Vec<f32> {
    let mut phases = Vec::with_capacity((LEVELS + 1) * 32);
    for level in 0..=LEVELS {
        let phase = |index: u32| {
            let frequency = (64.0_f64.ln() * f64::from(index) / 15.0).exp();
            level as f64 / LEVELS as f64 * frequency * std::f64::consts::FRAC_PI_2
        };
        phases.extend((0..16).map(|index| phase(index).sin() as f32));
        phases.extend((0..16).map(|index| phase(index).cos() as f32));
    }
    phases
}

/// The row of the level table for a level in [0, 1]: nearest of 64, ties to even.
pub(super) fn level_index(level: f32) -> u8 {
    (level * LEVELS as f32)
        .round_ties_even()
        .clamp(0.0, LEVELS as f32) as u8
}
