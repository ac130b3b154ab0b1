//! Idempotent producers: a lost answer is followed by the same tuple again, a restart by a new epoch. Two clients share
//! each producer id, so that the one that did not restart last is a zombie.

use futures_util::future::join_all;

use super::memory::Producing;
use super::session::{ATTEMPTS, Session, back_off_ms};
use crate::judge::history::{Call, Defect, Stamp};
use crate::judge::scenario::Load;
use crate::kernel::rt;

/// How far ahead a skipped sequence number is: no producer ever gets there.
const SKIP: u64 = 1_000_000;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Written,
    Refused,
    /// It came before the one it follows, or its token had expired.
    Early,
    Unknown,
}

impl Session {
    fn producer(&self) -> String {
        format!("p{}", self.client / 2)
    }

    fn begin_epoch(&mut self, stream: usize) -> &mut Producing {
        let epoch = match self.producing.get(&stream) {
            Some(producing) => producing.epoch,
            None => self.context.next_epoch(&self.producer(), stream),
        };
        self.producing.entry(stream).or_insert(Producing { epoch, next_seq: 0, written: Vec::new() })
    }

    pub(super) async fn produce(&mut self, stream: usize, load: Load, depth: usize, copies: usize, closes: bool) {
        let producer = self.producer();
        let producing = self.begin_epoch(stream);
        let (epoch, first) = (producing.epoch, producing.next_seq);
        let depth = depth.max(1) as u64;
        let mut pending: Vec<(usize, bool)> = (first..first + depth)
            .map(|seq| {
                let stamp = Stamp { producer: producer.clone(), epoch, seq };
                (self.batch(stream, load, Some(stamp), None), closes && seq + 1 == first + depth)
            })
            .collect();
        let all: Vec<usize> = pending.iter().map(|(batch, _)| *batch).collect();
        let mut lost = false;
        for attempt in 1..=ATTEMPTS {
            let fates =
                join_all(pending.iter().map(|(batch, closes)| self.send_copies(stream, *batch, *closes, copies)));
            let fates = fates.await;
            lost |= fates.contains(&Fate::Refused);
            let sent = pending.iter().zip(fates);
            pending =
                sent.filter(|(_, fate)| matches!(fate, Fate::Early | Fate::Unknown)).map(|(batch, _)| *batch).collect();
            if pending.is_empty() || lost {
                break;
            }
            rt::sleep_ms(back_off_ms(attempt)).await;
        }
        if lost || !pending.is_empty() {
            // What the stream knows of this epoch is unclear: the next append begins another.
            self.producing.remove(&stream);
        } else if let Some(producing) = self.producing.get_mut(&stream) {
            producing.next_seq += depth;
            producing.written.extend(all);
        }
    }

    /// The same request several times at once, as an impatient client sends it.
    async fn send_copies(&self, stream: usize, batch: usize, closes: bool, copies: usize) -> Fate {
        let call = Call::Append { batch: Some(batch), closes, defect: None };
        let copies =
            (0..copies.max(1)).map(|_| self.ask(stream, call.clone(), self.post(stream, batch, closes).build()));
        let ops = join_all(copies).await;
        let fates: Vec<Fate> = ops.into_iter().map(|op| self.fate(op)).collect();
        let order = [Fate::Written, Fate::Unknown, Fate::Early, Fate::Refused];
        order.into_iter().find(|fate| fates.contains(fate)).unwrap_or(Fate::Unknown)
    }

    fn fate(&self, op: usize) -> Fate {
        self.with_answer(op, |answer| match answer {
            None => Fate::Unknown,
            Some(answer) if answer.status < 300 => Fate::Written,
            // With another token it is sent once more.
            Some(answer) if answer.status == 401 => Fate::Early,
            Some(answer) if answer.code.as_deref() == Some("sequence_gap") => Fate::Early,
            Some(_) => Fate::Refused,
        })
    }

    pub(super) async fn resend(&self, stream: usize, back: usize) {
        let written = self.producing.get(&stream).map_or(&[][..], |producing| &producing.written);
        let Some(batch) = written.len().checked_sub(1 + back).and_then(|index| written.get(index)) else { return };
        let call = Call::Append { batch: Some(*batch), closes: false, defect: None };
        self.ask(stream, call, self.post(stream, *batch, false).build()).await;
    }

    pub(super) async fn skip(&mut self, stream: usize, load: Load) {
        let producer = self.producer();
        let producing = self.begin_epoch(stream);
        let stamp = Stamp { producer, epoch: producing.epoch, seq: producing.next_seq + SKIP };
        let batch = self.batch(stream, load, Some(stamp), None);
        let call = Call::Append { batch: Some(batch), closes: false, defect: Some(Defect::Gap) };
        self.ask(stream, call, self.post(stream, batch, false).build()).await;
    }
}
