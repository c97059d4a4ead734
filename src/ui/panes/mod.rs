//! One, two or four views of the scene: cameras, pointer gestures, and what is drawn over the canvas.

mod pointer;

use std::sync::Arc;

use egui::Id;
use egui::Key;
use egui::Pos2;
use egui::Rect;
use egui::Response;
use egui::Role as Semantic;
use egui::Sense;
use egui::Ui;
use egui::Vec2;
use egui::WidgetInfo;
use egui::vec2;

use crate::geometry::DVec2;
use crate::geometry::dvec2;
use crate::planner::Decoder;
use crate::render::Camera;
use crate::render::Ghosts;
use crate::render::Names;
use crate::render::NoiseView;
use crate::render::Path;
use crate::render::Style;
use crate::render::Trails;
use crate::render::ViewOptions;
use crate::scene::AgentId;
use crate::scene::Scene;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::canvas::Canvas;
use crate::ui::compare;
use crate::ui::compare::Changes;
use crate::ui::compare::Distinctions;
use crate::ui::compare::Mode;
use crate::ui::editor::Editor;
use crate::ui::lights;
use crate::ui::lights::Light;
use crate::ui::lights::light_at;
use crate::ui::overlay;
use crate::ui::pane_header;
use crate::ui::pilot::PaneAnswer;
use crate::ui::reasons;
use crate::ui::sources::Source;
use crate::ui::sources::View;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::tools::Gesture;
use crate::ui::tools::Meaning;
use crate::ui::tools::Tool;
use crate::ui::variants::Variant;
use crate::ui::wipe;

/// A view onto the ground inside a rectangle of the window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    /// The camera.
    pub camera: Camera,
    /// Where the view lies in the window, points.
    pub rect: Rect,
}

impl Screen {
    /// Where a world point appears in the window.
    pub(super) fn place(&self, point: DVec2) -> Pos2 {
        let at = self.camera.screen_from_world(point, self.size());
        self.rect.min + vec2(at.x as f32, at.y as f32)
    }

    /// The world point under a point of the window.
    pub(super) fn world(&self, at: Pos2) -> DVec2 {
        let local = at - self.rect.min;
        let local = dvec2(f64::from(local.x), f64::from(local.y));
        self.camera.world_from_screen(local, self.size())
    }

    /// Size of a point on screen, m.
    pub(super) fn metre(&self) -> f64 {
        self.camera.metres(1.0)
    }

    fn size(&self) -> DVec2 {
        dvec2(
            f64::from(self.rect.width()).max(1.0),
            f64::from(self.rect.height()).max(1.0),
        )
    }
}

/// What the panes show, and what generation adds to those of the scene that is worked on.
#[derive(Default)]
pub(super) struct Made {
    /// One per source on screen.
    pub views: Vec<View>,
    /// Shown in place of the editor's scene: a step, a run in progress, the answer to a drag.
    pub scene: Option<Arc<Scene>>,
    /// Noise levels.
    pub noise: Option<Arc<NoiseView>>,
    /// Paths beyond those of the agents and planners: a candidate's, the ego's escape, earlier steps.
    pub paths: Arc<Vec<Path>>,
    /// Ends of trajectory tokens with their numbers.
    pub tokens: Vec<(DVec2, String)>,
    /// The planner of the panel on the scene that is worked on.
    pub answer: PaneAnswer,
    /// The planners of the panes' own, of those that have one.
    pub answers: [Option<PaneAnswer>; 4],
}

/// Where a camera shall go at the next frame, when the size of its pane is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Around the ego.
    Open,
    /// All agents.
    All,
    /// The whole map.
    Map,
    /// The selection, else the ego.
    Selection,
}

