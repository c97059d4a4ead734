//! The storyboard as it is read: who is where at first, and what happens when.

use std::ops::Range;

use super::condition::{Trigger, trigger};
use super::keeping::{Distance, Meeting};
use super::signals::shown;
use crate::data::xml::Element;
use crate::scene::SignalState;

/// Most waypoints of a route.
const MOST_WAYPOINTS: usize = 200;

/// A change of the place on a lane takes so long where nothing is said of it, s.
const OFFSET_S: f64 = 3.0;

/// How a value changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dynamics {
    pub(super) shape: Curve,
    /// Seconds, metres, or a rate (m/s², m/s).
    pub(super) by: By,
}

/// Between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    Step,
    Linear,
    Smooth,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum By {
    Time(f64),
    Distance(f64),
    Rate(f64),
}

impl Dynamics {
    fn of(element: Option<&Element>) -> Self {
        let text = |name: &str| element.and_then(|element| element.attribute(name));
        let value = element.and_then(|element| element.number_attribute("value"));
        let value = value.unwrap_or(0.0).abs();
        Self {
            shape: match text("dynamicsShape") {
                Some("linear") => Curve::Linear,
                Some("sinusoidal" | "cubic") => Curve::Smooth,
                _ => Curve::Step,
            },
            by: match text("dynamicsDimension") {
                Some("distance") => By::Distance(value),
                Some("rate") => By::Rate(value),
                _ => By::Time(value),
            },
        }
    }
}

/// What an entity is told.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Teleport(Element),
    /// To m/s.
    Speed(f64, Dynamics),
    /// To another's speed times a factor plus a difference, once or from now on.
    RelativeSpeed {
        to: String,
        factor: f64,
        delta: f64,
        always: bool,
        dynamics: Dynamics,
    },
    /// By so many lanes to the left of `of` (the entity itself if empty), or to the lane with a number.
    LaneChange {
        of: Option<String>,
        lane: i32,
        dynamics: Dynamics,
    },
    /// To a distance from the lane's middle, m to the left; from where `of` is in its lane, if that is given.
    LaneOffset {
        of: Option<String>,
        to: f64,
        curve: Curve,
        /// Most acceleration to the side, m/s².
        most: Option<f64>,
    },
    KeepDistance(Distance),
    Meet(Meeting),
    Trajectory(Trajectory),
    /// Through these positions.
    Route(Vec<Element>),
    /// A traffic light, by its id, shows something.
    Light(String, SignalState),
    /// One that is not played: its name.
    Unknown(String),
}

/// How a place on a lane changes by `metres`: under the most acceleration of a smooth curve, if that is given.
pub(super) fn sideways(curve: Curve, most: Option<f64>, metres: f64) -> Dynamics {
    let seconds = match most {
        // half a cosine of amplitude d / 2 and duration t has accelerations up to d / 2 · (π / t)²
        Some(most) => std::f64::consts::PI * (0.5 * metres.abs() / most).sqrt(),
        None => OFFSET_S,
    };
    Dynamics {
        shape: curve,
        by: By::Time(seconds),
    }
}

/// A way to follow.
#[derive(Debug, Clone)]
pub(super) struct Trajectory {
    pub(super) shape: Shape,
    /// `None` where its times are not kept.
    pub(super) timing: Option<Timing>,
}

/// What becomes of the times of a trajectory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timing {
    /// They count from the scenario's start, not from the action's.
    pub(super) absolute: bool,
    pub(super) scale: f64,
    /// Added after scaling, s.
    pub(super) offset_s: f64,
}

/// Its shape.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Vertices: time, if there is one, and position.
    Polyline(Vec<(Option<f64>, Element)>),
    /// From a position on: curvature (1/m), its change (1/m²), length (m), and the times of both ends.
    Clothoid(Element, [f64; 3], Option<[f64; 2]>),
}

