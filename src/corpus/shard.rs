//! A shard: windows side by side as one safetensors file.
//!
//! The file is put together here because the bytes must be the same every time; the library writes metadata in random
//! order.

use serde_json::{Map, Value, json};

use super::example::{Example, Size};
use crate::codec::{PIECE_POINTS, T};
use crate::geometry::quantise;
use crate::scene::AgentId;

/// Version of the layout, in the metadata.
const LAYOUT: &str = "1";

/// Windows of one size, in order.
#[derive(Debug, Clone)]
pub struct Shard {
    size: Size,
    places: Vec<Place>,
    agents: Vec<u8>,
    valid: Vec<u8>,
    kind: Vec<u8>,
    lanes: Vec<u8>,
    lane_valid: Vec<u8>,
    lane_kind: Vec<u8>,
    lane_signal: Vec<u8>,
    lane_speed: Vec<u8>,
}

/// Where a window is from.
#[derive(Debug, Clone)]
pub struct Place {
    /// The scene it is cut from.
    pub scene: String,
    /// In whose frame it is.
    pub ego: AgentId,
    /// Scene time of its present, s.
    pub present_s: f64,
    /// Whether a neighbour was led into the ego's way.
    pub attacked: bool,
}

impl Shard {
    /// An empty shard.
    pub fn new(size: Size) -> Self {
        Self {
            size,
            places: Vec::new(),
            agents: Vec::new(),
            valid: Vec::new(),
            kind: Vec::new(),
            lanes: Vec::new(),
            lane_valid: Vec::new(),
            lane_kind: Vec::new(),
            lane_signal: Vec::new(),
            lane_speed: Vec::new(),
        }
    }

    /// Adds a window of the shard's size, cut at `place`.
    pub fn push(&mut self, example: &Example, place: Place) {
        self.places.push(place);
        let floats = example
            .agents
            .iter()
            .flat_map(|number| number.to_le_bytes());
        self.agents.extend(floats);
        let halves = example.lanes.iter().flat_map(|number| number.to_le_bytes());
        self.lanes.extend(halves);
        let limits = example.lane_speed.iter();
        self.lane_speed
            .extend(limits.flat_map(|number| number.to_le_bytes()));
        self.valid.extend(&example.valid);
        self.kind.extend(&example.kind);
        self.lane_valid.extend(&example.lane_valid);
        self.lane_kind.extend(&example.lane_kind);
        self.lane_signal.extend(&example.lane_signal);
    }

    /// How many windows it holds.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The safetensors file. Metadata: `layout`; JSON lists with the place of each window, `scenes`, `egos`, `presents_s` and
    /// `attacked`; and `about`.
    pub fn to_bytes(&self, about: &[(&str, String)]) -> Vec<u8> {
        let (windows, Size { agents, lanes }) = (self.len(), self.size);
        let tensors = [
            ("agents", "F32", vec![windows, agents, T, 8], &self.agents),
            (
                "lanes",
                "F16",
                vec![windows, lanes, PIECE_POINTS, 2],
                &self.lanes,
            ),
            ("lane_speed", "F16", vec![windows, lanes], &self.lane_speed),
            ("valid", "U8", vec![windows, agents, T], &self.valid),
            ("type", "U8", vec![windows, agents], &self.kind),
            ("lane_valid", "U8", vec![windows, lanes], &self.lane_valid),
            ("lane_kind", "U8", vec![windows, lanes], &self.lane_kind),
            (
                "lane_signal",
                "U8",
                vec![windows, lanes, T],
                &self.lane_signal,
            ),
        ];
        let mut metadata = Map::new();
        metadata.insert("layout".to_owned(), json!(LAYOUT));
        let mut list = |key: &str, of: fn(&Place) -> Value| {
            let list: Vec<Value> = self.places.iter().map(of).collect();
            metadata.insert(key.to_owned(), json!(json!(list).to_string()));
        };
        list("scenes", |place| json!(place.scene));
        list("egos", |place| json!(place.ego));
        list("presents_s", |place| json!(quantise(place.present_s)));
        list("attacked", |place| json!(place.attacked));
        for (key, value) in about {
            metadata.insert((*key).to_owned(), json!(value));
        }
        let mut header = Map::new();
        header.insert("__metadata__".to_owned(), Value::Object(metadata));
        let mut end = 0;
        for (name, kind, shape, data) in &tensors {
            let start = end;
            end += data.len();
            let entry = json!({"dtype": kind, "shape": shape, "data_offsets": [start, end]});
            header.insert((*name).to_owned(), entry);
        }
        let mut text = Value::Object(header).to_string().into_bytes();
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.reserve(text.len() + end);
        bytes.extend(text);
        for (.., data) in tensors {
            bytes.extend(data);
        }
        bytes
    }
}
