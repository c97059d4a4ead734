//! Reference lines: where a road is at a distance s from its start.

use crate::data::xml::Element;
use crate::geometry::{DVec2, Pose, dvec2};

/// Between two places along a piece that are kept, m: what lies between is integrated from the one before.
const KEPT_M: f64 = 5.0;
/// Steps from one to the next along a polynomial.
const POLY_STEPS: usize = 10;
/// Nodes and weights of the sum of order 5 on (−1, 1).
const NODES: [(f64, f64); 5] = [
    (0.0, 128.0 / 225.0),
    (0.538_469_310_105_683, 0.478_628_670_499_366),
    (-0.538_469_310_105_683, 0.478_628_670_499_366),
    (0.906_179_845_938_664, 0.236_926_885_056_189),
    (-0.906_179_845_938_664, 0.236_926_885_056_189),
];

/// A cubic a + b p + c p² + d p³.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Cubic(pub(super) [f64; 4]);

impl Cubic {
    /// Coefficients from an element's attributes, of which those missing are 0.
    pub(super) fn of(element: &Element, names: [&str; 4]) -> Self {
        Self(names.map(|name| element.number_attribute(name).unwrap_or(0.0)))
    }

    pub(super) fn at(self, p: f64) -> f64 {
        let [a, b, c, d] = self.0;
        a + p * (b + p * (c + p * d))
    }

    fn slope(self, p: f64) -> f64 {
        let [_, b, c, d] = self.0;
        b + p * (2.0 * c + 3.0 * p * d)
    }
}

/// Cubics that hold from a place on, each in the distance from there.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Cubics(Vec<(f64, Cubic)>);

impl Cubics {
    /// Of elements that begin at their attribute `start`.
    pub(super) fn of<'a>(elements: impl Iterator<Item = &'a Element>, start: &str) -> Self {
        let mut cubics: Vec<(f64, Cubic)> = elements
            .map(|element| {
                let from = element.number_attribute(start).unwrap_or(0.0);
                (from, Cubic::of(element, ["a", "b", "c", "d"]))
            })
            .collect();
        cubics.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self(cubics)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value at a place; before the first cubic its value at its start, 0 without any.
    pub(super) fn at(&self, place: f64) -> f64 {
        let later = self.0.partition_point(|(from, _)| *from <= place + 1e-9);
        match self.0.get(later.saturating_sub(1)) {
            Some((from, cubic)) => cubic.at((place - from).max(0.0)),
            None => 0.0,
        }
    }

    /// Where the cubics begin.
    pub(super) fn starts(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|(from, _)| *from)
    }

    /// Whether it is the same everywhere.
    pub(super) fn is_constant(&self) -> bool {
        match self.0.as_slice() {
            [] => true,
            [(_, Cubic([_, b, c, d]))] => [b, c, d].iter().all(|part| **part == 0.0),
            _ => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Straight,
    /// Curvature at the start and its change per metre, 1/m and 1/m²: arcs and clothoids; local places every 5 m.
    Curved(f64, f64, Vec<DVec2>),
    /// v over u along the local axes; u every 5 m of the curve.
    Poly(Cubic, Vec<f64>),
    /// u and v over p, which is s, or s divided by the length.
    Param(Cubic, Cubic, bool),
}

#[derive(Debug, Clone, PartialEq)]
struct Piece {
    s: f64,
    length: f64,
    start: Pose,
    shape: Shape,
}

/// The reference line of a road.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReferenceLine {
    pieces: Vec<Piece>,
}

impl ReferenceLine {
    /// Reads `<planView>`; `None` if nothing in it can be read.
    pub(super) fn of(plan: &Element) -> Option<Self> {
        let mut pieces: Vec<Piece> = plan.all("geometry").filter_map(piece).collect();
        pieces.sort_by(|a, b| a.s.total_cmp(&b.s));
        (!pieces.is_empty()).then_some(Self { pieces })
    }

    /// The end of the last piece, m.
    pub(super) fn length(&self) -> f64 {
        let ends = self.pieces.iter().map(|piece| piece.s + piece.length);
        ends.fold(0.0, f64::max)
    }

    /// Where pieces begin, m.
    pub(super) fn starts(&self) -> impl Iterator<Item = f64> {
        self.pieces.iter().map(|piece| piece.s)
    }

