//! Pictures drawn off-screen. Without a graphics adapter these tests fail, unless `NEARMISS_NO_PICTURES` is set.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use nearmiss::geometry::Polyline;
use nearmiss::geometry::{DVec2, Pose, dvec2};
use nearmiss::map::{Lane, LaneKind, Map, MapParts};
use nearmiss::render::{
    Camera, Color, Composer, DrawList, Image, Layer, Line, NoiseView, Offscreen, Shot, Style,
    ViewOptions, opening_camera,
};
use nearmiss::scene::{Agent, AgentKind, Role, Scene, State, Track, read_scene};

/// Far east and north, as UTM coordinates are.
const FAR: DVec2 = dvec2(692_000.0, 5_336_000.0);

fn offscreen() -> Option<Offscreen> {
    if std::env::var_os("NEARMISS_NO_PICTURES").is_some() {
        eprintln!("skipped: NEARMISS_NO_PICTURES is set, so no picture is drawn");
        return None;
    }
    Some(Offscreen::new().expect("a graphics adapter"))
}

fn shot(centre: DVec2, points_per_m: f64) -> Shot {
    Shot {
        camera: Camera {
            centre,
            points_per_m,
            ..Camera::default()
        },
        size: [320, 200],
        pixels_per_point: 1.0,
        captions: Vec::new(),
        symbols: Layer::default(),
    }
}

/// A road along x through `at`, 7 m wide, the ego on it at `at`, a car that overlaps it and one far ahead.
fn scene(at: DVec2) -> Scene {
    let mut lane = Lane::new(
        "road",
        LaneKind::Street,
        Polyline::new([at - dvec2(200.0, 0.0), at + dvec2(200.0, 0.0)]).unwrap(),
    );
    lane.width = Some(7.0);
    let car = |id: &str, offset: DVec2| {
        let states = (0..41).map(|frame| {
            let point = at + offset + dvec2(0.5 * f64::from(frame), 0.0);
            Some(State::along(Pose::new(point, 0.0), 5.0))
        });
        Agent::new(id, AgentKind::Vehicle, Track::new(states.collect()))
    };
    let mut ego = car("ego", DVec2::ZERO);
    ego.role = Role::Ego;
    Scene {
        dt_s: 0.1,
        frames: 41,
        map: Arc::new(Map::build(MapParts {
            lanes: vec![lane],
            ..MapParts::default()
        })),
        agents: [ego, car("other", dvec2(25.0, 0.0))].map(Arc::new).to_vec(),
        ..Scene::default()
    }
}

fn list(scene: &Scene, time_s: f64, options: &ViewOptions) -> DrawList {
    nearmiss::render::draw_list(scene, time_s, options, &Style::dark())
}

fn is_near(pixel: Option<[u8; 4]>, color: Color, tolerance: u8) -> bool {
    pixel.is_some_and(|pixel| {
        pixel
            .iter()
            .zip(&color.0)
            .all(|(&a, &b)| a.abs_diff(b) <= tolerance)
    })
}

#[test]
fn the_ego_is_blue_on_a_grey_road_on_dark_ground() {
    let Some(mut offscreen) = offscreen() else {
        return;
    };
    let style = Style::dark();
    let list = list(&scene(FAR), 0.0, &ViewOptions::default());
    let picture = offscreen.picture(&list, &shot(FAR, 8.0), &style).unwrap();
    // the ego stands in the middle; road reaches 3.5 m = 28 pixels to both sides; 8 m = 64 pixels is beside it
    assert!(is_near(picture.pixel(155, 100), style.ego, 2));
    assert!(is_near(picture.pixel(110, 78), style.road, 2));
    assert!(is_near(picture.pixel(160, 36), style.background, 0));
}

#[test]
fn a_scene_far_from_the_origin_looks_as_it_does_near_it() {
    let Some(mut offscreen) = offscreen() else {
        return;
    };
    let mut draw = |at: DVec2, zoom: f64, shift: f64| {
        let list = list(&scene(at), 0.0, &ViewOptions::default());
        let shot = shot(at + dvec2(shift, 0.0), zoom);
        offscreen.picture(&list, &shot, &Style::dark()).unwrap()
    };
    for (zoom, shift) in [(3.0, 0.0), (60.0, 1.25), (60.0, 1.25 + 1.0 / 240.0)] {
        let near = draw(DVec2::ZERO, zoom, shift);
        let far = draw(FAR, zoom, shift);
        let worst = difference(&near, &far);
        // coordinates of 5e6 m have steps of 1e-9 m: far less than a level of coverage
        assert!(worst <= 1, "zoom {zoom}: {worst}");
    }
}

fn difference(a: &Image, b: &Image) -> u8 {
    a.pixels
        .iter()
        .zip(&b.pixels)
        .flat_map(|(a, b)| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)))
        .max()
        .unwrap_or(0)
}

