//! `nearmiss info`: what a file or folder holds.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::data::{Entry, OpenError, Opened, open, open_each};
use crate::scene::{AgentKind, Scene, for_terminal};

/// Arguments of `nearmiss info`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A scene file of any readable format, or a folder of them.
    scene: PathBuf,
    /// Which scene, where the file or folder holds several (all are shown without it).
    #[arg(long, value_name = "NAME")]
    pick: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let path = &arguments.scene;
    let mut rows: Vec<Row> = Vec::new();
    let mut failures: Vec<(Entry, OpenError)> = Vec::new();
    if arguments.pick.is_some() {
        let opened = open(path, arguments.pick.as_deref())?;
        rows.push(Row::of(path, &opened));
    } else {
        open_each(path, &mut |entry, opened| {
            match opened {
                Ok(opened) => rows.push(Row::of(&entry.file, &opened)),
                Err(error) => failures.push((entry.clone(), error)),
            }
            true
        })?;
    }
    if rows.is_empty()
        && let Some((_, error)) = failures.pop()
    {
        return Err(error.into());
    }
    if arguments.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&as_json(path, &rows, &failures))?
        );
    } else {
        print_table(&rows);
    }
    for (_, error) in &failures {
        eprintln!("nearmiss: {error}");
    }
    Ok(())
}

/// What is shown of one scene.
struct Row {
    file: PathBuf,
    id: String,
    format: &'static str,
    duration_s: f64,
    rate_hz: f64,
    frames: usize,
    now_s: f64,
    lanes: usize,
    signals: usize,
    counts: [usize; 4],
    planned: usize,
    ego: Option<String>,
    source: String,
    licence: String,
    problems: Vec<String>,
    notes: Vec<String>,
}

const KINDS: [AgentKind; 4] = [
    AgentKind::Vehicle,
    AgentKind::Pedestrian,
    AgentKind::Cyclist,
    AgentKind::Other,
];

impl Row {
    fn of(file: &Path, opened: &Opened) -> Self {
        let scene: &Scene = &opened.scene;
        let count = |kind| {
            scene
                .agents
                .iter()
                .filter(|agent| agent.kind == kind && agent.is_recorded())
                .count()
        };
        let report = &opened.report;
        let mut problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        problems.extend(report.further());
        problems.extend(report.left_out());
        Self {
            file: file.to_path_buf(),
            id: scene.name.clone(),
            format: opened.format.word(),
            duration_s: thousandths(scene.duration_s()),
            rate_hz: thousandths(1.0 / scene.dt_s),
            frames: scene.frames,
            now_s: thousandths(scene.now_s()),
            lanes: scene.map.lanes().len(),
            signals: scene.signals.len(),
            counts: KINDS.map(count),
            planned: scene
                .agents
                .iter()
                .filter(|agent| !agent.is_recorded())
                .count(),
            ego: scene.ego().map(|ego| ego.id.to_string()),
            source: scene.source.clone(),
            licence: scene.licence.clone(),
            problems,
            notes: report.notes.clone(),
        }
    }

    fn as_json(&self) -> Value {
        let [vehicle, pedestrian, cyclist, other] = self.counts;
        json!({
            "id": self.id,
            "file": self.file.display().to_string(),
            "format": self.format,
            "duration_s": self.duration_s,
            "rate_hz": self.rate_hz,
            "frames": self.frames,
            "now_s": self.now_s,
            "lanes": self.lanes,
            "signals": self.signals,
            "agents": {"vehicle": vehicle, "pedestrian": pedestrian, "cyclist": cyclist, "other": other},
            "planned_agents": self.planned,
            "ego": self.ego,
            "source": self.source,
            "licence": self.licence,
            "problems": self.problems,
            "notes": self.notes,
        })
    }
}

fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn as_json(path: &Path, rows: &[Row], failures: &[(Entry, OpenError)]) -> Value {
    let mut formats: Vec<&str> = rows.iter().map(|row| row.format).collect();
    formats.dedup();
    let failed: Vec<Value> = failures
        .iter()
        .map(|(entry, error)| json!({"id": entry.name, "error": error.to_string()}))
        .collect();
    json!({
        "file": path.display().to_string(),
        "format": match formats.as_slice() {
            [one] => one,
            _ => "several",
        },
        "scenes": rows.iter().map(Row::as_json).collect::<Vec<Value>>(),
        "failed": failed,
    })
}

fn print_table(rows: &[Row]) {
    let mut lines: Vec<String> = Vec::new();
    let shown = |id: &str| -> String {
        let long = id.chars().count() > 36;
        let start: String = id.chars().take(if long { 35 } else { 36 }).collect();
        if long { format!("{start}…") } else { start }
    };
    lines.push(format!(
        "{:<36} {:<22} {:>8} {:>6} {:>6} {:>5} {:>5} {:>5} {:>5}  ego",
        "scene", "format", "seconds", "Hz", "lanes", "veh", "ped", "cyc", "other"
    ));
    for row in rows {
        let [vehicle, pedestrian, cyclist, other] = row.counts;
        lines.push(format!(
            "{:<36} {:<22} {:>8.1} {:>6.2} {:>6} {:>5} {:>5} {:>5} {:>5}  {}",
            shown(&row.id),
            row.format,
            row.duration_s,
            row.rate_hz,
            row.lanes,
            vehicle,
            pedestrian,
            cyclist,
            other,
            row.ego.as_deref().map_or_else(|| "-".to_owned(), shown),
        ));
    }
    if let [row] = rows {
        lines.push(format!(
            "present at {} s; {} signals",
            row.now_s, row.signals
        ));
        lines.push(format!("source   {}", row.source));
        lines.push(format!("licence  {}", row.licence));
        for note in &row.notes {
            lines.push(format!("note     {note}"));
        }
    }
    for row in rows {
        for problem in &row.problems {
            if rows.len() > 1 {
                lines.push(format!("problem  {}: {problem}", shown(&row.id)));
            } else {
                lines.push(format!("problem  {problem}"));
            }
        }
    }
    println!("{}", for_terminal(&lines.join("\n")));
}
