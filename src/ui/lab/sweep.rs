//! A sweep as the window sees it: what is swept, and the scene that was made for each value. Its runs come whenever the
//! engine has nothing else to do.

use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::Lab;
use super::run::Aside;
use super::samples::show;
use super::samples::tell_kept;
use crate::engine::Job;
use crate::engine::Purpose;
use crate::generator::Axis;
use crate::generator::Known;
use crate::generator::MOST_POINTS;
use crate::generator::Origin;
use crate::generator::Parameter;
use crate::generator::RefineError;
use crate::generator::Settings;
use crate::generator::Sweep;
use crate::page::Map;
use crate::page::Spot;
use crate::page::gate_word;
use crate::planner::Decoder;
use crate::planner::DriveOutcome;
use crate::scene::Scene;
use crate::scene::file_word;
use crate::ui::action::Command;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::editor::Editor;
use crate::ui::export::command_file;
use crate::ui::export::quoted;
use crate::ui::panels::library::Place;
use crate::ui::trial;
use crate::ui::trial::Trial;

/// What the user asks of the sweep.
#[derive(Debug, Clone, PartialEq)]
pub enum SweepAction {
    /// What is swept along the rows (0) or columns (1); nothing if absent.
    Choose(usize, Option<Parameter>),
    /// First and last value of rows or columns, and how many there are.
    Range(usize, [f64; 2], usize),
    /// Makes the scenes.
    Start,
    /// Goes on with those that a stop left.
    GoOn,
    /// Puts values between neighbours that differ, and makes what lies there.
    Refine,
    /// Makes a combination that a refinement left out, with those that a stop left.
    Make(usize),
    /// Stops; what is finished stays.
    Stop,
    /// Shows what was made for one combination of values.
    Show(usize),
    /// Colours the sheet by what a planner's drives came to; by the gates if absent.
    By(Option<Decoder>),
    /// Puts what passes every gate into the tray.
    Keep,
    /// Copies the command line that makes the same.
    Copy,
    /// Closes the sheet; the runs go on.
    Close,
}

/// What is swept along one side of the sheet.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ui) struct Side {
    /// Which number.
    pub parameter: Parameter,
    /// First and last value.
    pub ends: [f64; 2],
    /// How many values.
    pub count: usize,
}

/// What came of one combination of values.
#[derive(Debug, Clone)]
pub(in crate::ui) enum Cell {
    /// It has not been made.
    Waiting,
    /// A refinement left it out: all around it came to the same.
    Left,
    /// It was made.
    Made(Arc<Scene>),
    /// It cannot be made, with a sentence.
    Failed(String),
}

/// The scenes of one sweep.
#[derive(Debug)]
pub(in crate::ui) struct Sheet {
    /// What was swept.
    pub sweep: Sweep,
    /// Combination by combination.
    pub cells: Vec<Cell>,
    base: Arc<Scene>,
    settings: Settings,
}

impl Sheet {
    /// The settings of a combination's run.
    fn settings_of(&self, number: usize) -> Settings {
        Settings {
            seed: self.sweep.seed(number).unwrap_or(self.settings.seed),
            ..self.settings.clone()
        }
    }

    /// The settings of all runs, apart from seeds that are swept.
    pub(in crate::ui) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The scene it is of, and the command that makes the same of it from `path`: a line for each set of values that go
    /// together, more than one where a refinement left some out.
    pub(in crate::ui) fn command_line(&self, path: &Path) -> (Arc<Scene>, String) {
        let start = super::command::line_of(path, &self.settings, "--samples 1");
        let lines = self.parts().into_iter().map(|axes| {
            let sweeps = axes.iter().map(|axis| {
                let text = quoted(&axis.to_text());
                format!(" --sweep {text}")
            });
            start.clone() + &sweeps.collect::<String>()
        });
        let lines: Vec<String> = lines.collect();
        (self.base.clone(), lines.join("\n"))
    }

