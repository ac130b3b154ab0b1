//! Several events in a row that together reach what chance alone would hardly ever reach.

use tailrace_core::protocol::expiry::slack_ms;

use super::draw::{Draft, FRAME_BYTES};
use super::{Action, Disturbance, Load, Mistake, Origin};
use crate::judge::history::{Lifetime, Mode};

impl Draft {
    /// A stream that is in R2 is read, and meanwhile replaced by another one, which goes there at once. Each client does
    /// one thing after the other, so the readers are others than the one that replaces it.
    pub(super) fn replace_while_reading(&mut self) {
        let (stream, owner) = (self.stream(), self.client());
        let (lifetime, load, next) = (self.streams[stream].lifetime, self.load(), self.load());
        self.push(0, owner, Action::Create { stream, lifetime, closes: false, public: false, load: None });
        self.push(0, owner, Action::Append { stream, load, closes: true, mistake: None });
        self.now_ms += self.bucket.put.max_ms.min(1_000) + 300;
        for place in 1..self.clients {
            let after_ms = self.dice.between(0, 20);
            let read = Action::Read { stream, origin: Origin::Start, pages: 1, manner: None };
            self.push(after_ms, (owner + place) % self.clients, read);
        }
        let deleted_ms = 10 + self.dice.between(0, self.bucket.get.max_ms / 4);
        self.push(deleted_ms, owner, Action::Delete { stream });
        self.push(
            deleted_ms + 1,
            owner,
            Action::Create { stream, lifetime, closes: true, public: false, load: Some(next) },
        );
    }

    /// Readers ask shortly before a stream is replaced by another one: what they are fetched from R2 is of the first.
    pub(super) fn read_before_replacement(&mut self, stream: usize) {
        for _ in 0..self.dice.between(1, 3) {
            let (client, after_ms) = (self.client(), self.dice.between(0, 10));
            self.push(after_ms, client, Action::Read { stream, origin: Origin::Start, pages: 1, manner: None });
        }
    }

    /// After another instance has taken over: it is written to, and then whoever asks may reach the one before. All ask
    /// the same, because the first who needs the storage of that one may end it.
    pub(super) fn ask_both(&mut self, stream: usize, superseded_ms: u64) {
        let after_ms = superseded_ms + self.dice.between(1, 60);
        let (client, load) = (self.client(), self.load());
        self.push(after_ms, client, Action::Append { stream, load, closes: false, mistake: None });
        let lifetime = self.streams[stream].lifetime;
        let action = match self.dice.between(0, 3) {
            0 => Action::Head { stream },
            1 => Action::Read { stream, origin: Origin::Now, pages: 1, manner: None },
            2 => Action::Read { stream, origin: Origin::Start, pages: 100, manner: None },
            _ => Action::Create { stream, lifetime, closes: false, public: false, load: None },
        };
        for _ in 0..self.dice.between(2, 5) {
            let (client, asked_ms) = (self.client(), after_ms + self.dice.between(20, 700));
            self.push(asked_ms, client, action);
        }
    }

    /// Another instance takes over, the stream changes there, and then all ask the same: whoever reaches the one before
    /// must not be answered from its memory. Those who ask are others than the one who writes, who may still wait.
    pub(super) fn take_over(&mut self) {
        let (stream, writer) = (self.stream(), self.client());
        let lifetime = self.streams[stream].lifetime;
        let next = self.load();
        // Those who are busy come to an end. Only who is awake can be superseded, and a closed stream does not change.
        self.now_ms += 300;
        let is_recreated = self.dice.chance(150);
        self.push(0, writer, Action::Delete { stream });
        if !is_recreated {
            self.push(1, writer, Action::Create { stream, lifetime, closes: false, public: false, load: None });
        }
        self.now_ms += self.dice.among(&[40, 300, 900]);
        let head = Action::Head { stream };
        if is_recreated {
            let creation = Action::Create { stream, lifetime, closes: false, public: false, load: Some(next) };
            return self.change_and_ask(stream, writer, creation, head);
        }
        let ask = match self.dice.between(0, 6) {
            0..=1 => head,
            2..=3 => Action::Read { stream, origin: Origin::Now, pages: 1, manner: None },
            _ => Action::Read { stream, origin: Origin::Latest, pages: 1, manner: None },
        };
        // What changes the stream may come to the one before, which ends then. So this is done several times.
        for _ in 0..self.dice.between(1, 4) {
            let append = Action::Append { stream, load: self.load(), closes: false, mistake: None };
            self.change_and_ask(stream, writer, append, ask);
        }
        if self.dice.chance(300) {
            self.change_and_ask(stream, writer, Action::Close { stream }, head);
        }
    }

