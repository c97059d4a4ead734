//! `nearmiss report`: a folder with a page of cases for a browser, their clips, and the cases themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::batch::{Existing, Shown, make_folder, scenes, stop_on_ctrl_c};
use super::drive::{drive_scene, worlds};
use super::planning::{Crew, decoders};
use super::render::{write_drives, write_whole_clip};
use super::usage::ensure_usage;
use super::weights;
use crate::data;
use crate::engine::DriveWorld;
use crate::model::Network;
use crate::page::{Drive, Files, INDEX, Page, drove};
use crate::planner::{Decoder, DriveSettings, Driven, PlanSettings};
use crate::render::{CASE_FPS, Film, Studio, Style};
use crate::scene::{Scene, write_scene, write_whole};

/// Arguments of `nearmiss report`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Cases and other scenes, files or folders, in any readable format.
    #[arg(required = true)]
    cases: Vec<PathBuf>,
    /// The folder for the page, index.html, with the clips and cases it shows; made if missing.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// What the page is called; the folder's name if not given.
    #[arg(long)]
    title: Option<String>,
    /// Planners that drive each case, comma separated: what came of it is told and shown.
    #[arg(long, value_parser = decoders(), value_delimiter = ',', value_name = "DECODER")]
    planners: Vec<Decoder>,
    /// Clips of those drives, too: the planners beside each other, with the plans they follow.
    #[arg(long)]
    film: bool,
    /// Colours of the clips.
    #[arg(long, default_value = "dark", value_parser = ["dark", "light", "print"])]
    style: String,
    /// A planner of your own for decoder own, a command as of `nearmiss plan`.
    #[arg(long, value_name = "COMMAND")]
    own: Option<String>,
    /// Who moves everyone else while planners drive, as of `nearmiss drive`.
    #[arg(long, value_parser = worlds(), default_value = DriveWorld::default().key(), value_name = "WORLD")]
    world: DriveWorld,
    /// At most so many seconds of each drive.
    #[arg(long, default_value_t = DriveSettings::default().seconds)]
    seconds: f64,
    #[command(flatten)]
    existing: Existing,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let asks_own = arguments.planners.contains(&Decoder::Own);
    ensure_usage!(
        arguments.own.is_some() == asks_own,
        "--own COMMAND and --planners own go together"
    );
    let mut named = arguments.planners.iter().enumerate();
    let twice = named.find(|(at, planner)| arguments.planners[..*at].contains(planner));
    ensure_usage!(
        twice.is_none(),
        "--planners {}: it drives already",
        twice.map_or("", |(_, planner)| planner.key())
    );
    ensure_usage!(
        !arguments.film || !arguments.planners.is_empty(),
        "--film shows drives: say who drives, --planners idm"
    );
    ensure_usage!(
        (0.1..=600.0).contains(&arguments.seconds),
        "--seconds {}: a drive lasts between 0.1 and 600 s",
        arguments.seconds
    );
    let mut entries = scenes(&arguments.cases)?;
    // what an earlier report put into the folder is no case of this one
    let before = entries.len();
    let inside = std::fs::canonicalize(&arguments.out).ok();
    let is_inside = |file: &Path| {
        let file = std::fs::canonicalize(file).ok();
        let both = inside.as_ref().zip(file);
        both.is_some_and(|(folder, file)| file.starts_with(folder))
    };
    let named = arguments
        .cases
        .iter()
        .find(|path| path.is_file() && is_inside(path));
    ensure_usage!(
        named.is_none(),
        "{} lies in {}, where the report goes: name another folder",
        named.map_or(String::new(), |path| path.display().to_string()),
        arguments.out.display()
    );
    entries.retain(|entry| !is_inside(&entry.file));
    if entries.len() < before {
        let count = before - entries.len();
        let out = arguments.out.display();
        eprintln!("{count} cases are left out: they lie in {out}, where the report goes");
    }
    anyhow::ensure!(!entries.is_empty(), "no case is left to tell of");
    let files: Vec<Files> = entries
        .iter()
        .enumerate()
        .map(|(number, entry)| Files::of(number, &data::file_name(&entry.name)))
        .collect();
    let written = files.iter().flat_map(|files| {
        let drives = Some(&files.drives).filter(|_| arguments.film);
        [&files.case, &files.clip].into_iter().chain(drives)
    });
    let written = written.map(|name| arguments.out.join(name));
    let index = arguments.out.join(INDEX);
    arguments.existing.allows(written.chain([index.clone()]))?;
    let crew = match arguments.planners.is_empty() {
        true => None,
        false => Some(Crew::new(arguments.own.as_deref())?),
    };
    let generator = match (&crew, arguments.world) {
        (Some(_), DriveWorld::Generator) => Some(weights::network(0)?),
        _ => None,
    };
    let studio = Studio::new()?;
    make_folder(&arguments.out)?;
    let folder = std::fs::canonicalize(&arguments.out)?;
    let folder = folder.file_name().unwrap_or_default().to_string_lossy();
    let title = arguments.title.as_deref();
    let title = title
        .filter(|title| !title.trim().is_empty())
        .unwrap_or(&folder);
    let drove = match arguments.planners.is_empty() {
        true => String::new(),
        false => drove(arguments.world.about(), arguments.seconds),
    };
    let labels = arguments.planners.iter().map(|planner| planner.label());
    let labels: Vec<String> = labels.map(str::to_owned).collect();
    let stop = stop_on_ctrl_c();
    let shown = Shown::new(entries.len() as u64);
    let mut job = Job {
        arguments,
        crew,
        generator,
        studio,
        page: Page::new(title, &labels, &drove),
        stop: &stop,
        shown: &shown,
    };
    let mut told = 0;
    for (entry, files) in entries.iter().zip(&files) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match job.tell(entry, files) {
            Ok(true) => told += 1,
            Ok(false) => break,
            Err(error) => {
                shown.note(&format!("left out: {}: {error:#}", entry.name));
                job.page.leave_out(&entry.name, &format!("{error:#}"));
            }
        }
        shown.done(&entry.name);
    }
    shown.finish();
    anyhow::ensure!(
        told > 0 || !stop.load(Ordering::Relaxed),
        "stopped by Ctrl-C before a case was finished"
    );
    anyhow::ensure!(told > 0, "no case could be told of");
    write_whole(&index, job.page.html().as_bytes())?;
    let kept = files
        .iter()
        .flat_map(|files| [&files.case, &files.clip, &files.drives]);
    let stale = strangers(&arguments.out, &kept.collect::<Vec<_>>());
    if stale > 0 {
        eprintln!(
            "{stale} files of an earlier report stay in the folder; the page does not show them"
        );
    }
    println!("{}: {told} of {} cases", index.display(), entries.len());
    anyhow::ensure!(
        !stop.load(Ordering::Relaxed),
        "stopped by Ctrl-C; the page tells of what was finished"
    );
    let left_out = entries.len() - told;
    anyhow::ensure!(
        left_out == 0,
        "{left_out} of {} cases could not be told of",
        entries.len()
    );
    Ok(())
}

