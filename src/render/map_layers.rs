//! The road as layers: what lies beside it, its surface, and the paint. Built once per map and style.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Color;
use super::Style;
use super::draw_list::{Layer, Mark, MarkShape};
use super::strokes::{Sheet, Stroke};
use crate::geometry::{DVec2, Polyline, simplified};
use crate::map::{Area, AreaKind, Lane, LaneKind, Line as RoadLine, LineKind, Map};

/// Points nearer than this to the line through their neighbours are not drawn, m.
const TOLERANCE_M: f64 = 0.03;
/// Extent of the kerb beyond the road surface, m.
const KERB_M: f64 = 0.22;
/// Width of painted lines, m.
const PAINT_M: f64 = 0.13;
/// Half of the widest lane that is filled up to its edges, m.
const WIDEST_M: f64 = 3.6;
/// Half width of lanes with no edge near, in maps that have edges: the middle of junctions, m.
const OPEN_M: f64 = 2.5;
/// Pieces of edges shorter than this that are left between lanes are not drawn, m.
const SCRAP_M: f64 = 6.0;
/// Colour of stop signs: literal, like signals.
const STOP_RED: Color = Color::hex(0xc8_1e_2c);

/// The layers of a map, bottom to top, relative to `origin`.
pub(super) fn map_layers(map: &Map, style: &Style, origin: DVec2) -> Vec<Arc<Layer>> {
    let mut beside = Sheet::new(origin);
    let mut road = Sheet::new(origin);
    let mut paint = Sheet::new(origin);
    let edges = Edges::of(map);
    let has_edges = !edges.cells.is_empty();
    let has_paint = map.lines().iter().any(|line| line.kind != LineKind::Edge);
    for area in map.areas() {
        draw_area(area, style, has_edges, [&mut beside, &mut road]);
    }
    for lane in map.lanes() {
        draw_surface(lane, style, &edges, [&mut beside, &mut road]);
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
        draw_line(map, line, style, &mut paint);
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

fn draw_surface(lane: &Lane, style: &Style, edges: &Edges, [beside, road]: [&mut Sheet; 2]) {
    let (color, is_walk) = match lane.kind {
        LaneKind::Street | LaneKind::Freeway | LaneKind::Bus => (style.road, false),
        LaneKind::Bike => (style.bike_road, false),
        LaneKind::Other => (style.side_road, false),
        LaneKind::Walk => (style.walk, true),
    };
    let left = simplified(&lane.left_border, TOLERANCE_M);
    let right = simplified(&lane.right_border, TOLERANCE_M);
    let has_edges = !edges.cells.is_empty();
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
    if has_edges && lane.carries_vehicles() {
        draw_up_to_edges(&centre, width, edges, color, road);
        return;
    }
    let sheet = if is_walk { beside } else { road };
    sheet.polyline(&centre, &Stroke::solid(width, 1.0, color));
}

/// Surface of a lane that has no borders of its own but lies between edges: as wide as there is room up to the
/// nearest edge, so that no gaps show between lanes and kerbs.
fn draw_up_to_edges(centre: &[DVec2], width: f64, edges: &Edges, color: Color, road: &mut Sheet) {
    for ends in centre.windows(2) {
        let length = ends[0].distance(ends[1]);
        let count = (length / 3.0).ceil().max(1.0) as usize;
        let at = |step: usize| ends[0].lerp(ends[1], step as f64 / count as f64);
        let widths: Vec<f64> = (0..count)
            .map(|step| {
                let room = edges.nearest((at(step) + at(step + 1)) / 2.0);
                let narrow = room.map(|room| 2.0 * room.clamp(1.2, WIDEST_M));
                narrow.unwrap_or(width.max(2.0 * OPEN_M))
            })
            .collect();
        let mut from = 0;
        while from < count {
            let same = widths[from..]
                .iter()
                .take_while(|&&width| (width - widths[from]).abs() < 0.2)
                .count();
            let stroke = Stroke::solid(widths[from], 1.0, color);
            road.polyline(&[at(from), at(from + same)], &stroke);
            from += same;
        }
    }
}

/// Points of road edges, a metre apart, in square cells.
struct Edges {
    cells: BTreeMap<(i64, i64), Vec<DVec2>>,
}

impl Edges {
    /// Side of a cell and farthest distance that is found, m.
    const REACH_M: f64 = 7.0;

    fn of(map: &Map) -> Self {
        let mut cells: BTreeMap<(i64, i64), Vec<DVec2>> = BTreeMap::new();
        let is_edge = |line: &&RoadLine| line.kind == LineKind::Edge;
        for line in map.lines().iter().filter(is_edge) {
            let Some(line) = Polyline::new(line.points.iter().copied()) else {
                continue;
            };
            let count = (line.length().min(20_000.0).ceil() as usize + 1).max(2);
            for point in line.resampled(count) {
                cells.entry(Self::cell(point)).or_default().push(point);
            }
        }
        Self { cells }
    }

    fn cell(point: DVec2) -> (i64, i64) {
        let cell = (point / Self::REACH_M).floor();
        (cell.x as i64, cell.y as i64)
    }

    /// Distance to the nearest edge, m, if it is within reach.
    fn nearest(&self, point: DVec2) -> Option<f64> {
        let (x, y) = Self::cell(point);
        let around = (x - 1..=x + 1).flat_map(|x| (y - 1..=y + 1).map(move |y| (x, y)));
        around
            .filter_map(|cell| self.cells.get(&cell))
            .flatten()
            .map(|edge| edge.distance(point))
            .filter(|&distance| distance <= Self::REACH_M)
            .min_by(f64::total_cmp)
    }
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
    if high - low > 500.0 {
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

fn draw_line(map: &Map, line: &RoadLine, style: &Style, paint: &mut Sheet) {
    if line.kind == LineKind::Edge {
        let stroke = Stroke::solid(KERB_M, 1.5, style.kerb);
        for stretch in outside_lanes(map, &line.points) {
            paint.polyline(&simplified(&stretch, TOLERANCE_M), &stroke);
        }
        return;
    }
    let points = simplified(&line.points, TOLERANCE_M);
    let white = Stroke::solid(PAINT_M, 1.0, style.white_line);
    let yellow = Stroke::solid(PAINT_M, 1.0, style.yellow_line);
    let stroke = match line.kind {
        LineKind::BrokenWhite => white.dashed_m(3.0, 6.0),
        LineKind::SolidWhite => white,
        LineKind::BrokenYellow => yellow.dashed_m(3.0, 6.0),
        LineKind::SolidYellow => yellow,
        LineKind::Edge | LineKind::Other => Stroke::solid(PAINT_M, 0.75, style.faint_line),
    };
    paint.polyline(&points, &stroke);
}

/// The stretches of an edge that do not run across a driving lane: some formats give every lane its own edges, also
/// where lanes cross in a junction.
fn outside_lanes(map: &Map, points: &[DVec2]) -> Vec<Vec<DVec2>> {
    let is_inside = |point: DVec2| {
        map.lanes_near(point, 2.0).iter().any(|hit| {
            let lane = &map.lanes()[hit.lane];
            let is_between_ends = hit.s > 0.05 && hit.s < lane.centreline.length() - 0.05;
            let half = lane.width_or_default() / 2.0;
            lane.carries_vehicles() && is_between_ends && hit.offset.abs() < half - 0.5
        })
    };
    let mut stretches: Vec<Vec<DVec2>> = vec![Vec::new()];
    for ends in points.windows(2) {
        let count = (ends[0].distance(ends[1]).min(20_000.0) / 2.0)
            .ceil()
            .max(1.0) as usize;
        for step in 0..count {
            let at = |step: usize| ends[0].lerp(ends[1], step as f64 / count as f64);
            let (from, to) = (at(step), at(step + 1));
            if is_inside((from + to) / 2.0) {
                stretches.push(Vec::new());
            } else if let Some(stretch) = stretches.last_mut() {
                if stretch.is_empty() {
                    stretch.push(from);
                }
                stretch.push(to);
            }
        }
    }
    let is_cut = stretches.len() > 1;
    stretches.retain(|stretch| {
        let length: f64 = stretch
            .windows(2)
            .map(|ends| ends[0].distance(ends[1]))
            .sum();
        stretch.len() >= 2 && !(is_cut && length < SCRAP_M)
    });
    stretches
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
    fn an_edge_is_not_drawn_across_a_lane() {
        let lane = Lane::new(
            "a",
            LaneKind::Street,
            Polyline::new([dvec2(0.0, 0.0), dvec2(50.0, 0.0)]).unwrap(),
        );
        let map = Map::build(MapParts {
            lanes: vec![lane],
            ..MapParts::default()
        });
        // from 10 m to the right of the lane to 10 m to its left, in pieces of 2 m: the two whose middle is within
        // 3.5 / 2 - 0.5 = 1.25 m of the centreline are left out
        let stretches = outside_lanes(&map, &[dvec2(20.0, -10.0), dvec2(20.0, 10.0)]);
        let ends: Vec<f64> = stretches
            .iter()
            .flat_map(|stretch| [stretch[0].y, stretch[stretch.len() - 1].y])
            .collect();
        assert_eq!(ends, [-10.0, -2.0, 2.0, 10.0]);
        let beside = outside_lanes(&map, &[dvec2(0.0, 1.75), dvec2(50.0, 1.75)]);
        assert_eq!(beside.len(), 1);
    }

    #[test]
    fn a_lane_reaches_to_its_kerb() {
        let lane = Lane::new(
            "a",
            LaneKind::Street,
            Polyline::new([dvec2(0.0, 0.0), dvec2(30.0, 0.0)]).unwrap(),
        );
        let kerb = RoadLine::new(LineKind::Edge, vec![dvec2(-10.0, 2.5), dvec2(40.0, 2.5)]);
        let map = Map::build(MapParts {
            lanes: vec![lane],
            lines: vec![kerb],
            ..MapParts::default()
        });
        let layers = map_layers(&map, &Style::dark(), DVec2::ZERO);
        // points of the kerb are a metre apart: at most 0.05 m farther than the kerb itself
        let widths = layers[1].lines.iter().map(|line| line.width[0]);
        assert!(widths.clone().count() >= 1);
        assert!(widths.into_iter().all(|width| (5.0..5.15).contains(&width)));
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
