//! Damaged and hostile files: every importer must end in a scene or an error, within five seconds and one GiB.
//!
//! A fixed set of mutations runs always. `NEARMISS_MUTATIONS=20000` runs that many per importer, part of them on real
//! files where those are there.

use std::fs;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use nearmiss::data::{OpenError, list, open};

use super::made::{Seed, framed, pickle, seeds};
use super::real;

/// Always run, per importer.
const FIXED: usize = 300;

const LIMIT: Duration = Duration::from_secs(5);
const LIMIT_KIB: u64 = 1 << 20;

/// Small numbers that look random (xorshift64*); a mutation is known by its number alone.
struct Draw(u64);

impl Draw {
    fn of(number: usize) -> Self {
        Self((number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }
}

/// One kind of damage or several.
fn mutated(seed: &[u8], number: usize) -> Vec<u8> {
    let mut draw = Draw::of(number);
    let mut bytes = seed.to_vec();
    for _ in 0..=draw.below(3) {
        let at = draw.below(bytes.len());
        match draw.below(9) {
            0 => bytes.truncate(at),
            1 | 2 => {
                for _ in 0..=draw.below(8) {
                    let at = draw.below(bytes.len());
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << draw.below(8);
                    }
                }
            }
            3 => {
                // a size that is far too large, or negative
                let sizes: [&[u8]; 6] = [
                    &[0xff; 4],
                    &[0xff; 8],
                    &[0xff, 0xff, 0xff, 0x7f],
                    &[0, 0, 0, 0x80],
                    &[0xff; 1],
                    &[0; 8],
                ];
                let size = sizes[draw.below(sizes.len())];
                let end = (at + size.len()).min(bytes.len());
                bytes.splice(at..end, size.iter().copied());
            }
            4 => {
                // a part twice or many times
                let end = (at + 1 + draw.below(64)).min(bytes.len());
                let part = bytes[at..end].repeat(1 + draw.below(200));
                bytes.splice(at..at, part);
            }
            5 => {
                let end = (at + 1 + draw.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            6 => {
                // nesting
                let open: [&[u8]; 5] = [b"[", b"{\"a\":", b"](", b"}(", b"\x12\x7f"];
                let open = open[draw.below(open.len())].repeat(1 + draw.below(5000));
                bytes.splice(at..at, open);
            }
            7 => {
                // numbers that are none
                let texts: [&[u8]; 8] = [
                    b"1e999",
                    b"-1e308",
                    b"NaN",
                    b"null",
                    b"99999999999999999999",
                    b"-",
                    b"\"\"",
                    b"0.0000001",
                ];
                let text = texts[draw.below(texts.len())];
                let end = (at + draw.below(12)).min(bytes.len());
                bytes.splice(at..end, text.iter().copied());
            }
            _ => {
                // two parts exchanged
                let other = draw.below(bytes.len());
                let length = draw.below(200);
                for step in 0..length {
                    if at + step < bytes.len() && other + step < bytes.len() {
                        bytes.swap(at + step, other + step);
                    }
                }
            }
        }
    }
    bytes
}

/// Peak memory of this process so far, KiB, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Opens a file and returns whether it became a scene; panics with `what` if opening panicked or took too long.
fn opened(path: &Path, what: &str) -> bool {
    let start = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let listed = list(path).is_ok();
        (open(path, None).map(|opened| opened.scene), listed)
    }));
    let spent = start.elapsed();
    assert!(spent < LIMIT, "{what}: {spent:?}");
    assert!(outcome.is_ok(), "{what}: panicked");
    let Ok((result, _)) = outcome else {
        return false;
    };
    match result {
        Ok(scene) => {
            assert!(scene.frames > 0 && scene.now < scene.frames, "{what}");
            let states = scene.agents.iter().flat_map(|agent| agent.track.valid());
            for (_, state) in states {
                assert!(state.is_finite(), "{what}: {state:?}");
            }
            true
        }
        Err(error) => {
            let message = error.to_string();
            assert!(
                message.contains(&path.display().to_string()),
                "{what}: {message}"
            );
            false
        }
    }
}

#[expect(clippy::print_stdout, reason = "a test that says what it did")]
fn run(seed: &Seed, count: usize, tag: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mutated");
    let before = peak_kib();
    let mut scenes = 0;
    for number in 0..count {
        let mut bytes = mutated(&seed.bytes, number);
        if seed.framed {
            bytes = framed(&bytes);
        }
        fs::write(&path, &bytes).expect("written");
        scenes += usize::from(opened(
            &path,
            &format!("{} {tag} mutation {number}", seed.name),
        ));
    }
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        let grown = after - before;
        assert!(
            grown < LIMIT_KIB,
            "{}: {grown} KiB more at the peak",
            seed.name
        );
        println!(
            "{} {tag}: {count} mutations, {scenes} still scenes, peak +{} MiB",
            seed.name,
            grown / 1024
        );
    }
    // most damage must be noticed or harmless, and the seeds must be worth damaging
    assert!(scenes < count, "{}", seed.name);
}

