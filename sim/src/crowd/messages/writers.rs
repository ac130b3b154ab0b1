//! Those who write. Each waits for its answer before it writes again, as an ordinary client does: appends that were under
//! way at the same time could overtake one another. A stream has as many of them as its rate takes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::message;
use crate::crowd::knobs::Knobs;
use crate::crowd::setting::Setting;
use crate::crowd::urls::Urls;
use crate::kernel::random::Delay;
use crate::kernel::rt::Node;
use crate::tailrace::World;

/// The way between a writer and its edge, one way: who writes is near the objects (assumed).
pub(in crate::crowd) const WAY: Delay = Delay::new(1, 2);
/// How much longer than its ways an append takes where nothing goes wrong, at most, in us.
const APPENDS_WITHIN_US: u64 = 5_000;

/// All writers, and what they have written.
pub(in crate::crowd) struct Writers {
    world: World,
    node: Node,
    message_bytes: usize,
    /// How many each stream has.
    count: usize,
    /// Of each stream.
    writers: Vec<Vec<Rc<Writer>>>,
    /// When each message of each stream was to be sent, in us since the seed began. What it waits for its writer is part of
    /// the time that it takes to its readers.
    sent_us: Vec<Vec<u64>>,
    acknowledged: Rc<Cell<u64>>,
}

/// One of them.
#[derive(Default)]
struct Writer {
    /// The places in the stream of messages that it has not been told of yet that they are written.
    unacknowledged: RefCell<VecDeque<usize>>,
}

impl Setting {
    /// How many write to a stream: enough that each has its answer when its next message comes.
    pub(in crate::crowd) fn writers(&self) -> usize {
        let Knobs { object, .. } = &self.knobs;
        let answered_within_us = 2 * (WAY.max_ms * 1_000 + object.max_us) + APPENDS_WITHIN_US;
        // Where nobody writes, one of them has nothing to do.
        let every_us = if self.write_every_us == 0 { answered_within_us } else { self.write_every_us };
        answered_within_us.div_ceil(every_us) as usize
    }
}

impl Writers {
    /// Those of a crowd, none of whom has written yet.
    pub(in crate::crowd) fn new(setting: &Setting, world: World) -> Self {
        let (streams, count) = (setting.streams, setting.writers());
        let of_stream = || (0..count).map(|_| Rc::default()).collect();
        Self {
            world,
            node: Node::new(),
            message_bytes: setting.message_bytes,
            count,
            writers: (0..streams).map(|_| of_stream()).collect(),
            sent_us: vec![Vec::new(); streams],
            acknowledged: Rc::default(),
        }
    }

    /// How many write to a stream: they take turns.
    pub(in crate::crowd) fn count(&self) -> usize {
        self.count
    }

    /// When each message of a stream was sent, in us since the seed began. Nobody writes to the last one.
    pub(in crate::crowd) fn sent_us(&self, stream: usize) -> &[u64] {
        self.sent_us.get(stream).map_or(&[], Vec::as_slice)
    }

    /// How many messages are known to be written, to all streams, since they were counted anew.
    pub(in crate::crowd) fn acknowledged(&self) -> u64 {
        self.acknowledged.get()
    }

    /// Counts them anew.
    pub(in crate::crowd) fn count_anew(&self) {
        self.acknowledged.set(0);
    }

    /// The next message of a stream is to be written: by the writer whose turn it is, once that has its answer to the one
    /// before.
    pub(in crate::crowd) fn write(&mut self, stream: usize, now_us: u64) {
        let place = self.sent_us[stream].len();
        self.sent_us[stream].push(now_us);
        let writer = self.writers[stream][place % self.count].clone();
        let is_free = writer.unacknowledged.borrow().is_empty();
        writer.unacknowledged.borrow_mut().push_back(place);
        if !is_free {
            return;
        }
        let (world, acknowledged) = (self.world.clone(), self.acknowledged.clone());
        let (message_bytes, count) = (self.message_bytes, self.count);
        self.node.spawn(async move {
            while let Some(place) = { writer.unacknowledged.borrow().front().copied() } {
                let (name, number) = (format!("writer{}", place % count), place / count);
                let body = message::text(stream, place, message_bytes);
                message::append(&world, &Urls::stream(stream), Some((&name, number)), body).await;
                acknowledged.set(acknowledged.get() + 1);
                writer.unacknowledged.borrow_mut().pop_front();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tailrace_core::protocol::CachePolicy;

    use super::*;

    #[test]
    fn a_stream_has_as_many_writers_as_its_rate_takes() {
        for (write_every_us, expected) in [(0, 1), (1_000_000, 1), (39_000, 1), (38_999, 2), (10_000, 4), (1_000, 39)] {
            let setting = Setting { write_every_us, ..Setting::of(CachePolicy::default(), 0) };
            assert_eq!(setting.writers(), expected, "{write_every_us}");
        }
    }
}