/// What happens to some entities once its trigger holds.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Names of what it is part of.
    pub(super) above: Vec<String>,
    /// Its own name and those of its actions.
    pub(super) own: Vec<String>,
    /// By their place in the storyboard.
    pub(super) act: usize,
    pub(super) group: usize,
    pub(super) actors: Vec<String>,
    /// Who meets its trigger acts, too.
    pub(super) selects: bool,
    /// How often it may happen.
    pub(super) runs: usize,
    pub(super) trigger: Trigger,
    pub(super) actions: Vec<Action>,
}

/// An act.
#[derive(Debug, Clone)]
pub(super) struct Act {
    pub(super) name: String,
    pub(super) start: Trigger,
    pub(super) stop: Trigger,
    /// Its events.
    pub(super) events: Range<usize>,
}

/// A group of manoeuvres.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) events: Range<usize>,
    /// How often all of them may happen.
    pub(super) runs: usize,
}

/// The storyboard.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// What entities are told at the start; traffic lights, nobody.
    pub(super) init: Vec<(String, Action)>,
    pub(super) acts: Vec<Act>,
    pub(super) groups: Vec<Group>,
    pub(super) events: Vec<Event>,
    pub(super) stop: Trigger,
    /// Elements, values and what is wrong, of what is left out.
    pub(super) left_out: Vec<(String, String, &'static str)>,
}

impl Story {
    /// Reads `<Storyboard>`.
    pub(super) fn of(board: &Element) -> Self {
        let mut story = Self::default();
        let init = board.child("Init").and_then(|init| init.child("Actions"));
        for told in init.into_iter().flat_map(|actions| &actions.children) {
            if told.name != "Private" {
                story.init.push((String::new(), global_action(told)));
                continue;
            }
            let who = told.attribute("entityRef").unwrap_or_default();
            let actions = told.all("PrivateAction").flat_map(private_actions);
            story
                .init
                .extend(actions.map(|action| (who.to_owned(), action)));
        }
        for part in board.all("Story") {
            for act in part.all("Act") {
                story.read_act(part, act);
            }
        }
        story.stop = trigger(board.child("StopTrigger"));
        story
    }

    /// All its triggers.
    pub(super) fn triggers(&self) -> impl Iterator<Item = &Trigger> {
        let of_acts = self.acts.iter().flat_map(|act| [&act.start, &act.stop]);
        let of_events = self.events.iter().map(|event| &event.trigger);
        of_acts.chain(of_events).chain([&self.stop])
    }

    /// How many conditions it has.
    pub(super) fn conditions(&self) -> usize {
        self.triggers().flatten().map(Vec::len).sum()
    }

    fn read_act(&mut self, part: &Element, act: &Element) {
        let first = self.events.len();
        for group in act.all("ManeuverGroup") {
            self.read_group(&[part, act], group);
        }
        self.acts.push(Act {
            name: name(act),
            start: trigger(act.child("StartTrigger")),
            stop: trigger(act.child("StopTrigger")),
            events: first..self.events.len(),
        });
    }

    fn read_group(&mut self, above: &[&Element], group: &Element) {
        let first = self.events.len();
        let list = group.child("Actors");
        let actors = list
            .into_iter()
            .flat_map(|actors| actors.all("EntityRef"))
            .filter_map(|actor| actor.attribute("entityRef").map(str::to_owned));
        let actors: Vec<String> = actors.collect();
        let selects =
            list.and_then(|actors| actors.attribute("selectTriggeringEntities")) == Some("true");
        for manoeuvre in group.all("Maneuver") {
            for event in manoeuvre.all("Event") {
                let actions = event.all("Action").flat_map(|action| {
                    let private = action.all("PrivateAction").flat_map(private_actions);
                    let others = action.children.iter();
                    let others = others.filter(|child| child.name != "PrivateAction");
                    private.chain(others.map(global_action))
                });
                let mut own = vec![name(event)];
                own.extend(event.all("Action").map(name));
                self.events.push(Event {
                    above: above
                        .iter()
                        .chain(&[group, manoeuvre])
                        .map(|element| name(element))
                        .collect(),
                    own,
                    act: self.acts.len(),
                    group: self.groups.len(),
                    actors: actors.clone(),
                    selects,
                    runs: runs(event),
                    trigger: trigger(event.child("StartTrigger")),
                    actions: actions.collect(),
                });
            }
        }
        let events = first..self.events.len();
        let element = || format!("ManeuverGroup {}", name(group));
        if actors.is_empty() && !selects && !events.is_empty() {
            let what = "nobody acts in it";
            self.left_out
                .push((element(), "no EntityRef".to_owned(), what));
        }
        for reference in group.all("CatalogReference") {
            let text = |key: &str| reference.attribute(key).unwrap_or_default();
            let value = format!("{} {}", text("catalogName"), text("entryName"));
            let what = "no catalog beside the file has this manoeuvre; it is not played";
            self.left_out.push((element(), value, what));
        }
        self.groups.push(Group {
            events,
            runs: runs(group),
        });
    }
}

