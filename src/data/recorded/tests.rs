//! Made recordings of every dialect, with what must come of them.

use std::f64::consts::{FRAC_PI_2, PI};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::data::{Opened, list as list_path, open};
use crate::geometry::dvec2;
use crate::map::{LaneKind, LineKind};
use crate::scene::{Agent, AgentKind, State};

const VEHICLE_HEADER: &str =
    "track_id,frame_id,timestamp_ms,agent_type,x,y,vx,vy,psi_rad,length,width\n";
const PEOPLE_HEADER: &str = "track_id,frame_id,timestamp_ms,agent_type,x,y,vx,vy\n";
const LEVELX_HEADER: &str = "recordingId,trackId,frame,trackLifetime,xCenter,yCenter,heading,width,length,xVelocity,yVelocity\n";
const HIGHD_HEADER: &str = "frame,id,x,y,width,height,xVelocity,yVelocity,laneId\n";

fn put(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn opened(path: &Path, pick: Option<&str>) -> (Scene, Report) {
    let Opened { scene, report, .. } = open(path, pick).unwrap();
    (scene, report)
}

fn refused(path: &Path, pick: Option<&str>) -> String {
    open(path, pick).unwrap_err().to_string()
}

fn agent<'a>(scene: &'a Scene, id: &str) -> &'a Agent {
    let found = scene.agents.iter().find(|agent| agent.id.as_str() == id);
    found.unwrap()
}

fn state(scene: &Scene, id: &str, frame: usize) -> State {
    *agent(scene, id).track.get(frame).unwrap()
}

fn says(report: &Report, part: &str) -> bool {
    report.lines().iter().any(|line| line.contains(part))
}

/// A car of INTERACTION that drives towards +x at 10 m/s from x = 1 m at 0.1 s, in rows of 0.1 s.
fn car(id: &str, rows: usize) -> String {
    let mut text = String::new();
    for frame in 1..=rows {
        let stamp = 100 * frame;
        let _ = writeln!(text, "{id},{frame},{stamp},car,{frame},1.5,10,0,0,4.5,1.8");
    }
    text
}

/// Somebody who moves at `speed` m/s towards +y from 0.1 s on.
fn person(id: &str, rows: usize, speed: f64) -> String {
    let mut text = String::new();
    for frame in 1..=rows {
        let (stamp, y) = (100 * frame, speed * 0.1 * frame as f64);
        let _ = writeln!(
            text,
            "{id},{frame},{stamp},pedestrian/bicycle,5,{y},0,{speed}"
        );
    }
    text
}

/// One lane along x from 0 to 40 m, its middle at `y` m.
fn straight_map(y: f64) -> String {
    let node = |id: i32, x: f64, y: f64| {
        format!("<node id='{id}'><tag k='local_x' v='{x}'/><tag k='local_y' v='{y}'/></node>")
    };
    format!(
        "<osm>{}{}{}{}<way id='5'><nd ref='1'/><nd ref='2'/></way><way id='6'><nd ref='3'/><nd ref='4'/></way>\
         <relation id='7'><member type='way' ref='6' role='left'/><member type='way' ref='5' role='right'/>\
         <tag k='type' v='lanelet'/><tag k='subtype' v='road'/></relation></osm>",
        node(1, 0.0, y - 1.5),
        node(2, 40.0, y - 1.5),
        node(3, 0.0, y + 1.5),
        node(4, 40.0, y + 1.5)
    )
}

/// INTERACTION's folders with a car, a walker at 1.2 m/s, a rider at 4 m/s, and a map.
fn interaction(folder: &Path) -> [PathBuf; 2] {
    let place = folder.join("recorded_trackfiles/DR_CORNER");
    put(folder, "maps/DR_CORNER.osm", &straight_map(1.5));
    put(folder, "maps/DR_OTHER.osm", "<osm/>");
    let people = [
        PEOPLE_HEADER,
        &person("P1", 30, 1.2),
        &person("P2", 30, 4.0),
    ]
    .concat();
    let vehicles = [VEHICLE_HEADER, &car("1", 30)].concat();
    [
        put(&place, "vehicle_tracks_000.csv", &vehicles),
        put(&place, "pedestrian_tracks_000.csv", &people),
    ]
}

