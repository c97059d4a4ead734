//! Agents at a moment: footprints with their second cues, ghosts, names, and contacts that really happen.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::draw_list::{Anchor, Body, BodyShape, Clearance, Label, Mark, MarkShape};
use super::options::{Names, ViewOptions};
use super::strokes::{Sheet, Stroke};
use super::{Color, Style};
use crate::geometry::{DVec2, OrientedBox, clip_convex, polygon_area};
use crate::map::LaneKind;
use crate::scene::{
    Agent, AgentId, AgentKind, Control, Role, Scene, Signal, SignalState, State, WORLD,
};

/// Opacity of ghosts of the log.
pub(super) const GHOST_OPACITY: f64 = 0.35;
/// Agents that travel less than this in the whole scene are drawn quieter, m.
const STANDING_M: f64 = 1.0;
/// Places nearer to each other than this are one, m.
const SAME_M: f64 = 0.01;
/// Overlaps shallower than this are measurement noise of recorded boxes, m.
const TOUCH_M: f64 = 0.05;

/// Whether an agent has a part: ego or attacker.
pub(super) fn has_part(agent: &Agent) -> bool {
    agent.role != Role::Other
}

/// Whether an agent's future was made and not given; where no run made the scene, whether it goes another way than recorded.
pub(super) fn is_made(scene: &Scene, agent: &Agent) -> bool {
    agent.control == Control::Free
        && match &scene.generated {
            Some(made) => {
                let mut rows = made.recipe.rows();
                rows.any(|id| *id == agent.id) && !made.recipe.kept.contains(&agent.id)
            }
            None => scene.driven_by() == Some(WORLD) || is_changed(scene, agent),
        }
}

/// Whether an agent goes another way than was recorded: by a run before the last one, a drive, or the user's hand.
fn is_changed(scene: &Scene, agent: &Agent) -> bool {
    let Some(log) = scene.log.get(&agent.id) else {
        return false;
    };
    let frames = log.states().len().min(agent.track.states().len());
    let mut latest_first = (0..frames).rev();
    latest_first.any(|frame| match (log.get(frame), agent.track.get(frame)) {
        (Some(was), Some(is)) => (was.position - is.position).length() > SAME_M,
        (was, is) => was.is_some() != is.is_some(),
    })
}

/// Whether the last run left a free agent on a way that is not the recorded one. In a scene that no run made this is
/// [`is_made`].
fn is_kept_changed(scene: &Scene, agent: &Agent) -> bool {
    scene.generated.is_some() && agent.control == Control::Free && is_changed(scene, agent)
}

/// The colour of an agent: its part first, then whether it goes as was recorded.
pub(super) fn agent_color(scene: &Scene, agent: &Agent, style: &Style) -> Color {
    match agent.role {
        Role::Ego => style.ego,
        Role::Attacker => style.attacker,
        Role::Other if is_made(scene, agent) || is_kept_changed(scene, agent) => style.free,
        Role::Other => style.fixed,
    }
}

/// The colour a signal lamp has; grey where it is off or not known.
fn signal_color(state: SignalState) -> Color {
    match state {
        SignalState::Unknown => Color::hex(0x8a_90_99),
        SignalState::Red | SignalState::FlashingRed => Color::hex(0xff_3b_30),
        SignalState::Yellow | SignalState::FlashingYellow => Color::hex(0xff_c4_00),
        SignalState::Green => Color::hex(0x2f_d1_5a),
    }
}

/// In how many places a signal's bar is cut: the second cue beside its colour.
fn signal_gaps(state: SignalState) -> f32 {
    match state {
        SignalState::Unknown | SignalState::Red => 0.0,
        SignalState::Yellow => 1.0,
        SignalState::Green => 2.0,
        SignalState::FlashingYellow => 3.0,
        SignalState::FlashingRed => 4.0,
    }
}

