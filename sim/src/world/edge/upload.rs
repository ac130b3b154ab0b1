//! The body of a client's request, as it arrives at the edge.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tailrace_core::runtime::{self, Extent, UploadBroken};

use crate::world::edge::context::Context;
use crate::world::edge::request::RequestBody;

/// The body of a client's request.
pub struct Upload {
    context: Rc<Context>,
    rest: RefCell<RequestBody>,
    kept: RefCell<Bytes>,
}

impl Upload {
    pub(crate) fn new(context: Rc<Context>, body: RequestBody) -> Self {
        Self { context, rest: RefCell::new(body), kept: RefCell::default() }
    }

    /// What was read so far.
    pub(crate) fn kept(&self) -> Bytes {
        self.kept.borrow().clone()
    }

    async fn read_all(&self, limit: usize) -> Result<Extent, UploadBroken> {
        let mut kept = BytesMut::new();
        let mut rest = self.rest.replace(RequestBody::Empty);
        let extent = loop {
            let chunk = match &mut rest {
                RequestBody::Empty => break Extent::Whole,
                RequestBody::Bytes(bytes) => {
                    let bytes = bytes.clone();
                    rest = RequestBody::Empty;
                    bytes
                }
                RequestBody::Chunks(chunks) => match chunks.next().await {
                    Some(chunk) => chunk.map_err(|_| UploadBroken)?,
                    None => break Extent::Whole,
                },
            };
            kept.extend_from_slice(&chunk);
            if kept.len() > limit {
                break Extent::Beyond;
            }
        };
        self.rest.replace(rest);
        self.kept.replace(kept.freeze());
        Ok(extent)
    }
}

impl runtime::Upload for Upload {
    async fn read(&self, limit: Option<usize>) -> Result<Extent, UploadBroken> {
        self.context.guard(self.read_all(limit.unwrap_or(usize::MAX))).await.unwrap_or(Err(UploadBroken))
    }

    async fn drain(&self) {
        self.kept.replace(Bytes::new());
        let rest = self.rest.replace(RequestBody::Empty);
        let read = async {
            if let RequestBody::Chunks(mut chunks) = rest {
                while let Some(Ok(_)) = chunks.next().await {}
            }
        };
        self.context.guard(read).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::stream;
    use tailrace_core::runtime::Upload as _;

    use super::*;
    use crate::kernel::random::Seeds;
    use crate::world::edge::request::Broken;
    use crate::world::environment::Environment;
    use crate::world::faults::Faults;

    fn upload(body: RequestBody) -> Upload {
        let environment = Rc::new(Environment::new(Faults::default(), Seeds::of(1), None));
        Upload::new(Context::new(environment, 1), body)
    }

    fn chunks(chunks: &[Result<&'static [u8], Broken>]) -> RequestBody {
        let chunks: Vec<_> = chunks.iter().map(|chunk| chunk.map(Bytes::from_static)).collect();
        RequestBody::Chunks(stream::iter(chunks).boxed_local())
    }

    #[test]
    fn a_body_is_kept_up_to_its_limit_and_nothing_is_read_beyond() {
        let check = |body, limit, expected: Result<Extent, UploadBroken>, kept: &str| {
            let upload = upload(body);
            assert_eq!(upload.read(limit).now_or_never(), Some(expected));
            assert_eq!(upload.kept(), kept);
        };
        check(RequestBody::Empty, Some(4), Ok(Extent::Whole), "");
        check(RequestBody::of("abcd"), None, Ok(Extent::Whole), "abcd");
        check(RequestBody::of("abcd"), Some(4), Ok(Extent::Whole), "abcd");
        check(RequestBody::of("abcde"), Some(4), Ok(Extent::Beyond), "abcde");
        check(chunks(&[Ok(b""), Ok(b"")]), Some(4), Ok(Extent::Whole), "");
        check(chunks(&[Ok(b"ab"), Ok(b"cd")]), Some(4), Ok(Extent::Whole), "abcd");
        check(chunks(&[Ok(b"ab"), Ok(b"cde"), Ok(b"f")]), Some(4), Ok(Extent::Beyond), "abcde");
        check(chunks(&[Ok(b"ab"), Err(Broken)]), Some(4), Err(UploadBroken), "");
    }

    #[test]
    fn what_is_drained_is_read_to_its_end_and_not_kept() {
        for body in [chunks(&[Ok(b"abcde"), Ok(b"f")]), chunks(&[Ok(b"abcde"), Err(Broken)]), RequestBody::of("abcde")]
        {
            let upload = upload(body);
            assert_eq!(upload.read(Some(4)).now_or_never(), Some(Ok(Extent::Beyond)));
            assert_eq!(upload.drain().now_or_never(), Some(()));
            assert_eq!(upload.kept(), "");
            assert_eq!(upload.read(Some(4)).now_or_never(), Some(Ok(Extent::Whole)), "nothing is left");
        }
    }
}
