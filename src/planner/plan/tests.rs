//! The choice, and that nothing of the future is read for it.

use crate::planner::TermKind;
use std::sync::Arc;

use super::*;
use crate::geometry::{Polyline, Pose, dvec2};
use crate::map::{Lane, LaneId, LaneKind, Map, MapParts};
use crate::planner::{POINTS, Propose, Stage as ProposeStage, plan_json, planned};
use crate::scene::{AgentKind, Control, DRIVEN_BY, Signal, SignalState, Track, WORLD};

fn agent(id: &str, x: f64, y: f64, speed: impl Fn(f64) -> f64) -> Arc<Agent> {
    let mut at = x;
    let states = (0..101).map(|frame| {
        let t = 0.1 * f64::from(frame);
        let state = State::along(Pose::at(at, y, 0.0), speed(t));
        at += 0.1 * speed(t);
        Some(state)
    });
    Arc::new(Agent::new(
        id,
        AgentKind::Vehicle,
        Track::new(states.collect()),
    ))
}

/// The ego at (0, 0) at the present with 10 m/s on the right one of two lanes, and somebody standing 40 m ahead.
fn scene() -> Scene {
    let lane = |id: &str, y: f64| {
        let line = Polyline::new([dvec2(-100.0, y), dvec2(400.0, y)]).unwrap();
        Lane::new(id, LaneKind::Street, line)
    };
    let mut scene = Scene {
        dt_s: 0.1,
        frames: 101,
        now: 20,
        map: Arc::new(Map::build(MapParts {
            lanes: vec![lane("right", 0.0), lane("left", 3.5)],
            ..MapParts::default()
        })),
        agents: vec![
            agent("ego", -20.0, 0.0, |_| 10.0),
            agent("stands", 40.0, 0.0, |_| 0.0),
        ],
        ..Scene::default()
    };
    scene.set_ego(&AgentId::new("ego"));
    scene
}

/// Proposes going on (likelier) and changing to the left lane; after as many steps as it is told.
struct TwoModes {
    steps: usize,
    bad: bool,
}

impl Propose for TwoModes {
    fn identity(&self) -> &str {
        "<two>"
    }

    fn propose(
        &self,
        _window: &Window,
        _settings: &PlanSettings,
        on_step: &mut dyn FnMut(&ProposeStep) -> ControlFlow<()>,
    ) -> Result<Vec<Mode>, ProposeError> {
        let mode = |probability: f64, left: f64| Mode {
            points: std::array::from_fn(|index| {
                let t = 0.5 * (index + 1) as f64;
                // a smooth change of lane within 3 s
                let u = (t / 3.0).min(1.0);
                let y = left * u * u * (3.0 - 2.0 * u);
                let slope = left * 6.0 * u * (1.0 - u) / 3.0 / 10.0;
                let mut point = planned(&State::along(Pose::at(10.0 * t, y, slope.atan()), 10.0));
                if self.bad && index == 3 {
                    point.speed = f64::NAN;
                }
                point
            }),
            probability,
            tokens: vec![],
        };
        let modes = vec![mode(0.7, 0.0), mode(0.3, 3.5)];
        for step in 0..self.steps {
            let step = ProposeStep {
                stage: ProposeStage::Tokens(step + 1),
                modes: modes.clone(),
            };
            if on_step(&step).is_break() {
                return Err(ProposeError::Stopped);
            }
        }
        Ok(modes)
    }
}

fn asked(
    scene: &Scene,
    network: Option<&dyn Propose>,
    decoder: Decoder,
) -> Result<Plan, ProposeError> {
    let settings = PlanSettings {
        decoder,
        ..PlanSettings::default()
    };
    let planners = Planners { network, own: None };
    plan(scene, &Start::default(), planners, &settings, &mut |_| {
        ControlFlow::Continue(())
    })
}

const TWO: TwoModes = TwoModes {
    steps: 3,
    bad: false,
};

#[test]
fn the_mode_without_harm_is_chosen_over_the_likelier_one() {
    let plan = asked(&scene(), Some(&TWO), Decoder::Ar).unwrap();
    assert_eq!(plan.chosen, 1, "{}", plan.reason);
    // boxes 4.7 m long meet when 10 t > 40 − 4.7: 3.6 s
    assert!((plan.modes[0].scores.clear_s - 3.6).abs() < 1e-9);
    assert!(
        plan.reason.contains("stands") && plan.reason.contains("3.6 s"),
        "{}",
        plan.reason
    );
    let expected = (plan.modes[1].scores.total + 1e-3 * 4.0) * 0.3_f64.powf(0.25);
    assert!((plan.modes[1].worth - expected).abs() < 1e-12);
    assert_eq!(plan.chosen().path.len(), 81);
    assert!(plan.chosen().gap_m < 0.5, "{}", plan.chosen().gap_m);
}

