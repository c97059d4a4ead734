//! The rows of a window or a case, read as a stream: files are sorted by track and not by time, so that a window is
//! spread over all of a file, whereas a case lies together.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::Path;

use csv::ByteRecord;

use super::Dialect;
use super::columns::{Columns, TOO_FEW, Values};
use super::table::Table;
use crate::data::draft::MAX_AGENTS;
use crate::data::report::Report;
use crate::data::window::{Span, WHOLE_S, WINDOW_S};
use crate::data::{HEAD_BYTES, OpenError};

/// Most rows kept for one scene.
const MAX_ROWS: usize = 3_000_000;

/// Rows of other cases after which a case is taken to be complete.
const AFTER_CASE: usize = 200_000;

/// How far a time may lie outside a window for rounding, s.
const ROUNDING_S: f64 = 1e-6;

/// What part of a file is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    /// Of a recording: a window of time, or all of it where it is short and else its beginning.
    Window(Option<Span>),
    /// Of a file of cases: this one, or the first.
    Case(Option<i64>),
}

/// Somebody at a time.
#[derive(Debug)]
pub(super) struct Row {
    /// Index into the tracks.
    pub(super) who: usize,
    /// Time, s.
    pub(super) time_s: f64,
    /// Place and motion.
    pub(super) values: Values,
}

/// Whose track it is.
#[derive(Debug)]
pub(super) struct Named {
    /// Id as the file has it.
    pub(super) id: String,
    /// What it is, as the rows say; may be empty.
    pub(super) class: String,
}

/// What is kept of one or more files.
#[derive(Debug)]
pub(super) struct Rows {
    wanted: Wanted,
    /// In file order.
    pub(super) rows: Vec<Row>,
    /// In the order of their first rows; some may have lost all of theirs.
    pub(super) tracks: Vec<Named>,
    /// Least and greatest x of all boxes of the files, m, in highD.
    pub(super) stretch: Option<(f64, f64)>,
    first_s: f64,
    last_s: f64,
    bad: BTreeMap<&'static str, usize>,
}

