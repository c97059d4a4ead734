//! What the pointer does on the canvas: handles, gestures, and the edits a gesture means at each moment.
//!
//! A gesture never changes the scene: while it lasts its edits are shown, on release they are committed as one
//! step, on Escape they are dropped.

use crate::geometry::DVec2;
use crate::geometry::Pose;
use crate::geometry::angle_between;
use crate::geometry::dvec2;
use crate::map::Extra;
use crate::map::LaneId;
use crate::map::LaneKind;
use crate::render::attack_point;
use crate::scene::Agent;
use crate::scene::AgentId;
use crate::scene::AgentKind;
use crate::scene::Attack;
use crate::scene::Edit;
use crate::scene::Goal;
use crate::scene::Role;
use crate::scene::Scene;
use crate::scene::State;

use super::action::Command;
use super::dial;
use super::editor::free_id;
use super::sketch;
use super::sketch::Sketch;

/// A goal lies at most this far after the present, s: the model's horizon.
pub(super) const HORIZON_S: f64 = 8.0;

/// The model's time grid, s.
const GRID_S: f64 = 0.5;

/// A vehicle snaps to a centreline nearer than this, m.
const SNAP_M: f64 = 1.75;

/// Length of the speed arrow per m/s, m.
pub(super) const ARROW_M_PER_MPS: f64 = 0.8;

/// Gap between bumper and speed arrow, m.
pub(super) const ARROW_GAP_M: f64 = 1.2;

/// What the pointer does on the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Select, move, turn.
    Select,
    /// Set goals.
    Goal,
    /// Aim attackers.
    Attack,
    /// Draw ways by hand.
    Sketch,
    /// Add agents.
    Add,
    /// Measure.
    Measure,
}

/// What is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// A car.
    #[default]
    Car,
    /// A lorry.
    Lorry,
    /// A bus.
    Bus,
    /// A cyclist.
    Cyclist,
    /// Somebody on foot.
    Pedestrian,
    /// Something that stands in the way.
    Obstacle,
}

impl Body {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Car,
        Self::Lorry,
        Self::Bus,
        Self::Cyclist,
        Self::Pedestrian,
        Self::Obstacle,
    ];

    /// Its name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Car => "Car",
            Self::Lorry => "Lorry",
            Self::Bus => "Bus",
            Self::Cyclist => "Cyclist",
            Self::Pedestrian => "Pedestrian",
            Self::Obstacle => "Obstacle",
        }
    }

    /// What chooses it.
    pub(super) fn command(self) -> Command {
        match self {
            Self::Car => Command::AddCar,
            Self::Lorry => Command::AddLorry,
            Self::Bus => Command::AddBus,
            Self::Cyclist => Command::AddCyclist,
            Self::Pedestrian => Command::AddPedestrian,
            Self::Obstacle => Command::AddObstacle,
        }
    }

    /// What the ids of new ones begin with.
    fn word(self) -> &'static str {
        match self {
            Self::Car => AgentKind::Vehicle.word(),
            Self::Lorry => "lorry",
            Self::Bus => "bus",
            Self::Cyclist => AgentKind::Cyclist.word(),
            Self::Pedestrian => AgentKind::Pedestrian.word(),
            Self::Obstacle => "obstacle",
        }
    }

    fn kind(self) -> AgentKind {
        match self {
            Self::Car | Self::Lorry | Self::Bus => AgentKind::Vehicle,
            Self::Cyclist => AgentKind::Cyclist,
            Self::Pedestrian => AgentKind::Pedestrian,
            Self::Obstacle => AgentKind::Other,
        }
    }

    /// Length and width, m, where they are not those of its kind.
    fn size(self) -> Option<[f64; 2]> {
        match self {
            Self::Lorry => Some([9.0, 2.5]),
            Self::Bus => Some([12.0, 2.55]),
            Self::Car | Self::Cyclist | Self::Pedestrian | Self::Obstacle => None,
        }
    }

    /// How fast it goes where a drag does not say, m/s: as others on the same way do, else as the lane allows.
    fn speed(self, scene: &Scene, pose: Pose, lane: Option<&LaneId>) -> f64 {
        let usual = match self {
            Self::Cyclist => return 4.5,
            Self::Pedestrian => return 1.4,
            Self::Obstacle => return 0.0,
            Self::Car => USUAL_MPS,
            Self::Lorry | Self::Bus => USUAL_MPS - 1.0,
        };
        let with_it = |agent: &Agent, state: &State| {
            let along = angle_between(state.heading, pose.heading).abs() < 0.8;
            agent.kind == AgentKind::Vehicle && along && state.speed() > 2.0
        };
        let near = scene.states_at(scene.now_s());
        let near = near
            .filter(|(_, agent, state)| with_it(agent, state))
            .map(|(_, _, state)| (state.position.distance(pose.point), state.speed()))
            .filter(|(apart, _)| *apart < COMPANY_M)
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let limit = lane
            .and_then(|lane| scene.map.lane(lane)?.speed_limit)
            .filter(|limit| *limit > 0.0);
        let speed = near.map(|(_, speed)| speed).or(limit).unwrap_or(usual);
        (speed * 2.0).round() / 2.0
    }
}

