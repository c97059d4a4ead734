//! Masked discrete diffusion over trajectory tokens: all at once, the surest first, and known ones may still change.
//!
//! A plan begins as eight masks. In each pass the network answers for every token from those that are known, each masked
//! one is drawn, and the surest draws stay, as many in each pass (MaskGIT, arXiv 2202.04200; over trajectories
//! ReflectDrive, arXiv 2509.20109). A known token gives way to one that is much likelier by now: a token-to-token edit.

use std::collections::BTreeMap;

use super::network::MASKED;
use super::refine::Reading;
use super::surroundings::{Spot, push_pose};
use super::tokens::{OnToken, Sequence, allowed, dice_of, drawn, laid, log_probabilities};
use super::weights::{PER_TOKEN, Segment, TOKENS};
use crate::planner::{Decoder, PlanSettings, ProposeError};
use crate::rng::Stream;

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
    let start = reading.scene.start();
    let nothing = Draft {
        known: [None; TOKENS],
        settled: false,
    };
    let mut drafts = vec![nothing; count];
    let mut sequences = vec![Sequence::of(start, vocabulary, &[]); count];
    let mut dice = dice_of(settings, count);
    for turn in 1..=settings.masked_passes + settings.edit_passes {
        // plans that are the same get the same answer
        let mut rows: BTreeMap<Known, usize> = BTreeMap::new();
        let mut distinct = Vec::new();
        for draft in drafts.iter().filter(|draft| !draft.settled) {
            rows.entry(draft.known).or_insert_with(|| {
                distinct.push(draft.known);
                distinct.len() - 1
            });
        }
        let mut answers = Answers::new(reading, vocabulary, &distinct)?;
        let keep = wanted(turn, settings.masked_passes);
        let open = drafts.iter_mut().zip(&mut sequences).zip(&mut dice);
        for ((draft, sequence), dice) in open {
            let Some(row) = rows.get(&draft.known).filter(|_| !draft.settled) else {
                continue;
            };
            let guess = draft.take(*row, &mut answers, keep, settings, dice);
            *sequence = Sequence::of(start, vocabulary, &guess);
        }
        if on_token(&sequences, &weights).is_break() {
            return Err(ProposeError::Stopped);
        }
    }
    Ok((sequences, weights))
}

/// A plan on its way.
#[derive(Clone, Copy)]
struct Draft {
    known: Known,
    /// All is known, and the last answer changed nothing: no other will.
    settled: bool,
}

impl Draft {
    /// Takes a pass's answer over: draws masked tokens, of which the surest stay until `keep` are known, and lets known ones
    /// give way. Returns what it takes all tokens for.
    fn take(
        &mut self,
        row: usize,
        answers: &mut Answers,
        keep: usize,
        settings: &PlanSettings,
        dice: &mut Stream,
    ) -> [u16; TOKENS] {
        let mut guess = [0_u16; TOKENS];
        let mut unsure: Vec<(f64, usize)> = Vec::new();
        let mut edited = false;
        for (position, token) in self.known.iter_mut().enumerate() {
            let at = row * TOKENS + position;
            match token {
                Some(token) => {
                    let likely = &answers.likely[at];
                    let best = likeliest(likely);
                    let gain = likely[best] - likely[usize::from(*token)];
                    if settings.edit_passes > 0 && gain > EDIT {
                        *token = best as u16;
                        edited = true;
                    }
                    guess[position] = *token;
                }
                None => {
                    let taken = answers.draw(at, settings, dice);
                    unsure.push((answers.likely[at][taken], position));
                    guess[position] = taken as u16;
                }
            }
        }
        self.settled = unsure.is_empty() && !edited;
        unsure.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let known = TOKENS - unsure.len();
        for (_, position) in unsure.into_iter().take(keep.saturating_sub(known)) {
            self.known[position] = Some(guess[position]);
        }
        guess
    }
}

/// What the network says in a pass, of each distinct plan's tokens.
struct Answers {
    /// Logits [n · 8][m].
    logits: Vec<Vec<f32>>,
    /// Their logarithmic probabilities.
    likely: Vec<Vec<f64>>,
    /// What may be drawn, where it has been asked for.
    tables: Vec<Option<Vec<(usize, f64)>>>,
}

impl Answers {
    fn new(
        reading: &Reading<'_>,
        vocabulary: &[Segment],
        plans: &[Known],
    ) -> Result<Self, ProposeError> {
        let logits = match plans.is_empty() {
            true => Vec::new(),
            false => answers(reading, vocabulary, plans)?,
        };
        Ok(Self {
            likely: logits.iter().map(|row| log_probabilities(row)).collect(),
            tables: vec![None; logits.len()],
            logits,
        })
    }

    /// A token for a masked place; at temperature 0 the likeliest.
    fn draw(&mut self, at: usize, settings: &PlanSettings, dice: &mut Stream) -> usize {
        if settings.temperature <= 0.0 {
            return likeliest(&self.likely[at]);
        }
        let logits = &self.logits[at];
        let table = self.tables[at].get_or_insert_with(|| allowed(logits, settings));
        drawn(table, dice)
    }
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
