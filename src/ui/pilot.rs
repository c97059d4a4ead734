//! The window's side of planning: what is asked of the planner, what it answered, and which of it is drawn. Panes may
//! have planners of their own beside the one of the panel; all take turns on one thread.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use super::action::Action;
use super::action::Notice;
use super::action::Weight;
use super::editor::Editor;
use super::lab::Lab;
use super::theme::Tokens;
use crate::engine::DriveWorld;
use crate::engine::OwnCommand;
use crate::engine::Pilot;
use crate::engine::PilotEvent;
use crate::engine::PilotJob;
use crate::engine::Planned;
use crate::geometry::DVec2;
use crate::metrics::Evidence;
use crate::metrics::Explained;
use crate::planner::Decoder;
use crate::planner::DriveSettings;
use crate::planner::Driven;
use crate::planner::Mode;
use crate::planner::Plan;
use crate::planner::PlanSettings;
use crate::planner::PlannedMode;
use crate::planner::SCORED_S;
use crate::planner::STEP_S;
use crate::planner::Scores;
use crate::planner::Stage;
use crate::render::Moment;
use crate::render::Path as Trace;
use crate::render::PathKind;
use crate::scene::Metric;
use crate::scene::Scene;
use crate::scene::State;

/// The planner's score among the metrics of panes.
pub(super) const PLANNER_SCORE: &str = "planner_score";

/// While time moves on, a plan is made every so many seconds of the scene.
const EVERY_S: f64 = 0.5;

/// A planner that takes longer is said to be thinking.
const NOTICEABLE: Duration = Duration::from_millis(400);

/// A wish that concerns the planner.
#[derive(Debug, Clone)]
pub enum PilotAction {
    /// Plans along with what is shown, or not.
    On(bool),
    /// New settings.
    Set(Box<PlanSettings>),
    /// The command that starts the user's own planner, or the file it has written.
    Own(String),
    /// Starts the user's own planner anew.
    OwnAgain,
    /// Takes a mode by hand; the planner's own choice if absent.
    Choose(Option<usize>),
    /// The mode under the pointer.
    Point(Option<usize>),
    /// Looks at a step of the proposal; the result if absent.
    Look(Option<usize>),
    /// Goes to a scene time of the plan on screen, s, which stays the plan as long as the cursor stays there.
    GoTo(f64),
    /// Draws the modes as they were before refinement.
    Anchors(bool),
    /// Marks where the tokens of the mode that is taken end.
    Tokens(bool),
    /// Who moves everyone else during a drive.
    World(DriveWorld),
    /// How long a drive is, s.
    Seconds(f64),
    /// Drives from the present.
    Drive,
    /// Stops a drive, or waiting for the user's own planner.
    Stop,
}

/// What a plan was made of: another one is due when this changes.
#[derive(Clone)]
struct Asked {
    shown: Arc<Scene>,
    frame: usize,
    settings: PlanSettings,
}

impl Asked {
    fn is(&self, shown: &Arc<Scene>, frame: usize, settings: &PlanSettings) -> bool {
        Arc::ptr_eq(&self.shown, shown) && self.frame == frame && self.settings == *settings
    }
}

/// Planners that take turns: the panel's, and one a pane.
const PLANNERS: usize = 5;

/// What a planner answers, as a pane shows it.
#[derive(Debug, Clone, Default)]
pub(super) struct PaneAnswer {
    /// Modes, strongest the one taken, and the path on which that is tracked.
    pub paths: Vec<Trace>,
    /// What the mode that is taken scores; absent while nothing was answered.
    pub score: Option<Score>,
    /// Why there is no answer.
    pub problem: Option<String>,
}

/// A planner's score on a scene.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Score {
    /// 0 to 1.
    pub total: f64,
    /// The term that costs most, in words.
    pub reason: String,
    /// The scene time that decides it, s.
    pub time_s: Option<f64>,
    /// The scene time up to which it is scored, s.
    pub until_s: f64,
}

impl Score {
    fn of(planned: &Planned, taken: usize) -> Option<Self> {
        let scores = scores_of(planned, taken)?;
        let worst = scores.costliest()?;
        Some(Self {
            total: scores.total,
            reason: format!("{}: {}", worst.kind.label(), worst.reason),
            time_s: worst.time_s.map(|time_s| planned.plan.now_s + time_s),
            until_s: planned.plan.now_s + SCORED_S,
        })
    }

    /// From this on a score is good.
    pub(super) const GOOD: f64 = 0.8;

    /// Good from [`Score::GOOD`] on, bad below 0.3.
    pub(super) fn color(total: f64, tokens: &Tokens) -> egui::Color32 {
        match total {
            bad if bad < 0.3 => tokens.bad,
            some if some < Self::GOOD => tokens.warn,
            _ => tokens.good,
        }
    }
}

