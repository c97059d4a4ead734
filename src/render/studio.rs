//! Pictures, sheets and clips of scenes off-screen: what `nearmiss render` and the window's export both call.

use std::io::Write;
use std::sync::Arc;

use super::draw_list::{Anchor, Label};
use super::image::{Clip, Image, Palette};
use super::offscreen::{Offscreen, RenderError, Shot};
use super::options::{Ghosts, NoiseView, Path, ViewOptions};
use super::{Camera, Color, Composer, Style, legend, opening_camera, spanning};
use crate::geometry::{DVec2, dvec2};
use crate::map::Map;
use crate::scene::Scene;

/// Extent of the view along its shorter side while it follows the ego, m.
const FOLLOW_M: f64 = 70.0;

/// How long the last frame of a clip stays before it starts over, hundredths of a second.
const LAST_FRAME: u16 = 120;

/// Between pictures beside each other, points.
pub const GAP: f64 = 4.0;

/// Where a caption begins, points from the left.
const CAPTION_X: f64 = 16.0;

/// So many maps at least are kept as they were drawn.
const MAPS: usize = 4;

/// Frames per second of a case's clip.
pub const CASE_FPS: f64 = 10.0;

/// Scales a picture may have, pixels per point.
pub const SCALES: std::ops::RangeInclusive<f64> = 0.25..=8.0;

/// Frames per second a clip may have. A GIF shows a frame for at least 0.02 s.
pub const FRAME_RATES: std::ops::RangeInclusive<f64> = 0.5..=50.0;

/// Why a picture or clip was not made.
#[derive(Debug, thiserror::Error)]
pub enum StudioError {
    /// It could not be drawn.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The PNG could not be written.
    #[error("the PNG could not be written: {0}")]
    Png(#[from] png::EncodingError),
    /// The GIF could not be written.
    #[error("the GIF could not be written: {0}")]
    Gif(#[from] gif::EncodingError),
    /// The sides do not fit a GIF.
    #[error("a GIF is at most 65535 pixels wide and high, not {width} by {height}")]
    TooLarge {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
}

/// How a picture, or a part of one, looks.
#[derive(Debug, Clone)]
pub struct Look {
    /// Colours.
    pub style: Style,
    /// Width and height of one picture, pixels.
    pub size: [u32; 2],
    /// Pixels per point: 2 draws text and strokes twice as large.
    pub scale: f64,
    /// Where the view lies, in points of the picture; see [`Framing::camera`].
    pub camera: Camera,
    /// The view keeps the ego in the middle and its heading up.
    pub follow: bool,
    /// Explain shapes and colours in a corner.
    pub legend: bool,
    /// Write each moment's caption into a corner.
    pub caption: bool,
    /// What is drawn.
    pub options: ViewOptions,
}

impl Look {
    /// Pixels between pictures of this scale.
    fn gap(&self) -> u32 {
        (GAP * self.scale).round().max(1.0) as u32
    }

    /// The same for pictures beside one that has the legend.
    pub fn without_legend(&self) -> Self {
        Self {
            legend: false,
            ..self.clone()
        }
    }
}

/// Where a view lies; what is not set is chosen around the ego.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Framing {
    /// World point in the middle, m.
    pub centre: Option<[f64; 2]>,
    /// World direction that points up, rad; π/2 is north up.
    pub up: Option<f64>,
    /// Metres across the picture.
    pub span_m: Option<f64>,
    /// The view will follow the ego: chosen nearer.
    pub follow: bool,
}

impl Framing {
    /// The camera for a picture of `points` points.
    pub fn camera(&self, scene: &Scene, points: DVec2) -> Camera {
        let mut camera = opening_camera(scene, points);
        if let Some([x, y]) = self.centre {
            camera.centre = dvec2(x, y);
        }
        if let Some(up) = self.up {
            camera.up = up;
        }
        match (self.span_m, self.follow) {
            (Some(span_m), _) => spanning(camera, span_m, points),
            (None, true) => spanning(camera, FOLLOW_M * points.x / points.min_element(), points),
            (None, false) => camera,
        }
    }
}

/// One picture of a film.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The scene.
    pub scene: Arc<Scene>,
    /// The time in it, s.
    pub time_s: f64,
    /// Noise levels to show.
    pub noise: Option<Arc<NoiseView>>,
    /// Paths to draw beyond those of the agents: a planner's modes.
    pub paths: Arc<Vec<Path>>,
    /// Another scene drawn as ghosts, and whether lines join it with this one.
    pub beside: Option<(Arc<Scene>, bool)>,
    /// Its caption.
    pub caption: String,
}

impl Moment {
    /// A scene at a time; the caption is the time from the present.
    pub fn of(scene: &Arc<Scene>, time_s: f64) -> Self {
        Self {
            scene: Arc::clone(scene),
            time_s,
            noise: None,
            paths: Arc::default(),
            beside: None,
            caption: format!("{time_s:.1} s ({:+.1})", time_s - scene.now_s()),
        }
    }