    /// Axes whose combinations are, all together, those that are to be made: rows with the same columns are one part.
    fn parts(&self) -> Vec<Vec<Axis>> {
        let [rows, columns] = self.sweep.axes.as_slice() else {
            return vec![self.sweep.axes.clone()]; // one axis alone has nothing left out
        };
        let mut parts: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
        let across = columns.values.len().max(1);
        for (row, cells) in rows.values.iter().zip(self.cells.chunks(across)) {
            let made = columns.values.iter().zip(cells);
            let made = made.filter(|(_, cell)| !matches!(cell, Cell::Left));
            let made: Vec<f64> = made.map(|(value, _)| *value).collect();
            match parts.iter_mut().find(|(_, others)| *others == made) {
                Some((rows, _)) => rows.push(*row),
                None => parts.push((vec![*row], made)),
            }
        }
        let axis = |of: &Axis, values| Axis {
            parameter: of.parameter.clone(),
            values,
        };
        let parts = parts.into_iter().filter(|(_, made)| !made.is_empty());
        parts
            .map(|(of_rows, made)| vec![axis(rows, of_rows), axis(columns, made)])
            .collect()
    }

    /// Where what the command line reads is written.
    pub(in crate::ui) fn command_file(&self, folder: &Path) -> PathBuf {
        command_file(folder, &self.base)
    }

    /// Combinations that have been made or cannot be, of all that are to be made.
    pub(in crate::ui) fn progress(&self) -> (usize, usize) {
        let count = |is: fn(&Cell) -> bool| self.cells.iter().filter(|cell| is(cell)).count();
        let waiting = count(|cell| matches!(cell, Cell::Waiting));
        let all = count(|cell| !matches!(cell, Cell::Left));
        (all - waiting, all)
    }

    /// What each combination came to: by the gates, or by the drives of a planner of the trial, by position; of what it could
    /// not be given to drive that alone is known.
    pub(in crate::ui) fn known(&self, by: Option<(&trial::Sheet, usize)>) -> Vec<Known> {
        let known = |cell: &Cell| match (cell, by) {
            (Cell::Left, _) => Known::Left,
            (Cell::Waiting, _) => Known::Nothing,
            (Cell::Failed(_), None) => Known::Result(0),
            (Cell::Made(scene), None) => Known::Result(if scene.is_valid() { 2 } else { 1 }),
            (Cell::Failed(_), Some(_)) => Known::Result(0),
            (Cell::Made(scene), Some(_)) if !scene.is_valid() => Known::Result(0),
            (Cell::Made(scene), Some((tried, planner))) => {
                match tried.case_of(scene).map(|case| tried.cell(case, planner)) {
                    Some(trial::Cell::Driven(driven, _)) => {
                        Known::Result(match driven.report.outcome() {
                            DriveOutcome::Clear if driven.report.is_worthless() => 5,
                            DriveOutcome::Clear => 1,
                            DriveOutcome::Touched(_) => 2,
                            DriveOutcome::AtFault(_) => 3,
                            DriveOutcome::OffRoad(_) => 4,
                        })
                    }
                    _ => Known::Nothing,
                }
            }
        };
        self.cells.iter().map(known).collect()
    }

    /// Puts values between neighbours that differ; what lies there waits to be made.
    fn refine(&mut self, by: Option<(&trial::Sheet, usize)>) -> Result<(), RefineError> {
        let refined = self.sweep.refined(&self.base, &self.known(by))?;
        let origins = refined.origins.iter();
        let cells = origins.map(|origin| match origin {
            Origin::Had(number) => self.cells[*number].clone(),
            Origin::Wanted => Cell::Waiting,
            Origin::Left => Cell::Left,
        });
        self.cells = cells.collect();
        self.sweep = refined.sweep;
        Ok(())
    }

