//! Whether goals can be met and were met, in words at the flag and in the inspector.

use std::sync::Arc;

use egui::Align2;
use egui::Context;
use egui::Ui;
use egui::vec2;

use super::lab;
use super::overlay;
use super::panes::Screen;
use super::theme;
use super::theme::tokens;
use super::widgets;
use crate::generator::aim_of;
use crate::generator::doubts;
use crate::geometry::dvec2;
use crate::metrics::GoalMiss;
use crate::metrics::goal_misses;
use crate::render::attack_point;
use crate::scene::AgentId;
use crate::scene::Goal;
use crate::scene::Scene;

/// What is to be said about a goal.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Finding {
    /// Sentences, the gravest first; empty if there is nothing to say.
    pub lines: Vec<String>,
    /// A few words for the flag.
    pub short: Option<String>,
    /// Out of reach, missed, or met by one that fails a gate.
    pub grave: bool,
    /// A result has met it.
    pub met: bool,
}

/// What stands against a goal before a run, and how the result of a run met it.
pub(super) fn finding(scene: &Scene, goal: &Goal) -> Finding {
    let doubts = doubts(scene, goal);
    let mut found = Finding {
        lines: doubts.iter().map(|doubt| doubt.sentence()).collect(),
        short: doubts.first().map(|doubt| doubt.short()),
        grave: doubts.iter().any(|doubt| doubt.certain()),
        met: false,
    };
    let Some(made) = &scene.generated else {
        return found;
    };
    let of_model =
        made.recipe.agents.contains(&goal.agent) && !made.recipe.kept.contains(&goal.agent);
    let miss = goal_misses(scene)
        .into_iter()
        .find(|miss| miss.goal.agent == goal.agent);
    let (true, Some(miss)) = (of_model, miss) else {
        return found;
    };
    if !miss.reached() {
        found.grave = true;
        found.lines.insert(0, missed(&miss));
        found.short = Some(match miss.distance_m {
            Some(distance) => format!("missed by {distance:.1} m"),
            None => "missed: not there".to_owned(),
        });
        return found;
    }
    let is_stale = scene.is_edited_since_made();
    let broken = made
        .failed()
        .find(|gate| !is_stale && gate.agent.as_ref() == Some(&goal.agent));
    match broken {
        Some(gate) => {
            found.grave = true;
            let text = format!("Met, but a gate fails: {}", gate.reason);
            found.lines.insert(0, text);
            found.short = Some(format!("met, but fails: {}", gate.gate.replace('_', " ")));
        }
        None => {
            found.met = true;
            if !found.grave {
                (found.short, found.lines) = (None, Vec::new());
            }
        }
    }
    found
}

/// A miss in metres and seconds.
fn missed(miss: &GoalMiss) -> String {
    let apart_s = miss.nearest_s - miss.goal.time_s;
    let when = match apart_s {
        s if s.abs() < 0.05 => "at that time".to_owned(),
        s if s < 0.0 => format!("{:.1} s before", -s),
        s => format!("{s:.1} s after"),
    };
    match miss.distance_m {
        Some(distance) => format!(
            "Missed by {distance:.1} m; nearest {:.1} m, {when}.",
            miss.nearest_m
        ),
        None => format!(
            "Missed: the agent is not there at the goal's time; nearest {:.1} m, {when}.",
            miss.nearest_m
        ),
    }
}

/// The words at the flags of the scene's goals.
pub(super) fn flags_ui(ui: &Ui, screen: &Screen, scene: &Scene) {
    let tokens = tokens(ui);
    let painter = ui.painter_at(screen.rect);
    for goal in &scene.goals {
        let finding = finding(scene, goal);
        let Some(short) = &finding.short else {
            continue;
        };
        let radius = (goal.tolerance_m / screen.metre()).max(14.0) as f32;
        let at = screen.place(dvec2(goal.point[0], goal.point[1]));
        let color = if finding.grave {
            tokens.bad
        } else {
            tokens.warn
        };
        let mut below = at + vec2(0.0, radius + 40.0);
        let font = egui::FontId::new(11.0, theme::semibold());
        let half = painter.layout_no_wrap(short.clone(), font, color).size().x / 2.0 + 6.0;
        if screen.rect.contains(at) && 2.0 * half < screen.rect.width() {
            // whole, though its flag stands at the rim
            let (left, right) = (screen.rect.left() + half, screen.rect.right() - half);
            below.x = below.x.clamp(left, right);
            below.y = below.y.min(screen.rect.bottom() - 20.0);
        }
        overlay::free_label(&painter, below, Align2::CENTER_TOP, short, color, tokens);
    }
}

