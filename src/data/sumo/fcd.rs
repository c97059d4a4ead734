//! SUMO's floating car data: every time step with the vehicles and persons in it, read as a stream.
//!
//! The file gives the middle of the front bumper and the heading clockwise from north; agents get the centre of
//! their box and the heading counter-clockwise from east. Persons inside vehicles are left out.

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::data::draft::{MAX_AGENTS, MAX_CELLS, MAX_FRAMES, point};
use crate::data::report::Report;
use crate::data::window::{Span, WHOLE_S};
use crate::data::xml::{Element, XmlError, XmlReader, number};
use crate::geometry::{DVec2, Pose, lerp_angle};
use crate::scene::{Agent, State, Track};

use super::net::Net;
use super::types::Types;

/// Most rows (vehicles times steps) read into one scene.
const MAX_ROWS: usize = 3_000_000;

/// Coarsest time between frames, s; coarser files are interpolated.
const MAX_DT_S: f64 = 0.5;

/// The rows of a window.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Simulation times of the steps, s, rising.
    pub(super) times: Vec<f64>,
    people: Vec<Row>,
    names: Vec<String>,
    /// Whether the file goes on after the window.
    pub(super) goes_on: bool,
    breaks_off: Option<String>,
    /// The first `time` of a step that is none.
    pub(super) odd_time: Option<String>,
}

/// Seconds, or `[days:]hours:minutes:seconds` as SUMO writes them with `--human-readable-time`.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let parts = text.trim().split(':').map(number);
    let parts: Vec<f64> = parts.collect::<Option<_>>()?;
    match parts[..] {
        [seconds] => Some(seconds),
        [hours, minutes, seconds] => Some((hours * 60.0 + minutes) * 60.0 + seconds),
        [days, hours, minutes, seconds] => {
            Some(((days * 24.0 + hours) * 60.0 + minutes) * 60.0 + seconds)
        }
        _ => None,
    }
}

/// The time of a `timestep`, s.
pub(super) fn time_of(step: &Element) -> Option<f64> {
    step.attribute("time").and_then(seconds)
}

/// Who is where in one step.
#[derive(Debug, Clone)]
struct Row {
    /// Index into the times.
    step: u32,
    /// Index into the names.
    who: u32,
    front: DVec2,
    /// Heading, rad, where given.
    heading: Option<f64>,
    speed: Option<f64>,
    kind: u32,
    lane: u32,
    pos: f64,
}

