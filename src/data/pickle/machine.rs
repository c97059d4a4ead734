//! The pickle machine: a stack, marks, a memo, and the white list of opcodes.

use std::cell::Cell;

use super::{Node, Pickle, PickleError, Span, Value};

/// What a pickle may unfold to, bytes (as counted here; the allocator may take up to twice that).
const BUDGET_BYTES: usize = 256 << 20;

/// Reads opcodes one by one.
pub(super) struct Machine<'a> {
    pub(super) source: &'a [u8],
    at: usize,
    opcode_at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: Vec<Option<Value>>,
    pub(super) nodes: Vec<Node>,
    spent: usize,
}

/// What one step gives, or why it failed.
pub(super) type Step<T> = Result<T, PickleError>;

impl<'a> Machine<'a> {
    pub(super) fn new(source: &'a [u8]) -> Self {
        Self {
            source,
            at: 0,
            opcode_at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            nodes: Vec::new(),
            spent: 0,
        }
    }

    /// Runs until STOP.
    pub(super) fn run(mut self) -> Step<Pickle<'a>> {
        if u32::try_from(self.source.len()).is_err() {
            return Err(self.error("the pickle is larger than 4 GiB"));
        }
        loop {
            self.opcode_at = self.at;
            let opcode = self.byte()?;
            if opcode == b'.' {
                let root = self.pop()?;
                return Ok(Pickle {
                    source: self.source,
                    nodes: self.nodes,
                    root,
                    work: Cell::new(0),
                });
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            // protocol and framing
            0x80 => {
                let protocol = self.byte()?;
                if !(2..=5).contains(&protocol) {
                    return Err(self.error(format!("protocol {protocol}; 2 to 5 are read")));
                }
                Ok(())
            }
            0x95 => {
                let length = self.length(8)?;
                if length > self.source.len() - self.at {
                    return Err(self.error(format!("a frame of {length} bytes runs past the end")));
                }
                Ok(())
            }
            // plain values
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => {
                let word = self.word::<4>()?;
                self.push(Value::Int(i64::from(i32::from_le_bytes(word))))
            }
            b'K' => {
                let byte = self.byte()?;
                self.push(Value::Int(i64::from(byte)))
            }
            b'M' => {
                let word = self.word::<2>()?;
                self.push(Value::Int(i64::from(u16::from_le_bytes(word))))
            }
            b'G' => {
                let word = self.word::<8>()?;
                self.push(Value::Float(f64::from_be_bytes(word)))
            }
            0x8a => self.long(1),
            0x8b => self.long(4),
            0x8c => self.text(1),
            b'X' => self.text(4),
            0x8d => self.text(8),
            b'U' => self.text(1),
            b'T' => self.text(4),
            b'C' => self.bytes(1),
            b'B' => self.bytes(4),
            0x8e | 0x96 => self.bytes(8),
            _ => self.step_structure(opcode),
        }
    }

    fn step_structure(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            // the stack
            b'(' => {
                self.spend(8)?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(|_| ()),
            b'1' => self.pop_mark().map(|_| ()),
            b'2' => {
                let top = self.top()?;
                self.push(top)
            }
            // the memo
            0x94 => {
                let top = self.top()?;
                self.spend(16)?;
                self.memo.push(Some(top));
                Ok(())
            }
            b'q' => {
                let index = self.byte()?;
                self.memoise(usize::from(index))
            }
            b'r' => {
                let index = self.length(4)?;
                self.memoise(index)
            }
            b'h' => {
                let index = self.byte()?;
                self.recall(usize::from(index))
            }
            b'j' => {
                let index = self.length(4)?;
                self.recall(index)
            }
            // containers
            b']' => self.push_node(Node::List(Vec::new()), 0),
            b'}' => self.push_node(Node::Dict(Vec::new()), 0),
            0x8f => self.push_node(Node::Set(Vec::new()), 0),
            b')' => self.push_node(Node::Tuple(Vec::new()), 0),
            0x85 => self.tuple(1),
            0x86 => self.tuple(2),
            0x87 => self.tuple(3),
            b't' => {
                let items = self.pop_mark()?;
                self.push_items(items, Node::Tuple)
            }
            b'l' => {
                let items = self.pop_mark()?;
                self.push_items(items, Node::List)
            }
            0x91 => {
                let items = self.pop_mark()?;
                self.push_items(items, Node::Set)
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.push_node(Node::Dict(Vec::new()), 0)?;
                self.extend_dict(items)
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.extend(items)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(vec![key, value])
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.extend_dict(items)
            }
            _ => self.step_object(opcode),
        }
    }

