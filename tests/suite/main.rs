//! The outside view, one binary: who may use whom (`layers`), real files (`importers`), pictures and shaders
//! (`shaders`), the command line (`commands`), the window (`window`).

mod commands;
mod importers;
mod importers_xml;
mod layers;
mod reference;
