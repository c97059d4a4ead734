//! Two scenes beside each other: how they are shown together, what they differ in, and who moved.

use std::sync::Arc;

use egui::Align2;
use egui::Rect;
use egui::Ui;
use egui::vec2;
use serde::Deserialize;
use serde::Serialize;

use super::canvas::egui_color;
use super::overlay;
use super::sources::Source;
use super::sources::View;
use super::theme::tokens;
use crate::generator::Change;
use crate::generator::differences;
use crate::render::FULL_M;
use crate::render::Moment;
use crate::render::Path;
use crate::render::PathKind;
use crate::render::Style;
use crate::render::shade;
use crate::scene::AgentId;
use crate::scene::Recipe;
use crate::scene::Scene;

/// Agents that moved less than this are not joined, m.
const LEAST_M: f64 = 0.1;

/// How the first two sources are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// Each in a pane of its own.
    #[default]
    Side,
    /// The second with the first as ghosts.
    Overlay,
    /// One to the left of a handle, the other to its right.
    Wipe,
    /// The second, with lines from where everyone is in the first.
    Difference,
}

impl Mode {
    /// All with their names and what they do.
    pub(super) const ALL: [(Self, &'static str, &'static str); 4] = [
        (
            Self::Side,
            "Side by side",
            "Each source in a pane of its own",
        ),
        (
            Self::Overlay,
            "Overlay",
            "The second source with the first as ghosts",
        ),
        (
            Self::Wipe,
            "Wipe",
            "The first source left of a handle, the second right of it",
        ),
        (
            Self::Difference,
            "Difference",
            "Lines join the same agent at the same time, coloured by metres",
        ),
    ];

    /// The next one.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Side => Self::Overlay,
            Self::Overlay => Self::Wipe,
            Self::Wipe => Self::Difference,
            Self::Difference => Self::Side,
        }
    }
}

/// What two scenes differ in, apart from the futures themselves.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Distinction {
    /// Each in a few words.
    pub items: Vec<String>,
    /// Both were made from the same noise draw.
    pub same_noise: bool,
    /// One is the recording: everything about the other is a difference.
    pub to_log: bool,
}

impl Distinction {
    /// Whether a change cannot be put down to one cause.
    pub(super) fn several(&self) -> bool {
        !self.to_log && self.items.len() > 1
    }

    /// In one sentence.
    pub(super) fn sentence(&self) -> String {
        match (self.items.len(), self.to_log) {
            (_, true) => "Compared with the recording.".to_owned(),
            (0, _) => "Nothing was changed between these two.".to_owned(),
            (1, _) => format!("They differ in one thing: {}.", self.items[0]),
            (count, _) => format!(
                "They differ in {count} things, so a change cannot be put down to one of them: {}.",
                self.items.join("; ")
            ),
        }
    }
}

/// What `b` was given otherwise than `a`.
pub(super) fn distinction(a: &View, b: &View) -> Distinction {
    let (Some(one), Some(two)) = (&a.scene, &b.scene) else {
        return Distinction::default();
    };
    let mut items = given(one, two);
    let recipes = |scene: &Arc<Scene>| scene.generated.clone().map(|made| made.recipe.clone());
    let mut same_noise = false;
    match (recipes(one), recipes(two)) {
        (Some(from), Some(to)) => {
            same_noise =
                (from.seed, from.sample) == (to.seed, to.sample) && from.agents == to.agents;
            items.extend(made(&from, &to));
        }
        (None, None) => {}
        (Some(_), None) => items.push("only the first was made by the model".to_owned()),
        (None, Some(_)) => items.push("only the second was made by the model".to_owned()),
    }
    Distinction {
        items,
        same_noise,
        to_log: (a.source == Source::Log) != (b.source == Source::Log),
    }
}

