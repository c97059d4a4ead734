//! A future that follows a line drawn by hand.

use super::edit::EditError;
use super::{AgentId, Scene, State};
use crate::geometry::{DVec2, Polyline, Pose, dvec2};

impl Scene {
    /// Lays an agent's states after the present along its present place and `points`, so that it is at the end at
    /// `time_s`: even acceleration from its present speed, or to a stop if it would come too early. Afterwards it goes
    /// straight on at its last speed.
    pub(super) fn follow_drawing(
        &mut self,
        id: &AgentId,
        points: &[[f64; 2]],
        time_s: f64,
    ) -> Result<(), EditError> {
        let index = self
            .agent_index(id)
            .ok_or_else(|| EditError::UnknownAgent(id.clone()))?;
        let (now, frames) = (self.now, self.frames);
        let Some(present) = self.agents[index].track.get(now).copied() else {
            return Err(EditError::NotPresent {
                agent: id.clone(),
                frame: now,
            });
        };
        let duration_s = time_s - self.now_s();
        if !(duration_s > 0.0 && duration_s.is_finite()) {
            return Err(EditError::BadValue {
                name: "end of the drawing",
                value: time_s,
                why: "it must lie after the present",
            });
        }
        let drawn = points.iter().map(|&[x, y]| dvec2(x, y));
        let far = drawn
            .clone()
            .find(|point| !point.is_finite() || point.abs().max_element() >= 1e8);
        if let Some(point) = far {
            return Err(EditError::BadValue {
                name: "drawn point",
                value: point.x,
                why: "it must be a finite number below 1e8",
            });
        }
        let line = Polyline::new(std::iter::once(present.position).chain(drawn));
        let Some(line) = line else {
            return Err(EditError::BadValue {
                name: "number of drawn points",
                value: points.len() as f64,
                why: "they must lead away from the agent",
            });
        };
        self.remember(index);
        let ride = Ride::new(&line, present.speed(), duration_s);
        let dt_s = self.dt_s;
        let agent = std::sync::Arc::make_mut(&mut self.agents[index]);
        for frame in now + 1..frames {
            let state = ride.at((frame - now) as f64 * dt_s);
            agent.track.set(frame, Some(state.quantised()));
        }
        Ok(())
    }
}

/// A line with a speed over time.
struct Ride<'a> {
    line: &'a Polyline,
    speed: f64,
    acceleration: f64,
    /// Until when the acceleration holds, s.
    until_s: f64,
}

impl<'a> Ride<'a> {
    fn new(line: &'a Polyline, speed: f64, duration_s: f64) -> Self {
        let length = line.length();
        // a stop at the end takes 2 L / v: with more time than that it waits there
        let until_s = if speed * duration_s > 2.0 * length {
            2.0 * length / speed
        } else {
            duration_s
        };
        Self {
            line,
            speed,
            acceleration: 2.0 * (length - speed * until_s) / (until_s * until_s),
            until_s,
        }
    }

    fn at(&self, time_s: f64) -> State {
        let inside = time_s.min(self.until_s);
        let along = self.speed * inside + 0.5 * self.acceleration * inside * inside;
        let speed = (self.speed + self.acceleration * inside).max(0.0);
        let on_line = self.line.pose_at(along.min(self.line.length()));
        let beyond: DVec2 = on_line.forward() * (speed * (time_s - inside));
        State::along(Pose::new(on_line.point + beyond, on_line.heading), speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Agent, AgentKind, Edit, Track};
    use std::sync::Arc;

    /// One car at the origin at the present, frame 2 of frames 0.5 s apart, heading east at `speed` m/s.
    fn scene(speed: f64) -> Scene {
        let states = (0..21).map(|frame| {
            let x = (f64::from(frame) - 2.0) * 0.5 * speed;
            Some(State::along(Pose::at(x, 0.0, 0.0), speed))
        });
        let car = Agent::new("car", AgentKind::Vehicle, Track::new(states.collect()));
        Scene {
            dt_s: 0.5,
            frames: 21,
            now: 2,
            agents: vec![Arc::new(car)],
            ..Scene::default()
        }
    }

    fn drawn(speed: f64, points: &[[f64; 2]], time_s: f64) -> Result<Scene, EditError> {
        scene(speed).edited(&Edit::Sketch {
            agent: AgentId::new("car"),
            points: points.to_vec(),
            time_s,
        })
    }

    #[test]
    fn the_end_is_reached_in_time_with_even_acceleration() {
        // 30 m in 4 s from 5 m/s: a = 2 (30 − 20) / 16 = 1.25 m/s², at 2 s 10 + 2.5 m, at the end 10 m/s
        let scene = drawn(5.0, &[[30.0, 0.0]], 5.0).unwrap();
        let state = |frame: usize| *scene.agents[0].track.get(frame).unwrap();
        assert_eq!(state(6).position, dvec2(12.5, 0.0));
        assert_eq!(
            (state(10).position, state(10).speed()),
            (dvec2(30.0, 0.0), 10.0)
        );
        assert_eq!(state(11).position, dvec2(35.0, 0.0)); // straight on
        assert_eq!(state(1).position, dvec2(-2.5, 0.0)); // history stays
        // the log remembers the track before
        let log = scene.log.get(&AgentId::new("car")).unwrap();
        assert_eq!(log.get(6).unwrap().position, dvec2(10.0, 0.0));
    }

    #[test]
    fn too_much_time_for_the_way_ends_in_a_stop() {
        // 10 m from 10 m/s: stopped after 2 · 10 / 10 = 2 s
        let scene = drawn(10.0, &[[10.0, 0.0]], 5.0).unwrap();
        let last = scene.agents[0].track.get(20).unwrap();
        assert_eq!((last.position, last.speed()), (dvec2(10.0, 0.0), 0.0));
    }

    #[test]
    fn a_drawing_that_leads_nowhere_or_ends_in_the_past_is_refused() {
        let bad =
            |result: Result<Scene, EditError>| matches!(result, Err(EditError::BadValue { .. }));
        assert!(bad(drawn(5.0, &[], 5.0)));
        assert!(bad(drawn(5.0, &[[30.0, 0.0]], 1.0))); // the present
        assert!(bad(drawn(5.0, &[[f64::NAN, 0.0]], 5.0)));
    }
}
