//! What the sampler promises, with networks of a few lines.

use super::*;
use crate::codec::{NOW, Options};
use crate::geometry::Pose;
use crate::scene::{Agent, AgentKind, Scene, ScheduleKind, State, Track};
use std::sync::Arc;

/// Says the clean token is always `0`.
struct Constant(f32);

impl Denoise for Constant {
    fn denoise(&mut self, _: &[f32], _: &[f32], clean: &mut [f32]) -> Result<(), DenoiseError> {
        clean.fill(self.0);
        Ok(())
    }
}

/// Predicts for every token the mean of the first channel over all tokens at level 0.
struct MeanOfKnown;

impl Denoise for MeanOfKnown {
    fn denoise(
        &mut self,
        noisy: &[f32],
        levels: &[f32],
        clean: &mut [f32],
    ) -> Result<(), DenoiseError> {
        let known: Vec<f32> = levels
            .iter()
            .zip(noisy.chunks_exact(CHANNELS))
            .filter(|(level, _)| **level == 0.0)
            .map(|(_, token)| token[0])
            .collect();
        clean.fill(known.iter().sum::<f32>() / known.len() as f32);
        Ok(())
    }
}

fn window(ids: &[&str]) -> Window {
    let agents = ids
        .iter()
        .enumerate()
        .map(|(lane, id)| {
            let states = (0..101)
                .map(|frame| {
                    let pose = Pose::at(0.5 * f64::from(frame), 4.0 * lane as f64, 0.0);
                    Some(State::along(pose, 5.0))
                })
                .collect();
            Arc::new(Agent::new(id, AgentKind::Vehicle, Track::new(states)))
        })
        .collect();
    let scene = Scene {
        dt_s: 0.1,
        frames: 101,
        now: 20,
        agents,
        ..Scene::default()
    };
    Window::new(&scene, &Options::default())
}

struct Run {
    window: Window,
    given: Vec<f32>,
    matrix: NoiseMatrix,
    kind: ScheduleKind,
    steps: usize,
    samples: usize,
    temperature: f64,
}

impl Run {
    fn new(ids: &[&str]) -> Self {
        let window = window(ids);
        Self {
            given: vec![0.5; window.agents() * T * CHANNELS],
            matrix: NoiseMatrix::futures(window.agents()),
            kind: ScheduleKind::Full,
            steps: 4,
            samples: 1,
            temperature: 1.0,
            window,
        }
    }

    fn sampler(&self) -> Sampler {
        let schedule = Schedule::new(self.kind, self.steps, &self.matrix);
        Sampler::new(Start {
            window: &self.window,
            given: &self.given,
            matrix: &self.matrix,
            schedule: &schedule,
            seed: Seed(5),
            sample: 0,
            samples: self.samples,
            temperature: self.temperature,
        })
        .unwrap()
    }
}

fn token(sampler: &Sampler, agent: usize, token: usize) -> &[f32] {
    let at = (agent * T + token) * CHANNELS;
    &sampler.tokens()[at..at + CHANNELS]
}

#[test]
fn one_step_follows_the_ddim_formula() {
    let run = Run::new(&["a"]);
    let mut sampler = run.sampler();
    let noise = sampler.noise()[(T - 1) * CHANNELS];
    sampler.step(&mut Constant(2.0), &mut []).unwrap();
    // from level 1 (alpha 0, sigma 1): eps = x; to 3/4: x' = 2 cos(3π/8) + x sin(3π/8)
    let angle = 3.0 * std::f32::consts::PI / 8.0;
    let expected = 2.0 * angle.cos() + noise * angle.sin();
    assert!((token(&sampler, 0, T - 1)[0] - expected).abs() < 1e-6);
    assert!(
        sampler.levels()[NOW + 1..]
            .iter()
            .all(|&level| level == 0.75)
    );
}

