//! A future of tokens, written into a scene at the scene's own rate.

use std::sync::Arc;

use super::interpolate::{at_time, between, heading_between, yaw_rates};
use super::{DT_S, NOW, T, Window, token_time_s};
use crate::scene::{Agent, Scene, Signal, State, Track};

/// The scene with the futures of the window's `generated` rows replaced by `tokens` ([A, T], scene frame, as from
/// [`Window::states`]; tokens up to the present are taken from the window). Frames between tokens follow
/// the cubic through both positions and velocities, headings turn smoothly by the shorter arc; a frame on a token
/// holds the token.
///
/// The scene grows where the 8 s reach past its end, others then being absent there. A written agent has no state
/// beyond the last token, nor after a token that is not valid in the window. Tracks as first recorded go to
/// `Scene::log`. The result is on the file grid.
pub fn decode(scene: &Scene, window: &Window, tokens: &[State]) -> Scene {
    let mut next = scene.clone();
    let end_s = window.now_s + token_time_s(T - 1);
    let last_frame = (end_s / scene.dt_s + 1e-6).floor() as usize;
    let writes = window.rows.iter().any(|row| row.generated);
    if writes {
        next.frames = next.frames.max(last_frame + 1);
    }
    for (index, row) in window.rows.iter().enumerate() {
        if !row.generated {
            continue;
        }
        let mut path = tokens[index * T..(index + 1) * T].to_vec();
        path[..=NOW].copy_from_slice(&window.tokens[index * T..index * T + NOW + 1]);
        let valid = &window.valid[index * T..(index + 1) * T];
        let headings: Vec<f64> = path.iter().map(|state| state.heading).collect();
        let rates = yaw_rates(&headings, DT_S);
        let agent = &next.agents[row.index];
        let mut track = agent.track.clone();
        track.states_mut().truncate(scene.now + 1);
        for frame in scene.now + 1..next.frames {
            let after = (scene.time_of(frame) - window.now_s) / DT_S + NOW as f64;
            track.set(
                frame,
                sample(&path, &rates, valid, after).map(|state| state.quantised()),
            );
        }
        if track != agent.track {
            next.log
                .entry(row.id.clone())
                .or_insert_with(|| agent.track.clone());
            next.agents[row.index] = Arc::new(Agent {
                track,
                ..Agent::clone(agent)
            });
        }
    }
    next
}

/// States `step_s` apart along states [`DT_S`] apart, from the first to the last, as [`decode`] writes them between
/// tokens: positions on the cubic through both positions and velocities, headings turning smoothly.
pub fn between_tokens(tokens: &[State], step_s: f64) -> Vec<State> {
    let headings: Vec<f64> = tokens.iter().map(|state| state.heading).collect();
    let rates = yaw_rates(&headings, DT_S);
    let span_s = tokens.len().saturating_sub(1) as f64 * DT_S;
    let count = (span_s / step_s + 1e-6).floor() as usize;
    let valid = vec![true; tokens.len().max(T)];
    (0..=count)
        .filter_map(|index| sample(tokens, &rates, &valid, index as f64 * step_s / DT_S))
        .collect()
}

/// The scene with its frames `dt_s` apart instead, from its first to its last moment; unchanged if they are already.
/// Between recorded frames states follow the cubic through both positions and velocities; the present moves to the
/// nearest new frame, signals to what they showed last.
pub fn resampled(scene: &Scene, dt_s: f64) -> Scene {
    if (scene.dt_s - dt_s).abs() < 1e-9 {
        return scene.clone();
    }
    let frames = (scene.duration_s() / dt_s + 1e-6).floor() as usize + 1;
    let track = |old: &Track| {
        let states = (0..frames).map(|frame| {
            let state = at_time(old, frame as f64 * dt_s, scene.dt_s);
            state.map(|state| state.quantised())
        });
        Track::new(states.collect())
    };
    let mut next = scene.clone();
    for agent in &mut next.agents {
        *agent = Arc::new(Agent {
            track: track(&agent.track),
            ..Agent::clone(agent)
        });
    }
    for old in next.log.values_mut() {
        *old = track(old);
    }
    let signals = scene.signals.iter().map(|signal| Signal {
        states: (0..frames)
            .map(|frame| signal.at((frame as f64 * dt_s / scene.dt_s + 1e-6) as usize))
            .collect(),
        ..signal.clone()
    });
    next.signals = Arc::new(signals.collect());
    next.dt_s = dt_s;
    next.frames = frames;
    next.now = ((scene.now_s() / dt_s).round() as usize).min(frames - 1);
    next
}

