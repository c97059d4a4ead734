//! `nearmiss tensors`: scenes of any readable format as shards of windows, the input of the training recipe.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use rayon::prelude::*;
use serde_json::json;

use super::batch::{Shown, make_folder, scenes, stop_on_ctrl_c};
use super::recording::{Origin, recordings};
use super::usage::ensure_usage;
use crate::codec::{Options, Window};
use crate::corpus::{
    Candidate, Choice, Egos, Example, LeftOut, Place, Shard, Size, candidates, rebuild_bodies,
    resample_attacker,
};
use crate::data;
use crate::rng::{Purpose, Seed};
use crate::scene::{Scene, in_words, write_whole};

/// Arguments of `nearmiss tensors`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Scene files of any readable format (SUMO's FCD output too), or folders of them.
    #[arg(required = true)]
    scenes: Vec<PathBuf>,
    /// Folder for the shards; made if missing.
    #[arg(long)]
    out: PathBuf,
    /// How many windows to draw, over all scenes, in proportion to their weight; the scenes are then read twice. Without
    /// it, each moment and ego of weight w (0 to 1) is taken with probability 1 - exp(-w).
    #[arg(long, value_name = "N")]
    windows: Option<usize>,
    /// At most so many windows of one scene.
    #[arg(long, value_name = "N", default_value_t = 500)]
    per_scene: usize,
    /// Seconds between the moments looked at.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    stride: f64,
    /// Seconds before the present for which the ego must be known (0 to 2).
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    history: f64,
    /// Seconds after the present for which the ego must be known (0.5 to 8).
    #[arg(long, value_name = "SECONDS", default_value_t = 8.0)]
    future: f64,
    /// Who may be the ego of a window.
    #[arg(long, value_enum, default_value_t = EgoChoice::Any)]
    ego: EgoChoice,
    /// Share of windows followed by a copy in which a neighbour is resampled so that it meets the ego, where the gates
    /// allow one.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    attack_share: f64,
    /// Share of the recordings kept for validation, with all that was made of them: shards then go to the subfolders train
    /// and valid, and valid.txt names the files.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    valid_share: f64,
    /// Agent slots of a window.
    #[arg(long, value_name = "A", default_value_t = 20)]
    agents: usize,
    /// Lane slots of a window.
    #[arg(long, value_name = "L", default_value_t = 64)]
    lanes: usize,
    /// Windows in a shard.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    per_shard: usize,
    /// How the shard files are called: NAME-0000.safetensors and on.
    #[arg(long, default_value = "scenes")]
    name: String,
    /// Seed: the same scenes, options and seed give the same bytes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The list of the files kept for validation.
const VALID: &str = "valid.txt";

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum EgoChoice {
    /// Every vehicle, and seldom cyclists and pedestrians.
    Any,
    /// Only the agent a scene marks.
    Marked,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    check(arguments)?;
    let entries = scenes(&arguments.scenes)?;
    let begun = Instant::now();
    let stop = stop_on_ctrl_c();
    let cut = Cut {
        arguments,
        stop: &stop,
        most_key: match arguments.windows {
            Some(windows) => survey(arguments, &entries, windows, &stop)?,
            None => 1.0,
        },
    };
    let for_validation = validation_files(arguments, &entries)?;
    let mut total = Total::default();
    let mut writers = ["train", "valid"].map(|split| {
        let folder = if arguments.valid_share > 0.0 {
            arguments.out.join(split)
        } else {
            arguments.out.clone()
        };
        Writer::new(arguments, folder)
    });
    for writer in &writers {
        let first = writer.path();
        anyhow::ensure!(
            !first.exists(),
            "{} is there already: choose another --out or --name",
            first.display()
        );
    }
    let shown = Shown::new(entries.len() as u64);
    let numbered: Vec<(usize, &data::Entry)> = entries.iter().enumerate().collect();
    for batch in numbered.chunks(2 * rayon::current_num_threads()) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let parts: Vec<Part> = batch
            .par_iter()
            .map(|&(index, entry)| {
                let part = cut.part(index, entry);
                shown.done(&part.line(&entry.name));
                part
            })
            .collect();
        for (part, (_, entry)) in parts.into_iter().zip(batch) {
            let writer = &mut writers[usize::from(for_validation.contains(&entry.file))];
            total.add(&part);
            for (example, place) in part.examples {
                writer.push(&example, place)?;
            }
        }
    }
    let mut files = Vec::new();
    for writer in &mut writers {
        writer.flush()?;
        files.append(&mut writer.files);
        total.bytes += writer.bytes;
    }
    shown.finish();
    if !for_validation.is_empty() {
        let names = for_validation.iter().map(|file| file.display().to_string());
        total.valid = names.collect();
        let list = arguments.out.join(VALID);
        let text: String = total.valid.iter().map(|name| format!("{name}\n")).collect();
        write_whole(&list, text.as_bytes())
            .map_err(|error| anyhow::anyhow!("{}: {}", list.display(), in_words(&error)))?;
    }
    total.print(arguments, &files, begun.elapsed().as_secs_f64())?;
    anyhow::ensure!(
        !stop.load(Ordering::Relaxed),
        "stopped by Ctrl-C; what was finished is kept"
    );
    anyhow::ensure!(
        total.windows > 0,
        "no window could be cut: {}",
        total.reasons(arguments)
    );
    Ok(())
}

