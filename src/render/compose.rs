//! A scene at a time to a draw list. What did not change since the last list is handed out again as the same layer.

use std::sync::Arc;

use super::Style;
use super::agents::{draw_agents, draw_contacts, draw_signals};
use super::apart::draw_apart;
use super::draw_list::{DrawList, Label, Layer};
use super::intents::draw_intents;
use super::map_layers::map_layers;
use super::options::ViewOptions;
use super::strokes::Sheet;
use super::trails::{draw_sweep, draw_trails};
use crate::geometry::DVec2;
use crate::map::Map;
use crate::scene::{Agent, AgentId, Attack, Goal, Scene, Signal};

/// The draw list of a scene at a time, made from nothing. Who draws many frames keeps a [`Composer`].
pub fn draw_list(scene: &Scene, time_s: f64, options: &ViewOptions, style: &Style) -> DrawList {
    Composer::default().draw_list(scene, time_s, options, style)
}

/// Makes draw lists and remembers the parts of the last one: the map is drawn once, paths once per scene,
/// and a frame in which nothing moved costs a few comparisons.
#[derive(Debug, Default)]
pub struct Composer {
    map: Option<MapPart>,
    trails: Option<(SceneKey, Arc<Layer>)>,
    moving: Option<(SceneKey, f64, Moving)>,
}

/// Signals, agents and marks with their labels.
#[derive(Debug, Clone)]
struct Moving {
    layers: [Arc<Layer>; 3],
    labels: Vec<Label>,
}

#[derive(Debug)]
struct MapPart {
    map: Arc<Map>,
    style: &'static str,
    origin: DVec2,
    layers: Vec<Arc<Layer>>,
}

/// Everything that layers other than the map's depend on, beside the time. Tracks and signals are compared by
/// identity: scenes share what an edit did not touch.
#[derive(Debug)]
struct SceneKey {
    agents: Vec<Arc<Agent>>,
    signals: Arc<Vec<Signal>>,
    goals: Vec<Goal>,
    attacks: Vec<Attack>,
    log: Vec<AgentId>,
    is_generated: bool,
    now: usize,
    dt_s: f64,
    origin: DVec2,
    options: ViewOptions,
    style: &'static str,
}

impl SceneKey {
    fn of(scene: &Scene, options: &ViewOptions, style: &Style, origin: DVec2) -> Self {
        Self {
            agents: scene.agents.clone(),
            signals: Arc::clone(&scene.signals),
            goals: scene.goals.clone(),
            attacks: scene.attacks.clone(),
            log: scene.log.keys().cloned().collect(),
            is_generated: scene.generated.is_some(),
            now: scene.now,
            dt_s: scene.dt_s,
            origin,
            options: options.clone(),
            style: style.name,
        }
    }

    fn holds(&self, scene: &Scene, options: &ViewOptions, style: &Style, origin: DVec2) -> bool {
        let same_agents = self.agents.len() == scene.agents.len()
            && self
                .agents
                .iter()
                .zip(&scene.agents)
                .all(|(a, b)| Arc::ptr_eq(a, b));
        same_agents
            && Arc::ptr_eq(&self.signals, &scene.signals)
            && self.goals == scene.goals
            && self.attacks == scene.attacks
            && self.log.iter().eq(scene.log.keys())
            && self.is_generated == scene.generated.is_some()
            && self.now == scene.now
            && self.dt_s == scene.dt_s
            && self.origin == origin
            && self.options == *options
            && self.style == style.name
    }
}

impl Composer {
    /// The draw list of a scene at a time.
    pub fn draw_list(
        &mut self,
        scene: &Scene,
        time_s: f64,
        options: &ViewOptions,
        style: &Style,
    ) -> DrawList {
        let (origin, mut layers) = self.map_part(scene, style);
        let trails = self.trail_part(scene, options, style, origin);
        let moving = self.moving_part((scene, time_s), options, style, origin);
        let [signals, agents, marks] = moving.layers;
        layers.extend([signals, trails, agents, marks]);
        let is_gridded = options.grid || scene.map.is_empty();
        DrawList {
            origin,
            background: style.background,
            grid: is_gridded.then_some(style.grid),
            time_s: time_s - scene.now_s(),
            layers,
            labels: moving.labels,
        }
    }

    fn map_part(&mut self, scene: &Scene, style: &Style) -> (DVec2, Vec<Arc<Layer>>) {
        if let Some(part) = &self.map
            && Arc::ptr_eq(&part.map, &scene.map)
            && part.style == style.name
            && (!scene.map.is_empty() || part.origin == origin_of(scene))
        {
            return (part.origin, part.layers.clone());
        }
        let origin = origin_of(scene);
        let layers = map_layers(&scene.map, style, origin);
        self.map = Some(MapPart {
            map: Arc::clone(&scene.map),
            style: style.name,
            origin,
            layers: layers.clone(),
        });
        (origin, layers)
    }

