//! `nearmiss check`: does a case hold what it says?

use std::ops::ControlFlow;
use std::path::PathBuf;

use serde_json::json;

use super::batch::scenes;
use super::generate::case_json;
use super::weights;
use crate::data;
use crate::generator::{CheckReport, Regeneration, check};

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
    let mut broken = 0;
    let entries = scenes(&arguments.cases)?;
    for entry in &entries {
        let scene = data::open(&entry.file, entry.pick.as_deref())?.scene;
        let report = check(&scene, &network, &mut |_| ControlFlow::Continue(()));
        let sentence = sentence(&report.regeneration);
        broken += usize::from(!report.holds());
        if arguments.json {
            let mut object = match &scene.generated {
                Some(generated) => case_json(&entry.file, generated),
                None => {
                    json!({"file": entry.file.display().to_string(), "seed": null, "gates": [], "metrics": []})
                }
            };
            if let Some(object) = object.as_object_mut() {
                if let Some(pick) = &entry.pick {
                    object.insert("scene".to_owned(), pick.clone().into());
                }
                object.insert("schema".to_owned(), true.into());
                object.insert("holds".to_owned(), report.holds().into());
                object.insert("gates_now".to_owned(), json!(report.gates));
                object.insert("gates_changed".to_owned(), report.changes.len().into());
                object.insert("regeneration".to_owned(), sentence.into());
            }
            println!("{object}");
        } else {
            print(entry, &report, &sentence);
        }
    }
    let count = entries.len();
    anyhow::ensure!(broken == 0, "{broken} of {count} cases do not hold");
    Ok(())
}

fn print(entry: &data::Entry, report: &CheckReport, sentence: &str) {
    match &entry.pick {
        Some(pick) => println!("{} [{pick}]", entry.file.display()),
        None => println!("{}", entry.file.display()),
    }
    println!("  schema        valid");
    for gate in &report.gates {
        let mark = if gate.passed { "passed" } else { "FAILED" };
        println!("  {:<21} {mark}  {}", gate.gate, gate.reason);
    }
    for change in &report.changes {
        let name = change.stored.as_ref().or(change.present.as_ref());
        let name = name.map_or("?", |gate| gate.gate.as_str());
        println!("  {name}: the file says otherwise than the gate does now");
    }
    println!("  regeneration  {sentence}");
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
            short(stored),
            short(present)
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

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
