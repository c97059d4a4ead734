//! What batch commands share: finding scenes, shards, progress, Ctrl-C.

use std::io::IsTerminal as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use crate::data;
use crate::generator::{MOST_AGENTS, MOST_REDRAWS};
use crate::scene::{Scene, in_words, write_scene};

/// All scenes the paths hold, in the order given; within a folder in its order. Of several files one that is damaged
/// stands for itself: whoever opens it hears why it cannot be.
pub(super) fn scenes(paths: &[PathBuf]) -> anyhow::Result<Vec<data::Entry>> {
    let mut entries = Vec::new();
    for path in paths {
        match data::list(path) {
            Ok(found) => entries.extend(found),
            Err(_) if paths.len() > 1 && path.is_file() => entries.push(data::Entry {
                file: path.clone(),
                pick: None,
                name: path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into(),
                format: data::Format::Scene, // as which it is tried
            }),
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::ensure!(!entries.is_empty(), "the paths hold no scene");
    Ok(entries)
}

/// A number of agents that a run can take.
pub(super) fn agents(text: &str) -> Result<usize, String> {
    number_in(1..=MOST_AGENTS, text)
}

/// A number of redraws that a run can take.
pub(super) fn redraws(text: &str) -> Result<usize, String> {
    number_in(0..=MOST_REDRAWS, text)
}

fn number_in(range: RangeInclusive<usize>, text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        format!("a number from {least} to {most} is wanted")
    })
}

/// Makes a folder and those it lies in; one that is there is fine.
///
/// # Errors
/// If the operating system refuses.
pub(super) fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| {
        let (folder, why) = (folder.display(), in_words(&error));
        Unwritable(format!("could not make the folder {folder}: {why}")).into()
    })
}

/// The name of a scene's file without its ending, as planners outside the program are told it; `None` where the file holds
/// others, too, of which `pick` is one.
pub(super) fn stem_of(file: &Path, pick: Option<&str>) -> Option<String> {
    let name = match file.is_dir() {
        true => file.file_name(),
        false => file.file_stem(),
    };
    let name = name.filter(|_| pick.is_none())?;
    Some(name.to_string_lossy().into_owned())
}

/// A file of a batch that cannot be written: on a full disk, or in a folder where nobody may write, nor could a later one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unwritable(String);

/// Writes a scene of a batch.
///
/// # Errors
/// [`Unwritable`], if the operating system refuses.
pub(super) fn write_of_batch(scene: &Scene, path: &Path) -> anyhow::Result<()> {
    write_scene(scene, path).map_err(|error| Unwritable(error.to_string()).into())
}

/// Whether a batch has to end with an error, as nothing more can be written.
pub(super) fn ends_batch(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<Unwritable>())
}

/// What becomes of a batch's files that are there already: nothing is replaced unasked.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct Existing {
    /// Replace files that are there already; without it the command refuses to begin.
    #[arg(long)]
    replace: bool,
}

impl Existing {
    /// Whether files that are there are replaced.
    pub(super) fn replaces(self) -> bool {
        self.replace
    }

    /// To be asked before anything is made.
    ///
    /// # Errors
    /// If one of the files is there and is not to be replaced; names the first and counts them.
    pub(super) fn allows(self, files: impl IntoIterator<Item = PathBuf>) -> anyhow::Result<()> {
        if self.replace {
            return Ok(());
        }
        let mut there = files.into_iter().filter(|file| file.exists());
        let Some(first) = there.next() else {
            return Ok(());
        };
        let others = match there.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        anyhow::bail!(
            "{}{others} would be replaced: name another folder, or say --replace",
            first.display()
        )
    }
}

/// One part of a batch: `index` of `count`, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) index: u64,
    pub(super) count: u64,
}

