//! Carries out exports on a thread of its own: draws, writes, reads again and compares. The window is told how far it
//! is and may cancel between two pictures.

use std::fs;
use std::io::BufWriter;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::compare::beside;
use super::export::file_stem;
use super::files;
use super::lab::noise_view;
use super::settings::write_atomically;
use crate::data::Target;
use crate::data::export;
use crate::engine::Desk;
use crate::engine::JobId;
use crate::engine::Steps;
use crate::engine::Worker;
use crate::metrics::sheet_of_cases;
use crate::metrics::sheet_of_steps;
use crate::page::Clips;
use crate::page::Drive;
use crate::page::Files;
use crate::page::INDEX;
use crate::page::Map;
use crate::page::Page;
use crate::render::CASE_FPS;
use crate::render::Cell;
use crate::render::Film;
use crate::render::Look;
use crate::render::Moment;
use crate::render::Studio;
use crate::render::Style;
use crate::render::evenly;
use crate::scene::NewFile;
use crate::scene::Scene;
use crate::scene::cases_from_json;
use crate::scene::cases_to_json;
use crate::scene::scene_to_json;

/// The steps at these positions as pictures, seen at one scene time.
pub fn step_moments(steps: &Steps, positions: &[usize], time_s: f64) -> Vec<Moment> {
    let last = steps.count().saturating_sub(1);
    let moment = |step: &usize| Moment {
        scene: steps.scene(*step),
        time_s,
        noise: Some(Arc::new(noise_view(&steps.log, *step))),
        paths: Arc::default(),
        beside: None,
        caption: format!("step {step} of {last}"),
    };
    positions.iter().map(moment).collect()
}

/// What pictures are made of.
#[derive(Debug, Clone)]
pub(super) enum Reel {
    /// Given moments.
    Moments(Vec<Moment>),
    /// Denoising steps seen at a scene time: so many of them evenly spread, or all.
    Denoise(Steps, Option<usize>, f64),
    /// All denoising steps, then the given moments.
    Both(Steps, f64, Vec<Moment>),
}

impl Reel {
    fn moments(&self) -> Vec<Moment> {
        let all = |steps: &Steps| (0..steps.count()).collect::<Vec<usize>>();
        match self {
            Self::Moments(moments) => moments.clone(),
            Self::Denoise(steps, count, time_s) => {
                let total = steps.count();
                let positions = evenly(total, count.unwrap_or(total));
                step_moments(steps, &positions, *time_s)
            }
            Self::Both(steps, time_s, then) => {
                let mut moments = step_moments(steps, &all(steps), *time_s);
                moments.extend(then.iter().cloned());
                moments
            }
        }
    }
}

/// A part of a picture or clip, before its steps are worked out.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// How it looks.
    pub look: Look,
    /// What it shows.
    pub reel: Reel,
    /// Another scene drawn as ghosts, and whether lines join it with this one.
    pub beside: Option<(Arc<Scene>, bool)>,
    /// Stands before each caption.
    pub title: String,
}

impl Part {
    fn moments(&self) -> Vec<Moment> {
        let mut moments = self.reel.moments();
        if let Some((other, apart)) = &self.beside {
            moments = beside(other, *apart, moments);
        }
        let titled = moments.into_iter();
        titled.map(|moment| moment.titled(&self.title)).collect()
    }
}

/// A picture or clip, before its steps are worked out.
#[derive(Debug, Clone)]
pub(super) struct Show {
    /// What stands beside each other.
    pub parts: Vec<Part>,
    /// Parts in a row.
    pub columns: usize,
    /// As in [`Film::wipe`].
    pub wipe: Option<f64>,
}

impl Show {
    /// One part alone.
    pub(super) fn of(look: Look, reel: Reel) -> Self {
        let part = Part {
            look,
            reel,
            beside: None,
            title: String::new(),
        };
        Self {
            parts: vec![part],
            columns: 1,
            wipe: None,
        }
    }

    /// The parts beside each other, frame by frame.
    fn film(&self) -> Film {
        let cell = |part: &Part| Cell {
            look: part.look.clone(),
            reel: part.moments(),
        };
        Film {
            cells: self.parts.iter().map(cell).collect(),
            columns: self.columns,
            wipe: self.wipe,
        }
    }
}

