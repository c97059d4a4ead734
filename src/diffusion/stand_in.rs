//! A network of one line for tests: what holds for any weights.

use std::sync::Arc;

use super::{Denoise, DenoiseError, Prepare};
use crate::codec::{CHANNELS, Scale, T, Window};

/// Keeps 1 − `pull` · level of every noisy number: the result depends on the draw and on nothing else.
pub(crate) struct StandIn {
    pub(crate) scale: Scale,
    pub(crate) pull: f32,
    /// Called in every step.
    pub(crate) in_step: Arc<dyn Fn() + Send + Sync>,
}

impl StandIn {
    pub(crate) fn new(pull: f32) -> Self {
        Self {
            scale: Scale([[0.5, 0.3, 0.2, 0.1, 0.01, 0.02]; T]),
            pull,
            in_step: Arc::new(|| {}),
        }
    }
}

impl Prepare for StandIn {
    fn scale(&self) -> &Scale {
        &self.scale
    }

    fn identity(&self) -> &str {
        "<stand-in>"
    }

    fn prepare(&self, _window: &Window) -> Result<Box<dyn Denoise + Send>, DenoiseError> {
        let (pull, in_step) = (self.pull, Arc::clone(&self.in_step));
        Ok(Box::new(Pulling { pull, in_step }))
    }
}

struct Pulling {
    pull: f32,
    in_step: Arc<dyn Fn() + Send + Sync>,
}

impl Denoise for Pulling {
    fn denoise(
        &mut self,
        noisy: &[f32],
        levels: &[f32],
        clean: &mut [f32],
    ) -> Result<(), DenoiseError> {
        (self.in_step)();
        for (at, value) in clean.iter_mut().enumerate() {
            *value = noisy[at] * (1.0 - self.pull * levels[at / CHANNELS % levels.len()]);
        }
        Ok(())
    }
}
