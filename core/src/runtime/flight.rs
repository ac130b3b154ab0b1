//! Flights: work that identical requests of one isolate share.

use std::future::Future;

use super::{CallError, EdgeEnv, Response};

/// The outcome of a flight.
pub type Landing = Result<Response, CallError>;

/// What became of a flight that may have been another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// How it ended. A flight that went with its isolate, or that was given up, is a reset.
    pub landing: Landing,
    /// Whether it was another's.
    pub joined: bool,
}

/// Isolates in which identical requests share one flight. A host whose border to core is dear may do this on its own
/// side, as the Worker does.
pub trait Flights: EdgeEnv {
    /// Takes part in the flight of that key. Where there is none, `flight` becomes it: it goes on to its end even if
    /// the request that brought it ends before, and whoever comes meanwhile gets its landing, too.
    async fn share<F>(&self, key: String, flight: F) -> Shared
    where
        F: Future<Output = Landing> + 'static;
}
