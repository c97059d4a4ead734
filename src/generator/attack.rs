//! Choosing an attack: who can reach the target's way, where and when, and how plausible that is.
//!
//! The score is CAT's, likelihood times collision times earliness ("CAT: Closed-loop Adversarial Training", as
//! implemented there: worth = Σ over the target's futures of P(attacker) · P(target) · 0.99ⁿ with n half-second
//! checks before the first overlap), with two differences: proposals are quintic paths within the attacker's limits
//! instead of a network's, so what is listed can be driven; and the likelihood is a stated formula.

use std::collections::BTreeMap;

use super::limits::{Limits, limits_of};
use super::quintic::Quintic;
use crate::geometry::{DVec2, OrientedBox, Pose, angle_between};
use crate::metrics::lane_distance;
use crate::scene::{Agent, AgentId, AgentKind, Attack, Control, Scene, State};

/// What is asked for; everything unset is searched.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AttackQuery {
    /// Who is attacked; the ego if unset.
    pub target: Option<AgentId>,
    /// Who attacks; everyone in the sector if unset.
    pub attacker: Option<AgentId>,
    /// Scene time of the contact, s; every token from 1 s to 7 s after the present if unset.
    pub time_s: Option<f64>,
    /// Contact point on the target's footprint, target frame (ahead, left), m; several if unset.
    pub offset: Option<[f64; 2]>,
    /// What the target's planner may do instead of what the scene holds: futures with their probabilities, states every
    /// 0.1 s from the present on. They change how candidates are ranked, not where they aim.
    pub planned: Vec<(f64, Vec<State>)>,
}

/// A possible attack with the terms it is ranked by.
#[derive(Debug, Clone, PartialEq)]
pub struct AttackCandidate {
    /// Who, whom, when, where on the target.
    pub attack: Attack,
    /// The attacker's state at that time: its goal token.
    pub aim: State,
    /// The proposed path every 0.1 s from the present (first entry) to the contact.
    pub path: Vec<State>,
    /// exp(−half the mean square of acceleration, distance and direction from the lane): 1 drives on undisturbed.
    pub likelihood: f64,
    /// Share of the target's considered futures that are hit, by weight: as logged (½), at constant speed (¼), braking (¼);
    /// with a planner's futures as logged (½) and these (½ by their probabilities).
    pub overlap: f64,
    /// Mean of 0.99ⁿ over the futures hit, n half seconds before the overlap.
    pub earliness: f64,
    /// Likelihood · overlap · earliness.
    pub score: f64,
    /// Hardest acceleration along and across the path, m/s².
    pub peak: [f64; 2],
    /// Largest curvature, 1/m.
    pub curvature: f64,
}

impl AttackCandidate {
    /// One line for a list.
    pub fn label(&self) -> String {
        format!(
            "{} at {:.1} s: likelihood {:.3} · overlap {:.2} · earliness {:.2} = {:.3}",
            self.attack.attacker,
            self.attack.time_s,
            self.likelihood,
            self.overlap,
            self.earliness,
            self.score
        )
    }
}

/// Why there is no candidate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AttackError {
    /// No ego and no target named.
    #[error("the scene has no ego and no target is named: mark an ego or name a target")]
    NoTarget,
    /// The agent is not there at the present.
    #[error("agent \"{0}\" is not in the scene at its present")]
    NotPresent(AgentId),
    /// Nobody is near enough, or nobody may be moved.
    #[error("no free agent within {reach} m ahead or beside \"{target}\" can attack it")]
    Nobody {
        /// Whom.
        target: AgentId,
        /// The search radius, m.
        reach: u32,
    },
    /// Attacker and target are one.
    #[error("\"{0}\" cannot attack itself: name another attacker or target")]
    Itself(AgentId),
    /// All paths break a limit, leave the road, or run into a third party.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
}

/// Nobody who was asked for can meet the target.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Unreachable {
    /// Whom.
    pub target: AgentId,
    /// Who; `None` if several were tried.
    pub attacker: Option<AgentId>,
    /// Agents tried.
    pub attackers: usize,
    /// The scene time of the contact that was asked for, s, if one was.
    pub time_s: Option<f64>,
    /// What stood in the way most often.
    pub why: Hindrance,
    /// The scene time nearest to the one that was asked for at which the attacker can meet the target, somewhere on it, s;
    /// not looked for unless one attacker and a time were asked for.
    pub nearest_s: Option<f64>,
}

