//! The first minute: a result that is already there, one flag that asks to be dragged, three callouts.

use egui::Align2;
use egui::Color32;
use egui::Pos2;
use egui::Rect;
use egui::Stroke;
use egui::Ui;
use egui::pos2;
use egui::vec2;

use super::icons::Icon;
use super::lab::Lab;
use super::panes::Screen;
use super::theme;
use super::theme::tokens;
use super::widgets;
use crate::generator::goals_from_log;
use crate::geometry::dvec2;
use crate::scene::Edit;
use crate::scene::Scene;

/// How long the flag pulses, s.
const PULSE_S: f64 = 2.4;

/// What is tried: drag a goal, look at a step, attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Try {
    /// Drag the goal.
    Goal,
    /// Look at a denoising step.
    Step,
    /// Find attacks.
    Attack,
}

/// The callouts on screen.
#[derive(Debug, Clone, Default)]
pub(super) struct FirstStart {
    /// Those that were tried or dismissed: goal, step, attack.
    pub done: [bool; 3],
    /// The scene is yet to be opened with its result.
    pub greeting: bool,
    /// Its result is yet to be made.
    pub result_due: bool,
    pulse_from_s: Option<f64>,
}

impl FirstStart {
    /// Callouts for a window that `remembers` having shown them all, or not.
    pub(super) fn new(welcomed: bool) -> Self {
        Self {
            done: [welcomed; 3],
            ..Self::default()
        }
    }

    /// Begins again, with the scene to be opened next.
    pub(super) fn again(&mut self) {
        *self = Self {
            greeting: true,
            ..Self::default()
        };
    }

    /// Whether all were tried or dismissed.
    pub(super) fn over(&self) -> bool {
        self.done.iter().all(|done| *done)
    }

    /// Notes that something was tried.
    pub(super) fn tried(&mut self, what: Try) {
        self.done[what as usize] = true;
    }

    /// Notes what the window shows to have been tried.
    pub(super) fn watch(&mut self, lab: &Lab) {
        if lab.step.is_some() {
            self.tried(Try::Step);
        }
        if lab.attacks.searching || !lab.attacks.candidates.is_empty() {
            self.tried(Try::Attack);
        }
    }
}

/// The bundled scene with the ego's goal where its log ends within the horizon: what the first result is made of.
pub(super) fn with_goal(scene: &Scene) -> Scene {
    let ego = scene.ego().map(|ego| ego.id.clone());
    let goal = goals_from_log(scene, &[])
        .into_iter()
        .find(|goal| Some(&goal.agent) == ego.as_ref());
    let asked = goal.and_then(|goal| scene.edited(&Edit::SetGoal { goal }).ok());
    asked.unwrap_or_else(|| scene.clone())
}

/// Shows the callouts that are left over the canvas, which fills `area`; `screen` is where the scene that is worked on
/// lies, `legend` says whether the legend has the lower left corner. Without agents there is nothing to try.
pub(super) fn callouts_ui(
    ui: &Ui,
    area: Rect,
    steps: &mut FirstStart,
    (screen, legend): (Option<Screen>, bool),
    scene: &Scene,
) {
    if scene.agents.is_empty() {
        return;
    }
    let rows: [(Try, Card); 2] = [
        (
            Try::Step,
            Card {
                name: "callout step",
                at: area.left_bottom() + vec2(12.0, -12.0),
                pivot: Align2::LEFT_BOTTOM,
                points_to: None,
                title: "See it being made",
                key: Some("."),
                text: "Each press shows one denoising step, from noise to the result.",
            },
        ),
        (
            Try::Attack,
            Card {
                name: "callout attack",
                at: area.right_bottom() + vec2(-12.0, -12.0),
                pivot: Align2::RIGHT_BOTTOM,
                points_to: None,
                title: "Make it a corner case",
                key: Some("Shift T"),
                text: "Click an attack in the list: the planner's score falls; click it to see why. Results tells who is at fault, and the way out.",
            },
        ),
    ];
    let mut taken = Vec::new();
    for (what, card) in rows {
        let covers = legend && what == Try::Step;
        if steps.done[what as usize] || covers {
            continue;
        }
        let (closed, shown) = card.beside(ui, area, &taken).show(ui);
        taken.push(shown);
        if closed {
            steps.tried(what);
        }
    }
    if !steps.done[Try::Goal as usize]
        && let Some(screen) = screen
        && let Some(flag) = flag(&screen, scene)
    {
        pulse(ui, steps, &screen, flag);
        // in a small pane it may cover what is below, never the bars above
        let below = flag.y + 150.0 < screen.rect.bottom() || flag.y - 150.0 < screen.rect.top();
        let (pivot, down) = match below {
            true => (Align2::CENTER_TOP, 68.0),
            false => (Align2::CENTER_BOTTOM, -68.0),
        };
        let half = WIDE / 2.0;
        let (left, right) = (screen.rect.left() + half, screen.rect.right() - half);
        let card = Card {
            name: "callout goal",
            at: pos2(flag.x.min(right).max(left), flag.y + down),
            pivot,
            points_to: Some(flag),
            title: "Drag this goal.",
            key: None,
            text: "The model answers under the mouse; everyone reacts.",
        };
        taken.push(Rect::from_min_max(flag - HANDLES[0], flag + HANDLES[1]));
        let room = area.with_min_y(screen.rect.top());
        if card.beside(ui, room, &taken).show(ui).0 {
            steps.tried(Try::Goal);
        }
    }
}

