//! What an export is made of: the choices of its dialog and the order that follows from them. The command line that does
//! the same is made in `line`.

mod line;

pub(super) use line::command_file;
pub(super) use line::quoted;
pub(super) use line::quoted_path;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use line::Line;
use line::command_input;
use line::short;

use super::compare::Mode;
use super::compare::joined_title;
use super::editor::Editor;
use super::exporter::Case;
use super::exporter::Order;
use super::exporter::Part;
use super::exporter::Reel;
use super::exporter::Show;
use super::lab::Lab;
use super::panes::Panes;
use super::pilot::Planning;
use super::pilot::with_plans;
use super::sources;
use super::sources::View;
use super::trial;
use super::trial::Trial;
use crate::data::Target;
use crate::engine::Steps;
use crate::generator::cut;
use crate::geometry::dvec2;
use crate::planner;
use crate::planner::Decoder;
use crate::planner::plan_json;
use crate::render::GAP;
use crate::render::Look;
use crate::render::Moment;
use crate::render::Path as Trace;
use crate::render::Style;
use crate::render::ViewOptions;
use crate::scene::Scene;

/// What kind of file is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The scene with its recipe.
    Case,
    /// The scene in another program's format.
    Foreign,
    /// A PNG.
    Picture,
    /// A GIF, or numbered PNGs.
    Clip,
    /// A CSV.
    Table,
    /// A folder with a page for a browser.
    Report,
}

/// Which scenes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The one on screen.
    Present,
    /// The samples of the last request.
    Samples,
    /// The tray.
    Tray,
    /// What the last sweep made that passes every gate.
    Sweep,
}

/// What a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// The pane with the scene that is worked on, else the first.
    Pane,
    /// Everything on screen: all panes, or two sources in one.
    Panes,
    /// Moments of the scene, side by side.
    Film,
    /// Denoising steps, side by side.
    Denoise,
}

/// What goes on in a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    /// Scene time.
    Scene,
    /// Denoising steps.
    Denoise,
    /// One, then the other.
    Both,
}

/// The choices of the dialog. They stay from one export to the next.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choices {
    /// Kind of file.
    pub kind: Kind,
    /// Which cases are written, or measured.
    pub which: Which,
    /// From the first frame the model reads to the end of what it makes, instead of the whole scene.
    pub window: bool,
    /// The format of [`Kind::Foreign`].
    pub format: Target,
    /// Write the denoising steps beside the case.
    pub steps: bool,
    /// Write the planner's modes beside the case.
    pub modes: bool,
    /// Samples, or the tray, in one file instead of one each.
    pub bundle: bool,
    /// What a picture shows.
    pub shown: Shown,
    /// Pictures in a strip.
    pub count: usize,
    /// First and last moment of a strip or clip, s.
    pub span_s: [f64; 2],
    /// Name of the colours: dark, light or print.
    pub style: &'static str,
    /// Pixels per point.
    pub scale: f64,
    /// Shapes and colours are explained.
    pub legend: bool,
    /// The time stands in a corner.
    pub caption: bool,
    /// The planner's modes are drawn in a picture of panes, as on screen.
    pub plan: bool,
    /// What goes on in a clip.
    pub along: Along,
    /// A clip of everything on screen instead of one pane.
    pub all_panes: bool,
    /// Numbered pictures instead of a GIF.
    pub frames: bool,
    /// Frames per second.
    pub fps: f64,
    /// Width of a clip, points; its height follows from the pane.
    pub width: u32,
    /// One row per denoising step instead of one per case.
    pub per_step: bool,
    /// Folder and name without an ending.
    pub folder: String,
    /// Name without an ending.
    pub stem: String,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            kind: Kind::Case,
            which: Which::Present,
            window: false,
            format: Target::OpenScenario,
            steps: false,
            modes: false,
            bundle: false,
            shown: Shown::Pane,
            count: 6,
            span_s: [0.0, 0.0],
            style: "dark",
            scale: 2.0,
            legend: true,
            caption: true,
            plan: true,
            along: Along::Scene,
            all_panes: false,
            frames: false,
            fps: 10.0,
            width: 800,
            per_step: false,
            folder: String::new(),
            stem: String::new(),
        }
    }
}

