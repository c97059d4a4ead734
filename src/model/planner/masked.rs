//! Masked discrete diffusion over trajectory tokens: all at once, the surest first, and known ones may still change.
//!
//! A plan begins as eight masks. In each pass the network answers for every token from those that are known, each masked
//! one is drawn, and the surest draws stay, as many in each pass (MaskGIT, arXiv 2202.04200; over trajectories
//! ReflectDrive, arXiv 2509.20109). A known token gives way to one that is much likelier by now: a token-to-token edit.

use std::collections::BTreeMap;

use super::network::MASKED;
use super::refine::Reading;
use super::surroundings::{Spot, push_pose};
use super::tokens::{OnToken, Sequence, allowed, drawn, laid, log_probabilities};
use super::weights::{PER_TOKEN, Segment, TOKENS};
use crate::planner::{Decoder, PlanSettings, ProposeError};
use crate::rng::{Purpose, Stream};

/// By how much likelier a token must be to take a known one's place, natural logarithm of 4.
const EDIT: f64 = 1.386_294_361_119_890_6;

/// The tokens of one plan; none where masked.
type Known = [Option<u16>; TOKENS];

/// What the network is shown of a position.
#[derive(Clone, Copy, PartialEq)]
struct Start {
    spot: Spot,
    /// Whether the token before is known, so that the speed is.
    sure: bool,
    /// Whether all before are, so that the place is.
    exact: bool,
}

/// Where each token begins; through masked ones the ego coasts for a second.
fn starts(from: Spot, vocabulary: &[Segment], known: &Known) -> [Start; TOKENS] {
    let mut next = Start {
        spot: from,
        sure: true,
        exact: true,
    };
    std::array::from_fn(|position| {
        let here = next;
        let Spot {
            place: [x, y],
            facing: [cos, sin],
            speed,
        } = here.spot;
        next.sure = known[position].is_some();
        next.exact &= next.sure;
        next.spot = match known[position] {
            Some(token) => laid(
                &here.spot,
                &vocabulary[usize::from(token)].points[PER_TOKEN - 1],
            ),
            None => Spot {
                place: [x + speed * cos, y + speed * sin],
                ..here.spot
            },
        };
        here
    })
}

/// Logits [n][8][m] of plans.
fn answers(
    reading: &Reading<'_>,
    vocabulary: &[Segment],
    plans: &[Known],
) -> Result<Vec<Vec<f32>>, ProposeError> {
    let from = reading.scene.start();
    let all: Vec<Start> = plans
        .iter()
        .flat_map(|known| starts(from, vocabulary, known))
        .collect();
    let mut inputs = Vec::with_capacity(all.len() * MASKED);
    let mut seen: BTreeMap<(usize, [u32; 5]), usize> = BTreeMap::new();
    for (at, start) in all.iter().enumerate() {
        let Spot {
            place: [x, y],
            facing: [cos, sin],
            speed,
        } = start.spot;
        let place = (at % TOKENS, [x, y, cos, sin, speed].map(f32::to_bits));
        let before = *seen.entry(place).or_insert(at);
        if before < at {
            inputs.extend_from_within(before * MASKED..(before + 1) * MASKED - 1);
        } else {
            push_pose(&start.spot, &mut inputs);
            let time_s = (at % TOKENS) as f32;
            reading.scene.push_around(&start.spot, time_s, &mut inputs);
        }
        inputs.push(f32::from(u8::from(start.exact)));
    }
    let masked = vocabulary.len() as u32;
    let shown: Vec<u32> = plans
        .iter()
        .flatten()
        .map(|token| token.map_or(masked, u32::from))
        .collect();
    let mismatch = |row: usize, token: usize| match all[row].sure {
        true => (vocabulary[token].start_speed - all[row].spot.speed).powi(2),
        false => 0.0,
    };
    let logits = reading
        .network
        .masked(reading.encoded, &shown, inputs, mismatch)
        .map_err(|error| ProposeError::Network(error.to_string()))?;
    let logits = logits.ok_or(ProposeError::NoDecoder(Decoder::MaskedDiffusion.key()))?;
    if let Some(row) = logits
        .iter()
        .position(|row| row.iter().any(|logit| !logit.is_finite()))
    {
        let second = row % TOKENS;
        return Err(ProposeError::Network(format!(
            "a masked token's score at second {second} is not finite"
        )));
    }
    Ok(logits)
}

/// How many tokens are known after pass `turn` of `passes`.
fn wanted(turn: usize, passes: usize) -> usize {
    (TOKENS * turn).div_ceil(passes).min(TOKENS)
}

