//! The body of a client's request, as it arrives at the edge.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tailrace_core::runtime::{self, Extent, UploadBroken};

use crate::kernel::rt;
use crate::world::edge::context::Context;
use crate::world::edge::request::RequestBody;
use crate::world::memory::{Load, What};

/// The body of a client's request. Clones are of the same body.
#[derive(Clone)]
pub struct Upload(Rc<Body>);

struct Body {
    context: Rc<Context>,
    rest: RefCell<RequestBody>,
    kept: RefCell<BytesMut>,
    load: Load,
    /// How many bytes have come.
    size: Cell<usize>,
    /// Whether what has come was dropped.
    is_dropped: Cell<bool>,
    /// How the first read has ended.
    read: Cell<Option<Result<Extent, UploadBroken>>>,
}

impl Upload {
    pub(crate) fn new(context: Rc<Context>, body: RequestBody) -> Self {
        let (rest, load) = (RefCell::new(body), context.memory().load(What::Body, 0));
        let (size, is_dropped) = (Cell::default(), Cell::default());
        Self(Rc::new(Body { load, size, is_dropped, context, rest, kept: RefCell::default(), read: Cell::default() }))
    }

    /// What was read so far.
    pub(crate) fn kept(&self) -> Bytes {
        self.0.kept.borrow().clone().freeze()
    }

    /// The next chunk; `None` at the end of the body.
    async fn chunk(&self) -> Option<Result<Bytes, UploadBroken>> {
        poll_fn(|context| {
            let mut rest = self.0.rest.borrow_mut();
            match &mut *rest {
                RequestBody::Empty => Poll::Ready(None),
                RequestBody::Bytes(bytes) => {
                    let bytes = std::mem::take(bytes);
                    *rest = RequestBody::Empty;
                    Poll::Ready(Some(Ok(bytes)))
                }
                RequestBody::Chunks(chunks) => {
                    chunks.poll_next_unpin(context).map(|chunk| Some(chunk?.map_err(|_| UploadBroken)))
                }
            }
        })
        .await
    }

    async fn drop_rest(&self) {
        while let Some(Ok(chunk)) = self.chunk().await {
            self.0.size.set(self.0.size.get() + chunk.len());
        }
    }

    async fn read_all(&self, limit: usize) -> Result<Extent, UploadBroken> {
        if self.0.is_dropped.get() {
            self.drop_rest().await;
            return Ok(if self.0.size.get() > limit { Extent::Beyond } else { Extent::Dropped });
        }
        if let Some(read) = self.0.read.get().filter(|read| *read != Ok(Extent::Beyond)) {
            return read;
        }
        let read = loop {
            if self.0.kept.borrow().len() > limit {
                break Ok(Extent::Beyond);
            }
            match self.chunk().await {
                None => break Ok(Extent::Whole),
                Some(Err(broken)) => break Err(broken),
                Some(Ok(chunk)) => {
                    self.0.size.set(self.0.size.get() + chunk.len());
                    self.0.kept.borrow_mut().extend_from_slice(&chunk);
                    self.0.load.add(chunk.len());
                }
            }
        };
        self.0.read.set(Some(read));
        read
    }
}

impl runtime::Upload for Upload {
    async fn read(&self, limit: Option<usize>, within_ms: Option<u64>) -> Result<Extent, UploadBroken> {
        let read = self.read_all(limit.unwrap_or(usize::MAX));
        let read = async {
            match within_ms {
                Some(ms) => rt::within_ms(ms, read).await.unwrap_or(Err(UploadBroken)),
                None => read.await,
            }
        };
        self.0.context.guard(read).await.unwrap_or(Err(UploadBroken))
    }

