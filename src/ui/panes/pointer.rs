//! The pointer over a pane: moving the view, dragging handles, clicking and drawing.

use std::collections::BTreeSet;

use egui::CursorIcon;
use egui::Key;
use egui::PointerButton;
use egui::Pos2;
use egui::Rect;
use egui::Response;
use egui::Ui;

use super::Panes;
use super::Screen;
use crate::geometry::dvec2;
use crate::scene::AgentId;
use crate::scene::Edit;
use crate::scene::Role;
use crate::ui::action::Action;
use crate::ui::action::Command;
use crate::ui::action::Notice;
use crate::ui::action::Weight;
use crate::ui::editor::Editor;
use crate::ui::sketch::Sketch;
use crate::ui::tools;
use crate::ui::tools::Gesture;
use crate::ui::tools::Handle;
use crate::ui::tools::Pointer;
use crate::ui::tools::Tool;

impl Panes {
    pub(super) fn navigate(&mut self, ui: &Ui, response: &Response, pane: usize) {
        let screen = Screen {
            camera: self.camera(pane),
            rect: response.rect,
        };
        let size = screen.size();
        let camera = &mut self.cameras[if self.linked { 0 } else { pane }];
        let pans = response.dragged_by(PointerButton::Middle)
            || response.dragged_by(PointerButton::Secondary)
            || (response.dragged() && ui.input(|input| input.key_down(Key::Space)));
        if pans {
            let delta = response.drag_delta();
            camera.pan(dvec2(f64::from(delta.x), f64::from(delta.y)));
            self.follow = false;
            ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
        }
        if let Some(at) = response.hover_pos() {
            let (scroll, pinch) =
                ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
            let factor = f64::from(scroll * 0.004).exp() * f64::from(pinch);
            if factor != 1.0 {
                let local = at - response.rect.min;
                camera.zoom_at(factor, dvec2(f64::from(local.x), f64::from(local.y)), size);
            }
        }
    }

    pub(super) fn hovered_handle(
        &self,
        ui: &Ui,
        screen: &Screen,
        editor: &Editor,
    ) -> Option<Handle> {
        if let Some((Gesture::Handle(handle), _)) = &self.gesture {
            return Some(handle.clone());
        }
        let at = ui.input(|input| input.pointer.hover_pos())?;
        let inside = screen.rect.contains(at) && ui.ctx().dragged_id().is_none();
        inside.then(|| handle_at(screen, editor, at)).flatten()
    }

    /// Clicks and drags of the primary button.
    pub(super) fn point(
        &mut self,
        ui: &Ui,
        response: &Response,
        (pane, screen): (usize, &Screen),
        editor: &Editor,
        actions: &mut Vec<Action>,
    ) {
        let Some(scene) = editor.committed() else {
            return;
        };
        let (modifiers, press) = ui.input(|input| (input.modifiers, input.pointer.press_origin()));
        let pointer = |at: Pos2| Pointer {
            at: screen.world(at),
            alt: modifiers.alt,
            slack_m: 6.0 * screen.metre(),
            time_s: editor.time_s,
        };
        let pick = |at: Pos2| {
            let margin = 4.0 * screen.metre();
            scene
                .agent_at(screen.world(at), editor.time_s, margin)
                .filter(|id| !editor.hidden.contains(id))
        };
        if self.gesture.is_none() {
            self.hover = response.hover_pos().and_then(pick);
        }
        if response.double_clicked() {
            actions.push(Action::Run(Command::FrameSelection));
        } else if response.clicked()
            && let Some(at) = response.interact_pointer_pos()
            && let Some(lock @ Handle::GoalLock(_)) = handle_at(screen, editor, at)
        {
            let edits = Gesture::Handle(lock).meaning(scene, &pointer(at)).edits;
            actions.push(Action::Commit { label: None, edits });
        } else if response.clicked()
            && let Some(at) = response.interact_pointer_pos()
        {
            self.click(&pointer(at), pick(at), modifiers.shift, editor, actions);
        }
        let panning = ui.input(|input| input.key_down(Key::Space));
        if response.drag_started_by(PointerButton::Primary)
            && !panning
            && let Some(at) = press
        {
            let under = pick(at);
            self.measured = None;
            let gesture = begin(screen, editor, at, under, modifiers.command, actions);
            self.gesture = gesture.map(|gesture| (gesture, pane));
        }
        let Some((gesture, in_pane)) = &mut self.gesture else {
            return;
        };
        if *in_pane != pane {
            return;
        }
        // Escape ends a drag for the toolkit too: that end is no release
        if ui.input(|input| input.key_pressed(Key::Escape)) {
            self.cancel();
            actions.push(Action::DropPreview);
            return;
        }
        // the pointer may leave the window in the moment of release: then the last meaning holds
        let at = response.interact_pointer_pos();
        if let Some(at) = at {
            if let Gesture::Sketch(sketch) = gesture {
                sketch.extend(screen.world(at));
            }
            self.meaning = gesture.meaning(scene, &pointer(at));
        }
        if response.dragged() && !self.meaning.edits.is_empty() {
            actions.push(Action::Preview(self.meaning.edits.clone()));
        }
        if response.drag_stopped() {
            let at = at.or(press).unwrap_or(response.rect.center());
            self.finish(screen, at, modifiers.shift, editor, actions);
        }
    }

