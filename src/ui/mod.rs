//! The window: panels, tools, canvas.
