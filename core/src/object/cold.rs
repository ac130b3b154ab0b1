//! Pages from R2. Reads of the same page share one fetch, and the index of a segment is fetched once.
//!
//! What is fetched here is taken for an answer only by `page`, in a turn of its own.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};

use super::key::Prefix;
use super::{ColdSettings, Settings};
use crate::protocol::segment::{ContentKind, Index, SegmentError};
use crate::protocol::{ErrorCode, Refusal};
use crate::runtime::{ActorState, ObjectStore, StoreError};
use crate::stream::{ColdRead, PageContent, Record, index_of, page_of_frames};

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
    /// What the client is told.
    pub(super) fn refusal(&self) -> Refusal {
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

/// What a fetch needs: it outlives the request that began it.
struct Fetcher<S: ActorState> {
    state: S,
    settings: ColdSettings,
    key: String,
}

impl<S: ActorState> Fetcher<S> {
    fn new(state: &S, settings: &Settings, key: &str) -> Self {
        Self { state: state.clone(), settings: settings.cold.clone(), key: key.to_owned() }
    }

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

impl ColdCache {
    /// A page of a segment in R2: one fetch, and one more where the index is not known.
    pub(super) async fn page<S: ActorState>(
        &self,
        state: &S,
        settings: &Settings,
        read: &ColdRead,
        kind: ContentKind,
    ) -> Result<PageContent, ColdError> {
        state.sometimes("cold_page_fetched");
        if read.position > 0 {
            state.sometimes("cold_page_inside_segment");
        }
        let prefix = Prefix::new(state.id(), read.incarnation.as_str());
        let key = prefix.key(read.record.read_seq, &read.record.attempt);
        let flight = (key.clone(), read.position);
        let under_way = self.pages.borrow().get(&flight).cloned();
        if let Some(page) = under_way {
            state.sometimes("cold_page_shared");
            return page.await;
        }
        let index = match self.index(&key) {
            Some(index) => {
                state.sometimes("cold_index_known");
                index
            }
            None => self.fetch_index(Fetcher::new(state, settings, &key), &read.record).await?,
        };
        // Another read may have begun the same fetch while this one waited for the index.
        let under_way = self.pages.borrow().get(&flight).cloned();
        if let Some(page) = under_way {
            return page.await;
        }
        let fetch = Fetcher::new(state, settings, &key).page(index, kind, read.position, settings.limits.page_bytes);
        let page = fetch.boxed_local().shared();
        self.pages.borrow_mut().insert(flight.clone(), page.clone());
        let content = page.await;
        self.pages.borrow_mut().remove(&flight);
        content
    }

    async fn fetch_index<S: ActorState>(&self, fetcher: Fetcher<S>, record: &Record) -> Result<Rc<Index>, ColdError> {
        let (key, most_bytes) = (fetcher.key.clone(), fetcher.settings.index_bytes);
        let under_way = self.indexes.borrow().get(&key).cloned();
        if let Some(index) = under_way {
            return index.await;
        }
        let index = fetcher.index(record.clone()).boxed_local().shared();
        self.indexes.borrow_mut().insert(key.clone(), index.clone());
        let found = index.await;
        self.indexes.borrow_mut().remove(&key);
        if let Ok(index) = &found {
            self.remember(key, index.clone(), most_bytes);
        }
        found
    }

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
