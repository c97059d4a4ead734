//! The real window, driven by events of its own making, measures itself: how soon a drag is answered, how even the
//! frames are while the network works, what memory is left behind.
//!
//! Clocked from the moment an event is handed to the window to the beginning of the frame after the one that shows the
//! answer: laying out, painting and presenting are in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use egui::Event;
use egui::Modifiers;
use egui::PointerButton;
use egui::Pos2;
use egui::vec2;

use super::App;
use super::Start;
use super::WindowError;
use super::action::Action;
use super::action::Command;
use crate::scene::Scene;

/// Drags measured, and moves of the pointer in each.
const DRAGS: (usize, usize) = (10, 12);

/// Generations over which frames are counted.
const RUNS: usize = 20;

/// One figure: what, value, unit.
pub type Figure = (String, f64, &'static str);

/// Opens the window, drives it for a minute or two, and closes it. `generations` is how many are made before memory is
/// looked at again. Needs a model in `start`.
///
/// # Errors
/// If there is no display or no graphics adapter, or the model cannot be loaded.
pub fn measure(start: Start, generations: usize) -> Result<Vec<Figure>, WindowError> {
    let found: Arc<Mutex<Vec<Figure>>> = Arc::default();
    let sink = found.clone();
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Nearmiss measures itself")
            .with_inner_size([1440.0, 900.0]),
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        "nearmiss-measure",
        options,
        Box::new(move |context| {
            Ok(Box::new(Probe {
                app: App::new(context, start),
                stage: Stage::Wait,
                generations,
                frames: Frames::default(),
                answers: [Vec::new(), Vec::new()],
                asked: None,
                answered: false,
                began: Instant::now(),
                cpu: cpu_by_thread(),
                memory_mb: [0.0; 2],
                sink,
                events: Vec::new(),
            }))
        }),
    )
    .map_err(|error| WindowError {
        message: error.to_string(),
    })?;
    let found = found.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if found.is_empty() {
        return Err(WindowError {
            message: "it was closed before everything was measured".to_owned(),
        });
    }
    Ok(found)
}

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Until scene and model are there.
    Wait,
    /// The scene plays, so many frames.
    Play(usize),
    /// A goal is dragged: which drag, how many moves made.
    Drag(usize, usize),
    /// The drag was let go.
    Release(usize),
    /// Runs while frames are counted; how many are done.
    Run(usize),
    /// Runs until memory is looked at again.
    Fill(usize),
    /// Everything is measured.
    Over,
}

struct Probe {
    app: App,
    stage: Stage,
    generations: usize,
    frames: Frames,
    /// Answers to a move, and to the release, ms.
    answers: [Vec<f64>; 2],
    /// When the last event was handed in, and what was shown then.
    asked: Option<(Instant, Option<Arc<Scene>>)>,
    /// The answer is in the frame that was just laid out.
    answered: bool,
    began: Instant,
    cpu: BTreeMap<String, f64>,
    memory_mb: [f64; 2],
    sink: Arc<Mutex<Vec<Figure>>>,
    events: Vec<Event>,
}

#[derive(Default)]
struct Frames {
    last: Option<Instant>,
    intervals_ms: Vec<f64>,
    laid_out_ms: Vec<f64>,
}

impl Frames {
    fn count(&mut self, now: Instant, laid_out_ms: f64) {
        if let Some(last) = self.last.replace(now) {
            self.intervals_ms.push(1e3 * (now - last).as_secs_f64());
            self.laid_out_ms.push(laid_out_ms);
        }
    }
}

fn clock() -> Instant {
    Instant::now()
}

impl Probe {
    fn begin(&mut self) {
        self.frames = Frames::default();
        self.began = clock();
        self.cpu = cpu_by_thread();
    }

    fn say(&self, what: impl Into<String>, value: f64, unit: &'static str) {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.push((what.into(), value, unit));
    }

