//! Replays the corpus of each fuzz target, and variants of its inputs, so that what was found once is found again.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tailrace_core::fuzz::TARGETS;
use tailrace_core::protocol::segment::{ContentKind, Frame, Whole};

/// The most files of a corpus. People read it: it holds what a target needs to reach everything, not all it has ever
/// seen.
const FILES: usize = 128;
const FILE_BYTES: usize = 4 << 10;

fn folder(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(of)
}

/// Names and contents of the files in a folder of `fuzz/`, in the order of the names.
fn files(of: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder(of)).unwrap_or_else(|error| panic!("fuzz/{of}: {error}"));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn every_target_has_a_program_and_every_program_is_a_target() {
    let programs = files("targets").into_iter().map(|(name, text)| (name, String::from_utf8(text).unwrap()));
    let programs: Vec<_> = programs.collect();
    let names: Vec<_> = programs.iter().map(|(name, _)| name.trim_end_matches(".rs").replace('_', "-")).collect();
    assert_eq!(names, TARGETS.iter().map(|target| target.name).collect::<Vec<_>>());
    for ((_, text), target) in programs.iter().zip(TARGETS) {
        let body = format!("tailrace_core::fuzz::{}::run(bytes)", target.name.replace('-', "_"));
        assert!(text.contains(&body), "{} does not call {body}", target.name);
    }
}

#[test]
fn every_corpus_is_small() {
    for target in TARGETS {
        let files = files(&format!("corpus/{}", target.name));
        assert!((10..=FILES).contains(&files.len()), "{}: {} files", target.name, files.len());
        for (name, bytes) in files {
            assert!(bytes.len() <= FILE_BYTES, "{}/{name}: {} bytes", target.name, bytes.len());
        }
    }
}

#[test]
fn every_input_of_the_corpus_holds() {
    for target in TARGETS {
        for (name, bytes) in files(&format!("corpus/{}", target.name)) {
            // The test harness shows this only if the target panics.
            println!("fuzz/corpus/{}/{name}", target.name);
            (target.run)(&bytes);
        }
    }
}

/// A change of an input: some of its bytes are replaced. Positions are shares of its length.
#[derive(Clone, Debug)]
struct Change {
    input: prop::sample::Index,
    at: prop::sample::Index,
    removed: usize,
    inserted: Vec<u8>,
}

fn changes() -> impl Strategy<Value = Change> {
    let inserted = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..9),
        "[\\[\\]{}\",:0-9a-z_ \\\\\r\n]{0,9}".prop_map(String::into_bytes),
    ];
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..9_usize, inserted)
        .prop_map(|(input, at, removed, inserted)| Change { input, at, removed, inserted })
}

#[test]
fn whatever_is_near_the_corpus_holds() {
    for target in TARGETS {
        let inputs = files(&format!("corpus/{}", target.name));
        proptest!(ProptestConfig::with_cases(10_000), |(changes in prop::collection::vec(changes(), 1..4))| {
            let mut bytes = changes[0].input.get(&inputs).1.clone();
            for change in &changes {
                let at = change.at.index(bytes.len() + 1);
                let end = bytes.len().min(at + change.removed);
                bytes.splice(at..end, change.inserted.iter().copied());
            }
            (target.run)(&bytes);
        });
    }
}

/// The two objects were written by hand from the documentation of the format. Every later version has to read them.
#[test]
fn objects_of_the_first_version_are_read() {
    let check = |name: &str, kind: ContentKind, read_seq: u64, frames: &[(u64, u64, u32, &str)]| {
        let bytes = fs::read(folder("corpus/segment-decode").join(name)).unwrap();
        let whole = Whole::decode(&bytes).unwrap();
        let text = |frame: &Frame<'_>| String::from_utf8(frame.payload.to_vec()).unwrap();
        let found: Vec<_> = whole.frames.iter().map(|f| (f.first, f.commit_ms, f.messages, text(f))).collect();
        let expected = frames.iter().map(|(first, ms, messages, text)| (*first, *ms, *messages, (*text).to_owned()));
        assert_eq!((whole.head.kind, whole.head.read_seq), (kind, read_seq), "{name}");
        assert_eq!(found, expected.collect::<Vec<_>>(), "{name}");
    };
    let json = [(0, 1000, 1, r#"{"a":1}"#), (1, 1001, 3, r#"1,"two",[3]"#), (4, 1005, 1, "null")];
    check("json", ContentKind::Json, 3, &json);
    check("bytes", ContentKind::Bytes, 0, &[(0, 5, 1, "hello"), (5, 6, 1, " "), (6, 9, 1, "world")]);
}
