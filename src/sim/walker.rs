//! People on foot: along a path, over crossings when it is safe or green.

use super::world::{STEP_S, World};
use crate::geometry::{DVec2, OrientedBox, Polyline, Pose, polygon_contains};
use crate::map::AreaKind;
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
    /// Someone who walks along `path`, half a metre right of it and with its corners rounded, at `pace_mps` from arc
    /// length `s` on; a crossing the path runs along is recognised.
    pub fn walk(&mut self, path: Polyline, s: f64, pace_mps: f64, hesitation_s: f64) -> u32 {
        let id = self.take_id();
        let path = rounded(&path).unwrap_or(path);
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

    /// New people at the crossings.
    pub(super) fn admit_walkers(&mut self) {
        if self.walkers_per_s <= 0.0 {
            return;
        }
        for crossing in 0..self.network.crossings.len() {
            if !self.draw.chance(self.walkers_per_s * STEP_S) {
                continue;
            }
            let line = &self.network.crossings[crossing].line;
            let (mut from, mut to) = (line.start(), line.end());
            if self.draw.chance(0.5) {
                (from, to) = (to, from);
            }
            let across = (to - from).normalize_or_zero();
            let map = std::sync::Arc::clone(&self.network.map);
            let on_road = |point: DVec2| {
                map.areas().iter().any(|area| {
                    area.kind == AreaKind::Drivable && polygon_contains(&area.polygon, point)
                })
            };
            let beside = |kerb: DVec2| {
                let way = across.perp() * 14.0;
                if on_road(kerb + way) || on_road(kerb + 0.6 * way) {
                    kerb - way
                } else {
                    kerb + way
                }
            };
            let (start, end) = (from - across * 1.3, to + across * 1.3);
            let path = Polyline::new([beside(start), start, end, beside(end)]);
            let pace = self.draw.uniform(1.0, 1.7);
            let hesitation = self.draw.uniform(0.0, 1.2);
            if let Some(path) = path {
                self.walk(path, 0.0, pace, hesitation);
            }
        }
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
            target = target.min(self.pace_behind(index));
            if self.vehicle_in_front(index) {
                target = 0.0;
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

    /// Whether a vehicle stands in the next metre of the way.
    fn vehicle_in_front(&self, index: usize) -> bool {
        let pose = self.walkers[index].pose();
        self.vehicles.iter().any(|vehicle| {
            let centre = vehicle.bicycle.centre();
            let footprint = OrientedBox::new(centre, vehicle.length, vehicle.width).grown(0.4);
            [0.4, 0.8, 1.2]
                .iter()
                .any(|&ahead| footprint.contains(pose.point + pose.forward() * ahead))
        })
    }

    /// Nobody walks into the back of someone slower: pace allowed behind others on the same way, m/s.
    fn pace_behind(&self, index: usize) -> f64 {
        let walker = &self.walkers[index];
        let pose = walker.pose();
        let others = self.walkers.iter().enumerate();
        others
            .filter(|&(other, them)| {
                let local = pose.local_from_outer(them.pose().point);
                let same_way = them.pose().forward().dot(pose.forward()) > 0.3;
                other != index && same_way && local.x > 0.0 && local.x < 1.3 && local.y.abs() < 0.7
            })
            .map(|(_, them)| them.speed.min(walker.pace_mps) * 0.95)
            .fold(f64::INFINITY, f64::min)
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

/// The path half a metre to the right, its corners cut over 0.8 m.
fn rounded(path: &Polyline) -> Option<Polyline> {
    let path = path.shifted(-0.5)?;
    let mut points = path.points().to_vec();
    for _ in 0..3 {
        let mut next = vec![points[0]];
        for pair in points.windows(2) {
            let length = pair[0].distance(pair[1]);
            let cut = (0.25 * length).min(0.8) / length;
            next.push(pair[0].lerp(pair[1], cut));
            next.push(pair[0].lerp(pair[1], 1.0 - cut));
        }
        next.extend(points.last());
        points = next;
    }
    Polyline::new(points)
}
