//! Could the ego have escaped? A search over brake and steer primitives of a kinematic bicycle.

use std::collections::BTreeMap;

use super::limits::limits_of;
use crate::geometry::{DVec2, OrientedBox, Polyline, Pose, angle_between};
use crate::map::Map;
use crate::metrics::{Contact, lane_distance, on_drivable_area};
use crate::scene::{Agent, AgentId, AgentKind, Scene, State};

/// The result of a search.
#[derive(Debug, Clone)]
pub struct Escape {
    /// The ego's escaping states at the scene's frames, from the frame after the present; empty if none was found.
    pub path: Vec<State>,
    /// Scene time until which the ego drives as it did: reaction, s.
    pub from_s: f64,
    /// Scene time until which it must stay clear, s.
    pub until_s: f64,
    /// Hardest braking used, m/s².
    pub brake: f64,
    /// Hardest steering used, m/s² across.
    pub across: f64,
    /// Number of states looked at.
    pub tried: usize,
    /// A sentence for the window.
    pub reason: String,
}

/// Seconds in which the ego goes on as before: perception and reaction.
const REACTION_S: f64 = 0.5;
/// Length of one primitive, s.
const PRIMITIVE_S: f64 = 0.5;
/// Step of integration and of collision tests, s.
const STEP_S: f64 = 0.1;
/// States kept per layer.
const BEAM: usize = 500;
/// Free space demanded around the ego, m.
const MARGIN_M: f64 = 0.1;
/// So far from the way it drives in the scene costs as much as braking as hard as it can, m.
const ASIDE_M: f64 = 4.0;

/// What the driver does for half a second: longitudinal acceleration (share of braking if negative, m/s² if
/// positive) and steering.
const THROTTLES: [f64; 4] = [0.0, -0.35, -0.85, 2.0];
const STEERS: [Steer; 6] = [
    Steer::Path,
    Steer::Share(0.0),
    Steer::Share(0.35),
    Steer::Share(-0.35),
    Steer::Share(0.8),
    Steer::Share(-0.8),
];

#[derive(Clone, Copy)]
enum Steer {
    /// Follow the path driven in the scene.
    Path,
    /// A share of the largest possible curvature, left positive.
    Share(f64),
}

#[derive(Clone, Copy)]
struct Node {
    pose: Pose,
    speed: f64,
    curvature: f64,
    cost: f64,
    brake: f64,
    across: f64,
    /// Whether the way there comes onto lanes that all lead the other way.
    against: bool,
    parent: usize,
    /// Position in the trail of sub-steps where its own five begin.
    trail: usize,
}

/// Searches a way for `ego` that touches nobody and nothing until 1 s after `contact`, all others moving as in the scene.
///
/// Objects that overlap the ego at the present already do not count. The ego reacts half a second after it. Who runs
/// into its back is not held against the escape unless they are the contact's partner: a follower is expected to brake
/// too. `None` if the ego is not seen at the present, or the contact comes at once.
pub fn escape(scene: &Scene, ego: &AgentId, contact: &Contact) -> Option<Escape> {
    let agent = scene.agent(ego)?;
    let now_s = scene.now_s();
    let from_s = now_s + REACTION_S.min((contact.time_s - now_s - STEP_S).max(0.0));
    let start = agent.track.sample(scene.frame_at(from_s))?;
    let until_s = (contact.time_s + 1.0).min(scene.duration_s());
    let layers = (((until_s - from_s) / PRIMITIVE_S).ceil() as usize).max(1);
    let world = World::new(scene, agent, contact, from_s, layers);
    let mut trail: Vec<(Pose, f64)> = vec![(start.pose(), start.speed())];
    let mut layer = vec![Node {
        pose: start.pose(),
        speed: start.velocity.dot(start.pose().forward()).max(0.0),
        curvature: 0.0,
        cost: 0.0,
        brake: 0.0,
        across: 0.0,
        against: false,
        parent: usize::MAX,
        trail: 0,
    }];
    let mut all: Vec<Node> = layer.clone();
    let mut first_of_layer = 0;
    let mut tried = 0;
    for depth in 0..layers {
        let mut cells: BTreeMap<(i64, i64, i64, i64), Node> = BTreeMap::new();
        for (index, node) in layer.iter().enumerate() {
            for throttle in THROTTLES {
                for steer in STEERS {
                    tried += 1;
                    let Some((mut next, steps)) = world.drive(node, depth, throttle, steer) else {
                        continue;
                    };
                    next.parent = first_of_layer + index;
                    let cell = cell_of(&next);
                    if cells.get(&cell).is_none_or(|held| next.cost < held.cost) {
                        next.trail = trail.len();
                        trail.extend(steps);
                        cells.insert(cell, next);
                    }
                }
            }
        }
        layer = cells.into_values().collect();
        layer.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        layer.truncate(BEAM);
        first_of_layer = all.len();
        all.extend(layer.iter().copied());
        if layer.is_empty() {
            break;
        }
    }
    let found = layer.first().copied();
    let path = found.map_or(Vec::new(), |node| {
        world.path(scene, agent, (&all, &trail), node, from_s)
    });
    let (brake, across) = found.map_or((0.0, 0.0), |node| (node.brake, node.across));
    let reason = if found.is_some() {
        let braking = format!("braking with up to {brake:.1} m/s²");
        let steering = format!("steering with up to {across:.1} m/s²");
        let how = match (brake >= 0.05, across >= 0.05) {
            (true, true) => format!("{braking} and {steering}"),
            (true, false) => braking,
            (false, true) => steering,
            (false, false) => "driving straight on at its present speed".to_owned(),
        };
        let where_to = match found.is_some_and(|node| node.against) {
            true => ", over a lane of oncoming traffic",
            false => "",
        };
        format!("{ego} escapes by {how}{where_to}, reacting at {from_s:.1} s.")
    } else {
        format!(
            "No manoeuvre within the limits keeps {ego} clear until {until_s:.1} s ({tried} tried, reacting at \
             {from_s:.1} s)."
        )
    };
    Some(Escape {
        path,
        from_s,
        until_s,
        brake,
        across,
        tried,
        reason,
    })
}

