//! Validity gates: whether a made case could happen, each with value, limit, agent, frame and a sentence.

use std::collections::BTreeSet;

use super::escape::{Escape, escape};
use super::limits::{Limits, limits_of};
use crate::geometry::angle_between;
use crate::metrics::{
    Contact, FaultFinding, Grid, Motion, Part, Row, Samples, beyond_the_map, contacts, fault_of,
    first_contact, lane_distance, motion_of, on_drivable_area,
};
use crate::scene::{Agent, AgentId, AgentKind, Avoidability, Fault, GateResult, Scene, State};

/// All findings on one case.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The gates, in a fixed order.
    pub gates: Vec<GateResult>,
    /// First contact between the case's target (the ego, or whom an attack names) and another agent.
    pub contact: Option<Contact>,
    /// Who is at fault for it.
    pub fault: Option<FaultFinding>,
    /// Whether the target could have escaped, and how.
    pub avoidability: Avoidability,
    /// The search behind it, where there was a contact.
    pub escape: Option<Escape>,
}

impl Verdict {
    /// Whether every gate passed.
    pub fn valid(&self) -> bool {
        self.gates.iter().all(|gate| gate.passed)
    }

    /// The fault as it is stored: `None` without contact.
    pub fn stored_fault(&self) -> Fault {
        self.fault
            .as_ref()
            .map_or(Fault::None, |finding| finding.fault)
    }
}

/// Judges `scene`, whose agents `made` have a future a model (or a hand) wrote from the present on.
///
/// With an attack, everything is judged up to the first contact of attacker and target: what comes after it did
/// not happen. Without, the first contact of the ego counts for fault and escape.
pub fn judge(scene: &Scene, made: &BTreeSet<AgentId>) -> Verdict {
    let case = Case::new(scene, made);
    let findings = case.of_everyone().into_iter();
    let mut gates: Vec<GateResult> = findings.map(|finding| finding.gate).collect();
    if scene.attacks.is_empty() {
        gates.push(case.collision());
    } else {
        gates.push(case.contact());
        gates.push(case.third_party());
        gates.push(case.original());
    }
    let target = target_of(scene);
    let contact = match &case.hit {
        Some(contact) => Some(contact.clone()),
        None => target
            .as_ref()
            .and_then(|target| case.first_contact_of(target)),
    };
    let fault = contact.as_ref().zip(target.as_ref());
    let fault = fault.and_then(|(contact, target)| {
        let (ego, other) = (scene.agent(target)?, scene.agent(contact.other(target))?);
        fault_of(scene, contact, ego, other)
    });
    let escape = contact
        .as_ref()
        .zip(target.as_ref())
        .and_then(|(contact, target)| escape(scene, target, contact));
    let avoidability = match (&contact, &escape) {
        (None, _) => Avoidability::NotNeeded,
        (_, Some(escape)) if !escape.path.is_empty() => Avoidability::Avoidable,
        _ => Avoidability::Unavoidable,
    };
    Verdict {
        gates,
        contact,
        fault,
        avoidability,
        escape,
    }
}

/// Who keeps `scene` from being valid: of each gate that every made agent has to pass the one that is farthest from it,
/// if it fails, and pairs that touch and should not, earliest first.
pub(super) fn culprits(
    scene: &Scene,
    made: &BTreeSet<AgentId>,
) -> (BTreeSet<AgentId>, Vec<Contact>) {
    let case = Case::new(scene, made);
    let failed = case
        .of_everyone()
        .into_iter()
        .filter(|finding| !finding.gate.passed);
    let alone = failed.filter_map(|finding| finding.gate.agent).collect();
    // nobody is drawn anew out of where an edit put it
    let touching = case.unintended().0.into_iter();
    (alone, touching.filter(|contact| !contact.before).collect())
}

/// How near the made agents come to a gate's limit over time.
#[derive(Debug, Clone, PartialEq)]
pub struct GateCurve {
    /// Name of the gate.
    pub gate: String,
    /// Of each frame of the scene the value as a share of the limit, of whoever is nearest to it or farthest beyond; NaN
    /// where nobody is judged.
    pub shares: Vec<f64>,
}

