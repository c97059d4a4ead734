//! Words that would stand on each other.

/// Between words that are moved apart, points.
const GAP: f32 = 1.0;

/// How far down each text of a view moves, points: whoever gives way stands clear of the others, one or two lines above or
/// below its place, if there is room; nobody else moves. `texts` are left, top, width and height of each in points, with
/// whether it gives way; earlier ones keep their places before later ones.
pub fn clear_shifts(texts: &[([f32; 4], bool)]) -> Vec<f32> {
    let is_clear = |placed: &[[f32; 4]], [left, top, width, height]: [f32; 4]| {
        placed.iter().all(|[l, t, w, h]| {
            left >= l + w || left + width <= *l || top >= t + h || top + height <= *t
        })
    };
    let mut placed: Vec<[f32; 4]> = texts
        .iter()
        .filter(|(_, gives_way)| !gives_way)
        .map(|(text, _)| *text)
        .collect();
    let place = |&([left, top, width, height], gives_way): &([f32; 4], bool)| {
        if !gives_way {
            return 0.0;
        }
        let line = height + GAP;
        let shifts = [0.0, -line, line, -2.0 * line, 2.0 * line];
        let free = shifts
            .into_iter()
            .find(|shift| is_clear(&placed, [left, top + shift, width, height]));
        let shift = free.unwrap_or(0.0);
        placed.push([left, top + shift, width, height]);
        shift
    };
    texts.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gives_way_moves_a_line_and_names_stay() {
        let name = ([10.0, 10.0, 30.0, 12.0], false);
        let time = ([20.0, 12.0, 30.0, 10.0], true);
        // a line up its foot is at 11, still in the name; a line down it begins at 23, below the name's foot at 22
        assert_eq!(clear_shifts(&[time, name]), [11.0, 0.0]);
        let far = ([60.0, 12.0, 30.0, 10.0], true);
        assert_eq!(clear_shifts(&[name, far]), [0.0, 0.0]);
        // two in one place: the later one moves
        assert_eq!(clear_shifts(&[far, far]), [0.0, -11.0]);
    }
}