impl std::fmt::Display for Shard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// From `I/N` (I from 0), else from a Slurm array, else from an indexed Kubernetes job, else everything.
    pub(super) fn from(
        argument: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let number = |name: &str| -> anyhow::Result<Option<u64>> {
            variable(name)
                .map(|text| {
                    text.trim()
                        .parse()
                        .with_context(|| format!("{name} is {text:?}, a number was expected"))
                })
                .transpose()
        };
        let shard = if let Some(text) = argument {
            let (index, count) = text
                .split_once('/')
                .with_context(|| format!("--shard {text}: write it as I/N, for example 0/8"))?;
            Self {
                index: index
                    .trim()
                    .parse()
                    .with_context(|| format!("--shard {text}"))?,
                count: count
                    .trim()
                    .parse()
                    .with_context(|| format!("--shard {text}"))?,
            }
        } else if let Some(index) = number("SLURM_ARRAY_TASK_ID")? {
            let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
            let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
            Self {
                index: index.saturating_sub(first) / step,
                count: number("SLURM_ARRAY_TASK_COUNT")?
                    .context("SLURM_ARRAY_TASK_ID is set, SLURM_ARRAY_TASK_COUNT is not")?,
            }
        } else if let Some(index) = number("JOB_COMPLETION_INDEX")? {
            let count = match number("JOB_COMPLETIONS")? {
                Some(count) => count,
                None => number("JOB_PARALLELISM")?.context(
                    "JOB_COMPLETION_INDEX is set; say how many there are with JOB_COMPLETIONS or --shard I/N",
                )?,
            };
            Self { index, count }
        } else {
            Self { index: 0, count: 1 }
        };
        anyhow::ensure!(
            shard.count > 0 && shard.index < shard.count,
            "shard {} of {} does not exist: the first is 0",
            shard.index,
            shard.count
        );
        Ok(shard)
    }

    /// Whether the case with this number belongs to the shard.
    pub(super) fn holds(self, case: u64) -> bool {
        case % self.count == self.index
    }
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the program at once.
pub(super) fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let installed = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    if installed.is_err() {
        eprintln!("nearmiss: Ctrl-C ends the program without a summary here");
    }
    stop
}

/// Progress: a bar on a terminal, a plain line per item otherwise.
pub(super) struct Shown {
    bar: ProgressBar,
    plain: bool,
}

impl Shown {
    pub(super) fn new(total: u64) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = if plain {
            let bar = ProgressBar::hidden();
            bar.set_length(total);
            bar
        } else {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}");
            let bar = ProgressBar::new(total);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        };
        Self { bar, plain }
    }

    /// What is being done; shown on a terminal only.
    pub(super) fn doing(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// One item is done.
    pub(super) fn done(&self, what: &str) {
        self.bar.inc(1);
        if self.plain {
            let total = self.bar.length().unwrap_or_default();
            eprintln!("{}/{total} {what}", self.bar.position());
        }
    }

    /// So many items come in.
    pub(super) fn more(&self, items: u64) {
        self.bar.inc_length(items);
    }

    /// A line that stays.
    pub(super) fn note(&self, line: &str) {
        if self.plain {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Lets something be printed while the bar is away.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(argument: Option<&str>, variables: &[(&str, &str)]) -> anyhow::Result<Shard> {
        Shard::from(argument, |name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn shards_come_from_the_argument_then_slurm_then_kubernetes() {
        let of = |index, count| Shard { index, count };
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "5"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
            ("SLURM_ARRAY_TASK_COUNT", "8"),
        ];
        assert_eq!(shard(Some("2/4"), &slurm).unwrap(), of(2, 4));
        assert_eq!(shard(None, &slurm).unwrap(), of(4, 8)); // tasks 1 to 8: the fifth is number 4
        let job = [("JOB_COMPLETION_INDEX", "3"), ("JOB_COMPLETIONS", "10")];
        assert_eq!(shard(None, &job).unwrap(), of(3, 10));
        assert_eq!(shard(None, &[]).unwrap(), of(0, 1));
        assert!(shard(Some("4/4"), &[]).is_err() && shard(Some("x"), &[]).is_err());
    }

    #[test]
    fn the_shards_of_a_batch_hold_each_case_once() {
        for case in 0..20 {
            let holders = (0..3).filter(|&index| Shard { index, count: 3 }.holds(case));
            assert_eq!(holders.count(), 1);
        }
    }
}