fn cell_of(node: &Node) -> (i64, i64, i64, i64) {
    let cell = |value: f64, size: f64| (value / size).round() as i64;
    (
        cell(node.pose.point.x, 0.75),
        cell(node.pose.point.y, 0.75),
        cell(node.pose.heading, 0.12),
        cell(node.speed, 1.0),
    )
}

/// Everything the ego must mind, sampled once.
struct World<'a> {
    map: &'a Map,
    /// Boxes of the others per sub-step, with whether each is the contact's partner.
    others: Vec<Vec<(OrientedBox, bool)>>,
    reference: Option<Polyline>,
    minds_road: bool,
    length: f64,
    width: f64,
    curvature: f64,
    brake: f64,
    across: f64,
}

impl<'a> World<'a> {
    fn new(scene: &'a Scene, ego: &Agent, contact: &Contact, from_s: f64, layers: usize) -> Self {
        let limits = limits_of(ego);
        let steps = layers * (PRIMITIVE_S / STEP_S).round() as usize;
        let partner = contact.other(&ego.id);
        let present = ego.footprint_at(scene.now);
        let is_under = |other: &Agent| {
            let both = present.zip(other.footprint_at(scene.now));
            other.kind == AgentKind::Other && both.is_some_and(|(ego, other)| ego.overlaps(&other))
        };
        let others = scene.agents.iter();
        let others: Vec<_> = others
            .filter(|other| other.id != ego.id && !is_under(other))
            .collect();
        let others = (1..=steps).map(|step| {
            let frame = scene.frame_at(from_s + step as f64 * STEP_S);
            let there = others.iter().filter_map(|other| {
                let state = other.track.sample(frame)?;
                Some((other.footprint(&state), other.id == *partner))
            });
            there.collect()
        });
        let driven = ego.track.valid().filter(|(frame, _)| *frame >= scene.now);
        let start = ego.track.get(scene.now).map(|state| state.position);
        Self {
            map: &scene.map,
            others: others.collect(),
            reference: Polyline::new(driven.map(|(_, state)| state.position))
                .filter(|line| line.length() > 2.0),
            minds_road: start.is_some_and(|point| on_road(&scene.map, point)),
            length: ego.length,
            width: ego.width,
            curvature: limits.curvature.min(1.0),
            brake: limits.brake,
            across: limits.across * 0.8,
        }
    }

