//! Icons, drawn as strokes so that they are sharp at any scale and follow the theme.

use egui::Color32;
use egui::Painter;
use egui::Pos2;
use egui::Rect;
use egui::Shape;
use egui::Stroke;
use egui::StrokeKind;
use egui::Vec2;
use egui::pos2;

/// What an icon shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Icon {
    /// A folder.
    Open,
    /// A disk.
    Save,
    /// An arrow to the left that turns.
    Undo,
    /// An arrow to the right that turns.
    Redo,
    /// A pointer.
    Select,
    /// A flag.
    Goal,
    /// A crosshair.
    Attack,
    /// A car with a plus.
    Add,
    /// A pencil on a curve.
    Sketch,
    /// A ruler.
    Measure,
    /// One pane.
    One,
    /// Two panes.
    Two,
    /// Four panes.
    Four,
    /// A sun.
    Sun,
    /// A moon.
    Moon,
    /// A triangle.
    Play,
    /// Two bars.
    Pause,
    /// One frame back.
    Back,
    /// One frame on.
    Forward,
    /// To the start.
    Start,
    /// To the end.
    End,
    /// A loop.
    Loop,
    /// An eye.
    Eye,
    /// A crossed eye.
    Hidden,
    /// A closed lock.
    Lock,
    /// An open lock.
    Free,
    /// A clock with a tail: the recorded log.
    Log,
    /// A chain link.
    Link,
    /// A question mark.
    Help,
    /// A lens.
    Search,
    /// A cross.
    Close,
    /// A die.
    Dice,
    /// A spark: make it.
    Generate,
    /// A tray.
    Tray,
    /// A triangle with a mark.
    Warning,
    /// A check mark.
    Check,
    /// A frame around a dot.
    Frame,
    /// A chevron downwards.
    Down,
}

/// Draws `icon` into the middle of `rect`, 16 points wide.
pub(super) fn paint(painter: &Painter, rect: Rect, icon: Icon, color: Color32) {
    paint_sized(painter, rect.center(), 16.0, icon, color);
}

