//! The network on the CPU: merged products, fused elementwise work, cached map keys; the same numbers as
//! `reference`, several times faster.
//!
//! A step is a few parallel passes over blocks of agents and over tokens. Blocks are of fixed size, so results do not
//! depend on the number of threads. Weights that multiply to a constant are multiplied once, at loading: the AdaLN
//! table over its 65 levels, the relation values into the output of the spatial attention, 1/√d into the queries.

use rayon::prelude::*;

use super::attention::{Attend, RelatedAttend, pad_heads};
use super::context::{Context, LANES};
use super::features::{Column, Place, RELATION, relations};
use super::kernels::{Modulation, dispatch, gelu_rows, normalise_rows};
use super::linalg::{Dense, Target, View, product};
use super::profile::{Part, Profile, timed};
use super::reference::{LEVELS, RELATION_VALUES, RELATION_WIDTH, level_phases};
use super::weights::{Config, Weights, WeightsError};
use crate::codec::{CHANNELS, T};

/// Agents a task works on at once.
pub(super) const BLOCK_AGENTS: usize = 4;

/// Logit rows over the 21 tokens of an agent are this long.
const TOKEN_COLUMNS: usize = 32;

/// Added to the logits of what may not be attended to.
const FAR: f32 = -1e4;

/// Added to the logits of padding.
const NEVER: f32 = -1e30;

#[derive(Debug)]
struct Layer {
    /// [65, 4W]: gain less one and offset for time, then for the MLP.
    modulation: Vec<f32>,
    map_query: Dense,
    map_key: Dense,
    map_value: Dense,
    map_out: Dense,
    time_query_value: Dense,
    time_key: Dense,
    time_out: Dense,
    /// [H, T, 32]
    time_bias: Vec<f32>,
    agents: Dense,
    /// From [values W, seen relations H · 32].
    agents_out: Dense,
    first: Dense,
    second: Dense,
}

/// The network's weights, laid out for speed.
#[derive(Debug)]
pub(super) struct Fast {
    pub(super) config: Config,
    input: Dense,
    token_time: Vec<f32>,
    lane: [Dense; 2],
    no_lane: Vec<f32>,
    relation: [Dense; 2],
    /// From an encoded relation to the biases of all layers and heads, [32, layers · H].
    relation_bias: Dense,
    layers: Vec<Layer>,
    out_norm: [Vec<f32>; 2],
    out: Dense,
}

/// Keys and values of the map for one job, per layer.
#[derive(Debug)]
pub(super) struct MapMemory {
    columns: usize,
    count: usize,
    /// Per layer [A, W, columns].
    keys: Vec<Vec<f32>>,
    /// Per layer [A, count, W].
    values: Vec<Vec<f32>>,
    /// [columns]: 0, then [`NEVER`] on padding.
    mask: Vec<f32>,
}

/// What a step reads beside the weights.
pub(super) struct StepInputs<'a> {
    pub(super) context: &'a Context,
    pub(super) memory: &'a MapMemory,
    pub(super) samples: usize,
    /// [N, T, F]
    pub(super) features: &'a [f32],
    /// [N, T]
    pub(super) places: &'a [Place],
    /// Rows of the level table [A, T].
    pub(super) levels: &'a [u8],
    pub(super) profile: Option<&'a Profile>,
}

fn dense(
    weights: &Weights,
    name: &str,
    outputs: usize,
    inputs: usize,
) -> Result<Dense, WeightsError> {
    let weight = weights.get(&format!("{name}.weight"), &[outputs, inputs])?;
    let bias = weights.get(&format!("{name}.bias"), &[outputs])?;
    Ok(Dense::new(outputs, inputs, weight, bias))
}

