//! The embedded network in a world that changes: the very next step answers, and soft goals are observations.

use std::ops::ControlFlow;

use nearmiss::codec::CHANNELS;
use nearmiss::codec::NOW;
use nearmiss::codec::Options;
use nearmiss::codec::T;
use nearmiss::codec::Window;
use nearmiss::diffusion::Prepare as _;
use nearmiss::generator::Run;
use nearmiss::generator::Settings;
use nearmiss::generator::check;
use nearmiss::generator::cut;
use nearmiss::generator::draft;
use nearmiss::geometry::DVec2;
use nearmiss::map::Extra;
use nearmiss::model::Network;
use nearmiss::scene::AgentId;
use nearmiss::scene::AgentKind;
use nearmiss::scene::Edit;
use nearmiss::scene::Goal;
use nearmiss::scene::Scene;
use nearmiss::scene::ScheduleKind;
use nearmiss::scene::Signal;
use nearmiss::scene::SignalState;
use nearmiss::scene::Task;
use nearmiss::scene::scene_from_json;
use nearmiss::scene::scene_to_json;
use nearmiss::sim::BUNDLED;

/// Steps taken before the world changes.
const BEFORE: usize = 3;

/// The left turn: signals, and an ego that waits.
fn scene() -> Scene {
    let (name, text) = BUNDLED[0];
    scene_from_json(text.as_bytes(), name).unwrap()
}

fn settings(task: Task, steps: usize) -> Settings {
    Settings {
        task,
        steps,
        schedule: ScheduleKind::Pyramidal,
        temperature: Some(0.5),
        ..Settings::default()
    }
}

fn begun(scene: &Scene, settings: &Settings, network: &Network) -> Run {
    let recipe = draft(scene, settings, network.identity()).unwrap();
    Run::new(scene, recipe, network).unwrap()
}

/// Steps after which a run that reacts to `edits` predicts another future than one that does not, for agents that were
/// there before and are not edited themselves, and the most it then moves any of them, m.
fn first_step_that_shows(edits: &[Edit]) -> (usize, f64) {
    let network = Network::load_default(1).unwrap();
    let scene = scene();
    let settings = settings(Task::Free, 8);
    let mut plain = begun(&scene, &settings, &network);
    let mut reacting = begun(&scene, &settings, &network);
    for _ in 0..BEFORE {
        plain.step().unwrap();
        reacting.step().unwrap();
    }
    assert_eq!(plain.event().clean, reacting.event().clean);
    let changed = edits
        .iter()
        .fold(scene, |scene, edit| scene.edited(edit).unwrap());
    assert!(reacting.react(&changed).unwrap());
    for step in 1..=3 {
        plain.step().unwrap();
        reacting.step().unwrap();
        let before = plain.event().clean.to_vec();
        let (one, two) = (
            plain.states(&before),
            reacting.states(&reacting.event().clean[..before.len()]),
        );
        let edited = |at: usize| {
            let id = &plain.plan().window.rows[at / T].id;
            edits.iter().any(|edit| edit.agent() == Some(id))
        };
        let moved = (0..one.len())
            .filter(|at| !edited(*at))
            .map(|at| one[at].position.distance(two[at].position));
        let most = moved.fold(0.0, f64::max);
        if most > 0.0 {
            return (step, most);
        }
    }
    panic!("no step shows it");
}

#[test]
fn the_next_step_answers_an_agent_that_comes_in() {
    let scene = scene();
    let ego = scene.ego().unwrap().track.get(scene.now).unwrap();
    let ahead = ego.position + ego.pose().forward() * 12.0;
    let (step, moved) = first_step_that_shows(&[Edit::Add {
        agent: AgentId::new("newcomer"),
        kind: AgentKind::Vehicle,
        point: ahead.into(),
        heading: ego.heading,
        speed: 0.0,
        size: None,
    }]);
    assert!(step == 1 && moved > 0.01, "{step} {moved}");
}

#[test]
fn the_next_step_answers_an_agent_that_is_moved() {
    let scene = scene();
    let ego = scene.ego().unwrap().track.get(scene.now).unwrap();
    let other = scene.agents.iter().find(|agent| {
        let here = agent.track.get(scene.now);
        here.is_some_and(|state| (8.0..60.0).contains(&state.position.distance(ego.position)))
    });
    let ahead = ego.position + ego.pose().forward() * 12.0;
    let (step, moved) = first_step_that_shows(&[Edit::Move {
        agent: other.unwrap().id.clone(),
        point: ahead.into(),
        heading: ego.heading,
        speed: Some(0.0),
    }]);
    assert!(step == 1 && moved > 0.01, "{step} {moved}");
}

#[test]
fn a_case_that_reacted_to_a_move_regenerates_from_a_part_of_it() {
    let network = Network::load_default(1).unwrap();
    let mut scene = scene();
    scene.now += 10; // a second more of history than the model reads
    let settings = settings(Task::Free, 4);
    let mut run = begun(&scene, &settings, &network);
    run.step().unwrap();
    let other = &run.plan().window.rows[1].id;
    let state = *scene.agent(other).unwrap().track.get(scene.now).unwrap();
    let moved = Edit::Move {
        agent: other.clone(),
        point: (state.position + state.pose().forward() * 2.0).into(),
        heading: state.heading,
        speed: None,
    };
    assert!(run.react(&scene.edited(&moved).unwrap()).unwrap());
    while !run.finished() {
        run.step().unwrap();
    }
    let made = run.finish();
    for (start_s, holds) in [(0.0, true), (1.0, true), (1.5, false)] {
        let part = cut(&made, start_s, 30.0, None);
        let text = scene_to_json(&part);
        let again = scene_from_json(text.as_bytes(), "part").unwrap();
        let found = check(&again, &network, &mut |_| ControlFlow::Continue(()));
        assert_eq!(found.holds(), holds, "from {start_s} s: {found:?}");
        assert_eq!(again.generated.is_some(), holds);
    }
}