fn check(arguments: &Arguments) -> anyhow::Result<()> {
    let share = |name: &str, value: f64| -> anyhow::Result<()> {
        ensure_usage!(
            (0.0..=1.0).contains(&value),
            "--{name} {value}: a share lies between 0 and 1"
        );
        Ok(())
    };
    share("attack-share", arguments.attack_share)?;
    share("valid-share", arguments.valid_share)?;
    ensure_usage!(
        (0.05..=3600.0).contains(&arguments.stride),
        "--stride {}: it must lie between 0.05 and 3600 s",
        arguments.stride
    );
    ensure_usage!(
        (0.0..=2.0).contains(&arguments.history) && (0.5..=8.0).contains(&arguments.future),
        "--history must lie between 0 and 2 s, --future between 0.5 and 8 s"
    );
    ensure_usage!(
        (1..=256).contains(&arguments.agents)
            && (1..=512).contains(&arguments.lanes)
            && (1..=100_000).contains(&arguments.per_shard),
        "--agents must lie between 1 and 256, --lanes between 1 and 512, --per-shard between 1 and 100000"
    );
    let plain = |letter: char| letter.is_alphanumeric() || "._-".contains(letter);
    ensure_usage!(
        !arguments.name.is_empty() && arguments.name.chars().all(plain),
        "--name {:?}: letters, digits, dots, dashes and underscores only",
        arguments.name
    );
    Ok(())
}

/// The largest key of the `windows` windows drawn over all scenes.
///
/// A window of weight w has the key -ln(u) / w, u uniform; taking the smallest keys is drawing without replacement in
/// proportion to the weights (Efraimidis and Spirakis, Inf. Process. Lett. 97, 181, 2006).
fn survey(
    arguments: &Arguments,
    entries: &[data::Entry],
    windows: usize,
    stop: &AtomicBool,
) -> anyhow::Result<f64> {
    let shown = Shown::new(entries.len() as u64);
    let keys: Vec<Vec<f64>> = entries
        .par_iter()
        .enumerate()
        .map(|(index, entry)| {
            if stop.load(Ordering::Relaxed) {
                return Vec::new();
            }
            let keyed = scene_of(entry).map(|scene| keyed(arguments, index, &scene));
            shown.done(&format!("surveyed {}", entry.name));
            let keyed = keyed.unwrap_or_default(); // what cannot be opened is reported when it is cut
            keyed.into_iter().map(|(key, _)| key).collect()
        })
        .collect();
    shown.finish();
    anyhow::ensure!(!stop.load(Ordering::Relaxed), "stopped by Ctrl-C");
    let mut keys = keys.concat();
    keys.sort_by(f64::total_cmp);
    Ok(match windows.checked_sub(1) {
        Some(last) => keys.get(last).copied().unwrap_or(f64::INFINITY),
        None => 0.0,
    })
}

