//! What came of a drive, and how far successive plans agree.

use super::foresee::others_for;
use super::plan::Plan;
use super::score::{
    ComfortLimit, Partial, SCORED_S, Scores, Stage, Variant, comfort_excess, extended_comfort,
    metres_along_lanes,
};
use super::track::{STEP_S, TrackedState};
use crate::metrics::{
    Encounter, Grid, Moment, Part, Ratio, RoadRule, Samples, contacts, encounters, fault_of,
    off_road,
};
use crate::scene::{Agent, AgentId, Fault, Scene, State, Track};

/// A contact of the ego during a drive.
#[derive(Debug, Clone, PartialEq)]
pub struct Touch {
    /// Whom.
    pub with: AgentId,
    /// Seconds after the start.
    pub time_s: f64,
    /// Whether the NC rules blame the ego.
    pub at_fault: bool,
    /// Difference of their velocities then, m/s: how hard it is.
    pub closing_mps: f64,
    /// The verdict in a sentence.
    pub reason: String,
}

/// What came of a drive.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Driven time, s.
    pub seconds: f64,
    /// First contact with each road user or object, earliest first; who overlapped the ego at the start is left out.
    pub contacts: Vec<Touch>,
    /// How the ego came past everyone else, the nearest first; who overlapped it at the start is left out.
    pub encounters: Vec<Encounter>,
    /// Seconds after the start at which the centre came more than 3 m from every centreline; `None` if it did not, or
    /// was off the road from the start.
    pub off_road_s: Option<f64>,
    /// Metres made along the lanes.
    pub progress_m: f64,
    /// What the log's ego made in the same time, where it is known.
    pub logged_m: Option<f64>,
    /// The six limits with the value farthest beyond or nearest to each.
    pub comfort: [ComfortLimit; 6],
    /// Distance between the chosen paths of successive plans at the same times: sum (m) and count.
    pub shift: Ratio,
    /// How many of the pairs of successive plans feel alike, EC of NAVSIM v2.
    pub alike: Ratio,
    /// nuPlan's closed-loop score; `None` where the log does not last as long as the drive.
    pub score: Option<Scores>,
}

/// The worst that came of a drive, with the seconds after its start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DriveOutcome {
    /// Somebody was touched by the ego's fault: the first such contact.
    AtFault(f64),
    /// Somebody was touched, never by the ego's fault: the first contact.
    Touched(f64),
    /// Nobody was touched, but the road was left.
    OffRoad(f64),
    /// None of these.
    Clear,
}

impl DriveOutcome {
    /// In a word, and when, s after the start.
    pub fn words(self) -> (&'static str, Option<f64>) {
        match self {
            Self::AtFault(time_s) => ("fault", Some(time_s)),
            Self::Touched(time_s) => ("hit", Some(time_s)),
            Self::OffRoad(time_s) => ("off road", Some(time_s)),
            Self::Clear => ("clear", None),
        }
    }
}

impl Report {
    pub(super) fn new(
        scene: &Scene,
        ego: &AgentId,
        states: &[TrackedState],
        logged: &Track,
        plans: &[(usize, Plan)],
    ) -> Self {
        let pairs = || plans.windows(2).map(|pair| (&pair[0].1, &pair[1].1));
        let alike = pairs()
            .filter_map(|(one, two)| plans_feel_alike(one, two))
            .fold(Ratio::default(), |mut sum, alike| {
                sum += Ratio::new(f64::from(alike), 1.0);
                sum
            });
        let shifts: Vec<Ratio> = pairs()
            .filter_map(|(one, two)| plan_shift(one, two))
            .collect();

        let seconds = states.len().saturating_sub(1) as f64 * STEP_S;
        let grid = Grid::around(scene, STEP_S, 0.0, seconds);
        let all = Samples::new(scene, &grid, |agent| {
            if agent.id == *ego {
                Part::Judged
            } else {
                Part::Met
            }
        });
        let touches = contacts(&all)
            .into_iter()
            .filter(|contact| !contact.before)
            .filter_map(|contact| {
                let with = contact.other(ego).clone();
                let (own, other) = (scene.agent(ego)?, scene.agent(&with)?);
                let verdict = fault_of(scene, &contact, own, other)?;
                let frame = scene.frame_at(contact.time_s);
                let velocity =
                    |agent: &Agent| agent.track.sample(frame).map(|state| state.velocity);
                Some(Touch {
                    closing_mps: velocity(own)?.distance(velocity(other)?),
                    with,
                    time_s: contact.time_s - scene.now_s(),
                    at_fault: verdict.fault == Fault::Ego,
                    reason: verdict.reason,
                })
            })
            .collect();
        let rule = RoadRule {
            only_where_log_is_on: false,
            ..RoadRule::default()
        };
        let (strays, _) = off_road(&scene.map, &all, &all, rule);
        let known: Vec<&State> = (scene.now..scene.now + states.len())
            .map_while(|frame| logged.get(frame))
            .collect();
        let logged_m = (known.len() == states.len())
            .then(|| metres_along_lanes(&scene.map, known.iter().copied()));
        let expert: Vec<TrackedState> = known
            .iter()
            .map(|state| TrackedState {
                state: **state,
                speed: state.speed(),
                acceleration: 0.0,
                yaw_rate: 0.0,
            })
            .collect();
        let ego_agent = scene.agent(ego);
        let score = ego_agent.filter(|_| logged_m.is_some()).and_then(|agent| {
            let others = others_for(scene, ego, seconds);
            let variant = Variant::NuPlan;
            let stage = Stage::new(scene, agent, &others, seconds, variant);
            let expert = stage.judge(&expert);
            Partial::complete(vec![stage.judge(states)], &expert, variant, None).pop()
        });
        Self {
            seconds,
            contacts: touches,
            encounters: encounters(&all, ego),
            off_road_s: strays
                .first()
                .map(|stray| grid.times_s[stray.at] - scene.now_s()),
            progress_m: metres_along_lanes(&scene.map, states.iter().map(|state| &state.state)),
            logged_m,
            comfort: comfort_excess(states),
            shift: Ratio::pooled(&shifts),
            alike,
            score,
        }
    }

