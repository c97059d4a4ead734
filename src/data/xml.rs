//! A small XML reader with limits: the children of the root come one by one as trees, so that a long file never
//! stands in memory as a whole. No entity is expanded but the five of the standard and character numbers; document
//! types are skipped.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::BytesRef;
use quick_xml::events::BytesStart;
use quick_xml::events::Event;

/// Deepest nesting below the root.
const MAX_DEPTH: usize = 64;

/// Most elements below one child of the root.
const MAX_ELEMENTS: usize = 2_000_000;

/// Longest single tag, text or comment, bytes.
const MAX_TOKEN_BYTES: u64 = 32 << 20;

/// Most attributes of one element.
const MAX_ATTRIBUTES: usize = 256;

/// Most comments before the root that are kept, and the longest kept, bytes.
const MAX_COMMENT_BYTES: usize = 64 << 10;

/// Why XML cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("byte {at}: {message}")]
pub(super) struct XmlError {
    /// Where reading stopped, bytes from the start (of the inflated text).
    pub(super) at: u64,
    /// What is wrong.
    pub(super) message: String,
}

/// An element with everything below it. Names come without their namespace prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    /// All text directly in the element, trimmed.
    pub(super) text: String,
    pub(super) children: Vec<Self>,
}

impl Element {
    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// An attribute as a finite number.
    pub(super) fn number_attribute(&self, name: &str) -> Option<f64> {
        number(self.attribute(name)?)
    }

    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// How many elements it is with all below it.
    pub(super) fn size(&self) -> usize {
        1 + self.children.iter().map(Self::size).sum::<usize>()
    }

    /// The text of the first child of this name.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The text of the first child of this name as a finite number.
    pub(super) fn number_of(&self, name: &str) -> Option<f64> {
        number(self.text_of(name)?)
    }
}

/// Without what XML cannot hold.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

/// Cleaned, and with what means something in XML written so that it does not.
pub(super) fn escaped(text: &str) -> String {
    quick_xml::escape::escape(clean(text).as_str()).into_owned()
}

/// A finite number.
pub(super) fn number(text: &str) -> Option<f64> {
    let value: f64 = text.trim().parse().ok()?;
    value.is_finite().then_some(value)
}

/// A speed in m/s: a number with its unit, or a bare one of `bare` m/s each.
pub(super) fn speed(text: &str, bare: f64) -> Option<f64> {
    let text = text.trim().to_lowercase();
    for (unit, factor) in [
        ("km/h", 1.0 / 3.6),
        ("kmh", 1.0 / 3.6),
        ("mph", 0.44704),
        ("m/s", 1.0),
    ] {
        if let Some(value) = text.strip_suffix(unit) {
            return number(value).map(|value| value * factor);
        }
    }
    let value = number(&text).filter(|value| *value > 0.0)?;
    Some(value * bare)
}

/// Reads a root element and then its children, one by one.
pub(super) struct XmlReader<R: BufRead> {
    reader: Reader<Metered<R>>,
    buffer: Vec<u8>,
    /// Comments met before the root: some programs write their configuration there.
    pub(super) comments: String,
    root_is_empty: bool,
    done: bool,
}

impl<R: BufRead> XmlReader<R> {
    /// A reader over at most `limit` bytes of (inflated) text; beyond it reading fails.
    pub(super) fn new(input: R, limit: u64) -> Self {
        let mut reader = Reader::from_reader(Metered {
            input,
            left: limit,
            token_left: MAX_TOKEN_BYTES,
        });
        let config = reader.config_mut();
        config.trim_text_start = false;
        config.allow_dangling_amp = true;
        Self {
            reader,
            buffer: Vec::new(),
            comments: String::new(),
            root_is_empty: false,
            done: false,
        }
    }

    /// The root element, without its children.
    pub(super) fn root(&mut self) -> Result<Element, XmlError> {
        loop {
            let at = self.reader.buffer_position();
            match next(&mut self.reader, &mut self.buffer)? {
                Event::Start(start) => return element(&start, at),
                Event::Empty(start) => {
                    self.root_is_empty = true;
                    return element(&start, at);
                }
                Event::Comment(text) => {
                    let text = String::from_utf8_lossy(&text);
                    if self.comments.len() + text.len() <= MAX_COMMENT_BYTES {
                        self.comments.push_str(&text);
                    }
                }
                Event::Eof => {
                    let message = "the file ends before its root element".to_owned();
                    return Err(XmlError { at, message });
                }
                _ => {}
            }
        }
    }

