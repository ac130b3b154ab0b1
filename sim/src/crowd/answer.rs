//! An answer that many share, and what a reader learns from it.

use std::borrow::Borrow;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::rc::Rc;

use tailrace_core::protocol::{Response, header};
use tailrace_core::runtime::{Changes, Kept, Reply};

use super::messages::Messages;
use crate::front::Head;
use crate::world::cache_head;

/// An answer; clones share it.
#[derive(Clone)]
pub(super) struct Answer(Rc<Inner>);

struct Inner {
    response: Response,
    /// How long its body is, though that may have been dropped.
    bytes: u64,
    /// When the edge has been given it, or was told that it is still right, in us since the seed began.
    given_us: Cell<u64>,
    told: OnceCell<Told>,
    head: OnceCell<Head>,
    next_url: OnceCell<Option<u32>>,
}

/// What a reader learns from an answer, or from a piece of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The messages, if there are any.
    pub(super) messages: Option<Messages>,
    /// From where it reads on.
    pub(super) next: Option<String>,
    /// With which cursor.
    pub(super) cursor: Option<String>,
    /// Whether that is the tail.
    pub(super) is_up_to_date: bool,
}

impl Answer {
    pub(super) fn new(response: Response) -> Self {
        let bytes = response.body.len() as u64;
        Self::of(response, bytes)
    }

    /// One of whose body nobody reads more than its length, so that a crowd's caches need not keep it: of a page that
    /// is read without waiting.
    pub(super) fn page(response: Response) -> Self {
        let bytes = response.body.len() as u64;
        Self::of(response.without_body(), bytes)
    }

    fn of(response: Response, bytes: u64) -> Self {
        let (told, head, next_url) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self(Rc::new(Inner { response, bytes, given_us: Cell::default(), told, head, next_url }))
    }

    /// The same, given at that time.
    pub(super) fn given(self, at_us: u64) -> Self {
        self.0.given_us.set(at_us);
        self
    }

    /// When the edge has been given it, or was told that it is still right, in us since the seed began.
    pub(super) fn given_us(&self) -> u64 {
        self.0.given_us.get()
    }

    pub(super) fn response(&self) -> &Response {
        &self.0.response
    }

    /// The answer with these changes: another one, unless nothing changes but what a reader of a crowd does not look at.
    pub(super) fn changed(&self, changes: &Changes) -> Self {
        let mut response = self.0.response.clone();
        changes.apply(&mut response.headers);
        Self::of(response, self.0.bytes).given(self.given_us())
    }

    /// What a reader learns from it. It is worked out once for all.
    pub(super) fn told(&self) -> &Told {
        self.0.told.get_or_init(|| {
            let Response { headers, body, .. } = &self.0.response;
            let field = |name| headers.get(name).map(str::to_owned);
            Told {
                messages: Messages::of(&String::from_utf8_lossy(body)),
                next: field(header::STREAM_NEXT_OFFSET),
                cursor: field(header::STREAM_CURSOR),
                is_up_to_date: headers.get(header::STREAM_UP_TO_DATE).is_some(),
            }
        })
    }

    /// The number of the URL under which its readers read on, which is worked out once for all.
    pub(super) fn next_url(&self, number: impl FnOnce() -> Option<u32>) -> Option<u32> {
        *self.0.next_url.get_or_init(number)
    }

    /// What caches in front decide by. It is parsed once for all.
    pub(super) fn head(&self) -> &Head {
        self.0.head.get_or_init(|| Head { bytes: self.0.bytes, ..cache_head(&self.0.response) })
    }
}

impl Borrow<Response> for Answer {
    fn borrow(&self) -> &Response {
        self.response()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.response.fmt(formatter)
    }
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Answer {}

impl Reply for Answer {
    fn head(&self) -> Response {
        let Response { status, headers, .. } = &self.0.response;
        Response { headers: headers.clone(), ..Response::new(*status) }
    }
}

impl Kept for Answer {
    fn status(&self) -> u16 {
        self.0.response.status
    }

    fn head(&self) -> Response {
        Reply::head(self)
    }
}

/// What a reader learns from a piece of events.
pub(super) fn events_told(events: &[u8]) -> Told {
    let text = String::from_utf8_lossy(events);
    let mut told = Told::default();
    let content = |field: &str, line: &str| {
        let (_, rest) = line.split_once(&format!("\"{field}\":\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    for line in text.lines().filter_map(|line| line.strip_prefix("data:")) {
        if line.starts_with('{') {
            told.next = content("streamNextOffset", line).or(told.next);
            told.cursor = content("streamCursor", line).or(told.cursor);
            told.is_up_to_date = line.contains("\"upToDate\":true");
        } else if let Some(messages) = Messages::of(line) {
            told.messages = Some(told.messages.map_or(messages.clone(), |earlier| earlier.then(&messages)));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_learns_what_was_written_and_where_it_reads_on() {
        let response = Response::new(200)
            .with(header::STREAM_NEXT_OFFSET, "0_7")
            .with(header::STREAM_CURSOR, "9")
            .with(header::STREAM_UP_TO_DATE, "true")
            .with(header::CACHE_CONTROL, "public, max-age=20")
            .with(header::ETAG, "\"t\"");
        for body in ["[]", "[4]", "[\"xx\",12,13,14]"] {
            let answer = Answer::new(response.clone().with_body(body));
            let messages = Messages::of(body);
            let expected = Told { messages, next: Some("0_7".into()), cursor: Some("9".into()), is_up_to_date: true };
            assert_eq!(*answer.told(), expected, "{body}");
        }
        let head = Answer::new(response).head().clone();
        assert_eq!((head.control.max_age_s, head.tag.as_deref()), (Some(20), Some("\"t\"")));
    }

    #[test]
    fn a_page_has_its_length_and_where_it_is_read_on_and_no_bytes() {
        let response = Response::new(200).with(header::STREAM_NEXT_OFFSET, "0_7").with_body("[4,5]");
        let page = Answer::page(response.clone()).changed(&Changes::default());
        assert_eq!((page.head().bytes, page.response().body.len()), (5, 0));
        let whole = Answer::new(response);
        assert_eq!(page.head(), whole.head());
        assert_eq!(*page.told(), Told { messages: None, ..whole.told().clone() });
    }

    #[test]
    fn a_reader_of_events_learns_the_same() {
        let control =
            |next| format!("event: control\ndata:{{\"streamNextOffset\":\"{next}\",\"streamCursor\":\"5\"}}\n");
        let text = format!(
            "retry:300\n\n{}\nevent: data\ndata:[1,2]\nid:x\n\nevent: data\ndata:[3]\n\n{}\n",
            control("0_1"),
            control("0_4")
        );
        let expected = Told {
            messages: Messages::of("[1,2,3]"),
            next: Some("0_4".into()),
            cursor: Some("5".into()),
            is_up_to_date: false,
        };
        assert_eq!(events_told(text.as_bytes()), expected);
        assert_eq!(events_told(b":\n\n"), Told::default());
    }
}
