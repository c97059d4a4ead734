//! Arrow IPC ("feather") tables, read defensively.
//!
//! Every block and buffer that the file claims is held against its size before the decoder sees it, above all the
//! inflated sizes it allocates by; what the decoder panics on all the same is caught at this door.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{Block, Message, root_as_footer, root_as_message};

use super::table::{MAX_ROWS, Table};

/// Most bytes that the buffers of one table may inflate to.
const MAX_INFLATED: i64 = 256 << 20;

/// Most record batches and dictionaries.
const MAX_BLOCKS: usize = 10_000;

/// Reads the wanted columns of a file.
pub(super) fn read(bytes: &[u8], wanted: &[&str]) -> Result<Table, String> {
    catch_unwind(AssertUnwindSafe(|| read_checked(bytes, wanted)))
        .unwrap_or_else(|_| Err("the Arrow decoder gave up on it".to_owned()))
}

fn read_checked(bytes: &[u8], wanted: &[&str]) -> Result<Table, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    // ARROW1\0\0 ... footer, its length as i32, ARROW1
    let end = bytes
        .len()
        .checked_sub(10)
        .filter(|end| *end > 8)
        .ok_or("too short")?;
    if !bytes.starts_with(b"ARROW1") || !bytes.ends_with(b"ARROW1") {
        return Err(
            "it does not begin and end with ARROW1 (incomplete, or Feather version 1)".to_owned(),
        );
    }
    let length = bytes[end..end + 4]
        .first_chunk()
        .map(|four| i32::from_le_bytes(*four));
    let begin = length
        .and_then(|length| end.checked_sub(usize::try_from(length).ok()?))
        .ok_or("the footer is longer than the file")?;
    let footer = root_as_footer(&bytes[begin..end]).map_err(|error| text(&error))?;
    let schema = footer.schema().ok_or("there is no schema")?;
    let schema = try_fb_to_schema(schema).map_err(|error| text(&error))?;
    let schema = Arc::new(schema);
    let names = schema.fields().iter().enumerate();
    let columns = names.filter(|(_, field)| wanted.contains(&field.name().as_str()));
    let columns: Vec<usize> = columns.map(|(index, _)| index).collect();
    let mut decoder = FileDecoder::new(schema, footer.version()).with_projection(columns);
    let mut inflated = 0;
    let dictionaries = footer.dictionaries().into_iter().flatten();
    for block in dictionaries.take(MAX_BLOCKS) {
        let data = block_bytes(bytes, block, &mut inflated)?;
        decoder
            .read_dictionary(block, &data.into())
            .map_err(|error| text(&error))?;
    }
    let mut table = Table::default();
    let batches = footer.recordBatches().into_iter().flatten();
    for block in batches.take(MAX_BLOCKS) {
        let data = block_bytes(bytes, block, &mut inflated)?;
        let batch = decoder
            .read_record_batch(block, &data.into())
            .map_err(|error| text(&error))?;
        if let Some(batch) = batch {
            table.append(&batch, wanted)?;
        }
    }
    Ok(table)
}

/// The bytes of a block, its claims checked.
fn block_bytes(bytes: &[u8], block: &Block, inflated: &mut i64) -> Result<Vec<u8>, String> {
    let range = || {
        let from = usize::try_from(block.offset()).ok()?;
        let head = usize::try_from(block.metaDataLength()).ok()?;
        let body = usize::try_from(block.bodyLength()).ok()?;
        let to = from.checked_add(head)?.checked_add(body)?;
        Some((bytes.get(from..to)?, head))
    };
    let (data, head) = range().ok_or("a block reaches beyond the file")?;
    let (header, body) = data.split_at(head);
    // continuation mark and length come before the message, or the length alone in old files
    let message = match header.get(..4) {
        Some([255, 255, 255, 255]) => header.get(8..),
        _ => header.get(4..),
    };
    let message = message.ok_or("a block has no header")?;
    let message = root_as_message(message).map_err(|error| error.to_string())?;
    check_message(&message, body, inflated)?;
    Ok(data.to_vec())
}

fn check_message(message: &Message<'_>, body: &[u8], inflated: &mut i64) -> Result<(), String> {
    let batch = match message.header_as_dictionary_batch() {
        Some(dictionary) => dictionary.data(),
        None => message.header_as_record_batch(),
    };
    let Some(batch) = batch else {
        return Err("a block holds something else than rows".to_owned());
    };
    let limit = MAX_ROWS as i64;
    let rows = batch.length();
    let nodes = batch.nodes().into_iter().flatten();
    let mut counts = nodes.flat_map(|node| [node.length(), node.null_count()]);
    if !(0..=limit).contains(&rows) || counts.any(|count| !(0..=limit).contains(&count)) {
        return Err(format!(
            "a block claims {rows} rows; at most {limit} are read"
        ));
    }
    for buffer in batch.buffers().into_iter().flatten() {
        let range = || {
            let from = usize::try_from(buffer.offset()).ok()?;
            let to = from.checked_add(usize::try_from(buffer.length()).ok()?)?;
            body.get(from..to)
        };
        let data = range().ok_or("a buffer reaches beyond its block")?;
        // compressed buffers begin with their inflated size; -1 means stored as it is
        let size = match (batch.compression(), data.first_chunk()) {
            (Some(_), Some(size)) => i64::from_le_bytes(*size).max(0),
            _ => data.len() as i64,
        };
        *inflated = inflated.saturating_add(size);
        if *inflated > MAX_INFLATED {
            return Err(format!("its buffers claim more than {MAX_INFLATED} bytes"));
        }
    }
    Ok(())
}
