//! What commands that make cases share: what is asked of the model, and of each scene before.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::Value;

use super::batch::{agents, redraws};
use super::usage::{Usage, bail_usage, ensure_usage};
use crate::codec::DT_S;
use crate::diffusion::Schedule;
use crate::generator::{
    AttackQuery, Axis, GenerateError, MOST_POINTS, Mix, Quantity, Scope, Settings, Sweep,
    attack_candidates, goals_from_log,
};
use crate::scene::{
    AgentId, Edit, EditError, Goal, Guidance, Guide, Recipe, SWEPT, Scene, ScheduleKind, Task,
    scene_to_value,
};

/// How cases are made.
#[derive(clap::Args)]
pub(super) struct Making {
    /// What is given to the model; a mix draws free, goal and attack 4 : 4 : 2. If absent: attack with --attacker,
    /// --target, --at or a sweep of contacts, goal with --goal or a sweep of goals, else free.
    #[arg(long, value_enum)]
    pub(super) task: Option<TaskChoice>,
    /// The scheduling matrix.
    #[arg(long, value_enum, default_value = "full")]
    schedule: ScheduleChoice,
    /// Denoising steps; the paper's number for the schedule if absent.
    #[arg(long, value_parser = at_least_one)]
    steps: Option<usize>,
    /// Seed of the noise.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Standard deviation of the starting noise; 0.5 with goals or attacks and 0.7 free if absent.
    #[arg(long)]
    temperature: Option<f64>,
    /// Noise level at which the network is shown known histories: 0 takes them as exact, 0.2 to 0.3 suits recordings
    /// whose speeds jitter.
    #[arg(long, default_value_t = 0.0)]
    history_level: f64,
    /// Smooth predictions by the analytic prior: with goals or attacks, not free, if absent.
    #[arg(long, value_name = "on|off", value_parser = clap::builder::BoolishValueParser::new())]
    prior_smoothing: Option<bool>,
    /// Only so many agents, the nearest to the ego and everyone named here, are made anew; the others go on as recorded.
    #[arg(long, value_name = "N", default_value_t = Settings::default().agents, value_parser = agents)]
    agents: usize,
    /// A goal: agent, point in metres, and seconds (the scene's time; 8 s after the present if absent). Without any,
    /// the task `goal` takes the ends of the log.
    #[arg(long = "goal", value_name = "ID=X,Y[,T]")]
    goals: Vec<String>,
    /// Who attacks; `auto` searches.
    #[arg(long, default_value = "auto")]
    attacker: String,
    /// Whom; the ego if absent.
    #[arg(long)]
    target: Option<String>,
    /// Scene time of the contact, s, at a half second from the present; searched if absent.
    #[arg(long, value_name = "SECONDS")]
    at: Option<f64>,
    /// A number of each scene set to each of some values, a case for each: `speed:ego=5:15:6` is six values from 5 to 15,
    /// `contact=3,4.5` those two. There are contact (s; at half seconds from the present), arrival, goal-ahead, goal-left, speed (m/s), ahead and left (m), seed;
    /// of the agent named, else of the first attack or goal, else of the ego. Several make every combination. Only those
    /// who are swept, and attackers, are made anew, and whom they meet; an attack's target goes its recorded way.
    #[arg(long, value_name = "WHAT[:AGENT]=FROM:TO:COUNT")]
    pub(super) sweep: Vec<String>,
    /// Edits made first to each scene: a JSON file with a list of them, or with `edits` as a scene file has.
    #[arg(long, value_name = "FILE")]
    edits: Option<PathBuf>,
    /// Guidance weights, each a share of the full correction per step. What is not named stays as it is usually:
    /// collision=1 and nothing else; collision=0 alone for none.
    #[arg(long, value_name = "collision=W,comfort=W,road=W")]
    guidance: Option<String>,
    /// Who fails a gate in the result (touches somebody, leaves the road, moves impossibly) is drawn again, knowing
    /// everyone else's future, at most so many times.
    #[arg(long, value_name = "N", default_value_t = Settings::default().redraws, value_parser = redraws)]
    redraws: usize,
    /// In an attack or a sweep, make everyone's future anew instead of those whom it concerns and whom they meet.
    #[arg(long)]
    everyone: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TaskChoice {
    Free,
    Goal,
    Attack,
    Mix,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScheduleChoice {
    Full,
    Pyramidal,
    Trapezoidal,
    Autoregressive,
}

impl ScheduleChoice {
    pub(super) fn kind(self) -> ScheduleKind {
        match self {
            Self::Full => ScheduleKind::Full,
            Self::Pyramidal => ScheduleKind::Pyramidal,
            Self::Trapezoidal => ScheduleKind::Trapezoidal,
            Self::Autoregressive => ScheduleKind::Autoregressive,
        }
    }
}

impl Making {
    /// What is asked for, read and found to go together; what makes cases `again` is not looked at in full.
    ///
    /// # Errors
    /// Names the options that are wrong or do not go together, and the file of edits that cannot be read.
    pub(super) fn read(&self, again: bool) -> anyhow::Result<Wish<'_>> {
        let guidance = match self.guidance.as_deref() {
            Some(text) => guidance_of(text, Settings::default().guidance)?,
            None => Settings::default().guidance,
        };
        ensure_usage!(
            self.temperature.is_none_or(|t| (0.0..=10.0).contains(&t)),
            "--temperature {}: it lies in 0 to 10",
            self.temperature.unwrap_or_default()
        );
        let axes = self.sweep.iter().map(|text| {
            let axis = Axis::from_text(text);
            axis.map_err(|why| Usage(format!("--sweep {text}: {why}")).into())
        });
        let sweep = Sweep {
            axes: axes.collect::<anyhow::Result<_>>()?,
        };
        let edits = match &self.edits {
            Some(path) => edits_of(path)?,
            None => Vec::new(),
        };
        let wish = Wish {
            making: self,
            edits,
            sweep,
            guidance,
        };
        wish.fit(again)?;
        Ok(wish)
    }

    fn asks_for_attack(&self) -> bool {
        self.attacker != "auto" || self.target.is_some() || self.at.is_some()
    }
}

/// What is asked for.
pub(super) struct Wish<'a> {
    making: &'a Making,
    edits: Vec<Edit>,
    /// What is swept.
    pub(super) sweep: Sweep,
    guidance: Guidance,
}

