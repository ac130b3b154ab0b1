//! Reading a page: a hot one is answered in the first turn, a cold one in a later turn, after a fetch from R2.

use super::cold::ColdError;
use super::failure::Failure;
use super::stream_object::StreamObject;
use crate::mutant::mutated;
use crate::protocol::segment::ContentKind;
use crate::protocol::{ErrorCode, ReadFrom, Refusal};
use crate::runtime::{ActorState, marks};
use crate::stream::{ColdRead, Page, PageContent, ReadOutcome, Stream, StreamLimits};

/// How many turns a read takes at most. Each turn but the first follows a fetch from R2; more than two are needed only
/// if the stream was replaced during the fetch.
const STARTS: usize = 4;

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
        answer: impl Fn(&mut Stream, Page, u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.with_page_of(from, self.settings.limits.page_bytes, answer).await
    }

    /// The same with a page that ends after so many bytes.
    ///
    /// During a fetch from R2 anything may happen to the stream. So the turn after it reads again, and uses what was
    /// fetched only if this is the same read: of the same incarnation, from the same position, by the same record.
    pub(super) async fn with_page_of<T>(
        &self,
        from: ReadFrom,
        page_bytes: usize,
        answer: impl Fn(&mut Stream, Page, u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let limits = StreamLimits { page_bytes, ..self.settings.limits.clone() };
        let mut fetched: Option<(Box<ColdRead>, Result<PageContent, ColdError>)> = None;
        for _ in 0..STARTS {
            let turn = self.with_slot(|slot| {
                let now_ms = self.state.now_ms();
                let stream = self.living(slot, now_ms)?;
                let page = match stream.read(self.state.sql(), &limits, from)? {
                    ReadOutcome::Page(page) => page,
                    ReadOutcome::Refused(refusal) => return Err(refusal.into()),
                    ReadOutcome::Cold(read) => match fetched.take() {
                        Some((of, content)) if of == read || mutated!(StaleColdPageTaken) && content.is_ok() => {
                            match content {
                                Ok(content) => stream.cold_page(&read, content),
                                Err(error) => {
                                    tracing::error!(%error, segment = read.record.read_seq, "a cold read failed");
                                    return Err(error.refusal().into());
                                }
                            }
                        }
                        stale => {
                            if stale.is_some() {
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
                    let content = self.cold.page(&self.state, &self.settings, &read, kind, page_bytes).await;
                    fetched = Some((read, content));
                }
            }
        }
        let refusal = Refusal::new(ErrorCode::ColdStorageUnavailable, "the stream is replaced again and again");
        Err(refusal.into())
    }
}
