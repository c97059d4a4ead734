//! Futures of the ego that somebody else's planner has written into a file: CSV with a header line, or JSON.
//!
//! CSV has columns `x` and `y` (m), and may have `t` (seconds after the moment the plan begins; 0.5 s apart from 0.5 s on if
//! absent) or `time_s` (scene time), `heading` (rad), beside it `speed` (m/s), `mode` (any word; rows of one word are one mode) and
//! `probability`. JSON is the answer of a planner as `nearmiss serve --help` describes it, which is also what `nearmiss plan
//! --json` prints, or its points alone: `[[x, y], ..]`, or a list of such lists. `now_s` says at which scene time a
//! plan begins.

use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::recorded::table::{Table, number_in, text_in};
use crate::scene::in_words;

/// Largest file, and what is looked at to tell whether it is one, bytes.
const MOST_BYTES: u64 = 16 << 20;
const HEAD_BYTES: u64 = 16 << 10;
/// Modes and points of each, at most.
const MOST_MODES: usize = 64;
const MOST_POINTS: usize = 1000;
/// Seconds between points where no time is given.
const USUAL_STEP_S: f64 = 0.5;
/// Seconds between points where theirs are uneven.
const EVEN_STEP_S: f64 = 0.1;
/// Seconds of a plan.
const HORIZON_S: f64 = 8.0;

/// Futures as a file holds them.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanFile {
    /// Points are in the ego's frame at the moment planned, not in the scene's.
    in_ego_frame: bool,
    /// Scene time from which times count, if the file says so.
    from_s: Option<f64>,
    modes: Vec<WrittenMode>,
}

#[derive(Debug, Clone, PartialEq)]
struct WrittenMode {
    probability: Option<f64>,
    /// In ascending time.
    points: Vec<WrittenPoint>,
}

#[derive(Debug, Clone, PartialEq)]
struct WrittenPoint {
    time_s: f64,
    /// x, y, perhaps heading, perhaps speed.
    numbers: Vec<f64>,
}

/// The name of a scene as part of a file's: letters that are not of words (`-_.` apart) become hyphens.
pub fn file_name(name: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    name.chars()
        .map(|letter| if plain(letter) { letter } else { '-' })
        .collect()
}

/// Whether a path is named like such a file.
pub fn is_plan_file_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        extension.eq_ignore_ascii_case("csv") || extension.eq_ignore_ascii_case("json")
    })
}

/// Whether a file holds futures, by its name and its first bytes: a JSON list, or an object with `modes` that is no scene; a
/// CSV header with places that names nobody.
pub fn holds_plan(path: &Path) -> bool {
    let head = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?
            .take(HEAD_BYTES)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let Some(head) = head().ok().filter(|_| is_plan_file_name(path)) else {
        return false;
    };
    let text = String::from_utf8_lossy(&head);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    match start.chars().next() {
        Some('[') => true,
        Some('{') => start.contains("\"modes\"") && !start.contains("\"format\""),
        _ => {
            let header = Table::new(text.as_bytes()).header;
            let known = |name: &str| {
                header
                    .iter()
                    .any(|column| column.eq_ignore_ascii_case(name))
            };
            let names_somebody = ["track_id", "trackId", "id", "agent"]
                .into_iter()
                .any(known);
            known("x") && known("y") && !names_somebody
        }
    }
}

