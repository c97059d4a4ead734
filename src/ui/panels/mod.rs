//! The panels around the canvas. Each reads the state and pushes wishes; none changes anything itself.

pub mod agents;
pub mod dialogs;
pub mod help;
pub mod history;
pub mod inspector;
pub mod library;
pub mod notices;
pub mod palette;
pub mod status;
pub mod top;
