//! Damaged and hostile files in CommonRoad, Argoverse 2, SUMO, OpenDRIVE, OpenSCENARIO, Lanelet2 and L5Kit formats, in
//! those of recorded tracks (INTERACTION, levelX, highD), and of futures: every one opens or is refused with a sentence, quickly and
//! without a panic. `NEARMISS_MUTATIONS=20000` tries that many of each instead of 200, and then also holds the memory
//! against 1 GiB (Linux; run it alone: `--test suite damaged_xml -- --test-threads 1`).
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests: they stop at what is wrong and say what they saw"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use nearmiss::data::{self, PlanFile};

/// A seeded stream of numbers (xorshift, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// A number in a text replaced by one that makes little sense: what is well-formed stays so.
fn misnumbered(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    const ABSURD: [&str; 16] = [
        "0",
        "-1",
        "1",
        "2",
        "3",
        "-0.5",
        "1e9",
        "1e-9",
        "1e300",
        "-1e308",
        "NaN",
        "inf",
        "99999999999999999999",
        "2147483648",
        "100000",
        "3.14159",
    ];
    let mut bytes = seed.to_vec();
    for _ in 0..1 + numbers.below(4) {
        let begins: Vec<usize> = (1..bytes.len())
            .filter(|&at| bytes[at].is_ascii_digit() && !bytes[at - 1].is_ascii_alphanumeric())
            .collect();
        if begins.is_empty() {
            return damaged(seed, numbers);
        }
        let at = begins[numbers.below(begins.len())];
        let part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e');
        let length = bytes[at..].iter().take_while(|byte| part(byte)).count();
        let absurd = ABSURD[numbers.below(ABSURD.len())];
        bytes.splice(at..at + length, absurd.bytes());
    }
    bytes
}

/// One to eight small damages: flipped bits, overwritten bytes, cuts, repeats, absurd numbers, an early end.
fn damaged(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + numbers.below(8) {
        if bytes.is_empty() {
            break;
        }
        let at = numbers.below(bytes.len());
        let length = 1 + numbers.below(40).min(bytes.len() - at - 1);
        match numbers.below(8) {
            0 | 1 => bytes[at] ^= 1 << numbers.below(8),
            2 => bytes[at] = numbers.below(256) as u8,
            3 => {
                bytes.drain(at..at + length);
            }
            4 => {
                let part = bytes[at..at + length].to_vec();
                bytes.splice(at..at, part);
            }
            5 => {
                let absurd: [&[u8]; 6] = [
                    b"99999999999999999999",
                    b"-1e308",
                    b"NaN",
                    &[0xff; 8],
                    b"&lol;",
                    &[0x7f, 0xff, 0xff, 0xff],
                ];
                bytes.splice(at..at, absurd[numbers.below(6)].iter().copied());
            }
            6 => {
                let absurd = [0xff, 0xff, 0xff, 0x7f, 0x80, 0x00];
                let value = absurd[numbers.below(6)];
                let end = (at + 1 + numbers.below(8)).min(bytes.len());
                bytes[at..end].fill(value);
            }
            _ if numbers.below(4) == 0 => bytes.truncate(at),
            _ => bytes[at] = b'9',
        }
    }
    bytes
}

fn rounds() -> usize {
    let asked = std::env::var("NEARMISS_MUTATIONS").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(200)
}

/// Opens `target` after each damage to `file`.
fn survive(file: &Path, seed: &[u8], target: &Path) {
    survive_rounds(file, seed, target, rounds());
}

fn survive_rounds(file: &Path, seed: &[u8], target: &Path, rounds: usize) {
    std::fs::write(file, seed).unwrap();
    data::open(target, None).unwrap();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut opened, mut slowest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let is_text = seed.starts_with(b"<") || seed.starts_with(b"{") || seed.is_ascii();
        let bytes = match is_text && round % 2 == 0 {
            true => misnumbered(seed, &mut numbers),
            false => damaged(seed, &mut numbers),
        };
        std::fs::write(file, bytes).unwrap();
        let begin = Instant::now();
        match data::open(target, None) {
            Ok(_) => opened += 1,
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        let taken = begin.elapsed();
        slowest = slowest.max(taken);
        assert!(
            taken < Duration::from_secs(5),
            "round {round} took {taken:?}"
        );
    }
    println!(
        "{}: {rounds} damaged, {opened} opened, slowest {slowest:?}",
        file.display()
    );
    if self::rounds() > 1000 {
        let peak = peak_memory_mib();
        println!("peak memory so far {peak:?} MiB");
        assert!(peak.is_none_or(|peak| peak < 1024));
    }
}

fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