#[test]
fn a_quarter_of_a_pixel_moves_the_picture_far_from_the_origin() {
    let Some(mut offscreen) = offscreen() else {
        return;
    };
    let list = list(&scene(FAR), 0.0, &ViewOptions::default());
    let mut left = |shift: f64| {
        let shot = shot(FAR + dvec2(shift, 0.0), 60.0);
        let picture = offscreen.picture(&list, &shot, &Style::dark()).unwrap();
        // blue along the middle row up to the rear bumper, 2.35 m behind the centre
        (0..320_i64)
            .filter_map(|x| picture.pixel(x, 100))
            .map(|pixel| f64::from(pixel[2]) / 255.0)
            .sum::<f64>()
    };
    let before = left(-2.35);
    let after = left(-2.35 + 0.25 / 60.0);
    // the bumper moves a quarter of a pixel: the sum of blue changes by about that of one quarter pixel
    assert!((after - before).abs() > 0.05, "{before} {after}");
    assert!((after - before).abs() < 0.5, "{before} {after}");
}

#[test]
fn a_stroke_of_three_points_is_three_pixels_at_any_zoom() {
    let Some(mut offscreen) = offscreen() else {
        return;
    };
    let white = Color::hex(0xff_ff_ff);
    let line = Line {
        from: [-1000.0, 0.0],
        to: [1000.0, 0.01],
        width: [0.0, 3.0],
        dash: [0.0; 2],
        start_m: 0.0,
        flags: 0,
        color: white,
    };
    let list = DrawList {
        origin: DVec2::ZERO,
        background: Color::hex(0),
        grid: None,
        time_s: 0.0,
        layers: vec![Arc::new(Layer {
            lines: vec![line],
            ..Layer::default()
        })],
        labels: Vec::new(),
    };
    for zoom in [0.5, 4.0, 90.0] {
        let picture = offscreen
            .picture(&list, &shot(DVec2::ZERO, zoom), &Style::dark())
            .unwrap();
        let width: f64 = (0..200)
            .filter_map(|y| picture.pixel(40, y))
            .map(|pixel| f64::from(pixel[0]) / 255.0)
            .sum();
        assert!((width - 3.0).abs() < 0.05, "zoom {zoom}: {width}"); // levels are 1/255
    }
}

#[test]
fn frames_upload_only_what_moved() {
    let Some(mut offscreen) = offscreen() else {
        return;
    };
    let scene = scene(DVec2::ZERO);
    let style = Style::dark();
    let mut composer = Composer::default();
    let mut uploads = |time_s: f64, centre: DVec2| {
        let list = composer.draw_list(&scene, time_s, &ViewOptions::default(), &style);
        offscreen
            .picture(&list, &shot(centre, 8.0), &style)
            .unwrap();
        (offscreen.uploaded_bytes(), list)
    };
    let (first, list) = uploads(0.0, DVec2::ZERO);
    let all: usize = list.layers.iter().map(|layer| layer.bytes()).sum();
    let (panned, _) = uploads(0.0, dvec2(3.0, 0.0));
    let (played, later) = uploads(0.1, dvec2(3.0, 0.0));
    let moving: usize = list
        .layers
        .iter()
        .zip(&later.layers)
        .filter(|(a, b)| !Arc::ptr_eq(a, b))
        .map(|(_, layer)| layer.bytes())
        .sum();
    assert!(first >= all);
    // the scale bar is made anew for each picture: six lines of 44 bytes
    let furniture = 6 * size_of::<Line>();
    assert_eq!(panned, furniture);
    assert_eq!(played, moving + furniture);
    assert!(moving < all / 2, "{moving} of {all}");
}

#[test]
fn a_noisy_agent_is_fainter_and_its_outline_rougher() {
    let Some(mut offscreen) = offscreen() else {
        return;
    };
    let scene = scene(DVec2::ZERO);
    let style = Style::dark();
    let mut draw = |level: f32| {
        let ego = scene.agents[0].id.clone();
        let noise = NoiseView {
            start_s: 0.0,
            step_s: 0.5,
            levels: [(ego, vec![level])].into(),
        };
        let options = ViewOptions {
            noise: Some(Arc::new(noise)),
            trails: nearmiss::render::Trails::None,
            ..ViewOptions::default()
        };
        let list = list(&scene, 0.0, &options);
        offscreen
            .picture(&list, &shot(DVec2::ZERO, 20.0), &style)
            .unwrap()
    };
    let (clean, noisy) = (draw(0.0), draw(1.0));
    assert!(is_near(clean.pixel(150, 100), style.ego, 2));
    // at level 1 a fifth of the fill remains over the road
    let faint = style.road.mixed(style.ego, 0.2);
    assert!(
        is_near(noisy.pixel(150, 100), faint, 14),
        "{:?}",
        noisy.pixel(150, 100)
    );
}

