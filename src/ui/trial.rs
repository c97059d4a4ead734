//! The trial: several planners drive every case of the tray, the scene on screen, or what a sweep made, on a thread of their
//! own.

use std::fmt::Write as _;
use std::sync::Arc;

use super::action::Command;
use super::action::Notice;
use super::action::Weight;
use super::editor::Editor;
use super::graphics::Wake;
use super::pilot::unloaded;
use crate::codec::DT_S;
use crate::codec::NOW;
use crate::codec::T;
use crate::engine::DriveWorld;
use crate::engine::LoadPlanner;
use crate::engine::LoadWorld;
use crate::engine::OwnCommand;
use crate::engine::Pilot;
use crate::engine::PilotEvent;
use crate::engine::PilotJob;
use crate::page::Drive;
use crate::page::drove;
use crate::planner::Decoder;
use crate::planner::DriveSettings;
use crate::planner::Driven;
use crate::planner::PlanSettings;
use crate::planner::Report;
use crate::scene::Scene;

/// How long each drive is unless asked otherwise, s: as far as the model makes futures.
const HORIZON_S: f64 = (T - NOW - 1) as f64 * DT_S;

/// Whom the planners drive in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cases {
    /// Every case of the tray.
    #[default]
    Tray,
    /// The scene on screen.
    Scene,
    /// What the last sweep made that passes every gate.
    Sweep,
}

/// What the user asks of the trial.
#[derive(Debug, Clone, PartialEq)]
pub enum TrialAction {
    /// Opens the sheet, for certain cases if they are named.
    Open(Option<Cases>),
    /// A planner takes part, or no longer.
    Planner(Decoder, bool),
    /// Who moves everyone else.
    World(DriveWorld),
    /// How long each drive is, s.
    Seconds(f64),
    /// Which cases.
    Cases(Cases),
    /// Begins.
    Start,
    /// Goes on with the drives that a stop left.
    GoOn,
    /// Stops; what is finished stays.
    Stop,
    /// Shows the drive of a case by a planner, both by position.
    Show(usize, usize),
    /// Closes the sheet; the drives go on.
    Close,
}

/// What became of one drive.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// It has not begun.
    Waiting,
    /// Seconds driven and to be driven.
    Driving(f64, f64),
    /// It came to its end: what came of it, and where to.
    Driven(Box<Driven>, Arc<Scene>),
    /// It failed, with a sentence.
    Failed(String),
}

/// The drives of one trial.
#[derive(Debug)]
pub(super) struct Sheet {
    /// Names and scenes.
    pub cases: Vec<(String, Arc<Scene>)>,
    /// Who drives.
    pub planners: Vec<Decoder>,
    /// Among whom.
    pub world: DriveWorld,
    /// Case by case, a cell for each planner.
    pub cells: Vec<Cell>,
    settings: DriveSettings,
    own: OwnCommand,
}

impl Sheet {
    /// The drive of a case by a planner, both by position.
    pub(super) fn cell(&self, case: usize, planner: usize) -> &Cell {
        &self.cells[case * self.planners.len() + planner]
    }

    /// Position of the case with this scene.
    pub(super) fn case_of(&self, scene: &Arc<Scene>) -> Option<usize> {
        let mut cases = self.cases.iter();
        cases.position(|(_, case)| Arc::ptr_eq(case, scene))
    }

    /// What planners came to in a case, as far as they have driven it.
    pub(super) fn drives(&self, scene: &Arc<Scene>) -> Vec<Drive> {
        let Some(case) = self.case_of(scene) else {
            return Vec::new();
        };
        let drive = |(planner, decoder): (usize, &Decoder)| {
            let came = match self.cell(case, planner) {
                Cell::Driven(driven, _) => Ok(driven.report.clone()),
                Cell::Failed(why) => Err(why.clone()),
                Cell::Waiting | Cell::Driving(..) => return None,
            };
            Some(Drive {
                planner: decoder.label().to_owned(),
                came,
            })
        };
        self.planners.iter().enumerate().filter_map(drive).collect()
    }

