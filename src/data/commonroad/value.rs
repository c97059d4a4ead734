//! Values in CommonRoad states: exact, as an interval, or as an area.

use crate::data::draft::point;
use crate::data::xml::{Element, number};
use crate::geometry::{DVec2, OrientedBox, Pose, dvec2, polygon_area};

/// A number and whether it stands for an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Value {
    pub(super) value: f64,
    pub(super) uncertain: bool,
}

/// `exact`, the middle of an interval, or plain text.
pub(super) fn value(element: &Element) -> Option<Value> {
    if let Some(value) = element.number_of("exact") {
        let uncertain = false;
        return Some(Value { value, uncertain });
    }
    if let Some((low, high)) = interval(element) {
        let (value, uncertain) = ((low + high) / 2.0, low != high);
        return Some(Value { value, uncertain });
    }
    let value = number(&element.text)?;
    let uncertain = false;
    Some(Value { value, uncertain })
}

/// Both ends of an interval; an exact value is an interval of no length.
pub(super) fn interval(element: &Element) -> Option<(f64, f64)> {
    let low = element.number_of("intervalStart");
    let high = element.number_of("intervalEnd");
    match (low, high, element.number_of("exact")) {
        (Some(low), Some(high), _) => Some((low.min(high), low.max(high))),
        (_, _, Some(exact)) => Some((exact, exact)),
        (Some(one), None, _) | (None, Some(one), _) => Some((one, one)),
        _ => None,
    }
}

/// The child `name` as a value.
pub(super) fn value_of(element: &Element, name: &str) -> Option<Value> {
    value(element.child(name)?)
}

/// `x` and `y` of a point.
pub(super) fn read_point(element: &Element) -> Option<DVec2> {
    let at = point(element.number_of("x")?, element.number_of("y")?);
    at.is_finite().then_some(at)
}

/// All points that are direct children.
pub(super) fn points_of(element: &Element) -> Vec<DVec2> {
    element.all("point").filter_map(read_point).collect()
}

/// A rectangle that covers the shapes in `element` (`rectangle`, `circle`, `polygon`, any number of each), in the
/// frame they are given in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Footprint {
    /// Centre and direction of the length.
    pub(super) pose: Pose,
    pub(super) length: f64,
    pub(super) width: f64,
    /// Corners of the shapes themselves.
    pub(super) corners: Vec<DVec2>,
    /// False where the rectangle only encloses the true shape.
    pub(super) exact: bool,
}

/// Reads the shapes in `element`; `None` if there is none with positive size.
pub(super) fn footprint(element: &Element) -> Option<Footprint> {
    let mut found: Vec<Footprint> = Vec::new();
    for shape in &element.children {
        match shape.name.as_str() {
            "rectangle" => found.extend(rectangle(shape)),
            "circle" => found.extend(circle(shape)),
            "polygon" => found.extend(polygon(&points_of(shape))),
            _ => {}
        }
    }
    if found.len() <= 1 {
        return found.pop();
    }
    let corners: Vec<DVec2> = found.into_iter().flat_map(|one| one.corners).collect();
    polygon(&corners)
}

fn centre_of(shape: &Element) -> DVec2 {
    shape
        .child("center")
        .and_then(read_point)
        .unwrap_or(DVec2::ZERO)
}

fn rectangle(shape: &Element) -> Option<Footprint> {
    let length = shape.number_of("length")?;
    let width = shape.number_of("width")?;
    let heading = shape
        .child("orientation")
        .and_then(value)
        .map_or(0.0, |heading| heading.value);
    let pose = Pose::new(centre_of(shape), heading);
    (length > 0.0 && width > 0.0).then(|| Footprint {
        pose,
        length,
        width,
        corners: OrientedBox::new(pose, length, width).corners().to_vec(),
        exact: true,
    })
}

fn circle(shape: &Element) -> Option<Footprint> {
    let radius = shape.number_of("radius").filter(|radius| *radius > 0.0)?;
    let pose = Pose::new(centre_of(shape), 0.0);
    let corners = (0..16).map(|part| {
        pose.point + DVec2::from_angle(f64::from(part) * std::f64::consts::TAU / 16.0) * radius
    });
    Some(Footprint {
        pose,
        length: 2.0 * radius,
        width: 2.0 * radius,
        corners: corners.collect(),
        exact: false,
    })
}

