//! Decoding trajectory tokens: sampling or beam search, and the choice of modes that end apart.

use std::ops::ControlFlow;

use super::network::TOKEN;
use super::refine::Reading;
use super::surroundings::{Spot, push_pose};
use super::weights::{PER_TOKEN, Segment, TOKENS};
use crate::planner::{PlanSettings, ProposeError};
use crate::rng::{Purpose, Stream};

/// Tokens written one after the other.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    pub(super) tokens: Vec<u16>,
    /// Two a token.
    pub(super) spots: Vec<Spot>,
    end: Spot,
    /// Under the untempered distribution.
    log_probability: f64,
}

impl Sequence {
    fn begin(start: Spot) -> Self {
        Self {
            tokens: Vec::new(),
            spots: Vec::new(),
            end: start,
            log_probability: 0.0,
        }
    }

    /// The sequence of `tokens`, whose probability is not known.
    pub(super) fn of(start: Spot, vocabulary: &[Segment], tokens: &[u16]) -> Self {
        let mut sequence = Self::begin(start);
        for &token in tokens {
            let token = usize::from(token);
            sequence.push(token, &vocabulary[token], 0.0);
        }
        sequence
    }

    fn push(&mut self, token: usize, segment: &Segment, log_probability: f64) {
        let from = self.end;
        for point in &segment.points {
            self.spots.push(laid(&from, point));
        }
        self.tokens.push(token as u16);
        self.end = self.spots[self.spots.len() - 1];
        self.log_probability += log_probability;
    }
}

/// A point of a segment laid on at its start.
pub(super) fn laid(start: &Spot, &[x, y, heading, speed]: &[f32; 4]) -> Spot {
    let [cos, sin] = start.facing;
    let (turned_sin, turned_cos) = heading.sin_cos();
    Spot {
        place: [
            start.place[0] + x * cos - y * sin,
            start.place[1] + x * sin + y * cos,
        ],
        facing: [
            turned_cos * cos - turned_sin * sin,
            turned_cos * sin + turned_sin * cos,
        ],
        speed,
    }
}

/// A stream for each of `count` sequences.
pub(super) fn dice_of(settings: &PlanSettings, count: usize) -> Vec<Stream> {
    (0..count as u64)
        .map(|index| settings.seed.substream(Purpose::Planner, index))
        .collect()
}

/// Sees the sequences so far with their weights, and may stop the decoding.
pub(super) type OnToken<'a> = dyn FnMut(&[Sequence], &[f64]) -> ControlFlow<()> + 'a;

/// Sequences with their weights (summing to 1), decoded one second at a time. Temperature 0 searches with beams, else
/// sequences are drawn, each from its own stream. `on_token` sees them after every token.
pub(super) fn decode(
    reading: &Reading<'_>,
    vocabulary: &[Segment],
    settings: &PlanSettings,
    on_token: &mut OnToken<'_>,
) -> Result<(Vec<Sequence>, Vec<f64>), ProposeError> {
    let failed = |error: candle_core::Error| ProposeError::Network(error.to_string());
    let count = settings.beams.max(settings.modes).max(1);
    let start = reading.scene.start();
    let mut sequences = vec![Sequence::begin(start)];
    let mut dice = dice_of(settings, count);
    let mut decoding = reading.network.begin();
    let mut weights = vec![1.0];
    for step in 0..TOKENS {
        let mut inputs = Vec::with_capacity(sequences.len() * TOKEN);
        let mut before = Vec::with_capacity(sequences.len());
        for sequence in &sequences {
            push_pose(&sequence.end, &mut inputs);
            reading
                .scene
                .push_around(&sequence.end, step as f32, &mut inputs);
            let last = sequence
                .tokens
                .last()
                .map_or(vocabulary.len(), |&t| t.into());
            before.push(last as u32);
        }
        let mismatch = |row: usize, token: usize| {
            (vocabulary[token].start_speed - sequences[row].end.speed).powi(2)
        };
        let logits = reading
            .network
            .next_token(reading.encoded, &mut decoding, &before, inputs, mismatch)
            .map_err(failed)?;
        if logits.iter().flatten().any(|logit| !logit.is_finite()) {
            return Err(ProposeError::Network(format!(
                "a token's score at second {step} is not finite"
            )));
        }
        let next = if settings.temperature > 0.0 {
            draw(&logits, sequences.len(), &mut dice, settings)
        } else {
            best(&logits, &sequences, count)
        };
        let parents: Vec<u32> = next.iter().map(|&(parent, ..)| parent as u32).collect();
        decoding.select(&parents).map_err(failed)?;
        sequences = next
            .into_iter()
            .map(|(parent, token, log_probability)| {
                let mut sequence = sequences[parent].clone();
                sequence.push(token, &vocabulary[token], log_probability);
                sequence
            })
            .collect();
        weights = weights_of(&sequences, settings.temperature > 0.0);
        if on_token(&sequences, &weights).is_break() {
            return Err(ProposeError::Stopped);
        }
    }
    Ok((sequences, weights))
}