    fn trail_part(
        &mut self,
        scene: &Scene,
        options: &ViewOptions,
        style: &Style,
        origin: DVec2,
    ) -> Arc<Layer> {
        // paths do not care where the pointer is
        let options = ViewOptions {
            hovered: None,
            ..options.clone()
        };
        if let Some((key, layer)) = &self.trails
            && key.holds(scene, &options, style, origin)
        {
            return Arc::clone(layer);
        }
        let mut sheet = Sheet::new(origin);
        draw_trails(scene, &options, style, &mut sheet);
        let layer = Arc::new(sheet.layer);
        let key = SceneKey::of(scene, &options, style, origin);
        self.trails = Some((key, Arc::clone(&layer)));
        layer
    }

    fn moving_part(
        &mut self,
        (scene, time_s): (&Scene, f64),
        options: &ViewOptions,
        style: &Style,
        origin: DVec2,
    ) -> Moving {
        if let Some((key, time, moving)) = &self.moving
            && *time == time_s
            && key.holds(scene, options, style, origin)
        {
            return moving.clone();
        }
        let mut signals = Sheet::new(origin);
        draw_signals(scene, time_s, &mut signals);
        let mut agents = Sheet::new(origin);
        let mut marks = Sheet::new(origin);
        let mut labels = Vec::new();
        if let Some(agent) = options.hovered.as_ref().and_then(|id| scene.agent(id)) {
            draw_sweep(scene, agent, style, &mut agents);
        }
        if options.intents {
            labels.extend(draw_intents(scene, time_s, options, style, &mut marks));
        }
        labels.extend(draw_agents(scene, time_s, options, style, &mut agents));
        if options.contacts {
            draw_contacts(scene, time_s, options, style, &mut marks);
        }
        if let Some(before) = options.before.as_ref().filter(|_| options.apart) {
            let pair = (&*before.0, scene);
            labels.extend(draw_apart(pair, time_s, options, style, &mut marks));
        }
        let moving = Moving {
            layers: [signals, agents, marks].map(|sheet| Arc::new(sheet.layer)),
            labels,
        };
        let key = SceneKey::of(scene, options, style, origin);
        self.moving = Some((key, time_s, moving.clone()));
        moving
    }
}

