//! Sub-scores against situations worked out by hand.

use std::sync::Arc;

use super::*;
use crate::geometry::{Polyline, Pose, dvec2};
use crate::map::{Lane, LaneKind, MapParts};
use crate::planner::foresee::{foreseen, others};
use crate::planner::plain::{hermite_to, planned};
use crate::planner::track::{path_of, track};
use crate::planner::{Mode, POINTS};
use crate::scene::{AgentKind, Scene, Signal, SignalState, State, Track};
use crate::sim::Bicycle;

/// East on y = 0 (3.5 m wide), west on y = 3.5, from −200 to 400 m.
fn road() -> Arc<Map> {
    let lane = |id: &str, from: f64, to: f64, y: f64| {
        let line = Polyline::new([dvec2(from, y), dvec2(to, y)]).unwrap();
        Lane::new(id, LaneKind::Street, line)
    };
    Arc::new(Map::build(MapParts {
        lanes: vec![
            lane("east", -200.0, 400.0, 0.0),
            lane("west", 400.0, -200.0, 3.5),
        ],
        ..MapParts::default()
    }))
}

fn agent(id: &str, kind: AgentKind, (x, y, heading): (f64, f64, f64), speed: f64) -> Agent {
    let start = Pose::at(x, y, heading);
    let states = (0..151).map(|frame| {
        let way = speed * (0.1 * f64::from(frame) - 2.0);
        let pose = Pose::new(start.point + start.forward() * way, heading);
        Some(State::along(pose, speed))
    });
    Agent::new(id, kind, Track::new(states.collect()))
}

/// The ego at the origin at the present (2 s) with `speed`, and others where they are then.
fn scene(speed: f64, others: Vec<Agent>) -> Scene {
    let mut agents = vec![agent("ego", AgentKind::Vehicle, (0.0, 0.0, 0.0), speed)];
    agents.extend(others);
    let mut scene = Scene {
        dt_s: 0.1,
        frames: 151,
        now: 20,
        map: road(),
        agents: agents.into_iter().map(Arc::new).collect(),
        ..Scene::default()
    };
    scene.set_ego(&AgentId::new("ego"));
    scene
}

fn straight_on(speed: f64) -> Mode {
    mode(|time_s| State::along(Pose::at(speed * time_s, 0.0, 0.0), speed))
}

fn mode(at: impl Fn(f64) -> State) -> Mode {
    Mode {
        points: std::array::from_fn(|index| planned(&at(0.5 * (index + 1) as f64))),
        probability: 1.0,
        tokens: Vec::new(),
    }
}

fn scored(scene: &Scene, mode: &Mode) -> Scores {
    scored_by(Variant::Pdms, scene, mode)
}

fn scored_by(variant: Variant, scene: &Scene, mode: &Mode) -> Scores {
    let ego = scene.ego().unwrap();
    let present = ego.track.get(scene.now).unwrap();
    let body = Bicycle::from_state(present, ego.length);
    let tracked = track(&path_of(present, mode), body);
    let seen = foreseen(scene);
    let others = others(&seen, &ego.id);
    let stage = Stage::new(&seen, ego, &others, SCORED_S, variant);
    held_against(&stage, &tracked, &tracked)
}

fn held_against(stage: &Stage<'_>, path: &[TrackedState], reference: &[TrackedState]) -> Scores {
    let reference = stage.judge(reference);
    Partial::complete(vec![stage.judge(path)], &reference, stage.variant, None).remove(0)
}

fn values(scores: &Scores) -> Vec<f64> {
    scores.terms.iter().map(|term| term.score).collect()
}

#[test]
fn going_on_alone_in_the_lane_scores_one() {
    let scores = scored(&scene(10.0, vec![]), &straight_on(10.0));
    assert_eq!(values(&scores), [1.0; 6]);
    assert!((scores.total - 1.0).abs() < 1e-9);
    // 40 steps of 1 m along the lane
    assert!((scores.term(TermKind::Progress).unwrap().value - 40.0).abs() < 1e-6);
}

