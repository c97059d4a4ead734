//! Python pickles read as plain data. Opcodes are interpreted over a white list and nothing is ever called:
//! dictionaries, lists, tuples, sets, strings, numbers and numpy arrays come out, names of a few known data
//! classes become opaque values, and every other name is refused. Protocols 2 to 5.
//!
//! Values live in one arena and refer to each other by index, so that neither deep nesting nor a value that
//! contains itself can exhaust the stack, and a budget bounds what a small file may unfold to.

mod array;
mod class;
mod machine;
mod objects;
mod view;

use std::cell::Cell;

use array::{Array, Dtype};
use class::Class;
pub(super) use view::{Rows, View};

/// Why a pickle is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PickleError {
    /// Byte position of the opcode.
    pub(super) at: usize,
    /// What is wrong there.
    pub(super) message: String,
    /// Whether the file asks for something that plain data does not need.
    pub(super) refused: bool,
}

/// A part of the source.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

/// A value: small ones themselves, others as a place in the arena.
#[derive(Debug, Clone, Copy)]
enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Span),
    Bytes(Span),
    Class(Class),
    Node(u32),
    /// An instance of a known data class whose content is not read.
    Opaque,
}

/// What a [`Value::Node`] refers to.
#[derive(Debug)]
enum Node {
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Set(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Bytes(Vec<u8>),
    Dtype(Dtype),
    Array(Box<Array>),
}

/// A pickle that has been read.
pub(super) struct Pickle<'a> {
    source: &'a [u8],
    nodes: Vec<Node>,
    root: Value,
    /// Elements looked at so far; shared values can be referred to any number of times.
    work: Cell<u64>,
}

impl<'a> Pickle<'a> {
    /// Interprets a pickle.
    pub(super) fn read(source: &'a [u8]) -> Result<Self, PickleError> {
        machine::Machine::new(source).run()
    }

    /// The value it holds.
    pub(super) fn root(&self) -> View<'_> {
        View::new(self, self.root)
    }
}

#[cfg(test)]
mod tests;
