//! Pages from R2. Reads of the same page share one fetch, and the index of a segment is fetched once.
//!
//! This file only fetches. Whether what it fetched still is the answer to a read is decided by `page`, in a later turn.

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
use crate::runtime::{ActorState, ObjectStore, StoreError, marks};
use crate::stream::{ColdRead, Record, index_of};

/// Why a page could not be read from R2.
#[derive(Clone, Debug)]
pub(super) enum ColdError {
    /// R2 failed at every attempt; the last failure.
    Unavailable(StoreError),
    /// R2 holds no object under the recorded key.
    Missing,
    /// The object does not hold what was stored.
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

/// A fetch that several reads can await.
type Fetch<T> = Shared<LocalBoxFuture<'static, Result<T, ColdError>>>;

/// Key of a page that is being fetched: the key of the object, the first position of the page, and after how many bytes
/// it ends.
type PageKey = (String, u64, usize);

/// The fetches under way, and the indexes of the segments that were read last.
#[derive(Default)]
pub(super) struct ColdCache {
    pages: RefCell<BTreeMap<PageKey, Fetch<Bytes>>>,
    indexes: RefCell<BTreeMap<String, Fetch<Rc<Index>>>>,
    /// By key of the object; the most recently used one is the last.
    recent_indexes: RefCell<VecDeque<(String, Rc<Index>)>>,
}

/// What a fetch needs. It owns everything, because a fetch may outlive the request that began it.
struct Fetcher<S: ActorState> {
    state: S,
    settings: ColdSettings,
    key: String,
}

impl<S: ActorState> Fetcher<S> {
    fn new(state: &S, settings: &Settings, key: &str) -> Self {
        Self { state: state.clone(), settings: settings.cold.clone(), key: key.to_owned() }
    }

    /// Reads a range of the object. After a failure of R2 it tries again, up to `read_attempts` times in all.
    async fn range(&self, range: Range<u64>) -> Result<Bytes, ColdError> {
        let mut wait_ms = self.settings.read_retry_ms;
        let mut attempts = 1;
        loop {
            match self.state.bucket().get(&self.key, range.clone(), self.settings.read_limit_ms()).await {
                Ok(Some(bytes)) => return Ok(bytes),
                Ok(None) => return Err(ColdError::Missing),
                Err(error) if attempts >= self.settings.read_attempts => {
                    self.state.sometimes(marks::COLD_READ_FAILED);
                    return Err(ColdError::Unavailable(error));
                }
                Err(_) => self.state.sometimes(marks::COLD_READ_RETRIED),
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

    /// The frames that a page is in.
    async fn frames(
        self,
        index: Rc<Index>,
        kind: ContentKind,
        position: u64,
        page_bytes: usize,
    ) -> Result<Bytes, ColdError> {
        let Some(range) = index.range(kind, position, page_bytes) else {
            return Err(ColdError::Damaged(SegmentError::Inconsistent("an index without the position")));
        };
        self.range(range).await
    }
}

impl ColdCache {
    /// Reads the frames of a page of a segment in R2, and one fetch more if the index is not in memory.
    pub(super) async fn frames<S: ActorState>(
        &self,
        state: &S,
        settings: &Settings,
        read: &ColdRead,
        kind: ContentKind,
        page_bytes: usize,
    ) -> Result<Bytes, ColdError> {
        state.sometimes(marks::COLD_PAGE_FETCHED);
        if read.position > 0 {
            state.sometimes(marks::COLD_PAGE_INSIDE_SEGMENT);
        }
        let prefix = Prefix::new(state.id(), read.incarnation.as_str());
        let key = prefix.key(read.record.read_seq, &read.record.attempt);
        let page_key = (key.clone(), read.position, page_bytes);
        let under_way = self.pages.borrow().get(&page_key).cloned();
        if let Some(page) = under_way {
            state.sometimes(marks::COLD_PAGE_SHARED);
            return page.await;
        }
        let index = match self.index(&key) {
            Some(index) => {
                state.sometimes(marks::COLD_INDEX_KNOWN);
                index
            }
            None => self.fetch_index(Fetcher::new(state, settings, &key), &read.record).await?,
        };
        // While this read waited for the index, another one may have begun the same fetch.
        let under_way = self.pages.borrow().get(&page_key).cloned();
        if let Some(page) = under_way {
            return page.await;
        }
        let fetch = Fetcher::new(state, settings, &key).frames(index, kind, read.position, page_bytes);
        let page = fetch.boxed_local().shared();
        self.pages.borrow_mut().insert(page_key.clone(), page.clone());
        let frames = page.await;
        self.pages.borrow_mut().remove(&page_key);
        frames
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
        let mut recent_indexes = self.recent_indexes.borrow_mut();
        let at = recent_indexes.iter().position(|(of, _)| of == key)?;
        let entry = recent_indexes.remove(at)?;
        let index = entry.1.clone();
        recent_indexes.push_back(entry);
        Some(index)
    }

    /// Keeps an index in memory; drops the least recently used ones beyond `most_bytes`.
    fn remember(&self, key: String, index: Rc<Index>, most_bytes: usize) {
        let mut recent_indexes = self.recent_indexes.borrow_mut();
        recent_indexes.retain(|(of, _)| *of != key);
        recent_indexes.push_back((key, index));
        while recent_indexes.iter().map(|(_, index)| index.memory_bytes()).sum::<usize>() > most_bytes {
            recent_indexes.pop_front();
        }
    }
}