const COMMONROAD: &str = r#"<?xml version="1.0"?><!DOCTYPE commonRoad [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>
<commonRoad commonRoadVersion="2020a" benchmarkID="ZAM_Test-1_1_T-1" timeStepSize="0.1" date="2020-01-01" author="&lol2;" source="s">
<location><geoNameId>-999</geoNameId></location>
<lanelet id="1"><leftBound><point><x>0</x><y>3.5</y></point><point><x>50</x><y>3.5</y></point><lineMarking>dashed</lineMarking></leftBound>
<rightBound><point><x>0</x><y>0</y></point><point><x>20</x><y>0</y></point><point><x>50</x><y>0</y></point></rightBound>
<successor ref="2"/><adjacentLeft ref="3" drivingDir="opposite"/><stopLine><point><x>49</x><y>0</y></point><point><x>49</x><y>3.5</y></point></stopLine>
<laneletType>urban</laneletType><trafficSignRef ref="90"/><trafficLightRef ref="91"/></lanelet>
<lanelet id="2"><leftBound><point><x>50</x><y>3.5</y></point><point><x>99</x><y>3.5</y></point></leftBound>
<rightBound><point><x>50</x><y>0</y></point><point><x>99</x><y>0</y></point></rightBound><predecessor ref="1"/></lanelet>
<trafficSign id="90"><trafficSignElement><trafficSignID>274</trafficSignID><additionalValue>13.9</additionalValue></trafficSignElement></trafficSign>
<trafficLight id="91"><cycle><cycleElement><duration>20</duration><color>red</color></cycleElement><cycleElement><duration>30</duration><color>green</color></cycleElement><timeOffset>5</timeOffset></cycle><active>true</active></trafficLight>
<intersection id="92"><incoming id="93"><incomingLanelet ref="1"/><successorsStraight ref="2"/></incoming></intersection>
<dynamicObstacle id="30"><type>car</type><shape><rectangle><length>4.5</length><width>1.8</width></rectangle></shape>
<initialState><position><point><x>30</x><y>1.7</y></point></position><orientation><exact>0</exact></orientation><time><exact>0</exact></time><velocity><exact>5</exact></velocity></initialState>
<trajectory><state><position><rectangle><length>1</length><width>1</width><center><x>30.5</x><y>1.7</y></center></rectangle></position><orientation><intervalStart>-0.1</intervalStart><intervalEnd>0.1</intervalEnd></orientation><time><exact>1</exact></time><velocity><exact>5</exact></velocity></state>
<state><position><lanelet ref="2"/></position><time><exact>2</exact></time></state></trajectory></dynamicObstacle>
<staticObstacle id="31"><type>unknown</type><shape><polygon><point><x>0</x><y>0</y></point><point><x>1</x><y>0</y></point><point><x>1</x><y>2</y></point></polygon></shape><initialState><position><point><x>9</x><y>9</y></point></position><orientation><exact>1</exact></orientation><time><exact>0</exact></time></initialState></staticObstacle>
<planningProblem id="40"><initialState><position><point><x>3</x><y>1.7</y></point></position><orientation><exact>0</exact></orientation><time><exact>0</exact></time><velocity><exact>10</exact></velocity></initialState>
<goalState><time><intervalStart>0</intervalStart><intervalEnd>60</intervalEnd></time><position><circle><radius>2</radius><center><x>80</x><y>1.7</y></center></circle></position></goalState></planningProblem>
</commonRoad>"#;

#[test]
fn damaged_commonroad_files_open_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.xml");
    survive(&file, COMMONROAD.as_bytes(), &file);
}

const NET: &str = r#"<net version="1.20"><location netOffset="0,0" convBoundary="0,0,9,9"/>
<edge id=":j_0" function="internal"><lane id=":j_0_0" index="0" speed="10" length="10" shape="100,0 110,0"/></edge>
<edge id=":j_c0" function="crossing"><lane id=":j_c0_0" index="0" width="4" shape="100,-5 100,5"/></edge>
<edge id="in" from="a" to="j"><lane id="in_0" index="0" speed="13.89" length="200" shape="0,0 100,0"/><lane id="in_1" index="1" disallow="pedestrian" speed="13.89" length="100" shape="0,3.2 100,3.2"/></edge>
<edge id="out"><lane id="out_0" index="0" speed="30" length="50" shape="110,0,5 160,0,5"/></edge>
<tlLogic id="j" type="static" programID="0" offset="5"><phase duration="10" state="G"/><phase duration="7" state="r"/></tlLogic>
<junction id="j" type="traffic_light" x="105" y="0" incLanes="in_0" shape="100,-2 110,-2 110,5 100,5"><request index="0" response="0"/></junction>
<connection from="in" to="out" fromLane="0" toLane="0" via=":j_0_0" tl="j" linkIndex="0" dir="s" state="O"/>
<connection from=":j_0" to="out" fromLane="0" toLane="0" dir="s" state="M"/></net>"#;

#[test]
fn damaged_sumo_networks_open_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.net.xml");
    survive(&file, NET.as_bytes(), &file);
}

