//! The motorway of a highD recording: straight lanes between the markings that the recording lists.
//!
//! In its pictures x points right and y down. The upper carriageway runs towards −x, the lower one towards +x.

use super::meta::Meta;
use crate::data::report::Report;
use crate::geometry::{DVec2, Polyline, angle_between, dvec2};
use crate::map::{Lane, LaneId, LaneKind, Line, LineKind, MapParts};

/// How far the lanes reach beyond the outermost boxes, m.
const BEYOND_M: f64 = 10.0;

/// Speed from which the direction of motion is better known than that of the road, m/s.
const STEADY_MPS: f64 = 3.0;

/// The lanes from the least to the greatest x that traffic was seen at, named as the data set numbers them: from the
/// top, the outside of the upper carriageway being 1 and the space between the carriageways counting as well.
pub(super) fn road(meta: &Meta, stretch: Option<(f64, f64)>, report: &mut Report) -> MapParts {
    let mut parts = MapParts::default();
    let [upper, lower] = &meta.markings;
    if upper.len() < 2 && lower.len() < 2 {
        let message = "name no lane, so the scene has no map; they stand in XX_recordingMeta.csv";
        report.problem("lane markings", upper.len() + lower.len(), message);
        return parts;
    }
    let Some((low, high)) = stretch else {
        report.problem("x", "unreadable", "the length of the road is not known");
        return parts;
    };
    let (from, to) = (low - BEYOND_M, high + BEYOND_M);
    let carriageways = [(upper, 2, true), (lower, 2 + upper.len(), false)];
    for (markings, first, is_westward) in carriageways {
        // in driving direction; y points up
        let along = |y: f64| {
            let ends = [dvec2(from, -y), dvec2(to, -y)];
            let [start, end] = ends;
            if is_westward { [end, start] } else { ends }
        };
        let id = |index: usize| LaneId::new((first + index).to_string());
        let count = markings.len().saturating_sub(1);
        for (index, pair) in markings.windows(2).enumerate() {
            let &[above, below] = pair else { continue };
            let Some(centreline) = Polyline::new(along((above + below) / 2.0)) else {
                continue;
            };
            let name = (first + index).to_string();
            let mut lane = Lane::new(name, LaneKind::Freeway, centreline);
            let before = index.checked_sub(1).map(id);
            let after = (index + 1 < count).then(|| id(index + 1));
            // towards −x the left side is the lower one of the picture
            let (left, right) = if is_westward {
                (lane.left_neighbour, lane.right_neighbour) = (after, before);
                (below, above)
            } else {
                (lane.left_neighbour, lane.right_neighbour) = (before, after);
                (above, below)
            };
            lane.left_border = along(left).to_vec();
            lane.right_border = along(right).to_vec();
            lane.width = Some(below - above);
            lane.speed_limit = meta.speed_limit;
            parts.lanes.push(lane);
        }
        for (index, &y) in markings.iter().enumerate() {
            let is_outer = index == 0 || index == count;
            let kind = if is_outer {
                LineKind::SolidWhite
            } else {
                LineKind::BrokenWhite
            };
            let points = along(y).to_vec();
            parts.lines.push(Line::new(kind, points));
        }
    }
    parts
}

/// The heading of a vehicle, rad: the direction of its motion where it is fast and does not contradict that of its
/// carriageway, else that of its carriageway; NaN where neither is known.
pub(super) fn heading(road: Option<f64>, velocity: DVec2) -> f64 {
    let moving = (velocity.length() > STEADY_MPS).then(|| velocity.to_angle());
    match (moving, road) {
        (Some(moving), Some(road)) => {
            let turn = angle_between(road, moving).abs();
            if turn < std::f64::consts::FRAC_PI_2 {
                moving
            } else {
                road
            }
        }
        (moving, road) => moving.or(road).unwrap_or(f64::NAN),
    }
}
