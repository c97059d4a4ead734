//! Real files in CommonRoad, Argoverse 2 and SUMO formats, read from a folder that is not part of the source tree
//! (its path is in `NEARMISS_DATA`, else `../shared/data`). Without the folder the tests say so and pass.

use std::path::PathBuf;

use nearmiss::data;
use nearmiss::scene::{Agent, AgentKind, Role, Scene};

/// A file of the folder, if it is there; says so if not.
fn real(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("NEARMISS_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")),
        PathBuf::from,
    );
    let file = root.join(path);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: {} is not there", file.display());
    None
}

/// Vehicles, pedestrians and cyclists that were recorded.
fn recorded(scene: &Scene) -> [usize; 3] {
    [
        AgentKind::Vehicle,
        AgentKind::Pedestrian,
        AgentKind::Cyclist,
    ]
    .map(|kind| {
        let counts = |agent: &&std::sync::Arc<Agent>| {
            agent.kind == kind && !agent.extra.contains_key("made_from")
        };
        scene.agents.iter().filter(counts).count()
    })
}

/// Path, duration (s), rate (Hz), vehicles, pedestrians, cyclists, lanes.
type Row = (&'static str, f64, f64, [usize; 3], usize);

/// From the counts published with the files (taken by an independent reader in Python).
const COMMONROAD: [Row; 14] = [
    ("maps_only/CHN_Roundabout-1.xml", 0.0, 10.0, [0, 0, 0], 94),
    (
        "maps_only/DEU_AachenBendplatz-1.xml",
        0.0,
        25.0,
        [0, 0, 0],
        26,
    ),
    ("maps_only/DEU_Merging-1.xml", 0.0, 10.0, [0, 0, 0], 13),
    (
        "mona/C-DEU_MONAMerge-2_1_T-299.xml",
        59.8,
        5.0,
        [51, 0, 0],
        7,
    ),
    ("ngsim/USA_Lanker-1_1_T-1.xml", 4.0, 10.0, [24, 0, 0], 91),
    ("ngsim/USA_Peach-4_8_T-1.xml", 6.0, 10.0, [9, 0, 0], 79),
    ("ngsim/USA_US101-10_1_T-1.xml", 8.0, 10.0, [44, 0, 0], 12),
    ("ngsim/USA_US101-3_3_T-1.xml", 3.1, 10.0, [12, 0, 0], 12),
    ("ngsim/USA_US101-4_1_T-1.xml", 10.0, 10.0, [22, 0, 0], 12),
    ("other_real/DEU_A9-3_1_T-1.xml", 6.0, 5.0, [9, 0, 0], 32),
    (
        "simulated/BWA_Tlokweng-6.cr.xml",
        15.1,
        10.0,
        [20, 0, 0],
        12,
    ),
    ("simulated/DEU_Moelln-4_4_T-1.xml", 3.6, 10.0, [5, 0, 3], 75),
    (
        "simulated/DEU_TrafficLightTest-1.xml",
        20.0,
        10.0,
        [11, 0, 0],
        20,
    ),
    ("simulated/ESP_Toledo-7_5_T-1.xml", 3.6, 10.0, [9, 0, 1], 42),
];

#[test]
fn commonroad_files_open_with_their_counts() {
    for (file, duration, rate, agents, lanes) in COMMONROAD {
        let Some(path) = real(&format!("commonroad/{file}")) else {
            return;
        };
        let opened = data::open(&path, None).unwrap();
        let scene = opened.scene;
        assert_eq!(recorded(&scene), agents, "{file}");
        assert_eq!(scene.map.lanes().len(), lanes, "{file}");
        assert!((1.0 / scene.dt_s - rate).abs() < 1e-9, "{file}");
        assert!(
            (scene.duration_s() - duration).abs() < 0.11,
            "{file}: {}",
            scene.duration_s()
        );
        let rewritten = nearmiss::scene::scene_to_json(&scene);
        let again = nearmiss::scene::scene_from_json(rewritten.as_bytes(), file).unwrap();
        assert_eq!(again.hash(), scene.hash(), "{file}");
        assert_eq!(
            scene
                .agents
                .iter()
                .filter(|agent| agent.role == Role::Ego)
                .count(),
            usize::from(!scene.agents.is_empty()),
            "{file}"
        );
    }
}
