//! What an action says: how much is appended, what is wrong with it, where a read starts.

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
    /// A producer id with a byte that is no ASCII, and differs from client to client.
    NotAscii,
    /// A body that says to be compressed.
    Compressed,
    /// A body whose chunks are malformed half-way.
    Malformed,
}

/// By how much the first cursor of live readers is ahead of the clock, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead(pub u64);

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
    /// The offset that anyone was told last.
    Latest,
    /// A position of the client's own: somewhere before an offset that anyone was told, in the same segment.
    Within(usize),
    /// Where the client's last page began, with the tag it had.
    Revalidate,
}
