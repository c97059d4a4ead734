//! What both networks in plain candle operations are built of.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{Linear, Module as _, VarBuilder, linear};

use super::weights::Contents;

/// Two linear layers with exact GELU between.
pub(super) struct Mlp {
    first: Linear,
    second: Linear,
}

impl Mlp {
    pub(super) fn new([inputs, hidden, outputs]: [usize; 3], vb: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            first: linear(inputs, hidden, vb.pp("0"))?,
            second: linear(hidden, outputs, vb.pp("2"))?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.second.forward(&self.first.forward(x)?.gelu_erf()?)
    }
}

/// LayerNorm without weights, eps 1e-5.
pub(super) fn normalised(x: &Tensor) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + 1e-5)?.sqrt()?)
}

/// The tensors of a weights file by name.
pub(super) fn builder(contents: &Contents, device: &Device) -> Result<VarBuilder<'static>> {
    let mut all = std::collections::HashMap::new();
    for (name, (shape, numbers)) in &contents.tensors {
        let tensor = Tensor::from_slice(numbers, shape.as_slice(), device)?;
        all.insert(name.clone(), tensor);
    }
    Ok(VarBuilder::from_tensors(all, DType::F32, device))
}
