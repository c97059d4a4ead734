//! The JSON that GPUDrive and Nocturne share, as liberal as the files met: points as objects, lists, or one object of
//! lists; numbers as numbers, truth values or null; ids as numbers or text. Lists are limited while they are read.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::draft::{MAX_AGENTS, MAX_FRAMES, MAX_MAP_POINTS};
use super::waymo_terms::signal_state;
use crate::scene::SignalState;

/// Most roads of a file.
const MAX_ROADS: usize = 200_000;

#[derive(Deserialize)]
pub(super) struct File {
    #[serde(default)]
    pub(super) name: Option<Word>,
    #[serde(default)]
    pub(super) scenario_id: Option<Word>,
    /// Where a file that we wrote comes from.
    #[serde(default, rename = "nearmiss")]
    pub(super) origin: Option<Origin>,
    #[serde(default)]
    pub(super) objects: List<Object, MAX_AGENTS>,
    #[serde(default)]
    pub(super) roads: List<Road, MAX_ROADS>,
    #[serde(default)]
    pub(super) tl_states: Lights,
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
}

#[derive(Deserialize)]
pub(super) struct Origin {
    #[serde(default)]
    pub(super) source: Option<Word>,
    #[serde(default)]
    pub(super) licence: Option<Word>,
}

#[derive(Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) sdc_track_index: Option<Loose>,
}

#[derive(Deserialize)]
pub(super) struct Object {
    #[serde(default, rename = "type")]
    pub(super) kind: Option<Word>,
    #[serde(default)]
    pub(super) id: Option<Word>,
    #[serde(default)]
    pub(super) length: Numbers,
    #[serde(default)]
    pub(super) width: Numbers,
    pub(super) position: Places,
    #[serde(default)]
    pub(super) velocity: Places,
    #[serde(default)]
    pub(super) heading: Numbers,
    #[serde(default)]
    pub(super) valid: Option<Numbers>,
}

#[derive(Deserialize)]
pub(super) struct Road {
    #[serde(default, rename = "type")]
    pub(super) kind: Option<Word>,
    #[serde(default)]
    pub(super) id: Option<Word>,
    #[serde(default)]
    pub(super) map_element_id: Option<Loose>,
    #[serde(default)]
    pub(super) geometry: Places,
}

#[derive(Deserialize, Default)]
pub(super) struct Light {
    #[serde(default)]
    pub(super) state: List<Shown, MAX_FRAMES>,
    #[serde(default)]
    pub(super) x: Numbers,
    #[serde(default)]
    pub(super) y: Numbers,
    #[serde(default)]
    pub(super) time_index: Numbers,
}

/// A list of at most `MOST` items; null is an empty one.
pub(super) struct List<T, const MOST: usize>(pub(super) Vec<T>);

impl<T, const MOST: usize> Default for List<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Items<T, MOST> {
            type Value = List<T, MOST>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "a list of at most {MOST} items")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(List::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    if list.len() == MOST {
                        return Err(A::Error::custom(format!("more than {MOST} items")));
                    }
                    list.push(item);
                }
                Ok(List(list))
            }
        }
        deserializer.deserialize_any(Items(PhantomData))
    }
}

/// A short text, or a number as text.
pub(super) struct Word(pub(super) String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyWord;
        impl Visitor<'_> for AnyWord {
            type Value = Word;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text or a number")
            }
            fn visit_str<E>(self, text: &str) -> Result<Word, E> {
                Ok(Word(text.chars().take(200).collect()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }
        }
        deserializer.deserialize_any(AnyWord)
    }
}

/// What a light shows, from its word or number.
pub(super) struct Shown(pub(super) SignalState);

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Option::<Word>::deserialize(deserializer)?;
        Ok(Self(word.map_or(SignalState::Unknown, |word| {
            signal_state(&word.0)
        })))
    }
}

/// A number: also a truth value (0 or 1), or null (NaN).
#[derive(Clone, Copy)]
pub(super) struct Loose(pub(super) f64);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(
            Numbers::deserialize(deserializer)?
                .0
                .first()
                .copied()
                .unwrap_or(f64::NAN),
        ))
    }
}

/// A list of numbers; a single number is a list of one, and one-element lists inside are numbers.
#[derive(Default)]
pub(super) struct Numbers(pub(super) Vec<f64>);

impl Numbers {
    /// A number, NaN outside.
    pub(super) fn at(&self, index: usize) -> f64 {
        self.0.get(index).copied().unwrap_or(f64::NAN)
    }
}

struct OneNumber;

impl<'de> Visitor<'de> for OneNumber {
    type Value = f64;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number")
    }
    fn visit_bool<E>(self, truth: bool) -> Result<f64, E> {
        Ok(f64::from(u8::from(truth)))
    }
    fn visit_u64<E>(self, number: u64) -> Result<f64, E> {
        Ok(number as f64)
    }
    fn visit_i64<E>(self, number: i64) -> Result<f64, E> {
        Ok(number as f64)
    }
    fn visit_f64<E>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }
    fn visit_unit<E>(self) -> Result<f64, E> {
        Ok(f64::NAN)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<f64, A::Error> {
        let first = items.next_element::<f64>()?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first.unwrap_or(f64::NAN))
    }
}

