//! What commands with a planner share: its arguments.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::planner::{Decoder, PlanSettings};
use crate::rng::Seed;

/// Which planner, and how it makes its modes.
#[derive(clap::Args, Clone)]
pub(super) struct PlannerArguments {
    /// How futures are made.
    #[arg(long, value_parser = decoders(), default_value = PlanSettings::default().decoder.key(),
          value_name = "DECODER", visible_alias = "planner")]
    decoder: Decoder,
    /// Number of modes.
    #[arg(long, default_value_t = 6)]
    modes: usize,
    /// Seed of the modes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Of the token distribution: 1 leaves it, towards 0 the likeliest token wins.
    #[arg(long, default_value_t = PlanSettings::default().temperature)]
    temperature: f64,
    /// Of the token distribution, the likeliest tokens that make up this much.
    #[arg(long, default_value_t = PlanSettings::default().top_p)]
    top_p: f64,
    /// Ends nearer than this are one mode, m.
    #[arg(long, default_value_t = PlanSettings::default().spread_m)]
    spread: f64,
    /// Denoising steps of a refinement.
    #[arg(long, default_value_t = PlanSettings::default().refine_steps)]
    refine_steps: usize,
    /// Never brake by rule: without it, where every mode fails NC or TTC, the safest of their ways braked joins them.
    #[arg(long)]
    no_brake: bool,
    /// Do not tell the planner its route, which is the way the ego takes in the scene.
    #[arg(long)]
    no_route: bool,
}

/// Reads a decoder by its key; the help lists them.
pub(super) fn decoders() -> impl TypedValueParser<Value = Decoder> {
    PossibleValuesParser::new(Decoder::ALL.map(Decoder::key))
        .try_map(|key| Decoder::from_key(&key).ok_or_else(|| format!("there is no decoder {key}")))
}

impl PlannerArguments {
    pub(super) fn settings(&self) -> PlanSettings {
        PlanSettings {
            decoder: self.decoder,
            modes: self.modes,
            seed: Seed(self.seed),
            temperature: self.temperature,
            top_p: self.top_p,
            spread_m: self.spread,
            refine_steps: self.refine_steps,
            brake: !self.no_brake,
            route: !self.no_route,
            ..PlanSettings::default()
        }
    }
}
