//! What statements may do, and what they touch: the platform's limits and bans. SQLite asks about each statement as it
//! prepares it.

use std::sync::{Mutex, PoisonError};

use tailrace_core::storage::SqlError;
use tailrace_sqlite::{AuthAction, AuthContext, Authorization, Integers, Settings};

use crate::world::sql::rows::Touch;

/// What the platform sets (Cloudflare, Durable Objects limits): bound parameters of a statement, columns of a table,
/// bytes of a statement's text, and bytes of a row, a BLOB or a string. Workers hand every number over as a double.
pub(crate) const PLATFORM: Settings = Settings {
    parameters: 100,
    columns: 100,
    sql_bytes: 100_000,
    value_bytes: 2 * 1024 * 1024,
    integers: Integers::Doubles,
};

/// Functions whose results no seed repeats.
const UNREPEATABLE: [&str; 9] =
    ["random", "randomblob", "date", "time", "datetime", "julianday", "strftime", "unixepoch", "timediff"];
/// The same as keywords, which SQLite's authorizer is not asked about.
const UNREPEATABLE_KEYWORDS: [&str; 3] = ["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"];

/// Refuses what a statement's text shows to be forbidden, and the authorizer is not asked about.
pub(crate) fn check_text(sql: &str) -> Result<(), SqlError> {
    let text = sql.trim_end().trim_end_matches(';').to_ascii_uppercase();
    if let Some(keyword) = UNREPEATABLE_KEYWORDS.iter().find(|keyword| text.contains(**keyword)) {
        return Err(SqlError::new(format!("{keyword} is not repeatable: {sql}")));
    }
    if text.contains(';') {
        return Err(SqlError::new(format!("more than one statement: {sql}")));
    }
    Ok(())
}

/// What the authorizer learns; it is shared with a callback that SQLite demands to be `Send`.
#[derive(Default)]
pub(crate) struct Guard {
    touches: Mutex<Vec<Touch>>,
}

impl Guard {
    /// Whether a statement may do that.
    pub(crate) fn authorize(&self, context: AuthContext<'_>) -> Authorization {
        let allowed = match context.action {
            AuthAction::Function { function_name } => !UNREPEATABLE.contains(&function_name),
            AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
            AuthAction::Reindex { .. } => true,
            action => match Touch::from_action(action) {
                Some(touch) => {
                    self.touches.lock().unwrap_or_else(PoisonError::into_inner).push(touch);
                    true
                }
                None => false,
            },
        };
        if allowed { Authorization::Allow } else { Authorization::Deny }
    }

    /// What was touched since the last time.
    pub(crate) fn take(&self) -> Vec<Touch> {
        std::mem::take(&mut self.touches.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