    /// The same with `title` before its caption.
    #[must_use]
    pub fn titled(mut self, title: &str) -> Self {
        if !title.is_empty() {
            self.caption = format!("{title}  {}", self.caption);
        }
        self
    }

    /// `count` times from `from_s` to `to_s`, both included, to a tenth of a millisecond; one alone is at `from_s`.
    pub fn spread(scene: &Arc<Scene>, from_s: f64, to_s: f64, count: usize) -> Vec<Self> {
        let gaps = count.saturating_sub(1).max(1) as f64;
        (0..count)
            .map(|at| from_s + (to_s - from_s) * at as f64 / gaps)
            .map(|time_s| Self::of(scene, (time_s * 1e4).round() / 1e4))
            .collect()
    }

    /// Every frame of a clip from `from_s` to `to_s` at the rate a GIF can show; see [`frame_hundredths`].
    pub fn film(scene: &Arc<Scene>, from_s: f64, to_s: f64, fps: f64) -> Vec<Self> {
        let step_s = f64::from(frame_hundredths(fps)) / 100.0;
        let count = (((to_s - from_s) / step_s + 1e-6).floor().max(0.0)) as usize + 1;
        (0..count)
            .map(|at| Self::of(scene, from_s + at as f64 * step_s))
            .collect()
    }
}

/// A part of each frame of a film, with what it shows from frame to frame.
#[derive(Debug, Clone)]
pub struct Cell {
    /// How it looks.
    pub look: Look,
    /// One per frame; the last one stays.
    pub reel: Vec<Moment>,
}

/// Cells beside each other, frame by frame: a picture has one frame, a clip many.
#[derive(Debug, Clone)]
pub struct Film {
    /// What stands beside each other.
    pub cells: Vec<Cell>,
    /// Cells in a row, at least one.
    pub columns: usize,
    /// The first cell is seen left of this share of the width and the second right of it, instead of side by side.
    pub wipe: Option<f64>,
}

impl Film {
    /// A clip of a whole case as it is shown to those who have not asked how: framed around the ego, 800 by 500 pixels,
    /// shapes and colours explained; up to where a model made its future, if one did.
    pub fn of_case(scene: &Arc<Scene>, style: Style) -> Self {
        let size = [800, 500];
        let points = DVec2::from(size.map(f64::from));
        let look = Look {
            style,
            size,
            scale: 1.0,
            camera: Framing::default().camera(scene, points),
            follow: false,
            legend: true,
            caption: true,
            options: ViewOptions::default(),
        };
        let end_s = scene.made_end_s().unwrap_or(scene.duration_s());
        let cell = Cell {
            look,
            reel: Moment::film(scene, 0.0, end_s, CASE_FPS),
        };
        Self {
            cells: vec![cell],
            columns: 1,
            wipe: None,
        }
    }