/// What is to be made.
#[derive(Debug, Clone)]
pub(super) enum Order {
    /// What follows a cancelled order.
    Nothing,
    /// Scenes as JSON, each read again and compared.
    Cases {
        /// Where each goes.
        cases: Vec<(Arc<Scene>, PathBuf)>,
        /// The steps of the only case, one scene each, in a folder beside it.
        steps: Option<Steps>,
        /// The planner's modes, in a file beside the only case.
        modes: Option<String>,
    },
    /// Scenes in another program's format, each read again and compared.
    Foreign {
        /// Where each goes.
        cases: Vec<(Arc<Scene>, PathBuf)>,
        /// The format.
        format: Target,
    },
    /// Scenes in one file, read again and compared.
    Bundle {
        /// Names and scenes.
        cases: Vec<(String, Arc<Scene>)>,
        /// The file.
        path: PathBuf,
    },
    /// A picture: the first frame of a show.
    Picture {
        /// What it shows.
        show: Show,
        /// All moments of its only part side by side instead.
        strip: bool,
        /// The PNG.
        path: PathBuf,
    },
    /// A clip.
    Clip {
        /// What it shows.
        show: Show,
        /// Frames per second.
        fps: f64,
        /// The GIF, or the folder for numbered pictures.
        path: PathBuf,
        /// Numbered pictures instead of a GIF.
        frames: bool,
    },
    /// Metrics, one row per case.
    CaseTable {
        /// Names and scenes.
        cases: Vec<(String, Arc<Scene>)>,
        /// The CSV.
        path: PathBuf,
    },
    /// A folder with a page of cases for a browser.
    Report {
        /// What the page is called.
        title: String,
        /// Colours of the clips.
        style: &'static str,
        /// How planners drove, if they did.
        drove: String,
        /// What it tells of.
        cases: Vec<Case>,
        /// Maps of the sweep that made them, each of the gates or of a planner.
        maps: Vec<(Map, Option<String>)>,
        /// The folder.
        path: PathBuf,
    },
    /// Metrics, one row per denoising step.
    StepTable {
        /// The steps.
        steps: Steps,
        /// The CSV.
        path: PathBuf,
    },
    /// Whether what would be written is there already, and how large scenes are as JSON.
    Weigh {
        /// The scenes; none where nothing is to be weighed.
        scenes: Vec<Arc<Scene>>,
        /// What would be written.
        path: PathBuf,
    },
    /// How large a clip will be: its first frames are made and the rest is taken to be like them.
    Estimate {
        /// What it shows.
        show: Show,
        /// Frames per second.
        fps: f64,
        /// Numbered pictures instead of a GIF.
        frames: bool,
        /// What would be written.
        path: PathBuf,
    },
}

/// A case of a page.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// Its name.
    pub name: String,
    /// The scene.
    pub scene: Arc<Scene>,
    /// What planners came to in it.
    pub drives: Vec<Drive>,
}

/// What the window is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// So many pictures of so many.
    Progress(usize, usize),
    /// Bytes and frames of the clip.
    Estimate(u64, usize),
    /// Whether what would be written is there already.
    There(bool),
    /// Done, in a sentence.
    Done(String),
    /// Cancelled; what was finished, in a sentence.
    Cancelled(String),
    /// Not done, in a sentence.
    Failed(String),
}

/// The window's end of the export thread.
pub(super) struct Exporter {
    worker: Option<Worker<Order, Told>>,
    /// The running order, without estimates.
    pub running: Option<(usize, usize)>,
    estimating: bool,
    current: Option<JobId>,
    /// What follows a cancelled order.
    end: Option<JobId>,
}

