//! TLC: whether the ego enters a junction on red.

use std::collections::BTreeMap;

use super::{Path, Series, Term, TermKind, seconds};
use crate::codec::signals_by_lane;
use crate::geometry::{DVec2, angle_between};
use crate::planner::track::STEP_S;
use crate::scene::{Scene, Signal, SignalState};

/// Metres past the stop line that are not yet driven on.
const TOLERANCE_M: f64 = 1.0;
/// Difference of heading up to which a lane is driven along, rad.
const ALONG: f64 = std::f64::consts::FRAC_PI_4;

/// The lanes that lights hold traffic back from.
pub(super) struct Lights<'a> {
    scene: &'a Scene,
    by_lane: BTreeMap<usize, &'a Signal>,
}

impl<'a> Lights<'a> {
    /// Those of a scene, none unless they are `wanted`.
    pub(super) fn of(scene: &'a Scene, wanted: bool) -> Self {
        Self {
            scene,
            by_lane: if wanted {
                signals_by_lane(scene)
            } else {
                BTreeMap::new()
            },
        }
    }

    fn shows(&self, signal: &Signal, step: usize) -> SignalState {
        let frame = self
            .scene
            .frame_at(self.scene.now_s() + step as f64 * STEP_S);
        signal.at((frame + 1e-6).max(0.0) as usize)
    }

    /// The governed lanes that are driven along at a place, at least [`TOLERANCE_M`] past their start, with the metres from
    /// there.
    fn under(&self, point: DVec2, heading: f64) -> Vec<(usize, f64)> {
        let map = &self.scene.map;
        let mut hits = map.lanes_near(point, 4.0);
        hits.retain(|hit| {
            self.by_lane.contains_key(&hit.lane)
                && hit.s > TOLERANCE_M
                && hit.offset.abs() <= map.lanes()[hit.lane].width_or_default() / 2.0
                && angle_between(hit.pose.heading, heading).abs() <= ALONG
        });
        hits.into_iter().map(|hit| (hit.lane, hit.s)).collect()
    }
}

/// 0 if the middle of the front enters connections whose lights are red when it does, and then is in no other.
/// Connections that cross are not its own; whoever is inside when the light changes drives on.
pub(super) fn traffic_lights(path: &Path<'_>) -> Term {
    let lights = &path.stage.lights;
    let count = path.states.len();
    let mut term = Term {
        kind: TermKind::TrafficLights,
        score: 1.0,
        value: 0.0,
        limit: 0.0,
        unit: "steps past a red light",
        time_s: None,
        who: None,
        reason: "no red light is passed".to_owned(),
        series: Series {
            what: "past a red light",
            unit: "",
            limit: Some(0.0),
            values: vec![0.0; count],
        },
    };
    if lights.by_lane.is_empty() {
        term.reason = "the scene knows no lights".to_owned();
        return term;
    }
    // whether each lane was red when it was entered; at the start nothing is being entered
    let mut inside: BTreeMap<usize, bool> = BTreeMap::new();
    for (step, footprint) in path.footprints.iter().enumerate() {
        let pose = footprint.pose;
        let front = pose.point + pose.forward() * (footprint.length / 2.0);
        let stride = path.speed(step) * STEP_S + 1.0;
        let entered = |(lane, s): (usize, f64)| {
            let over_the_line = step > 0 && s <= TOLERANCE_M + stride;
            let red = || lights.shows(lights.by_lane[&lane], step) == SignalState::Red;
            let before = inside.get(&lane).copied();
            (lane, before.unwrap_or_else(|| over_the_line && red()))
        };
        let now: BTreeMap<usize, bool> = lights
            .under(front, pose.heading)
            .into_iter()
            .map(entered)
            .collect();
        if !now.is_empty() && now.values().all(|red| *red) {
            term.score = 0.0;
            term.value += 1.0;
            term.series.values[step] = 1.0;
            if term.time_s.is_none() {
                let lane = now.keys().next().copied().unwrap_or_default();
                term.time_s = Some(seconds(step));
                term.reason = format!(
                    "the front is past the red light of lane {} after {:.1} s",
                    lights.scene.map.lanes()[lane].id,
                    seconds(step)
                );
            }
        }
        inside = now;
    }
    term
}
