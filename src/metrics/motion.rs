//! Speed, acceleration, curvature, yaw rate and slip of one agent over time.

use super::grid::{Grid, Row};
use crate::geometry::{angle_between, wrap_angle};

/// How an agent moves at one time, from its positions and headings around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motion {
    /// Speed of the box centre, m/s, ≥ 0.
    pub speed: f64,
    /// Acceleration along the heading, m/s².
    pub along: f64,
    /// Acceleration to the left of the heading, m/s².
    pub across: f64,
    /// Change of heading, rad/s.
    pub yaw_rate: f64,
    /// Yaw rate over speed, 1/m; 0 below 1.5 m/s, where it means nothing.
    pub curvature: f64,
    /// Angle between heading and course, rad, in [0, π]; 0 below 2 m/s. Backward driving up to 3 m/s counts as
    /// driving along the heading.
    pub slip: f64,
}

/// Motion at every position of an even grid; `None` where the agent is not seen half a second before and after.
///
/// Accelerations are second differences over half a second, velocities and yaw rates first differences over
/// ±0.2 s: short noise of a log does not count, and a jump at the present does.
pub fn motion_of(row: &Row, grid: &Grid) -> Vec<Option<Motion>> {
    let step_s = match grid.times_s.as_slice() {
        [first, second, ..] => second - first,
        _ => return vec![None; grid.len()],
    };
    let wide = ((0.5 / step_s).round() as usize).max(1);
    let near = ((0.2 / step_s + 1e-6).floor() as usize).max(1);
    (0..grid.len())
        .map(|at| {
            let state = |offset: isize| {
                let index = at.checked_add_signed(offset)?;
                row.states.get(index)?.as_ref()
            };
            let (wide_step, near_step) = (wide as isize, near as isize);
            let here = state(0)?;
            let (before, after) = (state(-wide_step)?, state(wide_step)?);
            let (just_before, just_after) = (state(-near_step)?, state(near_step)?);
            let wide_s = wide as f64 * step_s;
            let near_s = near as f64 * step_s;
            let acceleration =
                (after.position - 2.0 * here.position + before.position) / (wide_s * wide_s);
            let velocity = (just_after.position - just_before.position) / (2.0 * near_s);
            let speed = velocity.length();
            let yaw_rate = angle_between(just_before.heading, just_after.heading) / (2.0 * near_s);
            let course = wrap_angle(velocity.to_angle() - here.heading).abs();
            let slip = if speed < 2.0 {
                0.0
            } else if speed < 3.0 {
                course.min(std::f64::consts::PI - course)
            } else {
                course
            };
            Some(Motion {
                speed,
                along: acceleration.dot(here.pose().forward()),
                across: acceleration.dot(here.pose().left()),
                yaw_rate,
                curvature: if speed < 1.5 { 0.0 } else { yaw_rate / speed },
                slip,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Pose, dvec2};
    use crate::metrics::grid::Samples;
    use crate::metrics::grid::tests::scene_of;
    use crate::scene::{Agent, AgentKind, State, Track};

    #[test]
    fn a_circle_of_twenty_metres_at_ten_metres_a_second_shows_its_numbers() {
        // v = 10, r = 20: yaw rate v/r = 0.5, curvature 1/r = 0.05, acceleration v²/r = 5 to the left
        let states = (0..101).map(|frame| {
            let angle = 0.05 * f64::from(frame);
            let point = 20.0 * dvec2(angle.sin(), 1.0 - angle.cos());
            Some(State::along(Pose::new(point, angle), 10.0))
        });
        let agent = Agent::new("a", AgentKind::Vehicle, Track::new(states.collect()));
        let scene = scene_of(vec![agent]);
        let grid = Grid::frames(&scene);
        let samples = Samples::of_traffic(&scene, &grid);
        let motion = motion_of(&samples.rows[0], &grid);
        let found = motion[40].unwrap();
        // chord over ±0.2 s: 2 r sin(0.1) / 0.4 = 9.983 m/s; second difference: 2 r (1 − cos 0.25) / 0.25 = 4.974
        assert!((found.speed - 9.983).abs() < 2e-3, "{found:?}");
        assert!((found.across - 4.974).abs() < 3e-3 && found.along.abs() < 3e-3);
        assert!((found.yaw_rate - 0.5).abs() < 1e-3);
        assert!((found.curvature - 0.05).abs() < 2e-4);
        assert!(found.slip < 1e-3);
        assert!(motion[0].is_none());
    }
}
