//! What drives came to, in tables: scenes by planners, means with intervals by recording, paired differences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{in_hz, rounded};
use crate::cli::recording::{Origin, recordings};
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
    /// Plans per second, as driven.
    pub(super) replan_hz: f64,
    /// The drives, scene by scene.
    pub(super) lines: Vec<Line>,
    /// Where each driven scene comes from, by its number.
    pub(super) origins: BTreeMap<usize, Origin>,
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

    /// The recording of each driven scene, by its number: a name of it that says no more.
    fn recordings(&self) -> BTreeMap<usize, usize> {
        let origins: Vec<Origin> = self.origins.values().cloned().collect();
        let scenes = self.origins.keys().copied();
        scenes.zip(recordings(&origins)).collect()
    }

    /// Of how many recordings the scenes are that a planner has driven.
    fn recordings_of(&self, planner: usize) -> usize {
        let recordings = self.recordings();
        let found = self.of(planner).map(|line| recordings.get(&line.scene));
        found.collect::<BTreeSet<_>>().len()
    }

    /// What drives add, summed up by the recordings of their scenes.
    fn by_recording<S: Default>(
        &self,
        parts: impl Iterator<Item = (usize, S)>,
        add: impl Fn(&mut S, S),
    ) -> Vec<S> {
        let recordings = self.recordings();
        let mut sums: BTreeMap<Option<&usize>, S> = BTreeMap::new();
        for (scene, part) in parts {
            add(sums.entry(recordings.get(&scene)).or_default(), part);
        }
        sums.into_values().collect()
    }

    fn pooled(&self, planner: usize, column: &Column) -> (Option<f64>, Option<Interval>) {
        let parts = self.of(planner);
        let parts = parts.map(|line| (line.scene, (column.of)(&line.report)));
        let parts: Vec<Ratio> = self.by_recording(parts, |sum, part| *sum += part);
        let value = |drawn: &[&Ratio]| {
            let pooled = Ratio::pooled(drawn.iter().copied()).value()?;
            Some(column.factor * pooled)
        };
        let all: Vec<&Ratio> = parts.iter().collect();
        (value(&all), bootstrap_of(&parts, self.seed, value))
    }

    /// The first planner's value less another's over the scenes that both have driven, with how many these are.
    fn difference(&self, other: usize, column: &Column) -> Option<(f64, Option<Interval>)> {
        let pairs = self
            .of(0)
            .filter_map(|line| {
                let theirs = self.of(other).find(|theirs| theirs.scene == line.scene)?;
                let pair = ((column.of)(&line.report), (column.of)(&theirs.report));
                Some((line.scene, pair))
            })
            // what one of the two lacks says nothing of their difference
            .filter(|(_, (own, theirs))| own.count > 0.0 && theirs.count > 0.0);
        let pairs: Vec<(Ratio, Ratio)> = self.by_recording(pairs, |sum, pair| {
            sum.0 += pair.0;
            sum.1 += pair.1;
        });
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
                "recordings": self.recordings_of(planner),
                "replan_hz": rounded(self.replan_hz),
            });
            let mut intervals = json!({ "level": 0.95, "by": "recording" });
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
        found.insert("by".to_owned(), json!("recording"));
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
            in_hz(self.replan_hz),
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
            // the contact that the outcome is of
            let contact = report
                .touch()
                .map_or_else(|| "-".to_owned(), |touch| format!("{:.1} s", touch.time_s));
            let fault = match report.touch().map(|touch| touch.at_fault) {
                None => "-",
                Some(true) => "ego",
                Some(false) => "other",
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
        let (scenes, recordings) = (self.lines.len(), self.recordings_of(0));
        let _infallible = writeln!(
            out,
            "\nover {scenes} scenes of {recordings} recordings, 95 % interval by recording"
        );
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
                "\n{first} less {other_name}, scenes that both have driven, 95 % interval by recording"
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::{ComfortLimit, Touch};
    use crate::scene::{AgentId, SWEPT, Scene};

    fn touch(time_s: f64, at_fault: bool) -> Touch {
        Touch {
            with: AgentId::new("other"),
            time_s,
            at_fault,
            closing_mps: 3.0,
            reason: String::new(),
        }
    }

    fn report(contacts: Vec<Touch>) -> Report {
        Report {
            seconds: 8.0,
            contacts,
            encounters: Vec::new(),
            off_road_s: None,
            progress_m: 40.0,
            logged_m: Some(80.0),
            comfort: std::array::from_fn(|_| ComfortLimit {
                what: "yaw rate",
                range: [-1.0, 1.0],
                unit: "rad/s",
                value: 0.0,
                step: 0,
                values: Vec::new(),
            }),
            shift: Ratio::default(),
            alike: Ratio::default(),
            score: None,
        }
    }

    /// One planner's drives of cases of the log "left turn", and of scenes that nobody made, by their names.
    fn table(reports: Vec<(&str, Report)>) -> Table {
        let mut table = Table {
            names: vec![(Decoder::Idm, "idm".to_owned())],
            world: DriveWorld::default(),
            seed: Seed(1),
            replan_hz: 1.0 / 0.3,
            lines: Vec::new(),
            origins: BTreeMap::new(),
        };
        for (number, (name, report)) in reports.into_iter().enumerate() {
            let mut scene = Scene {
                name: name.to_owned(),
                ..Scene::default()
            };
            if name == "left turn" {
                let swept = number.into();
                scene.extra.insert(SWEPT.to_owned(), swept);
            }
            table.origins.insert(number, Origin::of(&scene));
            table.lines.push(Line {
                scene: number,
                name: name.to_owned(),
                planner: 0,
                report,
            });
        }
        table
    }

    #[test]
    fn the_table_tells_of_the_contact_that_the_outcome_is_of() {
        let blamed = report(vec![touch(2.8, false), touch(3.6, true)]);
        assert_eq!(blamed.outcome(), DriveOutcome::AtFault(3.6));
        let text = table(vec![("merge", blamed)]).text();
        let line = text.lines().find(|line| line.starts_with("merge"));
        let words: Vec<&str> = line.unwrap().split_whitespace().collect();
        assert_eq!(words[1..5], ["8.0", "3.6", "s", "ego"], "{text}");
        let hit = report(vec![touch(2.8, false), touch(3.6, false)]);
        let text = table(vec![("merge", hit)]).text();
        assert!(text.contains(" 2.8 s    other"), "{text}");
    }

    #[test]
    fn scenes_of_one_recording_are_drawn_together() {
        let (clear, hit) = (report(Vec::new()), report(vec![touch(1.0, true)]));
        let cases = table(vec![
            ("left turn", clear.clone()),
            ("left turn", hit.clone()),
        ]);
        let row = &cases.json()["rows"][0];
        assert_eq!(
            (&row["scenes"], &row["recordings"], &row["collision_pct"]),
            (&2.into(), &1.into(), &50.0.into())
        );
        // one recording alone says nothing about others
        assert!(row["interval"]["collision_pct"].is_null());
        let logs = table(vec![("merge", clear.clone()), ("merge", hit)]);
        let row = &logs.json()["rows"][0];
        assert_eq!(row["recordings"], 2);
        assert_eq!(row["interval"]["collision_pct"], json!([0.0, 100.0]));
        // of cases as like as twins the mean is as sure as of one: both recordings have 0.5
        let twice = table(vec![("left turn", clear.clone()), ("merge", clear)]);
        let row = &twice.json()["rows"][0];
        assert_eq!(row["interval"]["progress_pct"], json!([50.0, 50.0]));
    }

    #[test]
    fn the_rate_is_the_one_that_was_driven() {
        let table = table(vec![("merge", report(Vec::new()))]);
        assert!(table.text().contains(", 3.33 plans a second"));
        assert_eq!(table.json()["rows"][0]["replan_hz"], 3.3333); // 1 / 0.3 s
    }
}
