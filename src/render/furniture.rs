//! What belongs to the viewport and not to the scene: the scale bar and the north arrow.

use std::f64::consts::FRAC_PI_2;

use super::draw_list::{Anchor, Label, Layer, Line, Mark, MarkShape};
use super::{Camera, Color, Style};
use crate::geometry::{DVec2, dvec2, wrap_angle};

/// Distance from the edges of the viewport, points.
const MARGIN: f64 = 16.0;

/// Scale bar and north arrow in the lower right and upper right corner of a viewport of `size` points. The layer's
/// coordinates are points from the middle of the viewport, y up.
pub fn furniture(camera: &Camera, size: DVec2, style: &Style) -> (Layer, Vec<Label>) {
    let mut layer = Layer::default();
    let mut labels = Vec::new();
    if size.x < 240.0 || size.y < 160.0 {
        return (layer, labels);
    }
    let metres = bar_length_m(camera.metres(110.0));
    let length = metres * camera.points_per_m;
    let right = dvec2(size.x / 2.0 - MARGIN, -size.y / 2.0 + MARGIN);
    let left = right - dvec2(length, 0.0);
    let line = |from: DVec2, to: DVec2, width: f64, color: Color| Line {
        from: from.as_vec2().to_array(),
        to: to.as_vec2().to_array(),
        width: [0.0, width as f32],
        dash: [0.0; 2],
        start_m: 0.0,
        flags: 0,
        color,
    };
    let up = dvec2(0.0, 5.0);
    for (width, color) in [(4.0, style.halo.faded(0.7)), (1.5, style.text)] {
        layer.lines.extend([
            line(left, right, width, color),
            line(left, left + up, width, color),
            line(right, right + up, width, color),
        ]);
    }
    let text = if metres < 1000.0 {
        format!("{metres} m")
    } else {
        format!("{} km", metres / 1000.0)
    };
    let label = |text: String, x: f64, y: f64| Label {
        text,
        anchor: Anchor::Screen([x as f32, y as f32]),
        shift: [0.0; 2],
        clear: None,
        align: [0.5, 1.0],
        gives_way: false,
        size: 11.0,
        color: style.text,
        halo: style.halo,
    };
    labels.push(label(
        text,
        size.x - MARGIN - length / 2.0,
        size.y - MARGIN - 4.0,
    ));
    let turn = wrap_angle(FRAC_PI_2 - camera.up);
    if turn.abs() > 1e-6 {
        let north = dvec2(-turn.sin(), turn.cos());
        let at = dvec2(size.x / 2.0 - MARGIN - 10.0, size.y / 2.0 - MARGIN - 10.0);
        layer.marks.push(Mark {
            at: at.as_vec2().to_array(),
            ahead: north.as_vec2().to_array(),
            shift: [0.0; 2],
            radius: [0.0, 9.0],
            stroke: 1.0,
            value: 0.0,
            fill: style.text,
            edge: style.halo,
            shape: MarkShape::Arrow as u32,
            hide_below: 0.0,
        });
        let beside = at + north * 17.0;
        labels.push(Label {
            align: [0.5, 0.5],
            gives_way: false,
            ..label(
                "N".to_owned(),
                beside.x + size.x / 2.0,
                size.y / 2.0 - beside.y,
            )
        });
    }
    (layer, labels)
}

/// The largest of 1, 2, 5 times a power of ten that is at most `longest` metres.
pub fn bar_length_m(longest: f64) -> f64 {
    let power = 10_f64.powf(longest.log10().floor());
    let step = [5.0, 2.0].into_iter().find(|step| step * power <= longest);
    step.unwrap_or(1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_bars_have_round_lengths() {
        assert_eq!(bar_length_m(17.0), 10.0);
        assert_eq!(bar_length_m(49.0), 20.0);
        assert_eq!(bar_length_m(730.0), 500.0);
    }

    #[test]
    fn north_is_drawn_only_when_it_is_not_up() {
        let style = Style::dark();
        let size = dvec2(800.0, 600.0);
        let mut camera = Camera::default();
        assert!(furniture(&camera, size, &style).0.marks.is_empty());
        camera.up = 0.0; // east is up, so north points left
        let (layer, _) = furniture(&camera, size, &style);
        let [x, y] = layer.marks[0].ahead;
        assert!((x + 1.0).abs() < 1e-6 && y.abs() < 1e-6);
    }
}
