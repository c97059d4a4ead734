//! What a network sees of a scene: rows of tokens, and the lanes around them.

use std::collections::BTreeSet;

use super::interpolate::at_time;
use super::lanes::{LanePiece, pieces_near};
use super::{NOW, T, token_time_s};
use crate::geometry::DVec2;
use crate::scene::{Agent, AgentId, AgentKind, Control, Role, Scene, State};

/// Which agents a window takes.
#[derive(Debug, Clone)]
pub struct Options {
    /// At most so many agents.
    pub max_agents: usize,
    /// Within this distance of the ego at the present, m.
    pub radius_m: f64,
    /// Agents taken in any case, if they are there at the present.
    pub include: BTreeSet<AgentId>,
    /// Whether agents whose future the model decides have valid future tokens throughout (generation), or only where
    /// the log knows them (judging against the log, training data).
    pub whole_future: bool,
    /// Whether the nearest are those of least [`remoteness`] (who an ego must watch), not of least distance.
    pub foresight: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_agents: 32,
            radius_m: 104.0,
            include: BTreeSet::new(),
            whole_future: true,
            foresight: false,
        }
    }
}

/// One agent of a window.
#[derive(Debug, Clone)]
pub struct Row {
    /// Who.
    pub id: AgentId,
    /// Position in `Scene::agents`.
    pub index: usize,
    /// What it is; never `Other`.
    pub kind: AgentKind,
    /// Length, m.
    pub length: f64,
    /// Width, m.
    pub width: f64,
    /// Whether [`super::decode`] writes its future; from `Control`, to be changed at will.
    pub generated: bool,
}

impl Row {
    fn of(agent: &Agent, index: usize) -> Self {
        Self {
            id: agent.id.clone(),
            index,
            kind: agent.kind,
            length: agent.length,
            width: agent.width,
            generated: agent.control == Control::Free,
        }
    }

    /// The kind as networks number it: vehicle 0, pedestrian 1, cyclist 2.
    pub fn kind_number(&self) -> usize {
        match self.kind {
            AgentKind::Vehicle | AgentKind::Other => 0,
            AgentKind::Pedestrian => 1,
            AgentKind::Cyclist => 2,
        }
    }
}

/// Some agents with [`T`] tokens each, in the scene's frame, and the lanes around them.
///
/// Rows: the ego first, then the nearest to it at the present ([`Options::foresight`]). All rows are valid at the present.
#[derive(Debug, Clone)]
pub struct Window {
    /// The agents, [A].
    pub rows: Vec<Row>,
    /// States, [A, T] row by row, scene frame. Where a valid token is not known, a finite stand-in (the nearest
    /// known state carried on at constant velocity) that must not be used as a given.
    pub tokens: Vec<State>,
    /// [A, T]: takes part (the model sees it or makes it). Around the present without gaps.
    pub valid: Vec<bool>,
    /// [A, T]: the scene holds a state there, without gap from the present.
    pub known: Vec<bool>,
    /// Lane pieces, nearest to the agents' ways first.
    pub lanes: Vec<LanePiece>,
    /// Scene time of the present, s.
    pub now_s: f64,
    /// A point near the agents: subtract it before going to `f32`.
    pub origin: DVec2,
}

impl Window {
    /// The window around the scene's present. Empty if no agent of a kind the model knows is there at the present;
    /// without an ego the centre is the agents' mean position.
    pub fn new(scene: &Scene, options: &Options) -> Self {
        let rows = choose(scene, options);
        let now_s = scene.now_s();
        let mut window = Self {
            tokens: Vec::with_capacity(rows.len() * T),
            valid: Vec::with_capacity(rows.len() * T),
            known: Vec::with_capacity(rows.len() * T),
            rows,
            lanes: Vec::new(),
            now_s,
            origin: DVec2::ZERO,
        };
        for index in 0..window.rows.len() {
            window.push_tokens(scene, index, options);
        }
        if let Some(present) = window.tokens.get(NOW) {
            window.origin = present.position.round();
        }
        window.lanes = pieces_near(scene, &window.present(), now_s);
        window
    }

