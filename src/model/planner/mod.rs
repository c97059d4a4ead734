//! The planner's networks behind `Propose`: one encoder of the scene, and decoders that answer in different ways.
//!
//! Trajectory tokens one after the other (`tokens`) or all at once (`masked`), denoising on the analytic prior (`refine`),
//! a flow that starts at the prior's own futures (`flow`),
//! one mean future, a mixture, and anchors. Everything is computed in the ego's frame at the present. Layout and sources: `assets/recipe/PLANNER.md`.

mod flow;
mod masked;
mod network;
mod refine;
mod surroundings;
mod tokens;
mod weights;

use std::ops::ControlFlow;
use std::path::Path;

use candle_core::Device;

use network::{Encoded, Network};
use refine::{Descent, PLAN, Reading};
use surroundings::{Spot, Surroundings};
use tokens::{Sequence, choose_modes, decode, follow, padded};
use weights::{EMBEDDED, Weights};

pub use weights::{Config as PlannerConfig, PLANNER_CARD, Segment};

use crate::codec::Window;
use crate::geometry::{Pose, dvec2};
use crate::model::layers::builder;
use crate::model::prior::Prior;
use crate::model::weights::{Status, WeightsError};
use crate::planner::{
    Decoder, Mode, POINTS, PlanSettings, Planned, Propose, ProposeError, ProposeStep, Stage,
};

/// A loaded planner.
pub struct Planner {
    config: PlannerConfig,
    hash: String,
    status: Status,
    prior: Prior,
    network: Network,
    vocabulary: Vec<Segment>,
    anchors: Vec<[[f32; 2]; POINTS]>,
}

impl std::fmt::Debug for Planner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Planner")
            .field("config", &self.config)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// See [`Planner::outputs`].
#[derive(Debug, Clone)]
pub struct Outputs {
    /// [n, m]: before each of the tokens.
    pub logits: Vec<f32>,
    /// The clean plan [16, 6].
    pub clean: Vec<f32>,
    /// The mean future [16, 6].
    pub regression: Vec<f32>,
    /// Probabilities [anchors].
    pub anchors: Vec<f32>,
    /// Means of the mixture's components [K, 16, 6] and their weights [K]; empty in weights without one.
    pub mixture: (Vec<f32>, Vec<f32>),
    /// [8, m]: of all tokens at once; empty in weights without that decoder.
    pub masked: Vec<f32>,
}

impl Planner {
    /// The weights the program carries.
    ///
    /// # Errors
    ///
    /// Never with the weights of a released program; kept as an error so that a broken build says so.
    pub fn load_default() -> Result<Self, WeightsError> {
        Self::from_bytes(EMBEDDED)
    }

    /// Weights from a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or does not hold a planner of a layout this program knows.
    pub fn load(path: &Path) -> Result<Self, WeightsError> {
        let bytes = std::fs::read(path).map_err(|source| WeightsError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes)
    }