impl Exporter {
    /// Starts the thread; `wake` asks the window for a frame.
    pub(super) fn start(wake: Box<dyn Fn() + Send>) -> Self {
        let mut studio = None;
        let work = move |order: Order, desk: &Desk<'_, Order, Told>| {
            let told = match carry_out(order, &mut studio, desk) {
                Ok(told) => told,
                Err(message) => {
                    // its graphics device may be lost; the next order starts with another
                    studio = None;
                    Told::Failed(message)
                }
            };
            desk.report(told);
        };
        let failed = |message| Told::Failed(format!("a defect stopped the export ({message})"));
        Self {
            worker: Worker::start("export", wake, work, failed).ok(),
            running: None,
            estimating: false,
            current: None,
            end: None,
        }
    }

    /// Hands in an order; a running one is cancelled.
    pub(super) fn submit(&mut self, order: Order) {
        let Some(worker) = &mut self.worker else {
            return;
        };
        self.estimating = matches!(order, Order::Estimate { .. } | Order::Weigh { .. });
        self.running = (!self.estimating).then_some((0, 0));
        (self.current, self.end) = (Some(worker.submit(order)), None);
    }

    /// Stops the running order at its next picture; one that had not begun is told as cancelled too.
    pub(super) fn cancel(&mut self) {
        if let Some(worker) = &mut self.worker {
            self.end = Some(worker.submit(Order::Nothing));
        }
    }

    /// What the thread says next; never waits.
    pub(super) fn poll(&mut self) -> Option<Told> {
        let (job, told) = self.worker.as_ref()?.poll()?;
        if self.current.is_none() || (Some(job) != self.current && Some(job) != self.end) {
            return self.poll();
        }
        match &told {
            Told::Progress(done, total) => {
                if self.running.is_some() {
                    self.running = Some((*done, *total));
                }
            }
            Told::Estimate(..) | Told::There(_) => {}
            Told::Failed(_) if self.estimating => return self.poll(),
            _ => (self.running, self.current, self.end) = (None, None, None),
        }
        Some(told)
    }
}

fn carry_out(
    order: Order,
    studio: &mut Option<Studio>,
    desk: &Desk<'_, Order, Told>,
) -> Result<Told, String> {
    match order {
        Order::Nothing => Ok(Told::Cancelled("Nothing was written.".to_owned())),
        Order::Cases {
            cases,
            steps,
            modes,
        } => write_cases(&cases, steps.as_ref(), modes.as_deref(), desk),
        Order::Foreign { cases, format } => write_foreign(&cases, format, desk),
        Order::Bundle { cases, path } => write_bundle(&cases, &path),
        Order::Picture { show, strip, path } => {
            let film = match show.parts.as_slice() {
                [part] if strip => Film::strip(&part.look, part.moments(), usize::MAX),
                _ => show.film(),
            };
            write_picture(opened(studio)?, &film, &path, desk)
        }
        Order::Clip {
            show,
            fps,
            path,
            frames,
        } => {
            let (studio, film) = (opened(studio)?, show.film());
            match frames {
                true => write_frames(studio, &film, fps, &path, desk),
                false => write_gif(studio, &film, fps, &path, (desk, [0, 1])),
            }
        }
        Order::CaseTable { cases, path } => {
            let rows = cases.iter().map(|(name, scene)| (name.as_str(), &**scene));
            write_table(&sheet_of_cases(rows), &path)
        }
        Order::Report {
            title,
            style,
            drove,
            cases,
            maps,
            path,
        } => {
            let style = Style::named(style).unwrap_or_default();
            write_report(
                opened(studio)?,
                (&title, &drove, style),
                (&cases, &maps),
                &path,
                desk,
            )
        }
        Order::StepTable { steps, path } => {
            let rows = (0..steps.count())
                .map(|step| (step, steps.log.mean_level(step), steps.scene(step)));
            write_table(&sheet_of_steps(rows), &path)
        }
        Order::Weigh { scenes, path } => {
            desk.report(Told::There(is_there(&path)));
            let bytes: usize = scenes.iter().map(|scene| scene_to_json(scene).len()).sum();
            Ok(Told::Estimate(bytes as u64, scenes.len()))
        }
        Order::Estimate {
            show,
            fps,
            frames,
            path,
        } => {
            desk.report(Told::There(is_there(&path)));
            estimate(opened(studio)?, show.film(), fps, frames, desk)
        }
    }
}

