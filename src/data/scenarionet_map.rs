//! The map of a ScenarioNet scene.

use std::path::Path;

use super::draft::{MAX_MAP_POINTS, median, point};
use super::pickle::{Rows, View};
use super::{OpenError, Report};
use crate::geometry::{DVec2, Polyline, polygon_area};
use crate::map::{Area, AreaKind, Lane, LaneId, LaneKind, Line, LineKind, MapParts, StopSign};

const MPS_FROM_KMH: f64 = 1.0 / 3.6;
const MPS_FROM_MPH: f64 = 0.447_04;

/// Reads `map_features`.
pub(super) fn read(
    features: View<'_>,
    dataset: &str,
    path: &Path,
    report: &mut Report,
) -> Result<MapParts, OpenError> {
    let mut parts = MapParts::default();
    let mut total = 0;
    for (id, feature) in features.entries().into_iter().flatten() {
        let (Some(id), Some(word)) = (id.label(), feature.get("type").and_then(View::text)) else {
            report.skip("map features without id or type");
            continue;
        };
        let rows = |key: &str| feature.get(key)?.rows(3 * MAX_MAP_POINTS);
        let line = rows("polyline").or_else(|| rows("polygon"));
        let ring = rows("polygon").or_else(|| rows("polyline"));
        total += line.as_ref().map_or(0, Rows::len);
        if total > MAX_MAP_POINTS {
            let limit = MAX_MAP_POINTS as u64;
            return Err(OpenError::too_large(
                path,
                "number of map points",
                total as u64,
                limit,
            ));
        }
        let word = word.to_uppercase();
        match word.as_str() {
            "STOP_SIGN" => match stop_sign(feature) {
                Some(sign) => parts.stop_signs.push(sign),
                None => report.skip("stop signs without a position"),
            },
            word if word.starts_with("LANE_") => match lane(&id, word, feature, dataset) {
                Some(lane) => parts.lanes.push(lane),
                None => report.skip("lanes with fewer than two different points"),
            },
            word if area_kind(word).is_some() && (ring.is_some() || !is_line(word)) => {
                let points = points(ring.as_ref());
                match area_kind(word) {
                    Some(kind) if points.len() >= 3 => parts.areas.push(Area::new(kind, points)),
                    // a sidewalk edge given as a line of two points is an edge all the same
                    _ if points.len() == 2 && is_line(word) => {
                        parts.lines.push(Line::new(LineKind::Edge, points));
                    }
                    _ => report.skip("map areas with fewer than three points"),
                }
            }
            word if is_line(word) => {
                let points = points(line.as_ref());
                if points.len() >= 2 {
                    let kind = line_kind(word);
                    parts.lines.push(Line::new(kind, points));
                } else {
                    report.skip("map lines with fewer than two points");
                }
            }
            word => report.skip(&format!("map features of the unknown type {}", short(word))),
        }
    }
    Ok(parts)
}

fn short(word: &str) -> String {
    word.chars().take(40).collect()
}

fn points(rows: Option<&Rows>) -> Vec<DVec2> {
    let Some(rows) = rows.filter(|rows| rows.width >= 2) else {
        return Vec::new();
    };
    (0..rows.len())
        .map(|row| point(rows.at(row, 0), rows.at(row, 1)))
        .filter(|point| point.is_finite())
        .collect()
}

fn is_line(word: &str) -> bool {
    word.starts_with("ROAD_")
        || word.ends_with("_LINE")
        || word.starts_with("BOUNDARY_")
        || word == "GUARDRAIL"
}

fn line_kind(word: &str) -> LineKind {
    let is_yellow = word.ends_with("YELLOW");
    if word.starts_with("ROAD_EDGE") || word.starts_with("BOUNDARY_") || word == "GUARDRAIL" {
        LineKind::Edge
    } else if word.contains("BROKEN") {
        if is_yellow {
            LineKind::BrokenYellow
        } else {
            LineKind::BrokenWhite
        }
    } else if word.contains("SOLID") {
        if is_yellow {
            LineKind::SolidYellow
        } else {
            LineKind::SolidWhite
        }
    } else if word.contains("PASSING") {
        LineKind::BrokenYellow
    } else {
        LineKind::Other
    }
}

fn area_kind(word: &str) -> Option<AreaKind> {
    Some(match word {
        "CROSSWALK" | "CROSS_WALK" => AreaKind::Crossing,
        "SPEED_BUMP" => AreaKind::SpeedBump,
        "DRIVEWAY" => AreaKind::Driveway,
        "ROAD_EDGE_SIDEWALK" | "BOUNDARY_SIDEWALK" | "SIDEWALK" | "WALKWAY" => AreaKind::Sidewalk,
        "INTERSECTION" => AreaKind::Junction,
        "DRIVABLE_AREA" => AreaKind::Drivable,
        _ => return None,
    })
}