/// Logits [n, m] before each of the given tokens.
pub(super) fn follow(
    reading: &Reading<'_>,
    vocabulary: &[Segment],
    tokens: &[(u16, Segment)],
) -> candle_core::Result<Vec<f32>> {
    let mut decoding = reading.network.begin();
    let mut end = reading.scene.start();
    let mut before = vocabulary.len() as u32;
    let mut logits = Vec::new();
    for (step, (token, segment)) in tokens.iter().enumerate() {
        let mut inputs = Vec::with_capacity(TOKEN);
        push_pose(&end, &mut inputs);
        reading.scene.push_around(&end, step as f32, &mut inputs);
        let mismatch = |_: usize, token: usize| (vocabulary[token].start_speed - end.speed).powi(2);
        let encoded = reading.encoded;
        let rows =
            reading
                .network
                .next_token(encoded, &mut decoding, &[before], inputs, mismatch)?;
        logits.extend(rows.into_iter().flatten());
        end = laid(&end, &segment.points[PER_TOKEN - 1]);
        before = (*token).into();
    }
    Ok(logits)
}

/// One draw for each stream, from the sequence of its number (all from the first while there is only one): parent,
/// token, log probability.
fn draw(
    logits: &[Vec<f32>],
    parents: usize,
    dice: &mut [Stream],
    settings: &PlanSettings,
) -> Vec<(usize, usize, f64)> {
    let mut tables: Vec<Option<Vec<(usize, f64)>>> = vec![None; parents];
    dice.iter_mut()
        .enumerate()
        .map(|(index, dice)| {
            let parent = index.min(parents - 1);
            let table = tables[parent].get_or_insert_with(|| allowed(&logits[parent], settings));
            let token = drawn(table, dice);
            (parent, token, log_probability(&logits[parent], token))
        })
        .collect()
}

/// A token of a table, by its shares.
pub(super) fn drawn(table: &[(usize, f64)], dice: &mut Stream) -> usize {
    let mut left = dice.unit() * table.iter().map(|(_, share)| share).sum::<f64>();
    let mut token = table[0].0;
    for &(candidate, share) in table {
        token = candidate;
        left -= share;
        if left < 0.0 {
            break;
        }
    }
    token
}

/// The tokens that may be drawn, likeliest first, with tempered shares; never empty.
pub(super) fn allowed(logits: &[f32], settings: &PlanSettings) -> Vec<(usize, f64)> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut table: Vec<(usize, f64)> = logits
        .iter()
        .map(|&logit| (f64::from(logit - most) / settings.temperature).exp())
        .enumerate()
        .collect();
    let total: f64 = table.iter().map(|(_, share)| share).sum();
    table.iter_mut().for_each(|(_, share)| *share /= total);
    table.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    if settings.top_k > 0 {
        table.truncate(settings.top_k);
    }
    let mut held = 0.0;
    let kept = table
        .iter()
        .take_while(|(_, share)| {
            let before = held;
            held += share;
            before < settings.top_p
        })
        .count();
    table.truncate(kept.max(1));
    table
}

