//! Scenarios whose course is known beforehand.

use super::*;
use crate::geometry::{DVec2, Pose, dvec2};
use crate::scene::State;

/// A folder with a straight road of 1 km with two lanes of 4 m each way, along x from the origin.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let lane =
        |id: i32| format!("<lane id='{id}' type='driving'><width sOffset='0' a='4'/></lane>");
    let road = format!(
        "<OpenDRIVE><road id='0' length='1000' junction='-1'><planView><geometry s='0' x='0' y='0' hdg='0' length='1000'><line/></geometry></planView>\
         <lanes><laneSection s='0'><left>{}{}</left><center><lane id='0' type='none'/></center><right>{}{}</right></laneSection></lanes></road></OpenDRIVE>",
        lane(2),
        lane(1),
        lane(-1),
        lane(-2)
    );
    fs::write(folder.path().join("road.xodr"), road).unwrap();
    folder
}

/// A car on a lane at s and with a speed.
fn start(name: &str, lane: i32, s: f64, speed: f64) -> String {
    format!(
        "<Private entityRef='{name}'><PrivateAction><TeleportAction><Position><LanePosition roadId='0' laneId='{lane}' s='{s}'/></Position></TeleportAction></PrivateAction>{}</Private>",
        private(&speed_action(
            "AbsoluteTargetSpeed",
            &format!("value='{speed}'"),
            "step",
            "time",
            0.0
        ))
    )
}

fn private(inner: &str) -> String {
    format!("<PrivateAction>{inner}</PrivateAction>")
}

fn speed_action(kind: &str, target: &str, shape: &str, by: &str, value: f64) -> String {
    format!(
        "<LongitudinalAction><SpeedAction><SpeedActionDynamics dynamicsShape='{shape}' dynamicsDimension='{by}' value='{value}'/><SpeedActionTarget><{kind} {target}/></SpeedActionTarget></SpeedAction></LongitudinalAction>"
    )
}

fn change(target: &str, seconds: f64) -> String {
    format!(
        "<LateralAction><LaneChangeAction><LaneChangeActionDynamics dynamicsShape='sinusoidal' dynamicsDimension='time' value='{seconds}'/><LaneChangeTarget>{target}</LaneChangeTarget></LaneChangeAction></LateralAction>"
    )
}

fn after(seconds: f64) -> String {
    format!(
        "<ByValueCondition><SimulationTimeCondition value='{seconds}' rule='greaterThan'/></ByValueCondition>"
    )
}

fn of(who: &str, condition: &str) -> String {
    format!(
        "<ByEntityCondition><TriggeringEntities triggeringEntitiesRule='any'><EntityRef entityRef='{who}'/></TriggeringEntities><EntityCondition>{condition}</EntityCondition></ByEntityCondition>"
    )
}

/// An event of an actor with a condition, its delay and its edge.
fn event(name: &str, actor: &str, action: &str, condition: &str, more: &str) -> String {
    format!(
        "<ManeuverGroup name='g{name}'><Actors><EntityRef entityRef='{actor}'/></Actors><Maneuver name='m{name}'><Event name='{name}'><Action name='a{name}'>{}</Action>\
         <StartTrigger><ConditionGroup><Condition name='c' {more}>{condition}</Condition></ConditionGroup></StartTrigger></Event></Maneuver></ManeuverGroup>",
        private(action)
    )
}

fn scenario(init: &str, events: &str, stop_s: f64) -> String {
    let car = |name: &str| {
        format!(
            "<ScenarioObject name='{name}'><Vehicle name='v' vehicleCategory='car'><BoundingBox><Center x='0' y='0'/><Dimensions length='4' width='2'/></BoundingBox></Vehicle></ScenarioObject>"
        )
    };
    format!(
        "<OpenSCENARIO><FileHeader description='A test'/><RoadNetwork><LogicFile filepath='road.xodr'/></RoadNetwork><Entities>{}{}</Entities>\
         <Storyboard><Init><Actions>{init}</Actions></Init><Story name='s'><Act name='act'>{events}</Act></Story>\
         <StopTrigger><ConditionGroup><Condition name='stop'>{}</Condition></ConditionGroup></StopTrigger></Storyboard></OpenSCENARIO>",
        car("other"),
        car("Ego"),
        after(stop_s)
    )
}

fn opened(init: &str, events: &str, stop_s: f64) -> (Scene, Report) {
    let folder = folder();
    read(
        scenario(init, events, stop_s).as_bytes(),
        &folder.path().join("x.xosc"),
    )
    .unwrap()
}

fn at(scene: &Scene, who: &str, time_s: f64) -> State {
    let agent = scene.agent(&AgentId::new(who)).unwrap();
    *agent
        .track
        .get(scene.frame_at(time_s).round() as usize)
        .unwrap()
}

#[test]
fn cars_keep_their_lane_and_speed_and_the_stop_trigger_ends_it() {
    let init = [start("Ego", -1, 50.0, 10.0), start("other", 2, 300.0, 20.0)].concat();
    let (scene, report) = opened(&init, "", 8.0);
    assert!(report.is_clean(), "{:?}", report.lines());
    assert_eq!(
        (scene.name.as_str(), scene.frames, scene.dt_s),
        ("A test", 81, 0.1)
    );
    assert_eq!(scene.ego().unwrap().id.as_str(), "Ego");
    assert_eq!(
        (scene.ego().unwrap().length, scene.map.lanes().len()),
        (4.0, 4)
    );
    // lane −1 lies around y = −2; lane 2 around y = 6, towards −x
    assert!(at(&scene, "Ego", 8.0).position.distance(dvec2(130.0, -2.0)) < 1e-3);
    let other = at(&scene, "other", 8.0);
    assert!(other.position.distance(dvec2(140.0, 6.0)) < 1e-3);
    assert!((other.velocity - dvec2(-20.0, 0.0)).length() < 1e-3);
}

#[test]
fn a_speed_that_falls_evenly_covers_the_way_of_arithmetic() {
    let brake = speed_action("AbsoluteTargetSpeed", "value='0'", "linear", "rate", -2.0);
    let events = event("brake", "Ego", &brake, &after(2.0), "");
    let (scene, _) = opened(&start("Ego", -1, 0.0, 10.0), &events, 12.0);
    // 2 s at 10 m/s, then 10²/(2·2) = 25 m in 5 s, give or take a step of 0.05 s
    let end = at(&scene, "Ego", 12.0);
    assert!((end.position.x - 45.0).abs() < 0.6, "{}", end.position.x);
    assert!(end.velocity.length() < 1e-9);
    assert!((at(&scene, "Ego", 4.5).velocity.x - 5.0).abs() < 0.2);
}

