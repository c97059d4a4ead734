//! How critical meetings without a contact are: gap, time to collision, post-encroachment time.

use super::explain::contact_time;
use super::grid::{Grid, Part, Row, Samples};
use crate::geometry::OrientedBox;
use crate::scene::{AgentId, Scene};

/// A time to collision beyond this is none, s.
const LATEST_COLLISION_S: f64 = 10.0;
/// A post-encroachment time beyond this is none, s.
const LATEST_ARRIVAL_S: f64 = 5.0;

/// A value, and when it was met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// The value.
    pub value: f64,
    /// Seconds after the present.
    pub time_s: f64,
}

/// How two came past each other after the present.
#[derive(Debug, Clone, PartialEq)]
pub struct Encounter {
    /// With whom.
    pub with: AgentId,
    /// Least distance between the footprints at one time, m, and the first such moment; 0 where they touch.
    pub gap: Moment,
    /// Least time to collision, s: until the footprints would touch if both went on at their velocities without turning
    /// (Hayward, *Near-miss determination through use of a scale of danger*, 1972), at each time from the present on,
    /// before a contact. `None` where it never is within ten seconds.
    pub ttc: Option<Moment>,
    /// Post-encroachment time, s, and when the second of the two arrives: how long after one has left ground the other
    /// comes to be on it (Allen, Shin and Cooper, *Analysis of traffic conflicts and collisions*, 1978), over all ground
    /// that both footprints cover, so that behind somebody on the same way it is the time gap. In steps of the grid; `None`
    /// where they touch, or it is more than five seconds.
    pub pet: Option<Moment>,
}

impl Encounter {
    /// How close it was in time, s: 0 where they touch, else the less of time to collision and post-encroachment time.
    pub fn seconds(&self) -> Option<f64> {
        if self.gap.value <= 0.0 {
            return Some(0.0);
        }
        let both = [self.ttc, self.pet].into_iter().flatten();
        both.map(|moment| moment.value).min_by(f64::total_cmp)
    }
}

/// The encounters of `who` with everyone else in `samples` that is seen at one time with it, the nearest first; those
/// that overlap it at the present are left out. Empty if it is not there at the present.
pub fn encounters(samples: &Samples, who: &AgentId) -> Vec<Encounter> {
    let grid = &samples.grid;
    let Some(own) = samples.row(who) else {
        return Vec::new();
    };
    let Some(now) = own.footprint(grid.present) else {
        return Vec::new();
    };
    let mine = footprints(own, grid.present);
    let mut found: Vec<Encounter> = samples
        .rows
        .iter()
        .filter(|row| row.agent.id != *who)
        .filter_map(|row| {
            let theirs = footprints(row, grid.present);
            let overlaps_now = theirs[0].is_some_and(|there| there.overlaps(&now));
            (!overlaps_now).then(|| meeting(samples, (own, &mine), (row, &theirs)))?
        })
        .collect();
    found.sort_by(|a, b| a.gap.value.total_cmp(&b.gap.value));
    found
}

/// The encounters of a scene's ego with everybody and everything, at every frame of the 8 s after the present, an attack
/// up to its contact; see [`encounters`]. Empty without an ego.
pub fn ego_encounters(scene: &Scene) -> Vec<Encounter> {
    let Some(ego) = scene.ego() else {
        return Vec::new();
    };
    let end_s = contact_time(scene).unwrap_or(f64::INFINITY);
    let grid = Grid::frames(scene).until(end_s);
    encounters(&Samples::new(scene, &grid, |_| Part::Met), &ego.id)
}

/// Footprints from the present on.
fn footprints(row: &Row, present: usize) -> Vec<Option<OrientedBox>> {
    (present..row.states.len())
        .map(|at| row.footprint(at))
        .collect()
}

type Body<'a> = (&'a Row, &'a [Option<OrientedBox>]);

fn meeting(
    samples: &Samples,
    (own, mine): Body<'_>,
    (other, theirs): Body<'_>,
) -> Option<Encounter> {
    let grid = &samples.grid;
    let after = |step: usize| grid.times_s[grid.present + step] - grid.times_s[grid.present];
    let mut gap: Option<Moment> = None;
    let mut ttc: Option<Moment> = None;
    for (step, (one, two)) in mine.iter().zip(theirs).enumerate() {
        let (Some(one), Some(two)) = (one, two) else {
            continue;
        };
        let time_s = after(step);
        let least_m = gap.map_or(f64::INFINITY, |held| held.value);
        let apart_m = one.pose.point.distance(two.pose.point) - one.radius() - two.radius();
        if step > 0 && apart_m < least_m {
            let value = one.distance(two);
            if value < least_m {
                gap = Some(Moment { value, time_s });
            }
        }
        if one.overlaps(two) {
            break;
        }
        let velocity = |row: &Row| row.states[grid.present + step].map(|state| state.velocity);
        let (Some(from), Some(to)) = (velocity(own), velocity(other)) else {
            continue;
        };
        let touch = one.time_to_touch(two, to - from);
        if let Some(value) = touch.filter(|value| *value <= LATEST_COLLISION_S)
            && ttc.is_none_or(|held| value < held.value)
        {
            ttc = Some(Moment { value, time_s });
        }
    }
    let gap = gap?;
    let pet = (gap.value > 0.0)
        .then(|| encroachment(mine, theirs, &after))
        .flatten();
    Some(Encounter {
        with: other.agent.id.clone(),
        gap,
        ttc,
        pet,
    })
}

