//! What drives came to, in tables: scenes by planners, means with intervals by scene, paired differences.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::rounded;
use crate::engine::DriveWorld;
use crate::metrics::{Interval, Ratio, bootstrap_of};
use crate::planner::{Decoder, DriveOutcome, Report, Variant};
use crate::rng::Seed;

/// One driven scene.
pub(super) struct Line {
    /// Number of the scene in the batch.
    pub(super) scene: usize,
    /// Its name.
    pub(super) name: String,
    /// Who drove, by position among the planners.
    pub(super) planner: usize,
    /// What came of it.
    pub(super) report: Report,
}

/// All drives of a batch.
pub(super) struct Table {
    /// The planners with what they are called; the others are held against the first.
    pub(super) names: Vec<(Decoder, String)>,
    /// Who moved everyone else.
    pub(super) world: DriveWorld,
    /// Of the modes, and of the bootstrap.
    pub(super) seed: Seed,
    /// Plans per second.
    pub(super) replan_hz: f64,
    /// The drives, scene by scene.
    pub(super) lines: Vec<Line>,
}

/// What is pooled over scenes.
struct Column {
    key: &'static str,
    heading: &'static str,
    /// Heading over a narrow column.
    short: &'static str,
    factor: f64,
    /// What a scene adds.
    of: fn(&Report) -> Ratio,
}

impl Column {
    fn unit(&self) -> &'static str {
        match self.key.rsplit('_').next() {
            Some("m") => " m",
            Some("pct") => " %",
            _ => "",
        }
    }
}

fn share(hit: bool) -> Ratio {
    Ratio::new(f64::from(hit), 1.0)
}

const COLUMNS: [Column; 8] = [
    Column {
        key: "collision_pct",
        heading: "collisions",
        short: "coll %",
        factor: 100.0,
        of: |report| share(report.collided()),
    },
    Column {
        key: "at_fault_pct",
        heading: "at fault",
        short: "fault %",
        factor: 100.0,
        of: |report| share(report.at_fault()),
    },
    Column {
        key: "off_road_pct",
        heading: "off the road",
        short: "off %",
        factor: 100.0,
        of: |report| share(report.off_road_s.is_some()),
    },
    Column {
        key: "progress_pct",
        heading: "progress / log",
        short: "progr %",
        factor: 100.0,
        of: |report| match report.logged_m {
            Some(logged) => Ratio::new(report.progress_m, logged),
            None => Ratio::default(),
        },
    },
    Column {
        key: "comfortable_pct",
        heading: "comfortable",
        short: "comf %",
        factor: 100.0,
        of: |report| share(report.comfortable()),
    },
    Column {
        key: "plan_shift_m",
        heading: "plan to plan",
        short: "shift m",
        factor: 1.0,
        of: |report| report.shift,
    },
    Column {
        key: "plans_alike_pct",
        heading: "plans alike (EC)",
        short: "EC %",
        factor: 100.0,
        of: |report| report.alike,
    },
    Column {
        key: "nuplan_score",
        heading: "nuPlan-style score",
        short: "score",
        factor: 1.0,
        of: |report| match &report.score {
            Some(score) => Ratio::new(score.total, 1.0),
            None => Ratio::default(),
        },
    },
];

impl Table {
    fn of(&self, planner: usize) -> impl Iterator<Item = &Line> {
        let lines = self.lines.iter();
        lines.filter(move |line| line.planner == planner)
    }

    fn pooled(&self, planner: usize, column: &Column) -> (Option<f64>, Option<Interval>) {
        let parts: Vec<Ratio> = self
            .of(planner)
            .map(|line| (column.of)(&line.report))
            .collect();
        let value = |drawn: &[&Ratio]| {
            let pooled = Ratio::pooled(drawn.iter().copied()).value()?;
            Some(column.factor * pooled)
        };
        let all: Vec<&Ratio> = parts.iter().collect();
        (value(&all), bootstrap_of(&parts, self.seed, value))
    }

