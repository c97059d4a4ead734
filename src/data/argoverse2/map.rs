//! Maps of Argoverse 2: `log_map_archive_*.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::data::commonroad::middle_line;
use crate::data::draft::point;
use crate::data::report::Report;
use crate::geometry::{DVec2, Polyline};
use crate::map::{Area, AreaKind, Lane, LaneId, LaneKind, Line, LineKind, MapParts};

#[derive(Deserialize, Default)]
struct MapFile {
    #[serde(default)]
    lane_segments: BTreeMap<String, LaneSegment>,
    #[serde(default)]
    drivable_areas: BTreeMap<String, DrivableArea>,
    #[serde(default)]
    pedestrian_crossings: BTreeMap<String, Crossing>,
}

#[derive(Deserialize)]
struct LaneSegment {
    #[serde(default)]
    is_intersection: bool,
    #[serde(default)]
    lane_type: Option<String>,
    #[serde(default)]
    centerline: Option<Vec<Point>>,
    #[serde(default)]
    left_lane_boundary: Vec<Point>,
    #[serde(default)]
    right_lane_boundary: Vec<Point>,
    #[serde(default)]
    left_lane_mark_type: Option<String>,
    #[serde(default)]
    right_lane_mark_type: Option<String>,
    #[serde(default)]
    predecessors: Vec<serde_json::Number>,
    #[serde(default)]
    successors: Vec<serde_json::Number>,
    #[serde(default)]
    left_neighbor_id: Option<serde_json::Number>,
    #[serde(default)]
    right_neighbor_id: Option<serde_json::Number>,
}

#[derive(Deserialize)]
struct DrivableArea {
    #[serde(default)]
    area_boundary: Vec<Point>,
}

#[derive(Deserialize)]
struct Crossing {
    #[serde(default)]
    edge1: Vec<Point>,
    #[serde(default)]
    edge2: Vec<Point>,
}

#[derive(Deserialize, Clone, Copy)]
struct Point {
    x: f64,
    y: f64,
}

fn points(of: &[Point]) -> Vec<DVec2> {
    let points = of.iter().map(|at| point(at.x, at.y));
    points.filter(|at| at.is_finite()).collect()
}

/// Reads a map. Neighbours against the direction of travel are no neighbours for us; references out of the file
/// (about a tenth: it is a cut) stay and lead nowhere.
pub(super) fn read(bytes: &[u8], report: &mut Report) -> Result<MapParts, String> {
    let file: MapFile = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut parts = MapParts::default();
    let mut drawn: BTreeSet<[[i64; 2]; 2]> = BTreeSet::new();
    for (id, segment) in &file.lane_segments {
        let (left, right) = (
            points(&segment.left_lane_boundary),
            points(&segment.right_lane_boundary),
        );
        let stated = segment.centerline.as_deref().map(points);
        let centreline = stated
            .and_then(Polyline::new)
            .or_else(|| middle_line(&left, &right));
        let Some(centreline) = centreline else {
            report.problem(
                format!("lane_segments[{id}]"),
                "boundaries",
                "hold no two different points; left out",
            );
            continue;
        };
        let kind = match segment.lane_type.as_deref() {
            Some("BIKE") => LaneKind::Bike,
            Some("BUS") => LaneKind::Bus,
            _ => LaneKind::Street,
        };
        let marks = [
            (&segment.left_lane_mark_type, &left),
            (&segment.right_lane_mark_type, &right),
        ];
        for (mark, border) in marks {
            let kind = mark.as_deref().and_then(line_kind);
            let ends = border.first().zip(border.last());
            if let (Some(kind), Some((from, to))) = (kind, ends) {
                let grid =
                    |at: &DVec2| [(at.x * 20.0).round() as i64, (at.y * 20.0).round() as i64];
                let mut ends = [grid(from), grid(to)];
                ends.sort_unstable();
                if drawn.insert(ends) {
                    let points = border.clone();
                    parts.lines.push(Line::new(kind, points));
                }
            }
        }
        let ids = |numbers: &[serde_json::Number]| -> Vec<LaneId> {
            numbers
                .iter()
                .map(|number| LaneId::new(number.to_string()))
                .collect()
        };
        let neighbour = |number: &Option<serde_json::Number>| {
            let other = number.as_ref()?.to_string();
            let runs_along = file.lane_segments.get(&other).is_some_and(|other| {
                let chord = |points: &[Point]| {
                    let (from, to) = (points.first()?, points.last()?);
                    Some(DVec2::new(to.x - from.x, to.y - from.y))
                };
                chord(&other.left_lane_boundary)
                    .is_some_and(|chord| chord.dot(centreline.end() - centreline.start()) > 0.0)
            });
            runs_along.then(|| LaneId::new(other))
        };
        let (left_neighbour, right_neighbour) = (
            neighbour(&segment.left_neighbor_id),
            neighbour(&segment.right_neighbor_id),
        );
        let mut lane = Lane::new(id, kind, centreline);
        lane.in_junction = segment.is_intersection;
        lane.successors = ids(&segment.successors);
        lane.predecessors = ids(&segment.predecessors);
        lane.left_neighbour = left_neighbour;
        lane.right_neighbour = right_neighbour;
        lane.left_border = left;
        lane.right_border = right;
        parts.lanes.push(lane);
    }
    for area in file.drivable_areas.values() {
        let polygon = points(&area.area_boundary);
        let mut outline = polygon.clone();
        outline.extend(polygon.first().copied());
        parts.lines.push(Line::new(LineKind::Edge, outline));
        let kind = AreaKind::Drivable;
        parts.areas.push(Area::new(kind, polygon));
    }
    for crossing in file.pedestrian_crossings.values() {
        let mut polygon = points(&crossing.edge1);
        let mut back = points(&crossing.edge2);
        // the edges may run the same way or against each other: no corner is crossed twice
        if let (Some(end), [start, .., last]) = (polygon.last().copied(), back.as_slice())
            && start.distance(end) > last.distance(end)
        {
            back.reverse();
        }
        polygon.extend(back);
        let kind = AreaKind::Crossing;
        parts.areas.push(Area::new(kind, polygon));
    }
    Ok(parts)
}

