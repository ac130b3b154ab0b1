//! Planning and writing the rows of one append.

use bytes::Bytes;

use super::layout::Destination;
use super::record::Record;
use super::tail::{CLOSED, CONTINUES, SEALED, Tail};
use super::{Stream, StreamLimits};
use crate::mutant::mutated;
use crate::protocol::json::JsonMessages;
use crate::protocol::limits::LOG_ROW_BYTES;
use crate::protocol::{Offset, ProducerId, lengths};
use crate::storage::{RowKey, SqlError, SqlParam, SqlStorage, log_sql, row_key, schema};

/// The content of an append.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Bytes of a stream that is not in JSON mode.
    Bytes(Bytes),
    /// Messages of a stream in JSON mode.
    Json(JsonMessages),
}

impl Content {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Json(messages) => messages.lengths.is_empty(),
        }
    }

    /// The content as the log stores it.
    pub(super) fn bytes(&self) -> &Bytes {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Json(messages) => &messages.joined,
        }
    }
}

/// One append: its rows, and the tail after it.
#[derive(Debug)]
pub(super) struct AppendPlan {
    rows: Vec<Row>,
    /// How many rows its segment has before it.
    rows_before: u64,
    start: Offset,
    destination: Destination,
    pub(super) tail: Tail,
}

#[derive(Debug)]
struct Row {
    key: RowKey,
    count: u64,
    flags: u64,
    /// Bytes of the segment up to the end of this row.
    tally: u64,
    lengths: Vec<u8>,
    body: Bytes,
}

impl Row {
    /// What it takes in the hot log, in bytes.
    fn stored_bytes(&self, tail: &Tail) -> u64 {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let content = self.body.len() + self.lengths.len() + text(&tail.stream_seq) + text(&tail.closed_by);
        LOG_ROW_BYTES + content as u64
    }
}

/// What an append does besides adding content.
#[derive(Debug, Default)]
pub(super) struct Marks<'a> {
    pub(super) stream_seq: Option<&'a str>,
    pub(super) close: bool,
    pub(super) closed_by: Option<&'a ProducerId>,
    /// Whether it is by a producer that the stream does not keep yet, and in nobody's place.
    pub(super) adds_producer: bool,
}

impl AppendPlan {
    /// Plans an append. `None` if the offsets of the URL are used up.
    pub(super) fn plan(
        stream: &Stream,
        limits: &StreamLimits,
        now_ms: u64,
        content: &Content,
        marks: &Marks<'_>,
    ) -> Option<Self> {
        let tail = &stream.tail;
        // A row without content is at the tail itself, even if its segment is sealed, so that closing moves no offset.
        let start = if content.is_empty() { tail.offset } else { tail.next_append() };
        if start.read_seq >= row_key::READ_SEQS {
            return None;
        }
        let is_same_segment = start.read_seq == tail.offset.read_seq;
        let (tally, rows_before) = if is_same_segment { (tail.tally, tail.rows) } else { (0, 0) };
        let mut rows = match content {
            _ if content.is_empty() => Vec::new(),
            Content::Bytes(bytes) => byte_rows(bytes, start, limits),
            Content::Json(messages) => json_rows(messages, start, tally, limits),
        };
        if rows.is_empty() {
            let key = RowKey::first(start);
            rows.push(Row { key, count: 0, flags: 0, tally, lengths: Vec::new(), body: Bytes::new() });
        }
        debug_assert!(rows_hold(&rows, content, start), "the rows hold the content: {rows:?}");
        let count = rows.len();
        let last = rows.last_mut()?;
        let position = last.key.offset.position + last.count;
        let rows_after = rows_before + count as u64;
        let sealed = marks.close || last.tally >= limits.segment_bytes || rows_after >= limits.segment_rows;
        if sealed {
            last.flags |= SEALED;
        }
        if marks.close {
            last.flags |= CLOSED;
        }
        // Where the last segment is in R2, its record notes the close, and counts no rows.
        let is_noted = stream.layout.is_cold(start.read_seq);
        let mut tail = Tail {
            offset: Offset { read_seq: start.read_seq, position },
            sealed,
            closed: marks.close,
            commit_ms: if mutated!(CommitTimeByTheClock) { now_ms } else { now_ms.max(tail.commit_ms + 1) },
            tally: last.tally,
            rows: if is_noted { 0 } else { rows_after },
            stream_seq: marks.stream_seq.map(str::to_owned).or_else(|| tail.stream_seq.clone()),
            closed_by: marks.closed_by.map(|id| id.as_str().to_owned()),
            total: tail.total,
            producers: tail.producers + u64::from(marks.adds_producer),
        };
        if is_noted {
            rows.clear();
        }
        tail.total += rows.iter().map(|row| row.stored_bytes(&tail)).sum::<u64>();
        Some(Self { rows, rows_before, start, destination: stream.layout.destination(start), tail })
    }

