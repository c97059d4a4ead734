//! The dial around a selected goal: a hand that sets its time, and a lock that makes it hard or soft.

use std::f64::consts::FRAC_PI_2;

use egui::Align2;
use egui::Painter;
use egui::Pos2;
use egui::Shape;
use egui::Stroke;
use egui::vec2;

use super::icons;
use super::icons::Icon;
use super::overlay;
use super::panes::Screen;
use super::theme::Tokens;
use super::tools;
use crate::geometry::DVec2;
use crate::geometry::dvec2;
use crate::scene::Goal;
use crate::scene::Scene;

/// Radius of the dial beyond the tolerance ring, points.
const BEYOND: f64 = 30.0;

/// Half of the gap at the top, rad; the lock stands in it.
const GAP: f64 = 0.5;

/// Where the hand of the dial stands for a time, clockwise from the top, rad: the horizon is the way round from one
/// side of the gap to the other.
fn angle_of(scene: &Scene, time_s: f64) -> f64 {
    let share = ((time_s - scene.now_s()) / tools::HORIZON_S).clamp(0.0, 1.0);
    GAP + share * (std::f64::consts::TAU - 2.0 * GAP)
}

fn on_dial(goal: &Goal, angle: f64, metre: f64) -> DVec2 {
    let radius = goal.tolerance_m.max(14.0 * metre) + BEYOND * metre;
    dvec2(goal.point[0], goal.point[1]) + DVec2::from_angle(FRAC_PI_2 - angle) * radius
}

/// Where the hand is grabbed; `metre` is the size of a point on screen, m.
pub(super) fn clock_place(scene: &Scene, goal: &Goal, metre: f64) -> DVec2 {
    on_dial(goal, angle_of(scene, goal.time_s), metre)
}

/// Where the lock is.
pub(super) fn lock_place(goal: &Goal, metre: f64) -> DVec2 {
    on_dial(goal, 0.0, metre)
}

/// The scene time on the model's grid for which the hand points to `at`. In the gap the nearer end holds.
pub(super) fn time_at(scene: &Scene, goal: &Goal, at: DVec2) -> f64 {
    let to = at - dvec2(goal.point[0], goal.point[1]);
    let angle = (FRAC_PI_2 - to.to_angle()).rem_euclid(std::f64::consts::TAU);
    let share = (angle - GAP) / (std::f64::consts::TAU - 2.0 * GAP);
    tools::on_grid(scene, scene.now_s() + share * tools::HORIZON_S)
}

/// Draws the dial with a tick per half second, the hand's knob, and the lock.
pub(super) fn dial_ui(
    painter: &Painter,
    (screen, scene, goal): (&Screen, &Scene, &Goal),
    (clock_hot, lock_hot): (bool, bool),
    tokens: &Tokens,
) {
    let metre = screen.metre();
    let centre = screen.place(dvec2(goal.point[0], goal.point[1]));
    let place = |time_s: f64| screen.place(on_dial(goal, angle_of(scene, time_s), metre));
    let color = tokens.goal;
    let steps = (tools::HORIZON_S * 2.0) as usize;
    for step in 1..=steps {
        let time_s = scene.now_s() + step as f64 * 0.5;
        let at = place(time_s);
        let passed = time_s <= goal.time_s + 1e-6;
        let size = if step % 2 == 0 { 2.0 } else { 1.2 };
        let shade = if passed { 1.0 } else { 0.4 };
        painter.circle_filled(at, size + 1.0, tokens.ground.gamma_multiply(0.7));
        painter.circle_filled(at, size, color.gamma_multiply(shade));
    }
    let hand = place(goal.time_s);
    clock(painter, hand, centre, clock_hot, tokens);
    let away = (hand - centre).normalized();
    let anchor = if away.x < -0.3 {
        Align2::RIGHT_CENTER
    } else {
        Align2::LEFT_CENTER
    };
    let side = if away.x < -0.3 { -12.0 } else { 12.0 };
    let text = format!("{:.1} s", goal.time_s);
    overlay::free_label(
        painter,
        hand + vec2(side, 0.0),
        anchor,
        &text,
        color,
        tokens,
    );
    let lock = screen.place(lock_place(goal, metre));
    let radius = if lock_hot { 10.5 } else { 9.0 };
    let stroke = Stroke::new(1.2, color);
    painter.circle(lock, radius, tokens.ground, stroke);
    let icon = if goal.hard { Icon::Lock } else { Icon::Free };
    icons::paint_sized(painter, lock, 11.0, icon, color);
}

/// A knob with clock hands.
fn clock(painter: &Painter, at: Pos2, centre: Pos2, hot: bool, tokens: &Tokens) {
    let radius = if hot { 8.5 } else { 7.0 };
    let color = tokens.goal;
    painter.circle(at, radius, tokens.ground, Stroke::new(1.6, color));
    let stroke = Stroke::new(1.3, color);
    let hand = (at - centre).normalized() * (radius - 2.5);
    painter.add(Shape::line(
        vec![at + vec2(0.0, 3.0 - radius), at, at + hand],
        stroke,
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene_and_goal(time_s: f64) -> (Scene, Goal) {
        let scene = Scene {
            dt_s: 0.1,
            frames: 121,
            now: 20,
            ..Scene::default()
        };
        let goal = Goal {
            agent: crate::scene::AgentId::new("a"),
            point: [3.0, -2.0],
            time_s,
            heading: None,
            speed: None,
            tolerance_m: 1.0,
            hard: true,
            extra: crate::map::Extra::new(),
        };
        (scene, goal)
    }

    #[test]
    fn the_hand_reads_back_every_half_second_it_shows() {
        for step in 1..=16 {
            let time_s = 2.0 + 0.5 * f64::from(step); // the present is 2 s
            let (scene, goal) = scene_and_goal(time_s);
            let hand = clock_place(&scene, &goal, 0.1);
            assert!((time_at(&scene, &goal, hand) - time_s).abs() < 1e-9);
        }
    }

    #[test]
    fn half_the_horizon_stands_at_the_bottom_and_the_gap_keeps_to_its_ends() {
        let (scene, goal) = scene_and_goal(6.0); // 2 s + 8 s / 2
        let hand = clock_place(&scene, &goal, 0.1);
        // ring max(1 m, 14 · 0.1 m) and 30 · 0.1 m beyond: 4.4 m below (3, −2)
        assert!(hand.distance(dvec2(3.0, -6.4)) < 1e-9);
        let top = |side: f64| time_at(&scene, &goal, dvec2(3.0 + side, 8.0));
        assert_eq!((top(0.5), top(-0.5)), (2.5, 10.0));
    }
}
