//! `nearmiss schema`: the JSON Schema of the scene file.

use crate::scene::json_schema;

/// Arguments of `nearmiss schema`.
#[derive(clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_arguments: &Arguments) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(&json_schema())?);
    Ok(())
}