/// What stands in the way of a path to a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hindrance {
    /// It would have to go faster on average than its kind can.
    Far,
    /// It is there already, and would have to wait.
    Near,
    /// Speed, acceleration or turning beyond the limits of its kind.
    Limits,
    /// A vehicle would leave the road.
    Road,
    /// Somebody else is touched first.
    Other,
    /// The target is not touched after all.
    Passes,
    /// The target is not in the scene at that time.
    Gone,
}

impl Unreachable {
    fn text(&self) -> String {
        let target = self.target.short();
        let at = self
            .time_s
            .map_or(String::new(), |time_s| format!(" at {time_s:.1} s"));
        let why = match self.why {
            Hindrance::Far => "it is too far away for its speed",
            Hindrance::Near => "it would be there too early",
            Hindrance::Limits => {
                "that takes more acceleration or turning than its kind is capable of"
            }
            Hindrance::Road => "its way there leaves the road",
            Hindrance::Other => "somebody else is in its way",
            Hindrance::Passes => "it passes without touching",
            Hindrance::Gone => "its target is not in the scene then",
        };
        let nearest = self.nearest_s.map_or(String::new(), |time_s| {
            format!("; at {time_s:.1} s it can touch some part of it")
        });
        match &self.attacker {
            Some(attacker) => {
                let attacker = attacker.short();
                format!("\"{attacker}\" cannot meet \"{target}\"{at}: {why}{nearest}")
            }
            None => {
                let tried = self.attackers;
                format!(
                    "none of {tried} vehicles and cyclists within {REACH_M} m ahead of or beside \"{target}\" can meet it{at}; \
                     most ways fail because {why}. Others attack when they are named"
                )
            }
        }
    }
}

/// Attackers are sought within this distance of the target, m.
const REACH_M: f64 = 60.0;
/// Half angle of the sector ahead and beside the target in which attackers are sought (App. D.3), degrees.
const SECTOR_DEG: f64 = 120.0;
/// Share of the physical limits a proposal may use: the model's own path will differ a little.
const RESERVE: f64 = 0.75;
/// Step of a proposal, s.
const STEP_S: f64 = 0.1;

/// Reachable attacks, best first: at most three per attacker, at least a second apart, at most twelve in all.
///
/// # Errors
///
/// If there is no target, no attacker, or no reachable contact; the error says how much was tried.
pub fn attack_candidates(
    scene: &Scene,
    query: &AttackQuery,
) -> Result<Vec<AttackCandidate>, AttackError> {
    let found = attack_candidates_while(scene, query, &|| true)?;
    Ok(found.unwrap_or_default())
}

/// The same, `None` once `wanted` says no; it is asked before every contact time of every attacker.
///
/// # Errors
///
/// As [`attack_candidates`].
pub fn attack_candidates_while(
    scene: &Scene,
    query: &AttackQuery,
    wanted: &dyn Fn() -> bool,
) -> Result<Option<Vec<AttackCandidate>>, AttackError> {
    let target = query
        .target
        .clone()
        .or_else(|| scene.ego().map(|ego| ego.id.clone()))
        .ok_or(AttackError::NoTarget)?;
    let victim = present(scene, &target)?;
    if query.attacker.as_ref() == Some(&target) {
        return Err(AttackError::Itself(target));
    }
    let attackers = attackers(scene, query, victim)?;
    let futures = Futures::of(scene, victim, &query.planned);
    let mut missed: BTreeMap<Hindrance, usize> = BTreeMap::new();
    let mut found: Vec<AttackCandidate> = Vec::new();
    for attacker in &attackers {
        let hunt = Hunt::new(scene, attacker, victim, &futures);
        for (time_s, victim_state) in contact_times(scene, victim, query) {
            if !wanted() {
                return Ok(None);
            }
            for offset in contact_points(victim, query) {
                let proposals = match hunt.proposals(time_s, &victim_state, offset) {
                    Ok(proposals) => proposals,
                    Err(why) => {
                        *missed.entry(why).or_default() += 1;
                        continue;
                    }
                };
                for proposal in proposals {
                    match hunt.candidate(proposal, time_s, offset) {
                        Ok(candidate) => found.push(candidate),
                        Err(why) => *missed.entry(why).or_default() += 1,
                    }
                }
            }
        }
    }
    if found.is_empty() {
        let most = missed.into_iter().max_by_key(|(_, count)| *count);
        return Err(AttackError::Unreachable(Unreachable {
            target,
            attacker: query.attacker.clone(),
            attackers: attackers.len(),
            time_s: query.time_s,
            why: most.map_or(Hindrance::Gone, |(why, _)| why),
            nearest_s: None,
        }));
    }
    Ok(Some(spread(found)))
}

