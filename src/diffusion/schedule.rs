//! The scheduling matrix K [M, A, T]: the level of every token before each step (Nexus, Sec. 3.2, Fig. 4, Table 2).

use super::NoiseMatrix;
use crate::codec::{NOW, T};
use crate::scene::ScheduleKind;

/// Future tokens of an agent.
const FUTURE: usize = T - NOW - 1;

/// Levels of all tokens before each step and after the last. A value: built once, never changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    kind: ScheduleKind,
    agents: usize,
    /// [M + 1, A, T]
    levels: Vec<f32>,
}

impl Schedule {
    /// The paper's number of steps for 16 future frames and 32 steps per frame: 512, 32, 48, 40.
    pub fn paper_steps(kind: ScheduleKind) -> usize {
        match kind {
            ScheduleKind::Autoregressive => 512,
            ScheduleKind::Full => 32,
            ScheduleKind::Pyramidal => 48,
            ScheduleKind::Trapezoidal => 40,
        }
    }

    /// The schedule in `steps` steps (at least one; fewer than [`Schedule::paper_steps`] skips). History and known
    /// tokens are at level 0 throughout; no token is ever above its starting level in `start`.
    ///
    /// With f the place of a future frame (0 to 15), w the share of all steps a frame is worked on and p the share of
    /// steps taken, the level is 1 − (p − delay(f)) / w, clamped: *full* w = 1; *autoregressive* w = 1/16, delay f/16;
    /// *pyramidal* w = 2/3, delays evenly up to 1/3; *trapezoidal* w = 4/5, delays evenly up to 1/5 from both ends for
    /// agents with a goal, from the front for others.
    pub fn new(kind: ScheduleKind, steps: usize, start: &NoiseMatrix) -> Self {
        let steps = steps.max(1);
        let agents = start.agents();
        let mut levels = Vec::with_capacity((steps + 1) * agents * T);
        for step in 0..=steps {
            let progress = step as f64 / steps as f64;
            for agent in 0..agents {
                let from_both_ends = start.has_goal(agent);
                levels.extend((0..T).map(|token| {
                    let level = level_at(kind, progress, token, from_both_ends) as f32;
                    level.min(start.get(agent, token))
                }));
            }
        }
        Self {
            kind,
            agents,
            levels,
        }
    }

    /// This schedule with further agents as last rows, whose own schedule `newcomers` begins before step `from`; until
    /// then they hold its first levels. As many steps as the longer of both has.
    pub fn joined(&self, newcomers: &Self, from: usize) -> Self {
        let steps = self.steps().max(from + newcomers.steps());
        let mut levels = Vec::with_capacity((steps + 1) * (self.agents + newcomers.agents) * T);
        for step in 0..=steps {
            levels.extend_from_slice(self.row(step.min(self.steps())));
            let own = step.saturating_sub(from).min(newcomers.steps());
            levels.extend_from_slice(newcomers.row(own));
        }
        Self {
            kind: self.kind,
            agents: self.agents + newcomers.agents,
            levels,
        }
    }

    /// Which of the four.
    pub fn kind(&self) -> ScheduleKind {
        self.kind
    }

    /// Number of steps, M.
    pub fn steps(&self) -> usize {
        match self.agents {
            0 => 0,
            agents => self.levels.len() / (agents * T) - 1,
        }
    }

    /// Number of agents, A.
    pub fn agents(&self) -> usize {
        self.agents
    }

    /// Levels [A, T] before step `step`; after the last step for `step` = M.
    pub fn row(&self, step: usize) -> &[f32] {
        let width = self.agents * T;
        &self.levels[step * width..(step + 1) * width]
    }
}

