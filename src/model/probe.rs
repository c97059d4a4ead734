//! The machine's own speed, to hold the network's against.

use super::linalg::{Target, View, product};
use super::network::Network;

/// Side of the probed product.
const SIDE: usize = 768;

/// A square product per thread of the network's pool: the f32 GEMM peak that bench figures are shares of.
#[derive(Debug)]
pub struct GemmProbe {
    left: Vec<f32>,
    right: Vec<f32>,
    out: Vec<Vec<f32>>,
}

impl GemmProbe {
    /// Buffers for every thread of the network's pool.
    pub fn new(network: &Network) -> Self {
        let numbers = |seed: usize| {
            (0..SIDE * SIDE)
                .map(|at| ((at * seed) % 17) as f32)
                .collect()
        };
        Self {
            left: numbers(7),
            right: numbers(11),
            out: vec![vec![0.0; SIDE * SIDE]; network.threads()],
        }
    }

    /// Multiplies once on every thread; returns the floating point operations done.
    pub fn run(&mut self, network: &Network) -> f64 {
        let (left, right) = (&self.left, &self.right);
        let out = &mut self.out;
        network.scope(|scope| {
            for out in out.iter_mut() {
                scope.spawn(move |_| {
                    let target = Target {
                        data: out,
                        row: SIDE,
                        column: 1,
                    };
                    let (left, right) = (View::rows(left, SIDE), View::rows(right, SIDE));
                    product([SIDE, SIDE, SIDE], target, left, right, false);
                });
            }
        });
        2.0 * (SIDE * SIDE * SIDE * self.out.len()) as f64
    }
}