fn opened(studio: &mut Option<Studio>) -> Result<&mut Studio, String> {
    if studio.is_none() {
        *studio = Some(Studio::new().map_err(words)?);
    }
    studio
        .as_mut()
        .ok_or_else(|| "no graphics device".to_owned())
}

fn write_cases(
    cases: &[(Arc<Scene>, PathBuf)],
    steps: Option<&Steps>,
    modes: Option<&str>,
    desk: &Desk<'_, Order, Told>,
) -> Result<Told, String> {
    let mut bytes = 0;
    let mut done = 0;
    for (scene, path) in cases {
        if !desk.wanted() {
            return Ok(Told::Cancelled(format!("{done} cases were written.")));
        }
        desk.report(Told::Progress(done, cases.len()));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
        }
        bytes += files::save(scene, path)?;
        done += 1;
    }
    let mut beside = String::new();
    if let (Some(steps), [(_, path)]) = (steps, cases) {
        let folder = path.with_extension("steps");
        fs::create_dir_all(&folder).map_err(|error| at(&folder, &error))?;
        let count = steps.count();
        for step in 0..count {
            if !desk.wanted() {
                return Ok(Told::Cancelled(format!(
                    "The case and {step} steps were written."
                )));
            }
            desk.report(Told::Progress(step, count));
            bytes += files::save(&steps.scene(step), &folder.join(format!("{step:04}.json")))?;
        }
        beside = format!(", {count} denoising steps in {}", folder.display());
    }
    if let (Some(text), [(_, path)]) = (modes, cases) {
        let path = path.with_extension("plan.json");
        write_atomically(&path, text.as_bytes()).map_err(|error| at(&path, &error))?;
        beside.push_str(&format!(", the planner's modes in {}", path.display()));
    }
    let size = kilobytes(bytes);
    Ok(Told::Done(match cases {
        [(_, path)] => format!("Written and checked: {} ({size}{beside})", path.display()),
        _ => {
            let folder = cases.first().and_then(|(_, path)| path.parent());
            let folder = folder.unwrap_or(Path::new(".")).display();
            format!("{done} cases written and checked: {folder} ({size})")
        }
    }))
}

/// Most remarks on what a format could not hold that are shown.
const MAX_REMARKS: usize = 3;

fn write_foreign(
    cases: &[(Arc<Scene>, PathBuf)],
    format: Target,
    desk: &Desk<'_, Order, Told>,
) -> Result<Told, String> {
    let mut files = Vec::new();
    let mut remarks: Vec<String> = Vec::new();
    for (done, (scene, path)) in cases.iter().enumerate() {
        if !desk.wanted() {
            return Ok(Told::Cancelled(format!("{done} cases were written.")));
        }
        desk.report(Told::Progress(done, cases.len()));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
        }
        let exported = export(scene, path, format).map_err(words)?;
        for line in exported.report.lines() {
            if !remarks.contains(&line) {
                remarks.push(line);
            }
        }
        files.extend(exported.files);
    }
    let what = match (files.as_slice(), cases) {
        (files, [_]) => {
            let names: Vec<String> = files
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            names.join(" and ")
        }
        _ => {
            let folder = cases.first().and_then(|(_, path)| path.parent());
            let folder = folder.unwrap_or(Path::new(".")).display();
            format!("{} cases in {folder}", cases.len())
        }
    };
    let more = remarks.len().saturating_sub(MAX_REMARKS);
    remarks.truncate(MAX_REMARKS);
    if more > 0 {
        remarks.push(format!(
            "and {more} more, which `nearmiss convert` lists on the command line"
        ));
    }
    let remarks: String = remarks.iter().map(|line| format!("\n{line}")).collect();
    Ok(Told::Done(format!("Written and checked: {what}{remarks}")))
}

