//! The storyboard as it is read: who is where at first, and what happens when.

use super::condition::{Trigger, trigger};
use super::keeping::{Distance, Meeting};
use crate::data::xml::Element;

/// Most waypoints of a route.
const MOST_WAYPOINTS: usize = 200;

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
        dynamics: Dynamics,
    },
    KeepDistance(Distance),
    Meet(Meeting),
    Trajectory(Trajectory),
    /// Through these positions.
    Route(Vec<Element>),
    /// One that is not played: its name.
    Unknown(String),
}

/// A way to follow.
#[derive(Debug, Clone)]
pub(super) struct Trajectory {
    pub(super) shape: Shape,
    /// Vertex times count from the scenario's start, not from the action's.
    pub(super) absolute: bool,
    /// Whether the times are kept.
    pub(super) timed: bool,
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
    /// Names of what it is part of, itself and its actions among them.
    pub(super) part_of: Vec<String>,
    pub(super) act: usize,
    pub(super) actors: Vec<String>,
    pub(super) trigger: Trigger,
    pub(super) actions: Vec<Action>,
}

/// The storyboard.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// What entities are told at the start.
    pub(super) init: Vec<(String, Action)>,
    /// Names and triggers of acts.
    pub(super) acts: Vec<(String, Trigger)>,
    pub(super) events: Vec<Event>,
    pub(super) stop: Trigger,
}

impl Story {
    /// Reads `<Storyboard>`.
    pub(super) fn of(board: &Element) -> Self {
        let mut story = Self::default();
        let init = board.child("Init").and_then(|init| init.child("Actions"));
        for private in init.into_iter().flat_map(|actions| actions.all("Private")) {
            let who = private.attribute("entityRef").unwrap_or_default();
            let actions = private.all("PrivateAction").flat_map(private_actions);
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

    /// All conditions of it.
    pub(super) fn conditions(&self) -> usize {
        let of_acts = self.acts.iter().map(|(_, trigger)| trigger);
        let of_events = self.events.iter().map(|event| &event.trigger);
        of_acts
            .chain(of_events)
            .chain([&self.stop])
            .flatten()
            .map(Vec::len)
            .sum()
    }

    fn read_act(&mut self, part: &Element, act: &Element) {
        let number = self.acts.len();
        self.acts
            .push((name(act), trigger(act.child("StartTrigger"))));
        for group in act.all("ManeuverGroup") {
            let actors = group.child("Actors").into_iter();
            let actors = actors.flat_map(|actors| actors.all("EntityRef"));
            let actors: Vec<String> = actors
                .filter_map(|actor| actor.attribute("entityRef").map(str::to_owned))
                .collect();
            for manoeuvre in group.all("Maneuver") {
                for event in manoeuvre.all("Event") {
                    let above = [part, act, group, manoeuvre, event];
                    let mut part_of: Vec<String> = above.into_iter().map(name).collect();
                    part_of.extend(event.all("Action").map(name));
                    let actions = event.all("Action").flat_map(|action| {
                        let private = action.all("PrivateAction").flat_map(private_actions);
                        let others = action.children.iter();
                        let others = others.filter(|child| child.name != "PrivateAction");
                        private.chain(others.map(|other| Action::Unknown(kind_of(other))))
                    });
                    self.events.push(Event {
                        part_of,
                        act: number,
                        actors: actors.clone(),
                        trigger: trigger(event.child("StartTrigger")),
                        actions: actions.collect(),
                    });
                }
            }
        }
    }
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

fn private_actions(private: &Element) -> Vec<Action> {
    private.children.iter().filter_map(private_action).collect()
}

fn private_action(element: &Element) -> Option<Action> {
    match element.name.as_str() {
        "LongitudinalAction" | "LateralAction" | "RoutingAction" => {
            let inner = element.children.iter().find_map(private_action);
            inner.or_else(|| Some(Action::Unknown(element.name.clone())))
        }
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
            Some(Action::LaneOffset {
                of,
                to: target.number_attribute("value")?,
                dynamics: Dynamics {
                    shape: Curve::Smooth,
                    by: By::Time(3.0),
                },
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
            let domain = timing.and_then(|timing| timing.attribute("domainAbsoluteRelative"));
            Some(Action::Trajectory(Trajectory {
                shape,
                absolute: domain == Some("absolute"),
                timed: timing.is_some(),
            }))
        }
        "AssignRouteAction" => match element.child("Route") {
            Some(route) => Some(Action::Route(waypoints(route))),
            None => Some(Action::Unknown(
                "AssignRouteAction of a catalog that is not there".to_owned(),
            )),
        },
        // what nobody can see from above
        "VisibilityAction"
        | "ControllerAction"
        | "ActivateControllerAction"
        | "AppearanceAction" => None,
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
