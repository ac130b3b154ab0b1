//! A URL to run cases at, and outcomes and positions as tables write them.

use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::Bytes;
use tailrace_core::protocol::{ErrorCode, Incarnation, Offset, ReadFrom, ReaderKey, Refusal};
use tailrace_core::storage::{SqlError, SqlStorage};
use tailrace_core::stream::{
    AppendOutcome, CreateCommand, CreateOutcome, EncodingStep, Page, ReadOutcome, SealedSegment, Slot, Stream,
    StreamLimits, index_of, page_of_frames,
};
use tailrace_sqlite::{Database, Settings};

use crate::request::{Post, Put};

/// When every case begins, in ms.
pub(crate) const START_MS: u64 = 1_000_000;

/// The smallest step of an encoding.
const ONE_ROW: EncodingStep = EncodingStep { rows: 1, bytes: usize::MAX };

/// A URL: its storage, its object's memory, its bucket, and its clock.
pub(crate) struct Url {
    pub(crate) sql: Database,
    pub(crate) slot: Slot,
    pub(crate) limits: StreamLimits,
    pub(crate) now_ms: u64,
    /// How often an append said that it sealed a segment.
    pub(crate) sealed: Cell<u32>,
    pub(crate) bucket: BTreeMap<String, Vec<u8>>,
    /// Bytes of frames that the last read fetched from it.
    pub(crate) fetched: usize,
    lives: u8,
}

impl Url {
    /// A URL at which there has never been a stream.
    pub(crate) fn new(limits: StreamLimits) -> Self {
        let sql = Database::open_in_memory(Settings::default()).expect("SQLite opens a database");
        let slot = Slot::load(&sql).expect("an empty database");
        let (bucket, sealed) = (BTreeMap::new(), Cell::new(0));
        Self { sql, slot, limits, now_ms: START_MS, sealed, bucket, fetched: 0, lives: 0 }
    }

    /// A URL with a stream.
    pub(crate) fn with(limits: StreamLimits, put: Put) -> Self {
        let mut url = Self::new(limits);
        let outcome = url.put(put);
        assert!(outcome.starts_with("201"), "{put:?}: {outcome}");
        url
    }

    /// The stream in memory, whether or not it has expired.
    pub(crate) fn stream(&self) -> &Stream {
        match &self.slot {
            Slot::Occupied(stream) => stream,
            Slot::Vacant { .. } => panic!("no stream is there"),
        }
    }

    /// Creates a stream: `201 0_3`, `200 0_3` or `409 configuration_conflict`; the offset is the tail.
    pub(crate) fn put(&mut self, put: Put) -> String {
        if matches!(&self.slot, Slot::Occupied(stream) if stream.is_expired(self.now_ms)) {
            self.slot.remove(&self.sql).expect("a stream is removed");
        }
        self.lives += 1;
        let (create, body) = put.message();
        let (incarnation, reader_key) =
            (Incarnation::from_random([self.lives; 16]), ReaderKey::from_random([self.lives; 16]));
        let body = body.as_ref().ok_or_else(|| Refusal::new(ErrorCode::BodyTooLarge, "too large"));
        let command = CreateCommand { now_ms: self.now_ms, incarnation, reader_key, create: &create, body };
        let outcome = self.slot.create(&self.sql, &self.limits, command).expect("storage works");
        self.compare();
        match outcome {
            CreateOutcome::Created => format!("201 {}", self.tail()),
            CreateOutcome::Exists => format!("200 {}", self.tail()),
            CreateOutcome::Refused(refusal) => refused(&refusal),
        }
    }

    /// Appends, closes, or both. The outcome is the end offset (exclusive) of what was appended, with `closed` if the
    /// stream is closed then; or the reason why nothing was appended.
    pub(crate) fn post(&mut self, post: Post) -> String {
        match self.append(post) {
            Err(refusal) => refused(&refusal),
            Ok(outcome) => match outcome {
                AppendOutcome::Appended { next, .. } => {
                    format!("{}{}", short(next), if self.stream().tail.closed { " closed" } else { "" })
                }
                AppendOutcome::Duplicate { next, last_seq } => format!("duplicate {} last {last_seq}", short(next)),
                AppendOutcome::AlreadyClosed => "already closed".to_owned(),
                AppendOutcome::Closed => "closed".to_owned(),
                AppendOutcome::StaleEpoch { current } => format!("stale {current}"),
                AppendOutcome::SequenceGap { expected } => format!("gap {expected}"),
                AppendOutcome::Refused(refusal) => refused(&refusal),
            },
        }
    }

    /// Appends, closes, or both; the outcome as a value.
    pub(crate) fn append(&mut self, post: Post) -> Result<AppendOutcome, Refusal> {
        let outcome = self.append_with(post, || Ok(()))?.expect("storage works");
        self.compare();
        Ok(outcome)
    }

