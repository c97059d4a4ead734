//! `nearmiss serve`: the other side of `--own`: the program's planner for another program.

use std::io::{BufRead as _, Write as _};
use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::planning::PlannerArguments;
use crate::planner::{
    OWN_EXAMPLE, PlanSettings, Planners, Route, Start, plan, plan_json, read_request,
};
use crate::rng::Seed;

/// Arguments of `nearmiss serve`.
#[derive(clap::Args)]
#[command(after_long_help = EXCHANGE)]
pub(super) struct Arguments {
    #[command(flatten)]
    planner: PlannerArguments,
    /// Print a planner in Python to start your own from, and answer nothing.
    #[arg(long)]
    example: bool,
}

const EXCHANGE: &str = "\
A request and its answer are one line of JSON each. A request:

  {\"request\": \"plan\", \"version\": 1, \"ego\": ID, \"now_s\": T, \"horizon_s\": 8, \"modes\": K, \"seed\": N,
   \"file\": STEM, \"route\": [{\"lane\": ID, \"points\": [[x, y], ..]}, ..], \"scene\": {..}}

`scene` is a scene file (`nearmiss schema`) that ends at its present, frame `now`: metres, radians counted from x to y, \
positions of box centres. Nothing later is in it, nor who attacks. `file` is the \
name of the file that the scene was opened from, without its ending: it tells cases of one name apart. It is absent in the \
window, and where the file holds several scenes. `route` names pieces of the lanes the ego is to follow; \
it is empty where there is no route (--no-route).

An answer of a planner of your own (--own):

  {\"modes\": [{\"probability\": P, \"points\": [[x, y, heading, speed], ..]}, ..]}

Points lie `dt_s` apart (0.5 if absent) from `dt_s` after the present on. Heading and speed may be left out and follow from \
the way. 8 s are wanted; after the last point a plan goes on at that point's velocity. \"frame\": \"ego\" says that points \
are in the ego's frame at the present (x ahead, y left), not in the scene's. {\"error\": \"..\"} says why there is no plan. \
Lines that do not begin with { and what is written to standard error are shown, not read.

The planner is started once and asked many times; when its standard input ends, it should, too. An answer may take two \
minutes. `now_s` of a request is the scene time of its present. `nearmiss serve --example` prints one to start from. This command answers with what `nearmiss plan --json` prints, \
which holds the same.";

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.example {
        print!("{OWN_EXAMPLE}");
        return Ok(());
    }
    let crew = arguments.planner.crew(&[])?;
    let settings = arguments.planner.settings();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = match std::str::from_utf8(&line) {
            Ok(line) => answer(line, crew.planners(), &settings),
            Err(error) => Err(format!("the request is no UTF-8 text: {error}")),
        };
        let answer = answer.unwrap_or_else(|problem| json!({ "error": problem }));
        if writeln!(out, "{answer}")
            .and_then(|()| out.flush())
            .is_err()
        {
            break; // nobody reads any more
        }
    }
    Ok(())
}

/// The plan that a request asks for, or what is wrong with it.
fn answer(line: &str, planners: Planners<'_>, settings: &PlanSettings) -> Result<Value, String> {
    let request = read_request(line)?;
    let settings = PlanSettings {
        modes: request.modes,
        seed: Seed(request.seed),
        ..settings.clone()
    };
    let route = Route::told(request.route);
    let start = Start {
        route: route.as_ref(),
        ..Start::default()
    };
    let made = plan(&request.scene, &start, planners, &settings, &mut |_| {
        ControlFlow::Continue(())
    });
    let made = made.map_err(|error| error.to_string())?;
    Ok(plan_json(&made, None))
}