/// The middle of the map, else of the agents, on whole metres: `f32` offsets from it are exact enough for pixels.
fn origin_of(scene: &Scene) -> DVec2 {
    let bounds = scene.map.bounds().or_else(|| scene.agent_bounds());
    bounds.map_or(DVec2::ZERO, |(low, high)| ((low + high) / 2.0).round())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Pose, dvec2};
    use crate::render::{BodyShape, MarkShape};
    use crate::scene::{AgentKind, Goal, Role, State, Track};

    fn moving(id: &str, kind: AgentKind, y: f64) -> Agent {
        let states = (0..81).map(|frame| {
            let pose = Pose::at(f64::from(frame), y, 0.0);
            Some(State::along(pose, 10.0))
        });
        Agent::new(id, kind, Track::new(states.collect()))
    }

    /// An ego, an attacker, a car, a cyclist and a pedestrian side by side, 10 m/s along x.
    fn scene() -> Scene {
        let mut ego = moving("ego", AgentKind::Vehicle, 0.0);
        ego.role = Role::Ego;
        let mut attacker = moving("attacker", AgentKind::Vehicle, 4.0);
        attacker.role = Role::Attacker;
        let others = [
            moving("car", AgentKind::Vehicle, 8.0),
            moving("cyclist", AgentKind::Cyclist, 12.0),
            moving("pedestrian", AgentKind::Pedestrian, 16.0),
        ];
        let agents = [ego, attacker].into_iter().chain(others);
        Scene {
            dt_s: 0.1,
            frames: 81,
            agents: agents.map(Arc::new).collect(),
            ..Scene::default()
        }
    }

    fn shapes(list: &DrawList) -> Vec<u32> {
        let bodies = list.layers.iter().flat_map(|layer| &layer.bodies);
        bodies.map(|body| body.shape).collect()
    }

    #[test]
    fn an_unchanged_frame_is_made_of_the_same_layers() {
        let scene = scene();
        let mut composer = Composer::default();
        let (options, style) = (ViewOptions::default(), Style::dark());
        let first = composer.draw_list(&scene, 1.0, &options, &style);
        let second = composer.draw_list(&scene, 1.0, &options, &style);
        let same = |a: &DrawList, b: &DrawList| -> Vec<bool> {
            let pairs = a.layers.iter().zip(&b.layers);
            pairs.map(|(a, b)| Arc::ptr_eq(a, b)).collect()
        };
        assert!(same(&first, &second).into_iter().all(|same| same));
        let later = composer.draw_list(&scene, 1.1, &options, &style);
        // beside, road, paint and paths stay; signals, agents and marks are new
        let expected = [true, true, true, false, true, false, false];
        assert_eq!(same(&second, &later), expected);
    }

    #[test]
    fn parts_and_kinds_differ_in_shape_not_only_in_colour() {
        let list = draw_list(&scene(), 1.0, &ViewOptions::default(), &Style::dark());
        let mut found = shapes(&list);
        found.sort_unstable();
        let expected = [
            BodyShape::Vehicle,
            BodyShape::Vehicle,
            BodyShape::Ego,
            BodyShape::Pedestrian,
            BodyShape::Cyclist,
        ];
        assert_eq!(found, expected.map(|shape| shape as u32));
        let bodies: Vec<_> = list.layers.iter().flat_map(|layer| &layer.bodies).collect();
        let style = Style::dark();
        let attacker = bodies.iter().find(|body| body.fill == style.attacker);
        let car = bodies.iter().find(|body| body.fill == style.fixed);
        assert!(attacker.unwrap().edge_width > 2.0 * car.unwrap().edge_width);
        let rings = list.layers.iter().flat_map(|layer| &layer.marks);
        let rings = rings.filter(|mark| mark.shape == MarkShape::Ring as u32);
        assert_eq!(rings.count(), 1); // the attacker's
    }

    #[test]
    fn hidden_agents_leave_nothing_behind() {
        let options = ViewOptions {
            hidden: ["car", "cyclist", "pedestrian", "attacker"]
                .map(AgentId::new)
                .into(),
            ..ViewOptions::default()
        };
        let list = draw_list(&scene(), 1.0, &options, &Style::dark());
        assert_eq!(shapes(&list), [BodyShape::Ego as u32]);
        let ribbons = list.layers.iter().flat_map(|layer| &layer.ribbons);
        assert!(ribbons.map(|ribbon| ribbon.from[1]).all(|y| y == -8.0)); // origin at y = 8
    }

    #[test]
    fn a_hard_goal_is_filled_and_a_soft_one_hollow() {
        let flag = |hard: bool| {
            let mut scene = scene();
            scene.goals = vec![Goal {
                agent: AgentId::new("car"),
                point: [60.0, 8.0],
                time_s: 6.0,
                heading: None,
                speed: None,
                tolerance_m: 2.0,
                hard,
                extra: crate::map::Extra::new(),
            }];
            let list = draw_list(&scene, 1.0, &ViewOptions::default(), &Style::dark());
            let marks: Vec<_> = list
                .layers
                .iter()
                .flat_map(|layer| layer.marks.clone())
                .collect();
            let of = |shape: MarkShape| {
                *marks
                    .iter()
                    .find(|mark| mark.shape == shape as u32)
                    .unwrap()
            };
            // due 6 s after the present, of the 8 s horizon
            assert_eq!(of(MarkShape::Clock).value, 0.75);
            let ring = marks.iter().find(|mark| mark.radius[0] == 2.0).unwrap();
            assert_eq!(ring.value > 0.0, !hard); // dashed if soft
            of(MarkShape::Flag).fill.is_clear()
        };
        assert!(!flag(true) && flag(false));
    }

    #[test]
    fn ghosts_of_the_log_are_drawn_where_the_track_was_changed() {
        let mut scene = scene();
        let id = AgentId::new("car");
        scene.log.insert(id.clone(), scene.agents[2].track.clone());
        let agent = Arc::make_mut(&mut scene.agents[2]);
        for state in agent.track.states_mut().iter_mut().flatten() {
            state.position += dvec2(0.0, 3.0);
        }
        let options = ViewOptions {
            log_ghosts: true,
            ..ViewOptions::default()
        };
        let list = draw_list(&scene, 1.0, &options, &Style::dark());
        let bodies = list.layers.iter().flat_map(|layer| &layer.bodies);
        let ghosts: Vec<_> = bodies
            .filter(|body| body.shape == BodyShape::Ghost as u32)
            .collect();
        assert_eq!(ghosts.len(), 1);
        assert_eq!(ghosts[0].centre[1] + list.origin.y as f32, 8.0);
        assert!(ghosts[0].fill.0[3] < 90); // 35 % of 255 at most
    }
}