#[test]
fn damaged_files_end_in_a_scene_or_an_error() {
    let asked = std::env::var("NEARMISS_MUTATIONS").ok();
    let asked: Option<usize> = asked.and_then(|count| count.parse().ok());
    for seed in seeds() {
        run(&seed, asked.unwrap_or(FIXED), "made");
    }
    let Some(asked) = asked else { return };
    for (name, file) in [
        (
            "scenarionet",
            "scenarionet/unitraj_nuscenes/sd_nuscenes_mini_val_scene-0103_200c440c0e9b4627ad4f3047227016a2_3950bd41f74548429c0f7700ff3d8269.pkl",
        ),
        (
            "scenarionet",
            "scenarionet/waymo/sd_waymo_v1.2_eb4b91b10ca94ff2.pkl",
        ),
        ("gpudrive", "gpudrive/tfrecord-00000-of-01000_222.json"),
        ("nocturne", "nocturne/example_scenario.json"),
        ("waymo-scenario", "waymo/motion_data_one_scenario.tfrecord"),
        ("waymo-example", "waymo/motion_data_one_example.tfrecord"),
    ] {
        let Some(path) = real(file) else { continue };
        let mut bytes = fs::read(path).expect("readable");
        let framed = name.starts_with("waymo-");
        if framed {
            bytes = bytes[12..bytes.len() - 4].to_vec();
        }
        run(
            &Seed {
                name,
                bytes,
                framed,
            },
            asked / 10,
            "real",
        );
    }
}

fn write(folder: &tempfile::TempDir, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.path().join("hostile");
    fs::write(&path, bytes).expect("written");
    path
}

#[test]
fn deep_nesting_ends_in_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for (start, unit) in [
        ("{\"objects\": ", "["),
        ("{\"roads\": [{\"geometry\": ", "["),
        ("", "{\"objects\":"),
        ("{\"tl_states\": ", "{\"a\":"),
        ("{\"metadata\": {\"x\":", "["),
    ] {
        let text = format!("{start}{}", unit.repeat(2_000_000));
        assert!(!opened(&write(&folder, text.as_bytes()), unit));
    }
    let deep = [
        &b"\x80\x04"[..],
        &vec![b']'; 3_000_000],
        &vec![b'a'; 2_999_999],
        b".",
    ]
    .concat();
    assert!(!opened(&write(&folder, &deep), "nested lists"));
}

#[test]
fn shared_values_do_not_multiply() {
    // every track is the same dictionary: 60,000 of them, 100 frames each
    let whole = pickle();
    let marker = b"\x8c\x06tracks}(";
    let at = whole
        .windows(marker.len())
        .position(|part| part == marker)
        .unwrap()
        + marker.len();
    let mut bytes = whole[..at].to_vec();
    let first_value = at + 3; // after the key "1"
    let end_marker = b"\x8c\x012}(";
    let end = whole
        .windows(end_marker.len())
        .position(|part| part == end_marker)
        .unwrap();
    bytes.extend(&whole[at..first_value]);
    bytes.extend(&whole[first_value..end]);
    bytes.extend(b"r\x05\x00\x00\x00");
    for number in 0..60_000 {
        let key = format!("t{number}");
        bytes.extend([0x8c, u8::try_from(key.len()).unwrap()]);
        bytes.extend(key.as_bytes());
        bytes.extend(b"j\x05\x00\x00\x00");
    }
    bytes.extend(&whole[end..]);
    let folder = tempfile::tempdir().unwrap();
    let message = open(&write(&folder, &bytes), None).unwrap_err().to_string();
    assert!(message.contains("number of agents"), "{message}");
}

#[test]
fn code_in_a_pickle_is_refused_and_never_run() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("it-was-run");
    let command = format!("touch {}", mark.display());
    let mut bytes = b"\x80\x04cposix\nsystem\n\x8c".to_vec();
    bytes.push(u8::try_from(command.len()).unwrap());
    bytes.extend(command.as_bytes());
    bytes.extend(b"\x85R.");
    let message = open(&write(&folder, &bytes), None).unwrap_err().to_string();
    assert!(
        message.contains("posix.system") && message.contains("Nothing in the file was run"),
        "{message}"
    );
    assert!(!mark.exists());
}

#[test]
fn a_small_gzip_that_inflates_to_gigabytes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.json.gz");
    let file = fs::File::create(&path).unwrap();
    let mut deflate = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    deflate
        .write_all(b"{\"objects\": [], \"name\": \"")
        .unwrap();
    let block = vec![b'x'; 1 << 20];
    for _ in 0..300 {
        deflate.write_all(&block).unwrap();
    }
    deflate.finish().unwrap();
    let start = Instant::now();
    let error = open(&path, None).unwrap_err();
    assert!(matches!(error, OpenError::TooLarge { .. }), "{error}");
    assert!(start.elapsed() < LIMIT);
}
