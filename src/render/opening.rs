//! Where a view of a scene begins, before anybody has moved it.

use super::Camera;
use crate::geometry::{DVec2, dvec2};
use crate::scene::{Role, Scene};

/// Agents farther than this from the ego do not widen the first view, m.
const NEAR_M: f64 = 60.0;
/// The same for attackers, m.
const FAR_M: f64 = 130.0;
/// Least and largest extent of the first view along its shorter side, m.
const EXTENT_M: (f64, f64) = (60.0, 130.0);

/// North up, around the ego at the present and who is near it, or around everything if there is no ego.
/// `size` is the viewport's, points.
pub fn opening_camera(scene: &Scene, size: DVec2) -> Camera {
    let mut camera = Camera::default();
    let frame = scene.frame_at(scene.now_s());
    let ego = scene.ego().filter(|ego| ego.track.span().is_some());
    let middle = ego.and_then(|ego| {
        let state = ego.track.sample(frame);
        state.or_else(|| ego.track.valid().next().map(|(_, state)| *state))
    });
    let Some(middle) = middle.map(|state| state.position) else {
        if let Some(all) = scene.agent_bounds().or_else(|| scene.map.bounds()) {
            camera.fit(all, size, 40.0);
        }
        return camera;
    };
    let around = scene
        .states_at(scene.now_s())
        .map(|(_, agent, state)| (state.position, agent.role == Role::Attacker))
        .filter(|&(point, attacks)| point.distance(middle) < if attacks { FAR_M } else { NEAR_M })
        .map(|(point, _)| point);
    let path = ego.into_iter().flat_map(|ego| ego.track.valid());
    let path = path.map(|(_, state)| middle + (state.position - middle).clamp_length_max(NEAR_M));
    let (low, high) = around
        .chain(path)
        .fold((middle, middle), |(low, high), point| {
            (low.min(point), high.max(point))
        });
    let margin = 0.1 * size.min_element();
    camera.fit((low, high), size, margin);
    let shorter = size.min_element().max(1.0);
    camera.points_per_m = camera
        .points_per_m
        .clamp(shorter / EXTENT_M.1, shorter / EXTENT_M.0);
    camera
}

/// The same view from farther or nearer, `span_m` metres across.
pub fn spanning(camera: Camera, span_m: f64, size: DVec2) -> Camera {
    let mut camera = camera;
    camera.zoom_at(
        size.x / span_m / camera.points_per_m,
        size / 2.0,
        size.max(dvec2(1.0, 1.0)),
    );
    camera
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::scene::{Agent, AgentKind, State, Track};
    use std::sync::Arc;

    #[test]
    fn the_first_view_shows_the_ego_and_its_neighbours_but_not_the_whole_city() {
        let standing = |id: &str, x: f64| {
            let state = State::along(Pose::at(x, 0.0, 0.0), 0.0);
            Agent::new(id, AgentKind::Vehicle, Track::new(vec![Some(state)]))
        };
        let mut ego = standing("ego", 1000.0);
        ego.role = Role::Ego;
        let scene = Scene {
            dt_s: 0.1,
            frames: 1,
            agents: [ego, standing("near", 1040.0), standing("far", 9000.0)]
                .map(Arc::new)
                .to_vec(),
            ..Scene::default()
        };
        let size = dvec2(800.0, 600.0);
        let camera = opening_camera(&scene, size);
        let sees = |x: f64| (0.0..800.0).contains(&camera.screen_from_world(dvec2(x, 0.0), size).x);
        assert!(sees(1000.0) && sees(1040.0) && !sees(9000.0));
        assert!((spanning(camera, 200.0, size).points_per_m - 4.0).abs() < 1e-9); // 800 / 200
    }
}