/// The scene of an entry, recorded agents only; vehicles of SUMO's FCD output get bodies that turn.
fn scene_of(entry: &data::Entry) -> Result<Scene, data::OpenError> {
    let mut opened = data::open(&entry.file, entry.pick.as_deref())?;
    if opened.format == data::Format::SumoFcd {
        rebuild_bodies(&mut opened.scene);
    }
    Ok(opened.scene.recorded())
}

/// The candidates of scene number `index`, smallest keys first, at most `--per-scene`.
fn keyed(arguments: &Arguments, index: usize, scene: &Scene) -> Vec<(f64, Candidate)> {
    let choice = Choice {
        stride_s: arguments.stride,
        history_s: arguments.history,
        future_s: arguments.future,
        egos: match arguments.ego {
            EgoChoice::Any => Egos::Any,
            EgoChoice::Marked => Egos::Marked,
        },
    };
    let mut draw = Seed(arguments.seed).substream(Purpose::Corpus, 2 * index as u64);
    let mut keyed: Vec<(f64, Candidate)> = candidates(scene, &choice)
        .into_iter()
        .map(|candidate| (-(1.0 - draw.unit()).ln() / candidate.weight, candidate))
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    keyed.truncate(arguments.per_scene);
    keyed
}

/// The files whose scenes go to the validation split: of the share of recordings asked for, at least one, never all.
///
/// # Errors
/// If there is but one recording, which cannot be in both.
fn validation_files<'a>(
    arguments: &Arguments,
    entries: &'a [data::Entry],
) -> anyhow::Result<BTreeSet<&'a PathBuf>> {
    let files: BTreeSet<&PathBuf> = entries.iter().map(|entry| &entry.file).collect();
    if arguments.valid_share <= 0.0 {
        return Ok(BTreeSet::new());
    }
    let first = first_files(entries);
    let recordings: BTreeSet<&PathBuf> = first.values().copied().collect();
    anyhow::ensure!(
        recordings.len() > 1,
        "--valid-share {} wants several recordings, as scenes of one file, and what was made of one scene, are of one place and \
         time: give more, or 0 and other files for validation",
        arguments.valid_share
    );
    let wanted = (arguments.valid_share * recordings.len() as f64).round() as usize;
    let mut draw = Seed(arguments.seed).substream(Purpose::Corpus, u64::MAX);
    let drawn = recordings.iter().map(|&file| (draw.bits(), file));
    let mut drawn: Vec<(u64, &PathBuf)> = drawn.collect();
    drawn.sort();
    drawn.truncate(wanted.clamp(1, recordings.len() - 1));
    let drawn: BTreeSet<&PathBuf> = drawn.into_iter().map(|(_, file)| file).collect();
    let valid = files.into_iter().filter(|file| drawn.contains(first[file]));
    Ok(valid.collect())
}

/// For each file the first one that holds something of the same recording.
fn first_files(entries: &[data::Entry]) -> BTreeMap<&PathBuf, &PathBuf> {
    let origin = |entry: &data::Entry| {
        let scene = data::open(&entry.file, entry.pick.as_deref()).map(|opened| opened.scene);
        Origin::of(&scene.unwrap_or_default()) // what cannot be opened is reported when it is cut
    };
    let origins: Vec<Origin> = entries.par_iter().map(origin).collect();
    let of = recordings(&origins).into_iter();
    let pairs: Vec<(&PathBuf, &PathBuf)> = (entries.iter().zip(of))
        .map(|(entry, first)| (&entry.file, &entries[first].file))
        .collect();
    let mut first: BTreeMap<&PathBuf, &PathBuf> =
        pairs.iter().map(|(file, _)| (*file, *file)).collect();
    // a file may hold scenes of several recordings, and a recording lie in several files
    loop {
        let mut settled = true;
        for (one, other) in &pairs {
            let least = first[one].min(first[other]);
            for file in [one, other] {
                settled &= first[file] == least;
                first.insert(file, least);
            }
        }
        if settled {
            return first;
        }
    }
}

