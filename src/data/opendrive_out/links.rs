//! How roads of one lane each follow one another: directly, or through junctions where lanes fork or join.
//!
//! A road has one predecessor and one successor. Ends and starts of lanes that follow one another make a knot; a knot of
//! more than one way needs a junction, in which the lanes of one of its sides are connecting roads: those that run through a
//! junction in the scene, else those that join, else those into which a lane forks.

use std::collections::{BTreeMap, BTreeSet};

use crate::map::{Lane, LaneId};

/// Most rounds of looking for connecting roads; each makes at least one, and real maps need two or three.
const MOST_ROUNDS: usize = 100;

/// What a road's link names at one of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meets {
    Nothing,
    /// Another road, by its place among the lanes.
    Road(usize),
    /// A junction, by the first of its connecting roads.
    Junction(usize),
}

/// The links of all lanes, each by its place in the map.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) before: Vec<Meets>,
    pub(super) after: Vec<Meets>,
    /// The junction that a road leads through.
    pub(super) through: Vec<Option<usize>>,
    /// Of each junction, which road leads into which of its connecting roads.
    pub(super) connections: BTreeMap<usize, Vec<(usize, usize)>>,
    /// Which lane goes on in which.
    pub(super) ways: BTreeSet<(usize, usize)>,
}

/// Ends and starts of lanes that follow one another.
#[derive(Debug, Default)]
struct Knot {
    from: BTreeSet<usize>,
    to: BTreeSet<usize>,
    ways: Vec<(usize, usize)>,
}

/// Groups by their least member.
struct Groups(Vec<usize>);

impl Groups {
    fn of(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn first(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        self.0[a.max(b)] = a.min(b);
    }
}

impl Links {
    /// Of lanes of which those for which `is_written` does not hold are not there.
    pub(super) fn of(lanes: &[Lane], is_written: &[bool]) -> Self {
        let count = lanes.len();
        let places: BTreeMap<&LaneId, usize> = lanes
            .iter()
            .enumerate()
            .filter(|(at, _)| is_written.get(*at) == Some(&true))
            .map(|(at, lane)| (&lane.id, at))
            .collect();
        let mut links = Self {
            before: vec![Meets::Nothing; count],
            after: vec![Meets::Nothing; count],
            through: vec![None; count],
            ..Self::default()
        };
        for (lane, &at) in lanes
            .iter()
            .filter_map(|lane| Some((lane, places.get(&lane.id)?)))
        {
            let next = lane.successors.iter().filter_map(|id| places.get(id));
            links.ways.extend(next.map(|&next| (at, next)));
            let before = lane.predecessors.iter().filter_map(|id| places.get(id));
            links.ways.extend(before.map(|&before| (before, at)));
        }
        let knots = knots(&links.ways, count);
        let leads = connecting(&knots, lanes);
        let mut junctions = Groups::of(count);
        for knot in &knots {
            let side: Vec<usize> = match knot.is_joined(&leads) {
                true => knot.from.iter().chain(&knot.to).copied().collect(),
                false => knot.to.iter().copied().collect(),
            };
            let mut side = side.into_iter().filter(|at| leads[*at]);
            if let Some(first) = side.next() {
                side.for_each(|at| junctions.join(first, at));
            }
        }
        for knot in &knots {
            links.tie(knot, &leads, &mut junctions);
        }
        let connections = &links.connections;
        for at in (0..count).filter(|at| leads[*at]) {
            links.through[at] = Some(junctions.first(at)).filter(|at| connections.contains_key(at));
        }
        // a junction that nothing leads into is none
        for end in links.before.iter_mut().chain(&mut links.after) {
            if let Meets::Junction(at) = end
                && !connections.contains_key(at)
            {
                *end = Meets::Nothing;
            }
        }
        links
    }

