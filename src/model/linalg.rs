//! Dense products on slices: the one place that calls `gemm`, and the linear layer on top of it.
//!
//! Products run on the calling thread; callers spread blocks of rows over threads, so results do not depend on how
//! many threads there are.

/// Numbers laid out with two strides.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// The numbers.
    pub(super) data: &'a [f32],
    /// Distance between rows.
    pub(super) row: usize,
    /// Distance between columns.
    pub(super) column: usize,
}

impl<'a> View<'a> {
    /// Rows of `width` numbers, one after another.
    pub(super) fn rows(data: &'a [f32], width: usize) -> Self {
        Self {
            data,
            row: width,
            column: 1,
        }
    }
}

/// Where a product goes.
pub(super) struct Target<'a> {
    /// The numbers.
    pub(super) data: &'a mut [f32],
    /// Distance between rows.
    pub(super) row: usize,
    /// Distance between columns.
    pub(super) column: usize,
}

/// `target` [m, n] = `left` [m, k] · `right` [k, n], added to what is there if `add`.
///
/// # Panics
///
/// If a view is too short for its part.
pub(super) fn product(
    [m, n, k]: [usize; 3],
    target: Target<'_>,
    left: View<'_>,
    right: View<'_>,
    add: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    let reaches = |rows: usize, columns: usize, row: usize, column: usize| {
        rows.saturating_sub(1) * row + columns.saturating_sub(1) * column + 1
    };
    assert!(target.data.len() >= reaches(m, n, target.row, target.column));
    assert!(k == 0 || left.data.len() >= reaches(m, k, left.row, left.column));
    assert!(k == 0 || right.data.len() >= reaches(k, n, right.row, right.column));
    #[expect(
        unsafe_code,
        reason = "gemm takes pointers; the assertions above keep every index inside its slice"
    )]
    // SAFETY: all of [m, n, k] with these strides lies inside the three slices, and `target` is borrowed mutably.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            target.data.as_mut_ptr(),
            target.column as isize,
            target.row as isize,
            add,
            left.data.as_ptr(),
            left.column as isize,
            left.row as isize,
            right.data.as_ptr(),
            right.column as isize,
            right.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// x · W + b on rows.
#[derive(Debug, Clone)]
pub(super) struct Dense {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// [inputs, outputs]
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Dense {
    /// From a weight as PyTorch stores it, [outputs, inputs].
    pub(super) fn new(outputs: usize, inputs: usize, weight: &[f32], bias: &[f32]) -> Self {
        let mut turned = vec![0.0; inputs * outputs];
        for output in 0..outputs {
            for input in 0..inputs {
                turned[input * outputs + output] = weight[output * inputs + input];
            }
        }
        Self {
            inputs,
            outputs,
            weight: turned,
            bias: bias.to_vec(),
        }
    }

    /// Rows `x` [R, inputs] to `out` [R, outputs] without the bias.
    pub(super) fn product(&self, x: &[f32], out: &mut [f32]) {
        self.multiply(x, out, false);
    }

    /// Rows `x` [R, inputs] to `out` [R, outputs].
    pub(super) fn apply(&self, x: &[f32], out: &mut [f32]) {
        for row in out.chunks_exact_mut(self.outputs) {
            row.copy_from_slice(&self.bias);
        }
        self.multiply(x, out, true);
    }

    /// Adds the layer's output for rows `x` to `out`.
    pub(super) fn add(&self, x: &[f32], out: &mut [f32]) {
        for row in out.chunks_exact_mut(self.outputs) {
            for (value, bias) in row.iter_mut().zip(&self.bias) {
                *value += bias;
            }
        }
        self.multiply(x, out, true);
    }

    fn multiply(&self, x: &[f32], out: &mut [f32], add: bool) {
        let rows = out.len() / self.outputs;
        let target = Target {
            data: out,
            row: self.outputs,
            column: 1,
        };
        product(
            [rows, self.outputs, self.inputs],
            target,
            View::rows(x, self.inputs),
            View::rows(&self.weight, self.outputs),
            add,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dense_layer_multiplies_rows_and_adds_its_bias() {
        // W = [[1, 2], [3, 4], [5, 6]] (3 outputs, 2 inputs), b = [10, 20, 30], x = [1, -1]
        let layer = Dense::new(3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[10.0, 20.0, 30.0]);
        let mut out = vec![1.0; 3];
        layer.apply(&[1.0, -1.0], &mut out);
        assert_eq!(out, [9.0, 19.0, 29.0]);
        layer.add(&[1.0, -1.0], &mut out);
        assert_eq!(out, [18.0, 38.0, 58.0]);
    }
}
