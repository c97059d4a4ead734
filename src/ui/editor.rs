//! The state of the open document and what is done to it: history, selection, time. No window, no disk, no clock.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::action::Action;
use super::action::Command;
use super::action::Notice;
use super::action::Weight;
use super::tools::Body;
use super::tools::Tool;
use crate::geometry::dvec2;
use crate::metrics::logged;
use crate::scene::Agent;
use crate::scene::AgentId;
use crate::scene::Control;
use crate::scene::Edit;
use crate::scene::EditError;
use crate::scene::History;
use crate::scene::Role;
use crate::scene::Scene;

/// Playback speeds, as factors.
pub(super) const SPEEDS: [f64; 7] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

/// An open scene with its history.
pub struct Document {
    /// Undo and redo.
    pub history: History,
    /// Where it is saved; absent until it was.
    pub path: Option<PathBuf>,
    /// What it was opened from, for titles and offers.
    pub origin: String,
    /// What the importer left out or noted.
    pub report: Vec<String>,
    /// The scene as recorded: no edits, no goals.
    pub log: Arc<Scene>,
    saved: Arc<Scene>,
}

impl Document {
    /// A document that begins with `scene`.
    pub fn new(scene: Scene, origin: String, report: Vec<String>) -> Self {
        let scene = Arc::new(scene);
        Self {
            log: Arc::new(recorded(&scene)),
            history: History::new("Open", scene.clone()),
            path: None,
            origin,
            report,
            saved: scene,
        }
    }

    /// A document restored from an autosave: it counts as changed until it is saved.
    pub fn restored(scene: Scene, origin: String, report: Vec<String>) -> Self {
        Self {
            saved: Arc::new(Scene::default()),
            ..Self::new(scene, origin, report)
        }
    }

    /// Whether there are changes that are not saved.
    pub fn modified(&self) -> bool {
        !Arc::ptr_eq(&self.saved, self.history.scene())
    }

    /// Notes that `scene` was saved at `path`, where the document lies from now on.
    pub fn mark_saved(&mut self, scene: Arc<Scene>, path: PathBuf) {
        self.saved = scene;
        self.origin = path.display().to_string();
        self.path = Some(path);
    }
}

/// The scene as it was recorded: tracks from the log, nothing asked for, nobody added and no attackers.
fn recorded(scene: &Scene) -> Scene {
    let mut log = logged(scene);
    log.agents.retain(|agent| !scene.is_added(&agent.id));
    for agent in &mut log.agents {
        if agent.role == Role::Attacker {
            Arc::make_mut(agent).role = Role::Other;
        }
    }
    log.log.clear();
    log.edits.clear();
    log.goals.clear();
    log.attacks.clear();
    log.pins.clear();
    log.generated = None;
    log
}

/// The document, the selection and the time cursor.
pub struct Editor {
    document: Option<Document>,
    /// Number of the document, which is how many have been opened.
    number: u64,
    preview: Option<Arc<Scene>>,
    /// The time cursor, s, within the scene.
    pub time_s: f64,
    /// Time runs.
    pub playing: bool,
    /// Seconds of scene per second.
    pub speed: f64,
    /// Playback starts again at the end.
    pub looping: bool,
    /// Chosen agents, the last one chosen last.
    pub selection: Vec<AgentId>,
    /// Agents that are not drawn.
    pub hidden: BTreeSet<AgentId>,
    /// What the pointer does on the canvas.
    pub tool: Tool,
    /// What the tool for it adds.
    pub body: Body,
    /// What is to be told to the user, oldest first; the window takes them.
    pub notices: Vec<Notice>,
    revision: u64,
}

impl Default for Editor {
    fn default() -> Self {
        Self {
            document: None,
            number: 0,
            preview: None,
            time_s: 0.0,
            playing: false,
            speed: 1.0,
            looping: true,
            selection: Vec::new(),
            hidden: BTreeSet::new(),
            tool: Tool::Select,
            body: Body::Car,
            notices: Vec::new(),
            revision: 0,
        }
    }
}