    /// Moments beside each other in one frame; a legend stands in the first alone.
    pub fn strip(look: &Look, moments: Vec<Moment>, columns: usize) -> Self {
        let cell = |(at, moment)| Cell {
            look: match at {
                0 => look.clone(),
                _ => look.without_legend(),
            },
            reel: vec![moment],
        };
        Self {
            cells: moments.into_iter().enumerate().map(cell).collect(),
            columns,
            wipe: None,
        }
    }

    /// Frames of its longest reel.
    pub fn frames(&self) -> usize {
        let lengths = self.cells.iter().map(|cell| cell.reel.len());
        lengths.max().unwrap_or(0)
    }

    /// Width and height of its frames, pixels.
    pub fn size(&self) -> [u32; 2] {
        let [columns, rows] = match self.wipe {
            Some(_) => [1, 1],
            None => {
                let columns = self.columns.clamp(1, self.cells.len().max(1));
                [columns, self.cells.len().div_ceil(columns)].map(|count| count as u32)
            }
        };
        let side = |side: usize, count: u32| {
            let largest = self.cells.iter().map(|cell| cell.look.size[side]).max();
            count * largest.unwrap_or(0) + self.gap() * count.saturating_sub(1)
        };
        [side(0, columns), side(1, rows)]
    }

    /// A frame of the pictures of its cells.
    pub fn arranged(&self, pictures: &[Image]) -> Image {
        let Some(Cell { look, .. }) = self.cells.first() else {
            return Image::plain(0, 0, Color::CLEAR);
        };
        match (self.wipe, pictures) {
            (Some(share), [left, right]) => {
                let width = (2.0 * look.scale).round().max(1.0) as u32;
                Image::wipe(left, right, share, (width, look.style.text))
            }
            _ => Image::sheet(pictures, self.columns, self.gap(), look.style.grid[1]),
        }
    }

    /// Pixels between its cells.
    fn gap(&self) -> u32 {
        self.cells.first().map_or(0, |cell| cell.look.gap())
    }
}

/// How long a GIF shows each frame at a rate, hundredths of a second: at least 2, and a whole number.
pub fn frame_hundredths(fps: f64) -> u16 {
    (100.0 / fps).round().clamp(2.0, 6000.0) as u16
}

/// `count` of `total` positions, evenly spread, first and last included; all if there are no more than that.
pub fn evenly(total: usize, count: usize) -> Vec<usize> {
    match (total, count) {
        (0, _) | (_, 0) => Vec::new(),
        (_, 1) => vec![total - 1],
        (total, count) if count >= total => (0..total).collect(),
        (total, count) => (0..count)
            .map(|at| ((at * (total - 1)) as f64 / (count - 1) as f64).round() as usize)
            .collect(),
    }
}

/// A graphics device with what it drew last.
#[derive(Debug)]
pub struct Studio {
    offscreen: Offscreen,
    /// What was drawn last of each map; the newest last.
    composers: Vec<(Arc<Map>, Composer)>,
    /// So many of them are kept.
    maps: usize,
}

impl Studio {
    /// Opens a graphics device.
    ///
    /// # Errors
    ///
    /// No adapter, or one that gives no device.
    pub fn new() -> Result<Self, RenderError> {
        Ok(Self {
            offscreen: Offscreen::new()?,
            composers: Vec::new(),
            maps: MAPS,
        })
    }

    /// The graphics adapter's name.
    pub fn adapter(&self) -> &str {
        self.offscreen.adapter()
    }

    /// One frame of a film.
    ///
    /// # Errors
    ///
    /// An impossible size, or a device that is lost.
    pub fn frame(&mut self, film: &Film, at: usize) -> Result<Image, RenderError> {
        let pictures = (0..film.cells.len()).map(|place| self.cell(film, place, at));
        let pictures = pictures.collect::<Result<Vec<Image>, _>>()?;
        Ok(film.arranged(&pictures))
    }

