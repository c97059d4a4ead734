//! Writing the recipe: who is made, who is kept, what is given.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::attack::{AttackCandidate, aim_of};
use super::baseline::hermite;
use super::limits::limits_of;
use super::plan::stored;
use super::settings::{GenerateError, MOST_AGENTS, MOST_REDRAWS, Scope, Settings};
use crate::codec::{DT_S, NOW, Options, Row, T, Window, token_time_s};
use crate::geometry::{DVec2, Pose, angle_between, quantise};
use crate::scene::{
    AgentId, Control, GivenToken, Goal, Guidance, PartialNoise, Recipe, Scene, Spread, State, Task,
};

/// Noise level of agents an edited agent meets.
const MET_LEVEL: f64 = 0.5;
/// Boxes nearer than this at the same time meet, m.
const MEETS_M: f64 = 3.0;

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Kept,
    Partial,
    Made,
}

/// The recipe for `scene` under `settings`, to be carried out with weights called `identity`.
///
/// Goals, aims and pins are resolved into given tokens here, so that the recipe alone, with history and kept tracks,
/// fixes the result. A hard goal is a known token; a soft one is made like its neighbours, but seen with its tolerance
/// as standard deviation.
///
/// # Errors
/// If there is no agent, nobody is there at the present, nothing is free, or the task's goals or attacks are missing or unreachable.
pub fn draft(scene: &Scene, settings: &Settings, identity: &str) -> Result<Recipe, GenerateError> {
    let window = Window::new(scene, &window_options(scene, settings));
    if scene.agents.is_empty() {
        return Err(GenerateError::NoAgents);
    }
    if window.agents() == 0 {
        return Err(GenerateError::Nobody {
            now_s: scene.now_s(),
        });
    }
    let aims = aims(scene, settings)?;
    let goals: Vec<&Goal> = match settings.task {
        Task::Free => Vec::new(),
        Task::Goal | Task::Attack => scene.goals.iter().collect(),
    };
    let is_free = |goal: &&Goal| {
        let row = window.row_of(&goal.agent);
        row.is_some_and(|row| scene.agents[window.rows[row].index].control == Control::Free)
    };
    if settings.task == Task::Goal && !goals.iter().any(is_free) {
        return Err(GenerateError::NoGoal);
    }
    let parts = parts(scene, &window, settings, &aims, &goals);
    if parts.iter().all(|part| *part == Part::Kept) {
        return Err(GenerateError::NothingFree);
    }
    let mut drafted = Draft {
        window: &window,
        parts: &parts,
        given: BTreeMap::new(),
    };
    for goal in goals {
        drafted.give_goal(scene, goal);
    }
    for aim in &aims {
        drafted.give_aim(aim);
    }
    for pin in &scene.pins {
        drafted.give_pin(&pin.agent, pin.token, pin.level);
    }
    let parts = &parts;
    let of_part = |part: Part| {
        window
            .rows
            .iter()
            .enumerate()
            .filter(move |(row, _)| parts[*row] == part)
    };
    let partial = of_part(Part::Partial).map(|(row, agent)| PartialNoise {
        agent: agent.id.clone(),
        level: MET_LEVEL,
        tokens: (NOW + 1..T)
            .map(|token| window.known[row * T + token].then(|| stored(window.state(row, token))))
            .collect(),
        extra: crate::map::Extra::new(),
    });
    let given = drafted.given.iter();
    Ok(Recipe {
        app_version: env!("CARGO_PKG_VERSION").to_owned(),
        weights_hash: identity.to_owned(),
        seed: settings.seed,
        sample: settings.sample,
        task: settings.task,
        schedule: settings.schedule,
        steps: settings.steps.max(1),
        temperature: quantise(settings.temperature_used()),
        history_level: quantise(settings.history_level),
        prior_smoothing: settings.prior_smoothing_used(),
        guidance: quantised(settings.guidance),
        redraws: settings.redraws.min(MOST_REDRAWS),
        agents: window.rows.iter().map(|row| row.id.clone()).collect(),
        kept: of_part(Part::Kept).map(|(_, row)| row.id.clone()).collect(),
        partial: partial.collect(),
        pins: scene.pins.clone(),
        given: given
            .map(|(&(row, token), given)| given.token_of(&window.rows[row].id, token))
            .collect(),
        reactions: Vec::new(),
        extra: crate::map::Extra::default(),
    })
}

