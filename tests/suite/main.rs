//! The outside view, one binary: cases made and checked (`cases`), who may use whom (`layers`), real files (`importers`), shaders and pictures
//! (`shaders`, `pictures`), the command line (`commands`), the planner (`plan`, `planner`), training shards (`shards`), the window (`window` and its
//! neighbours, set up by `stage`) and what leaves it (`export`), runs in a world that changes (`reaction`), parameter sweeps (`sweep`).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that stops with a message has done its work"
)]

mod cases;
mod commands;
mod damaged_xml;
mod export;
mod importers;
mod importers_xml;
mod labels;
mod layers;
mod pictures;
mod plan;
mod planner;
mod reaction;
mod reference;
mod shaders;
mod shards;
mod stage;
mod sweep;
mod window;
mod window_compare;
mod window_first;
mod window_goals;
mod window_planner;
mod windows;
