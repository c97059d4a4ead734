//! Traffic lights: what a scenario's controllers and actions let them show.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::play::FRAME_S;
use crate::data::OpenError;
use crate::data::draft::MAX_CELLS;
use crate::data::opendrive::Network;
use crate::data::report::Report;
use crate::data::xml::Element;
use crate::map::LaneId;
use crate::scene::{Signal, SignalState};

/// A moment that is nearer than this has come, s.
const MOMENT_S: f64 = 1e-6;
/// Most controllers that each start after the one before.
const MOST_REFERENCES: usize = 100;

/// That a light, by its id, shows something from a time on, s.
pub(super) type Change = (f64, String, SignalState);

/// What a controller lets a light show, over and over.
struct Cycle {
    start_s: f64,
    length_s: f64,
    /// From so many seconds of the cycle on.
    shown: Vec<(f64, SignalState)>,
}

impl Cycle {
    /// What is shown at a time, and since when.
    fn at(&self, time_s: f64) -> Option<(SignalState, f64)> {
        let (last_s, last) = *self.shown.last()?;
        if self.length_s <= 0.0 {
            return Some((last, 0.0));
        }
        let within = (time_s - self.start_s).rem_euclid(self.length_s);
        let begun = self.shown.partition_point(|(from, _)| *from <= within);
        Some(match begun.checked_sub(1) {
            Some(at) => (self.shown[at].1, time_s - within + self.shown[at].0),
            // from the end of the cycle before
            None => (last, time_s - within - self.length_s + last_s),
        })
    }
}

/// What a text says that a light shows: a colour, or its three lamps from the top (`on;off;off`). `None` for other texts.
pub(super) fn shown(text: &str) -> Option<SignalState> {
    let text = text.to_lowercase();
    let lamps: Vec<&str> = text.split(';').map(str::trim).collect();
    if let [red, yellow, green] = lamps[..] {
        let state = match (red, yellow, green) {
            ("flashing", ..) => SignalState::FlashingRed,
            ("on", ..) => SignalState::Red,
            (_, "flashing", _) => SignalState::FlashingYellow,
            (_, "on", _) => SignalState::Yellow,
            (_, _, "on" | "flashing") => SignalState::Green,
            _ => SignalState::Unknown,
        };
        return Some(state);
    }
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let flashes = says(&["flash", "blink"]);
    Some(match () {
        () if says(&["off"]) => SignalState::Unknown,
        () if says(&["red", "stop", "nogo"]) => match flashes {
            true => SignalState::FlashingRed,
            false => SignalState::Red,
        },
        () if says(&["yellow", "amber", "caution", "attention"]) => match flashes {
            true => SignalState::FlashingYellow,
            false => SignalState::Yellow,
        },
        () if says(&["green", "go"]) => SignalState::Green,
        () => return None,
    })
}

/// The signals of a network as `<TrafficSignals>` and the actions of a scenario say, one for each lane that has a light.
///
/// # Errors
/// If there would be more states than a scene may have.
pub(super) fn signals(
    element: Option<&Element>,
    changes: &[Change],
    network: &Network,
    frames: usize,
    path: &Path,
    report: &mut Report,
) -> Result<Vec<Signal>, OpenError> {
    let cycles = element.map_or_else(BTreeMap::new, |element| cycles(element, report));
    let mut by_light: BTreeMap<&str, Vec<(f64, SignalState)>> = BTreeMap::new();
    for (time_s, id, state) in changes {
        by_light.entry(id).or_default().push((*time_s, *state));
    }
    let ids: BTreeSet<&str> = cycles.keys().chain(by_light.keys()).copied().collect();
    let lanes_of = network.light_lanes();
    let mut held: BTreeSet<LaneId> = BTreeSet::new();
    let mut signals = Vec::new();
    let mut lost: Vec<&str> = Vec::new();
    for id in &ids {
        let Some(lanes) = lanes_of.get(id).filter(|lanes| !lanes.is_empty()) else {
            lost.push(id);
            continue;
        };
        let own = by_light.get(id).map_or(&[][..], Vec::as_slice);
        let at = |frame: usize| {
            let now_s = frame as f64 * FRAME_S + MOMENT_S;
            let cycle = cycles.get(id).and_then(|cycle| cycle.at(now_s));
            let told = own[..own.partition_point(|(from, _)| *from <= now_s)].last();
            match (cycle, told) {
                (Some((state, since)), Some((from, _))) if since > from + MOMENT_S => state,
                (_, Some((_, state))) => *state,
                (Some((state, _)), None) => state,
                (None, None) => SignalState::Unknown,
            }
        };
        let cells = (signals.len() + lanes.len()).saturating_mul(frames);
        OpenError::within(path, "traffic lights times frames", cells, MAX_CELLS)?;
        let states: Vec<SignalState> = (0..frames).map(at).collect();
        for (lane, stop) in lanes {
            if held.insert(lane.clone()) {
                signals.push(Signal::new(lane.clone(), Some(*stop), states.clone()));
            }
        }
    }
    if !lost.is_empty() {
        let what = "no lane of the road has such a light; left out";
        report.problem("TrafficSignals", lost.join(", "), what);
    }
    for (lane, stop) in network.unlit(&ids, report) {
        let cells = (signals.len() + 1).saturating_mul(frames);
        OpenError::within(path, "traffic lights times frames", cells, MAX_CELLS)?;
        if held.insert(lane.clone()) {
            let states = vec![SignalState::Unknown; frames];
            signals.push(Signal::new(lane, Some(stop), states));
        }
    }
    Ok(signals)
}

/// Cycles of lights by their ids.
fn cycles<'a>(element: &'a Element, report: &mut Report) -> BTreeMap<&'a str, Cycle> {
    let controllers: BTreeMap<&str, &Element> = element
        .all("TrafficSignalController")
        .filter_map(|controller| Some((controller.attribute("name")?, controller)))
        .collect();
    let mut cycles: BTreeMap<&str, Cycle> = BTreeMap::new();
    let mut odd: BTreeSet<&str> = BTreeSet::new();
    for controller in element.all("TrafficSignalController") {
        // a controller starts so long after the one that it names
        let (mut start_s, mut next) = (0.0, Some(controller));
        for _ in 0..MOST_REFERENCES {
            let Some(here) = next else {
                break;
            };
            start_s += here.number_attribute("delay").unwrap_or(0.0);
            next = here
                .attribute("reference")
                .and_then(|name| controllers.get(name).copied());
        }
        let mut length_s = 0.0;
        let mut shown_by: BTreeMap<&str, Vec<(f64, SignalState)>> = BTreeMap::new();
        for phase in controller.all("Phase") {
            let groups = phase.all("TrafficSignalGroupState").count();
            report.skip_many("states of groups of traffic lights", groups);
            for state in phase.all("TrafficSignalState") {
                let id = state.attribute("trafficSignalId").unwrap_or_default();
                let text = state.attribute("state").unwrap_or_default();
                match shown(text) {
                    Some(state) => shown_by.entry(id).or_default().push((length_s, state)),
                    None => {
                        odd.insert(text);
                    }
                }
            }
            length_s += phase.number_attribute("duration").unwrap_or(0.0).max(0.0);
        }
        for (id, shown) in shown_by {
            cycles.entry(id).or_insert(Cycle {
                start_s,
                length_s,
                shown,
            });
        }
    }
    if !odd.is_empty() {
        let texts: Vec<&str> = odd.into_iter().collect();
        let what = "names no colour of a traffic light; left out";
        report.problem("TrafficSignalState", texts.join(", "), what);
    }
    cycles
}
