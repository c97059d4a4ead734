//! Finer sweeps: new values between neighbours whose results differ, so that runs are spent where a result turns.

use super::sweep::{Axis, MOST_POINTS, Quantity, Sweep};
use crate::scene::Scene;

/// At most so many combinations lie in a refined sweep, made or not.
const MOST_CELLS: usize = 2500;

/// What is known of a combination of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// What it came to, as a number that differs from that of other results.
    Result(u8),
    /// Nothing that could be compared.
    Nothing,
    /// It was left out, as all around it came to the same.
    Left,
}

impl Known {
    /// What it came to, if that is known.
    pub fn result(self) -> Option<u8> {
        match self {
            Self::Result(result) => Some(result),
            Self::Nothing | Self::Left => None,
        }
    }
}

/// Where a combination of a refined sweep comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is the one with this number of the sweep before.
    Had(usize),
    /// It is to be made: what lies around it differs.
    Wanted,
    /// It is left out: what is known around it is all the same.
    Left,
}

/// A sweep with more values, and where each of its combinations comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Refined {
    /// All values, old and new.
    pub sweep: Sweep,
    /// Combination by combination.
    pub origins: Vec<Origin>,
}

/// Why a sweep is not refined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefineError {
    /// No two neighbours differ.
    #[error("neighbours all came to the same: there is no edge to look at more closely")]
    Same,
    /// Where neighbours differ there are no values between them.
    #[error(
        "there are no values between those that differ: contacts lie at half seconds, seeds are whole"
    )]
    Finest,
    /// More would have to be made than a sweep may.
    #[error("{0} scenes would have to be made in all; a sweep has at most {MOST_POINTS}")]
    TooMany(usize),
    /// Its sheet would be larger than one may be.
    #[error("its sheet would have {0} cells; one has at most {MOST_CELLS}")]
    TooLarge(usize),
}

impl Sweep {
    /// This sweep with a value halfway between any two neighbours on an axis of which some results differ, everything else
    /// being equal. Of the combinations that come in, those are wanted that lie between different results. What was left
    /// out counts as the nearest that is known, and is wanted as soon as a neighbour differs from that.
    ///
    /// `known` holds one entry for each combination.
    ///
    /// # Errors
    /// If no neighbours differ, nothing lies between those that do, or too much would have to be made.
    pub fn refined(&self, base: &Scene, known: &[Known]) -> Result<Refined, RefineError> {
        let results = self.results(known);
        let split: Vec<Vec<bool>> = (0..self.axes.len())
            .map(|axis| self.turns(axis, &results))
            .collect();
        if !split.iter().flatten().any(|turns| *turns) {
            return Err(RefineError::Same);
        }
        // for each value of a new axis the positions it lies at or between on the old one
        let mut between: Vec<Vec<[usize; 2]>> = Vec::new();
        let mut axes = Vec::new();
        for (axis, turns) in self.axes.iter().zip(&split) {
            let (mut values, mut places) = (Vec::new(), Vec::new());
            for (at, value) in axis.values.iter().enumerate() {
                values.push(*value);
                places.push([at, at]);
                let middle = turns
                    .get(at)
                    .filter(|turns| **turns)
                    .and_then(|_| middle_of(axis, at, base));
                if let Some(middle) = middle {
                    values.push(middle);
                    places.push([at, at + 1]);
                }
            }
            between.push(places);
            axes.push(Axis {
                parameter: axis.parameter.clone(),
                values,
            });
        }
        let sweep = Self { axes };
        if sweep.count() == self.count() {
            return Err(RefineError::Finest);
        }
        let origin = |number: usize| {
            let position = sweep.position(number).into_iter().zip(&between);
            let corners: Vec<[usize; 2]> = position.map(|(at, places)| places[at]).collect();
            self.origin(&corners, known, &results)
        };
        let all = sweep.count();
        let origins: Vec<Origin> = (0..all).map(origin).collect();
        let is_made = |origin: &&Origin| match origin {
            Origin::Had(number) => known[*number] != Known::Left,
            Origin::Wanted => true,
            Origin::Left => false,
        };
        let made = origins.iter().filter(is_made).count();
        match (made > MOST_POINTS, all > MOST_CELLS) {
            (true, _) => Err(RefineError::TooMany(made)),
            (_, true) => Err(RefineError::TooLarge(all)),
            (false, false) => Ok(Refined { sweep, origins }),
        }
    }