/// A vehicle goes this fast where nothing says how fast others go, m/s.
const USUAL_MPS: f64 = 8.0;

/// Vehicles on the same way that are nearer than this say how fast one goes there, m.
const COMPANY_M: f64 = 80.0;

/// Who walks is set down towards a lane that is nearer than this, m.
const KERB_M: f64 = 15.0;

/// Something on the canvas that can be dragged.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Handle {
    /// Turns an agent.
    Turn(AgentId),
    /// The tip of the speed arrow: heading and speed.
    Speed(AgentId),
    /// A goal's place.
    GoalCentre(AgentId),
    /// A goal's heading.
    GoalTip(AgentId),
    /// A goal's tolerance.
    GoalRing(AgentId),
    /// The hand of a goal's dial: its time.
    GoalClock(AgentId),
    /// Whether a goal is hard; a click turns it over.
    GoalLock(AgentId),
    /// An attack's contact, along the target's path.
    Contact(AgentId),
}

/// A drag in progress. Coordinates are metres in the scene frame.
#[derive(Debug, Clone)]
pub(super) enum Gesture {
    /// Selects what lies in a rectangle.
    Box {
        /// The corner where it began.
        from: DVec2,
    },
    /// Moves agents.
    Move {
        /// The one under the pointer; it snaps.
        lead: AgentId,
        /// All that move.
        agents: Vec<AgentId>,
        /// Where it was grabbed.
        from: DVec2,
        /// Leaves the originals and moves copies.
        copy: bool,
    },
    /// Drags a handle.
    Handle(Handle),
    /// Places a goal, then aims it.
    NewGoal {
        /// Whose.
        agent: AgentId,
        /// Where it was placed.
        at: DVec2,
    },
    /// Draws from an attacker to its target.
    Aim {
        /// The attacker.
        attacker: AgentId,
    },
    /// Places an agent, then aims it.
    Add {
        /// What.
        body: Body,
        /// Where it was placed.
        at: DVec2,
    },
    /// Draws a way by hand.
    Sketch(Sketch),
    /// Measures.
    Measure {
        /// Where it began.
        from: DVec2,
    },
}

/// Where the pointer is and which keys are held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pointer {
    /// Metres in the scene frame.
    pub at: DVec2,
    /// No snapping.
    pub alt: bool,
    /// Metres that a drag must exceed to give a direction.
    pub slack_m: f64,
    /// Scene time of the cursor, s.
    pub time_s: f64,
}

/// A lane that a pose snapped to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snap {
    /// The pose on the centreline.
    pub pose: Pose,
    /// The lane.
    pub lane: LaneId,
    /// How far the pose was moved, m.
    pub moved_m: f64,
}

/// The pose on the centreline of the lane that `pose` lies in, else on the nearest, if an agent of that kind would drive
/// there.
pub(super) fn snap(scene: &Scene, pose: Pose, kind: AgentKind) -> Option<Snap> {
    let fits = |lane: LaneKind| match kind {
        AgentKind::Vehicle => !matches!(lane, LaneKind::Bike | LaneKind::Walk),
        AgentKind::Cyclist => lane != LaneKind::Walk,
        AgentKind::Pedestrian | AgentKind::Other => false,
    };
    let map = &scene.map;
    let hit = map
        .lane_around(pose.point, pose.heading, |lane| fits(lane.kind))
        .or_else(|| map.lane_for(pose.point, pose.heading, SNAP_M, |lane| fits(lane.kind)))?;
    let turned = angle_between(pose.heading, hit.pose.heading).abs();
    let heading = if turned < 1.0 {
        hit.pose.heading
    } else {
        pose.heading
    };
    Some(Snap {
        pose: Pose::new(hit.pose.point, heading),
        lane: scene.map.lanes()[hit.lane].id.clone(),
        moved_m: hit.offset.abs(),
    })
}

/// What the edits of a gesture mean, in words, and the lane it snapped to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Meaning {
    /// To be shown, then committed.
    pub edits: Vec<Edit>,
    /// A line beside the pointer.
    pub note: String,
}

