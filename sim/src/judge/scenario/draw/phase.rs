//! Longer passages of a scenario: a quiet phase in which readers wait, and a flood that fills databases.

use tailrace_core::protocol::limits::DATABASE_BYTES;

use super::super::{Action, Ahead, Disturbance, Load, Origin};
use super::{Draft, FRAME_BYTES};
use crate::judge::history::Mode;

/// Appends of a flood, at most.
const MOST_APPENDS: u64 = 90;

impl Draft {
    /// When nothing goes wrong any more, and nothing is left of what did, readers wait, volleys of writes come, and
    /// after each of them there is silence: what is forgotten here is healed by nothing but a time-out.
    pub(super) fn quiet_phase(&mut self) {
        self.now_ms += 120_000;
        self.readers_left = self.readers_left.max(4);
        self.gather(4);
        self.now_ms += self.dice.among(&[800, 9_000, 30_000]);
        for _ in 0..self.dice.between(2, 5) {
            let stream = self.stream();
            for _ in 0..self.dice.between(1, 5) {
                self.now_ms += self.dice.among(&[0, 1, 5, 20, 60, 150]);
                let (client, load) = (self.client(), self.load());
                let closes = self.dice.chance(30);
                self.push(0, client, Action::Append { stream, load, closes, mistake: None });
            }
            if self.dice.chance(150) {
                let client = self.client();
                let after_ms = self.dice.among(&[0, 20, 2_000]);
                if self.dice.chance(500) {
                    self.push(after_ms, client, Action::Close { stream });
                } else {
                    self.push(after_ms, client, Action::Delete { stream });
                    self.recreate(stream, after_ms);
                }
            }
            self.now_ms += self.dice.among(&[6_000, 7_500, 13_000, 26_000, 70_000]);
        }
    }

    /// When nothing is left of what went wrong, long-polls wait at the tail of a stream for several intervals, and nothing
    /// is written: their cursors have to agree, by the clock, or ahead of it by so much.
    pub(super) fn wait_together(&mut self, ahead: Option<Ahead>) {
        let (stream, owner) = (self.stream(), self.client());
        let lifetime = self.streams[stream].lifetime;
        self.now_ms += 120_000;
        self.push(0, owner, Action::Create { stream, lifetime, closes: false, public: false, load: None });
        for _ in 0..4 {
            self.now_ms += self.dice.between(500, 6_000);
            let (client, mode, origin) = (self.client(), Mode::LongPoll, Origin::Latest);
            self.push(0, client, Action::Join { stream, mode, origin, readers: 1, ahead });
        }
        self.now_ms += 75_000;
    }

    /// Whether databases are so small that a flood fills them.
    pub(super) fn has_small_databases(&self) -> bool {
        self.limits.database_bytes < DATABASE_BYTES
    }

    /// While R2 is down, large appends come until the database of a stream is full, and some more; and again when R2 is
    /// back, and makes room.
    pub(super) fn flood(&mut self) {
        let stream = self.stream();
        let for_ms = self.dice.among(&[5_000, 20_000, 100_000]);
        self.push_disturbance(0, Disturbance::Outage { for_ms });
        let appends = self.limits.database_bytes / self.limits.body_bytes as u64 + self.dice.between(0, 20);
        let begins_ms = self.now_ms;
        self.pour(stream, appends.min(MOST_APPENDS));
        // A small one may still find room: a segment that stays open, beside rows that go to R2.
        for _ in 0..2 {
            let (client, load) = (self.client(), Load { count: 1, pad_bytes: 0 });
            self.push(0, client, Action::Append { stream, load, closes: false, mistake: None });
            self.now_ms += 1;
        }
        self.now_ms = self.now_ms.max(begins_ms + for_ms);
        self.pour(stream, appends.min(MOST_APPENDS) / 2);
    }

    fn pour(&mut self, stream: usize, appends: u64) {
        let pad_bytes = self.limits.body_bytes.saturating_sub(FRAME_BYTES + 3);
        for _ in 0..appends {
            let client = self.client();
            let load = Load { count: 1, pad_bytes };
            self.push(0, client, Action::Append { stream, load, closes: false, mistake: None });
            self.now_ms += self.dice.among(&[1, 20, 200]);
        }
    }
}