#[test]
fn a_lane_change_ends_in_the_middle_of_the_next_lane_and_is_half_done_half_way() {
    let left = change("<RelativeTargetLane entityRef='Ego' value='1'/>", 4.0);
    let events = event("change", "Ego", &left, &after(2.0), "");
    let (scene, report) = opened(&start("Ego", -2, 0.0, 10.0), &events, 10.0);
    assert!(report.problems.is_empty(), "{:?}", report.lines());
    let y = |time_s: f64| at(&scene, "Ego", time_s).position.y;
    assert!((y(2.0) + 6.0).abs() < 1e-6 && (y(7.0) + 2.0).abs() < 1e-6);
    assert!((y(4.05) + 4.0).abs() < 0.1, "{}", y(4.05));
    assert!(at(&scene, "Ego", 4.0).heading > 0.1);
    // to a lane by its number
    let absolute = change("<AbsoluteTargetLane value='-1'/>", 4.0);
    let events = event("change", "Ego", &absolute, &after(2.0), "");
    let (scene, _) = opened(&start("Ego", -2, 0.0, 10.0), &events, 10.0);
    assert!((at(&scene, "Ego", 9.0).position.y + 2.0).abs() < 1e-6);
    // where there is none, the car stays, and that is said
    let none = change("<RelativeTargetLane entityRef='Ego' value='-1'/>", 4.0);
    let events = event("change", "Ego", &none, &after(2.0), "");
    let (scene, report) = opened(&start("Ego", -2, 0.0, 10.0), &events, 10.0);
    assert!((at(&scene, "Ego", 9.0).position.y + 6.0).abs() < 1e-6);
    assert!(
        report.lines()[0].contains("no such lane"),
        "{:?}",
        report.lines()
    );
}

#[test]
fn events_begin_by_headway_after_others_and_with_their_delay() {
    // 60 m behind at 20 m/s against 10: a headway of 1 s, 20 m, comes after 4 s
    let init = [
        start("other", -1, 100.0, 10.0),
        start("Ego", -1, 40.0, 20.0),
    ]
    .concat();
    let headway = of(
        "Ego",
        "<TimeHeadwayCondition entityRef='other' value='1' freespace='false' rule='lessThan'/>",
    );
    let brake = speed_action("AbsoluteTargetSpeed", "value='10'", "step", "time", 0.0);
    let begun = "<ByValueCondition><StoryboardElementStateCondition storyboardElementType='event' storyboardElementRef='brake' state='endTransition'/></ByValueCondition>";
    let away = speed_action("AbsoluteTargetSpeed", "value='30'", "step", "time", 0.0);
    let events = [
        event(
            "brake",
            "Ego",
            &brake,
            &headway,
            "conditionEdge='rising' delay='0'",
        ),
        event(
            "away",
            "other",
            &away,
            begun,
            "conditionEdge='rising' delay='1.5'",
        ),
    ]
    .concat();
    let (scene, _) = opened(&init, &events, 10.0);
    let speed = |who: &str, time_s: f64| at(&scene, who, time_s).velocity.x;
    assert!((speed("Ego", 3.8) - 20.0).abs() < 1e-3 && (speed("Ego", 4.3) - 10.0).abs() < 1e-3);
    assert!((speed("other", 5.3) - 10.0).abs() < 1e-3 && (speed("other", 5.9) - 30.0).abs() < 1e-3);
}

#[test]
fn a_relative_speed_follows_the_other_from_then_on() {
    let init = [start("other", -1, 100.0, 10.0), start("Ego", -2, 0.0, 5.0)].concat();
    let target = "entityRef='other' value='1.5' speedTargetValueType='factor' continuous='true'";
    let follow = speed_action("RelativeTargetSpeed", target, "step", "time", 0.0);
    let faster = speed_action("AbsoluteTargetSpeed", "value='20'", "step", "time", 0.0);
    let events = [
        event("f", "Ego", &follow, &after(1.0), ""),
        event("g", "other", &faster, &after(5.0), ""),
    ]
    .concat();
    let (scene, _) = opened(&init, &events, 8.0);
    assert!((at(&scene, "Ego", 4.0).velocity.x - 15.0).abs() < 1e-3);
    assert!((at(&scene, "Ego", 7.0).velocity.x - 30.0).abs() < 1e-3);
}

fn trajectory(shape: &str, timing: &str) -> String {
    format!(
        "<RoutingAction><FollowTrajectoryAction><Trajectory name='t' closed='false'><Shape>{shape}</Shape></Trajectory><TimeReference>{timing}</TimeReference></FollowTrajectoryAction></RoutingAction>"
    )
}

fn vertex(time: &str, x: f64, y: f64) -> String {
    format!("<Vertex {time}><Position><WorldPosition x='{x}' y='{y}'/></Position></Vertex>")
}

#[test]
fn a_trajectory_is_followed_by_its_times_or_by_the_speed() {
    let times = "<Timing domainAbsoluteRelative='relative' scale='1' offset='0'/>";
    let line = |timed: bool| {
        let time = |seconds: f64| {
            if timed {
                format!("time='{seconds}'")
            } else {
                String::new()
            }
        };
        format!(
            "<Polyline>{}{}{}</Polyline>",
            vertex(&time(0.0), 20.0, -2.0),
            vertex(&time(2.0), 40.0, -2.0),
            vertex(&time(4.0), 40.0, 28.0)
        )
    };
    let timed = event(
        "t",
        "Ego",
        &trajectory(&line(true), times),
        &after(1.97),
        "",
    );
    let (scene, _) = opened(&start("Ego", -1, 0.0, 10.0), &timed, 8.0);
    // from 2 s on; after 3 s half of the second leg, up
    let half = at(&scene, "Ego", 5.0);
    assert!(half.position.distance(dvec2(40.0, 13.0)) < 0.1, "{half:?}");
    assert!(
        (half.heading - std::f64::consts::FRAC_PI_2).abs() < 1e-3
            && (half.velocity.y - 15.0).abs() < 1e-6
    );
    let free = event(
        "t",
        "Ego",
        &trajectory(&line(false), "<None/>"),
        &after(1.97),
        "",
    );
    let (scene, _) = opened(&start("Ego", -1, 0.0, 10.0), &free, 8.0);
    // 30 m at 10 m/s: 20 along x, 10 up
    assert!(at(&scene, "Ego", 5.0).position.distance(dvec2(40.0, 8.0)) < 0.1);
}

#[test]
fn a_trajectory_at_the_start_is_followed_from_the_place_at_the_start() {
    let line = format!(
        "<Polyline>{}{}</Polyline>",
        vertex("", 0.0, -2.0),
        vertex("", 0.0, 98.0)
    );
    let told = format!(
        "<Private entityRef='Ego'>{}</Private>",
        private(&trajectory(&line, "<None/>"))
    );
    let (scene, _) = opened(&[told, start("Ego", -1, 0.0, 10.0)].concat(), "", 6.0);
    assert!(at(&scene, "Ego", 5.0).position.distance(dvec2(0.0, 48.0)) < 0.1); // 50 m up
}

#[test]
fn a_clothoid_without_change_is_a_circle() {
    let shape = "<Clothoid curvature='0.1' curvatureDot='0' length='31.41592653589793'><Position><WorldPosition x='0' y='0' h='0'/></Position></Clothoid>";
    let events = event("t", "Ego", &trajectory(shape, "<None/>"), &after(1.97), "");
    let (scene, _) = opened(&start("Ego", -1, 0.0, 10.0), &events, 6.0);
    // half of a circle of 10 m: from (0, 0) to (0, 20), back
    let end = at(&scene, "Ego", 5.1);
    assert!(end.position.distance(dvec2(0.0, 20.0)) < 0.5, "{end:?}");
}