/// How many files lie in a report's folder that are named as its own are, and are none of `own`.
fn strangers(folder: &Path, own: &[&String]) -> usize {
    let is_ours = |name: &str| {
        let numbered = name.split_once('-').is_some_and(|(number, _)| {
            number.len() == 3 && number.chars().all(|letter| letter.is_ascii_digit())
        });
        numbered && (name.ends_with(".json") || name.ends_with(".gif"))
    };
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let names = names.filter(|name| is_ours(name) && !own.contains(&name));
    names.count()
}

struct Job<'a> {
    arguments: &'a Arguments,
    crew: Option<Crew>,
    generator: Option<Network>,
    studio: Studio,
    page: Page,
    stop: &'a AtomicBool,
    shown: &'a Shown,
}

impl Job<'_> {
    /// Adds a case to the page, with its files; false if that was stopped.
    fn tell(&mut self, entry: &data::Entry, files: &Files) -> anyhow::Result<bool> {
        let scene = Arc::new(data::open(&entry.file, entry.pick.as_deref())?.scene);
        let (drives, filmed) = self.drives(entry, &scene);
        let stopped = || self.stop.load(Ordering::Relaxed);
        if stopped() {
            return Ok(false);
        }
        let folder = &self.arguments.out;
        self.shown.doing(&format!("{}: clip", entry.name));
        let style = Style::named(&self.arguments.style).unwrap_or_default();
        let clip = folder.join(&files.clip);
        let film = Film::of_case(&scene, style);
        write_whole_clip(&mut self.studio, &film, CASE_FPS, &clip, self.stop)?;
        let films = self.arguments.film && !filmed.is_empty();
        if films {
            let path = folder.join(&files.drives);
            let filmed = (filmed, &*self.arguments.style);
            write_drives(&mut self.studio, filmed, &path, self.stop)?;
        }
        if stopped() {
            return Ok(false);
        }
        write_scene(&scene, &folder.join(&files.case))?;
        let name = match scene.name.trim().is_empty() {
            true => &entry.name,
            false => &scene.name,
        };
        self.page.add((name, &scene), files, &drives, films);
        Ok(true)
    }

    /// What planners make of a case, and what is filmed of that.
    fn drives(&self, entry: &data::Entry, scene: &Scene) -> (Vec<Drive>, Vec<(String, Driven)>) {
        let (mut drives, mut filmed) = (Vec::new(), Vec::new());
        let Some(crew) = &self.crew else {
            return (drives, filmed);
        };
        for &decoder in &self.arguments.planners {
            let label = decoder.label();
            self.shown.doing(&format!("{}: {label} drives", entry.name));
            let settings = DriveSettings {
                plan: PlanSettings {
                    decoder,
                    ..PlanSettings::default()
                },
                seconds: self.arguments.seconds,
                ..DriveSettings::default()
            };
            let world = (self.arguments.world, self.generator.as_ref());
            let driven = drive_scene(scene.clone(), crew.planners(), &settings, world, self.stop);
            let came = match driven {
                Ok(Some(driven)) => {
                    let report = driven.report.clone();
                    filmed.push((label.to_owned(), driven));
                    Ok(report)
                }
                Ok(None) => break,
                Err(error) => Err(format!("{error:#}")),
            };
            drives.push(Drive {
                planner: label.to_owned(),
                came,
            });
        }
        (drives, filmed)
    }
}