impl Wish<'_> {
    /// Whether what is asked for goes together.
    ///
    /// # Errors
    /// Names the options that do not.
    fn fit(&self, again: bool) -> anyhow::Result<()> {
        let (making, sweep, choice) = (self.making, &self.sweep, self.choice());
        let attacks = matches!(choice, TaskChoice::Attack | TaskChoice::Mix);
        let count = sweep.count();
        ensure_usage!(
            count <= MOST_POINTS,
            "--sweep: {count} values together, at most {MOST_POINTS} cases are made of a scene"
        );
        if let Some(parameter) = sweep.doubled() {
            bail_usage!("--sweep: {parameter} is swept twice");
        }
        ensure_usage!(
            choice != TaskChoice::Mix || sweep.axes.is_empty(),
            "--sweep goes with one task: a mix would give each combination another"
        );
        ensure_usage!(
            !again || (sweep.axes.is_empty() && making.edits.is_none()),
            "--again makes cases as they are, without --sweep and --edits"
        );
        ensure_usage!(
            attacks || !sweep.sweeps(&[Quantity::Contact]),
            "--sweep contact belongs to --task attack"
        );
        ensure_usage!(
            choice != TaskChoice::Free || !sweep.sweeps(&Quantity::GOALS),
            "--sweep {} belong to --task goal (or attack)",
            Quantity::GOALS.map(Quantity::key).join(", ")
        );
        ensure_usage!(
            attacks || again || !making.asks_for_attack(),
            "--attacker, --target and --at belong to --task attack (or mix)"
        );
        ensure_usage!(
            attacks || again || !making.everyone || !making.sweep.is_empty(),
            "--everyone belongs to --task attack (or mix) and to --sweep: else everyone is made anew"
        );
        ensure_usage!(
            choice != TaskChoice::Free || again || making.goals.is_empty(),
            "--goal belongs to --task goal (or attack, or mix): task free is given no goals"
        );
        Ok(())
    }

    fn choice(&self) -> TaskChoice {
        let edited = |is: fn(&Edit) -> bool| self.edits.iter().any(is);
        let attacked = self.making.asks_for_attack()
            || self.sweep.sweeps(&[Quantity::Contact])
            || edited(|edit| matches!(edit, Edit::SetAttack { .. }));
        let aimed = !self.making.goals.is_empty()
            || self.sweep.sweeps(&Quantity::GOALS)
            || edited(|edit| matches!(edit, Edit::SetGoal { .. }));
        let implied = match (attacked, aimed) {
            (true, _) => TaskChoice::Attack,
            (false, true) => TaskChoice::Goal,
            (false, false) => TaskChoice::Free,
        };
        self.making.task.unwrap_or(implied)
    }

    /// What is given to the model in case `number`.
    pub(super) fn task(&self, number: u64) -> Task {
        match self.choice() {
            TaskChoice::Free => Task::Free,
            TaskChoice::Goal => Task::Goal,
            TaskChoice::Attack => Task::Attack,
            TaskChoice::Mix => Mix::default().task(self.making.seed, number),
        }
    }

    /// A scene with the edits, goals and the attack that are asked for, its swept numbers as they are. `sample` is the
    /// number of the candidate if an attack is searched.
    ///
    /// # Errors
    /// If the scene cannot be edited so, or nobody can attack.
    pub(super) fn base(&self, scene: Scene, task: Task, sample: u64) -> anyhow::Result<Scene> {
        Ok(self.based(scene, task, sample)?.0)
    }

    /// The same, with how many candidates there are if an attack is searched.
    ///
    /// # Errors
    /// As [`Wish::base`].
    pub(super) fn based(
        &self,
        mut scene: Scene,
        task: Task,
        sample: u64,
    ) -> anyhow::Result<(Scene, Option<usize>)> {
        let making = self.making;
        for edit in &self.edits {
            let edited = scene.edited(edit);
            scene = edited.with_context(|| format!("--edits, \"{}\"", edit.label()))?;
        }
        let goals = making.goals.iter().filter(|_| task != Task::Free);
        for text in goals {
            let goal = goal_of(text, &scene)?;
            scene = scene.edited(&Edit::SetGoal { goal })?;
        }
        if task == Task::Goal && scene.goals.is_empty() {
            scene.goals = goals_from_log(&scene, &[]);
        }
        if task == Task::Attack && (scene.attacks.is_empty() || making.asks_for_attack()) {
            let (aimed, candidates) = self.aimed(&scene, sample)?;
            return Ok((aimed, Some(candidates)));
        }
        Ok((scene, None))
    }

    /// The settings of the run of a case: of `base` with combination `point` of the sweep.
    pub(super) fn settings(
        &self,
        base: &Scene,
        (task, point): (Task, usize),
        sample: u64,
    ) -> Settings {
        let Making {
            steps,
            seed,
            temperature,
            history_level,
            prior_smoothing,
            redraws,
            agents,
            ..
        } = *self.making;
        let schedule = self.making.schedule.kind();
        let scope = match self.making.everyone {
            true => Scope::Everyone,
            false if self.sweep.axes.is_empty() => Scope::Auto,
            false => self.sweep.scope(base),
        };
        Settings {
            task,
            schedule,
            steps: steps.unwrap_or_else(|| Schedule::paper_steps(schedule)),
            seed: self.sweep.seed(point).unwrap_or(seed),
            sample,
            temperature,
            history_level,
            prior_smoothing,
            guidance: self.guidance,
            redraws,
            scope,
            agents,
        }
    }

    /// What `scene` holds and the task does not read, if nobody said which task it shall be.
    pub(super) fn unused(&self, task: Task, scene: &Scene) -> Option<&'static str> {
        let said = self.making.task.is_some();
        match (task, scene.attacks.is_empty(), scene.goals.is_empty()) {
            _ if said => None,
            (Task::Free | Task::Goal, false, _) => Some("attack"),
            (Task::Free, true, false) => Some("goal"),
            _ => None,
        }
    }

    /// The scene with an attack: the best candidate, or the K-th for sample K; and how many candidates there are.
    fn aimed(&self, scene: &Scene, sample: u64) -> anyhow::Result<(Scene, usize)> {
        let making = self.making;
        if let Some(time_s) = making.at {
            within_horizon("--at", time_s, scene)?;
            at_half_second("--at", time_s, scene)?;
        }
        let query = AttackQuery {
            target: making.target.as_ref().map(AgentId::new),
            attacker: (making.attacker != "auto").then(|| AgentId::new(&making.attacker)),
            time_s: making.at,
            ..AttackQuery::default()
        };
        let candidates = attack_candidates(scene, &query)
            .map_err(|error| GenerateError::from(error.with_nearest(scene)))?;
        let chosen = &candidates[(sample % candidates.len() as u64) as usize];
        let mut cleared = scene.clone();
        cleared.attacks.clear();
        let attack = chosen.attack.clone();
        let aimed: Result<Scene, EditError> = cleared.edited(&Edit::SetAttack { attack });
        Ok((aimed?, candidates.len()))
    }
}

