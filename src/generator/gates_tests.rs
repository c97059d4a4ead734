//! What each gate lets pass and what it names.

use super::*;
use crate::geometry::{Pose, dvec2};
use crate::map::{Lane, LaneKind, Map, MapParts};
use crate::scene::{Attack, Edit, Role, Track};
use std::sync::Arc;

fn agent(id: &str, state: impl Fn(f64) -> State) -> Agent {
    let states = (0..101).map(|frame| Some(state(0.1 * f64::from(frame))));
    Agent::new(id, AgentKind::Vehicle, Track::new(states.collect()))
}

fn straight(id: &str, x: f64, y: f64, speed: f64) -> Agent {
    agent(id, |t| State::along(Pose::at(x + speed * t, y, 0.0), speed))
}

fn scene(agents: Vec<Agent>) -> Scene {
    let line = crate::geometry::Polyline::new([dvec2(-100.0, 0.0), dvec2(300.0, 0.0)]).unwrap();
    let mut scene = Scene {
        dt_s: 0.1,
        frames: 101,
        now: 20,
        map: Arc::new(Map::build(MapParts {
            lanes: vec![Lane::new("east", LaneKind::Street, line)],
            ..MapParts::default()
        })),
        agents: agents.into_iter().map(Arc::new).collect(),
        ..Scene::default()
    };
    Arc::make_mut(&mut scene.agents[0]).role = Role::Ego;
    scene.quantised()
}

fn gate<'a>(verdict: &'a Verdict, name: &str) -> &'a GateResult {
    verdict
        .gates
        .iter()
        .find(|gate| gate.gate == name)
        .expect("the gate is there")
}

/// The verdict on a scene whose agent `a` was made.
fn judge_a(scene: &Scene) -> Verdict {
    judge(scene, &BTreeSet::from([AgentId::new("a")]))
}

/// The verdict on made agent `a` alone on the road, the ego far behind.
fn judge_alone(a: Agent) -> Verdict {
    judge_a(&scene(vec![straight("ego", -90.0, 0.0, 5.0), a]))
}

/// `a` shall meet the ego at 5 s.
fn attack() -> Attack {
    Attack {
        attacker: AgentId::new("a"),
        target: AgentId::new("ego"),
        time_s: 5.0,
        offset: [0.0, 0.0],
        extra: crate::map::Extra::default(),
    }
}

#[test]
fn driving_straight_on_passes_every_gate() {
    let scene = scene(vec![
        straight("ego", 0.0, 0.0, 10.0),
        straight("a", 30.0, 0.0, 10.0),
    ]);
    let verdict = judge_a(&scene);
    assert!(verdict.valid(), "{:#?}", verdict.gates);
    assert_eq!(verdict.avoidability, Avoidability::NotNeeded);
}

/// 20 m/s until 4 s, then −15 m/s² until it stands 1.33 s later.
fn brakes() -> Agent {
    agent("a", |t| {
        let b = (t - 4.0).clamp(0.0, 20.0 / 15.0);
        State::along(
            Pose::at(20.0 * t.min(4.0) + 20.0 * b - 7.5 * b * b, 0.0, 0.0),
            20.0 - 15.0 * b,
        )
    })
}

#[test]
fn braking_harder_than_tyres_allow_fails_with_value_and_frame() {
    let verdict = judge_alone(brakes());
    let found = gate(&verdict, "acceleration");
    assert!(
        !found.passed && (found.value + 15.0).abs() < 0.1,
        "{found:?}"
    );
    assert_eq!(found.limit, 9.0);
    assert!((40..=54).contains(&found.frame.unwrap()));
    assert!(found.reason.contains("brakes with 15.0"));
}

