//! Guidance: wishes imposed on the predicted clean scene (Nexus, App. C.3, Eqs. 5 to 12).
//!
//! Eqs. (8) and (9) as printed roughen; the sign here smooths. Corrections are metres in the scene, moved by `weight`
//! of the full way at each step. Whom an attack wants to touch is not kept off its attacker.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::codec::{CHANNELS, NOW, Scale, T, Window, at_time, token_time_s};
use crate::diffusion::Guide;
use crate::geometry::{DVec2, OrientedBox, dvec2};
use crate::map::Map;
use crate::metrics::lane_distance;
use crate::scene::{AgentKind, Guidance, Scene, State};

/// Space wanted between boxes, m.
const MARGIN_M: f64 = 0.3;
/// Off a centreline by more than this an agent is pulled back, m.
const STRAY_M: f64 = 2.5;
/// Beyond this it is left alone: the map is likely to lack its place, m.
const LOST_M: f64 = 8.0;
/// Centres farther apart are not looked at, m.
const FARTHEST_M: f64 = 30.0;
/// Share of a push handed on to the tokens before and after: three on each side.
const SPREAD: [f64; 4] = [1.0, 0.75, 0.5, 0.25];

/// Who gets no farther than this in the whole future stands, m.
pub(super) const GOES_M: f64 = 2.0;
/// Who never comes this near to a row's present place is left out, m.
const REACH_M: f64 = 150.0;

/// Somebody without a row, on the track the scene has.
#[derive(Debug, Clone)]
struct Outsider {
    footprints: [Option<OrientedBox>; T],
    /// Rows it overlaps at the present already.
    meant: BTreeSet<usize>,
}

/// The guidance of a recipe for one window.
#[derive(Debug, Clone)]
pub(super) struct Guided {
    window: Window,
    scale: Scale,
    map: Arc<Map>,
    guidance: Guidance,
    /// Rows that move and start on the road: who the road term acts on.
    on_road: Vec<bool>,
    /// Rows that are not pushed apart: attackers and their targets, and who overlaps at the present already (a rider
    /// and a bicycle, bad labels).
    meant: BTreeSet<[usize; 2]>,
    outsiders: Vec<Outsider>,
}

impl Guided {
    /// `None` if every weight is 0.
    pub(super) fn new(
        window: &Window,
        scale: &Scale,
        scene: &Scene,
        guidance: &Guidance,
    ) -> Option<Self> {
        let terms = [guidance.collision, guidance.comfort, guidance.road];
        if terms.iter().all(|term| term.weight <= 0.0) {
            return None;
        }
        let on_road = (0..window.agents()).map(|row| {
            let present = window.state(row, NOW);
            window.rows[row].kind == AgentKind::Vehicle
                && present.speed() > 0.5
                && lane_distance(&scene.map, present.position)
                    .is_some_and(|hit| hit.offset.abs() <= STRAY_M)
        });
        let apart = guidance.collision.weight > 0.0;
        Some(Self {
            on_road: on_road.collect(),
            meant: if apart {
                meant(window, scene)
            } else {
                BTreeSet::new()
            },
            outsiders: if apart {
                outsiders(window, scene)
            } else {
                Vec::new()
            },
            window: window.clone(),
            scale: scale.clone(),
            map: scene.map.clone(),
            guidance: *guidance,
        })
    }

    fn made(&self, at: usize) -> bool {
        self.window.valid[at] && self.window.rows[at / T].generated
    }

    fn footprint(&self, states: &[State], at: usize) -> OrientedBox {
        let agent = &self.window.rows[at / T];
        footprint(&states[at], agent.length, agent.width)
    }

    /// Whether the agent of `row` goes anywhere in the predicted future.
    fn goes(&self, states: &[State], row: usize) -> bool {
        let [start, end] = [NOW, T - 1].map(|token| states[row * T + token].position);
        start.distance(end) >= GOES_M
    }

    /// Who goes gives way to who stands; of two that go each gives way by half. What stands is not moved: parked cars are
    /// often nearer to each other than the margin, and none makes room.
    fn push_apart(&self, states: &[State], levels: &[f32], moves: &mut [DVec2]) {
        let term = self.guidance.collision;
        let agents = self.window.agents();
        let goes: Vec<bool> = (0..agents).map(|row| self.goes(states, row)).collect();
        for token in NOW + 1..T {
            let footprints: Vec<OrientedBox> = (0..agents)
                .map(|row| self.footprint(states, row * T + token))
                .collect();
            for row in 0..agents {
                for other in row + 1..agents {
                    let (at, there) = (row * T + token, other * T + token);
                    let mine = goes[row] && self.made(at);
                    let theirs = goes[other] && self.made(there);
                    if !(self.window.valid[at] && self.window.valid[there])
                        || !(mine || theirs)
                        || self.meant.contains(&[row, other])
                    {
                        continue;
                    }
                    let Some(out) = way_out(&footprints[row], &footprints[other]) else {
                        continue;
                    };
                    let share = if mine && theirs { 0.5 } else { 1.0 };
                    for (row, sign, acts) in [(row, 1.0, mine), (other, -1.0, theirs)] {
                        if acts && within(term.levels, levels[row * T + token]) {
                            self.spread(moves, row, token, out * (sign * share * term.weight));
                        }
                    }
                }
            }
        }
    }