    fn step_object(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.class(module, name)
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                match (self.span_of(module), self.span_of(name)) {
                    (Some(module), Some(name)) => self.class(module, name),
                    _ => Err(self.error("a class is named by something other than text")),
                }
            }
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let callable = self.pop()?;
                let arguments = match self.node(arguments) {
                    Some(Node::Tuple(items)) => items.iter().take(8).copied().collect::<Vec<_>>(),
                    _ => return Err(self.error("arguments are not a tuple")),
                };
                match callable {
                    Value::Class(class) => self.make(class, &arguments),
                    Value::Opaque => self.push(Value::Opaque),
                    _ => Err(self.refuse("calls something that is not a known class")),
                }
            }
            b'b' => {
                let state = self.pop()?;
                self.build(state)
            }
            _ => {
                let shown = char::from(opcode).escape_default().to_string();
                Err(self.refuse(format!(
                    "opcode 0x{opcode:02x} (\"{shown}\") is not one that plain data needs"
                )))
            }
        }
    }

    // ---------------------------------------------------------------------------------------- reading

    pub(super) fn error(&self, message: impl Into<String>) -> PickleError {
        PickleError {
            at: self.opcode_at,
            message: message.into(),
            refused: false,
        }
    }

    pub(super) fn refuse(&self, message: impl Into<String>) -> PickleError {
        PickleError {
            refused: true,
            ..self.error(message)
        }
    }

    fn byte(&mut self) -> Step<u8> {
        let byte = self.source.get(self.at).copied();
        self.at += 1;
        byte.ok_or_else(|| self.error("the pickle ends too early"))
    }

    fn word<const N: usize>(&mut self) -> Step<[u8; N]> {
        let word = self
            .source
            .get(self.at..)
            .and_then(<[u8]>::first_chunk::<N>);
        self.at += N;
        word.copied()
            .ok_or_else(|| self.error("the pickle ends too early"))
    }

    /// A length of 1, 4 or 8 bytes.
    fn length(&mut self, bytes: usize) -> Step<usize> {
        let value = match bytes {
            1 => u64::from(self.byte()?),
            4 => u64::from(u32::from_le_bytes(self.word()?)),
            _ => u64::from_le_bytes(self.word()?),
        };
        usize::try_from(value).map_err(|_| self.error(format!("a length of {value}")))
    }

    fn span(&mut self, bytes: usize) -> Step<Span> {
        let length = self.length(bytes)?;
        let start = self.at;
        let end = start
            .checked_add(length)
            .filter(|&end| end <= self.source.len());
        let Some(end) = end else {
            return Err(self.error(format!("{length} bytes run past the end")));
        };
        self.at = end;
        Ok(Span {
            start: start as u32,
            end: end as u32,
        })
    }

    fn line(&mut self) -> Step<Span> {
        let start = self.at;
        let rest = &self.source[start.min(self.source.len())..];
        let Some(length) = rest.iter().take(256).position(|&byte| byte == b'\n') else {
            return Err(self.error("a name without an end"));
        };
        self.at = start + length + 1;
        Ok(Span {
            start: start as u32,
            end: (start + length) as u32,
        })
    }

    fn text(&mut self, bytes: usize) -> Step<()> {
        let span = self.span(bytes)?;
        self.push(Value::Text(span))
    }

    fn bytes(&mut self, bytes: usize) -> Step<()> {
        let span = self.span(bytes)?;
        self.push(Value::Bytes(span))
    }

    /// A whole number of any length, least significant byte first; beyond 64 bits it becomes a float.
    fn long(&mut self, bytes: usize) -> Step<()> {
        let span = self.span(bytes)?;
        let digits = &self.source[span.start as usize..span.end as usize];
        let negative = digits.last().is_some_and(|&byte| byte >= 0x80);
        if digits.len() <= 8 {
            let mut word = [if negative { 0xff } else { 0 }; 8];
            word[..digits.len()].copy_from_slice(digits);
            return self.push(Value::Int(i64::from_le_bytes(word)));
        }
        let start = if negative { -1.0 } else { 0.0 };
        let value = digits
            .iter()
            .rev()
            .take(128)
            .fold(start, |sum: f64, &byte| sum * 256.0 + f64::from(byte));
        self.push(Value::Float(value))
    }

    // ---------------------------------------------------------------------------------------- stack, memo

    pub(super) fn spend(&mut self, bytes: usize) -> Step<()> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > BUDGET_BYTES {
            return Err(self.error(format!("it unfolds to more than {BUDGET_BYTES} bytes")));
        }
        Ok(())
    }

    pub(super) fn push(&mut self, value: Value) -> Step<()> {
        self.spend(16)?;
        self.stack.push(value);
        Ok(())
    }

    pub(super) fn push_node(&mut self, node: Node, payload: usize) -> Step<()> {
        self.spend(32 + payload)?;
        let index = self.nodes.len() as u32;
        self.nodes.push(node);
        self.push(Value::Node(index))
    }

    fn push_items(&mut self, items: Vec<Value>, node: fn(Vec<Value>) -> Node) -> Step<()> {
        let payload = 16 * items.len();
        self.push_node(node(items), payload)
    }

    fn tuple(&mut self, count: usize) -> Step<()> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let Some(start) = self
            .stack
            .len()
            .checked_sub(count)
            .filter(|&at| at >= floor)
        else {
            return Err(self.error("the stack is empty"));
        };
        let items = self.stack.split_off(start);
        self.push_items(items, Node::Tuple)
    }

    fn pop(&mut self) -> Step<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.error("the stack is empty"));
        }
        self.stack
            .pop()
            .ok_or_else(|| self.error("the stack is empty"))
    }

    pub(super) fn top(&self) -> Step<Value> {
        self.stack
            .last()
            .copied()
            .ok_or_else(|| self.error("the stack is empty"))
    }

    fn pop_mark(&mut self) -> Step<Vec<Value>> {
        let Some(mark) = self.marks.pop() else {
            return Err(self.error("there is no mark"));
        };
        Ok(self.stack.split_off(mark))
    }

    /// Indices are dense in honest pickles: one per value, so never beyond the position in the file.
    fn memoise(&mut self, index: usize) -> Step<()> {
        let top = self.top()?;
        if index > self.opcode_at {
            return Err(self.error(format!("memo index {index} is beyond the values so far")));
        }
        if index >= self.memo.len() {
            self.spend(16 * (index + 1 - self.memo.len()))?;
            self.memo.resize(index + 1, None);
        }
        self.memo[index] = Some(top);
        Ok(())
    }

    fn recall(&mut self, index: usize) -> Step<()> {
        match self.memo.get(index).copied().flatten() {
            Some(value) => self.push(value),
            None => Err(self.error(format!("memo index {index} was never set"))),
        }
    }

    // ---------------------------------------------------------------------------------------- containers

    pub(super) fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(index) => self.nodes.get(index as usize),
            _ => None,
        }
    }

    pub(super) fn top_node(&mut self) -> Step<Option<&mut Node>> {
        match self.top()? {
            Value::Node(index) => Ok(self.nodes.get_mut(index as usize)),
            _ => Ok(None),
        }
    }

    fn extend(&mut self, items: Vec<Value>) -> Step<()> {
        self.spend(16 * items.len())?;
        if matches!(self.top()?, Value::Opaque) {
            return Ok(());
        }
        match self.top_node()? {
            Some(Node::List(list) | Node::Set(list)) => {
                list.extend(items);
                Ok(())
            }
            _ => Err(self.error("items are added to something that is no list")),
        }
    }

    pub(super) fn extend_dict(&mut self, items: Vec<Value>) -> Step<()> {
        self.spend(16 * items.len())?;
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.error("a key without a value"));
        }
        if matches!(self.top()?, Value::Opaque) {
            return Ok(());
        }
        match self.top_node()? {
            Some(Node::Dict(dict)) => {
                dict.extend(pairs.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            _ => Err(self.error("entries are added to something that is no dictionary")),
        }
    }
}
