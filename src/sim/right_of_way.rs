//! Who goes first: lights, stop signs, gap acceptance in conflict zones, people on crossings, keeping junctions
//! clear. A decision to go is a commitment that everyone else respects.

use super::route::Zone;
use super::sight::{Ahead, Seen};
use super::world::{Vehicle, World};
use crate::scene::SignalState;

/// Seconds to cover `distance` metres from `speed`, accelerating with `acceleration` up to `top`; 0 if passed.
pub(super) fn arrival_s(distance: f64, speed: f64, acceleration: f64, top: f64) -> f64 {
    if distance <= 0.0 {
        return 0.0;
    }
    let top = top.max(speed).max(0.5);
    let until_top = (top - speed) / acceleration;
    let covered = (speed + top) / 2.0 * until_top;
    if covered >= distance {
        ((speed * speed + 2.0 * acceleration * distance).sqrt() - speed) / acceleration
    } else {
        until_top + (distance - covered) / top
    }
}

/// When a vehicle enters and leaves a zone, s from now: as early and as late as can be expected.
struct Times {
    enter: f64,
    leave: f64,
}

fn own_times(vehicle: &Vehicle, zone: &Zone) -> Times {
    let speed = vehicle.speed();
    let rise = 0.85 * vehicle.driver.idm.acceleration;
    let top = vehicle
        .route
        .speed_at((zone.span[0] + zone.span[1]) / 2.0)
        .max(2.0);
    Times {
        enter: arrival_s(zone.span[0] - vehicle.front(), speed, rise, top),
        leave: arrival_s(zone.span[1] - vehicle.rear(), speed, rise, top),
    }
}

fn their_times(vehicle: &Vehicle, zone: &Zone) -> Times {
    let speed = vehicle.speed();
    let top = vehicle.route.speed_at(zone.span[0]).max(speed).max(3.0);
    let braking = vehicle.acceleration < -0.5 && speed > 0.5;
    let rise = if braking { 0.3 } else { 1.2 };
    Times {
        enter: arrival_s(zone.span[0] - vehicle.front(), speed, rise, top),
        leave: arrival_s(
            zone.span[1] - vehicle.rear(),
            speed,
            0.6,
            top.min(speed.max(4.0)),
        ) + 0.2,
    }
}

impl World {
    /// The acceleration vehicle `index` chooses now, m/s²; notes its commitments and where it is held.
    pub(super) fn decide(&mut self, index: usize, seen: &[Seen]) -> f64 {
        let ahead = self.in_the_way(index, seen);
        let me = &self.vehicles[index];
        let speed = me.speed();
        let mut idm = me.driver.idm;
        idm.desired_speed = me.route.speed_at(me.s + 0.3 * speed).max(0.5);
        let mut wanted = idm.free(speed);
        if speed > idm.desired_speed {
            wanted = wanted.min((1.2 * (idm.desired_speed - speed)).max(-3.5));
        }
        for body in &ahead {
            let follow = idm.follow_calmly(speed, body.gap, body.speed);
            // someone who passes across is gone soon: brake, but not as for a wall
            let least = if body.crossing { -2.0 - speed } else { -9.0 };
            wanted = wanted.min(follow.max(least));
        }
        if me.route.dead_end {
            let gap = (me.route.line.length() - 3.0 - me.front()).max(0.1);
            if speed * speed / (2.0 * gap) > 1.2 || gap < 12.0 {
                wanted = wanted.min(idm.follow(speed, gap, 0.0));
            }
        }
        for (gap, lead_speed, hardest) in self.virtual_leaders(index) {
            wanted = wanted.min(idm.follow(speed, gap, lead_speed).max(-hardest));
        }
        for (gap, lead_speed) in self.lets_in(index) {
            wanted = wanted.min(idm.follow(speed, gap, lead_speed).max(-1.3));
        }
        let mut stops: Vec<f64> = Vec::new();
        let held = self.held_by_control(index);
        stops.extend(held);
        stops.extend(self.junction_blocked(index, &ahead));
        stops.extend(self.walkers_first(index));
        stops.extend(self.crossing_blocked(index, &ahead));
        self.reconsider(index, held);
        let (yields, commits) = self.yield_or_commit(index, &stops);
        stops.extend(yields);
        stops.extend(self.others_committed(index));
        let me = &self.vehicles[index];
        let mut stopper = idm;
        stopper.standstill_gap = 0.6;
        for &stop in &stops {
            let gap = stop - me.front();
            let needed = speed * speed / (2.0 * (gap - 0.2).max(0.2));
            let brake = stopper.follow(speed, gap, 0.0).max(-1.3 * needed - 0.8);
            wanted = wanted.min(brake);
        }
        // comfort: jerk up to 3 m/s³ upwards and 8 m/s³ downwards, unless it is urgent
        let low = if wanted < -3.0 {
            -9.0
        } else {
            me.acceleration - 0.8
        };
        let wanted = wanted.clamp(low, (me.acceleration + 0.3).max(0.15));
        let time_s = self.time_s;
        let me = &mut self.vehicles[index];
        me.held_at = held;
        for zone in commits {
            me.route.zones[zone].committed = true;
        }
        me.note_arrival(time_s);
        wanted.max(-8.5)
    }