impl AttackError {
    /// The same with the nearest time at which the attacker can meet the target, where one of both was asked for.
    #[must_use]
    pub fn with_nearest(mut self, scene: &Scene) -> Self {
        if let Self::Unreachable(found) = &mut self {
            found.nearest_s = found.nearest(scene);
        }
        self
    }
}

impl Unreachable {
    /// When the attacker can meet the target, somewhere on it, s: the nearest to the time that was asked for, the earlier of
    /// two. `None` if never within the 8 s after the present, or if no one attacker and time were asked for.
    fn nearest(&self, scene: &Scene) -> Option<f64> {
        let (wanted_s, attacker) = (self.time_s?, self.attacker.as_ref()?);
        let now_s = scene.now_s();
        let mut times: Vec<f64> = (1..=16_u8)
            .map(|token| now_s + 0.5 * f64::from(token))
            .collect();
        times.sort_by(|a, b| (a - wanted_s).abs().total_cmp(&(b - wanted_s).abs()));
        times.into_iter().find(|time_s| {
            let query = AttackQuery {
                target: Some(self.target.clone()),
                attacker: Some(attacker.clone()),
                time_s: Some(*time_s),
                ..AttackQuery::default()
            };
            attack_candidates(scene, &query).is_ok()
        })
    }
}

fn present<'a>(scene: &'a Scene, id: &AgentId) -> Result<&'a Agent, AttackError> {
    scene
        .agent(id)
        .filter(|agent| agent.track.get(scene.now).is_some())
        .map(|agent| &**agent)
        .ok_or_else(|| AttackError::NotPresent(id.clone()))
}

/// Free vehicles and cyclists (and whoever is named) in the sector, nearest first.
fn attackers<'a>(
    scene: &'a Scene,
    query: &AttackQuery,
    victim: &Agent,
) -> Result<Vec<&'a Agent>, AttackError> {
    if let Some(id) = &query.attacker {
        return Ok(vec![present(scene, id)?]);
    }
    let Some(here) = victim.track.get(scene.now) else {
        return Err(AttackError::NotPresent(victim.id.clone()));
    };
    let mut near: Vec<(f64, &Agent)> = scene
        .agents
        .iter()
        .filter(|agent| agent.id != victim.id && agent.control == Control::Free)
        .filter(|agent| matches!(agent.kind, AgentKind::Vehicle | AgentKind::Cyclist))
        .filter_map(|agent| {
            let towards = agent.track.get(scene.now)?.position - here.position;
            let bearing = angle_between(here.heading, towards.to_angle()).abs();
            let inside = towards.length() <= REACH_M && bearing.to_degrees() <= SECTOR_DEG;
            inside.then_some((towards.length(), &**agent))
        })
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    if near.is_empty() {
        return Err(AttackError::Nobody {
            target: victim.id.clone(),
            reach: REACH_M as u32,
        });
    }
    Ok(near.into_iter().map(|(_, agent)| agent).collect())
}

/// Contact times on the model's half-second grid with the target's state then.
fn contact_times(scene: &Scene, victim: &Agent, query: &AttackQuery) -> Vec<(f64, State)> {
    let now_s = scene.now_s();
    let wanted = query
        .time_s
        .map(|time_s| ((time_s - now_s) / 0.5).round().clamp(1.0, 16.0) as u32);
    let tokens = match wanted {
        Some(token) => token..=token,
        None => 2..=14,
    };
    tokens
        .map(|token| now_s + 0.5 * f64::from(token))
        .filter_map(|time_s| Some((time_s, victim.track.sample(scene.frame_at(time_s))?)))
        .collect()
}