#[test]
fn vehicles_people_and_map_of_interaction_make_one_scene() {
    let folder = tempfile::tempdir().unwrap();
    let [vehicles, people] = interaction(folder.path());
    let (scene, report) = opened(&vehicles, None);
    // 0.1 to 3.0 s
    assert_eq!((scene.dt_s, scene.frames, scene.agents.len()), (0.1, 30, 3));
    assert_eq!(scene.name, "DR_CORNER vehicle_tracks_000");
    assert!(scene.source.starts_with("INTERACTION DR_CORNER"));
    assert_eq!(scene.map.lanes().len(), 1);
    let first = state(&scene, "1", 0);
    assert_eq!((first.position, first.heading), (dvec2(1.0, 1.5), 0.0));
    assert_eq!(first.velocity, dvec2(10.0, 0.0));
    let car = agent(&scene, "1");
    assert_eq!((car.length, car.width), (4.5, 1.8));
    assert_eq!(car.category.as_deref(), Some("car"));
    assert_eq!(scene.ego().unwrap().id, car.id);
    assert_eq!(agent(&scene, "P1").kind, AgentKind::Pedestrian);
    assert_eq!(agent(&scene, "P2").kind, AgentKind::Cyclist);
    // nobody measured how people are turned: along their motion
    assert!((state(&scene, "P1", 3).heading - FRAC_PI_2).abs() < 1e-4);
    assert!(
        says(&report, "1 of a median above 2.5 m/s ride, 1 walk"),
        "{:?}",
        report.lines()
    );
    assert!(report.is_clean(), "{:?}", report.lines());
    let (same, _) = opened(&people, None);
    assert_eq!(same.hash(), scene.hash());
}

#[test]
fn a_recording_of_two_files_is_listed_once() {
    let folder = tempfile::tempdir().unwrap();
    let [vehicles, people] = interaction(folder.path());
    let place = vehicles.parent().unwrap();
    let files: Vec<PathBuf> = list_path(place)
        .unwrap()
        .into_iter()
        .map(|entry| entry.file)
        .collect();
    assert_eq!(files, std::slice::from_ref(&vehicles));
    fs::remove_file(&vehicles).unwrap();
    assert_eq!(list_path(place).unwrap()[0].file, people);
    assert_eq!(opened(&people, None).0.agents.len(), 2);
}

#[test]
fn a_broken_second_file_leaves_the_first_one_open() {
    let folder = tempfile::tempdir().unwrap();
    let [vehicles, people] = interaction(folder.path());
    fs::write(&people, "track_id,x\n").unwrap();
    let (scene, report) = opened(&vehicles, None);
    assert_eq!(scene.agents.len(), 1);
    assert!(says(&report, "timestamp_ms"), "{:?}", report.lines());
}

#[test]
fn a_map_is_found_by_the_beginning_of_the_name_up_to_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let text = [VEHICLE_HEADER, &car("1", 3)].concat();
    let file = put(folder.path(), "train/DR_EP10_train.csv", &text);
    put(folder.path(), "maps/DR_EP1.osm", &straight_map(1.5));
    let (scene, report) = opened(&file, None);
    assert!(scene.map.is_empty() && says(&report, "the scene has no map"));
    put(folder.path(), "maps/DR.osm", "<osm/>");
    put(folder.path(), "maps/DR_EP10.osm", &straight_map(1.5));
    let (scene, report) = opened(&file, None);
    assert_eq!(scene.map.lanes().len(), 1, "{:?}", report.lines());
    assert!(says(&report, "the map is DR_EP10.osm"));
}

#[test]
fn the_only_map_beside_a_file_is_its_map_and_traffic_off_its_lanes_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = [VEHICLE_HEADER, &car("1", 30)].concat();
    let file = put(folder.path(), "a.csv", &text);
    // the car drives at y = 1.5 m: within 5 m of 6 m, not of 7 m
    put(folder.path(), "b.osm", &straight_map(6.0));
    let (scene, report) = opened(&file, None);
    assert!(
        scene.map.lanes().len() == 1 && report.is_clean(),
        "{:?}",
        report.lines()
    );
    put(folder.path(), "b.osm", &straight_map(7.0));
    let (_, report) = opened(&file, None);
    assert!(says(&report, "0 of 30 states"), "{:?}", report.lines());
    put(
        folder.path(),
        "b.osm",
        "<osm><node id='1' lat='1' lon='2'/></osm>",
    );
    let (scene, report) = opened(&file, None);
    assert!(scene.map.is_empty() && says(&report, "without lanelets"));
}

