//! A reader, as a record.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::answer::Answer;
use super::messages::Expected;
use super::setting::Class;
use crate::front::Browser;

/// A reader.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) class: Class,
    pub(super) stream: u16,
    pub(super) colo: u16,
    /// Decides by which part of its datacenter's cache its requests are served.
    pub(super) part: u32,
    /// The number of the URL that it asks for, or will next.
    pub(super) url: u32,
    /// How many requests it has sent. What concerns an earlier one is outdated.
    pub(super) turn: u32,
    /// How often it has come and gone.
    pub(super) session: u32,
    /// The messages that it is to get next. It begins before the first one, at the tail or at the start.
    pub(super) expected: Expected,
    /// When it has asked last, in us.
    pub(super) asked_us: u64,
    /// How many requests in a row have brought nothing.
    pub(super) failures: u8,
    /// Until when it waits for an answer, in us; 0 if it waits for none.
    pub(super) patient_until_us: u64,
    /// Whether the agenda has a record of when it may lose its patience.
    pub(super) is_watched: bool,
    /// Whether it has come and not gone.
    pub(super) is_here: bool,
    /// The place of the request at the edge that answers it, if none is shared.
    pub(super) place: Option<u32>,
    /// What is on its way to it, with its age in seconds.
    pub(super) answer: Option<(Answer, u64)>,
    /// Its browser's cache, if it reads in one.
    pub(super) browser: Option<Box<BrowserCache>>,
}

/// A reader's browser.
#[derive(Debug, Default)]
pub(super) struct BrowserCache {
    pub(super) kept: Browser<u32, Answer>,
    /// With which tag it asks.
    pub(super) tag: Option<Rc<str>>,
    /// By URL, when the edge had what is kept, or was told that it is still right, in us.
    pub(super) given_us: BTreeMap<u32, u64>,
    /// What it asks for to freshen what it has handed out stale, by the reader's turn then. The reader goes on meanwhile,
    /// and sends no request of its own under that turn.
    pub(super) refreshes: BTreeMap<u32, Refresh>,
}

/// A request of a browser's own, by which it freshens what it has handed out stale.
#[derive(Debug)]
pub(super) struct Refresh {
    /// The number of the URL.
    pub(super) url: u32,
    /// Under what the browser keeps it.
    pub(super) key: u32,
    /// With which tag it asks.
    pub(super) tag: Option<Rc<str>>,
    /// When it was sent, in us.
    pub(super) asked_us: u64,
    /// The place of the request at the edge that answers it, if none is shared.
    pub(super) place: Option<u32>,
    /// What is on its way to the browser, with its age in seconds.
    pub(super) answer: Option<(Answer, u64)>,
}

impl Reader {
    /// One that has not come yet.
    pub(super) fn new(class: Class, stream: usize, (colo, part): (usize, u32), url: u32, expected: Expected) -> Self {
        Self {
            class,
            stream: stream as u16,
            colo: colo as u16,
            part,
            url,
            turn: 0,
            session: 0,
            expected,
            asked_us: 0,
            failures: 0,
            patient_until_us: 0,
            is_watched: false,
            is_here: false,
            place: None,
            answer: None,
            browser: (class == Class::CatchUp).then(Box::default),
        }
    }

    /// What its browser asks for since that turn beside what the reader does.
    pub(super) fn refresh(&mut self, turn: u32) -> Option<&mut Refresh> {
        self.browser.as_mut()?.refreshes.get_mut(&turn)
    }
}

/// The number of a reader's request, as caches in front know it.
pub(super) fn visitor(reader: u32, turn: u32) -> u64 {
    u64::from(turn) << 32 | u64::from(reader)
}

/// The reader of that request, and its turn.
pub(super) fn asker(visitor: u64) -> (u32, u32) {
    (visitor as u32, (visitor >> 32) as u32)
}
