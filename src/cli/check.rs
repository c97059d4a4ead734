//! `nearmiss check`: does a case hold what it says?

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::generate::case_json;
use crate::data;
use crate::generator::{CheckReport, Regeneration, check};
use crate::model::Network;

/// Arguments of `nearmiss check`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Case files.
    #[arg(required = true)]
    cases: Vec<PathBuf>,
    /// One JSON object per case.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let network = Network::load_default().context("could not load the weights")?;
    let mut broken = 0;
    for path in &arguments.cases {
        let scene = data::open(path, None)?.scene;
        let report = check(&scene, &network, &mut |_| ControlFlow::Continue(()));
        let sentence = sentence(&report.regeneration);
        broken += usize::from(!report.holds());
        if arguments.json {
            let mut object = match &scene.generated {
                Some(generated) => case_json(path, generated),
                None => {
                    json!({"file": path.display().to_string(), "seed": null, "gates": [], "metrics": []})
                }
            };
            if let Some(object) = object.as_object_mut() {
                object.insert("schema".to_owned(), true.into());
                object.insert("holds".to_owned(), report.holds().into());
                object.insert("gates_now".to_owned(), json!(report.gates));
                object.insert("gates_changed".to_owned(), report.changes.len().into());
                object.insert("regeneration".to_owned(), sentence.into());
            }
            println!("{object}");
        } else {
            print(path, &report, &sentence);
        }
    }
    let count = arguments.cases.len();
    anyhow::ensure!(broken == 0, "{broken} of {count} cases do not hold");
    Ok(())
}

fn print(path: &std::path::Path, report: &CheckReport, sentence: &str) {
    println!("{}", path.display());
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
