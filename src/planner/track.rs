//! A proposed path as a vehicle would drive it: LQR on a kinematic bicycle at 10 Hz.
//!
//! NAVSIM's tracker (nuPlan's, one step of LQR over a horizon of 1 s) with its weights. What differs here: the bicycle
//! is the traffic world's (arcs followed exactly, a front wheel that turns at most 0.7 rad/s) without nuPlan's
//! actuator lags, its wheelbase is 0.6 of the ego's own length (NAVSIM: 3.089 m of 5.176 m, 0.597), acceleration
//! stays within what tyres give, and the wheel's first angle is read off the ego's turning instead of set to 0.

use super::profile::Profile;
use super::propose::Mode;
use crate::codec::between_tokens;
use crate::geometry::{Pose, wrap_angle};
use crate::scene::{Agent, Scene, State};
use crate::sim::Bicycle;

/// Seconds between tracked states.
pub const STEP_S: f64 = 0.1;
/// Steps the controller looks ahead.
const HORIZON: usize = 10;
/// Longitudinal weight of the speed's error; 1 for the input.
const SPEED_WEIGHT: f64 = 10.0;
/// Lateral weights of offset, heading error and wheel angle; 1 for the input.
const LATERAL_WEIGHTS: [f64; 3] = [1.0, 10.0, 0.0];
/// Below this speed, wanted and driven, the vehicle is brought to rest, m/s.
const STOPPING_SPEED: f64 = 0.2;
/// Deceleration per speed while it is.
const STOPPING_GAIN: f64 = 0.5;
/// Hardest braking and strongest acceleration a road vehicle reaches, m/s².
const ACCELERATION: [f64; 2] = [-9.0, 5.0];

/// One step of a tracked path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackedState {
    /// Centre of the box, with its velocity.
    pub state: State,
    /// Speed of the rear axle along the heading, m/s, ≥ 0.
    pub speed: f64,
    /// Its change over the coming step, m/s²; at the last state that of the step before.
    pub acceleration: f64,
    /// Change of heading, rad/s.
    pub yaw_rate: f64,
}

/// What a bicycle does to follow a path of poses.
#[derive(Debug, Clone)]
pub struct Tracker {
    poses: Vec<Pose>,
    profile: Profile,
    braking: Option<f64>,
}

impl Tracker {
    /// To follow states [`STEP_S`] apart of the centre of `body`'s box, the first being where it is now.
    pub fn new(path: &[State], body: &Bicycle) -> Self {
        let poses: Vec<Pose> = path
            .iter()
            .map(|state| {
                let pose = state.pose();
                Pose::new(
                    pose.point - pose.forward() * body.rear_to_centre,
                    pose.heading,
                )
            })
            .collect();
        Self {
            profile: Profile::of(&poses, STEP_S),
            poses,
            braking: None,
        }
    }

    /// The same with at least a deceleration of `mps2` until it stands: the controller by itself lets the speed fade
    /// and stops only after a way of about one second at the speed it starts with.
    pub fn braking(self, mps2: Option<f64>) -> Self {
        Self {
            braking: mps2,
            ..self
        }
    }

    /// Acceleration (m/s²) and rate of the front wheel (rad/s) for the step from `step` to the next. Beyond the path's
    /// end its last speed and curvature hold.
    pub fn command(&self, step: usize, body: &Bicycle) -> (f64, f64) {
        let Some(&reference) = self.poses.get(step).or(self.poses.last()) else {
            return (0.0, 0.0);
        };
        let last = self.profile.speeds.len().saturating_sub(1);
        let at = |values: &[f64], index: usize| values.get(index.min(last)).copied().unwrap_or(0.0);
        let wanted = at(&self.profile.speeds, step + HORIZON);
        if wanted <= STOPPING_SPEED && body.speed <= STOPPING_SPEED {
            return (-STOPPING_GAIN * (body.speed - wanted), 0.0);
        }
        let mut acceleration = longitudinal(body.speed, wanted);
        if let Some(mps2) = self.braking {
            // no further than to a standstill within the step
            acceleration = acceleration.min(-mps2).max(-body.speed / STEP_S);
        }
        let error = lateral_error(reference, body);
        let speeds: [f64; HORIZON] =
            std::array::from_fn(|ahead| body.speed + acceleration * STEP_S * ahead as f64);
        let curvatures: [f64; HORIZON] =
            std::array::from_fn(|ahead| at(&self.profile.curvatures, step + ahead));
        (
            acceleration,
            lateral(error, &speeds, &curvatures, body.wheelbase),
        )
    }

