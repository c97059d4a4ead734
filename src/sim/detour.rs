//! A scene with two equally good answers: something stands in the middle of a wide road, free on both sides.
//!
//! The mean of both ways round leads straight into it; a planner that returns the mean of what drivers do shows it here.

use std::sync::Arc;

use super::build::{Builder, Profile};
use super::curve::Pen;
use super::driver::{Body, Driver};
use super::idm::Mobil;
use super::record::Recording;
use super::world::{Placement, World};
use crate::geometry::Pose;
use crate::rng::Seed;
use crate::scene::{Agent, AgentKind, Scene, State, Track};

/// Speed of the ego, m/s.
const SPEED: f64 = 12.0;

/// Three lanes one way along the x axis, 10.5 m between kerbs, all mirror images about y = 0: a lorry stands in the
/// middle lane at the origin, the ego comes along the middle lane at 12 m/s and is 66 m from it at the present (2 s).
/// In the record it changes to the left lane.
pub(super) fn detour() -> Option<Scene> {
    let limit = 13.9;
    let reference = Pen::at(Pose::at(-170.0, 5.25, 0.0)).line(420.0).finish()?;
    let mut builder = Builder::default();
    builder.road("road", &reference, Profile::street(3, 0));
    let network = builder.finish(&[]);
    let (left, middle) = (network.lane("road+0")?, network.lane("road+1")?);
    let mut world = World::new(Arc::new(network), Seed(97));
    let ego = world.place(Placement {
        body: Body::Car,
        lane: middle,
        s: 170.0 - 66.0 - 2.0 * SPEED,
        speed: SPEED,
        wishes: Vec::new(),
        driver: Some(Driver {
            speed_factor: SPEED / limit,
            mobil: Mobil {
                threshold: 9.0,
                ..Mobil::usual()
            },
            ..Driver::average(Body::Car)
        }),
        size: Some((4.6, 1.85)),
    })?;
    world.orders.push((world.time_s + 2.2, ego, left));
    let mut scene = world.record(&Recording {
        name: "Two ways round",
        source: "Nearmiss traffic world, bundled",
        duration_s: 12.0,
        now_s: 2.0,
        ego: Some(ego),
    });
    // it joins after the record is made: the record's own way round is an order, not a reaction, so nothing of it
    // depends on which side is tried
    let standing = State::along(Pose::at(0.0, 0.0, 0.0), 0.0);
    let mut lorry = Agent::new(
        "lorry",
        AgentKind::Vehicle,
        Track::new(vec![Some(standing); scene.frames]),
    );
    lorry.category = Some("truck".to_owned());
    (lorry.length, lorry.width) = (8.0, 2.5);
    scene.agents.push(Arc::new(lorry));
    Some(scene.quantised())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_road_is_its_own_mirror_image() {
        let scene = detour().unwrap();
        let mut middles: Vec<f64> = scene
            .map
            .lanes()
            .iter()
            .map(|lane| lane.centreline.start().y)
            .collect();
        middles.sort_by(f64::total_cmp);
        assert_eq!(middles, [-3.5, 0.0, 3.5]);
        let present = scene.ego().unwrap().track.get(scene.now).unwrap();
        assert!(present.position.y.abs() < 1e-3 && present.heading.abs() < 1e-3);
        // 2 s at 12 m/s before the present it was 24 m farther away
        assert!((present.position.x + 66.0).abs() < 1.0, "{present:?}");
    }

    #[test]
    fn the_record_passes_on_the_left_and_going_straight_on_does_not() {
        let scene = detour().unwrap();
        let ego = scene.ego().unwrap();
        let lorry = scene.agents.last().unwrap().footprint_at(0).unwrap();
        for (_, state) in ego.track.valid() {
            assert!(!ego.footprint(state).overlaps(&lorry));
        }
        let present = ego.track.get(scene.now).unwrap();
        let meets = (0..80).any(|step| {
            let mut state = *present;
            state.position += state.velocity * (0.1 * f64::from(step));
            ego.footprint(&state).overlaps(&lorry)
        });
        assert!(meets);
        let past = ego.track.valid().find(|(_, state)| state.position.x > 0.0);
        assert!((past.unwrap().1.position.y - 3.5).abs() < 0.5);
    }
}
