//! Pages of the log on a connection with events: what the edge has asked the object for, and passes on to the client.

use super::live::is_passing;
use super::sse::{Next, Reader};
use crate::mutant::mutated;
use crate::protocol::message::{EventRest, Operation};
use crate::protocol::{Address, Offset, ReadFrom, Response, header};
use crate::runtime::{Along, Called, Download, EdgeEnv, Reply, marks};

/// How long a client may take for a piece of a large event, in ms. Our choice: about as long as a connection lasts. An
/// event that has begun is not ended with its connection's time, else a slow client would begin it again for ever.
const PIECE_WAIT_MS: u64 = 60_000;

impl<E: EdgeEnv> Reader<'_, E> {
    /// Asks the object for a further piece of the event that ends at `next`, and passes it on.
    pub(super) async fn take_rest(&mut self, next: Offset, at: usize, body: &E::Download) -> Next {
        let operation = Operation::EventRest(EventRest { next, at, cursor: self.ask.read.cursor });
        let message = self.ask.message_of(operation);
        match self.env.call(Address::stream(&self.ask.object), message, Along::Nothing).await {
            Ok(Called::Reply(reply)) => self.take_page(&reply.head(), reply, body).await,
            Ok(Called::Socket(_)) => Next::End,
            Err(error) => {
                tracing::warn!(%error, "an object did not answer");
                Next::AskLater
            }
        }
    }

    /// Passes on a page of the log, for which there is `room`.
    pub(super) async fn take_page(&mut self, head: &Response, reply: E::Reply, body: &E::Download) -> Next {
        let get = |name| head.headers.get(name);
        let next = match (head.status, get(header::STREAM_NEXT_OFFSET).and_then(Offset::parse)) {
            (200, Some(next)) => next,
            (status, _) if is_passing(status) => return Next::AskLater,
            // The stream is gone, or has been replaced by another.
            _ => return Next::End,
        };
        if self.is_too_late() {
            self.env.sometimes(marks::LIVE_PAGE_TOO_LATE);
            return Next::Ask;
        }
        self.env.sometimes(marks::LIVE_PAGE_PULLED);
        let rest = get(header::TAILRACE_EVENT_REST).and_then(|at| at.parse().ok());
        let is_piece = rest.is_some() || self.rest.is_some();
        let wait_ms = if is_piece { self.left_ms().max(PIECE_WAIT_MS) } else { self.left_ms() };
        let is_taken = match body.push_reply(reply).await {
            Ok(pushed) => {
                // Of what waits then, nobody knows how much is of this page: as much as it may have at most.
                let written = self.settled(pushed, self.config.piece_bytes, wait_ms, body).await;
                self.is_taken(written)
            }
            Err(error) => {
                // Nothing of the page was queued for the client.
                tracing::warn!(%error, "a page broke off");
                self.env.sometimes(marks::LIVE_PAGE_BROKE_OFF);
                return Next::AskLater;
            }
        };
        self.rest = rest.map(|at| (next, at));
        if self.rest.is_some() {
            self.env.sometimes(marks::EVENT_IN_PIECES);
            self.pauses.reset();
            return if is_taken { Next::Ask } else { Next::End };
        }
        let up_to_date = get(header::STREAM_UP_TO_DATE).is_some();
        let cursor = get(header::STREAM_CURSOR).and_then(|cursor| cursor.parse().ok());
        let has_moved = ReadFrom::At(next) != self.ask.read.from;
        self.move_to(next, cursor, up_to_date);
        if has_moved {
            self.pauses.reset();
        }
        if mutated!(CatchUpNotJoined) && up_to_date {
            self.ask.read.from = ReadFrom::Now;
        }
        if !is_taken || header::is_true(get(header::STREAM_CLOSED)) {
            return Next::End;
        }
        // A page that does not move the client must not be asked for again and again without a pause.
        if has_moved { Next::Ask } else { Next::AskLater }
    }
}

#[cfg(test)]
mod tests {
    use super::super::live::LiveRead;
    use super::super::scripted::{
        Happens, START_MS, Says, Scripted, at, config, event, greeting, heard, live, page, piece,
    };
    use super::super::sse::listen;
    use super::*;
    use crate::protocol::message::Live;

    const START: &str = "ask 0000000000000000_0000000000000000";

    fn check(replies: impl IntoIterator<Item = Says>, expected: &[&str]) {
        assert_eq!(heard(ReadFrom::At(at(0)), replies), expected);
    }

    #[test]
    fn pages_are_read_up_to_the_tail_and_later_appends_are_pushed() {
        let pushed = vec![greeting(5), Happens::Message(event(6, "f", false)), Happens::Message(event(7, "g", true))];
        check(
            [page(3, "abc", false), page(5, "de", true), Says::Socket(pushed)],
            &[
                START,
                "write retry:200",
                "write abc",
                "ask 0000000000000000_0000000000000003 cursor 1000002",
                "write de",
                "ask 0000000000000000_0000000000000005 cursor 1000004",
                r#"write f id 6|{"streamNextOffset":"6","streamCursor":"1000006","upToDate":true}"#,
                r#"write g id 7|{"streamNextOffset":"7","upToDate":true,"streamClosed":true}"#,
                "close",
            ],
        );
    }