    /// The first planner's value less another's over the scenes that both have driven, with how many these are.
    fn difference(&self, other: usize, column: &Column) -> Option<(f64, Option<Interval>)> {
        let pairs: Vec<(Ratio, Ratio)> = self
            .of(0)
            .filter_map(|line| {
                let theirs = self.of(other).find(|theirs| theirs.scene == line.scene)?;
                Some(((column.of)(&line.report), (column.of)(&theirs.report)))
            })
            // what one of the two lacks says nothing of their difference
            .filter(|(own, theirs)| own.count > 0.0 && theirs.count > 0.0)
            .collect();
        let less = |drawn: &[&(Ratio, Ratio)]| {
            let own = Ratio::pooled(drawn.iter().map(|pair| &pair.0)).value()?;
            let theirs = Ratio::pooled(drawn.iter().map(|pair| &pair.1)).value()?;
            Some(column.factor * (own - theirs))
        };
        let all: Vec<&(Ratio, Ratio)> = pairs.iter().collect();
        Some((less(&all)?, bootstrap_of(&pairs, self.seed, less)))
    }

    /// One row a planner under its stable keys; the first has its differences to the others.
    pub(super) fn json(&self) -> Value {
        let rows = (0..self.names.len()).map(|planner| {
            let mut row = json!({
                "planner": self.names[planner].0.key(),
                "world": self.world.key(),
                "seed": self.seed.0,
                "scenes": self.of(planner).count(),
                "replan_hz": self.replan_hz,
            });
            let mut intervals = json!({ "level": 0.95, "by": "scene" });
            for column in &COLUMNS {
                let (value, interval) = self.pooled(planner, column);
                row[column.key] = value.map(rounded).into();
                intervals[column.key] = between(interval);
            }
            row["interval"] = intervals;
            if planner == 0 && self.names.len() > 1 {
                let others = 1..self.names.len();
                row["difference"] = others.map(|other| self.difference_json(other)).collect();
            }
            row
        });
        json!({ "rows": rows.collect::<Vec<Value>>() })
    }

    fn difference_json(&self, other: usize) -> Value {
        let mut found = Map::new();
        found.insert("to".to_owned(), json!(self.names[other].0.key()));
        found.insert("level".to_owned(), json!(0.95));
        found.insert("by".to_owned(), json!("scene"));
        for column in &COLUMNS {
            let entry = self.difference(other, column).map(|(value, interval)| {
                json!({ "value": rounded(value), "interval": between(interval) })
            });
            found.insert(column.key.to_owned(), json!(entry));
        }
        Value::Object(found)
    }

    pub(super) fn text(&self) -> String {
        let names: Vec<&str> = self.names.iter().map(|(_, name)| &**name).collect();
        let mut out = format!(
            "{} {}, world {}, {} plans a second, seed {}\n\n",
            if names.len() > 1 {
                "planners"
            } else {
                "planner"
            },
            names.join(", "),
            self.world.key(),
            self.replan_hz,
            self.seed.0,
        );
        if names.len() > 1 {
            self.write_matrix(&mut out);
            self.write_rows(&mut out);
            self.write_differences(&mut out);
        } else {
            self.write_scenes(&mut out);
            self.write_means(&mut out);
        }
        let _infallible = writeln!(out, "\n{}.", Variant::NuPlan.words());
        out
    }

    /// Width of the column of names.
    fn wide(&self) -> usize {
        let lengths = self.lines.iter().map(|line| line.name.chars().count());
        lengths.max().unwrap_or(0).clamp(NAMES[0], NAMES[1])
    }

    /// Each scene of the one planner.
    fn write_scenes(&self, out: &mut String) {
        let wide = self.wide();
        let _infallible = writeln!(
            out,
            "{:<wide$} {:>6} {:>9} {:>8} {:>9} {:>9} {:>7} {:>7} {:>6}",
            "scene", "s", "contact", "fault", "off road", "progress", "comfort", "shift m", "score",
        );
        for line in &self.lines {
            let report = &line.report;
            let contact = report
                .contacts
                .first()
                .map_or_else(|| "-".to_owned(), |touch| format!("{:.1} s", touch.time_s));
            let fault = match (report.collided(), report.at_fault()) {
                (false, _) => "-",
                (true, true) => "ego",
                (true, false) => "other",
            };
            let off = report
                .off_road_s
                .map_or_else(|| "-".to_owned(), |time_s| format!("{time_s:.1} s"));
            let progress = match report.logged_m {
                Some(logged) if logged > 1.0 => {
                    format!("{:.0} %", 100.0 * report.progress_m / logged)
                }
                _ => format!("{:.0} m", report.progress_m),
            };
            let shift = report
                .shift
                .value()
                .map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
            let score = report
                .score
                .as_ref()
                .map_or_else(|| "-".to_owned(), |score| format!("{:.3}", score.total));
            let _infallible = writeln!(
                out,
                "{:<wide$} {:>6.1} {contact:>9} {fault:>8} {off:>9} {progress:>9} {:>7} {shift:>7} {score:>6}",
                cut(&line.name, wide),
                report.seconds,
                if report.comfortable() { "yes" } else { "no" },
            );
        }
    }

