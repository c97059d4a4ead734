//! Looking into a pickle that has been read.

use std::borrow::Cow;

use super::{Node, Pickle, Value};

/// Most elements looked at in one pickle. Values can be shared, so that a small file can name the same long list
/// many times; beyond this every answer is `None`.
const MAX_WORK: u64 = 200_000_000;

/// Numbers in rows of equal length.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) struct Rows {
    /// Numbers per row, at least 1.
    pub(in crate::data) width: usize,
    /// Row after row.
    pub(in crate::data) values: Vec<f64>,
}

impl Rows {
    /// Number of rows.
    pub(in crate::data) fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// A number, NaN outside.
    pub(in crate::data) fn at(&self, row: usize, column: usize) -> f64 {
        if column >= self.width {
            return f64::NAN;
        }
        let index = row.saturating_mul(self.width).saturating_add(column);
        self.values.get(index).copied().unwrap_or(f64::NAN)
    }
}

/// A value inside a [`Pickle`].
#[derive(Clone, Copy)]
pub(in crate::data) struct View<'p> {
    pickle: &'p Pickle<'p>,
    value: Value,
}

impl<'p> View<'p> {
    pub(super) fn new(pickle: &'p Pickle<'p>, value: Value) -> Self {
        Self { pickle, value }
    }

    fn with(self, value: Value) -> Self {
        Self { value, ..self }
    }