#[test]
fn of_equally_good_modes_the_likelier_is_chosen() {
    let mut scene = scene();
    scene.agents.truncate(1);
    let plan = asked(&scene, Some(&TWO), Decoder::Ar).unwrap();
    assert_eq!(plan.chosen, 0, "{}", plan.reason);
}

#[test]
fn the_choice_knows_nothing_of_the_future_and_the_outcome_does() {
    // the one ahead drives on at 10 m/s up to the present, then stops at once
    let mut scene = scene();
    scene.agents[1] = agent("stands", 10.0, 0.0, |t| if t < 2.0 { 10.0 } else { 0.0 });
    let mut shown = scene.clone();
    let track = &mut Arc::make_mut(&mut shown.agents[1]).track;
    let present = *track.get(20).unwrap();
    // at the present it still has its speed; what follows is the future's secret
    track.set(20, Some(State::along(present.pose(), 10.0)));
    let plan = asked(&shown, Some(&TWO), Decoder::Ar).unwrap();
    assert_eq!(plan.chosen, 0);
    assert_eq!(plan.chosen().scores.terms[0].score, 1.0);
    let outcome = outcome(&shown, &plan, 8.0).unwrap();
    assert_eq!(outcome[0].terms[0].score, 0.0);
    // and with the future cut away, all but the ego's way, the plan is the same
    let mut cut = shown.clone();
    cut.frames = 21;
    for agent in &mut cut.agents {
        Arc::make_mut(agent).track.states_mut().truncate(21);
    }
    let way = Route::of(&shown).unwrap();
    let start = Start {
        route: Some(&way),
        ..Start::default()
    };
    let settings = PlanSettings {
        decoder: Decoder::Ar,
        ..PlanSettings::default()
    };
    let mut on = |_: &ProposeStep| ControlFlow::Continue(());
    let again = super::plan(&cut, &start, Planners::of_network(&TWO), &settings, &mut on).unwrap();
    assert!(again == plan, "{} {}", again.reason, plan.reason);
    assert!(!plan.route.is_empty());
    let unrouted = asked(&cut, Some(&TWO), Decoder::Ar).unwrap();
    assert!(unrouted.route.is_empty());
}

#[test]
fn the_plain_planners_need_no_network_and_the_others_say_what_is_missing() {
    for decoder in [Decoder::ConstantVelocity, Decoder::Idm] {
        let plan = asked(&scene(), None, decoder).unwrap();
        assert_eq!((plan.modes.len(), plan.chosen), (1, 0));
    }
    let missing = asked(&scene(), None, Decoder::ArDiffusion).unwrap_err();
    assert!(missing.to_string().contains("ar-diffusion"), "{missing}");
}

#[test]
fn idm_brakes_where_constant_velocity_runs_into_it() {
    let idm = asked(&scene(), None, Decoder::Idm).unwrap();
    let constant = asked(&scene(), None, Decoder::ConstantVelocity).unwrap();
    assert_eq!(idm.chosen().scores.terms[0].score, 1.0);
    assert_eq!(constant.chosen().scores.terms[0].score, 0.0);
    assert_eq!(idm.chosen().mode.points.len(), POINTS);
}

#[test]
fn bad_input_and_bad_answers_are_named() {
    let mut none = scene();
    Arc::make_mut(&mut none.agents[0]).role = crate::scene::Role::Other;
    assert_eq!(asked(&none, None, Decoder::Idm), Err(ProposeError::NoEgo));
    let bad = TwoModes {
        steps: 0,
        bad: true,
    };
    let found = asked(&scene(), Some(&bad), Decoder::Ar).unwrap_err();
    assert!(found.to_string().contains("not finite"), "{found}");
    let settings = PlanSettings {
        modes: 0,
        ..PlanSettings::default()
    };
    let nobody = Planners::default();
    let found = plan(&scene(), &Start::default(), nobody, &settings, &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(
        found,
        Err(ProposeError::Setting { name: "modes", .. })
    ));
}

#[test]
fn a_plan_can_be_stopped_between_two_steps() {
    let mut seen = 0;
    let settings = PlanSettings {
        decoder: Decoder::Ar,
        ..PlanSettings::default()
    };
    let found = plan(
        &scene(),
        &Start::default(),
        Planners::of_network(&TWO),
        &settings,
        &mut |_| {
            seen += 1;
            ControlFlow::Break(())
        },
    );
    assert_eq!(found, Err(ProposeError::Stopped));
    assert_eq!(seen, 1);
}