    /// Those without a row go their way: who is made and goes anywhere gives way alone.
    fn keep_off_outsiders(&self, states: &[State], levels: &[f32], moves: &mut [DVec2]) {
        let term = self.guidance.collision;
        for row in 0..self.window.agents() {
            if !self.goes(states, row) {
                continue;
            }
            for token in NOW + 1..T {
                let at = row * T + token;
                if !self.made(at) || !within(term.levels, levels[at]) {
                    continue;
                }
                let mine = self.footprint(states, at);
                let others = self
                    .outsiders
                    .iter()
                    .filter(|other| !other.meant.contains(&row));
                for theirs in others.filter_map(|other| other.footprints[token].as_ref()) {
                    if let Some(out) = way_out(&mine, theirs) {
                        self.spread(moves, row, token, out * term.weight);
                    }
                }
            }
        }
    }

    fn spread(&self, moves: &mut [DVec2], row: usize, token: usize, push: DVec2) {
        for other in NOW + 1..T {
            if let Some(share) = SPREAD.get(token.abs_diff(other)) {
                moves[row * T + other] += push * *share;
            }
        }
    }

    fn smooth(&self, states: &[State], levels: &[f32], moves: &mut [DVec2]) {
        let term = self.guidance.comfort;
        for row in 0..self.window.agents() {
            for token in NOW + 1..T - 1 {
                let at = row * T + token;
                let whole = self.window.valid[at - 1] && self.window.valid[at + 1];
                if self.made(at) && whole && within(term.levels, levels[at]) {
                    let bend = states[at - 1].position - 2.0 * states[at].position
                        + states[at + 1].position;
                    moves[at] += bend * (0.5 * term.weight);
                }
            }
        }
    }

    fn pull_back(&self, states: &[State], levels: &[f32], moves: &mut [DVec2]) {
        let term = self.guidance.road;
        for row in (0..self.window.agents()).filter(|&row| self.on_road[row]) {
            for token in NOW + 1..T {
                let at = row * T + token;
                if !self.made(at) || !within(term.levels, levels[at]) {
                    continue;
                }
                let point = states[at].position;
                let Some(hit) = lane_distance(&self.map, point) else {
                    continue;
                };
                let away = hit.offset.abs();
                if (STRAY_M..LOST_M).contains(&away) {
                    let full = (hit.pose.point - point) * (1.0 - (STRAY_M - 0.5) / away);
                    moves[at] += full * term.weight;
                }
            }
        }
    }
}

/// The footprint at the present.
fn present_box(window: &Window, row: usize) -> OrientedBox {
    let agent = &window.rows[row];
    OrientedBox::new(window.state(row, NOW).pose(), agent.length, agent.width)
}

/// The box of a body at a state, half the margin larger on every side.
fn footprint(state: &State, length: f64, width: f64) -> OrientedBox {
    OrientedBox::new(state.pose(), length, width).grown(MARGIN_M / 2.0)
}

/// How `mine` gets out of `theirs`, m: from centre to centre, as far as they overlap. `None` if they do not.
fn way_out(mine: &OrientedBox, theirs: &OrientedBox) -> Option<DVec2> {
    let between = mine.pose.point - theirs.pose.point;
    if between.length_squared() > FARTHEST_M * FARTHEST_M {
        return None;
    }
    let depth = mine.penetration(theirs);
    (depth > 0.0).then(|| between.normalize_or(mine.pose.left()) * depth)
}

/// Pairs of rows that are not pushed apart, the lower first.
fn meant(window: &Window, scene: &Scene) -> BTreeSet<[usize; 2]> {
    let attacks = scene.attacks.iter().filter_map(|attack| {
        let row = window.row_of(&attack.attacker)?;
        let other = window.row_of(&attack.target)?;
        Some([row.min(other), row.max(other)])
    });
    let pairs = (0..window.agents())
        .flat_map(|row| (row + 1..window.agents()).map(move |other| [row, other]));
    let overlapping = pairs
        .filter(|[row, other]| present_box(window, *row).overlaps(&present_box(window, *other)));
    attacks.chain(overlapping).collect()
}

