//! Lines between where everyone is in two scenes, coloured by metres.

use super::draw_list::{Anchor, Label, Mark, MarkShape};
use super::options::ViewOptions;
use super::strokes::{Sheet, Stroke};
use super::{Color, Style};
use crate::geometry::DVec2;
use crate::scene::Scene;

/// Who is nearer to where it was than this is not joined to it, m.
const LEAST_M: f64 = 0.1;

/// From this distance on the metres are written, m.
const TOLD_M: f64 = 0.5;

/// The distance from which on the colour is the strongest, m.
pub const FULL_M: f64 = 5.0;

/// Half seconds after the present at which thin lines are drawn.
const HALF_SECONDS: usize = 16;

/// The colour of a distance, m: blue for none, over yellow, to red from [`FULL_M`] on.
pub fn shade(metres: f64, style: &Style) -> Color {
    let share = (metres / FULL_M).clamp(0.0, 1.0);
    if share < 0.5 {
        style.ego.mixed(style.yellow_line, share * 2.0)
    } else {
        let rest = share * 2.0 - 1.0;
        style.yellow_line.mixed(style.violation, rest)
    }
}

/// Lines from where everyone is in `other` to where they are in `scene`: thin at each half second after the present,
/// strong at `time_s`, with the metres there from half a metre on.
pub(super) fn draw_apart(
    (other, scene): (&Scene, &Scene),
    time_s: f64,
    options: &ViewOptions,
    style: &Style,
    sheet: &mut Sheet,
) -> Vec<Label> {
    let mut labels = Vec::new();
    for agent in &scene.agents {
        if options.hidden.contains(&agent.id) {
            continue;
        }
        let Some(old) = other.agent(&agent.id) else {
            continue;
        };
        let apart = |at_s: f64| {
            let from = old.track.sample(other.frame_at(at_s))?.position;
            let to = agent.track.sample(scene.frame_at(at_s))?.position;
            let metres = from.distance(to);
            (metres >= LEAST_M).then_some((from, to, metres))
        };
        for half in 1..=HALF_SECONDS {
            if let Some((from, to, metres)) = apart(scene.now_s() + 0.5 * half as f64) {
                let color = shade(metres, style).faded(0.75);
                sheet.polyline(&[from, to], &Stroke::solid(0.0, 1.2, color));
                sheet.layer.marks.push(dot(sheet, to, 1.8, color));
            }
        }
        let Some((from, to, metres)) = apart(time_s) else {
            continue;
        };
        let color = shade(metres, style);
        let ends = [from, to];
        sheet.polyline(&ends, &Stroke::solid(0.0, 5.0, style.halo.faded(0.8)));
        sheet.polyline(&ends, &Stroke::solid(0.0, 2.6, color));
        for end in ends {
            sheet.layer.marks.push(dot(sheet, end, 3.2, color));
        }
        if metres < TOLD_M {
            continue;
        }
        labels.push(Label {
            text: format!("{metres:.1} m"),
            anchor: Anchor::World(to),
            shift: [9.0, -9.0],
            clear: None,
            align: [0.0, 1.0],
            gives_way: true,
            size: 11.0,
            color,
            halo: style.halo,
        });
    }
    labels
}

fn dot(sheet: &Sheet, at: DVec2, radius: f32, color: Color) -> Mark {
    Mark {
        at: sheet.local(at),
        radius: [0.0, radius],
        fill: color,
        edge: color,
        shape: MarkShape::Disc as u32,
        ..bytemuck::Zeroable::zeroed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::fixtures::stepping_aside;

    fn drawn(aside: f64, time_s: f64) -> (usize, Vec<String>) {
        let mut sheet = Sheet::new(DVec2::ZERO);
        let pair = (&stepping_aside(0.0), &stepping_aside(aside));
        let options = ViewOptions::default();
        let labels = draw_apart(pair, time_s, &options, &Style::dark(), &mut sheet);
        let texts = labels.into_iter().map(|label| label.text).collect();
        (sheet.layer.lines.len(), texts)
    }

    #[test]
    fn who_moved_is_joined_at_every_half_second_and_measured_at_the_moment_shown() {
        // 16 half seconds, and at the moment shown a line with its halo
        assert_eq!(drawn(3.0, 6.0), (16 + 2, vec!["3.0 m".to_owned()]));
        assert_eq!(drawn(3.0, 1.0), (16, vec![])); // before the present both are alike
        assert_eq!(drawn(0.3, 6.0), (16 + 2, vec![])); // too little to be told in metres
        assert_eq!(drawn(0.05, 6.0), (0, vec![]));
    }

    #[test]
    fn colours_go_from_none_to_five_metres() {
        let style = Style::dark();
        assert_eq!(shade(0.0, &style), style.ego);
        assert_eq!(shade(2.5, &style), style.yellow_line);
        assert_eq!(shade(9.0, &style), style.violation);
        assert_eq!(shade(f64::INFINITY, &style), style.violation);
    }
}
