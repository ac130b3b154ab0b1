//! The wings of the simulator: each names only the wings and the modules of core that it may know.

use super::path::{Reach, is_word, paths};
use super::source::Source;
use super::{Files, Finding};

/// Where they are.
const FOLDER: &str = "sim/src/";

/// A part of the simulator.
struct Wing {
    /// A module at the crate's root.
    name: &'static str,
    /// The others that it may name.
    knows: &'static [&'static str],
    /// The modules of core that it may name.
    core: &'static [&'static str],
}

/// All wings, each of which knows only those above it. Of core's names, `marks` is the table of coverage marks, and
/// `mutant` that of known bugs.
const WINGS: &[Wing] = &[
    Wing { name: "kernel", knows: &[], core: &["marks"] },
    Wing { name: "bill", knows: &["kernel"], core: &[] },
    Wing { name: "front", knows: &["kernel"], core: &[] },
    Wing { name: "world", knows: &["kernel", "bill", "front"], core: &["marks", "protocol", "runtime", "storage"] },
    Wing {
        name: "tailrace",
        knows: &["kernel", "bill", "front", "world"],
        core: &["marks", "mutant", "protocol", "storage", "stream", "runtime", "object", "edge"],
    },
    Wing { name: "registry", knows: &["kernel", "world", "tailrace"], core: &["mutant", "protocol", "runtime"] },
    Wing {
        name: "crowd",
        knows: &["kernel", "bill", "front", "world", "tailrace"],
        core: &["protocol", "runtime", "edge"],
    },
    Wing {
        name: "judge",
        knows: &["kernel", "bill", "front", "world", "tailrace", "registry", "crowd"],
        core: &["marks", "mutant", "protocol", "storage", "runtime"],
    },
    Wing {
        name: "forecast",
        knows: &["kernel", "bill", "front", "world", "tailrace", "crowd", "judge"],
        core: &["protocol"],
    },
    Wing {
        name: "probe",
        knows: &["kernel", "bill", "front", "world"],
        core: &["marks", "protocol", "storage", "runtime"],
    },
];

/// The one file of the world that may name core's edge: it defines the program that runs in a world.
const PROGRAM: &str = "sim/src/world/program.rs";
/// The wing of which others may use only what its root makes public.
const FACED: &str = "world";

/// Checks every file of the simulator.
pub(super) fn check(files: &Files) -> Vec<Finding> {
    let face = files.get(&format!("{FOLDER}{FACED}/mod.rs")).map(|text| public(text)).unwrap_or_default();
    let mut findings = Vec::new();
    for (file, text) in files.iter().filter(|(file, _)| file.starts_with(FOLDER) && file.ends_with(".rs")) {
        let place: Vec<&str> =
            file[FOLDER.len()..].trim_end_matches(".rs").split('/').filter(|&name| name != "mod").collect();
        // The roots of the library and of the program may name all wings.
        if matches!(place.as_slice(), ["lib" | "main"]) {
            continue;
        }
        let mut add = |line, message| findings.push(Finding { path: file.clone(), line, message });
        let Some(wing) = WINGS.iter().find(|wing| place.first() == Some(&wing.name)) else {
            add(0, "no wing of the simulator: give it a place in the table of xtask/src/tidy/wing.rs".to_owned());
            continue;
        };
        for path in paths(&Source::parse(text)) {
            let names: Vec<&str> = path.names.iter().map(String::as_str).collect();
            let problem = match names.as_slice() {
                ["tailrace_core", name, ..] => of_core(wing, file, name),
                ["crate", inside @ ..] => of_sim(wing, &face, inside),
                _ => climbed(&names, place.len()).and_then(|inside| of_sim(wing, &face, inside)),
            };
            if let Some(message) = problem {
                add(path.line, message);
            }
        }
    }
    findings
}

/// What is wrong with naming a module of core.
fn of_core(wing: &Wing, file: &str, name: &str) -> Option<String> {
    if wing.core.contains(&name) || (file == PROGRAM && name == "edge") {
        return None;
    }
    Some(format!("`{}` must not know core's `{name}`: it may know {}", wing.name, list(wing.core)))
}