    /// Half a second of `throttle` and `steer`; `None` if something is touched or the road is left.
    fn drive(
        &self,
        node: &Node,
        depth: usize,
        throttle: f64,
        steer: Steer,
    ) -> Option<(Node, [(Pose, f64); 5])> {
        let acceleration = if throttle < 0.0 {
            throttle * self.brake
        } else {
            throttle
        };
        let mut next = *node;
        let mut steps = [(node.pose, node.speed); 5];
        for (index, slot) in steps.iter_mut().enumerate() {
            let most = (self.across / next.speed.powi(2).max(1.0)).min(self.curvature);
            let wanted = match steer {
                Steer::Path => self.pursuit(&next).clamp(-most, most),
                Steer::Share(share) => share * most,
            };
            // a steering wheel needs time: 0.25 1/m per second
            let change = (wanted - next.curvature).clamp(-0.25 * STEP_S, 0.25 * STEP_S);
            next.curvature = (next.curvature + change).clamp(-most, most);
            let before = next.speed;
            next.speed = (next.speed + acceleration * STEP_S).max(0.0);
            let way = (before + next.speed) / 2.0 * STEP_S;
            let turn = way * next.curvature;
            let middle = Pose::new(next.pose.point, next.pose.heading + turn / 2.0);
            next.pose = Pose::new(
                middle.point + middle.forward() * way,
                next.pose.heading + turn,
            );
            let across = next.speed.powi(2) * next.curvature.abs();
            next.across = next.across.max(across);
            next.brake = next.brake.max((before - next.speed) / STEP_S);
            next.cost += STEP_S
                * ((acceleration / self.brake).powi(2)
                    + (across / self.across).powi(2)
                    + 0.02 * f64::from(acceleration > 0.0));
            let step = depth * 5 + index;
            if !self.clear(&next.pose, step) {
                return None;
            }
            *slot = (next.pose, next.speed);
        }
        // of two ways out the nearer to the way it has
        let aside = self.reference.as_ref().map_or(0.0, |line| {
            line.point_at(line.project(next.pose.point).s)
                .distance(next.pose.point)
        });
        next.cost += PRIMITIVE_S * (aside / ASIDE_M).powi(2);
        next.against |= is_against(self.map, &next.pose);
        (!self.minds_road || on_road(self.map, next.pose.point)).then_some((next, steps))
    }

    fn clear(&self, pose: &Pose, step: usize) -> bool {
        let footprint = OrientedBox::new(*pose, self.length, self.width).grown(MARGIN_M);
        let Some(others) = self.others.get(step) else {
            return true;
        };
        !others.iter().any(|(other, partner)| {
            footprint.overlaps(other) && (*partner || !is_behind(pose, other.pose.point))
        })
    }

    /// Curvature towards the driven path, looking 0.8 s (at least 4 m) ahead.
    fn pursuit(&self, node: &Node) -> f64 {
        let Some(line) = &self.reference else {
            return 0.0;
        };
        let ahead = (0.8 * node.speed).max(4.0);
        let at = line.project(node.pose.point).s + ahead;
        let aim = node.pose.local_from_outer(line.point_at(at));
        2.0 * aim.y / aim.length_squared().max(1.0)
    }

    /// The states at the scene's frames from the one after the present to the node's end.
    fn path(
        &self,
        scene: &Scene,
        ego: &Agent,
        (all, trail): (&[Node], &[(Pose, f64)]),
        end: Node,
        from_s: f64,
    ) -> Vec<State> {
        let mut nodes = vec![end];
        let mut parent = end.parent;
        while let Some(node) = all.get(parent) {
            if node.parent == usize::MAX {
                break;
            }
            nodes.push(*node);
            parent = node.parent;
        }
        nodes.reverse();
        let mut steps: Vec<State> = vec![State::along(trail[0].0, trail[0].1)];
        for node in &nodes {
            let own = &trail[node.trail..node.trail + 5];
            steps.extend(own.iter().map(|&(pose, speed)| State::along(pose, speed)));
        }
        let last_s = from_s + (steps.len() - 1) as f64 * STEP_S;
        (scene.now + 1..scene.frames)
            .map(|frame| scene.time_of(frame))
            .take_while(|&time_s| time_s <= last_s + 1e-6)
            .filter_map(|time_s| {
                if time_s < from_s {
                    return ego.track.sample(scene.frame_at(time_s));
                }
                let at = (time_s - from_s) / STEP_S + 1e-9;
                let index = (at.floor() as usize).min(steps.len() - 1);
                let next = (index + 1).min(steps.len() - 1);
                Some(steps[index].lerp(&steps[next], at - at.floor()))
            })
            .collect()
    }
}

fn is_behind(pose: &Pose, point: DVec2) -> bool {
    let towards = point - pose.point;
    angle_between(pose.heading, towards.to_angle()).abs() > 150_f64.to_radians()
}

/// Whether lanes for vehicles are near and all of them lead the other way.
fn is_against(map: &Map, pose: &Pose) -> bool {
    let near = map.lanes_near(pose.point, 2.0).into_iter();
    let near = near.filter(|hit| map.lanes()[hit.lane].carries_vehicles());
    let turns: Vec<f64> = near
        .map(|hit| angle_between(hit.pose.heading, pose.heading).abs())
        .collect();
    !turns.is_empty() && turns.iter().all(|turn| *turn > 120_f64.to_radians())
}