    async fn drain(&self) {
        self.0.kept.take();
        self.0.load.set(0);
        self.0.is_dropped.set(true);
        self.0.context.guard(self.drop_rest()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures_util::FutureExt;
    use futures_util::stream;
    use tailrace_core::runtime::Upload as _;

    use super::*;
    use crate::kernel::random::Seeds;
    use crate::world::edge::request::Broken;
    use crate::world::environment::Environment;
    use crate::world::faults::Faults;
    use crate::world::memory::Meter;

    fn upload(body: RequestBody) -> Upload {
        let environment = Rc::new(Environment::new(Faults::default(), Seeds::of(1), None));
        Upload::new(Context::new(environment, Meter::default(), 1), body)
    }

    fn chunks(chunks: &[Result<&'static [u8], Broken>]) -> RequestBody {
        let chunks: Vec<_> = chunks.iter().map(|chunk| chunk.map(Bytes::from_static)).collect();
        RequestBody::Chunks(stream::iter(chunks).boxed_local())
    }

    #[test]
    fn a_body_is_kept_up_to_its_limit_and_nothing_is_read_beyond() {
        let check = |body, limit, expected: Result<Extent, UploadBroken>, kept: &str| {
            let upload = upload(body);
            assert_eq!(upload.read(limit, None).now_or_never(), Some(expected));
            assert_eq!(upload.kept(), kept);
        };
        check(RequestBody::Empty, Some(4), Ok(Extent::Whole), "");
        check(RequestBody::of("abcd"), None, Ok(Extent::Whole), "abcd");
        check(RequestBody::of("abcd"), Some(4), Ok(Extent::Whole), "abcd");
        check(RequestBody::of("abcde"), Some(4), Ok(Extent::Beyond), "abcde");
        check(chunks(&[Ok(b""), Ok(b"")]), Some(4), Ok(Extent::Whole), "");
        check(chunks(&[Ok(b"ab"), Ok(b"cd")]), Some(4), Ok(Extent::Whole), "abcd");
        check(chunks(&[Ok(b"ab"), Ok(b"cde"), Ok(b"f")]), Some(4), Ok(Extent::Beyond), "abcde");
        check(chunks(&[Ok(b"ab"), Err(Broken)]), Some(4), Err(UploadBroken), "ab");
    }

    #[test]
    fn what_is_drained_is_read_to_its_end_and_not_kept() {
        for body in [chunks(&[Ok(b"abcde"), Ok(b"f")]), chunks(&[Ok(b"abcde"), Err(Broken)]), RequestBody::of("abcde")]
        {
            let upload = upload(body);
            assert_eq!(upload.read(Some(4), None).now_or_never(), Some(Ok(Extent::Beyond)));
            assert_eq!(upload.drain().now_or_never(), Some(()));
            assert_eq!(upload.kept(), "");
            assert_eq!(upload.chunk().now_or_never(), Some(None), "nothing is left");
            for (limit, expected) in [(4, Extent::Beyond), (6, Extent::Dropped)] {
                assert_eq!(upload.read(Some(limit), None).now_or_never(), Some(Ok(expected)), "and nothing was read");
            }
        }
    }

    #[test]
    fn a_read_that_is_asked_for_again_goes_on_where_it_is_and_then_returns_the_same() {
        let arrived = Rc::new(RefCell::new(VecDeque::new()));
        let queue = arrived.clone();
        let chunks = stream::poll_fn(move |_| match queue.borrow_mut().pop_front() {
            Some(chunk) => Poll::Ready(chunk),
            None => Poll::Pending,
        });
        let send = |chunk: &'static [u8]| arrived.borrow_mut().push_back(Some(Ok(Bytes::from_static(chunk))));
        let upload = upload(RequestBody::Chunks(chunks.boxed_local()));
        send(b"ab");
        assert_eq!(upload.read(Some(4), None).now_or_never(), None);
        send(b"cd");
        assert_eq!(upload.clone().read(Some(4), None).now_or_never(), None);
        arrived.borrow_mut().push_back(None);
        for _ in 0..2 {
            assert_eq!(upload.read(Some(4), None).now_or_never(), Some(Ok(Extent::Whole)));
            assert_eq!(upload.kept(), "abcd");
        }
    }
}
