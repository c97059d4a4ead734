//! Parameters: `$name` and `${expression}` in attributes, put in place before anything else is read.

use std::collections::BTreeMap;

use crate::data::xml::{Element, number};

/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 32;

/// Longest text that parameters may unfold to in one place, bytes, and in all places of a file together.
const MAX_VALUE_BYTES: usize = 64 << 10;
pub(super) const MAX_VALUES_BYTES: usize = 64 << 20;

/// Values by name.
pub(super) type Values = BTreeMap<String, String>;

/// Puts the values of parameters into all attributes below `element`; declarations hold from where they stand down.
/// `left` is how many bytes of text they may still make; `None` once they would make more, or too many in one place.
pub(super) fn put_in_place(element: &mut Element, outer: &Values, left: &mut usize) -> Option<()> {
    let declarations = element.child("ParameterDeclarations");
    let declared = match declarations.filter(|declarations| !declarations.children.is_empty()) {
        Some(declarations) => {
            let bytes = outer.iter().map(|(name, value)| name.len() + value.len());
            *left = left.checked_sub(bytes.sum())?;
            let mut values = outer.clone();
            for declaration in declarations.all("ParameterDeclaration") {
                if let (Some(name), Some(value)) = (
                    declaration.attribute("name"),
                    declaration.attribute("value"),
                ) {
                    let value = resolved(value, &values, left)?;
                    values.insert(name.trim_start_matches('$').to_owned(), value);
                }
            }
            Some(values)
        }
        None => None,
    };
    let values = declared.as_ref().unwrap_or(outer);
    for (_, value) in &mut element.attributes {
        if value.contains('$') {
            *value = resolved(value, values, left)?;
        }
    }
    for child in &mut element.children {
        if child.name != "ParameterDeclarations" {
            put_in_place(child, values, left)?;
        }
    }
    Some(())
}

/// A text with its parameters replaced and, where it is an expression that has one, its value.
fn resolved(text: &str, values: &Values, left: &mut usize) -> Option<String> {
    let trimmed = text.trim();
    let inner = trimmed
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    let plain = replaced(inner.unwrap_or(text), values)?;
    *left = left.checked_sub(plain.len())?;
    let value = inner.and_then(|_| evaluated(&plain));
    Some(value.map_or(plain, |value| value.to_string()))
}

/// `$name` replaced where the name is known; `None` if that makes too long a text.
fn replaced(text: &str, values: &Values) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let end = after
            .find(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
            .unwrap_or(after.len());
        match values.get(&after[..end]) {
            Some(value) => out.push_str(value),
            None => out.push_str(&rest[at..at + 1 + end]),
        }
        if out.len() > MAX_VALUE_BYTES {
            return None;
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    (out.len() <= MAX_VALUE_BYTES).then_some(out)
}

/// The value of an expression of numbers, `pi`, + − * / % and parentheses; `None` for anything else.
fn evaluated(text: &str) -> Option<f64> {
    let mut reader = Expression { rest: text.trim() };
    let value = reader.sum(0)?;
    (reader.rest.is_empty() && value.is_finite()).then_some(value)
}

struct Expression<'a> {
    rest: &'a str,
}