impl Layer {
    fn new(weights: &Weights, index: usize, level_table: &[f32]) -> Result<Self, WeightsError> {
        let Config {
            width,
            heads,
            hidden,
            ..
        } = weights.config;
        let name = |part: &str| format!("layers.{index}.{part}");
        let scale = 1.0 / ((width / heads) as f32).sqrt();
        let scaled = |mut layer: Dense| {
            for number in layer.weight.iter_mut().chain(&mut layer.bias) {
                *number *= scale;
            }
            layer
        };
        let tall = |part: &str, outputs: usize| -> Result<(&[f32], &[f32]), WeightsError> {
            let weight = weights.get(&format!("{}.weight", name(part)), &[outputs, width])?;
            let bias = weights.get(&format!("{}.bias", name(part)), &[outputs])?;
            Ok((weight, bias))
        };
        // rows `from..from + width` of a tall matrix as a layer of its own
        let rows = |(weight, bias): (&[f32], &[f32]), from: usize| {
            let weight = &weight[from * width..(from + width) * width];
            Dense::new(width, width, weight, &bias[from..from + width])
        };
        let modulation = dense(weights, &name("mod"), 4 * width, 64)?;
        let mut table = vec![0.0; (LEVELS + 1) * 4 * width];
        modulation.apply(level_table, &mut table);
        let map = tall("mkv", 2 * width)?;
        let time = tall("tq", 3 * width)?;
        let query = scaled(rows(time, 0));
        let value = rows(time, 2 * width);
        let agents = tall("sq", 3 * width)?;
        let mut agents_all = Dense::new(3 * width, width, agents.0, agents.1);
        for row in agents_all.weight.chunks_exact_mut(3 * width) {
            row[..width].iter_mut().for_each(|number| *number *= scale);
        }
        agents_all.bias[..width]
            .iter_mut()
            .for_each(|number| *number *= scale);
        let bias = weights.get(&name("tb"), &[heads, T, T])?;
        let mut time_bias = vec![0.0; heads * T * TOKEN_COLUMNS];
        for (to, from) in time_bias
            .chunks_exact_mut(TOKEN_COLUMNS)
            .zip(bias.chunks_exact(T))
        {
            to[..T].copy_from_slice(from);
        }
        Ok(Self {
            modulation: table,
            map_query: scaled(dense(weights, &name("mq"), width, width)?),
            map_key: rows(map, 0),
            map_value: rows(map, width),
            map_out: dense(weights, &name("mo"), width, width)?,
            time_query_value: side_by_side(&query, &value),
            time_key: rows(time, width),
            time_out: dense(weights, &name("t_o"), width, width)?,
            time_bias,
            agents: agents_all,
            agents_out: with_relation_values(weights, &name("so"), &name("rv.weight"))?,
            first: dense(weights, &name("ff.0"), hidden, width)?,
            second: dense(weights, &name("ff.2"), width, hidden)?,
        })
    }
}

/// One layer that gives the outputs of both.
fn side_by_side(left: &Dense, right: &Dense) -> Dense {
    let outputs = left.outputs + right.outputs;
    let rows = left
        .weight
        .chunks_exact(left.outputs)
        .zip(right.weight.chunks_exact(right.outputs));
    Dense {
        inputs: left.inputs,
        outputs,
        weight: rows
            .flat_map(|(left, right)| left.iter().chain(right))
            .copied()
            .collect(),
        bias: left.bias.iter().chain(&right.bias).copied().collect(),
    }
}

/// `so` with `rv` multiplied in: out = so [values, rv_h · seen_h] = so_values · values + Σ_h (so_h · rv_h) · seen_h.
fn with_relation_values(weights: &Weights, so: &str, rv: &str) -> Result<Dense, WeightsError> {
    let Config { width, heads, .. } = weights.config;
    let short = width + heads * RELATION_VALUES;
    let original = dense(weights, so, width, short)?;
    let values = weights.get(rv, &[heads * RELATION_VALUES, RELATION_WIDTH])?;
    let mut weight = original.weight[..width * width].to_vec();
    for head in 0..heads {
        for number in 0..RELATION_WIDTH {
            for output in 0..width {
                let sum: f64 = (0..RELATION_VALUES)
                    .map(|value| {
                        let row = head * RELATION_VALUES + value;
                        let so = original.weight[(width + row) * width + output];
                        f64::from(so) * f64::from(values[row * RELATION_WIDTH + number])
                    })
                    .sum();
                weight.push(sum as f32);
            }
        }
    }
    Ok(Dense {
        inputs: width + heads * RELATION_WIDTH,
        outputs: width,
        weight,
        bias: original.bias,
    })
}

