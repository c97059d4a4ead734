//! Small networks whose lanes are known beforehand.

use super::*;
use crate::geometry::dvec2;
use crate::map::{Lane, LaneKind, LineKind};

fn opened(text: &str) -> Result<(Scene, Report), OpenError> {
    read(text.as_bytes(), Path::new("some.xodr"))
}

/// A road along x from `x`, with two lanes of 4 m and what else is put into it.
fn road(id: &str, x: f64, attributes: &str, link: &str, lane_link: &str) -> String {
    let lane = |number: i32| {
        format!(
            "<lane id='{number}' type='driving'><link>{lane_link}</link><width sOffset='0' a='4'/><roadMark sOffset='0' type='solid' color='white'/></lane>"
        )
    };
    format!(
        "<road id='{id}' length='50' junction='-1' {attributes}><link>{link}</link><type s='0' type='motorway'><speed max='90' unit='km/h'/></type>\
         <planView><geometry s='0' x='{x}' y='0' hdg='0' length='50'><line/></geometry></planView>\
         <lanes><laneOffset s='0' a='1'/><laneSection s='0'><left>{}</left><center><lane id='0' type='none'><roadMark sOffset='0' type='broken' color='yellow'/></lane></center><right>{}</right></laneSection></lanes></road>",
        lane(1),
        lane(-1)
    )
}

fn lane<'a>(scene: &'a Scene, id: &str) -> &'a Lane {
    let found = scene.map.lanes().iter().find(|lane| lane.id.as_str() == id);
    found.unwrap_or_else(|| panic!("no lane {id}"))
}

#[test]
fn lanes_lie_beside_the_line_in_their_driving_direction() {
    let text = format!("<OpenDRIVE>{}</OpenDRIVE>", road("7", 10.0, "", "", ""));
    let (scene, report) = opened(&text).unwrap();
    assert!(report.is_clean(), "{:?}", report.lines());
    let right = lane(&scene, "7.0.-1");
    // the middle lies 1 m to the left of the line; the right lane's centre 2 m to the right of that
    assert_eq!(
        right.centreline.points(),
        [dvec2(10.0, -1.0), dvec2(60.0, -1.0)]
    );
    assert_eq!(right.left_border, [dvec2(10.0, 1.0), dvec2(60.0, 1.0)]);
    assert_eq!(right.right_border, [dvec2(10.0, -3.0), dvec2(60.0, -3.0)]);
    assert_eq!(
        (right.kind, right.speed_limit, right.width),
        (LaneKind::Freeway, Some(25.0), Some(4.0))
    );
    let left = lane(&scene, "7.0.1");
    assert_eq!(
        left.centreline.points(),
        [dvec2(60.0, 3.0), dvec2(10.0, 3.0)]
    );
    assert_eq!(left.left_border, [dvec2(60.0, 1.0), dvec2(10.0, 1.0)]);
    assert!(left.left_neighbour.is_none() && right.left_neighbour.is_none());
    let kinds: Vec<LineKind> = scene.map.lines().iter().map(|line| line.kind).collect();
    assert_eq!(
        kinds,
        [
            LineKind::SolidWhite,
            LineKind::BrokenYellow,
            LineKind::SolidWhite
        ]
    );
}

#[test]
fn where_traffic_keeps_left_the_left_lanes_go_with_the_line() {
    let text = format!(
        "<OpenDRIVE>{}</OpenDRIVE>",
        road("7", 0.0, "rule='LHT'", "", "")
    );
    let (scene, _) = opened(&text).unwrap();
    let left = lane(&scene, "7.0.1");
    assert_eq!(left.centreline.start(), dvec2(0.0, 3.0));
    assert_eq!(left.right_border[0], dvec2(0.0, 1.0));
    assert_eq!(lane(&scene, "7.0.-1").centreline.start(), dvec2(50.0, -1.0));
}

