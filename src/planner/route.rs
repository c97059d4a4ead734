//! Where the ego's driver means to go: a course, and the lanes that belong to it.

use super::own::is_told;
use crate::codec::{LanePiece, PIECE_POINTS, Window};
use crate::geometry::{DVec2, Pose};
use crate::scene::Scene;

/// Legs of a course are about so long, s.
const LEG_S: f64 = 1.0;
/// Legs shorter than this say nothing of a direction, m.
const LEAST_LEG_M: f64 = 0.1;
/// What is farther from the course does not belong to it, m: neighbouring lanes do.
const WIDTH_M: f64 = 4.5;
/// Cosine of the angle at which a lane still runs along the course, or goes on from another.
const COS: f64 = 0.7;
/// Share of a piece's points beside the course that must be near it and run along it.
const SHARE: f64 = 0.7;
/// A lane whose start is nearer than this to another's end goes on from it, m.
const JOIN_M: f64 = 2.0;
/// Points of a lane piece by which a course goes on along it.
const PROLONGED_BY: [usize; 3] = [6, 13, 19];
/// Pieces by which a route goes on from where the course ends.
const HOPS: usize = 6;
/// The course's end must be this near a lane for the route to go on along it, m (with 1.5 m · (1 − cos)).
const REACH_M: f64 = 6.0;

/// Where the ego's driver means to go, as a course in the scene's frame, or as lane pieces that somebody has named. What the planner is told of it is only which
/// lanes run along it, neighbouring ones among them. So that they do not say how far the driver gets, the course goes on
/// from its end along the straightest lanes.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    course: Vec<Pose>,
    /// Points of the pieces; empty where a course says which.
    told: Vec<Vec<DVec2>>,
}

impl Route {
    /// A route along a course; `None` without a pose.
    pub fn new(course: Vec<Pose>) -> Option<Self> {
        (!course.is_empty()).then_some(Self {
            course,
            told: Vec::new(),
        })
    }

    /// A route of lane pieces by their points, as another program was told it; `None` without one.
    pub fn told(pieces: Vec<Vec<DVec2>>) -> Option<Self> {
        (!pieces.is_empty()).then_some(Self {
            course: Vec::new(),
            told: pieces,
        })
    }

    /// The way the ego of `scene` takes from the present on: as recorded, generated or drawn. `None` where the scene
    /// does not say.
    pub fn of(scene: &Scene) -> Option<Self> {
        let ego = scene.ego()?;
        ego.track.get(scene.now + 1)?;
        let every = ((LEG_S / scene.dt_s).round() as usize).max(1);
        let known = (scene.now..scene.frames).map_while(|frame| ego.track.get(frame));
        let poses: Vec<Pose> = known
            .map(|state| Pose::new(state.position, state.heading))
            .collect();
        let last = poses.len().saturating_sub(1);
        let kept = (0..poses.len()).filter(|at| at % every == 0 || *at == last);
        Self::new(kept.map(|at| poses[at]).collect())
    }

    /// Tells the lane pieces of `window` whether they belong to the route from where the ego (row 0) now is; if none
    /// does, nothing is said.
    pub fn mark(&self, window: &mut Window) {
        if window.rows.is_empty() {
            return;
        }
        let on: Vec<bool> = if self.told.is_empty() {
            self.ahead_of(window.frame(0)).pieces_on(&window.lanes)
        } else {
            let told = |piece| is_told(piece, &self.told);
            window.lanes.iter().map(told).collect()
        };
        let told = on.contains(&true);
        for (piece, on) in window.lanes.iter_mut().zip(on) {
            piece.on_route = told.then_some(on);
        }
    }

    /// The route from a present pose on: to it, and then the course after what is nearest.
    fn ahead_of(&self, present: Pose) -> Self {
        let gaps = self.course.iter().enumerate();
        let passed = gaps
            .map(|(index, pose)| (pose.point.distance(present.point), index))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map_or(0, |(_, index)| index + 1);
        let rest = self.course.iter().skip(passed).copied();
        Self {
            course: std::iter::once(present).chain(rest).collect(),
            told: Vec::new(),
        }
    }

    /// Which of the pieces belong to the route.
    fn pieces_on(&self, pieces: &[LanePiece]) -> Vec<bool> {
        let way = self.prolonged(pieces);
        let legs: Vec<Leg> = way
            .windows(2)
            .map(|pair| Leg {
                from: pair[0],
                way: pair[1] - pair[0],
            })
            .filter(|leg| leg.way.length() > LEAST_LEG_M)
            .collect();
        pieces
            .iter()
            .map(|piece| piece.carries_vehicles && follows(piece, &legs))
            .collect()
    }

