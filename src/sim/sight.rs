//! What a driver sees in the way: bodies that are, or soon will be, in the corridor the vehicle is about to sweep.

use super::world::{Vehicle, World};
use crate::geometry::{DVec2, OrientedBox, Pose};

/// Someone's footprint and velocity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) footprint: OrientedBox,
    pub(super) velocity: DVec2,
}

/// A body in the corridor ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    /// Free distance from the own front bumper, m; negative beside it.
    pub(super) gap: f64,
    /// Speed along the own path, m/s.
    pub(super) speed: f64,
    /// Arc length of its near end on the own route, m.
    pub(super) near: f64,
    /// Speed in any direction, m/s.
    pub(super) pace: f64,
    /// Whether it passes across rather than along.
    pub(super) crossing: bool,
}

/// Spacing of the points at which the corridor is looked at, m.
pub(super) const SPACING: f64 = 2.0;

/// The corridor ahead: poses along the planned path (its offset included), from the vehicle's centre on.
pub(super) struct Corridor {
    pub(super) poses: Vec<Pose>,
    pub(super) from: f64,
    pub(super) half_width: f64,
}

/// Where a body lies along and across a corridor.
pub(super) struct Extent {
    pub(super) along: [f64; 2],
    pub(super) across: [f64; 2],
    pub(super) pose: Pose,
}

impl Corridor {
    /// The path over the next `reach` metres of the route.
    pub(super) fn of(vehicle: &Vehicle, reach: f64) -> Self {
        let count = (reach / SPACING).ceil() as usize + 1;
        let poses = (0..count)
            .map(|index| {
                let s = vehicle.s + index as f64 * SPACING;
                let pose = vehicle.route.line.pose_at(s);
                let left = if index == 0 {
                    vehicle.offset
                } else {
                    vehicle.planned_offset(s)
                };
                Pose::new(pose.point + pose.left() * left, pose.heading)
            })
            .collect();
        Self {
            poses,
            from: vehicle.s,
            half_width: vehicle.width / 2.0,
        }
    }

    fn nearest(&self, point: DVec2, around: Option<usize>) -> usize {
        let (low, high) = match around {
            Some(index) => (index.saturating_sub(5), (index + 6).min(self.poses.len())),
            None => (0, self.poses.len()),
        };
        let distance = |index: usize| self.poses[index].point.distance_squared(point);
        (low..high)
            .min_by(|&a, &b| distance(a).total_cmp(&distance(b)))
            .unwrap_or(0)
    }

    /// `None` if the body is far from the corridor or behind.
    pub(super) fn extent(&self, body: &OrientedBox) -> Option<Extent> {
        let middle = self.nearest(body.pose.point, None);
        let pose = self.poses[middle];
        let reach = body.radius() + self.half_width + 4.0;
        if pose.point.distance_squared(body.pose.point) > reach * reach {
            return None;
        }
        let mut along = [f64::INFINITY, f64::NEG_INFINITY];
        let mut across = along;
        let last = self.poses.len() - 1;
        let mut inside = false;
        for corner in body.corners() {
            let index = self.nearest(corner, Some(middle));
            let local = self.poses[index].local_from_outer(corner);
            inside |= index < last || local.x < SPACING;
            let s = self.from + index as f64 * SPACING + local.x;
            along = [along[0].min(s), along[1].max(s)];
            across = [across[0].min(local.y), across[1].max(local.y)];
        }
        inside.then_some(Extent {
            along,
            across,
            pose,
        })
    }
}

impl World {
    /// Everyone in the way of vehicle `index`, in no order.
    pub(super) fn in_the_way(&self, index: usize, seen: &[Seen]) -> Vec<Ahead> {
        let me = &self.vehicles[index];
        let speed = me.speed();
        let reach = (25.0 + 5.0 * speed).min(110.0);
        let corridor = Corridor::of(me, reach + me.length);
        let centre = me.bicycle.centre().point;
        let mut found = Vec::new();
        for (other, body) in seen.iter().enumerate() {
            let radius = reach + body.footprint.radius();
            if other == index
                || body.footprint.pose.point.distance_squared(centre) > radius * radius
            {
                continue;
            }
            let Some(extent) = corridor.extent(&body.footprint) else {
                continue;
            };
            let middle = (extent.along[0] + extent.along[1]) / 2.0;
            if middle < me.s + 0.3 * me.length.min(extent.along[1] - extent.along[0]) {
                continue;
            }
            let walker =
                other >= self.vehicles.len() && other < self.vehicles.len() + self.walkers.len();
            let sideways = body.velocity.dot(extent.pose.left());
            let along = body.velocity.dot(extent.pose.forward());
            let gap = extent.along[0] - me.front();
            let margin = if walker { 0.5 } else { 0.25 + 0.012 * speed };
            let room = corridor.half_width + margin;
            let ahead_s = if walker { 0.5 } else { 0.8 };
            let crossing = sideways.abs() > 0.6 && along < 1.4 * sideways.abs();
            let drift = if crossing && !walker {
                0.0
            } else {
                sideways * ahead_s
            };
            let across = [
                extent.across[0] + drift.min(0.0),
                extent.across[1] + drift.max(0.0),
            ];
            let joins = self.vehicles.get(other).is_some_and(|them| {
                them.change.is_some() && them.lane() == me.lane() && them.s > 0.0
            });
            if (across[0] > room || across[1] < -room) && !(joins && gap > 0.0) {
                continue;
            }
            if crossing && !joins {
                // crossing: does it leave before I come?
                let leaves_m = if sideways > 0.0 {
                    room - extent.across[0]
                } else {
                    extent.across[1] + room
                };
                let leaves_s = leaves_m / sideways.abs();
                if leaves_s + 0.3 < gap.max(0.0) / speed.max(0.5) {
                    continue;
                }
            }
            found.push(Ahead {
                gap,
                speed: along.max(0.0),
                near: extent.along[0],
                pace: body.velocity.length(),
                crossing: crossing && !walker,
            });
        }
        found
    }
}