fn write_bundle(cases: &[(String, Arc<Scene>)], path: &Path) -> Result<Told, String> {
    let text = cases_to_json(cases);
    write_atomically(path, text.as_bytes()).map_err(|error| at(path, &error))?;
    let bytes = fs::read(path).map_err(|error| at(path, &error))?;
    let shown = path.display().to_string();
    let again = cases_from_json(&bytes, &shown)
        .map_err(|error| format!("written, but not readable: {error}"))?;
    let same = again.len() == cases.len()
        && again
            .iter()
            .zip(cases)
            .all(|((_, read), (_, scene))| read.hash() == scene.hash());
    if !same {
        return Err(format!(
            "{shown}: written, but reading it again gives other scenes. Save to another place and report this"
        ));
    }
    let (count, size) = (cases.len(), kilobytes(bytes.len() as u64));
    Ok(Told::Done(format!(
        "Written and checked: {shown} ({count} cases, {size})"
    )))
}

fn write_picture(
    studio: &mut Studio,
    film: &Film,
    path: &Path,
    desk: &Desk<'_, Order, Told>,
) -> Result<Told, String> {
    let mut pictures = Vec::new();
    for place in 0..film.cells.len() {
        if !desk.wanted() {
            return Ok(Told::Cancelled("Nothing was written.".to_owned()));
        }
        desk.report(Told::Progress(place, film.cells.len()));
        pictures.push(studio.cell(film, place, 0).map_err(words)?);
    }
    let picture = film.arranged(&pictures);
    let bytes = picture.to_png().map_err(words)?;
    write_atomically(path, &bytes).map_err(|error| at(path, &error))?;
    let (width, height) = (picture.width, picture.height);
    let (shown, size) = (path.display(), kilobytes(bytes.len() as u64));
    Ok(Told::Done(format!(
        "Written: {shown} ({width} by {height} pixels, {size})"
    )))
}

/// Writes a clip: one of `all`, with so many `before` it.
fn write_gif(
    studio: &mut Studio,
    film: &Film,
    fps: f64,
    path: &Path,
    (desk, [before, all]): (&Desk<'_, Order, Told>, [usize; 2]),
) -> Result<Told, String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    let draft = NewFile::beside(path).map_err(|error| at(path, &error))?;
    let count = film.frames();
    let mut goes_on = |done: usize| {
        desk.report(Told::Progress(before * count + done, all * count));
        desk.wanted()
    };
    let writer = BufWriter::new(draft.file());
    let done = studio
        .write_gif(film, fps, writer, &mut goes_on)
        .map_err(words)?;
    if done < count {
        // what is written so far goes with the draft
        return Ok(Told::Cancelled("Nothing was written.".to_owned()));
    }
    draft.publish().map_err(|error| at(path, &error))?;
    let size = fs::metadata(path).map_or(0, |facts| facts.len());
    let (shown, size) = (path.display(), kilobytes(size));
    Ok(Told::Done(format!(
        "Written: {shown} ({count} frames, {size})"
    )))
}

fn write_report(
    studio: &mut Studio,
    (title, drove, style): (&str, &str, Style),
    (cases, maps): (&[Case], &[(Map, Option<String>)]),
    folder: &Path,
    desk: &Desk<'_, Order, Told>,
) -> Result<Told, String> {
    let mut planners: Vec<String> = Vec::new();
    for drive in cases.iter().flat_map(|case| &case.drives) {
        if !planners.contains(&drive.planner) {
            planners.push(drive.planner.clone());
        }
    }
    let mut page = Page::new(title, &planners, drove);
    let mut told = 0;
    for case in cases {
        let files = Files::of(told, &file_stem(&case.name));
        let film = Film::of_case(&case.scene, style.clone());
        let clip = folder.join(&files.clip);
        let of_all = (desk, [told, cases.len()]);
        if let Told::Cancelled(_) = write_gif(studio, &film, CASE_FPS, &clip, of_all)? {
            break;
        }
        files::save(&case.scene, &folder.join(&files.case))?;
        let clips = Clips {
            case: true,
            drives: false,
        };
        page.add((&case.name, &case.scene), &files, &case.drives, clips);
        told += 1;
    }
    if told == 0 {
        return Ok(Told::Cancelled("Nothing was written.".to_owned()));
    }
    for (map, planner) in maps {
        page.map(map, planner.as_deref());
    }
    let index = folder.join(INDEX);
    write_atomically(&index, page.html().as_bytes()).map_err(|error| at(&index, &error))?;
    let (shown, all) = (index.display(), cases.len());
    Ok(match told == all {
        true if all == 1 => Told::Done(format!("Written: {shown} (1 case)")),
        true => Told::Done(format!("Written: {shown} ({all} cases)")),
        false => Told::Cancelled(format!("{shown} tells of {told} of {all} cases.")),
    })
}