/// What a plan's mode scores: by what happens in the scene where that is known, else as foreseen.
fn scores_of(planned: &Planned, taken: usize) -> Option<&Scores> {
    let outcome = planned.outcome.as_ref().and_then(|all| all.get(taken));
    outcome.or(planned.plan.modes.get(taken).map(|mode| &mode.scores))
}

/// Planning as the window sees it.
pub(super) struct Planning {
    engine: Option<Pilot>,
    /// Hash of the planner's weights, once it is known whether there are any.
    pub weights: Option<Option<String>>,
    /// Why the planner's network cannot be used, if it cannot.
    pub unloaded: Option<String>,
    /// Plans along with what is shown.
    pub on: bool,
    /// How.
    pub settings: PlanSettings,
    /// The command that starts the user's own planner.
    pub own: OwnCommand,
    /// The last plan.
    pub planned: Option<Box<Planned>>,
    /// Why there is none.
    pub problem: Option<String>,
    /// The mode taken by hand.
    pub by_hand: Option<usize>,
    /// The mode under the pointer.
    pub pointed: Option<usize>,
    /// The step looked at.
    pub step: Option<usize>,
    /// Modes are drawn as they were before refinement, too.
    pub anchors: bool,
    /// The tokens of the mode that is taken are marked.
    pub tokens: bool,
    /// Who moves everyone else during a drive.
    pub world: DriveWorld,
    /// How long a drive is, s.
    pub seconds: f64,
    /// Seconds driven and to be driven.
    pub driving: Option<(f64, f64)>,
    /// The scene in which the drive began, and its name.
    drives_from: Option<(Arc<Scene>, String)>,
    /// The last drive, and its scene.
    driven: Option<(Arc<Scene>, Box<Driven>)>,
    /// Drives that came to their end, ever: each is shown once it has.
    pub drives: u64,
    /// What each planner was asked last: the panel's, then those of the panes.
    asked: [Option<Asked>; PLANNERS],
    /// What the planners of the panes answered last.
    answers: [Option<Result<Box<Planned>, String>>; 4],
    /// Where the cursor was when a moment of its plan was gone to, and where it went, s.
    held: Option<(f64, f64)>,
    /// Who was asked last, as in `asked`.
    turn: usize,
    /// Since when.
    since: Instant,
}

impl Planning {
    /// With a planner's thread or without one.
    pub(super) fn new(engine: Option<Pilot>) -> Self {
        Self {
            engine,
            weights: None,
            unloaded: None,
            on: false,
            settings: PlanSettings {
                decoder: Decoder::Idm,
                ..PlanSettings::default()
            },
            own: OwnCommand::default(),
            planned: None,
            problem: None,
            by_hand: None,
            pointed: None,
            step: None,
            anchors: false,
            tokens: false,
            world: DriveWorld::default(),
            seconds: DriveSettings::default().seconds,
            driving: None,
            drives_from: None,
            driven: None,
            drives: 0,
            asked: Default::default(),
            answers: Default::default(),
            held: None,
            turn: 0,
            since: Instant::now(),
        }
    }

    /// Forgets everything about the last scene.
    pub(super) fn reset(&mut self) {
        self.stop();
        self.forget_plan();
        self.driven = None;
    }

    fn forget_plan(&mut self) {
        self.cancel_plan();
        self.planned = None;
        self.problem = None;
        self.by_hand = None;
        self.pointed = None;
        self.step = None;
        self.asked = Default::default();
        self.answers = Default::default();
        self.held = None;
    }

    /// Stops the plan in the making; whoever wants one is asked anew.
    fn cancel_plan(&mut self) {
        if let (Some(engine), None) = (&mut self.engine, self.driving)
            && engine.busy()
        {
            engine.cancel();
            self.asked[self.turn] = None;
        }
    }

    /// What the last drive came to, if `scene` is its scene.
    pub(super) fn driven(&self, scene: &Arc<Scene>) -> Option<&Driven> {
        let (of, driven) = self.driven.as_ref()?;
        Arc::ptr_eq(of, scene).then_some(&**driven)
    }

