//! Closed loop: a planner at the wheel of the ego, replanning as it goes, in a world that may answer.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::plan::{Plan, Start, plan};
use super::report::Report;
use super::track::{STEP_S, TrackedState, Tracker, body_at_present, states_of};
use super::world::World;
use super::{PlanSettings, Planners, ProposeError, Route};
use crate::codec::resampled;
use crate::scene::{DRIVEN_BY, Scene, Track};

/// How a planner drives.
#[derive(Debug, Clone, PartialEq)]
pub struct DriveSettings {
    /// How each plan is made; the n-th replanning uses the seed plus n.
    pub plan: PlanSettings,
    /// At most so many seconds.
    pub seconds: f64,
    /// Plans a second; each holds for a whole number of tenths of a second ([`Self::driven_hz`]).
    pub replan_hz: f64,
}

impl Default for DriveSettings {
    fn default() -> Self {
        Self {
            plan: PlanSettings::default(),
            seconds: 10.0,
            replan_hz: 2.0,
        }
    }
}

impl DriveSettings {
    /// Plans a second as they are driven, Hz: a plan holds for a whole number of tenths of a second, the nearest to what is
    /// asked for.
    pub fn driven_hz(&self) -> f64 {
        1.0 / (self.steps_of_a_plan() as f64 * STEP_S)
    }

    /// Tenths of a second for which a plan holds.
    fn steps_of_a_plan(&self) -> usize {
        ((1.0 / (self.replan_hz * STEP_S)).round() as usize).max(1)
    }
}

/// What a step of the loop shows.
pub struct DriveStep<'a> {
    /// Everyone up to `frame`.
    pub scene: &'a Scene,
    /// The frame that is the present of the loop.
    pub frame: usize,
    /// The last frame that will be driven to.
    pub last: usize,
}

/// A drive that is over.
#[derive(Debug, Clone)]
pub struct Driven {
    /// At 10 Hz: the ego as it drove, the others as the world moved them; tracks as they were are in its log. The
    /// present is the start.
    pub scene: Scene,
    /// The ego from the start on, 10 Hz.
    pub ego: Vec<TrackedState>,
    /// Frame and plan of each replanning.
    pub plans: Vec<(usize, Plan)>,
    /// What came of it.
    pub report: Report,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// Why there is no drive.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// A plan failed.
    #[error("at {time_s:.1} s: {why}")]
    Plan {
        /// Scene time of the replanning, s.
        time_s: f64,
        /// Why.
        why: ProposeError,
    },
    /// The world failed.
    #[error("the world failed at {time_s:.1} s: {message}")]
    World {
        /// Scene time, s.
        time_s: f64,
        /// Why.
        message: String,
    },
    /// A setting out of its range.
    #[error("{name} is {value}; it must be {allowed}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// Nothing lies ahead.
    #[error("nothing to drive: the present is the scene's last frame, and the log ends there")]
    NothingAhead,
}

