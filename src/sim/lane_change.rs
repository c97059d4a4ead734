//! Changing lanes: when it pays (MOBIL) or must be, and the sideways motion while it lasts.

use std::sync::Arc;

use super::network::Network;
use super::route::Route;
use super::world::{Vehicle, World};
use crate::geometry::Polyline;

/// Below this speed a change goes on by the way covered, as if at this speed, instead of by time, m/s.
pub(super) const SLOW_MPS: f64 = 6.0;

/// Longest time a change takes, s.
const LONGEST_S: f64 = 6.0;

/// Share of a change's time after which a body has left its lane: three quarters of the quintic.
const CLEAR: f64 = 0.65;

/// Longer bodies swing wide, m.
const LONG_M: f64 = 7.0;

/// A change under way: the offset from the new lane goes from `from_m` to 0 along a quintic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Offset from the new lane's centre at the start, m.
    pub from_m: f64,
    /// Time done, s.
    pub progress_s: f64,
    /// Time it takes, s.
    pub duration_s: f64,
}

impl Change {
    /// Offset that remains `ahead_s` seconds from now, m: zero speed and acceleration sideways at both ends.
    pub fn offset(&self, ahead_s: f64) -> f64 {
        let part = ((self.progress_s + ahead_s) / self.duration_s).clamp(0.0, 1.0);
        let done = part.powi(3) * (10.0 - 15.0 * part + 6.0 * part * part);
        self.from_m * (1.0 - done)
    }
}

/// Neighbours in a lane one may change to: gap and speed, bumper to bumper.
struct Neighbours {
    leader: Option<(f64, f64)>,
    follower: Option<(f64, usize)>,
}

impl World {
    /// Lets everyone whose turn it is (each once a second) consider a change.
    pub(super) fn change_lanes(&mut self) {
        let network = Arc::clone(&self.network);
        for index in 0..self.vehicles.len() {
            let vehicle = &self.vehicles[index];
            let turn = (self.steps + u64::from(vehicle.id)) % 10;
            let must = vehicle.route.dead_end && vehicle.route.line.length() - vehicle.s < 260.0;
            if vehicle.change.is_some() || (turn != 0 && !(must && turn.is_multiple_of(2))) {
                continue;
            }
            let calm = self.time_s - vehicle.last_change_s > 4.0;
            let link = &network.links[vehicle.lane()];
            if link.junction.is_some()
                || !(calm || must)
                || vehicle.speed() < 1.0
                || (link.predecessors.is_empty() && vehicle.s < 30.0)
            {
                continue;
            }
            let lane_index = vehicle.route.index_at(vehicle.s);
            let end = vehicle.route.starts.get(lane_index + 1).copied();
            let rest = end.unwrap_or(vehicle.route.line.length()) - vehicle.s;
            let needed = 4.5 * vehicle.speed() + 12.0;
            if rest < needed && !must {
                continue;
            }
            for target in [link.left, link.right].into_iter().flatten() {
                if self.worth_it(index, target, must, rest) {
                    self.start_change(index, target, &network);
                    break;
                }
            }
        }
    }

    fn worth_it(&self, index: usize, target: usize, must: bool, rest: f64) -> bool {
        let me = &self.vehicles[index];
        let ends = |lane: usize| {
            let link = &self.network.links[lane];
            link.successors.is_empty() && !link.is_exit
        };
        if ends(target) {
            return false;
        }
        let Some(neighbours) = self.neighbours(index, target) else {
            return false;
        };
        let speed = me.speed();
        // a long body must leave its lane before it reaches the leader there
        let way_m = CLEAR * LONGEST_S * speed.max(SLOW_MPS);
        let ahead = match me.length > LONG_M {
            true => self.neighbours(index, me.lane()).and_then(|own| own.leader),
            false => None,
        };
        if let Some((gap, lead_speed)) = ahead
            && gap < 1.0 + way_m * (1.0 - lead_speed / speed).max(0.0)
        {
            return false;
        }
        let mut idm = me.driver.idm;
        idm.desired_speed = me.route.speed_at(me.s).max(1.0);
        let urgent = must && rest < 90.0;
        let slack = if urgent { 1.0 } else { 2.0 };
        let after = match neighbours.leader {
            Some((gap, _)) if gap < slack + 0.2 * speed => return false,
            Some((gap, lead_speed)) => idm.follow(speed, gap, lead_speed),
            None => idm.free(speed),
        };
        let (new_now, new_after) = match neighbours.follower {
            Some((gap, other)) => {
                let them = &self.vehicles[other];
                if gap < slack + 0.2 * them.speed() {
                    return false;
                }
                let mut theirs = them.driver.idm;
                theirs.desired_speed = them.route.speed_at(them.s).max(1.0);
                (them.acceleration, theirs.follow(them.speed(), gap, speed))
            }
            None => (0.0, 0.0),
        };
        if must {
            let hardest = if urgent { 3.5 } else { 2.0 };
            return new_after > -hardest && after > -3.0;
        }
        let mandatory_gain = if me.route.dead_end { 1.0 } else { 0.0 };
        me.driver.mobil.pays(
            (me.acceleration, after + mandatory_gain),
            (new_now, new_after),
            (0.0, 0.0),
        )
    }