impl Expression<'_> {
    fn take(&mut self, letters: &[char]) -> Option<char> {
        let first = self
            .rest
            .chars()
            .next()
            .filter(|first| letters.contains(first))?;
        self.rest = self.rest[first.len_utf8()..].trim_start();
        Some(first)
    }

    fn sum(&mut self, depth: usize) -> Option<f64> {
        let mut value = self.product(depth)?;
        while let Some(sign) = self.take(&['+', '-']) {
            let next = self.product(depth)?;
            value += if sign == '+' { next } else { -next };
        }
        Some(value)
    }

    fn product(&mut self, depth: usize) -> Option<f64> {
        let mut value = self.factor(depth)?;
        while let Some(sign) = self.take(&['*', '/', '%']) {
            let next = self.factor(depth)?;
            value = match sign {
                '*' => value * next,
                '/' => value / next,
                _ => value % next,
            };
        }
        Some(value)
    }

    fn factor(&mut self, depth: usize) -> Option<f64> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.take(&['-']).is_some() {
            return Some(-self.factor(depth + 1)?);
        }
        if self.take(&['(']).is_some() {
            let value = self.sum(depth + 1)?;
            self.take(&[')'])?;
            return Some(value);
        }
        if let Some(rest) = self.rest.strip_prefix("pi") {
            self.rest = rest.trim_start();
            return Some(std::f64::consts::PI);
        }
        let bytes = self.rest.as_bytes();
        let mut end = 0;
        while end < bytes.len() {
            let exponent = end > 0 && matches!(bytes[end - 1], b'e' | b'E');
            match bytes[end] {
                b'0'..=b'9' | b'.' | b'e' | b'E' => end += 1,
                b'+' | b'-' if exponent => end += 1,
                _ => break,
            }
        }
        let value = number(&self.rest[..end])?;
        self.rest = self.rest[end..].trim_start();
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::xml::parse;

    #[test]
    fn expressions_have_the_value_of_arithmetic() {
        let cases = [
            ("108 / 3.6", Some(30.0)),
            ("2 + 3 * (4 - 1)", Some(11.0)),
            ("-2 * -3", Some(6.0)),
            ("1e2 - 1", Some(99.0)),
            ("7 % 4", Some(3.0)),
            ("1 / 0", None),
            ("2 +", None),
            ("name", None),
            ("(1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(evaluated(text), expected, "{text}");
        }
        assert_eq!(evaluated("pi / 2"), Some(std::f64::consts::FRAC_PI_2));
        assert_eq!(evaluated(&"(".repeat(10_000)), None);
    }

    #[test]
    fn inner_declarations_hold_below_and_outer_ones_above() {
        let mut root = parse(
            "<r><ParameterDeclarations><ParameterDeclaration name='v' value='36'/><ParameterDeclaration name='w' value='${$v / 3.6}'/></ParameterDeclarations>\
             <a x='$w' y='to_$v' z='$nobody'/><s><ParameterDeclarations><ParameterDeclaration name='v' value='1'/></ParameterDeclarations><a x='$v'/></s></r>",
        )
        .unwrap();
        put_in_place(&mut root, &Values::new(), &mut { MAX_VALUES_BYTES }).unwrap();
        let first = root.child("a").unwrap();
        assert_eq!(first.attribute("x"), Some("10"));
        assert_eq!(first.attribute("y"), Some("to_36"));
        assert_eq!(first.attribute("z"), Some("$nobody"));
        assert_eq!(
            root.child("s").unwrap().child("a").unwrap().attribute("x"),
            Some("1")
        );
    }

    #[test]
    fn values_that_double_are_refused_before_they_fill_memory() {
        let doubled: String = (1..=30)
            .map(|at| {
                let before = at - 1;
                format!("<ParameterDeclaration name='p{at}' value='$p{before}$p{before}'/>")
            })
            .collect();
        let text = format!(
            "<r><ParameterDeclarations><ParameterDeclaration name='p0' value='xxxxxxxx'/>{doubled}</ParameterDeclarations></r>"
        );
        let put = |text: &str, mut left: usize| {
            put_in_place(&mut parse(text).unwrap(), &Values::new(), &mut left)
        };
        assert_eq!(put(&text, MAX_VALUES_BYTES), None);
        // 13 doublings make 64 kB in one place, which is allowed, but not in every place
        let kept = text.find("<ParameterDeclaration name='p14'").unwrap();
        let places = "<a x='$p13'/>".repeat(9);
        let few = format!("{}</ParameterDeclarations>{places}</r>", &text[..kept]);
        assert_eq!(put(&few, 1 << 20), Some(()));
        assert_eq!(put(&few, 600 << 10), None);
    }
}
