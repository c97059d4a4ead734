//! The road as layers: what lies beside it, its surface, and the paint. Built once per map and style.

use std::sync::Arc;

use super::Color;
use super::Style;
use super::draw_list::{Layer, Mark, MarkShape};
use super::strokes::{Sheet, Stroke, simplified};
use crate::geometry::{DVec2, Polyline};
use crate::map::{Area, AreaKind, Lane, LaneKind, Line as RoadLine, LineKind, Map};

/// Points nearer than this to the line through their neighbours are not drawn, m.
const TOLERANCE_M: f64 = 0.03;
/// Extent of the kerb beyond the road surface, m.
const KERB_M: f64 = 0.22;
/// Width of painted lines, m.
const PAINT_M: f64 = 0.13;
/// Colour of stop signs: literal, like signals.
const STOP_RED: Color = Color::hex(0xc8_1e_2c);

/// The layers of a map, bottom to top, relative to `origin`.
pub(super) fn map_layers(map: &Map, style: &Style, origin: DVec2) -> Vec<Arc<Layer>> {
    let mut beside = Sheet::new(origin);
    let mut road = Sheet::new(origin);
    let mut paint = Sheet::new(origin);
    let has_edges = map.lines().iter().any(|line| line.kind == LineKind::Edge);
    let has_paint = map.lines().iter().any(|line| line.kind != LineKind::Edge);
    for area in map.areas() {
        draw_area(area, style, has_edges, [&mut beside, &mut road]);
    }
    for lane in map.lanes() {
        draw_surface(lane, style, has_edges, [&mut beside, &mut road]);
    }
    let is_crossing = |area: &&Area| area.kind == AreaKind::Crossing;
    for area in map.areas().iter().filter(is_crossing) {
        draw_stripes(&area.polygon, style.crossing, &mut paint);
    }
    for lane in map.lanes() {
        if !has_paint {
            draw_borders(lane, style, &mut paint);
        }
        draw_arrows(lane, style, &mut paint);
    }
    for line in map.lines() {
        draw_line(line, style, &mut paint);
    }
    for sign in map.stop_signs() {
        let mark = Mark {
            at: paint.local(sign.point),
            ahead: [0.0; 2],
            shift: [0.0; 2],
            radius: [0.7, 5.0],
            stroke: 1.2,
            value: 0.0,
            fill: STOP_RED,
            edge: Color::hex(0xff_ff_ff),
            shape: MarkShape::Octagon as u32,
            hide_below: 0.0,
        };
        paint.layer.marks.push(mark);
    }
    [beside, road, paint]
        .map(|sheet| Arc::new(sheet.layer))
        .to_vec()
}

fn draw_area(area: &Area, style: &Style, has_edges: bool, [beside, road]: [&mut Sheet; 2]) {
    let polygon = &area.polygon;
    let (sheet, color) = match area.kind {
        AreaKind::Drivable | AreaKind::Junction => {
            if !has_edges {
                beside.outline(polygon, &Stroke::solid(2.0 * KERB_M, 2.0, style.kerb));
            }
            (road, style.road)
        }
        AreaKind::Driveway => (road, style.side_road),
        AreaKind::SpeedBump => (road, style.road.mixed(style.yellow_line, 0.25)),
        AreaKind::Sidewalk => (beside, style.walk),
        AreaKind::Crossing | AreaKind::Other => return,
    };
    sheet.area(polygon, color, 0);
    sheet.outline(polygon, &Stroke::solid(0.0, 1.0, color));
}

