//! Softmax attention of one agent's tokens, or of all agents at one token, on vectors.

use pulp::{Simd, WithSimd};

use super::kernels::{Block, small_product, softmax};
use super::reference::RELATION_WIDTH;

/// Attention with `heads` heads of `width / heads` numbers. Queries come scaled.
pub(super) struct Attend<'a> {
    pub(super) heads: usize,
    pub(super) width: usize,
    /// Number of queries.
    pub(super) queries: usize,
    /// Number of keys.
    pub(super) keys: usize,
    /// Keys padded to a multiple of 16.
    pub(super) columns: usize,
    /// Rows of queries, and how far apart they are.
    pub(super) query: (&'a [f32], usize),
    /// Keys turned: one row per number of the width, `columns` keys in each, and how far apart the rows are.
    pub(super) key: (&'a [f32], usize),
    /// Rows of values, and how far apart they are.
    pub(super) value: (&'a [f32], usize),
    /// [heads, queries, columns], added to the logits.
    pub(super) bias: Option<&'a [f32]>,
    /// [columns], added to the logits of every query; very negative on padding.
    pub(super) mask: &'a [f32],
    /// [queries, width] for [`Attend`] alone.
    pub(super) out: &'a mut [f32],
}

impl Attend<'_> {
    /// Softmax weights of one head, [queries, columns].
    #[inline(always)]
    fn weights<S: Simd>(&self, simd: S, head: usize, zeros: &[f32], weights: &mut [f32]) {
        let each = self.width / self.heads;
        let shape = [self.queries, self.columns, each];
        let query = Block {
            data: self.query.0,
            start: head * each,
            stride: self.query.1,
        };
        let key = Block {
            data: self.key.0,
            start: head * each * self.key.1,
            stride: self.key.1,
        };
        small_product(simd, shape, (&mut *weights, 0, self.columns), query, key);
        for (index, row) in weights.chunks_exact_mut(self.columns).enumerate() {
            let bias = match self.bias {
                Some(bias) => {
                    let from = (head * self.queries + index) * self.columns;
                    &bias[from..from + self.columns]
                }
                None => zeros,
            };
            softmax(simd, row, bias, self.mask);
        }
    }

    #[inline(always)]
    fn values<S: Simd>(&mut self, simd: S, head: usize, weights: &[f32], out_stride: usize) {
        let each = self.width / self.heads;
        let weights = Block {
            data: weights,
            start: 0,
            stride: self.columns,
        };
        let value = Block {
            data: self.value.0,
            start: head * each,
            stride: self.value.1,
        };
        let out = (&mut *self.out, head * each, out_stride);
        small_product(simd, [self.queries, each, self.keys], out, weights, value);
    }
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let zeros = vec![0.0; self.columns];
        let mut weights = vec![0.0; self.queries * self.columns];
        for head in 0..self.heads {
            self.weights(simd, head, &zeros, &mut weights);
            let stride = self.width;
            self.values(simd, head, &weights, stride);
        }
    }
}

/// Attention between agents at one token: beside the values, each head also gathers the encoded relations.
pub(super) struct RelatedAttend<'a> {
    /// Its `out` is [A, out_stride]: values first, then heads · 32 seen relations.
    pub(super) attend: Attend<'a>,
    /// Numbers per row of `out`.
    pub(super) out_stride: usize,
    /// [A, columns, 32]
    pub(super) relations: &'a [f32],
}

impl WithSimd for RelatedAttend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            mut attend,
            out_stride,
            relations,
        } = self;
        let zeros = vec![0.0; attend.columns];
        let plane = attend.queries * attend.columns;
        let mut weights = vec![0.0; attend.heads * plane];
        for (head, weights) in weights.chunks_exact_mut(plane).enumerate() {
            attend.weights(simd, head, &zeros, weights);
            attend.values(simd, head, weights, out_stride);
        }
        for query in 0..attend.queries {
            let weights = Block {
                data: &weights,
                start: query * attend.columns,
                stride: plane,
            };
            let relation = Block {
                data: relations,
                start: query * attend.columns * RELATION_WIDTH,
                stride: RELATION_WIDTH,
            };
            let to = query * out_stride + attend.width;
            let out = (&mut *attend.out, to, RELATION_WIDTH);
            small_product(
                simd,
                [attend.heads, RELATION_WIDTH, attend.keys],
                out,
                weights,
                relation,
            );
        }
    }
}

/// Turns `count` rows of keys (`stride` apart) into [width, columns], padding with zeros.
pub(super) fn pad_heads(
    rows: &[f32],
    stride: usize,
    count: usize,
    width: usize,
    columns: usize,
    out: &mut [f32],
) {
    for row in out.chunks_exact_mut(columns) {
        row[count..].fill(0.0);
    }
    for index in 0..count {
        let row = &rows[index * stride..index * stride + width];
        for (at, number) in row.iter().enumerate() {
            out[at * columns + index] = *number;
        }
    }
}
