//! Columns of a table, whatever file they come from.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

/// Most rows of a table.
pub(super) const MAX_ROWS: usize = 3_000_000;

/// Most different texts in a column, and the longest kept, bytes.
const MAX_TEXTS: usize = 200_000;
const MAX_TEXT_BYTES: usize = 256;

/// The wanted columns of a table, row by row.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: usize,
    columns: BTreeMap<String, Column>,
}

/// One column. Missing entries are NaN, `i64::MIN`, the empty text, false.
#[derive(Debug)]
enum Column {
    Floats(Vec<f64>),
    Integers(Vec<i64>),
    Flags(Vec<bool>),
    Texts {
        of_row: Vec<u32>,
        texts: Vec<String>,
        known: BTreeMap<String, u32>,
    },
}

impl Table {
    /// Appends the wanted columns of a batch. Columns of other types than numbers, flags and texts are passed over.
    pub(super) fn append(&mut self, batch: &RecordBatch, wanted: &[&str]) -> Result<(), String> {
        let rows = batch.num_rows();
        if self.rows.saturating_add(rows) > MAX_ROWS {
            return Err(format!("more than {MAX_ROWS} rows"));
        }
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            let name = field.name();
            if !wanted.contains(&name.as_str()) || array.len() != rows {
                continue;
            }
            let Some(fresh) = Column::empty(array.data_type()) else {
                continue;
            };
            let column = self.columns.entry(name.clone()).or_insert(fresh);
            column.append(array.as_ref())?;
        }
        self.rows += rows;
        Ok(())
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    fn column(&self, name: &str) -> Result<&Column, String> {
        let column = self.columns.get(name);
        column
            .filter(|column| column.len() == self.rows)
            .ok_or_else(|| format!("column \"{name}\" is missing or of another type"))
    }

    /// A column of numbers as floats.
    pub(super) fn floats(&self, name: &str) -> Result<Vec<f64>, String> {
        match self.column(name)? {
            Column::Floats(values) => Ok(values.clone()),
            Column::Integers(values) => Ok(values.iter().map(|&value| value as f64).collect()),
            _ => Err(format!("column \"{name}\" holds no numbers")),
        }
    }

    /// A column of whole numbers; floats are rounded.
    pub(super) fn integers(&self, name: &str) -> Result<Vec<i64>, String> {
        match self.column(name)? {
            Column::Integers(values) => Ok(values.clone()),
            Column::Floats(values) => Ok(values
                .iter()
                .map(|&value| {
                    if value.is_finite() {
                        value.round() as i64
                    } else {
                        i64::MIN
                    }
                })
                .collect()),
            _ => Err(format!("column \"{name}\" holds no numbers")),
        }
    }

    /// A column of flags.
    pub(super) fn flags(&self, name: &str) -> Option<&[bool]> {
        match self.column(name) {
            Ok(Column::Flags(values)) => Some(values),
            _ => None,
        }
    }

    /// A column of texts (numbers are written out): index of each row's text, and the texts.
    pub(super) fn texts(&self, name: &str) -> Result<(Vec<u32>, Vec<String>), String> {
        match self.column(name)? {
            Column::Texts { of_row, texts, .. } => Ok((of_row.clone(), texts.clone())),
            Column::Integers(values) => {
                let mut texts: Vec<i64> = values.clone();
                texts.sort_unstable();
                texts.dedup();
                if texts.len() > MAX_TEXTS {
                    return Err(format!(
                        "column \"{name}\" has more than {MAX_TEXTS} values"
                    ));
                }
                let place = |value: &i64| texts.partition_point(|text| text < value) as u32;
                let of_row = values.iter().map(place).collect();
                Ok((of_row, texts.iter().map(ToString::to_string).collect()))
            }
            _ => Err(format!("column \"{name}\" holds no texts")),
        }
    }
}

impl Column {
    fn empty(kind: &DataType) -> Option<Self> {
        Some(match kind {
            DataType::Float16 => return None,
            kind if kind.is_floating() => Self::Floats(Vec::new()),
            kind if kind.is_integer() => Self::Integers(Vec::new()),
            DataType::Boolean => Self::Flags(Vec::new()),
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::Dictionary(..) => Self::Texts {
                of_row: Vec::new(),
                texts: Vec::new(),
                known: BTreeMap::new(),
            },
            _ => return None,
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Flags(values) => values.len(),
            Self::Texts { of_row, .. } => of_row.len(),
        }
    }

    fn append(&mut self, array: &dyn Array) -> Result<(), String> {
        match self {
            Self::Floats(values) => {
                append_floats(array, values);
            }
            Self::Integers(values) => append_integers(array, values),
            Self::Flags(values) => {
                if let Some(flags) = array.as_boolean_opt() {
                    values.extend(flags.iter().map(|flag| flag.unwrap_or(false)));
                }
            }
            Self::Texts {
                of_row,
                texts,
                known,
            } => {
                let mut place = |text: &str| -> Result<u32, String> {
                    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
                    let text = &text[..end];
                    if let Some(&index) = known.get(text) {
                        return Ok(index);
                    }
                    if texts.len() >= MAX_TEXTS {
                        return Err(format!("more than {MAX_TEXTS} different texts in a column"));
                    }
                    let index = texts.len() as u32;
                    texts.push(text.to_owned());
                    known.insert(text.to_owned(), index);
                    Ok(index)
                };
                for text in texts_of(array) {
                    of_row.push(place(&text)?);
                }
            }
        }
        Ok(())
    }
}

fn append_floats(array: &dyn Array, values: &mut Vec<f64>) {
    if let Some(floats) = array.as_primitive_opt::<Float64Type>() {
        values.extend(floats.iter().map(|value| value.unwrap_or(f64::NAN)));
    } else if let Some(floats) = array.as_primitive_opt::<Float32Type>() {
        values.extend(floats.iter().map(|value| value.map_or(f64::NAN, f64::from)));
    }
}

fn append_integers(array: &dyn Array, values: &mut Vec<i64>) {
    macro_rules! take {
        ($($kind:ty),*) => {
            $(if let Some(integers) = array.as_primitive_opt::<$kind>() {
                values.extend(integers.iter().map(|value| {
                    value.and_then(|value| i64::try_from(value).ok()).unwrap_or(i64::MIN)
                }));
                return;
            })*
        };
    }
    take!(
        Int64Type, Int32Type, Int16Type, Int8Type, UInt64Type, UInt32Type, UInt16Type, UInt8Type
    );
}

fn texts_of(array: &dyn Array) -> Vec<String> {
    let bytes =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    if let Some(array) = array.as_string_opt::<i32>() {
        return array.iter().map(text).collect();
    }
    if let Some(array) = array.as_string_opt::<i64>() {
        return array.iter().map(text).collect();
    }
    if let Some(array) = array.as_string_view_opt() {
        return array.iter().map(text).collect();
    }
    if let Some(array) = array.as_binary_opt::<i32>() {
        return array.iter().map(bytes).collect();
    }
    if let Some(array) = array.as_binary_opt::<i64>() {
        return array.iter().map(bytes).collect();
    }
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        let values = match dictionary.values().data_type() {
            DataType::Dictionary(..) => Vec::new(),
            _ => texts_of(dictionary.values().as_ref()),
        };
        let keys = dictionary.normalized_keys();
        let value = |(row, key): (usize, &usize)| match dictionary.is_null(row) {
            true => String::new(),
            false => values.get(*key).cloned().unwrap_or_default(),
        };
        return keys.iter().enumerate().map(value).collect();
    }
    Vec::new()
}
