//! Pictures, sheets and clips of scenes off-screen: what `nearmiss render` and the window's export both call.

use std::io::Write;
use std::sync::Arc;

use super::draw_list::{Anchor, Label};
use super::image::{Clip, Image, Palette};
use super::offscreen::{Offscreen, RenderError, Shot};
use super::options::{NoiseView, Path, ViewOptions};
use super::{Camera, Composer, Style, legend, opening_camera, spanning};
use crate::geometry::{DVec2, dvec2};
use crate::scene::Scene;

/// Extent of the view along its shorter side while it follows the ego, m.
const FOLLOW_M: f64 = 70.0;

/// How long the last frame of a clip stays before it starts over, hundredths of a second.
const LAST_FRAME: u16 = 120;

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

/// How pictures look, all of one sheet or clip alike.
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

/// One picture of a sheet or a clip.
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
            caption: format!("{:+.1} s", time_s - scene.now_s()),
        }
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
    composer: Composer,
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
            composer: Composer::default(),
        })
    }

    /// The graphics adapter's name.
    pub fn adapter(&self) -> &str {
        self.offscreen.adapter()
    }

    /// The picture of one moment.
    ///
    /// # Errors
    ///
    /// An impossible size, or a device that is lost.
    pub fn picture(&mut self, look: &Look, moment: &Moment) -> Result<Image, RenderError> {
        let scene = &*moment.scene;
        let mut options = look.options.clone();
        options.noise.clone_from(&moment.noise);
        options.paths.clone_from(&moment.paths);
        let list = self
            .composer
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
            shot.captions.push(caption(&moment.caption, &look.style));
        }
        if look.legend {
            let (symbols, words) = legend(scene, &moment.paths, points, &look.style);
            shot.symbols = symbols;
            shot.captions.extend(words);
        }
        self.offscreen.picture(&list, &shot, &look.style)
    }

    /// Moments side by side, `columns` in a row; a legend stands in the first alone.
    ///
    /// # Errors
    ///
    /// As [`Studio::picture`].
    pub fn sheet(
        &mut self,
        look: &Look,
        moments: &[Moment],
        columns: usize,
    ) -> Result<Image, RenderError> {
        let plain = look.without_legend();
        let looks = std::iter::once(look).chain(std::iter::repeat(&plain));
        let pictures = moments
            .iter()
            .zip(looks)
            .map(|(moment, look)| self.picture(look, moment))
            .collect::<Result<Vec<Image>, _>>()?;
        let gap = (4.0 * look.scale).round().max(1.0) as u32;
        Ok(Image::sheet(&pictures, columns, gap, look.style.grid[1]))
    }

    /// Writes moments as a GIF that repeats, each shown for [`frame_hundredths`]; `goes_on` is told how many frames
    /// are done and may stop. Returns the number of frames written.
    ///
    /// # Errors
    ///
    /// As [`Studio::picture`], sides too large for a GIF, or whatever the writer reports.
    pub fn write_gif(
        &mut self,
        look: &Look,
        moments: &[Moment],
        fps: f64,
        writer: impl Write,
        goes_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<usize, StudioError> {
        let [width, height] = look.size;
        let (Ok(across), Ok(down)) = (u16::try_from(width), u16::try_from(height)) else {
            return Err(StudioError::TooLarge { width, height });
        };
        let samples = evenly(moments.len(), 3)
            .into_iter()
            .map(|at| self.picture(look, &moments[at]))
            .collect::<Result<Vec<Image>, _>>()?;
        let mut clip = Clip::new(writer, [across, down], Palette::of(&samples))?;
        let mut done = 0;
        while done < moments.len() && goes_on(done) {
            let picture = self.picture(look, &moments[done])?;
            done += 1;
            let is_last = done == moments.len();
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

/// Words in the upper left corner.
fn caption(text: &str, style: &Style) -> Label {
    Label {
        text: text.to_owned(),
        anchor: Anchor::Screen([16.0, 14.0]),
        shift: [0.0; 2],
        clear: None,
        align: [0.0, 0.0],
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
            ("+0.0 s", "+2.0 s")
        );
        let times: Vec<f64> = Moment::spread(&scene, 0.0, 4.0, 3)
            .iter()
            .map(|m| m.time_s)
            .collect();
        assert_eq!(times, [0.0, 2.0, 4.0]);
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
