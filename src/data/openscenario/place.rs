//! Where positions are.

use super::motion::ON_LANE_M;
use super::play::Player;
use crate::data::xml::Element;
use crate::geometry::{Pose, dvec2};

/// A resolved position.
pub(super) struct Place {
    pub(super) pose: Pose,
    /// Whether the file says the heading.
    pub(super) turned: bool,
    pub(super) z: f64,
}

impl Player<'_> {
    /// Where a `<Position>` is; `None` for kinds that are not known and for what depends on somebody not placed yet.
    pub(super) fn place(&self, position: &Element) -> Option<Place> {
        let element = position.children.first()?;
        let number = |name: &str| element.number_attribute(name);
        let text = |name: &str| element.attribute(name);
        let of = || self.bodies[self.index(text("entityRef")?)?].pose;
        let lane_of = || {
            let hit = self
                .map
                .lanes_near(of()?.point, ON_LANE_M)
                .into_iter()
                .next()?;
            Some(self.map.lanes()[hit.lane].id.clone())
        };
        let base = match element.name.as_str() {
            "WorldPosition" => {
                let pose = Pose::at(number("x")?, number("y")?, number("h").unwrap_or(0.0));
                return Some(Place {
                    pose,
                    turned: text("h").is_some(),
                    z: number("z").unwrap_or(0.0),
                });
            }
            "LanePosition" => {
                let lane = text("laneId")?.trim().parse().ok()?;
                let offset = number("offset").unwrap_or(0.0);
                self.network
                    .lane_pose(text("roadId")?, lane, number("s")?, offset)?
            }
            "RoadPosition" => {
                self.network
                    .road_pose(text("roadId")?, number("s")?, number("t")?)?
            }
            "RelativeWorldPosition" => {
                let pose = of()?;
                let by = dvec2(number("dx")?, number("dy")?);
                Pose::new(pose.point + by, pose.heading)
            }
            "RelativeObjectPosition" => {
                let pose = of()?;
                let by = dvec2(number("dx")?, number("dy")?);
                Pose::new(pose.outer_from_local(by), pose.heading)
            }
            "RelativeLanePosition" => {
                let along = number("ds").or(number("dsLane")).unwrap_or(0.0);
                let lanes = number("dLane").unwrap_or(0.0).clamp(-64.0, 64.0) as i32;
                let offset = number("offset").unwrap_or(0.0);
                self.network
                    .lane_from((&lane_of()?, of()?.point), along, lanes, offset)?
            }
            "RelativeRoadPosition" => {
                let along = number("ds").unwrap_or(0.0);
                self.network.road_from(
                    (&lane_of()?, of()?.point),
                    along,
                    number("dt").unwrap_or(0.0),
                )?
            }
            "RoutePosition" => self.on_route(element)?,
            _ => return None,
        };
        let orientation = element.child("Orientation");
        let turned = orientation.and_then(|turned| turned.number_attribute("h"));
        let relative = orientation.and_then(|turned| turned.attribute("type")) == Some("relative");
        let heading = match turned {
            Some(turned) if relative => base.heading + turned,
            Some(turned) => turned,
            None => base.heading,
        };
        Some(Place {
            pose: Pose::new(base.point, heading),
            turned: turned.is_some(),
            z: 0.0,
        })
    }
}
