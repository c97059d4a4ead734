//! The network against outputs of the PyTorch program that trained it, and the fast path against plain operations.
//!
//! `tests/fixtures/denoiser.safetensors` holds windows, noisy tokens with a level each, and what the training program
//! made of them in f32 on one thread (`save_fixture` in `assets/recipe/export.py`).

use std::sync::Arc;

use nearmiss::codec::{CHANNELS, LanePiece, NOW, PIECE_POINTS, Row, T, Window};
use nearmiss::diffusion::Prepare as _;
use nearmiss::geometry::{DVec2, dvec2};
use nearmiss::map::LaneKind;
use nearmiss::model::{Network, Status};
use nearmiss::scene::{AgentId, AgentKind, SignalState, State};
use safetensors::{Dtype, SafeTensors};

const FIXTURE: &[u8] = include_bytes!("../fixtures/denoiser.safetensors");

/// Two f32 programs that sum in different orders.
const TOLERANCE: f32 = 1e-4;

/// A tensor as f64, whatever its type.
pub(super) fn numbers(file: &SafeTensors<'_>, name: &str) -> Option<(Vec<usize>, Vec<f64>)> {
    let view = file.tensor(name).ok()?;
    let data = view.data();
    let numbers = match view.dtype() {
        Dtype::F32 => data
            .chunks_exact(4)
            .map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap())))
            .collect(),
        Dtype::I64 => data
            .chunks_exact(8)
            .map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap()) as f64)
            .collect(),
        Dtype::U8 => data.iter().map(|&byte| f64::from(byte)).collect(),
        other => unreachable!("{name} is {other:?}"),
    };
    Some((view.shape().to_vec(), numbers))
}

/// One scene of the fixture.
struct Case {
    window: Window,
    noisy: Vec<f32>,
    levels: Vec<f32>,
    mean: Vec<f32>,
    clean: Vec<f32>,
    smoothed: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let file = SafeTensors::deserialize(FIXTURE).unwrap();
    let (shape, valid) = numbers(&file, "valid").unwrap();
    let (scenes, slots) = (shape[0], shape[1]);
    let (_, agents) = numbers(&file, "agents").unwrap();
    let (lane_shape, lanes) = numbers(&file, "lanes").unwrap();
    let (pieces, lane_width) = (lane_shape[1], lane_shape[3]);
    let (_, lane_valid) = numbers(&file, "lane_valid").unwrap();
    let kinds = numbers(&file, "type").map(|(_, kinds)| kinds);
    let lane_kinds = numbers(&file, "lane_kind").map(|(_, kinds)| kinds);
    let speeds = numbers(&file, "lane_speed").map(|(_, speeds)| speeds);
    let signals = numbers(&file, "lane_signal").map(|(_, signals)| signals);
    let (_, index) = numbers(&file, "agent_index").unwrap();
    let float = |name: &str| -> Vec<f32> {
        let (_, numbers) = numbers(&file, name).unwrap();
        numbers.iter().map(|&number| number as f32).collect()
    };
    let (noisy, levels) = (float("noisy"), float("noise_level"));
    let (mean, clean) = (float("posterior_mean"), float("predicted_clean"));
    let smoothed = float("smoothed_clean");
    (0..scenes)
        .map(|scene| {
            let mut case = Case {
                window: Window {
                    rows: Vec::new(),
                    tokens: Vec::new(),
                    valid: Vec::new(),
                    known: Vec::new(),
                    lanes: Vec::new(),
                    now_s: 2.0,
                    origin: DVec2::ZERO,
                },
                noisy: Vec::new(),
                levels: Vec::new(),
                mean: Vec::new(),
                clean: Vec::new(),
                smoothed: Vec::new(),
            };
            for (packed, place) in index.chunks_exact(2).enumerate() {
                if place[0] as usize != scene {
                    continue;
                }
                let slot = scene * slots + place[1] as usize;
                let state =
                    |token: usize| &agents[(slot * T + token) * 8..(slot * T + token + 1) * 8];
                case.window.rows.push(Row {
                    id: AgentId::new(packed.to_string()),
                    index: packed,
                    kind: match kinds.as_ref().map(|kinds| kinds[slot] as u8) {
                        Some(2) => AgentKind::Pedestrian,
                        Some(3) => AgentKind::Cyclist,
                        _ => AgentKind::Vehicle,
                    },
                    length: state(NOW)[6],
                    width: state(NOW)[7],
                    generated: true,
                });
                for token in 0..T {
                    let s = state(token);
                    case.window.tokens.push(State {
                        position: dvec2(s[0], s[1]),
                        heading: s[3].atan2(s[2]),
                        velocity: dvec2(s[4], s[5]),
                    });
                    let valid = valid[slot * T + token] > 0.0;
                    case.window.valid.push(valid);
                    case.window.known.push(valid);
                }
                let tokens = packed * T..(packed + 1) * T;
                let wide = packed * T * CHANNELS..(packed + 1) * T * CHANNELS;
                case.levels.extend_from_slice(&levels[tokens]);
                case.noisy.extend_from_slice(&noisy[wide.clone()]);
                case.mean.extend_from_slice(&mean[wide.clone()]);
                case.clean.extend_from_slice(&clean[wide.clone()]);
                case.smoothed.extend_from_slice(&smoothed[wide]);
            }
            for piece in scene * pieces..(scene + 1) * pieces {
                let kind = lane_kinds.as_ref().map_or(1, |kinds| kinds[piece] as u8);
                if lane_valid[piece] == 0.0 {
                    continue;
                }
                let point = |point: usize| {
                    let from = (piece * PIECE_POINTS + point) * lane_width;
                    dvec2(lanes[from], lanes[from + 1])
                };
                let signal = |token: usize| match signals
                    .as_ref()
                    .map(|signals| signals[piece * T + token] as u8)
                {
                    Some(1) => SignalState::Red,
                    Some(2) => SignalState::Yellow,
                    Some(3) => SignalState::Green,
                    _ => SignalState::Unknown,
                };
                case.window.lanes.push(LanePiece {
                    points: std::array::from_fn(point),
                    lane: piece,
                    kind: if kind == 3 {
                        LaneKind::Bike
                    } else {
                        LaneKind::Street
                    },
                    carries_vehicles: kind != 3,
                    in_junction: kind == 4,
                    speed_limit: speeds.as_ref().map(|speeds| speeds[piece]),
                    signals: std::array::from_fn(signal),
                    on_route: None,
                });
            }
            case
        })
        .collect()
}