/// The panes and how they show the scene.
pub(super) struct Panes {
    /// 1, 2 or 4.
    pub count: usize,
    /// All panes share the first camera.
    pub linked: bool,
    /// What each pane shows.
    pub sources: [Source; 4],
    /// Seed and schedule of each pane that shows a run of its own.
    pub variants: [Variant; 4],
    /// The planner of each pane that has one of its own; the scene that is worked on else has the panel's, other sources
    /// none.
    pub planners: [Option<Decoder>; 4],
    /// How the first two sources are shown.
    pub compare: Mode,
    /// Where the wipe handle stands, a share of the width.
    pub wipe: f32,
    /// Whose paths are drawn.
    pub trails: Trails,
    /// Whose names are drawn.
    pub names: Names,
    /// The recorded future is drawn under the edited one.
    pub log_ghosts: bool,
    /// A metre grid is drawn.
    pub grid: bool,
    /// It is said what shapes and colours stand for.
    pub legend: bool,
    /// The view keeps the selected agent in its middle.
    pub follow: bool,
    /// The view turns with the ego.
    pub heading_up: bool,
    /// The pointer is over a canvas.
    pub hovered: bool,
    /// World point under the pointer and the lane there.
    pub under: Option<(DVec2, Option<String>)>,
    area: Rect,
    cameras: [Camera; 4],
    canvases: [Canvas; 4],
    wish: Option<Wish>,
    gesture: Option<(Gesture, usize)>,
    meaning: Meaning,
    /// The last measure, from where to where, and its words; gone with the next press or Escape.
    measured: Option<(DVec2, DVec2, String)>,
    hover: Option<AgentId>,
    menu_for: Option<AgentId>,
    /// The light that a menu was opened on.
    menu_light: Option<Light>,
    changes: Changes,
    distinctions: Distinctions,
    screens: [Option<Screen>; 4],
}

impl Default for Panes {
    fn default() -> Self {
        Self {
            count: 1,
            linked: true,
            sources: Self::SOURCES,
            variants: std::array::from_fn(Variant::of_pane),
            planners: [None; 4],
            compare: Mode::Side,
            wipe: 0.5,
            trails: Trails::Parts,
            names: Names::Parts,
            log_ghosts: false,
            grid: false,
            legend: false,
            follow: false,
            heading_up: false,
            hovered: false,
            under: None,
            area: Rect::from_min_size(Pos2::ZERO, vec2(800.0, 500.0)),
            cameras: [Camera::default(); 4],
            canvases: Default::default(),
            wish: Some(Wish::Open),
            gesture: None,
            meaning: Meaning::default(),
            measured: None,
            hover: None,
            menu_for: None,
            menu_light: None,
            changes: Changes::default(),
            distinctions: Distinctions::default(),
            screens: [None; 4],
        }
    }
}

impl Panes {
    /// What the panes show unless something else was chosen.
    pub(super) const SOURCES: [Source; 4] = [
        Source::Scene,
        Source::Log,
        Source::Edited,
        Source::Generated,
    ];

    /// How many sources are on screen.
    pub(super) fn sources_shown(&self) -> usize {
        match self.compare {
            Mode::Side => self.count,
            Mode::Overlay | Mode::Wipe | Mode::Difference => 2,
        }
    }

    /// How many panes are drawn.
    fn drawn(&self) -> usize {
        match self.compare {
            Mode::Side => self.count,
            Mode::Overlay | Mode::Wipe | Mode::Difference => 1,
        }
    }

    /// Whether the first two sources are shown in one pane.
    pub(super) fn joined_in_one(&self) -> bool {
        self.compare != Mode::Side
    }

    /// The first pane on screen with the scene that is worked on, else the first of all.
    pub(super) fn working_pane(&self) -> usize {
        let mut shown = self.sources[..self.count.min(4)].iter();
        shown
            .position(|source| *source == Source::Scene)
            .unwrap_or(0)
    }

    /// Where the scene that is worked on lies in the window, if a pane shows it.
    pub(super) fn working_screen(&self) -> Option<Screen> {
        match self.compare {
            Mode::Side => (0..self.count)
                .find(|pane| self.sources[*pane] == Source::Scene)
                .and_then(|pane| self.screens[pane]),
            _ if self.sources[..2].contains(&Source::Scene) => self.screens[0],
            _ => None,
        }
    }

    /// Puts the cameras where a newly opened scene begins.
    pub(super) fn reset(&mut self) {
        self.wish = Some(Wish::Open);
        self.gesture = None;
        self.follow = false;
        self.heading_up = false;
        self.cameras = [Camera::default(); 4];
    }

    /// Ends a gesture without effect; false if there was none.
    pub(super) fn cancel(&mut self) -> bool {
        self.meaning = Meaning::default();
        let measured = self.measured.take().is_some();
        self.gesture.take().is_some() || measured
    }

    /// The camera of a pane.
    pub(super) fn camera(&self, pane: usize) -> Camera {
        self.cameras[if self.linked { 0 } else { pane.min(3) }]
    }

