//! What a sweep came to, as a table, as letters for a terminal, and as maps for a page.

use std::fmt::Write as _;

use super::{Cell, Made};
use crate::generator::{Axis, Sweep};
use crate::metrics::Sheet;
use crate::page::{Map, Spot};
use crate::planner::{Decoder, DriveOutcome};
use crate::scene::file_word;

/// A sweep and what came of it.
pub(super) struct Told<'a> {
    pub(super) sweep: &'a Sweep,
    /// Combination by combination.
    pub(super) cells: &'a [Cell],
    /// By what it is looked at: the gates, then each planner's drives, in their order.
    pub(super) looks: Vec<Option<Decoder>>,
}

/// What a combination came to, in a letter.
fn letter(cell: &Cell, look: usize) -> char {
    let made = match cell {
        Cell::Waiting => return '?',
        Cell::Left => return '\u{b7}',
        Cell::No(_) => return '-',
        Cell::Made(made) => made,
    };
    let Some(at) = look.checked_sub(1).filter(|_| made.scene.is_valid()) else {
        return if made.scene.is_valid() { 'v' } else { 'x' };
    };
    match made.drives.get(at).map(|drive| &drive.came) {
        None => '?',
        Some(Err(_)) => '!',
        Some(Ok(report)) => match report.outcome() {
            DriveOutcome::Clear => 'c',
            DriveOutcome::Touched(_) => 'h',
            DriveOutcome::AtFault(_) => 'F',
            DriveOutcome::OffRoad(_) => 'o',
        },
    }
}

/// What the letters stand for, in the order in which they are explained.
const LETTERS: [(char, &str); 10] = [
    ('v', "valid"),
    ('c', "clear"),
    ('h', "hit"),
    ('F', "at fault"),
    ('o', "off road"),
    ('!', "planner failed"),
    ('x', "fails a gate"),
    ('-', "cannot be"),
    ('\u{b7}', "left out"),
    ('?', "not made"),
];