    /// What the panel's planner may do from the present of `scene` on, with probabilities, as it would be driven at 10 Hz;
    /// nothing if the plan on screen is not of that moment.
    pub(super) fn foreseen(&self, scene: Option<&Arc<Scene>>) -> Vec<(f64, Vec<State>)> {
        let (Some(scene), Some(planned), Some(asked)) = (scene, &self.planned, &self.asked[0])
        else {
            return Vec::new();
        };
        let is_of_now = Arc::ptr_eq(&asked.shown, scene)
            && asked.frame == scene.now
            && (planned.plan.now_s - scene.now_s()).abs() < 1e-6;
        if !is_of_now {
            return Vec::new();
        }
        let driven = |mode: &PlannedMode| {
            let states = mode.tracked.iter().map(|tracked| tracked.state);
            (mode.mode.probability, states.collect())
        };
        let proposed = planned
            .plan
            .modes
            .iter()
            .filter(|mode| mode.braked.is_none());
        proposed.map(driven).collect()
    }

    /// Whether the plan stays while another of its moments is looked at.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Whether a decoder can answer.
    pub(super) fn able(&self, decoder: Decoder) -> bool {
        !decoder.is_network() || matches!(self.weights, Some(Some(_)))
    }

    /// Why a decoder cannot answer; `None` if it can.
    pub(super) fn lacks(&self, decoder: Decoder) -> Option<&'static str> {
        match decoder {
            Decoder::Own if self.own.line.is_empty() => {
                Some("Name its command in the planner panel first")
            }
            _ if !self.able(decoder) => Some(match self.unloaded {
                Some(_) => "Its network cannot be used",
                None => "Its network is not there",
            }),
            _ => None,
        }
    }

    /// Whether the user's own planner is to answer and no command starts it.
    pub(super) fn lacks_own(&self) -> bool {
        self.settings.decoder == Decoder::Own && self.own.line.is_empty()
    }

    /// How long the user's own planner has been taking for a plan, once that is noticeable.
    pub(super) fn waiting(&self) -> Option<Duration> {
        let busy = self.engine.as_ref().is_some_and(Pilot::busy) && self.driving.is_none();
        let asked = self.asked[self.turn].as_ref();
        let own = asked.is_some_and(|asked| asked.settings.decoder == Decoder::Own);
        let waited = self.since.elapsed();
        (busy && own && waited > NOTICEABLE).then_some(waited)
    }

    /// Waits no longer for the user's own planner; false if nobody did. It is not asked the same again.
    pub(super) fn give_up(&mut self) -> bool {
        let waits = self.waiting().is_some();
        if let (Some(engine), true) = (&mut self.engine, waits) {
            engine.cancel();
            let text = "Your planner is no longer waited for. It is asked again for another scene, moment or setting.";
            self.refused(text.to_owned());
        }
        waits
    }

    /// Stops a drive; false if there was none.
    pub(super) fn stop(&mut self) -> bool {
        let drives = self.driving.take().is_some();
        if let (Some(engine), true) = (&mut self.engine, drives) {
            engine.cancel();
        }
        drives
    }

    /// Carries out a wish.
    pub(super) fn apply(&mut self, wish: PilotAction, editor: &mut Editor) {
        match wish {
            PilotAction::On(on) => {
                self.on = on;
                if !on {
                    self.forget_plan();
                }
            }
            PilotAction::Set(settings) => {
                if settings.decoder != self.settings.decoder {
                    self.cancel_plan();
                }
                self.by_hand = None;
                self.step = None;
                self.settings = *settings;
            }
            PilotAction::Own(line) => {
                self.own.line = line;
                self.own.start += 1;
                self.forget_plan();
            }
            PilotAction::OwnAgain => {
                self.own.start += 1;
                self.forget_plan();
            }
            PilotAction::Choose(mode) => self.by_hand = mode,
            PilotAction::Point(mode) => self.pointed = mode,
            PilotAction::Look(step) => self.step = step,
            PilotAction::GoTo(time_s) => {
                let from_s = self.held.map_or(editor.time_s, |(from_s, _)| from_s);
                editor.playing = false;
                editor.apply(&Action::Seek(time_s));
                self.held = Some((from_s, editor.time_s));
            }
            PilotAction::Anchors(drawn) => self.anchors = drawn,
            PilotAction::Tokens(marked) => self.tokens = marked,
            PilotAction::World(world) => self.world = world,
            PilotAction::Seconds(seconds) => self.seconds = seconds,
            PilotAction::Drive => self.drive(editor),
            PilotAction::Stop => {
                if !self.stop() {
                    self.give_up();
                }
            }
        }
    }

    fn drive(&mut self, editor: &Editor) {
        let (Some(engine), Some(scene)) = (&mut self.engine, editor.committed()) else {
            return;
        };
        self.asked = Default::default();
        engine.submit(PilotJob::Drive {
            scene: Arc::clone(scene),
            settings: DriveSettings {
                plan: self.settings.clone(),
                seconds: self.seconds,
                ..DriveSettings::default()
            },
            world: self.world,
            own: self.own.clone(),
        });
        self.driving = Some((0.0, self.seconds));
        let name = format!("Drive with {}", self.settings.decoder.label());
        self.drives_from = Some((Arc::clone(scene), name));
    }

    /// Asks for a plan on what is shown, if the last one was made of something else, and for those of panes with a
    /// planner of their own, in turn. One plan is made at a time, and the next is of what is shown then: while something
    /// is dragged none is cut off.
    pub(super) fn follow(
        &mut self,
        shown: Option<&Arc<Scene>>,
        panes: [Option<(Decoder, Arc<Scene>)>; 4],
        time_s: f64,
    ) {
        let (Some(engine), Some(shown), true) = (&mut self.engine, shown, self.on) else {
            return;
        };
        let mut wanted = vec![Some((self.settings.decoder, Arc::clone(shown)))];
        wanted.extend(panes);
        for (pane, wanted) in wanted[1..].iter().enumerate() {
            // another planner's modes must not stand under this one's name
            let asked = &mut self.asked[1 + pane];
            let before = asked.as_ref().map(|asked| asked.settings.decoder);
            if before != wanted.as_ref().map(|(decoder, _)| *decoder) {
                *asked = None;
                self.answers[pane] = None;
                if self.turn == 1 + pane && self.driving.is_none() && engine.busy() {
                    engine.cancel();
                }
            }
        }
        let held = self.held.filter(|(_, at_s)| (at_s - time_s).abs() < 1e-6);
        self.held = held;
        let time_s = held.map_or(time_s, |(from_s, _)| from_s);
        if engine.busy() || self.driving.is_some() {
            return;
        }
        for turn in (1..=PLANNERS).map(|later| (self.turn + later) % PLANNERS) {
            let Some((decoder, shown)) = &wanted[turn] else {
                continue;
            };
            let frame = plan_frame(shown, time_s);
            let settings = PlanSettings {
                decoder: *decoder,
                ..self.settings.clone()
            };
            let last = self.asked[turn].as_ref();
            if last.is_some_and(|asked| asked.is(shown, frame, &settings)) {
                continue;
            }
            let mut scene = Scene::clone(shown);
            scene.now = frame;
            engine.submit(PilotJob::Plan {
                scene: Arc::new(scene),
                settings: settings.clone(),
                own: self.own.clone(),
            });
            self.asked[turn] = Some(Asked {
                shown: Arc::clone(shown),
                frame,
                settings,
            });
            self.turn = turn;
            self.since = Instant::now();
            return;
        }
    }

    /// What the planner of a pane's own answers.
    pub(super) fn answer_in(&self, pane: usize) -> PaneAnswer {
        match &self.answers[pane] {
            None => PaneAnswer::default(),
            Some(Err(problem)) => PaneAnswer {
                problem: Some(problem.clone()),
                ..PaneAnswer::default()
            },
            Some(Ok(planned)) => PaneAnswer {
                paths: plan_paths(&planned.plan, planned.plan.chosen, None),
                score: Score::of(planned, planned.plan.chosen),
                problem: None,
            },
        }
    }

    /// Takes in what the planner reports.
    pub(super) fn hear(&mut self, editor: &mut Editor, lab: &mut Lab) {
        while let Some(event) = self.engine.as_mut().and_then(Pilot::poll) {
            match event {
                PilotEvent::Ready(weights) => {
                    if weights.is_some() {
                        self.settings.decoder = PlanSettings::default().decoder;
                    }
                    self.weights = Some(weights);
                }
                PilotEvent::Unloaded(problem) => {
                    editor.notices.push(unloaded(&problem));
                    self.unloaded = Some(problem);
                }
                PilotEvent::Planned(planned) if self.turn > 0 => {
                    self.answer(Ok(planned));
                }
                PilotEvent::Planned(planned) => {
                    let count = planned.plan.modes.len();
                    self.by_hand = self.by_hand.filter(|mode| *mode < count);
                    self.pointed = self.pointed.filter(|mode| *mode < count);
                    self.step = self.step.filter(|step| *step < planned.steps.len());
                    self.problem = None;
                    self.planned = self.on.then_some(planned);
                }
                PilotEvent::Driving { done_s, total_s } => self.driving = Some((done_s, total_s)),
                PilotEvent::Driven(driven) => self.arrived(driven, editor, lab),
                PilotEvent::Failed(message) => {
                    if self.driving.take().is_some() {
                        let notice = Notice::new(Weight::Error, "The drive failed.");
                        editor.notices.push(notice.with_detail(message));
                    } else {
                        self.refused(message);
                    }
                }
            }
        }
    }

    /// Takes in why there is no plan for whoever was asked.
    fn refused(&mut self, message: String) {
        if self.turn > 0 {
            self.answer(Err(message));
        } else {
            self.planned = None;
            self.problem = Some(message);
        }
    }

    /// Takes in the answer of the pane's planner that was asked, unless it was given up meanwhile.
    fn answer(&mut self, answer: Result<Box<Planned>, String>) {
        if self.asked[self.turn].is_some() {
            self.answers[self.turn - 1] = Some(answer);
        }
    }

    fn arrived(&mut self, driven: Box<Driven>, editor: &mut Editor, lab: &mut Lab) {
        self.driving = None;
        let Some((from, name)) = self.drives_from.take().filter(|_| !driven.stopped) else {
            return;
        };
        let scene = Arc::new(driven.scene.clone());
        if lab.driven(editor, (name, &from), Arc::clone(&scene)) {
            editor.time_s = scene.now_s();
            editor.playing = true;
        }
        self.driven = Some((scene, driven));
        self.drives += 1;
    }

    /// Shows a drive that was made elsewhere as a step of the history, with what came of it.
    pub(super) fn show(
        &mut self,
        name: String,
        driven: &Driven,
        scene: &Arc<Scene>,
        editor: &mut Editor,
    ) {
        if !editor.is_present(scene) {
            editor.put(format!("Show {name}"), scene.clone());
        }
        editor.time_s = scene.now_s();
        editor.playing = true;
        self.driven = Some((scene.clone(), Box::new(driven.clone())));
        self.drives += 1;
    }

    /// The mode that is taken: by hand, else the planner's choice.
    pub(super) fn taken(&self) -> Option<usize> {
        let planned = self.planned.as_ref()?;
        Some(self.by_hand.unwrap_or(planned.plan.chosen))
    }

    /// The decoder, if the plan on screen is one that the command line makes at `time_s`: with nothing set or taken by
    /// hand.
    pub(super) fn plain_plan_at(&self, time_s: f64) -> Option<Decoder> {
        let planned = self.planned.as_ref()?;
        let decoder = self.settings.decoder;
        let plain = PlanSettings {
            decoder,
            ..PlanSettings::default()
        };
        let untouched = self.by_hand.is_none() && self.step.is_none() && !self.anchors;
        let there = (planned.plan.now_s - time_s).abs() < 1e-6;
        (untouched && there && self.settings == plain).then_some(decoder)
    }

    /// What the mode that is taken scores.
    pub(super) fn score(&self) -> Option<Score> {
        Score::of(self.planned.as_ref()?, self.taken()?)
    }

    /// The score of a pane's own planner, or of the panel's, as a row of the table of panes.
    pub(super) fn explained(&self, pane: Option<usize>) -> Option<Explained> {
        let (planned, taken) = match pane {
            None => (self.planned.as_ref()?, self.taken()?),
            Some(pane) => {
                let planned = self.answers[pane].as_ref()?.as_ref().ok()?;
                (planned, planned.plan.chosen)
            }
        };
        let (scene, plan) = (&planned.scene, &planned.plan);
        let scores = scores_of(planned, taken)?;
        let evidence = scores.terms.iter().map(|term| Evidence {
            agent: plan.ego.clone(),
            other: None,
            frame: term
                .time_s
                .map(|time_s| scene.frame_at(plan.now_s + time_s).round() as usize),
            value: term.score,
            sentence: format!("{} {:.2}: {}", term.kind.label(), term.score, term.reason),
        });
        Some(Explained {
            metric: Metric {
                name: PLANNER_SCORE.to_owned(),
                value: scores.total,
                unit: String::new(),
                count: 1,
                extra: crate::map::Extra::new(),
            },
            arithmetic: scores.arithmetic.clone(),
            evidence: evidence.collect(),
        })
    }

    /// Where each token of the mode under the pointer, else of the one taken, ends, with its number in the vocabulary; of a
    /// braked one those of the mode whose way it takes.
    pub(super) fn token_marks(&self) -> Vec<(DVec2, String)> {
        let (Some(planned), Some(taken), true) = (&self.planned, self.taken(), self.tokens) else {
            return Vec::new();
        };
        let modes = &planned.plan.modes;
        let shown = self.pointed.unwrap_or(taken);
        let braked = modes.get(shown).and_then(|mode| mode.braked);
        let written = modes.get(braked.map_or(shown, |braked| braked.of));
        let Some(mode) = written.map(|planned| &planned.mode) else {
            return Vec::new();
        };
        let each = mode.points.len() / mode.tokens.len().max(1);
        let ends = mode
            .points
            .iter()
            .skip(each.max(1) - 1)
            .step_by(each.max(1));
        ends.zip(&mode.tokens)
            .map(|(point, token)| (point.position, token.to_string()))
            .collect()
    }

    /// Modes, the chosen one's tracked path, and what was before refinement, to be drawn over the scene.
    pub(super) fn paths(&self) -> Vec<Trace> {
        let (Some(planned), Some(taken)) = (&self.planned, self.taken()) else {
            return Vec::new();
        };
        let plan = &planned.plan;
        let trace = tracer(plan);
        let start = plan.modes.first().and_then(|mode| mode.path.first());
        let of_mode = |mode: &Mode| {
            let present = start.map(|state| (state.position, plan.now_s));
            let points = mode
                .points
                .iter()
                .enumerate()
                .map(|(index, point)| (point.position, plan.now_s + 0.5 * (index + 1) as f64));
            present.into_iter().chain(points).collect::<Vec<_>>()
        };
        let mut traces = Vec::new();
        if self.anchors
            && let Some(before) = before_refinement(planned)
        {
            traces.extend(
                before
                    .iter()
                    .map(|mode| trace(of_mode(mode), PathKind::Anchor, 1.0)),
            );
        }
        if let Some(step) = self.step.and_then(|step| planned.steps.get(step)) {
            let top = most(step.modes.iter().map(|mode| mode.probability));
            traces.extend(step.modes.iter().map(|mode| {
                trace(
                    of_mode(mode),
                    PathKind::Mode,
                    0.15 + 0.75 * mode.probability / top,
                )
            }));
            return traces;
        }
        traces.extend(plan_paths(plan, taken, self.pointed));
        traces
    }
}