    /// Whether the line is straight from `from` to `to`.
    pub(super) fn is_straight(&self, from: f64, to: f64) -> bool {
        let within = |piece: &&Piece| piece.s < to - 1e-9 && piece.s + piece.length > from + 1e-9;
        let mut touched = self.pieces.iter().filter(within);
        touched.all(|piece| piece.shape == Shape::Straight)
    }

    /// Place and direction at s; beyond the ends the end pieces go on.
    pub(super) fn pose_at(&self, s: f64) -> Pose {
        let later = self.pieces.partition_point(|piece| piece.s <= s + 1e-9);
        let piece = &self.pieces[later.saturating_sub(1)];
        piece.pose_at(s - piece.s)
    }
}

/// A `<geometry>`; `None` if it has no shape that is known or no place.
fn piece(element: &Element) -> Option<Piece> {
    let number = |name: &str| element.number_attribute(name);
    let (s, length) = (number("s")?, number("length")?);
    let start = Pose::at(number("x")?, number("y")?, number("hdg")?);
    if length <= 0.0 {
        return None;
    }
    let shape = element.children.iter().find_map(|child| {
        let value = |name: &str| child.number_attribute(name);
        match child.name.as_str() {
            "line" => Some(Shape::Straight),
            "arc" => Some(curved(value("curvature")?, 0.0, length)),
            "spiral" => {
                let (from, to) = (value("curvStart")?, value("curvEnd")?);
                Some(curved(from, (to - from) / length, length))
            }
            "poly3" => {
                let cubic = Cubic::of(child, ["a", "b", "c", "d"]);
                let kept = places(length).scan(0.0, |u, _| {
                    let here = *u;
                    *u = farther(cubic, here, KEPT_M);
                    Some(here)
                });
                Some(Shape::Poly(cubic, kept.collect()))
            }
            "paramPoly3" => {
                let u = Cubic::of(child, ["aU", "bU", "cU", "dU"]);
                let v = Cubic::of(child, ["aV", "bV", "cV", "dV"]);
                let whole = child.attribute("pRange") == Some("arcLength");
                Some(Shape::Param(u, v, !whole))
            }
            _ => None,
        }
    })?;
    Some(Piece {
        s,
        length,
        start,
        shape,
    })
}

/// Where places are kept, m.
fn places(length: f64) -> impl Iterator<Item = f64> {
    (0..=(length / KEPT_M) as usize).map(|place| place as f64 * KEPT_M)
}

fn curved(curvature: f64, change: f64, length: f64) -> Shape {
    let kept = places(length).scan(DVec2::ZERO, |place, from| {
        let here = *place;
        *place += stretch(curvature, change, from, from + KEPT_M);
        Some(here)
    });
    Shape::Curved(curvature, change, kept.collect())
}

/// The way from one place along a clothoid to another not far away, in the frame of its start.
fn stretch(curvature: f64, change: f64, from: f64, to: f64) -> DVec2 {
    let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
    let mut sum = DVec2::ZERO;
    for (node, weight) in NODES {
        let s = middle + half * node;
        let angle = s * (curvature + 0.5 * change * s);
        sum += dvec2(angle.cos(), angle.sin()) * (weight * half);
    }
    sum
}

/// How far along u a curve v(u) is `along` metres of its own after u: du/ds = 1 / √(1 + v'²), by the midpoint rule.
fn farther(cubic: Cubic, u: f64, along: f64) -> f64 {
    let step = along / POLY_STEPS as f64;
    let rate = |u: f64| 1.0 / cubic.slope(u).hypot(1.0);
    (0..POLY_STEPS).fold(u, |u, _| u + step * rate(u + 0.5 * step * rate(u)))
}

/// The last of what is kept that is not after `along`, and where.
fn kept<T: Copy>(kept: &[T], along: f64) -> Option<(T, f64)> {
    let index = ((along / KEPT_M).max(0.0) as usize).min(kept.len().checked_sub(1)?);
    Some((kept[index], index as f64 * KEPT_M))
}