fn write_frames(
    studio: &mut Studio,
    film: &Film,
    fps: f64,
    folder: &Path,
    desk: &Desk<'_, Order, Told>,
) -> Result<Told, String> {
    fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    let count = film.frames();
    for done in 0..count {
        desk.report(Told::Progress(done, count));
        if !desk.wanted() {
            let shown = folder.display();
            return Ok(Told::Cancelled(format!(
                "{done} of {count} frames are in {shown}."
            )));
        }
        let bytes = studio
            .frame(film, done)
            .map_err(words)?
            .to_png()
            .map_err(words)?;
        let path = frame_file(folder, done + 1);
        fs::write(&path, bytes).map_err(|error| at(&path, &error))?;
    }
    remove_later_frames(folder, count);
    let shown = folder.display();
    Ok(Told::Done(format!(
        "Written: {count} frames for {fps} per second in {shown}"
    )))
}

/// The file of a clip's numbered picture, from 1.
pub fn frame_file(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("frame-{number:04}.png"))
}

/// Removes the pictures that follow the last of a clip in its folder: of a longer one before, which this one replaces.
pub fn remove_later_frames(folder: &Path, last: usize) {
    let mut later = (last + 1..).map(|number| frame_file(folder, number));
    while later
        .next()
        .is_some_and(|file| fs::remove_file(file).is_ok())
    {}
}

fn write_table(text: &str, path: &Path) -> Result<Told, String> {
    write_atomically(path, text.as_bytes()).map_err(|error| at(path, &error))?;
    let rows = text.lines().count().saturating_sub(1);
    let rows = match rows {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    Ok(Told::Done(format!("Written: {} ({rows})", path.display())))
}

/// Whether writing a file, or into a folder, would replace something.
fn is_there(path: &Path) -> bool {
    match path.is_dir() {
        true => fs::read_dir(path).is_ok_and(|mut files| files.next().is_some()),
        false => path.exists(),
    }
}

/// Frames made for an estimate.
const TRIED: usize = 5;

fn estimate(
    studio: &mut Studio,
    mut film: Film,
    fps: f64,
    frames: bool,
    desk: &Desk<'_, Order, Told>,
) -> Result<Told, String> {
    let count = film.frames();
    let from = count / 3;
    for cell in &mut film.cells {
        let last = cell.reel.len().saturating_sub(1);
        let tried = from.min(last)..(from + TRIED).min(cell.reel.len());
        cell.reel = cell.reel.drain(tried).collect();
    }
    let tried = film.frames();
    let bytes = if frames {
        let mut bytes = 0;
        for at in 0..tried {
            if !desk.wanted() {
                return Ok(Told::Estimate(0, count));
            }
            let picture = studio.frame(&film, at).map_err(words)?;
            bytes += picture.to_png().map_err(words)?.len();
        }
        bytes * count / tried.max(1)
    } else {
        // the first frame is whole, later ones hold what changed
        let size = |film: &Film, studio: &mut Studio| {
            let mut bytes = Vec::new();
            let mut goes_on = |_: usize| desk.wanted();
            studio
                .write_gif(film, fps, &mut bytes, &mut goes_on)
                .map_err(words)
                .map(|_| bytes.len())
        };
        let all = size(&film, studio)?;
        for cell in &mut film.cells {
            cell.reel.truncate(1);
        }
        let first = size(&film, studio)?;
        let later = tried.saturating_sub(1).max(1);
        first + all.saturating_sub(first) * count.saturating_sub(1) / later
    };
    Ok(Told::Estimate(bytes as u64, count))
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// A number of bytes in words.
pub(super) fn kilobytes(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} kB", bytes.div_ceil(1024)),
        _ => format!("{:.1} MB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_kilobytes_and_megabytes() {
        assert_eq!(kilobytes(1), "1 kB");
        assert_eq!(kilobytes(3 * 1_048_576 / 2), "1.5 MB");
    }
}
