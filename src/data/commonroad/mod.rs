//! CommonRoad in: XML of the versions 2018b and 2020a (and what later minor versions share with them), and its protobuf
//! twin. See [`proto`].
//!
//! Obstacles become agents under their own ids. CommonRoad takes the vehicle under test out of the traffic and
//! leaves a *planning problem*: where it starts and where it shall arrive. An engineer who opens such a file expects
//! to see that vehicle, so each planning problem becomes an agent at its start (the first problem's is the ego) with
//! a soft goal at its goal region; what it drives in between is not in the file, so it follows its lanes to the
//! goal, and the agent says so in its field `made_from`. See [`problem`]. Other vehicles are recordings.
//!
//! Left out: intersections' priorities and signs other than stop signs and speed limits (both counted), signal lights of
//! vehicles, phantom obstacles, the environment.

mod mend;
mod obstacle;
mod problem;
mod proto;
mod road;
mod value;

use std::path::Path;

use crate::data::draft::Draft;
use crate::data::folder::stem;
use crate::data::report::Report;
use crate::data::xml::{Element, XmlError, XmlReader, number};
use crate::data::{MAX_BYTES, OpenError};
use crate::geometry::DVec2;
use crate::map::Map;
use crate::scene::Scene;
use obstacle::{Found, Obstacle, covered, read_obstacle};
use problem::Problem;
pub(in crate::data) use proto::is_scenario as is_protobuf;
use road::Road;
pub(in crate::data) use road::middle_line;

/// Most obstacles and lanelets of a file; beyond it the file is refused.
const MAX_ELEMENTS: usize = 50_000;

/// Longest scene that has planning problems but no traffic, s.
const ALONE_S: f64 = 60.0;

/// Reads the text of a CommonRoad file; `path` is for names and messages.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<(Scene, Report), OpenError> {
    let broken = |error: XmlError| OpenError::damaged(path, "CommonRoad XML", error.to_string());
    let mut xml = XmlReader::new(bytes, MAX_BYTES);
    let root = xml.root().map_err(broken)?;
    scene(&root, || xml.next_child(|_| true).map_err(broken), path)
}

/// Reads a CommonRoad message; `path` is for names and messages.
pub(super) fn read_protobuf(bytes: &[u8], path: &Path) -> Result<(Scene, Report), OpenError> {
    let broken = |message: &str| OpenError::damaged(path, "CommonRoad message", message);
    let (root, mut elements) = proto::elements(bytes).map_err(broken)?;
    scene(&root, || elements.next().transpose().map_err(broken), path)
}

/// The scene of a root element and of its children, which come one by one.
fn scene(
    root: &Element,
    mut next_child: impl FnMut() -> Result<Option<Element>, OpenError>,
    path: &Path,
) -> Result<(Scene, Report), OpenError> {
    let mut report = Report::default();
    let dt_s = root.attribute("timeStepSize").and_then(number);
    let dt_s = dt_s.filter(|dt_s| *dt_s > 0.0).unwrap_or_else(|| {
        report.problem("timeStepSize", "missing", "taken as 0.1 s");
        0.1
    });
    let own = root.attribute("author") == Some("Nearmiss");
    let mut road = Road::default();
    let tags = root.attribute("tags").unwrap_or_default().to_owned();
    road.is_motorway = ["interstate", "highway"]
        .iter()
        .any(|word| tags.contains(word));
    let mut obstacles: Vec<Obstacle> = Vec::new();
    let mut problems: Vec<Problem> = Vec::new();
    let mut count = 0;
    while let Some(element) = next_child()? {
        count += 1;
        if count > MAX_ELEMENTS {
            let limit = MAX_ELEMENTS as u64;
            return Err(OpenError::too_large(
                path,
                "number of elements",
                count as u64,
                limit,
            ));
        }
        if road.read(&element, &mut report) {
            continue;
        }
        match element.name.as_str() {
            "dynamicObstacle" | "staticObstacle" | "environmentObstacle" | "obstacle" => {
                match read_obstacle(&element, own, &mut report) {
                    Some(Found::Obstacle(obstacle)) => obstacles.push(obstacle),
                    Some(Found::Ground(lines, areas)) => {
                        road.lines.extend(lines);
                        road.areas.extend(areas);
                    }
                    None => {}
                }
            }
            "planningProblem" => problems.extend(Problem::read(&element, &mut report)),
            "phantomObstacle" => report.skip("phantom obstacles"),
            _ => {}
        }
    }
    if count == 0 {
        return Err(OpenError::damaged(
            path,
            "commonRoad",
            "the element is empty",
        ));
    }
    let name = root.attribute("benchmarkID").map(str::trim);
    let name = name
        .filter(|name| !name.is_empty())
        .map_or_else(|| stem(path), str::to_owned);
    assemble(
        Parts {
            source: source(root, &name),
            cooperative: name.starts_with("C-"),
            own,
            name,
            dt_s,
            road,
            obstacles,
            problems,
        },
        path,
        report,
    )
}