/// What a case is made of, as its file has it.
pub(super) fn essence(scene: &Scene, recipe: &Recipe) -> Value {
    let mut essence = Scene {
        edits: scene.edits.clone(),
        goals: scene.goals.clone(),
        attacks: scene.attacks.clone(),
        ..Scene::default()
    };
    let swept = scene.extra.get(SWEPT).cloned();
    essence
        .extra
        .extend(swept.map(|swept| (SWEPT.to_owned(), swept)));
    let recipe = serde_json::to_value(recipe).unwrap_or_default();
    essence.extra.insert("recipe".to_owned(), recipe);
    scene_to_value(&essence)
}

/// The edits of a file.
///
/// # Errors
/// If it cannot be read, or holds something else; names the place.
fn edits_of(path: &Path) -> anyhow::Result<Vec<Edit>> {
    let text = std::fs::read(path).with_context(|| format!("could not read {path:?}"))?;
    let held: Value =
        serde_json::from_slice(&text).with_context(|| format!("{path:?} is no JSON"))?;
    let edits = match held {
        Value::Array(edits) => edits,
        Value::Object(mut scene) => match scene.remove("edits") {
            Some(Value::Array(edits)) => edits,
            _ => anyhow::bail!("{path:?} has no list `edits`"),
        },
        _ => anyhow::bail!(
            "{path:?} holds no list of edits: write [{{\"edit\": \"move\", ...}}, ...]"
        ),
    };
    let edits = edits.into_iter().enumerate().map(|(at, edit)| {
        let read = serde_json::from_value(edit);
        read.with_context(|| format!("{path:?}, edit {at}"))
    });
    edits.collect()
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "a number from 1 on is wanted".to_owned())
}