    /// What was made, with the values as its name.
    fn made(&self) -> impl Iterator<Item = (String, &Arc<Scene>)> {
        let made = self.cells.iter().enumerate();
        made.filter_map(|(number, cell)| match cell {
            Cell::Made(scene) => Some((self.sweep.name(number), scene)),
            Cell::Waiting | Cell::Left | Cell::Failed(_) => None,
        })
    }

    /// The scenes alone.
    pub(in crate::ui) fn scenes(&self) -> impl Iterator<Item = &Arc<Scene>> {
        self.cells.iter().filter_map(|cell| match cell {
            Cell::Made(scene) => Some(scene),
            Cell::Waiting | Cell::Left | Cell::Failed(_) => None,
        })
    }

    /// What was made and passes every gate.
    pub(in crate::ui) fn valid(&self) -> impl Iterator<Item = (String, &Arc<Scene>)> {
        self.made().filter(|(_, scene)| scene.is_valid())
    }

    /// Maps for a page of what passes every gate, in that order: of the gates, and of each planner that drove some of it.
    pub(in crate::ui) fn maps(&self, tried: Option<&trial::Sheet>) -> Vec<(Map, Option<String>)> {
        let tried = tried.filter(|tried| self.is_tried(tried));
        let planners = tried
            .map_or(&[][..], |tried| &tried.planners)
            .iter()
            .enumerate();
        let looks = planners.map(|(at, planner)| (tried.map(|tried| (tried, at)), planner.label()));
        let looks = [(None, "Gates")].into_iter().chain(looks);
        let map = |(by, title): (Option<(&trial::Sheet, usize)>, &str)| {
            let map = self.map(title, by)?;
            Some((map, by.map(|_| title.to_owned())))
        };
        looks.filter_map(map).collect()
    }

    fn map(&self, title: &str, by: Option<(&trial::Sheet, usize)>) -> Option<Map> {
        let rows = self.sweep.axes.first()?;
        let columns = self.sweep.axes.get(1);
        let results: Vec<_> = self.known(by).into_iter().map(Known::result).collect();
        let nearest = self.sweep.enclosed(&results);
        let mut cases = 0;
        let spot = |(cell, near): (&Cell, Option<usize>)| match cell {
            Cell::Waiting => Spot::Waiting,
            Cell::Left => Spot::Left(near),
            Cell::Failed(why) => Spot::Off {
                word: "no way".to_owned(),
                about: why.clone(),
            },
            Cell::Made(scene) if !scene.is_valid() => Spot::Off {
                word: gate_word(scene),
                about: scene.name.clone(),
            },
            Cell::Made(_) => {
                cases += 1;
                Spot::Case(cases - 1)
            }
        };
        Some(Map {
            title: title.to_owned(),
            sides: [rows.title(), columns.map_or(String::new(), Axis::title)],
            values: [
                rows.numbers(),
                columns.map_or(vec![String::new()], Axis::numbers),
            ],
            spots: self.cells.iter().zip(nearest).map(spot).collect(),
        })
    }

    /// Whether planners drive, or drove, in some of its scenes.
    pub(in crate::ui) fn is_tried(&self, trial: &trial::Sheet) -> bool {
        self.scenes().any(|scene| trial.case_of(scene).is_some())
    }