    /// `count` states of `body` as it is driven, the first being where it is.
    pub(super) fn drive(&self, count: usize, body: Bicycle) -> Vec<TrackedState> {
        let mut body = body;
        let mut bodies = vec![body];
        for step in 0..count.saturating_sub(1) {
            self.advance(step, &mut body);
            bodies.push(body);
        }
        states_of(&bodies)
    }

    /// Drives `body` for one step.
    pub fn advance(&self, step: usize, body: &mut Bicycle) {
        let (acceleration, rate) = self.command(step, body);
        let [hardest, strongest] = ACCELERATION;
        body.step(
            acceleration.clamp(hardest, strongest),
            body.steer + rate * STEP_S,
            STEP_S,
        );
    }
}

/// One-step LQR for v' = v + T a with T = 1 s: the a that minimises 10 (v' − v_ref)² + a².
fn longitudinal(speed: f64, wanted: f64) -> f64 {
    let reach = HORIZON as f64 * STEP_S;
    let gain = reach * SPEED_WEIGHT / (reach * SPEED_WEIGHT * reach + 1.0);
    -gain * (speed - wanted)
}

/// Offset (m, positive to the left), heading error (rad) and wheel angle (rad).
fn lateral_error(reference: Pose, body: &Bicycle) -> [f64; 3] {
    [
        reference.local_from_outer(body.rear.point).y,
        wrap_angle(body.rear.heading - reference.heading),
        body.steer,
    ]
}

/// One-step LQR for the error after [`HORIZON`] steps at a constant rate u of the wheel: A e + B u + g.
fn lateral(
    error: [f64; 3],
    speeds: &[f64; HORIZON],
    curvatures: &[f64; HORIZON],
    wheelbase: f64,
) -> f64 {
    let mut free = error;
    let mut input = [0.0; 3];
    for (&speed, &curvature) in speeds.iter().zip(curvatures) {
        let way = speed * STEP_S;
        let step = |e: [f64; 3]| [e[0] + way * e[1], e[1] + way / wheelbase * e[2], e[2]];
        free = step(free);
        free[1] -= way * curvature;
        input = step(input);
        input[2] += STEP_S;
    }
    free[1] = wrap_angle(free[1]);
    let weighted = |other: [f64; 3]| -> f64 {
        (0..3)
            .map(|index| input[index] * LATERAL_WEIGHTS[index] * other[index])
            .sum()
    };
    -weighted(free) / (weighted(input) + 1.0)
}

/// The ego's body at the scene's present: speed along the heading, the wheel's angle from how it turned over the last
/// half second (straight below 1 m/s). `None` if it is not there.
pub fn body_at_present(scene: &Scene, ego: &Agent) -> Option<Bicycle> {
    let state = ego.track.get(scene.now)?;
    let mut body = Bicycle::from_state(state, ego.length);
    let before_s = (scene.now_s() - 0.5).max(0.0);
    let span_s = scene.now_s() - before_s;
    let before = ego.track.sample(scene.frame_at(before_s));
    if let Some(before) = before.filter(|_| span_s > 0.2 && body.speed > 1.0) {
        let yaw_rate = wrap_angle(state.heading - before.heading) / span_s;
        body.steer = (body.wheelbase * yaw_rate / body.speed)
            .atan()
            .clamp(-0.6, 0.6);
    }
    Some(body)
}

/// A mode at 10 Hz from the present `start` on: 81 states.
pub fn path_of(start: &State, mode: &Mode) -> Vec<State> {
    let mut states = vec![*start];
    states.extend(
        mode.points
            .iter()
            .map(|point| State::along(point.pose(), point.speed)),
    );
    between_tokens(&states, STEP_S)
}

/// `path` as `body` drives it: as many states as the path has, the first being where the body is.
pub fn track(path: &[State], body: Bicycle) -> Vec<TrackedState> {
    Tracker::new(path, &body).drive(path.len(), body)
}

