//! Who is at fault, by the rules of NAVSIM's no-at-fault-collision score (NC).

use crate::geometry::{OrientedBox, Pose, angle_between, dvec2};
use crate::scene::{Agent, Fault, Scene};

use super::area::Road;
use super::contact::Contact;

/// Kinds of contact, tested in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactKind {
    /// The ego stands (at most 0.05 m/s).
    StoppedEgo,
    /// The other stands (at most 0.05 m/s).
    StoppedTrack,
    /// The other's centre lies more than 150° off the ego's heading.
    Rear,
    /// The ego's front edge is cut.
    Front,
    /// Anything else.
    Side,
}

/// The verdict on one contact with the ego.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultFinding {
    /// Ego or other.
    pub fault: Fault,
    /// Kind of contact.
    pub kind: ContactKind,
    /// Why, in a sentence.
    pub reason: String,
}

/// Who is at fault for `contact` between the ego and another agent: the ego for a front contact, for running into
/// a standing object, and for a side contact while it straddles lanes or leaves the road; else the other.
/// `None` if either is not seen at the contact's frame.
pub fn fault_of(
    scene: &Scene,
    contact: &Contact,
    ego: &Agent,
    other: &Agent,
) -> Option<FaultFinding> {
    let frame = scene.frame_at(contact.time_s);
    let ego_state = ego.track.sample(frame)?;
    let other_state = other.track.sample(frame)?;
    let footprint = ego.footprint(&ego_state);
    let speeds = [ego_state.speed(), other_state.speed()];
    let kind = contact_kind(&footprint, &other.footprint(&other_state), speeds);
    let astray = kind == ContactKind::Side
        && Road::near(&scene.map, footprint.pose.point)
            .flags(&footprint)
            .astray();
    let (fault, why) = match kind {
        ContactKind::StoppedEgo => (Fault::Other, "the ego stands"),
        ContactKind::StoppedTrack => (Fault::Ego, "the other stands"),
        ContactKind::Rear => (Fault::Other, "the ego is hit from behind"),
        ContactKind::Front => (Fault::Ego, "the ego's front edge meets it"),
        ContactKind::Side if astray => (
            Fault::Ego,
            "a side contact while the ego straddles lanes or leaves the road",
        ),
        ContactKind::Side => (Fault::Other, "a side contact with the ego in its lane"),
    };
    let blamed = if fault == Fault::Ego {
        &ego.id
    } else {
        &other.id
    };
    Some(FaultFinding {
        fault,
        kind,
        reason: format!(
            "{} and {} touch at {:.1} s: {why}; by the NC rules {blamed} is at fault.",
            ego.id, other.id, contact.time_s
        ),
    })
}

/// The kind of a contact between the boxes of the ego and of another; `speeds` of both, m/s.
pub fn contact_kind(
    ego: &OrientedBox,
    other: &OrientedBox,
    [ego_speed, other_speed]: [f64; 2],
) -> ContactKind {
    const STANDS: f64 = 0.05;
    if ego_speed <= STANDS {
        return ContactKind::StoppedEgo;
    }
    if other_speed <= STANDS {
        return ContactKind::StoppedTrack;
    }
    let towards = (other.pose.point - ego.pose.point).to_angle();
    if angle_between(ego.pose.heading, towards).abs().to_degrees() > 150.0 {
        return ContactKind::Rear;
    }
    let front = Pose::new(
        ego.pose.outer_from_local(dvec2(ego.length / 2.0, 0.0)),
        ego.pose.heading,
    );
    if OrientedBox::new(front, 1e-3, ego.width).overlaps(other) {
        ContactKind::Front
    } else {
        ContactKind::Side
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::contact::contacts;
    use crate::metrics::grid::tests::{driver, scene_of};
    use crate::metrics::grid::{Grid, Samples};
    use crate::metrics::road::tests::straight_road;

    fn verdict(other: Agent) -> FaultFinding {
        let mut scene = scene_of(vec![driver("ego", (0.0, 0.0, 0.0), 10.0, 101), other]);
        scene.map = straight_road();
        let contact = contacts(&Samples::of_traffic(&scene, &Grid::frames(&scene)))[0].clone();
        fault_of(&scene, &contact, &scene.agents[0], &scene.agents[1]).unwrap()
    }

    #[test]
    fn running_into_a_slower_car_is_the_egos_fault() {
        let found = verdict(driver("slow", (30.0, 0.0, 0.0), 5.0, 101));
        assert_eq!((found.kind, found.fault), (ContactKind::Front, Fault::Ego));
    }

    #[test]
    fn being_hit_from_behind_is_not() {
        let found = verdict(driver("fast", (-40.0, 0.0, 0.0), 20.0, 101));
        assert_eq!((found.kind, found.fault), (ContactKind::Rear, Fault::Other));
    }

    #[test]
    fn a_parked_car_in_the_way_is_the_egos_fault() {
        let found = verdict(driver("parked", (60.0, 0.5, 0.0), 0.0, 101));
        assert_eq!(
            (found.kind, found.fault),
            (ContactKind::StoppedTrack, Fault::Ego)
        );
    }

    #[test]
    fn a_car_pushing_in_from_the_side_is_at_fault() {
        // beside the ego at the same speed along x, moving right at 10 sin(0.1) = 1 m/s from 6 m: front stays behind
        let found = verdict(driver("pushes", (-1.0, 6.0, -0.1), 10.05, 101));
        assert_eq!((found.kind, found.fault), (ContactKind::Side, Fault::Other));
    }
}