const ROADS: &str = r#"<OpenDRIVE><header revMajor="1" revMinor="6"/>
<road id="1" length="80" junction="-1" rule="RHT"><link><successor elementType="junction" elementId="9"/></link><type s="0" type="town"><speed max="50" unit="km/h"/></type>
<planView><geometry s="0" x="0" y="0" hdg="0" length="30"><line/></geometry><geometry s="30" x="30" y="0" hdg="0" length="20"><spiral curvStart="0" curvEnd="0.02"/></geometry><geometry s="50" x="49.9" y="1.3" hdg="0.2" length="30"><arc curvature="0.02"/></geometry></planView>
<lanes><laneOffset s="0" a="0.5" b="0.01" c="0" d="0"/><laneSection s="0"><left><lane id="1" type="driving"><link><successor id="1"/></link><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></left><center><lane id="0" type="none"><roadMark sOffset="0" type="broken" color="white"/></lane></center><right><lane id="-1" type="driving"><link><successor id="-1"/></link><width sOffset="0" a="3" b="0.02" c="0" d="0"/><speed sOffset="0" max="30" unit="mph"/></lane><lane id="-2" type="sidewalk"><border sOffset="0" a="-6" b="0" c="0" d="0"/></lane></right></laneSection>
<laneSection s="40"><left><lane id="1" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></left><right><lane id="-1" type="driving"><link><predecessor id="-1"/></link><width sOffset="0" a="3.8" b="0" c="0" d="0"/></lane></right></laneSection></lanes>
<objects><object id="1" type="crosswalk" s="20" t="0" hdg="0" length="4" width="8"/><object id="2" type="crosswalk" s="60" t="0"><outline><cornerRoad s="58" t="-4"/><cornerRoad s="62" t="-4"/><cornerLocal u="2" v="4"/></outline></object></objects><signals><signal id="3" dynamic="yes" s="79" t="-2"/><signal id="4" type="206" s="70" t="-2" orientation="+"/><signal id="5" type="274" value="30" unit="km/h" s="45" t="-2" orientation="+"><validity fromLane="-1" toLane="-1"/></signal></signals></road>
<road id="2" length="20" junction="9"><link><predecessor elementType="road" elementId="1" contactPoint="end"/></link><planView><geometry s="0" x="76" y="12" hdg="0.8" length="20"><paramPoly3 pRange="normalized" aU="0" bU="20" cU="0" dU="0" aV="0" bV="0" cV="2" dV="1"/></geometry></planView><lanes><laneSection s="0"><right><lane id="-1" type="driving"><link><predecessor id="-1"/></link><width sOffset="0" a="3.8"/></lane></right></laneSection></lanes></road>
<road id="3" length="9" junction="-1"><planView><geometry s="0" x="0" y="90" hdg="1" length="9"><poly3 a="0" b="0.1" c="0.01" d="0"/></geometry></planView><lanes><laneSection s="0"><right><lane id="-1" type="driving"><width sOffset="0" a="3.8"/></lane></right></laneSection></lanes></road>
<junction id="9"><connection id="0" incomingRoad="1" connectingRoad="2" contactPoint="start"><laneLink from="-1" to="-1"/></connection></junction></OpenDRIVE>"#;

#[test]
fn damaged_opendrive_files_open_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.xodr");
    survive(&file, ROADS.as_bytes(), &file);
}