    /// The course's places, and from its end on those of the lane it ends on and of the straightest lanes after it.
    fn prolonged(&self, pieces: &[LanePiece]) -> Vec<DVec2> {
        let mut way: Vec<DVec2> = self.course.iter().map(|pose| pose.point).collect();
        let Some(end) = self.course.last() else {
            return way;
        };
        let mut at = self.piece_at_end(pieces);
        for hop in 0..=HOPS {
            let Some(piece) = at else { break };
            let ahead = |point: &DVec2| hop > 0 || (*point - end.point).dot(end.forward()) > 1.0;
            let points = PROLONGED_BY.map(|point| pieces[piece].points[point]);
            way.extend(points.into_iter().filter(ahead));
            at = straightest_after(pieces, piece);
        }
        way
    }

    /// The piece on which the course ends.
    fn piece_at_end(&self, pieces: &[LanePiece]) -> Option<usize> {
        let end = self.course.last()?;
        let cost = |piece: &LanePiece| {
            let costs = (0..PIECE_POINTS).step_by(2).map(|point| {
                let same = direction_at(piece, point).dot(end.forward());
                piece.points[point].distance(end.point) + 1.5 * (1.0 - same)
            });
            costs.fold(f64::INFINITY, f64::min)
        };
        let costs = pieces.iter().enumerate();
        costs
            .filter(|(_, piece)| piece.carries_vehicles)
            .map(|(index, piece)| (cost(piece), index))
            .filter(|(cost, _)| *cost < REACH_M)
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, index)| index)
    }
}

/// A stretch of a way.
struct Leg {
    from: DVec2,
    way: DVec2,
}

/// Whether most of what of the piece lies beside the way runs along it.
fn follows(piece: &LanePiece, legs: &[Leg]) -> bool {
    let (mut beside_it, mut follows) = (0, 0);
    for point in (0..PIECE_POINTS).step_by(2) {
        let Some((gap, direction)) = beside(piece.points[point], legs) else {
            continue;
        };
        beside_it += 1;
        let along = direction_at(piece, point).dot(direction);
        follows += u32::from(gap < WIDTH_M && along > COS);
    }
    follows > 0 && f64::from(follows) >= SHARE * f64::from(beside_it)
}

/// Distance from the way and its direction there; `None` before its start and past its end.
fn beside(point: DVec2, legs: &[Leg]) -> Option<(f64, DVec2)> {
    let nearest = legs.iter().enumerate().map(|(index, leg)| {
        let at = (point - leg.from).dot(leg.way) / leg.way.length_squared();
        let gap = (point - leg.from - leg.way * at.clamp(0.0, 1.0)).length();
        (gap, at, index)
    });
    let (gap, at, index) = nearest.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let past = (index == 0 && at < 0.0) || (index + 1 == legs.len() && at > 1.0);
    (!past).then(|| (gap, legs[index].way.normalize_or_zero()))
}

/// Direction of a piece at one of its points, to the next; the last but one's at the last.
fn direction_at(piece: &LanePiece, point: usize) -> DVec2 {
    let from = point.min(PIECE_POINTS - 2);
    (piece.points[from + 1] - piece.points[from]).normalize_or_zero()
}