impl Editor {
    /// Opens a document in place of the present one.
    pub fn open(&mut self, document: Document) {
        let scene = document.history.scene();
        self.time_s = 0.0;
        self.selection = scene.ego().map(|ego| ego.id.clone()).into_iter().collect();
        self.hidden.clear();
        self.preview = None;
        self.document = Some(document);
        self.number += 1;
        self.tool = Tool::Select;
        self.revision += 1;
    }

    /// The open document.
    pub fn document(&self) -> Option<&Document> {
        self.document.as_ref()
    }

    /// The open document, to be changed.
    pub fn document_mut(&mut self) -> Option<&mut Document> {
        self.document.as_mut()
    }

    /// Number of the open document: another one that is opened, be it the same scene again, has a higher one.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The scene as edited, with the drag in progress.
    pub fn scene(&self) -> Option<&Arc<Scene>> {
        self.preview.as_ref().or_else(|| self.committed())
    }

    /// The scene as edited, without the drag in progress.
    pub fn committed(&self) -> Option<&Arc<Scene>> {
        self.document.as_ref().map(|open| open.history.scene())
    }

    /// Whether `scene` is the scene as edited: not an equal one, but that one.
    pub fn is_present(&self, scene: &Arc<Scene>) -> bool {
        self.committed()
            .is_some_and(|present| Arc::ptr_eq(present, scene))
    }

    /// Whether a drag is in progress.
    pub fn previewing(&self) -> bool {
        self.preview.is_some()
    }

    /// Grows with every committed change of the scene.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The agent chosen last.
    pub fn primary(&self) -> Option<&AgentId> {
        self.selection.last()
    }

    /// Whom a new goal is for: the agent chosen last, else the ego.
    pub fn addressed(&self) -> Option<&AgentId> {
        let ego = || self.committed().and_then(|scene| scene.ego());
        self.primary().or_else(|| ego().map(|ego| &ego.id))
    }

    /// Where play stops: where what the model made does, unless the cursor is beyond, s.
    fn end_s(&self, scene: &Scene) -> f64 {
        match scene.made_end_s() {
            Some(end) if self.time_s <= end => end,
            _ => scene.duration_s(),
        }
    }

    /// Moves time on by `elapsed_s` of the clock.
    pub fn advance(&mut self, elapsed_s: f64) {
        let Some(scene) = self.scene().filter(|_| self.playing) else {
            return;
        };
        let end = self.end_s(scene);
        self.time_s += elapsed_s * self.speed;
        if self.time_s > end {
            if self.looping && end > 0.0 {
                self.time_s %= end;
            } else {
                self.time_s = end;
                self.playing = false;
            }
        }
    }

    /// Carries out a wish; wishes that concern the window or the disk are not for the editor and change nothing.
    pub fn apply(&mut self, action: &Action) {
        match action {
            Action::Run(command) => self.run(*command),
            Action::Commit { label, edits } => self.commit(label.clone(), edits),
            Action::Preview(edits) => self.show(edits),
            Action::DropPreview => self.preview = None,
            Action::Select(agents) => self.selection.clone_from(agents),
            Action::Toggle(agent) => {
                if self.selection.contains(agent) {
                    self.selection.retain(|other| other != agent);
                } else {
                    self.selection.push(agent.clone());
                }
            }
            Action::ToggleHidden(agent) => {
                if !self.hidden.remove(agent) {
                    self.hidden.insert(agent.clone());
                }
            }
            Action::Seek(time_s) => self.seek(*time_s),
            Action::Speed(speed) => self.speed = speed.clamp(SPEEDS[0], SPEEDS[SPEEDS.len() - 1]),
            Action::UseTool(tool) => self.tool = *tool,
            Action::GoTo(position) => {
                if let Some(open) = &mut self.document {
                    open.history.go_to(*position);
                    self.after_change();
                }
            }
            Action::NameEntry(position, name) => {
                if let Some(open) = &mut self.document {
                    open.history.name(*position, name);
                }
            }
            Action::Notify(notice) => self.notices.push(notice.clone()),
            Action::Open { .. }
            | Action::OpenBundled(_)
            | Action::SaveTo(_)
            | Action::Layout(_)
            | Action::Lab(_)
            | Action::Pilot(_)
            | Action::Trial(_)
            | Action::Sweep(_)
            | Action::Recover(_)
            | Action::ForgetRecovery => {}
        }
    }

