//! Metrics of one scene with the arithmetic and the culprits: what the window's "Why?" shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::comfort::instability;
use super::contact::struck;
use super::displacement::displacements;
use super::goal::goal_misses;
use super::grid::{Grid, Samples};
use super::interval::Ratio;
use super::road::{RoadRule, off_road};
use super::standing::standing_cars;
use crate::scene::{Agent, AgentId, AgentKind, Edit, Metric, Scene};

/// Who caused a number, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Who.
    pub agent: AgentId,
    /// The partner, for contacts.
    pub other: Option<AgentId>,
    /// Frame of the scene to look at.
    pub frame: Option<usize>,
    /// This agent's own value, in the metric's evidence unit.
    pub value: f64,
    /// A sentence.
    pub sentence: String,
}

/// A metric, its arithmetic, and the evidence, worst first.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Name, value, unit, count.
    pub metric: Metric,
    /// What was divided by what, in words and numbers.
    pub arithmetic: String,
    /// Who contributed, worst first.
    pub evidence: Vec<Evidence>,
}

/// All metrics that apply to `scene`: displacement from the log only where a model wrote the future, goals only
/// where somebody is there at its time. Agents judged are those of the recipe, kept ones, too, else all vehicles; tokens a goal fixed and agents
/// that were kept, or added by an edit, do not count towards displacement. Measured are the 8 s after the present that a
/// model makes, of every
/// scene, so that they compare; an attack up to its contact.
pub fn explain(scene: &Scene) -> Vec<Explained> {
    let end_s = contact_time(scene).unwrap_or(f64::INFINITY);
    let grid = Grid::half_seconds(scene).until(end_s);
    let (made, kept) = made_and_kept(scene);
    let judged: BTreeSet<AgentId> = match &made {
        Some(made) => made.clone(),
        None => scene
            .agents
            .iter()
            .filter(|agent| agent.kind == AgentKind::Vehicle)
            .map(|agent| agent.id.clone())
            .collect(),
    };
    let part = |agent: &Agent| {
        if judged.contains(&agent.id) {
            super::Part::Judged
        } else if agent.kind == AgentKind::Other {
            super::Part::Absent
        } else {
            super::Part::Met
        }
    };
    let result = Samples::new(scene, &grid, part);
    let log = Samples::new(&logged(scene), &grid, part);
    let fine = Samples::new(scene, &Grid::frames(scene).until(end_s), part);
    let mut found = Vec::new();
    if made.is_some() {
        // nobody recorded where those would have gone who were added
        let added = scene.edits.iter().filter_map(|edit| match edit {
            Edit::Add { agent, .. } => Some(agent.clone()),
            _ => None,
        });
        let as_before = kept.into_iter().filter(|id| !scene.is_by_model(id));
        let left_out = as_before.chain(added).collect();
        found.extend(displacement_rows(scene, &result, &log, &left_out, end_s));
    }
    found.push(collision_row(&fine));
    if !scene.map.lanes().is_empty() {
        found.push(road_row(scene, &result, &log));
    }
    found.extend(instability_row(&result));
    found.extend(goal_row(scene));
    if made.is_some() {
        found.extend(standing_row(&result, &log));
    }
    found
}

/// A metric's name in words; `None` for one that [`explain`] has not.
pub fn title_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "ade_m" => "Displacement from the log",
        "ade_moving_m" => "Displacement, moving agents",
        "collision_pct" => "Agents that overlap",
        "off_road_pct" => "Agents that leave the road",
        "instability" => "Instability M_k",
        "goal_miss_m" => "Distance from the goals",
        "standing_moving_pct" => "Standing cars that move",
        _ => return None,
    })
}

/// Seconds after the present that [`explain`] measures: 8, or up to the scene's end or the attack's contact.
pub(super) fn measured_s(scene: &Scene) -> f64 {
    let end_s = contact_time(scene).unwrap_or(f64::INFINITY);
    Grid::frames(scene).until(end_s).ahead_s()
}

/// When the first attacker touches its target, scene time.
pub(super) fn contact_time(scene: &Scene) -> Option<f64> {
    let grid = Grid::frames(scene);
    let contact = |attack: &crate::scene::Attack| {
        let pair = Samples::new(scene, &grid, |agent| {
            if agent.id == attack.attacker || agent.id == attack.target {
                super::Part::Judged
            } else {
                super::Part::Absent
            }
        });
        let [one, two] = pair.rows.as_slice() else {
            return None;
        };
        Some(super::first_contact(&pair, one, two)?.time_s)
    };
    scene
        .attacks
        .iter()
        .filter_map(contact)
        .min_by(f64::total_cmp)
}

/// The scene with every agent's track as first recorded.
pub fn logged(scene: &Scene) -> Scene {
    let mut log = scene.clone();
    for agent in &mut log.agents {
        if let Some(track) = scene.log.get(&agent.id) {
            Arc::make_mut(agent).track = track.clone();
        }
    }
    log
}

