//! Small files of each format, made here byte by byte: seeds for damage, and open where real files are absent.

use std::path::Path;

use nearmiss::data::{Format, Target, export, open};
use nearmiss::scene::read_scene;

/// A format's seed: its name, the ending, and its bytes.
pub(crate) struct Seed {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// Whether the bytes are one TFRecord record, to be framed with right checksums after damage.
    pub(crate) framed: bool,
}

/// One seed per importer.
pub(crate) fn seeds() -> Vec<Seed> {
    let seed = |name, bytes, framed| Seed {
        name,
        bytes,
        framed,
    };
    vec![
        seed("scenarionet", pickle(), false),
        seed("gpudrive", gpudrive(), false),
        seed("waymo-scenario", scenario(), true),
        seed("waymo-example", example(), true),
    ]
}

/// A record in its TFRecord frame.
pub(crate) fn framed(record: &[u8]) -> Vec<u8> {
    let sum = |bytes: &[u8]| {
        let masked = crc32c::crc32c(bytes)
            .rotate_right(15)
            .wrapping_add(0xa282_ead8);
        masked.to_le_bytes()
    };
    let length = (record.len() as u64).to_le_bytes();
    [&length[..], &sum(&length), record, &sum(record)].concat()
}

/// Writes pickle opcodes of protocol 4, without a memo.
#[derive(Default)]
struct Pickler(Vec<u8>);

impl Pickler {
    fn text(&mut self, text: &str) -> &mut Self {
        self.0.push(0x8c);
        self.0.push(u8::try_from(text.len()).expect("short"));
        self.0.extend(text.as_bytes());
        self
    }

    fn int(&mut self, number: i32) -> &mut Self {
        self.0.push(b'J');
        self.0.extend(number.to_le_bytes());
        self
    }

    fn float(&mut self, number: f64) -> &mut Self {
        self.0.push(b'G');
        self.0.extend(number.to_be_bytes());
        self
    }

    fn dict(&mut self, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.extend(b"}(");
        fill(self);
        self.0.push(b'u');
        self
    }

