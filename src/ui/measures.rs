//! The metrics of the scenes in the panes, worked out beside the window, each with its arithmetic, and the curves of gates.

use std::sync::Arc;

use crate::engine::Desk;
use crate::engine::Worker;
use crate::generator::GateCurve;
use crate::generator::gate_curves;
use crate::generator::judged_agents;
use crate::metrics::Encounter;
use crate::metrics::Explained;
use crate::metrics::ego_encounters;
use crate::metrics::explain;
use crate::scene::Scene;

/// Scenes whose metrics are kept.
const KEPT: usize = 24;

/// What is worked out of a scene.
pub(super) struct Measured {
    /// Its metrics.
    pub rows: Vec<Explained>,
    /// How its ego came past everyone else.
    pub encounters: Vec<Encounter>,
    /// How near its gates came to their limits; none of a scene that was not generated.
    pub curves: Vec<GateCurve>,
}

/// A scene with what is known of it; nothing if that could not be worked out.
type Known = (Arc<Scene>, Option<Arc<Measured>>);

/// Metrics of scenes, one scene at a time on a thread of their own.
pub(super) struct Measures {
    worker: Option<Worker<Arc<Scene>, Option<Measured>>>,
    asked: Option<Arc<Scene>>,
    known: Vec<Known>,
}

impl Measures {
    /// Starts the thread; `wake` is called when an answer is there. Without a thread nothing is ever known.
    pub(super) fn start(wake: Box<dyn Fn() + Send>) -> Self {
        let work = |scene: Arc<Scene>, desk: &Desk<'_, Arc<Scene>, Option<Measured>>| {
            let made = scene.generated.as_ref();
            let curves = made.map(|made| gate_curves(&scene, &judged_agents(&scene, &made.recipe)));
            desk.report(Some(Measured {
                rows: explain(&scene),
                encounters: ego_encounters(&scene),
                curves: curves.unwrap_or_default(),
            }));
        };
        Self {
            worker: Worker::start("measures", wake, work, |_| None).ok(),
            asked: None,
            known: Vec::new(),
        }
    }

    /// Takes in what is worked out.
    pub(super) fn hear(&mut self) {
        while let Some((_, found)) = self.worker.as_ref().and_then(Worker::poll) {
            if let Some(scene) = self.asked.take() {
                if self.known.len() >= KEPT {
                    self.known.remove(0);
                }
                self.known.push((scene, found.map(Arc::new)));
            }
        }
    }

    /// Metrics and curves of a scene; asked for if they are not known yet.
    pub(super) fn of(&mut self, scene: &Arc<Scene>) -> Option<Arc<Measured>> {
        let known = self.known.iter().find(|(of, _)| Arc::ptr_eq(of, scene));
        if let Some((_, found)) = known {
            return found.clone();
        }
        if let (None, Some(worker)) = (&self.asked, &mut self.worker) {
            worker.submit(scene.clone());
            self.asked = Some(scene.clone());
        }
        None
    }
}
