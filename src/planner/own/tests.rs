//! What is sent holds nothing of the future; what comes back is read, or refused with the element at fault.

use std::sync::Mutex;

use super::*;
use crate::geometry::Polyline;
use crate::map::{Lane, LaneKind, MapParts};
use crate::planner::{Decoder, Planners, Start, plan};
use crate::scene::{Agent, AgentKind, Goal, Track};

/// Answers every request with the same line and keeps the last request.
struct Says(String, Mutex<String>);

impl Says {
    fn new(line: &str) -> Self {
        Self(line.to_owned(), Mutex::default())
    }
}

impl Ask for Says {
    fn identity(&self) -> &str {
        "<own: test>"
    }

    fn ask(
        &self,
        request: &str,
        waiting: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<String, ProposeError> {
        if waiting().is_break() {
            return Err(ProposeError::Stopped);
        }
        request.clone_into(&mut self.1.lock().unwrap());
        Ok(self.0.clone())
    }
}

/// The ego at (20, 0) at the present (2 s) with 10 m/s along x on a lane; an attacker that turns off later.
fn scene() -> Scene {
    let track = |y: f64, turns: bool| {
        let states = (0..101).map(|frame| {
            let t = 0.1 * f64::from(frame);
            let aside = if turns && t > 2.0 {
                5.0 * (t - 2.0)
            } else {
                0.0
            };
            Some(State::along(Pose::at(10.0 * t, y + aside, 0.0), 10.0))
        });
        Track::new(states.collect())
    };
    let line = Polyline::new([dvec2(-100.0, 0.0), dvec2(400.0, 0.0)]).unwrap();
    let mut attacker = Agent::new("other", AgentKind::Vehicle, track(6.0, true));
    attacker.role = Role::Attacker;
    let mut scene = Scene {
        dt_s: 0.1,
        frames: 101,
        now: 20,
        map: Arc::new(Map::build(MapParts {
            lanes: vec![Lane::new("east", LaneKind::Street, line)],
            ..MapParts::default()
        })),
        agents: vec![
            Arc::new(Agent::new("ego", AgentKind::Vehicle, track(0.0, false))),
            Arc::new(attacker),
        ],
        goals: vec![Goal {
            agent: AgentId::new("other"),
            point: [1.0, 2.0],
            heading: None,
            speed: None,
            time_s: 8.0,
            tolerance_m: 1.0,
            hard: true,
            extra: Default::default(),
        }],
        ..Scene::default()
    };
    scene.set_ego(&AgentId::new("ego"));
    scene
}

fn planned_by(says: &Says, scene: &Scene) -> Result<crate::planner::Plan, ProposeError> {
    let settings = PlanSettings {
        decoder: Decoder::Own,
        ..PlanSettings::default()
    };
    let planners = Planners {
        network: None,
        own: Some(says),
    };
    plan(scene, &Start::default(), planners, &settings, &mut |_| {
        ControlFlow::Continue(())
    })
}

fn present() -> State {
    State::along(Pose::at(20.0, 0.0, 0.0), 10.0)
}

#[test]
fn a_request_holds_the_past_the_map_and_the_route_and_nothing_later() {
    let says = Says::new(r#"{"modes": [{"points": [[25, 0]]}]}"#);
    let plan = planned_by(&says, &scene()).unwrap();
    assert_eq!(plan.identity, "<own: test>");
    let line = says.1.lock().unwrap().clone();
    assert!(!line.contains('\n'));
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["scene"]["frames"], 21);
    assert_eq!(value["scene"]["now"], 20);
    assert_eq!(
        value["scene"]["agents"][1]["states"]["x"]
            .as_array()
            .unwrap()
            .len(),
        21
    );
    assert_eq!(value["scene"]["agents"][1]["role"], "other");
    for later in ["goals", "attacks", "edits", "pins"] {
        let left = value["scene"][later].as_array();
        assert!(left.is_none_or(Vec::is_empty), "{later}");
    }
    assert!(
        value["scene"]["log"]
            .as_object()
            .is_none_or(serde_json::Map::is_empty)
    );
    assert_eq!(value["route"][0]["lane"], "east");
    assert!(value.get("file").is_none());
    // what is read from it is the same ego, lane and settings
    let request = read_request(&line).unwrap();
    assert_eq!((request.modes, request.seed, request.scene.now), (6, 1, 20));
    assert_eq!(
        request.scene.ego().map(|ego| ego.id.clone()),
        Some(AgentId::new("ego"))
    );
    assert!(!request.route.is_empty());
}

#[test]
fn a_request_names_the_file_of_the_scene_where_it_is_known() {
    let says = Says::new(r#"{"modes": [{"points": [[25, 0]]}]}"#);
    let settings = PlanSettings {
        decoder: Decoder::Own,
        file: Some("0001-attack".to_owned()),
        ..PlanSettings::default()
    };
    let planners = Planners {
        network: None,
        own: Some(&says),
    };
    let mut on = |_: &_| ControlFlow::Continue(());
    plan(&scene(), &Start::default(), planners, &settings, &mut on).unwrap();
    let line = says.1.lock().unwrap().clone();
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["file"], "0001-attack");
    assert!(read_request(&line).is_ok());
}

#[test]
fn points_with_all_four_numbers_are_taken_as_they_are() {
    let points: Vec<[f64; 4]> = (1..=16)
        .map(|index| [20.0 + 5.0 * f64::from(index), 0.5, 0.1, 9.0])
        .collect();
    let line = json!({ "modes": [{ "points": points, "probability": 3 }] }).to_string();
    let modes = modes_of(&line, &present()).unwrap();
    assert_eq!(modes[0].probability, 1.0);
    for (point, given) in modes[0].points.iter().zip(&points) {
        assert_eq!(point.position, dvec2(given[0], given[1]));
        assert!((point.heading - 0.1).abs() < 1e-12 && (point.speed - 9.0).abs() < 1e-12);
    }
}

#[test]
fn heading_and_speed_follow_from_the_way_where_they_are_not_given() {
    // along y from (20, 0), 4 m a second, points a tenth of a second apart
    let points: Vec<[f64; 2]> = (1..=80)
        .map(|index| [20.0, 0.4 * f64::from(index)])
        .collect();
    let line = json!({ "dt_s": 0.1, "modes": [{ "points": points }] }).to_string();
    let modes = modes_of(&line, &present()).unwrap();
    for (index, point) in modes[0].points.iter().enumerate() {
        let y = 2.0 * (index + 1) as f64; // 4 m/s, half a second a point
        assert!(point.position.distance(dvec2(20.0, y)) < 1e-9);
        assert!((point.heading - std::f64::consts::FRAC_PI_2).abs() < 1e-9);
        assert!((point.speed - 4.0).abs() < 1e-9, "{}", point.speed);
    }
}

#[test]
fn a_shorter_plan_goes_on_and_a_standing_one_keeps_its_heading() {
    let short = r#"{"modes": [{"points": [[25, 0, 0, 10], [30, 0, 0, 10]]}]}"#;
    let last = modes_of(short, &present()).unwrap()[0].points[15];
    // 8 s at 10 m/s from (20, 0)
    assert!(last.position.distance(dvec2(100.0, 0.0)) < 1e-9);
    let still = r#"{"modes": [{"points": [[20, 0], [20.01, 0.01], [20, 0]]}]}"#;
    let last = modes_of(still, &present()).unwrap()[0].points[15];
    assert!(last.heading == 0.0 && last.speed.abs() < 0.05);
}

#[test]
fn points_in_the_egos_frame_are_turned_into_the_scenes() {
    let line = r#"{"frame": "ego", "modes": [{"points": [[5, 1, 0.2, 3]]}]}"#;
    let facing_up = State::along(Pose::at(20.0, 0.0, std::f64::consts::FRAC_PI_2), 10.0);
    let point = modes_of(line, &facing_up).unwrap()[0].points[0];
    // 5 m ahead is up, 1 m left is −x
    assert!(point.position.distance(dvec2(19.0, 5.0)) < 1e-9);
    assert!((point.heading - std::f64::consts::FRAC_PI_2 - 0.2).abs() < 1e-9);
}

#[test]
fn modes_come_likeliest_first_and_sum_to_one() {
    let line = r#"{"modes": [{"points": [[25, 0]], "probability": 1}, {"points": [[24, 0]], "probability": 3}]}"#;
    let modes = modes_of(line, &present()).unwrap();
    assert_eq!(modes[0].points[0].position, dvec2(24.0, 0.0));
    assert_eq!((modes[0].probability, modes[1].probability), (0.75, 0.25));
    let none = r#"{"modes": [{"points": [[25, 0]], "probability": 0}, {"points": [[24, 0]], "probability": 0}]}"#;
    assert_eq!(modes_of(none, &present()).unwrap()[0].probability, 0.5);
}

#[test]
fn what_is_wrong_with_an_answer_is_named() {
    let said = |line: &str| modes_of(line, &present()).unwrap_err().to_string();
    let cases = [
        (r#"{"error": "no lane here"}"#, "no lane here"),
        (r#"{"modes": []}"#, "modes has 0 elements"),
        ("{}", "modes has 0 elements"),
        (r#"{"modes": [{"points": []}]}"#, "modes[0].points has 0"),
        (
            r#"{"modes": [{"points": [[1]]}]}"#,
            "modes[0].points[0] has 1 numbers",
        ),
        (
            r#"{"modes": [{"points": [[25, "x"]]}]}"#,
            "modes[0].points[0][1]",
        ),
        (r#"{"modes": [{"points": [[25, NaN]]}]}"#, "it holds NaN"),
        (
            r#"{"modes": [{"points": [[25, 1e300]]}]}"#,
            "modes[0].points[0] holds",
        ),
        (
            r#"{"modes": [{"points": [[2500, 0]]}]}"#,
            "2480 m from the ego",
        ),
        (
            r#"{"modes": [{"points": [[25, 0]], "probability": -1}]}"#,
            "modes[0].probability is -1",
        ),
        (
            r#"{"dt_s": 0, "modes": [{"points": [[25, 0]]}]}"#,
            "dt_s is 0",
        ),
        (r#"{"frame": "map", "modes": []}"#, "frame"),
        (r#"{"modes": ["#, "EOF"),
    ];
    for (line, expected) in cases {
        let found = said(line);
        assert!(found.contains(expected), "{line}: {found}");
    }
}

#[test]
fn requests_that_cannot_be_answered_are_refused_in_words() {
    let said = |line: &str| read_request(line).unwrap_err();
    assert!(said("7").contains("invalid type"));
    let fine = json!({ "request": "plan", "version": 1, "ego": "ego", "modes": 6, "seed": 1, "scene": scene_to_value(&scene()) });
    assert!(read_request(&fine.to_string()).is_ok());
    let with = |key: &str, value: Value| {
        let mut changed = fine.clone();
        changed[key] = value;
        said(&changed.to_string())
    };
    assert!(with("request", "sing".into()).contains("sing"));
    assert!(with("version", 99.into()).contains("version is 99"));
    assert!(with("ego", "nobody".into()).contains("nobody"));
    assert!(with("scene", json!({ "format": "x" })).contains("scene"));
}

#[test]
fn without_a_planner_of_ones_own_the_decoder_says_how_to_give_one() {
    let settings = PlanSettings {
        decoder: Decoder::Own,
        ..PlanSettings::default()
    };
    let nobody = Planners::default();
    let found = plan(&scene(), &Start::default(), nobody, &settings, &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(found.unwrap_err().to_string().contains("--own"));
}

#[test]
fn nobody_brakes_a_planner_of_ones_own() {
    let mut scene = scene();
    let states = (0..101).map(|_| Some(State::along(Pose::at(35.0, 0.0, 0.0), 0.0)));
    let wall = Agent::new("wall", AgentKind::Vehicle, Track::new(states.collect()));
    scene.agents.push(Arc::new(wall));
    let says = Says::new(r#"{"modes": [{"points": [[25, 0, 0, 10]]}]}"#);
    let plan = planned_by(&says, &scene).unwrap();
    assert_eq!(plan.modes.len(), 1);
    assert_eq!(plan.chosen().scores.total, 0.0);
}
