//! The metrics of the scenes in the panes, worked out beside the window, each with its arithmetic.

use std::sync::Arc;

use crate::engine::Desk;
use crate::engine::Worker;
use crate::metrics::Explained;
use crate::metrics::explain;
use crate::scene::Scene;

/// Scenes whose metrics are kept.
const KEPT: usize = 24;

/// A scene with its metrics; none if they could not be worked out.
type Measured = (Arc<Scene>, Option<Arc<Vec<Explained>>>);

/// Metrics of scenes, one scene at a time on a thread of their own.
pub(super) struct Measures {
    worker: Option<Worker<Arc<Scene>, Option<Vec<Explained>>>>,
    asked: Option<Arc<Scene>>,
    known: Vec<Measured>,
}

impl Measures {
    /// Starts the thread; `wake` is called when an answer is there. Without a thread nothing is ever known.
    pub(super) fn start(wake: Box<dyn Fn() + Send>) -> Self {
        let work = |scene: Arc<Scene>, desk: &Desk<'_, Arc<Scene>, Option<Vec<Explained>>>| {
            desk.report(Some(explain(&scene)));
        };
        Self {
            worker: Worker::start("measures", wake, work, |_| None).ok(),
            asked: None,
            known: Vec::new(),
        }
    }

    /// Takes in what is worked out.
    pub(super) fn hear(&mut self) {
        while let Some((_, rows)) = self.worker.as_ref().and_then(Worker::poll) {
            if let Some(scene) = self.asked.take() {
                if self.known.len() >= KEPT {
                    self.known.remove(0);
                }
                self.known.push((scene, rows.map(Arc::new)));
            }
        }
    }

    /// The metrics of a scene; asked for if they are not known yet.
    pub(super) fn of(&mut self, scene: &Arc<Scene>) -> Option<Arc<Vec<Explained>>> {
        let known = self.known.iter().find(|(of, _)| Arc::ptr_eq(of, scene));
        if let Some((_, rows)) = known {
            return rows.clone();
        }
        if let (None, Some(worker)) = (&self.asked, &mut self.worker) {
            worker.submit(scene.clone());
            self.asked = Some(scene.clone());
        }
        None
    }
}
