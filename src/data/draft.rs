//! The last steps every importer shares: check, choose the ego and the present, put everything on the file grid.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::OpenError;
use super::connect::connect;
use super::report::Report;
use crate::geometry::Polyline;
use crate::geometry::{DVec2, dvec2, quantise, quantise_point, quantise_step};
use crate::map::{Lane, Map, MapParts};
use crate::scene::{Agent, AgentId, FASTEST_MPS, Goal, MAX_LANE_M, Scene, Signal, State, Track};

/// Most frames, agents, states (agents times frames) and map points an imported scene may have.
pub(super) const MAX_FRAMES: usize = 100_000;
pub(super) const MAX_AGENTS: usize = 20_000;
pub(super) const MAX_CELLS: usize = 4_000_000;
pub(super) const MAX_MAP_POINTS: usize = 2_000_000;

/// Furthest a coordinate may lie from the origin, m; UTM northings reach 1e7.
const MAX_COORDINATE_M: f64 = 1e8;

/// What importers fill in. Agents need a track of `frames` entries; everything else may be left as it is.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// A name a person recognises.
    pub(super) name: String,
    /// Data set and file.
    pub(super) source: String,
    /// Licence of the data, as far as known.
    pub(super) licence: String,
    /// Time between frames, s.
    pub(super) dt_s: f64,
    /// Number of frames.
    pub(super) frames: usize,
    /// The file's own present frame.
    pub(super) now: Option<usize>,
    /// The road network.
    pub(super) map: MapParts,
    /// Agents in file order.
    pub(super) agents: Vec<Agent>,
    /// Traffic lights.
    pub(super) signals: Vec<Signal>,
    /// Goals.
    pub(super) goals: Vec<Goal>,
    /// The recorded ego.
    pub(super) ego: Option<AgentId>,
}

impl Draft {
    /// Refuses more frames or states than the limits, before tracks are allocated.
    pub(super) fn check_size(path: &Path, agents: usize, frames: usize) -> Result<(), OpenError> {
        let limits = [
            ("number of frames", frames, MAX_FRAMES),
            ("number of agents", agents, MAX_AGENTS),
            (
                "agents times frames",
                agents.saturating_mul(frames),
                MAX_CELLS,
            ),
        ];
        for (element, value, limit) in limits {
            OpenError::within(path, element, value, limit)?;
        }
        Ok(())
    }

    /// Checks what the scene file would refuse (and reports what had to go), chooses ego and present, quantises.
    pub(super) fn finish(self, path: &Path, report: &mut Report) -> Result<Scene, OpenError> {
        if self.frames == 0 {
            return Err(OpenError::damaged(path, "time", "the file holds no frame"));
        }
        if !(1e-3..=10.0).contains(&self.dt_s) {
            let message = format!("{} s between frames, must lie in 0.001 to 10", self.dt_s);
            return Err(OpenError::damaged(path, "time", message));
        }
        Self::check_size(path, self.agents.len(), self.frames)?;
        let map = build_map(self.map, path, report)?;
        let agents = checked_agents(self.agents, self.frames, report);
        let (mut signals, lost): (Vec<_>, Vec<_>) = self
            .signals
            .into_iter()
            .partition(|signal| map.lane(&signal.lane).is_some());
        report.skip_many("signals of lanes that are not in the map", lost.len());
        for signal in &mut signals {
            signal.stop_point = signal.stop_point.map(quantise_point);
        }
        let mut goals = self.goals;
        let listed = goals.len();
        let ids: BTreeSet<&AgentId> = agents.iter().map(|agent| &agent.id).collect();
        goals.retain(|goal| ids.contains(&goal.agent));
        report.skip_many("goals of agents that are not there", listed - goals.len());
        let mut scene = Scene {
            name: self.name,
            source: self.source,
            licence: self.licence,
            dt_s: quantise_step(self.dt_s),
            frames: self.frames,
            now: 0,
            map: Arc::new(map),
            agents: agents.into_iter().map(Arc::new).collect(),
            signals: Arc::new(signals),
            goals,
            ..Scene::default()
        };
        scene.now = present_frame(&scene, self.now);
        let recorded = self.ego.filter(|id| scene.agent(id).is_some());
        match recorded.or_else(|| likely_ego(&scene)) {
            Some(ego) => scene.set_ego(&ego),
            None if scene.agents.is_empty() => {}
            None => report.note("no vehicle in the scene, so there is no ego"),
        }
        Ok(scene.quantised())
    }
}

/// The likely ego; one that is there at the present, if any is.
fn likely_ego(scene: &Scene) -> Option<AgentId> {
    let likely = scene.likely_ego();
    let here = |id: &AgentId| {
        let agent = scene.agent(id);
        agent.is_some_and(|agent| agent.track.get(scene.now).is_some())
    };
    if likely.as_ref().is_none_or(here) {
        return likely;
    }
    let mut present = scene.clone();
    present
        .agents
        .retain(|agent| agent.track.get(scene.now).is_some());
    present.likely_ego().or(likely)
}