fn log_probability(logits: &[f32], token: usize) -> f64 {
    f64::from(logits[token]) - log_total(logits)
}

pub(super) fn log_probabilities(logits: &[f32]) -> Vec<f64> {
    let total = log_total(logits);
    let logits = logits.iter();
    logits.map(|&logit| f64::from(logit) - total).collect()
}

/// Logarithm of the sum of exponentials.
fn log_total(logits: &[f32]) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shares = logits.iter().map(|&logit| f64::from(logit - most).exp());
    f64::from(most) + shares.sum::<f64>().ln()
}

/// The `count` likeliest continuations of all sequences: parent, token, log probability.
fn best(logits: &[Vec<f32>], sequences: &[Sequence], count: usize) -> Vec<(usize, usize, f64)> {
    let mut all: Vec<(f64, usize, usize, f64)> = Vec::new();
    for (parent, logits) in logits.iter().enumerate() {
        let mut own: Vec<(f64, usize)> = log_probabilities(logits).into_iter().zip(0..).collect();
        own.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let so_far = sequences[parent].log_probability;
        all.extend(
            own.into_iter()
                .take(count)
                .map(|(log, token)| (so_far + log, parent, token, log)),
        );
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    all.into_iter()
        .take(count)
        .map(|(_, parent, token, log)| (parent, token, log))
        .collect()
}

/// Drawn sequences weigh the same; beams weigh what they are likely.
fn weights_of(sequences: &[Sequence], drawn: bool) -> Vec<f64> {
    let weights: Vec<f64> = if drawn {
        vec![1.0; sequences.len()]
    } else {
        let most = sequences
            .iter()
            .map(|sequence| sequence.log_probability)
            .fold(f64::NEG_INFINITY, f64::max);
        sequences
            .iter()
            .map(|sequence| (sequence.log_probability - most).exp())
            .collect()
    };
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// Up to `count` sequences that end apart, likeliest first, with probabilities summing to 1.
///
/// One after the other the sequence with the most weight within `spread_m` of its end is taken, and stands for those
/// within. Where that gives fewer than `count`, the distance is halved. What is left over counts for the nearest.
pub(super) fn choose_modes(
    sequences: &[Sequence],
    weights: &[f64],
    count: usize,
    spread_m: f64,
) -> Vec<(usize, f64)> {
    let ends: Vec<[f32; 2]> = sequences
        .iter()
        .map(|sequence| sequence.end.place)
        .collect();
    let mut spread = spread_m;
    let mut modes = apart(&ends, weights, count, spread);
    for _ in 0..8 {
        if modes.len() >= count.min(ends.len()) || spread <= 0.0 {
            break;
        }
        spread /= 2.0;
        modes = apart(&ends, weights, count, spread);
    }
    let mut shares = vec![0.0; modes.len()];
    for (end, weight) in ends.iter().zip(weights) {
        let nearest = modes
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| gap(ends[**a], *end).total_cmp(&gap(ends[**b], *end)));
        if let Some((mode, _)) = nearest {
            shares[mode] += weight;
        }
    }
    let mut chosen: Vec<(usize, f64)> = modes.into_iter().zip(shares).collect();
    chosen.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    chosen
}

fn apart(ends: &[[f32; 2]], weights: &[f64], count: usize, spread: f64) -> Vec<usize> {
    let mut left: Vec<usize> = (0..ends.len()).collect();
    let mut modes = Vec::new();
    while modes.len() < count && !left.is_empty() {
        let within = |centre: usize| {
            let near = left
                .iter()
                .filter(|&&other| gap(ends[centre], ends[other]) <= spread);
            near.map(|&other| weights[other]).sum::<f64>()
        };
        let Some(best) = left
            .iter()
            .copied()
            .max_by(|&a, &b| within(a).total_cmp(&within(b)).then(b.cmp(&a)))
        else {
            break;
        };
        left.retain(|&other| gap(ends[best], ends[other]) > spread);
        modes.push(best);
    }
    modes
}

fn gap(a: [f32; 2], b: [f32; 2]) -> f64 {
    f64::from((a[0] - b[0]).hypot(a[1] - b[1]))
}

/// The spots of a plan; frames beyond the last token repeat it.
pub(super) fn padded(sequence: &Sequence) -> Vec<Spot> {
    let mut spots = sequence.spots.clone();
    spots.resize(PER_TOKEN * TOKENS, sequence.end);
    spots
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::PlanSettings;

    fn ending(x: f32, y: f32) -> Sequence {
        let end = Spot {
            place: [x, y],
            facing: [1.0, 0.0],
            speed: 0.0,
        };
        Sequence {
            tokens: vec![0],
            spots: vec![end],
            end,
            log_probability: 0.0,
        }
    }

    #[test]
    fn modes_end_apart_and_hold_the_weight_around_them() {
        let sequences = [
            ending(0.0, 0.0),
            ending(0.5, 0.0),
            ending(1.0, 0.0),
            ending(10.0, 0.0),
            ending(10.5, 0.0),
        ];
        let modes = choose_modes(&sequences, &[0.2; 5], 2, 0.6);
        // 0.5 has 0, 0.5 and 1 within 0.6 m: 3/5; 10 has two: 2/5
        assert_eq!(modes.len(), 2);
        assert_eq!((modes[0].0, modes[1].0), (1, 3));
        assert!((modes[0].1 - 0.6).abs() < 1e-12 && (modes[1].1 - 0.4).abs() < 1e-12);
    }

    #[test]
    fn the_distance_is_halved_until_there_are_enough_modes() {
        let sequences = [ending(0.0, 0.0), ending(1.0, 0.0), ending(2.0, 0.0)];
        // within 2.5 m all are one; at 0.625 m they are three
        let modes = choose_modes(&sequences, &[1.0 / 3.0; 3], 3, 2.5);
        assert_eq!(modes.len(), 3);
        assert!((modes.iter().map(|mode| mode.1).sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_same_end_gives_one_mode_however_many_are_asked_for() {
        let sequences = [ending(3.0, 1.0), ending(3.0, 1.0)];
        let modes = choose_modes(&sequences, &[0.5; 2], 6, 2.5);
        assert_eq!(modes, [(0, 1.0)]);
    }

    #[test]
    fn only_the_likeliest_tokens_are_allowed() {
        // shares 0.5, 0.25, 0.125, 0.125
        let logits = [4.0_f32, 2.0, 1.0, 1.0].map(f32::ln);
        let settings = |top_k: usize, top_p: f64| PlanSettings {
            temperature: 1.0,
            top_k,
            top_p,
            ..PlanSettings::default()
        };
        let tokens = |settings: &PlanSettings| -> Vec<usize> {
            allowed(&logits, settings)
                .into_iter()
                .map(|(token, _)| token)
                .collect()
        };
        assert_eq!(tokens(&settings(0, 1.0)), [0, 1, 2, 3]);
        assert_eq!(tokens(&settings(2, 1.0)), [0, 1]);
        assert_eq!(tokens(&settings(0, 0.6)), [0, 1]); // 0.5 < 0.6, 0.75 is enough
        assert_eq!(tokens(&settings(0, 0.5)), [0]);
        assert!((log_probability(&logits, 1) - 0.25_f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn segments_are_laid_on_where_the_last_one_ended() {
        let segment = Segment {
            start_speed: 1.0,
            points: [
                [1.0, 0.0, 0.0, 2.0],
                [2.0, 1.0, std::f32::consts::FRAC_PI_2, 3.0],
            ],
        };
        let mut sequence = ending(5.0, 0.0);
        sequence.push(7, &segment, -1.0);
        sequence.push(7, &segment, -1.0);
        // the first ends at (7, 1) facing +y; 2 ahead and 1 to the left of that is (6, 3), facing −x
        assert!((sequence.end.place[0] - 6.0).abs() < 1e-6);
        assert!((sequence.end.place[1] - 3.0).abs() < 1e-6);
        assert!((sequence.end.facing[0] + 1.0).abs() < 1e-6);
        assert_eq!(sequence.tokens, [0, 7, 7]);
    }
}