#[test]
fn the_next_step_answers_signals_that_change() {
    let scene = scene();
    let turned = |(signal, shown): (usize, &Signal)| Edit::SetSignal {
        signal,
        from_frame: scene.now,
        state: match shown.at(scene.now) {
            SignalState::Red => SignalState::Green,
            _ => SignalState::Red,
        },
    };
    let edits: Vec<Edit> = scene.signals.iter().enumerate().map(turned).collect();
    let (step, moved) = first_step_that_shows(&edits);
    assert!(step == 1 && moved > 0.01, "{step} {moved}");
}

#[test]
fn a_job_that_is_revised_says_what_one_prepared_anew_says_to_the_bit() {
    let network = Network::load_default(1).unwrap();
    let scene = scene();
    let window = Window::new(&scene, &Options::default());
    let mut changed = scene.clone();
    for signal in [0, 1] {
        let edit = Edit::SetSignal {
            signal,
            from_frame: 0,
            state: SignalState::Yellow,
        };
        changed = changed.edited(&edit).unwrap();
    }
    let ego = scene.ego().unwrap().track.get(scene.now).unwrap();
    let add = Edit::Add {
        agent: AgentId::new("newcomer"),
        kind: AgentKind::Cyclist,
        point: (ego.position + DVec2::new(9.0, 5.0)).into(),
        heading: 1.0,
        speed: 3.0,
        size: None,
    };
    let changed = changed.edited(&add).unwrap();
    let joined = window.joined(&changed, &[AgentId::new("newcomer")], &[]);
    assert_eq!(joined.agents(), window.agents() + 1);
    let mut revised = network.prepare(&window).unwrap();
    revised.revise(&joined).unwrap();
    let mut fresh = network.prepare(&joined).unwrap();
    let size = joined.agents() * T * CHANNELS;
    let noisy: Vec<f32> = (0..size)
        .map(|at| ((at * 37 % 101) as f32 - 50.0) / 40.0)
        .collect();
    let levels: Vec<f32> = (0..size / CHANNELS)
        .map(|at| if at % T > 4 { 0.6 } else { 0.0 })
        .collect();
    let (mut one, mut two) = (vec![0.0; size], vec![0.0; size]);
    revised.denoise(&noisy, &levels, &mut one).unwrap();
    fresh.denoise(&noisy, &levels, &mut two).unwrap();
    assert!(
        one.iter()
            .zip(&two)
            .all(|(a, b)| a.to_bits() == b.to_bits())
    );
}

/// Where the car of a goal 8 s ahead, 15 m beyond and 2 m beside its own way, ends: distance from the goal, and state.
fn ends(network: &Network, tolerance_m: Option<f64>) -> (f64, DVec2) {
    let mut scene = scene();
    let window = Window::new(&scene, &Options::default());
    let cars = (0..window.agents()).filter(|&row| window.rows[row].kind == AgentKind::Vehicle);
    let row = cars
        .max_by(|&a, &b| {
            let speed = |row| window.state(row, NOW).speed();
            speed(a).total_cmp(&speed(b))
        })
        .unwrap();
    let (state, agent) = (*window.state(row, NOW), window.rows[row].id.clone());
    let local = DVec2::new(8.0 * state.speed() - 15.0, 2.0);
    let point = state.pose().outer_from_local(local);
    let task = match tolerance_m {
        None => Task::Free,
        Some(tolerance_m) => {
            scene.goals.push(Goal {
                agent: agent.clone(),
                point: point.into(),
                time_s: scene.now_s() + 8.0,
                heading: None,
                speed: None,
                tolerance_m,
                hard: false,
                extra: Extra::default(),
            });
            Task::Goal
        }
    };
    // by the task they would differ
    let settings = Settings {
        prior_smoothing: Some(true),
        ..settings(task, 8)
    };
    let mut run = begun(&scene, &settings, network);
    while !run.step().unwrap() {}
    let made = run.preview();
    let frame = made.frame_at(scene.now_s() + 8.0);
    let end = made.agent(&agent).unwrap().track.sample(frame).unwrap();
    (end.position.distance(point), end.position)
}

#[test]
fn a_soft_goal_runs_from_hard_without_tolerance_to_free_with_a_large_one() {
    let network = Network::load_default(1).unwrap();
    let (_, free) = ends(&network, None);
    let (hard, _) = ends(&network, Some(0.0));
    assert!(hard < 1e-3, "{hard}");
    let misses: Vec<f64> = [0.2, 2.0, 20.0]
        .map(|tolerance_m| ends(&network, Some(tolerance_m)).0)
        .into();
    assert!(misses[0] < 3.0 * 0.25, "{misses:?}"); // three deviations of 0.2 m and 5 cm of observation noise
    assert!(misses[0] < misses[1] && misses[1] < misses[2], "{misses:?}");
    let (_, open) = ends(&network, Some(1e6));
    assert!(open.distance(free) < 1e-2, "{open} {free}");
}
