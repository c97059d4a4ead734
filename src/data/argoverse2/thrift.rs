//! As much of the Thrift compact protocol as is needed to hold a Parquet file's claims against its size
//! (github.com/apache/thrift, doc/specs/thrift-compact-protocol.md; field numbers from parquet-format's parquet.thrift).

/// Deepest nesting.
const MAX_DEPTH: usize = 24;

/// A cursor over the bytes of a structure.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What of a page's header decides how much is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PageHeader {
    pub(super) inflated_bytes: i64,
    pub(super) stored_bytes: i64,
    pub(super) values: i64,
    pub(super) is_dictionary: bool,
}

/// Walks a structure and refuses texts and lists longer than what is left of the bytes.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let mut cursor = Cursor { bytes, at: 0 };
    cursor.structure(0, &mut |_, _, _| {})
}

impl PageHeader {
    /// Reads a page header, with its length in bytes.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, usize), String> {
        let mut header = Self::default();
        let mut cursor = Cursor { bytes, at: 0 };
        cursor.structure(0, &mut |depth, path, value| match (depth, path) {
            (0, [2, ..]) => header.inflated_bytes = value,
            (0, [3, ..]) => header.stored_bytes = value,
            // data_page_header, dictionary_page_header, data_page_header_v2: each begins with num_values
            (1, [5 | 8, 1]) => header.values = value,
            (1, [7, 1]) => {
                header.values = value;
                header.is_dictionary = true;
            }
            _ => {}
        })?;
        Ok((header, cursor.at))
    }
}

impl Cursor<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte.ok_or_else(|| "its description breaks off".to_owned())
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("its description holds a number that does not end".to_owned())
    }

    fn zigzag(&mut self) -> Result<i64, String> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn skip(&mut self, count: u64) -> Result<(), String> {
        let left = (self.bytes.len() - self.at.min(self.bytes.len())) as u64;
        if count > left {
            return Err("its description claims more than there is".to_owned());
        }
        self.at += count as usize;
        Ok(())
    }

    /// Walks a structure; `seen` gets every whole number with its depth and the ids of its field and the one around.
    fn structure(
        &mut self,
        depth: usize,
        seen: &mut dyn FnMut(usize, [i64; 2], i64),
    ) -> Result<(), String> {
        self.fields(depth, 0, seen)
    }

    fn fields(
        &mut self,
        depth: usize,
        around: i64,
        seen: &mut dyn FnMut(usize, [i64; 2], i64),
    ) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("its description is nested too deeply".to_owned());
        }
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            id = match head >> 4 {
                0 => self.zigzag()?,
                step => id.saturating_add(i64::from(step)),
            };
            // at depth 0 a field's own id stands first, below it comes second
            let path = if depth == 0 { [id, 0] } else { [around, id] };
            match head & 0x0f {
                4..=6 => {
                    let value = self.zigzag()?;
                    seen(depth, path, value);
                }
                kind => self.value(kind, depth, id, seen)?,
            }
        }
    }

    fn value(
        &mut self,
        kind: u8,
        depth: usize,
        id: i64,
        seen: &mut dyn FnMut(usize, [i64; 2], i64),
    ) -> Result<(), String> {
        match kind {
            // true and false stand in the field's head
            1 | 2 => Ok(()),
            3 => self.skip(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.skip(8),
            8 => {
                let length = self.varint()?;
                self.skip(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    count => u64::from(count),
                };
                self.room_for(count)?;
                for _ in 0..count {
                    match head & 0x0f {
                        // in lists flags take a byte each
                        1 | 2 => self.skip(1)?,
                        kind => self.nested(kind, depth, id)?,
                    }
                }
                Ok(())
            }
            11 => {
                let count = self.varint()?;
                if count == 0 {
                    return Ok(());
                }
                self.room_for(count)?;
                let kinds = self.byte()?;
                for _ in 0..count {
                    for kind in [kinds >> 4, kinds & 0x0f] {
                        match kind {
                            1 | 2 => self.skip(1)?,
                            kind => self.nested(kind, depth, id)?,
                        }
                    }
                }
                Ok(())
            }
            12 => self.fields(depth + 1, id, seen),
            _ => Err("its description holds a field of no known type".to_owned()),
        }
    }

    fn nested(&mut self, kind: u8, depth: usize, id: i64) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("its description is nested too deeply".to_owned());
        }
        self.value(kind, depth + 1, id, &mut |_, _, _| {})
    }

    /// Each entry takes at least a byte.
    fn room_for(&self, count: u64) -> Result<(), String> {
        let left = self.bytes.len().saturating_sub(self.at) as u64;
        if count > left {
            return Err(format!("its description claims a list of {count} entries"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PageHeader {1: type 0, 2: 100, 3: 60, 5: {1: 7, 2: 0}} by hand: field heads are (id step << 4) | type, i32 is
    /// type 5, a structure type 12, numbers are zigzag varints (100 → 200 = 0xc8 0x01).
    const HEADER: [u8; 14] = [
        0x15, 0x00, 0x15, 0xc8, 0x01, 0x15, 0x78, 0x2c, 0x15, 0x0e, 0x15, 0x00, 0x00, 0x00,
    ];

    #[test]
    fn a_page_header_tells_its_sizes() {
        let (header, taken) = PageHeader::read(&HEADER).unwrap();
        assert_eq!(taken, 14);
        let expected = PageHeader {
            inflated_bytes: 100,
            stored_bytes: 60,
            values: 7,
            is_dictionary: false,
        };
        assert_eq!(header, expected);
    }

    #[test]
    fn a_list_longer_than_the_bytes_is_refused() {
        // field 2, a list (type 9) of 15 → varint count 1,000,000 of i32
        let bytes = [0x29, 0xf5, 0xc0, 0x84, 0x3d, 0x00];
        assert!(check(&bytes).unwrap_err().contains("1000000 entries"));
        assert!(check(&HEADER[..6]).is_err());
    }
}
