//! What a client remembers of a stream: as a producer, as a reader of pages, and of its live readers.

use std::rc::Rc;

use super::follower::Place;
use super::reader_control::ReaderControl;
use crate::judge::history::From;

/// A producer on one stream, as its client remembers it.
#[derive(Debug)]
pub(super) struct Producing {
    pub(super) epoch: u64,
    pub(super) next_seq: u64,
    /// The batches of this epoch that are acknowledged.
    pub(super) written: Vec<usize>,
}

/// What a client remembers of a stream it reads.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Where the last walk ended.
    pub(super) resume: Option<String>,
    /// Every offset it was told, of whichever incarnation.
    pub(super) seen: Vec<String>,
    /// The last page with a tag: the read, and where it began.
    pub(super) tagged: Option<(usize, From)>,
}

/// A client's live readers of one stream, as it remembers them.
#[derive(Default)]
pub(super) struct Following {
    pub(super) reader_control: Rc<ReaderControl>,
    pub(super) place: Place,
}