    /// Takes back commitments of vehicle `index` that it can still call off: it is held before the place, or could
    /// stop there with 1.5 m/s² and has not reached it.
    fn reconsider(&mut self, index: usize, held: Option<f64>) {
        let me = &mut self.vehicles[index];
        let (front, speed) = (me.front(), me.speed());
        for zone in &mut me.route.zones {
            let room = zone.wait_at - front;
            let gentle = room > 1.3 && speed * speed / (2.0 * room) < 1.5;
            let stopped = held.is_some_and(|stop| stop < zone.span[0]) && room > -0.3;
            if gentle || stopped {
                zone.committed = false;
            }
        }
    }

    /// Light or stop sign: where vehicle `index` must stop, m on its route.
    fn held_by_control(&self, index: usize) -> Option<f64> {
        let me = &self.vehicles[index];
        let (front, speed) = (me.front(), me.speed());
        for entry in &me.route.entries {
            let room = entry.stop_at - front;
            if room < -1.0 {
                continue;
            }
            if room > 30.0 + speed * speed / 2.0 {
                break;
            }
            let link = &self.network.links[entry.lane];
            if let Some((plan, group)) = link.signal {
                let (shown, rest_s) = self.network.plans[plan].state(group, self.time_s);
                let needed = speed * speed / (2.0 * room.max(0.1));
                let stops = match shown {
                    SignalState::Red => needed < 7.0,
                    SignalState::Yellow => {
                        needed < 3.0 && arrival_s(room, speed, 1.0, speed.max(3.0)) > 0.5 * rest_s
                    }
                    _ => false,
                };
                if stops {
                    return Some(entry.stop_at);
                }
            }
            if link.must_stop && !entry.stopped {
                return Some(entry.stop_at);
            }
        }
        None
    }

    /// Nobody enters a junction that cannot be left: where vehicle `index` waits for room beyond.
    fn junction_blocked(&self, index: usize, ahead: &[Ahead]) -> Option<f64> {
        let me = &self.vehicles[index];
        let entry = me
            .route
            .entries
            .iter()
            .find(|entry| entry.stop_at > me.front() - 0.5)?;
        if entry.stop_at - me.front() > 25.0 {
            return None;
        }
        let beyond = me
            .route
            .entries
            .iter()
            .filter(|next| next.stop_at >= entry.stop_at);
        let leave_at = beyond
            .take_while(|next| next.stop_at <= entry.leave_at)
            .map(|next| next.leave_at)
            .fold(entry.leave_at, f64::max);
        let needs = leave_at + me.length + 1.5;
        let blocked = ahead
            .iter()
            .any(|body| body.near > entry.stop_at + 1.0 && body.near < needs && body.pace < 1.2);
        let signal = self.network.links[entry.lane].signal.is_some();
        let ring = self.network.links[entry.lane].rank == 2 && !signal;
        (blocked && !ring).then_some(entry.stop_at)
    }

    /// Nobody stops on a crossing: where vehicle `index` waits for room behind it.
    fn crossing_blocked(&self, index: usize, ahead: &[Ahead]) -> Option<f64> {
        let me = &self.vehicles[index];
        let walk = me.route.walks.iter().find(|walk| {
            walk.at - self.network.crossings[walk.crossing].width / 2.0 > me.front() - 0.3
        })?;
        let width = self.network.crossings[walk.crossing].width;
        let near = walk.at - width / 2.0;
        let needs = walk.at + width / 2.0 + me.length + 0.8;
        let blocked = ahead
            .iter()
            .any(|body| body.near > near && body.near < needs && body.pace < 0.8);
        let open = me.route.entries.iter().all(|entry| {
            // inside a junction stopping early would block it
            !(entry.stop_at < me.front() - 1.0 && entry.leave_at > me.rear())
        });
        (blocked && open && near - me.front() < 20.0).then_some(near - 0.8)
    }

