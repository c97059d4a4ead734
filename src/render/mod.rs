//! A scene at a time to a draw list, a draw list to pixels.
//!
//! [`Composer`] turns a scene, a time and [`ViewOptions`] into a [`DrawList`]: plain vectors in layers, tested without a
//! GPU. [`Gpu`] and [`Pane`] draw it, in the window (`ui::canvas`) and off-screen ([`Offscreen`]) alike.

mod agents;
mod apart;
mod bench;
mod camera;
mod color;
mod compose;
mod crowd;
mod draw_list;
mod furniture;
mod gpu;
mod image;
mod intents;
mod legend;
mod map_layers;
mod offscreen;
mod opening;
mod options;
mod pick;
mod strokes;
mod studio;
mod style;
mod text;
mod trails;

pub use agents::signal_place;
pub use apart::{FULL_M, shade};
pub use bench::{FrameCost, bench_frames};
pub use camera::Camera;
pub use color::Color;
pub use compose::{Composer, draw_list};
pub use crowd::clear_shifts;
pub use draw_list::{
    Anchor, Body, BodyShape, Clearance, DrawList, Label, Layer, Line, Mark, MarkShape, Ribbon,
    Vertex,
};
pub use furniture::{bar_length_m, furniture};
pub use gpu::{Gpu, PRIMITIVES, Pane, Primitive, View};
pub use image::{Clip, Image, Palette};
pub use intents::attack_point;
pub use legend::legend;
pub use offscreen::{Offscreen, RenderError, Shot};
pub use opening::{opening_camera, spanning};
pub use options::{Ghosts, Names, NoiseView, Path, PathKind, Trails, ViewOptions};
pub use pick::{Hit, pick};
pub use studio::{
    CASE_FPS, Cell, FRAME_RATES, Film, Framing, GAP, Look, Moment, SCALES, Studio, StudioError,
    evenly, frame_hundredths,
};
pub use style::Style;
