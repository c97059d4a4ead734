//! The demonstration without a display: an attack on the bundled scene, its gates and metrics, a case and a picture.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context as _;

use super::batch::make_folder;
use super::weights;
use crate::generator::{AttackQuery, Settings, attack_candidates, generate, judge, judged_agents};
use crate::metrics::explain;
use crate::scene::{Avoidability, Edit, Scene, Task, scene_from_json, write_scene};
use crate::sim;

/// Where the demonstration leaves its files, below the working folder.
pub(super) const FOLDER: &str = "nearmiss-demonstration";

/// Attacks the ego of the bundled left turn, prints what was found, and writes the case and (where a graphics adapter
/// exists) a picture to `folder`.
pub(super) fn run(folder: &Path) -> anyhow::Result<()> {
    let (name, text) = sim::BUNDLED[0];
    let scene = scene_from_json(text.as_bytes(), name)?;
    println!(
        "No display: demonstration on the bundled scene \"{name}\" ({} agents, {:.0} s).",
        scene.agents.len(),
        scene.duration_s()
    );
    let network = weights::network(0)?;
    println!("Weights: {}", network.status().sentence());
    let candidates = attack_candidates(&scene, &AttackQuery::default())?;
    println!("\nReachable attacks, best first:");
    for candidate in candidates.iter().take(5) {
        println!("  {}", candidate.label());
    }
    let settings = Settings {
        task: Task::Attack,
        ..Settings::default()
    };
    let mut best: Option<Scene> = None;
    for candidate in candidates.iter().take(5) {
        let attack = candidate.attack.clone();
        let aimed = scene.edited(&Edit::SetAttack { attack })?;
        let made = generate(&aimed, &settings, &network, &mut |_| {
            ControlFlow::Continue(())
        })?;
        let valid = made.generated.as_ref().is_some_and(|found| found.valid());
        if valid || best.is_none() {
            best = Some(made);
        }
        if valid {
            break;
        }
    }
    let made = best.context("no attack could be made")?;
    print_findings(&made);
    make_folder(folder)?;
    let case = folder.join("attack.json");
    write_scene(&made, &case)?;
    println!("\nCase:    {}", case.display());
    println!("Check:   nearmiss check {}", case.display());
    let picture = folder.join("attack.png");
    let attack = made.attacks.first();
    let contact_s = attack.map_or(made.now_s(), |attack| attack.time_s);
    let now_s = made.now_s();
    let times_s = [now_s, (now_s + contact_s) / 2.0, contact_s];
    match super::render::write_strip(&made, &times_s, &picture) {
        Ok(said) => println!("Picture: {} ({said})", picture.display()),
        Err(error) => {
            println!("Picture: none, no graphics adapter answers ({error:#})");
        }
    }
    println!(
        "\nFor the window, start nearmiss where DISPLAY or WAYLAND_DISPLAY is set (with ssh: ssh -X)."
    );
    Ok(())
}

fn print_findings(made: &Scene) {
    let Some(generated) = &made.generated else {
        return;
    };
    let verdict = judge(made, &judged_agents(made, &generated.recipe));
    println!("\nGates:");
    for gate in &verdict.gates {
        let mark = if gate.passed { "passed" } else { "FAILED" };
        println!("  {mark}  {:<21} {}", gate.gate, gate.reason);
    }
    if let Some(fault) = &verdict.fault {
        println!("  fault   {}", fault.reason);
    }
    let escape = verdict.escape.as_ref();
    let reason = escape.map_or("no contact to avoid", |escape| escape.reason.as_str());
    let word = match verdict.avoidability {
        Avoidability::NotNeeded => "none",
        Avoidability::Avoidable => "avoidable",
        Avoidability::Unavoidable => "unavoidable",
    };
    println!("  escape  {word}: {reason}");
    println!("\nMetrics:");
    for row in explain(made) {
        let metric = &row.metric;
        println!(
            "  {:<20} {:>8.3} {:<5} {}",
            metric.name, metric.value, metric.unit, row.arithmetic
        );
    }
}