    fn run(&mut self, command: Command) {
        match command {
            Command::Undo => self.step_history(History::undo),
            Command::Redo => self.step_history(History::redo),
            Command::Duplicate => self.duplicate(),
            Command::Delete => self.on_selection(|agent, _| Some(Edit::Remove { agent })),
            Command::ClearGoal => self.clear_intents(),
            Command::MakeEgo => {
                if let Some(agent) = self.primary().cloned() {
                    let role = Role::Ego;
                    self.commit(None, &[Edit::SetRole { agent, role }]);
                }
            }
            Command::ChooseEgo => self.choose_ego(),
            Command::Lock => self.on_selection(|agent, scene| {
                let control = match scene.agent(&agent)?.control {
                    Control::Frozen => Control::Free,
                    Control::Free | Control::Log => Control::Frozen,
                };
                Some(Edit::SetControl { agent, control })
            }),
            Command::ToLog => self.on_selection(|agent, _| {
                let control = Control::Log;
                Some(Edit::SetControl { agent, control })
            }),
            Command::PresentHere => {
                if let Some(frame) = self.frame() {
                    self.commit(None, &[Edit::SetNow { frame }]);
                }
            }
            Command::SelectTool => self.tool = Tool::Select,
            Command::GoalTool => self.tool = Tool::Goal,
            Command::AttackTool => self.tool = Tool::Attack,
            Command::SketchTool => self.tool = Tool::Sketch,
            Command::AddTool => self.tool = Tool::Add,
            Command::AddCar => self.add_a(Body::Car),
            Command::AddLorry => self.add_a(Body::Lorry),
            Command::AddBus => self.add_a(Body::Bus),
            Command::AddCyclist => self.add_a(Body::Cyclist),
            Command::AddPedestrian => self.add_a(Body::Pedestrian),
            Command::AddObstacle => self.add_a(Body::Obstacle),
            Command::MeasureTool => self.tool = Tool::Measure,
            Command::NextAgent => self.next_agent(1),
            Command::PreviousAgent => self.next_agent(-1),
            Command::Play => self.play(),
            Command::StepBack => self.step(-1.0),
            Command::StepForward => self.step(1.0),
            Command::JumpBack => self.step(-10.0),
            Command::JumpForward => self.step(10.0),
            Command::ToStart => self.seek(0.0),
            Command::ToEnd => self.seek(f64::INFINITY),
            Command::ToPresent => {
                if let Some(now) = self.scene().map(|scene| scene.now_s()) {
                    self.seek(now);
                    self.playing = false;
                }
            }
            Command::Faster => self.change_speed(1),
            Command::Slower => self.change_speed(-1),
            Command::Loop => self.looping = !self.looping,
            Command::Cancel => {
                let dragging = self.preview.take().is_some();
                if !dragging && self.tool == Tool::Select {
                    self.selection.clear();
                }
                if !dragging {
                    self.tool = Tool::Select;
                }
            }
            _ => {}
        }
    }

    fn choose_ego(&mut self) {
        match self.committed().and_then(|scene| scene.likely_ego()) {
            Some(agent) => {
                let role = Role::Ego;
                self.commit(
                    None,
                    &[Edit::SetRole {
                        agent: agent.clone(),
                        role,
                    }],
                );
                let text = format!("{agent} is the ego now.");
                self.notices.push(Notice::new(Weight::Good, text));
                self.selection = vec![agent];
            }
            None => {
                let text = "There is no vehicle to make the ego. Add one first.";
                let notice = Notice::new(Weight::Info, text).offering(Command::AddTool);
                self.notices.push(notice);
            }
        }
    }

    /// Puts a scene on the history as a step of its own: a result, or a case.
    pub(super) fn put(&mut self, label: String, scene: Arc<Scene>) {
        if let Some(open) = &mut self.document {
            open.history.commit(label, scene);
            self.after_change();
        }
    }