    /// The means of the one planner, with intervals.
    fn write_means(&self, out: &mut String) {
        let scenes = self.lines.len();
        let _infallible = writeln!(out, "\nover {scenes} scenes, 95 % interval by scene");
        for column in &COLUMNS {
            let (value, interval) = self.pooled(0, column);
            let unit = column.unit();
            let number = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}{unit}"));
            let range = interval.map_or_else(String::new, |found| {
                format!("  {:.2} to {:.2}", found.low, found.high)
            });
            let _infallible = writeln!(out, "  {:<18} {number:>10}{range}", column.heading);
        }
    }

    /// Scenes by planners: the worst that came of each drive, and its score.
    fn write_matrix(&self, out: &mut String) {
        let wide = self.wide();
        let _infallible = write!(out, "{:<wide$}", "scene");
        for (decoder, _) in &self.names {
            let _infallible = write!(out, " {:>18}", decoder.key());
        }
        out.push('\n');
        let mut scenes: Vec<usize> = self.lines.iter().map(|line| line.scene).collect();
        scenes.dedup();
        for scene in scenes {
            let drives = || self.lines.iter().filter(|line| line.scene == scene);
            let name = drives().next().map_or("", |line| &line.name);
            let _infallible = write!(out, "{:<wide$}", cut(name, wide));
            for planner in 0..self.names.len() {
                let driven = drives().find(|line| line.planner == planner);
                let cell = driven.map_or_else(|| "-".to_owned(), |line| cell(&line.report));
                let _infallible = write!(out, " {cell:>18}");
            }
            out.push('\n');
        }
    }

    /// One row a planner.
    fn write_rows(&self, out: &mut String) {
        let _infallible = write!(out, "\n{:<20} {:>6}", "planner", "scenes");
        for column in &COLUMNS {
            let _infallible = write!(out, " {:>8}", column.short);
        }
        out.push('\n');
        for (planner, (decoder, _)) in self.names.iter().enumerate() {
            let scenes = self.of(planner).count();
            let _infallible = write!(out, "{:<20} {scenes:>6}", decoder.key());
            for column in &COLUMNS {
                let value = self.pooled(planner, column).0;
                let number = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
                let _infallible = write!(out, " {number:>8}");
            }
            out.push('\n');
        }
    }

    fn write_differences(&self, out: &mut String) {
        for other in 1..self.names.len() {
            let [first, other_name] = [0, other].map(|planner| self.names[planner].0.key());
            let _infallible = writeln!(
                out,
                "\n{first} less {other_name}, scenes that both have driven, 95 % interval by scene"
            );
            for column in &COLUMNS {
                let Some((value, interval)) = self.difference(other, column) else {
                    continue;
                };
                let range = interval.map_or_else(String::new, |found| {
                    format!("  {:+.2} to {:+.2}", found.low, found.high)
                });
                let number = format!("{value:+.2}{}", column.unit());
                let _infallible = writeln!(out, "  {:<18} {number:>10}{range}", column.heading);
            }
        }
    }
}

/// Least and greatest width of the column of names.
const NAMES: [usize; 2] = [40, 76];

/// As much of a name as a column holds: its end, which tells the cases of one scene apart.
fn cut(name: &str, wide: usize) -> String {
    let length = name.chars().count();
    match length <= wide {
        true => name.to_owned(),
        false => {
            let end = name.chars().skip(length + 1 - wide);
            std::iter::once('…').chain(end).collect()
        }
    }
}

fn cell(report: &Report) -> String {
    let worst = match report.outcome() {
        DriveOutcome::AtFault(time_s) => format!("FAULT {time_s:.1} s"),
        DriveOutcome::Touched(time_s) => format!("hit {time_s:.1} s"),
        DriveOutcome::OffRoad(time_s) => format!("off {time_s:.1} s"),
        DriveOutcome::Clear => "clear".to_owned(),
    };
    match &report.score {
        Some(score) => format!("{worst} {:.2}", score.total),
        None => worst,
    }
}

fn between(interval: Option<Interval>) -> Value {
    interval.map_or(Value::Null, |found| {
        json!([rounded(found.low), rounded(found.high)])
    })
}