    /// Where a pane lay in the last frame.
    pub(super) fn rect(&self, pane: usize) -> Rect {
        let parts = split(self.area, self.drawn());
        parts.get(pane).copied().unwrap_or(self.area)
    }

    /// Carries out a command that concerns the view; false if it does not.
    pub(super) fn run(&mut self, command: Command) -> bool {
        match command {
            Command::FrameSelection => self.wish = Some(Wish::Selection),
            Command::FitAll => {
                self.wish = Some(Wish::All);
                self.follow = false;
            }
            Command::FitMap => {
                self.wish = Some(Wish::Map);
                self.follow = false;
            }
            Command::HeadingUp => {
                self.heading_up = !self.heading_up;
                if !self.heading_up {
                    self.cameras.iter_mut().for_each(Camera::north_up);
                }
            }
            Command::Follow => self.follow = !self.follow,
            Command::LinkPanes => {
                self.linked = !self.linked;
                if !self.linked {
                    self.cameras = [self.cameras[0]; 4];
                }
            }
            Command::OnePane => self.lay_out(1),
            Command::TwoPanes => self.lay_out(2),
            Command::FourPanes => self.lay_out(4),
            Command::NextCompare => self.compare = self.compare.next(),
            Command::Overlay => self.compare_or_back(Mode::Overlay),
            Command::Wipe => self.compare_or_back(Mode::Wipe),
            Command::Difference => self.compare_or_back(Mode::Difference),
            Command::LogGhost => self.log_ghosts = !self.log_ghosts,
            Command::Trails => {
                self.trails = match self.trails {
                    Trails::None => Trails::Parts,
                    Trails::Parts => Trails::All,
                    Trails::All => Trails::None,
                };
            }
            Command::Names => {
                self.names = match self.names {
                    Names::None => Names::Parts,
                    Names::Parts => Names::All,
                    Names::All => Names::None,
                };
            }
            Command::Grid => self.grid = !self.grid,
            Command::Legend => self.legend = !self.legend,
            _ => return false,
        }
        true
    }

    /// Shows 1, 2 or 4 panes beside each other. The scene that is worked on stays on screen: it moves to the first pane
    /// if its own goes.
    pub(super) fn lay_out(&mut self, count: usize) {
        let works = self.sources[..self.sources_shown()]
            .iter()
            .position(|source| *source == Source::Scene);
        if let Some(pane) = works.filter(|pane| *pane >= count) {
            self.sources.swap(0, pane);
            self.variants.swap(0, pane);
            self.planners.swap(0, pane);
            self.cameras.swap(0, pane);
        }
        self.count = count;
        self.compare = Mode::Side;
    }

    fn compare_or_back(&mut self, mode: Mode) {
        self.compare = if self.compare == mode {
            Mode::Side
        } else {
            mode
        };
    }

