//! What a pickle's classes would have made, had anything been called: arrays, numbers, containers, or nothing.

use super::array::{Array, Dtype};
use super::class::Class;
use super::machine::{Machine, Step};
use super::{Node, Span, Value};

/// Most axes of an array.
const MAX_AXES: usize = 4;

impl<'a> Machine<'a> {
    pub(super) fn class(&mut self, module: Span, name: Span) -> Step<()> {
        let text = |span: Span| {
            let bytes = &self.source[span.start as usize..span.end as usize];
            String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
        };
        let (module, name) = (text(module), text(name));
        match Class::named(&module, &name) {
            Some(class) => self.push(Value::Class(class)),
            None => Err(self.refuse(format!("it names {module}.{name}, which is no plain data"))),
        }
    }

    pub(super) fn span_of(&self, value: Value) -> Option<Span> {
        match value {
            Value::Text(span) => Some(span),
            _ => None,
        }
    }

    fn str_of(&self, value: Value) -> Option<&'a str> {
        match value {
            Value::Text(span) | Value::Bytes(span) => {
                std::str::from_utf8(self.source.get(span.start as usize..span.end as usize)?).ok()
            }
            _ => None,
        }
    }

    fn bytes_of(&self, value: Value) -> Option<&[u8]> {
        match value {
            Value::Bytes(span) | Value::Text(span) => {
                self.source.get(span.start as usize..span.end as usize)
            }
            Value::Node(index) => match self.nodes.get(index as usize) {
                Some(Node::Bytes(bytes)) => Some(bytes),
                _ => None,
            },
            _ => None,
        }
    }

    /// What calling `class` would have made, without calling anything.
    pub(super) fn make(&mut self, class: Class, arguments: &[Value]) -> Step<()> {
        let first = arguments.first().copied().unwrap_or(Value::None);
        match class {
            Class::Reconstruct => self.push_node(Node::Array(Box::new(Array::empty())), 96),
            Class::Dtype => match self.str_of(first).and_then(Dtype::parse) {
                Some(dtype) => self.push_node(Node::Dtype(dtype), 0),
                None => self.push(Value::Opaque),
            },
            Class::Scalar => self.scalar(first, arguments.get(1).copied()),
            Class::FromBuffer => self.array_over(arguments),
            Class::DefaultDict => self.push_node(Node::Dict(Vec::new()), 0),
            Class::Dict => self.dict_of(first),
            Class::List => self.copy_of(first, Node::List),
            Class::Tuple => self.copy_of(first, Node::Tuple),
            Class::Set => self.copy_of(first, Node::Set),
            Class::Encode => self.encode(first),
            Class::Bytes => match self.bytes_of(first) {
                Some(_) => self.push(first),
                None => self.push_node(Node::Bytes(Vec::new()), 0),
            },
            Class::NdArray | Class::Plain | Class::Inert => self.push(Value::Opaque),
        }
    }

    fn copy_of(&mut self, from: Value, node: fn(Vec<Value>) -> Node) -> Step<()> {
        let length = match self.node(from) {
            Some(Node::List(items) | Node::Tuple(items) | Node::Set(items)) => items.len(),
            _ => 0,
        };
        self.spend(16 * length)?;
        let items = match self.node(from) {
            Some(Node::List(items) | Node::Tuple(items) | Node::Set(items)) => items.clone(),
            _ => Vec::new(),
        };
        self.push_node(node(items), 0)
    }

    /// `OrderedDict([[key, value], ...])`.
    fn dict_of(&mut self, from: Value) -> Step<()> {
        let pairs: Vec<Value> = match self.node(from) {
            Some(Node::List(items)) => {
                let pair = |item: &Value| match self.node(*item) {
                    Some(Node::List(pair) | Node::Tuple(pair)) if pair.len() == 2 => {
                        Some([pair[0], pair[1]])
                    }
                    _ => None,
                };
                items.iter().filter_map(pair).flatten().collect()
            }
            _ => Vec::new(),
        };
        self.push_node(Node::Dict(Vec::new()), 0)?;
        self.extend_dict(pairs)
    }

    /// Latin-1 text to bytes, as protocol 2 writes byte strings.
    fn encode(&mut self, text: Value) -> Step<()> {
        let Some(text) = self.str_of(text) else {
            return Err(self.error("bytes are given by something other than text"));
        };
        self.spend(text.len())?;
        let bytes = text.chars().map(u32::from).map(u8::try_from);
        match bytes.collect::<Result<Vec<u8>, _>>() {
            Ok(bytes) => self.push_node(Node::Bytes(bytes), 0),
            Err(_) => Err(self.error("bytes are given by text beyond Latin-1")),
        }
    }

    fn scalar(&mut self, dtype: Value, data: Option<Value>) -> Step<()> {
        let Some(Node::Dtype(dtype)) = self.node(dtype) else {
            return self.push(Value::Opaque);
        };
        let dtype = *dtype;
        let data = data.unwrap_or(Value::None);
        let bytes = self.bytes_of(data).unwrap_or(&[]);
        let value = match (dtype.kind, dtype.number(bytes)) {
            (b'O', _) => data,
            (b'S', _) => data,
            (b'b', Some(value)) => Value::Bool(value != 0.0),
            (b'i' | b'u', Some(value)) => Value::Int(value as i64),
            (_, Some(value)) => Value::Float(value),
            (b'U', None) => Value::Opaque,
            _ => return Err(self.error("a number without its bytes")),
        };
        self.push(value)
    }

    /// `_frombuffer(bytes, dtype, shape, order)`.
    fn array_over(&mut self, arguments: &[Value]) -> Step<()> {
        let &[data, dtype, shape, order, ..] = arguments else {
            return Err(self.error("an array lacks its parts"));
        };
        let fortran = self.str_of(order) == Some("F");
        let array = self.array(shape, dtype, fortran, data)?;
        self.push_node(Node::Array(Box::new(array)), 96)
    }

    pub(super) fn build(&mut self, state: Value) -> Step<()> {
        let target = self.top()?;
        match self.node(target) {
            Some(Node::Array(_)) => {
                let Some(Node::Tuple(parts)) = self.node(state) else {
                    return Err(self.error("an array lacks its state"));
                };
                let &[_version, shape, dtype, fortran, data] = parts.as_slice() else {
                    return Err(self.error("an array's state has not five parts"));
                };
                let fortran = matches!(fortran, Value::Bool(true) | Value::Int(1));
                let array = self.array(shape, dtype, fortran, data)?;
                if let Some(Node::Array(target)) = self.top_node()? {
                    **target = array;
                }
                Ok(())
            }
            Some(Node::Dtype(_)) => {
                let order = match self.node(state) {
                    Some(Node::Tuple(parts)) => parts.get(1).copied(),
                    _ => None,
                };
                let big_endian = order.and_then(|order| self.str_of(order)) == Some(">");
                if let Some(Node::Dtype(dtype)) = self.top_node()? {
                    dtype.big_endian |= big_endian;
                }
                Ok(())
            }
            Some(Node::Dict(_) | Node::List(_) | Node::Set(_)) => Ok(()),
            _ if matches!(target, Value::Opaque) => Ok(()),
            _ => Err(self.error("state is given to something that has none")),
        }
    }

    /// Checks that shape, element type and data agree.
    fn array(&self, shape: Value, dtype: Value, fortran: bool, data: Value) -> Step<Array> {
        let Some(Node::Dtype(dtype)) = self.node(dtype) else {
            return Err(self.error("an array of a type that is not read"));
        };
        let axes: Vec<usize> = match (self.node(shape), shape) {
            (Some(Node::Tuple(axes)), _) if axes.len() <= MAX_AXES => {
                let axis = |value: &Value| match value {
                    Value::Int(length) => usize::try_from(*length).ok(),
                    _ => None,
                };
                let axes: Option<Vec<usize>> = axes.iter().map(axis).collect();
                axes.ok_or_else(|| self.error("an array's shape is no list of counts"))?
            }
            (_, Value::Int(length)) if length >= 0 => vec![length as usize],
            _ => return Err(self.error("an array's shape is not read")),
        };
        let rows = axes.first().copied().unwrap_or(1);
        let product = |lengths: &[usize]| {
            lengths
                .iter()
                .try_fold(1_usize, |all, &length| all.checked_mul(length))
        };
        let width = product(axes.get(1..).unwrap_or(&[]));
        let wanted = product(&axes).and_then(|count| match dtype.kind {
            b'O' => Some(count),
            _ => count.checked_mul(dtype.size as usize),
        });
        let found = match (dtype.kind, self.node(data)) {
            (b'O', Some(Node::List(items))) => Some(items.len()),
            (b'O', _) => None,
            _ => self.bytes_of(data).map(<[u8]>::len),
        };
        match (wanted, width) {
            (Some(wanted), Some(width)) if found == Some(wanted) => Ok(Array {
                rows,
                width,
                fortran,
                dtype: *dtype,
                data,
            }),
            _ => Err(self.error(format!("an array of shape {axes:?} has {found:?} bytes"))),
        }
    }
}