impl Gesture {
    /// What the gesture means while the pointer is at `pointer`. `scene` is the scene before the gesture.
    pub(super) fn meaning(&self, scene: &Scene, pointer: &Pointer) -> Meaning {
        match self {
            Self::Box { .. } => Meaning::default(),
            Self::Move {
                lead,
                agents,
                from,
                copy,
            } => moved(scene, lead, agents, pointer.at - *from, *copy, pointer.alt),
            Self::Handle(handle) => handled(scene, handle, pointer),
            Self::NewGoal { agent, at } => new_goal(scene, agent, *at, pointer),
            Self::Aim { attacker } => aimed(scene, attacker, pointer),
            Self::Add { body, at } => added(scene, *body, *at, pointer),
            Self::Sketch(sketch) => sketch.meaning(scene, pointer.at),
            Self::Measure { from } => {
                let apart = pointer.at - *from;
                Meaning {
                    edits: Vec::new(),
                    note: format!(
                        "{:.2} m   {:.1}°",
                        apart.length(),
                        apart.to_angle().to_degrees()
                    ),
                }
            }
        }
    }
}

fn snap_note(snap: Option<&Snap>) -> String {
    snap.map_or_else(String::new, |snap| {
        format!("   lane {} ({:.1} m)", snap.lane, snap.moved_m)
    })
}

fn moved(
    scene: &Scene,
    lead: &AgentId,
    agents: &[AgentId],
    delta: DVec2,
    copy: bool,
    free: bool,
) -> Meaning {
    let present = |id: &AgentId| {
        let agent = scene.agent(id)?;
        Some((agent.clone(), *agent.track.get(scene.now)?))
    };
    let Some((agent, state)) = present(lead) else {
        return Meaning {
            edits: Vec::new(),
            note: format!("{lead} is not there at the present"),
        };
    };
    let target = Pose::new(state.position + delta, state.heading);
    let snapped = (!free).then(|| snap(scene, target, agent.kind)).flatten();
    let pose = snapped.as_ref().map_or(target, |snap| snap.pose);
    let slid = pose.point - state.position;
    let mut edits = Vec::new();
    let mut taken: Vec<AgentId> = Vec::new();
    for id in agents {
        let Some((agent, state)) = present(id) else {
            continue;
        };
        let heading = if id == lead {
            pose.heading
        } else {
            state.heading
        };
        let point = state.position + slid;
        edits.push(if copy {
            let new = free_id(scene, agent.kind.word(), &taken);
            taken.push(new.clone());
            Edit::Add {
                agent: new,
                kind: agent.kind,
                point: [point.x, point.y],
                heading,
                speed: state.speed(),
                size: Some([agent.length, agent.width]),
            }
        } else {
            Edit::Move {
                agent: id.clone(),
                point: [point.x, point.y],
                heading,
                speed: None,
            }
        });
    }
    Meaning {
        edits,
        note: format!("{:.1} m{}", slid.length(), snap_note(snapped.as_ref())),
    }
}

