//! The storyboard played: entities along lanes and trajectories, events when their conditions hold. Deterministic, flat, in
//! steps of 50 ms; what is not known here is named and passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::cast::Entity;
use super::condition::{OfEntity, Progress, Seen, What};
use super::motion::{Body, Course};
use super::signals::Change;
use super::story::{Action, Event, Story};
use crate::data::draft::MAX_CELLS;
use crate::data::opendrive::Network;
use crate::data::report::Report;
use crate::geometry::{DVec2, Pose};
use crate::map::Map;
use crate::scene::State;

/// Between two steps, s; two make a frame.
pub(super) const TICK_S: f64 = 0.05;
/// What is written, s.
pub(super) const FRAME_S: f64 = 0.1;
/// A scenario is played for at most so long, s.
const LONGEST_S: f64 = 600.0;
/// Later than this only while something is under way, s: many files name a quarter of an hour as their end.
const LATE_S: f64 = 60.0;
/// Where nothing ends it, it is played for at least so long, and for so long after the last event, s.
const SHORTEST_S: f64 = 12.0;
const AFTER_S: f64 = 4.0;
/// Places at the start that depend on others are looked for so many times.
const MOST_ROUNDS: usize = 100;
/// Nothing happens more often, whatever the file allows.
const MOST_RUNS: usize = 100;
/// Faster than this is a jump, m/s.
const JUMP_MPS: f64 = 150.0;
/// No vehicle changes its velocity faster, m/s².
const HARDEST_MPS2: f64 = 12.0;

/// How far an act or an event has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Running,
    Over,
}

/// A storyboard that has been played.
pub(super) struct Played {
    /// The states of the boxes of all entities in every frame.
    pub(super) tracks: Vec<Vec<Option<State>>>,
    /// What actions let traffic lights show.
    pub(super) lights: Vec<Change>,
}

/// A storyboard under way.
pub(super) struct Player<'a> {
    pub(super) network: &'a Network,
    pub(super) map: &'a Map,
    pub(super) cast: &'a [Entity],
    by_name: BTreeMap<&'a str, usize>,
    story: &'a Story,
    pub(super) report: &'a mut Report,
    pub(super) bodies: Vec<Body>,
    /// Of elements of the storyboard, by name.
    pub(super) progress: BTreeMap<&'a str, Progress>,
    acts: Vec<Stage>,
    events: Vec<Stage>,
    /// How often each event, and each group, has happened.
    runs: Vec<usize>,
    group_runs: Vec<usize>,
    seen_acts: Vec<Vec<Vec<Seen>>>,
    seen_events: Vec<Vec<Vec<Seen>>>,
    seen_stop: Vec<Vec<Seen>>,
    lights: Vec<Change>,
    pub(super) now_s: f64,
}

/// Plays a storyboard.
pub(super) fn play(
    network: &Network,
    map: &Map,
    cast: &[Entity],
    story: &Story,
    report: &mut Report,
) -> Played {
    let body = Body {
        pose: None,
        away: false,
        speed: 0.0,
        course: Course::Straight,
        speeding: None,
        drift: None,
        keeping: None,
        travelled_m: 0.0,
        acceleration: 0.0,
        still_s: 0.0,
        route: BTreeSet::new(),
    };
    let mut progress: BTreeMap<&str, Progress> = BTreeMap::new();
    for event in &story.events {
        for name in event.above.iter().chain(&event.own) {
            progress.entry(name).or_default().left += most(story.groups[event.group].runs);
        }
    }
    let mut player = Player {
        network,
        map,
        by_name: cast
            .iter()
            .enumerate()
            .map(|(index, entity)| (entity.name.as_str(), index))
            .collect(),
        cast,
        story,
        report,
        bodies: vec![body; cast.len()],
        progress,
        acts: vec![Stage::Waiting; story.acts.len()],
        events: vec![Stage::Waiting; story.events.len()],
        runs: vec![0; story.events.len()],
        group_runs: vec![0; story.groups.len()],
        seen_acts: Vec::new(),
        seen_events: Vec::new(),
        seen_stop: Vec::new(),
        lights: Vec::new(),
        now_s: 0.0,
    };
    let acts = story.acts.iter();
    player.seen_acts = acts.map(|act| player.unseen(&act.start)).collect();
    let events = story.events.iter();
    player.seen_events = events.map(|event| player.unseen(&event.trigger)).collect();
    player.seen_stop = player.unseen(&story.stop);
    player.say_what_is_not_played();
    player.begin();
    let poses = player.run();
    let tracks = cast
        .iter()
        .enumerate()
        .map(|(index, entity)| states(entity, index, &poses));
    Played {
        tracks: tracks.collect(),
        lights: player.lights,
    }
}