    fn tie(&mut self, knot: &Knot, leads: &[bool], junctions: &mut Groups) {
        let (Some(&first), Some(&next)) = (knot.from.first(), knot.to.first()) else {
            return;
        };
        if knot.is_joined(leads) {
            for &from in &knot.from {
                self.after[from] = Meets::Road(next);
            }
            self.before[next] = match leads[first] && !leads[next] {
                true => Meets::Junction(junctions.first(first)),
                false => Meets::Road(first),
            };
            return;
        }
        for &(from, to) in &knot.ways {
            let junction = junctions.first(to);
            self.connections
                .entry(junction)
                .or_default()
                .push((from, to));
            self.after[from] = Meets::Junction(junction);
            if self.before[to] == Meets::Nothing {
                self.before[to] = Meets::Road(from);
            }
        }
    }
}

impl Knot {
    /// Whether each road that ends here can name the one that it goes on in: there is one, and where several come to it, or
    /// one through a junction, those are connecting roads. Otherwise those that begin here have to be.
    fn is_joined(&self, leads: &[bool]) -> bool {
        let all_lead = self.from.iter().all(|at| leads[*at]);
        let one_goes_on = self.to.len() == 1;
        let none_leads = self.to.iter().all(|at| !leads[*at]);
        one_goes_on && (all_lead || self.from.len() == 1 && none_leads)
    }
}

fn knots(ways: &BTreeSet<(usize, usize)>, count: usize) -> Vec<Knot> {
    // ends of lanes, then their starts
    let mut ends = Groups::of(2 * count);
    for &(from, to) in ways {
        ends.join(from, count + to);
    }
    let mut knots: BTreeMap<usize, Knot> = BTreeMap::new();
    for &(from, to) in ways {
        let knot = knots.entry(ends.first(from)).or_default();
        knot.from.insert(from);
        knot.to.insert(to);
        knot.ways.push((from, to));
    }
    knots.into_values().collect()
}

/// Which lanes are connecting roads.
fn connecting(knots: &[Knot], lanes: &[Lane]) -> Vec<bool> {
    let mut has_ends = vec![(false, false); lanes.len()];
    for knot in knots {
        knot.to.iter().for_each(|at| has_ends[*at].0 = true);
        knot.from.iter().for_each(|at| has_ends[*at].1 = true);
    }
    let mut leads: Vec<bool> = lanes
        .iter()
        .zip(&has_ends)
        .map(|(lane, ends)| lane.in_junction && (ends.0 || ends.1))
        .collect();
    for round in 0..MOST_ROUNDS {
        let mut is_done = true;
        let forks = knots.iter().filter(|knot| knot.ways.len() > 1);
        for knot in forks {
            let all_lead = knot.to.iter().all(|at| leads[*at]);
            if all_lead || knot.is_joined(&leads) {
                continue;
            }
            // a connecting road without a road that leads into it is of no use
            let joins = knot.to.len() == 1 && knot.from.iter().all(|at| has_ends[*at].0);
            let some_leads = knot.to.iter().any(|at| leads[*at]);
            let side = match joins && !some_leads && round + 1 < MOST_ROUNDS {
                true => &knot.from,
                false => &knot.to,
            };
            side.iter().for_each(|at| leads[*at] = true);
            is_done = false;
        }
        if is_done {
            break;
        }
    }
    leads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Polyline, dvec2};
    use crate::map::LaneKind;

    /// Lanes by name, those with a * in a junction, and which goes on in which.
    fn links(names: &[&str], ways: &[(usize, usize)]) -> Links {
        let line = || Polyline::new([dvec2(0.0, 0.0), dvec2(1.0, 0.0)]).unwrap();
        let mut lanes: Vec<Lane> = names
            .iter()
            .map(|name| Lane {
                in_junction: name.ends_with('*'),
                ..Lane::new(name, LaneKind::Street, line())
            })
            .collect();
        for &(from, to) in ways {
            let id = lanes[to].id.clone();
            lanes[from].successors.push(id);
        }
        let links = Links::of(&lanes, &vec![true; lanes.len()]);
        assert_eq!(told(&links), ways.iter().copied().collect());
        links
    }

