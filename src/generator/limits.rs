//! What agents can do: limits of acceleration, curvature, yaw rate and slip by type.

use crate::scene::{Agent, AgentKind};

/// Physical limits of one agent, all positive. Not comfort: what a tyre, a frame or a leg can give on a dry road.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Speed, m/s.
    pub speed: f64,
    /// Acceleration along the heading, m/s².
    pub accelerate: f64,
    /// Deceleration along the heading, m/s².
    pub brake: f64,
    /// Acceleration across the heading, m/s².
    pub across: f64,
    /// Curvature of the path, 1/m.
    pub curvature: f64,
    /// Yaw rate, rad/s.
    pub yaw_rate: f64,
    /// Angle between heading and course, rad.
    pub slip: f64,
}

/// Limits of `agent`. Vehicles: a wheelbase of 0.6 of the length and 35° of steering bound the curvature
/// (tan 35° / 0.6 L); from 7 m on (trucks, buses) acceleration and braking are lower. The slip of a box centre on a
/// kinematic bicycle stays below atan(0.3 L · curvature) ≈ 19°, so 25° is a slide.
pub fn limits_of(agent: &Agent) -> Limits {
    match agent.kind {
        AgentKind::Vehicle | AgentKind::Other => {
            let heavy = agent.length > 7.0;
            Limits {
                speed: 60.0,
                accelerate: if heavy { 2.5 } else { 5.0 },
                brake: if heavy { 7.0 } else { 9.0 },
                across: if heavy { 5.0 } else { 8.0 },
                curvature: 35_f64.to_radians().tan() / (0.6 * agent.length.max(2.0)),
                yaw_rate: if heavy { 0.8 } else { 1.3 },
                slip: 25_f64.to_radians(),
            }
        }
        AgentKind::Cyclist => Limits {
            speed: 20.0,
            accelerate: 4.0,
            brake: 7.0,
            across: 6.0,
            curvature: 0.8,
            yaw_rate: 2.5,
            slip: 30_f64.to_radians(),
        },
        AgentKind::Pedestrian => Limits {
            speed: 8.0,
            accelerate: 6.0,
            brake: 6.0,
            across: 6.0,
            curvature: f64::INFINITY,
            yaw_rate: f64::INFINITY,
            slip: f64::INFINITY,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Track;

    #[test]
    fn a_bus_turns_wider_than_a_car() {
        let mut agent = Agent::new("a", AgentKind::Vehicle, Track::default());
        // 0.700 / (0.6 x 4.7) = 0.248 per metre: a radius of 4 m at the box centre
        assert!((limits_of(&agent).curvature - 0.248).abs() < 1e-3);
        agent.length = 12.0;
        assert!((limits_of(&agent).curvature - 0.097).abs() < 1e-3);
        assert!(limits_of(&agent).accelerate < 3.0);
    }
}
