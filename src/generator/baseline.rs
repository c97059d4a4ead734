//! Trivial futures to hold models against: constant velocity, and the cubic to the goal.

use crate::codec::{NOW, T, Window, decode, token_time_s};
use crate::geometry::DVec2;
use crate::scene::{Scene, State};

/// Every generated row goes on at its present velocity and heading.
pub fn constant_velocity(scene: &Scene, window: &Window) -> Scene {
    let mut tokens = window.tokens.clone();
    for (row, _) in made(window) {
        for token in NOW + 1..T {
            tokens[row * T + token] = coast(window.state(row, NOW), token_time_s(token));
        }
    }
    decode(scene, window, &tokens)
}

/// Rows with a goal follow the cubic Hermite curve to it (positions and velocities at both ends; heading along the
/// way, the present one while slower than 0.3 m/s); after it, and without a goal, constant velocity.
/// `goals` [A]: token and state.
pub fn hermite_to_goal(scene: &Scene, window: &Window, goals: &[Option<(usize, State)>]) -> Scene {
    let mut tokens = window.tokens.clone();
    for (row, _) in made(window) {
        let present = *window.state(row, NOW);
        let goal = goals.get(row).copied().flatten();
        for token in NOW + 1..T {
            tokens[row * T + token] = match goal {
                Some((due, state)) if token < due => {
                    let share = token_time_s(token) / token_time_s(due);
                    hermite(&present, &state, share, token_time_s(due))
                }
                Some((due, state)) => coast(&state, token_time_s(token) - token_time_s(due)),
                None => coast(&present, token_time_s(token)),
            };
        }
    }
    decode(scene, window, &tokens)
}

fn made(window: &Window) -> impl Iterator<Item = (usize, &crate::codec::Row)> {
    let rows = window.rows.iter().enumerate();
    rows.filter(|(_, row)| row.generated)
}

fn coast(state: &State, time_s: f64) -> State {
    State {
        position: state.position + state.velocity * time_s,
        ..*state
    }
}

/// The cubic at `u` in [0, 1] of `duration_s` seconds between two states.
pub(super) fn hermite(from: &State, to: &State, u: f64, duration_s: f64) -> State {
    let (u2, u3) = (u * u, u * u * u);
    let position = from.position * (2.0 * u3 - 3.0 * u2 + 1.0)
        + from.velocity * (duration_s * (u3 - 2.0 * u2 + u))
        + to.position * (3.0 * u2 - 2.0 * u3)
        + to.velocity * (duration_s * (u3 - u2));
    let velocity: DVec2 = (to.position - from.position) * ((6.0 * u - 6.0 * u2) / duration_s)
        + from.velocity * (3.0 * u2 - 4.0 * u + 1.0)
        + to.velocity * (3.0 * u2 - 2.0 * u);
    let heading = if velocity.length() < 0.3 {
        from.heading
    } else {
        velocity.to_angle()
    };
    State {
        position,
        heading,
        velocity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Options;
    use crate::geometry::{Pose, dvec2};
    use crate::scene::{Agent, AgentKind, Track};
    use std::sync::Arc;

    fn scene() -> Scene {
        let states = (0..101).map(|frame| {
            let t = 0.1 * f64::from(frame);
            Some(State::along(Pose::at(5.0 * t, 0.0, 0.0), 5.0))
        });
        let agent = Agent::new("a", AgentKind::Vehicle, Track::new(states.collect()));
        Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            agents: vec![Arc::new(agent)],
            ..Scene::default()
        }
    }

    #[test]
    fn constant_velocity_goes_straight_on() {
        let scene = scene();
        let made = constant_velocity(&scene, &Window::new(&scene, &Options::default()));
        let last = made.agents[0].track.get(100).unwrap();
        assert!((last.position - dvec2(50.0, 0.0)).length() < 1e-6); // 10 m + 8 s x 5 m/s
    }

    #[test]
    fn the_cubic_meets_its_goal_and_half_way_is_half_way() {
        let scene = scene();
        let window = Window::new(&scene, &Options::default());
        let goal = State::along(Pose::at(50.0, 4.0, 0.0), 5.0);
        let made = hermite_to_goal(&scene, &window, &[Some((T - 1, goal))]);
        let last = made.agents[0].track.get(100).unwrap();
        assert!((last.position - goal.position).length() < 1e-6);
        // at half time with equal end velocities: the mean of both ends, (10 + 50) / 2 and 4 / 2
        let middle = made.agents[0].track.get(60).unwrap();
        assert!((middle.position - dvec2(30.0, 2.0)).length() < 1e-6);
    }
}