/// The state of the window that exports are made from.
pub(super) struct Source<'a> {
    /// Document and time.
    pub editor: &'a Editor,
    /// Samples, tray, denoising steps.
    pub lab: &'a Lab,
    /// The planner's modes.
    pub planning: &'a Planning,
    /// Cameras and what is drawn.
    pub panes: &'a Panes,
    /// What the sources on screen hold.
    pub views: &'a [View],
    /// What planners came to in cases.
    pub trial: &'a Trial,
    /// The folder for scenes that a command line reads.
    pub commands: PathBuf,
}

/// An order with the command line that does the same.
pub(super) struct Plan {
    /// What the export thread is asked.
    pub order: Order,
    /// The line, if there is one.
    pub command: Option<String>,
    /// Scenes the line reads that are not on the disk as they are, with where they go.
    pub needs: Vec<(Arc<Scene>, PathBuf)>,
}

impl Choices {
    /// Sets the moments to the whole of `scene`.
    pub(super) fn whole(&mut self, scene: &Scene) {
        self.span_s = [0.0, scene.made_end_s().unwrap_or(scene.duration_s())];
    }

    /// The file or folder that is written.
    pub(super) fn target(&self) -> PathBuf {
        let folder = Path::new(self.folder.trim());
        let stem = match self.stem.trim() {
            "" => "scene",
            stem => stem,
        };
        let many = self.which != Which::Present;
        match (self.kind, self.frames) {
            (Kind::Case, _) if many && !self.bundle => folder.join(stem),
            (Kind::Foreign, _) if many => folder.join(stem),
            (Kind::Foreign, _) => folder.join(format!("{stem}{}", self.format.ending())),
            (Kind::Case, _) => folder.join(format!("{stem}.json")),
            (Kind::Picture, _) => match self.shown {
                Shown::Pane => folder.join(format!("{stem}.png")),
                Shown::Panes => folder.join(format!("{stem}-panes.png")),
                Shown::Film => folder.join(format!("{stem}-film.png")),
                Shown::Denoise => folder.join(format!("{stem}-steps.png")),
            },
            (Kind::Clip, frames) => {
                let panes = if self.all_panes { "-panes" } else { "" };
                let ending = if frames { "-frames" } else { ".gif" };
                folder.join(format!("{stem}{panes}{ending}"))
            }
            (Kind::Table, _) if self.per_step => folder.join(format!("{stem}-steps.csv")),
            (Kind::Table, _) => folder.join(format!("{stem}.csv")),
            (Kind::Report, _) => folder.join(format!("{stem}-report")),
        }
    }

    /// What is to be done; a sentence if it cannot be.
    pub(super) fn plan(&self, source: &Source<'_>) -> Result<Plan, String> {
        let scene = source.editor.committed().ok_or("Open a scene first.")?;
        match self.kind {
            Kind::Case => self.cases(source, scene),
            Kind::Foreign => self.foreign(source, scene),
            Kind::Picture => self.picture(source, scene),
            Kind::Clip => self.clip(source, scene),
            Kind::Table => self.table(source, scene),
            Kind::Report => self.report(source, scene),
        }
    }

    /// How large the clip or the cases of a plan will be, and whether something would be replaced, as an order.
    pub(super) fn estimate(&self, plan: &Plan) -> Order {
        let path = self.target();
        let scenes = match plan.order.clone() {
            Order::Clip {
                show, fps, frames, ..
            } => {
                return Order::Estimate {
                    show,
                    fps,
                    frames,
                    path,
                };
            }
            Order::Cases { cases, .. } => cases.into_iter().map(|(scene, _)| scene).collect(),
            Order::Bundle { cases, .. } => cases.into_iter().map(|(_, scene)| scene).collect(),
            _ => Vec::new(),
        };
        Order::Weigh { scenes, path }
    }

