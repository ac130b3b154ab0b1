//! The checklist of the edge cache (`tests/checklist.txt`) at the edge of the simulator: one test a line. The same lines
//! are tested on the real runtime (`tests/real/checklist`).
//!
//! | file | what it holds |
//! | --- | --- |
//! | `site` | the stream of a test in a world of its own, and what answers say of caches |
//! | `stored` | what is stored, and what `X-Cache` says |
//! | `not_stored` | what is not |
//! | `collapse` | readers of one position share one entry |
//! | `headers` | what caches in front of the Worker are told |
//! | `validity` | what an entry stands for |

mod collapse;
mod headers;
mod not_stored;
mod site;
mod stored;
mod validity;

/// The files of the tests.
const SOURCES: [&str; 5] = [
    include_str!("stored.rs"),
    include_str!("not_stored.rs"),
    include_str!("collapse.rs"),
    include_str!("headers.rs"),
    include_str!("validity.rs"),
];

#[test]
fn the_checklist_has_the_lines_1_to_31_and_each_has_one_test_here() {
    let lines = include_str!("../../checklist.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut wanted: Vec<String> = Vec::new();
    for (index, line) in lines.enumerate() {
        let (name, sentence) = line.split_once(": ").expect("NUMBER NAME: what must hold");
        let (number, name) = name.split_once(' ').expect("NUMBER NAME");
        assert_eq!(number.parse(), Ok(index + 1), "{line}");
        assert!(!sentence.is_empty(), "{line}");
        wanted.push(format!("fn checklist_{number}_{}()", name.replace('-', "_")));
    }
    assert_eq!(wanted.len(), 31);
    let tested = SOURCES.iter().flat_map(|source| source.lines()).filter(|line| line.starts_with("fn checklist_"));
    let mut tested: Vec<String> = tested.map(|line| line.trim_end_matches(" {").to_owned()).collect();
    tested.sort();
    assert_eq!(tested, wanted);
}