/// Reads the window `span` (without one: everything up to [`WHOLE_S`] after the first vehicle).
pub(super) fn read_rows<R: BufRead>(
    xml: &mut XmlReader<R>,
    span: Option<Span>,
    report: &mut Report,
) -> Result<Rows, XmlError> {
    let mut rows = Rows::default();
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    let mut name = |names: &mut Vec<String>, text: &str| -> u32 {
        if let Some(&index) = known.get(text) {
            return index;
        }
        let index = names.len() as u32;
        names.push(text.to_owned());
        known.insert(text.to_owned(), index);
        index
    };
    let mut names = Vec::new();
    // index 0: no name
    name(&mut names, "");
    loop {
        let wanted = |child: &Element| {
            child.name == "timestep"
                && span.is_none_or(|span| {
                    // a step of no time is reported below
                    time_of(child).is_none_or(|time| time >= span.start - 1e-6)
                })
        };
        let step = match xml.next_child(wanted) {
            Ok(Some(step)) => step,
            Ok(None) => break,
            Err(error) if rows.people.is_empty() => return Err(error),
            Err(error) => {
                rows.breaks_off = Some(error.to_string());
                break;
            }
        };
        let Some(time) = time_of(&step) else {
            report.skip("time steps without a time");
            let written = step.attribute("time").unwrap_or_default();
            rows.odd_time.get_or_insert_with(|| written.to_owned());
            continue;
        };
        if rows.times.last().is_some_and(|last| time <= *last) {
            report.skip("time steps that go back in time");
            continue;
        }
        if rows.people.is_empty() && step.children.is_empty() && span.is_none() {
            continue;
        }
        let first = rows.times.first().copied().unwrap_or(time);
        let end = span.map_or(first + WHOLE_S, |span| span.end);
        if time > end + 1e-6 || rows.times.len() >= MAX_FRAMES {
            rows.goes_on = true;
            break;
        }
        if rows.people.len() + step.children.len() > MAX_ROWS || names.len() > 2 * MAX_AGENTS {
            report.note(format!(
                "the window ends at {time} s: more vehicles than the limit"
            ));
            rows.goes_on = true;
            break;
        }
        let index = rows.times.len() as u32;
        rows.times.push(time);
        let fronts: Vec<DVec2> = step.all("vehicle").filter_map(front_of).collect();
        for child in &step.children {
            let is_person = child.name == "person";
            if child.name != "vehicle" && !is_person {
                report.skip("containers and other things that are no vehicles");
                continue;
            }
            let (Some(id), Some(front)) = (child.attribute("id"), front_of(child)) else {
                report.skip("rows without id or position");
                continue;
            };
            let rides = child
                .attribute("vehicle")
                .is_some_and(|vehicle| !vehicle.is_empty());
            if is_person && (rides || fronts.iter().any(|other| other.distance(front) < 0.05)) {
                report.skip("rows of persons inside vehicles");
                continue;
            }
            let id = if is_person {
                format!("person {id}")
            } else {
                id.to_owned()
            };
            let usual = if is_person {
                "DEFAULT_PEDTYPE"
            } else {
                "DEFAULT_VEHTYPE"
            };
            rows.people.push(Row {
                step: index,
                who: name(&mut names, &id),
                front,
                heading: child
                    .number_attribute("angle")
                    .map(|degrees| std::f64::consts::FRAC_PI_2 - degrees.to_radians()),
                speed: child.number_attribute("speed"),
                kind: name(&mut names, child.attribute("type").unwrap_or(usual)),
                lane: child
                    .attribute("lane")
                    .map_or(0, |lane| name(&mut names, lane)),
                pos: child.number_attribute("pos").unwrap_or(f64::NAN),
            });
        }
    }
    rows.names = names;
    Ok(rows)
}

fn front_of(element: &Element) -> Option<DVec2> {
    let at = point(
        element.number_attribute("x")?,
        element.number_attribute("y")?,
    );
    at.is_finite().then_some(at)
}

impl Rows {
    /// True if nobody is in the window.
    pub(super) fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Where reading stopped early, and why.
    pub(super) fn broken_off(&self) -> Option<&str> {
        self.breaks_off.as_deref()
    }

    /// Keeps the first `length_s` seconds.
    pub(super) fn shorten(&mut self, length_s: f64) {
        let Some(first) = self.times.first().copied() else {
            return;
        };
        let kept = self
            .times
            .partition_point(|time| *time <= first + length_s + 1e-6);
        self.times.truncate(kept);
        self.people.retain(|row| (row.step as usize) < kept);
    }

    /// Names of some lanes on which vehicles are, to find their network by.
    pub(super) fn some_lanes(&self) -> Vec<&str> {
        let mut lanes: Vec<&str> = Vec::new();
        for row in &self.people {
            let lane = self.names[row.lane as usize].as_str();
            if !lane.is_empty() && !lanes.contains(&lane) {
                lanes.push(lane);
            }
            if lanes.len() >= 20 {
                break;
            }
        }
        lanes
    }

    /// Whether the positions are longitude and latitude: small numbers, far from where the lanes named are.
    pub(super) fn is_geographic(&self, net: &Net) -> bool {
        let mut checked = 0;
        let mut far = 0;
        for row in self.people.iter().take(2000) {
            let small = row.front.x.abs() <= 180.0 && row.front.y.abs() <= 90.0;
            if !small {
                return false;
            }
            if let Some(on_lane) = net.point_on(&self.names[row.lane as usize], row.pos) {
                checked += 1;
                far += usize::from(on_lane.distance(row.front) > 50.0);
            }
        }
        checked > 0 && far * 2 > checked
    }

