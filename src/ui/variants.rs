//! Runs beside the one that is worked on: what each result was made of, and the results other seeds and schedules
//! give for the same scene.

use std::sync::Arc;
use std::sync::Weak;

use serde::Deserialize;
use serde::Serialize;

use crate::diffusion::Schedule;
use crate::generator::Settings;
use crate::scene::Scene;
use crate::scene::ScheduleKind;

/// Results of panes that are kept.
const KEPT: usize = 12;

/// Results whose input is remembered.
const REMEMBERED: usize = 500;

/// A seed and a schedule of a pane's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Variant {
    /// Seed of the noise.
    pub seed: u64,
    /// The scheduling matrix.
    pub schedule: ScheduleKind,
    /// Number of denoising steps.
    pub steps: usize,
}

impl Variant {
    /// The full schedule with another seed in each pane.
    pub(super) fn of_pane(pane: usize) -> Self {
        Self {
            seed: 1 + pane as u64,
            schedule: ScheduleKind::Full,
            steps: Schedule::paper_steps(ScheduleKind::Full),
        }
    }

    /// In a few words.
    pub(super) fn words(&self) -> String {
        let schedule = self.schedule.word();
        format!("seed {}, {schedule} {}", self.seed, self.steps)
    }
}

/// What is known of a run that a pane wants.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Its result, or an older one of the same pane's settings while it is made.
    pub scene: Option<Arc<Scene>>,
    /// It is being made or waits.
    pub busy: bool,
    /// Why it cannot be made.
    pub problem: Option<String>,
}

/// One run: what goes in fixes what comes out.
#[derive(Debug, Clone)]
struct Order {
    input: Arc<Scene>,
    settings: Settings,
}

impl Order {
    fn is(&self, input: &Arc<Scene>, settings: &Settings) -> bool {
        Arc::ptr_eq(&self.input, input) && self.settings == *settings
    }
}

/// Inputs of results, and results of orders.
#[derive(Default)]
pub(super) struct Variants {
    inputs: Vec<(Weak<Scene>, Order)>,
    done: Vec<(Order, Result<Arc<Scene>, String>)>,
    waiting: Vec<Order>,
}

impl Variants {
    /// Notes what `result` was made of.
    pub(super) fn remember(&mut self, result: &Arc<Scene>, input: Arc<Scene>, settings: Settings) {
        self.inputs.retain(|(known, _)| known.strong_count() > 0);
        if self.inputs.len() >= REMEMBERED {
            self.inputs.remove(0);
        }
        let order = Order { input, settings };
        self.inputs.push((Arc::downgrade(result), order));
    }

    /// The scene and settings a result was made of, if it was made in this window.
    pub(super) fn input_of(&self, result: &Arc<Scene>) -> Option<(&Arc<Scene>, &Settings)> {
        self.inputs
            .iter()
            .rev()
            .find(|(known, _)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(result)))
            .map(|(_, order)| (&order.input, &order.settings))
    }

    /// The result of an order; what is not known is put in line.
    pub(super) fn want(&mut self, input: &Arc<Scene>, settings: &Settings) -> Wanted {
        let known = self
            .done
            .iter()
            .find(|(order, _)| order.is(input, settings));
        match known {
            Some((_, Ok(scene))) => Wanted {
                scene: Some(scene.clone()),
                ..Wanted::default()
            },
            Some((_, Err(problem))) => Wanted {
                problem: Some(problem.clone()),
                ..Wanted::default()
            },
            None => {
                if !self.waiting.iter().any(|order| order.is(input, settings)) {
                    self.waiting.push(Order {
                        input: input.clone(),
                        settings: settings.clone(),
                    });
                }
                // the last result with these settings stays on screen meanwhile
                let older = self.done.iter().rev().find_map(|(order, result)| {
                    let same = order.settings.seed == settings.seed
                        && order.settings.schedule == settings.schedule;
                    same.then(|| result.clone().ok()).flatten()
                });
                Wanted {
                    scene: older,
                    busy: true,
                    problem: None,
                }
            }
        }
    }

    /// The next order to run. The line is made anew in every frame, so that what no pane wants any more is not run.
    pub(super) fn next(&mut self) -> Option<(Arc<Scene>, Settings)> {
        let order = self.waiting.first().cloned();
        self.waiting.clear();
        order.map(|order| (order.input, order.settings))
    }

    /// Forgets what the panes wanted in this frame.
    pub(super) fn forget_wishes(&mut self) {
        self.waiting.clear();
    }

    /// Takes in a result.
    pub(super) fn keep(
        &mut self,
        input: Arc<Scene>,
        settings: Settings,
        result: Result<Arc<Scene>, String>,
    ) {
        if let Ok(scene) = &result {
            self.remember(scene, input.clone(), settings.clone());
        }
        let room = KEPT - 1;
        self.done.drain(..self.done.len().saturating_sub(room));
        self.done.push((Order { input, settings }, result));
    }

    /// Forgets everything: another scene was opened.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> Arc<Scene> {
        Arc::new(Scene::default())
    }

    #[test]
    fn an_order_is_run_once_and_its_result_is_kept() {
        let mut variants = Variants::default();
        let (input, settings) = (scene(), Settings::default());
        let wanted = variants.want(&input, &settings);
        assert!(wanted.busy && wanted.scene.is_none());
        variants.want(&input, &settings);
        let (asked, _) = variants.next().unwrap();
        assert!(Arc::ptr_eq(&asked, &input) && variants.next().is_none());
        let result = scene();
        variants.keep(input.clone(), settings.clone(), Ok(result.clone()));
        let wanted = variants.want(&input, &settings);
        assert!(
            !wanted.busy
                && wanted
                    .scene
                    .is_some_and(|scene| Arc::ptr_eq(&scene, &result))
        );
        let (made_of, _) = variants.input_of(&result).unwrap();
        assert!(Arc::ptr_eq(made_of, &input));
    }

    #[test]
    fn another_seed_is_another_order() {
        let mut variants = Variants::default();
        let (input, settings) = (scene(), Settings::default());
        variants.keep(input.clone(), settings.clone(), Ok(scene()));
        let other = Settings {
            seed: 8,
            ..settings
        };
        assert!(variants.want(&input, &other).busy);
    }

    #[test]
    fn a_run_that_failed_says_why_and_is_not_repeated() {
        let mut variants = Variants::default();
        let (input, settings) = (scene(), Settings::default());
        variants.keep(input.clone(), settings.clone(), Err("no".to_owned()));
        let wanted = variants.want(&input, &settings);
        assert_eq!(
            (wanted.busy, wanted.problem.as_deref()),
            (false, Some("no"))
        );
        assert!(variants.next().is_none());
    }
}
