//! Numpy arrays as they lie in a pickle.

use super::Value;

/// Element type of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dtype {
    /// numpy's letter: b, i, u, f, S, U, O.
    pub(super) kind: u8,
    /// Bytes per element.
    pub(super) size: u32,
    /// Whether the bytes come most significant first.
    pub(super) big_endian: bool,
}

impl Dtype {
    /// From numpy's text, e.g. `f8`, `<i4`, `|b1`, `U12`. `None` for structured and exotic types.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let big_endian = text.starts_with('>');
        let text = text.trim_start_matches(['<', '>', '|', '=']);
        let kind = *text.as_bytes().first()?;
        let digits = text.get(1..)?;
        let count: u32 = if digits.is_empty() {
            0
        } else {
            digits.parse().ok()?
        };
        let size = match (kind, count) {
            (b'b', 1) | (b'?', 0) => 1,
            (b'i' | b'u', 1 | 2 | 4 | 8) | (b'f', 2 | 4 | 8) => count,
            (b'U', 0..=4096) => count * 4,
            (b'S', 0..=16384) => count,
            (b'O', _) => 8,
            _ => return None,
        };
        Some(Self {
            kind: if kind == b'?' { b'b' } else { kind },
            size,
            big_endian,
        })
    }

    /// The number at the start of `bytes`; `None` if too short or not a number type.
    pub(super) fn number(self, bytes: &[u8]) -> Option<f64> {
        let mut raw = [0_u8; 8];
        let size = self.size as usize;
        if size > 8 {
            return None;
        }
        let part = raw.get_mut(..size)?;
        part.copy_from_slice(bytes.get(..size)?);
        if self.big_endian {
            part.reverse();
        }
        let word = u64::from_le_bytes(raw);
        Some(match (self.kind, size) {
            (b'b', 1) => f64::from(u8::from(word != 0)),
            (b'f', 8) => f64::from_bits(word),
            (b'f', 4) => f64::from(f32::from_bits(word as u32)),
            (b'f', 2) => half(word as u16),
            (b'i', 8) => word as i64 as f64,
            (b'i', 4) => f64::from(word as u32 as i32),
            (b'i', 2) => f64::from(word as u16 as i16),
            (b'i', 1) => f64::from(word as u8 as i8),
            (b'u', _) => word as f64,
            _ => return None,
        })
    }

    /// The text at the start of `bytes`, without padding.
    pub(super) fn text(self, bytes: &[u8]) -> Option<String> {
        let bytes = bytes.get(..self.size as usize)?;
        match self.kind {
            b'S' => Some(
                String::from_utf8_lossy(bytes)
                    .trim_end_matches('\0')
                    .to_owned(),
            ),
            b'U' => {
                let code = |word: &[u8; 4]| {
                    let code = if self.big_endian {
                        u32::from_be_bytes(*word)
                    } else {
                        u32::from_le_bytes(*word)
                    };
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                };
                let text: String = bytes.as_chunks::<4>().0.iter().map(code).collect();
                Some(text.trim_end_matches('\0').to_owned())
            }
            _ => None,
        }
    }
}

/// IEEE half precision.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    sign * match exponent {
        0 => fraction * 2_f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction) * 2_f64.powi(exponent - 15),
    }
}

/// An array; `data` has exactly as many elements as the shape says, which the machine checks.
#[derive(Debug)]
pub(super) struct Array {
    /// Rows; 1 for a single value.
    pub(super) rows: usize,
    /// Elements per row: the product of all further axes.
    pub(super) width: usize,
    /// Whether the first axis varies fastest.
    pub(super) fortran: bool,
    /// Element type.
    pub(super) dtype: Dtype,
    /// Bytes, or a list for object arrays.
    pub(super) data: Value,
}

impl Array {
    /// What `_reconstruct` gives before its state arrives.
    pub(super) fn empty() -> Self {
        Self {
            rows: 0,
            width: 1,
            fortran: false,
            dtype: Dtype {
                kind: b'b',
                size: 1,
                big_endian: false,
            },
            data: Value::None,
        }
    }

    /// Position of an element in `data`, counted in elements.
    pub(super) fn place(&self, row: usize, column: usize) -> usize {
        if self.fortran {
            row + column * self.rows
        } else {
            row * self.width + column
        }
    }
}