/// Weights and ranges as a file holds them.
fn quantised(mut guidance: Guidance) -> Guidance {
    for term in [
        &mut guidance.collision,
        &mut guidance.comfort,
        &mut guidance.road,
    ] {
        term.weight = quantise(term.weight);
        term.levels = term.levels.map(quantise);
    }
    guidance
}

/// The agents of a draft: as the codec chooses, with everyone a wish names.
fn window_options(scene: &Scene, settings: &Settings) -> Options {
    let goals = scene.goals.iter().map(|goal| goal.agent.clone());
    let attackers = scene.attacks.iter().map(|attack| attack.attacker.clone());
    let targets = scene.attacks.iter().map(|attack| attack.target.clone());
    let touched = match &settings.scope {
        Scope::Touched(agents) => agents.clone(),
        Scope::Auto | Scope::Everyone => BTreeSet::new(),
    };
    Options {
        max_agents: settings.agents.clamp(1, MOST_AGENTS),
        include: goals
            .chain(attackers)
            .chain(targets)
            .chain(touched)
            .collect(),
        ..Options::default()
    }
}

/// How each attack is to be driven. One whose attacker was not touched may have become impossible: it is left out then,
/// and its attacker goes on as it is.
fn aims(scene: &Scene, settings: &Settings) -> Result<Vec<AttackCandidate>, GenerateError> {
    if settings.task != Task::Attack {
        return Ok(Vec::new());
    }
    if scene.attacks.is_empty() {
        return Err(GenerateError::NoAttack);
    }
    let mut aims = Vec::new();
    for attack in &scene.attacks {
        let asked = match &settings.scope {
            Scope::Touched(agents) => {
                agents.contains(&attack.attacker) || agents.contains(&attack.target)
            }
            Scope::Auto | Scope::Everyone => true,
        };
        match aim_of(scene, attack) {
            Ok(aim) => aims.push(aim),
            Err(error) if asked => return Err(error.with_nearest(scene).into()),
            Err(_) => {}
        }
    }
    Ok(aims)
}

fn parts(
    scene: &Scene,
    window: &Window,
    settings: &Settings,
    aims: &[AttackCandidate],
    goals: &[&Goal],
) -> Vec<Part> {
    let touched: Option<BTreeSet<AgentId>> = match &settings.scope {
        Scope::Touched(agents) => Some(agents.clone()),
        Scope::Auto if settings.task == Task::Attack => {
            Some(aims.iter().map(|aim| aim.attack.attacker.clone()).collect())
        }
        Scope::Auto | Scope::Everyone => None,
    };
    let met = touched.as_ref().map_or(BTreeSet::new(), |touched| {
        met(scene, window, touched, aims, goals)
    });
    let is_target = |row: &Row| {
        settings.task == Task::Attack && scene.attacks.iter().any(|attack| attack.target == row.id)
    };
    let part = |(index, row): (usize, &Row)| {
        let free = scene.agents[row.index].control == Control::Free;
        match &touched {
            _ if !free || is_target(row) => Part::Kept,
            None => Part::Made,
            Some(touched) if touched.contains(&row.id) => Part::Made,
            Some(_) if met.contains(&index) && window.known[index * T + NOW + 1] => Part::Partial,
            Some(_) => Part::Kept,
        }
    };
    window.rows.iter().enumerate().map(part).collect()
}

