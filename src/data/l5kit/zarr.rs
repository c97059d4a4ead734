//! Zarr 2 arrays of one axis with named fields, read row by row from their chunks.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::blosc;
use crate::data::OpenError;

/// Largest chunk file, bytes.
const MOST_BYTES: u64 = 64 << 20;
/// Largest row, bytes; those of the data set have a few hundred.
const MOST_ROW_BYTES: usize = 1 << 16;

#[derive(Deserialize)]
struct Meta {
    shape: Vec<usize>,
    chunks: Vec<usize>,
    dtype: Vec<Value>,
    compressor: Option<Compressor>,
}

#[derive(Deserialize)]
struct Compressor {
    id: String,
}

/// Where a field lies in a row.
#[derive(Debug, Clone)]
struct Field {
    at: usize,
    /// Letter of its type: f, i, u.
    kind: u8,
    /// Bytes of one number.
    size: usize,
    count: usize,
}

/// An array.
#[derive(Debug)]
pub(super) struct Array {
    folder: PathBuf,
    rows: usize,
    chunk_rows: usize,
    row_bytes: usize,
    packed: bool,
    fields: BTreeMap<String, Field>,
}

impl Array {
    /// Reads what an array's folder says of it.
    pub(super) fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(".zarray");
        let text = fs::read(&path).map_err(|error| OpenError::io(&path, &error))?;
        let damaged = |message: String| OpenError::damaged(&path, "array", message);
        let meta: Meta =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        let (&[rows], &[chunk_rows]) = (&*meta.shape, &*meta.chunks) else {
            return Err(damaged("it must have one axis".to_owned()));
        };
        if chunk_rows == 0 {
            return Err(damaged("its chunks have no rows".to_owned()));
        }
        if let Some(compressor) = &meta.compressor
            && compressor.id != "blosc"
        {
            let message = format!("it is compressed by {}; only Blosc is read", compressor.id);
            return Err(damaged(message));
        }
        let mut fields = BTreeMap::new();
        let mut at = 0;
        for entry in &meta.dtype {
            let (name, field) =
                field_of(entry, at).ok_or_else(|| damaged(format!("dtype {entry} is unknown")))?;
            at += field.size * field.count;
            if at > MOST_ROW_BYTES {
                let message = format!("its rows are longer than {MOST_ROW_BYTES} bytes");
                return Err(damaged(message));
            }
            fields.insert(name, field);
        }
        Ok(Self {
            folder: folder.to_owned(),
            rows,
            chunk_rows,
            row_bytes: at,
            packed: meta.compressor.is_some(),
            fields,
        })
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The rows of a range.
    pub(super) fn read(&self, range: Range<usize>) -> Result<Rows<'_>, OpenError> {
        let damaged = |message: String| OpenError::damaged(&self.folder, "array", message);
        if range.start > range.end || range.end > self.rows {
            return Err(damaged(format!(
                "rows {} to {} are asked for; it has {}",
                range.start, range.end, self.rows
            )));
        }
        // grows with what is there, whatever the file says that there is
        let mut bytes = Vec::new();
        let chunks = range.start / self.chunk_rows..range.end.div_ceil(self.chunk_rows);
        for chunk in chunks.filter(|_| !range.is_empty()) {
            let path = self.folder.join(chunk.to_string());
            let size = fs::metadata(&path)
                .map_err(|error| OpenError::io(&path, &error))?
                .len();
            if size > MOST_BYTES {
                return Err(OpenError::too_large(
                    &path,
                    "chunk in bytes",
                    size,
                    MOST_BYTES,
                ));
            }
            let packed = fs::read(&path).map_err(|error| OpenError::io(&path, &error))?;
            let plain = if self.packed {
                blosc::decompress(&packed)
                    .map_err(|message| OpenError::damaged(&path, "Blosc chunk", message))?
            } else {
                packed
            };
            let first = chunk * self.chunk_rows;
            let from = range.start.max(first) - first;
            let to = range.end.min(first + self.chunk_rows) - first;
            let place = |row: usize| row.checked_mul(self.row_bytes);
            let span = place(from).zip(place(to));
            let Some(wanted) = span.and_then(|(from, to)| plain.get(from..to)) else {
                let message = format!("it holds {} bytes, less than its rows need", plain.len());
                return Err(OpenError::damaged(&path, "chunk", message));
            };
            bytes.extend_from_slice(wanted);
        }
        Ok(Rows { array: self, bytes })
    }
}

/// Rows that were read.
pub(super) struct Rows<'a> {
    array: &'a Array,
    bytes: Vec<u8>,
}

impl Rows<'_> {
    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.array.row_bytes.max(1)
    }

    /// The first `N` numbers of a row's field; NaN where the row or the array has none.
    pub(super) fn numbers<const N: usize>(&self, row: usize, field: &str) -> [f64; N] {
        std::array::from_fn(|index| self.number(row, field, index).unwrap_or(f64::NAN))
    }

    /// A number of a row's field.
    pub(super) fn number(&self, row: usize, field: &str, index: usize) -> Option<f64> {
        let field = self.array.fields.get(field)?;
        if index >= field.count {
            return None;
        }
        let at = row * self.array.row_bytes + field.at + index * field.size;
        let bytes = self.bytes.get(at..at + field.size)?;
        Some(match (field.kind, field.size) {
            (b'f', 4) => f64::from(f32::from_le_bytes(bytes.try_into().ok()?)),
            (b'f', 8) => f64::from_le_bytes(bytes.try_into().ok()?),
            (b'i', 8) => i64::from_le_bytes(bytes.try_into().ok()?) as f64,
            (b'u', 8) => u64::from_le_bytes(bytes.try_into().ok()?) as f64,
            (b'i', 4) => f64::from(i32::from_le_bytes(bytes.try_into().ok()?)),
            _ => return None,
        })
    }
}

/// `[name, type]` or `[name, type, shape]`.
fn field_of(entry: &Value, at: usize) -> Option<(String, Field)> {
    let parts = entry.as_array()?;
    let name = parts.first()?.as_str()?.to_owned();
    let (order, kind) = parts.get(1)?.as_str()?.split_at_checked(1)?;
    if !matches!(order, "<" | "|") {
        return None;
    }
    let (letter, digits) = kind.split_at_checked(1)?;
    let letter = letter.as_bytes().first().copied()?;
    let size: usize = digits
        .parse()
        .ok()
        .filter(|size| (1..=1024).contains(size))?;
    let mut count = 1_usize;
    if let Some(shape) = parts.get(2) {
        for axis in shape.as_array()? {
            let axis = axis.as_u64().filter(|axis| (1..=4096).contains(axis))?;
            count = count
                .checked_mul(axis as usize)
                .filter(|count| *count <= 65536)?;
        }
    }
    let field = Field {
        at,
        kind: letter,
        size: if letter == b'U' { 4 * size } else { size },
        count,
    };
    Some((name, field))
}