#[test]
fn running_into_what_stands_is_no_points_with_time_and_name() {
    // boxes 4.7 m long: they overlap once 10 t > 30 − 4.7, t > 2.53, so at step 26; time to collision fails 0.9 s
    // earlier: 10 (t + 0.9) > 25.3 at t > 1.63, step 17
    let parked = agent("parked", AgentKind::Vehicle, (30.0, 0.0, 0.0), 0.0);
    let scores = scored(&scene(10.0, vec![parked]), &straight_on(10.0));
    let collision = scores.term(TermKind::NoCollision).unwrap();
    assert_eq!(collision.score, 0.0);
    assert!((collision.time_s.unwrap() - 2.6).abs() < 1e-9);
    assert_eq!(collision.who, Some(AgentId::new("parked")));
    let ttc = scores.term(TermKind::TimeToCollision).unwrap();
    assert_eq!((ttc.score, ttc.value), (0.0, 0.9));
    assert!((ttc.time_s.unwrap() - 1.7).abs() < 1e-9);
    assert!((scores.clear_s - 2.6).abs() < 1e-9);
    assert_eq!(scores.total, 0.0);
    // most · multiplier is 0 ≤ 5 m, multiplier 0: progress 0
    assert_eq!(scores.term(TermKind::Progress).unwrap().score, 0.0);
}

#[test]
fn a_cone_costs_half() {
    let cone = agent("cone", AgentKind::Other, (30.0, 0.0, 0.0), 0.0);
    let scores = scored(&scene(10.0, vec![cone]), &straight_on(10.0));
    assert_eq!(scores.term(TermKind::NoCollision).unwrap().score, 0.5);
    // total ½ · 1 · (5 · EP + 5 · 0 + 2 · 1) / 12, EP = 40 · ½ / (40 · ½) = 1: ½ · 7 / 12
    assert!(
        (scores.total - 0.5 * 7.0 / 12.0).abs() < 1e-9,
        "{}",
        scores.arithmetic
    );
}

#[test]
fn being_run_into_from_behind_is_not_held_against_the_ego() {
    let fast = agent("fast", AgentKind::Vehicle, (-20.0, 0.0, 0.0), 20.0);
    let scores = scored(&scene(10.0, vec![fast]), &straight_on(10.0));
    let term = scores.term(TermKind::NoCollision).unwrap();
    assert_eq!(term.score, 1.0);
    assert!(term.reason.contains("from behind"), "{}", term.reason);
    assert_eq!(scores.clear_s, SCORED_S);
}

#[test]
fn a_follower_who_is_met_from_behind_is_never_ahead() {
    // 12 m behind and 3 m/s faster: replayed, it touches the ego's back at 2.5 s and drives on through it
    let follower = agent("follower", AgentKind::Vehicle, (-12.0, 0.0, 0.0), 6.0);
    for variant in Variant::OF_PLANS {
        let scores = scored_by(
            variant,
            &scene(3.0, vec![follower.clone()]),
            &straight_on(3.0),
        );
        let ttc = scores.term(TermKind::TimeToCollision).unwrap();
        assert_eq!(ttc.score, 1.0, "{}", ttc.reason);
    }
    // boxes 4.7 m long, centres 8 m apart: at constant velocity they overlap after 0.9 s, the follower's beginning
    // ahead of where the ego is
    let follower = agent("follower", AgentKind::Vehicle, (-8.0, 0.0, 0.0), 14.0);
    let scene = scene(10.0, vec![follower]);
    let scores = scored_by(Variant::NuPlan, &scene, &straight_on(10.0));
    let ttc = scores.term(TermKind::TimeToCollision).unwrap();
    assert_eq!(ttc.score, 1.0, "{}", ttc.reason);
}

#[test]
fn in_nuplans_score_a_contact_by_the_egos_fault_is_no_time_at_all() {
    // comes from the left at 20 m/s, 4 m to the side (45°, not ahead) a tenth of a second before the ego's front, at 8 m
    // by then, cuts into it
    let down = -std::f64::consts::FRAC_PI_2;
    let crosses = agent("crosses", AgentKind::Vehicle, (8.0, 40.0, down), 20.0);
    let scene = scene(3.0, vec![crosses]);
    let scores = scored_by(Variant::NuPlan, &scene, &straight_on(3.0));
    let ttc = scores.term(TermKind::TimeToCollision).unwrap();
    let collision = scores.term(TermKind::NoCollision).unwrap();
    assert_eq!(
        (collision.score, ttc.score),
        (0.0, 0.0),
        "{}",
        collision.reason
    );
    let contact = (10.0 * collision.time_s.unwrap()).round() as usize;
    assert_eq!(ttc.series.values[contact], 0.0);
    // whoever has been touched is not met again
    assert!(
        ttc.series.values[contact + 1..]
            .iter()
            .all(|value| value.is_infinite())
    );
}