#[test]
fn what_is_not_played_or_not_there_is_said() {
    let odd = "<ByValueCondition><ParameterCondition parameterRef='x' value='1' rule='equalTo'/></ByValueCondition>";
    let action = "<LateralAction><LateralDistanceAction entityRef='other'/></LateralAction>";
    let events = event("e", "Ego", action, odd, "");
    let lost = "<Private entityRef='other'><PrivateAction><TeleportAction><Position><RoutePosition/></Position></TeleportAction></PrivateAction></Private>";
    let (scene, report) = opened(&[&start("Ego", -1, 0.0, 10.0), lost].concat(), &events, 4.0);
    assert_eq!(scene.agents.len(), 1);
    let lines = report.lines().join("\n");
    for word in [
        "LateralDistanceAction: is not played",
        "ParameterCondition: is a condition that is never met here",
        "RoutePosition",
    ] {
        assert!(lines.contains(word), "{word}: {lines}");
    }
    let text = scenario(&start("Ego", -1, 0.0, 10.0), "", 4.0);
    let elsewhere = tempfile::tempdir().unwrap();
    let said = |text: &str| {
        let path = elsewhere.path().join("x.xosc");
        read(text.as_bytes(), &path)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(said(&text).contains("road.xodr"), "{}", said(&text));
    assert!(said("<OpenSCENARIO><Catalog name='V'/></OpenSCENARIO>").contains("catalog"));
    assert!(said("<OpenSCENARIO/>").contains("no entities"));
    assert!(said(&text[..200]).contains("OpenSCENARIO XML"));
}

#[test]
fn a_scenario_without_an_end_ends_and_a_large_one_is_refused() {
    let text = scenario(&start("Ego", -1, 0.0, 10.0), "", 1e9);
    let folder = folder();
    let path = folder.path().join("x.xosc");
    let (scene, _) = read(text.as_bytes(), &path).unwrap();
    assert_eq!(scene.frames, 601); // a minute
    let many: String = (0..20_000)
        .map(|number| format!("<ScenarioObject name='{number}'><Pedestrian/></ScenarioObject>"))
        .collect();
    let many = text.replace("</Entities>", &format!("{many}</Entities>"));
    let refused = |text: &str| read(text.as_bytes(), &path).unwrap_err().to_string();
    let said = refused(&many);
    assert!(said.contains("number of entities is 20002"), "{said}");
    let many = format!("<OpenSCENARIO>{}</OpenSCENARIO>", "<a/>".repeat(2_000_001));
    let said = refused(&many);
    assert!(said.contains("number of elements is 2000001"), "{said}");
    let long = format!(
        "<x y='$y'/><ParameterDeclarations><ParameterDeclaration name='y' value='{}'/></ParameterDeclarations>",
        "$".repeat(70_000)
    );
    let said = refused(&text.replace("<Entities>", &format!("{long}<Entities>")));
    assert!(said.contains("64 kB"), "{said}");
}

#[test]
fn positions_relative_to_others_are_found_whatever_their_order() {
    let beside = "<Private entityRef='other'><PrivateAction><TeleportAction><Position><RelativeLanePosition entityRef='Ego' dLane='1' ds='20' offset='0.5'/></Position></TeleportAction></PrivateAction></Private>";
    let (scene, report) = opened(&[beside, &start("Ego", -2, 30.0, 0.0)].concat(), "", 4.0);
    assert!(report.is_clean(), "{:?}", report.lines());
    let found = at(&scene, "other", 0.0).position;
    assert!(found.distance(dvec2(50.0, -1.5)) < 1e-6, "{found}");
    let world = "<Private entityRef='other'><PrivateAction><TeleportAction><Position><RelativeObjectPosition entityRef='Ego' dx='-5' dy='3'><Orientation type='relative' h='1'/></RelativeObjectPosition></Position></TeleportAction></PrivateAction></Private>";
    let (scene, _) = opened(&[world, &start("Ego", 1, 30.0, 0.0)].concat(), "", 4.0);
    // the ego heads towards −x at (30, 2): 5 m behind it is 35, 3 m left of it is −1
    let found = at(&scene, "other", 0.0);
    let expected = Pose::new(dvec2(35.0, -1.0), 1.0 - std::f64::consts::PI);
    assert!(found.position.distance(expected.point) < 1e-6);
    assert!((found.heading - expected.heading).abs() < 1e-3);
    assert_eq!(DVec2::ZERO, found.velocity);
}

/// A road along x that forks after 100 m: straight on, or a quarter of a circle of 20 m to the left and up.
fn fork(folder: &Path) {
    let lane = |link: &str| {
        format!(
            "<lanes><laneSection s='0'><right><lane id='-1' type='driving'><link>{link}</link><width sOffset='0' a='4'/></lane></right></laneSection></lanes>"
        )
    };
    let road = |id: &str,
                junction: i32,
                link: &str,
                length: f64,
                start: (f64, f64, f64),
                shape: &str,
                lane_link: &str| {
        let (x, y, heading) = start;
        format!(
            "<road id='{id}' length='{length}' junction='{junction}'><link>{link}</link><planView><geometry s='0' x='{x}' y='{y}' hdg='{heading}' length='{length}'>{shape}</geometry></planView>{}</road>",
            lane(lane_link)
        )
    };
    let quarter = 20.0 * std::f64::consts::FRAC_PI_2;
    let up = std::f64::consts::FRAC_PI_2;
    let through = |next: &str| {
        format!(
            "<predecessor elementType='road' elementId='a' contactPoint='end'/><successor elementType='road' elementId='{next}' contactPoint='start'/>"
        )
    };
    let both = "<predecessor id='-1'/><successor id='-1'/>";
    let connection = |id: &str| {
        format!(
            "<connection incomingRoad='a' connectingRoad='{id}' contactPoint='start'><laneLink from='-1' to='-1'/></connection>"
        )
    };
    let text = [
        road(
            "a",
            -1,
            "<successor elementType='junction' elementId='9'/>",
            100.0,
            (0.0, 0.0, 0.0),
            "<line/>",
            "",
        ),
        road(
            "s",
            9,
            &through("b"),
            20.0,
            (100.0, 0.0, 0.0),
            "<line/>",
            both,
        ),
        road(
            "l",
            9,
            &through("c"),
            quarter,
            (100.0, 0.0, 0.0),
            "<arc curvature='0.05'/>",
            both,
        ),
        road("b", -1, "", 200.0, (120.0, 0.0, 0.0), "<line/>", ""),
        road("c", -1, "", 200.0, (120.0, 20.0, up), "<line/>", ""),
        format!(
            "<junction id='9'>{}{}</junction>",
            connection("s"),
            connection("l")
        ),
    ]
    .concat();
    fs::write(
        folder.join("road.xodr"),
        format!("<OpenDRIVE>{text}</OpenDRIVE>"),
    )
    .unwrap();
}

#[test]
fn where_the_lane_forks_the_route_decides_and_without_one_it_is_straight_on() {
    let waypoint = |road: &str, s: f64| {
        format!(
            "<Waypoint routeStrategy='shortest'><Position><LanePosition roadId='{road}' laneId='-1' s='{s}'/></Position></Waypoint>"
        )
    };
    let route = |end: &str| {
        format!(
            "<Route name='r' closed='false'>{}{}</Route>",
            waypoint("a", 10.0),
            waypoint(end, 100.0)
        )
    };
    let folder = tempfile::tempdir().unwrap();
    fork(folder.path());
    let catalog = format!("<OpenSCENARIO><Catalog name='R'>{}</Catalog></OpenSCENARIO>", route("$end").replace("<Route name='r' closed='false'>", "<Route name='r' closed='false'><ParameterDeclarations><ParameterDeclaration name='end' parameterType='string' value='b'/></ParameterDeclarations>"));
    fs::write(folder.path().join("routes.xosc"), catalog).unwrap();
    let reference = |end: &str| {
        format!(
            "<CatalogReference catalogName='R' entryName='r'><ParameterAssignments><ParameterAssignment parameterRef='end' value='{end}'/></ParameterAssignments></CatalogReference>"
        )
    };
    let assign = |route: &str| {
        format!(
            "<Private entityRef='Ego'>{}</Private>",
            private(&format!(
                "<RoutingAction><AssignRouteAction>{route}</AssignRouteAction></RoutingAction>"
            ))
        )
    };
    let drive = |route: &str, position: &str| {
        let put = start("Ego", -1, 50.0, 10.0).replace("roadId='0'", "roadId='a'");
        let put = match position {
            "" => put,
            position => format!(
                "{put}<Private entityRef='other'><PrivateAction><TeleportAction><Position>{position}</Position></TeleportAction></PrivateAction></Private>"
            ),
        };
        let init = if route.is_empty() {
            put
        } else {
            format!("{}{put}", assign(route))
        };
        let text = scenario(&init, "", 12.0).replace("<Entities>", "<CatalogLocations><RouteCatalog><Directory path='.'/></RouteCatalog></CatalogLocations><Entities>");
        read(text.as_bytes(), &folder.path().join("x.xosc")).unwrap()
    };
    let end = |scene: &Scene| at(scene, "Ego", 12.0).position;
    // 120 m from x = 50, in the middle of the lane, 2 m to the right of the road's line
    let (straight, report) = drive("", "");
    assert!(report.problems.is_empty(), "{:?}", report.lines());
    assert!(
        end(&straight).distance(dvec2(170.0, -2.0)) < 0.1,
        "{}",
        end(&straight)
    );
    // 50 m, then a quarter of a circle of 22 m, 34.6 m, and 35.4 m up
    for left in [route("c"), reference("c")] {
        let (scene, report) = drive(&left, "");
        assert!(report.problems.is_empty(), "{:?}", report.lines());
        assert!(
            end(&scene).distance(dvec2(122.0, 55.4)) < 0.3,
            "{}",
            end(&scene)
        );
    }
    let (scene, _) = drive(&reference("b"), "");
    assert!(end(&scene).distance(dvec2(170.0, -2.0)) < 0.1);
    // 10 m + 124.6 m along the way to the left, measured in the lane: at the end of the bend
    let position = format!(
        "<RoutePosition><RouteRef>{}</RouteRef><InRoutePosition><FromLaneCoordinates pathS='124.56' laneId='-1'/></InRoutePosition></RoutePosition>",
        reference("c")
    );
    let (scene, report) = drive("", &position);
    assert!(report.problems.is_empty(), "{:?}", report.lines());
    let other = at(&scene, "other", 0.0);
    assert!(
        other.position.distance(dvec2(122.0, 20.0)) < 0.1,
        "{other:?}"
    );
    assert!((other.heading - std::f64::consts::FRAC_PI_2).abs() < 0.05);
}

fn keep(more: &str, limits: &str) -> String {
    format!(
        "<LongitudinalAction><LongitudinalDistanceAction entityRef='other' {more}>{limits}</LongitudinalDistanceAction></LongitudinalAction>"
    )
}

#[test]
fn a_distance_is_come_up_to_and_kept_as_the_other_changes_its_speed() {
    // 60 m behind at 10 m/s, as fast as the other; 20 m are asked for, from 2 s on, and the other slows to 5 m/s at 15 s
    let init = [
        start("other", -1, 100.0, 10.0),
        start("Ego", -1, 40.0, 10.0),
    ]
    .concat();
    let slow = speed_action("AbsoluteTargetSpeed", "value='5'", "linear", "time", 2.0);
    let limits = "<DynamicConstraints maxAcceleration='2' maxDeceleration='3' maxSpeed='16'/>";
    let drive = |more: &str| {
        let events = [
            event("keep", "Ego", &keep(more, limits), &after(2.0), ""),
            event("slow", "other", &slow, &after(15.0), ""),
        ]
        .concat();
        let (scene, report) = opened(&init, &events, 25.0);
        assert!(report.problems.is_empty(), "{:?}", report.lines());
        scene
    };
    let gap = |scene: &Scene, time_s: f64| {
        at(scene, "other", time_s).position.x - at(scene, "Ego", time_s).position.x
    };
    let kept = drive("distance='20' freespace='false' continuous='true'");
    // 40 m are closed with at most 2 m/s² and 16 m/s: 9 m while it gets to 16 m/s in 3 s, not before 8 s in all
    assert!((at(&kept, "Ego", 3.0).velocity.x - 12.0).abs() < 0.2);
    assert!(at(&kept, "Ego", 6.0).velocity.x < 16.01 && gap(&kept, 7.5) > 25.0);
    assert!(
        (gap(&kept, 14.5) - 20.0).abs() < 0.3,
        "{}",
        gap(&kept, 14.5)
    );
    assert!(
        (gap(&kept, 24.5) - 20.0).abs() < 0.3,
        "{}",
        gap(&kept, 24.5)
    );
    assert!((at(&kept, "Ego", 24.5).velocity.x - 5.0).abs() < 0.05);
    // between the boxes, of 4 m each, it is 4 m more between the middles
    let free = drive("distance='20' freespace='true' continuous='true'");
    assert!(
        (gap(&free, 14.5) - 24.0).abs() < 0.3,
        "{}",
        gap(&free, 14.5)
    );
    // two seconds at its own speed, which comes down to 10 m/s
    let timed = drive("timeGap='2' freespace='false' continuous='true'");
    let seconds = gap(&timed, 14.5) / at(&timed, "Ego", 14.5).velocity.x;
    assert!((seconds - 2.0).abs() < 0.05, "{seconds}");
    // from nobody: said
    let events = event(
        "keep",
        "Ego",
        &keep("distance='20'", "").replace("'other'", "'nobody'"),
        &after(2.0),
        "",
    );
    let (_, report) = opened(&init, &events, 4.0);
    assert!(
        report.lines()[0].contains("nobody there"),
        "{:?}",
        report.lines()
    );
    // once: it does not slow down with the other
    let once = drive("distance='20' freespace='false' continuous='false'");
    assert!((at(&once, "Ego", 24.5).velocity.x - 10.0).abs() < 0.3);
}

#[test]
fn two_arrive_at_their_places_together_and_at_the_speed_asked_for() {
    // the other has 200 m to x = 300 at 10 m/s, 20 s; Ego 300 m to x = 340, from 20 m/s
    let init = [
        start("other", -1, 100.0, 10.0),
        start("Ego", -2, 40.0, 20.0),
    ]
    .concat();
    let meet = |speed: &str| {
        format!(
            "<SynchronizeAction masterEntityRef='other'><TargetPositionMaster><LanePosition roadId='0' laneId='-1' s='300'/></TargetPositionMaster>\
             <TargetPosition><LanePosition roadId='0' laneId='-2' s='340'/></TargetPosition>{speed}</SynchronizeAction>"
        )
    };
    for (speed, expected) in [
        ("", None),
        (
            "<FinalSpeed><AbsoluteSpeed value='12'/></FinalSpeed>",
            Some(12.0),
        ),
        (
            "<FinalSpeed><RelativeSpeedToMaster value='5'/></FinalSpeed>",
            Some(15.0),
        ),
    ] {
        let events = event("meet", "Ego", &meet(speed), &after(0.0), "");
        let (scene, report) = opened(&init, &events, 22.0);
        assert!(report.problems.is_empty(), "{:?}", report.lines());
        let there = at(&scene, "Ego", 20.0);
        assert!((there.position.x - 340.0).abs() < 1.0, "{speed}: {there:?}");
        if let Some(expected) = expected {
            assert!(
                (there.velocity.x - expected).abs() < 0.5,
                "{speed}: {there:?}"
            );
        }
    }
    // a place behind it is on no way it takes
    let behind = meet("").replace("s='340'", "s='20'");
    let (scene, report) = opened(&init, &event("meet", "Ego", &behind, &after(1.0), ""), 5.0);
    assert!(
        report.lines()[0].contains("SynchronizeAction"),
        "{:?}",
        report.lines()
    );
    assert!((at(&scene, "Ego", 5.0).position.x - 140.0).abs() < 1e-3);
}

#[test]
fn standing_touching_and_being_faster_than_another_begin_events() {
    let stop = speed_action("AbsoluteTargetSpeed", "value='0'", "step", "time", 0.0);
    let go = speed_action("AbsoluteTargetSpeed", "value='8'", "step", "time", 0.0);
    // Ego runs into the other, which stands 30 m ahead; boxes of 4 m touch after 26 m, 2.6 s, and then it stands
    let init = [start("other", -1, 80.0, 0.0), start("Ego", -1, 50.0, 10.0)].concat();
    let touch = of(
        "Ego",
        "<CollisionCondition><EntityRef entityRef='other'/></CollisionCondition>",
    );
    let still = of("Ego", "<StandStillCondition duration='2'/>");
    let slower = of(
        "other",
        "<RelativeSpeedCondition entityRef='Ego' value='-5' rule='lessThan'/>",
    );
    let events = [
        event("stop", "Ego", &stop, &touch, ""),
        event("go", "Ego", &go, &still, ""),
        event("too", "other", &go, &slower, "conditionEdge='rising'"),
    ]
    .concat();
    let (scene, report) = opened(&init, &events, 8.0);
    assert!(report.problems.is_empty(), "{:?}", report.lines());
    let x = |who: &str, time_s: f64| at(&scene, who, time_s).position.x;
    assert!((x("Ego", 4.0) - 76.0).abs() < 1.1, "{}", x("Ego", 4.0));
    // from 4.6 s on it goes again, and then the other, slower by 8 m/s, does
    assert!((x("Ego", 4.4) - x("Ego", 4.0)).abs() < 1e-9);
    assert!(x("Ego", 6.0) - x("Ego", 5.0) > 7.9);
    assert!((x("other", 4.0) - 80.0).abs() < 1e-9 && x("other", 6.0) - x("other", 5.0) > 7.9);
}

#[test]
fn an_offset_may_be_relative_to_where_another_is_in_its_lane() {
    let init = [
        start("other", -1, 100.0, 10.0),
        start("Ego", -1, 50.0, 10.0),
    ]
    .concat();
    let offset = |kind: &str| {
        format!(
            "<LateralAction><LaneOffsetAction><LaneOffsetTarget>{kind}</LaneOffsetTarget></LaneOffsetAction></LateralAction>"
        )
    };
    let events = [
        event(
            "first",
            "other",
            &offset("<AbsoluteTargetLaneOffset value='1'/>"),
            &after(0.5),
            "",
        ),
        event(
            "then",
            "Ego",
            &offset("<RelativeTargetLaneOffset entityRef='other' value='-0.4'/>"),
            &after(4.0),
            "",
        ),
    ]
    .concat();
    let (scene, report) = opened(&init, &events, 9.0);
    assert!(report.problems.is_empty(), "{:?}", report.lines());
    // the lane's middle lies at y = −2
    assert!((at(&scene, "other", 8.0).position.y + 1.0).abs() < 1e-6);
    assert!((at(&scene, "Ego", 8.0).position.y + 1.4).abs() < 1e-6);
}

#[test]
fn the_ego_is_who_is_named_so_whatever_its_kind() {
    let folder = folder();
    let path = folder.path().join("x.xosc");
    let init = [start("Ego", -1, 50.0, 10.0), start("other", 2, 300.0, 20.0)].concat();
    let text = scenario(&init, "", 4.0);
    let ego = |text: &str| {
        let (scene, _) = read(text.as_bytes(), &path).unwrap();
        scene.ego().unwrap().id.as_str().to_owned()
    };
    let car = "<ScenarioObject name='Ego'><Vehicle name='v' vehicleCategory='car'>";
    let rider = car.replace("'car'", "'motorbike'");
    assert_eq!(ego(&text.replace(car, &rider)), "Ego");
    // a ghost is no host
    let named = |name: &str| text.replace("'Ego'", &format!("'{name}'"));
    assert_eq!(ego(&named("Ghost")), "other");
    assert_eq!(ego(&named("hostVehicle")), "hostVehicle");
    assert_eq!(ego(&named("car_ego")), "car_ego");
}

#[test]
fn a_pedestrian_ego_is_written_and_read_back() {
    let (mut scene, _) = opened(
        &[start("Ego", -1, 50.0, 10.0), start("other", 2, 300.0, 20.0)].concat(),
        "",
        4.0,
    );
    let ego = scene.ego().unwrap().id.clone();
    for agent in scene.agents.iter_mut().filter(|agent| agent.id == ego) {
        std::sync::Arc::make_mut(agent).kind = AgentKind::Pedestrian;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.xosc");
    crate::data::export(&scene, &path, crate::data::Target::OpenScenario).unwrap();
    let again = crate::data::open(&path, None).unwrap().scene;
    assert_eq!(again.ego().unwrap().kind, AgentKind::Pedestrian);
}

/// When an event begins, which lets Ego's speed jump to 30 m/s; `None` if it never does.
fn begins(scene: &Scene) -> Option<f64> {
    let ego = scene.ego().unwrap();
    let fast = |frame: usize| ego.track.get(frame).unwrap().speed() > 29.0;
    // velocities are differences over two frames: it is this fast one frame later
    Some(scene.time_of((0..scene.frames).find(|frame| fast(*frame))? - 1))
}

/// An event as [`begins`] expects it, whose trigger has these conditions in one group, each with its edge and delay.
fn jump(conditions: &[(&str, String)]) -> String {
    let fast = speed_action("AbsoluteTargetSpeed", "value='30'", "step", "time", 0.0);
    let all: String = conditions
        .iter()
        .map(|(more, condition)| format!("<Condition name='c' {more}>{condition}</Condition>"))
        .collect();
    let text = event("jump", "Ego", &fast, "", "");
    text.replace("<Condition name='c' ></Condition>", &all)
}

fn slower_than(limit: f64) -> String {
    of(
        "Ego",
        &format!("<SpeedCondition value='{limit}' rule='lessThan'/>"),
    )
}

#[test]
fn the_conditions_of_a_group_hold_at_the_same_time_or_nothing_begins() {
    // from rest it has 2 m/s² for 10 s: slower than 1 m/s only in the first half second, faster than 9 after 4.5 s
    let up = speed_action("AbsoluteTargetSpeed", "value='20'", "linear", "rate", 2.0);
    let up = event("up", "Ego", &up, &after(-1.0), "");
    let when = |conditions: &[(&str, String)]| {
        let events = [up.clone(), jump(conditions)].concat();
        begins(&opened(&start("Ego", -1, 0.0, 0.0), &events, 9.0).0)
    };
    assert_eq!(when(&[("", slower_than(1.0)), ("", after(5.0))]), None);
    // the delay looks back, so what held 5 s ago and what holds now meet
    let met = when(&[("delay='5'", slower_than(1.0)), ("", after(5.2))]).unwrap();
    assert!((met - 5.25).abs() < 0.11, "{met}");
    let none = when(&[("delay='3'", slower_than(1.0)), ("", after(5.2))]);
    assert_eq!(none, None);
    // an edge is a moment: to be slower ends at half a second
    let falls = when(&[("conditionEdge='falling'", slower_than(9.0))]).unwrap();
    assert!((falls - 4.5).abs() < 0.15, "{falls}");
    let late = when(&[
        ("conditionEdge='falling'", slower_than(9.0)),
        ("", after(6.0)),
    ]);
    assert_eq!(late, None);
    let either = when(&[("conditionEdge='risingOrFalling'", slower_than(9.0))]).unwrap();
    assert!((either - 4.5).abs() < 0.15, "{either}");
    let waits = when(&[("conditionEdge='falling' delay='2'", slower_than(9.0))]).unwrap();
    assert!((waits - 6.5).abs() < 0.15, "{waits}");
}

#[test]
fn every_rule_compares_as_its_name_says() {
    let brake = speed_action("AbsoluteTargetSpeed", "value='0'", "step", "time", 0.0);
    let brake = event("brake", "Ego", &brake, &after(1.97), "");
    let when = |rule: &str, value: f64| {
        let condition = format!("<SpeedCondition value='{value}' rule='{rule}'/>");
        let jump = jump(&[("", of("Ego", &condition)), ("", after(0.97))]);
        let events = [brake.clone(), jump].concat();
        begins(&opened(&start("Ego", -1, 0.0, 10.0), &events, 4.0).0).map(|at| (at * 2.0).round())
    };
    // 10 m/s until 2 s, then 0; half seconds
    for (rule, value, expected) in [
        ("lessThan", 0.0, None),
        ("lessOrEqual", 0.0, Some(4.0)),
        ("equalTo", 0.0, Some(4.0)),
        ("notEqualTo", 10.0, Some(4.0)),
        ("notEqualTo", 0.0, Some(2.0)),
        ("greaterOrEqual", 10.0, Some(2.0)),
        ("greaterThan", 10.0, None),
    ] {
        assert_eq!(when(rule, value), expected, "{rule} {value}");
    }
}

#[test]
fn a_distance_is_measured_as_its_type_says() {
    // the other stands 5 m to the right of the lane and 50 m ahead, heading across it; Ego comes at 10 m/s, from 1 s on
    let place = "<Private entityRef='other'><PrivateAction><TeleportAction><Position><WorldPosition x='50' y='-7' h='1.5707963267948966'/></Position></TeleportAction></PrivateAction></Private>";
    let init = [place, &start("Ego", -1, 0.0, 10.0)].concat();
    let when = |condition: &str, value: f64, more: &str| {
        let inner = match condition {
            "DistanceCondition" => {
                "<Position><WorldPosition x='50' y='-7' h='1.5707963267948966'/></Position>"
            }
            _ => "",
        };
        let to = if inner.is_empty() {
            "entityRef='other'"
        } else {
            ""
        };
        let who = if more.contains("by the other") {
            "other"
        } else {
            "Ego"
        };
        let to = if who == "other" {
            "entityRef='Ego'"
        } else {
            to
        };
        let more = more.replace("by the other", "");
        let text = format!(
            "<{condition} {to} value='{value}' rule='lessThan' {more}>{inner}</{condition}>"
        );
        let (scene, report) = opened(
            &init,
            &jump(&[("", of(who, &text)), ("", after(0.97))]),
            7.0,
        );
        assert!(report.problems.is_empty(), "{:?}", report.lines());
        begins(&scene).map(|at| (at * 10.0).round() / 10.0)
    };
    let near = |when: Option<f64>, expected: f64| {
        let when = when.unwrap();
        assert!((when - expected).abs() < 0.21, "{when} {expected}");
    };
    let (euclid, along) = (
        "relativeDistanceType='euclidianDistance'",
        "relativeDistanceType='longitudinal'",
    );
    let across = "relativeDistanceType='lateral'";
    for condition in ["RelativeDistanceCondition", "DistanceCondition"] {
        // 13 m are 12 ahead and 5 beside: after 3.8 s; 12 ahead alone, too; 12 beside at once
        near(
            when(condition, 13.0, &format!("freespace='false' {euclid}")),
            3.8,
        );
        near(when(condition, 13.0, "freespace='false'"), 3.8);
        near(
            when(condition, 12.0, &format!("freespace='false' {along}")),
            3.8,
        );
        near(
            when(condition, 12.0, &format!("freespace='false' {across}")),
            1.0,
        );
        // the road runs along x
        let road = format!("freespace='false' coordinateSystem='road' {along}");
        near(when(condition, 12.0, &road), 3.8);
    }
    // as the other sees it, who heads across, Ego is beside
    let condition = "RelativeDistanceCondition";
    near(
        when(
            condition,
            12.0,
            &format!("freespace='false' {along} by the other"),
        ),
        1.0,
    );
    near(
        when(
            condition,
            12.0,
            &format!("freespace='false' {across} by the other"),
        ),
        3.8,
    );
    // between the boxes, of 4 × 2 m, of which the other's lies across: 2 + 1 m less ahead
    near(
        when(condition, 12.0, &format!("freespace='true' {along}")),
        3.5,
    );
    // boxes 5 − 1 − 2 = 2 m apart beside, so 12.17 m are 12 ahead
    near(
        when(condition, 12.17, &format!("freespace='true' {euclid}")),
        3.5,
    );
    // half a second at 10 m/s is 5 m ahead
    let headway = format!("freespace='false' {along}");
    near(when("TimeHeadwayCondition", 0.5, &headway), 4.5);
    let odd = "<RelativeDistanceCondition entityRef='other' value='9' rule='lessThan' freespace='false' coordinateSystem='trajectory' relativeDistanceType='lateral'/>";
    let (_, report) = opened(&init, &jump(&[("", of("Ego", odd))]), 4.0);
    let lines = report.lines().join("\n");
    assert!(lines.contains("coordinateSystem trajectory"), "{lines}");
}

#[test]
fn along_the_road_a_distance_follows_its_bends() {
    let folder = tempfile::tempdir().unwrap();
    fork(folder.path());
    // from 10 m before the fork over the bend, 22 m · π/2 in the lane, to 20 m up: 64.6 m, and 24 and 40 m as the crow flies
    let ahead = "<Private entityRef='other'><PrivateAction><TeleportAction><Position><LanePosition roadId='c' laneId='-1' s='20'/></Position></TeleportAction></PrivateAction></Private>";
    let put = start("Ego", -1, 40.0, 10.0).replace("roadId='0'", "roadId='a'");
    let route = "<Private entityRef='Ego'><PrivateAction><RoutingAction><AssignRouteAction><Route name='r' closed='false'><Waypoint routeStrategy='shortest'><Position><LanePosition roadId='a' laneId='-1' s='10'/></Position></Waypoint><Waypoint routeStrategy='shortest'><Position><LanePosition roadId='c' laneId='-1' s='100'/></Position></Waypoint></Route></AssignRouteAction></RoutingAction></PrivateAction></Private>";
    for who in ["Ego", "other"] {
        let to = if who == "Ego" { "other" } else { "Ego" };
        let text = format!(
            "<RelativeDistanceCondition entityRef='{to}' value='64.56' rule='lessThan' freespace='false' coordinateSystem='lane' relativeDistanceType='longitudinal'/>"
        );
        let events = jump(&[("", of(who, &text))]);
        let text = scenario(&[ahead, &put, route].concat(), &events, 8.0);
        let (scene, report) = read(text.as_bytes(), &folder.path().join("x.xosc")).unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.lines());
        let when = begins(&scene).unwrap();
        assert!((when - 5.0).abs() < 0.21, "{who} {when}");
    }
}

#[test]
fn a_manoeuvre_of_a_catalog_is_played_with_its_parameters() {
    let folder = folder();
    let path = folder.path().join("x.xosc");
    let fast = speed_action("AbsoluteTargetSpeed", "value='$v'", "step", "time", 0.0);
    let trigger = format!(
        "<StartTrigger><ConditionGroup><Condition name='c'>{}</Condition></ConditionGroup></StartTrigger>",
        after(1.97)
    );
    let manoeuvre = format!(
        "<Maneuver name='Jump'><ParameterDeclarations><ParameterDeclaration name='v' parameterType='double' value='1'/></ParameterDeclarations><Event name='e'><Action name='a'>{}</Action>{trigger}</Event></Maneuver>",
        private(&fast)
    );
    let catalog = format!("<OpenSCENARIO><Catalog name='M'>{manoeuvre}</Catalog></OpenSCENARIO>");
    fs::write(folder.path().join("m.xosc"), catalog).unwrap();
    let group = |entry: &str| {
        format!(
            "<ManeuverGroup name='g'><Actors><EntityRef entityRef='Ego'/></Actors><CatalogReference catalogName='M' entryName='{entry}'><ParameterAssignments><ParameterAssignment parameterRef='v' value='30'/></ParameterAssignments></CatalogReference></ManeuverGroup>"
        )
    };
    let drive = |entry: &str| {
        let text = scenario(&start("Ego", -1, 0.0, 10.0), &group(entry), 4.0);
        let text = text.replace("<Entities>", "<CatalogLocations><ManeuverCatalog><Directory path='.'/></ManeuverCatalog></CatalogLocations><Entities>");
        read(text.as_bytes(), &path).unwrap()
    };
    let (scene, report) = drive("Jump");
    assert!(
        !report.lines().join(" ").contains("Maneuver"),
        "{:?}",
        report.lines()
    );
    assert!((begins(&scene).unwrap() - 2.0).abs() < 0.11);
    let (scene, report) = drive("Fall");
    assert_eq!(begins(&scene), None);
    assert!(
        report.lines().join(" ").contains("M Fall"),
        "{:?}",
        report.lines()
    );
}

#[test]
fn the_times_of_a_trajectory_are_scaled_and_then_shifted() {
    let line = format!(
        "<Polyline>{}{}</Polyline>",
        vertex("time='0'", 20.0, -2.0),
        vertex("time='2'", 40.0, -2.0)
    );
    let timing = "<Timing domainAbsoluteRelative='relative' scale='2' offset='3'/>";
    let events = event("t", "Ego", &trajectory(&line, timing), &after(0.97), "");
    let (scene, _) = opened(&start("Ego", -1, 0.0, 10.0), &events, 8.0);
    // told at 1 s: at its start until 4 s, at its end at 8 s
    assert!((at(&scene, "Ego", 4.0).position.x - 20.0).abs() < 0.3);
    assert!((at(&scene, "Ego", 6.0).position.x - 30.0).abs() < 0.3);
}

#[test]
fn an_offset_is_taken_at_once_or_under_the_most_acceleration() {
    let drive = |dynamics: &str| {
        let action = format!(
            "<LateralAction><LaneOffsetAction><LaneOffsetActionDynamics {dynamics}/><LaneOffsetTarget><AbsoluteTargetLaneOffset value='1'/></LaneOffsetTarget></LaneOffsetAction></LateralAction>"
        );
        let events = event("o", "Ego", &action, &after(0.97), "");
        opened(&start("Ego", -1, 0.0, 10.0), &events, 9.0).0
    };
    // the lane's middle lies at y = −2
    let y = |scene: &Scene, time_s: f64| at(scene, "Ego", time_s).position.y;
    let step = drive("dynamicsShape='step'");
    assert!((y(&step, 1.2) + 1.0).abs() < 1e-6, "{}", y(&step, 1.2));
    // half a cosine of 1 m takes π √(1 / 2a): with 0.125 m/s², 6.28 s
    let slow = drive("dynamicsShape='sinusoidal' maxLateralAcc='0.125'");
    let half = y(&slow, 1.0 + std::f64::consts::PI);
    assert!((half + 1.5).abs() < 0.02, "{half}");
    assert!(y(&slow, 6.5) < -1.01 && (y(&slow, 7.5) + 1.0).abs() < 1e-6);
}

#[test]
fn an_act_that_stops_ends_what_it_does_and_begins_nothing_more() {
    let up = speed_action("AbsoluteTargetSpeed", "value='30'", "linear", "rate", 2.0);
    let stopped = "<ByValueCondition><StoryboardElementStateCondition storyboardElementType='event' storyboardElementRef='up' state='stopTransition'/></ByValueCondition>";
    let slow = speed_action("AbsoluteTargetSpeed", "value='3'", "step", "time", 0.0);
    let events = [
        event("up", "Ego", &up, &after(0.97), ""),
        event("late", "Ego", &slow, &after(6.0), ""),
    ]
    .concat();
    let stop = format!(
        "<StopTrigger><ConditionGroup><Condition name='c'>{}</Condition></ConditionGroup></StopTrigger></Act><Act name='then'>{}</Act>",
        after(3.97),
        event("after", "other", &slow, stopped, "delay='1'")
    );
    let init = [start("other", 2, 500.0, 10.0), start("Ego", -1, 0.0, 10.0)].concat();
    let text = scenario(&init, &events, 8.0).replacen("</Act>", &stop, 1);
    let folder = folder();
    let (scene, report) = read(text.as_bytes(), &folder.path().join("x.xosc")).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.lines());
    // 3 s of 2 m/s², and then it keeps its speed
    for time_s in [4.5, 7.5] {
        let speed = at(&scene, "Ego", time_s).velocity.x;
        assert!((speed - 16.0).abs() < 0.2, "{time_s} {speed}");
    }
    let other = |time_s: f64| at(&scene, "other", time_s).speed();
    assert!((other(4.7) - 10.0).abs() < 1e-3 && (other(5.4) - 3.0).abs() < 1e-3);
}

