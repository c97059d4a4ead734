//! What the user can ask for. Commands are the rows of one table: menus, palette, help and keys all come from it.

use std::path::PathBuf;
use std::sync::Arc;

use egui::Key;
use egui::Modifiers;

use super::lab::LabAction;
use super::lab::sweep::SweepAction;
use super::pilot::PilotAction;
use super::tools::Tool;
use super::trial::TrialAction;
use crate::scene::AgentId;
use crate::scene::Edit;

/// A wish of the user. Panels collect them during a frame; the window carries them out after it.
#[derive(Debug, Clone)]
pub enum Action {
    /// A command without further detail.
    Run(Command),
    /// Opens a scene from a file or folder.
    Open {
        /// Where it lies.
        path: PathBuf,
        /// Which of several scenes.
        pick: Option<String>,
    },
    /// Opens a bundled scene, by position.
    OpenBundled(usize),
    /// Writes the scene to a file.
    SaveTo(PathBuf),
    /// Applies edits as one step of the history.
    Commit {
        /// The line in the history list; the first edit's own if absent.
        label: Option<String>,
        /// What to change, in order.
        edits: Vec<Edit>,
    },
    /// Shows edits without committing them.
    Preview(Vec<Edit>),
    /// Drops what [`Action::Preview`] shows.
    DropPreview,
    /// Chooses agents; replaces the selection.
    Select(Vec<AgentId>),
    /// Adds an agent to the selection or takes it out.
    Toggle(AgentId),
    /// Shows or hides an agent.
    ToggleHidden(AgentId),
    /// Moves the time cursor, s.
    Seek(f64),
    /// Sets the playback speed, a factor.
    Speed(f64),
    /// Chooses a tool.
    UseTool(Tool),
    /// Goes to an entry of the history.
    GoTo(usize),
    /// Names an entry of the history; blank takes the name away.
    NameEntry(usize, String),
    /// Shows one, two or four panes.
    Layout(usize),
    /// Restores an autosave, by position in the offer.
    Recover(usize),
    /// Deletes all offered autosaves.
    ForgetRecovery,
    /// Something about generation.
    Lab(LabAction),
    /// Something about the planner.
    Pilot(PilotAction),
    /// Asks the trial for something.
    Trial(TrialAction),
    /// Asks the sweep for something.
    Sweep(SweepAction),
    /// Says something to the user.
    Notify(Notice),
}

/// Something the user should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// How serious it is.
    pub weight: Weight,
    /// What happened and what to do, in a sentence or two.
    pub text: String,
    /// More for those who want it; can be copied.
    pub detail: Option<Arc<str>>,
    /// What can be done about it, as a button.
    pub offer: Option<Command>,
}

/// How serious a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Done.
    Good,
    /// Worth knowing.
    Info,
    /// Needs a look.
    Warning,
    /// Failed.
    Error,
}

impl Notice {
    /// A notice without detail.
    pub fn new(weight: Weight, text: impl Into<String>) -> Self {
        Self {
            weight,
            text: text.into(),
            detail: None,
            offer: None,
        }
    }

    /// The same with a button that runs a command.
    pub fn offering(mut self, command: Command) -> Self {
        self.offer = Some(command);
        self
    }

    /// The same with more detail.
    pub fn with_detail(mut self, detail: impl Into<Arc<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

macro_rules! commands {
    ($($name:ident, $group:ident, $text:literal, $tip:literal, $key:expr;)*) => {
        /// A command without further detail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Command {
            $(#[doc = $tip] $name,)*
        }

        /// All commands, in the order of the help sheet.
        pub(super) const ROWS: &[Row] = &[
            $(Row {
                command: Command::$name,
                group: Group::$group,
                text: $text,
                tooltip: $tip,
                keys: $key,
            },)*
        ];
    };
}

/// One command with its words and keys.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The command.
    pub command: Command,
    /// Where it stands in the help sheet.
    pub group: Group,
    /// Its name.
    pub text: &'static str,
    /// What it does.
    pub tooltip: &'static str,
    /// Keys that run it; the first is shown.
    pub keys: &'static [Keys],
}

/// Groups of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Files.
    File,
    /// Changing the scene.
    Edit,
    /// Making futures.
    Generate,
    /// Time.
    Time,
    /// What is shown.
    View,
    /// Tools of the canvas.
    Tool,
    /// The window itself.
    Window,
}

impl Group {
    /// All groups in the order of the help sheet.
    pub const ALL: [Self; 7] = [
        Self::File,
        Self::Edit,
        Self::Tool,
        Self::Time,
        Self::Generate,
        Self::View,
        Self::Window,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Edit => "Edit",
            Self::Generate => "Generate",
            Self::Time => "Time",
            Self::View => "View",
            Self::Tool => "Tools",
            Self::Window => "Window",
        }
    }
}