    /// How many rows of the log it writes.
    pub(super) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Whether it is the first of a table.
    pub(super) fn opens_table(&self) -> bool {
        self.destination.is_new
    }

    /// Whether it is one statement, which is atomic without a transaction.
    pub(super) fn is_one_statement(&self) -> bool {
        self.rows.len() <= 1 && !self.destination.is_new
    }

    /// Writes the rows. The caller holds the transaction if there is more than one statement.
    pub(super) fn write<S: SqlStorage>(&self, sql: &S) -> Result<(), SqlError> {
        let Destination { table, is_new } = self.destination;
        let insert = log_sql!(
            table,
            "INSERT INTO ",
            " (key, count, commit_ms, flags, tally, stream_seq, closed_by, lengths, body, total, producers, segment_rows) \
              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        );
        // For the mutants that use an offset twice: without REPLACE the primary key would refuse their rows.
        let over = log_sql!(
            table,
            "INSERT OR REPLACE INTO ",
            " (key, count, commit_ms, flags, tally, stream_seq, closed_by, lengths, body, total, producers, segment_rows) \
              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        );
        if self.rows.is_empty() {
            return Record::close(sql, &self.tail);
        }
        if is_new {
            schema::create_log_table(sql, table)?;
        }
        let replace = mutated!(TailNotMoved | OffsetReusedAfterCrash);
        for (row, segment_rows) in self.rows.iter().zip(self.rows_before + 1..) {
            let lengths = if row.lengths.is_empty() { SqlParam::Null } else { SqlParam::Blob(&row.lengths) };
            let params = [
                SqlParam::count(row.key.pack()?)?,
                SqlParam::count(row.count)?,
                SqlParam::count(self.tail.commit_ms)?,
                SqlParam::count(row.flags)?,
                SqlParam::count(row.tally)?,
                SqlParam::text_or_null(self.tail.stream_seq.as_deref()),
                SqlParam::text_or_null(self.tail.closed_by.as_deref()),
                lengths,
                SqlParam::Blob(&row.body),
                SqlParam::count(self.tail.total)?,
                SqlParam::count(self.tail.producers)?,
                SqlParam::count(segment_rows)?,
            ];
            sql.run(if replace { over } else { insert }, &params)?;
        }
        Ok(())
    }

    /// Takes the append over into memory, once its rows are written.
    pub(super) fn apply(self, stream: &mut Stream) {
        if !self.rows.is_empty() {
            stream.layout.appended(self.start, self.destination);
        }
        if mutated!(TailNotMoved)
            && let [first, _, ..] = self.rows.as_slice()
        {
            let offset = Offset { position: first.key.offset.position + first.count, ..first.key.offset };
            stream.tail = Tail { offset, sealed: false, ..stream.tail.clone() };
            return;
        }
        stream.tail = self.tail;
    }
}

/// Whether rows hold the content from a position on, without a gap: positions, lengths and bytes agree. For assertions.
fn rows_hold(rows: &[Row], content: &Content, start: Offset) -> bool {
    let mut next = RowKey::first(start);
    let mut bytes = 0;
    for row in rows {
        let continues = row.flags & CONTINUES != 0;
        let lengths = lengths::unpack(&row.lengths).unwrap_or_default();
        let packed = lengths.iter().map(|length| *length as usize + 1).sum::<usize>();
        let count = match content {
            Content::Bytes(_) => row.body.len(),
            Content::Json(messages) if messages.lengths.is_empty() || continues => 0,
            Content::Json(_) => lengths.len().max(1),
        };
        if row.key != next || row.count != count as u64 || !row.lengths.is_empty() && packed != row.body.len() + 1 {
            return false;
        }
        let position = next.offset.position + row.count;
        next = match continues {
            true => RowKey { part: next.part + 1, ..next },
            false => RowKey::first(Offset { position, ..next.offset }),
        };
        // The comma that follows a whole message is not stored.
        bytes += row.body.len() + usize::from(matches!(content, Content::Json(_)) && !continues);
    }
    let (positions, commas) = match content {
        Content::Bytes(content) => (content.len(), 0),
        Content::Json(messages) => (messages.lengths.len(), 1),
    };
    next.offset.position - start.position == positions as u64 && bytes == content.bytes().len() + commas
}

fn byte_rows(bytes: &Bytes, start: Offset, limits: &StreamLimits) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut rest = bytes.clone();
    let mut position = start.position;
    while !rest.is_empty() {
        let body = rest.split_to(rest.len().min(limits.row_bytes));
        let count = body.len() as u64;
        let key = RowKey::first(Offset { read_seq: start.read_seq, position });
        position += count;
        rows.push(Row { key, count, flags: 0, tally: position, lengths: Vec::new(), body });
    }
    rows
}

/// Groups messages into rows. A message that is larger than a row is split into parts, each in a row of its own.
fn json_rows(messages: &JsonMessages, start: Offset, tally: u64, limits: &StreamLimits) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut rest = messages.joined.clone();
    let mut position = start.position;
    let mut tally = tally;
    let mut lengths = messages.lengths.as_slice();
    while let Some((&first, _)) = lengths.split_first() {
        let key = RowKey::first(Offset { read_seq: start.read_seq, position });
        let (mut taken, mut bytes) = (1, first as usize);
        if bytes > limits.row_bytes {
            part_rows(rest.split_to(bytes), key, tally, limits, &mut rows);
        } else {
            while let Some(next) = lengths.get(taken).map(|length| bytes + 1 + *length as usize)
                && next <= limits.row_bytes
                && !mutated!(RowForEachMessage)
            {
                bytes = next;
                taken += 1;
            }
            let (of_row, _) = lengths.split_at(taken);
            let packed = if taken > 1 { lengths::pack(of_row) } else { Vec::new() };
            let body = rest.split_to(bytes);
            rows.push(Row { key, count: taken as u64, flags: 0, tally, lengths: packed, body });
        }
        tally += bytes as u64;
        if let Some(last) = rows.last_mut() {
            last.tally = tally;
        }
        position += taken as u64;
        (_, lengths) = lengths.split_at(taken);
        // The comma between two rows is not stored.
        let comma = rest.len().min(1);
        let _ = rest.split_to(comma);
    }
    rows
}

/// The rows of one message that is larger than a row. Only the last row counts it, so that the last row of the log
/// always tells the tail.
fn part_rows(mut message: Bytes, key: RowKey, tally: u64, limits: &StreamLimits, rows: &mut Vec<Row>) {
    let mut part = 0;
    while !message.is_empty() {
        let body = message.split_to(message.len().min(limits.row_bytes));
        let is_last = message.is_empty();
        let (count, flags) = if is_last { (1, 0) } else { (0, CONTINUES) };
        rows.push(Row { key: RowKey { part, ..key }, count, flags, tally, lengths: Vec::new(), body });
        part += 1;
    }
}
