//! The layers of core: each names only those it may know.

use super::source::Source;

/// Each module of core and what it may know besides itself. `mutant` holds the switches of known bugs: nothing but
/// names, so all may know it.
const LAYERS: &[(&str, &[&str])] = &[
    ("mutant", &[]),
    ("protocol", &["mutant"]),
    ("storage", &["mutant", "protocol"]),
    ("stream", &["mutant", "protocol", "storage"]),
    ("runtime", &["mutant", "protocol", "storage"]),
    ("object", &["mutant", "protocol", "storage", "stream", "runtime"]),
    ("edge", &["mutant", "protocol", "runtime"]),
    ("fuzz", &["protocol", "storage", "stream", "edge"]),
];

/// Checks a file below `core/src/`.
pub(super) fn check(path: &str, text: &str) -> Vec<(usize, String)> {
    let inner = path.trim_start_matches("core/src/").trim_end_matches(".rs");
    if inner == "lib" {
        return Vec::new();
    }
    let modules: Vec<&str> = inner.split('/').filter(|&name| name != "mod").collect();
    let Some((module, known)) = LAYERS.iter().find(|(name, _)| modules.first() == Some(name)) else {
        return vec![(0, "no layer of core: give it a place in the table of xtask/src/tidy/layer.rs".to_owned())];
    };
    let source = Source::parse(text);
    let mut findings = Vec::new();
    for (line, name) in named(&source.code, modules.len()) {
        if name != *module && LAYERS.iter().any(|(layer, _)| *layer == name) && !known.contains(&name.as_str()) {
            findings.push((line, format!("`{module}` must not know `{name}`: it may know {}", known.join(", "))));
        }
    }
    findings
}

/// Modules at the crate's root that the code names, by `crate::` or by climbing up from a module of this depth.
fn named(code: &str, depth: usize) -> Vec<(usize, String)> {
    let climb = "super::".repeat(depth);
    let mut found = Vec::new();
    for start in ["crate::", "tailrace_core::", climb.as_str()] {
        for (at, _) in code.match_indices(start) {
            let whole = code[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '_');
            if !whole {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let names = first_names(&code[at + start.len()..]);
            found.extend(names.into_iter().map(|name| (line, name)));
        }
    }
    found
}

/// `a` of `a::b`, and `a` and `c` of `{a::b, c::{d, e}}`.
fn first_names(path: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let mut names = vec![word(group.trim_start())];
    let mut depth = 1_u32;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(word(group[at + 1..].trim_start())),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(path: &str, text: &str, count: usize) {
        assert_eq!(check(path, text).len(), count, "{path}: {text}: {:?}", check(path, text));
    }

    #[test]
    fn a_layer_may_know_those_above_it() {
        finds("core/src/stream/append.rs", "use crate::protocol::Offset;\nuse crate::{storage::Sql, stream::Slot};", 0);
        finds("core/src/object/mod.rs", "use crate::stream::x; use crate::runtime::y;", 0);
        finds("core/src/protocol/fork.rs", "use super::offset::Offset; crate::mutated!(X)", 0);
        finds("core/src/lib.rs", "use crate::edge::Edge;", 0);
        finds("core/src/edge/fetch.rs", "// crate::stream is not known here\nlet a = \"crate::stream\";", 0);
    }

    #[test]
    fn a_layer_must_not_know_those_below_it() {
        finds("core/src/protocol/fork.rs", "use crate::storage::Sql;", 1);
        finds("core/src/storage.rs", "fn f(x: crate::stream::X) {}", 1);
        finds(
            "core/src/edge/mod.rs",
            "use crate::{\n  protocol::{Offset, Etag},\n  stream::{A, B},\n  object::C,\n};",
            2,
        );
        finds("core/src/edge/fetch.rs", "use super::super::stream::Append;", 1);
        finds("core/src/stream/mod.rs", "use super::runtime::Isolate;", 1);
    }

    #[test]
    fn a_module_without_a_place_is_found() {
        finds("core/src/helper.rs", "", 1);
    }
}