    /// Replaces the present step's scene by its answer, if the present scene still is the one that was answered.
    pub(super) fn amend(&mut self, answered: &Arc<Scene>, scene: Arc<Scene>) {
        let Some(open) = &mut self.document else {
            return;
        };
        if Arc::ptr_eq(open.history.scene(), answered) {
            open.history.amend(scene);
            let preview = self.preview.take();
            self.after_change();
            self.preview = preview;
        }
    }

    /// The same for a scene that is opened with its result: nothing is unsaved afterwards.
    pub(super) fn adopt(&mut self, answered: &Arc<Scene>, scene: Arc<Scene>) {
        let clean = self.document().is_some_and(|open| !open.modified());
        self.amend(answered, scene);
        if let (true, Some(open)) = (clean, &mut self.document) {
            open.saved = open.history.scene().clone();
        }
    }

    /// Replaces the present step's scene while a world runs on in it.
    pub(super) fn replace(&mut self, scene: Arc<Scene>) {
        if let Some(open) = &mut self.document {
            self.selection.retain(|agent| scene.agent(agent).is_some());
            self.time_s = self.time_s.min(scene.duration_s());
            open.history.amend(scene);
        }
    }

    /// The frame under the time cursor.
    pub fn frame(&self) -> Option<usize> {
        let scene = self.scene()?;
        let last = scene.frames.saturating_sub(1);
        Some((scene.frame_at(self.time_s).round().max(0.0) as usize).min(last))
    }

    fn seek(&mut self, time_s: f64) {
        let Some(duration) = self.scene().map(|scene| scene.duration_s()) else {
            return;
        };
        if !time_s.is_nan() {
            self.time_s = time_s.clamp(0.0, duration);
        }
    }

    fn step(&mut self, frames: f64) {
        self.playing = false;
        let (Some(frame), Some(dt_s)) = (self.frame(), self.scene().map(|scene| scene.dt_s)) else {
            return;
        };
        self.seek((frame as f64 + frames) * dt_s);
    }

    fn play(&mut self) {
        let Some(scene) = self.scene() else { return };
        let (end, duration) = (self.end_s(scene), scene.duration_s());
        self.playing = !self.playing && duration > 0.0;
        if self.playing && self.time_s >= end {
            self.time_s = 0.0;
        }
    }

    fn change_speed(&mut self, by: isize) {
        let nearest = SPEEDS
            .iter()
            .position(|speed| *speed >= self.speed)
            .unwrap_or(SPEEDS.len() - 1);
        let next = nearest.saturating_add_signed(by).min(SPEEDS.len() - 1);
        self.speed = SPEEDS[next];
    }

    fn next_agent(&mut self, by: isize) {
        let Some(scene) = self.scene() else { return };
        let count = scene.agents.len();
        if count == 0 {
            return;
        }
        let present = self.primary().and_then(|id| scene.agent_index(id));
        let next = match (present, by > 0) {
            (None, true) => 0,
            (None, false) => count - 1,
            (Some(index), _) => (index + count).saturating_add_signed(by) % count,
        };
        self.selection = vec![scene.agents[next].id.clone()];
    }

    fn step_history(&mut self, step: fn(&mut History) -> bool) {
        if let Some(open) = &mut self.document
            && step(&mut open.history)
        {
            self.after_change();
        }
    }

    /// What must hold after the scene became another one.
    fn after_change(&mut self) {
        self.preview = None;
        self.revision += 1;
        let Some(scene) = self.committed().cloned() else {
            return;
        };
        self.selection.retain(|agent| scene.agent(agent).is_some());
        self.hidden.retain(|agent| scene.agent(agent).is_some());
        self.time_s = self.time_s.min(scene.duration_s());
    }

