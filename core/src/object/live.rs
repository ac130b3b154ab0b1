//! Live reads: an answer where there is something to tell, a place to wait where there is not.

use super::answer;
use super::stream_object::{Failure, StreamObject};
use crate::protocol::ReadFrom;
use crate::protocol::message::{Live, Read};
use crate::protocol::sse::{self, Encoding};
use crate::runtime::{ActorState, Connection};
use crate::stream::{Page, ReadOutcome, Slot, Stream, StreamLimits};

impl<S: ActorState> StreamObject<S> {
    /// A live read. Whoever is at the tail of an open stream joins those who wait within this turn, so that no write
    /// comes between the look and the wait.
    pub(super) fn live_read(
        &self,
        slot: &mut Slot,
        now_ms: u64,
        read: &Read,
        live: Live,
    ) -> Result<Connection, Failure> {
        let (stream, page) = self.page(slot, now_ms, read)?;
        if page.next == page.start && !page.closed {
            self.state().sometimes("live_reader_joined");
            return Ok(Connection::Upgrade(self.audience().join(self.state(), stream, now_ms, live, read.cursor)));
        }
        let response = match live {
            Live::LongPoll => answer::long_poll_page(stream, page, read, now_ms),
            Live::Sse => answer::events(stream, self.completed(stream, page)?, read.cursor),
        };
        Ok(Connection::Answer(response))
    }

    /// The page with the rest of the code point in which it ends, if the log holds that: an event is text by itself, and
    /// half a code point would be lost in it.
    fn completed(&self, stream: &Stream, mut page: Page) -> Result<Page, Failure> {
        if stream.content_type.sse_encoding() != Encoding::Text {
            return Ok(page);
        }
        // More than one round where the rest lies in several segments.
        while !page.up_to_date {
            let missing = sse::missing_bytes(&page.body);
            if missing == 0 {
                break;
            }
            let limits = StreamLimits { page_bytes: missing, ..self.limits().clone() };
            let rest = match stream.read(self.state().sql(), &limits, ReadFrom::At(page.next))? {
                ReadOutcome::Page(rest) => rest,
                ReadOutcome::Refused(refusal) => return Err(refusal.into()),
            };
            let taken: Vec<u8> = rest.body.iter().copied().take_while(|byte| sse::is_continuation(*byte)).collect();
            if taken.is_empty() {
                break;
            }
            self.state().sometimes("event_completed_a_code_point");
            let is_whole = taken.len() == rest.body.len();
            page.next = rest.next;
            page.next.position -= (rest.body.len() - taken.len()) as u64;
            page.body = [page.body.as_ref(), &taken].concat().into();
            page.up_to_date = rest.up_to_date && is_whole;
            page.closed = rest.closed && is_whole;
            page.commit_ms = rest.commit_ms;
        }
        Ok(page)
    }
}