/// Rows that come within three metres of a touched agent: of the way it is asked to take, else of its present future.
fn met(
    scene: &Scene,
    window: &Window,
    touched: &BTreeSet<AgentId>,
    aims: &[AttackCandidate],
    goals: &[&Goal],
) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for id in touched {
        let Some(row) = window.row_of(id) else {
            continue;
        };
        let mut ways: Vec<Vec<Option<State>>> = Vec::new();
        for goal in goals.iter().filter(|goal| goal.agent == *id) {
            let (due, state) = goal_state(scene, window, row, goal);
            let from = window.state(row, NOW);
            ways.push(
                (NOW + 1..=due)
                    .map(|token| {
                        let share = token_time_s(token) / token_time_s(due);
                        Some(hermite(from, &state, share, token_time_s(due)))
                    })
                    .collect(),
            );
        }
        for aim in aims.iter().filter(|aim| aim.attack.attacker == *id) {
            let every_half_second = aim.path.iter().skip(5).step_by(5);
            ways.push(every_half_second.map(|state| Some(*state)).collect());
        }
        if ways.is_empty() {
            let known = |token: usize| window.known[row * T + token];
            ways.push(
                (NOW + 1..T)
                    .map(|token| known(token).then(|| *window.state(row, token)))
                    .collect(),
            );
        }
        for other in (0..window.agents()).filter(|&other| other != row) {
            let near = ways.iter().any(|way| {
                way.iter().enumerate().any(|(index, state)| {
                    let token = NOW + 1 + index;
                    let Some(state) = state else { return false };
                    if token >= T || !window.known[other * T + token] {
                        return false;
                    }
                    let agent = |row: usize| &scene.agents[window.rows[row].index];
                    let there = window.state(other, token);
                    let (mine, theirs) =
                        (agent(row).footprint(state), agent(other).footprint(there));
                    mine.distance(&theirs) < MEETS_M
                })
            });
            if near {
                found.insert(other);
            }
        }
    }
    found
}

/// What a token is given as.
#[derive(Clone, Copy)]
pub(super) struct Given {
    state: State,
    level: f64,
    spread: Option<Spread>,
}

impl Given {
    fn at_level(state: State, level: f64) -> Self {
        Self {
            state,
            level,
            spread: None,
        }
    }

    /// As a recipe holds it.
    pub(super) fn token_of(&self, agent: &AgentId, token: usize) -> GivenToken {
        GivenToken {
            agent: agent.clone(),
            token,
            state: stored(&self.state),
            level: quantise(self.level),
            spread: self.spread,
            extra: crate::map::Extra::new(),
        }
    }
}

struct Draft<'a> {
    window: &'a Window,
    parts: &'a [Part],
    /// By row and token.
    given: BTreeMap<(usize, usize), Given>,
}

impl Draft<'_> {
    fn give_goal(&mut self, scene: &Scene, goal: &Goal) {
        let Some(row) = self.window.row_of(&goal.agent) else {
            return;
        };
        if self.parts[row] == Part::Kept {
            return;
        }
        let (token, given) = goal_given(scene, self.window, row, goal);
        self.given.insert((row, token), given);
    }

    fn give_aim(&mut self, aim: &AttackCandidate) {
        let Some(row) = self.window.row_of(&aim.attack.attacker) else {
            return;
        };
        if self.parts[row] == Part::Kept {
            return;
        }
        let due = self.window.future_token_at(aim.attack.time_s);
        for token in NOW + 1..=due {
            let step = (token - NOW) * 5;
            if let Some(state) = aim.path.get(step) {
                // the way there is a hint, the contact is fixed
                let level = if token == due { 0.0 } else { WAY_LEVEL };
                self.given
                    .insert((row, token), Given::at_level(*state, level));
            }
        }
        self.given.insert((row, due), Given::at_level(aim.aim, 0.0));
    }

    /// A cell of the future set by hand keeps (0) or hints at (below 1) the present state; 1 makes it anew.
    fn give_pin(&mut self, agent: &AgentId, token: usize, level: f64) {
        let Some(row) = self.window.row_of(agent) else {
            return;
        };
        let is_future = (NOW + 1..T).contains(&token);
        if !is_future || self.parts[row] == Part::Kept || self.given.contains_key(&(row, token)) {
            return;
        }
        let level = match level < 1.0 {
            true if self.window.known[row * T + token] => level,
            false if self.parts[row] == Part::Partial => 1.0,
            _ => return,
        };
        let state = *self.window.state(row, token);
        self.given
            .insert((row, token), Given::at_level(state, level));
    }
}