/// The file's own present; else 2 s, or earlier where that would leave less than 8 s of future.
fn present_frame(scene: &Scene, own: Option<usize>) -> usize {
    let usual = || {
        let time_s = (scene.duration_s() - 8.0).clamp(0.0, 2.0);
        scene.frame_at(time_s).round() as usize
    };
    let last = scene.frames.saturating_sub(1);
    own.unwrap_or_else(usual).min(last)
}

/// A point from a file, NaN (and so dropped later) where a coordinate is absurd.
pub(super) fn point(x: f64, y: f64) -> DVec2 {
    if x.abs() <= MAX_COORDINATE_M && y.abs() <= MAX_COORDINATE_M {
        dvec2(x, y)
    } else {
        DVec2::NAN
    }
}

fn checked_agents(agents: Vec<Agent>, frames: usize, report: &mut Report) -> Vec<Agent> {
    let mut ids: BTreeSet<AgentId> = BTreeSet::new();
    let mut kept = Vec::with_capacity(agents.len());
    for mut agent in agents {
        agent.track.states_mut().resize(frames, None);
        let mut lost = 0;
        for slot in agent.track.states_mut() {
            if slot.as_ref().is_some_and(|state| !is_sane(state)) {
                *slot = None;
                lost += 1;
            }
        }
        if lost > 0 {
            let element = format!("agent {}", agent.id);
            report.problem(element, lost, "states hold NaN or absurd numbers; left out");
        }
        if agent.track.span().is_none() {
            report.skip("agents that are valid in no frame");
            continue;
        }
        if !ids.insert(agent.id.clone()) {
            report.problem(
                "agent id",
                &agent.id,
                "is used twice; the later agent is left out",
            );
            continue;
        }
        let (length, width) = agent.kind.default_size();
        for (size, usual, name) in [
            (&mut agent.length, length, "length"),
            (&mut agent.width, width, "width"),
        ] {
            if !(0.05..=100.0).contains(size) {
                let element = format!("agent {}: {name}", agent.id);
                report.problem(element, *size, format!("replaced by the usual {usual} m"));
                *size = usual;
            }
        }
        kept.push(agent);
    }
    kept
}

fn is_sane(state: &State) -> bool {
    state.is_finite()
        && state.position.abs().max_element() <= MAX_COORDINATE_M
        && state.velocity.abs().max_element() <= FASTEST_MPS
}

fn build_map(mut parts: MapParts, path: &Path, report: &mut Report) -> Result<Map, OpenError> {
    let points = parts.lanes.iter().map(lane_points).sum::<usize>()
        + parts
            .lines
            .iter()
            .map(|line| line.points.len())
            .sum::<usize>()
        + parts
            .areas
            .iter()
            .map(|area| area.polygon.len())
            .sum::<usize>();
    if points > MAX_MAP_POINTS {
        let limit = MAX_MAP_POINTS as u64;
        return Err(OpenError::too_large(
            path,
            "number of map points",
            points as u64,
            limit,
        ));
    }
    let mut lanes = Vec::with_capacity(parts.lanes.len());
    for mut lane in parts.lanes {
        let centre = lane.centreline.points().iter().copied().map(quantise_point);
        let Some(centreline) = Polyline::new(centre.filter(|point| is_near(*point))) else {
            report.problem(
                format!("lane {}", lane.id),
                "centreline",
                "has no two different points; left out",
            );
            continue;
        };
        if centreline.length() > MAX_LANE_M {
            report.problem(
                format!("lane {}", lane.id),
                format!("{:.0} m", centreline.length()),
                "no lane is so long; left out",
            );
            continue;
        }
        lane.centreline = centreline;
        clean(&mut lane.left_border);
        clean(&mut lane.right_border);
        let width = lane.width.filter(|width| (0.1..=100.0).contains(width));
        lane.width = width.map(quantise);
        lane.speed_limit = lane
            .speed_limit
            .filter(|limit| (0.1..=200.0).contains(limit))
            .map(quantise);
        lanes.push(lane);
    }
    let listed = lanes.len();
    connect(&mut lanes, report);
    parts.lanes = lanes;
    parts.lines.retain_mut(|line| {
        clean(&mut line.points);
        line.points.len() >= 2
    });
    parts.areas.retain_mut(|area| {
        clean(&mut area.polygon);
        if area.polygon.len() > 3 && area.polygon.first() == area.polygon.last() {
            area.polygon.pop();
        }
        area.polygon.len() >= 3
    });
    parts.stop_signs.retain(|sign| is_near(sign.point));
    for sign in &mut parts.stop_signs {
        sign.point = quantise_point(sign.point);
    }
    let map = Map::build(parts);
    report.skip_many("lanes whose id is used twice", listed - map.lanes().len());
    Ok(map)
}

fn lane_points(lane: &Lane) -> usize {
    lane.centreline.points().len() + lane.left_border.len() + lane.right_border.len()
}

fn is_near(point: DVec2) -> bool {
    point.is_finite() && point.abs().max_element() <= MAX_COORDINATE_M
}

/// Drops non-finite and repeated points and puts the rest on the file grid.
fn clean(points: &mut Vec<DVec2>) {
    points.retain(|point| is_near(*point));
    for point in points.iter_mut() {
        *point = quantise_point(*point);
    }
    points.dedup();
}

