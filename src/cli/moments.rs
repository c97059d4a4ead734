//! The moments of its scenes at which a command begins: the present that each has, others, or one every so many seconds.

use super::recording::APART;
use super::usage::ensure_usage;
use crate::data;
use crate::generator::presents;
use crate::scene::{Edit, Scene, for_terminal};

/// When a command begins.
#[derive(clap::Args)]
pub(super) struct Moments {
    /// Begin at this moment, seconds from each scene's start, instead of at its present; at several, comma separated, once
    /// at each.
    #[arg(long, value_name = "SECONDS", value_delimiter = ',')]
    time: Vec<f64>,
    /// Begin every so many seconds of each scene, from 2 s on while 8 s of it follow, as tables of `nearmiss eval` do; at
    /// its present where it is too short.
    #[arg(long, value_name = "SECONDS", conflicts_with = "time")]
    every: Option<f64>,
}

/// A scene at a moment.
pub(super) struct Take {
    pub(super) entry: data::Entry,
    /// Scene time, s; the scene's own present if absent.
    time_s: Option<f64>,
}

impl Moments {
    /// Whether moments are asked for at all.
    pub(super) fn are_given(&self) -> bool {
        !self.time.is_empty() || self.every.is_some()
    }

    /// The scenes, each at every moment that is asked for, in their order. What is cut by `--every` is opened for it;
    /// scenes that cannot be are taken at their present, where whoever opens them hears why.
    ///
    /// # Errors
    /// If a moment is no time, is named twice, or the seconds between two are none.
    pub(super) fn takes(&self, entries: Vec<data::Entry>) -> anyhow::Result<Vec<Take>> {
        for (at, time_s) in self.time.iter().enumerate() {
            ensure_usage!(
                time_s.is_finite() && *time_s >= 0.0,
                "--time {time_s}: seconds from the scene's start are wanted"
            );
            ensure_usage!(
                !self.time[..at].contains(time_s),
                "--time {time_s}: it is named twice"
            );
        }
        if let Some(every_s) = self.every {
            ensure_usage!(
                (0.1..=600.0).contains(&every_s),
                "--every {every_s}: between 0.1 and 600 s are wanted"
            );
        }
        let mut takes = Vec::new();
        for entry in entries {
            let times = match self.every {
                Some(every_s) => cut(&entry, every_s),
                None => self.time.clone(),
            };
            if times.is_empty() {
                let time_s = None;
                takes.push(Take { entry, time_s });
                continue;
            }
            takes.extend(times.into_iter().map(|time_s| Take {
                entry: entry.clone(),
                time_s: Some(time_s),
            }));
        }
        Ok(takes)
    }
}

/// The moments of a scene every so many seconds at which its ego is there.
fn cut(entry: &data::Entry, every_s: f64) -> Vec<f64> {
    let Ok(opened) = data::open(&entry.file, entry.pick.as_deref()) else {
        return Vec::new();
    };
    let scene = opened.scene;
    let likely = scene.likely_ego();
    let ego = scene.ego().map(|ego| &ego.id).or(likely.as_ref());
    let Some(track) = ego.and_then(|id| scene.agent(id)).map(|ego| &ego.track) else {
        return Vec::new();
    };
    let rounded = |time_s: f64| (time_s * 1e3).round() / 1e3;
    let times = presents(scene.duration_s(), every_s).into_iter();
    let mut times: Vec<f64> = times.map(rounded).collect();
    let all = times.len();
    times.retain(|time_s| track.get(frame_of(&scene, *time_s)).is_some());
    if times.len() < all {
        let (name, gone) = (&entry.name, all - times.len());
        let line = format!("{name}: the ego is not there at {gone} of {all} moments");
        eprintln!("{}", for_terminal(&line));
    }
    times
}

/// The scene with its present at `time_s` seconds from its start.
///
/// # Errors
/// If that lies outside it.
pub(super) fn begin_at(scene: &Scene, time_s: f64) -> anyhow::Result<Scene> {
    anyhow::ensure!(
        (0.0..=scene.duration_s() + 1e-6).contains(&time_s),
        "--time {time_s} lies outside the scene, which lasts {:.1} s",
        scene.duration_s()
    );
    let frame = frame_of(scene, time_s);
    Ok(scene.edited(&Edit::SetNow { frame })?)
}

fn frame_of(scene: &Scene, time_s: f64) -> usize {
    let last = scene.frames.saturating_sub(1);
    (scene.frame_at(time_s).round() as usize).min(last)
}

impl Take {
    /// What the scene is called, and the moment where one was asked for.
    pub(super) fn name(&self) -> String {
        self.named(&self.entry.name)
    }

    fn named(&self, name: &str) -> String {
        match self.time_s {
            Some(time_s) => format!("{name}{APART}at {time_s} s"),
            None => name.to_owned(),
        }
    }

    /// The same in letters that a file's name can have.
    pub(super) fn stem(&self) -> String {
        let stem = data::file_name(&self.entry.name);
        let stem = stem.trim_matches('.').trim_end_matches(".json");
        match self.time_s {
            Some(time_s) => format!("{stem}-at-{time_s}s"),
            None => stem.to_owned(),
        }
    }

    /// The scene, with its present at the moment; its name says so.
    ///
    /// # Errors
    /// If it cannot be opened, or ends before.
    pub(super) fn open(&self) -> anyhow::Result<Scene> {
        let scene = data::open(&self.entry.file, self.entry.pick.as_deref())?.scene;
        let Some(time_s) = self.time_s else {
            return Ok(scene);
        };
        let mut scene = begin_at(&scene, time_s)?;
        let name = match scene.name.trim().is_empty() {
            true => &self.entry.name,
            false => &scene.name,
        };
        scene.name = self.named(name);
        Ok(scene)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> data::Entry {
        data::Entry {
            file: "no such file".into(),
            pick: None,
            name: name.to_owned(),
            format: data::Format::Scene,
        }
    }

    fn names(time: &[f64], every: Option<f64>) -> anyhow::Result<Vec<String>> {
        let time = time.to_vec();
        let takes = Moments { time, every }.takes(vec![entry("merge.json"), entry("turn")])?;
        Ok(takes.iter().map(Take::stem).collect())
    }

    #[test]
    fn each_scene_is_taken_at_each_moment_and_files_say_which() {
        assert_eq!(names(&[], None).unwrap(), ["merge", "turn"]);
        assert_eq!(
            names(&[2.0, 4.5], None).unwrap(),
            ["merge-at-2s", "merge-at-4.5s", "turn-at-2s", "turn-at-4.5s"]
        );
        // what cannot be opened is taken once, and refused when it is
        assert_eq!(names(&[], Some(2.0)).unwrap(), ["merge", "turn"]);
    }

    #[test]
    fn moments_that_are_none_are_refused() {
        for time in [f64::NAN, -1.0, f64::INFINITY] {
            assert!(names(&[time], None).is_err());
        }
        assert!(names(&[3.0, 3.0], None).is_err());
        assert!(names(&[], Some(0.0)).is_err() && names(&[], Some(f64::NAN)).is_err());
    }
}