    /// Says what the frames counted since [`Probe::begin`] cost.
    fn say_frames(&self, of: &str) {
        let frames = &self.frames;
        for (name, values) in [
            ("from frame to frame", &frames.intervals_ms),
            ("on the window's own thread", &frames.laid_out_ms),
        ] {
            for (share, word) in [(0.5, "median"), (0.99, "99 %")] {
                self.say(
                    format!("{of}: {name}, {word}"),
                    quantile(values, share),
                    "ms",
                );
            }
        }
        let wall_s = self.began.elapsed().as_secs_f64();
        let now = cpu_by_thread();
        let mut spent: Vec<(f64, &str)> = now
            .iter()
            .map(|(name, s)| {
                (
                    s - self.cpu.get(name).copied().unwrap_or(0.0),
                    name.as_str(),
                )
            })
            .collect();
        spent.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (s, name) in spent.into_iter().filter(|(s, _)| *s > 0.01 * wall_s) {
            let share = 100.0 * s / wall_s;
            self.say(
                format!("{of}: share of a core, threads \"{name}\""),
                share,
                "%",
            );
        }
    }

    /// Places of the drag's pointer: on the road ahead of the ego, to and fro.
    fn place(&self, drag: usize, step: usize) -> Option<Pos2> {
        let scene = self.app.editor.committed()?;
        let ego = scene.ego()?;
        let state = ego.track.get(scene.now)?;
        let ahead = state.pose().forward() * 24.0;
        let at = self
            .app
            .place(state.position + ahead, self.app.panes.rect(0));
        let swing = (step as f32 * 0.7 + drag as f32).sin();
        Some(at + vec2(60.0 * swing, -30.0 * swing))
    }

    fn pointer(&mut self, at: Pos2, pressed: Option<bool>) {
        self.events.push(Event::PointerMoved(at));
        if let Some(pressed) = pressed {
            self.events.push(Event::PointerButton {
                pos: at,
                button: PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            });
        }
    }

    fn ask(&mut self) {
        self.asked = Some((clock(), self.app.lab.answer_shown()));
        self.answered = false;
    }

    /// One frame later: what comes next.
    fn direct(&mut self, context: &egui::Context) {
        match self.stage {
            Stage::Wait => {
                if self.app.model_ready() && self.app.editor.document().is_some() {
                    self.app.skip_first_start();
                    self.app.editor.playing = true;
                    self.memory_mb[0] = memory_mb();
                    self.begin();
                    self.stage = Stage::Play(0);
                }
            }
            Stage::Play(frames) if frames < 150 => self.stage = Stage::Play(frames + 1),
            Stage::Play(_) => {
                self.say_frames("playing");
                self.app.act(Action::Run(Command::ToPresent), context);
                self.app.act(Action::Run(Command::GoalTool), context);
                self.stage = Stage::Drag(0, 0);
            }
            Stage::Drag(drag, step) => self.drag(drag, step),
            Stage::Release(drag) => {
                if self.asked.is_some() {
                    return;
                }
                self.app.act(Action::Run(Command::Undo), context);
                self.stage = Stage::Drag(drag + 1, 0);
                if drag + 1 == DRAGS.0 {
                    self.app.act(Action::Run(Command::SelectTool), context);
                    self.begin();
                    self.stage = Stage::Run(0);
                }
            }
            Stage::Run(done) => {
                if self.app.lab.running.is_some() {
                    return;
                }
                if done < RUNS {
                    self.app.act(Action::Run(Command::NewSeed), context);
                    self.stage = Stage::Run(done + 1);
                    return;
                }
                self.say_frames("generating");
                self.memory_mb[1] = memory_mb();
                self.stage = Stage::Fill(done);
            }
            Stage::Fill(done) => {
                if self.app.lab.running.is_some() {
                    return;
                }
                if done < self.generations {
                    self.app.act(Action::Run(Command::NewSeed), context);
                    self.stage = Stage::Fill(done + 1);
                    return;
                }
                self.finish();
                self.stage = Stage::Over;
            }
            Stage::Over => {
                self.app.quitting = true;
            }
        }
    }