impl Fast {
    pub(super) fn new(weights: &Weights) -> Result<Self, WeightsError> {
        let config = weights.config;
        let Config { width, heads, .. } = config;
        let mut hidden = vec![0.0; (LEVELS + 1) * 64];
        let first = dense(weights, "ctab.0", 64, 32)?;
        first.product(&level_phases(), &mut hidden);
        gelu_rows(&mut hidden, &first.bias);
        let mut level_table = vec![0.0; (LEVELS + 1) * 64];
        dense(weights, "ctab.2", 64, 64)?.apply(&hidden, &mut level_table);
        let layers: Vec<Layer> = (0..config.layers)
            .map(|index| Layer::new(weights, index, &level_table))
            .collect::<Result<_, _>>()?;
        let mut relation_bias: Option<Dense> = None;
        for index in 0..config.layers {
            let one = dense(
                weights,
                &format!("layers.{index}.rb"),
                heads,
                RELATION_WIDTH,
            )?;
            relation_bias = Some(match relation_bias {
                None => one,
                Some(all) => side_by_side(&all, &one),
            });
        }
        Ok(Self {
            config,
            input: dense(weights, "inp", width, config.token_features())?,
            token_time: weights.get("te", &[T, width])?.to_vec(),
            lane: [
                dense(weights, "lane.0", width, config.lane_features())?,
                dense(weights, "lane.2", width, width)?,
            ],
            no_lane: weights.get("null", &[1, 1, width])?.to_vec(),
            relation: [
                dense(weights, "rel.0", RELATION_WIDTH, RELATION)?,
                dense(weights, "rel.2", RELATION_WIDTH, RELATION_WIDTH)?,
            ],
            relation_bias: relation_bias
                .ok_or_else(|| WeightsError::Config("no layers".to_owned()))?,
            layers,
            out_norm: [
                weights.get("no.weight", &[width])?.to_vec(),
                weights.get("no.bias", &[width])?.to_vec(),
            ],
            out: dense(weights, "out", CHANNELS, width)?,
        })
    }

    /// Keys and values of the lane pieces near each agent and of "no lane", for all layers.
    pub(super) fn remember_map(&self, context: &Context) -> MapMemory {
        self.encode_lanes(&context.lanes, context.agents.len(), context.near)
    }

    /// As [`Fast::remember_map`]; agents with an entry in `unchanged` take that row of `earlier`, only the others are
    /// encoded.
    pub(super) fn remember_changes(
        &self,
        context: &Context,
        earlier: &MapMemory,
        unchanged: &[Option<usize>],
    ) -> MapMemory {
        let per_agent = context.lanes.len() / context.agents.len().max(1);
        let changed: Vec<usize> = (0..unchanged.len())
            .filter(|&row| unchanged[row].is_none())
            .collect();
        let lanes: Vec<f32> = changed
            .iter()
            .flat_map(|row| &context.lanes[row * per_agent..(row + 1) * per_agent])
            .copied()
            .collect();
        let mut memory = self.encode_lanes(&lanes, changed.len(), context.near);
        let width = self.config.width;
        let assembled = |fresh: &[f32], earlier: &[f32], size: usize| -> Vec<f32> {
            let mut all = Vec::with_capacity(unchanged.len() * size);
            let mut fresh = fresh.chunks_exact(size);
            for from in unchanged {
                match from {
                    Some(row) => all.extend_from_slice(&earlier[row * size..(row + 1) * size]),
                    None => all.extend_from_slice(fresh.next().unwrap_or_default()),
                }
            }
            all
        };
        let (per_key, per_value) = (width * memory.columns, memory.count * width);
        for layer in 0..self.layers.len() {
            memory.keys[layer] = assembled(&memory.keys[layer], &earlier.keys[layer], per_key);
            memory.values[layer] =
                assembled(&memory.values[layer], &earlier.values[layer], per_value);
        }
        memory
    }

