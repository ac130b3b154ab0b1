//! One thing that a client or the world does, at its time.
//!
//! An event says what a client wants, not the bytes it sends: sequence numbers, offsets and tags are the client's to
//! know when the event is due. So any subset of a scenario's events is a sensible scenario too.

use crate::judge::history::{Lifetime, Mode};

/// Something that happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Not before this many ms since the start; a client does one thing after the other.
    pub at_ms: u64,
    /// What.
    pub action: Action,
}

/// How much an append carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Messages.
    pub count: usize,
    /// Bytes of padding in each.
    pub pad_bytes: usize,
}

/// What is wrong with an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// One element of a JSON batch is no JSON; a byte stream gets the wrong content type instead.
    BadElement,
    /// An empty JSON array; a byte stream gets the wrong content type instead.
    EmptyArray,
    /// A content type that is not the stream's.
    WrongType,
    /// A body beyond the limit.
    TooLarge,
}

/// Where a walk of a reader starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `-1`.
    Start,
    /// Where the client's last walk of the stream ended, or its live readers.
    Resume,
    /// `now`: one page, remembered.
    Now,
    /// An offset that the client saw, counted from its first; of whichever incarnation.
    Earlier(usize),
    /// An offset that anyone was told of the stream, counted from the first.
    Told(usize),
    /// A position of the client's own: somewhere before an offset that anyone was told, in the same segment.
    Within(usize),
    /// Where the client's last page began, with the tag it had.
    Revalidate,
}

/// What happens. `client` is who does it, `stream` an index of the scenario's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Action {
    /// PUT, retried until it has an answer.
    Create { client: usize, stream: usize, lifetime: Lifetime, closes: bool, load: Option<Load> },
    /// DELETE, once.
    Delete { client: usize, stream: usize },
    /// POST with `Stream-Closed` alone, retried until it has an answer.
    Close { client: usize, stream: usize },
    /// POST of a writer without producer headers, once.
    Append { client: usize, stream: usize, load: Load, closes: bool, mistake: Option<Mistake> },
    /// POST with `Stream-Seq`: the next one of the stream, or one it has passed. Retried until it has an answer.
    Sequenced { client: usize, stream: usize, load: Load, passed: bool },
    /// `depth` POSTs in flight at once with producer headers and successive sequence numbers; each is sent `copies`
    /// times at once, and retried with its tuple until it has an answer. The last one closes the stream if asked.
    Produce { client: usize, stream: usize, load: Load, depth: usize, copies: usize, closes: bool },
    /// The batch that the client's producer wrote `back` batches ago, once more.
    Resend { client: usize, stream: usize, back: usize },
    /// A sequence number far ahead, once.
    Skip { client: usize, stream: usize, load: Load },
    /// The client's producer starts again: its next append to any stream begins a new epoch. Others that share its id
    /// become zombies.
    Restart { client: usize },
    /// GETs until the tail is reached or `pages` are read.
    Read { client: usize, stream: usize, origin: Origin, pages: usize },
    /// HEAD.
    Head { client: usize, stream: usize },
    /// Live readers, as many as that, which read on beside what their client does else, whatever happens, until they
    /// leave or are told that nothing more comes.
    Join { client: usize, stream: usize, mode: Mode, origin: Origin, readers: usize },
    /// The client's live readers of the stream neither ask nor read for so long.
    Stall { client: usize, stream: usize, for_ms: u64 },
    /// The client's live readers of the stream leave.
    Leave { client: usize, stream: usize },
    /// The stream's object is reset.
    Crash { stream: usize },
    /// The stream's object loses its memory, if it is idle.
    Evict { stream: usize },
    /// Another instance takes over the stream's object.
    Supersede { stream: usize },
    /// An edge isolate restarts.
    RestartIsolate { isolate: usize },
    /// For so long, so many of 1,000 requests and responses on every link are lost.
    Lose { for_ms: u64, permille: u32 },
    /// R2 is down for so long.
    Outage { for_ms: u64 },
}

impl Action {
    /// Who does it; `None` for the world.
    pub fn client(&self) -> Option<usize> {
        match *self {
            Self::Create { client, .. }
            | Self::Delete { client, .. }
            | Self::Close { client, .. }
            | Self::Append { client, .. }
            | Self::Sequenced { client, .. }
            | Self::Produce { client, .. }
            | Self::Resend { client, .. }
            | Self::Skip { client, .. }
            | Self::Restart { client }
            | Self::Read { client, .. }
            | Self::Head { client, .. }
            | Self::Join { client, .. }
            | Self::Stall { client, .. }
            | Self::Leave { client, .. } => Some(client),
            Self::Crash { .. }
            | Self::Evict { .. }
            | Self::Supersede { .. }
            | Self::RestartIsolate { .. }
            | Self::Lose { .. }
            | Self::Outage { .. } => None,
        }
    }
}
