//! `nearmiss report`: a folder with a page of cases for a browser, their clips, and the cases themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::batch::{Existing, Shown, make_folder, scenes, stem_of, stop_on_ctrl_c};
use super::drivers::{Drivers, Team, apart};
use super::render::{write_drives, write_whole_clip};
use super::usage::ensure_usage;
use crate::data;
use crate::page::{Clips, Files, INDEX, Page};
use crate::render::{CASE_FPS, Film, Studio, Style};
use crate::scene::{write_scene, write_whole};

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
    #[command(flatten)]
    drivers: Drivers,
    /// Clips of those drives, too: the planners beside each other, with the plans they follow.
    #[arg(long)]
    film: bool,
    /// Colours of the clips.
    #[arg(long, default_value = "dark", value_parser = ["dark", "light", "print"])]
    style: String,
    #[command(flatten)]
    existing: Existing,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let drivers = &arguments.drivers;
    drivers.fit()?;
    ensure_usage!(
        !arguments.film || !drivers.planners().is_empty(),
        "--film shows drives: say who drives, --planners idm"
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
    let team = drivers.team()?;
    let studio = Studio::new()?;
    make_folder(&arguments.out)?;
    let folder = std::fs::canonicalize(&arguments.out)?;
    let folder = folder.file_name().unwrap_or_default().to_string_lossy();
    let title = arguments.title.as_deref();
    let title = title
        .filter(|title| !title.trim().is_empty())
        .unwrap_or(&folder);
    let stop = stop_on_ctrl_c();
    let shown = Shown::new(entries.len() as u64);
    let mut job = Job {
        arguments,
        team,
        studio,
        page: Page::new(title, &drivers.labels(), &drivers.drove()),
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
    team: Option<Team<'a>>,
    studio: Studio,
    page: Page,
    stop: &'a AtomicBool,
    shown: &'a Shown,
}

impl Job<'_> {
    /// Adds a case to the page, with its files; false if that was stopped.
    fn tell(&mut self, entry: &data::Entry, files: &Files) -> anyhow::Result<bool> {
        let scene = Arc::new(data::open(&entry.file, entry.pick.as_deref())?.scene);
        let team = self.team.as_ref();
        let file = stem_of(&entry.file, entry.pick.as_deref());
        let drives = team.map(|team| {
            let case = (&*entry.name, &*scene);
            team.drive(case, file.as_deref(), self.stop, self.shown)
        });
        let (drives, filmed) = apart(drives.unwrap_or_default());
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
        let clips = Clips {
            case: true,
            drives: films,
        };
        self.page.add((name, &scene), files, &drives, clips);
        Ok(true)
    }
}
