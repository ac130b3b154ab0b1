//! One change of one file.

use std::ops::Range;

use anyhow::{Context, Result};
use serde_json::Value;

use super::sample::hash;

/// A small change of a file of core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    /// File and change, without the line: a name that stays when other code moves.
    pub(super) name: String,
    /// The file, relative to the repository.
    pub(super) path: String,
    /// The bytes of the file that are replaced.
    pub(super) range: Range<usize>,
    /// What stands in their place.
    pub(super) replacement: String,
    /// A digest of the function around it, or of the line of a constant: a verdict is good as long as that is the same.
    pub(super) function: String,
    /// The bytes of the body of that function, with its braces.
    pub(super) body: Option<Range<usize>>,
}

impl Mutant {
    /// An entry of cargo-mutants's list, by the text of its file.
    pub(super) fn parse(entry: &Value, text: &str) -> Result<Self> {
        let name = entry["name"].as_str().context("a mutant without a name")?;
        let path = entry["file"].as_str().context("a mutant without a file")?;
        // `path:line:column: what is changed`
        let what = name.splitn(4, ':').nth(3).with_context(|| format!("{name} names no place"))?;
        let range = span(text, &entry["span"]).with_context(|| format!("{name} is not in its file"))?;
        let function = span(text, &entry["function"]["span"]);
        let around = function.clone().unwrap_or_else(|| line_around(text, range.start));
        let body = function
            .and_then(|function| body(text, function, &entry["function"]))
            .filter(|body| body.start < range.start && range.end < body.end);
        Ok(Self {
            name: format!("{path}:{what}"),
            path: path.to_owned(),
            range,
            replacement: entry["replacement"].as_str().context("a mutant without a replacement")?.to_owned(),
            function: format!("{:016x}", hash(text.get(around).unwrap_or_default().as_bytes())),
            body,
        })
    }

    /// The text of its file with the change.
    pub(super) fn apply(&self, text: &str) -> String {
        format!("{}{} /* changed */{}", &text[..self.range.start], self.replacement, &text[self.range.end..])
    }
}

/// The body of a function that stands in these bytes.
fn body(text: &str, function: Range<usize>, entry: &Value) -> Option<Range<usize>> {
    let name = entry["function_name"].as_str()?.rsplit("::").next()?;
    let signature = function.start + text.get(function.clone())?.find(&format!("fn {name}"))?;
    let start = signature + text.get(signature..function.end)?.find('{')?;
    text[..function.end].ends_with('}').then_some(start..function.end)
}

fn line_around(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    start..text[at..].find('\n').map_or(text.len(), |length| at + length)
}

/// The bytes of a span, whose lines and columns count characters from 1.
fn span(text: &str, span: &Value) -> Option<Range<usize>> {
    let range = place(text, &span["start"])?..place(text, &span["end"])?;
    (range.start <= range.end).then_some(range)
}

fn place(text: &str, place: &Value) -> Option<usize> {
    let number = |name: &str| usize::try_from(place[name].as_u64()?).ok()?.checked_sub(1);
    let (line, column) = (number("line")?, number("column")?);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..)?;
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    Some(start + ends.take(column + 1).last()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(text: &str, line: usize, columns: (usize, usize)) -> Mutant {
        let place = |column| serde_json::json!({ "line": line, "column": column });
        let entry = serde_json::json!({
            "file": "a.rs", "name": "a.rs:9:9: replace x", "replacement": "y",
            "span": { "start": place(columns.0), "end": place(columns.1) },
        });
        Mutant::parse(&entry, text).unwrap()
    }

    #[test]
    fn a_change_replaces_its_characters() {
        let text = "// é\nlet é = x;\n";
        assert_eq!(mutant(text, 2, (9, 10)).apply(text), "// é\nlet é = y /* changed */;\n");
        assert_eq!(mutant(text, 1, (1, 5)).apply(text), "y /* changed */\nlet é = x;\n");
    }

    #[test]
    fn the_body_of_its_function_is_known() {
        let text = "/// {\nfn of<T>(x: T) -> T {\n    { x }\n}\n";
        let place = |line, column| serde_json::json!({ "line": line, "column": column });
        let entry = serde_json::json!({
            "file": "a.rs", "name": "a.rs:3:7: replace x", "replacement": "y",
            "span": { "start": place(3, 7), "end": place(3, 8) },
            "function": { "function_name": "A::of", "span": { "start": place(1, 1), "end": place(4, 2) } },
        });
        let body = Mutant::parse(&entry, text).unwrap().body.unwrap();
        assert_eq!(&text[body], "{\n    { x }\n}");
    }

    #[test]
    fn its_name_and_digest_do_not_depend_on_what_stands_before() {
        let (here, there) = (mutant("a\nx\n", 2, (1, 2)), mutant("b\nc\nx\n", 3, (1, 2)));
        assert_eq!((here.name.as_str(), &here.function), ("a.rs: replace x", &there.function));
        assert_ne!(here.function, mutant("a\nx + 1\n", 2, (1, 2)).function);
    }
}
