//! The sketch tool: a path drawn by hand becomes the way an agent takes.
//!
//! The drawn line is smoothed and timed; the model is given its end as a goal and one waypoint per second as hints,
//! so that it keeps to the drawing where it can and makes it drivable where it cannot.

use egui::Shape;
use egui::Stroke;
use egui::Ui;

use super::panes::Screen;
use super::theme::tokens;
use super::tools;
use super::tools::Meaning;
use crate::codec::NOW;
use crate::geometry::DVec2;
use crate::geometry::Polyline;
use crate::geometry::quantise;
use crate::map::Extra;
use crate::scene::Agent;
use crate::scene::AgentId;
use crate::scene::AgentKind;
use crate::scene::Edit;
use crate::scene::Goal;
use crate::scene::Pin;
use crate::scene::Scene;

/// Noise level of the waypoints: the drawing is a hint, its end is the goal.
const HINT_LEVEL: f64 = 0.15;

/// Points nearer than this to the last one are left out, m.
const APART_M: f64 = 0.5;

/// Shorter drawings mean nothing, m.
const LEAST_M: f64 = 2.0;

/// A drawing in progress.
#[derive(Debug, Clone)]
pub(super) struct Sketch {
    /// Whose path it is.
    pub agent: AgentId,
    /// Where the pointer was, m.
    points: Vec<DVec2>,
}

impl Sketch {
    /// Begins to draw a path of `agent`.
    pub(super) fn new(agent: AgentId, at: DVec2) -> Self {
        Self {
            agent,
            points: vec![at],
        }
    }

    /// Goes on to `at`.
    pub(super) fn extend(&mut self, at: DVec2) {
        if self
            .points
            .last()
            .is_none_or(|last| last.distance(at) >= APART_M)
        {
            self.points.push(at);
        }
    }

    /// What the drawing asks for, with the pointer at `at`: the path, its hints and its goal. One step of the history.
    pub(super) fn meaning(&self, scene: &Scene, at: DVec2) -> Meaning {
        let Some(agent) = scene.agent(&self.agent) else {
            return Meaning::default();
        };
        let Some(present) = agent.track.get(scene.now) else {
            return Meaning {
                edits: Vec::new(),
                note: format!("{} is not there at the present", self.agent),
            };
        };
        let Some(path) = smooth(present.position, &self.points, at) else {
            return Meaning {
                edits: Vec::new(),
                note: "draw the way it shall take".to_owned(),
            };
        };
        let duration_s = duration(agent, present.speed(), path.length());
        let time_s = tools::on_grid(scene, scene.now_s() + duration_s);
        let duration_s = time_s - scene.now_s();
        let end = path.pose_at(path.length());
        let mut edits = vec![
            Edit::ClearPin {
                agent: self.agent.clone(),
                token: None,
            },
            Edit::Sketch {
                agent: self.agent.clone(),
                points: path
                    .points()
                    .iter()
                    .map(|p| [quantise(p.x), quantise(p.y)])
                    .collect(),
                time_s,
            },
        ];
        let due = (duration_s * 2.0).round() as usize;
        edits.extend((2..due).step_by(2).map(|step| Edit::SetPin {
            pin: Pin {
                agent: self.agent.clone(),
                token: NOW + step,
                level: HINT_LEVEL,
                extra: Extra::new(),
            },
        }));
        let old = scene.goal_of(&self.agent);
        edits.push(Edit::SetGoal {
            goal: Goal {
                agent: self.agent.clone(),
                point: [quantise(end.point.x), quantise(end.point.y)],
                time_s,
                heading: Some(end.heading),
                speed: None,
                tolerance_m: old.map_or(1.0, |goal| goal.tolerance_m),
                hard: old.is_none_or(|goal| goal.hard),
                extra: old.map_or_else(Extra::new, |goal| goal.extra.clone()),
            },
        });
        Meaning {
            edits,
            note: format!(
                "{:.0} m in {duration_s:.1} s, {:.1} m/s",
                path.length(),
                path.length() / duration_s
            ),
        }
    }

    /// Draws the line as the hand drew it.
    pub(super) fn draw(&self, ui: &Ui, screen: &Screen) {
        let points = self
            .points
            .iter()
            .map(|point| screen.place(*point))
            .collect();
        let stroke = Stroke::new(2.2, tokens(ui).goal);
        ui.painter_at(screen.rect).add(Shape::line(points, stroke));
    }
}

/// Takes back the hints of a drawing, which lead to where the goal was.
pub(super) fn without_hints(scene: &Scene, agent: &AgentId) -> Vec<Edit> {
    let hints = scene
        .pins
        .iter()
        .filter(|pin| pin.agent == *agent && (pin.level - HINT_LEVEL).abs() < 1e-9);
    hints
        .map(|pin| Edit::ClearPin {
            agent: agent.clone(),
            token: Some(pin.token),
        })
        .collect()
}

