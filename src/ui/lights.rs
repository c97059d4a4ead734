//! Traffic lights in the window: signals whose bars lie in one place are one light, which can be changed from the
//! cursor's time on.

use egui::Ui;

use super::action::Action;
use super::editor::Editor;
use super::theme;
use super::theme::tokens;
use super::widgets;
use crate::geometry::DVec2;
use crate::render;
use crate::scene::Edit;
use crate::scene::Scene;
use crate::scene::SignalState;

/// Signals whose bars lie nearer than this are one light, m.
const SAME_PLACE_M: f64 = 1.0;

/// Most lights listed.
const MAX_LISTED: usize = 24;

/// What a light can be made to show, with the words for it.
const CHOICES: [(SignalState, &str); 4] = [
    (SignalState::Red, "Red"),
    (SignalState::Yellow, "Yellow"),
    (SignalState::Green, "Green"),
    (SignalState::Unknown, "Off"),
];

/// One or more signals in one place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Light {
    /// Positions in [`Scene::signals`].
    signals: Vec<usize>,
    /// The middle of the bar.
    point: DVec2,
    /// Half of the bar's length, m.
    half_width_m: f64,
}

impl Light {
    /// What its first signal shows at a scene time.
    fn shows(&self, scene: &Scene, time_s: f64) -> SignalState {
        let frame = frame_at(scene, time_s);
        let signal = self.signals.first().and_then(|at| scene.signals.get(*at));
        signal.map(|signal| signal.at(frame)).unwrap_or_default()
    }

    /// The step that makes it show `state` from a scene time on.
    fn change(&self, scene: &Scene, time_s: f64, state: SignalState) -> Action {
        let from_frame = frame_at(scene, time_s);
        let edit = |&signal: &usize| Edit::SetSignal {
            signal,
            from_frame,
            state,
        };
        let from_s = scene.time_of(from_frame);
        Action::Commit {
            label: Some(format!(
                "Light of {}: {} from {from_s:.1} s",
                self.lanes(scene),
                word(state)
            )),
            edits: self.signals.iter().map(edit).collect(),
        }
    }

    /// The lanes it holds for, in words.
    fn lanes(&self, scene: &Scene) -> String {
        let known = self.signals.iter().filter_map(|at| scene.signals.get(*at));
        let mut lanes: Vec<String> = known.map(|signal| signal.lane.to_string()).collect();
        lanes.dedup();
        match lanes.as_slice() {
            [one] => format!("lane {one}"),
            [first, others @ ..] => format!("lane {first} and {} more", others.len()),
            [] => "no lane".to_owned(),
        }
    }
}

/// The frame whose signals are shown at a scene time.
fn frame_at(scene: &Scene, time_s: f64) -> usize {
    let last = scene.frames.saturating_sub(1);
    ((scene.frame_at(time_s) + 1e-6).max(0.0) as usize).min(last)
}

fn word(state: SignalState) -> &'static str {
    match state {
        SignalState::Unknown => "off",
        SignalState::Red => "red",
        SignalState::Yellow => "yellow",
        SignalState::Green => "green",
        SignalState::FlashingRed => "flashing red",
        SignalState::FlashingYellow => "flashing yellow",
    }
}

/// All lights of a scene, in its order.
fn lights(scene: &Scene) -> Vec<Light> {
    let mut lights: Vec<Light> = Vec::new();
    for (index, signal) in scene.signals.iter().enumerate() {
        let Some((point, _, half_width_m)) = render::signal_place(scene, signal) else {
            continue;
        };
        let near = |light: &&mut Light| light.point.distance(point) < SAME_PLACE_M;
        match lights.iter_mut().find(near) {
            Some(light) => light.signals.push(index),
            None => lights.push(Light {
                signals: vec![index],
                point,
                half_width_m,
            }),
        }
    }
    lights
}

/// The light whose bar lies under a point, give or take `margin_m`.
pub(super) fn light_at(scene: &Scene, point: DVec2, margin_m: f64) -> Option<Light> {
    let near = lights(scene).into_iter().map(|light| {
        let distance = light.point.distance(point);
        (light, distance)
    });
    near.filter(|(light, distance)| *distance <= light.half_width_m + margin_m)
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(light, _)| light)
}

/// What a light shows and can be made to show, as rows of a menu.
pub(super) fn menu(ui: &mut Ui, light: &Light, editor: &Editor, actions: &mut Vec<Action>) {
    let Some(scene) = editor.scene() else {
        return;
    };
    let shows = light.shows(scene, editor.time_s);
    let title = format!("Light of {}: {}", light.lanes(scene), word(shows));
    ui.label(theme::strong(title, 12.0).color(tokens(ui).dim));
    let from_s = scene.time_of(frame_at(scene, editor.time_s));
    for (state, name) in CHOICES {
        let row = ui.selectable_label(shows == state, format!("{name} from {from_s:.1} s on"));
        if row.clicked() {
            actions.push(light.change(scene, editor.time_s, state));
            ui.close();
        }
    }
}