/// Differences of what was asked for: agents, places, goals, attacks, pins, signals.
fn given(a: &Scene, b: &Scene) -> Vec<String> {
    let mut items = Vec::new();
    if a.now != b.now {
        items.push("another present".to_owned());
    }
    for agent in &b.agents {
        let Some(old) = a.agent(&agent.id) else {
            items.push(format!("{} was added", agent.id));
            continue;
        };
        let place = |of: &crate::scene::Agent, scene: &Scene| {
            of.track
                .get(scene.now)
                .map(|state| (state.pose(), state.velocity))
        };
        if a.now == b.now && place(old, a) != place(agent, b) {
            items.push(format!("{} starts elsewhere or at another speed", agent.id));
        }
        if (old.length, old.width) != (agent.length, agent.width) {
            items.push(format!("size of {}", agent.id));
        }
        if old.control != agent.control {
            items.push(format!("who decides {}", agent.id));
        }
    }
    let gone = a.agents.iter().filter(|agent| b.agent(&agent.id).is_none());
    items.extend(gone.map(|agent| format!("{} was removed", agent.id)));
    let named = |scene: &Scene| -> Vec<AgentId> {
        let goals = scene.goals.iter().map(|goal| goal.agent.clone());
        goals
            .chain(scene.attacks.iter().map(|attack| attack.attacker.clone()))
            .collect()
    };
    let mut who: Vec<AgentId> = named(a).into_iter().chain(named(b)).collect();
    who.sort();
    who.dedup();
    for agent in &who {
        if a.goal_of(agent) != b.goal_of(agent) {
            items.push(format!("goal of {agent}"));
        }
        if a.attack_by(agent) != b.attack_by(agent) {
            items.push(format!("attack by {agent}"));
        }
    }
    if a.pins != b.pins {
        items.push("cells of the noise map".to_owned());
    }
    if a.signals != b.signals {
        items.push("signals".to_owned());
    }
    items
}

/// Differences of how two results were made.
fn made(a: &Recipe, b: &Recipe) -> Vec<String> {
    let mut items = Vec::new();
    if (a.seed, a.sample) != (b.seed, b.sample) {
        let name = |recipe: &Recipe| match recipe.sample {
            0 => recipe.seed.to_string(),
            sample => format!("{} sample {}", recipe.seed, sample + 1),
        };
        items.push(format!("seed {} and {}", name(a), name(b)));
    }
    if (a.schedule, a.steps) != (b.schedule, b.steps) {
        let name = |recipe: &Recipe| format!("{} {}", recipe.schedule.word(), recipe.steps);
        items.push(format!("schedule {} and {}", name(a), name(b)));
    }
    if a.temperature != b.temperature {
        items.push(format!(
            "temperature {:.2} and {:.2}",
            a.temperature, b.temperature
        ));
    }
    if a.history_level != b.history_level {
        items.push(format!(
            "noise level of the history {:.2} and {:.2}",
            a.history_level, b.history_level
        ));
    }
    if a.prior_smoothing != b.prior_smoothing {
        let word = |on| if on { "with" } else { "without" };
        items.push(format!(
            "{} and {} smoothing by the prior",
            word(a.prior_smoothing),
            word(b.prior_smoothing)
        ));
    }
    if a.agents.len() != b.agents.len() {
        items.push(format!(
            "agents taking part {} and {}",
            a.agents.len(),
            b.agents.len()
        ));
    }
    if a.guidance != b.guidance {
        items.push("guidance".to_owned());
    }
    if a.redraws != b.redraws {
        items.push(format!("at most {} and {} redraws", a.redraws, b.redraws));
    }
    if a.weights_hash != b.weights_hash {
        items.push("weights".to_owned());
    }
    items
}

/// What pairs of views differ in, worked out once per pair.
#[derive(Default)]
pub(super) struct Distinctions {
    known: Vec<(Arc<Scene>, Arc<Scene>, Distinction)>,
}

impl Distinctions {
    /// What `b` was given otherwise than `a`.
    pub(super) fn of(&mut self, a: &View, b: &View) -> Distinction {
        let (Some(one), Some(two)) = (&a.scene, &b.scene) else {
            return Distinction::default();
        };
        let to_log = (a.source == Source::Log) != (b.source == Source::Log);
        let known = self
            .known
            .iter()
            .find(|(from, to, _)| Arc::ptr_eq(from, one) && Arc::ptr_eq(to, two));
        if let Some((.., found)) = known {
            return Distinction {
                to_log,
                ..found.clone()
            };
        }
        let found = distinction(a, b);
        if self.known.len() >= 6 {
            self.known.remove(0);
        }
        self.known.push((one.clone(), two.clone(), found.clone()));
        found
    }
}

/// Who moved between two scenes, worked out once per pair.
#[derive(Default)]
pub(super) struct Changes {
    of: Option<(Arc<Scene>, Arc<Scene>)>,
    list: Arc<Vec<Change>>,
}

impl Changes {
    /// The changes from `a` to `b`, most moved first.
    pub(super) fn of(&mut self, a: &Arc<Scene>, b: &Arc<Scene>) -> Arc<Vec<Change>> {
        let known = self
            .of
            .as_ref()
            .is_some_and(|(one, two)| Arc::ptr_eq(one, a) && Arc::ptr_eq(two, b));
        if !known {
            self.list = Arc::new(differences(a, b));
            self.of = Some((a.clone(), b.clone()));
        }
        self.list.clone()
    }
}

/// What is written over a scene with another one as ghosts.
pub fn joined_title(ghosts: &str, scene: &str, apart: bool) -> String {
    let word = if apart { "against" } else { "over" };
    format!("{scene} {word} {ghosts}")
}

