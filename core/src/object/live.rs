//! Live reads: an answer if there is data or the stream is closed, otherwise a socket on which the reader waits.

use bytes::Bytes;

use super::answer;
use super::audience::Place;
use super::failure::Failure;
use super::page::PageReader;
use super::stream_object::StreamObject;
use crate::mutant::mutated;
use crate::protocol::message::{EventRest, Live, Read};
use crate::protocol::text_end::open_bytes;
use crate::protocol::{Admission, ErrorCode, Offset, ReadFrom, Refusal, TextEnd, header, sse};
use crate::runtime::{ActorState, ObjectAnswer, marks};
use crate::stream::{Page, Stream, TextBefore};

/// The result of one turn of a live read.
// A live read has one at a time, and takes it apart at once.
#[allow(clippy::large_enum_variant)]
enum Turn {
    Answered(ObjectAnswer),
    /// All that was read is the beginning of a code point; what follows it in the log is in the next segment.
    LookOn(HeldBack),
    /// The page from `start` on begins with a LF, and only R2 tells whether the byte at `before` is a CR.
    LookBack {
        start: Offset,
        before: Offset,
    },
    /// The text of the page is longer than one answer may be. A shorter page is read instead.
    TooLong,
}

/// The beginning of a code point, which is not sent before what follows it is known.
struct HeldBack {
    /// The offset of its first byte.
    start: Offset,
    /// The offset of what follows.
    next: Offset,
    bytes: Vec<u8>,
}

/// What earlier turns of a live read have found out.
#[derive(Default)]
struct Found {
    held: Option<HeldBack>,
    /// Whether the byte before this offset is a CR.
    follows_cr: Option<(Offset, bool)>,
    /// Whether the page has to be short, because the text of a whole one is too long.
    is_short: bool,
}

impl<S: ActorState> StreamObject<S> {
    /// Answers a live read. A reader at the tail of an open stream is added to the waiting ones in the same turn that
    /// read the tail, so that it misses no write.
    pub(super) async fn live_read(
        &self,
        read: &Read,
        live: Live,
        admission: Admission,
    ) -> Result<ObjectAnswer, Failure> {
        let (mut found, mut fetched) = (Found::default(), None);
        let reader = PageReader::staying(admission);
        loop {
            let from = found.held.as_ref().map_or(read.from, |held| ReadFrom::At(held.next));
            let page_bytes = self.settings.limits.page_bytes;
            let page_bytes = if found.is_short { sse::short_page_bytes(page_bytes) } else { page_bytes };
            let turn = self
                .with_page_of(from, page_bytes, &mut fetched, reader, |stream, page, now_ms| {
                    self.touch_after_read(stream, &page, read.is_kept, now_ms)?;
                    match live == Live::Sse && stream.content_type.is_bytes_of_text() {
                        true => self.text_turn(stream, page, now_ms, read, &found),
                        false => Ok(self.live_turn(stream, page, now_ms, read, live, &found)),
                    }
                })
                .await?;
            match turn {
                Turn::Answered(answer) => return Ok(answer),
                Turn::LookOn(held) => found.held = Some(held),
                Turn::TooLong => {
                    self.state.sometimes(marks::EVENT_OF_A_SHORT_PAGE);
                    found.is_short = true;
                }
                Turn::LookBack { start, before } => {
                    self.state.sometimes(marks::TEXT_LOOKED_BACK_IN_R2);
                    let first_byte = |_: &mut Stream, page: Page, _| Ok(page.body.first().copied());
                    let (at, page_bytes) = (ReadFrom::At(before), self.settings.limits.page_bytes);
                    let byte = self.with_page_of(at, page_bytes, &mut None, reader, first_byte).await?;
                    found.follows_cr = Some((start, byte == Some(b'\r')));
                }
            }
        }
    }

    /// Answers a page, or lets the reader wait.
    fn live_turn(&self, stream: &Stream, page: Page, now_ms: u64, read: &Read, live: Live, found: &Found) -> Turn {
        if page.next == page.start && !page.closed {
            return Turn::Answered(self.wait(stream, now_ms, live, read, Place::tail(stream)));
        }
        match live {
            Live::LongPoll => {
                let policy = &self.settings.policy;
                let jitter_ms = policy.cursors.jitter_ms(|| self.state.random());
                let answer = answer::long_poll_page(stream, page, read, policy, jitter_ms, now_ms);
                Turn::Answered(ObjectAnswer::Response(answer))
            }
            Live::Sse => self.events(stream, &page, read, found),
        }
    }