/// How often an event or a group may happen.
fn runs(element: &Element) -> usize {
    let count = element.number_attribute("maximumExecutionCount");
    count.map_or(1, |count| count.max(1.0) as usize)
}

fn name(element: &Element) -> String {
    element.attribute("name").unwrap_or_default().to_owned()
}

/// The name of the innermost action.
fn kind_of(element: &Element) -> String {
    let inner = element
        .children
        .iter()
        .find(|child| child.name.ends_with("Action"));
    inner.map_or_else(|| element.name.clone(), kind_of)
}

/// What nobody is told: a traffic light shows something, or one that is not played.
fn global_action(element: &Element) -> Action {
    let state = element
        .child("InfrastructureAction")
        .and_then(|infrastructure| infrastructure.child("TrafficSignalAction"))
        .and_then(|signal| signal.child("TrafficSignalStateAction"));
    let text = |name: &str| state.and_then(|state| state.attribute(name));
    match (text("name"), text("state")) {
        (Some(id), Some(state)) => match shown(state) {
            Some(state) => Action::Light(id.to_owned(), state),
            None => Action::Unknown(format!("TrafficSignalStateAction to {state}")),
        },
        _ => Action::Unknown(kind_of(element)),
    }
}

fn private_actions(private: &Element) -> Vec<Action> {
    let actions = private.children.iter().flat_map(|element| {
        match matches!(
            element.name.as_str(),
            "LongitudinalAction" | "LateralAction" | "RoutingAction"
        ) {
            true if !element.children.is_empty() => &element.children[..],
            _ => std::slice::from_ref(element),
        }
    });
    // what nobody can see from above is not missed
    let seen = actions.filter(|element| {
        !matches!(
            element.name.as_str(),
            "VisibilityAction"
                | "ControllerAction"
                | "ActivateControllerAction"
                | "AppearanceAction"
        )
    });
    seen.map(|element| {
        private_action(element)
            .unwrap_or_else(|| Action::Unknown(format!("{} without its target", element.name)))
    })
    .collect()
}