struct Cut<'a> {
    arguments: &'a Arguments,
    stop: &'a AtomicBool,
    most_key: f64,
}

/// What one scene gave.
#[derive(Default)]
struct Part {
    examples: Vec<(Example, Place)>,
    candidates: usize,
    attacked: usize,
    left_out: BTreeMap<LeftOut, usize>,
    error: Option<String>,
}

impl Part {
    fn line(&self, name: &str) -> String {
        match &self.error {
            Some(error) => format!("{name}: {error}"),
            None => format!("{name}: {} windows", self.examples.len()),
        }
    }
}

impl Cut<'_> {
    fn part(&self, index: usize, entry: &data::Entry) -> Part {
        let mut part = Part::default();
        let mut scene = match scene_of(entry) {
            Ok(scene) => scene,
            Err(error) => {
                part.error = Some(error.to_string());
                return part;
            }
        };
        let mut chosen = keyed(self.arguments, index, &scene);
        part.candidates = chosen.len();
        chosen.retain(|(key, _)| *key <= self.most_key);
        chosen.sort_by_key(|(_, candidate)| (candidate.frame, candidate.agent));
        // what a window does not need would be copied for each
        scene.log.clear();
        scene.edits.clear();
        scene.attacks.clear();
        scene.goals.clear();
        scene.generated = None;
        let arguments = self.arguments;
        let mut draw = Seed(arguments.seed).substream(Purpose::Corpus, 2 * index as u64 + 1);
        for (_, candidate) in chosen {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            scene.now = candidate.frame;
            let ego = scene.agents[candidate.agent].id.clone();
            scene.set_ego(&ego);
            let place = |attacked: bool| Place {
                scene: entry.name.clone(),
                ego: ego.clone(),
                present_s: scene.now_s(),
                attacked,
            };
            let wants_attack = draw.chance(arguments.attack_share);
            match self.example(&scene) {
                Ok(example) => part.examples.push((example, place(false))),
                Err(reason) => {
                    *part.left_out.entry(reason).or_default() += 1;
                    continue;
                }
            }
            if wants_attack
                && let Some(attacked) = resample_attacker(&scene, &mut draw)
                && let Ok(example) = self.example_to_the_contact(&attacked.scene)
            {
                part.examples.push((example, place(true)));
                part.attacked += 1;
            }
        }
        part
    }

    fn window(&self, scene: &Scene) -> Window {
        let options = Options {
            max_agents: self.arguments.agents,
            whole_future: false,
            ..Options::default()
        };
        Window::new(scene, &options)
    }

    fn size(&self) -> Size {
        Size {
            agents: self.arguments.agents,
            lanes: self.arguments.lanes,
        }
    }

    fn example(&self, scene: &Scene) -> Result<Example, LeftOut> {
        Example::of(&self.window(scene), self.size())
    }

    fn example_to_the_contact(&self, scene: &Scene) -> Result<Example, LeftOut> {
        let window = self.window(scene);
        let attacker = scene
            .attacks
            .first()
            .and_then(|attack| window.row_of(&attack.attacker));
        Example::with_contact(&window, self.size(), attacker)
    }
}

/// Collects windows and writes a shard whenever one is full.
struct Writer<'a> {
    arguments: &'a Arguments,
    folder: PathBuf,
    shard: Shard,
    files: Vec<PathBuf>,
    bytes: u64,
}

impl<'a> Writer<'a> {
    fn new(arguments: &'a Arguments, folder: PathBuf) -> Self {
        Self {
            shard: Shard::new(size_of(arguments)),
            arguments,
            folder,
            files: Vec::new(),
            bytes: 0,
        }
    }

    fn push(&mut self, example: &Example, place: Place) -> anyhow::Result<()> {
        self.shard.push(example, place);
        if self.shard.len() >= self.arguments.per_shard {
            self.flush()?;
        }
        Ok(())
    }