    /// The chosen cases with their names.
    fn chosen(&self, source: &Source<'_>, scene: &Arc<Scene>) -> Vec<(String, Arc<Scene>)> {
        match self.which {
            Which::Present => vec![(name_of(scene, self.stem.trim()), scene.clone())],
            Which::Samples => {
                let cases = source.lab.cases.iter();
                cases
                    .map(|case| (case.name.clone(), case.scene.clone()))
                    .collect()
            }
            Which::Tray => source.lab.tray.scenes(),
            Which::Sweep => source.lab.sweep.valid(),
        }
    }

    /// The chosen cases, cut to the model's window where that is asked for.
    fn cut(
        &self,
        source: &Source<'_>,
        scene: &Arc<Scene>,
    ) -> Result<Vec<(String, Arc<Scene>)>, String> {
        let mut chosen = self.chosen(source, scene);
        if chosen.is_empty() {
            return Err(self.nothing_chosen());
        }
        if self.window {
            for (_, scene) in &mut chosen {
                *scene = Arc::new(model_window(scene));
            }
        }
        Ok(chosen)
    }

    fn foreign(&self, source: &Source<'_>, scene: &Arc<Scene>) -> Result<Plan, String> {
        let target = self.target();
        let chosen = self.cut(source, scene)?;
        let ending = self.format.ending();
        let cases = match (self.which, chosen.as_slice()) {
            (Which::Present, [(_, scene)]) => vec![(scene.clone(), target.clone())],
            _ => numbered(&chosen, &target, ending),
        };
        let (command, needs) = match self.which {
            Which::Present => {
                let (input, needs) = command_input(&source.commands, &chosen);
                let (from, to) = (quoted_path(&input), quoted_path(&target));
                (Some(format!("nearmiss convert {from} {to}")), needs)
            }
            Which::Samples | Which::Tray | Which::Sweep => (None, Vec::new()),
        };
        Ok(Plan {
            needs,
            order: Order::Foreign {
                cases,
                format: self.format,
            },
            command,
        })
    }

    fn cases(&self, source: &Source<'_>, scene: &Arc<Scene>) -> Result<Plan, String> {
        let target = self.target();
        let chosen = self.cut(source, scene)?;
        let made = chosen.iter().all(|(_, scene)| scene.generated.is_some());
        // a case is made again by its own recipe
        let again = target.with_extension("again");
        let (command, needs) = match made {
            true => {
                let (input, needs) = command_input(&source.commands, &chosen);
                let (input, again) = (quoted_path(&input), quoted_path(&again));
                let line = format!("nearmiss generate {input} --again --out {again}");
                (Some(line), needs)
            }
            false => (None, Vec::new()),
        };
        if self.bundle && self.which != Which::Present {
            return Ok(Plan {
                order: Order::Bundle {
                    cases: chosen,
                    path: target,
                },
                command,
                needs,
            });
        }
        let cases: Vec<(Arc<Scene>, PathBuf)> = match (self.which, chosen.as_slice()) {
            (Which::Present, [(_, scene)]) => vec![(scene.clone(), target.clone())],
            _ => numbered(&chosen, &target, ".json"),
        };
        let steps = (self.steps && self.which == Which::Present)
            .then(|| steps(source, &cases[0].0, scene))
            .transpose()?;
        let modes = (self.modes && self.which == Which::Present)
            .then(|| modes(source))
            .transpose()?;
        Ok(Plan {
            needs,
            order: Order::Cases {
                cases,
                steps,
                modes,
            },
            command,
        })
    }

    fn nothing_chosen(&self) -> String {
        match self.which {
            Which::Present => "Open a scene first.",
            Which::Samples => "There are no samples: generate several first.",
            Which::Tray => "The tray is empty: keep a case first, key K.",
            Which::Sweep => "There is nothing of a sweep: make one first, Ctrl+Shift+V.",
        }
        .to_owned()
    }

