//! Who has a token, and who has none that would do.

use super::dice::Dice;
use super::{Action, Disturbance, Event, Happening, Load, Origin, Scenario};
use crate::judge::history::Mode;

/// Has the randomness of tokens differ from that of the rest.
const OF_ACCESS: u64 = 0x0000_6163_6365_7373;

/// And that of reader keys.
const OF_READER_KEYS: u64 = 0x0000_0072_6b65_7973;

/// Who asks a deployment that has keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessPlan {
    /// Of 1,000 requests, those that a stranger repeats.
    pub strangers_permille: u32,
    /// Of 1,000 tokens, those that soon expire.
    pub brief_permille: u32,
    /// Of 1,000 reads, those whose URL has the reader key of their stream.
    pub reader_keys_permille: u32,
}

impl Scenario {
    /// The scenario with tokens, for about half of the seeds. They are drawn from randomness of their own, so that all else is
    /// what it would be without them.
    pub(super) fn keyed(mut self, seed: u64) -> Self {
        let dice = Dice::new(seed ^ OF_ACCESS);
        if !dice.chance(500) {
            return self;
        }
        let strangers_permille = dice.among(&[100, 300, 1_000]) as u32;
        let brief_permille = dice.among(&[500, 800, 1_000]) as u32;
        self.access = Some(AccessPlan { strangers_permille, brief_permille, reader_keys_permille: 0 });
        self.read_beyond_tokens(&dice);
        // Each step is a deploy, as any change of a secret is.
        if self.faults != self.faults.delays() && dice.chance(400) {
            self.rotate_keys(&dice);
        }
        self.with_reader_keys(seed)
    }

    /// Most readers have the reader key of their stream in their URLs, and some streams get another one meanwhile.
    fn with_reader_keys(mut self, seed: u64) -> Self {
        let dice = Dice::new(seed ^ OF_READER_KEYS);
        let Some(access) = self.access.as_mut().filter(|_| dice.chance(850)) else { return self };
        access.reader_keys_permille = dice.among(&[1_000, 950, 800]) as u32;
        let Some(last) = self.streams.len().checked_sub(1).filter(|_| dice.chance(600)) else { return self };
        for _ in 0..dice.between(1, 3) {
            let (stream, client) = (dice.between(0, last as u64) as usize, dice.between(0, 5) as usize);
            let what = Happening::Client { client, action: Action::NewReaderKey { stream } };
            self.events.push(Event { at_ms: dice.between(1, self.calm_ms.max(1)), what });
        }
        self.events.sort_by_key(|event| event.at_ms);
        self
    }

    /// Readers wait for so long that their tokens expire, and something is written then.
    fn read_beyond_tokens(&mut self, dice: &Dice) {
        let Some(last) = self.streams.len().checked_sub(1) else { return };
        for _ in 0..dice.between(0, 2) {
            let (stream, at_ms) = (dice.between(0, last as u64) as usize, dice.between(0, self.calm_ms));
            let (client, writer) = (dice.between(0, 5) as usize, dice.between(0, 5) as usize);
            let mode = if dice.chance(300) { Mode::LongPoll } else { Mode::Sse };
            let origin = if dice.chance(500) { Origin::Start } else { Origin::Now };
            let mut push = |after_ms, client, action| {
                let at_ms = at_ms + after_ms;
                self.events.push(Event { at_ms, what: Happening::Client { client, action } });
            };
            push(0, client, Action::Join { stream, mode, origin, readers: 1, ahead: None });
            for _ in 0..dice.between(0, 3) {
                let load = Load { count: 1, pad_bytes: dice.between(0, 30) as usize };
                push(dice.between(100, 30_000), writer, Action::Append { stream, load, closes: false, mistake: None });
            }
        }
        self.events.sort_by_key(|event| event.at_ms);
    }

    /// Keys are rotated while there are requests, once or more.
    fn rotate_keys(&mut self, dice: &Dice) {
        let mut at_ms = 0;
        for _ in 0..dice.between(2, 6) {
            at_ms += dice.between(1, self.calm_ms / 3 + 1);
            let rotation = Disturbance::Rotate { for_ms: dice.among(&[0, 200, 5_000, 30_000]) };
            self.events.push(Event { at_ms, what: Happening::World(rotation) });
        }
        self.events.sort_by_key(|event| event.at_ms);
    }
}
