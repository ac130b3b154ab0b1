//! One thing that a client does, or that happens to the world, drawn.

use super::draw::{Draft, FRAME_BYTES};
use super::verb::Verb;
use super::{Action, Ahead, Disturbance, Load, Mistake, Origin};
use crate::judge::history::{Manner, Mode};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Draft {
    pub(super) fn client(&mut self) -> usize {
        self.dice.between(0, self.clients as u64 - 1) as usize
    }

    pub(super) fn stream(&mut self) -> usize {
        self.dice.between(0, self.streams.len() as u64 - 1) as usize
    }

    /// Mostly small; now and then as large as the limit allows, which spans several rows.
    pub(super) fn load(&mut self) -> Load {
        let most = (self.limits.body_bytes / (FRAME_BYTES + 3)).max(1) as u64;
        let count = match self.dice.between(0, 9) {
            0..5 => 1,
            5..9 => self.dice.between(1, 4),
            _ => self.dice.between(4, 12),
        };
        let count = count.min(most) as usize;
        let room = (self.limits.body_bytes / count).saturating_sub(FRAME_BYTES + 3) as u64;
        let pad_bytes = if self.dice.chance(150) { room } else { self.dice.between(0, 40).min(room) };
        Load { count, pad_bytes: pad_bytes as usize }
    }

    /// What a client does, and which one.
    pub(super) fn action(&mut self) -> (usize, Action) {
        let (client, stream) = (self.client(), self.stream());
        let manner = self.manner();
        let total: u32 = self.verbs.iter().map(|(_, weight)| weight).sum();
        let mut left = self.dice.between(0, u64::from(total) - 1) as u32;
        let drawn = self.verbs.iter().find(|(_, weight)| match left.checked_sub(*weight) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        let read = |origin, pages| Action::Read { stream, origin, pages, manner };
        let action = match drawn.map_or(Verb::Append, |(verb, _)| *verb) {
            Verb::Append => {
                let closes = self.dice.chance(15);
                Action::Append { stream, load: self.load(), closes, mistake: None }
            }
            Verb::Produce => {
                let depth = self.dice.among(&[1, 1, 1, 2, 3]) as usize;
                let copies = self.dice.among(&[1, 1, 1, 2]) as usize;
                let closes = self.dice.chance(40);
                if closes {
                    // What has closed the stream comes once more, soon or after the object has slept.
                    let after_ms = self.dice.among(&[5, 700, 12_000]);
                    self.push(after_ms, client, Action::Resend { stream, back: 0 });
                }
                Action::Produce { stream, load: self.load(), depth, copies, closes }
            }
            Verb::Sequenced => {
                let passed = self.dice.chance(200);
                Action::Sequenced { stream, load: self.load(), passed }
            }
            Verb::Mistaken => {
                let mistakes = [
                    Mistake::BadElement,
                    Mistake::EmptyArray,
                    Mistake::WrongType,
                    Mistake::TooLarge,
                    Mistake::NotAscii,
                    Mistake::Compressed,
                    Mistake::Malformed,
                ];
                let mistake = mistakes[self.dice.between(0, mistakes.len() as u64 - 1) as usize];
                let closes = self.dice.chance(200);
                Action::Append { stream, load: self.load(), closes, mistake: Some(mistake) }
            }
            Verb::Resend => Action::Resend { stream, back: self.dice.among(&[0, 0, 1, 3]) as usize },
            Verb::Skip => Action::Skip { stream, load: self.load() },
            Verb::Restart => Action::Restart,
            Verb::ReadStart => read(Origin::Start, self.dice.among(&[1, 100]) as usize),
            Verb::Resume => read(Origin::Resume, self.dice.among(&[1, 2, 100]) as usize),
            Verb::Now => read(Origin::Now, 1),
            Verb::Earlier => {
                read(Origin::Earlier(self.dice.between(0, 50) as usize), self.dice.among(&[1, 100]) as usize)
            }
            Verb::Told => read(Origin::Told(self.dice.between(0, 50) as usize), self.dice.among(&[1, 2, 100]) as usize),
            Verb::Within => {
                read(Origin::Within(self.dice.between(0, 5_000) as usize), self.dice.among(&[1, 2, 100]) as usize)
            }
            Verb::Revalidate => read(Origin::Revalidate, 1),
            Verb::Head => Action::Head { stream },
            Verb::Create => self.creation(stream),
            Verb::Close => Action::Close { stream },
            Verb::Delete => {
                if self.dice.chance(500) {
                    self.read_before_replacement(stream);
                    self.recreate(stream, 0);
                }
                Action::Delete { stream }
            }
            Verb::LongPoll => self.join(stream, Mode::LongPoll),
            Verb::Listen => self.join(stream, Mode::Sse),
            Verb::Stall => {
                let for_ms = self.dice.scale(100, 90_000);
                Action::Stall { stream, for_ms }
            }
            Verb::Leave => Action::Leave { stream },
        };
        (client, action)
    }

    /// How a reader asks: mostly as usual.
    fn manner(&mut self) -> Option<Manner> {
        match self.dice.between(0, 99) {
            0..6 => Some(Manner::NoCache),
            6..12 => Some(Manner::Reordered),
            12..15 => Some(Manner::Debugged),
            15..17 => Some(Manner::AnyTag),
            17..26 => Some(Manner::Browser),
            _ => None,
        }
    }

    /// Mostly a reader alone, sometimes a few at once.
    pub(super) fn join(&mut self, stream: usize, mode: Mode) -> Action {
        let origin = match self.dice.between(0, 9) {
            0..3 => Origin::Start,
            3..6 => Origin::Now,
            6..9 => Origin::Resume,
            _ => Origin::Earlier(self.dice.between(0, 50) as usize),
        };
        let readers = self.dice.among(&[1, 1, 1, 2, 5]).min(self.readers_left);
        self.readers_left -= readers;
        match readers {
            0 => Action::Leave { stream },
            _ => {
                // A day is the most that is accepted.
                let ahead =
                    if self.dice.chance(150) { Some(self.dice.among(&[1, 400, 30_000, DAY_MS, DAY_MS])) } else { None };
                Action::Join { stream, mode, origin, readers: readers as usize, ahead: ahead.map(Ahead) }
            }
        }
    }

    /// Mostly what the stream was created with; sometimes another lifetime, or closed.
    pub(super) fn creation(&mut self, stream: usize) -> Action {
        let lifetime = if self.dice.chance(850) { self.streams[stream].lifetime } else { self.dice.lifetime() };
        let closes = self.dice.chance(80);
        let load = if self.dice.chance(400) { Some(self.load()) } else { None };
        Action::Create { stream, lifetime, closes, public: false, load }
    }

    pub(super) fn disturbance(&mut self) -> Disturbance {
        let stream = self.stream();
        let colos = self.colos.len();
        match self.dice.between(0, 17) {
            0..4 => Disturbance::Crash { stream },
            4..6 => Disturbance::Evict { stream },
            15 => Disturbance::HostFails { colo: self.dice.between(0, colos.max(1) as u64 - 1) as usize },
            16 if colos > 1 => {
                let colo = self.dice.between(0, colos as u64 - 1) as usize;
                Disturbance::CutOff { colo, for_ms: self.dice.among(&[50, 1_000, 8_000, 60_000]) }
            }
            6..8 | 13..=14 | 16..=17 if self.supersedes => Disturbance::Supersede { stream },
            6..8 | 13..=14 | 16..=17 => Disturbance::Crash { stream },
            8 => {
                let isolates = self.isolates * colos.max(1);
                Disturbance::RestartIsolate { isolate: self.dice.between(0, isolates as u64 - 1) as usize }
            }
            12 => Disturbance::Deploy { for_ms: self.dice.among(&[0, 200, 5_000, 300_000]) },
            9..=10 => Disturbance::Outage { for_ms: self.dice.among(&[1_000, 20_000, 300_000, 3_600_000]) },
            _ => {
                let for_ms = self.dice.among(&[5, 50, 1_000, 8_000]);
                Disturbance::Lose { for_ms, permille: self.dice.among(&[100, 500, 1_000]) as u32 }
            }
        }
    }
}