    fn change_and_ask(&mut self, stream: usize, writer: usize, change: Action, ask: Action) {
        self.push_disturbance(0, Disturbance::Supersede { stream });
        self.push(5, writer, change);
        for place in 1..self.clients {
            let asked_ms = self.dice.between(30, 600);
            self.push(asked_ms, (writer + place) % self.clients, ask);
        }
        self.now_ms += 600;
    }

    /// A stream is asked for around its end, where the clock may be ahead, and again where it may not be: an object starts
    /// with another clock each time.
    pub(super) fn ask_around_the_end(&mut self) {
        let owner = self.client();
        let Some(stream) = self.stream_that(|lifetime| lifetime != Lifetime::Endless) else { return };
        let lifetime = self.streams[stream].lifetime;
        let left_ms = match lifetime {
            Lifetime::Endless => return,
            Lifetime::Until(at_ms) => at_ms.saturating_sub(self.now_ms),
            Lifetime::Ttl(seconds) => {
                self.push(0, owner, Action::Delete { stream });
                self.push(1, owner, Action::Create { stream, lifetime, closes: false, public: false, load: None });
                seconds * 1_000 + slack_ms(seconds)
            }
        };
        self.now_ms += left_ms.saturating_sub(self.clock_off_ms);
        let step_ms = self.clock_off_ms / 5 + 100;
        for _ in 0..self.dice.between(12, 20) {
            let client = self.client();
            self.push(0, client, Action::Head { stream });
            self.push_disturbance(step_ms / 2, Disturbance::Crash { stream });
            self.now_ms += step_ms;
        }
    }

    /// Any stream whose lifetime is such, if there is one.
    pub(super) fn stream_that(&mut self, is_such: impl Fn(Lifetime) -> bool) -> Option<usize> {
        let (first, count) = (self.stream(), self.streams.len());
        (0..count).map(|place| (first + place) % count).find(|stream| is_such(self.streams[*stream].lifetime))
    }

    /// Appends with a sequence seal their segment, which goes to R2; the object starts anew, and a sequence that has
    /// passed comes again.
    pub(super) fn sequence_over_rotation(&mut self) {
        let (stream, client) = (self.stream(), self.client());
        let lifetime = self.streams[stream].lifetime;
        self.push(0, client, Action::Create { stream, lifetime, closes: false, public: false, load: None });
        for _ in 0..self.limits.segment_rows {
            let load = self.load();
            self.push(1, client, Action::Sequenced { stream, load, passed: false });
        }
        self.now_ms += self.bucket.put.max_ms.min(3_000) + 700;
        self.push_disturbance(0, Disturbance::Crash { stream });
        let load = self.load();
        self.push(10, client, Action::Sequenced { stream, load, passed: true });
        self.now_ms += 20;
    }

    /// What a stream holds is asked for by a long-poll shortly before its fixed end, which no reader moves: caches may keep
    /// the answer until then, and no longer.
    pub(super) fn poll_before_the_end(&mut self) {
        let (client, load, now_ms) = (self.client(), self.load(), self.now_ms);
        let ends_later = |lifetime| matches!(lifetime, Lifetime::Until(at_ms) if at_ms > now_ms + 3_000);
        let Some(stream) = self.stream_that(ends_later) else { return };
        let lifetime = self.streams[stream].lifetime;
        let Lifetime::Until(at_ms) = lifetime else { return };
        self.readers_left -= 1;
        self.now_ms = now_ms.max(at_ms - self.dice.between(3_000, 15_000).min(at_ms));
        self.push(0, client, Action::Create { stream, lifetime, closes: false, public: false, load: Some(load) });
        let (mode, origin) = (Mode::LongPoll, Origin::Start);
        self.push(1, client, Action::Join { stream, mode, origin, readers: 1, ahead: None });
        self.push(600, client, Action::Leave { stream });
        self.now_ms += 600;
    }

    /// Readers stall while something is written, and then catch up.
    pub(super) fn stall_through_writes(&mut self) {
        let (stream, follower, writer) = (self.stream(), self.client(), self.client());
        let mode = if self.dice.chance(500) { Mode::LongPoll } else { Mode::Sse };
        let joined = self.join(stream, mode);
        self.push(0, follower, joined);
        let for_ms = self.dice.among(&[700, 3_000, 30_000]);
        self.push(500, follower, Action::Stall { stream, for_ms });
        for _ in 0..self.dice.between(1, 3) {
            let (after_ms, load) = (500 + self.dice.between(1, for_ms), self.load());
            self.push(after_ms, writer, Action::Append { stream, load, closes: false, mistake: None });
        }
        self.now_ms += 500 + for_ms;
    }

