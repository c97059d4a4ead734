//! TFRecord framing: length, checksum of the length, bytes, checksum of the bytes; again and again.

use std::io::Read;
use std::path::Path;

use super::OpenError;

/// Largest record read, bytes; a Waymo scenario takes about 1 MB, with lidar a few more.
const MAX_RECORD_BYTES: u64 = 64 << 20;

/// Most records of a file.
const MAX_RECORDS: usize = 100_000;

/// The records of a file, one after another.
pub(super) struct Records<'a, R> {
    reader: R,
    path: &'a Path,
    count: usize,
}

impl<'a, R: Read> Records<'a, R> {
    /// `path` is for messages.
    pub(super) fn new(reader: R, path: &'a Path) -> Self {
        Self {
            reader,
            path,
            count: 0,
        }
    }

    /// The next record into `bytes` (its old content is dropped); false at the end of the file.
    pub(super) fn read(&mut self, bytes: &mut Vec<u8>) -> Result<bool, OpenError> {
        let element = format!("record {}", self.count);
        let damaged = |message: String| OpenError::damaged(self.path, element.clone(), message);
        let mut fill = |bytes: &mut Vec<u8>, count: u64| {
            bytes.clear();
            let taken = (&mut self.reader).take(count).read_to_end(bytes);
            taken.map_err(|error| damaged(error.to_string()))
        };
        let mut head = Vec::with_capacity(12);
        match fill(&mut head, 12)? {
            0 => return Ok(false),
            12 => {}
            found => return Err(damaged(format!("its header has {found} of 12 bytes"))),
        }
        let (Some(length), Some(sum)) = (head.first_chunk::<8>(), head.last_chunk::<4>()) else {
            return Err(damaged("it has no header".to_owned()));
        };
        if masked_crc32c(length) != u32::from_le_bytes(*sum) {
            return Err(damaged(
                "the checksum of its length does not match".to_owned(),
            ));
        }
        let length = u64::from_le_bytes(*length);
        if length > MAX_RECORD_BYTES {
            let element = format!("{element}: length in bytes");
            return Err(OpenError::too_large(
                self.path,
                element,
                length,
                MAX_RECORD_BYTES,
            ));
        }
        let found = fill(bytes, length)? as u64;
        if found != length {
            return Err(damaged(format!(
                "the file ends after {found} of its {length} bytes"
            )));
        }
        let mut sum = Vec::with_capacity(4);
        fill(&mut sum, 4)?;
        let stated = sum.first_chunk::<4>().map(|sum| u32::from_le_bytes(*sum));
        if stated != Some(masked_crc32c(bytes)) {
            return Err(damaged("its checksum does not match".to_owned()));
        }
        self.count += 1;
        if self.count > MAX_RECORDS {
            let count = self.count as u64;
            return Err(OpenError::too_large(
                self.path,
                "number of records",
                count,
                MAX_RECORDS as u64,
            ));
        }
        Ok(true)
    }
}

/// CRC32C, rotated right by 15 bits, plus 0xa282ead8: as TensorFlow's `record_writer.cc` does it.
pub(super) fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
pub(super) fn framed(record: &[u8]) -> Vec<u8> {
    let length = (record.len() as u64).to_le_bytes();
    let mut bytes = length.to_vec();
    bytes.extend(masked_crc32c(&length).to_le_bytes());
    bytes.extend(record);
    bytes.extend(masked_crc32c(record).to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_one_by_one_until_the_end() {
        // crc32c("123456789") = 0xe3069283, the check value of the Castagnoli polynomial
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        let file = [framed(b"one"), framed(b""), framed(b"three")].concat();
        let mut records = Records::new(file.as_slice(), Path::new("x"));
        let mut bytes = Vec::new();
        let mut found = Vec::new();
        while records.read(&mut bytes).unwrap() {
            found.push(bytes.clone());
        }
        assert_eq!(found, [b"one".to_vec(), Vec::new(), b"three".to_vec()]);
    }

    #[test]
    fn any_damage_is_named_with_the_record() {
        let file = framed(b"content");
        for position in 0..file.len() {
            let mut broken = file.clone();
            broken[position] ^= 0x10;
            let mut records = Records::new(broken.as_slice(), Path::new("x.tfrecord"));
            let message = records.read(&mut Vec::new()).unwrap_err().to_string();
            assert!(message.contains("x.tfrecord: record 0"), "{message}");
        }
        for end in 1..file.len() {
            let mut records = Records::new(&file[..end], Path::new("x"));
            assert!(records.read(&mut Vec::new()).is_err());
        }
    }

    #[test]
    fn a_length_of_terabytes_is_refused_before_memory_is_taken() {
        let length = (1_u64 << 42).to_le_bytes();
        let mut file = length.to_vec();
        file.extend(masked_crc32c(&length).to_le_bytes());
        let mut records = Records::new(file.as_slice(), Path::new("x"));
        assert!(matches!(
            records.read(&mut Vec::new()),
            Err(OpenError::TooLarge { .. })
        ));
    }
}
