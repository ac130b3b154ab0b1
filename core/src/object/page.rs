//! Reading a page: a hot one is answered at once, a cold one once R2 has given it.

use super::cold::ColdError;
use super::failure::Failure;
use super::stream_object::StreamObject;
use crate::protocol::segment::ContentKind;
use crate::protocol::{ErrorCode, ReadFrom, Refusal};
use crate::runtime::ActorState;
use crate::stream::{ColdRead, Page, PageContent, ReadOutcome, Stream};

/// How often a read starts again because the stream it read was replaced meanwhile.
const STARTS: usize = 4;

/// What a turn of a read comes to.
enum Turn<T> {
    Answered(T),
    Fetch(Box<ColdRead>, ContentKind),
}

impl<S: ActorState> StreamObject<S> {
    /// Reads a page and has `answer` build from it in the same turn: the one in which storage has said, by a statement,
    /// what the page is. Hot pages are answered in the first turn.
    ///
    /// While R2 is awaited everything may happen to the stream: a later turn reads again, and takes what was fetched only
    /// for the very read for which it was fetched, of the same incarnation and by the same record.
    pub(super) async fn with_page<T>(
        &self,
        from: ReadFrom,
        answer: impl Fn(&mut Stream, Page, u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut fetched: Option<(ColdRead, Result<PageContent, ColdError>)> = None;
        for _ in 0..STARTS {
            let turn = self.with_slot(|slot| {
                let now_ms = self.state.now_ms();
                let stream = self.living(slot, now_ms)?;
                let page = match stream.read(self.state.sql(), &self.settings.limits, from)? {
                    ReadOutcome::Page(page) => page,
                    ReadOutcome::Refused(refusal) => return Err(refusal.into()),
                    ReadOutcome::Cold(read) => match fetched.take() {
                        Some((of, content)) if of == read => match content {
                            Ok(content) => stream.cold_page(&read, content),
                            Err(error) => {
                                tracing::error!(%error, segment = read.record.read_seq, "a cold read failed");
                                return Err(error.refusal().into());
                            }
                        },
                        stale => {
                            if stale.is_some() {
                                self.state.sometimes("cold_page_of_another_stream_dropped");
                            }
                            return Ok(Turn::Fetch(Box::new(read), stream.kind()));
                        }
                    },
                };
                answer(stream, page, now_ms).map(Turn::Answered)
            })?;
            match turn {
                Turn::Answered(answer) => return Ok(answer),
                Turn::Fetch(read, kind) => {
                    let content = self.cold.page(&self.state, &self.settings, &read, kind).await;
                    fetched = Some((*read, content));
                }
            }
        }
        let refusal = Refusal::new(ErrorCode::ColdStorageUnavailable, "the stream is replaced again and again");
        Err(refusal.into())
    }
}