/// Level at which the attacker's proposed way is hinted at between the present and the contact.
const WAY_LEVEL: f64 = 0.2;

/// How accurately a soft goal's heading is seen where it names one, rad.
const SOFT_HEADING_RAD: f64 = 0.1;

/// How accurately a soft goal's velocity is seen where it names speed and heading, m/s.
const SOFT_VELOCITY_MPS: f64 = 1.0;

/// Tolerances below this are none: the goal is hard, m.
const HARD_BELOW_M: f64 = 1e-3;

/// Token of a goal, and what is given there: the filled state as known (hard, or without tolerance), else the state seen
/// with the tolerance as standard deviation. A soft goal leaves open what it does not name: without a heading neither
/// heading nor the direction of its speed is imposed (the velocity is then seen with at least half the speed as
/// deviation).
pub(super) fn goal_given(
    scene: &Scene,
    window: &Window,
    row: usize,
    goal: &Goal,
) -> (usize, Given) {
    let (token, state) = goal_state(scene, window, row, goal);
    if goal.hard || goal.tolerance_m < HARD_BELOW_M {
        return (token, Given::at_level(state, 0.0));
    }
    let aside = match goal.heading {
        Some(_) => 0.0,
        None => 0.5 * state.speed(),
    };
    let spread = Spread {
        position_m: quantise(goal.tolerance_m),
        heading_rad: goal.heading.map(|_| SOFT_HEADING_RAD),
        velocity_mps: goal.speed.map(|_| quantise(SOFT_VELOCITY_MPS.max(aside))),
    };
    let given = Given {
        state,
        level: 1.0,
        spread: Some(spread),
    };
    (token, given)
}

/// Token and full state of a goal. What it leaves open is filled: the heading from the lane there (if it is not more
/// than a right angle off the straight way), else the straight way; the speed from even acceleration. Of a goal between
/// two tokens the state is that of the nearer one, from which its point is reached in time at that speed.
fn goal_state(scene: &Scene, window: &Window, row: usize, goal: &Goal) -> (usize, State) {
    let token = window.future_token_at(goal.time_s);
    let due_s = goal.time_s - scene.now_s();
    let late_s = token_time_s(token) - due_s;
    let (due_s, late_s) = match late_s.abs() <= DT_S / 2.0 + 1e-6 {
        true => (due_s, late_s),
        false => (token_time_s(token), 0.0),
    };
    let present = window.state(row, NOW);
    let agent = &scene.agents[window.rows[row].index];
    let point = DVec2::from(goal.point);
    let way = point - present.position;
    let course = if way.length() < 1.0 {
        present.heading
    } else {
        way.to_angle()
    };
    let heading = goal.heading.unwrap_or_else(|| {
        let lane = scene
            .map
            .lane_for(point, course, 3.0, |lane| lane.carries_vehicles());
        lane.map(|hit| hit.pose.heading)
            .filter(|heading| angle_between(course, *heading).abs() < std::f64::consts::FRAC_PI_2)
            .unwrap_or(course)
    });
    let speed = goal.speed.unwrap_or_else(|| {
        let even = 2.0 * way.length() / due_s - present.speed();
        let mean = way.length() / due_s;
        even.clamp(0.4 * mean, 1.6 * mean)
            .min(limits_of(agent).speed)
    });
    let there = point + DVec2::from_angle(heading) * (speed * late_s);
    (token, State::along(Pose::new(there, heading), speed))
}
