//! What a plan is, and what is asked of a proposer.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Ask, POINTS, Variant};
use crate::codec::Window;
use crate::geometry::{DVec2, Pose};
use crate::rng::Seed;

/// Where the ego is to be at one of the plan's times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planned {
    /// Centre of the box, scene frame, m.
    pub position: DVec2,
    /// Scene frame, rad.
    pub heading: f64,
    /// Along the heading, m/s; negative backwards.
    pub speed: f64,
}

impl Planned {
    /// Position and heading.
    pub fn pose(&self) -> Pose {
        Pose::new(self.position, self.heading)
    }
}

/// One future of the ego.
#[derive(Debug, Clone, PartialEq)]
pub struct Mode {
    /// Point i is at (i + 1) / 2 seconds after the present.
    pub points: [Planned; POINTS],
    /// 0 to 1; the modes of a proposal sum to 1.
    pub probability: f64,
    /// The trajectory tokens it was decoded from, one a second, where there are any.
    pub tokens: Vec<u16>,
}

/// How futures are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// Trajectory tokens one after the other.
    Ar,
    /// Denoised from pure noise.
    Diffusion,
    /// Futures of the analytic prior carried to plans by a flow (flow matching, arXiv 2210.02747).
    Flow,
    /// Denoised from k-means anchors at an intermediate level (after DiffusionDrive, arXiv 2411.15139).
    Anchors,
    /// Tokens one after the other, then each mode noised to an intermediate level and denoised.
    ArDiffusion,
    /// All tokens at once out of masks, the surest first; known ones may still change (masked discrete diffusion: MaskGIT,
    /// arXiv 2202.04200, with token-to-token edits).
    MaskedDiffusion,
    /// A mixture of Gaussians about as many futures, all at once (after MultiPath, arXiv 1910.05449).
    Gmm,
    /// The mixture's means, then each noised to an intermediate level and denoised.
    GmmDiffusion,
    /// One future, the mean: what squared error asks for.
    Regression,
    /// Keeps speed and heading. No network.
    ConstantVelocity,
    /// Follows the lane behind whoever is ahead with the Intelligent Driver Model. No network.
    Idm,
    /// A planner outside the program ([`super::Ask`]).
    Own,
}

impl Decoder {
    /// All, in the order in which they are listed.
    pub const ALL: [Self; 12] = [
        Self::ArDiffusion,
        Self::Ar,
        Self::MaskedDiffusion,
        Self::Diffusion,
        Self::Flow,
        Self::Anchors,
        Self::GmmDiffusion,
        Self::Gmm,
        Self::Regression,
        Self::Idm,
        Self::ConstantVelocity,
        Self::Own,
    ];

    /// The name on the command line and in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Ar => "ar",
            Self::MaskedDiffusion => "masked-diffusion",
            Self::Diffusion => "diffusion",
            Self::Flow => "flow",
            Self::Anchors => "anchors",
            Self::Gmm => "gmm",
            Self::GmmDiffusion => "gmm-diffusion",
            Self::ArDiffusion => "ar-diffusion",
            Self::Regression => "regression",
            Self::ConstantVelocity => "constant-velocity",
            Self::Idm => "idm",
            Self::Own => "own",
        }
    }

    /// The name in the window.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ar => "Autoregressive",
            Self::MaskedDiffusion => "Masked diffusion",
            Self::Diffusion => "Diffusion from noise",
            Self::Flow => "Flow matching",
            Self::Anchors => "Diffusion from anchors",
            Self::Gmm => "Gaussian mixture",
            Self::GmmDiffusion => "Gaussian mixture + diffusion",
            Self::ArDiffusion => "Autoregressive + diffusion",
            Self::Regression => "Regression",
            Self::ConstantVelocity => "Constant velocity",
            Self::Idm => "IDM",
            Self::Own => "Own planner",
        }
    }

    /// Whether it is one of the program's own that needs no network: it has no settings.
    pub fn is_plain(self) -> bool {
        matches!(self, Self::ConstantVelocity | Self::Idm)
    }

    /// Whether it needs the planner's network.
    pub fn is_network(self) -> bool {
        !self.is_plain() && self != Self::Own
    }

    /// Whether drafts are noised to a chosen level and denoised.
    pub fn refines(self) -> bool {
        matches!(self, Self::Anchors | Self::ArDiffusion | Self::GmmDiffusion)
    }

    /// Whether it draws trajectory tokens.
    pub fn draws_tokens(self) -> bool {
        matches!(self, Self::Ar | Self::ArDiffusion | Self::MaskedDiffusion)
    }

    /// The decoder called `key`.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decoder| decoder.key() == key)
    }
}