#[test]
fn roads_that_follow_each_other_link_their_lanes_each_way() {
    let after = "<successor elementType='road' elementId='b' contactPoint='start'/>";
    let before = "<predecessor elementType='road' elementId='a' contactPoint='end'/>";
    let same = "<predecessor id='L'/><successor id='L'/>";
    let text = [
        road("a", 0.0, "", after, same),
        road("b", 50.0, "", before, same),
    ]
    .concat();
    // every lane is linked with the one of its own number
    let text = text
        .replace(
            "<lane id='1' type='driving'><link><predecessor id='L'/><successor id='L'/>",
            "<lane id='1' type='driving'><link><predecessor id='1'/><successor id='1'/>",
        )
        .replace(
            "<predecessor id='L'/><successor id='L'/>",
            "<predecessor id='-1'/><successor id='-1'/>",
        );
    let (scene, _) = opened(&format!("<OpenDRIVE>{text}</OpenDRIVE>")).unwrap();
    let next = |id: &str| -> Vec<String> {
        let successors = &lane(&scene, id).successors;
        successors.iter().map(|id| id.as_str().to_owned()).collect()
    };
    assert_eq!(next("a.0.-1"), ["b.0.-1"]);
    assert_eq!(next("b.0.1"), ["a.0.1"]);
    assert!(next("b.0.-1").is_empty() && next("a.0.1").is_empty());
    assert_eq!(lane(&scene, "a.0.1").predecessors.len(), 1);
}

#[test]
fn a_junction_links_the_roads_that_come_in_with_those_that_lead_through() {
    let at = "<successor elementType='junction' elementId='9'/>";
    let through = road(
        "t",
        50.0,
        "",
        "<predecessor elementType='road' elementId='a' contactPoint='end'/>",
        "",
    );
    let through = through.replace("junction='-1'", "junction='9'");
    let junction = "<junction id='9'><connection id='0' incomingRoad='a' connectingRoad='t' contactPoint='start'><laneLink from='-1' to='-1'/></connection></junction>";
    let text = [&road("a", 0.0, "", at, ""), &through, junction].concat();
    let (scene, _) = opened(&format!("<OpenDRIVE>{text}</OpenDRIVE>")).unwrap();
    let successors = &lane(&scene, "a.0.-1").successors;
    assert_eq!(
        successors.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
        ["t.0.-1"]
    );
    assert!(lane(&scene, "t.0.-1").in_junction && !lane(&scene, "a.0.-1").in_junction);
}

