//! Junctions and roundabouts: lanes through them, right of way, signals, kerbs.

use std::f64::consts::{PI, TAU};

use super::build::{Builder, End, Road, SIDEWALK_WIDTH};
use super::curve::turn;
use super::network::{Link, SignalPlan, Turn};
use crate::geometry::{DVec2, Polyline, Pose, angle_between, dvec2, wrap_angle};
use crate::map::{Area, AreaKind, Lane, LaneKind, Line, LineKind};

/// A road that ends at a junction.
#[derive(Debug, Clone, Copy)]
pub struct Arm<'a> {
    /// The road.
    pub road: &'a Road,
    /// Which of its ends.
    pub end: End,
    /// Whether the leftmost arriving lane is for left turns only.
    pub pocket: bool,
    /// Whether people cross it.
    pub crossing: bool,
}

impl<'a> Arm<'a> {
    /// An arm without turn lane or crossing.
    pub fn new(road: &'a Road, end: End) -> Self {
        Self {
            road,
            end,
            pocket: false,
            crossing: false,
        }
    }
}

/// Who goes first.
#[derive(Debug, Clone)]
pub enum Control {
    /// Lights: the group of each arm, and the program. Left turns yield to oncoming traffic.
    Signals {
        /// Group of each arm.
        groups: Vec<usize>,
        /// The program.
        plan: SignalPlan,
    },
    /// The named arms go first, the others yield (or stop).
    Priority {
        /// Whether each arm has the right of way.
        major: Vec<bool>,
        /// Whether the others must stop even if nobody comes.
        stop: bool,
    },
    /// All stop; first come, first served.
    AllStop,
}

