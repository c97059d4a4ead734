//! Vectorised elementwise kernels: GELU, normalisation with modulation, softmax, small products.
//!
//! Written once over `pulp::Simd` and dispatched at run time to AVX-512, AVX2 or plain code.

use pulp::{Simd, WithSimd};

/// Runs an operation with the widest instructions this machine has.
#[inline]
pub(super) fn dispatch<Op: WithSimd>(operation: Op) -> Op::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V4::try_new() {
            return Simd::vectorize(simd, operation);
        }
        if let Some(simd) = pulp::x86::V3::try_new() {
            return Simd::vectorize(simd, operation);
        }
    }
    pulp::Arch::new().dispatch(operation)
}

/// e^x to about 2e-7 relative; x is clamped to [−87, 88].
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let constant = |value: f32| simd.splat_f32s(value);
    let x = simd.min_f32s(simd.max_f32s(x, constant(-87.0)), constant(88.0));
    // adding 1.5 · 2^23 rounds to an integer and leaves it in the low bits
    let magic = constant(12_582_912.0);
    let shifted = simd.mul_add_e_f32s(x, constant(std::f32::consts::LOG2_E), magic);
    let whole = simd.sub_f32s(shifted, magic);
    let rest = simd.mul_add_e_f32s(whole, constant(-0.693_359_4), x);
    let rest = simd.mul_add_e_f32s(whole, constant(2.121_944_4e-4), rest);
    // Cephes' expf: 1 + r + r² P(r) on |r| <= ln 2 / 2
    let mut series = constant(1.987_569_2e-4);
    for term in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_6e-1,
        0.5,
    ] {
        series = simd.mul_add_e_f32s(series, rest, constant(term));
    }
    let squared = simd.mul_f32s(rest, rest);
    let series = simd.add_f32s(simd.mul_add_e_f32s(series, squared, rest), constant(1.0));
    let exponent =
        simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(series), exponent))
}

/// Natural logarithm of a positive normal number, to about 2e-7.
#[inline(always)]
pub(super) fn ln<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let constant = |value: f32| simd.splat_f32s(value);
    // x = m · 2^e with m in [√½, √2): shift the bits so that √½'s mantissa begins an octave
    let bits = simd.transmute_u32s_f32s(x);
    let offset = simd.splat_u32s(0x3f35_04f3);
    let moved = simd.sub_u32s(bits, offset);
    // exponents below 0 wrap: add 2^8 octaves first, take them off as a number
    let lifted = simd.add_u32s(moved, simd.splat_u32s(0x4000_0000));
    let octave = simd.wrapping_dyn_shr_u32s(lifted, simd.splat_u32s(23));
    let octave_number = simd.sub_f32s(
        simd.transmute_f32s_u32s(simd.add_u32s(octave, simd.splat_u32s(0x4b00_0000))),
        constant(8_388_608.0 + 128.0),
    );
    let mantissa = simd.add_u32s(simd.and_u32s(moved, simd.splat_u32s(0x007f_ffff)), offset);
    let t = simd.sub_f32s(simd.transmute_f32s_u32s(mantissa), constant(1.0));
    // Cephes' logf
    let mut series = constant(7.037_683_6e-2);
    for term in [
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ] {
        series = simd.mul_add_e_f32s(series, t, constant(term));
    }
    let squared = simd.mul_f32s(t, t);
    let cubic = simd.mul_f32s(simd.mul_f32s(series, squared), t);
    let cubic = simd.mul_add_e_f32s(octave_number, constant(-2.121_944_4e-4), cubic);
    let result = simd.mul_add_e_f32s(squared, constant(-0.5), cubic);
    simd.mul_add_e_f32s(
        octave_number,
        constant(0.693_359_4),
        simd.add_f32s(t, result),
    )
}

/// asinh(x) = sign(x) ln(|x| + √(x² + 1)), to about 2e-7 absolute.
#[inline(always)]
pub(super) fn asinh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let size = simd.abs_f32s(x);
    let root = simd.sqrt_f32s(simd.mul_add_e_f32s(x, x, simd.splat_f32s(1.0)));
    let value = ln(simd, simd.add_f32s(size, root));
    let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
    simd.select_f32s(negative, simd.neg_f32s(value), value)
}

