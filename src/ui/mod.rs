//! The window: panels, tools, canvas.

pub mod canvas;