/// How often something happens that may happen so often.
fn most(runs: usize) -> usize {
    runs.min(MOST_RUNS)
}

/// Box states of an entity from the poses and speeds of its reference point in each frame.
fn states(entity: &Entity, index: usize, poses: &[Vec<Option<(Pose, f64)>>]) -> Vec<Option<State>> {
    let middle = |frame: usize| -> Option<DVec2> {
        let (pose, _) = (*poses.get(frame)?.get(index)?)?;
        Some(pose.outer_from_local(entity.centre))
    };
    (0..poses.len())
        .map(|frame| {
            let (pose, speed) = poses[frame][index]?;
            let here = middle(frame)?;
            let before = |frames: usize| frame.checked_sub(frames).and_then(middle);
            let velocity = match (before(1), middle(frame + 1)) {
                (Some(before), Some(after)) => (after - before) / (2.0 * FRAME_S),
                (Some(last), None) => end_velocity(here, last, before(2)),
                (None, Some(next)) => -end_velocity(here, next, middle(frame + 2)),
                (None, None) => DVec2::ZERO,
            };
            let jumps = velocity.length() > JUMP_MPS;
            Some(State {
                position: here,
                heading: pose.heading,
                velocity: if jumps {
                    pose.forward() * speed
                } else {
                    velocity
                },
            })
        })
        .collect()
}

/// The velocity at the end of a track from the places of its last frame and the two before, m/s: that of the last step and half
/// of how much it has changed since the step before, if that is a change as vehicles make it.
fn end_velocity(here: DVec2, last: DVec2, before: Option<DVec2>) -> DVec2 {
    let step = (here - last) / FRAME_S;
    let change = before.map_or(DVec2::ZERO, |before| step - (last - before) / FRAME_S);
    match change.length() <= HARDEST_MPS2 * FRAME_S {
        true => step + change / 2.0,
        false => step,
    }
}

impl<'a> Player<'a> {
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    fn say_what_is_not_played(&mut self) {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let actions = self.story.events.iter().flat_map(|event| &event.actions);
        let actions = actions.chain(self.story.init.iter().map(|(_, action)| action));
        for action in actions {
            if let Action::Unknown(name) = action {
                *counts.entry((name, "is not played")).or_default() += 1;
            }
        }
        let acts = &self.story.acts;
        let known = |name: &str| {
            self.progress.contains_key(name) || acts.iter().any(|act| act.name == name)
        };
        for condition in self.story.triggers().flatten().flatten() {
            let (name, what) = match &condition.what {
                What::Unknown(name) => (name, "is a condition that is never met here"),
                What::Of {
                    what: OfEntity::Unknown(name),
                    ..
                } => (name, "is a condition that is never met here"),
                What::Element(name, _) if !known(name) => {
                    (name, "is waited for, and is no element of the storyboard")
                }
                _ => continue,
            };
            *counts.entry((name, what)).or_default() += 1;
        }
        for ((name, what), count) in counts {
            let value = if count == 1 {
                name.to_owned()
            } else {
                format!("{name}, {count} times")
            };
            self.report.problem("Storyboard", value, what);
        }
        for (element, value, what) in &self.story.left_out {
            self.report.problem(element, value, *what);
        }
        let actors = self.story.events.iter().flat_map(|event| &event.actors);
        let told = actors.chain(self.story.init.iter().map(|(who, _)| who));
        let strangers = told.filter(|name| !name.is_empty() && self.index(name).is_none());
        for name in strangers.collect::<BTreeSet<_>>() {
            let what = "is no entity that takes part; what it is told is not played";
            self.report.problem("EntityRef", name, what);
        }
    }

    /// What entities are told at the start: first their places, those that depend on others after these, then the rest.
    fn begin(&mut self) {
        let (mut waiting, rest): (Vec<_>, Vec<_>) = self
            .story
            .init
            .iter()
            .partition(|(_, action)| matches!(action, Action::Teleport(_)));
        for _ in 0..MOST_ROUNDS {
            let before = waiting.len();
            waiting.retain(|(name, action)| {
                let (Some(index), Action::Teleport(place)) = (self.index(name), action) else {
                    return false;
                };
                let found = self.place(place);
                if let Some(place) = &found {
                    self.put(index, place);
                }
                found.is_none()
            });
            if waiting.len() == before {
                break;
            }
        }
        for (name, action) in waiting {
            let kind = match action {
                Action::Teleport(place) => place.children.first().map(|child| child.name.as_str()),
                _ => None,
            };
            self.report.problem(
                format!("entity {name}"),
                kind.unwrap_or("no position"),
                "its place at the start cannot be found",
            );
        }
        for (name, action) in rest {
            self.light_up(action);
            if let Some(index) = self.index(name) {
                self.apply(index, action, None);
            }
        }
    }

