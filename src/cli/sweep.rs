//! `nearmiss sweep`: one scene with numbers swept, looked at more closely where what comes of it turns: a folder with the
//! cases, a table, and a page with maps.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::batch::{Existing, Shown, make_folder, stop_on_ctrl_c};
use super::drivers::{Drivers, Team, apart};
use super::keys;
use super::making::{Making, Wish, essence};
use super::moments::begin_at;
use super::planning::decoders;
use super::render::{write_drives, write_whole_clip};
use super::usage::{bail_usage, ensure_usage};
use super::weights;
use crate::data;
use crate::diffusion::Prepare;
use crate::generator::{Known, Origin, Progress, Sweep, draft, run_recipe};
use crate::model::Network;
use crate::page::{Clips, Drive, Files, INDEX, Page};
use crate::planner::Decoder;
use crate::render::{CASE_FPS, Film, Studio, Style};
use crate::scene::{Recipe, Scene, Task, read_scene, write_scene, write_whole};
use told::Told;

mod told;

/// The table in a sweep's folder.
const TABLE: &str = "sweep.csv";

/// At most so many letters of a case's file say what is swept.
const LONGEST_WORDS: usize = 120;

/// Arguments of `nearmiss sweep`.
#[derive(clap::Args)]
#[command(after_long_help = keys::SWEEP)]
pub(super) struct Arguments {
    /// A scene, in any readable format.
    scene: PathBuf,
    /// Which scene of a file or folder that holds several.
    #[arg(long, value_name = "NAME")]
    pick: Option<String>,
    /// Begin at this moment, seconds from the scene's start, instead of at its present.
    #[arg(long, value_name = "SECONDS")]
    time: Option<f64>,
    /// Folder for the page (index.html), the table (sweep.csv) and the cases; made if missing.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten)]
    making: Making,
    /// So often values come in halfway between neighbours that came to something else, and what lies there is made.
    #[arg(long, value_name = "ROUNDS", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=12))]
    refine: u8,
    #[command(flatten)]
    drivers: Drivers,
    /// Of the planners, those whose drives are looked at where they turn; all of them if absent, the gates if nobody drives.
    #[arg(long, value_parser = decoders(), value_delimiter = ',', value_name = "DECODER")]
    by: Vec<Decoder>,
    /// Clips of each case and of its drives, on the page.
    #[arg(long)]
    film: bool,
    #[command(flatten)]
    existing: Existing,
    /// Take the cases that an earlier run of the same sweep has left in the folder, as after an interruption.
    #[arg(long, conflicts_with = "replace")]
    resume: bool,
    /// One JSON object per combination on standard output.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let drivers = &arguments.drivers;
    drivers.fit()?;
    let planners = drivers.planners();
    if let Some(by) = arguments.by.iter().find(|by| !planners.contains(by)) {
        bail_usage!("--by {}: it does not drive (--planners)", by.key());
    }
    let mut wish = arguments.making.read(false)?;
    ensure_usage!(
        !wish.sweep.axes.is_empty(),
        "nothing is swept: say what, such as --sweep speed:ego=5:15:6"
    );
    let opened = data::open(&arguments.scene, arguments.pick.as_deref())?;
    let task = wish.task(0);
    let scene = match arguments.time {
        Some(time_s) => begin_at(&opened.scene, time_s)?,
        None => opened.scene,
    };
    let base = wish.base(scene, task, 0)?;
    if let Some(unused) = wish.unused(task, &base) {
        eprintln!("the {unused} it holds is not used: say --task {unused} if it shall be");
    }
    let axes = std::mem::take(&mut wish.sweep.axes).into_iter();
    wish.sweep.axes = axes.map(|axis| axis.in_scene(&base)).collect();
    let folder = &arguments.out;
    let count = wish.sweep.count();
    if !arguments.resume {
        let cases = (0..count).map(|number| folder.join(file_of(&wish.sweep, number)));
        let files = [folder.join(INDEX), folder.join(TABLE)];
        arguments.existing.allows(files.into_iter().chain(cases))?;
    }
    let network = weights::network(0)?;
    let team = drivers.team()?;
    let studio = arguments.film.then(Studio::new).transpose()?;
    make_folder(folder)?;
    let stop = stop_on_ctrl_c();
    let shown = Shown::new(count as u64);
    let mut job = Job {
        arguments,
        task,
        base,
        network,
        team,
        studio,
        stop: &stop,
        shown: &shown,
        cells: vec![Cell::Waiting; count],
        wish,
    };
    let mut rounds = 0;
    let ended = loop {
        job.make_all()?;
        if stop.load(Ordering::Relaxed) || rounds == arguments.refine {
            break None;
        }
        if let Err(error) = job.refine() {
            break Some(error);
        }
        rounds += 1;
    };
    shown.finish();
    if let Some(error) = ended {
        eprintln!("refined {rounds} times: {error}");
    }
    let made = job
        .cells
        .iter()
        .filter(|cell| cell.made().is_some())
        .count();
    anyhow::ensure!(
        made > 0 || !stop.load(Ordering::Relaxed),
        "stopped by Ctrl-C before a case was made"
    );
    anyhow::ensure!(made > 0, "no case could be made");
    let told = job.told();
    write_whole(&folder.join(TABLE), told.table().as_bytes())?;
    let index = folder.join(INDEX);
    write_whole(&index, job.page(&told).html().as_bytes())?;
    if !arguments.json {
        print!("{}", told.text());
    }
    let all = job.cells.iter();
    let all = all.filter(|cell| !matches!(cell, Cell::Left)).count();
    eprintln!("{made} of {all} cases made; {}", index.display());
    let (driven, failed) = job.drives();
    if failed > 0 {
        eprintln!("{failed} of {driven} drives failed; the table says why");
    }
    anyhow::ensure!(
        !stop.load(Ordering::Relaxed),
        "stopped by Ctrl-C; what was finished is kept, and --resume goes on"
    );
    anyhow::ensure!(driven == 0 || failed < driven, "no planner could drive");
    Ok(())
}

