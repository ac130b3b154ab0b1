//! No file may need itself by way of other files: the files of such a circle can be understood only together.
//!
//! A module root is a map of its files: what it re-exports from them does not count as a need.

use std::collections::{BTreeMap, VecDeque};

use super::path::Reach;
use super::tree::{Place, Tree};
use super::{Files, Finding};

/// An import by which one file needs another.
struct Need {
    line: usize,
    path: String,
}

/// The needs of each file of a crate.
type Needs = BTreeMap<Place, BTreeMap<Place, Need>>;

/// Checks the crates that must have no circles.
pub(super) fn check(files: &Files) -> Vec<Finding> {
    let roots = files.keys().filter(|path| is_checked(path));
    roots.flat_map(|root| circles(&Tree::read(files, root))).collect()
}

fn is_checked(path: &str) -> bool {
    path == "core/src/lib.rs"
        || path == "sim/src/lib.rs"
        || (path.starts_with("platform/") && path.ends_with("/src/lib.rs"))
}

fn circles(tree: &Tree) -> Vec<Finding> {
    let needs = needs(tree);
    let reached: BTreeMap<&Place, Vec<&Place>> = needs.keys().map(|place| (place, reachable(&needs, place))).collect();
    let mut findings = Vec::new();
    for (first, others) in &reached {
        // The files that the first needs and that need the first. Each such set is reported once, at its first file.
        let all: Vec<&Place> = others.iter().filter(|other| reached[*other].contains(first)).copied().collect();
        if all.iter().min() == Some(first) && all.len() > 1 {
            findings.push(finding(tree, &needs, first, &all));
        }
    }
    findings
}

fn needs(tree: &Tree) -> Needs {
    let mut needs: Needs = tree.modules().map(|(place, _)| (place.clone(), BTreeMap::new())).collect();
    for (place, module) in tree.modules() {
        for path in &module.paths {
            let Some(holder) = tree.holder(place, &path.names) else { continue };
            let is_below = holder.len() > place.len() && holder.starts_with(place);
            if holder == *place || (module.is_map() && path.reach != Reach::Here && is_below) {
                continue;
            }
            let need = Need { line: path.line, path: path.names.join("::") };
            needs.entry(place.clone()).or_default().entry(holder).or_insert(need);
        }
    }
    needs
}

/// All files that a file needs, directly or indirectly; itself too if it is in a circle.
fn reachable<'a>(needs: &'a Needs, from: &Place) -> Vec<&'a Place> {
    let mut reached: Vec<&Place> = Vec::new();
    let mut open: Vec<&Place> = needs.get(from).into_iter().flat_map(BTreeMap::keys).collect();
    while let Some(place) = open.pop() {
        if !reached.contains(&place) {
            reached.push(place);
            open.extend(needs.get(place).into_iter().flat_map(BTreeMap::keys));
        }
    }
    reached
}

/// Names all files of a set and the shortest way around from its first one.
fn finding(tree: &Tree, needs: &Needs, first: &Place, all: &[&Place]) -> Finding {
    let file = |place: &Place| {
        tree.modules().find(|(other, _)| *other == place).map(|(_, module)| module.file.clone()).unwrap_or_default()
    };
    let way = shortest(needs, first);
    let steps = way.windows(2).filter_map(|step| match step {
        [from, to] => {
            let need = needs.get(from)?.get(to)?;
            Some(format!("{}:{} names `{}`", file(from), need.line, need.path))
        }
        _ => None,
    });
    let steps: Vec<String> = steps.collect();
    let mut names: Vec<String> = all.iter().map(|place| place.join("::")).collect();
    names.sort();
    let line = needs.get(first).zip(way.get(1)).and_then(|(needs, next)| Some(needs.get(next)?.line));
    let message = format!("{} files need each other ({}): {}", all.len(), names.join(", "), steps.join("; "));
    Finding { path: file(first), line: line.unwrap_or_default(), message }
}