fn tracer(plan: &Plan) -> impl Fn(Vec<(DVec2, f64)>, PathKind, f64) -> Trace {
    let ego = plan.ego.clone();
    move |points, kind, weight| Trace {
        points,
        agent: Some(ego.clone()),
        kind,
        weight,
    }
}

fn most(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(1e-9, f64::max)
}

/// A plan's route and modes, stronger the likelier, last the one taken with the path on which it is tracked. The one pointed at
/// is drawn as strongly.
pub fn plan_paths(plan: &Plan, taken: usize, pointed: Option<usize>) -> Vec<Trace> {
    let trace = tracer(plan);
    let top = most(plan.modes.iter().map(|mode| mode.mode.probability));
    let proposed =
        |mode: &PlannedMode| timed(mode.path.iter().map(|state| state.position), plan.now_s);
    let others = plan
        .modes
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != taken);
    let lanes = plan.route.iter().map(|lane| {
        let points = lane.iter().map(|point| (*point, plan.now_s));
        trace(points.collect(), PathKind::Route, 1.0)
    });
    let mut traces: Vec<Trace> = lanes.collect();
    traces.extend(others.map(|(index, mode)| {
        let share = 0.08 + 0.5 * mode.mode.probability / top;
        let weight = if pointed == Some(index) { 1.0 } else { share };
        trace(proposed(mode), PathKind::Mode, weight)
    }));
    if let Some(mode) = plan.modes.get(taken) {
        let tracked = mode.tracked.iter().map(|state| state.state.position);
        traces.push(trace(proposed(mode), PathKind::Mode, 1.0));
        traces.push(trace(timed(tracked, plan.now_s), PathKind::Sketch, 0.9));
    }
    traces
}

