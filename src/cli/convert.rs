//! `nearmiss convert`: a scene in another format, read again after writing.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::data::{Target, export, open};
use crate::generator::cut;

/// Arguments of `nearmiss convert`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A scene file of any readable format.
    input: PathBuf,
    /// The file to write; its ending says the format (see --to).
    output: PathBuf,
    /// Which scene, where the input holds several.
    #[arg(long, value_name = "NAME")]
    pick: Option<String>,
    /// Cut a window that starts at this time, s.
    #[arg(long, value_name = "START")]
    window: Option<f64>,
    /// Length of the window, s (9 for GPUDrive, else 10).
    #[arg(long, value_name = "SECONDS", requires = "window")]
    length: Option<f64>,
    /// The format to write, where the ending does not say.
    #[arg(long, value_name = "FORMAT", value_parser = Target::NAMES)]
    to: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let output = &arguments.output;
    let target = match &arguments.to {
        Some(name) => Target::named(name),
        None => Target::of_file(output),
    };
    let target = target.with_context(|| {
        format!(
            "{}: the ending names no format that is written; use {} or --to {}",
            output.display(),
            Target::ENDINGS,
            Target::NAMES.join("|")
        )
    })?;
    let same = std::fs::canonicalize(&arguments.input)
        .and_then(|input| Ok(input == std::fs::canonicalize(output)?));
    anyhow::ensure!(
        !same.unwrap_or(false),
        "{}: input and output are the same file; write to another",
        output.display()
    );
    let opened = open(&arguments.input, arguments.pick.as_deref())?;
    for line in opened.report.lines() {
        eprintln!("{}: {line}", arguments.input.display());
    }
    let mut scene = opened.scene;
    if let Some(start_s) = arguments.window {
        let length_s = arguments.length.unwrap_or(target.window_s());
        let is_long = length_s.is_finite() && length_s > 0.0;
        if !(0.0..=scene.duration_s()).contains(&start_s) || !is_long {
            anyhow::bail!(
                "--window {start_s} --length {length_s}: the scene lasts from 0 to {} s",
                scene.duration_s()
            );
        }
        let length_s = length_s.min(scene.duration_s() - start_s);
        scene = cut(&scene, start_s, length_s, Some(target.present_s(length_s)));
    }
    let exported = export(&scene, output, target)?;
    for line in exported.report.lines() {
        eprintln!("{}: {line}", output.display());
    }
    for file in exported.files {
        println!("{}", file.display());
    }
    Ok(())
}
