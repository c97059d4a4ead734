//! What an importer had to leave out, and why.

use std::collections::BTreeMap;

use crate::scene::Problem;

/// Most problems kept one by one; further ones are only counted.
const MAX_PROBLEMS: usize = 200;

/// What was wrong in a file that could still be opened, and what was left out of the scene.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Elements that were wrong, each with its value; at most 200.
    pub problems: Vec<Problem>,
    /// Problems beyond those kept.
    pub further_problems: usize,
    /// What was left out and how often, by reason.
    pub skipped: BTreeMap<String, usize>,
    /// Choices the importer made that a person may want to know of.
    pub notes: Vec<String>,
}

impl Report {
    /// Adds a problem with an element and its value.
    pub fn problem(
        &mut self,
        element: impl Into<String>,
        value: impl ToString,
        message: impl Into<String>,
    ) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem {
                element: element.into(),
                value: value.to_string(),
                message: message.into(),
            });
        } else {
            self.further_problems += 1;
        }
    }

    /// Counts one thing left out for a reason, e.g. "agents never valid".
    pub fn skip(&mut self, reason: &str) {
        self.skip_many(reason, 1);
    }

    /// Counts things left out for a reason; zero adds nothing.
    pub fn skip_many(&mut self, reason: &str, count: usize) {
        if count == 0 {
            return;
        }
        if let Some(known) = self.skipped.get_mut(reason) {
            *known += count;
        } else if self.skipped.len() < MAX_PROBLEMS {
            self.skipped.insert(reason.to_owned(), count);
        }
    }

    /// Adds a sentence about a choice.
    pub fn note(&mut self, sentence: impl Into<String>) {
        if self.notes.len() < MAX_PROBLEMS {
            self.notes.push(sentence.into());
        }
    }

    /// True if nothing was wrong and nothing left out.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.skipped.is_empty()
    }

    /// One line per problem, per reason for leaving out, and per note.
    pub fn lines(&self) -> Vec<String> {
        let problems = self.problems.iter().map(ToString::to_string);
        let further = (self.further_problems > 0)
            .then(|| format!("and {} further problems", self.further_problems));
        let skipped = self
            .skipped
            .iter()
            .map(|(reason, count)| format!("left out: {count} {reason}"));
        problems
            .chain(further)
            .chain(skipped)
            .chain(self.notes.iter().cloned())
            .collect()
    }
}