    #[test]
    fn a_page_that_breaks_off_is_asked_for_again_from_where_it_began() {
        let torn = Says::Torn(Response::new(200).with(header::STREAM_NEXT_OFFSET, at(3).to_string()));
        check(
            [page(2, "ab", false), torn, page(3, "c", false), Says::Reply(Response::new(404))],
            &[
                START,
                "write retry:200",
                "write ab",
                "ask 0000000000000000_0000000000000002 cursor 1000001",
                "sleep 50",
                "ask 0000000000000000_0000000000000002 cursor 1000001",
                "write c",
                "ask 0000000000000000_0000000000000003 cursor 1000002",
            ],
        );
    }

    #[test]
    fn an_event_in_pieces_is_finished_before_anything_else_is_asked() {
        check(
            [piece(1, "a", 10), Says::Fails, piece(1, "b", 20), page(1, "c", true), Says::Reply(Response::new(404))],
            &[
                START,
                "write retry:200",
                "write a",
                "ask rest of 1 from 10",
                "sleep 50",
                "ask rest of 1 from 10",
                "write b",
                "ask rest of 1 from 20",
                "write c",
                "ask 0000000000000000_0000000000000001 cursor 1000000",
            ],
        );
    }

    #[test]
    fn a_connection_ends_without_a_control_event_where_an_event_cannot_be_finished() {
        let told = [START, "write retry:200", "write a", "ask rest of 1 from 10"];
        for status in [404, 410] {
            check([piece(1, "a", 10), Says::Reply(Response::new(status))], &told);
        }
        let notes = heard(ReadFrom::At(at(0)), [piece(1, "a", 10)]);
        assert_eq!(notes.get(..4), Some(&told.map(str::to_owned)[..]));
        let slept: u64 = notes.iter().filter_map(|note| note.strip_prefix("sleep ")?.parse::<u64>().ok()).sum();
        assert_eq!((slept, notes.iter().filter(|note| note.starts_with("write")).count()), (54_000, 2), "{notes:?}");
    }

    #[test]
    fn nothing_is_passed_on_once_the_token_has_expired_but_the_answer_to_the_clients_own_question() {
        let late = |says, ms| match says {
            Says::Reply(response) => Says::Late(response, ms),
            other => other,
        };
        let slow = |says, ms| match says {
            Says::Reply(response) => Says::Slow(response, ms),
            other => other,
        };
        let torn = || Says::Torn(Response::new(200).with(header::STREAM_NEXT_OFFSET, at(3).to_string()));
        // The token expires after a second; what has begun is ended where it is.
        for (replies, expected) in [
            (vec![late(page(1, "a", false), 3_000), page(2, "b", true)], &["a", "{"][..]),
            // One that breaks off is asked for again by the edge, and not by the client.
            (vec![torn(), late(page(1, "a", false), 3_000), page(2, "b", true)], &[]),
            (vec![torn(), late(page(1, "a", false), 100), late(page(2, "b", false), 3_000)], &["a", "{"]),
            (vec![page(1, "a", false), late(page(2, "b", false), 999), page(3, "c", true)], &["a", "b", "c"]),
            (vec![page(1, "a", false), late(page(2, "b", false), 1_000), page(3, "c", true)], &["a", "{"]),
            (vec![late(piece(1, "a", 10), 3_000), page(1, "b", true)], &["a"]),
            (vec![piece(1, "a", 10), late(piece(1, "b", 20), 999), late(page(1, "c", true), 1)], &["a", "b"]),
            (vec![piece(1, "a", 10), slow(piece(1, "b", 20), 1_000), page(1, "c", true)], &["a", "b"]),
        ] {
            let env = Scripted::new(replies);
            let live = LiveRead { until_ms: Some(START_MS + 1_000), ..live(ReadFrom::At(at(0)), Live::Sse, None) };
            Scripted::run(listen(&env, &config(), &live)).expect("it waits for nothing but the script");
            let notes = env.notes();
            let written = notes.iter().filter_map(|note| note.strip_prefix("write "));
            let written: Vec<&str> = written.filter(|text| !text.starts_with("retry")).collect();
            let is_told = written.iter().zip(expected).all(|(text, expected)| text.starts_with(expected));
            // One whose token lasts goes on until the script ends.
            assert!(is_told && (written.len() == expected.len() || expected.len() == 3), "{expected:?}: {notes:?}");
        }
    }

    #[test]
    fn an_event_that_has_begun_is_finished_though_its_connection_has_come_to_its_time() {
        let slow = |says, ms| match says {
            Says::Reply(response) => Says::Slow(response, ms),
            other => other,
        };
        // The connection lasts for 54 s.
        let replies =
            [piece(1, "a", 10), slow(piece(1, "b", 20), 59_000), slow(piece(1, "c", 30), 59_000), page(1, "d", true)];
        let notes = heard(ReadFrom::At(at(0)), replies);
        let written: Vec<&str> = notes.iter().filter_map(|note| note.strip_prefix("write ")).collect();
        assert_eq!(written.get(..5), Some(&["retry:200", "a", "b", "c", "d"][..]), "{notes:?}");
        assert_eq!(written.len(), 6, "and a last control event: {notes:?}");
        // A client that takes nothing for a minute is given up.
        let replies = [piece(1, "a", 10), slow(piece(1, "b", 20), 60_001), page(1, "c", true)];
        let told = [START, "write retry:200", "write a", "ask rest of 1 from 10", "write b"];
        assert_eq!(heard(ReadFrom::At(at(0)), replies), told);
        // A page that is whole has the time of its connection.
        let replies = [page(1, "a", false), slow(page(2, "b", false), 54_001), page(3, "c", true)];
        let asked = "ask 0000000000000000_0000000000000001 cursor 1000000";
        assert_eq!(heard(ReadFrom::At(at(0)), replies), [START, "write retry:200", "write a", asked, "write b"]);
    }
}
