//! Comma-separated text as a stream of records, in bounded memory whatever the file holds.
//!
//! Quotes are no syntax here: the data sets write numbers and single words, and a stray quote in a damaged file would
//! otherwise swallow everything up to the next one.

use std::fs::File;
use std::io::{self, Read, Take};
use std::path::Path;

use csv::ByteRecord;

use crate::data::window::MAX_SEARCH_BYTES;
use crate::data::xml::number;

/// Longest line, bytes; those of the data sets have a few hundred.
const MAX_LINE: usize = 1 << 20;

/// Bytes read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// A header line and the records that follow it.
#[derive(Debug)]
pub(in crate::data) struct Table<R> {
    reader: csv::Reader<ShortLines<R>>,
    record: ByteRecord,
    /// The names of the columns, without blanks and quotes around them.
    pub(in crate::data) header: Vec<String>,
    breaks_off: Option<String>,
}

impl Table<Take<File>> {
    /// Opens a file and reads its header line.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::new(File::open(path)?.take(MAX_SEARCH_BYTES)))
    }
}

impl<R: Read> Table<R> {
    /// Reads the header line.
    pub(in crate::data) fn new(input: R) -> Self {
        let lines = ShortLines {
            input,
            since_line: 0,
        };
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .quoting(false)
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(lines);
        let mut table = Self {
            reader,
            record: ByteRecord::new(),
            header: Vec::new(),
            breaks_off: None,
        };
        let mut header = Vec::new();
        if let Some(record) = table.next_record() {
            let names = record.iter().map(String::from_utf8_lossy);
            header.extend(names.map(|name| bare(&name).to_owned()));
        }
        table.header = header;
        table
    }

    /// The next record; `None` at the end, or where reading fails.
    pub(in crate::data) fn next_record(&mut self) -> Option<&ByteRecord> {
        match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => Some(&self.record),
            Ok(false) => None,
            Err(error) => {
                self.breaks_off = Some(error.to_string());
                None
            }
        }
    }

    /// Position of the column of this name.
    pub(in crate::data) fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|known| known == name)
    }

    /// Why reading stopped before the end.
    pub(in crate::data) fn broken_off(&self) -> Option<&str> {
        self.breaks_off.as_deref()
    }
}

/// Text without the blanks, quotes and byte order mark around it.
pub(super) fn bare(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}');
    text.trim().trim_matches('"').trim()
}

/// A field as text; `None` where it is missing or not UTF-8.
pub(in crate::data) fn text_in(record: &ByteRecord, column: usize) -> Option<&str> {
    let field = record.get(column)?;
    std::str::from_utf8(field).ok().map(bare)
}

/// A field as a finite number.
pub(in crate::data) fn number_in(record: &ByteRecord, column: usize) -> Option<f64> {
    number(text_in(record, column)?)
}

/// A number that is whole.
pub(super) fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() <= 1e15).then_some(value as i64)
}

/// An id as it is compared and shown: some files write whole numbers as "17.0".
pub(super) fn plain_id(text: &str) -> &str {
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_suffix(".0").filter(digits).unwrap_or(text)
}

/// Refuses lines without an end, which would be read into memory as a whole.
#[derive(Debug)]
struct ShortLines<R> {
    input: R,
    /// Bytes since the last line end.
    since_line: usize,
}

impl<R: Read> Read for ShortLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        let line_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        self.since_line = match bytes.iter().rposition(line_end) {
            Some(end) => count - end - 1,
            None => self.since_line + count,
        };
        if self.since_line > MAX_LINE {
            return Err(io::Error::other(format!(
                "a line is longer than {MAX_LINE} bytes"
            )));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_stands_around_them() {
        let table = Table::new("\u{feff}\"id\", x ,\" y\"\n".as_bytes());
        assert_eq!(table.header, ["id", "x", "y"]);
        assert_eq!((table.column("y"), table.column("z")), (Some(2), None));
    }

    #[test]
    fn a_stray_quote_swallows_no_lines() {
        let mut table = Table::new("a,b\n\"1,2\n3,4\n".as_bytes());
        let record = table.next_record().unwrap();
        assert_eq!(number_in(record, 0), Some(1.0));
        assert_eq!(number_in(table.next_record().unwrap(), 1), Some(4.0));
        assert!(table.next_record().is_none() && table.broken_off().is_none());
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let endless = io::repeat(b'7');
        let mut table = Table::new("a,b\n1,2\n".as_bytes().chain(endless));
        while table.next_record().is_some() {}
        assert!(table.broken_off().unwrap().contains("longer than"));
    }

    #[test]
    fn whole_numbers_and_ids_are_told_from_others() {
        assert_eq!(
            (whole(17.0), whole(17.5), whole(1e300)),
            (Some(17), None, None)
        );
        let ids = ["17.0", "17", "P3", "P.0", ".0"].map(plain_id);
        assert_eq!(ids, ["17", "17", "P3", "P.0", ".0"]);
    }
}