    fn click(
        &self,
        pointer: &Pointer,
        under: Option<AgentId>,
        add: bool,
        editor: &Editor,
        actions: &mut Vec<Action>,
    ) {
        let Some(scene) = editor.committed() else {
            return;
        };
        let one_click = |gesture: Gesture, actions: &mut Vec<Action>| {
            let edits = gesture.meaning(scene, pointer).edits;
            actions.push(Action::Commit { label: None, edits });
        };
        match (editor.tool, under) {
            (Tool::Goal, None) => match editor.addressed() {
                Some(agent) => {
                    let gesture = Gesture::NewGoal {
                        agent: agent.clone(),
                        at: pointer.at,
                    };
                    one_click(gesture, actions);
                }
                None => actions.push(no_ego("select an agent, then click where it shall be")),
            },
            (Tool::Attack, Some(attacker)) => {
                let is_ego = scene
                    .agent(&attacker)
                    .is_some_and(|agent| agent.role == Role::Ego);
                if is_ego {
                    actions.push(hint(
                        "The ego is the target. Click the agent that shall meet it.",
                    ));
                } else {
                    actions.push(Action::Select(vec![attacker.clone()]));
                    one_click(Gesture::Aim { attacker }, actions);
                }
            }
            (Tool::Add, None) => {
                let gesture = Gesture::Add {
                    body: editor.body,
                    at: pointer.at,
                };
                let edits = gesture.meaning(scene, pointer).edits;
                commit_added(edits, actions);
            }
            (_, Some(agent)) if add => actions.push(Action::Toggle(agent)),
            (_, Some(agent)) => actions.push(Action::Select(vec![agent])),
            (_, None) if add => {}
            (_, None) => actions.push(Action::Select(Vec::new())),
        }
    }

    fn finish(
        &mut self,
        screen: &Screen,
        at: Pos2,
        add: bool,
        editor: &Editor,
        actions: &mut Vec<Action>,
    ) {
        let Some((gesture, _)) = self.gesture.take() else {
            return;
        };
        let meaning = std::mem::take(&mut self.meaning);
        if let Gesture::Measure { from } = gesture {
            self.measured = Some((from, screen.world(at), meaning.note));
            return;
        }
        if let Gesture::Box { from } = &gesture
            && let Some(scene) = editor.committed()
        {
            let inside = Rect::from_two_pos(screen.place(*from), at);
            let mut chosen: Vec<AgentId> = scene
                .states_at(editor.time_s)
                .filter(|(_, agent, state)| {
                    inside.contains(screen.place(state.position))
                        && !editor.hidden.contains(&agent.id)
                })
                .map(|(_, agent, _)| agent.id.clone())
                .collect();
            if add {
                let mut all: BTreeSet<AgentId> = editor.selection.iter().cloned().collect();
                all.extend(chosen);
                chosen = all.into_iter().collect();
            }
            actions.push(Action::Select(chosen));
            return;
        }
        if meaning.edits.is_empty() {
            actions.push(Action::DropPreview);
            return;
        }
        commit_added(meaning.edits, actions);
    }
}