/// Those of `scene` who have no row and come near one, as far as their tracks are known.
fn outsiders(window: &Window, scene: &Scene) -> Vec<Outsider> {
    let present: Vec<OrientedBox> = (0..window.agents())
        .map(|row| present_box(window, row))
        .collect();
    let others = scene
        .agents
        .iter()
        .filter(|agent| agent.kind != AgentKind::Other && window.row_of(&agent.id).is_none());
    others
        .filter_map(|agent| {
            let footprints = std::array::from_fn(|token| {
                let time_s = window.now_s + token_time_s(token);
                let state = at_time(&agent.track, time_s, scene.dt_s)?;
                Some(footprint(&state, agent.length, agent.width))
            });
            let near = footprints[NOW + 1..]
                .iter()
                .flatten()
                .any(|there: &OrientedBox| {
                    let gap = |own: &OrientedBox| own.pose.point.distance_squared(there.pose.point);
                    present.iter().any(|own| gap(own) < REACH_M * REACH_M)
                });
            let meets =
                |row: &usize| footprints[NOW].is_some_and(|there| there.overlaps(&present[*row]));
            let meant = (0..present.len()).filter(meets).collect();
            near.then_some(Outsider { footprints, meant })
        })
        .collect()
}

fn within(range: [f64; 2], level: f32) -> bool {
    let level = f64::from(level);
    level > 0.0 && (range[0]..=range[1]).contains(&level)
}