/// The file of a combination: its values in words, which stay the same when others come in between.
fn file_of(sweep: &Sweep, number: usize) -> String {
    let words = data::file_name(&sweep.file_words(number));
    if words.chars().count() <= LONGEST_WORDS {
        return format!("{words}.json");
    }
    let start: String = words.chars().take(LONGEST_WORDS).collect();
    let values: Vec<String> = sweep
        .position(number)
        .iter()
        .zip(&sweep.axes)
        .map(|(at, axis)| format!("{}", axis.values[*at]))
        .collect();
    format!("{start}_{}.json", data::file_name(&values.join("_")))
}

/// What came of one combination of values.
#[derive(Debug, Clone)]
enum Cell {
    /// It has not been made.
    Waiting,
    /// A refinement left it out.
    Left,
    /// It cannot be made, with a sentence.
    No(String),
    /// It was made.
    Made(Arc<Made>),
}

impl Cell {
    fn made(&self) -> Option<&Made> {
        match self {
            Self::Made(made) => Some(made),
            Self::Waiting | Self::Left | Self::No(_) => None,
        }
    }
}

/// A case, and what planners made of it.
#[derive(Debug)]
struct Made {
    scene: Scene,
    files: Files,
    drives: Vec<Drive>,
    clips: Clips,
}

struct Job<'a> {
    arguments: &'a Arguments,
    wish: Wish<'a>,
    task: Task,
    base: Scene,
    network: Network,
    team: Option<Team<'a>>,
    studio: Option<Studio>,
    stop: &'a AtomicBool,
    shown: &'a Shown,
    cells: Vec<Cell>,
}