/// The state `at` tokens (with fraction) after token 0.
fn sample(path: &[State], rates: &[f64], valid: &[bool], at: f64) -> Option<State> {
    let below = (at + 1e-6).floor();
    let fraction = at - below;
    let below = below as usize;
    if below >= path.len() || !valid[below] {
        return None;
    }
    if fraction.abs() <= 1e-6 {
        return Some(path[below]);
    }
    if below + 1 >= path.len() || !valid[below + 1] {
        return None;
    }
    let [from, to] = [&path[below], &path[below + 1]];
    let rates = [rates[below], rates[below + 1]];
    Some(State {
        heading: heading_between([from.heading, to.heading], rates, fraction, DT_S),
        ..between(from, to, fraction, DT_S)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Options;
    use crate::geometry::{Pose, angle_between};
    use crate::scene::{AgentKind, Control};

    /// An agent that brakes gently along a bend, at any frame rate.
    fn bend(dt_s: f64, seconds: f64) -> Scene {
        let frames = (seconds / dt_s).round() as usize + 1;
        let states = (0..frames)
            .map(|frame| {
                let t = frame as f64 * dt_s;
                let travelled = 10.0 * t - 0.3 * t * t;
                let speed = 10.0 - 0.6 * t;
                let angle = travelled / 40.0;
                let point = crate::geometry::DVec2::from_angle(angle - 1.5) * 40.0;
                let heading = angle - 1.5 + std::f64::consts::FRAC_PI_2;
                Some(State::along(Pose::new(point, heading), speed).quantised())
            })
            .collect();
        Scene {
            dt_s,
            frames,
            now: (2.0 / dt_s).round() as usize,
            agents: vec![Arc::new(Agent::new(
                "car",
                AgentKind::Vehicle,
                Track::new(states),
            ))],
            ..Scene::default()
        }
    }

    #[test]
    fn a_window_written_back_and_read_again_holds_the_same_tokens_at_any_rate() {
        for dt_s in [0.1, 0.04, 1.0 / 30.0, 0.2, 0.25, 0.5] {
            let scene = bend(dt_s, 12.0);
            let window = Window::new(&scene, &Options::default());
            let written = decode(&scene, &window, &window.tokens);
            let again = Window::new(&written, &Options::default());
            for (a, b) in window.tokens.iter().zip(&again.tokens) {
                let gap = a.position.distance(b.position);
                let turn = angle_between(a.heading, b.heading).abs();
                // where tokens fall between frames, linear reading adds h²/8 · 0.015 rad/s² (0.2 s: 0.075 mrad) and
                // half the grid, 0.05 mrad
                let on_frames = (0.5 / dt_s).fract() < 1e-6;
                let most = if on_frames { 1e-4 } else { 1.3e-4 };
                assert!(gap < 1e-3 && turn < most, "dt {dt_s}: {gap} m, {turn} rad");
            }
        }
    }

    #[test]
    fn frames_on_a_token_hold_it_and_frames_between_follow_the_bend() {
        let scene = bend(0.1, 10.0);
        let window = Window::new(&scene, &Options::default());
        let written = decode(&scene, &window, &window.tokens);
        for frame in 0..=100 {
            let (a, b) = (
                scene.agents[0].track.get(frame),
                written.agents[0].track.get(frame),
            );
            let (a, b) = (a.unwrap(), b.unwrap());
            // the cubic's error is h⁴/384 · speed⁴/radius³ ≈ 0.0625/384 · 10⁴/64000 < 0.03 mm, and the grid is 0.1 mm;
            // the bend's braking adds less
            assert!(a.position.distance(b.position) < 5e-4, "frame {frame}");
            if frame % 5 == 0 {
                assert_eq!(a, b);
            }
        }
    }

    #[test]
    fn a_scene_at_another_rate_follows_the_same_bend() {
        // 4 Hz to 10 Hz: the cubic's error as above at h = 0.25 s, 0.25⁴/384 · 10⁴/64000 = 2e-6 m, and the grid
        let (slow, fast) = (bend(0.25, 8.0), bend(0.1, 8.0));
        let scene = resampled(&slow, 0.1);
        assert_eq!((scene.frames, scene.now), (fast.frames, fast.now));
        for frame in 0..scene.frames {
            let [a, b] =
                [&scene, &fast].map(|scene| scene.agents[0].track.get(frame).copied().unwrap());
            assert!(a.position.distance(b.position) < 5e-4, "frame {frame}");
        }
    }

    #[test]
    fn tokens_laid_out_at_ten_hertz_are_what_is_written() {
        let scene = bend(0.1, 10.0);
        let window = Window::new(&scene, &Options::default());
        let written = decode(&scene, &window, &window.tokens);
        let fine = between_tokens(&window.tokens[..T], 0.1);
        assert_eq!(fine.len(), 101);
        for (frame, state) in fine.iter().enumerate().skip(21) {
            let other = written.agents[0].track.get(frame).unwrap();
            assert!(state.position.distance(other.position) < 1e-4);
        }
    }

    #[test]
    fn a_short_scene_grows_to_hold_eight_seconds_and_keeps_its_log() {
        let scene = bend(0.1, 5.0);
        let window = Window::new(&scene, &Options::default());
        let written = decode(&scene, &window, &window.tokens);
        assert_eq!(written.frames, 101); // 2 s of history and 8 s of future at 0.1 s
        assert!(written.agents[0].track.get(100).is_some());
        assert_eq!(written.log.values().next(), Some(&scene.agents[0].track));
    }

    #[test]
    fn agents_the_model_does_not_decide_are_left_alone() {
        let mut scene = bend(0.1, 5.0);
        Arc::make_mut(&mut scene.agents[0]).control = Control::Frozen;
        let window = Window::new(&scene, &Options::default());
        let written = decode(&scene, &window, &window.tokens);
        assert_eq!(written.agents, scene.agents);
        assert!(written.log.is_empty() && written.frames == scene.frames);
    }

    #[test]
    fn a_written_agent_ends_at_its_last_valid_token() {
        let scene = bend(0.1, 12.0);
        let mut window = Window::new(&scene, &Options::default());
        window.valid[11..T].fill(false); // last valid token 10: 3.0 s after the present, frame 50
        let written = decode(&scene, &window, &window.tokens);
        let track = &written.agents[0].track;
        assert!(track.get(50).is_some() && track.get(51).is_none() && track.get(110).is_none());
    }
}