    fn run(&mut self) -> Vec<Vec<Option<(Pose, f64)>>> {
        let mut frames: Vec<Vec<Option<(Pose, f64)>>> = Vec::new();
        let most = (LONGEST_S / TICK_S).round() as usize;
        let mut quiet_s = 0.0;
        for tick in 0..=most {
            self.now_s = tick as f64 * TICK_S;
            let full = frames.len() * self.cast.len() >= MAX_CELLS;
            if full || self.stops() && !frames.is_empty() {
                break;
            }
            self.start_events();
            if tick % 2 == 0 {
                let shown = |body: &Body| {
                    body.pose
                        .filter(|_| !body.away)
                        .map(|pose| (pose, body.speed))
                };
                frames.push(self.bodies.iter().map(shown).collect());
            }
            let all_over = self.events.iter().all(|stage| *stage == Stage::Over);
            quiet_s = if all_over { quiet_s + TICK_S } else { 0.0 };
            let idle = !self.events.contains(&Stage::Running);
            let unended = self.story.stop.is_empty() && quiet_s > AFTER_S;
            if unended && self.now_s >= SHORTEST_S || idle && self.now_s >= LATE_S - 1e-9 {
                break;
            }
            self.advance();
            self.end_events();
        }
        frames
    }

    fn stops(&mut self) -> bool {
        let story = self.story;
        let mut seen = std::mem::take(&mut self.seen_stop);
        let stops = !story.stop.is_empty() && self.holds(&story.stop, &mut seen);
        self.seen_stop = seen;
        stops
    }

    fn start_events(&mut self) {
        let story = self.story;
        for (number, act) in story.acts.iter().enumerate() {
            let trigger = match self.acts[number] {
                Stage::Waiting => &act.start,
                Stage::Running => &act.stop,
                Stage::Over => continue,
            };
            let mut seen = std::mem::take(&mut self.seen_acts[number]);
            let holds = self.holds(trigger, &mut seen);
            self.seen_acts[number] = seen;
            if self.acts[number] == Stage::Running {
                if holds {
                    self.stop_act(number, &act.events);
                }
            } else if holds || trigger.is_empty() {
                self.acts[number] = Stage::Running;
                self.progress.entry(&act.name).or_default().begun = 1;
                self.seen_acts[number] = self.unseen(&act.stop);
            }
        }
        for (number, event) in story.events.iter().enumerate() {
            if self.events[number] != Stage::Waiting || self.acts[event.act] != Stage::Running {
                continue;
            }
            let mut seen = std::mem::take(&mut self.seen_events[number]);
            if event.trigger.is_empty() || self.holds(&event.trigger, &mut seen) {
                self.start(number, event);
            }
            self.seen_events[number] = seen;
        }
    }

    fn start(&mut self, number: usize, event: &'a Event) {
        self.events[number] = Stage::Running;
        for name in &event.above {
            self.progress.entry(name).or_default().begun = 1;
        }
        for name in &event.own {
            self.progress.entry(name).or_default().begun += 1;
        }
        let mut actors: Vec<usize> = event
            .actors
            .iter()
            .filter_map(|actor| self.index(actor))
            .collect();
        if event.selects {
            actors.extend(self.triggering(&event.trigger));
            let mut listed = BTreeSet::new();
            actors.retain(|actor| listed.insert(*actor));
        }
        for action in &event.actions {
            self.light_up(action);
        }
        for index in actors {
            for action in &event.actions {
                self.apply(index, action, Some(number));
            }
        }
    }

    fn light_up(&mut self, action: &Action) {
        if let Action::Light(id, state) = action {
            self.lights.push((self.now_s, id.clone(), *state));
        }
    }

