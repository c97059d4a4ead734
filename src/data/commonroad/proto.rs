//! CommonRoad's protobuf files (2020a, one message for the whole scenario), told again as the XML elements that they
//! stand for, so that one reader makes the scene of both.
//!
//! Field numbers are those of commonroad-io's `definition_files`. Fields that no table names are passed over.

use crate::data::wire::{Field, Fields};
use crate::data::xml::Element;

/// Deepest nesting of messages: groups of shapes may hold groups.
const MAX_DEPTH: usize = 32;

/// Most elements below one of the root.
const MAX_ELEMENTS: usize = 2_000_000;

/// What a field of a message becomes in the element of that message.
enum Becomes {
    /// The attribute `id`.
    Id,
    /// A child with the attribute `ref`.
    Ref,
    /// A child with a number or a text as its text.
    Text,
    /// A child with the word of an enumeration as its text; numbers without one are passed over.
    Word(&'static [(u64, &'static str)]),
    /// An attribute of the last child of the field's name: its name, and the words of an enumeration.
    Attribute(&'static str, &'static [(u64, &'static str)]),
    /// A child with the fields of a message.
    Child(&'static [Row]),
    /// The fields of a message, as if they were of the one that holds it.
    Inside(&'static [Row]),
}

/// Field number, name of the child (after that of a child to put it into, if there are two), and what it becomes.
type Row = (u64, &'static str, Becomes);

use Becomes::{Attribute, Child, Id, Inside, Ref, Text, Word};

static ROOT: [Row; 9] = [
    (4, "lanelet", Child(&LANELET)),
    (5, "trafficSign", Child(&SIGN)),
    (6, "trafficLight", Child(&LIGHT)),
    (7, "intersection", Child(&INTERSECTION)),
    (8, "staticObstacle", Child(&STATIC)),
    (9, "dynamicObstacle", Child(&DYNAMIC)),
    (10, "environmentObstacle", Child(&STATIC)),
    (11, "phantomObstacle", Child(&[])),
    (12, "planningProblem", Child(&PROBLEM)),
];

static INFORMATION: [Row; 5] = [
    (1, "commonRoadVersion", Text),
    (2, "benchmarkID", Text),
    (4, "author", Text),
    (6, "source", Text),
    (7, "timeStepSize", Text),
];

static LANELET: [Row; 15] = [
    (1, "", Id),
    (2, "leftBound", Child(&BOUND)),
    (3, "rightBound", Child(&BOUND)),
    (4, "predecessor", Ref),
    (5, "successor", Ref),
    (6, "adjacentLeft", Ref),
    (7, "adjacentRight", Ref),
    (8, "adjacentLeft", Attribute("drivingDir", &DIRECTIONS)),
    (9, "adjacentRight", Attribute("drivingDir", &DIRECTIONS)),
    (10, "stopLine", Child(&STOP_LINE)),
    (11, "laneletType", Word(&LANELET_TYPES)),
    (12, "userOneWay", Word(&USERS)),
    (13, "userBidirectional", Word(&USERS)),
    (14, "trafficSignRef", Ref),
    (15, "trafficLightRef", Ref),
];

static BOUND: [Row; 2] = [
    (1, "point", Child(&POINT)),
    (2, "lineMarking", Word(&MARKINGS)),
];

static STOP_LINE: [Row; 4] = [
    (1, "point", Child(&POINT)),
    (2, "lineMarking", Word(&MARKINGS)),
    (3, "trafficSignRef", Ref),
    (4, "trafficLightRef", Ref),
];

static POINT: [Row; 2] = [(1, "x", Text), (2, "y", Text)];

static SIGN: [Row; 3] = [
    (1, "", Id),
    (2, "trafficSignElement", Child(&SIGN_ELEMENT)),
    (4, "position/point", Child(&POINT)),
];

/// By country; limits are told by the sign of most countries, 274.
static SIGN_ELEMENT: [Row; 14] = [
    (1, "trafficSignID", Word(&GERMAN_SIGNS)),
    (2, "trafficSignID", Word(&GERMAN_SIGNS)), // of Zamunda, CommonRoad's own country
    (3, "trafficSignID", Word(&LIMIT)),
    (4, "trafficSignID", Word(&LIMIT)),
    (5, "trafficSignID", Word(&SPANISH_SIGNS)),
    (7, "trafficSignID", Word(&LIMIT)),
    (8, "trafficSignID", Word(&LIMIT)),
    (9, "trafficSignID", Word(&LIMIT)),
    (10, "trafficSignID", Word(&LIMIT)),
    (11, "trafficSignID", Word(&LIMIT)),
    (12, "trafficSignID", Word(&LIMIT)),
    (13, "trafficSignID", Word(&LIMIT)),
    (14, "trafficSignID", Word(&LIMIT)),
    (15, "additionalValue", Text),
];

static LIGHT: [Row; 5] = [
    (1, "", Id),
    (2, "cycle/cycleElement", Child(&CYCLE_ELEMENT)),
    (4, "cycle/timeOffset", Text),
    (5, "direction", Word(&TURNS)),
    (6, "active", Text),
];

static CYCLE_ELEMENT: [Row; 2] = [(1, "duration", Text), (2, "color", Word(&COLOURS))];

static INTERSECTION: [Row; 3] = [
    (1, "", Id),
    (2, "incoming", Child(&INCOMING)),
    (3, "crossing/crossingLanelet", Ref),
];

static INCOMING: [Row; 5] = [
    (1, "", Id),
    (2, "incomingLanelet", Ref),
    (3, "successorsRight", Ref),
    (4, "successorsStraight", Ref),
    (5, "successorsLeft", Ref),
];

/// Static ones, and those of the environment, which have no state.
static STATIC: [Row; 4] = [
    (1, "", Id),
    (2, "type", Word(&OBSTACLES)),
    (3, "shape", Child(&SHAPE)),
    (4, "initialState", Child(&STATE)),
];

static DYNAMIC: [Row; 6] = [
    (1, "", Id),
    (2, "type", Word(&OBSTACLES)),
    (3, "shape", Child(&SHAPE)),
    (4, "initialState", Child(&STATE)),
    (5, "trajectory", Child(&TRAJECTORY_PREDICTION)),
    (6, "occupancySet", Child(&SET_PREDICTION)),
];

static TRAJECTORY_PREDICTION: [Row; 1] = [(1, "", Inside(&TRAJECTORY))];

static TRAJECTORY: [Row; 1] = [(2, "state", Child(&STATE))];

static SET_PREDICTION: [Row; 1] = [(2, "", Inside(&OCCUPANCIES))];

static OCCUPANCIES: [Row; 1] = [(1, "occupancy", Child(&OCCUPANCY))];

static OCCUPANCY: [Row; 2] = [(1, "time", Child(&VALUE)), (2, "shape", Child(&SHAPE))];

static STATE: [Row; 8] = [
    (1, "position/point", Child(&POINT)),
    (2, "position", Child(&SHAPE)),
    (3, "orientation", Child(&VALUE)),
    (4, "velocity", Child(&VALUE)),
    (8, "slipAngle", Child(&VALUE)),
    (13, "velocityY", Child(&VALUE)),
    (35, "time", Child(&VALUE)),
    (39, "time", Child(&VALUE)), // of later files, whose 35 is an acceleration
];

static PROBLEM: [Row; 3] = [
    (1, "", Id),
    (2, "initialState", Child(&STATE)),
    (3, "goalState", Child(&GOAL)),
];

static GOAL: [Row; 2] = [(1, "", Inside(&STATE)), (2, "position/lanelet", Ref)];

static SHAPE: [Row; 4] = [
    (1, "rectangle", Child(&RECTANGLE)),
    (2, "circle", Child(&CIRCLE)),
    (3, "polygon", Child(&POLYGON)),
    (4, "", Inside(&SHAPE_GROUP)),
];

static SHAPE_GROUP: [Row; 1] = [(1, "", Inside(&SHAPE))];

static RECTANGLE: [Row; 4] = [
    (1, "length", Text),
    (2, "width", Text),
    (3, "center", Child(&POINT)),
    (4, "orientation", Text),
];

static CIRCLE: [Row; 2] = [(1, "radius", Text), (2, "center", Child(&POINT))];

static POLYGON: [Row; 1] = [(1, "point", Child(&POINT))];

/// Of whole numbers and of others.
static VALUE: [Row; 2] = [(1, "exact", Text), (2, "", Inside(&INTERVAL))];

static INTERVAL: [Row; 2] = [(1, "intervalStart", Text), (2, "intervalEnd", Text)];

static DIRECTIONS: [(u64, &str); 2] = [(0, "same"), (1, "opposite")];

static MARKINGS: [(u64, &str); 6] = [
    (0, "dashed"),
    (1, "solid"),
    (2, "broad_dashed"),
    (3, "broad_solid"),
    (4, "unknown"),
    (5, "no_marking"),
];

static LANELET_TYPES: [(u64, &str); 15] = [
    (0, "urban"),
    (1, "country"),
    (2, "highway"),
    (3, "driveWay"),
    (4, "mainCarriageWay"),
    (5, "accessRamp"),
    (6, "exitRamp"),
    (7, "shoulder"),
    (8, "busLane"),
    (9, "busStop"),
    (10, "bicycleLane"),
    (11, "sidewalk"),
    (12, "crosswalk"),
    (13, "interstate"),
    (14, "intersection"),
];

static USERS: [(u64, &str); 10] = [
    (0, "vehicle"),
    (1, "car"),
    (2, "truck"),
    (3, "bus"),
    (4, "priorityVehicle"),
    (5, "motorcycle"),
    (6, "bicycle"),
    (7, "pedestrian"),
    (8, "train"),
    (9, "taxi"),
];

static COLOURS: [(u64, &str); 5] = [
    (0, "red"),
    (1, "redYellow"),
    (2, "green"),
    (3, "yellow"),
    (4, "inactive"),
];

static TURNS: [(u64, &str); 7] = [
    (0, "right"),
    (1, "straight"),
    (2, "left"),
    (3, "leftStraight"),
    (4, "straightRight"),
    (5, "leftRight"),
    (6, "all"),
];

static OBSTACLES: [(u64, &str); 16] = [
    (0, "unknown"),
    (1, "car"),
    (2, "truck"),
    (3, "bus"),
    (4, "bicycle"),
    (5, "pedestrian"),
    (6, "priorityVehicle"),
    (7, "parkedVehicle"),
    (8, "constructionZone"),
    (9, "train"),
    (10, "roadBoundary"),
    (11, "motorcycle"),
    (12, "taxi"),
    (13, "building"),
    (14, "pillar"),
    (15, "median_strip"),
];

/// Stop, and limits on a road and in a zone.
static GERMAN_SIGNS: [(u64, &str); 3] = [(17, "206"), (57, "274"), (58, "274.1")];

/// Stop, and a limit.
static SPANISH_SIGNS: [(u64, &str); 2] = [(1, "r2"), (7, "r301")];

static LIMIT: [(u64, &str); 1] = [(0, "274")];

/// Why a message cannot be told as elements.
const NO_MESSAGE: &str = "is no protobuf message";
const TOO_DEEP: &str = "messages are nested too deep";
const TOO_MANY: &str = "one element holds too many others";

/// Whether bytes begin as such a file: with the information whose first field is a version.
pub(in crate::data) fn is_scenario(bytes: &[u8]) -> bool {
    let first = |bytes| match Fields::of(bytes).next() {
        Some(Ok((1, Field::Bytes(inside)))) => Some(inside),
        _ => None,
    };
    matches!(first(bytes).and_then(first), Some(b"2018b" | b"2020a"))
}

/// The root element without its children, and its children one by one.
///
/// # Errors
/// What is wrong with the bytes, or with those of a child.
pub(super) fn elements(
    bytes: &[u8],
) -> Result<(Element, impl Iterator<Item = Result<Element, &'static str>>), &'static str> {
    let information = match Fields::of(bytes).next() {
        Some(Ok((1, Field::Bytes(information)))) => information,
        _ => return Err(NO_MESSAGE),
    };
    let mut root = element("commonRoad");
    let mut left = MAX_ELEMENTS;
    fill(&mut root, information, &INFORMATION, 0, &mut left)?;
    let attributes = root.children.drain(..);
    root.attributes = attributes.map(|child| (child.name, child.text)).collect();
    let children = Fields::of(bytes).filter_map(|field| {
        let told = field.map_err(|_| NO_MESSAGE).and_then(|(number, value)| {
            let mut holder = Element::default();
            let mut left = MAX_ELEMENTS;
            take(&mut holder, number, value, &ROOT, 0, &mut left)?;
            Ok(holder.children.pop())
        });
        told.transpose()
    });
    Ok((root, children))
}

fn element(name: &str) -> Element {
    Element {
        name: name.to_owned(),
        ..Element::default()
    }
}

/// Adds what the fields of `message` become to an element.
fn fill(
    into: &mut Element,
    message: &[u8],
    rows: &'static [Row],
    depth: usize,
    left: &mut usize,
) -> Result<(), &'static str> {
    if depth > MAX_DEPTH {
        return Err(TOO_DEEP);
    }
    for field in Fields::of(message) {
        let (number, value) = field.map_err(|_| NO_MESSAGE)?;
        take(into, number, value, rows, depth, left)?;
    }
    Ok(())
}

/// Adds what one field becomes.
fn take(
    into: &mut Element,
    number: u64,
    value: Field<'_>,
    rows: &'static [Row],
    depth: usize,
    left: &mut usize,
) -> Result<(), &'static str> {
    let Some((_, path, becomes)) = rows.iter().find(|(known, ..)| *known == number) else {
        return Ok(());
    };
    let message = || value.bytes().ok_or(NO_MESSAGE);
    let (holder, name) = path.split_once('/').unwrap_or(("", path));
    let mut child = element(name);
    match becomes {
        Id => {
            into.attributes.push(("id".to_owned(), text(value)));
            return Ok(());
        }
        Inside(rows) => return fill(into, message()?, rows, depth + 1, left),
        Attribute(key, words) => {
            let named = into.children.iter_mut().rfind(|child| child.name == name);
            if let (Some(child), Some(word)) = (named, word(words, value)) {
                child.attributes.push(((*key).to_owned(), word.to_owned()));
            }
            return Ok(());
        }
        Ref => child.attributes.push(("ref".to_owned(), text(value))),
        Text => child.text = text(value),
        Word(words) => match word(words, value) {
            Some(word) => child.text = word.to_owned(),
            None => return Ok(()),
        },
        Child(rows) => fill(&mut child, message()?, rows, depth + 1, left)?,
    }
    *left = left.checked_sub(1).ok_or(TOO_MANY)?;
    if name == "time" {
        into.children.retain(|other| other.name != name); // the later field is the time
    }
    if holder.is_empty() {
        into.children.push(child);
    } else if let Some(held) = into.children.iter_mut().find(|held| held.name == holder) {
        held.children.push(child);
    } else {
        let mut held = element(holder);
        held.children.push(child);
        into.children.push(held);
    }
    Ok(())
}

fn word(words: &[(u64, &'static str)], value: Field<'_>) -> Option<&'static str> {
    let Field::Varint(number) = value else {
        return None;
    };
    let found = words.iter().find(|(known, _)| *known == number);
    found.map(|(_, word)| *word)
}

fn text(value: Field<'_>) -> String {
    match value {
        Field::Varint(number) => (number as i64).to_string(),
        Field::Fixed64(bytes) => f64::from_le_bytes(bytes).to_string(),
        Field::Fixed32(bytes) => f32::from_le_bytes(bytes).to_string(),
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::xml::parse;

    fn varint(mut number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    }

    fn whole(field: u64, number: i64) -> Vec<u8> {
        [varint(field << 3), varint(number as u64)].concat()
    }

    fn real(field: u64, number: f64) -> Vec<u8> {
        [varint(field << 3 | 1), number.to_le_bytes().to_vec()].concat()
    }

    fn held(field: u64, parts: &[Vec<u8>]) -> Vec<u8> {
        let bytes = parts.concat();
        [varint(field << 3 | 2), varint(bytes.len() as u64), bytes].concat()
    }

    fn scenario(parts: &[Vec<u8>]) -> Vec<u8> {
        let information = [
            held(1, &[b"2020a".to_vec()]),
            held(2, &[b"USA_X-1_1_T-1".to_vec()]),
            real(7, 0.1),
        ];
        [held(1, &information), parts.concat()].concat()
    }

    #[test]
    fn messages_are_told_as_the_elements_they_stand_for() {
        let point = |field, x: f64, y: f64| held(field, &[real(1, x), real(2, y)]);
        let bytes = scenario(&[
            held(
                4,
                &[
                    whole(1, 7),
                    held(2, &[point(1, 0.0, 3.5), point(1, 9.0, 3.5), whole(2, 0)]),
                    held(3, &[point(1, 0.0, 0.0), point(1, 9.0, 0.0)]),
                    whole(6, 8),
                    whole(8, 1),
                    whole(11, 2),
                ],
            ),
            held(
                5,
                &[
                    whole(1, 9),
                    held(2, &[whole(1, 57), held(15, &[b"13.9".to_vec()])]),
                    point(4, 1.0, 2.0),
                ],
            ),
            held(
                9,
                &[
                    whole(1, 5),
                    whole(2, 1),
                    held(
                        4,
                        &[
                            point(1, 1.0, 2.0),
                            held(4, &[held(2, &[real(1, 7.0), real(2, 9.0)])]),
                            held(35, &[whole(1, -3)]),
                        ],
                    ),
                    held(
                        5,
                        &[held(
                            1,
                            &[
                                whole(1, 1),
                                held(
                                    2,
                                    &[
                                        held(
                                            2,
                                            &[held(4, &[held(1, &[held(2, &[real(1, 2.0)])])])],
                                        ),
                                        held(35, &[real(1, 0.5)]),
                                        held(39, &[whole(1, 1)]),
                                    ],
                                ),
                            ],
                        )],
                    ),
                ],
            ),
            held(12, &[whole(1, 3), held(3, &[whole(2, 7), whole(2, 8)])]),
        ]);
        assert!(is_scenario(&bytes) && !is_scenario(b"\n20200101,1,2"));
        let (root, children) = elements(&bytes).unwrap();
        assert_eq!(root.attribute("benchmarkID"), Some("USA_X-1_1_T-1"));
        assert_eq!(root.attribute("timeStepSize"), Some("0.1"));
        let told: Vec<Element> = children.map(Result::unwrap).collect();
        let point = |x: i32, y: f64| format!("<point><x>{x}</x><y>{y}</y></point>");
        let expected = format!(
            "<commonRoad>\
             <lanelet id='7'><leftBound>{}{}<lineMarking>dashed</lineMarking></leftBound>\
             <rightBound>{}{}</rightBound><adjacentLeft ref='8' drivingDir='opposite'/>\
             <laneletType>highway</laneletType></lanelet>\
             <trafficSign id='9'><trafficSignElement><trafficSignID>274</trafficSignID>\
             <additionalValue>13.9</additionalValue></trafficSignElement><position>{}</position></trafficSign>\
             <dynamicObstacle id='5'><type>car</type><initialState><position>{}</position>\
             <velocity><intervalStart>7</intervalStart><intervalEnd>9</intervalEnd></velocity>\
             <time><exact>-3</exact></time></initialState>\
             <trajectory><state><position><circle><radius>2</radius></circle></position>\
             <time><exact>1</exact></time></state></trajectory></dynamicObstacle>\
             <planningProblem id='3'><goalState><position><lanelet ref='7'/><lanelet ref='8'/></position>\
             </goalState></planningProblem></commonRoad>",
            point(0, 3.5),
            point(9, 3.5),
            point(0, 0.0),
            point(9, 0.0),
            point(1, 2.0),
            point(1, 2.0),
        );
        assert_eq!(told, parse(&expected).unwrap().children);
    }

    #[test]
    fn damaged_and_endlessly_nested_messages_are_refused() {
        let whole = scenario(&[held(9, &[whole(1, 5)])]);
        let cut = &whole[..whole.len() - 1];
        assert_eq!(elements(cut).unwrap().1.last(), Some(Err(NO_MESSAGE)));
        let mut shape = Vec::new();
        for _ in 0..MAX_DEPTH {
            shape = held(4, &[held(1, &[shape])]);
        }
        let deep = scenario(&[held(8, &[held(3, &[shape])])]);
        assert_eq!(elements(&deep).unwrap().1.last(), Some(Err(TOO_DEEP)));
    }
}