impl Guide for Guided {
    fn guide(&mut self, clean: &mut [f32], levels: &[f32]) {
        let states = self.window.states(clean, &self.scale);
        let mut moves = vec![DVec2::ZERO; states.len()];
        if self.guidance.collision.weight > 0.0 {
            self.push_apart(&states, levels, &mut moves);
            self.keep_off_outsiders(&states, levels, &mut moves);
        }
        if self.guidance.comfort.weight > 0.0 {
            self.smooth(&states, levels, &mut moves);
        }
        if self.guidance.road.weight > 0.0 {
            self.pull_back(&states, levels, &mut moves);
        }
        for (at, step) in moves.iter().enumerate() {
            if *step == DVec2::ZERO || !self.made(at) || levels[at] <= 0.0 {
                continue;
            }
            let forward = self.window.frame(at / T).forward();
            let local = dvec2(forward.x, -forward.y).rotate(*step);
            let scale = &self.scale.0[at % T];
            clean[at * CHANNELS] += (local.x / f64::from(scale[0])) as f32;
            clean[at * CHANNELS + 1] += (local.y / f64::from(scale[1])) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Options;
    use crate::geometry::{Polyline, Pose};
    use crate::map::{Lane, LaneKind, MapParts};
    use crate::scene::{self, Agent, Scene, Track};

    fn scene_with(offsets: &[f64]) -> Scene {
        let line = Polyline::new([dvec2(-100.0, 0.0), dvec2(300.0, 0.0)]).unwrap();
        let driver = |(index, &y): (usize, &f64)| {
            let states = (0..101).map(|frame| {
                let t = 0.1 * f64::from(frame);
                Some(State::along(Pose::at(10.0 * t, y, 0.0), 10.0))
            });
            Arc::new(Agent::new(
                format!("{index}"),
                AgentKind::Vehicle,
                Track::new(states.collect()),
            ))
        };
        Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            map: Arc::new(Map::build(MapParts {
                lanes: vec![Lane::new("east", LaneKind::Street, line)],
                ..MapParts::default()
            })),
            agents: offsets.iter().enumerate().map(driver).collect(),
            ..Scene::default()
        }
    }

    fn guided(
        scene: &Scene,
        guidance: Guidance,
        change: impl Fn(usize, usize) -> DVec2,
    ) -> Vec<State> {
        let window = Window::new(scene, &Options::default());
        let scale = Scale::default();
        let mut clean = window.normalised(&scale);
        for at in 0..window.tokens.len() {
            if at % T > NOW {
                let shift = change(at / T, at % T);
                clean[at * CHANNELS] += shift.x as f32;
                clean[at * CHANNELS + 1] += shift.y as f32;
            }
        }
        let levels: Vec<f32> = (0..window.tokens.len())
            .map(|at| if at % T > NOW { 0.5 } else { 0.0 })
            .collect();
        let mut guide = Guided::new(&window, &scale, scene, &guidance).unwrap();
        guide.guide(&mut clean, &levels);
        window.states(&clean, &scale)
    }

    fn only(pick: impl Fn(&mut Guidance) -> &mut scene::Guide) -> Guidance {
        let mut guidance = Guidance::default();
        pick(&mut guidance).weight = 0.5;
        guidance
    }

    #[test]
    fn overlapping_boxes_move_apart_along_their_centres() {
        // 5 m apart; the second is moved 4 m towards the first: boxes 2 m wide overlap by 1 m, 1.3 m with the margin
        let scene = scene_with(&[0.0, 5.0]);
        let states = guided(&scene, only(|g| &mut g.collision), |row, token| {
            dvec2(0.0, if row == 1 && token == 12 { -4.0 } else { 0.0 })
        });
        // each takes half of half of 1.3 m
        assert!(
            (states[12].position.y + 0.325).abs() < 1e-3,
            "{:?}",
            states[12]
        );
        assert!((states[T + 12].position.y - 1.325).abs() < 1e-3);
        // three tokens on, a quarter of it
        assert!((states[15].position.y + 0.25 * 0.325).abs() < 1e-3);
        assert!(states[16].position.y.abs() < 1e-6);
    }

    #[test]
    fn who_goes_gives_way_alone_to_who_stands() {
        // at token 12, 4 s on, the first is at (60, 0): moved to within 1 m of a car that stands at (60, 5)
        let mut scene = scene_with(&[0.0, 5.0]);
        let standing = (0..101).map(|_| Some(State::along(Pose::at(60.0, 5.0, 0.0), 0.0)));
        scene.agents[1] = Arc::new(Agent::new(
            "1",
            AgentKind::Vehicle,
            Track::new(standing.collect()),
        ));
        let states = guided(&scene, only(|g| &mut g.collision), |row, token| {
            dvec2(0.0, if row == 0 && token == 12 { 4.0 } else { 0.0 })
        });
        // all of half of 1.3 m
        assert!((states[12].position.y - 3.35).abs() < 1e-3, "{states:?}");
        assert!((states[T + 12].position - dvec2(60.0, 5.0)).length() < 1e-6);
    }

    #[test]
    fn an_attacker_is_not_kept_off_its_target_but_off_the_others() {
        // the middle one, row 0, comes within 1 m of its target and then of the third
        let mut scene = scene_with(&[0.0, 5.0, 10.0]);
        scene.attacks.push(scene::Attack {
            attacker: scene::AgentId::new("1"),
            target: scene::AgentId::new("0"),
            time_s: 6.0,
            offset: [0.0, 0.0],
            extra: crate::map::Extra::default(),
        });
        let towards = |y: f64| {
            guided(&scene, only(|g| &mut g.collision), move |row, token| {
                dvec2(0.0, if row == 0 && token == 12 { y } else { 0.0 })
            })
        };
        assert!((towards(-4.0)[12].position.y - 1.0).abs() < 1e-3);
        assert!((towards(4.0)[12].position.y - 8.675).abs() < 1e-3);
    }

    #[test]
    fn who_has_no_row_is_kept_clear_of_and_stays() {
        // the second has no row; the first is moved to within 1 m of it and goes all of half of 1.3 m back alone
        let scene = scene_with(&[0.0, 5.0]);
        let options = Options {
            max_agents: 1,
            include: BTreeSet::from([scene::AgentId::new("0")]),
            ..Options::default()
        };
        let window = Window::new(&scene, &options);
        assert_eq!(window.agents(), 1);
        let scale = Scale::default();
        let mut clean = window.normalised(&scale);
        clean[12 * CHANNELS + 1] += 4.0;
        let levels: Vec<f32> = (0..T)
            .map(|token| if token > NOW { 0.5 } else { 0.0 })
            .collect();
        let mut guide = Guided::new(&window, &scale, &scene, &only(|g| &mut g.collision)).unwrap();
        guide.guide(&mut clean, &levels);
        let states = window.states(&clean, &scale);
        assert!(
            (states[12].position.y - 3.35).abs() < 1e-3,
            "{:?}",
            states[12]
        );
    }

    #[test]
    fn comfort_halves_a_kink() {
        let scene = scene_with(&[0.0]);
        let states = guided(&scene, only(|g| &mut g.comfort), |_, token| {
            dvec2(0.0, if token == 12 { 1.0 } else { 0.0 })
        });
        // (0 − 2 + 0) · 0.5 · 0.5 = −0.5 at the kink, +0.25 beside it: smoother, not rougher
        assert!((states[12].position.y - 0.5).abs() < 1e-5);
        assert!((states[11].position.y - 0.25).abs() < 1e-5);
    }

    #[test]
    fn strays_are_pulled_towards_the_lane_and_the_lost_are_left() {
        let scene = scene_with(&[0.0]);
        let states = guided(&scene, only(|g| &mut g.road), |_, token| {
            dvec2(0.0, if token > 15 { 20.0 } else { 4.0 })
        });
        // 4 m off: the full way is to 2 m, half of it is 1 m
        assert!((states[10].position.y - 3.0).abs() < 1e-5);
        assert!((states[18].position.y - 20.0).abs() < 1e-5);
    }
}