    /// Keys and values of `lanes` [A, near, lane features].
    fn encode_lanes(&self, lanes: &[f32], agents: usize, near: usize) -> MapMemory {
        let width = self.config.width;
        let count = near + 1;
        let columns = count.next_multiple_of(LANES);
        let mut hidden = vec![0.0; agents * near * width];
        self.lane[0].product(lanes, &mut hidden);
        gelu_rows(&mut hidden, &self.lane[0].bias);
        let mut encoded = vec![0.0; agents * near * width];
        self.lane[1].apply(&hidden, &mut encoded);
        let mut tokens = Vec::with_capacity(agents * count * width);
        for agent in 0..agents {
            tokens.extend_from_slice(&encoded[agent * near * width..(agent + 1) * near * width]);
            tokens.extend_from_slice(&self.no_lane);
        }
        let mut memory = MapMemory {
            columns,
            count,
            keys: Vec::new(),
            values: Vec::new(),
            mask: (0..columns)
                .map(|column| if column < count { 0.0 } else { NEVER })
                .collect(),
        };
        for layer in &self.layers {
            let mut key = vec![0.0; tokens.len()];
            layer.map_key.apply(&tokens, &mut key);
            let mut turned = vec![0.0; agents * width * columns];
            for (to, from) in turned
                .chunks_exact_mut(width * columns)
                .zip(key.chunks_exact(count * width))
            {
                for (column, row) in from.chunks_exact(width).enumerate() {
                    for (at, number) in row.iter().enumerate() {
                        to[at * columns + column] = *number;
                    }
                }
            }
            let mut value = vec![0.0; tokens.len()];
            layer.map_value.apply(&tokens, &mut value);
            memory.keys.push(turned);
            memory.values.push(value);
        }
        memory
    }

    /// F [N, T, 6], on the current pool.
    pub(super) fn forward(&self, inputs: &StepInputs<'_>) -> Vec<f32> {
        let width = self.config.width;
        let rows = inputs.samples * inputs.context.agents.len();
        let block = BLOCK_AGENTS * T;
        let encoded = self.encode_relations(inputs);
        let mut h = vec![0.0; rows * T * width];
        let mut together = vec![0.0; rows * T * 3 * width];
        let mut out = vec![0.0; rows * T * CHANNELS];
        let features = self.input.inputs;
        h.par_chunks_mut(block * width)
            .zip(together.par_chunks_mut(block * 3 * width))
            .zip(inputs.features.par_chunks(block * features))
            .enumerate()
            .for_each_init(
                Scratch::default,
                |scratch, (index, ((h, together), features))| {
                    timed(inputs.profile, Part::Matmul, || {
                        self.input.apply(features, h);
                    });
                    for row in h.chunks_exact_mut(T * width) {
                        for (value, time) in row.iter_mut().zip(&self.token_time) {
                            *value += time;
                        }
                    }
                    self.before_agents(
                        At {
                            layer: 0,
                            block: index,
                        },
                        inputs,
                        h,
                        together,
                        scratch,
                    );
                },
            );
        for layer in 0..self.layers.len() {
            let seen = self.attend_agents(layer, inputs, &encoded, &together);
            h.par_chunks_mut(block * width)
                .zip(together.par_chunks_mut(block * 3 * width))
                .zip(out.par_chunks_mut(block * CHANNELS))
                .enumerate()
                .for_each_init(
                    Scratch::default,
                    |scratch, (index, ((h, together), out))| {
                        self.after_agents(
                            At {
                                layer,
                                block: index,
                            },
                            inputs,
                            h,
                            &seen,
                            scratch,
                        );
                        if layer + 1 < self.layers.len() {
                            self.before_agents(
                                At {
                                    layer: layer + 1,
                                    block: index,
                                },
                                inputs,
                                h,
                                together,
                                scratch,
                            );
                        } else {
                            self.finish(inputs, h, out, scratch);
                        }
                    },
                );
        }
        out
    }