/// Moments with `other` as ghosts, the futures there of who moves otherwise dashed; joined by lines if `apart`.
pub fn beside(other: &Arc<Scene>, apart: bool, mut moments: Vec<Moment>) -> Vec<Moment> {
    let mut drawn: Option<(Arc<Scene>, Arc<Vec<Path>>)> = None;
    for moment in &mut moments {
        let known = drawn
            .take()
            .filter(|(of, _)| Arc::ptr_eq(of, &moment.scene));
        let (of, ghosts) = known.unwrap_or_else(|| {
            let changes = differences(other, &moment.scene);
            (moment.scene.clone(), Arc::new(ghost_paths(other, &changes)))
        });
        match moment.paths.is_empty() {
            true => moment.paths = ghosts.clone(),
            false => Arc::make_mut(&mut moment.paths).extend_from_slice(&ghosts),
        }
        moment.beside = Some((other.clone(), apart));
        drawn = Some((of, ghosts));
    }
    moments
}

/// The futures in `a` of those who move otherwise in `b`, dashed.
pub(super) fn ghost_paths(a: &Scene, changes: &[Change]) -> Vec<Path> {
    let moved = changes.iter().filter(|change| change.largest_m >= LEAST_M);
    moved
        .filter_map(|change| a.agent(&change.agent))
        .map(|agent| Path {
            points: agent
                .track
                .valid()
                .filter(|(frame, _)| *frame >= a.now)
                .map(|(frame, state)| (state.position, a.time_of(frame)))
                .collect(),
            agent: Some(agent.id.clone()),
            kind: PathKind::Sketch,
            weight: 0.8,
        })
        .collect()
}

/// The scale of the colours, at the upper right: below are the callouts of the first start.
pub(super) fn legend_ui(ui: &Ui, rect: Rect, style: &Style) {
    let tokens = tokens(ui);
    let painter = ui.painter_at(rect);
    let left = rect.right_top() + vec2(-212.0, 54.0);
    for step in 0..50 {
        let metres = FULL_M * f64::from(step) / 49.0;
        let at = Rect::from_min_size(left + vec2(30.0 + 2.0 * step as f32, 0.0), vec2(2.0, 6.0));
        painter.rect_filled(at, 0.0, egui_color(shade(metres, style)));
    }
    let words = [
        (24.0, Align2::RIGHT_CENTER, "0 m"),
        (136.0, Align2::LEFT_CENTER, "5 m or more"),
    ];
    for (x, anchor, text) in words {
        let at = left + vec2(x, 3.0);
        overlay::label(&painter, at, anchor, text, tokens.dim, tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Extra;
    use crate::scene::Goal;
    use crate::scene::fixtures::stepping_aside;

    fn view(source: Source, scene: Scene) -> View {
        View {
            source,
            title: String::new(),
            scene: Some(Arc::new(scene)),
            missing: None,
            busy: false,
        }
    }

    fn with_goal(mut scene: Scene) -> Scene {
        scene.goals.push(Goal {
            agent: AgentId::new("a"),
            point: [20.0, 0.0],
            time_s: 8.0,
            heading: None,
            speed: None,
            tolerance_m: 1.0,
            hard: true,
            extra: Extra::new(),
        });
        scene
    }

    #[test]
    fn one_edit_is_named_and_two_are_warned_of() {
        let before = view(Source::Before, stepping_aside(0.0));
        let one = distinction(
            &before,
            &view(Source::Scene, with_goal(stepping_aside(0.0))),
        );
        assert_eq!(one.items, ["goal of a"]);
        assert!(!one.several());
        let mut resized = with_goal(stepping_aside(0.0));
        Arc::make_mut(&mut resized.agents[0]).length = 9.0;
        let two = distinction(&before, &view(Source::Scene, resized));
        assert_eq!(two.items, ["size of a", "goal of a"]);
        assert!(two.several() && two.sentence().contains("size of a; goal of a"));
    }

    #[test]
    fn against_the_recording_everything_may_differ() {
        let log = view(Source::Log, stepping_aside(0.0));
        let mut edited = with_goal(stepping_aside(0.0));
        edited.agents.clear();
        assert!(!distinction(&log, &view(Source::Scene, edited)).several());
    }

    #[test]
    fn only_those_who_moved_leave_a_path() {
        let (a, b) = (stepping_aside(0.0), stepping_aside(3.0));
        let moved = differences(&a, &b);
        assert_eq!(moved[0].largest_m, 3.0);
        assert_eq!(ghost_paths(&a, &moved).len(), 1);
        assert!(ghost_paths(&a, &differences(&a, &a)).is_empty());
    }
}