/// Drives the ego of `scene` from its present. Each plan sees only what has happened and the route, which is the way the
/// ego takes in `scene`; the chosen mode's path is followed by the tracker until the next plan. `on_step` sees each tenth
/// of a second, and each step of a plan, and may stop: what was driven up to there comes back.
///
/// # Errors
/// If a plan or the world fails, a setting is out of range, or nothing lies ahead.
pub fn drive(
    scene: &Scene,
    planners: Planners<'_>,
    settings: &DriveSettings,
    world: &mut dyn World,
    on_step: &mut dyn FnMut(&DriveStep<'_>) -> ControlFlow<()>,
) -> Result<Driven, DriveError> {
    check(settings)?;
    let every = settings.steps_of_a_plan();
    let mut driven = resampled(scene, STEP_S);
    driven.generated = None;
    let by = settings.plan.decoder.key();
    driven.extra.insert(DRIVEN_BY.to_owned(), by.into());
    let start = driven.now;
    let no_ego = |why| DriveError::Plan {
        time_s: scene.now_s(),
        why,
    };
    let ego = driven
        .ego()
        .map(|ego| ego.id.clone())
        .ok_or_else(|| no_ego(ProposeError::NoEgo))?;
    let index = driven
        .agent_index(&ego)
        .ok_or_else(|| no_ego(ProposeError::NoEgo))?;
    let mut body = body_at_present(&driven, &driven.agents[index])
        .ok_or_else(|| no_ego(ProposeError::NoEgo))?;
    let logged = driven.agents[index].track.clone();
    let route = Route::of(&driven);
    let wanted = start + (settings.seconds / STEP_S).round() as usize;
    let last = world.begin(&mut driven, &ego, wanted);
    if last <= start {
        return Err(DriveError::NothingAhead);
    }
    // the world may have taken agents away
    let index = driven
        .agent_index(&ego)
        .ok_or_else(|| no_ego(ProposeError::NoEgo))?;
    cut(&mut driven, index, start);
    let mut bodies = vec![body];
    let mut plans: Vec<(usize, Plan)> = Vec::new();
    let mut tracker: Option<Tracker> = None;
    let mut stopped = false;
    for frame in start..last {
        if (frame - start).is_multiple_of(every) {
            let mut asked = settings.plan.clone();
            asked.seed.0 = asked.seed.0.wrapping_add(plans.len() as u64);
            driven.now = frame;
            let start_from = Start {
                body: Some(body),
                route: route.as_ref(),
            };
            let found = plan(&driven, &start_from, planners, &asked, &mut |_| {
                on_step(&DriveStep {
                    scene: &driven,
                    frame,
                    last,
                })
            });
            driven.now = start;
            let found = match found {
                Err(ProposeError::Stopped) => {
                    stopped = true;
                    break;
                }
                found => found.map_err(|why| DriveError::Plan {
                    time_s: driven.time_of(frame),
                    why,
                })?,
            };
            let chosen = found.chosen();
            let braking = chosen.braked.map(|braked| braked.mps2);
            tracker = Some(Tracker::new(&chosen.path, &body).braking(braking));
            plans.push((frame, found));
        }
        let (Some(tracker), Some((since, _))) = (&tracker, plans.last()) else {
            break;
        };
        let shown = DriveStep {
            scene: &driven,
            frame,
            last,
        };
        if on_step(&shown).is_break() {
            stopped = true;
            break;
        }
        let mut next = body;
        tracker.advance(frame - since, &mut next);
        world
            .step(&mut driven, frame)
            .map_err(|message| DriveError::World {
                time_s: scene.now_s() + (frame - start) as f64 * STEP_S,
                message,
            })?;
        body = next;
        bodies.push(body);
        let track = &mut Arc::make_mut(&mut driven.agents[index]).track;
        track.set(frame + 1, Some(body.state()));
    }
    driven.frames = start + bodies.len();
    let mut driven = driven.window(0.0, f64::INFINITY); // tracks, log and signals as long as the drive
    driven.now = start;
    let states = states_of(&bodies);
    let report = Report::new(&driven, &ego, &states, &logged, &plans);
    Ok(Driven {
        scene: driven.quantised(),
        ego: states,
        plans,
        report,
        stopped,
    })
}

fn check(settings: &DriveSettings) -> Result<(), DriveError> {
    let range = |name, value: f64, ok: bool, allowed| {
        if ok && value.is_finite() {
            Ok(())
        } else {
            Err(DriveError::Setting {
                name,
                value,
                allowed,
            })
        }
    };
    let hz = settings.replan_hz;
    range(
        "replan rate",
        hz,
        (0.2..=10.0).contains(&hz),
        "between 0.2 and 10 per second",
    )?;
    range(
        "duration",
        settings.seconds,
        (0.1..=600.0).contains(&settings.seconds),
        "between 0.1 and 600 seconds",
    )
}

/// Takes the ego's future away; its track as it was goes to the log.
fn cut(scene: &mut Scene, index: usize, now: usize) {
    let agent = Arc::make_mut(&mut scene.agents[index]);
    let before = agent.track.clone();
    let mut states = before.states().to_vec();
    states.truncate(now + 1);
    agent.track = Track::new(states);
    let id = agent.id.clone();
    scene.log.entry(id).or_insert(before);
}

#[cfg(test)]
mod tests;