#[test]
fn who_overlaps_at_the_start_is_ignored() {
    let inside = agent("inside", AgentKind::Vehicle, (1.0, 0.0, 0.0), 10.0);
    let scores = scored(&scene(10.0, vec![inside]), &straight_on(10.0));
    assert_eq!(values(&scores)[0], 1.0);
    assert_eq!(values(&scores)[3], 1.0);
}

#[test]
fn drifting_off_the_lanes_fails_the_drivable_area() {
    // to the right at 1 m/s sideways: corner at y = −1 − t (and a little for the heading) leaves −1.75 − 0.3 at about
    // 1 s
    let drift = mode(|time_s| State::along(Pose::at(10.0 * time_s, -time_s, -0.0997), 10.05));
    let scores = scored(&scene(10.0, vec![]), &drift);
    let term = scores.term(TermKind::DrivableArea).unwrap();
    assert_eq!(term.score, 0.0);
    assert!((0.6..2.0).contains(&term.time_s.unwrap()), "{term:?}");
    assert_eq!(scores.total, 0.0);
}

#[test]
fn the_oncoming_lane_costs_half_and_then_all_but_has_no_weight() {
    // a second in the oncoming lane at 4 m/s is 4 m: ½; at 10 m/s 10 m: 0
    for (speed, score) in [(4.0, 0.5), (10.0, 0.0)] {
        let mut scene = scene(speed, vec![]);
        let ego = agent("ego", AgentKind::Vehicle, (0.0, 3.5, 0.0), speed);
        scene.agents[0] = Arc::new(Agent {
            role: crate::scene::Role::Ego,
            ..ego
        });
        let on = mode(|time_s| State::along(Pose::at(speed * time_s, 3.5, 0.0), speed));
        let scores = scored(&scene, &on);
        let term = scores.term(TermKind::Direction).unwrap();
        assert_eq!(term.score, score, "{}", term.reason);
        assert!((term.value - speed).abs() < 1e-6);
    }
}

#[test]
fn braking_hard_is_uncomfortable_and_says_which_limit() {
    // from 15 m/s to rest in 2 s: −7.5 m/s², the limit is −4.05
    let present = State::along(Pose::at(0.0, 0.0, 0.0), 15.0);
    let stop = mode(|time_s| {
        let t = time_s.min(2.0);
        State::along(Pose::at(15.0 * t - 3.75 * t * t, 0.0, 0.0), 15.0 - 7.5 * t)
    });
    let scores = scored(&scene(15.0, vec![]), &stop);
    let term = scores.term(TermKind::Comfort).unwrap();
    assert_eq!(term.score, 0.0);
    assert!(term.reason.contains("longitudinal"), "{}", term.reason);
    assert!(present.speed() > 0.0);
}

#[test]
fn progress_is_measured_against_the_best_without_harm() {
    // the path makes 20 m of the reference's 40 m
    let scene = scene(10.0, vec![]);
    let ego = scene.ego().unwrap();
    let present = ego.track.get(scene.now).unwrap();
    let body = |speed: f64| Bicycle::new(present.pose(), speed, ego.length);
    let path = |speed: f64| {
        let mode = straight_on(speed);
        let start = State::along(present.pose(), speed);
        track(&path_of(&start, &mode), body(speed))
    };
    let (slow, fast) = (path(5.0), path(10.0));
    let stage = Stage::new(&scene, ego, &[], SCORED_S, Variant::Pdms);
    let scores = held_against(&stage, &slow, &fast);
    let term = scores.term(TermKind::Progress).unwrap();
    assert!((term.score - 0.5).abs() < 1e-6, "{}", term.reason);
    // (5 · ½ + 5 + 2) / 12
    assert!((scores.total - 9.5 / 12.0).abs() < 1e-6);
}

#[test]
fn nobody_is_blamed_for_standing_where_nobody_moves() {
    let stand = mode(|_| State::along(Pose::at(0.0, 0.0, 0.0), 0.0));
    let scores = scored(&scene(0.0, vec![]), &stand);
    assert_eq!(scores.term(TermKind::Progress).unwrap().score, 1.0);
    assert!((scores.total - 1.0).abs() < 1e-9);
}

#[test]
fn a_cubic_to_a_reachable_end_is_comfortable() {
    let present = State::along(Pose::at(0.0, 0.0, 0.0), 10.0);
    let end = State::along(Pose::at(80.0, 0.0, 0.0), 10.0);
    let scores = scored(&scene(10.0, vec![]), &hermite_to(&present, &end));
    assert_eq!(scores.term(TermKind::Comfort).unwrap().score, 1.0);
    assert_eq!(POINTS, 16);
}