/// x · ½ (1 + erf(x / √2)), exact GELU to about 3e-7.
#[inline(always)]
fn gelu_of<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let constant = |value: f32| simd.splat_f32s(value);
    let z = simd.mul_f32s(x, constant(std::f32::consts::FRAC_1_SQRT_2));
    // rational erf on [−4, 4] (Eigen's generic_fast_erf), odd over even
    let z = simd.min_f32s(simd.max_f32s(z, constant(-4.0)), constant(4.0));
    let squared = simd.mul_f32s(z, z);
    let mut above = constant(-2.726_142_3e-10);
    for term in [
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ] {
        above = simd.mul_add_e_f32s(above, squared, constant(term));
    }
    let mut below = constant(-1.456_607_2e-5);
    for term in [
        -2.133_740_6e-4,
        -1.682_827e-3,
        -7.373_329e-3,
        -1.426_473_9e-2,
    ] {
        below = simd.mul_add_e_f32s(below, squared, constant(term));
    }
    let erf = simd.div_f32s(simd.mul_f32s(z, above), below);
    let half = simd.mul_f32s(x, constant(0.5));
    simd.mul_add_e_f32s(half, erf, half)
}

/// Adds `bias` to every row of `values` and takes exact GELU.
pub(super) fn gelu_rows(values: &mut [f32], bias: &[f32]) {
    struct Op<'a>(&'a mut [f32], &'a [f32]);
    impl WithSimd for Op<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Op(values, bias) = self;
            for row in values.chunks_exact_mut(bias.len()) {
                let (head, tail) = S::as_mut_simd_f32s(row);
                let (bias_head, bias_tail) = S::as_simd_f32s(bias);
                for (value, bias) in head.iter_mut().zip(bias_head) {
                    *value = gelu_of(simd, simd.add_f32s(*value, *bias));
                }
                if !tail.is_empty() {
                    let sum = simd.add_f32s(
                        simd.partial_load_f32s(tail),
                        simd.partial_load_f32s(bias_tail),
                    );
                    simd.partial_store_f32s(tail, gelu_of(simd, sum));
                }
            }
        }
    }
    dispatch(Op(values, bias));
}

/// What follows a normalised row.
#[derive(Clone, Copy)]
pub(super) enum Modulation<'a> {
    /// Nothing.
    None,
    /// One gain and one offset for all rows: a LayerNorm with weights.
    Shared(&'a [f32], &'a [f32]),
    /// AdaLN: rows of a table by index; in each, the gain less one at `.2`, the offset right behind it.
    Table(&'a [f32], &'a [u8], usize),
}

/// LayerNorm (eps 1e-5) of every row of `width` numbers, then times gain plus offset.
pub(super) fn normalise_rows(
    rows: &[f32],
    out: &mut [f32],
    width: usize,
    modulation: Modulation<'_>,
) {
    struct Op<'a> {
        rows: &'a [f32],
        out: &'a mut [f32],
        width: usize,
        modulation: Modulation<'a>,
    }
    impl WithSimd for Op<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let width = self.width;
            let table_width = 4 * width;
            let pairs = self
                .rows
                .chunks_exact(width)
                .zip(self.out.chunks_exact_mut(width));
            for (index, (row, out)) in pairs.enumerate() {
                let (mean, inverse) = moments(simd, row);
                let (mean, inverse) = (simd.splat_f32s(mean), simd.splat_f32s(inverse));
                let (x, _) = S::as_simd_f32s(row);
                let (y, _) = S::as_mut_simd_f32s(out);
                match self.modulation {
                    Modulation::None => {
                        for (y, x) in y.iter_mut().zip(x) {
                            *y = simd.mul_f32s(simd.sub_f32s(*x, mean), inverse);
                        }
                    }
                    Modulation::Shared(gain, offset) => {
                        let ((gain, _), (offset, _)) =
                            (S::as_simd_f32s(gain), S::as_simd_f32s(offset));
                        for (y, ((x, gain), offset)) in
                            y.iter_mut().zip(x.iter().zip(gain).zip(offset))
                        {
                            let z = simd.mul_f32s(simd.sub_f32s(*x, mean), inverse);
                            *y = simd.mul_add_e_f32s(z, *gain, *offset);
                        }
                    }
                    Modulation::Table(table, rows, at) => {
                        let from = usize::from(rows[index]) * table_width + at;
                        let (gain, _) = S::as_simd_f32s(&table[from..from + width]);
                        let (offset, _) = S::as_simd_f32s(&table[from + width..from + 2 * width]);
                        for (y, ((x, gain), offset)) in
                            y.iter_mut().zip(x.iter().zip(gain).zip(offset))
                        {
                            let z = simd.mul_f32s(simd.sub_f32s(*x, mean), inverse);
                            *y = simd.add_f32s(simd.mul_add_e_f32s(z, *gain, z), *offset);
                        }
                    }
                }
            }
        }
    }
    assert!(width.is_multiple_of(16), "rows of a multiple of 16 numbers");
    dispatch(Op {
        rows,
        out,
        width,
        modulation,
    });
}

