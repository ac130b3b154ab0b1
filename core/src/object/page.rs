//! Reading a page: a hot one is answered in the first turn, a cold one in a later turn, after a fetch from R2.

use bytes::Bytes;

use super::cold::ColdError;
use super::failure::Failure;
use super::stream_object::StreamObject;
use crate::mutant::mutated;
use crate::protocol::segment::ContentKind;
use crate::protocol::{Admission, ErrorCode, ReadFrom, Refusal};
use crate::runtime::{ActorState, marks};
use crate::stream::{ColdRead, Page, PageContent, ReadOutcome, Stream, StreamLimits, page_of_frames};

/// How many turns a read takes at most. Each turn but the first follows a fetch from R2; more than two are needed only
/// if the stream was replaced during the fetch.
const STARTS: usize = 4;

/// What a read has fetched from R2. Every page can be taken from it that begins where it does and is no longer.
pub(super) struct Fetched {
    of: Box<ColdRead>,
    kind: ContentKind,
    page_bytes: usize,
    frames: Result<Bytes, ColdError>,
}

impl Fetched {
    /// Whether it holds the page of this read.
    fn holds(&self, read: &ColdRead, page_bytes: usize) -> bool {
        let is_same = *self.of == *read || mutated!(StaleColdPageTaken) && self.frames.is_ok();
        is_same && page_bytes <= self.page_bytes
    }

    fn page(&self, page_bytes: usize) -> Result<PageContent, ColdError> {
        let frames = self.frames.as_ref().map_err(ColdError::clone)?;
        page_of_frames(self.kind, frames, self.of.position, page_bytes).map_err(ColdError::Damaged)
    }
}

/// Who reads a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageReader {
    admission: Admission,
    /// Whether it stays connected when it has the page, and waits for more: a live read.
    stays: bool,
}

impl PageReader {
    /// One that wants nothing but the page.
    pub(super) fn passing(admission: Admission) -> Self {
        Self { admission, stays: false }
    }

    /// One that waits for more after that.
    pub(super) fn staying(admission: Admission) -> Self {
        Self { admission, stays: true }
    }

    /// Refuses a reader without a grant of a stream that is not public. Another one may have been in its place when the
    /// reader was let in.
    fn admit(self, stream: &Stream) -> Result<(), Refusal> {
        let is_refused = self.admission.is_stranger() && !stream.readers.is_everybody();
        if is_refused && !mutated!(AdmittedForGood) { Err(Refusal::no_token()) } else { Ok(()) }
    }
}

/// The result of one turn of a read.
enum Turn<T> {
    Answered(T),
    Fetch(Box<ColdRead>, ContentKind),
}

impl<S: ActorState> StreamObject<S> {
    /// Reads a page and calls `answer` with it in the same turn, in which a statement has read from storage what the
    /// page is. Hot pages are answered in the first turn.
    pub(super) async fn with_page<T>(
        &self,
        from: ReadFrom,
        admission: Admission,
        answer: impl Fn(&mut Stream, Page, u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.with_page_of(from, self.settings.limits.page_bytes, &mut None, PageReader::passing(admission), answer)
            .await
    }

    /// The same with a page that ends after so many bytes. What is `fetched` for it is not fetched again for a shorter
    /// one. As long as a connected reader waits for it, its stream does not expire.
    ///
    /// During a fetch from R2 anything may happen to the stream. So the turn after it reads again, and uses what was
    /// fetched only if this is the same read: of the same incarnation, from the same position, by the same record.
    pub(super) async fn with_page_of<T>(
        &self,
        from: ReadFrom,
        page_bytes: usize,
        fetched: &mut Option<Fetched>,
        reader: PageReader,
        answer: impl Fn(&mut Stream, Page, u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let limits = StreamLimits { page_bytes, ..self.settings.limits.clone() };
        // Held over the turn after the fetch, which finds that the time of the stream is up.
        let mut connected = None;
        for _ in 0..STARTS {
            let turn = self.with_slot(|slot| {
                let now_ms = self.state.now_ms();
                let stream = self.living(slot, now_ms)?;
                reader.admit(stream)?;
                let page = match stream.read(self.state.sql(), &limits, from)? {
                    ReadOutcome::Page(page) => page,
                    ReadOutcome::Refused(refusal) => return Err(refusal.into()),
                    ReadOutcome::Cold(read) => match &*fetched {
                        Some(held) if held.holds(&read, page_bytes) => match held.page(page_bytes) {
                            Ok(content) => stream.cold_page(&read, content),
                            Err(error) => {
                                tracing::error!(%error, segment = read.record.read_seq, "a cold read failed");
                                return Err(error.refusal().into());
                            }
                        },
                        other => {
                            if other.as_ref().is_some_and(|held| held.of.incarnation != read.incarnation) {
                                self.state.sometimes(marks::COLD_PAGE_OF_ANOTHER_STREAM_DROPPED);
                            }
                            return Ok(Turn::Fetch(read, stream.kind()));
                        }
                    },
                };
                answer(stream, page, now_ms).map(Turn::Answered)
            })?;
            match turn {
                Turn::Answered(answer) => return Ok(answer),
                Turn::Fetch(read, kind) => {
                    if reader.stays {
                        connected.replace(self.audience.read_from_r2(&read.incarnation));
                    }
                    let frames = self.cold.frames(&self.state, &self.settings, &read, kind, page_bytes).await;
                    *fetched = Some(Fetched { of: read, kind, page_bytes, frames });
                }
            }
        }
        let refusal = Refusal::new(ErrorCode::ColdStorageUnavailable, "the stream is replaced again and again");
        Err(refusal.into())
    }
}
