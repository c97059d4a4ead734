//! Nearmiss: generate, edit, simulate and judge driving scenes.
//!
//! A scene is opened (`data`), edited as a value (`scene`), turned into tensors (`codec`), completed by a decoupled
//! diffusion model (`diffusion` decides the noise, `model` removes it, `generator` says what is asked for), judged
//! (`metrics`, `generator`), and shown (`render`, `ui`). The command line (`cli`) calls the same functions.
//!
//! # Modules
//!
//! Bottom to top. A module may use only what its row names; `tests/suite/layers.rs` reads this table.
//!
//! | module | may use | what it is for |
//! |---|---|---|
//! | rng | | `Seed` and its named random streams |
//! | geometry | | poses, boxes, polylines, angles; metres and radians |
//! | map | geometry | lanes, lines, areas, and a spatial index over the lanes |
//! | scene | geometry map | agents over time on a map; edits, history, the scene file |
//! | data | geometry map scene | foreign formats in and out |
//! | codec | geometry map scene | `Scene` to model tokens and context, and back |
//! | metrics | rng geometry map scene | numbers about scenes and runs, with units |
//! | sim | rng geometry map scene | the traffic world: roads, drivers, closed loop at 10 Hz |
//! | render | geometry map scene | a scene at a time to a draw list, a draw list to pixels |
//! | diffusion | rng geometry scene codec | noise levels, schedules, the sampler; the `Denoise` trait |
//! | generator | rng geometry map scene codec metrics diffusion | a scene and a recipe to a new scene; attacks, guidance, gates |
//! | corpus | rng geometry map scene codec generator | scenes to training windows and their shards |
//! | planner | rng geometry map scene codec metrics sim | the ego's futures, their scores and the choice; the `Propose` trait |
//! | page | geometry scene metrics planner | a page of cases for a browser |
//! | model | rng geometry codec diffusion planner | the networks behind `Denoise` and `Propose`, and their weights |
//! | engine | rng geometry map scene data codec metrics sim diffusion generator planner model | jobs, the threads that run them, and a planner that is a program of its own |
//! | ui | rng geometry map scene data codec metrics render diffusion generator planner page engine | the window: panels, tools, canvas |
//! | cli | rng geometry map scene data codec metrics sim render diffusion generator corpus planner page model engine ui | one file per subcommand |
//!
//! # Homes
//!
//! The only places that may name these.
//!
//! | name | home |
//! |---|---|
//! | candle_core | model/ |
//! | candle_nn | model/ |
//! | gemm | model/ |
//! | pulp | model/ |
//! | wgpu | render/ ui/ |
//! | egui | ui/ |
//! | eframe | ui/ |
//! | egui_plot | ui/ |
//! | rfd | ui/ |
//! | clap | cli/ |
//! | indicatif | cli/ |
//! | rand_chacha | rng.rs |
//! | quick_xml | data/ |
//! | csv | data/ |
//! | lz4_flex | data/ |
//! | proj4rs | data/ |
//! | parquet | data/ |
//! | arrow_ipc | data/ |
//! | prost | data/ |
//! | thread | engine/ ui/ cli/ |
//! | mpsc | engine/ ui/ cli/ |
//! | Instant | engine/ ui/ cli/ |
//! | fs | data/ scene/file.rs scene/disk.rs model/ cli/ ui/ |

pub mod cli;
pub mod codec;
pub mod corpus;
pub mod data;
pub mod diffusion;
pub mod engine;
pub mod generator;
pub mod geometry;
pub mod map;
pub mod metrics;
pub mod model;
pub mod page;
pub mod planner;
pub mod render;
pub mod rng;
pub mod scene;
pub mod sim;
pub mod ui;