    fn picture(&self, source: &Source<'_>, scene: &Arc<Scene>) -> Result<Plan, String> {
        let path = self.target();
        let time_s = (source.editor.time_s * 1e4).round() / 1e4;
        let mut line = Line::new(source, scene, &path);
        let show = match self.shown {
            Shown::Pane | Shown::Panes => {
                let moment = |pane: usize, scene: &Arc<Scene>| {
                    let mut moment = Moment::of(scene, time_s);
                    moment.paths = self.modes(source, pane);
                    Reel::Moments(vec![moment])
                };
                let show = match self.shown == Shown::Panes && source.panes.sources_shown() > 1 {
                    true => {
                        let planned = |pane| !self.modes(source, pane).is_empty();
                        line.inexact = (0..source.panes.sources_shown()).any(planned);
                        self.on_screen(source, &mut line, (self.scale, None), moment)?
                    }
                    false => {
                        let works = source.panes.working_pane();
                        self.modes_in_line(source, works, time_s, &mut line);
                        let (shown, _) = source.shown(works);
                        let look = self.look(source, source.place(works), self.scale, None);
                        let reel = moment(works, &shown);
                        line.scenes(vec![shown]);
                        Show::of(look, reel)
                    }
                };
                line.number("--time", time_s);
                show
            }
            Shown::Film => {
                let [from_s, to_s] = self.span_s;
                let moments = Moment::spread(scene, from_s, to_s, self.count);
                line.word("--at");
                for moment in &moments {
                    line.word(&short(moment.time_s));
                }
                let look = self.look(source, 0, self.scale, Some(STRIP));
                Show::of(look, Reel::Moments(moments))
            }
            Shown::Denoise => {
                let steps = steps(source, scene, scene)?;
                line.word(&format!("--along denoise --count {}", self.count));
                line.number("--time", time_s);
                let look = self.look(source, 0, self.scale, Some(STRIP));
                Show::of(look, Reel::Denoise(steps, Some(self.count), time_s))
            }
        };
        let part = show.parts.first().ok_or("there is nothing to draw")?;
        line.look(&part.look, source.panes);
        let strip = matches!(self.shown, Shown::Film | Shown::Denoise);
        Ok(line.plan(Order::Picture { show, strip, path }))
    }

    /// The words for the planner's modes in the picture of a pane.
    fn modes_in_line(&self, source: &Source<'_>, pane: usize, time_s: f64, line: &mut Line) {
        if self.modes(source, pane).is_empty() {
            return;
        }
        match source.planning.plain_plan_at(time_s) {
            Some(decoder) if source.panes.planners[pane.min(3)].is_none() => {
                line.word(&format!("--plan {}", decoder.key()));
                if decoder == Decoder::Own {
                    let command = quoted(&source.planning.own.line);
                    line.word(&format!("--own {command}"));
                }
            }
            _ => line.inexact = true,
        }
    }