    fn commit(&mut self, label: Option<String>, edits: &[Edit]) {
        let (Some(first), Some(scene)) = (edits.first(), self.committed()) else {
            return;
        };
        match edited(scene, edits) {
            Ok(scene) => {
                // what makes way for the edit that is meant does not name the step
                let makes_way = |edit: &Edit| matches!(edit, Edit::ClearPin { .. });
                let meant: Vec<&Edit> = edits.iter().filter(|edit| !makes_way(edit)).collect();
                let label = label.unwrap_or_else(|| match meant.as_slice() {
                    [] => first.label(),
                    [one] => one.label(),
                    [one, ..] => format!("{} and {} more", one.label(), meant.len() - 1),
                });
                if let Some(open) = &mut self.document {
                    open.history.commit(label, scene);
                }
                self.after_change();
            }
            Err(error) => {
                self.preview = None;
                self.notices
                    .push(Notice::new(Weight::Warning, refusal(&error)));
            }
        }
    }

    fn show(&mut self, edits: &[Edit]) {
        let Some(scene) = self.committed() else {
            return;
        };
        if let Ok(scene) = edited(scene, edits) {
            self.preview = Some(scene);
        }
    }

    fn on_selection(&mut self, edit: impl Fn(AgentId, &Scene) -> Option<Edit>) {
        let Some(scene) = self.committed() else {
            return;
        };
        let edits: Vec<Edit> = self
            .selection
            .iter()
            .filter_map(|agent| edit(agent.clone(), scene))
            .collect();
        self.commit(None, &edits);
    }

    fn clear_intents(&mut self) {
        let Some(scene) = self.committed() else {
            return;
        };
        let mut edits = Vec::new();
        for agent in &self.selection {
            if scene.goal_of(agent).is_some() {
                let agent = agent.clone();
                edits.push(Edit::ClearGoal { agent });
            }
            if scene.attack_by(agent).is_some() {
                let agent = agent.clone();
                edits.push(Edit::ClearAttack { agent });
            }
        }
        self.commit(None, &edits);
    }

    fn add_a(&mut self, body: Body) {
        (self.tool, self.body) = (Tool::Add, body);
    }

    fn duplicate(&mut self) {
        let Some(scene) = self.committed() else {
            return;
        };
        let mut edits = Vec::new();
        let mut copies: Vec<AgentId> = Vec::new();
        for id in &self.selection {
            let Some(agent) = scene.agent(id) else {
                continue;
            };
            let Some(state) = agent.track.get(scene.now) else {
                continue;
            };
            // one car length and a gap behind the original
            let behind = dvec2(-(agent.length + 4.0), 0.0);
            let point = state.pose().outer_from_local(behind);
            let copy = free_id(scene, stem_of(agent), &copies);
            copies.push(copy.clone());
            edits.push(Edit::Add {
                agent: copy,
                kind: agent.kind,
                point: [point.x, point.y],
                heading: state.heading,
                speed: state.speed(),
                size: Some([agent.length, agent.width]),
            });
        }
        if edits.is_empty() {
            self.notices.push(Notice::new(
                Weight::Info,
                "Select an agent that is there at the present, then duplicate it.",
            ));
            return;
        }
        let label = match self.selection.as_slice() {
            [one] => format!("Duplicate {}", one.short()),
            _ => format!("Duplicate {} agents", edits.len()),
        };
        self.commit(Some(label), &edits);
        self.selection = copies;
    }
}

/// The scene after all `edits`.
fn edited(scene: &Arc<Scene>, edits: &[Edit]) -> Result<Arc<Scene>, EditError> {
    let mut edits = edits.iter();
    let Some(first) = edits.next() else {
        return Ok(scene.clone());
    };
    let mut result = scene.edited(first)?;
    for edit in edits {
        result = result.edited(edit)?;
    }
    Ok(Arc::new(result))
}

fn refusal(error: &EditError) -> String {
    match error {
        EditError::NotPresent { agent, .. } => format!(
            "{agent} is not in the scene at the present. Move the present (Edit, Set the present here) to a frame where it is."
        ),
        other => format!("Not changed: {other}."),
    }
}

/// The longest name that numbers are put behind for copies, bytes.
const LONGEST_STEM: usize = 24;

/// What the ids of an agent's copies begin with: its name without a number, else its kind.
fn stem_of(agent: &Agent) -> &str {
    let id = agent.id.as_str();
    let stem = id.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let stem = stem.trim_end_matches(['-', '_']);
    let is_name = stem.chars().all(|letter| letter.is_alphabetic());
    match (1..=LONGEST_STEM).contains(&stem.len()) && is_name {
        true => stem,
        false => agent.kind.word(),
    }
}