    /// Which lane goes on in which by what links and junctions say.
    fn told(links: &Links) -> BTreeSet<(usize, usize)> {
        let mut told: BTreeSet<(usize, usize)> =
            links.connections.values().flatten().copied().collect();
        for (at, (before, after)) in links.before.iter().zip(&links.after).enumerate() {
            if let Meets::Road(before) = before {
                told.insert((*before, at));
            }
            if let Meets::Road(after) = after {
                told.insert((at, *after));
            }
        }
        told
    }

    #[test]
    fn a_lane_that_goes_on_in_one_alone_names_it() {
        let links = links(&["a", "b"], &[(0, 1)]);
        assert_eq!(links.after[0], Meets::Road(1));
        assert_eq!(links.before[1], Meets::Road(0));
        assert!(links.connections.is_empty() && links.through == [None, None]);
    }

    #[test]
    fn ways_through_a_crossing_are_connecting_roads_of_one_junction() {
        // a and b each go straight on and cross over: a → ac, ad; b → bc, bd; and out in c and d
        let names = ["a", "b", "ac*", "ad*", "bc*", "bd*", "c", "d"];
        let ways = [
            (0, 2),
            (0, 3),
            (1, 4),
            (1, 5),
            (2, 6),
            (4, 6),
            (3, 7),
            (5, 7),
        ];
        let links = links(&names, &ways);
        assert_eq!(links.through[2..6], [Some(2); 4]);
        assert_eq!(links.connections[&2], [(0, 2), (0, 3), (1, 4), (1, 5)]);
        for at in [0, 1] {
            assert_eq!(links.after[at], Meets::Junction(2));
        }
        for at in [6, 7] {
            assert_eq!(links.before[at], Meets::Junction(2));
        }
        assert_eq!(
            (links.before[3], links.after[3]),
            (Meets::Road(0), Meets::Road(7))
        );
    }

    #[test]
    fn where_nothing_runs_through_a_junction_those_that_join_or_into_which_one_forks_do() {
        // 0 → 2, 1 → 3, both into 4; that forks into 5 and 6
        let ways = [(0, 2), (1, 3), (2, 4), (3, 4), (4, 5), (4, 6)];
        let links = links(&["a", "b", "c", "d", "e", "f", "g"], &ways);
        assert_eq!(
            links.through,
            [None, None, Some(2), Some(2), None, Some(5), Some(5)]
        );
        assert_eq!(
            (links.before[4], links.after[4]),
            (Meets::Junction(2), Meets::Junction(5))
        );
        // where nothing leads into those that join, the lane that they join in is the connecting road
        let links = self::links(&["a", "b", "c"], &[(0, 2), (1, 2)]);
        assert_eq!(links.through, [None, None, Some(2)]);
        assert_eq!(links.connections[&2], [(0, 2), (1, 2)]);
    }

    #[test]
    fn knots_of_every_shape_keep_all_their_ways() {
        // a fork of which one way only runs through a junction
        links(&["a", "b*", "c", "d"], &[(0, 1), (0, 2), (1, 3), (2, 3)]);
        // ways through a junction that fork and join inside it
        links(
            &["a", "b*", "c*", "d*", "e"],
            &[(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)],
        );
        links(
            &["a", "b", "c*", "d*", "e*"],
            &[(0, 2), (1, 3), (2, 4), (3, 4)],
        );
        // two that each go on in the same two, a circle, and a lane that follows itself
        links(&["a", "b", "c", "d"], &[(0, 2), (0, 3), (1, 2), (1, 3)]);
        links(&["a*", "b*"], &[(0, 1), (1, 0)]);
        links(&["a"], &[(0, 0)]);
        // in a junction from the start of the map on
        links(&["a*", "b*", "c"], &[(0, 2), (1, 2)]);
        links(&["a*", "b*", "c", "d"], &[(0, 2), (0, 3), (1, 3)]);
    }
}
