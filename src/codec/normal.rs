//! Normalised coordinates: an agent's states as residuals to constant velocity in its own present frame, each number
//! divided by its standard deviation over traffic.

use super::{NOW, T, Window, token_time_s};
use crate::geometry::{DVec2, Pose, dvec2};
use crate::scene::State;

/// Numbers per token: x, y, vx, vy, cos heading, sin heading.
pub const CHANNELS: usize = 6;

/// Standard deviations of the residuals, [T, 6]: m, m, m/s, m/s, 1, 1. Part of a network's weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale(pub [[f32; CHANNELS]; T]);

impl Default for Scale {
    /// One everywhere: residuals in metres and metres per second.
    fn default() -> Self {
        Self([[1.0; CHANNELS]; T])
    }
}

impl Window {
    /// An agent's present pose: the frame its tokens are normalised in.
    pub fn frame(&self, row: usize) -> Pose {
        self.state(row, NOW).pose()
    }

    /// All tokens, normalised, [A, T, 6]; zero where the token is not known.
    pub fn normalised(&self, scale: &Scale) -> Vec<f32> {
        let mut out = vec![0.0; self.tokens.len() * CHANNELS];
        for (at, numbers) in out.chunks_exact_mut(CHANNELS).enumerate() {
            if self.known[at] {
                let (row, token) = (at / T, at % T);
                numbers.copy_from_slice(&self.normalise(row, token, &self.tokens[at], scale));
            }
        }
        out
    }

    /// A state of agent `row` at `token`, normalised.
    pub fn normalise(
        &self,
        row: usize,
        token: usize,
        state: &State,
        scale: &Scale,
    ) -> [f32; CHANNELS] {
        let frame = self.frame(row);
        let (base_position, base_velocity) = self.coasting(row, token);
        let position = frame.local_from_outer(state.position) - base_position;
        let velocity = local(frame, state.velocity) - base_velocity;
        let heading = DVec2::from_angle(state.heading - frame.heading);
        let residual = [
            position.x,
            position.y,
            velocity.x,
            velocity.y,
            heading.x - 1.0,
            heading.y,
        ];
        std::array::from_fn(|channel| {
            (residual[channel] / f64::from(scale.0[token][channel])) as f32
        })
    }

    /// The state of agent `row` at `token` that `numbers` stand for, scene frame. A heading vector shorter than
    /// 1e-3 leaves the heading of the present.
    pub fn state_from(&self, row: usize, token: usize, numbers: &[f32], scale: &Scale) -> State {
        let frame = self.frame(row);
        let (base_position, base_velocity) = self.coasting(row, token);
        let metric =
            |channel: usize| f64::from(numbers[channel]) * f64::from(scale.0[token][channel]);
        let facing = dvec2(1.0 + metric(4), metric(5));
        let turn = if facing.length() < 1e-3 {
            0.0
        } else {
            facing.to_angle()
        };
        let position = frame.outer_from_local(base_position + dvec2(metric(0), metric(1)));
        let velocity = frame
            .forward()
            .rotate(base_velocity + dvec2(metric(2), metric(3)));
        let pose = Pose::new(position, frame.heading + turn);
        State {
            position,
            heading: pose.heading,
            velocity,
        }
    }

    /// All states of normalised tokens [A, T, 6], scene frame, [A, T]; see [`Window::state_from`].
    pub fn states(&self, normalised: &[f32], scale: &Scale) -> Vec<State> {
        normalised
            .chunks_exact(CHANNELS)
            .enumerate()
            .map(|(at, numbers)| self.state_from(at / T, at % T, numbers, scale))
            .collect()
    }

    /// Position and velocity in the agent's frame had it kept its present velocity.
    fn coasting(&self, row: usize, token: usize) -> (DVec2, DVec2) {
        let velocity = local(self.frame(row), self.state(row, NOW).velocity);
        (velocity * token_time_s(token), velocity)
    }
}

/// A vector of the scene's frame in the frame of `pose`.
fn local(pose: Pose, vector: DVec2) -> DVec2 {
    let forward = pose.forward();
    dvec2(forward.x, -forward.y).rotate(vector)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Options;
    use crate::scene::{Agent, AgentKind, Scene, Track};
    use std::f64::consts::FRAC_PI_2;
    use std::sync::Arc;

    /// One agent on a circle of radius 30 m at 9 m/s, far from the origin.
    fn circling() -> Window {
        let states = (0..101)
            .map(|frame| {
                let angle = 0.03 * f64::from(frame);
                let centre = dvec2(4_000_000.0, -500_000.0);
                let pose = Pose::new(centre + DVec2::from_angle(angle) * 30.0, angle + FRAC_PI_2);
                Some(State::along(pose, 9.0))
            })
            .collect();
        let scene = Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            agents: vec![Arc::new(Agent::new(
                "car",
                AgentKind::Vehicle,
                Track::new(states),
            ))],
            ..Scene::default()
        };
        Window::new(&scene, &Options::default())
    }

    #[test]
    fn normalised_states_come_back_within_a_millimetre_and_a_tenth_of_a_milliradian() {
        let window = circling();
        let mut scale = Scale::default();
        for (token, row) in scale.0.iter_mut().enumerate() {
            *row = [0.2 + token as f32, 0.3, 0.5, 0.4, 0.01, 0.05];
        }
        let back = window.states(&window.normalised(&scale), &scale);
        for (state, known) in back.iter().zip(&window.tokens) {
            assert!(state.position.distance(known.position) < 1e-3);
            assert!((state.velocity - known.velocity).length() < 1e-3);
            let turn = crate::geometry::angle_between(state.heading, known.heading);
            assert!(turn.abs() < 1e-4, "{turn}");
        }
    }

    #[test]
    fn the_present_is_zero_and_coasting_straight_on_stays_zero() {
        let window = circling();
        let numbers = window.normalised(&Scale::default());
        assert!(
            numbers[NOW * CHANNELS..(NOW + 1) * CHANNELS]
                .iter()
                .all(|n| n.abs() < 1e-6)
        );
        let now = *window.state(0, NOW);
        let coasting = State {
            position: now.position + now.velocity * 8.0,
            ..now
        };
        let numbers = window.normalise(0, T - 1, &coasting, &Scale::default());
        assert!(numbers.iter().all(|n| n.abs() < 1e-6), "{numbers:?}");
    }
}