/// Draws every visible agent at `time_s`, and returns the labels.
pub(super) fn draw_agents(
    scene: &Scene,
    time_s: f64,
    options: &ViewOptions,
    style: &Style,
    sheet: &mut Sheet,
) -> Vec<Label> {
    let mut labels = Vec::new();
    let mut present: Vec<(&Agent, State)> = scene
        .states_at(time_s)
        .filter(|(_, agent, _)| !options.hidden.contains(&agent.id))
        .map(|(_, agent, state)| (&**agent, state))
        .collect();
    if options.log_ghosts {
        draw_log_ghosts(scene, time_s, options, style, sheet);
    }
    if let Some(before) = &options.before {
        for (_, agent, state) in before.0.states_at(time_s) {
            if !options.hidden.contains(&agent.id) {
                let color = agent_color(&before.0, agent, style);
                ghost(agent, &state, color, sheet);
            }
        }
    }
    // the parts lie on top of the crowd
    present.sort_by_key(|(agent, _)| {
        (
            options.selected.contains(&agent.id),
            agent.role == Role::Ego,
            agent.role == Role::Attacker,
        )
    });
    for (agent, state) in &present {
        let noise = match &options.noise {
            Some(noise) => noise.level(&agent.id, time_s),
            None => 0.0,
        };
        draw_body(scene, agent, state, noise, (options, style), sheet);
        labels.extend(name(agent, state, options, style));
    }
    labels
}

fn draw_log_ghosts(
    scene: &Scene,
    time_s: f64,
    options: &ViewOptions,
    style: &Style,
    sheet: &mut Sheet,
) {
    for (id, track) in &scene.log {
        let logged = track.sample(scene.frame_at(time_s));
        let (Some(agent), Some(state)) = (scene.agent(id), logged) else {
            continue;
        };
        let has_moved = agent
            .track
            .sample(scene.frame_at(time_s))
            .is_none_or(|now| now.position.distance(state.position) > 0.3);
        if has_moved && !options.hidden.contains(id) {
            ghost(agent, &state, style.fixed, sheet);
        }
    }
}

/// An outline where an agent would be.
pub(super) fn ghost(agent: &Agent, state: &State, color: Color, sheet: &mut Sheet) {
    let footprint = agent.footprint(state);
    let body = Body {
        least: 2.5,
        edge_width: 1.25,
        fill: color.faded(GHOST_OPACITY * 0.5),
        edge: color.faded(GHOST_OPACITY * 2.0),
        nose: Color::CLEAR,
        shape: BodyShape::Ghost as u32,
        ..body_of(&footprint, sheet)
    };
    sheet.layer.bodies.push(body);
}

fn body_of(footprint: &OrientedBox, sheet: &Sheet) -> Body {
    Body {
        centre: sheet.local(footprint.pose.point),
        ahead: footprint.pose.forward().as_vec2().to_array(),
        half: [footprint.length as f32 / 2.0, footprint.width as f32 / 2.0],
        ..bytemuck::Zeroable::zeroed()
    }
}