/// Bodies [`STEP_S`] apart with their accelerations.
pub fn states_of(bodies: &[Bicycle]) -> Vec<TrackedState> {
    let mut found: Vec<TrackedState> = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| {
            let next = bodies.get(index + 1);
            TrackedState {
                state: body.state(),
                speed: body.speed,
                acceleration: next.map_or(0.0, |next| (next.speed - body.speed) / STEP_S),
                yaw_rate: body.speed * body.curvature(),
            }
        })
        .collect();
    if let [.., before, last] = found.as_mut_slice() {
        last.acceleration = before.acceleration;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    fn straight(speed: f64, y: f64) -> Vec<State> {
        (0..81)
            .map(|step| State::along(Pose::at(0.1 * speed * f64::from(step), y, 0.0), speed))
            .collect()
    }

    #[test]
    fn a_speed_error_is_closed_by_ten_elevenths_a_second() {
        // a = −(1 · 10 · e) / (10 · 1² + 1) = −10/11 e: e falls by the factor 1 − 0.1 · 10/11 a step
        let body = Bicycle::new(Pose::at(0.0, 0.0, 0.0), 8.0, 5.0);
        let tracked = track(&straight(10.0, 0.0), body);
        for (step, state) in tracked.iter().enumerate() {
            let expected = 10.0 - 2.0 * (1.0 - 1.0 / 11.0_f64).powi(step as i32);
            assert!((state.speed - expected).abs() < 1e-6, "{step}");
        }
    }

    #[test]
    fn a_path_that_can_be_driven_is_driven() {
        let body = Bicycle::new(Pose::at(0.0, 0.0, 0.0), 10.0, 5.0);
        let tracked = track(&straight(10.0, 0.0), body);
        for (state, wanted) in tracked.iter().zip(straight(10.0, 0.0)) {
            assert!(state.state.position.distance(wanted.position) < 1e-6);
        }
        assert_eq!(tracked.len(), 81);
    }

    #[test]
    fn one_lateral_step_is_the_closed_form() {
        // no curvature, constant v: after n = 10 steps of constant rate u, with h = 0.1 s and w = v h:
        // wheel u n h; heading w/L u h n(n−1)/2; offset w²/L u h n(n−1)(n−2)/6, plus offset e0 from the start
        let (v, l, e0) = (5.0, 3.0, 0.4);
        let (n, h, w) = (10.0, 0.1, 0.5);
        let b0 = w * w / l * h * n * (n - 1.0) * (n - 2.0) / 6.0; // 1.0
        let b1 = w / l * h * n * (n - 1.0) / 2.0; // 0.75
        let expected = -b0 * e0 / (b0 * b0 + 10.0 * b1 * b1 + 1.0);
        let found = lateral([e0, 0.0, 0.0], &[v; HORIZON], &[0.0; HORIZON], l);
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn a_body_beside_the_path_comes_to_it() {
        let body = Bicycle::new(Pose::at(0.0, 1.0, 0.0), 10.0, 5.0);
        let tracked = track(&straight(10.0, 0.0), body);
        assert!(tracked[0].state.position == dvec2(0.0, 1.0));
        assert!(
            tracked[80].state.position.y.abs() < 0.05,
            "{:?}",
            tracked[80]
        );
    }

    #[test]
    fn at_rest_before_a_path_that_rests_nothing_moves() {
        let body = Bicycle::new(Pose::at(0.0, 0.0, 0.3), 0.0, 5.0);
        let path = vec![State::along(Pose::at(0.0, 0.0, 0.3), 0.0); 81];
        let tracked = track(&path, body);
        assert!(tracked.iter().all(|state| state.speed == 0.0));
        assert!(tracked[80].state.position.length() < 1e-12);
    }

    #[test]
    fn a_sideways_jump_cannot_be_driven() {
        let mut path = straight(10.0, 0.0);
        for state in &mut path[40..] {
            state.position.y = 5.0;
        }
        let body = Bicycle::new(Pose::at(0.0, 0.0, 0.0), 10.0, 5.0);
        let gap = |tracked: &[TrackedState]| {
            let pairs = tracked.iter().zip(&path);
            pairs
                .map(|(state, wanted)| state.state.position.distance(wanted.position))
                .fold(0.0, f64::max)
        };
        assert!(gap(&track(&path, body)) > 4.0);
    }

    #[test]
    fn a_tracker_that_brakes_stops_within_the_braking_distance() {
        let path = straight(10.0, 0.0);
        let body = Bicycle::from_state(&path[0], 4.7);
        let tracker = Tracker::new(&path, &body).braking(Some(8.0));
        let last = *tracker.drive(path.len(), body).last().unwrap();
        // 10² / (2 · 8) = 6.25 m
        assert!((last.state.position.x - 6.25).abs() < 0.1, "{last:?}");
        assert_eq!(last.speed, 0.0);
    }
}
