//! Plans without a network: constant velocity, the IDM lane follower, and the cubic to a known end.

use std::ops::ControlFlow;

use super::foresee::coast;
use super::{Decoder, Mode, POINTS, PlanSettings, Planned, Propose, ProposeError, ProposeStep};
use crate::codec::{DT_S, NOW, Window, between};
use crate::scene::{AgentId, AgentKind, Scene, State};
use crate::sim::lane_rollout;

/// Keeps the present velocity and heading: what every planner must beat.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConstantVelocity;

impl Propose for ConstantVelocity {
    fn identity(&self) -> &str {
        "<constant velocity>"
    }

    fn propose(
        &self,
        window: &Window,
        settings: &PlanSettings,
        _on_step: &mut dyn FnMut(&ProposeStep) -> ControlFlow<()>,
    ) -> Result<Vec<Mode>, ProposeError> {
        if settings.decoder != Decoder::ConstantVelocity {
            return Err(ProposeError::Decoder(settings.decoder.key()));
        }
        let state = ego_of(window)?;
        Ok(vec![mode(|time_s| coast(&state, time_s))])
    }
}

/// The ego's present in a window.
///
/// # Errors
/// If there is no row, or the ego does not drive.
pub(super) fn ego_of(window: &Window) -> Result<State, ProposeError> {
    let row = window.rows.first().ok_or(ProposeError::NoEgo)?;
    match row.kind {
        AgentKind::Vehicle => Ok(*window.state(0, NOW)),
        other => Err(ProposeError::NotAVehicle(other.word())),
    }
}

/// The ego follows its lane behind whoever is ahead with the Intelligent Driver Model, everyone else keeps their
/// velocity. `scene` is what can be foreseen ([`super::foreseen`]): no future is read.
pub(super) fn lane_follower(scene: &Scene, ego: &AgentId) -> Result<Mode, ProposeError> {
    let driven = lane_rollout(scene, ego);
    let track = driven.agent(ego).map(|agent| &agent.track);
    let at = |time_s: f64| track?.sample(driven.frame_at(driven.now_s() + time_s));
    if at(POINTS as f64 * DT_S).is_none() {
        return Err(ProposeError::NoEgo);
    }
    let present = at(0.0).ok_or(ProposeError::NoEgo)?;
    Ok(mode(|time_s| at(time_s).unwrap_or(present)))
}

/// The one mode whose state after `time_s` is `at(time_s)`.
fn mode(at: impl Fn(f64) -> State) -> Mode {
    let points = std::array::from_fn(|index| planned(&at((index + 1) as f64 * DT_S)));
    Mode {
        points,
        probability: 1.0,
        tokens: Vec::new(),
    }
}

/// A state as a point of a plan.
pub fn planned(state: &State) -> Planned {
    Planned {
        position: state.position,
        heading: state.heading,
        speed: state.velocity.dot(state.pose().forward()),
    }
}

/// `state` so many tokens later, at constant velocity.
pub(super) fn coasted(state: &State, tokens: usize) -> State {
    coast(state, tokens as f64 * DT_S)
}

/// The cubic Hermite curve from `present` to `end` at the plan's last time, with both velocities; headings along the
/// way, the present one while slower than 0.3 m/s. Privileged: `end` is the log's.
pub fn hermite_to(present: &State, end: &State) -> Mode {
    let span_s = POINTS as f64 * DT_S;
    mode(|time_s| {
        let state = between(present, end, time_s / span_s, span_s);
        let heading = if state.speed() < 0.3 {
            present.heading
        } else {
            state.velocity.to_angle()
        };
        State { heading, ..state }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Options;
    use crate::geometry::{Polyline, Pose, dvec2};
    use crate::map::{Lane, LaneKind, Map, MapParts};
    use crate::planner::foreseen;
    use crate::scene::{Agent, Track};
    use std::sync::Arc;

    /// The ego at 10 m/s on a straight lane, somebody standing `gap` metres (centre to centre) ahead at 2 s.
    fn approach(gap: f64) -> Scene {
        let agent = |id: &str, x: f64, speed: f64| {
            let states = (0..101).map(|frame| {
                let t = 0.1 * f64::from(frame);
                Some(State::along(Pose::at(x + speed * t, 0.0, 0.0), speed))
            });
            Arc::new(Agent::new(
                id,
                AgentKind::Vehicle,
                Track::new(states.collect()),
            ))
        };
        let line = Polyline::new([dvec2(-100.0, 0.0), dvec2(400.0, 0.0)]).unwrap();
        let mut scene = Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            map: Arc::new(Map::build(MapParts {
                lanes: vec![Lane::new("east", LaneKind::Street, line)],
                ..MapParts::default()
            })),
            agents: vec![agent("ego", 0.0, 10.0), agent("stands", 20.0 + gap, 0.0)],
            ..Scene::default()
        };
        scene.set_ego(&AgentId::new("ego"));
        scene
    }

    fn settings(decoder: Decoder) -> PlanSettings {
        PlanSettings {
            decoder,
            ..PlanSettings::default()
        }
    }

    #[test]
    fn constant_velocity_is_at_speed_times_time() {
        let window = Window::new(&approach(50.0), &Options::default());
        let modes = ConstantVelocity
            .propose(&window, &settings(Decoder::ConstantVelocity), &mut |_| {
                ControlFlow::Continue(())
            })
            .unwrap();
        for (index, point) in modes[0].points.iter().enumerate() {
            let expected = dvec2(20.0 + 5.0 * (index + 1) as f64, 0.0); // 10 m/s, half a second a point
            assert!(point.position.distance(expected) < 1e-9 && point.speed == 10.0);
        }
        let wrong = ConstantVelocity.propose(&window, &settings(Decoder::Ar), &mut |_| {
            ControlFlow::Continue(())
        });
        assert_eq!(wrong, Err(ProposeError::Decoder("ar")));
    }

    #[test]
    fn the_lane_follower_stops_behind_what_stands() {
        let scene = foreseen(&approach(50.0));
        let mode = lane_follower(&scene, &AgentId::new("ego")).unwrap();
        let last = mode.points[POINTS - 1];
        // centres 70 m from the start; lengths 4.7 m: bumper to bumper the gap is 70 − x − 4.7, at least 0 and at
        // rest about the standstill gap of 2 m, which braking IDM nears from above
        let gap = 70.0 - last.position.x - 4.7;
        assert!((0.5..8.0).contains(&gap), "{gap}");
        assert!(last.speed < 2.0);
    }

    #[test]
    fn the_cubic_ends_where_the_log_ends() {
        let present = State::along(Pose::at(0.0, 0.0, 0.0), 5.0);
        let end = State::along(Pose::at(40.0, 4.0, 0.0), 5.0);
        let mode = hermite_to(&present, &end);
        assert!(mode.points[POINTS - 1].position.distance(end.position) < 1e-9);
        // half way with equal end velocities: the mean of the ends, (20, 2)
        assert!(mode.points[7].position.distance(dvec2(20.0, 2.0)) < 1e-9);
    }

    #[test]
    fn an_ego_on_foot_is_refused_by_name() {
        let mut scene = approach(50.0);
        Arc::make_mut(&mut scene.agents[0]).kind = AgentKind::Pedestrian;
        let window = Window::new(&scene, &Options::default());
        let found =
            ConstantVelocity.propose(&window, &settings(Decoder::ConstantVelocity), &mut |_| {
                ControlFlow::Continue(())
            });
        assert_eq!(found, Err(ProposeError::NotAVehicle("pedestrian")));
    }
}
