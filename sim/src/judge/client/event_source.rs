//! A browser's `EventSource`: a page that gives it a URL and listens, and does nothing else. It comes back by itself,
//! with the same URL and the id of the last event that has arrived whole.

use crate::judge::history::From;

/// How long an `EventSource` waits before it comes back unless it is told, in ms.
const RETRY_MS: u64 = 3_000;

/// How often a browser's network breaks by itself, at most.
const CUTS: u32 = 4;

/// What an `EventSource` knows.
pub(super) struct EventSource {
    /// Where the page has it begin.
    pub(super) begins: From,
    pub(super) last_id: Option<String>,
    pub(super) retry_ms: u64,
    /// How often its network still breaks in the middle of what arrives.
    cuts_left: u32,
    /// Whether something has arrived since the last such break.
    has_progressed: bool,
    /// The token in its URL, if one is needed.
    token: Option<String>,
}

impl EventSource {
    pub(super) fn new(begins: From) -> Self {
        Self { begins, last_id: None, retry_ms: RETRY_MS, cuts_left: CUTS, has_progressed: true, token: None }
    }

    /// The page has this token. If that is another one than this has, the page makes another `EventSource`, which goes on from
    /// where this one was.
    pub(super) fn use_token(&mut self, token: &str, from: &From) {
        let earlier = self.token.replace(token.to_owned());
        if earlier.is_some_and(|earlier| earlier != token) {
            (self.begins, self.last_id, self.retry_ms) = (from.clone(), None, RETRY_MS);
        }
    }

    /// An event with this id has arrived whole.
    pub(super) fn move_on(&mut self, id: String) {
        (self.last_id, self.has_progressed) = (Some(id), true);
    }

    /// After how many bytes of a piece the network breaks, if it does. Any byte may be the last one: inside an event,
    /// or between a data event and its control event. `number` tells pieces apart, and nothing else is random here.
    pub(super) fn cut(&mut self, number: u64, bytes: usize) -> Option<usize> {
        let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let breaks = self.cuts_left > 0 && self.has_progressed && mixed.is_multiple_of(5);
        if breaks {
            (self.cuts_left, self.has_progressed) = (self.cuts_left - 1, false);
        }
        breaks.then(|| (mixed / 5) as usize % (bytes + 1))
    }
}