fn handled(scene: &Scene, handle: &Handle, pointer: &Pointer) -> Meaning {
    match handle {
        Handle::Turn(id) | Handle::Speed(id) => {
            let Some(agent) = scene.agent(id) else {
                return Meaning::default();
            };
            let Some(state) = agent.track.get(scene.now) else {
                return Meaning::default();
            };
            let to = pointer.at - state.position;
            if matches!(handle, Handle::Turn(_)) {
                // the handle sits behind the agent
                turned(id, state.position, (-to).to_angle())
            } else {
                sped(agent, state.position, state.heading, to, pointer.alt)
            }
        }
        Handle::GoalCentre(id) => change_goal(scene, id, |goal| {
            let kind = scene.agent(id).map_or(AgentKind::Other, |agent| agent.kind);
            let heading = goal.heading.unwrap_or_default();
            let target = Pose::new(pointer.at, heading);
            let snapped = (!pointer.alt).then(|| snap(scene, target, kind)).flatten();
            let pose = snapped.as_ref().map_or(target, |snap| snap.pose);
            goal.point = [pose.point.x, pose.point.y];
            if goal.heading.is_some() {
                goal.heading = Some(pose.heading);
            }
            format!(
                "({:.1}, {:.1}){}",
                pose.point.x,
                pose.point.y,
                snap_note(snapped.as_ref())
            )
        }),
        Handle::GoalTip(id) => change_goal(scene, id, |goal| {
            let to = pointer.at - dvec2(goal.point[0], goal.point[1]);
            goal.heading = Some(to.to_angle());
            format!("heading {:.0}°", to.to_angle().to_degrees())
        }),
        Handle::GoalRing(id) => change_goal(scene, id, |goal| {
            let radius = (pointer.at - dvec2(goal.point[0], goal.point[1])).length();
            goal.tolerance_m = (radius.clamp(0.2, 30.0) * 10.0).round() / 10.0;
            format!("within {:.1} m", goal.tolerance_m)
        }),
        Handle::GoalClock(id) => change_goal(scene, id, |goal| {
            goal.time_s = dial::time_at(scene, goal, pointer.at);
            format!("due in {:.1} s", goal.time_s - scene.now_s())
        }),
        Handle::GoalLock(id) => change_goal(scene, id, |goal| {
            goal.hard = !goal.hard;
            if goal.hard {
                "hard: it must be there".to_owned()
            } else {
                "soft: it should be there".to_owned()
            }
        }),
        Handle::Contact(id) => {
            let Some(attack) = scene.attack_by(id) else {
                return Meaning::default();
            };
            // the target's place then, by where the contact on it is drawn
            let target = scene.agent(&attack.target);
            let met = target.and_then(|target| target.track.sample(scene.frame_at(attack.time_s)));
            let drawn = attack_point(scene, attack).zip(met);
            let beside = drawn.map_or(DVec2::ZERO, |(point, met)| point - met.position);
            let Some((time_s, _)) = along_future(scene, &attack.target, pointer.at - beside) else {
                return Meaning::default();
            };
            let attack = Attack {
                time_s,
                ..attack.clone()
            };
            Meaning {
                note: format!("contact at {:.1} s", attack.time_s),
                edits: vec![Edit::SetAttack { attack }],
            }
        }
    }
}

fn turned(id: &AgentId, position: DVec2, heading: f64) -> Meaning {
    Meaning {
        note: format!("heading {:.0}°", heading.to_degrees()),
        edits: vec![Edit::Move {
            agent: id.clone(),
            point: [position.x, position.y],
            heading,
            speed: None,
        }],
    }
}

fn sped(agent: &Agent, position: DVec2, heading: f64, to: DVec2, keep_heading: bool) -> Meaning {
    let forward = DVec2::from_angle(heading);
    let (heading, reach) = if keep_heading {
        (heading, to.dot(forward))
    } else {
        (to.to_angle(), to.length())
    };
    let speed = (reach - agent.length / 2.0 - ARROW_GAP_M) / ARROW_M_PER_MPS;
    let limit = match agent.kind {
        AgentKind::Vehicle => 45.0,
        AgentKind::Cyclist => 15.0,
        AgentKind::Pedestrian => 4.0,
        AgentKind::Other => 10.0,
    };
    let speed = (speed.clamp(0.0, limit) * 10.0).round() / 10.0;
    Meaning {
        note: format!("{speed:.1} m/s   {:.0} km/h", speed * 3.6),
        edits: vec![Edit::Move {
            agent: agent.id.clone(),
            point: [position.x, position.y],
            heading,
            speed: Some(speed),
        }],
    }
}

fn change_goal(scene: &Scene, id: &AgentId, change: impl FnOnce(&mut Goal) -> String) -> Meaning {
    let Some(mut goal) = scene.goal_of(id).cloned() else {
        return Meaning::default();
    };
    let place = goal.point;
    let note = change(&mut goal);
    let mut edits = match goal.point == place {
        true => Vec::new(),
        false => sketch::without_hints(scene, id),
    };
    edits.push(Edit::SetGoal { goal });
    Meaning { edits, note }
}

/// The latest scene time a goal may have, s.
pub(super) fn latest_s(scene: &Scene) -> f64 {
    scene.now_s() + HORIZON_S
}

/// A scene time on the model's grid after the present, within its horizon, s.
pub(super) fn on_grid(scene: &Scene, time_s: f64) -> f64 {
    let steps = ((time_s - scene.now_s()) / GRID_S)
        .round()
        .clamp(1.0, HORIZON_S / GRID_S);
    scene.now_s() + steps * GRID_S
}

