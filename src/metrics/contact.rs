//! Overlaps of footprints: who touches whom, and when first.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::grid::{Row, Samples};
use crate::scene::AgentId;

/// Two footprints that overlap after the present.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    /// The earlier row of the samples.
    pub first: AgentId,
    /// The later row.
    pub second: AgentId,
    /// Position in the grid of the first overlap after the present.
    pub at: usize,
    /// Scene time of it, s.
    pub time_s: f64,
    /// Frame of the scene nearest to it.
    pub frame: usize,
    /// Depth of the overlap then, m (least over the four separating axes).
    pub depth_m: f64,
    /// Whether the two overlapped already at or before the present: the input's fault, not the result's.
    pub before: bool,
    /// Whether one of the two is first seen there, inside the other: a label that changed its number, or somebody the
    /// recording knows only later, where another has meanwhile come to be.
    pub appears: bool,
}

impl Contact {
    /// Whether `id` is one of the two.
    pub fn concerns(&self, id: &AgentId) -> bool {
        self.first == *id || self.second == *id
    }

    /// Whether the result brought it about: the two were there before, and apart.
    pub fn is_new(&self) -> bool {
        !self.before && !self.appears
    }

    /// The partner of `id`.
    pub fn other(&self, id: &AgentId) -> &AgentId {
        if self.first == *id {
            &self.second
        } else {
            &self.first
        }
    }
}

/// All pairs of which at least one is judged and whose boxes overlap after the present, earliest first.
pub fn contacts(samples: &Samples) -> Vec<Contact> {
    let mut found = Vec::new();
    for (index, row) in samples.rows.iter().enumerate() {
        for other in &samples.rows[index + 1..] {
            if row.judged || other.judged {
                found.extend(first_contact(samples, row, other));
            }
        }
    }
    found.sort_by_key(|contact| contact.at);
    found
}

/// The first overlap of two agents after the present.
pub fn first_contact(samples: &Samples, row: &Row, other: &Row) -> Option<Contact> {
    let depth = |at: usize| -> Option<f64> {
        let (one, two) = (row.states[at].as_ref()?, other.states[at].as_ref()?);
        let reach = row.agent.length + row.agent.width + other.agent.length + other.agent.width;
        if one.position.distance_squared(two.position) > reach * reach / 4.0 {
            return None;
        }
        let (one, two) = (row.agent.footprint(one), other.agent.footprint(two));
        one.overlaps(&two).then(|| one.penetration(&two))
    };
    let at = samples.grid.future().find(|&at| depth(at).is_some())?;
    Some(Contact {
        first: row.agent.id.clone(),
        second: other.agent.id.clone(),
        at,
        time_s: samples.grid.times_s[at],
        frame: samples.frame(at),
        depth_m: depth(at)?,
        before: (0..=samples.grid.present).any(|at| depth(at).is_some()),
        appears: [row, other]
            .iter()
            .any(|row| row.states[..at].iter().all(Option::is_none)),
    })
}

/// Judged agents that overlap another after the present (R_col's numerator), with their first contact. Pairs that
/// overlapped before do not count when `forgive_history` is set.
pub fn struck(samples: &Samples, forgive_history: bool) -> BTreeMap<AgentId, Contact> {
    let judged: BTreeSet<&AgentId> = samples
        .judged_with_future()
        .map(|(_, row)| &row.agent.id)
        .collect();
    let mut found = BTreeMap::new();
    for contact in contacts(samples) {
        if forgive_history && contact.before {
            continue;
        }
        for id in [&contact.first, &contact.second] {
            if judged.contains(id) {
                found.entry(id.clone()).or_insert_with(|| contact.clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::grid::Grid;
    use crate::metrics::grid::tests::{driver, scene_of};

    #[test]
    fn a_faster_follower_touches_when_the_gap_is_gone() {
        // gap of centres 20 m at frame 0, closing at 5 m/s, boxes 4.7 m long: overlap once 20 - 5 t < 4.7, t > 3.06
        let scene = scene_of(vec![
            driver("rear", (0.0, 0.0, 0.0), 10.0, 101),
            driver("front", (20.0, 0.0, 0.0), 5.0, 101),
            driver("aside", (0.0, 10.0, 0.0), 10.0, 101),
        ]);
        let samples = Samples::of_traffic(&scene, &Grid::frames(&scene));
        let found = contacts(&samples);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].frame, 31);
        assert!(!found[0].before);
        assert_eq!(struck(&samples, true).len(), 2);
    }

    #[test]
    fn who_is_first_seen_inside_another_appears_and_who_comes_later_does_not() {
        let mut late = driver("late", (1.0, 0.0, 0.0), 0.0, 101);
        late.track.states_mut()[..40].fill(None);
        let mut comes = driver("comes", (-60.0, 0.0, 0.0), 10.0, 101);
        comes.track.states_mut()[..40].fill(None); // at 4 s it is 20 m behind, at 10 s 40 m beyond
        let scene = scene_of(vec![
            driver("stands", (0.0, 0.0, 0.0), 0.0, 101),
            late,
            comes,
        ]);
        let samples = Samples::of_traffic(&scene, &Grid::frames(&scene));
        let found = contacts(&samples);
        let appears = |id: &str| {
            let contact = found.iter().find(|contact| {
                contact.concerns(&AgentId::new(id)) && contact.concerns(&AgentId::new("stands"))
            });
            contact.expect("a contact").appears
        };
        assert!(appears("late") && !appears("comes"));
    }

    #[test]
    fn boxes_that_overlap_in_the_history_are_forgiven() {
        let scene = scene_of(vec![
            driver("a", (0.0, 0.0, 0.0), 3.0, 101),
            driver("b", (1.0, 0.0, 0.0), 3.0, 101),
        ]);
        let samples = Samples::of_traffic(&scene, &Grid::frames(&scene));
        assert_eq!(struck(&samples, true).len(), 0);
        assert_eq!(struck(&samples, false).len(), 2);
    }
}
