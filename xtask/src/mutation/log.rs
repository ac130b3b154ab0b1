//! Every verdict so far, a line each, written as soon as it is known: a run that was stopped goes on from here.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::mutant::Mutant;
use super::trial::Verdict;

/// What came of one mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The mutant's name.
    pub(super) name: String,
    /// The digest of the function that it changes.
    pub(super) function: String,
    pub(super) verdict: Verdict,
    /// The test that failed, or what the simulator found; empty where nothing did.
    pub(super) by: String,
    /// How long it took, builds included.
    pub(super) seconds: u64,
    /// The commit that was changed.
    pub(super) commit: String,
    /// The first verdict on this function's mutant: later ones owe something to tests that were written for it.
    pub(super) first: Verdict,
}

impl Record {
    /// Fields in a line, by tabs.
    fn line(&self) -> String {
        let Self { name, function, verdict, by, seconds, commit, first } = self;
        let by = by.replace(['\t', '\n'], " ");
        format!("{name}\t{function}\t{verdict}\t{by}\t{seconds}\t{commit}\t{first}\n")
    }

    /// A line that was written whole.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.strip_suffix('\n')?.split('\t').map(str::to_owned);
        let mut next = || fields.next();
        let (name, function, verdict, by) = (next()?, next()?, Verdict::named(&next()?)?, next()?);
        let (seconds, commit) = (next()?.parse().ok()?, next()?);
        let first = next().map_or(Some(verdict), |first| Verdict::named(&first))?;
        Some(Self { name, function, verdict, by, seconds, commit, first })
    }

    /// After an earlier one on the same mutant.
    fn after(self, earlier: Option<&Self>) -> Self {
        let first = earlier.filter(|earlier| earlier.function == self.function).map_or(self.first, |one| one.first);
        Self { first, ..self }
    }
}

/// The file, and what it holds.
pub(super) struct Log {
    file: File,
    records: BTreeMap<String, Record>,
}

impl Log {
    /// Reads the log, or begins a new one.
    pub(super) fn open(path: &Path, is_fresh: bool) -> Result<Self> {
        let bytes = if is_fresh || !path.exists() { Vec::new() } else { fs::read(path)? };
        let text = String::from_utf8_lossy(&bytes);
        // The last line of each name counts. One that was not written whole, because the machine stopped, is dropped.
        let mut records = BTreeMap::<String, Record>::new();
        for record in text.split_inclusive('\n').filter_map(Record::parse) {
            let earlier = records.get(&record.name);
            let record = record.after(earlier);
            records.insert(record.name.clone(), record);
        }
        let whole: String = records.values().map(Record::line).collect();
        fs::write(path, whole).with_context(|| format!("cannot write {}", path.display()))?;
        let file = OpenOptions::new().append(true).open(path);
        Ok(Self { file: file.with_context(|| format!("cannot open {}", path.display()))?, records })
    }

    /// The verdict on a mutant, unless its function has changed since.
    pub(super) fn of(&self, mutant: &Mutant) -> Option<Record> {
        self.records.get(&mutant.name).filter(|record| record.function == mutant.function).cloned()
    }

    /// Writes a verdict down.
    pub(super) fn add(&mut self, record: Record) -> Result<()> {
        let earlier = self.records.get(&record.name);
        let record = record.after(earlier);
        self.file.write_all(record.line().as_bytes()).context("cannot write the log")?;
        self.records.insert(record.name.clone(), record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, verdict: Verdict) -> Record {
        let (function, by, commit) = ("f1".to_owned(), "a\ttest".to_owned(), "c1".to_owned());
        Record { name: name.to_owned(), function, verdict, by, seconds: 3, commit, first: verdict }
    }

    fn mutant(name: &str, function: &str) -> Mutant {
        let (name, function) = (name.to_owned(), function.to_owned());
        Mutant { name, path: "a.rs".to_owned(), range: 0..0, replacement: String::new(), function, body: None }
    }

    #[test]
    fn a_run_that_was_stopped_goes_on_from_its_log() {
        let folder = std::env::temp_dir().join(format!("tailrace-mutation-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("log.tsv");
        let mut log = Log::open(&path, true).unwrap();
        log.add(record("a", Verdict::Survived)).unwrap();
        log.add(record("b", Verdict::Unviable)).unwrap();
        log.add(record("a", Verdict::Killed)).unwrap();
        // The machine stops within a line.
        log.file.write_all(b"c\tf1\tkil").unwrap();
        drop(log);

        let mut log = Log::open(&path, false).unwrap();
        let expected = Record { by: "a test".to_owned(), first: Verdict::Survived, ..record("a", Verdict::Killed) };
        assert_eq!(log.of(&mutant("a", "f1")), Some(expected));
        assert_eq!(log.of(&mutant("a", "f2")), None, "its function has changed");
        assert_eq!(log.of(&mutant("c", "f1")), None, "its line is not whole");
        log.add(record("c", Verdict::Killed)).unwrap();

        let log = Log::open(&path, false).unwrap();
        assert_eq!(log.records.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(Log::open(&path, true).unwrap().records.is_empty());
        fs::remove_dir_all(&folder).unwrap();
    }
}
