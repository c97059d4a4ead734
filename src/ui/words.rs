//! Room for words on the map: what is written over a pane keeps clear of what stands there already.

use egui::Context;
use egui::Painter;
use egui::Rect;
use egui::vec2;

/// Places of words that were written in a pass over the window.
#[derive(Clone, Default)]
struct Taken {
    pass: u64,
    places: Vec<Rect>,
}

/// Notes that words stand at `place` in this pass.
pub(super) fn take(context: &Context, place: Rect) {
    let pass = context.cumulative_pass_nr();
    context.data_mut(|data| {
        let taken: &mut Taken = data.get_temp_mut_or_default(super::widgets::id("taken places"));
        if taken.pass != pass {
            *taken = Taken {
                pass,
                places: Vec::new(),
            };
        }
        taken.places.push(place);
    });
}

/// Where words that want to stand at `place` are written: there, or above or below it, wherever nothing else stands and
/// the pane has room; there in any case if all is full. The place is noted as taken.
pub(super) fn free_place(painter: &Painter, place: Rect) -> Rect {
    let context = painter.ctx();
    let pass = context.cumulative_pass_nr();
    let id = super::widgets::id("taken places");
    let taken: Taken = context.data(|data| data.get_temp(id).unwrap_or_default());
    let taken = if taken.pass == pass {
        taken.places
    } else {
        Vec::new()
    };
    let found = clear_of(place, painter.clip_rect(), &taken);
    take(context, found);
    found
}

fn clear_of(place: Rect, pane: Rect, taken: &[Rect]) -> Rect {
    if !pane.intersects(place) {
        return place; // what it belongs to is out of sight
    }
    // words at the rim stand within the pane, as long as what they belong to does
    let across = match pane.width() > place.width() {
        true => {
            place
                .left()
                .clamp(pane.left(), pane.right() - place.width())
                - place.left()
        }
        false => 0.0,
    };
    let wanted = place.translate(vec2(across, 0.0));
    let line = place.height() + 1.0;
    let shifts = [0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0];
    let mut places = shifts
        .iter()
        .map(|lines| wanted.translate(vec2(0.0, lines * line)));
    let is_free = |place: &Rect| {
        let inside = place.top() >= pane.top() && place.bottom() <= pane.bottom();
        inside
            && !taken
                .iter()
                .any(|other| other.shrink(0.5).intersects(*place))
    };
    places.find(is_free).unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::pos2;

    #[test]
    fn words_give_way_up_or_down_and_stay_in_the_pane() {
        let pane = Rect::from_min_max(pos2(0.0, 0.0), pos2(200.0, 100.0));
        let word = |x: f32, y: f32| Rect::from_min_size(pos2(x, y), vec2(40.0, 12.0));
        assert_eq!(clear_of(word(50.0, 40.0), pane, &[]), word(50.0, 40.0));
        let taken = [word(60.0, 42.0)];
        assert_eq!(clear_of(word(50.0, 40.0), pane, &taken).top(), 27.0); // below it would touch 42 to 54: 53
        assert_eq!(clear_of(word(180.0, 40.0), pane, &taken).right(), 200.0);
        assert_eq!(clear_of(word(210.0, 40.0), pane, &[]), word(210.0, 40.0)); // out of sight
        let full: Vec<Rect> = (0..9).map(|line| word(50.0, 12.0 * line as f32)).collect();
        assert_eq!(clear_of(word(50.0, 40.0), pane, &full), word(50.0, 40.0));
    }
}