fn new_goal(scene: &Scene, id: &AgentId, at: DVec2, pointer: &Pointer) -> Meaning {
    let Some(agent) = scene.agent(id) else {
        return Meaning::default();
    };
    let present = agent.track.get(scene.now);
    let towards = present.map_or(0.0, |state| (at - state.position).to_angle());
    let snapped = (!pointer.alt)
        .then(|| snap(scene, Pose::new(at, towards), agent.kind))
        .flatten();
    let point = snapped.as_ref().map_or(at, |snap| snap.pose.point);
    let drawn = pointer.at - at;
    let heading = if drawn.length() > pointer.slack_m {
        Some(drawn.to_angle())
    } else {
        snapped.as_ref().map(|snap| snap.pose.heading)
    };
    let old = scene.goal_of(id);
    let goal = Goal {
        agent: id.clone(),
        point: [point.x, point.y],
        time_s: old.map_or_else(|| on_grid(scene, latest_s(scene)), |goal| goal.time_s),
        heading,
        speed: None,
        tolerance_m: old.map_or(1.0, |goal| goal.tolerance_m),
        hard: old.is_none_or(|goal| goal.hard),
        extra: old.map_or_else(Extra::new, |goal| goal.extra.clone()),
    };
    let note = format!(
        "goal at {:.1} s{}",
        goal.time_s,
        snap_note(snapped.as_ref())
    );
    let mut edits = sketch::without_hints(scene, id);
    edits.push(Edit::SetGoal { goal });
    Meaning { edits, note }
}

/// The scene time and place of the target's future path that is nearest to `point`, on the model's grid.
fn along_future(scene: &Scene, target: &AgentId, point: DVec2) -> Option<(f64, DVec2)> {
    let track = &scene.agent(target)?.track;
    (1..=(HORIZON_S / GRID_S) as usize)
        .filter_map(|step| {
            let time_s = scene.now_s() + step as f64 * GRID_S;
            let state = track.sample(scene.frame_at(time_s))?;
            Some((time_s, state.position))
        })
        .min_by(|a, b| a.1.distance(point).total_cmp(&b.1.distance(point)))
}

/// The edit that aims `attacker` at `target`, contact near `time_s`.
pub(super) fn attack(scene: &Scene, attacker: &AgentId, target: &AgentId, time_s: f64) -> Edit {
    let old = scene.attack_by(attacker);
    Edit::SetAttack {
        attack: Attack {
            attacker: attacker.clone(),
            target: target.clone(),
            time_s: on_grid(scene, time_s),
            offset: old.map_or([0.0, 0.0], |old| old.offset),
            extra: old.map_or_else(Extra::new, |old| old.extra.clone()),
        },
    }
}

fn aimed(scene: &Scene, attacker: &AgentId, pointer: &Pointer) -> Meaning {
    let ego = scene.ego().map(|ego| ego.id.clone());
    let under = scene.agent_at(pointer.at, pointer.time_s, 1.0);
    let target = under
        .filter(|id| id != attacker)
        .or_else(|| ego.filter(|id| id != attacker));
    let Some(target) = target else {
        return Meaning {
            edits: Vec::new(),
            note: "draw to the agent that shall be met".to_owned(),
        };
    };
    let Some((time_s, _)) = along_future(scene, &target, pointer.at) else {
        return Meaning {
            edits: Vec::new(),
            note: format!("{target} has no future after the present"),
        };
    };
    let moved = scene
        .agent(attacker)
        .and_then(|agent| agent.track.get(scene.now))
        .is_some_and(|state| state.position.distance(pointer.at) > pointer.slack_m.max(4.0));
    let time_s = if moved { time_s } else { scene.now_s() + 3.0 };
    Meaning {
        note: format!(
            "{attacker} meets {target} at {:.1} s",
            on_grid(scene, time_s)
        ),
        edits: vec![attack(scene, attacker, &target, time_s)],
    }
}

fn added(scene: &Scene, body: Body, at: DVec2, pointer: &Pointer) -> Meaning {
    let drawn = pointer.at - at;
    let aimed = drawn.length() > pointer.slack_m;
    let heading = if aimed { drawn.to_angle() } else { 0.0 };
    let kind = body.kind();
    let snapped = (!pointer.alt)
        .then(|| snap(scene, Pose::new(at, heading), kind))
        .flatten();
    let pose = match &snapped {
        Some(snap) if !aimed => {
            // without a direction of its own the lane's is taken
            let along = scene
                .map
                .lane(&snap.lane)
                .map(|lane| lane.centreline.project(at).heading);
            Pose::new(snap.pose.point, along.unwrap_or(heading))
        }
        Some(snap) => snap.pose,
        None if !aimed && kind == AgentKind::Pedestrian => Pose::new(at, walks(scene, at)),
        None => Pose::new(at, heading),
    };
    let lane = snapped.as_ref().map(|snap| &snap.lane);
    let speed = match (aimed, body) {
        (_, Body::Obstacle) => 0.0,
        (true, _) => (drawn.length() / ARROW_M_PER_MPS * 2.0).round() / 2.0,
        (false, _) => body.speed(scene, pose, lane),
    };
    let speed = speed.min(40.0);
    let agent = free_id(scene, body.word(), &[]);
    // the first vehicle of a bare map is whom all is about
    let is_first = kind == AgentKind::Vehicle && scene.ego().is_none();
    let ego = is_first.then(|| Edit::SetRole {
        agent: agent.clone(),
        role: Role::Ego,
    });
    let part = if is_first { "the ego, " } else { "" };
    let add = Edit::Add {
        agent,
        kind,
        point: [pose.point.x, pose.point.y],
        heading: pose.heading,
        speed,
        size: body.size(),
    };
    Meaning {
        note: format!("{part}{speed:.1} m/s{}", snap_note(snapped.as_ref())),
        edits: std::iter::once(add).chain(ego).collect(),
    }
}