    /// Weights from a safetensors file's bytes.
    ///
    /// # Errors
    ///
    /// As [`Planner::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        let weights = Weights::from_bytes(bytes)?;
        let network = builder(&weights.contents, &Device::Cpu)
            .and_then(|vb| Network::new(&weights.config, &vb))
            .map_err(|error| WeightsError::Config(error.to_string()))?;
        Ok(Self {
            config: weights.config,
            hash: weights.contents.hash,
            status: weights.status,
            prior: Prior::new(weights.contents.prior),
            network,
            vocabulary: weights.vocabulary,
            anchors: weights.anchors,
        })
    }

    /// Sizes.
    pub fn config(&self) -> &PlannerConfig {
        &self.config
    }

    /// Whether these are the program's own weights or foreign ones.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The ego's trajectory tokens.
    pub fn vocabulary(&self) -> &[Segment] {
        &self.vocabulary
    }

    /// What the network says to given inputs, for a second implementation to be held against.
    ///
    /// `tokens` [n ≤ 8] are taken as decoded so far; `shown` as those known of a masked plan; `plan` [16, 6] is a noisy plan at `level`, as scaled residuals to
    /// constant velocity in the ego's frame.
    ///
    /// # Errors
    ///
    /// As [`Propose::propose`]; a token beyond the vocabulary or a plan of another length is a [`ProposeError::Setting`].
    pub fn outputs(
        &self,
        window: &Window,
        tokens: &[u16],
        shown: [Option<u16>; weights::TOKENS],
        plan: &[f32],
        level: f64,
    ) -> Result<Outputs, ProposeError> {
        let failed = |error: candle_core::Error| ProposeError::Network(error.to_string());
        let refuse = |name, value: String, allowed| ProposeError::Setting {
            name,
            value,
            allowed,
        };
        if plan.len() != PLAN {
            return Err(refuse("plan", plan.len().to_string(), "96 numbers"));
        }
        let scene = self.read(window)?;
        let encoded = self.network.encode(&scene).map_err(failed)?;
        let reading = self.reading(&encoded, &scene);
        let known = tokens
            .iter()
            .map(|&token| {
                let segment = self.vocabulary.get(usize::from(token));
                segment.map(|segment| (token, *segment))
            })
            .collect::<Option<Vec<(u16, Segment)>>>()
            .filter(|known| known.len() <= weights::TOKENS)
            .ok_or_else(|| refuse("tokens", format!("{tokens:?}"), "8 of the vocabulary"))?;
        if shown
            .iter()
            .flatten()
            .any(|&token| usize::from(token) >= self.vocabulary.len())
        {
            return Err(refuse("shown", format!("{shown:?}"), "of the vocabulary"));
        }
        let masked = match self.config.masked_layers {
            0 => Vec::new(),
            _ => masked::follow(&reading, &self.vocabulary, shown)?,
        };
        Ok(Outputs {
            masked,
            logits: follow(&reading, &self.vocabulary, &known).map_err(failed)?,
            clean: reading.predict(plan, level)?,
            regression: self.network.regression(&encoded).map_err(failed)?,
            anchors: self.network.anchors(&encoded).map_err(failed)?,
            mixture: self
                .network
                .mixture(&encoded)
                .map_err(failed)?
                .unwrap_or_default(),
        })
    }

    /// The future [16, 6] that the flow draws from `normal` numbers [2, 63] (a block each), and the velocity [16, 6] at which a `plan` [16, 6] that
    /// has gone `time` of its way moves; scaled residuals to constant velocity in the ego's frame.
    ///
    /// # Errors
    ///
    /// As [`Propose::propose`]; a plan of another length is a [`ProposeError::Setting`].
    pub fn flow(
        &self,
        window: &Window,
        normal: &[f64; 126],
        plan: &[f32],
        time: f64,
    ) -> Result<(Vec<f32>, Vec<f32>), ProposeError> {
        if plan.len() != PLAN {
            return Err(ProposeError::Setting {
                name: "plan",
                value: plan.len().to_string(),
                allowed: "96 numbers",
            });
        }
        let scene = self.read(window)?;
        let encoded = self
            .network
            .encode(&scene)
            .map_err(|error| ProposeError::Network(error.to_string()))?;
        let reading = self.reading(&encoded, &scene);
        let source = flow::Source::of(&reading);
        let velocity = source.velocity(&reading, plan, time)?;
        Ok((source.draw(normal), velocity))
    }

    fn reading<'a>(&'a self, encoded: &'a Encoded, scene: &'a Surroundings) -> Reading<'a> {
        Reading {
            network: &self.network,
            encoded,
            scene,
            prior: &self.prior,
        }
    }

    fn read(&self, window: &Window) -> Result<Surroundings, ProposeError> {
        let ego = window.rows.first().ok_or(ProposeError::NoEgo)?;
        match ego.kind_number() {
            0 => {}
            1 => return Err(ProposeError::NotAVehicle("pedestrian")),
            _ => return Err(ProposeError::NotAVehicle("cyclist")),
        }
        Ok(Surroundings::new(window, &self.config, &self.prior))
    }
}

impl Propose for Planner {
    fn identity(&self) -> &str {
        &self.hash
    }