/// Points on the target's footprint: front, both sides, both rear quarters.
fn contact_points(victim: &Agent, query: &AttackQuery) -> Vec<[f64; 2]> {
    if let Some(offset) = query.offset {
        return vec![offset];
    }
    let (long, wide) = (victim.length, victim.width);
    vec![
        [0.4 * long, 0.0],
        [0.1 * long, 0.4 * wide],
        [0.1 * long, -0.4 * wide],
        [-0.3 * long, 0.4 * wide],
        [-0.3 * long, -0.4 * wide],
    ]
}

/// What the target may do, with weights: as logged, then as its planner has it, else at its present speed or braking with
/// 2 m/s² on its own path.
struct Futures {
    /// Boxes every 0.1 s from the present, per future.
    boxes: Vec<(f64, Vec<Option<OrientedBox>>)>,
}

impl Futures {
    fn of(scene: &Scene, victim: &Agent, planned: &[(f64, Vec<State>)]) -> Self {
        let steps = (8.0 / STEP_S) as usize;
        let at = |step: usize| scene.frame_at(scene.now_s() + step as f64 * STEP_S);
        let logged: Vec<Option<State>> = (0..=steps)
            .map(|step| victim.track.sample(at(step)))
            .collect();
        let path = crate::geometry::Polyline::new(logged.iter().flatten().map(|s| s.position));
        let present = logged[0];
        let along = |acceleration: f64| -> Vec<Option<OrientedBox>> {
            let (Some(path), Some(present)) = (&path, present) else {
                return vec![present.map(|state| victim.footprint(&state)); steps + 1];
            };
            let speed = present.speed();
            (0..=steps)
                .map(|step| {
                    let time = step as f64 * STEP_S;
                    let braking = if acceleration < 0.0 {
                        time.min(speed / -acceleration)
                    } else {
                        time
                    };
                    let s = speed * braking + 0.5 * acceleration * braking * braking;
                    let state = State::along(path.pose_at(s), speed);
                    Some(victim.footprint(&state))
                })
                .collect()
        };
        let as_logged = logged
            .iter()
            .map(|state| state.map(|state| victim.footprint(&state)));
        let known: f64 = planned
            .iter()
            .map(|(probability, _)| probability.max(0.0))
            .sum();
        if known > 0.0 {
            let mut boxes = vec![(0.5, as_logged.collect())];
            boxes.extend(planned.iter().map(|(probability, states)| {
                let states = states.iter().take(steps + 1);
                let footprints = states.map(|state| Some(victim.footprint(state)));
                (0.5 * probability.max(0.0) / known, footprints.collect())
            }));
            return Self { boxes };
        }
        Self {
            boxes: vec![
                (0.5, as_logged.collect()),
                (0.25, along(0.0)),
                (0.25, along(-2.0)),
            ],
        }
    }
}

/// One way of arriving: contact pose and speed of the attacker.
#[derive(Clone, Copy)]
struct Proposal {
    aim: State,
    duration_s: f64,
}

struct Hunt<'a> {
    scene: &'a Scene,
    attacker: &'a Agent,
    victim: &'a Agent,
    futures: &'a Futures,
    limits: Limits,
    start: State,
    acceleration: DVec2,
    minds_road: bool,
}

impl<'a> Hunt<'a> {
    fn new(scene: &'a Scene, attacker: &'a Agent, victim: &'a Agent, futures: &'a Futures) -> Self {
        let start = attacker
            .track
            .get(scene.now)
            .copied()
            .unwrap_or(State::along(Pose::default(), 0.0));
        let before = attacker.track.sample(scene.frame_at(scene.now_s() - 0.5));
        let acceleration = before.map_or(DVec2::ZERO, |before| {
            ((start.velocity - before.velocity) / 0.5).clamp_length_max(2.0)
        });
        let minds_road = attacker.kind == AgentKind::Vehicle
            && lane_distance(&scene.map, start.position).is_some_and(|hit| hit.offset.abs() <= 3.0);
        Self {
            scene,
            attacker,
            victim,
            futures,
            limits: limits_of(attacker),
            start,
            acceleration,
            minds_road,
        }
    }