    /// The datacenter of a live reader is cut off, and meanwhile something is written from another one.
    pub(super) fn write_through_a_cut(&mut self) {
        let (stream, reader, load) = (self.stream(), self.client(), self.load());
        let colo = reader % self.colos.len();
        let mode = if self.dice.chance(500) { Mode::LongPoll } else { Mode::Sse };
        let joined = self.join(stream, mode);
        self.push(0, reader, joined);
        let for_ms = self.dice.among(&[300, 3_000]);
        self.push_disturbance(700, Disturbance::CutOff { colo, for_ms });
        self.push(800, reader + 1, Action::Append { stream, load, closes: false, mistake: None });
        self.now_ms += 1_000;
    }

    /// Many readers stall while much is written: what waits for all of them is more than may. Then they catch up.
    pub(super) fn stall_together(&mut self) {
        let (stream, writer) = (self.stream(), self.client());
        let for_ms = self.dice.among(&[8_000, 20_000]);
        for follower in 0..self.clients.min(3) {
            let readers = self.readers_left.min(5);
            if readers == 0 {
                break;
            }
            self.readers_left -= readers;
            let (mode, origin) = (Mode::Sse, Origin::Now);
            self.push(0, follower, Action::Join { stream, mode, origin, readers: readers as usize, ahead: None });
            self.push(500, follower, Action::Stall { stream, for_ms });
        }
        let count = self.dice.between(8, 16);
        for number in 0..count {
            let load = Load { count: 1, pad_bytes: self.limits.body_bytes.saturating_sub(FRAME_BYTES + 3) };
            let after_ms = 700 + number * for_ms / 2 / count;
            self.push(after_ms, writer, Action::Append { stream, load, closes: false, mistake: None });
        }
        self.now_ms += 500 + for_ms;
    }

    /// A producer's batch comes once more, after another one of its own and after others have written.
    pub(super) fn repeat_late(&mut self) {
        let (stream, producer, other) = (self.stream(), self.client(), self.client());
        let (load, next) = (self.load(), self.load());
        self.push(0, producer, Action::Produce { stream, load, depth: 2, copies: 1, closes: false });
        self.push(400, other, Action::Append { stream, load: next, closes: false, mistake: None });
        self.push(700, other, Action::Head { stream });
        self.push(1_100, producer, Action::Resend { stream, back: 1 });
        self.now_ms += 1_100;
    }

    /// A producer comes back that two epochs have passed by: the one that shares its id has restarted since.
    pub(super) fn fence_twice(&mut self) {
        let (stream, load) = (self.stream(), self.load());
        // Two clients share an id each.
        let (zombie, other) = (0, 1);
        let produce = Action::Produce { stream, load, depth: 1, copies: 1, closes: false };
        self.push(0, zombie, produce);
        self.push(300, other, produce);
        self.push(600, other, Action::Restart);
        self.push(601, other, produce);
        self.push(1_000, zombie, if self.dice.chance(500) { produce } else { Action::Resend { stream, back: 0 } });
        self.now_ms += 1_000;
    }

    /// Shortly before a sliding lifetime is over, something happens that extends it, or does not; and then it is asked
    /// whether the stream is still there, where the one and the other differ.
    pub(super) fn keep_alive(&mut self) {
        let (client, other) = (self.client(), self.client());
        let ends = |lifetime| matches!(lifetime, Lifetime::Ttl(1..));
        let Some(stream) = self.stream_that(ends) else { return };
        let lifetime = self.streams[stream].lifetime;
        let Lifetime::Ttl(seconds) = lifetime else { return };
        let ttl_ms = seconds * 1_000;
        let load = self.load();
        self.push(0, client, Action::Create { stream, lifetime, closes: false, public: false, load: None });
        self.push(1, client, Action::Produce { stream, load, depth: 2, copies: 1, closes: self.dice.chance(300) });
        self.now_ms += 500 + ttl_ms * 3 / 4;
        let action = match self.dice.between(0, 8) {
            0 => Action::Head { stream },
            1 => Action::Skip { stream, load },
            2 | 7 => Action::Create { stream, lifetime, closes: false, public: false, load: None },
            3 | 8 => Action::Resend { stream, back: self.dice.between(0, 1) as usize },
            4 => {
                self.push(0, client, Action::Close { stream });
                self.now_ms += ttl_ms * 3 / 4;
                Action::Close { stream }
            }
            5 => Action::Append { stream, load, closes: false, mistake: Some(Mistake::WrongType) },
            _ => Action::Read { stream, origin: Origin::Now, pages: 1, manner: None },
        };
        self.push(0, client, action);
        // After the end that it would have without that, and the slack; before the end that it has with it.
        self.now_ms += if self.dice.chance(500) { ttl_ms * 9 / 10 } else { ttl_ms / 2 };
        self.push(0, other, Action::Head { stream });
        self.now_ms += 50;
    }
}
