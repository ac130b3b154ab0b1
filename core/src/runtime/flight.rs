//! Flights. A flight is the work of one request for an answer that identical requests of its isolate share. The first
//! request starts the flight and flies it, which means that it does the work; the others join it and wait. The flight
//! lands when its answer is handed to those who have joined. See [`super::EdgeEnv::share`].

/// A flight that this request has started. If it is dropped before it has landed, it is lost: those who have joined it
/// wait in vain.
pub trait StartedFlight<K>: 'static {
    /// Notes for everybody who has joined the flight, or will, that a request which has arrived by `until_ms` needs
    /// nothing but its answer. Who has come later has to ask by itself. In ms since the Unix epoch, by the clock of the
    /// isolate; a later note takes the place of an earlier one.
    fn note(&self, until_ms: u64);

    /// Lands the flight: hands its answer, which is so many seconds old (see [`Landing::Landed`]), to everybody who has
    /// joined it. The next identical request starts another one.
    fn land(self, brought: &K, age_s: u64);
}

/// What became of a wait for a flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landing<K> {
    /// It has landed.
    Landed {
        /// Its answer.
        kept: K,
        /// How long ago that was made, in seconds, rounded up; 0 for less than one.
        age_s: u64,
    },
    /// The request had not been told yet that something is noted: this, by [`StartedFlight::note`].
    Noted(u64),
    /// Neither came in time.
    TimedOut,
}

/// A flight of another request, which this one has joined.
pub trait JoinedFlight<K>: 'static {
    /// Waits until the flight lands, for at most `wait_ms`. It ends once before, as soon as something is noted; at
    /// once, if something is.
    async fn landing(&self, wait_ms: u64) -> Landing<K>;

    /// Takes the flight for lost: the next identical request starts another one. Those who wait for this one go on
    /// waiting.
    fn give_up(self);
}
