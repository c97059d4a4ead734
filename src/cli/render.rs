//! `nearmiss render`: a scene as a picture, a strip of moments or a clip.

use std::io::{BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::data;
use crate::geometry::dvec2;
use crate::render::{
    Anchor, Clip, Composer, Image, Label, Names, Offscreen, Palette, Shot, Style, Trails,
    ViewOptions, legend, opening_camera, spanning,
};
use crate::scene::Scene;

/// Extent of the view along its shorter side while it follows the ego, m.
const FOLLOW_M: f64 = 70.0;

/// Arguments of `nearmiss render`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The scene, in any format that can be opened.
    scene: PathBuf,
    /// Which scenario of a file that holds several.
    #[arg(long, value_name = "NAME")]
    pick: Option<String>,
    /// The picture to write: .png for a picture, .gif for a clip.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The moment shown, seconds from the start; a clip starts there. The scene's present if not given.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    time: Option<f64>,
    /// Several moments side by side in one picture.
    #[arg(long, value_name = "SECONDS", num_args = 1.., conflicts_with = "time", allow_negative_numbers = true)]
    at: Vec<f64>,
    /// Width and height, pixels; of each moment if there are several.
    #[arg(long, value_name = "WxH", value_parser = size_from_text)]
    size: Option<[u32; 2]>,
    /// Colours.
    #[arg(long, default_value = "dark", value_parser = ["dark", "light", "print"])]
    style: String,
    /// Keep the ego in the middle, its heading up.
    #[arg(long)]
    follow: bool,
    /// Metres across the picture; chosen around the ego if not given.
    #[arg(long, value_name = "METRES")]
    span: Option<f64>,
    /// Pixels per point: 2 draws text and strokes twice as large.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Frames per second of a clip.
    #[arg(long, default_value_t = 10.0)]
    fps: f64,
    /// Seconds of a clip; to the end of the scene if not given.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Whose paths are drawn.
    #[arg(long, default_value = "all", value_parser = ["none", "parts", "all"])]
    trails: String,
    /// Whose names are drawn.
    #[arg(long, default_value = "parts", value_parser = ["none", "parts", "all"])]
    names: String,
    /// Explain shapes and colours in a corner.
    #[arg(long)]
    legend: bool,
    /// Draw the recorded agents as ghosts where they were changed.
    #[arg(long)]
    ghosts: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let is_clip = match extension(&arguments.out).as_str() {
        "png" => false,
        "gif" => true,
        _ => bail!(
            "cannot write {:?}: the name must end in .png or .gif",
            arguments.out
        ),
    };
    if is_clip && !arguments.at.is_empty() {
        bail!("--at makes a picture with several moments: give a .png, or --time for a clip");
    }
    let scene = data::open(&arguments.scene, arguments.pick.as_deref())
        .with_context(|| format!("could not open {:?}", arguments.scene))?
        .scene;
    let mut studio = Studio::new(arguments, &scene, is_clip)?;
    let folder = match arguments.out.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut file = temporary()
        .tempfile_in(folder)
        .with_context(|| format!("could not write into {folder:?}"))?;
    let said = if is_clip {
        studio.write_clip(arguments, file.as_file_mut())?
    } else {
        studio.write_picture(arguments, file.as_file_mut())?
    };
    file.persist(&arguments.out)
        .with_context(|| format!("could not write {:?}", arguments.out))?;
    println!("{}: {said}", arguments.out.display());
    Ok(())
}

/// Writes several moments of a scene side by side as PNG; says what drew them.
pub(super) fn write_strip(scene: &Scene, times_s: &[f64], path: &Path) -> anyhow::Result<String> {
    #[derive(clap::Parser)]
    struct Usual {
        #[command(flatten)]
        arguments: Arguments,
    }
    let mut arguments = vec!["render".to_owned(), "-".to_owned()];
    arguments.extend(["--out=.png", "--ghosts", "--at"].map(str::to_owned));
    arguments.extend(times_s.iter().map(f64::to_string));
    let usual: Usual = clap::Parser::try_parse_from(arguments)?;
    let mut studio = Studio::new(&usual.arguments, scene, false)?;
    let mut bytes = Vec::new();
    let said = studio.write_picture(&usual.arguments, &mut bytes)?;
    std::fs::write(path, bytes)?;
    Ok(said)
}