/// Within 3 m of a centreline or on a drivable area.
fn on_road(map: &Map, point: DVec2) -> bool {
    map.lanes_near(point, 3.0)
        .iter()
        .any(|hit| map.lanes()[hit.lane].carries_vehicles())
        || on_drivable_area(map, point)
        || (lane_distance(map, point).is_none() && map.lanes().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;
    use crate::scene::{Role, Track};
    use std::sync::Arc;

    fn meeting(gap_m: f64, other_speed: f64) -> (Scene, Contact) {
        let driver = |id: &str, x: f64, speed: f64| {
            let states = (0..101).map(|frame| {
                let t = 0.1 * f64::from(frame);
                Some(State::along(Pose::at(x + speed * t, 0.0, 0.0), speed))
            });
            Agent::new(id, AgentKind::Vehicle, Track::new(states.collect()))
        };
        // the other is `gap_m` ahead (box to box) at the present, 2 s
        let ego = driver("ego", -20.0, 10.0);
        let other = driver("other", gap_m + 4.7 - 2.0 * other_speed, other_speed);
        let line = Polyline::new([dvec2(-100.0, 0.0), dvec2(300.0, 0.0)]).unwrap();
        let mut scene = Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            map: Arc::new(Map::build(crate::map::MapParts {
                lanes: vec![crate::map::Lane::new(
                    "east",
                    crate::map::LaneKind::Street,
                    line,
                )],
                ..crate::map::MapParts::default()
            })),
            agents: vec![Arc::new(ego), Arc::new(other)],
            ..Scene::default()
        };
        Arc::make_mut(&mut scene.agents[0]).role = Role::Ego;
        let samples =
            crate::metrics::Samples::of_traffic(&scene, &crate::metrics::Grid::frames(&scene));
        let contact = crate::metrics::contacts(&samples)[0].clone();
        (scene, contact)
    }

    #[test]
    fn braking_for_a_standing_car_forty_metres_ahead_is_possible() {
        // 10 m/s, 0.5 s of reaction: 35 m left; the gentlest braking of the set, 0.35 x 9 = 3.15 m/s², needs 16 m
        let (scene, contact) = meeting(40.0, 0.0);
        let found = escape(&scene, &AgentId::new("ego"), &contact).unwrap();
        assert!(!found.path.is_empty(), "{}", found.reason);
        assert!(found.brake <= 9.0 && found.across <= 6.4 + 1e-9);
        let ego = &scene.agents[0];
        let other = scene.agents[1].footprint_at(20).unwrap();
        assert!(
            found
                .path
                .iter()
                .all(|state| !ego.footprint(state).overlaps(&other))
        );
    }

    #[test]
    fn no_way_leads_through_a_barrier() {
        // as above, but with a barrier all across the road 10 m ahead of the front: 5 m are left after reaction, and
        // braking with 9 m/s² needs 5.6 m
        let (mut scene, contact) = meeting(40.0, 0.0);
        let mut add = |x: f64| {
            let states = vec![Some(State::along(Pose::at(x, 0.0, 0.0), 0.0)); 101];
            let mut barrier = Agent::new("barrier", AgentKind::Other, Track::new(states));
            (barrier.length, barrier.width) = (0.5, 40.0);
            scene.agents.truncate(2);
            scene.agents.push(Arc::new(barrier));
            escape(&scene, &AgentId::new("ego"), &contact).unwrap()
        };
        let blocked = add(2.35 + 10.0 + 0.25);
        assert!(blocked.path.is_empty(), "{}", blocked.reason);
        // one the ego stands in at the present is a matter of the recording
        assert!(!add(0.0).path.is_empty());
    }

    #[test]
    fn six_metres_at_ten_metres_a_second_are_too_late() {
        // after 0.5 s of reaction 1 m is left; braking needs 10² / 18 = 5.6 m, and stepping aside 2 m takes longer
        // than the 0.1 s left
        let (scene, contact) = meeting(6.0, 0.0);
        let found = escape(&scene, &AgentId::new("ego"), &contact).unwrap();
        assert!(found.path.is_empty(), "{}", found.reason);
        assert!(found.tried > 0);
    }

    #[test]
    fn the_escape_begins_as_the_ego_drove() {
        let (scene, contact) = meeting(40.0, 0.0);
        let found = escape(&scene, &AgentId::new("ego"), &contact).unwrap();
        let driven = scene.agents[0].track.get(21).unwrap();
        assert!(found.path[0].position.distance(driven.position) < 1e-9);
        let steps = found.path.windows(2);
        let longest = steps
            .map(|pair| pair[0].position.distance(pair[1].position))
            .fold(0.0, f64::max);
        assert!(longest < 1.3, "{longest}"); // 10 m/s plus 2 m/s² for 1 s, times 0.1 s, with room
    }
}