    /// Where vehicle `index` stops for people on crossings.
    fn walkers_first(&self, index: usize) -> Option<f64> {
        let me = &self.vehicles[index];
        let (front, speed) = (me.front(), me.speed());
        for walk in &me.route.walks {
            let crossing = &self.network.crossings[walk.crossing];
            let near = walk.at - crossing.width / 2.0;
            let far = walk.at + crossing.width / 2.0;
            let stop = near - 1.0;
            let room = stop - front;
            if front > near + 0.3 || room > 15.0 + speed * speed / 3.0 {
                continue;
            }
            let needed = speed * speed / (2.0 * room.max(0.1));
            let top = me.route.speed_at(walk.at).max(2.0);
            let rise = me.driver.idm.acceleration;
            let enter = arrival_s(near - front, speed, rise, top);
            let leave = arrival_s(far - me.rear(), speed, rise, top);
            let strip = me.width / 2.0 + 0.9;
            for walker in &self.walkers {
                let Some(place) = walker.on_crossing(walk.crossing) else {
                    continue;
                };
                let to_middle = (walk.across - place.at) * place.direction;
                let waits = place.waits && crossing.signal.is_none();
                if to_middle < -strip || (place.waits && !waits) {
                    continue;
                }
                let pace = walker.pace_mps.max(0.5);
                let comes = ((to_middle - strip) / pace).max(0.0);
                let gone = (to_middle + strip) / pace;
                let meets = !(leave + 0.8 < comes || enter > gone + 0.3);
                if (waits && needed < 2.2) || (!place.waits && meets && needed < 8.0) {
                    return Some(stop.max(front + 0.05));
                }
            }
        }
        None
    }

    /// Merging vehicles that are nearer to the common lane are followed before they are on it: gap, speed, and how
    /// hard to brake for them at most.
    fn virtual_leaders(&self, index: usize) -> Vec<(f64, f64, f64)> {
        let me = &self.vehicles[index];
        let mut found = Vec::new();
        for zone in &me.route.zones {
            let conflict = &self.network.conflicts[zone.conflict];
            if !conflict.merges || zone.span[1] < me.s || zone.span[0] - me.front() > 40.0 {
                continue;
            }
            let mine = zone.span[1] - me.s;
            for (other, them) in self.vehicles.iter().enumerate() {
                let Some(theirs) = meeting(them, zone).filter(|_| other != index) else {
                    continue;
                };
                let rest = theirs.span[1] - them.s;
                if rest <= 0.0 || rest >= mine || them.held_at.is_some() || me.held_at.is_some() {
                    continue;
                }
                let going = theirs.committed || self.rank(theirs) > self.rank(zone);
                if going && (them.speed() > 0.5 || theirs.committed) {
                    let gap = mine - rest - (me.length + them.length) / 2.0;
                    let room = (zone.span[0] - me.front()).max(0.0);
                    let hardest = if room > 6.0 { 1.8 } else { 4.0 };
                    found.push((gap.max(1.0), them.speed(), hardest));
                }
            }
        }
        found
    }

    fn rank(&self, zone: &Zone) -> u8 {
        let lane = self.network.conflicts[zone.conflict].lanes[zone.side];
        self.network.links[lane].rank
    }

    /// For each place where vehicle `index` may have to wait: either that place (it waits) or the zones it commits
    /// itself to.
    fn yield_or_commit(&self, index: usize, held: &[f64]) -> (Option<f64>, Vec<usize>) {
        let me = &self.vehicles[index];
        let (front, speed) = (me.front(), me.speed());
        let mut commits = Vec::new();
        let zones = &me.route.zones;
        let mut places: Vec<f64> = zones.iter().map(|zone| zone.wait_at).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        for wait_at in places {
            let open: Vec<usize> = (0..zones.len())
                .filter(|&zone| zones[zone].wait_at.total_cmp(&wait_at).is_eq())
                .filter(|&zone| !zones[zone].committed && zones[zone].span[1] > me.rear())
                .collect();
            let room = wait_at - front;
            if open.is_empty() {
                continue;
            }
            if room > 12.0 + speed * speed / 2.5 {
                break;
            }
            if held
                .iter()
                .any(|&stop| stop <= wait_at + 0.1 && stop > front - 1.0)
            {
                break;
            }
            let free = open.iter().all(|&zone| self.may_go(index, &zones[zone]));
            let too_late = room < -0.8 || speed * speed / (2.0 * (room + 0.3).max(0.05)) > 6.5;
            if free || too_late {
                if too_late || room < 1.2 + speed * speed / 4.0 {
                    commits.extend(open);
                }
            } else {
                return (Some(wait_at), commits);
            }
        }
        (None, commits)
    }

