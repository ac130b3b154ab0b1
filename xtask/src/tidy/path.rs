//! The paths that code names, in imports and elsewhere.

use super::source::Source;

/// A path as it is written: `crate::a::b`, `super::c`, `d::e`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Counts from 1.
    pub(super) line: usize,
    /// Its names; `*` is the last one of an import of everything.
    pub(super) names: Vec<String>,
    /// The name that an import gives it; `None` outside of imports.
    pub(super) alias: Option<String>,
    /// Who else may use the import.
    pub(super) reach: Reach,
}

/// Who may use an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The module and those inside of it.
    Here,
    /// Other modules of the crate: `pub(…) use`.
    Crate,
    /// Other crates too: `pub use`.
    Everybody,
}

/// All paths of a file, in order of their lines.
pub(super) fn paths(source: &Source) -> Vec<Path> {
    let code = source.code.as_str();
    let mut found = Vec::new();
    let mut rest = code.to_owned();
    for (start, end, reach) in imports(code) {
        let line = line_of(code, start);
        leaves(&code[start..end], &mut Vec::new(), &mut |names, alias, offset| {
            let line = line + code[start..start + offset].matches('\n').count();
            found.push(Path { line, names, alias: Some(alias), reach });
        });
        rest.replace_range(start..end, &code[start..end].replace(|letter: char| letter != '\n', " "));
    }
    for (line, text) in rest.lines().enumerate() {
        inline(text, |names| found.push(Path { line: line + 1, names, alias: None, reach: Reach::Here }));
    }
    found.sort_by_key(|path| path.line);
    found
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

pub(super) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The text between each `use` and its semicolon, and its visibility.
fn imports(code: &str) -> Vec<(usize, usize, Reach)> {
    let starts = code.match_indices("use ").filter(|(at, _)| !code[..*at].ends_with(is_word));
    // `use<…>` and `use` inside of other words are no imports; in a statement it stands at its beginning.
    let starts = starts.filter(|(at, _)| {
        let before = code[..*at].trim_end();
        before.is_empty() || before.ends_with([';', '{', '}', ']', ')']) || before.ends_with("pub")
    });
    starts
        .filter_map(|(at, word)| {
            let start = at + word.len();
            let end = start + code[start..].find(';')?;
            let before = code[..at].trim_end();
            let visible = before.rsplit(['\n', ';', '}']).next().unwrap_or_default().trim_start();
            let reach = match visible.strip_prefix("pub") {
                None => Reach::Here,
                Some(to) if to.starts_with('(') => Reach::Crate,
                Some(_) => Reach::Everybody,
            };
            Some((start, end, reach))
        })
        .collect()
}

/// Each path of a tree of imports, with its name here and where it ends.
fn leaves(tree: &str, prefix: &mut Vec<String>, found: &mut impl FnMut(Vec<String>, String, usize)) {
    let base = tree.as_ptr() as usize;
    visit(tree, base, prefix, found);
}

fn visit(tree: &str, base: usize, prefix: &mut Vec<String>, found: &mut impl FnMut(Vec<String>, String, usize)) {
    let depth = prefix.len();
    if let Some(open) = tree.find('{') {
        let head = &tree[..open];
        prefix.extend(head.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned));
        let close = tree.rfind('}').unwrap_or(tree.len());
        let mut start = open + 1;
        let mut braces = 0_u32;
        for (at, letter) in tree[open + 1..close].char_indices().chain([(close - open - 1, ',')]) {
            match letter {
                '{' => braces += 1,
                '}' => braces = braces.saturating_sub(1),
                ',' if braces == 0 => {
                    visit(&tree[start..open + 1 + at], base, prefix, found);
                    start = open + 1 + at + 1;
                }
                _ => {}
            }
        }
        prefix.truncate(depth);
        return;
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
    let names: Vec<String> =
        path.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let Some(last) = names.last().cloned() else { return };
    let mut names: Vec<String> = prefix.iter().cloned().chain(names).collect();
    if last == "self" && names.len() > 1 {
        names.pop();
    }
    let alias = alias.map_or_else(|| names.last().cloned().unwrap_or_default(), str::to_owned);
    let trimmed = tree.trim_end();
    found(names, alias, trimmed.as_ptr() as usize + trimmed.len() - base);
}

/// Paths of two names and more in a line, and macros of one.
fn inline(line: &str, mut found: impl FnMut(Vec<String>)) {
    let mut rest = line;
    while let Some(start) = rest.find(is_word) {
        rest = &rest[start..];
        let mut names = Vec::new();
        loop {
            let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
            names.push(rest[..end].to_owned());
            rest = &rest[end..];
            match rest.strip_prefix("::") {
                Some(next) if next.starts_with(is_word) => rest = next,
                _ => break,
            }
        }
        if names.len() > 1 {
            found(names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(usize, &str, Option<&str>)]) {
        let found = paths(&Source::parse(text));
        let found: Vec<_> =
            found.iter().map(|path| (path.line, path.names.join("::"), path.alias.as_deref())).collect();
        let expected: Vec<_> = expected.iter().map(|(line, path, alias)| (*line, (*path).to_owned(), *alias)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn imports_are_taken_apart() {
        check("use crate::a::B;", &[(1, "crate::a::B", Some("B"))]);
        check(
            "use crate::{a::{self, B as C}, d::*};",
            &[(1, "crate::a", Some("a")), (1, "crate::a::B", Some("C")), (1, "crate::d::*", Some("*"))],
        );
        check("x;\nuse super::{\n  a,\n  b::C,\n};", &[(3, "super::a", Some("a")), (4, "super::b::C", Some("C"))]);
        check("// use crate::a;\nlet s = \"use crate::b;\";", &[]);
    }

    #[test]
    fn an_import_that_is_handed_on_is_told_from_others() {
        let reach = |text: &str| paths(&Source::parse(text)).iter().map(|path| path.reach).collect::<Vec<_>>();
        let expected = [Reach::Here, Reach::Everybody, Reach::Crate];
        assert_eq!(reach("use a::b;\npub use c::d;\npub(super) use e::f;"), expected);
    }

    #[test]
    fn paths_outside_of_imports_are_found() {
        check("let x = crate::a::f(super::B::c);", &[(1, "crate::a::f", None), (1, "super::B::c", None)]);
        check("a\n  crate::mutated!(X)", &[(2, "crate::mutated", None)]);
        check("fn f() -> impl Iterator + use<'_> { x.y }", &[]);
    }
}
