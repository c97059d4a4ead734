//! What to draw, as plain vectors that a test can look into before any GPU sees them.
//!
//! Positions are `f32` metres from the list's own origin. A size given both in metres and in points is drawn at
//! whichever is larger, so that nothing vanishes when the view is far.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::Color;
use super::camera::Camera;
use crate::geometry::{DVec2, dvec2};

/// A straight stroke with round ends; a polyline is many, with `start_m` carried along for its dashes.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Line {
    /// First end, m.
    pub from: [f32; 2],
    /// Second end, m.
    pub to: [f32; 2],
    /// Width, m, and least width, points.
    pub width: [f32; 2],
    /// Dash and gap; both 0 for a solid line.
    pub dash: [f32; 2],
    /// Distance travelled along the polyline before `from`, m.
    pub start_m: f32,
    /// Sum of [`Line::DASH_IN_POINTS`] and [`Line::FLAT_ENDS`].
    pub flags: u32,
    /// Colour.
    pub color: Color,
}

impl Line {
    /// Dash and gap are points, else metres.
    pub const DASH_IN_POINTS: u32 = 1;
    /// Ends are cut square.
    pub const FLAT_ENDS: u32 = 2;
}

/// A piece of a path in time. Neighbours share their cross edges, so a translucent ribbon has no seams.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Ribbon {
    /// First end, m.
    pub from: [f32; 2],
    /// Second end, m.
    pub to: [f32; 2],
    /// Mitred left vector at the first end; length 1 on a straight path.
    pub from_left: [f32; 2],
    /// Mitred left vector at the second end.
    pub to_left: [f32; 2],
    /// Width, m, and least width, points.
    pub width: [f32; 2],
    /// Seconds from the scene's present at both ends.
    pub time_s: [f32; 2],
    /// Colour at the shown time.
    pub near: Color,
    /// Colour 8 s later, the end of the gradient (the shader's `SPAN_S`).
    pub far: Color,
    /// Half length of the ticks at whole seconds, points; 0 for none.
    pub tick: f32,
    /// How much of the opacity remains where the shown time has passed, [0, 1].
    pub past: f32,
}

/// An agent's footprint.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Body {
    /// Centre, m.
    pub centre: [f32; 2],
    /// Unit vector along the heading.
    pub ahead: [f32; 2],
    /// Half length and half width, m.
    pub half: [f32; 2],
    /// Least half extent, points.
    pub least: f32,
    /// Outline width, points.
    pub edge_width: f32,
    /// Fill.
    pub fill: Color,
    /// Outline.
    pub edge: Color,
    /// Windscreen and nose chevron.
    pub nose: Color,
    /// A [`BodyShape`].
    pub shape: u32,
    /// Opacity of the shadow.
    pub shadow: f32,
    /// Noise level in [0, 1]: roughens the outline and thins the fill.
    pub noise: f32,
    /// Makes the roughness of one agent unlike another's.
    pub seed: f32,
    /// Keeps the size a multiple of eight bytes; 0.
    pub spare: f32,
}

/// Outlines of agents: a second cue beside colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum BodyShape {
    /// Rounded rectangle with a windscreen.
    Vehicle = 0,
    /// Rounded rectangle with a nose chevron: the ego.
    Ego = 1,
    /// Circle with a dot ahead.
    Pedestrian = 2,
    /// Lens, pointed at both ends.
    Cyclist = 3,
    /// Plain rectangle.
    Thing = 4,
    /// Outline and a faint fill: a ghost.
    Ghost = 5,
}

/// A symbol.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Mark {
    /// Where, m.
    pub at: [f32; 2],
    /// Direction it points to, unit vector in the scene frame; (0, 0) stands upright on screen.
    pub ahead: [f32; 2],
    /// Shift on screen, points, right and up.
    pub shift: [f32; 2],
    /// Radius, m, and least radius, points.
    pub radius: [f32; 2],
    /// Stroke width, points.
    pub stroke: f32,
    /// What the shape makes of it: filled share of a clock, dash of a ring (points), cuts of a bar.
    pub value: f32,
    /// Fill.
    pub fill: Color,
    /// Stroke.
    pub edge: Color,
    /// A [`MarkShape`].
    pub shape: u32,
    /// Not drawn if smaller than this radius, points; 0 for always.
    pub hide_below: f32,
}

/// Symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum MarkShape {
    /// A disc with a rim.
    Disc = 0,
    /// A ring; dashes of `value` points if > 0.
    Ring = 1,
    /// A ring with four hairs: a target.
    Target = 2,
    /// A diagonal cross: contact.
    Cross = 3,
    /// A pole with a pennant, foot on the point.
    Flag = 4,
    /// A clock face filled to `value` in [0, 1].
    Clock = 5,
    /// An open chevron.
    Chevron = 6,
    /// A bar across: a stop point with its lamp colour.
    Bar = 7,
    /// An octagon: a stop sign.
    Octagon = 8,
    /// A square, for handles.
    Square = 9,
    /// An arrow head, filled.
    Arrow = 10,
}

/// A corner of a filled area.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Vertex {
    /// Where, m.
    pub at: [f32; 2],
    /// Colour.
    pub color: Color,
    /// 0 plain, 1 hatched.
    pub pattern: u32,
}

/// One sheet of a picture. Within it areas lie under ribbons, under lines, under bodies, under marks; each kind
/// is one draw call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layer {
    /// Corners of areas.
    pub vertices: Vec<Vertex>,
    /// Triangles over `vertices`.
    pub triangles: Vec<[u32; 3]>,
    /// Paths in time.
    pub ribbons: Vec<Ribbon>,
    /// Strokes.
    pub lines: Vec<Line>,
    /// Footprints.
    pub bodies: Vec<Body>,
    /// Symbols.
    pub marks: Vec<Mark>,
}

impl Layer {
    /// Whether there is nothing on it.
    pub fn is_empty(&self) -> bool {
        self.triangles.is_empty()
            && self.ribbons.is_empty()
            && self.lines.is_empty()
            && self.bodies.is_empty()
            && self.marks.is_empty()
    }

    /// Lays another sheet's contents on top of each kind.
    pub fn append(&mut self, other: &Self) {
        let first = self.vertices.len() as u32;
        self.vertices.extend_from_slice(&other.vertices);
        let triangles = other.triangles.iter();
        self.triangles
            .extend(triangles.map(|three| three.map(|corner| first + corner)));
        self.ribbons.extend_from_slice(&other.ribbons);
        self.lines.extend_from_slice(&other.lines);
        self.bodies.extend_from_slice(&other.bodies);
        self.marks.extend_from_slice(&other.marks);
    }

    /// Bytes that go to the GPU.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.vertices)
            + size_of_val(&*self.triangles)
            + size_of_val(&*self.ribbons)
            + size_of_val(&*self.lines)
            + size_of_val(&*self.bodies)
            + size_of_val(&*self.marks)
    }
}

/// Text at a place. The window draws it with its own fonts, the off-screen renderer with bundled ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The words.
    pub text: String,
    /// Where.
    pub anchor: Anchor,
    /// Shift on screen from the anchor, points, right and down; of one beside a body the part down is the gap to it.
    pub shift: [f32; 2],
    /// The body it names and keeps clear of.
    pub clear: Option<Clearance>,
    /// Which part of the text lies at the anchor: 0 left or top, 0.5 middle, 1 right or bottom.
    pub align: [f32; 2],
    /// It moves up or down where it would stand on other words.
    pub gives_way: bool,
    /// Font size, points.
    pub size: f32,
    /// Colour of the letters.
    pub color: Color,
    /// Colour around the letters; clear for none.
    pub halo: Color,
}

/// How a label keeps clear of a body: above it, or to its side if it heads up or down on screen, where its path, its
/// arrow and who is ahead of it are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clearance {
    /// The body's, scene frame, rad.
    pub heading: f64,
    /// How far above its middle the label stands, m.
    pub above_m: f64,
    /// How far beside its middle the label stands, m.
    pub beside_m: f64,
    /// Beside it means left of it, not right.
    pub left: bool,
}

