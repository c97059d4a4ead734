//! Blosc 1 chunks with LZ4 inside, as Zarr arrays hold them (the header and block layout of
//! `README_CHUNK_FORMAT.rst`, c-blosc 1.x).

/// Bytes before the block offsets.
const HEADER: usize = 16;
/// Most bytes a chunk may become.
const MOST_BYTES: usize = 256 << 20;
/// Blocks are split into streams of one byte of each item only for items and streams of these sizes.
const MOST_SPLITS: usize = 16;
const LEAST_STREAM: usize = 128;

/// The bytes of a chunk.
///
/// # Errors
/// A sentence, if it is cut off, contradicts itself, or is compressed by something else than LZ4.
pub(super) fn decompress(chunk: &[u8]) -> Result<Vec<u8>, String> {
    let &[_, _, flags, item, ..] = chunk else {
        return Err("it is shorter than a header".to_owned());
    };
    let size = number(chunk, 4)?;
    let block = number(chunk, 8)?;
    if size > MOST_BYTES {
        return Err(format!(
            "it says to hold {size} bytes; {MOST_BYTES} are possible"
        ));
    }
    if flags & 0x02 != 0 {
        let plain = chunk.get(HEADER..HEADER + size);
        return plain.map(<[u8]>::to_vec).ok_or_else(|| cut_off(size));
    }
    if flags >> 5 != 1 {
        return Err(format!(
            "its compressor is number {}; only LZ4 (1) is read",
            flags >> 5
        ));
    }
    if flags & 0x04 != 0 {
        return Err("its bits are shuffled, which is not read".to_owned());
    }
    let item = usize::from(item).max(1);
    if size == 0 {
        return Ok(Vec::new());
    }
    if block == 0 || block > MOST_BYTES {
        return Err(format!("its blocks are {block} bytes long"));
    }
    let mut out = Vec::with_capacity(size);
    for index in 0..size.div_ceil(block) {
        let length = block.min(size - index * block);
        let start = number(chunk, HEADER + 4 * index)?;
        let splits = if flags & 0x10 == 0
            && item <= MOST_SPLITS
            && block / item >= LEAST_STREAM
            && length == block
        {
            item
        } else {
            1
        };
        let mut plain = vec![0; length];
        let mut at = start;
        // what does not divide into streams belongs to none
        for stream in plain.chunks_exact_mut(length / splits).take(splits) {
            let packed = number(chunk, at)?;
            at += 4;
            let bytes = chunk
                .get(at..at.saturating_add(packed))
                .ok_or_else(|| cut_off(at))?;
            at += packed;
            if packed == stream.len() {
                stream.copy_from_slice(bytes);
                continue;
            }
            let made = lz4_flex::block::decompress_into(bytes, stream);
            if made.as_ref().ok() != Some(&stream.len()) {
                return Err(format!("block {index} is no LZ4 of {} bytes", stream.len()));
            }
        }
        if flags & 0x01 != 0 && item > 1 {
            plain = unshuffled(&plain, item);
        }
        out.extend(plain);
    }
    Ok(out)
}

/// Bytes that were put together by their place in an item, as they were.
fn unshuffled(bytes: &[u8], item: usize) -> Vec<u8> {
    let count = bytes.len() / item;
    let mut out = bytes.to_vec(); // what is left of an item at the end stays
    for place in 0..item {
        for index in 0..count {
            out[index * item + place] = bytes[place * count + index];
        }
    }
    out
}

fn number(chunk: &[u8], at: usize) -> Result<usize, String> {
    let bytes = chunk
        .get(at..at.saturating_add(4))
        .ok_or_else(|| cut_off(at))?;
    let value = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    usize::try_from(value).map_err(|_| format!("byte {at}: the number {value} is negative"))
}

fn cut_off(at: usize) -> String {
    format!("it ends before byte {at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chunk of one block of `plain`, shuffled by `item`, with `flags` beside LZ4.
    fn chunk(plain: &[u8], item: usize, packed: &[u8], flags: u8) -> Vec<u8> {
        let mut out = vec![2, 1, 0x20 | flags, item as u8];
        let total = HEADER + 4 + 4 + packed.len();
        for value in [plain.len(), plain.len(), total, HEADER + 4, packed.len()] {
            out.extend((value as u32).to_le_bytes());
        }
        out.extend(packed);
        out
    }

    #[test]
    fn a_shuffled_block_is_put_back() {
        // three items of two bytes, low bytes first: 1, 2, 3 and 10, 20, 30; five literals and the sixth
        let shuffled = [1, 2, 3, 10, 20, 30];
        let packed = [&[0x60][..], &shuffled].concat(); // LZ4: six literals, no match
        let found = decompress(&chunk(&shuffled, 2, &packed, 0x11)).unwrap();
        assert_eq!(found, [1, 10, 2, 20, 3, 30]);
        let raw = decompress(&chunk(&shuffled, 2, &shuffled, 0x11)).unwrap();
        assert_eq!(raw, found);
    }

    #[test]
    fn damaged_chunks_are_refused() {
        let good = chunk(&[7; 6], 1, &[7; 6], 0x10);
        assert_eq!(decompress(&good).unwrap(), [7; 6]);
        for end in 0..good.len() {
            assert!(decompress(&good[..end]).is_err(), "{end}");
        }
        let mut other = good.clone();
        other[2] = 0x90;
        assert!(
            decompress(&other)
                .unwrap_err()
                .contains("compressor is number 4")
        );
        let mut huge = good;
        huge[4..8].copy_from_slice(&i32::MAX.to_le_bytes());
        assert!(decompress(&huge).unwrap_err().contains("says to hold"));
    }
}
