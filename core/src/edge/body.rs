//! Collecting a body within its limit.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::runtime::{CallError, ObjectBody, RequestBody};

/// Collects a body of at most `limit` bytes. A larger one is read to its end and dropped, chunk by chunk: answering
/// before a client has sent its body breaks the connections of many.
pub(super) async fn collect(body: RequestBody, limit: usize) -> Result<ObjectBody, CallError> {
    let mut chunks = match body {
        RequestBody::Empty => return Ok(ObjectBody::Empty),
        RequestBody::Bytes(bytes) => return Ok(of(bytes, limit)),
        RequestBody::Stream(chunks) => chunks,
    };
    let mut collected = BytesMut::new();
    let mut total = 0_usize;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        total = total.saturating_add(chunk.len());
        match total <= limit {
            true => collected.extend_from_slice(&chunk),
            false => collected = BytesMut::new(),
        }
    }
    Ok(if total > limit { ObjectBody::TooLarge } else { of(collected.freeze(), limit) })
}

fn of(bytes: Bytes, limit: usize) -> ObjectBody {
    match bytes.len() {
        0 => ObjectBody::Empty,
        length if length > limit => ObjectBody::TooLarge,
        _ => ObjectBody::Bytes(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::stream::{self, LocalBoxStream};

    fn collected(chunks: &[&'static [u8]]) -> ObjectBody {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
        let chunks: LocalBoxStream<'static, _> = stream::iter(chunks).boxed_local();
        collect(RequestBody::Stream(chunks), 4).now_or_never().expect("no waiting").expect("no error")
    }

    #[test]
    fn a_body_is_collected_up_to_its_limit() {
        assert_eq!(collected(&[]), ObjectBody::Empty);
        assert_eq!(collected(&[b"", b""]), ObjectBody::Empty);
        assert_eq!(collected(&[b"ab", b"cd"]), ObjectBody::Bytes(Bytes::from_static(b"abcd")));
        assert_eq!(collected(&[b"ab", b"cde"]), ObjectBody::TooLarge);
        assert_eq!(collected(&[b"abcde", b"", b"f"]), ObjectBody::TooLarge);
        let buffered = |bytes| collect(RequestBody::Bytes(Bytes::from_static(bytes)), 4).now_or_never();
        assert_eq!(buffered(b"abcd"), Some(Ok(ObjectBody::Bytes(Bytes::from_static(b"abcd")))));
        assert_eq!(buffered(b"abcde"), Some(Ok(ObjectBody::TooLarge)));
    }
}