    /// Somebody whose coordinates are degrees by how little they change at that speed: a metre is about 1e-5 of one. `None`
    /// where any coordinate is too large for that, somebody moves as in metres, or nobody drives on.
    pub(super) fn drives_in_degrees(&self) -> Option<String> {
        let mut last: BTreeMap<u32, &Row> = BTreeMap::new();
        let mut driver = None;
        for row in &self.people {
            let DVec2 { x, y } = row.front;
            if x.abs() > 180.0 || y.abs() > 90.0 {
                return None;
            }
            let (Some(before), Some(speed)) = (last.insert(row.who, row), row.speed) else {
                continue;
            };
            let time_s = self.times[row.step as usize] - self.times[before.step as usize];
            let driven = speed.min(before.speed.unwrap_or(0.0)) * time_s;
            if driven < 0.1 {
                continue;
            }
            if row.front.distance(before.front) > 1e-3 * driven {
                return None;
            }
            let who = &self.names[row.who as usize];
            driver.get_or_insert_with(|| format!("{who} at x = {x}, y = {y}, {speed} m/s"));
        }
        driver
    }

    /// Puts everybody where their lane and position on it say; those without are dropped.
    pub(super) fn place_on_lanes(&mut self, net: &Net, report: &mut Report) {
        let listed = self.people.len();
        let names = &self.names;
        self.people.retain_mut(|row| {
            let on_lane = net.point_on(&names[row.lane as usize], row.pos);
            row.front = on_lane.unwrap_or(row.front);
            on_lane.is_some()
        });
        report.note("positions are longitudes and latitudes; vehicles are placed by lane and position on it");
        report.skip_many(
            "rows off the lanes, in longitude and latitude",
            listed - self.people.len(),
        );
    }

    /// The time between frames, s: the usual distance of the steps.
    pub(super) fn dt_s(&self) -> f64 {
        let mut steps: Vec<f64> = self
            .times
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect();
        if steps.is_empty() {
            return 0.1;
        }
        steps.sort_by(f64::total_cmp);
        // to a tenth of a millisecond: times are printed with two or three digits
        ((steps[steps.len() / 2] * 1e4).round() / 1e4).max(1e-3)
    }

    /// Agents on frames `dt_s` apart, with that time and the number of frames.
    pub(super) fn agents(&self, types: &Types, report: &mut Report) -> (Vec<Agent>, f64, usize) {
        let dt_s = self.dt_s();
        let start = self.times.first().copied().unwrap_or(0.0);
        let frame_of = |time: f64| ((time - start) / dt_s).round() as usize;
        let frames = self.times.last().map_or(1, |last| frame_of(*last) + 1);
        let irregular = |time: &&f64| {
            let frames = (**time - start) / dt_s;
            (frames - frames.round()).abs() > 0.1
        };
        let off = self.times.iter().filter(irregular).count();
        if off > 0 {
            report.problem(
                "timestep",
                off,
                format!("steps are not {dt_s} s apart; moved to the nearest frame"),
            );
        }
        let mut by_agent: BTreeMap<u32, Vec<&Row>> = BTreeMap::new();
        for row in &self.people {
            by_agent.entry(row.who).or_default().push(row);
        }
        let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
        let mut agents = Vec::new();
        if by_agent.len().saturating_mul(frames) > MAX_CELLS {
            return (agents, dt_s, frames);
        }
        for (who, rows) in by_agent {
            let type_name = self.names[rows[0].kind as usize].as_str();
            let (found, described) = types.of(type_name);
            if !described && type_name != "DEFAULT_PEDTYPE" {
                *unknown.entry(type_name).or_default() += 1;
            }
            let track = track(&rows, found.length, frames, &|row| {
                frame_of(self.times[row.step as usize])
            });
            let mut agent = Agent::new(&self.names[who as usize], found.kind, track);
            agent.length = found.length;
            agent.width = found.width;
            agent.category = Some(found.class);
            agents.push(agent);
        }
        for (name, count) in unknown {
            report.problem(
                format!("vehicle type {name}"),
                format!("{count} vehicles"),
                "is described in no file beside; given the usual size of its class",
            );
        }
        refine(agents, dt_s, frames, report)
    }
}