    /// Shows the panes in what is left of `ui`.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        editor: &Editor,
        made: &Made,
        actions: &mut Vec<Action>,
    ) {
        let area = ui.available_rect_before_wrap();
        self.area = area;
        ui.allocate_rect(area, Sense::hover());
        self.hovered = false;
        self.under = None;
        self.screens = [None; 4];
        let count = self.drawn();
        for (pane, rect) in split(area, count).into_iter().enumerate() {
            if count > 1 {
                let gap = egui::Stroke::new(1.0, tokens(ui).line);
                let painter = ui.painter().with_clip_rect(area);
                painter.rect_stroke(rect, 0.0, gap, egui::StrokeKind::Outside);
            }
            self.pane(ui, rect, pane, (editor, made), actions);
        }
        // a pane that goes in the middle of a gesture is not told of the release
        let down = ui.input(|input| input.pointer.any_down());
        if let Some((_, pane)) = &self.gesture
            && (*pane >= count || !down)
        {
            self.cancel();
            actions.push(Action::DropPreview);
        }
    }

    fn pane(
        &mut self,
        ui: &mut Ui,
        rect: Rect,
        pane: usize,
        (editor, made): (&Editor, &Made),
        actions: &mut Vec<Action>,
    ) {
        let Some(edited) = editor.scene() else {
            ui.painter().rect_filled(rect, 0.0, tokens(ui).base);
            return;
        };
        let Some(view) = made.views.get(self.base(pane)) else {
            return;
        };
        let works = view.source == Source::Scene;
        let blink =
            works && ui.input(|input| input.key_down(Key::B)) && !ui.ctx().text_edit_focused();
        let id = Id::unique(("pane", pane));
        let response = ui.interact(rect, id, Sense::click_and_drag());
        let label = match pane {
            0 => "canvas".to_owned(),
            _ => format!("canvas {}", pane + 1),
        };
        response.widget_info(|| WidgetInfo::labeled(Semantic::Canvas, true, &label));
        if pane == 0 || !self.linked {
            self.place_camera(rect, pane, edited, editor);
        }
        self.navigate(ui, &response, pane);
        let screen = Screen {
            camera: self.camera(pane),
            rect,
        };
        self.screens[pane] = Some(screen);
        let editable = works && !blink;
        // a gesture that has begun goes on, and is released, while the scene before flashes
        let goes_on = works && self.gesture.as_ref().is_some_and(|(_, of)| *of == pane);
        if editable || goes_on {
            self.point(ui, &response, (pane, &screen), editor, actions);
        }
        let mut missing = view.missing.clone();
        let mut scene = view.scene.clone();
        if blink {
            let before = before(editor);
            missing = before.is_none().then(|| {
                let text =
                    "Nothing here yet: this is where the scene before the last step flashes.";
                (text.to_owned(), None)
            });
            scene = before;
        }
        let mut options = self.options(editor, view.source);
        if editable {
            options.dials = true;
            if made.scene.is_some() {
                scene.clone_from(&made.scene);
                options.draft = editor.previewing();
            }
            options.noise.clone_from(&made.noise);
            if made.noise.is_some() && options.trails == Trails::Parts {
                // a step is about everybody's future
                options.trails = Trails::All;
            }
            options.paths = made.paths.clone();
        }
        let base = self.base(pane);
        let own = made.answers[base].as_ref();
        if let Some(answer) = own.or(editable.then_some(&made.answer))
            && !blink
        {
            Arc::make_mut(&mut options.paths).extend_from_slice(&answer.paths);
        }
        let scene = scene.unwrap_or_else(|| edited.clone());
        let style = canvas_style(ui);
        for canvas in &mut self.canvases {
            canvas.legend = self.legend;
        }
        let at = (&screen, editor.time_s);
        if self.compare == Mode::Side {
            let shown = (pane, rect, &screen.camera);
            let of = (&*scene, editor.time_s);
            self.canvases[pane].paint(ui, shown, of, &options, &style);
        } else {
            self.joined(ui, at, (&scene, made), options, &style);
        }
        if scene.map.is_empty() {
            overlay::no_map_ui(ui, rect);
        }
        if editable {
            if own.is_none() {
                overlay::tokens_ui(ui, &screen, &made.tokens);
            }
            reasons::flags_ui(ui, &screen, &scene);
            if !editor.previewing() && made.scene.is_none() {
                reasons::contacts_ui(ui, &screen, &scene);
            }
            overlay::handles_ui(
                ui,
                &screen,
                &scene,
                editor,
                self.hovered_handle(ui, &screen, editor),
            );
            if let (Some(measured), Tool::Measure) = (&self.measured, editor.tool) {
                overlay::measured_ui(ui, &screen, measured);
            }
            if let Some((gesture, in_pane)) = &self.gesture
                && *in_pane == pane
            {
                overlay::gesture_ui(ui, &screen, gesture, &self.meaning.note);
            }
        }
        if view.busy {
            overlay::busy_ui(ui, rect, view.scene.is_some());
        }
        if let Some((text, offer)) = &missing {
            overlay::message_ui(ui, rect, text);
            if let Some(command) = offer
                && overlay::offer_ui(ui, rect, *command)
            {
                actions.push(Action::Run(*command));
            }
        }
        self.header(ui, rect, pane, made, actions);
        if response.hovered() {
            self.hovered = true;
            if let Some(at) = response.hover_pos() {
                let point = screen.world(at);
                let map = &scene.map;
                let lane = map
                    .lane_around(point, 0.0, |_| true)
                    .or_else(|| map.lanes_near(point, 3.0).into_iter().next());
                let lane = lane.map(|hit| map.lanes()[hit.lane].id.to_string());
                self.under = Some((point, lane));
            }
        }
        self.menu(&response, &screen, editor, actions);
    }

    /// The position of the source that a pane is built on: when two are joined, the one that is worked on, else the
    /// second.
    pub(super) fn base(&self, pane: usize) -> usize {
        match self.compare {
            Mode::Side => pane,
            _ if self.sources[1] != Source::Scene && self.sources[0] == Source::Scene => 0,
            Mode::Overlay | Mode::Wipe | Mode::Difference => 1,
        }
    }

    /// Paints the first two sources into one pane. `scene` is what the source that is built on shows at the moment.
    fn joined(
        &mut self,
        ui: &mut Ui,
        (screen, time_s): (&Screen, f64),
        (scene, made): (&Arc<Scene>, &Made),
        options: ViewOptions,
        style: &Style,
    ) {
        let base = self.base(0);
        let other = made.views.get(1 - base).and_then(|view| view.scene.clone());
        let other = other.unwrap_or_else(|| scene.clone());
        let (a, b) = if base == 0 {
            (scene, &other)
        } else {
            (&other, scene)
        };
        let shown = |canvas: usize| (canvas, screen.rect, &screen.camera);
        if self.compare == Mode::Wipe {
            let (left, right) = wipe::parts(screen.rect, self.wipe);
            let own = made.answers[1 - base].as_ref();
            let plain = ViewOptions {
                noise: None,
                paths: Arc::new(own.map_or_else(Vec::new, |answer| answer.paths.clone())),
                ..options.clone()
            };
            for (canvas, part, of) in [(0, left, a), (1, right, b)] {
                let mut clipped = ui.new_child(egui::UiBuilder::new().max_rect(screen.rect));
                clipped.set_clip_rect(part.intersect(ui.clip_rect()));
                let options = if canvas == base { &options } else { &plain };
                let of = (&**of, time_s);
                self.canvases[canvas].paint(&clipped, shown(canvas), of, options, style);
            }
            let names = [0, 1].map(|at| made.views.get(at).map_or("", |v| v.source.word()));
            self.wipe = wipe::handle_ui(ui, screen.rect, self.wipe, (names[0], names[1]));
            return;
        }
        let changes = self.changes.of(a, b);
        let mut paths = options.paths.to_vec();
        paths.extend(compare::ghost_paths(&other, &changes));
        let apart = self.compare == Mode::Difference;
        let options = ViewOptions {
            before: Some(Ghosts(other.clone())),
            apart,
            paths: Arc::new(paths),
            ..options
        };
        self.canvases[0].paint(ui, shown(0), (&**scene, time_s), &options, style);
        if apart {
            compare::legend_ui(ui, screen.rect, style);
        }
    }

    fn options(&self, editor: &Editor, source: Source) -> ViewOptions {
        let before = (self.log_ghosts && source == Source::Scene)
            .then(|| editor.document().map(|open| Ghosts(open.log.clone())))
            .flatten();
        ViewOptions {
            selected: editor.selection.iter().cloned().collect(),
            hovered: self.hover.clone(),
            hidden: editor.hidden.clone(),
            trails: self.trails,
            names: self.names,
            grid: self.grid,
            before,
            ..ViewOptions::default()
        }
    }

    /// Brings the ego of a scene that is about to be shown into view, if it is not.
    pub(super) fn look_at_ego(&mut self, scene: &Scene) {
        let ego = scene.ego().and_then(|ego| ego.track.get(scene.now));
        if let (Some(ego), Some(screen)) = (ego, self.working_screen())
            && !screen
                .rect
                .shrink(40.0)
                .contains(screen.place(ego.position))
        {
            self.wish = Some(Wish::Open);
        }
    }

    fn place_camera(&mut self, rect: Rect, pane: usize, scene: &Scene, editor: &Editor) {
        let screen = Screen {
            camera: self.camera(pane),
            rect,
        };
        let (size, drawn) = (screen.size(), self.drawn());
        let camera = &mut self.cameras[if self.linked { 0 } else { pane }];
        if let Some(wish) = self.wish {
            if let Some((low, high)) = wanted(wish, scene, editor) {
                camera.fit((low, high), size, 60.0);
            }
            if self.linked || pane + 1 >= drawn {
                self.wish = None;
            }
        }
        let followed = editor
            .primary()
            .and_then(|id| scene.agent(id))
            .or_else(|| scene.ego());
        let state = followed.and_then(|agent| agent.track.sample(scene.frame_at(editor.time_s)));
        let Some(state) = state else { return };
        if self.heading_up {
            camera.follow(state.pose(), size);
        } else if self.follow && self.gesture.is_none() {
            camera.centre = state.position;
        }
    }

    fn header(
        &mut self,
        ui: &mut Ui,
        rect: Rect,
        pane: usize,
        made: &Made,
        actions: &mut Vec<Action>,
    ) {
        let distinction = |panes: &mut Self, at: usize| {
            let (first, view) = (made.views.first()?, made.views.get(at)?);
            (at > 0).then(|| panes.distinctions.of(first, view))
        };
        let joined = self.compare != Mode::Side;
        let lettered = self.sources_shown() > 1;
        let compares = pane == 0 && lettered;
        let (mut left, right) = (rect.left() + 10.0, rect.right() - 10.0);
        // where scores stand that have no room beside their sources
        let mut below = egui::pos2(left, rect.top() + if compares { 76.0 } else { 43.0 });
        let sources = if joined { 0..2 } else { pane..pane + 1 };
        for at in sources {
            let Some(view) = made.views.get(at) else {
                continue;
            };
            let found = distinction(self, at);
            let answer = match &made.answers[at] {
                Some(answer) => self.planners[at].map(|own| (Some(own), answer)),
                None => (view.source == Source::Scene).then_some((None, &made.answer)),
            };
            let of_scene = view.scene.as_deref();
            let chip = answer
                .and_then(|of| pane_header::Chip::of(ui, at, of, of_scene, 0.5 * (right - left)));
            let room = chip.as_ref().map_or(0.0, |chip| chip.width(ui) + 6.0);
            let (top, bottom) = (rect.top() + 10.0, rect.top() + 38.0);
            let place = Rect::from_min_max(
                egui::pos2(left, top),
                egui::pos2((right - room).max(left + 80.0), bottom),
            );
            let of = pane_header::Shown {
                source: &mut self.sources[at],
                variant: &mut self.variants[at],
                planner: &mut self.planners[at],
                lettered,
            };
            let shown = pane_header::source_ui(ui, place, (at, view), of, found, actions);
            left = shown.right() + 6.0;
            if let Some(chip) = chip {
                // the second of two joined sources needs its room, too
                let next = if joined && at == 0 { 240.0 } else { 0.0 };
                let beside = left + chip.width(ui) + next <= right + 1.0;
                let from = if beside { egui::pos2(left, top) } else { below };
                let place = Rect::from_min_max(from, egui::pos2(right, from.y + 28.0));
                let end = chip.show(ui, place, actions).right() + 6.0;
                *(if beside { &mut left } else { &mut below.x }) = end;
            }
        }
        if compares {
            let place = Rect::from_min_max(
                egui::pos2(rect.left() + 10.0, rect.top() + 43.0),
                egui::pos2(rect.right() - 10.0, rect.top() + 71.0),
            );
            let linked = self.linked;
            pane_header::compare_ui(ui, place, &mut self.compare, linked, actions);
        }
    }

    fn menu(
        &mut self,
        response: &Response,
        screen: &Screen,
        editor: &Editor,
        actions: &mut Vec<Action>,
    ) {
        if response.secondary_clicked()
            && let Some(at) = response.interact_pointer_pos()
        {
            let margin = 4.0 * screen.metre();
            let under = editor
                .scene()
                .and_then(|scene| scene.agent_at(screen.world(at), editor.time_s, margin));
            if let Some(agent) = &under
                && !editor.selection.contains(agent)
            {
                actions.push(Action::Select(vec![agent.clone()]));
            }
            let lights = under.is_none().then(|| editor.scene()).flatten();
            self.menu_light = lights.and_then(|scene| light_at(scene, screen.world(at), margin));
            self.menu_for = under;
        }
        response.context_menu(|ui| {
            if let Some(light) = &self.menu_light {
                lights::menu(ui, light, editor, actions);
                ui.separator();
            }
            let on_agent: &[Command] = &[
                Command::FrameSelection,
                Command::Follow,
                Command::MakeEgo,
                Command::Lock,
                Command::ToLog,
                Command::ClearGoal,
                Command::Duplicate,
                Command::Delete,
            ];
            let on_ground: &[Command] = &[
                Command::FitAll,
                Command::FitMap,
                Command::HeadingUp,
                Command::AddTool,
                Command::MeasureTool,
                Command::Trails,
                Command::Names,
                Command::Grid,
                Command::LogGhost,
                Command::PresentHere,
            ];
            let commands = if self.menu_for.is_some() {
                on_agent
            } else {
                on_ground
            };
            if let Some(agent) = &self.menu_for {
                ui.label(theme::strong(agent.to_string(), 12.0).color(tokens(ui).dim));
            }
            for command in commands {
                menu_item(ui, *command, actions);
            }
        });
    }
}

