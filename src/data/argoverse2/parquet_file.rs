//! Parquet tables, read defensively.
//!
//! The footer and every page header are walked first with a reader of their own for the Thrift compact protocol, and
//! each size they claim is held against the file and against limits: the decoder allocates by them. What it panics
//! on all the same is caught at this door.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use prost::bytes::Bytes;

use super::table::{MAX_ROWS, Table};
use super::thrift::{self, PageHeader};

/// Longest footer, and most bytes of one page and of all pages, inflated.
const MAX_FOOTER: usize = 1 << 20;
const MAX_PAGE: i64 = 64 << 20;
const MAX_INFLATED: i64 = 256 << 20;

/// Most row groups.
const MAX_GROUPS: usize = 10_000;

/// Reads the wanted columns of a file.
pub(super) fn read(bytes: Vec<u8>, wanted: &[&str]) -> Result<Table, String> {
    catch_unwind(AssertUnwindSafe(|| read_checked(bytes, wanted)))
        .unwrap_or_else(|_| Err("the Parquet decoder gave up on it".to_owned()))
}

fn read_checked(bytes: Vec<u8>, wanted: &[&str]) -> Result<Table, String> {
    check_footer(&bytes)?;
    let bytes = Bytes::from(bytes);
    // the Arrow schema that some writers leave in the footer may contradict the columns
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options)
        .map_err(|error| error.to_string())?;
    let metadata = builder.metadata();
    let rows: i64 = metadata
        .row_groups()
        .iter()
        .map(|group| group.num_rows().max(0))
        .sum();
    if rows > MAX_ROWS as i64 || metadata.num_row_groups() > MAX_GROUPS {
        return Err(format!(
            "it claims {rows} rows; at most {MAX_ROWS} are read"
        ));
    }
    let schema = builder.parquet_schema();
    let columns: Vec<usize> = (0..schema.num_columns())
        .filter(|&index| {
            let column = schema.column(index);
            column.path().parts().len() == 1
                && column.max_rep_level() == 0
                && wanted.contains(&column.name())
        })
        .collect();
    let mut inflated = 0;
    for group in metadata.row_groups() {
        for &index in &columns {
            let column = group
                .columns()
                .get(index)
                .ok_or("a row group lacks a column")?;
            // not byte_range(): it panics where these are negative
            let from = column.dictionary_page_offset();
            let from = from.unwrap_or(column.data_page_offset());
            let range = usize::try_from(from)
                .ok()
                .zip(usize::try_from(column.compressed_size()).ok());
            let chunk = range.and_then(|(from, length)| bytes.get(from..from.checked_add(length)?));
            let chunk = chunk.ok_or("a column reaches beyond the file")?;
            check_pages(chunk, column.compression(), rows, &mut inflated)?;
        }
    }
    let mask = ProjectionMask::leaves(schema, columns);
    let reader = builder
        .with_projection(mask)
        .with_batch_size(8192)
        .build()
        .map_err(|error| error.to_string())?;
    let mut table = Table::default();
    for batch in reader {
        table.append(&batch.map_err(|error| error.to_string())?, wanted)?;
    }
    Ok(table)
}

/// PAR1 ... footer, its length as u32, PAR1.
fn check_footer(bytes: &[u8]) -> Result<(), String> {
    let end = bytes
        .len()
        .checked_sub(8)
        .filter(|end| *end >= 4)
        .ok_or("too short")?;
    if !bytes.starts_with(b"PAR1") || !bytes.ends_with(b"PAR1") {
        return Err("it does not begin and end with PAR1 (incomplete or encrypted)".to_owned());
    }
    let length = bytes[end..]
        .first_chunk()
        .map_or(0, |four| u32::from_le_bytes(*four)) as usize;
    let begin = end
        .checked_sub(length)
        .ok_or("the footer is longer than the file")?;
    if length > MAX_FOOTER {
        return Err(format!(
            "the footer has {length} bytes; at most {MAX_FOOTER} are read"
        ));
    }
    thrift::check(&bytes[begin..end])
}

/// Walks the pages of a column.
fn check_pages(
    mut chunk: &[u8],
    compression: Compression,
    rows: i64,
    inflated: &mut i64,
) -> Result<(), String> {
    while !chunk.is_empty() {
        let (header, taken) = PageHeader::read(chunk)?;
        let PageHeader {
            inflated_bytes,
            stored_bytes,
            values,
            is_dictionary,
        } = header;
        let claims = format!("a page claims {inflated_bytes} bytes and {values} values");
        let most_values = if is_dictionary { inflated_bytes } else { rows };
        if !(0..=MAX_PAGE).contains(&inflated_bytes) || !(0..=most_values).contains(&values) {
            return Err(claims);
        }
        let stored = usize::try_from(stored_bytes).ok();
        let body = stored.and_then(|stored| chunk.get(taken..taken.checked_add(stored)?));
        let body = body.ok_or("a page reaches beyond its column")?;
        *inflated += inflated_bytes;
        if *inflated > MAX_INFLATED {
            return Err(format!("its pages claim more than {MAX_INFLATED} bytes"));
        }
        if compression == Compression::SNAPPY && !header_fits_snappy(body, inflated_bytes) {
            return Err("a page inflates to another size than it says".to_owned());
        }
        chunk = chunk.get(taken + body.len()..).unwrap_or_default();
    }
    Ok(())
}

/// Snappy data begin with their inflated size as a varint. (Pages of version 2 begin with uncompressed levels; their
/// first bytes are small too, or the decoder's own comparison refuses them.)
fn header_fits_snappy(body: &[u8], inflated_bytes: i64) -> bool {
    let mut size = 0_u64;
    for (index, byte) in body.iter().take(5).enumerate() {
        size |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return size <= inflated_bytes.unsigned_abs();
        }
    }
    body.is_empty()
}
