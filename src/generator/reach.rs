//! Whether a goal can be met at all, before anything is run.

use super::limits::limits_of;
use crate::geometry::{DVec2, dvec2};
use crate::metrics::{RoadRule, beyond_the_map, lane_distance, on_drivable_area};
use crate::scene::{Agent, AgentKind, Goal, Scene, State};

/// A bearing beyond which a goal counts as behind, rad: 110°.
const BEHIND_RAD: f64 = 1.92;

/// A goal this much faster than the lane's limit is doubted, a factor.
const OVER_LIMIT: f64 = 1.5;

/// Why a goal cannot be met, or hardly.
#[derive(Debug, Clone, PartialEq)]
pub enum Doubt {
    /// The agent is not there at the present.
    Absent,
    /// The goal lies beside every lane and drivable area, this far from the nearest centreline, m.
    OffRoad {
        /// Distance, m; infinite without a lane in reach.
        away_m: f64,
    },
    /// Full acceleration to the kind's top speed is not enough.
    TooFar {
        /// Metres missing at the goal's time.
        short_m: f64,
        /// Seconds after the goal's time at which it could be there.
        late_s: f64,
    },
    /// Full braking is not enough.
    TooNear {
        /// Metres beyond the goal at its time.
        past_m: f64,
        /// Seconds before the goal's time at which it passes at the latest.
        early_s: f64,
    },
    /// The goal lies behind something that can only turn round.
    Behind {
        /// Metres behind the agent's centre.
        back_m: f64,
    },
    /// Possible, but far above the lane's speed limit.
    OverLimit {
        /// Mean speed needed, m/s.
        needed_mps: f64,
        /// The lane's limit, m/s.
        limit_mps: f64,
    },
}

impl Doubt {
    /// Whether the goal is out of reach, not only unusual.
    pub fn certain(&self) -> bool {
        !matches!(self, Self::OverLimit { .. })
    }

    /// In words, with what to do.
    pub fn sentence(&self) -> String {
        match self {
            Self::Absent => {
                "The agent is not in the scene at the present: set the present to a frame where it is.".to_owned()
            }
            Self::OffRoad { away_m } if away_m.is_finite() => format!(
                "Off the drivable area: {away_m:.1} m from the nearest centreline. Move the flag onto the road."
            ),
            Self::OffRoad { .. } => {
                "Off the drivable area: no lane is near. Move the flag onto the road.".to_owned()
            }
            Self::TooFar { short_m, late_s } => format!(
                "Too far: at full acceleration {short_m:.1} m short, or {late_s:.1} s late. Give it more time or move \
                 the flag nearer."
            ),
            Self::TooNear { past_m, early_s } => format!(
                "Too near: at full braking still {past_m:.1} m past it, or there {early_s:.1} s early. Give it less \
                 time or move the flag ahead."
            ),
            Self::Behind { back_m } => format!(
                "Behind the agent by {back_m:.1} m: it cannot turn round in that time. Move the flag ahead of it."
            ),
            Self::OverLimit {
                needed_mps,
                limit_mps,
            } => format!(
                "Fast: {:.0} km/h on average where {:.0} km/h are allowed.",
                needed_mps * 3.6,
                limit_mps * 3.6
            ),
        }
    }

    /// A few words for the flag.
    pub fn short(&self) -> String {
        match self {
            Self::Absent => "agent not there".to_owned(),
            Self::OffRoad { .. } => "off the road".to_owned(),
            Self::TooFar { short_m, .. } => format!("too far: {short_m:.0} m short"),
            Self::TooNear { past_m, .. } => format!("too near: {past_m:.0} m past"),
            Self::Behind { .. } => "behind the agent".to_owned(),
            Self::OverLimit { needed_mps, .. } => format!("needs {:.0} km/h", needed_mps * 3.6),
        }
    }
}

/// What stands against `goal` in `scene`, the gravest first; empty if nothing does. Distances are straight, so a goal
/// called too far is too far on any road; one that is not called so may still be.
pub fn doubts(scene: &Scene, goal: &Goal) -> Vec<Doubt> {
    let Some(agent) = scene.agent(&goal.agent) else {
        return vec![Doubt::Absent];
    };
    let Some(present) = agent.track.get(scene.now) else {
        return vec![Doubt::Absent];
    };
    let point = dvec2(goal.point[0], goal.point[1]);
    // the first model frame, should the present have passed the goal
    let duration_s = (goal.time_s - scene.now_s()).max(0.5);
    let mut found = Vec::new();
    let behind = behind(agent, present, point, duration_s, goal.tolerance_m);
    if let Some(doubt) = behind {
        found.push(doubt);
    } else {
        found.extend(too_far(agent, present, point, duration_s, goal.tolerance_m));
        found.extend(too_near(
            agent,
            present,
            point,
            duration_s,
            goal.tolerance_m,
        ));
    }
    found.extend(beside_the_road(scene, agent, point));
    if found.is_empty() {
        found.extend(over_limit(scene, agent, present, point, duration_s));
    }
    found
}

