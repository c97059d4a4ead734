//! Obstacles of CommonRoad: static and dynamic, certain and not.

use crate::data::draft::MAX_FRAMES;
use crate::data::report::Report;
use crate::data::xml::Element;
use crate::geometry::{DVec2, Pose};
use crate::map::{Area, AreaKind, Line, LineKind};
use crate::scene::{Agent, AgentKind, State, Track};

use super::value::{Footprint, Place, Value, footprint, place, value_of};

/// A state as the file gives it.
#[derive(Debug, Clone)]
pub(super) struct RawState {
    pub(super) step: i64,
    pub(super) place: Place,
    pub(super) heading: Option<f64>,
    pub(super) speed: Option<f64>,
    /// `velocityY`: across the heading, or along y where there is no heading.
    across: Option<f64>,
    slip: f64,
    uncertain: bool,
}

/// An obstacle that takes part in the scene.
#[derive(Debug)]
pub(super) struct Obstacle {
    pub(super) id: String,
    kind: AgentKind,
    category: String,
    length: f64,
    width: f64,
    /// Centre of the shape in the obstacle's own frame.
    centre: Pose,
    pub(super) states: Vec<RawState>,
    /// Stands for the whole scene.
    pub(super) standing: bool,
}

/// What an obstacle element turns into.
pub(super) enum Found {
    /// Something that has a box and states.
    Obstacle(Obstacle),
    /// Something that belongs to the ground.
    Ground(Vec<Line>, Vec<Area>),
}

/// Reads a `dynamicObstacle`, `staticObstacle`, `environmentObstacle` or a 2018b `obstacle`, of a file that is this
/// program's `own` or not; `None` (and reported) if it has no place.
pub(super) fn read_obstacle(element: &Element, own: bool, report: &mut Report) -> Option<Found> {
    let id = element.attribute("id").unwrap_or("?").to_owned();
    let named = format!("{} {id}", element.name);
    let category = element.text_of("type").unwrap_or("unknown").to_owned();
    let role = element.text_of("role");
    let standing = element.name != "dynamicObstacle" && role != Some("dynamic");
    let shape = element.child("shape").and_then(footprint);
    if element.name == "environmentObstacle" {
        let shape = shape?;
        let kind = AreaKind::Other;
        let polygon = shape.corners;
        return Some(Found::Ground(Vec::new(), vec![Area::new(kind, polygon)]));
    }
    let mut states: Vec<RawState> = Vec::new();
    let listed = element.child("trajectory").into_iter();
    let listed = listed.flat_map(|trajectory| trajectory.all("state"));
    for state in element.child("initialState").into_iter().chain(listed) {
        match read_state(state) {
            Some(state) => states.push(state),
            None => report.skip("states without a place or a time"),
        }
    }
    if let Some(set) = element.child("occupancySet") {
        states.extend(set.all("occupancy").filter_map(read_occupancy));
    }
    if states.is_empty() {
        report.problem(named, "no state", "obstacles need at least one; left out");
        return None;
    }
    if standing && category == "roadBoundary" {
        return Some(boundary(&states[0], shape?));
    }
    let may_drive = !standing && !own; // this program writes vehicles by name
    let kind = kind_of(&category, shape.as_ref(), may_drive);
    let (usual_length, usual_width) = kind.default_size();
    if shape.is_none() {
        report.problem(&named, "no shape", "given the usual size of its kind");
    } else if shape.as_ref().is_some_and(|shape| !shape.exact) {
        report.skip("round or many-cornered shapes (their rectangles are used)");
    }
    Some(Found::Obstacle(Obstacle {
        id,
        kind,
        category,
        length: shape.as_ref().map_or(usual_length, |shape| shape.length),
        width: shape.as_ref().map_or(usual_width, |shape| shape.width),
        centre: shape.map_or_else(Pose::default, |shape| shape.pose),
        states,
        standing,
    }))
}

/// The kind of an obstacle by its type; `may_drive`: whether one of unknown type may be a vehicle.
fn kind_of(category: &str, shape: Option<&Footprint>, may_drive: bool) -> AgentKind {
    match category {
        "car" | "truck" | "bus" | "priorityVehicle" | "parkedVehicle" | "train" | "taxi"
        | "van" | "trailer" | "tram" => AgentKind::Vehicle,
        "bicycle" | "motorcycle" => AgentKind::Cyclist,
        "pedestrian" => AgentKind::Pedestrian,
        // what moves and is as long as a car is driven
        "unknown" if may_drive && shape.is_some_and(|shape| shape.length >= 2.5) => {
            AgentKind::Vehicle
        }
        _ => AgentKind::Other,
    }
}

/// Road boundaries are no agents: their outline becomes an edge of the road.
fn boundary(state: &RawState, shape: Footprint) -> Found {
    let Place::Point { point, .. } = state.place else {
        return Found::Ground(Vec::new(), Vec::new());
    };
    let pose = Pose::new(point, state.heading.unwrap_or(0.0));
    let corners = shape.corners.into_iter();
    let mut points: Vec<DVec2> = corners
        .map(|corner| pose.outer_from_local(corner))
        .collect();
    points.extend(points.first().copied());
    let kind = LineKind::Edge;
    Found::Ground(vec![Line::new(kind, points)], Vec::new())
}

