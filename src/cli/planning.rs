//! What commands with a planner share: its arguments.

use clap::builder::{ArgPredicate, PossibleValuesParser, TypedValueParser};

use super::usage::ensure_usage;
use super::weights;
use crate::engine::own_planner;
use crate::planner::{Ask, Decoder, PlanSettings, Planners, Propose, Variant};
use crate::rng::Seed;

/// Which planner, and how it makes its modes.
#[derive(clap::Args, Clone)]
pub(super) struct PlannerArguments {
    /// How futures are made.
    #[arg(long, value_parser = decoders(), default_value = PlanSettings::default().decoder.key(),
          default_value_if("own", ArgPredicate::IsPresent, Decoder::Own.key()),
          value_name = "DECODER", visible_alias = "planner")]
    decoder: Decoder,
    /// A planner of your own, decoder own: a command that answers requests, one line of JSON each, on its standard input;
    /// `nearmiss serve --help` says what they hold. Or a file of futures that it has written: CSV with columns x, y and
    /// perhaps t (seconds from the present) or time_s (of the scene), heading, speed, mode, probability; or JSON, as an
    /// answer or points alone. Or a folder with such a file for each scene, named as the scene's file is (CASE.csv or
    /// CASE.json for CASE.json), else as the scene is (letters that are not of words are hyphens), or CASE@2.0.csv for the
    /// plan at 2 s.
    #[arg(long, value_name = "COMMAND")]
    own: Option<String>,
    #[command(flatten)]
    choosing: Choosing,
    /// Seed of the modes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Of the token distribution: 1 leaves it, towards 0 the likeliest token wins. Decoder flow: factor on how far the
    /// futures it begins with lie apart.
    #[arg(long, default_value_t = PlanSettings::default().temperature)]
    temperature: f64,
    /// Of the token distribution, the likeliest tokens that make up this much.
    #[arg(long, default_value_t = PlanSettings::default().top_p)]
    top_p: f64,
    /// Of the token distribution, so many of the likeliest tokens; 0: all.
    #[arg(long, default_value_t = PlanSettings::default().top_k)]
    top_k: usize,
    /// Ends nearer than this are one mode, m.
    #[arg(long, default_value_t = PlanSettings::default().spread_m)]
    spread: f64,
    /// Denoising steps of a refinement.
    #[arg(long, default_value_t = PlanSettings::default().refine_steps)]
    refine_steps: usize,
    /// Steps in which futures of the prior are carried to plans (decoder flow).
    #[arg(long, default_value_t = PlanSettings::default().flow_steps)]
    flow_steps: usize,
    /// Passes in which masked tokens are filled (decoder masked-diffusion).
    #[arg(long, default_value_t = PlanSettings::default().masked_passes)]
    masked_passes: usize,
    /// Passes after those in which known tokens may still change; 0: they never do (decoder masked-diffusion).
    #[arg(long, default_value_t = PlanSettings::default().edit_passes)]
    edit_passes: usize,
}

/// How many modes a planner makes, and how one of them is chosen.
#[derive(clap::Args, Clone)]
pub(super) struct Choosing {
    /// Number of modes.
    #[arg(long, default_value_t = PlanSettings::default().modes)]
    modes: usize,
    /// Never brake by rule: without it, where every mode fails NC or TTC, the safest of their ways braked joins them.
    #[arg(long)]
    no_brake: bool,
    /// Do not tell the planner its route, which is the way the ego takes in the scene.
    #[arg(long)]
    no_route: bool,
    /// The formula by which modes are scored and one is chosen.
    #[arg(long, value_parser = formulas(), default_value = PlanSettings::default().score.key(), value_name = "FORMULA")]
    score: Variant,
}

impl Choosing {
    /// The usual settings with these.
    pub(super) fn settings(&self) -> PlanSettings {
        PlanSettings {
            modes: self.modes,
            brake: !self.no_brake,
            route: !self.no_route,
            score: self.score,
            ..PlanSettings::default()
        }
    }
}

/// Reads a decoder by its key; the help lists them.
pub(super) fn decoders() -> impl TypedValueParser<Value = Decoder> {
    PossibleValuesParser::new(Decoder::ALL.map(Decoder::key))
        .try_map(|key| Decoder::from_key(&key).ok_or_else(|| format!("there is no decoder {key}")))
}

/// Reads the formula of a plan's score by its key; the help lists them.
pub(super) fn formulas() -> impl TypedValueParser<Value = Variant> {
    PossibleValuesParser::new(Variant::OF_PLANS.map(Variant::key)).try_map(|key| {
        let mut all = Variant::OF_PLANS.into_iter();
        all.find(|variant| variant.key() == key)
            .ok_or_else(|| format!("there is no formula {key}"))
    })
}

/// The planners of a command: the network, and a planner outside the program where one is given.
pub(super) struct Crew {
    network: Box<dyn Propose>,
    own: Option<Box<dyn Ask>>,
}

impl Crew {
    /// With the planner that the command `own` starts, if it is given.
    ///
    /// # Errors
    /// If the weights cannot be read, or the command is none.
    pub(super) fn new(own: Option<&str>) -> anyhow::Result<Self> {
        let own = own.map(own_planner).transpose();
        let own = own.map_err(|problem| anyhow::anyhow!("--own: {problem}"))?;
        Ok(Self {
            network: weights::planner()?,
            own,
        })
    }

    pub(super) fn planners(&self) -> Planners<'_> {
        Planners {
            network: Some(&*self.network),
            own: self.own.as_deref(),
        }
    }
}

impl PlannerArguments {
    /// Who answers, for the decoder and those `beside` it.
    ///
    /// # Errors
    /// If the weights cannot be read, or a planner of the user's own is given and not to be asked, or to be asked and not
    /// given.
    pub(super) fn crew(&self, beside: &[Decoder]) -> anyhow::Result<Crew> {
        let asks_own = self.decoder == Decoder::Own || beside.contains(&Decoder::Own);
        ensure_usage!(
            self.own.is_none() || asks_own,
            "--own gives a planner of your own, but decoder {} is asked; leave one of them out",
            self.decoder.key()
        );
        ensure_usage!(
            self.own.is_some() || !asks_own,
            "decoder own is a planner of your own, and no command that starts it is given (--own COMMAND)"
        );
        Crew::new(self.own.as_deref())
    }

    /// What to call a planner of these arguments in a heading.
    pub(super) fn name_of(&self, decoder: Decoder) -> String {
        match &self.own {
            Some(command) if decoder == Decoder::Own => format!("{} ({command})", decoder.key()),
            _ => decoder.key().to_owned(),
        }
    }

    pub(super) fn settings(&self) -> PlanSettings {
        PlanSettings {
            decoder: self.decoder,
            seed: Seed(self.seed),
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            spread_m: self.spread,
            refine_steps: self.refine_steps,
            flow_steps: self.flow_steps,
            masked_passes: self.masked_passes,
            edit_passes: self.edit_passes,
            ..self.choosing.settings()
        }
    }
}