fn level_at(kind: ScheduleKind, progress: f64, token: usize, from_both_ends: bool) -> f64 {
    let Some(frame) = token.checked_sub(NOW + 1) else {
        return 0.0;
    };
    let last = FUTURE - 1;
    let from_front = frame as f64 / last as f64;
    let (share, delay) = match kind {
        ScheduleKind::Full => (1.0, 0.0),
        ScheduleKind::Autoregressive => {
            let share = 1.0 / FUTURE as f64;
            (share, frame as f64 * share)
        }
        ScheduleKind::Pyramidal => (2.0 / 3.0, from_front / 3.0),
        ScheduleKind::Trapezoidal if from_both_ends => {
            let from_an_end = frame.min(last - frame) as f64 / (FUTURE / 2 - 1) as f64;
            (4.0 / 5.0, from_an_end / 5.0)
        }
        ScheduleKind::Trapezoidal => (4.0 / 5.0, from_front / 5.0),
    };
    let level = 1.0 - (progress - delay) / share;
    // what rounding leaves of the end is the end
    if level < 1e-9 { 0.0 } else { level.min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [ScheduleKind; 4] = [
        ScheduleKind::Full,
        ScheduleKind::Pyramidal,
        ScheduleKind::Trapezoidal,
        ScheduleKind::Autoregressive,
    ];

    fn paper(kind: ScheduleKind, start: &NoiseMatrix) -> Schedule {
        Schedule::new(kind, Schedule::paper_steps(kind), start)
    }

    #[test]
    fn step_counts_are_those_of_table_two() {
        let counts = KINDS.map(|kind| paper(kind, &NoiseMatrix::futures(2)).steps());
        assert_eq!(counts, [32, 48, 40, 512]);
    }

    #[test]
    fn every_frame_is_worked_on_in_thirty_two_steps() {
        for kind in KINDS {
            let schedule = paper(kind, &NoiseMatrix::futures(1));
            for token in NOW + 1..T {
                let level = |step: usize| f64::from(schedule.row(step)[token]);
                let worked = (0..schedule.steps()).filter(|&step| level(step + 1) < level(step));
                // 32 steps a frame; a frame whose delay is not a whole step touches one more
                let count = worked.count();
                assert!((32..=33).contains(&count), "{kind:?} {token} {count}");
            }
        }
    }

    #[test]
    fn autoregression_finishes_each_frame_before_the_next_begins() {
        let schedule = paper(ScheduleKind::Autoregressive, &NoiseMatrix::futures(1));
        for frame in 0..FUTURE {
            let row = schedule.row(32 * frame);
            assert!(row[..NOW + 1 + frame].iter().all(|&level| level == 0.0));
            assert!(row[NOW + 1 + frame..].iter().all(|&level| level == 1.0));
        }
    }

    #[test]
    fn the_pyramid_pops_frames_in_order_and_the_trapezoid_from_both_ends() {
        let mut start = NoiseMatrix::futures(2);
        start.set(0, T - 1, 0.0);
        let schedule = paper(ScheduleKind::Trapezoidal, &start);
        let row = schedule.row(20);
        for frame in 0..FUTURE - 1 {
            // mirrored for the agent with a goal (its last token is known), rising for the other
            let mirrored = NOW + 1 + (FUTURE - 1 - frame);
            if frame > 0 {
                assert_eq!(row[NOW + 1 + frame], row[mirrored]);
            }
            assert!(row[T + NOW + 1 + frame] < row[T + NOW + 2 + frame]);
        }
        let pyramid = paper(ScheduleKind::Pyramidal, &NoiseMatrix::futures(1));
        // 32 of 48 steps: the first frame is finished, the last has had 16 of its 32
        assert_eq!(pyramid.row(32)[NOW + 1], 0.0);
        assert!((pyramid.row(32)[T - 1] - 0.5).abs() < 1e-6);
    }

    #[test]
    fn a_newcomers_schedule_begins_when_it_comes_and_the_others_go_on() {
        let one = NoiseMatrix::futures(1);
        let running = Schedule::new(ScheduleKind::Full, 8, &one);
        // comes before step 5; with 4 steps of its own the run takes 9
        let own = Schedule::new(ScheduleKind::Full, 4, &one);
        let joined = running.joined(&own, 5);
        assert_eq!((joined.steps(), joined.agents()), (9, 2));
        let last = |step: usize| (joined.row(step)[T - 1], joined.row(step)[2 * T - 1]);
        assert_eq!(last(0), (1.0, 1.0));
        assert_eq!(last(5), (0.375, 1.0)); // 1 − 5/8
        assert_eq!(last(7), (0.125, 0.5)); // 1 − 7/8, 1 − 2/4
        assert_eq!(last(9), (0.0, 0.0));
    }

    #[test]
    fn skipping_takes_the_same_way_in_longer_strides() {
        for kind in KINDS {
            let start = NoiseMatrix::futures(1);
            let (fine, coarse) = (
                Schedule::new(kind, 32, &start),
                Schedule::new(kind, 8, &start),
            );
            for step in 0..=8 {
                assert_eq!(coarse.row(step), fine.row(4 * step), "{kind:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn levels_never_rise_all_reach_zero_and_known_tokens_stay_known(
            kind in prop::sample::select(KINDS.to_vec()),
            steps in prop::sample::select(vec![1_usize, 4, 8, 18, 32, 40, 48, 512]),
            cells in prop::collection::vec((0_usize..5, 0..T, prop::sample::select(vec![0.0_f32, 0.3, 0.9])), 0..20),
            agents in 1_usize..6,
        ) {
            let mut start = NoiseMatrix::futures(agents);
            for (agent, token, level) in cells {
                start.set(agent % agents, token, level);
            }
            let schedule = Schedule::new(kind, steps, &start);
            prop_assert_eq!(schedule.steps(), steps);
            for (level, start) in schedule.row(0).iter().zip(start.levels()) {
                prop_assert!(level <= start);
            }
            for step in 0..steps {
                for (before, after) in schedule.row(step).iter().zip(schedule.row(step + 1)) {
                    prop_assert!(after <= before && (0.0..=1.0).contains(after));
                }
            }
            prop_assert!(schedule.row(steps).iter().all(|&level| level == 0.0));
        }
    }
}
