//! The map of a Waymo Scenario.

use std::path::Path;

use prost::Message;

use super::draft::{MAX_MAP_POINTS, point};
use super::waymo_terms::{lane_kind, road_line_kind};
use super::{OpenError, Report};
use crate::geometry::{DVec2, Polyline};
use crate::map::{Area, AreaKind, Lane, LaneId, Line, LineKind, MapParts, StopSign};

const MPS_FROM_MPH: f64 = 0.447_04;

#[derive(Clone, PartialEq, Message)]
struct MapPoint {
    #[prost(double, tag = "1")]
    x: f64,
    #[prost(double, tag = "2")]
    y: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Neighbour {
    #[prost(int64, tag = "1")]
    feature_id: i64,
    #[prost(int32, tag = "2")]
    self_start_index: i32,
    #[prost(int32, tag = "3")]
    self_end_index: i32,
}

#[derive(Clone, PartialEq, Message)]
struct LaneCentre {
    #[prost(double, tag = "1")]
    speed_limit_mph: f64,
    #[prost(int32, tag = "2")]
    kind: i32,
    #[prost(bool, tag = "3")]
    interpolating: bool,
    #[prost(message, repeated, tag = "8")]
    polyline: Vec<MapPoint>,
    #[prost(int64, repeated, tag = "9")]
    entry_lanes: Vec<i64>,
    #[prost(int64, repeated, tag = "10")]
    exit_lanes: Vec<i64>,
    #[prost(message, repeated, tag = "11")]
    left_neighbors: Vec<Neighbour>,
    #[prost(message, repeated, tag = "12")]
    right_neighbors: Vec<Neighbour>,
}

/// A road line or a road edge.
#[derive(Clone, PartialEq, Message)]
struct TypedLine {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(message, repeated, tag = "2")]
    polyline: Vec<MapPoint>,
}

#[derive(Clone, PartialEq, Message)]
struct StopSignMessage {
    #[prost(int64, repeated, tag = "1")]
    lanes: Vec<i64>,
    #[prost(message, optional, tag = "2")]
    position: Option<MapPoint>,
}

/// A crosswalk, speed bump or driveway.
#[derive(Clone, PartialEq, Message)]
struct Polygon {
    #[prost(message, repeated, tag = "1")]
    polygon: Vec<MapPoint>,
}

#[derive(Clone, PartialEq, Message)]
struct MapFeature {
    #[prost(int64, tag = "1")]
    id: i64,
    #[prost(message, optional, tag = "3")]
    lane: Option<LaneCentre>,
    #[prost(message, optional, tag = "4")]
    road_line: Option<TypedLine>,
    #[prost(message, optional, tag = "5")]
    road_edge: Option<TypedLine>,
    #[prost(message, optional, tag = "7")]
    stop_sign: Option<StopSignMessage>,
    #[prost(message, optional, tag = "8")]
    crosswalk: Option<Polygon>,
    #[prost(message, optional, tag = "9")]
    speed_bump: Option<Polygon>,
    #[prost(message, optional, tag = "10")]
    driveway: Option<Polygon>,
}

/// Decodes map features one by one.
pub(super) fn read(
    features: &[&[u8]],
    path: &Path,
    report: &mut Report,
) -> Result<MapParts, OpenError> {
    let mut parts = MapParts::default();
    let mut total = 0;
    for (index, bytes) in features.iter().enumerate() {
        let feature = MapFeature::decode(*bytes).map_err(|error| {
            OpenError::damaged(path, format!("map_features[{index}]"), error.to_string())
        })?;
        total += count(&feature);
        if total > MAX_MAP_POINTS {
            let limit = MAX_MAP_POINTS as u64;
            return Err(OpenError::too_large(
                path,
                "number of map points",
                total as u64,
                limit,
            ));
        }
        add(feature, &mut parts, report);
    }
    Ok(parts)
}

fn count(feature: &MapFeature) -> usize {
    let lane = feature.lane.as_ref().map(|lane| lane.polyline.len());
    let lines = [&feature.road_line, &feature.road_edge];
    let lines = lines.into_iter().flatten().map(|line| line.polyline.len());
    let areas = [&feature.crosswalk, &feature.speed_bump, &feature.driveway];
    let areas = areas.into_iter().flatten().map(|area| area.polygon.len());
    1 + lane.unwrap_or(0) + lines.sum::<usize>() + areas.sum::<usize>()
}

fn points(points: &[MapPoint]) -> Vec<DVec2> {
    let points = points.iter().map(|place| point(place.x, place.y));
    points.filter(|point| point.is_finite()).collect()
}

fn add(feature: MapFeature, parts: &mut MapParts, report: &mut Report) {
    if let Some(centre) = &feature.lane {
        match lane(feature.id, centre) {
            Some(lane) => parts.lanes.push(lane),
            None => report.skip("lanes with fewer than two different points"),
        }
    }
    let line = feature
        .road_line
        .map(|line| (road_line_kind(i64::from(line.kind)), line));
    let edge = feature.road_edge.map(|edge| (LineKind::Edge, edge));
    for (kind, line) in [line, edge].into_iter().flatten() {
        let points = points(&line.polyline);
        if points.len() >= 2 {
            parts.lines.push(Line::new(kind, points));
        } else {
            report.skip("map lines with fewer than two points");
        }
    }
    let crosswalk = feature.crosswalk.map(|area| (AreaKind::Crossing, area));
    let bump = feature.speed_bump.map(|area| (AreaKind::SpeedBump, area));
    let driveway = feature.driveway.map(|area| (AreaKind::Driveway, area));
    for (kind, area) in [crosswalk, bump, driveway].into_iter().flatten() {
        let polygon = points(&area.polygon);
        if polygon.len() >= 3 {
            parts.areas.push(Area::new(kind, polygon));
        } else {
            report.skip("map areas with fewer than three points");
        }
    }
    if let Some(sign) = feature.stop_sign {
        match sign.position.map(|place| point(place.x, place.y)) {
            Some(point) if point.is_finite() => parts
                .stop_signs
                .push(StopSign::new(point, lane_ids(&sign.lanes))),
            _ => report.skip("stop signs without a position"),
        }
    }
}

fn lane_ids(ids: &[i64]) -> Vec<LaneId> {
    ids.iter().map(|id| LaneId::new(id.to_string())).collect()
}

fn lane(id: i64, centre: &LaneCentre) -> Option<Lane> {
    let centreline = Polyline::new(points(&centre.polyline))?;
    let mut lane = Lane::new(
        id.to_string(),
        lane_kind(i64::from(centre.kind)),
        centreline,
    );
    lane.in_junction = centre.interpolating;
    let limit = centre.speed_limit_mph * MPS_FROM_MPH;
    lane.speed_limit = (limit > 0.0).then_some(limit);
    lane.predecessors = lane_ids(&centre.entry_lanes);
    lane.successors = lane_ids(&centre.exit_lanes);
    lane.left_neighbour = neighbour(&centre.left_neighbors);
    lane.right_neighbour = neighbour(&centre.right_neighbors);
    Some(lane)
}

/// The neighbour that runs beside us longest.
fn neighbour(neighbours: &[Neighbour]) -> Option<LaneId> {
    let shared =
        |other: &&Neighbour| i64::from(other.self_end_index) - i64::from(other.self_start_index);
    let longest = neighbours.iter().rev().max_by_key(shared)?;
    Some(LaneId::new(longest.feature_id.to_string()))
}