    /// Whether nobody who goes first would be disturbed if vehicle `index` went on into `zone`.
    fn may_go(&self, index: usize, zone: &Zone) -> bool {
        let me = &self.vehicles[index];
        let mine = own_times(me, zone);
        let merges = self.network.conflicts[zone.conflict].merges;
        let margin = me.driver.gap_margin_s;
        self.vehicles.iter().enumerate().all(|(other, them)| {
            let Some(theirs) = meeting(them, zone).filter(|_| other != index) else {
                return true;
            };
            let stopped_before = them.held_at.is_some_and(|stop| stop < theirs.span[0] + 0.1);
            if stopped_before && !theirs.committed {
                return true;
            }
            let times = their_times(them, theirs);
            let first = theirs.committed
                || match self.rank(theirs).cmp(&self.rank(zone)) {
                    std::cmp::Ordering::Greater => true,
                    std::cmp::Ordering::Less => false,
                    std::cmp::Ordering::Equal => {
                        let key =
                            |vehicle: &Vehicle, enter: f64| (vehicle.arrived_s, enter, vehicle.id);
                        let (a, b) = (key(them, times.enter), key(me, mine.enter));
                        a.0.total_cmp(&b.0)
                            .then(a.1.total_cmp(&b.1))
                            .then(a.2.cmp(&b.2))
                            .is_lt()
                    }
                };
            if !first {
                return true;
            }
            if merges {
                let slower =
                    (them.speed() - me.route.speed_at(zone.span[0]).min(them.speed())).max(0.0);
                let before = mine.enter + margin + 1.0 + slower / 2.0 < times.enter;
                let behind = zone.span[1] - me.s
                    > theirs.span[1] - them.s + 0.5 * (me.length + them.length)
                    && mine.enter > times.enter + 0.9;
                return before || behind;
            }
            mine.leave + margin < times.enter || mine.enter > times.leave + 0.2
        })
    }

    /// Where vehicle `index` brakes for someone who is already in, or committed to, a zone on its way.
    fn others_committed(&self, index: usize) -> Option<f64> {
        let me = &self.vehicles[index];
        let front = me.front();
        for zone in &me.route.zones {
            let conflict = &self.network.conflicts[zone.conflict];
            if conflict.merges || zone.span[0] < front - 0.2 {
                continue;
            }
            if zone.span[0] - front > 15.0 + me.speed() * me.speed() / 3.0 {
                break;
            }
            let mine = own_times(me, zone);
            for (other, them) in self.vehicles.iter().enumerate() {
                let Some(theirs) = meeting(them, zone).filter(|_| other != index) else {
                    continue;
                };
                let inside = them.front() > theirs.span[0];
                if !theirs.committed && !inside {
                    continue;
                }
                let times = their_times(them, theirs);
                let sooner =
                    inside || !zone.committed || (times.enter, them.id) < (mine.enter, me.id);
                if sooner && mine.enter < times.leave {
                    return Some(zone.span[0] - 0.5);
                }
            }
        }
        None
    }
}

impl Vehicle {
    /// Remembers when it reached a stop line, and that it stopped there.
    fn note_arrival(&mut self, time_s: f64) {
        let (front, speed) = (self.front(), self.speed());
        let entry = self
            .route
            .entries
            .iter_mut()
            .find(|entry| entry.stop_at > front - 2.0);
        match entry {
            Some(entry) if entry.stop_at - front < 4.0 => {
                if speed < 1.5 && self.arrived_s.is_infinite() {
                    self.arrived_s = time_s;
                }
                if speed < 0.3 && entry.stop_at - front < 3.0 {
                    entry.stopped = true;
                }
            }
            _ => self.arrived_s = f64::INFINITY,
        }
    }
}

/// The zone of `them` that is the other side of `zone`, unless they have left it.
fn meeting<'a>(them: &'a Vehicle, zone: &Zone) -> Option<&'a Zone> {
    them.route.zones.iter().find(|other| {
        other.conflict == zone.conflict && other.side != zone.side && other.span[1] > them.rear()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrival_counts_acceleration_up_to_the_top_speed() {
        // from 0 with 2 m/s² to 10 m/s: 25 m in 5 s; the next 30 m at 10 m/s: 3 s
        assert!((arrival_s(25.0, 0.0, 2.0, 10.0) - 5.0).abs() < 1e-12);
        assert!((arrival_s(55.0, 0.0, 2.0, 10.0) - 8.0).abs() < 1e-12);
        assert!((arrival_s(9.0, 0.0, 2.0, 10.0) - 3.0).abs() < 1e-12); // ½ · 2 · 3²
        assert_eq!(arrival_s(-1.0, 5.0, 1.0, 10.0), 0.0);
    }
}