    /// One cell of a frame of a film; without pixels if it has no such cell, or that shows nothing.
    ///
    /// # Errors
    ///
    /// As [`Studio::frame`].
    pub fn cell(&mut self, film: &Film, place: usize, at: usize) -> Result<Image, RenderError> {
        let shown = film.cells.get(place).and_then(|cell| {
            let last = cell.reel.len().saturating_sub(1);
            Some((&cell.look, cell.reel.get(at.min(last))?))
        });
        let Some((look, moment)) = shown else {
            return Ok(Image::plain(0, 0, Color::CLEAR));
        };
        // each cell may have a map of its own
        self.maps = film.cells.len().max(MAPS);
        // what is written on what is seen right of a line stands there
        let share = film.wipe.filter(|_| place == 1).unwrap_or(0.0);
        self.picture(look, moment, share)
    }

    /// The picture of one moment, caption and legend `share` of the width from the left.
    fn picture(&mut self, look: &Look, moment: &Moment, share: f64) -> Result<Image, RenderError> {
        let scene = &*moment.scene;
        let mut options = look.options.clone();
        options.noise.clone_from(&moment.noise);
        options.paths.clone_from(&moment.paths);
        if let Some((other, apart)) = &moment.beside {
            options.before = Some(Ghosts(Arc::clone(other)));
            options.apart = *apart;
        }
        let list = self
            .composer(&scene.map)
            .draw_list(scene, moment.time_s, &options, &look.style);
        let mut shot = Shot {
            camera: look.camera,
            size: look.size,
            pixels_per_point: look.scale,
            captions: Vec::new(),
            symbols: Default::default(),
        };
        let points = shot.points();
        if look.follow
            && let Some(ego) = scene.ego()
            && let Some(state) = ego.track.sample(scene.frame_at(moment.time_s))
        {
            shot.camera.follow(state.pose(), points);
        }
        if look.caption {
            let x = share * points.x + CAPTION_X;
            shot.captions.push(caption(&moment.caption, x, &look.style));
        }
        if look.legend {
            let room = (points, share * points.x);
            let (symbols, words) = legend(scene, &options, room, &look.style);
            shot.symbols = symbols;
            shot.captions.extend(words);
        }
        self.offscreen.picture(&list, &shot, &look.style)
    }

    /// What draws scenes on a map: it remembers how the map was drawn.
    fn composer(&mut self, map: &Arc<Map>) -> &mut Composer {
        let known = self
            .composers
            .iter()
            .position(|(of, _)| Arc::ptr_eq(of, map));
        let kept = match known {
            Some(at) => self.composers.remove(at),
            None => (Arc::clone(map), Composer::default()),
        };
        if self.composers.len() >= self.maps {
            self.composers.remove(0);
        }
        self.composers.push(kept);
        let newest = self.composers.len() - 1;
        &mut self.composers[newest].1
    }