    fn node(self) -> Option<&'p Node> {
        match self.value {
            Value::Node(index) => self.pickle.nodes.get(index as usize),
            _ => None,
        }
    }

    fn work(self, amount: usize) -> Option<()> {
        let total = self.pickle.work.get().saturating_add(amount as u64 + 1);
        self.pickle.work.set(total);
        (total <= MAX_WORK).then_some(())
    }

    /// The value of a dictionary's key; the last one if it is there twice.
    pub(in crate::data) fn get(self, key: &str) -> Option<Self> {
        let Some(Node::Dict(entries)) = self.node() else {
            return None;
        };
        self.work(entries.len())?;
        entries
            .iter()
            .rev()
            .find(|(name, _)| self.with(*name).plain_text() == Some(key))
            .map(|(_, value)| self.with(*value))
    }

    /// The entries of a dictionary.
    pub(in crate::data) fn entries(self) -> Option<impl Iterator<Item = (Self, Self)>> {
        match self.node() {
            Some(Node::Dict(entries)) => {
                self.work(entries.len())?;
                let pair =
                    move |(key, value): &(Value, Value)| (self.with(*key), self.with(*value));
                Some(entries.iter().map(pair))
            }
            _ => None,
        }
    }

    /// How many entries or items it has; 0 for plain values.
    pub(in crate::data) fn len(self) -> usize {
        match self.node() {
            Some(Node::Dict(entries)) => entries.len(),
            Some(Node::List(items) | Node::Tuple(items) | Node::Set(items)) => items.len(),
            Some(Node::Array(array)) => array.rows,
            _ => 0,
        }
    }

    /// The items of a list, tuple or set.
    pub(in crate::data) fn items(self) -> Option<impl Iterator<Item = Self>> {
        match self.node() {
            Some(Node::List(items) | Node::Tuple(items) | Node::Set(items)) => {
                self.work(items.len())?;
                Some(items.iter().map(move |item| self.with(*item)))
            }
            _ => None,
        }
    }

    fn plain_text(self) -> Option<&'p str> {
        match self.value {
            Value::Text(span) => {
                let bytes = self
                    .pickle
                    .source
                    .get(span.start as usize..span.end as usize)?;
                std::str::from_utf8(bytes).ok()
            }
            _ => None,
        }
    }

    /// A text, or a whole number as text (keys and ids come as both).
    pub(in crate::data) fn text(self) -> Option<Cow<'p, str>> {
        match self.value {
            Value::Int(number) => Some(Cow::Owned(number.to_string())),
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                Some(Cow::Owned((number as i64).to_string()))
            }
            _ => self.plain_text().map(Cow::Borrowed),
        }
    }

    /// A text as [`View::text`] gives it, or a tuple's items joined: MetaDrive names its own lanes by tuples.
    pub(in crate::data) fn label(self) -> Option<Cow<'p, str>> {
        match self.node() {
            Some(Node::Tuple(items)) if items.len() <= 8 => {
                let items = items.iter().map(|item| self.with(*item).text());
                let words: Option<Vec<Cow<'p, str>>> = items.collect();
                words.map(|words| Cow::Owned(words.join("/")))
            }
            _ => self.text(),
        }
    }

    /// A number: also a truth value, a number written as text, or an array of one element.
    pub(in crate::data) fn number(self) -> Option<f64> {
        match self.value {
            Value::Int(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            Value::Bool(truth) => Some(f64::from(u8::from(truth))),
            Value::Text(_) => self.plain_text()?.trim().parse().ok(),
            Value::Node(_) => match self.node()? {
                Node::Array(array) if array.rows == 1 && array.width == 1 => self.element(0),
                _ => None,
            },
            _ => None,
        }
    }

    /// Element of an array by its place in memory.
    fn element(self, place: usize) -> Option<f64> {
        let Some(Node::Array(array)) = self.node() else {
            return None;
        };
        match array.data {
            data if array.dtype.kind == b'O' => match self.with(data).node()? {
                Node::List(items) => self.with(*items.get(place)?).scalar(),
                _ => None,
            },
            data => {
                let bytes = self.with(data).raw()?;
                let size = array.dtype.size as usize;
                array.dtype.number(bytes.get(place.checked_mul(size)?..)?)
            }
        }
    }

    /// A number that is not inside a container.
    fn scalar(self) -> Option<f64> {
        match self.value {
            Value::Int(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            Value::Bool(truth) => Some(f64::from(u8::from(truth))),
            Value::None => Some(f64::NAN),
            _ => None,
        }
    }

    fn raw(self) -> Option<&'p [u8]> {
        match self.value {
            Value::Bytes(span) | Value::Text(span) => self
                .pickle
                .source
                .get(span.start as usize..span.end as usize),
            Value::Node(_) => match self.node()? {
                Node::Bytes(bytes) => Some(bytes),
                _ => None,
            },
            _ => None,
        }
    }

    /// An array, or a sequence of numbers or of equally long sequences, as rows. `None` if it is anything else or
    /// has more than `limit` numbers.
    pub(in crate::data) fn rows(self, limit: usize) -> Option<Rows> {
        match self.node()? {
            Node::Array(array) => {
                let count = array.rows.checked_mul(array.width)?;
                if count > limit || array.width == 0 {
                    return None;
                }
                self.work(count)?;
                let mut values = Vec::with_capacity(count);
                let bytes = self.with(array.data).raw();
                let size = array.dtype.size as usize;
                for row in 0..array.rows {
                    for column in 0..array.width {
                        let place = array.place(row, column);
                        values.push(match bytes {
                            Some(bytes) => array.dtype.number(bytes.get(place * size..)?)?,
                            None => self.element(place)?,
                        });
                    }
                }
                Some(Rows {
                    width: array.width,
                    values,
                })
            }
            Node::List(items) | Node::Tuple(items) => self.rows_of(items, limit),
            _ => None,
        }
    }

    fn rows_of(self, items: &'p [Value], limit: usize) -> Option<Rows> {
        self.work(items.len())?;
        let mut width = None;
        let mut values = Vec::new();
        for item in items {
            let item = self.with(*item);
            let before = values.len();
            match item.node() {
                Some(Node::List(inner) | Node::Tuple(inner)) if inner.len() <= 16 => {
                    self.work(inner.len())?;
                    for number in inner {
                        values.push(self.with(*number).scalar()?);
                    }
                }
                Some(Node::Array(array)) if array.rows <= 16 && array.width == 1 => {
                    self.work(array.rows)?;
                    for place in 0..array.rows {
                        values.push(item.element(place)?);
                    }
                }
                _ => values.push(item.scalar()?),
            }
            let found = values.len() - before;
            if found == 0 || *width.get_or_insert(found) != found || values.len() > limit {
                return None;
            }
        }
        Some(Rows {
            width: width.unwrap_or(1),
            values,
        })
    }

    /// Texts of a list or of an array of text; numbers as text, `None` elements as "None".
    pub(in crate::data) fn texts(self, limit: usize) -> Option<Vec<Cow<'p, str>>> {
        let shown = |item: Self| item.text().unwrap_or(Cow::Borrowed("None"));
        match self.node()? {
            Node::Array(array) if array.width == 1 && array.rows <= limit => {
                self.work(array.rows)?;
                if array.dtype.kind == b'O' {
                    return self.with(array.data).texts(limit);
                }
                let size = array.dtype.size as usize;
                let bytes = self.with(array.data).raw()?;
                let one = |row: usize| {
                    let part = bytes.get(row * size..)?;
                    array.dtype.text(part).map(Cow::Owned).or_else(|| {
                        let number = array.dtype.number(part)?;
                        Some(Cow::Owned(format!("{number}")))
                    })
                };
                (0..array.rows).map(one).collect()
            }
            Node::List(items) | Node::Tuple(items) if items.len() <= limit => {
                self.work(items.len())?;
                Some(items.iter().map(|item| shown(self.with(*item))).collect())
            }
            _ => None,
        }
    }
}