/// The piece that goes on from another in its direction and turns least.
fn straightest_after(pieces: &[LanePiece], piece: usize) -> Option<usize> {
    let end = pieces[piece].points[PIECE_POINTS - 1];
    let out = direction_at(&pieces[piece], PIECE_POINTS - 1);
    let straight = |next: &LanePiece| {
        let whole = next.points[PIECE_POINTS - 1] - next.points[0];
        whole.normalize_or_zero().dot(out)
    };
    let next = pieces.iter().enumerate().filter(|(_, next)| {
        let joins = next.points[0].distance(end) < JOIN_M && direction_at(next, 0).dot(out) > COS;
        next.carries_vehicles && joins
    });
    next.map(|(index, next)| (straight(next), index))
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
        .map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::codec::{Options, T};
    use crate::geometry::dvec2;
    use crate::map::LaneKind;
    use crate::scene::{Agent, AgentKind, Role, SignalState, State, Track};

    fn piece(points: impl Fn(f64) -> DVec2) -> LanePiece {
        LanePiece {
            points: std::array::from_fn(|at| points(at as f64 / (PIECE_POINTS - 1) as f64)),
            lane: 0,
            kind: LaneKind::Street,
            carries_vehicles: true,
            in_junction: false,
            speed_limit: None,
            signals: [SignalState::Unknown; T],
            on_route: None,
        }
    }

    fn line(from: DVec2, to: DVec2) -> LanePiece {
        piece(|share| from.lerp(to, share))
    }

    /// A quarter circle to the left that begins at (50, 0) and ends at (60, 10).
    fn left_turn() -> LanePiece {
        piece(|share| {
            let angle = share * std::f64::consts::FRAC_PI_2;
            dvec2(50.0 + 10.0 * angle.sin(), 10.0 - 10.0 * angle.cos())
        })
    }

    /// To a crossing, and from there straight on or left.
    fn crossing() -> Vec<LanePiece> {
        vec![
            line(dvec2(0.0, 0.0), dvec2(50.0, 0.0)),
            line(dvec2(50.0, 0.0), dvec2(70.0, 0.0)),
            left_turn(),
            line(dvec2(70.0, 0.0), dvec2(110.0, 0.0)),
            line(dvec2(60.0, 10.0), dvec2(60.0, 50.0)),
            line(dvec2(50.0, 3.5), dvec2(0.0, 3.5)), // oncoming
            line(dvec2(0.0, -3.5), dvec2(50.0, -3.5)), // beside
        ]
    }

    fn on(course: &[(f64, f64, f64)]) -> Vec<bool> {
        let poses = course
            .iter()
            .map(|&(x, y, heading)| Pose::at(x, y, heading));
        Route::new(poses.collect()).unwrap().pieces_on(&crossing())
    }

    #[test]
    fn a_turn_leaves_the_lanes_straight_on_out() {
        let quarter = std::f64::consts::FRAC_PI_2;
        let found = on(&[
            (30.0, 0.0, 0.0),
            (50.0, 0.0, 0.0),
            (57.0, 2.9, quarter / 2.0),
            (60.0, 10.0, quarter),
            (60.0, 15.0, quarter),
        ]);
        assert_eq!(found, [true, false, true, false, true, false, true]);
    }

    #[test]
    fn a_course_that_ends_early_goes_straight_on() {
        let found = on(&[(10.0, 0.0, 0.0), (20.0, 0.0, 0.0)]);
        assert_eq!(found, [true, true, false, true, false, false, true]);
    }

    #[test]
    fn a_route_does_not_say_how_far_its_driver_gets() {
        let slow = on(&[(10.0, 0.0, 0.0), (12.0, 0.0, 0.0)]);
        let fast = on(&[(10.0, 0.0, 0.0), (60.0, 0.0, 0.0), (105.0, 0.0, 0.0)]);
        let standing = on(&[(10.0, 0.3, 0.0), (10.0, 0.3, 0.0)]);
        assert_eq!((&slow, &standing), (&fast, &fast));
    }

    #[test]
    fn what_is_already_passed_no_longer_belongs_to_the_route() {
        let route = Route::new(vec![
            Pose::at(10.0, 0.0, 0.0),
            Pose::at(50.0, 0.0, 0.0),
            Pose::at(68.0, 0.0, 0.0),
            Pose::at(80.0, 0.0, 0.0),
        ]);
        let rest = route.unwrap().ahead_of(Pose::at(67.0, 0.5, 0.0));
        let expected = [Pose::at(67.0, 0.5, 0.0), Pose::at(80.0, 0.0, 0.0)];
        assert_eq!(rest.course, expected);
        assert!(!rest.pieces_on(&crossing())[0]);
    }

    /// A window with the ego at (0, y), and the crossing.
    fn window(y: f64) -> Window {
        let track = Track::new(vec![Some(State::along(Pose::at(0.0, y, 0.0), 5.0))]);
        let mut ego = Agent::new("ego", AgentKind::Vehicle, track);
        ego.role = Role::Ego;
        let scene = Scene {
            frames: 1,
            agents: vec![Arc::new(ego)],
            ..Scene::default()
        };
        Window {
            lanes: crossing(),
            ..Window::new(&scene, &Options::default())
        }
    }

    #[test]
    fn far_from_every_lane_nothing_is_said() {
        let marked = |y: f64| -> Vec<Option<bool>> {
            let course = vec![Pose::at(0.0, y, 0.0), Pose::at(9.0, y, 0.0)];
            let mut window = window(y);
            Route::new(course).unwrap().mark(&mut window);
            window.lanes.iter().map(|piece| piece.on_route).collect()
        };
        assert!(marked(500.0).iter().all(Option::is_none));
        let near = marked(0.0);
        assert_eq!((near[0], near[5]), (Some(true), Some(false)));
    }

    #[test]
    fn the_way_of_the_scene_is_known_only_where_the_ego_has_a_future() {
        let states = (0..31).map(|frame| {
            let pose = Pose::at(f64::from(frame), 0.0, 0.0);
            (frame < 26).then(|| State::along(pose, 10.0))
        });
        let mut ego = Agent::new("ego", AgentKind::Vehicle, Track::new(states.collect()));
        ego.role = Role::Ego;
        let mut scene = Scene {
            dt_s: 0.1,
            frames: 31,
            now: 5,
            agents: vec![Arc::new(ego)],
            ..Scene::default()
        };
        // every second from frame 5 to the last known one, 25
        let poses = [5.0, 15.0, 25.0].map(|x| Pose::at(x, 0.0, 0.0));
        assert_eq!(Route::of(&scene).unwrap().course, poses);
        scene.now = 25;
        assert_eq!(Route::of(&scene), None);
    }
}