/// Where somebody on foot goes who is set down at a point: along a way for walkers, else towards the road.
fn walks(scene: &Scene, at: DVec2) -> f64 {
    let map = &scene.map;
    if let Some(hit) = map.lane_around(at, 0.0, |lane| lane.kind == LaneKind::Walk) {
        return hit.pose.heading;
    }
    let near = map.lanes_near(at, KERB_M);
    let road = near
        .iter()
        .find(|hit| map.lanes()[hit.lane].carries_vehicles());
    let to = road.map_or(DVec2::ZERO, |hit| hit.pose.point - at);
    if to.length() > 0.1 {
        to.to_angle()
    } else {
        0.0
    }
}

/// The handles that can be dragged, with their places; nearer to the front first.
pub(super) fn handles(
    scene: &Scene,
    selection: &[AgentId],
    time_s: f64,
    metre: f64,
) -> Vec<(Handle, DVec2)> {
    let mut found = Vec::new();
    for id in selection {
        if let Some(goal) = scene.goal_of(id) {
            let at = dvec2(goal.point[0], goal.point[1]);
            let heading = goal.heading.unwrap_or_default();
            let tip = at + DVec2::from_angle(heading) * goal_tip_m(goal, metre);
            let ring = at + DVec2::from_angle(heading - 2.2) * goal.tolerance_m.max(14.0 * metre);
            found.push((Handle::GoalTip(id.clone()), tip));
            found.push((Handle::GoalCentre(id.clone()), at));
            found.push((Handle::GoalRing(id.clone()), ring));
            let clock = dial::clock_place(scene, goal, metre);
            found.push((Handle::GoalClock(id.clone()), clock));
            let lock = dial::lock_place(goal, metre);
            found.push((Handle::GoalLock(id.clone()), lock));
        }
        if let Some(attack) = scene.attack_by(id)
            && let Some(point) = attack_point(scene, attack)
        {
            found.push((Handle::Contact(id.clone()), point));
        }
    }
    let at_present = (time_s - scene.now_s()).abs() <= scene.dt_s * 0.75;
    if let ([id], true) = (selection, at_present)
        && let Some(agent) = scene.agent(id)
        && let Some(state) = agent.track.get(scene.now)
    {
        let (tip, behind) = pose_handles(agent, state.pose(), state.speed(), metre);
        found.push((Handle::Speed(id.clone()), tip));
        found.push((Handle::Turn(id.clone()), behind));
    }
    found
}

/// How far the tip of a goal's arrow is from its centre, m.
pub(super) fn goal_tip_m(goal: &Goal, metre: f64) -> f64 {
    goal.tolerance_m.max(14.0 * metre) + 16.0 * metre
}