    /// Writes a film as a GIF that repeats, each frame shown for [`frame_hundredths`]; `goes_on` is told how many frames
    /// are done and may stop. Returns the number of frames written.
    ///
    /// # Errors
    ///
    /// As [`Studio::frame`], sides too large for a GIF, or whatever the writer reports.
    pub fn write_gif(
        &mut self,
        film: &Film,
        fps: f64,
        writer: impl Write,
        goes_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<usize, StudioError> {
        let ([width, height], count) = (film.size(), film.frames());
        let (Ok(across), Ok(down)) = (u16::try_from(width), u16::try_from(height)) else {
            return Err(StudioError::TooLarge { width, height });
        };
        let samples = evenly(count, 3)
            .into_iter()
            .map(|at| self.frame(film, at))
            .collect::<Result<Vec<Image>, _>>()?;
        let mut clip = Clip::new(writer, [across, down], Palette::of(&samples))?;
        let mut done = 0;
        while done < count && goes_on(done) {
            let picture = self.frame(film, done)?;
            done += 1;
            let is_last = done == count;
            let shown = if is_last {
                LAST_FRAME
            } else {
                frame_hundredths(fps)
            };
            clip.push(&picture, shown)?;
        }
        Ok(done)
    }
}

/// Words along the upper edge.
fn caption(text: &str, x: f64, style: &Style) -> Label {
    Label {
        text: text.to_owned(),
        anchor: Anchor::Screen([x as f32, 14.0]),
        shift: [0.0; 2],
        clear: None,
        align: [0.0, 0.0],
        gives_way: false,
        size: 15.0,
        color: style.text,
        halo: style.halo,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_spread_over_all_positions() {
        assert_eq!(evenly(33, 5), [0, 8, 16, 24, 32]);
        assert_eq!(evenly(3, 5), [0, 1, 2]);
        assert_eq!(evenly(9, 1), [8]); // alone, the last one: the result
        assert!(evenly(0, 4).is_empty() && evenly(4, 0).is_empty());
    }

    #[test]
    fn a_film_has_a_frame_at_both_ends_and_no_rate_a_gif_cannot_show() {
        assert_eq!(frame_hundredths(10.0), 10);
        assert_eq!(frame_hundredths(100.0), 2);
        assert_eq!(frame_hundredths(30.0), 3); // 100 / 30 = 3.33
        let scene = Arc::new(Scene {
            dt_s: 0.1,
            frames: 51,
            now: 10,
            ..Scene::default()
        });
        let film = Moment::film(&scene, 1.0, 3.0, 10.0);
        assert_eq!(film.len(), 21); // 2 s at 10 per second, and the first
        assert_eq!(
            (film[0].caption.as_str(), film[20].caption.as_str()),
            ("1.0 s (+0.0)", "3.0 s (+2.0)")
        );
        let times: Vec<f64> = Moment::spread(&scene, 0.0, 4.0, 3)
            .iter()
            .map(|m| m.time_s)
            .collect();
        assert_eq!(times, [0.0, 2.0, 4.0]);
    }

    #[test]
    fn a_film_is_as_long_as_its_longest_reel_and_as_large_as_its_rows() {
        let scene = Arc::new(Scene {
            dt_s: 0.1,
            frames: 51,
            ..Scene::default()
        });
        let look = Look {
            style: Style::dark(),
            size: [200, 100],
            scale: 2.0,
            camera: Camera::default(),
            follow: false,
            legend: true,
            caption: true,
            options: ViewOptions::default(),
        };
        let film = |seconds: f64| Moment::film(&scene, 0.0, seconds, 10.0);
        let cell = |seconds: f64| Cell {
            look: look.clone(),
            reel: film(seconds),
        };
        let mut panes = Film {
            cells: vec![cell(1.0), cell(2.0), cell(0.0)],
            columns: 2,
            wipe: None,
        };
        assert_eq!((panes.frames(), panes.size()), (21, [408, 208])); // 2 · 200 + 8 and 2 · 100 + 8
        panes.wipe = Some(0.5);
        assert_eq!(panes.size(), [200, 100]);
        let strip = Film::strip(&look, film(0.3), 4);
        assert_eq!((strip.frames(), strip.size()), (1, [824, 100]));
        let legends = strip.cells.iter().map(|cell| cell.look.legend);
        assert_eq!(legends.collect::<Vec<bool>>(), [true, false, false, false]);
    }

    #[test]
    fn a_framing_says_where_how_wide_and_which_way_up() {
        let framing = Framing {
            centre: Some([30.0, -4.0]),
            up: Some(0.0),
            span_m: Some(80.0),
            follow: false,
        };
        let camera = framing.camera(&Scene::default(), dvec2(800.0, 500.0));
        assert_eq!((camera.centre, camera.up), (dvec2(30.0, -4.0), 0.0));
        assert!((camera.points_per_m - 10.0).abs() < 1e-9); // 800 points / 80 m
    }
}