#[test]
fn every_case_of_a_file_is_a_scene() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = format!("case_id,{VEHICLE_HEADER}");
    for case in 3..=5 {
        // rows as the newer files have them: whole numbers with a fraction, people without what is not measured
        for frame in 1..=40 {
            let (stamp, x) = (100 * frame, 100 * case + frame);
            let _ = writeln!(
                text,
                "{case}.0,7.0,{frame}.0,{stamp}.0,car,{x},1.5,10,0,0,4.5,1.8"
            );
            let _ = writeln!(
                text,
                "{case}.0,P1,{frame}.0,{stamp}.0,pedestrian/bicycle,5,0,0,0,,,"
            );
        }
    }
    let file = put(folder.path(), "DR_X_train.csv", &text);
    let entries = list_path(&file).unwrap();
    let picks: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry.pick.as_deref())
        .collect();
    assert_eq!(picks, ["3", "4", "5"]);
    assert_eq!(entries[1].name, "DR_X_train case 4");
    let (first, report) = opened(&file, None);
    // the present is the tenth frame: one second known, three to be told
    assert_eq!((first.frames, first.now, first.agents.len()), (40, 9, 2));
    assert_eq!(state(&first, "7", 0).position.x, 301.0);
    assert!(
        says(&report, "case 3 of what seem to be 3"),
        "{:?}",
        report.lines()
    );
    for pick in ["5", "DR_X_train case 5"] {
        let (scene, report) = opened(&file, Some(pick));
        assert_eq!(scene.name, "DR_X_train case 5");
        assert_eq!(state(&scene, "7", 39).position.x, 540.0);
        assert!(!says(&report, "what seem to be"));
    }
    assert!(refused(&file, Some("9")).contains("cases 3 to 5"));
    assert!(refused(&file, Some("first")).contains("no scene \"first\""));
}

/// A recording of levelX at place 1: a car towards +y at 5 m/s from (20, 18), and somebody without a size.
fn levelx(folder: &Path) -> PathBuf {
    let mut tracks = LEVELX_HEADER.to_owned();
    for frame in 0..50 {
        let y = 18.0 + 5.0 * f64::from(frame) / 25.0;
        let _ = writeln!(tracks, "0,1,{frame},{frame},20,{y},90,1.8,4.2,0,5");
        let _ = writeln!(tracks, "0,2,{frame},{frame},12,{y},0,0,0,0,5");
    }
    put(
        folder,
        "data/00_tracksMeta.csv",
        "recordingId,trackId,initialFrame,finalFrame,numFrames,width,length,class\n0,1,0,49,50,1.8,4.2,truck_bus\n0,2,0,49,50,0,0,bicycle\n",
    );
    put(
        folder,
        "data/00_recordingMeta.csv",
        "recordingId,locationId,frameRate,speedLimit,duration,xUtmOrigin,yUtmOrigin\n0,1,25,13.9,2,293531.256066,5629660.114159\n",
    );
    put(folder, "data/00_tracks.csv", &tracks)
}

/// A lanelet of some 50 m whose right bound begins where UTM (zone 32) is 293541.256066, 5629680.114159.
const GEOGRAPHIC_MAP: &str = "<osm><node id='1' lat='50.7820661' lon='6.0711611'/><node id='2' lat='50.7820661' lon='6.0718611'/>\
    <node id='3' lat='50.7820961' lon='6.0711611'/><node id='4' lat='50.7820961' lon='6.0718611'/>\
    <way id='5'><nd ref='1'/><nd ref='2'/></way><way id='6'><nd ref='3'/><nd ref='4'/></way>\
    <relation id='7'><member type='way' ref='6' role='left'/><member type='way' ref='5' role='right'/>\
    <tag k='type' v='lanelet'/><tag k='subtype' v='road'/></relation></osm>";

