//! Flights. A flight is the work of one request for an answer that identical requests of its isolate share. The first
//! request starts the flight and flies it, which means that it does the work; the others join it and wait. The flight
//! lands when its answer is handed to those who have joined. See [`super::EdgeEnv::share`].

/// A flight that this request has started. If it is dropped before it has landed, it is lost: those who have joined it
/// wait in vain.
pub trait StartedFlight<K>: 'static {
    /// Lands the flight: hands its answer to everybody who has joined it. The next identical request starts another
    /// one.
    fn land(self, brought: &K);
}

/// A flight of another request, which this one has joined.
pub trait JoinedFlight<K>: 'static {
    /// Waits until the flight lands, and returns its answer; `None` if it does not land within `wait_ms`.
    async fn landing(&self, wait_ms: u64) -> Option<K>;

    /// Takes the flight for lost: the next identical request starts another one. Those who wait for this one go on
    /// waiting.
    fn give_up(self);
}