    /// For each combination the number of the nearest one that is among `known`, by steps along the axes; of those equally
    /// near the first. `None` if nothing is known.
    fn nearest(&self, known: &[usize]) -> Vec<Option<usize>> {
        let places: Vec<Vec<usize>> = (0..self.count())
            .map(|number| self.position(number))
            .collect();
        let nearest = |place: &Vec<usize>| {
            let steps = |other: usize| {
                let pairs = place.iter().zip(&places[other]);
                pairs.map(|(a, b)| a.abs_diff(*b)).sum::<usize>()
            };
            known.iter().copied().min_by_key(|other| steps(*other))
        };
        places.iter().map(nearest).collect()
    }

    /// For each combination the nearest one along an axis that is known, where all that enclose it came to the same: the first
    /// known ones before and after it on each axis, everything else being equal. `results` holds what each came to.
    pub fn enclosed<R: PartialEq>(&self, results: &[Option<R>]) -> Vec<Option<usize>> {
        let counts = self.axes.iter().map(|axis| axis.values.len());
        let counts: Vec<usize> = counts.collect();
        let one = |number: usize| {
            if results[number].is_some() {
                return Some(number);
            }
            let place = self.position(number);
            let (mut stride, mut found): (usize, Option<(usize, usize)>) = (1, None);
            for (at, count) in place.into_iter().zip(&counts).rev() {
                let first = number - at * stride;
                let value = |at: usize| first + at * stride;
                let known = |at: &usize| results[value(*at)].is_some();
                let sides = [(0..at).rev().find(known), (at + 1..*count).find(known)];
                for side in sides.into_iter().flatten() {
                    let (steps, other) = (side.abs_diff(at), value(side));
                    match found {
                        Some((_, held)) if results[held] != results[other] => return None,
                        Some((least, _)) if least <= steps => {}
                        _ => found = Some((steps, other)),
                    }
                }
                stride *= count;
            }
            found.map(|(_, other)| other)
        };
        (0..self.count()).map(one).collect()
    }

    /// What each combination came to; of those that were left out the nearest that is known.
    fn results(&self, known: &[Known]) -> Vec<Option<u8>> {
        let result = |number: usize| known[number].result();
        let all = 0..known.len();
        let found: Vec<usize> = all.filter(|number| result(*number).is_some()).collect();
        let nearest = self.nearest(&found).into_iter().zip(known);
        let nearest = nearest.map(|(nearest, known)| match known {
            Known::Nothing => None,
            Known::Result(_) | Known::Left => nearest.and_then(result), // the nearest to itself is itself
        });
        nearest.collect()
    }

    /// For each gap between two values of an axis, whether results differ across it.
    fn turns(&self, axis: usize, results: &[Option<u8>]) -> Vec<bool> {
        let count = self.axes[axis].values.len();
        let mut turns = vec![false; count.saturating_sub(1)];
        for (number, result) in results.iter().enumerate() {
            let position = self.position(number);
            let at = position[axis];
            if at + 1 == count {
                continue;
            }
            let mut after = position;
            after[axis] += 1;
            let other = results[self.number(&after)];
            turns[at] |= matches!((result, other), (Some(a), Some(b)) if *a != b);
        }
        turns
    }

    /// Where a combination comes from that lies at, or between, two places on each axis.
    fn origin(&self, places: &[[usize; 2]], known: &[Known], results: &[Option<u8>]) -> Origin {
        let mut corners: Vec<Vec<usize>> = vec![Vec::new()];
        for [before, after] in places {
            let mut longer = Vec::new();
            for corner in &corners {
                for at in *before..=*after {
                    longer.push([corner.as_slice(), &[at]].concat());
                }
            }
            corners = longer;
        }
        if let [only] = corners.as_slice() {
            let number = self.number(only);
            return match known[number] == Known::Left && self.is_at_edge(only, results) {
                true => Origin::Wanted,
                false => Origin::Had(number),
            };
        }
        let mut found = corners.iter().filter_map(|at| results[self.number(at)]);
        let first = found.next();
        match found.any(|other| Some(other) != first) {
            true => Origin::Wanted,
            false => Origin::Left,
        }
    }

