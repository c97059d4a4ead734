//! Small pictures of scenes for the library: centrelines and agents, reduced to a unit square.

use egui::Color32;
use egui::Painter;
use egui::Pos2;
use egui::Rect;
use egui::Shape;
use egui::Stroke;
use egui::pos2;

use super::theme::Tokens;
use crate::geometry::{DVec2, simplified};
use crate::map::Lane;
use crate::map::LaneKind;
use crate::scene::AgentKind;
use crate::scene::Role;
use crate::scene::Scene;

/// Half of the side of the square that is shown, m; of a map without agents all is shown.
const REACH_M: f64 = 40.0;

/// Lines are drawn this closely, of half of the side: a third of a pixel.
const TOLERANCE: f64 = 0.01;

/// Most roads and boxes kept.
const MAX_LINES: usize = 160;

/// A scene around its ego at the present, in units of the picture's height, y down, origin in the middle.
#[derive(Debug, Clone, Default)]
pub(super) struct Thumbnail {
    /// Centrelines with half the lane width.
    roads: Vec<(Vec<Pos2>, f32)>,
    /// Paths of the agents that move.
    paths: Vec<(Vec<Pos2>, Tint)>,
    /// Footprints.
    boxes: Vec<([Pos2; 4], Tint)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tint {
    Ego,
    Attacker,
    Vehicle,
    Pedestrian,
    Cyclist,
    Other,
}

impl Tint {
    fn color(self, tokens: &Tokens) -> Color32 {
        match self {
            Self::Ego => tokens.ego,
            Self::Attacker => tokens.attacker,
            Self::Vehicle => tokens.vehicle,
            Self::Pedestrian => tokens.pedestrian,
            Self::Cyclist => tokens.cyclist,
            Self::Other => tokens.other,
        }
    }
}

impl Thumbnail {
    /// The picture of a scene.
    pub(super) fn of(scene: &Scene) -> Self {
        let frame = scene.now;
        let centre = scene
            .ego()
            .and_then(|ego| {
                ego.track
                    .get(frame)
                    .or_else(|| ego.track.valid().next().map(|v| v.1))
            })
            .map(|state| state.position)
            .or_else(|| scene.agent_bounds().map(|(low, high)| (low + high) / 2.0));
        let (centre, reach) = centre.map_or_else(
            || {
                let (low, high) = scene.map.bounds().unwrap_or_default();
                (
                    (low + high) / 2.0,
                    (0.55 * (high - low).max_element()).max(REACH_M),
                )
            },
            |centre| (centre, REACH_M),
        );
        let unit = |point: DVec2| {
            let local = (point - centre) / (2.0 * reach);
            pos2(local.x as f32, -local.y as f32)
        };
        let near = |point: &DVec2| {
            let away = (*point - centre).abs();
            away.x < 2.4 * reach && away.y < 1.4 * reach
        };
        let mut picture = Self::default();
        let lanes = scene.map.lanes().iter();
        let mut lanes: Vec<_> = lanes
            .filter(|lane| !matches!(lane.kind, LaneKind::Walk))
            .filter(|lane| lane.centreline.points().iter().any(near))
            .collect();
        if lanes.len() > MAX_LINES {
            let length = |lane: &Lane| lane.centreline.length();
            lanes.sort_by(|a, b| length(b).total_cmp(&length(a)));
            lanes.truncate(MAX_LINES);
        }
        for lane in lanes {
            let points = simplified(lane.centreline.points(), TOLERANCE * reach);
            let line: Vec<Pos2> = points.into_iter().map(unit).collect();
            let half = lane.width_or_default() / (4.0 * reach);
            picture.roads.push((line, half as f32));
        }
        for agent in &scene.agents {
            let tint = match (agent.role, agent.kind) {
                (Role::Ego, _) => Tint::Ego,
                (Role::Attacker, _) => Tint::Attacker,
                (_, AgentKind::Vehicle) => Tint::Vehicle,
                (_, AgentKind::Pedestrian) => Tint::Pedestrian,
                (_, AgentKind::Cyclist) => Tint::Cyclist,
                (_, AgentKind::Other) => Tint::Other,
            };
            let Some(state) = agent.track.get(frame) else {
                continue;
            };
            if !near(&state.position) || picture.boxes.len() >= MAX_LINES {
                continue;
            }
            let ahead = agent.track.valid().filter(|(at, _)| *at >= frame);
            let ahead: Vec<DVec2> = ahead.map(|(_, state)| state.position).collect();
            let path: Vec<Pos2> = simplified(&ahead, TOLERANCE * reach)
                .into_iter()
                .map(unit)
                .collect();
            if path.len() > 1 && agent.track.travelled() > 1.0 {
                picture.paths.push((path, tint));
            }
            let footprint = agent.footprint(state).grown(0.4);
            picture.boxes.push((footprint.corners().map(unit), tint));
        }
        // the ego on top
        picture.boxes.sort_by_key(|(_, tint)| *tint == Tint::Ego);
        picture
    }