/// The rectangle along the axes around `corners`, or along one of the edges where that is smaller by a twentieth.
fn polygon(corners: &[DVec2]) -> Option<Footprint> {
    let around = |heading: f64| {
        let forward = DVec2::from_angle(heading);
        let (mut low, mut high) = (DVec2::INFINITY, DVec2::NEG_INFINITY);
        for corner in corners {
            let local = dvec2(forward.x, -forward.y).rotate(*corner);
            low = low.min(local);
            high = high.max(local);
        }
        let centre = forward.rotate((low + high) / 2.0);
        (Pose::new(centre, heading), high - low)
    };
    if corners.len() < 2 {
        return None;
    }
    let mut best = around(0.0);
    let edges = corners.iter().zip(corners.iter().skip(1)).take(64);
    for (from, to) in edges {
        let edge = *to - *from;
        if edge.length() < 1e-6 {
            continue;
        }
        let tried = around(edge.to_angle());
        if tried.1.x * tried.1.y < 0.95 * best.1.x * best.1.y {
            best = tried;
        }
    }
    let (mut pose, mut size) = best;
    if size.y > size.x && pose.heading != 0.0 {
        pose = Pose::new(pose.point, pose.heading + std::f64::consts::FRAC_PI_2);
        size = dvec2(size.y, size.x);
    }
    // length keeps the direction of the file's x where the axes were good enough
    if pose.heading.abs() > std::f64::consts::FRAC_PI_2 {
        pose = Pose::new(pose.point, pose.heading + std::f64::consts::PI);
    }
    let area = polygon_area(corners).abs();
    (size.x > 0.0 && size.y > 0.0).then(|| Footprint {
        pose,
        length: size.x,
        width: size.y,
        corners: corners.to_vec(),
        exact: (area - size.x * size.y).abs() < 1e-6 * area,
    })
}

/// Where something is: a point, or the lanelets it is somewhere on.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// A point, with how far it may be off, m (0 if exact).
    Point {
        /// The point, or the middle of the area.
        point: DVec2,
        /// Half of the area's smaller side, m.
        reach: f64,
        /// Whether it stands for an area.
        uncertain: bool,
    },
    /// Ids of lanelets.
    Lanelets(Vec<String>),
}

/// The place in a `position` element (or in an `occupancy`'s `shape`).
pub(super) fn place(element: &Element) -> Option<Place> {
    if let Some(point) = element.child("point").and_then(read_point) {
        return Some(Place::Point {
            point,
            reach: 0.0,
            uncertain: false,
        });
    }
    if let Some(area) = footprint(element) {
        return Some(Place::Point {
            point: area.pose.point,
            reach: area.length.min(area.width) / 2.0,
            uncertain: true,
        });
    }
    let lanelets: Vec<String> = element
        .all("lanelet")
        .filter_map(|lanelet| lanelet.attribute("ref"))
        .map(str::to_owned)
        .collect();
    if !lanelets.is_empty() {
        return Some(Place::Lanelets(lanelets));
    }
    // some writers leave the `point` out
    read_point(element).map(|point| Place::Point {
        point,
        reach: 0.0,
        uncertain: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::xml::parse;

    #[test]
    fn an_interval_counts_as_its_middle() {
        let element = parse("<v><intervalStart>1</intervalStart><intervalEnd>4</intervalEnd></v>");
        let found = value(&element.unwrap()).unwrap();
        assert_eq!((found.value, found.uncertain), (2.5, true)); // (1 + 4) / 2
    }

    #[test]
    fn a_turned_square_is_covered_along_its_edges() {
        // corners at distance 1 on the axes: edges of √2, area 2 against 4 along the axes
        let corners = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)].map(|(x, y)| dvec2(x, y));
        let found = polygon(&corners).unwrap();
        assert!((found.length - 2f64.sqrt()).abs() < 1e-9 && found.exact);
        assert!((found.pose.heading.abs() - std::f64::consts::FRAC_PI_4).abs() < 1e-9);
    }

    #[test]
    fn a_circle_becomes_a_square_of_its_diameter() {
        let shape = parse("<s><circle><radius>0.35</radius></circle></s>").unwrap();
        let found = footprint(&shape).unwrap();
        assert_eq!((found.length, found.width), (0.7, 0.7));
    }

    #[test]
    fn a_position_may_be_lanelets() {
        let position = parse("<position><lanelet ref='7'/><lanelet ref='8'/></position>").unwrap();
        let expected = Place::Lanelets(vec!["7".to_owned(), "8".to_owned()]);
        assert_eq!(place(&position), Some(expected));
    }
}