/// An id that no agent of the scene has.
pub(super) fn free_id(scene: &Scene, word: &str, taken: &[AgentId]) -> AgentId {
    let mut number = 1;
    loop {
        let id = AgentId::new(format!("{word}-{number}"));
        if scene.agent(&id).is_none() && !scene.log.contains_key(&id) && !taken.contains(&id) {
            return id;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::rng::Purpose;
    use crate::rng::Seed;
    use crate::scene::Agent;
    use crate::scene::AgentKind;
    use crate::scene::Attack;
    use crate::scene::Generated;
    use crate::scene::Goal;
    use crate::scene::State;
    use crate::scene::Track;

    fn scene() -> Scene {
        let agent = |index: usize| {
            let states = (0..30).map(|frame| {
                let pose = Pose::at(frame as f64 + 10.0 * index as f64, 3.5 * index as f64, 0.0);
                Some(State::along(pose, 10.0))
            });
            let track = Track::new(states.collect());
            Arc::new(Agent::new(
                format!("car-{index}"),
                AgentKind::Vehicle,
                track,
            ))
        };
        Scene {
            name: "three cars".to_owned(),
            dt_s: 0.1,
            frames: 30,
            now: 10,
            agents: (0..3).map(agent).collect(),
            ..Scene::default()
        }
        .quantised()
    }

    fn editor() -> Editor {
        let mut editor = Editor::default();
        editor.open(Document::new(scene(), "test".to_owned(), Vec::new()));
        editor
    }

    fn hash(editor: &Editor) -> String {
        editor.scene().map(|scene| scene.hash()).unwrap_or_default()
    }

    fn shift(agent: &str, x: f64) -> Edit {
        Edit::Move {
            agent: AgentId::new(agent),
            point: [x, 0.0],
            heading: 0.0,
            speed: None,
        }
    }

    #[test]
    fn a_drag_is_one_step_and_escape_leaves_no_trace() {
        let mut editor = editor();
        let before = hash(&editor);
        for x in [1.0, 2.0, 3.0] {
            editor.apply(&Action::Preview(vec![shift("car-0", x)]));
        }
        assert!(editor.previewing() && hash(&editor) != before);
        editor.apply(&Action::Run(Command::Cancel));
        assert_eq!(hash(&editor), before);
        let edits = vec![shift("car-0", 3.0), shift("car-1", 4.0)];
        editor.apply(&Action::Commit { label: None, edits });
        assert_ne!(hash(&editor), before);
        editor.apply(&Action::Run(Command::Undo));
        assert_eq!(hash(&editor), before);
    }

    #[test]
    fn an_impossible_edit_changes_nothing_and_says_so() {
        let mut editor = editor();
        let before = hash(&editor);
        let edits = vec![shift("car-0", 3.0), shift("nobody", 4.0)];
        editor.apply(&Action::Commit { label: None, edits });
        assert_eq!(hash(&editor), before);
        assert!(editor.notices[0].text.contains("nobody"));
        assert!(!editor.document().unwrap().history.can_undo());
    }

    #[test]
    fn nobody_attacks_in_the_log_of_an_attack_that_is_opened() {
        let mut attacked = scene();
        let role = |scene: &Scene| scene.agents[1].role;
        Arc::make_mut(&mut attacked.agents[1]).role = Role::Attacker;
        let document = Document::new(attacked, "test".to_owned(), Vec::new());
        assert_eq!(role(&document.log), Role::Other);
        assert_eq!(role(document.history.scene()), Role::Attacker);
    }

    #[test]
    fn playback_loops_or_stops_at_the_end() {
        let mut editor = editor(); // 29 intervals of 0.1 s
        editor.apply(&Action::Run(Command::Play));
        editor.advance(3.0);
        assert!((editor.time_s - 0.1).abs() < 1e-9); // 3.0 − 2.9
        editor.looping = false;
        editor.advance(9.0);
        assert!(!editor.playing && (editor.time_s - 2.9).abs() < 1e-9);
    }

    #[test]
    fn play_starts_again_where_it_stopped_at_the_end_of_what_was_made() {
        let recipe = serde_json::from_value(serde_json::json!({
            "app_version": "0", "weights_hash": "", "seed": 1, "task": "free",
            "schedule": "full", "steps": 1, "temperature": 1.0, "agents": ["car-0"],
        }))
        .unwrap();
        let mut made = scene();
        let states = made.agents[0].track.valid().map(|(_, state)| *state);
        let states: Vec<Option<State>> = states.map(Some).take(21).collect();
        Arc::make_mut(&mut made.agents[0]).track =
            Track::new(states.into_iter().chain([None; 9]).collect());
        made.generated = Some(Arc::new(Generated {
            recipe,
            from_frame: 10,
            complete: true,
            gates: Vec::new(),
            fault: None,
            avoidability: None,
            redrawn: Vec::new(),
            edits: None,
            metrics: Vec::new(),
            extra: crate::map::Extra::new(),
        }));
        let mut editor = Editor::default();
        editor.open(Document::new(made, "test".to_owned(), Vec::new()));
        editor.looping = false;
        editor.apply(&Action::Run(Command::Play));
        editor.advance(9.0);
        assert!(!editor.playing && (editor.time_s - 2.0).abs() < 1e-9); // frame 20 of 29
        editor.apply(&Action::Run(Command::Play));
        editor.advance(0.5);
        assert!(editor.playing && (editor.time_s - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_removed_agent_leaves_the_selection_and_undo_brings_it_back() {
        let mut editor = editor();
        editor.apply(&Action::Select(vec![AgentId::new("car-1")]));
        editor.apply(&Action::Run(Command::Delete));
        assert!(editor.selection.is_empty());
        assert_eq!(editor.scene().unwrap().agents.len(), 2);
        editor.apply(&Action::Run(Command::Undo));
        assert_eq!(editor.scene().unwrap().agents.len(), 3);
    }

    #[test]
    fn duplicating_places_the_copy_behind() {
        let mut editor = editor();
        editor.apply(&Action::Select(vec![AgentId::new("car-0")]));
        editor.apply(&Action::Run(Command::Duplicate));
        let scene = editor.scene().unwrap();
        // named after it
        let [id] = &editor.selection[..] else {
            panic!("one is selected");
        };
        assert!(
            id.as_str().starts_with("car-") && id.as_str() != "car-0",
            "{id}"
        );
        let copy = scene.agent(id).unwrap();
        // car-0 is at x = 10 at the present (frame 10, 1 m a frame); 4.7 m long and 4 m of gap: 10 − 8.7
        let x = copy.track.get(10).unwrap().position.x;
        assert!((x - 1.3).abs() < 1e-3, "{x}");
    }

    /// What the history should hold: every state ever made, by its serial number.
    struct Made {
        hash: String,
        parent: Option<u64>,
        next: Option<u64>,
    }

    /// Goes to `to`: redo then leads along its branch.
    fn visit(made: &mut [Made], to: u64) {
        let mut at = to;
        while let Some(parent) = made[at as usize].parent {
            made[parent as usize].next = Some(at);
            at = parent;
        }
    }

    /// Ten thousand random edits, undos, redos and jumps to other branches against a plain table of hashes.
    #[test]
    fn ten_thousand_random_operations_return_to_identical_scenes() {
        let mut editor = editor();
        let mut random = Seed(7).stream(Purpose::Task);
        let mut made = vec![Made {
            hash: hash(&editor),
            parent: None,
            next: None,
        }];
        let (mut present, mut branches) = (0_u64, 0);
        for _ in 0..10_000 {
            let kept: BTreeSet<u64> = {
                let (entries, _) = editor.document().unwrap().history.entries();
                entries.iter().map(|entry| entry.serial).collect()
            };
            let there = |serial: &u64| kept.contains(serial);
            match random.below(12) {
                0..=3 => {
                    let parent = made[present as usize].parent.filter(there);
                    present = parent.unwrap_or(present);
                    editor.apply(&Action::Run(Command::Undo));
                }
                4..=6 => {
                    let next = made[present as usize].next.filter(there);
                    present = next.unwrap_or(present);
                    editor.apply(&Action::Run(Command::Redo));
                }
                7 => {
                    let position = random.below(kept.len());
                    present = kept.iter().nth(position).copied().unwrap();
                    editor.apply(&Action::GoTo(position));
                    visit(&mut made, present);
                }
                8 => {
                    let name = format!("branch {present}");
                    let position = kept.iter().position(|serial| *serial == present).unwrap();
                    editor.apply(&Action::NameEntry(position, name));
                }
                _ => {
                    let before = editor.revision();
                    let edits = vec![random_edit(&mut random, &editor)];
                    editor.apply(&Action::Preview(edits.clone()));
                    editor.apply(&Action::Commit { label: None, edits });
                    if editor.revision() != before {
                        branches += usize::from(made[present as usize].next.is_some());
                        let serial = made.len() as u64;
                        made.push(Made {
                            hash: hash(&editor),
                            parent: Some(present),
                            next: None,
                        });
                        made[present as usize].next = Some(serial);
                        present = serial;
                    }
                }
            }
            if random.chance(0.05) {
                assert_eq!(hash(&editor), made[present as usize].hash);
            }
        }
        assert!(branches > 500, "{branches} branches");
        let (entries, at) = editor.document().unwrap().history.entries();
        assert_eq!(entries.len(), History::LIMIT);
        assert_eq!(entries[at].serial, present);
        for entry in entries {
            let record = &made[entry.serial as usize];
            assert_eq!(entry.scene.hash(), record.hash);
            let parent = entry.parent.map(|at| entries[at].serial);
            assert!(
                parent == record.parent || (parent.is_none() && entry.serial == entries[0].serial)
            );
        }
    }

    fn random_edit(random: &mut crate::rng::Stream, editor: &Editor) -> Edit {
        let scene = editor.scene().unwrap();
        let agent = match scene.agents.get(random.below(scene.agents.len())) {
            Some(agent) => agent.id.clone(),
            None => AgentId::new("gone"),
        };
        let point = [random.uniform(-50.0, 50.0), random.uniform(-50.0, 50.0)];
        let heading = random.uniform(-3.0, 3.0);
        match random.below(9) {
            0 | 1 => Edit::Move {
                agent,
                point,
                heading,
                speed: random.chance(0.5).then(|| random.uniform(0.0, 20.0)),
            },
            2 => Edit::Resize {
                agent,
                length: random.uniform(1.0, 12.0),
                width: random.uniform(0.5, 3.0),
            },
            3 => Edit::Add {
                agent: free_id(scene, "vehicle", &[]),
                kind: AgentKind::Vehicle,
                point,
                heading,
                speed: random.uniform(0.0, 20.0),
                size: None,
            },
            4 if scene.agents.len() > 3 => Edit::Remove { agent },
            5 => Edit::SetRole {
                agent,
                role: Role::Ego,
            },
            6 => Edit::SetControl {
                agent,
                control: [Control::Free, Control::Frozen, Control::Log][random.below(3)],
            },
            7 => Edit::SetGoal {
                goal: Goal {
                    agent,
                    point,
                    time_s: random.uniform(1.0, 2.9),
                    heading: Some(heading),
                    speed: None,
                    tolerance_m: 1.0,
                    hard: random.chance(0.5),
                    extra: crate::map::Extra::new(),
                },
            },
            _ => Edit::SetAttack {
                attack: Attack {
                    attacker: agent,
                    target: scene.agents[0].id.clone(),
                    time_s: 2.0,
                    offset: [0.0, 0.0],
                    extra: crate::map::Extra::new(),
                },
            },
        }
    }

    #[test]
    fn a_document_saved_elsewhere_is_known_by_its_new_place() {
        let mut open = Document::new(scene(), "left turn".to_owned(), Vec::new());
        let scene = open.history.scene().clone();
        open.mark_saved(scene, PathBuf::from("mine.json"));
        assert_eq!(open.origin, "mine.json");
        assert!(!open.modified());
    }
}