/// `None` where it lacks something.
fn private_action(element: &Element) -> Option<Action> {
    match element.name.as_str() {
        "TeleportAction" => Some(Action::Teleport(element.child("Position")?.clone())),
        "SpeedAction" => {
            let dynamics = Dynamics::of(element.child("SpeedActionDynamics"));
            let target = element.child("SpeedActionTarget")?;
            if let Some(absolute) = target.child("AbsoluteTargetSpeed") {
                return Some(Action::Speed(absolute.number_attribute("value")?, dynamics));
            }
            let relative = target.child("RelativeTargetSpeed")?;
            let value = relative.number_attribute("value")?;
            let times = relative.attribute("speedTargetValueType") == Some("factor");
            Some(Action::RelativeSpeed {
                to: relative.attribute("entityRef")?.to_owned(),
                factor: if times { value } else { 1.0 },
                delta: if times { 0.0 } else { value },
                always: relative.attribute("continuous") == Some("true"),
                dynamics,
            })
        }
        "LaneChangeAction" => {
            let dynamics = Dynamics::of(element.child("LaneChangeActionDynamics"));
            let target = element.child("LaneChangeTarget")?;
            let number = |element: &Element| element.number_attribute("value");
            let (of, lane) = match target.child("RelativeTargetLane") {
                Some(relative) => {
                    let of = relative.attribute("entityRef").unwrap_or_default();
                    (Some(of.to_owned()), number(relative)?)
                }
                None => (None, number(target.child("AbsoluteTargetLane")?)?),
            };
            Some(Action::LaneChange {
                of,
                lane: lane.clamp(-64.0, 64.0) as i32,
                dynamics,
            })
        }
        "LaneOffsetAction" => {
            let target = element.child("LaneOffsetTarget")?;
            let (of, target) = match target.child("RelativeTargetLaneOffset") {
                Some(relative) => (Some(relative.attribute("entityRef")?.to_owned()), relative),
                None => (None, target.child("AbsoluteTargetLaneOffset")?),
            };
            let dynamics = element.child("LaneOffsetActionDynamics");
            let most = dynamics.and_then(|dynamics| dynamics.number_attribute("maxLateralAcc"));
            Some(Action::LaneOffset {
                of,
                to: target.number_attribute("value")?,
                curve: match dynamics.and_then(|dynamics| dynamics.attribute("dynamicsShape")) {
                    Some("step") => Curve::Step,
                    Some("linear") => Curve::Linear,
                    _ => Curve::Smooth,
                },
                most: most.filter(|most| *most > 0.0),
            })
        }
        "LongitudinalDistanceAction" => Some(Distance::of(element).map_or_else(
            || Action::Unknown("LongitudinalDistanceAction without a distance".to_owned()),
            Action::KeepDistance,
        )),
        "SynchronizeAction" => Some(Meeting::of(element).map_or_else(
            || Action::Unknown("SynchronizeAction without its places".to_owned()),
            Action::Meet,
        )),
        "FollowTrajectoryAction" => {
            let found = element
                .child("TrajectoryRef")
                .unwrap_or(element)
                .child("Trajectory");
            let Some(shape) = found.and_then(|found| found.child("Shape")).and_then(shape) else {
                let name = "FollowTrajectoryAction of another shape than polyline and clothoid";
                return Some(Action::Unknown(name.to_owned()));
            };
            let timing = element
                .child("TimeReference")
                .and_then(|time| time.child("Timing"));
            let timing = timing.map(|timing| Timing {
                absolute: timing.attribute("domainAbsoluteRelative") == Some("absolute"),
                scale: timing
                    .number_attribute("scale")
                    .filter(|scale| *scale > 0.0)
                    .unwrap_or(1.0),
                offset_s: timing.number_attribute("offset").unwrap_or(0.0),
            });
            Some(Action::Trajectory(Trajectory { shape, timing }))
        }
        "AssignRouteAction" => match element.child("Route") {
            Some(route) => Some(Action::Route(waypoints(route))),
            None => Some(Action::Unknown(
                "AssignRouteAction of a catalog that is not there".to_owned(),
            )),
        },
        other => Some(Action::Unknown(other.to_owned())),
    }
}

/// The positions of a `<Route>`.
pub(super) fn waypoints(route: &Element) -> Vec<Element> {
    let waypoints = route.all("Waypoint").take(MOST_WAYPOINTS);
    waypoints
        .filter_map(|waypoint| waypoint.child("Position").cloned())
        .collect()
}

fn shape(element: &Element) -> Option<Shape> {
    if let Some(line) = element.child("Polyline") {
        let vertices = line.all("Vertex").filter_map(|vertex| {
            let time = vertex.number_attribute("time");
            Some((time, vertex.child("Position")?.clone()))
        });
        return Some(Shape::Polyline(vertices.collect()));
    }
    let clothoid = element.child("Clothoid")?;
    let number = |name: &str| clothoid.number_attribute(name);
    let change = number("curvatureDot").or(number("curvaturePrime"));
    let bends = [
        number("curvature")?,
        change.unwrap_or(0.0),
        number("length")?,
    ];
    let times = number("startTime").zip(number("stopTime"));
    let start = clothoid.child("Position")?.clone();
    Some(Shape::Clothoid(
        start,
        bends,
        times.map(|(from, to)| [from, to]),
    ))
}