    /// What became of the drive of a case by a planner in cells of a table: the outcome, when, and the nuPlan score.
    pub(super) fn told(&self, scene: &Arc<Scene>, planner: usize) -> String {
        let cell = self.case_of(scene).map(|case| self.cell(case, planner));
        match cell {
            Some(Cell::Driven(driven, _)) => {
                let (word, at_s) = driven.report.outcome().words();
                let at_s = at_s.map_or(String::new(), |at_s| format!("{at_s:.1}"));
                let score = driven.report.score.as_ref();
                let score = score.map_or(String::new(), |score| format!("{:.3}", score.total));
                format!("{word}\t{at_s}\t{score}")
            }
            Some(Cell::Failed(_)) => "failed\t\t".to_owned(),
            _ => "\t\t".to_owned(),
        }
    }

    /// How they drove, in words.
    pub(super) fn drove(&self) -> String {
        drove(self.world.about(), &self.settings)
    }

    /// How the command line asks for the same drives; `None` if it has no words for them.
    pub(super) fn words(&self) -> Option<String> {
        let (plan, usual) = (&self.settings.plan, PlanSettings::default());
        let sayable = PlanSettings {
            decoder: plan.decoder,
            modes: plan.modes,
            brake: plan.brake,
            route: plan.route,
            score: plan.score,
            ..usual.clone()
        };
        if *plan != sayable || self.planners.contains(&Decoder::Own) {
            return None;
        }
        let planners: Vec<&str> = self.planners.iter().map(|planner| planner.key()).collect();
        let mut words = format!(
            "--planners {} --world {} --seconds {}",
            planners.join(","),
            self.world.key(),
            self.settings.seconds
        );
        if self.settings.replan_hz != DriveSettings::default().replan_hz {
            words += &format!(" --replan-hz {}", self.settings.replan_hz);
        }
        if plan.modes != usual.modes {
            words += &format!(" --modes {}", plan.modes);
        }
        if !plan.brake {
            words += " --no-brake";
        }
        if !plan.route {
            words += " --no-route";
        }
        if plan.score != usual.score {
            words += &format!(" --score {}", plan.score.key());
        }
        Some(words)
    }

    /// What came of a planner's finished drives.
    pub(super) fn reports(&self, planner: usize) -> impl Iterator<Item = &Report> {
        let cells = (0..self.cases.len()).map(move |case| self.cell(case, planner));
        cells.filter_map(|cell| match cell {
            Cell::Driven(driven, _) => Some(&driven.report),
            _ => None,
        })
    }

    /// Drives that have ended, in one way or another, of all.
    pub(super) fn progress(&self) -> (usize, usize) {
        let ended = |cell: &&Cell| matches!(cell, Cell::Driven(..) | Cell::Failed(_));
        (self.cells.iter().filter(ended).count(), self.cells.len())
    }

    /// The drives as a table to be pasted: a line a drive, tabs between its columns.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        for (case, (name, _)) in self.cases.iter().enumerate() {
            for (planner, decoder) in self.planners.iter().enumerate() {
                let Cell::Driven(driven, _) = self.cell(case, planner) else {
                    continue;
                };
                let row = driven.report.row();
                if text.is_empty() {
                    let heads = row.each_ref().map(|(head, _)| *head);
                    let _infallible = writeln!(text, "case\tplanner\tworld\t{}", heads.join("\t"));
                }
                let _infallible = writeln!(
                    text,
                    "{}\t{}\t{}\t{}",
                    name.replace(['\t', '\n'], " "),
                    decoder.key(),
                    self.world.key(),
                    row.map(|(_, value)| value).join("\t")
                );
            }
        }
        text
    }
}

/// Trials as the window sees them.
pub(super) struct Trial {
    load: Option<(LoadPlanner, Option<LoadWorld>)>,
    wake: Wake,
    engine: Option<Pilot>,
    /// Its sheet is on screen.
    pub open: bool,
    /// Who takes part the next time.
    pub planners: Vec<Decoder>,
    /// Who moves everyone else the next time.
    pub world: DriveWorld,
    /// How long each drive is the next time, s.
    pub seconds: f64,
    /// Which cases the next time.
    pub cases: Cases,
    /// The last trial.
    pub sheet: Option<Sheet>,
    /// The cell whose drive is under way.
    running: Option<usize>,
}