    /// An act whose trigger to stop holds: what its events do ends, and those that wait never begin.
    fn stop_act(&mut self, number: usize, events: &Range<usize>) {
        self.acts[number] = Stage::Over;
        for index in 0..self.bodies.len() {
            self.let_go(index, events);
        }
        for event in events.clone() {
            let group = self.story.events[event].group;
            let left = most(self.story.groups[group].runs).saturating_sub(self.group_runs[group]);
            let over = self.events[event] == Stage::Over;
            if !over {
                self.end_run(event, true);
            }
            self.settle(event, left.saturating_sub(usize::from(over)), true);
            self.events[event] = Stage::Over;
        }
    }

    /// An entity goes on as it is, whatever these events had told it.
    fn let_go(&mut self, index: usize, events: &Range<usize>) {
        let held = |event: Option<usize>| event.is_some_and(|event| events.contains(&event));
        let body = &mut self.bodies[index];
        body.speeding.take_if(|speeding| held(speeding.event));
        body.drift.take_if(|drift| held(drift.event));
        body.keeping.take_if(|keeping| held(keeping.event));
        let way = match &body.course {
            Course::Trajectory(way) => held(way.event),
            _ => false,
        };
        if let Some(pose) = body.pose.filter(|_| way) {
            self.bodies[index].course = self.course_at(index, pose);
        }
    }

    /// Events whose actions are all done, and what they were part of.
    fn end_events(&mut self) {
        let mut busy = vec![false; self.events.len()];
        for body in &self.bodies {
            let way = match &body.course {
                Course::Trajectory(way) => way.event,
                _ => None,
            };
            let speeding = body.speeding.as_ref().and_then(|speeding| speeding.event);
            let drift = body.drift.as_ref().and_then(|drift| drift.event);
            let keeping = body.keeping.as_ref().and_then(|keeping| keeping.event);
            for event in [way, speeding, drift, keeping].into_iter().flatten() {
                busy[event] = true;
            }
        }
        for (number, busy) in busy.into_iter().enumerate() {
            if busy || self.events[number] != Stage::Running {
                continue;
            }
            self.end_run(number, false);
            self.runs[number] += 1;
            let event = &self.story.events[number];
            if self.runs[number] < most(event.runs) {
                self.await_again(number);
                continue;
            }
            if event.runs > MOST_RUNS {
                let element = format!("event {}", event.own[0]);
                let what = format!("times are too many; it is played {MOST_RUNS} times");
                self.report.problem(element, event.runs, what);
            }
            self.events[number] = Stage::Over;
            self.settle(number, 1, false);
            let group = &self.story.groups[event.group];
            let mut events = group.events.clone();
            if events.all(|event| self.events[event] == Stage::Over) {
                self.group_runs[event.group] += 1;
                if self.group_runs[event.group] < most(group.runs) {
                    for again in group.events.clone() {
                        self.runs[again] = 0;
                        self.await_again(again);
                    }
                }
            }
        }
    }

    fn await_again(&mut self, number: usize) {
        self.events[number] = Stage::Waiting;
        self.seen_events[number] = self.unseen(&self.story.events[number].trigger);
    }

    /// An event, and its actions, have ended once.
    fn end_run(&mut self, number: usize, stopped: bool) {
        for name in &self.story.events[number].own {
            let progress = self.progress.entry(name).or_default();
            match stopped {
                true => progress.stopped += 1,
                false => progress.ended += 1,
            }
        }
    }

    /// An event has ended for so many times that it was waited for, and with it perhaps what it is part of.
    fn settle(&mut self, number: usize, times: usize, stopped: bool) {
        let event = &self.story.events[number];
        for name in event.above.iter().chain(&event.own) {
            let progress = self.progress.entry(name).or_default();
            progress.left = progress.left.saturating_sub(times);
        }
        for name in event.above.iter().filter(|_| times > 0) {
            let progress = self.progress.entry(name).or_default();
            match stopped {
                _ if progress.left > 0 => {}
                true => progress.stopped = 1,
                false => progress.ended = 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    #[test]
    fn who_brakes_from_the_first_frame_on_begins_with_the_speed_from_which_it_brakes() {
        // 8 t − 0.8 t² at 0, 0.1 and 0.2 s: 7.92 m/s in the first step, 7.76 in the second, and so 7.92 + 0.08 at the start
        let [here, next, after] = [0.0, 0.792, 1.568].map(|x| dvec2(x, 0.0));
        let start = -end_velocity(here, next, Some(after));
        assert!(start.distance(dvec2(8.0, 0.0)) < 1e-9, "{start}");
        // a jump is no braking
        let jump = end_velocity(here, next, Some(next));
        assert!(jump.distance(dvec2(-7.92, 0.0)) < 1e-9, "{jump}");
    }
}
