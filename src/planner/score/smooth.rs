//! Savitzky-Golay filters: local polynomials by least squares.

/// Values, or derivatives of them, of a polynomial of `order` fitted to the `window` samples around each sample
/// (Savitzky and Golay, 1964). As SciPy's `savgol_filter` with `mode="interp"`: an even window lies half a step
/// ahead and is read at its middle; near both ends the polynomial of the outermost full window is read off. A window
/// longer than the series shrinks to it; then `order` shrinks below it.
pub(super) fn savitzky_golay(
    values: &[f64],
    window: usize,
    order: usize,
    derivative: usize,
    step_s: f64,
) -> Vec<f64> {
    let count = values.len();
    let window = window.min(count);
    if window == 0 {
        return Vec::new();
    }
    let order = order.min(window - 1);
    let half = window / 2;
    let even = window.is_multiple_of(2);
    let before = if even { half - 1 } else { half };
    let scale = step_s.powi(derivative as i32);
    let middle = (window - 1) as f64 / 2.0;
    let mut held: Option<(usize, Vec<f64>)> = None;
    (0..count)
        .map(|at| {
            let inner = at >= half && at + half < count;
            let start = if inner {
                at - before
            } else if at < half {
                0
            } else {
                count - window
            };
            let place = if inner {
                0.0
            } else {
                (at - start) as f64 - middle
            };
            // near the ends neighbours share a window
            if held.as_ref().is_none_or(|(of, _)| *of != start) {
                held = Some((start, fitted(&values[start..start + window], order)));
            }
            let coefficients = held
                .as_ref()
                .map_or(&[][..], |(_, coefficients)| coefficients);
            derived(coefficients, place, derivative) / scale
        })
        .collect()
}

/// The `derivative`-th derivative at `place` of the polynomial with `coefficients`, lowest first.
fn derived(coefficients: &[f64], place: f64, derivative: usize) -> f64 {
    let terms = coefficients.iter().enumerate().skip(derivative);
    terms.fold(0.0, |sum, (power, coefficient)| {
        let left = power - derivative;
        let fallen: f64 = (left + 1..=power).map(|k| k as f64).product();
        sum + fallen * coefficient * place.powi(left as i32)
    })
}

/// The coefficients, lowest first, of the least-squares polynomial through `values` one apart, 0 being at their middle.
fn fitted(values: &[f64], order: usize) -> Vec<f64> {
    let size = order + 1;
    let middle = (values.len() - 1) as f64 / 2.0;
    let mut matrix = vec![vec![0.0; size + 1]; size];
    for (index, &value) in values.iter().enumerate() {
        let offset = index as f64 - middle;
        for (row, line) in matrix.iter_mut().enumerate() {
            for (column, cell) in line.iter_mut().take(size).enumerate() {
                *cell += offset.powi((row + column) as i32);
            }
            line[size] += offset.powi(row as i32) * value;
        }
    }
    for pivot in 0..size {
        let rows = pivot..size;
        let best = rows
            .max_by(|&a, &b| matrix[a][pivot].abs().total_cmp(&matrix[b][pivot].abs()))
            .unwrap_or(pivot);
        matrix.swap(pivot, best);
        let top = matrix[pivot].clone();
        for (row, line) in matrix.iter_mut().enumerate() {
            if row == pivot {
                continue;
            }
            let factor = line[pivot] / top[pivot];
            for (cell, &above) in line.iter_mut().zip(&top) {
                *cell -= factor * above;
            }
        }
    }
    let solved = matrix.iter().enumerate();
    solved.map(|(row, line)| line[size] / line[row]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polynomial_of_the_filters_order_comes_out_as_it_went_in() {
        // x = 1 + 2 t − 3 t²; x' = 2 − 6 t; read at half a step ahead where the window is even
        let of = |t: f64| 1.0 + 2.0 * t - 3.0 * t * t;
        let values: Vec<f64> = (0..41).map(|index| of(0.1 * f64::from(index))).collect();
        let smoothed = savitzky_golay(&values, 8, 2, 0, 0.1);
        let slopes = savitzky_golay(&values, 15, 2, 1, 0.1);
        for index in 0..41 {
            let t = 0.1 * f64::from(index);
            let inner = (4..37).contains(&index);
            let expected = of(if inner { t + 0.05 } else { t });
            assert!(
                (smoothed[index as usize] - expected).abs() < 1e-9,
                "{index}"
            );
            assert!(
                (slopes[index as usize] - (2.0 - 6.0 * t)).abs() < 1e-8,
                "{index}"
            );
        }
    }

    #[test]
    fn the_five_point_quadratic_has_the_published_weights() {
        // Savitzky and Golay, Table I: (−3, 12, 17, 12, −3) / 35
        for (place, weight) in [-3.0, 12.0, 17.0, 12.0, -3.0].into_iter().enumerate() {
            let mut values = [0.0; 5];
            values[place] = 1.0;
            let found = savitzky_golay(&values, 5, 2, 0, 1.0)[2];
            assert!((found - weight / 35.0).abs() < 1e-12);
        }
    }

    #[test]
    fn short_series_are_smoothed_over_their_length() {
        assert!(savitzky_golay(&[], 8, 2, 0, 0.1).is_empty());
        assert_eq!(savitzky_golay(&[3.0], 8, 2, 0, 0.1), [3.0]);
        assert_eq!(savitzky_golay(&[3.0], 8, 2, 1, 0.1), [0.0]);
    }
}
