//! `nearmiss plan`: the ego's futures, their scores, and which one it takes.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Value;

use super::batch::stem_of;
use super::keys;
use super::moments::begin_at;
use super::planning::PlannerArguments;
use crate::data;
use crate::planner::{Plan, PlanSettings, SCORED_S, Scores, Start, outcome, plan, plan_json};
use crate::scene::{AgentId, Scene};

/// Arguments of `nearmiss plan`.
#[derive(clap::Args)]
#[command(after_long_help = keys::PLAN)]
pub(super) struct Arguments {
    /// The scene, in any format that can be opened.
    scene: PathBuf,
    /// Which scenario of a file that holds several.
    #[arg(long, value_name = "NAME")]
    pick: Option<String>,
    /// The moment to plan at, seconds from the start; the scene's present if not given.
    #[arg(long, value_name = "SECONDS")]
    time: Option<f64>,
    /// Plan for this agent instead of the file's ego.
    #[arg(long, value_name = "ID")]
    ego: Option<String>,
    #[command(flatten)]
    planner: PlannerArguments,
    /// Print one JSON object: each `time_s` in it is scene time, `after_s` beside it counts from the present.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut scene = data::open(&arguments.scene, arguments.pick.as_deref())
        .with_context(|| format!("could not open {:?}", arguments.scene))?
        .scene;
    prepare(&mut scene, arguments.ego.as_deref(), arguments.time)?;
    let crew = arguments.planner.crew(&[])?;
    let settings = PlanSettings {
        file: stem_of(&arguments.scene, arguments.pick.as_deref()),
        ..arguments.planner.settings()
    };
    let plan = plan(
        &scene,
        &Start::default(),
        crew.planners(),
        &settings,
        &mut |_| ControlFlow::Continue(()),
    )?;
    // only where the file holds something after the present is there anything to hold the plan against
    let happens = (scene.now + 1 < scene.frames)
        .then(|| outcome(&scene, &plan, SCORED_S))
        .flatten();
    if arguments.json {
        let mut value = plan_json(&plan, happens.as_deref());
        if let Value::Object(object) = &mut value {
            let file = arguments.scene.display().to_string();
            object.insert("file".to_owned(), file.into());
            object.insert("scene".to_owned(), scene.name.clone().into());
        }
        println!("{value}");
    } else {
        print!("{}", text(&plan, happens.as_deref()));
    }
    Ok(())
}

/// Chooses the ego and the present.
///
/// # Errors
/// If there is no such agent, or it is not there at that moment.
pub(super) fn prepare(
    scene: &mut Scene,
    ego: Option<&str>,
    time_s: Option<f64>,
) -> anyhow::Result<()> {
    if let Some(time_s) = time_s {
        *scene = begin_at(scene, time_s)?;
    }
    if let Some(id) = ego {
        let id = AgentId::new(id);
        anyhow::ensure!(
            scene.agent(&id).is_some(),
            "the scene has no agent \"{id}\" (nearmiss info lists them)"
        );
        scene.set_ego(&id);
    } else if scene.ego().is_none()
        && let Some(id) = scene.likely_ego()
    {
        eprintln!("the scene names no ego; planning for {id}");
        scene.set_ego(&id);
    }
    let ego = scene.ego().context(
        "the scene has no vehicle that could be the ego (in the window agents can be added)",
    )?;
    anyhow::ensure!(
        ego.track.get(scene.now).is_some(),
        "{} is not seen at {:.1} s",
        ego.id,
        scene.now_s()
    );
    Ok(())
}

/// The table for people: a line per mode, then why.
fn text(plan: &Plan, happens: Option<&[Scores]>) -> String {
    let mut out = format!(
        "{} at {:.1} s, decoder {}, seed {}, {}\n\n",
        plan.ego,
        plan.now_s,
        plan.settings.decoder.key(),
        plan.settings.seed.0,
        plan.identity,
    );
    out += "  mode  prob.";
    for kind in plan.settings.score.terms() {
        let _infallible = write!(out, " {:>5}", kind.short());
    }
    out += "  score  worth  end x    end y    gap m  happens\n";
    for (index, mode) in plan.modes.iter().enumerate() {
        let mark = if index == plan.chosen { '>' } else { ' ' };
        let share = match mode.braked {
            Some(_) => "brake".to_owned(),
            None => format!("{:>5.3}", mode.mode.probability),
        };
        let _infallible = write!(out, "{mark} {:>4}  {share}", index + 1);
        for term in &mode.scores.terms {
            let _infallible = write!(out, " {:>5.2}", term.score);
        }
        let end = mode.mode.points[mode.mode.points.len() - 1].position;
        let score = happens
            .and_then(|scores| scores.get(index))
            .map_or_else(|| "-".to_owned(), |scores| format!("{:.3}", scores.total));
        let _infallible = writeln!(
            out,
            "  {:>5.3}  {:>5.3}  {:>7.1}  {:>7.1}  {:>5.2}  {score}",
            mode.scores.total, mode.worth, end.x, end.y, mode.gap_m
        );
    }
    let _infallible = writeln!(out, "\n{}", plan.reason);
    let mode = plan.chosen();
    for term in &mode.scores.terms {
        let _infallible = writeln!(
            out,
            "  {:<4} {:.2}  {}",
            term.kind.short(),
            term.score,
            term.reason
        );
    }
    let chosen = happens.and_then(|scores| scores.get(plan.chosen));
    if let Some(scores) = chosen {
        let _infallible = writeln!(
            out,
            "By what the file says happens, the chosen mode scores {}.",
            scores.arithmetic
        );
        for term in scores.terms.iter().filter(|term| term.score < 1.0) {
            let _infallible = writeln!(
                out,
                "  {:<4} {:.2}  {}",
                term.kind.short(),
                term.score,
                term.reason
            );
        }
    }
    let _infallible = writeln!(out, "\nScores: {}.", plan.settings.score.words());
    out
}