/// The centres of the boxes.
fn track(rows: &[&Row], length: f64, frames: usize, frame_of: &dyn Fn(&Row) -> usize) -> Track {
    let mut states: Vec<Option<State>> = vec![None; frames];
    // where no angle is given, the rear end is pulled along behind the front (a tractrix)
    let mut rear: Option<DVec2> = None;
    for (index, row) in rows.iter().enumerate() {
        let pulled = || {
            let behind = rear.or_else(|| {
                let ahead = rows[index..]
                    .iter()
                    .find(|later| later.front.distance(row.front) > 0.5)?;
                Some(row.front - (ahead.front - row.front))
            })?;
            (row.front - behind).try_normalize().map(DVec2::to_angle)
        };
        let heading = row.heading.or_else(pulled).unwrap_or(0.0);
        let front = Pose::new(row.front, heading);
        rear = Some(front.outer_from_local(DVec2::new(-length, 0.0)));
        let centre = Pose {
            point: front.outer_from_local(DVec2::new(-length / 2.0, 0.0)),
            ..front
        };
        let speed = row.speed.unwrap_or(f64::NAN);
        if let Some(slot) = states.get_mut(frame_of(row)) {
            *slot = Some(State::along(centre, speed));
        }
    }
    Track::new(states)
}

/// Speeds where the file gives none, and frames between the steps where these are more than half a second apart.
fn refine(
    mut agents: Vec<Agent>,
    dt_s: f64,
    frames: usize,
    report: &mut Report,
) -> (Vec<Agent>, f64, usize) {
    for agent in &mut agents {
        for frame in 0..agent.track.states().len() {
            let state = agent.track.get(frame).copied();
            if let Some(state) = state.filter(|state| !state.velocity.is_finite()) {
                let velocity = agent.track.drift(frame, dt_s).unwrap_or(DVec2::ZERO);
                agent.track.set(frame, Some(State { velocity, ..state }));
            }
        }
    }
    let parts = (dt_s / MAX_DT_S - 1e-6).ceil().max(1.0) as usize;
    let finer = (frames - 1) * parts + 1;
    if parts == 1 || agents.len().saturating_mul(finer) > MAX_CELLS {
        return (agents, dt_s, frames);
    }
    report.note(format!(
        "steps are {dt_s} s apart; states between them are interpolated"
    ));
    for agent in &mut agents {
        let fine = (0..finer).map(|frame| {
            let (at, part) = (frame / parts, frame % parts);
            let before = agent.track.get(at).copied()?;
            if part == 0 {
                return Some(before);
            }
            let after = agent.track.get(at + 1).copied()?;
            Some(between(&before, &after, part as f64 / parts as f64, dt_s))
        });
        agent.track = Track::new(fine.collect());
    }
    (agents, dt_s / parts as f64, finer)
}