#[test]
fn the_curve_of_a_gate_has_its_worst_share_where_the_gate_says() {
    let scene = scene(vec![straight("ego", 0.0, 50.0, 0.0), brakes()]);
    let verdict = judge_a(&scene);
    let curves = gate_curves(&scene, &BTreeSet::from([AgentId::new("a")]));
    let curve = |name: &str| {
        let mut curves = curves.iter();
        &curves.find(|curve| curve.gate == name).unwrap().shares
    };
    let found = gate(&verdict, "acceleration");
    let shares = curve("acceleration");
    assert_eq!(shares.len(), scene.frames);
    // 15 of 9 m/s²; before the present nothing is judged
    let worst = shares[found.frame.unwrap()];
    assert!((worst - 15.0 / 9.0).abs() < 0.02, "{worst}");
    assert!(shares.iter().all(|share| share.is_nan() || *share <= worst));
    assert!(shares[..=scene.now].iter().all(|share| share.is_nan()));
    // looked at every fifth of a second, held in between
    assert!(
        curve("road")[scene.now + 1..]
            .iter()
            .all(|share| !share.is_nan())
    );
    assert!(curves.iter().all(|curve| curve.gate != "collision"));
}

#[test]
fn sliding_sideways_and_leaving_the_road_are_named() {
    // heading east, moving north-east: 45° of slip, off the road after 3 m
    let slides = agent("a", |t| {
        let u = (t - 2.0).max(0.0);
        State::along(Pose::at(10.0 * t, 10.0 * u, 0.0), 10.0)
    });
    let verdict = judge_alone(slides);
    assert!(!gate(&verdict, "slip").passed);
    assert!(!gate(&verdict, "road").passed);
    assert!(!gate(&verdict, "start").passed || gate(&verdict, "start").value < 1.1);
}

#[test]
fn a_car_that_turns_on_the_spot_fails() {
    let spins = agent("a", |t| {
        State::along(Pose::at(30.0, 0.0, 0.5 * (t - 2.0).max(0.0)), 0.0)
    });
    let verdict = judge_alone(spins);
    assert!(!gate(&verdict, "u_turn").passed); // 0.5 rad/s for 8 s = 4 rad (wrapped steps summed)
}

/// An ego at 10 m/s and its attacker, who drove 20 m aside when it was recorded.
fn attacked(attacker: Agent) -> Scene {
    let mut scene = scene(vec![straight("ego", 0.0, 0.0, 10.0), attacker]);
    scene.attacks.push(attack());
    let aside = straight("a", 30.0, 20.0, 5.0).track;
    scene.log.insert(AgentId::new("a"), aside);
    scene
}

#[test]
fn an_attack_is_judged_up_to_its_contact_and_names_the_fault() {
    // the attacker stops being plausible only after the contact: teleports at 8 s
    let attacker = agent("a", |t| {
        let x = if t > 8.0 { 500.0 } else { 30.0 + 5.0 * t };
        State::along(Pose::at(x, 0.0, 0.0), 5.0)
    });
    let verdict = judge_a(&attacked(attacker));
    // 30 − 5 t < 4.7 at t > 5.06: frame 51
    assert_eq!(
        verdict.contact.as_ref().map(|contact| contact.frame),
        Some(51)
    );
    assert!(verdict.valid(), "{:#?}", verdict.gates);
    assert_eq!(verdict.stored_fault(), Fault::Ego); // front contact
    assert_eq!(verdict.avoidability, Avoidability::Avoidable); // braking from 10 to 5 m/s in 3 s
}

#[test]
fn the_contact_of_an_attack_has_no_culprits_but_one_with_a_third_and_impossible_motion_have() {
    let a = AgentId::new("a");
    let found = |scene: &Scene| {
        let (alone, pairs) = culprits(scene, &BTreeSet::from([a.clone()]));
        let with: Vec<AgentId> = pairs.iter().map(|pair| pair.other(&a).clone()).collect();
        (alone, with)
    };
    let mut scene = attacked(straight("a", 30.0, 0.0, 5.0));
    assert!(judge_a(&scene).contact.is_some());
    assert_eq!(found(&scene), (BTreeSet::new(), vec![]));
    // somebody stands in its way: 45 − 4.7 = 40.3 m, reached at 2.06 s, after the present and before the target
    scene
        .agents
        .push(Arc::new(straight("third", 45.0, 0.0, 0.0)));
    assert_eq!(found(&scene).1, [AgentId::new("third")]);
    let jumps = agent("a", |t| {
        let x = if t > 3.0 { 500.0 } else { 30.0 + 5.0 * t };
        State::along(Pose::at(x, 0.0, 0.0), 5.0)
    });
    assert_eq!(found(&attacked(jumps)).0, BTreeSet::from([a.clone()]));
}