    /// As a table to be pasted: a line a combination, tabs between its columns, with what planners made of it where they
    /// drove.
    pub(in crate::ui) fn table(&self, tried: Option<&trial::Sheet>) -> String {
        let tried = tried.filter(|tried| self.is_tried(tried));
        let mut text = String::new();
        for axis in &self.sweep.axes {
            let unit = axis.parameter.quantity.unit();
            let _infallible = write!(text, "{} [{unit}]\t", axis.parameter);
        }
        text.push_str("valid\tfails\tfault\tavoidability");
        for planner in tried.iter().flat_map(|tried| &tried.planners) {
            let label = planner.label();
            let _infallible = write!(text, "\t{label}\t{label} after [s]\t{label} nuPlan score");
        }
        text.push('\n');
        let told = self.cells.iter().enumerate();
        for (number, cell) in told.filter(|(_, cell)| !matches!(cell, Cell::Left)) {
            let values = self.sweep.axes.iter().zip(self.sweep.position(number));
            for (axis, at) in values {
                let _infallible = write!(text, "{}\t", axis.values[at]);
            }
            let line = match cell {
                Cell::Waiting | Cell::Left => "\t\t\t".to_owned(),
                Cell::Failed(why) => format!("false\t{}\t\t", why.replace(['\t', '\n'], " ")),
                Cell::Made(scene) => {
                    let made = scene.generated.as_ref();
                    format!(
                        "{}\t{}\t{}\t{}",
                        scene.is_valid(),
                        scene.failed_gates().join(", "),
                        made.map_or(String::new(), |made| file_word(&made.fault)),
                        made.map_or(String::new(), |made| file_word(&made.avoidability))
                    )
                }
            };
            text.push_str(&line);
            for planner in 0..tried.map_or(0, |tried| tried.planners.len()) {
                let drive = match (cell, tried) {
                    (Cell::Made(scene), Some(tried)) => tried.told(scene, planner),
                    _ => "\t\t".to_owned(),
                };
                let _infallible = write!(text, "\t{drive}");
            }
            text.push('\n');
        }
        text
    }
}

/// Sheets of so many scenes that were left are kept.
const PAST: usize = 8;

/// What is swept, and what came of it.
#[derive(Debug, Default)]
pub(in crate::ui) struct Sweeping {
    /// Its sheet is on screen.
    pub open: bool,
    /// Rows and columns of the next sweep.
    pub sides: [Option<Side>; 2],
    /// The last sweep.
    pub sheet: Option<Sheet>,
    /// Sheets of scenes that were left, with their places, the last one last.
    past: Vec<(Place, Sheet)>,
    /// The planner by whose drives the sheet is coloured; by the gates if absent.
    pub by: Option<Decoder>,
    /// The next combination is made when the engine is free.
    runs: bool,
    /// What the sides hold was chosen by the user, not proposed.
    chosen: bool,
    /// What comes of it is driven by the planners of the trial as soon as it is made.
    drives: bool,
}

impl Sweeping {
    /// Whether scenes are being made.
    pub(in crate::ui) fn runs(&self) -> bool {
        self.runs
    }

    /// Stops; false if nothing was made.
    pub(in crate::ui) fn stop(&mut self) -> bool {
        std::mem::take(&mut self.runs)
    }