/// Moments of a drive with the plan that is followed at each: the last one that was made by then.
pub fn with_plans(scene: &Scene, plans: &[(usize, Plan)], mut moments: Vec<Moment>) -> Vec<Moment> {
    let drawn = |(frame, plan): &(usize, Plan)| {
        let paths = Arc::new(plan_paths(plan, plan.chosen, None));
        (scene.time_of(*frame), paths)
    };
    let drawn: Vec<(f64, Arc<Vec<Trace>>)> = plans.iter().map(drawn).collect();
    for moment in &mut moments {
        let made = drawn.partition_point(|(time_s, _)| *time_s <= moment.time_s + 1e-6);
        if let Some((_, paths)) = made.checked_sub(1).and_then(|last| drawn.get(last)) {
            moment.paths = Arc::clone(paths);
        }
    }
    moments
}

/// The frame to plan at: where the cursor is, in half seconds from the present on, never before it nor after the last
/// one in which the ego is there.
fn plan_frame(scene: &Scene, time_s: f64) -> usize {
    let ahead_s = (time_s - scene.now_s() + 1e-6).max(0.0);
    let ahead_s = (ahead_s / EVERY_S).floor() * EVERY_S;
    let frame = scene.frame_at(scene.now_s() + ahead_s).round() as usize;
    let last = scene
        .ego()
        .and_then(|ego| ego.track.valid().last())
        .map_or(frame, |(last, _)| last.max(scene.now));
    frame.min(last).min(scene.frames.saturating_sub(1))
}

