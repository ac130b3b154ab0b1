//! Why a request or an alarm has no outcome.

use crate::protocol::{Admission, ErrorCode, Refusal, Response};
use crate::runtime::AlarmFailure;
use crate::storage::SqlError;

/// Why a request or an alarm has no outcome.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request is refused; its client is told why.
    Refused(Refusal),
    /// The storage failed. What memory holds may be ahead of it, and has to be loaded again.
    Storage(SqlError),
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Storage(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Failure {
    /// What the client is told. Who has no grant does not learn that there is no stream, nor that there is one: where there is
    /// one that is not public it would be told the same.
    pub(super) fn hiding_absence(self, admission: Admission) -> Self {
        match self {
            Self::Refused(Refusal { code: ErrorCode::StreamNotFound, .. }) if admission.is_stranger() => {
                Self::Refused(Refusal::no_token())
            }
            // That its storage is full would tell that there is one.
            Self::Storage(error) if admission.is_stranger() => Self::Storage(SqlError { is_full: false, ..error }),
            other => other,
        }
    }

    /// The response to the client. The storage's own words go only to the log.
    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => Response::refusal(&refusal),
            Self::Storage(error) if error.is_full => {
                tracing::error!(%error, "the database of a stream is full");
                let message = "the stream's storage is full; nothing was changed, try again later";
                Response::refusal(&Refusal::new(ErrorCode::StorageFull, message))
            }
            Self::Storage(error) => {
                tracing::error!(%error, "a request failed");
                Response::refusal(&Refusal::new(ErrorCode::StorageFailed, "the storage failed; nothing was changed"))
            }
        }
    }

    /// The failure of an alarm handler, after which the platform calls the handler again.
    pub(super) fn into_alarm_failure(self) -> AlarmFailure {
        let message = match self {
            Self::Storage(error) => error.message,
            Self::Refused(refusal) => refusal.message.into_owned(),
        };
        tracing::error!(message, "the alarm failed");
        AlarmFailure { message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_told_neither_that_there_is_no_stream_nor_that_it_is_full() {
        let absent = || Failure::Refused(Refusal::new(ErrorCode::StreamNotFound, "no stream"));
        let failed = |is_full| Failure::Storage(SqlError { is_full, ..SqlError::new("storage") });
        for (admission, told) in [
            (Admission::Open, [404, 507, 500]),
            (Admission::Granted, [404, 507, 500]),
            (Admission::Stranger, [401, 500, 500]),
        ] {
            let failures = [absent(), failed(true), failed(false)];
            let statuses = failures.map(|failure| failure.hiding_absence(admission).into_response().status);
            assert_eq!(statuses, told, "{admission:?}");
        }
    }
}
