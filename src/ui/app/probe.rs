//! What the tests of the whole window (`tests/suite`) read off it. Nothing else calls any of this.

use std::sync::Arc;

use super::App;
use crate::geometry::DVec2;
use crate::scene::Scene;
use crate::ui::panes::Screen;

impl App {
    /// Where a point of the ground (m) appears in a window whose first pane fills `canvas`.
    pub fn place(&self, point: DVec2, canvas: egui::Rect) -> egui::Pos2 {
        let camera = self.panes.camera(0);
        Screen {
            camera,
            rect: canvas,
        }
        .place(point)
    }

    /// Whether the network is loaded.
    pub fn model_ready(&self) -> bool {
        self.lab.ready()
    }

    /// Number of modes of the plan on screen.
    pub fn plan_modes(&self) -> usize {
        let planned = self.planning.planned.as_ref();
        planned.map_or(0, |planned| planned.plan.modes.len())
    }

    /// Number of lane pieces of the route the plan on screen was told.
    pub fn plan_route(&self) -> usize {
        let planned = self.planning.planned.as_ref();
        planned.map_or(0, |planned| planned.plan.route.len())
    }

    /// Scene time at which the plan on screen was made, s.
    pub fn plan_time_s(&self) -> Option<f64> {
        let planned = self.planning.planned.as_ref();
        planned.map(|planned| planned.plan.now_s)
    }

    /// The notices on screen.
    pub fn notice_texts(&self) -> Vec<String> {
        self.notices
            .list()
            .map(|notice| notice.text.clone())
            .collect()
    }

    /// What became of the last export, once it has ended.
    pub fn export_text(&self) -> Option<&str> {
        self.exporting.said()
    }

    /// Whether two scenes are compared in one pane, and the share of the width at which a wipe handle stands.
    pub fn compared(&self) -> (bool, f32) {
        (self.panes.joined_in_one(), self.panes.wipe)
    }

    /// What the sources on screen hold, first to last; absent where there is nothing to show.
    pub fn shown(&self) -> Vec<Option<Arc<Scene>>> {
        self.views.iter().map(|view| view.scene.clone()).collect()
    }

    /// Why no scene is shown, if opening one failed.
    pub fn failure_text(&self) -> Option<&str> {
        self.failure
            .as_ref()
            .map(|failure| failure.message.as_str())
    }
}