    /// Whether a neighbour along an axis came to something else.
    fn is_at_edge(&self, position: &[usize], results: &[Option<u8>]) -> bool {
        let own = results[self.number(position)];
        let mut axes = self.axes.iter().enumerate();
        axes.any(|(axis, of)| {
            let at = position[axis];
            let others = [at.checked_sub(1), Some(at + 1)].into_iter().flatten();
            let mut others = others.filter(|other| *other < of.values.len());
            others.any(|other| {
                let mut beside = position.to_vec();
                beside[axis] = other;
                let result = results[self.number(&beside)];
                result.is_some() && own.is_some() && result != own
            })
        })
    }

    /// The number of the combination at a position on each axis: the inverse of [`Sweep::position`].
    fn number(&self, position: &[usize]) -> usize {
        let axes = self.axes.iter().zip(position);
        axes.fold(0, |number, (axis, at)| number * axis.values.len() + at)
    }
}

/// The value halfway to the next, if there is one that the axis has not.
fn middle_of(axis: &Axis, at: usize, base: &Scene) -> Option<f64> {
    let (from, to) = (*axis.values.get(at)?, *axis.values.get(at + 1)?);
    if axis.parameter.quantity == Quantity::Seed {
        return None; // nothing lies between two seeds
    }
    let middle = axis.parameter.nearest(base, (from + to) / 2.0);
    let is_new = axis
        .values
        .iter()
        .all(|value| (value - middle).abs() > 1e-6);
    (is_new && middle > from.min(to) && middle < from.max(to)).then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::scene::{Agent, AgentKind, Role, State, Track};
    use std::sync::Arc;

    /// An ego that goes east at 10 m/s.
    fn scene() -> Scene {
        let states = (0..101).map(|frame| {
            let pose = Pose::at(f64::from(frame), 0.0, 0.0);
            Some(State::along(pose, 10.0))
        });
        let mut ego = Agent::new("ego", AgentKind::Vehicle, Track::new(states.collect()));
        ego.role = Role::Ego;
        Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            agents: vec![Arc::new(ego)],
            ..Scene::default()
        }
    }

    fn sweep(texts: &[&str]) -> Sweep {
        let axes = texts.iter().map(|text| Axis::from_text(text).unwrap());
        Sweep {
            axes: axes.collect(),
        }
    }

    /// Refines as long as something lies between, with the results that `truth` gives; how many were made in all.
    fn drive(mut sweep: Sweep, rounds: usize, truth: impl Fn(&[f64]) -> u8) -> (Sweep, Vec<Known>) {
        let values = |sweep: &Sweep, number: usize| {
            let places = sweep.axes.iter().zip(sweep.position(number));
            places
                .map(|(axis, at)| axis.values[at])
                .collect::<Vec<f64>>()
        };
        let all = 0..sweep.count();
        let mut known: Vec<Known> = all
            .map(|number| Known::Result(truth(&values(&sweep, number))))
            .collect();
        for _ in 0..rounds {
            let refined = sweep.refined(&scene(), &known).unwrap();
            let origins = refined.origins.iter().enumerate();
            let next = origins.map(|(number, origin)| match origin {
                Origin::Had(before) => known[*before],
                Origin::Wanted => Known::Result(truth(&values(&refined.sweep, number))),
                Origin::Left => Known::Left,
            });
            known = next.collect();
            sweep = refined.sweep;
        }
        (sweep, known)
    }

    #[test]
    fn one_axis_is_halved_where_results_turn() {
        let truth = |values: &[f64]| u8::from(values[0] >= 8.3);
        let (finer, known) = drive(sweep(&["speed:ego=4:12:5"]), 3, truth);
        // 8 and 10 differ: 9; 8 and 9: 8.5; 8 and 8.5: 8.25
        assert_eq!(
            finer.axes[0].values,
            [4.0, 6.0, 8.0, 8.25, 8.5, 9.0, 10.0, 12.0]
        );
        assert!(!known.contains(&Known::Left)); // with one axis all that comes in lies between two that differ
    }

    #[test]
    fn an_edge_across_a_plane_is_followed_with_a_share_of_the_runs() {
        let truth = |values: &[f64]| u8::from(values[0] + 2.0 * values[1] > 9.1);
        let start = sweep(&["speed:ego=4:12:5", "left:ego=-2:2:5"]);
        let (finer, known) = drive(start, 3, truth);
        let made = known.iter().filter(|it| **it != Known::Left).count();
        assert_eq!(known.len(), finer.count());
        assert!(made * 2 < known.len(), "{made} of {}", known.len());
        // what is taken for the nearest is so wherever it was left out
        for (number, result) in finer.results(&known).into_iter().enumerate() {
            let at = finer.position(number);
            let values = [finer.axes[0].values[at[0]], finer.axes[1].values[at[1]]];
            assert_eq!(result, Some(truth(&values)), "{values:?}");
        }
    }

    #[test]
    fn what_lies_between_different_results_is_taken_for_none_of_them() {
        let plane = sweep(&["speed:ego=4,6,8", "left:ego=0,1,2"]);
        let (v, n) = (Some('v'), Some('n'));
        let results = [v, v, v, n, None, n, None, v, v];
        let enclosed = plane.enclosed(&results);
        // on its own row both sides came to something else than those before and after it
        assert_eq!(enclosed[4], None);
        // only one side is known on each axis: n before it, v after it
        assert_eq!(enclosed[6], None);
        let agree = [v, v, v, v, None, v, None, v, v];
        assert_eq!(plane.enclosed(&agree)[4], Some(3));
        assert_eq!(plane.enclosed(&agree)[6], Some(7));
        assert_eq!(plane.enclosed::<char>(&[None; 9]), [None; 9]);
    }

    #[test]
    fn what_was_left_out_is_wanted_once_a_neighbour_differs() {
        let start = sweep(&["speed:ego=4,6", "left:ego=0,1,2"]);
        let (a, b) = (Known::Result(0), Known::Result(1));
        // left 0    1     2
        let known = [a, Known::Left, a, a, b, a];
        let refined = start.refined(&scene(), &known).unwrap();
        let at = |speed: f64, left: f64| {
            let place = |axis: usize, value: f64| {
                let mut values = refined.sweep.axes[axis].values.iter();
                values.position(|it| *it == value).unwrap()
            };
            let number = refined.sweep.number(&[place(0, speed), place(1, left)]);
            refined.origins[number]
        };
        assert_eq!(at(4.0, 1.0), Origin::Wanted);
        assert_eq!(at(6.0, 1.0), Origin::Had(4));
        assert_eq!(at(6.0, 0.5), Origin::Wanted);
        assert_eq!(at(4.0, 0.5), Origin::Left);
    }

    #[test]
    fn a_sweep_that_cannot_be_refined_says_why() {
        let refused = |sweep: &Sweep, known: &[Known]| sweep.refined(&scene(), known).unwrap_err();
        let (a, b) = (Known::Result(0), Known::Result(1));
        let speeds = sweep(&["speed:ego=8,9"]);
        assert_eq!(refused(&speeds, &[a, a]), RefineError::Same);
        assert_eq!(refused(&speeds, &[a, Known::Nothing]), RefineError::Same);
        assert_eq!(refused(&Sweep::default(), &[a]), RefineError::Same);
        let seeds = sweep(&["seed=1,5"]);
        assert_eq!(refused(&seeds, &[a, b]), RefineError::Finest);
        let near = sweep(&["speed:ego=8,8.001"]);
        assert_eq!(refused(&near, &[a, b]), RefineError::Finest);
        let many = sweep(&["speed:ego=4:12:20", "left:ego=-2:2:20"]);
        let chequered: Vec<Known> = (0..400)
            .map(|number| Known::Result(u8::from((number / 20 + number % 20) % 2 == 0)))
            .collect();
        let why = refused(&many, &chequered);
        assert!(matches!(why, RefineError::TooMany(made) if made > MOST_POINTS));
    }
}
