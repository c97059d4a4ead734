//! What the user asks for: goals as flags with tolerance rings and clocks, attacks as targets.

use super::agents::{agent_color, ghost};
use super::draw_list::{Anchor, Clearance, Label, Mark, MarkShape};
use super::options::ViewOptions;
use super::strokes::{Sheet, Stroke};
use super::{Color, Style};
use crate::geometry::{DVec2, Pose, dvec2};
use crate::scene::{Agent, Attack, Goal, Scene, State};

/// Length of the heading handle of a goal, m.
pub(super) const HEADING_HANDLE_M: f64 = 4.0;

/// The points a goal is grabbed by: centre, and tip of its heading handle if it has a heading.
pub(super) fn goal_handles(goal: &Goal) -> (DVec2, Option<DVec2>) {
    let centre = dvec2(goal.point[0], goal.point[1]);
    let tip = goal
        .heading
        .map(|heading| centre + DVec2::from_angle(heading) * HEADING_HANDLE_M);
    (centre, tip)
}

/// The intended contact of an attack in the scene frame, m, where the target is at that time; `None` if it is not there.
pub fn attack_point(scene: &Scene, attack: &Attack) -> Option<DVec2> {
    let target = scene.agent(&attack.target)?;
    let state = target.track.sample(scene.frame_at(attack.time_s))?;
    Some(state.pose().outer_from_local(DVec2::from(attack.offset)))
}

/// Draws goals and attacks and returns their labels.
pub(super) fn draw_intents(
    scene: &Scene,
    time_s: f64,
    options: &ViewOptions,
    style: &Style,
    sheet: &mut Sheet,
) -> Vec<Label> {
    let mut labels = Vec::new();
    for goal in &scene.goals {
        if let Some(agent) = scene.agent(&goal.agent)
            && !options.hidden.contains(&goal.agent)
        {
            let color = agent_color(scene, agent, style);
            let at = agent.track.sample(scene.frame_at(time_s));
            let label = draw_goal(goal, (agent, at), scene, (color, style), sheet);
            labels.extend((!options.dials).then_some(label));
        }
    }
    for attack in &scene.attacks {
        let label = draw_attack(scene, attack, time_s, style, sheet);
        // whoever shows handles says at theirs whose contact it is, and when
        let has_handle = options.dials && options.selected.contains(&attack.attacker);
        labels.extend(label.filter(|_| !has_handle));
    }
    labels
}

fn draw_goal(
    goal: &Goal,
    (agent, at): (&Agent, Option<State>),
    scene: &Scene,
    (color, style): (Color, &Style),
    sheet: &mut Sheet,
) -> Label {
    let (centre, tip) = goal_handles(goal);
    if let Some(at) = at {
        let leader = Stroke::solid(0.0, 1.5, color.faded(0.8)).dashed_points(6.0, 5.0);
        sheet.polyline(&[at.position, centre], &leader);
    }
    if let (Some(heading), Some(tip)) = (goal.heading, tip) {
        let pose = Pose::new(centre, heading);
        ghost(agent, &State::along(pose, 0.0), color, sheet);
        sheet.polyline(&[centre, tip], &Stroke::solid(0.0, 1.75, color));
    }
    let solid = if goal.hard { color } else { Color::CLEAR };
    let blank = Mark {
        at: sheet.local(centre),
        ahead: [0.0; 2],
        shift: [0.0; 2],
        radius: [0.0; 2],
        stroke: 1.75,
        value: 0.0,
        fill: solid,
        edge: color,
        shape: MarkShape::Flag as u32,
        hide_below: 0.0,
    };
    let ring = Mark {
        radius: [goal.tolerance_m as f32, 5.0],
        stroke: 1.5,
        value: if goal.hard { 0.0 } else { 4.0 },
        fill: color.faded(0.13),
        shape: MarkShape::Ring as u32,
        ..blank
    };
    let flag = Mark {
        radius: [0.0, 13.0],
        ..blank
    };
    let clock = Mark {
        radius: [0.0, 6.5],
        shift: [-13.0, 20.0],
        stroke: 1.5,
        value: ((goal.time_s - scene.now_s()) / 8.0).clamp(0.0, 1.0) as f32,
        fill: style.halo,
        shape: MarkShape::Clock as u32,
        ..blank
    };
    sheet.layer.marks.extend([ring, flag, clock]);
    if let (Some(heading), Some(tip)) = (goal.heading, tip) {
        let arrow = Mark {
            at: sheet.local(tip),
            ahead: DVec2::from_angle(heading).as_vec2().to_array(),
            radius: [0.0, 6.0],
            fill: color,
            stroke: 0.0,
            shape: MarkShape::Arrow as u32,
            ..blank
        };
        sheet.layer.marks.push(arrow);
    }
    Label {
        text: format!("{:.1} s", goal.time_s),
        anchor: Anchor::World(centre),
        shift: [-13.0, -31.0],
        clear: None,
        align: [0.5, 1.0],
        gives_way: true,
        size: 10.5,
        color: style.text,
        halo: style.halo,
    }
}

fn draw_attack(
    scene: &Scene,
    attack: &Attack,
    time_s: f64,
    style: &Style,
    sheet: &mut Sheet,
) -> Option<Label> {
    let point = attack_point(scene, attack)?;
    let attacker = scene.agent(&attack.attacker)?;
    if let Some(at) = attacker.track.sample(scene.frame_at(time_s)) {
        let leader = Stroke::solid(0.0, 1.5, style.attacker.faded(0.8)).dashed_points(6.0, 5.0);
        sheet.polyline(&[at.position, point], &leader);
    }
    let target = scene.agent(&attack.target)?;
    let met = target.track.sample(scene.frame_at(attack.time_s));
    if let Some(state) = &met {
        ghost(target, state, agent_color(scene, target, style), sheet);
    }
    let heading = met.map(|state| state.heading);
    let mark = Mark {
        at: sheet.local(point),
        ahead: [0.0; 2],
        shift: [0.0; 2],
        radius: [0.9, 9.0],
        stroke: 2.0,
        value: 0.0,
        fill: style.halo.faded(0.75),
        edge: style.attacker,
        shape: MarkShape::Target as u32,
        hide_below: 0.0,
    };
    sheet.layer.marks.push(mark);
    Some(Label {
        text: format!("{:.1} s", attack.time_s),
        anchor: Anchor::World(point),
        shift: [0.0, -17.0],
        clear: heading.map(|heading| Clearance {
            heading,
            above_m: 0.0,
            beside_m: 0.0,
            // to the right stands the target's name once it is there
            left: true,
        }),
        align: [0.5, 1.0],
        gives_way: true,
        size: 10.5,
        color: style.text,
        halo: style.halo,
    })
}