fn draw_body(
    scene: &Scene,
    agent: &Agent,
    state: &State,
    noise: f32,
    (options, style): (&ViewOptions, &Style),
    sheet: &mut Sheet,
) {
    let color = agent_color(scene, agent, style);
    let is_selected = options.selected.contains(&agent.id);
    let is_hovered = options.hovered.as_ref() == Some(&agent.id);
    let is_quiet = !has_part(agent) && !is_selected && is_standing(agent);
    let fill = if is_quiet {
        color.mixed(style.road, 0.45)
    } else {
        color
    };
    let (edge, edge_width) = match (is_selected, is_hovered, agent.role) {
        (true, ..) => (style.selection, 2.5),
        (false, true, _) => (style.selection.mixed(color, 0.35), 2.0),
        (false, false, Role::Attacker) => (color.mixed(style.outline, 0.55), 3.0),
        (false, false, _) => (fill.mixed(style.outline, 0.5), 1.25),
    };
    let (shape, least, nose) = match (agent.role, agent.kind) {
        (Role::Ego, AgentKind::Vehicle) => (BodyShape::Ego, 3.0, Color::hex(0xff_ff_ff)),
        (_, AgentKind::Vehicle) => (BodyShape::Vehicle, 2.5, fill.mixed(style.outline, 0.55)),
        (_, AgentKind::Pedestrian) => (BodyShape::Pedestrian, 3.5, fill.mixed(style.outline, 0.6)),
        (_, AgentKind::Cyclist) => (BodyShape::Cyclist, 3.0, fill.mixed(style.outline, 0.6)),
        (_, AgentKind::Other) => (BodyShape::Thing, 2.0, Color::CLEAR),
    };
    let footprint = agent.footprint(state);
    let body = Body {
        least,
        edge_width,
        fill,
        edge,
        nose,
        shape: shape as u32,
        shadow: style.shadow,
        noise: noise.clamp(0.0, 1.0),
        seed: seed_of(&agent.id),
        ..body_of(&footprint, sheet)
    };
    sheet.layer.bodies.push(body);
    if agent.role == Role::Attacker {
        let ring = Mark {
            at: body.centre,
            ahead: [0.0; 2],
            shift: [0.0; 2],
            radius: [footprint.radius() as f32 + 0.9, 11.0],
            stroke: 1.75,
            value: 5.0,
            fill: Color::CLEAR,
            edge: color,
            shape: MarkShape::Ring as u32,
            hide_below: 0.0,
        };
        sheet.layer.marks.push(ring);
    }
}

/// Whether an agent hardly moves in the whole scene (ends and middle of its track).
pub(super) fn is_standing(agent: &Agent) -> bool {
    let Some((first, last)) = agent.track.span() else {
        return true;
    };
    let at = |frame: usize| agent.track.get(frame).map(|state| state.position);
    let Some(start) = at(first) else { return true };
    [(first + last) / 2, last]
        .into_iter()
        .filter_map(at)
        .all(|point| point.distance(start) < STANDING_M)
}

fn seed_of(id: &AgentId) -> f32 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    (hasher.finish() >> 40) as f32 / (1_u64 << 24) as f32
}

fn name(agent: &Agent, state: &State, options: &ViewOptions, style: &Style) -> Option<Label> {
    let is_named = options.selected.contains(&agent.id)
        || options.hovered.as_ref() == Some(&agent.id)
        || has_part(agent);
    match options.names {
        Names::None => return None,
        Names::Parts if !is_named => return None,
        Names::Parts | Names::All => {}
    }
    let around_m = 0.9 * agent.footprint(state).radius();
    // an attacker's name clears its ring
    let (above_m, beside_m) = match agent.role {
        Role::Attacker => (around_m + 1.2, around_m + 1.2),
        Role::Ego | Role::Other => (around_m, agent.width / 2.0),
    };
    let id = agent.id.short();
    let text = match agent.role {
        Role::Ego => "ego".to_owned(),
        Role::Attacker => format!("attacker {id}"),
        Role::Other => id,
    };
    Some(Label {
        text,
        anchor: Anchor::World(state.position),
        shift: [0.0, -5.0],
        clear: Some(Clearance {
            heading: state.heading,
            above_m,
            beside_m,
            left: false,
        }),
        align: [0.5, 1.0],
        gives_way: false,
        size: if is_named { 12.0 } else { 10.0 },
        color: style.text,
        halo: style.halo,
    })
}