impl Piece {
    fn pose_at(&self, along: f64) -> Pose {
        let (local, turned) = match &self.shape {
            Shape::Straight => (dvec2(along, 0.0), 0.0),
            Shape::Curved(curvature, change, places) => {
                let (place, from) = kept(places, along).unwrap_or_default();
                let place = place + stretch(*curvature, *change, from, along);
                (place, along * (curvature + 0.5 * change * along))
            }
            Shape::Poly(cubic, places) => {
                let (u, from) = kept(places, along).unwrap_or_default();
                let u = farther(*cubic, u, along - from);
                (dvec2(u, cubic.at(u)), cubic.slope(u).atan())
            }
            Shape::Param(u, v, normalised) => {
                let p = if *normalised {
                    along / self.length
                } else {
                    along
                };
                let turned = v.slope(p).atan2(u.slope(p));
                (dvec2(u.at(p), v.at(p)), turned)
            }
        };
        Pose::new(
            self.start.outer_from_local(local),
            self.start.heading + turned,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::xml::parse;

    fn line(shape: &str, length: f64) -> ReferenceLine {
        let text = format!(
            "<planView><geometry s='0' x='1' y='2' hdg='0' length='{length}'>{shape}</geometry></planView>"
        );
        ReferenceLine::of(&parse(&text).unwrap()).unwrap()
    }

    #[test]
    fn an_arc_is_a_part_of_a_circle() {
        let found = line("<arc curvature='0.02'/>", 100.0).pose_at(78.539_816_339_744_83);
        // a quarter of a circle of 50 m: from (1, 2) to (51, 52), turned by π/2
        assert!(found.point.distance(dvec2(51.0, 52.0)) < 1e-9, "{found:?}");
        assert!((found.heading - std::f64::consts::FRAC_PI_2).abs() < 1e-9);
    }

    #[test]
    fn a_spiral_ends_where_fresnels_integrals_say() {
        // curvature 0 to 1/√π·... : with c = s, A² = 1: x(1) = ∫ cos(s²/2) ds from 0 to 1 = 0.975 288, y(1) = 0.163 714
        let found = line("<spiral curvStart='0' curvEnd='1'/>", 1.0).pose_at(1.0);
        assert!((found.point.x - 1.0 - 0.975_287).abs() < 2e-6, "{found:?}");
        assert!((found.point.y - 2.0 - 0.163_714).abs() < 2e-6, "{found:?}");
        assert!((found.heading - 0.5).abs() < 1e-12);
    }

    #[test]
    fn polynomials_are_followed_by_their_length() {
        let straight = line("<poly3 a='0' b='0.75' c='0' d='0'/>", 10.0).pose_at(5.0);
        // slope 3/4: 5 m are 4 along u and 3 along v
        assert!(straight.point.distance(dvec2(5.0, 5.0)) < 1e-9);
        let half = "<paramPoly3 aU='0' bU='8' cU='0' dU='0' aV='0' bV='0' cV='6' dV='0'/>";
        let normalised = line(half, 10.0).pose_at(5.0); // p = ½: (4, 1.5)
        assert!(normalised.point.distance(dvec2(5.0, 3.5)) < 1e-12);
        assert!((normalised.heading - (6.0_f64 / 8.0).atan()).abs() < 1e-12);
    }

    #[test]
    fn cubics_hold_from_where_they_begin() {
        let text = "<r><w sOffset='10' a='3'/><w sOffset='0' a='1' b='0.1'/></r>";
        let root = parse(text).unwrap();
        let cubics = Cubics::of(root.all("w"), "sOffset");
        assert_eq!([0.0, 5.0, 12.0].map(|s| cubics.at(s)), [1.0, 1.5, 3.0]);
        assert!(!cubics.is_constant());
    }

    #[test]
    fn what_has_no_place_or_shape_is_no_piece() {
        for text in [
            "<planView/>",
            "<planView><geometry s='0' x='1' y='NaN' hdg='0' length='5'><line/></geometry></planView>",
            "<planView><geometry s='0' x='1' y='2' hdg='0' length='5'><circle/></geometry></planView>",
            "<planView><geometry s='0' x='1' y='2' hdg='0' length='-5'><line/></geometry></planView>",
        ] {
            assert!(ReferenceLine::of(&parse(text).unwrap()).is_none(), "{text}");
        }
    }
}