#[test]
fn events_and_groups_happen_as_often_as_the_file_allows() {
    // a metre per second more each time Ego is told, by steps of half a second
    let more = "entityRef='Ego' value='1' speedTargetValueType='delta' continuous='false'";
    let more = speed_action("RelativeTargetSpeed", more, "linear", "time", 0.5);
    let once = event("e", "Ego", &more, &after(0.97), "");
    let speed = |events: &str| {
        let (scene, report) = opened(&start("Ego", -1, 0.0, 5.0), events, 8.0);
        assert!(report.problems.is_empty(), "{:?}", report.lines());
        at(&scene, "Ego", 7.5).velocity.x.round()
    };
    assert_eq!(speed(&once), 6.0);
    let thrice = once.replace("<Event ", "<Event maximumExecutionCount='3' ");
    assert_eq!(speed(&thrice), 8.0);
    let again = thrice.replace(
        "<ManeuverGroup ",
        "<ManeuverGroup maximumExecutionCount='2' ",
    );
    assert_eq!(speed(&again), 11.0);
}

#[test]
fn who_meets_the_trigger_acts_where_the_group_selects_them() {
    let init = [start("other", -1, 100.0, 10.0), start("Ego", -2, 0.0, 20.0)].concat();
    let stop = speed_action("AbsoluteTargetSpeed", "value='0'", "step", "time", 0.0);
    let quick = "<ByEntityCondition><TriggeringEntities triggeringEntitiesRule='any'><EntityRef entityRef='other'/><EntityRef entityRef='Ego'/></TriggeringEntities><EntityCondition><SpeedCondition value='15' rule='greaterThan'/></EntityCondition></ByEntityCondition>";
    let events = event("stop", "x", &stop, quick, "delay='1'");
    let actors = "<Actors><EntityRef entityRef='x'/></Actors>";
    let selects = events.replace(actors, "<Actors selectTriggeringEntities='true'/>");
    let (scene, report) = opened(&init, &selects, 4.0);
    assert!(report.problems.is_empty(), "{:?}", report.lines());
    assert!(at(&scene, "Ego", 3.0).speed() < 1e-9 && at(&scene, "other", 3.0).speed() > 9.0);
    // without it, and with nobody or a stranger to act, that is said
    for (actors_instead, said) in [("<Actors/>", "nobody acts"), (actors, "EntityRef = x")] {
        let (_, report) = opened(&init, &events.replace(actors, actors_instead), 4.0);
        let lines = report.lines().join("\n");
        assert!(lines.contains(said), "{said}: {lines}");
    }
}