#[test]
fn the_extended_score_is_the_second_versions_arithmetic() {
    let alone = scored_by(Variant::Epdms, &scene(10.0, vec![]), &straight_on(10.0));
    assert_eq!(values(&alone), [1.0; 8]);
    assert_eq!(
        alone.arithmetic,
        "1 · 1 · 1 · 1 · (5 · 1.000 + 5 · 1 + 2 · 1 + 2 · 1) / 14 = 1.000"
    );
    // a cone: NC ½; progress 40 m of the larger of 40 · ½ and 40 · ½, cut at 1; TTC 0: ½ · (5 + 0 + 2 + 2) / 14
    let cone = agent("cone", AgentKind::Other, (30.0, 0.0, 0.0), 0.0);
    let hit = scored_by(Variant::Epdms, &scene(10.0, vec![cone]), &straight_on(10.0));
    assert!(
        (hit.total - 0.5 * 9.0 / 14.0).abs() < 1e-9,
        "{}",
        hit.arithmetic
    );
}

#[test]
fn the_second_version_looks_ahead_inside_the_scored_time_only() {
    // at 10 m/s 45 m lie ahead of the front of a car 49.7 m off: first met within 0.9 s at 4.5 − 0.9 = 3.6 s
    let parked = agent("parked", AgentKind::Vehicle, (49.7, 0.0, 0.0), 0.0);
    let scene = scene(10.0, vec![parked]);
    let first = scored_by(Variant::Pdms, &scene, &straight_on(10.0));
    let second = scored_by(Variant::Epdms, &scene, &straight_on(10.0));
    assert_eq!(first.score(TermKind::TimeToCollision), 0.0);
    assert_eq!(second.score(TermKind::TimeToCollision), 1.0);
}

#[test]
fn two_seconds_beside_the_centreline_are_too_many() {
    let scene = scene(5.0, vec![]);
    let ego = scene.ego().unwrap();
    let stage = Stage::new(&scene, ego, &[], SCORED_S, Variant::Epdms);
    // 0.6 m to the right from the sixth step on for so many steps
    let score = |steps: usize| {
        let states = (0..41).map(|step| {
            let y = if (5..5 + steps).contains(&step) {
                -0.6
            } else {
                0.4
            };
            TrackedState {
                state: State::along(Pose::at(0.5 * step as f64, y, 0.0), 5.0),
                speed: 5.0,
                acceleration: 0.0,
                yaw_rate: 0.0,
            }
        });
        let path: Vec<TrackedState> = states.collect();
        let scores = held_against(&stage, &path, &path);
        let term = scores.term(TermKind::LaneKeeping).unwrap();
        assert!((term.value - 0.1 * steps as f64).abs() < 1e-9);
        assert!((term.series.values[10] - 0.6).abs() < 1e-9);
        (term.score, term.time_s.is_some())
    };
    assert_eq!(score(19), (1.0, false));
    assert_eq!(score(20), (0.0, true));
}

#[test]
fn a_junction_entered_on_red_is_no_points_and_one_left_on_red_is() {
    let lane = |id: &str, from: f64, to: f64, junction: bool| {
        let line = Polyline::new([dvec2(from, 0.0), dvec2(to, 0.0)]).unwrap();
        let mut lane = Lane::new(id, LaneKind::Street, line);
        lane.in_junction = junction;
        lane
    };
    let lit = |from: usize| {
        let mut scene = scene(10.0, vec![]);
        scene.map = Arc::new(Map::build(MapParts {
            lanes: vec![
                lane("in", -100.0, 20.0, false),
                lane("through", 20.0, 40.0, true),
                lane("out", 40.0, 200.0, false),
            ],
            ..MapParts::default()
        }));
        let states = (0..151).map(|frame| {
            if frame < from {
                SignalState::Green
            } else {
                SignalState::Red
            }
        });
        scene.signals = Arc::new(vec![Signal::new(
            crate::map::LaneId::new("through"),
            None,
            states.collect(),
        )]);
        scene
    };
    let judged = |from: usize| {
        let scene = lit(from);
        let ego = scene.ego().unwrap();
        let present = ego.track.get(scene.now).unwrap();
        let body = Bicycle::from_state(present, ego.length);
        let tracked = track(&path_of(present, &straight_on(10.0)), body);
        let stage = Stage::new(&scene, ego, &[], SCORED_S, Variant::Epdms);
        held_against(&stage, &tracked, &tracked)
    };
    // the front, 2.35 m ahead of the centre, is 1 m past the line at 20 m once 10 t > 18.65: at 1.9 s, frame 39
    let term = judged(0).term(TermKind::TrafficLights).unwrap().clone();
    assert_eq!(term.score, 0.0);
    assert!((term.time_s.unwrap() - 1.9).abs() < 1e-9, "{}", term.reason);
    assert_eq!(judged(39).score(TermKind::TrafficLights), 0.0);
    assert_eq!(judged(40).score(TermKind::TrafficLights), 1.0);
    assert_eq!(judged(0).total, 0.0);
}