impl PlanFile {
    /// Reads a file.
    ///
    /// # Errors
    /// A sentence that names the file, the element and its value.
    pub fn read(path: &Path) -> Result<Self, String> {
        let at = |problem: String| format!("{}: {problem}", path.display());
        let facts = std::fs::metadata(path).map_err(|error| at(in_words(&error)))?;
        if !facts.is_file() || facts.len() > MOST_BYTES {
            let size = facts.len();
            return Err(at(format!(
                "{size} bytes are no plan; {MOST_BYTES} are possible"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| at(in_words(&error)))?;
        let start = text.trim_start_matches('\u{feff}').trim_start();
        let read = if start.starts_with(['{', '[']) {
            from_json(start)
        } else {
            from_csv(&text)
        };
        read.and_then(Self::checked).map_err(at)
    }

    fn checked(self) -> Result<Self, String> {
        if !(1..=MOST_MODES).contains(&self.modes.len()) {
            let count = self.modes.len();
            return Err(format!(
                "it holds {count} modes; 1 to {MOST_MODES} are possible"
            ));
        }
        for (number, mode) in self.modes.iter().enumerate() {
            if !(1..=MOST_POINTS).contains(&mode.points.len()) {
                let count = mode.points.len();
                return Err(format!(
                    "mode {} has {count} points; 1 to {MOST_POINTS} are possible",
                    number + 1
                ));
            }
            let twice = mode
                .points
                .windows(2)
                .find(|pair| pair[1].time_s - pair[0].time_s < 1e-3);
            if let Some(pair) = twice {
                return Err(format!(
                    "mode {} has two points at {} s",
                    number + 1,
                    pair[0].time_s
                ));
            }
        }
        Ok(self)
    }

    /// The file as a planner's answer at scene time `now_s`: what of it lies later, at equal steps. Where times are uneven, or
    /// lie between the steps from there on, places are read off the straight lines between them every tenth of a second, and
    /// headings and speeds follow from the way; up to the first
    /// point that way begins at `place`, where the ego is then (scene frame). Its times count from `else_from_s` where it does
    /// not say from when.
    ///
    /// # Errors
    /// A sentence if it ends before, or is in the ego's frame at another moment.
    pub fn answer(
        &self,
        now_s: f64,
        else_from_s: f64,
        place: Option<[f64; 2]>,
    ) -> Result<String, String> {
        let from_s = self.from_s.unwrap_or(else_from_s);
        let past_s = now_s - from_s;
        if self.in_ego_frame && past_s.abs() > 0.05 {
            return Err(format!(
                "its points are in the ego's frame at {from_s:.2} s, and {now_s:.2} s is planned"
            ));
        }
        let ahead: Vec<Vec<WrittenPoint>> = self
            .modes
            .iter()
            .map(|mode| shifted(&mode.points, past_s))
            .collect();
        if ahead.iter().any(|points| last_s(points) <= 1e-3) {
            let end_s = self.modes.iter().map(|mode| last_s(&mode.points));
            let end_s = end_s.fold(f64::INFINITY, f64::min) + from_s;
            return Err(format!(
                "a mode of it ends at {end_s:.2} s, and {now_s:.2} s is planned"
            ));
        }
        let step_s = ahead
            .iter()
            .map(|points| even_step(later(points)))
            .reduce(|a, b| a.filter(|a| b.is_some_and(|b| (a - b).abs() < 1e-6)))
            .flatten();
        let place = match self.in_ego_frame {
            true => Some([0.0; 2]),
            false => place,
        };
        let modes = self.modes.iter().zip(&ahead).map(|(mode, points)| {
            let points: Vec<Vec<f64>> = match step_s {
                Some(_) => later(points)
                    .iter()
                    .map(|point| point.numbers.clone())
                    .collect(),
                None => evenly(points, place),
            };
            json!({ "probability": mode.probability.unwrap_or(1.0), "points": points })
        });
        let modes: Vec<Value> = modes.collect();
        Ok(json!({
            "frame": if self.in_ego_frame { "ego" } else { "scene" },
            "dt_s": step_s.unwrap_or(EVEN_STEP_S),
            "modes": modes,
        })
        .to_string())
    }
}

fn last_s(points: &[WrittenPoint]) -> f64 {
    points
        .last()
        .map_or(f64::NEG_INFINITY, |point| point.time_s)
}

/// The same points with times counted from `past_s` later.
fn shifted(points: &[WrittenPoint], past_s: f64) -> Vec<WrittenPoint> {
    let later = points.iter().map(|point| WrittenPoint {
        time_s: point.time_s - past_s,
        numbers: point.numbers.clone(),
    });
    later.collect()
}

/// Those after the moment that times count from.
fn later(points: &[WrittenPoint]) -> &[WrittenPoint] {
    &points[points.partition_point(|point| point.time_s < 1e-3)..]
}

/// The step if points lie at one, two, three, ... of it.
fn even_step(points: &[WrittenPoint]) -> Option<f64> {
    let step_s = points.first()?.time_s;
    let even = points
        .iter()
        .enumerate()
        .all(|(index, point)| (point.time_s - step_s * (index + 1) as f64).abs() < 1e-3);
    (even && (0.01..=2.0).contains(&step_s)).then_some(step_s)
}

/// Places every tenth of a second on the straight lines between the points, from the first tenth on; before them lies
/// `place` at time 0.
fn evenly(points: &[WrittenPoint], place: Option<[f64; 2]>) -> Vec<Vec<f64>> {
    let is_late = points.first().is_some_and(|first| first.time_s > 1e-3);
    let start = place.filter(|_| is_late).map(|place| WrittenPoint {
        time_s: 0.0,
        numbers: place.to_vec(),
    });
    let points: Vec<&WrittenPoint> = start.iter().chain(points).collect();
    let place = |time_s: f64| -> Vec<f64> {
        let after = points.partition_point(|point| point.time_s < time_s);
        let from = after.saturating_sub(1).min(points.len().saturating_sub(2));
        let (a, b) = (points[from], points[(from + 1).min(points.len() - 1)]);
        let span_s = b.time_s - a.time_s;
        let share = if span_s > 0.0 {
            (time_s - a.time_s) / span_s
        } else {
            0.0
        };
        [0, 1]
            .map(|axis| a.numbers[axis] + share * (b.numbers[axis] - a.numbers[axis]))
            .to_vec()
    };
    let last_s = points.last().map_or(0.0, |point| point.time_s);
    let end_s = last_s.min(HORIZON_S + EVEN_STEP_S);
    let count = ((end_s / EVEN_STEP_S + 1e-6).floor() as usize).max(1);
    (1..=count)
        .map(|step| place(step as f64 * EVEN_STEP_S))
        .collect()
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    frame: Option<String>,
    dt_s: Option<f64>,
    now_s: Option<f64>,
    modes: Vec<AnswerMode>,
}

#[derive(Deserialize)]
struct AnswerMode {
    probability: Option<f64>,
    points: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bare {
    One(Vec<Vec<f64>>),
    Several(Vec<Vec<Vec<f64>>>),
}

fn from_json(text: &str) -> Result<PlanFile, String> {
    let answer = if text.starts_with('[') {
        let bare: Bare = serde_json::from_str(text).map_err(|_| {
            "a list must hold points, [x, y] to [x, y, heading, speed], or lists of points"
                .to_owned()
        })?;
        let several = match bare {
            Bare::One(points) => vec![points],
            Bare::Several(modes) => modes,
        };
        let modes = several.into_iter().map(|points| AnswerMode {
            probability: None,
            points,
        });
        Answer {
            frame: None,
            dt_s: None,
            now_s: None,
            modes: modes.collect(),
        }
    } else {
        let mut reader = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| error.to_string())?
    };
    let in_ego_frame = match answer.frame.as_deref() {
        None | Some("scene") => false,
        Some("ego") => true,
        Some(other) => return Err(format!("frame is {other:?}; scene and ego are possible")),
    };
    let step_s = answer.dt_s.unwrap_or(USUAL_STEP_S);
    if !(step_s > 0.0 && step_s.is_finite()) {
        return Err(format!("dt_s is {step_s}; it must be more than 0"));
    }
    let mut modes = Vec::new();
    for (number, mode) in answer.modes.into_iter().enumerate() {
        let mut points = Vec::new();
        for (index, numbers) in mode.points.into_iter().enumerate() {
            if !(2..=4).contains(&numbers.len()) {
                return Err(format!(
                    "modes[{number}].points[{index}] has {} numbers; it must be [x, y], [x, y, heading] or [x, y, heading, speed]",
                    numbers.len()
                ));
            }
            points.push(WrittenPoint {
                time_s: (index + 1) as f64 * step_s,
                numbers,
            });
        }
        modes.push(WrittenMode {
            probability: mode.probability,
            points,
        });
    }
    Ok(PlanFile {
        in_ego_frame,
        from_s: answer.now_s,
        modes,
    })
}

fn from_csv(text: &str) -> Result<PlanFile, String> {
    let mut table = Table::new(text.as_bytes());
    let column = |names: &[&str]| {
        let known = table.header.iter();
        known
            .clone()
            .position(|name| names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)))
    };
    let (Some(x), Some(y)) = (column(&["x"]), column(&["y"])) else {
        return Err(format!(
            "the header is {:?}; columns x and y are needed, and t, time_s, heading, speed, mode and probability are known",
            table.header.join(",")
        ));
    };
    let (after, at) = (column(&["t"]), column(&["time_s"]));
    let (heading, speed) = (column(&["heading", "yaw"]), column(&["speed", "v"]));
    if speed.is_some() && heading.is_none() {
        return Err(
            "it has a column speed but none called heading; add one, or leave speed out: both follow from the way"
                .to_owned(),
        );
    }
    let (word, share) = (column(&["mode"]), column(&["probability"]));
    let mut names: Vec<String> = Vec::new();
    let mut modes: Vec<WrittenMode> = Vec::new();
    let mut row = 1;
    while let Some(record) = table.next_record() {
        row += 1;
        if record.iter().all(|field| field.trim_ascii().is_empty()) {
            continue;
        }
        let number = |column: usize, name: &str| {
            number_in(record, column).ok_or_else(|| {
                let found = text_in(record, column).unwrap_or_default();
                format!("line {row}: {name} is {found:?}; a number is needed")
            })
        };
        let name = word
            .and_then(|column| text_in(record, column))
            .unwrap_or_default();
        let known = names.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            names.push(name.to_owned());
            modes.push(WrittenMode {
                probability: None,
                points: Vec::new(),
            });
            modes.len() - 1
        });
        if modes.len() > MOST_MODES {
            return Err(format!(
                "line {row}: the {}th mode; {MOST_MODES} are possible",
                modes.len()
            ));
        }
        let mode = &mut modes[index];
        if let Some(share) = share {
            mode.probability = Some(number(share, "probability")?);
        }
        let mut numbers = vec![number(x, "x")?, number(y, "y")?];
        if let Some(heading) = heading {
            numbers.push(number(heading, "heading")?);
            if let Some(speed) = speed {
                numbers.push(number(speed, "speed")?);
            }
        }
        let time_s = match (at, after) {
            (Some(at), _) => number(at, "time_s")?,
            (None, Some(after)) => number(after, "t")?,
            (None, None) => (mode.points.len() + 1) as f64 * USUAL_STEP_S,
        };
        mode.points.push(WrittenPoint { time_s, numbers });
    }
    if let Some(why) = table.broken_off() {
        return Err(why.to_owned());
    }
    for mode in &mut modes {
        mode.points.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
    }
    Ok(PlanFile {
        in_ego_frame: false,
        from_s: at.map(|_| 0.0),
        modes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(file: &PlanFile, now_s: f64) -> (f64, Vec<Vec<Vec<f64>>>) {
        let answer: Answer =
            serde_json::from_str(&file.answer(now_s, now_s, None).unwrap()).unwrap();
        let modes = answer.modes.into_iter().map(|mode| mode.points);
        (answer.dt_s.unwrap(), modes.collect())
    }

    #[test]
    fn rows_of_one_word_are_one_mode_in_the_order_of_their_times() {
        let text = "mode,t,x,y,probability\nb,1.0,2,0,0.25\na,0.5,5,1,0.75\nb,0.5,1,0,0.25\na,1.0,9,1,0.75\na,0,0,0,0.75\n";
        let file = from_csv(text).and_then(PlanFile::checked).unwrap();
        let (step_s, modes) = points(&file, 7.0);
        assert_eq!(step_s, 0.5);
        assert_eq!(modes[0], [[1.0, 0.0], [2.0, 0.0]]);
        assert_eq!(modes[1], [[5.0, 1.0], [9.0, 1.0]]);
    }

    #[test]
    fn scene_times_leave_what_lies_ahead_at_equal_steps() {
        // 2 m a second from 1 s on; at 1.7 s the next tenths are at 1.6, 1.8, ... m
        let text = "time_s,x,y\n1,0,3\n2,2,3\n3,4,3\n";
        let file = from_csv(text).and_then(PlanFile::checked).unwrap();
        let (step_s, modes) = points(&file, 1.7);
        assert_eq!((step_s, modes[0].len()), (0.1, 13));
        assert!((modes[0][0][0] - 1.6).abs() < 1e-9 && (modes[0][12][0] - 4.0).abs() < 1e-9);
        assert!(
            file.answer(3.0, 3.0, None)
                .unwrap_err()
                .contains("ends at 3.00 s")
        );
    }

    #[test]
    fn uneven_points_are_reached_from_where_the_ego_is() {
        // 4 m in the first second, 12 m in the next two
        let text = "t,x,y\n1,14,3\n3,26,3\n";
        let file = from_csv(text).and_then(PlanFile::checked).unwrap();
        let answer = file.answer(5.0, 5.0, Some([10.0, 3.0])).unwrap();
        let answer: Answer = serde_json::from_str(&answer).unwrap();
        let x = |step: usize| answer.modes[0].points[step - 1][0];
        assert!((x(1) - 10.4).abs() < 1e-9 && (x(5) - 12.0).abs() < 1e-9);
        assert!((x(10) - 14.0).abs() < 1e-9 && (x(20) - 20.0).abs() < 1e-9);
        // from a point that lies at the present or before nothing is put before
        let text = "t,x,y\n0,10,3\n1,14,3\n3,26,3\n";
        let file = from_csv(text).and_then(PlanFile::checked).unwrap();
        let later = file.answer(5.5, 5.0, Some([0.0, 0.0])).unwrap();
        let later: Answer = serde_json::from_str(&later).unwrap();
        assert!((later.modes[0].points[0][0] - 12.4).abs() < 1e-9);
    }

    #[test]
    fn lists_objects_and_written_plans_are_read() {
        let one = from_json("[[1,2],[3,4,0.1,2]]").unwrap();
        assert_eq!(
            points(&one, 0.0),
            (0.5, vec![vec![vec![1.0, 2.0], vec![3.0, 4.0, 0.1, 2.0]]])
        );
        let two = from_json("[[[1,2]],[[3,4]]]").unwrap();
        assert_eq!(points(&two, 0.0).1.len(), 2);
        let plan = r#"{"ego":"e","now_s":2.0,"modes":[{"probability":1,"points":[[1,2,0,3]]}]}"#;
        let plan = from_json(plan).unwrap();
        assert_eq!(points(&plan, 2.0).1[0].len(), 1);
        assert!(
            plan.answer(2.6, 0.0, None)
                .unwrap_err()
                .contains("ends at 2.50 s")
        );
        let ego = from_json(r#"{"frame":"ego","now_s":2.0,"modes":[{"points":[[1,0],[2,0]]}]}"#);
        assert!(
            ego.unwrap()
                .answer(2.5, 2.5, None)
                .unwrap_err()
                .contains("ego's frame")
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |text: &str| {
            let read = if text.starts_with(['{', '[']) {
                from_json(text)
            } else {
                from_csv(text)
            };
            read.and_then(PlanFile::checked).unwrap_err()
        };
        assert!(said("a,b\n1,2\n").contains("columns x and y"));
        assert!(said("x,y\n1,2\n3,nan\n").contains("line 3: y is \"nan\""));
        assert!(said("x,y,speed\n1,2,3\n").contains("none called heading"));
        assert!(said("x,y\n").contains("0 modes"));
        assert!(said("t,x,y\n1,0,0\n1,2,0\n").contains("two points at 1 s"));
        assert!(said("[[1]]").contains("points[0] has 1 numbers"));
        assert!(said("[1, 2]").contains("a list must hold points"));
        assert!(said(r#"{"modes":[{"points":[["a",2]]}]}"#).contains("modes[0].points[0][0]"));
        assert!(said(r#"{"dt_s":0,"modes":[]}"#).contains("dt_s is 0"));
        assert!(said(r#"{"frame":"map","modes":[]}"#).contains("frame is"));
    }
}
