//! The protobuf wire format, one level at a time, so that large messages need not be decoded whole.

/// A field's value as it lies in the message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    /// Whole numbers, truth values, enumerations.
    Varint(u64),
    /// Doubles.
    Fixed64([u8; 8]),
    /// Floats.
    Fixed32([u8; 4]),
    /// Messages, texts, packed lists.
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    /// The bytes of a message, text or packed list.
    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// The fields of a message: tag number and value. Ends with an error where the bytes are no message.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Field<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(*self.take(8)?.first_chunk()?),
            5 => Field::Fixed32(*self.take(4)?.first_chunk()?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            _ => return None,
        };
        (tag >> 3 > 0).then_some((tag >> 3, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Some(value);
            }
        }
        None
    }
}

/// The bytes are no protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoMessage;

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), NoMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or(NoMessage))
    }
}

/// Packed whole numbers.
pub(super) fn packed_integers(bytes: &[u8]) -> impl Iterator<Item = i64> {
    let mut fields = Fields::of(bytes);
    std::iter::from_fn(move || fields.varint().map(|number| number as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_kind_are_found() {
        // 1: varint 300; 2: "hi"; 3: float 1.0; 4: double 2.0
        let message = [
            &[
                0x08, 0xac, 0x02, 0x12, 2, b'h', b'i', 0x1d, 0, 0, 0x80, 0x3f, 0x21,
            ][..],
            &2.0_f64.to_le_bytes(),
        ]
        .concat();
        let found: Vec<_> = Fields::of(&message).map(Result::unwrap).collect();
        assert_eq!(
            found,
            [
                (1, Field::Varint(300)),
                (2, Field::Bytes(b"hi")),
                (3, Field::Fixed32(1.0_f32.to_le_bytes())),
                (4, Field::Fixed64(2.0_f64.to_le_bytes())),
            ]
        );
        for end in [1, 2, 4, 8, message.len() - 1] {
            assert!(
                Fields::of(&message[..end]).any(|field| field.is_err()),
                "{end}"
            );
        }
    }

    #[test]
    fn a_varint_without_end_is_no_number() {
        assert_eq!(packed_integers(&[0xff; 20]).count(), 0);
        let minus_one = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(packed_integers(&minus_one).collect::<Vec<_>>(), [-1]);
    }
}