/// The curves behind those gates of [`judge`] that every made agent has to pass; none of contacts.
pub fn gate_curves(scene: &Scene, made: &BTreeSet<AgentId>) -> Vec<GateCurve> {
    let findings = Case::new(scene, made).of_everyone().into_iter();
    findings
        .map(|finding| GateCurve {
            gate: finding.gate.gate,
            shares: finding.shares,
        })
        .collect()
}

/// Whose safety a case is about: the target of its first attack, else the ego.
fn target_of(scene: &Scene) -> Option<AgentId> {
    let attacked = scene.attacks.first().map(|attack| attack.target.clone());
    attacked.or_else(|| scene.ego().map(|ego| ego.id.clone()))
}

/// The first contact of any attacker with its target.
fn attack_contact(scene: &Scene, samples: &Samples) -> Option<Contact> {
    scene
        .attacks
        .iter()
        .filter_map(|attack| {
            let attacker = samples.row(&attack.attacker)?;
            let target = samples.row(&attack.target)?;
            first_contact(samples, attacker, target)
        })
        .min_by_key(|contact| contact.at)
}

struct Case<'a> {
    scene: &'a Scene,
    made: &'a BTreeSet<AgentId>,
    samples: Samples,
    hit: Option<Contact>,
}

/// What a gate found, and the way there.
struct Finding {
    gate: GateResult,
    /// As in [`GateCurve`].
    shares: Vec<f64>,
}

/// The worst of a quantity so far: how far beyond its limit, its value, who and where.
struct Worst {
    /// Of each frame.
    shares: Vec<f64>,
    share: f64,
    value: f64,
    limit: f64,
    agent: Option<AgentId>,
    frame: Option<usize>,
}

impl Worst {
    fn none(limit: f64, scene: &Scene) -> Self {
        Self {
            shares: vec![f64::NAN; scene.frames],
            share: f64::NEG_INFINITY,
            value: 0.0,
            limit,
            agent: None,
            frame: None,
        }
    }

    fn offer(&mut self, value: f64, limit: f64, agent: &Agent, frame: usize) {
        let share = value.abs() / limit.abs();
        if let Some(held) = self.shares.get_mut(frame) {
            *held = held.max(share);
        }
        if share > self.share {
            (self.share, self.value, self.limit) = (share, value, limit);
            (self.agent, self.frame) = (Some(agent.id.clone()), Some(frame));
        }
    }

    fn gate(self, name: &str, unit: &str, sentence: impl Fn(&str, &Self) -> String) -> Finding {
        let who = self
            .agent
            .as_ref()
            .map_or("no agent".to_owned(), AgentId::to_string);
        let passed = self.share <= 1.0;
        let gate = GateResult {
            gate: name.to_owned(),
            passed,
            reason: sentence(&who, &self),
            value: self.value,
            limit: self.limit,
            unit: unit.to_owned(),
            agent: self.agent,
            frame: self.frame,
            extra: crate::map::Extra::new(),
        };
        Finding {
            gate,
            shares: self.shares,
        }
    }
}

impl<'a> Case<'a> {
    fn new(scene: &'a Scene, made: &'a BTreeSet<AgentId>) -> Self {
        let grid = Grid::frames(scene);
        let samples = Samples::new(scene, &grid, |agent| {
            if agent.kind == AgentKind::Other {
                Part::Absent
            } else if made.contains(&agent.id) {
                Part::Judged
            } else {
                Part::Met
            }
        });
        Self {
            scene,
            made,
            hit: attack_contact(scene, &samples),
            samples,
        }
    }

    /// The gates that every made agent has to pass.
    fn of_everyone(&self) -> Vec<Finding> {
        let mut findings = vec![self.start()];
        findings.extend(self.kinematics());
        findings.push(self.turning_on_the_spot());
        findings.push(self.reversing());
        if !self.scene.map.lanes().is_empty() {
            findings.push(self.road());
        }
        findings
    }