/// What is asked of a proposer. Everything a proposal depends on besides the window and the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanSettings {
    /// How futures are made.
    pub decoder: Decoder,
    /// Number of modes, K ≥ 1; the mixture has as many as its weights know, regression and the plain drivers give one
    /// whatever is asked.
    pub modes: usize,
    /// Where the random streams start.
    pub seed: Seed,
    /// Of the token distribution; 1 leaves it, towards 0 the likeliest token wins. Of the flow: factor on the deviation of
    /// the futures it begins with.
    pub temperature: f64,
    /// Only so many of the likeliest tokens are drawn from; 0 for all.
    pub top_k: usize,
    /// Only the likeliest tokens that together hold this probability are drawn from; 1 for all.
    pub top_p: f64,
    /// Token sequences drawn or kept, from which the K modes are chosen to end apart.
    pub beams: usize,
    /// Modes that end nearer than this to a likelier one give way while others are left, m at 8 s.
    pub spread_m: f64,
    /// Noise level from which modes are denoised, in (0, 1].
    pub refine_level: f64,
    /// Noise level from which anchors are denoised, in (0, 1].
    pub anchor_level: f64,
    /// Denoising steps of a refinement.
    pub refine_steps: usize,
    /// Denoising steps from pure noise.
    pub diffusion_steps: usize,
    /// Euler steps of the flow.
    pub flow_steps: usize,
    /// Passes in which masked tokens are filled.
    pub masked_passes: usize,
    /// Passes after that in which known tokens may still change; 0: they never do.
    pub edit_passes: usize,
    /// Where every mode of a network touches somebody by the ego's fault or comes too near (NC, TTC), the safest of their
    /// ways braked joins them.
    pub brake: bool,
    /// The planner is told its route, where there is one.
    pub route: bool,
    /// By which formula modes are scored, and the one to take is chosen.
    pub score: Variant,
    /// The name without its ending of the file that the scene was opened from, where that holds no other: a planner outside
    /// the program is told it, as several scenes may have one name.
    pub file: Option<String>,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            decoder: Decoder::ArDiffusion,
            modes: 6,
            seed: Seed(1),
            temperature: 0.7,
            top_k: 0,
            top_p: 0.95,
            beams: 48,
            spread_m: 8.0,
            refine_level: 0.15,
            anchor_level: 0.4,
            refine_steps: 3,
            diffusion_steps: 8,
            flow_steps: 8,
            masked_passes: 4,
            edit_passes: 2,
            brake: true,
            route: true,
            score: Variant::Pdms,
            file: None,
        }
    }
}

impl PlanSettings {
    /// Whether every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`ProposeError::Setting`] for the first that is not.
    pub fn check(&self) -> Result<(), ProposeError> {
        let refuse = |name, value: String, allowed| {
            Err(ProposeError::Setting {
                name,
                value,
                allowed,
            })
        };
        let counts = [
            ("modes", self.modes, "1 to 64"),
            ("beams", self.beams, "1 to 1024"),
            ("refine_steps", self.refine_steps, "1 to 100"),
            ("diffusion_steps", self.diffusion_steps, "1 to 100"),
            ("flow_steps", self.flow_steps, "1 to 100"),
            ("masked_passes", self.masked_passes, "1 to 100"),
        ];
        for (name, value, allowed) in counts {
            let most = match name {
                "modes" => 64,
                "beams" => 1024,
                _ => 100,
            };
            if !(1..=most).contains(&value) {
                return refuse(name, value.to_string(), allowed);
            }
        }
        if self.edit_passes > 100 {
            return refuse("edit_passes", self.edit_passes.to_string(), "0 to 100");
        }
        let levels = [
            ("refine_level", self.refine_level),
            ("anchor_level", self.anchor_level),
            ("top_p", self.top_p),
        ];
        for (name, value) in levels {
            if !(value > 0.0 && value <= 1.0) {
                return refuse(name, value.to_string(), "above 0, at most 1");
            }
        }
        if !(0.0..=10.0).contains(&self.temperature) {
            return refuse("temperature", self.temperature.to_string(), "0 to 10");
        }
        if !(0.0..=100.0).contains(&self.spread_m) {
            return refuse("spread_m", self.spread_m.to_string(), "0 to 100");
        }
        Ok(())
    }
}