impl Job<'_> {
    /// Makes every combination that waits, one after the other, until it is stopped.
    ///
    /// # Errors
    /// If files cannot be written.
    fn make_all(&mut self) -> anyhow::Result<()> {
        for number in 0..self.cells.len() {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if !matches!(self.cells[number], Cell::Waiting) {
                continue;
            }
            let Some(cell) = self.cell(number)? else {
                return Ok(());
            };
            let name = self.wish.sweep.name(number);
            let word = match &cell {
                Cell::Made(made) => made.words(),
                Cell::No(why) => why.clone(),
                Cell::Waiting | Cell::Left => String::new(),
            };
            if self.arguments.json {
                println!("{}", self.line(number, &cell));
            }
            self.shown.done(&format!("{name}: {word}"));
            self.cells[number] = cell;
        }
        Ok(())
    }

    /// Makes one combination and lets the planners drive it if it is valid; `None` if that was stopped.
    fn cell(&mut self, number: usize) -> anyhow::Result<Option<Cell>> {
        let name = self.wish.sweep.name(number);
        self.shown.doing(&name);
        let scene = match self.scene(number) {
            Ok(Some(scene)) => scene,
            Ok(None) => return Ok(None),
            Err(Trouble::CannotBe(error)) => return Ok(Some(Cell::No(format!("{error:#}")))),
            Err(Trouble::File(error)) => return Err(error),
        };
        let stem = file_of(&self.wish.sweep, number);
        let stem = stem.trim_end_matches(".json");
        let team = self.team.as_ref().filter(|_| scene.is_valid());
        let drives = team.map(|team| {
            let case = (&*name, &scene);
            team.drive(case, Some(stem), self.stop, self.shown)
        });
        let (drives, filmed) = apart(drives.unwrap_or_default());
        let files = Files::named(stem);
        let folder = &self.arguments.out;
        let clips = Clips {
            case: self.studio.is_some(),
            drives: self.studio.is_some() && !filmed.is_empty(),
        };
        if let Some(studio) = self
            .studio
            .as_mut()
            .filter(|_| !self.stop.load(Ordering::Relaxed))
        {
            self.shown.doing(&format!("{name}: clips"));
            let film = Film::of_case(&Arc::new(scene.clone()), Style::default());
            write_whole_clip(
                studio,
                &film,
                CASE_FPS,
                &folder.join(&files.clip),
                self.stop,
            )?;
            if clips.drives {
                let path = folder.join(&files.drives);
                write_drives(studio, (filmed, "dark"), &path, self.stop)?;
            }
        }
        let stopped = self.stop.load(Ordering::Relaxed);
        let made = Made {
            scene,
            files,
            drives,
            clips,
        };
        Ok((!stopped).then(|| Cell::Made(Arc::new(made))))
    }

    /// The case of a combination, written or found; `None` if it was stopped.
    fn scene(&self, number: usize) -> Result<Option<Scene>, Trouble> {
        let cannot = |error: anyhow::Error| Trouble::CannotBe(error);
        let sweep = &self.wish.sweep;
        let scene = sweep
            .scene(&self.base, number)
            .map_err(|error| cannot(error.into()))?;
        let settings = self.wish.settings(&self.base, (self.task, number), 0);
        let network = &self.network as &dyn Prepare;
        let recipe = draft(&scene, &settings, network.identity());
        let recipe = recipe.map_err(|error| cannot(error.into()))?;
        let file = self.arguments.out.join(file_of(sweep, number));
        if file.exists() && !self.arguments.existing.replaces() {
            let found = found(&file, &scene, &recipe).map_err(Trouble::File)?;
            return Ok(Some(found));
        }
        let mut goes_on = |_: &Progress<'_>| match self.stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let made = run_recipe(&scene, recipe, network, &mut goes_on);
        let made = made.map_err(|error| cannot(error.into()))?;
        let complete = made.generated.as_ref().is_some_and(|made| made.complete);
        if !complete {
            return Ok(None);
        }
        let written = write_scene(&made, &file);
        written.map_err(|error| Trouble::File(error.into()))?;
        Ok(Some(made))
    }

    /// How many drives there were, and how many of them failed.
    fn drives(&self) -> (usize, usize) {
        let made = self.cells.iter().filter_map(Cell::made);
        let drives: Vec<&Drive> = made.flat_map(|made| &made.drives).collect();
        let failed = drives.iter().filter(|drive| drive.came.is_err()).count();
        (drives.len(), failed)
    }

    /// Puts values between neighbours that came to something else.
    fn refine(&mut self) -> anyhow::Result<()> {
        let refined = self.wish.sweep.refined(&self.base, &self.known())?;
        let cells = refined.origins.iter().map(|origin| match origin {
            Origin::Had(number) => self.cells[*number].clone(),
            Origin::Wanted => Cell::Waiting,
            Origin::Left => Cell::Left,
        });
        self.cells = cells.collect();
        self.wish.sweep = refined.sweep;
        let waiting = self
            .cells
            .iter()
            .filter(|cell| matches!(cell, Cell::Waiting));
        self.shown.more(waiting.count() as u64);
        Ok(())
    }

    /// What each combination came to: by the drives that are looked at, else by the gates. What cannot be driven differs
    /// from every drive; what a planner could not do is no result.
    fn known(&self) -> Vec<Known> {
        let by: Vec<&str> = self.arguments.by.iter().map(|by| by.label()).collect();
        let mut results: Vec<String> = Vec::new();
        let mut numbered = |result: String| {
            let at = results.iter().position(|known| *known == result);
            let at = at.unwrap_or_else(|| {
                results.push(result);
                results.len() - 1
            });
            Known::Result(u8::try_from(at).unwrap_or(u8::MAX))
        };
        let known = |cell: &Cell| match cell {
            Cell::Waiting => Known::Nothing,
            Cell::Left => Known::Left,
            Cell::No(_) => numbered("no".to_owned()),
            Cell::Made(made) if !made.scene.is_valid() => numbered(match self.team {
                Some(_) => "no".to_owned(), // as nobody can be given it
                None => "fails".to_owned(),
            }),
            Cell::Made(made) => {
                let drives = made.drives.iter();
                let drives = drives.filter(|drive| by.is_empty() || by.contains(&&*drive.planner));
                let words: Option<Vec<&str>> = drives
                    .map(|drive| {
                        drive
                            .came
                            .as_ref()
                            .ok()
                            .map(|report| report.outcome().words().0)
                    })
                    .collect();
                words.map_or(Known::Nothing, |words| {
                    numbered(format!("valid {}", words.join(",")))
                })
            }
        };
        self.cells.iter().map(known).collect()
    }

    fn told(&self) -> Told<'_> {
        let mut looks: Vec<Option<Decoder>> = vec![None];
        let planners = self.arguments.drivers.planners().into_iter();
        looks.extend(planners.map(Some));
        Told {
            sweep: &self.wish.sweep,
            cells: &self.cells,
            looks,
        }
    }

    /// The page: a map for each look, then every case.
    fn page(&self, told: &Told<'_>) -> Page {
        let drivers = &self.arguments.drivers;
        let title = match self.base.name.is_empty() {
            true => "Sweep".to_owned(),
            false => format!("{}, swept", self.base.name),
        };
        let mut page = Page::new(&title, &drivers.labels(), &drivers.drove());
        for made in self.cells.iter().filter_map(Cell::made) {
            let name = &made.scene.name;
            page.add((name, &made.scene), &made.files, &made.drives, made.clips);
        }
        for (at, look) in told.looks.iter().enumerate() {
            for map in told.maps(at) {
                page.map(&map, look.map(Decoder::label));
            }
        }
        page
    }

    fn line(&self, number: usize, cell: &Cell) -> Value {
        let mut line = json!({"swept": self.wish.sweep.values(number)});
        match cell {
            Cell::Made(made) => {
                line["file"] = self
                    .arguments
                    .out
                    .join(&made.files.case)
                    .display()
                    .to_string()
                    .into();
                line["valid"] = made.scene.is_valid().into();
                line["failed"] = made.scene.failed_gates().into();
                line["fault"] = json!(made.scene.generated.as_ref().map(|it| &it.fault));
                line["avoidability"] =
                    json!(made.scene.generated.as_ref().map(|it| &it.avoidability));
                line["drives"] = made.drives_json(&self.arguments.drivers.planners());
            }
            Cell::No(why) => line["error"] = why.as_str().into(),
            Cell::Waiting | Cell::Left => {}
        }
        line
    }
}