/// Mean and 1 / √(variance + 1e-5) of a row whose length is a multiple of the lanes.
#[inline(always)]
fn moments<S: Simd>(simd: S, row: &[f32]) -> (f32, f32) {
    let (x, _) = S::as_simd_f32s(row);
    let count = row.len() as f32;
    let mut sum = simd.splat_f32s(0.0);
    for x in x {
        sum = simd.add_f32s(sum, *x);
    }
    let mean = simd.reduce_sum_f32s(sum) / count;
    let centre = simd.splat_f32s(mean);
    let mut squares = simd.splat_f32s(0.0);
    for x in x {
        let gap = simd.sub_f32s(*x, centre);
        squares = simd.mul_add_e_f32s(gap, gap, squares);
    }
    let variance = simd.reduce_sum_f32s(squares) / count;
    (mean, 1.0 / (variance + 1e-5).sqrt())
}

/// Softmax of `row` + `bias` + `mask` in place over its first `count` entries; the rest become 0.
#[inline(always)]
pub(super) fn softmax<S: Simd>(simd: S, row: &mut [f32], bias: &[f32], mask: &[f32]) {
    let (x, _) = S::as_mut_simd_f32s(row);
    let ((bias, _), (mask, _)) = (S::as_simd_f32s(bias), S::as_simd_f32s(mask));
    let mut most = simd.splat_f32s(f32::MIN);
    for (x, (bias, mask)) in x.iter_mut().zip(bias.iter().zip(mask)) {
        *x = simd.add_f32s(simd.add_f32s(*x, *bias), *mask);
        most = simd.max_f32s(most, *x);
    }
    let most = simd.splat_f32s(simd.reduce_max_f32s(most));
    let mut sum = simd.splat_f32s(0.0);
    for x in x.iter_mut() {
        *x = exp(simd, simd.sub_f32s(*x, most));
        sum = simd.add_f32s(sum, *x);
    }
    let inverse = simd.splat_f32s(1.0 / simd.reduce_sum_f32s(sum));
    for x in x.iter_mut() {
        *x = simd.mul_f32s(*x, inverse);
    }
}

/// A matrix inside a slice: where it starts and how far apart its rows are.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) data: &'a [f32],
    pub(super) start: usize,
    pub(super) stride: usize,
}