const SCENARIO: &str = r#"<OpenSCENARIO><FileHeader revMajor="1" revMinor="1" description="d"/><ParameterDeclarations><ParameterDeclaration name="v" parameterType="double" value="${36 / 3.6}"/></ParameterDeclarations>
<CatalogLocations><VehicleCatalog><Directory path="."/></VehicleCatalog></CatalogLocations><RoadNetwork><LogicFile filepath="a.xodr"/><TrafficSignals><TrafficSignalController name="k" delay="1" reference="k"><Phase name="p" duration="2"><TrafficSignalState trafficSignalId="3" state="off;off;on"/></Phase><Phase name="q" duration="3"><TrafficSignalState trafficSignalId="3" state="red"/></Phase></TrafficSignalController></TrafficSignals></RoadNetwork>
<Entities><ScenarioObject name="Ego"><Vehicle name="e" vehicleCategory="car"><BoundingBox><Center x="1.4" y="0" z="0.9"/><Dimensions length="5" width="2" height="1.8"/></BoundingBox></Vehicle></ScenarioObject><ScenarioObject name="b"><CatalogReference catalogName="V" entryName="car"/></ScenarioObject><ScenarioObject name="p"><Pedestrian name="w"/></ScenarioObject></Entities>
<Storyboard><Init><Actions><Private entityRef="Ego"><PrivateAction><TeleportAction><Position><LanePosition roadId="1" laneId="-1" s="5" offset="0.2"/></Position></TeleportAction></PrivateAction><PrivateAction><LongitudinalAction><SpeedAction><SpeedActionDynamics dynamicsShape="step" dynamicsDimension="time" value="0"/><SpeedActionTarget><AbsoluteTargetSpeed value="$v"/></SpeedActionTarget></SpeedAction></LongitudinalAction></PrivateAction></Private>
<Private entityRef="b"><PrivateAction><TeleportAction><Position><RelativeLanePosition entityRef="Ego" dLane="2" ds="20" offset="0"/></Position></TeleportAction></PrivateAction></Private><Private entityRef="p"><PrivateAction><TeleportAction><Position><WorldPosition x="30" y="-7" z="0" h="1.57"/></Position></TeleportAction></PrivateAction></Private><Private entityRef="b"><PrivateAction><RoutingAction><AssignRouteAction><Route name="r" closed="false"><Waypoint routeStrategy="shortest"><Position><LanePosition roadId="1" laneId="-1" s="5"/></Position></Waypoint><Waypoint routeStrategy="shortest"><Position><LanePosition roadId="2" laneId="-1" s="9"/></Position></Waypoint></Route></AssignRouteAction></RoutingAction></PrivateAction><PrivateAction><TeleportAction><Position><RoutePosition><RouteRef><Route name="r" closed="false"><Waypoint routeStrategy="shortest"><Position><LanePosition roadId="1" laneId="-1" s="5"/></Position></Waypoint><Waypoint routeStrategy="shortest"><Position><LanePosition roadId="2" laneId="-1" s="9"/></Position></Waypoint></Route></RouteRef><InRoutePosition><FromLaneCoordinates pathS="60" laneId="-1"/></InRoutePosition></RoutePosition></Position></TeleportAction></PrivateAction></Private></Actions></Init>
<Story name="s"><Act name="a"><ManeuverGroup name="g" maximumExecutionCount="1"><Actors selectTriggeringEntities="false"><EntityRef entityRef="b"/><EntityRef entityRef="p"/></Actors><Maneuver name="m"><Event name="e" priority="overwrite"><Action name="x"><PrivateAction><LongitudinalAction><SpeedAction><SpeedActionDynamics dynamicsShape="linear" dynamicsDimension="rate" value="2"/><SpeedActionTarget><RelativeTargetSpeed entityRef="Ego" value="1.1" speedTargetValueType="factor" continuous="true"/></SpeedActionTarget></SpeedAction></LongitudinalAction></PrivateAction></Action><StartTrigger><ConditionGroup><Condition name="c" delay="0.5" conditionEdge="rising"><ByEntityCondition><TriggeringEntities triggeringEntitiesRule="any"><EntityRef entityRef="Ego"/></TriggeringEntities><EntityCondition><TimeHeadwayCondition entityRef="b" value="1.5" freespace="true" rule="lessThan"/></EntityCondition></ByEntityCondition></Condition></ConditionGroup></StartTrigger></Event>
<Event name="f" priority="parallel" maximumExecutionCount="2"><Action name="y"><PrivateAction><RoutingAction><FollowTrajectoryAction><Trajectory name="t" closed="false"><Shape><Polyline><Vertex time="0"><Position><WorldPosition x="30" y="-7"/></Position></Vertex><Vertex time="4"><Position><WorldPosition x="30" y="7" h="1.5"/></Position></Vertex></Polyline></Shape></Trajectory><TimeReference><Timing domainAbsoluteRelative="relative" scale="1" offset="0"/></TimeReference></FollowTrajectoryAction></RoutingAction></PrivateAction></Action><StartTrigger><ConditionGroup><Condition name="d"><ByValueCondition><SimulationTimeCondition value="2" rule="greaterThan"/></ByValueCondition></Condition></ConditionGroup></StartTrigger></Event>
<Event name="h"><Action name="z"><PrivateAction><LateralAction><LaneChangeAction><LaneChangeActionDynamics dynamicsShape="sinusoidal" dynamicsDimension="time" value="3"/><LaneChangeTarget><RelativeTargetLane entityRef="Ego" value="0"/></LaneChangeTarget></LaneChangeAction></LateralAction></PrivateAction></Action><StartTrigger><ConditionGroup><Condition name="k"><ByValueCondition><StoryboardElementStateCondition storyboardElementType="event" storyboardElementRef="f" state="endTransition"/></ByValueCondition></Condition></ConditionGroup></StartTrigger></Event>
<Event name="i"><Action name="u"><PrivateAction><LongitudinalAction><LongitudinalDistanceAction entityRef="Ego" distance="12" freespace="true" continuous="true" displacement="trailingReferencedEntity"><DynamicConstraints maxAcceleration="2" maxDeceleration="3" maxSpeed="20"/></LongitudinalDistanceAction></LongitudinalAction></PrivateAction></Action><StartTrigger><ConditionGroup><Condition name="o"><ByEntityCondition><TriggeringEntities triggeringEntitiesRule="all"><EntityRef entityRef="b"/></TriggeringEntities><EntityCondition><RelativeSpeedCondition entityRef="Ego" value="1" rule="greaterThan"/></EntityCondition></ByEntityCondition></Condition></ConditionGroup></StartTrigger></Event>
<Event name="j"><Action name="w"><PrivateAction><SynchronizeAction masterEntityRef="Ego" targetToleranceMaster="1"><TargetPositionMaster><LanePosition roadId="1" laneId="-1" s="60"/></TargetPositionMaster><TargetPosition><WorldPosition x="50" y="4"/></TargetPosition><FinalSpeed><RelativeSpeedToMaster value="2"/></FinalSpeed></SynchronizeAction></PrivateAction></Action><StartTrigger><ConditionGroup><Condition name="q"><ByEntityCondition><TriggeringEntities triggeringEntitiesRule="any"><EntityRef entityRef="p"/></TriggeringEntities><EntityCondition><StandStillCondition duration="0.5"/></EntityCondition></ByEntityCondition></Condition></ConditionGroup></StartTrigger></Event></Maneuver></ManeuverGroup><StopTrigger><ConditionGroup><Condition name="v" delay="1" conditionEdge="falling"><ByEntityCondition><TriggeringEntities triggeringEntitiesRule="any"><EntityRef entityRef="b"/></TriggeringEntities><EntityCondition><RelativeDistanceCondition entityRef="Ego" value="15" rule="greaterOrEqual" freespace="true" coordinateSystem="road" relativeDistanceType="longitudinal"/></EntityCondition></ByEntityCondition></Condition></ConditionGroup></StopTrigger></Act></Story>
<StopTrigger><ConditionGroup><Condition name="q"><ByValueCondition><SimulationTimeCondition value="9" rule="greaterThan"/></ByValueCondition></Condition></ConditionGroup></StopTrigger></Storyboard></OpenSCENARIO>"#;

#[test]
fn damaged_openscenario_files_open_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.xodr"), ROADS).unwrap();
    let file = folder.path().join("a.xosc");
    survive(&file, SCENARIO.as_bytes(), &file);
}

