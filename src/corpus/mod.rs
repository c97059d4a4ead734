//! Windows for training, as sharded tensors.