/// Commits what a gesture meant, and selects whom it added.
fn commit_added(edits: Vec<Edit>, actions: &mut Vec<Action>) {
    let adds = |edit: &&Edit| matches!(edit, Edit::Add { .. });
    let added: Vec<AgentId> = edits
        .iter()
        .filter(adds)
        .filter_map(|edit| edit.agent().cloned())
        .collect();
    let label = match edits.as_slice() {
        [add @ Edit::Add { .. }, Edit::SetRole { .. }] => {
            Some(format!("{} as the ego", add.label()))
        }
        _ => None,
    };
    actions.push(Action::Commit { label, edits });
    if !added.is_empty() {
        actions.push(Action::Select(added));
    }
}

fn handle_at(screen: &Screen, editor: &Editor, at: Pos2) -> Option<Handle> {
    let scene = editor.scene()?;
    if !matches!(editor.tool, Tool::Select | Tool::Goal | Tool::Attack) {
        return None;
    }
    tools::handles(scene, &editor.selection, editor.time_s, screen.metre())
        .into_iter()
        .map(|(handle, place)| (handle, screen.place(place).distance(at)))
        .filter(|(_, distance)| *distance <= 9.0)
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(handle, _)| handle)
}

fn begin(
    screen: &Screen,
    editor: &Editor,
    at: Pos2,
    under: Option<AgentId>,
    copy: bool,
    actions: &mut Vec<Action>,
) -> Option<Gesture> {
    let from = screen.world(at);
    if let Some(handle) = handle_at(screen, editor, at) {
        return Some(Gesture::Handle(handle));
    }
    match (editor.tool, under) {
        (Tool::Measure, _) => Some(Gesture::Measure { from }),
        (Tool::Add, _) => Some(Gesture::Add {
            body: editor.body,
            at: from,
        }),
        (Tool::Sketch, under) => {
            if let Some(agent) = &under {
                actions.push(Action::Select(vec![agent.clone()]));
            }
            match under.or_else(|| editor.addressed().cloned()) {
                Some(agent) => Some(Gesture::Sketch(Sketch::new(agent, from))),
                None => {
                    actions.push(no_ego("press on an agent and draw its way"));
                    None
                }
            }
        }
        (Tool::Goal, None) => match editor.addressed() {
            Some(agent) => Some(Gesture::NewGoal {
                agent: agent.clone(),
                at: from,
            }),
            None => {
                actions.push(no_ego("select an agent, then press where it shall be"));
                None
            }
        },
        (Tool::Attack, Some(attacker)) => {
            actions.push(Action::Select(vec![attacker.clone()]));
            Some(Gesture::Aim { attacker })
        }
        (Tool::Select | Tool::Goal, Some(lead)) => {
            let agents = if editor.selection.contains(&lead) {
                editor.selection.clone()
            } else {
                actions.push(Action::Select(vec![lead.clone()]));
                vec![lead.clone()]
            };
            Some(Gesture::Move {
                lead,
                agents,
                from,
                copy,
            })
        }
        (Tool::Select | Tool::Attack, None) => Some(Gesture::Box { from }),
    }
}

/// Says that nobody is addressed, and offers to choose an ego.
fn no_ego(otherwise: &str) -> Action {
    let text =
        format!("No ego is marked in this scene, so nobody is meant: choose one, or {otherwise}.");
    Action::Notify(Notice::new(Weight::Info, text).offering(Command::ChooseEgo))
}

fn hint(text: &str) -> Action {
    Action::Notify(Notice::new(Weight::Info, text))
}