fn traffic() -> String {
    let step = |index: i32| {
        let x = 10 + 5 * index;
        format!(
            "<timestep time=\"{index}.00\"><vehicle id=\"v\" x=\"{x}\" y=\"0\" angle=\"90\" type=\"t\" speed=\"5\" pos=\"{x}\" lane=\"in_0\"/>\n\
             <vehicle id=\"w\" x=\"1\" y=\"3.2\" angle=\"91.5\" type=\"bus\" speed=\"0\" pos=\"1\" lane=\"in_1\"/><person id=\"p\" x=\"7\" y=\"9\" angle=\"0\" speed=\"1\"/></timestep>\n"
        )
    };
    let steps: String = (0..12).map(step).collect();
    format!(
        "<!-- <configuration><input><net-file value=\"a.net.xml\"/><route-files value=\"a.rou.xml\"/></input></configuration> -->\n<fcd-export>{steps}</fcd-export>"
    )
}

#[test]
fn damaged_sumo_traffic_opens_or_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let types =
        "<routes><vType id=\"t\" vClass=\"truck\" length=\"8\"/><vehicle id=\"v\"/></routes>";
    std::fs::write(folder.path().join("a.net.xml"), NET).unwrap();
    std::fs::write(folder.path().join("a.rou.xml"), types).unwrap();
    let file = folder.path().join("a.fcd.xml");
    survive(&file, traffic().as_bytes(), &file);
}

/// Two lanelets one after the other, 60 m along x, with a stop line and a light, in local coordinates and in degrees
/// from 0° N, 0° E.
const LANELETS: &str = r#"<?xml version="1.0"?><osm version="0.6" generator="g">
<node id="1" lat="0" lon="0"><tag k="local_x" v="0"/><tag k="local_y" v="0"/></node><node id="2" lat="0" lon="0.00027"><tag k="local_x" v="30"/><tag k="local_y" v="0"/></node><node id="3" lat="0" lon="0.00054"><tag k="local_x" v="60"/><tag k="local_y" v="0"/></node>
<node id="4" lat="0.000031" lon="0"><tag k="local_x" v="0"/><tag k="local_y" v="3.5"/></node><node id="5" lat="0.000031" lon="0.00027"><tag k="local_x" v="30"/><tag k="local_y" v="3.5"/></node><node id="6" lat="0.000031" lon="0.00054"><tag k="local_x" v="60"/><tag k="local_y" v="3.5"/></node>
<way id="11"><nd ref="1"/><nd ref="2"/><tag k="type" v="line_thin"/><tag k="subtype" v="solid"/></way><way id="12"><nd ref="2"/><nd ref="3"/></way>
<way id="13"><nd ref="5"/><nd ref="4"/><tag k="type" v="line_thin"/><tag k="subtype" v="dashed"/></way><way id="14"><nd ref="5"/><nd ref="6"/><tag k="type" v="curbstone"/></way><way id="15"><nd ref="2"/><nd ref="5"/><tag k="type" v="stop_line"/></way>
<relation id="21"><member type="way" ref="13" role="left"/><member type="way" ref="11" role="right"/><member type="relation" ref="31" role="regulatory_element"/><member type="relation" ref="32" role="regulatory_element"/><tag k="type" v="lanelet"/><tag k="subtype" v="road"/><tag k="speed_limit" v="50 km/h"/></relation>
<relation id="22"><member type="way" ref="14" role="left"/><member type="way" ref="12" role="right"/><tag k="type" v="lanelet"/><tag k="subtype" v="road"/><tag k="one_way" v="no"/></relation>
<relation id="23"><member type="way" ref="15" role="outer"/><tag k="type" v="multipolygon"/><tag k="subtype" v="parking"/></relation>
<relation id="31"><member type="way" ref="15" role="ref_line"/><tag k="type" v="regulatory_element"/><tag k="subtype" v="traffic_light"/></relation>
<relation id="32"><member type="way" ref="15" role="ref_line"/><tag k="type" v="regulatory_element"/><tag k="subtype" v="right_of_way"/></relation></osm>"#;

#[test]
fn damaged_lanelet2_maps_open_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.osm");
    survive(&file, LANELETS.as_bytes(), &file);
    let degrees = LANELETS.replace("local_", "l_");
    survive(&file, degrees.as_bytes(), &file);
}

/// A table of 24 rows for each of two tracks: `row` is given the track's number and the step.
fn table(header: &str, row: impl Fn(usize, usize) -> String) -> String {
    let mut text = format!("{header}\n");
    for track in 1..=2 {
        for step in 0..24 {
            text.push_str(&row(track, step));
            text.push('\n');
        }
    }
    text
}

#[test]
fn damaged_interaction_tracks_open_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let vehicles = table(
        "track_id,frame_id,timestamp_ms,agent_type,x,y,vx,vy,psi_rad,length,width",
        |track, step| {
            let (stamp, x) = (100 * step + 100, 5 * track + step);
            format!("{track},{step},{stamp},car,{x}.25,1.75,10.0,0.0,0.01,4.5,1.8")
        },
    );
    let people = table(
        "track_id,frame_id,timestamp_ms,agent_type,x,y,vx,vy",
        |track, step| {
            let stamp = 100 * step + 100;
            format!("P{track},{step},{stamp},pedestrian/bicycle,9.5,{step}.5,0.0,1.2")
        },
    );
    let map = put("a.osm", LANELETS);
    let people_file = put("pedestrian_tracks_000.csv", &people);
    let file = put("vehicle_tracks_000.csv", &vehicles);
    let scene = data::open(&file, None).unwrap().scene;
    assert_eq!((scene.agents.len(), scene.frames), (4, 24));
    assert!(!scene.map.is_empty());
    survive(&file, vehicles.as_bytes(), &file);
    put("vehicle_tracks_000.csv", &vehicles);
    survive(&people_file, people.as_bytes(), &file);
    put("pedestrian_tracks_000.csv", &people);
    survive(&map, LANELETS.as_bytes(), &file);
    let cases = table(
        "case_id,track_id,frame_id,timestamp_ms,agent_type,x,y,vx,vy,psi_rad,length,width",
        |track, step| {
            let (case, stamp) = (1 + step / 12, 100 * (step % 12) + 100);
            format!("{case}.0,{track},{step},{stamp},car,{step}.25,1.75,10.0,0.0,0.01,4.5,1.8")
        },
    );
    let file = put("b_train.csv", &cases);
    survive(&file, cases.as_bytes(), &file);
}