fn draw_surface(lane: &Lane, style: &Style, has_edges: bool, [beside, road]: [&mut Sheet; 2]) {
    let (color, is_walk) = match lane.kind {
        LaneKind::Street | LaneKind::Freeway | LaneKind::Bus => (style.road, false),
        LaneKind::Bike => (style.bike_road, false),
        LaneKind::Other => (style.side_road, false),
        LaneKind::Walk => (style.walk, true),
    };
    let left = simplified(&lane.left_border, TOLERANCE_M);
    let right = simplified(&lane.right_border, TOLERANCE_M);
    let has_kerb = !has_edges && !is_walk;
    if left.len() >= 2 && right.len() >= 2 {
        if has_kerb {
            let kerb = Stroke::solid(2.0 * KERB_M, 2.0, style.kerb);
            beside.polyline(&left, &kerb);
            beside.polyline(&right, &kerb);
        }
        let polygon: Vec<DVec2> = left.iter().chain(right.iter().rev()).copied().collect();
        let sheet = if is_walk { beside } else { road };
        sheet.area(&polygon, color, 0);
        sheet.outline(&polygon, &Stroke::solid(0.0, 1.0, color));
        return;
    }
    let centre = simplified(lane.centreline.points(), TOLERANCE_M);
    let width = match lane.kind {
        LaneKind::Bike | LaneKind::Walk => lane.width.unwrap_or(1.8),
        _ => lane.width_or_default(),
    };
    if has_kerb {
        let kerb = Stroke::solid(width + 2.0 * KERB_M, 2.0, style.kerb);
        beside.polyline(&centre, &kerb.flat());
    }
    let sheet = if is_walk { beside } else { road };
    sheet.polyline(&centre, &Stroke::solid(width, 1.0, color));
}

/// Stripes across the way of a crossing, half a metre wide, along its longest side.
fn draw_stripes(polygon: &[DVec2], color: Color, paint: &mut Sheet) {
    let edges =
        (0..polygon.len()).map(|index| (polygon[index], polygon[(index + 1) % polygon.len()]));
    let longest = edges
        .clone()
        .map(|(from, to)| to - from)
        .max_by(|a, b| a.length_squared().total_cmp(&b.length_squared()));
    let Some(walk) = longest.and_then(DVec2::try_normalize) else {
        return;
    };
    let across = walk.perp();
    let along = polygon.iter().map(|point| point.dot(walk));
    let low = along.clone().fold(f64::INFINITY, f64::min);
    let high = along.fold(f64::NEG_INFINITY, f64::max);
    if !(high - low < 500.0) {
        return;
    }
    let count = ((high - low) / 1.1).floor().max(1.0);
    let pitch = (high - low) / count;
    let stroke = Stroke::solid(0.5 * pitch, 0.0, color).flat();
    for index in 0..count as usize {
        let at = low + (index as f64 + 0.5) * pitch;
        let mut cuts: Vec<f64> = edges
            .clone()
            .filter_map(|(from, to)| {
                let (a, b) = (from.dot(walk) - at, to.dot(walk) - at);
                ((a < 0.0) != (b < 0.0)).then(|| (from + (to - from) * (a / (a - b))).dot(across))
            })
            .collect();
        cuts.sort_by(f64::total_cmp);
        for cut in cuts.chunks_exact(2) {
            let point = |side: f64| walk * at + across * side;
            paint.polyline(&[point(cut[0]), point(cut[1])], &stroke);
        }
    }
}

/// Borders of a lane as paint, for maps that carry no painted lines: dashes between lanes of one direction.
fn draw_borders(lane: &Lane, style: &Style, paint: &mut Sheet) {
    if lane.in_junction || lane.kind == LaneKind::Walk {
        return;
    }
    let known = |border: &[DVec2]| (border.len() >= 2).then(|| simplified(border, TOLERANCE_M));
    let half = lane.width_or_default() / 2.0;
    let shifted = |left: f64| {
        let line = Polyline::new(simplified(lane.centreline.points(), TOLERANCE_M))?;
        Some(line.shifted(left)?.points().to_vec())
    };
    let solid = Stroke::solid(PAINT_M, 1.0, style.white_line);
    let dashed = match lane.kind {
        LaneKind::Freeway => solid.dashed_m(6.0, 12.0),
        _ => solid.dashed_m(3.0, 6.0),
    };
    if let Some(left) = known(&lane.left_border).or_else(|| shifted(half)) {
        let is_inner = lane.left_neighbour.is_some();
        paint.polyline(&left, if is_inner { &dashed } else { &solid });
    }
    // the border to a neighbour on the right is that neighbour's left one
    if lane.right_neighbour.is_none()
        && let Some(right) = known(&lane.right_border).or_else(|| shifted(-half))
    {
        paint.polyline(&right, &solid);
    }
}