    /// Answers a page as an event, whose text may be six times as long as the page (a line feed becomes `LF data:`).
    /// Where that is too long for one answer, a shorter page is read, and where that is one large message, the answer
    /// is a piece of the event, and the edge asks for the rest.
    fn events(&self, stream: &Stream, page: &Page, read: &Read, found: &Found) -> Turn {
        let most_bytes = sse::piece_bytes(self.settings.limits.page_bytes);
        let response = answer::events(stream, page, 0, read.cursor, most_bytes);
        let is_whole = response.headers.get(header::TAILRACE_EVENT_REST).is_none();
        let answered = |response| Turn::Answered(ObjectAnswer::Response(response));
        match stream.content_type.is_json() {
            _ if is_whole => answered(response),
            _ if !found.is_short => Turn::TooLong,
            true => answered(response),
            // Pages of a few bytes, which no deployment needs.
            false => answered(answer::events(stream, page, 0, read.cursor, usize::MAX)),
        }
    }

    /// Answers a further piece of an event that is one large message. The message is read anew: nothing is kept for a
    /// reader, which may take its time or never ask again.
    pub(super) async fn event_rest(&self, rest: &EventRest, admission: Admission) -> Result<ObjectAnswer, Failure> {
        let refused = || Refusal::new(ErrorCode::InvalidOffset, "no large event ends at the offset");
        let position = rest.next.position.checked_sub(1).ok_or_else(refused)?;
        let most_bytes = sse::piece_bytes(self.settings.limits.page_bytes);
        let from = ReadFrom::At(Offset { position, ..rest.next });
        self.with_page_of(from, 1, &mut None, PageReader::staying(admission), |stream, page, now_ms| {
            self.touch_after_read(stream, &page, false, now_ms)?;
            if page.next != rest.next || !stream.content_type.is_json() || rest.at >= page.body.len() {
                return Err(refused().into());
            }
            let response = answer::events(stream, &page, rest.at, rest.cursor, most_bytes);
            Ok(ObjectAnswer::Response(response))
        })
        .await
    }

    /// Answers a page of a text as an event, or lets the reader wait. The texts of all events together are the text of
    /// all their bytes. So no event ends inside of a code point whose rest may still come, and a LF is not sent again
    /// as a line end after the CR before it.
    fn text_turn(&self, stream: &Stream, page: Page, now_ms: u64, read: &Read, found: &Found) -> Result<Turn, Failure> {
        let sql = self.state.sql();
        let waits = |place| Ok(Turn::Answered(self.wait(stream, now_ms, Live::Sse, read, place)));
        if page.next == page.start && !page.closed {
            let end = self.audience.text_end_at_tail(sql, stream)?;
            return waits(Place { next: stream.tail.offset, is_inside_code_point: !end.open().is_empty() });
        }
        let (start, body): (Offset, Bytes) = match &found.held {
            Some(held) => (held.start, [held.bytes.as_slice(), &page.body].concat().into()),
            None => (page.start, page.body.clone()),
        };
        let open = if page.closed || mutated!(HalfACodePointSent) { 0 } else { open_bytes(&body) };
        if open > 0 && open == body.len() {
            if page.up_to_date {
                self.audience.remember_text_end(stream, TextEnd::of(&body));
                return waits(Place { next: stream.first_spelling(sql, start)?, is_inside_code_point: false });
            }
            self.state.sometimes(marks::EVENT_JOINED_A_CODE_POINT);
            return Ok(Turn::LookOn(HeldBack { start, next: page.next, bytes: body.to_vec() }));
        }
        let begins_with_lf = found.held.is_none() && body.first() == Some(&b'\n');
        let follows_cr = match found.follows_cr {
            _ if !begins_with_lf || mutated!(LineEndSentTwice) => false,
            Some((at, follows_cr)) if at == start => follows_cr,
            _ => match stream.text_end(sql, start)? {
                TextBefore::Known(end) => end.is_cr(),
                TextBefore::InR2(before) => return Ok(Turn::LookBack { start, before }),
            },
        };
        if open > 0 {
            self.state.sometimes(marks::EVENT_LEFT_A_CODE_POINT);
        }
        if follows_cr {
            self.state.sometimes(marks::EVENT_LEFT_A_LINE_FEED);
        }
        let next = match &found.held {
            _ if open == 0 => page.next,
            // All of this page is held back, and what was held back before it begins no code point after all.
            Some(held) if open == page.body.len() => held.next,
            _ => Offset { position: page.next.position.saturating_sub(open as u64), ..page.next },
        };
        let body = body.slice(usize::from(follows_cr)..body.len() - open);
        Ok(self.events(stream, &Page { start, next, body, ..page }, read, found))
    }

    fn wait(&self, stream: &Stream, now_ms: u64, live: Live, read: &Read, place: Place) -> ObjectAnswer {
        self.state.sometimes(marks::LIVE_READER_JOINED);
        ObjectAnswer::Upgrade(self.audience.join(&self.state, stream, now_ms, live, read.cursor, place))
    }
}