#[test]
fn damaged_levelx_tracks_and_their_lists_open_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    std::fs::create_dir(folder.path().join("maps")).unwrap();
    put("maps/location1.osm", LANELETS);
    let tracks = table(
        "recordingId,trackId,frame,trackLifetime,xCenter,yCenter,heading,width,length,xVelocity,yVelocity",
        |track, step| {
            let x = 5 * track + step;
            format!("0,{track},{step},{step},{x}.25,1.75,0.5,1.8,4.5,10.0,0.0")
        },
    );
    let recording = "recordingId,locationId,frameRate,speedLimit,duration,xUtmOrigin,yUtmOrigin\n0,1,25,13.9,0.96,166021.4,0.0\n";
    let list = "recordingId,trackId,initialFrame,finalFrame,numFrames,width,length,class\n0,1,0,23,24,1.8,4.5,car\n0,2,0,23,24,0,0,pedestrian\n";
    let recording_file = put("00_recordingMeta.csv", recording);
    let list_file = put("00_tracksMeta.csv", list);
    let file = put("00_tracks.csv", &tracks);
    let scene = data::open(&file, None).unwrap().scene;
    assert_eq!((scene.agents.len(), scene.frames), (2, 24));
    assert!(!scene.map.is_empty());
    survive(&file, tracks.as_bytes(), &file);
    put("00_tracks.csv", &tracks);
    survive(&recording_file, recording.as_bytes(), &file);
    put("00_recordingMeta.csv", recording);
    survive(&list_file, list.as_bytes(), &file);
}

#[test]
fn damaged_highd_tracks_and_their_lists_open_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let tracks = table(
        "frame,id,x,y,width,height,xVelocity,yVelocity,laneId",
        |track, step| {
            let x = 50 * track + step;
            format!("{step},{track},{x}.5,21.25,4.5,1.8,25.0,0.1,5")
        },
    );
    let recording = "id,frameRate,locationId,speedLimit,upperLaneMarkings,lowerLaneMarkings\n1,25,2,36.1,8.5;12.6;16.4,20.9;24.9;28.8\n";
    let list = "id,width,height,initialFrame,finalFrame,numFrames,class,drivingDirection\n1,4.5,1.8,0,23,24,Car,2\n2,4.5,1.8,0,23,24,Truck,2\n";
    let recording_file = put("01_recordingMeta.csv", recording);
    let list_file = put("01_tracksMeta.csv", list);
    let file = put("01_tracks.csv", &tracks);
    let scene = data::open(&file, None).unwrap().scene;
    assert_eq!((scene.agents.len(), scene.frames), (2, 24));
    assert_eq!(scene.map.lanes().len(), 4);
    survive(&file, tracks.as_bytes(), &file);
    put("01_tracks.csv", &tracks);
    survive(&recording_file, recording.as_bytes(), &file);
    put("01_recordingMeta.csv", recording);
    survive(&list_file, list.as_bytes(), &file);
}

/// Columns of a table: 3 tracks at 60 steps.
fn forecasting_batch() -> RecordBatch {
    let rows: Vec<(usize, usize)> = (0..3)
        .flat_map(|track| (0..60).map(move |step| (track, step)))
        .collect();
    let float = |value: fn(usize, usize) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(
            rows.iter().map(|&(track, step)| value(track, step)),
        ))
    };
    let text = |value: fn(usize) -> &'static str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|&(track, _)| value(track)),
        ))
    };
    let steps = rows.iter().map(|&(_, step)| step as i64);
    RecordBatch::try_from_iter([
        (
            "observed",
            Arc::new(BooleanArray::from_iter(
                rows.iter().map(|&(_, step)| Some(step < 50)),
            )) as ArrayRef,
        ),
        ("track_id", text(|track| ["AV", "17", "18"][track])),
        (
            "object_type",
            text(|track| ["vehicle", "bus", "pedestrian"][track]),
        ),
        (
            "object_category",
            Arc::new(Int64Array::from_iter_values(
                rows.iter().map(|&(track, _)| track as i64),
            )),
        ),
        ("timestep", Arc::new(Int64Array::from_iter_values(steps))),
        (
            "position_x",
            float(|track, step| (10 * track + step) as f64),
        ),
        (
            "position_y",
            float(|track, step| (track * step) as f64 * 0.1),
        ),
        ("heading", float(|track, _| track as f64)),
        ("velocity_x", float(|_, _| 10.0)),
        ("velocity_y", float(|track, _| track as f64)),
        ("city", text(|_| "austin")),
    ])
    .unwrap()
}

