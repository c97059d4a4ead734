//! Paths of agents through time, as ribbons that depend on the scene alone: the moment shown is the shader's.

use std::sync::Arc;

use super::agents::{agent_color, has_part, is_made, is_standing};
use super::draw_list::Ribbon;
use super::options::{NoiseView, Path, PathKind, Trails, ViewOptions};
use super::strokes::{Sheet, Stroke};
use super::{Color, Style};
use crate::geometry::DVec2;
use crate::scene::{Agent, AgentKind, Role, Scene, Track};

/// A ribbon follows its path this closely, in space and in time, m.
const TOLERANCE_M: f64 = 0.04;
/// At most so many frames become one piece.
const LONGEST_PIECE: usize = 24;
/// White mixed into the near end, outline colour into the far end.
const GRADIENT: (f64, f64) = (0.30, 0.40);

/// The paths of all agents that the options show.
pub(super) fn draw_trails(scene: &Scene, options: &ViewOptions, style: &Style, sheet: &mut Sheet) {
    // the parts lie on top of the crowd, the ego on top of all
    let mut order: Vec<&Arc<Agent>> = scene.agents.iter().collect();
    order.sort_by_key(|agent| {
        (
            agent.role == Role::Ego,
            has_part(agent),
            options.selected.contains(&agent.id),
        )
    });
    for agent in order {
        let is_selected = options.selected.contains(&agent.id);
        let is_shown = match options.trails {
            Trails::None => false,
            Trails::Parts => is_selected || has_part(agent),
            Trails::All => true,
        };
        if !is_shown || options.hidden.contains(&agent.id) || is_standing(agent) {
            continue;
        }
        let is_strong = is_selected || has_part(agent);
        let color = agent_color(scene, agent, style);
        let look = trail_look(agent, is_strong);
        let opacity = if is_strong { 0.95 } else { 0.6 };
        let noise = options.noise.as_deref().map(|noise| (noise, &**agent));
        let draft = options.draft && is_made(scene, agent);
        for mut path in paths(&agent.track, scene) {
            if draft {
                let present = path.partition_point(|(_, time_s)| *time_s < 0.0);
                let future: Vec<DVec2> = path[present..].iter().map(|(point, _)| *point).collect();
                let stroke = Stroke::solid(0.0, f64::from(look.width[1]), color.faded(opacity));
                sheet.polyline(&future, &stroke.dashed_points(7.0, 5.0));
                path.truncate(present + 1);
            }
            sheet.ribbon(&path, &look, |time_s| {
                let kept = opacity * clarity(noise, time_s + scene.now_s());
                let (near, far) = gradient(color, style, kept);
                (near, far.faded(if is_strong { 1.0 } else { 0.5 }))
            });
        }
    }
    if options.log_ghosts {
        draw_logged(scene, options, style, sheet);
    }
    for path in options.paths.iter() {
        draw_path(scene, path, style, sheet);
    }
}

/// The recorded paths of agents whose track was changed since.
fn draw_logged(scene: &Scene, options: &ViewOptions, style: &Style, sheet: &mut Sheet) {
    let stroke = Stroke::solid(0.0, 1.25, style.fixed.faded(0.55)).dashed_points(4.0, 3.0);
    for (id, track) in &scene.log {
        if options.hidden.contains(id) {
            continue;
        }
        for path in paths(track, scene) {
            let points: Vec<DVec2> = path.iter().map(|&(point, _)| point).collect();
            sheet.polyline(&points, &stroke);
        }
    }
}

fn trail_look(agent: &Agent, is_strong: bool) -> Ribbon {
    let width = match (is_strong, agent.kind) {
        (true, _) => 3.25,
        (false, AgentKind::Vehicle) => 2.0,
        (false, _) => 1.25,
    };
    Ribbon {
        width: [0.0, width],
        tick: match (is_strong, agent.kind) {
            (true, _) => 5.0,
            (false, AgentKind::Vehicle) => 3.0,
            (false, _) => 0.0,
        },
        past: 0.45,
        ..bytemuck::Zeroable::zeroed()
    }
}

/// Light now, dark later.
fn gradient(color: Color, style: &Style, opacity: f64) -> (Color, Color) {
    let near = color.mixed(Color::hex(0xff_ff_ff), GRADIENT.0);
    let far = color.mixed(style.outline, GRADIENT.1);
    (near.faded(opacity), far.faded(opacity * 0.9))
}

fn clarity(noise: Option<(&NoiseView, &Agent)>, time_s: f64) -> f64 {
    noise.map_or(1.0, |(noise, agent)| {
        1.0 - 0.8 * f64::from(noise.level(&agent.id, time_s))
    })
}

/// The swept footprint of one agent from the present on: a ribbon as wide as the agent.
pub(super) fn draw_sweep(scene: &Scene, agent: &Agent, style: &Style, sheet: &mut Sheet) {
    let color = agent_color(scene, agent, style);
    let look = Ribbon {
        width: [agent.width as f32, 2.0],
        past: 0.0,
        ..bytemuck::Zeroable::zeroed()
    };
    for path in paths(&agent.track, scene) {
        sheet.ribbon(&path, &look, |_| (color.faded(0.28), color.faded(0.10)));
    }
}

