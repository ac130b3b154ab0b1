//! What waits for the client of a connection with events: how much may, for how long, and who has to go if all clients
//! of the isolate leave too much of it.
//!
//! A client whose connection is given up is not lost: it comes back with the id of its last event, and goes on there.

use bytes::Bytes;

use super::sse::Reader;
use crate::mutant::mutated;
use crate::protocol::limits::{CLOSED_AT_ONCE, STALL_LOOK_MS, TAKEN_WITHIN_MS};
use crate::runtime::{Download, EdgeEnv, Patience, Pushed, Written, marks};

impl<E: EdgeEnv> Reader<'_, E> {
    /// What may wait for the client, and for how long.
    pub(super) fn patience(&self, wait_ms: u64) -> Patience {
        let buffer_bytes = if mutated!(ClientBufferUnbounded) { usize::MAX } else { self.config.buffer_bytes };
        Patience { buffer_bytes, all_bytes: self.most_bytes(), wait_ms }
    }

    fn most_bytes(&self) -> usize {
        if mutated!(BacklogsUncounted) { usize::MAX } else { self.clients_bytes }
    }

    /// Writes, and waits until the client has taken enough. Returns whether it has before the connection ends.
    pub(super) async fn write(&mut self, bytes: impl Into<Bytes>, body: &E::Download) -> bool {
        let bytes = bytes.into();
        let length = bytes.len();
        let pushed = body.push(bytes);
        let written = self.settled(pushed, length, self.left_ms(), body).await;
        self.is_taken(written)
    }

    pub(super) fn is_taken(&self, written: Written) -> bool {
        if written == Written::Gone {
            self.env.sometimes(marks::LIVE_CLIENT_GONE);
        }
        // A client that has stalled until its connection ends still gets what is on its way, and comes back.
        written == Written::Taken
    }

    /// Waits after so many bytes were pushed until no more wait for the client than may. Where too much waits for all
    /// clients, nothing of what was pushed before may.
    pub(super) async fn settled(&mut self, pushed: Pushed, length: usize, wait_ms: u64, body: &E::Download) -> Written {
        let Pushed::Waiting(bytes) = pushed else { return Written::Gone };
        self.waiting_bytes = bytes;
        let patience = self.patience(wait_ms);
        let is_late = bytes > length && body.waiting_for_clients() > patience.all_bytes;
        let buffer_bytes = if is_late { 0 } else { patience.buffer_bytes };
        if bytes <= buffer_bytes {
            return Written::Taken;
        }
        let written = self.wait_for_client(bytes, Patience { buffer_bytes, ..patience }, body).await;
        if written != Written::Stalled {
            self.waiting_bytes = buffer_bytes;
        }
        written
    }

    /// Waits until no more bytes wait for the client than may. If all clients together leave too much, whoever has waited
    /// longest gives its client up.
    async fn wait_for_client(&self, bytes: usize, patience: Patience, body: &E::Download) -> Written {
        let began_ms = self.env.now_ms();
        let ends_ms = began_ms.saturating_add(patience.wait_ms);
        let stalled = self.env.backlogs().stall(bytes, began_ms);
        loop {
            let left_ms = ends_ms.saturating_sub(self.env.now_ms());
            let written = body.drained(Patience { wait_ms: left_ms.min(STALL_LOOK_MS), ..patience }).await;
            if written != Written::Stalled || left_ms <= STALL_LOOK_MS {
                return written;
            }
            let over_bytes = body.waiting_for_clients().saturating_sub(patience.all_bytes);
            if stalled.is_to_go(over_bytes, self.env.now_ms()) {
                self.env.sometimes(marks::LIVE_SLOW_CLIENT_CUT);
                body.cut();
                return Written::Gone;
            }
        }
    }

    /// Gives the client some time before the answer is closed to take what waits for it; what it has not taken then, it
    /// comes back for.
    pub(super) async fn part(&self, body: &E::Download) {
        if self.waiting_bytes <= CLOSED_AT_ONCE {
            return;
        }
        let Pushed::Waiting(bytes @ 1..) = body.push(Bytes::new()) else { return };
        let patience = Patience { buffer_bytes: 0, ..self.patience(TAKEN_WITHIN_MS) };
        if self.wait_for_client(bytes, patience, body).await == Written::Stalled {
            self.env.sometimes(marks::LIVE_SLOW_CLIENT_CUT);
            body.cut();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::EdgeConfig;
    use super::super::scripted::{Happens, Says, Scripted, at, config, event, greeting, live, page};
    use super::super::sse::listen;
    use crate::protocol::message::Live;
    use crate::protocol::{MemoryLimits, ReadFrom, Response, header};

    /// How much may wait for all clients.
    const MOST: usize = 2 << 20;

    /// What a client is answered, and the notes, where so much waits for all clients, at each look in turn.
    fn heard(waiting: &[usize], replies: impl IntoIterator<Item = Says>) -> Vec<String> {
        let env = Scripted::new(replies).with_waiting(waiting.iter().copied());
        let config = EdgeConfig { memory: MemoryLimits { clients_bytes: MOST, ..MemoryLimits::default() }, ..config() };
        Scripted::run(listen(&env, &config, &live(ReadFrom::At(at(0)), Live::Sse, None)))
            .expect("it waits for nothing but the script");
        env.notes()
    }

    fn slow(says: Says, ms: u64) -> Says {
        match says {
            Says::Reply(response) => Says::Slow(response, ms),
            other => other,
        }
    }

    const START: &str = "ask 0000000000000000_0000000000000000";
    const NEXT: &str = "ask 0000000000000000_0000000000000001 cursor 1000000";

    #[test]
    fn a_client_that_takes_nothing_is_given_up_once_too_much_waits_for_all() {
        let replies = || [page(1, "a", false), slow(page(2, "b", false), 50_000), page(3, "c", false)];
        // The looks: after the second answer, and then while the client takes nothing.
        let notes = heard(&[0, MOST, MOST + 1], replies());
        assert_eq!(notes, [START, "write retry:200", "write a", NEXT, "write b", "cut"]);
        let notes = heard(&[0, MOST, MOST], replies());
        assert_eq!(notes.get(6).map(String::as_str), Some("write c"), "{notes:?}");
    }

    #[test]
    fn nothing_is_passed_on_to_a_client_that_has_not_taken_what_it_was_sent_while_too_much_waits_for_all() {
        let heard = |waiting| {
            let text = event(1, "a", false);
            let happens = vec![greeting(0), Happens::Waits(text), Happens::Message(event(2, "b", false))];
            heard(waiting, [Says::Socket(happens), Says::Reply(Response::new(404))])
        };
        let written = |notes: &[String]| notes.iter().filter(|note| note.starts_with("write")).count();
        let notes = heard(&[MOST + 1]);
        assert_eq!((written(&notes), notes.get(3).map(String::as_str)), (2, Some("close")), "{notes:?}");
        // It is given up if it goes on like that.
        let notes = heard(&[MOST + 1, MOST + 1, MOST + 1]);
        assert_eq!((written(&notes), notes.last().map(String::as_str)), (2, Some("cut")), "{notes:?}");
        let notes = heard(&[MOST]);
        assert_eq!(notes.get(3).map(|note| note.starts_with("write b")), Some(true), "{notes:?}");
    }

    #[test]
    fn a_client_has_a_minute_to_take_what_waits_for_it_when_its_answer_is_complete() {
        let closed = |ms| {
            let Says::Reply(last) = page(2, "b", true) else { panic!("a page is a reply") };
            let last = Says::Slow(last.with(header::STREAM_CLOSED, header::TRUE), ms);
            heard(&[], [page(1, "a", false), last])
        };
        let told = [START, "write retry:200", "write a", NEXT, "write b", "cut"];
        assert_eq!(closed(54_000 + 60_000), told[..5]);
        assert_eq!(closed(54_000 + 60_001), told);
    }
}
