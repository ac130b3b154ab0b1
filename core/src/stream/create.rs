//! Creating a stream, or finding that it exists.

use bytes::Bytes;

use super::layout::Layout;
use super::log::{AppendPlan, Content, Marks};
use super::tail::Tail;
use super::{Slot, Stream, StreamLimits, lifetime};
use crate::mutant::mutated;
use crate::protocol::json::JsonMessages;
use crate::protocol::message::Create;
use crate::protocol::{ErrorCode, Expiry, Incarnation, ReaderKey, Readership, Refusal};
use crate::storage::{SqlError, SqlParam, SqlStorage, row_key, schema};

/// The command to create a stream.
#[derive(Debug)]
pub struct CreateCommand<'a> {
    /// The time in ms since the Unix epoch.
    pub now_ms: u64,
    /// A fresh one, for the stream that may be created.
    pub incarnation: Incarnation,
    /// A fresh one, for the same.
    pub reader_key: ReaderKey,
    /// The request.
    pub create: &'a Create,
    /// The first content, or why it cannot be kept.
    pub body: Result<&'a Bytes, Refusal>,
}

/// The outcome of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// A stream was created.
    Created,
    /// A stream with this configuration existed. The body was ignored.
    Exists,
    /// Nothing was created.
    Refused(Refusal),
}

impl Slot {
    /// Creates a stream with its first content in one atomic transaction, unless there is one. The caller has removed
    /// an expired one before.
    pub fn create<S: SqlStorage>(
        &mut self,
        sql: &S,
        limits: &StreamLimits,
        command: CreateCommand<'_>,
    ) -> Result<CreateOutcome, SqlError> {
        let CreateCommand { now_ms, incarnation, reader_key, create, body } = command;
        let content_type = create.content_type.clone().unwrap_or_default();
        if let Ok(stream) = self.living(now_ms) {
            // An instance that has lost its storage fails here, instead of finding what may be gone.
            stream.strong_tail(sql)?;
            let same = stream.content_type == content_type
                && stream.expiry == create.expiry
                && stream.readers.is_everybody() == create.public
                && stream.tail.closed == create.closed;
            if !same {
                let message = "a stream with another content type, lifetime, closure or readership is at this URL";
                return Ok(CreateOutcome::Refused(Refusal::new(ErrorCode::ConfigurationConflict, message)));
            }
            if !mutated!(CreationDoesNotTouch) {
                stream.touch(sql, now_ms)?;
            }
            return Ok(CreateOutcome::Exists);
        }
        let content = match body {
            Err(refusal) => Err(refusal),
            Ok(body) if content_type.is_json() && !body.is_empty() => JsonMessages::split(body).map(Content::Json),
            Ok(body) => Ok(Content::Bytes(body.clone())),
        };
        let content = match content {
            Ok(content) => content,
            Err(refusal) => return Ok(CreateOutcome::Refused(refusal)),
        };
        let next_read_seq = self.next_read_seq();
        if next_read_seq >= row_key::READ_SEQS {
            let refusal = Refusal::new(ErrorCode::StreamFull, "the offsets of this URL are used up");
            return Ok(CreateOutcome::Refused(refusal));
        }
        let mut stream = Stream {
            incarnation,
            content_type,
            expiry: create.expiry.clone(),
            readers: Readership::of(&reader_key, create.public),
            reader_key,
            first_read_seq: next_read_seq,
            deadline_ms: lifetime::deadline_ms(&create.expiry, now_ms),
            tail: Tail::empty(next_read_seq),
            layout: Layout::of_new_stream(next_read_seq),
        };
        let marks = Marks { close: create.closed, ..Marks::default() };
        let first = match content.is_empty() && !create.closed {
            true => None,
            false => AppendPlan::plan(&stream, limits, now_ms, &content, &marks),
        };
        sql.transaction(|| {
            schema::create_stream_tables(sql)?;
            insert(sql, &stream)?;
            let Some(plan) = &first else { return Ok(()) };
            plan.write(sql)?;
            if limits.never_fill(0) { Ok(()) } else { stream.keep_room(sql, limits) }
        })?;
        if let Some(plan) = first {
            plan.apply(&mut stream);
        }
        *self = Self::Occupied(stream);
        debug_assert!(sql.holds(|| self.is_stored(sql)), "a created stream is stored as memory has it");
        Ok(CreateOutcome::Created)
    }
}

fn insert<S: SqlStorage>(sql: &S, stream: &Stream) -> Result<(), SqlError> {
    const UPSERT: &str = "INSERT INTO stream (id, version, first_read_seq, incarnation, content_type, ttl_s, \
                          expires_at, deadline_ms, public, reader_key) VALUES (0, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
                          ON CONFLICT (id) DO UPDATE SET version = excluded.version, \
                          first_read_seq = excluded.first_read_seq, incarnation = excluded.incarnation, \
                          content_type = excluded.content_type, ttl_s = excluded.ttl_s, \
                          expires_at = excluded.expires_at, deadline_ms = excluded.deadline_ms, \
                          public = excluded.public, reader_key = excluded.reader_key";
    let (ttl_s, expires_at) = match &stream.expiry {
        Expiry::Never => (None, None),
        Expiry::Ttl { seconds } => (Some(*seconds), None),
        Expiry::At { text, .. } => (None, Some(text.as_str())),
    };
    let params = [
        SqlParam::count(schema::VERSION)?,
        SqlParam::count(stream.first_read_seq)?,
        SqlParam::Text(stream.incarnation.as_str()),
        SqlParam::Text(stream.content_type.as_str()),
        SqlParam::count_or_null(ttl_s)?,
        SqlParam::text_or_null(expires_at),
        SqlParam::count_or_null(stream.deadline_ms)?,
        SqlParam::count(u64::from(stream.readers.is_everybody()))?,
        SqlParam::Text(stream.reader_key.as_str()),
    ];
    sql.run(UPSERT, &params)
}