/// One `state` or `initialState`; `None` without position or time.
pub(super) fn read_state(element: &Element) -> Option<RawState> {
    let place = element.child("position").and_then(place)?;
    // a state without time is the initial one of a file that leaves zeros out
    let time = value_of(element, "time").unwrap_or(Value {
        value: 0.0,
        uncertain: false,
    });
    let heading = value_of(element, "orientation");
    let speed = value_of(element, "velocity");
    let uncertain = time.uncertain
        || heading.is_some_and(|heading| heading.uncertain)
        || speed.is_some_and(|speed| speed.uncertain)
        || !matches!(
            place,
            Place::Point {
                uncertain: false,
                ..
            }
        );
    Some(RawState {
        step: step_of(time.value)?,
        place,
        heading: heading.map(|heading| heading.value),
        speed: speed.map(|speed| speed.value),
        across: value_of(element, "velocityY").map(|across| across.value),
        slip: value_of(element, "slipAngle").map_or(0.0, |slip| slip.value),
        uncertain,
    })
}

/// An `occupancy` of a set-based prediction: somewhere in the area, so its middle.
fn read_occupancy(element: &Element) -> Option<RawState> {
    Some(RawState {
        step: step_of(value_of(element, "time")?.value)?,
        place: place(element.child("shape")?)?,
        heading: None,
        speed: None,
        across: None,
        slip: 0.0,
        uncertain: true,
    })
}

/// A time step; `None` if absurd.
pub(super) fn step_of(value: f64) -> Option<i64> {
    (value.abs() < 1e9).then(|| value.round() as i64)
}

impl RawState {
    fn point(&self, lanelet_middle: &dyn Fn(&[String]) -> Option<DVec2>) -> Option<DVec2> {
        match &self.place {
            Place::Point { point, .. } => Some(*point),
            Place::Lanelets(ids) => lanelet_middle(ids),
        }
    }
}

impl Obstacle {
    /// First and last step, those beyond the frame limit aside.
    pub(super) fn steps(&self) -> impl Iterator<Item = i64> + '_ {
        self.states.iter().map(|state| state.step)
    }

    /// The number of states that stand for an area or an interval.
    pub(super) fn uncertain_states(&self) -> usize {
        self.states.iter().filter(|state| state.uncertain).count()
    }

    /// The agent, with step `first` at frame 0, in a scene of `frames` frames `dt_s` apart.
    pub(super) fn into_agent(
        mut self,
        first: i64,
        frames: usize,
        dt_s: f64,
        lanelet_middle: &dyn Fn(&[String]) -> Option<DVec2>,
    ) -> Agent {
        self.states.sort_by_key(|state| state.step);
        self.states.dedup_by_key(|state| state.step);
        if self.standing {
            // whatever its step: the scene may start later
            self.states.truncate(1);
            self.states.iter_mut().for_each(|state| state.step = first);
        }
        let points: Vec<Option<DVec2>> = self
            .states
            .iter()
            .map(|state| state.point(lanelet_middle))
            .collect();
        let mut track = vec![None; frames];
        let mut last_heading = None;
        for (index, state) in self.states.iter().enumerate() {
            let Some(point) = points[index] else { continue };
            let around = index.saturating_sub(1)..(index + 2).min(points.len());
            let drift = drift(&self.states[around.clone()], &points[around], dt_s);
            let heading = state
                .heading
                .or_else(|| heading_of(state, drift))
                .or(last_heading)
                .or_else(|| first_heading(&self.states[index..], &points[index..]))
                .unwrap_or(0.0);
            last_heading = Some(heading);
            let box_pose = Pose::new(point, heading).compose(self.centre);
            let velocity = match (state.speed, state.across, state.heading) {
                (Some(along), across, Some(heading)) => DVec2::from_angle(heading + state.slip)
                    .rotate(DVec2::new(along, across.unwrap_or(0.0))),
                (Some(x), Some(y), None) => DVec2::new(x, y),
                (Some(speed), None, None) => DVec2::from_angle(heading) * speed,
                (None, ..) => drift.unwrap_or(DVec2::ZERO),
            };
            let frame = usize::try_from(state.step.saturating_sub(first));
            if let Some(slot) = frame.ok().and_then(|frame| track.get_mut(frame)) {
                *slot = Some(State {
                    position: box_pose.point,
                    heading: box_pose.heading,
                    velocity,
                });
            }
        }
        if self.standing {
            let standing = track.iter().flatten().next().copied();
            let standing = standing.map(|state: State| State {
                velocity: DVec2::ZERO,
                ..state
            });
            track = vec![standing; frames];
        }
        let mut agent = Agent::new(&self.id, self.kind, Track::new(track));
        agent.category = Some(self.category);
        agent.length = self.length;
        agent.width = self.width;
        agent
    }
}

