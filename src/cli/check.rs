//! `nearmiss check`: does a case hold what it says?

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::batch::{Shown, scenes, stop_on_ctrl_c};
use super::generate::case_json;
use super::weights;
use crate::data;
use crate::generator::{CheckReport, Progress, Regeneration, check};
use crate::scene::Scene;

/// Arguments of `nearmiss check`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Case files, folders of them, or several cases in one file.
    #[arg(required = true)]
    cases: Vec<PathBuf>,
    /// One JSON object per case.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let network = weights::network(0)?;
    let stop = stop_on_ctrl_c();
    let entries = scenes(&arguments.cases)?;
    let count = entries.len();
    let shown = Shown::new(count as u64);
    let (mut broken, mut unreadable, mut checked, mut plain) = (0, 0, 0, 0);
    for entry in &entries {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = match &entry.pick {
            Some(pick) => format!("{} [{pick}]", entry.file.display()),
            None => entry.file.display().to_string(),
        };
        shown.doing(&name);
        let scene = match data::open(&entry.file, entry.pick.as_deref()) {
            Ok(opened) => opened.scene,
            Err(error) => {
                unreadable += 1;
                shown.note(&format!("nearmiss: {error}"));
                continue;
            }
        };
        let mut goes_on = |_: &Progress<'_>| match stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let report = check(&scene, &network, &mut goes_on);
        if stop.load(Ordering::Relaxed) {
            break;
        }
        checked += 1;
        // among several, a scene that nobody calls a case is passed over
        if report.regeneration == Regeneration::NoRecipe {
            plain += 1;
        } else {
            broken += usize::from(!report.holds());
        }
        shown.done(&name);
        let sentence = sentence(&report.regeneration);
        let text = match arguments.json {
            true => object(entry, &scene, &report, sentence).to_string(),
            false => text(&name, &report, &sentence),
        };
        shown.aside(|| println!("{text}"));
    }
    shown.finish();
    anyhow::ensure!(
        !stop.load(Ordering::Relaxed),
        "stopped by Ctrl-C after {checked} of {count} cases"
    );
    anyhow::ensure!(
        plain == 0 || plain < checked,
        "{plain} of {count} cases do not hold: there is no generated case among them"
    );
    if plain > 0 {
        eprintln!("{plain} scenes without a recipe are no cases and were passed over");
    }
    let faults = [
        (unreadable > 0).then(|| format!("{unreadable} of {count} cannot be opened")),
        (broken > 0).then(|| format!("{broken} of {count} cases do not hold")),
    ];
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

fn object(entry: &data::Entry, scene: &Scene, report: &CheckReport, sentence: String) -> Value {
    let mut value = match &scene.generated {
        Some(generated) => case_json(&entry.file, generated),
        None => {
            json!({"file": entry.file.display().to_string(), "seed": null, "gates": [], "metrics": []})
        }
    };
    if let Some(object) = value.as_object_mut() {
        if let Some(pick) = &entry.pick {
            object.insert("scene".to_owned(), pick.clone().into());
        }
        object.insert("schema".to_owned(), true.into());
        object.insert("holds".to_owned(), report.holds().into());
        object.insert("gates_now".to_owned(), json!(report.gates));
        object.insert("gates_changed".to_owned(), report.changes.len().into());
        object.insert("claims_wrong".to_owned(), json!(report.claims));
        object.insert("regeneration".to_owned(), sentence.into());
    }
    value
}

fn text(name: &str, report: &CheckReport, sentence: &str) -> String {
    let mut lines = vec![name.to_owned(), "  schema        valid".to_owned()];
    for gate in &report.gates {
        let mark = if gate.passed { "passed" } else { "FAILED" };
        lines.push(format!("  {:<21} {mark}  {}", gate.gate, gate.reason));
    }
    for change in &report.changes {
        let name = change.stored.as_ref().or(change.present.as_ref());
        let name = name.map_or("?", |gate| gate.gate.as_str());
        lines.push(format!(
            "  {name}: the file says otherwise than the gate does now"
        ));
    }
    let claims = report.claims.iter();
    lines.extend(claims.map(|claim| format!("  WRONG         {claim}")));
    lines.push(format!("  regeneration  {sentence}"));
    lines.join("\n")
}

fn sentence(regeneration: &Regeneration) -> String {
    match regeneration {
        Regeneration::Same => "the recipe gives the stored result to the bit".to_owned(),
        Regeneration::Differs {
            agent,
            frame,
            distance_m,
        } => format!(
            "the recipe gives another result: {agent} is {distance_m:.4} m off at frame {frame}; another machine type, \
             or the file was changed"
        ),
        Regeneration::OtherWeights { stored, present } => format!(
            "made with weights {}, here are {}: not compared",
            weights::short(stored),
            weights::short(present)
        ),
        Regeneration::Incomplete => {
            "the run was stopped or changed while it ran: it cannot be compared".to_owned()
        }
        Regeneration::Impossible(why) => format!("the recipe cannot be run: {why}"),
        Regeneration::NoFailure => {
            "a bug case, but with these weights on this machine the model does not fail".to_owned()
        }
        Regeneration::NoRecipe => "the file holds a scene, not a generated case".to_owned(),
    }
}