    /// Everything on screen as it is compared there, with the words for it; `reel` is asked for what each pane shows,
    /// and `points` are those of each part.
    fn on_screen(
        &self,
        source: &Source<'_>,
        line: &mut Line,
        (scale, points): (f64, Option<[u32; 2]>),
        reel: impl Fn(usize, &Arc<Scene>) -> Reel,
    ) -> Result<Show, String> {
        let panes = source.panes;
        if let Some(empty) = (0..panes.sources_shown()).find(|pane| source.is_empty(*pane)) {
            let (_, title) = source.shown(empty);
            return Err(format!(
                "Pane {}, {title}, is empty: there is nothing to draw in it.",
                empty + 1
            ));
        }
        let mode = panes.compare;
        // rounded as the command line says it
        let share = (f64::from(panes.wipe) * 1e4).round() / 1e4;
        let part = |pane: usize| {
            let (scene, title) = source.shown(pane);
            Part {
                look: self.look(source, source.place(pane), scale, points),
                reel: reel(pane, &scene),
                beside: None,
                title: match self.planner_named(source, pane) {
                    Some(planner) => format!("{title}, {planner}"),
                    None => title.to_owned(),
                },
            }
        };
        let (shown, wipe) = match mode {
            Mode::Side => ((0..panes.count).collect(), None),
            Mode::Wipe => (vec![0, 1], Some(share)),
            Mode::Overlay | Mode::Difference => (vec![1 - panes.base(0), panes.base(0)], None),
        };
        let mut parts: Vec<Part> = shown.iter().map(|pane| part(*pane)).collect();
        line.scenes(shown.iter().map(|pane| source.shown(*pane).0).collect());
        line.inexact |= !panes.linked && mode == Mode::Side;
        line.word("--titles");
        for part in &parts {
            line.word(&quoted(&part.title));
        }
        match mode {
            Mode::Side => line.word(&format!("--columns {COLUMNS}")),
            Mode::Wipe => {
                line.word("--compare wipe");
                line.number("--wipe", share);
            }
            Mode::Overlay => line.word("--compare overlay"),
            Mode::Difference => line.word("--compare difference"),
        }
        if matches!(mode, Mode::Overlay | Mode::Difference) {
            let (other, _) = source.shown(1 - panes.base(0));
            let apart = mode == Mode::Difference;
            let ghosts = parts.remove(0).title;
            for part in &mut parts {
                part.beside = Some((other.clone(), apart));
                part.title = joined_title(&ghosts, &part.title, apart);
            }
        }
        Ok(Show {
            parts,
            columns: COLUMNS,
            wipe,
        })
    }