fn draw_path(scene: &Scene, path: &Path, style: &Style, sheet: &mut Sheet) {
    let color = path
        .agent
        .as_ref()
        .and_then(|id| scene.agent(id))
        .map_or(style.selection, |agent| agent_color(scene, agent, style));
    let weight = path.weight.clamp(0.0, 1.0);
    let points: Vec<DVec2> = path.points.iter().map(|&(point, _)| point).collect();
    match path.kind {
        PathKind::Mode => {
            let look = Ribbon {
                width: [0.0, 1.5 + 3.0 * weight as f32],
                tick: 4.0,
                past: 0.3,
                ..bytemuck::Zeroable::zeroed()
            };
            let timed: Vec<(DVec2, f64)> = path
                .points
                .iter()
                .map(|&(point, time_s)| (point, time_s - scene.now_s()))
                .collect();
            sheet.ribbon(&timed, &look, |_| {
                gradient(style.plan, style, 0.25 + 0.75 * weight)
            });
        }
        PathKind::Sketch => {
            let stroke = Stroke::solid(0.0, 2.0, color.faded(weight)).dashed_points(7.0, 5.0);
            sheet.polyline(&points, &stroke);
        }
        PathKind::Escape => {
            let color = style.escape.faded(weight);
            let stroke = Stroke::solid(0.0, 3.0, color).dashed_points(11.0, 5.0);
            sheet.polyline(&points, &stroke);
        }
        PathKind::Route => {
            let look = Ribbon {
                width: [2.4, 3.0],
                past: 0.0,
                ..bytemuck::Zeroable::zeroed()
            };
            let band: Vec<(DVec2, f64)> = points.iter().map(|&point| (point, 0.0)).collect();
            let shade = color.faded(0.14 * weight);
            sheet.ribbon(&band, &look, |_| (shade, shade));
        }
        PathKind::Anchor => {
            let stroke = Stroke::solid(0.0, 1.0, color.faded(0.6 * weight)).dashed_points(1.5, 4.0);
            sheet.polyline(&points, &stroke);
        }
    }
}

/// The valid stretches of a track as points with seconds from the present, thinned where motion is even.
fn paths(track: &Track, scene: &Scene) -> Vec<Vec<(DVec2, f64)>> {
    let mut stretches: Vec<Vec<(DVec2, f64)>> = Vec::new();
    let mut last_frame = None;
    for (frame, state) in track.valid() {
        let point = (state.position, scene.time_of(frame) - scene.now_s());
        match stretches.last_mut() {
            Some(stretch) if last_frame == frame.checked_sub(1) => stretch.push(point),
            _ => stretches.push(vec![point]),
        }
        last_frame = Some(frame);
    }
    stretches.iter().map(|stretch| thinned(stretch)).collect()
}

/// Points left out lie within [`TOLERANCE_M`] of where even motion between the kept ones would be at their time.
fn thinned(path: &[(DVec2, f64)]) -> Vec<(DVec2, f64)> {
    let Some(&first) = path.first() else {
        return Vec::new();
    };
    let mut kept = vec![first];
    let mut from = 0;
    while from + 1 < path.len() {
        let reaches = |to: &usize| {
            let ((start, start_s), (end, end_s)) = (path[from], path[*to]);
            path[from + 1..*to].iter().all(|&(point, time_s)| {
                let even = start.lerp(end, (time_s - start_s) / (end_s - start_s));
                even.distance_squared(point) < TOLERANCE_M * TOLERANCE_M
            })
        };
        let farthest = (from + LONGEST_PIECE).min(path.len() - 1);
        let next = (from + 2..=farthest).take_while(reaches).last();
        from = next.unwrap_or(from + 1);
        kept.push(path[from]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    #[test]
    fn what_a_draft_makes_is_dashed_from_the_present_on() {
        let states = (0..61).map(|frame| {
            let pose = crate::geometry::Pose::at(f64::from(frame), 0.0, 0.0);
            Some(crate::scene::State::along(pose, 10.0))
        });
        let car = Agent::new("car", AgentKind::Vehicle, Track::new(states.collect()));
        let mut scene = Scene {
            dt_s: 0.1,
            frames: 61,
            now: 20,
            ..Scene::default()
        };
        // it stood when it was recorded
        let stood = car.track.states().iter().map(|_| car.track.get(0).copied());
        let stood = Track::new(stood.collect());
        scene.log.insert(car.id.clone(), stood);
        scene.agents.push(Arc::new(car));
        let drawn = |draft: bool| {
            let options = ViewOptions {
                draft,
                ..ViewOptions::default()
            };
            let mut sheet = Sheet::new(DVec2::ZERO);
            draw_trails(&scene, &options, &Style::dark(), &mut sheet);
            let lines = sheet.layer.lines;
            let dashed = lines.iter().filter(|line| line.dash[0] > 0.0);
            let ways: Vec<[f32; 2]> = dashed.map(|line| [line.from[0], line.to[0]]).collect();
            (ways, sheet.layer.ribbons.len())
        };
        let (none, whole) = drawn(false);
        assert!(none.is_empty());
        let (ways, past) = drawn(true);
        assert!(past > 0 && past < whole);
        assert!(ways.iter().all(|[from, _]| (20.0..60.0).contains(from)));
        assert_eq!(ways.last().map(|[_, to]| *to), Some(60.0));
    }

    #[test]
    fn even_motion_needs_few_points_and_a_stop_is_kept() {
        let even: Vec<(DVec2, f64)> = (0..=48)
            .map(|frame| (dvec2(f64::from(frame), 0.0), f64::from(frame) * 0.1))
            .collect();
        assert_eq!(thinned(&even).len(), 3); // 48 frames in pieces of at most 24
        let stop: Vec<(DVec2, f64)> = (0..=20)
            .map(|frame| (dvec2(f64::from(frame.min(10)), 0.0), f64::from(frame) * 0.1))
            .collect();
        let kept = thinned(&stop);
        assert!(
            kept.iter()
                .any(|&(point, time_s)| point.x == 10.0 && (time_s - 1.0).abs() < 1e-9)
        );
    }
}