    /// Arrival headings: the straight way, the lane's, and the target's own; speeds around what even acceleration
    /// would give. Hopeless ones are left out at once; if all are, that is said.
    fn proposals(
        &self,
        time_s: f64,
        victim: &State,
        offset: [f64; 2],
    ) -> Result<Vec<Proposal>, Hindrance> {
        let duration_s = time_s - self.scene.now_s();
        let contact = victim.pose().outer_from_local(offset.into());
        let chord = contact - self.start.position;
        let top = (self.start.speed() + self.limits.accelerate * duration_s).min(self.limits.speed);
        let mut headings = vec![chord.to_angle()];
        if let Some(hit) = lane_distance(&self.scene.map, contact).filter(|_| self.minds_road) {
            headings.push(hit.pose.heading);
        }
        for turn in [-0.12, 0.12] {
            headings.push(victim.heading + turn);
        }
        let mut found = Vec::new();
        for heading in headings {
            if angle_between(chord.to_angle(), heading).abs() > 1.3 {
                continue;
            }
            // the nose, half a metre past the contact point
            let centre = contact - DVec2::from_angle(heading) * (self.attacker.length / 2.0 - 0.5);
            let mean_speed = centre.distance(self.start.position) / duration_s;
            if !(0.5..=top).contains(&mean_speed) {
                continue;
            }
            let even =
                (2.0 * mean_speed - self.start.speed()).clamp(0.5 * mean_speed, 1.5 * mean_speed);
            for share in [0.8, 1.0, 1.2] {
                found.push(Proposal {
                    aim: State::along(Pose::new(centre, heading), even * share),
                    duration_s,
                });
            }
        }
        match found.is_empty() {
            true if chord.length() > top * duration_s => Err(Hindrance::Far),
            true => Err(Hindrance::Near),
            false => Ok(found),
        }
    }

    /// The candidate a proposal makes, if its path keeps every limit.
    fn candidate(
        &self,
        proposal: Proposal,
        time_s: f64,
        offset: [f64; 2],
    ) -> Result<AttackCandidate, Hindrance> {
        let quintic = Quintic::new(
            (self.start.position, self.start.velocity, self.acceleration),
            (proposal.aim.position, proposal.aim.velocity, DVec2::ZERO),
            proposal.duration_s,
        );
        let drive = self.drive(&quintic, proposal.duration_s)?;
        let hits = self.hits(&drive.path).ok_or(Hindrance::Passes)?;
        let overlap: f64 = hits.iter().map(|(weight, _)| weight).sum();
        let worth: f64 = hits
            .iter()
            .map(|(weight, half_seconds)| weight * 0.99_f64.powf(*half_seconds))
            .sum();
        Ok(AttackCandidate {
            attack: Attack {
                attacker: self.attacker.id.clone(),
                target: self.victim.id.clone(),
                time_s,
                offset,
                extra: crate::map::Extra::default(),
            },
            aim: proposal.aim,
            likelihood: drive.likelihood,
            overlap,
            earliness: worth / overlap,
            score: drive.likelihood * worth,
            peak: drive.peak,
            curvature: drive.curvature,
            path: drive.path,
        })
    }

    /// Follows the path and holds it against limits, road and third parties.
    fn drive(&self, quintic: &Quintic, duration_s: f64) -> Result<Drive, Hindrance> {
        let limits = &self.limits;
        let steps = (duration_s / STEP_S).round() as usize;
        let mut path = vec![self.start];
        let mut peak = [0.0_f64; 2];
        let mut curvature = 0.0_f64;
        let mut cost = 0.0;
        for step in 1..=steps {
            let time = step as f64 * STEP_S;
            let (position, velocity, acceleration) = quintic.at(time);
            let speed = velocity.length();
            let heading = if speed < 0.3 {
                path[step - 1].heading
            } else {
                velocity.to_angle()
            };
            let forward = DVec2::from_angle(heading);
            let (along, across) = (acceleration.dot(forward), forward.perp_dot(acceleration));
            let bend = across / speed.max(1.5).powi(2);
            let turn = angle_between(path[step - 1].heading, heading).abs();
            let possible = speed <= limits.speed
                && along <= RESERVE * limits.accelerate
                && -along <= RESERVE * limits.brake
                && across.abs() <= RESERVE * limits.across
                && bend.abs() <= RESERVE * limits.curvature
                && turn / STEP_S <= RESERVE * limits.yaw_rate.min(6.0) + 0.1;
            if !possible {
                return Err(Hindrance::Limits);
            }
            peak = [peak[0].max(along.abs()), peak[1].max(across.abs())];
            curvature = curvature.max(bend.abs());
            cost += (along / 2.5).powi(2) + (across / 2.0).powi(2);
            path.push(State {
                position,
                heading,
                velocity,
            });
        }
        cost += self.lane_cost(&path).ok_or(Hindrance::Road)?;
        match self.meets_nobody_else(&path) {
            true => Ok(Drive {
                likelihood: (-0.5 * cost / steps as f64).exp(),
                path,
                peak,
                curvature,
            }),
            false => Err(Hindrance::Other),
        }
    }