impl Builder {
    /// Builds a junction where `arms` meet. Straight on keeps the lane (counted from the right), left turns start
    /// and end leftmost, right turns rightmost. Returns its number.
    pub fn junction(&mut self, name: &str, arms: &[Arm<'_>], control: &Control) -> usize {
        let junction = self.junctions;
        self.junctions += 1;
        let program = match control {
            Control::Signals { plan, .. } => {
                self.plans.push(plan.clone());
                Some(self.plans.len() - 1)
            }
            _ => None,
        };
        for (index, arm) in arms.iter().enumerate() {
            self.cross_arm(arm, index, control, program);
            for (other, out) in arms.iter().enumerate() {
                if other != index {
                    self.movement(
                        name,
                        (index, arm),
                        (other, out),
                        (control, program),
                        junction,
                    );
                }
            }
        }
        self.outline(arms);
        junction
    }

    fn cross_arm(
        &mut self,
        arm: &Arm<'_>,
        index: usize,
        control: &Control,
        program: Option<usize>,
    ) {
        let back = if arm.crossing { 5.5 } else { 1.0 };
        let [bike, _] = arm.road.bikes_at(arm.end);
        for &lane in arm.road.arriving(arm.end).iter().chain(&bike) {
            self.links[lane].stop_back_m = back;
        }
        self.stop_line(arm, back);
        if arm.crossing {
            let length = arm.road.reference.length();
            let s = match arm.end {
                End::Start => 2.8,
                End::Finish => length - 2.8,
            };
            let signal = match (control, program) {
                (Control::Signals { groups, plan }, Some(program)) => {
                    // people walk while the arm itself has red: with the next group
                    Some((program, (groups[index] + 1) % plan.greens_s.len()))
                }
                _ => None,
            };
            self.crossing(arm.road, s, 3.6, signal);
        }
    }

    fn stop_line(&mut self, arm: &Arm<'_>, back: f64) {
        let arriving = arm.road.arriving(arm.end);
        let (Some(&first), Some(&last)) = (arriving.first(), arriving.last()) else {
            return;
        };
        let half = arm.road.profile.lane_width / 2.0 - 0.15;
        let at = |lane: usize, left: f64| {
            let line = &self.lanes[lane].centreline;
            let pose = line.pose_at(line.length() - back);
            pose.point + pose.left() * left
        };
        let points = vec![at(first, half), at(last, -half)];
        self.lines.push(Line::new(LineKind::SolidWhite, points));
    }

    fn movement(
        &mut self,
        name: &str,
        (index, arm): (usize, &Arm<'_>),
        (other, out): (usize, &Arm<'_>),
        (control, program): (&Control, Option<usize>),
        junction: usize,
    ) {
        let from = arm.road.outward(arm.end).heading;
        let to = out.road.outward(out.end).heading + PI;
        let change = angle_between(from, to);
        let way = if change.abs() < 0.7 {
            Turn::Straight
        } else if change > 0.0 {
            Turn::Left
        } else {
            Turn::Right
        };
        let arriving = arm.road.arriving(arm.end);
        let leaving = out.road.leaving(out.end);
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        if let (Some(&first_in), Some(&last_in), Some(&first_out), Some(&last_out)) = (
            arriving.first(),
            arriving.last(),
            leaving.first(),
            leaving.last(),
        ) {
            match way {
                Turn::Left => pairs.push((first_in, first_out)),
                Turn::Right => pairs.push((last_in, last_out)),
                Turn::Straight => {
                    let skip = usize::from(arm.pocket && arriving.len() > 1);
                    let through = arriving[skip..].iter().rev();
                    pairs.extend(through.zip(leaving.iter().rev()).map(|(&a, &b)| (a, b)));
                }
            }
        }
        if way == Turn::Straight
            && let ([Some(a), _], [_, Some(b)]) =
                (arm.road.bikes_at(arm.end), out.road.bikes_at(out.end))
        {
            pairs.push((a, b));
        }
        let (rank, signal, must_stop) = right_of_way(control, index, way, program);
        for (number, (a, b)) in pairs.into_iter().enumerate() {
            let id = format!("{name}:{index}{other}.{number}");
            if let Some(lane) = self.connect(&id, a, b) {
                let link = &mut self.links[lane];
                link.turn = way;
                link.rank = rank;
                link.junction = Some(junction);
                link.signal = signal;
                link.must_stop = must_stop;
            }
        }
    }

    /// Surface and kerbs: from each arm to the next, counter-clockwise.
    fn outline(&mut self, arms: &[Arm<'_>]) {
        let count = arms.len() as f64;
        let middle: DVec2 = arms
            .iter()
            .map(|arm| arm.road.outward(arm.end).point)
            .sum::<DVec2>()
            / count;
        let mut order: Vec<usize> = (0..arms.len()).collect();
        let angle = |index: usize| {
            let arm = &arms[index];
            let point = arm.road.outward(arm.end).point;
            (point - middle).to_angle()
        };
        order.sort_by(|&a, &b| angle(a).total_cmp(&angle(b)));
        let mut polygon = Vec::new();
        for (place, &index) in order.iter().enumerate() {
            let next = order[(place + 1) % order.len()];
            let (arm, after) = (&arms[index], &arms[next]);
            let [left, right] = arm.road.kerbs(arm.end);
            // facing into the junction, the kerb on the left is met first going counter-clockwise
            polygon.extend([left, right]);
            let into = arm.road.outward(arm.end).heading;
            let away = after.road.outward(after.end).heading + PI;
            let [target, _] = after.road.kerbs(after.end);
            let Some(kerb) = turn(Pose::new(right, into), Pose::new(target, away)) else {
                continue;
            };
            polygon.extend(kerb.points().iter().skip(1));
            let sidewalk = arm.road.profile.sidewalk && after.road.profile.sidewalk;
            self.kerb(&kerb, if sidewalk { -SIDEWALK_WIDTH } else { 0.0 });
        }
        self.areas
            .push(Area::new(AreaKind::Junction, polygon.clone()));
        self.areas.push(Area::new(AreaKind::Drivable, polygon));
    }

    /// A one-lane roundabout of `radius` metres (to the middle of its lane) around `centre`, counter-clockwise;
    /// who is in it goes first. Each arm is a road with one lane each way that ends about 8 m from the ring.
    pub fn roundabout(&mut self, name: &str, centre: DVec2, radius: f64, arms: &[Arm<'_>]) {
        let junction = self.junctions;
        self.junctions += 1;
        let half_gap = 0.52;
        let mut order: Vec<(f64, &Arm<'_>)> = arms
            .iter()
            .map(|arm| {
                let angle = (arm.road.outward(arm.end).point - centre).to_angle();
                (angle.rem_euclid(TAU), arm)
            })
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut nodes: Vec<f64> = Vec::new();
        for (angle, _) in &order {
            nodes.extend([angle - half_gap, angle + half_gap]);
        }
        let ring: Vec<usize> = (0..nodes.len())
            .map(|node| {
                let (from, to) = (nodes[node], nodes[(node + 1) % nodes.len()]);
                let sweep = (to - from).rem_euclid(TAU);
                let pieces = (sweep / 0.05).ceil() as usize;
                let line = Polyline::new((0..=pieces).map(|piece| {
                    let angle = from + sweep * piece as f64 / pieces as f64;
                    centre + DVec2::from_angle(angle) * radius
                }));
                let line = line.unwrap_or_else(|| order[0].1.road.reference.clone());
                let mut lane = Lane::new(format!("{name}:ring{node}"), LaneKind::Street, line);
                lane.width = Some(5.0);
                lane.speed_limit = Some(8.3);
                let link = Link {
                    rank: 2,
                    junction: Some(junction),
                    ..Link::default()
                };
                self.add_lane(lane, link)
            })
            .collect();
        for node in 0..ring.len() {
            self.join(ring[node], ring[(node + 1) % ring.len()]);
        }
        for (place, (_, arm)) in order.iter().enumerate() {
            let leave = ring[(2 * place + ring.len() - 1) % ring.len()];
            let enter = ring[(2 * place + 1) % ring.len()];
            self.stop_line(arm, 1.0);
            for (id, from, to, rank) in [
                ("out", leave, arm.road.leaving(arm.end).first().copied(), 2),
                ("in", enter, arm.road.arriving(arm.end).first().copied(), 1),
            ] {
                let Some(outer) = to else { continue };
                let id = format!("{name}:{id}{place}");
                let (a, b) = if rank == 2 {
                    (from, outer)
                } else {
                    (outer, from)
                };
                if let Some(lane) = self.connect(&id, a, b) {
                    self.lanes[lane].speed_limit = Some(8.3);
                    self.links[lane].rank = rank;
                    self.links[lane].junction = Some(junction);
                    self.links[lane].turn = Turn::Right;
                    self.links[outer].stop_back_m = 1.0;
                }
            }
        }
        self.ring_surface(centre, radius, &order);
    }

    fn ring_surface(&mut self, centre: DVec2, radius: f64, order: &[(f64, &Arm<'_>)]) {
        let island = circle(centre, radius - 3.0);
        self.lines.push(Line::new(
            LineKind::Edge,
            island.iter().chain(island.first()).copied().collect(),
        ));
        let outer = radius + 3.0;
        let mut polygon: Vec<DVec2> = Vec::new();
        for (place, (_, arm)) in order.iter().enumerate() {
            let (next_angle, next) = order[(place + 1) % order.len()];
            let [left, right] = arm.road.kerbs(arm.end);
            polygon.extend([left, right]);
            let angle = order[place].0;
            let sweep = (next_angle - angle).rem_euclid(TAU);
            let (start, stop) = (angle + 0.75, angle + sweep - 0.75);
            let into = arm.road.outward(arm.end).heading;
            let on_ring = |angle: f64| {
                Pose::new(
                    centre + DVec2::from_angle(angle) * outer,
                    wrap_angle(angle + PI / 2.0),
                )
            };
            let mut kerb: Vec<DVec2> = Vec::new();
            kerb.extend(
                turn(Pose::new(right, into), on_ring(start))
                    .iter()
                    .flat_map(|line| line.points()),
            );
            let pieces = ((stop - start).max(0.0) / 0.08).ceil() as usize;
            kerb.extend((1..pieces).map(|piece| {
                let angle = start + (stop - start) * piece as f64 / pieces as f64;
                centre + DVec2::from_angle(angle) * outer
            }));
            let away = next.road.outward(next.end).heading + PI;
            let [target, _] = next.road.kerbs(next.end);
            kerb.extend(
                turn(on_ring(stop), Pose::new(target, away))
                    .iter()
                    .flat_map(|line| line.points()),
            );
            polygon.extend(kerb.iter().skip(1));
            if let Some(kerb) = Polyline::new(kerb) {
                self.kerb(&kerb, 0.0);
            }
        }
        // the island is cut out by a seam, so that the surface stays one simple polygon
        let first = polygon[0];
        let nearest = (0..island.len())
            .min_by(|&a, &b| {
                let distance = |index: usize| island[index].distance_squared(first);
                distance(a).total_cmp(&distance(b))
            })
            .unwrap_or(0);
        polygon.push(first);
        for step in 0..=island.len() {
            let index = (nearest + island.len() - step % island.len()) % island.len();
            polygon.push(island[index]);
        }
        self.areas.push(Area::new(AreaKind::Drivable, polygon));
    }
}

fn circle(centre: DVec2, radius: f64) -> Vec<DVec2> {
    (0..48)
        .map(|index| {
            let angle = TAU * f64::from(index) / 48.0;
            centre + radius * dvec2(angle.cos(), angle.sin())
        })
        .collect()
}

/// Rank, signal and whether to stop for a movement.
fn right_of_way(
    control: &Control,
    arm: usize,
    way: Turn,
    program: Option<usize>,
) -> (u8, Option<(usize, usize)>, bool) {
    let by_turn = match way {
        Turn::Straight => 3,
        Turn::Right => 2,
        Turn::Left => 1,
    };
    match control {
        Control::Signals { groups, .. } => (
            by_turn,
            program.map(|program| (program, groups[arm])),
            false,
        ),
        Control::Priority { major, .. } if major[arm] => (by_turn + 3, None, false),
        Control::Priority { stop, .. } => (by_turn, None, *stop),
        Control::AllStop => (1, None, true),
    }
}
