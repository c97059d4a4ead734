//! Adversarial resampling: a neighbour's future redrawn so that it meets the ego.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::generator::{AttackCandidate, AttackQuery, attack_candidates, judge};
use crate::rng::Stream;
use crate::scene::{AgentId, Role, Scene, State, Track};

/// Candidates held against the gates before giving up.
const TRIES: usize = 4;

/// Time between the states of a proposed path, s.
const PATH_STEP_S: f64 = 0.1;

/// A scene with a resampled neighbour.
#[derive(Debug, Clone)]
pub struct Attacked {
    /// The scene: the attack is in [`Scene::attacks`], the attacker has that role, former tracks are in [`Scene::log`].
    pub scene: Scene,
    /// Likelihood x collision x earliness of what was drawn.
    pub score: f64,
}

/// Redraws the future of one of the ego's neighbours so that it meets the ego: a candidate of [`attack_candidates`] is
/// drawn in proportion to its score (likelihood x collision x earliness, after CAT, arXiv 2310.12432) and kept if it
/// passes every gate; after four that do not, or without a candidate, `None`. Both parties end at the contact: what
/// would come after it is unknown. Nobody reacts.
pub fn resample_attacker(scene: &Scene, draw: &mut Stream) -> Option<Attacked> {
    let mut found = attack_candidates(scene, &AttackQuery::default()).ok()?;
    for _ in 0..TRIES {
        let total: f64 = found.iter().map(|candidate| candidate.score).sum();
        let mut rest = draw.unit() * total;
        let picked = found.iter().position(|candidate| {
            rest -= candidate.score;
            rest < 0.0
        });
        let candidate = found.swap_remove(picked.or(found.len().checked_sub(1))?);
        let met = carried_out(scene, &candidate);
        let made = BTreeSet::from([candidate.attack.attacker.clone()]);
        if judge(&met, &made).valid() {
            return Some(Attacked {
                scene: ended(met, &candidate),
                score: candidate.score,
            });
        }
    }
    None
}

/// The scene in which the attacker takes the candidate's path; it ends with it.
fn carried_out(scene: &Scene, candidate: &AttackCandidate) -> Scene {
    let mut next = scene.clone();
    let attack = &candidate.attack;
    for id in [&attack.attacker, &attack.target] {
        remember(&mut next, id);
    }
    let Some(index) = next.agent_index(&attack.attacker) else {
        return next;
    };
    let attacker = Arc::make_mut(&mut next.agents[index]);
    attacker.role = Role::Attacker;
    end_after(&mut attacker.track, scene.now);
    for frame in scene.now + 1..scene.frames {
        let after_s = scene.time_of(frame) - scene.now_s();
        let Some(state) = on_path(&candidate.path, after_s / PATH_STEP_S) else {
            break;
        };
        attacker.track.set(frame, Some(state.quantised()));
    }
    next.goals.retain(|goal| goal.agent != attack.attacker);
    next.attacks = vec![attack.clone()];
    next.generated = None;
    next
}

fn remember(scene: &mut Scene, id: &AgentId) {
    if let Some(track) = scene.agent(id).map(|agent| agent.track.clone()) {
        scene.log.entry(id.clone()).or_insert(track);
    }
}

/// The state `at` steps along the path; `None` beyond its end.
fn on_path(path: &[State], at: f64) -> Option<State> {
    let below = (at + 1e-6).floor();
    let from = path.get(below as usize)?;
    let fraction = (at - below).max(0.0);
    if fraction < 1e-6 {
        return Some(*from);
    }
    Some(from.lerp(path.get(below as usize + 1)?, fraction))
}

/// Forgets what comes after a frame; the track keeps its length.
fn end_after(track: &mut Track, last: usize) {
    for state in track.states_mut().iter_mut().skip(last + 1) {
        *state = None;
    }
}

/// The scene in which attacker and target end at the contact.
fn ended(mut scene: Scene, candidate: &AttackCandidate) -> Scene {
    let attack = &candidate.attack;
    let last = (scene.frame_at(attack.time_s) + 1e-6).floor() as usize;
    for id in [&attack.attacker, &attack.target] {
        if let Some(index) = scene.agent_index(id) {
            let agent = Arc::make_mut(&mut scene.agents[index]);
            end_after(&mut agent.track, last);
        }
    }
    scene
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{DVec2, Polyline, Pose, dvec2};
    use crate::map::{Lane, LaneKind, Map, MapParts};
    use crate::rng::{Purpose, Seed};
    use crate::scene::{Agent, AgentKind, scene_from_json, scene_to_json};
    use std::f64::consts::FRAC_PI_2;

    fn driver(id: &str, at_present: Pose, speed: f64) -> Agent {
        let states = (0..101).map(|frame| {
            let ahead = speed * 0.1 * f64::from(frame - 20);
            let point = at_present.outer_from_local(dvec2(ahead, 0.0));
            Some(State::along(Pose::new(point, at_present.heading), speed))
        });
        Agent::new(id, AgentKind::Vehicle, Track::new(states.collect()))
    }

    /// The ego eastwards through the origin, someone from the south who would pass behind it.
    fn crossing() -> Scene {
        let lane = |id: &str, from: DVec2, to: DVec2| {
            Lane::new(id, LaneKind::Street, Polyline::new([from, to]).unwrap())
        };
        let mut ego = driver("ego", Pose::at(-20.0, 0.0, 0.0), 8.0);
        ego.role = Role::Ego;
        let other = driver("b", Pose::at(5.0, -40.0, FRAC_PI_2), 8.0);
        Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            map: Arc::new(Map::build(MapParts {
                lanes: vec![
                    lane("east", dvec2(-100.0, 0.0), dvec2(100.0, 0.0)),
                    lane("north", dvec2(5.0, -100.0), dvec2(5.0, 100.0)),
                ],
                ..MapParts::default()
            })),
            agents: vec![Arc::new(ego), Arc::new(other)],
            ..Scene::default()
        }
    }

    #[test]
    fn a_resampled_neighbour_meets_the_ego_and_both_end_there() {
        let scene = crossing();
        let mut draw = Seed(1).stream(Purpose::Corpus);
        let attacked = resample_attacker(&scene, &mut draw).unwrap().scene;
        let attack = &attacked.attacks[0];
        assert_eq!(
            (attack.attacker.as_str(), attack.target.as_str()),
            ("b", "ego")
        );
        assert_eq!(
            attacked.agent(&attack.attacker).unwrap().role,
            Role::Attacker
        );
        let last = (attack.time_s / 0.1).round() as usize;
        let boxes = ["ego", "b"].map(|id| {
            let agent = attacked.agent(&AgentId::new(id)).unwrap();
            assert!(agent.track.get(last + 1).is_none(), "{id} goes on");
            agent.footprint_at(last).unwrap()
        });
        assert!(boxes[0].overlaps(&boxes[1]));
        // the file of it opens again
        let text = scene_to_json(&attacked);
        let again = scene_from_json(text.as_bytes(), "attacked").unwrap();
        let known = |scene: &Scene| scene.agents[1].track.valid().count();
        assert_eq!(known(&again), known(&attacked));
        // what was is remembered, and the past stays
        assert_eq!(attacked.log[&attack.attacker], scene.agents[1].track);
        assert_eq!(
            attacked.agents[1].track.states()[..=20],
            scene.agents[1].track.states()[..=20]
        );
    }

    #[test]
    fn alone_nobody_attacks() {
        let mut scene = crossing();
        scene.agents.truncate(1);
        assert!(resample_attacker(&scene, &mut Seed(1).stream(Purpose::Corpus)).is_none());
    }
}