    /// The next child of the root that `wanted` (given its name and attributes) accepts, with all below it; `None`
    /// at the end of the root. Children not wanted are passed over without being built.
    pub(super) fn next_child(
        &mut self,
        mut wanted: impl FnMut(&Element) -> bool,
    ) -> Result<Option<Element>, XmlError> {
        if self.root_is_empty || self.done {
            return Ok(None);
        }
        let mut open: Vec<Element> = Vec::new();
        let mut passing_over = 0_usize;
        let mut count = 0_usize;
        loop {
            let at = self.reader.buffer_position();
            let fail = |message: String| Err(XmlError { at, message });
            let event = next(&mut self.reader, &mut self.buffer)?;
            if passing_over > 0 {
                match event {
                    Event::Start(_) => passing_over += 1,
                    Event::End(_) => passing_over -= 1,
                    Event::Eof => return fail("the file breaks off".to_owned()),
                    _ => {}
                }
                continue;
            }
            match event {
                Event::Start(start) => {
                    let new = element(&start, at)?;
                    if open.is_empty() && !wanted(&new) {
                        passing_over = 1;
                        continue;
                    }
                    count += 1;
                    if open.len() >= MAX_DEPTH {
                        return fail(format!("elements are nested deeper than {MAX_DEPTH}"));
                    }
                    if count > MAX_ELEMENTS {
                        return fail(format!("more than {MAX_ELEMENTS} elements in one"));
                    }
                    open.push(new);
                }
                Event::Empty(start) => {
                    let new = element(&start, at)?;
                    count += 1;
                    if count > MAX_ELEMENTS {
                        return fail(format!("more than {MAX_ELEMENTS} elements in one"));
                    }
                    match open.last_mut() {
                        Some(parent) => parent.children.push(new),
                        None if wanted(&new) => return Ok(Some(new)),
                        None => {}
                    }
                }
                Event::End(_) => {
                    let Some(mut done) = open.pop() else {
                        self.done = true;
                        return Ok(None);
                    };
                    let trimmed = done.text.trim();
                    if trimmed.len() != done.text.len() {
                        done.text = trimmed.to_owned();
                    }
                    match open.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Ok(Some(done)),
                    }
                }
                Event::Text(text) => add_text(&mut open, &text),
                Event::CData(text) => add_text(&mut open, &text),
                Event::GeneralRef(reference) => {
                    if let Some(letter) = resolve(&reference) {
                        let mut encoded = [0; 4];
                        add_text(&mut open, letter.encode_utf8(&mut encoded).as_bytes());
                    }
                }
                Event::Eof => return fail("the file breaks off".to_owned()),
                _ => {}
            }
        }
    }
}

/// The whole of a small document, as far as it goes; `None` if it does not even begin.
pub(super) fn parse_lenient(text: &str) -> Option<Element> {
    let mut reader = XmlReader::new(text.as_bytes(), 1 << 20);
    let mut root = reader.root().ok()?;
    while let Ok(Some(child)) = reader.next_child(|_| true) {
        root.children.push(child);
    }
    Some(root)
}

/// The whole of a small document: the root with everything below it.
#[cfg(test)]
pub(super) fn parse(text: &str) -> Result<Element, XmlError> {
    let mut reader = XmlReader::new(text.as_bytes(), 1 << 20);
    let mut root = reader.root()?;
    while let Some(child) = reader.next_child(|_| true)? {
        root.children.push(child);
    }
    Ok(root)
}

fn next<'b, R: BufRead>(
    reader: &mut Reader<Metered<R>>,
    buffer: &'b mut Vec<u8>,
) -> Result<Event<'b>, XmlError> {
    let at = reader.buffer_position();
    reader.get_mut().token_left = MAX_TOKEN_BYTES;
    buffer.clear();
    reader.read_event_into(buffer).map_err(|error| XmlError {
        at,
        message: error.to_string(),
    })
}

