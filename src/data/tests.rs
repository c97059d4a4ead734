//! Telling files apart, folders, and the door to every importer.

use super::*;

fn write(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn content_decides_and_the_name_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[u8], Format); 10] = [
        ("a.txt", b"\x80\x04\x95", Format::ScenarioNet),
        (
            "b.pkl",
            b" {\"name\": \"x\", \"objects\": []}",
            Format::GpuDrive,
        ),
        (
            "c.json",
            b"<?xml version='1.0'?><commonRoad/>",
            Format::CommonRoad,
        ),
        ("d.xml", b"{\"format\": \"nearmiss/scene\"", Format::Scene),
        (
            "e.json",
            b"\xef\xbb\xbf<net version=\"1.20\">",
            Format::SumoNet,
        ),
        ("f", b"<!-- x --><fcd-export><timestep", Format::SumoFcd),
        ("g.xml", b"<osm version='0.6'><node", Format::Lanelet2),
        (
            "h.json",
            b"\xef\xbb\xbftrack_id,frame_id,timestamp_ms,agent_type,x,y\n",
            Format::Interaction,
        ),
        (
            "i.pkl",
            b"recordingId, trackId, frame, \"xCenter\", \"yCenter\"\r\n0,",
            Format::LevelX,
        ),
        (
            "j",
            b"frame,id,x,y,width,height,xVelocity,yVelocity",
            Format::HighD,
        ),
    ];
    for (name, bytes, format) in cases {
        let path = write(&folder, name, bytes);
        assert_eq!(list(&path).unwrap()[0].format, format, "{name}");
    }
}

#[test]
fn own_files_whose_keys_another_program_sorted_are_still_known() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene {
        dt_s: 0.1,
        frames: 8000,
        agents: vec![std::sync::Arc::new(crate::scene::Agent::new(
            "car",
            crate::scene::AgentKind::Vehicle,
            crate::scene::Track::default(),
        ))],
        ..Scene::default()
    };
    let sorted = |text: &str| {
        let value: std::collections::BTreeMap<String, serde_json::Value> =
            serde_json::from_str(text).unwrap();
        let text = serde_json::to_string(&value).unwrap();
        let format = text.rfind("\"format\"").unwrap(); // not that of a scene inside
        assert!(format as u64 > HEAD_BYTES, "beyond what is looked at");
        text
    };
    let path = write(
        &folder,
        "scene.json",
        sorted(&crate::scene::scene_to_json(&scene)).as_bytes(),
    );
    let opened = open(&path, None).unwrap();
    assert_eq!(opened.format, Format::Scene);
    assert_eq!(opened.scene.hash(), scene.hash());
    let cases = [("one".to_owned(), std::sync::Arc::new(scene))];
    let text = sorted(&crate::scene::cases_to_json(&cases));
    let path = write(&folder, "cases.json", text.as_bytes());
    assert_eq!(open(&path, None).unwrap().format, Format::Cases);
}

#[test]
fn unknown_content_is_named_with_what_it_looks_like() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, "scene.pkl", b"hello");
    let message = open(&path, None).unwrap_err().to_string();
    assert!(
        message.contains("scene.pkl")
            && message.contains("hello")
            && message.contains("CommonRoad"),
        "{message}"
    );
    let path = write(&folder, "other.csv", b"time,x,y,id\n0,1,2,3\n");
    let message = open(&path, None).unwrap_err().to_string();
    assert!(
        message.contains("time,x,y,id") && message.contains("INTERACTION"),
        "{message}"
    );
    let path = write(&folder, "empty.json", b"");
    let message = open(&path, None).unwrap_err().to_string();
    assert!(message.contains("empty"), "{message}");
}

#[test]
fn a_damaged_tfrecord_is_still_known_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = tfrecord::framed(&[0x09; 100]);
    let path = write(&folder, "whole", &bytes);
    assert_eq!(list(&path).unwrap()[0].pick.as_deref(), Some("#0"));
    bytes[9] ^= 1; // the checksum of the length
    let path = write(&folder, "damaged", &bytes);
    let message = open(&path, None).unwrap_err().to_string();
    assert!(
        message.contains("record 0") && message.contains("checksum"),
        "{message}"
    );
}

#[test]
fn gzip_is_looked_through() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let mut deflate = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate
        .write_all(b"{\"objects\": [{\"position\": [[1, 2]], \"type\": 1}]}")
        .unwrap();
    let path = write(&folder, "scene", &deflate.finish().unwrap());
    let opened = open(&path, None).unwrap();
    assert_eq!((opened.format, opened.scene.frames), (Format::Nocturne, 1));
}

#[test]
fn a_folder_of_several_asks_which() {
    let folder = tempfile::tempdir().unwrap();
    let text = br#"{"objects": [{"position": [[1, 2]], "type": "vehicle"}]}"#;
    write(&folder, "a.json", text);
    assert_eq!(open(folder.path(), None).unwrap().scene.name, "a");
    write(&folder, "b.json", text);
    write(&folder, "readme.txt", b"hello");
    let message = open(folder.path(), None).unwrap_err().to_string();
    assert!(
        message.contains("2 scenes") && message.contains("\"a\", \"b\""),
        "{message}"
    );
    assert_eq!(open(folder.path(), Some("b")).unwrap().scene.name, "b");
    assert!(matches!(
        open(folder.path(), Some("c")),
        Err(OpenError::NoSuchPick { .. })
    ));
    let mut seen = Vec::new();
    open_each(folder.path(), &mut |entry, opened| {
        seen.push((entry.name.clone(), opened.is_ok()));
        true
    })
    .unwrap();
    assert_eq!(seen, [("a".to_owned(), true), ("b".to_owned(), true)]);
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        open(empty.path(), None),
        Err(OpenError::Empty { .. })
    ));
}