fn made_and_kept(scene: &Scene) -> (Option<BTreeSet<AgentId>>, BTreeSet<AgentId>) {
    let Some(generated) = &scene.generated else {
        return (None, BTreeSet::new());
    };
    let kept = generated.recipe.kept.iter().cloned().collect();
    let made = generated.recipe.rows().cloned().collect();
    (Some(made), kept)
}

fn metric(name: &str, ratio: Ratio, scale: f64, unit: &str) -> Metric {
    Metric {
        name: name.to_owned(),
        value: scale * ratio.value().unwrap_or(0.0),
        unit: unit.to_owned(),
        count: ratio.count as usize,
        extra: crate::map::Extra::new(),
    }
}

fn displacement_rows(
    scene: &Scene,
    result: &Samples,
    log: &Samples,
    kept: &BTreeSet<AgentId>,
    end_s: f64,
) -> Vec<Explained> {
    let until = match end_s.is_finite() {
        true => format!("; up to the contact at {end_s:.1} s"),
        false => String::new(),
    };
    let given = |id: &AgentId, at: usize| {
        kept.contains(id)
            || scene
                .goal_of(id)
                .is_some_and(|goal| (result.grid.times_s[at] - goal.time_s).abs() < 0.25)
    };
    let mut items = displacements(result, log, given);
    items.sort_by(|a, b| b.mean_m().total_cmp(&a.mean_m()));
    let row = |name: &str, what: &str, moving_only: bool| {
        let counted: Vec<_> = items
            .iter()
            .filter(|item| item.moving || !moving_only)
            .collect();
        let ratio = counted.iter().fold(Ratio::default(), |mut all, item| {
            all += item.ratio();
            all
        });
        ratio.value().map(|value| Explained {
            metric: metric(name, ratio, 1.0, "m"),
            arithmetic: format!(
                "{:.2} m over {} points of {} {what} = {value:.3} m; goal points, kept and added agents left out{until}",
                ratio.sum,
                ratio.count,
                counted.len()
            ),
            evidence: counted
                .iter()
                .map(|item| Evidence {
                    agent: item.agent.clone(),
                    other: None,
                    frame: Some(result.frame(item.worst_at)),
                    value: item.mean_m(),
                    sentence: format!(
                        "{} is {:.2} m from its log on average, {:.2} m at worst ({:.1} s)",
                        item.agent,
                        item.mean_m(),
                        item.worst_m,
                        result.grid.times_s[item.worst_at]
                    ),
                })
                .collect(),
        })
    };
    [
        row("ade_m", "agents", false),
        row("ade_moving_m", "agents that travel more than 2 m", true),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn collision_row(fine: &Samples) -> Explained {
    let valid = fine.judged_with_future().count();
    let hit = struck(fine, true);
    let ratio = Ratio::new(hit.len() as f64, valid as f64);
    Explained {
        metric: metric("collision_pct", ratio, 100.0, "%"),
        arithmetic: format!(
            "{} of {valid} agents overlap another after the present, within {:.1} s (pairs that overlap in the history are \
             left out)",
            hit.len(),
            fine.grid.ahead_s()
        ),
        evidence: hit
            .iter()
            .map(|(id, contact)| Evidence {
                agent: id.clone(),
                other: Some(contact.other(id).clone()),
                frame: Some(contact.frame),
                value: contact.depth_m,
                sentence: format!(
                    "{id} overlaps {} by {:.2} m at {:.1} s{}",
                    contact.other(id),
                    contact.depth_m,
                    contact.time_s,
                    match contact.appears {
                        true => ", where one of them is first seen (no gate counts that)",
                        false => "",
                    }
                ),
            })
            .collect(),
    }
}

fn road_row(scene: &Scene, result: &Samples, log: &Samples) -> Explained {
    let rule = RoadRule::default();
    let (mut items, starters) = off_road(&scene.map, result, log, rule);
    items.sort_by(|a, b| b.distance_m.total_cmp(&a.distance_m));
    let ratio = Ratio::new(items.len() as f64, starters as f64);
    Explained {
        metric: metric("off_road_pct", ratio, 100.0, "%"),
        arithmetic: format!(
            "{} of {starters} agents that start on the road leave every centreline by more than {:.1} m within {:.1} s, \
             where their log does not",
            items.len(),
            rule.threshold_m,
            result.grid.ahead_s()
        ),
        evidence: items
            .iter()
            .map(|item| Evidence {
                agent: item.agent.clone(),
                other: None,
                frame: Some(item.frame),
                value: item.distance_m,
                sentence: format!(
                    "{} is {:.2} m from the nearest centreline at {:.1} s",
                    item.agent, item.distance_m, result.grid.times_s[item.at]
                ),
            })
            .collect(),
    }
}

fn instability_row(result: &Samples) -> Option<Explained> {
    let found = instability(result);
    let value = found.value()?;
    let part = |ratio: Ratio| ratio.value().unwrap_or(0.0);
    Some(Explained {
        metric: Metric {
            name: "instability".to_owned(),
            value,
            unit: "mixed".to_owned(),
            count: found.tangential.count as usize,
            extra: crate::map::Extra::new(),
        },
        arithmetic: format!(
            "({:.3} + {:.3} m/s² + {:.3} + {:.3} m/s³) / 4: |tangential|, |normal| acceleration and their changes, \
             from positions half a second apart",
            part(found.tangential),
            part(found.normal),
            part(found.tangential_jerk),
            part(found.normal_jerk)
        ),
        evidence: found
            .worst
            .iter()
            .map(|(id, at, size)| Evidence {
                agent: id.clone(),
                other: None,
                frame: Some(result.frame(*at)),
                value: *size,
                sentence: format!(
                    "{id} has the largest acceleration, {size:.2} m/s² before {:.1} s",
                    result.grid.times_s[*at]
                ),
            })
            .collect(),
    })
}

fn goal_row(scene: &Scene) -> Option<Explained> {
    let misses = goal_misses(scene);
    let due: Vec<f64> = misses.iter().filter_map(|miss| miss.distance_m).collect();
    if due.is_empty() {
        return None; // nobody is there at the time of its goal: there is no distance
    }
    let ratio = Ratio::new(due.iter().sum(), due.len() as f64);
    Some(Explained {
        metric: metric("goal_miss_m", ratio, 1.0, "m"),
        arithmetic: format!(
            "mean distance from {} goal points at their times; {} of {} reached",
            due.len(),
            misses.iter().filter(|miss| miss.reached()).count(),
            misses.len()
        ),
        evidence: misses
            .iter()
            .map(|miss| {
                let distance = miss.distance_m.map_or("not seen".to_owned(), |distance| {
                    format!("{distance:.2} m off")
                });
                Evidence {
                    agent: miss.goal.agent.clone(),
                    other: None,
                    frame: Some(scene.frame_at(miss.goal.time_s).round().max(0.0) as usize),
                    value: miss.distance_m.unwrap_or(f64::INFINITY),
                    sentence: format!(
                        "{} is {distance} at {:.1} s and nearest ({:.2} m) at {:.1} s",
                        miss.goal.agent, miss.goal.time_s, miss.nearest_m, miss.nearest_s
                    ),
                }
            })
            .collect(),
    })
}

fn standing_row(result: &Samples, log: &Samples) -> Option<Explained> {
    let mut cars = standing_cars(result, log);
    if cars.is_empty() {
        return None;
    }
    cars.sort_by(|a, b| b.moved_m.total_cmp(&a.moved_m));
    let moving = cars.iter().filter(|car| car.moves()).count();
    let ratio = Ratio::new(moving as f64, cars.len() as f64);
    Some(Explained {
        metric: metric("standing_moving_pct", ratio, 100.0, "%"),
        arithmetic: format!(
            "{moving} of {} agents that stand in the log move more than 1 m",
            cars.len()
        ),
        evidence: cars
            .iter()
            .filter(|car| car.moves())
            .map(|car| Evidence {
                agent: car.agent.clone(),
                other: None,
                frame: Some(result.frame(car.at)),
                value: car.moved_m,
                sentence: format!(
                    "{} stands in the log and moves {:.2} m",
                    car.agent, car.moved_m
                ),
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::grid::tests::{driver, scene_of};

    #[test]
    fn a_contact_is_explained_with_partner_and_frame() {
        // gap 20 m closing at 5 m/s, boxes 4.7 m: touch after 3.06 s, frame 31
        let scene = scene_of(vec![
            driver("rear", (0.0, 0.0, 0.0), 10.0, 101),
            driver("front", (20.0, 0.0, 0.0), 5.0, 101),
        ]);
        let rows = explain(&scene);
        let collision = rows
            .iter()
            .find(|row| row.metric.name == "collision_pct")
            .unwrap();
        assert_eq!((collision.metric.value, collision.metric.count), (100.0, 2));
        assert_eq!(collision.evidence[0].frame, Some(31));
        assert!(collision.arithmetic.starts_with("2 of 2 agents"));
        assert!(!rows.iter().any(|row| row.metric.name == "ade_m"));
    }

    #[test]
    fn the_span_that_is_measured_is_said() {
        // gap 50 m closing at 5 m/s, boxes 4.7 m: touch 9.06 s after the start, which is the present
        let mut scene = scene_of(vec![
            driver("rear", (0.0, 0.0, 0.0), 10.0, 101),
            driver("front", (50.0, 0.0, 0.0), 5.0, 101),
        ]);
        scene.now = 0;
        assert!((measured_s(&scene) - 8.0).abs() < 1e-9);
        let rows = explain(&scene);
        assert_eq!(rows[0].metric.name, "collision_pct");
        let said = &rows[0].arithmetic;
        assert!(said.contains("after the present, within 8.0 s"), "{said}");
    }
}