#[test]
fn a_lane_that_widens_on_a_bend_is_measured_along_it() {
    let text = "<OpenDRIVE><road id='1' length='60' junction='-1'><planView><geometry s='0' x='0' y='0' hdg='0' length='60'><arc curvature='0.01'/></geometry></planView>\
        <lanes><laneSection s='0'><center/><right><lane id='-1' type='driving'><width sOffset='0' a='3'/><width sOffset='20' a='3' b='0.1'/></lane><lane id='-2' type='curb'><width sOffset='0' a='1'/></lane></right></laneSection></lanes></road></OpenDRIVE>";
    let (scene, _) = opened(text).unwrap();
    let only = lane(&scene, "1.0.-1");
    assert_eq!(scene.map.lanes().len(), 1);
    // on the outside of a circle of 100 m: the border of the first 20 m at radius 103, at the end 3 + 0.1 · 40 = 7 m out
    for point in &only.right_border {
        let angle = (point.x / (100.0 - point.y)).atan();
        let radius = dvec2(point.x, point.y - 100.0).length();
        let s = 100.0 * angle;
        let expected = 103.0 + 0.1 * (s - 20.0).max(0.0);
        assert!((radius - expected).abs() < 2e-3, "{radius} {expected}");
    }
    let end = *only.right_border.last().unwrap();
    assert!((dvec2(end.x, end.y - 100.0).length() - 107.0).abs() < 1e-3);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_kept() {
    let bad = "<road id='x' length='5'><planView/></road><road id='y' length='5'><planView><geometry s='0' x='0' y='0' hdg='0' length='5'><line/></geometry></planView></road>";
    let twice = [road("7", 0.0, "", "", ""), road("7", 0.0, "", "", "")].concat();
    let (scene, report) = opened(&format!("<OpenDRIVE>{bad}{twice}</OpenDRIVE>")).unwrap();
    assert_eq!(scene.map.lanes().len(), 2);
    assert_eq!(report.problems.len(), 3, "{:?}", report.lines());
    let said = |text: &str| opened(text).unwrap_err().to_string();
    assert!(said("<OpenDRIVE></OpenDRIVE>").contains("no road with lanes"));
    assert!(said("<OpenDRIVE><road id='1'").contains("OpenDRIVE XML"));
}

#[test]
fn a_road_as_long_as_a_number_may_be_is_refused_before_memory_is_taken() {
    let text = "<OpenDRIVE><road id='1' length='1e15' junction='-1'><planView><geometry s='0' x='0' y='0' hdg='0' length='1e15'><arc curvature='0.01'/></geometry></planView>\
        <lanes><laneSection s='0'><right><lane id='-1' type='driving'><width sOffset='0' a='3'/></lane></right></laneSection></lanes></road></OpenDRIVE>";
    let said = opened(text).unwrap_err().to_string();
    assert!(said.contains("length of all roads"), "{said}");
}

#[test]
fn places_on_lanes_are_found_and_found_again() {
    let mut report = Report::default();
    let text = format!("<OpenDRIVE>{}</OpenDRIVE>", road("7", 0.0, "", "", ""));
    let network = Network::read(text.as_bytes(), Path::new("x"), &mut report).unwrap();
    let pose = network.lane_pose("7", 1, 20.0, 0.5).unwrap();
    // the left lane's middle at y = 3, half a metre to the left of the road's direction; traffic goes back
    assert!(pose.point.distance(dvec2(20.0, 3.5)) < 1e-9);
    assert!((pose.heading - std::f64::consts::PI).abs() < 1e-9);
    assert!(network.lane_pose("7", 3, 20.0, 0.0).is_none());
    assert!(network.lane_pose("8", 1, 20.0, 0.0).is_none());
    let id = LaneId::new("7.0.1");
    // 5 m ahead on the left lane is 5 m back along the road; the next lane to the right of it is -1
    let ahead = network.lane_from((&id, pose.point), 5.0, -1, 0.0).unwrap();
    assert!(ahead.point.distance(dvec2(15.0, -1.0)) < 1e-9, "{ahead:?}");
    let beside = network.road_from((&id, pose.point), 5.0, 1.0).unwrap();
    assert!(beside.point.distance(dvec2(15.0, 4.5)) < 1e-9, "{beside:?}");
    assert!(network.lane_from((&id, pose.point), 30.0, 0, 0.0).is_none());
}

#[test]
fn a_direct_junction_links_the_lanes_of_both_roads() {
    let meets = |end: &str| format!("<{end} elementType='junction' elementId='9'/>");
    let text = [
        road("a", 0.0, "", &meets("successor"), ""),
        road("b", 50.0, "", &meets("predecessor"), ""),
        "<junction id='9' type='direct'><connection incomingRoad='a' linkedRoad='b' contactPoint='start'><laneLink from='-1' to='-1'/><laneLink from='1' to='1'/></connection></junction>".to_owned(),
    ]
    .concat();
    let (scene, _) = opened(&format!("<OpenDRIVE>{text}</OpenDRIVE>")).unwrap();
    let after = |id: &str| lane(&scene, id).successors.clone();
    assert_eq!(after("a.0.-1"), [LaneId::new("b.0.-1")]);
    assert_eq!(after("b.0.1"), [LaneId::new("a.0.1")]);
}

#[test]
fn a_lane_is_cut_where_its_speed_limit_or_the_motorway_ends() {
    // town from 20 m on; the right lane says 10 m/s itself from 30 m on
    let town = "<type s='20' type='town'><speed max='36' unit='km/h'/></type><planView>";
    let own = "<speed sOffset='30' max='8'/></lane></right>";
    let text = road("7", 0.0, "", "", "")
        .replacen("<planView>", town, 1)
        .replace("</lane></right>", own);
    let (scene, report) = opened(&format!("<OpenDRIVE>{text}</OpenDRIVE>")).unwrap();
    assert!(report.is_clean(), "{:?}", report.lines());
    let parts = |id: i32| -> Vec<(LaneKind, f64, f64)> {
        let part = |part: i32| lane(&scene, &format!("7.{part}.{id}"));
        let facts = |lane: &Lane| {
            (
                lane.kind,
                lane.centreline.length(),
                lane.speed_limit.unwrap(),
            )
        };
        (0..3).map(|number| facts(part(number))).collect()
    };
    let (freeway, street) = (LaneKind::Freeway, LaneKind::Street);
    let right = [
        (freeway, 20.0, 25.0),
        (street, 10.0, 10.0),
        (street, 20.0, 8.0),
    ];
    assert_eq!(parts(-1), right);
    let left = right.map(|(kind, length, limit)| (kind, length, limit.max(10.0)));
    assert_eq!(parts(1), left);
    // the parts follow each other, and what is painted lies where it lay
    assert_eq!(lane(&scene, "7.0.-1").successors, [LaneId::new("7.1.-1")]);
    assert_eq!(lane(&scene, "7.2.1").successors, [LaneId::new("7.1.1")]);
    let painted = scene.map.lines().iter();
    let long = painted.map(|line| line.points[0].distance(line.points[1]));
    assert!((long.sum::<f64>() - 150.0).abs() < 1e-6);
    assert_eq!(lane(&scene, "7.2.-1").left_border[0], dvec2(30.0, 1.0));
}

#[test]
fn stop_signs_and_limits_hold_for_their_lanes_and_other_signs_are_counted() {
    let signal = |more: &str| format!("<signal {more} dynamic='no' country='OpenDRIVE'/>");
    let signals = [
        signal("id='1' type='206' s='48' t='-4' orientation='+'"),
        signal("id='2' type='274' s='25' t='-4' orientation='+' value='30' unit='km/h'"),
        signal("id='3' type='274' s='25' t='4' orientation='-' subtype='55'"),
        signal("id='4' type='205' s='2' t='4' orientation='-'"),
        "<signal id='5' type='1000001' dynamic='yes' s='48' t='-4' orientation='+'/>".to_owned(),
    ]
    .concat();
    let text = road("7", 0.0, "", "", "")
        .replace("</road>", &format!("<signals>{signals}</signals></road>"));
    let text = format!("<OpenDRIVE>{text}</OpenDRIVE>");
    let (scene, report) = opened(&text).unwrap();
    let limit = |id: &str| lane(&scene, id).speed_limit.unwrap();
    assert_eq!((limit("7.0.-1"), limit("7.0.1")), (25.0, 25.0));
    assert!((limit("7.1.-1") - 30.0 / 3.6).abs() < 1e-3);
    let [sign] = scene.map.stop_signs() else {
        panic!("{:?}", scene.map.stop_signs());
    };
    assert_eq!(sign.point, dvec2(48.0, -4.0));
    assert_eq!(sign.lanes, [LaneId::new("7.1.-1")]);
    let lines = report.lines().join("\n");
    assert!(lines.contains("2 static signals"), "{lines}");
    assert!(lines.contains("1 traffic light is off"), "{lines}");
}

#[test]
fn lights_are_off_on_the_lanes_that_they_hold_for() {
    let light = |more: &str| format!("<signal id='{more} country='OpenDRIVE' dynamic='yes'>");
    let signals = [
        light("1' type='1000001' s='48' t='-4' orientation='+'") + "</signal>",
        // for pedestrians, and for a lane that is not there
        light("2' type='1000002' s='48' t='-5' orientation='+'") + "</signal>",
        light("3' type='1000001' s='2' t='4' orientation='-'")
            + "<validity fromLane='2' toLane='3'/></signal>",
    ]
    .concat();
    let text = road("7", 0.0, "", "", "")
        .replace("</road>", &format!("<signals>{signals}</signals></road>"));
    let (scene, report) = opened(&format!("<OpenDRIVE>{text}</OpenDRIVE>")).unwrap();
    let [signal] = scene.signals.as_slice() else {
        panic!("{:?}", scene.signals);
    };
    // the right lane's centre lies 1 m to the right of the line
    assert_eq!(
        (signal.lane.as_str(), signal.stop_point, signal.at(0)),
        ("7.0.-1", Some(dvec2(48.0, -1.0)), SignalState::Unknown)
    );
    let skipped: Vec<&str> = report.skipped.keys().map(String::as_str).collect();
    let expected = [
        "traffic lights for pedestrians, cyclists or trams",
        "traffic lights that hold for no lane",
    ];
    assert_eq!(skipped, expected);
    assert_eq!(report.notes.len(), 1);
}
