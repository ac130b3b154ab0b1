//! Several events in a row that show what copies in caches do.

use tailrace_core::protocol::expiry::slack_ms;

use super::draw::{Draft, FRAME_BYTES};
use super::{Action, Load, Origin};
use crate::judge::history::{Lifetime, Manner, Mode};

/// Appends after which a log has several pages, at most.
const MOST_APPENDS: usize = 12;

impl Draft {
    /// Some of what follows, now and then.
    pub(super) fn tell_of_copies(&mut self) {
        if self.dice.chance(60) {
            self.read_together();
        }
        if self.dice.chance(40) {
            self.replace_while_kept();
        }
        if self.dice.chance(120) {
            self.live_on_copies();
        }
        if self.is_live() && self.dice.chance(60) {
            self.load_again();
        }
    }

    /// A page that follows a stream by long-polls is loaded again: while its browser's copies are fresh, or when they have to
    /// be asked for again. Of two readers, one reads in the browser, and the other asks the same at the same time.
    pub(super) fn load_again(&mut self) {
        let (stream, owner, client) = (self.stream(), self.client(), self.client());
        let lifetime = self.streams[stream].lifetime;
        self.fill(stream, owner);
        while self.readers_left >= 2 && self.dice.chance(800) {
            self.readers_left -= 2;
            let (mode, origin) = (Mode::LongPoll, Origin::Start);
            self.push(0, client, Action::Join { stream, mode, origin, readers: 2, ahead: None });
            self.now_ms += self.dice.among(&[300, 2_000, 6_000]);
            self.push(0, client, Action::Leave { stream });
            let load = self.load();
            match self.dice.between(0, 19) {
                0..=2 => self.push(1, owner, Action::Append { stream, load, closes: false, mistake: None }),
                3 => self.push(1, owner, Action::Close { stream }),
                4 => self.push(1, owner, Action::Delete { stream }),
                _ => {}
            }
            if self.dice.chance(100) {
                self.push(2, owner, Action::Create { stream, lifetime, closes: false, public: false, load: None });
            }
            self.now_ms += self.dice.among(&[2, 1_000, 16_000, 21_000, 21_000]);
        }
    }

    /// A stream with more than a page comes to be, by one client.
    fn fill(&mut self, stream: usize, client: usize) {
        let lifetime = self.streams[stream].lifetime;
        self.push(0, client, Action::Create { stream, lifetime, closes: false, public: false, load: None });
        let appends = 2 * self.limits.page_bytes / self.limits.body_bytes + 2;
        for _ in 0..appends.min(MOST_APPENDS) {
            let load = Load { count: 1, pad_bytes: self.limits.body_bytes.saturating_sub(FRAME_BYTES + 3) };
            self.push(0, client, Action::Append { stream, load, closes: false, mistake: None });
        }
        self.now_ms += 300;
    }

    fn read_page(&mut self, after_ms: u64, client: usize, stream: usize, manner: Option<Manner>) {
        self.push(after_ms, client, Action::Read { stream, origin: Origin::Start, pages: 1, manner });
    }

    /// Many read the same page, some of them at once, and ask for it in all manners.
    pub(super) fn read_together(&mut self) {
        let (stream, owner) = (self.stream(), self.client());
        self.fill(stream, owner);
        for _ in 0..self.dice.between(1, 4) {
            let width_ms = self.dice.among(&[0, 3, 12, 200]);
            for client in 0..self.clients {
                let manner = match self.dice.between(0, 9) {
                    0 => Some(Manner::NoCache),
                    1..=3 => Some(Manner::Reordered),
                    4 => Some(Manner::Browser),
                    _ => None,
                };
                let after_ms = self.dice.between(0, width_ms);
                self.read_page(after_ms, client, stream, manner);
            }
            if self.dice.chance(300) {
                let (after_ms, load) = (self.dice.between(0, width_ms), self.load());
                self.push(after_ms, owner, Action::Append { stream, load, closes: false, mistake: None });
            }
            self.now_ms += width_ms + self.dice.among(&[30, 400, 9_000, 30_000]);
        }
    }

    /// A stream is replaced by another one while copies of it are kept, and read by way of all caches until none may be
    /// left.
    pub(super) fn replace_while_kept(&mut self) {
        let (stream, owner) = (self.stream(), self.client());
        self.fill(stream, owner);
        for client in 0..self.clients {
            let manner = if self.dice.chance(500) { Some(Manner::Browser) } else { None };
            self.read_page(self.dice.between(0, 300), client, stream, manner);
        }
        self.now_ms += self.dice.among(&[320, 2_000, 20_000]);
        self.push(0, owner, Action::Delete { stream });
        if self.dice.chance(700) {
            self.now_ms += 1;
            self.fill(stream, owner);
        }
        for _ in 0..self.dice.between(1, 4) {
            for client in 0..self.clients {
                let manner = if self.dice.chance(500) { Some(Manner::Browser) } else { None };
                self.read_page(self.dice.between(0, 300), client, stream, manner);
            }
            self.now_ms += self.dice.among(&[400, 5_000, 40_000, 61_000, 200_000]);
        }
    }

    /// A stream with a sliding TTL is read by way of a cache alone: where its copies are used longer than it was touched for,
    /// it ends too early.
    pub(super) fn live_on_copies(&mut self) {
        let owner = self.client();
        let has_slack = |lifetime| matches!(lifetime, Lifetime::Ttl(8..));
        let Some(stream) = self.stream_that(has_slack) else { return };
        let Lifetime::Ttl(seconds) = self.streams[stream].lifetime else { return };
        let (ttl_ms, slack_ms) = (seconds * 1_000, slack_ms(seconds));
        self.fill(stream, owner);
        // The deadline has not to be moved yet, and soon will have to.
        self.now_ms += slack_ms * 6 / 10;
        for client in 0..self.clients.min(3) {
            self.read_page(0, client, stream, None);
            self.now_ms += slack_ms * 45 / 100 / 3 + self.dice.between(0, 100);
        }
        for _ in 0..self.dice.between(1, 3) {
            let reader = self.client();
            self.read_page(0, reader, stream, None);
            self.now_ms += self.dice.between(slack_ms, ttl_ms * 8 / 10);
            let reader = self.client();
            self.read_page(0, reader, stream, None);
            self.now_ms += ttl_ms * 9 / 10;
            let asker = self.client();
            self.push(0, asker, Action::Head { stream });
        }
        self.now_ms += 50;
    }
}
