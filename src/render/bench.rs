//! What a frame costs: a made-up city of any size, and the time its draw lists and uploads take.

use std::sync::Arc;

use super::{Composer, Layer, Offscreen, Shot, Style, ViewOptions, opening_camera};
use crate::geometry::{DVec2, Polyline, Pose, dvec2};
use crate::map::{Lane, LaneKind, Map, MapParts};
use crate::scene::{Agent, AgentKind, Role, Scene, State, Track};

/// One measured figure.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameCost {
    /// What was measured.
    pub what: &'static str,
    /// Agents in the scene.
    pub agents: usize,
    /// Lanes in the map.
    pub lanes: usize,
    /// Median time, ms.
    pub median_ms: f64,
}

/// Frames per figure.
const ROUNDS: usize = 60;

/// Measures frames of a city with so many agents and lanes. `now_s` is a clock in seconds. Figures that need a
/// graphics adapter are left out where there is none.
pub fn bench_frames(agents: usize, lanes: usize, mut now_s: impl FnMut() -> f64) -> Vec<FrameCost> {
    let scene = city(agents, lanes);
    let style = Style::dark();
    let options = ViewOptions::default();
    let mut costs = Vec::new();
    let mut report = |what: &'static str, mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        let median_ms = 1e3 * times.get(times.len() / 2).copied().unwrap_or_default();
        costs.push(FrameCost {
            what,
            agents,
            lanes,
            median_ms,
        });
    };
    let mut timed = |work: &mut dyn FnMut(usize)| -> Vec<f64> {
        let rounds = 0..ROUNDS;
        rounds
            .map(|round| {
                let start = now_s();
                work(round);
                now_s() - start
            })
            .collect()
    };
    let mut composer = Composer::default();
    let draw =
        |composer: &mut Composer, time_s: f64| composer.draw_list(&scene, time_s, &options, &style);
    let first = timed(&mut |_| {
        draw(&mut Composer::default(), 0.0);
    });
    report("first draw list of a scene", first);
    draw(&mut composer, 0.0);
    let playing = timed(&mut |round| {
        draw(&mut composer, 0.01 * (round + 1) as f64);
    });
    report("draw list while playing", playing);
    let still = timed(&mut |_| {
        draw(&mut composer, 0.5);
    });
    report("draw list of an unchanged frame", still);
    let Ok(mut offscreen) = Offscreen::new() else {
        return costs;
    };
    let size = [1280, 800];
    let shot = Shot {
        camera: opening_camera(&scene, dvec2(1280.0, 800.0)),
        size,
        pixels_per_point: 1.0,
        captions: Vec::new(),
        symbols: Layer::default(),
    };
    let lists: Vec<_> = (0..ROUNDS)
        .map(|round| draw(&mut composer, 0.01 * (round + 1) as f64))
        .collect();
    offscreen.upload(&lists[0], &shot, &style);
    let uploads = timed(&mut |round| {
        offscreen.upload(&lists[round], &shot, &style);
    });
    report("upload while playing", uploads);
    let pictures = timed(&mut |round| {
        if round % 10 == 0 {
            // a lost device shows in the figures as a picture that costs nothing
            offscreen.picture(&lists[round], &shot, &style).ok();
        }
    });
    let pictures = pictures.into_iter().step_by(10).collect();
    report("picture of 1280 by 800, read back", pictures);
    costs
}

/// A grid of two-way streets with agents on them, half a lane piece of 20 points per 100 m.
fn city(agents: usize, lanes: usize) -> Scene {
    let side = (lanes as f64 / 2.0).sqrt().ceil() as usize;
    let block_m = 100.0;
    let lane = |index: usize| {
        let (street, piece) = ((index / 2) / side, (index / 2) % side);
        let along = |step: f64| {
            let x = block_m * (piece as f64 + step);
            dvec2(x, block_m * street as f64 + 2.0 * (x / 60.0).sin())
        };
        let points = (0..20).map(|step| along(f64::from(step) / 19.0));
        let points: Vec<DVec2> = if index.is_multiple_of(2) {
            points.collect()
        } else {
            points.rev().map(|point| point + dvec2(0.0, 3.5)).collect()
        };
        let mut lane = Lane::new(format!("{index}"), LaneKind::Street, Polyline::new(points)?);
        lane.width = Some(3.5);
        Some(lane)
    };
    let map = Map::build(MapParts {
        lanes: (0..lanes).filter_map(lane).collect(),
        ..MapParts::default()
    });
    let agent = |index: usize| {
        let street = index % side.max(1);
        let start_m = 14.0 * (index / side.max(1)) as f64;
        let states = (0..91).map(|frame| {
            let x = start_m + 0.8 * f64::from(frame);
            let y = block_m * street as f64 + 2.0 * (x / 60.0).sin();
            let heading = (x / 60.0).cos() / 30.0;
            Some(State::along(Pose::new(dvec2(x, y), heading), 8.0))
        });
        let kind = match index % 10 {
            8 => AgentKind::Cyclist,
            9 => AgentKind::Pedestrian,
            _ => AgentKind::Vehicle,
        };
        let mut agent = Agent::new(format!("{index}"), kind, Track::new(states.collect()));
        if index == 0 {
            agent.role = Role::Ego;
        }
        Arc::new(agent)
    };
    Scene {
        dt_s: 0.1,
        frames: 91,
        now: 10,
        map: Arc::new(map),
        agents: (0..agents).map(agent).collect(),
        ..Scene::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_city_has_as_many_lanes_and_agents_as_asked() {
        let scene = city(30, 50);
        assert_eq!((scene.agents.len(), scene.map.lanes().len()), (30, 50));
        assert_eq!(scene.map.lanes()[7].centreline.points().len(), 20);
    }
}