    /// The trial, if it is of the sweep's scenes.
    pub(in crate::ui) fn tried<'a>(&self, trial: &'a Trial) -> Option<&'a trial::Sheet> {
        let sheet = self.sheet.as_ref()?;
        trial.sheet.as_ref().filter(|tried| sheet.is_tried(tried))
    }

    /// The trial and the planner, by position, by whose drives the sheet is coloured.
    pub(in crate::ui) fn by_of<'a>(&self, trial: &'a Trial) -> Option<(&'a trial::Sheet, usize)> {
        let tried = self.tried(trial)?;
        let wanted = self.by?;
        let planner = tried.planners.iter().position(|it| *it == wanted)?;
        Some((tried, planner))
    }

    /// Takes what a refinement made, when all of it is there and the planners are to drive it.
    pub(in crate::ui) fn take_to_drive(&mut self) -> Option<Vec<(String, Arc<Scene>)>> {
        let is_made = !self.runs && !self.is_left();
        let drives = is_made && std::mem::take(&mut self.drives);
        drives.then(|| self.valid())
    }

    /// Whether a stop left combinations that have not been made.
    pub(in crate::ui) fn is_left(&self) -> bool {
        let left = |sheet: &Sheet| sheet.progress().0 < sheet.progress().1;
        !self.runs && self.sheet.as_ref().is_some_and(left)
    }

    /// How far it is, in words; `None` if nothing runs.
    pub(in crate::ui) fn text(&self) -> Option<String> {
        let (done, all) = self.sheet.as_ref().filter(|_| self.runs)?.progress();
        Some(format!("Sweeping, {done} of {all}. Esc stops"))
    }

    /// What the last sweep made that passes every gate.
    pub(in crate::ui) fn valid(&self) -> Vec<(String, Arc<Scene>)> {
        let sheet = self.sheet.iter();
        let valid = sheet.flat_map(|sheet| sheet.valid());
        valid.map(|(name, scene)| (name, scene.clone())).collect()
    }

    /// How many that are.
    pub(in crate::ui) fn count_valid(&self) -> usize {
        let scenes = self.sheet.iter().flat_map(Sheet::scenes);
        scenes.filter(|scene| scene.is_valid()).count()
    }

    /// How many scenes the sides ask for.
    pub(in crate::ui) fn count(&self) -> usize {
        let counts = self.sides.iter().flatten().map(|side| side.count);
        match self.sides.iter().all(Option::is_none) {
            true => 0,
            false => counts.product(),
        }
    }

    /// Forgets what belongs to another scene. The sheet of the place that is left is there again when somebody comes back.
    pub(super) fn reset(&mut self, left: Option<Place>, came: &Place) {
        let mut past = std::mem::take(&mut self.past);
        if let (Some(left), Some(sheet)) = (left, self.sheet.take()) {
            past.retain(|(place, _)| *place != left);
            past.push((left, sheet));
            if past.len() > PAST {
                past.remove(0);
            }
        }
        let back = past.iter().position(|(place, _)| place == came);
        *self = Self {
            sheet: back.map(|at| past.remove(at).1),
            past,
            ..Self::default()
        };
    }

    /// Chooses what is swept on a side; its values are the usual ones.
    fn choose(&mut self, side: usize, parameter: Option<Parameter>, scene: &Scene) {
        let with_values = |parameter: Parameter| {
            let (ends, count) = parameter.usual(scene).ok()?;
            Some(Side {
                parameter,
                ends,
                count,
            })
        };
        if let Some(slot) = self.sides.get_mut(side) {
            *slot = parameter.and_then(with_values);
        }
    }

    fn ended(&mut self, number: usize, cell: Cell, editor: &mut Editor) {
        let Some(sheet) = &mut self.sheet else {
            return;
        };
        if let Some(slot) = sheet.cells.get_mut(number) {
            *slot = cell;
        }
        let (done, all) = sheet.progress();
        if done < all || !self.runs {
            return;
        }
        self.runs = false;
        let made = sheet.scenes().count();
        let valid = sheet.scenes().filter(|scene| scene.is_valid()).count();
        let text =
            format!("The sweep is done: {made} of {all} could be made, {valid} pass every gate.");
        if !self.open {
            let weight = if valid > 0 {
                Weight::Good
            } else {
                Weight::Warning
            };
            let notice = Notice::new(weight, text);
            editor.notices.push(notice.offering(Command::Sweep));
        }
    }
}

impl Lab {
    /// Opens the sheet; what the scene offers first is proposed.
    pub(super) fn open_sweep(&mut self, editor: &Editor) {
        self.sweep.open = true;
        let Some(scene) = self.swept_scene(editor) else {
            return;
        };
        let scene = &*scene;
        for side in &mut self.sweep.sides {
            side.take_if(|side| side.parameter.value(scene).is_err());
        }
        if !self.sweep.chosen || self.sweep.sides.iter().all(Option::is_none) {
            let first = Parameter::all(scene, &editor.selection).into_iter().next();
            self.sweep.choose(0, first, scene);
        }
    }