impl Rows {
    /// Nothing read yet.
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            rows: Vec::new(),
            tracks: Vec::new(),
            stretch: None,
            first_s: f64::INFINITY,
            last_s: f64::NEG_INFINITY,
            bad: BTreeMap::new(),
        }
    }

    /// Reads a file to its end, or to that of the case. Ids are told apart within a file only.
    pub(super) fn read<R: Read>(
        &mut self,
        table: &mut Table<R>,
        columns: &Columns,
        report: &mut Report,
    ) {
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut since_last = 0;
        while let Some(record) = table.next_record() {
            match self.add(record, columns, &mut known) {
                Ok(true) => since_last = 0,
                Ok(false) => since_last += 1,
                Err(column) => *self.bad.entry(column).or_default() += 1,
            }
            if self.is_full() {
                report.problem(
                    "rows",
                    self.rows.len(),
                    "more tracks or rows than the limit; those that follow in the file are left out",
                );
                break;
            }
            let has_case = matches!(self.wanted, Wanted::Case(_)) && !self.rows.is_empty();
            if has_case && since_last > AFTER_CASE {
                break;
            }
        }
        if let Some(why) = table.broken_off() {
            let message = "the file breaks off; what comes before is kept";
            report.problem("rows", why, message);
        }
    }

    /// Adds a row; false if it is not wanted, an error names the column that cannot be read.
    fn add(
        &mut self,
        record: &ByteRecord,
        columns: &Columns,
        known: &mut BTreeMap<String, usize>,
    ) -> Result<bool, &'static str> {
        if !columns.is_whole(record) {
            return Err(TOO_FEW);
        }
        let case = columns.case(record)?;
        if let (Wanted::Case(Some(wanted)), Some(case)) = (self.wanted, case)
            && case != wanted
        {
            return Ok(false);
        }
        let time_s = columns.time_s(record)?;
        if let Some((low, high)) = columns.stretch(record) {
            let (least, greatest) = self.stretch.unwrap_or((low, high));
            self.stretch = Some((least.min(low), greatest.max(high)));
        }
        if let Wanted::Window(Some(span)) = self.wanted {
            let window = span.start - ROUNDING_S..=span.end + ROUNDING_S;
            if !window.contains(&time_s) {
                return Ok(false);
            }
        } else if time_s > self.first_s + WHOLE_S + ROUNDING_S {
            // the first time only ever falls, so what is too late now stays too late
            self.last_s = self.last_s.max(time_s);
            return Ok(false);
        }
        let values = columns.values(record)?;
        let id = columns.id(record)?;
        let class = columns.class(record)?;
        self.first_s = self.first_s.min(time_s);
        self.last_s = self.last_s.max(time_s);
        if let (Wanted::Case(None), Some(case)) = (self.wanted, case) {
            self.wanted = Wanted::Case(Some(case));
        }
        let who = match known.get(id) {
            Some(&who) => who,
            None => {
                let who = self.tracks.len();
                known.insert(id.to_owned(), who);
                self.tracks.push(Named {
                    id: id.to_owned(),
                    class: class.to_owned(),
                });
                who
            }
        };
        self.rows.push(Row {
            who,
            time_s,
            values,
        });
        Ok(true)
    }

    /// Whether no more may be read, after making room where there is some.
    fn is_full(&mut self) -> bool {
        if self.tracks.len() > 2 * MAX_AGENTS {
            return true;
        }
        if self.rows.len() < MAX_ROWS {
            return false;
        }
        self.shorten();
        // a file that is sorted backwards in time frees little at a time
        self.rows.len() > MAX_ROWS / 10 * 9
    }

    /// Whether the recording goes on after what is kept.
    fn goes_on(&self) -> bool {
        let is_chosen = matches!(self.wanted, Wanted::Window(Some(_)));
        !is_chosen && self.last_s - self.first_s > WHOLE_S + ROUNDING_S
    }

    /// Drops what lies after the window.
    fn shorten(&mut self) {
        if matches!(self.wanted, Wanted::Window(Some(_))) {
            return;
        }
        let length_s = if self.goes_on() { WINDOW_S } else { WHOLE_S };
        let end_s = self.first_s + length_s + ROUNDING_S;
        self.rows.retain(|row| row.time_s <= end_s);
    }

    /// Keeps the window and reports what was left out.
    pub(super) fn finish(&mut self, report: &mut Report) {
        self.shorten();
        for (&column, &count) in &self.bad {
            let reason = match column {
                TOO_FEW => "rows with too few fields".to_owned(),
                column => format!("rows without a readable {column}"),
            };
            report.skip_many(&reason, count);
        }
        if self.goes_on() {
            let first_s = self.first_s;
            report.note(format!(
                "the file is longer than {WHOLE_S} s: this is {WINDOW_S} s from {first_s} s on; pick another start to see more"
            ));
        }
    }

    /// The case that was read, in a file of cases.
    pub(super) fn case(&self) -> Option<i64> {
        match self.wanted {
            Wanted::Case(case) => case,
            Wanted::Window(_) => None,
        }
    }

    /// The column for which most rows were left out.
    pub(super) fn worst_column(&self) -> Option<&'static str> {
        let worst = self.bad.iter().max_by_key(|(_, count)| **count);
        worst.map(|(column, _)| *column)
    }
}

/// What the beginning and the end of a file say of the rest.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Least and greatest time, s.
    pub(super) times: Option<(f64, f64)>,
    /// Least and greatest case.
    pub(super) cases: Option<(i64, i64)>,
}

/// Reads the first and the last 64 KiB of a file.
pub(super) fn ends(path: &Path, dialect: Dialect, per_s: f64) -> Result<Ends, OpenError> {
    let io = |error: std::io::Error| OpenError::io(path, &error);
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut head = Table::new(file.take(HEAD_BYTES));
    let columns = Columns::new(&head.header, dialect, per_s, path)?;
    let mut ends = Ends::default();
    ends.widen(&mut head, &columns);
    if length > HEAD_BYTES {
        let mut file = File::open(path).map_err(io)?;
        let from = SeekFrom::Start(length - HEAD_BYTES);
        file.seek(from).map_err(io)?;
        // the line this lands in is rarely whole; it is passed over like a header
        let mut tail = Table::new(file.take(HEAD_BYTES));
        ends.widen(&mut tail, &columns);
    }
    Ok(ends)
}

impl Ends {
    fn widen<R: Read>(&mut self, table: &mut Table<R>, columns: &Columns) {
        while let Some(record) = table.next_record() {
            if !columns.is_whole(record) {
                continue;
            }
            if let Ok(time_s) = columns.time_s(record) {
                let (first, last) = self.times.unwrap_or((time_s, time_s));
                self.times = Some((first.min(time_s), last.max(time_s)));
            }
            if let Ok(Some(case)) = columns.case(record) {
                let (first, last) = self.cases.unwrap_or((case, case));
                self.cases = Some((first.min(case), last.max(case)));
            }
        }
    }
}
