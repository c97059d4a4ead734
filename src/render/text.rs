//! Text on finished pictures: the window's own typeface, its outlines filled with exact coverage. One line, left to
//! right, no shaping.

use skrifa::FontRef;
use skrifa::MetadataProvider as _;
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};

use super::Color;
use super::image::Image;

/// Writes `text` with its box's top left corner at `left`, `top` (pixels), `size` pixels high, over a soft rim of `halo`.
pub(super) fn draw_text(
    image: &mut Image,
    text: &str,
    (left, top, size): (f32, f32, f32),
    color: Color,
    halo: Color,
) {
    let Some(mask) = Mask::of(text, size, left.fract(), top.fract()) else {
        return;
    };
    let (x0, y0) = (left.floor() as i64, top.floor() as i64);
    let margin = (size / 7.0).ceil() as i64;
    let places = |reach: i64| {
        let (width, height) = (mask.width as i64, mask.height as i64);
        (-reach..height + reach).flat_map(move |y| (-reach..width + reach).map(move |x| (x, y)))
    };
    if !halo.is_clear() {
        for (x, y) in places(margin) {
            let share = mask.spread(x, y, margin);
            image.blend(x0 + x, y0 + y, halo, 0.85 * share);
        }
    }
    for (x, y) in places(0) {
        // light strokes on either ground look thinner than they are
        let share = mask.at(x, y).powf(0.75);
        image.blend(x0 + x, y0 + y, color, share);
    }
}

/// Width and height of `text` at `size` pixels, pixels.
pub(super) fn text_extent(text: &str, size: f32) -> [f32; 2] {
    let Some(font) = font() else {
        return [0.0; 2];
    };
    let advances = font.glyph_metrics(Size::new(size), LocationRef::default());
    let letters = font.charmap();
    let width = text
        .chars()
        .map(|letter| {
            let glyph = letters.map(letter).unwrap_or_default();
            advances.advance_width(glyph).unwrap_or(0.0)
        })
        .sum();
    [width, line_height(&font, size)]
}

fn font() -> Option<FontRef<'static>> {
    FontRef::new(epaint_default_fonts::UBUNTU_LIGHT).ok()
}

fn line_height(font: &FontRef<'_>, size: f32) -> f32 {
    let metrics = font.metrics(Size::new(size), LocationRef::default());
    metrics.ascent - metrics.descent
}

/// Coverage of a line of text.
struct Mask {
    width: usize,
    height: usize,
    shares: Vec<f32>,
}

impl Mask {
    /// `right` and `down` are fractions of a pixel by which the text is shifted.
    fn of(text: &str, size: f32, right: f32, down: f32) -> Option<Self> {
        let font = font()?;
        let [width, height] = text_extent(text, size);
        if !(width > 0.0 && width < 4096.0 && height < 1024.0) {
            return None;
        }
        let metrics = font.metrics(Size::new(size), LocationRef::default());
        let advances = font.glyph_metrics(Size::new(size), LocationRef::default());
        let outlines = font.outline_glyphs();
        let letters = font.charmap();
        let mut coverage = Coverage::new(width.ceil() as usize + 3, height.ceil() as usize + 2);
        let mut pen_x = right + 1.0;
        for letter in text.chars() {
            let glyph = letters.map(letter).unwrap_or_default();
            if let Some(outline) = outlines.get(glyph) {
                let mut pen = Pen {
                    coverage: &mut coverage,
                    origin: [pen_x, metrics.ascent + down],
                    start: [0.0; 2],
                    last: [0.0; 2],
                };
                let settings = DrawSettings::unhinted(Size::new(size), LocationRef::default());
                // a glyph that cannot be drawn leaves its space
                outline.draw(settings, &mut pen).ok();
            }
            pen_x += advances.advance_width(glyph).unwrap_or(0.0);
        }
        Some(coverage.finished())
    }

    fn at(&self, x: i64, y: i64) -> f32 {
        let is_inside = (0..self.width as i64).contains(&x) && (0..self.height as i64).contains(&y);
        if is_inside {
            self.shares[y as usize * self.width + x as usize]
        } else {
            0.0
        }
    }

    /// The largest coverage within `reach` pixels, fading with distance.
    fn spread(&self, x: i64, y: i64, reach: i64) -> f32 {
        let mut most = 0.0_f32;
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let distance = ((dx * dx + dy * dy) as f32).sqrt();
                let fade = (1.3 - distance / (reach as f32 + 0.5)).clamp(0.0, 1.0);
                most = most.max(fade * self.at(x + dx, y + dy));
            }
        }
        most
    }
}

/// Signed areas of edges, summed along rows into coverage (the method of font-rs).
struct Coverage {
    width: usize,
    height: usize,
    areas: Vec<f32>,
}