/// A menu row that runs a command.
pub(super) fn menu_item(ui: &mut Ui, command: Command, actions: &mut Vec<Action>) {
    let row = command.row();
    let mut button = egui::Button::new(row.text).frame(true);
    if let Some(keys) = row.keys.first() {
        button = button.shortcut_text(theme::small(keys.text()));
    }
    if ui.add(button).on_hover_text(row.tooltip).clicked() {
        actions.push(Action::Run(command));
        ui.close();
    }
}

/// The colours of the canvas in the present theme.
pub(super) fn canvas_style(ui: &Ui) -> Style {
    if ui.visuals().dark_mode {
        Style::dark()
    } else {
        Style::light()
    }
}

/// The scene before the last step.
fn before(editor: &Editor) -> Option<Arc<Scene>> {
    editor.document()?.history.before().cloned()
}

fn wanted(wish: Wish, scene: &Scene, editor: &Editor) -> Option<(DVec2, DVec2)> {
    let around = |point: DVec2, reach: f64| (point - reach, point + reach);
    let frame = scene.frame_at(editor.time_s);
    match wish {
        Wish::Open => {
            let state = scene.ego().and_then(|ego| {
                let present = ego.track.get(scene.now);
                present.or_else(|| ego.track.valid().next().map(|(_, state)| state))
            });
            // the way of the coming seconds is in view, at least 45 m around
            state.map(|state| around(state.position + state.velocity * 1.5, 45.0))
        }
        Wish::All => scene.agent_bounds().or_else(|| scene.map.bounds()),
        Wish::Map => scene.map.bounds(),
        Wish::Selection => {
            let mut agents: Vec<_> = editor
                .selection
                .iter()
                .filter_map(|id| scene.agent(id))
                .collect();
            if agents.is_empty() {
                agents.extend(scene.ego());
            }
            agents
                .iter()
                .filter_map(|agent| agent.track.sample(frame))
                .map(|state| around(state.position, 25.0))
                .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        }
    }
    .or_else(|| scene.agent_bounds())
    .or_else(|| scene.map.bounds())
}