#[test]
fn comfort_with_the_history_feels_the_brake_that_was_on_before() {
    // braked from 15 to 10 m/s over the second before the present, −5 m/s²; then steady
    let mut braked = scene(10.0, vec![]);
    let states = (0..151).map(|frame| {
        let time_s = 0.1 * f64::from(frame) - 2.0;
        let before = (-time_s).clamp(0.0, 1.0);
        let (speed, way) = if time_s < -1.0 {
            (15.0, -12.5 + 15.0 * (time_s + 1.0))
        } else {
            (10.0 + 5.0 * before, 10.0 * time_s - 2.5 * before * before)
        };
        Some(State::along(Pose::at(way, 0.0, 0.0), speed))
    });
    let ego = Agent {
        track: Track::new(states.collect()),
        ..Agent::clone(&braked.agents[0])
    };
    braked.agents[0] = Arc::new(ego);
    let steady = straight_on(10.0);
    let without = scored_by(Variant::Pdms, &braked, &steady);
    let with = scored_by(Variant::Epdms, &braked, &steady);
    assert_eq!(without.score(TermKind::Comfort), 1.0);
    let term = with.term(TermKind::HistoryComfort).unwrap();
    assert_eq!(term.score, 0.0, "{}", term.reason);
    assert!(term.time_s.unwrap() <= 0.0, "{term:?}");
    assert_eq!(term.series.values.len(), 41);
}

#[test]
fn the_closed_loop_score_is_nuplans_arithmetic() {
    let mut scene = scene(10.0, vec![]);
    let mut limited = scene.map.lanes().to_vec();
    limited[0].speed_limit = Some(10.0 - 1.115); // half of 2.23 m/s too fast, all along
    scene.map = Arc::new(Map::build(MapParts {
        lanes: limited,
        ..MapParts::default()
    }));
    let ego = scene.ego().unwrap();
    let present = ego.track.get(scene.now).unwrap();
    let path = |speed: f64| {
        let start = State::along(present.pose(), speed);
        let body = Bicycle::new(present.pose(), speed, ego.length);
        track(&path_of(&start, &straight_on(speed)), body)
    };
    let (driven, expert, far) = (path(10.0), path(20.0), path(55.0));
    let stage = Stage::new(&scene, ego, &[], 6.0, Variant::NuPlan);
    let scores = held_against(&stage, &driven, &expert);
    // 60 m of the expert's 120 m; limit ½: (5 · ½ + 5 + 4 · ½ + 2) / 16
    assert!(
        (scores.total - 11.5 / 16.0).abs() < 1e-6,
        "{}",
        scores.arithmetic
    );
    // 60 m of 330 m are less than a fifth
    let slow = held_against(&stage, &driven, &far);
    assert_eq!(
        (slow.score(TermKind::MakingProgress), slow.total),
        (0.0, 0.0)
    );
}

#[test]
fn each_step_of_a_term_can_be_read() {
    // 30 − 4.7 m between the boxes at the start, 1 m less each step, measured from 15 m on, touching from step 26 on
    let parked = agent("parked", AgentKind::Vehicle, (30.0, 0.0, 0.0), 0.0);
    let scores = scored(&scene(10.0, vec![parked]), &straight_on(10.0));
    let gaps = &scores.term(TermKind::NoCollision).unwrap().series.values;
    assert_eq!(gaps.len(), 41);
    assert!(gaps[10].is_infinite() && (gaps[11] - 14.3).abs() < 1e-6);
    assert_eq!(gaps[26], 0.0);
    let ttc = &scores
        .term(TermKind::TimeToCollision)
        .unwrap()
        .series
        .values;
    // at step 17 within 0.9 s, at step 20 (5.3 m) within 0.6 s
    assert!(ttc[16].is_infinite());
    assert!((ttc[17] - 0.9).abs() < 1e-9 && (ttc[20] - 0.6).abs() < 1e-9);
    let made = &scores.term(TermKind::Progress).unwrap().series.values;
    assert!((made[40] - 40.0).abs() < 1e-6);
}