    fn finish(&self, inputs: &StepInputs<'_>, h: &[f32], out: &mut [f32], scratch: &mut Scratch) {
        let [gain, offset] = &self.out_norm;
        let x = sized(&mut scratch.x, h.len());
        timed(inputs.profile, Part::Elementwise, || {
            normalise_rows(h, x, self.config.width, Modulation::Shared(gain, offset));
        });
        timed(inputs.profile, Part::Matmul, || self.out.apply(x, out));
    }

    /// Level table rows of a block of agents, [R].
    fn block_levels<'a>(
        &self,
        index: usize,
        inputs: &StepInputs<'a>,
        scratch: &mut Vec<u8>,
        rows: usize,
    ) {
        let agents = inputs.context.agents.len();
        scratch.clear();
        for offset in 0..rows / T {
            let agent = (index * BLOCK_AGENTS + offset) % agents;
            scratch.extend_from_slice(&inputs.levels[agent * T..(agent + 1) * T]);
        }
    }

    /// Map and temporal attention of a block of agents, and its queries, keys and values for the spatial one.
    fn before_agents(
        &self,
        At {
            layer,
            block: index,
        }: At,
        inputs: &StepInputs<'_>,
        h: &mut [f32],
        together: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (width, heads) = (self.config.width, self.config.heads);
        let this = &self.layers[layer];
        let rows = h.len() / width;
        let agents = inputs.context.agents.len();
        let profile = inputs.profile;
        self.block_levels(index, inputs, &mut scratch.levels, rows);
        let agent_of = |offset: usize| (index * BLOCK_AGENTS + offset) % agents;
        let x = sized(&mut scratch.x, rows * width);
        let read = sized(&mut scratch.read, rows * width);

        timed(profile, Part::Elementwise, || {
            normalise_rows(h, x, width, Modulation::None);
        });
        let query = sized(&mut scratch.wide, rows * 2 * width);
        timed(profile, Part::Matmul, || {
            this.map_query.apply(x, &mut query[..rows * width]);
        });
        timed(profile, Part::Attention, || {
            let memory = inputs.memory;
            let per_key = width * memory.columns;
            let per_value = memory.count * width;
            for offset in 0..rows / T {
                let agent = agent_of(offset);
                dispatch(Attend {
                    heads,
                    width,
                    queries: T,
                    keys: memory.count,
                    columns: memory.columns,
                    query: (&query[offset * T * width..], width),
                    key: (
                        &memory.keys[layer][agent * per_key..(agent + 1) * per_key],
                        memory.columns,
                    ),
                    value: (
                        &memory.values[layer][agent * per_value..(agent + 1) * per_value],
                        width,
                    ),
                    bias: None,
                    mask: &memory.mask,
                    out: &mut read[offset * T * width..(offset + 1) * T * width],
                });
            }
        });
        timed(profile, Part::Matmul, || this.map_out.add(read, h));

        timed(profile, Part::Elementwise, || {
            let modulation = Modulation::Table(&this.modulation, &scratch.levels, 0);
            normalise_rows(h, x, width, modulation);
        });
        // keys are computed turned, [W, R], with room for a last agent's padding
        let columns = rows + TOKEN_COLUMNS;
        let key = sized(&mut scratch.key, width * columns);
        timed(profile, Part::Matmul, || {
            this.time_query_value.apply(x, query);
            for (row, bias) in key.chunks_exact_mut(columns).zip(&this.time_key.bias) {
                row.fill(*bias);
            }
            let target = Target {
                data: key,
                row: 1,
                column: columns,
            };
            let left = View::rows(x, width);
            let right = View::rows(&this.time_key.weight, width);
            product([rows, width, width], target, left, right, true);
        });
        timed(profile, Part::Attention, || {
            for offset in 0..rows / T {
                let agent = &inputs.context.agents[agent_of(offset)];
                let mask: [f32; TOKEN_COLUMNS] = std::array::from_fn(|token| match token {
                    0..T if agent.is_valid(token) => 0.0,
                    0..T => FAR,
                    _ => NEVER,
                });
                let from = offset * T * 2 * width;
                dispatch(Attend {
                    heads,
                    width,
                    queries: T,
                    keys: T,
                    columns: TOKEN_COLUMNS,
                    query: (&query[from..], 2 * width),
                    key: (&key[offset * T..], columns),
                    value: (&query[from + width..], 2 * width),
                    bias: Some(&this.time_bias),
                    mask: &mask,
                    out: &mut read[offset * T * width..(offset + 1) * T * width],
                });
            }
        });
        timed(profile, Part::Matmul, || this.time_out.add(read, h));

        timed(profile, Part::Elementwise, || {
            normalise_rows(h, x, width, Modulation::None);
        });
        timed(profile, Part::Matmul, || this.agents.apply(x, together));
    }

    /// The rest of a layer after the spatial attention: its output and the MLP.
    fn after_agents(
        &self,
        At {
            layer,
            block: index,
        }: At,
        inputs: &StepInputs<'_>,
        h: &mut [f32],
        seen: &[f32],
        scratch: &mut Scratch,
    ) {
        let width = self.config.width;
        let this = &self.layers[layer];
        let rows = h.len() / width;
        let agents = inputs.context.agents.len();
        let seen_width = this.agents_out.inputs;
        let profile = inputs.profile;
        self.block_levels(index, inputs, &mut scratch.levels, rows);
        let gathered = sized(&mut scratch.wide, rows * seen_width);
        timed(profile, Part::Copies, || {
            for (at, to) in gathered.chunks_exact_mut(seen_width).enumerate() {
                let (row, token) = (index * BLOCK_AGENTS + at / T, at % T);
                let (sample, agent) = (row / agents, row % agents);
                let from = ((sample * T + token) * agents + agent) * seen_width;
                to.copy_from_slice(&seen[from..from + seen_width]);
            }
        });
        timed(profile, Part::Matmul, || this.agents_out.add(gathered, h));
        let x = sized(&mut scratch.x, rows * width);
        timed(profile, Part::Elementwise, || {
            let modulation = Modulation::Table(&this.modulation, &scratch.levels, 2 * width);
            normalise_rows(h, x, width, modulation);
        });
        let hidden = sized(&mut scratch.hidden, rows * this.first.outputs);
        timed(profile, Part::Matmul, || this.first.product(x, hidden));
        timed(profile, Part::Elementwise, || {
            gelu_rows(hidden, &this.first.bias);
        });
        timed(profile, Part::Matmul, || this.second.add(hidden, h));
    }

    /// Values and seen relations of the spatial attention, [S · T, A, W + H · 32].
    fn attend_agents(
        &self,
        layer: usize,
        inputs: &StepInputs<'_>,
        encoded: &Relations,
        together: &[f32],
    ) -> Vec<f32> {
        let (width, heads) = (self.config.width, self.config.heads);
        let agents = inputs.context.agents.len();
        let seen_width = width + heads * RELATION_WIDTH;
        let padded = agents.next_multiple_of(LANES);
        let mut seen = vec![0.0; inputs.samples * T * agents * seen_width];
        let plane = agents * padded;
        seen.par_chunks_mut(agents * seen_width)
            .enumerate()
            .for_each_init(Scratch::default, |scratch, (at, seen)| {
                let (sample, token) = (at / T, at % T);
                let stride = T * 3 * width;
                let from = (sample * agents * T + token) * 3 * width;
                let key = sized(&mut scratch.key, width * padded);
                timed(inputs.profile, Part::Copies, || {
                    let keys = &together[from + width..];
                    pad_heads(keys, stride, agents, width, padded, key);
                });
                timed(inputs.profile, Part::Attention, || {
                    let mask = sized(&mut scratch.mask, padded);
                    for (agent, mask) in mask.iter_mut().enumerate() {
                        *mask = match inputs.context.agents.get(agent) {
                            None => NEVER,
                            Some(agent) if agent.is_valid(token) => 0.0,
                            Some(_) => FAR,
                        };
                    }
                    let bias_from = (at * self.layers.len() + layer) * heads * plane;
                    dispatch(RelatedAttend {
                        attend: Attend {
                            heads,
                            width,
                            queries: agents,
                            keys: agents,
                            columns: padded,
                            query: (&together[from..], stride),
                            key: (key, padded),
                            value: (&together[from + 2 * width..], stride),
                            bias: Some(&encoded.bias[bias_from..bias_from + heads * plane]),
                            mask,
                            out: seen,
                        },
                        out_stride: seen_width,
                        relations: &encoded.relations
                            [at * plane * RELATION_WIDTH..(at + 1) * plane * RELATION_WIDTH],
                    });
                });
            });
        seen
    }

    /// Encoded relations of all pairs at all tokens, and the biases they give in each layer.
    fn encode_relations(&self, inputs: &StepInputs<'_>) -> Relations {
        let agents = inputs.context.agents.len();
        let padded = agents.next_multiple_of(LANES);
        let plane = agents * padded;
        let tasks = inputs.samples * T;
        let biases = self.relation_bias.outputs;
        let mut all = Relations {
            relations: vec![0.0; tasks * plane * RELATION_WIDTH],
            bias: vec![0.0; tasks * biases * plane],
        };
        all.relations
            .par_chunks_mut((plane * RELATION_WIDTH).max(1))
            .zip(all.bias.par_chunks_mut((biases * plane).max(1)))
            .enumerate()
            .for_each_init(Scratch::default, |scratch, (at, (encoded, bias))| {
                let (sample, token) = (at / T, at % T);
                let raw = sized(&mut scratch.wide, RELATION * plane);
                timed(inputs.profile, Part::Features, || {
                    let column = &mut scratch.column;
                    column.fill(&inputs.context.agents, |agent| {
                        inputs.places[(sample * agents + agent) * T + token]
                    });
                    relations(column, agents, raw);
                });
                let hidden = sized(&mut scratch.hidden, plane * RELATION_WIDTH);
                let [first, second] = &self.relation;
                timed(inputs.profile, Part::Matmul, || {
                    let left = View {
                        data: raw,
                        row: 1,
                        column: plane,
                    };
                    let target = Target {
                        data: hidden,
                        row: RELATION_WIDTH,
                        column: 1,
                    };
                    let right = View::rows(&first.weight, RELATION_WIDTH);
                    product(
                        [plane, RELATION_WIDTH, RELATION],
                        target,
                        left,
                        right,
                        false,
                    );
                });
                timed(inputs.profile, Part::Elementwise, || {
                    gelu_rows(hidden, &first.bias);
                });
                timed(inputs.profile, Part::Matmul, || {
                    second.apply(hidden, encoded);
                    for (row, offset) in bias.chunks_exact_mut(plane).zip(&self.relation_bias.bias)
                    {
                        row.fill(*offset);
                    }
                    let target = Target {
                        data: bias,
                        row: 1,
                        column: plane,
                    };
                    let left = View::rows(encoded, RELATION_WIDTH);
                    let right = View::rows(&self.relation_bias.weight, biases);
                    product([plane, biases, RELATION_WIDTH], target, left, right, true);
                });
            });
        all
    }
}

/// A place in a step.
#[derive(Clone, Copy)]
struct At {
    layer: usize,
    /// Number of the block of agents.
    block: usize,
}

/// Relations of all pairs at all tokens.
struct Relations {
    /// [S · T, A, padded A, 32]
    relations: Vec<f32>,
    /// [S · T, layers, H, A, padded A]
    bias: Vec<f32>,
}

/// Buffers a task reuses.
#[derive(Default)]
struct Scratch {
    x: Vec<f32>,
    read: Vec<f32>,
    wide: Vec<f32>,
    key: Vec<f32>,
    hidden: Vec<f32>,
    mask: Vec<f32>,
    levels: Vec<u8>,
    column: Column,
}

/// The first `size` numbers of a buffer, grown if needed; their content is left over from before.
fn sized(buffer: &mut Vec<f32>, size: usize) -> &mut [f32] {
    if buffer.len() < size {
        buffer.resize(size, 0.0);
    }
    &mut buffer[..size]
}