#[test]
fn levelx_has_its_classes_beside_and_its_map_in_utm() {
    let folder = tempfile::tempdir().unwrap();
    let file = levelx(folder.path());
    put(
        folder.path(),
        "maps/lanelets/01_corner/location1.osm",
        GEOGRAPHIC_MAP,
    );
    put(
        folder.path(),
        "maps/lanelets/02_other/location2.osm",
        "<osm/>",
    );
    let (scene, report) = opened(&file, None);
    assert_eq!(
        (scene.dt_s, scene.frames, scene.agents.len()),
        (0.04, 50, 2)
    );
    let car = agent(&scene, "1");
    assert_eq!(
        (car.kind, car.length, car.width),
        (AgentKind::Vehicle, 4.2, 1.8)
    );
    assert_eq!(car.category.as_deref(), Some("truck_bus"));
    let first = state(&scene, "1", 0);
    assert_eq!(first.position, dvec2(20.0, 18.0));
    assert!((first.heading - FRAC_PI_2).abs() < 1e-4);
    let rider = agent(&scene, "2");
    // no size: the usual one; its heading of 0 was not measured
    assert_eq!((rider.kind, rider.length), (AgentKind::Cyclist, 1.8));
    assert!((state(&scene, "2", 9).heading - FRAC_PI_2).abs() < 1e-4);
    let lane = &scene.map.lanes()[0];
    // 293541.256066 − 293531.256066 and 5629680.114159 − 5629660.114159
    assert!(
        lane.right_border[0].distance(dvec2(10.0, 20.0)) < 2e-3,
        "{lane:?}"
    );
    assert_eq!(lane.speed_limit, Some(13.9));
    assert!(scene.source.contains("location 1"));
    assert_eq!(scene.licence, "levelXdata terms: non-commercial");
    assert!(
        !says(&report, "map of another") && report.problems.is_empty(),
        "{:?}",
        report.lines()
    );
}

#[test]
fn the_exact_name_of_a_place_comes_before_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = levelx(folder.path());
    put(folder.path(), "maps/01_corner/lanes.osm", GEOGRAPHIC_MAP);
    let found = || beside::map_of_location(&file, 1).unwrap();
    assert!(found().ends_with("01_corner/lanes.osm"));
    put(folder.path(), "maps/1_corner.osm", GEOGRAPHIC_MAP);
    assert!(found().ends_with("maps/1_corner.osm"));
    put(folder.path(), "data/maps/a/b/location1.osm", GEOGRAPHIC_MAP);
    assert!(found().ends_with("a/b/location1.osm"));
    assert_eq!(beside::map_of_location(&file, 11), None);
}

#[test]
fn without_the_lists_beside_levelx_is_opened_with_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = levelx(folder.path());
    fs::remove_file(folder.path().join("data/00_tracksMeta.csv")).unwrap();
    fs::remove_file(folder.path().join("data/00_recordingMeta.csv")).unwrap();
    let (scene, report) = opened(&file, None);
    // 25 frames a second are assumed; 5 m/s is faster than people walk
    assert_eq!((scene.dt_s, scene.frames), (0.04, 50));
    assert_eq!(agent(&scene, "1").kind, AgentKind::Vehicle);
    assert_eq!(agent(&scene, "2").kind, AgentKind::Cyclist);
    assert!(scene.map.is_empty());
    for part in ["recordingMeta", "tracksMeta", "frame rate is not stated"] {
        assert!(says(&report, part), "{part}: {:?}", report.lines());
    }
}

#[test]
fn lists_beside_tracks_say_what_to_open_and_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = levelx(folder.path());
    let message = refused(&folder.path().join("data/00_recordingMeta.csv"), None);
    assert!(message.contains("_tracks.csv"), "{message}");
    let entries = list_path(folder.path()).unwrap();
    assert_eq!((entries.len(), &entries[0].file), (1, &file));
    assert_eq!(entries[0].format, Format::LevelX);
}

