//! Recordings too long for one scene are opened in windows of time: as `pick`, the start of a window in the
//! recording's own seconds ("300"), or its start and end ("300-320").

use std::path::Path;

use super::xml::number;
use super::{Entry, Format, OpenError};

/// Longest recording that is opened whole, s; longer ones are opened in windows.
pub(super) const WHOLE_S: f64 = 60.0;

/// Length of a window, s.
pub(super) const WINDOW_S: f64 = 30.0;

/// Longest window that may be asked for, s.
const LONGEST_S: f64 = 600.0;

/// Most windows listed of one file.
const MAX_WINDOWS: usize = 2000;

/// Largest text searched for the rows of one window, bytes (inflated).
pub(super) const MAX_SEARCH_BYTES: u64 = 64 << 30;

/// What part of a recording is wanted: start and end in its own time, s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Span {
    /// "300", "300 s", "300-320", or a window's name: "morning at 300 s".
    pub(super) fn parse(path: &Path, pick: &str) -> Result<Self, OpenError> {
        let text = pick.rsplit(" at ").next().unwrap_or(pick);
        let text = text.trim().trim_end_matches('s').trim();
        let both = text.split_once(['-', ':']);
        let span = match both.filter(|(start, _)| !start.trim().is_empty()) {
            Some((start, end)) => number(start).zip(number(end)),
            None => number(text).map(|start| (start, start + WINDOW_S)),
        };
        match span {
            Some((start, end)) if end > start && end - start <= LONGEST_S => {
                Ok(Self { start, end })
            }
            _ => Err(OpenError::NoSuchPick {
                path: path.display().to_string(),
                pick: pick.to_owned(),
                examples: format!(
                    "windows by their start in seconds, \"300\", or start and end, \"300-320\" (at most {LONGEST_S} s)"
                ),
            }),
        }
    }
}

/// The name of a recording called `title`, or of a window of it.
pub(super) fn name_of(title: &str, pick: Option<&str>) -> String {
    match pick {
        Some(pick) => format!("{title} at {pick} s"),
        None => title.to_owned(),
    }
}

/// The windows of a recording called `title` whose first and last time (s) are `range`; one entry for all of it where it is short
/// or its times are not known.
pub(super) fn entries(
    path: &Path,
    title: &str,
    range: Option<(f64, f64)>,
    format: Format,
) -> Vec<Entry> {
    let entry = |pick: Option<String>| Entry {
        file: path.to_path_buf(),
        name: name_of(title, pick.as_deref()),
        pick,
        format,
    };
    match range {
        Some((first, last)) if last - first > WHOLE_S => {
            let count = ((last - first) / WINDOW_S).ceil() as usize;
            (0..count.min(MAX_WINDOWS))
                .map(|index| entry(Some(format!("{}", first + index as f64 * WINDOW_S))))
                .collect()
        }
        _ => vec![entry(None)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_named_by_its_start_or_by_both_ends() {
        let parse = |pick: &str| Span::parse(Path::new("x"), pick).ok();
        let span = |start, end| Some(Span { start, end });
        assert_eq!(parse("300"), span(300.0, 330.0));
        assert_eq!(parse("morning at 300 s"), span(300.0, 330.0));
        assert_eq!(parse("300-320"), span(300.0, 320.0));
        assert_eq!(parse("-20"), span(-20.0, 10.0));
        for wrong in ["", "later", "320-300", "0-601", "nan"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_long_recording_is_listed_in_windows_and_a_short_one_whole() {
        let picks = |range| -> Vec<Option<String>> {
            let entries = entries(Path::new("a.csv"), "a", range, Format::SumoFcd);
            entries.into_iter().map(|entry| entry.pick).collect()
        };
        // 61 s: windows from 0.1, 30.1 and 60.1 s
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            picks(Some((0.1, 61.1))),
            [some("0.1"), some("30.1"), some("60.1")]
        );
        assert_eq!(picks(Some((0.1, 60.0))), [None]);
        assert_eq!(picks(None), [None]);
    }
}
