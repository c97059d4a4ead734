//! Weights files: the embedded one, its hash and card, and reading a file of either feature version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::codec::{CHANNELS, Scale, T};

/// The weights the program carries.
pub(super) const EMBEDDED: &[u8] = include_bytes!("../../assets/weights/denoiser.safetensors");

/// What is known about the embedded weights: data, hours, licence, metrics, seed.
pub const CARD: &str = include_str!("../../assets/weights/CARD.md");

/// Numbers of one block of the prior: three channels over all tokens.
pub(super) const BLOCK: usize = 3 * T;

/// Why weights could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file could not be read.
    #[error("could not read weights {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a safetensors file.
    #[error("not a safetensors file: {0}")]
    Format(String),
    /// The configuration is missing or of an unknown version.
    #[error("the weights' configuration cannot be used: {0}")]
    Config(String),
    /// The file is for the program's other network.
    #[error("they are those of the {found}: give them with `{option}`")]
    OtherNetwork {
        /// Whose weights they are.
        found: &'static str,
        /// The option of the command line that takes them.
        option: &'static str,
    },
    /// A tensor is missing or has the wrong shape or type.
    #[error("tensor `{name}` {problem}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Where weights stand, for the banner, the recipe and exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The weights the program carries.
    Embedded,
    /// Other weights than the program carries, from a file.
    Foreign,
    /// Weights whose output layer is all zeros: only the analytic prior speaks.
    Untrained,
}

impl Status {
    /// A sentence for the user.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Embedded => "The weights that came with this program.",
            Self::Foreign => {
                "Foreign weights: results differ from those of the weights that came with this program."
            }
            Self::Untrained => "Untrained weights: the futures come from the analytic prior alone.",
        }
    }
}

/// Sizes of a network, from the file's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Layout of the inputs: 1 or 2.
    pub feature_version: usize,
    /// Width of a token inside the network.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Hidden width of the MLP.
    pub hidden: usize,
    /// Number of layers.
    pub layers: usize,
    /// Lane pieces an agent looks at.
    pub nearest_lanes: usize,
}

impl Config {
    /// Numbers a token enters with.
    pub fn token_features(&self) -> usize {
        if self.feature_version == 1 { 49 } else { 56 }
    }

    /// Numbers a lane piece enters with.
    pub fn lane_features(&self) -> usize {
        if self.feature_version == 1 { 41 } else { 46 }
    }
}

/// The configuration as files write it; version 1 used short names.
#[derive(Deserialize)]
struct ConfigText {
    #[serde(default)]
    feature_version: Option<usize>,
    #[serde(alias = "d")]
    width: usize,
    #[serde(alias = "H")]
    heads: usize,
    #[serde(alias = "ff")]
    hidden: usize,
    #[serde(alias = "L")]
    layers: usize,
    #[serde(alias = "K")]
    nearest_lanes: usize,
    /// What an ablation left out.
    #[serde(default)]
    without: Vec<String>,
}

/// The analytic prior's numbers.
#[derive(Debug, Clone)]
pub(super) struct PriorTensors {
    pub(super) scale: Scale,
    /// [bins, 2, 63]
    pub(super) mean: Vec<f64>,
    /// [bins, 2, 63, 63]
    pub(super) covariance: Vec<f64>,
    /// Speed limits of the bins per kind; one row means no kinds and no bin for standing.
    pub(super) edges: Vec<Vec<f64>>,
    /// First bin of each kind.
    pub(super) first_bin: Vec<usize>,
}

/// What a weights file holds, whichever network it is for.
#[derive(Debug, Clone)]
pub(super) struct Contents {
    pub(super) hash: String,
    pub(super) prior: PriorTensors,
    /// Network tensors by name: shape and numbers, all finite.
    pub(super) tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Contents {
    /// Reads a safetensors file's bytes; `config` turns the metadata's `config` into a configuration or refuses it.
    pub(super) fn read<C>(
        bytes: &[u8],
        config: impl FnOnce(&str) -> Result<C, WeightsError>,
    ) -> Result<(C, Self), WeightsError> {
        let format = |error: safetensors::SafeTensorError| WeightsError::Format(error.to_string());
        let file = SafeTensors::deserialize(bytes).map_err(format)?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(format)?;
        let text = metadata
            .metadata()
            .as_ref()
            .and_then(|map| map.get("config"));
        let text =
            text.ok_or_else(|| WeightsError::Config("metadata `config` is missing".to_owned()))?;
        let config = config(text)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            if name.starts_with("prior.") {
                continue;
            }
            let numbers = floats(&name, &view)?;
            if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
                let problem = format!("holds {} at {at}", numbers[at]);
                return Err(WeightsError::Tensor { name, problem });
            }
            tensors.insert(name, (view.shape().to_vec(), numbers));
        }
        let hash = Sha256::digest(bytes);
        let contents = Self {
            hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            prior: read_prior(&file)?,
            tensors,
        };
        Ok((config, contents))
    }

    /// A tensor's numbers, its shape checked.
    pub(super) fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32], WeightsError> {
        let problem = |problem: String| WeightsError::Tensor {
            name: name.to_owned(),
            problem,
        };
        let (found, numbers) = self
            .tensors
            .get(name)
            .ok_or_else(|| problem("is missing".to_owned()))?;
        if found != shape {
            return Err(problem(format!("has shape {found:?}, expected {shape:?}")));
        }
        Ok(numbers)
    }
}