fn wheeled(agent: &Agent) -> bool {
    !matches!(agent.kind, AgentKind::Pedestrian)
}

/// Nobody on wheels reverses to a goal: with a goal behind it, it turns round, which takes a half circle and the way
/// back. Without enough time for that at a walking pace to 8 m/s, the goal is out of reach.
fn behind(
    agent: &Agent,
    present: &State,
    point: DVec2,
    duration_s: f64,
    tolerance_m: f64,
) -> Option<Doubt> {
    let local = present.pose().local_from_outer(point);
    let is_behind = local.to_angle().abs() > BEHIND_RAD && local.length() > tolerance_m.max(1.0);
    if !(wheeled(agent) && is_behind) {
        return None;
    }
    let radius = 1.0 / limits_of(agent).curvature;
    let way_m = std::f64::consts::PI * radius + (-local.x);
    (way_m > 8.0 * duration_s || local.y.abs() < radius)
        .then_some(Doubt::Behind { back_m: -local.x })
}

fn too_far(
    agent: &Agent,
    present: &State,
    point: DVec2,
    duration_s: f64,
    tolerance_m: f64,
) -> Option<Doubt> {
    let limits = limits_of(agent);
    let (speed, top) = (present.speed().min(limits.speed), limits.speed);
    let way_m = (present.position.distance(point) - tolerance_m).max(0.0);
    let rising_s = (top - speed) / limits.accelerate;
    let rising_m = speed * rising_s + 0.5 * limits.accelerate * rising_s * rising_s;
    let reach_m = if duration_s < rising_s {
        speed * duration_s + 0.5 * limits.accelerate * duration_s * duration_s
    } else {
        rising_m + top * (duration_s - rising_s)
    };
    if way_m <= reach_m {
        return None;
    }
    let arrival_s = if way_m <= rising_m {
        let root = (speed * speed + 2.0 * limits.accelerate * way_m).sqrt();
        (root - speed) / limits.accelerate
    } else {
        rising_s + (way_m - rising_m) / top
    };
    Some(Doubt::TooFar {
        short_m: way_m - reach_m,
        late_s: arrival_s - duration_s,
    })
}

/// Only for goals straight ahead: to the side a longer way can be taken.
fn too_near(
    agent: &Agent,
    present: &State,
    point: DVec2,
    duration_s: f64,
    tolerance_m: f64,
) -> Option<Doubt> {
    let limits = limits_of(agent);
    let local = present.pose().local_from_outer(point);
    if !wheeled(agent) || local.x < 0.0 || local.y.abs() > 2.0 {
        return None;
    }
    let speed = present.speed();
    let braking_s = (speed / limits.brake).min(duration_s);
    let least_m = speed * braking_s - 0.5 * limits.brake * braking_s * braking_s;
    let way_m = local.x + tolerance_m;
    if least_m <= way_m {
        return None;
    }
    // when it passes although it brakes: v t − b t² / 2 = way
    let root = (speed * speed - 2.0 * limits.brake * way_m).max(0.0).sqrt();
    Some(Doubt::TooNear {
        past_m: least_m - way_m,
        early_s: duration_s - (speed - root) / limits.brake,
    })
}

fn beside_the_road(scene: &Scene, agent: &Agent, point: DVec2) -> Option<Doubt> {
    let map = &scene.map;
    let road_user = matches!(agent.kind, AgentKind::Vehicle | AgentKind::Cyclist);
    if !road_user || map.lanes().is_empty() || on_drivable_area(map, point) {
        return None;
    }
    let away_m = lane_distance(map, point).map_or(f64::INFINITY, |hit| hit.offset.abs());
    let off = away_m > RoadRule::default().threshold_m && !beyond_the_map(map, point);
    off.then_some(Doubt::OffRoad { away_m })
}