fn split(area: Rect, count: usize) -> Vec<Rect> {
    let gap = 1.0;
    let half = Vec2::new((area.width() - gap) / 2.0, (area.height() - gap) / 2.0);
    let corner = |x: f32, y: f32| area.min + vec2(x * (half.x + gap), y * (half.y + gap));
    match count {
        2 => [0.0, 1.0]
            .map(|x| Rect::from_min_size(corner(x, 0.0), vec2(half.x, area.height())))
            .to_vec(),
        4 => [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
            .map(|(x, y)| Rect::from_min_size(corner(x, y), half))
            .to_vec(),
        _ => vec![area],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Polyline, dvec2};
    use crate::map::{Lane, LaneKind, Map, MapParts};

    #[test]
    fn a_camera_with_its_own_pane_is_free_again_once_two_sources_share_one() {
        let mut panes = Panes {
            count: 2,
            linked: false,
            compare: Mode::Overlay,
            ..Panes::default()
        };
        panes.run(Command::FitAll);
        panes.place_camera(panes.area, 0, &Scene::default(), &Editor::default());
        assert_eq!(panes.wish, None);
        panes.compare = Mode::Side;
        panes.run(Command::FitAll);
        panes.place_camera(panes.area, 0, &Scene::default(), &Editor::default());
        assert_eq!(panes.wish, Some(Wish::All)); // the second pane is still to follow
    }

    #[test]
    fn a_map_without_agents_is_in_view_when_it_is_opened() {
        let line = Polyline::new([dvec2(5000.0, 200.0), dvec2(6000.0, 900.0)]).unwrap();
        let map = Map::build(MapParts {
            lanes: vec![Lane::new("far", LaneKind::Street, line)],
            ..MapParts::default()
        });
        let scene = Scene {
            map: Arc::new(map),
            ..Scene::default()
        };
        let found = wanted(Wish::Open, &scene, &Editor::default());
        assert_eq!(found, Some((dvec2(5000.0, 200.0), dvec2(6000.0, 900.0))));
    }
}