    /// The planner whose modes are drawn in a pane.
    fn planner_named(&self, source: &Source<'_>, pane: usize) -> Option<&'static str> {
        let drawn = self.kind == Kind::Picture && !self.modes(source, pane).is_empty();
        let own = source.panes.planners[pane.min(3)];
        drawn.then(|| own.unwrap_or(source.planning.settings.decoder).label())
    }

    /// The plans that were followed in a drive, if they are to be drawn.
    fn plans_of<'a>(
        &self,
        source: &'a Source<'_>,
        shown: &Arc<Scene>,
    ) -> Option<&'a [(usize, planner::Plan)]> {
        let driven = source.planning.driven(shown).filter(|_| self.plan)?;
        (!driven.plans.is_empty()).then_some(&*driven.plans)
    }

    fn clip(&self, source: &Source<'_>, scene: &Arc<Scene>) -> Result<Plan, String> {
        let path = self.target();
        let [from_s, to_s] = self.span_s;
        let now_s = scene.now_s();
        let steps = match self.along {
            Along::Scene => None,
            Along::Denoise | Along::Both => Some(steps(source, scene, scene)?),
        };
        let reel = |shown: &Arc<Scene>| {
            let film = || {
                let film = Moment::film(shown, from_s, to_s, self.fps);
                match self.plans_of(source, shown) {
                    Some(plans) => with_plans(shown, plans, film),
                    None => film,
                }
            };
            // whoever has no steps waits at the present
            let still = |steps: &Steps| vec![Moment::of(shown, now_s); steps.count()];
            match (&steps, self.along, Arc::ptr_eq(shown, scene)) {
                (None, ..) => Reel::Moments(film()),
                (Some(steps), Along::Denoise, true) => Reel::Denoise(steps.clone(), None, now_s),
                (Some(steps), _, true) => Reel::Both(steps.clone(), now_s, film()),
                (Some(steps), Along::Denoise, false) => Reel::Moments(still(steps)),
                (Some(steps), _, false) => {
                    let mut moments = still(steps);
                    moments.extend(film());
                    Reel::Moments(moments)
                }
            }
        };
        let mut line = Line::new(source, scene, &path);
        let several = self.all_panes && source.panes.sources_shown() > 1;
        let columns = match source.panes.compare {
            Mode::Side if several => COLUMNS as u32,
            _ => 1,
        };
        let works = source.place(source.panes.working_pane());
        let size = source.panes.rect(works).size();
        // the gaps are part of the width
        let width = (self.width.clamp(64, 4096) - GAP as u32 * (columns - 1)) / columns;
        let shape = f64::from(size.y) / f64::from(size.x).max(1.0);
        let height = (f64::from(width) * shape).round().clamp(64.0, 4096.0) as u32;
        let points = Some([width, height]);
        let show = if several {
            self.on_screen(source, &mut line, (1.0, points), |_, shown| reel(shown))?
        } else {
            Show::of(self.look(source, works, 1.0, points), reel(scene))
        };
        line.inexact |= self.plans_of(source, scene).is_some();
        // the command line knows the steps of every scene that was generated, the window those of the last run
        let others = (0..source.panes.sources_shown()).map(|pane| source.shown(pane).0);
        let mut others = others.filter(|shown| several && !Arc::ptr_eq(shown, scene));
        let stands = others.any(|shown| shown.generated.is_some());
        line.inexact |= self.along != Along::Scene && stands;
        if self.frames {
            line.out_folder();
        }
        match self.along {
            Along::Scene => {}
            Along::Denoise => line.word("--along denoise"),
            Along::Both => line.word("--along both"),
        }
        if self.along != Along::Denoise {
            line.number("--time", from_s);
            line.number("--seconds", to_s - from_s);
        }
        line.number("--fps", self.fps);
        let part = show.parts.first().ok_or("there is nothing to draw")?;
        line.look(&part.look, source.panes);
        Ok(line.plan(Order::Clip {
            show,
            fps: self.fps,
            path,
            frames: self.frames,
        }))
    }

    fn table(&self, source: &Source<'_>, scene: &Arc<Scene>) -> Result<Plan, String> {
        let path = self.target();
        if self.per_step {
            let steps = steps(source, scene, scene)?;
            let mut line = Line::new(source, scene, &path);
            line.verb = "score";
            line.word("--steps");
            return Ok(line.plan(Order::StepTable { steps, path }));
        }
        let chosen = self.chosen(source, scene);
        if chosen.is_empty() {
            return Err(self.nothing_chosen());
        }
        let mut line = Line::new(source, scene, &path);
        line.verb = "score";
        if self.which != Which::Present {
            let (input, needs) = command_input(&source.commands, &chosen);
            (line.inputs, line.needs) = (vec![input], needs);
        }
        Ok(line.plan(Order::CaseTable {
            cases: chosen,
            path,
        }))
    }

    /// A page of the chosen cases, with what planners came to in them as far as they have driven.
    fn report(&self, source: &Source<'_>, scene: &Arc<Scene>) -> Result<Plan, String> {
        let path = self.target();
        let chosen = self.chosen(source, scene);
        if chosen.is_empty() {
            return Err(self.nothing_chosen());
        }
        let tried = source.trial.sheet.as_ref();
        let case = |(name, scene): &(String, Arc<Scene>)| {
            let scene_named = named(scene, name);
            Case {
                name: scene_named.name.clone(),
                drives: tried.map_or_else(Vec::new, |sheet| sheet.drives(scene)),
                scene: scene_named,
            }
        };
        let cases: Vec<Case> = chosen.iter().map(case).collect();
        let mut line = Line::new(source, scene, &path);
        line.verb = "report";
        if self.which != Which::Present {
            let named = cases
                .iter()
                .map(|case| (case.name.clone(), case.scene.clone()));
            let (input, needs) = command_input(&source.commands, &named.collect::<Vec<_>>());
            (line.inputs, line.needs) = (vec![input], needs);
        }
        let driven = cases.iter().filter(|case| !case.drives.is_empty()).count();
        if let Some(sheet) = tried.filter(|_| driven > 0) {
            match sheet.words().filter(|_| driven == cases.len()) {
                Some(words) => line.word(&words),
                None => line.inexact = true,
            }
        }
        let title = match self.which {
            Which::Present => name_of(scene, self.stem.trim()),
            Which::Samples | Which::Tray | Which::Sweep => self.stem.trim().to_owned(),
        };
        line.word(&format!("--title {}", quoted(&title)));
        if self.style != "dark" {
            line.word(&format!("--style {}", self.style));
        }
        let swept = source.lab.sweep.sheet.as_ref();
        let maps = match swept.filter(|_| self.which == Which::Sweep) {
            Some(swept) => swept.maps(tried),
            None => Vec::new(),
        };
        line.inexact |= !maps.is_empty();
        Ok(line.plan(Order::Report {
            title,
            maps,
            style: self.style,
            drove: tried
                .filter(|_| driven > 0)
                .map_or(String::new(), trial::Sheet::drove),
            cases,
            path,
        }))
    }

    /// The planner's modes in a pane, if they are to be drawn.
    fn modes(&self, source: &Source<'_>, pane: usize) -> Arc<Vec<Trace>> {
        let (plan, panes) = (source.planning, source.panes);
        let paths = match (self.plan && plan.on, panes.planners[pane.min(3)]) {
            (false, _) => Vec::new(),
            (true, Some(_)) => plan.answer_in(pane).paths,
            (true, None) if panes.sources[pane.min(3)] == sources::Source::Scene => plan.paths(),
            (true, None) => Vec::new(),
        };
        Arc::new(paths)
    }

    /// How a pane is drawn; `points` are the picture's, the pane's own if absent.
    fn look(&self, source: &Source<'_>, pane: usize, scale: f64, points: Option<[u32; 2]>) -> Look {
        let size = source.panes.rect(pane).size();
        let own = [
            size.x.round().max(64.0) as u32,
            size.y.round().max(64.0) as u32,
        ];
        let points = points.unwrap_or(own);
        let mut camera = source.panes.camera(pane);
        // what fits the pane fits the picture
        let factor = (f64::from(points[0]) / f64::from(own[0]))
            .min(f64::from(points[1]) / f64::from(own[1]));
        // rounded as the command line says it, so that both draw the same
        let rounded = |value: f64| (value * 1e4).round() / 1e4;
        camera.centre = dvec2(rounded(camera.centre.x), rounded(camera.centre.y));
        let across = f64::from(points[0]);
        camera.points_per_m = across / rounded(across / (camera.points_per_m * factor)).max(1e-4);
        camera.up = rounded(camera.up.to_degrees()).to_radians();
        let pixels = |side: u32| (f64::from(side) * scale).round() as u32;
        Look {
            style: Style::named(self.style).unwrap_or_default(),
            size: points.map(pixels),
            scale,
            camera,
            follow: false,
            legend: self.legend,
            caption: self.caption,
            options: ViewOptions {
                trails: source.panes.trails,
                names: source.panes.names,
                hidden: source.editor.hidden.clone(),
                grid: source.panes.grid,
                log_ghosts: source.panes.log_ghosts,
                ..ViewOptions::default()
            },
        }
    }
}

