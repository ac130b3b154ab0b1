//! Live reads: an answer where there is something to tell, a place to wait where there is not.

use bytes::Bytes;

use super::answer;
use super::failure::Failure;
use super::stream_object::StreamObject;
use crate::protocol::message::{Live, Read};
use crate::protocol::sse::{self, Encoding};
use crate::protocol::{Offset, ReadFrom};
use crate::runtime::{ActorState, Connection};
use crate::stream::{Page, Stream};

/// What a turn of a live read comes to.
enum Turn {
    Connection(Connection),
    /// The page is nothing but the beginning of a code point, whose rest is in the next segment.
    Split(Split),
}

/// The beginning of a code point.
struct Split {
    /// Where it is.
    start: Offset,
    /// Where its rest is.
    next: Offset,
    /// Commit time of the message that it ends, in ms.
    commit_ms: u64,
    bytes: Vec<u8>,
}

impl<S: ActorState> StreamObject<S> {
    /// A live read. Whoever is at the tail of an open stream joins those who wait within the turn that saw it there, so
    /// that no write comes between the look and the wait.
    pub(super) async fn live_read(&self, read: &Read, live: Live) -> Result<Connection, Failure> {
        let mut split: Option<Split> = None;
        loop {
            let from = split.as_ref().map_or(read.from, |split| ReadFrom::At(split.next));
            let turn = self
                .with_page(from, |stream, page, now_ms| {
                    self.found(stream, &page, now_ms)?;
                    let page = match &split {
                        Some(split) => split.completed(page),
                        None => page,
                    };
                    let is_alone = split.as_ref().is_some_and(|split| split.next == page.next);
                    Ok(self.live_turn(stream, page, now_ms, read, live, is_alone))
                })
                .await?;
            match turn {
                Turn::Connection(connection) => return Ok(connection),
                Turn::Split(more) => split = Some(more),
            }
        }
    }

    /// `is_alone` tells of a page that what follows it has not completed.
    fn live_turn(&self, stream: &Stream, page: Page, now_ms: u64, read: &Read, live: Live, is_alone: bool) -> Turn {
        if page.next == page.start && !page.closed {
            self.state.sometimes("live_reader_joined");
            let upgrade = self.audience.join(&self.state, stream, now_ms, live, read.cursor);
            return Turn::Connection(Connection::Upgrade(upgrade));
        }
        let page = match live {
            Live::Sse if !is_alone => match self.whole(stream, page) {
                Ok(page) => page,
                Err(split) => return Turn::Split(split),
            },
            _ => page,
        };
        Turn::Connection(Connection::Answer(match live {
            Live::LongPoll => answer::long_poll_page(stream, page, read, now_ms),
            Live::Sse => answer::events(stream, page, read.cursor),
        }))
    }

    /// The page without the code point in which it ends, if the log holds the rest of that: an event is text by itself,
    /// and half a code point would be lost in it.
    fn whole(&self, stream: &Stream, mut page: Page) -> Result<Page, Split> {
        if page.up_to_date || stream.content_type.sse_encoding() != Encoding::Text {
            return Ok(page);
        }
        let open = sse::open_bytes(&page.body);
        let kept = page.body.len() - open;
        if open == 0 {
            return Ok(page);
        }
        if kept == 0 {
            self.state.sometimes("event_joined_a_code_point");
            let Page { start, next, commit_ms, .. } = page;
            return Err(Split { start, next, commit_ms, bytes: page.body.to_vec() });
        }
        self.state.sometimes("event_left_a_code_point");
        page.body.truncate(kept);
        page.next.position = page.next.position.saturating_sub(open as u64);
        Ok(page)
    }
}

impl Split {
    /// The code point with its rest from the page behind it, or alone if that does not begin with any.
    fn completed(&self, page: Page) -> Page {
        let rest = sse::continuation_bytes(&page.body);
        if rest == 0 {
            return Page {
                start: self.start,
                next: self.next,
                body: Bytes::from(self.bytes.clone()),
                up_to_date: false,
                closed: false,
                inside_append: false,
                commit_ms: self.commit_ms,
            };
        }
        let left = page.body.len() - rest;
        Page {
            start: self.start,
            next: Offset { position: page.next.position.saturating_sub(left as u64), ..page.next },
            body: [self.bytes.as_slice(), &page.body.slice(..rest)].concat().into(),
            up_to_date: page.up_to_date && left == 0,
            closed: page.closed && left == 0,
            ..page
        }
    }
}
