use super::*;

fn write(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn content_decides_and_the_name_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[u8], Format); 6] = [
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
    ];
    for (name, bytes, format) in cases {
        let path = write(&folder, name, bytes);
        assert_eq!(list(&path).unwrap()[0].format, format, "{name}");
    }
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
    let path = write(&folder, "empty.json", b"");
    let message = open(&path, None).unwrap_err().to_string();
    assert!(message.contains("empty"), "{message}");
}
