//! A part of a scene in time, of which everything that is said still holds.

use super::run::found_of;
use crate::codec::{DT_S, NOW};
use crate::scene::Scene;

/// The part of `scene` from `start_s` for `length_s` seconds ([`Scene::window`]), with its present at `present_s` seconds of
/// the part; where the scene's was, if absent. What was found of a complete result is found anew, in the times of the
/// part; a result whose present moves, or of whose 2 s of history some is cut away, is a scene without a recipe.
pub fn cut(scene: &Scene, start_s: f64, length_s: f64, present_s: Option<f64>) -> Scene {
    let mut part = scene.window(start_s, length_s);
    if let Some(present_s) = present_s {
        part.now = (part.frame_at(present_s).round() as usize).min(part.frames - 1);
    }
    let Some(made) = part.generated.clone() else {
        return part;
    };
    let first = scene.frame_at(start_s).max(0.0).round() as usize;
    let history = (NOW as f64 * DT_S / scene.dt_s).ceil() as usize;
    if part.now + first != scene.now || first > scene.now.saturating_sub(history) {
        part.generated = None;
    } else if made.complete && !scene.is_edited_since_made() {
        found_of(&mut part, (*made).clone());
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_without_a_recipe_is_the_window_with_its_present() {
        let scene = Scene {
            dt_s: 0.1,
            frames: 121,
            now: 20,
            ..Scene::default()
        };
        let part = cut(&scene, 1.0, 9.0, None);
        assert_eq!((part.frames, part.now), (91, 10));
        assert_eq!(cut(&scene, 1.0, 9.0, Some(3.0)).now, 30);
        // past its end the last frame
        assert_eq!(cut(&scene, 1.0, 2.0, Some(9.0)).now, 20);
    }
}