/// A key with modifiers; `ctrl` is the command key on a Mac.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// Control, or command on a Mac.
    pub ctrl: bool,
    /// Shift.
    pub shift: bool,
    /// The key.
    pub key: Key,
    /// Whether holding it down repeats the command.
    pub repeats: bool,
}

const fn key(key: Key) -> Keys {
    Keys {
        ctrl: false,
        shift: false,
        key,
        repeats: false,
    }
}

const fn shift(key: Key) -> Keys {
    Keys {
        ctrl: false,
        shift: true,
        key,
        repeats: false,
    }
}

const fn ctrl(key: Key) -> Keys {
    Keys {
        ctrl: true,
        shift: false,
        key,
        repeats: false,
    }
}

const fn ctrl_shift(key: Key) -> Keys {
    Keys {
        ctrl: true,
        shift: true,
        key,
        repeats: false,
    }
}

const fn held(keys: Keys) -> Keys {
    Keys {
        repeats: true,
        ..keys
    }
}

impl Keys {
    /// Whether a key event with these modifiers is meant.
    pub fn matches(&self, key: Key, modifiers: Modifiers, repeat: bool) -> bool {
        // shifted punctuation arrives as its own key on most layouts
        let punctuation = matches!(key, Key::Questionmark | Key::Plus | Key::Equals);
        let shift = self.shift == modifiers.shift || punctuation;
        self.key == key
            && self.ctrl == modifiers.command
            && shift
            && !modifiers.alt
            && (self.repeats || !repeat)
    }

    /// As printed in menus.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.ctrl {
            text.push_str(if cfg!(target_os = "macos") {
                "⌘ "
            } else {
                "Ctrl "
            });
        }
        if self.shift {
            text.push_str("Shift ");
        }
        text.push_str(match self.key {
            Key::Comma => ",",
            Key::Period => ".",
            Key::OpenBracket => "[",
            Key::CloseBracket => "]",
            Key::Questionmark => "?",
            Key::Space => "Space",
            Key::Delete => "Del",
            Key::ArrowLeft => "←",
            Key::ArrowRight => "→",
            Key::ArrowUp => "↑",
            Key::ArrowDown => "↓",
            other => other.name(),
        });
        text
    }
}