/// `out` [m, n] = `left` [m, k] · `right` [k, n] for small products on the calling thread; n a multiple of 16, rows of
/// `right` and `out` contiguous. Rows of `out` are `out_stride` apart from `out_start`.
#[inline(always)]
pub(super) fn small_product<S: Simd>(
    simd: S,
    [m, n, k]: [usize; 3],
    (out, out_start, out_stride): (&mut [f32], usize, usize),
    left: Block<'_>,
    right: Block<'_>,
) {
    let lanes = S::F32_LANES;
    let mut row = 0;
    while row < m {
        let rows = (m - row).min(4);
        let mut column = 0;
        while column < n {
            let wide = column + 2 * lanes <= n;
            let zero = simd.splat_f32s(0.0);
            let mut sums = [[zero; 2]; 4];
            // rows beyond the last repeat it: their sums are not stored
            let starts: [usize; 4] = std::array::from_fn(|offset| {
                left.start + (row + offset.min(rows - 1)) * left.stride
            });
            let lefts = starts.map(|start| &left.data[start..start + k]);
            for inner in 0..k {
                let from = right.start + inner * right.stride + column;
                let (loaded, _) = S::as_simd_f32s(&right.data[from..from + lanes]);
                let first = loaded[0];
                let second = if wide {
                    let (loaded, _) = S::as_simd_f32s(&right.data[from + lanes..from + 2 * lanes]);
                    loaded[0]
                } else {
                    zero
                };
                for (sum, left) in sums.iter_mut().zip(&lefts) {
                    let factor = simd.splat_f32s(left[inner]);
                    sum[0] = simd.mul_add_e_f32s(factor, first, sum[0]);
                    sum[1] = simd.mul_add_e_f32s(factor, second, sum[1]);
                }
            }
            for (offset, sum) in sums.iter().enumerate().take(rows) {
                let to = out_start + (row + offset) * out_stride + column;
                let (stored, _) = S::as_mut_simd_f32s(&mut out[to..to + lanes]);
                stored[0] = sum[0];
                if wide {
                    let (stored, _) = S::as_mut_simd_f32s(&mut out[to + lanes..to + 2 * lanes]);
                    stored[0] = sum[1];
                }
            }
            column += if wide { 2 * lanes } else { lanes };
        }
        row += rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies one of the vector functions to a list padded to 16.
    macro_rules! mapped {
        ($function:ident, $values:expr) => {{
            struct Op(Vec<f32>);
            impl WithSimd for Op {
                type Output = Vec<f32>;
                #[inline(always)]
                fn with_simd<S: Simd>(mut self, simd: S) -> Vec<f32> {
                    let (head, _) = S::as_mut_simd_f32s(&mut self.0);
                    for x in head {
                        *x = $function(simd, *x);
                    }
                    self.0
                }
            }
            dispatch(Op($values))
        }};
    }

    fn grid(low: f64, high: f64) -> Vec<f32> {
        (0..16_000)
            .map(|at| (low + (high - low) * f64::from(at) / 15_999.0) as f32)
            .collect()
    }

    #[test]
    fn exp_agrees_with_the_library_to_three_ten_millionths() {
        let x = grid(-80.0, 80.0);
        for (x, y) in x.iter().zip(mapped!(exp, x.clone())) {
            let expected = f64::from(*x).exp();
            let error = (f64::from(y) - expected).abs() / expected;
            assert!(error < 3e-7, "exp({x}): {error}");
        }
    }

    #[test]
    fn ln_and_asinh_agree_with_the_library() {
        let x: Vec<f32> = grid(-60.0, 60.0).iter().map(|x| x.exp()).collect();
        for (x, y) in x.iter().zip(mapped!(ln, x.clone())) {
            let expected = f64::from(*x).ln();
            let error = (f64::from(y) - expected).abs();
            assert!(error < 1e-7 + 2e-7 * expected.abs(), "ln({x}): {error}");
        }
        let x = grid(-300.0, 300.0);
        for (x, y) in x.iter().zip(mapped!(asinh, x.clone())) {
            let error = (f64::from(y) - f64::from(*x).asinh()).abs();
            assert!(error < 1e-6, "asinh({x}): {error}");
        }
    }

    /// erf by its Taylor series in f64: enough terms for |x| <= 4.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..120 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn gelu_agrees_with_the_error_function_to_a_millionth() {
        let x = grid(-5.6, 5.6);
        for (x, y) in x.iter().zip(mapped!(gelu_of, x.clone())) {
            let exact = f64::from(*x);
            let expected = 0.5 * exact * (1.0 + erf(exact / 2.0_f64.sqrt()));
            assert!(
                (f64::from(y) - expected).abs() < 1e-6,
                "gelu({x}) = {y}, {expected}"
            );
        }
    }

    #[test]
    fn a_row_of_two_values_is_normalised_to_plus_and_minus_one() {
        let row: Vec<f32> = (0..32).map(|at| if at < 16 { 3.0 } else { 7.0 }).collect();
        let mut out = vec![0.0; 32];
        normalise_rows(&row, &mut out, 32, Modulation::None);
        // mean 5, variance 4: (3 − 5) / √(4 + 1e-5)
        assert!((out[0] + 1.0).abs() < 1e-5 && (out[31] - 1.0).abs() < 1e-5);
        let mut table = vec![0.0; 2 * 128];
        table[128..160].fill(0.5); // row 1: gain 1.5
        table[160..192].fill(2.0); // and offset 2
        normalise_rows(&row, &mut out, 32, Modulation::Table(&table, &[1], 0));
        assert!((out[0] - 0.5).abs() < 1e-5 && (out[31] - 3.5).abs() < 1e-5);
    }

    #[test]
    fn small_products_of_any_row_count_agree_with_the_definition() {
        struct Op<'a>([usize; 3], &'a mut [f32], &'a [f32], &'a [f32]);
        impl WithSimd for Op<'_> {
            type Output = ();
            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let [_, n, k] = self.0;
                let block = |data, stride| Block {
                    data,
                    start: 0,
                    stride,
                };
                small_product(
                    simd,
                    self.0,
                    (self.1, 0, n),
                    block(self.2, k),
                    block(self.3, n),
                );
            }
        }
        for m in 1..10 {
            for n in [16, 32, 48] {
                let k = 7;
                let left: Vec<f32> = (0..m * k).map(|at| (at % 5) as f32 - 2.0).collect();
                let right: Vec<f32> = (0..k * n).map(|at| (at % 7) as f32 - 3.0).collect();
                let mut out = vec![0.0; m * n];
                dispatch(Op([m, n, k], &mut out, &left, &right));
                for row in 0..m {
                    for column in 0..n {
                        let expected: f32 = (0..k)
                            .map(|i| left[row * k + i] * right[i * n + column])
                            .sum();
                        assert_eq!(out[row * n + column], expected);
                    }
                }
            }
        }
    }
}
