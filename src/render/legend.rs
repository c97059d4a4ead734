//! The legend of a picture: what the shapes and colours in it stand for, only what occurs.

use super::agents::{agent_color, is_made};
use super::draw_list::{Anchor, Body, BodyShape, Label, Layer, Line, Mark, MarkShape, Vertex};
use super::text::text_extent;
use super::{Color, FULL_M, PathKind, Style, ViewOptions, shade};
use crate::geometry::{DVec2, dvec2};
use crate::scene::{Agent, AgentKind, Role, Scene, WORLD};

/// Height of a row, points.
const ROW: f64 = 19.0;
/// Distance from the corner of the viewport, points.
const MARGIN: f64 = 16.0;
/// Height of the letters, points.
const SIZE: f32 = 12.0;
/// Distance of the words from the left of their row, points.
const WORDS: f64 = 31.0;
/// How far the ground reaches beyond the rows, points.
const RIM: f64 = 7.0;

/// Rows in the lower left corner of a viewport of `size` points, `left` points from its edge; coordinates as in [`super::furniture`].
/// `options` say what is drawn beyond the agents.
pub fn legend(
    scene: &Scene,
    options: &ViewOptions,
    (size, left): (DVec2, f64),
    style: &Style,
) -> (Layer, Vec<Label>) {
    let margin = MARGIN + left;
    let mut layer = Layer::default();
    let mut labels = Vec::new();
    let rows = rows(scene, options, style);
    let widths = rows.iter().map(|(text, _)| text_extent(text, SIZE)[0]);
    if let Some(widest) = widths.max_by(f32::total_cmp) {
        let low = dvec2(-size.x / 2.0 + margin, -size.y / 2.0 + MARGIN);
        let extent = dvec2(WORDS + f64::from(widest), ROW * rows.len() as f64);
        ground((low - RIM, low + extent + RIM), style, &mut layer);
    }
    for (index, (text, symbol)) in rows.iter().enumerate() {
        let y = -size.y / 2.0 + MARGIN + ROW * ((rows.len() - 1 - index) as f64 + 0.5);
        let at = [(-size.x / 2.0 + margin + 12.0) as f32, y as f32];
        match *symbol {
            Symbol::Body(shape, color) => layer.bodies.push(body(shape, color, at, style)),
            Symbol::Mark(shape, color) => layer.marks.push(mark(shape, color, at, style)),
            Symbol::Stroke(color) => layer.lines.push(Line {
                from: [at[0] - 9.0, at[1]],
                to: [at[0] + 9.0, at[1]],
                width: [3.0, 0.0],
                color,
                ..bytemuck::Zeroable::zeroed()
            }),
        }
        labels.push(Label {
            text: text.clone(),
            anchor: Anchor::Screen([(margin + WORDS) as f32, (size.y / 2.0 - y) as f32]),
            shift: [0.0; 2],
            clear: None,
            align: [0.0, 0.5],
            gives_way: false,
            size: SIZE,
            color: style.text,
            halo: style.halo,
        });
    }
    (layer, labels)
}

enum Symbol {
    Body(BodyShape, Color),
    Mark(MarkShape, Color),
    Stroke(Color),
}

fn rows(scene: &Scene, options: &ViewOptions, style: &Style) -> Vec<(String, Symbol)> {
    let is_fixed = |agent: &Agent| agent_color(scene, agent, style) == style.fixed;
    let has = |wanted: &dyn Fn(&Agent) -> bool| scene.agents.iter().any(|agent| wanted(agent));
    let has_path = |kind| options.paths.iter().any(|path| path.kind == kind);
    let mut rows = Vec::new();
    let mut row = |text: &str, is_shown: bool, symbol| {
        if is_shown {
            rows.push((text.to_owned(), symbol));
        }
    };
    row(
        "ego",
        scene.ego().is_some(),
        Symbol::Body(BodyShape::Ego, style.ego),
    );
    row(
        "attacker",
        has(&|agent| agent.role == Role::Attacker),
        Symbol::Body(BodyShape::Vehicle, style.attacker),
    );
    let is_other = |agent: &Agent| agent.role == Role::Other && !is_fixed(agent);
    let by_hand = has(&|agent| is_other(agent) && !is_made(scene, agent));
    let changed = match (&scene.generated, scene.driven_by()) {
        (Some(_), _) if by_hand => "generated or changed",
        (Some(_), _) | (None, Some(WORLD)) => "generated",
        (None, _) => "not as recorded",
    };
    row(
        changed,
        has(&is_other),
        Symbol::Body(BodyShape::Vehicle, style.free),
    );
    row(
        "as recorded",
        has(&|agent| agent.role == Role::Other && is_fixed(agent)),
        Symbol::Body(BodyShape::Vehicle, style.fixed),
    );
    row(
        "pedestrian",
        has(&|agent| agent.kind == AgentKind::Pedestrian),
        Symbol::Body(BodyShape::Pedestrian, style.fixed),
    );
    row(
        "cyclist",
        has(&|agent| agent.kind == AgentKind::Cyclist),
        Symbol::Body(BodyShape::Cyclist, style.fixed),
    );
    row(
        "goal",
        !scene.goals.is_empty(),
        Symbol::Mark(MarkShape::Flag, style.text),
    );
    row(
        "intended contact",
        !scene.attacks.is_empty(),
        Symbol::Mark(MarkShape::Target, style.attacker),
    );
    row(
        "planner's route",
        has_path(PathKind::Route),
        Symbol::Stroke(style.ego.faded(0.3)),
    );
    row(
        "planner's mode",
        has_path(PathKind::Mode),
        Symbol::Stroke(style.plan),
    );
    row(
        "way out of the contact",
        has_path(PathKind::Escape),
        Symbol::Stroke(style.escape),
    );
    row(
        "in the other scene",
        options.before.is_some(),
        Symbol::Body(BodyShape::Ghost, style.fixed),
    );
    row(
        "less than a metre apart",
        options.apart,
        Symbol::Stroke(shade(0.0, style)),
    );
    let far = format!("{FULL_M} m apart or more");
    row(&far, options.apart, Symbol::Stroke(shade(FULL_M, style)));
    rows
}