#[test]
fn what_the_contact_does_to_the_attacker_is_no_motion_of_its_own() {
    // touched at 5.1 s, pushed 2.1 m aside within half a second: 2.1 / 0.25 = 8.4 m/s² at 5.1 s, of 8
    let attacker = agent("a", |t| {
        let aside = 2.1 * ((t - 5.1) / 0.5).clamp(0.0, 1.0);
        State::along(Pose::at(30.0 + 5.0 * t, aside, 0.0), 5.0)
    });
    let verdict = judge_a(&attacked(attacker));
    assert_eq!(verdict.contact.as_ref().map(|hit| hit.frame), Some(51));
    assert!(verdict.valid(), "{:#?}", verdict.gates);
    assert!(gate(&verdict, "lateral_acceleration").value.abs() < 1e-3);
}

#[test]
fn a_missed_attack_reports_the_least_gap() {
    let mut scene = scene(vec![
        straight("ego", 0.0, 0.0, 10.0),
        straight("a", 50.0, 0.0, 8.0),
    ]);
    scene.attacks.push(attack());
    let verdict = judge_a(&scene);
    // 50 − 2 t − 4.7 at t = 10: 25.3 m
    let found = gate(&verdict, "contact");
    assert!(
        !found.passed && (found.value - 25.3).abs() < 1e-3,
        "{found:?}"
    );
}

#[test]
fn whoever_is_first_recorded_inside_a_made_agent_is_no_collision_and_is_named() {
    let mut late = straight("late", 0.5, 0.0, 0.0);
    late.track.states_mut()[..60].fill(None);
    let driver = straight("ego", -90.0, 0.0, 5.0);
    let stands = straight("a", 0.0, 0.0, 0.0);
    let verdict = judge_a(&scene(vec![driver.clone(), stands.clone(), late]));
    let collision = gate(&verdict, "collision");
    assert!(collision.passed);
    assert!(collision.reason.contains("late"), "{}", collision.reason);
    // who is recorded a little earlier, still apart, is run into
    let mut comes = straight("comes", -40.0, 0.0, 5.0); // touches from 7 s on
    comes.track.states_mut()[..60].fill(None);
    let verdict = judge_a(&scene(vec![driver, stands, comes]));
    assert!(!gate(&verdict, "collision").passed);
}

#[test]
fn who_was_recorded_inside_another_is_excused_and_who_was_put_there_is_not() {
    let apart = scene(vec![
        straight("ego", -90.0, 0.0, 5.0),
        straight("a", 0.0, 0.0, 8.0),
        straight("b", 30.0, 0.0, 8.0),
    ]);
    assert!(gate(&judge_a(&apart), "collision").passed);
    let together = scene(vec![
        straight("ego", -90.0, 0.0, 5.0),
        straight("a", 0.0, 0.0, 8.0),
        straight("b", 1.0, 0.0, 8.0),
    ]);
    assert!(gate(&judge_a(&together), "collision").passed);
    let place = |agent: &str, x: f64| Edit::Move {
        agent: AgentId::new(agent),
        point: [x, 0.0],
        heading: 0.0,
        speed: None,
    };
    // the present is 2 s, where b is at 46 m
    let put = apart.edited(&place("a", 45.0)).unwrap();
    let verdict = judge_a(&put);
    assert!(!gate(&verdict, "collision").passed, "{verdict:?}");
    assert!(
        culprits(&put, &BTreeSet::from([AgentId::new("a")]))
            .1
            .is_empty()
    );
    let added = apart.edited(&Edit::Add {
        agent: AgentId::new("c"),
        kind: AgentKind::Vehicle,
        point: [16.0, 0.0],
        heading: 0.0,
        speed: 8.0,
        size: None,
    });
    assert!(!gate(&judge_a(&added.unwrap()), "collision").passed);
}