    /// Carries out a wish that concerns the sweep.
    pub(in crate::ui) fn sweep(&mut self, wish: SweepAction, editor: &mut Editor) {
        let scene = self.swept_scene(editor);
        match (wish, scene) {
            (SweepAction::Choose(side, parameter), Some(scene)) => {
                self.sweep.choose(side, parameter, &scene);
                self.sweep.chosen = true;
            }
            (SweepAction::Range(side, ends, count), Some(_)) => {
                if let Some(Some(side)) = self.sweep.sides.get_mut(side) {
                    (side.ends, side.count) = (ends, count.clamp(1, MOST_POINTS));
                    self.sweep.chosen = true;
                }
            }
            (SweepAction::Start, Some(scene)) => self.start_sweep(scene),
            (SweepAction::GoOn, _) => self.sweep.runs = self.sweep.is_left(),
            (SweepAction::Stop, _) => {
                self.stop_sweep();
            }
            (SweepAction::Show(number), _) => {
                let sheet = self.sweep.sheet.as_ref();
                let made = sheet.and_then(|sheet| Some((sheet, sheet.cells.get(number)?)));
                if let Some((sheet, Cell::Made(scene))) = made {
                    // what it was made of is known, as of any result
                    if let Ok(input) = sheet.sweep.scene(&sheet.base, number) {
                        let settings = sheet.settings_of(number);
                        self.variants.remember(scene, Arc::new(input), settings);
                    }
                    show(editor, &sheet.sweep.name(number), scene);
                    self.sweep.open = false;
                }
            }
            (SweepAction::By(planner), _) => self.sweep.by = planner,
            (SweepAction::Keep, _) => {
                let valid = self.sweep.valid().into_iter();
                let scenes = valid.map(|(_, scene)| (scene.name.clone(), scene));
                let kept = self.tray.keep_all(scenes);
                tell_kept(kept, editor);
            }
            // the window writes what the line reads, and knows what planners came to
            (SweepAction::Copy | SweepAction::Refine | SweepAction::Make(_), _) => {}
            (SweepAction::Close, _) => self.sweep.open = false,
            (SweepAction::Choose(..) | SweepAction::Range(..) | SweepAction::Start, None) => {}
        }
    }

    /// The scene that the next sweep is of: the present one, or if that is a result of the last sweep, the scene that was
    /// swept.
    pub(in crate::ui) fn swept_scene(&self, editor: &Editor) -> Option<Arc<Scene>> {
        let present = editor.committed()?;
        let sheet = self.sweep.sheet.as_ref();
        let of_it = sheet.filter(|sheet| sheet.scenes().any(|made| Arc::ptr_eq(made, present)));
        Some(of_it.map_or(present, |sheet| &sheet.base).clone())
    }

    /// Puts values between neighbours that differ, and makes what lies there; if a planner's drives are compared, what comes
    /// of it is to be driven, too.
    pub(in crate::ui) fn refine_sweep(&mut self, trial: &Trial, editor: &mut Editor) {
        let by = self.sweep.by_of(trial);
        let Some(sheet) = self.sweep.sheet.as_mut().filter(|_| !self.sweep.runs) else {
            return;
        };
        match sheet.refine(by) {
            Ok(()) => {
                self.sweep.runs = true;
                self.sweep.drives = by.is_some();
            }
            Err(error) => {
                let text = super::sentence(&error.to_string());
                editor.notices.push(Notice::new(Weight::Info, text));
            }
        }
    }

    /// Makes a combination that a refinement left out, with those that a stop left; if the sheet is coloured by a planner
    /// it is to be driven, too.
    pub(in crate::ui) fn make_left(&mut self, number: usize, trial: &Trial) {
        let drives = self.sweep.by_of(trial).is_some();
        let sheet = self.sweep.sheet.as_mut();
        if let Some(cell @ Cell::Left) = sheet.and_then(|sheet| sheet.cells.get_mut(number)) {
            *cell = Cell::Waiting;
            self.sweep.runs = true;
            self.sweep.drives |= drives;
        }
    }