    /// Square distances and turns from the nearest lane, per step; `None` where a vehicle would leave the road.
    fn lane_cost(&self, path: &[State]) -> Option<f64> {
        if !self.minds_road {
            return Some(0.0);
        }
        let mut cost = 0.0;
        for state in path.iter().skip(1).step_by(5) {
            let hit = lane_distance(&self.scene.map, state.position)
                .filter(|hit| hit.offset.abs() <= 3.0)?;
            let fitting = self
                .scene
                .map
                .lane_for(state.position, state.heading, 4.0, |lane| {
                    lane.carries_vehicles()
                })
                .unwrap_or(hit);
            let turn = 1.0 - (fitting.pose.heading - state.heading).cos();
            cost += 5.0 * ((fitting.offset / 1.75).powi(2) + 4.0 * turn);
        }
        Some(cost)
    }

    fn meets_nobody_else(&self, path: &[State]) -> bool {
        let now_s = self.scene.now_s();
        let others = self.scene.agents.iter().filter(|other| {
            other.id != self.attacker.id
                && other.id != self.victim.id
                && other.kind != AgentKind::Other
        });
        for other in others {
            let touching = |step: usize| {
                let frame = self.scene.frame_at(now_s + step as f64 * STEP_S);
                let state = other.track.sample(frame)?;
                let near = state.position.distance(path[step].position);
                (near < other.length + self.attacker.length).then(|| {
                    let mine = self.attacker.footprint(&path[step]);
                    mine.grown(0.2).overlaps(&other.footprint(&state))
                })
            };
            let already = touching(0).unwrap_or(false);
            if !already
                && (1..path.len())
                    .step_by(2)
                    .any(|step| touching(step) == Some(true))
            {
                return false;
            }
        }
        true
    }

    /// Which futures of the target the path hits (weight, half seconds before the overlap). `None` if the logged
    /// one is missed: the model is given that one.
    fn hits(&self, path: &[State]) -> Option<Vec<(f64, f64)>> {
        let last = path.last()?;
        let mut hits = Vec::new();
        for (index, (weight, boxes)) in self.futures.boxes.iter().enumerate() {
            // beyond the contact the attacker goes straight on for one second
            let beyond = (1..=10).map(|step| State {
                position: last.position + last.velocity * (f64::from(step) * STEP_S),
                ..*last
            });
            let states = path.iter().copied().chain(beyond);
            let first = states.zip(boxes).position(|(state, victim)| {
                victim.is_some_and(|victim| self.attacker.footprint(&state).overlaps(&victim))
            });
            match first {
                Some(step) => hits.push((*weight, step as f64 * STEP_S / 0.5)),
                None if index == 0 => return None,
                None => {}
            }
        }
        Some(hits)
    }
}

struct Drive {
    path: Vec<State>,
    likelihood: f64,
    peak: [f64; 2],
    curvature: f64,
}

fn spread(mut found: Vec<AttackCandidate>) -> Vec<AttackCandidate> {
    found.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| a.attack.attacker.cmp(&b.attack.attacker))
            .then(a.attack.time_s.total_cmp(&b.attack.time_s))
    });
    let mut taken: BTreeMap<AgentId, Vec<f64>> = BTreeMap::new();
    let mut kept = Vec::new();
    for candidate in found {
        let times = taken.entry(candidate.attack.attacker.clone()).or_default();
        let apart = times
            .iter()
            .all(|time_s| (time_s - candidate.attack.time_s).abs() > 0.9);
        if times.len() < 3 && apart {
            times.push(candidate.attack.time_s);
            kept.push(candidate);
        }
        if kept.len() == 12 {
            break;
        }
    }
    kept
}

