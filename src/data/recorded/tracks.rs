//! From rows to agents on the frames of a scene.

use std::collections::BTreeMap;
use std::path::Path;

use super::Dialect;
use super::highway;
use super::meta::Meta;
use super::rows::{Named, Row, Rows};
use crate::data::OpenError;
use crate::data::draft::{Draft, fill_motion, median};
use crate::data::report::Report;
use crate::scene::{Agent, AgentKind, State, Track};

/// Median speed above which somebody of whom the file says "pedestrian/bicycle" rides, m/s: people walk at 1 to 2.
const RIDING_MPS: f64 = 2.5;

/// The agents of a scene with its clock.
#[derive(Debug)]
pub(super) struct Traffic {
    /// In file order.
    pub(super) agents: Vec<Agent>,
    /// Time between frames, s.
    pub(super) dt_s: f64,
    /// Number of frames.
    pub(super) frames: usize,
    /// Time of frame 0 in the recording, s.
    pub(super) start_s: f64,
}

/// Puts rows, of which there is at least one, on frames.
pub(super) fn traffic(
    rows: &Rows,
    meta: &Meta,
    dialect: Dialect,
    path: &Path,
    report: &mut Report,
) -> Result<Traffic, OpenError> {
    let none = (f64::INFINITY, f64::NEG_INFINITY);
    let (start_s, end_s) = rows.rows.iter().fold(none, |(low, high), row| {
        (low.min(row.time_s), high.max(row.time_s))
    });
    let dt_s = meta.dt_s(dialect).unwrap_or_else(|| usual_step(&rows.rows));
    let frames = (((end_s - start_s) / dt_s).round() as usize).saturating_add(1);
    let is_between = |row: &&Row| {
        let frame = (row.time_s - start_s) / dt_s;
        (frame - frame.round()).abs() > 0.1
    };
    let between = rows.rows.iter().filter(is_between).count();
    if between > 0 {
        let message = format!("rows lie between frames {dt_s} s apart; moved to the nearest one");
        report.problem("time", between, message);
    }
    let mut by_track: BTreeMap<usize, Vec<&Row>> = BTreeMap::new();
    for row in &rows.rows {
        by_track.entry(row.who).or_default().push(row);
    }
    Draft::check_size(path, by_track.len(), frames)?;
    let mut maker = Maker {
        meta,
        dialect,
        start_s,
        dt_s,
        frames,
        told: Told::default(),
    };
    let mut agents = Vec::with_capacity(by_track.len());
    for (who, track) in by_track {
        if let Some(named) = rows.tracks.get(who) {
            agents.push(maker.agent(named, &track));
        }
    }
    maker.told.report(report);
    Ok(Traffic {
        agents,
        dt_s,
        frames,
        start_s,
    })
}

/// The usual distance of the times that occur, s.
fn usual_step(rows: &[Row]) -> f64 {
    let mut times: Vec<f64> = rows.iter().map(|row| row.time_s).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
    // to a tenth of a millisecond: quotients of decimal numbers are a little off
    median(steps).map_or(0.1, |step| ((step * 1e4).round() / 1e4).max(1e-3))
}

struct Maker<'a> {
    meta: &'a Meta,
    dialect: Dialect,
    start_s: f64,
    dt_s: f64,
    frames: usize,
    told: Told,
}

/// What is counted for the report.
#[derive(Debug, Default)]
struct Told {
    repeated: usize,
    without_motion: usize,
    without_size: usize,
    walking: usize,
    riding: usize,
    strange: BTreeMap<String, usize>,
}

/// What the file's word says of the kind.
enum Class {
    Known(AgentKind),
    /// Somebody on foot or on a bicycle.
    Either,
    Strange,
    Missing,
}

fn class_of(word: &str) -> Class {
    match word {
        "car" | "van" | "truck" | "bus" | "truck_bus" | "trailer" | "vehicle" | "tram" => {
            Class::Known(AgentKind::Vehicle)
        }
        "motorcycle" | "motorcyclist" | "bicycle" | "cyclist" => Class::Known(AgentKind::Cyclist),
        "pedestrian" => Class::Known(AgentKind::Pedestrian),
        "animal" => Class::Known(AgentKind::Other),
        "pedestrian/bicycle" => Class::Either,
        "" => Class::Missing,
        _ => Class::Strange,
    }
}