/// Panes in a row of a picture or clip of several.
const COLUMNS: usize = 2;

/// Points of one picture of a strip.
const STRIP: [u32; 2] = [420, 420];

impl Source<'_> {
    /// Whether a pane has nothing to show.
    fn is_empty(&self, pane: usize) -> bool {
        let view = self.views.get(pane);
        self.panes.sources[pane.min(3)] != sources::Source::Scene
            && view.is_none_or(|view| view.scene.is_none())
    }

    /// Whether the scene is what the planner drove, with its plans.
    pub(super) fn driven(&self) -> bool {
        let scene = self.editor.committed();
        let driven = scene.and_then(|scene| self.planning.driven(scene));
        driven.is_some_and(|driven| !driven.plans.is_empty())
    }

    /// The pane whose place on screen a source has: two that are compared in one share the first.
    fn place(&self, pane: usize) -> usize {
        if self.panes.joined_in_one() { 0 } else { pane }
    }

    /// The scene a pane shows, without the drag in progress, and its title.
    fn shown(&self, pane: usize) -> (Arc<Scene>, &'static str) {
        let source = self.panes.sources[pane.min(3)];
        let scene = match source {
            sources::Source::Scene => self.editor.committed().cloned(),
            _ => self.views.get(pane).and_then(|view| view.scene.clone()),
        };
        let present = || self.editor.committed().cloned().unwrap_or_default();
        (scene.unwrap_or_else(present), source.word())
    }
}