/// Draws `icon` centred on `center`, `size` points wide.
pub(super) fn paint_sized(painter: &Painter, center: Pos2, size: f32, icon: Icon, color: Color32) {
    let unit = size / 16.0;
    let at = |x: f32, y: f32| pos2(center.x + (x - 8.0) * unit, center.y + (y - 8.0) * unit);
    let stroke = Stroke::new(1.4 * unit.max(0.8), color);
    let line = |points: &[(f32, f32)]| {
        let points = points.iter().map(|&(x, y)| at(x, y)).collect();
        painter.add(Shape::line(points, stroke));
    };
    let closed = |points: &[(f32, f32)]| {
        let points = points.iter().map(|&(x, y)| at(x, y)).collect();
        painter.add(Shape::closed_line(points, stroke));
    };
    let filled = |points: &[(f32, f32)]| {
        let points = points.iter().map(|&(x, y)| at(x, y)).collect();
        painter.add(Shape::convex_polygon(points, color, Stroke::NONE));
    };
    let circle = |x: f32, y: f32, radius: f32| {
        painter.circle_stroke(at(x, y), radius * unit, stroke);
    };
    let dot = |x: f32, y: f32, radius: f32| {
        painter.circle_filled(at(x, y), radius * unit, color);
    };
    let frame = |x: f32, y: f32, width: f32, height: f32, corner: f32| {
        let rect = Rect::from_min_size(at(x, y), Vec2::new(width, height) * unit);
        painter.rect_stroke(rect, corner * unit, stroke, StrokeKind::Middle);
    };
    let arc = |x: f32, y: f32, radius: f32, from: f32, to: f32| {
        let points: Vec<Pos2> = (0..=20)
            .map(|step| {
                let angle = (from + (to - from) * step as f32 / 20.0).to_radians();
                at(x + radius * angle.cos(), y + radius * angle.sin())
            })
            .collect();
        painter.add(Shape::line(points, stroke));
    };
    match icon {
        Icon::Open => {
            line(&[
                (13.5, 6.5),
                (13.5, 5.0),
                (7.5, 5.0),
                (6.0, 3.2),
                (2.0, 3.2),
                (2.0, 12.8),
            ]);
            closed(&[(2.0, 12.8), (4.2, 7.2), (15.0, 7.2), (12.8, 12.8)]);
        }
        Icon::Save => {
            closed(&[
                (2.5, 2.5),
                (11.0, 2.5),
                (13.5, 5.0),
                (13.5, 13.5),
                (2.5, 13.5),
            ]);
            line(&[(5.0, 13.2), (5.0, 9.0), (11.0, 9.0), (11.0, 13.2)]);
            line(&[(5.0, 2.8), (5.0, 5.5), (9.5, 5.5), (9.5, 2.8)]);
        }
        Icon::Undo => {
            line(&[(5.5, 2.8), (2.5, 5.8), (5.5, 8.8)]);
            line(&[(2.8, 5.8), (9.5, 5.8)]);
            arc(9.5, 9.5, 3.7, -90.0, 90.0);
            line(&[(9.5, 13.2), (5.5, 13.2)]);
        }
        Icon::Redo => {
            line(&[(10.5, 2.8), (13.5, 5.8), (10.5, 8.8)]);
            line(&[(13.2, 5.8), (6.5, 5.8)]);
            arc(6.5, 9.5, 3.7, 270.0, 90.0);
            line(&[(6.5, 13.2), (10.5, 13.2)]);
        }
        Icon::Select => {
            closed(&[(3.5, 2.0), (12.8, 8.6), (8.6, 9.4), (6.6, 13.4)]);
        }
        Icon::Goal => {
            line(&[(4.0, 14.0), (4.0, 2.2)]);
            filled(&[(4.0, 2.4), (13.0, 5.4), (4.0, 8.6)]);
        }
        Icon::Attack => {
            circle(8.0, 8.0, 4.6);
            line(&[(8.0, 1.4), (8.0, 5.2)]);
            line(&[(8.0, 10.8), (8.0, 14.6)]);
            line(&[(1.4, 8.0), (5.2, 8.0)]);
            line(&[(10.8, 8.0), (14.6, 8.0)]);
            dot(8.0, 8.0, 1.1);
        }
        Icon::Add => {
            frame(1.8, 6.0, 8.4, 5.6, 1.6);
            line(&[(12.4, 2.0), (12.4, 7.4)]);
            line(&[(9.7, 4.7), (15.1, 4.7)]);
        }
        Icon::Sketch => {
            line(&[
                (1.8, 13.6),
                (4.2, 11.6),
                (6.4, 13.2),
                (9.0, 11.4),
                (10.6, 12.6),
            ]);
            closed(&[
                (6.6, 9.4),
                (12.2, 2.4),
                (14.4, 4.2),
                (8.8, 11.0),
                (6.2, 11.8),
            ]);
        }
        Icon::Measure => {
            closed(&[(1.8, 11.0), (11.0, 1.8), (14.2, 5.0), (5.0, 14.2)]);
            line(&[(5.2, 7.6), (7.0, 9.4)]);
            line(&[(7.6, 5.2), (9.0, 6.6)]);
            line(&[(10.0, 2.8), (11.8, 4.6)]);
        }
        Icon::One => frame(2.0, 3.0, 12.0, 10.0, 1.5),
        Icon::Two => {
            frame(2.0, 3.0, 12.0, 10.0, 1.5);
            line(&[(8.0, 3.0), (8.0, 13.0)]);
        }
        Icon::Four => {
            frame(2.0, 3.0, 12.0, 10.0, 1.5);
            line(&[(8.0, 3.0), (8.0, 13.0)]);
            line(&[(2.0, 8.0), (14.0, 8.0)]);
        }
        Icon::Sun => {
            circle(8.0, 8.0, 3.0);
            for step in 0..8 {
                let angle = (step as f32 * 45.0).to_radians();
                let (sin, cos) = angle.sin_cos();
                line(&[
                    (8.0 + 5.0 * cos, 8.0 + 5.0 * sin),
                    (8.0 + 6.8 * cos, 8.0 + 6.8 * sin),
                ]);
            }
        }
        Icon::Moon => {
            arc(8.0, 8.0, 5.6, 40.0, 310.0);
            arc(11.2, 8.0, 4.3, 120.0, 240.0);
        }
        Icon::Play => filled(&[(4.5, 2.6), (13.2, 8.0), (4.5, 13.4)]),
        Icon::Pause => {
            filled(&[(4.0, 3.0), (6.8, 3.0), (6.8, 13.0), (4.0, 13.0)]);
            filled(&[(9.2, 3.0), (12.0, 3.0), (12.0, 13.0), (9.2, 13.0)]);
        }
        Icon::Back => {
            line(&[(12.0, 3.5), (6.5, 8.0), (12.0, 12.5)]);
            line(&[(4.0, 3.5), (4.0, 12.5)]);
        }
        Icon::Forward => {
            line(&[(4.0, 3.5), (9.5, 8.0), (4.0, 12.5)]);
            line(&[(12.0, 3.5), (12.0, 12.5)]);
        }
        Icon::Start => {
            line(&[(13.0, 3.5), (8.5, 8.0), (13.0, 12.5)]);
            line(&[(8.5, 3.5), (4.0, 8.0), (8.5, 12.5)]);
        }
        Icon::End => {
            line(&[(3.0, 3.5), (7.5, 8.0), (3.0, 12.5)]);
            line(&[(7.5, 3.5), (12.0, 8.0), (7.5, 12.5)]);
        }
        Icon::Loop => {
            arc(8.0, 8.0, 5.4, -150.0, 20.0);
            arc(8.0, 8.0, 5.4, 30.0, 200.0);
            line(&[(13.9, 6.6), (13.2, 9.8), (10.6, 8.0)]);
            line(&[(2.1, 9.4), (2.8, 6.2), (5.4, 8.0)]);
        }
        Icon::Eye | Icon::Hidden => {
            arc(8.0, 12.2, 7.4, -145.0, -35.0);
            arc(8.0, 3.8, 7.4, 35.0, 145.0);
            if icon == Icon::Eye {
                dot(8.0, 8.0, 2.1);
            } else {
                line(&[(3.0, 13.4), (13.0, 2.6)]);
            }
        }
        Icon::Lock => {
            frame(3.2, 7.2, 9.6, 6.6, 1.2);
            arc(8.0, 6.4, 3.0, 180.0, 360.0);
            line(&[(5.0, 6.4), (5.0, 7.2)]);
            line(&[(11.0, 6.4), (11.0, 7.2)]);
        }
        Icon::Free => {
            frame(3.2, 7.2, 9.6, 6.6, 1.2);
            arc(8.0, 5.0, 3.0, 180.0, 340.0);
            line(&[(5.0, 5.0), (5.0, 7.2)]);
        }
        Icon::Log => {
            arc(8.4, 8.0, 5.4, -160.0, 150.0);
            line(&[(2.0, 3.6), (3.2, 6.8), (6.4, 5.6)]);
            line(&[(8.4, 5.0), (8.4, 8.4), (10.8, 9.8)]);
        }
        Icon::Link => {
            arc(5.4, 8.0, 3.2, 60.0, 300.0);
            arc(10.6, 8.0, 3.2, -120.0, 120.0);
            line(&[(5.6, 8.0), (10.4, 8.0)]);
        }
        Icon::Help => {
            arc(8.0, 5.8, 3.0, 180.0, 405.0);
            line(&[(10.0, 8.0), (8.0, 9.4), (8.0, 10.8)]);
            dot(8.0, 13.4, 0.95);
        }
        Icon::Search => {
            circle(7.0, 7.0, 4.4);
            line(&[(10.3, 10.3), (14.0, 14.0)]);
        }
        Icon::Close => {
            line(&[(4.0, 4.0), (12.0, 12.0)]);
            line(&[(12.0, 4.0), (4.0, 12.0)]);
        }
        Icon::Dice => {
            frame(2.4, 2.4, 11.2, 11.2, 2.2);
            for (x, y) in [
                (5.4, 5.4),
                (10.6, 5.4),
                (8.0, 8.0),
                (5.4, 10.6),
                (10.6, 10.6),
            ] {
                dot(x, y, 1.05);
            }
        }
        Icon::Generate => {
            filled(&[(7.0, 1.6), (8.5, 6.4), (7.0, 7.0), (5.5, 6.4)]);
            filled(&[(7.0, 14.0), (8.5, 9.2), (7.0, 8.6), (5.5, 9.2)]);
            filled(&[(0.8, 7.8), (5.6, 6.3), (6.2, 7.8), (5.6, 9.3)]);
            filled(&[(13.2, 7.8), (8.4, 6.3), (7.8, 7.8), (8.4, 9.3)]);
            dot(7.0, 7.8, 1.8);
            dot(13.0, 2.8, 1.2);
            dot(13.2, 12.8, 0.9);
        }
        Icon::Tray => {
            line(&[(2.0, 9.0), (2.0, 13.4), (14.0, 13.4), (14.0, 9.0)]);
            line(&[
                (2.0, 9.0),
                (5.2, 9.0),
                (6.4, 11.0),
                (9.6, 11.0),
                (10.8, 9.0),
                (14.0, 9.0),
            ]);
            line(&[(8.0, 1.6), (8.0, 7.6)]);
            line(&[(5.6, 5.4), (8.0, 7.8), (10.4, 5.4)]);
        }
        Icon::Warning => {
            closed(&[(8.0, 2.0), (14.6, 13.6), (1.4, 13.6)]);
            line(&[(8.0, 6.2), (8.0, 9.8)]);
            dot(8.0, 11.8, 0.9);
        }
        Icon::Check => line(&[(3.0, 8.6), (6.4, 12.0), (13.0, 4.4)]),
        Icon::Frame => {
            line(&[(2.4, 5.4), (2.4, 2.4), (5.4, 2.4)]);
            line(&[(10.6, 2.4), (13.6, 2.4), (13.6, 5.4)]);
            line(&[(13.6, 10.6), (13.6, 13.6), (10.6, 13.6)]);
            line(&[(5.4, 13.6), (2.4, 13.6), (2.4, 10.6)]);
            dot(8.0, 8.0, 1.8);
        }
        Icon::Down => line(&[(4.0, 6.2), (8.0, 10.2), (12.0, 6.2)]),
    }
}