/// The modes after the last token, when the last mask was filled, or as they were when denoising began.
fn before_refinement(planned: &Planned) -> Option<&[Mode]> {
    let tokens = planned.steps.iter().rfind(|step| match step.stage {
        Stage::Tokens(_) => true,
        Stage::Filling(done, _) => done <= planned.plan.settings.masked_passes,
        Stage::Denoising(..) | Stage::Flowing(..) | Stage::Waiting => false,
    });
    let first = tokens.or(planned.steps.first())?;
    Some(&first.modes)
}

fn timed(points: impl Iterator<Item = DVec2>, from_s: f64) -> Vec<(DVec2, f64)> {
    points
        .enumerate()
        .map(|(index, point)| (point, from_s + index as f64 * STEP_S))
        .collect()
}

/// Says that the planner's network cannot be used, and why.
pub(super) fn unloaded(problem: &str) -> Notice {
    let text = "The planner's network cannot be used: only the plain planners answer.";
    Notice::new(Weight::Warning, text).with_detail(problem)
}

/// Wraps a wish.
pub(super) fn wish(actions: &mut Vec<Action>, wish: PilotAction) {
    actions.push(Action::Pilot(wish));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::scene::Agent;
    use crate::scene::AgentKind;
    use crate::scene::Edit;
    use crate::scene::Role;
    use crate::scene::State;
    use crate::scene::Track;
    use crate::ui::action::Command;
    use crate::ui::editor::Document;

    /// A planner's thread without a network: the plain planners answer.
    fn planning() -> Planning {
        let pilot = Pilot::start(Box::new(|| {}), Arc::new(|| Ok(None)), None).unwrap();
        let mut planning = Planning::new(Some(pilot));
        planning.on = true;
        planning
    }

    #[test]
    fn broken_weights_are_told_and_the_plain_planners_answer() {
        let broken = Arc::new(|| Err("they are cut off".to_owned()));
        let pilot = Pilot::start(Box::new(|| {}), broken, None).unwrap();
        let mut planning = Planning::new(Some(pilot));
        planning.on = true;
        let (mut editor, mut lab) = (Editor::default(), Lab::new(None));
        let (scene, began) = (standing(), Instant::now());
        while planning.planned.is_none() {
            assert!(began.elapsed() < Duration::from_secs(60));
            planning.follow(Some(&scene), [None, None, None, None], 2.0);
            planning.hear(&mut editor, &mut lab);
        }
        assert_eq!(planning.settings.decoder, Decoder::Idm);
        assert!(planning.problem.is_none() && planning.lacks(Decoder::Idm).is_none());
        let why = planning.unloaded.as_deref();
        assert_eq!(why, Some("they are cut off"));
        let lacks = planning.lacks(Decoder::Ar).unwrap();
        assert!(lacks.contains("cannot be used"), "{lacks}");
        assert!(editor.notices[0].text.contains("cannot be used"));
    }

    fn standing() -> Arc<Scene> {
        let states = (0..101).map(|_| Some(State::along(Pose::at(0.0, 0.0, 0.0), 3.0)));
        let mut ego = Agent::new("ego", AgentKind::Vehicle, Track::new(states.collect()));
        ego.role = Role::Ego;
        Arc::new(Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            agents: vec![Arc::new(ego)],
            ..Scene::default()
        })
    }

    #[test]
    fn planners_of_panes_take_turns_with_the_panels_even_while_a_scene_changes() {
        let mut planning = planning();
        let (mut editor, mut lab) = (Editor::default(), Lab::new(None));
        let other = standing();
        let own = |decoder| [None, Some((decoder, Arc::clone(&other))), None, None];
        let began = Instant::now();
        // the scene that is worked on changes in every frame, as in a drag
        while planning.answer_in(1).score.is_none() || planning.planned.is_none() {
            assert!(began.elapsed().as_secs() < 60, "a planner waits forever");
            planning.follow(Some(&standing()), own(Decoder::ConstantVelocity), 2.0);
            planning.hear(&mut editor, &mut lab);
        }
        // another planner's modes are not shown under this one's name
        while planning.answer_in(1).score.is_some() {
            assert!(began.elapsed().as_secs() < 60);
            planning.follow(Some(&standing()), own(Decoder::Ar), 2.0);
        }
        while planning.answer_in(1).problem.is_none() {
            assert!(began.elapsed().as_secs() < 60);
            planning.follow(Some(&standing()), own(Decoder::Ar), 2.0);
            planning.hear(&mut editor, &mut lab);
        }
        let wanted = [None, None, None, None];
        planning.follow(Some(&standing()), wanted, 2.0);
        assert!(planning.answer_in(1).problem.is_none());
    }

    /// A window's planner on a document, with the panel's decoder.
    fn on_document(decoder: Decoder) -> (Planning, Editor, Lab) {
        let mut planning = planning();
        planning.settings.decoder = decoder;
        let mut editor = Editor::default();
        let scene = Scene::clone(&standing());
        editor.open(Document::new(scene, "test".to_owned(), Vec::new()));
        (planning, editor, Lab::new(None))
    }

    /// Sets the present of the scene that is edited to `frame`.
    fn edit(editor: &mut Editor, frame: usize) {
        let edits = vec![Edit::SetNow { frame }];
        editor.apply(&Action::Commit { label: None, edits });
    }

    #[test]
    fn a_drive_is_a_step_of_the_scene_it_began_in_and_else_a_sample() {
        let (mut planning, mut editor, mut lab) = on_document(Decoder::Idm);
        planning.seconds = 1.0;
        let mut drive = |editor: &mut Editor, frame: Option<usize>| {
            planning.apply(PilotAction::Drive, editor);
            planning.settings.decoder = Decoder::ConstantVelocity;
            frame.into_iter().for_each(|frame| edit(editor, frame));
            let began = Instant::now();
            while planning.driving.is_some() {
                assert!(began.elapsed().as_secs() < 60);
                planning.hear(editor, &mut lab);
            }
            let present = editor.committed().unwrap();
            let told = planning.driven(present).is_some();
            (present.now, told, lab.cases.len())
        };
        // the edit stays; the drive is kept under the planner's name at its start
        assert_eq!(drive(&mut editor, Some(21)), (21, false, 1));
        assert_eq!(drive(&mut editor, None), (21, true, 1));
        editor.apply(&Action::Run(Command::Undo));
        assert!(planning.driven(editor.committed().unwrap()).is_none());
        assert_eq!(lab.cases[0].name, "Drive with IDM");
    }

    #[test]
    fn a_planner_that_hangs_is_let_go_by_each_wish_that_asks_another() {
        let (mut planning, mut editor, mut lab) = on_document(Decoder::Own);
        planning.own.line = "sleep 60".to_owned();
        let scene = standing();
        let none = || [None, None, None, None];
        let busy = |planning: &Planning| planning.engine.as_ref().is_some_and(Pilot::busy);
        let other = PlanSettings {
            decoder: Decoder::ConstantVelocity,
            ..planning.settings.clone()
        };
        let wishes = [
            PilotAction::On(false),
            PilotAction::OwnAgain,
            PilotAction::Own("sleep 61".to_owned()),
            PilotAction::Set(Box::new(other)),
        ];
        for wish in wishes {
            planning.on = true;
            planning.follow(Some(&scene), none(), 2.0);
            assert!(busy(&planning));
            planning.apply(wish.clone(), &mut editor);
            assert!(!busy(&planning), "{wish:?}");
        }
        // a scene that is opened has no modes of the one before
        planning.follow(Some(&scene), none(), 2.0);
        planning.reset();
        assert!(!busy(&planning));
        planning.settings.decoder = Decoder::Own;
        planning.follow(Some(&scene), none(), 2.0);
        assert!(!planning.give_up());
        std::thread::sleep(NOTICEABLE);
        assert!(planning.give_up() && planning.problem.is_some());
        // the same is not asked again, something else is
        planning.follow(Some(&scene), none(), 2.0);
        assert!(!busy(&planning));
        planning.follow(Some(&scene), none(), 3.0);
        assert!(busy(&planning));
        planning.hear(&mut editor, &mut lab);
    }

    #[test]
    fn plans_are_made_at_half_seconds_from_the_present_on() {
        let scene = Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            ..Scene::default()
        };
        // 0.74 s after the present is in the second half second: frame 20 + 5
        assert_eq!(plan_frame(&scene, 2.74), 25);
        assert_eq!(plan_frame(&scene, 2.0), 20);
        assert_eq!(plan_frame(&scene, 0.3), 20);
        assert_eq!(plan_frame(&scene, 99.0), 100);
    }

    #[test]
    fn after_the_ego_has_left_the_plan_is_of_its_last_moment() {
        let states =
            (0..101).map(|frame| (frame <= 60).then(|| State::along(Pose::at(0.0, 0.0, 0.0), 0.0)));
        let mut ego = Agent::new("ego", AgentKind::Vehicle, Track::new(states.collect()));
        ego.role = Role::Ego;
        let scene = Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            agents: vec![Arc::new(ego)],
            ..Scene::default()
        };
        assert_eq!(plan_frame(&scene, 9.9), 60);
        assert_eq!(plan_frame(&scene, 4.0), 40);
    }
}