/// Painted lines; `None` for none and for what nobody knows.
fn line_kind(mark: &str) -> Option<LineKind> {
    let solid = mark.contains("SOLID");
    Some(match (mark.contains("YELLOW"), mark.contains("WHITE")) {
        (true, _) if solid => LineKind::SolidYellow,
        (true, _) => LineKind::BrokenYellow,
        (_, true) if solid => LineKind::SolidWhite,
        (_, true) => LineKind::BrokenWhite,
        _ if solid || mark.contains("DASH") => LineKind::Other,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    #[test]
    fn a_lane_without_centreline_gets_the_middle_of_its_boundaries() {
        let text = r#"{"lane_segments": {"7": {"id": 7, "lane_type": "BUS", "is_intersection": true,
            "left_lane_boundary": [{"x": 0, "y": 3, "z": 1}, {"x": 10, "y": 3, "z": 1}],
            "right_lane_boundary": [{"x": 0, "y": 0, "z": 1}, {"x": 4, "y": 0, "z": 1}, {"x": 10, "y": 0, "z": 1}],
            "left_lane_mark_type": "DOUBLE_SOLID_YELLOW", "right_lane_mark_type": "NONE",
            "successors": [99], "predecessors": [], "left_neighbor_id": 8, "right_neighbor_id": null},
            "8": {"left_lane_boundary": [{"x": 10, "y": 3}, {"x": 0, "y": 3}],
            "right_lane_boundary": [{"x": 10, "y": 6}, {"x": 0, "y": 6}]}},
            "pedestrian_crossings": {"1": {"edge1": [{"x": 0, "y": 0}, {"x": 0, "y": 5}], "edge2": [{"x": 3, "y": 0}, {"x": 3, "y": 5}]}}}"#;
        let parts = read(text.as_bytes(), &mut Report::default()).unwrap();
        let lane = &parts.lanes[0];
        assert_eq!(
            (lane.centreline.start(), lane.centreline.end()),
            (dvec2(0.0, 1.5), dvec2(10.0, 1.5))
        );
        assert_eq!((lane.kind, lane.in_junction), (LaneKind::Bus, true));
        // lane 8 runs the other way
        assert_eq!(lane.left_neighbour, None);
        assert_eq!(lane.successors, [LaneId::new("99")]);
        assert_eq!(parts.lines[0].kind, LineKind::SolidYellow);
        // around the crossing, not across it
        let corners = [(0.0, 0.0), (0.0, 5.0), (3.0, 5.0), (3.0, 0.0)].map(|(x, y)| dvec2(x, y));
        assert_eq!(parts.areas[0].polygon, corners);
    }
}