/// Cubic Hermite between two states `dt_s` apart.
fn between(before: &State, after: &State, t: f64, dt_s: f64) -> State {
    let (t2, t3) = (t * t, t * t * t);
    State {
        position: before.position * (2.0 * t3 - 3.0 * t2 + 1.0)
            + before.velocity * (dt_s * (t3 - 2.0 * t2 + t))
            + after.position * (3.0 * t2 - 2.0 * t3)
            + after.velocity * (dt_s * (t3 - t2)),
        heading: lerp_angle(before.heading, after.heading, t),
        velocity: before.velocity.lerp(after.velocity, t),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    fn agents(text: &str, types: &str) -> (Vec<Agent>, f64, usize, Report) {
        let mut report = Report::default();
        let mut xml = XmlReader::new(text.as_bytes(), 1 << 20);
        xml.root().unwrap();
        let rows = read_rows(&mut xml, None, &mut report).unwrap();
        let mut known = Types::default();
        known.read(types.as_bytes(), 1 << 20).unwrap();
        let (agents, dt_s, frames) = rows.agents(&known, &mut report);
        (agents, dt_s, frames, report)
    }

    #[test]
    fn the_front_bumper_is_half_a_length_ahead_of_the_centre() {
        let text = r#"<fcd-export><timestep time="7.00"/><timestep time="7.50">
            <vehicle id="v" x="10" y="20" angle="90" type="b" speed="4" pos="1" lane="e_0"/>
            <person id="v" x="5" y="6" angle="0" speed="1"/><person id="p" x="10" y="20" angle="90" speed="4"/></timestep>
            <timestep time="8.00"><vehicle id="v" x="12" y="20" angle="180" type="b" speed="4" pos="3" lane="e_0"/></timestep></fcd-export>"#;
        let (agents, dt_s, frames, report) = agents(
            text,
            "<routes><vType id='b' length='6' width='2'/></routes>",
        );
        assert_eq!((dt_s, frames, agents.len()), (0.5, 2, 2));
        let vehicle = agents
            .iter()
            .find(|agent| agent.id.as_str() == "v")
            .unwrap();
        // eastwards (90° from north): centre 3 m west of the bumper; southwards: 3 m north of it
        let at = |frame: usize| *vehicle.track.get(frame).unwrap();
        assert!(at(0).position.distance(dvec2(7.0, 20.0)) < 1e-9 && at(0).heading.abs() < 1e-9);
        assert!(at(1).position.distance(dvec2(12.0, 23.0)) < 1e-9);
        assert!(at(1).velocity.distance(dvec2(0.0, -4.0)) < 1e-9);
        assert_eq!(report.skipped["rows of persons inside vehicles"], 1);
    }

    #[test]
    fn one_second_steps_are_filled_in() {
        let text = r#"<fcd-export><timestep time="0"><vehicle id="v" x="0" y="0" angle="90" speed="10"/></timestep>
            <timestep time="1"><vehicle id="v" x="10" y="0" angle="90" speed="10"/></timestep></fcd-export>"#;
        let (agents, dt_s, frames, _) = agents(text, "<routes/>");
        assert_eq!((dt_s, frames), (0.5, 3));
        // even motion: 5 m after half a second, from the centre at −2.5 m
        assert!((agents[0].track.get(1).unwrap().position.x - 2.5).abs() < 1e-9);
    }

    #[test]
    fn without_an_angle_the_rear_is_pulled_behind() {
        let step = |time: i32, x: f64, y: f64| {
            format!(
                "<timestep time='{time}'><vehicle id='v' x='{x}' y='{y}' speed='1'/></timestep>"
            )
        };
        let text = format!(
            "<fcd-export>{}{}</fcd-export>",
            step(0, 0.0, 0.0),
            step(1, 3.0, 4.0)
        );
        let (agents, ..) = agents(&text, "<routes/>");
        let heading = agents[0].track.get(0).unwrap().heading;
        assert!((heading - 4f64.atan2(3.0)).abs() < 1e-9);
    }

    #[test]
    fn times_are_seconds_or_written_for_people() {
        assert_eq!(seconds("100.50"), Some(100.5));
        // 1 min 40 s; 1 day and 2 s: 86 400 + 2
        assert_eq!(seconds("00:01:40.50"), Some(100.5));
        assert_eq!(seconds("1:00:00:02"), Some(86_402.0));
        assert_eq!((seconds("1:40"), seconds("")), (None, None));
    }

    #[test]
    fn coordinates_that_hardly_change_at_speed_are_degrees() {
        let driver = |dx: f64| {
            let step = |time: i32, x: f64| {
                format!(
                    "<timestep time='{time}'><vehicle id='v' x='{x}' y='52.5' speed='10'/></timestep>"
                )
            };
            let text = format!(
                "<fcd-export>{}{}</fcd-export>",
                step(0, 13.4),
                step(1, 13.4 + dx)
            );
            let mut xml = XmlReader::new(text.as_bytes(), 1 << 20);
            xml.root().unwrap();
            let rows = read_rows(&mut xml, None, &mut Report::default()).unwrap();
            rows.drives_in_degrees()
        };
        // 10 m eastwards at 52.5° north: 10 / (111 320 · cos 52.5°) = 1.48e-4°
        let said = driver(1.48e-4).unwrap();
        assert!(said == "v at x = 13.400148, y = 52.5, 10 m/s", "{said}");
        assert_eq!(driver(10.0), None);
    }

    #[test]
    fn a_file_that_breaks_off_gives_what_was_there() {
        let text =
            "<fcd-export><timestep time='0'><vehicle id='v' x='0' y='0'/></timestep><timestep ti";
        let mut xml = XmlReader::new(text.as_bytes(), 1 << 20);
        xml.root().unwrap();
        let rows = read_rows(&mut xml, None, &mut Report::default()).unwrap();
        assert_eq!(rows.times, [0.0]);
        assert!(rows.broken_off().is_some());
    }
}