fn element(start: &BytesStart<'_>, at: u64) -> Result<Element, XmlError> {
    let fail = |message: String| XmlError { at, message };
    let mut attributes = Vec::new();
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| fail(error.to_string()))?;
        if attributes.len() >= MAX_ATTRIBUTES {
            return Err(fail(format!("more than {MAX_ATTRIBUTES} attributes")));
        }
        let raw = String::from_utf8_lossy(&attribute.value);
        let value = if raw.contains('&') {
            match quick_xml::escape::unescape(&raw) {
                Ok(value) => value.into_owned(),
                Err(_) => raw.into_owned(),
            }
        } else {
            raw.into_owned()
        };
        attributes.push((text_of(attribute.key.local_name().as_ref()), value));
    }
    Ok(Element {
        name: text_of(start.local_name().as_ref()),
        attributes,
        ..Element::default()
    })
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn add_text(open: &mut [Element], bytes: &[u8]) {
    if let Some(element) = open.last_mut() {
        // white space between elements is most of a file
        if element.text.is_empty() && bytes.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        element.text.push_str(&String::from_utf8_lossy(bytes));
    }
}

/// A character number or one of the five standard entities; others stand for nothing.
fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    if let Ok(Some(letter)) = reference.resolve_char_ref() {
        return Some(letter);
    }
    match &**reference {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        _ => None,
    }
}

/// Passes bytes on until a limit is used up: one for the whole text, one for the token being read.
struct Metered<R> {
    input: R,
    left: u64,
    token_left: u64,
}

impl<R: BufRead> std::io::Read for Metered<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(out.len());
        out[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        let (left, token_left) = (self.left, self.token_left);
        let available = self.input.fill_buf()?;
        if !available.is_empty() {
            if left == 0 {
                return Err(std::io::Error::other("the text is longer than the limit"));
            }
            if token_left == 0 {
                return Err(std::io::Error::other("a single tag or text is too long"));
            }
        }
        Ok(available)
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.token_left = self.token_left.saturating_sub(count as u64);
        self.input.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_prefix_and_text_its_edges() {
        let root = parse("<a:r x='1 &lt; 2'><b> 3&amp;4&#33; </b><c/><b>5</b></a:r>").unwrap();
        assert_eq!(root.name, "r");
        assert_eq!(root.attribute("x"), Some("1 < 2"));
        assert_eq!(root.text_of("b"), Some("3&4!"));
        assert_eq!(root.all("b").count(), 2);
    }

    #[test]
    fn an_entity_of_the_file_stands_for_nothing() {
        let bomb =
            "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><r><x>1&b;2</x></r>";
        assert_eq!(parse(bomb).unwrap().text_of("x"), Some("12"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("<r>{}{}</r>", "<d>".repeat(100), "</d>".repeat(100));
        assert!(
            parse(&deep)
                .unwrap_err()
                .message
                .contains("nested deeper than 64")
        );
    }

    #[test]
    fn a_file_that_breaks_off_says_where() {
        let error = parse("<r><x>1</x><y>").unwrap_err();
        assert_eq!(
            (error.at, error.message.as_str()),
            (14, "the file breaks off")
        );
    }

    #[test]
    fn more_text_than_the_limit_is_refused() {
        let text = format!("<r><x>{}</x></r>", "1".repeat(100_000));
        let mut reader = XmlReader::new(
            std::io::BufReader::with_capacity(1000, text.as_bytes()),
            50_000,
        );
        reader.root().unwrap();
        assert!(
            reader
                .next_child(|_| true)
                .unwrap_err()
                .message
                .contains("limit")
        );
    }

    #[test]
    fn unwanted_children_are_passed_over() {
        let text = "<r><x><deep><x/></deep></x><y k='1'/><x/></r>";
        let mut reader = XmlReader::new(text.as_bytes(), 1000);
        reader.root().unwrap();
        let found = reader
            .next_child(|child| child.name == "y")
            .unwrap()
            .unwrap();
        assert_eq!(found.attribute("k"), Some("1"));
        assert_eq!(reader.next_child(|child| child.name == "y").unwrap(), None);
    }
}
