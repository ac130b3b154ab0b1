//! Pages from R2. Reads of the same page share one fetch, and the index of a segment is fetched once.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};

use super::ColdSettings;
use super::failure::Failure;
use super::key::Prefix;
use super::stream_object::StreamObject;
use crate::protocol::segment::{ContentKind, Index, SegmentError};
use crate::protocol::{ErrorCode, ReadFrom, Refusal};
use crate::runtime::{ActorState, ObjectStore, StoreError};
use crate::stream::{ColdRead, Page, PageContent, ReadOutcome, Record, Stream, index_of, page_of_frames};

/// How often a read starts again because the stream it read was replaced meanwhile.
const STARTS: usize = 4;

/// Why there is no page.
#[derive(Clone, Debug)]
pub(super) enum ColdError {
    /// R2 did not answer, however often it was asked.
    Unavailable(StoreError),
    /// There is no object under the recorded key.
    Missing,
    /// The object is not what was stored.
    Damaged(SegmentError),
}

impl fmt::Display for ColdError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(error) => error.fmt(formatter),
            Self::Missing => formatter.write_str("the object is missing"),
            Self::Damaged(error) => error.fmt(formatter),
        }
    }
}

impl ColdError {
    fn refusal(&self) -> Refusal {
        match self {
            Self::Unavailable(_) => {
                Refusal::new(ErrorCode::ColdStorageUnavailable, "cold storage does not answer; try again later")
            }
            Self::Missing | Self::Damaged(_) => {
                Refusal::new(ErrorCode::SegmentDamaged, "a segment of the stream is damaged")
            }
        }
    }
}

type Fetch<T> = Shared<LocalBoxFuture<'static, Result<T, ColdError>>>;

/// What is being fetched: the object, and the first position of a page.
type Flight = (String, u64);

/// Fetches on their way, and the indexes of the segments read last.
#[derive(Default)]
pub(super) struct ColdCache {
    pages: RefCell<BTreeMap<Flight, Fetch<PageContent>>>,
    indexes: RefCell<BTreeMap<String, Fetch<Rc<Index>>>>,
    known: RefCell<VecDeque<(String, Rc<Index>)>>,
}

impl ColdCache {
    fn index(&self, key: &str) -> Option<Rc<Index>> {
        let mut known = self.known.borrow_mut();
        let at = known.iter().position(|(of, _)| of == key)?;
        let entry = known.remove(at)?;
        let index = entry.1.clone();
        known.push_back(entry);
        Some(index)
    }

    /// Remembers an index; those that were not used for longest go.
    fn remember(&self, key: String, index: Rc<Index>, most_bytes: usize) {
        let mut known = self.known.borrow_mut();
        known.retain(|(of, _)| *of != key);
        known.push_back((key, index));
        while known.iter().map(|(_, index)| index.memory_bytes()).sum::<usize>() > most_bytes {
            known.pop_front();
        }
    }
}

/// What a fetch needs: it outlives the request that began it.
struct Fetcher<S: ActorState> {
    state: S,
    settings: ColdSettings,
    key: String,
}

impl<S: ActorState> Fetcher<S> {
    /// A range of the object. Where R2 fails, it is asked again, a few times.
    async fn range(&self, range: Range<u64>) -> Result<Bytes, ColdError> {
        let mut wait_ms = self.settings.read_retry_ms;
        let mut attempts = 1;
        loop {
            match self.state.bucket().get(&self.key, range.clone()).await {
                Ok(Some(bytes)) => return Ok(bytes),
                Ok(None) => return Err(ColdError::Missing),
                Err(error) if attempts >= self.settings.read_attempts => {
                    self.state.sometimes("cold_read_failed");
                    return Err(ColdError::Unavailable(error));
                }
                Err(_) => self.state.sometimes("cold_read_retried"),
            }
            self.state.sleep_ms(wait_ms).await;
            (attempts, wait_ms) = (attempts + 1, wait_ms.saturating_mul(2));
        }
    }

    async fn index(self, record: Record) -> Result<Rc<Index>, ColdError> {
        let at = record.place.index_at;
        let bytes = self.range(at..at + record.place.index_bytes).await?;
        index_of(&record, &bytes).map(Rc::new).map_err(ColdError::Damaged)
    }

    async fn page(
        self,
        index: Rc<Index>,
        kind: ContentKind,
        position: u64,
        page_bytes: usize,
    ) -> Result<PageContent, ColdError> {
        let Some(range) = index.range(kind, position, page_bytes) else {
            return Err(ColdError::Damaged(SegmentError::Inconsistent("an index without the position")));
        };
        let frames = self.range(range).await?;
        page_of_frames(kind, &frames, position, page_bytes).map_err(ColdError::Damaged)
    }
}

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
                    let content = self.fetch_page(&read, kind).await;
                    fetched = Some((*read, content));
                }
            }
        }
        let refusal = Refusal::new(ErrorCode::ColdStorageUnavailable, "the stream is replaced again and again");
        Err(refusal.into())
    }

    /// A page of a segment in R2: one fetch, and one more where the index is not known.
    async fn fetch_page(&self, read: &ColdRead, kind: ContentKind) -> Result<PageContent, ColdError> {
        self.state.sometimes("cold_page_fetched");
        if read.position > 0 {
            self.state.sometimes("cold_page_inside_segment");
        }
        let prefix = Prefix::new(self.state.id(), read.incarnation.as_str());
        let key = prefix.key(read.record.read_seq, &read.record.attempt);
        let flight = (key.clone(), read.position);
        let under_way = self.cold.pages.borrow().get(&flight).cloned();
        if let Some(page) = under_way {
            self.state.sometimes("cold_page_shared");
            return page.await;
        }
        let index = match self.cold.index(&key) {
            Some(index) => {
                self.state.sometimes("cold_index_known");
                index
            }
            None => self.fetch_index(&key, &read.record).await?,
        };
        // Another read may have begun the same fetch while this one waited for the index.
        let under_way = self.cold.pages.borrow().get(&flight).cloned();
        if let Some(page) = under_way {
            return page.await;
        }
        let fetch = self.fetcher(key).page(index, kind, read.position, self.settings.limits.page_bytes);
        let page = fetch.boxed_local().shared();
        self.cold.pages.borrow_mut().insert(flight.clone(), page.clone());
        let content = page.await;
        self.cold.pages.borrow_mut().remove(&flight);
        content
    }

    async fn fetch_index(&self, key: &str, record: &Record) -> Result<Rc<Index>, ColdError> {
        let under_way = self.cold.indexes.borrow().get(key).cloned();
        if let Some(index) = under_way {
            return index.await;
        }
        let index = self.fetcher(key.to_owned()).index(record.clone()).boxed_local().shared();
        self.cold.indexes.borrow_mut().insert(key.to_owned(), index.clone());
        let found = index.await;
        self.cold.indexes.borrow_mut().remove(key);
        if let Ok(index) = &found {
            self.cold.remember(key.to_owned(), index.clone(), self.settings.cold.index_bytes);
        }
        found
    }

    fn fetcher(&self, key: String) -> Fetcher<S> {
        Fetcher { state: self.state.clone(), settings: self.settings.cold.clone(), key }
    }
}
