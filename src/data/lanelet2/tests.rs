//! Lanelets from text: directions, connections, neighbours, signs, and what cannot be a map.

use super::*;
use crate::geometry::dvec2;
use crate::map::{AreaKind, Lane, LaneKind, LineKind};

/// Two lanes towards +x side by side (right: 1, left: 2), the right one going on in 3, an oncoming lane 4 whose ways
/// are both drawn the other way, and a crossing 5.
const MAP: &str = r#"<osm version="0.6">
<node id="1" lat="0" lon="0"><tag k="local_x" v="0"/><tag k="local_y" v="0"/></node>
<node id="2"><tag k="local_x" v="20"/><tag k="local_y" v="0"/></node>
<node id="3"><tag k="local_x" v="40"/><tag k="local_y" v="0"/></node>
<node id="4"><tag k="local_x" v="0"/><tag k="local_y" v="3"/></node>
<node id="5"><tag k="local_x" v="20"/><tag k="local_y" v="3"/></node>
<node id="6"><tag k="local_x" v="40"/><tag k="local_y" v="3"/></node>
<node id="7"><tag k="local_x" v="0"/><tag k="local_y" v="6"/></node>
<node id="8"><tag k="local_x" v="20"/><tag k="local_y" v="6"/></node>
<node id="9"><tag k="local_x" v="0"/><tag k="local_y" v="9"/></node>
<node id="10"><tag k="local_x" v="20"/><tag k="local_y" v="9"/></node>
<node id="11"><tag k="local_x" v="18"/><tag k="local_y" v="-1"/></node>
<node id="12"><tag k="local_x" v="18"/><tag k="local_y" v="4"/></node>
<way id="21"><nd ref="1"/><nd ref="2"/><tag k="type" v="road_border"/></way>
<way id="22"><nd ref="4"/><nd ref="5"/><tag k="type" v="line_thin"/><tag k="subtype" v="dashed"/></way>
<way id="23"><nd ref="2"/><nd ref="3"/></way>
<way id="24"><nd ref="6"/><nd ref="5"/></way>
<way id="25"><nd ref="7"/><nd ref="8"/><tag k="type" v="line_thick"/><tag k="subtype" v="solid"/><tag k="color" v="yellow"/></way>
<way id="26"><nd ref="9"/><nd ref="10"/></way>
<way id="27"><nd ref="11"/><nd ref="12"/><tag k="type" v="stop_line"/></way>
<way id="28"><nd ref="11"/><nd ref="12"/><tag k="type" v="traffic_sign"/><tag k="subtype" v="de206"/></way>
<relation id="1"><member type="way" ref="22" role="left"/><member type="way" ref="21" role="right"/>
  <member type="relation" ref="61" role="regulatory_element"/><member type="relation" ref="62" role="regulatory_element"/>
  <member type="relation" ref="63" role="regulatory_element"/>
  <tag k="type" v="lanelet"/><tag k="subtype" v="road"/></relation>
<relation id="2"><member type="way" ref="25" role="left"/><member type="way" ref="22" role="right"/>
  <tag k="type" v="lanelet"/><tag k="subtype" v="road"/><tag k="speed_limit" v="50"/></relation>
<relation id="3"><member type="way" ref="24" role="left"/><member type="way" ref="23" role="right"/>
  <tag k="type" v="lanelet"/><tag k="turn_direction" v="straight"/></relation>
<relation id="4"><member type="way" ref="25" role="left"/><member type="way" ref="26" role="right"/>
  <tag k="type" v="lanelet"/><tag k="subtype" v="bus_lane"/></relation>
<relation id="5"><member type="way" ref="21" role="left"/><member type="way" ref="22" role="right"/>
  <tag k="type" v="lanelet"/><tag k="subtype" v="crosswalk"/></relation>
<relation id="61"><member type="way" ref="27" role="ref_line"/><member type="way" ref="28" role="refers"/>
  <tag k="type" v="regulatory_element"/><tag k="subtype" v="traffic_sign"/></relation>
<relation id="62"><tag k="type" v="regulatory_element"/><tag k="subtype" v="speed_limit"/><tag k="sign_type" v="de274-36"/></relation>
<relation id="63"><member type="way" ref="27" role="ref_line"/>
  <tag k="type" v="regulatory_element"/><tag k="subtype" v="traffic_light"/></relation>
</osm>"#;