    /// Draws the picture into `rect`.
    pub(super) fn paint(&self, painter: &Painter, rect: Rect, tokens: &Tokens) {
        let painter = painter.with_clip_rect(rect.intersect(painter.clip_rect()));
        painter.rect_filled(rect, 5.0, tokens.ground);
        let scale = rect.height();
        let place = |point: &Pos2| rect.center() + point.to_vec2() * scale;
        for (line, half) in &self.roads {
            let points: Vec<Pos2> = line.iter().map(place).collect();
            let stroke = Stroke::new((2.0 * half * scale).max(1.5), tokens.road);
            painter.add(Shape::line(points, stroke));
        }
        for (line, tint) in &self.paths {
            let points: Vec<Pos2> = line.iter().map(place).collect();
            let color = tint.color(tokens).gamma_multiply(0.55);
            painter.add(Shape::line(points, Stroke::new(1.2, color)));
        }
        for (corners, tint) in &self.boxes {
            let points: Vec<Pos2> = corners.iter().map(place).collect();
            let shape = Shape::convex_polygon(points, tint.color(tokens), Stroke::NONE);
            painter.add(shape);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Polyline;
    use crate::geometry::Pose;
    use crate::geometry::dvec2;
    use crate::map::Map;
    use crate::map::MapParts;
    use crate::scene::Agent;
    use crate::scene::State;
    use crate::scene::Track;
    use std::sync::Arc;

    #[test]
    fn the_ego_lies_in_the_middle_and_others_around_it() {
        let at = |x: f64, y: f64| Track::new(vec![Some(State::along(Pose::at(x, y, 0.0), 0.0))]);
        let mut ego = Agent::new("ego", AgentKind::Vehicle, at(100.0, 50.0));
        ego.role = Role::Ego;
        let car = Agent::new("car", AgentKind::Vehicle, at(111.0, 50.0));
        let scene = Scene {
            dt_s: 0.1,
            frames: 1,
            agents: vec![Arc::new(ego), Arc::new(car)],
            ..Scene::default()
        };
        let picture = Thumbnail::of(&scene);
        let centre = |index: usize| {
            let corners: [Pos2; 4] = picture.boxes[index].0;
            corners.iter().fold(dvec2(0.0, 0.0), |sum, corner| {
                sum + dvec2(f64::from(corner.x), f64::from(corner.y)) / 4.0
            })
        };
        // 11 m east of 80 m picture height; the ego is drawn last
        assert!((centre(0) - dvec2(11.0 / 80.0, 0.0)).length() < 1e-6);
        assert!(centre(1).length() < 1e-6);
    }

    #[test]
    fn a_map_without_agents_is_shown_whole() {
        let line = Polyline::new([dvec2(0.0, 0.0), dvec2(1000.0, 0.0)]).unwrap();
        let map = Map::build(MapParts {
            lanes: vec![Lane::new("long", LaneKind::Street, line)],
            ..MapParts::default()
        });
        let scene = Scene {
            map: Arc::new(map),
            ..Scene::default()
        };
        let picture = Thumbnail::of(&scene);
        // 1,000 m in a picture 1,100 m high: ends at 500 / 1100 from the middle
        let ends: Vec<f32> = picture.roads[0].0.iter().map(|point| point.x).collect();
        assert!((ends[0] + 0.4545).abs() < 1e-3 && (ends[ends.len() - 1] - 0.4545).abs() < 1e-3);
    }
}
