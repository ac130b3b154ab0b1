//! Flights: work of one request that identical requests of its isolate share. See [`super::EdgeEnv::share`].

/// A flight that this request has started. Dropped before it has landed, it is lost: those who have joined it wait in
/// vain.
pub trait StartedFlight<K>: 'static {
    /// Hands what the flight has brought to whoever has joined it. The next identical request starts another one.
    fn land(self, brought: &K);
}

/// A flight of another request, which this one has joined.
pub trait JoinedFlight<K>: 'static {
    /// Waits for what the flight brings; `None` where nothing has come within `wait_ms`.
    async fn landing(&self, wait_ms: u64) -> Option<K>;

    /// Has it count as lost: the next identical request starts another one. Those who wait for it go on waiting.
    fn give_up(self);
}
