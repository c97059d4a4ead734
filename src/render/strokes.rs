//! Polylines and polygons into the plain primitives of a layer.

use earcutr::earcut;

use super::Color;
use super::draw_list::{DrawList, Layer, Line, Ribbon, Vertex};
use crate::geometry::{DVec2, polygon_area};

/// How a polyline is stroked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stroke {
    /// Width, m.
    pub(super) width_m: f64,
    /// Least width, points.
    pub(super) width_points: f64,
    /// Dash and gap.
    pub(super) dash: Option<(f64, f64)>,
    /// See [`Line::flags`].
    pub(super) flags: u32,
    /// Colour.
    pub(super) color: Color,
}

impl Stroke {
    /// A solid stroke `width_m` metres wide, at least `width_points`.
    pub(super) fn solid(width_m: f64, width_points: f64, color: Color) -> Self {
        Self {
            width_m,
            width_points,
            dash: None,
            flags: 0,
            color,
        }
    }

    /// The same stroke in dashes of metres.
    pub(super) fn dashed_m(self, dash: f64, gap: f64) -> Self {
        Self {
            dash: Some((dash, gap)),
            ..self
        }
    }

    /// The same stroke in dashes of points.
    pub(super) fn dashed_points(self, dash: f64, gap: f64) -> Self {
        Self {
            dash: Some((dash, gap)),
            flags: self.flags | Line::DASH_IN_POINTS,
            ..self
        }
    }

    /// The same stroke with square ends.
    pub(super) fn flat(self) -> Self {
        Self {
            flags: self.flags | Line::FLAT_ENDS,
            ..self
        }
    }
}

/// A layer being drawn, with the origin of its coordinates.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) origin: DVec2,
    pub(super) layer: Layer,
}

impl Sheet {
    pub(super) fn new(origin: DVec2) -> Self {
        Self {
            origin,
            layer: Layer::default(),
        }
    }

    /// A scene point as the layer holds it.
    pub(super) fn local(&self, point: DVec2) -> [f32; 2] {
        DrawList::local(self.origin, point)
    }

    /// Strokes a polyline; non-finite points break it.
    pub(super) fn polyline(&mut self, points: &[DVec2], stroke: &Stroke) {
        let dash = stroke.dash.unwrap_or((0.0, 0.0));
        let mut start_m = 0.0;
        for ends in points.windows(2) {
            let length = ends[0].distance(ends[1]);
            if !length.is_finite() {
                continue;
            }
            let line = Line {
                from: self.local(ends[0]),
                to: self.local(ends[1]),
                width: [stroke.width_m as f32, stroke.width_points as f32],
                dash: [dash.0 as f32, dash.1 as f32],
                start_m: start_m as f32,
                flags: stroke.flags,
                color: stroke.color,
            };
            self.layer.lines.push(line);
            start_m += length;
        }
    }

    /// Strokes the closed outline of a polygon.
    pub(super) fn outline(&mut self, polygon: &[DVec2], stroke: &Stroke) {
        let mut closed = polygon.to_vec();
        closed.extend(polygon.first());
        self.polyline(&closed, stroke);
    }

    /// Fills a simple polygon; `pattern` as in [`Vertex::pattern`]. Polygons without area or with non-finite
    /// corners are skipped.
    pub(super) fn area(&mut self, polygon: &[DVec2], color: Color, pattern: u32) {
        let is_drawable = polygon.len() >= 3
            && polygon.iter().all(|point| point.is_finite())
            && polygon_area(polygon).abs() > 1e-6;
        if !is_drawable {
            return;
        }
        let flat: Vec<f64> = polygon
            .iter()
            .flat_map(|&point| (point - self.origin).to_array())
            .collect();
        let Ok(corners) = earcut(&flat, &[], 2) else {
            return;
        };
        let first = self.layer.vertices.len() as u32;
        let vertices = polygon.iter().map(|&point| Vertex {
            at: DrawList::local(self.origin, point),
            color,
            pattern,
        });
        self.layer.vertices.extend(vertices);
        self.layer.triangles.extend(
            corners
                .chunks_exact(3)
                .map(|three| [three[0], three[1], three[2]].map(|corner| first + corner as u32)),
        );
    }