struct InnerNumber(f64);

impl<'de> Deserialize<'de> for InnerNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneNumber).map(Self)
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Many;
        impl<'de> Visitor<'de> for Many {
            type Value = Numbers;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number or a list of numbers")
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Numbers, E> {
                Ok(Numbers(vec![f64::from(u8::from(truth))]))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Numbers, E> {
                Ok(Numbers(vec![number as f64]))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Numbers, E> {
                Ok(Numbers(vec![number as f64]))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Numbers, E> {
                Ok(Numbers(vec![number]))
            }
            fn visit_unit<E>(self) -> Result<Numbers, E> {
                Ok(Numbers(Vec::new()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Numbers, A::Error> {
                let mut numbers = Vec::new();
                while let Some(InnerNumber(number)) = items.next_element()? {
                    if numbers.len() == MAX_MAP_POINTS {
                        return Err(A::Error::custom(format!(
                            "more than {MAX_MAP_POINTS} numbers"
                        )));
                    }
                    numbers.push(number);
                }
                Ok(Numbers(numbers))
            }
        }
        deserializer.deserialize_any(Many)
    }
}

/// Points: a list of `{x, y}` or `[x, y]`, or one `{x: [..], y: [..]}`; a single point is a list of one.
#[derive(Default)]
pub(super) struct Places(pub(super) Vec<(f64, f64)>);

impl Places {
    /// A point, NaN outside.
    pub(super) fn at(&self, index: usize) -> (f64, f64) {
        self.0.get(index).copied().unwrap_or((f64::NAN, f64::NAN))
    }
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Many;
        impl<'de> Visitor<'de> for Many {
            type Value = Places;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of points")
            }
            fn visit_unit<E>(self) -> Result<Places, E> {
                Ok(Places::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Places, A::Error> {
                let mut places = Vec::new();
                while let Some(OnePlace(x, y)) = items.next_element()? {
                    if places.len() == MAX_MAP_POINTS {
                        return Err(A::Error::custom(format!(
                            "more than {MAX_MAP_POINTS} points"
                        )));
                    }
                    places.push((x, y));
                }
                Ok(Places(places))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Places, A::Error> {
                let (mut x, mut y) = (Numbers::default(), Numbers::default());
                while let Some(key) = map.next_key::<Word>()? {
                    match key.0.as_str() {
                        "x" => x = map.next_value()?,
                        "y" => y = map.next_value()?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                if x.0.len() != y.0.len() {
                    let (x, y) = (x.0.len(), y.0.len());
                    return Err(A::Error::custom(format!("{x} x against {y} y")));
                }
                Ok(Places(x.0.into_iter().zip(y.0).collect()))
            }
        }
        deserializer.deserialize_any(Many)
    }
}

struct OnePlace(f64, f64);

impl<'de> Deserialize<'de> for OnePlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = OnePlace;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a point {x, y} or [x, y]")
            }
            fn visit_unit<E>(self) -> Result<OnePlace, E> {
                Ok(OnePlace(f64::NAN, f64::NAN))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OnePlace, A::Error> {
                let mut coordinate = || -> Result<f64, A::Error> {
                    let number = items.next_element::<InnerNumber>()?;
                    number
                        .map(|number| number.0)
                        .ok_or_else(|| A::Error::custom("a point of less than two numbers"))
                };
                let (x, y) = (coordinate()?, coordinate()?);
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(OnePlace(x, y))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OnePlace, A::Error> {
                let (mut x, mut y) = (None, None);
                while let Some(key) = map.next_key::<Axis>()? {
                    match key {
                        Axis::X => x = Some(map.next_value::<InnerNumber>()?.0),
                        Axis::Y => y = Some(map.next_value::<InnerNumber>()?.0),
                        Axis::Other => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                match (x, y) {
                    (Some(x), Some(y)) => Ok(OnePlace(x, y)),
                    _ => Err(A::Error::custom("a point without x or y")),
                }
            }
        }
        deserializer.deserialize_any(One)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Axis {
    X,
    Y,
    #[serde(other)]
    Other,
}

/// Lights by lane id; anything but an object is none.
#[derive(Default)]
pub(super) struct Lights(pub(super) BTreeMap<String, Light>);

impl<'de> Deserialize<'de> for Lights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Many;
        impl<'de> Visitor<'de> for Many {
            type Value = Lights;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of lights by lane id")
            }
            fn visit_unit<E>(self) -> Result<Lights, E> {
                Ok(Lights::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Lights, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Lights::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lights, A::Error> {
                let mut lights = BTreeMap::new();
                while let Some(lane) = map.next_key::<String>()? {
                    if lights.len() == MAX_AGENTS {
                        return Err(A::Error::custom(format!("more than {MAX_AGENTS} lights")));
                    }
                    lights.insert(lane, map.next_value()?);
                }
                Ok(Lights(lights))
            }
        }
        deserializer.deserialize_any(Many)
    }
}