struct Parts {
    name: String,
    source: String,
    cooperative: bool,
    dt_s: f64,
    road: Road,
    obstacles: Vec<Obstacle>,
    problems: Vec<Problem>,
    /// This program wrote it: nothing is to be mended.
    own: bool,
}

fn assemble(parts: Parts, path: &Path, mut report: Report) -> Result<(Scene, Report), OpenError> {
    let Parts {
        name,
        source,
        cooperative,
        dt_s,
        road,
        obstacles,
        mut problems,
        own,
    } = parts;
    let moving = obstacles.iter().filter(|obstacle| !obstacle.standing);
    let steps = moving.flat_map(Obstacle::steps);
    let starts = problems.iter().map(|problem| problem.start.step);
    // without traffic the scene lasts as long as the planning problems may, up to a minute
    let ends = problems.iter().filter_map(|problem| problem.end());
    let has_traffic = obstacles.iter().any(|obstacle| !obstacle.standing);
    let latest = starts.clone().min().unwrap_or(0) + (ALONE_S / dt_s).min(1e6) as i64;
    let ends: Vec<i64> = ends
        .filter(|_| !has_traffic)
        .map(|end| end.min(latest))
        .collect();
    let (first, frames) = covered(steps.chain(starts).chain(ends), dt_s).unwrap_or((0, 1));
    Draft::check_size(path, obstacles.len() + problems.len(), frames)?;
    let uncertain: usize = obstacles.iter().map(Obstacle::uncertain_states).sum();
    if uncertain > 0 {
        report.note(match uncertain {
            1 => "1 state is an area or an interval in the file; its middle is used".to_owned(),
            some => {
                format!("{some} states are areas or intervals in the file; their middles are used")
            }
        });
    }
    let middle = |ids: &[String]| -> Option<DVec2> { road.middle_of(ids) };
    let mut agents: Vec<_> = obstacles
        .into_iter()
        .map(|obstacle| obstacle.into_agent(first, frames, dt_s, &middle))
        .collect();
    let astray = match own {
        true => 0,
        false => mend::drop_astray_ends(&mut agents, dt_s),
    };
    if astray > 0 {
        report.note(match astray {
            1 => "1 first or last state is not where its step and speed say; left out".to_owned(),
            some => format!(
                "{some} first or last states are not where their step and speed say; left out"
            ),
        });
    }
    let beside = (!own).then(|| mend::align(&mut agents, dt_s)).flatten();
    if let Some(angle) = beside {
        for problem in &mut problems {
            problem.turn(angle);
        }
        report.note(format!(
            "headings stand beside the motion by the same angle throughout; turned by {:.1}° into it",
            angle.to_degrees()
        ));
    }
    let mut ego = None;
    let mut goals = Vec::new();
    if !cooperative && problems.len() > 1 {
        report.skip_many("planning problems after the first", problems.len() - 1);
        problems.truncate(1);
    }
    let mut resolved: Vec<_> = problems
        .into_iter()
        .filter_map(|problem| problem.resolve(&middle, &mut report))
        .collect();
    if problem::stacked(&resolved) {
        report.skip_many(
            "planning problems after the first, which start in one another",
            resolved.len() - 1,
        );
        resolved.truncate(1);
    }
    let (map, signals) = road.build(first, frames, &mut report);
    if !resolved.is_empty() {
        let lanes = Map::build(map.clone());
        for problem in resolved {
            let (mut agent, goal) = problem.drive(&lanes, first, frames, dt_s);
            if agents.iter().any(|other| other.id == agent.id) {
                agent.id = crate::scene::AgentId::new(format!("problem {}", agent.id));
            }
            report.note(format!(
                "agent {} stands for a planning problem: its path follows the lanes, it is not recorded",
                agent.id
            ));
            ego = ego.or_else(|| Some(agent.id.clone()));
            goals.extend(goal.map(|goal| crate::scene::Goal {
                agent: agent.id.clone(),
                ..goal
            }));
            agents.push(agent);
        }
    }
    let draft = Draft {
        name,
        source,
        licence: String::new(),
        dt_s,
        frames,
        now: None,
        map,
        agents,
        signals,
        goals,
        ego,
    };
    let scene = draft.finish(path, &mut report)?;
    Ok((scene, report))
}

fn source(root: &Element, name: &str) -> String {
    let version = root.attribute("commonRoadVersion").unwrap_or("?");
    let given = root.attribute("source").unwrap_or_default();
    match given.trim() {
        "" => format!("CommonRoad {version}, {name}"),
        given => format!("CommonRoad {version}, {name}; {given}"),
    }
}