    /// Judged rows.
    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.samples.judged_with_future().map(|(_, row)| row)
    }

    /// Positions of the grid that count: after the present, up to the attack's contact.
    fn counted(&self) -> std::ops::RangeInclusive<usize> {
        let last = self.samples.grid.len() - 1;
        let end = self.hit.as_ref().map_or(last, |contact| contact.at);
        self.samples.grid.present + 1..=end
    }

    /// A row that after the counted end goes on at the velocity it has there: motion is read off a span of time, and what
    /// comes after the contact did not happen.
    fn undisturbed(&self, row: &Row) -> Row {
        let mut row = row.clone();
        let end = *self.counted().end();
        let times_s = &self.samples.grid.times_s;
        let last = row.states[end];
        for at in end + 1..row.states.len() {
            row.states[at] = last.map(|state| State {
                position: state.position + state.velocity * (times_s[at] - times_s[end]),
                ..state
            });
        }
        row
    }

    fn time(&self, frame: usize) -> f64 {
        self.scene.time_of(frame)
    }

    /// The first made state lies where the present one (log or edit), driving on, would be.
    fn start(&self) -> Finding {
        let dt_s = self.scene.dt_s;
        let limit = 0.2 + 0.5 * 9.0 * dt_s * dt_s;
        let mut worst = Worst::none(limit, self.scene);
        let present = self.samples.grid.present;
        for row in self.rows() {
            let now = row.states[present];
            let next = row.states.get(present + 1).copied().flatten();
            if let (Some(now), Some(next)) = (now, next) {
                let expected = now.position + now.velocity * dt_s;
                let jump = next.position.distance(expected);
                worst.offer(jump, limit, &row.agent, self.scene.now + 1);
            }
        }
        worst.gate("start", "m", |who, worst| {
            format!(
                "{who} begins {:.2} m from where its present state, driving on, would be.",
                worst.value
            )
        })
    }

    fn kinematics(&self) -> Vec<Finding> {
        let mut along = Worst::none(9.0, self.scene);
        let mut across = Worst::none(8.0, self.scene);
        let mut curvature = Worst::none(0.25, self.scene);
        let mut yaw_rate = Worst::none(1.3, self.scene);
        let mut slip = Worst::none(25_f64.to_radians(), self.scene);
        for row in self.rows() {
            let limits = limits_of(&row.agent);
            let motions = motion_of(&self.undisturbed(row), &self.samples.grid);
            for at in self.counted() {
                let Some(motion) = &motions[at] else { continue };
                let frame = self.samples.frame(at);
                let limit = along_limit(motion, &limits);
                along.offer(motion.along, limit, &row.agent, frame);
                across.offer(motion.across, limits.across, &row.agent, frame);
                if limits.curvature.is_finite() {
                    curvature.offer(motion.curvature, limits.curvature, &row.agent, frame);
                    yaw_rate.offer(motion.yaw_rate, limits.yaw_rate, &row.agent, frame);
                    slip.offer(motion.slip, limits.slip, &row.agent, frame);
                }
            }
        }
        let at = |worst: &Worst| self.time(worst.frame.unwrap_or(self.scene.now));
        vec![
            along.gate("acceleration", "m/s²", |who, worst| {
                let verb = if worst.value < 0.0 {
                    "brakes"
                } else {
                    "speeds up"
                };
                format!(
                    "{who} {verb} with {:.1} m/s² at {:.1} s; its kind can do {:.1}.",
                    worst.value.abs(),
                    at(worst),
                    worst.limit
                )
            }),
            across.gate("lateral_acceleration", "m/s²", |who, worst| {
                format!(
                    "{who} needs {:.1} m/s² sideways at {:.1} s; tyres give {:.1}.",
                    worst.value.abs(),
                    at(worst),
                    worst.limit
                )
            }),
            curvature.gate("curvature", "1/m", |who, worst| {
                format!(
                    "{who} turns with a radius of {:.1} m at {:.1} s; its length allows {:.1} m.",
                    1.0 / worst.value.abs().max(1e-3),
                    at(worst),
                    1.0 / worst.limit
                )
            }),
            yaw_rate.gate("yaw_rate", "rad/s", |who, worst| {
                format!(
                    "{who} turns at {:.2} rad/s at {:.1} s; possible are {:.2}.",
                    worst.value.abs(),
                    at(worst),
                    worst.limit
                )
            }),
            slip.gate("slip", "rad", |who, worst| {
                format!(
                    "{who} moves {:.0}° off its heading at {:.1} s; more than {:.0}° is a slide.",
                    worst.value.to_degrees(),
                    at(worst),
                    worst.limit.to_degrees()
                )
            }),
        ]
    }

    /// The worst running sum, over the counted steps of one agent on wheels, of what `adds` finds between two
    /// successive states `step_s` apart; steps without a finding are not judged.
    fn worst_sum(&self, limit: f64, adds: impl Fn(&State, &State, f64) -> Option<f64>) -> Worst {
        let mut worst = Worst::none(limit, self.scene);
        let times_s = &self.samples.grid.times_s;
        let wheels = self
            .rows()
            .filter(|row| row.agent.kind != AgentKind::Pedestrian);
        for row in wheels {
            let mut sum = 0.0;
            for at in self.counted() {
                let (Some(before), Some(state)) = (&row.states[at - 1], &row.states[at]) else {
                    continue;
                };
                if let Some(more) = adds(before, state, times_s[at] - times_s[at - 1]) {
                    sum += more;
                    worst.offer(sum, limit, &row.agent, self.samples.frame(at));
                }
            }
        }
        worst
    }

    /// Change of heading while (almost) standing, summed.
    fn turning_on_the_spot(&self) -> Finding {
        let worst = self.worst_sum(0.5, |before, state, step_s| {
            let stands = before.position.distance(state.position) < 0.5 * step_s;
            stands.then(|| angle_between(before.heading, state.heading).abs())
        });
        worst.gate("u_turn", "rad", |who, worst| {
            format!(
                "{who} turns {:.0}° while standing; {:.0}° are tolerated.",
                worst.value.to_degrees(),
                worst.limit.to_degrees()
            )
        })
    }

    /// Way driven backwards.
    fn reversing(&self) -> Finding {
        let worst = self.worst_sum(2.0, |before, state, _| {
            let ahead = (state.position - before.position).dot(before.pose().forward());
            Some((-ahead).max(0.0))
        });
        worst.gate("reverse", "m", |who, worst| {
            format!(
                "{who} goes {:.1} m backwards; {:.0} m are tolerated.",
                worst.value, worst.limit
            )
        })
    }

    /// Made vehicles and cyclists that start on the road stay on it. Where an agent's own log leaves every lane (a
    /// driveway the map lacks) nothing is held against it, except against an attacker; past the edge of the map it is
    /// no longer judged.
    fn road(&self) -> Finding {
        const LIMIT: f64 = 3.0;
        let map = &self.scene.map;
        let away = |point| {
            let distance = lane_distance(map, point).map_or(30.0, |hit| hit.offset.abs());
            if distance > LIMIT && on_drivable_area(map, point) {
                LIMIT
            } else {
                distance
            }
        };
        let mut worst = Worst::none(LIMIT, self.scene);
        let stride = ((0.2 / self.scene.dt_s).round() as usize).max(1);
        for row in self.rows() {
            let present = row.states[self.samples.grid.present];
            let starts_on = present.is_some_and(|state| away(state.position) <= LIMIT);
            if row.agent.kind == AgentKind::Pedestrian || !starts_on {
                continue;
            }
            let attacks = self.scene.attack_by(&row.agent.id).is_some();
            let log = self.scene.log.get(&row.agent.id);
            for at in self.counted().step_by(stride) {
                if let Some(state) = &row.states[at] {
                    if beyond_the_map(map, state.position) {
                        break;
                    }
                    let frame = self.samples.frame(at);
                    let was = log.and_then(|track| track.get(frame));
                    if !attacks && was.is_some_and(|was| away(was.position) > LIMIT) {
                        continue;
                    }
                    worst.offer(away(state.position), LIMIT, &row.agent, frame);
                }
            }
        }
        // not every frame is looked at
        for frame in 1..worst.shares.len() {
            let from = frame.saturating_sub(stride - 1);
            if worst.shares[frame].is_nan() {
                let held = worst.shares[from..frame].iter().rev();
                let held = held.copied().find(|share| !share.is_nan());
                worst.shares[frame] = held.unwrap_or(f64::NAN);
            }
        }
        worst.gate("road", "m", |who, worst| {
            format!(
                "{who} is {:.1} m from the nearest centreline at {:.1} s and on no drivable area; {:.1} m is the limit.",
                worst.value,
                self.time(worst.frame.unwrap_or(self.scene.now)),
                worst.limit
            )
        })
    }

    /// Contacts of made agents up to the counted end that are new or that edits made, the attack's own left out, and
    /// those in which somebody appears.
    fn unintended(&self) -> (Vec<Contact>, Vec<Contact>) {
        let end = *self.counted().end();
        let meant = |contact: &Contact| {
            let attacks = &self.scene.attacks;
            attacks.iter().any(|attack| {
                contact.concerns(&attack.attacker) && contact.concerns(&attack.target)
            })
        };
        contacts(&self.samples)
            .into_iter()
            .filter(|contact| contact.at <= end && !self.both_walk(contact))
            .filter(|contact| match contact.before {
                true => !self.recorded_so(contact),
                false => !meant(contact),
            })
            .partition(|contact| !contact.appears)
    }

    /// Whether two that overlap from the start did so in the recording, too: boxes of recordings touch, but nobody is put
    /// into another by an edit.
    fn recorded_so(&self, contact: &Contact) -> bool {
        let ids = [&contact.first, &contact.second];
        if ids.iter().any(|id| self.scene.is_added(id)) {
            return false;
        }
        let logged = ids.map(|id| Some((self.scene.agent(id)?, self.scene.logged_track(id)?)));
        let [Some((one, of_one)), Some((other, of_other))] = logged else {
            return true;
        };
        (0..=self.scene.now).any(|frame| {
            let states = of_one.get(frame).zip(of_other.get(frame));
            states.is_some_and(|(a, b)| one.footprint(a).overlaps(&other.footprint(b)))
        })
    }

    /// People who walk together touch: that is no accident.
    fn both_walk(&self, contact: &Contact) -> bool {
        let walks = |id: &AgentId| {
            let agent = self.scene.agent(id);
            agent.is_some_and(|agent| agent.kind == AgentKind::Pedestrian)
        };
        walks(&contact.first) && walks(&contact.second)
    }

    fn count_gate(&self, name: &str, found: &[Contact], otherwise: &str) -> GateResult {
        let first = found.first();
        GateResult {
            gate: name.to_owned(),
            passed: found.is_empty(),
            value: found.len() as f64,
            limit: 0.0,
            unit: "contacts".to_owned(),
            agent: first.map(|contact| {
                if self.made.contains(&contact.first) {
                    contact.first.clone()
                } else {
                    contact.second.clone()
                }
            }),
            frame: first.map(|contact| contact.frame),
            extra: crate::map::Extra::new(),
            reason: first.map_or(otherwise.to_owned(), |contact| {
                format!(
                    "{} and {} overlap by {:.2} m at {:.1} s.",
                    contact.first, contact.second, contact.depth_m, contact.time_s
                )
            }),
        }
    }

    fn collision(&self) -> GateResult {
        self.untouched("collision", "No made agent touches another.")
    }

    fn third_party(&self) -> GateResult {
        self.untouched("third_party", "Nobody else is touched before the contact.")
    }

    /// Whoever the recording shows for the first time inside a made agent is the recording's: no place for it was left
    /// because nobody knew of it.
    fn untouched(&self, name: &str, otherwise: &str) -> GateResult {
        let (found, appear) = self.unintended();
        let mut gate = self.count_gate(name, &found, otherwise);
        let walkers = self.walkers_that_touch();
        if found.is_empty() && walkers > 0 {
            let pairs = if walkers == 1 {
                "pair of people"
            } else {
                "pairs of people"
            };
            gate.reason = format!(
                "{otherwise} ({walkers} {pairs} walk into each other: that is not counted.)"
            );
        }
        if let (true, Some(contact)) = (found.is_empty(), appear.first()) {
            gate.reason = format!(
                "{otherwise} ({} and {} overlap at {:.1} s, where one of them is first recorded: that is not counted.)",
                contact.first, contact.second, contact.time_s
            );
        }
        gate
    }

    /// The target is not hit in its own log already. What no gate counts is not counted here either: overlaps from the
    /// history on, with somebody who is first recorded there, and of people who walk together.
    fn original(&self) -> GateResult {
        let log = crate::metrics::logged(self.scene);
        let targets: BTreeSet<&AgentId> = self
            .scene
            .attacks
            .iter()
            .map(|attack| &attack.target)
            .collect();
        let samples = Samples::new(&log, &Grid::frames(&log), |agent| {
            if targets.contains(&agent.id) {
                Part::Judged
            } else if agent.kind == AgentKind::Other {
                Part::Absent
            } else {
                Part::Met
            }
        });
        let end_s = self.samples.grid.times_s[*self.counted().end()] + 1e-6;
        let found: Vec<Contact> = contacts(&samples)
            .into_iter()
            .filter(|contact| contact.time_s <= end_s)
            .filter(|contact| contact.is_new() && !self.both_walk(contact))
            .collect();
        let otherwise = "The target is hit by nobody in its log.";
        self.count_gate("original", &found, otherwise)
    }

    /// Pairs of people whom the result brings into each other, up to the counted end.
    fn walkers_that_touch(&self) -> usize {
        let end = *self.counted().end();
        let all = contacts(&self.samples).into_iter();
        let new = all.filter(|contact| contact.at <= end && contact.is_new());
        new.filter(|contact| self.both_walk(contact)).count()
    }

    /// The intended contact happens.
    fn contact(&self) -> GateResult {
        let attack = &self.scene.attacks[0];
        let gap = self.least_gap(&attack.attacker, &attack.target);
        let (value, frame) = match (&self.hit, gap) {
            (Some(contact), _) => (0.0, Some(contact.frame)),
            (None, Some((gap, frame))) => (gap, Some(frame)),
            (None, None) => (1e3, None),
        };
        let reason = match &self.hit {
            Some(contact) => format!(
                "{} and {} touch at {:.1} s (intended {:.1} s).",
                contact.first, contact.second, contact.time_s, attack.time_s
            ),
            None => format!(
                "{} misses {}: the least gap is {value:.2} m at {:.1} s.",
                attack.attacker,
                attack.target,
                self.time(frame.unwrap_or(self.scene.now))
            ),
        };
        GateResult {
            gate: "contact".to_owned(),
            passed: self.hit.is_some(),
            value,
            limit: 0.0,
            unit: "m".to_owned(),
            agent: Some(attack.attacker.clone()),
            frame,
            reason,
            extra: crate::map::Extra::new(),
        }
    }

    fn least_gap(&self, attacker: &AgentId, target: &AgentId) -> Option<(f64, usize)> {
        let (attacker, target) = (self.samples.row(attacker)?, self.samples.row(target)?);
        self.samples
            .grid
            .future()
            .filter_map(|at| {
                let gap = attacker.footprint(at)?.distance(&target.footprint(at)?);
                Some((gap, self.samples.frame(at)))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
    }

    fn first_contact_of(&self, target: &AgentId) -> Option<Contact> {
        let row = self.samples.row(target)?;
        let others = self.samples.rows.iter();
        others
            .filter(|other| other.agent.id != *target)
            .filter(|other| other.judged || row.judged)
            .filter_map(|other| first_contact(&self.samples, row, other))
            .filter(Contact::is_new)
            .min_by_key(|contact| contact.at)
    }
}

fn along_limit(motion: &Motion, limits: &Limits) -> f64 {
    if motion.along < 0.0 {
        limits.brake
    } else {
        limits.accelerate
    }
}

#[cfg(test)]
#[path = "gates_tests.rs"]
mod tests;