fn over_limit(
    scene: &Scene,
    agent: &Agent,
    present: &State,
    point: DVec2,
    duration_s: f64,
) -> Option<Doubt> {
    if agent.kind != AgentKind::Vehicle {
        return None;
    }
    let hit = lane_distance(&scene.map, point)?;
    let limit_mps = scene.map.lanes()[hit.lane].speed_limit?;
    let needed_mps = present.position.distance(point) / duration_s;
    let far_above = needed_mps > OVER_LIMIT * limit_mps && needed_mps > present.speed() + 1.0;
    far_above.then_some(Doubt::OverLimit {
        needed_mps,
        limit_mps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Polyline, Pose};
    use crate::map::{Extra, Lane, LaneKind, Map, MapParts};
    use crate::scene::{AgentId, Track};
    use std::sync::Arc;

    /// A car at the origin heading east at 10 m/s on a lane along the x axis; the present is 1 s.
    fn scene(kind: AgentKind, speed: f64) -> Scene {
        let line = Polyline::new([dvec2(-200.0, 0.0), dvec2(900.0, 0.0)]).unwrap();
        let mut lane = Lane::new("east", LaneKind::Street, line);
        lane.speed_limit = Some(13.9);
        let map = Map::build(MapParts {
            lanes: vec![lane],
            ..MapParts::default()
        });
        let states = (0..101).map(|frame| {
            let x = (f64::from(frame) - 10.0) * 0.1 * speed;
            Some(State::along(Pose::at(x, 0.0, 0.0), speed))
        });
        Scene {
            dt_s: 0.1,
            frames: 101,
            now: 10,
            map: Arc::new(map),
            agents: vec![Arc::new(Agent::new(
                "a",
                kind,
                Track::new(states.collect()),
            ))],
            ..Scene::default()
        }
    }

    fn found(kind: AgentKind, speed: f64, point: [f64; 2], after_s: f64) -> Vec<Doubt> {
        let goal = Goal {
            agent: AgentId::new("a"),
            point,
            time_s: 1.0 + after_s,
            heading: None,
            speed: None,
            tolerance_m: 1.0,
            hard: true,
            extra: Extra::new(),
        };
        doubts(&scene(kind, speed), &goal)
    }

    #[test]
    fn a_goal_beyond_full_acceleration_is_too_far_by_metres_and_seconds() {
        // 10 · 2 + 5 · 2² / 2 = 30 m in 2 s; the ring begins at 50 − 1 = 49 m: 19 m short;
        // 10 t + 2.5 t² = 49 → t = (−10 + √(100 + 490)) / 5 = 2.858 s
        let [Doubt::TooFar { short_m, late_s }] =
            found(AgentKind::Vehicle, 10.0, [50.0, 0.0], 2.0)[..]
        else {
            panic!("not too far")
        };
        assert!((short_m - 19.0).abs() < 1e-9, "{short_m}");
        assert!((late_s - 0.858).abs() < 1e-3, "{late_s}");
        assert!(found(AgentKind::Vehicle, 10.0, [30.5, 0.0], 2.0).is_empty());
    }

    #[test]
    fn a_pedestrian_is_held_to_its_own_top_speed() {
        // from 1 m/s to 8 m/s at 6 m/s²: 1.1667 s and 5.25 m; then 8 m/s for 0.8333 s: 11.917 m in 2 s
        let [Doubt::TooFar { short_m, .. }] =
            found(AgentKind::Pedestrian, 1.0, [14.0, 0.0], 2.0)[..]
        else {
            panic!("not too far")
        };
        assert!((short_m - (13.0 - 11.9167)).abs() < 1e-3, "{short_m}");
    }

    #[test]
    fn a_goal_before_the_braking_distance_is_too_near() {
        // from 18 m/s at 9 m/s²: stopped after 18 m; 10 m ahead and 1 m of ring: 7 m past
        let [Doubt::TooNear { past_m, early_s }] =
            found(AgentKind::Vehicle, 18.0, [10.0, 0.0], 4.0)[..]
        else {
            panic!("not too near")
        };
        assert!((past_m - 7.0).abs() < 1e-9);
        // 18 t − 4.5 t² = 11 → t = (18 − √(324 − 198)) / 9 = 0.7528 s
        assert!((early_s - (4.0 - 0.7528)).abs() < 1e-3);
    }

    #[test]
    fn behind_and_beside_the_road_are_named_and_a_walker_may_turn() {
        let behind = found(AgentKind::Vehicle, 5.0, [-12.0, 0.0], 4.0);
        assert_eq!(behind, [Doubt::Behind { back_m: 12.0 }]);
        let beside = found(AgentKind::Vehicle, 10.0, [40.0, 9.0], 4.0);
        assert_eq!(beside, [Doubt::OffRoad { away_m: 9.0 }]);
        assert!(found(AgentKind::Pedestrian, 1.0, [-3.0, 6.0], 8.0).is_empty());
    }

    #[test]
    fn a_goal_far_above_the_speed_limit_is_only_doubted() {
        // 180 m in 8 s are 22.5 m/s; 1.5 times 13.9 m/s are 20.85 m/s
        let fast = found(AgentKind::Vehicle, 14.0, [180.0, 0.0], 8.0);
        let [doubt @ Doubt::OverLimit { needed_mps, .. }] = &fast[..] else {
            panic!("not over the limit: {fast:?}")
        };
        assert!((needed_mps - 22.5).abs() < 1e-9 && !doubt.certain());
    }

    #[test]
    fn who_is_not_there_cannot_go_anywhere() {
        let mut scene = scene(AgentKind::Vehicle, 10.0);
        Arc::make_mut(&mut scene.agents[0]).track.set(10, None);
        let goal = Goal {
            agent: AgentId::new("a"),
            point: [30.0, 0.0],
            time_s: 5.0,
            heading: None,
            speed: None,
            tolerance_m: 1.0,
            hard: true,
            extra: Extra::new(),
        };
        assert_eq!(doubts(&scene, &goal), [Doubt::Absent]);
    }
}