    /// The shard that is written next.
    fn path(&self) -> PathBuf {
        let number = self.files.len();
        let name = format!("{}-{number:04}.safetensors", self.arguments.name);
        self.folder.join(name)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if self.shard.is_empty() {
            return Ok(());
        }
        let path = self.path();
        let about = [
            ("program", format!("nearmiss {}", env!("CARGO_PKG_VERSION"))),
            ("seed", self.arguments.seed.to_string()),
        ];
        let bytes = self.shard.to_bytes(&about);
        write(&path, &bytes).with_context(|| format!("could not write {}", path.display()))?;
        self.bytes += bytes.len() as u64;
        self.files.push(path);
        self.shard = Shard::new(size_of(self.arguments));
        Ok(())
    }
}

fn size_of(arguments: &Arguments) -> Size {
    Size {
        agents: arguments.agents,
        lanes: arguments.lanes,
    }
}

/// Writes a new file atomically; one that is there is not replaced.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    make_folder(folder)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the user's mask, as any file
    let mut part = builder.tempfile_in(folder)?;
    part.write_all(bytes)?;
    part.persist_noclobber(path)?;
    Ok(())
}

#[derive(Default)]
struct Total {
    windows: usize,
    attacked: usize,
    candidates: usize,
    kinds: [usize; 3],
    left_out: BTreeMap<LeftOut, usize>,
    refused: Vec<String>,
    bytes: u64,
    /// The files kept for validation.
    valid: Vec<String>,
}

impl Total {
    fn add(&mut self, part: &Part) {
        self.windows += part.examples.len();
        self.attacked += part.attacked;
        self.candidates += part.candidates;
        for (example, _) in &part.examples {
            for (kind, count) in (1..).zip(&mut self.kinds) {
                *count += example.count(kind);
            }
        }
        for (&reason, count) in &part.left_out {
            *self.left_out.entry(reason).or_default() += count;
        }
        self.refused.extend(part.error.clone());
    }

    fn reasons(&self, arguments: &Arguments) -> String {
        if self.candidates == 0 && self.refused.is_empty() {
            return format!(
                "no ego is known for {} s before and {} s after any moment; lower --history or --future",
                arguments.history, arguments.future
            );
        }
        let mut reasons: Vec<String> = self
            .left_out
            .iter()
            .map(|(reason, count)| format!("{count} windows {reason}"))
            .collect();
        if !self.refused.is_empty() {
            let count = self.refused.len();
            reasons.push(format!(
                "{count} scenes could not be opened, e.g. {}",
                self.refused[0]
            ));
        }
        reasons.join(", ")
    }

    fn print(&self, arguments: &Arguments, files: &[PathBuf], took_s: f64) -> anyhow::Result<()> {
        let [vehicles, pedestrians, cyclists] = self.kinds;
        let per_hour = self.windows as f64 / took_s.max(1e-3) * 3600.0;
        let per_window = self.bytes as f64 / self.windows.max(1) as f64;
        if arguments.json {
            let shards: Vec<String> = files
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            let left_out: BTreeMap<String, usize> = self
                .left_out
                .iter()
                .map(|(reason, count)| (reason.to_string(), *count))
                .collect();
            let report = json!({
                "shards": shards,
                "windows": self.windows,
                "attacked": self.attacked,
                "agents": {"vehicle": vehicles, "pedestrian": pedestrians, "cyclist": cyclists},
                "left_out": left_out,
                "refused": self.refused,
                "valid": self.valid,
                "windows_per_hour": per_hour.round(),
                "bytes_per_window": per_window.round(),
            });
            println!("{}", serde_json::to_string_pretty(&report)?);
            return Ok(());
        }
        println!(
            "{} windows ({} attacked) in {} shards in {}",
            self.windows,
            self.attacked,
            files.len(),
            arguments.out.display()
        );
        if !self.valid.is_empty() {
            let list = arguments.out.join(VALID);
            let count = self.valid.len();
            println!("valid    {count} files, named in {}", list.display());
        }
        println!("agents   {vehicles} vehicles, {pedestrians} pedestrians, {cyclists} cyclists");
        println!("rate     {per_hour:.0} windows an hour, {per_window:.0} bytes a window");
        if !(self.left_out.is_empty() && self.refused.is_empty()) {
            println!("left out {}", self.reasons(arguments));
        }
        Ok(())
    }
}