/// Everything that stays the same from frame to frame.
struct Studio<'a> {
    scene: &'a Scene,
    offscreen: Offscreen,
    composer: Composer,
    options: ViewOptions,
    style: Style,
    shot: Shot,
    /// The words of the legend.
    words: Vec<Label>,
    follow: bool,
}

impl<'a> Studio<'a> {
    fn new(arguments: &Arguments, scene: &'a Scene, is_clip: bool) -> anyhow::Result<Self> {
        let style = Style::named(&arguments.style).unwrap_or_default();
        let usual = match (is_clip, arguments.at.len()) {
            (true, _) => [800, 500],
            (false, 0 | 1) => [1280, 800],
            (false, _) => [560, 560],
        };
        let size = arguments.size.unwrap_or(usual);
        if !(0.25..=8.0).contains(&arguments.scale) {
            bail!("--scale goes from 0.25 to 8, not {}", arguments.scale);
        }
        if arguments
            .span
            .is_some_and(|span| span.is_nan() || span <= 0.0)
        {
            bail!("--span must be more than 0 m");
        }
        let points = dvec2(f64::from(size[0]), f64::from(size[1])) / arguments.scale;
        let mut camera = opening_camera(scene, points);
        if let Some(span) = arguments.span {
            camera = spanning(camera, span, points);
        } else if arguments.follow {
            camera = spanning(camera, FOLLOW_M * points.x / points.min_element(), points);
        }
        let (symbols, words) = if arguments.legend {
            legend(scene, points, &style)
        } else {
            Default::default()
        };
        Ok(Self {
            scene,
            words,
            offscreen: Offscreen::new()?,
            composer: Composer::default(),
            options: ViewOptions {
                trails: match arguments.trails.as_str() {
                    "none" => Trails::None,
                    "parts" => Trails::Parts,
                    _ => Trails::All,
                },
                names: match arguments.names.as_str() {
                    "none" => Names::None,
                    "all" => Names::All,
                    _ => Names::Parts,
                },
                log_ghosts: arguments.ghosts,
                ..ViewOptions::default()
            },
            style,
            shot: Shot {
                camera,
                size,
                pixels_per_point: arguments.scale,
                captions: Vec::new(),
                symbols,
            },
            follow: arguments.follow,
        })
    }

    /// The picture of one moment.
    fn moment(&mut self, time_s: f64) -> anyhow::Result<Image> {
        let list = self
            .composer
            .draw_list(self.scene, time_s, &self.options, &self.style);
        let points = self.shot.points();
        if self.follow
            && let Some(ego) = self.scene.ego()
            && let Some(state) = ego.track.sample(self.scene.frame_at(time_s))
        {
            self.shot.camera.follow(state.pose(), points);
        }
        self.shot.captions = vec![caption(time_s - self.scene.now_s(), &self.style)];
        self.shot.captions.extend_from_slice(&self.words);
        Ok(self.offscreen.picture(&list, &self.shot, &self.style)?)
    }

    fn write_picture(
        &mut self,
        arguments: &Arguments,
        file: &mut impl Write,
    ) -> anyhow::Result<String> {
        let now_s = self.scene.now_s();
        let times = if arguments.at.is_empty() {
            vec![arguments.time.unwrap_or(now_s)]
        } else {
            arguments.at.clone()
        };
        let pictures = times
            .iter()
            .map(|&time_s| self.moment(time_s))
            .collect::<anyhow::Result<Vec<Image>>>()?;
        let picture = Image::strip(&pictures, 4, self.style.grid[1]);
        file.write_all(&picture.to_png()?)?;
        Ok(format!(
            "{} by {} pixels, drawn by {}",
            picture.width,
            picture.height,
            self.offscreen.adapter()
        ))
    }