/// A time within what the model makes: after the present, up to 8 s later.
///
/// # Errors
/// If it lies elsewhere.
fn within_horizon(option: &str, time_s: f64, scene: &Scene) -> anyhow::Result<()> {
    let now_s = scene.now_s();
    anyhow::ensure!(
        time_s > now_s && time_s <= now_s + 8.0 + 1e-6,
        "{option}: {time_s} s does not lie in the 8 s after the present, which is {now_s:.1} s; the last that can be is {:.1} s",
        now_s + 8.0
    );
    Ok(())
}

/// A time at which a contact can lie: at half seconds after the present.
///
/// # Errors
/// If it lies between two of these; names them.
fn at_half_second(option: &str, time_s: f64, scene: &Scene) -> anyhow::Result<()> {
    let halves = (time_s - scene.now_s()) / DT_S;
    if (halves - halves.round()).abs() * DT_S < 1e-3 {
        return Ok(());
    }
    let near = [halves.floor(), halves.ceil()].into_iter();
    let near = near.filter(|halves| *halves >= 1.0); // at the present it is too late
    let near = near.map(|halves| {
        let text = format!("{:.3}", scene.now_s() + halves * DT_S);
        format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
    });
    let near: Vec<String> = near.collect();
    anyhow::bail!(
        "{option}: a contact at {time_s} s is not possible: contacts lie at half seconds from the present, such as {}",
        near.join(" and ")
    )
}