    /// Appends, closes, or both; `sealed` runs in the transaction of an append that seals a segment.
    pub(crate) fn append_with(
        &mut self,
        post: Post,
        sealed: impl FnOnce() -> Result<(), SqlError>,
    ) -> Result<Result<AppendOutcome, SqlError>, Refusal> {
        let stream = self.slot.living(self.now_ms)?;
        let (append, body) = post.message(&stream.content_type);
        let count = || {
            self.sealed.set(self.sealed.get() + 1);
            sealed()
        };
        Ok(stream.append(&self.sql, &self.limits, self.now_ms, &append, &body, count))
    }

    /// Reads a page, and touches the stream as every read does.
    pub(crate) fn page(&mut self, from: ReadFrom) -> Result<Page, Refusal> {
        let stream = self.slot.living(self.now_ms)?;
        let page = match stream.read(&self.sql, &self.limits, from).expect("storage works") {
            ReadOutcome::Page(page) => page,
            ReadOutcome::Refused(refusal) => return Err(refusal),
            ReadOutcome::Cold(read) => {
                let object = &self.bucket[&read.record.attempt];
                let place = read.record.place;
                let index = &object[place.index_at as usize..][..place.index_bytes as usize];
                let index = index_of(&read.record, index).expect("the index of the record");
                let range = index.range(stream.kind(), read.position, self.limits.page_bytes).expect("it holds it");
                let frames = Bytes::copy_from_slice(&object[range.start as usize..range.end as usize]);
                self.fetched = frames.len();
                let content = page_of_frames(stream.kind(), &frames, read.position, self.limits.page_bytes);
                stream.cold_page(&read, content.expect("whole frames"))
            }
        };
        stream.touch(&self.sql, self.now_ms).expect("storage works");
        self.compare();
        Ok(page)
    }

    /// Reads a page. The outcome is its content (`-` if empty) and its end offset (exclusive), with `tail` or `closed`
    /// if it ends there; or the reason why the read is refused.
    pub(crate) fn get(&mut self, from: &str) -> String {
        match self.page(position(from)) {
            Err(refusal) => refused(&refusal),
            Ok(page) => {
                let end = match (page.up_to_date, page.closed) {
                    (false, false) => "",
                    (true, false) => " tail",
                    (true, true) => " closed",
                    (false, true) => panic!("the end of a closed stream is its tail: {page:?}"),
                };
                let body = String::from_utf8(page.body.to_vec()).expect("tables hold text");
                let body = if body.is_empty() { "-".to_owned() } else { body };
                format!("{body} {}{end}", short(page.next))
            }
        }
    }

    /// Removes the stream.
    pub(crate) fn delete(&mut self) {
        self.slot.remove(&self.sql).expect("storage works");
        self.compare();
    }

    /// The object of the first sealed segment, if there is one.
    pub(crate) fn encode(&self) -> Option<SealedSegment> {
        let mut encoding = self.stream().begin_encoding(&self.sql).expect("storage works")?;
        while !encoding.step(&self.sql, ONE_ROW).expect("storage works") {}
        Some(encoding.finish(&self.sql).expect("storage works"))
    }

    /// Moves the first sealed segment to R2. Returns whether there was one.
    pub(crate) fn rotate(&mut self) -> bool {
        if !matches!(self.slot, Slot::Occupied(_)) {
            return false;
        }
        let Some(sealed) = self.encode() else { return false };
        let Slot::Occupied(stream) = &mut self.slot else { return false };
        let attempt = format!("{}-{}", self.lives, sealed.read_seq);
        let recorded =
            self.sql.transaction(|| stream.record(&self.sql, sealed.read_seq, sealed.place, &attempt, false));
        recorded.expect("the first sealed segment is recorded");
        self.bucket.insert(attempt, sealed.object);
        self.compare();
        true
    }

    /// Starts the object again: its memory is loaded from storage.
    pub(crate) fn restart(&mut self) {
        self.slot = Slot::load(&self.sql).expect("storage works");
    }

    /// The tail, with `closed` if the stream is.
    pub(crate) fn tail(&self) -> String {
        let tail = &self.stream().tail;
        format!("{}{}", short(tail.offset), if tail.closed { " closed" } else { "" })
    }

    /// The tables that are there.
    pub(crate) fn tables(&self) -> Vec<String> {
        const SELECT: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        self.sql.query(SELECT, &[], |row| Ok(row.text(0)?.to_owned())).expect("storage works")
    }

    /// Checks that memory is what a fresh start would load from storage.
    fn compare(&self) {
        assert_eq!(Slot::load(&self.sql).as_ref(), Ok(&self.slot), "memory differs from storage");
    }
}

/// An offset as tables write it: `0_3`.
pub(crate) fn short(offset: Offset) -> String {
    format!("{}_{}", offset.read_seq, offset.position)
}

/// A position as tables write it: `-1`, `now` or `0_3`.
pub(crate) fn position(text: &str) -> ReadFrom {
    match text.split_once('_') {
        None => ReadFrom::parse(Some(text)).expect(text),
        Some((read_seq, position)) => {
            ReadFrom::At(Offset { read_seq: read_seq.parse().expect(text), position: position.parse().expect(text) })
        }
    }
}

fn refused(refusal: &Refusal) -> String {
    format!("{} {}", refusal.code.status(), refusal.code.name())
}