    /// Whether anything was touched.
    pub fn collided(&self) -> bool {
        !self.contacts.is_empty()
    }

    /// Whether anything was touched by the ego's fault.
    pub fn at_fault(&self) -> bool {
        self.contacts.iter().any(|touch| touch.at_fault)
    }

    /// The contact that its outcome is of: the first by the ego's fault, else the first.
    pub fn touch(&self) -> Option<&Touch> {
        let blamed = self.contacts.iter().find(|touch| touch.at_fault);
        blamed.or(self.contacts.first())
    }

    /// The worst that came of it.
    pub fn outcome(&self) -> DriveOutcome {
        match (self.touch(), self.off_road_s) {
            (Some(touch), _) if touch.at_fault => DriveOutcome::AtFault(touch.time_s),
            (Some(touch), _) => DriveOutcome::Touched(touch.time_s),
            (None, Some(time_s)) => DriveOutcome::OffRoad(time_s),
            (None, None) => DriveOutcome::Clear,
        }
    }

    /// The drive as columns of a table, with three decimals; what there is not is empty. `at_s` counts from the start.
    pub fn row(&self) -> [(&'static str, String); 11] {
        let number =
            |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.3}"));
        let least = |of: fn(&Encounter) -> Option<Moment>| {
            let values = self.encounters.iter().filter_map(of);
            values.map(|moment| moment.value).min_by(f64::total_cmp)
        };
        let (word, at_s) = self.outcome().words();
        let touch = self.touch();
        [
            ("outcome", word.to_owned()),
            ("at_s", number(at_s)),
            (
                "with",
                touch.map_or(String::new(), |touch| touch.with.to_string()),
            ),
            ("closing_mps", number(touch.map(|touch| touch.closing_mps))),
            (
                "nearest_m",
                number(self.encounters.first().map(|near| near.gap.value)),
            ),
            ("ttc_s", number(least(|met| met.ttc))),
            ("pet_s", number(least(|met| met.pet))),
            ("progress_m", number(Some(self.progress_m))),
            ("logged_m", number(self.logged_m)),
            ("comfortable", self.comfortable().to_string()),
            (
                "nuplan_score",
                number(self.score.as_ref().map(|score| score.total)),
            ),
        ]
    }

    /// Whether the nuPlan score is 0, which it may be though nobody is touched and the centre stays on the road.
    pub fn is_worthless(&self) -> bool {
        self.score.as_ref().is_some_and(|score| score.total <= 0.0)
    }

    /// Whether all six comfort limits were kept.
    pub fn comfortable(&self) -> bool {
        self.comfort.iter().all(|limit| limit.share() < 1.0)
    }
}

/// Whether the chosen ways of two successive plans feel alike at the times both reach within the score's 4 s (EC of NAVSIM
/// v2); `None` where they are not 0.1 to 0.5 s apart, in whole tenths.
pub fn plans_feel_alike(earlier: &Plan, later: &Plan) -> Option<bool> {
    let scored = (SCORED_S / STEP_S).round() as usize;
    let steps = steps_apart(earlier, later).filter(|steps| (1..=5).contains(steps))?;
    let before = earlier.chosen().tracked.get(steps..=scored)?;
    let after = later.chosen().tracked.get(..=scored - steps)?;
    Some(extended_comfort(before, after))
}

/// Distances between the chosen paths of two successive plans at the times both reach, later than the second's
/// present: sum (m) and count. `None` without a common time.
pub fn plan_shift(earlier: &Plan, later: &Plan) -> Option<Ratio> {
    let before = earlier.chosen().path.get(steps_apart(earlier, later)?..)?;
    let pairs = before.iter().zip(&later.chosen().path).skip(1);
    let shift = pairs.fold(Ratio::default(), |mut sum, (a, b)| {
        sum += Ratio::new(a.position.distance(b.position), 1.0);
        sum
    });
    (shift.count > 0.0).then_some(shift)
}

/// Steps from one plan's present to the other's; `None` if it is not a whole number of them, or less than none.
fn steps_apart(earlier: &Plan, later: &Plan) -> Option<usize> {
    let steps = (later.now_s - earlier.now_s) / STEP_S;
    let whole = steps.round();
    (whole >= 0.0 && (steps - whole).abs() < 0.01).then_some(whole as usize)
}