    fn propose(
        &self,
        window: &Window,
        settings: &PlanSettings,
        on_step: &mut dyn FnMut(&ProposeStep) -> ControlFlow<()>,
    ) -> Result<Vec<Mode>, ProposeError> {
        settings.check()?;
        let scene = self.read(window)?;
        let failed = |error: candle_core::Error| ProposeError::Network(error.to_string());
        let encoded = self.network.encode(&scene).map_err(failed)?;
        let reading = self.reading(&encoded, &scene);
        let frame = scene.frame;
        let count = settings.modes;
        let refinement = Descent {
            level: settings.refine_level,
            steps: settings.refine_steps,
        };
        let refined =
            |drafts: Vec<Mode>,
             starts: &[f32],
             descent: Descent,
             on_step: &mut dyn FnMut(&ProposeStep) -> ControlFlow<()>| {
                let with = |plans: &[f32]| -> Vec<Mode> {
                    drafts
                        .iter()
                        .zip(plans.chunks_exact(PLAN))
                        .map(|(draft, plan)| {
                            let spots = reading.spots_of(plan);
                            mode(frame, &spots, draft.probability, draft.tokens.clone())
                        })
                        .collect()
                };
                let plans =
                    reading.refine(starts, descent, settings.seed, &mut |done, clean| {
                        on_step(&ProposeStep {
                            stage: Stage::Denoising(done, descent.steps),
                            modes: with(clean),
                        })
                    })?;
                Ok(with(&plans))
            };
        match settings.decoder {
            Decoder::Regression => {
                let plan = self.network.regression(&encoded).map_err(failed)?;
                if plan.iter().any(|number| !number.is_finite()) {
                    let what = "the regression is not finite".to_owned();
                    return Err(ProposeError::Network(what));
                }
                Ok(vec![mode(frame, &reading.spots_of(&plan), 1.0, Vec::new())])
            }
            Decoder::Gmm | Decoder::GmmDiffusion => {
                let mixture = self.network.mixture(&encoded).map_err(failed)?;
                let lacks = ProposeError::NoDecoder(settings.decoder.key());
                let (means, weights) = mixture.ok_or(lacks)?;
                if means
                    .iter()
                    .chain(&weights)
                    .any(|number| !number.is_finite())
                {
                    let what = "the mixture is not finite".to_owned();
                    return Err(ProposeError::Network(what));
                }
                let mut starts = Vec::with_capacity(count * PLAN);
                let mut drafts = Vec::with_capacity(count);
                for (share, component) in likeliest(weights, count) {
                    let mean = &means[component * PLAN..(component + 1) * PLAN];
                    starts.extend_from_slice(mean);
                    drafts.push(mode(frame, &reading.spots_of(mean), share, Vec::new()));
                }
                if settings.decoder == Decoder::Gmm {
                    return Ok(drafts);
                }
                refined(drafts, &starts, refinement, on_step)
            }
            Decoder::Ar | Decoder::MaskedDiffusion => self.tokens(&reading, settings, on_step),
            Decoder::ArDiffusion => {
                let drafts = self.tokens(&reading, settings, on_step)?;
                let starts: Vec<f32> = drafts
                    .iter()
                    .flat_map(|draft| reading.plan_of(&spots_of(frame, draft)))
                    .collect();
                refined(drafts, &starts, refinement, on_step)
            }
            Decoder::Diffusion => {
                let still = [scene.start(); POINTS];
                let drafts = vec![mode(frame, &still, 1.0 / count as f64, Vec::new()); count];
                let descent = Descent {
                    level: 1.0,
                    steps: settings.diffusion_steps,
                };
                refined(drafts, &vec![0.0; count * PLAN], descent, on_step)
            }
            Decoder::Flow => {
                let steps = settings.flow_steps;
                let with = |plans: &[f32]| -> Vec<Mode> {
                    plans
                        .chunks_exact(PLAN)
                        .map(|plan| {
                            let spots = reading.spots_of(plan);
                            mode(frame, &spots, 1.0 / count as f64, Vec::new())
                        })
                        .collect()
                };
                let plans = reading.carry(settings, &mut |done, plans| {
                    on_step(&ProposeStep {
                        stage: Stage::Flowing(done, steps),
                        modes: with(plans),
                    })
                })?;
                Ok(with(&plans))
            }
            Decoder::Anchors => {
                let shares = self.network.anchors(&encoded).map_err(failed)?;
                let ranked = likeliest(shares, count);
                let mut starts = Vec::with_capacity(count * PLAN);
                let mut drafts = Vec::with_capacity(count);
                for (share, anchor) in ranked {
                    let spots = spots_along(&self.anchors[anchor], scene.speed);
                    starts.extend(reading.plan_of(&spots));
                    drafts.push(mode(frame, &spots, share, Vec::new()));
                }
                let descent = Descent {
                    level: settings.anchor_level,
                    steps: settings.refine_steps,
                };
                refined(drafts, &starts, descent, on_step)
            }
            other @ (Decoder::ConstantVelocity | Decoder::Idm | Decoder::Own) => {
                Err(ProposeError::Decoder(other.key()))
            }
        }
    }
}

