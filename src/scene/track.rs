//! An agent's states over time, with validity carried frame by frame.

use crate::geometry::{DVec2, Pose, lerp_angle, quantise_angle, quantise_point};
use crate::map::Extra;

/// No agent of a scene is faster, m/s.
pub const FASTEST_MPS: f64 = 1e4;

/// Where an agent is and how it moves: box centre, scene frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// Box centre, m.
    pub position: DVec2,
    /// Heading, rad, in (−π, π].
    pub heading: f64,
    /// Velocity in the scene frame, m/s.
    pub velocity: DVec2,
}

impl State {
    /// A state standing or moving at `speed` m/s along the heading of `pose`.
    pub fn along(pose: Pose, speed: f64) -> Self {
        Self {
            position: pose.point,
            heading: pose.heading,
            velocity: pose.forward() * speed,
        }
    }

    /// Position and heading.
    pub fn pose(&self) -> Pose {
        Pose::new(self.position, self.heading)
    }

    /// Magnitude of the velocity, m/s.
    pub fn speed(&self) -> f64 {
        self.velocity.length()
    }

    /// Between `self` (fraction 0) and `other` (fraction 1): linear, headings along the shorter arc.
    pub fn lerp(&self, other: &Self, fraction: f64) -> Self {
        Self {
            position: self.position.lerp(other.position, fraction),
            heading: lerp_angle(self.heading, other.heading, fraction),
            velocity: self.velocity.lerp(other.velocity, fraction),
        }
    }

    /// On the file grid.
    pub fn quantised(&self) -> Self {
        Self {
            position: quantise_point(self.position),
            heading: quantise_angle(self.heading),
            velocity: quantise_point(self.velocity),
        }
    }

    /// Every number finite.
    pub fn is_finite(&self) -> bool {
        self.position.is_finite() && self.heading.is_finite() && self.velocity.is_finite()
    }
}

/// States at the scene's frames; `None` where the agent was not seen. Validity is this, never inferred.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Track {
    states: Vec<Option<State>>,
    /// Columns of the scene file we do not know: of these states, so a change of any drops them.
    extra: Extra,
}

impl Track {
    /// One entry per frame of the scene.
    pub fn new(states: Vec<Option<State>>) -> Self {
        let extra = Extra::new();
        Self { states, extra }
    }

    /// The same with the columns of the scene file we do not know.
    pub(super) fn with_extra(self, extra: Extra) -> Self {
        Self { extra, ..self }
    }

    /// The columns of the scene file we do not know.
    pub(super) fn extra(&self) -> &Extra {
        &self.extra
    }

    /// Puts every state on the file grid.
    pub(super) fn quantise(&mut self) {
        for state in self.states.iter_mut().flatten() {
            *state = state.quantised();
        }
    }

    /// The state at a frame; `None` if invalid or past the end.
    pub fn get(&self, frame: usize) -> Option<&State> {
        self.states.get(frame).and_then(Option::as_ref)
    }

    /// All frames.
    pub fn states(&self) -> &[Option<State>] {
        &self.states
    }

    /// All frames, to be changed. Drops the columns of the scene file we do not know.
    pub fn states_mut(&mut self) -> &mut Vec<Option<State>> {
        self.extra.clear();
        &mut self.states
    }

    /// Sets one frame, growing the track with invalid frames if needed. Drops the columns of the scene file we do not
    /// know.
    pub fn set(&mut self, frame: usize, state: Option<State>) {
        let states = self.states_mut();
        if states.len() <= frame {
            states.resize(frame + 1, None);
        }
        states[frame] = state;
    }

    /// First and last valid frame.
    pub fn span(&self) -> Option<(usize, usize)> {
        let first = self.states.iter().position(Option::is_some)?;
        let last = self.states.iter().rposition(Option::is_some)?;
        Some((first, last))
    }

    /// Valid frames with their states.
    pub fn valid(&self) -> impl DoubleEndedIterator<Item = (usize, &State)> {
        self.states
            .iter()
            .enumerate()
            .filter_map(|(frame, state)| state.as_ref().map(|state| (frame, state)))
    }

    /// Velocity at a frame by the positions of its neighbours, `dt_s` apart, m/s: the central difference, one-sided where
    /// one of them is invalid; `None` where the frame or both are.
    pub fn drift(&self, frame: usize, dt_s: f64) -> Option<DVec2> {
        let place = |frame: usize| self.get(frame).map(|state| state.position);
        let here = place(frame)?;
        match (frame.checked_sub(1).and_then(place), place(frame + 1)) {
            (Some(before), Some(after)) => Some((after - before) / (2.0 * dt_s)),
            (Some(before), None) => Some((here - before) / dt_s),
            (None, Some(after)) => Some((after - here) / dt_s),
            (None, None) => None,
        }
    }

    /// Length of the path through the valid positions, m.
    pub fn travelled(&self) -> f64 {
        let mut positions = self.valid().map(|(_, state)| state.position);
        let Some(mut last) = positions.next() else {
            return 0.0;
        };
        positions.fold(0.0, |sum, next| {
            let step = last.distance(next);
            last = next;
            sum + step
        })
    }

    /// The state at `frame`, counted in frames and fractions of one: linear between valid neighbours, `None`
    /// where either neighbour is invalid (a fraction below 1e-6 counts as on the frame).
    pub fn sample(&self, frame: f64) -> Option<State> {
        if frame.is_nan() || frame < -1e-6 {
            return None;
        }
        let below = (frame + 1e-6).floor();
        let fraction = frame - below;
        let before = self.get(below as usize)?;
        if fraction.abs() <= 1e-6 {
            return Some(*before);
        }
        let after = self.get(below as usize + 1)?;
        Some(before.lerp(after, fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    fn at(x: f64) -> Option<State> {
        Some(State::along(Pose::at(x, 0.0, 0.0), 1.0))
    }

    #[test]
    fn sampling_needs_both_neighbours() {
        let track = Track::new(vec![at(0.0), at(1.0), None, at(3.0)]);
        assert_eq!(track.sample(0.25).unwrap().position, dvec2(0.25, 0.0));
        assert!(track.sample(1.5).is_none());
        assert_eq!(track.sample(3.0).unwrap().position, dvec2(3.0, 0.0));
        assert!(track.sample(3.5).is_none() && track.sample(-0.5).is_none());
        assert!(track.sample(f64::NAN).is_none());
    }

    #[test]
    fn the_span_ignores_invalid_ends() {
        let track = Track::new(vec![None, at(1.0), None, at(3.0), None]);
        assert_eq!(track.span(), Some((1, 3)));
        assert_eq!(track.travelled(), 2.0);
    }

    #[test]
    fn drift_is_central_between_neighbours_and_one_sided_beside_gaps() {
        let at = |x: f64| Some(State::along(Pose::at(x, 0.0, 0.0), 9.0));
        let track = Track::new(vec![at(0.0), at(1.0), at(4.0), None, at(7.0)]);
        let along = |frame: usize| track.drift(frame, 0.5).map(|drift| drift.x);
        // 1 m and 3 m in half a second; 4 m in a whole one between
        assert_eq!(
            (along(0), along(1), along(2)),
            (Some(2.0), Some(4.0), Some(6.0))
        );
        assert_eq!((along(3), along(4), along(5)), (None, None, None));
    }
}