fn scene(text: &str) -> (Scene, Report) {
    read(text.as_bytes(), Path::new("corner.osm")).unwrap()
}

fn lane<'a>(scene: &'a Scene, id: &str) -> &'a Lane {
    let found = scene.map.lanes().iter().find(|lane| lane.id.as_str() == id);
    found.unwrap()
}

#[test]
fn a_lanelet_runs_with_its_left_bound_on_the_left() {
    let (scene, report) = scene(MAP);
    assert!(report.is_clean(), "{:?}", report.lines());
    let ends = |id: &str| {
        let line = &lane(&scene, id).centreline;
        (line.start(), line.end())
    };
    assert_eq!(ends("1"), (dvec2(0.0, 1.5), dvec2(20.0, 1.5)));
    // way 24 is drawn from right to left
    assert_eq!(ends("3"), (dvec2(20.0, 1.5), dvec2(40.0, 1.5)));
    // both ways of 4 are: its left bound is the southern one
    assert_eq!(ends("4"), (dvec2(20.0, 7.5), dvec2(0.0, 7.5)));
    assert_eq!(lane(&scene, "4").kind, LaneKind::Bus);
}

#[test]
fn shared_end_points_connect_and_shared_bounds_are_neighbours() {
    let (scene, _) = scene(MAP);
    let words = |ids: &[crate::map::LaneId]| -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    };
    assert_eq!(words(&lane(&scene, "1").successors), ["3"]);
    assert_eq!(words(&lane(&scene, "3").predecessors), ["1"]);
    assert!(lane(&scene, "2").successors.is_empty());
    let left = |id: &str| {
        lane(&scene, id)
            .left_neighbour
            .as_ref()
            .map(ToString::to_string)
    };
    assert_eq!(left("1").as_deref(), Some("2"));
    // 4 shares a bound with 2, but comes towards it
    assert_eq!(left("2"), None);
    assert_eq!(left("4"), None);
    assert!(lane(&scene, "3").in_junction && !lane(&scene, "1").in_junction);
}

#[test]
fn limits_lines_crossings_signs_and_lights_are_read() {
    let (scene, _) = scene(MAP);
    // 36 km/h by its sign, 50 km/h outright
    assert_eq!(lane(&scene, "1").speed_limit, Some(10.0));
    assert_eq!(lane(&scene, "2").speed_limit, Some(13.8889));
    let kinds: Vec<LineKind> = scene.map.lines().iter().map(|line| line.kind).collect();
    let expected = [
        LineKind::Edge,        // 21, a road border
        LineKind::BrokenWhite, // 22
        LineKind::SolidYellow, // 25
        LineKind::Edge, // 26, of no kind and of one lanelet; those of the junction are not drawn
        LineKind::SolidWhite, // 27, the stop line
    ];
    assert_eq!(kinds, expected);
    assert_eq!(scene.map.areas()[0].kind, AreaKind::Crossing);
    let sign = &scene.map.stop_signs()[0];
    assert_eq!(
        (sign.point, sign.lanes[0].as_str()),
        (dvec2(18.0, 1.5), "1")
    );
    let light = &scene.signals[0];
    assert_eq!(
        (light.lane.as_str(), light.stop_point),
        ("1", Some(dvec2(18.0, 1.5)))
    );
}

#[test]
fn a_lanelet_for_both_directions_is_two_lanes() {
    let both = MAP.replace(
        r#"<tag k="speed_limit" v="50"/>"#,
        r#"<tag k="one_way" v="no"/>"#,
    );
    let (scene, _) = scene(&both);
    let (there, back) = (lane(&scene, "2"), lane(&scene, "2 backwards"));
    assert_eq!(there.centreline.start(), back.centreline.end());
    assert_eq!(there.left_border.first(), back.right_border.last());
}

#[test]
fn what_cannot_be_a_map_is_said() {
    let fail = |text: &str| {
        read(text.as_bytes(), Path::new("x.osm"))
            .unwrap_err()
            .to_string()
    };
    let plain = fail("<osm><node id='1' lat='1' lon='2'/></osm>");
    assert!(plain.contains("without lanelets"), "{plain}");
    let bare = fail("<osm><relation id='7'><tag k='type' v='lanelet'/></relation></osm>");
    assert!(bare.contains("no lanelet has two bounds"), "{bare}");
    let cut = fail(&MAP[..900]);
    assert!(cut.contains("OpenStreetMap XML"), "{cut}");
}
