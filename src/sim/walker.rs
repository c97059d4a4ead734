//! People on foot: along a path, over crossings when it is safe or green.

use super::world::{STEP_S, World};
use crate::geometry::{DVec2, OrientedBox, Polyline, Pose};
use crate::scene::State;

/// Someone walking.
#[derive(Debug, Clone)]
pub struct Walker {
    /// Unique in the world.
    pub id: u32,
    /// Where they walk.
    pub path: Polyline,
    /// Arc length reached, m.
    pub s: f64,
    /// Walking speed when nothing holds them, m/s.
    pub pace_mps: f64,
    /// Present speed, m/s.
    pub speed: f64,
    /// The crossing on the path: its number, from and to on the path (m), and whether the path runs along its line
    /// (1) or against it (−1).
    pub crossing: Option<(usize, [f64; 2], f64)>,
    /// Seconds they wait at the kerb before they start to look.
    pub hesitation_s: f64,
    started: bool,
}

/// Where someone is on a crossing's line.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnCrossing {
    /// Metres from the start of the line; outside of it while at the kerb.
    pub(super) at: f64,
    /// 1 along the line, −1 against it.
    pub(super) direction: f64,
    /// Whether they stand at the kerb.
    pub(super) waits: bool,
}

impl Walker {
    /// Footprint: 0.6 m by 0.6 m.
    pub fn footprint(&self) -> OrientedBox {
        OrientedBox::new(self.pose(), 0.6, 0.6)
    }

    fn pose(&self) -> Pose {
        let back = self.path.point_at((self.s - 0.4).max(0.0));
        let on = self.path.point_at((self.s + 0.4).min(self.path.length()));
        Pose::new(self.path.point_at(self.s), (on - back).to_angle())
    }

    /// Velocity in the scene's frame, m/s.
    pub fn velocity(&self) -> DVec2 {
        self.pose().forward() * self.speed
    }

    /// State for a scene.
    pub fn state(&self) -> State {
        State::along(self.pose(), self.speed)
    }

    /// Whether the path is walked to its end.
    pub(super) fn gone(&self) -> bool {
        self.s >= self.path.length() - 1e-6
    }

    /// Where they are on crossing `number`; `None` if they are not on it nor about to be.
    pub(super) fn on_crossing(&self, number: usize) -> Option<OnCrossing> {
        let (crossing, [from, to], direction) = self.crossing?;
        if crossing != number || self.s > to || self.s < from - 1.6 {
            return None;
        }
        let along = self.s - from;
        let at = if direction > 0.0 {
            along
        } else {
            to - from - along
        };
        Some(OnCrossing {
            at,
            direction,
            waits: !self.started,
        })
    }
}

impl World {
    /// Someone who walks `path` at `pace_mps` from arc length `s` on; a crossing the path runs along is recognised.
    pub fn walk(&mut self, path: Polyline, s: f64, pace_mps: f64, hesitation_s: f64) -> u32 {
        let id = self.take_id();
        let mut crossing = None;
        for (number, place) in self.network.crossings.iter().enumerate() {
            let (a, b) = (
                path.project(place.line.start()),
                path.project(place.line.end()),
            );
            if a.offset.abs() < place.width && b.offset.abs() < place.width {
                let span = [a.s.min(b.s), a.s.max(b.s)];
                if span[1] - span[0] > 0.8 * place.line.length() {
                    crossing = Some((number, span, if b.s > a.s { 1.0 } else { -1.0 }));
                }
            }
        }
        let started = crossing.is_none_or(|(_, span, _): (usize, [f64; 2], f64)| s > span[0]);
        self.walkers.push(Walker {
            id,
            path,
            s,
            pace_mps,
            speed: pace_mps,
            crossing,
            hesitation_s,
            started,
        });
        id
    }

    pub(super) fn move_walkers(&mut self) {
        for index in 0..self.walkers.len() {
            let walker = &self.walkers[index];
            let mut target = walker.pace_mps;
            let mut start = false;
            if let Some((crossing, span, _)) = walker.crossing
                && !walker.started
            {
                let room = span[0] - 0.5 - walker.s;
                if room < 1.0 {
                    start = walker.hesitation_s <= 0.0 && self.safe_to_cross(index, crossing);
                    if !start {
                        target = target.min((2.0 * room.max(0.0)).sqrt());
                        if room < 0.05 {
                            target = 0.0;
                        }
                    }
                }
            }
            let walker = &mut self.walkers[index];
            if start {
                walker.started = true;
            } else if target < 0.2 {
                walker.hesitation_s -= STEP_S;
            }
            let change = (target - walker.speed).clamp(-2.0 * STEP_S, 1.5 * STEP_S);
            walker.speed = (walker.speed + change).max(0.0);
            if target == 0.0 && walker.speed < 0.15 {
                walker.speed = 0.0;
            }
            walker.s = (walker.s + walker.speed * STEP_S).min(walker.path.length());
        }
    }

    /// Green, or every vehicle that comes is far, slow or able to stop without effort.
    fn safe_to_cross(&self, index: usize, crossing: usize) -> bool {
        let walker = &self.walkers[index];
        let place = &self.network.crossings[crossing];
        if let Some((plan, group)) = place.signal {
            let (shown, rest_s) = self.network.plans[plan].state(group, self.time_s);
            let needs_s = place.line.length() / walker.pace_mps;
            let clears_s = self.network.plans[plan].yellow_s + self.network.plans[plan].all_red_s;
            if shown != crate::scene::SignalState::Green || rest_s + clears_s < needs_s + 1.0 {
                return false;
            }
        }
        self.vehicles.iter().all(|vehicle| {
            let walk = vehicle.route.walks.iter().find(|walk| {
                walk.crossing == crossing && walk.at + place.width / 2.0 > vehicle.rear()
            });
            let Some(walk) = walk else {
                return true;
            };
            let distance = walk.at - place.width / 2.0 - vehicle.front();
            let speed = vehicle.speed();
            if distance < 0.3 {
                return false;
            }
            speed < 0.4 || speed * speed / (2.0 * distance.max(0.1)) < 1.4 || distance / speed > 9.0
        })
    }
}