/// Tip of the speed arrow and place of the turn handle; `metre` is the size of a point on screen, m.
pub(super) fn pose_handles(agent: &Agent, pose: Pose, speed: f64, metre: f64) -> (DVec2, DVec2) {
    let tip = agent.length / 2.0 + ARROW_GAP_M + speed * ARROW_M_PER_MPS;
    let behind = agent.length / 2.0 + 18.0 * metre;
    (
        pose.outer_from_local(dvec2(tip, 0.0)),
        pose.outer_from_local(dvec2(-behind, 0.0)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Polyline;
    use crate::map::Lane;
    use crate::map::Map;
    use crate::map::MapParts;
    use crate::scene::Track;
    use std::sync::Arc;

    /// A lane along y = 0 and two cars on it at 10 m/s; present at 1 s; the ego 20 m ahead.
    fn scene() -> Scene {
        let line = Polyline::new([dvec2(-100.0, 0.0), dvec2(300.0, 0.0)]).unwrap();
        let map = Map::build(MapParts {
            lanes: vec![Lane::new("west", LaneKind::Street, line)],
            ..MapParts::default()
        });
        let track = |start: f64| {
            let states = (0..101).map(|frame| {
                let pose = Pose::at(start + f64::from(frame), 0.0, 0.0);
                Some(State::along(pose, 10.0))
            });
            Track::new(states.collect())
        };
        let car = Agent::new("car", AgentKind::Vehicle, track(0.0));
        let mut ego = Agent::new("ego", AgentKind::Vehicle, track(20.0));
        ego.role = Role::Ego;
        Scene {
            dt_s: 0.1,
            frames: 101,
            now: 10,
            map: Arc::new(map),
            agents: vec![Arc::new(car), Arc::new(ego)],
            ..Scene::default()
        }
    }

    fn pointer(x: f64, y: f64) -> Pointer {
        Pointer {
            at: dvec2(x, y),
            alt: false,
            slack_m: 0.5,
            time_s: 1.0,
        }
    }

    fn car() -> AgentId {
        AgentId::new("car")
    }

    fn drag(to: Pointer) -> Meaning {
        Gesture::Move {
            lead: car(),
            agents: vec![car()],
            from: dvec2(10.0, 0.0),
            copy: false,
        }
        .meaning(&scene(), &to)
    }

    #[test]
    fn a_dragged_car_snaps_to_the_lane_and_alt_lets_it_go() {
        // grabbed at its centre (10, 0), dropped 5 m ahead and 1.2 m to the left: within 1.75 m of the lane
        let Edit::Move { point, .. } = drag(pointer(15.0, 1.2)).edits[0].clone() else {
            panic!("not a move")
        };
        // the projection onto 400 m of lane rounds at 1e-13 m
        assert!(dvec2(point[0], point[1]).distance(dvec2(15.0, 0.0)) < 1e-9);
        let free = Pointer {
            alt: true,
            ..pointer(15.0, 1.2)
        };
        let Edit::Move { point, .. } = drag(free).edits[0].clone() else {
            panic!("not a move")
        };
        assert_eq!(point, [15.0, 1.2]);
    }

    #[test]
    fn several_are_copied_at_once_each_under_an_id_of_its_own() {
        let gesture = Gesture::Move {
            lead: car(),
            agents: vec![car(), AgentId::new("ego")],
            from: dvec2(10.0, 0.0),
            copy: true,
        };
        let edits = gesture.meaning(&scene(), &pointer(15.0, 0.0)).edits;
        let ids: Vec<String> = edits
            .iter()
            .filter(|edit| matches!(edit, Edit::Add { .. }))
            .filter_map(|edit| Some(edit.agent()?.to_string()))
            .collect();
        assert_eq!(ids, ["vehicle-1", "vehicle-2"]);
    }

    #[test]
    fn the_note_names_lane_and_metres() {
        let note = drag(pointer(15.0, 1.2)).note;
        assert_eq!(note, "5.0 m   lane west (1.2 m)");
    }

    #[test]
    fn the_speed_arrow_reads_back_the_speed_it_shows() {
        let scene = scene();
        let agent = scene.agent(&car()).unwrap();
        let (tip, _) = pose_handles(agent, Pose::at(10.0, 0.0, 0.0), 7.0, 0.1);
        let gesture = Gesture::Handle(Handle::Speed(car()));
        let meaning = gesture.meaning(&scene, &pointer(tip.x, tip.y));
        let Edit::Move { speed, heading, .. } = meaning.edits[0].clone() else {
            panic!("not a move")
        };
        assert_eq!((speed, heading), (Some(7.0), 0.0));
    }

    #[test]
    fn the_contact_slides_along_the_targets_future_on_half_seconds() {
        let mut scene = scene();
        let Edit::SetAttack { attack } = attack(&scene, &car(), &AgentId::new("ego"), 4.0) else {
            panic!("not an attack")
        };
        scene.attacks.push(attack);
        let gesture = Gesture::Handle(Handle::Contact(car()));
        // the ego is at x = 20 + 10 t: x = 76 is nearest to t = 5.5 s (75 m)
        let meaning = gesture.meaning(&scene, &pointer(76.0, 2.0));
        let Edit::SetAttack { attack } = meaning.edits[0].clone() else {
            panic!("not an attack")
        };
        assert_eq!(attack.time_s, 5.5);
    }

    #[test]
    fn a_click_with_the_attack_tool_aims_at_the_ego_in_three_seconds() {
        let gesture = Gesture::Aim { attacker: car() };
        let meaning = gesture.meaning(&scene(), &pointer(10.0, 0.0));
        let Edit::SetAttack { attack } = meaning.edits[0].clone() else {
            panic!("not an attack")
        };
        assert_eq!((attack.target.as_str(), attack.time_s), ("ego", 4.0)); // 1 s + 3 s
    }

    #[test]
    fn a_goal_takes_the_lane_heading_unless_one_is_drawn() {
        let place = |to: Pointer| {
            let gesture = Gesture::NewGoal {
                agent: car(),
                at: dvec2(80.0, 1.0),
            };
            let Edit::SetGoal { goal } = gesture.meaning(&scene(), &to).edits[0].clone() else {
                panic!("not a goal")
            };
            goal
        };
        let clicked = place(pointer(80.0, 1.0));
        assert_eq!((clicked.point, clicked.heading), ([80.0, 0.0], Some(0.0)));
        assert_eq!(clicked.time_s, 9.0); // the present, 1 s, and 8 s
        let drawn = place(pointer(80.0, 11.0));
        assert!((drawn.heading.unwrap() - std::f64::consts::FRAC_PI_2).abs() < 1e-9);
    }

    #[test]
    fn the_first_vehicle_of_a_map_is_the_ego_and_the_next_is_not() {
        let mut scene = scene();
        let roles = |scene: &Scene| -> Vec<Edit> {
            let edits = added(scene, Body::Car, dvec2(50.0, 0.0), &pointer(50.0, 0.0));
            edits
                .edits
                .into_iter()
                .filter(|edit| matches!(edit, Edit::SetRole { .. }))
                .collect()
        };
        assert!(roles(&scene).is_empty());
        scene.agents.clear();
        let [
            Edit::SetRole {
                role: Role::Ego, ..
            },
        ] = &roles(&scene)[..]
        else {
            panic!("no ego");
        };
        // who is on foot is nobody's ego
        let walker = added(
            &scene,
            Body::Pedestrian,
            dvec2(50.0, 6.0),
            &pointer(50.0, 6.0),
        );
        assert_eq!(walker.edits.len(), 1);
    }

    #[test]
    fn whoever_is_added_goes_as_its_kind_and_those_beside_it_do() {
        let add = |body: Body, x: f64, y: f64| {
            let edit = added(&scene(), body, dvec2(x, y), &pointer(x, y))
                .edits
                .remove(0);
            let Edit::Add {
                agent,
                kind,
                point,
                heading,
                speed,
                size,
            } = edit
            else {
                panic!("not added")
            };
            (agent.to_string(), kind, point, heading, speed, size)
        };
        let (id, kind, point, heading, speed, size) = add(Body::Lorry, 50.0, 1.0);
        assert_eq!((&*id, kind), ("lorry-1", AgentKind::Vehicle));
        // on the lane, as fast as the others there
        assert_eq!((point, heading, speed), ([50.0, 0.0], 0.0, 10.0));
        assert_eq!(size, Some([9.0, 2.5]));
        // beside the road, towards it
        let (id, kind, point, heading, speed, size) = add(Body::Pedestrian, 50.0, 6.0);
        assert_eq!((&*id, kind), ("pedestrian-1", AgentKind::Pedestrian));
        assert_eq!((point, speed, size), ([50.0, 6.0], 1.4, None));
        assert!((heading + std::f64::consts::FRAC_PI_2).abs() < 1e-9);
        assert_eq!(add(Body::Obstacle, 50.0, 1.0).4, 0.0);
        // nobody near says how fast one goes
        assert_eq!(add(Body::Car, 290.0, 0.0).4, USUAL_MPS);
    }

    #[test]
    fn a_vehicle_snaps_to_the_lane_it_lies_in_and_not_to_a_nearer_middle_beside() {
        // a lane 3.5 m wide, and at its edge a shoulder of 0.5 m
        let line = |y: f64| Polyline::new([dvec2(0.0, y), dvec2(100.0, y)]).unwrap();
        let mut lane = Lane::new("lane", LaneKind::Street, line(0.0));
        lane.width = Some(3.5);
        let mut shoulder = Lane::new("shoulder", LaneKind::Other, line(-2.0));
        shoulder.width = Some(0.5);
        let map = Map::build(MapParts {
            lanes: vec![lane, shoulder],
            ..MapParts::default()
        });
        let scene = Scene {
            map: Arc::new(map),
            ..scene()
        };
        let lane = |y: f64| {
            let pose = Pose::at(50.0, y, 0.0);
            snap(&scene, pose, AgentKind::Vehicle).map(|snap| snap.lane.to_string())
        };
        assert_eq!(lane(-1.2).as_deref(), Some("lane")); // 1.2 m from its middle, 0.8 m from the shoulder's
        assert_eq!(lane(-2.0).as_deref(), Some("shoulder"));
        assert_eq!(lane(-3.0).as_deref(), Some("shoulder")); // in none: the nearest
        assert_eq!(lane(-6.0), None);
    }
}