/// Plans filled from masks, each with draws of its own; one, of the likeliest tokens, at temperature 0. `on_token` sees
/// after every pass what it takes them for, masked tokens as drawn.
pub(super) fn decode(
    reading: &Reading<'_>,
    vocabulary: &[Segment],
    settings: &PlanSettings,
    on_token: &mut OnToken<'_>,
) -> Result<(Vec<Sequence>, Vec<f64>), ProposeError> {
    let count = match settings.temperature > 0.0 {
        true => settings.beams.max(settings.modes).max(1),
        false => 1,
    };
    let weights = vec![1.0 / count as f64; count];
    let mut plans: Vec<Known> = vec![[None; TOKENS]; count];
    let mut dice: Vec<Stream> = (0..count as u64)
        .map(|index| settings.seed.substream(Purpose::Planner, index))
        .collect();
    let mut sequences = Vec::new();
    for turn in 1..=settings.masked_passes + settings.edit_passes {
        // plans that are the same get the same answer
        let mut rows: BTreeMap<Known, usize> = BTreeMap::new();
        let mut distinct = Vec::new();
        for plan in &plans {
            rows.entry(*plan).or_insert_with(|| {
                distinct.push(*plan);
                distinct.len() - 1
            });
        }
        let logits = answers(reading, vocabulary, &distinct)?;
        let mut tables: Vec<Option<Vec<(usize, f64)>>> = vec![None; logits.len()];
        let shares: Vec<Vec<f64>> = logits.iter().map(|row| log_probabilities(row)).collect();
        let keep = wanted(turn, settings.masked_passes);
        sequences.clear();
        for (plan, dice) in plans.iter_mut().zip(&mut dice) {
            let row = rows.get(plan).copied().unwrap_or(0);
            let mut guess = [0_u16; TOKENS];
            let mut unsure: Vec<(f64, usize)> = Vec::new();
            for (position, token) in plan.iter_mut().enumerate() {
                let at = row * TOKENS + position;
                let likely = &shares[at];
                let taken = match token {
                    Some(token) => {
                        let best = likeliest(likely);
                        let gain = likely[best] - likely[usize::from(*token)];
                        if settings.edit_passes > 0 && gain > EDIT {
                            *token = best as u16;
                        }
                        usize::from(*token)
                    }
                    None => {
                        let taken = if settings.temperature > 0.0 {
                            let table =
                                tables[at].get_or_insert_with(|| allowed(&logits[at], settings));
                            drawn(table, dice)
                        } else {
                            likeliest(likely)
                        };
                        unsure.push((likely[taken], position));
                        taken
                    }
                };
                guess[position] = taken as u16;
            }
            unsure.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let known = TOKENS - unsure.len();
            for (_, position) in unsure.into_iter().take(keep.saturating_sub(known)) {
                plan[position] = Some(guess[position]);
            }
            sequences.push(Sequence::of(reading.scene.start(), vocabulary, &guess));
        }
        if on_token(&sequences, &weights).is_break() {
            return Err(ProposeError::Stopped);
        }
    }
    Ok((sequences, weights))
}

/// Logits [8, m] of one plan, row by row, for a second implementation to be held against.
pub(super) fn follow(
    reading: &Reading<'_>,
    vocabulary: &[Segment],
    plan: Known,
) -> Result<Vec<f32>, ProposeError> {
    Ok(answers(reading, vocabulary, &[plan])?.concat())
}

fn likeliest(shares: &[f64]) -> usize {
    let best = shares
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
    best.map_or(0, |(token, _)| token)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AHEAD: Segment = Segment {
        start_speed: 5.0,
        points: [[2.5, 0.0, 0.0, 5.0], [5.0, 1.0, 0.0, 6.0]],
    };

    #[test]
    fn through_masks_the_ego_coasts_and_only_what_follows_a_known_token_is_sure() {
        let from = Spot {
            place: [0.0, 0.0],
            facing: [0.0, 1.0],
            speed: 4.0,
        };
        let mut known = [None; TOKENS];
        known[1] = Some(0);
        let starts = starts(from, &[AHEAD], &known);
        // 4 m/s along +y for a second, then 5 m ahead and 1 m to the left of there, at 6 m/s for the rest
        let places = starts.map(|start| start.spot.place);
        assert_eq!(
            places[..4],
            [[0.0, 0.0], [0.0, 4.0], [-1.0, 9.0], [-1.0, 15.0]]
        );
        assert_eq!(
            starts[..4].iter().map(|s| s.sure).collect::<Vec<_>>(),
            [true, false, true, false]
        );
        assert_eq!(
            starts[..3].iter().map(|s| s.exact).collect::<Vec<_>>(),
            [true, false, false]
        );
    }

    #[test]
    fn every_pass_makes_some_known_and_the_last_one_all() {
        let after = |passes: usize| -> Vec<usize> {
            (1..=passes + 2).map(|turn| wanted(turn, passes)).collect()
        };
        assert_eq!(after(4), [2, 4, 6, 8, 8, 8]);
        assert_eq!(after(3), [3, 6, 8, 8, 8]);
        assert_eq!(after(1), [8, 8, 8]);
    }
}