impl Told<'_> {
    /// What a look is called.
    fn title(&self, look: usize) -> &'static str {
        match self.looks.get(look) {
            Some(Some(planner)) => planner.label(),
            _ => "Gates",
        }
    }

    /// The axes of rows and columns, and the number of combinations of the axes before them.
    fn sides(&self) -> (Option<&Axis>, Option<&Axis>, usize) {
        match self.sweep.axes.as_slice() {
            [] => (None, None, 1),
            [rows] => (Some(rows), None, 1),
            [before @ .., rows, columns] => {
                let slices = before.iter().map(|axis| axis.values.len()).product();
                (Some(rows), Some(columns), slices)
            }
        }
    }

    /// For each combination of all axes but the last two: their values in words, and the number of its first cell.
    fn slices(&self) -> Vec<(String, usize)> {
        let (.., slices) = self.sides();
        let size = self.cells.len() / slices.max(1);
        let before = self.sweep.axes.len().saturating_sub(2);
        let name = |slice: usize| {
            let place = self.sweep.position(slice * size);
            let axes = self.sweep.axes.iter().zip(place).take(before);
            let words =
                axes.map(|(axis, at)| format!("{} {}", axis.parameter, axis.value_text(at)));
            words.collect::<Vec<String>>().join(", ")
        };
        (0..slices)
            .map(|slice| (name(slice), slice * size))
            .collect()
    }

    /// For each combination the nearest whose result is known, where those around it came to the same.
    fn nearest(&self, look: usize) -> Vec<Option<usize>> {
        let letters = self.cells.iter().map(|cell| letter(cell, look));
        let results = letters.map(|letter| Some(letter).filter(|it| !"?\u{b7}!".contains(*it)));
        self.sweep.enclosed(&results.collect::<Vec<_>>())
    }

    /// Maps for a page, one for each combination of all axes but the last two.
    pub(super) fn maps(&self, look: usize) -> Vec<Map> {
        let (Some(rows), columns, slices) = self.sides() else {
            return Vec::new();
        };
        let size = self.cells.len() / slices.max(1);
        let nearest = self.nearest(look);
        let mut cases = 0;
        let mut maps = Vec::new();
        for (name, first) in self.slices() {
            let of_it = first..first + size;
            let spots = of_it.clone().map(|number| match &self.cells[number] {
                Cell::Waiting => Spot::Waiting,
                Cell::No(why) => Spot::Off {
                    word: "no way".to_owned(),
                    about: why.clone(),
                },
                Cell::Left => {
                    let near = nearest[number].filter(|near| of_it.contains(near));
                    Spot::Left(near.map(|near| near - first))
                }
                Cell::Made(_) => {
                    cases += 1;
                    Spot::Case(cases - 1)
                }
            });
            let title = self.title(look);
            maps.push(Map {
                title: match name.is_empty() {
                    true => title.to_owned(),
                    false => format!("{title}, {name}"),
                },
                spots: spots.collect(),
                sides: [rows.title(), columns.map_or(String::new(), Axis::title)],
                values: [
                    rows.numbers(),
                    columns.map_or(vec![String::new()], Axis::numbers),
                ],
            });
        }
        maps
    }

    /// All looks as letters, with what the letters stand for; of a single axis from where to where it came to the same.
    pub(super) fn text(&self) -> String {
        let (Some(rows), columns, slices) = self.sides() else {
            return String::new();
        };
        let size = self.cells.len() / slices.max(1);
        let mut text = String::new();
        for look in 0..self.looks.len() {
            for (name, first) in self.slices() {
                let cells = &self.cells[first..first + size];
                let title = self.title(look);
                let titles = [title, &name].into_iter().filter(|it| !it.is_empty());
                let titles = titles.collect::<Vec<&str>>().join(", ");
                let _infallible = match columns {
                    None => writeln!(text, "{titles}, {}", rows.parameter),
                    Some(columns) => {
                        writeln!(text, "{titles}, {} by {}", rows.title(), columns.title())
                    }
                };
                match columns {
                    None => runs(rows, cells, look, &mut text),
                    Some(columns) => grid([rows, columns], cells, look, &mut text),
                }
                text.push('\n');
            }
        }
        let looks = 0..self.looks.len();
        let shown: String = looks
            .flat_map(|look| self.cells.iter().map(move |cell| letter(cell, look)))
            .collect();
        if columns.is_some() {
            let met = LETTERS.iter().filter(|(letter, _)| shown.contains(*letter));
            let words: Vec<String> = met
                .map(|(letter, word)| format!("{letter} {word}"))
                .collect();
            let _infallible = writeln!(text, "{}", words.join(", "));
        }
        text
    }

    /// A line for each combination that was made or cannot be: values, gates, and of each planner what came of its drive.
    pub(super) fn table(&self) -> String {
        let mut sheet = Sheet::default();
        for (number, cell) in self.cells.iter().enumerate() {
            if matches!(cell, Cell::Left | Cell::Waiting) {
                continue;
            }
            sheet.begin();
            sheet.swept(&self.sweep.values(number));
            match cell {
                Cell::Made(made) => self.put_case(made, &mut sheet),
                Cell::No(why) => sheet.put("error", &**why),
                Cell::Left | Cell::Waiting => {}
            }
        }
        sheet.text()
    }

    fn put_case(&self, made: &Made, sheet: &mut Sheet) {
        let scene = &made.scene;
        sheet.put("case", &*made.files.case);
        sheet.put("valid", scene.is_valid().to_string());
        sheet.put("failed", scene.failed_gates().join(" "));
        if let Some(generated) = &scene.generated {
            sheet.put("fault", file_word(&generated.fault));
            sheet.put("avoidability", file_word(&generated.avoidability));
        }
        let planners = self.looks.iter().flatten();
        for (planner, drive) in planners.zip(&made.drives) {
            let key = planner.key().replace('-', "_");
            match &drive.came {
                Ok(report) => {
                    for (column, value) in report.row() {
                        sheet.put(&format!("{key}_{column}"), value);
                    }
                }
                Err(why) => {
                    sheet.put(&format!("{key}_outcome"), "failed");
                    sheet.put(&format!("{key}_error"), &**why);
                }
            }
        }
    }
}

/// From where to where one axis came to the same: a line each.
fn runs(axis: &Axis, cells: &[Cell], look: usize, text: &mut String) {
    let letters: Vec<char> = cells.iter().map(|cell| letter(cell, look)).collect();
    let mut from = 0;
    while from < letters.len() {
        let same = letters[from..]
            .iter()
            .take_while(|it| **it == letters[from]);
        let to = from + same.count() - 1;
        let word = LETTERS.iter().find(|(letter, _)| *letter == letters[from]);
        let word = word.map_or("", |(_, word)| word);
        let values = match from == to {
            true => axis.value_text(from),
            false => format!("{} to {}", axis.value_text(from), axis.value_text(to)),
        };
        let _infallible = writeln!(text, "  {values}: {word}");
        from = to + 1;
    }
}

/// A letter for each cell, rows below each other.
fn grid([rows, columns]: [&Axis; 2], cells: &[Cell], look: usize, text: &mut String) {
    let widest = |texts: &[String]| texts.iter().map(|text| text.chars().count()).max();
    let (rows, columns) = (rows.numbers(), columns.numbers());
    let first = widest(&rows).unwrap_or(0);
    let each = widest(&columns).unwrap_or(0) + 2;
    let _infallible = write!(text, "  {:first$}", "");
    for column in &columns {
        let _infallible = write!(text, "{column:>each$}");
    }
    text.push('\n');
    for (row, cells) in rows.iter().zip(cells.chunks(columns.len().max(1))) {
        let _infallible = write!(text, "  {row:>first$}");
        for cell in cells {
            let _infallible = write!(text, "{:>each$}", letter(cell, look));
        }
        text.push('\n');
    }
}