impl Coverage {
    fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            areas: vec![0.0; width * height + 1],
        }
    }

    fn edge(&mut self, from: [f32; 2], to: [f32; 2]) {
        if from[1] == to[1] {
            return;
        }
        let (sign, top, bottom) = if from[1] < to[1] {
            (1.0, from, to)
        } else {
            (-1.0, to, from)
        };
        let slope = (bottom[0] - top[0]) / (bottom[1] - top[1]);
        let first = top[1].max(0.0).floor() as usize;
        let last = (bottom[1].ceil().max(0.0) as usize).min(self.height);
        for row in first..last {
            let y0 = top[1].max(row as f32);
            let y1 = bottom[1].min(row as f32 + 1.0);
            if y1 <= y0 {
                continue;
            }
            let limit = (self.width - 1) as f32;
            let a = (top[0] + (y0 - top[1]) * slope).clamp(0.0, limit);
            let b = (top[0] + (y1 - top[1]) * slope).clamp(0.0, limit);
            self.row_edge(row * self.width, [a.min(b), a.max(b)], sign * (y1 - y0));
        }
    }

    /// Adds an edge of signed height `height` that spans `[left, right]` within one row.
    fn row_edge(&mut self, row: usize, [left, right]: [f32; 2], height: f32) {
        let first = left.floor() as usize;
        let last = (right.ceil() as usize).max(first + 1);
        if last == first + 1 {
            let beyond = 1.0 - ((left + right) / 2.0 - first as f32);
            self.areas[row + first] += height * beyond;
            self.areas[row + first + 1] += height * (1.0 - beyond);
            return;
        }
        // share of the edge left of each pixel's right side, summed with trapezoids
        let covered = |x: f32| {
            let part = ((x - left) / (right - left)).clamp(0.0, 1.0);
            part * (x.min(right) - left).max(0.0) / 2.0 + (x - right).max(0.0)
        };
        let mut before = 0.0;
        for column in first..=last {
            let area = covered(column as f32 + 1.0) - covered(column as f32);
            if let Some(cell) = self.areas.get_mut(row + column) {
                *cell += height * (area - before);
            }
            before = area;
        }
    }

    fn finished(self) -> Mask {
        let mut shares = Vec::with_capacity(self.width * self.height);
        for row in self.areas[..self.width * self.height].chunks_exact(self.width) {
            let mut sum = 0.0;
            shares.extend(row.iter().map(|area| {
                sum += area;
                f32::min(f32::abs(sum), 1.0)
            }));
        }
        Mask {
            width: self.width,
            height: self.height,
            shares,
        }
    }
}

/// Turns a glyph's outline (y up) into edges (y down).
struct Pen<'a> {
    coverage: &'a mut Coverage,
    origin: [f32; 2],
    start: [f32; 2],
    last: [f32; 2],
}

impl Pen<'_> {
    fn place(&self, x: f32, y: f32) -> [f32; 2] {
        [self.origin[0] + x, self.origin[1] - y]
    }

    fn straight(&mut self, to: [f32; 2]) {
        self.coverage.edge(self.last, to);
        self.last = to;
    }
}

impl OutlinePen for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        self.start = self.place(x, y);
        self.last = self.start;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.place(x, y);
        self.straight(to);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        let (a, b, c) = (self.last, self.place(cx, cy), self.place(x, y));
        for step in 1..=6 {
            let t = step as f32 / 6.0;
            let at = |axis: usize| {
                (1.0 - t) * (1.0 - t) * a[axis] + 2.0 * t * (1.0 - t) * b[axis] + t * t * c[axis]
            };
            self.straight([at(0), at(1)]);
        }
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        let (a, b, c, d) = (
            self.last,
            self.place(cx0, cy0),
            self.place(cx1, cy1),
            self.place(x, y),
        );
        for step in 1..=8 {
            let t = step as f32 / 8.0;
            let u = 1.0 - t;
            let at = |axis: usize| {
                u * u * u * a[axis]
                    + 3.0 * u * u * t * b[axis]
                    + 3.0 * u * t * t * c[axis]
                    + t * t * t * d[axis]
            };
            self.straight([at(0), at(1)]);
        }
    }

    fn close(&mut self) {
        self.straight(self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_covers_half_of_its_box() {
        let mut coverage = Coverage::new(12, 12);
        let corners = [[1.0, 1.0], [9.0, 1.0], [1.0, 9.0]];
        for index in 0..3 {
            coverage.edge(corners[index], corners[(index + 1) % 3]);
        }
        let total: f32 = coverage.finished().shares.iter().sum();
        assert!((total - 32.0).abs() < 1e-3, "{total}"); // 8 · 8 / 2
    }

    #[test]
    fn wider_text_is_wider_and_leaves_ink() {
        assert!(text_extent("mm", 12.0)[0] > 1.9 * text_extent("m", 12.0)[0]);
        let mut image = Image::plain(60, 24, Color::hex(0));
        draw_text(
            &mut image,
            "ego 7",
            (4.0, 4.0, 14.0),
            Color::hex(0xff_ff_ff),
            Color::CLEAR,
        );
        let ink = image.pixels.iter().filter(|pixel| pixel[0] > 128).count();
        assert!((20..400).contains(&ink), "{ink}");
    }
}
