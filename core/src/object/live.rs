//! Live reads: an answer if there is data or the stream is closed, otherwise a socket on which the reader waits.

use bytes::Bytes;

use super::answer;
use super::failure::Failure;
use super::stream_object::StreamObject;
use crate::protocol::message::{Live, Read};
use crate::protocol::sse::{self, Encoding};
use crate::protocol::{Offset, ReadFrom};
use crate::runtime::{ActorState, ObjectAnswer, marks};
use crate::stream::{Page, Stream};

/// The result of one turn of a live read.
enum Turn {
    Answered(ObjectAnswer),
    /// The page holds only the beginning of a code point; the rest of that is in the next segment.
    Split(SplitCodePoint),
}

/// The beginning of a code point whose rest is in another segment.
struct SplitCodePoint {
    /// The offset of its first byte.
    start: Offset,
    /// The offset of its rest.
    next: Offset,
    /// Commit time of the append in which its beginning is, in ms.
    commit_ms: u64,
    bytes: Vec<u8>,
}

impl<S: ActorState> StreamObject<S> {
    /// Answers a live read. A reader at the tail of an open stream is added to the waiting ones in the same turn that
    /// read the tail, so that it misses no write.
    pub(super) async fn live_read(&self, read: &Read, live: Live) -> Result<ObjectAnswer, Failure> {
        let mut split: Option<SplitCodePoint> = None;
        loop {
            let from = split.as_ref().map_or(read.from, |split| ReadFrom::At(split.next));
            let turn = self
                .with_page(from, |stream, page, now_ms| {
                    self.touch_after_read(stream, &page, now_ms)?;
                    let page = match &split {
                        Some(split) => split.completed(page),
                        None => page,
                    };
                    let is_incomplete = split.as_ref().is_some_and(|split| split.next == page.next);
                    Ok(self.live_turn(stream, page, now_ms, read, live, is_incomplete))
                })
                .await?;
            match turn {
                Turn::Answered(answer) => return Ok(answer),
                Turn::Split(more) => split = Some(more),
            }
        }
    }

    /// Answers a page, or lets the reader wait. `is_incomplete` says that the page ends in a code point which what
    /// follows in the log does not complete: it is then sent as it is.
    fn live_turn(
        &self,
        stream: &Stream,
        page: Page,
        now_ms: u64,
        read: &Read,
        live: Live,
        is_incomplete: bool,
    ) -> Turn {
        if page.next == page.start && !page.closed {
            self.state.sometimes(marks::LIVE_READER_JOINED);
            let upgrade = self.audience.join(&self.state, stream, now_ms, live, read.cursor);
            return Turn::Answered(ObjectAnswer::Upgrade(upgrade));
        }
        let page = match live {
            Live::Sse if !is_incomplete => match self.without_open_code_point(stream, page) {
                Ok(page) => page,
                Err(split) => return Turn::Split(split),
            },
            _ => page,
        };
        Turn::Answered(ObjectAnswer::Response(match live {
            Live::LongPoll => answer::long_poll_page(stream, page, read, now_ms),
            Live::Sse => answer::events(stream, page, read.cursor),
        }))
    }

    /// Removes an incomplete code point from the end of a page if the log holds its rest. Each event is decoded as text
    /// by itself, so half a code point would be lost.
    fn without_open_code_point(&self, stream: &Stream, mut page: Page) -> Result<Page, SplitCodePoint> {
        if page.up_to_date || stream.content_type.sse_encoding() != Encoding::Text {
            return Ok(page);
        }
        let open = sse::open_bytes(&page.body);
        let kept = page.body.len() - open;
        if open == 0 {
            return Ok(page);
        }
        if kept == 0 {
            self.state.sometimes(marks::EVENT_JOINED_A_CODE_POINT);
            let Page { start, next, commit_ms, .. } = page;
            return Err(SplitCodePoint { start, next, commit_ms, bytes: page.body.to_vec() });
        }
        self.state.sometimes(marks::EVENT_LEFT_A_CODE_POINT);
        page.body.truncate(kept);
        page.next.position = page.next.position.saturating_sub(open as u64);
        Ok(page)
    }
}

impl SplitCodePoint {
    /// The code point completed by the page that follows it; incomplete if that page does not begin with its rest.
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