/// The aim of an attack already in the scene: the best candidate with its attacker, target, time and contact point.
///
/// # Errors
///
/// As [`attack_candidates`].
pub fn aim_of(scene: &Scene, attack: &Attack) -> Result<AttackCandidate, AttackError> {
    let query = AttackQuery {
        target: Some(attack.target.clone()),
        attacker: Some(attack.attacker.clone()),
        time_s: Some(attack.time_s),
        offset: Some(attack.offset),
        planned: Vec::new(),
    };
    let mut found = attack_candidates(scene, &query)?;
    Ok(found.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Polyline;
    use crate::geometry::dvec2;
    use crate::map::{Lane, LaneKind, Map, MapParts};
    use crate::scene::{Role, Track};
    use std::f64::consts::FRAC_PI_2;
    use std::sync::Arc;

    fn driver(id: &str, pose: Pose, speed: f64) -> Arc<Agent> {
        let states = (0..101).map(|frame| {
            let ahead = speed * 0.1 * f64::from(frame - 20);
            Some(State::along(
                Pose::new(pose.outer_from_local(dvec2(ahead, 0.0)), pose.heading),
                speed,
            ))
        });
        Arc::new(Agent::new(
            id,
            AgentKind::Vehicle,
            Track::new(states.collect()),
        ))
    }

    /// Two crossing lanes; the ego at the origin going east at 10 m/s, others as given (pose at the present).
    fn crossing(others: Vec<Arc<Agent>>) -> Scene {
        let lane = |id: &str, from: DVec2, to: DVec2| {
            Lane::new(id, LaneKind::Street, Polyline::new([from, to]).unwrap())
        };
        let mut scene = Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            map: Arc::new(Map::build(MapParts {
                lanes: vec![
                    lane("east", dvec2(-100.0, 0.0), dvec2(200.0, 0.0)),
                    lane("north", dvec2(40.0, -100.0), dvec2(40.0, 100.0)),
                ],
                ..MapParts::default()
            })),
            agents: vec![driver("ego", Pose::at(0.0, 0.0, 0.0), 10.0)],
            ..Scene::default()
        };
        Arc::make_mut(&mut scene.agents[0]).role = Role::Ego;
        scene.agents.extend(others);
        scene
    }

    #[test]
    fn a_crossing_car_that_is_due_at_the_same_time_is_the_best_attack() {
        // the ego is at x = 40 after 4 s; the other, 40 m south of the crossing at 10 m/s, too
        let scene = crossing(vec![
            driver("crosses", Pose::at(40.0, -38.0, FRAC_PI_2), 10.0),
            driver("behind", Pose::at(-30.0, 0.0, 0.0), 10.0),
        ]);
        let found = attack_candidates(&scene, &AttackQuery::default()).unwrap();
        let best = &found[0];
        assert_eq!(best.attack.attacker, AgentId::new("crosses"));
        assert!((best.attack.time_s - 6.0).abs() <= 0.5, "{}", best.label());
        assert!(
            best.likelihood > 0.8 && best.overlap >= 0.5,
            "{}",
            best.label()
        );
        assert!((best.score - best.likelihood * best.overlap * best.earliness).abs() < 1e-12);
        assert!(
            found
                .iter()
                .all(|c| c.attack.attacker != AgentId::new("behind"))
        );
        assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }

    #[test]
    fn what_the_planner_may_do_has_half_of_the_overlap_by_its_probabilities() {
        let scene = crossing(vec![driver(
            "crosses",
            Pose::at(40.0, -38.0, FRAC_PI_2),
            10.0,
        )]);
        let future = |speed: f64| -> Vec<State> {
            let at = |step: i32| Pose::at(speed * 0.1 * f64::from(step), 0.0, 0.0);
            (0..=80).map(|step| State::along(at(step), speed)).collect()
        };
        let overlap = |planned: Vec<(f64, Vec<State>)>| {
            let query = AttackQuery {
                planned,
                ..AttackQuery::default()
            };
            attack_candidates(&scene, &query).unwrap()[0].overlap
        };
        // as it drives in the scene it is met for certain; a planner that stands still never is
        assert_eq!(overlap(vec![(1.0, future(0.0))]), 0.5);
        assert_eq!(overlap(vec![(1.0, future(10.0))]), 1.0);
        // ½ + ½ · 0.3 / (0.3 + 0.1)
        let mixed = overlap(vec![(0.3, future(10.0)), (0.1, future(0.0))]);
        assert!((mixed - 0.875).abs() < 1e-12, "{mixed}");
    }

    #[test]
    fn a_car_too_far_to_get_there_in_time_is_called_unreachable() {
        let scene = crossing(vec![driver("far", Pose::at(40.0, -59.0, FRAC_PI_2), 1.0)]);
        let query = AttackQuery {
            attacker: Some(AgentId::new("far")),
            time_s: Some(4.0), // 2 s after the present: 59 m from 1 m/s would need 29 m/s²
            ..AttackQuery::default()
        };
        let error = attack_candidates(&scene, &query)
            .unwrap_err()
            .with_nearest(&scene);
        let AttackError::Unreachable(found) = &error else {
            panic!("{error}");
        };
        assert_eq!((found.why, found.nearest_s), (Hindrance::Far, None)); // nor is it there up to 8 s after
        let text = error.to_string();
        assert_eq!(
            text,
            "\"far\" cannot meet \"ego\" at 4.0 s: it is too far away for its speed"
        );
    }

    #[test]
    fn a_third_party_in_between_blocks_the_way() {
        let query = AttackQuery {
            attacker: Some(AgentId::new("crosses")),
            time_s: Some(6.0),
            ..AttackQuery::default()
        };
        let attacker = driver("crosses", Pose::at(40.0, -38.0, FRAC_PI_2), 10.0);
        let free = crossing(vec![attacker.clone()]);
        assert!(attack_candidates(&free, &query).is_ok());
        let wall = (0..9).map(|k| {
            driver(
                &format!("w{k}"),
                Pose::at(24.0 + 4.0 * f64::from(k), -18.0, 0.0),
                0.0,
            )
        });
        let blocked = crossing(std::iter::once(attacker).chain(wall).collect());
        let text = attack_candidates(&blocked, &query).unwrap_err().to_string();
        assert!(
            text.contains("at 6.0 s: somebody else is in its way"),
            "{text}"
        );
    }

    #[test]
    fn a_contact_too_soon_is_told_with_the_nearest_time_that_can_be() {
        // 8 s after the present at 10 m/s the ego is at x = 80, long past the crossing; the other gets there after 4 s
        let scene = crossing(vec![driver(
            "crosses",
            Pose::at(40.0, -38.0, FRAC_PI_2),
            10.0,
        )]);
        let query = AttackQuery {
            attacker: Some(AgentId::new("crosses")),
            time_s: Some(3.0), // the ego is at x = 10: 48 m from where the other is, in a second
            ..AttackQuery::default()
        };
        let error = attack_candidates(&scene, &query)
            .unwrap_err()
            .with_nearest(&scene);
        let AttackError::Unreachable(found) = &error else {
            panic!("{error}");
        };
        assert_eq!(found.why, Hindrance::Far);
        let can = |time_s: f64| {
            let query = AttackQuery {
                time_s: Some(time_s),
                ..query.clone()
            };
            attack_candidates(&scene, &query).is_ok()
        };
        let nearest_s = found.nearest_s.unwrap();
        assert!(can(nearest_s));
        let mut earlier = (5..)
            .map(|halves| 0.5 * f64::from(halves))
            .take_while(|time_s| *time_s < nearest_s);
        assert!(!earlier.any(can));
        assert!(
            error.to_string().ends_with("it can touch some part of it"),
            "{error}"
        );
    }

    #[test]
    fn nobody_near_and_no_ego_are_told_apart() {
        let mut scene = crossing(vec![]);
        let error = attack_candidates(&scene, &AttackQuery::default()).unwrap_err();
        assert!(matches!(error, AttackError::Nobody { .. }));
        scene.agents.clear();
        let error = attack_candidates(&scene, &AttackQuery::default()).unwrap_err();
        assert_eq!(error, AttackError::NoTarget);
    }
}