/// The program's own icon: two paths that almost meet, 64 by 64.
pub(super) fn app_icon() -> egui::IconData {
    const SIDE: usize = 64;
    let distance = |x: f32, y: f32, from: [f32; 2], over: [f32; 2], to: [f32; 2]| {
        (0..=40)
            .map(|step| {
                let t = step as f32 / 40.0;
                let at = |axis: usize| {
                    let (a, b, c) = (from[axis], over[axis], to[axis]);
                    (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c
                };
                (x - at(0)).hypot(y - at(1))
            })
            .fold(f32::INFINITY, f32::min)
    };
    let mut rgba = Vec::with_capacity(SIDE * SIDE * 4);
    for row in 0..SIDE {
        for column in 0..SIDE {
            let scale = 24.0 / SIDE as f32;
            let (x, y) = ((column as f32 + 0.5) * scale, (row as f32 + 0.5) * scale);
            // rounded square of 24 with corners of 5
            let beyond = |value: f32| ((value - 12.0).abs() - 7.0).max(0.0);
            let inside = (5.0 - beyond(x).hypot(beyond(y))).clamp(0.0, 1.0);
            let ego = distance(x, y, [4.5, 20.0], [10.5, 12.5], [5.0, 4.0]);
            let other = distance(x, y, [19.5, 20.0], [12.5, 12.0], [19.0, 4.0]);
            let dot = (x - 12.0).hypot(y - 12.0) - 1.0;
            let mut color = [0x14, 0x18, 0x1e];
            for (reach, tint) in [
                (ego - 1.0, [0x4d, 0x94, 0xff]),
                (other - 1.0, [0xf4, 0x7a, 0x3c]),
                (dot - 1.0, [0x2c, 0xc9, 0xb1]),
            ] {
                let share = (0.7 - reach).clamp(0.0, 1.0);
                for (value, tint) in color.iter_mut().zip(tint) {
                    let mixed = f32::from(*value) * (1.0 - share) + tint as f32 * share;
                    *value = mixed as u8;
                }
            }
            rgba.extend(color);
            rgba.push((255.0 * inside) as u8);
        }
    }
    egui::IconData {
        rgba,
        width: SIDE as u32,
        height: SIDE as u32,
    }
}