    /// This window in a world that changed: `newcomers` who are there at the present come in as last rows (with whole
    /// futures), in their order; tokens and size of `moved` rows, lanes and signals are those of `scene`. All other rows
    /// keep their tokens, and every row its place. Everyone in this window must still be in `scene`, with the same
    /// present.
    pub fn joined(&self, scene: &Scene, newcomers: &[AgentId], moved: &[AgentId]) -> Self {
        let mut window = self.clone();
        for row in &mut window.rows {
            row.index = scene.agent_index(&row.id).unwrap_or(row.index);
        }
        let options = Options::default();
        for row in moved.iter().filter_map(|id| self.row_of(id)) {
            let agent = &scene.agents[window.rows[row].index];
            (window.rows[row].length, window.rows[row].width) = (agent.length, agent.width);
            let read = window.read(scene, row, &options);
            for (token, (state, known, valid)) in read.into_iter().enumerate() {
                let at = row * T + token;
                (window.tokens[at], window.known[at], window.valid[at]) = (state, known, valid);
            }
        }
        for id in newcomers {
            let Some(index) = scene.agent_index(id) else {
                continue;
            };
            let agent = &scene.agents[index];
            if agent.kind == AgentKind::Other || agent.track.get(scene.now).is_none() {
                continue;
            }
            window.rows.push(Row::of(agent, index));
            let row = window.rows.len() - 1;
            window.push_tokens(scene, row, &options);
        }
        window.lanes = pieces_near(scene, &window.present(), window.now_s);
        window
    }

    /// All agents' states at the present.
    fn present(&self) -> Vec<State> {
        let present = self.tokens.iter().skip(NOW).step_by(T);
        present.copied().collect()
    }

    fn push_tokens(&mut self, scene: &Scene, row: usize, options: &Options) {
        for (state, known, valid) in self.read(scene, row, options) {
            self.tokens.push(state);
            self.known.push(known);
            self.valid.push(valid);
        }
    }

    /// A row's tokens in `scene`, each with whether it is known and whether it takes part.
    fn read(&self, scene: &Scene, row: usize, options: &Options) -> [(State, bool, bool); T] {
        let agent = &scene.agents[self.rows[row].index];
        let mut states: Vec<Option<State>> = (0..T)
            .map(|token| at_time(&agent.track, self.now_s + token_time_s(token), scene.dt_s))
            .collect();
        for token in (0..NOW).rev() {
            if states[token + 1].is_none() {
                states[token] = None;
            }
        }
        for token in NOW + 1..T {
            if states[token - 1].is_none() {
                states[token] = None;
            }
        }
        let whole = options.whole_future && self.rows[row].generated;
        let first = states.iter().position(Option::is_some).unwrap_or(NOW);
        let last = states.iter().rposition(Option::is_some).unwrap_or(NOW);
        std::array::from_fn(|token| {
            let nearest = token.clamp(first, last);
            let stand_in = states[nearest].map(|state| State {
                position: state.position
                    + state.velocity * (token_time_s(token) - token_time_s(nearest)),
                ..state
            });
            let known = states[token].is_some();
            let state = stand_in.unwrap_or(State {
                position: DVec2::ZERO,
                heading: 0.0,
                velocity: DVec2::ZERO,
            });
            (state, known, known || (whole && token > NOW))
        })
    }

    /// Number of agents, A.
    pub fn agents(&self) -> usize {
        self.rows.len()
    }

    /// The row of an agent.
    pub fn row_of(&self, id: &AgentId) -> Option<usize> {
        self.rows.iter().position(|row| row.id == *id)
    }

    /// An agent's state at a token.
    pub fn state(&self, row: usize, token: usize) -> &State {
        &self.tokens[row * T + token]
    }

    /// The token nearest to a scene time, clamped to the future tokens.
    pub fn future_token_at(&self, time_s: f64) -> usize {
        let token = ((time_s - self.now_s) / super::DT_S).round() + NOW as f64;
        (token.max(0.0) as usize).clamp(NOW + 1, T - 1)
    }
}

/// How many agents a window could take, were there no most: those of a kind the model knows within
/// [`Options::radius_m`] of the ego at the present.
pub fn agents_near(scene: &Scene) -> usize {
    let all = Options {
        max_agents: usize::MAX,
        ..Options::default()
    };
    choose(scene, &all).len()
}

/// How far a place in the ego's frame counts for whom it must watch, m: a metre ahead as half of one, a metre behind as
/// one and a half. What stands far ahead in the lane matters more than who is parked beside it or follows.
pub fn remoteness(local: DVec2) -> f64 {
    let weight = if local.x > 0.0 { 0.5 } else { 1.5 };
    DVec2::new(weight * local.x, local.y).length()
}

