//! What a URL holds.

use super::layout::Layout;
use super::tail::Tail;
use crate::protocol::{ContentType, ErrorCode, Expiry, Incarnation, ReaderKey, Readership, Refusal};
use crate::storage::schema::{self, Tables};
use crate::storage::{SqlError, SqlParam, SqlRow, SqlStorage};

/// What a URL holds, as storage tells it. Kept in memory between requests, and loaded again after a failed one.
#[derive(Clone, Debug, PartialEq, Eq)]
// An object has one slot, and passes it by reference.
#[allow(clippy::large_enum_variant)]
pub enum Slot {
    /// No stream, and perhaps the tombstone of one.
    Vacant {
        /// The first segment of the next stream: 0, or later than all that an earlier stream used.
        next_read_seq: u64,
    },
    /// A stream. It may have expired and not be removed yet.
    Occupied(Stream),
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Tells it from the other streams at this URL, before and after it.
    pub incarnation: Incarnation,
    /// The content type with which it was created.
    pub content_type: ContentType,
    /// When it expires, as it was configured.
    pub expiry: Expiry,
    /// What the URLs of its readers carry.
    pub reader_key: ReaderKey,
    /// Who may be handed what it answers by a cache that checks no token: everybody if it is public, else who knows the reader
    /// key.
    pub readers: Readership,
    /// Its first segment.
    pub first_read_seq: u64,
    /// The persisted deadline in ms since the Unix epoch, if it expires; see `lifetime`.
    pub deadline_ms: Option<u64>,
    /// The end of its log.
    pub tail: Tail,
    /// Where its segments are.
    pub layout: Layout,
}

impl Stream {
    /// Takes another reader key. Writes one row.
    pub fn rotate_reader_key<S: SqlStorage>(&mut self, sql: &S, reader_key: ReaderKey) -> Result<(), SqlError> {
        sql.run("UPDATE stream SET reader_key = ?1 WHERE id = 0", &[SqlParam::Text(reader_key.as_str())])?;
        self.readers = Readership::of(&reader_key, self.readers.is_everybody());
        self.reader_key = reader_key;
        Ok(())
    }
}

/// What storage holds.
#[derive(Debug)]
// It is taken apart at once.
#[allow(clippy::large_enum_variant)]
pub enum Stored {
    /// What this version understands.
    Slot(Slot),
    /// What an earlier version has written, and has to be migrated.
    Outdated {
        /// That version.
        version: u64,
    },
}

const SELECT_STREAM: &str = "SELECT version, first_read_seq, incarnation, content_type, ttl_s, expires_at, deadline_ms, \
                             public, reader_key FROM stream WHERE id = 0";

impl Slot {
    /// Reads the slot from storage. Writes nothing. Fails if an earlier version has written it.
    pub fn load<S: SqlStorage>(sql: &S) -> Result<Self, SqlError> {
        match Self::load_from(sql, &schema::tables(sql)?)? {
            Stored::Slot(slot) => Ok(slot),
            Stored::Outdated { version } => {
                Err(SqlError::new(format!("schema version {version} is not {}", schema::VERSION)))
            }
        }
    }

    /// Reads the slot from storage, where these tables are there. Writes nothing.
    pub fn load_from<S: SqlStorage>(sql: &S, tables: &Tables) -> Result<Stored, SqlError> {
        let vacant = |next_read_seq| Ok(Stored::Slot(Self::Vacant { next_read_seq }));
        if tables.stream && !tables.is_whole {
            let version = schema::version(sql)?;
            return version.map_or(vacant(0), |version| Ok(Stored::Outdated { version }));
        }
        let row = if tables.stream { sql.first(SELECT_STREAM, &[], read_stream)? } else { None };
        let (first_read_seq, identity) = match row {
            None => return vacant(0),
            Some(Row::Outdated { version }) => return Ok(Stored::Outdated { version }),
            Some(Row::Tombstone { next_read_seq }) => return vacant(next_read_seq),
            Some(Row::Stream { first_read_seq, identity }) => (first_read_seq, identity),
        };
        let (layout, tail) = Layout::load(sql, tables, first_read_seq)?;
        let Identity { incarnation, content_type, expiry, reader_key, readers, deadline_ms } = identity;
        Ok(Stored::Slot(Self::Occupied(Stream {
            incarnation,
            content_type,
            expiry,
            reader_key,
            readers,
            first_read_seq,
            deadline_ms,
            tail,
            layout,
        })))
    }

    /// The incarnation of the stream, expired or not; `None` if there is none.
    pub fn incarnation(&self) -> Option<&Incarnation> {
        match self {
            Self::Occupied(stream) => Some(&stream.incarnation),
            Self::Vacant { .. } => None,
        }
    }

    /// The stream. Fails if there is none or it has expired.
    pub fn living(&mut self, now_ms: u64) -> Result<&mut Stream, Refusal> {
        match self {
            Self::Occupied(stream) if !stream.is_expired(now_ms) => Ok(stream),
            _ => Err(Refusal::new(ErrorCode::StreamNotFound, "there is no stream at this URL")),
        }
    }
}

struct Identity {
    incarnation: Incarnation,
    content_type: ContentType,
    expiry: Expiry,
    reader_key: ReaderKey,
    readers: Readership,
    deadline_ms: Option<u64>,
}

/// The row of the table `stream`.
enum Row {
    Outdated { version: u64 },
    Tombstone { next_read_seq: u64 },
    Stream { first_read_seq: u64, identity: Identity },
}

fn read_stream(row: SqlRow<'_>) -> Result<Row, SqlError> {
    let version = row.count(0)?;
    if version < schema::VERSION {
        return Ok(Row::Outdated { version });
    }
    if version > schema::VERSION {
        return Err(SqlError::new(format!("schema version {version} is later than {}", schema::VERSION)));
    }
    let first_read_seq = row.count(1)?;
    let Some(incarnation) = row.optional_text(2)? else {
        return Ok(Row::Tombstone { next_read_seq: first_read_seq });
    };
    let unreadable = || SqlError::new("the stream row holds no content type, no instant or no reader key");
    let expiry = match (row.optional_count(4)?, row.optional_text(5)?) {
        (Some(seconds), _) => Expiry::Ttl { seconds },
        (None, Some(text)) => Expiry::from_stored(text).ok_or_else(unreadable)?,
        (None, None) => Expiry::Never,
    };
    let reader_key = ReaderKey::from_stored(row.optional_text(8)?.ok_or_else(unreadable)?);
    let identity = Identity {
        incarnation: Incarnation::from_stored(incarnation),
        content_type: ContentType::from_stored(row.text(3)?).ok_or_else(unreadable)?,
        expiry,
        readers: Readership::of(&reader_key, row.count(7)? != 0),
        reader_key,
        deadline_ms: row.optional_count(6)?,
    };
    Ok(Row::Stream { first_read_seq, identity })
}
