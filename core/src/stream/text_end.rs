//! How the text before an offset ends. Rows of the log tell, and of a segment in R2 its record: nothing is fetched.

use std::ops::ControlFlow;

use super::Stream;
use super::layout::keys_of;
use super::record::Record;
use crate::protocol::{Offset, TextEnd};
use crate::storage::{RowKey, SqlError, SqlParam, SqlStorage, Statement, log_sql, row_key};

/// So many bytes before an offset decide.
const BYTES: usize = 3;

/// What is known of the text before an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextBefore {
    /// How it ends.
    Known(TextEnd),
    /// The byte before the offset is in R2 alone, at this one.
    InR2(Offset),
}

impl TextBefore {
    /// The end, if it is known.
    pub fn known(self) -> Option<TextEnd> {
        match self {
            Self::Known(end) => Some(end),
            Self::InR2(_) => None,
        }
    }
}

impl Stream {
    /// How the text before an offset ends. The stream's bytes are a text.
    pub fn text_end<S: SqlStorage>(&self, sql: &S, offset: Offset) -> Result<TextBefore, SqlError> {
        let mut at = offset;
        let mut found: Vec<u8> = Vec::new();
        while found.len() < BYTES {
            at = self.first_spelling(sql, at)?;
            if at.position == 0 {
                break;
            }
            if self.layout.is_cold(at.read_seq) {
                let record = Record::of(sql, at.read_seq)?.filter(|record| record.end() == at.position);
                match record.and_then(|record| record.text_end) {
                    Some(end) => found = [end.as_bytes(), found.as_slice()].concat(),
                    None if found.is_empty() => {
                        return Ok(TextBefore::InR2(Offset { position: at.position - 1, ..at }));
                    }
                    None => {}
                }
                break;
            }
            self.prepend_hot(sql, at, &mut found)?;
            at = Offset::start_of(at.read_seq);
        }
        Ok(TextBefore::Known(TextEnd::of(&found)))
    }

    /// The spelling of an offset that answers use: the start of a segment is the end of the one before it.
    pub fn first_spelling<S: SqlStorage>(&self, sql: &S, offset: Offset) -> Result<Offset, SqlError> {
        if offset.position > 0 || offset.read_seq <= self.first_read_seq {
            return Ok(offset);
        }
        let before = offset.read_seq - 1;
        let end = match self.layout.is_cold(before) {
            true => Record::of(sql, before)?.map(|record| record.tail.offset),
            false => self.hot_end(sql, before)?.map(|tail| tail.offset),
        };
        end.ok_or_else(|| SqlError::new(format!("segment {before} has no end")))
    }

    /// Puts the last bytes before an offset that the rows of its segment hold in front of those that were found.
    fn prepend_hot<S: SqlStorage>(&self, sql: &S, at: Offset, found: &mut Vec<u8>) -> Result<(), SqlError> {
        let Some(table) = self.layout.table_of(at.read_seq) else { return Ok(()) };
        // Of a row, as many bytes are before the offset as there are positions; it may be the row that holds the
        // offset.
        let select = log_sql!(
            table,
            "SELECT substr(body, max(min((?2 - key) / ?3, length(body)) - 2, 1), \
             min((?2 - key) / ?3, length(body), 3)) FROM ",
            " WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT 3"
        );
        let params = [
            SqlParam::count(keys_of(at.read_seq)?.0)?,
            SqlParam::count(RowKey::first(at).pack()?)?,
            SqlParam::count(row_key::PARTS)?,
        ];
        sql.exec(Statement { sql: select, params: &params, byte_budget: usize::MAX }, &mut |row| {
            *found = [row.blob(0)?.as_ref(), found.as_slice()].concat();
            Ok(ControlFlow::Continue(()))
        })
    }
}
