//! Futures that a generator of one's own has written: a scene for each window and sample.

use std::collections::BTreeMap;
use std::path::Path;

use super::Entered;
use crate::cli::batch::{Shown, scenes};
use crate::cli::recording::Origin;
use crate::data;
use crate::scene::{AgentKind, Scene};

/// Presents nearer than this are the same, s.
const SAME_S: f64 = 0.05;

/// Scenes with their futures, by what they are of.
pub(super) struct Rollouts(BTreeMap<(String, String), Vec<Rollout>>);

/// One sample of a window.
struct Rollout {
    file: String,
    scene: Scene,
}

impl Rollouts {
    /// Reads all scenes of a folder.
    ///
    /// # Errors
    /// If one cannot be read, or there is none.
    pub(super) fn load(folder: &Path) -> anyhow::Result<Self> {
        let entries = scenes(&[folder.to_owned()])?;
        let shown = Shown::new(entries.len() as u64);
        let mut all: BTreeMap<(String, String), Vec<Rollout>> = BTreeMap::new();
        for entry in entries {
            let scene = data::open(&entry.file, entry.pick.as_deref())?.scene;
            let (source, name) = Origin::of(&scene).into_key();
            let file = entry.file.display().to_string();
            shown.done(&format!("rollout {}", entry.name));
            let of = all.entry((source, name)).or_default();
            of.push(Rollout { file, scene });
        }
        shown.finish();
        Ok(Self(all))
    }

    /// The samples of a window, in the order of their files.
    fn of(&self, entered: &Entered) -> Vec<&Rollout> {
        let of = self.0.get(&entered.origin.clone().into_key());
        let now_s = entered.window.scene.now_s();
        let of = of.into_iter().flatten();
        of.filter(|it| (it.scene.now_s() - now_s).abs() < SAME_S)
            .collect()
    }

    /// How many samples there are of a window.
    pub(super) fn count(&self, entered: &Entered) -> usize {
        self.of(entered).len()
    }

    /// A sample of a window; agents of `kind` are judged.
    ///
    /// # Errors
    /// If there is none, or it lacks the future of somebody who is judged; names the file and the agent.
    pub(super) fn scene(
        &self,
        entered: &Entered,
        sample: usize,
        kind: AgentKind,
    ) -> anyhow::Result<Scene> {
        let of = self.of(entered);
        let Some(rollout) = of.get(sample) else {
            let (scene, now_s) = (&entered.scene, entered.window.scene.now_s());
            anyhow::bail!("no rollout number {sample} of {scene} at {now_s:.1} s");
        };
        let log = entered.window.log();
        let window = &entered.window.window;
        for row in window.rows.iter().filter(|row| row.kind == kind) {
            let has_future = |scene: &Scene| {
                let track = scene.agent(&row.id).map(|agent| &agent.track);
                let mut later = scene.now + 1..scene.frames;
                later.any(|frame| track.is_some_and(|track| track.get(frame).is_some()))
            };
            anyhow::ensure!(
                !has_future(&log) || has_future(&rollout.scene),
                "{}: it has no future of agent \"{}\", which is judged",
                rollout.file,
                row.id
            );
        }
        Ok(rollout.scene.clone())
    }

    /// Why no window has a rollout.
    pub(super) fn lack(&self, entered: &Entered) -> String {
        let (source, name) = entered.origin.clone().into_key();
        let now_s = entered.window.scene.now_s();
        let mut text = format!(
            "no rollout is of a window: they are matched by source, name and present; the first window is of {source:?}, {name:?} \
             at {now_s:.1} s"
        );
        if let Some(((source, name), of)) = self.0.first_key_value() {
            let now_s = of[0].scene.now_s();
            text += &format!(", {} of {source:?}, {name:?} at {now_s:.1} s", of[0].file);
        }
        text
    }
}
