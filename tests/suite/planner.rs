//! The planner against outputs of the PyTorch program that trained it.
//!
//! `tests/fixtures/planner.safetensors` holds windows, an ego in each, and what the training program made of them in
//! f32 on one thread (`save_fixture` in `assets/recipe/export_planner.py`).

use std::ops::ControlFlow;

use nearmiss::codec::{LanePiece, NOW, PIECE_POINTS, Row, T, Window, remoteness};
use nearmiss::geometry::{DVec2, dvec2};
use nearmiss::map::LaneKind;
use nearmiss::model::Planner;
use nearmiss::planner::{
    Decoder, PlanSettings, Propose as _, ProposeError, ProposeStep, Route, Stage,
};
use nearmiss::rng::Seed;
use nearmiss::scene::{AgentId, AgentKind, SignalState, State};
use safetensors::SafeTensors;

use super::reference::numbers;

const FIXTURE: &[u8] = include_bytes!("../fixtures/planner.safetensors");

/// Two f32 programs that sum in different orders.
const TOLERANCE: f32 = 1e-3;

struct Case {
    window: Window,
    tokens: Vec<u16>,
    /// [8, m]
    logits: Vec<f32>,
    /// [16, 6]
    noisy: Vec<f32>,
    level: f64,
    predicted: Vec<f32>,
    regression: Vec<f32>,
    anchors: Vec<f32>,
    /// [6, 16, 6]
    means: Vec<f32>,
    /// [6]
    weights: Vec<f32>,
    shown: [Option<u16>; 8],
    /// [8, m]
    masked: Vec<f32>,
    /// [2, 63]
    normal: [f64; 126],
    /// [16, 6]
    drawn: Vec<f32>,
    /// [16, 6], so far on its way.
    carried: Vec<f32>,
    time: f64,
    /// [16, 6]
    velocity: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let file = SafeTensors::deserialize(FIXTURE).unwrap();
    let tensor = |name: &str| numbers(&file, name).unwrap().1;
    let (shape, valid) = numbers(&file, "valid").unwrap();
    let (count, slots) = (shape[0], shape[1]);
    let pieces = numbers(&file, "lane_valid").unwrap().0[1];
    let (agents, kinds) = (tensor("agents"), tensor("type"));
    let (lanes, lane_valid) = (tensor("lanes"), tensor("lane_valid"));
    let (lane_kind, lane_speed) = (tensor("lane_kind"), tensor("lane_speed"));
    let (lane_signal, pick) = (tensor("lane_signal"), tensor("pick"));
    let routed = tensor("routed");
    let part = |name: &str, case: usize| -> Vec<f32> {
        let all = tensor(name);
        let each = all.len() / count;
        all[case * each..(case + 1) * each]
            .iter()
            .map(|&number| number as f32)
            .collect()
    };
    (0..count)
        .map(|case| {
            let number = |slot: usize, token: usize, channel: usize| {
                agents[((case * slots + slot) * T + token) * 8 + channel]
            };
            let place = |slot: usize| dvec2(number(slot, NOW, 0), number(slot, NOW, 1));
            let is_valid =
                |slot: usize, token: usize| valid[(case * slots + slot) * T + token] > 0.0;
            let ego = pick[case] as usize;
            let mut order: Vec<usize> = (0..slots)
                .filter(|&slot| slot != ego && is_valid(slot, NOW))
                .collect();
            order.sort_by(|&a, &b| {
                let turn = DVec2::new(number(ego, NOW, 2), -number(ego, NOW, 3));
                let gap = |slot: usize| remoteness(turn.rotate(place(slot) - place(ego)));
                gap(a).total_cmp(&gap(b))
            });
            order.insert(0, ego);
            let mut window = Window {
                rows: Vec::new(),
                tokens: Vec::new(),
                valid: Vec::new(),
                known: Vec::new(),
                lanes: Vec::new(),
                now_s: 2.0,
                origin: DVec2::ZERO,
            };
            for slot in order {
                window.rows.push(Row {
                    id: AgentId::new(slot.to_string()),
                    index: slot,
                    kind: match kinds[case * slots + slot] as u8 {
                        2 => AgentKind::Pedestrian,
                        3 => AgentKind::Cyclist,
                        _ => AgentKind::Vehicle,
                    },
                    length: number(slot, NOW, 6),
                    width: number(slot, NOW, 7),
                    generated: true,
                });
                for token in 0..T {
                    window.tokens.push(State {
                        position: dvec2(number(slot, token, 0), number(slot, token, 1)),
                        heading: number(slot, token, 3).atan2(number(slot, token, 2)),
                        velocity: dvec2(number(slot, token, 4), number(slot, token, 5)),
                    });
                    window.valid.push(is_valid(slot, token));
                    window.known.push(is_valid(slot, token));
                }
            }
            for piece in case * pieces..(case + 1) * pieces {
                if lane_valid[piece] == 0.0 || lane_kind[piece] == 3.0 {
                    continue;
                }
                let signal = |token: usize| match lane_signal[piece * T + token] as u8 {
                    1 => SignalState::Red,
                    2 => SignalState::Yellow,
                    3 => SignalState::Green,
                    _ => SignalState::Unknown,
                };
                window.lanes.push(LanePiece {
                    points: std::array::from_fn(|point| {
                        let from = (piece * PIECE_POINTS + point) * 2;
                        dvec2(lanes[from], lanes[from + 1])
                    }),
                    lane: piece,
                    kind: LaneKind::Street,
                    carries_vehicles: true,
                    in_junction: lane_kind[piece] == 4.0,
                    speed_limit: Some(lane_speed[piece]),
                    signals: std::array::from_fn(signal),
                    on_route: None,
                });
            }
            if routed[case] > 0.0 {
                let known = (NOW..T).step_by(2).filter(|&token| window.known[token]);
                let course = known.map(|token| window.state(0, token).pose());
                Route::new(course.collect()).unwrap().mark(&mut window);
            }
            Case {
                window,
                tokens: part("tokens", case)
                    .iter()
                    .map(|&token| token as u16)
                    .collect(),
                logits: part("logits", case),
                noisy: part("noisy", case),
                level: part("level", case)[0].into(),
                predicted: part("predicted_clean", case),
                regression: part("regression", case),
                anchors: part("anchor", case),
                means: part("mixture", case),
                weights: part("weights", case),
                shown: {
                    let shown = part("shown", case);
                    std::array::from_fn(|at| Some(shown[at] as u16).filter(|&token| token < 512))
                },
                masked: part("masked", case),
                normal: {
                    let normal = part("flow_noise", case);
                    std::array::from_fn(|at| normal[at].into())
                },
                drawn: part("flow_start", case),
                carried: part("flow_plan", case),
                time: part("flow_time", case)[0].into(),
                velocity: part("velocity", case),
            }
        })
        .collect()
}