/// The lights nearest to the ego with what they show at the cursor, each to be changed from there on.
pub(super) fn list_ui(ui: &mut Ui, editor: &Editor, scene: &Scene, actions: &mut Vec<Action>) {
    let mut all = lights(scene);
    if all.is_empty() {
        return;
    }
    let ego = scene.ego().and_then(|ego| ego.track.get(scene.now));
    if let Some(ego) = ego {
        all.sort_by(|a, b| {
            let away = |light: &Light| light.point.distance(ego.position);
            away(a).total_cmp(&away(b))
        });
    }
    widgets::section(ui, "Lights");
    let from_s = scene.time_of(frame_at(scene, editor.time_s));
    let text = format!("A choice holds from the cursor's time, {from_s:.1} s, on.");
    ui.label(theme::small(text).color(tokens(ui).dim));
    for light in all.iter().take(MAX_LISTED) {
        let shows = light.shows(scene, editor.time_s);
        let away = ego.map(|ego| light.point.distance(ego.position));
        let away = away.map_or_else(String::new, |away| format!(", {away:.0} m away"));
        ui.label(theme::small(format!("{}{away}", light.lanes(scene))));
        ui.push_id(("light", &light.signals), |ui| {
            let mut chosen = shows;
            let choices =
                CHOICES.map(|(state, name)| (state, name, "Shown from the cursor's time on"));
            if widgets::segments(ui, &choices, &mut chosen) {
                actions.push(light.change(scene, editor.time_s, chosen));
            }
        });
    }
    if all.len() > MAX_LISTED {
        let more = format!(
            "and {} farther away: right-click one on the map",
            all.len() - MAX_LISTED
        );
        ui.label(theme::small(more).color(tokens(ui).dim));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::geometry::{Polyline, dvec2};
    use crate::map::{Lane, LaneId, LaneKind, Map, MapParts};
    use crate::scene::Signal;

    /// Two connections that begin in one place and one that begins 20 m on, 11 frames of 0.1 s.
    fn crossing() -> Scene {
        let lane = |id: &str, x: f64| {
            let line = Polyline::new([dvec2(x, 0.0), dvec2(x + 10.0, 0.0)]).unwrap();
            let mut lane = Lane::new(id, LaneKind::Street, line);
            lane.in_junction = true;
            lane
        };
        let signal = |id: &str| Signal::new(LaneId::new(id), None, vec![SignalState::Green; 11]);
        Scene {
            dt_s: 0.1,
            frames: 11,
            map: Arc::new(Map::build(MapParts {
                lanes: vec![lane("a", 0.0), lane("b", 0.4), lane("c", 20.0)],
                ..MapParts::default()
            })),
            signals: Arc::new(["a", "b", "c"].map(signal).to_vec()),
            ..Scene::default()
        }
    }

    #[test]
    fn signals_of_one_place_are_one_light() {
        let scene = crossing();
        let lights = lights(&scene);
        let signals: Vec<_> = lights.iter().map(|light| light.signals.clone()).collect();
        assert_eq!(signals, [vec![0, 1], vec![2]]);
        // the bar is 2 x 0.42 x 3.5 m long
        let under = |x: f64, y: f64| light_at(&scene, dvec2(x, y), 0.1);
        assert_eq!(under(0.0, 1.5).unwrap().signals, [0, 1]);
        assert_eq!(under(20.0, 0.0).unwrap().signals, [2]);
        assert_eq!(under(10.0, 0.0), None);
    }

    #[test]
    fn a_change_holds_for_all_its_signals_from_the_cursor_on() {
        let mut scene = crossing();
        let light = light_at(&scene, dvec2(0.0, 0.0), 0.1).unwrap();
        let Action::Commit { label, edits } = light.change(&scene, 0.5, SignalState::Red) else {
            panic!("no commit");
        };
        assert_eq!(
            label.as_deref(),
            Some("Light of lane a and 1 more: red from 0.5 s")
        );
        for edit in &edits {
            scene = scene.edited(edit).unwrap();
        }
        let shown = |signal: usize| [4, 5, 10].map(|frame| scene.signals[signal].at(frame));
        let (red, green) = (SignalState::Red, SignalState::Green);
        assert_eq!(shown(0), [green, red, red]);
        assert_eq!(shown(1), [green, red, red]);
        assert_eq!(shown(2), [green, green, green]);
    }
}