impl Trial {
    /// Without loaders nothing can be tried.
    pub(super) fn new(load: Option<(LoadPlanner, Option<LoadWorld>)>, wake: Wake) -> Self {
        Self {
            load,
            wake,
            engine: None,
            open: false,
            planners: vec![Decoder::ArDiffusion, Decoder::GmmDiffusion, Decoder::Idm],
            world: DriveWorld::default(),
            seconds: HORIZON_S,
            cases: Cases::default(),
            sheet: None,
            running: None,
        }
    }

    /// Which cases there are to be driven, with so many in the tray and of the sweep.
    pub(super) fn cases_of(&self, kept: usize, swept: usize) -> Cases {
        match self.cases {
            Cases::Sweep if swept > 0 => Cases::Sweep,
            Cases::Tray | Cases::Sweep if kept > 0 => Cases::Tray,
            Cases::Tray | Cases::Sweep | Cases::Scene => Cases::Scene,
        }
    }

    /// Whether drives are under way.
    pub(super) fn runs(&self) -> bool {
        self.running.is_some()
    }

    /// How far it is, in words; `None` if nothing runs.
    pub(super) fn text(&self) -> Option<String> {
        let (done, all) = self.sheet.as_ref().filter(|_| self.runs())?.progress();
        Some(format!("Trying planners: {done} of {all}. Esc stops"))
    }

    /// Lets the planners drive `cases`, each with its name, from their presents.
    pub(super) fn start(
        &mut self,
        cases: Vec<(String, Arc<Scene>)>,
        plan: &PlanSettings,
        own: &OwnCommand,
    ) {
        self.stop();
        let count = cases.len() * self.planners.len();
        self.sheet = Some(Sheet {
            cases,
            planners: self.planners.clone(),
            world: self.world,
            cells: vec![Cell::Waiting; count],
            settings: DriveSettings {
                plan: plan.clone(),
                seconds: self.seconds,
                ..DriveSettings::default()
            },
            own: own.clone(),
        });
        self.next();
    }

    /// Adds cases to those of the trial, as they are asked for there; those it has are driven once.
    pub(super) fn add(&mut self, cases: Vec<(String, Arc<Scene>)>) {
        let Some(sheet) = &mut self.sheet else {
            return;
        };
        for (name, scene) in cases {
            if sheet.case_of(&scene).is_none() {
                sheet.cases.push((name, scene));
                let cells = sheet.planners.iter().map(|_| Cell::Waiting);
                sheet.cells.extend(cells);
            }
        }
        if !self.runs() {
            self.next();
        }
    }

    /// Stops the drives; what is finished stays. False if there were none.
    pub(super) fn stop(&mut self) -> bool {
        let running = self.running.take();
        if let (Some(at), Some(engine), Some(sheet)) = (running, &mut self.engine, &mut self.sheet)
        {
            engine.cancel();
            sheet.cells[at] = Cell::Waiting;
        }
        running.is_some()
    }

    /// Whether a stop left drives that have not been made.
    pub(super) fn is_left(&self) -> bool {
        let sheet = self.sheet.as_ref().filter(|_| !self.runs());
        sheet.is_some_and(|sheet| sheet.cells.iter().any(|cell| matches!(cell, Cell::Waiting)))
    }

    /// Begins the first drive that waits.
    pub(super) fn next(&mut self) {
        self.running = None;
        let Some(sheet) = &mut self.sheet else {
            return;
        };
        let waits = |cell: &Cell| matches!(cell, Cell::Waiting);
        let Some(at) = sheet.cells.iter().position(waits) else {
            return;
        };
        if self.engine.is_none()
            && let Some((planner, world)) = self.load.clone()
        {
            self.engine = Pilot::start(self.wake.boxed(), planner, world).ok();
        }
        let Some(engine) = &mut self.engine else {
            sheet.cells[at] = Cell::Failed("this window runs without planners".to_owned());
            return;
        };
        let (case, planner) = (at / sheet.planners.len(), at % sheet.planners.len());
        sheet.cells[at] = Cell::Driving(0.0, sheet.settings.seconds);
        engine.submit(PilotJob::Drive {
            scene: Arc::clone(&sheet.cases[case].1),
            settings: DriveSettings {
                plan: PlanSettings {
                    decoder: sheet.planners[planner],
                    ..sheet.settings.plan.clone()
                },
                ..sheet.settings.clone()
            },
            world: sheet.world,
            own: sheet.own.clone(),
        });
        self.running = Some(at);
    }