#[test]
fn traffic_lights_show_what_controllers_and_actions_say() {
    let folder = folder();
    let path = folder.path().join("x.xosc");
    let road = folder.path().join("road.xodr");
    let signal = |id: i32, kind: &str| {
        format!("<signal id='{id}' type='{kind}' dynamic='yes' s='500' t='-9' orientation='+'/>")
    };
    let signals = [
        signal(1, "1000001"),
        signal(2, "1000002"),
        signal(3, "1000001"),
    ]
    .concat();
    let text = fs::read_to_string(&road).unwrap();
    let text = text.replace("</road>", &format!("<signals>{signals}</signals></road>"));
    fs::write(&road, text).unwrap();
    let phase = |seconds: f64, state: &str| {
        format!(
            "<Phase name='p' duration='{seconds}'><TrafficSignalState trafficSignalId='1' state='{state}'/></Phase>"
        )
    };
    let controllers = format!(
        "<TrafficSignals><TrafficSignalController name='first'/><TrafficSignalController name='c' delay='1' reference='first'>{}{}</TrafficSignalController></TrafficSignals></RoadNetwork>",
        phase(2.0, "off;off;on"),
        phase(3.0, "red")
    );
    let action = "<GlobalAction><InfrastructureAction><TrafficSignalAction><TrafficSignalStateAction name='1' state='yellow'/></TrafficSignalAction></InfrastructureAction></GlobalAction>";
    let told = event("t", "Ego", "", &after(6.97), "");
    let told = told.replace(&private(""), action);
    let weather = "<GlobalAction><EnvironmentAction/></GlobalAction>";
    let init = format!("{weather}{}", start("Ego", -1, 0.0, 10.0));
    let text = scenario(&init, &told, 10.0).replace("</RoadNetwork>", &controllers);
    let (scene, report) = read(text.as_bytes(), &path).unwrap();
    let lanes: Vec<&str> = scene
        .signals
        .iter()
        .map(|signal| signal.lane.as_str())
        .collect();
    // light 3 stands at the same lanes as light 1, which is told what to show
    assert_eq!(lanes, ["0.0.-2", "0.0.-1"]);
    assert_eq!(scene.signals[1].stop_point, Some(dvec2(500.0, -2.0)));
    let shown: String = (0..10)
        .map(|second| match scene.signals[0].at(10 * second + 5) {
            crate::scene::SignalState::Red => 'r',
            crate::scene::SignalState::Yellow => 'y',
            crate::scene::SignalState::Green => 'g',
            _ => '?',
        })
        .collect();
    // green from 1 s on for 2 of 5 s; yellow by hand from 7 s until the cycle goes on at 8 s
    assert_eq!(shown, "rggrrrgyrr");
    let lines = report.lines().join("\n");
    assert!(lines.contains("1 traffic light is off"), "{lines}");
    assert!(lines.contains("light for pedestrians"), "{lines}");
    assert!(
        lines.contains("EnvironmentAction: is not played"),
        "{lines}"
    );
}
