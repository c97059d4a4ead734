//! The panels around the canvas. Each reads the state and pushes wishes; none changes anything itself.

pub(super) mod agents;
pub(super) mod compare;
pub(super) mod denoise;
pub(super) mod dialogs;
pub(super) mod encounters;
pub(super) mod export;
pub(super) mod generate;
pub(super) mod help;
pub(super) mod history;
pub(super) mod inspector;
pub(super) mod library;
pub(super) mod notices;
pub(super) mod palette;
pub(super) mod planner;
pub(super) mod results;
pub(super) mod status;
pub(super) mod sweep;
pub(super) mod top;
pub(super) mod tray;
pub(super) mod trial;