/// A recording of highD: a car towards −x (1), a lorry towards +x (2), and one that hardly moves (3).
fn highd(folder: &Path) -> PathBuf {
    let mut tracks = HIGHD_HEADER.to_owned();
    for frame in 1..=25 {
        let moved = f64::from(frame - 1) / 25.0;
        let (west, east) = (200.0 - 30.0 * moved, 50.0 + 20.0 * moved);
        let _ = writeln!(tracks, "{frame},1,{west},9.5,4,2,-30,0.5,2");
        let _ = writeln!(tracks, "{frame},2,{east},25,12,2.5,20,0,6");
        let _ = writeln!(tracks, "{frame},3,100,13,4,2,0.1,0,3");
    }
    put(
        folder,
        "01_tracksMeta.csv",
        "id,width,height,initialFrame,finalFrame,numFrames,class,drivingDirection\n1,4,2,1,25,25,Car,1\n2,12,2.5,1,25,25,Truck,2\n3,4,2,1,25,25,Car,1\n",
    );
    put(
        folder,
        "01_recordingMeta.csv",
        "id,frameRate,locationId,speedLimit,upperLaneMarkings,lowerLaneMarkings\n1,25,2,-1,8;12;16,\"20;24;28\"\n",
    );
    put(folder, "01_tracks.csv", &tracks)
}

#[test]
fn boxes_of_highd_are_centred_and_turned_up() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, report) = opened(&highd(folder.path()), None);
    assert_eq!(
        (scene.dt_s, scene.frames, scene.agents.len()),
        (0.04, 25, 3)
    );
    let car = state(&scene, "1", 0);
    // 200 + 4/2 and −(9.5 + 2/2); 0.5 m/s downwards in the picture
    assert_eq!(car.position, dvec2(202.0, -10.5));
    assert_eq!(car.velocity, dvec2(-30.0, -0.5));
    assert!((car.heading - (-0.5f64).atan2(-30.0)).abs() < 1e-4);
    let lorry = agent(&scene, "2");
    assert_eq!((lorry.length, lorry.width), (12.0, 2.5));
    assert_eq!(lorry.category.as_deref(), Some("truck"));
    assert_eq!(state(&scene, "2", 0).heading, 0.0);
    // too slow to tell: as its carriageway runs
    assert!((state(&scene, "3", 4).heading.abs() - PI).abs() < 1e-3);
    assert!(report.is_clean(), "{:?}", report.lines());
    assert!(scene.source.starts_with("highD 01_tracks"));
}

#[test]
fn lanes_of_highd_lie_between_its_markings() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, _) = opened(&highd(folder.path()), None);
    let lanes = scene.map.lanes();
    let ids: Vec<&str> = lanes.iter().map(|lane| lane.id.as_str()).collect();
    // 1 lies above the first marking, 4 between the carriageways
    assert_eq!(ids, ["2", "3", "5", "6"]);
    assert!(lanes.iter().all(|lane| lane.kind == LaneKind::Freeway));
    // boxes reach from 50 m to 200 + 4 m, and the lanes 10 m further
    let ends = |index: usize| {
        (
            lanes[index].centreline.start(),
            lanes[index].centreline.end(),
        )
    };
    assert_eq!(ends(0), (dvec2(214.0, -10.0), dvec2(40.0, -10.0)));
    assert_eq!(ends(3), (dvec2(40.0, -26.0), dvec2(214.0, -26.0)));
    // towards −x the left border is that with the smaller y, and the left neighbour lies there
    assert_eq!(lanes[0].left_border[0], dvec2(214.0, -12.0));
    assert_eq!(lanes[0].right_border[0], dvec2(214.0, -8.0));
    let neighbours = |index: usize| {
        let lane = &lanes[index];
        let word = |id: &Option<crate::map::LaneId>| id.as_ref().map(ToString::to_string);
        (word(&lane.left_neighbour), word(&lane.right_neighbour))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(neighbours(0), (some("3"), None));
    assert_eq!(neighbours(1), (None, some("2")));
    assert_eq!(neighbours(2), (None, some("6")));
    assert_eq!(neighbours(3), (some("5"), None));
    assert_eq!((lanes[0].width, lanes[0].speed_limit), (Some(4.0), None));
    use LineKind::{BrokenWhite, SolidWhite};
    let kinds: Vec<LineKind> = scene.map.lines().iter().map(|line| line.kind).collect();
    let each = [SolidWhite, BrokenWhite, SolidWhite];
    assert_eq!(kinds, [each, each].concat());
}