#[test]
fn the_json_says_what_the_plan_says() {
    let scene = scene();
    let plan = asked(&scene, Some(&TWO), Decoder::Ar).unwrap();
    let outcome = outcome(&scene, &plan, 4.0).unwrap();
    let json = plan_json(&plan, Some(&outcome));
    assert_eq!(json["chosen"], 1);
    let contact = &json["modes"][0]["scores"]["terms"]["nc"];
    assert_eq!(contact["who"], "stands");
    // 35.3 m to its bumper at 10 m/s; the present is at 2 s
    assert_eq!(
        (&contact["after_s"], &contact["time_s"]),
        (&3.6.into(), &5.6.into())
    );
    assert_eq!(
        json["modes"][1]["points"].as_array().map(Vec::len),
        Some(16)
    );
    assert_eq!(
        json["modes"][1]["tracked"].as_array().map(Vec::len),
        Some(81)
    );
}

/// The scene with somebody standing on the left lane too: there is no way round.
fn blocked() -> Scene {
    let mut scene = scene();
    scene.agents.push(agent("beside", 40.0, 3.5, |_| 0.0));
    scene
}

#[test]
fn where_every_mode_hits_the_best_way_is_braked() {
    let plan = asked(&blocked(), Some(&TWO), Decoder::Ar).unwrap();
    assert_eq!((plan.modes.len(), plan.proposed().len()), (3, 2));
    assert_eq!(plan.chosen, 2, "{}", plan.reason);
    // 10 m/s at 2 m/s² need 25 m of the 35.3 m between the bumpers; of the two ways the likelier
    let braked = plan.chosen().braked.unwrap();
    assert_eq!((braked.of, braked.mps2), (0, 2.0));
    assert_eq!(plan.chosen().scores.score(TermKind::NoCollision), 1.0);
    assert!(
        plan.reason.contains("way of mode 1 and brakes with 2 m/s²"),
        "{}",
        plan.reason
    );
    let last = plan.chosen().tracked.last().unwrap();
    assert!(last.speed < 0.1 && (20.0..35.0).contains(&last.state.position.x));
}

#[test]
fn nothing_is_braked_for_plain_planners_or_where_that_is_off() {
    let plain = asked(&blocked(), None, Decoder::ConstantVelocity).unwrap();
    assert_eq!(plain.modes.len(), 1);
    let settings = PlanSettings {
        decoder: Decoder::Ar,
        brake: false,
        ..PlanSettings::default()
    };
    let plan = plan(
        &blocked(),
        &Start::default(),
        Planners::of_network(&TWO),
        &settings,
        &mut |_| ControlFlow::Continue(()),
    );
    assert!(plan.unwrap().modes.iter().all(|mode| mode.braked.is_none()));
}

#[test]
fn whoever_drove_excuses_nothing_in_a_scene_edited_by_hand() {
    let mut recorded = scene();
    recorded.signals = Arc::new(vec![Signal::new(
        LaneId::new("right"),
        None,
        vec![SignalState::Green],
    )]);
    let drove = |edits: &[Edit]| {
        let mut scene = recorded.clone();
        for edit in edits {
            scene = scene.edited(edit).unwrap();
        }
        human(&scene, scene.ego().unwrap(), 4.0).is_some()
    };
    let stands = AgentId::new("stands");
    let free = Edit::SetControl {
        agent: stands.clone(),
        control: Control::Free,
    };
    assert!(drove(&[]) && drove(&[free]));
    let mut run_on = recorded.clone();
    run_on.extra.insert(DRIVEN_BY.to_owned(), WORLD.into());
    assert!(human(&run_on, run_on.ego().unwrap(), 4.0).is_none()); // a model drove, not whoever recorded it
    let red = Edit::SetSignal {
        signal: 0,
        from_frame: 0,
        state: SignalState::Red,
    };
    let added = Edit::Add {
        agent: AgentId::new("new"),
        kind: AgentKind::Vehicle,
        point: [60.0, 0.0],
        heading: 0.0,
        speed: 0.0,
        size: None,
    };
    let aside = Edit::Move {
        agent: stands.clone(),
        point: [50.0, 0.0],
        heading: 0.0,
        speed: None,
    };
    let gone = Edit::Remove { agent: stands };
    for edit in [red, added, aside, gone] {
        assert!(!drove(std::slice::from_ref(&edit)), "{}", edit.label());
    }
}