commands! {
    Open, File, "Open…", "Open a scene file or folder", &[ctrl(Key::O)];
    OpenFolder, File, "Open folder…", "Open a folder of scenes", &[ctrl_shift(Key::O)];
    Save, File, "Save", "Write the scene to its file, re-read and compared", &[ctrl(Key::S)];
    SaveAs, File, "Save as…", "Write the scene to a new file", &[ctrl_shift(Key::S)];
    Rename, File, "Rename scene…", "Give the scene another name", &[key(Key::F2)];
    Export, File, "Export…", "Write a case, a picture, a clip or a table of metrics", &[ctrl(Key::E)];
    SaveBugCase, File, "Save bug case…", "Write the scene and recipe on which the model last failed", &[];
    PreviousScene, File, "Previous scene", "Open the scene before this one in the library", &[key(Key::OpenBracket)];
    NextScene, File, "Next scene", "Open the scene after this one in the library", &[key(Key::CloseBracket)];

    Undo, Edit, "Undo", "Take the last step back", &[held(ctrl(Key::Z))];
    Redo, Edit, "Redo", "Do again what was undone", &[held(ctrl_shift(Key::Z)), held(ctrl(Key::Y))];
    Duplicate, Edit, "Duplicate", "Copy the selected agent beside itself", &[ctrl(Key::D)];
    Delete, Edit, "Delete", "Delete the selected agents", &[key(Key::Delete)];
    ClearGoal, Edit, "Clear goal", "Remove the selected agents' goals and attacks", &[shift(Key::Delete)];
    MakeEgo, Edit, "Make ego", "Make the selected agent the ego", &[];
    ChooseEgo, Edit, "Choose an ego", "Make the vehicle the ego that drives farthest and is seen longest", &[];
    Lock, Edit, "Freeze or free", "Keep the selected agents' tracks, or let the model make them", &[ctrl(Key::L)];
    ToLog, Edit, "Return to log", "Restore the selected agents' recorded tracks", &[];
    PresentHere, Edit, "Set the present here", "Make the frame under the cursor the boundary between history and future", &[];

    SelectTool, Tool, "Select", "Select, move, turn; drag the arrow for speed", &[key(Key::V)];
    GoalTool, Tool, "Goal", "Click where the selected agent shall be; drag to aim it", &[key(Key::G)];
    AttackTool, Tool, "Attack", "Click an attacker, then the target; drag the contact along its path", &[key(Key::T)];
    SketchTool, Tool, "Sketch", "Draw the way the selected agent shall take", &[key(Key::P)];
    AddTool, Tool, "Add agent", "Press and drag to place somebody new with a heading", &[key(Key::A)];
    AddCar, Tool, "Add a car", "Press and drag to place a new car with a heading", &[];
    AddLorry, Tool, "Add a lorry", "Press and drag to place a new lorry (truck) with a heading", &[];
    AddBus, Tool, "Add a bus", "Press and drag to place a new bus with a heading", &[];
    AddCyclist, Tool, "Add a cyclist", "Press and drag to place a new cyclist with a heading", &[];
    AddPedestrian, Tool, "Add a pedestrian", "Press and drag to place somebody on foot with a heading", &[];
    AddObstacle, Tool, "Add an obstacle", "Press to place something that stands in the way", &[];
    MeasureTool, Tool, "Measure", "Drag to measure metres", &[key(Key::M)];
    NextAgent, Tool, "Next agent", "Select the next agent", &[key(Key::N), key(Key::Tab)];
    PreviousAgent, Tool, "Previous agent", "Select the agent before", &[shift(Key::N), shift(Key::Tab)];

    Play, Time, "Play or pause", "Start or stop playback", &[key(Key::Space)];
    StepBack, Time, "Back one frame", "One frame back", &[held(key(Key::ArrowLeft))];
    StepForward, Time, "On one frame", "One frame on", &[held(key(Key::ArrowRight))];
    JumpBack, Time, "Back ten frames", "Ten frames back", &[held(shift(Key::ArrowLeft))];
    JumpForward, Time, "On ten frames", "Ten frames on", &[held(shift(Key::ArrowRight))];
    ToStart, Time, "To the start", "First frame", &[key(Key::Home)];
    ToEnd, Time, "To the end", "Last frame", &[key(Key::End)];
    ToPresent, Time, "To the present", "The boundary between history and future", &[key(Key::J)];
    Faster, Time, "Faster", "Double the playback speed", &[key(Key::ArrowUp)];
    Slower, Time, "Slower", "Halve the playback speed", &[key(Key::ArrowDown)];
    Loop, Time, "Loop", "Start again at the end", &[key(Key::O)];

    Generate, Generate, "Generate", "Make the future of all free agents", &[key(Key::R)];
    NewSeed, Generate, "Generate with a new seed", "Draw another seed, then make the future", &[shift(Key::R)];
    FindAttacks, Generate, "Find attacks", "Rank who can reach the ego's way, when and how plausibly", &[shift(Key::T)];
    MakeAttacks, Generate, "Make all attacks", "Make every attack that was found; the gates say which could happen", &[ctrl_shift(Key::T)];
    Sweep, Generate, "Sweep…", "Make the scene for each of many values: of a contact time, a goal, a speed, a place", &[ctrl_shift(Key::V)];
    RunWorld, Generate, "Run the world", "Let the model drive everyone on without end; edits take effect at once", &[key(Key::W)];
    NextStep, Generate, "Next denoising step", "One denoising step on", &[held(key(Key::Period))];
    PreviousStep, Generate, "Previous denoising step", "One denoising step back", &[held(key(Key::Comma))];
    FirstStep, Generate, "First denoising step", "The starting noise", &[shift(Key::Comma)];
    LastStep, Generate, "Result", "The finished scene", &[shift(Key::Period)];
    Keep, Generate, "Keep in tray", "Put this case into the tray", &[key(Key::K)];
    ExportCases, Generate, "Export tray…", "Write all cases of the tray, one file each", &[ctrl_shift(Key::E)];
    TryPlanners, Generate, "Try planners…", "Let several planners drive every case of the tray, or this scene, and compare what comes of it", &[ctrl_shift(Key::D)];
    CopyCommand, Generate, "Copy as command", "Copy the command line that makes the same", &[ctrl_shift(Key::C)];

    FrameSelection, View, "Frame selection", "Bring the selected agents, else the ego, into view", &[key(Key::F)];
    FitAll, View, "Fit all", "Bring all agents into view", &[key(Key::Num0)];
    FitMap, View, "Fit map", "Bring the whole map into view", &[key(Key::Num9)];
    HeadingUp, View, "Heading up", "Turn the view with the ego, or north up", &[key(Key::H)];
    Follow, View, "Follow", "Keep the selected agent, else the ego, in view", &[shift(Key::F)];
    LinkPanes, View, "Link panes", "Panes share one camera, or each has its own", &[key(Key::L)];
    OnePane, View, "One pane", "Show one pane", &[key(Key::Num1)];
    TwoPanes, View, "Two panes", "Show two panes side by side", &[key(Key::Num2)];
    FourPanes, View, "Four panes", "Show four panes", &[key(Key::Num4)];
    NextCompare, View, "Compare otherwise", "Show the first two sources side by side, overlaid, wiped or as differences", &[key(Key::C)];
    Overlay, View, "Overlay", "Draw the second source with the first as ghosts", &[];
    Wipe, View, "Wipe", "Draw the first source left of a handle and the second right of it", &[];
    Difference, View, "Difference", "Join each agent's places in the first two sources, coloured by metres", &[key(Key::D)];
    LogGhost, View, "Log ghosts", "Draw the recorded future under the edited one", &[key(Key::X)];
    Blink, View, "Flash the previous result", "While held, show the scene before the last step", &[key(Key::B)];
    Trails, View, "Paths", "Draw nobody's, the main agents', or everyone's path", &[shift(Key::P)];
    Names, View, "Names", "Draw nobody's, the main agents', or everyone's name", &[shift(Key::L)];
    Grid, View, "Grid", "Draw a metre grid", &[shift(Key::G)];
    Legend, View, "Legend", "Say what the shapes and colours on the map stand for", &[key(Key::I)];

    Palette, Window, "Command palette", "Search all commands", &[ctrl(Key::K)];
    FirstSteps, Window, "Show the first steps", "Open the left turn with its result and the three things to try", &[];
    Help, Window, "Keys and gestures", "Show all keys and gestures", &[key(Key::Questionmark), shift(Key::Slash), key(Key::F1)];
    Theme, Window, "Light or dark", "Switch between the light and the dark theme", &[];
    Cancel, Window, "Cancel", "Cancel the drag, else the job, else the selection", &[key(Key::Escape)];
    LeftPanel, Window, "Left panel", "Show or hide scenes, agents and history", &[ctrl(Key::B)];
    PlannerPanel, Window, "Planner panel", "The planner's modes, what each scores, and why one is taken", &[];
    Lights, Window, "Traffic lights", "List the lights of the scene and change what they show", &[];
    ImportNotes, Window, "Notes of the importer", "What the importer left out, mended or assumed in this file", &[];
    ResultsPanel, Window, "Results panel", "Gates, fault, escape and metrics of the scene", &[];
    RightPanel, Window, "Right panel", "Show or hide the inspector", &[ctrl(Key::I)];
    ZoomIn, Window, "Larger interface", "Make the interface larger", &[ctrl(Key::Plus), ctrl(Key::Equals)];
    ZoomOut, Window, "Smaller interface", "Make the interface smaller", &[ctrl(Key::Minus)];
    RestartGraphics, Window, "Restart graphics", "Set the window's graphics device up anew, when its driver misbehaves; the scene, its history and what runs stay", &[];
    Quit, Window, "Quit", "Close the window", &[ctrl(Key::Q)];
}

