//! The outside view, one binary: cases made and checked (`cases`), who may use whom (`layers`), real files (`importers`), shaders and pictures
//! (`shaders`, `pictures`), the command line (`commands`), the window (`window`) and what leaves it (`export`).
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
mod planner;
mod reference;
mod shaders;
mod window;
mod windows;
