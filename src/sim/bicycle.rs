//! How a vehicle moves: the kinematic bicycle, steered by pure pursuit.

use crate::geometry::{DVec2, Pose};
use crate::scene::State;

/// Largest angle of the front wheel, rad.
const MAX_STEER: f64 = 0.62;
/// Fastest turn of the front wheel, rad/s.
const MAX_STEER_RATE: f64 = 0.7;

/// A kinematic bicycle: the rear axle moves along the heading, which turns with speed · tan(steer) / wheelbase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bicycle {
    /// Middle of the rear axle.
    pub rear: Pose,
    /// Speed of the rear axle, m/s, never negative.
    pub speed: f64,
    /// Angle of the front wheel, rad, positive to the left.
    pub steer: f64,
    /// From rear to front axle, m.
    pub wheelbase: f64,
    /// From the rear axle to the middle of the box, m.
    pub rear_to_centre: f64,
}

impl Bicycle {
    /// A vehicle of `length` metres whose box is centred on `centre`. Wheelbase 0.6 of the length, the rear axle
    /// 0.28 of it behind the middle.
    pub fn new(centre: Pose, speed: f64, length: f64) -> Self {
        let rear_to_centre = 0.28 * length;
        Self {
            rear: Pose::new(
                centre.point - centre.forward() * rear_to_centre,
                centre.heading,
            ),
            speed,
            steer: 0.0,
            wheelbase: 0.6 * length,
            rear_to_centre,
        }
    }

    /// The same vehicle at a recorded state; the steering angle is not known from it and starts straight.
    pub fn from_state(state: &State, length: f64) -> Self {
        Self::new(
            state.pose(),
            state.velocity.dot(state.pose().forward()).max(0.0),
            length,
        )
    }

    /// Middle of the box.
    pub fn centre(&self) -> Pose {
        Pose::new(
            self.rear.point + self.rear.forward() * self.rear_to_centre,
            self.rear.heading,
        )
    }

    /// Path curvature of the rear axle, 1/m, positive to the left.
    pub fn curvature(&self) -> f64 {
        self.steer.tan() / self.wheelbase
    }

    /// Box centre, heading, and the velocity of the box centre (it slips sideways a little in turns).
    pub fn state(&self) -> State {
        let pose = self.centre();
        let yaw_rate = self.speed * self.curvature();
        State {
            position: pose.point,
            heading: pose.heading,
            velocity: pose.forward() * self.speed + pose.left() * (yaw_rate * self.rear_to_centre),
        }
    }

    /// Moves for `dt_s` seconds with `acceleration` (m/s², along the heading) while the front wheel turns towards
    /// `steer` (rad) as fast as it can. Stops at speed 0, never reverses; the arc is followed exactly.
    pub fn step(&mut self, acceleration: f64, steer: f64, dt_s: f64) {
        let wanted = steer.clamp(-MAX_STEER, MAX_STEER);
        let most = MAX_STEER_RATE * dt_s;
        let before = self.steer;
        self.steer += (wanted - self.steer).clamp(-most, most);
        let curvature = ((before + self.steer) / 2.0).tan() / self.wheelbase;
        let end_speed = (self.speed + acceleration * dt_s).max(0.0);
        let distance = if acceleration < 0.0 && self.speed + acceleration * dt_s < 0.0 {
            self.speed * self.speed / (-2.0 * acceleration)
        } else {
            (self.speed + end_speed) / 2.0 * dt_s
        };
        let turn = distance * curvature;
        let chord = if turn.abs() < 1e-9 {
            distance
        } else {
            2.0 * (turn / 2.0).sin() / curvature
        };
        let middle = Pose::new(self.rear.point, self.rear.heading + turn / 2.0);
        self.rear = Pose::new(
            self.rear.point + middle.forward() * chord,
            self.rear.heading + turn,
        );
        self.speed = end_speed;
    }

    /// Front wheel angle that leads the rear axle through `target` on an arc (pure pursuit; Coulter,
    /// CMU-RI-TR-92-01, 1992): atan(2 · wheelbase · sin(bearing) / distance).
    pub fn steer_towards(&self, target: DVec2) -> f64 {
        let local = self.rear.local_from_outer(target);
        let squared = local.length_squared().max(1e-6);
        (2.0 * self.wheelbase * local.y / squared).atan()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    #[test]
    fn a_constant_steer_drives_a_circle_of_wheelbase_over_tangent() {
        let mut car = Bicycle::new(Pose::at(0.0, 0.0, 0.0), 5.0, 5.0);
        car.steer = 0.3;
        let start = car.rear;
        let radius = 3.0 / 0.3_f64.tan(); // wheelbase 0.6 · 5 = 3 m
        let centre = start.point + start.left() * radius;
        for _ in 0..200 {
            car.step(0.0, 0.3, 0.1);
            assert!((car.rear.point.distance(centre) - radius).abs() < 1e-9);
        }
    }

    #[test]
    fn the_velocity_of_the_centre_is_the_change_of_its_position() {
        let mut car = Bicycle::new(Pose::at(0.0, 0.0, 0.4), 6.0, 4.6);
        car.steer = 0.25;
        let before = car.state();
        car.step(0.0, 0.25, 1e-5);
        let moved = (car.state().position - before.position) / 1e-5;
        assert!(moved.distance(before.velocity) < 1e-3);
    }

    #[test]
    fn braking_stops_after_v_squared_over_two_b() {
        let mut car = Bicycle::new(Pose::at(0.0, 0.0, 0.0), 7.0, 4.6);
        let start = car.rear.point.x;
        for _ in 0..60 {
            car.step(-3.5, 0.0, 0.1);
        }
        assert_eq!(car.speed, 0.0);
        assert!((car.rear.point.x - start - 7.0).abs() < 1e-9); // 49 / 7
    }

    #[test]
    fn pure_pursuit_of_a_point_straight_ahead_does_not_steer() {
        let car = Bicycle::new(Pose::at(0.0, 0.0, 0.0), 7.0, 4.6);
        assert!(car.steer_towards(dvec2(10.0, 0.0)).abs() < 1e-12);
        assert!(car.steer_towards(dvec2(10.0, 1.0)) > 0.0);
    }
}
