//! Who has a token, and who has none that would do.

use super::dice::Dice;
use super::{Action, Disturbance, Event, Happening, Load, Origin, Scenario};
use crate::judge::history::{Lifetime, Mode};
use crate::judge::tenancy::Tenancy;

/// Has the randomness of tokens differ from that of the rest.
const OF_ACCESS: u64 = 0x0000_6163_6365_7373;

/// And that of reader keys.
const OF_READER_KEYS: u64 = 0x0000_0072_6b65_7973;

/// And that of streams that everybody may read.
const OF_PUBLIC_STREAMS: u64 = 0x0070_7562_6c69_6373;

/// And that of projects.
const OF_PROJECTS: u64 = 0x7072_6f6a_6563_7473;

/// Who asks a deployment that has keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessPlan {
    /// Of 1,000 requests, those that a stranger repeats.
    pub strangers_permille: u32,
    /// Of 1,000 tokens, those that soon expire.
    pub brief_permille: u32,
    /// Of 1,000 reads, those whose URL has the reader key of their stream.
    pub reader_keys_permille: u32,
    /// Of 1,000 reads, those that somebody repeats who shows no token, and means no harm.
    pub passers_permille: u32,
    /// Whether the deployment lists origins, and clients send theirs.
    pub lists_origins: bool,
    /// Which projects the deployment has.
    pub tenancy: Tenancy,
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
        self.access = Some(AccessPlan {
            strangers_permille,
            brief_permille,
            reader_keys_permille: 0,
            passers_permille: 0,
            lists_origins: false,
            tenancy: Tenancy::One,
        });
        self.read_beyond_tokens(&dice);
        // Each step is a deploy, as any change of a secret is.
        if self.faults != self.faults.delays() && dice.chance(400) {
            self.rotate_keys(&dice);
        }
        self.with_reader_keys(seed).with_public_streams(seed).with_projects(seed)
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

    /// Some streams are public, some are so now and then, and people without a token pass by.
    fn with_public_streams(mut self, seed: u64) -> Self {
        let dice = Dice::new(seed ^ OF_PUBLIC_STREAMS);
        let Some(access) = self.access.as_mut() else { return self };
        access.passers_permille = dice.among(&[400, 1_000, 1_000]) as u32;
        // Caches in front keep nothing of what depends on the origin, or have to look at it.
        access.lists_origins = dice.chance(300) && !self.faults.front.is_there();
        let are_public: Vec<bool> = self.streams.iter().map(|_| dice.chance(350)).collect();
        for event in &mut self.events {
            // What a stream with a sliding lifetime owes to strangers nobody knows here.
            if let Happening::Client { action: Action::Create { stream, lifetime, public, .. }, .. } = &mut event.what {
                let is_other = dice.chance(200);
                *public = are_public[*stream] != is_other && !matches!(lifetime, Lifetime::Ttl(_));
            }
        }
        for (stream, _) in are_public.iter().enumerate().filter(|(_, is_public)| **is_public) {
            if dice.chance(850) {
                self.replace_by_a_private_one(&dice, stream);
            }
        }
        self
    }

    /// Some deployments have two projects, with streams of the same paths.
    fn with_projects(mut self, seed: u64) -> Self {
        let dice = Dice::new(seed ^ OF_PROJECTS);
        if let Some(access) = self.access.as_mut().filter(|_| dice.chance(250)) {
            access.tenancy = Tenancy::Two;
        }
        self
    }

    /// A public stream is read, so that caches have it, and then another one is in its place that is not public.
    fn replace_by_a_private_one(&mut self, dice: &Dice, stream: usize) {
        let (from_ms, bucket) = (dice.between(0, self.calm_ms), self.faults.bucket);
        let mut push = |after_ms, client, action| {
            let at_ms = from_ms + after_ms;
            self.events.push(Event { at_ms, what: Happening::Client { client, action } });
        };
        let (lifetime, load) = (Lifetime::Endless, Load { count: 2, pad_bytes: 20 });
        let create = |public, closes| Action::Create { stream, lifetime, closes, public, load: Some(load) };
        let read = || Action::Read { stream, origin: Origin::Start, pages: 100, manner: None };
        let append = Action::Append { stream, load, closes: false, mistake: None };
        // One that is closed from the start goes to R2 soon, and whoever reads it waits for that.
        let goes_to_r2 = dice.chance(750);
        let replaced_ms = 2_500 + bucket.put.max_ms.min(5_000);
        push(0, 0, Action::Delete { stream });
        push(1, 0, create(true, goes_to_r2));
        push(2, 0, append);
        // Who finds a copy does not wait for R2.
        let copies = dice.among(&[0, 4]) as usize;
        (0..copies).for_each(|reader| push(dice.between(300, 2_000), 1 + reader % 2, read()));
        push(300, 3, Action::Join { stream, mode: Mode::LongPoll, origin: Origin::Now, readers: 1, ahead: None });
        let reads_ms = bucket.get.max_ms.clamp(1, 2_000);
        (0..16).for_each(|reader| push(replaced_ms - dice.between(0, reads_ms), 1 + reader % 5, read()));
        push(replaced_ms, 0, Action::Delete { stream });
        push(replaced_ms + 1, 0, create(false, false));
        push(replaced_ms + 2, 0, append);
        (0..4).for_each(|reader| push(replaced_ms + dice.between(100, 6_500), 1 + reader % 2, read()));
        self.events.sort_by_key(|event| event.at_ms);
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