#[test]
fn long_recordings_are_opened_in_windows() {
    let folder = tempfile::tempdir().unwrap();
    // 0.1 to 80 s, by tracks: the second one begins where the first one ends
    let late: String = car("2", 800)
        .lines()
        .skip(400)
        .map(|line| format!("{line}\n"))
        .collect();
    let text = [VEHICLE_HEADER, &car("1", 400), &late].concat();
    let file = put(folder.path(), "a.csv", &text);
    let picks: Vec<Option<String>> = list_path(&file)
        .unwrap()
        .into_iter()
        .map(|entry| entry.pick)
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(picks, [some("0.1"), some("30.1"), some("60.1")]);
    let (scene, report) = opened(&file, None);
    // the first 30 s, both ends included, in which the second car is not yet there
    assert_eq!((scene.frames, scene.agents.len()), (301, 1));
    assert!(says(
        &report,
        "longer than 60 s: this is 30 s from 0.1 s on"
    ));
    let (scene, report) = opened(&file, Some("30.1"));
    // 30.1 to 60.1 s: the first car up to 40 s, the second one from 40.1 s
    assert_eq!((scene.frames, scene.agents.len()), (301, 2));
    assert_eq!(scene.name, "a at 30.1 s");
    assert_eq!(agent(&scene, "1").track.span(), Some((0, 99)));
    assert_eq!(agent(&scene, "2").track.span(), Some((100, 300)));
    assert!(!says(&report, "longer than"));
    let message = refused(&file, Some("300-320"));
    assert!(message.contains("window 300-320"), "{message}");
    let message = refused(&file, Some("later"));
    assert!(message.contains("windows by their start"), "{message}");
}

#[test]
fn a_first_row_late_in_time_moves_no_window() {
    let folder = tempfile::tempdir().unwrap();
    let text = [
        VEHICLE_HEADER,
        "9,900,90000,car,5,1.5,0,0,0,4,2\n",
        &car("1", 20),
    ]
    .concat();
    let file = put(folder.path(), "a.csv", &text);
    let (scene, report) = opened(&file, None);
    // 0.1 to 2.0 s; the other one is there at 90 s
    assert_eq!((scene.frames, scene.agents.len()), (20, 1));
    assert!(says(&report, "longer than 60 s"));
}

#[test]
fn rows_that_cannot_be_read_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = [VEHICLE_HEADER, &car("1", 20)].concat().into_bytes();
    bytes.extend_from_slice(
        b"1,21,2100,car,,1.5,10,0,0,4.5,1.8\n1,21,2100,car,here,1.5,10,0,0,4.5,1.8\n1,21,2100,car,inf,1.5,10,0,0,4.5,1.8\n\
          1,21,NaN,car,1,1.5,10,0,0,4.5,1.8\n1,21,1e308,car,1,1.5,10,0,0,4.5,1.8\n,21,2100,car,1,1.5,10,0,0,4.5,1.8\n\
          1,21,2100,car,1e300,1.5,10,0,0,4.5,1.8\n1,21,2100,car,1\n\xff\xfe,21,2100,car,1,1.5,10,0,0,4.5,1.8\n\n",
    );
    let file = folder.path().join("a.csv");
    fs::write(&file, bytes).unwrap();
    let (scene, report) = opened(&file, None);
    assert_eq!((scene.frames, scene.agents.len()), (20, 1));
    let count = |column: &str| {
        report
            .skipped
            .get(&format!("rows without a readable {column}"))
    };
    assert_eq!(count("x"), Some(&4));
    assert_eq!(count("timestamp_ms"), Some(&2));
    assert_eq!(count("track_id"), Some(&2));
    assert_eq!(report.skipped["rows with too few fields"], 1);
}

#[test]
fn motion_that_is_no_number_follows_from_the_positions() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "1,1,100,car,0,0,NaN,0,nan,,\n1,2,200,car,0,1,,,,,\n1,3,300,car,0,2,x,0,x,-1,0\n";
    let file = put(folder.path(), "a.csv", &[VEHICLE_HEADER, rows].concat());
    let (scene, report) = opened(&file, None);
    // 1 m towards +y in 0.1 s
    let second = state(&scene, "1", 1);
    assert_eq!(second.velocity, dvec2(0.0, 10.0));
    assert!((second.heading - FRAC_PI_2).abs() < 1e-4);
    assert_eq!((scene.agents[0].length, scene.agents[0].width), (4.7, 2.0));
    assert!(says(&report, "3 states of vehicles") && says(&report, "1 vehicle has no size"));
}

