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
        problems
            .chain(self.further())
            .chain(self.left_out())
            .chain(self.notes.iter().cloned())
            .collect()
    }

    /// How many problems there are beyond those kept, in words, if there are.
    pub fn further(&self) -> Option<String> {
        let further = self.further_problems;
        (further > 0).then(|| format!("and {}", counted(further, "further problems")))
    }

    /// One line per reason for leaving out.
    pub fn left_out(&self) -> impl Iterator<Item = String> {
        let skipped = self.skipped.iter();
        skipped.map(|(reason, count)| format!("left out: {}", counted(*count, reason)))
    }
}

/// What comes after the things that a reason counts.
const AFTER: [&str; 20] = [
    "that", "of", "without", "with", "whose", "in", "inside", "beyond", "after", "too", "marked",
    "off", "for", "than", "from", "by", "to", "between", "more", "on",
];

/// A count with what is counted, a reason in the plural such as "agents that are not there"; in the singular for one.
pub(super) fn counted(count: usize, reason: &str) -> String {
    if count != 1 {
        return format!("{count} {reason}");
    }
    let words: Vec<&str> = reason.split(' ').collect();
    let is_end = |word: &&str| AFTER.contains(word) || word.starts_with('(');
    let end = words.iter().position(is_end).unwrap_or(words.len());
    // what follows a colon is an explanation
    let colon = words.iter().position(|word| word.ends_with(':'));
    let end = colon.map_or(end, |colon| end.min(colon + 1));
    let mut told = vec!["1".to_owned()];
    told.extend(words[..end].iter().map(|word| match *word {
        "and" => "or".to_owned(),
        word => singular(word),
    }));
    let mut rest = words[end..].iter();
    if let [Some(that @ &"that"), Some(verb)] = [words.get(end), words.get(end + 1)] {
        told.push((*that).to_owned());
        told.push(match *verb {
            "are" => "is".to_owned(),
            "do" => "does".to_owned(),
            "have" => "has".to_owned(),
            verb => verb.to_owned(),
        });
        rest = words[end + 2..].iter();
    }
    told.extend(rest.map(|word| (*word).to_owned()));
    told.join(" ")
}

fn singular(word: &str) -> String {
    let (stem, mark) = match word.strip_suffix([',', ':']) {
        Some(stem) => (stem, &word[stem.len()..]),
        None => (word, ""),
    };
    let ends = |end: &str| stem.ends_with(end);
    let short = |letters: usize| &stem[..stem.len() - letters];
    match () {
        () if ends("ies") => format!("{}y{mark}", short(3)),
        () if ["xes", "shes", "ches", "sses"].into_iter().any(ends) => {
            format!("{}{mark}", short(2))
        }
        () if ends("s") && !ends("ss") && !ends("us") && !ends("is") => {
            format!("{}{mark}", short(1))
        }
        () => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_told_of_in_the_singular() {
        let told = [
            (
                "lanes without width or length",
                "lane without width or length",
            ),
            (
                "agents that are valid in no frame",
                "agent that is valid in no frame",
            ),
            (
                "lanes that do not come back",
                "lane that does not come back",
            ),
            (
                "areas: crossings, junctions and the like",
                "area: crossings, junctions and the like",
            ),
            (
                "nodes, ways and relations without an id",
                "node, way or relation without an id",
            ),
            (
                "boxes without an ego pose within 50 ms",
                "box without an ego pose within 50 ms",
            ),
            (
                "states of signals that react to traffic (their programs say no times)",
                "state of signals that react to traffic (their programs say no times)",
            ),
            (
                "painted lines (each lane is a road)",
                "painted line (each lane is a road)",
            ),
            (
                "static signals other than stop signs",
                "static signal other than stop signs",
            ),
            ("", ""),
        ];
        for (many, one) in told {
            assert_eq!(counted(1, many), format!("1 {one}"));
            assert_eq!(counted(2, many), format!("2 {many}"));
        }
    }
}