/// The shortest way from a file to itself.
fn shortest(needs: &Needs, first: &Place) -> Vec<Place> {
    let mut open = VecDeque::from([vec![first.clone()]]);
    let mut seen: Vec<Place> = Vec::new();
    while let Some(way) = open.pop_front() {
        let Some(last) = way.last() else { continue };
        for next in needs.get(last).into_iter().flat_map(BTreeMap::keys) {
            let longer = [way.as_slice(), std::slice::from_ref(next)].concat();
            if next == first {
                return longer;
            }
            if !seen.contains(next) {
                seen.push(next.clone());
                open.push_back(longer);
            }
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    /// Checks the findings in a crate of these files in `core/src/`.
    fn check(sources: &[(&str, &str)], expected: &[&str]) {
        let files = sources.iter().map(|(path, text)| (format!("core/src/{path}"), (*text).to_owned()));
        let found = super::check(&files.collect());
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (finding, expected) in found.iter().zip(expected) {
            assert!(finding.to_string().contains(expected), "{finding}");
        }
    }

    #[test]
    fn files_in_a_line_are_fine() {
        check(
            &[
                ("lib.rs", "mod a;\nmod b;\nmod c;"),
                ("a.rs", "use crate::b::B;"),
                ("b.rs", "use super::c;"),
                ("c.rs", ""),
            ],
            &[],
        );
    }

    #[test]
    fn a_circle_is_named_with_an_import_of_each_step() {
        check(
            &[
                ("lib.rs", "mod a;\nmod b;\nmod c;"),
                ("a.rs", "\nuse crate::b::B;"),
                ("b.rs", "fn f() { super::c::g() }"),
                ("c.rs", "use crate::a;"),
            ],
            &["core/src/a.rs:2: 3 files need each other (a, b, c): core/src/a.rs:2 names `crate::b::B`; \
               core/src/b.rs:1 names `super::c::g`; core/src/c.rs:1 names `crate::a`"],
        );
    }

    #[test]
    fn a_map_hands_on_and_its_files_may_use_it_among_themselves() {
        let map = ("m/mod.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;");
        // Whether by way of the map or not, `a` needs `b`, and nothing else.
        check(&[("lib.rs", "mod m;"), map, ("m/a.rs", "use super::B;"), ("m/b.rs", "")], &[]);
        check(
            &[("lib.rs", "mod m;"), map, ("m/a.rs", "use super::B;"), ("m/b.rs", "use crate::m::A;")],
            &["m::a, m::b"],
        );
        check(
            &[
                ("lib.rs", "mod m;"),
                map,
                ("m/a.rs", "use crate::m;\nfn f() { m::B::g() }"),
                ("m/b.rs", "use super::a::A;"),
            ],
            &["m::a, m::b"],
        );
    }

    #[test]
    fn a_module_root_with_code_of_its_own_is_a_file_like_any_other() {
        check(
            &[("lib.rs", "mod m;"), ("m/mod.rs", "mod a;\nuse a::A;\npub struct B;"), ("m/a.rs", "use super::B;")],
            &["2 files need each other (m, m::a)"],
        );
        check(
            &[("lib.rs", "mod m;"), ("m/mod.rs", "mod a;\npub use a::A;\npub struct B;"), ("m/a.rs", "use super::B;")],
            &[],
        );
    }

    #[test]
    fn what_is_compiled_for_tests_alone_closes_no_circle() {
        check(
            &[
                ("lib.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod fixture;"),
                ("a.rs", "use crate::b::B;"),
                ("b.rs", "#[cfg(test)]\nmod tests { use crate::a::A; }"),
                ("fixture.rs", "use crate::a::A;"),
            ],
            &[],
        );
    }

    #[test]
    fn what_others_hand_on_is_where_it_came_from() {
        // `b` imports from `c` what `c` re-exports from the standard library, so `b` does not need `c`.
        check(
            &[
                ("lib.rs", "mod b;\nmod c;"),
                ("b.rs", "use crate::c::Vec;"),
                ("c.rs", "use std::vec::Vec;\nuse crate::b::f;"),
            ],
            &[],
        );
    }
}