/// What lies under the rows, so that they are told apart from the road: between two corners, points.
fn ground((low, high): (DVec2, DVec2), style: &Style, layer: &mut Layer) {
    let corners = [low, dvec2(high.x, low.y), high, dvec2(low.x, high.y)];
    layer.vertices.extend(corners.map(|corner| Vertex {
        at: corner.as_vec2().to_array(),
        color: style.halo.mixed(style.text, 0.05).faded(0.8),
        pattern: 0,
    }));
    layer.triangles.extend([[0, 1, 2], [0, 2, 3]]);
}

fn body(shape: BodyShape, color: Color, at: [f32; 2], style: &Style) -> Body {
    let half = match shape {
        BodyShape::Pedestrian => [4.5, 4.5],
        BodyShape::Cyclist => [8.5, 3.5],
        _ => [10.0, 4.75],
    };
    Body {
        centre: at,
        ahead: [1.0, 0.0],
        half,
        edge_width: if color == style.attacker { 2.0 } else { 1.0 },
        fill: color,
        edge: color.mixed(style.outline, 0.5),
        nose: match shape {
            BodyShape::Ego => Color::hex(0xff_ff_ff),
            _ => color.mixed(style.outline, 0.6),
        },
        shape: shape as u32,
        ..bytemuck::Zeroable::zeroed()
    }
}

fn mark(shape: MarkShape, color: Color, at: [f32; 2], style: &Style) -> Mark {
    let is_flag = shape == MarkShape::Flag;
    Mark {
        at,
        shift: [0.0, if is_flag { -6.0 } else { 0.0 }],
        radius: [0.0, if is_flag { 6.5 } else { 5.5 }],
        stroke: 1.5,
        fill: if is_flag { color } else { style.halo },
        edge: color,
        shape: shape as u32,
        ..bytemuck::Zeroable::zeroed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{Ghosts, Path};
    use crate::scene::Track;
    use std::sync::Arc;

    #[test]
    fn the_legend_names_only_what_occurs() {
        let mut ego = Agent::new("e", AgentKind::Vehicle, Track::default());
        ego.role = Role::Ego;
        let walker = Agent::new("p", AgentKind::Pedestrian, Track::default());
        let scene = Scene {
            agents: vec![Arc::new(ego), Arc::new(walker)],
            ..Scene::default()
        };
        let options = ViewOptions::default();
        let (layer, labels) = legend(
            &scene,
            &options,
            (dvec2(800.0, 600.0), 0.0),
            &Style::print(),
        );
        let texts: Vec<&str> = labels.iter().map(|label| label.text.as_str()).collect();
        assert_eq!(texts, ["ego", "as recorded", "pedestrian"]);
        assert_eq!((layer.bodies.len(), layer.lines.len()), (3, 0));
        // three rows of 19 points, 16 from the corner at (-400, -300), with a rim of 7
        assert_eq!(layer.vertices[0].at, [-391.0, -291.0]);
        assert_eq!(layer.vertices[2].at[1], -300.0 + 16.0 + 3.0 * 19.0 + 7.0);
        assert_eq!(layer.triangles.len(), 2);
        let mode = Path {
            points: Vec::new(),
            agent: None,
            kind: PathKind::Mode,
            weight: 1.0,
        };
        let options = ViewOptions {
            paths: Arc::new(vec![mode]),
            before: Some(Ghosts(Arc::new(scene.clone()))),
            apart: true,
            ..options
        };
        let (layer, labels) = legend(
            &scene,
            &options,
            (dvec2(800.0, 600.0), 0.0),
            &Style::print(),
        );
        assert_eq!(labels[3].text, "planner's mode");
        assert_eq!(labels[6].text, "5 m apart or more");
        assert_eq!((layer.bodies.len(), layer.lines.len()), (4, 3));
    }
}