    fn drag(&mut self, drag: usize, step: usize) {
        match &self.asked {
            // a move that means the same as the last one is not answered
            Some((since, _)) if since.elapsed().as_secs_f64() > 5.0 => self.asked = None,
            Some(_) => return,
            None => {}
        }
        let Some(at) = self.place(drag, step) else {
            return;
        };
        match step {
            0 => self.pointer(at, None),
            1 => self.pointer(at, Some(true)),
            _ if step < DRAGS.1 + 2 => {
                self.pointer(at, None);
                self.ask();
            }
            _ => {
                self.pointer(at, Some(false));
                self.ask();
                self.stage = Stage::Release(drag);
                return;
            }
        }
        self.stage = Stage::Drag(drag, step + 1);
    }

    /// Whether what is shown now answers the last event.
    fn is_answered(&self) -> bool {
        let Some((_, before)) = &self.asked else {
            return false;
        };
        match self.stage {
            Stage::Release(_) => {
                let done = self.app.editor.committed();
                self.app.lab.running.is_none() && done.is_some_and(|s| s.generated.is_some())
            }
            _ => match (before, self.app.lab.answer_shown()) {
                (Some(before), Some(now)) => !Arc::ptr_eq(before, &now),
                (None, now) => now.is_some(),
                (Some(_), None) => false,
            },
        }
    }

    fn finish(&self) {
        for (answers, what) in self.answers.iter().zip([
            "a move of the pointer to its preview on screen",
            "release to the final result on screen",
        ]) {
            for (share, word) in [(0.5, "median"), (0.99, "99 %")] {
                self.say(
                    format!("{what}, {word} of {}", answers.len()),
                    quantile(answers, share),
                    "ms",
                );
            }
        }
        let [start, early] = self.memory_mb;
        self.say("memory with scene and model", start, "MB");
        self.say(format!("memory after {RUNS} generations"), early, "MB");
        self.say(
            format!("memory after {} generations", self.generations),
            memory_mb(),
            "MB",
        );
    }
}

impl eframe::App for Probe {
    fn logic(&mut self, context: &egui::Context, frame: &mut eframe::Frame) {
        eframe::App::logic(&mut self.app, context, frame);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let now = clock();
        if self.answered
            && let Some((since, _)) = self.asked.take()
        {
            let place = usize::from(matches!(self.stage, Stage::Release(_)));
            self.answers[place].push(1e3 * (now - since).as_secs_f64());
            self.answered = false;
        }
        let laid_out_ms = f64::from(frame.info().cpu_usage.unwrap_or(0.0)) * 1e3;
        self.frames.count(now, laid_out_ms);
        eframe::App::ui(&mut self.app, ui, frame);
        self.answered = self.is_answered();
        let context = ui.ctx().clone();
        self.direct(&context);
        context.request_repaint();
    }

    fn raw_input_hook(&mut self, context: &egui::Context, input: &mut egui::RawInput) {
        input.events.append(&mut self.events);
        eframe::App::raw_input_hook(&mut self.app, context, input);
    }
}

/// The value below which `share` of them lie; 0 of none.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (share * (sorted.len().max(1) - 1) as f64).round() as usize;
    sorted.get(at).copied().unwrap_or(0.0)
}

/// Processor time so far by name of thread, s; empty where the system does not tell.
fn cpu_by_thread() -> BTreeMap<String, f64> {
    let mut spent: BTreeMap<String, f64> = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let nanos = read("schedstat")
            .split_whitespace()
            .next()
            .and_then(|n| n.parse::<f64>().ok());
        // numbered threads of one kind count together
        let name = read("comm")
            .trim()
            .trim_end_matches(|c: char| c.is_ascii_digit() || c == '-')
            .to_owned();
        *spent.entry(name).or_default() += nanos.unwrap_or(0.0) * 1e-9;
    }
    spent
}

/// Memory in use, MB; 0 where the system does not tell.
fn memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), 50.0);
        assert_eq!(quantile(&values, 0.99), 99.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
