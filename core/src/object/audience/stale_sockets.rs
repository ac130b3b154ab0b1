//! Sockets whose peer has vanished: they are closed once they are older than any edge keeps one.
//!
//! The platform can list the sockets of a tag, and nothing else. So that a sweep lists no socket that may still be in
//! use, each has, besides the tag of its kind, one that tells when it joined: time is divided into periods as long as
//! the longest wait, and each period has one of four colors. Sockets of the present period and of the one before may be
//! in use. A sweep looks at the colors that neither of these has, where all are stale. The colors have no pattern, so
//! that a stale socket is found whatever the times at which its object is awake.

use std::cell::Cell;

use crate::runtime::{ActorState, HibernatingSocket, marks};

/// How many sockets a sweep closes at most. Our choice: a turn stays short. The next event goes on.
const CLOSED_AT_ONCE: usize = 500;

/// The sweeps of one instance.
#[derive(Default)]
pub(super) struct StaleSockets {
    next_sweep_ms: Cell<u64>,
}

/// The color of a period: 0 to 3.
fn color(period: u64) -> u64 {
    // Mixed like the numbers of SplitMix64, so that periods at equal distances have no pattern.
    let mixed = (period ^ period >> 30).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ mixed >> 31) & 3
}

/// The tag of sockets of a color. Tags of kinds do not begin with a digit.
fn tag(color: u64) -> String {
    color.to_string()
}

/// The tag of a socket that joins at this time, where the longest wait is so long, in ms.
pub(super) fn joined_tag(joined_ms: u64, longest_ms: u64) -> String {
    tag(color(joined_ms / longest_ms))
}

/// The tags whose sockets are all stale.
fn stale_tags(now_ms: u64, longest_ms: u64) -> impl Iterator<Item = String> {
    let period = now_ms / longest_ms;
    let in_use = [color(period), color(period.wrapping_sub(1))];
    (0..4).filter(move |color| !in_use.contains(color)).map(tag)
}

impl StaleSockets {
    /// Closes stale sockets. Runs only when the object is awake anyway, and, unless there were too many, at most once
    /// in half the longest wait. `joined_ms` tells when a socket joined: another release may have had other periods.
    pub(super) fn sweep<S: ActorState>(
        &self,
        state: &S,
        now_ms: u64,
        longest_ms: u64,
        joined_ms: impl Fn(&S::Socket) -> u64,
    ) {
        if now_ms < self.next_sweep_ms.get() {
            return;
        }
        let mut closed = 0;
        for tag in stale_tags(now_ms, longest_ms) {
            for socket in state.sockets(&tag) {
                if joined_ms(&socket) + longest_ms >= now_ms {
                    continue;
                }
                if closed == CLOSED_AT_ONCE {
                    return;
                }
                state.sometimes(marks::LIVE_SWEPT);
                socket.close();
                closed += 1;
            }
        }
        self.next_sweep_ms.set(now_ms + longest_ms / 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_looked_at_is_stale(longest_ms in 1..100_000_u64, joined_ms in 0..1_u64 << 42, age_ms in 0..100_000_u64) {
            let age_ms = age_ms % longest_ms;
            let joined = joined_tag(joined_ms, longest_ms);
            prop_assert!(stale_tags(joined_ms + age_ms, longest_ms).all(|tag| tag != joined));
        }

        #[test]
        fn what_is_stale_is_found_however_regular_the_times_are_at_which_an_object_is_awake(
            joined_ms in 0..1_u64 << 42, every_ms in 1..100_000_000_u64
        ) {
            const LONGEST_MS: u64 = 96_000;
            let joined = joined_tag(joined_ms, LONGEST_MS);
            let mut awake_ms = (1..).map(|times| joined_ms + LONGEST_MS + times * every_ms);
            let seen = |now_ms| stale_tags(now_ms, LONGEST_MS).any(|tag| tag == joined);
            // Nobody looks more often than once in half the longest wait.
            let looks = (LONGEST_MS / 2 / every_ms).max(1) as usize;
            prop_assert!(awake_ms.by_ref().step_by(looks).take(40).any(seen));
        }
    }
}