/// Overlaps of footprints at a moment, as (position of one agent, of the other, overlap polygon). Two agents that
/// both stand are left out, since parked boxes of recordings often touch, and so are people and cyclists among
/// themselves.
pub(super) fn contacts(scene: &Scene, time_s: f64) -> Vec<(usize, usize, Vec<DVec2>)> {
    let mut boxes: Vec<(usize, f64, OrientedBox, bool)> = scene
        .states_at(time_s)
        .map(|(index, agent, state)| {
            let footprint = agent.footprint(&state);
            let low = footprint.pose.point.x - footprint.radius();
            (index, low, footprint, state.speed() > 0.3)
        })
        .collect();
    boxes.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut found = Vec::new();
    for (order, (index, _, footprint, moves)) in boxes.iter().enumerate() {
        let high = footprint.pose.point.x + footprint.radius();
        let near = boxes[order + 1..].iter().take_while(|next| next.1 < high);
        for (other, _, other_footprint, other_moves) in near {
            let kinds = [index, other].map(|&index| scene.agents[index].kind);
            if (*moves || *other_moves)
                && kinds.contains(&AgentKind::Vehicle)
                && footprint.overlaps(other_footprint)
                && footprint.penetration(other_footprint) > TOUCH_M
            {
                let shared = clip_convex(&footprint.corners(), &other_footprint.corners());
                found.push((*index.min(other), *index.max(other), shared));
            }
        }
    }
    found.sort_by_key(|&(a, b, _)| (a, b));
    found
}

/// Marks every contact: the overlap hatched, a cross at its middle.
pub(super) fn draw_contacts(
    scene: &Scene,
    time_s: f64,
    options: &ViewOptions,
    style: &Style,
    sheet: &mut Sheet,
) {
    for (a, b, shared) in contacts(scene, time_s) {
        let is_hidden = |index: usize| options.hidden.contains(&scene.agents[index].id);
        if is_hidden(a) || is_hidden(b) || polygon_area(&shared).abs() < 1e-6 {
            continue;
        }
        sheet.area(&shared, style.violation, 1);
        sheet.outline(&shared, &Stroke::solid(0.0, 1.5, style.violation));
        let middle = shared.iter().sum::<DVec2>() / shared.len() as f64;
        let cross = Mark {
            at: sheet.local(middle),
            ahead: [0.0; 2],
            shift: [0.0; 2],
            radius: [0.0, 8.0],
            stroke: 2.5,
            value: 0.0,
            fill: style.halo,
            edge: style.violation,
            shape: MarkShape::Cross as u32,
            hide_below: 0.0,
        };
        sheet.layer.marks.push(cross);
    }
}

/// Bars at stop points in the colours the lamps show.
pub(super) fn draw_signals(scene: &Scene, time_s: f64, sheet: &mut Sheet) {
    let frame = (scene.frame_at(time_s) + 1e-6).max(0.0) as usize;
    for signal in scene.signals.iter() {
        let state = signal.at(frame);
        let color = signal_color(state);
        let Some((point, ahead, half_width_m)) = signal_place(scene, signal) else {
            continue;
        };
        let bar = Mark {
            at: sheet.local(point),
            ahead: ahead.as_vec2().to_array(),
            shift: [0.0; 2],
            radius: [half_width_m as f32, 4.0],
            stroke: if state == SignalState::Unknown {
                2.0
            } else {
                3.5
            },
            value: signal_gaps(state),
            fill: color,
            edge: color,
            shape: MarkShape::Bar as u32,
            hide_below: 0.0,
        };
        sheet.layer.marks.push(bar);
    }
}

/// Where a signal's bar lies, the direction of travel across it, and half of its length (m). Without a stop point
/// it is the start of a lane through a junction, else the end of the lane.
pub fn signal_place(scene: &Scene, signal: &Signal) -> Option<(DVec2, DVec2, f64)> {
    let lane = scene.map.lane(&signal.lane);
    let line = lane.map(|lane| &lane.centreline);
    let half_width = lane
        .filter(|lane| lane.kind != LaneKind::Walk)
        .map_or(1.4, |lane| 0.42 * lane.width_or_default().clamp(2.0, 5.0));
    match (signal.stop_point, line) {
        (Some(point), Some(line)) => {
            let ahead = DVec2::from_angle(line.project(point).heading);
            Some((point, ahead, half_width))
        }
        (Some(point), None) => Some((point, DVec2::X, half_width)),
        (None, Some(line)) => {
            let at_start = lane.is_some_and(|lane| lane.in_junction);
            let pose = line.pose_at(if at_start { 0.0 } else { line.length() });
            Some((pose.point, pose.forward(), half_width))
        }
        (None, None) => None,
    }
}
