//! Pages of the log on a connection with events: what the edge has asked the object for, and passes on to the client.

use super::live::is_passing;
use super::sse::{Next, Reader};
use crate::mutant::mutated;
use crate::protocol::{Offset, ReadFrom, Response, header};
use crate::runtime::{Download, EdgeEnv, marks};

impl<E: EdgeEnv> Reader<'_, E> {
    /// Passes on a page of the log.
    pub(super) async fn take_page(&mut self, head: &Response, reply: E::Reply, body: &E::Download) -> Next {
        let get = |name| head.headers.get(name);
        let next = match (head.status, get(header::STREAM_NEXT_OFFSET).and_then(Offset::parse)) {
            (200, Some(next)) => next,
            (status, _) if is_passing(status) => return Next::AskLater,
            // The stream is gone, or has been replaced by another.
            _ => return Next::End,
        };
        self.env.sometimes(marks::LIVE_PAGE_PULLED);
        let is_taken = match body.write_reply(reply, self.patience(self.left_ms())).await {
            Ok(written) => self.is_taken(written),
            Err(error) => {
                // Nothing of the page was queued for the client.
                tracing::warn!(%error, "a page broke off");
                self.env.sometimes(marks::LIVE_PAGE_BROKE_OFF);
                return Next::AskLater;
            }
        };
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
    use super::super::scripted::{Happens, Says, event, greeting, heard, page};
    use super::*;
    use crate::edge::scripted::at;

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
}