/// A heading within this of straight up or down on screen counts as such, rad.
const UPRIGHT_RAD: f64 = 0.6;

impl Label {
    /// Where it hangs in a view of `size` points, points from the top left corner, and which part of the text lies there,
    /// as [`Label::align`].
    pub(crate) fn place(&self, camera: &Camera, size: DVec2) -> (DVec2, [f32; 2]) {
        let at = match self.anchor {
            Anchor::World(point) => camera.screen_from_world(point, size),
            Anchor::Screen([x, y]) => dvec2(x.into(), y.into()),
        };
        let [right, down] = self.shift.map(f64::from);
        let shifted = at + dvec2(right, down);
        let Some(clear) = self.clear else {
            return (shifted, self.align);
        };
        let across = (clear.heading - camera.up).sin().abs();
        if across < UPRIGHT_RAD.sin() {
            let gap = clear.beside_m * camera.points_per_m + down.abs();
            return match clear.left {
                true => (at - dvec2(gap, 0.0), [1.0, 0.5]),
                false => (at + dvec2(gap, 0.0), [0.0, 0.5]),
            };
        }
        let lift = clear.above_m * camera.points_per_m;
        (shifted - dvec2(0.0, lift), self.align)
    }
}

/// What a label hangs on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Anchor {
    /// A point of the scene, m.
    World(DVec2),
    /// A point of the viewport, points from the top left corner.
    Screen([f32; 2]),
}

/// Everything of a picture that does not depend on the camera.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawList {
    /// Scene point that the layers' (0, 0) stands for, m.
    pub origin: DVec2,
    /// Colour behind everything.
    pub background: Color,
    /// Fine and coarse colour of the metre grid, if it is shown.
    pub grid: Option<[Color; 2]>,
    /// Seconds from the scene's present; ribbons look different before and after it.
    pub time_s: f64,
    /// Bottom to top. Sheets that did not change are the same `Arc` as in the list before and need no upload.
    pub layers: Vec<Arc<Layer>>,
    /// Text, drawn last.
    pub labels: Vec<Label>,
}

impl DrawList {
    /// `point` as the layers hold it.
    pub fn local(origin: DVec2, point: DVec2) -> [f32; 2] {
        (point - origin).as_vec2().to_array()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::FRAC_PI_2;

    #[test]
    fn a_name_stands_above_its_body_and_beside_one_that_heads_up_or_down_on_screen() {
        let placed = |heading: f64, up: f64, left: bool| {
            let camera = Camera {
                centre: dvec2(7.0, 3.0),
                points_per_m: 10.0,
                up,
            };
            let label = Label {
                text: "ego".to_owned(),
                anchor: Anchor::World(dvec2(7.0, 3.0)),
                shift: [0.0, -5.0],
                clear: Some(Clearance {
                    heading,
                    above_m: 2.0,
                    beside_m: 1.0,
                    left,
                }),
                align: [0.5, 1.0],
                gives_way: false,
                size: 12.0,
                color: Color([255; 4]),
                halo: Color([0; 4]),
            };
            label.place(&camera, dvec2(200.0, 100.0))
        };
        // from the middle, (100, 50): 5 points and 2 m of 10 points up; 1 m and 5 points to the right
        let (above, beside) = (dvec2(100.0, 25.0), dvec2(115.0, 50.0));
        assert_eq!(placed(0.0, FRAC_PI_2, false), (above, [0.5, 1.0]));
        assert_eq!(
            placed(FRAC_PI_2 + 0.5, FRAC_PI_2, false),
            (beside, [0.0, 0.5])
        );
        assert_eq!(placed(-FRAC_PI_2, FRAC_PI_2, false), (beside, [0.0, 0.5]));
        // turned with its heading up, as when the view follows it
        assert_eq!(placed(0.0, 0.0, false), (beside, [0.0, 0.5]));
        assert_eq!(placed(0.0, 0.0, true), (dvec2(85.0, 50.0), [1.0, 0.5]));
    }
}