/// 4 s along a straight line at an acceleration and a yaw rate that are the same at every step.
fn steady(acceleration: f64, yaw_rate: f64) -> Vec<TrackedState> {
    (0..=40)
        .map(|step| {
            let time_s = f64::from(step) * STEP_S;
            let pose = Pose::at(10.0 * time_s, 0.0, yaw_rate * time_s);
            TrackedState {
                state: State::along(pose, 10.0),
                speed: 0.0,
                acceleration,
                yaw_rate,
            }
        })
        .collect()
}

#[test]
fn the_first_version_smooths_accelerations_over_the_whole_path() {
    // 0.4 s at −8 m/s² in the middle: some −6.5 of eight samples, of 41 some −1.8; the limit is −4.05
    let mut path = steady(0.0, 0.0);
    for state in &mut path[18..22] {
        state.acceleration = -8.0;
    }
    let scene = scene(10.0, vec![]);
    let comfort = |variant: Variant| {
        let stage = Stage::new(&scene, scene.ego().unwrap(), &[], SCORED_S, variant);
        held_against(&stage, &path, &path).score(TermKind::Comfort)
    };
    assert_eq!(comfort(Variant::Pdms), 1.0);
    assert_eq!(comfort(Variant::NuPlan), 0.0);
}

#[test]
fn plans_feel_alike_up_to_the_limits_of_ec() {
    let before = steady(0.3, 0.0);
    assert!(extended_comfort(&before, &steady(0.3, 0.0)));
    // accelerations 0.69 and 0.71 m/s² apart, of 0.7; jerk is 0
    assert!(extended_comfort(&before, &steady(0.99, 0.0)));
    assert!(!extended_comfort(&before, &steady(1.01, 0.0)));
    // yaw rates 0.09 and 0.11 rad/s apart, of 0.1
    assert!(extended_comfort(&before, &steady(0.3, 0.09)));
    assert!(!extended_comfort(&before, &steady(0.3, 0.11)));
    assert!(!extended_comfort(&before, &before[..30]));
}

#[test]
fn what_costs_most_is_a_factor_or_weighs_most_and_never_what_has_no_weight() {
    let mut scores = scored(&scene(10.0, vec![]), &straight_on(10.0));
    let mut costliest = |given: &[(TermKind, f64)]| {
        for term in &mut scores.terms {
            let score = given.iter().find(|(kind, _)| *kind == term.kind);
            term.score = score.map_or(1.0, |(_, score)| *score);
        }
        scores.costliest().unwrap().kind
    };
    use TermKind::{Comfort, Direction, DrivableArea, NoCollision, Progress, TimeToCollision};
    // 5 · 0.5 of progress, 2 of comfort, nothing of direction
    let weighted = [(Direction, 0.0), (Comfort, 0.0), (Progress, 0.5)];
    assert_eq!(costliest(&weighted), Progress);
    assert_eq!(costliest(&[(Comfort, 0.0), (Progress, 0.7)]), Comfort);
    let factors = [
        (NoCollision, 0.5),
        (DrivableArea, 0.0),
        (TimeToCollision, 0.0),
    ];
    assert_eq!(costliest(&factors), DrivableArea);
    assert_eq!(
        costliest(&[(NoCollision, 0.5), (TimeToCollision, 0.0)]),
        NoCollision
    );
    assert_eq!(costliest(&[(Direction, 0.0)]), NoCollision);
}

#[test]
fn ec_takes_two_of_sixteen_parts_of_the_extended_score_and_none_of_the_others() {
    let of = |_| 1.0;
    let with = |variant: Variant, alike| variant.with_extended_comfort(1.0, of, alike);
    assert_eq!(with(Variant::Epdms, true), Some(1.0));
    assert_eq!(with(Variant::Epdms, false), Some(14.0 / 16.0));
    assert_eq!(with(Variant::Pdms, true), None);
    // a factor of 0 leaves nothing
    let hits = |kind| f64::from(kind != TermKind::NoCollision);
    let none = Variant::Epdms.with_extended_comfort(0.0, hits, true);
    assert_eq!(none, Some(0.0));
}