/// The scene from the first frame the model reads (2 s of history) to its end.
fn model_window(scene: &Scene) -> Scene {
    let history_s = crate::codec::NOW as f64 * crate::codec::DT_S;
    let start_s = (scene.now_s() - history_s).max(0.0);
    cut(scene, start_s, scene.duration_s(), None)
}

/// The last run's steps, if `scene` is its result.
fn steps(source: &Source<'_>, scene: &Arc<Scene>, asked: &Arc<Scene>) -> Result<Steps, String> {
    let log = source.lab.steps_of(asked).ok_or(
        "There are no denoising steps of this scene: generate it first (R). Steps are kept of the last run only.",
    )?;
    Ok(Steps {
        log: log.clone(),
        result: scene.clone(),
    })
}

/// The plan on screen as the text of a file.
fn modes(source: &Source<'_>) -> Result<String, String> {
    let planned = source.planning.planned.as_ref().ok_or(
        "There are no modes of the planner: let it plan first (panel Planner, \"Plan along with what is shown\").",
    )?;
    let value = plan_json(&planned.plan, planned.outcome.as_deref());
    Ok(format!("{value:#}\n"))
}

/// `01-name.json` and so on in a folder.
fn numbered(
    cases: &[(String, Arc<Scene>)],
    folder: &Path,
    ending: &str,
) -> Vec<(Arc<Scene>, PathBuf)> {
    let path =
        |at: usize, name: &str| folder.join(format!("{:02}-{}{ending}", at + 1, file_stem(name)));
    cases
        .iter()
        .enumerate()
        .map(|(at, (name, scene))| (scene.clone(), path(at, name)))
        .collect()
}

/// A scene whose own name tells it from others: the name of a case is put behind that of the scene it is of.
fn named(scene: &Arc<Scene>, name: &str) -> Arc<Scene> {
    if scene.name.contains(name) {
        return scene.clone();
    }
    let mut named = Scene::clone(scene);
    named.name = match scene.name.is_empty() {
        true => name.to_owned(),
        false => format!("{} · {name}", scene.name),
    };
    Arc::new(named)
}

fn name_of(scene: &Scene, stem: &str) -> String {
    match scene.name.is_empty() {
        true => stem.to_owned(),
        false => scene.name.clone(),
    }
}

/// Letters and digits of a name, joined by hyphens.
pub(super) fn file_stem(name: &str) -> String {
    let words: Vec<String> = name
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    if words.is_empty() {
        "scene".to_owned()
    } else {
        words.join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_keep_letters_and_digits() {
        assert_eq!(file_stem("Left turn, 2 cars!"), "left-turn-2-cars");
        assert_eq!(file_stem("///"), "scene");
    }

    #[test]
    fn targets_follow_kind_and_number_of_cases() {
        let mut choices = Choices {
            folder: "/tmp/x".to_owned(),
            stem: "turn".to_owned(),
            ..Choices::default()
        };
        let target = |choices: &Choices| choices.target().display().to_string();
        assert_eq!(target(&choices), "/tmp/x/turn.json");
        choices.which = Which::Tray;
        assert_eq!(target(&choices), "/tmp/x/turn");
        choices.kind = Kind::Clip;
        assert_eq!(target(&choices), "/tmp/x/turn.gif");
        choices.frames = true;
        assert_eq!(target(&choices), "/tmp/x/turn-frames");
        choices.all_panes = true;
        assert_eq!(target(&choices), "/tmp/x/turn-panes-frames");
    }
}