    fn start_sweep(&mut self, base: Arc<Scene>) {
        self.stop_sweep();
        self.sweep.drives = false;
        let axis = |side: &Side| {
            Axis::spread(side.parameter.clone(), side.ends, side.count).in_scene(&base)
        };
        let sweep = Sweep {
            axes: self.sweep.sides.iter().flatten().map(axis).collect(),
        };
        let count = sweep.count();
        if sweep.axes.is_empty() || count > MOST_POINTS || sweep.doubled().is_some() {
            return;
        }
        self.sweep.chosen = true;
        self.sweep.by = None;
        self.sweep.sheet = Some(Sheet {
            cells: vec![Cell::Waiting; count],
            settings: Settings {
                scope: sweep.scope(&base),
                task: sweep.task(self.task_of(&base)),
                sample: 0,
                ..self.settings.clone()
            },
            sweep,
            base,
        });
        self.sweep.runs = true;
    }

    /// Stops the sweep and the run it is in; false if there was none.
    pub(in crate::ui) fn stop_sweep(&mut self) -> bool {
        if let (Some(Aside::Cell(_)), Some(engine)) = (&self.aside, &mut self.engine) {
            engine.cancel();
            self.aside = None;
        }
        self.sweep.stop()
    }

    /// Hands the next combination to the engine, which is free.
    pub(super) fn next_of_sweep(&mut self, editor: &mut Editor) {
        while self.sweep.runs {
            let waits = |cell: &Cell| matches!(cell, Cell::Waiting);
            let sheet = self.sweep.sheet.as_ref();
            let next = sheet.and_then(|sheet| Some((sheet, sheet.cells.iter().position(waits)?)));
            let (Some((sheet, number)), Some(engine)) = (next, &mut self.engine) else {
                return;
            };
            let settings = sheet.settings_of(number);
            match sheet.sweep.scene(&sheet.base, number) {
                Ok(scene) => {
                    engine.submit(Job::Generate {
                        scene: Arc::new(scene),
                        settings,
                        purpose: Purpose::Aside,
                    });
                    self.aside = Some(Aside::Cell(number));
                    return;
                }
                Err(error) => {
                    let why = super::sentence(&error.to_string());
                    self.sweep.ended(number, Cell::Failed(why), editor);
                }
            }
        }
    }

    /// Takes in what came of a combination.
    pub(super) fn swept(
        &mut self,
        number: usize,
        result: Result<Arc<Scene>, String>,
        editor: &mut Editor,
    ) {
        let cell = match result {
            Ok(scene) => Cell::Made(scene),
            Err(why) => Cell::Failed(why),
        };
        self.sweep.ended(number, cell, editor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_makes_what_was_made_and_not_what_was_left_out() {
        let axis = |text| Axis::from_text(text).unwrap();
        let made = || Cell::Made(Arc::default());
        let sheet = Sheet {
            sweep: Sweep {
                axes: vec![axis("speed:ego=4,5,6"), axis("left:ego=0,1,2")],
            },
            cells: vec![
                made(),
                Cell::Left,
                made(),
                Cell::Left,
                Cell::Left,
                Cell::Failed(String::new()),
                made(),
                Cell::Left,
                Cell::Waiting,
            ],
            base: Arc::default(),
            settings: Settings::default(),
        };
        let (_, lines) = sheet.command_line(Path::new("a.json"));
        let sweeps: Vec<&str> = lines
            .lines()
            .map(|line| line.split_once(" --sweep ").unwrap().1)
            .collect();
        let wanted = [
            "speed:ego=4,6 --sweep left:ego=0,2",
            "speed:ego=5 --sweep left:ego=2",
        ];
        assert_eq!(sweeps, wanted);
        assert_eq!(sheet.progress(), (4, 5));
        assert_eq!(sheet.table(None).lines().count(), 1 + 5);
    }
}