/// Where the first goal's flag stands, if it is in view.
fn flag(screen: &Screen, scene: &Scene) -> Option<Pos2> {
    let goal = scene.goals.first()?;
    let at = screen.place(dvec2(goal.point[0], goal.point[1]));
    screen.rect.shrink(10.0).contains(at).then_some(at)
}

/// Two rings that widen from the flag, once.
fn pulse(ui: &Ui, steps: &mut FirstStart, screen: &Screen, flag: Pos2) {
    let now_s = ui.input(|input| input.time);
    let since = now_s - *steps.pulse_from_s.get_or_insert(now_s);
    if since >= PULSE_S {
        return;
    }
    ui.ctx().request_repaint();
    let painter = ui.painter_at(screen.rect);
    for delay in [0.0, 0.5] {
        let share = ((since - delay) / (PULSE_S - 0.5)).clamp(0.0, 1.0) as f32;
        if share > 0.0 && share < 1.0 {
            let color = tokens(ui).goal.gamma_multiply(1.0 - share);
            let radius = 14.0 + 46.0 * share;
            painter.circle_stroke(flag, radius, Stroke::new(3.0, color));
        }
    }
}

/// The width of a card, points.
const WIDE: f32 = 236.0;
/// How high a card is taken to be before it was shown, points.
const TALL: f32 = 64.0;
/// So far left of and above a flag lie its handles, and right of and below it, points.
const HANDLES: [egui::Vec2; 2] = [vec2(30.0, 58.0), vec2(30.0, 30.0)];
/// What lies between two cards at least, points.
const GAP: f32 = 8.0;

/// Where a card that wants to stand at `wanted` has room: there, or as little as possible beside, above or below those that
/// are `taken`; there in any case if all is full.
fn clear_of(wanted: Rect, room: Rect, taken: &[Rect]) -> Rect {
    let is_free = |place: &Rect| {
        let inside = room.contains_rect(*place);
        inside
            && !taken
                .iter()
                .any(|other| other.expand(GAP - 0.5).intersects(*place))
    };
    let beside = taken.iter().flat_map(|other| {
        let (low, high) = (other.min - wanted.max, other.max - wanted.min);
        [
            vec2(low.x - GAP, 0.0),
            vec2(high.x + GAP, 0.0),
            vec2(0.0, low.y - GAP),
            vec2(0.0, high.y + GAP),
        ]
    });
    let shifts = std::iter::once(egui::Vec2::ZERO).chain(beside);
    let free = shifts.filter(|shift| is_free(&wanted.translate(*shift)));
    let least = free.min_by(|a, b| a.length_sq().total_cmp(&b.length_sq()));
    wanted.translate(least.unwrap_or_default())
}

/// A few words at a place.
struct Card {
    name: &'static str,
    at: Pos2,
    pivot: Align2,
    points_to: Option<Pos2>,
    title: &'static str,
    key: Option<&'static str>,
    text: &'static str,
}