#[test]
fn a_finished_run_holds_the_last_prediction_and_known_tokens_to_the_bit() {
    for kind in [
        ScheduleKind::Full,
        ScheduleKind::Pyramidal,
        ScheduleKind::Trapezoidal,
    ] {
        let mut run = Run::new(&["a", "b"]);
        run.kind = kind;
        run.matrix.set(1, T - 1, 0.0);
        run.given[(2 * T - 1) * CHANNELS] = 0.123_456_7;
        let mut sampler = run.sampler();
        let mut steps = 0;
        let finished = sampler
            .run(&mut Constant(2.0), &mut [], &mut |event| {
                steps += 1;
                assert_eq!((event.taken, event.total), (steps, 4));
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(finished);
        assert_eq!(token(&sampler, 1, T - 1)[0], 0.123_456_7);
        assert_eq!(token(&sampler, 0, NOW), [0.5; CHANNELS]);
        assert_eq!(token(&sampler, 0, T - 1), [2.0; CHANNELS]);
    }
}

#[test]
fn adding_an_agent_leaves_the_others_noise_unchanged() {
    let (two, three) = (Run::new(&["a", "b"]), Run::new(&["a", "new", "b"]));
    let (few, many) = (two.sampler(), three.sampler());
    let row = |run: &Run, id: &str| {
        run.window
            .rows
            .iter()
            .position(|row| row.id.as_str() == id)
            .unwrap()
    };
    for id in ["a", "b"] {
        let (left, right) = (row(&two, id), row(&three, id));
        assert_eq!(token(&few, left, T - 1), token(&many, right, T - 1));
    }
}

#[test]
fn an_overwritten_token_is_final_and_seen_at_the_next_step() {
    let mut run = Run::new(&["a", "b"]);
    run.given.fill(0.0);
    let mut sampler = run.sampler();
    sampler.step(&mut MeanOfKnown, &mut []).unwrap();
    assert!(sampler.clean()[(T - 1) * CHANNELS].abs() < 1e-6);
    sampler.overwrite(1, T - 1, [5.5; CHANNELS]);
    sampler.step(&mut MeanOfKnown, &mut []).unwrap();
    // known tokens: 10 of history at 0 and the new one at 5.5: mean 0.5
    assert!((sampler.clean()[(T - 1) * CHANNELS] - 0.5).abs() < 1e-6);
    sampler
        .run(
            &mut MeanOfKnown,
            &mut [],
            &mut |_| ControlFlow::Continue(()),
        )
        .unwrap();
    assert_eq!(token(&sampler, 1, T - 1), [5.5; CHANNELS]);
}

#[test]
fn an_agent_that_comes_in_is_seen_at_the_next_step_and_made_with_its_own_noise() {
    let mut few = Run::new(&["a", "b"]);
    let mut many = Run::new(&["a", "b", "new"]);
    for run in [&mut few, &mut many] {
        (run.steps, run.samples) = (12, 2);
        run.given.fill(0.0);
    }
    many.given[2 * T * CHANNELS..].fill(5.5);
    let mut sampler = few.sampler();
    for _ in 0..10 {
        sampler.step(&mut MeanOfKnown, &mut []).unwrap();
    }
    assert!(sampler.clean()[(T - 1) * CHANNELS].abs() < 1e-6);
    let before = sampler.tokens()[..2 * T * CHANNELS].to_vec();
    let schedule = Schedule::new(many.kind, many.steps, &many.matrix);
    sampler
        .enter(Start {
            window: &many.window,
            given: &many.given,
            matrix: &many.matrix,
            schedule: &schedule,
            seed: Seed(5),
            sample: 0,
            samples: 2,
            temperature: 1.0,
        })
        .unwrap();
    // 2 of 12 steps are left; the newcomer has 8
    assert_eq!(sampler.remaining(), 8);
    assert_eq!(sampler.tokens()[..2 * T * CHANNELS], before);
    // its noise in the second sample is that of a run it was in from the start
    let (whole, size) = (many.sampler(), 3 * T * CHANNELS);
    assert_eq!(sampler.tokens()[2 * size - 1], whole.tokens()[2 * size - 1]);
    sampler.step(&mut MeanOfKnown, &mut []).unwrap();
    // known tokens: 10 of history at 0 and 5 at 5.5: mean 27.5 / 15
    assert!((sampler.clean()[(T - 1) * CHANNELS] - 27.5 / 15.0).abs() < 1e-6);
    let ends = |sampler: &Sampler| [T - 1, 3 * T - 1].map(|at| sampler.levels()[at]);
    assert!((ends(&sampler)[0] - 1.0 / 12.0).abs() < 1e-6 && ends(&sampler)[1] == 0.875);
    while !sampler.finished() {
        sampler.step(&mut MeanOfKnown, &mut []).unwrap();
    }
    assert_eq!(ends(&sampler), [0.0, 0.0]);
}

#[test]
fn a_run_that_gains_nobody_refuses_and_stays() {
    let run = Run::new(&["a", "b"]);
    let mut sampler = run.sampler();
    let schedule = Schedule::new(run.kind, run.steps, &run.matrix);
    let same = sampler.enter(Start {
        window: &run.window,
        given: &run.given,
        matrix: &run.matrix,
        schedule: &schedule,
        seed: Seed(5),
        sample: 0,
        samples: 1,
        temperature: 1.0,
    });
    assert!(matches!(same, Err(DenoiseError::Shape { .. })));
    assert_eq!(sampler.tokens(), run.sampler().tokens());
}

#[test]
fn a_partly_noised_token_starts_from_what_it_was_with_the_same_draw() {
    let mut run = Run::new(&["a"]);
    run.steps = 8;
    let fresh = run.sampler();
    run.matrix.set_future(0, 0.5);
    let again = run.sampler();
    let half = std::f32::consts::FRAC_1_SQRT_2; // alpha = sigma = 1/√2 at level 1/2
    let noise = fresh.noise()[(T - 1) * CHANNELS];
    assert!((token(&again, 0, T - 1)[0] - half * (0.5 + noise)).abs() < 1e-6);
    // the steps above level 1/2 change nothing and are left out
    assert_eq!((fresh.remaining(), again.remaining()), (8, 4));
}

#[test]
fn temperature_shrinks_the_starting_noise() {
    let mut run = Run::new(&["a"]);
    let hot = token(&run.sampler(), 0, T - 1)[0];
    run.temperature = 0.5;
    assert!((token(&run.sampler(), 0, T - 1)[0] - 0.5 * hot).abs() < 1e-7);
}

#[test]
fn samples_drawn_together_equal_samples_drawn_one_by_one() {
    let mut run = Run::new(&["a", "b"]);
    run.samples = 3;
    let together = run.sampler();
    let size = together.tokens().len() / 3;
    run.samples = 1;
    let schedule = Schedule::new(run.kind, run.steps, &run.matrix);
    let third = Sampler::new(Start {
        window: &run.window,
        given: &run.given,
        matrix: &run.matrix,
        schedule: &schedule,
        seed: Seed(5),
        sample: 2,
        samples: 1,
        temperature: 1.0,
    })
    .unwrap();
    assert_eq!(&together.tokens()[2 * size..], third.tokens());
}

#[test]
fn a_number_that_is_not_finite_names_step_and_agent_and_keeps_the_tokens() {
    struct Breaks(usize);
    impl Denoise for Breaks {
        fn denoise(&mut self, _: &[f32], _: &[f32], clean: &mut [f32]) -> Result<(), DenoiseError> {
            if self.0 == 2 {
                clean[(T + NOW + 3) * CHANNELS] = f32::NAN;
            }
            self.0 += 1;
            Ok(())
        }
    }
    let mut sampler = Run::new(&["a", "b"]).sampler();
    let mut network = Breaks(0);
    sampler.step(&mut network, &mut []).unwrap();
    sampler.step(&mut network, &mut []).unwrap();
    let before = sampler.tokens().to_vec();
    let error = sampler.step(&mut network, &mut []).unwrap_err();
    let expected = DenoiseError::NotFinite {
        step: 2,
        agent: 1,
        token: NOW + 3,
    };
    assert_eq!((error, sampler.tokens()), (expected, before.as_slice()));
}

#[test]
fn a_guide_moves_the_prediction_and_leaves_known_tokens_alone() {
    struct Shift;
    impl Guide for Shift {
        fn guide(&mut self, clean: &mut [f32], _: &[f32]) {
            clean.iter_mut().for_each(|value| *value += 1.0);
        }
    }
    let mut sampler = Run::new(&["a"]).sampler();
    let mut shift = Shift;
    while !sampler.finished() {
        sampler.step(&mut Constant(2.0), &mut [&mut shift]).unwrap();
    }
    assert_eq!(token(&sampler, 0, T - 1), [3.0; CHANNELS]);
    assert_eq!(token(&sampler, 0, 0), [0.5; CHANNELS]);
}

#[test]
fn a_window_without_agents_is_finished_at_once() {
    let run = Run::new(&[]);
    assert!(run.sampler().finished());
}

#[test]
fn who_is_drawn_again_begins_from_other_noise_and_everyone_else_is_known_to_it() {
    let mut run = Run::new(&["a", "b"]);
    (run.steps, run.samples) = (12, 2);
    run.given.fill(0.0);
    run.matrix.set(1, T - 1, 0.0);
    let mut sampler = run.sampler();
    let go = |sampler: &mut Sampler| {
        let mut ends = |_: StepEvent<'_>| ControlFlow::Continue(());
        sampler.run(&mut MeanOfKnown, &mut [], &mut ends).unwrap();
    };
    go(&mut sampler);
    let (before, schedule) = (sampler.clone(), sampler.schedule().clone());
    let start = Start {
        window: &run.window,
        given: &run.given,
        matrix: &run.matrix,
        schedule: &schedule,
        seed: Seed(5),
        sample: 7,
        samples: 2,
        temperature: 1.0,
    };
    sampler.redraw(start, &[1]).unwrap();
    // of the run's 12 steps a redraw has 8
    assert_eq!((sampler.event().taken, sampler.remaining()), (12, 8));
    for sample in 0..2 {
        let row = |sampler: &Sampler, row: usize| {
            let from = (2 * sample + row) * T * CHANNELS;
            sampler.tokens()[from..from + T * CHANNELS].to_vec()
        };
        assert_eq!(row(&sampler, 0), row(&before, 0));
        // pure noise, of samples 7 and 8; its goal stays
        let mut stream = agent_stream(Seed(5), "b", 7 + sample as u64);
        let drawn: Vec<f32> = (0..T * CHANNELS).map(|_| stream.normal() as f32).collect();
        let [made, goal] = [(NOW + 1) * CHANNELS, (T - 1) * CHANNELS];
        assert_eq!(row(&sampler, 1)[made..goal], drawn[made..goal]);
        assert_eq!(row(&sampler, 1)[goal..], [0.0; CHANNELS]);
    }
    let level = |token: usize| sampler.levels()[token];
    assert_eq!(
        (level(T - 1), level(2 * T - 2), level(2 * T - 1)),
        (0.0, 1.0, 0.0)
    );
    go(&mut sampler);
    assert_eq!(token(&sampler, 0, T - 1), token(&before, 0, T - 1));
    assert!(sampler.levels().iter().all(|level| *level == 0.0));
}