#[test]
fn overlapping_agents_are_marked_red_and_apart_they_are_not() {
    let Some(mut offscreen) = offscreen() else {
        return;
    };
    let style = Style::dark();
    let mut reds = |gap: f64| {
        let mut scene = scene(DVec2::ZERO);
        let other = Arc::make_mut(&mut scene.agents[1]);
        for state in other.track.states_mut().iter_mut().flatten() {
            state.position.x += gap - 25.0;
        }
        let list = list(&scene, 0.0, &ViewOptions::default());
        let picture = offscreen
            .picture(&list, &shot(DVec2::ZERO, 8.0), &style)
            .unwrap();
        let red = |pixel: &&[u8; 4]| is_near(Some(**pixel), style.violation, 30);
        picture.pixels.iter().filter(red).count()
    };
    // cars are 4.7 m long: 4 m apart they share 0.7 m, 5 m apart nothing
    assert!(reds(4.0) > 30);
    assert_eq!(reds(5.0), 0);
}

#[test]
fn the_command_writes_pictures_and_clips() {
    if offscreen().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/left-turn.json");
    let render = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let output = Command::new(env!("CARGO_BIN_EXE_nearmiss"))
            .arg("render")
            .arg(&scene)
            .arg("--out")
            .arg(&out)
            .args(more)
            .output()
            .unwrap();
        (
            output.status.code(),
            std::fs::read(&out).unwrap_or_default(),
        )
    };
    let (code, png) = render(
        "a.png",
        &["--size", "200x120", "--at", "2", "4", "--follow"],
    );
    assert_eq!((code, &png[1..4]), (Some(0), &b"PNG"[..]));
    // width and height stand at bytes 16 and 20: 200 + 4 + 200 by 120
    assert_eq!(png[16..24], [0, 0, 1, 148, 0, 0, 0, 120]);
    let clip = [
        "--size",
        "160x100",
        "--time",
        "2",
        "--seconds",
        "0.5",
        "--fps",
        "10",
    ];
    let (code, gif) = render("a.gif", &clip);
    assert_eq!((code, &gif[..6]), (Some(0), &b"GIF89a"[..]));
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/cut-in.json");
    let other = other.to_str().unwrap();
    // with another scene beside it: 160 + 4 + 160 by 100, little end first
    let (code, gif) = render("b.gif", &[&clip[..], &["--", other]].concat());
    assert_eq!((code, &gif[6..10]), (Some(0), &[68, 1, 100, 0][..]));
    let wiped = ["--compare", "wipe", "--size", "160x100", "--", other];
    let (code, png) = render("c.png", &wiped);
    assert_eq!(
        (code, &png[16..24]),
        (Some(0), &[0, 0, 0, 160, 0, 0, 0, 100][..])
    );
    assert_eq!(render("c.png", &["--compare", "overlay"]).0, Some(2));
    assert_eq!(render("c.png", &["--titles", "a", "b"]).0, Some(2));
    assert_eq!(render("a.jpg", &[]).0, Some(2));
    assert_eq!(render("b.png", &["--size", "7"]).0, Some(2));
}

#[test]
fn every_bundled_scene_can_be_drawn_in_every_style() {
    let Some(mut offscreen) = offscreen() else {
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes");
    let mut drawn = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let scene = read_scene(&path).unwrap();
        for style in [Style::dark(), Style::light(), Style::print()] {
            let list =
                nearmiss::render::draw_list(&scene, scene.now_s(), &ViewOptions::default(), &style);
            let camera = opening_camera(&scene, dvec2(480.0, 300.0));
            let shot = Shot {
                camera,
                size: [480, 300],
                ..shot(DVec2::ZERO, 1.0)
            };
            let picture = offscreen.picture(&list, &shot, &style).unwrap();
            let road = picture
                .pixels
                .iter()
                .filter(|pixel| is_near(Some(**pixel), style.road, 3))
                .count();
            assert!(road > 2000, "{path:?} in {}: {road}", style.name);
            drawn += 1;
        }
    }
    assert!(drawn >= 24, "{drawn}");
}

#[test]
fn frame_costs_come_from_the_given_clock() {
    // a clock that moves on by 2 ms each time it is read: every figure is the 2 ms between two readings
    let mut reading = 0.0;
    let costs = nearmiss::render::bench_frames(12, 20, || {
        reading += 0.002;
        reading
    });
    assert!(costs.len() >= 3);
    for cost in costs {
        assert!((cost.median_ms - 2.0).abs() < 1e-6, "{cost:?}");
        assert_eq!((cost.agents, cost.lanes), (12, 20));
    }
}
