//! `nearmiss render`: a scene as a picture, several moments side by side, or a clip; of a generated case also its
//! denoising, run again from the recipe.

use std::fs;
use std::io::{BufWriter, IsTerminal as _, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use super::batch::{make_folder, stem_of, stop_on_ctrl_c};
use super::plan::prepare;
use super::planning::{Crew, decoders};
use super::usage::{bail_usage, ensure_usage};
use super::weights;
use crate::data;
use crate::diffusion::Prepare;
use crate::engine::{StepLog, Steps};
use crate::geometry::{DVec2, dvec2};
use crate::planner::{Decoder, Driven, PlanSettings, ProposeStep, Start, plan};
use crate::render::{
    Cell, FRAME_RATES, Film, Framing, Look, Moment, Names, SCALES, Studio, Style, Trails,
    ViewOptions, evenly,
};
use crate::scene::{AgentId, Scene};
use crate::ui::{
    beside, frame_file, joined_title, plan_paths, remove_later_frames, step_moments, with_plans,
};

/// Pictures in a strip of denoising steps, if not said otherwise.
const STEPS_SHOWN: usize = 6;

/// Planners in a row of a clip of their drives.
const ACROSS: usize = 3;

/// Arguments of `nearmiss render`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The scene, in any format that can be opened; several stand side by side, framed like the first, in a clip too.
    #[arg(required = true)]
    scenes: Vec<PathBuf>,
    /// Which scenario of a file that holds several.
    #[arg(long, value_name = "NAME")]
    pick: Option<String>,
    /// What to write: .png for a picture, .gif for a clip, a name that ends in / for a clip as numbered pictures.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The moment shown, seconds from the start; a clip starts there. The scene's present if not given.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    time: Option<f64>,
    /// Several moments side by side in one picture.
    #[arg(long, value_name = "SECONDS", num_args = 1.., conflicts_with = "time", allow_negative_numbers = true)]
    at: Vec<f64>,
    /// Pictures in a row of several; all in one row if not given.
    #[arg(long, value_name = "N")]
    columns: Option<usize>,
    /// Names of the scenes, one each, written before the time; of two that are compared in one those of their files, if
    /// not given.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    titles: Vec<String>,
    /// How two scenes are shown: beside each other, the second with the first as ghosts, the same with lines that join
    /// each agent's two places, or the first left of a line and the second right of it.
    #[arg(long, value_enum, default_value = "side")]
    compare: Compare,
    /// Where that line stands, a share of the width.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    wipe: f64,
    /// What goes on in a strip or clip: scene time, the denoising of a generated case, or first one, then the other.
    #[arg(long, value_enum, default_value = "scene")]
    along: Along,
    /// The ego's plan at that moment, a picture for each decoder: its modes, the one taken, and how it is tracked.
    #[arg(long, value_parser = decoders(), value_delimiter = ',', conflicts_with_all = ["at", "along"],
          value_name = "DECODER")]
    plan: Vec<Decoder>,
    /// A planner of your own for decoder own, a command as of `nearmiss plan`.
    #[arg(long, value_name = "COMMAND", requires = "plan")]
    own: Option<String>,
    /// Do not tell the planner its route, which is the way the ego takes in the scene.
    #[arg(long, requires = "plan")]
    no_route: bool,
    /// Denoising steps in a picture of them.
    #[arg(long, value_name = "N", default_value_t = STEPS_SHOWN)]
    count: usize,
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
    /// The point in the middle, metres; chosen around the ego if not given: with a span, where it is at the times shown.
    #[arg(long, value_name = "X,Y", value_parser = point_from_text, allow_hyphen_values = true)]
    centre: Option<[f64; 2]>,
    /// The direction that points up, degrees counter-clockwise from east: 90 is north.
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
    up: Option<f64>,
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
    /// Leave out the time in the corner.
    #[arg(long)]
    no_caption: bool,
    /// Draw the recorded agents as ghosts where they were changed.
    #[arg(long)]
    ghosts: bool,
    /// Draw a metre grid.
    #[arg(long)]
    grid: bool,
    /// Agents not drawn.
    #[arg(long, value_name = "ID", num_args = 1..)]
    hide: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Along {
    Scene,
    Denoise,
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compare {
    Side,
    Overlay,
    Difference,
    Wipe,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Medium {
    Picture,
    Gif,
    Frames,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let medium = medium_of(&arguments.out)?;
    ensure_usage!(
        medium == Medium::Picture || arguments.at.is_empty(),
        "--at shows several moments side by side: give a .png"
    );
    let (scenes, titles) = (arguments.scenes.len(), arguments.titles.len());
    ensure_usage!(
        titles == 0 || titles == scenes,
        "--titles names each scene: {titles} names for {scenes}"
    );
    ensure_usage!(
        arguments.compare == Compare::Side || scenes == 2,
        "--compare shows two scenes together, not {scenes}"
    );
    ensure_usage!(
        arguments.compare == Compare::Side || arguments.plan.is_empty(),
        "--plan goes with scenes side by side, not with --compare"
    );
    ensure_usage!(
        (0.0..=1.0).contains(&arguments.wipe),
        "--wipe goes from 0 to 1, not {}",
        arguments.wipe
    );
    ensure_usage!(
        arguments.compare != Compare::Wipe
            || medium != Medium::Picture
            || (arguments.at.len() < 2 && arguments.along == Along::Scene),
        "--compare wipe shows one moment in a picture: give a .gif, or --time"
    );
    if medium != Medium::Picture && !arguments.plan.is_empty() {
        bail_usage!("--plan shows one moment: give a .png");
    }
    ensure_usage!(
        arguments.own.is_none() || arguments.plan.contains(&Decoder::Own),
        "--own belongs to --plan own"
    );
    ensure_usage!(
        arguments.along == Along::Scene || arguments.at.is_empty(),
        "--at shows moments of the scene, --along denoise steps at one moment: give that as --time"
    );
    let scenes = arguments
        .scenes
        .iter()
        .map(|path| {
            let opened = data::open(path, arguments.pick.as_deref());
            let opened = opened.with_context(|| format!("could not open {path:?}"))?;
            Ok(Arc::new(opened.scene))
        })
        .collect::<anyhow::Result<Vec<Arc<Scene>>>>()?;
    for scene in &scenes {
        within(scene, arguments)?;
    }
    // a scene that is drawn as ghosts alone needs no moments of its own
    let drawn = match arguments.compare {
        Compare::Overlay | Compare::Difference => &scenes[1..],
        Compare::Side | Compare::Wipe => &scenes[..],
    };
    let reels = match medium {
        Medium::Picture => {
            let reels = drawn.iter();
            let reels = reels.map(|scene| moments_of_picture(arguments, scene, drawn));
            reels.collect::<anyhow::Result<Vec<Vec<Moment>>>>()?
        }
        _ => reels_of_clip(arguments, drawn)?,
    };
    let film = film(arguments, &scenes, medium, reels)?;
    if let Some(Cell { look, .. }) = film.cells.first().filter(|cell| !cell.look.follow) {
        for (path, scene) in arguments.scenes.iter().zip(&scenes).skip(1) {
            if !is_in_view(scene, look) {
                eprintln!(
                    "{}: nothing of it is in view, which is framed like the first scene; --centre and --span place it",
                    path.display()
                );
            }
        }
    }
    let mut studio = Studio::new()?;
    let stop = stop_on_ctrl_c();
    let said = if medium == Medium::Frames {
        write_frames(&mut studio, &film, &arguments.out, &stop)?
    } else {
        let folder = match arguments.out.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut file = temporary()
            .tempfile_in(folder)
            .with_context(|| format!("could not write into {folder:?}"))?;
        let said = if medium == Medium::Gif {
            write_clip(&mut studio, &film, arguments.fps, file.as_file_mut(), &stop)?
        } else {
            write_picture(&mut studio, &film, file.as_file_mut())?
        };
        anyhow::ensure!(
            !(stop.load(Ordering::Relaxed) && arguments.out.exists()),
            "stopped by Ctrl-C; {} is as it was",
            arguments.out.display()
        );
        file.persist(&arguments.out)
            .with_context(|| format!("could not write {:?}", arguments.out))?;
        said
    };
    println!(
        "{}: {said}, drawn by {}",
        arguments.out.display(),
        studio.adapter()
    );
    anyhow::ensure!(
        !stop.load(Ordering::Relaxed),
        "stopped by Ctrl-C; what was finished is kept"
    );
    Ok(())
}

/// Whether something of a scene may lie in the view.
fn is_in_view(scene: &Scene, look: &Look) -> bool {
    let points = dvec2(f64::from(look.size[0]), f64::from(look.size[1])) / look.scale;
    let reach = points.length() / 2.0 / look.camera.points_per_m;
    let bounds = scene.agent_bounds().or_else(|| scene.map.bounds());
    bounds.is_none_or(|(low, high)| {
        let nearest = look.camera.centre.clamp(low, high);
        nearest.distance(look.camera.centre) <= reach
    })
}

/// Writes several moments of a scene side by side as PNG; says what drew them.
pub(super) fn write_strip(scene: &Scene, times_s: &[f64], path: &Path) -> anyhow::Result<String> {
    let mut usual = usual(&["--out=.png", "--ghosts"])?;
    times_s.clone_into(&mut usual.at);
    let scene = Arc::new(scene.clone());
    let scenes = std::slice::from_ref(&scene);
    let moments = moments_of_picture(&usual, &scene, scenes)?;
    let film = film(&usual, scenes, Medium::Picture, vec![moments])?;
    let mut studio = Studio::new()?;
    let mut bytes = Vec::new();
    let said = write_picture(&mut studio, &film, &mut bytes)?;
    fs::write(path, bytes)?;
    Ok(format!("{said}, drawn by {}", studio.adapter()))
}

/// Writes what planners drove of one scene as a clip in the colours of a style, beside each other, with the plans they
/// follow. Nothing if there is none, or it is stopped.
pub(super) fn write_drives(
    studio: &mut Studio,
    (drives, style): (Vec<(String, Driven)>, &str),
    path: &Path,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let style = format!("--style={style}");
    let mut usual = usual(&["--out=.gif", "--follow", "--trails=none", &style])?;
    usual.columns = Some(drives.len().min(ACROSS));
    let mut reels: Vec<Vec<Moment>> = Vec::new();
    let mut scenes: Vec<Arc<Scene>> = Vec::new();
    for (name, mut driven) in drives {
        // one map, drawn once: each planner was given the file anew
        if let Some(first) = scenes.first() {
            driven.scene.map = Arc::clone(&first.map);
        }
        let scene = Arc::new(driven.scene);
        let film = Moment::film(&scene, scene.now_s(), scene.duration_s(), usual.fps);
        let moments = with_plans(&scene, &driven.plans, film).into_iter();
        reels.push(moments.map(|moment| moment.titled(&name)).collect());
        scenes.push(scene);
    }
    if scenes.is_empty() {
        return Ok(());
    }
    let film = film(&usual, &scenes, Medium::Gif, reels)?;
    write_whole_clip(studio, &film, usual.fps, path, stop)
}

/// Writes a clip, or nothing if it is stopped.
pub(super) fn write_whole_clip(
    studio: &mut Studio,
    film: &Film,
    fps: f64,
    path: &Path,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = temporary().tempfile_in(folder);
    let file = file.with_context(|| format!("could not write into {folder:?}"))?;
    let mut goes_on = |_: usize| !stop.load(Ordering::Relaxed);
    let writer = BufWriter::new(file.as_file());
    let done = studio.write_gif(film, fps, writer, &mut goes_on)?;
    if done == film.frames() {
        let kept = file.persist(path);
        kept.with_context(|| format!("could not write {path:?}"))?;
    }
    Ok(())
}

/// The usual arguments with some set otherwise.
fn usual(more: &[&str]) -> anyhow::Result<Arguments> {
    #[derive(clap::Parser)]
    struct Usual {
        #[command(flatten)]
        arguments: Arguments,
    }
    let words = ["render", "-"].iter().chain(more);
    let usual: Usual = clap::Parser::try_parse_from(words)?;
    Ok(usual.arguments)
}

fn medium_of(out: &Path) -> anyhow::Result<Medium> {
    if out.is_dir() || out.to_string_lossy().ends_with(std::path::is_separator) {
        return Ok(Medium::Frames);
    }
    match extension(out).as_str() {
        "png" => Ok(Medium::Picture),
        "gif" => Ok(Medium::Gif),
        _ => bail_usage!(
            "cannot write {out:?}: the name must end in .png or .gif, or in / for numbered pictures"
        ),
    }
}

/// Whether the moments asked for lie in the scene.
///
/// # Errors
/// If one does not.
fn within(scene: &Scene, arguments: &Arguments) -> anyhow::Result<()> {
    for moment in arguments.at.iter().chain(&arguments.time) {
        anyhow::ensure!(
            (0.0..=scene.duration_s() + 1e-6).contains(moment),
            "{moment} s: the scene lasts from 0 to {:.1} s",
            scene.duration_s()
        );
    }
    Ok(())
}

/// What a scene shows in a picture of `all`.
fn moments_of_picture(
    arguments: &Arguments,
    scene: &Arc<Scene>,
    all: &[Arc<Scene>],
) -> anyhow::Result<Vec<Moment>> {
    let time_s = arguments.time.unwrap_or(scene.now_s());
    if !arguments.plan.is_empty() {
        let at = all.iter().position(|other| Arc::ptr_eq(other, scene));
        let path = at.and_then(|at| arguments.scenes.get(at));
        let file = path.and_then(|path| stem_of(path, arguments.pick.as_deref()));
        plans(scene, time_s, file, arguments)
    } else if arguments.along != Along::Scene && !stands(scene, all) {
        let steps = denoising(scene, time_s)?;
        let shown = evenly(steps.len(), arguments.count);
        Ok(shown.into_iter().map(|at| steps[at].clone()).collect())
    } else if arguments.at.is_empty() {
        Ok(vec![Moment::of(scene, time_s)])
    } else {
        let moments = arguments.at.iter();
        Ok(moments.map(|time_s| Moment::of(scene, *time_s)).collect())
    }
}

/// What each scene shows from frame to frame of a clip.
fn reels_of_clip(arguments: &Arguments, scenes: &[Arc<Scene>]) -> anyhow::Result<Vec<Vec<Moment>>> {
    if !FRAME_RATES.contains(&arguments.fps) {
        let (least, most) = (FRAME_RATES.start(), FRAME_RATES.end());
        bail_usage!("--fps goes from {least} to {most}, not {}", arguments.fps);
    }
    let mut reels = match arguments.along {
        Along::Scene => vec![Vec::new(); scenes.len()],
        Along::Denoise | Along::Both => denoisings(scenes)?,
    };
    // unless a time is named, presents coincide
    let least_s = scenes.iter().map(|scene| scene.now_s()).reduce(f64::min);
    for (scene, reel) in scenes.iter().zip(&mut reels) {
        let start_s = arguments
            .time
            .unwrap_or(scene.now_s() - least_s.unwrap_or(0.0));
        let end_s = match arguments.seconds {
            Some(seconds) => start_s + seconds,
            None => scene.duration_s(),
        };
        if !(end_s >= start_s && end_s - start_s <= 600.0) {
            bail!("a clip from {start_s} s to {end_s} s is not possible");
        }
        if arguments.along != Along::Denoise {
            reel.extend(Moment::film(scene, start_s, end_s, arguments.fps));
        }
    }
    Ok(reels)
}

/// Whether a scene has no denoising to be shown beside another that has.
fn stands(scene: &Scene, all: &[Arc<Scene>]) -> bool {
    scene.generated.is_none() && all.iter().any(|other| other.generated.is_some())
}

/// The denoising of each scene, seen from the present, as paths are drawn from there on. One that ends sooner waits for
/// the others, and so does a scene that was not generated, if another one was.
fn denoisings(scenes: &[Arc<Scene>]) -> anyhow::Result<Vec<Vec<Moment>>> {
    let mut reels = Vec::new();
    for scene in scenes {
        reels.push(match stands(scene, scenes) {
            true => vec![Moment::of(scene, scene.now_s())],
            false => denoising(scene, scene.now_s())?,
        });
    }
    let longest = reels.iter().map(Vec::len).max().unwrap_or(0);
    for reel in &mut reels {
        if let Some(last) = reel.last().cloned() {
            reel.resize(longest, last);
        }
    }
    Ok(reels)
}

/// The scenes' reels beside each other, or two of them together.
fn film(
    arguments: &Arguments,
    scenes: &[Arc<Scene>],
    medium: Medium,
    mut reels: Vec<Vec<Moment>>,
) -> anyhow::Result<Film> {
    let stem = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    let mut titles = match (arguments.titles.is_empty(), arguments.compare) {
        // two in one are told apart by name
        (true, Compare::Overlay | Compare::Difference | Compare::Wipe) => {
            arguments.scenes.iter().map(stem).collect()
        }
        _ => arguments.titles.clone(),
    };
    titles.resize(scenes.len(), String::new());
    let joined = matches!(arguments.compare, Compare::Overlay | Compare::Difference);
    if let ([other, _], true) = (scenes, joined) {
        let apart = arguments.compare == Compare::Difference;
        let drawn = reels.into_iter();
        reels = drawn.map(|reel| beside(other, apart, reel)).collect();
        titles = vec![joined_title(&titles[0], &titles[1], apart)];
    }
    let titled = |(reel, title): (Vec<Moment>, &String)| -> Vec<Moment> {
        let moments = reel.into_iter();
        moments.map(|moment| moment.titled(title)).collect()
    };
    let reels: Vec<Vec<Moment>> = reels.into_iter().zip(&titles).map(titled).collect();
    let wipe = (arguments.compare == Compare::Wipe).then_some(arguments.wipe);
    let beside_each_other = match (medium, wipe) {
        (_, Some(_)) => 1,
        (Medium::Picture, None) => reels.iter().map(Vec::len).sum(),
        (Medium::Gif | Medium::Frames, None) => reels.len(),
    };
    let first = scenes.first().context("no scene")?;
    let look = look_of(arguments, first, medium, beside_each_other)?;
    let columns = arguments.columns.unwrap_or(beside_each_other);
    if medium == Medium::Picture && wipe.is_none() {
        let strips = reels
            .into_iter()
            .map(|reel| Film::strip(&look, reel, columns));
        let cells = strips.flat_map(|strip| strip.cells).collect();
        return Ok(Film {
            cells,
            columns,
            wipe,
        });
    }
    let cell = |reel| Cell {
        look: look.clone(),
        reel,
    };
    Ok(Film {
        cells: reels.into_iter().map(cell).collect(),
        columns,
        wipe,
    })
}

/// What each decoder proposes for the ego at a moment; `file` is what the scene's file is called, as planners are told.
fn plans(
    scene: &Arc<Scene>,
    time_s: f64,
    file: Option<String>,
    arguments: &Arguments,
) -> anyhow::Result<Vec<Moment>> {
    let mut scene = Scene::clone(scene);
    prepare(&mut scene, None, Some(time_s))?;
    let crew = Crew::new(arguments.own.as_deref())?;
    let scene = Arc::new(scene);
    let moment = |decoder: &Decoder| {
        let settings = PlanSettings {
            decoder: *decoder,
            route: !arguments.no_route,
            file: file.clone(),
            ..PlanSettings::default()
        };
        let mut go = |_: &ProposeStep| ControlFlow::Continue(());
        let plan = plan(
            &scene,
            &Start::default(),
            crew.planners(),
            &settings,
            &mut go,
        )?;
        Ok(Moment {
            paths: Arc::new(plan_paths(&plan, plan.chosen, None)),
            caption: decoder.label().to_owned(),
            ..Moment::of(&scene, time_s)
        })
    };
    arguments.plan.iter().map(moment).collect()
}

/// Every denoising step of a generated case, from the starting noise to the result, seen at one scene time.
pub(super) fn denoising(case: &Arc<Scene>, time_s: f64) -> anyhow::Result<Vec<Moment>> {
    let steps = steps_of(case)?;
    let all: Vec<usize> = (0..steps.count()).collect();
    Ok(step_moments(&steps, &all, time_s))
}

/// The steps of a generated case, run again from its recipe with the weights at hand.
pub(super) fn steps_of(case: &Arc<Scene>) -> anyhow::Result<Steps> {
    let made = case
        .generated
        .as_ref()
        .context("the scene was not generated, so it has no denoising steps")?;
    let network = weights::network(0)?;
    let (stored, present) = (
        &*made.recipe.weights_hash,
        (&network as &dyn Prepare).identity(),
    );
    if stored != present {
        eprintln!(
            "made with weights {}: its steps are those of weights {} and need not lead to what is stored",
            weights::short(stored),
            weights::short(present)
        );
    }
    Ok(Steps {
        log: StepLog::of_recipe(case, &made.recipe, &network)?,
        result: Arc::clone(case),
    })
}

fn look_of(
    arguments: &Arguments,
    scene: &Scene,
    medium: Medium,
    count: usize,
) -> anyhow::Result<Look> {
    let usual = match (medium, count) {
        (Medium::Gif | Medium::Frames, 0 | 1) => [800, 500],
        (Medium::Gif | Medium::Frames, _) => [560, 420],
        (Medium::Picture, 0 | 1) => [1280, 800],
        (Medium::Picture, _) => [560, 560],
    };
    let size = arguments.size.unwrap_or(usual);
    if !SCALES.contains(&arguments.scale) {
        let (least, most) = (SCALES.start(), SCALES.end());
        bail_usage!(
            "--scale goes from {least} to {most}, not {}",
            arguments.scale
        );
    }
    if arguments
        .span
        .is_some_and(|span| span.is_nan() || span <= 0.0)
    {
        bail_usage!("--span must be more than 0 m");
    }
    let points = dvec2(f64::from(size[0]), f64::from(size[1])) / arguments.scale;
    let framing = Framing {
        centre: arguments.centre.or_else(|| place_then(arguments, scene)),
        up: arguments.up.map(f64::to_radians),
        span_m: arguments.span,
        follow: arguments.follow,
    };
    Ok(Look {
        style: Style::named(&arguments.style).unwrap_or_default(),
        size,
        scale: arguments.scale,
        camera: framing.camera(scene, points),
        follow: arguments.follow,
        legend: arguments.legend,
        caption: !arguments.no_caption,
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
            hidden: arguments.hide.iter().map(AgentId::new).collect(),
            log_ghosts: arguments.ghosts,
            grid: arguments.grid,
            ..ViewOptions::default()
        },
    })
}

/// Where the ego is at the times of a picture whose span is given, on average.
fn place_then(arguments: &Arguments, scene: &Scene) -> Option<[f64; 2]> {
    arguments.span?;
    let track = &scene.ego()?.track;
    let states = arguments
        .at
        .iter()
        .map(|at_s| track.sample(scene.frame_at(*at_s)));
    let places: Vec<DVec2> = states.flatten().map(|state| state.position).collect();
    let middle = places.iter().sum::<DVec2>() / places.len() as f64;
    (!places.is_empty()).then(|| middle.into())
}

fn write_picture(
    studio: &mut Studio,
    film: &Film,
    file: &mut impl Write,
) -> anyhow::Result<String> {
    let picture = studio.frame(film, 0)?;
    file.write_all(&picture.to_png()?)?;
    Ok(format!("{} by {} pixels", picture.width, picture.height))
}

fn write_clip(
    studio: &mut Studio,
    film: &Film,
    fps: f64,
    file: &mut impl Write,
    stop: &AtomicBool,
) -> anyhow::Result<String> {
    let count = film.frames();
    let progress = progress_bar(count);
    let mut goes_on = |done| tell(&progress, done, count, stop);
    let done = studio.write_gif(film, fps, BufWriter::new(file), &mut goes_on)?;
    progress.finish_and_clear();
    Ok(said_of_clip(done, film))
}

fn write_frames(
    studio: &mut Studio,
    film: &Film,
    folder: &Path,
    stop: &AtomicBool,
) -> anyhow::Result<String> {
    make_folder(folder)?;
    let count = film.frames();
    let progress = progress_bar(count);
    let mut done = 0;
    while done < count && tell(&progress, done, count, stop) {
        let picture = studio.frame(film, done)?;
        done += 1;
        let path = frame_file(folder, done);
        fs::write(&path, picture.to_png()?).with_context(|| format!("could not write {path:?}"))?;
    }
    progress.finish_and_clear();
    if done == count {
        remove_later_frames(folder, count);
    }
    Ok(said_of_clip(done, film))
}

fn said_of_clip(done: usize, film: &Film) -> String {
    let (count, [width, height]) = (film.frames(), film.size());
    let cut = if done < count { ", stopped early" } else { "" };
    format!("{done} of {count} frames of {width} by {height} pixels{cut}")
}

/// Shows progress; false once Ctrl-C was pressed.
fn tell(progress: &ProgressBar, done: usize, count: usize, stop: &AtomicBool) -> bool {
    progress.set_position(done as u64);
    if progress.is_hidden() && done > 0 && done.is_multiple_of(25) {
        eprintln!("frame {done}/{count}");
    }
    !stop.load(Ordering::Relaxed)
}

fn point_from_text(text: &str) -> Result<[f64; 2], String> {
    let point = text.split_once(',').and_then(|(x, y)| {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        Some([number(x)?, number(y)?])
    });
    point.ok_or_else(|| format!("\"{text}\" is not a point: write X,Y in metres, such as 12.5,-3"))
}

/// A temporary file that is as readable as any new file when it gets its name.
fn temporary() -> tempfile::Builder<'static, 'static> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix files have modes"))]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
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

    #[test]
    fn points_are_read_and_nonsense_is_refused() {
        assert_eq!(point_from_text("-12.5, 3"), Ok([-12.5, 3.0]));
        assert!(point_from_text("12").is_err() && point_from_text("1,inf").is_err());
    }

    #[test]
    fn the_name_says_what_is_written() {
        assert!(medium_of(Path::new("a/b.PNG")).unwrap() == Medium::Picture);
        assert!(medium_of(Path::new("a/b.gif")).unwrap() == Medium::Gif);
        assert!(medium_of(Path::new("a/frames/")).unwrap() == Medium::Frames);
        assert!(medium_of(Path::new("a/b.mp4")).is_err());
    }
}