/// Why attacks of a scene cannot be, each with its attacker; of those that the scene is a result of nothing. It is worked
/// out once a scene.
pub(super) fn impossible(context: &Context, scene: &Arc<Scene>) -> Arc<Vec<(AgentId, String)>> {
    let is_made = scene.generated.is_some() && !scene.is_edited_since_made();
    if scene.attacks.is_empty() || is_made {
        return Arc::default();
    }
    let id = widgets::id("impossible attacks");
    let known = context.data(|data| data.get_temp::<Impossible>(id));
    if let Some((_, found)) = known.filter(|(of, _)| Arc::ptr_eq(of, scene)) {
        return found;
    }
    let found = scene.attacks.iter().filter_map(|attack| {
        let error = aim_of(scene, attack).err()?.with_nearest(scene);
        Some((attack.attacker.clone(), lab::sentence(&error.to_string())))
    });
    let found: Arc<Vec<(AgentId, String)>> = Arc::new(found.collect());
    context.data_mut(|data| data.insert_temp(id, (scene.clone(), found.clone())));
    found
}

/// The scene it is of, and why its attacks cannot be.
type Impossible = (Arc<Scene>, Arc<Vec<(AgentId, String)>>);

/// The word at the contacts of attacks that cannot be.
pub(super) fn contacts_ui(ui: &Ui, screen: &Screen, scene: &Arc<Scene>) {
    let tokens = tokens(ui);
    let painter = ui.painter_at(screen.rect);
    for (attacker, _) in impossible(ui.ctx(), scene).iter() {
        let attack = scene.attack_by(attacker);
        if let Some(point) = attack.and_then(|attack| attack_point(scene, attack)) {
            let at = screen.place(point) + vec2(0.0, 34.0);
            overlay::free_label(
                &painter,
                at,
                Align2::CENTER_TOP,
                "out of reach",
                tokens.bad,
                tokens,
            );
        }
    }
}

/// Why an agent's attack cannot be, if that is so.
pub(super) fn impossible_ui(ui: &mut Ui, scene: &Arc<Scene>, attacker: &AgentId) {
    let found = impossible(ui.ctx(), scene);
    if let Some((_, why)) = found.iter().find(|(of, _)| of == attacker) {
        let text = theme::small(why.clone()).color(tokens(ui).bad);
        ui.add(egui::Label::new(text).wrap());
    }
}

/// The sentences about one goal.
pub(super) fn finding_ui(ui: &mut Ui, scene: &Scene, goal: &Goal) {
    let tokens = tokens(ui);
    let finding = finding(scene, goal);
    if finding.met && finding.lines.is_empty() {
        ui.label(theme::small("Met within its tolerance, at its time.").color(tokens.good));
    }
    let color = if finding.grave {
        tokens.bad
    } else {
        tokens.warn
    };
    for line in &finding.lines {
        ui.add(egui::Label::new(theme::small(line.clone()).color(color)).wrap());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::map::Extra;
    use crate::scene::Agent;
    use crate::scene::AgentId;
    use crate::scene::AgentKind;
    use crate::scene::Generated;
    use crate::scene::Recipe;
    use crate::scene::State;
    use crate::scene::Track;
    use std::sync::Arc;

    /// A car along the x axis at 10 m/s, at the origin at the present (1 s), made by a model.
    fn scene(point: [f64; 2], after_s: f64) -> (Scene, Goal) {
        let states = (0..101).map(|frame| {
            let pose = Pose::at(f64::from(frame) - 10.0, 0.0, 0.0);
            Some(State::along(pose, 10.0))
        });
        let car = Agent::new("car", AgentKind::Vehicle, Track::new(states.collect()));
        let goal = Goal {
            agent: AgentId::new("car"),
            point,
            time_s: 1.0 + after_s,
            heading: None,
            speed: None,
            tolerance_m: 1.0,
            hard: true,
            extra: Extra::new(),
        };
        let scene = Scene {
            dt_s: 0.1,
            frames: 101,
            now: 10,
            agents: vec![Arc::new(car)],
            goals: vec![goal.clone()],
            ..Scene::default()
        };
        (scene, goal)
    }

    fn made(mut scene: Scene) -> Scene {
        let recipe: Recipe = serde_json::from_value(serde_json::json!({
            "app_version": "0", "weights_hash": "", "seed": 1, "task": "goal",
            "schedule": "full", "steps": 1, "temperature": 1.0, "agents": ["car"],
        }))
        .unwrap();
        scene.generated = Some(Arc::new(Generated {
            recipe,
            from_frame: 11,
            complete: true,
            gates: Vec::new(),
            fault: None,
            avoidability: None,
            metrics: Vec::new(),
            redrawn: Vec::new(),
            edits: None,
            extra: Extra::new(),
        }));
        scene
    }

    #[test]
    fn a_missed_goal_is_told_in_metres_and_seconds() {
        // at 4 s the car is at x = 40, 10 m past (30, 0), which it crossed 1 s before
        let (scene, goal) = scene([30.0, 0.0], 4.0);
        let found = finding(&made(scene), &goal);
        assert_eq!(
            found.lines,
            ["Missed by 10.0 m; nearest 0.0 m, 1.0 s before."]
        );
        assert!(found.grave && !found.met);
    }

    #[test]
    fn nothing_is_said_before_a_run_of_a_goal_within_reach() {
        let (scene, goal) = scene([30.0, 0.0], 4.0);
        assert_eq!(finding(&scene, &goal), Finding::default());
        let (scene, goal) = self::scene([40.0, 0.0], 4.0);
        let found = finding(&made(scene), &goal);
        assert!(found.met && found.lines.is_empty());
    }
}