/// The drawn line from `start` on, without the tremor of the hand: points a metre apart, averaged over 2 m to either
/// side; the ends stay. `None` if it is shorter than 2 m.
fn smooth(start: DVec2, points: &[DVec2], end: DVec2) -> Option<Polyline> {
    // what was drawn beside the agent before leaving it is not part of the way
    let away = points
        .iter()
        .skip_while(|point| point.distance(start) < 1.0);
    let line = Polyline::new(
        std::iter::once(start)
            .chain(away.copied())
            .chain(std::iter::once(end)),
    )?;
    if line.length() < LEAST_M {
        return None;
    }
    let count = (line.length().ceil() as usize + 1).clamp(3, 400);
    let even = line.resampled(count);
    let last = even.len() - 1;
    let mean = |at: usize| {
        let reach = at.min(last - at).min(2);
        let near = &even[at - reach..=at + reach];
        near.iter().copied().sum::<DVec2>() / near.len() as f64
    };
    Polyline::new((0..=last).map(mean))
}

/// How long the drawn way takes at the agent's present speed, at most the model's horizon, s. One that stands drives
/// off at an ordinary pace for its kind.
fn duration(agent: &Agent, speed: f64, length_m: f64) -> f64 {
    let ordinary = match agent.kind {
        AgentKind::Vehicle | AgentKind::Other => 6.0,
        AgentKind::Cyclist => 4.0,
        AgentKind::Pedestrian => 1.4,
    };
    let pace = if speed < 0.5 { ordinary / 2.0 } else { speed };
    (length_m / pace).clamp(1.0, tools::HORIZON_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::geometry::dvec2;
    use crate::scene::State;
    use crate::scene::Track;
    use std::sync::Arc;

    /// One car at the origin at the present, 1 s, heading east at 10 m/s.
    fn scene() -> Scene {
        let states = (0..101).map(|frame| {
            let pose = Pose::at(f64::from(frame) - 10.0, 0.0, 0.0);
            Some(State::along(pose, 10.0))
        });
        let car = Agent::new("car", AgentKind::Vehicle, Track::new(states.collect()));
        Scene {
            dt_s: 0.1,
            frames: 101,
            now: 10,
            agents: vec![Arc::new(car)],
            ..Scene::default()
        }
    }

    fn drawn(to: &[DVec2]) -> Meaning {
        let mut sketch = Sketch::new(AgentId::new("car"), dvec2(0.0, 0.0));
        to.iter().for_each(|point| sketch.extend(*point));
        sketch.meaning(&scene(), to[to.len() - 1])
    }

    #[test]
    fn a_straight_drawing_takes_the_time_its_length_needs_at_the_present_speed() {
        let meaning = drawn(&[dvec2(20.0, 0.0), dvec2(40.0, 0.0)]);
        let Some(Edit::SetGoal { goal }) = meaning.edits.last() else {
            panic!("no goal")
        };
        // 40 m at 10 m/s: 4 s after the present, 1 s
        assert_eq!((goal.time_s, goal.point), (5.0, [40.0, 0.0]));
        // hints at 1, 2 and 3 s: model frames 6, 8 and 10
        let pins: Vec<usize> = meaning
            .edits
            .iter()
            .filter_map(|edit| match edit {
                Edit::SetPin { pin } => Some(pin.token),
                _ => None,
            })
            .collect();
        assert_eq!(pins, [6, 8, 10]);
        assert_eq!(meaning.note, "40 m in 4.0 s, 10.0 m/s");
    }

    #[test]
    fn a_dot_asks_for_nothing() {
        assert!(drawn(&[dvec2(0.8, 0.0)]).edits.is_empty());
    }

    #[test]
    fn the_tremor_of_a_hand_is_averaged_away_and_the_ends_stay() {
        let zigzag: Vec<DVec2> = (1..=20)
            .map(|at| dvec2(f64::from(at) * 2.0, if at % 2 == 0 { 0.4 } else { -0.4 }))
            .collect();
        let path = smooth(dvec2(0.0, 0.0), &zigzag, dvec2(40.0, 0.4)).unwrap();
        assert_eq!(
            (path.start(), path.end()),
            (dvec2(0.0, 0.0), dvec2(40.0, 0.4))
        );
        let inner = path.points().iter().filter(|p| p.x > 4.0 && p.x < 36.0);
        // five points over one period of 4 m: less than half of the drawn 0.4 m is left
        assert!(inner.clone().count() > 20 && inner.clone().all(|p| p.y.abs() < 0.2));
    }
}