/// A step between recorded frames, s, without the jitter of clocks: that of a whole rate in Hz where it is within half a
/// percent.
pub(super) fn usual_step(step_s: f64) -> f64 {
    let rate = (1.0 / step_s).round();
    match (step_s * rate - 1.0).abs() < 0.005 {
        true => 1.0 / rate,
        false => (step_s * 1e4).round() / 1e4,
    }
}

/// The middle value (the lower of two); NaN is passed over.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
    let middle = values.len().checked_sub(1)? / 2;
    let (_, value, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*value)
}

/// Fills velocities and headings that are NaN: velocity from the neighbouring positions, heading from the motion
/// where it is faster than 0.5 m/s, else the last one before, else the first one after, else 0.
pub(super) fn fill_motion(track: &mut Track, dt_s: f64) {
    let mut last_heading = None;
    for frame in 0..track.states().len() {
        let Some(mut state) = track.get(frame).copied() else {
            continue;
        };
        if !state.velocity.is_finite() {
            state.velocity = track.drift(frame, dt_s).unwrap_or(DVec2::ZERO);
        }
        if !state.heading.is_finite() && state.speed() > 0.5 {
            state.heading = state.velocity.to_angle();
        }
        if state.heading.is_finite() {
            last_heading = Some(state.heading);
        } else if let Some(heading) = last_heading {
            state.heading = heading;
        }
        track.set(frame, Some(state));
    }
    let mut next_heading = last_heading.unwrap_or(0.0);
    for state in track.states_mut().iter_mut().rev().flatten() {
        if state.heading.is_finite() {
            next_heading = state.heading;
        } else {
            state.heading = next_heading;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;

    #[test]
    fn the_median_passes_over_nan() {
        assert_eq!(median([3.0, f64::NAN, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([f64::NAN]), None);
    }

    #[test]
    fn missing_motion_comes_from_the_positions() {
        let unknown = |x: f64| {
            Some(State {
                position: dvec2(0.0, x),
                heading: f64::NAN,
                velocity: DVec2::NAN,
            })
        };
        let mut track = Track::new(vec![unknown(0.0), unknown(0.0), unknown(2.0), None]);
        fill_motion(&mut track, 1.0);
        // differences: 0 at the start, (2 - 0) / 2 in the middle, 2 at the end, all northwards
        let speeds: Vec<f64> = track.valid().map(|(_, state)| state.velocity.y).collect();
        assert_eq!(speeds, [0.0, 1.0, 2.0]);
        let north = std::f64::consts::FRAC_PI_2;
        assert!(track.valid().all(|(_, state)| state.heading == north));
    }

    fn draft(frames: usize, dt_s: f64) -> Draft {
        let states = vec![Some(State::along(Pose::at(0.0, 0.0, 0.0), 1.0)); frames];
        Draft {
            dt_s,
            frames,
            agents: vec![Agent::new(
                "a",
                crate::scene::AgentKind::Vehicle,
                Track::new(states),
            )],
            ..Draft::default()
        }
    }

    #[test]
    fn the_present_leaves_eight_seconds_where_it_can() {
        let now = |frames: usize, own: Option<usize>| {
            let draft = Draft {
                now: own,
                ..draft(frames, 0.1)
            };
            draft
                .finish(Path::new("x"), &mut Report::default())
                .unwrap()
                .now
        };
        assert_eq!(now(201, None), 20); // 20 s: 2 s of history
        assert_eq!(now(91, None), 10); // 9 s: 9 - 8 = 1 s
        assert_eq!(now(51, None), 0); // 5 s: no eight seconds at all
        assert_eq!(now(201, Some(35)), 35);
        assert_eq!(now(20, Some(35)), 19);
    }

    #[test]
    fn what_the_scene_file_would_refuse_is_left_out_and_said() {
        let mut draft = draft(3, 0.1);
        let mut twin = draft.agents[0].clone();
        twin.length = f64::NAN;
        draft.agents.push(twin.clone());
        twin.id = AgentId::new("b");
        twin.track.states_mut()[1] = Some(State::along(Pose::at(f64::NAN, 0.0, 0.0), 1.0));
        draft.agents.push(twin);
        draft.signals.push(Signal::new(
            crate::map::LaneId::new("nowhere"),
            None,
            Vec::new(),
        ));
        let mut report = Report::default();
        let scene = draft.finish(Path::new("x"), &mut report).unwrap();
        assert_eq!(scene.agents.len(), 2);
        assert_eq!(scene.agents[1].length, 4.7);
        assert!(scene.agents[1].track.get(1).is_none());
        assert!(scene.signals.is_empty());
        assert_eq!(scene.ego().unwrap().id.as_str(), "a");
        let text = crate::scene::scene_to_json(&scene);
        assert!(crate::scene::scene_from_json(text.as_bytes(), "x").is_ok());
        assert_eq!(report.problems.len(), 3, "{:?}", report.lines());
        assert_eq!(report.skipped.len(), 1);
    }
}
