//! Which formula: NAVSIM's two, and nuPlan's.

use serde::{Deserialize, Serialize};

use super::{Term, TermKind};

/// Whose formula a score follows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// NAVSIM v1.1's PDM score, of a plan.
    #[default]
    Pdms,
    /// NAVSIM v2's extended PDM score, of a plan.
    Epdms,
    /// nuPlan's closed-loop score, of a drive.
    #[serde(rename = "nuplan")]
    NuPlan,
}

impl Variant {
    /// Those a plan is scored by.
    pub const OF_PLANS: [Self; 2] = [Self::Pdms, Self::Epdms];

    /// The name on the command line and in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Pdms => "pdms",
            Self::Epdms => "epdms",
            Self::NuPlan => "nuplan",
        }
    }

    /// The name in the window.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pdms => "PDMS (NAVSIM v1.1)",
            Self::Epdms => "EPDMS (NAVSIM v2)",
            Self::NuPlan => "nuPlan closed loop",
        }
    }

    /// What the total is, in words, and where it differs from the published one.
    pub fn words(self) -> &'static str {
        match self {
            Self::Pdms => {
                "PDMS-style: v1.1 formula NC · DAC · (5 EP + 5 TTC + 2 C + 0 DDC) / 12 over 4 s at 10 Hz; \
                 reference planner = the IDM lane follower, EP against the farthest of it and of all modes; drivable area = lanes, \
                 areas and kerbs of the map with 0.3 m tolerance; progress along lanes instead of a route; DDC by the direction of lanes; \
                 at the joint of a lane and its successor the ego straddles nothing"
            }
            Self::Epdms => {
                "EPDMS-style: v2 formula NC · DAC · DDC · TLC · (5 EP + 5 TTC + 2 LK + 2 HC) / 14 over 4 s at 10 Hz, without EC, as for a \
                 plan with none before it; one stage, others as recorded; the human filter where a recorded scene is scored by what happens; \
                 reference planner = the IDM lane follower; drivable area, progress, DDC and joints as in the PDMS-style score; LK by the nearest \
                 lane; TLC: the front enters connections that are red"
            }
            Self::NuPlan => {
                "nuPlan-style closed-loop score NC · DAC · MP · DDC · (5 EP + 5 TTC + 4 SL + 2 C) / 16 over the drive at 10 Hz; expert = the \
                 log; drivable area = lanes, areas and kerbs of the map with 0.3 m tolerance; progress along lanes instead of the \
                 expert's route; DDC by the direction of lanes"
            }
        }
    }

    /// The sub-scores, in the order of the formula.
    pub fn terms(self) -> &'static [TermKind] {
        use TermKind::{
            Comfort, Direction, DrivableArea, HistoryComfort, LaneKeeping, MakingProgress,
            NoCollision, Progress, SpeedLimit, TimeToCollision, TrafficLights,
        };
        match self {
            Self::Pdms => &[
                NoCollision,
                DrivableArea,
                Direction,
                TimeToCollision,
                Progress,
                Comfort,
            ],
            Self::Epdms => &[
                NoCollision,
                DrivableArea,
                Direction,
                TrafficLights,
                Progress,
                TimeToCollision,
                LaneKeeping,
                HistoryComfort,
            ],
            Self::NuPlan => &[
                NoCollision,
                DrivableArea,
                MakingProgress,
                Direction,
                Progress,
                TimeToCollision,
                SpeedLimit,
                Comfort,
            ],
        }
    }

    /// Those of them that multiply the weighted rest.
    pub(super) fn factors(self) -> &'static [TermKind] {
        use TermKind::{Direction, DrivableArea, MakingProgress, NoCollision, TrafficLights};
        match self {
            Self::Pdms => &[NoCollision, DrivableArea],
            Self::Epdms => &[NoCollision, DrivableArea, Direction, TrafficLights],
            Self::NuPlan => &[NoCollision, DrivableArea, MakingProgress, Direction],
        }
    }

    /// The weighted rest.
    fn weights(self) -> &'static [(f64, TermKind)] {
        use TermKind::{
            Comfort, HistoryComfort, LaneKeeping, Progress, SpeedLimit, TimeToCollision,
        };
        match self {
            Self::Pdms => &[(5.0, Progress), (5.0, TimeToCollision), (2.0, Comfort)],
            Self::Epdms => &[
                (5.0, Progress),
                (5.0, TimeToCollision),
                (2.0, LaneKeeping),
                (2.0, HistoryComfort),
            ],
            Self::NuPlan => &[
                (5.0, Progress),
                (5.0, TimeToCollision),
                (4.0, SpeedLimit),
                (2.0, Comfort),
            ],
        }
    }

    /// The total of a plan whose like was made before it: with EC, where the formula knows it. `of` are the sub-scores.
    pub fn with_extended_comfort(
        self,
        total: f64,
        of: impl Fn(TermKind) -> f64,
        is_comfortable: bool,
    ) -> Option<f64> {
        const WEIGHT: f64 = 2.0;
        let product: f64 = self.factors().iter().map(|kind| of(*kind)).product();
        let all: f64 = self.weights().iter().map(|(weight, _)| weight).sum();
        let extended = WEIGHT * f64::from(is_comfortable) * product;
        (self == Self::Epdms).then(|| (all * total + extended) / (all + WEIGHT))
    }

    /// Whether a sub-score has a part in the total.
    pub fn counts(self, kind: TermKind) -> bool {
        self.factors().contains(&kind) || self.weights().iter().any(|(_, of)| *of == kind)
    }

    /// What a sub-score takes from the total: of a factor its distance from 1, and of a weighted one its weight times that.
    pub(super) fn costs(self, term: &Term) -> [f64; 2] {
        let lost = 1.0 - term.score;
        let weighted = self.weights().iter().find(|(_, kind)| *kind == term.kind);
        let weight = weighted.map_or(0.0, |(weight, _)| *weight);
        let factor = self.factors().contains(&term.kind);
        [f64::from(factor) * lost, weight * lost]
    }

    /// The total of sub-scores and its arithmetic.
    pub(super) fn total(self, terms: &[Term]) -> (f64, String) {
        let of = |kind: TermKind| {
            let term = terms.iter().find(|term| term.kind == kind);
            term.map_or(1.0, |term| term.score)
        };
        let shown = |kind: TermKind| match kind {
            TermKind::Progress | TermKind::SpeedLimit => format!("{:.3}", of(kind)),
            kind => of(kind).to_string(),
        };
        let factors: Vec<String> = self.factors().iter().map(|kind| shown(*kind)).collect();
        let weighted = self.weights().iter();
        let sum: Vec<String> = weighted
            .clone()
            .map(|(weight, kind)| format!("{weight} · {}", shown(*kind)))
            .collect();
        let all: f64 = weighted.clone().map(|(weight, _)| weight).sum();
        let rest: f64 = weighted.map(|(weight, kind)| weight * of(*kind)).sum();
        let product: f64 = self.factors().iter().map(|kind| of(*kind)).product();
        let total = product * (rest / all);
        let arithmetic = format!(
            "{} · ({}) / {all} = {total:.3}",
            factors.join(" · "),
            sum.join(" + ")
        );
        (total, arithmetic)
    }
}