/// Why there is no case.
enum Trouble {
    /// The scene cannot have these values, or nothing can be made of it.
    CannotBe(anyhow::Error),
    /// Files.
    File(anyhow::Error),
}

/// The case of an earlier run.
///
/// # Errors
/// If it cannot be read, or was made of something else or otherwise.
fn found(file: &Path, scene: &Scene, recipe: &Recipe) -> anyhow::Result<Scene> {
    let found = read_scene(file).with_context(|| file.display().to_string())?;
    let made = found.generated.as_deref().filter(|made| made.complete);
    let same = made.is_some_and(|made| essence(&found, &made.recipe) == essence(scene, recipe));
    anyhow::ensure!(
        same,
        "{} is of another sweep, or was made otherwise; name another folder, or say --replace",
        file.display()
    );
    Ok(found)
}

impl Made {
    /// What it came to, in a few words.
    fn words(&self) -> String {
        let mut text = crate::page::gate_word(&self.scene);
        for Drive { planner, came } in &self.drives {
            let _infallible = match came {
                Ok(report) => write!(text, ", {planner} {}", report.outcome().words().0),
                Err(why) => write!(text, ", {planner} failed: {why}"),
            };
        }
        text
    }

    fn drives_json(&self, planners: &[Decoder]) -> Value {
        let drives = planners.iter().zip(&self.drives);
        let object = |(planner, drive): (&Decoder, &Drive)| {
            let came = match &drive.came {
                Err(why) => json!({"error": why}),
                Ok(report) => {
                    let (word, at_s) = report.outcome().words();
                    json!({
                        "outcome": word,
                        "at_s": at_s,
                        "with": report.touch().map(|touch| &touch.with),
                        "nuplan_score": report.score.as_ref().map(|score| score.total),
                    })
                }
            };
            (planner.key().to_owned(), came)
        };
        Value::Object(drives.map(object).collect())
    }
}