impl Card {
    /// The same where it covers none that are `taken`, as high as it was in the frame before.
    fn beside(self, ui: &Ui, room: Rect, taken: &[Rect]) -> Self {
        let before = egui::AreaState::load(ui.ctx(), widgets::id(self.name));
        let size = before.and_then(|state| state.size);
        let size = size.unwrap_or(vec2(WIDE, TALL));
        let wanted = self.pivot.anchor_size(self.at, size);
        let shift = clear_of(wanted, room, taken).min - wanted.min;
        Self {
            at: self.at + shift,
            ..self
        }
    }

    /// Whether it was dismissed, and where it is.
    fn show(&self, ui: &Ui) -> (bool, Rect) {
        let tokens = tokens(ui);
        let mut closed = false;
        let shown = egui::Area::new(widgets::id(self.name))
            .fixed_pos(self.at)
            .pivot(self.pivot)
            .order(egui::Order::Middle)
            .constrain(true)
            .show(ui.ctx(), |ui| {
                egui::Frame::new()
                    .fill(tokens.raised)
                    .stroke(Stroke::new(1.0, tokens.accent))
                    .corner_radius(8.0)
                    .inner_margin(egui::Margin::symmetric(11, 8))
                    .show(ui, |ui| {
                        ui.set_width(212.0);
                        ui.horizontal(|ui| {
                            if let Some(key) = self.key {
                                widgets::keycap(ui, key);
                            }
                            ui.label(theme::strong(self.title, 12.5));
                            ui.with_layout(
                                egui::Layout::right_to_left(egui::Align::Center),
                                |ui| {
                                    let name = format!("Dismiss: {}", self.title);
                                    let tip = "Dismiss; the help sheet brings it back";
                                    closed = widgets::row_icon(ui, Icon::Close, &name, tip, false)
                                        .clicked();
                                },
                            );
                        });
                        let text = theme::small(self.text).color(tokens.dim);
                        ui.add(egui::Label::new(text).wrap());
                    });
            });
        if let Some(to) = self.points_to {
            pointer(ui, shown.response.rect, to, tokens.accent);
        }
        (closed, shown.response.rect)
    }
}

/// A line from a card to what it speaks of.
fn pointer(ui: &Ui, card: Rect, to: Pos2, color: Color32) {
    let from = pos2(
        to.x.clamp(card.left() + 10.0, card.right() - 10.0),
        if to.y < card.center().y {
            card.top()
        } else {
            card.bottom()
        },
    );
    let way = to - from;
    let end = to - way.normalized() * 20.0;
    if way.length() > 26.0 {
        ui.painter()
            .line_segment([from, end], Stroke::new(1.4, color));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_goes_the_shortest_way_to_where_it_covers_none() {
        let room = Rect::from_min_max(pos2(0.0, 0.0), pos2(300.0, 400.0));
        let card = |x: f32, y: f32| Rect::from_min_size(pos2(x, y), vec2(236.0, 60.0));
        assert_eq!(clear_of(card(30.0, 100.0), room, &[]), card(30.0, 100.0));
        // beside the other there is no room: it ends 8 above that, 320 - 8 - 60
        let taken = [card(50.0, 320.0)];
        assert_eq!(clear_of(card(30.0, 300.0), room, &taken), card(30.0, 252.0));
        let both = [card(50.0, 320.0), card(30.0, 240.0)];
        assert_eq!(clear_of(card(30.0, 300.0), room, &both), card(30.0, 172.0));
        let full = Rect::from_min_size(pos2(0.0, 0.0), vec2(236.0, 90.0));
        assert_eq!(clear_of(card(0.0, 9.0), full, &[full]), card(0.0, 9.0));
    }

    #[test]
    fn callouts_are_over_when_each_was_tried_or_dismissed() {
        let mut steps = FirstStart::new(false);
        steps.tried(Try::Step);
        assert!(!steps.over());
        steps.tried(Try::Goal);
        steps.tried(Try::Attack);
        assert!(steps.over());
        steps.again();
        assert!(steps.greeting && !steps.over());
    }
}