    /// Takes in what the planners report; the end is said unless it is watched.
    pub(super) fn hear(&mut self, editor: &mut Editor, watched: bool) {
        while let Some(event) = self.engine.as_mut().and_then(Pilot::poll) {
            if let PilotEvent::Unloaded(problem) = &event {
                // whoever plans along is told elsewhere; here it counts if a network is to drive
                let mut planners = self.sheet.iter().flat_map(|sheet| &sheet.planners);
                if planners.any(|decoder| decoder.is_network()) {
                    editor.notices.push(unloaded(problem));
                }
                continue;
            }
            let (Some(at), Some(sheet)) = (self.running, &mut self.sheet) else {
                continue;
            };
            let cell = match event {
                PilotEvent::Driving { done_s, total_s } => {
                    sheet.cells[at] = Cell::Driving(done_s, total_s);
                    continue;
                }
                PilotEvent::Driven(mut driven) => {
                    // nothing that is shown later reads the single plans, which are large
                    driven.plans = Vec::new();
                    let scene = Arc::new(driven.scene.clone());
                    Cell::Driven(driven, scene)
                }
                PilotEvent::Failed(message) => Cell::Failed(message),
                PilotEvent::Ready(_) | PilotEvent::Unloaded(_) | PilotEvent::Planned(_) => continue,
            };
            sheet.cells[at] = cell;
            self.next();
            if self.running.is_none() && !watched {
                self.tell(editor);
            }
        }
    }

    /// Says that all is done, to a user who looks elsewhere.
    fn tell(&self, editor: &mut Editor) {
        let Some(sheet) = &self.sheet else {
            return;
        };
        let failed = |cell: &&Cell| matches!(cell, Cell::Failed(_));
        let failed = sheet.cells.iter().filter(failed).count();
        let (weight, text) = match failed {
            0 => (
                Weight::Good,
                "The planners have driven every case.".to_owned(),
            ),
            _ => {
                let all = sheet.cells.len();
                let text = format!("Of {all} drives {failed} failed; the sheet says why.");
                (Weight::Warning, text)
            }
        };
        let blamed = (0..sheet.planners.len()).map(|planner| {
            let blamed = sheet.reports(planner).filter(|report| report.at_fault());
            format!(
                "{}: {} of {} at fault",
                sheet.planners[planner].label(),
                blamed.count(),
                sheet.reports(planner).count()
            )
        });
        let blamed: Vec<String> = blamed.collect();
        let notice = Notice::new(weight, text).with_detail(blamed.join("\n"));
        editor.notices.push(notice.offering(Command::TryPlanners));
    }