impl Command {
    /// Its row.
    pub fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// Its tooltip with the key in brackets.
    pub fn hint(self) -> String {
        let row = self.row();
        match row.keys.first() {
            Some(keys) => format!("{}  [{}]", row.tooltip, keys.text()),
            None => row.tooltip.to_owned(),
        }
    }

    /// Whether its key acts in a text field, too: what is typed there is taken over first.
    pub fn ends_typing(self) -> bool {
        matches!(
            self,
            Self::Save | Self::SaveAs | Self::Open | Self::OpenFolder | Self::Quit
        )
    }

    /// The command a key event runs, if any.
    pub fn of_key(key: Key, modifiers: Modifiers, repeat: bool) -> Option<Self> {
        ROWS.iter()
            .find(|row| {
                row.keys
                    .iter()
                    .any(|keys| keys.matches(key, modifiers, repeat))
            })
            .map(|row| row.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_a_key() {
        let mut seen: Vec<(Keys, Command)> = Vec::new();
        for row in ROWS {
            for keys in row.keys {
                let keys = Keys {
                    repeats: false,
                    ..*keys
                };
                assert!(
                    !seen.iter().any(|(other, _)| *other == keys),
                    "{:?} of {:?}",
                    keys,
                    row.command
                );
                seen.push((keys, row.command));
            }
        }
    }

    #[test]
    fn every_row_stands_at_its_command() {
        for row in ROWS {
            assert_eq!(row.command.row().text, row.text);
        }
    }

    #[test]
    fn shift_tells_commands_apart() {
        // + is = with shift on some keyboards, a key of its own on others
        for key in [Key::Plus, Key::Equals] {
            for modifiers in [Modifiers::COMMAND, Modifiers::COMMAND | Modifiers::SHIFT] {
                let larger = Command::of_key(key, modifiers, false);
                assert_eq!(larger, Some(Command::ZoomIn));
            }
        }
        let of = |modifiers| Command::of_key(Key::ArrowLeft, modifiers, true);
        assert_eq!(of(Modifiers::NONE), Some(Command::StepBack));
        assert_eq!(of(Modifiers::SHIFT), Some(Command::JumpBack));
        assert_eq!(of(Modifiers::ALT), None);
    }
}
