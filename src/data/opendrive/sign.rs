//! Signs and traffic lights beside roads, and for which lanes they hold.

use super::road::speed;
use crate::data::xml::Element;

/// A signal of a road: a sign, a light, or a mark on the ground.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sign {
    pub(super) id: String,
    pub(super) kind: SignKind,
    pub(super) s: f64,
    /// To the left of the reference line, m.
    pub(super) t: f64,
    /// It holds for traffic the way of s, or against it; `None` for both.
    forward: Option<bool>,
    /// From the first of these lanes to the second; for all if there are none.
    lanes: Vec<(i32, i32)>,
}

/// What a signal says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum SignKind {
    /// A traffic light for vehicles.
    Light,
    /// A traffic light for others.
    OtherLight,
    Stop,
    /// A speed limit, m/s.
    Limit(f64),
    /// The same as the signal of this id on another road.
    Reference,
    Other,
}

impl Sign {
    /// Whether it says for which lanes it holds.
    pub(super) fn names_lanes(&self) -> bool {
        !self.lanes.is_empty()
    }

    /// Whether it holds for a lane whose traffic goes the way of s, or against it.
    pub(super) fn holds_for(&self, lane: i32, forward: bool) -> bool {
        let within = |&(from, to): &(i32, i32)| (from.min(to)..=from.max(to)).contains(&lane);
        self.forward.is_none_or(|way| way == forward)
            && (self.lanes.is_empty() || self.lanes.iter().any(within))
    }
}

/// The signals of a `<road>`, and those of others that it refers to.
pub(super) fn signs(road: &Element) -> Vec<Sign> {
    let listed = road.child("signals").into_iter();
    let listed = listed.flat_map(|signals| &signals.children);
    listed.filter_map(sign).collect()
}

fn sign(element: &Element) -> Option<Sign> {
    let text = |name: &str| element.attribute(name).unwrap_or_default();
    let kind = match element.name.as_str() {
        "signal" => kind(element),
        "signalReference" => SignKind::Reference,
        _ => return None,
    };
    let lanes = element.all("validity").filter_map(|lanes| {
        let lane = |name: &str| lanes.attribute(name)?.trim().parse::<i32>().ok();
        Some((lane("fromLane")?, lane("toLane")?))
    });
    Some(Sign {
        id: text("id").to_owned(),
        kind,
        s: element.number_attribute("s").unwrap_or(0.0),
        t: element.number_attribute("t").unwrap_or(0.0),
        forward: match text("orientation") {
            "+" => Some(true),
            "-" => Some(false),
            _ => None,
        },
        lanes: lanes.collect(),
    })
}

/// By the catalog of OpenDRIVE and German numbers, or the names of the United States.
fn kind(element: &Element) -> SignKind {
    let text = |name: &str| element.attribute(name).unwrap_or_default().to_lowercase();
    let (number, country) = (text("type"), text("country"));
    if text("dynamic") == "yes" {
        return match number.as_str() {
            // for who walks, cycles or goes by tram
            "1000002" | "1000007" | "1000013" | "1000014" => SignKind::OtherLight,
            _ => SignKind::Light,
        };
    }
    let german = matches!(
        country.as_str(),
        "" | "opendrive" | "de" | "deu" | "germany"
    );
    // a number without its unit is none
    let limit = || {
        element.attribute("unit")?;
        speed(element, "value").map(SignKind::Limit)
    };
    match number.as_str() {
        "206" if german => SignKind::Stop,
        "r1-1" => SignKind::Stop,
        "r1" if text("subtype") == "1" => SignKind::Stop,
        "274" if german => limit().unwrap_or(SignKind::Other),
        "r2-1" => limit().unwrap_or(SignKind::Other),
        _ => SignKind::Other,
    }
}
