//! The modules of a crate: their files, and the modules that paths lead to.

use std::collections::BTreeMap;

use super::Files;
use super::path::{Path, is_word, paths};
use super::source::Source;

/// A module's place: the names from the crate's root on.
pub(super) type Place = Vec<String>;

/// A module that is a file.
pub(super) struct Module {
    /// The file.
    pub(super) file: String,
    /// The paths that it names, without code that is compiled only for tests.
    pub(super) paths: Vec<Path>,
    children: Vec<String>,
}

impl Module {
    /// Whether it is a module root that only declares and re-exports others.
    pub(super) fn is_map(&self) -> bool {
        !self.children.is_empty()
    }
}

/// The modules of a crate by their places; the place of the root is empty.
pub(super) struct Tree(BTreeMap<Place, Module>);

/// The most steps of following a path; one that takes more leads around in a circle.
const STEPS: usize = 32;

impl Tree {
    /// Reads the modules of a crate from its root on, such as `core/src/lib.rs`.
    pub(super) fn read(files: &Files, root: &str) -> Self {
        let folder = root.trim_end_matches("/lib.rs");
        let mut tree = Self(BTreeMap::new());
        let mut open = vec![Place::new()];
        while let Some(place) = open.pop() {
            let base = format!("{folder}/{}", place.join("/"));
            let candidates = if place.is_empty() {
                [root.to_owned(), String::new()]
            } else {
                [format!("{base}.rs"), format!("{base}/mod.rs")]
            };
            let Some((file, text)) = candidates.iter().find_map(|file| Some((file, files.get(file)?))) else {
                continue;
            };
            let source = Source::parse(text).without_tests();
            let children = children(&source.code);
            open.extend(children.iter().map(|name| [place.as_slice(), std::slice::from_ref(name)].concat()));
            tree.0.insert(place, Module { file: file.clone(), paths: paths(&source), children });
        }
        tree
    }

    /// All modules.
    pub(super) fn modules(&self) -> impl Iterator<Item = (&Place, &Module)> {
        self.0.iter()
    }

    /// The module that defines what a path of a module leads to; `None` if another crate does.
    ///
    /// A re-export is followed to the module that it comes from. A path that ends at a map leads to no module: what is
    /// used from the map has a path of its own.
    pub(super) fn holder(&self, from: &Place, names: &[String]) -> Option<Place> {
        self.follow(from, names, STEPS)
    }

    fn follow(&self, from: &Place, names: &[String], steps: usize) -> Option<Place> {
        let steps = steps.checked_sub(1)?;
        let (first, rest) = names.split_first()?;
        let mut place = from.clone();
        let rest = match first.as_str() {
            "crate" => {
                place.clear();
                rest
            }
            "self" => rest,
            "super" => {
                place.pop()?;
                if rest.first().is_some_and(|name| name == "super") {
                    return self.follow(&place, rest, steps);
                }
                rest
            }
            name => {
                let module = self.0.get(from)?;
                if !module.children.iter().any(|child| child == name) {
                    // An item that was imported under this name.
                    let path = module.paths.iter().find(|path| path.alias.as_deref() == Some(name))?;
                    if path.names.first() == Some(first) {
                        return None;
                    }
                    let whole: Vec<String> = path.names.iter().chain(rest).cloned().collect();
                    return self.follow(from, &whole, steps);
                }
                names
            }
        };
        self.descend(place, rest, steps)
    }

    fn descend(&self, mut place: Place, names: &[String], steps: usize) -> Option<Place> {
        for (index, name) in names.iter().enumerate() {
            let module = self.0.get(&place)?;
            if module.children.contains(name) {
                place.push(name.clone());
                continue;
            }
            let handed_on =
                module.paths.iter().find(|path| path.alias.as_deref() == Some(name) && path.names.len() > 1);
            if let Some(path) = handed_on {
                let whole: Vec<String> = path.names.iter().chain(&names[index + 1..]).cloned().collect();
                // An item of another crate belongs to no module here.
                return self.follow(&place, &whole, steps);
            }
            return Some(place);
        }
        let module = self.0.get(&place)?;
        (!module.is_map()).then_some(place)
    }
}

/// The names of `mod name;`.
fn children(code: &str) -> Vec<String> {
    let declared = code.match_indices("mod ").filter(|(at, _)| !code[..*at].ends_with(is_word));
    declared
        .filter_map(|(at, word)| {
            let rest = &code[at + word.len()..];
            let end = rest.find(|letter| !is_word(letter))?;
            rest[end..].trim_start().starts_with(';').then(|| rest[..end].to_owned())
        })
        .collect()
}