/// `ID=X,Y[,T]` as a hard goal.
fn goal_of(text: &str, scene: &Scene) -> anyhow::Result<Goal> {
    let wrong = || Usage(format!("--goal {text}: write it as ID=X,Y or ID=X,Y,T"));
    let (agent, rest) = text.rsplit_once('=').ok_or_else(wrong)?;
    let numbers: Vec<f64> = rest
        .split(',')
        .map(|number| number.trim().parse().map_err(|_| wrong()))
        .collect::<Result<_, Usage>>()?;
    let (x, y, time_s) = match numbers.as_slice() {
        [x, y] => (*x, *y, scene.now_s() + 8.0),
        [x, y, time_s] => (*x, *y, *time_s),
        _ => return Err(wrong().into()),
    };
    within_horizon(&format!("--goal {text}"), time_s, scene)?;
    Ok(Goal {
        agent: AgentId::new(agent),
        point: [x, y],
        time_s,
        heading: None,
        speed: None,
        tolerance_m: 1.0,
        hard: true,
        extra: crate::map::Extra::default(),
    })
}

/// `collision=W,comfort=W,road=W`, each optional: as in `guidance` if left out.
pub(super) fn guidance_of(text: &str, mut guidance: Guidance) -> anyhow::Result<Guidance> {
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, weight) = part
            .split_once('=')
            .ok_or_else(|| Usage(format!("--guidance {part}: write it as collision=0.1")))?;
        let weight: f64 = weight
            .trim()
            .parse()
            .map_err(|error| Usage(format!("--guidance {part}: {error}")))?;
        ensure_usage!(
            (0.0..=1.0).contains(&weight),
            "--guidance {part}: a weight lies in 0 to 1"
        );
        let term: &mut Guide = match name.trim() {
            "collision" => &mut guidance.collision,
            "comfort" => &mut guidance.comfort,
            "road" => &mut guidance.road,
            other => bail_usage!("--guidance {other}: there are collision, comfort and road"),
        };
        term.weight = weight;
    }
    Ok(guidance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read_with_and_without_a_time() {
        let scene = Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            ..Scene::default()
        };
        let goal = goal_of("a=b=3.5,-2", &scene).unwrap();
        assert_eq!(goal.agent.as_str(), "a=b"); // the last sign separates
        assert_eq!((goal.point, goal.time_s), ([3.5, -2.0], 10.0));
        assert_eq!(goal_of("7=1,2,6.5", &scene).unwrap().time_s, 6.5);
        assert!(goal_of("7", &scene).is_err() && goal_of("7=1", &scene).is_err());
    }

    #[test]
    fn a_contact_between_two_half_seconds_is_refused_with_both() {
        let scene = Scene {
            dt_s: 0.04,
            frames: 300,
            now: 51,
            ..Scene::default()
        };
        let said = |time_s: f64| at_half_second("--at", time_s, &scene).err();
        assert!(said(8.54).is_none()); // 51 · 0.04 + 13 · 0.5
        let between = said(8.3).unwrap().to_string();
        assert!(between.ends_with("such as 8.04 s and 8.54 s"), "{between}");
        // the present itself is none
        let early = said(2.2).unwrap().to_string();
        assert!(early.ends_with("such as 2.54 s"), "{early}");
    }

    #[test]
    fn guidance_names_its_terms() {
        let none = Guidance::default();
        let guidance = guidance_of("collision=0.1,road=0.05", none).unwrap();
        assert_eq!(guidance.collision.weight, 0.1);
        assert_eq!(guidance.comfort.weight, 0.0);
        let usual = Settings::default().guidance;
        let guidance = guidance_of("road=0.05", usual).unwrap();
        assert_eq!(guidance.collision.weight, usual.collision.weight);
        assert_eq!(
            guidance_of("collision=0", usual).unwrap().collision.weight,
            0.0
        );
        assert!(guidance_of("speed=1", none).is_err());
        assert!(guidance_of("road=2", none).is_err());
    }
}