    /// Whom vehicle `index` adapts to around a lane that ends, gap (m) and speed (m/s): on it the future leader, beside
    /// it those who must come in ahead.
    pub(super) fn lets_in(&self, index: usize) -> Vec<(f64, f64)> {
        let me = &self.vehicles[index];
        let at = |vehicle: &Vehicle| {
            let lane_index = vehicle.route.index_at(vehicle.s);
            vehicle.s - vehicle.route.starts[lane_index]
        };
        let link = &self.network.links[me.lane()];
        let ends = |lane: usize| {
            let link = &self.network.links[lane];
            link.successors.is_empty() && !link.is_exit
        };
        let mut found = Vec::new();
        if ends(me.lane()) && me.change.is_none() {
            let target = link.left.or(link.right);
            if let Some((gap, speed)) = target
                .and_then(|lane| self.neighbours(index, lane))
                .and_then(|neighbours| neighbours.leader)
                && gap > -2.0
                && me.route.line.length() - me.s < 170.0
            {
                found.push((gap.max(4.0), speed));
            }
            return found;
        }
        for lane in [link.left, link.right].into_iter().flatten() {
            if !ends(lane) || !me.driver.courteous {
                continue;
            }
            for them in self.vehicles.iter().filter(|them| them.lane() == lane) {
                let gap = at(them) - at(me) - (me.length + them.length) / 2.0;
                let urgent = them.route.line.length() - them.s < 150.0;
                if urgent && (0.0..25.0).contains(&gap) && them.speed() > 3.0 {
                    found.push((gap.max(5.0), them.speed()));
                }
            }
        }
        found
    }

    /// The leader and the follower that vehicle `index` would have in lane `target`.
    fn neighbours(&self, index: usize, target: usize) -> Option<Neighbours> {
        let me = &self.vehicles[index];
        let map = self.network.map.lanes();
        let link = &self.network.links[target];
        let parts = [
            link.predecessors.first().copied(),
            Some(target),
            link.successors.first().copied(),
        ];
        let points = parts
            .into_iter()
            .flatten()
            .flat_map(|lane| map[lane].centreline.points().iter().copied());
        let line = Polyline::new(points)?;
        let own = line.project(me.bicycle.centre().point).s;
        let mut found = Neighbours {
            leader: None,
            follower: None,
        };
        for (other, them) in self.vehicles.iter().enumerate() {
            let centre = them.bicycle.centre().point;
            if other == index || centre.distance(me.bicycle.centre().point) > 130.0 {
                continue;
            }
            let at = line.project(centre);
            let beside = at.offset.abs() < them.width / 2.0 + 1.3;
            if !beside && them.lane() != target {
                continue;
            }
            let gap = (at.s - own).abs() - (me.length + them.length) / 2.0;
            if at.s >= own {
                if found.leader.is_none_or(|(old, _)| gap < old) {
                    found.leader = Some((gap, them.speed()));
                }
            } else if found.follower.is_none_or(|(old, _)| gap < old) {
                found.follower = Some((gap, other));
            }
        }
        Some(found)
    }

    pub(super) fn start_change(&mut self, index: usize, target: usize, network: &Network) {
        let me = &mut self.vehicles[index];
        let manner = me.manner();
        let Some(route) = Route::lay(network, target, &mut me.wishes, manner, &mut me.draw) else {
            return;
        };
        let centre = me.bicycle.centre().point;
        let (s, offset) = route.locate(centre, 0.0, route.line.length());
        // a long body on a steep way would swing its front beyond the new lane
        let longer_s = 0.04 * me.length + 0.2 * (me.length - LONG_M).max(0.0);
        let duration_s = (3.4 + 0.5 * me.draw.unit() + longer_s).min(LONGEST_S);
        me.change = Some(Change {
            from_m: offset - me.driver.bias_m - me.wander,
            progress_s: 0.0,
            duration_s,
        });
        me.last_change_s = self.time_s;
        me.route = route;
        me.s = s;
        me.offset = offset;
        me.held_at = None;
        let mut moved: Vehicle = self.vehicles[index].clone();
        self.plan_nudges(&mut moved);
        self.vehicles[index] = moved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_starts_at_its_offset_is_half_done_in_the_middle_and_ends_at_zero() {
        let change = Change {
            from_m: -3.5,
            progress_s: 0.0,
            duration_s: 4.0,
        };
        assert_eq!(change.offset(0.0), -3.5);
        assert!((change.offset(2.0) + 1.75).abs() < 1e-12); // the quintic is symmetric
        assert_eq!(change.offset(9.0), 0.0);
    }
}