/// The agents there at the present, ego first, then the nearest; see [`Options`].
fn choose(scene: &Scene, options: &Options) -> Vec<Row> {
    let here: Vec<(usize, DVec2)> = scene
        .agents
        .iter()
        .enumerate()
        .filter(|(_, agent)| agent.kind != AgentKind::Other)
        .filter_map(|(index, agent)| Some((index, agent.track.get(scene.now)?.position)))
        .collect();
    let is_ego = |index: usize| scene.agents[index].role == Role::Ego;
    let ego = here.iter().find(|(index, _)| is_ego(*index));
    let heading = ego.map(|&(index, _)| {
        let now = scene.agents[index].track.get(scene.now);
        now.map_or(0.0, |now| now.heading)
    });
    let centre = ego.map(|(_, point)| *point).unwrap_or_else(|| {
        here.iter().map(|(_, point)| *point).sum::<DVec2>() / here.len().max(1) as f64
    });
    let gap = |point: DVec2| match heading {
        Some(heading) if options.foresight => {
            remoteness(DVec2::from_angle(-heading).rotate(point - centre))
        }
        _ => point.distance(centre),
    };
    let mut ranked: Vec<(bool, bool, f64, usize)> = here
        .iter()
        .filter_map(|&(index, point)| {
            let ego = is_ego(index);
            let wanted = options.include.contains(&scene.agents[index].id);
            let within = ego || wanted || point.distance(centre) <= options.radius_m;
            within.then(|| (!ego, !wanted, gap(point), index))
        })
        .collect();
    ranked.sort_by(|a, b| {
        (a.0, a.1)
            .cmp(&(b.0, b.1))
            .then(a.2.total_cmp(&b.2))
            .then(a.3.cmp(&b.3))
    });
    ranked.truncate(options.max_agents);
    ranked.sort_by(|a, b| a.0.cmp(&b.0).then(a.2.total_cmp(&b.2)).then(a.3.cmp(&b.3)));
    ranked
        .into_iter()
        .map(|(.., index)| Row::of(&scene.agents[index], index))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Pose, dvec2};
    use crate::scene::{Agent, Track};
    use std::sync::Arc;

    fn straight(id: &str, x: f64, frames: std::ops::Range<usize>) -> Arc<Agent> {
        let states = (0..101)
            .map(|frame| {
                frames
                    .contains(&frame)
                    .then(|| State::along(Pose::at(x + 0.5 * frame as f64, 3.0, 0.0), 5.0))
            })
            .collect();
        Arc::new(Agent::new(id, AgentKind::Vehicle, Track::new(states)))
    }

    fn scene(agents: Vec<Arc<Agent>>) -> Scene {
        Scene {
            dt_s: 0.1,
            frames: 101,
            now: 20,
            agents,
            ..Scene::default()
        }
    }

    #[test]
    fn tokens_lie_half_a_second_apart_around_the_present() {
        let window = Window::new(
            &scene(vec![straight("a", 0.0, 0..101)]),
            &Options::default(),
        );
        // frame 5·token at dt 0.1 s, 0.5 m a frame
        for token in 0..T {
            let expected = dvec2(2.5 * token as f64, 3.0);
            assert_eq!(window.state(0, token).position, expected);
        }
        assert!(window.valid.iter().all(|&valid| valid));
    }

    #[test]
    fn an_agent_that_leaves_is_valid_to_the_end_only_in_generation() {
        let short = scene(vec![straight("a", 0.0, 12..41)]);
        let made = Window::new(&short, &Options::default());
        // known at 1.2 to 4.0 s: tokens at 1.5 s (3) to 4.0 s (8)
        let known: Vec<usize> = (0..T).filter(|&token| made.known[token]).collect();
        assert_eq!(known, (3..=8).collect::<Vec<_>>());
        let valid: Vec<usize> = (0..T).filter(|&token| made.valid[token]).collect();
        assert_eq!(valid, (3..T).collect::<Vec<_>>());
        let judged = Window::new(
            &short,
            &Options {
                whole_future: false,
                ..Options::default()
            },
        );
        assert_eq!(judged.valid, judged.known);
        // the stand-in coasts: 5 m/s for 6 s beyond x = 20 m
        assert!((made.state(0, T - 1).position.x - 50.0).abs() < 1e-9);
    }

    #[test]
    fn a_newcomer_is_the_last_row_and_the_others_stay_as_they_were() {
        let mut agents = vec![straight("ego", 0.0, 0..101), straight("far", 40.0, 0..101)];
        Arc::make_mut(&mut agents[0]).role = Role::Ego;
        let before = Window::new(&scene(agents.clone()), &Options::default());
        agents.insert(1, straight("new", 20.0, 10..101));
        let joined = before.joined(
            &scene(agents),
            &[AgentId::new("new"), AgentId::new("nobody")],
            &[],
        );
        let ids: Vec<&str> = joined.rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["ego", "far", "new"]);
        assert_eq!(joined.rows[1].index, 2); // its place in the scene moved
        assert_eq!(joined.tokens[..2 * T], before.tokens);
        // known from 1.0 s, two tokens before the present at 2.0 s
        let known: Vec<usize> = (0..T)
            .filter(|&token| joined.known[2 * T + token])
            .collect();
        assert_eq!(known, (2..T).collect::<Vec<_>>());
        assert_eq!(joined.valid.len(), 3 * T);
    }

    #[test]
    fn only_those_who_moved_are_read_anew() {
        let before = Window::new(
            &scene(vec![
                straight("a", 0.0, 0..101),
                straight("b", 40.0, 0..101),
            ]),
            &Options::default(),
        );
        let world = scene(vec![
            straight("a", 7.0, 0..101),
            straight("b", 47.0, 0..101),
        ]);
        let moved = before.joined(&world, &[], &[AgentId::new("b")]);
        let a = moved.row_of(&AgentId::new("a")).unwrap();
        let b = moved.row_of(&AgentId::new("b")).unwrap();
        assert_eq!(
            moved.tokens[a * T..(a + 1) * T],
            before.tokens[a * T..(a + 1) * T]
        );
        // 0.5 m a frame, five frames a token, from 47 m
        assert_eq!(moved.state(b, 6).position.x, 47.0 + 15.0);
    }

    #[test]
    fn what_lies_beyond_a_gap_is_dropped() {
        let mut gappy = straight("a", 0.0, 0..101);
        Arc::make_mut(&mut gappy).track.set(50, None);
        let window = Window::new(&scene(vec![gappy]), &Options::default());
        assert!(window.known[9] && !window.known[10] && !window.known[11]);
    }

    #[test]
    fn the_ego_comes_first_and_the_far_and_the_absent_stay_out() {
        let mut agents = vec![
            straight("far", 200.0, 0..101),
            straight("near", 30.0, 0..101),
            straight("ego", 0.0, 0..101),
            straight("late", 10.0, 30..101),
        ];
        Arc::make_mut(&mut agents[2]).role = Role::Ego;
        let scene = scene(agents);
        let ids = |options: &Options| -> Vec<String> {
            let window = Window::new(&scene, options);
            window.rows.iter().map(|row| row.id.to_string()).collect()
        };
        assert_eq!(ids(&Options::default()), ["ego", "near"]);
        let include = BTreeSet::from([AgentId::new("far")]);
        let options = Options {
            max_agents: 2,
            include,
            ..Options::default()
        };
        assert_eq!(ids(&options), ["ego", "far"]);
    }

    #[test]
    fn who_is_ahead_comes_before_who_is_nearer_beside_or_behind() {
        assert_eq!(remoteness(dvec2(60.0, 0.0)), 30.0, "0.5 * 60");
        assert_eq!(remoteness(dvec2(0.0, -31.0)), 31.0);
        assert_eq!(remoteness(dvec2(-22.0, 0.0)), 33.0, "1.5 * 22");
        assert_eq!(remoteness(dvec2(6.0, 4.0)), 5.0, "sides of 3 and 4");
        let mut agents = vec![
            straight("ahead", 60.0, 0..101),
            straight("behind", -22.0, 0..101),
            straight("ego", 0.0, 0..101),
        ];
        Arc::make_mut(&mut agents[2]).role = Role::Ego;
        let seen = |foresight: bool| {
            let options = Options {
                max_agents: 2,
                foresight,
                ..Options::default()
            };
            Window::new(&scene(agents.clone()), &options).rows[1]
                .id
                .to_string()
        };
        assert_eq!(
            (seen(false), seen(true)),
            ("behind".to_owned(), "ahead".to_owned())
        );
    }
}