fn largest_gap(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

#[test]
fn every_decoder_agrees_with_the_training_program() {
    let planner = Planner::load_default().unwrap();
    for (number, case) in cases().iter().enumerate() {
        let outputs = planner
            .outputs(
                &case.window,
                &case.tokens,
                case.shown,
                &case.noisy,
                case.level,
            )
            .unwrap();
        let (drawn, velocity) = planner
            .flow(&case.window, &case.normal, &case.carried, case.time)
            .unwrap();
        let gaps = [
            largest_gap(&outputs.logits, &case.logits),
            largest_gap(&outputs.clean, &case.predicted),
            largest_gap(&outputs.regression, &case.regression),
            largest_gap(&outputs.anchors, &case.anchors),
            largest_gap(&outputs.mixture.0, &case.means),
            largest_gap(&outputs.mixture.1, &case.weights),
            largest_gap(&outputs.masked, &case.masked),
            largest_gap(&drawn, &case.drawn),
            largest_gap(&velocity, &case.velocity),
        ];
        assert!(
            gaps.iter().all(|&gap| gap < TOLERANCE),
            "case {number}: tokens, refiner, regression, anchors, mixture, masked tokens, source and velocity of the flow differ by {gaps:?}"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_modes_and_their_probabilities_sum_to_one() {
    let planner = Planner::load_default().unwrap();
    let case = &cases()[0];
    for decoder in [
        Decoder::Ar,
        Decoder::MaskedDiffusion,
        Decoder::ArDiffusion,
        Decoder::Diffusion,
        Decoder::Flow,
        Decoder::Anchors,
        Decoder::Gmm,
        Decoder::GmmDiffusion,
    ] {
        let propose = |seed: u64| {
            let settings = PlanSettings {
                decoder,
                seed: Seed(seed),
                ..PlanSettings::default()
            };
            planner
                .propose(&case.window, &settings, &mut |_| ControlFlow::Continue(()))
                .unwrap()
        };
        let modes = propose(3);
        assert_eq!(modes, propose(3));
        let total: f64 = modes.iter().map(|mode| mode.probability).sum();
        assert!((total - 1.0).abs() < 1e-6, "{decoder:?}: {total}");
        assert!(modes.len() <= 6 && !modes.is_empty());
        if !matches!(decoder, Decoder::Anchors | Decoder::Gmm) {
            assert_ne!(modes, propose(4), "{decoder:?}");
        }
    }
}

#[test]
fn a_plan_does_not_depend_on_what_happens_later() {
    let planner = Planner::load_default().unwrap();
    let settings = PlanSettings::default();
    let mut window = cases().remove(0).window;
    let plan = |window: &Window| {
        planner
            .propose(window, &settings, &mut |_| ControlFlow::Continue(()))
            .unwrap()
    };
    let modes = plan(&window);
    for row in 0..window.agents() {
        for token in NOW + 1..T {
            window.tokens[row * T + token].position = dvec2(1e3, -1e3);
            window.known[row * T + token] = false;
        }
    }
    for lane in &mut window.lanes {
        lane.signals[NOW + 1..].fill(SignalState::Red);
    }
    assert_eq!(plan(&window), modes);
}

#[test]
fn a_proposal_stops_at_once_when_told_to() {
    let planner = Planner::load_default().unwrap();
    let case = &cases()[0];
    let mut steps = 0;
    let result = planner.propose(&case.window, &PlanSettings::default(), &mut |_| {
        steps += 1;
        if steps == 10 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    // eight tokens, then the second refinement step
    assert_eq!(result, Err(ProposeError::Stopped));
    assert_eq!(steps, 10);
}

#[test]
fn tokens_and_refinement_steps_are_reported_in_order() {
    let planner = Planner::load_default().unwrap();
    let case = &cases()[0];
    let mut stages = Vec::new();
    let settings = PlanSettings {
        refine_steps: 2,
        ..PlanSettings::default()
    };
    planner
        .propose(&case.window, &settings, &mut |step| {
            stages.push(step.stage);
            ControlFlow::Continue(())
        })
        .unwrap();
    let mut expected: Vec<Stage> = (1..=8).map(Stage::Tokens).collect();
    expected.extend([Stage::Denoising(1, 2), Stage::Denoising(2, 2)]);
    assert_eq!(stages, expected);
}

#[test]
fn a_lonely_ego_without_a_map_still_gets_a_plan() {
    let planner = Planner::load_default().unwrap();
    let mut window = cases().remove(0).window;
    window.rows.truncate(1);
    window.tokens.truncate(T);
    window.known.truncate(T);
    window.valid.truncate(T);
    window.lanes.clear();
    for decoder in [
        Decoder::ArDiffusion,
        Decoder::MaskedDiffusion,
        Decoder::Flow,
        Decoder::Regression,
        Decoder::Anchors,
        Decoder::GmmDiffusion,
    ] {
        let settings = PlanSettings {
            decoder,
            ..PlanSettings::default()
        };
        let modes = planner
            .propose(&window, &settings, &mut |_| ControlFlow::Continue(()))
            .unwrap();
        let points = modes.iter().flat_map(|mode| mode.points);
        assert!(points.into_iter().all(|point| point.position.is_finite()));
    }
}

#[test]
fn masked_tokens_are_filled_pass_by_pass_and_without_edits_what_is_known_stays() {
    let planner = Planner::load_default().unwrap();
    let window = cases().remove(0).window;
    let filled = |edit_passes: usize| {
        let settings = PlanSettings {
            decoder: Decoder::MaskedDiffusion,
            temperature: 0.0,
            edit_passes,
            ..PlanSettings::default()
        };
        let mut passes = Vec::new();
        let modes = planner
            .propose(&window, &settings, &mut |step| {
                let Stage::Filling(done, all) = step.stage else {
                    panic!("{:?}", step.stage)
                };
                assert_eq!((done, all), (passes.len() + 1, 4 + edit_passes));
                passes.push(step.modes[0].tokens.clone());
                ControlFlow::Continue(())
            })
            .unwrap();
        (modes, passes)
    };
    // at temperature 0 there is one plan, of the likeliest tokens
    let (modes, passes) = filled(0);
    assert_eq!((modes.len(), passes.len()), (1, 4));
    assert_eq!(modes[0].tokens, passes[3]);
    // two more are known after each pass and stay: from one pass to the next at least 2, 4, 6 are the same
    for (pass, pair) in passes.windows(2).enumerate() {
        let same = pair[0].iter().zip(&pair[1]).filter(|(a, b)| a == b).count();
        assert!(same >= 2 * (pass + 1), "{passes:?}");
    }
    assert_eq!(filled(2).1.len(), 6);
}

#[test]
fn a_flow_begins_with_futures_that_the_history_makes_likely_and_goes_on_step_by_step() {
    let planner = Planner::load_default().unwrap();
    let window = cases().remove(0).window;
    let carried = |flow_steps: usize| {
        let settings = PlanSettings {
            decoder: Decoder::Flow,
            flow_steps,
            ..PlanSettings::default()
        };
        let mut steps = Vec::new();
        let modes = planner
            .propose(&window, &settings, &mut |step| {
                assert_eq!(step.stage, Stage::Flowing(steps.len(), flow_steps));
                steps.push(step.modes.clone());
                ControlFlow::Continue(())
            })
            .unwrap();
        (modes, steps)
    };
    let (modes, steps) = carried(4);
    assert_eq!((modes.len(), steps.len()), (6, 5));
    assert_eq!(modes, steps[4]);
    // one step or four, the source is the same, and in half a second nobody is far from where coasting leads
    assert_eq!(carried(1).1[0], steps[0]);
    let now = window.state(0, NOW);
    let coasting = now.position + 0.5 * now.velocity;
    for mode in &steps[0] {
        assert!((mode.points[0].position - coasting).length() < 1.5);
    }
}

#[test]
fn who_does_not_drive_gets_a_sentence() {
    let planner = Planner::load_default().unwrap();
    let mut window = cases().remove(0).window;
    window.rows[0].kind = AgentKind::Pedestrian;
    let mut go = |_: &ProposeStep| ControlFlow::Continue(());
    let settings = PlanSettings::default();
    let walker = planner.propose(&window, &settings, &mut go);
    assert_eq!(walker, Err(ProposeError::NotAVehicle("pedestrian")));
    window.rows.clear();
    let nobody = planner.propose(&window, &settings, &mut go);
    assert_eq!(nobody, Err(ProposeError::NoEgo));
    let none = PlanSettings {
        modes: 0,
        ..settings
    };
    let error = planner.propose(&window, &none, &mut go).unwrap_err();
    assert_eq!(error.to_string(), "modes is 0; it must be 1 to 64");
}

#[test]
fn weights_without_some_decoders_answer_in_every_other_way_and_say_so() {
    let embedded = include_bytes!("../../assets/weights/planner.safetensors");
    let mut bytes = embedded.to_vec();
    let layers = [
        r#"components\": 6"#,
        r#"masked_layers\": 2"#,
        r#"flow_layers\": 2"#,
    ];
    for text in layers {
        let mut places = embedded.windows(text.len());
        let at = places.position(|part| part == text.as_bytes());
        bytes[at.unwrap() + text.len() - 1] = b'0';
    }
    let planner = Planner::from_bytes(&bytes).unwrap();
    let window = cases().remove(0).window;
    let propose = |decoder| {
        let settings = PlanSettings {
            decoder,
            ..PlanSettings::default()
        };
        planner.propose(&window, &settings, &mut |_| ControlFlow::Continue(()))
    };
    assert!(propose(Decoder::Regression).is_ok());
    for decoder in [
        Decoder::Gmm,
        Decoder::GmmDiffusion,
        Decoder::MaskedDiffusion,
        Decoder::Flow,
    ] {
        let error = propose(decoder).unwrap_err();
        assert_eq!(error, ProposeError::NoDecoder(decoder.key()));
    }
}