#[test]
fn the_first_of_two_rows_of_a_track_and_time_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let text = [
        VEHICLE_HEADER,
        &car("1", 20),
        "1,3,300,car,90,1.5,10,0,0,4.5,1.8\n",
    ]
    .concat();
    let file = put(folder.path(), "a.csv", &text);
    let (scene, report) = opened(&file, None);
    assert_eq!(state(&scene, "1", 2).position.x, 3.0);
    assert!(
        says(&report, "1 row of a track and time"),
        "{:?}",
        report.lines()
    );
}

#[test]
fn gaps_in_a_track_stay_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = car("1", 9)
        .lines()
        .filter(|line| !line.starts_with("1,5,"))
        .map(|line| format!("{line}\n"))
        .collect();
    let file = put(folder.path(), "a.csv", &[VEHICLE_HEADER, &rows].concat());
    let (scene, _) = opened(&file, None);
    let known: Vec<usize> = scene.agents[0]
        .track
        .valid()
        .map(|(frame, _)| frame)
        .collect();
    assert_eq!(known, [0, 1, 2, 3, 5, 6, 7, 8]);
}

#[test]
fn a_missing_column_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (VEHICLE_HEADER, "timestamp_ms"),
        (VEHICLE_HEADER, "track_id"),
        (LEVELX_HEADER, "xCenter"),
        (LEVELX_HEADER, "frame"),
        (HIGHD_HEADER, "height"),
        (HIGHD_HEADER, "y"),
    ];
    for (header, column) in cases {
        let names = header.trim().split(',');
        let others: Vec<&str> = names.filter(|name| *name != column).collect();
        let text = format!(
            "{}\n{}\n",
            others.join(","),
            vec!["1"; others.len()].join(",")
        );
        let file = put(folder.path(), "a.csv", &text);
        let message = refused(&file, None);
        let wanted = format!("column {column}: is missing");
        assert!(message.contains(&wanted), "{message}");
        assert_eq!(list_path(&file).unwrap().len(), 1);
    }
}

#[test]
fn a_file_in_which_nothing_is_left_says_which_column_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let fail = |rows: &str| {
        let text = [VEHICLE_HEADER, rows].concat();
        refused(&put(folder.path(), "a.csv", &text), None)
    };
    let message = fail("1,1,100,car,1,?,0,0,0,4,2\n1,2,200,car,1,?,0,0,0,4,2\n");
    assert!(message.contains("column y"), "{message}");
    let message = fail("1,1,100\n");
    assert!(message.contains("fewer fields"), "{message}");
    let message = fail("");
    assert!(message.contains("rows: there are none"), "{message}");
}

#[test]
fn headers_are_known_with_blanks_quotes_marks_and_in_any_order() {
    let known = |text: &str| recognise(text.as_bytes());
    let interaction = Some(Header::Tracks(Dialect::Interaction));
    assert_eq!(
        known("\u{feff}\"track_id\", \"timestamp_ms\" ,agent_type,x,y\r\n1,"),
        interaction
    );
    assert_eq!(known(&format!("case_id,{VEHICLE_HEADER}")), interaction);
    assert_eq!(known("y,x,agent_type,timestamp_ms,track_id"), interaction);
    assert_eq!(known(LEVELX_HEADER), Some(Header::Tracks(Dialect::LevelX)));
    assert_eq!(known(HIGHD_HEADER), Some(Header::Tracks(Dialect::HighD)));
    for other in [
        "",
        "x,y,id\n1,2,3\n",
        "frame,id\n",
        "TIMESTAMP,TRACK_ID,OBJECT_TYPE,X,Y\n",
    ] {
        assert_eq!(known(other), None, "{other}");
    }
    let folder = tempfile::tempdir().unwrap();
    let text = "\u{feff}\"y\", \"x\" ,agent_type,timestamp_ms,\"track_id\"\r\n\"2\",1,car,100,\"a\"\r\n2,2,car,200,a\r\n";
    let (scene, _) = opened(&put(folder.path(), "a.csv", text), None);
    assert_eq!(state(&scene, "a", 0).position, dvec2(1.0, 2.0));
}