/// Small chevrons along driving lanes.
fn draw_arrows(lane: &Lane, style: &Style, paint: &mut Sheet) {
    let length = lane.centreline.length();
    if lane.in_junction || !lane.carries_vehicles() || length < 12.0 {
        return;
    }
    let count = (length / 28.0).round().max(1.0);
    for index in 0..count as usize {
        let pose = lane
            .centreline
            .pose_at(length * (index as f64 + 0.5) / count);
        let mark = Mark {
            at: paint.local(pose.point),
            ahead: pose.forward().as_vec2().to_array(),
            shift: [0.0; 2],
            radius: [0.75, 0.0],
            stroke: 1.3,
            value: 0.0,
            fill: Color::CLEAR,
            edge: style.arrow,
            shape: MarkShape::Chevron as u32,
            hide_below: 3.0,
        };
        paint.layer.marks.push(mark);
    }
}

fn draw_line(line: &RoadLine, style: &Style, paint: &mut Sheet) {
    let points = simplified(&line.points, TOLERANCE_M);
    let white = Stroke::solid(PAINT_M, 1.0, style.white_line);
    let yellow = Stroke::solid(PAINT_M, 1.0, style.yellow_line);
    let stroke = match line.kind {
        LineKind::BrokenWhite => white.dashed_m(3.0, 6.0),
        LineKind::SolidWhite => white,
        LineKind::BrokenYellow => yellow.dashed_m(3.0, 6.0),
        LineKind::SolidYellow => yellow,
        LineKind::Edge => Stroke::solid(KERB_M, 1.5, style.kerb),
        LineKind::Other => Stroke::solid(PAINT_M, 0.75, style.faint_line),
    };
    paint.polyline(&points, &stroke);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;
    use crate::map::MapParts;

    #[test]
    fn a_crossing_ten_metres_long_has_nine_stripes_across_it() {
        let mut sheet = Sheet::new(DVec2::ZERO);
        let polygon = [(0.0, 0.0), (10.0, 0.0), (10.0, 3.0), (0.0, 3.0)].map(|(x, y)| dvec2(x, y));
        draw_stripes(&polygon, Color::hex(0), &mut sheet);
        // floor(10 / 1.1) = 9
        assert_eq!(sheet.layer.lines.len(), 9);
        let lines = &sheet.layer.lines;
        assert!(
            lines
                .iter()
                .all(|line| (line.from[0] - line.to[0]).abs() < 1e-5)
        );
        assert!(
            lines
                .iter()
                .all(|line| ((line.from[1] - line.to[1]).abs() - 3.0).abs() < 1e-5)
        );
    }

    #[test]
    fn lanes_without_borders_are_as_wide_as_they_say() {
        let mut lane = Lane::new(
            "a",
            LaneKind::Street,
            Polyline::new([dvec2(0.0, 0.0), dvec2(50.0, 0.0)]).unwrap(),
        );
        lane.width = Some(3.2);
        let map = Map::build(MapParts {
            lanes: vec![lane],
            ..MapParts::default()
        });
        let layers = map_layers(&map, &Style::dark(), DVec2::ZERO);
        assert_eq!(layers[1].lines[0].width[0], 3.2);
        // borders 1.6 m to both sides
        let sides: Vec<f32> = layers[2].lines.iter().map(|line| line.from[1]).collect();
        assert_eq!(sides, [1.6, -1.6]);
    }
}
