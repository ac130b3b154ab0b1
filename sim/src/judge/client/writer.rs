//! Appends without producer headers: what is lost is not retried, for it may have been written. With `Stream-Seq` a
//! retry is refused instead of written twice.

use bytes::Bytes;
use tailrace_core::protocol::Method;

use super::session::Session;
use super::wire::{Ask, content_type};
use crate::judge::history::{Call, Content, Defect};
use crate::judge::scenario::{Load, Mistake};

impl Session {
    pub(super) async fn append(&self, stream: usize, load: Load, closes: bool, mistake: Option<Mistake>) {
        match mistake {
            None => {
                let batch = self.batch(stream, load, None, None);
                let request = self.post(stream, batch, closes).build();
                self.ask(stream, Call::Append { batch: Some(batch), closes, defect: None }, request).await;
            }
            Some(mistake) => self.append_wrongly(stream, load, closes, mistake).await,
        }
    }

    /// What must leave no trace. The messages are sound where they can be, so that one that is kept would be seen.
    async fn append_wrongly(&self, stream: usize, load: Load, closes: bool, mistake: Mistake) {
        let content = self.content(stream);
        let defect = match (mistake, content) {
            (Mistake::TooLarge, _) => Defect::TooLarge,
            (Mistake::NotAscii, _) => Defect::NotAscii,
            (Mistake::Compressed, _) => Defect::Compressed,
            (Mistake::Malformed, _) => Defect::Malformed,
            (Mistake::BadElement, Content::Json) => Defect::BadElement,
            (Mistake::EmptyArray, Content::Json) => Defect::EmptyArray,
            _ => Defect::WrongType,
        };
        let load = match defect {
            Defect::TooLarge => Load { count: 1, pad_bytes: self.body_bytes() + 1 },
            _ => load,
        };
        let batch = match defect {
            Defect::EmptyArray => None,
            _ => Some(self.batch(stream, load, None, None)),
        };
        let request = match (defect, batch) {
            (Defect::WrongType, Some(batch)) => {
                let whole = self.context.history.borrow().batches[batch].messages.concat();
                Ask::new(Method::Post, &self.context.url_path(stream))
                    .with("content-type", "text/html")
                    .with_if(closes, "stream-closed", "true")
                    .with_body(Bytes::from(whole))
            }
            (Defect::TooLarge, Some(batch)) => self.post(stream, batch, closes),
            // Two such ids look the same where the platform has decoded them.
            (Defect::NotAscii, Some(batch)) => self
                .post(stream, batch, closes)
                .with("producer-id", format!("j{}rgen", char::from(0xf0 + (self.client % 16) as u8)))
                .with("producer-epoch", "0")
                .with("producer-seq", "0"),
            (Defect::Malformed, Some(batch)) => self.post(stream, batch, closes).broken_half_way(),
            (Defect::Compressed, Some(batch)) => self.post(stream, batch, closes).with("content-encoding", "gzip"),
            _ => Ask::new(Method::Post, &self.context.url_path(stream))
                .with("content-type", content_type(content))
                .with_if(closes, "stream-closed", "true")
                .with_body(self.broken_array(batch)),
        };
        self.ask(stream, Call::Append { batch, closes, defect: Some(defect) }, request.build()).await;
    }

    /// An array of the batch's messages whose last element breaks off; without a batch, an empty one.
    fn broken_array(&self, batch: Option<usize>) -> Bytes {
        let Some(batch) = batch else { return Bytes::from_static(b"[]") };
        let history = self.context.history.borrow();
        let mut array = b"[".to_vec();
        for message in &history.batches[batch].messages {
            array.extend_from_slice(message);
            array.push(b',');
        }
        array.extend_from_slice(br#"{"broken":]"#);
        Bytes::from(array)
    }

    pub(super) async fn append_in_sequence(&self, stream: usize, load: Load, passed: bool) {
        let seq = self.context.stream_seq(stream, passed);
        let batch = self.batch(stream, load, None, Some(seq));
        let call = Call::Append { batch: Some(batch), closes: false, defect: None };
        self.insist(stream, call, || self.post(stream, batch, false).build()).await;
    }
}