/// Where a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// So many of the 8 tokens are there.
    Tokens(usize),
    /// So many of this many passes over masked tokens are done; modes are what the pass takes them for.
    Filling(usize, usize),
    /// So many of this many denoising steps are done.
    Denoising(usize, usize),
    /// So many of this many steps of the flow are done, from 0 on: then modes are futures of the prior.
    Flowing(usize, usize),
    /// A planner outside the program has not answered yet; there are no modes.
    Waiting,
}

/// The modes as they are between two steps.
#[derive(Debug, Clone)]
pub struct ProposeStep {
    /// What has just been done.
    pub stage: Stage,
    /// The modes so far; points beyond the last token repeat it.
    pub modes: Vec<Mode>,
}

/// Proposes futures of the ego (row 0 of the window; the others nearest first, by [`crate::codec::remoteness`]).
pub trait Propose: Send + Sync {
    /// SHA-256 of the weights, hex; a name in angle brackets for what has no weights.
    fn identity(&self) -> &str;

    /// The modes, likeliest first. Reads tokens 0 to 4 of the window and its lanes, nothing later. `on_step` sees the
    /// modes after every token and every denoising step and may stop: then [`ProposeError::Stopped`] comes back.
    fn propose(
        &self,
        window: &Window,
        settings: &PlanSettings,
        on_step: &mut dyn FnMut(&ProposeStep) -> ControlFlow<()>,
    ) -> Result<Vec<Mode>, ProposeError>;
}

/// Who answers for the decoders that are not plain.
#[derive(Clone, Copy, Default)]
pub struct Planners<'a> {
    /// The planner's network, if there is one.
    pub network: Option<&'a dyn Propose>,
    /// A planner outside the program.
    pub own: Option<&'a dyn Ask>,
}

impl<'a> Planners<'a> {
    /// The network alone.
    pub fn of_network(network: &'a dyn Propose) -> Self {
        Self {
            network: Some(network),
            own: None,
        }
    }
}

/// Why there is no proposal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// The window has no row.
    #[error("there is no ego at the present; mark an agent as the ego or move the present")]
    NoEgo,
    /// The ego is nothing that drives.
    #[error("the ego is a {0}; the planner drives vehicles")]
    NotAVehicle(&'static str),
    /// A setting out of its range.
    #[error("{name} is {value}; it must be {allowed}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// The proposer does not know this decoder.
    #[error("this proposer has no decoder \"{0}\"")]
    Decoder(&'static str),
    /// The decoder is a network's, and there is none.
    #[error(
        "decoder \"{0}\" is a network's, and no planner weights are loaded; idm and constant-velocity need none"
    )]
    NoWeights(&'static str),
    /// The planner weights loaded have no such decoder.
    #[error("the planner weights in use hold no decoder \"{0}\"; the program's own do")]
    NoDecoder(&'static str),
    /// The decoder is a planner outside the program, and none is given.
    #[error(
        "decoder \"own\" is a planner of your own, and no command that starts it is given (--own COMMAND, or the field Command in the window)"
    )]
    NoOwn,
    /// A planner outside the program failed; a sentence.
    #[error("{0}")]
    Own(String),
    /// The network returned a number that is not finite, or failed otherwise.
    #[error("the planner's network failed: {0}")]
    Network(String),
    /// Stopped by the caller.
    #[error("stopped")]
    Stopped,
}
