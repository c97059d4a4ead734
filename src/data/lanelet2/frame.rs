//! Where the nodes of a map lie in metres: in the frame the file itself gives (`local_x`, `local_y`), else by
//! universal transverse Mercator (UTM) coordinates of their latitudes and longitudes.

use std::collections::BTreeMap;
use std::path::Path;

use proj4rs::Proj;
use proj4rs::transform::transform;

use super::osm::Osm;
use crate::data::OpenError;
use crate::data::report::Report;
use crate::geometry::{DVec2, dvec2};

/// Maps this near 0° N, 0° E, degrees, give plain metres written as if they lay there (as those of INTERACTION do).
const NEAR_ZERO_DEG: f64 = 1.0;

/// Which frame is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::data) enum Frame {
    /// The map's own: its local coordinates, else UTM, and metres from 0° N, 0° E for a map that lies there.
    Own,
    /// UTM less an origin, m, as recordings state theirs.
    Utm(DVec2),
}

/// The place of every node that has one.
pub(super) fn places(
    osm: &Osm,
    frame: Frame,
    path: &Path,
    report: &mut Report,
) -> Result<BTreeMap<i64, DVec2>, OpenError> {
    let locals = osm
        .nodes
        .values()
        .filter(|node| node.local.is_some())
        .count();
    if frame == Frame::Own && locals * 2 > osm.nodes.len() {
        report.skip_many("nodes without local coordinates", osm.nodes.len() - locals);
        let local = |(id, node): (&i64, &super::osm::Node)| Some((*id, node.local?));
        return Ok(osm.nodes.iter().filter_map(local).collect());
    }
    let known = osm.nodes.values().filter_map(|node| node.geographic);
    let (count, sum) = known.fold((0, DVec2::ZERO), |(count, sum), [lat, lon]| {
        (count + 1, sum + dvec2(lon, lat))
    });
    report.skip_many(
        "nodes without latitude and longitude",
        osm.nodes.len() - count,
    );
    let middle = sum / f64::from(count.max(1) as u32);
    let is_near_zero = frame == Frame::Own && middle.abs().max_element() < NEAR_ZERO_DEG;
    let longitude = if is_near_zero { 0.0 } else { middle.x };
    let zone = ((longitude + 180.0) / 6.0).floor().rem_euclid(60.0) as u8 + 1;
    let wrong = |error: proj4rs::errors::Error| {
        OpenError::damaged(path, format!("UTM zone {zone}"), error.to_string())
    };
    let globe = Proj::from_proj_string("+proj=longlat +datum=WGS84").map_err(wrong)?;
    let plane = Proj::from_proj_string(&format!("+proj=utm +zone={zone} +datum=WGS84"));
    let plane = plane.map_err(wrong)?;
    let project = |[lat, lon]: [f64; 2]| -> Result<DVec2, proj4rs::errors::Error> {
        let mut at = (lon.to_radians(), lat.to_radians(), 0.0);
        transform(&globe, &plane, &mut at)?;
        Ok(dvec2(at.0, at.1))
    };
    let origin = match frame {
        Frame::Utm(origin) => origin,
        Frame::Own if is_near_zero => project([0.0, 0.0]).map_err(wrong)?,
        Frame::Own => {
            report.note(format!("coordinates are UTM, zone {zone}"));
            DVec2::ZERO
        }
    };
    let mut places = BTreeMap::new();
    let mut far = 0;
    for (id, node) in &osm.nodes {
        // a projection fails far from its zone; such a node is on another side of the earth
        match node.geographic.map(project) {
            Some(Ok(at)) if at.is_finite() => {
                places.insert(*id, at - origin);
            }
            Some(_) => far += 1,
            None => {}
        }
    }
    report.skip_many("nodes too far from the others to be projected", far);
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, frame: Frame) -> DVec2 {
        let text = format!("<osm>{text}</osm>");
        let mut report = Report::default();
        let osm = Osm::read(text.as_bytes(), Path::new("x"), &mut report).unwrap();
        places(&osm, frame, Path::new("x"), &mut report).unwrap()[&1]
    }

    #[test]
    fn utm_is_that_of_proj() {
        // pyproj 3.7.2 (PROJ 9.5.1): Proj(proj="utm", zone=32, datum="WGS84")(6.0711611, 50.7820661)
        let known = dvec2(293_541.256_066, 5_629_680.114_159);
        let node = "<node id='1' lat='50.7820661' lon='6.0711611'/>";
        let at = place(node, Frame::Own);
        assert!(at.distance(known) < 1e-3, "{at:?}");
        let origin = dvec2(293_487.0, 5_629_712.0);
        assert!(place(node, Frame::Utm(origin)).distance(known - origin) < 1e-3);
    }

    #[test]
    fn a_map_at_zero_degrees_is_in_metres_from_there() {
        // the test map of the INTERACTION data set: its borders are meant to run from (1, 1) to (101, 1)
        let node = "<node id='1' lat='0.00000903484' lon='0.00090640957'/>";
        assert!(place(node, Frame::Own).distance(dvec2(101.0, 1.0)) < 1e-6);
    }

    #[test]
    fn local_coordinates_come_before_others() {
        let node = "<node id='1' lat='50' lon='6'><tag k='local_x' v='2.5'/><tag k='local_y' v='-4'/></node>";
        assert_eq!(place(node, Frame::Own), dvec2(2.5, -4.0));
    }
}