/// The denoiser's weights file in memory.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    pub(super) config: Config,
    pub(super) status: Status,
    pub(super) contents: Contents,
}

impl Weights {
    /// Reads a file.
    pub(super) fn from_file(path: &Path) -> Result<Self, WeightsError> {
        let bytes = std::fs::read(path).map_err(|source| WeightsError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes)
    }

    /// Reads a safetensors file's bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        let (config, contents) = Contents::read(bytes, read_config)?;
        let out = contents.tensors.get("out.weight");
        let silent = out.is_some_and(|(_, numbers)| numbers.iter().all(|&number| number == 0.0));
        let status = if silent {
            Status::Untrained
        } else if bytes == EMBEDDED {
            Status::Embedded
        } else {
            Status::Foreign
        };
        Ok(Self {
            config,
            status,
            contents,
        })
    }

    /// A tensor's numbers, its shape checked.
    pub(super) fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32], WeightsError> {
        self.contents.get(name, shape)
    }
}

/// Whether a file's configuration is that of a planner.
pub(super) fn of_planner(config: &str) -> bool {
    serde_json::from_str(config)
        .is_ok_and(|config: serde_json::Value| config.get("planner_version").is_some())
}

fn read_config(text: &str) -> Result<Config, WeightsError> {
    if of_planner(text) {
        return Err(WeightsError::OtherNetwork {
            found: "ego planner",
            option: "--planner-weights",
        });
    }
    let read: ConfigText =
        serde_json::from_str(text).map_err(|error| WeightsError::Config(error.to_string()))?;
    if !read.without.is_empty() {
        return Err(WeightsError::Config(format!(
            "they were trained without the {}, for an ablation; this program runs whole networks only",
            read.without.join(" and the ")
        )));
    }
    let config = Config {
        feature_version: read.feature_version.unwrap_or(1),
        width: read.width,
        heads: read.heads,
        hidden: read.hidden,
        layers: read.layers,
        nearest_lanes: read.nearest_lanes,
    };
    let refuse = |why: String| Err(WeightsError::Config(why));
    if !(1..=2).contains(&config.feature_version) {
        return refuse(format!(
            "feature version {} is newer than this program (it knows 1 and 2)",
            config.feature_version
        ));
    }
    let small =
        config.heads > 0 && config.width <= 4096 && config.hidden <= 16_384 && config.layers <= 64;
    if !small
        || !config.width.is_multiple_of(16 * config.heads)
        || !config.hidden.is_multiple_of(16)
    {
        return refuse(format!("sizes {config:?} are not supported"));
    }
    Ok(config)
}

