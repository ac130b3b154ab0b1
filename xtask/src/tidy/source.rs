//! Rust text, divided into code and strings as far as the rules need it.

/// A Rust file: its code, with everything else blanked so that lines stay where they are, and its strings.
pub(super) struct Source {
    /// The code; comments and the contents of strings are spaces.
    pub(super) code: String,
    /// The contents of strings, each with the line it begins on.
    pub(super) strings: Vec<(usize, String)>,
}

impl Source {
    /// Parses a file.
    pub(super) fn parse(text: &str) -> Self {
        Scanner { rest: text, code: String::with_capacity(text.len()), strings: Vec::new(), line: 1 }.scan()
    }

    /// Removes items that are compiled only for tests.
    pub(super) fn without_tests(mut self) -> Self {
        while let Some(start) = self.code.find("#[cfg(test)]") {
            let end = item_end(&self.code, start);
            let lines = |text: &str| text.matches('\n').count();
            let first = lines(&self.code[..start]) + 1;
            let last = first + lines(&self.code[start..end]);
            self.strings.retain(|(line, _)| !(first..=last).contains(line));
            let blank: String = self.code[start..end].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
            self.code.replace_range(start..end, &blank);
        }
        self
    }

    /// The lines of the code, counted from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// Where the item ends that begins with an attribute: at its closing brace, or at a semicolon before any brace.
fn item_end(code: &str, start: usize) -> usize {
    let (mut braces, mut brackets) = (0_u32, 0_u32);
    for (offset, letter) in code[start..].char_indices() {
        match letter {
            '[' | '(' => brackets += 1,
            ']' | ')' => brackets = brackets.saturating_sub(1),
            ';' if braces == 0 && brackets == 0 => return start + offset + 1,
            '{' => braces += 1,
            '}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    let end = start + offset + 1;
                    // A group of imports ends with a semicolon after its brace.
                    return end + usize::from(code[end..].starts_with(';'));
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// Scans the text once.
struct Scanner<'a> {
    rest: &'a str,
    code: String,
    strings: Vec<(usize, String)>,
    line: usize,
}

impl Scanner<'_> {
    fn scan(mut self) -> Source {
        while let Some(letter) = self.rest.chars().next() {
            if self.rest.starts_with("//") {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.blank(end);
            } else if self.rest.starts_with("/*") {
                self.blank(self.block_comment());
            } else if let Some((open, hashes)) = self.raw_string() {
                self.keep(open);
                let close = format!("\"{}", "#".repeat(hashes));
                let end = self.rest.find(&close).unwrap_or(self.rest.len());
                self.string(end);
                self.keep(close.len());
            } else if letter == '"' {
                self.keep(1);
                self.string(self.string_end());
                self.keep(1);
            } else if let Some(length) = self.character() {
                self.blank(length);
            } else if letter.is_alphanumeric() || letter == '_' {
                // A name is read as a whole, so that an `r` at its end is not taken for the beginning of a raw string.
                let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
                self.keep(end);
            } else {
                self.keep(letter.len_utf8());
            }
        }
        Source { code: self.code, strings: self.strings }
    }

    fn block_comment(&self) -> usize {
        let (mut depth, mut at) = (0_u32, 0);
        while at < self.rest.len() {
            let rest = &self.rest[at..];
            if rest.starts_with("/*") {
                depth += 1;
                at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    break;
                }
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        at
    }

    /// The length of `r##"` and the number of its hashes.
    fn raw_string(&self) -> Option<(usize, usize)> {
        let prefix = ["br", "cr", "r"].into_iter().find(|prefix| self.rest.starts_with(prefix))?;
        let after = &self.rest[prefix.len()..];
        let hashes = after.len() - after.trim_start_matches('#').len();
        after[hashes..].starts_with('"').then_some((prefix.len() + hashes + 1, hashes))
    }

    fn string_end(&self) -> usize {
        let mut escaped = false;
        for (at, letter) in self.rest.char_indices() {
            match letter {
                '"' if !escaped => return at,
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        self.rest.len()
    }

    /// The length of a character literal; a lifetime has no closing quote.
    fn character(&self) -> Option<usize> {
        let inside = self.rest.strip_prefix('\'')?;
        if let Some(escape) = inside.strip_prefix('\\') {
            let first = escape.chars().next().map_or(0, char::len_utf8);
            return Some(2 + first + escape[first..].find('\'')? + 1);
        }
        let first = inside.chars().next()?.len_utf8();
        inside[first..].starts_with('\'').then_some(1 + first + 1)
    }

    fn take(&mut self, length: usize) -> String {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        self.line += taken.matches('\n').count();
        taken.to_owned()
    }

    fn keep(&mut self, length: usize) {
        let taken = self.take(length);
        self.code.push_str(&taken);
    }

    fn blank(&mut self, length: usize) {
        let taken = self.take(length);
        self.code.extend(taken.chars().map(|letter| if letter == '\n' { letter } else { ' ' }));
    }

    fn string(&mut self, length: usize) {
        let line = self.line;
        let contents = self.rest[..length.min(self.rest.len())].to_owned();
        self.blank(length);
        self.strings.push((line, contents));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &str, strings: &[(usize, &str)]) {
        let source = Source::parse(text);
        let found: Vec<_> = source.strings.iter().map(|(line, text)| (*line, text.as_str())).collect();
        let squeezed = source.code.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!((squeezed.as_str(), found.as_slice()), (code, strings), "{text}");
        assert_eq!(source.code.lines().count(), text.lines().count(), "{text}");
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        check("a // b\n/* c /* d */ e */ f", "a f", &[]);
        check("let s = \"x \\\" y\";\nlet t = \"z\";", "let s = \" \"; let t = \" \";", &[(1, "x \\\" y"), (2, "z")]);
        check("r#\"a \" b\"# + br\"c\"", "r#\" \"# + br\" \"", &[(1, "a \" b"), (1, "c")]);
        check("'\"' 'a' '\\'' &'static str '\\u{1F}'", "&'static str", &[]);
        check("for \"a\"", "for \" \"", &[(1, "a")]);
    }

    #[test]
    fn items_for_tests_alone_are_left_out() {
        let check = |text: &str, expected: &str| {
            let source = Source::parse(text).without_tests();
            assert_eq!(source.code.split_whitespace().collect::<Vec<_>>().join(" "), expected);
        };
        check("a\n#[cfg(test)]\nmod tests {\n fn f() { b }\n}\nc", "a c");
        check("#[cfg(test)]\nmod tests;\nfn g() {}", "fn g() {}");
        check("#[cfg(test)]\n#[allow(x)]\nuse a::{b, c};\nd", "d");
        check("#[cfg(not(test))]\nmod m {}", "#[cfg(not(test))] mod m {}");
    }
}