#[test]
fn absurd_numbers_give_a_scene_or_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let good = "0,1,10,0,1,1,0,2,4,0,0\n0,1,11,0,1,1,0,2,4,0,0\n";
    for absurd in [
        "0,1,1e308,0,1,1,0,2,4,0,0\n",
        "0,1,-1e308,0,1,1,0,2,4,0,0\n",
        "0,1,99999999999999999999,0,1,1,0,2,4,0,0\n",
        "0,1,12,0,1e308,1,0,2,4,0,0\n",
        "0,1,12,0,1,1,1e308,1e308,-1e308,1e308,-1e308\n",
        "0,1,-40,0,1,1,0,2,4,0,0\n",
    ] {
        let file = put(
            folder.path(),
            "00_tracks.csv",
            &[LEVELX_HEADER, absurd, good].concat(),
        );
        let (scene, _) = opened(&file, None);
        assert_eq!(scene.agents.len(), 1, "{absurd}");
        assert!(!list_path(&file).unwrap().is_empty());
    }
    // from frame −40 to frame 11: 40 + 1 + 11
    let rows = "0,1,-40,0,1,1,0,2,4,0,0\n0,1,11,0,1,1,0,2,4,0,0\n";
    let file = put(
        folder.path(),
        "00_tracks.csv",
        &[LEVELX_HEADER, rows].concat(),
    );
    assert_eq!(opened(&file, None).0.frames, 52);
    let meta = "recordingId,locationId,frameRate,duration\n0,1e300,1e-300,1e300\n";
    put(folder.path(), "00_recordingMeta.csv", meta);
    assert_eq!(opened(&file, None).0.dt_s, 0.04);
    assert!(list_path(&file).unwrap().len() <= 2000);
}

#[test]
fn more_frames_than_the_limit_are_refused_before_room_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let meta = "recordingId,locationId,frameRate\n0,1,1000\n";
    put(folder.path(), "00_recordingMeta.csv", meta);
    // 0 and 599 s at 1000 frames a second
    let rows = "0,1,0,0,1,1,0,2,4,0,0\n0,1,599000,0,1,1,0,2,4,0,0\n";
    let file = put(
        folder.path(),
        "00_tracks.csv",
        &[LEVELX_HEADER, rows].concat(),
    );
    let message = refused(&file, Some("0-600"));
    assert!(message.contains("number of frames is 599001"), "{message}");
}

#[test]
fn a_file_cut_short_loses_its_last_row() {
    let folder = tempfile::tempdir().unwrap();
    let whole = [VEHICLE_HEADER, &car("1", 20)].concat();
    // without the last ",1.8" and its line end
    let cut = &whole[..whole.len() - 5];
    let file = put(folder.path(), "a.csv", cut);
    let (scene, report) = opened(&file, None);
    assert_eq!(scene.frames, 19);
    assert_eq!(report.skipped["rows with too few fields"], 1);
}

#[test]
fn unknown_classes_are_taken_as_vehicles_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let rows = car("1", 3).replace("car", "hovercraft");
    let file = put(folder.path(), "a.csv", &[VEHICLE_HEADER, &rows].concat());
    let (scene, report) = opened(&file, None);
    assert_eq!(scene.agents[0].kind, AgentKind::Vehicle);
    assert!(says(&report, "hovercraft"), "{:?}", report.lines());
    let rows = car("1", 3).replace("car", "motorcycle");
    let file = put(folder.path(), "a.csv", &[VEHICLE_HEADER, &rows].concat());
    assert_eq!(opened(&file, None).0.agents[0].kind, AgentKind::Cyclist);
}

#[test]
fn a_compressed_table_says_to_unpack_it() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let mut deflate = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(VEHICLE_HEADER.as_bytes()).unwrap();
    let file = folder.path().join("a.csv.gz");
    fs::write(&file, deflate.finish().unwrap()).unwrap();
    assert!(refused(&file, None).contains("Unpack it"));
}