/// The least number of steps between one's being somewhere and the other's, tried from the least on.
fn encroachment(
    mine: &[Option<OrientedBox>],
    theirs: &[Option<OrientedBox>],
    after: &dyn Fn(usize) -> f64,
) -> Option<Moment> {
    let steps = mine.len().min(theirs.len());
    let overlap = |one: &Option<OrientedBox>, two: &Option<OrientedBox>| matches!((one, two), (Some(one), Some(two)) if one.overlaps(two));
    for apart in 1..steps {
        if after(apart) > LATEST_ARRIVAL_S {
            break;
        }
        let meets = |first: &usize| {
            overlap(&mine[*first], &theirs[first + apart])
                || overlap(&mine[first + apart], &theirs[*first])
        };
        if let Some(first) = (0..steps - apart).find(meets) {
            return Some(Moment {
                value: after(apart),
                time_s: after(first + apart),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::grid::tests::{driver, scene_of};
    use std::f64::consts::FRAC_PI_2;

    fn of(scene: &Scene) -> Vec<Encounter> {
        let samples = Samples::of_traffic(scene, &Grid::frames(scene));
        encounters(&samples, &AgentId::new("a"))
    }

    #[test]
    fn crossing_after_each_other_has_a_post_encroachment_time() {
        // both 4.7 m by 2 m (the driver's size), 10 m/s. a goes east along y = 0, b north along x = 20, 12 m farther
        // from the crossing than a. a's rear leaves the ground b will cover when its centre is at 20 + 1 + 2.35; b's
        // front reaches y = −1 when its centre is at −1 − 2.35
        let scene = scene_of(vec![
            driver("a", (-20.0, 0.0, 0.0), 10.0, 101), // at 0 at the present, 2 s on
            driver("b", (20.0, -52.0, FRAC_PI_2), 10.0, 101), // at −32
        ]);
        let found = of(&scene);
        assert_eq!(found.len(), 1);
        // a leaves at 23.35 m, 2.335 s; b arrives after 28.65 m, 2.865 s: 0.53 s apart, on the grid of 0.1 s the first
        // overlap is 0.6 s apart
        let pet = found[0].pet.unwrap();
        assert!((pet.value - 0.6).abs() < 1e-9, "{pet:?}");
        // at constant velocities they pass: no time to collision
        assert_eq!(found[0].ttc, None);
        assert!(found[0].gap.value > 1.0);
    }

    #[test]
    fn closing_in_on_who_is_ahead_has_a_time_to_collision_and_following_has_a_time_gap() {
        // centres 40 m apart at first, both 4.7 m long, closing at 5 m/s, seen for 4 s: 2 s from the present on
        let scene = scene_of(vec![
            driver("a", (0.0, 0.0, 0.0), 10.0, 41),
            driver("b", (40.0, 0.0, 0.0), 5.0, 41),
            driver("far", (0.0, 60.0, 0.0), 10.0, 41),
        ]);
        let found = of(&scene);
        let with = |id: &str| {
            found
                .iter()
                .find(|found| found.with.as_str() == id)
                .unwrap()
        };
        // in the end 40 − 20 − 4.7 = 15.3 m are left: 3.06 s
        let ttc = with("b").ttc.unwrap();
        assert!(
            (ttc.value - 3.06).abs() < 1e-6 && (ttc.time_s - 2.0).abs() < 1e-6,
            "{ttc:?}"
        );
        assert!((with("b").gap.value - 15.3).abs() < 1e-6);
        assert_eq!((with("far").ttc, with("far").pet), (None, None));
        assert_eq!(found[0].with.as_str(), "b");
    }

    #[test]
    fn who_touches_has_no_post_encroachment_time_and_who_overlaps_now_is_left_out() {
        let scene = scene_of(vec![
            driver("a", (0.0, 0.0, 0.0), 10.0, 101),
            driver("b", (20.0, 0.0, 0.0), 5.0, 101),
            driver("rider", (0.5, 0.0, 0.0), 10.0, 101),
        ]);
        let found = of(&scene);
        assert_eq!(found.len(), 1);
        // at the present 20 − 10 − 4.7 = 5.3 m, at 5 m/s: 1.06 s, on the grid at 1.1 s
        assert_eq!(found[0].gap.value, 0.0);
        assert!((found[0].gap.time_s - 1.1).abs() < 1e-6);
        assert!(found[0].ttc.unwrap().value < 0.1 && found[0].pet.is_none());
    }
}