impl Planner {
    /// Modes straight from trajectory tokens.
    fn tokens(
        &self,
        reading: &Reading<'_>,
        settings: &PlanSettings,
        on_step: &mut dyn FnMut(&ProposeStep) -> ControlFlow<()>,
    ) -> Result<Vec<Mode>, ProposeError> {
        let frame = reading.scene.frame;
        let modes = |sequences: &[Sequence], weights: &[f64]| -> Vec<Mode> {
            choose_modes(sequences, weights, settings.modes, settings.spread_m)
                .into_iter()
                .map(|(index, probability)| {
                    let sequence = &sequences[index];
                    let spots = padded(sequence);
                    mode(frame, &spots, probability, sequence.tokens.clone())
                })
                .collect()
        };
        let masked = settings.decoder == Decoder::MaskedDiffusion;
        let passes = settings.masked_passes + settings.edit_passes;
        let mut done = 0;
        let mut seen = |sequences: &[Sequence], weights: &[f64]| {
            done += 1;
            on_step(&ProposeStep {
                stage: match masked {
                    true => Stage::Filling(done, passes),
                    false => Stage::Tokens(done),
                },
                modes: modes(sequences, weights),
            })
        };
        let (sequences, weights) = match masked {
            true => masked::decode(reading, &self.vocabulary, settings, &mut seen)?,
            false => decode(reading, &self.vocabulary, settings, &mut seen)?,
        };
        Ok(modes(&sequences, &weights))
    }
}

/// The `count` largest of `shares` with their places, largest first, made to sum to 1.
fn likeliest(shares: Vec<f32>, count: usize) -> Vec<(f64, usize)> {
    let mut ranked: Vec<(f32, usize)> = shares.into_iter().zip(0..).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    ranked.truncate(count);
    let total: f32 = ranked.iter().map(|(share, _)| share).sum();
    let of_total = |share: f32| f64::from(share / total.max(f32::MIN_POSITIVE));
    ranked
        .into_iter()
        .map(|(share, place)| (of_total(share), place))
        .collect()
}

/// A mode through spots of the ego's frame.
fn mode(frame: Pose, spots: &[Spot], probability: f64, tokens: Vec<u16>) -> Mode {
    Mode {
        points: std::array::from_fn(|at| {
            let spot = &spots[at];
            let [cos, sin] = spot.facing.map(f64::from);
            let local = Pose::new(
                dvec2(spot.place[0].into(), spot.place[1].into()),
                sin.atan2(cos),
            );
            let pose = frame.compose(local);
            Planned {
                position: pose.point,
                heading: pose.heading,
                speed: spot.speed.into(),
            }
        }),
        probability,
        tokens,
    }
}

/// The spots of a mode, in the ego's frame.
fn spots_of(frame: Pose, mode: &Mode) -> Vec<Spot> {
    mode.points
        .iter()
        .map(|point| {
            let place = frame.local_from_outer(point.position);
            let (sin, cos) = (point.heading - frame.heading).sin_cos();
            Spot {
                place: [place.x as f32, place.y as f32],
                facing: [cos as f32, sin as f32],
                speed: point.speed as f32,
            }
        })
        .collect()
}

/// Spots along the points of an anchor: heading and speed from the step that leads to each; standing keeps the heading.
fn spots_along(points: &[[f32; 2]; POINTS], speed_mps: f32) -> Vec<Spot> {
    let mut spots: Vec<Spot> = Vec::with_capacity(POINTS);
    let mut last = Spot {
        place: [0.0; 2],
        facing: [1.0, 0.0],
        speed: speed_mps,
    };
    for point in points {
        let (x, y) = (point[0] - last.place[0], point[1] - last.place[1]);
        let length = x.hypot(y);
        last = Spot {
            place: *point,
            facing: if length > 0.1 {
                [x / length, y / length]
            } else {
                last.facing
            },
            speed: length / 0.5,
        };
        spots.push(last);
    }
    spots
}