fn worst(case: &Case, found: &[f32], expected: &[f32]) -> f32 {
    let valid = |at: usize| case.window.valid[at / CHANNELS];
    found
        .iter()
        .zip(expected)
        .enumerate()
        .filter(|(at, _)| valid(*at))
        .map(|(_, (found, expected))| (found - expected).abs())
        .fold(0.0, f32::max)
}

/// Whether some agent's last lane piece and the first one left out are equally near: the training program then picks
/// either, and the two programs may rightly differ.
fn lane_choice_ties(window: &Window, nearest: usize) -> bool {
    (0..window.agents()).any(|row| {
        let now = window.state(row, NOW);
        let anchors = [0.0, 2.5, 5.0].map(|after_s| now.position + now.velocity * after_s);
        let usable = window.lanes.iter().filter(|piece| piece.carries_vehicles);
        let mut gaps: Vec<f64> = usable
            .map(|piece| {
                let points = piece.points.iter().step_by(3);
                points
                    .flat_map(|point| anchors.map(|anchor| anchor.distance(*point)))
                    .fold(f64::INFINITY, f64::min)
            })
            .collect();
        gaps.sort_by(f64::total_cmp);
        gaps.len() > nearest && gaps[nearest] - gaps[nearest - 1] < 1e-4
    })
}

fn predict(network: &Network, case: &Case) -> Vec<f32> {
    let mut clean = vec![0.0; case.noisy.len()];
    let mut job = network.prepare(&case.window).unwrap();
    job.denoise(&case.noisy, &case.levels, &mut clean).unwrap();
    clean
}

#[test]
fn the_prior_reproduces_the_training_programs_posterior_means() {
    let prior = Network::load_default(1).unwrap().prior_only();
    for case in cases() {
        let gap = worst(&case, &predict(&prior, &case), &case.mean);
        assert!(gap < TOLERANCE, "{gap}");
    }
}

#[test]
fn plain_and_fast_network_reproduce_the_training_programs_predictions() {
    let network = Network::load_default(1).unwrap();
    assert_eq!(network.status(), Status::Embedded);
    let mut compared = 0;
    for (number, case) in cases().iter().enumerate() {
        let tied = lane_choice_ties(&case.window, network.config().nearest_lanes);
        let plain = predict(&network.reference(), case);
        let fast = predict(&network, case);
        let gap = worst(case, &fast, &plain);
        assert!(gap < TOLERANCE, "fast against plain, scene {number}: {gap}");
        if !tied {
            let gap = worst(case, &plain, &case.clean);
            assert!(gap < TOLERANCE, "plain, scene {number}: {gap}");
            let gap = worst(case, &fast, &case.clean);
            assert!(gap < TOLERANCE, "fast, scene {number}: {gap}");
            compared += 1;
        }
    }
    assert!(compared > 0, "every scene of the fixture has a tie");
}

#[test]
fn smoothed_predictions_are_the_training_programs() {
    let network = Network::load_default(1).unwrap();
    for case in cases() {
        if lane_choice_ties(&case.window, network.config().nearest_lanes) {
            continue;
        }
        let mut job = network.prepare(&case.window).unwrap();
        let mut predict = |smooth: bool| {
            let mut clean = vec![0.0; case.noisy.len()];
            job.smooth(smooth);
            job.denoise(&case.noisy, &case.levels, &mut clean).unwrap();
            clean
        };
        let smoothed = predict(true);
        let gap = worst(&case, &smoothed, &case.smoothed);
        assert!(gap < TOLERANCE, "{gap}");
        assert!(worst(&case, &smoothed, &case.clean) > 0.1);
        let plain = predict(false);
        assert!(worst(&case, &plain, &case.clean) < TOLERANCE);
        // standing vehicles, pedestrians and cyclists are left alone, so some rows are the same to the bit
        let rows = smoothed.chunks_exact(T * CHANNELS);
        let alike = rows.zip(plain.chunks_exact(T * CHANNELS));
        assert!(alike.filter(|(one, two)| one == two).count() > 0);
    }
}

#[test]
fn several_samples_at_once_equal_samples_one_by_one_on_any_number_of_threads() {
    let case = cases().remove(0);
    let one = Arc::new(Network::load_default(1).unwrap());
    let three = Network::load_default(3).unwrap();
    let other: Vec<f32> = case.noisy.iter().map(|number| 0.5 * number).collect();
    let both = [case.noisy.clone(), other.clone()].concat();
    let mut clean = vec![0.0; both.len()];
    let mut job = three.prepare(&case.window).unwrap();
    job.denoise(&both, &case.levels, &mut clean).unwrap();
    let mut job = one.prepare(&case.window).unwrap();
    for (noisy, expected) in [case.noisy, other]
        .iter()
        .zip(clean.chunks_exact(clean.len() / 2))
    {
        let mut alone = vec![0.0; noisy.len()];
        job.denoise(noisy, &case.levels, &mut alone).unwrap();
        assert_eq!(alone, expected);
    }
}