    fn write_clip(
        &mut self,
        arguments: &Arguments,
        file: &mut impl Write,
    ) -> anyhow::Result<String> {
        if !(0.5..=50.0).contains(&arguments.fps) {
            bail!("--fps goes from 0.5 to 50, not {}", arguments.fps);
        }
        let start_s = arguments.time.unwrap_or(0.0);
        let end_s = match arguments.seconds {
            Some(seconds) => start_s + seconds,
            None => self.scene.duration_s(),
        };
        if !(end_s >= start_s && end_s - start_s <= 600.0) {
            bail!("a clip from {start_s} s to {end_s} s is not possible");
        }
        let [width, height] = self.shot.size;
        let (Ok(width), Ok(height)) = (u16::try_from(width), u16::try_from(height)) else {
            bail!("a GIF is at most 65535 pixels wide and high");
        };
        let hundredths = (100.0 / arguments.fps).round().max(2.0);
        let step_s = hundredths / 100.0;
        let count = ((end_s - start_s) / step_s + 1e-6).floor() as usize + 1;
        let samples = [0.0, 0.5, 1.0]
            .into_iter()
            .map(|part| self.moment(start_s + part * (end_s - start_s)))
            .collect::<anyhow::Result<Vec<Image>>>()?;
        let palette = Palette::of(&samples);
        let mut clip = Clip::new(BufWriter::new(file), [width, height], palette)?;
        let stop = stop_flag()?;
        let progress = progress_bar(count);
        let mut drawn = 0;
        while drawn < count && !stop.load(Ordering::Relaxed) {
            let picture = self.moment(start_s + drawn as f64 * step_s)?;
            // the last frame stays a while before the clip starts over
            let is_last = drawn + 1 == count;
            let shown = if is_last { 120.0 } else { hundredths };
            clip.push(&picture, shown as u16)?;
            drawn += 1;
            progress.inc(1);
            if progress.is_hidden() && drawn % 25 == 0 {
                eprintln!("frame {drawn}/{count}");
            }
        }
        progress.finish_and_clear();
        let cut = if drawn < count { ", stopped early" } else { "" };
        Ok(format!(
            "{drawn} of {count} frames of {width} by {height} pixels, drawn by {}{cut}",
            self.offscreen.adapter()
        ))
    }
}

/// The time from the present in the upper left corner.
fn caption(time_s: f64, style: &Style) -> Label {
    Label {
        text: format!("{time_s:+.1} s"),
        anchor: Anchor::Screen([16.0, 14.0]),
        shift: [0.0; 2],
        lift_m: 0.0,
        align: [0.0, 0.0],
        size: 15.0,
        color: style.text,
        halo: style.halo,
    }
}

/// A temporary file that is as readable as any new file when it gets its name.
fn temporary() -> tempfile::Builder<'static, 'static> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix files have modes"))]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
}

fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_lowercase()
}

fn size_from_text(text: &str) -> Result<[u32; 2], String> {
    let sides = text.split_once(['x', 'X', '×']);
    let parsed = sides.and_then(|(width, height)| {
        Some([width.trim().parse().ok()?, height.trim().parse().ok()?])
    });
    match parsed {
        Some([width, height])
            if (16..=16_384).contains(&width) && (16..=16_384).contains(&height) =>
        {
            Ok([width, height])
        }
        _ => Err(format!(
            "\"{text}\" is not a size: write width x height in pixels, such as 1280x800, sides from 16 to 16384"
        )),
    }
}

/// Becomes true on Ctrl-C; what is finished is kept.
fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .context("could not listen for Ctrl-C")?;
    Ok(stop)
}

fn progress_bar(count: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:32} frame {pos}/{len}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(count as u64).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_nonsense_is_refused() {
        assert_eq!(size_from_text("1280x800"), Ok([1280, 800]));
        assert!(size_from_text("1280").is_err() && size_from_text("0x9").is_err());
    }
}