/// Velocity from the neighbouring points, m/s.
fn drift(states: &[RawState], points: &[Option<DVec2>], dt_s: f64) -> Option<DVec2> {
    let (first, last) = (points.first()?.as_ref()?, points.last()?.as_ref()?);
    let steps = states.last()?.step - states.first()?.step;
    (steps > 0).then(|| (*last - *first) / (steps as f64 * dt_s))
}

/// The direction of travel where a state gives no heading and moves faster than 0.3 m/s.
fn heading_of(state: &RawState, drift: Option<DVec2>) -> Option<f64> {
    let given = state.speed.zip(state.across).map(|(x, y)| DVec2::new(x, y));
    given
        .or(drift)
        .filter(|velocity| velocity.length() > 0.3)
        .map(DVec2::to_angle)
}

/// The first heading that later states give or show.
fn first_heading(states: &[RawState], points: &[Option<DVec2>]) -> Option<f64> {
    let given = states.iter().find_map(|state| state.heading);
    given.or_else(|| {
        let start = points.iter().flatten().next()?;
        let far = points
            .iter()
            .flatten()
            .find(|point| point.distance(*start) > 0.5)?;
        Some((*far - *start).to_angle())
    })
}

/// The steps that a scene covers: first step, and number of frames. Time 0 stays frame 0 unless everything happens
/// before it or more than two seconds later. Steps beyond the frame limit are cut off.
pub(super) fn covered(steps: impl Iterator<Item = i64>, dt_s: f64) -> Option<(i64, usize)> {
    let (mut low, mut high) = (i64::MAX, i64::MIN);
    for step in steps {
        low = low.min(step);
        high = high.max(step);
    }
    if low > high {
        return None;
    }
    let first = if low > 0 && low as f64 * dt_s <= 2.0 {
        0
    } else {
        low
    };
    let frames = usize::try_from(high - first + 1).unwrap_or(usize::MAX);
    Some((first, frames.min(MAX_FRAMES)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::xml::parse;

    fn agent(text: &str) -> Agent {
        let Some(Found::Obstacle(obstacle)) =
            read_obstacle(&parse(text).unwrap(), false, &mut Report::default())
        else {
            panic!("an obstacle");
        };
        let (first, frames) = covered(obstacle.steps(), 0.1).unwrap();
        obstacle.into_agent(first, frames, 0.1, &|_| None)
    }

    const SHAPE: &str = "<shape><rectangle><length>4</length><width>2</width></rectangle></shape>";

    fn state(step: i64, x: f64, more: &str) -> String {
        format!(
            "<state><position><point><x>{x}</x><y>0</y></point></position><time><exact>{step}</exact></time>{more}</state>"
        )
    }

    #[test]
    fn a_late_entry_leaves_early_frames_empty() {
        let first = state(3, 0.0, "").replace("state>", "initialState>");
        let text = format!(
            "<dynamicObstacle id='5'><type>car</type>{SHAPE}{first}<trajectory>{}</trajectory></dynamicObstacle>",
            state(
                4,
                1.5,
                "<orientation><exact>0</exact></orientation><velocity><exact>15</exact></velocity>"
            )
        );
        let agent = agent(&text);
        assert_eq!(agent.track.span(), Some((3, 4)));
        // no heading and no speed in the first state: 1.5 m in 0.1 s along +x
        let state = agent.track.get(3).unwrap();
        assert_eq!((state.heading, state.velocity.x), (0.0, 15.0));
    }

    #[test]
    fn a_shape_off_its_reference_point_moves_the_box() {
        let shape = "<shape><rectangle><length>4</length><width>2</width><center><x>1</x><y>0</y></center></rectangle></shape>";
        let first = state(
            0,
            10.0,
            "<orientation><exact>3.141592653589793</exact></orientation>",
        )
        .replace("state>", "initialState>");
        let agent = agent(&format!(
            "<obstacle id='5'><role>static</role><type>parkedVehicle</type>{shape}{first}</obstacle>"
        ));
        // facing -x, the centre 1 m ahead: 10 - 1
        assert!((agent.track.get(0).unwrap().position.x - 9.0).abs() < 1e-9);
        assert_eq!(agent.kind, AgentKind::Vehicle);
    }

    #[test]
    fn what_stands_is_there_in_a_scene_that_starts_late() {
        let first = state(0, 7.0, "").replace("state>", "initialState>");
        let text = format!(
            "<staticObstacle id='5'><type>parkedVehicle</type>{SHAPE}{first}</staticObstacle>"
        );
        let Some(Found::Obstacle(obstacle)) =
            read_obstacle(&parse(&text).unwrap(), false, &mut Report::default())
        else {
            panic!("an obstacle");
        };
        let agent = obstacle.into_agent(1000, 3, 0.1, &|_| None);
        assert_eq!(agent.track.valid().count(), 3);
    }

    #[test]
    fn a_scene_that_starts_late_starts_at_its_first_step() {
        assert_eq!(covered([1, 200].into_iter(), 0.1), Some((0, 201)));
        assert_eq!(covered([1000, 1009].into_iter(), 0.1), Some((1000, 10)));
        assert_eq!(
            covered([0, i64::MAX / 2].into_iter(), 0.1),
            Some((0, MAX_FRAMES))
        );
    }
}
