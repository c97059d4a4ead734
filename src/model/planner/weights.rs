//! The planner's weights file: the embedded one, its card, and reading.

use serde::Deserialize;

use crate::model::weights::{Contents, Status, WeightsError, of_planner};
use crate::planner::POINTS;

/// The weights the program carries.
pub(super) const EMBEDDED: &[u8] = include_bytes!("../../../assets/weights/planner.safetensors");

/// What is known about the embedded planner: data, hours, licence, metrics, seed.
pub const PLANNER_CARD: &str = include_str!("../../../assets/weights/PLANNER_CARD.md");

/// Points of a trajectory token after its start: 0.5 s and 1 s.
pub(super) const PER_TOKEN: usize = 2;

/// Tokens of a plan.
pub(super) const TOKENS: usize = POINTS / PER_TOKEN;

/// Sizes, from the file's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Config {
    /// Layout of the inputs: 3.
    pub planner_version: usize,
    /// Width of a token inside the network.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Hidden width of the MLPs.
    pub hidden: usize,
    /// Layers in which the scene looks at itself.
    pub encoder_layers: usize,
    /// Layers over trajectory tokens.
    pub token_layers: usize,
    /// Layers over the frames of a noisy plan.
    pub refiner_layers: usize,
    /// Most neighbours read.
    pub neighbours: usize,
    /// Most lane pieces read.
    pub lanes: usize,
    /// Trajectory tokens of the ego's vocabulary, m.
    pub vocabulary: usize,
    /// Anchors.
    pub anchors: usize,
    /// Gaussians of the mixture; 0 where the file has none.
    #[serde(default)]
    pub components: usize,
    /// Layers over the mixture's components.
    #[serde(default)]
    pub mixture_layers: usize,
    /// Layers over masked tokens; 0 where the file has no such decoder.
    #[serde(default)]
    pub masked_layers: usize,
    /// Layers of the flow from the prior to plans; 0 where the file has none.
    #[serde(default)]
    pub flow_layers: usize,
}

/// A trajectory token: from a standing or moving start (place and heading zero) to 0.5 s and 1 s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// Speed at the start, m/s.
    pub start_speed: f32,
    /// x, y (m), heading (rad) and speed (m/s) at 0.5 s and 1 s, in the frame of the start.
    pub points: [[f32; 4]; PER_TOKEN],
}

/// The planner's weights file in memory.
pub(super) struct Weights {
    pub(super) config: Config,
    pub(super) status: Status,
    /// [m]
    pub(super) vocabulary: Vec<Segment>,
    /// [anchors, 16] of x, y in the ego's frame, m.
    pub(super) anchors: Vec<[[f32; 2]; POINTS]>,
    pub(super) contents: Contents,
}

impl Weights {
    /// Reads a safetensors file's bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        let (config, contents) = Contents::read(bytes, read_config)?;
        let segments = contents.get("vocabulary.ego", &[config.vocabulary, PER_TOKEN + 1, 4])?;
        let vocabulary = segments.chunks_exact(4 * (PER_TOKEN + 1)).map(|numbers| {
            let point = |at: usize| std::array::from_fn(|channel| numbers[4 * at + channel]);
            Segment {
                start_speed: numbers[3],
                points: std::array::from_fn(|at| point(at + 1)),
            }
        });
        let anchors = contents.get("anchors", &[config.anchors, POINTS, 2])?;
        let anchors = anchors
            .chunks_exact(2 * POINTS)
            .map(|numbers| std::array::from_fn(|at| [numbers[2 * at], numbers[2 * at + 1]]));
        Ok(Self {
            vocabulary: vocabulary.collect(),
            anchors: anchors.collect(),
            status: if bytes == EMBEDDED {
                Status::Embedded
            } else {
                Status::Foreign
            },
            config,
            contents,
        })
    }
}

fn read_config(text: &str) -> Result<Config, WeightsError> {
    if !of_planner(text) {
        return Err(WeightsError::OtherNetwork {
            found: "scene generator",
            option: "--weights",
        });
    }
    let config: Config =
        serde_json::from_str(text).map_err(|error| WeightsError::Config(error.to_string()))?;
    let refuse = |why: String| Err(WeightsError::Config(why));
    if config.planner_version != 3 {
        return refuse(format!(
            "planner version {} is not the one this program runs (3: with a route and lanes of neighbours)",
            config.planner_version
        ));
    }
    let counts = [
        config.encoder_layers,
        config.token_layers,
        config.refiner_layers,
        config.mixture_layers,
        config.masked_layers,
        config.flow_layers,
        config.neighbours,
        config.lanes,
        config.components,
    ];
    let sizes = [config.width, config.heads, config.hidden, config.vocabulary];
    if sizes.contains(&0)
        || config.width > 4096
        || config.hidden > 16_384
        || config.vocabulary > usize::from(u16::MAX)
        || counts.iter().any(|&count| count > 1024)
        || !config.width.is_multiple_of(config.heads)
    {
        return refuse(format!("sizes {config:?} are not supported"));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_planner_loads_and_its_first_token_stands_still() {
        let weights = Weights::from_bytes(EMBEDDED).unwrap();
        assert_eq!(weights.status, Status::Embedded);
        assert_eq!(weights.vocabulary.len(), weights.config.vocabulary);
        let still = Segment {
            start_speed: 0.0,
            points: [[0.0; 4]; PER_TOKEN],
        };
        assert_eq!(weights.vocabulary[0], still);
    }

    #[test]
    fn bytes_that_are_no_planner_are_refused() {
        for bytes in [
            b"nonsense".as_slice(),
            &EMBEDDED[..1000],
            crate::model::weights::EMBEDDED,
        ] {
            assert!(Weights::from_bytes(bytes).is_err());
        }
    }

    #[test]
    fn another_layout_is_refused_with_its_number() {
        let text = r#"{"planner_version": 1, "width": 128, "heads": 4, "hidden": 256, "encoder_layers": 1,
            "token_layers": 2, "refiner_layers": 2, "neighbours": 24, "lanes": 32, "vocabulary": 512, "anchors": 20}"#;
        let error = read_config(text).unwrap_err();
        assert!(error.to_string().contains("planner version 1"), "{error}");
    }

    #[test]
    fn weights_of_the_generator_are_refused_with_the_option_that_takes_them() {
        let error = Weights::from_bytes(crate::model::weights::EMBEDDED)
            .err()
            .unwrap();
        assert!(error.to_string().ends_with("`--weights`"), "{error}");
    }
}