    /// numpy's own form: `_reconstruct`, then the state (1, shape, dtype, fortran, bytes).
    fn array(&mut self, shape: &[u8], numbers: &[f64]) -> &mut Self {
        let class = |this: &mut Self, module: &str, name: &str| {
            this.text(module).text(name);
            this.0.push(0x93);
        };
        class(self, "numpy.core.multiarray", "_reconstruct");
        class(self, "numpy", "ndarray");
        self.0.extend(b"K\x00\x85C\x01b\x87R(K\x01(");
        for axis in shape {
            self.0.extend([b'K', *axis]);
        }
        self.0.push(b't');
        class(self, "numpy", "dtype");
        self.text("f8");
        self.0.extend(b"\x89\x88\x87R(K\x03");
        self.text("<");
        self.0
            .extend(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89B");
        self.0.extend(
            u32::try_from(8 * numbers.len())
                .expect("small")
                .to_le_bytes(),
        );
        numbers
            .iter()
            .for_each(|number| self.0.extend(number.to_le_bytes()));
        self.0.extend(b"tb");
        self
    }
}

const FRAMES: u8 = 100;

/// A ScenarioNet scene of 100 frames: two cars 10 m apart at 5 m/s on one lane, a crossing, a light, a stop sign.
pub(crate) fn pickle() -> Vec<u8> {
    let mut out = Pickler(vec![0x80, 4]);
    let column = |of: &dyn Fn(f64) -> f64| {
        (0..FRAMES)
            .map(|frame| of(f64::from(frame)))
            .collect::<Vec<f64>>()
    };
    let pairs = |of: &dyn Fn(f64) -> [f64; 2]| {
        (0..FRAMES)
            .flat_map(|frame| of(f64::from(frame)))
            .collect::<Vec<f64>>()
    };
    out.dict(|out| {
        out.text("id").text("made");
        out.text("version").text("test");
        out.text("length").int(i32::from(FRAMES));
        out.text("metadata").dict(|out| {
            out.text("dataset").text("waymo");
            out.text("sdc_id").text("1");
            out.text("ts")
                .array(&[FRAMES], &column(&|frame| frame * 0.1));
        });
        out.text("tracks").dict(|out| {
            for (id, start) in [("1", 0.0), ("2", 10.0)] {
                out.text(id).dict(|out| {
                    out.text("type").text("VEHICLE");
                    out.text("state").dict(|out| {
                        out.text("position")
                            .array(&[FRAMES, 2], &pairs(&|frame| [start + frame * 0.5, 0.0]));
                        out.text("velocity")
                            .array(&[FRAMES, 2], &pairs(&|_| [5.0, 0.0]));
                        out.text("heading").array(&[FRAMES], &column(&|_| 0.0));
                        out.text("valid").array(
                            &[FRAMES],
                            &column(&|frame| f64::from(u8::from(frame < 90.0))),
                        );
                        out.text("length").array(&[FRAMES, 1], &column(&|_| 4.5));
                        out.text("width").array(&[FRAMES, 1], &column(&|_| 1.8));
                    });
                });
            }
        });
        out.text("map_features").dict(|out| {
            out.text("7").dict(|out| {
                out.text("type").text("LANE_SURFACE_STREET");
                out.text("polyline")
                    .array(&[3, 2], &[-5.0, 0.0, 30.0, 0.0, 90.0, 0.0]);
                out.text("speed_limit_kmh").float(50.0);
                out.text("exit_lanes").0.extend(b"](\x8c\x018e");
            });
            out.text("9").dict(|out| {
                out.text("type").text("CROSSWALK");
                out.text("polygon")
                    .array(&[4, 2], &[40.0, -4.0, 43.0, -4.0, 43.0, 4.0, 40.0, 4.0]);
            });
            out.text("11").dict(|out| {
                out.text("type").text("STOP_SIGN");
                out.text("position").array(&[2], &[39.0, -3.0]);
                out.text("lane").0.extend(b"](\x8c\x017e");
            });
        });
        out.text("dynamic_map_states").dict(|out| {
            out.text("7").dict(|out| {
                out.text("lane").int(7);
                out.text("stop_point").array(&[2], &[-5.0, 0.0]);
                out.text("state").dict(|out| {
                    out.text("object_state").0.extend(b"](");
                    for _ in 0..FRAMES {
                        out.text("LANE_STATE_STOP");
                    }
                    out.0.push(b'e');
                });
            });
        });
    });
    out.0.push(b'.');
    out.0
}

/// A bundled scene, exported.
fn gpudrive() -> Vec<u8> {
    let scenes = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes");
    let mut files: Vec<_> = std::fs::read_dir(scenes)
        .expect("scenes/")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    let smallest = files
        .iter()
        .min_by_key(|path| path.metadata().map_or(u64::MAX, |facts| facts.len()));
    let scene = read_scene(smallest.expect("a bundled scene")).expect("readable");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("made.gpudrive.json");
    export(&scene, &path, Target::GpuDrive).expect("exported");
    std::fs::read(path).expect("readable")
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A length-delimited protobuf field.
fn field(out: &mut Vec<u8>, tag: u64, body: &[u8]) {
    varint(out, tag << 3 | 2);
    varint(out, body.len() as u64);
    out.extend(body);
}

fn double(out: &mut Vec<u8>, tag: u64, number: f64) {
    varint(out, tag << 3 | 1);
    out.extend(number.to_le_bytes());
}

fn float(out: &mut Vec<u8>, tag: u64, number: f32) {
    varint(out, tag << 3 | 5);
    out.extend(number.to_le_bytes());
}

fn integer(out: &mut Vec<u8>, tag: u64, number: u64) {
    varint(out, tag << 3);
    varint(out, number);
}

/// The same two cars and lane as a Waymo Scenario of 91 frames.
fn scenario() -> Vec<u8> {
    let mut out = Vec::new();
    (0..91).for_each(|frame| double(&mut out, 1, f64::from(frame) * 0.1));
    for (id, start) in [(1, 0.0), (2, 10.0)] {
        let mut track = Vec::new();
        integer(&mut track, 1, id);
        integer(&mut track, 2, 1);
        for frame in 0..91 {
            let mut state = Vec::new();
            double(&mut state, 2, start + f64::from(frame) * 0.5);
            float(&mut state, 5, 4.5);
            float(&mut state, 6, 1.8);
            float(&mut state, 9, 5.0);
            integer(&mut state, 11, 1);
            field(&mut track, 3, &state);
        }
        field(&mut out, 2, &track);
    }
    field(&mut out, 5, b"made");
    integer(&mut out, 6, 0);
    for _ in 0..91 {
        let (mut light, mut lights) = (Vec::new(), Vec::new());
        integer(&mut light, 1, 7);
        integer(&mut light, 2, 4);
        field(&mut lights, 1, &light);
        field(&mut out, 7, &lights);
    }
    let (mut lane, mut feature) = (Vec::new(), Vec::new());
    for x in [-5.0, 30.0, 90.0] {
        let mut point = Vec::new();
        double(&mut point, 1, x);
        field(&mut lane, 8, &point);
    }
    integer(&mut feature, 1, 7);
    field(&mut feature, 3, &lane);
    field(&mut out, 8, &feature);
    integer(&mut out, 10, 10);
    out
}

/// The same as a `tf.Example` with two slots.
fn example() -> Vec<u8> {
    let mut map = Vec::new();
    let mut add = |name: &str, kind: u64, list: Vec<u8>| {
        let (mut packed, mut feature, mut entry) = (Vec::new(), Vec::new(), Vec::new());
        field(&mut packed, 1, &list);
        field(&mut feature, kind, &packed);
        field(&mut entry, 1, name.as_bytes());
        field(&mut entry, 2, &feature);
        field(&mut map, 1, &entry);
    };
    let floats = |numbers: &[f32]| {
        numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    add("scenario/id", 1, b"made".to_vec());
    add("state/type", 2, floats(&[1.0, 1.0]));
    add("state/id", 2, floats(&[1.0, 2.0]));
    add("state/is_sdc", 3, vec![1, 0]);
    for (stretch, from, count) in [("past", 0, 10), ("current", 10, 1), ("future", 11, 80)] {
        let name = |quantity: &str| format!("state/{stretch}/{quantity}");
        let frames = |start: f32| (from..from + count).map(move |frame| start + frame as f32 * 0.5);
        let x: Vec<f32> = frames(0.0).chain(frames(10.0)).collect();
        let same = |value: f32| floats(&vec![value; x.len()]);
        add(&name("y"), 2, same(0.0));
        add(&name("bbox_yaw"), 2, same(0.0));
        add(&name("velocity_x"), 2, same(5.0));
        add(&name("velocity_y"), 2, same(0.0));
        add(&name("length"), 2, same(4.5));
        add(&name("width"), 2, same(1.8));
        add(&name("valid"), 3, vec![1; x.len()]);
        add(&name("x"), 2, floats(&x));
    }
    add(
        "roadgraph_samples/xyz",
        2,
        floats(&[-1.0, 0.0, 0.0, 3.0, 0.0, 0.0, 7.0, 0.0, 0.0]),
    );
    add("roadgraph_samples/id", 3, vec![7; 3]);
    add("roadgraph_samples/type", 3, vec![2; 3]);
    add("roadgraph_samples/valid", 3, vec![1; 3]);
    let mut out = Vec::new();
    field(&mut out, 1, &map);
    out
}

#[test]
fn the_made_files_open_and_hold_what_was_put_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made");
    for seed in seeds() {
        let bytes = if seed.framed {
            framed(&seed.bytes)
        } else {
            seed.bytes
        };
        std::fs::write(&path, bytes).unwrap();
        let opened = open(&path, None).unwrap_or_else(|error| panic!("{}: {error}", seed.name));
        assert_eq!(opened.format.word(), seed.name);
        if opened.format == Format::GpuDrive {
            continue;
        }
        let scene = opened.scene;
        assert_eq!(
            (scene.name.as_str(), scene.agents.len()),
            ("made", 2),
            "{}",
            seed.name
        );
        let lane = &scene.map.lanes()[0];
        assert_eq!(
            (lane.id.as_str(), scene.ego().unwrap().id.as_str()),
            ("7", "1")
        );
        // 0.5 m per frame from 0 and from 10
        for (agent, x) in scene.agents.iter().zip([20.0, 30.0]) {
            assert_eq!(agent.track.get(40).unwrap().position.x, x);
            assert_eq!((agent.length, agent.width), (4.5, 1.8));
        }
    }
}