#[test]
fn damaged_argoverse_forecasting_files_open_or_are_refused() {
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::properties::{WriterProperties, WriterVersion};
    let batch = forecasting_batch();
    let variants = [
        (Compression::SNAPPY, WriterVersion::PARQUET_1_0),
        (Compression::UNCOMPRESSED, WriterVersion::PARQUET_1_0),
        (
            Compression::ZSTD(ZstdLevel::default()),
            WriterVersion::PARQUET_2_0,
        ),
    ];
    for (compression, version) in variants {
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_writer_version(version)
            .build();
        let mut bytes = Vec::new();
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))
                .unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scenario_a.parquet");
        std::fs::write(&file, &bytes).unwrap();
        let scene = data::open(&file, None).unwrap().scene;
        assert_eq!((scene.agents.len(), scene.frames, scene.now), (3, 60, 49));
        survive(&file, &bytes, &file);
    }
}

/// A log of two boxes and its poses.
fn sensor_tables() -> [RecordBatch; 2] {
    let rows: Vec<(usize, usize)> = (0..2)
        .flat_map(|track| (0..40).map(move |step| (track, step)))
        .collect();
    let table = |rows: &[(usize, usize)], boxes: bool| {
        let float = |value: fn(usize, usize) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(
                rows.iter().map(|&(track, step)| value(track, step)),
            ))
        };
        let stamps = rows
            .iter()
            .map(|&(_, step)| 1_000_000_000 + step as i64 * 100_000_000);
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            (
                "timestamp_ns",
                Arc::new(Int64Array::from_iter_values(stamps)),
            ),
            ("qw", float(|_, _| 1.0)),
            ("qx", float(|_, _| 0.0)),
            ("qy", float(|_, _| 0.0)),
            ("qz", float(|track, _| 0.1 * track as f64)),
            ("tx_m", float(|track, step| (5 * track + step) as f64)),
            ("ty_m", float(|track, _| track as f64)),
            ("tz_m", float(|_, _| 0.0)),
        ];
        if boxes {
            let text = |value: fn(usize) -> &'static str| -> ArrayRef {
                Arc::new(StringArray::from_iter_values(
                    rows.iter().map(|&(track, _)| value(track)),
                ))
            };
            columns.push(("track_uuid", text(|track| ["a", "b"][track])));
            columns.push((
                "category",
                text(|track| ["REGULAR_VEHICLE", "PEDESTRIAN"][track]),
            ));
            columns.push(("length_m", float(|track, _| [4.5, 0.6][track])));
            columns.push(("width_m", float(|track, _| [1.9, 0.6][track])));
        }
        RecordBatch::try_from_iter(columns).unwrap()
    };
    [table(&rows, true), table(&rows[..40], false)]
}

fn feather(batch: &RecordBatch, compression: Option<arrow_ipc::CompressionType>) -> Vec<u8> {
    let options = arrow_ipc::writer::IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap();
    let mut bytes = Vec::new();
    let schema = batch.schema();
    let mut writer =
        arrow_ipc::writer::FileWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

#[test]
fn damaged_argoverse_sensor_logs_open_or_are_refused() {
    use arrow_ipc::CompressionType;
    let [boxes, poses] = sensor_tables();
    for compression in [
        None,
        Some(CompressionType::LZ4_FRAME),
        Some(CompressionType::ZSTD),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let [box_file, pose_file] = ["annotations.feather", "city_SE3_egovehicle.feather"]
            .map(|name| folder.path().join(name));
        let [box_bytes, pose_bytes] = [&boxes, &poses].map(|batch| feather(batch, compression));
        std::fs::write(&pose_file, &pose_bytes).unwrap();
        std::fs::write(&box_file, &box_bytes).unwrap();
        let scene = data::open(folder.path(), None).unwrap().scene;
        assert_eq!((scene.agents.len(), scene.frames), (3, 40)); // both boxes, and the ego
        survive(&box_file, &box_bytes, folder.path());
        std::fs::write(&box_file, &box_bytes).unwrap();
        survive(&pose_file, &pose_bytes, folder.path());
    }
}

#[test]
fn damaged_argoverse_maps_leave_a_scene_without_one() {
    let [boxes, poses] = sensor_tables();
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    put("annotations.feather", &feather(&boxes, None));
    put("city_SE3_egovehicle.feather", &feather(&poses, None));
    let map = r#"{"lane_segments": {"7": {"id": 7, "lane_type": "BUS", "is_intersection": true,
        "left_lane_boundary": [{"x": 0, "y": 3, "z": 1}, {"x": 10, "y": 3, "z": 1}],
        "right_lane_boundary": [{"x": 0, "y": 0, "z": 1}, {"x": 4, "y": 0, "z": 1}, {"x": 10, "y": 0, "z": 1}],
        "left_lane_mark_type": "DOUBLE_SOLID_YELLOW", "successors": [99], "left_neighbor_id": null}},
        "drivable_areas": {"1": {"area_boundary": [{"x": 0, "y": 0}, {"x": 9, "y": 0}, {"x": 9, "y": 9}]}}, "pedestrian_crossings": {}}"#;
    let file = put("log_map_archive_a.json", map.as_bytes());
    survive(&file, map.as_bytes(), folder.path());
}

/// Writes `text` over and over into a gzip file.
fn gzip_of(path: &Path, begin: &str, text: &str, times: usize) {
    let file = std::fs::File::create(path).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::best());
    gzip.write_all(begin.as_bytes()).unwrap();
    for _ in 0..times {
        gzip.write_all(text.as_bytes()).unwrap();
    }
    gzip.finish().unwrap();
}

