//! Who drives: temperaments and vehicles, drawn at random.

use super::idm::{Idm, Mobil};
use crate::rng::Stream;
use crate::scene::AgentKind;

/// Kinds of road users on lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// A passenger car.
    Car,
    /// A delivery van.
    Van,
    /// A rigid truck.
    Truck,
    /// A city bus.
    Bus,
    /// A bicycle.
    Bicycle,
}

impl Body {
    /// The word for it in scene files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Car => "car",
            Self::Van => "van",
            Self::Truck => "truck",
            Self::Bus => "bus",
            Self::Bicycle => "bicycle",
        }
    }

    /// Its kind in a scene.
    pub fn kind(self) -> AgentKind {
        match self {
            Self::Bicycle => AgentKind::Cyclist,
            _ => AgentKind::Vehicle,
        }
    }

    /// Length and width, m, drawn around usual sizes.
    pub fn size(self, draw: &mut Stream) -> (f64, f64) {
        match self {
            Self::Car => (draw.uniform(4.1, 5.0), draw.uniform(1.75, 1.95)),
            Self::Van => (draw.uniform(5.2, 6.1), draw.uniform(2.0, 2.1)),
            Self::Truck => (draw.uniform(7.5, 9.5), draw.uniform(2.4, 2.5)),
            Self::Bus => (12.0, 2.55),
            Self::Bicycle => (1.8, 0.65),
        }
    }
}

/// How someone drives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Driver {
    /// Following.
    pub idm: Idm,
    /// Changing lanes.
    pub mobil: Mobil,
    /// Desired speed as a share of the limit.
    pub speed_factor: f64,
    /// Time left between the own passing and the next one's, s: larger is more careful.
    pub gap_margin_s: f64,
    /// Sideways acceleration accepted in curves, m/s².
    pub curve_acceleration: f64,
    /// Constant offset from the lane's centre, m, positive to the left.
    pub bias_m: f64,
    /// Standard deviation of slow wandering in the lane, m.
    pub wander_m: f64,
    /// Whether this driver lets others in.
    pub courteous: bool,
}

impl Driver {
    /// An average driver of `body`, the same each time.
    pub fn average(body: Body) -> Self {
        let idm = Idm::city();
        let idm = match body {
            Body::Truck | Body::Bus => Idm {
                acceleration: 0.9,
                time_gap: 1.4,
                ..idm
            },
            Body::Bicycle => Idm {
                desired_speed: 5.0,
                acceleration: 0.8,
                standstill_gap: 1.2,
                ..idm
            },
            Body::Car | Body::Van => idm,
        };
        Self {
            idm,
            mobil: Mobil::usual(),
            speed_factor: 1.0,
            gap_margin_s: 1.2,
            curve_acceleration: 2.2,
            bias_m: 0.0,
            wander_m: 0.0,
            courteous: true,
        }
    }

    /// A driver of `body` with a temperament of their own: desired speed 0.9 to 1.12 of the limit, time gap 0.75
    /// to 1.45 s, acceleration 1.2 to 1.9 m/s², politeness 0 to 0.5.
    pub fn drawn(body: Body, draw: &mut Stream) -> Self {
        let average = Self::average(body);
        let hurry = draw.unit();
        let spread = |low: f64, high: f64| low + (high - low) * hurry;
        Self {
            idm: Idm {
                time_gap: average.idm.time_gap * spread(1.4, 0.75) * draw.uniform(0.92, 1.08),
                acceleration: average.idm.acceleration * spread(0.8, 1.25),
                braking: average.idm.braking * spread(0.9, 1.2),
                standstill_gap: average.idm.standstill_gap * draw.uniform(0.8, 1.3),
                desired_speed: average.idm.desired_speed * draw.uniform(0.85, 1.2),
            },
            mobil: Mobil {
                politeness: draw.uniform(0.0, 0.5),
                ..average.mobil
            },
            speed_factor: spread(0.9, 1.1) * draw.uniform(0.98, 1.02),
            gap_margin_s: spread(1.8, 0.7),
            curve_acceleration: spread(1.7, 2.8),
            bias_m: 0.12 * draw.normal().clamp(-1.5, 1.5),
            wander_m: draw.uniform(0.03, 0.12),
            courteous: draw.chance(0.7),
        }
    }
}