fn read_prior(file: &SafeTensors<'_>) -> Result<PriorTensors, WeightsError> {
    let mean = doubles(file, "prior.mean")?;
    let bins = mean.len() / (2 * BLOCK);
    let covariance = doubles(file, "prior.covariance")?;
    let wrong = |name: &str, problem: &str| WeightsError::Tensor {
        name: name.to_owned(),
        problem: problem.to_owned(),
    };
    if bins == 0 || mean.len() != bins * 2 * BLOCK || covariance.len() != bins * 2 * BLOCK * BLOCK {
        return Err(wrong("prior.covariance", "does not fit `prior.mean`"));
    }
    let view = tensor(file, "prior.scale")?;
    let numbers = floats("prior.scale", &view)?;
    if numbers.len() != T * CHANNELS || numbers.iter().any(|&scale| scale.is_nan() || scale <= 0.0)
    {
        return Err(wrong("prior.scale", "must hold [21, 6] positive numbers"));
    }
    let scale = Scale(std::array::from_fn(|token| {
        std::array::from_fn(|channel| numbers[token * CHANNELS + channel])
    }));
    let (edges, first_bin) = if file.tensor("prior.edges").is_ok() {
        let edges = doubles(file, "prior.edges")?;
        let view = tensor(file, "prior.first_bin")?;
        let first: Vec<usize> = match view.dtype() {
            Dtype::I64 => view
                .data()
                .chunks_exact(8)
                .map(|bytes| {
                    i64::from_le_bytes(bytes.try_into().unwrap_or_default()).max(0) as usize
                })
                .collect(),
            _ => return Err(wrong("prior.first_bin", "must be i64")),
        };
        let row = edges.len() / first.len().max(1);
        let edges: Vec<Vec<f64>> = edges.chunks(row.max(1)).map(<[f64]>::to_vec).collect();
        if first.len() != edges.len() || (first.len() != 1 && first.len() != 3) {
            return Err(wrong("prior.edges", "does not fit `prior.first_bin`"));
        }
        (edges, first)
    } else {
        (vec![vec![0.3, 3.0, 8.0]], vec![0])
    };
    for (edges, first) in edges.iter().zip(&first_bin) {
        let moving = 1 + edges.iter().filter(|edge| edge.is_finite()).count();
        let standing = usize::from(first_bin.len() > 1);
        if first + standing + moving > bins {
            return Err(wrong("prior.first_bin", "points beyond the last bin"));
        }
    }
    Ok(PriorTensors {
        scale,
        mean,
        covariance,
        edges,
        first_bin,
    })
}

fn tensor<'a>(
    file: &SafeTensors<'a>,
    name: &str,
) -> Result<safetensors::tensor::TensorView<'a>, WeightsError> {
    file.tensor(name).map_err(|error| WeightsError::Tensor {
        name: name.to_owned(),
        problem: error.to_string(),
    })
}

fn floats(
    name: &str,
    view: &safetensors::tensor::TensorView<'_>,
) -> Result<Vec<f32>, WeightsError> {
    if view.dtype() != Dtype::F32 {
        return Err(WeightsError::Tensor {
            name: name.to_owned(),
            problem: format!("is {:?}, expected F32", view.dtype()),
        });
    }
    let numbers = view.data().chunks_exact(4).map(|bytes| match bytes {
        [a, b, c, d] => f32::from_le_bytes([*a, *b, *c, *d]),
        _ => 0.0,
    });
    Ok(numbers.collect())
}

fn doubles(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f64>, WeightsError> {
    let view = tensor(file, name)?;
    if view.dtype() != Dtype::F64 {
        return Err(WeightsError::Tensor {
            name: name.to_owned(),
            problem: format!("is {:?}, expected F64", view.dtype()),
        });
    }
    Ok(view
        .data()
        .chunks_exact(8)
        .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap_or_default()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_weights_load_and_say_what_they_are() {
        let weights = Weights::from_bytes(EMBEDDED).unwrap();
        assert_eq!(weights.status, Status::Embedded);
        assert_eq!(weights.contents.hash.len(), 64);
        let width = weights.config.width;
        assert!(weights.get("te", &[T, width]).is_ok());
        assert!(weights.get("te", &[T, width + 1]).is_err());
        assert!(weights.get("absent", &[1]).is_err());
    }

    #[test]
    fn bytes_that_are_no_weights_are_refused() {
        assert!(matches!(
            Weights::from_bytes(b"nonsense"),
            Err(WeightsError::Format(_))
        ));
        assert!(matches!(
            Weights::from_bytes(&EMBEDDED[..1000]),
            Err(WeightsError::Format(_))
        ));
    }

    #[test]
    fn weights_of_the_planner_are_refused_with_the_option_that_takes_them() {
        let error = read_config(r#"{"planner_version": 2, "width": 128}"#).unwrap_err();
        assert!(
            error.to_string().ends_with("`--planner-weights`"),
            "{error}"
        );
    }

    #[test]
    fn weights_of_an_ablation_are_refused_with_what_they_lack() {
        let text = r#"{"feature_version": 2, "width": 128, "heads": 4, "hidden": 384, "layers": 3, "nearest_lanes": 20,
            "without": ["map"]}"#;
        let error = read_config(text).unwrap_err();
        assert!(error.to_string().contains("without the map"), "{error}");
    }

    #[test]
    fn a_newer_layout_is_refused_with_its_number() {
        let text = r#"{"feature_version": 3, "width": 128, "heads": 4, "hidden": 384, "layers": 3, "nearest_lanes": 20}"#;
        let error = read_config(text).unwrap_err();
        assert!(error.to_string().contains("feature version 3"), "{error}");
    }
}