    /// A ribbon through points with times (s from the scene's present), all pieces looking like `look`; its own
    /// ends, mitres and times are filled in, and `color_at` gives the two colours by time.
    pub(super) fn ribbon(
        &mut self,
        path: &[(DVec2, f64)],
        look: &Ribbon,
        color_at: impl Fn(f64) -> (Color, Color),
    ) {
        let pieces: Vec<[(DVec2, f64); 2]> = path
            .windows(2)
            .map(|ends| [ends[0], ends[1]])
            .filter(|[from, to]| from.0.distance(to.0) > 1e-3)
            .collect();
        let left_of =
            |piece: &[(DVec2, f64); 2]| (piece[1].0 - piece[0].0).normalize_or_zero().perp();
        for (index, piece) in pieces.iter().enumerate() {
            let left = left_of(piece);
            let before = match index.checked_sub(1) {
                Some(earlier) => mitre(left_of(&pieces[earlier]), left),
                None => left,
            };
            let after = pieces
                .get(index + 1)
                .map_or(left, |later| mitre(left, left_of(later)));
            let [from, to] = *piece;
            let (near, far) = color_at((from.1 + to.1) / 2.0);
            self.layer.ribbons.push(Ribbon {
                from: self.local(from.0),
                to: self.local(to.0),
                from_left: before.as_vec2().to_array(),
                to_left: after.as_vec2().to_array(),
                time_s: [from.1 as f32, to.1 as f32],
                near,
                far,
                ..*look
            });
        }
    }
}

/// The left vector where two pieces with unit left vectors meet: half-way between them, long enough for both
/// sides to stay parallel, at most twice as long.
fn mitre(before: DVec2, after: DVec2) -> DVec2 {
    let middle = (before + after).normalize_or(after);
    middle / middle.dot(after).max(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    #[test]
    fn a_square_becomes_two_triangles_of_the_same_area() {
        let mut sheet = Sheet::new(dvec2(1e6, 5e6));
        let square =
            [(0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0)].map(|(x, y)| dvec2(1e6 + x, 5e6 + y));
        sheet.area(&square, Color::hex(0), 0);
        let at = |corner: u32| sheet.layer.vertices[corner as usize].at;
        let area: f32 = sheet
            .layer
            .triangles
            .iter()
            .map(|three| {
                let [a, b, c] = three.map(at);
                ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])).abs() / 2.0
            })
            .sum();
        assert_eq!(sheet.layer.triangles.len(), 2);
        assert_eq!(area, 12.0); // 4 by 3
    }

    #[test]
    fn dashes_run_on_across_corners() {
        let mut sheet = Sheet::new(DVec2::ZERO);
        let stroke = Stroke::solid(0.1, 1.0, Color::hex(0)).dashed_m(3.0, 6.0);
        sheet.polyline(
            &[dvec2(0.0, 0.0), dvec2(5.0, 0.0), dvec2(5.0, 2.0)],
            &stroke,
        );
        let starts: Vec<f32> = sheet.layer.lines.iter().map(|line| line.start_m).collect();
        assert_eq!(starts, [0.0, 5.0]);
    }

    #[test]
    fn neighbouring_ribbon_pieces_share_their_cross_edge() {
        let mut sheet = Sheet::new(DVec2::ZERO);
        let look: Ribbon = bytemuck::Zeroable::zeroed();
        let path = [
            (dvec2(0.0, 0.0), 0.0),
            (dvec2(4.0, 0.0), 1.0),
            (dvec2(4.0, 0.0), 2.0), // standing still draws nothing
            (dvec2(4.0, 4.0), 3.0),
        ];
        sheet.ribbon(&path, &look, |_| (Color::hex(0), Color::hex(0)));
        let [first, second] = &sheet.layer.ribbons[..] else {
            panic!("{:?}", sheet.layer.ribbons);
        };
        assert_eq!(first.to_left, second.from_left);
        // right angle: the mitre of (0, 1) and (−1, 0) is (−1, 1), √2 long
        assert!((first.to_left[0] + 1.0).abs() < 1e-6 && (first.to_left[1] - 1.0).abs() < 1e-6);
        assert_eq!(second.time_s, [2.0, 3.0]);
    }
}