    /// The drive of a case by a planner, with a name for it.
    pub(super) fn drive(
        &self,
        case: usize,
        planner: usize,
    ) -> Option<(String, &Driven, &Arc<Scene>)> {
        let sheet = self.sheet.as_ref()?;
        let Cell::Driven(driven, scene) = sheet.cell(case, planner) else {
            return None;
        };
        let label = sheet.planners[planner].label();
        Some((format!("{label} · {}", sheet.cases[case].0), driven, scene))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::scene_from_json;
    use std::time::{Duration, Instant};

    fn trial() -> Trial {
        trial_with(Arc::new(|| Ok(None)))
    }

    fn trial_with(load: LoadPlanner) -> Trial {
        Trial::new(Some((load, None)), Wake::new(&egui::Context::default()))
    }

    fn cases(count: usize) -> Vec<(String, Arc<Scene>)> {
        let text = include_bytes!("../../scenes/cut-in.json");
        let scene = Arc::new(scene_from_json(text, "cut-in").unwrap());
        let case = |number: usize| (format!("cut-in {number}"), Arc::clone(&scene));
        (0..count).map(case).collect()
    }

    fn until(trial: &mut Trial, editor: &mut Editor, met: impl Fn(&Trial) -> bool) {
        let began = Instant::now();
        while !met(trial) {
            assert!(began.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(2));
            trial.hear(editor, false);
        }
    }

    #[test]
    fn every_planner_drives_every_case_and_one_that_fails_keeps_nobody_from_it() {
        let (mut trial, mut editor) = (trial(), Editor::default());
        trial.planners = vec![Decoder::Ar, Decoder::Idm, Decoder::ConstantVelocity];
        trial.seconds = 2.0;
        trial.start(cases(2), &PlanSettings::default(), &OwnCommand::default());
        assert!(trial.text().unwrap().contains("0 of 6"));
        until(&mut trial, &mut editor, |trial| !trial.runs());
        let sheet = trial.sheet.as_ref().unwrap();
        assert_eq!(sheet.progress(), (6, 6));
        for case in 0..2 {
            // without weights the network cannot drive
            assert!(matches!(sheet.cell(case, 0), Cell::Failed(why) if why.contains("\"ar\"")));
        }
        assert_eq!(
            [0, 1, 2].map(|planner| sheet.reports(planner).count()),
            [0, 2, 2]
        );
        let (name, driven, scene) = trial.drive(1, 2).unwrap();
        assert!(name.contains("cut-in 1") && driven.plans.is_empty());
        assert_eq!(scene.frames, driven.scene.frames);
        assert!(trial.drive(0, 0).is_none());
        let table = sheet.table();
        assert_eq!(table.lines().count(), 1 + 4);
        let width = |line: &str| line.split('\t').count();
        assert!(table.lines().all(|line| width(line) == 14), "{table}");
        assert_eq!(editor.notices.len(), 1); // the sheet is closed: it is said
        // more cases are driven by the same planners; what was driven is not driven again
        let more = [cases(1), sheet.cases.clone()].concat();
        trial.add(more);
        assert_eq!(trial.sheet.as_ref().unwrap().progress(), (6, 9));
        until(&mut trial, &mut editor, |trial| !trial.runs());
        assert_eq!(trial.sheet.as_ref().unwrap().reports(2).count(), 3);
    }

    #[test]
    fn broken_weights_are_told_once_and_the_first_drive_does_not_fail_for_them() {
        let (mut trial, mut editor) = (
            trial_with(Arc::new(|| Err("they are cut off".to_owned()))),
            Editor::default(),
        );
        trial.planners = vec![Decoder::Idm, Decoder::Ar];
        trial.seconds = 1.0;
        trial.start(cases(1), &PlanSettings::default(), &OwnCommand::default());
        until(&mut trial, &mut editor, |trial| !trial.runs());
        let sheet = trial.sheet.as_ref().unwrap();
        assert!(matches!(sheet.cell(0, 0), Cell::Driven(..)));
        assert!(matches!(sheet.cell(0, 1), Cell::Failed(why) if why.contains("\"ar\"")));
        let told = |notice: &&Notice| notice.detail.as_deref() == Some("they are cut off");
        assert_eq!(editor.notices.iter().filter(told).count(), 1);
    }

    #[test]
    fn a_stopped_trial_keeps_what_is_finished() {
        let (mut trial, mut editor) = (trial(), Editor::default());
        trial.planners = vec![Decoder::Idm];
        trial.seconds = 2.0;
        trial.start(cases(3), &PlanSettings::default(), &OwnCommand::default());
        let one = |trial: &Trial| trial.sheet.as_ref().unwrap().progress().0 >= 1;
        until(&mut trial, &mut editor, one);
        let stopped = trial.stop();
        let (done, all) = trial.sheet.as_ref().unwrap().progress();
        assert!(stopped == (done < all) && all == 3);
        assert!(!trial.runs() && !trial.stop() && trial.text().is_none());
        assert_eq!(trial.is_left(), stopped);
        trial.next();
        until(&mut trial, &mut editor, |trial| !trial.runs());
        assert_eq!(trial.sheet.as_ref().unwrap().progress(), (3, 3));
        assert!(!trial.is_left());
    }
}