fn lane(id: &str, word: &str, feature: View<'_>, dataset: &str) -> Option<Lane> {
    let rows = feature.get("polyline")?.rows(3 * MAX_MAP_POINTS)?;
    let centreline = Polyline::new(points(Some(&rows)))?;
    let kind = match word {
        "LANE_FREEWAY" => LaneKind::Freeway,
        "LANE_BIKE_LANE" => LaneKind::Bike,
        "LANE_BUS_LANE" => LaneKind::Bus,
        _ => LaneKind::Street,
    };
    let mut lane = Lane::new(id, kind, centreline);
    let number = |key: &str| feature.get(key).and_then(View::number);
    let has_polygon = feature.get("polygon").is_some();
    let is_connector = dataset.starts_with("nuscenes") && !has_polygon;
    lane.in_junction = word == "LANE_SURFACE_UNSTRUCTURE"
        || is_connector
        || number("interpolating").is_some_and(|flag| flag > 0.5);
    // the 100 km/h of nuScenes connectors is a filler
    let kmh = number("speed_limit_kmh").filter(|_| !dataset.starts_with("nuscenes"));
    lane.speed_limit = kmh
        .map(|limit| limit * MPS_FROM_KMH)
        .or_else(|| number("speed_limit_mph").map(|limit| limit * MPS_FROM_MPH))
        .filter(|limit| *limit > 0.0);
    lane.width = stated_width(feature).or_else(|| polygon_width(feature, &lane.centreline));
    lane.predecessors = lane_ids(feature, "entry_lanes");
    lane.successors = lane_ids(feature, "exit_lanes");
    lane.left_neighbour = neighbour(feature, "left_neighbor");
    lane.right_neighbour = neighbour(feature, "right_neighbor");
    Some(lane)
}

/// `width` is the distance to the left and to the right border per point, 0 where there is none; only points with
/// both and a sum that a lane can have are counted.
fn stated_width(feature: View<'_>) -> Option<f64> {
    let rows = feature.get("width")?.rows(2 * MAX_MAP_POINTS)?;
    let widths = (0..rows.len()).filter_map(|row| match rows.width {
        1 => Some(rows.at(row, 0)),
        _ if rows.at(row, 0) > 0.0 && rows.at(row, 1) > 0.0 => {
            Some(rows.at(row, 0) + rows.at(row, 1))
        }
        _ => None,
    });
    median(widths.filter(|width| (2.0..=7.0).contains(width)))
}

/// A lane's area divided by its length.
fn polygon_width(feature: View<'_>, centreline: &Polyline) -> Option<f64> {
    let ring = points(feature.get("polygon")?.rows(3 * MAX_MAP_POINTS).as_ref());
    let width = polygon_area(&ring).abs() / centreline.length();
    (2.0..=7.0).contains(&width).then_some(width)
}

fn lane_ids(feature: View<'_>, key: &str) -> Vec<LaneId> {
    let items = feature.get(key).and_then(View::items).into_iter().flatten();
    items
        .filter_map(|item| item.label().map(LaneId::new))
        .collect()
}

/// The first id of a list, or of the dictionaries in it the one that runs beside us longest.
fn neighbour(feature: View<'_>, key: &str) -> Option<LaneId> {
    let number = |item: View<'_>, key: &str| item.get(key).and_then(View::number).unwrap_or(0.0);
    let shared = |item: View<'_>| number(item, "self_end_index") - number(item, "self_start_index");
    let best = feature.get(key)?.items()?.reduce(|best, item| {
        if shared(item) > shared(best) {
            item
        } else {
            best
        }
    })?;
    let id = best.get("feature_id").unwrap_or(best);
    id.label().map(LaneId::new)
}

fn stop_sign(feature: View<'_>) -> Option<StopSign> {
    let rows = feature.get("position")?.rows(16)?;
    let place = match rows.width {
        1 => point(rows.at(0, 0), rows.at(1, 0)),
        _ => point(rows.at(0, 0), rows.at(0, 1)),
    };
    let lanes = match feature.get("lane").and_then(View::label) {
        Some(lane) => vec![LaneId::new(lane)],
        None => lane_ids(feature, "lane"),
    };
    place.is_finite().then_some(StopSign::new(place, lanes))
}