#[test]
fn bombs_are_refused_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb");
    let blanks = " ".repeat(1 << 20);
    let deep = "<d>".repeat(1 << 18);
    let entities = format!(
        "<!DOCTYPE net [<!ENTITY a \"{}\">{}]>",
        "a".repeat(1000),
        "<!ENTITY b \"&a;&a;&a;&a;\">".repeat(100)
    );
    let doubled: String = (1..40)
        .map(|at| {
            let before = at - 1;
            format!("<ParameterDeclaration name='p{at}' value='$p{before}$p{before}'/>")
        })
        .collect();
    let doubled = format!(
        "<OpenSCENARIO><ParameterDeclarations><ParameterDeclaration name='p0' value='xxxxxxxx'/>{doubled}</ParameterDeclarations>"
    );
    let empty = "<a/>".repeat(1 << 16);
    let cases: [(&str, &str, usize); 8] = [
        // half a gigabyte of blanks inside one element, and inside one tag
        (
            "<commonRoad timeStepSize='0.1'><lanelet id='1'>",
            &blanks,
            512,
        ),
        ("<net><edge id='1' ", &blanks, 512),
        ("<fcd-export><timestep time='0'>", &blanks, 512),
        ("<net><edge id='1'>", &deep, 4),
        (&format!("{entities}<net>"), "<edge id='&b;'/>", 100_000),
        ("<commonRoad>", "<lanelet id='1'/>", 1_000_000),
        // a value that doubles forty times, and more elements than any scenario has
        (&doubled, "<Entities/></OpenSCENARIO>", 1),
        ("<OpenSCENARIO>", &empty, 40),
    ];
    for (begin, text, times) in cases {
        gzip_of(&path, begin, text, times);
        let start = Instant::now();
        let message = data::open(&path, None).unwrap_err().to_string();
        println!(
            "{:?}: {}",
            start.elapsed(),
            &message[..message.floor_char_boundary(200)]
        );
        assert!(start.elapsed() < Duration::from_secs(20), "{message}");
    }
}

/// Each file of an L5Kit log in turn.
#[test]
fn damaged_l5kit_logs_open_or_are_refused() {
    let Some(log) = super::importers_xml::real("l5kit/single_scene.zarr") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("log.zarr");
    let mut files = Vec::new();
    for part in ["", "agents", "frames", "scenes", "traffic_light_faces"] {
        std::fs::create_dir_all(copy.join(part)).unwrap();
        for entry in std::fs::read_dir(log.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let to = copy.join(part).join(path.file_name().unwrap());
                std::fs::copy(&path, &to).unwrap();
                files.push(to);
            }
        }
    }
    let each = rounds() / files.len();
    for file in files {
        let seed = std::fs::read(&file).unwrap();
        survive_rounds(&file, &seed, &copy, each);
        std::fs::write(&file, &seed).unwrap();
    }
}

#[test]
fn damaged_futures_are_read_or_refused() {
    let csv = "time_s,x,y,heading,speed,mode,probability\n2.5,1,2,0.1,4,left,0.7\n3.0,3,2.5,0.2,4,left,0.7\n2.5,1,2,0,3,right slow,0.3\n4.0,5,1,0,3,right slow,0.3\n";
    let json = r#"{"now_s": 2.0, "modes": [{"points": [[1.0, 2.0, 0.1, 3.0], [2.0, 2.5, 0.1, 3.0]], "step_s": 0.5, "probability": 0.6}, {"points": [[1, 2], [3, 4]], "step_s": 0.5}]}"#;
    let folder = tempfile::tempdir().unwrap();
    for (name, seed) in [("futures.csv", csv), ("futures.json", json)] {
        let path = folder.path().join(name);
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let at = |problem| format!("{name}: {problem}");
            PlanFile::read(&path)?.answer(2.0, 2.0, None).map_err(at)
        };
        read(seed.as_bytes()).unwrap();
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        let mut refused = 0;
        for round in 0..5 * rounds() {
            let bytes = match round % 2 {
                0 => misnumbered(seed.as_bytes(), &mut numbers),
                _ => damaged(seed.as_bytes(), &mut numbers),
            };
            if let Err(message) = read(&bytes) {
                assert!(message.contains(name), "{message}");
                refused += 1;
            }
        }
        assert!(refused > 0, "{name}");
    }
}

/// Real files, where they are there (see `importers_xml`), when many damages are asked for.
#[test]
fn damaged_real_files_open_or_are_refused() {
    if rounds() < 1000 {
        println!("skipped: set NEARMISS_MUTATIONS for damages to real files");
        return;
    }
    let files = [
        "commonroad/other_real/DEU_A9-3_1_T-1.xml",
        "commonroad/ngsim/USA_Peach-4_8_T-1.xml",
        "commonroad/simulated/test_reading_all.xml",
        "sumo/smarts_maps/cloverleaf.net.xml",
        "opendrive_openscenario/esmini/xodr/fabriksgatan_traffic_lights.xodr",
        "opendrive_openscenario/esmini/xodr/parking_demo.xodr",
        "opendrive_openscenario/commonroad_designer/MONAEast.xodr",
        "argoverse2/motion_forecasting/0a1e6f0a-1817-4a98-b02e-db8c9327d151/scenario_0a1e6f0a-1817-4a98-b02e-db8c9327d151.parquet",
    ];
    for file in files {
        let Some(path) = super::importers_xml::real(file) else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join(path.file_name().unwrap());
        survive_rounds(&copy, &std::fs::read(&path).unwrap(), &copy, rounds() / 20);
    }
}