/// What is wrong with naming something at the root of the simulator.
fn of_sim(wing: &Wing, face: &[String], names: &[&str]) -> Option<String> {
    let (first, rest) = names.split_first()?;
    if *first == wing.name || WINGS.iter().all(|other| other.name != *first) {
        return None;
    }
    if !wing.knows.contains(first) {
        return Some(format!("`{}` must not know `{first}`: it may know {}", wing.name, list(wing.knows)));
    }
    match rest {
        [] if *first == FACED => Some(format!("`{first}` as a whole has inner modules: name what is taken from it")),
        [item, ..] if *first == FACED && *item != "*" && !face.iter().any(|name| name == item) => {
            Some(format!("`{first}` is known by what its mod.rs makes public alone, and `{item}` is none of that"))
        }
        _ => None,
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The names after as many `super` as lead to the crate's root; `None` if there are fewer.
fn climbed<'a, 'b>(names: &'a [&'b str], depth: usize) -> Option<&'a [&'b str]> {
    let (climb, inside) = names.split_at_checked(depth)?;
    climb.iter().all(|name| *name == "super").then_some(inside)
}

/// The names that a module makes public: re-exports and its own items.
fn public(text: &str) -> Vec<String> {
    let source = Source::parse(text).without_tests();
    let handed_on = paths(&source).into_iter().filter(|path| path.reach == Reach::Everybody);
    let mut names: Vec<String> = handed_on.filter_map(|path| path.alias).collect();
    for (_, line) in source.lines() {
        let words: Vec<&str> = line.split(|letter| !is_word(letter)).filter(|word| !word.is_empty()).collect();
        let item = ["mod", "struct", "enum", "trait", "type", "fn", "const", "static"];
        if let ["pub", kind, name, ..] = words.as_slice()
            && item.contains(kind)
        {
            names.push((*name).to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: &str =
        "pub mod marks;\nmod bucket;\npub use bucket::Store;\npub(crate) use bucket::Inner;\npub struct World<P>(P);";

    /// Checks how many findings a file of the simulator has.
    fn finds(file: &str, text: &str, count: usize) {
        let files = [("sim/src/world/mod.rs", FACE), (file, text)];
        let found = check(&files.map(|(path, text)| (path.to_owned(), text.to_owned())).into());
        assert_eq!(found.len(), count, "{file}: {text}: {found:?}");
    }

    #[test]
    fn a_wing_may_know_those_above_it() {
        finds("sim/src/kernel/rt.rs", "use super::random::Random; use crate::kernel::trace;", 0);
        finds("sim/src/world/bucket/store.rs", "use crate::kernel::Random; use super::super::faults::Faults;", 0);
        finds(
            "sim/src/world/state.rs",
            "use tailrace_core::runtime::ActorState; use tailrace_core::{protocol::x, storage};",
            0,
        );
        finds("sim/src/world/program.rs", "use tailrace_core::edge::Fetched;", 0);
        finds(
            "sim/src/judge/swarm.rs",
            "use crate::world::{Store, World, marks::M}; use crate::tailrace::Tailrace;",
            0,
        );
        finds("sim/src/probe/mod.rs", "use crate::world::World; use super::kernel::rt;", 0);
        finds("sim/src/tailrace.rs", "use tailrace_core::object::StreamObject; use super::world::World;", 0);
        finds("sim/src/lib.rs", "pub use judge::swarm; use crate::world::bucket::Any;", 0);
    }

    #[test]
    fn a_wing_must_not_know_those_below_it() {
        finds("sim/src/kernel/rt.rs", "use crate::world::World;", 1);
        finds("sim/src/kernel/rt.rs", "use tailrace_core::protocol::Offset;", 1);
        finds("sim/src/world/faults.rs", "fn f(x: crate::judge::scenario::Event) {}", 1);
        finds("sim/src/world/faults.rs", "use super::super::tailrace::Tailrace;", 1);
        finds("sim/src/probe/mod.rs", "use crate::{judge::swarm, tailrace::Tailrace};", 2);
    }

    #[test]
    fn the_world_knows_no_tailrace() {
        for module in ["object", "edge", "stream", "mutant"] {
            finds("sim/src/world/state.rs", &format!("use tailrace_core::{module}::X;"), 1);
        }
        finds("sim/src/world/program.rs", "use tailrace_core::object::X;", 1);
    }

    #[test]
    fn the_world_is_known_by_its_face() {
        finds("sim/src/judge/swarm.rs", "use crate::world::bucket::Store;", 1);
        finds("sim/src/judge/swarm.rs", "use crate::world::Inner;", 1);
        finds("sim/src/judge/swarm.rs", "use crate::world;\nfn f() { world::bucket::x() }", 1);
        finds("sim/src/judge/swarm.rs", "use crate::kernel::trace::Trace;", 0);
    }

    #[test]
    fn a_file_without_a_wing_is_found() {
        finds("sim/src/helper.rs", "", 1);
        finds("sim/src/nobody/mod.rs", "", 1);
    }
}
