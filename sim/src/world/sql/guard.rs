//! What statements may do, and what they touch: SQLite asks about each as it prepares it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::world::sql::rows::Touch;

/// Functions whose results no seed repeats.
const UNREPEATABLE: [&str; 9] =
    ["random", "randomblob", "date", "time", "datetime", "julianday", "strftime", "unixepoch", "timediff"];
/// The same as keywords, which SQLite's authorizer is not asked about.
pub(crate) const UNREPEATABLE_KEYWORDS: [&str; 3] = ["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"];

/// What the authorizer knows and learns; it is shared with a callback that SQLite demands to be `Send`.
#[derive(Default)]
pub(crate) struct Guard {
    /// Whether the host itself asks, which may do anything.
    pub(crate) host: AtomicBool,
    touches: Mutex<Vec<Touch>>,
}

impl Guard {
    /// Whether a statement may do that.
    pub(crate) fn authorize(&self, context: AuthContext<'_>) -> Authorization {
        if self.host.load(Ordering::Relaxed) {
            return Authorization::Allow;
        }
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
