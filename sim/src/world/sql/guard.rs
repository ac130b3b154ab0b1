//! What statements may do, by the platform's limits and bans, and which tables they touch. SQLite asks about each
//! statement when it prepares it.

use std::sync::{Mutex, PoisonError};

use tailrace_core::storage::SqlError;
use tailrace_sqlite::{AuthAction, AuthContext, Authorization, Integers, Settings};

use crate::world::sql::rows::Touch;

/// The platform's limits (Cloudflare, Durable Objects limits): bound parameters of a statement, columns of a table,
/// bytes of a statement's text, and bytes of a row, a BLOB or a string. Workers return every number as a double.
pub(crate) const PLATFORM: Settings = Settings {
    parameters: 100,
    columns: 100,
    sql_bytes: 100_000,
    value_bytes: 2 * 1024 * 1024,
    integers: Integers::Doubles,
};

/// Functions whose results differ between two runs of a seed.
const UNREPEATABLE: [&str; 9] =
    ["random", "randomblob", "date", "time", "datetime", "julianday", "strftime", "unixepoch", "timediff"];
/// Keywords whose results differ between two runs of a seed. SQLite does not ask its authorizer about them.
const UNREPEATABLE_KEYWORDS: [&str; 3] = ["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"];

/// Refuses a statement for what SQLite does not ask its authorizer about.
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

/// What the authorizer learns of statements. It is shared with a callback, which SQLite requires to be `Send`.
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

    /// What was touched since the last call.
    pub(crate) fn take(&self) -> Vec<Touch> {
        std::mem::take(&mut self.touches.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
