//! Which cases are nearly the same, so that a collection does not count one idea ten times.

use super::difference::differences;
use crate::geometry::{DVec2, angle_between};
use crate::metrics::{ContactKind, Grid, Part, Samples, contacts, fault_of};
use crate::scene::{AgentId, Role, Scene};

/// How near two cases must be to count as one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alike {
    /// Between the places of contact, and between the attacker's places in the target's frame, m. Without a
    /// contact: between the same agent at the same time, anywhere after the present.
    pub distance_m: f64,
    /// Between the times of contact, counted from the present, s.
    pub time_s: f64,
    /// Between the attacker's headings in the target's frame, rad.
    pub heading: f64,
}

impl Default for Alike {
    /// 2 m, half a second (one token) and 15°.
    fn default() -> Self {
        Self {
            distance_m: 2.0,
            time_s: 0.5,
            heading: 15_f64.to_radians(),
        }
    }
}

impl Alike {
    /// The measure in a sentence.
    pub fn sentence(&self) -> String {
        format!(
            "Cases with the same agents count as one if the same two meet in the same way within {} m, {} s and {:.0}° \
             of the first one; without a contact, if nobody is ever more than {} m elsewhere.",
            self.distance_m,
            self.time_s,
            self.heading.to_degrees(),
            self.distance_m
        )
    }

    /// Groups cases by position: each case joins the first group whose first case it is alike, else begins one.
    /// Every member is within the measure of its group's first case, not necessarily of every other.
    pub fn groups(&self, cases: &[(&Scene, &Gist)]) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (at, case) in cases.iter().enumerate() {
            let joins = groups
                .iter_mut()
                .find(|group| self.are_alike(cases[group[0]], *case));
            match joins {
                Some(group) => group.push(at),
                None => groups.push(vec![at]),
            }
        }
        groups
    }

    fn are_alike(&self, first: (&Scene, &Gist), other: (&Scene, &Gist)) -> bool {
        same_agents(first.0, other.0)
            && match (&first.1.0, &other.1.0) {
                (Some(a), Some(b)) => self.meet_alike(a, b),
                (None, None) => self.stay_near(first.0, other.0),
                _ => false,
            }
    }

    fn meet_alike(&self, a: &Meeting, b: &Meeting) -> bool {
        (&a.target, &a.other, a.kind) == (&b.target, &b.other, b.kind)
            && (a.time_s - b.time_s).abs() <= self.time_s + 1e-6
            && a.place.distance(b.place) <= self.distance_m
            && a.local.distance(b.local) <= self.distance_m
            && angle_between(a.heading, b.heading).abs() <= self.heading
    }

    fn stay_near(&self, a: &Scene, b: &Scene) -> bool {
        let changes = differences(a, b);
        let most = changes.first().map_or(0.0, |change| change.largest_m);
        most <= self.distance_m
    }
}

/// What a case is about: found once, compared often.
#[derive(Debug, Clone, PartialEq)]
pub struct Gist(Option<Meeting>);

impl Gist {
    /// The first contact of the attack's target, else of the ego, after the present; or that there is none.
    pub fn of(case: &Scene) -> Self {
        Self(meeting(case))
    }
}

/// The first contact after the present that a case is about.
#[derive(Debug, Clone, PartialEq)]
struct Meeting {
    target: AgentId,
    other: AgentId,
    kind: ContactKind,
    /// From the present, s.
    time_s: f64,
    /// Where the target is, m.
    place: DVec2,
    /// The other's place in the target's frame (ahead, left), m, and its heading there, rad.
    local: DVec2,
    heading: f64,
}

/// The first contact of the attack's target, else of the ego, with anyone.
fn meeting(case: &Scene) -> Option<Meeting> {
    let target = match case.attacks.first() {
        Some(attack) => attack.target.clone(),
        None => {
            let ego = case.agents.iter().find(|agent| agent.role == Role::Ego)?;
            ego.id.clone()
        }
    };
    let samples = Samples::new(case, &Grid::frames(case), |agent| {
        if agent.id == target {
            Part::Judged
        } else {
            Part::Met
        }
    });
    let contact = contacts(&samples)
        .into_iter()
        .find(|contact| contact.concerns(&target) && contact.is_new())?;
    let (own, other) = (case.agent(&target)?, case.agent(contact.other(&target))?);
    let kind = fault_of(case, &contact, own, other)?.kind;
    let frame = case.frame_at(contact.time_s);
    let (mine, theirs) = (own.track.sample(frame)?, other.track.sample(frame)?);
    Some(Meeting {
        other: other.id.clone(),
        target,
        kind,
        time_s: contact.time_s - case.now_s(),
        place: mine.position,
        local: mine.pose().local_from_outer(theirs.position),
        heading: angle_between(mine.heading, theirs.heading),
    })
}

fn same_agents(a: &Scene, b: &Scene) -> bool {
    let ids = |scene: &Scene| -> std::collections::BTreeSet<AgentId> {
        scene.agents.iter().map(|agent| agent.id.clone()).collect()
    };
    ids(a) == ids(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::scene::{Agent, AgentKind, State, Track};
    use std::sync::Arc;

    /// The ego stands at the origin, heading east; another comes from the east at 10 m/s along `y` and reaches x = 0
    /// `late_s` after 3 s.
    fn case(y: f64, late_s: f64) -> Scene {
        let at = |id: &str, role: Role, pose: &dyn Fn(f64) -> Pose, speed: f64| {
            let states =
                (0..51).map(|frame| Some(State::along(pose(0.1 * f64::from(frame)), speed)));
            let mut agent = Agent::new(id, AgentKind::Vehicle, Track::new(states.collect()));
            agent.role = role;
            Arc::new(agent)
        };
        let still = |_: f64| Pose::at(0.0, 0.0, 0.0);
        let comes = |time: f64| Pose::at(10.0 * (3.0 + late_s - time), y, std::f64::consts::PI);
        Scene {
            dt_s: 0.1,
            frames: 51,
            now: 10,
            agents: vec![
                at("ego", Role::Ego, &still, 0.0),
                at("other", Role::Other, &comes, 10.0),
            ],
            ..Scene::default()
        }
    }

    fn groups(cases: &[Scene]) -> Vec<Vec<usize>> {
        let gists: Vec<Gist> = cases.iter().map(Gist::of).collect();
        let pairs: Vec<(&Scene, &Gist)> = cases.iter().zip(&gists).collect();
        Alike::default().groups(&pairs)
    }

    #[test]
    fn the_same_meeting_a_little_later_is_one_case_and_much_later_another() {
        // bodies overlap from the moment the other is a car length away, so the times of contact differ by late_s
        let cases = [case(0.0, 0.0), case(0.5, 0.4), case(0.0, 1.0)];
        assert_eq!(groups(&cases), [vec![0, 1], vec![2]]);
    }

    #[test]
    fn a_near_miss_is_not_grouped_with_a_contact() {
        // 6 m beside the ego nobody touches; the third is 1.5 m from the second, the fourth 3 m from it
        let cases = [
            case(0.0, 0.0),
            case(6.0, 0.0),
            case(7.5, 0.0),
            case(9.0, 0.0),
        ];
        assert_eq!(groups(&cases), [vec![0], vec![1, 2], vec![3]]);
    }

    #[test]
    fn other_agents_make_another_case() {
        let mut other = case(6.0, 0.0);
        Arc::make_mut(&mut other.agents[1]).id = AgentId::new("someone");
        assert_eq!(groups(&[case(6.0, 0.0), other]).len(), 2);
    }
}