impl Maker<'_> {
    fn agent(&mut self, named: &Named, rows: &[&Row]) -> Agent {
        let known = self.meta.tracks.get(&named.id);
        let road = known.and_then(|track| track.heading);
        let word = known.map_or(named.class.as_str(), |track| track.class.as_str());
        let word = word.to_lowercase();
        let lengths = rows.iter().map(|row| row.values.length);
        let widths = rows.iter().map(|row| row.values.width);
        // people have no box: their sizes are zero
        let length = median(lengths.filter(|size| *size > 0.0));
        let width = median(widths.filter(|size| *size > 0.0));
        // and where their headings are zero throughout, nobody has measured them
        let is_turned = length.is_some() || rows.iter().any(|row| row.values.heading != 0.0);
        let mut states: Vec<Option<State>> = vec![None; self.frames];
        let mut without_motion = 0;
        for row in rows {
            let frame = ((row.time_s - self.start_s) / self.dt_s).round() as usize;
            let Some(slot) = states.get_mut(frame) else {
                continue;
            };
            if slot.is_some() {
                self.told.repeated += 1;
                continue;
            }
            let values = &row.values;
            let heading = match self.dialect {
                Dialect::HighD => highway::heading(road, values.velocity),
                Dialect::LevelX if !is_turned => f64::NAN,
                Dialect::Interaction | Dialect::LevelX => values.heading,
            };
            let state = State {
                position: values.position,
                heading,
                velocity: values.velocity,
            };
            without_motion += usize::from(!state.is_finite());
            *slot = Some(state);
        }
        let mut track = Track::new(states);
        fill_motion(&mut track, self.dt_s);
        let kind = self.kind(&word, length.is_some(), &track);
        if kind == AgentKind::Vehicle {
            self.told.without_motion += without_motion;
            self.told.without_size += usize::from(length.is_none() || width.is_none());
        }
        let mut agent = Agent::new(&named.id, kind, track);
        agent.length = length.unwrap_or(agent.length);
        agent.width = width.unwrap_or(agent.width);
        let is_finer = matches!(class_of(&word), Class::Known(_) | Class::Strange);
        agent.category = Some(word).filter(|word| is_finer && word != kind.word());
        agent
    }

    fn kind(&mut self, word: &str, has_size: bool, track: &Track) -> AgentKind {
        match class_of(word) {
            Class::Known(kind) => kind,
            Class::Strange => {
                *self.told.strange.entry(word.to_owned()).or_default() += 1;
                AgentKind::Vehicle
            }
            Class::Missing if has_size => AgentKind::Vehicle,
            Class::Missing | Class::Either => {
                let speed = median(track.valid().map(|(_, state)| state.speed()));
                if speed.is_some_and(|speed| speed > RIDING_MPS) {
                    self.told.riding += 1;
                    AgentKind::Cyclist
                } else {
                    self.told.walking += 1;
                    AgentKind::Pedestrian
                }
            }
        }
    }
}

impl Told {
    fn report(self, report: &mut Report) {
        report.skip_many(
            "rows of a track and time that were there already",
            self.repeated,
        );
        if self.without_motion > 0 {
            let states = match self.without_motion {
                1 => "1 state of a vehicle has no heading or velocity in the file; they follow"
                    .to_owned(),
                some => format!(
                    "{some} states of vehicles have no heading or velocity in the file; they follow"
                ),
            };
            report.note(format!("{states} from the positions"));
        }
        if self.without_size > 0 {
            report.note(match self.without_size {
                1 => "1 vehicle has no size in the file; it is given the usual one".to_owned(),
                some => format!(
                    "{some} vehicles have no size in the file; they are given the usual one"
                ),
            });
        }
        if self.walking + self.riding > 0 {
            report.note(format!(
                "{} are pedestrians or cyclists by their speed: {} of a median above {RIDING_MPS} m/s ride, {} walk",
                self.walking + self.riding,
                self.riding,
                self.walking
            ));
        }
        for (word, count) in self.strange {
            report.problem(
                format!("class {word}"),
                format!("{count} agents"),
                "is not known; taken as vehicles",
            );
        }
    }
}
